/* SPDX-License-Identifier: Apache-2.0 */
/* solve.c: one update batch through one rule: refuse what is not finite, count and sum exactly, select, then every token's coefficient and verdict. What ranks exchange are integers and the
 * first refusal, so that no result depends on the split. */
#include "objective_internal.h"
#include "solera/elementary.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "total.h"
#include <math.h>
#include <string.h>

enum { EXPONENTS = 256 };
typedef struct { uint64_t n, n_seq, n_T, all[EXPONENTS], in_T[EXPONENTS]; } counts_t;               /* sums of significands by exponent */
typedef struct { int64_t n_high, n_low, n_masked, n_kept, after[EXPONENTS], loss[SOL_TOTAL_WORDS]; } results_t; /* n_kept: of the set that is selected from */

static uint32_t bits_of (float x)
{
  uint32_t bits;
  memcpy (&bits, &x, sizeof bits);
  return bits;
}
static float float_of (uint32_t bits)
{
  float x;
  memcpy (&x, &bits, sizeof x);
  return x;
}
static int in_trust_set (float d, float A) { return (A > 0 && d > 0) || (A < 0 && d < 0); }
/* fl32 (e^d - 1 - d), which is not negative: near 0, where the difference would cancel, by its series, whose rest is under 1e-12 of it */
static float k3_of (float d)
{
  const double x = (double) d;
  if (fabs (x) < 0.05) return (float) (x * x * (1.0 / 2 + x * (1.0 / 6 + x * (1.0 / 24 + x * (1.0 / 120 + x * (1.0 / 720 + x * (1.0 / 5040)))))));
  return (float) (sol_exp_exact (x) - 1 - x);
}
static sol_status_t make_room (sol_objective_t *o, int64_t n)
{
  if (n == 0) n = 1; /* no null pointers */
  if (n <= o->room) return SOL_OK;
  sol_free (o->key), sol_free (o->removed), sol_free (o->verdict), sol_free (o->c);
  o->key = NULL, o->removed = NULL, o->verdict = NULL, o->c = NULL;
  o->room = 0;
  SOL_TRY (sol_alloc_large ((size_t) n * sizeof *o->key, "the M2 of an update", (void **) &o->key));
  SOL_TRY (sol_alloc_large ((size_t) n, "the selection of an update", (void **) &o->removed));
  SOL_TRY (sol_alloc_large ((size_t) n, "the verdicts of an update", (void **) &o->verdict));
  SOL_TRY (sol_alloc_large ((size_t) n * sizeof *o->c, "the coefficients of an update", (void **) &o->c));
  o->room = n;
  return SOL_OK;
}

/* what can be refused before anything is decided */
static sol_report_t check_tokens (const sol_rule_t *rule, const sol_tokens_t *t)
{
  sol_report_t r = { .why = SOL_WHY_NONE, .seq = INT64_MAX };
  float adv = 0;
  if (t->n > 0 && rule->needs_lp && !t->lp) sol_report (&r, SOL_WHY_NO_LP, t, 0, NAN);
  if (t->n > 0 && rule->needs_prox && !t->d_prox) sol_report (&r, SOL_WHY_NO_PROX, t, 0, NAN);
  for (int64_t i = 0; i < t->n; i++) {
    if (i == 0 || t->seq[i] != t->seq[i - 1]) adv = t->adv[i];
    if (!isfinite (t->d[i])) sol_report (&r, SOL_WHY_D, t, i, NAN);
    else if (!isfinite (t->adv[i])) sol_report (&r, SOL_WHY_ADV, t, i, NAN);
    else if (!isfinite (t->d[i] * t->d[i])) sol_report (&r, SOL_WHY_M2, t, i, NAN);
    else if (rule->by_k3 && in_trust_set (t->d[i], t->adv[i]) && !isfinite (k3_of (t->d[i]))) sol_report (&r, SOL_WHY_K3, t, i, NAN);
    else if (rule->needs_lp && t->lp && !isfinite (t->lp[i])) sol_report (&r, SOL_WHY_LP, t, i, NAN);
    else if (rule->needs_prox && t->d_prox && !isfinite (t->d_prox[i])) sol_report (&r, SOL_WHY_PROX, t, i, NAN);
    else if (t->d_check && !isfinite (t->d_check[i])) sol_report (&r, SOL_WHY_CHECK, t, i, NAN);
    else if (rule->one_advantage && t->adv[i] != adv) sol_report (&r, SOL_WHY_VARIES, t, i, NAN);
  }
  return r;
}

static sol_wide_t wide_of (const uint64_t *by_exponent)
{
  sol_wide_t sum = { { 0 } };
  for (int e = 0; e < EXPONENTS; e++) sol_wide_add (&sum, by_exponent[e], e ? e - 1 : 0);
  return sum;
}

static sol_status_t count (sol_objective_t *o, sol_comm_t *comm, const sol_tokens_t *t, counts_t *k)
{
  memset (k, 0, sizeof *k);
  k->n = (uint64_t) t->n;
  for (int64_t i = 0; i < t->n; i++) {
    const uint32_t key = bits_of (t->d[i] * t->d[i]); /* one float32 product, rounded to nearest, denormals kept */
    const uint64_t m = sol_float_significand (key);
    const int in_T = in_trust_set (t->d[i], t->adv[i]);
    k->n_seq += i == 0 || t->seq[i] != t->seq[i - 1];
    k->all[key >> 23] += m;
    if (in_T) {
      k->n_T++;
      k->in_T[key >> 23] += m;
    }
    o->key[i] = !in_T && o->rule->select != SOL_SELECT_ALL ? SOL_KEY_NONE : o->rule->by_k3 ? bits_of (k3_of (t->d[i])) : key;
  }
  return sol_comm_sum_u64 (comm, (uint64_t *) k, sizeof *k / sizeof (uint64_t));
}

/* removed[] from a cut; ties in order of (sequence, position) */
static void mark (sol_objective_t *o, const sol_tokens_t *t, const sol_cut_t *cut)
{
  uint64_t in_seq = 0;
  for (int64_t i = 0; i < t->n; i++) {
    const uint32_t key = o->key[i];
    int gone = key != SOL_KEY_NONE && key > cut->key;
    if (key == cut->key) {
      if (cut->tie_kept == 0) gone = 1;
      else gone = t->seq[i] != cut->seq ? t->seq[i] > cut->seq : in_seq++ >= cut->tie_in_seq;
    }
    o->removed[i] = (uint8_t) gone;
  }
}

/* the global decision: removed[] of this rank's tokens; cut, band and tie_kept into sum. *cap_p: M2 counts at most so much afterwards */
static sol_status_t decide (sol_objective_t *o, sol_comm_t *comm, const sol_tokens_t *t, const counts_t *k, sol_verdicts_t *sum, uint32_t *cap_p)
{
  const double tau = o->param[0];
  sol_select_t *s = &o->select;
  sol_cut_t cut = { 0 };
  memset (o->removed, 0, (size_t) t->n);
  *cap_p = SOL_KEY_NONE;
  if (o->rule->select == SOL_SELECT_NONE) return SOL_OK;
  s->comm = comm;
  s->n = t->n;
  s->key = o->key;
  s->seq = t->seq;
  if (o->rule->select == SOL_SELECT_CAP_T) {
    const sol_wide_t total = wide_of (k->in_T);
    if (sol_wide_compare (&total, tau, k->n_T) <= 0) return SOL_OK;
    SOL_TRY (sol_select_cap (s, tau, k->n_T, cap_p));
    for (int64_t i = 0; i < t->n; i++) o->removed[i] = o->key[i] != SOL_KEY_NONE && o->key[i] >= *cap_p;
    sum->cut = (double) float_of (*cap_p);
    sum->band = sqrt (sum->cut);
    return SOL_OK;
  }
  SOL_TRY (sol_select_prefix (s, tau, o->rule->select == SOL_SELECT_ALL, o->rule->select == SOL_SELECT_ALL, &cut));
  if (!cut.any) return SOL_OK;
  mark (o, t, &cut);
  sum->cut = (double) float_of (cut.key);
  sum->tie_kept = (int64_t) cut.tie_kept;
  return SOL_OK;
}

/* 1 / N and the like from whole counts only */
static sol_status_t unit_share (const sol_objective_t *o, sol_comm_t *comm, int64_t n_here, const counts_t *k, double *share_p)
{
  int64_t kept = 0;
  switch (o->rule->share) {
  case SOL_SHARE_TOKEN: *share_p = 1.0 / (double) k->n; break;
  case SOL_SHARE_SEQUENCE: *share_p = (double) k->n_seq; break; /* of a token: 1 / (this times its sequence's length) */
  case SOL_SHARE_LENGTH: *share_p = 1.0 / ((double) k->n_seq * o->param[2]); break;
  case SOL_SHARE_KEPT:
    for (int64_t i = 0; i < n_here; i++) kept += !o->removed[i];
    SOL_TRY (sol_comm_sum_i64 (comm, &kept, 1));
    *share_p = 1.0 / (double) kept;
  }
  return SOL_OK;
}

/* one sequence, tokens [first, end): c and verdict into o's room, its share of the results */
static void solve_sequence (sol_objective_t *o, const sol_tokens_t *t, int64_t first, int64_t end, double unit, sol_rule_input_t *in, sol_total_t *loss, sol_report_t *bad)
{
  const sol_rule_t *rule = o->rule;
  const int64_t n = end - first;
  const double share = rule->share == SOL_SHARE_SEQUENCE ? 1.0 / (unit * (double) n) : unit;
  in->n_tokens = n;
  in->adv = (double) t->adv[first];
  in->sum_d = sol_rule_sum (t->d + first, n);
  in->mean_d = in->sum_d / (double) n;
  if (rule->sequence) rule->sequence (in, t->d + first, n);
  for (int64_t i = first; i < end; i++) {
    sol_term_t term;
    in->d = (double) t->d[i];
    in->A = (double) t->adv[i];
    in->lp = t->lp ? (double) t->lp[i] : 0;
    in->d_prox = t->d_prox ? (double) t->d_prox[i] : 0;
    in->in_T = in_trust_set (t->d[i], t->adv[i]);
    in->removed = o->removed[i];
    term = rule->token (in);
    if (t->d_check) {
      const double w = (double) t->d_check[i] > in->log_check_cap ? t->check_cap : sol_exp_exact ((double) t->d_check[i]);
      term.f = sol_rule_times (w, term.f);
      term.g = sol_rule_times (w, term.g);
    }
    o->c[i] = -(share * term.g) + 0.0; /* no -0 */
    o->verdict[i] = (uint8_t) (term.bits | (in->in_T ? SOL_VERDICT_T : 0));
    if (!isfinite ((float) o->c[i])) sol_report (bad, SOL_WHY_C, t, i, o->c[i]);
    sol_total_add (loss, share * term.f);
  }
}

static sol_status_t sum_up (sol_objective_t *o, sol_comm_t *comm, const sol_tokens_t *t, const counts_t *k, uint32_t cap, sol_total_t *loss, sol_verdicts_t *sum)
{
  const int over_all = o->rule->select == SOL_SELECT_ALL;
  results_t r = { 0 };
  sol_wide_t w;
  uint64_t after[EXPONENTS];
  for (int64_t i = 0; i < t->n; i++) {
    const uint32_t m2 = bits_of (t->d[i] * t->d[i]), key = m2 < cap ? m2 : cap;
    r.n_high += (o->verdict[i] & SOL_VERDICT_HIGH) != 0;
    r.n_low += (o->verdict[i] & SOL_VERDICT_LOW) != 0;
    r.n_masked += (o->verdict[i] & SOL_VERDICT_MASKED) != 0;
    if (o->key[i] == SOL_KEY_NONE || (o->verdict[i] & SOL_VERDICT_MASKED)) continue;
    r.n_kept++;
    r.after[key >> 23] += (int64_t) sol_float_significand (key);
  }
  sol_total_carry (loss);
  memcpy (r.loss, loss->word, sizeof r.loss);
  SOL_TRY (sol_comm_sum_i64 (comm, (int64_t *) &r, sizeof r / sizeof (int64_t)));
  memcpy (loss->word, r.loss, sizeof r.loss);
  for (int e = 0; e < EXPONENTS; e++) after[e] = (uint64_t) r.after[e];
  sum->loss = -sol_total_round (loss) + 0.0;
  sum->n = (int64_t) k->n;
  sum->n_seq = (int64_t) k->n_seq;
  sum->n_high = r.n_high;
  sum->n_low = r.n_low;
  sum->n_masked = r.n_masked;
  sum->n_T = (int64_t) (over_all ? k->n : k->n_T);
  sum->n_kept = o->rule->select == SOL_SELECT_NONE ? sum->n - r.n_masked : o->rule->select == SOL_SELECT_CAP_T ? sum->n_T - r.n_high - r.n_low : r.n_kept;
  w = wide_of (k->all);
  sum->m2_all = sol_wide_mean (&w, k->n);
  if (!over_all) w = wide_of (k->in_T);
  sum->m2_before = sol_wide_mean (&w, (uint64_t) sum->n_T);
  w = wide_of (after);
  sum->m2_after = sol_wide_mean (&w, (uint64_t) r.n_kept);
  return SOL_OK;
}

sol_status_t sol_objective_solve (sol_objective_t *o, sol_comm_t *comm, const sol_tokens_t *t, double *c, uint8_t *verdict, sol_verdicts_t *sum_p, sol_refusal_t *refusal_p)
{
  counts_t k;
  sol_verdicts_t sum = { .cut = NAN, .band = NAN };
  sol_rule_input_t in = { .param = o->param };
  sol_total_t loss = { 0 };
  sol_report_t bad = check_tokens (o->rule, t);
  uint32_t cap;
  double unit = 0;
  if (make_room (o, t->n) != SOL_OK) bad = (sol_report_t){ .why = SOL_WHY_MEMORY };
  SOL_TRY (sol_report_agree (o->rule->name, comm, bad, refusal_p));
  SOL_TRY (count (o, comm, t, &k));
  if (k.n == 0) return sol_comm_rank (comm) > 0 ? SOL_ERR_USAGE : sol_fail (SOL_ERR_USAGE, "objective", "%s: an update without tokens", o->rule->name);
  SOL_TRY (decide (o, comm, t, &k, &sum, &cap));
  SOL_TRY (unit_share (o, comm, t->n, &k, &unit));
  if (o->rule->start) o->rule->start (&in);
  if (t->d_check) in.log_check_cap = sol_log_exact (t->check_cap);
  if (!isnan (sum.band)) {
    in.low = sol_exp_exact (-sum.band);
    in.high = sol_exp_exact (sum.band);
  }
  bad = (sol_report_t){ .why = SOL_WHY_NONE, .seq = INT64_MAX };
  for (int64_t first = 0, end; first < t->n; first = end) {
    for (end = first + 1; end < t->n && t->seq[end] == t->seq[first]; end++) continue;
    solve_sequence (o, t, first, end, unit, &in, &loss, &bad);
  }
  SOL_TRY (sol_report_agree (o->rule->name, comm, bad, refusal_p));
  SOL_TRY (sum_up (o, comm, t, &k, cap, &loss, &sum));
  memcpy (c, o->c, (size_t) t->n * sizeof *c);
  memcpy (verdict, o->verdict, (size_t) t->n);
  *sum_p = sum;
  return SOL_OK;
}
