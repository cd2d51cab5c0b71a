/* SPDX-License-Identifier: Apache-2.0 */
/* rows.cu: rows taken, put and added by index, sums of matrices and of their columns. */
#include "columns.cuh"
#include "lots.cuh"

/* what lies at x and y is copied as it is: T stands for any type of its size. A row outside of x is read as all bits set (NaN); a row outside of y is not written. */
template <int N, class T>
__global__ void __launch_bounds__ (WALK_THREADS) gather_kernel (walk_t w, const T *__restrict__ x, int64_t ldx, int64_t n_rows, const int32_t *__restrict__ rows, T *__restrict__ y, int64_t ldy)
{
  const place_t p = walk_place<N> (w);
  if (p.n == 0) return;
  const int32_t from = rows[p.row];
  T *to = y + p.row * ldy + p.col;
  if (from >= 0 && from < n_rows) lot_copy<N> (to, x + from * ldx + p.col, p.n);
  else
    for (int i = 0; i < p.n; i++) to[i] = (T) ~(T) 0;
}
template <int N, class T>
__global__ void __launch_bounds__ (WALK_THREADS) scatter_kernel (walk_t w, const T *__restrict__ x, int64_t ldx, const int32_t *__restrict__ rows, T *__restrict__ y, int64_t ldy, int64_t n_rows)
{
  const place_t p = walk_place<N> (w);
  if (p.n == 0) return;
  const int32_t to = rows[p.row];
  if (to >= 0 && to < n_rows) lot_copy<N> (y + to * ldy + p.col, x + p.row * ldx + p.col, p.n);
}

template <int N, class T> static void gather (sol_queue_t *q, sol_tensor_t x, sol_tensor_t rows, sol_tensor_t y)
{
  unsigned blocks;
  const walk_t w = walk_of (y.rows, y.cols, N, &blocks);
  SOL_RUN (q, (gather_kernel<N, T>), dim3 (blocks), dim3 (WALK_THREADS), 0, w, data<T> (x), x.stride, x.rows, data<int32_t> (rows), data<T> (y), y.stride);
}
extern "C" void sol_cuda_gather (sol_queue_t *q, sol_tensor_t x, sol_tensor_t rows, sol_tensor_t y)
{
  SOL_REQUIRE (x.dtype == y.dtype && x.cols == y.cols && rows.dtype == SOL_I32 && (sol_dtype_bytes (x.dtype) == 2 || sol_dtype_bytes (x.dtype) == 4));
  if (y.rows == 0 || y.cols == 0) return;
  const bool half = sol_dtype_bytes (x.dtype) == 2, wide = lots_fit (x, half ? 8 : 4) && lots_fit (y, half ? 8 : 4);
  if (half && wide) gather<8, uint16_t> (q, x, rows, y);
  else if (half) gather<1, uint16_t> (q, x, rows, y);
  else if (wide) gather<4, uint32_t> (q, x, rows, y);
  else gather<1, uint32_t> (q, x, rows, y);
}

template <int N, class T> static void scatter (sol_queue_t *q, sol_tensor_t x, sol_tensor_t rows, sol_tensor_t y)
{
  unsigned blocks;
  const walk_t w = walk_of (x.rows, x.cols, N, &blocks);
  SOL_RUN (q, (scatter_kernel<N, T>), dim3 (blocks), dim3 (WALK_THREADS), 0, w, data<T> (x), x.stride, data<int32_t> (rows), data<T> (y), y.stride, y.rows);
}
extern "C" void sol_cuda_scatter (sol_queue_t *q, sol_tensor_t x, sol_tensor_t rows, sol_tensor_t y)
{
  SOL_REQUIRE (x.dtype == y.dtype && x.cols == y.cols && rows.dtype == SOL_I32 && (sol_dtype_bytes (x.dtype) == 2 || sol_dtype_bytes (x.dtype) == 4));
  if (x.rows == 0 || x.cols == 0) return;
  const bool half = sol_dtype_bytes (x.dtype) == 2, wide = lots_fit (x, half ? 8 : 4) && lots_fit (y, half ? 8 : 4);
  if (half && wide) scatter<8, uint16_t> (q, x, rows, y);
  else if (half) scatter<1, uint16_t> (q, x, rows, y);
  else if (wide) scatter<4, uint32_t> (q, x, rows, y);
  else scatter<1, uint32_t> (q, x, rows, y);
}

/* y[rows[i]] += x[i]; no rows: y[i] += x[i]. Distinct rows, so no two threads meet. */
template <int N, class T>
__global__ void __launch_bounds__ (WALK_THREADS) add_kernel (walk_t w, const T *__restrict__ x, int64_t ldx, const int32_t *__restrict__ rows, T *__restrict__ y, int64_t ldy, int64_t n_rows)
{
  const place_t p = walk_place<N> (w);
  float a[N], b[N];
  if (p.n == 0) return;
  const int64_t to = rows ? rows[p.row] : p.row;
  if (to < 0 || to >= n_rows) return;
  T *at = y + to * ldy + p.col;
  lot_get (a, x + p.row * ldx + p.col, p.n);
  lot_get (b, at, p.n);
#pragma unroll
  for (int i = 0; i < N; i++) b[i] += a[i];
  lot_put (at, b, p.n);
}
template <int N, class T> static void add (sol_queue_t *q, sol_tensor_t x, const int32_t *rows, sol_tensor_t y)
{
  unsigned blocks;
  const walk_t w = walk_of (x.rows, x.cols, N, &blocks);
  SOL_RUN (q, (add_kernel<N, T>), dim3 (blocks), dim3 (WALK_THREADS), 0, w, data<T> (x), x.stride, rows, data<T> (y), y.stride, y.rows);
}
static void add_any (sol_queue_t *q, sol_tensor_t x, const int32_t *rows, sol_tensor_t y)
{
  SOL_REQUIRE (x.dtype == y.dtype && x.cols == y.cols && (x.dtype == SOL_BF16 || x.dtype == SOL_F32));
  if (x.rows == 0 || x.cols == 0) return;
  const bool half = x.dtype == SOL_BF16, wide = lots_fit (x, half ? 8 : 4) && lots_fit (y, half ? 8 : 4);
  if (half && wide) add<8, bf16> (q, x, rows, y);
  else if (half) add<1, bf16> (q, x, rows, y);
  else if (wide) add<4, float> (q, x, rows, y);
  else add<1, float> (q, x, rows, y);
}
extern "C" void sol_cuda_scatter_add (sol_queue_t *q, sol_tensor_t x, sol_tensor_t rows, sol_tensor_t y)
{
  SOL_REQUIRE (rows.dtype == SOL_I32);
  add_any (q, x, data<int32_t> (rows), y);
}
extern "C" void sol_cuda_add (sol_queue_t *q, sol_tensor_t x, sol_tensor_t y)
{
  SOL_REQUIRE (x.rows == y.rows);
  if (lots_flat (x) && lots_flat (y)) x = lots_flatten (x), y = lots_flatten (y);
  add_any (q, x, NULL, y);
}

/* ---- db [1, n] += column sums */
struct column_term_t {
  template <int N> __device__ static __forceinline__ void add (float (&sum)[N], const float (&a)[N], const float (&)[N], float)
  {
#pragma unroll
    for (int i = 0; i < N; i++) sum[i] += a[i];
  }
  static const bool TWO = false;
};
extern "C" void sol_cuda_bias_dw (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t db)
{
  SOL_REQUIRE (dy.dtype == SOL_BF16 && db.dtype == SOL_F32 && db.cols == dy.cols);
  columns_add<column_term_t> (q, dy, dy, NULL, db);
}
