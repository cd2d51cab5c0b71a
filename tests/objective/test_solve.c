/* ranks: 1 3 */
/* SPDX-License-Identifier: Apache-2.0 */
/* What refuses an update and what does not: the first token in global order is named on every rank, and nothing else is written. */
#include "../tap_mpi.h"
#include "solera/elementary.h"
#include "solera/objective.h"
#include <float.h>
#include <math.h>
#include <string.h>

enum { N = 8 };
/* sequences 30 20 10, stored so; on three ranks one each. 10 is the first in global order. */
static const int64_t seq_all[N] = { 30, 30, 20, 20, 20, 10, 10, 10 };
static const int first_of[3] = { 0, 2, 5 }, n_of[3] = { 2, 3, 3 };
typedef struct { float d[N], adv[N], lp[N], d_prox[N]; } data_t;

static data_t plain (void)
{
  data_t x;
  for (int i = 0; i < N; i++) x.d[i] = 0.01f * (float) (i - 3), x.adv[i] = seq_all[i] == 20 ? -1.0f : 1.0f, x.lp[i] = -1, x.d_prox[i] = 0;
  return x;
}

typedef struct { sol_status_t st; sol_refusal_t r; sol_verdicts_t v; double c[N]; uint8_t verdict[N]; int first, n, untouched; } result_t;
static result_t solve (const char *name, const data_t *x)
{
  result_t q = { .first = tap_size == 1 ? 0 : first_of[tap_rank], .n = tap_size == 1 ? N : n_of[tap_rank] }, was;
  sol_objective_t *o = NULL;
  const sol_tokens_t t = { .n = q.n, .d = x->d + q.first, .adv = x->adv + q.first, .lp = x->lp + q.first, .d_prox = x->d_prox + q.first, .seq = seq_all + q.first };
  memset (q.c, 0x5a, sizeof q.c);
  memset (q.verdict, 0x5a, sizeof q.verdict);
  memset (&q.v, 0x5a, sizeof q.v);
  was = q;
  q.st = sol_objective_create (name, &o);
  if (q.st == SOL_OK) q.st = sol_objective_solve (o, sol_comm_world (), &t, q.c, q.verdict, &q.v, &q.r);
  q.untouched = !memcmp (q.c, was.c, sizeof q.c) && !memcmp (q.verdict, was.verdict, sizeof q.verdict) && !memcmp (&q.v, &was.v, sizeof q.v);
  sol_objective_destroy (o);
  return q;
}

/* refused with status st for token `at` */
static void refused (const char *name, const data_t *x, sol_status_t st, int at, const char *why)
{
  const result_t q = solve (name, x);
  const int mine = at >= q.first && at < q.first + q.n;
  char what[128];
  snprintf (what, sizeof what, "%s: refused: %s", name, why);
  if (q.st == st && q.r.why && !strstr (q.r.why, why)) fprintf (stderr, "  found: %s\n", q.r.why);
  tap_ok (q.st == st && q.untouched && q.r.seq == seq_all[at] && q.r.why && strstr (q.r.why, why) && q.r.index == (mine ? at - q.first : -1) &&
            (!memcmp (&q.r.d, &(double){ (double) x->d[at] }, 8) || isnan (q.r.d)),
          what);
}
/* goes through; c of token `at` is want */
static void passes (const char *name, const data_t *x, int at, double want, const char *what)
{
  const result_t q = solve (name, x);
  int good = q.st == SOL_OK;
  if (at >= q.first && at < q.first + q.n) good &= q.c[at - q.first] == want && !signbit (q.c[at - q.first]) == !signbit (want);
  tap_ok (good, what);
}

static void try_inputs (void)
{
  const char *const name[] = { "m2po", "m2po_all", "m2po_clip", "grpo", "gspo", "topr", "sapo" };
  for (int k = 0; k < 7; k++) {
    data_t x = plain ();
    x.d[1] = NAN; /* of sequence 30: not the first */
    x.adv[6] = INFINITY;
    x.d[7] = -INFINITY;
    refused (name[k], &x, SOL_ERR_NUMERIC, 6, "advantage");
    x.adv[6] = 1;
    refused (name[k], &x, SOL_ERR_NUMERIC, 7, "log-ratio is not finite");
    x.d[7] = 1.9e19f;
    refused (name[k], &x, SOL_ERR_NUMERIC, 7, "overflows float32");
    x.d[7] = 0;
    refused (name[k], &x, SOL_ERR_NUMERIC, 1, "log-ratio is not finite");
  }
  data_t x = plain ();
  x.lp[3] = -INFINITY;
  x.d_prox[4] = NAN;
  refused ("cispo", &x, SOL_ERR_NUMERIC, 3, "behaviour log-prob");
  refused ("decoupled_ppo", &x, SOL_ERR_NUMERIC, 4, "proximal");
  ok (solve ("grpo", &x).st == SOL_OK); /* does not look at them */
}

static void try_coefficients (void)
{
  data_t x = plain ();
  x.d[0] = x.d[3] = x.d[7] = 95; /* e^95 is over FLT_MAX, also over 8 tokens */
  refused ("grpo_no_tr", &x, SOL_ERR_NUMERIC, 7, "coefficient");
  refused ("grpo", &x, SOL_ERR_NUMERIC, 3, "coefficient"); /* A > 0 is clipped, and so is no reason */
  x.d[3] = 0;
  passes ("grpo", &x, 7, 0, "grpo: clipped tokens never refuse");
  passes ("icepop", &x, 7, 0, "icepop: masked tokens never refuse");
  passes ("m2po", &x, 7, 0, "m2po: masked tokens never refuse");
  passes ("m2po_all", &x, 0, 0, "m2po_all: nor here");
  x = plain ();
  x.d[0] = 5000;
  passes ("icepop", &x, 0, 0, "beyond what a double's exponential holds, masked");
  x.adv[0] = x.adv[1] = 0;
  passes ("grpo_no_tr", &x, 0, 0, "the same with advantage 0");
  passes ("sapo", &x, 0, 0, "and in a soft gate");
  x.d[0] = -5000;
  x.adv[0] = x.adv[1] = -1;
  passes ("grpo_no_tr", &x, 0, 0, "underflow is no refusal");
  x = plain ();
  x.d[5] = 85;
  x.adv[5] = x.adv[6] = x.adv[7] = -1;
  passes ("grpo_no_tr", &x, 5, sol_exp_exact (85) / 8, "the largest that is used");
  x.adv[5] = FLT_MAX;
  refused ("gspo", &x, SOL_ERR_USAGE, 6, "constant");
  refused ("grpo_no_tr", &x, SOL_ERR_NUMERIC, 5, "coefficient");
}

/* sums over a sequence keep what a plain sum in double would lose */
static void try_sums (void)
{
  data_t x = plain ();
  result_t q;
  x.d[5] = 0x1p60f, x.d[6] = 0.001f, x.d[7] = -0x1p60f;
  x.adv[5] = x.adv[6] = x.adv[7] = -1;
  q = solve ("topr", &x);
  ok (q.st == SOL_OK && q.v.n_high == 3); /* the sum is 0.001, not 0 */
}

static void try_usage (void)
{
  data_t x = plain ();
  sol_objective_t *o = NULL;
  sol_tokens_t t = { .n = 0 };
  sol_verdicts_t v;
  sol_refusal_t r = { 0 };
  double c[N];
  uint8_t verdict[N];
  x.adv[4] = 3;
  x.adv[7] = 3;
  refused ("vespo", &x, SOL_ERR_USAGE, 7, "constant");
  x.d[0] = NAN;
  refused ("vespo", &x, SOL_ERR_NUMERIC, 0, "log-ratio"); /* before wrong use, though later in order */
  x = plain ();
  ok (sol_objective_create ("grpo", &o) == SOL_OK && sol_objective_solve (o, sol_comm_world (), &t, NULL, NULL, &v, &r) == SOL_ERR_USAGE);
  t = (sol_tokens_t){ .n = tap_rank == tap_size - 1 ? 2 : 0, .d = x.d, .adv = x.adv, .seq = seq_all }; /* the others have none */
  ok (sol_objective_solve (o, sol_comm_world (), &t, c, verdict, &v, &r) == SOL_OK && v.n == 2 && v.n_seq == 1 && v.n_kept == 2 && isnan (v.cut) && isnan (v.band));
  sol_objective_destroy (o);
  ok (sol_objective_create ("dppo_tv", &o) == SOL_OK && sol_objective_solve (o, sol_comm_world (), &t, c, verdict, &v, &r) == SOL_ERR_USAGE && r.why && strstr (r.why, "log-probs"));
  sol_objective_destroy (o);
}

/* one object through batches of many sizes */
static void try_reuse (void)
{
  sol_objective_t *o = NULL;
  int good = sol_objective_create ("m2po", &o) == SOL_OK;
  const data_t x = plain ();
  double c[N], again[N];
  uint8_t verdict[N];
  sol_verdicts_t v;
  for (int n = 1; n <= N; n++) {
    const sol_tokens_t t = { .n = n, .d = x.d, .adv = x.adv, .seq = seq_all };
    good &= sol_objective_solve (o, sol_comm_self (), &t, c, verdict, &v, NULL) == SOL_OK && v.n == n;
    good &= sol_objective_solve (o, sol_comm_self (), &t, again, verdict, &v, NULL) == SOL_OK && !memcmp (c, again, (size_t) n * sizeof *c);
  }
  ok (good);
  sol_objective_destroy (o);
}

int main (int argc, char **argv)
{
  tap_init (&argc, &argv);
  ok (sol_comm_start (&argc, &argv) == SOL_OK);
  try_inputs ();
  try_coefficients ();
  try_sums ();
  try_usage ();
  try_reuse ();
  sol_comm_end ();
  return tap_done ();
}
