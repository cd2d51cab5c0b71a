/* SPDX-License-Identifier: Apache-2.0 */
/* cpu.h: the fast ops, one set of functions for each instruction set. */
#ifndef SOL_CPU_H
#define SOL_CPU_H
#include "solera/ops.h"

#define SOL_CPU_DECLARE(isa)                                                                                           \
  void sol_##isa##_matmul (sol_queue_t *, sol_tensor_t, const sol_weight_t *, sol_tensor_t, int, sol_tensor_t);        \
  void sol_##isa##_matmul_dx (sol_queue_t *, sol_tensor_t, const sol_weight_t *, int, sol_tensor_t);                   \
  void sol_##isa##_matmul_dw (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t);                                \
  void sol_##isa##_rmsnorm (sol_queue_t *, sol_tensor_t, sol_tensor_t, float, sol_tensor_t, sol_tensor_t);             \
  void sol_##isa##_rmsnorm_dx (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, int, sol_tensor_t); \
  void sol_##isa##_rmsnorm_dw (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t);                 \
  void sol_##isa##_rope (sol_queue_t *, sol_tensor_t, int32_t, sol_tensor_t, sol_tensor_t, int);                       \
  void sol_##isa##_attention (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, const sol_span_t *, int32_t, int32_t, int32_t, float, sol_tensor_t,  \
                              sol_tensor_t);                                                                           \
  void sol_##isa##_attention_backward (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, const sol_span_t *, \
                                       int32_t, int32_t, int32_t, float, sol_tensor_t, sol_tensor_t, sol_tensor_t);    \
  void sol_##isa##_swiglu (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t);                                   \
  void sol_##isa##_swiglu_backward (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t); \
  void sol_##isa##_head_partial (sol_queue_t *, sol_tensor_t, const sol_weight_t *, sol_tensor_t, float, sol_tensor_t, sol_tensor_t, sol_tensor_t);                       \
  void sol_##isa##_head_backward (sol_queue_t *, sol_tensor_t, const sol_weight_t *, sol_tensor_t, float, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t,        \
                                  sol_tensor_t, sol_tensor_t);                                                         \
  void sol_##isa##_adamw (sol_queue_t *, sol_adamw_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t);
SOL_CPU_DECLARE (portable)
SOL_CPU_DECLARE (avx2)
SOL_CPU_DECLARE (avx512)
#endif
