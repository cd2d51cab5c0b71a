/* SPDX-License-Identifier: Apache-2.0 */
/* rmsnorm.cu: RMSNorm and its gradients. A row belongs to a team: 8 to 32 lanes where rows are short (heads), a block where they are long. The second look at a row finds it in the first-level
 * cache. */
#include "columns.cuh"
#include "lots.cuh"

static const int NORM_THREADS = 256;

/* TEAM threads of the block have one row; 0: all of them. Every thread of the block must call, also those without a row. */
template <int TEAM> __device__ __forceinline__ float team_sum (float x, float *room)
{
  if constexpr (TEAM == 0) return block_sum (x, room);
  else {
#pragma unroll
    for (int o = TEAM / 2; o > 0; o >>= 1) x += __shfl_xor_sync (ALL_LANES, x, o);
    return x;
  }
}
template <int TEAM> struct team_t {
  static const int SIZE = TEAM ? TEAM : NORM_THREADS;
  int64_t row;
  int rank;
  __device__ __forceinline__ team_t () : row ((int64_t) blockIdx.x * (NORM_THREADS / SIZE) + threadIdx.x / SIZE), rank (threadIdx.x % SIZE) {}
};

template <int N, int TEAM>
__global__ void __launch_bounds__ (NORM_THREADS) rmsnorm_kernel (const bf16 *__restrict__ x, int64_t ldx, const float *__restrict__ w, float eps, bf16 *__restrict__ y, int64_t ldy, float *__restrict__ inv, int64_t rows,
                                                                 int cols)
{
  SOL_SHARED (float[32], room);
  const team_t<TEAM> team;
  const bool there = team.row < rows;
  const bf16 *at = x + team.row * ldx;
  float sum = 0;
  if (there)
#pragma unroll 4
    for (int c = team.rank * N; c < cols; c += team.SIZE * N) {
      float f[N];
      lot_get (f, at + c, cols - c);
#pragma unroll
      for (int i = 0; i < N; i++) sum = fmaf (f[i], f[i], sum);
    }
  sum = team_sum<TEAM> (sum, room);
  if (!there) return;
  const float s = rsqrtf (sum / (float) cols + eps);
  if (inv && team.rank == 0) inv[team.row] = s;
  bf16 *to = y + team.row * ldy;
#pragma unroll 2
  for (int c = team.rank * N; c < cols; c += team.SIZE * N) {
    float f[N], g[N];
    lot_get (f, at + c, cols - c);
    lot_get (g, w + c, cols - c);
#pragma unroll
    for (int i = 0; i < N; i++) f[i] *= s * g[i];
    lot_put (to + c, f, cols - c);
  }
}

/* dx = inv (w dy - x inv^2 mean (w dy x)) */
template <int N, int TEAM>
__global__ void __launch_bounds__ (NORM_THREADS) rmsnorm_dx_kernel (const bf16 *__restrict__ dy, int64_t ld_dy, const bf16 *__restrict__ x, int64_t ldx, const float *__restrict__ w, const float *__restrict__ inv, int accumulate,
                                                                    bf16 *__restrict__ dx, int64_t ld_dx, int64_t rows, int cols)
{
  SOL_SHARED (float[32], room);
  const team_t<TEAM> team;
  const bool there = team.row < rows;
  const bf16 *at = x + team.row * ldx, *d = dy + team.row * ld_dy;
  float sum = 0;
  if (there)
#pragma unroll 2
    for (int c = team.rank * N; c < cols; c += team.SIZE * N) {
      float f[N], g[N], v[N];
      lot_get (f, at + c, cols - c);
      lot_get (v, d + c, cols - c);
      lot_get (g, w + c, cols - c);
#pragma unroll
      for (int i = 0; i < N; i++) sum = fmaf (v[i] * g[i], f[i], sum);
    }
  sum = team_sum<TEAM> (sum, room);
  if (!there) return;
  const float s = inv[team.row], m = sum / (float) cols * s * s;
  bf16 *to = dx + team.row * ld_dx;
  for (int c = team.rank * N; c < cols; c += team.SIZE * N) {
    float f[N], g[N], v[N], was[N];
    lot_get (f, at + c, cols - c);
    lot_get (v, d + c, cols - c);
    lot_get (g, w + c, cols - c);
    if (accumulate) lot_get (was, to + c, cols - c);
#pragma unroll
    for (int i = 0; i < N; i++) {
      f[i] = fmaf (-m, f[i], v[i] * g[i]) * s;
      if (accumulate) f[i] += was[i];
    }
    lot_put (to + c, f, cols - c);
  }
}

/* RUN (N, TEAM) for lots of N elements and rows of that many lots */
#define NORM_BY_SHAPE(wide, cols)                                                                                                                                                             \
  if (!(wide)) {                                                                                                                                                                              \
    if ((cols) <= 256) RUN (1, 32);                                                                                                                                                           \
    else RUN (1, 0);                                                                                                                                                                          \
  } else if ((cols) <= 64) RUN (8, 8);                                                                                                                                                        \
  else if ((cols) <= 128) RUN (8, 16);                                                                                                                                                        \
  else if ((cols) <= 1024) RUN (8, 32);                                                                                                                                                       \
  else RUN (8, 0)

static dim3 norm_grid (int64_t rows, int team)
{
  const int64_t each = team ? NORM_THREADS / team : 1, blocks = (rows + each - 1) / each;
  SOL_REQUIRE (blocks < (int64_t) 1 << 31);
  return dim3 ((unsigned) blocks);
}

extern "C" void sol_cuda_rmsnorm (sol_queue_t *q, sol_tensor_t x, sol_tensor_t w, float eps, sol_tensor_t y, sol_tensor_t inv)
{
  SOL_REQUIRE (x.dtype == SOL_BF16 && y.dtype == SOL_BF16 && w.dtype == SOL_F32 && x.rows == y.rows && x.cols == y.cols && w.cols == x.cols && x.cols < 1 << 30 && x.at != y.at);
  SOL_REQUIRE (inv.at == NULL || (inv.dtype == SOL_F32 && inv.cols >= x.rows));
  if (x.rows == 0 || x.cols == 0) return;
#define RUN(N, TEAM)                                                                                                                                                                          \
  SOL_RUN (q, (rmsnorm_kernel<N, TEAM>), norm_grid (x.rows, TEAM), dim3 (NORM_THREADS), 0, data<bf16> (x), x.stride, data<float> (w), eps, data<bf16> (y), y.stride, data<float> (inv), x.rows, \
           (int) x.cols)
  NORM_BY_SHAPE (lots_fit (x, 8) && lots_fit (w, 8) && lots_fit (y, 8), x.cols);
#undef RUN
}

extern "C" void sol_cuda_rmsnorm_dx (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t x, sol_tensor_t w, sol_tensor_t inv, int accumulate, sol_tensor_t dx)
{
  SOL_REQUIRE (x.dtype == SOL_BF16 && dy.dtype == SOL_BF16 && dx.dtype == SOL_BF16 && w.dtype == SOL_F32 && inv.dtype == SOL_F32 && dy.rows == x.rows && dx.rows == x.rows);
  SOL_REQUIRE (dy.cols == x.cols && dx.cols == x.cols && w.cols == x.cols && inv.cols >= x.rows && x.cols < 1 << 30 && dx.at != dy.at && dx.at != x.at);
  if (x.rows == 0 || x.cols == 0) return;
#define RUN(N, TEAM)                                                                                                                                                                          \
  SOL_RUN (q, (rmsnorm_dx_kernel<N, TEAM>), norm_grid (x.rows, TEAM), dim3 (NORM_THREADS), 0, data<bf16> (dy), dy.stride, data<bf16> (x), x.stride, data<float> (w), data<float> (inv),       \
           accumulate, data<bf16> (dx), dx.stride, x.rows, (int) x.cols)
  NORM_BY_SHAPE (lots_fit (x, 8) && lots_fit (w, 8) && lots_fit (dy, 8) && lots_fit (dx, 8), x.cols);
#undef RUN
}

/* dw [1, C] += sum over rows of dy x inv */
struct norm_term_t {
  template <int N> __device__ static __forceinline__ void add (float (&sum)[N], const float (&dy)[N], const float (&x)[N], float inv)
  {
#pragma unroll
    for (int i = 0; i < N; i++) sum[i] = fmaf (dy[i], x[i] * inv, sum[i]);
  }
  static const bool TWO = true;
};
extern "C" void sol_cuda_rmsnorm_dw (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t x, sol_tensor_t inv, sol_tensor_t dw)
{
  SOL_REQUIRE (dy.dtype == SOL_BF16 && x.dtype == SOL_BF16 && inv.dtype == SOL_F32 && dw.dtype == SOL_F32 && dy.rows == x.rows && dy.cols == x.cols && dw.cols == x.cols && inv.cols >= x.rows);
  columns_add<norm_term_t> (q, dy, x, data<float> (inv), dw);
}
