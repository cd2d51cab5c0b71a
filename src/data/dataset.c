/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/dataset.h"
#include "solera/file.h"
#include "solera/hash.h"
#include "solera/json.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/random.h"
#include "solera/utf8.h"
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#define ROOM "dataset"

struct sol_dataset {
  sol_problem_t *row;
  int64_t n, room;
  int rows; /* lines are kept */
};

static sol_status_t line_error (const char *path, int64_t line, const char *what)
{
  return sol_fail (SOL_ERR_FORMAT, ROOM, "%s:%lld: %s", path, (long long) line, what);
}

/* id of a row: a string, a whole number, or the line number when there is none. NULL: something else. */
static char *id_of (const cJSON *json, int64_t line)
{
  const cJSON *id = cJSON_GetObjectItemCaseSensitive (json, "id");
  char text[32];
  int64_t number = line;
  if (id && !cJSON_IsNull (id) && !sol_json_int (id, -(INT64_C (1) << 53), INT64_C (1) << 53, &number)) return sol_strdup (sol_json_string (json, "id"));
  snprintf (text, sizeof text, "%lld", (long long) number);
  return sol_strdup (text);
}

static sol_status_t read_line (sol_dataset_t *d, const char *path, int64_t line, const char *text, size_t bytes)
{
  cJSON *json = NULL;
  char why[128];
  if (sol_json_parse (text, bytes, &json, why) != SOL_OK) return line_error (path, line, why);
  const char *problem = sol_json_string (json, "problem"), *answer = sol_json_string (json, "answer");
  char *id = id_of (json, line);
  sol_status_t st = SOL_OK;
  if (!cJSON_IsObject (json)) st = line_error (path, line, "expected an object {\"problem\", \"answer\"}");
  else if (!problem || !problem[0]) st = line_error (path, line, "expected a string \"problem\", not empty and without U+0000");
  else if (!answer || !answer[0]) st = line_error (path, line, "expected a string \"answer\", not empty and without U+0000");
  else if (!id || !id[0]) st = line_error (path, line, "\"id\": expected a string or a whole number");
  if (st == SOL_OK) {
    if (d->n == d->room) {
      d->room = d->room * 2 + 64;
      d->row = sol_realloc (d->row, (size_t) d->room * sizeof *d->row);
    }
    sol_buffer_t row = { 0 };
    if (d->rows) sol_buffer_add (&row, text, bytes);
    d->row[d->n++] = (sol_problem_t) { id, sol_strdup (problem), sol_strdup (answer), line, row.data };
    id = NULL;
  }
  sol_free (id);
  cJSON_Delete (json);
  return st;
}

/* ids that appear twice, by a table of row numbers + 1 */
static sol_status_t check_ids (const sol_dataset_t *d, const char *path)
{
  size_t mask = 16;
  while (mask < 2 * (size_t) d->n) mask *= 2;
  int64_t *slot = sol_alloc (mask-- * sizeof *slot);
  sol_status_t st = SOL_OK;
  for (int64_t i = 0; i < d->n && st == SOL_OK; i++) {
    const char *id = d->row[i].id;
    size_t k = (size_t) sol_hash (id, strlen (id)) & mask;
    for (; slot[k] && strcmp (d->row[slot[k] - 1].id, id); k = (k + 1) & mask) {}
    if (slot[k])
      st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s:%lld: id \"%.60s\" is already the id of line %lld", path, (long long) d->row[i].line, id, (long long) d->row[slot[k] - 1].line);
    slot[k] = i + 1;
  }
  sol_free (slot);
  return st;
}

static sol_status_t read_lossy (sol_dataset_t *d, const char *path, int64_t line, const char *text, size_t bytes)
{
  sol_buffer_t whole = { 0 };
  sol_utf8_lossy (&whole, text, bytes);
  const sol_status_t st = read_line (d, path, line, whole.data, whole.bytes);
  sol_buffer_free (&whole);
  return st;
}

sol_status_t sol_dataset_open_as (const char *path, int lossy, int rows, sol_dataset_t **dataset_p)
{
  sol_map_t map;
  SOL_TRY (sol_file_map (path, &map));
  sol_dataset_t *d = sol_alloc (sizeof *d);
  d->rows = rows;
  sol_status_t st = SOL_OK;
  const char *text = (const char *) map.data, *end = text + map.bytes;
  for (int64_t line = 1; st == SOL_OK && map.bytes && text < end; line++) {
    const char *stop = memchr (text, '\n', (size_t) (end - text));
    size_t n = (size_t) ((stop ? stop : end) - text), used = n;
    if (used && text[used - 1] == '\r') used--;
    if (used) st = (lossy ? read_lossy : read_line) (d, path, line, text, used); /* empty lines are passed over */
    text = stop ? stop + 1 : end;
  }
  if (st == SOL_OK && d->n == 0) st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: no problem in it", path);
  if (st == SOL_OK) st = check_ids (d, path);
  sol_file_unmap (&map);
  if (st == SOL_OK) *dataset_p = d;
  else sol_dataset_close (d);
  return st;
}

sol_status_t sol_dataset_open (const char *path, sol_dataset_t **dataset_p) { return sol_dataset_open_as (path, 0, 0, dataset_p); }
sol_status_t sol_dataset_open_lossy (const char *path, sol_dataset_t **dataset_p) { return sol_dataset_open_as (path, 1, 0, dataset_p); }

void sol_dataset_close (sol_dataset_t *d)
{
  if (!d) return;
  for (int64_t i = 0; i < d->n; i++) {
    sol_free ((void *) (uintptr_t) d->row[i].id);
    sol_free ((void *) (uintptr_t) d->row[i].problem);
    sol_free ((void *) (uintptr_t) d->row[i].answer);
    sol_free ((void *) (uintptr_t) d->row[i].row);
  }
  sol_free (d->row);
  sol_free (d);
}

int64_t sol_dataset_size (const sol_dataset_t *d) { return d->n; }

const sol_problem_t *sol_dataset_row (const sol_dataset_t *d, int64_t row)
{
  SOL_ASSERT (row >= 0 && row < d->n);
  return &d->row[row];
}

uint64_t sol_permute (uint64_t seed, uint64_t epoch, uint64_t n, uint64_t i)
{
  int half = 1; /* two halves of so many bits hold 0..n-1 and fewer than 4 n numbers, so that the walk is short */
  SOL_ASSERT (i < n);
  while (half < 32 && (n - 1) >> (2 * half)) half++;
  const uint64_t mask = (UINT64_C (1) << half) - 1;
  do {
    uint64_t left = i >> half, right = i & mask;
    for (uint32_t round = 0; round < 6; round++) {
      const uint64_t mixed = left ^ (sol_random (seed, epoch, SOL_RANDOM_ORDER, round, (uint32_t) right).w[0] & mask);
      left = right;
      right = mixed;
    }
    i = left << half | right;
  } while (i >= n);
  return i;
}
