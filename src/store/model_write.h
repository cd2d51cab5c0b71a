/* SPDX-License-Identifier: Apache-2.0 */
/* model_write.h: a model folder from weights that need not lie in memory all at once. */
#ifndef SOL_MODEL_WRITE_H
#define SOL_MODEL_WRITE_H
#include "solera/safetensors.h"

typedef struct {
  void *ctx;
  /* Matrix rows [first, first + n) of row `row` of the table (a vector has one), float32, row after row: *rows_p points at room (n * cols elements), filled, or at memory of the source's own. */
  sol_status_t (*rows) (void *ctx, int row, int64_t first, int64_t n, float *room, const float **rows_p);
  /* writes what else the folder has; NULL: nothing */
  sol_status_t (*more) (void *ctx, const char *dir);
} sol_model_source_t;

/* sol_model_save of a source: the same files, as atomic */
sol_status_t sol_model_write (const char *dir, const sol_arch_t *arch, const sol_table_t *table, const sol_model_source_t *source, sol_dtype_t dtype, size_t max_file_bytes);
#endif
