/* SPDX-License-Identifier: Apache-2.0 */
#include "gemm.h"

/* rows of a panel of row-major b may not be read behind its last column: packed panels are padded, rows are not */
void SOL_FN (gemm) (sol_queue_t *q, const gemm_t *g)
{
  int ragged = g->b_k != 16 && g->n % 16 != 0;
  float *room = ragged || g->m > TILE_M ? sol_queue_floats (q, GEMM_KC * 16 * TILE_P) : NULL;
  if (g->k == 0 && !g->accumulate)
    for (int64_t i = 0; i < g->m; i++) memset (g->c + i * g->ldc, 0, (size_t) g->n * sizeof (float));
  if (!room && g->b_k != 16 && g->bf16) room = sol_queue_floats (q, GEMM_KC * 16 * TILE_P);
  if (g->bf16) gemm_run (g, 1, room);
  else gemm_run (g, 0, room);
}

void SOL_FN (matmul) (sol_queue_t *q, sol_tensor_t x, const sol_weight_t *w, sol_tensor_t bias, int accumulate, sol_tensor_t y)
{
  gemm_t g = { .a = sol_at (x, 0, 0), .a_row = x.stride, .a_k = 1, .b = w->packed, .b_panel = 16 * w->src.cols, .b_k = 16, .bf16 = w->src.dtype == SOL_BF16,
               .c = sol_at (y, 0, 0), .ldc = y.stride, .m = x.rows, .n = w->src.rows, .k = x.cols, .accumulate = accumulate };
  SOL_FN (gemm) (q, &g);
  for (int64_t t = 0; bias.at && t < y.rows; t++)
    for (int64_t n = 0; n < g.n; n++) *sol_at (y, t, n) += sol_get (bias, 0, n);
}

void SOL_FN (matmul_dx) (sol_queue_t *q, sol_tensor_t dy, const sol_weight_t *w, int accumulate, sol_tensor_t dx)
{
  gemm_t g = { .a = sol_at (dy, 0, 0), .a_row = dy.stride, .a_k = 1, .b = w->src.at, .b_panel = 16, .b_k = w->src.stride, .bf16 = w->src.dtype == SOL_BF16,
               .c = sol_at (dx, 0, 0), .ldc = dx.stride, .m = dy.rows, .n = w->src.cols, .k = dy.cols, .accumulate = accumulate };
  SOL_FN (gemm) (q, &g);
}

void SOL_FN (matmul_dw) (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t x, sol_tensor_t dw)
{
  gemm_t g = { .a = sol_at (dy, 0, 0), .a_row = 1, .a_k = dy.stride, .b = x.at, .b_panel = 16, .b_k = x.stride, .c = sol_at (dw, 0, 0), .ldc = dw.stride,
               .m = dy.cols, .n = x.cols, .k = dy.rows, .accumulate = 1 };
  SOL_FN (gemm) (q, &g);
}
