/* SPDX-License-Identifier: Apache-2.0 */
/* swiglu.cu: y = gate sigmoid (gate) up, and its gradients. */
#include "lots.cuh"

struct swiglu_t {
  const bf16 *gate, *up, *dy;
  bf16 *y, *dgate, *dup;
  int64_t ld_gate, ld_up, ld_dy, ldy, ld_dgate, ld_dup;
};

/* exp gives inf far below 0, and a division by that 0 */
__device__ __forceinline__ float sigmoid (float x) { return __fdividef (1.0f, 1.0f + __expf (-x)); }

template <int N> __global__ void __launch_bounds__ (WALK_THREADS) swiglu_kernel (walk_t w, swiglu_t s)
{
  const place_t p = walk_place<N> (w);
  float g[N], u[N];
  if (p.n == 0) return;
  lot_get (g, s.gate + p.row * s.ld_gate + p.col, p.n);
  lot_get (u, s.up + p.row * s.ld_up + p.col, p.n);
#pragma unroll
  for (int i = 0; i < N; i++) u[i] *= g[i] * sigmoid (g[i]);
  lot_put (s.y + p.row * s.ldy + p.col, u, p.n);
}

/* d silu (g) = s + g s (1 - s) */
template <int N> __global__ void __launch_bounds__ (WALK_THREADS) swiglu_backward_kernel (walk_t w, swiglu_t s)
{
  const place_t p = walk_place<N> (w);
  float g[N], u[N], d[N];
  if (p.n == 0) return;
  lot_get (g, s.gate + p.row * s.ld_gate + p.col, p.n);
  lot_get (u, s.up + p.row * s.ld_up + p.col, p.n);
  lot_get (d, s.dy + p.row * s.ld_dy + p.col, p.n);
#pragma unroll
  for (int i = 0; i < N; i++) {
    const float one = sigmoid (g[i]), silu = g[i] * one;
    g[i] = d[i] * u[i] * fmaf (silu, 1.0f - one, one);
    u[i] = d[i] * silu;
  }
  lot_put (s.dgate + p.row * s.ld_dgate + p.col, g, p.n);
  lot_put (s.dup + p.row * s.ld_dup + p.col, u, p.n);
}

static bool like (sol_tensor_t a, sol_tensor_t b) { return a.dtype == SOL_BF16 && b.dtype == SOL_BF16 && a.rows == b.rows && a.cols == b.cols; }
static bool all_fit (const sol_tensor_t *t, int n)
{
  bool fit = true;
  for (int i = 0; i < n; i++) fit = fit && lots_fit (t[i], 8);
  return fit;
}
/* where none has gaps between rows, all become one long row */
static void all_flat (sol_tensor_t *t, int n)
{
  for (int i = 0; i < n; i++)
    if (!lots_flat (t[i])) return;
  for (int i = 0; i < n; i++) t[i] = lots_flatten (t[i]);
}

extern "C" void sol_cuda_swiglu (sol_queue_t *q, sol_tensor_t gate, sol_tensor_t up, sol_tensor_t y)
{
  sol_tensor_t t[3] = { gate, up, y };
  SOL_REQUIRE (like (gate, y) && like (up, y));
  if (y.rows == 0 || y.cols == 0) return;
  all_flat (t, 3);
  const swiglu_t s = { data<bf16> (gate), data<bf16> (up), NULL, data<bf16> (y), NULL, NULL, t[0].stride, t[1].stride, 0, t[2].stride, 0, 0 };
  const bool wide = all_fit (t, 3);
  unsigned blocks;
  const walk_t w = walk_of (t[0].rows, t[0].cols, wide ? 8 : 1, &blocks);
  if (wide) SOL_RUN (q, swiglu_kernel<8>, dim3 (blocks), dim3 (WALK_THREADS), 0, w, s);
  else SOL_RUN (q, swiglu_kernel<1>, dim3 (blocks), dim3 (WALK_THREADS), 0, w, s);
}

extern "C" void sol_cuda_swiglu_backward (sol_queue_t *q, sol_tensor_t gate, sol_tensor_t up, sol_tensor_t dy, sol_tensor_t dgate, sol_tensor_t dup)
{
  sol_tensor_t t[5] = { gate, up, dy, dgate, dup };
  SOL_REQUIRE (like (gate, dy) && like (up, dy) && like (dgate, dy) && like (dup, dy));
  if (dy.rows == 0 || dy.cols == 0) return;
  all_flat (t, 5);
  const swiglu_t s = { data<bf16> (gate), data<bf16> (up), data<bf16> (dy), NULL, data<bf16> (dgate), data<bf16> (dup), t[0].stride, t[1].stride, t[2].stride, 0, t[3].stride, t[4].stride };
  const bool wide = all_fit (t, 5);
  unsigned blocks;
  const walk_t w = walk_of (t[0].rows, t[0].cols, wide ? 8 : 1, &blocks);
  if (wide) SOL_RUN (q, swiglu_backward_kernel<8>, dim3 (blocks), dim3 (WALK_THREADS), 0, w, s);
  else SOL_RUN (q, swiglu_backward_kernel<1>, dim3 (blocks), dim3 (WALK_THREADS), 0, w, s);
}
