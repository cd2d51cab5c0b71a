/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/file.h"
#include "../tap.h"
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[256];
static char *at (const char *name) { return sol_path_join (dir, name); }

static void test_paths (void)
{
  char *a = sol_path_join ("x", "y"), *b = sol_path_join ("x/", "y"), *c = sol_path_join ("", "y"), *d = sol_path_join ("/", "y");
  ok (!strcmp (a, "x/y") && !strcmp (b, "x/y") && !strcmp (c, "y") && !strcmp (d, "/y"));
  sol_free (a);
  sol_free (b);
  sol_free (c);
  sol_free (d);
}

static void test_files (void)
{
  char *f = at ("file"), *g = at ("copy"), *e = at ("empty"), *missing = at ("no/such/file"), *data = NULL;
  size_t n = 99;
  ok (sol_file_write (f, "hello", 5) == SOL_OK);
  ok (sol_file_write (f, "hullo!", 6) == SOL_OK);
  ok (sol_file_read (f, 0, &data, &n) == SOL_OK && n == 6 && strcmp (data, "hullo!") == 0);
  sol_free (data);
  data = NULL;
  ok (sol_file_read (f, 5, &data, &n) == SOL_ERR_LIMIT && data == NULL);
  ok (sol_file_read (missing, 0, &data, &n) == SOL_ERR_IO && data == NULL);
  ok (sol_file_read (dir, 0, &data, &n) == SOL_ERR_IO && data == NULL);
  ok (sol_file_write (missing, "x", 1) == SOL_ERR_IO);
  ok (sol_file_write (dir, "x", 1) == SOL_ERR_IO); /* a folder stands there */
  ok (sol_file_copy (f, g) == SOL_OK);
  sol_map_t map;
  ok (sol_file_map (g, &map) == SOL_OK && map.bytes == 6 && memcmp (map.data, "hullo!", 6) == 0);
  sol_file_unmap (&map);
  ok (sol_file_write (e, NULL, 0) == SOL_OK);
  ok (sol_file_map (e, &map) == SOL_OK && map.bytes == 0 && map.data == NULL);
  sol_file_unmap (&map);
  ok (sol_file_map (missing, &map) == SOL_ERR_IO);
  ok (sol_file_read (e, 0, &data, &n) == SOL_OK && n == 0 && data[0] == 0);
  sol_free (data);
  char *tmp = at ("file.tmp");
  ok (sol_file_exists (f) && !sol_file_exists (tmp));
  char *fifo = at ("fifo");
  need (mkfifo (fifo, 0600) == 0);
  data = NULL;
  ok (sol_file_read (fifo, 0, &data, &n) == SOL_ERR_IO); /* and does not hang */
  sol_free (fifo);
  sol_free (tmp);
  sol_free (f);
  sol_free (g);
  sol_free (e);
  sol_free (missing);
}

static void test_inside (void)
{
  char *run = at ("run"), *model = at ("run/model"), *other = at ("running"), *link = at ("to"), *linked = at ("to/model"), *round = at ("running/../run"), *missing = at ("run/none");
  need (sol_dir_make (model) == SOL_OK && sol_dir_make (other) == SOL_OK && symlink (run, link) == 0);
  ok (sol_path_inside (model, run) && sol_path_inside (run, run) && sol_path_inside (linked, run) && sol_path_inside (round, run) && sol_path_inside (model, link) && sol_path_inside (run, "/"));
  ok (!sol_path_inside (run, model) && !sol_path_inside (other, run) && !sol_path_inside (missing, run) && !sol_path_inside (run, missing));
  need (unlink (link) == 0 && sol_dir_remove (run) == SOL_OK && sol_dir_remove (other) == SOL_OK);
  char *all[] = { run, model, other, link, linked, round, missing };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) sol_free (all[i]);
}

static void test_dirs (void)
{
  char *deep = at ("a/b//c/"), *inner = at ("a/b/c/file"), *a = at ("a"), *file = at ("file"), *link = at ("a/link"), *under = at ("file/x");
  ok (sol_dir_is_empty (deep));
  ok (sol_dir_make (deep) == SOL_OK && sol_dir_make (deep) == SOL_OK && sol_dir_is_empty (deep));
  ok (sol_file_write (inner, "x", 1) == SOL_OK && !sol_dir_is_empty (deep));
  ok (sol_dir_make (under) == SOL_ERR_IO && sol_dir_make ("") == SOL_ERR_IO && sol_dir_make (file) == SOL_ERR_IO);
  ok (!sol_dir_is_empty (file));
  ok (sol_dir_check (deep) == SOL_OK && sol_dir_check ("/nowhere/deep") == SOL_OK && sol_dir_check (file) == SOL_ERR_USAGE && sol_dir_check (under) == SOL_ERR_USAGE);
  need (symlink (dir, link) == 0);
  ok (sol_dir_remove (a) == SOL_OK && !sol_file_exists (a) && sol_file_exists (file)); /* the link is removed, not what it names */
  ok (sol_dir_remove (a) == SOL_OK);
  ok (sol_file_sync_dir (dir) == SOL_OK && sol_file_sync_dir (a) == SOL_ERR_IO);
  sol_free (deep);
  sol_free (inner);
  sol_free (a);
  sol_free (file);
  sol_free (link);
  sol_free (under);
}

int main (void)
{
  snprintf (dir, sizeof dir, "%s/file-XXXXXX", getenv ("TEST_TMPDIR") ? getenv ("TEST_TMPDIR") : "/tmp");
  need (mkdtemp (dir));
  test_paths ();
  test_files ();
  test_inside ();
  test_dirs ();
  ok (sol_dir_remove (dir) == SOL_OK && !sol_file_exists (dir));
  return tap_done ();
}
