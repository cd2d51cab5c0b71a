/* SPDX-License-Identifier: Apache-2.0 */
/* gemm.h: the one product kernel: c[i, j] = chain over k of a(i, k) b(k, j), 16 columns a panel. Blocks of k go on from the value in c, so every element stays one chain. */
#ifndef SOL_GEMM_H
#define SOL_GEMM_H
#include "simd.h"

#define GEMM_KC 256
/* a(i, k) = a[i * a_row + k * a_k]. Panel p of b: b + p * b_panel; its row k: + k * b_k, 16 floats (bf16: 16 halves). n_cols: columns of c in all; rows of c are ldc apart. */
typedef struct {
  const float *a;
  int64_t a_row, a_k;
  const void *b;
  int64_t b_panel, b_k;
  int bf16;
  float *c;
  int64_t ldc, m, n, k;
  int accumulate;
} gemm_t;

INLINE v16 b_load (const void *b, int64_t at, int bf16) { return bf16 ? v_load_bf16 ((const uint16_t *) b + at) : v_load ((const float *) b + at); }

/* MR x (NP * 16) of c, over k0 .. k0 + kc; cols: valid columns of the last panel (16: all) */
INLINE void gemm_tile (const gemm_t *g, int MR, int NP, int bf16, int64_t i, int64_t p, int64_t k0, int64_t kc, int cols)
{
  v16 acc[TILE_M][TILE_P];
  const float *a = g->a + i * g->a_row + k0 * g->a_k;
  int64_t b = p * g->b_panel + k0 * g->b_k;
  float *c = g->c + i * g->ldc + p * 16;
  int fresh = k0 == 0 && !g->accumulate;
#pragma GCC unroll 12
  for (int r = 0; r < MR; r++)
#pragma GCC unroll 2
    for (int j = 0; j < NP; j++) acc[r][j] = fresh ? v_zero () : j == NP - 1 && cols < 16 ? v_load_n (c + r * g->ldc + 16 * j, cols) : v_load (c + r * g->ldc + 16 * j);
  for (int64_t k = 0; k < kc; k++) {
    v16 bv[TILE_P];
#pragma GCC unroll 2
    for (int j = 0; j < NP; j++) bv[j] = b_load (g->b, b + j * g->b_panel + k * g->b_k, bf16);
#pragma GCC unroll 12
    for (int r = 0; r < MR; r++) {
      v16 x = v_set (a[r * g->a_row + k * g->a_k]);
#pragma GCC unroll 2
      for (int j = 0; j < NP; j++) acc[r][j] = v_fma (x, bv[j], acc[r][j]);
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < MR; r++)
#pragma GCC unroll 2
    for (int j = 0; j < NP; j++) {
      if (j == NP - 1 && cols < 16) v_store_n (c + r * g->ldc + 16 * j, acc[r][j], cols);
      else v_store (c + r * g->ldc + 16 * j, acc[r][j]);
    }
}

#define GEMM_CASE(MR)                                                                                                  \
  case MR:                                                                                                             \
    if (np == 2) gemm_tile (g, MR, TILE_P, bf16, i, p, k0, kc, cols);                                                  \
    else gemm_tile (g, MR, 1, bf16, i, p, k0, kc, cols);                                                               \
    break;
/* constant sizes for the compiler */
INLINE void gemm_rows (const gemm_t *g, int mr, int np, int bf16, int64_t i, int64_t p, int64_t k0, int64_t kc, int cols)
{
  switch (mr) {
    GEMM_CASE (1)
    GEMM_CASE (2)
    GEMM_CASE (3)
    GEMM_CASE (4)
#if TILE_M >= 6
    GEMM_CASE (5)
    GEMM_CASE (6)
#endif
#if TILE_M >= 12
    GEMM_CASE (7)
    GEMM_CASE (8)
    GEMM_CASE (9)
    GEMM_CASE (10)
    GEMM_CASE (11)
    GEMM_CASE (12)
#endif
    default: break;
  }
}

/* the product of one type of b. room: at least GEMM_KC * 16 * TILE_P floats, for packing rows of b that lie far apart, or NULL */
INLINE void gemm_run (const gemm_t *g, int bf16, float *room)
{
  int64_t panels = (g->n + 15) / 16;
  for (int64_t k0 = 0; k0 < g->k; k0 += GEMM_KC) {
    int64_t kc = g->k - k0 < GEMM_KC ? g->k - k0 : GEMM_KC;
    for (int64_t p = 0; p < panels; p += TILE_P) {
      int np = panels - p < TILE_P ? (int) (panels - p) : TILE_P;
      int cols = p + np == panels ? (int) (g->n - (panels - 1) * 16) : 16;
      gemm_t h = *g;
      if (room && (g->b_k != 16 || bf16 || cols < 16)) { /* pack: contiguous, widened, zero-padded */
        for (int64_t k = 0; k < kc; k++)
          for (int j = 0; j < np; j++) {
            int64_t at = (p + j) * g->b_panel + (k0 + k) * g->b_k;
            int w = j == np - 1 ? cols : 16;
            float *to = room + ((int64_t) j * GEMM_KC + k) * 16;
            if (w == 16) v_store (to, b_load (g->b, at, bf16));
            else
              for (int l = 0; l < 16; l++) to[l] = l >= w ? 0 : bf16 ? sol_bf16 (((const uint16_t *) g->b)[at + l]) : ((const float *) g->b)[at + l];
          }
        h.b = room - (p * GEMM_KC + k0) * 16;
        h.b_panel = GEMM_KC * 16;
        h.b_k = 16;
        for (int64_t i = 0; i < g->m; i += TILE_M) gemm_rows (&h, (int) (g->m - i < TILE_M ? g->m - i : TILE_M), np, 0, i, p, k0, kc, cols);
      } else
        for (int64_t i = 0; i < g->m; i += TILE_M) gemm_rows (&h, (int) (g->m - i < TILE_M ? g->m - i : TILE_M), np, bf16, i, p, k0, kc, cols);
    }
  }
}
/* the whole product; q gives room for packing */
void SOL_FN (gemm) (sol_queue_t *q, const gemm_t *g);
#endif
