/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/watch.h"
#include "../tap.h"
#include "solera/clock.h"
#include "solera/file.h"
#include "solera/log.h"
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_S 2.0
static char base[256];
static void gave_up (void) { _exit (42); }
static void nap (double s) { nanosleep (&(struct timespec) { (time_t) s, (long) ((s - (double) (time_t) s) * 1e9) }, NULL); }

/* a rank in a process of its own: makes progress for busy_s (or only waits), then ends with 0; its stderr goes to a file */
static pid_t rank_start (const char *name, int rank, double busy_s, double wait_s)
{
  fflush (stdout);
  const pid_t pid = fork ();
  if (pid) return pid;
  char *dir = sol_path_join (base, name), path[300];
  snprintf (path, sizeof path, "%s/%s.err%d", base, name, rank);
  const int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  dup2 (fd, 2);
  sol_log_who (rank ? "actor" : "broker", rank);
  if (sol_watch_start (dir, rank, 2, LIMIT_S, gave_up) != SOL_OK) _exit (3);
  const double t0 = sol_clock_s ();
  while (sol_clock_s () - t0 < busy_s) {
    sol_watch_beat ("generate");
    nap (0.05);
  }
  while (sol_clock_s () - t0 < busy_s + wait_s) {
    sol_watch_wait (rank ? "broker.0" : "actor.1", "batch %d", 17);
    nap (0.05);
  }
  sol_watch_end ();
  sol_free (dir);
  _exit (sol_memory_used () != 0);
}
static int rank_result (pid_t pid)
{
  int status = 0;
  waitpid (pid, &status, 0);
  return WIFEXITED (status) ? WEXITSTATUS (status) : -1;
}
static char *errors_of (const char *name, int rank)
{
  char path[300], *text = NULL;
  size_t n;
  snprintf (path, sizeof path, "%s/%s.err%d", base, name, rank);
  return sol_file_read (path, 0, &text, &n) == SOL_OK ? text : sol_strdup ("");
}

static void test_healthy (void)
{
  const pid_t a = rank_start ("healthy", 0, 4, 0), b = rank_start ("healthy", 1, 0, 3.5); /* one waits long while the other works */
  const int ra = rank_result (a), rb = rank_result (b);
  char *dir = sol_path_join (base, "healthy");
  tap_ok (ra == 0 && rb == 0, "a long wait is fine while another rank works (%d %d)", ra, rb);
  ok (!sol_file_exists (dir));
  sol_free (dir);
}

static void test_stopped (void)
{
  const pid_t a = rank_start ("stopped", 0, 60, 0), b = rank_start ("stopped", 1, 60, 0);
  nap (1.2);
  kill (b, SIGSTOP);
  const double t0 = sol_clock_s ();
  const int ra = rank_result (a);
  const double took_s = sol_clock_s () - t0;
  kill (b, SIGKILL);
  rank_result (b);
  char *text = errors_of ("stopped", 0);
  tap_ok (ra == 42 && took_s > 1.5 && took_s < 20, "a stopped rank ends the job (%d after %.1f s)", ra, took_s);
  ok (strstr (text, "Who waits for whom") && strstr (text, "actor.1      SILENT") && strstr (text, "was: generate") && strstr (text, "broker.0     no progress"));
  sol_free (text);
}

static void test_deadlock (void)
{
  const pid_t a = rank_start ("deadlock", 0, 0.5, 60), b = rank_start ("deadlock", 1, 0.5, 60);
  const int ra = rank_result (a), rb = rank_result (b); /* one prints and gives up, the other follows by itself */
  char *t0 = errors_of ("deadlock", 0), *t1 = errors_of ("deadlock", 1);
  const int n0 = strstr (t0, "no rank makes progress") != NULL, n1 = strstr (t1, "no rank makes progress") != NULL;
  const char *table = n0 ? t0 : t1;
  tap_ok (((ra == 42 && rb == SOL_WATCH_EXIT) || (rb == 42 && ra == SOL_WATCH_EXIT)) && n0 + n1 == 1, "two ranks that wait for each other end the job, one table (%d, %d: %d + %d)", ra, rb, n0, n1);
  ok (strstr (table, "waits for broker.0: batch 17") && strstr (table, "waits for actor.1: batch 17"));
  sol_free (t0);
  sol_free (t1);
}

static void test_dead (void)
{
  const pid_t a = rank_start ("dead", 0, 60, 0), b = rank_start ("dead", 1, 60, 0);
  nap (1.2);
  kill (b, SIGKILL);
  rank_result (b); /* what a launcher does: the process is gone for good */
  const int ra = rank_result (a);
  char *text = errors_of ("dead", 0);
  tap_ok (ra == 42 && strstr (text, "a rank has died") && strstr (text, "actor.1      DEAD; was: generate"), "a rank that was killed is noticed while this one works (%d)", ra);
  sol_free (text);
}

static void test_suspended (void)
{
  const pid_t a = rank_start ("suspended", 0, 7, 0), b = rank_start ("suspended", 1, 7, 0);
  nap (1.0);
  kill (a, SIGSTOP);
  kill (b, SIGSTOP);
  nap (LIMIT_S + 2);
  kill (a, SIGCONT);
  nap (0.2);
  kill (b, SIGCONT);
  const int ra = rank_result (a), rb = rank_result (b);
  tap_ok (ra == 0 && rb == 0, "a suspended job goes on (%d %d)", ra, rb);
}

int main (void)
{
  snprintf (base, sizeof base, "%s/watch-XXXXXX", getenv ("TEST_TMPDIR") ? getenv ("TEST_TMPDIR") : "/tmp");
  need (mkdtemp (base));
  test_healthy ();
  test_stopped ();
  test_deadlock ();
  test_dead ();
  test_suspended ();
  ok (sol_watch_start ("/nowhere", 0, 1, 0, gave_up) == SOL_OK);
  sol_watch_beat ("nothing");
  sol_watch_wait ("nobody", "nothing");
  sol_watch_end ();
  ok (sol_watch_start ("/proc/nowhere", 0, 1, 1, gave_up) == SOL_ERR_IO);
  ok (sol_dir_remove (base) == SOL_OK);
  return tap_done ();
}
