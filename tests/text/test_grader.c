/* ranks: 1 2 */
/* SPDX-License-Identifier: Apache-2.0 */
/* The child is this program again; its notion of equality hangs, dies or eats memory when told to. Children start, hang
 * and die between collectives of an MPI job. */
#include "../tap_mpi.h"
#include "solera/clock.h"
#include "solera/grader.h"
#include "solera/verify.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static int has_mpi (void)
{
  for (char **e = environ; *e; e++)
    if (!strncmp (*e, "OMPI_", 5) || !strncmp (*e, "SLURM_", 6)) return 1;
  return 0;
}

static int odd_equal (const char *prediction, const char *gold)
{
  if (!strcmp (prediction, "HANG + x")) for (;;) pause ();
  if (!strcmp (prediction, "SPIN + x")) for (volatile unsigned i = 0;; i++) continue;
  if (!strcmp (prediction, "DIE + x")) _exit (3);
  if (!strcmp (prediction, "EAT + x")) {
    char *volatile p = malloc (SOL_GRADER_MEMORY + 1);
    if (!p) _exit (4);
    return 1;
  }
  if (!strcmp (prediction, "ENV + x")) return !has_mpi ();
  if (!strcmp (prediction, "FILES + x")) {
    for (int fd = 3; fd < 64; fd++)
      if (!close (fd)) return 0;
    return 1;
  }
  return sol_answer_equal (prediction, gold);
}

static void test_answers (sol_grader_t *g)
{
  int stopped;
  ok (sol_grader_pid (g) == 0 && sol_grader_equal (g, "0.5", "1/2", &stopped) && !stopped && !sol_grader_equal (g, "7", "8", NULL) && sol_grader_pid (g) == 0); /* plain: no child */
  ok (sol_grader_equal (g, "(x-1)(x+1)", "x^2-1", &stopped) && !stopped && !sol_grader_equal (g, "x^2", "x", &stopped) && !stopped && sol_grader_pid (g) > 0);
  ok (sol_grader_equal (g, "ENV + x", "x", NULL) && sol_grader_equal (g, "FILES + x", "x", NULL));
  sol_grader_counts_t c = sol_grader_counts (g);
  ok (c.quick == 2 && c.slow == 4 && c.starts == 1 && c.timeouts == 0 && c.deaths == 0);
}

static void test_limits (sol_grader_t *g)
{
  int stopped;
  const pid_t first = sol_grader_pid (g);
  const double t0 = sol_clock_s ();
  ok (!sol_grader_equal (g, "HANG + x", "x", &stopped) && stopped && sol_clock_s () - t0 < 20 && sol_grader_pid (g) == 0 && kill (first, 0) != 0);
  ok (sol_grader_equal (g, "x+x", "2x", &stopped) && !stopped && sol_grader_pid (g) != first);
  ok (!sol_grader_equal (g, "SPIN + x", "x", &stopped) && stopped && !sol_grader_equal (g, "DIE + x", "x", &stopped) && stopped);
  ok (sol_grader_equal (g, "x+x", "2x", NULL) && kill (sol_grader_pid (g), SIGKILL) == 0);
  usleep (100000);
  ok (!sol_grader_equal (g, "x+x", "2x", &stopped) && stopped && sol_grader_equal (g, "x+x", "2x", &stopped) && !stopped); /* killed from outside */
  sol_grader_counts_t c = sol_grader_counts (g);
  ok (c.timeouts == 2 && c.deaths == 2 && c.starts == 5);
#if !defined __SANITIZE_ADDRESS__
  ok (!sol_grader_equal (g, "EAT + x", "x", &stopped) && stopped && sol_grader_counts (g).deaths == 3);
#endif
}

static void test_no_child (void)
{
  sol_grader_t *g = sol_grader_new ("/nowhere/solera", 1);
  int stopped;
  ok (sol_grader_equal (g, "x+x", "2x", &stopped) && !stopped && sol_grader_equal (g, "x+x", "2x", &stopped) && sol_grader_counts (g).starts == 0);
  sol_grader_free (g);
}

int main (int argc, char **argv)
{
  sol_grader_t *early = argc == 2 ? NULL : sol_grader_new (NULL, 1);
  const int child = sol_grader_main (argc, argv, odd_equal);
  if (child >= 0) return child;
  tap_init (&argc, &argv);
  ok (has_mpi ());
  ok (sol_grader_equal (early, "x+x", "2x", NULL) && sol_grader_counts (early).starts == 0 && sol_grader_pid (early) == 0); /* a program that is no child of its own */
  sol_grader_free (early);
  sol_grader_t *g = sol_grader_new (NULL, 1.5);
  test_answers (g);
  test_limits (g);
  test_no_child ();
  sol_grader_free (g);
  return tap_done ();
}
