/* SPDX-License-Identifier: Apache-2.0 */
/* ref.h: every op as plain loops: what the op means (include/solera/ops.h) and the oracle of every test. */
#ifndef SOL_REF_H
#define SOL_REF_H
#include "math.h"
#include "solera/backend.h"
#include "solera/log.h"

/* element (r, c) of an f32 tensor; any published type widened */
static inline float *sol_at (sol_tensor_t t, int64_t r, int64_t c) { return (float *) (void *) t.at + r * t.stride + c; }
static inline float sol_get (sol_tensor_t t, int64_t r, int64_t c)
{
  return t.dtype == SOL_BF16 ? sol_bf16 (((const uint16_t *) (const void *) t.at)[r * t.stride + c]) : *sol_at (t, r, c);
}
static inline const int32_t *sol_ints (sol_tensor_t t) { return (const int32_t *) (const void *) t.at; }

void sol_ref_matmul (sol_queue_t *, sol_tensor_t, const sol_weight_t *, sol_tensor_t, int, sol_tensor_t);
void sol_ref_matmul_dx (sol_queue_t *, sol_tensor_t, const sol_weight_t *, int, sol_tensor_t);
void sol_ref_matmul_dw (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_ref_bias_dw (sol_queue_t *, sol_tensor_t, sol_tensor_t);
void sol_ref_embed (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_ref_embed_dw (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_ref_gather (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_ref_scatter (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_ref_scatter_add (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_ref_add (sol_queue_t *, sol_tensor_t, sol_tensor_t);
void sol_ref_rmsnorm (sol_queue_t *, sol_tensor_t, sol_tensor_t, float, sol_tensor_t, sol_tensor_t);
void sol_ref_rmsnorm_dx (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, int, sol_tensor_t);
void sol_ref_rmsnorm_dw (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_ref_rope (sol_queue_t *, sol_tensor_t, int32_t, sol_tensor_t, sol_tensor_t, int);
void sol_ref_attention (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, const sol_span_t *, int32_t, int32_t, int32_t, float, sol_tensor_t, sol_tensor_t);
void sol_ref_attention_backward (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, const sol_span_t *, int32_t, int32_t,
                                 int32_t, float, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_ref_swiglu (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_ref_swiglu_backward (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_ref_head_partial (sol_queue_t *, sol_tensor_t, const sol_weight_t *, sol_tensor_t, float, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_ref_head_target (sol_queue_t *, sol_tensor_t, sol_tensor_t, float, sol_tensor_t, sol_tensor_t);
void sol_ref_head_finish (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_ref_head_backward (sol_queue_t *, sol_tensor_t, const sol_weight_t *, sol_tensor_t, float, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_ref_sample (sol_queue_t *, sol_tensor_t, sol_tensor_t, float, uint64_t, sol_tensor_t, int, int32_t, double, sol_tensor_t);
void sol_ref_adamw (sol_queue_t *, sol_adamw_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_ref_sumsq (sol_queue_t *, sol_tensor_t, sol_tensor_t);
void sol_ref_round (sol_queue_t *, sol_tensor_t, sol_tensor_t);
/* AdamW's factors, rounded once */
typedef struct { float b1, b2, k1, k2, keep, scale, step, root, eps; } sol_adamw_const_t;
sol_adamw_const_t sol_adamw_const (sol_adamw_t h);
/* ids [n] all in [0, below)? Else the error, once, on q: what op would do with them is not done */
int sol_ids_ok (sol_queue_t *q, const char *op, sol_tensor_t ids, int64_t n, int64_t below);
/* the uniform of row r of sample */
double sol_draw (uint64_t seed, sol_tensor_t draws, int64_t r);
/* the restricted choice of sample: set [n] are candidates: the first by (z falling, id rising), maybe not all of the row. Returns the id, or -1 when top_p asks for more candidates. */
typedef struct { float z; int32_t id; } sol_choice_t;
int32_t sol_choose (sol_choice_t *set, int64_t n, float M, double total, int32_t top_k, double top_p, double u);
#define SOL_CHOICE_BLOCK 1024 /* entries whose masses are summed on 16 lanes */
/* room of the backend's queue for scores and sorting; defined in src/backend */
float *sol_queue_floats (sol_queue_t *q, int64_t n);
void sol_queue_error (sol_queue_t *q, sol_status_t st);
#endif
