/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/file.h"
#include "solera/buffer.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FAIL(what, path) sol_fail (SOL_ERR_IO, "file", "%s: cannot %s: %s", (path), (what), strerror (errno))

int sol_path_inside (const char *path, const char *dir)
{
  char *p = realpath (path, NULL), *d = realpath (dir, NULL); /* of the C library: free */
  const size_t n = d ? strlen (d) : 0;
  const int inside = p && d && strncmp (p, d, n) == 0 && (p[n] == 0 || p[n] == '/' || d[n - 1] == '/');
  free (p);
  free (d);
  return inside;
}

char *sol_path_join (const char *dir, const char *name)
{
  const size_t n = strlen (dir), m = strlen (name);
  const int slash = n > 0 && dir[n - 1] != '/';
  char *path = sol_alloc (n + m + 2);
  memcpy (path, dir, n);
  if (slash) path[n] = '/';
  memcpy (path + n + slash, name, m);
  return path;
}

static sol_status_t read_all (int fd, const char *path, char *data, size_t bytes)
{
  for (size_t at = 0; at < bytes;) {
    const ssize_t n = read (fd, data + at, bytes - at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FAIL ("read", path);
    if (n == 0) return sol_fail (SOL_ERR_IO, "file", "%s: became shorter while it was read: expected %zu bytes, found %zu", path, bytes, at);
    at += (size_t) n;
  }
  return SOL_OK;
}

static sol_status_t write_all (int fd, const char *path, const char *data, size_t bytes)
{
  for (size_t at = 0; at < bytes;) {
    const ssize_t n = write (fd, data + at, bytes - at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FAIL ("write", path);
    at += (size_t) n;
  }
  return SOL_OK;
}

/* opens a plain file for reading and says how long it is */
static sol_status_t open_plain (const char *path, int *fd_p, size_t *bytes_p)
{
  struct stat sb;
  const int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not make us wait: it is refused below */
  if (fd < 0) return FAIL ("open", path);
  if (fstat (fd, &sb) != 0 || !S_ISREG (sb.st_mode)) {
    close (fd);
    return sol_fail (SOL_ERR_IO, "file", "%s: expected a file, found %s", path, S_ISDIR (sb.st_mode) ? "a folder" : "something else");
  }
  *fd_p = fd;
  *bytes_p = (size_t) sb.st_size;
  return SOL_OK;
}

sol_status_t sol_file_read (const char *path, size_t max, char **data_p, size_t *bytes_p)
{
  int fd = -1;
  size_t bytes = 0;
  void *data = NULL;
  sol_status_t st;
  if (max == 0) max = (size_t) 1 << 30;
  SOL_TRY (open_plain (path, &fd, &bytes));
  if (bytes > max) {
    st = sol_fail (SOL_ERR_LIMIT, "file", "%s: expected at most %zu bytes, found %zu", path, max, bytes);
    goto out;
  }
  SOL_GO (sol_alloc_large (bytes + 1, path, &data));
  SOL_GO (read_all (fd, path, data, bytes));
  *data_p = data;
  *bytes_p = bytes;
  data = NULL;
out:
  sol_free (data);
  close (fd);
  return st;
}

sol_status_t sol_file_map (const char *path, sol_map_t *map_p)
{
  int fd = -1;
  size_t bytes = 0;
  void *data = NULL;
  SOL_TRY (open_plain (path, &fd, &bytes));
  if (bytes) data = mmap (NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
  close (fd);
  if (data == MAP_FAILED) return FAIL ("map", path);
  *map_p = (sol_map_t) { data, bytes };
  return SOL_OK;
}

void sol_file_unmap (sol_map_t *map)
{
  if (map->data) munmap ((void *) (uintptr_t) map->data, map->bytes);
  *map = (sol_map_t) { 0 };
}

sol_status_t sol_file_sync_dir (const char *path)
{
  const int fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return FAIL ("open folder", path);
  /* some network file systems cannot sync a folder; the rename is then as durable as they make it */
  const int bad = fsync (fd) != 0 && errno != EINVAL && errno != ENOTSUP;
  sol_status_t st = bad ? FAIL ("sync", path) : SOL_OK;
  close (fd);
  return st;
}

static char *parent_of (const char *path)
{
  char *dir = sol_strdup (path);
  char *slash = strrchr (dir, '/');
  if (slash == dir) slash[1] = 0;
  else if (slash) *slash = 0;
  else {
    sol_free (dir);
    dir = sol_strdup (".");
  }
  return dir;
}

static sol_status_t write_by (const char *path, const char *tmp, const void *data, size_t bytes)
{
  sol_status_t st;
  char *dir = parent_of (path);
  int fd = -1;
  fd = open (tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) {
    st = FAIL ("write", tmp);
    goto out;
  }
  SOL_GO (write_all (fd, tmp, data, bytes));
  if (fsync (fd) != 0) {
    st = FAIL ("sync", tmp);
    goto out;
  }
  if (rename (tmp, path) != 0) {
    st = FAIL ("rename to", path);
    goto out;
  }
  st = sol_file_sync_dir (dir);
out:
  if (fd >= 0) close (fd);
  if (st != SOL_OK && fd >= 0) unlink (tmp);
  sol_free (dir);
  return st;
}

sol_status_t sol_file_write (const char *path, const void *data, size_t bytes)
{
  sol_buffer_t tmp = { 0 };
  sol_buffer_printf (&tmp, "%s.tmp", path);
  const sol_status_t st = write_by (path, tmp.data, data, bytes);
  sol_buffer_free (&tmp);
  return st;
}

sol_status_t sol_file_write_shared (const char *path, const void *data, size_t bytes)
{
  char host[64] = "";
  sol_buffer_t tmp = { 0 };
  gethostname (host, sizeof host - 1);
  sol_buffer_printf (&tmp, "%s.%s.%ld.tmp", path, host, (long) getpid ());
  const sol_status_t st = write_by (path, tmp.data, data, bytes);
  sol_buffer_free (&tmp);
  return st;
}

int sol_file_exists (const char *path)
{
  struct stat sb;
  return stat (path, &sb) == 0;
}

sol_status_t sol_file_copy (const char *from, const char *to)
{
  sol_map_t map;
  SOL_TRY (sol_file_map (from, &map));
  const sol_status_t st = sol_file_write (to, map.data, map.bytes);
  sol_file_unmap (&map);
  return st;
}
