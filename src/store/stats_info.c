/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/stats.h"
#include "stats_source.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ROOM "stats"
#define SOURCES_MOST 10000000

static sol_status_t learner_info (const char *path, sol_stats_info_t *info)
{
  sol_stats_source_t s;
  SOL_TRY (sol_stats_source_open (path, &s));
  sol_status_t st = sol_stats_source_measure (&s, INT64_MAX);
  if (st == SOL_OK) {
    info->n_tokens = s.rows[SOL_STATS_TOKENS];
    info->n_sequences = s.rows[SOL_STATS_SEQUENCES];
    info->first_update = s.first_update;
    info->last_update = s.last_update;
  }
  sol_stats_source_close (&s);
  return st;
}

/* a missing or shortened source would read as fill values without a word: here it is an error */
static sol_status_t check_source (const char *path, int64_t launch, int64_t learner, int64_t tokens, int64_t sequences)
{
  char name[64], *dir = sol_strdup (path), *slash = strrchr (dir, '/'), *file;
  sol_stats_source_t s;
  if (slash) slash[1] = 0;
  sol_stats_source_name ((int) launch, (int) learner, name, sizeof name);
  file = sol_path_join (slash ? dir : ".", name);
  sol_status_t st = SOL_OK;
  if (!sol_file_exists (file)) st = sol_fail (SOL_ERR_IO, ROOM, "%s: %s is missing: its %" PRId64 " rows would read as fill values", path, file, tokens);
  if (st == SOL_OK) st = sol_stats_source_open (file, &s);
  if (st == SOL_OK) {
    st = sol_stats_source_measure (&s, INT64_MAX);
    if (st == SOL_OK && (s.rows[SOL_STATS_TOKENS] < tokens || s.rows[SOL_STATS_SEQUENCES] < sequences))
      st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: %s has %" PRId64 " tokens and %" PRId64 " sequences, %" PRId64 " and %" PRId64 " were linked", path, file, s.rows[SOL_STATS_TOKENS],
                     s.rows[SOL_STATS_SEQUENCES], tokens, sequences);
    sol_stats_source_close (&s);
  }
  sol_free (file);
  sol_free (dir);
  return st;
}

static sol_status_t read_list (hid_t file, const char *name, int64_t n, int64_t *x, const char *path)
{
  int64_t have;
  hid_t d;
  SOL_TRY (sol_stats_extent (file, name, &have, path));
  if (have != n) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: %s has %" PRId64 " rows, expected %" PRId64, path, name, have, n);
  SOL_TRY (SOL_H5 (d = H5Dopen2 (file, name, H5P_DEFAULT), path));
  sol_status_t st = SOL_H5 (H5Dread (d, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, x), path);
  sol_h5_close (d);
  return st;
}

static sol_status_t run_info (hid_t file, const char *path, sol_stats_info_t *info)
{
  static const char *const lists[] = { "sources/launch", "sources/learner", "sources/tokens", "sources/sequences", "sources/shown" };
  int64_t n, *x[5] = { 0 }, tokens = 0, shown = 0;
  sol_status_t st;
  /* from attributes: opening a virtual data set makes HDF5 walk a heap that has no checksums */
  SOL_TRY (sol_h5_get_int (file, "n_tokens", &info->n_tokens, path));
  SOL_TRY (sol_h5_get_int (file, "n_sequences", &info->n_sequences, path));
  SOL_TRY (sol_h5_get_int (file, "first_update", &info->first_update, path));
  SOL_TRY (sol_h5_get_int (file, "last_update", &info->last_update, path));
  SOL_TRY (sol_stats_extent (file, lists[0], &n, path));
  if (n > SOURCES_MOST) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: %" PRId64 " sources are not believable", path, n);
  for (int k = 0; k < 5; k++) {
    x[k] = sol_alloc (sizeof **x * (size_t) (n + 1));
    SOL_GO (read_list (file, lists[k], n, x[k], path));
  }
  for (int64_t i = 0; i < n; i++) {
    if (x[0][i] < 0 || x[0][i] > INT32_MAX || x[1][i] < 0 || x[1][i] > INT32_MAX || x[2][i] < 0 || x[2][i] > info->n_tokens - tokens || x[4][i] < 0 || x[4][i] > info->n_sequences - shown) {
      st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: row %" PRId64 " of sources/ is out of bounds", path, i);
      goto out;
    }
    tokens += x[2][i];
    shown += x[4][i];
    if (x[2][i] > 0 || x[3][i] > 0) SOL_GO (check_source (path, x[0][i], x[1][i], x[2][i], x[3][i]));
  }
  if (tokens != info->n_tokens || shown != info->n_sequences)
    st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: %" PRId64 " tokens and %" PRId64 " sequences are mapped, the sources give %" PRId64 " and %" PRId64, path, info->n_tokens, info->n_sequences, tokens, shown);
out:
  for (int k = 0; k < 5; k++) sol_free (x[k]);
  return st;
}

sol_status_t sol_stats_info (const char *path, sol_stats_info_t *info_p)
{
  sol_stats_info_t info = { .version = SOL_STATS_VERSION };
  hid_t access, file = H5I_INVALID_HID;
  char *kind = NULL, *program = NULL;
  sol_status_t st;
  sol_h5_lock ();
  access = sol_h5_access ();
  SOL_GO (SOL_H5 (file = H5Fopen (path, H5F_ACC_RDONLY, access), path));
  SOL_GO (sol_stats_check_root (file, path, &kind));
  SOL_GO (sol_h5_get_text (file, "program", &program, path));
  SOL_GO (sol_h5_get_u64 (file, "seed", &info.seed, path));
  if (!strcmp (kind, "learner")) SOL_GO (learner_info (path, &info));
  else if (!strcmp (kind, "run")) SOL_GO (run_info (file, path, &info));
  else { st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: unknown kind \"%.40s\"", path, kind); goto out; }
  info.program = program;
  program = NULL;
  *info_p = info;
out:
  sol_h5_close (file);
  sol_h5_close (access);
  sol_h5_unlock ();
  sol_free (kind);
  sol_free (program);
  return st;
}
