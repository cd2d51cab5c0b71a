/* SPDX-License-Identifier: Apache-2.0 */
/* head_backward.cu: the head's gradient by blocks of the vocabulary: logits once more, their gradient in bf16 where they stood, then its two products. dx is summed over blocks in float32. */
#include "cuda.cuh"

enum { THREADS = 256, EACH = SOL_HEAD_BLOCK / THREADS };

/* z [R, words] f32 becomes dz, bf16 in the first half of each row; one block of threads a row, SOL_HEAD_BLOCK entries at a time: what it writes of them lies where it has read */
__global__ void __launch_bounds__ (THREADS) to_gradient (float *z, int64_t words, int64_t v0, int64_t n, const int32_t *targets, float inv_temp, const float *partial, const float *c_lp, const float *c_entropy)
{
  const int64_t row = blockIdx.x;
  const float *from = z + row * words, *p = partial + row * 4;
  bf16 *to = (bf16 *) (z + row * words);
  const float M = p[0], S = p[1], log_sum = logf (S), entropy = log_sum - p[3] / S, cl = c_lp[row], ce = c_entropy ? c_entropy[row] : 0;
  const int64_t target = targets[row] - v0;
  const bool idle = cl == 0 && ce == 0;
  for (int64_t at = 0; at < n; at += SOL_HEAD_BLOCK) {
    float g[EACH];
#pragma unroll
    for (int i = 0; i < EACH; i++) {
      const int64_t v = at + i * THREADS + threadIdx.x;
      g[i] = 0;
      if (v < n && !idle) {
        const float d = from[v] - M, prob = expf (d) / S;
        g[i] = -prob * (ce * (d - log_sum + entropy) + cl);
        if (v == target) g[i] += cl;
        g[i] *= inv_temp;
      }
    }
    __syncthreads (); /* all up to here is read: twice as many bytes as are written up to here */
#pragma unroll
    for (int i = 0; i < EACH; i++) to[at + i * THREADS + threadIdx.x] = __float2bfloat16_rn (g[i]);
  }
}

__global__ void round_rows (const float *from, int64_t rows, int64_t cols, bf16 *to, int64_t ld)
{
  const int64_t i = (int64_t) blockIdx.x * blockDim.x + threadIdx.x;
  if (i < rows * cols) to[i / cols * ld + i % cols] = __float2bfloat16_rn (from[i]);
}

void sol_cuda_head_backward (sol_queue_t *q, sol_tensor_t x, const sol_weight_t *w, sol_tensor_t targets, float inv_temp, sol_tensor_t partial, sol_tensor_t c_lp, sol_tensor_t c_ent,
                             sol_tensor_t scratch, sol_tensor_t dx, sol_tensor_t dw)
{
  const int64_t R = x.rows, C = x.cols, V = w->src.rows;
  const bf16 *matrix = (const bf16 *) sol_weight_bf16 (w);
  const int64_t words = scratch.stride - C, ld_dz = 2 * words; /* of a block; bf16 elements in a row of f32 logits */
  float *z = (float *) (void *) scratch.at, *sum = z + R * words;
  SOL_REQUIRE (words >= SOL_HEAD_BLOCK && words % SOL_HEAD_BLOCK == 0);
  SOL_REQUIRE (x.dtype == SOL_BF16 && dx.dtype == SOL_BF16 && C == w->src.cols && dx.cols == C && dx.rows == R && partial.stride == 4 && (!dw.at || dw.dtype == SOL_F32));
  if (R == 0) return;
  for (int64_t v0 = 0; v0 < V; v0 += words) {
    const int64_t n = V - v0 < words ? V - v0 : words;
    const sol_product_t logits = { x.at, matrix + v0 * C, z, R, n, C, x.stride, C, words, 0, 1, 0, SOL_F32, NULL, inv_temp };
    const sol_product_t to_dx = { z, matrix + v0 * C, sum, R, C, n, ld_dz, C, C, 0, 0, v0 > 0, SOL_F32, NULL, 1 };
    sol_cuda_product (q, &logits);
    SOL_RUN (q, to_gradient, (unsigned) R, THREADS, 0, z, words, v0, n, (const int32_t *) (const void *) targets.at, inv_temp, (const float *) (const void *) partial.at,
             (const float *) (const void *) c_lp.at, (const float *) (const void *) c_ent.at);
    sol_cuda_product (q, &to_dx);
    if (!dw.at) continue;
    const sol_product_t to_dw = { z, x.at, (float *) (void *) dw.at + v0 * dw.stride, n, C, R, ld_dz, x.stride, dw.stride, 1, 0, 1, SOL_F32, NULL, 1 };
    sol_cuda_product (q, &to_dw);
  }
  SOL_RUN (q, round_rows, (unsigned) ((R * C + 255) / 256), 256, 0, (const float *) sum, R, C, (bf16 *) (void *) dx.at, dx.stride);
}
