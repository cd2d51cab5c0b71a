/* SPDX-License-Identifier: Apache-2.0 */
/* attention.cuh: what the attention kernels share. Head sizes are padded with zeros in shared memory to C = 16, 32, 64 or 128 columns; d is the real one, a multiple of 8. */
#ifndef SOL_CUDA_ATTENTION_CUH
#define SOL_CUDA_ATTENTION_CUH
#include "mma.cuh"

static const int ATTENTION_THREADS = 128; /* four warps of 16 rows */
static const float LOG2E = 1.44269504f;

/* operands of any of the kernels; ld*: elements between rows */
typedef struct {
  const bf16 *q, *k, *v, *o, *d_o;
  bf16 *out, *dq, *dk, *dv;
  float *stats;
  const sol_span_t *spans;
  const int32_t *pages; /* NULL: none */
  int64_t ldq, ldk, ldv, ldo, ld_do, ld_out, ld_dq, ld_dk, ld_dv, ld_stats, k_rows;
  int n_spans, n_heads, n_kv_heads, per, d; /* per: query heads of a kv head */
  float scale;
} attention_t;

/* row of K or V of absolute position p, -1 beyond the last key */
__device__ __forceinline__ int64_t key_row (const sol_span_t &s, int p)
{
  return p < s.n_a ? (int64_t) s.a_row + p : p < s.n_a + s.n_b ? (int64_t) s.b_row + (p - s.n_a) : -1;
}
/* the same through the page table: its entries are few and soon in the cache */
template <bool PAGED> __device__ __forceinline__ int64_t paged_key_row (const attention_t &a, const sol_span_t &s, int p)
{
  const int64_t row = key_row (s, p);
  return PAGED && row >= 0 ? (int64_t) a.pages[row / SOL_KV_PAGE] * SOL_KV_PAGE + row % SOL_KV_PAGE : row;
}

/* begins to copy rows of a tile: tile row i is row_of (i) of `from`, zeros where that is negative. `threads` threads share the work, this one is number `thread`. */
template <int C, class Row> __device__ __forceinline__ void tile_load (bf16 *tile, int n_rows, const bf16 *from, int64_t ld, int d, int thread, int threads, Row row_of)
{
#pragma unroll 2
  for (int i = thread; i < n_rows * (C / 8); i += threads) {
    const int r = i / (C / 8), c = i % (C / 8);
    const int64_t row = row_of (r);
    const bool there = row >= 0 && c * 8 < d;
    cp_async (tile + tile_at<C> (r, c), there ? from + row * ld + c * 8 : from, there);
  }
}

/* a warp's accumulators [16, C], rows g times f[0] and g + 8 times f[1], as bf16 into global rows row_of (0 .. 15) (negative: none), or added to what is there. room: 16 tile rows of the
 * warp's own, so that rows go out in runs of 16 bytes. */
template <int C, bool ADD, class Row> __device__ __forceinline__ void tile_store (bf16 *room, const float (&acc)[C / 8][4], const float (&f)[2], bf16 *to, int64_t ld, int d, Row row_of)
{
  const int l = threadIdx.x & 31, g = l >> 2, t = l & 3;
  __syncwarp (); /* redundant: in results, for ldmatrix and mma keep the lanes together; ThreadSanitizer sees a race without it */
  if (ADD)
    for (int i = l; i < 16 * (C / 8); i += 32) {
      const int r = i / (C / 8), c = i % (C / 8);
      const int64_t row = row_of (r);
      uint4 x = make_uint4 (0, 0, 0, 0);
      if (row >= 0 && c * 8 < d) x = *reinterpret_cast<const uint4 *> (to + row * ld + c * 8);
      *reinterpret_cast<uint4 *> (room + tile_at<C> (r, c)) = x;
    }
  __syncwarp ();
#pragma unroll
  for (int n = 0; n < C / 8; n++)
#pragma unroll
    for (int h = 0; h < 2; h++) {
      uint32_t *at = reinterpret_cast<uint32_t *> (room + tile_at<C> (g + 8 * h, n) + 2 * t);
      float x = acc[n][2 * h] * f[h], y = acc[n][2 * h + 1] * f[h];
      if (ADD) x += low_bf16 (*at), y += high_bf16 (*at);
      *at = pack_bf16 (x, y);
    }
  __syncwarp ();
  for (int i = l; i < 16 * (C / 8); i += 32) {
    const int r = i / (C / 8), c = i % (C / 8);
    const int64_t row = row_of (r);
    if (row >= 0 && c * 8 < d) *reinterpret_cast<uint4 *> (to + row * ld + c * 8) = *reinterpret_cast<const uint4 *> (room + tile_at<C> (r, c));
  }
}

template <int N> __device__ __forceinline__ void clear (float (&x)[N][4])
{
#pragma unroll
  for (int i = 0; i < N; i++) x[i][0] = x[i][1] = x[i][2] = x[i][3] = 0;
}
/* over the four lanes that hold a row */
__device__ __forceinline__ float quad_sum (float x)
{
  x += __shfl_xor_sync (ALL_LANES, x, 1);
  return x + __shfl_xor_sync (ALL_LANES, x, 2);
}
__device__ __forceinline__ float quad_max (float x)
{
  x = fmaxf (x, __shfl_xor_sync (ALL_LANES, x, 1));
  return fmaxf (x, __shfl_xor_sync (ALL_LANES, x, 2));
}

/* ---- host */
static inline bool attention_operand (sol_tensor_t t) { return t.at && t.dtype == SOL_BF16 && t.stride % 8 == 0 && t.stride >= t.cols && (uintptr_t) t.at % 16 == 0; }
/* checks what all kernels need of their operands */
static inline void attention_require (sol_tensor_t Q, sol_tensor_t K, sol_tensor_t V, sol_tensor_t pages, sol_tensor_t spans, const sol_span_t *host_spans, int32_t n_spans, int32_t n_heads, int32_t n_kv_heads,
                                      float scale)
{
  SOL_REQUIRE (n_heads > 0 && n_kv_heads > 0 && n_heads % n_kv_heads == 0 && Q.cols % n_heads == 0);
  SOL_REQUIRE (Q.cols / n_heads % SOL_CUDA_HEAD_STEP == 0 && Q.cols / n_heads <= SOL_CUDA_HEAD_MOST);
  SOL_REQUIRE (K.cols == Q.cols / n_heads * n_kv_heads && V.cols == K.cols);
  SOL_REQUIRE (attention_operand (Q) && attention_operand (K) && attention_operand (V));
  SOL_REQUIRE (spans.at && spans.dtype == SOL_I32 && spans.rows >= n_spans && spans.cols == 6 && spans.stride == 6 && host_spans);
  SOL_REQUIRE (scale > 0);
  SOL_REQUIRE (!pages.at || (pages.dtype == SOL_I32 && pages.rows == 1));
  const int64_t rows = pages.at ? pages.cols * SOL_KV_PAGE : K.rows < V.rows ? K.rows : V.rows;
  for (int32_t i = 0; i < n_spans; i++) {
    const sol_span_t *s = &host_spans[i];
    if (!s->n_q) continue;
    SOL_REQUIRE (s->n_q > 0 && s->n_a >= 0 && s->n_b >= 0 && s->n_q <= s->n_a + s->n_b && s->q_row >= 0 && s->q_row + s->n_q <= Q.rows);
    SOL_REQUIRE (!s->n_a || (s->a_row >= 0 && s->a_row + s->n_a <= rows));
    SOL_REQUIRE (!s->n_b || (s->b_row >= 0 && s->b_row + s->n_b <= rows));
    SOL_REQUIRE (!s->n_a || !s->n_b || s->a_row + s->n_a <= s->b_row || s->b_row + s->n_b <= s->a_row); /* a key is seen once */
  }
}
static inline int longest_span (const sol_span_t *s, int32_t n)
{
  int most = 0;
  for (int32_t i = 0; i < n; i++)
    if (s[i].n_q > most) most = s[i].n_q;
  return most;
}
/* runs run<C> (...) of the smallest C that holds the head size */
#define ATTENTION_BY_SIZE(d, run, ...)                                                                                                                                                        \
  ((d) <= 16 ? run<16> (__VA_ARGS__) : (d) <= 32 ? run<32> (__VA_ARGS__) : (d) <= 64 ? run<64> (__VA_ARGS__) : run<128> (__VA_ARGS__))
/* more dynamic shared memory than a kernel gets unasked */
template <class K> static inline void attention_room (sol_queue_t *q, K *kernel, size_t bytes, const char *what)
{
  if (bytes > 48u << 10) sol_cuda_note (q, cudaFuncSetAttribute ((const void *) kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int) bytes), what);
}
/* attention_decode.cu: one query per span */
void sol_cuda_decode_attention (sol_queue_t *q, const attention_t &a);
#endif
