/* SPDX-License-Identifier: Apache-2.0 */
#include "stats_file.h"
#include "h5_journal.h"
#include "solera/clock.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROOM "stats"

struct sol_stats_file {
  char *path;
  hid_t file, group[SOL_STATS_N_TABLES], dset[SOL_STATS_N_COLUMNS];
  hsize_t rows[SOL_STATS_N_TABLES]; /* in the file */
  int32_t last_update;              /* of the last index row */
  int64_t chunk;
  int deflate, abandoned;
};

hid_t sol_stats_h5_type (sol_stats_type_t type, int in_memory)
{
  switch (type) {
    case SOL_STATS_I32: return in_memory ? H5T_NATIVE_INT32 : H5T_STD_I32LE;
    case SOL_STATS_I64: return in_memory ? H5T_NATIVE_INT64 : H5T_STD_I64LE;
    case SOL_STATS_U64: return in_memory ? H5T_NATIVE_UINT64 : H5T_STD_U64LE;
    case SOL_STATS_U8: return in_memory ? H5T_NATIVE_UINT8 : H5T_STD_U8LE;
    case SOL_STATS_F64: return in_memory ? H5T_NATIVE_DOUBLE : H5T_IEEE_F64LE;
    default: return in_memory ? H5T_NATIVE_FLOAT : H5T_IEEE_F32LE;
  }
}

const void *sol_stats_fill (sol_stats_type_t type)
{
  static const int32_t i32 = -1;
  static const int64_t i64 = -1;
  static const uint64_t u64 = UINT64_MAX;
  static const uint8_t u8 = 255;
  static const float f32 = NAN;
  static const double f64 = NAN;
  switch (type) {
    case SOL_STATS_I32: return &i32;
    case SOL_STATS_I64: return &i64;
    case SOL_STATS_U64: return &u64;
    case SOL_STATS_U8: return &u8;
    case SOL_STATS_F64: return &f64;
    default: return &f32;
  }
}

void sol_stats_column_path (int column, char *text, size_t room)
{
  snprintf (text, room, "%s/%s", sol_stats_group[sol_stats_column[column].table], sol_stats_column[column].name);
}

sol_status_t sol_stats_describe (hid_t dset, int column, const char *path)
{
  SOL_TRY (sol_h5_put_text (dset, "unit", sol_stats_column[column].unit, path));
  return sol_h5_put_text (dset, "meaning", sol_stats_column[column].doc, path);
}

static sol_status_t create_column (sol_stats_file_t *f, int column)
{
  const sol_stats_column_t *c = &sol_stats_column[column];
  hid_t type = sol_stats_h5_type (c->type, 0);
  hsize_t zero = 0, most = H5S_UNLIMITED, chunk = (hsize_t) sol_stats_chunk_rows (c->table, f->chunk);
  hid_t space = H5Screate_simple (1, &zero, &most), make = H5Pcreate (H5P_DATASET_CREATE), access = H5Pcreate (H5P_DATASET_ACCESS);
  sol_status_t st;
  SOL_GO (SOL_H5 (H5Pset_chunk (make, 1, &chunk), f->path));
  SOL_GO (SOL_H5 (H5Pset_fill_value (make, sol_stats_h5_type (c->type, 1), sol_stats_fill (c->type)), f->path));
  SOL_GO (SOL_H5 (H5Pset_chunk_cache (access, 101, (size_t) chunk * sol_stats_type_bytes (c->type) * 2, 1.0), f->path)); /* the chunk being filled stays */
  if (f->deflate) {
    SOL_GO (SOL_H5 (H5Pset_shuffle (make), f->path));
    SOL_GO (SOL_H5 (H5Pset_deflate (make, (unsigned) f->deflate), f->path));
  }
  SOL_GO (SOL_H5 (f->dset[column] = H5Dcreate2 (f->group[c->table], c->name, type, space, H5P_DEFAULT, make, access), f->path));
  st = sol_stats_describe (f->dset[column], column, f->path);
out:
  sol_h5_close (access);
  sol_h5_close (make);
  sol_h5_close (space);
  return st;
}

static sol_status_t put_attributes (sol_stats_file_t *f, const sol_stats_params_t *p)
{
  char now[32];
  sol_clock_iso (now, sizeof now);
  SOL_TRY (sol_h5_put_text (f->file, "format", SOL_STATS_FORMAT, f->path));
  SOL_TRY (sol_h5_put_int (f->file, "version", SOL_STATS_VERSION, f->path));
  SOL_TRY (sol_h5_put_text (f->file, "kind", "learner", f->path));
  SOL_TRY (sol_h5_put_text (f->file, "program", p->program, f->path));
  SOL_TRY (sol_h5_put_text (f->file, "settings", p->settings, f->path));
  SOL_TRY (sol_h5_put_text (f->file, "libraries", p->libraries, f->path));
  SOL_TRY (sol_h5_put_text (f->file, "hosts", p->hosts, f->path));
  SOL_TRY (sol_h5_put_text (f->file, "data_sets", p->data_sets, f->path));
  SOL_TRY (sol_h5_put_text (f->file, "created", now, f->path));
  SOL_TRY (sol_h5_put_u64 (f->file, "seed", p->seed, f->path));
  SOL_TRY (sol_h5_put_int (f->file, "launch", p->launch, f->path));
  SOL_TRY (sol_h5_put_int (f->file, "learner", p->learner, f->path));
  return sol_h5_put_int (f->file, "resumed_update", p->resumed_update, f->path);
}

/* metadata is written at a flush only, never when the cache feels full: fewer changes for the journal, and none that has to be read back */
static sol_status_t keep_metadata (hid_t access, const char *path)
{
  H5AC_cache_config_t c = { .version = H5AC__CURR_CACHE_CONFIG_VERSION };
  SOL_TRY (SOL_H5 (H5Pget_mdc_config (access, &c), path));
  c.evictions_enabled = 0;
  c.incr_mode = H5C_incr__off;
  c.flash_incr_mode = H5C_flash_incr__off;
  c.decr_mode = H5C_decr__off;
  return SOL_H5 (H5Pset_mdc_config (access, &c), path);
}

static sol_status_t create_file (sol_stats_file_t *f, const sol_stats_params_t *p)
{
  hid_t access = sol_h5_access ();
  sol_status_t st;
  SOL_GO (sol_h5_journal_use (access, f->path));
  SOL_GO (keep_metadata (access, f->path));
  SOL_GO (SOL_H5 (H5Pset_libver_bounds (access, H5F_LIBVER_V18, H5F_LIBVER_V18), f->path)); /* checksummed headers; from V110 on a killed writer's file would be refused */
  SOL_GO (SOL_H5 (f->file = H5Fcreate (f->path, H5F_ACC_EXCL, H5P_DEFAULT, access), f->path));
  SOL_GO (put_attributes (f, p));
  for (int i = 0; i < SOL_STATS_N_TABLES; i++) {
    if (i == SOL_STATS_PROMPTS) { f->group[i] = f->group[SOL_STATS_SEQUENCES]; H5Iinc_ref (f->group[i]); continue; }
    SOL_GO (SOL_H5 (f->group[i] = H5Gcreate2 (f->file, sol_stats_group[i], H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), f->path));
  }
  for (int i = 0; i < SOL_STATS_N_COLUMNS; i++)
    if (sol_stats_optional (i) < 0) SOL_GO (create_column (f, i)); /* the others when they come */
  st = SOL_H5 (H5Fflush (f->file, H5F_SCOPE_LOCAL), f->path);
out:
  sol_h5_close (access);
  return st;
}

static void close_ids (sol_stats_file_t *f)
{
  for (int i = 0; i < SOL_STATS_N_COLUMNS; i++) sol_h5_close (f->dset[i]);
  for (int i = 0; i < SOL_STATS_N_TABLES; i++) sol_h5_close (f->group[i]);
}

static int broken;
int sol_stats_broken (void) { return broken; }

/* After a failed write (a full disk) HDF5 1.10 cannot close its objects and crashes when the process ends. So what it still wants to write goes nowhere; the file stays as the last
 * flush made it. All metadata is in the cache (keep_metadata), so nothing is read back. Where a flush failed half-way even that does not close the file: sol_stats_broken. */
static void abandon (sol_stats_file_t *f)
{
  if (!f->abandoned) sol_h5_journal_abandon (f->file);
  f->abandoned = 1;
  broken = 1;
}

sol_status_t sol_stats_file_create (const sol_stats_params_t *p, sol_stats_file_t **file_p)
{
  sol_stats_file_t *f = sol_alloc (sizeof *f);
  char *dir = sol_path_join (p->run_dir, "stats"), name[64];
  sol_status_t st;
  snprintf (name, sizeof name, "%04d.%04d.h5", p->launch, p->learner);
  f->path = sol_path_join (dir, name);
  f->chunk = p->chunk;
  f->deflate = p->deflate;
  f->last_update = -1;
  f->file = H5I_INVALID_HID;
  for (int i = 0; i < SOL_STATS_N_TABLES; i++) f->group[i] = H5I_INVALID_HID;
  for (int i = 0; i < SOL_STATS_N_COLUMNS; i++) f->dset[i] = H5I_INVALID_HID;
  st = sol_dir_make (dir);
  if (st == SOL_OK) {
    sol_h5_lock ();
    st = create_file (f, p);
    if (st != SOL_OK && f->file >= 0) { abandon (f); close_ids (f); H5Fclose (f->file); H5Eclear2 (H5E_DEFAULT); }
    sol_h5_unlock ();
  }
  sol_free (dir);
  if (st == SOL_OK) *file_p = f;
  else { sol_free (f->path); sol_free (f); }
  return st;
}

static sol_status_t write_column (sol_stats_file_t *f, int column, hsize_t first, hsize_t n, const void *data)
{
  hsize_t end = first + n;
  hid_t d = f->dset[column], in = H5Screate_simple (1, &n, NULL), at = H5I_INVALID_HID;
  sol_status_t st;
  SOL_GO (SOL_H5 (H5Dset_extent (d, &end), f->path));
  SOL_GO (SOL_H5 (at = H5Dget_space (d), f->path));
  SOL_GO (SOL_H5 (H5Sselect_hyperslab (at, H5S_SELECT_SET, &first, NULL, &n, NULL), f->path));
  st = SOL_H5 (H5Dwrite (d, sol_stats_h5_type (sol_stats_column[column].type, 1), in, at, H5P_DEFAULT, data), f->path);
out:
  sol_h5_close (at);
  sol_h5_close (in);
  return st;
}

static sol_status_t write_table (sol_stats_file_t *f, const sol_stats_block_t *b, int table, hsize_t first)
{
  if (b->n[table] == 0) return SOL_OK;
  for (int i = 0; i < SOL_STATS_N_COLUMNS; i++) {
    if (sol_stats_column[i].table != table || f->dset[i] < 0) continue;
    SOL_TRY (write_column (f, i, first, (hsize_t) b->n[table], b->data[i]));
  }
  f->rows[table] = first + (hsize_t) b->n[table];
  return SOL_OK;
}

static sol_status_t write_index (sol_stats_file_t *f, const sol_stats_block_t *b)
{
  const int32_t *update = (const int32_t *) (const void *) b->data[SOL_STATS_UPDATES_update];
  hsize_t first = f->rows[SOL_STATS_UPDATES];
  if (b->n[SOL_STATS_UPDATES] == 0) return SOL_OK;
  if (first > 0 && update[0] == f->last_update) first--; /* more rows of the update that was the last */
  SOL_TRY (write_table (f, b, SOL_STATS_UPDATES, first));
  f->last_update = update[b->n[SOL_STATS_UPDATES] - 1];
  return SOL_OK;
}

static sol_status_t write_block (sol_stats_file_t *f, const sol_stats_block_t *b)
{
  for (int i = 0; i < SOL_STATS_N_COLUMNS; i++)
    if (sol_stats_optional (i) >= 0 && b->has[sol_stats_optional (i)] && f->dset[i] < 0) SOL_TRY (create_column (f, i));
  for (int t = 0; t < SOL_STATS_N_TABLES; t++)
    if (t != SOL_STATS_UPDATES) SOL_TRY (write_table (f, b, t, f->rows[t]));
  SOL_TRY (write_index (f, b));
  return SOL_H5 (H5Fflush (f->file, H5F_SCOPE_LOCAL), f->path); /* all of it or nothing: h5_journal.h */
}

sol_status_t sol_stats_file_write (sol_stats_file_t *f, const sol_stats_block_t *b)
{
  sol_h5_lock ();
  sol_status_t st = write_block (f, b);
  if (st != SOL_OK) abandon (f);
  sol_h5_unlock ();
  return st;
}

sol_status_t sol_stats_file_sync (sol_stats_file_t *f)
{
  int fd = open (f->path, O_RDONLY | O_CLOEXEC), bad = fd < 0 || fsync (fd), why = errno;
  if (fd >= 0) close (fd);
  return bad ? sol_fail (SOL_ERR_IO, ROOM, "%s: fsync failed: %s", f->path, strerror (why)) : SOL_OK;
}

sol_status_t sol_stats_file_close (sol_stats_file_t *f)
{
  sol_h5_lock ();
  sol_status_t st = f->abandoned ? SOL_OK : SOL_H5 (H5Fflush (f->file, H5F_SCOPE_LOCAL), f->path); /* its failure was told when it happened */
  if (st != SOL_OK) abandon (f);
  close_ids (f);
  if (f->abandoned) { H5Fclose (f->file); H5Eclear2 (H5E_DEFAULT); }
  else st = SOL_H5 (H5Fclose (f->file), f->path);
  if (st != SOL_OK) broken = 1;
  sol_h5_unlock ();
  if (st == SOL_OK && !f->abandoned) st = sol_stats_file_sync (f);
  sol_free (f->path);
  sol_free (f);
  return st;
}
