/* SPDX-License-Identifier: Apache-2.0 */
/* Protects: c is the derivative of the loss by a token's log-probability, for every objective of the table: central differences of the printed loss. A ratio moves with d; where the weight is a constant
 * (policy gradient) only log pi = lp + d moves, which a change of lp alone does. Tokens whose verdict changes within the step are left out, and must be few. m2po_tis: the verdicts of m2po, the weights of tis. */
#include "../tap.h"
#include "solera/memory.h"
#include "solera/objective.h"
#include <math.h>
#include <string.h>

enum { N = 240 };
typedef struct { float d[N], adv[N], lp[N], prox[N]; int64_t seq[N]; } batch_t;
static const float step = 0x1p-10f; /* d and lp are whole multiples of it: float32 holds every shifted value */

/* sequences of 1 to 9 tokens with an advantage each; log-ratios of standard deviation `spread` */
static batch_t batch_of (uint32_t seed, double spread)
{
  batch_t b;
  int left = 0;
  int64_t seq = 0;
  float adv = 0;
  for (int i = 0; i < N; i++) {
    double x = -6;
    for (int k = 0; k < 12; k++) {
      seed = seed * 1664525u + 1013904223u;
      x += (double) (seed >> 8) * 0x1p-24;
    }
    if (left-- == 0) {
      left = (int) (seed >> 20) % 9;
      adv = (float) ((int) (seed >> 12 & 15) - 7) / 8;
      seq++;
    }
    b.d[i] = rintf ((float) (spread * x) / step) * step;
    b.lp[i] = -0.125f - (float) (seed >> 24) / 64;
    b.prox[i] = rintf ((float) (spread * x) / 3 / step) * step;
    b.adv[i] = adv;
    b.seq[i] = seq;
  }
  return b;
}

typedef struct { double c[N]; uint8_t verdict[N]; sol_verdicts_t v; } answer_t;
static int solve (sol_objective_t *o, const batch_t *b, answer_t *a)
{
  const sol_tokens_t t = { .n = N, .d = b->d, .adv = b->adv, .lp = b->lp, .d_prox = b->prox, .seq = b->seq };
  return sol_objective_solve (o, sol_comm_self (), &t, a->c, a->verdict, &a->v, NULL) == SOL_OK;
}

/* the weight does not move, by definition */
static int is_weighted (const char *name)
{
  static const char *const all[] = { "cispo", "tis", "seq_tis", "topr", "vespo", "m2po_tis" };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (!strcmp (name, all[i])) return 1;
  return 0;
}

static void try_one (const char *name, uint32_t seed, double spread, int *used_p, double *worst_p)
{
  sol_objective_t *o = NULL;
  batch_t b = batch_of (seed, spread);
  answer_t at, up, down;
  need (sol_objective_create (name, &o) == SOL_OK && solve (o, &b, &at));
  const double scale = 1.0 / N;
  for (int i = 0; i < N; i++) {
    float *x = is_weighted (name) ? &b.lp[i] : &b.d[i], was = *x;
    *x = was + step;
    need (solve (o, &b, &up));
    *x = was - step;
    need (solve (o, &b, &down));
    *x = was;
    if (memcmp (up.verdict, at.verdict, N) != 0 || memcmp (down.verdict, at.verdict, N) != 0) continue;
    if (!isnan (at.v.cut) && (float) at.v.cut == b.d[i] * b.d[i]) continue; /* m2po_clip's band moves with this token; the band is a constant */
    const double got = (up.v.loss - down.v.loss) / (2 * (double) step), err = fabs (got - at.c[i]) / (fabs (at.c[i]) + scale);
    ++*used_p;
    if (err > *worst_p) *worst_p = err;
    if (err > 2e-5) printf ("# %s token %d: d %g A %g verdict %d: c %.12g, differences %.12g\n", name, i, (double) b.d[i], (double) b.adv[i], at.verdict[i], at.c[i], got);
  }
  sol_objective_destroy (o);
}

/* with lp_check every f and g is multiplied by min (e^d_check, cap), verdicts stay */
static void test_check (void)
{
  const char *name;
  const batch_t b = batch_of (5, 0.4);
  float check[N];
  int good = 1, capped = 0;
  for (int i = 0; i < N; i++) {
    check[i] = (float) (i % 11 - 5) / 8;
    capped += (double) check[i] > log (1.25);
  }
  for (int k = 0; (name = sol_objective_name (k, NULL)) != NULL; k++) {
    sol_objective_t *o = NULL;
    answer_t plain, x;
    sol_tokens_t t = { .n = N, .d = b.d, .adv = b.adv, .lp = b.lp, .d_prox = b.prox, .seq = b.seq, .d_check = check, .check_cap = 1.25 };
    need (sol_objective_create (name, &o) == SOL_OK && solve (o, &b, &plain) && sol_objective_solve (o, sol_comm_self (), &t, x.c, x.verdict, &x.v, NULL) == SOL_OK);
    good &= memcmp (plain.verdict, x.verdict, N) == 0 && plain.v.m2_after == x.v.m2_after && plain.v.loss != x.v.loss;
    for (int i = 0; i < N; i++) good &= fabs (x.c[i] - plain.c[i] * fmin (exp ((double) check[i]), 1.25)) <= 1e-14 * fabs (plain.c[i]);
    check[3] = NAN;
    good &= sol_objective_solve (o, sol_comm_self (), &t, x.c, x.verdict, &x.v, NULL) == SOL_ERR_NUMERIC;
    check[3] = -0.25f;
    sol_objective_destroy (o);
  }
  tap_ok (good && capped > 30 && capped < N - 30, "the weight of lp_check is on every coefficient, %d of %d at its cap", capped, N);
}

static void test_combined (void)
{
  const batch_t b = batch_of (7, 0.6);
  sol_objective_t *gate = NULL, *tis = NULL, *both = NULL;
  answer_t g, t, x;
  int capped = 0, masked = 0, good = 1;
  need (sol_objective_create ("m2po", &gate) == SOL_OK && sol_objective_create ("tis", &tis) == SOL_OK && sol_objective_create ("m2po_tis", &both) == SOL_OK);
  need (solve (gate, &b, &g) && solve (tis, &b, &t) && solve (both, &b, &x));
  for (int i = 0; i < N; i++) {
    const int gone = (g.verdict[i] & SOL_VERDICT_MASKED) != 0;
    good &= x.verdict[i] == (gone ? g.verdict[i] : t.verdict[i]) && x.c[i] == (gone ? 0 : t.c[i]);
    masked += gone;
    capped += !gone && (t.verdict[i] & SOL_VERDICT_HIGH);
  }
  tap_ok (good && masked > 5 && capped > 3 && x.v.n_masked == g.v.n_masked && x.v.n_high == capped && x.v.n_kept == g.v.n_kept && x.v.cut == g.v.cut, "m2po_tis: masks as m2po (%d), weighs as tis (%d capped)", masked,
          capped);
  sol_objective_destroy (gate), sol_objective_destroy (tis), sol_objective_destroy (both);
}

/* beside a sort: of T, the longest run of smallest k3 within tau, ties in global order */
typedef struct { float k3; int at; } by_k3_t;
static int smaller (const void *a, const void *b)
{
  const by_k3_t *x = a, *y = b;
  return x->k3 < y->k3 ? -1 : x->k3 > y->k3 ? 1 : x->at - y->at;
}

static void test_k3 (double tau, double spread)
{
  batch_t b = batch_of (9, spread);
  by_k3_t in_T[N];
  uint8_t want[N] = { 0 };
  answer_t m2, x;
  sol_objective_t *gate = NULL, *o = NULL;
  int n = 0, kept, differ = 0, good = 1;
  long double sum = 0;
  b.d[0] = 1e-9f, b.d[1] = -1e-20f, b.d[2] = 0.05f, b.d[3] = -0.05f, b.d[4] = 3, b.d[5] = -3, b.d[6] = b.d[7] = 0.25f;
  need (sol_objective_create ("m2po", &gate) == SOL_OK && sol_objective_create ("m2po_k3", &o) == SOL_OK && sol_objective_set (o, "tau", tau) == SOL_OK && sol_objective_set (gate, "tau", 2 * tau) == SOL_OK);
  need (solve (gate, &b, &m2) && solve (o, &b, &x));
  for (int i = 0; i < N; i++)
    if (x.verdict[i] & SOL_VERDICT_T) in_T[n++] = (by_k3_t){ (float) (expm1l ((long double) b.d[i]) - (long double) b.d[i]), i };
  qsort (in_T, (size_t) n, sizeof *in_T, smaller);
  for (kept = 0; kept < n && sum + (long double) in_T[kept].k3 <= (long double) tau * (kept + 1); kept++) sum += (long double) in_T[kept].k3;
  for (int i = kept; i < n; i++) want[in_T[i].at] = SOL_VERDICT_MASKED;
  for (int i = 0; i < N; i++) {
    const double r = exp ((double) b.d[i]) * (double) b.adv[i] / N;
    good &= (x.verdict[i] & SOL_VERDICT_MASKED) == want[i] && fabs (x.c[i] + (want[i] ? 0 : r)) <= 1e-14 * fabs (r);
    differ += x.verdict[i] != m2.verdict[i];
  }
  good &= kept == n ? isnan (x.v.cut) : x.v.cut == (double) in_T[kept].k3;
  tap_ok (good && x.v.n_kept == kept && kept < n && x.v.m2_before == m2.v.m2_before && differ > 0, "m2po_k3, tau %g: %d of %d stay, %d verdicts are not those of m2po", tau, kept, n, differ);
  b.d[8] = 89;
  b.adv[8] = 0;
  good = solve (o, &b, &x);
  b.adv[8] = 1;
  tap_ok (good && !solve (o, &b, &x), "a k3 that float32 cannot hold refuses, if its token is in T");
  sol_objective_destroy (gate), sol_objective_destroy (o);
}

int main (void)
{
  const char *name;
  for (int i = 0; (name = sol_objective_name (i, NULL)) != NULL; i++) {
    int used = 0;
    double worst = 0;
    for (uint32_t seed = 1; seed <= 3; seed++) try_one (name, seed, seed == 1 ? 0.05 : 0.4, &used, &worst);
    tap_ok (worst < 2e-5 && used > 600, "%s: c is the derivative of the loss (%d of %d tokens, error at most %.1e)", name, used, 3 * N, worst);
  }
  test_combined ();
  test_k3 (0.02, 0.4);
  test_k3 (0.002, 0.2);
  test_check ();
  return tap_done ();
}
