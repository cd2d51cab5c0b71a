/* SPDX-License-Identifier: Apache-2.0 */
#include "ref.h"

void sol_ref_rmsnorm (sol_queue_t *q, sol_tensor_t x, sol_tensor_t w, float eps, sol_tensor_t y, sol_tensor_t inv)
{
  (void) q;
  for (int64_t t = 0; t < x.rows; t++) {
    float lane[16] = { 0 }, s;
    for (int64_t c = 0; c < x.cols; c++) lane[c % 16] = fmaf (*sol_at (x, t, c), *sol_at (x, t, c), lane[c % 16]);
    s = 1.0f / sqrtf (sol_lanes_sum (lane) / (float) x.cols + eps);
    if (inv.at) *sol_at (inv, 0, t) = s;
    for (int64_t c = 0; c < x.cols; c++) *sol_at (y, t, c) = *sol_at (x, t, c) * s * sol_get (w, 0, c);
  }
}

/* dx = inv (w dy - x inv^2 mean (w dy x)) */
void sol_ref_rmsnorm_dx (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t x, sol_tensor_t w, sol_tensor_t inv, int accumulate, sol_tensor_t dx)
{
  (void) q;
  for (int64_t t = 0; t < x.rows; t++) {
    float lane[16] = { 0 }, s = *sol_at (inv, 0, t), m;
    for (int64_t c = 0; c < x.cols; c++) lane[c % 16] = fmaf (*sol_at (dy, t, c) * sol_get (w, 0, c), *sol_at (x, t, c), lane[c % 16]);
    m = sol_lanes_sum (lane) / (float) x.cols * s * s;
    for (int64_t c = 0; c < x.cols; c++) {
      float g = fmaf (-m, *sol_at (x, t, c), *sol_at (dy, t, c) * sol_get (w, 0, c)) * s;
      *sol_at (dx, t, c) = accumulate ? *sol_at (dx, t, c) + g : g;
    }
  }
}

void sol_ref_rmsnorm_dw (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t x, sol_tensor_t inv, sol_tensor_t dw)
{
  (void) q;
  for (int64_t t = 0; t < x.rows; t++)
    for (int64_t c = 0; c < x.cols; c++) *sol_at (dw, 0, c) = fmaf (*sol_at (dy, t, c), *sol_at (x, t, c) * *sol_at (inv, 0, t), *sol_at (dw, 0, c));
}
