/* SPDX-License-Identifier: Apache-2.0 */
/* lots.cuh: for ops that go through memory once. A row is cut into lots of N elements, one a thread: 8 elements (16 bytes of bf16) where addresses allow, else 1, with neighbouring threads on
 * neighbouring lots either way. The last lot of a row may be part of one. */
#ifndef SOL_CUDA_LOTS_CUH
#define SOL_CUDA_LOTS_CUH
#include "cuda.cuh"

/* N elements as they lie in memory; up to 16 bytes are one access */
template <class T, int N> struct alignas (sizeof (T) * N < 16 ? sizeof (T) * N : 16) lot {
  T v[N];
};

/* the first n of N elements at p as f32, zeros after them */
template <int N, class T> __device__ __forceinline__ void lot_get (float (&f)[N], const T *p, int n = N)
{
  if (n >= N) {
    const lot<T, N> a = *reinterpret_cast<const lot<T, N> *> (p);
#pragma unroll
    for (int i = 0; i < N; i++) f[i] = to_float (a.v[i]);
  } else
#pragma unroll
    for (int i = 0; i < N; i++) f[i] = i < n ? to_float (p[i]) : 0.0f;
}
template <int N, class T> __device__ __forceinline__ void lot_put (T *p, const float (&f)[N], int n = N)
{
  if (n >= N) {
    lot<T, N> a;
#pragma unroll
    for (int i = 0; i < N; i++) a.v[i] = from_float<T> (f[i]);
    *reinterpret_cast<lot<T, N> *> (p) = a;
  } else
#pragma unroll
    for (int i = 0; i < N; i++)
      if (i < n) p[i] = from_float<T> (f[i]);
}
template <int N, class T> __device__ __forceinline__ void lot_copy (T *to, const T *from, int n)
{
  if (n >= N) *reinterpret_cast<lot<T, N> *> (to) = *reinterpret_cast<const lot<T, N> *> (from);
  else
#pragma unroll
    for (int i = 0; i < N; i++)
      if (i < n) to[i] = from[i];
}

/* ---- one thread for each lot of a matrix: blocks of 256 threads stand side by side along a row, several rows high where rows are short */
static const int WALK_THREADS = 256;
typedef struct {
  int64_t rows, cols;
  unsigned across, thin; /* blocks along a row; log2 of a block's threads along a row */
} walk_t;
struct place_t {
  int64_t row, col;
  int n; /* elements there are; 0: none */
};
template <int N> __device__ __forceinline__ place_t walk_place (const walk_t &w)
{
  const unsigned down = blockIdx.x / w.across, along = blockIdx.x % w.across;
  place_t p;
  p.row = ((int64_t) down << (8 - w.thin)) + (threadIdx.x >> w.thin);
  p.col = (((int64_t) along << w.thin) + (threadIdx.x & ((1u << w.thin) - 1))) * N;
  p.n = p.row < w.rows && p.col < w.cols ? (int) min ((int64_t) N, w.cols - p.col) : 0;
  return p;
}
static inline walk_t walk_of (int64_t rows, int64_t cols, int n, unsigned *blocks_p)
{
  const int64_t lots = (cols + n - 1) / n;
  unsigned thin = 0;
  while (thin < 8 && (1 << thin) < lots) thin++;
  const int64_t across = (lots + (1 << thin) - 1) >> thin, down = (rows + (1 << (8 - thin)) - 1) >> (8 - thin);
  SOL_REQUIRE (across * down < (int64_t) 1 << 31);
  *blocks_p = (unsigned) (across * down);
  const walk_t w = { rows, cols, (unsigned) across, thin };
  return w;
}

/* ---- host: what a tensor allows */
/* may every row be read in lots of n elements? */
static inline bool lots_fit (sol_tensor_t t, int n)
{
  const size_t size = sol_dtype_bytes (t.dtype), at_once = size * (size_t) n < 16 ? size * (size_t) n : 16;
  return (uintptr_t) t.at % at_once == 0 && (t.rows <= 1 || (size_t) t.stride * size % at_once == 0);
}
/* rows that follow each other without gaps are one long row */
static inline bool lots_flat (sol_tensor_t t) { return t.rows <= 1 || t.stride == t.cols; }
static inline sol_tensor_t lots_flatten (sol_tensor_t t)
{
  t.cols *= t.rows;
  t.rows = 1;
  t.stride = t.cols;
  return t;
}
template <class T> static inline T *data (sol_tensor_t t) { return reinterpret_cast<T *> (t.at); }
#endif
