/* SPDX-License-Identifier: Apache-2.0 */
#include "out_file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define ROOM "store"
#define BUFFER ((size_t) 1 << 20)
#define PIECE ((size_t) 1 << 30) /* Linux moves at most 2 GiB a call */

static sol_status_t failed (sol_out_file_t *f, const char *what)
{
  f->st = sol_fail (SOL_ERR_IO, ROOM, "%s: %s failed: %s", f->path, what, strerror (errno));
  return f->st;
}

static int write_all (int fd, const char *data, size_t bytes)
{
  while (bytes) {
    ssize_t n = write (fd, data, bytes < PIECE ? bytes : PIECE);
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = ENOSPC;
    if (n <= 0) return -1;
    data += n;
    bytes -= (size_t) n;
  }
  return 0;
}

sol_status_t sol_out_open (const char *path, sol_out_file_t *f)
{
  *f = (sol_out_file_t){ .path = sol_strdup (path), .st = SOL_OK, .room = BUFFER };
  f->fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (f->fd < 0) {
    failed (f, "creating");
    sol_free (f->path);
    f->path = NULL;
    return f->st;
  }
  f->buffer = sol_alloc (BUFFER);
  return SOL_OK;
}

static sol_status_t drain (sol_out_file_t *f)
{
  size_t n = f->held;
  f->held = 0;
  return n && write_all (f->fd, f->buffer, n) ? failed (f, "writing") : SOL_OK;
}

sol_status_t sol_out_write (sol_out_file_t *f, const void *data, size_t bytes)
{
  SOL_TRY (f->st);
  if (f->held + bytes > f->room) SOL_TRY (drain (f));
  if (bytes > f->room) return write_all (f->fd, data, bytes) ? failed (f, "writing") : SOL_OK;
  if (bytes) memcpy (f->buffer + f->held, data, bytes);
  f->held += bytes;
  return SOL_OK;
}

sol_status_t sol_out_close (sol_out_file_t *f)
{
  if (!f->path) return f->st;
  if (f->st == SOL_OK) drain (f);
  if (f->st == SOL_OK && fsync (f->fd)) failed (f, "fsync");
  if (close (f->fd) && f->st == SOL_OK) failed (f, "closing");
  sol_free (f->buffer);
  sol_free (f->path);
  f->path = NULL;
  return f->st;
}

sol_status_t sol_out_pwrite (int fd, const char *path, const void *data, size_t bytes, size_t offset)
{
  const char *from = data;
  while (bytes) {
    ssize_t n = pwrite (fd, from, bytes < PIECE ? bytes : PIECE, (off_t) offset);
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = ENOSPC;
    if (n <= 0) return sol_fail (SOL_ERR_IO, ROOM, "%s: writing %zu bytes at %zu failed: %s", path, bytes, offset, strerror (errno));
    from += n;
    offset += (size_t) n;
    bytes -= (size_t) n;
  }
  return SOL_OK;
}
