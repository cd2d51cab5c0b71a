/* SPDX-License-Identifier: Apache-2.0 */
/* rescore_text.c: the tables for people. */
#include "rescore.h"
#include "solera/memory.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static int width_of (const sol_rescore_rules_t *r, int i) { return strlen (r->label[i]) < 8 ? 8 : (int) strlen (r->label[i]); }
static int widest (const sol_rescore_rules_t *r)
{
  int most = 8;
  for (int i = 0; i < r->n; i++)
    if (width_of (r, i) > most) most = width_of (r, i);
  return most;
}

/* digits behind the point */
static void put (sol_buffer_t *out, int width, int digits, double x)
{
  char text[64] = "-";
  if (!isnan (x)) snprintf (text, sizeof text, "%.*f", digits, x);
  sol_buffer_printf (out, "  %*s", width, text);
}

void sol_rescore_text_head (const sol_rescore_head_t *h, sol_buffer_t *out)
{
  const sol_rescore_rules_t *r = h->rules;
  sol_buffer_printf (out, "%s, by %s: updates %lld to %lld; self is %s\n", h->run, h->program, (long long) h->from, (long long) h->to, r->full[0]);
  for (int i = 1; i < r->n; i++)
    if (strcmp (r->label[i], r->full[i])) sol_buffer_printf (out, "%s is %s\n", r->label[i], r->full[i]);
  sol_buffer_printf (out, "%s: what a rule would have done with the tokens that this run came to, not where a run of its own would have gone\n\n",
                     h->from == 0 ? "update 0 is exact; the later ones are conditional" : "conditional");
  sol_buffer_printf (out, "clipped or masked, %% of the tokens\n%8s  %8s", "update", "tokens");
  for (int i = 0; i < r->n; i++) sol_buffer_printf (out, "  %*s", width_of (r, i), r->label[i]);
  sol_buffer_printf (out, "\n");
}

void sol_rescore_text_update (const sol_rescore_head_t *h, const sol_rescore_row_t *row, sol_buffer_t *out)
{
  sol_buffer_printf (out, "%8lld  %8lld", (long long) row->update, (long long) row->n);
  for (int i = 0; i < h->rules->n; i++) {
    double f[SOL_RESCORE_N];
    sol_rescore_figures (row, h->rules->n, i, f);
    if (row->sum[i].refused) sol_buffer_printf (out, "  %*s", width_of (h->rules, i), "refused");
    else put (out, width_of (h->rules, i), 3, 100 * f[SOL_RESCORE_marked]);
  }
  sol_buffer_printf (out, "\n");
}

static void sums (const sol_rescore_head_t *h, const sol_rescore_row_t *row, int wide, sol_buffer_t *out)
{
  static const struct { int figure, width; const char *head; int digits; double scale; } column[] = {
    { SOL_RESCORE_tokens, 9, "tokens", 0, 1 },        { SOL_RESCORE_high, 7, "high %", 3, 100 },          { SOL_RESCORE_low, 7, "low %", 3, 100 },
    { SOL_RESCORE_masked, 8, "masked %", 3, 100 },    { SOL_RESCORE_kept_weight, 6, "kept %", 2, 100 },   { SOL_RESCORE_ess, 6, "ESS %", 2, 100 },
    { SOL_RESCORE_entropy_marked, 9, "H marked", 4, 1 }, { SOL_RESCORE_entropy, 7, "H all", 4, 1 },       { SOL_RESCORE_lag_marked, 10, "lag marked", 2, 1 },
    { SOL_RESCORE_lag, 7, "lag all", 2, 1 },          { SOL_RESCORE_mass_pos, 10, "|c|, A > 0", 4, 1 },   { SOL_RESCORE_mass_neg, 10, "|c|, A < 0", 4, 1 },
    { SOL_RESCORE_differ, 8, "differ %", 3, 100 } };
  sol_buffer_printf (out, "\nin sum, updates %lld to %lld%s\n%-*s", (long long) h->from, (long long) h->done, h->stopped ? " (stopped)" : "", wide, "rule");
  for (size_t k = 0; k < sizeof column / sizeof *column; k++) sol_buffer_printf (out, "  %*s", column[k].width, column[k].head);
  sol_buffer_printf (out, "\n");
  for (int i = 0; i < h->rules->n; i++) {
    double f[SOL_RESCORE_N];
    sol_rescore_figures (row, h->rules->n, i, f);
    sol_buffer_printf (out, "%-*s", wide, h->rules->label[i]);
    for (size_t k = 0; k < sizeof column / sizeof *column; k++) put (out, column[k].width, column[k].digits, column[k].scale * f[column[k].figure]);
    if (row->sum[i].refused) sol_buffer_printf (out, "  refuses %lld updates, first sequence %lld: %s", (long long) row->sum[i].refused, (long long) row->sum[i].refused_seq, row->sum[i].why);
    sol_buffer_printf (out, "\n");
  }
}

void sol_rescore_text_sum (const sol_rescore_head_t *h, const sol_rescore_row_t *row, sol_buffer_t *out)
{
  const int k = h->rules->n, wide = widest (h->rules);
  sums (h, row, wide, out);
  sol_buffer_printf (out, "self gave every recorded verdict again, %lld of %lld\n", (long long) row->n, (long long) row->n);
  if (k < 3) return;
  sol_buffer_printf (out, "\nmarked by one of two rules only, %% of the tokens\n%*s", wide, "");
  for (int b = 0; b < k - 1; b++) sol_buffer_printf (out, "  %*s", width_of (h->rules, b), h->rules->label[b]);
  for (int a = 1; a < k; a++) {
    sol_buffer_printf (out, "\n%-*s", wide, h->rules->label[a]);
    for (int b = 0; b < a; b++) {
      const sol_rescore_pair_t *p = &row->pair[a * k + b];
      put (out, width_of (h->rules, b), 3, p->both > 0 ? 100 * (double) p->differ / (double) p->both : NAN);
    }
  }
  sol_buffer_printf (out, "\n");
}

void sol_rescore_text_words (const sol_rescore_head_t *h, const sol_rescore_words_t *w, int n, const sol_rescore_texts_t *texts, sol_buffer_t *out)
{
  const char *base = h->rules->label[h->rules->base];
  const int wide = (int) strlen (base) + 5 > 9 ? (int) strlen (base) + 5 : 9;
  int64_t *id = sol_alloc ((size_t) n * sizeof *id);
  for (int k = 0; k < h->rules->n; k++) {
    if (k == h->rules->base) continue;
    const int have = sol_rescore_words_top (w, k, n, id);
    sol_buffer_printf (out, "\n%s and %s differ about%s\n", h->rules->label[k], base, have ? "" : " no token");
    if (have) sol_buffer_printf (out, "%8s  %9s  %9s  %*s only  %8s  %8s%s\n", "token", "there", "rule only", wide - 5, base, "entropy", "lag", texts->tokenizer || texts->chain ? "  text" : "");
    for (int i = 0; i < have; i++) {
      const sol_rescore_word_t *x = &w->word[k][id[i]];
      const double both = (double) (x->rule + x->base);
      sol_buffer_printf (out, "%8lld  %9lld  %9lld  %*lld  %8.4f  %8.2f%s", (long long) id[i], (long long) x->all, (long long) x->rule, wide, (long long) x->base, (double) x->entropy / 16777216 / both,
                         (double) x->lag / both, texts->tokenizer || texts->chain ? "  " : "");
      sol_rescore_text_of (texts, (int32_t) id[i], out);
      sol_buffer_printf (out, "\n");
    }
  }
  sol_free (id);
}
