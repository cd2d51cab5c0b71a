/* SPDX-License-Identifier: Apache-2.0 */
/* head.cu: log-prob and entropy of the next token without ever holding the logits of a batch: by blocks of vocabulary entries, a product into scratch, then an online softmax
 * of every row. The decoder, which wants the logits, gets them from one product. */
#include "cuda.cuh"

enum { THREADS = 256, EACH = SOL_HEAD_BLOCK / THREADS };

/* max, sum of exponentials and sum of exponentials times distance of what a row has seen */
struct running {
  float M, S, E;
};
/* takes in EACH entries x t of every thread; -inf: none */
__device__ __forceinline__ void take_block (running &r, const float *x, float t, float *room)
{
  float most = -INFINITY, s = 0, e = 0;
#pragma unroll
  for (int i = 0; i < EACH; i++) most = fmaxf (most, __fmul_rn (x[i], t));
  most = block_max (most, room);
#pragma unroll
  for (int i = 0; i < EACH; i++) {
    const float d = __fmul_rn (x[i], t) - most, p = expf (d);
    s += p;
    if (x[i] > -INFINITY) e += p * d; /* 0 times minus infinity otherwise */
  }
  s = block_sum (s, room);
  e = block_sum (e, room);
  if (r.M == -INFINITY) r.M = most, r.S = s, r.E = e;
  else { /* sum exp (z - m)(z - m) = exp (M - m) (E + (M - m) S) */
    const float m = fmaxf (r.M, most), old = expf (r.M - m), now = expf (most - m);
    r.E = old * (r.E + (r.M - m) * r.S) + now * (e + (most - m) * s);
    r.S = old * r.S + now * s;
    r.M = m;
  }
}
__device__ __forceinline__ void leave (float *to, running r, float target, bool has, int first)
{
  to[0] = r.M, to[1] = r.S, to[3] = r.E;
  if (has) to[2] = target;
  else if (first) to[2] = 0;
}

/* partial [R, 4] (M, S, z of the target, E) takes in z = from[r][0 .. n) * t, vocabulary entries v0 ..; raw (or NULL) the same without t; first: what they hold is nothing yet. One block of threads
 * a row. */
__global__ void __launch_bounds__ (THREADS) take_in (const float *z, int64_t ld, int64_t v0, int64_t n, const int32_t *targets, float t, float *partial, float *raw, int first)
{
  SOL_SHARED (float[32], room);
  const int64_t row = blockIdx.x;
  const float *from = z + row * ld;
  float *to = partial + row * 4, *one = raw ? raw + row * 4 : nullptr;
  running a = { -INFINITY, 0, 0 }, b = a;
  if (!first) a.M = to[0], a.S = to[1], a.E = to[3];
  if (!first && raw) b.M = one[0], b.S = one[1], b.E = one[3];
  for (int64_t at = 0; at < n; at += SOL_HEAD_BLOCK) {
    float x[EACH];
#pragma unroll
    for (int i = 0; i < EACH; i++) {
      const int64_t v = at + i * THREADS + threadIdx.x;
      x[i] = v < n ? from[v] : -INFINITY;
    }
    take_block (a, x, t, room);
    if (raw) take_block (b, x, 1, room);
  }
  if (threadIdx.x != 0) return;
  const int64_t i = targets ? targets[row] - v0 : -1;
  const bool has = i >= 0 && i < n;
  leave (to, a, has ? __fmul_rn (from[i], t) : 0, has, first);
  if (raw) leave (one, b, has ? from[i] : 0, has, first);
}

int64_t sol_cuda_head_scratch (int64_t R, int64_t V, int64_t C) { return sol_cuda_layout_head (R, V, C); }

/* z [R, n] = x w[v0 .. v0 + n)^T */
static void logits_block (sol_queue_t *q, sol_tensor_t x, const sol_weight_t *w, int64_t v0, int64_t n, float *z, int64_t ld)
{
  const sol_product_t p = { x.at, (const bf16 *) sol_weight_bf16 (w) + v0 * x.cols, z, x.rows, n, x.cols, x.stride, x.cols, ld, 0, 1, 0, SOL_F32, NULL, 1 };
  sol_cuda_product (q, &p);
}

void sol_cuda_head_partial (sol_queue_t *q, sol_tensor_t x, const sol_weight_t *w, sol_tensor_t targets, float inv_temp, sol_tensor_t scratch, sol_tensor_t logits, sol_tensor_t partial,
                            sol_tensor_t raw)
{
  const int64_t R = x.rows, V = w->src.rows;
  const int32_t *t = (const int32_t *) (const void *) targets.at;
  float *out = (float *) (void *) partial.at, *one = (float *) (void *) raw.at;
  SOL_REQUIRE (x.dtype == SOL_BF16 && x.cols == w->src.cols && partial.rows == R && partial.stride == 4 && (!logits.at || logits.cols == V) && (!one || raw.stride == 4));
  if (R == 0) return;
  if (logits.at) {
    float *z = (float *) (void *) logits.at;
    logits_block (q, x, w, 0, V, z, logits.stride);
    SOL_RUN (q, take_in, (unsigned) R, THREADS, 0, (const float *) z, logits.stride, (int64_t) 0, V, t, inv_temp, out, one, 1);
    return;
  }
  float *z = (float *) (void *) scratch.at;
  const int64_t words = scratch.stride - x.cols; /* of a block */
  SOL_REQUIRE (words >= SOL_HEAD_BLOCK && words % SOL_HEAD_BLOCK == 0);
  for (int64_t v0 = 0; v0 < V; v0 += words) {
    const int64_t n = V - v0 < words ? V - v0 : words;
    logits_block (q, x, w, v0, n, z, words);
    SOL_RUN (q, take_in, (unsigned) R, THREADS, 0, (const float *) z, words, v0, n, t, inv_temp, out, one, v0 == 0);
  }
}

__global__ void take_target (const float *logits, int64_t ld, int64_t V, const int32_t *targets, float inv_temp, float *partial, float *raw, int64_t R)
{
  const int64_t r = (int64_t) blockIdx.x * blockDim.x + threadIdx.x;
  if (r >= R) return;
  const int32_t t = targets[r];
  const float z = t >= 0 && t < V ? logits[r * ld + t] : NAN; /* an id out of range shows, it does not read elsewhere */
  partial[r * 4 + 2] = __fmul_rn (z, inv_temp);
  if (raw) raw[r * 4 + 2] = z;
}

void sol_cuda_head_target (sol_queue_t *q, sol_tensor_t logits, sol_tensor_t targets, float inv_temp, sol_tensor_t partial, sol_tensor_t raw)
{
  const int64_t R = partial.rows;
  SOL_REQUIRE (partial.stride == 4 && logits.rows >= R && (!raw.at || raw.stride == 4));
  if (R > 0)
    SOL_RUN (q, take_target, (unsigned) ((R + 127) / 128), 128, 0, (const float *) (const void *) logits.at, logits.stride, logits.cols, (const int32_t *) (const void *) targets.at,
             inv_temp, (float *) (void *) partial.at, (float *) (void *) raw.at, R);
}

__global__ void finish_rows (const float *partial, float *lp, float *entropy, int64_t R)
{
  const int64_t r = (int64_t) blockIdx.x * blockDim.x + threadIdx.x;
  if (r >= R) return;
  const float *p = partial + r * 4;
  const float log_sum = logf (p[1]);
  lp[r] = p[2] - p[0] - log_sum;
  entropy[r] = log_sum - p[3] / p[1];
}

void sol_cuda_head_finish (sol_queue_t *q, sol_tensor_t partial, sol_tensor_t lp, sol_tensor_t entropy)
{
  const int64_t R = partial.rows;
  SOL_REQUIRE (partial.stride == 4 && lp.cols == R && entropy.cols == R);
  if (R > 0)
    SOL_RUN (q, finish_rows, (unsigned) ((R + 127) / 128), 128, 0, (const float *) (const void *) partial.at, (float *) (void *) lp.at, (float *) (void *) entropy.at, R);
}
