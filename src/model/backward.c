/* SPDX-License-Identifier: Apache-2.0 */
/* Training passes, backward, written by hand. What is cheap is made again: normed inputs and the product of gate and up. Every sum over
 * tokens adds to what is in grad, row after row, so that cutting a batch into several passes changes no bit. */
#include "pass_internal.h"
#include "solera/log.h"

typedef struct {
  sol_pass_t *p;
  const sol_run_t *r;
  float *grad;
} back_t;

static sol_tensor_t grad_of (const back_t *b, const sol_weight_row_t *row)
{
  return sol_tensor (b->grad + row->offset, SOL_F32, row->rows, row->cols);
}

/* y = x w^T: dw += dy^T x, dx = or += dy w */
static void product (const back_t *b, const sol_layer_t *w, int matrix, sol_tensor_t dy, sol_tensor_t x, int accumulate, sol_tensor_t dx)
{
  const sol_model_t *m = b->p->m;
  m->ops->matmul_dw (m->queue, dy, x, grad_of (b, w->matrix_row[matrix]));
  m->ops->matmul_dx (m->queue, dy, &w->matrix[matrix], accumulate, dx);
}

/* y = norm (x) w: dw +=, dx = or += */
static void norm (const back_t *b, const sol_layer_t *w, int vector, sol_tensor_t dy, sol_tensor_t x, sol_tensor_t inv, int accumulate,
                  sol_tensor_t dx)
{
  const sol_model_t *m = b->p->m;
  m->ops->rmsnorm_dw (m->queue, dy, x, inv, grad_of (b, w->vector_row[vector]));
  m->ops->rmsnorm_dx (m->queue, dy, x, w->vector[vector], inv, accumulate, dx);
}

/* out = mid + down (swiglu (gate, up)); dx holds the gradient of out, then that of mid */
static void mlp (const back_t *b, const sol_layer_t *w, const sol_acts_t *a)
{
  const sol_pass_t *p = b->p;
  const sol_model_t *m = p->m;
  const int64_t n = b->r->n;
  const sol_tensor_t dx = sol_tensor_rows (p->dx, 0, n), dh = sol_tensor_rows (p->dh, 0, n), h = sol_tensor_rows (p->h, 0, n),
                     s = sol_tensor_rows (p->s, 0, n), ds = sol_tensor_rows (p->ds, 0, n), dgate = sol_tensor_rows (p->dgate, 0, n),
                     dup = sol_tensor_rows (p->dup, 0, n), mid = sol_tensor_rows (a->mid, 0, n), gate = sol_tensor_rows (a->gate, 0, n),
                     up = sol_tensor_rows (a->up, 0, n), inv = sol_first (a->inv2, n);
  m->ops->swiglu (m->queue, gate, up, s);
  product (b, w, SOL_DOWN, dx, s, 0, ds);
  m->ops->swiglu_backward (m->queue, gate, up, ds, dgate, dup);
  m->ops->rmsnorm (m->queue, mid, w->vector[SOL_NORM2], m->arch.norm_eps, h, inv);
  product (b, w, SOL_GATE, dgate, h, 0, dh);
  product (b, w, SOL_UP, dup, h, 1, dh);
  norm (b, w, SOL_NORM2, dh, mid, inv, 1, dx);
}

/* from the gradients of q and k after rope to those before q/k norm; returns where they are */
static void before_rope (const back_t *b, const sol_layer_t *w, const sol_acts_t *a, sol_tensor_t *dq_p, sol_tensor_t *dk_p)
{
  const sol_pass_t *p = b->p;
  const sol_model_t *m = p->m;
  const sol_arch_t *c = &m->arch;
  const int64_t n = b->r->n;
  sol_tensor_t dq = sol_tensor_rows (p->dq, 0, n), dk = sol_tensor_rows (p->dk, 0, n);
  m->ops->rope (m->queue, dq, c->heads, b->r->pos, m->rope, -1);
  m->ops->rope (m->queue, dk, c->kv_heads, b->r->pos, m->rope, -1);
  if (c->qk_norm) {
    const int32_t D = c->head_size;
    const sol_tensor_t dq_raw = sol_tensor_rows (p->d_o, 0, n), dk_raw = sol_tensor_rows (p->dk_raw, 0, n);
    norm (b, w, SOL_NORM_Q, sol_by_head (dq, n, c->heads, D), sol_by_head (a->q_raw, n, c->heads, D), sol_first (a->inv_q, n * c->heads), 0,
          sol_by_head (dq_raw, n, c->heads, D));
    norm (b, w, SOL_NORM_K, sol_by_head (dk, n, c->kv_heads, D), sol_by_head (a->k_raw, n, c->kv_heads, D),
          sol_first (a->inv_k, n * c->kv_heads), 0, sol_by_head (dk_raw, n, c->kv_heads, D));
    dq = dq_raw;
    dk = dk_raw;
  }
  *dq_p = dq;
  *dk_p = dk;
}

/* mid = x + o_proj (attention (q, k, v)); dx holds the gradient of mid, then that of x */
static void attention (const back_t *b, const sol_layer_t *w, const sol_acts_t *a)
{
  const sol_pass_t *p = b->p;
  const sol_model_t *m = p->m;
  const sol_arch_t *c = &m->arch;
  const int64_t n = b->r->n;
  const sol_tensor_t dx = sol_tensor_rows (p->dx, 0, n), dh = sol_tensor_rows (p->dh, 0, n), h = sol_tensor_rows (p->h, 0, n),
                     d_o = sol_tensor_rows (p->d_o, 0, n), dv = sol_tensor_rows (p->dv, 0, n), o = sol_tensor_rows (a->o, 0, n),
                     x = sol_tensor_rows (a->x, 0, n), inv = sol_first (a->inv1, n);
  const size_t kv_bytes = (size_t) (n * c->kv_heads * c->head_size) * sol_dtype_bytes (p->dk.dtype);
  sol_tensor_t dq, dk;
  product (b, w, SOL_O, dx, o, 0, d_o);
  m->ops->zero (m->queue, p->dk.at, kv_bytes);
  m->ops->zero (m->queue, p->dv.at, kv_bytes);
  m->ops->attention_backward (m->queue, d_o, sol_tensor_rows (a->q, 0, n), sol_tensor_rows (a->k, 0, n), sol_tensor_rows (a->v, 0, n), o,
                              sol_tensor_rows (a->stats, 0, n), b->r->spans, b->r->host_spans, b->r->n_spans, c->heads, c->kv_heads,
                              sol_attention_scale (c), sol_tensor_rows (p->dq, 0, n), sol_tensor_rows (p->dk, 0, n), dv);
  before_rope (b, w, a, &dq, &dk);
  if (c->qkv_bias) {
    m->ops->bias_dw (m->queue, dq, grad_of (b, w->vector_row[SOL_BIAS_Q]));
    m->ops->bias_dw (m->queue, dk, grad_of (b, w->vector_row[SOL_BIAS_K]));
    m->ops->bias_dw (m->queue, dv, grad_of (b, w->vector_row[SOL_BIAS_V]));
  }
  m->ops->rmsnorm (m->queue, x, w->vector[SOL_NORM1], c->norm_eps, h, inv);
  product (b, w, SOL_Q, dq, h, 0, dh);
  product (b, w, SOL_K, dk, h, 1, dh);
  product (b, w, SOL_V, dv, h, 1, dh);
  norm (b, w, SOL_NORM1, dh, x, inv, 1, dx);
}

/* Several head rows may stem from one token row, and scatter_add wants distinct ones: occurrence j of every token row goes into round j. A
 * token row's gradient is then summed in the order of its head rows, whatever else is in the batch. Returns the number of rounds. */
static int32_t cut_rounds (sol_pass_t *p, const sol_batch_t *b)
{
  int32_t rounds = 0;
  for (int32_t i = 0; i < b->n_rows; i++) p->count[b->rows[i]] = 0;
  for (int32_t i = 0; i < b->n_rows; i++) {
    const int32_t k = p->count[b->rows[i]]++;
    p->occurrence[i] = k;
    if (k == rounds) p->round_end[rounds++] = 0;
    p->round_end[k]++;
  }
  for (int32_t k = 0, at = 0; k < rounds; k++) { /* sizes become starts; placing rows turns them into ends */
    const int32_t size = p->round_end[k];
    p->round_end[k] = at;
    at += size;
  }
  for (int32_t i = 0; i < b->n_rows; i++) {
    const int32_t at = p->round_end[p->occurrence[i]]++;
    p->host_order[at] = i;
    p->host_into[at] = b->rows[i];
  }
  return rounds;
}

/* the gradient of the stream after the last layer, into dx */
static void head (const back_t *b, const sol_batch_t *batch, const float *c_lp, const float *c_entropy)
{
  sol_pass_t *p = b->p;
  const sol_model_t *m = p->m;
  const sol_ops_t *ops = m->ops;
  const int64_t R = p->n_rows, T = p->n_tokens, C = m->arch.width;
  const size_t bytes = (size_t) R * sizeof (float);
  const sol_tensor_t x = sol_tensor_rows (p->head_x, 0, R), h = sol_tensor_rows (p->head_h, 0, R), inv = sol_first (p->head_inv, R),
                     dh = sol_tensor_rows (p->d_head, 0, R), dx = sol_tensor_rows (p->d_ordered, 0, R),
                     stream = sol_tensor_rows (p->dx, 0, T);
  const int64_t at = m->head_row ? m->head_row->offset : m->table->elements;
  const int32_t rounds = cut_rounds (p, batch);
  sol_pass_put (p, p->c_lp, p->host_c_lp, c_lp, bytes);
  if (c_entropy)
    sol_pass_put (p, p->c_entropy, p->host_c_entropy, c_entropy, bytes);
  else
    ops->zero (m->queue, p->c_entropy.at, bytes);
  ops->put (m->queue, p->order.at, p->host_order, bytes);
  ops->put (m->queue, p->into.at, p->host_into, bytes);
  ops->head_backward (m->queue, h, &m->head, sol_first (p->targets, R), p->inv_temp, sol_tensor_rows (p->partial, 0, R),
                      sol_first (p->c_lp, R), sol_first (p->c_entropy, R), sol_tensor_rows (p->scratch, 0, R), dh,
                      sol_tensor (b->grad + at, SOL_F32, m->arch.vocab, C));
  ops->rmsnorm_dw (m->queue, dh, x, inv, grad_of (b, m->norm_row));
  ops->rmsnorm_dx (m->queue, dh, x, m->norm, inv, 0, dx);
  ops->gather (m->queue, dx, sol_first (p->order, R), dh);
  ops->zero (m->queue, stream.at, (size_t) (T * C) * sol_dtype_bytes (stream.dtype));
  for (int32_t k = 0, from = 0; k < rounds; from = p->round_end[k++])
    ops->scatter_add (m->queue, sol_tensor_rows (dh, from, p->round_end[k] - from), sol_tensor_cols (p->into, from, p->round_end[k] - from),
                      stream);
}

sol_status_t sol_pass_backward (sol_pass_t *p, const sol_batch_t *batch, const float *c_lp, const float *c_entropy, float *grad,
                                void (*done) (void *ctx, int layer), void *ctx)
{
  const sol_model_t *m = p->m;
  back_t b = { p, &p->run, grad };
  SOL_ASSERT (p->backward && batch->n_tokens == p->n_tokens && batch->n_rows == p->n_rows);
  if (p->n_tokens == 0 || p->n_rows == 0) return SOL_OK;
  head (&b, batch, c_lp, c_entropy);
  p->run.host_spans = batch->spans;
  for (int l = m->arch.layers - 1; l >= 0; l--) {
    mlp (&b, &m->layer[l], &p->acts[l]);
    attention (&b, &m->layer[l], &p->acts[l]);
    if (done) done (ctx, l);
  }
  m->ops->embed_dw (m->queue, sol_first (p->ids, p->n_tokens), sol_tensor_rows (p->dx, 0, p->n_tokens), grad_of (&b, m->embed_row));
  return m->ops->sync (m->queue); /* redundant: who reads the gradient waits, and the next forward before the columns are written again. Errors of this pass are told here */
}
