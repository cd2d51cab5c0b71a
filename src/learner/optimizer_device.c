/* SPDX-License-Identifier: Apache-2.0 */
/* optimizer_device.c: the optimizer where the backend's memory is a device's. One leaf a learner: its gradient is summed over the learners by the device's collectives (order and rounding
 * are theirs: no bit-for-bit claim), every learner updates its slice, rounds it and shares it. The host sees only the published block, on learner 0, who fetches
 * it when it publishes. */
#include "optimizer.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <string.h>

struct sol_optimizer_device {
  sol_backend_t *backend;
  const sol_ops_t *ops;
  sol_queue_t *queue, *comm;
  sol_event_t *complete;   /* of gradients, for comm */
  int64_t *part;           /* [size + 1]: slices within a part of the block */
  int layers;              /* not yet summed in this update */
  sol_collective_t *group; /* NULL: one learner */
  float *whole;            /* [sol_grad_elements]: this learner's gradient */
  void *partial;           /* f64, one a chunk of my slice */
  sol_queue_t *copy;       /* takes the block to the host */
  sol_event_t *made, *brought; /* on compute: the block is new; on copy: it is on the host */
  int fetched;             /* the block on the host is that of the device, or on its way there */
};

int sol_optimizer_device_pieces (sol_optimizer_t *o, sol_piece_t out[SOL_PIECES])
{
  static sol_optimizer_device_t none;
  sol_optimizer_device_t *d = o->device ? o->device : &none;
  const size_t slice = (size_t) o->n * sizeof (float) + 64;
  int n = 0;
  out[n++] = (sol_piece_t){ (void **) &d->whole, (size_t) sol_grad_elements (o->model) * sizeof (float) + 64, "the gradient", SOL_NEED_GRADIENTS };
  out[n++] = (sol_piece_t){ (void **) &o->w, slice, "the master weights", SOL_NEED_MASTER };
  out[n++] = (sol_piece_t){ (void **) &o->m, slice, "the first moments", SOL_NEED_MOMENTS };
  out[n++] = (sol_piece_t){ (void **) &o->v, slice, "the second moments", SOL_NEED_MOMENTS };
  if (o->size > 1) out[n++] = (sol_piece_t){ (void **) &o->grad, slice, "a slice of the gradient", SOL_NEED_EXCHANGE };
  out[n++] = (sol_piece_t){ &d->partial, (size_t) (o->n / SOL_SUMSQ_CHUNK + 1) * sizeof (double) + 64, "sums of squares", SOL_NEED_GRADIENTS };
  return n;
}

sol_status_t sol_optimizer_device_create (sol_optimizer_t *o)
{
  sol_backend_t *b = sol_model_backend (o->model);
  sol_optimizer_device_t *d = o->device = sol_alloc (sizeof *d);
  sol_piece_t piece[SOL_PIECES];
  d->backend = b;
  d->ops = sol_backend_ops (b);
  d->queue = sol_backend_queue (b, SOL_QUEUE_COMPUTE);
  d->copy = sol_backend_queue (b, SOL_QUEUE_COPY);
  SOL_TRY (d->ops->event_create (b, &d->made));
  SOL_TRY (d->ops->event_create (b, &d->brought));
  SOL_ASSERT (o->n_leaves == o->size);
  for (int i = 0, n = sol_optimizer_device_pieces (o, piece); i < n; i++) SOL_TRY (d->ops->alloc (b, piece[i].bytes, piece[i].what, piece[i].p));
  if (o->size == 1) o->grad = d->whole;
  return SOL_OK;
}

sol_status_t sol_optimizer_device_join (sol_optimizer_t *o)
{
  sol_optimizer_device_t *d = o->device;
  sol_status_t st = SOL_OK;
  if (o->size > 1) {
    d->comm = sol_backend_queue (d->backend, SOL_QUEUE_COMM);
    d->part = sol_alloc ((size_t) (o->size + 1) * sizeof *d->part);
    d->layers = sol_model_arch (o->model)->layers;
    st = d->ops->event_create (d->backend, &d->complete);
  }
  SOL_TRY (sol_comm_agree (o->comm, st));
  return sol_collective_create (d->backend, o->comm, &d->group);
}

void sol_optimizer_device_destroy (sol_optimizer_t *o)
{
  sol_optimizer_device_t *d = o->device;
  void *all[] = { d->whole, o->w, o->m, o->v, o->grad == d->whole ? NULL : o->grad, d->partial };
  sol_collective_destroy (d->group);
  sol_event_t *event[] = { d->complete, d->made, d->brought };
  d->ops->sync (d->copy); /* redundant: giving memory back waits, too. A block that nobody waited for */
  for (int i = 0; i < 3; i++)
    if (event[i]) d->ops->event_destroy (d->backend, event[i]);
  sol_free (d->part);
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (all[i]) d->ops->free (d->backend, all[i]);
  o->w = o->m = o->v = o->grad = NULL;
  sol_free (d);
  o->device = NULL;
}

sol_status_t sol_optimizer_device_put (sol_optimizer_t *o, float *slice, const float *host)
{
  return sol_ferry_put (sol_model_ferry (o->model), slice, host, (size_t) o->n * sizeof *host);
}

sol_status_t sol_optimizer_device_get (const sol_optimizer_t *o, const float *slice, float *host)
{
  return sol_ferry_get (sol_model_ferry (o->model), host, slice, (size_t) o->n * sizeof *host);
}

float *sol_optimizer_device_leaf (sol_optimizer_t *o)
{
  o->device->ops->zero (o->device->queue, o->device->whole, (size_t) sol_grad_elements (o->model) * sizeof (float));
  return o->device->whole;
}

/* sums what lies in [first, end) of the block, on the queue beside computation */
static void sum_part (sol_optimizer_t *o, int64_t first, int64_t end)
{
  const sol_optimizer_device_t *d = o->device;
  const int rank = sol_comm_rank (o->comm);
  for (int r = 0; r <= o->size; r++) d->part[r] = o->cut[r] < first ? first : o->cut[r] > end ? end : o->cut[r];
  const int mine = d->part[rank + 1] > d->part[rank];
  if (end > first) sol_collective_reduce (d->group, d->comm, d->whole, d->part, mine ? o->grad + (d->part[rank] - o->first) : o->grad);
}

/* what was put on the compute queue so far is there for the sums that follow */
static void completed (const sol_optimizer_device_t *d)
{
  d->ops->record (d->queue, d->complete);
  d->ops->wait (d->comm, d->complete);
}

/* Every learner sums the layers in this order, and then the rest, whether its own passes had layers or not. */
void sol_optimizer_device_layer (sol_optimizer_t *o, int layer)
{
  sol_optimizer_device_t *d = o->device;
  int64_t first, end;
  if (!d->group) return;
  SOL_ASSERT (layer == d->layers - 1);
  end = sol_model_layer (o->model, layer, &first);
  completed (d);
  sum_part (o, first, end);
  d->layers--;
}

sol_status_t sol_optimizer_device_reduce (sol_optimizer_t *o)
{
  sol_optimizer_device_t *d = o->device;
  int64_t first, after, end;
  if (!d->group) return SOL_OK;
  while (d->layers > 0) sol_optimizer_device_layer (o, d->layers - 1);
  d->layers = sol_model_arch (o->model)->layers;
  after = sol_model_layer (o->model, d->layers - 1, &first);
  end = sol_model_layer (o->model, 0, &first);
  SOL_ASSERT (end <= after);
  completed (d);
  sum_part (o, 0, first);
  sum_part (o, after, o->elements);
  return d->ops->sync (d->comm); /* here a learner that was lost is found, and what computes goes on with the sums */
}

sol_status_t sol_optimizer_device_sumsq (sol_optimizer_t *o, double *partial, int64_t chunks)
{
  const sol_optimizer_device_t *d = o->device;
  if (chunks > 0) {
    d->ops->sumsq (d->queue, sol_tensor (o->grad, SOL_F32, 1, o->n), sol_tensor (d->partial, SOL_F64, 1, chunks));
    d->ops->get (d->queue, partial, d->partial, (size_t) chunks * sizeof *partial);
  }
  return d->ops->sync (d->queue);
}

sol_status_t sol_optimizer_device_install (sol_optimizer_t *o)
{
  sol_optimizer_device_t *d = o->device;
  const sol_dtype_t dtype = sol_model_dtype (o->model);
  char *block = sol_model_block (o->model);
  if (d->fetched) d->ops->wait (d->queue, d->brought); /* the old block may be on its way to the host still */
  d->ops->round (d->queue, sol_tensor (o->w, SOL_F32, 1, o->n), sol_tensor (block + (size_t) o->first * sol_dtype_bytes (dtype), dtype, 1, o->n));
  if (d->group) sol_collective_share (d->group, d->queue, block, o->cut, sol_dtype_bytes (dtype));
  sol_model_install (o->model);
  d->fetched = 0;
  return d->ops->sync (d->queue); /* redundant: for what is on queues. A learner that was lost, and any error of this update, is told here and not in the next */
}

/* of several updates between two publications the last one's block only */
void sol_optimizer_device_bring (sol_optimizer_t *o)
{
  sol_optimizer_device_t *d = o->device;
  SOL_ASSERT (o->block);
  if (d->fetched) return;
  d->ops->record (d->queue, d->made);
  d->ops->wait (d->copy, d->made);
  d->ops->get (d->copy, o->block, sol_model_block (o->model), sol_model_bytes (o->model));
  d->ops->record (d->copy, d->brought);
  d->fetched = 1;
}

sol_status_t sol_optimizer_device_block (sol_optimizer_t *o)
{
  sol_optimizer_device_bring (o);
  return o->device->ops->sync (o->device->copy);
}
