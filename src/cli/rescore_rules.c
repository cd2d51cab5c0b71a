/* SPDX-License-Identifier: Apache-2.0 */
/* rescore_rules.c: the rules of --objective, and one update through all of them. */
#include "rescore.h"
#include "solera/clock.h"
#include "solera/elementary.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM "rescore"

const sol_rescore_figure_t sol_rescore_figure[SOL_RESCORE_N] = {
#define X(name, unit, doc, of_one) { #name, unit, doc, of_one },
  SOL_RESCORE_FIGURES (X)
#undef X
};

/* ---- the list */
static sol_status_t set_param (sol_objective_t *o, const char *label, char *pair, uint64_t *given)
{
  char *equals = strchr (pair, '='), *end;
  if (!equals) return sol_fail (SOL_ERR_USAGE, ROOM, "--objective: %s: expected param=value, found \"%s\"", label, pair);
  *equals = 0;
  const double x = strtod (equals + 1, &end);
  if (end == equals + 1 || *end || !isfinite (x)) return sol_fail (SOL_ERR_USAGE, ROOM, "--objective: %s: %s: expected a number, found \"%s\"", label, pair, equals + 1);
  const char *param;
  for (int k = 0; (param = sol_objective_param (o, k, NULL, NULL)) != NULL; k++) {
    if (strcmp (param, pair) != 0) continue;
    if (*given >> k & 1) return sol_fail (SOL_ERR_USAGE, ROOM, "--objective: %s: %s is there twice", label, pair);
    *given |= (uint64_t) 1 << k;
  }
  return sol_objective_set (o, pair, x);
}

static char *full_name (const char *name, const sol_objective_t *o)
{
  sol_buffer_t b = { 0 };
  const char *param;
  double x;
  sol_buffer_printf (&b, "%s", name);
  for (int i = 0; (param = sol_objective_param (o, i, &x, NULL)) != NULL; i++) {
    sol_buffer_printf (&b, ":%s=", param);
    sol_buffer_double (&b, x);
  }
  char *text = sol_strdup (b.data);
  sol_buffer_free (&b);
  return text;
}

/* text is cut up */
static sol_status_t add_rule (const sol_config_t *config, char *text, sol_rescore_rules_t *r)
{
  const int i = r->n;
  if (!*text) return sol_fail (SOL_ERR_USAGE, ROOM, "--objective: expected NAME[:param=value...] between commas, found nothing");
  if (i == SOL_RESCORE_RULES) return sol_fail (SOL_ERR_USAGE, ROOM, "--objective: at most %d rules", SOL_RESCORE_RULES - 1);
  for (int k = 0; k < i; k++)
    if (!strcmp (text, r->label[k])) return k == 0 ? SOL_OK : sol_fail (SOL_ERR_USAGE, ROOM, "--objective: %s is there twice", text); /* self is there anyway */
  r->label[i] = sol_strdup (text);
  r->n++;
  char *at = strchr (text, ':'), *next;
  if (at) *at++ = 0;
  SOL_TRY (sol_objective_create (text, &r->o[i]));
  const char *param;
  for (int k = 0; (param = sol_objective_param (r->o[i], k, NULL, NULL)) != NULL; k++)
    if (!strcmp (param, "max_length")) SOL_TRY (sol_objective_set (r->o[i], param, (double) config->max_new));
  uint64_t given = 0;
  for (; at; at = next) {
    next = strchr (at, ':');
    if (next) *next++ = 0;
    SOL_TRY (set_param (r->o[i], r->label[i], at, &given));
  }
  SOL_TRY (sol_objective_check (r->o[i]));
  r->full[i] = full_name (text, r->o[i]);
  return SOL_OK;
}

sol_status_t sol_rescore_rules (const sol_config_t *config, const char *list, sol_rescore_rules_t *r)
{
  sol_status_t st = SOL_OK;
  SOL_TRY (sol_objective_create_config (config, &r->o[0]));
  r->n = 1;
  r->label[0] = sol_strdup ("self");
  r->full[0] = full_name (config->objective, r->o[0]);
  char *copy = sol_strdup (list);
  for (char *at = copy, *next; at && st == SOL_OK; at = next) {
    next = strchr (at, ',');
    if (next) *next++ = 0;
    st = add_rule (config, at, r);
  }
  sol_free (copy);
  return st;
}

sol_status_t sol_rescore_against (sol_rescore_rules_t *r, const char *label)
{
  r->base = 0;
  if (!label) return SOL_OK;
  while (r->base < r->n && strcmp (label, r->label[r->base]) != 0) r->base++;
  return r->base < r->n ? SOL_OK : sol_fail (SOL_ERR_USAGE, ROOM, "--against: expected self or a rule as it stands in --objective, found \"%s\"", label);
}

void sol_rescore_rules_free (sol_rescore_rules_t *r)
{
  for (int i = 0; i < r->n; i++) {
    sol_free (r->label[i]);
    sol_free (r->full[i]);
    sol_objective_destroy (r->o[i]);
  }
  r->n = 0;
}

/* ---- one update */
static sol_status_t make_room (sol_rescore_work_t *w, int64_t n)
{
  if (n <= w->room) return SOL_OK;
  n += n / 8;
  sol_free (w->d), sol_free (w->d_prox), sol_free (w->d_check), sol_free (w->c), sol_free (w->verdict);
  w->d = w->d_prox = w->d_check = NULL, w->c = NULL, w->verdict = NULL;
  w->room = 0;
  SOL_TRY (sol_alloc_large ((size_t) n * sizeof *w->d, "the log-ratios of an update", (void **) &w->d));
  SOL_TRY (sol_alloc_large ((size_t) n * sizeof *w->d_prox, "the log-ratios of an update", (void **) &w->d_prox));
  if (w->want & SOL_STATS_READ_CHECK) SOL_TRY (sol_alloc_large ((size_t) n * sizeof *w->d_check, "the log-ratios of an update", (void **) &w->d_check));
  SOL_TRY (sol_alloc_large ((size_t) n * sizeof *w->c, "the coefficients of an update", (void **) &w->c));
  SOL_TRY (sol_alloc_large ((size_t) n, "the verdicts of an update", (void **) &w->verdict));
  for (int i = 0; i < w->rules->n; i++) {
    sol_free (w->marks[i]);
    w->marks[i] = NULL;
    SOL_TRY (sol_alloc_large ((size_t) (n / 64 + 1) * 8, "the marks of an update", (void **) &w->marks[i]));
  }
  w->room = n;
  return SOL_OK;
}

void sol_rescore_work_free (sol_rescore_work_t *w)
{
  sol_free (w->d), sol_free (w->d_prox), sol_free (w->d_check), sol_free (w->c), sol_free (w->verdict);
  for (int i = 0; i < SOL_RESCORE_RULES; i++) sol_free (w->marks[i]);
}

static sol_status_t check_self (const sol_rescore_work_t *w, const sol_stats_update_t *t, int64_t update)
{
  if (memcmp (w->verdict, t->verdict, (size_t) t->n) == 0) return SOL_OK;
  int64_t i = 0;
  while (w->verdict[i] == t->verdict[i]) i++;
  return sol_fail (SOL_ERR_FORMAT, ROOM, "update %lld, sequence %lld, position %d: the run recorded verdict %d, %s gives %d: tokens are missing or changed, or another program made them", (long long) update,
                   (long long) t->seq[i], t->position[i], t->verdict[i], w->rules->full[0], w->verdict[i]);
}

/* the figures of one rule from its coefficients and verdicts */
static void add_up (const sol_rescore_work_t *w, const sol_stats_update_t *t, int64_t update, int rule, sol_rescore_sum_t *s)
{
  double sum_w = 0, sum_w2 = 0;
  uint64_t *marks = w->marks[rule];
  memset (marks, 0, (size_t) (t->n / 64 + 1) * 8);
  for (int64_t i = 0; i < t->n; i++) {
    const double A = (double) t->advantage[i], c = fabs (w->c[i]), entropy = (double) t->entropy[i];
    const int64_t lag = update - t->version[i];
    s->entropy += entropy;
    s->lag += lag;
    if (w->verdict[i] & SOL_RESCORE_MARKS) {
      marks[i / 64] |= (uint64_t) 1 << (i % 64);
      s->entropy_marked += entropy;
      s->lag_marked += lag;
    }
    if (A == 0) continue;
    const double r = sol_exp_exact ((double) w->d[i]), weight = c / fabs (A);
    s->n_advantage++;
    s->ratio += r;
    if (c > 0) s->ratio_kept += r;
    sum_w += weight;
    sum_w2 += weight * weight;
    if (A > 0) s->mass_pos += c;
    else s->mass_neg += c;
  }
  if (sum_w2 > 0) s->effective = sum_w * sum_w / sum_w2;
}

static sol_status_t one_rule (sol_rescore_work_t *w, const sol_stats_update_t *t, int64_t update, int rule, sol_rescore_sum_t *s)
{
  const sol_tokens_t in = { .n = t->n, .d = w->d, .adv = t->advantage, .lp = t->lp_check ? t->lp_check : t->lp_behav, .d_prox = t->lp_prox ? w->d_prox : NULL, .seq = t->seq, .d_check = w->d_check,
                            .check_cap = w->check_cap };
  sol_verdicts_t v;
  sol_refusal_t no = { .index = -1 };
  sol_status_t st = sol_objective_solve (w->rules->o[rule], sol_comm_self (), &in, w->c, w->verdict, &v, &no);
  if (st == SOL_ERR_NUMERIC && rule > 0) {
    s->refused = 1;
    s->refused_seq = no.seq;
    snprintf (s->why, sizeof s->why, "%s", no.why);
    return SOL_OK;
  }
  if (st == SOL_ERR_NUMERIC) return sol_fail (SOL_ERR_FORMAT, ROOM, "update %lld, sequence %lld: %s: the run itself could not have taken it", (long long) update, (long long) no.seq, no.why);
  SOL_TRY (st);
  if (rule == 0) SOL_TRY (check_self (w, t, update));
  s->updates = 1;
  s->n = v.n, s->n_seq = v.n_seq, s->n_high = v.n_high, s->n_low = v.n_low, s->n_masked = v.n_masked;
  s->loss = v.loss, s->m2_before = v.m2_before, s->m2_after = v.m2_after, s->cut = v.cut;
  add_up (w, t, update, rule, s);
  return SOL_OK;
}

static void compare_rules (const sol_rescore_work_t *w, int64_t n, sol_rescore_row_t *row)
{
  const int k = w->rules->n;
  for (int a = 0; a < k; a++)
    for (int b = 0; b < a; b++) {
      sol_rescore_pair_t p = { 0, n };
      if (row->sum[a].refused || row->sum[b].refused) p.both = 0;
      else
        for (int64_t i = 0; i < n / 64 + 1; i++) p.differ += __builtin_popcountll (w->marks[a][i] ^ w->marks[b][i]);
      row->pair[a * k + b] = row->pair[b * k + a] = p;
    }
}

sol_status_t sol_rescore_update (sol_rescore_work_t *w, const sol_stats_update_t *t, int64_t update, sol_rescore_row_t *row)
{
  const double t0 = sol_clock_s ();
  const uint64_t *marks[SOL_RESCORE_RULES] = { NULL };
  row->update = update;
  row->n = t->n;
  if (t->n == 0) return SOL_OK; /* the run skipped it */
  SOL_TRY (make_room (w, t->n));
  for (int64_t i = 0; i < t->n; i++) {
    const float from = t->lp_check ? t->lp_check[i] : t->lp_behav[i];
    w->d[i] = t->lp[i] - from;
    if (t->lp_prox) w->d_prox[i] = t->lp_prox[i] - from;
    if (t->lp_check) w->d_check[i] = from - t->lp_behav[i];
  }
  for (int i = 0; i < w->rules->n; i++) {
    SOL_TRY (one_rule (w, t, update, i, &row->sum[i]));
    marks[i] = row->sum[i].refused ? NULL : w->marks[i];
  }
  row->n_seq = row->sum[0].n_seq;
  compare_rules (w, t->n, row);
  if (w->words) SOL_TRY (sol_rescore_words_add (w->words, w->rules, t, update, marks));
  w->seconds += sol_clock_s () - t0;
  return SOL_OK;
}

void sol_rescore_figures (const sol_rescore_row_t *row, int n, int i, double f[SOL_RESCORE_N])
{
  const sol_rescore_sum_t *s = &row->sum[i];
  const sol_rescore_pair_t *p = &row->pair[i * n];
  const double all = s->n > 0 ? (double) s->n : NAN, marked = (double) (s->n_high + s->n_low + s->n_masked), some = marked > 0 ? marked : NAN;
  f[SOL_RESCORE_tokens] = (double) s->n;
  f[SOL_RESCORE_marked] = marked / all;
  f[SOL_RESCORE_high] = (double) s->n_high / all;
  f[SOL_RESCORE_low] = (double) s->n_low / all;
  f[SOL_RESCORE_masked] = (double) s->n_masked / all;
  f[SOL_RESCORE_kept_weight] = s->ratio > 0 ? s->ratio_kept / s->ratio : NAN;
  f[SOL_RESCORE_ess] = s->n_advantage > 0 ? s->effective / (double) s->n_advantage : NAN;
  f[SOL_RESCORE_entropy] = s->entropy / all;
  f[SOL_RESCORE_entropy_marked] = s->entropy_marked / some;
  f[SOL_RESCORE_lag] = (double) s->lag / all;
  f[SOL_RESCORE_lag_marked] = (double) s->lag_marked / some;
  f[SOL_RESCORE_mass_pos] = s->n > 0 ? s->mass_pos : NAN;
  f[SOL_RESCORE_mass_neg] = s->n > 0 ? s->mass_neg : NAN;
  f[SOL_RESCORE_differ] = i == 0 ? 0 * all : p->both > 0 ? (double) p->differ / (double) p->both : NAN;
  f[SOL_RESCORE_loss] = s->n > 0 ? s->loss : NAN;
  f[SOL_RESCORE_m2_before] = s->n > 0 ? s->m2_before : NAN;
  f[SOL_RESCORE_m2_after] = s->n > 0 ? s->m2_after : NAN;
  f[SOL_RESCORE_cut] = s->n > 0 ? s->cut : NAN;
}
