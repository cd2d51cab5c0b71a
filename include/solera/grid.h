/* SPDX-License-Identifier: Apache-2.0 */
/* grid.h: results by update as an HDF5 file: one data set [updates, width] of float64 a column, and `update` [updates] of int64. */
#ifndef SOL_GRID_H
#define SOL_GRID_H
#include "solera/status.h"
#include <stdint.h>

typedef struct { const char *name, *unit, *doc; int width; } sol_grid_column_t;
typedef struct { const char *name, *text; } sol_grid_text_t; /* an attribute of the file */
/* Writes the file as a whole, in the place of what stands there. row: [n_rows][sum of widths], the columns one after another; NaN: there is none. Not collective. SOL_ERR_IO names the path. */
typedef struct {
  const sol_grid_column_t *column;
  int n_columns;
  const sol_grid_text_t *text;
  int n_texts;
  const int64_t *update;
  const double *row;
  int64_t n_rows;
} sol_grid_t;
sol_status_t sol_grid_write (const char *path, const sol_grid_t *grid);
#endif
