/* SPDX-License-Identifier: Apache-2.0 */
/* host.c: memory and order of the host backends, and their tables of ops. Ops run at once, so events have nothing to do. */
#include "../../kernels/cpu/cpu.h"
#include "../../kernels/ref/ref.h"
#include "backend_internal.h"
#include "solera/memory.h"

static sol_status_t host_alloc (sol_backend_t *b, size_t bytes, const char *what, void **mem_p)
{
  (void) b;
  return sol_alloc_large (bytes, what, mem_p);
}
static void host_free (sol_backend_t *b, void *mem)
{
  (void) b;
  sol_free (mem);
}
static void host_copy (sol_queue_t *q, void *dst, const void *src, size_t bytes)
{
  (void) q;
  if (bytes) memcpy (dst, src, bytes);
}
static void host_zero (sol_queue_t *q, void *dst, size_t bytes)
{
  (void) q;
  if (bytes) memset (dst, 0, bytes);
}
static sol_status_t host_sync (sol_queue_t *q)
{
  sol_status_t st = q->error;
  q->error = SOL_OK;
  return st;
}
static void host_event (sol_queue_t *q, sol_event_t *e)
{
  (void) q;
  (void) e;
}

/* panels of 16 rows of w, k-major: [n / 16][k][16], zero-padded, in the published type */
static size_t host_weight_bytes (sol_backend_t *b, int64_t n, int64_t k, sol_dtype_t dtype)
{
  return b->isa[0] ? (size_t) ((n + 15) / 16 * 16 * k) * sol_dtype_bytes (dtype) : 0;
}
static void host_weight_prepare (sol_queue_t *q, sol_tensor_t src, void *mem, sol_weight_t *w)
{
  *w = (sol_weight_t){ src, q->backend->isa[0] ? mem : NULL, (src.rows + 15) / 16 };
  if (!w->packed) return;
  for (int64_t p = 0; p < w->panels; p++)
    for (int64_t j = 0; j < 16; j++) {
      int64_t n = p * 16 + j, K = src.cols;
      for (int64_t k = 0; k < K; k++) {
        if (src.dtype == SOL_BF16) ((uint16_t *) mem)[(p * K + k) * 16 + j] = n < src.rows ? ((const uint16_t *) (const void *) src.at)[n * src.stride + k] : 0;
        else ((float *) mem)[(p * K + k) * 16 + j] = n < src.rows ? *sol_at (src, n, k) : 0;
      }
    }
}

#define HOST_TABLE                                                                                                     \
  .abi = SOL_OPS_ABI, .bytes = sizeof (sol_ops_t), .caps = SOL_CAP_HOST | SOL_CAP_EXACT, .alloc = host_alloc, .free = host_free, .put = host_copy, .get = host_copy, .copy = host_copy,       \
  .zero = host_zero, .sync = host_sync, .record = host_event, .wait = host_event, .weight_bytes = host_weight_bytes, .weight_prepare = host_weight_prepare
#define REF_TABLE                                                                                                      \
  .matmul = sol_ref_matmul, .matmul_dx = sol_ref_matmul_dx, .matmul_dw = sol_ref_matmul_dw, .bias_dw = sol_ref_bias_dw, .embed = sol_ref_embed, .embed_dw = sol_ref_embed_dw,               \
  .gather = sol_ref_gather, .scatter = sol_ref_scatter, .scatter_add = sol_ref_scatter_add, .add = sol_ref_add, .rmsnorm = sol_ref_rmsnorm, .rmsnorm_dx = sol_ref_rmsnorm_dx,              \
  .rmsnorm_dw = sol_ref_rmsnorm_dw, .rope = sol_ref_rope, .attention = sol_ref_attention, .attention_backward = sol_ref_attention_backward, .swiglu = sol_ref_swiglu,                       \
  .swiglu_backward = sol_ref_swiglu_backward, .head_partial = sol_ref_head_partial, .head_target = sol_ref_head_target, .head_finish = sol_ref_head_finish,                                \
  .head_backward = sol_ref_head_backward, .sample = sol_ref_sample, .adamw = sol_ref_adamw, .sumsq = sol_ref_sumsq, .round = sol_ref_round

const sol_ops_t sol_ops_ref = { .name = "ref", HOST_TABLE, REF_TABLE };

/* what an instruction set has of its own, over the plain loops */
#define CPU_TABLE(isa)                                                                                                 \
  .matmul = sol_##isa##_matmul, .matmul_dx = sol_##isa##_matmul_dx, .matmul_dw = sol_##isa##_matmul_dw, .rmsnorm = sol_##isa##_rmsnorm, .rmsnorm_dx = sol_##isa##_rmsnorm_dx,               \
  .rmsnorm_dw = sol_##isa##_rmsnorm_dw, .attention = sol_##isa##_attention, .attention_backward = sol_##isa##_attention_backward, .swiglu = sol_##isa##_swiglu,                             \
  .swiglu_backward = sol_##isa##_swiglu_backward, .head_partial = sol_##isa##_head_partial, .head_backward = sol_##isa##_head_backward, .adamw = sol_##isa##_adamw,                         \
  .bias_dw = sol_ref_bias_dw, .embed = sol_ref_embed, .embed_dw = sol_ref_embed_dw, .gather = sol_ref_gather, .scatter = sol_ref_scatter, .scatter_add = sol_ref_scatter_add,               \
  .add = sol_ref_add, .rope = sol_##isa##_rope, .head_target = sol_ref_head_target, .head_finish = sol_ref_head_finish, .sample = sol_ref_sample, .sumsq = sol_ref_sumsq,                    \
  .round = sol_ref_round

static const sol_ops_t portable = { .name = "cpu", HOST_TABLE, CPU_TABLE (portable) };
#ifdef SOL_HAVE_AVX2
static const sol_ops_t avx2 = { .name = "cpu", HOST_TABLE, CPU_TABLE (avx2) };
#endif
#ifdef SOL_HAVE_AVX512
static const sol_ops_t avx512 = { .name = "cpu", HOST_TABLE, CPU_TABLE (avx512) };
#endif

const sol_ops_t *sol_ops_cpu (const char *isa)
{
#if defined SOL_HAVE_AVX512
  if (!strcmp (isa, "avx512"))
    return __builtin_cpu_supports ("avx512f") && __builtin_cpu_supports ("avx512vl") && __builtin_cpu_supports ("avx512dq") && __builtin_cpu_supports ("avx512bw") ? &avx512 : NULL;
#endif
#if defined SOL_HAVE_AVX2
  if (!strcmp (isa, "avx2")) return __builtin_cpu_supports ("avx2") && __builtin_cpu_supports ("fma") ? &avx2 : NULL;
#endif
  return strcmp (isa, "portable") ? NULL : &portable;
}
