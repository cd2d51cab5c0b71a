/* SPDX-License-Identifier: Apache-2.0 */
/* shim_nccl.cpp: the part of NCCL that the backend calls, with NVIDIA's own prototypes. What is put into a group becomes one operation of its stream, run when streams run (stream.cpp); the
 * ranks are processes (over_mpi.cpp). Sums are made in rank order. Ranks that want different things, or that do not come, are an asynchronous error of the communicator, as is a rank that is
 * lost in NCCL; what NCCL leaves undefined otherwise (buffers that overlap, memory that is no device's) ends the program. */
#include "over_mpi.h"
#include "stream.h"
#include <nccl.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

using namespace emu;
#define ENTER std::lock_guard<std::recursive_mutex> hold (api_lock)

struct ncclComm {
  peers *with;
  int rank, size;
  ncclResult_t async;
};

namespace {
struct id {
  char magic[8];
  uint64_t name;
  int32_t meeting;
};
static_assert (sizeof (id) <= sizeof (ncclUniqueId), "an id has room");
const char MAGIC[8] = "SOLEMU";

struct collective {
  intent what;
  const char *from;
  char *to;
};
/* what this thread has put into the group that is open */
struct group {
  int depth;
  ncclResult_t bad; /* the first error in it */
  ncclComm *comm;
  cudaStream_t stream;
  std::vector<collective> operations;
};
thread_local group open_group;

char last[512];
ncclResult_t fail (ncclResult_t r, const char *format, ...) __attribute__ ((format (printf, 2, 3)));
ncclResult_t fail (ncclResult_t r, const char *format, ...)
{
  va_list a;
  va_start (a, format);
  vsnprintf (last, sizeof last, format, a);
  va_end (a);
  return r;
}

size_t bytes_of (ncclDataType_t t)
{
  switch (t) {
  case ncclInt8:
  case ncclUint8: return 1;
  case ncclFloat16:
  case ncclBfloat16: return 2;
  case ncclInt32:
  case ncclUint32:
  case ncclFloat32: return 4;
  case ncclInt64:
  case ncclUint64:
  case ncclFloat64: return 8;
  default: return 0;
  }
}

/* in the stream */
const char *carry_out (ncclComm *c, const collective &o)
{
  if (const char *why = peers_agree (c->with, o.what)) return why;
  if (o.what.kind == INTENT_SUM) return peers_sum (c->with, (const float *) o.from, (float *) o.to, o.what.count, o.what.root);
  const uint64_t bytes = o.what.count * bytes_of ((ncclDataType_t) o.what.type);
  if (c->rank == o.what.root) memmove (o.to, o.from, bytes);
  return peers_broadcast (c->with, o.to, bytes, o.what.root);
}
void carry_out_all (ncclComm *c, const std::vector<collective> &all)
{
  for (const collective &o : all) {
    if (c->async) return;
    if (const char *why = carry_out (c, o)) c->async = fail (ncclRemoteError, "%s", why);
  }
}

ncclResult_t end_group ()
{
  group &g = open_group;
  const ncclResult_t bad = g.bad;
  if (!bad && !g.operations.empty ()) {
    ncclComm *c = g.comm;
    std::vector<collective> all;
    all.swap (g.operations);
    enqueue (g.stream, [c, all] { carry_out_all (c, all); });
  }
  g = group ();
  return bad;
}

/* what the arguments say is wrong with an operation */
ncclResult_t look_at (const char *call, ncclComm *c, const collective &o, cudaStream_t stream)
{
  const group &g = open_group;
  const size_t size = bytes_of ((ncclDataType_t) o.what.type), bytes = (size_t) o.what.count * size;
  if (!c) return fail (ncclInvalidArgument, "%s: comm is NULL", call);
  const bool has_to = o.what.kind == INTENT_BROADCAST || c->rank == o.what.root, has_from = o.what.kind == INTENT_SUM || c->rank == o.what.root;
  if (o.what.root < 0 || o.what.root >= c->size) return fail (ncclInvalidArgument, "%s: root is %d of %d ranks", call, o.what.root, c->size);
  if (o.what.kind == INTENT_SUM && (o.what.type != ncclFloat32 || o.what.op != ncclSum)) return fail (ncclInvalidArgument, "%s: the emulator sums float32 only", call);
  if (!size) return fail (ncclInvalidArgument, "%s: the emulator does not know data type %d", call, o.what.type);
  if (c->async) return fail (ncclInvalidUsage, "%s: the communicator has failed before", call);
  if (g.comm && (g.comm != c || g.stream != stream)) return fail (ncclInvalidUsage, "%s: the emulator knows groups of one communicator and one stream only", call);
  if (has_from) require_device (call, o.from, bytes);
  if (has_to) require_device (call, o.to, bytes);
  if (has_from && has_to && o.from != o.to && o.from < o.to + bytes && o.to < o.from + bytes) die ("%s: the buffers overlap and are not the same", call);
  return ncclSuccess;
}
/* every call is of a group: its own, if none is open */
ncclResult_t put (const char *call, ncclComm *c, const collective &o, cudaStream_t stream)
{
  group &g = open_group;
  g.depth++;
  const ncclResult_t r = look_at (call, c, o, stream);
  if (r && !g.bad) g.bad = r;
  if (!r) {
    g.comm = c, g.stream = stream;
    if (o.what.count) g.operations.push_back (o);
  }
  return --g.depth ? r : end_group ();
}
} // namespace

extern "C" {
ncclResult_t ncclGetUniqueId (ncclUniqueId *out)
{
  ENTER;
  static uint64_t made;
  struct timespec t;
  id mine = {};
  clock_gettime (CLOCK_REALTIME, &t);
  memcpy (mine.magic, MAGIC, sizeof MAGIC);
  mine.name = ((uint64_t) t.tv_sec * 1000000007u + (uint64_t) t.tv_nsec) * 31 + (uint64_t) getpid () * 1009 + made++;
  mine.meeting = peers_address ();
  memset (out, 0, sizeof *out);
  memcpy (out, &mine, sizeof mine);
  return ncclSuccess;
}
ncclResult_t ncclCommInitRank (ncclComm_t *comm, int size, ncclUniqueId given, int rank)
{
  ENTER;
  id of;
  peers *with = nullptr;
  memcpy (&of, &given, sizeof of);
  *comm = nullptr;
  if (memcmp (of.magic, MAGIC, sizeof MAGIC)) return fail (ncclInvalidArgument, "ncclCommInitRank: the id is not of ncclGetUniqueId");
  if (size < 1 || rank < 0 || rank >= size) return fail (ncclInvalidArgument, "ncclCommInitRank: rank %d of %d", rank, size);
  if (const char *why = peers_join (of.meeting, of.name, rank, size, &with)) {
    peers_leave (with, false);
    return fail (ncclSystemError, "%s", why);
  }
  *comm = new ncclComm{ with, rank, size, ncclSuccess };
  return ncclSuccess;
}
/* what is put into streams is done first, as it may be of this communicator */
ncclResult_t ncclCommDestroy (ncclComm_t c)
{
  ENTER;
  ncclResult_t r;
  if (!c) return ncclSuccess;
  run_all ();
  r = c->async;
  const intent leave = {};
  const char *why = r ? nullptr : peers_agree (c->with, leave);
  if (why) r = fail (ncclRemoteError, "%s", why);
  peers_leave (c->with, !r);
  delete c;
  return r;
}
/* what is still in a stream finds that it has failed */
ncclResult_t ncclCommAbort (ncclComm_t c)
{
  ENTER;
  if (!c) return ncclSuccess;
  if (!c->async) c->async = fail (ncclInvalidUsage, "aborted");
  run_all ();
  peers_leave (c->with, false);
  delete c;
  return ncclSuccess;
}
ncclResult_t ncclCommGetAsyncError (ncclComm_t c, ncclResult_t *e)
{
  ENTER;
  if (!c) return fail (ncclInvalidArgument, "ncclCommGetAsyncError: comm is NULL");
  *e = c->async;
  return ncclSuccess;
}
const char *ncclGetLastError (ncclComm_t) { return last; }
const char *ncclGetErrorString (ncclResult_t r)
{
  switch (r) {
  case ncclSuccess: return "no error";
  case ncclUnhandledCudaError: return "unhandled cuda error";
  case ncclSystemError: return "unhandled system error";
  case ncclInternalError: return "internal error";
  case ncclInvalidArgument: return "invalid argument";
  case ncclInvalidUsage: return "invalid usage";
  case ncclRemoteError: return "remote process exited or there was a network error";
  case ncclInProgress: return "operation in progress";
  default: return "unknown result code";
  }
}
ncclResult_t ncclGroupStart ()
{
  open_group.depth++;
  return ncclSuccess;
}
ncclResult_t ncclGroupEnd ()
{
  ENTER;
  if (!open_group.depth) return fail (ncclInvalidUsage, "ncclGroupEnd: no group is open");
  return --open_group.depth ? ncclSuccess : end_group ();
}
ncclResult_t ncclReduce (const void *from, void *to, size_t count, ncclDataType_t type, ncclRedOp_t op, int root, ncclComm_t c, cudaStream_t stream)
{
  ENTER;
  return put ("ncclReduce", c, { { INTENT_SUM, (int32_t) type, root, (int32_t) op, count }, (const char *) from, (char *) to }, stream);
}
ncclResult_t ncclBroadcast (const void *from, void *to, size_t count, ncclDataType_t type, int root, ncclComm_t c, cudaStream_t stream)
{
  ENTER;
  return put ("ncclBroadcast", c, { { INTENT_BROADCAST, (int32_t) type, root, 0, count }, (const char *) from, (char *) to }, stream);
}
} // extern "C"
