/* SPDX-License-Identifier: Apache-2.0 */
/* A writer may die between any two of its writes, and inside one: what it had flushed stays. Every write of the statistics' writer is noted; then the files are made again, one write after the
 * other, and looked at in each state (HDF5 by itself loses half a tree of chunks in some of them). */
#include "stats_rows.h"
#include "solera/file.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".journal"
enum { WRITE, SIZE, REMOVE, MARK };
typedef struct { int what, journal; int64_t at; size_t n; char *data; } step_t;
static step_t *step;
static int n_steps, room_steps, noting;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void note (int what, int journal, int64_t at, const void *data, size_t n)
{
  pthread_mutex_lock (&lock);
  if (n_steps == room_steps) step = sol_realloc (step, sizeof *step * (size_t) (room_steps = room_steps ? 2 * room_steps : 4096));
  step[n_steps] = (step_t){ what, journal, at, n, n ? sol_alloc (n) : NULL };
  if (n) memcpy (step[n_steps].data, data, n);
  n_steps++;
  pthread_mutex_unlock (&lock);
}

/* 0: the statistics file, 1: its journal, -1: another file */
static int which_name (const char *name)
{
  size_t n = strlen (name), s = sizeof SUFFIX - 1;
  if (n > 3 && strcmp (name + n - 3, ".h5") == 0) return 0;
  return n > s + 3 && strcmp (name + n - s, SUFFIX) == 0 ? 1 : -1;
}
static int which (int fd)
{
  char link[64], name[4096];
  snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink (link, name, sizeof name - 1);
  if (n < 0) return -1;
  name[n] = 0;
  return which_name (name);
}

/* These stand before the C library's, also for HDF5. */
ssize_t pwrite (int fd, const void *data, size_t n, off_t at)
{
  static ssize_t (*real) (int, const void *, size_t, off_t);
  if (!real) *(void **) &real = dlsym (RTLD_NEXT, "pwrite");
  if (noting && which (fd) >= 0) note (WRITE, which (fd), at, data, n);
  return real (fd, data, n, at);
}
int ftruncate (int fd, off_t size)
{
  static int (*real) (int, off_t);
  if (!real) *(void **) &real = dlsym (RTLD_NEXT, "ftruncate");
  if (noting && which (fd) >= 0) note (SIZE, which (fd), size, NULL, 0);
  return real (fd, size);
}
int unlink (const char *name)
{
  static int (*real) (const char *);
  if (!real) *(void **) &real = dlsym (RTLD_NEXT, "unlink");
  if (noting && which_name (name) == 1) note (REMOVE, 1, 0, NULL, 0);
  return real (name);
}

static int image[2] = { -1, -1 };
static char image_name[2][4096];

static void image_open (int k) { image[k] = open (image_name[k], O_RDWR | O_CREAT | O_CLOEXEC, 0666); }

static void again (const step_t *s, size_t part)
{
  if (s->what == MARK) return;
  if (s->what == REMOVE) { close (image[1]); unlink (image_name[1]); image[1] = -1; return; }
  if (image[s->journal] < 0) image_open (s->journal);
  if (s->what == SIZE) need (ftruncate (image[s->journal], s->at) == 0);
  else need (pwrite (image[s->journal], s->data, part, s->at) == (ssize_t) part);
}

/* the flushed updates are there and right */
static int kept (int updates)
{
  sol_stats_source_t s;
  int good;
  sol_h5_lock ();
  good = sol_stats_source_open (image_name[0], &s) == SOL_OK;
  if (good) {
    good = sol_stats_source_measure (&s, INT64_MAX) == SOL_OK && s.rows[SOL_STATS_TOKENS] >= 56 * updates && s.rows[SOL_STATS_SEQUENCES] >= 8 * updates
           && tokens_right (s.file, 0, s.rows[SOL_STATS_TOKENS], image_name[0]) && prompts_right (s.file, s.rows[SOL_STATS_SEQUENCES] > 16 ? 16 : s.rows[SOL_STATS_SEQUENCES], image_name[0]);
    sol_stats_source_close (&s);
  }
  sol_h5_unlock ();
  return good;
}

static void write_all_updates (const char *run, int deflate, int64_t chunk, int n)
{
  sol_stats_t *s;
  sol_stats_params_t p = params_of (run, 0, 0, 0);
  p.chunk = chunk;
  p.deflate = deflate;
  noting = 1;
  need (sol_stats_open (&p, &s) == SOL_OK);
  for (int u = 0; u < n; u++) {
    need (add_update (s, u, 8 * u) == SOL_OK);
    need (sol_stats_flush (s) == SOL_OK);
    note (MARK, 0, u + 1, NULL, 0);
  }
  need (sol_stats_close (s) == SOL_OK);
  noting = 0;
}

/* states between updates first and last of n, every `every`-th whole, every fourth of these also in the middle of a write; then the journal is written into the file as a new start does it */
static void test_states (const char *run, int deflate, int64_t chunk, int n, int first, int every)
{
  int marks = 0, journals = 0, states = 0, lost = 0, repaired = 0, repairs = 0;
  char name[64];
  n_steps = 0;
  write_all_updates (at (run), deflate, chunk, n);
  snprintf (name, sizeof name, "%s/stats", run);
  char *dir = sol_path_join (at (run), "again");
  need (mkdir (dir, 0777) == 0);
  char *sub = sol_path_join (dir, "stats");
  need (mkdir (sub, 0777) == 0);
  snprintf (image_name[0], sizeof image_name[0], "%s/0000.0000.h5", sub);
  snprintf (image_name[1], sizeof image_name[1], "%s/0000.0000.h5" SUFFIX, sub);
  image_open (0);
  for (int i = 0; i < n_steps; i++) {
    const step_t *s = &step[i];
    if (s->what == MARK) marks = (int) s->at;
    int look = marks >= first && i % every == 0 && s->what != MARK;
    if (look && s->what == WRITE && s->n > 1 && i / every % 4 == 0) {
      again (s, s->n / 2);
      states++;
      if (!kept (marks) && lost++ < 5) fprintf (stderr, "lost inside write %d (file %d, %zu bytes at %lld), after %d updates\n", i, s->journal, s->n, (long long) s->at, marks);
    }
    again (s, s->n);
    journals += s->journal == 1 && s->what == WRITE && marks >= first;
    if (!look) continue;
    states++;
    if (!kept (marks) && lost++ < 5) fprintf (stderr, "lost after write %d (file %d, %zu bytes at %lld), after %d updates\n", i, s->journal, s->n, (long long) s->at, marks);
    if (i / every % 16 == 0) { /* as the next start */
      int launch;
      char *copy[2] = { sol_path_join (dir, "h5"), sol_path_join (dir, "journal") };
      int had = sol_file_exists (image_name[1]);
      need (sol_file_copy (image_name[0], copy[0]) == SOL_OK && (!had || sol_file_copy (image_name[1], copy[1]) == SOL_OK));
      repairs++;
      repaired += sol_stats_launch (dir, &launch) == SOL_OK && launch == 1 && !sol_file_exists (image_name[1]) && kept (marks);
      for (int k = 0; k < 2; k++) { if (image[k] >= 0) close (image[k]); image[k] = -1; }
      need (rename (copy[0], image_name[0]) == 0 && (!had || rename (copy[1], image_name[1]) == 0));
      image_open (0);
      if (had) image_open (1);
      sol_free (copy[0]);
      sol_free (copy[1]);
    }
  }
  ok (journals >= n - first); /* a commit each: the states in between were looked at */
  tap_ok (states > 100 && lost == 0, "%s: %d of %d states have lost what was flushed", run, lost, states);
  tap_ok (repairs > 5 && repaired == repairs, "%s: %d of %d states are whole after the next start", run, repaired, repairs);
  ok (kept (n) && !sol_file_exists (image_name[1])); /* closed: no journal is left */
  for (int i = 0; i < n_steps; i++) sol_free (step[i].data);
  for (int k = 0; k < 2; k++) { if (image[k] >= 0) close (image[k]); image[k] = -1; }
  sol_free (sub);
  sol_free (dir);
}

int main (void)
{
  scratch_make ();
  test_states ("plain", 0, 32, 44, 30, 1);     /* the tree of chunks splits at 64 chunks */
  test_states ("deflate", 6, 48, 60, 32, 3);   /* chunks move when they grow */
  sol_free (step);
  scratch_remove ();
  return tap_done ();
}
