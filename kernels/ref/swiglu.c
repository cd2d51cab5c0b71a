/* SPDX-License-Identifier: Apache-2.0 */
#include "ref.h"

void sol_ref_swiglu (sol_queue_t *q, sol_tensor_t gate, sol_tensor_t up, sol_tensor_t y)
{
  (void) q;
  for (int64_t t = 0; t < y.rows; t++)
    for (int64_t c = 0; c < y.cols; c++) {
      float g = *sol_at (gate, t, c);
      *sol_at (y, t, c) = g * sol_sigmoid (g) * *sol_at (up, t, c);
    }
}

/* d silu (g) = s + g s (1 - s) */
void sol_ref_swiglu_backward (sol_queue_t *q, sol_tensor_t gate, sol_tensor_t up, sol_tensor_t dy, sol_tensor_t dgate, sol_tensor_t dup)
{
  (void) q;
  for (int64_t t = 0; t < dy.rows; t++)
    for (int64_t c = 0; c < dy.cols; c++) {
      float g = *sol_at (gate, t, c), u = *sol_at (up, t, c), d = *sol_at (dy, t, c), s = sol_sigmoid (g), silu = g * s;
      *sol_at (dgate, t, c) = d * u * fmaf (silu, 1.0f - s, s);
      *sol_at (dup, t, c) = d * silu;
    }
}
