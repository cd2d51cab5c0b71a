/* SPDX-License-Identifier: Apache-2.0 */
#include "ref.h"

/* by multiplications, so that no mathematics library has a say in it */
static double power (double x, int64_t n)
{
  double y = 1;
  for (; n > 0; n >>= 1, x = x * x)
    if (n & 1) y = y * x;
  return y;
}

sol_adamw_const_t sol_adamw_const (sol_adamw_t h)
{
  return (sol_adamw_const_t){ .b1 = (float) h.beta1, .b2 = (float) h.beta2, .k1 = (float) (1 - h.beta1), .k2 = (float) (1 - h.beta2), .keep = (float) (1 - h.lr * h.decay),
                              .scale = (float) h.scale, .step = (float) (h.lr / (1 - power (h.beta1, h.step))), .root = (float) (1 / sqrt (1 - power (h.beta2, h.step))), .eps = (float) h.eps };
}

void sol_ref_adamw (sol_queue_t *q, sol_adamw_t h, sol_tensor_t g, sol_tensor_t w, sol_tensor_t m, sol_tensor_t v)
{
  sol_adamw_const_t k = sol_adamw_const (h);
  (void) q;
  for (int64_t i = 0; i < g.cols; i++) {
    float gi = *sol_at (g, 0, i) * k.scale, mi = fmaf (k.b1, *sol_at (m, 0, i), k.k1 * gi), vi = fmaf (k.b2, *sol_at (v, 0, i), k.k2 * gi * gi);
    *sol_at (m, 0, i) = mi;
    *sol_at (v, 0, i) = vi;
    *sol_at (w, 0, i) = *sol_at (w, 0, i) * k.keep - k.step * mi / fmaf (sqrtf (vi), k.root, k.eps);
  }
}

void sol_ref_sumsq (sol_queue_t *q, sol_tensor_t x, sol_tensor_t out)
{
  double *sum = (double *) (void *) out.at;
  (void) q;
  for (int64_t c = 0; c * SOL_SUMSQ_CHUNK < x.cols; c++) {
    double lane[16] = { 0 };
    int64_t end = (c + 1) * SOL_SUMSQ_CHUNK < x.cols ? (c + 1) * SOL_SUMSQ_CHUNK : x.cols;
    for (int64_t i = c * SOL_SUMSQ_CHUNK; i < end; i++) lane[i % 16] += (double) *sol_at (x, 0, i) * (double) *sol_at (x, 0, i);
    sum[c] = sol_lanes_sum_f64 (lane);
  }
}

void sol_ref_round (sol_queue_t *q, sol_tensor_t x, sol_tensor_t y)
{
  (void) q;
  for (int64_t t = 0; t < x.rows; t++)
    for (int64_t c = 0; c < x.cols; c++) {
      if (y.dtype == SOL_BF16) ((uint16_t *) (void *) y.at)[t * y.stride + c] = sol_to_bf16 (sol_get (x, t, c));
      else *sol_at (y, t, c) = sol_get (x, t, c);
    }
}
