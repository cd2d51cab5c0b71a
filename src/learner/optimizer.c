/* SPDX-License-Identifier: Apache-2.0 */
#include "optimizer.h"
#include "solera/clock.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <math.h>
#include <string.h>

/* rounds my slice, gives everybody every slice, prepares the matrices */
static sol_status_t install (sol_optimizer_t *o)
{
  if (o->device) return sol_optimizer_device_install (o);
  sol_dtype_t dtype = sol_model_dtype (o->model);
  size_t bytes = sol_dtype_bytes (dtype);
  sol_model_round (o->w, o->n, dtype, o->block + (size_t) o->first * bytes);
  SOL_TRY (sol_comm_share_slices (o->comm, o->block, o->cut, bytes));
  return sol_model_set (o->model, o->block);
}

/* leaves and slices of each rank */
static void cut_up (int64_t elements, int n_leaves, int size, int *first_of, int64_t *cut)
{
  const int64_t chunks = (elements + SOL_SUMSQ_CHUNK - 1) / SOL_SUMSQ_CHUNK;
  for (int r = 0; r <= size; r++) {
    const int64_t at = chunks * r / size * SOL_SUMSQ_CHUNK;
    first_of[r] = (int) ((int64_t) n_leaves * r / size);
    cut[r] = at < elements ? at : elements;
  }
}

/* what there is of it before any memory: learner `rank` of `size` */
static void shape (sol_optimizer_t *o, sol_model_t *model, int64_t leaves, int rank, int size)
{
  o->model = model;
  o->rank = rank;
  o->size = size;
  o->n_leaves = leaves > 0 ? (int) leaves : size;
  o->elements = sol_model_table (model)->elements;
  o->first_of = sol_alloc ((size_t) (size + 1) * sizeof *o->first_of);
  o->cut = sol_alloc ((size_t) (size + 1) * sizeof *o->cut);
  cut_up (o->elements, o->n_leaves, size, o->first_of, o->cut);
  o->first = o->cut[rank];
  o->n = o->cut[rank + 1] - o->first;
}

static size_t chunks_of (const sol_optimizer_t *o) { return (size_t) ((o->elements + SOL_SUMSQ_CHUNK - 1) / SOL_SUMSQ_CHUNK); }

/* its memory on the host: on a device only what the host needs beside it, which is pinned there (sol_backend_pin): put and get carry it */
static int list_host (sol_optimizer_t *o, sol_piece_t *out)
{
  const size_t slice = (size_t) (o->n + 16) * sizeof (float);
  const int device = sol_backend_is_device (sol_model_backend (o->model));
  int n = 0;
  if (!device) {
    out[n++] = (sol_piece_t){ (void **) &o->w, slice, "a slice of the master weights", SOL_NEED_MASTER };
    out[n++] = (sol_piece_t){ (void **) &o->m, slice, "a slice of the first moments", SOL_NEED_MOMENTS };
    out[n++] = (sol_piece_t){ (void **) &o->v, slice, "a slice of the second moments", SOL_NEED_MOMENTS };
    out[n++] = (sol_piece_t){ (void **) &o->grad, slice, "a slice of the gradient", SOL_NEED_GRADIENTS };
  }
  if (!device || o->rank == 0) out[n++] = (sol_piece_t){ (void **) &o->block, sol_model_bytes (o->model), "the published weight block", SOL_NEED_WEIGHTS };
  out[n++] = (sol_piece_t){ (void **) &o->partial, chunks_of (o) * sizeof (double), "sums of squares", SOL_NEED_GRADIENTS };
  return n;
}

void sol_optimizer_need (const sol_model_t *model, int64_t leaves, int rank, int size, sol_needs_t *need)
{
  const int device = sol_backend_is_device (sol_model_backend (model));
  sol_optimizer_t o = { 0 };
  sol_piece_t piece[SOL_PIECES];
  shape (&o, (sol_model_t *) (uintptr_t) model, leaves, rank, size);
  sol_need_add (device ? &need->device : &need->host, SOL_NEED_WEIGHTS, sol_model_need (model));
  sol_need_pin (&need->host, SOL_NEED_WEIGHTS, sol_model_pinned (model), device);
  for (int i = 0, n = list_host (&o, piece); i < n; i++) sol_need_pin (&need->host, piece[i].part, piece[i].bytes, device);
  for (int i = 0, n = device ? sol_optimizer_device_pieces (&o, piece) : 0; i < n; i++) sol_need_add (&need->device, piece[i].part, piece[i].bytes);
  if (!device) {
    size_t exchange;
    sol_need_add (&need->host, SOL_NEED_GRADIENTS, sol_tree_bytes (sol_grad_elements (model), o.n_leaves, o.first_of, o.cut, rank, size, &exchange));
    sol_need_add (&need->host, SOL_NEED_EXCHANGE, exchange);
  }
  sol_need_add (&need->host, SOL_NEED_WHOLE, (uint64_t) o.elements * sizeof (float)); /* sol_setup_weights, sol_optimizer_master */
  sol_free (o.first_of);
  sol_free (o.cut);
}

/* host floats of my slice to where the slices are */
static sol_status_t put_slice (sol_optimizer_t *o, float *slice, const float *host)
{
  if (o->device) return sol_optimizer_device_put (o, slice, host);
  memcpy (slice, host, (size_t) o->n * sizeof *slice);
  return SOL_OK;
}

static sol_status_t create_memory (sol_optimizer_t *o)
{
  sol_piece_t piece[SOL_PIECES];
  if (sol_backend_is_device (sol_model_backend (o->model))) SOL_TRY (sol_optimizer_device_create (o));
  for (int i = 0, n = list_host (o, piece); i < n; i++) SOL_TRY (sol_backend_pin (sol_model_backend (o->model), piece[i].bytes, piece[i].what, piece[i].p));
  return SOL_OK;
}

sol_status_t sol_optimizer_create (sol_model_t *model, sol_comm_t *comm, int64_t leaves, const float *weights, sol_optimizer_t **optimizer_p)
{
  sol_optimizer_t *o = sol_alloc (sizeof *o);
  sol_status_t st = SOL_OK;
  o->comm = comm;
  shape (o, model, leaves, sol_comm_rank (comm), sol_comm_size (comm));
  st = create_memory (o);
  SOL_GO (sol_comm_agree (comm, st));
  if (o->device) SOL_GO (sol_optimizer_device_join (o));
  else SOL_GO (sol_tree_create (comm, sol_grad_elements (model), o->n_leaves, o->first_of, &o->tree));
  if (weights) {
    st = put_slice (o, o->w, weights + o->first);
    SOL_GO (sol_comm_agree (comm, st));
    SOL_GO (install (o));
  }
  *optimizer_p = o;
  return SOL_OK;
out:
  sol_optimizer_destroy (o);
  return st;
}

sol_status_t sol_optimizer_rehearse (sol_model_t *model, int rank, int size, sol_optimizer_t **optimizer_p)
{
  sol_optimizer_t *o = sol_alloc (sizeof *o);
  o->comm = sol_comm_self ();
  shape (o, model, 0, rank, size);
  sol_status_t st = sol_backend_pin (sol_model_backend (model), chunks_of (o) * sizeof (double), "sums of squares", (void **) &o->partial);
  if (st == SOL_OK) st = sol_optimizer_device_create (o);
  if (st != SOL_OK) sol_optimizer_destroy (o);
  else *optimizer_p = o;
  return st;
}

void sol_optimizer_destroy (sol_optimizer_t *o)
{
  if (!o) return;
  sol_tree_destroy (o->tree);
  if (o->device) sol_optimizer_device_destroy (o);
  sol_piece_t piece[SOL_PIECES];
  for (int i = 0, n = list_host (o, piece); i < n; i++) sol_backend_unpin (sol_model_backend (o->model), *piece[i].p, piece[i].bytes);
  void *all[] = { o->first_of, o->cut, o };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) sol_free (all[i]);
}

/* my slice of one part of a checkpoint */
static sol_status_t get_slice (sol_optimizer_t *o, const char *dir, const char *part, float *slice)
{
  float *host;
  sol_status_t st;
  if (!o->device) return sol_checkpoint_get (dir, part, o->first, o->n, slice);
  SOL_TRY (sol_alloc_large ((size_t) (o->n + 1) * sizeof *host, "a slice of the optimizer's state on the host", (void **) &host));
  st = sol_checkpoint_get (dir, part, o->first, o->n, host);
  if (st == SOL_OK) st = sol_optimizer_device_put (o, slice, host);
  sol_free (host);
  return st;
}

sol_status_t sol_optimizer_load (sol_optimizer_t *o, const char *dir, const sol_checkpoint_t *info)
{
  sol_status_t st = SOL_OK;
  if (info->elements != o->elements)
    st = sol_fail (SOL_ERR_FORMAT, "learner", "%s: expected %lld weights, as the model has, found %lld", dir, (long long) o->elements, (long long) info->elements);
  if (st == SOL_OK) st = get_slice (o, dir, "weights", o->w);
  if (st == SOL_OK) st = get_slice (o, dir, "adam_m", o->m);
  if (st == SOL_OK) st = get_slice (o, dir, "adam_v", o->v);
  SOL_TRY (sol_comm_agree (o->comm, st));
  o->step = info->step;
  return install (o);
}

/* my slice of one part to the writer, over host memory where it is not there */
static sol_status_t save_slice (const sol_optimizer_t *o, sol_checkpoint_writer_t *w, const char *part, const float *slice)
{
  float *host;
  sol_status_t st;
  if (!o->device) return sol_checkpoint_put (w, part, o->first, o->n, slice);
  SOL_TRY (sol_alloc_large ((size_t) (o->n + 1) * sizeof *host, "a slice of the optimizer's state on the host", (void **) &host));
  st = sol_optimizer_device_get (o, slice, host);
  if (st == SOL_OK) st = sol_checkpoint_put (w, part, o->first, o->n, host);
  sol_free (host);
  return st;
}

sol_status_t sol_optimizer_save (const sol_optimizer_t *o, sol_checkpoint_writer_t *w)
{
  SOL_TRY (save_slice (o, w, "weights", o->w));
  SOL_TRY (save_slice (o, w, "adam_m", o->m));
  return save_slice (o, w, "adam_v", o->v);
}

float *sol_optimizer_leaf (sol_optimizer_t *o) { return o->device ? sol_optimizer_device_leaf (o) : sol_tree_leaf (o->tree); }

sol_status_t sol_optimizer_push (sol_optimizer_t *o)
{
  sol_backend_t *b = sol_model_backend (o->model);
  if (o->device) return SOL_OK;
  SOL_TRY (sol_backend_ops (b)->sync (sol_backend_queue (b, SOL_QUEUE_COMPUTE)));
  return sol_tree_push (o->tree);
}

void sol_optimizer_layer (sol_optimizer_t *o, int layer)
{
  if (o->device) sol_optimizer_device_layer (o, layer);
}

/* Euclidean norm from fixed chunks of the canonical block, summed in chunk order: the same for any number of learners */
static sol_status_t grad_norm (sol_optimizer_t *o, double *norm_p)
{
  int size = sol_comm_size (o->comm);
  int64_t chunks = (o->elements + SOL_SUMSQ_CHUNK - 1) / SOL_SUMSQ_CHUNK, mine = (o->n + SOL_SUMSQ_CHUNK - 1) / SOL_SUMSQ_CHUNK;
  sol_backend_t *b = sol_model_backend (o->model);
  sol_queue_t *q = sol_backend_queue (b, SOL_QUEUE_COMPUTE);
  double *part = o->partial + o->first / SOL_SUMSQ_CHUNK, sum = 0;
  size_t *bytes_of = sol_alloc ((size_t) size * sizeof *bytes_of);
  sol_status_t st;
  if (o->device) SOL_GO (sol_optimizer_device_sumsq (o, part, mine));
  else {
    if (mine > 0) sol_backend_ops (b)->sumsq (q, sol_tensor (o->grad, SOL_F32, 1, o->n), sol_tensor (part, SOL_F64, 1, mine));
    SOL_GO (sol_backend_ops (b)->sync (q));
  }
  for (int r = 0; r < size; r++) bytes_of[r] = (size_t) ((o->cut[r + 1] - o->cut[r] + SOL_SUMSQ_CHUNK - 1) / SOL_SUMSQ_CHUNK) * sizeof (double);
  if (size > 1) {
    double *own = sol_alloc ((size_t) (mine + 1) * sizeof *own);
    memcpy (own, part, (size_t) mine * sizeof *own);
    st = sol_comm_allgatherv (o->comm, own, (size_t) mine * sizeof *own, o->partial, bytes_of);
    sol_free (own);
    if (st != SOL_OK) goto out;
  }
  for (int64_t i = 0; i < chunks; i++) sum += o->partial[i];
  *norm_p = sqrt (sum);
out:
  sol_free (bytes_of);
  return st;
}

sol_status_t sol_optimizer_step (sol_optimizer_t *o, sol_adamw_t hyper, double grad_clip, int64_t update, double *norm_p)
{
  double t0 = sol_clock_s (), t1, norm;
  SOL_TRY (o->device ? sol_optimizer_device_reduce (o) : sol_tree_finish (o->tree, o->cut, o->grad));
  SOL_TRY (grad_norm (o, &norm));
  if (!isfinite (norm)) return sol_fail (SOL_ERR_NUMERIC, "learner", "update %lld refused: the gradient's norm is %g", (long long) update, norm);
  t1 = sol_clock_s ();
  hyper.step = o->step + 1;
  hyper.scale = grad_clip > 0 && norm > grad_clip ? grad_clip / (norm + 1e-6) : 1;
  sol_adamw_step (o->model, hyper, o->first, o->n, o->grad, o->w, o->m, o->v);
  SOL_TRY (install (o));
  o->step++;
  o->reduce_s += t1 - t0;
  o->optimizer_s += sol_clock_s () - t1;
  *norm_p = norm;
  return SOL_OK;
}

void sol_optimizer_bring (sol_optimizer_t *o)
{
  if (o->device) sol_optimizer_device_bring (o);
}

sol_status_t sol_optimizer_block (sol_optimizer_t *o, const void **block_p)
{
  *block_p = o->block;
  return o->device ? sol_optimizer_device_block (o) : SOL_OK;
}

sol_status_t sol_optimizer_master (const sol_optimizer_t *o, float **master_p)
{
  float *all = NULL;
  sol_status_t st = sol_alloc_large ((size_t) o->elements * sizeof *all, "the whole float32 master", (void **) &all);
  SOL_GO (sol_comm_agree (o->comm, st));
  if (o->device) st = sol_optimizer_device_get (o, o->w, all + o->first);
  else memcpy (all + o->first, o->w, (size_t) o->n * sizeof *all);
  SOL_GO (sol_comm_agree (o->comm, st));
  SOL_GO (sol_comm_share_slices (o->comm, all, o->cut, sizeof *all));
  *master_p = all;
  return SOL_OK;
out:
  sol_free (all);
  return st;
}
