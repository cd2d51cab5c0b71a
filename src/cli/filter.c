/* SPDX-License-Identifier: Apache-2.0 */
#include "filter.h"
#include "solera/json.h"
#include "solera/log.h"
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

static sol_status_t one_row (const char *line, size_t bytes, sol_filter_fn_t fn, void *ctx, sol_buffer_t *row, char *why)
{
  cJSON *json;
  if (bytes == 0) {
    snprintf (why, SOL_FILTER_WHY, "an empty line");
    return SOL_ERR_FORMAT;
  }
  SOL_TRY (sol_json_parse (line, bytes, &json, why));
  sol_status_t st = SOL_ERR_FORMAT;
  if (cJSON_IsObject (json)) st = fn (ctx, json, row, why);
  else snprintf (why, SOL_FILTER_WHY, "expected an object");
  cJSON_Delete (json);
  return st;
}

sol_status_t sol_filter_run (FILE *in, FILE *out, sol_filter_fn_t fn, void *ctx, long *bad_p)
{
  sol_buffer_t row = { 0 };
  char *line = NULL, why[SOL_FILTER_WHY];
  size_t room = 0;
  ssize_t n;
  sol_status_t st = SOL_OK;
  *bad_p = 0;
  while (st == SOL_OK && (n = getline (&line, &room, in)) >= 0) {
    if (n > 0 && line[n - 1] == '\n') n--;
    sol_buffer_clear (&row);
    why[0] = 0;
    st = one_row (line, (size_t) n, fn, ctx, &row, why);
    if (st == SOL_ERR_FORMAT || st == SOL_ERR_USAGE) {
      sol_buffer_clear (&row);
      sol_buffer_printf (&row, "{\"error\":");
      sol_buffer_json (&row, why, strlen (why));
      sol_buffer_printf (&row, "}");
      ++*bad_p;
      st = SOL_OK;
    }
    if (st != SOL_OK) break;
    sol_buffer_add (&row, "\n", 1);
    if (fwrite (row.data, 1, row.bytes, out) != row.bytes || fflush (out)) st = sol_fail (SOL_ERR_IO, "filter", "standard output: cannot be written");
  }
  if (st == SOL_OK && ferror (in)) st = sol_fail (SOL_ERR_IO, "filter", "standard input: cannot be read");
  free (line);
  sol_buffer_free (&row);
  return st;
}
