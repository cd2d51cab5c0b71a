/* ranks: 1 2 3 4 */
/* SPDX-License-Identifier: Apache-2.0 */
/* Protects: the bytes of the weights after updates depend on the batch alone: not on micro-batches, on whether a pass's activations were kept, on skipped groups without advantage,
 * nor (with a fixed number of leaves) on the number of learners. A value that float32 cannot hold stops the run by name and changes nothing, or drops that sequence everywhere. */
#include "../tap_mpi.h"
#include "rig.h"
#include <math.h>

static mem_t mem[PROMPTS];
static sol_rollout_t group[PROMPTS];

/* a token that the recorded policy held for impossible, in a response that is worse than its group */
static int64_t poison (void)
{
  for (int s = 0, at = 0; s < GROUP; at += mem[2].len[s], s++)
    if (mem[2].reward[s] == 0) {
      mem[2].lp[at] = mem[2].lp_check[at] = -200;
      return 2 * GROUP + s;
    }
  return -1;
}

static void fill (sol_learner_t *l)
{
  for (int i = 0; i < PROMPTS; i++) l->group[i] = group[i];
  if (sol_learner_advantages (l) != SOL_OK) abort ();
}

/* every column of a token is that token's, also where sequences before it were dropped */
static int whole (const sol_learner_t *l, int64_t mini)
{
  const sol_columns_t *k = &l->col;
  for (int64_t i = 0; i < k->n; i++) {
    const mem_t *m = &mem[k->seq[i] / GROUP];
    int at = k->position[i];
    for (int s = 0; s < k->seq[i] % GROUP; s++) at += m->len[s];
    if (k->lp_behav[i] != m->lp[at] || k->token[i] != m->ids[at] || k->d[i] != k->lp[i] - k->lp_behav[i]) return 0;
    if (k->lp_check && k->lp_check[i] != m->lp_check[at]) return 0;
    if (k->d_from && (k->d_from[i] != k->lp[i] - k->lp_check[i] || k->d_check[i] != k->lp_check[i] - k->lp_behav[i])) return 0;
    if (k->lp_ref && k->lp_ref[i] != k->ref_all[mini * k->room + k->src[i]]) return 0;
  }
  return 1;
}

typedef struct { float *w; int64_t elements, dropped, n; sol_status_t st; double norm; } result_t;
/* both mini-batches, twice */
static result_t train (sol_comm_t *comm, const char *more)
{
  result_t r = { .st = SOL_OK };
  char name[32];
  rig_t rig;
  sol_learner_t *l = NULL;
  snprintf (name, sizeof name, comm == sol_comm_self () ? "self%d" : "all", tap_rank);
  rig_make (&rig, more, name);
  r.elements = rig.table->elements;
  if (rig_learner (&rig, comm, NULL, &l) != SOL_OK) abort ();
  fill (l);
  if (sol_objective_needs_prox (l->objective)) r.st = sol_learner_prox (l);
  if (rig.reference && r.st == SOL_OK) r.st = sol_learner_reference (l);
  for (int i = 0; i < 2 * UPS && r.st == SOL_OK; i++) {
    r.st = sol_learner_make_update (l, i % UPS);
    if (r.st == SOL_OK && !whole (l, i % UPS)) r.st = SOL_ERR_FORMAT;
    if (r.st == SOL_OK) l->update++;
    r.n += l->verdicts.n;
  }
  r.dropped = l->dropped_total;
  r.norm = l->norm;
  if (sol_optimizer_master (l->opt, &r.w) != SOL_OK) abort ();
  if (r.st == SOL_ERR_NUMERIC && memcmp (r.w, rig.w, (size_t) r.elements * sizeof (float)) != 0) r.st = SOL_ERR_FORMAT; /* a refusal changes nothing */
  sol_learner_destroy (l);
  rig_free (&rig);
  return r;
}

static int same (result_t a, result_t b)
{
  int good = a.st == b.st && a.dropped == b.dropped && a.n == b.n && a.elements == b.elements && memcmp (a.w, b.w, (size_t) a.elements * sizeof (float)) == 0;
  sol_free (b.w);
  return good;
}

/* terms: more lines of settings */
static void test_bytes (const char *objective, const char *terms)
{
  static const char *const micro[] = { "1", "64", "100000" };
  char more[512];
  result_t want;
  snprintf (more, sizeof more, "%sobjective: {name: %s}\nlearner: {leaves: 8}\ntrain: {lr: 1.0e-2, micro_batch_tokens: 4096}\n", terms, objective);
  want = train (sol_comm_self (), more);
  ok (want.st == SOL_OK);
  ok (want.norm > 1e-6); /* there is something to learn */
  for (int i = 0; i < 3; i++) {
    snprintf (more, sizeof more, "%sobjective: {name: %s}\nlearner: {leaves: 8}\ntrain: {lr: 1.0e-2, micro_batch_tokens: %s}\n", terms, objective, micro[i]);
    ok (same (want, train (sol_comm_world (), more)));
    if (tap_size > 1 && i == 1) ok (same (want, train (sol_comm_self (), more)));
  }
  sol_free (want.w);
  /* one leaf: a pass holds the whole mini-batch and keeps its activations, idle groups included; smaller ones compute them anew and skip idle groups */
  snprintf (more, sizeof more, "%sobjective: {name: %s}\nlearner: {leaves: 1}\ntrain: {lr: 1.0e-2, micro_batch_tokens: 100000}\n", terms, objective);
  want = train (sol_comm_self (), more);
  ok (want.st == SOL_OK);
  for (int i = 0; i < 3; i++) {
    snprintf (more, sizeof more, "%sobjective: {name: %s}\nlearner: {leaves: 1}\ntrain: {lr: 1.0e-2, micro_batch_tokens: %s}\n", terms, objective, micro[i]);
    ok (same (want, train (sol_comm_world (), more))); /* all but one learner have nothing */
    if (tap_size > 1 && i == 1) ok (same (want, train (sol_comm_self (), more)));
  }
  sol_free (want.w);
}

static void test_refused (void)
{
  static const char stop[] = "objective: {name: grpo, on_refused: stop}\nlearner: {leaves: 8}\ntrain: {lr: 1.0e-2}\n", drop[] = "objective: {name: grpo, on_refused: drop}\nlearner: {leaves: 8}\ntrain: {lr: 1.0e-2}\n";
  const int64_t seq = poison ();
  int64_t all = 0;
  char path[512], want[64], *text = NULL;
  size_t bytes = 0;
  result_t a;
  snprintf (path, sizeof path, "%s/log%d-%d", getenv ("TEST_TMPDIR") ? getenv ("TEST_TMPDIR") : "/tmp", tap_rank, tap_size);
  ok (sol_log_file (path) == 0);
  a = train (sol_comm_world (), stop);
  ok (a.st == SOL_ERR_NUMERIC); /* and the weights are the start's */
  sol_free (a.w);
  sol_log_file (NULL);
  snprintf (want, sizeof want, "sequence %lld (ticket 2, response %lld)", (long long) seq, (long long) (seq % GROUP));
  ok (sol_file_read (path, 0, &text, &bytes) == SOL_OK && strstr (text, want) && strstr (text, "on_refused: drop")); /* on every rank */
  sol_free (text);
  for (int i = 0; i < PROMPTS; i++) all += group[i].n_tokens;
  a = train (sol_comm_world (), drop);
  ok (a.st == SOL_OK);
  ok (a.dropped == 2); /* in each of the two rounds */
  ok (a.n == 2 * (all - mem[2].len[seq % GROUP])); /* it does not count in N */
  ok (same (a, train (sol_comm_self (), drop)));
  sol_free (a.w);
  /* what stands beside a token leaves with it */
  static const char beside[] = "objective: {name: grpo, on_refused: drop}\nlearner: {leaves: 8}\ntrain: {lr: 1.0e-2}\nkl: {coef: 0.1, term: k2, reference: initial}\nentropy: {coef: 0.1}\nlp_check: {record: true, correct: tis, cap: 1.2}\n";
  a = train (sol_comm_world (), beside);
  ok (a.st == SOL_OK && a.dropped == 2);
  ok (same (a, train (sol_comm_self (), beside)));
  sol_free (a.w);
  /* a KL that no reward can hold leaves its group without advantages, and the means of the others without it */
  static const char inward[] = "objective: {name: grpo, on_refused: drop, advantage: global}\nlearner: {leaves: 8}\ntrain: {lr: 1.0e-2}\nkl: {coef: 0.1, term: k3, reference: initial, in: reward}\n";
  for (int t = 0; t < group[2].n_tokens; t++)
    if (mem[2].lp[t] == -200) mem[2].lp[t] = -2000; /* e^2000 */
  a = train (sol_comm_world (), inward);
  ok (a.st == SOL_OK && a.dropped == 2 * GROUP);
  ok (a.n == 2 * (all - group[2].n_tokens) && a.norm > 0);
  ok (same (a, train (sol_comm_self (), inward)));
  sol_free (a.w);
  a = train (sol_comm_world (), "objective: {name: grpo}\nlearner: {leaves: 8}\nkl: {coef: 0.1, term: k3, reference: initial, in: reward}\n");
  ok (a.st == SOL_ERR_NUMERIC);
  sol_free (a.w);
}

/* nothing is left of the first mini-batch, wherever its sequences are: it is skipped, and the second is trained as ever */
static void test_skipped (void)
{
  static const char drop[] = "objective: {name: grpo, on_refused: drop}\nlearner: {leaves: 8}\ntrain: {lr: 1.0e-2}\n";
  result_t a;
  int64_t rest = 0;
  for (int i = 0; i < PROMPTS; i++)
    for (int t = 0; t < group[i].n_tokens; t++)
      if (i < PROMPTS / UPS) mem[i].lp[t] = NAN;
      else rest++;
  a = train (sol_comm_world (), drop);
  ok (a.st == SOL_OK && a.dropped == 2 * PROMPTS / UPS * GROUP && a.n == 2 * rest && a.norm > 0);
  ok (same (a, train (sol_comm_self (), drop)));
  sol_free (a.w);
}

int main (int argc, char **argv)
{
  tap_init (&argc, &argv);
  ok (sol_comm_start (&argc, &argv) == SOL_OK);
  sol_log_level (SOL_LOG_ERROR);
  for (int i = 0; i < PROMPTS; i++) group[i] = group_make (i, &mem[i]);
  test_bytes ("grpo", "");
  test_bytes ("decoupled_ppo", "");
  test_bytes ("m2po_tis", "kl: {coef: 0.1, reference: initial, ratio: true}\nentropy: {coef: 0.02}\n");
  test_bytes ("decoupled_ppo", "lp_check: {record: true, correct: tis, cap: 1.2}\n");
  test_bytes ("grpo", "kl: {coef: 0.1, term: k1, reference: initial, in: reward}\n");
  test_refused ();
  test_skipped ();
  return tap_done ();
}
