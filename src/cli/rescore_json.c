/* SPDX-License-Identifier: Apache-2.0 */
/* rescore_json.c: the same as JSON lines: one row of kind run, rows of kind update and sum (one a rule), rows of kind token. */
#include "rescore.h"
#include "solera/memory.h"
#include <math.h>
#include <string.h>

static void string (sol_buffer_t *out, const char *key, const char *text)
{
  sol_buffer_json (out, key, strlen (key));
  sol_buffer_printf (out, ":");
  sol_buffer_json (out, text, strlen (text));
}

void sol_rescore_json_head (const sol_rescore_head_t *h, sol_buffer_t *out)
{
  sol_buffer_printf (out, "{\"kind\":\"run\",");
  string (out, "run", h->run);
  sol_buffer_printf (out, ",");
  string (out, "program", h->program);
  sol_buffer_printf (out, ",\"from\":%lld,\"to\":%lld,\"objectives\":{", (long long) h->from, (long long) h->to);
  for (int i = 0; i < h->rules->n; i++) {
    if (i) sol_buffer_printf (out, ",");
    string (out, h->rules->label[i], h->rules->full[i]);
  }
  sol_buffer_printf (out, "}}\n");
}

static void figures (const sol_rescore_row_t *row, int n, int i, int of_one, sol_buffer_t *out)
{
  double f[SOL_RESCORE_N];
  sol_rescore_figures (row, n, i, f);
  for (int k = 0; k < SOL_RESCORE_N; k++) {
    if (sol_rescore_figure[k].of_one && !of_one) continue;
    sol_buffer_printf (out, ",\"%s\":", sol_rescore_figure[k].name);
    sol_buffer_double (out, f[k]);
  }
}

static void differences (const sol_rescore_head_t *h, const sol_rescore_row_t *row, int i, sol_buffer_t *out)
{
  const int n = h->rules->n;
  sol_buffer_printf (out, ",\"differ_from\":{");
  for (int b = 0, any = 0; b < n; b++) {
    const sol_rescore_pair_t *p = &row->pair[i * n + b];
    if (b == i) continue;
    if (any++) sol_buffer_printf (out, ",");
    sol_buffer_json (out, h->rules->label[b], strlen (h->rules->label[b]));
    sol_buffer_printf (out, ":");
    sol_buffer_double (out, p->both > 0 ? (double) p->differ / (double) p->both : NAN);
  }
  sol_buffer_printf (out, "}");
}

void sol_rescore_json_update (const sol_rescore_head_t *h, const sol_rescore_row_t *row, sol_buffer_t *out)
{
  for (int i = 0; i < h->rules->n; i++) {
    sol_buffer_printf (out, "{\"kind\":\"update\",\"update\":%lld,\"exact\":%s,", (long long) row->update, row->update == 0 ? "true" : "false");
    string (out, "objective", h->rules->label[i]);
    if (row->sum[i].refused) {
      sol_buffer_printf (out, ",\"refused_sequence\":%lld,", (long long) row->sum[i].refused_seq);
      string (out, "refused", row->sum[i].why);
    } else {
      sol_buffer_printf (out, ",\"sequences\":%lld", (long long) row->sum[i].n_seq);
      figures (row, h->rules->n, i, 1, out);
      differences (h, row, i, out);
    }
    sol_buffer_printf (out, "}\n");
  }
}

void sol_rescore_json_sum (const sol_rescore_head_t *h, const sol_rescore_row_t *row, sol_buffer_t *out)
{
  for (int i = 0; i < h->rules->n; i++) {
    const sol_rescore_sum_t *s = &row->sum[i];
    sol_buffer_printf (out, "{\"kind\":\"sum\",\"from\":%lld,\"to\":%lld,\"stopped\":%s,\"exact\":%s,", (long long) h->from, (long long) h->done, h->stopped ? "true" : "false",
                       h->done == 0 ? "true" : "false");
    string (out, "objective", h->rules->label[i]);
    sol_buffer_printf (out, ",\"updates\":%lld,\"refused_updates\":%lld,\"sequences\":%lld", (long long) s->updates, (long long) s->refused, (long long) s->n_seq);
    figures (row, h->rules->n, i, 0, out);
    differences (h, row, i, out);
    sol_buffer_printf (out, "}\n");
  }
}

void sol_rescore_json_words (const sol_rescore_head_t *h, const sol_rescore_words_t *w, int n, const sol_rescore_texts_t *texts, sol_buffer_t *out)
{
  int64_t *id = sol_alloc ((size_t) n * sizeof *id);
  for (int k = 0; k < h->rules->n; k++) {
    if (k == h->rules->base) continue;
    const int have = sol_rescore_words_top (w, k, n, id);
    for (int i = 0; i < have; i++) {
      const sol_rescore_word_t *x = &w->word[k][id[i]];
      const double both = (double) (x->rule + x->base);
      sol_buffer_printf (out, "{\"kind\":\"token\",");
      string (out, "objective", h->rules->label[k]);
      sol_buffer_printf (out, ",");
      string (out, "against", h->rules->label[h->rules->base]);
      sol_buffer_printf (out, ",\"token\":%lld,\"text\":", (long long) id[i]);
      if (!sol_rescore_text_of (texts, (int32_t) id[i], out)) sol_buffer_printf (out, "null");
      sol_buffer_printf (out, ",\"there\":%lld,\"rule_only\":%lld,\"against_only\":%lld,\"entropy\":", (long long) x->all, (long long) x->rule, (long long) x->base);
      sol_buffer_double (out, (double) x->entropy / 16777216 / both);
      sol_buffer_printf (out, ",\"lag\":");
      sol_buffer_double (out, (double) x->lag / both);
      sol_buffer_printf (out, "}\n");
    }
  }
  sol_free (id);
}
