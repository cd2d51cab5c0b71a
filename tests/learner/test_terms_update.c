/* SPDX-License-Identifier: Apache-2.0 */
/* Protects: the gradient of an update whose loss has KL to a frozen reference and an entropy bonus, beside differences of that loss through the whole model: along the gradient and along a random direction.
 * The loss is made anew here from log-probs and entropies of forward passes. Groups without advantage are not left out when a term wants them. */
#include "../tap.h"
#include "rig.h"
#include <math.h>

static mem_t mem[PROMPTS];
static sol_rollout_t group[PROMPTS];

/* of mini-batch 0 with the model's present weights */
static double loss_of (sol_learner_t *l)
{
  const sol_columns_t *k = &l->col;
  const sol_config_t *c = l->c;
  double sum = 0;
  int32_t micros;
  sol_learner_cut (l, 0);
  need (sol_learner_forward (l, k->lp_pass, k->entropy_pass, &micros) == SOL_OK);
  for (int64_t i = 0; i < k->n; i++) { /* one learner: the pass is in the order of the columns */
    const double lp = (double) k->lp_pass[i], r = exp (lp - (double) k->lp_behav[i]), x = lp - (double) (k->ref_all ? k->ref_all[i] : k->lp_behav[i]);
    const double kl = c->kl_term == SOL_KL_K1 ? x : c->kl_term == SOL_KL_K2 ? x * x / 2 : expm1 (-x) + x;
    sum += -r * (double) k->adv[i] + (c->kl_in == SOL_KL_LOSS ? c->kl_coef * (c->kl_ratio ? r : 1) * kl : 0) - c->entropy_coef * (double) k->entropy_pass[i];
  }
  return sum / (double) k->n;
}

/* the slope of the loss along a direction of unit length */
static double slope (const rig_t *rig, sol_learner_t *l, const float *direction, double h)
{
  float *w = sol_alloc ((size_t) rig->table->elements * sizeof *w);
  double at[2];
  for (int s = 0; s < 2; s++) {
    for (int64_t i = 0; i < rig->table->elements; i++) w[i] = (float) ((double) rig->w[i] + (s ? -h : h) * (double) direction[i]);
    need (sol_model_set (rig->model, w) == SOL_OK);
    at[s] = loss_of (l);
  }
  sol_free (w);
  return (at[0] - at[1]) / (2 * h);
}

static void try_one (const char *terms, int equal, const char *what)
{
  rig_t rig;
  sol_learner_t *l = NULL;
  char more[512];
  double g2 = 0, along, across, dot = 0, n2 = 0;
  snprintf (more, sizeof more, "%sobjective: {name: grpo_no_tr}\ntrain: {lr: 1.0e-3, grad_clip: 0, micro_batch_tokens: 20}\nlearner: {leaves: 1}\n", terms);
  rig_make (&rig, more, "terms");
  need (rig_learner (&rig, sol_comm_self (), NULL, &l) == SOL_OK);
  for (int i = 0; i < PROMPTS; i++) {
    group[i] = group_make (i, &mem[i]);
    for (int s = 0; s < GROUP && equal; s++) mem[i].reward[s] = 1;
    l->group[i] = group[i];
  }
  need (sol_learner_advantages (l) == SOL_OK);
  if (rig.reference) need (sol_learner_reference (l) == SOL_OK);
  need (sol_learner_make_update (l, 0) == SOL_OK);
  const int64_t n = rig.table->elements;
  float *g = sol_alloc ((size_t) n * sizeof *g), *other = sol_alloc ((size_t) n * sizeof *other);
  for (int64_t i = 0; i < n; i++) { /* the first moment after one step is (1 - beta1) times the gradient */
    g[i] = (float) ((double) l->opt->m[i] / (1 - l->c->beta1));
    g2 += (double) g[i] * (double) g[i];
    other[i] = (float) ((int) (draw (1000, (uint32_t) i) % 3) - 1);
    n2 += (double) other[i] * (double) other[i];
  }
  for (int64_t i = 0; i < n; i++) {
    other[i] = (float) ((double) other[i] / sqrt (n2)) + g[i] / (float) sqrt (g2) / 4; /* not quite across: there would be nothing to see */
    dot += (double) other[i] * (double) g[i];
    g[i] = (float) ((double) g[i] / sqrt (g2));
  }
  along = slope (&rig, l, g, 1e-3);
  across = slope (&rig, l, other, 2e-3);
  tap_ok (g2 > 1e-8 && fabs (along / sqrt (g2) - 1) < 0.004 && fabs (across - dot) < 0.004 * sqrt (g2), "%s: |gradient| %.5g, differences along it %.5g; another way %.5g, differences %.5g", what, sqrt (g2), along, dot, across);
  sol_free (g), sol_free (other);
  sol_learner_destroy (l);
  rig_free (&rig);
}

int main (void)
{
  sol_log_level (SOL_LOG_ERROR);
  try_one ("", 0, "the objective alone");
  try_one ("entropy: {coef: 2}\n", 1, "entropy alone");
  try_one ("kl: {coef: 2, term: k2, reference: initial}\n", 1, "k2 to a frozen reference alone");
  try_one ("kl: {coef: 2, term: k3, reference: initial}\n", 1, "k3");
  try_one ("kl: {coef: 2, term: k1, ratio: true, reference: initial}\n", 1, "k1 with the ratio");
  try_one ("kl: {coef: 2, term: k3, ratio: true, reference: initial}\n", 1, "k3 with the ratio");
  try_one ("kl: {coef: 2, term: k3}\n", 1, "k3 to the policy that generated");
  try_one ("kl: {coef: 1, term: k2, reference: initial}\nentropy: {coef: 1}\n", 0, "all together");
  try_one ("kl: {coef: 0.3, term: k1, reference: initial, in: reward}\n", 1, "k1 in the reward");
  return tap_done ();
}
