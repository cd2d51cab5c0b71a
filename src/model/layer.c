/* SPDX-License-Identifier: Apache-2.0 */
/* One layer forward: the one order of operations for training, prefill and decoding. */
#include "model_internal.h"
#include <math.h>

float sol_attention_scale (const sol_arch_t *a) { return (float) (1 / sqrt ((double) a->head_size)); }

void sol_acts_take (const sol_model_t *m, sol_arena_t *arena, int64_t rows, int keep, sol_acts_t *a)
{
  const sol_arch_t *c = &m->arch;
  const int64_t q = (int64_t) c->heads * c->head_size, kv = (int64_t) c->kv_heads * c->head_size;
  const sol_dtype_t act = m->ops->act;
  a->x = sol_arena_tensor (arena, act, rows, c->width);
  a->mid = keep ? sol_arena_tensor (arena, act, rows, c->width) : a->x;
  a->inv1 = sol_arena_tensor (arena, SOL_F32, 1, rows);
  a->inv2 = sol_arena_tensor (arena, SOL_F32, 1, rows);
  a->q = sol_arena_tensor (arena, act, rows, q);
  a->k = sol_arena_tensor (arena, act, rows, kv);
  a->v = sol_arena_tensor (arena, act, rows, kv);
  a->q_raw = a->q;
  a->k_raw = a->k;
  a->inv_q = a->inv_k = sol_no_tensor;
  if (c->qk_norm) {
    a->q_raw = sol_arena_tensor (arena, act, rows, q);
    a->k_raw = sol_arena_tensor (arena, act, rows, kv);
    a->inv_q = sol_arena_tensor (arena, SOL_F32, 1, rows * c->heads);
    a->inv_k = sol_arena_tensor (arena, SOL_F32, 1, rows * c->kv_heads);
  }
  a->o = sol_arena_tensor (arena, act, rows, q);
  a->stats = keep ? sol_arena_tensor (arena, SOL_F32, rows, 2 * c->heads) : sol_no_tensor;
  a->gate = sol_arena_tensor (arena, act, rows, c->mlp);
  a->up = sol_arena_tensor (arena, act, rows, c->mlp);
}

void sol_layer_qkv (const sol_run_t *r, const sol_layer_t *w, const sol_acts_t *a)
{
  const sol_model_t *m = r->model;
  const sol_arch_t *c = &m->arch;
  const sol_ops_t *ops = m->ops;
  const int64_t n = r->n;
  const sol_tensor_t h = sol_tensor_rows (r->h, 0, n), q = sol_tensor_rows (a->q, 0, n), k = sol_tensor_rows (a->k, 0, n);
  ops->rmsnorm (m->queue, sol_tensor_rows (a->x, 0, n), w->vector[SOL_NORM1], c->norm_eps, h, sol_first (a->inv1, n));
  ops->matmul (m->queue, h, &w->matrix[SOL_Q], w->vector[SOL_BIAS_Q], 0, sol_tensor_rows (a->q_raw, 0, n));
  ops->matmul (m->queue, h, &w->matrix[SOL_K], w->vector[SOL_BIAS_K], 0, sol_tensor_rows (a->k_raw, 0, n));
  ops->matmul (m->queue, h, &w->matrix[SOL_V], w->vector[SOL_BIAS_V], 0, sol_tensor_rows (a->v, 0, n));
  if (c->qk_norm) {
    ops->rmsnorm (m->queue, sol_by_head (a->q_raw, n, c->heads, c->head_size), w->vector[SOL_NORM_Q], c->norm_eps,
                  sol_by_head (a->q, n, c->heads, c->head_size), sol_first (a->inv_q, n * c->heads));
    ops->rmsnorm (m->queue, sol_by_head (a->k_raw, n, c->kv_heads, c->head_size), w->vector[SOL_NORM_K], c->norm_eps,
                  sol_by_head (a->k, n, c->kv_heads, c->head_size), sol_first (a->inv_k, n * c->kv_heads));
  }
  ops->rope (m->queue, q, c->heads, r->pos, m->rope, 1);
  ops->rope (m->queue, k, c->kv_heads, r->pos, m->rope, 1);
}

/* the stream goes on in `to`, which may be the same memory */
static void carry (const sol_model_t *m, sol_tensor_t from, sol_tensor_t to)
{
  if (from.at != to.at) m->ops->copy (m->queue, to.at, from.at, (size_t) (from.rows * from.cols) * sol_dtype_bytes (from.dtype));
}

void sol_layer_rest (const sol_run_t *r, const sol_layer_t *w, const sol_acts_t *a, sol_tensor_t K, sol_tensor_t V, sol_tensor_t out)
{
  const sol_model_t *m = r->model;
  const sol_arch_t *c = &m->arch;
  const sol_ops_t *ops = m->ops;
  const int64_t n = r->n;
  const sol_tensor_t h = sol_tensor_rows (r->h, 0, n), s = sol_tensor_rows (r->s, 0, n), o = sol_tensor_rows (a->o, 0, n),
                     mid = sol_tensor_rows (a->mid, 0, n), gate = sol_tensor_rows (a->gate, 0, n), up = sol_tensor_rows (a->up, 0, n),
                     y = sol_tensor_rows (out, 0, n);
  const sol_tensor_t stats = a->stats.at ? sol_tensor_rows (a->stats, 0, n) : sol_no_tensor;
  ops->attention (m->queue, sol_tensor_rows (a->q, 0, n), K, V, r->pages, r->spans, r->host_spans, r->n_spans, c->heads, c->kv_heads,
                  sol_attention_scale (c), o, stats);
  carry (m, sol_tensor_rows (a->x, 0, n), mid);
  ops->matmul (m->queue, o, &w->matrix[SOL_O], sol_no_tensor, 1, mid);
  ops->rmsnorm (m->queue, mid, w->vector[SOL_NORM2], c->norm_eps, h, sol_first (a->inv2, n));
  ops->matmul (m->queue, h, &w->matrix[SOL_GATE], sol_no_tensor, 0, gate);
  ops->matmul (m->queue, h, &w->matrix[SOL_UP], sol_no_tensor, 0, up);
  ops->swiglu (m->queue, gate, up, s);
  carry (m, mid, y);
  ops->matmul (m->queue, s, &w->matrix[SOL_DOWN], sol_no_tensor, 1, y);
}
