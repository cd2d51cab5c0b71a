/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/metrics.h"
#include "metrics_columns.h"
#include "solera/clock.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "tfevents.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROOM "metrics"
#define HEADER_EVERY 20

const sol_metrics_column_t sol_metrics_column[] = {
#define X(field, kind, group, unit, doc) { #field, group, unit, doc, #kind[0], offsetof (sol_metrics_row_t, field) },
  SOL_METRICS_COLUMNS (X)
#undef X
};
const int sol_metrics_n_columns = sizeof sol_metrics_column / sizeof *sol_metrics_column;

struct sol_metrics {
  FILE *json;
  char *path;
  sol_tfevents_t *board;
  sol_buffer_t line;
  int64_t updates;
  double every_s, last_s;
  int tty, lines, open_line; /* open_line: the cursor stands behind a line that may be overwritten */
};

double sol_metrics_value (const sol_metrics_row_t *row, const sol_metrics_column_t *c)
{
  const char *at = (const char *) row + c->offset;
  int64_t i;
  double d;
  if (c->kind == 'I') {
    memcpy (&i, at, sizeof i);
    return (double) i;
  }
  memcpy (&d, at, sizeof d);
  return d;
}

/* bytes of the leading lines that are whole, JSON, and of updates below the limit */
static size_t good_bytes (const char *text, size_t bytes, int64_t limit)
{
  size_t at = 0;
  while (at < bytes) {
    const char *end = memchr (text + at, '\n', bytes - at);
    if (!end) break; /* a line that a kill cut short */
    cJSON *json = cJSON_ParseWithLength (text + at, (size_t) (end - (text + at)));
    const cJSON *u = cJSON_GetObjectItemCaseSensitive (json, "update");
    int good = cJSON_IsNumber (u) && u->valuedouble < (double) limit;
    cJSON_Delete (json);
    if (!good) break;
    at = (size_t) (end + 1 - text);
  }
  return at;
}

sol_status_t sol_metrics_cut (const char *path, int64_t resumed)
{
  char *text;
  size_t bytes;
  if (!sol_file_exists (path)) return SOL_OK;
  SOL_TRY (sol_file_read (path, (size_t) 1 << 36, &text, &bytes));
  size_t keep = good_bytes (text, bytes, resumed);
  sol_status_t st = keep < bytes ? sol_file_write (path, text, keep) : SOL_OK;
  sol_free (text);
  return st;
}

sol_status_t sol_metrics_open (const char *run_dir, const sol_config_t *config, int64_t resumed_update, sol_metrics_t **metrics_p)
{
  sol_metrics_t *m = sol_alloc (sizeof *m);
  char *board = sol_path_join (run_dir, "tensorboard");
  sol_status_t st = SOL_OK;
  m->path = sol_path_join (run_dir, "metrics.jsonl");
  m->updates = config->updates;
  m->every_s = config->log_every_s;
  m->last_s = -1e300;
  m->tty = sol_log_is_terminal (STDOUT_FILENO);
  if (resumed_update >= 0) SOL_GO (sol_metrics_cut (m->path, resumed_update));
  m->json = fopen (m->path, resumed_update >= 0 ? "ae" : "we");
  if (!m->json) { st = sol_fail (SOL_ERR_IO, ROOM, "%s: opening failed: %s", m->path, strerror (errno)); goto out; }
  if (config->tensorboard) st = sol_tfevents_open (board, resumed_update, &m->board);
out:
  sol_free (board);
  if (st == SOL_OK) *metrics_p = m;
  else sol_metrics_close (m);
  return st;
}

static void put_counts (sol_buffer_t *b, const char *name, const int64_t *x, int n)
{
  sol_buffer_printf (b, "%s[", name);
  for (int i = 0; i < n; i++) sol_buffer_printf (b, "%s%" PRId64, i ? "," : "", x[i]);
  sol_buffer_printf (b, "]");
}

static void put_sums (sol_buffer_t *b, const double *x, int n)
{
  sol_buffer_printf (b, "[");
  for (int i = 0; i < n; i++) {
    if (i) sol_buffer_add (b, ",", 1);
    sol_buffer_double (b, x[i]);
  }
  sol_buffer_printf (b, "]");
}

/* buckets that have tokens */
static void put_lags (sol_buffer_t *b, const sol_metrics_lag_t *lag)
{
  int n = 0;
  sol_buffer_printf (b, ",\"lags\":[");
  for (int i = 0; i < SOL_METRICS_LAGS; i++) {
    if (lag[i].n == 0) continue;
    sol_buffer_printf (b, "%s{\"lag\":%" PRId64 ",\"n\":%" PRId64 ",\"clipped\":%" PRId64 ",\"m2\":", n++ ? "," : "", sol_metrics_lag_least (i), lag[i].n, lag[i].clipped);
    sol_buffer_double (b, lag[i].m2);
    sol_buffer_printf (b, ",\"ess\":");
    sol_buffer_double (b, lag[i].ess);
    put_counts (b, ",\"d\":", lag[i].d, SOL_METRICS_BINS);
    sol_buffer_printf (b, "}");
  }
  sol_buffer_printf (b, "]");
}

int sol_metrics_lag_bucket (int64_t lag)
{
  int bucket = 0;
  for (; lag > 0 && bucket < SOL_METRICS_LAGS - 1; lag >>= 1) bucket++;
  return bucket;
}

int64_t sol_metrics_lag_least (int bucket) { return bucket > 0 ? INT64_C (1) << (bucket - 1) : 0; }

int sol_metrics_ratio_bin (double d)
{
  static const double edge[SOL_METRICS_BINS - 1] = SOL_METRICS_EDGES;
  int bin = 0;
  while (bin < SOL_METRICS_BINS - 1 && !(edge[bin] < 0 ? d < edge[bin] : d <= edge[bin])) bin++;
  return bin;
}

static void json_line (const sol_metrics_row_t *r, sol_buffer_t *b)
{
  for (int i = 0; i < sol_metrics_n_columns; i++) {
    const sol_metrics_column_t *c = &sol_metrics_column[i];
    int64_t x;
    sol_buffer_printf (b, "%s\"%s\":", i ? "," : "{", c->name);
    if (c->kind == 'I') {
      memcpy (&x, (const char *) r + c->offset, sizeof x);
      sol_buffer_printf (b, "%" PRId64, x);
    } else sol_buffer_double (b, sol_metrics_value (r, c));
  }
  sol_buffer_printf (b, ",\"lag_first\":%" PRId64, r->lag_first);
  put_counts (b, ",\"lag_histogram\":", r->lag_histogram, (int) r->lag_span);
  put_lags (b, r->lag);
  put_counts (b, ",\"entropy_n\":[", r->entropy_n[0], 28);
  put_counts (b, ",", r->entropy_n[1], 28);
  sol_buffer_printf (b, "],\"entropy_sum\":[");
  put_sums (b, r->entropy_sum[0], 28);
  sol_buffer_printf (b, ",");
  put_sums (b, r->entropy_sum[1], 28);
  sol_buffer_printf (b, "]");
  for (int i = 0; r->n_sets > 1 && i < r->n_sets; i++) {
    sol_buffer_printf (b, "%s", i ? "," : ",\"pass_rates\":{");
    sol_buffer_json (b, r->set_name[i], strlen (r->set_name[i]));
    sol_buffer_printf (b, ":");
    sol_buffer_double (b, r->set_pass[i]);
  }
  sol_buffer_printf (b, r->n_sets > 1 ? "}}\n" : "}\n");
}

static sol_status_t put_board (sol_tfevents_t *e, const sol_metrics_row_t *r)
{
  char tag[300];
  sol_tfevents_begin (e, r->update);
  for (int i = 0; i < sol_metrics_n_columns; i++) {
    const sol_metrics_column_t *c = &sol_metrics_column[i];
    double x = sol_metrics_value (r, c);
    if (!isfinite (x) || !strcmp (c->name, "update")) continue; /* update is the step */
    snprintf (tag, sizeof tag, "%s/%s", c->group, c->name);
    sol_tfevents_scalar (e, tag, (float) x);
  }
  for (int i = 0; r->n_sets > 1 && i < r->n_sets; i++) {
    snprintf (tag, sizeof tag, "data/pass_rate/%s", r->set_name[i]);
    if (isfinite (r->set_pass[i])) sol_tfevents_scalar (e, tag, (float) r->set_pass[i]);
  }
  return sol_tfevents_end (e);
}

/* a log gets a line every every_s; a terminal gets every update, the line being overwritten until every_s have passed */
static void put_terminal (sol_metrics_t *m, const sol_metrics_row_t *r)
{
  double now = sol_clock_s ();
  int keep = now - m->last_s >= m->every_s || r->update + 1 >= m->updates;
  if (!keep && !m->tty) return;
  sol_buffer_clear (&m->line);
  if (m->open_line) sol_buffer_printf (&m->line, "\r");
  if (m->lines % HEADER_EVERY == 0 && !m->open_line) {
    sol_metrics_header (&m->line);
    sol_buffer_printf (&m->line, "\n");
  }
  sol_metrics_line (r, m->updates, &m->line);
  if (keep) {
    sol_buffer_printf (&m->line, "\n");
    m->last_s = now;
    m->lines++;
  }
  m->open_line = !keep;
  fwrite (m->line.data, 1, m->line.bytes, stdout);
  fflush (stdout); /* a closed terminal must not stop a run: not checked */
}

sol_status_t sol_metrics_put (sol_metrics_t *m, const sol_metrics_row_t *row)
{
  sol_buffer_clear (&m->line);
  json_line (row, &m->line);
  if (fwrite (m->line.data, m->line.bytes, 1, m->json) != 1 || fflush (m->json)) return sol_fail (SOL_ERR_IO, ROOM, "%s: writing failed: %s", m->path, strerror (errno));
  if (m->board) SOL_TRY (put_board (m->board, row));
  put_terminal (m, row);
  return SOL_OK;
}

sol_status_t sol_metrics_trial (sol_metrics_t *m, const sol_trial_t *t)
{
  if (!m->board) return SOL_OK;
  sol_tfevents_begin (m->board, t->version);
  sol_tfevents_scalar (m->board, "eval/avg", (float) t->avg.mean);
  sol_tfevents_scalar (m->board, "eval/pass", (float) t->pass.mean);
  sol_tfevents_scalar (m->board, "eval/truncated", (float) t->truncated);
  sol_tfevents_scalar (m->board, "eval/mean_tokens", (float) t->mean_tokens);
  return sol_tfevents_end (m->board);
}

void sol_metrics_close (sol_metrics_t *m)
{
  if (!m) return;
  if (m->open_line) { fputc ('\n', stdout); fflush (stdout); }
  if (m->json) fclose (m->json);
  sol_tfevents_close (m->board);
  sol_buffer_free (&m->line);
  sol_free (m->path);
  sol_free (m);
}
