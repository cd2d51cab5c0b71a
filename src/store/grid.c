/* SPDX-License-Identifier: Apache-2.0 */
/* grid.c: the file is made in memory and written by sol_file_write: HDF5 1.10 does not survive a disk that is full. */
#include "solera/grid.h"
#include "h5.h"
#include "solera/file.h"
#include "solera/memory.h"

/* a data set without a time in it: the same figures give the same bytes */
static sol_status_t make_dset (hid_t file, const char *name, hid_t type, hid_t space, const char *path, hid_t *dset_p)
{
  hid_t how = H5Pcreate (H5P_DATASET_CREATE);
  sol_status_t st = SOL_H5 (H5Pset_obj_track_times (how, 0), path);
  if (st == SOL_OK) st = SOL_H5 (*dset_p = H5Dcreate2 (file, name, type, space, H5P_DEFAULT, how, H5P_DEFAULT), path);
  sol_h5_close (how);
  return st;
}

static sol_status_t describe (hid_t d, const char *unit, const char *doc, const char *path)
{
  SOL_TRY (sol_h5_put_text (d, "unit", unit, path));
  return sol_h5_put_text (d, "meaning", doc, path);
}

static sol_status_t put_updates (hid_t file, const sol_grid_t *g, const char *path)
{
  hsize_t n = (hsize_t) g->n_rows;
  hid_t space = H5Screate_simple (1, &n, NULL), d = H5I_INVALID_HID;
  sol_status_t st;
  SOL_GO (make_dset (file, "update", H5T_STD_I64LE, space, path, &d));
  if (n) SOL_GO (SOL_H5 (H5Dwrite (d, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, g->update), path));
  st = describe (d, "updates", "optimizer update of each row", path);
out:
  sol_h5_close (d);
  sol_h5_close (space);
  return st;
}

/* columns [first, first + width) of the rows */
static sol_status_t put_column (hid_t file, const sol_grid_t *g, int column, int first, int wide, const char *path)
{
  const sol_grid_column_t *c = &g->column[column];
  hsize_t shape[2] = { (hsize_t) g->n_rows, (hsize_t) c->width }, whole[2] = { (hsize_t) g->n_rows, (hsize_t) wide }, from[2] = { 0, (hsize_t) first };
  hid_t space = H5Screate_simple (2, shape, NULL), in = H5Screate_simple (2, whole, NULL), d = H5I_INVALID_HID;
  sol_status_t st;
  SOL_GO (make_dset (file, c->name, H5T_IEEE_F64LE, space, path, &d));
  if (g->n_rows) {
    SOL_GO (SOL_H5 (H5Sselect_hyperslab (in, H5S_SELECT_SET, from, NULL, shape, NULL), path));
    SOL_GO (SOL_H5 (H5Dwrite (d, H5T_NATIVE_DOUBLE, in, H5S_ALL, H5P_DEFAULT, g->row), path));
  }
  st = describe (d, c->unit, c->doc, path);
out:
  sol_h5_close (d);
  sol_h5_close (in);
  sol_h5_close (space);
  return st;
}

static sol_status_t fill (hid_t file, const sol_grid_t *g, const char *path)
{
  int wide = 0, first = 0;
  for (int i = 0; i < g->n_columns; i++) wide += g->column[i].width;
  for (int i = 0; i < g->n_texts; i++) SOL_TRY (sol_h5_put_text (file, g->text[i].name, g->text[i].text, path));
  SOL_TRY (put_updates (file, g, path));
  for (int i = 0; i < g->n_columns; first += g->column[i++].width) SOL_TRY (put_column (file, g, i, first, wide, path));
  return SOL_OK;
}

sol_status_t sol_grid_write (const char *path, const sol_grid_t *g)
{
  hid_t access, file = H5I_INVALID_HID;
  void *image = NULL;
  ssize_t bytes = 0;
  sol_status_t st;
  sol_h5_lock ();
  access = H5Pcreate (H5P_FILE_ACCESS);
  SOL_GO (SOL_H5 (H5Pset_fapl_core (access, (size_t) 1 << 20, 0), path));
  SOL_GO (SOL_H5 (file = H5Fcreate (path, H5F_ACC_TRUNC, H5P_DEFAULT, access), path));
  SOL_GO (fill (file, g, path));
  SOL_GO (SOL_H5 (H5Fflush (file, H5F_SCOPE_GLOBAL), path));
  SOL_GO (SOL_H5 (bytes = H5Fget_file_image (file, NULL, 0), path));
  SOL_GO (sol_alloc_large ((size_t) bytes, path, &image));
  SOL_GO (SOL_H5 (bytes = H5Fget_file_image (file, image, (size_t) bytes), path));
out:
  sol_h5_close (file);
  sol_h5_close (access);
  sol_h5_unlock ();
  if (st == SOL_OK) st = sol_file_write (path, image, (size_t) bytes);
  sol_free (image);
  return st;
}
