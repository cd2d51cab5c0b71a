/* SPDX-License-Identifier: Apache-2.0 */
/* rehearse.c: one update on made-up records: the code of a run (cut, forward, backward, step) for a plan that counts its work. */
#include "learner_internal.h"
#include <string.h>

/* one record of full length, which stands for all */
typedef struct { int32_t *prompt, *len, *ids; float *lp, *entropy; double *reward; uint8_t *finish; sol_version_run_t run; } record_t;

static void make_record (const sol_config_t *c, record_t *r)
{
  const size_t group = (size_t) c->group, tokens = group * (size_t) c->max_new;
  r->prompt = sol_alloc ((size_t) c->max_prompt * sizeof *r->prompt);
  r->len = sol_alloc (group * sizeof *r->len);
  r->ids = sol_alloc (tokens * sizeof *r->ids);
  r->lp = sol_alloc (tokens * sizeof *r->lp);
  r->entropy = sol_alloc (tokens * sizeof *r->entropy);
  r->reward = sol_alloc (group * sizeof *r->reward);
  r->finish = sol_alloc (group);
  r->run = (sol_version_run_t){ 0, (int32_t) tokens, 0 };
  for (size_t i = 0; i < group; i++) r->len[i] = (int32_t) c->max_new;
}

static void free_record (record_t *r)
{
  void *all[] = { r->prompt, r->len, r->ids, r->lp, r->entropy, r->reward, r->finish };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) sol_free (all[i]);
}

/* the learner with most sequences of equal length; of equals the last, whose slice of the weights is not the smallest */
static int busiest (const sol_config_t *c, int size)
{
  const int64_t n = c->prompts / c->ups * c->group;
  int32_t *len = sol_alloc ((size_t) n * sizeof *len), *leaf = sol_alloc ((size_t) n * sizeof *leaf), *count = sol_alloc ((size_t) size * sizeof *count);
  int most = 0;
  for (int64_t i = 0; i < n; i++) len[i] = (int32_t) c->max_new;
  sol_leaf_assign (len, n, size, leaf);
  for (int64_t i = 0; i < n; i++) count[leaf[i]]++;
  for (int r = 1; r < size; r++)
    if (count[r] >= count[most]) most = r;
  sol_free (len);
  sol_free (leaf);
  sol_free (count);
  return most;
}

static sol_status_t update (sol_learner_t *l, void (*mark) (void *ctx, sol_phase_t phase), void *ctx)
{
  const sol_adamw_t hyper = { .lr = 1e-6, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8 };
  int32_t micros;
  double norm;
  sol_learner_cut (l, 0);
  SOL_TRY (sol_learner_forward (l, l->col.lp_pass, l->col.entropy_pass, &micros));
  if (sol_objective_needs_prox (l->objective)) SOL_TRY (sol_learner_forward (l, l->col.prox_pass, l->col.entropy_pass, &micros)); /* once an update, before a batch's first */
  if (l->p.reference) SOL_TRY (sol_learner_reference_mini (l, 0));
  mark (ctx, SOL_PHASE_FORWARD);
  for (int64_t i = 0; i < l->col.n; i++) l->col.c[i] = 1; /* every token trains */
  SOL_TRY (sol_learner_backward (l, micros == 1));
  mark (ctx, SOL_PHASE_BACKWARD);
  SOL_TRY (sol_optimizer_step (l->opt, hyper, 0, 0, &norm));
  mark (ctx, SOL_PHASE_OPTIMIZER);
  return SOL_OK;
}

sol_status_t sol_learner_rehearse (const sol_config_t *c, sol_model_t *model, sol_model_t *reference, int size, void (*mark) (void *ctx, sol_phase_t phase), void *ctx)
{
  const int rank = busiest (c, size);
  sol_learner_t *l = sol_alloc (sizeof *l);
  record_t r;
  sol_status_t st;
  make_record (c, &r);
  l->c = l->p.config = c;
  l->p.model = model;
  l->p.reference = reference;
  l->p.comm = sol_comm_self ();
  l->rank = rank;
  l->size = size;
  l->cap_tokens = l->cap_rows = sol_learner_cap (c);
  SOL_GO (sol_objective_create_config (c, &l->objective));
  SOL_GO (sol_optimizer_rehearse (model, rank, size, &l->opt));
  SOL_GO (sol_learner_room (l));
  SOL_GO (sol_learner_pass (l));
  for (int64_t i = 0; i < c->prompts; i++)
    l->group[i] = (sol_rollout_t){ .ticket = (uint64_t) i, .n_responses = (int32_t) c->group, .n_prompt = (int32_t) c->max_prompt, .n_runs = 1, .n_tokens = r.run.n_tokens,
                                   .temperature = (float) c->temperature, .prompt = r.prompt, .len = r.len, .ids = r.ids, .lp = r.lp, .lp_check = r.lp, .entropy = r.entropy, .reward = r.reward,
                                   .finish = r.finish, .runs = &r.run };
  st = update (l, mark, ctx);
out:
  sol_learner_destroy (l);
  free_record (&r);
  return st;
}
