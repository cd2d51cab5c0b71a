/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint_dir.h"
#include "solera/checkpoint.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM "checkpoint"
#define MANIFEST_MOST ((size_t) 64 << 20)

static void name_of (int64_t update, char *name, size_t room) { snprintf (name, room, "u%08" PRId64, update); }

/* "u00000320" -> 320, anything else -> -1 */
static int64_t parse_name (const char *s)
{
  char name[32];
  size_t n = strlen (s);
  if (*s != 'u' || n < 9 || n > 18 || strspn (s + 1, "0123456789") != n - 1) return -1;
  int64_t update = strtoll (s + 1, NULL, 10);
  name_of (update, name, sizeof name);
  return strcmp (name, s) ? -1 : update;
}

static int by_update (const void *a, const void *b)
{
  int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;
  return x > y ? -1 : x < y;
}

/* updates of the folders under root, newest first; none when root is missing */
static sol_status_t list (const char *root, int64_t **updates_p, int *n_p)
{
  int64_t *u = NULL;
  int n = 0, room = 0;
  DIR *d = opendir (root);
  if (!d && errno != ENOENT) return sol_fail (SOL_ERR_IO, ROOM, "%s: reading the folder failed: %s", root, strerror (errno));
  for (struct dirent *e; d && (e = readdir (d));) {
    int64_t k = parse_name (e->d_name);
    if (k < 0) continue;
    if (n == room) u = sol_realloc (u, sizeof *u * (size_t) (room = room ? 2 * room : 16));
    u[n++] = k;
  }
  if (d) closedir (d);
  if (n) qsort (u, (size_t) n, sizeof *u, by_update);
  *updates_p = u;
  *n_p = n;
  return SOL_OK;
}

static char *dir_of (const char *root, int64_t update)
{
  char name[32];
  name_of (update, name, sizeof name);
  return sol_path_join (root, name);
}

/* the name goes first, so that a kill in the middle of a removal leaves no damaged checkpoint */
static sol_status_t discard (const char *path)
{
  sol_buffer_t old = { 0 };
  sol_buffer_printf (&old, "%s.old", path);
  sol_status_t st = sol_dir_remove (old.data);
  if (st == SOL_OK && rename (path, old.data)) st = sol_fail (SOL_ERR_IO, ROOM, "%s: renaming to %s failed: %s", path, old.data, strerror (errno));
  if (st == SOL_OK) st = sol_dir_remove (old.data);
  sol_buffer_free (&old);
  return st;
}

sol_status_t sol_checkpoint_keep (const char *root, int64_t update, int keep_last, int64_t spare_from, int64_t spare_every)
{
  int64_t *u, best;
  int n, kept = 0;
  sol_status_t st = SOL_OK;
  SOL_TRY (sol_checkpoint_best_in (root, &best));
  SOL_TRY (list (root, &u, &n));
  for (int i = 0; i < n && st == SOL_OK; i++) {
    if (u[i] <= update && (kept++ < keep_last || u[i] == best || (u[i] >= spare_from && u[i] % spare_every == 0))) continue;
    char *path = dir_of (root, u[i]);
    if (u[i] > update) sol_log (SOL_LOG_WARN, ROOM, "%s is removed: the run went back before it and now stands at update %" PRId64, path, update);
    st = discard (path);
    sol_free (path);
  }
  sol_free (u);
  return st;
}

static int is_left (const struct dirent *e)
{
  size_t n = strlen (e->d_name);
  return e->d_name[0] == 'u' && n > 4 && (!strcmp (e->d_name + n - 4, ".tmp") || !strcmp (e->d_name + n - 4, ".old"));
}

sol_status_t sol_checkpoint_clean (const char *root)
{
  struct dirent **found = NULL;
  sol_status_t st = SOL_OK;
  int n = scandir (root, &found, is_left, alphasort);
  if (n < 0) return sol_fail (SOL_ERR_IO, ROOM, "%s: reading the folder failed: %s", root, strerror (errno));
  for (int i = 0; i < n; i++) {
    char *path = sol_path_join (root, found[i]->d_name);
    if (st == SOL_OK) st = sol_dir_remove (path);
    sol_free (path);
    free (found[i]);
  }
  free (found);
  return st;
}

static const sol_manifest_file_t *find_file (const sol_manifest_t *m, const char *name)
{
  for (int i = 0; i < m->n_files; i++)
    if (!strcmp (m->file[i].name, name)) return &m->file[i];
  return NULL;
}

sol_status_t sol_manifest_check_list (const char *dir, const sol_manifest_t *m)
{
  static const char *const blocks[] = { "weights.f32", "adam_m.f32", "adam_v.f32" };
  for (int i = 0; i < 3; i++) {
    const sol_manifest_file_t *f = find_file (m, blocks[i]);
    if (!f && i > 0) continue; /* weights alone are a checkpoint too */
    if (!f) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: %s is missing", dir, blocks[i]);
    if (f->bytes != m->info.elements * 4) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s/%s: expected %" PRId64 " bytes, found %" PRId64, dir, blocks[i], m->info.elements * 4, f->bytes);
  }
  for (int i = 0; i < m->info.n_queues; i++) {
    char name[32];
    snprintf (name, sizeof name, "queue.%d", i);
    if (!find_file (m, name)) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: %s is missing (%d queue files were announced)", dir, name, m->info.n_queues);
  }
  return SOL_OK;
}

static sol_status_t check_file (const char *dir, const sol_manifest_file_t *f)
{
  char *path = sol_path_join (dir, f->name);
  int64_t bytes;
  uint64_t hash;
  sol_status_t st = sol_manifest_measure (path, 0, &bytes, &hash);
  if (st == SOL_OK && bytes != f->bytes) st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: expected %" PRId64 " bytes, found %" PRId64, path, f->bytes, bytes);
  else if (st == SOL_OK && hash != f->hash) st = sol_fail (SOL_ERR_CHECKSUM, ROOM, "%s: expected checksum %016" PRIx64 ", found %016" PRIx64, path, f->hash, hash);
  sol_free (path);
  return st;
}

sol_status_t sol_checkpoint_open (const char *dir, sol_checkpoint_t *info_p, char **settings_p)
{
  sol_manifest_t m = { 0 };
  char *path = sol_path_join (dir, "manifest.json"), *text = NULL;
  size_t bytes;
  sol_status_t st;
  SOL_GO (sol_file_read (path, MANIFEST_MOST, &text, &bytes));
  SOL_GO (sol_manifest_parse (path, text, bytes, &m));
  SOL_GO (sol_manifest_check_list (dir, &m));
  for (int i = 0; i < m.n_files; i++) SOL_GO (check_file (dir, &m.file[i]));
  *info_p = m.info;
  if (settings_p) { *settings_p = m.settings; m.settings = NULL; }
out:
  sol_manifest_clear (&m);
  sol_free (text);
  sol_free (path);
  return st;
}

sol_status_t sol_checkpoint_find (const char *run_dir, sol_checkpoint_check_t check, sol_checkpoint_t *info_p, char **dir_p, char **settings_p)
{
  char *root = sol_path_join (run_dir, "checkpoints"), *dir = NULL, *settings = NULL;
  int64_t *u = NULL;
  int n = 0;
  sol_checkpoint_t info;
  sol_status_t st = list (root, &u, &n);
  if (st != SOL_OK) goto out;
  st = SOL_END;
  for (int i = 0; i < n && st != SOL_OK; i++) {
    sol_free (dir);
    dir = dir_of (root, u[i]);
    st = sol_checkpoint_open (dir, &info, &settings);
    if (st == SOL_OK) {
      if (info.update != u[i]) st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: its manifest says update %" PRId64, dir, info.update);
      else if (check) st = check (dir, &info);
      if (st != SOL_OK) {
        sol_free (settings);
        settings = NULL;
      }
    }
    if (st == SOL_ERR_UNSUPPORTED) goto out; /* a newer program's: going back silently would lose its work */
    if (st != SOL_OK && i + 1 < n) sol_log (SOL_LOG_WARN, ROOM, "%s is damaged; the one before it is tried", dir);
  }
  if (st == SOL_OK) {
    *info_p = info;
    if (dir_p) { *dir_p = dir; dir = NULL; }
    if (settings_p) { *settings_p = settings; settings = NULL; }
  } else if (n > 0) st = sol_fail (st, ROOM, "%s: none of %d checkpoints is whole", root, n);
out:
  sol_free (settings);
  sol_free (dir);
  sol_free (root);
  sol_free (u);
  return st;
}
