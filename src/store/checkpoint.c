/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a checkpoint: everything goes into UPDATE.tmp; only a folder whose files are all on the disk and listed in the manifest gets its final name. */
#include "solera/checkpoint.h"
#include "checkpoint_dir.h"
#include "manifest.h"
#include "out_file.h"
#include "replace.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM "checkpoint"
enum { N_BLOCKS = 3 };
static const char *const blocks[N_BLOCKS] = { "weights", "adam_m", "adam_v" };

struct sol_checkpoint_writer {
  sol_comm_t *comm;
  char *root, *final, *tmp; /* RUN/checkpoints, root/u00000320, root/u00000320.tmp */
  int64_t update, elements;
  int64_t spare_from, spare_every; /* see sol_checkpoint_spare */
  int64_t put[N_BLOCKS]; /* elements that this rank has put */
  int fd[N_BLOCKS];
  char *path[N_BLOCKS];
  sol_status_t st; /* first failure of this rank */
};

sol_status_t sol_checkpoint_begin (const char *run_dir, int64_t update, int64_t elements, sol_comm_t *comm, sol_checkpoint_writer_t **writer_p)
{
  SOL_ASSERT (update >= 0 && elements > 0);
  sol_checkpoint_writer_t *w = sol_alloc (sizeof *w);
  sol_buffer_t name = { 0 };
  sol_status_t st = SOL_OK;
  *w = (sol_checkpoint_writer_t){ .comm = comm, .update = update, .elements = elements, .spare_from = INT64_MAX, .spare_every = 1, .st = SOL_OK };
  w->root = sol_path_join (run_dir, "checkpoints");
  sol_buffer_printf (&name, "u%08" PRId64, update);
  w->final = sol_path_join (w->root, name.data);
  sol_buffer_printf (&name, ".tmp");
  w->tmp = sol_path_join (w->root, name.data);
  sol_buffer_free (&name);
  for (int i = 0; i < N_BLOCKS; i++) w->fd[i] = -1;
  if (sol_comm_rank (comm) == 0) {
    st = sol_dir_make (w->root);
    if (st == SOL_OK) st = sol_checkpoint_clean (w->root); /* what killed writers left */
    if (st == SOL_OK) st = sol_dir_make (w->tmp);
  }
  st = sol_comm_agree (comm, st);
  if (st == SOL_OK) { *writer_p = w; return SOL_OK; }
  sol_free (w->root);
  sol_free (w->final);
  sol_free (w->tmp);
  sol_free (w);
  return st;
}

const char *sol_checkpoint_dir (const sol_checkpoint_writer_t *w) { return w->tmp; }

void sol_checkpoint_spoil (sol_checkpoint_writer_t *w, sol_status_t st)
{
  if (w->st == SOL_OK) w->st = st;
}

void sol_checkpoint_spare (sol_checkpoint_writer_t *w, int64_t from, int64_t every)
{
  SOL_ASSERT (every >= 1);
  w->spare_from = from;
  w->spare_every = every;
}

static char *block_path (const char *dir, const char *what)
{
  sol_buffer_t name = { 0 };
  sol_buffer_printf (&name, "%s.f32", what);
  char *path = sol_path_join (dir, name.data);
  sol_buffer_free (&name);
  return path;
}

static int block_index (const char *what)
{
  int i = 0;
  while (i < N_BLOCKS && strcmp (blocks[i], what) != 0) i++;
  SOL_ASSERT (i < N_BLOCKS);
  return i;
}

sol_status_t sol_checkpoint_put (sol_checkpoint_writer_t *w, const char *what, int64_t first, int64_t n, const float *data)
{
  int i = block_index (what);
  SOL_ASSERT (first >= 0 && n >= 0 && first <= w->elements - n);
  SOL_TRY (w->st);
  if (w->fd[i] < 0) {
    if (!w->path[i]) w->path[i] = block_path (w->tmp, what);
    w->fd[i] = open (w->path[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (w->fd[i] < 0) return w->st = sol_fail (SOL_ERR_IO, ROOM, "%s: opening failed: %s", w->path[i], strerror (errno));
  }
  w->put[i] += n;
  return w->st = sol_out_pwrite (w->fd[i], w->path[i], data, (size_t) n * sizeof *data, (size_t) first * sizeof *data);
}

/* this rank's files are on the disk; all ranks' slices make whole blocks */
static sol_status_t finish_blocks (sol_checkpoint_writer_t *w)
{
  int64_t sum[N_BLOCKS];
  for (int i = 0; i < N_BLOCKS; i++) {
    if (w->fd[i] >= 0 && fsync (w->fd[i]) && w->st == SOL_OK) w->st = sol_fail (SOL_ERR_IO, ROOM, "%s: fsync failed: %s", w->path[i], strerror (errno));
    if (w->fd[i] >= 0 && close (w->fd[i]) && w->st == SOL_OK) w->st = sol_fail (SOL_ERR_IO, ROOM, "%s: closing failed: %s", w->path[i], strerror (errno));
    w->fd[i] = -1;
    sum[i] = w->put[i];
  }
  SOL_TRY (sol_comm_agree (w->comm, w->st));
  SOL_TRY (sol_comm_sum_i64 (w->comm, sum, N_BLOCKS));
  for (int i = 0; i < N_BLOCKS; i++)
    if (sum[i] != w->elements && !(i > 0 && sum[i] == 0)) { /* every rank knows; one says so */
      if (sol_comm_rank (w->comm) > 0) return SOL_ERR_USAGE;
      return sol_fail (SOL_ERR_USAGE, ROOM, "%s: %" PRId64 " of %" PRId64 " elements of %s were put", w->tmp, sum[i], w->elements, blocks[i]);
    }
  return SOL_OK;
}

static int is_file (const struct dirent *e) { return e->d_name[0] != '.'; }

/* sizes and hashes as read back from the folder, whoever wrote them */
static sol_status_t measure_folder (const char *dir, sol_manifest_t *m)
{
  struct dirent **list = NULL;
  int n = scandir (dir, &list, is_file, alphasort);
  sol_status_t st = n < 0 ? sol_fail (SOL_ERR_IO, ROOM, "%s: reading the folder failed: %s", dir, strerror (errno)) : SOL_OK;
  m->file = sol_alloc (sizeof *m->file * (size_t) (n > 0 ? n + 1 : 1));
  for (int i = 0; i < n; i++) {
    if (st == SOL_OK) {
      sol_manifest_file_t *f = &m->file[m->n_files++];
      f->name = sol_strdup (list[i]->d_name);
      char *path = sol_path_join (dir, f->name);
      st = sol_manifest_measure (path, 1, &f->bytes, &f->hash);
      sol_free (path);
    }
    free (list[i]);
  }
  free (list);
  return st;
}

static sol_status_t write_latest (const sol_checkpoint_writer_t *w)
{
  char *path = sol_path_join (w->root, "latest");
  sol_buffer_t text = { 0 };
  sol_buffer_printf (&text, "%s\n", strrchr (w->final, '/') + 1);
  sol_status_t st = sol_file_write (path, text.data, text.bytes);
  sol_buffer_free (&text);
  sol_free (path);
  return st;
}

/* rank 0: manifest, final name, latest, then the older ones go */
static sol_status_t seal (sol_checkpoint_writer_t *w, const sol_checkpoint_t *info, const char *settings, int keep_last)
{
  sol_manifest_t m = { .info = *info, .settings = sol_strdup (settings) };
  sol_buffer_t text = { 0 };
  char *path = sol_path_join (w->tmp, "manifest.json");
  sol_status_t st;
  m.info.update = w->update;
  m.info.elements = w->elements;
  SOL_GO (measure_folder (w->tmp, &m));
  SOL_GO (sol_manifest_check_list (w->tmp, &m));
  sol_manifest_text (&m, &text);
  SOL_GO (sol_file_write (path, text.data, text.bytes));
  SOL_GO (sol_file_sync_dir (w->tmp));
  SOL_GO (sol_dir_replace (w->tmp, w->final));
  SOL_GO (write_latest (w));
  st = sol_checkpoint_keep (w->root, w->update, keep_last, w->spare_from, w->spare_every);
out:
  sol_buffer_free (&text);
  sol_manifest_clear (&m);
  sol_free (path);
  return st;
}

void sol_checkpoint_drop (sol_checkpoint_writer_t *w)
{
  if (!w) return;
  for (int i = 0; i < N_BLOCKS; i++) {
    if (w->fd[i] >= 0) close (w->fd[i]);
    sol_free (w->path[i]);
  }
  sol_free (w->root);
  sol_free (w->final);
  sol_free (w->tmp);
  sol_free (w);
}

sol_status_t sol_checkpoint_commit (sol_checkpoint_writer_t *w, const sol_checkpoint_t *info, const char *settings, int keep_last)
{
  SOL_ASSERT (keep_last >= 1);
  sol_status_t st = finish_blocks (w);
  if (st == SOL_OK) {
    if (sol_comm_rank (w->comm) == 0) st = seal (w, info, settings, keep_last);
    st = sol_comm_agree (w->comm, st);
  }
  if (st != SOL_OK && sol_comm_rank (w->comm) == 0) sol_dir_remove (w->tmp);
  sol_checkpoint_drop (w);
  return st;
}

sol_status_t sol_checkpoint_get (const char *dir, const char *what, int64_t first, int64_t n, float *data)
{
  char *path = block_path (dir, blocks[block_index (what)]), *to = (char *) data;
  size_t bytes = (size_t) n * sizeof *data, at = (size_t) first * sizeof *data;
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  sol_status_t st = SOL_OK;
  SOL_ASSERT (first >= 0 && n >= 0);
  if (fd < 0) st = sol_fail (SOL_ERR_IO, ROOM, "%s: opening failed: %s", path, strerror (errno));
  while (bytes && st == SOL_OK) {
    ssize_t k = pread (fd, to, bytes < INT_MAX ? bytes : INT_MAX, (off_t) at);
    if (k < 0 && errno == EINTR) continue;
    if (k < 0) st = sol_fail (SOL_ERR_IO, ROOM, "%s: reading failed: %s", path, strerror (errno));
    else if (k == 0) st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: ends at byte %zu; elements [%" PRId64 ", %" PRId64 ") were asked for", path, at, first, first + n);
    else { to += k; at += (size_t) k; bytes -= (size_t) k; }
  }
  if (fd >= 0) close (fd);
  sol_free (path);
  return st;
}
