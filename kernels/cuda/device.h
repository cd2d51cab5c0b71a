/* SPDX-License-Identifier: Apache-2.0 */
/* device.h: an open device, its streams, and the ops that the table in plugin.cu gathers. */
#ifndef SOL_CUDA_DEVICE_H
#define SOL_CUDA_DEVICE_H
#include "solera/cuda_layout.h"
#include "solera/plugin.h"
#include <cublasLt.h>
#include <cuda_runtime.h>

struct sol_device;
/* a stream. What goes wrong sticks to it until sync, which reports the first error. */
struct sol_queue {
  struct sol_device *device;
  cudaStream_t stream;
  sol_status_t error;
  char text[400]; /* of the first error */
  int recording;  /* between graph_begin and graph_end */
  struct sol_device_group *group;     /* of the collectives since the last sync, and how sync waits for them: collectives.cu */
  void (*watch) (struct sol_queue *q);
};
struct sol_event {
  cudaEvent_t event;
};
struct sol_graph {
  cudaGraphExec_t run;
};

/* takes note of an error of the CUDA runtime (what: the op); cudaSuccess: nothing */
void sol_cuda_note (sol_queue_t *q, cudaError_t e, const char *what);
#ifdef __cplusplus
void sol_cuda_note_launch (sol_queue_t *q, cudaError_t e, const char *kernel, dim3 grid, dim3 block);
#endif
/* any other error */
void sol_cuda_fail (sol_queue_t *q, sol_status_t st, const char *format, ...) __attribute__ ((format (printf, 3, 4)));
/* the caller broke an op's contract: a message, then abort. As SOL_ASSERT of the program. */
#define SOL_REQUIRE(x) ((x) ? (void) 0 : sol_cuda_bug (__FILE__, __LINE__, #x))
#ifdef __cplusplus
[[noreturn]]
#endif
void sol_cuda_bug (const char *file, int line, const char *what);

/* a launch on queue q, whose error is noted under the kernel's name */
#define SOL_RUN(q, kernel, grid, block, bytes, ...) sol_cuda_note_launch (q, SOL_LAUNCH (kernel, grid, block, bytes, (q)->stream, __VA_ARGS__), #kernel, grid, block)

/* ---- matmul.cu: c [m, n] = or += alpha op (a) [m, k] op (b) [k, n], all row-major, by cuBLASLt with float32 accumulation. trans_a: a is stored [k, m]; trans_b: b is stored [n, k].
 * a, b bf16; c bf16 or f32, written or (accumulate) added to. bias: bf16 [n] or none, added to every row; c must be bf16 then. ld: elements between rows. */
typedef struct {
  const void *a, *b;
  void *c;
  int64_t m, n, k, lda, ldb, ldc;
  int trans_a, trans_b, accumulate;
  sol_dtype_t c_type;
  const void *bias;
  float alpha; /* 0: 1 */
} sol_product_t;
void sol_cuda_product (sol_queue_t *q, const sol_product_t *p);
const void *sol_weight_bf16 (const sol_weight_t *w); /* the matrix as products want it: bf16 [n, k] */

/* ---- the ops, as in solera/ops.h; one file each */
#ifdef __cplusplus
extern "C" {
#endif
sol_status_t sol_cuda_alloc (sol_backend_t *, size_t, const char *, void **);
void sol_cuda_free (sol_backend_t *, void *);
sol_status_t sol_cuda_host_take (sol_backend_t *, size_t, const char *, void **);
void sol_cuda_host_give (sol_backend_t *, void *);
void sol_cuda_put (sol_queue_t *, void *, const void *, size_t);
void sol_cuda_get (sol_queue_t *, void *, const void *, size_t);
void sol_cuda_copy (sol_queue_t *, void *, const void *, size_t);
void sol_cuda_zero (sol_queue_t *, void *, size_t);
sol_status_t sol_cuda_sync (sol_queue_t *);
sol_status_t sol_cuda_event_create (sol_backend_t *, sol_event_t **);
void sol_cuda_event_destroy (sol_backend_t *, sol_event_t *);
void sol_cuda_record (sol_queue_t *, sol_event_t *);
void sol_cuda_wait (sol_queue_t *, sol_event_t *);
void sol_cuda_graph_begin (sol_queue_t *);
sol_status_t sol_cuda_graph_end (sol_queue_t *, sol_graph_t **);
void sol_cuda_graph_run (sol_queue_t *, sol_graph_t *);
void sol_cuda_graph_destroy (sol_backend_t *, sol_graph_t *);
size_t sol_cuda_weight_bytes (sol_backend_t *, int64_t, int64_t, sol_dtype_t);
void sol_cuda_weight_prepare (sol_queue_t *, sol_tensor_t, void *, sol_weight_t *);
void sol_cuda_matmul (sol_queue_t *, sol_tensor_t, const sol_weight_t *, sol_tensor_t, int, sol_tensor_t);
void sol_cuda_matmul_dx (sol_queue_t *, sol_tensor_t, const sol_weight_t *, int, sol_tensor_t);
void sol_cuda_matmul_dw (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_cuda_bias_dw (sol_queue_t *, sol_tensor_t, sol_tensor_t);
void sol_cuda_embed (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_cuda_embed_dw (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_cuda_gather (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_cuda_scatter (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_cuda_scatter_add (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_cuda_add (sol_queue_t *, sol_tensor_t, sol_tensor_t);
void sol_cuda_rmsnorm (sol_queue_t *, sol_tensor_t, sol_tensor_t, float, sol_tensor_t, sol_tensor_t);
void sol_cuda_rmsnorm_dx (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, int, sol_tensor_t);
void sol_cuda_rmsnorm_dw (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_cuda_rope (sol_queue_t *, sol_tensor_t, int32_t, sol_tensor_t, sol_tensor_t, int);
void sol_cuda_attention (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, const sol_span_t *, int32_t, int32_t, int32_t, float, sol_tensor_t, sol_tensor_t);
void sol_cuda_attention_backward (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, const sol_span_t *, int32_t, int32_t, int32_t,
                                  float, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_cuda_swiglu (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_cuda_swiglu_backward (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t);
int64_t sol_cuda_head_scratch (int64_t, int64_t, int64_t);
void sol_cuda_head_partial (sol_queue_t *, sol_tensor_t, const sol_weight_t *, sol_tensor_t, float, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_cuda_head_target (sol_queue_t *, sol_tensor_t, sol_tensor_t, float, sol_tensor_t, sol_tensor_t);
void sol_cuda_head_finish (sol_queue_t *, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_cuda_head_backward (sol_queue_t *, sol_tensor_t, const sol_weight_t *, sol_tensor_t, float, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_cuda_sample (sol_queue_t *, sol_tensor_t, sol_tensor_t, float, uint64_t, sol_tensor_t, int, int32_t, double, sol_tensor_t);
void sol_cuda_adamw (sol_queue_t *, sol_adamw_t, sol_tensor_t, sol_tensor_t, sol_tensor_t, sol_tensor_t);
void sol_cuda_sumsq (sol_queue_t *, sol_tensor_t, sol_tensor_t);
void sol_cuda_round (sol_queue_t *, sol_tensor_t, sol_tensor_t);
#ifdef __cplusplus
}
#endif
#endif
