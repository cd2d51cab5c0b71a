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
static sol_status_t host_host_take (sol_backend_t *b, size_t bytes, const char *what, void **mem_p)
{
  (void) b;
  return sol_alloc_large (bytes, what, mem_p);
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
static sol_status_t host_event_create (sol_backend_t *b, sol_event_t **event_p)
{
  (void) b;
  *event_p = NULL;
  return SOL_OK;
}
static void host_event_destroy (sol_backend_t *b, sol_event_t *e)
{
  (void) b;
  (void) e;
}
static void host_event (sol_queue_t *q, sol_event_t *e)
{
  (void) q;
  (void) e;
}

/* packed panels of 16 rows for the fast products (kernels/cpu/matmul.c); ref reads src */
static size_t host_weight_bytes (sol_backend_t *b, int64_t n, int64_t k, sol_dtype_t dtype)
{
  return b->isa[0] ? (size_t) ((n + 15) / 16 * 16 * k) * sol_dtype_bytes (dtype) : 0;
}
static int64_t host_head_scratch (int64_t R, int64_t V, int64_t C)
{
  (void) R, (void) V, (void) C;
  return SOL_HEAD_BLOCK;
}
static void ref_weight_prepare (sol_queue_t *q, sol_tensor_t src, void *mem, sol_weight_t *w)
{
  (void) q;
  (void) mem;
  *w = (sol_weight_t){ .src = src };
}

#define HOST_TABLE                                                                                                     \
  .abi = SOL_OPS_ABI, .bytes = sizeof (sol_ops_t), .caps = SOL_CAP_HOST | SOL_CAP_EXACT, .alloc = host_alloc, .free = host_free, .host_take = host_host_take, .host_give = host_free, .put = host_copy, .get = host_copy, .copy = host_copy,       \
  .zero = host_zero, .sync = host_sync, .event_create = host_event_create, .event_destroy = host_event_destroy, .record = host_event, .wait = host_event, .act = SOL_F32, .head_step = 1, .head_most = SOL_HOST_HEAD_MOST, \
  .weight_bytes = host_weight_bytes, .head_scratch = host_head_scratch
#define REF_TABLE                                                                                                      \
  .weight_prepare = ref_weight_prepare,                                                                                \
  .matmul = sol_ref_matmul, .matmul_dx = sol_ref_matmul_dx, .matmul_dw = sol_ref_matmul_dw, .bias_dw = sol_ref_bias_dw, .embed = sol_ref_embed, .embed_dw = sol_ref_embed_dw,               \
  .gather = sol_ref_gather, .scatter = sol_ref_scatter, .scatter_add = sol_ref_scatter_add, .add = sol_ref_add, .rmsnorm = sol_ref_rmsnorm, .rmsnorm_dx = sol_ref_rmsnorm_dx,              \
  .rmsnorm_dw = sol_ref_rmsnorm_dw, .rope = sol_ref_rope, .attention = sol_ref_attention, .attention_backward = sol_ref_attention_backward, .swiglu = sol_ref_swiglu,                       \
  .swiglu_backward = sol_ref_swiglu_backward, .head_partial = sol_ref_head_partial, .head_target = sol_ref_head_target, .head_finish = sol_ref_head_finish,                                \
  .head_backward = sol_ref_head_backward, .sample = sol_ref_sample, .adamw = sol_ref_adamw, .sumsq = sol_ref_sumsq, .round = sol_ref_round

const sol_ops_t sol_ops_ref = { .name = "ref", HOST_TABLE, REF_TABLE };

/* what an instruction set has of its own, over the plain loops */
#define CPU_OP(isa, op) .op = sol_##isa##_##op
#define CPU_TABLE(isa)                                                                                                 \
  CPU_OP (isa, weight_prepare), CPU_OP (isa, matmul), CPU_OP (isa, matmul_dx), CPU_OP (isa, matmul_dw), CPU_OP (isa, bias_dw), CPU_OP (isa, embed), CPU_OP (isa, embed_dw),                 \
  CPU_OP (isa, add), CPU_OP (isa, rmsnorm), CPU_OP (isa, rmsnorm_dx), CPU_OP (isa, rmsnorm_dw), CPU_OP (isa, rope), CPU_OP (isa, attention), CPU_OP (isa, attention_backward),              \
  CPU_OP (isa, swiglu), CPU_OP (isa, swiglu_backward), CPU_OP (isa, head_partial), CPU_OP (isa, head_backward), CPU_OP (isa, sample), CPU_OP (isa, adamw), CPU_OP (isa, sumsq),             \
  CPU_OP (isa, round), .gather = sol_ref_gather, .scatter = sol_ref_scatter, .scatter_add = sol_ref_scatter_add, .head_target = sol_ref_head_target, .head_finish = sol_ref_head_finish

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
