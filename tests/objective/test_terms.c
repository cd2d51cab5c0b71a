/* ranks: 1 3 */
/* SPDX-License-Identifier: Apache-2.0 */
/* KL and entropy terms: their slopes beside central differences of what they add to the loss; what they estimate, by whole distributions of few tokens; refusals; the same bytes however tokens are spread. */
#include "../tap_mpi.h"
#include "solera/elementary.h"
#include "solera/objective.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define need(cond) do { if (!(cond)) abort (); } while (0)

enum { N = 60 };
typedef struct { float lp[N], behav[N], ref[N], entropy[N], d[N], adv[N]; int64_t seq[N]; } batch_t;
static const float step = 0x1p-12f;

static batch_t batch_of (uint32_t seed)
{
  batch_t b;
  for (int i = 0; i < N; i++) {
    float x[4];
    for (int k = 0; k < 4; k++) {
      seed = seed * 1664525u + 1013904223u;
      x[k] = (float) (seed >> 20) / 4096;
    }
    b.lp[i] = -rintf (3 * x[0] / step) * step - step;
    b.behav[i] = rintf ((b.lp[i] + x[1] - 0.5f) / step) * step;
    b.ref[i] = rintf ((b.lp[i] + 2 * x[2] - 1) / step) * step;
    b.entropy[i] = x[3];
    b.d[i] = b.lp[i] - b.behav[i];
    b.adv[i] = 1;
    b.seq[i] = i / 5;
  }
  return b;
}

typedef struct { double c[N]; float c_entropy[N]; sol_term_sums_t sum; sol_refusal_t r; } answer_t;
static sol_status_t solve (const sol_terms_t *terms, sol_comm_t *comm, const batch_t *b, int n, int64_t n_all, int behaviour, answer_t *a)
{
  const sol_tokens_t t = { .n = n, .d = b->d, .adv = b->adv, .seq = b->seq };
  const sol_term_columns_t in = { .lp = b->lp, .lp_ref = behaviour ? b->behav : b->ref, .entropy = terms->entropy_coef != 0 ? b->entropy : NULL };
  memset (a, 0, sizeof *a);
  return sol_terms_solve (terms, comm, &t, &in, n_all, a->c, a->c_entropy, &a->sum, &a->r);
}

static void test_slopes (void)
{
  for (int kl = SOL_KL_K1; kl <= SOL_KL_K3; kl++)
    for (int ratio = 0; ratio < 2; ratio++)
      for (int behaviour = 0; behaviour < 2; behaviour++) {
        const sol_terms_t terms = { .kl = kl, .kl_ratio = ratio, .kl_coef = 0.25, .entropy_coef = 0.5 };
        batch_t b = batch_of (9);
        answer_t a, up, down;
        char what[80];
        double worst = 0, sum = 0, entropy = 0;
        need (solve (&terms, sol_comm_self (), &b, N, N, behaviour, &a) == SOL_OK);
        for (int i = 0; i < N; i++) {
          const float lp = b.lp[i], d = b.d[i];
          b.lp[i] = lp + step, b.d[i] = d + step;
          need (solve (&terms, sol_comm_self (), &b, N, N, behaviour, &up) == SOL_OK);
          b.lp[i] = lp - step, b.d[i] = d - step;
          need (solve (&terms, sol_comm_self (), &b, N, N, behaviour, &down) == SOL_OK);
          b.lp[i] = lp, b.d[i] = d;
          worst = fmax (worst, fabs ((up.sum.loss_kl - down.sum.loss_kl) / (2 * (double) step) - a.c[i]) * N);
          const double x = (double) (lp - (behaviour ? b.behav[i] : b.ref[i])), k = kl == SOL_KL_K1 ? x : kl == SOL_KL_K2 ? x * x / 2 : exp (-x) - 1 + x;
          sum += (ratio ? exp ((double) d) : 1) * k / N;
          entropy += (double) b.entropy[i] / N;
          if (a.c_entropy[i] != -0.5f / N) worst = 1;
        }
        snprintf (what, sizeof what, "k%d%s to the %s: slopes and sums", kl + 1, ratio ? ", ratio," : "", behaviour ? "behaviour policy" : "reference");
        tap_ok (worst < 1e-6 && fabs (a.sum.kl - sum) < 1e-13 && fabs (a.sum.loss_kl - sum / 4) < 1e-13 && fabs (a.sum.entropy - entropy) < 1e-13 && fabs (a.sum.loss_entropy + entropy / 2) < 1e-13,
                what);
      }
}

/* Distributions of V tokens by their logits. Every token once, weighed by how often the sampling policy draws it (through kl_coef): the gradient by the logits of the policy that the coefficients give. */
enum { V = 6 };
static void softmax (const double *z, double *lp)
{
  double s = 0;
  for (int v = 0; v < V; v++) s += exp (z[v]);
  for (int v = 0; v < V; v++) lp[v] = z[v] - log (s);
}
static void gradient (int kl, int ratio, const double *pi, const double *from, const double *ref, double *g)
{
  memset (g, 0, V * sizeof *g);
  for (int v = 0; v < V; v++) {
    batch_t b = { .lp = { (float) pi[v] }, .ref = { (float) ref[v] }, .d = { (float) (pi[v] - from[v]) }, .adv = { 1 } };
    const sol_terms_t terms = { .kl = kl, .kl_ratio = ratio, .kl_coef = exp (from[v]) };
    answer_t a;
    need (solve (&terms, sol_comm_self (), &b, 1, 1, 0, &a) == SOL_OK);
    for (int u = 0; u < V; u++) g[u] += a.c[0] * ((u == v) - exp (pi[u]));
  }
}
static double kl_of (const double *p, const double *q)
{
  double s = 0;
  for (int v = 0; v < V; v++) s += exp (p[v]) * (p[v] - q[v]);
  return s;
}
static void test_meaning (void)
{
  const double z[3][V] = { { 0.3, -1, 0.8, 0, 1.2, -0.4 }, { 0, 0.5, -0.7, 1, 0.2, 0.1 }, { -0.5, 0.1, 0.4, 0.3, -0.2, 0.9 } };
  double pi[V], old[V], ref[V], forward[V], back[V], g[V];
  double off[7] = { 0 };
  softmax (z[0], pi), softmax (z[1], old), softmax (z[2], ref);
  for (int u = 0; u < V; u++) { /* the true gradients */
    double up[V], down[V], x[V];
    memcpy (x, z[0], sizeof x);
    x[u] += 1e-5;
    softmax (x, up);
    x[u] -= 2e-5;
    softmax (x, down);
    forward[u] = (kl_of (up, ref) - kl_of (down, ref)) / 2e-5; /* of KL (pi || ref) */
    back[u] = (kl_of (ref, up) - kl_of (ref, down)) / 2e-5;    /* of KL (ref || pi) */
  }
  const struct { int kl, ratio; const double *from, *want; } rule[7] = { { SOL_KL_K1, 1, old, forward }, { SOL_KL_K3, 1, old, forward }, { SOL_KL_K1, 1, pi, forward }, { SOL_KL_K2, 0, pi, forward },
                                                                         { SOL_KL_K3, 0, pi, back }, { SOL_KL_K1, 0, pi, NULL }, { SOL_KL_K2, 0, old, forward } };
  for (int i = 0; i < 7; i++) {
    gradient (rule[i].kl, rule[i].ratio, pi, rule[i].from, ref, g);
    for (int u = 0; u < V; u++) off[i] = fmax (off[i], fabs (g[u] - (rule[i].want ? rule[i].want[u] : 0)));
  }
  tap_ok (off[0] < 1e-6 && off[1] < 1e-6 && off[2] < 1e-6, "with the ratio, k1 and k3 have the gradient of KL (policy || reference), also on an older policy's tokens");
  tap_ok (off[3] < 1e-6, "k2 on the policy's own tokens: that gradient");
  tap_ok (off[4] < 1e-6, "k3 on the policy's own tokens: the gradient of KL (reference || policy)");
  tap_ok (off[5] < 1e-6, "k1 on the policy's own tokens: none");
  tap_ok (off[6] > 1e-2, "k2 on an older policy's tokens: another one");
}

static void test_spread (void)
{
  const sol_terms_t terms = { .kl = SOL_KL_K3, .kl_ratio = 1, .kl_coef = 0.1, .entropy_coef = 0.01 };
  const batch_t b = batch_of (3);
  batch_t mine;
  answer_t whole, part;
  int n = 0, good = 1;
  need (solve (&terms, sol_comm_self (), &b, N, N, 0, &whole) == SOL_OK);
  for (int i = N - 5; i >= 0; i -= 5) /* sequences backwards, in turn over the ranks */
    for (int k = 0; i / 5 % tap_size == tap_rank && k < 5; k++, n++)
      mine.lp[n] = b.lp[i + k], mine.behav[n] = b.behav[i + k], mine.ref[n] = b.ref[i + k], mine.entropy[n] = b.entropy[i + k], mine.d[n] = b.d[i + k], mine.adv[n] = 1, mine.seq[n] = b.seq[i + k];
  good &= solve (&terms, sol_comm_world (), &mine, n, N, 0, &part) == SOL_OK && !memcmp (&part.sum, &whole.sum, sizeof part.sum);
  for (int i = 0; i < n; i++) good &= part.c[i] == whole.c[mine.seq[i] * 5 + i % 5] && part.c_entropy[i] == whole.c_entropy[0];
  tap_ok (good, "the same bytes however tokens are spread");
}

static void refused (batch_t *b, const sol_terms_t *terms, int at, const char *why)
{
  answer_t a;
  const int n = tap_rank == tap_size - 1 ? N : 0; /* all on the last rank */
  const sol_status_t st = solve (terms, sol_comm_world (), b, n, N, 0, &a);
  tap_ok (st == SOL_ERR_NUMERIC && a.r.seq == at / 5 && a.r.why && strstr (a.r.why, why) && a.r.index == (n ? at : -1) && a.c[0] == 0 && a.c_entropy[0] == 0 && a.sum.kl == 0, "refused by name on every rank");
}

static void test_refused (void)
{
  sol_terms_t terms = { .kl = SOL_KL_K3, .kl_coef = 0.1, .entropy_coef = 1 };
  batch_t b = batch_of (5);
  answer_t a;
  b.ref[20] = b.lp[20] + 200; /* e^200 is no float32 */
  refused (&b, &terms, 20, "coefficient");
  b.ref[7] = NAN;
  refused (&b, &terms, 7, "reference");
  b.entropy[6] = INFINITY;
  refused (&b, &terms, 6, "entropy");
  b.ref[7] = -1;
  b.entropy[6] = 1;
  terms.kl_coef = 0; /* only measured: large is no reason */
  ok (solve (&terms, sol_comm_self (), &b, N, N, 0, &a) == SOL_OK && a.sum.kl > 1e80 && a.c[20] == 0 && a.sum.loss_kl == 0);
}

int main (int argc, char **argv)
{
  tap_init (&argc, &argv);
  ok (sol_comm_start (&argc, &argv) == SOL_OK);
  test_slopes ();
  test_meaning ();
  test_spread ();
  test_refused ();
  sol_comm_end ();
  return tap_done ();
}
