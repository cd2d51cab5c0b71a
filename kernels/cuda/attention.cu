/* SPDX-License-Identifier: Apache-2.0 */
/* attention.cu: flash attention. A block computes 64 queries of one span and one head: each of its four warps keeps 16 queries and their sums in registers, tiles of 64 keys pass through two
 * buffers in shared memory, the next one on its way while this one is used. Nothing but the result is written. Tiles of keys that no query of the block sees are left out. */
#include "attention.cuh"

static const int TILE = 64;

/* running maximum (of unscaled scores) and sum of a thread's rows g and g + 8 */
typedef struct {
  float max[2], sum[2];
} softmax_t;

/* scores s of 64 keys become exp2 (scale2 (s - max)); what was summed so far is brought to the new maximum */
template <int C> __device__ __forceinline__ void soften (softmax_t &m, float (&s)[TILE / 8][4], float (&acc)[C / 8][4], float scale2)
{
#pragma unroll
  for (int h = 0; h < 2; h++) {
    float top = m.max[h];
#pragma unroll
    for (int n = 0; n < TILE / 8; n++) top = fmaxf (top, fmaxf (s[n][2 * h], s[n][2 * h + 1]));
    top = quad_max (top);
    const float base = top * scale2; /* finite: every row, also one beyond the span, sees key 0 */
    const float keep = exp2_fast (m.max[h] * scale2 - base);
    float sum = 0;
    m.max[h] = top;
#pragma unroll
    for (int n = 0; n < TILE / 8; n++)
#pragma unroll
      for (int i = 2 * h; i < 2 * h + 2; i++) sum += s[n][i] = exp2_fast (fmaf (s[n][i], scale2, -base));
    m.sum[h] = m.sum[h] * keep + sum;
#pragma unroll
    for (int n = 0; n < C / 8; n++) acc[n][2 * h] *= keep, acc[n][2 * h + 1] *= keep;
  }
}

template <int C, bool PAGED> __device__ __forceinline__ void load_keys (bf16 *k, bf16 *v, const attention_t &a, const sol_span_t *span, int kv_head, int first)
{
  const sol_span_t s = *span; /* read every time: there are no registers to keep it in */
  const auto row = [&] (int i) { return paged_key_row<PAGED> (a, s, first + i); };
  tile_load<C> (k, TILE, a.k + kv_head * a.d, a.ldk, a.d, threadIdx.x, ATTENTION_THREADS, row);
  tile_load<C> (v, TILE, a.v + kv_head * a.d, a.ldv, a.d, threadIdx.x, ATTENTION_THREADS, row);
  cp_async_commit ();
}

/* grid: (spans x heads, head fastest; tiles of queries, the last ones, which see most, first) */
template <int C, bool PAGED> __global__ void __launch_bounds__ (ATTENTION_THREADS, PAGED && C > 64 ? 2 : 3) attention_kernel (attention_t a)
{
  SOL_DYN_SHARED (bf16, shared); /* K, V of an even tile; of an odd one */
  const int head = blockIdx.x % a.n_heads, kv_head = head / a.per, warp = threadIdx.x >> 5, lane = threadIdx.x & 31, g = lane >> 2, t = lane & 3;
  const sol_span_t *const span = a.spans + blockIdx.x / a.n_heads;
  const sol_span_t s = *span;
  const int first = (int) (gridDim.y - 1 - blockIdx.y) * TILE;
  if (first >= s.n_q) return;
  const int pos = s.n_a + s.n_b - s.n_q + first; /* of the block's first query */
  const int seen = min (s.n_a + s.n_b, pos + TILE);
  const auto q_row = [&] (int i) { return first + i < span->n_q ? (int64_t) span->q_row + first + i : (int64_t) -1; };

  /* the queries come in through the odd buffer, which no key needs yet */
  tile_load<C> (shared + 2 * TILE * C, TILE, a.q + head * a.d, a.ldq, a.d, threadIdx.x, ATTENTION_THREADS, q_row);
  load_keys<C, PAGED> (shared, shared + TILE * C, a, span, kv_head, 0);
  cp_async_wait<0> ();
  __syncthreads ();
  uint32_t q[C / 16][4];
#pragma unroll
  for (int k = 0; k < C / 16; k++) tile_left<C> (q[k], shared + 2 * TILE * C, warp * 16, k);

  float acc[C / 8][4];
  softmax_t m = { { -INFINITY, -INFINITY }, { 0, 0 } };
  const float scale2 = a.scale * LOG2E;
  clear (acc);
  for (int key = 0, odd = 0; key < seen; key += TILE, odd ^= 1) {
    const bf16 *K = shared + odd * 2 * TILE * C, *V = K + TILE * C;
    cp_async_wait<0> ();
    __syncthreads (); /* this tile is there for all, and nobody uses the other buffer any more */
    if (key + TILE < seen) load_keys<C, PAGED> (shared + (odd ^ 1) * 2 * TILE * C, shared + (odd ^ 1) * 2 * TILE * C + TILE * C, a, span, kv_head, key + TILE);
    float p[TILE / 8][4];
    clear (p);
#pragma unroll
    for (int k = 0; k < C / 16; k++)
#pragma unroll
      for (int n = 0; n < TILE / 16; n++) {
        uint32_t b[4];
        tile_right<C> (b, K, n * 16, k);
        mma_bf16 (p[2 * n], q[k], b);
        mma_bf16 (p[2 * n + 1], q[k], b + 2);
      }
    if (key + TILE > pos + 1) { /* not every query sees every key of the tile */
#pragma unroll
      for (int n = 0; n < TILE / 8; n++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
          const int at = key + n * 8 + 2 * t + (i & 1);
          if (at > pos + warp * 16 + g + 8 * (i >> 1)) p[n][i] = -INFINITY; /* a row beyond the span may also see what is no key: all zeros */
        }
    }
    soften<C> (m, p, acc, scale2);
#pragma unroll
    for (int k = 0; k < TILE / 16; k++) {
      uint32_t left[4];
      mma_left (left, p[2 * k], p[2 * k + 1]);
#pragma unroll
      for (int n = 0; n < C / 16; n++) {
        uint32_t b[4];
        tile_right_trans<C> (b, V, k * 16, n);
        mma_bf16 (acc[2 * n], left, b);
        mma_bf16 (acc[2 * n + 1], left, b + 2);
      }
    }
  }

  float f[2];
#pragma unroll
  for (int h = 0; h < 2; h++) {
    const float sum = quad_sum (m.sum[h]);
    const int64_t row = q_row (warp * 16 + g + 8 * h);
    f[h] = 1 / sum;
    if (a.stats && t == 0 && row >= 0) *reinterpret_cast<float2 *> (a.stats + row * a.ld_stats + 2 * head) = make_float2 (m.max[h] * a.scale + 0.0f, sum);
  }
  __syncthreads (); /* the buffers become room for the result */
  tile_store<C, false> (shared + warp * 16 * C, acc, f, a.out + head * a.d, a.ld_out, a.d, [&] (int i) { return q_row (warp * 16 + i); });
}

template <int C, bool PAGED> static void run_as (sol_queue_t *q, const attention_t &a, int longest)
{
  const size_t bytes = 4 * TILE * C * sizeof (bf16);
  attention_room (q, attention_kernel<C, PAGED>, bytes, "attention");
  SOL_RUN (q, (attention_kernel<C, PAGED>), dim3 ((unsigned) (a.n_spans * a.n_heads), (unsigned) ((longest + TILE - 1) / TILE)), dim3 (ATTENTION_THREADS), bytes, a);
}
/* two kernels: in training the table would cost registers that are not there */
template <int C> static void run (sol_queue_t *q, const attention_t &a, int longest) { a.pages ? run_as<C, true> (q, a, longest) : run_as<C, false> (q, a, longest); }

extern "C" void sol_cuda_attention (sol_queue_t *q, sol_tensor_t Q, sol_tensor_t K, sol_tensor_t V, sol_tensor_t pages, sol_tensor_t spans, const sol_span_t *host_spans,
                                    int32_t n_spans, int32_t n_heads, int32_t n_kv_heads, float scale, sol_tensor_t O, sol_tensor_t stats)
{
  if (n_spans == 0 || longest_span (host_spans, n_spans) == 0) return;
  attention_require (Q, K, V, pages, spans, host_spans, n_spans, n_heads, n_kv_heads, scale);
  SOL_REQUIRE (attention_operand (O) && O.rows >= Q.rows && O.cols == Q.cols);
  SOL_REQUIRE (!stats.at || (stats.dtype == SOL_F32 && stats.rows >= Q.rows && stats.cols == 2 * n_heads && stats.stride % 2 == 0));
  attention_t a = {};
  a.q = (const bf16 *) Q.at, a.k = (const bf16 *) K.at, a.v = (const bf16 *) V.at, a.out = (bf16 *) O.at, a.stats = (float *) stats.at;
  a.ldq = Q.stride, a.ldk = K.stride, a.ldv = V.stride, a.ld_out = O.stride, a.ld_stats = stats.stride, a.k_rows = K.rows;
  a.spans = (const sol_span_t *) spans.at;
  a.pages = (const int32_t *) pages.at;
  a.n_spans = n_spans, a.n_heads = n_heads, a.n_kv_heads = n_kv_heads, a.per = n_heads / n_kv_heads, a.d = (int) (Q.cols / n_heads);
  a.scale = scale;
  const int longest = longest_span (host_spans, n_spans);
  if (longest == 1) sol_cuda_decode_attention (q, a);
  else ATTENTION_BY_SIZE (a.d, run, q, a, longest);
}
