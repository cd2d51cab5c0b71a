/* SPDX-License-Identifier: Apache-2.0 */
/* comm_mpi.h: the MPI side of sol_comm_t, for src/comm and src/rollout only. */
#ifndef SOL_COMM_MPI_H
#define SOL_COMM_MPI_H
#include "solera/comm.h"
#include <mpi.h>

/* MPI_COMM_SELF for sol_comm_self once MPI is started */
MPI_Comm sol_comm_mpi (const sol_comm_t *comm);
/* MPI counts are int, so larger runs of bytes go in pieces of so many, the same on all ranks; a variable for the tests */
extern size_t sol_comm_piece;
/* logs the call with MPI's own text */
sol_status_t sol_comm_failed (const char *call, int code);
#define SOL_MPI(call)                                                                                                  \
  do {                                                                                                                 \
    int rc_ = (call);                                                                                                  \
    if (rc_ != MPI_SUCCESS) return sol_comm_failed (#call, rc_);                                                       \
  } while (0)
#endif
