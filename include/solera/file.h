/* SPDX-License-Identifier: Apache-2.0 */
/* file.h: whole files, folders, atomic replacement. All errors name the path. */
#ifndef SOL_FILE_H
#define SOL_FILE_H
#include "solera/status.h"
#include <stddef.h>
#include <stdint.h>

/* the file in memory, one zero byte added behind; sol_free it. Refuses more than max bytes (0: 1 GiB). */
sol_status_t sol_file_read (const char *path, size_t max, char **data_p, size_t *bytes_p);
/* read-only map; empty files give data NULL. Unmap with sol_file_unmap. */
typedef struct { const uint8_t *data; size_t bytes; } sol_map_t;
sol_status_t sol_file_map (const char *path, sol_map_t *map_p);
void sol_file_unmap (sol_map_t *map);
/* write to PATH.tmp, fsync, rename, fsync of the folder */
sol_status_t sol_file_write (const char *path, const void *data, size_t bytes);
/* the same for a path that several processes may write at once, with a name of its own for each in place of PATH.tmp: nobody fails, and the last one's file stays */
sol_status_t sol_file_write_shared (const char *path, const void *data, size_t bytes);
sol_status_t sol_file_sync_dir (const char *path);
sol_status_t sol_dir_make (const char *path); /* mkdir -p */
sol_status_t sol_dir_remove (const char *path); /* rm -r; a missing path is fine */
int sol_file_exists (const char *path);
/* SOL_ERR_USAGE: path is something else than a folder, or what should hold it is; nothing there is fine */
sol_status_t sol_dir_check (const char *path);
int sol_dir_is_empty (const char *path); /* 1 too when it does not exist */
/* DIR/NAME, sol_free it */
char *sol_path_join (const char *dir, const char *name);
/* 1: path is dir or lies in it, whatever links lead there; 0 too when one of them does not exist */
int sol_path_inside (const char *path, const char *dir);
sol_status_t sol_file_copy (const char *from, const char *to);
#endif
