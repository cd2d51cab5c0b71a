/* SPDX-License-Identifier: Apache-2.0 */
/* matmul.c: products by blocks: KC of the summed axis, MC rows of a copied side by side, panels of b widened and copied when many rows use them. */
#include "gemm.h"

#define KC 256
#define MC 192
#define A_LD (KC + 16) /* of copied rows: no power of two, so that rows do not share cache sets */
#define B_AT (MC * A_LD)
#define C_AT (B_AT + KC * 16 * TILE_P)
_Static_assert (KC * MC <= B_AT && C_AT + 16 * TILE_M <= SOL_ROOM_FLOATS, "a thread's room holds the blocks");

/* a is copied as rows (A_LD apart, k along) or as columns (MC apart, i along) */
typedef enum { ROWS, ROWS_BF16, COLUMNS } kind_t;
typedef void (*kernel_t) (const float *a, const void *b, int64_t b_panel, int64_t b_k, int64_t kc, float *c, int64_t ldc, int fresh);

#define KERNEL(name, MR, NP, bf16, a_row, a_k)                                                                         \
  static __attribute__ ((noinline)) void name (const float *a, const void *b, int64_t b_panel, int64_t b_k, int64_t kc, float *c, int64_t ldc, int fresh) \
  {                                                                                                                    \
    gemm_tile (MR, NP, bf16, a, a_row, a_k, b, b_panel, b_k, kc, c, ldc, fresh);                                       \
  }
#define KERNELS(MR, NP)                                                                                                \
  KERNEL (rows_##MR##_##NP, MR, NP, 0, A_LD, 1)                                                                        \
  KERNEL (rows_bf16_##MR##_##NP, MR, NP, 1, A_LD, 1)                                                                   \
  KERNEL (columns_##MR##_##NP, MR, NP, 0, 1, MC)
#define ENTRY(MR, NP) { rows_##MR##_##NP, rows_bf16_##MR##_##NP, columns_##MR##_##NP }
#if TILE_M == 12
#define EACH(X, NP) X (1, NP) X (2, NP) X (3, NP) X (4, NP) X (5, NP) X (6, NP) X (7, NP) X (8, NP) X (9, NP) X (10, NP) X (11, NP) X (12, NP)
#elif TILE_M == 6
#define EACH(X, NP) X (1, NP) X (2, NP) X (3, NP) X (4, NP) X (5, NP) X (6, NP)
#else
#define EACH(X, NP) X (1, NP) X (2, NP)
#endif
#define LIST(MR, NP) ENTRY (MR, NP),
EACH (KERNELS, 1)
static const kernel_t narrow[TILE_M][3] = { EACH (LIST, 1) };
#if TILE_P == 2
EACH (KERNELS, 2)
static const kernel_t wide[TILE_M][3] = { EACH (LIST, 2) };
#else
#define wide narrow
#endif
/* few rows: more panels at a time, for the latency of a chain */
#if FEW_M == 4
KERNELS (1, 8)
KERNELS (2, 4)
KERNELS (3, 4)
KERNELS (4, 4)
static const kernel_t few[FEW_M][3] = { ENTRY (1, 8), ENTRY (2, 4), ENTRY (3, 4), ENTRY (4, 4) };
#elif FEW_M == 2
KERNELS (1, 4)
KERNELS (2, 2)
static const kernel_t few[FEW_M][3] = { ENTRY (1, 4), ENTRY (2, 2) };
#else
#define few narrow
#endif

/* rows i .. i + m, k0 .. k0 + kc of a */
static void copy_a (const gemm_t *g, int64_t i, int64_t m, int64_t k0, int64_t kc, float *to)
{
  if (g->a_k == 1)
    for (int64_t r = 0; r < m; r++) memcpy (to + r * A_LD, g->a + (i + r) * g->a_row + k0, (size_t) kc * sizeof (float));
  else
    for (int64_t k = 0; k < kc; k++) memcpy (to + k * MC, g->a + i + (k0 + k) * g->a_k, (size_t) m * sizeof (float));
}

/* np panels from p on, k0 .. k0 + kc of b, in the kernel's order; cols < 16: of a last panel that ends early */
static void copy_b (const gemm_t *g, int64_t p, int np, int cols, int64_t k0, int64_t kc, float *to)
{
  for (int j = 0; j < np; j++)
    for (int64_t k = 0; k < kc; k++) {
      int64_t at = (p + j) * g->b_panel + (k0 + k) * g->b_k;
      v16 x = cols == 16 ? b_load (g->b, at, g->bf16) : g->bf16 ? v_load_bf16_upto ((const uint16_t *) g->b + at, cols) : v_load_n ((const float *) g->b + at, cols);
      v_store (to + (j * KC + k) * 16, x);
    }
}

typedef struct {
  const gemm_t *g;
  const float *a; /* the copied block: rows i .. i + m of g, k0 .. k0 + kc */
  float *room;
  int64_t i, m, k0, kc;
  int few; /* few rows in all: panels are read where they lie */
} block_t;

/* np panels (cols valid columns when fewer than 16) of one block */
static void panels (const block_t *t, int64_t p, int np, int cols)
{
  const gemm_t *g = t->g;
  int64_t b_panel = g->b_panel, b_k = g->b_k, n_tiles = (t->m + TILE_M - 1) / TILE_M;
  int fresh = t->k0 == 0 && !g->accumulate, bf16 = g->bf16, rows = g->a_k == 1;
  const char *b = (const char *) g->b + (p * b_panel + t->k0 * b_k) * (bf16 ? 2 : 4);
  int copied = (t->m > 2 * TILE_M || !rows) && (bf16 || b_k != 16);
  float *c0 = g->c + t->i * g->ldc + p * 16, *tile = t->room + C_AT;
  if ((copied && !t->few) || (cols < 16 && b_k != 16)) {
    copy_b (g, p, np, cols, t->k0, t->kc, t->room + B_AT);
    b = (const char *) (t->room + B_AT);
    b_panel = KC * 16;
    b_k = 16;
    bf16 = 0;
  }
  for (int64_t s = 0; s < n_tiles; s++) {
    int64_t i = t->m * s / n_tiles, mr = t->m * (s + 1) / n_tiles - i;
    kind_t kind = !rows ? COLUMNS : bf16 ? ROWS_BF16 : ROWS;
    kernel_t f = np == 1 ? narrow[mr - 1][kind] : t->few ? few[mr - 1][kind] : wide[mr - 1][kind];
    const float *a = t->a + (rows ? i * A_LD : i);
    float *c = c0 + i * g->ldc;
    if (cols == 16) f (a, b, b_panel, b_k, t->kc, c, g->ldc, fresh);
    else {
      for (int64_t r = 0; r < mr && !fresh; r++) v_store (tile + 16 * r, v_load_n (c + r * g->ldc, cols));
      f (a, b, b_panel, b_k, t->kc, tile, 16, fresh);
      for (int64_t r = 0; r < mr; r++) v_store_n (c + r * g->ldc, v_load (tile + 16 * r), cols);
    }
  }
}

static void add_bias (const gemm_t *g, int64_t i0, int64_t i1, int64_t n0, int64_t n1)
{
  for (int64_t n = n0; n < n1; n += 16) {
    v16 b = v_get (g->bias, 0, n, n1 - n);
    for (int64_t i = i0; i < i1; i++) v_store_upto (g->c + i * g->ldc + n, v_add (v_load_upto (g->c + i * g->ldc + n, n1 - n), b), n1 - n);
  }
}

/* rows i0 .. i1, panels p0 .. p1 */
static void range (const gemm_t *g, int64_t i0, int64_t i1, int64_t p0, int64_t p1, float *room)
{
  int64_t full = g->n / 16 < p1 ? g->n / 16 : p1;
  int few_rows = g->m <= FEW_M && g->a_k == 1, np = few_rows ? FEW_P (g->m) : TILE_P;
  for (int64_t i = i0; i < i1; i += MC) {
    block_t t = { .g = g, .a = room, .room = room, .i = i, .m = i1 - i < MC ? i1 - i : MC, .few = few_rows };
    for (; t.k0 < g->k; t.k0 += KC) {
      int64_t p = p0;
      t.kc = g->k - t.k0 < KC ? g->k - t.k0 : KC;
      copy_a (g, i, t.m, t.k0, t.kc, room);
      for (; p + np <= full; p += np) panels (&t, p, np, 16);
      for (; p < full; p++) panels (&t, p, 1, 16);
      if (p < p1) panels (&t, p, 1, (int) (g->n - p * 16));
    }
    if (g->bias.at) add_bias (g, i, i + t.m, p0 * 16, p1 * 16 < g->n ? p1 * 16 : g->n);
  }
}

#define UNIT 8 /* panels of an item: a multiple of any kernel's */
static void by_panels (const void *arg, int64_t i0, int64_t i1, float *room)
{
  const gemm_t *g = arg;
  int64_t all = (g->n + 15) / 16;
  range (g, 0, g->m, i0 * UNIT, i1 * UNIT < all ? i1 * UNIT : all, room);
}
static void by_rows (const void *arg, int64_t i0, int64_t i1, float *room)
{
  const gemm_t *g = arg;
  range (g, i0 * TILE_M, i1 * TILE_M < g->m ? i1 * TILE_M : g->m, 0, (g->n + 15) / 16, room);
}

void SOL_FN (gemm) (sol_queue_t *q, const gemm_t *g)
{
  int64_t items = (g->n + 16 * UNIT - 1) / (16 * UNIT), tiles = (g->m + TILE_M - 1) / TILE_M, threads = sol_queue_threads (q);
  SOL_ASSERT (g->a_k == 1 || g->a_row == 1);
  if (g->k == 0) {
    for (int64_t i = 0; i < g->m && !g->accumulate; i++) memset (g->c + i * g->ldc, 0, (size_t) g->n * sizeof (float));
    if (g->bias.at) add_bias (g, 0, g->m, 0, g->n);
  } else if (items >= 2 * threads || items >= tiles) sol_queue_run (q, items, 1 + SOL_GRAIN_FLOP / (g->m * g->k * UNIT * 16 + 1), by_panels, g);
  else sol_queue_run (q, tiles, 1 + SOL_GRAIN_FLOP / (g->n * g->k * TILE_M + 1), by_rows, g);
}

void SOL_FN (matmul) (sol_queue_t *q, sol_tensor_t x, const sol_weight_t *w, sol_tensor_t bias, int accumulate, sol_tensor_t y)
{
  gemm_t g = { .a = sol_at (x, 0, 0), .a_row = x.stride, .a_k = 1, .b = w->packed, .b_panel = 16 * w->src.cols, .b_k = 16, .bf16 = w->src.dtype == SOL_BF16,
               .c = sol_at (y, 0, 0), .ldc = y.stride, .m = x.rows, .n = w->src.rows, .k = x.cols, .accumulate = accumulate, .bias = bias };
  SOL_ASSERT (x.cols == w->src.cols && y.cols == w->src.rows && y.rows == x.rows);
  SOL_FN (gemm) (q, &g);
}

void SOL_FN (matmul_dx) (sol_queue_t *q, sol_tensor_t dy, const sol_weight_t *w, int accumulate, sol_tensor_t dx)
{
  gemm_t g = { .a = sol_at (dy, 0, 0), .a_row = dy.stride, .a_k = 1, .b = w->src.at, .b_panel = 16, .b_k = w->src.stride, .bf16 = w->src.dtype == SOL_BF16,
               .c = sol_at (dx, 0, 0), .ldc = dx.stride, .m = dy.rows, .n = w->src.cols, .k = dy.cols, .accumulate = accumulate };
  SOL_ASSERT (dy.cols == w->src.rows && dx.cols == w->src.cols && dx.rows == dy.rows);
  SOL_FN (gemm) (q, &g);
}

void SOL_FN (matmul_dw) (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t x, sol_tensor_t dw)
{
  gemm_t g = { .a = sol_at (dy, 0, 0), .a_row = 1, .a_k = dy.stride, .b = x.at, .b_panel = 16, .b_k = x.stride, .c = sol_at (dw, 0, 0), .ldc = dw.stride,
               .m = dy.cols, .n = x.cols, .k = dy.rows, .accumulate = 1 };
  SOL_ASSERT (dw.rows == dy.cols && dw.cols == x.cols && x.rows == dy.rows);
  SOL_FN (gemm) (q, &g);
}

/* sums of columns: additions in token order */
typedef struct { sol_tensor_t x, y; } columns_t;
static void bias_columns (const void *arg, int64_t i0, int64_t i1, float *room)
{
  const columns_t *a = arg;
  (void) room;
  for (int64_t t = 0; t < a->x.rows; t++)
    for (int64_t c = 16 * i0; c < 16 * i1 && c < a->x.cols; c += 16) {
      float *o = sol_at (a->y, 0, c);
      v_store_upto (o, v_add (v_load_upto (o, a->x.cols - c), v_load_upto (sol_at (a->x, t, c), a->x.cols - c)), a->x.cols - c);
    }
}
void SOL_FN (bias_dw) (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t db)
{
  columns_t a = { dy, db };
  sol_queue_run (q, (dy.cols + 15) / 16, 1 + SOL_GRAIN_BYTES / (64 * dy.rows + 1), bias_columns, &a);
}

/* panels of 16 rows of w, k-major: [n / 16][k][16], zero-padded, in the published type */
typedef struct { sol_tensor_t src; void *to; } pack_t;
static void pack_panels (const void *arg, int64_t i0, int64_t i1, float *room)
{
  const pack_t *a = arg;
  int64_t K = a->src.cols;
  (void) room;
  for (int64_t p = i0; p < i1; p++) {
    int64_t rows = a->src.rows - p * 16 < 16 ? a->src.rows - p * 16 : 16;
    for (int64_t k = 0; k < K; k += 16) {
      v16 x[16];
      int64_t left = K - k < 16 ? K - k : 16;
      for (int r = 0; r < 16; r++) x[r] = r < rows ? v_get (a->src, p * 16 + r, k, left) : v_zero ();
      v_transpose (x);
      for (int64_t r = 0; r < left; r++) {
        if (a->src.dtype == SOL_BF16) v_store_bf16 ((uint16_t *) a->to + (p * K + k + r) * 16, x[r]); /* widened from bf16: nothing is rounded */
        else v_store ((float *) a->to + (p * K + k + r) * 16, x[r]);
      }
    }
  }
}
void SOL_FN (weight_prepare) (sol_queue_t *q, sol_tensor_t src, void *mem, sol_weight_t *w)
{
  pack_t a = { src, mem };
  *w = (sol_weight_t){ src, mem, (src.rows + 15) / 16 };
  sol_queue_run (q, w->panels, 1 + SOL_GRAIN_BYTES / (64 * src.cols + 1), pack_panels, &a);
}
