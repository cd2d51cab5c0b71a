/* SPDX-License-Identifier: Apache-2.0 */
/* external_life.c: how the program that grades is started and ends. It is started through this program (sol_external_main), which asks the kernel to be killed with its parent, tells
 * over descriptor 3 when the command cannot be run, and becomes the command. */
#include "external.h"
#include "child.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/watch.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORDS 2048        /* bytes of standard error that are kept */
#define PAUSE_S 0.1       /* before the second start in a row; doubled from one to the next */
#define LONGEST_PAUSE_S 5.0
#define LEAVE_S 2.0       /* a program that has closed its output gets so long to end */

static int can_serve; /* this program can start commands */

static void rest (double s)
{
  const struct timespec t = { (time_t) s, (long) ((s - (double) (time_t) s) * 1e9) };
  nanosleep (&t, NULL);
}

void sol_external_name (const sol_external_t *x, sol_buffer_t *out)
{
  for (char **word = x->command; *word; word++) sol_buffer_printf (out, "%s%.300s", word == x->command ? "" : " ", *word);
}

void sol_external_words (const sol_external_t *x, sol_buffer_t *out)
{
  const char *text = x->words.data;
  size_t end = x->words.bytes, at;
  while (end > 0 && (text[end - 1] == '\n' || text[end - 1] == '\r' || text[end - 1] == ' ')) end--;
  for (at = end; at > 0 && text[at - 1] != '\n'; at--) {}
  if (end == at) sol_buffer_printf (out, "nothing");
  else sol_buffer_json (out, text + at, end - at > 300 ? 300 : end - at);
}

void sol_external_listen (sol_external_t *x)
{
  char text[4096];
  ssize_t n;
  while (x->errors >= 0 && (n = read (x->errors, text, sizeof text)) != 0) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return; /* nothing more for now */
    if (write (STDERR_FILENO, text, (size_t) n) < 0) {} /* passed on; it is no matter of ours whether anybody reads it */
    sol_buffer_add (&x->words, text, (size_t) n);
    if (x->words.bytes > WORDS) {
      const size_t old = x->words.bytes - WORDS;
      memmove (x->words.data, x->words.data + old, WORDS);
      x->words.bytes = WORDS;
    }
  }
  if (x->errors >= 0) close (x->errors);
  x->errors = -1;
}

/* ---- start */

/* what the program on the way to becoming the command says: 0, or the errno of exec */
static int became (int status)
{
  int error = 0;
  ssize_t n;
  while ((n = read (status, &error, sizeof error)) < 0 && errno == EINTR) continue;
  return n == sizeof error ? error : 0;
}

/* the command through this program; theirs: its descriptors 0 to 3 */
static int spawn (sol_external_t *x, const int *theirs)
{
  char name[] = "solera", arg[] = SOL_EXTERNAL_ARG, parent[24];
  size_t n = 0;
  while (x->command[n]) n++;
  char **argv = sol_alloc ((n + 4) * sizeof *argv);
  snprintf (parent, sizeof parent, "%ld", (long) getpid ());
  argv[0] = name;
  argv[1] = arg;
  argv[2] = parent;
  memcpy (argv + 3, x->command, n * sizeof *argv);
  const int error = sol_child_start ("/proc/self/exe", argv, theirs, 4, &x->pid);
  if (error) x->pid = 0;
  sol_free (argv);
  return error;
}

/* four pipes: three for talking and one that says whether the command could be run; returns 0 or an errno */
static int launch (sol_external_t *x)
{
  int pipes[4][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 }, { -1, -1 } }, error = 0;
  for (int i = 0; i < 4 && !error; i++)
    if ((error = sol_child_pipe (pipes[i]))) pipes[i][0] = pipes[i][1] = -1;
  const int theirs[] = { pipes[0][0], pipes[1][1], pipes[2][1], pipes[3][1] }, ours[] = { pipes[0][1], pipes[1][0], pipes[2][0], pipes[3][0] };
  if (!error) error = spawn (x, theirs);
  for (int i = 0; i < 4; i++)
    if (theirs[i] >= 0) close (theirs[i]);
  if (!error && (error = became (ours[3]))) sol_child_kill (x->pid), x->pid = 0;
  if (ours[3] >= 0) close (ours[3]);
  for (int i = 0; i < 3; i++)
    if (error && ours[i] >= 0) close (ours[i]);
    else if (!error) fcntl (ours[i], F_SETFL, fcntl (ours[i], F_GETFL) | O_NONBLOCK);
  x->to = error ? -1 : ours[0];
  x->from = error ? -1 : ours[1];
  x->errors = error ? -1 : ours[2];
  return error;
}

sol_status_t sol_external_start (sol_external_t *x)
{
  if (x->pid) return SOL_OK;
  if (!can_serve) return sol_fail (SOL_ERR_UNSUPPORTED, "verifier", "%s: this program does not call sol_external_main, so it cannot start a verifier", x->command[0]);
  double pause = x->deaths > 0 ? PAUSE_S : 0;
  for (int k = 1; k < x->deaths && pause < LONGEST_PAUSE_S; k++) pause *= 2;
  rest (pause < LONGEST_PAUSE_S ? pause : LONGEST_PAUSE_S);
  sol_watch_beat ("starting the verifier");
  const int error = launch (x);
  if (error) return sol_fail (SOL_ERR_IO, "verifier", "the verifier %.300s cannot be started: %s", x->command[0], strerror (error));
  x->fresh = 1;
  x->count.starts++;
  sol_buffer_clear (&x->received);
  sol_buffer_clear (&x->words);
  return SOL_OK;
}

/* ---- end */

/* has it ended within the time? It stays to be reaped. */
static int has_left (pid_t pid, double wait_s)
{
  const double end = sol_child_now () + wait_s;
  for (;;) {
    siginfo_t info = { 0 };
    if (waitid (P_PID, (id_t) pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid) return 1;
    if (sol_child_now () > end) return 0;
    rest (0.002);
  }
}

void sol_external_end (sol_external_t *x, int closed, char *what)
{
  what[0] = 0;
  if (!x->pid) return;
  const int left = has_left (x->pid, closed ? LEAVE_S : 0), status = sol_child_kill (x->pid);
  sol_external_listen (x);
  if (!left) snprintf (what, SOL_EXTERNAL_WHAT, closed ? "it closed its output" : "it was killed");
  else if (WIFSIGNALED (status)) snprintf (what, SOL_EXTERNAL_WHAT, "it was killed by signal %d (%s)", WTERMSIG (status), strsignal (WTERMSIG (status)));
  else snprintf (what, SOL_EXTERNAL_WHAT, "it ended with exit status %d", WEXITSTATUS (status));
  close (x->to);
  close (x->from);
  if (x->errors >= 0) close (x->errors);
  x->to = x->from = x->errors = -1;
  x->pid = 0;
}

/* ---- on the way to the command */

int sol_external_main (int argc, char **argv)
{
  can_serve = 1;
  if (argc < 4 || strcmp (argv[1], SOL_EXTERNAL_ARG)) return -1;
  if (prctl (PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid () != (pid_t) strtol (argv[2], NULL, 10)) return 1; /* the parent was faster */
  if (fcntl (3, F_SETFD, FD_CLOEXEC)) return 1;
  execvp (argv[3], argv + 3);
  const int error = errno;
  return write (3, &error, sizeof error) == sizeof error ? 127 : 1;
}
