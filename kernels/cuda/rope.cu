/* SPDX-License-Identifier: Apache-2.0 */
/* rope.cu: rotary positions in place. A thread turns N pairs: elements i and i + D/2 of a head. */
#include "lots.cuh"

/* a position outside of the table turns its row into NaN */
template <int N>
__global__ void __launch_bounds__ (WALK_THREADS) rope_kernel (walk_t w, bf16 *x, int64_t ldx, int half, const int32_t *__restrict__ pos, const float *__restrict__ table, int64_t n_pos, int64_t ld_table, float sign)
{
  const place_t p = walk_place<N> (w);
  float a[N], b[N], cos[N], sin[N];
  if (p.n == 0) return;
  const int head = (int) p.col / half, i = (int) p.col % half;
  const int64_t at = pos[p.row];
  bf16 *x0 = x + p.row * ldx + (int64_t) head * 2 * half + i, *x1 = x0 + half;
  lot_get (a, x0);
  lot_get (b, x1);
  if (at >= 0 && at < n_pos) {
    lot_get (cos, table + at * ld_table + i);
    lot_get (sin, table + at * ld_table + half + i);
  } else
#pragma unroll
    for (int k = 0; k < N; k++) cos[k] = sin[k] = NAN;
#pragma unroll
  for (int k = 0; k < N; k++) {
    const float s = sin[k] * sign, was = a[k];
    a[k] = fmaf (was, cos[k], -(b[k] * s));
    b[k] = fmaf (b[k], cos[k], was * s);
  }
  lot_put (x0, a);
  lot_put (x1, b);
}

extern "C" void sol_cuda_rope (sol_queue_t *q, sol_tensor_t x, int32_t n_heads, sol_tensor_t pos, sol_tensor_t table, int sign)
{
  SOL_REQUIRE (x.dtype == SOL_BF16 && pos.dtype == SOL_I32 && table.dtype == SOL_F32 && n_heads > 0 && x.cols % (2 * n_heads) == 0 && table.cols == x.cols / n_heads && pos.cols >= x.rows);
  SOL_REQUIRE (x.cols < 1 << 30);
  if (x.rows == 0 || x.cols == 0) return;
  const int half = (int) (x.cols / n_heads / 2);
  const float s = sign < 0 ? -1.0f : 1.0f;
  unsigned blocks;
  const bool wide = half % 8 == 0 && lots_fit (x, 8) && lots_fit (table, 8);
  const walk_t w = walk_of (x.rows, x.cols / 2, wide ? 8 : 1, &blocks);
  if (wide) SOL_RUN (q, rope_kernel<8>, dim3 (blocks), dim3 (WALK_THREADS), 0, w, data<bf16> (x), x.stride, half, data<int32_t> (pos), data<float> (table), table.rows, table.stride, s);
  else SOL_RUN (q, rope_kernel<1>, dim3 (blocks), dim3 (WALK_THREADS), 0, w, data<bf16> (x), x.stride, half, data<int32_t> (pos), data<float> (table), table.rows, table.stride, s);
}
