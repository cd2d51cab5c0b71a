/* SPDX-License-Identifier: Apache-2.0 */
/* model_internal.h: what pass and decoder share: prepared weights and the operations of one layer, in one order for both, so that they
 * agree bit for bit. */
#ifndef SOL_MODEL_INTERNAL_H
#define SOL_MODEL_INTERNAL_H
#include "solera/model.h"

/* the matrices of a layer, in the order of the table */
enum { SOL_Q, SOL_K, SOL_V, SOL_O, SOL_GATE, SOL_UP, SOL_DOWN, SOL_MATRICES };
/* its vectors */
enum { SOL_NORM1, SOL_BIAS_Q, SOL_BIAS_K, SOL_BIAS_V, SOL_NORM_Q, SOL_NORM_K, SOL_NORM2, SOL_VECTORS };

typedef struct {
  sol_weight_t matrix[SOL_MATRICES];
  sol_tensor_t vector[SOL_VECTORS];                                           /* f32, widened; none where the family has none */
  const sol_weight_row_t *matrix_row[SOL_MATRICES], *vector_row[SOL_VECTORS]; /* of the table; NULL where there is none */
} sol_layer_t;

struct sol_model {
  sol_backend_t *backend;
  const sol_ops_t *ops;
  sol_queue_t *queue, *copy;
  sol_event_t *used, *sent;                                /* on compute: what read the block; on copy: a block is there (sol_model_send) */
  sol_ferry_t *ferry;                                      /* NULL in a measuring model */
  sol_arch_t arch;
  sol_table_t *table;
  sol_dtype_t dtype;
  size_t need; /* of the arena */
  sol_arena_t arena;
  char *block;                                             /* the published block, canonical */
  sol_layer_t *layer;                                      /* [layers] */
  sol_tensor_t embed;                                      /* [V, C], in the block */
  sol_weight_t head;                                       /* lm_head, or the embedding once more */
  sol_tensor_t norm;                                       /* f32 [1, C] */
  sol_tensor_t rope;                                       /* f32 [context, D] */
  void **packed;                                           /* [table->n + 1]: memory of prepared matrices, the last a tied head's */
  const sol_weight_row_t *embed_row, *norm_row, *head_row; /* head_row NULL: tied */
};

/* Activations of up to some number of rows. In a pass with backward each layer has its own; otherwise all layers share one set, x == mid
 * and q_raw == q. Rows are tokens; [1, T] for inv1 and inv2, [1, T*H] for inv_q, [1, T*Hkv] for inv_k. */
typedef struct {
  sol_tensor_t x, mid; /* the stream before the layer, and between attention and MLP */
  sol_tensor_t inv1, inv2, inv_q, inv_k;
  sol_tensor_t q_raw, k_raw; /* before q/k norm; the same as q, k without */
  sol_tensor_t q, k, v;      /* after rope */
  sol_tensor_t o, stats;     /* attention's output; stats: none without backward */
  sol_tensor_t gate, up;
} sol_acts_t;

/* what all layers of one run share */
typedef struct {
  const sol_model_t *model;
  int64_t n;          /* rows */
  sol_tensor_t pos;   /* i32 [1, n] */
  sol_tensor_t spans; /* i32 [n_spans, 6] */
  const sol_span_t *host_spans;
  int32_t n_spans;
  sol_tensor_t pages; /* of K and V: the decoder's cache; none in training */
  sol_tensor_t h, s; /* scratch [rows, C], [rows, mlp] */
} sol_run_t;

/* takes the activations of `rows` rows from an arena; keep: everything that a backward needs */
void sol_acts_take (const sol_model_t *m, sol_arena_t *arena, int64_t rows, int keep, sol_acts_t *acts);
/* x -> q, k, v */
void sol_layer_qkv (const sol_run_t *r, const sol_layer_t *w, const sol_acts_t *a);
/* attention over keys and values K, V, and the MLP; the stream after the layer goes to out (may be a->x when a->mid is a->x) */
void sol_layer_rest (const sol_run_t *r, const sol_layer_t *w, const sol_acts_t *a, sol_tensor_t K, sol_tensor_t V, sol_tensor_t out);
/* 1 / sqrt (D) as everybody uses it */
float sol_attention_scale (const sol_arch_t *a);

/* [1, n] of a longer vector */
static inline sol_tensor_t sol_first (sol_tensor_t t, int64_t n) { return sol_tensor_cols (t, 0, n); }
/* [T, H*D] seen as [T*H, D] */
static inline sol_tensor_t sol_by_head (sol_tensor_t t, int64_t rows, int32_t heads, int32_t head_size)
{
  return sol_tensor (t.at, t.dtype, rows * heads, head_size);
}
#endif
