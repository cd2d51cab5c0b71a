/* SPDX-License-Identifier: Apache-2.0 */
#include "replace.h"
#include "solera/buffer.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static sol_status_t rename_dir (const char *from, const char *to)
{
  return rename (from, to) ? sol_fail (SOL_ERR_IO, "store", "%s: renaming to %s failed: %s", from, to, strerror (errno)) : SOL_OK;
}

static sol_status_t sync_parent (const char *path)
{
  char *parent = sol_strdup (path), *slash = strrchr (parent, '/');
  if (slash == parent) slash++;
  if (slash) *slash = 0;
  sol_status_t st = sol_file_sync_dir (slash ? parent : ".");
  sol_free (parent);
  return st;
}

sol_status_t sol_dir_replace (const char *tmp, const char *dir)
{
  sol_buffer_t old = { 0 };
  sol_status_t st = SOL_OK;
  sol_buffer_printf (&old, "%s.old", dir);
  if (!sol_file_exists (dir)) SOL_GO (rename_dir (tmp, dir));
  else if (renameat2 (AT_FDCWD, tmp, AT_FDCWD, dir, RENAME_EXCHANGE) == 0) SOL_GO (sol_dir_remove (tmp)); /* tmp is the old one now */
  else {
    SOL_GO (sol_dir_remove (old.data));
    SOL_GO (rename_dir (dir, old.data));
    SOL_GO (rename_dir (tmp, dir));
    SOL_GO (sol_dir_remove (old.data));
  }
  st = sync_parent (dir);
out:
  sol_buffer_free (&old);
  return st;
}
