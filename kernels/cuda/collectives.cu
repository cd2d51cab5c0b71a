/* SPDX-License-Identifier: Apache-2.0 */
/* collectives.cu: sums and shares among the devices of the learners, by NCCL. Slices are uneven, so a sum is one reduction to each slice's owner, in one group; a share one broadcast from each.
 * Their order of additions is NCCL's: the same in every run on the same devices, no claim beyond that. A rank that died would leave the others waiting on their devices for ever, so a sync that
 * follows a collective asks NCCL while it waits. */
#include "device_internal.h"
#include "device_open.h"
#include <nccl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if NCCL_VERSION_CODE < 21300
#error "NCCL 2.13 or newer is needed"
#endif

struct sol_device_group {
  struct sol_device *device;
  ncclComm_t comm; /* NULL: given up after an error */
  int rank, size;
};

/* NCCL's own words, on one line */
static void words (char *text, size_t n, ncclResult_t r)
{
  const char *more = ncclGetLastError (NULL);
  snprintf (text, n, "%s%s%.200s%s", ncclGetErrorString (r), more && *more ? " (" : "", more ? more : "", more && *more ? ")" : "");
  for (char *c = text; *c; c++)
    if (*c == '\n') *c = ' ';
}

static void note (sol_queue_t *q, const sol_device_group_t *g, ncclResult_t r, const char *what)
{
  char text[300];
  if (r == ncclSuccess) return;
  words (text, sizeof text, r);
  sol_cuda_fail (q, SOL_ERR_DEVICE, "%s, rank %d of %d: NCCL: %s", what, g->rank, g->size, text);
}

static sol_status_t refuse (const struct sol_device *d, int rank, int size, ncclResult_t r, const char *what)
{
  char text[500], own[300];
  words (own, sizeof own, r);
  snprintf (text, sizeof text, "device %d: %s, rank %d of %d: NCCL: %s%s", d->index, what, rank, size, own, r == ncclInvalidUsage ? "; every learner needs a device of its own" : "");
  return d->host->fail (SOL_ERR_DEVICE, "cuda", text);
}

static sol_status_t make_id (void *device, void *id)
{
  ncclUniqueId made;
  const ncclResult_t r = ncclGetUniqueId (&made);
  if (r != ncclSuccess) return refuse ((struct sol_device *) device, 0, 1, r, "making the id of a group of learners");
  memcpy (id, &made, sizeof made);
  return SOL_OK;
}

static sol_status_t create (void *device, const void *id, int rank, int size, sol_device_group_t **group_p)
{
  struct sol_device *d = (struct sol_device *) device;
  sol_device_group_t *g = (sol_device_group_t *) calloc (1, sizeof *g);
  ncclUniqueId of;
  ncclResult_t r = ncclSystemError;
  if (!g) return d->host->fail (SOL_ERR_MEMORY, "cuda", "no memory for a group of learners");
  memcpy (&of, id, sizeof of);
  g->device = d, g->rank = rank, g->size = size;
  const cudaError_t e = cudaSetDevice (d->index);
  if (e == cudaSuccess) r = ncclCommInitRank (&g->comm, size, of, rank);
  if (e == cudaSuccess && r == ncclSuccess) {
    *group_p = g;
    return SOL_OK;
  }
  free (g);
  return e != cudaSuccess ? d->host->fail (SOL_ERR_DEVICE, "cuda", cudaGetErrorString (e)) : refuse (d, rank, size, r, "joining the learners");
}

/* Waits for what is on q. An error on the way ends NCCL's kernels, which would wait for ever. */
static void watch (sol_queue_t *q)
{
  sol_device_group_t *g = q->group;
  ncclResult_t r = ncclSuccess, found = ncclSuccess;
  q->group = NULL;
  while (g->comm) {
    const cudaError_t e = cudaStreamQuery (q->stream);
    r = ncclCommGetAsyncError (g->comm, &found);
    if (r == ncclSuccess && found != ncclInProgress) r = found;
    if (r != ncclSuccess || e != cudaErrorNotReady) break;
    sched_yield ();
  }
  cudaGetLastError (); /* not ready: no error of the next launch */
  if (r == ncclSuccess) return;
  note (q, g, r, "sums and shares among learners");
  ncclCommAbort (g->comm);
  g->comm = NULL;
}

static void destroy (sol_device_group_t *g)
{
  ncclResult_t r = ncclSuccess;
  for (int i = 0; i < 3; i++)
    if (g->device->queue[i].group == g) watch (&g->device->queue[i]);
  if (g->comm) r = ncclCommDestroy (g->comm);
  if (r != ncclSuccess) {
    char text[400], own[300];
    words (own, sizeof own, r);
    snprintf (text, sizeof text, "device %d: leaving the learners, rank %d of %d: NCCL: %s", g->device->index, g->rank, g->size, own);
    g->device->host->warn ("cuda", text);
  }
  free (g);
}

/* 0: the group was given up. A rank whose queue has an error of its own takes part all the same: the others wait for it. */
static int begin (sol_device_group_t *g, sol_queue_t *q, const char *what)
{
  SOL_REQUIRE (q->device == g->device && (!q->group || q->group == g));
  if (g->comm) q->group = g, q->watch = watch;
  else sol_cuda_fail (q, SOL_ERR_DEVICE, "%s, rank %d of %d: the learners were lost before", what, g->rank, g->size);
  return g->comm != NULL;
}

static void reduce (sol_device_group_t *g, sol_queue_t *q, const float *whole, const int64_t *cut, float *slice)
{
  const int64_t mine = cut[g->rank + 1] - cut[g->rank];
  SOL_REQUIRE (slice == whole + cut[g->rank] || slice + mine <= whole + cut[0] || slice >= whole + cut[g->size]);
  if (!begin (g, q, "summing gradients")) return;
  ncclResult_t r = ncclGroupStart ();
  for (int to = 0; to < g->size && r == ncclSuccess; to++)
    if (cut[to + 1] > cut[to]) r = ncclReduce (whole + cut[to], to == g->rank ? slice : NULL, (size_t) (cut[to + 1] - cut[to]), ncclFloat32, ncclSum, to, g->comm, q->stream);
  const ncclResult_t end = ncclGroupEnd ();
  note (q, g, r != ncclSuccess ? r : end, "summing gradients");
}

static void share (sol_device_group_t *g, sol_queue_t *q, void *block, const int64_t *cut, size_t element_bytes)
{
  if (!begin (g, q, "sharing weights")) return;
  ncclResult_t r = ncclGroupStart ();
  for (int from = 0; from < g->size && r == ncclSuccess; from++) {
    char *at = (char *) block + (size_t) cut[from] * element_bytes;
    const size_t bytes = (size_t) (cut[from + 1] - cut[from]) * element_bytes;
    if (bytes) r = ncclBroadcast (at, at, bytes, ncclUint8, from, g->comm, q->stream);
  }
  const ncclResult_t end = ncclGroupEnd ();
  note (q, g, r != ncclSuccess ? r : end, "sharing weights");
}

extern "C" const sol_device_collectives_t sol_device_collectives = { sizeof (ncclUniqueId), make_id, create, destroy, reduce, share };
