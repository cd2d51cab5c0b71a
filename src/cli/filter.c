/* SPDX-License-Identifier: Apache-2.0 */
#include "filter.h"
#include "solera/json.h"
#include "solera/log.h"
#include "solera/utf8.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

sol_status_t sol_filter_parse (const char *line, size_t bytes, struct cJSON **json_p, char *why)
{
  cJSON *json;
  if (bytes > 0 && line[bytes - 1] == '\n') bytes--;
  if (bytes == 0) {
    snprintf (why, SOL_FILTER_WHY, "an empty line");
    return SOL_ERR_FORMAT;
  }
  SOL_TRY (sol_json_parse (line, bytes, &json, why));
  if (!cJSON_IsObject (json)) {
    snprintf (why, SOL_FILTER_WHY, "expected an object");
    cJSON_Delete (json);
    return SOL_ERR_FORMAT;
  }
  *json_p = json;
  return SOL_OK;
}

void sol_filter_error (sol_buffer_t *row, const char *why)
{
  sol_buffer_clear (row);
  sol_buffer_printf (row, "{\"error\":");
  sol_buffer_json (row, why, strlen (why));
  sol_buffer_printf (row, "}");
}

void sol_filter_floats (sol_buffer_t *row, const char *name, const float *x, int64_t n)
{
  sol_buffer_printf (row, "\"%s\":[", name);
  for (int64_t i = 0; i < n; i++) {
    if (i) sol_buffer_add (row, ",", 1);
    sol_buffer_float (row, x[i]);
  }
  sol_buffer_add (row, "]", 1);
}

static sol_status_t one_row (const char *line, size_t bytes, int lossy, sol_filter_fn_t fn, void *ctx, sol_buffer_t *row, char *why)
{
  cJSON *json;
  sol_buffer_t text = { 0 };
  if (lossy) sol_utf8_lossy (&text, line, bytes);
  sol_status_t st = lossy ? sol_filter_parse (text.data, text.bytes, &json, why) : sol_filter_parse (line, bytes, &json, why);
  sol_buffer_free (&text);
  if (st != SOL_OK) return st;
  st = fn (ctx, json, row, why);
  cJSON_Delete (json);
  return st;
}

static sol_status_t run (FILE *in, FILE *out, int lossy, sol_filter_fn_t fn, void *ctx, long *bad_p)
{
  sol_buffer_t row = { 0 };
  char *line = NULL, why[SOL_FILTER_WHY];
  size_t room = 0;
  ssize_t n;
  sol_status_t st = SOL_OK;
  *bad_p = 0;
  while (st == SOL_OK && (n = getline (&line, &room, in)) >= 0) {
    sol_buffer_clear (&row);
    why[0] = 0;
    st = one_row (line, (size_t) n, lossy, fn, ctx, &row, why);
    if (st == SOL_ERR_FORMAT || st == SOL_ERR_USAGE) {
      sol_filter_error (&row, why);
      ++*bad_p;
      st = SOL_OK;
    }
    if (st != SOL_OK) break;
    sol_buffer_add (&row, "\n", 1);
    if (fwrite (row.data, 1, row.bytes, out) != row.bytes || fflush (out)) st = sol_fail (SOL_ERR_IO, "filter", "standard output: writing failed: %s", strerror (errno));
  }
  if (st == SOL_OK && ferror (in)) st = sol_fail (SOL_ERR_IO, "filter", "standard input: reading failed: %s", strerror (errno));
  free (line);
  sol_buffer_free (&row);
  return st;
}

sol_status_t sol_filter_run (FILE *in, FILE *out, sol_filter_fn_t fn, void *ctx, long *bad_p) { return run (in, out, 0, fn, ctx, bad_p); }
sol_status_t sol_filter_run_lossy (FILE *in, FILE *out, sol_filter_fn_t fn, void *ctx, long *bad_p) { return run (in, out, 1, fn, ctx, bad_p); }
