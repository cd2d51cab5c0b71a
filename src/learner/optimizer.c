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

void sol_optimizer_need (const sol_model_t *model, int64_t leaves, int rank, int size, sol_need_t *need)
{
  const int64_t elements = sol_model_table (model)->elements;
  const int n_leaves = leaves > 0 ? (int) leaves : size;
  int *first_of = sol_alloc ((size_t) (size + 1) * sizeof *first_of);
  int64_t *cut = sol_alloc ((size_t) (size + 1) * sizeof *cut);
  cut_up (elements, n_leaves, size, first_of, cut);
  sol_need_add (need, SOL_NEED_WEIGHTS, sol_model_need (model));
  if (!(sol_backend_ops (sol_model_backend (model))->caps & SOL_CAP_HOST)) { /* optimizer_device.c: the whole gradient; master, two moments and, beside others, a slice of the gradient */
    sol_need_add (need, SOL_NEED_OPTIMIZER, ((uint64_t) sol_grad_elements (model) + (size > 1 ? 4 : 3) * (uint64_t) (cut[rank + 1] - cut[rank])) * sizeof (float));
    goto out;
  }
  sol_need_add (need, SOL_NEED_WEIGHTS, sol_model_bytes (model));
  sol_need_add (need, SOL_NEED_OPTIMIZER, 4 * (uint64_t) (cut[rank + 1] - cut[rank] + 16) * sizeof (float));
  sol_need_add (need, SOL_NEED_OPTIMIZER, sol_tree_bytes (sol_grad_elements (model), n_leaves, first_of, cut, rank, size));
  sol_need_add (need, SOL_NEED_OPTIMIZER, (uint64_t) elements * sizeof (float)); /* the start weights; later the whole master while it is saved */
out:
  sol_free (first_of);
  sol_free (cut);
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
  float **slices[] = { &o->w, &o->m, &o->v, &o->grad };
  if (!(sol_backend_ops (sol_model_backend (o->model))->caps & SOL_CAP_HOST)) return sol_optimizer_device_create (o);
  for (int i = 0; i < 4; i++) SOL_TRY (sol_alloc_large ((size_t) (o->n + 16) * sizeof (float), "a slice of the optimizer's state", (void **) slices[i]));
  return sol_alloc_large (sol_model_bytes (o->model), "the published weight block", (void **) &o->block);
}

sol_status_t sol_optimizer_create (sol_model_t *model, sol_comm_t *comm, int64_t leaves, const float *weights, sol_optimizer_t **optimizer_p)
{
  int size = sol_comm_size (comm), rank = sol_comm_rank (comm);
  sol_optimizer_t *o = sol_alloc (sizeof *o);
  int64_t chunks;
  sol_status_t st = SOL_OK;
  o->comm = comm;
  o->model = model;
  o->n_leaves = leaves > 0 ? (int) leaves : size;
  o->elements = sol_model_table (model)->elements;
  o->first_of = sol_alloc ((size_t) (size + 1) * sizeof *o->first_of);
  o->cut = sol_alloc ((size_t) (size + 1) * sizeof *o->cut);
  chunks = (o->elements + SOL_SUMSQ_CHUNK - 1) / SOL_SUMSQ_CHUNK;
  cut_up (o->elements, o->n_leaves, size, o->first_of, o->cut);
  o->first = o->cut[rank];
  o->n = o->cut[rank + 1] - o->first;
  o->partial = sol_alloc ((size_t) chunks * sizeof *o->partial);
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

void sol_optimizer_destroy (sol_optimizer_t *o)
{
  if (!o) return;
  sol_tree_destroy (o->tree);
  if (o->device) sol_optimizer_device_destroy (o);
  void *all[] = { o->first_of, o->cut, o->w, o->m, o->v, o->grad, o->block, o->partial, o };
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

sol_status_t sol_optimizer_step (sol_optimizer_t *o, sol_adamw_t hyper, double grad_clip, double *norm_p)
{
  double t0 = sol_clock_s (), t1, norm;
  SOL_TRY (o->device ? sol_optimizer_device_reduce (o) : sol_tree_finish (o->tree, o->cut, o->grad));
  SOL_TRY (grad_norm (o, &norm));
  if (!isfinite (norm)) return sol_fail (SOL_ERR_NUMERIC, "learner", "update %lld refused: the gradient's norm is %g", (long long) o->step, norm);
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
