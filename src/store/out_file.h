/* SPDX-License-Identifier: Apache-2.0 */
/* out_file.h: a file written in pieces that is on the disk once close has returned OK. The first error is logged with the path; later calls on the same file return it again. */
#ifndef SOL_OUT_FILE_H
#define SOL_OUT_FILE_H
#include "solera/status.h"
#include <stddef.h>

typedef struct { char *path; int fd; sol_status_t st; size_t held, room; char *buffer; } sol_out_file_t;
sol_status_t sol_out_open (const char *path, sol_out_file_t *f);
sol_status_t sol_out_write (sol_out_file_t *f, const void *data, size_t bytes);
/* flushes, fsyncs, closes; also after an error, which it returns */
sol_status_t sol_out_close (sol_out_file_t *f);
/* all bytes at an offset of an open file, in spite of short writes and signals */
sol_status_t sol_out_pwrite (int fd, const char *path, const void *data, size_t bytes, size_t offset);
#endif
