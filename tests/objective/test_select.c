/* ranks: 1 2 3 8 */
/* SPDX-License-Identifier: Apache-2.0 */
/* The selection against a sort with 128-bit sums, on random batches full of equal M2 and of means that hit tau exactly, spread over the ranks and stored in random order. */
#include "../tap_mpi.h"
#include "solera/objective.h"
#include <math.h>
#include <string.h>

__extension__ typedef unsigned __int128 u128_t;
enum { MOST = 300, UNIT = 63 }; /* M2 in units of 2^-63 */
typedef struct { float d, adv; int64_t seq; int pos; u128_t m2; int kept; } token_t;
static uint64_t state;
static uint64_t next (void)
{
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

static int ascending (const void *a, const void *b)
{
  const token_t *x = a, *y = b;
  if (x->m2 != y->m2) return x->m2 < y->m2 ? -1 : 1;
  if (x->seq != y->seq) return x->seq < y->seq ? -1 : 1;
  return x->pos - y->pos;
}
static int in_T (const token_t *x) { return (x->adv > 0 && x->d > 0) || (x->adv < 0 && x->d < 0); }
static double mean_of (u128_t total, int n)
{
  int s = 0;
  if (n == 0 || total == 0) return 0;
  for (; total >> 126 == 0; s++) total <<= 1;
  return ldexp ((double) (total / (unsigned) n << 1 | (total % (unsigned) n != 0)), -UNIT - s - 1); /* the conversion rounds once */
}

/* four kinds: few values, all sizes from 2^-20 to 85, small ones, with zeros */
static int make_batch (token_t *x)
{
  const int n = 1 + (int) (next () % MOST), kind = (int) (next () % 4);
  int64_t seq = (int64_t) next ();
  for (int i = 0, pos = 0; i < n; i++, pos++) {
    double d = (double) (next () % 7 + 1) / 16;
    if (next () % 9 == 0) {
      seq = (int64_t) next () >> (next () % 60);
      pos = 0;
      for (int j = 0; j < i; j++) pos += x[j].seq == seq; /* goes on where it was left */
    }
    if (kind == 1) d = fmin (85, ldexp (1 + (double) (next () >> 40) * 0x1p-24, (int) (next () % 27) - 20));
    if (kind == 2) d = (double) (next () % 1000 + 1) / 4096;
    if (kind == 3 && next () % 2) d = 0;
    x[i] = (token_t){ .d = (float) (next () % 2 ? d : -d), .adv = (float) ((int) (next () % 3) - 1), .seq = seq, .pos = pos };
    x[i].m2 = (u128_t) ldexp ((double) (x[i].d * x[i].d), UNIT);
  }
  return n;
}

/* a bound near where it matters: the mean of some prefix if a double can be it, or any */
static double make_tau (const token_t *sorted, int n)
{
  u128_t sum = 0;
  int k = 0;
  const int stop = n ? (int) (next () % (unsigned) n) + 1 : 0;
  for (; k < stop; k++) sum += sorted[k].m2;
  while (k & (k - 1)) sum -= sorted[--k].m2; /* a power of two: the mean is dyadic */
  if (next () % 4 == 0 || k == 0) return next () % 8 ? ldexp ((double) (next () >> 40), -24 - (int) (next () % 6)) : 0;
  return ldexp ((double) (sum / (unsigned) k), -UNIT) * (next () % 3 ? 1 : next () % 2 ? 1 + 0x1p-52 : 1 - 0x1p-53);
}
/* sum <= tau n (or <): tau n in units of 2^-150 or so would not fit, so both sides are split at the unit */
static int fits (u128_t sum, double tau, int n, int strict)
{
  int e;
  const uint64_t m = (uint64_t) ldexp (frexp (tau, &e), 53); /* tau = m 2^(e - 53) */
  const int shift = e - 53 + UNIT;
  u128_t right = (u128_t) m * (unsigned) n, cut = right;
  if (shift >= 0) right = shift > 60 ? ~(u128_t) 0 : right << shift;
  else if (-shift > 120) right = 0;
  else right >>= -shift;
  const int exact = shift >= 0 || (-shift <= 120 ? right << -shift == cut : cut == 0); /* else right is a little under tau n */
  return sum < right || (sum == right && (!strict || !exact));
}

typedef struct { int n_T, n_kept, tie_kept; double before, after, cut; } want_t;
/* marks kept; sorted: the tokens of the set */
static want_t by_sort (token_t *sorted, int n, double tau, int strict, int at_least)
{
  want_t w = { .n_T = n, .cut = NAN };
  u128_t sum = 0, kept_sum = 0;
  for (int k = 0; k < n; k++) {
    sum += sorted[k].m2;
    if (k < at_least || fits (sum, tau, k + 1, strict)) {
      w.n_kept = k + 1;
      kept_sum = sum;
    }
  }
  w.before = mean_of (sum, n);
  w.after = mean_of (kept_sum, w.n_kept);
  if (w.n_kept < n) w.cut = ldexp ((double) sorted[w.n_kept].m2, -UNIT);
  for (int k = 0; k < n; k++) {
    sorted[k].kept = k < w.n_kept;
    w.tie_kept += w.n_kept < n && k < w.n_kept && sorted[k].m2 == sorted[w.n_kept].m2;
  }
  return w;
}
static want_t by_capping (token_t *sorted, int n, double tau)
{
  want_t w = { .n_T = n, .n_kept = n, .cut = NAN };
  u128_t sum = 0, cut = 0, capped = 0;
  for (int k = 0; k < n; k++) sum += sorted[k].m2;
  w.before = w.after = mean_of (sum, n);
  for (int k = 0; k < n; k++) sorted[k].kept = 1;
  if (fits (sum, tau, n, 0)) return w;
  for (int j = 0; j < n; j++) { /* the definition, literally */
    capped = 0;
    for (int k = 0; k < n; k++) capped += sorted[k].m2 < sorted[j].m2 ? sorted[k].m2 : sorted[j].m2;
    if (fits (capped, tau, n, 1)) cut = sorted[j].m2;
  }
  capped = 0;
  w.n_kept = 0;
  for (int k = 0; k < n; k++) {
    capped += sorted[k].m2 < cut ? sorted[k].m2 : cut;
    sorted[k].kept = sorted[k].m2 < cut;
    w.n_kept += sorted[k].kept;
  }
  w.after = mean_of (capped, n);
  w.cut = ldexp ((double) cut, -UNIT);
  return w;
}

static int same (double a, double b) { return a == b || (isnan (a) && isnan (b)); }

/* one batch, one rule: this rank's share in random order against the sort of all */
static int agrees (const char *rule, int kind, const token_t *x, int n)
{
  static token_t sorted[MOST], mine[MOST];
  static float d[MOST], adv[MOST];
  static int64_t seq[MOST];
  static double c[MOST];
  static uint8_t verdict[MOST];
  int n_set = 0, n_mine = 0, good = 1;
  sol_objective_t *o = NULL;
  sol_verdicts_t v;
  want_t w;
  for (int i = 0; i < n; i++)
    if (kind == 2 || in_T (&x[i])) sorted[n_set++] = x[i];
  qsort (sorted, (size_t) n_set, sizeof *sorted, ascending);
  const double tau = make_tau (sorted, n_set);
  const uint64_t salt = next ();
  w = kind == 1 ? by_capping (sorted, n_set, tau) : by_sort (sorted, n_set, tau, kind == 2, kind == 2);
  for (int k = 0; k < n; k++) { /* whole sequences, in an order of their own */
    const int i = salt & 1 ? n - 1 - k : k;
    int seen = 0;
    for (int j = 0; j < n_mine; j++) seen |= mine[j].seq == x[i].seq;
    if (seen || (int) ((((uint64_t) x[i].seq ^ salt) * 0x9e3779b97f4a7c15ull >> 33) % (uint64_t) tap_size) != tap_rank) continue;
    for (int j = 0; j < n; j++)
      if (x[j].seq == x[i].seq) mine[n_mine++] = x[j];
  }
  for (int i = 0; i < n_mine; i++) d[i] = mine[i].d, adv[i] = mine[i].adv, seq[i] = mine[i].seq;
  const sol_tokens_t t = { .n = n_mine, .d = d, .adv = adv, .seq = seq };
  if (sol_objective_create (rule, &o) != SOL_OK || sol_objective_set (o, "tau", tau) != SOL_OK) return 0;
  good &= sol_objective_solve (o, sol_comm_world (), &t, c, verdict, &v, NULL) == SOL_OK;
  good &= v.n == n && v.n_T == w.n_T && v.n_kept == w.n_kept && same (v.m2_before, w.before) && same (v.m2_after, w.after) && same (v.cut, w.cut);
  if (kind != 1) good &= v.tie_kept == w.tie_kept;
  for (int i = 0; i < n_mine && good; i++) {
    int gone = 0;
    for (int k = 0; k < n_set; k++)
      if (sorted[k].seq == mine[i].seq && sorted[k].pos == mine[i].pos) gone = !sorted[k].kept;
    good &= gone == ((verdict[i] & (kind == 1 ? SOL_VERDICT_HIGH | SOL_VERDICT_LOW : SOL_VERDICT_MASKED)) != 0) && (!gone || c[i] == 0);
  }
  if (!good && tap_rank == 0)
    fprintf (stderr, "%s tau %.17g: kept %lld of %lld, want %d of %d; cut %g, want %g; tie %lld, want %d; means %.17g %.17g, want %.17g %.17g\n", rule, tau, (long long) v.n_kept, (long long) v.n_T, w.n_kept, w.n_T,
             v.cut, w.cut, (long long) v.tie_kept, w.tie_kept, v.m2_before, v.m2_after, w.before, w.after);
  sol_objective_destroy (o);
  return good;
}

int main (int argc, char **argv)
{
  static token_t x[MOST];
  const char *const rule[] = { "m2po", "m2po_clip", "m2po_all" };
  int bad[3] = { 0 };
  tap_init (&argc, &argv);
  ok (sol_comm_start (&argc, &argv) == SOL_OK);
  for (int round = 0; round < (tap_size > 3 ? 60 : 400); round++) {
    state = 0x9e3779b97f4a7c15ull * (uint64_t) (round + 1); /* the same on all ranks */
    const int n = make_batch (x);
    for (int k = 0; k < 3; k++) bad[k] += !agrees (rule[k], k, x, n);
  }
  ok (bad[0] == 0);
  ok (bad[1] == 0);
  ok (bad[2] == 0);
  sol_comm_end ();
  return tap_done ();
}
