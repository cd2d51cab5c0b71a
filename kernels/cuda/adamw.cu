/* SPDX-License-Identifier: Apache-2.0 */
/* adamw.cu: one AdamW update of a flat shard: 16 bytes read and 12 written a weight, four weights a thread. The same bits as on the host: its operations in its order, none fused that are not
 * fused there. */
#include "lots.cuh"

/* the factors, rounded once; the host's formula (kernels/ref/flat.c). A learning rate of 1e-6 and a decay of 0.01 leave keep at 1. */
struct adamw_t {
  float b1, b2, k1, k2, keep, scale, step, root, eps;
};
static double power (double x, int64_t n)
{
  double y = 1;
  for (; n > 0; n >>= 1, x = x * x)
    if (n & 1) y = y * x;
  return y;
}
static adamw_t factors (sol_adamw_t h)
{
  const adamw_t k = { (float) h.beta1, (float) h.beta2, (float) (1 - h.beta1), (float) (1 - h.beta2), (float) (1 - h.lr * h.decay), (float) h.scale,
                      (float) (h.lr / (1 - power (h.beta1, h.step))), (float) (1 / sqrt (1 - power (h.beta2, h.step))), (float) h.eps };
  return k;
}

template <int N> __device__ __forceinline__ void adamw_lot (const adamw_t &k, const float *g, float *w, float *m, float *v)
{
  float gi[N], wi[N], mi[N], vi[N];
  lot_get (gi, g);
  lot_get (wi, w);
  lot_get (mi, m);
  lot_get (vi, v);
#pragma unroll
  for (int i = 0; i < N; i++) {
    const float x = __fmul_rn (gi[i], k.scale);
    mi[i] = fmaf (k.b1, mi[i], __fmul_rn (k.k1, x));
    vi[i] = fmaf (k.b2, vi[i], __fmul_rn (__fmul_rn (k.k2, x), x));
    wi[i] = __fsub_rn (__fmul_rn (wi[i], k.keep), __fdiv_rn (__fmul_rn (k.step, mi[i]), fmaf (__fsqrt_rn (vi[i]), k.root, k.eps)));
  }
  lot_put (w, wi);
  lot_put (m, mi);
  lot_put (v, vi);
}
template <int N>
__global__ void __launch_bounds__ (WALK_THREADS) adamw_kernel (adamw_t k, const float *__restrict__ g, float *__restrict__ w, float *__restrict__ m, float *__restrict__ v, int64_t n, int head)
{
  const int64_t i = (int64_t) blockIdx.x * WALK_THREADS + threadIdx.x, lots = (n - head) / N, at = head + i * N;
  if (i < lots) adamw_lot<N> (k, g + at, w + at, m + at, v + at);
  /* fewer than N before the first whole lot and after the last, by the first threads */
  if (N > 1 && i < 2 * N) {
    const int64_t e = i < N ? i : head + lots * N + i - N;
    if (i < N ? i < head : e < n) adamw_lot<1> (k, g + e, w + e, m + e, v + e);
  }
}

extern "C" void sol_cuda_adamw (sol_queue_t *q, sol_adamw_t h, sol_tensor_t g, sol_tensor_t w, sol_tensor_t m, sol_tensor_t v)
{
  const int64_t n = g.cols;
  SOL_REQUIRE (g.dtype == SOL_F32 && w.dtype == SOL_F32 && m.dtype == SOL_F32 && v.dtype == SOL_F32 && w.cols == n && m.cols == n && v.cols == n && g.rows == 1);
  if (n == 0) return;
  const uintptr_t phase = (uintptr_t) g.at % 16;
  const bool wide = (uintptr_t) w.at % 16 == phase && (uintptr_t) m.at % 16 == phase && (uintptr_t) v.at % 16 == phase;
  const int head = wide ? (int) min (n, (int64_t) ((16 - phase) % 16 / sizeof (float))) : 0;
  const int64_t blocks = max ((int64_t) 1, ((n - head) / (wide ? 4 : 1) + WALK_THREADS - 1) / WALK_THREADS);
  SOL_REQUIRE (blocks < (int64_t) 1 << 31);
  if (wide) SOL_RUN (q, adamw_kernel<4>, dim3 ((unsigned) blocks), dim3 (WALK_THREADS), 0, factors (h), data<float> (g), data<float> (w), data<float> (m), data<float> (v), n, head);
  else SOL_RUN (q, adamw_kernel<1>, dim3 ((unsigned) blocks), dim3 (WALK_THREADS), 0, factors (h), data<float> (g), data<float> (w), data<float> (m), data<float> (v), n, head);
}
