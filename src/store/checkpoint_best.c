/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoint_best.c: RUN/checkpoints/best names the checkpoint that an evaluation preferred, as latest names the newest */
#include "checkpoint_dir.h"
#include "solera/buffer.h"
#include "solera/checkpoint.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static char *in_root (const char *run_dir, const char *name)
{
  char *root = sol_path_join (run_dir, "checkpoints"), *path = sol_path_join (root, name);
  sol_free (root);
  return path;
}

int sol_checkpoint_there (const char *run_dir, int64_t update)
{
  char name[32];
  snprintf (name, sizeof name, "u%08" PRId64, update);
  char *path = in_root (run_dir, name);
  const int yes = sol_file_exists (path);
  sol_free (path);
  return yes;
}

sol_status_t sol_checkpoint_best_in (const char *root, int64_t *update_p)
{
  char *path = sol_path_join (root, "best"), *text = NULL, name[32];
  size_t bytes;
  sol_status_t st = SOL_OK;
  *update_p = -1;
  if (!sol_file_exists (path)) goto out;
  SOL_GO (sol_file_read (path, 64, &text, &bytes));
  if (sscanf (text, "u%" SCNd64, update_p) == 1 && *update_p >= 0) snprintf (name, sizeof name, "u%08" PRId64 "\n", *update_p);
  else *name = 0;
  if (strcmp (name, text)) {
    st = sol_fail (SOL_ERR_FORMAT, "checkpoint", "%s: expected the name of a checkpoint as u00000320, found \"%.*s\"", path, (int) strcspn (text, "\n"), text);
    *update_p = -1;
  }
out:
  sol_free (text);
  sol_free (path);
  return st;
}

sol_status_t sol_checkpoint_best (const char *run_dir, int64_t *update_p)
{
  char *root = sol_path_join (run_dir, "checkpoints");
  const sol_status_t st = sol_checkpoint_best_in (root, update_p);
  sol_free (root);
  return st;
}

sol_status_t sol_checkpoint_name_best (const char *run_dir, int64_t update)
{
  char *path = in_root (run_dir, "best"), name[32];
  sol_status_t st = SOL_OK;
  snprintf (name, sizeof name, "u%08" PRId64 "\n", update);
  if (update >= 0) st = sol_file_write (path, name, strlen (name));
  else if (remove (path) && errno != ENOENT) st = sol_fail (SOL_ERR_IO, "checkpoint", "%s: removing failed: %s", path, strerror (errno));
  sol_free (path);
  return st;
}

sol_status_t sol_checkpoint_prune (const char *run_dir, int64_t update, int keep_last)
{
  char *root = sol_path_join (run_dir, "checkpoints");
  const sol_status_t st = sol_checkpoint_keep (root, update, keep_last, INT64_MAX, 1);
  sol_free (root);
  return st;
}
