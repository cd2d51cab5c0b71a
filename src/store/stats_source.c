/* SPDX-License-Identifier: Apache-2.0 */
#include "stats_source.h"
#include "h5_journal.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROOM "stats"
#define INDEX_MOST ((int64_t) 1 << 27)

void sol_stats_source_name (int launch, int learner, char *text, size_t room) { snprintf (text, room, "stats/%04d.%04d.h5", launch, learner); }

int sol_stats_source_parse (const char *name, int *launch_p, int *learner_p)
{
  char back[64], *end;
  long launch = strtol (name, &end, 10);
  if (end == name || *end != '.' || launch < 0 || launch > 1000000000) return 0;
  long learner = strtol (end + 1, &end, 10);
  if (learner < 0 || learner > 1000000000) return 0;
  sol_stats_source_name ((int) launch, (int) learner, back, sizeof back);
  if (strcmp (back + 6, name) != 0) return 0;
  *launch_p = (int) launch;
  *learner_p = (int) learner;
  return 1;
}

sol_status_t sol_stats_check_root (hid_t file, const char *path, char **kind_p)
{
  char *format = NULL;
  int64_t version;
  sol_status_t st;
  SOL_GO (sol_h5_get_text (file, "format", &format, path));
  if (strcmp (format, SOL_STATS_FORMAT) != 0) { st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: format is \"%.40s\", expected \"" SOL_STATS_FORMAT "\"", path, format); goto out; }
  SOL_GO (sol_h5_get_int (file, "version", &version, path));
  if (version != SOL_STATS_VERSION) {
    st = sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: statistics version %" PRId64 "; this program knows version %d", path, version, SOL_STATS_VERSION);
    goto out;
  }
  st = sol_h5_get_text (file, "kind", kind_p, path);
out:
  sol_free (format);
  return st;
}

sol_status_t sol_stats_source_open (const char *path, sol_stats_source_t *s_p)
{
  sol_stats_source_t s = { .path = sol_strdup (path), .file = H5I_INVALID_HID };
  hid_t access = sol_h5_access ();
  char *kind = NULL;
  int64_t launch, learner;
  sol_status_t st;
  SOL_GO (sol_h5_journal_use (access, path));
  SOL_GO (SOL_H5 (s.file = H5Fopen (path, H5F_ACC_RDONLY, access), path));
  SOL_GO (sol_stats_check_root (s.file, path, &kind));
  if (strcmp (kind, "learner") != 0) { st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: kind is \"%.40s\", expected \"learner\"", path, kind); goto out; }
  SOL_GO (sol_h5_get_int (s.file, "launch", &launch, path));
  SOL_GO (sol_h5_get_int (s.file, "learner", &learner, path));
  SOL_GO (sol_h5_get_int (s.file, "resumed_update", &s.resumed_update, path));
  if (launch < 0 || launch > INT32_MAX || learner < 0 || learner > INT32_MAX || s.resumed_update < 0)
    st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: launch %" PRId64 ", learner %" PRId64 ", resumed_update %" PRId64 " are not all >= 0", path, launch, learner, s.resumed_update);
  s.launch = (int) launch;
  s.learner = (int) learner;
out:
  sol_h5_close (access);
  sol_free (kind);
  if (st == SOL_OK) *s_p = s;
  else sol_stats_source_close (&s);
  return st;
}

sol_status_t sol_stats_source_open_patiently (const char *path, sol_stats_source_t *s_p)
{
  struct timespec moment = { 0, 50000000 };
  sol_status_t st = SOL_ERR_HDF5;
  for (int i = 0; i < 4 && st == SOL_ERR_HDF5; i++) {
    if (i) nanosleep (&moment, NULL);
    st = sol_stats_source_open (path, s_p);
  }
  return st;
}

void sol_stats_source_close (sol_stats_source_t *s)
{
  sol_h5_close (s->file);
  sol_free (s->path);
  *s = (sol_stats_source_t){ .file = H5I_INVALID_HID };
}

static sol_status_t open_dset (hid_t file, const char *name, const char *path, hid_t *dset_p, int64_t *n_p)
{
  hid_t d, space = H5I_INVALID_HID;
  sol_status_t st;
  SOL_TRY (SOL_H5 (d = H5Dopen2 (file, name, H5P_DEFAULT), path));
  st = SOL_H5 (space = H5Dget_space (d), path);
  if (st == SOL_OK && H5Sget_simple_extent_ndims (space) != 1) st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: %s does not have one dimension", path, name);
  hssize_t n = st == SOL_OK ? H5Sget_simple_extent_npoints (space) : -1;
  if (st == SOL_OK && n < 0) st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: %s has no extent", path, name);
  sol_h5_close (space);
  if (st == SOL_OK) { *dset_p = d; *n_p = (int64_t) n; }
  else sol_h5_close (d);
  return st;
}

sol_status_t sol_stats_extent (hid_t file, const char *name, int64_t *n_p, const char *path)
{
  hid_t d;
  SOL_TRY (open_dset (file, name, path, &d, n_p));
  sol_h5_close (d);
  return SOL_OK;
}

sol_status_t sol_stats_read (hid_t file, int column, int64_t first, int64_t n, void *data, const char *path)
{
  char name[80];
  int64_t rows;
  hid_t d, in = H5I_INVALID_HID, at = H5I_INVALID_HID;
  hsize_t from = (hsize_t) first, count = (hsize_t) n;
  sol_status_t st;
  sol_stats_column_path (column, name, sizeof name);
  SOL_TRY (open_dset (file, name, path, &d, &rows));
  if (first < 0 || n < 0 || first > rows - n) { st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: %s has %" PRId64 " rows, %" PRId64 " were expected", path, name, rows, first + n); goto out; }
  SOL_GO (SOL_H5 (in = H5Screate_simple (1, &count, NULL), path));
  SOL_GO (SOL_H5 (at = H5Dget_space (d), path));
  SOL_GO (SOL_H5 (H5Sselect_hyperslab (at, H5S_SELECT_SET, &from, NULL, &count, NULL), path));
  st = SOL_H5 (H5Dread (d, sol_stats_h5_type (sol_stats_column[column].type, 1), in, at, H5P_DEFAULT, data), path);
out:
  sol_h5_close (at);
  sol_h5_close (in);
  sol_h5_close (d);
  return st;
}

/* rows that all columns of each table have */
static sol_status_t common_rows (sol_stats_source_t *s, int64_t rows[SOL_STATS_N_TABLES])
{
  for (int t = 0; t < SOL_STATS_N_TABLES; t++) rows[t] = INT64_MAX;
  for (int i = 0; i < SOL_STATS_N_COLUMNS; i++) {
    char name[80];
    int64_t n, *to = &rows[sol_stats_column[i].table];
    sol_stats_column_path (i, name, sizeof name);
    const int k = sol_stats_optional (i);
    if (k >= 0) {
      s->has[k] = H5Lexists (s->file, name, H5P_DEFAULT) > 0;
      H5Eclear2 (H5E_DEFAULT);
      if (!s->has[k]) continue;
    }
    SOL_TRY (sol_stats_extent (s->file, name, &n, s->path));
    if (n < *to) *to = n;
  }
  return SOL_OK;
}

/* walks the index as long as it makes sense: a kill in the middle of its flush leaves a last row of fill values */
static void walk_index (sol_stats_source_t *s, const int64_t *have, int64_t cut, const int32_t *update, const int64_t *token_end, const int64_t *sequence_end, int64_t n)
{
  int64_t u = 0, tokens = 0, sequences = 0;
  s->first_update = s->last_update = -1;
  for (int64_t i = 0; i < n; i++) {
    if (update[i] < u || update[i] >= cut || token_end[i] < tokens || sequence_end[i] < sequences || token_end[i] > have[SOL_STATS_TOKENS] || sequence_end[i] > have[SOL_STATS_SEQUENCES])
      break;
    u = update[i];
    if (token_end[i] > tokens) {
      if (s->first_update < 0) s->first_update = u;
      s->last_update = u;
    }
    tokens = token_end[i];
    sequences = sequence_end[i];
    s->rows[SOL_STATS_UPDATES] = i + 1;
  }
  s->rows[SOL_STATS_TOKENS] = tokens;
  s->rows[SOL_STATS_SEQUENCES] = sequences;
}

static sol_status_t measure_prompts (sol_stats_source_t *s, int64_t have)
{
  int64_t last = s->rows[SOL_STATS_SEQUENCES] - 1, first = 0;
  int32_t n = 0;
  if (last >= 0) {
    SOL_TRY (sol_stats_read (s->file, SOL_STATS_SEQUENCES_prompt_first, last, 1, &first, s->path));
    SOL_TRY (sol_stats_read (s->file, SOL_STATS_SEQUENCES_n_prompt, last, 1, &n, s->path));
  }
  if (first < 0 || n < 0 || first > have - n) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: sequence %" PRId64 " has its prompt in rows %" PRId64 " + %d of %" PRId64, s->path, last, first, n, have);
  s->rows[SOL_STATS_PROMPTS] = first + n;
  return SOL_OK;
}

sol_status_t sol_stats_source_measure (sol_stats_source_t *s, int64_t cut)
{
  int64_t have[SOL_STATS_N_TABLES], n;
  void *mem = NULL;
  sol_status_t st;
  for (int t = 0; t < SOL_STATS_N_TABLES; t++) s->rows[t] = 0;
  SOL_TRY (common_rows (s, have));
  n = have[SOL_STATS_UPDATES];
  if (n > INDEX_MOST) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: %" PRId64 " rows of updates are not believable", s->path, n);
  SOL_TRY (sol_alloc_large ((size_t) (n + 1) * 20, s->path, &mem));
  int64_t *token_end = mem, *sequence_end = token_end + n;
  int32_t *update = (int32_t *) (sequence_end + n);
  if (n) {
    SOL_GO (sol_stats_read (s->file, SOL_STATS_UPDATES_update, 0, n, update, s->path));
    SOL_GO (sol_stats_read (s->file, SOL_STATS_UPDATES_token_end, 0, n, token_end, s->path));
    SOL_GO (sol_stats_read (s->file, SOL_STATS_UPDATES_sequence_end, 0, n, sequence_end, s->path));
  }
  walk_index (s, have, cut, update, token_end, sequence_end, n);
  st = measure_prompts (s, have[SOL_STATS_PROMPTS]);
out:
  sol_free (mem);
  return st;
}
