/* SPDX-License-Identifier: Apache-2.0 */
/* round.cu: f32 to f32 or bf16 (nearest even), or bf16 to f32. */
#include "lots.cuh"

template <int N, class X, class Y> __global__ void __launch_bounds__ (WALK_THREADS) round_kernel (walk_t w, const X *__restrict__ x, int64_t ldx, Y *__restrict__ y, int64_t ldy)
{
  const place_t p = walk_place<N> (w);
  float f[N];
  if (p.n == 0) return;
  lot_get (f, x + p.row * ldx + p.col, p.n);
  lot_put (y + p.row * ldy + p.col, f, p.n);
}

template <class X, class Y> static void convert (sol_queue_t *q, sol_tensor_t x, sol_tensor_t y)
{
  unsigned blocks;
  const bool wide = lots_fit (x, 8) && lots_fit (y, 8);
  const walk_t w = walk_of (x.rows, x.cols, wide ? 8 : 1, &blocks);
  if (wide) SOL_RUN (q, (round_kernel<8, X, Y>), dim3 (blocks), dim3 (WALK_THREADS), 0, w, data<X> (x), x.stride, data<Y> (y), y.stride);
  else SOL_RUN (q, (round_kernel<1, X, Y>), dim3 (blocks), dim3 (WALK_THREADS), 0, w, data<X> (x), x.stride, data<Y> (y), y.stride);
}

extern "C" void sol_cuda_round (sol_queue_t *q, sol_tensor_t x, sol_tensor_t y)
{
  SOL_REQUIRE (x.rows == y.rows && x.cols == y.cols && (x.dtype == SOL_F32 || x.dtype == SOL_BF16) && (y.dtype == SOL_F32 || y.dtype == SOL_BF16));
  if (x.rows == 0 || x.cols == 0) return;
  if (lots_flat (x) && lots_flat (y)) x = lots_flatten (x), y = lots_flatten (y);
  if (x.dtype == SOL_F32 && y.dtype == SOL_BF16) convert<float, bf16> (q, x, y);
  else if (x.dtype == SOL_F32) convert<float, float> (q, x, y);
  else if (y.dtype == SOL_F32) convert<bf16, float> (q, x, y);
  else convert<bf16, bf16> (q, x, y);
}
