/* SPDX-License-Identifier: Apache-2.0 */
/* tap_mpi.h: as tap.h for several ranks. Rank 0 prints; a check holds only if it holds on every rank (so every check is
 * collective). First line of the test: ranks: N M ... in a comment, see run.sh. */
#ifndef SOL_TAP_MPI_H
#define SOL_TAP_MPI_H
#include "solera/memory.h"
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

static int tap_n, tap_bad, tap_rank, tap_size;

static inline void tap_ok (int good, const char *what)
{
  int all;
  MPI_Allreduce (&good, &all, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
  tap_bad += !all;
  tap_n++;
  if (!good) fprintf (stderr, "rank %d: not ok: %s\n", tap_rank, what);
  if (tap_rank == 0) { printf ("%sok %d - %s\n", all ? "" : "not ", tap_n, what); fflush (stdout); }
}
#define ok(cond) tap_ok (!!(cond), #cond)
static inline void tap_init (int *argc, char ***argv)
{
  setenv ("OMPI_MCA_osc", "sm,pt2pt", 0);
  MPI_Init (argc, argv);
  MPI_Comm_rank (MPI_COMM_WORLD, &tap_rank);
  MPI_Comm_size (MPI_COMM_WORLD, &tap_size);
}
static inline int tap_done (void)
{
  ok (sol_memory_used () == 0);
  if (tap_rank == 0) printf ("1..%d\n", tap_n);
  fflush (stdout);
  MPI_Finalize ();
  return tap_bad != 0;
}
#endif
