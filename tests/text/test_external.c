/* ranks: 1 2 */
/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that grade, and such that die, hang, babble and ask for nothing; started between collectives of an MPI job. */
#include "../tap_mpi.h"
#include "solera/clock.h"
#include "solera/external.h"
#include "solera/file.h"
#include "solera/memory.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* every script: a loop over questions; $id is the question's id, $l its line */
#define LOOP(body) "while IFS= read -r l; do id=${l#*:}; id=${id%%,*}; r=${l#*'\"response\":\"'}; r=${r%%\\\"*}; " body "; done"
#define YES "echo \"{\\\"id\\\":$id,\\\"reward\\\":1}\""
#define NO "echo \"{\\\"id\\\":$id,\\\"reward\\\":0}\""

static sol_external_t *shell (const char *script, const char *arg, double limit_s)
{
  char sh[] = "sh", c[] = "-c", *text = sol_strdup (script), *more = sol_strdup (arg ? arg : "");
  char *const command[] = { sh, c, text, sh, more, NULL };
  sol_external_t *x = sol_external_new (command, limit_s, limit_s < 2 ? 0 : 20, 3);
  sol_free (text);
  sol_free (more);
  return x;
}

/* when nothing later makes sense */
#define need(cond)                                                                                                                            \
  do {                                                                                                                                        \
    if (!(cond)) fprintf (stderr, "needed: %s\n", #cond), MPI_Abort (MPI_COMM_WORLD, 1);                                                      \
  } while (0)
#define N 8
static sol_external_answer_t answer[N];

/* the responses, in one text, parted by spaces */
static sol_status_t ask (sol_external_t *x, const char *responses)
{
  sol_external_question_t q[N] = { { 0 } };
  char text[256], *rest = text;
  int n = 0;
  snprintf (text, sizeof text, "%s", responses);
  for (char *word; (word = strtok_r (rest, " ", &rest)) && n < N; n++) q[n] = (sol_external_question_t){ "set", "3 + 4 =", word, "7", 0, "{\"more\": [1, \"x\"]}" };
  return sol_external_ask (x, q, n, answer);
}

static int rewards (const double *want, int n)
{
  for (int i = 0; i < n; i++)
    if (answer[i].reward != want[i]) return 0;
  return 1;
}

/* the protocol: what is asked, and every way to answer */
static void test_answers (void)
{
  char path[512], *line;
  size_t bytes;
  snprintf (path, sizeof path, "%s/line.%d", getenv ("TEST_TMPDIR"), tap_rank);
  sol_external_t *x = shell (LOOP ("case $r in lines) printf '%s' \"$l\" >\"$1\"; " YES ";; half) echo \"{\\\"note\\\":\\\"so \\u00e9\\\",\\\"more\\\":{},\\\"reward\\\":-2.5e-1,\\\"id\\\":$id}\";; "
                   "true) echo \"{\\\"id\\\":$id,\\\"reward\\\":0.5,\\\"verdict\\\":true}\";; false) printf '{\"id\":%d,\"reward\":1,\"verdict\":false}\\r\\n' $id;; *) " NO ";; esac"),
             path, 20);
  ok (sol_external_pid (x) == 0 && ask (x, "lines half true false other") == SOL_OK && sol_external_pid (x) > 0);
  ok (rewards ((double[]){ 1, -0.25, 0.5, 1, 0 }, 5) && answer[0].correct && !answer[1].correct && answer[2].correct && !answer[3].correct && !answer[4].correct);
  ok (answer[1].note.bytes == 5 && !memcmp (answer[1].note.data, "so \xc3\xa9", 5) && answer[0].note.bytes == 0);
  need (sol_file_read (path, 0, &line, &bytes) == SOL_OK);
  ok (!strcmp (line, "{\"id\":0,\"data\":\"set\",\"prompt\":\"3 + 4 =\",\"response\":\"lines\",\"cut\":false,\"answer\":\"7\",\"row\":{\"more\": [1, \"x\"]}}"));
  sol_free (line);
  const pid_t first = sol_external_pid (x);
  ok (ask (x, "true") == SOL_OK && answer[0].reward == 0.5 && sol_external_pid (x) == first);
  const sol_external_counts_t c = sol_external_counts (x);
  ok (c.answered == 6 && c.starts == 1 && !c.timeouts && !c.deaths && !c.malformed);
  sol_external_free (x);
  ok (kill (first, 0) != 0);
  x = shell ("read -r a; read -r b; read -r c; for l in \"$c\" \"$a\" \"$b\"; do id=${l#*:}; id=${id%%,*}; echo \"{\\\"id\\\":$id,\\\"reward\\\":0.$id}\"; done; read -r d", NULL, 20);
  ok (ask (x, "a b c") == SOL_OK && rewards ((double[]){ 0, 0.1, 0.2 }, 3)); /* in any order */
  sol_external_free (x);
}

/* nothing of ours but three files, no launcher's environment, a group of its own */
static void test_surroundings (void)
{
  sol_external_t *x = shell (LOOP ("n=0; for f in 3 4 5 6 7 8 9 12 15 20; do [ -e /proc/$$/fd/$f ] && n=1; done; env | grep -q '^OMPI_\\|^PMIX_' && n=1; "
                                   "[ \"$(cut -d' ' -f5 /proc/$$/stat)\" = $$ ] || n=1; [ $n = 0 ] && " YES " || " NO), NULL, 20);
  ok (ask (x, "a") == SOL_OK && answer[0].reward == 1);
  sol_external_free (x);
}

/* a program that does not read while it is told more than a pipe holds, and one that writes more than that without being read */
static void test_pipes (void)
{
  const size_t bytes = 300000;
  char *text;
  sol_external_question_t q = { NULL, NULL, NULL, "7", 1, NULL };
  need (sol_alloc_large (bytes + 1, "a response", (void **) &text) == SOL_OK);
  memset (text, 'x', bytes);
  q.response = text;
  const int kept = dup (2), none = open ("/dev/null", O_WRONLY); /* what it says on standard error is passed on, which nobody wants to read */
  need (kept >= 0 && none >= 0 && dup2 (none, 2) == 2);
  sol_external_t *x = shell ("head -c 200000 /dev/zero | tr '\\0' 'e' >&2; printf '{\"id\":0,\"reward\":1,\"note\":\"'; head -c 200000 /dev/zero | tr '\\0' 'n'; echo '\"}'; cat >/dev/null", NULL, 20);
  ok (sol_external_ask (x, &q, 1, answer) == SOL_OK && answer[0].reward == 1 && answer[0].note.bytes == 200000 && dup2 (kept, 2) == 2 && close (kept) == 0 && close (none) == 0); /* answers before it reads, talks a lot */
  sol_external_free (x);
  x = shell ("sleep 60", NULL, 0.2);
  const double t0 = sol_clock_s ();
  ok (sol_external_ask (x, &q, 1, answer) == SOL_OK && answer[0].stopped && answer[0].reward == 0 && sol_clock_s () - t0 < 20 && sol_external_counts (x).timeouts == 1);
  sol_external_free (x);
  sol_free (text);
}

static void test_deaths (void)
{
  char path[512];
  snprintf (path, sizeof path, "%s/died.%d.%d", getenv ("TEST_TMPDIR"), tap_size, tap_rank);
  sol_external_t *x = shell (LOOP ("case $r in die) [ -e \"$1\" ] || { : >\"$1\"; exit 3; };; esac; " YES), path, 20);
  ok (ask (x, "a b die c d") == SOL_OK && rewards ((double[]){ 1, 1, 1, 1, 1 }, 5) && !answer[1].restarts && answer[2].restarts == 1 && !answer[3].restarts && !answer[2].stopped);
  sol_external_counts_t c = sol_external_counts (x);
  ok (c.answered == 5 && c.starts == 2 && c.deaths == 1 && !c.timeouts);
  ok (kill (sol_external_pid (x), SIGKILL) == 0 && ask (x, "a") == SOL_OK && answer[0].reward == 1 && answer[0].restarts == 1); /* killed from outside */
  sol_external_free (x);
  x = shell ("IFS= read -r l; id=${l#*:}; id=${id%%,*}; " YES, NULL, 20); /* ends after every answer: slow, but right */
  ok (ask (x, "a b c") == SOL_OK && rewards ((double[]){ 1, 1, 1 }, 3) && sol_external_counts (x).deaths >= 2 && ask (x, "a") == SOL_OK && answer[0].reward == 1);
  sol_external_free (x);
  x = shell (LOOP ("case $r in die) kill -9 $$;; esac; " YES), NULL, 20); /* one question kills it: no verdict is made up */
  ok (ask (x, "a die") == SOL_ERR_IO && sol_external_counts (x).deaths == 3 && sol_external_pid (x) == 0);
  sol_external_free (x);
  x = shell ("echo the disk is full >&2; exit 7", NULL, 20);
  ok (ask (x, "a b") == SOL_ERR_IO && sol_external_counts (x).starts == 3 && sol_external_counts (x).answered == 0);
  sol_external_free (x);
}

static void test_stalls (void)
{
  sol_external_t *x = shell (LOOP ("case $r in hang) sleep 60;; esac; " YES), NULL, 1.5);
  ok (ask (x, "a hang b") == SOL_OK && rewards ((double[]){ 1, 0, 1 }, 3) && answer[1].stopped && answer[1].restarts && !answer[0].stopped && !answer[2].stopped); /* the others' answers are their own */
  sol_external_free (x);
  x = shell ("sleep 60", NULL, 0.1);
  ok (ask (x, "a b c d") == SOL_ERR_TIMEOUT && sol_external_counts (x).timeouts == 4); /* all together, then three alone */
  sol_external_free (x);
}

static void test_babble (void)
{
  static const char *const line[] = { "hello", "[]", "{}", "{\\\"id\\\":0}", "{\\\"id\\\":0,\\\"reward\\\":NaN}", "{\\\"id\\\":0,\\\"reward\\\":1e999}", "{\\\"id\\\":0,\\\"reward\\\":1.5}", "{\\\"id\\\":77,\\\"reward\\\":1}",
                                      "{\\\"id\\\":\\\"0\\\",\\\"reward\\\":1}", "{\\\"id\\\":0,\\\"reward\\\":true}", "{\\\"id\\\":0,\\\"reward\\\":1,\\\"verdict\\\":1}", "{\\\"id\\\":0,\\\"reward\\\":1,\\\"note\\\":1}", "", "{\\\"id\\\":0,\\\"reward\\\":1}}" };
  char script[512];
  for (size_t i = 0; i < sizeof line / sizeof *line; i++) {
    snprintf (script, sizeof script, "IFS= read -r l; case $l in '{\"id\":0,'*) printf '%%s\\n' \"%s\"; sleep 60;; *) id=${l#*:}; id=${id%%%%,*}; " YES "; read -r l;; esac", line[i]);
    sol_external_t *x = shell (script, NULL, 20);
    const sol_status_t st = ask (x, "a");
    const sol_external_counts_t c = sol_external_counts (x);
    ok (st == SOL_OK && answer[0].reward == 1 && answer[0].restarts == 1 && c.malformed == 1 && c.deaths == 0 && c.timeouts == 0);
    sol_external_free (x);
  }
  sol_external_t *x = shell ("read -r l; head -c 3000000 /dev/zero | tr '\\0' '7'; sleep 60", NULL, 20);
  ok (ask (x, "a") == SOL_ERR_IO && sol_external_counts (x).malformed == 3); /* a line without end */
  sol_external_free (x);
  x = shell (LOOP (YES ";" YES), NULL, 20); /* every answer twice: the second one answers nothing */
  ok (ask (x, "a") == SOL_OK && answer[0].reward == 1 && ask (x, "b") == SOL_OK && answer[0].reward == 1 && sol_external_counts (x).malformed == 1);
  sol_external_free (x);
}

/* a command that is not there */
static void test_ends (void)
{
  char none[] = "/nowhere/grade", *const command[] = { none, NULL };
  sol_external_t *x = sol_external_new (command, 20, 20, 3);
  ok (ask (x, "a") == SOL_ERR_IO && sol_external_counts (x).starts == 0);
  sol_external_free (x);
}

/* a parent that is killed takes the program along */
static int orphan_ends (char *self)
{
  int end[2];
  long pid = 0;
  char what[24] = "";
  need (pipe (end) == 0);
  snprintf (what, sizeof what, "%d", end[1]);
  char *const argv[] = { self, (char[]){ "--orphan" }, what, NULL };
  const pid_t parent = vfork ();
  if (parent == 0) {
    execv ("/proc/self/exe", argv);
    _exit (1);
  }
  close (end[1]);
  need (read (end[0], &pid, sizeof pid) == sizeof pid && pid > 0 && kill ((pid_t) pid, 0) == 0);
  kill (parent, SIGKILL);
  waitpid (parent, NULL, 0);
  int gone = 0;
  for (int k = 0; k < 500 && !gone; k++) {
    char path[64], *stat = NULL;
    size_t bytes;
    snprintf (path, sizeof path, "/proc/%ld/stat", pid);
    gone = access (path, F_OK) != 0 || (sol_file_read (path, 0, &stat, &bytes) == SOL_OK && (!strstr (stat, " (sh) ") || strstr (stat, ") Z ")));
    sol_free (stat);
    usleep (10000);
  }
  close (end[0]);
  return gone;
}

/* the parent of the program in orphan_ends */
static int orphan (const char *fd)
{
  sol_external_t *x = shell (LOOP (YES) "; sleep 60", NULL, 20);
  if (ask (x, "a") != SOL_OK) return 1;
  const long pid = sol_external_pid (x);
  if (write (atoi (fd), &pid, sizeof pid) != sizeof pid) return 1;
  for (;;) pause ();
}

int main (int argc, char **argv)
{
  const int child = sol_external_main (argc, argv);
  if (child >= 0) return child;
  if (argc == 3 && !strcmp (argv[1], "--orphan")) return orphan (argv[2]);
  tap_init (&argc, &argv);
  test_answers ();
  test_surroundings ();
  test_pipes ();
  test_deaths ();
  test_stalls ();
  test_babble ();
  test_ends ();
  ok (orphan_ends (argv[0]));
  for (int i = 0; i < N; i++) sol_buffer_free (&answer[i].note);
  return tap_done ();
}
