/* SPDX-License-Identifier: Apache-2.0 */
/* what a killed writer leaves is readable up to its last flush; damaged files give errors, not crashes */
#include "stats_rows.h"
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

static atomic_int *flushed; /* shared with the child: updates that sol_stats_flush has vouched for */

static void child_writes (int launch)
{
  sol_stats_t *s;
  sol_stats_params_t p = params_of (at ("run"), 0, launch, 0);
  p.chunk = 256 + 64 * (launch % 5);
  if (sol_stats_open (&p, &s) != SOL_OK) _exit (1);
  for (int u = 0;; u++) {
    if (add_update (s, u, 8 * u) != SOL_OK) _exit (1);
    if (u % 3 == 2) {
      if (sol_stats_flush (s) != SOL_OK) _exit (1);
      atomic_store (flushed, u + 1);
    }
  }
}

/* all that was flushed is there and right, and so is every other row that the file vouches for */
static int whole (const char *path, int updates, int64_t *tokens_p)
{
  sol_stats_source_t s;
  int good;
  sol_h5_lock ();
  good = sol_stats_source_open (path, &s) == SOL_OK;
  if (good) {
    const int measured = sol_stats_source_measure (&s, INT64_MAX) == SOL_OK;
    const int64_t tokens = s.rows[SOL_STATS_TOKENS], sequences = s.rows[SOL_STATS_SEQUENCES];
    const int right = measured && tokens_right (s.file, 0, tokens, path), prompts = measured && prompts_right (s.file, sequences > 400 ? 400 : sequences, path);
    good = measured && tokens >= 56 * updates && sequences >= 8 * updates && tokens % 56 == 0 && right && prompts;
    if (!good) fprintf (stderr, "%s: %lld tokens (%sright), %lld sequences (prompts %sright) after %d updates\n", path, (long long) tokens, right ? "" : "not ", (long long) sequences, prompts ? "" : "not ", updates);
    *tokens_p = s.rows[SOL_STATS_TOKENS];
    sol_stats_source_close (&s);
  }
  sol_h5_unlock ();
  return good;
}

static void test_kill (void)
{
  int good = 0, rounds = 30, most = 0;
  for (int k = 0; k < rounds; k++) {
    struct timespec moment = { 0, 20000000 + (long) (dice () % 60000) * 1000 };
    char name[64];
    int64_t tokens = 0;
    int rc, launch = -1;
    atomic_store (flushed, 0);
    fflush (stdout);
    if (sol_stats_launch (at ("run"), &launch) != SOL_OK || launch != k) break;
    pid_t child = fork ();
    if (child == 0) child_writes (k);
    while (atomic_load (flushed) == 0 && waitpid (child, &rc, WNOHANG) == 0) nanosleep (&(struct timespec){ 0, 1000000 }, NULL);
    nanosleep (&moment, NULL);
    kill (child, SIGKILL);
    waitpid (child, &rc, 0);
    int updates = atomic_load (flushed);
    snprintf (name, sizeof name, "run/stats/%04d.0000.h5", k);
    if (WIFSIGNALED (rc) && updates > 0 && whole (at (name), updates, &tokens)) good++;
    else fprintf (stderr, "kill %d: %d updates were flushed, %lld tokens are vouched for\n", k, updates, (long long) tokens);
    if (updates > most) most = updates;
  }
  tap_ok (good == rounds, "%d of %d killed files are whole up to the last flush (at most %d updates)", good, rounds, most);
  sol_stats_info_t info;
  ok (sol_stats_link (at ("run")) == SOL_OK && sol_stats_info (at ("run/stats.h5"), &info) == SOL_OK);
  sol_free (info.program);
}

/* The library itself may fall over a damaged file: each try is a process of its own, with a limit on memory and time. */
enum { DESCRIBED = 40, REFUSED = 41 };
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define LIMITED 0 /* sanitizers map terabytes of shadow */
#elif defined __has_feature
#define LIMITED !(__has_feature (address_sanitizer) || __has_feature (thread_sanitizer))
#else
#define LIMITED 1
#endif
static int try_file (const char *path)
{
  int rc;
  fflush (stdout);
  pid_t child = fork ();
  if (child == 0) {
    struct rlimit most = { (rlim_t) 4 << 30, (rlim_t) 4 << 30 };
    sol_stats_info_t info;
    if (LIMITED) setrlimit (RLIMIT_AS, &most);
    alarm (20);
    sol_status_t st = sol_stats_info (path, &info);
    _exit (st == SOL_OK ? DESCRIBED : st > SOL_STOPPED ? REFUSED : 42);
  }
  waitpid (child, &rc, 0);
  return WIFEXITED (rc) ? WEXITSTATUS (rc) : 0;
}

static void test_fuzz (void)
{
  char *data;
  size_t n;
  int crashed = 0, refused = 0, accepted = 0, tries = 0;
  sol_stats_t *s;
  sol_stats_params_t p = params_of (at ("fuzz"), 0, 0, 0);
  p.chunk = 256;
  need (sol_stats_open (&p, &s) == SOL_OK);
  for (int u = 0; u < 20; u++) need (add_update (s, u, 8 * u) == SOL_OK);
  need (sol_stats_close (s) == SOL_OK && sol_stats_link (at ("fuzz")) == SOL_OK);
  for (int k = 0; k < 2; k++) { /* the file, then the virtual one over it */
    const char *path = k ? at ("fuzz/stats.h5") : at ("fuzz/stats/0000.0000.h5");
    need (sol_file_read (path, 0, &data, &n) == SOL_OK);
    ok (try_file (path) == DESCRIBED); /* as it was written */
    quiet (1);
    for (int i = 0; i < 250; i++, tries++) {
      if (i < 40) put_file (path, data, n * (size_t) i / 40); /* cut */
      else {
        int flips = 1 + (int) (dice () % 8);
        char *other = sol_alloc (n);
        memcpy (other, data, n);
        for (int f = 0; f < flips; f++) other[dice () % (i % 2 ? n : n < 4096 ? n : 4096)] ^= (char) (1 << dice () % 8); /* the first pages are mostly metadata */
        put_file (path, other, n);
        sol_free (other);
      }
      int rc = try_file (path);
      refused += rc == REFUSED;
      accepted += rc == DESCRIBED;
      crashed += rc != REFUSED && rc != DESCRIBED;
      if (i < 40 && rc == DESCRIBED) { quiet (0); tap_ok (0, "a file cut to %d/40 is refused", i); quiet (1); }
    }
    quiet (0);
    need (put_file (path, data, n) == 0);
    sol_free (data);
  }
  tap_ok (crashed == 0, "%d damaged files: %d refused, %d still described, %d crashed", tries, refused, accepted, crashed);
  ok (refused > 40);
}

int main (void)
{
  scratch_make ();
  flushed = mmap (NULL, sizeof *flushed, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  need (flushed != MAP_FAILED);
  test_kill ();
  test_fuzz ();
  scratch_remove ();
  return tap_done ();
}
