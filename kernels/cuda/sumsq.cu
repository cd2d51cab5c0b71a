/* SPDX-License-Identifier: Apache-2.0 */
/* sumsq.cu: partial sums of squares in double, a block for each chunk. Which thread takes which elements depends on nothing, so neither does the sum. */
#include "lots.cuh"

static const int SUMSQ_THREADS = 512;

template <bool WIDE> __device__ __forceinline__ void four (float (&f)[4], const float *p, int64_t n)
{
  if (WIDE) lot_get (f, p, (int) min ((int64_t) 4, n));
  else
#pragma unroll
    for (int i = 0; i < 4; i++) f[i] = i < n ? p[i] : 0.0f;
}

template <bool WIDE> __global__ void __launch_bounds__ (SUMSQ_THREADS) sumsq_kernel (const float *__restrict__ x, int64_t n, double *__restrict__ out)
{
  SOL_SHARED (double[32], room);
  const int64_t from = (int64_t) blockIdx.x * SOL_SUMSQ_CHUNK, end = min (n, from + SOL_SUMSQ_CHUNK);
  double sum[4] = { 0, 0, 0, 0 };
#pragma unroll 4
  for (int64_t at = from + threadIdx.x * 4; at < end; at += SUMSQ_THREADS * 4) {
    float f[4];
    four<WIDE> (f, x + at, end - at);
#pragma unroll
    for (int i = 0; i < 4; i++) sum[i] = fma ((double) f[i], (double) f[i], sum[i]);
  }
  const double all = block_sum ((sum[0] + sum[1]) + (sum[2] + sum[3]), room);
  if (threadIdx.x == 0) out[blockIdx.x] = all;
}

extern "C" void sol_cuda_sumsq (sol_queue_t *q, sol_tensor_t x, sol_tensor_t out)
{
  const int64_t chunks = (x.cols + SOL_SUMSQ_CHUNK - 1) / SOL_SUMSQ_CHUNK;
  SOL_REQUIRE (x.dtype == SOL_F32 && out.dtype == SOL_F64 && x.rows == 1 && out.cols >= chunks && chunks < (int64_t) 1 << 31);
  if (chunks == 0) return;
  if (lots_fit (x, 4)) SOL_RUN (q, sumsq_kernel<true>, dim3 ((unsigned) chunks), dim3 (SUMSQ_THREADS), 0, data<float> (x), x.cols, data<double> (out));
  else SOL_RUN (q, sumsq_kernel<false>, dim3 ((unsigned) chunks), dim3 (SUMSQ_THREADS), 0, data<float> (x), x.cols, data<double> (out));
}
