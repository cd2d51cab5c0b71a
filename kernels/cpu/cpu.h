/* SPDX-License-Identifier: Apache-2.0 */
/* cpu.h: the fast ops, one set of functions for each instruction set. */
#ifndef SOL_CPU_H
#define SOL_CPU_H
#define SOL_HOST_HEAD_MOST 256 /* columns of an attention head: a thread's room holds its tiles */
#include "solera/ops.h"

/* ---- of the queue (src/backend): threads and their rooms */
#define SOL_ROOM_FLOATS ((int64_t) 1 << 19) /* of each thread */
#define SOL_GRAIN_FLOP 200000               /* multiply-adds that are worth another thread; also simple operations */
#define SOL_GRAIN_BYTES 65536
/* job (arg, i0, i1, room) over items [0, n) in runs of at least grain items, on the threads of q; done when it returns. Results may not depend on the cut. */
void sol_queue_run (sol_queue_t *q, int64_t n, int64_t grain, void (*job) (const void *, int64_t, int64_t, float *), const void *arg);
int sol_queue_threads (const sol_queue_t *q);

#define SOL_CPU_DECLARE(isa)                                                                                           \
  void sol_##isa##_matmul (sol_queue_t *, sol_tensor_t, const sol_weight_t *, sol_tensor_t, int, sol_tensor_t);        \
  void sol_##isa##_weight_prepare (sol_queue_t *, sol_tensor_t, void *, sol_weight_t *);                               \
  void sol_##isa##_bias_dw (sol_queue_t *, sol_tensor_t, sol_tensor_t);                                                \
  void sol_##isa##_add (sol_queue_t *, sol_tensor_t, sol_tensor_t);                                                    \
  void sol_##isa##_embed (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t);                                    \
  void sol_##isa##_embed_dw (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t);                                 \
  void sol_##isa##_sample (sol_queue_t *, sol_tensor_t, sol_tensor_t, float, uint64_t, sol_tensor_t, int, int32_t, double, sol_tensor_t); \
  void sol_##isa##_sumsq (sol_queue_t *, sol_tensor_t, sol_tensor_t);                                                  \
  void sol_##isa##_round (sol_queue_t *, sol_tensor_t, sol_tensor_t);                                                  \
  void sol_##isa##_matmul_dx (sol_queue_t *, sol_tensor_t, const sol_weight_t *, int, sol_tensor_t);                   \
  void sol_##isa##_matmul_dw (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t);                                \
  void sol_##isa##_rmsnorm (sol_queue_t *, sol_tensor_t, sol_tensor_t, float, sol_tensor_t, sol_tensor_t);             \
  void sol_##isa##_rmsnorm_dx (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, int, sol_tensor_t); \
  void sol_##isa##_rmsnorm_dw (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t);                 \
  void sol_##isa##_rope (sol_queue_t *, sol_tensor_t, int32_t, sol_tensor_t, sol_tensor_t, int);                       \
  void sol_##isa##_attention (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, const sol_span_t *, int32_t, int32_t, int32_t, float, sol_tensor_t,  \
                              sol_tensor_t);                                                                           \
  void sol_##isa##_attention_backward (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, const sol_span_t *, \
                                       int32_t, int32_t, int32_t, float, sol_tensor_t, sol_tensor_t, sol_tensor_t);    \
  void sol_##isa##_swiglu (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t);                                   \
  void sol_##isa##_swiglu_backward (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t); \
  void sol_##isa##_head_partial (sol_queue_t *, sol_tensor_t, const sol_weight_t *, sol_tensor_t, float, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t);         \
  void sol_##isa##_head_backward (sol_queue_t *, sol_tensor_t, const sol_weight_t *, sol_tensor_t, float, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t,        \
                                  sol_tensor_t, sol_tensor_t);                                                         \
  void sol_##isa##_adamw (sol_queue_t *, sol_adamw_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t);
SOL_CPU_DECLARE (portable)
SOL_CPU_DECLARE (avx2)
SOL_CPU_DECLARE (avx512)
#endif
