/* SPDX-License-Identifier: Apache-2.0 */
/* columns.cuh: sums over rows, column by column (gradients of biases and of norm weights), in an order that only the shape decides. Blocks stand side by side along the columns; where those
 * are too few to keep a device busy, groups of rows get blocks of their own, leave what they found in a room that belongs to the module, and a second kernel adds the groups in order. */
#ifndef SOL_CUDA_COLUMNS_CUH
#define SOL_CUDA_COLUMNS_CUH
#include "lots.cuh"

static const int COLUMN_THREADS = 256, COLUMN_WARPS = COLUMN_THREADS / 32, COLUMN_ROOM = 1 << 18, COLUMN_BLOCKS = 512;
/* Sums of groups until they are added up. One for each device and each file that includes this; its users are ordered by running on one queue, the compute queue. */
static __device__ float column_room[COLUMN_ROOM];

struct columns_t {
  const bf16 *a, *b;
  const float *scale; /* of each row, or none */
  int64_t rows, cols, lda, ldb, per_group;
  float *out;
  unsigned across; /* blocks along the columns */
  int groups, lanes;
};

/* `lanes` neighbouring lanes take N columns each of one row, the other lanes and warps of the block other rows. TERM: what a row adds. */
template <class TERM, int N> __global__ void __launch_bounds__ (COLUMN_THREADS) columns_kernel (columns_t c)
{
  SOL_SHARED (float[COLUMN_WARPS][32 * N], part);
  const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, mine = lane & (c.lanes - 1), high = 32 / c.lanes;
  const unsigned group = blockIdx.x / c.across, along = blockIdx.x % c.across;
  const int64_t first = ((int64_t) along * c.lanes) * N, col = first + mine * N, from = group * c.per_group, end = min (c.rows, from + c.per_group);
  const int there = col < c.cols ? (int) min ((int64_t) N, c.cols - col) : 0, step = COLUMN_WARPS * high;
  float sum[N];
#pragma unroll
  for (int i = 0; i < N; i++) sum[i] = 0;
  int64_t r = from + warp * high + lane / c.lanes;
  if (there == N)
    for (; r + 3 * step < end; r += 4 * step) { /* four rows on their way */
      float a[4][N], b[4][N], scale[4];
#pragma unroll
      for (int k = 0; k < 4; k++) {
        lot_get (a[k], c.a + (r + k * step) * c.lda + col);
        if (TERM::TWO) lot_get (b[k], c.b + (r + k * step) * c.ldb + col), scale[k] = c.scale[r + k * step];
      }
#pragma unroll
      for (int k = 0; k < 4; k++) TERM::add (sum, a[k], b[k], scale[k]);
    }
  for (; r < end && there > 0; r += step) {
    float a[N], b[N], scale = 0;
    lot_get (a, c.a + r * c.lda + col, there);
    if (TERM::TWO) lot_get (b, c.b + r * c.ldb + col, there), scale = c.scale[r];
    TERM::add (sum, a, b, scale);
  }
  for (int o = 16; o >= c.lanes; o >>= 1)
#pragma unroll
    for (int i = 0; i < N; i++) sum[i] += __shfl_xor_sync (ALL_LANES, sum[i], o);
  if (lane < c.lanes)
#pragma unroll
    for (int i = 0; i < N; i++) part[warp][i * 32 + lane] = sum[i]; /* lanes in different banks */
  __syncthreads ();
  for (int i = threadIdx.x; i < c.lanes * N; i += COLUMN_THREADS) {
    const int at = i % N * 32 + i / N;
    float all = part[0][at];
    if (first + i >= c.cols) break;
#pragma unroll
    for (int w = 1; w < COLUMN_WARPS; w++) all += part[w][at];
    if (c.groups == 1) c.out[first + i] += all;
    else column_room[group * c.cols + first + i] = all;
  }
}

/* a lane for each column; warps take groups warp, warp + 8, ... */
static __global__ void __launch_bounds__ (COLUMN_THREADS) columns_add_kernel (float *out, int64_t cols, int groups)
{
  const int64_t col = (int64_t) blockIdx.x * 32 + (threadIdx.x & 31);
  const int warp = threadIdx.x >> 5;
  SOL_SHARED (float[COLUMN_WARPS][32], part);
  float sum = 0;
  if (col < cols)
    for (int g = warp; g < groups; g += COLUMN_WARPS) sum += column_room[g * cols + col];
  part[warp][threadIdx.x & 31] = sum;
  __syncthreads ();
  if (warp > 0 || col >= cols) return;
#pragma unroll
  for (int w = 1; w < COLUMN_WARPS; w++) sum += part[w][threadIdx.x];
  out[col] += sum;
}

template <class TERM, int N> static void columns_run (sol_queue_t *q, columns_t c)
{
  const int64_t lots = (c.cols + N - 1) / N;
  for (c.lanes = 32; c.lanes > 1 && c.lanes / 2 >= lots;) c.lanes /= 2;
  c.across = (unsigned) ((lots + c.lanes - 1) / c.lanes);
  /* at least 8 rows to a thread, not more groups than there is room for */
  int64_t groups = COLUMN_BLOCKS / c.across, rows_once = COLUMN_WARPS * (32 / c.lanes);
  groups = min (groups, min (c.rows / (rows_once * 8), COLUMN_ROOM / c.cols));
  groups = max (groups, (int64_t) 1);
  c.per_group = (c.rows + groups - 1) / groups;
  c.groups = (int) ((c.rows + c.per_group - 1) / c.per_group);
  SOL_RUN (q, (columns_kernel<TERM, N>), dim3 (c.across * (unsigned) c.groups), dim3 (COLUMN_THREADS), 0, c);
  if (c.groups > 1) SOL_RUN (q, columns_add_kernel, dim3 ((unsigned) ((c.cols + 31) / 32)), dim3 (COLUMN_THREADS), 0, c.out, c.cols, c.groups);
}
/* out [1, n] += sum over rows of TERM (a, b, scale) */
template <class TERM> static void columns_add (sol_queue_t *q, sol_tensor_t a, sol_tensor_t b, const float *scale, sol_tensor_t out)
{
  columns_t c = { data<bf16> (a), data<bf16> (b), scale, a.rows, a.cols, a.stride, b.stride, 0, data<float> (out), 0, 0, 0 };
  if (a.rows == 0 || a.cols == 0) return;
  if (lots_fit (a, 8) && lots_fit (b, 8)) columns_run<TERM, 8> (q, c);
  else columns_run<TERM, 1> (q, c);
}
#endif
