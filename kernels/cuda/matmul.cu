/* SPDX-License-Identifier: Apache-2.0 */
/* matmul.cu: products by cuBLASLt. It thinks in columns: a row-major c = a b is its c^T = b^T a^T, so the operands change places. A shape's descriptors and its algorithm are kept: after a
 * shape's first product nothing is allocated or searched. */
#include "cuda.cuh"
#include "device_internal.h"
#include <string.h>

void sol_shape_destroy (sol_shape_t *s)
{
  if (s->desc) cublasLtMatmulDescDestroy (s->desc);
  if (s->a) cublasLtMatrixLayoutDestroy (s->a);
  if (s->b) cublasLtMatrixLayoutDestroy (s->b);
  if (s->c) cublasLtMatrixLayoutDestroy (s->c);
  memset (s, 0, sizeof *s);
}

/* what an address is a multiple of, up to 16: algorithms differ in what they want */
static uint64_t alignment (const void *p)
{
  const uint64_t low = (uint64_t) (uintptr_t) p & 15;
  return low ? low & (~low + 1) : 16;
}

static void make_key (const sol_product_t *p, uint64_t *key)
{
  key[0] = 1 + ((uint64_t) p->m << 1); /* never 0 */
  key[1] = (uint64_t) p->n << 32 ^ (uint64_t) p->k;
  key[2] = (uint64_t) p->lda << 42 ^ (uint64_t) p->ldb << 21 ^ (uint64_t) p->ldc;
  key[3] = (uint64_t) p->trans_a | (uint64_t) p->trans_b << 1 | (uint64_t) (p->c_type == SOL_F32) << 2 | (uint64_t) (p->bias != NULL) << 3 | (uint64_t) !!p->accumulate << 4 |
           alignment (p->a) << 8 | alignment (p->b) << 16 | alignment (p->c) << 24;
}

static uint64_t mix (const uint64_t *key)
{
  uint64_t h = 0;
  for (int i = 0; i < 4; i++) {
    h = (h ^ key[i]) * 0x9e3779b97f4a7c15ull;
    h ^= h >> 29;
  }
  return h;
}

static cublasStatus_t describe (const sol_product_t *p, sol_shape_t *s)
{
  const cublasOperation_t op_b = p->trans_b ? CUBLAS_OP_T : CUBLAS_OP_N, op_a = p->trans_a ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_BIAS;
  const cudaDataType_t type = p->c_type == SOL_F32 ? CUDA_R_32F : CUDA_R_16BF;
  cublasStatus_t st = cublasLtMatmulDescCreate (&s->desc, CUBLAS_COMPUTE_32F, CUDA_R_32F);
  if (st == CUBLAS_STATUS_SUCCESS) st = cublasLtMatmulDescSetAttribute (s->desc, CUBLASLT_MATMUL_DESC_TRANSA, &op_b, sizeof op_b);
  if (st == CUBLAS_STATUS_SUCCESS) st = cublasLtMatmulDescSetAttribute (s->desc, CUBLASLT_MATMUL_DESC_TRANSB, &op_a, sizeof op_a);
  if (st == CUBLAS_STATUS_SUCCESS && p->bias) st = cublasLtMatmulDescSetAttribute (s->desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue);
  if (st == CUBLAS_STATUS_SUCCESS && p->bias) st = cublasLtMatmulDescSetAttribute (s->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &p->bias, sizeof p->bias);
  /* columns: a stored row-major [r, c] is column-major [c, r] */
  if (st == CUBLAS_STATUS_SUCCESS) st = cublasLtMatrixLayoutCreate (&s->a, CUDA_R_16BF, (uint64_t) (p->trans_b ? p->k : p->n), (uint64_t) (p->trans_b ? p->n : p->k), p->ldb);
  if (st == CUBLAS_STATUS_SUCCESS) st = cublasLtMatrixLayoutCreate (&s->b, CUDA_R_16BF, (uint64_t) (p->trans_a ? p->m : p->k), (uint64_t) (p->trans_a ? p->k : p->m), p->lda);
  if (st == CUBLAS_STATUS_SUCCESS) st = cublasLtMatrixLayoutCreate (&s->c, type, (uint64_t) p->n, (uint64_t) p->m, p->ldc);
  return st;
}

/* cuBLASLt takes addresses for multiples of 256 bytes unless told: an algorithm chosen so may fail on a row in the middle of a matrix */
static cublasStatus_t tell_alignment (cublasLtMatmulPreference_t preference, const sol_product_t *p)
{
  const cublasLtMatmulPreferenceAttributes_t of[] = { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
                                                      CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES };
  const void *const at[] = { p->b, p->a, p->c, p->c };
  cublasStatus_t st = CUBLAS_STATUS_SUCCESS;
  for (int i = 0; i < 4 && st == CUBLAS_STATUS_SUCCESS; i++) {
    const uint32_t bytes = (uint32_t) alignment (at[i]);
    st = cublasLtMatmulPreferenceSetAttribute (preference, of[i], &bytes, sizeof bytes);
  }
  return st;
}

static int choose (sol_queue_t *q, const sol_product_t *p, sol_shape_t *s)
{
  struct sol_device *d = q->device;
  cublasLtMatmulHeuristicResult_t r;
  int n = 0;
  cublasStatus_t st = tell_alignment (d->preference, p);
  if (st == CUBLAS_STATUS_SUCCESS) st = cublasLtMatmulAlgoGetHeuristic (d->lt, s->desc, s->a, s->b, s->c, s->c, d->preference, 1, &r, &n);
  if (st == CUBLAS_STATUS_SUCCESS && n > 0) st = r.state;
  if (st != CUBLAS_STATUS_SUCCESS || n < 1) {
    sol_cuda_fail (q, SOL_ERR_DEVICE, "cuBLASLt has no algorithm for a product of %lld x %lld x %lld (m, n, k; rows every %lld, %lld, %lld elements; %s result%s): status %d", (long long) p->m,
                   (long long) p->n, (long long) p->k, (long long) p->lda, (long long) p->ldb, (long long) p->ldc, p->c_type == SOL_F32 ? "f32" : "bf16", p->bias ? ", bias" : "", (int) st);
    return 0;
  }
  s->algo = r.algo;
  return 1;
}

/* the shape's entry, made when it is new; NULL: an error was noted. When the table is full, an entry of the same bucket makes room. */
static sol_shape_t *find (sol_queue_t *q, const sol_product_t *p)
{
  struct sol_device *d = q->device;
  uint64_t key[4];
  make_key (p, key);
  const uint64_t h = mix (key);
  sol_shape_t *s = NULL;
  for (int i = 0; i < 8; i++) {
    s = &d->shape[(h + (uint64_t) i) & (SOL_SHAPES - 1)];
    if (!memcmp (s->key, key, sizeof key)) return s;
    if (!s->key[0]) break;
  }
  sol_shape_destroy (s);
  if (describe (p, s) != CUBLAS_STATUS_SUCCESS) {
    sol_cuda_fail (q, SOL_ERR_DEVICE, "cuBLASLt refuses the layout of a product of %lld x %lld x %lld", (long long) p->m, (long long) p->n, (long long) p->k);
    sol_shape_destroy (s);
    return NULL;
  }
  if (!choose (q, p, s)) {
    sol_shape_destroy (s);
    return NULL;
  }
  memcpy (s->key, key, sizeof key);
  return s;
}

void sol_cuda_product (sol_queue_t *q, const sol_product_t *p)
{
  const float alpha = p->alpha != 0 ? p->alpha : 1.0f, beta = p->accumulate ? 1.0f : 0.0f;
  SOL_REQUIRE (p->m >= 0 && p->n > 0 && p->k > 0 && (!p->bias || p->c_type == SOL_BF16));
  SOL_REQUIRE (q == &q->device->queue[SOL_QUEUE_COMPUTE]); /* the workspace is this queue's */
  if (p->m == 0) return;
  sol_shape_t *s = find (q, p);
  if (!s) return;
  cublasStatus_t st = p->bias ? cublasLtMatmulDescSetAttribute (s->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &p->bias, sizeof p->bias) : CUBLAS_STATUS_SUCCESS;
  if (st == CUBLAS_STATUS_SUCCESS)
    st = cublasLtMatmul (q->device->lt, s->desc, &alpha, p->b, s->a, p->a, s->b, &beta, p->c, s->c, p->c, s->c, &s->algo, q->device->workspace, q->device->workspace_bytes, q->stream);
  if (st != CUBLAS_STATUS_SUCCESS) sol_cuda_note (q, cudaGetLastError (), "a product by cuBLASLt"); /* a fault of an op before it */
  if (st != CUBLAS_STATUS_SUCCESS)
    sol_cuda_fail (q, SOL_ERR_DEVICE, "a product of %lld x %lld x %lld: cuBLASLt status %d", (long long) p->m, (long long) p->n, (long long) p->k, (int) st);
}

/* ---- weights: bf16 in place; f32 is rounded once into memory of its own */
size_t sol_cuda_weight_bytes (sol_backend_t *b, int64_t n, int64_t k, sol_dtype_t dtype)
{
  (void) b;
  return sol_cuda_layout_weight (n, k, dtype);
}
void sol_cuda_weight_prepare (sol_queue_t *q, sol_tensor_t src, void *mem, sol_weight_t *w)
{
  sol_weight_t made = { src, src.dtype == SOL_BF16 ? NULL : mem, 0 };
  SOL_REQUIRE (src.stride == src.cols && (src.dtype == SOL_BF16 || src.dtype == SOL_F32));
  *w = made;
  if (made.packed) sol_cuda_round (q, sol_tensor (src.at, src.dtype, 1, src.rows * src.cols), sol_tensor (mem, SOL_BF16, 1, src.rows * src.cols));
}
const void *sol_weight_bf16 (const sol_weight_t *w) { return w->packed ? w->packed : w->src.at; }

/* ---- the ops */
void sol_cuda_matmul (sol_queue_t *q, sol_tensor_t x, const sol_weight_t *w, sol_tensor_t bias, int accumulate, sol_tensor_t y)
{
  SOL_REQUIRE (x.cols == w->src.cols && y.cols == w->src.rows && x.rows == y.rows && x.dtype == SOL_BF16 && y.dtype == SOL_BF16);
  SOL_REQUIRE (!bias.at || (bias.dtype == SOL_BF16 && bias.cols == y.cols));
  const sol_product_t p = { x.at, sol_weight_bf16 (w), y.at, x.rows, y.cols, x.cols, x.stride, x.cols, y.stride, 0, 1, accumulate, SOL_BF16, bias.at, 1 };
  sol_cuda_product (q, &p);
}

void sol_cuda_matmul_dx (sol_queue_t *q, sol_tensor_t dy, const sol_weight_t *w, int accumulate, sol_tensor_t dx)
{
  SOL_REQUIRE (dy.cols == w->src.rows && dx.cols == w->src.cols && dy.rows == dx.rows && dy.dtype == SOL_BF16 && dx.dtype == SOL_BF16);
  const sol_product_t p = { dy.at, sol_weight_bf16 (w), dx.at, dy.rows, dx.cols, dy.cols, dy.stride, dx.cols, dx.stride, 0, 0, accumulate, SOL_BF16, NULL, 1 };
  sol_cuda_product (q, &p);
}

void sol_cuda_matmul_dw (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t x, sol_tensor_t dw)
{
  SOL_REQUIRE (dy.rows == x.rows && dw.rows == dy.cols && dw.cols == x.cols && dy.dtype == SOL_BF16 && x.dtype == SOL_BF16 && dw.dtype == SOL_F32);
  if (dy.rows == 0) return;
  const sol_product_t p = { dy.at, x.at, dw.at, dw.rows, dw.cols, dy.rows, dy.stride, x.stride, dw.stride, 1, 0, 1, SOL_F32, NULL, 1 };
  sol_cuda_product (q, &p);
}
