/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/watch.h"
#include "solera/clock.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE 320      /* bytes of a rank's file, always: a reader never sees a longer old rest */
#define PERIOD_S 0.5
#define SCANNERS 16   /* on large jobs only so many ranks read all files; any other does when it is idle itself */
#define ROWS 200      /* of the table */

/* what this rank knows of another; times on our own clock */
typedef struct {
  uint64_t beat;
  double changed_s, idle_s;
  int seen, ended;
  long pid; /* 0: on another host */
} peer_t;

static struct {
  int on, rank, n_ranks, ending;
  double limit_s, progress_s;
  void (*abort_fn) (void);
  char *dir, *file;
  char who[64], host[64];
  uint64_t beat;
  unsigned long last_progress;
  peer_t *peers;
  pthread_t thread;
  pthread_cond_t wake;
} w;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of text, doing and ending */
static atomic_ulong progress;
static char text[200];
static const char *_Atomic doing;

static void file_of (int rank, char *path, size_t n) { snprintf (path, n, "%s/%07d", w.dir, rank); }

/* ---- my line */

static sol_status_t write_line (double now)
{
  char line[LINE + 1], what[sizeof text];
  const unsigned long p = atomic_load_explicit (&progress, memory_order_relaxed);
  if (p != w.last_progress) {
    w.last_progress = p;
    w.progress_s = now;
  }
  pthread_mutex_lock (&lock);
  memcpy (what, text, sizeof what);
  pthread_mutex_unlock (&lock);
  int n = snprintf (line, LINE, "%llu %.3f %s %ld %s %s", (unsigned long long) ++w.beat, now - w.progress_s, w.host, (long) getpid (), w.who, what);
  if (n > LINE - 1) n = LINE - 1;
  for (int i = 0; i < n; i++)
    if (line[i] == '\n') line[i] = ' ';
  memset (line + n, ' ', (size_t) (LINE - n));
  line[LINE - 1] = '\n';
  /* opened and closed every time: on a network file system others see the bytes after the close */
  const int fd = open (w.file, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return SOL_ERR_IO;
  const ssize_t done = pwrite (fd, line, LINE, 0);
  close (fd);
  return done == LINE ? SOL_OK : SOL_ERR_IO;
}

/* ---- the others' lines */

typedef struct {
  unsigned long long beat;
  double idle_s;
  long pid;
  char host[64], who[64], what[LINE];
} line_t;

/* 1: read; 0: no such file; -1: not readable now */
static int read_line (int rank, line_t *l)
{
  char path[4096], buf[LINE + 1];
  file_of (rank, path, sizeof path);
  const int fd = open (path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT ? 0 : -1;
  const ssize_t n = read (fd, buf, LINE);
  close (fd);
  if (n != LINE || buf[LINE - 1] != '\n') return -1;
  buf[LINE - 1] = 0;
  int at = 0;
  if (sscanf (buf, "%llu %lf %63s %ld %63s %n", &l->beat, &l->idle_s, l->host, &l->pid, l->who, &at) < 5 || at == 0) return -1;
  snprintf (l->what, sizeof l->what, "%s", buf + at);
  for (size_t k = strlen (l->what); k > 0 && l->what[k - 1] == ' '; k--) l->what[k - 1] = 0;
  return 1;
}

static void look_at (int rank, double now)
{
  line_t l;
  peer_t *p = &w.peers[rank];
  const int got = read_line (rank, &l);
  if (got == 0 && p->seen) p->ended = 1;
  if (got <= 0 || (p->seen && l.beat == p->beat)) return;
  /* a file that a killed run left behind does not count as seen until it moves */
  if (p->seen || p->beat) {
    p->seen = 1;
    p->ended = 0;
    p->changed_s = now;
    p->idle_s = l.idle_s;
    p->pid = strcmp (l.host, w.host) ? 0 : l.pid;
  }
  p->beat = l.beat;
}

static double silent_s (int rank, double now) { return now - w.peers[rank].changed_s; }

static double idle_s (int rank, double now)
{
  if (rank == w.rank) return now - w.progress_s;
  return w.peers[rank].idle_s + silent_s (rank, now);
}

/* a process of this host that went without ending its watch (kill -9, the kernel's out-of-memory killer) */
static int is_dead (int rank)
{
  const peer_t *p = &w.peers[rank];
  return !p->ended && p->pid > 0 && kill ((pid_t) p->pid, 0) < 0 && errno == ESRCH;
}

/* NULL while all is well */
static const char *trouble (double now)
{
  int idle = 1;
  for (int r = 0; r < w.n_ranks; r++) {
    if (w.peers[r].ended) continue;
    if (r != w.rank && silent_s (r, now) > w.limit_s) return "a rank is stopped or dead";
    if (r != w.rank && is_dead (r)) return "a rank has died";
    idle = idle && idle_s (r, now) > w.limit_s;
  }
  return idle ? "no rank makes progress" : NULL;
}

static void add_row (int r, double now, FILE *f)
{
  line_t l = { 0 };
  const int got = read_line (r, &l);
  if (w.peers[r].ended) fprintf (f, "  %5d  has ended\n", r);
  else if (got <= 0) fprintf (f, "  %5d  never heard of\n", r);
  else if (r != w.rank && is_dead (r)) fprintf (f, "  %5d  %-12s DEAD; was: %s\n", r, l.who, l.what);
  else if (r != w.rank && silent_s (r, now) > w.limit_s)
    fprintf (f, "  %5d  %-12s SILENT for %.1f s (stopped or dead); was: %s\n", r, l.who, silent_s (r, now), l.what);
  else fprintf (f, "  %5d  %-12s no progress for %.1f s; %s\n", r, l.who, idle_s (r, now), l.what);
}

static void print_table (const char *why, double now)
{
  char *out = NULL;
  size_t bytes = 0;
  FILE *f = open_memstream (&out, &bytes);
  if (!f) return;
  fprintf (f, "%9.3f %s error watch: %s (watchdog_s: %g). Who waits for whom:\n", now, w.who, why, w.limit_s);
  int rows = 0;
  for (int silent = 1; silent >= 0; silent--) /* the culprits first */
    for (int r = 0; r < w.n_ranks && rows < ROWS; r++)
      if ((r != w.rank && silent_s (r, now) > w.limit_s) == silent) {
        add_row (r, now, f);
        rows++;
      }
  if (rows < w.n_ranks) fprintf (f, "  and %d more\n", w.n_ranks - rows);
  fclose (f);
  for (size_t at = 0; at < bytes;) {
    const ssize_t n = write (STDERR_FILENO, out + at, bytes - at);
    if (n <= 0) break;
    at += (size_t) n;
  }
  free (out);
}

/* the first rank to see it makes this file and prints; the others wait for the end that it brings about */
static int claim (void)
{
  char path[4096];
  snprintf (path, sizeof path, "%s/tripped", w.dir);
  const int fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd >= 0) close (fd);
  return fd >= 0 || errno != EEXIST;
}

/* a stopped process would keep the launcher waiting until its own time-out */
static void kill_silent (double now)
{
  for (int r = 0; r < w.n_ranks; r++)
    if (r != w.rank && w.peers[r].pid > 0 && !w.peers[r].ended && silent_s (r, now) > w.limit_s) kill ((pid_t) w.peers[r].pid, SIGKILL);
}

static void trip (const char *why, double now)
{
  if (!claim ()) return; /* another rank was first: follow it */
  print_table (why, now);
  kill_silent (now);
  w.abort_fn ();
}

/* one rank has given up and said why: the launcher need not come for every other one */
static void follow (void)
{
  char path[4096];
  snprintf (path, sizeof path, "%s/tripped", w.dir);
  if (access (path, F_OK) != 0) return;
  sleep (1);
  _exit (SOL_WATCH_EXIT);
}

void sol_watch_trip (void)
{
  if (w.on) claim ();
}

/* ---- the thread */

static void start_anew (double now)
{
  w.progress_s = now;
  for (int r = 0; r < w.n_ranks; r++) {
    w.peers[r].changed_s = now;
    w.peers[r].idle_s = 0;
  }
}

static int wait_turn (void)
{
  struct timespec t;
  clock_gettime (CLOCK_MONOTONIC, &t);
  t.tv_nsec += (long) (PERIOD_S * 1e9);
  if (t.tv_nsec >= 1000000000L) {
    t.tv_nsec -= 1000000000L;
    t.tv_sec++;
  }
  pthread_mutex_lock (&lock);
  while (!w.ending && pthread_cond_timedwait (&w.wake, &lock, &t) == 0) { }
  const int ending = w.ending;
  pthread_mutex_unlock (&lock);
  return !ending;
}

static void *watch_thread (void *unused)
{
  const double quarter = w.limit_s / 4, gap_s = PERIOD_S + (quarter < 1 ? 1 : quarter > 10 ? 10 : quarter);
  double before = sol_clock_s (), scan_s = w.limit_s / 10;
  if (scan_s > 5) scan_s = 5;
  double next_scan = before;
  (void) unused;
  while (wait_turn ()) {
    const double now = sol_clock_s ();
    if (now - before > gap_s) start_anew (now); /* we were suspended, and so, probably, was everybody */
    before = now;
    write_line (now);
    follow ();
    if (now < next_scan || (w.rank >= SCANNERS && now - w.progress_s < w.limit_s)) continue;
    next_scan = now + scan_s;
    for (int r = 0; r < w.n_ranks; r++)
      if (r != w.rank) look_at (r, now);
    const char *why = trouble (now);
    if (why) trip (why, now);
  }
  return NULL;
}

/* another rank's end may remove the empty folder between our two calls */
static sol_status_t make_line (double now)
{
  for (int turn = 0; turn < 10; turn++) {
    SOL_TRY (sol_dir_make (w.dir));
    if (write_line (now) == SOL_OK) return SOL_OK;
  }
  return sol_fail (SOL_ERR_IO, "watch", "%s: cannot write: %s", w.file, strerror (errno));
}

static sol_status_t start_thread (void)
{
  pthread_condattr_t attr;
  sigset_t all, old;
  pthread_condattr_init (&attr);
  pthread_condattr_setclock (&attr, CLOCK_MONOTONIC);
  pthread_cond_init (&w.wake, &attr);
  pthread_condattr_destroy (&attr);
  sigfillset (&all); /* signals go to the main thread */
  pthread_sigmask (SIG_SETMASK, &all, &old);
  const int rc = pthread_create (&w.thread, NULL, watch_thread, NULL);
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  if (rc == 0) return SOL_OK;
  pthread_cond_destroy (&w.wake);
  return sol_fail (SOL_ERR_LIMIT, "watch", "cannot start a thread: %s", strerror (rc));
}

static void forget (void)
{
  sol_free (w.dir);
  sol_free (w.file);
  sol_free (w.peers);
  memset (&w, 0, sizeof w);
}

sol_status_t sol_watch_start (const char *dir, int rank, int n_ranks, double limit_s, void (*abort_fn) (void))
{
  char path[4096];
  if (limit_s <= 0) return SOL_OK;
  SOL_ASSERT (!w.on && abort_fn && rank >= 0 && rank < n_ranks);
  if (strlen (dir) > sizeof path - 32) return sol_fail (SOL_ERR_LIMIT, "watch", "the folder's name is too long: %zu bytes", strlen (dir));
  w.rank = rank;
  w.n_ranks = n_ranks;
  w.limit_s = limit_s;
  w.abort_fn = abort_fn;
  w.dir = sol_strdup (dir);
  file_of (rank, path, sizeof path);
  w.file = sol_strdup (path);
  w.peers = sol_alloc ((size_t) n_ranks * sizeof *w.peers);
  snprintf (w.who, sizeof w.who, "%s", sol_log_name ());
  if (gethostname (w.host, sizeof w.host - 1) != 0 || !w.host[0]) snprintf (w.host, sizeof w.host, "unknown");
  start_anew (sol_clock_s ());
  snprintf (path, sizeof path, "%s/tripped", w.dir);
  if (rank == 0) unlink (path); /* of a run that ended badly */
  sol_status_t st = make_line (sol_clock_s ());
  if (st == SOL_OK) st = start_thread ();
  if (st != SOL_OK) {
    forget ();
    return st;
  }
  w.on = 1;
  return SOL_OK;
}

void sol_watch_end (void)
{
  if (!w.on) return;
  pthread_mutex_lock (&lock);
  w.ending = 1;
  pthread_cond_signal (&w.wake);
  pthread_mutex_unlock (&lock);
  pthread_join (w.thread, NULL);
  pthread_cond_destroy (&w.wake);
  unlink (w.file);
  rmdir (w.dir); /* the last one succeeds */
  forget ();
}

static void set_text (const char *what)
{
  pthread_mutex_lock (&lock);
  if (strcmp (text, what) != 0) snprintf (text, sizeof text, "%s", what);
  pthread_mutex_unlock (&lock);
}

void sol_watch_beat (const char *what)
{
  if (!w.on) return;
  atomic_fetch_add_explicit (&progress, 1, memory_order_relaxed);
  if (atomic_load_explicit (&doing, memory_order_relaxed) == what) return;
  atomic_store_explicit (&doing, what, memory_order_relaxed);
  set_text (what ? what : "");
}

void sol_watch_wait (const char *whom, const char *fmt, ...)
{
  char what[sizeof text];
  va_list ap;
  if (!w.on) return;
  int n = snprintf (what, sizeof what, "waits for %.64s: ", whom);
  va_start (ap, fmt);
  vsnprintf (what + n, sizeof what - (size_t) n, fmt, ap);
  va_end (ap);
  atomic_store_explicit (&doing, NULL, memory_order_relaxed);
  set_text (what);
}
