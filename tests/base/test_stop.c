/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/stop.h"
#include "../tap.h"
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* exit status of a child that raises these signals in turn; 0: it lived on and saw the first */
static int child (int first, int second)
{
  int status = 0;
  fflush (stdout);
  const pid_t pid = fork ();
  if (pid == 0) {
    sol_stop_install ();
    if (sol_stop_requested ()) _exit (90);
    raise (first);
    if (sol_stop_requested () != first) _exit (91);
    if (second) raise (second);
    _exit (sol_stop_requested () == first ? 0 : 92);
  }
  waitpid (pid, &status, 0);
  return WIFEXITED (status) ? WEXITSTATUS (status) : -1;
}

int main (void)
{
  ok (child (SIGTERM, 0) == 0);
  ok (child (SIGINT, 0) == 0);
  ok (child (SIGUSR1, 0) == 0);
  ok (child (SIGUSR1, SIGUSR1) == 0);
  ok (child (SIGUSR1, SIGTERM) == 0);
  ok (child (SIGTERM, SIGUSR1) == 0);
  ok (child (SIGTERM, SIGTERM) == 128 + SIGTERM);
  ok (child (SIGTERM, SIGINT) == 128 + SIGINT);
  ok (sol_stop_requested () == 0);
  sol_stop_set (SIGUSR1);
  sol_stop_set (SIGTERM);
  ok (sol_stop_requested () == SIGUSR1);
  ok (!strcmp (sol_stop_name (SIGTERM), "SIGTERM") && !strcmp (sol_stop_name (SIGINT), "SIGINT") && !strcmp (sol_stop_name (SIGUSR1), "SIGUSR1"));
  return tap_done ();
}
