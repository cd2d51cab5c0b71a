/* SPDX-License-Identifier: Apache-2.0 */
#include "model_internal.h"
#include "rope.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <stdio.h>
#include <string.h>

static const sol_weight_row_t *find (const sol_model_t *m, int layer, const char *name)
{
  char full[80];
  snprintf (full, sizeof full, "model.layers.%d.%s", layer, name);
  return sol_table_find (m->table, full);
}

static void name_rows (sol_model_t *m)
{
  static const char *const matrix[SOL_MATRICES]
      = { "self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight", "self_attn.o_proj.weight",
          "mlp.gate_proj.weight",    "mlp.up_proj.weight",      "mlp.down_proj.weight" };
  static const char *const vector[SOL_VECTORS]
      = { "input_layernorm.weight",  "self_attn.q_proj.bias",   "self_attn.k_proj.bias",          "self_attn.v_proj.bias",
          "self_attn.q_norm.weight", "self_attn.k_norm.weight", "post_attention_layernorm.weight" };
  for (int l = 0; l < m->arch.layers; l++) {
    for (int i = 0; i < SOL_MATRICES; i++) m->layer[l].matrix_row[i] = find (m, l, matrix[i]);
    for (int i = 0; i < SOL_VECTORS; i++) m->layer[l].vector_row[i] = find (m, l, vector[i]);
  }
  m->embed_row = sol_table_find (m->table, "model.embed_tokens.weight");
  m->norm_row = sol_table_find (m->table, "model.norm.weight");
  m->head_row = sol_table_find (m->table, "lm_head.weight");
}

/* cuts the arena; with a measuring arena nothing is touched. Vectors are widened to f32 beside the block: they are read in every row. */
static void lay_out (sol_model_t *m, sol_arena_t *arena)
{
  const sol_table_t *t = m->table;
  m->block = sol_arena_take (arena, (size_t) t->elements * sol_dtype_bytes (m->dtype));
  for (int l = 0; l < m->arch.layers; l++) {
    for (int i = 0; i < SOL_VECTORS; i++) /* biases are added by the products, in the type of their results */
      if (m->layer[l].vector_row[i]) m->layer[l].vector[i] = sol_arena_tensor (arena, i >= SOL_BIAS_Q && i <= SOL_BIAS_V ? m->ops->act : SOL_F32, 1, m->layer[l].vector_row[i]->cols);
  }
  m->norm = sol_arena_tensor (arena, SOL_F32, 1, m->arch.width);
  for (int i = 0; i < t->n; i++)
    if (!t->row[i].vector && &t->row[i] != m->embed_row)
      m->packed[i] = sol_arena_take (arena, m->ops->weight_bytes (m->backend, t->row[i].rows, t->row[i].cols, m->dtype));
  if (!m->head_row) m->packed[t->n] = sol_arena_take (arena, m->ops->weight_bytes (m->backend, m->arch.vocab, m->arch.width, m->dtype));
  m->rope = sol_arena_tensor (arena, SOL_F32, m->arch.context, m->arch.head_size);
}

/* a piece at a time: the table of a long context is large */
static sol_status_t fill_rope (sol_model_t *m)
{
  enum { PIECE = 256 };
  const int32_t D = m->arch.head_size;
  float *piece = sol_alloc ((size_t) (PIECE * D) * sizeof *piece);
  sol_status_t st = SOL_OK;
  for (int32_t p = 0; p < m->arch.context && st == SOL_OK; p += PIECE) {
    int32_t n = m->arch.context - p < PIECE ? m->arch.context - p : PIECE;
    sol_rope_fill (&m->arch, p, n, piece);
    st = sol_ferry_put (m->ferry, sol_tensor_rows (m->rope, p, n).at, piece, (size_t) n * (size_t) D * sizeof *piece);
  }
  sol_free (piece);
  return st;
}

sol_model_t *sol_model_measure (sol_backend_t *backend, const sol_arch_t *arch, sol_dtype_t dtype)
{
  sol_model_t *m = sol_alloc (sizeof *m);
  sol_arena_t measure = { 0 };
  SOL_ASSERT (dtype == SOL_F32 || dtype == SOL_BF16);
  m->backend = backend;
  m->ops = sol_backend_ops (backend);
  m->queue = sol_backend_queue (backend, SOL_QUEUE_COMPUTE);
  m->copy = sol_backend_queue (backend, SOL_QUEUE_COPY);
  m->arch = *arch;
  m->dtype = dtype;
  m->table = sol_table_create (arch);
  m->layer = sol_alloc ((size_t) arch->layers * sizeof *m->layer);
  m->packed = sol_alloc ((size_t) (m->table->n + 1) * sizeof *m->packed);
  name_rows (m);
  lay_out (m, &measure);
  m->need = measure.peak;
  return m;
}

sol_status_t sol_model_fits (const sol_model_t *m)
{
  const int32_t size = m->arch.head_size, step = m->ops->head_step, most = m->ops->head_most;
  if (size % step == 0 && size <= most) return SOL_OK;
  return sol_fail (SOL_ERR_UNSUPPORTED, "model", "attention heads of size %d: expected a multiple of %d up to %d on %s", size, step, most, sol_backend_describe (m->backend));
}

/* small models take little */
static size_t ferry_piece (const sol_model_t *m) { return sol_model_bytes (m) < (size_t) 8 << 20 ? sol_model_bytes (m) : (size_t) 8 << 20; }
size_t sol_model_pinned (const sol_model_t *m) { return sol_ferry_bytes (m->backend, ferry_piece (m)); }
sol_ferry_t *sol_model_ferry (const sol_model_t *m) { return m->ferry; }

sol_status_t sol_model_create (sol_backend_t *backend, const sol_arch_t *arch, sol_dtype_t dtype, sol_model_t **model_p)
{
  sol_model_t *m = sol_model_measure (backend, arch, dtype);
  sol_status_t st;
  SOL_GO (sol_model_fits (m));
  SOL_GO (sol_arena_create (backend, m->need, "the model's weights", &m->arena));
  lay_out (m, &m->arena);
  SOL_GO (m->ops->event_create (backend, &m->used));
  SOL_GO (m->ops->event_create (backend, &m->sent));
  SOL_GO (sol_ferry_create (backend, ferry_piece (m), &m->ferry));
  SOL_GO (fill_rope (m));
  *model_p = m;
  return SOL_OK;
out:
  sol_model_destroy (m);
  return st;
}

void sol_model_destroy (sol_model_t *m)
{
  if (!m) return;
  sol_ferry_destroy (m->ferry);
  if (m->used) m->ops->event_destroy (m->backend, m->used);
  if (m->sent) m->ops->event_destroy (m->backend, m->sent);
  if (m->arena.base) sol_arena_destroy (m->backend, &m->arena);
  sol_table_destroy (m->table);
  sol_free (m->layer);
  sol_free (m->packed);
  sol_free (m);
}

const sol_arch_t *sol_model_arch (const sol_model_t *m) { return &m->arch; }
const sol_table_t *sol_model_table (const sol_model_t *m) { return m->table; }
sol_dtype_t sol_model_dtype (const sol_model_t *m) { return m->dtype; }
sol_backend_t *sol_model_backend (const sol_model_t *m) { return m->backend; }
size_t sol_model_bytes (const sol_model_t *m) { return (size_t) m->table->elements * sol_dtype_bytes (m->dtype); }

size_t sol_model_need (const sol_model_t *m) { return m->need; }

static sol_tensor_t canonical (const sol_model_t *m, const sol_weight_row_t *row)
{
  return sol_tensor (m->block + (size_t) row->offset * sol_dtype_bytes (m->dtype), m->dtype, row->rows, row->cols);
}

static void prepare (sol_model_t *m, const sol_weight_row_t *row, void *mem, sol_weight_t *w)
{
  m->ops->weight_prepare (m->queue, canonical (m, row), mem, w);
}

void *sol_model_block (sol_model_t *m) { return m->block; }

void sol_model_install (sol_model_t *m)
{
  for (int l = 0; l < m->arch.layers; l++) {
    sol_layer_t *w = &m->layer[l];
    for (int i = 0; i < SOL_MATRICES; i++) prepare (m, w->matrix_row[i], m->packed[w->matrix_row[i] - m->table->row], &w->matrix[i]);
    for (int i = 0; i < SOL_VECTORS; i++)
      if (w->vector_row[i]) m->ops->round (m->queue, canonical (m, w->vector_row[i]), w->vector[i]);
  }
  m->ops->round (m->queue, canonical (m, m->norm_row), m->norm);
  m->embed = canonical (m, m->embed_row);
  if (m->head_row)
    prepare (m, m->head_row, m->packed[m->head_row - m->table->row], &m->head);
  else
    prepare (m, m->embed_row, m->packed[m->table->n], &m->head);
}

sol_status_t sol_model_set (sol_model_t *m, const void *block)
{
  SOL_TRY (sol_ferry_put (m->ferry, m->block, block, sol_model_bytes (m)));
  sol_model_install (m);
  return m->ops->sync (m->queue); /* redundant: the ferry has waited, and what follows is on the same queue. Errors are told here */
}

void sol_model_send (sol_model_t *m, const void *block)
{
  m->ops->record (m->queue, m->used);
  m->ops->wait (m->copy, m->used);
  m->ops->put (m->copy, m->block, block, sol_model_bytes (m));
  m->ops->record (m->copy, m->sent);
  m->ops->wait (m->queue, m->sent);
  sol_model_install (m);
}
sol_status_t sol_model_sent (sol_model_t *m) { return m->ops->sync (m->copy); }

/* to nearest, ties to even, as ops.round; a NaN stays one */
void sol_model_round (const float *block, int64_t n, sol_dtype_t dtype, void *out)
{
  SOL_ASSERT (dtype == SOL_F32 || dtype == SOL_BF16);
  if (dtype == SOL_F32) {
    memcpy (out, block, (size_t) n * sizeof *block);
    return;
  }
  for (int64_t i = 0; i < n; i++) {
    uint32_t u;
    memcpy (&u, block + i, sizeof u);
    ((uint16_t *) out)[i] = (uint16_t) ((u & 0x7fffffffu) > 0x7f800000u ? u >> 16 | 0x40u : (u + 0x7fffu + (u >> 16 & 1u)) >> 16);
  }
}

int64_t sol_model_layer (const sol_model_t *m, int layer, int64_t *first_p)
{
  const sol_weight_row_t *last = m->layer[layer].matrix_row[SOL_DOWN];
  *first_p = m->layer[layer].vector_row[SOL_NORM1]->offset;
  return last->offset + last->rows * last->cols;
}

int64_t sol_grad_elements (const sol_model_t *m)
{
  return m->table->elements + (m->head_row ? 0 : m->embed_row->rows * m->embed_row->cols);
}

void sol_grad_fold (const sol_model_t *m, float *grad)
{
  const int64_t n = m->embed_row->rows * m->embed_row->cols;
  if (m->head_row) return;
  m->ops->add (m->queue, sol_tensor (grad + m->table->elements, SOL_F32, 1, n), sol_tensor (grad + m->embed_row->offset, SOL_F32, 1, n));
  m->ops->zero (m->queue, grad + m->table->elements, (size_t) n * sizeof *grad);
}

void sol_adamw_step (const sol_model_t *m, sol_adamw_t hyper, int64_t first, int64_t n, const float *grad, float *w, float *mom, float *var)
{
  const double decay = hyper.decay;
  for (int i = 0; i < m->table->n; i++) {
    const sol_weight_row_t *r = &m->table->row[i];
    const int64_t from = r->offset > first ? r->offset : first, end = r->offset + r->rows * r->cols, to = end < first + n ? end : first + n,
                  at = from - first;
    if (from >= to) continue;
    hyper.decay = r->decay ? decay : 0;
    m->ops->adamw (m->queue, hyper, sol_tensor ((void *) (uintptr_t) (grad + at), SOL_F32, 1, to - from),
                   sol_tensor (w + at, SOL_F32, 1, to - from), sol_tensor (mom + at, SOL_F32, 1, to - from),
                   sol_tensor (var + at, SOL_F32, 1, to - from));
  }
}
