/* SPDX-License-Identifier: Apache-2.0 */
/* attention.h: what the forward and the backward share. Rows are the queries of a span with the query heads of one kv head: row r is query r / per, head kv * per + r % per, so a row sees
 * no fewer keys than the row before it. Columns are padded to Dp, a multiple of 16. */
#ifndef SOL_CPU_ATTENTION_H
#define SOL_CPU_ATTENTION_H
#include "gemm.h"

#define MAX_D SOL_HOST_HEAD_MOST

/* ---- sums: c [rows, 16 nv] += chain over k of a (row, k) b (k, .). by_row: a is row-major (k along); by_column: its transpose */
typedef void (*sum_t) (const float *a, int64_t ld, const float *b, int64_t ldb, int64_t n, float *c, int64_t ldc);
#define SUM(MR, NV)                                                                                                    \
  static __attribute__ ((noinline)) void row_##MR##_##NV (const float *a, int64_t ld, const float *b, int64_t ldb, int64_t n, float *c, int64_t ldc)                \
  {                                                                                                                    \
    gemm_tile (MR, NV, 0, a, ld, 1, b, 16, ldb, n, c, ldc, 0);                                                         \
  }                                                                                                                    \
  static __attribute__ ((noinline)) void column_##MR##_##NV (const float *a, int64_t ld, const float *b, int64_t ldb, int64_t n, float *c, int64_t ldc)             \
  {                                                                                                                    \
    gemm_tile (MR, NV, 0, a, 1, ld, b, 16, ldb, n, c, ldc, 0);                                                         \
  }
#define SUM_ENTRY(MR, NV) { row_##MR##_##NV, column_##MR##_##NV },
#if SOL_ISA_LEVEL == 2
#define SUMS_1(X) X (1, 1) X (2, 1) X (3, 1) X (4, 1) X (5, 1) X (6, 1) X (7, 1) X (8, 1)
#define SUMS_2(X) X (1, 2) X (2, 2) X (3, 2) X (4, 2) X (5, 2) X (6, 2) X (7, 2) X (8, 2)
#define SUMS_4(X) X (1, 4) X (2, 4) X (3, 4) X (4, 4)
#elif SOL_ISA_LEVEL == 1
#define SUMS_1(X) X (1, 1) X (2, 1) X (3, 1) X (4, 1)
#define SUMS_2(X) X (1, 2) X (2, 2)
#define SUMS_4(X) X (1, 4)
#else
#define SUMS_1(X) X (1, 1)
#define SUMS_2(X) X (1, 2)
#define SUMS_4(X) X (1, 4)
#endif
SUMS_1 (SUM)
SUMS_2 (SUM)
SUMS_4 (SUM)
static const sum_t sum_1[][2] = { SUMS_1 (SUM_ENTRY) };
static const sum_t sum_2[][2] = { SUMS_2 (SUM_ENTRY) };
static const sum_t sum_4[][2] = { SUMS_4 (SUM_ENTRY) };

/* rows of a sum for Dp columns that go well together */
INLINE int64_t sum_rows (int64_t Dp) { return Dp >= 64 ? SUM_M (4) : Dp >= 32 ? SUM_M (2) : SUM_M (1); }

/* m <= sum_rows (Dp) rows, all Dp columns */
INLINE void sum (int by_column, int64_t m, int64_t Dp, const float *a, int64_t ld, const float *b, int64_t ldb, int64_t n, float *c, int64_t ldc)
{
  int64_t d = 0;
  if (n <= 0) return;
  for (; d + 64 <= Dp; d += 64) sum_4[m - 1][by_column](a, ld, b + d, ldb, n, c + d, ldc);
  if (Dp >= 64) /* what is left of wide heads: row by row */
    for (; d < Dp; d += 16)
      for (int64_t i = 0; i < m; i++) sum_1[0][by_column](by_column ? a + i : a + i * ld, ld, b + d, ldb, n, c + i * ldc + d, ldc);
  else {
    for (; d + 32 <= Dp; d += 32) sum_2[m - 1][by_column](a, ld, b + d, ldb, n, c + d, ldc);
    for (; d < Dp; d += 16) sum_1[m - 1][by_column](a, ld, b + d, ldb, n, c + d, ldc);
  }
}

/* ---- scores: 16-lane dots of SCORE_M rows with 16 keys whose block is transposed, kt [Dp][16]: the tree's additions are whole vectors */
INLINE void leaf (int nv, const float *x, int64_t Dp, const float *kt, int l, v16 *a)
{
  UNROLL for (int r = 0; r < SCORE_M; r++) a[r] = v_zero ();
  UNROLL for (int c = 0; c < nv; c++) {
    v16 k = v_load (kt + (16 * c + l) * 16);
    UNROLL for (int r = 0; r < SCORE_M; r++) a[r] = v_fma (v_set (x[r * Dp + 16 * c + l]), k, a[r]);
  }
}
#define NODE(name, child, w)                                                                                           \
  INLINE void name (int nv, const float *x, int64_t Dp, const float *kt, int l, v16 *a)                                \
  {                                                                                                                    \
    v16 b[SCORE_M];                                                                                                    \
    child (nv, x, Dp, kt, l, a);                                                                                       \
    child (nv, x, Dp, kt, l + w, b);                                                                                   \
    UNROLL for (int r = 0; r < SCORE_M; r++) a[r] = v_add (a[r], b[r]);                                                \
  }
NODE (node_8, leaf, 8)
NODE (node_4, node_8, 4)
NODE (node_2, node_4, 2)
NODE (node_1, node_2, 1)
/* s [SCORE_M][ld] */
#define SCORE(NV)                                                                                                      \
  static __attribute__ ((noinline)) void score_##NV (const float *x, const float *kt, float *s, int64_t ld)            \
  {                                                                                                                    \
    v16 a[SCORE_M];                                                                                                    \
    node_1 (NV, x, 16 * NV, kt, 0, a);                                                                                 \
    UNROLL for (int r = 0; r < SCORE_M; r++) v_store (s + r * ld, a[r]);                                               \
  }
#if SOL_ISA_LEVEL > 0
SCORE (1)
SCORE (2)
SCORE (4)
SCORE (8)
#endif
/* any width */
static void score_any (const float *x, int64_t Dp, const float *kt, float *s, int64_t ld)
{
  for (int r = 0; r < SCORE_M; r++) {
    v16 t[16];
    for (int l = 0; l < 16; l++) {
      t[l] = v_zero ();
      for (int64_t d = l; d < Dp; d += 16) t[l] = v_fma (v_set (x[r * Dp + d]), v_load (kt + d * 16), t[l]);
    }
    for (int w = 8; w > 0; w >>= 1)
      for (int l = 0; l < w; l++) t[l] = v_add (t[l], t[l + w]);
    v_store (s + r * ld, t[0]);
  }
}
INLINE void score (const float *x, int64_t Dp, const float *kt, float *s, int64_t ld)
{
#if SOL_ISA_LEVEL > 0
  if (Dp == 16) score_1 (x, kt, s, ld);
  else if (Dp == 32) score_2 (x, kt, s, ld);
  else if (Dp == 64) score_4 (x, kt, s, ld);
  else if (Dp == 128) score_8 (x, kt, s, ld);
  else
#endif
    score_any (x, Dp, kt, s, ld);
}

/* ---- rows of memory */
INLINE int64_t key_row (const sol_span_t *s, int64_t p) { return p < s->n_a ? s->a_row + p : s->b_row + p - s->n_a; }
INLINE int64_t paged (const int32_t *pages, int64_t row) { return pages ? (int64_t) pages[row / SOL_KV_PAGE] * SOL_KV_PAGE + row % SOL_KV_PAGE : row; }
/* rows from `row` on, at most n, that lie one after the other */
INLINE int64_t paged_run (const int32_t *pages, int64_t row, int64_t n)
{
  int64_t m = SOL_KV_PAGE - row % SOL_KV_PAGE, page = row / SOL_KV_PAGE;
  if (!pages) return n;
  for (; m < n && pages[page + 1] == pages[page] + 1; page++) m += SOL_KV_PAGE;
  return m < n ? m : n;
}

INLINE void copy_row (const float *from, int64_t D, int64_t Dp, float *to)
{
  for (int64_t d = 0; d < Dp; d += 16) v_store (to + d, v_load_upto (from + d, D - d));
}
/* 16 rows, of which n are there: block [Dp][16] of their columns, zeros for the others */
INLINE void transpose_rows (const float *const *row, int n, int64_t D, int64_t Dp, float *to)
{
  for (int64_t d = 0; d < Dp; d += 16) {
    v16 x[16];
    for (int i = 0; i < 16; i++) x[i] = i < n ? v_load_upto (row[i] + d, D - d) : v_zero ();
    v_transpose (x);
    for (int i = 0; i < 16; i++) v_store (to + (d + i) * 16, x[i]);
  }
}
INLINE int64_t min_i (int64_t a, int64_t b) { return a < b ? a : b; }
INLINE int64_t max_i (int64_t a, int64_t b) { return a > b ? a : b; }
#endif
