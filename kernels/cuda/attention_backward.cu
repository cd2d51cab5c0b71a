/* SPDX-License-Identifier: Apache-2.0 */
/* attention_backward.cu: with P = exp (s - max) / sum and delta = dot (dO, O): dV = P^T dO, dS = P (dO V^T - delta) scale, dQ = dS K, dK = dS^T Q. Three kernels, without atomics, so that
 * reruns give the same bits:
 *  1. delta and log2 of the sum of every row and head. They are put where dQ of that row and head will be, which needs no memory and costs the others one read of 16 bytes a row.
 *  2. a block for 64 rows of K and V and one kv head goes over all queries that see them: spans in order, 32 queries of one head at a time, and adds its sums to dK and dV once.
 *  3. a block for 64 queries and one head goes over their keys and writes dQ over what kernel 1 left there.
 * P is computed again from the scores in 2 and 3. */
#include "attention.cuh"

static const int QUERIES = 64, KEYS = 64, STEP = 32; /* STEP: queries at a time of kernel 2, keys at a time of kernel 3 */
static const int PREPARED = 32;                      /* rows of a block of kernel 1 */

/* what kernel 1 leaves of a row and head */
typedef struct {
  float log2_sum, delta; /* exp2 (s scale log2 (e) - log2_sum) = P */
} row_t;
__device__ __forceinline__ const void *row_place (const attention_t &a, int64_t row, int head) { return a.dq + row * a.ld_dq + head * a.d; }

/* grid: (spans, tiles of rows); 8 lanes for a row and head */
__global__ void __launch_bounds__ (ATTENTION_THREADS) attention_prepare_kernel (attention_t a)
{
  const sol_span_t s = a.spans[blockIdx.x];
  const int first = blockIdx.y * PREPARED, rows = min (PREPARED, s.n_q - first), lane = threadIdx.x & 7, group = threadIdx.x >> 3;
  for (int i0 = 0; i0 < rows * a.n_heads; i0 += ATTENTION_THREADS / 8) { /* all threads as often: they shuffle */
    const int i = i0 + group, head = i % a.n_heads;
    const bool there = i < rows * a.n_heads;
    const int64_t row = (int64_t) s.q_row + first + i / a.n_heads;
    float delta = 0;
    for (int c = lane * 8; there && c < a.d; c += 64) {
      const uint4 x = *reinterpret_cast<const uint4 *> (a.d_o + row * a.ld_do + head * a.d + c), y = *reinterpret_cast<const uint4 *> (a.o + row * a.ldo + head * a.d + c);
      const uint32_t u[4] = { x.x, x.y, x.z, x.w }, v[4] = { y.x, y.y, y.z, y.w };
#pragma unroll
      for (int j = 0; j < 4; j++) delta = fmaf (low_bf16 (u[j]), low_bf16 (v[j]), fmaf (high_bf16 (u[j]), high_bf16 (v[j]), delta));
    }
#pragma unroll
    for (int o = 4; o > 0; o >>= 1) delta += __shfl_xor_sync (ALL_LANES, delta, o);
    if (there && lane == 0) {
      const float2 m = *reinterpret_cast<const float2 *> (a.stats + row * a.ld_stats + 2 * head); /* max, sum */
      *reinterpret_cast<float4 *> (a.dq + row * a.ld_dq + head * a.d) = make_float4 (m.x * LOG2E + log2f (m.y), delta, 0, 0);
    }
  }
}

/* ---- kernel 2: the steps of a block: (span, 32 queries, head). All warps of a block take them alike. */
typedef struct {
  int low, base, head, first, kv_head; /* low: the block's first row of K; base: of the 32 spans in the mask; first: query */
  unsigned mask;                       /* of those spans, the ones still to come that see the rows */
  sol_span_t s;                        /* the present one */
} walk_t;

/* position of row r in a span, INT_MAX where it is none of its keys */
__device__ __forceinline__ int position (const sol_span_t &s, int r)
{
  if (r >= s.a_row && r - s.a_row < s.n_a) return r - s.a_row;
  if (r >= s.b_row && r - s.b_row < s.n_b) return s.n_a + (r - s.b_row);
  return 0x7fffffff;
}
/* smallest position of rows low .. low + KEYS - 1 */
__device__ __forceinline__ int first_position (const sol_span_t &s, int low)
{
  int p = 0x7fffffff;
  if (s.b_row < low + KEYS && s.b_row + s.n_b > low && s.n_b) p = s.n_a + max (0, low - s.b_row);
  if (s.a_row < low + KEYS && s.a_row + s.n_a > low && s.n_a) p = max (0, low - s.a_row);
  return p;
}
/* begins with base = -32, mask 0, head = per - 1, first = n_q = 0. False: no more steps. */
__device__ __forceinline__ bool walk_on (walk_t &w, const attention_t &a)
{
  if (++w.head < a.per) return true;
  w.head = 0;
  if ((w.first += STEP) < w.s.n_q) return true;
  while (!w.mask) {
    if ((w.base += 32) >= a.n_spans) return false;
    const int i = w.base + (threadIdx.x & 31);
    bool sees = false;
    if (i < a.n_spans) {
      const sol_span_t s = a.spans[i];
      sees = s.n_q > 0 && first_position (s, w.low) < s.n_a + s.n_b;
    }
    w.mask = __ballot_sync (ALL_LANES, sees);
  }
  w.s = a.spans[w.base + __ffs ((int) w.mask) - 1];
  w.mask &= w.mask - 1;
  w.first = max (0, first_position (w.s, w.low) - (w.s.n_a + w.s.n_b - w.s.n_q));
  return true;
}

/* Q, dO and what kernel 1 left, of a step */
template <int C> __device__ __forceinline__ void load_step (bf16 *q, bf16 *d_o, row_t (*rows)[2], const attention_t &a, const walk_t &w)
{
  const int head = w.kv_head * a.per + w.head;
  const auto row = [&] (int i) { return w.first + i < w.s.n_q ? (int64_t) w.s.q_row + w.first + i : (int64_t) -1; };
  tile_load<C> (q, STEP, a.q + head * a.d, a.ldq, a.d, threadIdx.x, ATTENTION_THREADS, row);
  tile_load<C> (d_o, STEP, a.d_o + head * a.d, a.ld_do, a.d, threadIdx.x, ATTENTION_THREADS, row);
  if (threadIdx.x < STEP) {
    const int64_t r = row ((int) threadIdx.x);
    cp_async (rows[threadIdx.x], r >= 0 ? row_place (a, r, head) : a.dq, r >= 0);
  }
  cp_async_commit ();
}

/* grid: (kv heads, tiles of rows of K) */
template <int C> __global__ void __launch_bounds__ (ATTENTION_THREADS) attention_dkv_kernel (attention_t a)
{
  SOL_DYN_SHARED (bf16, shared); /* K, V; Q, dO of an even step, of an odd one; the rows of both */
  bf16 *const K = shared, *const V = K + KEYS * C, *const steps = V + KEYS * C;
  row_t (*const rows)[2] = reinterpret_cast<row_t (*)[2]> (steps + 4 * STEP * C);
  const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, g = lane >> 2, t = lane & 3;
  walk_t w = { (int) blockIdx.y * KEYS, -32, a.per - 1, 0, (int) blockIdx.x, 0, { 0, 0, 0, 0, 0, 0 } };
  if (!walk_on (w, a)) return; /* nobody sees these rows: they keep what they hold */

  const auto k_row = [&] (int i) { return (int64_t) w.low + i < a.k_rows ? (int64_t) w.low + i : (int64_t) -1; };
  tile_load<C> (K, KEYS, a.k + w.kv_head * a.d, a.ldk, a.d, threadIdx.x, ATTENTION_THREADS, k_row);
  tile_load<C> (V, KEYS, a.v + w.kv_head * a.d, a.ldv, a.d, threadIdx.x, ATTENTION_THREADS, k_row);
  load_step<C> (steps, steps + STEP * C, rows, a, w);

  float dk[C / 8][4], dv[C / 8][4];
  clear (dk);
  clear (dv);
  bool more = true;
  for (int odd = 0; more; odd ^= 1) {
    const bf16 *Q = steps + odd * 2 * STEP * C, *d_o = Q + STEP * C;
    const row_t (*const of)[2] = rows + odd * STEP;
    const int seen_from[2] = { position (w.s, w.low + warp * 16 + g), position (w.s, w.low + warp * 16 + g + 8) };
    const int pos = w.s.n_a + w.s.n_b - w.s.n_q + w.first; /* of the step's first query */
    cp_async_wait<0> ();
    __syncthreads (); /* this step is there for all, and nobody uses the other buffer any more */
    more = walk_on (w, a);
    if (more) load_step<C> (steps + (odd ^ 1) * 2 * STEP * C, steps + (odd ^ 1) * 2 * STEP * C + STEP * C, rows + (odd ^ 1) * STEP, a, w);

    float p[STEP / 8][4], ds[STEP / 8][4]; /* [16 keys, 32 queries]: scores, then P; dO V, then dS */
    clear (p);
    clear (ds);
#pragma unroll
    for (int k = 0; k < C / 16; k++) {
      uint32_t left[4], b[4];
      tile_left<C> (left, K, warp * 16, k);
#pragma unroll
      for (int n = 0; n < STEP / 16; n++) {
        tile_right<C> (b, Q, n * 16, k);
        mma_bf16 (p[2 * n], left, b);
        mma_bf16 (p[2 * n + 1], left, b + 2);
      }
      tile_left<C> (left, V, warp * 16, k);
#pragma unroll
      for (int n = 0; n < STEP / 16; n++) {
        tile_right<C> (b, d_o, n * 16, k);
        mma_bf16 (ds[2 * n], left, b);
        mma_bf16 (ds[2 * n + 1], left, b + 2);
      }
    }
#pragma unroll
    for (int n = 0; n < STEP / 8; n++)
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const int query = n * 8 + 2 * t + (i & 1); /* one beyond the span has dO = 0 and adds nothing */
        const row_t r = of[query][0];
        const bool seen = seen_from[i >> 1] <= pos + query; /* a row that is no key may hold anything, also no number */
        p[n][i] = seen ? exp2_fast (fmaf (p[n][i], a.scale * LOG2E, -r.log2_sum)) : 0;
        ds[n][i] = seen ? p[n][i] * (ds[n][i] - r.delta) : 0;
      }
#pragma unroll
    for (int k = 0; k < STEP / 16; k++) {
      uint32_t of_p[4], of_ds[4], b[4];
      mma_left (of_p, p[2 * k], p[2 * k + 1]);
      mma_left (of_ds, ds[2 * k], ds[2 * k + 1]);
#pragma unroll
      for (int n = 0; n < C / 16; n++) {
        tile_right_trans<C> (b, d_o, k * 16, n);
        mma_bf16 (dv[2 * n], of_p, b);
        mma_bf16 (dv[2 * n + 1], of_p, b + 2);
        tile_right_trans<C> (b, Q, k * 16, n);
        mma_bf16 (dk[2 * n], of_ds, b);
        mma_bf16 (dk[2 * n + 1], of_ds, b + 2);
      }
    }
  }

  const float one[2] = { 1, 1 }, scale[2] = { a.scale, a.scale };
  const auto own_row = [&] (int i) { return k_row (warp * 16 + i); };
  /* the warp's own rows of K and V become room for the sums: no other warp reads them */
  tile_store<C, true> (K + warp * 16 * C, dk, scale, a.dk + w.kv_head * a.d, a.ld_dk, a.d, own_row);
  tile_store<C, true> (V + warp * 16 * C, dv, one, a.dv + w.kv_head * a.d, a.ld_dv, a.d, own_row);
}

/* ---- kernel 3. grid: (spans x heads, head fastest; tiles of queries, the last ones, which see most, first) */
template <int C> __device__ __forceinline__ void load_keys (bf16 *k, const attention_t &a, const sol_span_t &s, int kv_head, int first)
{
  const auto row = [&] (int i) { return key_row (s, first + i); };
  tile_load<C> (k, KEYS, a.k + kv_head * a.d, a.ldk, a.d, threadIdx.x, ATTENTION_THREADS, row);
  tile_load<C> (k + KEYS * C, KEYS, a.v + kv_head * a.d, a.ldv, a.d, threadIdx.x, ATTENTION_THREADS, row);
  cp_async_commit ();
}

template <int C> __global__ void __launch_bounds__ (ATTENTION_THREADS) attention_dq_kernel (attention_t a)
{
  SOL_DYN_SHARED (bf16, shared); /* K, V of an even tile; of an odd one */
  const int head = blockIdx.x % a.n_heads, kv_head = head / a.per, warp = threadIdx.x >> 5, lane = threadIdx.x & 31, g = lane >> 2, t = lane & 3;
  const sol_span_t s = a.spans[blockIdx.x / a.n_heads];
  const int first = (int) (gridDim.y - 1 - blockIdx.y) * QUERIES;
  if (first >= s.n_q) return;
  const int pos = s.n_a + s.n_b - s.n_q + first; /* of the block's first query */
  const int seen = min (s.n_a + s.n_b, pos + QUERIES);
  const auto q_row = [&] (int i) { return first + i < s.n_q ? (int64_t) s.q_row + first + i : (int64_t) -1; };

  /* Q and dO come in through the odd buffer, which no key needs yet */
  bf16 *const in = shared + 2 * KEYS * C;
  tile_load<C> (in, QUERIES, a.q + head * a.d, a.ldq, a.d, threadIdx.x, ATTENTION_THREADS, q_row);
  tile_load<C> (in + KEYS * C, QUERIES, a.d_o + head * a.d, a.ld_do, a.d, threadIdx.x, ATTENTION_THREADS, q_row);
  load_keys<C> (shared, a, s, kv_head, 0);
  row_t of[2];
#pragma unroll
  for (int h = 0; h < 2; h++) {
    const int64_t row = q_row (warp * 16 + g + 8 * h);
    const float2 x = row >= 0 ? *reinterpret_cast<const float2 *> (row_place (a, row, head)) : make_float2 (0, 0);
    of[h].log2_sum = x.x, of[h].delta = x.y;
  }
  cp_async_wait<0> ();
  __syncthreads (); /* also: the rows' numbers are read before dQ is written over them, below */
  uint32_t q[C / 16][4], d_o[C / 16][4];
#pragma unroll
  for (int k = 0; k < C / 16; k++) {
    tile_left<C> (q[k], in, warp * 16, k);
    tile_left<C> (d_o[k], in + KEYS * C, warp * 16, k);
  }
  float dq[C / 8][4];
  clear (dq);
  for (int key = 0, odd = 0; key < seen; key += KEYS, odd ^= 1) {
    const bf16 *K = shared + odd * 2 * KEYS * C, *V = K + KEYS * C;
    cp_async_wait<0> ();
    __syncthreads (); /* this tile is there for all, and nobody uses the other buffer any more */
    if (key + KEYS < seen) load_keys<C> (shared + (odd ^ 1) * 2 * KEYS * C, a, s, kv_head, key + KEYS);
#pragma unroll 1 /* 32 keys at a time: what 64 would need in registers is not there */
    for (int part = 0; part < KEYS; part += STEP) {
      float p[STEP / 8][4], ds[STEP / 8][4]; /* [16 queries, 32 keys]: scores, then P; dO V, then dS */
      clear (p);
      clear (ds);
#pragma unroll
      for (int k = 0; k < C / 16; k++)
#pragma unroll
        for (int n = 0; n < STEP / 16; n++) {
          uint32_t b[4];
          tile_right<C> (b, K, part + n * 16, k);
          mma_bf16 (p[2 * n], q[k], b);
          mma_bf16 (p[2 * n + 1], q[k], b + 2);
          tile_right<C> (b, V, part + n * 16, k);
          mma_bf16 (ds[2 * n], d_o[k], b);
          mma_bf16 (ds[2 * n + 1], d_o[k], b + 2);
        }
#pragma unroll
      for (int n = 0; n < STEP / 8; n++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
          const int at = key + part + n * 8 + 2 * t + (i & 1), h = i >> 1; /* a row beyond the span has dO = 0, a key beyond it is 0 */
          const float x = at <= pos + warp * 16 + g + 8 * h ? exp2_fast (fmaf (p[n][i], a.scale * LOG2E, -of[h].log2_sum)) : 0;
          ds[n][i] = x * (ds[n][i] - of[h].delta);
        }
#pragma unroll
      for (int k = 0; k < STEP / 16; k++) {
        uint32_t left[4];
        mma_left (left, ds[2 * k], ds[2 * k + 1]);
#pragma unroll
        for (int n = 0; n < C / 16; n++) {
          uint32_t b[4];
          tile_right_trans<C> (b, K, part + k * 16, n);
          mma_bf16 (dq[2 * n], left, b);
          mma_bf16 (dq[2 * n + 1], left, b + 2);
        }
      }
    }
  }
  const float scale[2] = { a.scale, a.scale };
  __syncthreads (); /* the buffers become room for the result */
  tile_store<C, false> (shared + warp * 16 * C, dq, scale, a.dq + head * a.d, a.ld_dq, a.d, [&] (int i) { return q_row (warp * 16 + i); });
}

template <int C> static void run (sol_queue_t *q, const attention_t &a, int longest)
{
  const size_t dkv = (2 * KEYS + 4 * STEP) * C * sizeof (bf16) + 2 * STEP * sizeof (row_t[2]), dq = 4 * KEYS * C * sizeof (bf16);
  attention_room (q, attention_dkv_kernel<C>, dkv, "attention_backward");
  attention_room (q, attention_dq_kernel<C>, dq, "attention_backward");
  SOL_RUN (q, attention_prepare_kernel, dim3 ((unsigned) a.n_spans, (unsigned) ((longest + PREPARED - 1) / PREPARED)), dim3 (ATTENTION_THREADS), 0, a);
  SOL_RUN (q, attention_dkv_kernel<C>, dim3 ((unsigned) a.n_kv_heads, (unsigned) ((a.k_rows + KEYS - 1) / KEYS)), dim3 (ATTENTION_THREADS), dkv, a);
  SOL_RUN (q, attention_dq_kernel<C>, dim3 ((unsigned) (a.n_spans * a.n_heads), (unsigned) ((longest + QUERIES - 1) / QUERIES)), dim3 (ATTENTION_THREADS), dq, a);
}

extern "C" void sol_cuda_attention_backward (sol_queue_t *q, sol_tensor_t dO, sol_tensor_t Q, sol_tensor_t K, sol_tensor_t V, sol_tensor_t O, sol_tensor_t stats, sol_tensor_t spans,
                                             const sol_span_t *host_spans, int32_t n_spans, int32_t n_heads, int32_t n_kv_heads, float scale, sol_tensor_t dQ, sol_tensor_t dK, sol_tensor_t dV)
{
  if (n_spans == 0 || longest_span (host_spans, n_spans) == 0) return;
  attention_require (Q, K, V, sol_tensor_t{}, spans, host_spans, n_spans, n_heads, n_kv_heads, scale);
  SOL_REQUIRE (attention_operand (O) && attention_operand (dO) && attention_operand (dQ) && O.cols == Q.cols && dO.cols == Q.cols && dQ.cols == Q.cols);
  SOL_REQUIRE (O.rows >= Q.rows && dO.rows >= Q.rows && dQ.rows >= Q.rows);
  SOL_REQUIRE (attention_operand (dK) && attention_operand (dV) && dK.cols == K.cols && dV.cols == K.cols && dK.rows >= K.rows && dV.rows >= K.rows && V.rows >= K.rows);
  SOL_REQUIRE (stats.at && stats.dtype == SOL_F32 && stats.rows >= Q.rows && stats.cols == 2 * n_heads && stats.stride % 2 == 0);
  SOL_REQUIRE (dQ.at != dO.at && dQ.at != Q.at && dQ.at != O.at); /* dQ is written before they have all been read */
  attention_t a = {};
  a.q = (const bf16 *) Q.at, a.k = (const bf16 *) K.at, a.v = (const bf16 *) V.at, a.o = (const bf16 *) O.at, a.d_o = (const bf16 *) dO.at;
  a.dq = (bf16 *) dQ.at, a.dk = (bf16 *) dK.at, a.dv = (bf16 *) dV.at, a.stats = (float *) stats.at;
  a.ldq = Q.stride, a.ldk = K.stride, a.ldv = V.stride, a.ldo = O.stride, a.ld_do = dO.stride, a.ld_dq = dQ.stride, a.ld_dk = dK.stride, a.ld_dv = dV.stride, a.ld_stats = stats.stride;
  a.k_rows = K.rows;
  a.spans = (const sol_span_t *) spans.at;
  a.n_spans = n_spans, a.n_heads = n_heads, a.n_kv_heads = n_kv_heads, a.per = n_heads / n_kv_heads, a.d = (int) (Q.cols / n_heads);
  a.scale = scale;
  ATTENTION_BY_SIZE (a.d, run, q, a, longest_span (host_spans, n_spans));
}
