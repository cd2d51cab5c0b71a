/* SPDX-License-Identifier: Apache-2.0 */
/* the histogram of lags of a whole run, from the lines of metrics.jsonl: so it survives --resume and can be asked for later */
#include "info.h"
#include "solera/file.h"
#include "solera/json.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LAG = 1 << 24, MOST_RANGES = 10 };
typedef struct { int64_t *n, room, lo, hi; } lags_t; /* n[lag] tokens; lo > hi: none yet */

static void count (lags_t *h, int64_t lag, int64_t n)
{
  if (n <= 0) return;
  if (lag >= h->room) {
    int64_t room = lag + lag / 2 + 64, *more = sol_alloc ((size_t) room * sizeof *more);
    if (h->n) memcpy (more, h->n, (size_t) h->room * sizeof *more);
    sol_free (h->n);
    h->n = more;
    h->room = room;
  }
  h->n[lag] += n;
  if (lag < h->lo) h->lo = lag;
  if (lag > h->hi) h->hi = lag;
}

static int take_line (lags_t *h, const cJSON *row)
{
  const cJSON *list = cJSON_GetObjectItemCaseSensitive (row, "lag_histogram"), *item;
  int64_t lag, n;
  if (!list) return 1; /* supervised training has none */
  if (!cJSON_IsArray (list) || !sol_json_int (cJSON_GetObjectItemCaseSensitive (row, "lag_first"), 0, MOST_LAG, &lag)) return 0;
  cJSON_ArrayForEach (item, list) {
    if (!sol_json_int (item, 0, (int64_t) 1 << 53, &n)) return 0;
    count (h, lag++, n);
  }
  return 1;
}

/* at most ten ranges of equal width */
static void put_ranges (const lags_t *h, cJSON *facts)
{
  cJSON *o = cJSON_AddObjectToObject (facts, "lags");
  int64_t width = (h->hi - h->lo) / MOST_RANGES + 1;
  for (int64_t from = h->lo; from <= h->hi; from += width) {
    int64_t n = 0, to = from + width - 1 < h->hi ? from + width - 1 : h->hi;
    char name[48];
    for (int64_t lag = from; lag <= to; lag++) n += h->n[lag];
    snprintf (name, sizeof name, from == to ? "%lld" : "%lld-%lld", (long long) from, (long long) to);
    sol_info_int (o, name, n);
  }
}

sol_status_t sol_info_lags (const char *run, cJSON *facts)
{
  char *path = sol_path_join (run, "metrics.jsonl"), why[128];
  lags_t h = { .lo = INT64_MAX, .hi = -1 };
  sol_map_t map = { 0 };
  sol_status_t st = SOL_OK;
  long long line = 0;
  if (!sol_file_exists (path)) goto out;
  SOL_GO (sol_file_map (path, &map));
  const char *at = (const char *) map.data, *end = at + map.bytes, *stop;
  for (; at < end && (stop = memchr (at, '\n', (size_t) (end - at))); at = stop + 1) { /* a last line without its end was being written */
    cJSON *row = NULL;
    int ok = sol_json_parse (at, (size_t) (stop - at), &row, why) == SOL_OK && take_line (&h, row);
    cJSON_Delete (row);
    line++;
    if (!ok) SOL_GO (sol_fail (SOL_ERR_FORMAT, "info", "%s:%lld: expected a line of metrics with a lag_histogram of token counts", path, line));
  }
  if (h.hi >= 0) put_ranges (&h, facts);
out:
  sol_free (h.n);
  sol_file_unmap (&map);
  sol_free (path);
  return st;
}

void sol_lags_text (const cJSON *facts, sol_buffer_t *out)
{
  const cJSON *o = cJSON_GetObjectItemCaseSensitive (facts, "lags"), *v;
  double sum = 0;
  cJSON_ArrayForEach (v, o) sum += strtod (v->valuestring, NULL);
  cJSON_ArrayForEach (v, o) sol_buffer_printf (out, "%s%s: %.1f %%", v == o->child ? "" : ", ", v->string, 100 * strtod (v->valuestring, NULL) / sum);
}
