/* SPDX-License-Identifier: Apache-2.0 */
#include "ref.h"

void sol_ref_rope (sol_queue_t *q, sol_tensor_t x, int32_t n_heads, sol_tensor_t pos, sol_tensor_t table, int sign)
{
  int64_t d = x.cols / n_heads, half = d / 2;
  if (!sol_ids_ok (q, "rope", pos, x.rows, table.rows)) return;
  for (int64_t t = 0; t < x.rows; t++)
    for (int32_t h = 0; h < n_heads; h++)
      for (int64_t i = 0; i < half; i++) {
        float *a = sol_at (x, t, h * d + i), *b = a + half, x0 = *a, x1 = *b;
        float c = *sol_at (table, sol_ints (pos)[t], i), s = *sol_at (table, sol_ints (pos)[t], half + i);
        if (sign < 0) s = -s;
        *a = fmaf (x0, c, -(x1 * s));
        *b = fmaf (x1, c, x0 * s);
      }
}
