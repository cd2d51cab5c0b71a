/* SPDX-License-Identifier: Apache-2.0 */
/* evals.c: HDF5 sees images in memory only (its core driver without a file behind it). What it makes of one is written by sol_file_write, whole or not at all, and a full disk is an error like any
 * other: HDF5 1.10 could not even close a file that it failed to write. */
#include "solera/evals.h"
#include "evals_columns.h"
#include "h5.h"
#include "solera/buffer.h"
#include "solera/clock.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define ROOM "evals"
#define FORMAT "solera evaluations"
#define ROWS_MOST 50000000 /* more are not believable: a damaged file */

#define X(name, type, unit, doc) { #name, SOL_EVALS_##type, offsetof (sol_evals_row_t, name), sizeof (((sol_evals_row_t *) NULL)->name), unit, doc },
static const sol_evals_column_t row_column[] = { SOL_EVALS_ROW_COLUMNS (X) };
#undef X
#define X(name, type, unit, doc) { #name, SOL_EVALS_##type, offsetof (sol_evals_problem_t, name), sizeof (((sol_evals_problem_t *) NULL)->name), unit, doc },
static const sol_evals_column_t problem_column[] = { SOL_EVALS_PROBLEM_COLUMNS (X) };
#undef X
const sol_evals_table_t sol_evals_table[SOL_EVALS_N_TABLES] = {
  { "evaluations", sizeof (sol_evals_row_t), 64, sizeof row_column / sizeof *row_column, 0
#define X(...) + 1
    SOL_EVALS_ROW_COLUMNS (X) - (0 SOL_EVALS_ROW_COLUMNS_2 (X)),
    row_column },
  { "problems", sizeof (sol_evals_problem_t), 1024, sizeof problem_column / sizeof *problem_column, 0 SOL_EVALS_PROBLEM_COLUMNS (X), problem_column }
#undef X
};

const char *sol_evals_type_name (sol_evals_type_t type)
{
  static const char *const name[] = { "int64", "uint64", "float64", "text" };
  return name[type];
}

/* a type of its own, to be closed */
static hid_t type_of (const sol_evals_column_t *c, int in_memory)
{
  if (c->type == SOL_EVALS_I64) return H5Tcopy (in_memory ? H5T_NATIVE_INT64 : H5T_STD_I64LE);
  if (c->type == SOL_EVALS_U64) return H5Tcopy (in_memory ? H5T_NATIVE_UINT64 : H5T_STD_U64LE);
  if (c->type == SOL_EVALS_F64) return H5Tcopy (in_memory ? H5T_NATIVE_DOUBLE : H5T_IEEE_F64LE);
  hid_t t = H5Tcopy (H5T_C_S1); /* of fixed length: HDF5 reads others from a heap without checksums */
  H5Tset_size (t, c->bytes);
  H5Tset_cset (t, H5T_CSET_UTF8);
  return t;
}

/* ---- images */

/* data NULL: a new file. The driver refuses an image that has the name of a file, so it gets one that no file has. */
static sol_status_t open_image (const char *path, const char *data, size_t bytes, hid_t *file_p)
{
  hid_t access = H5Pcreate (H5P_FILE_ACCESS), file;
  sol_buffer_t name = { 0 };
  sol_status_t st;
  sol_buffer_printf (&name, "%s/ in memory", path);
  SOL_GO (SOL_H5 (H5Pset_fapl_core (access, 1 << 18, 0), path));
  SOL_GO (SOL_H5 (H5Pset_libver_bounds (access, H5F_LIBVER_EARLIEST, H5F_LIBVER_V18), path)); /* not V18: H5Fget_file_image of 1.10 changes a flag under that superblock's checksum */
  if (data) SOL_GO (SOL_H5 (H5Pset_file_image (access, (void *) (uintptr_t) data, bytes), path));
  file = data ? H5Fopen (name.data, H5F_ACC_RDWR, access) : H5Fcreate (name.data, H5F_ACC_TRUNC, H5P_DEFAULT, access);
  st = sol_h5_check (file, data ? "H5Fopen" : "H5Fcreate", path);
  if (st == SOL_OK) *file_p = file;
out:
  sol_buffer_free (&name);
  sol_h5_close (access);
  return st;
}

static sol_status_t check_root (hid_t file, const char *path, int64_t *version_p)
{
  char *format = NULL;
  int64_t version;
  sol_status_t st;
  SOL_GO (sol_h5_get_text (file, "format", &format, path));
  if (strcmp (format, FORMAT) != 0) { st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: format is \"%.40s\", expected \"" FORMAT "\"", path, format); goto out; }
  SOL_GO (sol_h5_get_int (file, "version", &version, path));
  if (version < 1 || version > SOL_EVALS_VERSION) st = sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: version %" PRId64 " of evaluations; this program knows versions 1 to %d", path, version, SOL_EVALS_VERSION);
  else *version_p = version;
out:
  sol_free (format);
  return st;
}

static sol_status_t create_column (hid_t group, const sol_evals_table_t *t, const sol_evals_column_t *c, const char *path)
{
  hsize_t zero = 0, most = H5S_UNLIMITED, chunk = t->chunk;
  hid_t type = type_of (c, 0), space = H5Screate_simple (1, &zero, &most), make = H5Pcreate (H5P_DATASET_CREATE), d = H5I_INVALID_HID;
  sol_status_t st;
  SOL_GO (SOL_H5 (H5Pset_chunk (make, 1, &chunk), path));
  SOL_GO (SOL_H5 (d = H5Dcreate2 (group, c->name, type, space, H5P_DEFAULT, make, H5P_DEFAULT), path));
  SOL_GO (sol_h5_put_text (d, "unit", c->unit, path));
  st = sol_h5_put_text (d, "meaning", c->doc, path);
out:
  sol_h5_close (d);
  sol_h5_close (make);
  sol_h5_close (space);
  sol_h5_close (type);
  return st;
}

static sol_status_t create_tables (hid_t file, const char *path)
{
  char now[32];
  sol_clock_iso (now, sizeof now);
  SOL_TRY (sol_h5_put_text (file, "format", FORMAT, path));
  SOL_TRY (sol_h5_put_int (file, "version", SOL_EVALS_VERSION, path));
  SOL_TRY (sol_h5_put_text (file, "program", PACKAGE_STRING, path));
  SOL_TRY (sol_h5_put_text (file, "created", now, path));
  for (int k = 0; k < SOL_EVALS_N_TABLES; k++) {
    const sol_evals_table_t *t = &sol_evals_table[k];
    hid_t group;
    sol_status_t st = SOL_OK;
    SOL_TRY (SOL_H5 (group = H5Gcreate2 (file, t->group, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), path));
    for (int i = 0; i < t->n && st == SOL_OK; i++) st = create_column (group, t, &t->column[i], path);
    sol_h5_close (group);
    SOL_TRY (st);
  }
  return SOL_OK;
}

/* ---- columns; data are n structs of the table's row */

static sol_status_t open_column (hid_t file, const sol_evals_table_t *t, const sol_evals_column_t *c, hid_t *d_p, int64_t *n_p, const char *path)
{
  char name[80];
  hid_t d = H5I_INVALID_HID, space = H5I_INVALID_HID, type = H5I_INVALID_HID, want = type_of (c, 0);
  sol_status_t st;
  snprintf (name, sizeof name, "%s/%s", t->group, c->name);
  SOL_GO (SOL_H5 (d = H5Dopen2 (file, name, H5P_DEFAULT), path));
  SOL_GO (SOL_H5 (space = H5Dget_space (d), path));
  SOL_GO (SOL_H5 (type = H5Dget_type (d), path));
  const int64_t n = H5Sget_simple_extent_ndims (space) == 1 ? (int64_t) H5Sget_simple_extent_npoints (space) : -1;
  if (n < 0 || n > ROWS_MOST || H5Tequal (type, want) <= 0) st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: %s: expected a list of %s, at most %d", path, name, sol_evals_type_name (c->type), ROWS_MOST);
  *n_p = n;
out:
  sol_h5_close (want);
  sol_h5_close (type);
  sol_h5_close (space);
  if (st == SOL_OK) *d_p = d;
  else sol_h5_close (d);
  return st;
}

static sol_status_t append_column (hid_t file, const sol_evals_table_t *t, const sol_evals_column_t *c, int64_t first, int64_t n, const char *data, const char *path)
{
  const hsize_t from = (hsize_t) first, count = (hsize_t) n, end = from + count;
  char *mine = sol_alloc (c->bytes * (size_t) (n + 1));
  hid_t d = H5I_INVALID_HID, in = H5Screate_simple (1, &count, NULL), at = H5I_INVALID_HID, type = type_of (c, 1);
  int64_t have;
  sol_status_t st;
  for (int64_t i = 0; i < n; i++) memcpy (mine + (size_t) i * c->bytes, data + (size_t) i * t->row_bytes + c->offset, c->bytes);
  SOL_GO (open_column (file, t, c, &d, &have, path));
  if (have != first) { st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: %s/%s has %" PRId64 " rows, expected %" PRId64, path, t->group, c->name, have, first); goto out; }
  SOL_GO (SOL_H5 (H5Dset_extent (d, &end), path));
  SOL_GO (SOL_H5 (at = H5Dget_space (d), path));
  SOL_GO (SOL_H5 (H5Sselect_hyperslab (at, H5S_SELECT_SET, &from, NULL, &count, NULL), path));
  st = SOL_H5 (H5Dwrite (d, type, in, at, H5P_DEFAULT, mine), path);
out:
  sol_h5_close (type);
  sol_h5_close (at);
  sol_h5_close (in);
  sol_h5_close (d);
  sol_free (mine);
  return st;
}

static sol_status_t append_table (hid_t file, const sol_evals_table_t *t, int64_t first, int64_t n, const void *data, const char *path)
{
  for (int i = 0; n > 0 && i < t->n; i++) SOL_TRY (append_column (file, t, &t->column[i], first, n, data, path));
  return SOL_OK;
}

static sol_status_t read_column (hid_t d, const sol_evals_table_t *t, const sol_evals_column_t *c, int64_t n, char *data, const char *path)
{
  char *mine = sol_alloc (c->bytes * (size_t) (n + 1));
  hid_t type = type_of (c, 1);
  const sol_status_t st = n > 0 ? SOL_H5 (H5Dread (d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, mine), path) : SOL_OK;
  for (int64_t i = 0; st == SOL_OK && i < n; i++) {
    if (c->type == SOL_EVALS_TEXT) mine[((size_t) i + 1) * c->bytes - 1] = 0;
    memcpy (data + (size_t) i * t->row_bytes + c->offset, mine + (size_t) i * c->bytes, c->bytes);
  }
  sol_h5_close (type);
  sol_free (mine);
  return st;
}

/* what an older file does not have */
static void fill_column (const sol_evals_table_t *t, const sol_evals_column_t *c, int64_t n, char *data)
{
  SOL_ASSERT (c->type == SOL_EVALS_F64);
  for (int64_t i = 0; i < n; i++) memcpy (data + (size_t) i * t->row_bytes + c->offset, &(double) { NAN }, sizeof (double));
}

static sol_status_t read_table (hid_t file, const sol_evals_table_t *t, int64_t version, int64_t *n_p, void **data_p, const char *path)
{
  char *data = NULL;
  int64_t n = 0, have;
  for (int i = 0; i < t->n; i++) {
    if (version < 2 && i >= t->n_first) {
      fill_column (t, &t->column[i], n, data);
      continue;
    }
    hid_t d = H5I_INVALID_HID;
    sol_status_t st = open_column (file, t, &t->column[i], &d, &have, path);
    if (st == SOL_OK && i && have != n) st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: %s/%s has %" PRId64 " rows, expected %" PRId64, path, t->group, t->column[i].name, have, n);
    else if (st == SOL_OK && !i) data = sol_alloc (t->row_bytes * (size_t) ((n = have) + 1));
    if (st == SOL_OK) st = read_column (d, t, &t->column[i], n, data, path);
    sol_h5_close (d);
    if (st != SOL_OK) { sol_free (data); return st; }
  }
  *n_p = n;
  *data_p = data;
  return SOL_OK;
}

/* ---- whole files */

/* every row's problems follow those of the row before, and name it */
static sol_status_t check_rows (const sol_evals_t *e, const char *path)
{
  int64_t at = 0;
  for (int64_t i = 0; i < e->n; i++) {
    const sol_evals_row_t *r = &e->row[i];
    if (r->first_problem != at || r->problems < 0 || r->problems > e->n_problems - at)
      return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: evaluation %" PRId64 ": its problems are rows %" PRId64 " to %" PRId64 ", expected from %" PRId64 " to at most %" PRId64, path, i, r->first_problem,
                       r->first_problem + r->problems, at, e->n_problems);
    for (int64_t k = at; k < at + r->problems; k++)
      if (e->problem[k].evaluation != i) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: problem %" PRId64 " names evaluation %" PRId64 ", expected %" PRId64, path, k, e->problem[k].evaluation, i);
    at += r->problems;
  }
  return at == e->n_problems ? SOL_OK : sol_fail (SOL_ERR_FORMAT, ROOM, "%s: %" PRId64 " problems, its evaluations have %" PRId64, path, e->n_problems, at);
}

static sol_status_t read_all (hid_t file, const char *path, int64_t *version_p, sol_evals_t *e)
{
  void *row = NULL, *problem = NULL;
  sol_status_t st;
  SOL_GO (check_root (file, path, version_p));
  SOL_GO (read_table (file, &sol_evals_table[SOL_EVALS_ROWS], *version_p, &e->n, &row, path));
  SOL_GO (read_table (file, &sol_evals_table[SOL_EVALS_PROBLEMS], *version_p, &e->n_problems, &problem, path));
  e->row = row;
  e->problem = problem;
  SOL_GO (check_rows (e, path));
  return SOL_OK;
out:
  sol_free (row);
  sol_free (problem);
  *e = (sol_evals_t) { 0 };
  return st;
}

sol_status_t sol_evals_read (const char *path, sol_evals_t *evals_p)
{
  sol_evals_t e = { 0 };
  char *data;
  size_t bytes;
  int64_t version;
  hid_t file = H5I_INVALID_HID;
  SOL_TRY (sol_file_read (path, 0, &data, &bytes));
  sol_h5_lock ();
  sol_status_t st = open_image (path, data, bytes, &file);
  if (st == SOL_OK) st = read_all (file, path, &version, &e);
  sol_h5_close (file);
  sol_h5_unlock ();
  sol_free (data);
  if (st == SOL_OK) *evals_p = e;
  return st;
}

void sol_evals_free (sol_evals_t *e)
{
  sol_free (e->row);
  sol_free (e->problem);
  *e = (sol_evals_t) { 0 };
}

static sol_status_t take_image (hid_t file, const char *path, char **data_p, size_t *bytes_p)
{
  SOL_TRY (SOL_H5 (H5Fflush (file, H5F_SCOPE_LOCAL), path));
  const ssize_t bytes = H5Fget_file_image (file, NULL, 0);
  SOL_TRY (SOL_H5 (bytes, path));
  char *data = sol_alloc ((size_t) bytes + 1);
  const sol_status_t st = SOL_H5 (H5Fget_file_image (file, data, (size_t) bytes), path);
  if (st != SOL_OK) { sol_free (data); return st; }
  *data_p = data;
  *bytes_p = (size_t) bytes;
  return SOL_OK;
}

static sol_status_t append_rows (hid_t file, const char *path, const sol_evals_t *old, const sol_evals_row_t *row, const sol_evals_problem_t *problems)
{
  sol_evals_row_t mine = *row;
  sol_evals_problem_t *p = sol_alloc (sizeof *p * (size_t) (row->problems + 1));
  mine.first_problem = old->n_problems;
  for (int64_t i = 0; i < row->problems; i++) {
    p[i] = problems[i];
    p[i].evaluation = old->n;
  }
  sol_status_t st = append_table (file, &sol_evals_table[SOL_EVALS_ROWS], old->n, 1, &mine, path);
  if (st == SOL_OK) st = append_table (file, &sol_evals_table[SOL_EVALS_PROBLEMS], old->n_problems, row->problems, p, path);
  sol_free (p);
  return st;
}

/* an older version: all its rows into a file of this one */
static sol_status_t renew (hid_t *file, const char *path, const sol_evals_t *old)
{
  sol_h5_close (*file);
  *file = H5I_INVALID_HID;
  SOL_TRY (open_image (path, NULL, 0, file));
  SOL_TRY (create_tables (*file, path));
  SOL_TRY (append_table (*file, &sol_evals_table[SOL_EVALS_ROWS], 0, old->n, old->row, path));
  return append_table (*file, &sol_evals_table[SOL_EVALS_PROBLEMS], 0, old->n_problems, old->problem, path);
}

/* Who appends to one file takes turns, by a lock on its folder that goes with the descriptor; where the file system knows none there is none. -1: no such folder, which writing will say. */
static int lock_folder (const char *path)
{
  const char *slash = strrchr (path, '/');
  char *dir = sol_strdup (slash ? path : ".");
  if (slash) dir[slash == path ? 1 : slash - path] = 0;
  const int fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) flock (fd, LOCK_EX);
  sol_free (dir);
  return fd;
}

/* is the last row of its version, data set and preset this one, but for when it was made? */
static int there_already (const sol_evals_t *old, const sol_evals_row_t *row, const sol_evals_problem_t *problems)
{
  int64_t k = old->n - 1;
  while (k >= 0 && (old->row[k].version != row->version || strcmp (old->row[k].data, row->data) || strcmp (old->row[k].preset, row->preset))) k--;
  if (k < 0) return 0;
  const sol_evals_row_t *r = &old->row[k];
  for (int i = 0; i < sol_evals_table[SOL_EVALS_ROWS].n; i++) {
    const sol_evals_column_t *c = &sol_evals_table[SOL_EVALS_ROWS].column[i];
    if (c->type == SOL_EVALS_TEXT || c->offset == offsetof (sol_evals_row_t, seconds) || c->offset == offsetof (sol_evals_row_t, time) || c->offset == offsetof (sol_evals_row_t, first_problem)) continue;
    if (memcmp ((const char *) r + c->offset, (const char *) row + c->offset, c->bytes)) return 0;
  }
  for (int64_t i = 0; i < row->problems; i++) {
    sol_evals_problem_t p = problems[i];
    p.evaluation = k;
    if (memcmp (&p, &old->problem[r->first_problem + i], sizeof p)) return 0;
  }
  return 1;
}

static sol_status_t append (const char *path, const sol_evals_row_t *row, const sol_evals_problem_t *problems, int once)
{
  sol_evals_t old = { 0 };
  char *data = NULL;
  size_t bytes = 0;
  hid_t file = H5I_INVALID_HID;
  int64_t version = SOL_EVALS_VERSION;
  sol_status_t st = SOL_OK;
  int add = 0;
  SOL_ASSERT (row->problems >= 0 && memchr (row->data, 0, sizeof row->data) && memchr (row->preset, 0, sizeof row->preset));
  const int lock = lock_folder (path), there = sol_file_exists (path);
  if (there) st = sol_file_read (path, 0, &data, &bytes);
  sol_h5_lock ();
  if (st == SOL_OK) st = open_image (path, data, bytes, &file);
  if (st == SOL_OK) st = there ? read_all (file, path, &version, &old) : create_tables (file, path);
  add = !(once && st == SOL_OK && there_already (&old, row, problems));
  if (add && st == SOL_OK && version != SOL_EVALS_VERSION) st = renew (&file, path, &old);
  if (add && st == SOL_OK) st = append_rows (file, path, &old, row, problems);
  sol_free (data);
  data = NULL;
  if (add && st == SOL_OK) st = take_image (file, path, &data, &bytes);
  sol_h5_close (file);
  sol_h5_unlock ();
  if (add && st == SOL_OK) st = sol_file_write (path, data, bytes);
  if (lock >= 0) close (lock);
  sol_free (data);
  sol_evals_free (&old);
  return st;
}

sol_status_t sol_evals_append (const char *path, const sol_evals_row_t *row, const sol_evals_problem_t *problems) { return append (path, row, problems, 0); }
sol_status_t sol_evals_append_once (const char *path, const sol_evals_row_t *row, const sol_evals_problem_t *problems) { return append (path, row, problems, 1); }

int sol_evals_is (const char *path)
{
  char head[sizeof FORMAT] = "";
  sol_h5_lock ();
  hid_t access = sol_h5_access (), file = H5Fopen (path, H5F_ACC_RDONLY, access), type = H5I_INVALID_HID;
  hid_t attr = file >= 0 && H5Aexists (file, "format") > 0 ? H5Aopen (file, "format", H5P_DEFAULT) : H5I_INVALID_HID;
  if (attr >= 0 && (type = H5Aget_type (attr)) >= 0 && H5Tget_class (type) == H5T_STRING && H5Tis_variable_str (type) == 0 && H5Tget_size (type) == sizeof head) H5Aread (attr, type, head);
  H5Eclear2 (H5E_DEFAULT);
  sol_h5_close (type);
  sol_h5_close (attr);
  sol_h5_close (file);
  sol_h5_close (access);
  sol_h5_unlock ();
  return memcmp (head, FORMAT, sizeof head) == 0;
}
