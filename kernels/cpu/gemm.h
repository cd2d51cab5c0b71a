/* SPDX-License-Identifier: Apache-2.0 */
/* gemm.h: the one product kernel: c[i, j] = chain over k of a(i, k) b(k, j), 16 columns a panel. Blocks of k go on from the value in c, so every element stays one chain. */
#ifndef SOL_GEMM_H
#define SOL_GEMM_H
#include "simd.h"

/* a(i, k) = a[i * a_row + k * a_k]; one of the two strides is 1. Panel p of b: b + p * b_panel; its row k: + k * b_k, 16 floats (bf16: 16 halves). Packed weights have b_k = 16 and
 * zero-padded panels; row-major b has b_panel = 16. c [m, n], rows ldc apart; bias [1, n] is added at the end, or none. */
typedef struct {
  const float *a;
  int64_t a_row, a_k;
  const void *b;
  int64_t b_panel, b_k;
  int bf16;
  float *c;
  int64_t ldc, m, n, k;
  int accumulate;
  sol_tensor_t bias;
} gemm_t;
/* the whole product, on the threads of q */
void SOL_FN (gemm) (sol_queue_t *q, const gemm_t *g);

INLINE v16 b_load (const void *b, int64_t at, int bf16) { return bf16 ? v_load_bf16 ((const uint16_t *) b + at) : v_load ((const float *) b + at); }

/* MR rows by NP panels: a(r, k) = a[r * a_row + k * a_k] with constants of the compiler where the caller has them. fresh: from 0, else from c */
INLINE void gemm_tile (int MR, int NP, int bf16, const float *a, int64_t a_row, int64_t a_k, const void *b, int64_t b_panel, int64_t b_k, int64_t kc, float *c, int64_t ldc, int fresh)
{
  v16 acc[TILE_MAX];
  UNROLL for (int r = 0; r < MR; r++)
    UNROLL for (int j = 0; j < NP; j++) acc[r * NP + j] = fresh ? v_zero () : v_load (c + r * ldc + 16 * j);
  for (int64_t k = 0; k < kc; k++) {
    v16 bv[8];
    UNROLL for (int j = 0; j < NP; j++) bv[j] = b_load (b, j * b_panel + k * b_k, bf16);
    UNROLL for (int r = 0; r < MR; r++) {
      v16 x = v_set (a[r * a_row + k * a_k]);
      UNROLL for (int j = 0; j < NP; j++) acc[r * NP + j] = v_fma (x, bv[j], acc[r * NP + j]);
    }
  }
  UNROLL for (int r = 0; r < MR; r++)
    UNROLL for (int j = 0; j < NP; j++) v_store (c + r * ldc + 16 * j, acc[r * NP + j]);
}
#endif
