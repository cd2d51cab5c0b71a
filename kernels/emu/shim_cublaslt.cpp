/* SPDX-License-Identifier: Apache-2.0 */
/* shim_cublaslt.cpp: the part of cuBLASLt that the backend calls, with NVIDIA's own prototypes: D = alpha op (A) op (B) + beta C, columns first, bf16 or float32, accumulated in float32 in the order
 * of k. What it does not model it refuses as the library does. SOL_EMU_LT=none: the heuristic finds no algorithm. */
#include "emu_internal.h"
#include <cublasLt.h>
#include <memory>
#include <stdio.h>
#include <stdlib.h>

namespace {
struct description {
  cublasComputeType_t compute;
  cudaDataType_t scale;
  cublasOperation_t a = CUBLAS_OP_N, b = CUBLAS_OP_N;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  const void *bias = nullptr;
  cudaDataType_t bias_type = CUDA_R_32F;
  bool bias_typed = false;
};
struct layout {
  cudaDataType_t type;
  uint64_t rows, columns;
  int64_t ld;
  int32_t batches = 1;
  int64_t apart = 0; /* elements between batches */
  size_t size () const { return type == CUDA_R_32F ? 4 : 2; }
  size_t bytes () const { return rows && columns ? ((size_t) (columns - 1) * (size_t) ld + rows + (size_t) (batches - 1) * (size_t) apart) * size () : 0; }
};
bool known (cudaDataType_t t) { return t == CUDA_R_32F || t == CUDA_R_16BF; }
float load (const void *p, cudaDataType_t t, size_t i) { return t == CUDA_R_32F ? ((const float *) p)[i] : __bfloat162float (((const __nv_bfloat16 *) p)[i]); }
void store (void *p, cudaDataType_t t, size_t i, float x)
{
  if (t == CUDA_R_32F) ((float *) p)[i] = x;
  else ((__nv_bfloat16 *) p)[i] = __float2bfloat16_rn (x);
}
template <class T> bool set (T *into, const void *from, size_t n)
{
  if (n != sizeof *into) return false;
  memcpy (into, from, n);
  return true;
}

/* ---- the product of one batch: op (A) as panels of 16 rows, k after k; op (B) column by column */
enum { PANEL = 16, COLUMNS = 4, PARTS_OF = 16 };
typedef float lanes __attribute__ ((vector_size (4 * PANEL)));

/* sums [COLUMNS] over n of k of one panel with up to four columns of b [k], apart `k` from each other */
__attribute__ ((always_inline)) inline void panel_loop (const float *panel, const float *b, size_t k, size_t n, lanes *sums)
{
  lanes s0 = {}, s1 = {}, s2 = {}, s3 = {};
  for (size_t i = 0; i < n; i++) {
    lanes x;
    memcpy (&x, panel + i * PANEL, sizeof x);
    s0 += x * b[i], s1 += x * b[k + i], s2 += x * b[2 * k + i], s3 += x * b[3 * k + i];
  }
  sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
}
__attribute__ ((target ("avx2,fma"))) void panel_avx2 (const float *panel, const float *b, size_t k, size_t n, lanes *sums) { panel_loop (panel, b, k, n, sums); }
void panel_any (const float *panel, const float *b, size_t k, size_t n, lanes *sums) { panel_loop (panel, b, k, n, sums); }

struct product {
  description how;
  layout a, b, c, d;
  const char *pa, *pb, *pc;
  char *pd;
  float alpha, beta;
  uint64_t m, n, k, parts_of; /* k is summed in parts of so many, which are added up in the type of D; 0: at once */
};
float bias_of (const product &p, size_t i)
{
  if (p.how.epilogue != CUBLASLT_EPILOGUE_BIAS) return 0;
  return load (p.how.bias, p.how.bias_typed ? p.how.bias_type : p.d.type, i);
}
void in_parts (void (*loop) (const float *, const float *, size_t, size_t, lanes *), const product &p, const float *panel, const float *b, lanes *sums)
{
  for (int c = 0; c < COLUMNS; c++) sums[c] = lanes{};
  for (size_t at = 0; at < p.k; at += p.parts_of) {
    lanes part[COLUMNS];
    loop (panel + at * PANEL, b + at, p.k, p.k - at < p.parts_of ? p.k - at : p.parts_of, part);
    for (int c = 0; c < COLUMNS; c++)
      for (int q = 0; q < PANEL; q++) sums[c][q] = __bfloat162float (__float2bfloat16_rn (sums[c][q] + part[c][q]));
  }
}
void run_batch (const product &p, int64_t batch)
{
  const char *a = p.pa + batch * p.a.apart * (int64_t) p.a.size (), *b = p.pb + batch * p.b.apart * (int64_t) p.b.size ();
  const char *c = p.pc ? p.pc + batch * p.c.apart * (int64_t) p.c.size () : nullptr;
  char *d = p.pd + batch * p.d.apart * (int64_t) p.d.size ();
  const size_t k = p.k, columns = (p.n + COLUMNS - 1) / COLUMNS * COLUMNS;
  std::unique_ptr<float[]> bs (new float[columns * k] ()), panel (new float[PANEL * k]);
  for (size_t j = 0; j < p.n; j++)
    for (size_t i = 0; i < k; i++) bs[j * k + i] = load (b, p.b.type, p.how.b == CUBLAS_OP_N ? j * (size_t) p.b.ld + i : i * (size_t) p.b.ld + j);
  static const auto loop = __builtin_cpu_supports ("avx2") && __builtin_cpu_supports ("fma") ? panel_avx2 : panel_any;
  for (size_t r = 0; r < p.m; r += PANEL) {
    const size_t rows = p.m - r < PANEL ? p.m - r : (size_t) PANEL;
    for (size_t i = 0; i < k; i++)
      for (size_t q = 0; q < PANEL; q++)
        panel[i * PANEL + q] = q < rows ? load (a, p.a.type, p.how.a == CUBLAS_OP_N ? i * (size_t) p.a.ld + r + q : (r + q) * (size_t) p.a.ld + i) : 0;
    for (size_t j = 0; j < p.n; j += COLUMNS) {
      lanes sums[COLUMNS];
      if (p.parts_of) in_parts (loop, p, panel.get (), bs.get () + j * k, sums);
      else loop (panel.get (), bs.get () + j * k, k, k, sums);
      for (size_t jj = j; jj < j + COLUMNS && jj < p.n; jj++)
        for (size_t q = 0; q < rows; q++) {
          float x = p.alpha * sums[jj - j][q];
          if (p.beta != 0) x += p.beta * load (c, p.c.type, jj * (size_t) p.c.ld + r + q);
          store (d, p.d.type, jj * (size_t) p.d.ld + r + q, x + bias_of (p, r + q));
        }
    }
  }
}

/* what addresses are multiples of: A, B, C, D; the library supposes 256 bytes unless it is told */
struct preference {
  uint64_t workspace = 0;
  uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_MASK; /* how parts of a sum over k may be added up: in the type of D, too, unless it is told */
  uint32_t alignment[4] = { 256, 256, 256, 256 };
};

cublasStatus_t refuse (cublasStatus_t s, const char *why)
{
  if (getenv ("SOL_EMU_VERBOSE")) fprintf (stderr, "emu: cublasLt: %s\n", why);
  return s;
}
cublasStatus_t plan (product *p, const description *how, const layout *a, const layout *b, const layout *c, const layout *d)
{
  p->how = *how, p->a = *a, p->b = *b, p->c = *c, p->d = *d;
  p->m = how->a == CUBLAS_OP_N ? a->rows : a->columns;
  p->k = how->a == CUBLAS_OP_N ? a->columns : a->rows;
  p->n = how->b == CUBLAS_OP_N ? b->columns : b->rows;
  const uint64_t k = how->b == CUBLAS_OP_N ? b->rows : b->columns;
  if (k != p->k || d->rows != p->m || d->columns != p->n || c->rows != p->m || c->columns != p->n) return refuse (CUBLAS_STATUS_INVALID_VALUE, "the shapes of A, B, C and D do not fit");
  if (a->batches != d->batches || b->batches != d->batches || c->batches != d->batches) return refuse (CUBLAS_STATUS_INVALID_VALUE, "not the same number of batches");
  if (!known (a->type) || !known (d->type) || a->type != b->type || c->type != d->type || how->scale != CUDA_R_32F || (a->type == CUDA_R_32F && d->type != CUDA_R_32F))
    return refuse (CUBLAS_STATUS_NOT_SUPPORTED, "these types together");
  if (how->compute != CUBLAS_COMPUTE_32F && how->compute != CUBLAS_COMPUTE_32F_FAST_TF32) return refuse (CUBLAS_STATUS_NOT_SUPPORTED, "this type of computation");
  if (how->epilogue != CUBLASLT_EPILOGUE_DEFAULT && how->epilogue != CUBLASLT_EPILOGUE_BIAS) return refuse (CUBLAS_STATUS_NOT_SUPPORTED, "this epilogue");
  if (how->epilogue == CUBLASLT_EPILOGUE_BIAS && how->bias_typed && how->bias_type != d->type)
    return refuse (CUBLAS_STATUS_NOT_SUPPORTED, "a bias of another type than D");
  return CUBLAS_STATUS_SUCCESS;
}
} // namespace

#define DESCRIPTION(x) ((description *) (x))
#define LAYOUT(x) ((layout *) (x))
#define PREFERENCE(x) ((preference *) (x))
static cublasStatus_t did (bool good) { return good ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE; }

extern "C" {
cublasStatus_t cublasLtCreate (cublasLtHandle_t *h)
{
  *h = (cublasLtHandle_t) malloc (1);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy (cublasLtHandle_t h)
{
  free (h);
  return CUBLAS_STATUS_SUCCESS;
}
size_t cublasLtGetVersion () { return CUBLAS_VERSION; }
const char *cublasLtGetStatusName (cublasStatus_t s)
{
  switch (s) {
  case CUBLAS_STATUS_SUCCESS: return "CUBLAS_STATUS_SUCCESS";
  case CUBLAS_STATUS_INVALID_VALUE: return "CUBLAS_STATUS_INVALID_VALUE";
  case CUBLAS_STATUS_NOT_SUPPORTED: return "CUBLAS_STATUS_NOT_SUPPORTED";
  default: return "CUBLAS_STATUS of another kind";
  }
}
const char *cublasLtGetStatusString (cublasStatus_t s) { return cublasLtGetStatusName (s); }
cublasStatus_t cublasLtMatmulDescCreate (cublasLtMatmulDesc_t *d, cublasComputeType_t compute, cudaDataType_t scale)
{
  description *x = new description ();
  x->compute = compute, x->scale = scale;
  *d = (cublasLtMatmulDesc_t) x;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy (cublasLtMatmulDesc_t d)
{
  delete DESCRIPTION (d);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute (cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t a, const void *from, size_t n)
{
  description *x = DESCRIPTION (d);
  switch (a) {
  case CUBLASLT_MATMUL_DESC_TRANSA: return did (set (&x->a, from, n));
  case CUBLASLT_MATMUL_DESC_TRANSB: return did (set (&x->b, from, n));
  case CUBLASLT_MATMUL_DESC_EPILOGUE: return did (set (&x->epilogue, from, n));
  case CUBLASLT_MATMUL_DESC_BIAS_POINTER: return did (set (&x->bias, from, n));
  case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE: return did (x->bias_typed = set (&x->bias_type, from, n));
  default: return refuse (CUBLAS_STATUS_INVALID_VALUE, "this attribute of a product");
  }
}
cublasStatus_t cublasLtMatrixLayoutCreate (cublasLtMatrixLayout_t *l, cudaDataType type, uint64_t rows, uint64_t columns, int64_t ld)
{
  if (ld < (int64_t) rows) return refuse (CUBLAS_STATUS_INVALID_VALUE, "a leading dimension below the number of rows");
  layout *x = new layout ();
  x->type = type, x->rows = rows, x->columns = columns, x->ld = ld;
  *l = (cublasLtMatrixLayout_t) x;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy (cublasLtMatrixLayout_t l)
{
  delete LAYOUT (l);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutSetAttribute (cublasLtMatrixLayout_t l, cublasLtMatrixLayoutAttribute_t a, const void *from, size_t n)
{
  layout *x = LAYOUT (l);
  int32_t order;
  switch (a) {
  case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT: return did (set (&x->batches, from, n));
  case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET: return did (set (&x->apart, from, n));
  case CUBLASLT_MATRIX_LAYOUT_ORDER: return did (set (&order, from, n) && order == CUBLASLT_ORDER_COL);
  default: return refuse (CUBLAS_STATUS_INVALID_VALUE, "this attribute of a layout");
  }
}
cublasStatus_t cublasLtMatmulPreferenceCreate (cublasLtMatmulPreference_t *p)
{
  *p = (cublasLtMatmulPreference_t) new preference ();
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy (cublasLtMatmulPreference_t p)
{
  delete PREFERENCE (p);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute (cublasLtMatmulPreference_t p, cublasLtMatmulPreferenceAttributes_t a, const void *from, size_t n)
{
  switch (a) {
  case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES: return did (set (&PREFERENCE (p)->workspace, from, n));
  case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK: return did (set (&PREFERENCE (p)->reductions, from, n));
  case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES: return did (set (&PREFERENCE (p)->alignment[0], from, n));
  case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES: return did (set (&PREFERENCE (p)->alignment[1], from, n));
  case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES: return did (set (&PREFERENCE (p)->alignment[2], from, n));
  case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES: return did (set (&PREFERENCE (p)->alignment[3], from, n));
  default: return refuse (CUBLAS_STATUS_INVALID_VALUE, "this attribute of a preference");
  }
}
cublasStatus_t cublasLtMatmulAlgoGetHeuristic (cublasLtHandle_t, cublasLtMatmulDesc_t how, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                               cublasLtMatmulPreference_t wish, int asked, cublasLtMatmulHeuristicResult_t results[], int *found)
{
  const char *e = getenv ("SOL_EMU_LT");
  product p;
  if (asked < 1) return CUBLAS_STATUS_INVALID_VALUE;
  *found = 0;
  if (cublasStatus_t s = plan (&p, DESCRIPTION (how), LAYOUT (a), LAYOUT (b), LAYOUT (c), LAYOUT (d))) return s;
  if (e && !strcmp (e, "none")) return CUBLAS_STATUS_SUCCESS; /* with nothing found */
  memset (results, 0, sizeof results[0]);
  results[0].state = CUBLAS_STATUS_SUCCESS;
  results[0].workspaceSize = 0;
  memcpy (results[0].algo.data, PREFERENCE (wish)->alignment, sizeof PREFERENCE (wish)->alignment); /* the algorithm is for such addresses */
  const uint32_t rough = PREFERENCE (wish)->reductions & (CUBLASLT_REDUCTION_SCHEME_INPLACE | CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE);
  results[0].algo.data[4] = rough && p.d.type == CUDA_R_16BF ? PARTS_OF : 0; /* the worst that it may choose */
  *found = 1;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmul (cublasLtHandle_t, cublasLtMatmulDesc_t how, const void *alpha, const void *A, cublasLtMatrixLayout_t a, const void *B, cublasLtMatrixLayout_t b, const void *beta,
                               const void *C, cublasLtMatrixLayout_t c, void *D, cublasLtMatrixLayout_t d, const cublasLtMatmulAlgo_t *algo, void *workspace, size_t workspace_bytes, cudaStream_t s)
{
  product p;
  if (cublasStatus_t e = plan (&p, DESCRIPTION (how), LAYOUT (a), LAYOUT (b), LAYOUT (c), LAYOUT (d))) return e;
  p.pa = (const char *) A, p.pb = (const char *) B, p.pc = (const char *) C, p.pd = (char *) D;
  const void *const at[] = { A, B, C, D };
  uint32_t wanted[4] = { 1, 1, 1, 1 }; /* without an algorithm the library looks for one that fits the addresses */
  if (algo) memcpy (wanted, algo->data, sizeof wanted);
  p.parts_of = algo ? algo->data[4] : 0;
  for (int i = 0; i < 4; i++)
    if (at[i] && (uintptr_t) at[i] % (wanted[i] ? wanted[i] : 1) != 0) return refuse (CUBLAS_STATUS_NOT_SUPPORTED, "an address that is not aligned as the algorithm was told");
  p.alpha = *(const float *) alpha, p.beta = *(const float *) beta;
  std::lock_guard<std::recursive_mutex> hold (emu::api_lock);
  emu::require_device ("cublasLtMatmul: A", A, p.a.bytes ());
  emu::require_device ("cublasLtMatmul: B", B, p.b.bytes ());
  if (p.beta != 0) emu::require_device ("cublasLtMatmul: C", C, p.c.bytes ());
  emu::require_device ("cublasLtMatmul: D", D, p.d.bytes ());
  if (p.how.epilogue == CUBLASLT_EPILOGUE_BIAS) emu::require_device ("cublasLtMatmul: bias", p.how.bias, p.m * (p.how.bias_typed && p.how.bias_type == CUDA_R_32F ? 4 : 2));
  if (workspace_bytes) emu::require_device ("cublasLtMatmul: workspace", workspace, workspace_bytes);
  emu::enqueue (s, [p] {
    for (int64_t i = 0; i < p.d.batches; i++) run_batch (p, i);
  });
  return CUBLAS_STATUS_SUCCESS;
}
} // extern "C"
