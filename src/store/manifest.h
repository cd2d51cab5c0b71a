/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.h: manifest.json of a checkpoint. Its first line carries the XXH3 of all bytes behind that line, so that a flip in the manifest itself is seen. */
#ifndef SOL_MANIFEST_H
#define SOL_MANIFEST_H
#include "solera/buffer.h"
#include "solera/checkpoint.h"

#define SOL_CHECKPOINT_VERSION 1
typedef struct { char *name; int64_t bytes; uint64_t hash; } sol_manifest_file_t;
typedef struct {
  sol_checkpoint_t info;
  char *settings;
  int n_files;
  sol_manifest_file_t *file;
} sol_manifest_t;
void sol_manifest_text (const sol_manifest_t *m, sol_buffer_t *out);
/* path: for messages. m_p is filled, and needs sol_manifest_clear, only on SOL_OK */
sol_status_t sol_manifest_parse (const char *path, const char *text, size_t bytes, sol_manifest_t *m_p);
void sol_manifest_clear (sol_manifest_t *m);
/* size and XXH3 of a file, synced to the disk first when sync is set */
sol_status_t sol_manifest_measure (const char *path, int sync, int64_t *bytes_p, uint64_t *hash_p);
#endif
