/* SPDX-License-Identifier: Apache-2.0 */
/* over_mpi.cpp: see over_mpi.h. */
#include "over_mpi.h"
#include "emu_internal.h"
#include <algorithm>
#include <mpi.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

namespace emu {
struct peers {
  MPI_Comm mpi = MPI_COMM_NULL; /* of one rank: none */
  int rank = 0, size = 1;
  uint64_t agreed = 0; /* operations so far */
  intent mine = {};
  std::vector<intent> all;
};
namespace {
const uint64_t PIECE = 1 << 20; /* floats of a sum, at a time */
/* what members tell the one that they meet at, and it answers */
struct hello {
  uint64_t name;
  int32_t rank, size, address, spare;
};

thread_local char said[400];
const char *say (const char *format, ...) __attribute__ ((format (printf, 1, 2)));
const char *say (const char *format, ...)
{
  va_list a;
  va_start (a, format);
  vsnprintf (said, sizeof said, format, a);
  va_end (a);
  return said;
}
const char *failed (const char *call, int code)
{
  char text[MPI_MAX_ERROR_STRING] = "unknown error";
  int n;
  MPI_Error_string (code, text, &n);
  return say ("%s: %s", call, text);
}
#define TRY_MPI(call)                                                                                                                                                                         \
  do {                                                                                                                                                                                        \
    const int rc_ = (call);                                                                                                                                                                   \
    if (rc_ != MPI_SUCCESS) return failed (#call, rc_);                                                                                                                                       \
  } while (0)
#define TRY(call)                                                                                                                                                                             \
  do {                                                                                                                                                                                        \
    if (const char *why_ = (call)) return why_;                                                                                                                                               \
  } while (0)

double now_s ()
{
  struct timespec t;
  clock_gettime (CLOCK_MONOTONIC, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}
bool mpi_runs ()
{
  int started = 0, ended = 0;
  MPI_Initialized (&started);
  MPI_Finalized (&ended);
  return started && !ended;
}
/* others may need this core to get there */
const char *wait_for (MPI_Request *request, double until, bool *late)
{
  int done = 0;
  *late = false;
  for (;;) {
    TRY_MPI (MPI_Test (request, &done, MPI_STATUS_IGNORE));
    if (done) return nullptr;
    if (now_s () > until) break;
    sched_yield ();
  }
  *late = true;
  return nullptr;
}
/* of messages that nobody has sent yet */
const char *receive (void *data, size_t bytes, int from, int tag, double until, bool *late)
{
  MPI_Request r;
  TRY_MPI (MPI_Irecv (data, (int) bytes, MPI_BYTE, from, tag, MPI_COMM_WORLD, &r));
  TRY (wait_for (&r, until, late));
  if (*late) {
    TRY_MPI (MPI_Cancel (&r));
    TRY_MPI (MPI_Wait (&r, MPI_STATUS_IGNORE));
  }
  return nullptr;
}

/* at the meeting point: who is where. What is wrong is told to all that came. */
const char *gather (const hello &me, int tag, double until, std::vector<int32_t> &where)
{
  std::vector<hello> came = { me };
  const char *why = nullptr;
  bool late = false;
  where.assign ((size_t) me.size + 1, -1); /* the last: 1: all is well */
  where[(size_t) me.rank] = me.address;
  while (!why && came.size () < (size_t) me.size) {
    hello h = {};
    TRY (receive (&h, sizeof h, MPI_ANY_SOURCE, tag, until, &late));
    if (late) {
      why = say ("%d of %d ranks came within %d s", (int) came.size (), me.size, setting ().patience);
      break;
    }
    came.push_back (h);
    if (h.name != me.name) why = say ("rank %d came with the id of another communicator", h.rank);
    else if (h.size != me.size) why = say ("rank %d is of %d ranks, rank %d of %d", me.rank, me.size, h.rank, h.size);
    else if (h.rank < 0 || h.rank >= me.size || where[(size_t) h.rank] >= 0) why = say ("two ranks %d of %d", h.rank, me.size);
    else where[(size_t) h.rank] = h.address;
  }
  where[(size_t) me.size] = !why;
  for (size_t i = 1; i < came.size (); i++) TRY_MPI (MPI_Send (where.data (), (int) (std::min (me.size, came[i].size) + 1) * 4, MPI_BYTE, came[i].address, tag, MPI_COMM_WORLD));
  return why;
}
} // namespace

int peers_address ()
{
  int rank = 0;
  if (mpi_runs ()) MPI_Comm_rank (MPI_COMM_WORLD, &rank);
  return rank;
}

/* The only messages outside of the communicator that is made here: a hello and its answer in MPI_COMM_WORLD, with a tag that nothing else of Solera uses. */
const char *peers_join (int meeting, uint64_t name, int rank, int size, peers **p)
{
  peers *made = new peers ();
  made->rank = rank, made->size = size;
  *p = made;
  if (size == 1) return nullptr;
  if (!mpi_runs ()) return say ("%d ranks, but MPI was not started", size);
  int world;
  MPI_Comm_size (MPI_COMM_WORLD, &world);
  if (meeting >= world) return say ("the id is of process %d, but MPI has %d", meeting, world);
  const int tag = 0x6000 + (int) (name % 0x1fff);
  const hello me = { name, rank, size, peers_address (), 0 };
  const double until = now_s () + setting ().patience;
  std::vector<int32_t> where;
  if (me.address == meeting && size > world) return say ("%d ranks, but MPI has %d", size, world);
  else if (me.address == meeting) TRY (gather (me, tag, until, where));
  else {
    bool late;
    where.assign ((size_t) size + 1, -1);
    TRY_MPI (MPI_Send (&me, (int) sizeof me, MPI_BYTE, meeting, tag, MPI_COMM_WORLD));
    if (size > world) return say ("%d ranks, but MPI has %d", size, world);
    TRY (receive (where.data (), where.size () * 4, meeting, tag, until, &late));
    if (late) return say ("no word from the process that made the id within %d s", setting ().patience);
    if (where[(size_t) size] != 1) return say ("the process that made the id found that the ranks do not fit together");
  }
  MPI_Group everybody, members;
  TRY_MPI (MPI_Comm_group (MPI_COMM_WORLD, &everybody));
  TRY_MPI (MPI_Group_incl (everybody, size, where.data (), &members));
  TRY_MPI (MPI_Comm_create_group (MPI_COMM_WORLD, members, tag, &made->mpi));
  TRY_MPI (MPI_Group_free (&members));
  TRY_MPI (MPI_Group_free (&everybody));
  TRY_MPI (MPI_Comm_set_errhandler (made->mpi, MPI_ERRORS_RETURN));
  return nullptr;
}

static void describe (char *text, size_t n, int rank, const intent &i)
{
  if (i.kind == INTENT_LEAVE) snprintf (text, n, "rank %d leaves", rank);
  else snprintf (text, n, "rank %d %s %llu elements of type %d %s rank %d", rank, i.kind == INTENT_SUM ? "sums" : "broadcasts", (unsigned long long) i.count, i.type, i.kind == INTENT_SUM ? "to" : "from", i.root);
}

/* mine and all are of the peers, as a request that nobody answers is never done with them */
const char *peers_agree (peers *p, const intent &mine)
{
  if (p->size == 1) return nullptr;
  MPI_Request r;
  bool late;
  p->mine = mine;
  p->all.assign ((size_t) p->size, intent ());
  TRY_MPI (MPI_Iallgather (&p->mine, (int) sizeof mine, MPI_BYTE, p->all.data (), (int) sizeof mine, MPI_BYTE, p->mpi, &r));
  TRY (wait_for (&r, now_s () + setting ().patience, &late));
  if (late) return say ("operation %llu: not all of %d ranks came within %d s", (unsigned long long) p->agreed, p->size, setting ().patience);
  for (int k = 1; k < p->size; k++) {
    if (!memcmp (&p->all[(size_t) k], &p->all[0], sizeof mine)) continue;
    char a[120], b[120];
    describe (a, sizeof a, 0, p->all[0]);
    describe (b, sizeof b, k, p->all[(size_t) k]);
    return say ("operation %llu: %s, %s", (unsigned long long) p->agreed, a, b);
  }
  p->agreed++;
  return nullptr;
}

const char *peers_sum (peers *p, const float *from, float *to, uint64_t n, int root)
{
  std::vector<float> sum, next;
  if (p->size == 1) memmove (to, from, n * 4);
  for (uint64_t at = 0; p->size > 1 && at < n; at += PIECE) {
    const uint64_t k = std::min (PIECE, n - at);
    if (p->rank != root) {
      TRY_MPI (MPI_Send (from + at, (int) k, MPI_FLOAT, root, 1, p->mpi));
      continue;
    }
    sum.resize (k), next.resize (k);
    for (int r = 0; r < p->size; r++) {
      std::vector<float> &into = r ? next : sum;
      if (r == root) memcpy (into.data (), from + at, k * 4);
      else TRY_MPI (MPI_Recv (into.data (), (int) k, MPI_FLOAT, r, 1, p->mpi, MPI_STATUS_IGNORE));
      for (uint64_t i = 0; r && i < k; i++) sum[i] += next[i];
    }
    memcpy (to + at, sum.data (), k * 4);
  }
  return nullptr;
}

const char *peers_broadcast (peers *p, void *data, uint64_t bytes, int root)
{
  for (uint64_t at = 0; p->size > 1 && at < bytes; at += PIECE * 64) TRY_MPI (MPI_Bcast ((char *) data + at, (int) std::min (PIECE * 64, bytes - at), MPI_BYTE, root, p->mpi));
  return nullptr;
}

void peers_leave (peers *p, bool agreed)
{
  if (p->mpi != MPI_COMM_NULL && !agreed) return; /* a request may still be on its way to *p */
  if (p->mpi != MPI_COMM_NULL && mpi_runs ()) MPI_Comm_free (&p->mpi);
  delete p;
}
} // namespace emu
