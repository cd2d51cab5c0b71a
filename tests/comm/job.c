/* SPDX-License-Identifier: Apache-2.0 */
/* job.c: what test_job.sh starts. job: says rank and size. job abort: rank size - 1 ends the job with 7 while the others wait in a collective. */
#include "solera/comm.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main (int argc, char **argv)
{
  if (sol_comm_start (&argc, &argv) != SOL_OK) return 3;
  if (argc > 1 && strcmp (argv[1], "abort") == 0) {
    if (sol_comm_rank (sol_comm_world ()) == sol_comm_size (sol_comm_world ()) - 1) sol_comm_abort (7);
    sol_comm_barrier (sol_comm_world ());
    sleep (60);
    return 4;
  }
  printf ("rank %d of %d\n", sol_comm_rank (sol_comm_world ()), sol_comm_size (sol_comm_world ()));
  sol_comm_end ();
  sol_comm_end ();
  return 0;
}
