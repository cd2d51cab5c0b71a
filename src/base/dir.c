/* SPDX-License-Identifier: Apache-2.0 */
/* the folder half of file.h */
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FAIL(what, path) sol_fail (SOL_ERR_IO, "file", "%s: cannot %s: %s", (path), (what), strerror (errno))

static int is_dir (const char *path)
{
  struct stat sb;
  return stat (path, &sb) == 0 && S_ISDIR (sb.st_mode);
}

/* many ranks make the same folder at the same time: EEXIST is success when it is a folder */
static sol_status_t make_one (const char *path)
{
  if (mkdir (path, 0777) == 0) return SOL_OK;
  const int why = errno;
  if (is_dir (path)) return SOL_OK;
  errno = why;
  return FAIL ("make the folder", path);
}

sol_status_t sol_dir_make (const char *path)
{
  sol_status_t st = SOL_OK;
  if (!*path) return sol_fail (SOL_ERR_IO, "file", "cannot make a folder without a name");
  char *p = sol_strdup (path);
  for (char *s = p + 1; st == SOL_OK && *s; s++)
    if (*s == '/' && s[-1] != '/') {
      *s = 0;
      st = make_one (p);
      *s = '/';
    }
  if (st == SOL_OK) st = make_one (p);
  sol_free (p);
  return st;
}

static sol_status_t remove_tree (const char *path, int depth)
{
  struct stat sb;
  if (lstat (path, &sb) != 0) return errno == ENOENT ? SOL_OK : FAIL ("look at", path);
  if (!S_ISDIR (sb.st_mode)) return unlink (path) == 0 || errno == ENOENT ? SOL_OK : FAIL ("remove", path);
  if (depth > 64) return sol_fail (SOL_ERR_LIMIT, "file", "%s: folders are nested too deeply to be removed", path);
  DIR *d = opendir (path);
  if (!d) return errno == ENOENT ? SOL_OK : FAIL ("open folder", path);
  sol_status_t st = SOL_OK;
  for (struct dirent *e; st == SOL_OK && (e = readdir (d));) {
    if (strcmp (e->d_name, ".") == 0 || strcmp (e->d_name, "..") == 0) continue;
    char *child = sol_path_join (path, e->d_name);
    st = remove_tree (child, depth + 1);
    sol_free (child);
  }
  closedir (d);
  if (st == SOL_OK && rmdir (path) != 0 && errno != ENOENT) st = FAIL ("remove folder", path);
  return st;
}

sol_status_t sol_dir_remove (const char *path) { return remove_tree (path, 0); }

sol_status_t sol_dir_check (const char *path)
{
  struct stat sb;
  if (stat (path, &sb) == 0) return S_ISDIR (sb.st_mode) ? SOL_OK : sol_fail (SOL_ERR_USAGE, "file", "%s: expected a folder, or nothing there yet; found %s", path, S_ISREG (sb.st_mode) ? "a file" : "something else");
  return errno == ENOENT ? SOL_OK : sol_fail (SOL_ERR_USAGE, "file", "%s: cannot be a folder: %s", path, strerror (errno));
}

int sol_dir_is_empty (const char *path)
{
  DIR *d = opendir (path);
  if (!d) return errno == ENOENT;
  int empty = 1;
  for (struct dirent *e; empty && (e = readdir (d));) empty = strcmp (e->d_name, ".") == 0 || strcmp (e->d_name, "..") == 0;
  closedir (d);
  return empty;
}
