/* SPDX-License-Identifier: Apache-2.0 */
/* over_mpi.h: the ranks of an emulated NCCL communicator, over MPI and a communicator of their own. Before every operation they tell each other what each is about to do, so that ranks that
 * want different things all see it, and one that does not come is waited for SOL_EMU_PATIENCE seconds (300) and no longer. Calls return NULL, or what went wrong; then the peers are lost: no
 * call but leave makes sense. */
#ifndef SOL_EMU_OVER_MPI_H
#define SOL_EMU_OVER_MPI_H
#include <stddef.h>
#include <stdint.h>

namespace emu {
struct peers;
/* what a rank is about to do; kind 0: it leaves */
struct intent {
  int32_t kind, type, root, op;
  uint64_t count;
};
enum { INTENT_LEAVE, INTENT_SUM, INTENT_BROADCAST };

/* this process's number, by which others find it; 0 without MPI */
int peers_address ();
/* All `size` ranks: meeting: the address of one of them, at which they meet; name: the same on all, and of no other communicator. size 1 needs no MPI. */
const char *peers_join (int meeting, uint64_t name, int rank, int size, peers **p);
/* all ranks, in the same order */
const char *peers_agree (peers *p, const intent &mine);
/* after peers_agree. Sum over ranks, in rank order; to: on root only, may be from */
const char *peers_sum (peers *p, const float *from, float *to, uint64_t n, int root);
const char *peers_broadcast (peers *p, void *data, uint64_t bytes, int root);
/* agreed: all leave; else what the others may still want of p is lost with it */
void peers_leave (peers *p, bool agreed);
} // namespace emu
#endif
