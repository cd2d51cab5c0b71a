/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors_file.h: one mapped safetensors file whose header has been checked wholly: 8 bytes little-endian header length, JSON, then the bytes of all tensors without holes. */
#ifndef SOL_SAFETENSORS_FILE_H
#define SOL_SAFETENSORS_FILE_H
#include "solera/file.h"
#include "solera/status.h"

#define SOL_ST_DIMS 8
typedef struct {
  char *name;
  const char *dtype; /* "F32", ... : a constant of the reader's table */
  int n_dims;
  int64_t dim[SOL_ST_DIMS];
  uint64_t begin, end; /* bytes after the header */
} sol_st_entry_t;

typedef struct {
  sol_map_t map;
  const uint8_t *data; /* first byte after the header */
  int n;
  sol_st_entry_t *entry; /* in order of begin */
} sol_st_file_t;

/* every bound, dtype, shape, offset, hole, overlap and doubled name is checked; file_p needs sol_st_file_close only on SOL_OK */
sol_status_t sol_st_file_open (const char *path, sol_st_file_t *file_p);
void sol_st_file_close (sol_st_file_t *file);
/* "[320, 64]" into text */
void sol_st_shape_text (const int64_t *dim, int n_dims, char *text, size_t room);
#endif
