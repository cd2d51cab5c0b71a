/* SPDX-License-Identifier: Apache-2.0 */
#include "ref.h"

void sol_ref_matmul (sol_queue_t *q, sol_tensor_t x, const sol_weight_t *w, sol_tensor_t bias, int accumulate, sol_tensor_t y)
{
  (void) q;
  for (int64_t t = 0; t < x.rows; t++)
    for (int64_t n = 0; n < w->src.rows; n++) {
      float s = accumulate ? *sol_at (y, t, n) : 0;
      for (int64_t k = 0; k < x.cols; k++) s = fmaf (*sol_at (x, t, k), sol_get (w->src, n, k), s);
      *sol_at (y, t, n) = bias.at ? s + sol_get (bias, 0, n) : s;
    }
}

void sol_ref_matmul_dx (sol_queue_t *q, sol_tensor_t dy, const sol_weight_t *w, int accumulate, sol_tensor_t dx)
{
  (void) q;
  for (int64_t t = 0; t < dy.rows; t++)
    for (int64_t k = 0; k < w->src.cols; k++) {
      float s = accumulate ? *sol_at (dx, t, k) : 0;
      for (int64_t n = 0; n < dy.cols; n++) s = fmaf (*sol_at (dy, t, n), sol_get (w->src, n, k), s);
      *sol_at (dx, t, k) = s;
    }
}

void sol_ref_matmul_dw (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t x, sol_tensor_t dw)
{
  (void) q;
  for (int64_t n = 0; n < dy.cols; n++)
    for (int64_t k = 0; k < x.cols; k++) {
      float s = *sol_at (dw, n, k);
      for (int64_t t = 0; t < dy.rows; t++) s = fmaf (*sol_at (dy, t, n), *sol_at (x, t, k), s);
      *sol_at (dw, n, k) = s;
    }
}

void sol_ref_bias_dw (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t db)
{
  (void) q;
  for (int64_t t = 0; t < dy.rows; t++)
    for (int64_t n = 0; n < dy.cols; n++) *sol_at (db, 0, n) += *sol_at (dy, t, n);
}
