/* SPDX-License-Identifier: Apache-2.0 */
/* embed.cu: rows of the embedding table, and their gradient. */
#include "lots.cuh"

/* an id outside of the table reads nothing: its row becomes NaN, which no one overlooks */
template <int N, class T>
__global__ void __launch_bounds__ (WALK_THREADS) embed_kernel (walk_t w, const int32_t *__restrict__ ids, const T *__restrict__ table, int64_t n_rows, int64_t ld_table, bf16 *__restrict__ y, int64_t ldy)
{
  const place_t p = walk_place<N> (w);
  float f[N];
  if (p.n == 0) return;
  const int32_t id = ids[p.row];
  if (id >= 0 && id < n_rows) lot_get (f, table + id * ld_table + p.col, p.n);
  else
#pragma unroll
    for (int i = 0; i < N; i++) f[i] = NAN;
  lot_put (y + p.row * ldy + p.col, f, p.n);
}

template <class T> static void embed (sol_queue_t *q, sol_tensor_t ids, sol_tensor_t table, sol_tensor_t y)
{
  unsigned blocks;
  const bool wide = lots_fit (table, 8) && lots_fit (y, 8);
  const walk_t w = walk_of (y.rows, y.cols, wide ? 8 : 1, &blocks);
  if (wide) SOL_RUN (q, (embed_kernel<8, T>), dim3 (blocks), dim3 (WALK_THREADS), 0, w, data<int32_t> (ids), data<T> (table), table.rows, table.stride, data<bf16> (y), y.stride);
  else SOL_RUN (q, (embed_kernel<1, T>), dim3 (blocks), dim3 (WALK_THREADS), 0, w, data<int32_t> (ids), data<T> (table), table.rows, table.stride, data<bf16> (y), y.stride);
}

extern "C" void sol_cuda_embed (sol_queue_t *q, sol_tensor_t ids, sol_tensor_t table, sol_tensor_t y)
{
  SOL_REQUIRE (ids.dtype == SOL_I32 && y.dtype == SOL_BF16 && y.cols == table.cols && (table.dtype == SOL_BF16 || table.dtype == SOL_F32));
  if (y.rows == 0 || y.cols == 0) return;
  if (table.dtype == SOL_BF16) embed<bf16> (q, ids, table, y);
  else embed<float> (q, ids, table, y);
}

/* ---- The gradient. Every row of dtable belongs to the block of the token where its id occurs first: that one adds the rows of all its occurrences, in order, so no two blocks meet and every
 * sum has one order. A block owns up to GROUP such tokens and reads all ids, a chunk at a time, once for all of them. */
static const int GROUP = 32, DW_THREADS = 256, WARPS = DW_THREADS / 32, ROUNDS = 4, CHUNK = ROUNDS * DW_THREADS;
struct embed_shared_t {
  int32_t ids[GROUP];               /* of the tokens owned; -1: none */
  unsigned seen[WARPS];             /* what warps found, a bit for each token */
  int32_t count[ROUNDS * WARPS][GROUP]; /* occurrences of each in 32 ids; then where those go */
  int32_t begin[GROUP + 1], token[CHUNK];
};

/* which of the ids is this one? a bit each */
__device__ __forceinline__ unsigned matches (const embed_shared_t &s, int32_t id)
{
  unsigned m = 0;
#pragma unroll
  for (int j = 0; j < GROUP; j += 4) {
    const int4 a = *reinterpret_cast<const int4 *> (s.ids + j);
    m |= (unsigned) (a.x == id) << j | (unsigned) (a.y == id) << (j + 1) | (unsigned) (a.z == id) << (j + 2) | (unsigned) (a.w == id) << (j + 3);
  }
  return m;
}
__device__ __forceinline__ int32_t id_at (const int32_t *ids, int64_t i, int64_t end)
{
  return i < end && ids[i] >= 0 ? ids[i] : -2; /* never equal to -1 */
}

/* drops from s.ids what occurs before token `from` of what the block owns, and what has no row; returns whether any is left */
__device__ static bool keep_first (embed_shared_t &s, const int32_t *ids, int64_t from, int64_t n, int64_t n_rows)
{
  const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
  unsigned seen = 0, all = 0;
  if (threadIdx.x < GROUP) {
    const int32_t id = id_at (ids, from + threadIdx.x, n);
    s.ids[threadIdx.x] = id < n_rows && id >= 0 ? id : -1;
  }
  __syncthreads ();
  if (warp == 0) { /* within the group: later ones of the same id */
    const unsigned same = matches (s, s.ids[lane]);
    seen = s.ids[lane] < 0 || (same & ((1u << lane) - 1)) ? 1u << lane : 0;
  }
  for (int64_t at = 0; at < from; at += CHUNK) {
#pragma unroll
    for (int k = 0; k < ROUNDS; k++) seen |= matches (s, id_at (ids, at + k * DW_THREADS + threadIdx.x, from));
    if (__syncthreads_or (seen != 0) == 0) continue;
    seen = __reduce_or_sync (ALL_LANES, seen);
    if (lane == 0) s.seen[warp] = seen;
    __syncthreads ();
    all = 0;
    for (int i = 0; i < WARPS; i++) all |= s.seen[i];
    if (all == ~0u) return false; /* the same for all threads */
  }
  seen = __reduce_or_sync (ALL_LANES, seen);
  __syncthreads (); /* redundant: s.seen is read no more. What is written now has the bits that are there: without this barrier a race, but no other result */
  if (lane == 0) s.seen[warp] = seen;
  __syncthreads ();
  all = 0;
  for (int i = 0; i < WARPS; i++) all |= s.seen[i];
  if (threadIdx.x < GROUP && (all >> threadIdx.x & 1)) s.ids[threadIdx.x] = -1;
  __syncthreads ();
  return all != ~0u;
}

/* sorts the occurrences in a chunk of ids by owned token, keeping their order: those of token j are s.token[s.begin[j]] .. s.begin[j + 1]. Returns whether there are any. */
__device__ static bool sort_chunk (embed_shared_t &s, const int32_t *ids, int64_t at, int64_t n)
{
  const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
  int slot[ROUNDS], rank[ROUNDS];
  bool any = false;
#pragma unroll
  for (int k = 0; k < ROUNDS; k++) {
    slot[k] = __ffs ((int) matches (s, id_at (ids, at + k * DW_THREADS + threadIdx.x, n))) - 1; /* at most one: what is owned differs */
    any |= slot[k] >= 0;
  }
  if (!__syncthreads_or (any)) return false; /* also: the chunk before is done with */
#pragma unroll
  for (int k = 0; k < ROUNDS; k++) s.count[k * WARPS + warp][lane] = 0;
  __syncwarp (); /* redundant: a match makes the lanes meet too, but promises nothing of memory */
#pragma unroll
  for (int k = 0; k < ROUNDS; k++) {
    const unsigned same = __match_any_sync (ALL_LANES, slot[k]);
    rank[k] = __popc (same & ((1u << lane) - 1));
    if (slot[k] >= 0 && rank[k] == 0) s.count[k * WARPS + warp][slot[k]] = __popc (same);
  }
  __syncthreads ();
  if (warp == 0) { /* lane: token */
    int total = 0;
    for (int i = 0; i < ROUNDS * WARPS; i++) {
      const int c = s.count[i][lane];
      s.count[i][lane] = total;
      total += c;
    }
    int end = total;
#pragma unroll
    for (int o = 1; o < 32; o <<= 1) {
      const int before = __shfl_up_sync (ALL_LANES, end, o);
      if (lane >= o) end += before;
    }
    s.begin[lane + 1] = end;
    if (lane == 0) s.begin[0] = 0;
  }
  __syncthreads ();
#pragma unroll
  for (int k = 0; k < ROUNDS; k++)
    if (slot[k] >= 0) s.token[s.begin[slot[k]] + s.count[k * WARPS + warp][slot[k]] + rank[k]] = k * DW_THREADS + (int) threadIdx.x;
  __syncthreads ();
  return true;
}

/* grid: (groups of tokens, pieces of a row) */
template <int N>
__global__ void __launch_bounds__ (DW_THREADS) embed_dw_kernel (const int32_t *__restrict__ ids, int64_t n, const bf16 *__restrict__ dy, int64_t ld_dy, float *__restrict__ dtable, int64_t n_rows, int64_t cols,
                                                                int64_t ld_table)
{
  SOL_SHARED (embed_shared_t, s);
  const int64_t from = (int64_t) blockIdx.x * GROUP, col = ((int64_t) blockIdx.y * DW_THREADS + threadIdx.x) * N;
  const int there = col < cols ? (int) min ((int64_t) N, cols - col) : 0;
  if (!keep_first (s, ids, from, n, n_rows)) return;
  for (int64_t at = from; at < n; at += CHUNK) {
    if (!sort_chunk (s, ids, at, n) || there == 0) continue;
    for (int j = 0; j < GROUP; j++) {
      const int begin = s.begin[j], end = s.begin[j + 1];
      if (begin == end) continue;
      float *row = dtable + s.ids[j] * ld_table + col, sum[N];
      const bf16 *from_row = dy + at * ld_dy + col;
      lot_get (sum, row, there);
      int i = begin;
      for (; i + 4 <= end; i += 4) { /* four reads on their way */
        float f[4][N];
#pragma unroll
        for (int k = 0; k < 4; k++) lot_get (f[k], from_row + s.token[i + k] * ld_dy, there);
#pragma unroll
        for (int k = 0; k < 4; k++)
#pragma unroll
          for (int e = 0; e < N; e++) sum[e] += f[k][e];
      }
      for (; i < end; i++) {
        float f[N];
        lot_get (f, from_row + s.token[i] * ld_dy, there);
#pragma unroll
        for (int e = 0; e < N; e++) sum[e] += f[e];
      }
      lot_put (row, sum, there);
    }
  }
}

extern "C" void sol_cuda_embed_dw (sol_queue_t *q, sol_tensor_t ids, sol_tensor_t dy, sol_tensor_t dtable)
{
  SOL_REQUIRE (ids.dtype == SOL_I32 && dy.dtype == SOL_BF16 && dtable.dtype == SOL_F32 && dy.cols == dtable.cols);
  if (dy.rows == 0 || dy.cols == 0) return;
  const bool wide = lots_fit (dy, 8) && lots_fit (dtable, 8);
  const int64_t piece = DW_THREADS * (wide ? 8 : 1);
  const dim3 grid ((unsigned) ((dy.rows + GROUP - 1) / GROUP), (unsigned) ((dy.cols + piece - 1) / piece));
  if (wide) SOL_RUN (q, embed_dw_kernel<8>, grid, dim3 (DW_THREADS), 0, data<int32_t> (ids), dy.rows, data<bf16> (dy), dy.stride, data<float> (dtable), dtable.rows, dy.cols, dtable.stride);
  else SOL_RUN (q, embed_dw_kernel<1>, grid, dim3 (DW_THREADS), 0, data<int32_t> (ids), dy.rows, data<bf16> (dy), dy.stride, data<float> (dtable), dtable.rows, dy.cols, dtable.stride);
}
