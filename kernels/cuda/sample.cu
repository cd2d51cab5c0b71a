/* SPDX-License-Identifier: Apache-2.0 */
/* sample.cu: the next token of each row, by one block of threads, which draws its uniform itself (Philox, the host's bits). The choice is the reference's (kernels/ref/sample.c): inverse CDF in vocabulary order over masses exp (z - M), in double.
 * top_k and top_p need no sort: the smallest logit that is still in is found digit by digit from counts or masses of its digits; masses are integers there (units of 2^-40), so that sums by
 * atomics do not depend on their order. */
#include "cuda.cuh"

enum { THREADS = 256, TILE = 1024, EACH = TILE / THREADS, TILES = 1024, DIGITS = 256 };

typedef unsigned long long u64;
/* what may be chosen: logits of a larger key, and those of this key up to an id */
typedef struct { uint32_t key; int32_t last; } limit_t;
typedef struct {
  u64 count[DIGITS], mass[DIGITS];
  u64 above, reached, total; /* of larger digits; 1: the goal lies in this digit; of all */
  uint32_t prefix;
  int32_t answer;
  double sum[TILES], part[THREADS];
} room_t;

/* a row of logits, tempered as it is read */
struct logits_t {
  const float *at;
  float inv_temp;
  __device__ __forceinline__ float operator[] (int64_t v) const { return __fmul_rn (at[v], inv_temp); }
};

/* the 53-bit uniform of a counter (include/solera/random.h): Philox4x32-10, words 0 and 1 */
__device__ double uniform_of (uint32_t k0, uint32_t k1, const int32_t *counter)
{
  uint32_t c0 = (uint32_t) counter[0], c1 = (uint32_t) counter[1], c2 = (uint32_t) counter[2], c3 = (uint32_t) counter[3];
  for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
    const u64 a = (u64) 0xD2511F53u * c0, b = (u64) 0xCD9E8D57u * c2;
    c0 = (uint32_t) (b >> 32) ^ c1 ^ k0, c2 = (uint32_t) (a >> 32) ^ c3 ^ k1;
    c1 = (uint32_t) b, c3 = (uint32_t) a;
  }
  return (double) (((u64) c1 << 32 | c0) >> 11) * 1.1102230246251565e-16; /* 2^-53 */
}

/* floats in order as unsigned numbers; both zeros are one */
__device__ __forceinline__ uint32_t key_of (float z)
{
  const uint32_t u = __float_as_uint (z + 0.0f);
  return u & 0x80000000u ? ~u : u | 0x80000000u;
}
__device__ __forceinline__ float mass_of (float z, float M) { return expf (z - M); }
__device__ __forceinline__ u64 units_of (float z, float M) { return (u64) ((double) mass_of (z, M) * 1099511627776.0 + 0.5); }
__device__ __forceinline__ bool is_in (limit_t l, uint32_t key, int64_t v) { return key > l.key || (key == l.key && v <= l.last); }

/* the smallest key of what is in and reaches the goal when added up from the largest: a count, or a mass. above: what the larger keys have together. false: all of it does not reach. */
__device__ bool descend (logits_t z, int64_t V, float M, limit_t in, bool by_mass, u64 goal, room_t *r, uint32_t *key_p, u64 *above_p)
{
  u64 above = 0;
  uint32_t prefix = 0;
  for (int shift = 24; shift >= 0; shift -= 8) {
    for (int d = threadIdx.x; d < DIGITS; d += THREADS) r->count[d] = r->mass[d] = 0;
    __syncthreads ();
    for (int64_t v = threadIdx.x; v < V; v += THREADS) {
      const uint32_t key = key_of (z[v]);
      if (!is_in (in, key, v) || (shift < 24 && key >> (shift + 8) != prefix)) continue;
      if (by_mass) atomicAdd (&r->mass[key >> shift & 255], units_of (z[v], M));
      else atomicAdd (&r->count[key >> shift & 255], (u64) 1);
    }
    __syncthreads ();
    if (threadIdx.x == 0) {
      const u64 *of = by_mass ? r->mass : r->count;
      int d = DIGITS - 1;
      while (d >= 0 && above + of[d] < goal) above += of[d--];
      r->reached = d >= 0;
      r->prefix = prefix << 8 | (uint32_t) (d < 0 ? 0 : d);
      r->above = above;
    }
    __syncthreads ();
    if (!r->reached) return false; /* every thread read it before thread 0 writes it again: there is a barrier at the loop's head */
    prefix = r->prefix; /* thread 0 writes these again two barriers on */
    above = r->above;
  }
  *key_p = prefix;
  *above_p = above;
  return true;
}

/* the id of the n-th entry of that key among what is in, n from 1 */
__device__ int32_t nth_of (logits_t z, int64_t V, limit_t in, uint32_t key, u64 n, room_t *r)
{
  u64 before = 0;
  uint32_t prefix = 0;
  for (int shift = 16; shift >= 0; shift -= 8) { /* ids below 2^24 */
    for (int d = threadIdx.x; d < DIGITS; d += THREADS) r->count[d] = 0;
    __syncthreads ();
    for (int64_t v = threadIdx.x; v < V; v += THREADS)
      if (key_of (z[v]) == key && is_in (in, key, v) && (shift == 16 || (uint32_t) v >> (shift + 8) == prefix)) atomicAdd (&r->count[v >> shift & 255], (u64) 1);
    __syncthreads ();
    if (threadIdx.x == 0) {
      int d = 0;
      while (d < DIGITS - 1 && before + r->count[d] < n) before += r->count[d++];
      r->prefix = prefix << 8 | (uint32_t) d;
      r->above = before;
    }
    __syncthreads ();
    prefix = r->prefix;
    before = r->above;
  }
  return (int32_t) prefix;
}

/* keeps what reaches the goal, ties by id */
__device__ limit_t keep (logits_t z, int64_t V, float M, limit_t in, bool by_mass, u64 goal, room_t *r)
{
  uint32_t key;
  u64 above;
  if (!descend (z, V, M, in, by_mass, goal, r, &key, &above)) return in;
  u64 n = goal - above; /* of that key */
  if (by_mass) {
    const float at = __uint_as_float (key & 0x80000000u ? key & 0x7fffffffu : ~key);
    const u64 each = units_of (at, M);
    n = each ? (n + each - 1) / each : 1;
  }
  limit_t l = { key, nth_of (z, V, in, key, n ? n : 1, r) };
  return l;
}

__device__ u64 units_in (logits_t z, int64_t V, float M, limit_t in, room_t *r)
{
  u64 s = 0;
  if (threadIdx.x == 0) r->total = 0;
  __syncthreads ();
  for (int64_t v = threadIdx.x; v < V; v += THREADS)
    if (is_in (in, key_of (z[v]), v)) s += units_of (z[v], M);
  atomicAdd (&r->total, s);
  __syncthreads ();
  return r->total;
}

/* mass of four entries in a row of thread t of tile b, one by one in x */
__device__ __forceinline__ double masses (logits_t z, int64_t V, float M, limit_t in, int64_t b, double *x)
{
  double s = 0;
#pragma unroll
  for (int i = 0; i < EACH; i++) {
    const int64_t v = b * TILE + threadIdx.x * EACH + i;
    x[i] = v < V && is_in (in, key_of (z[v]), v) ? (double) mass_of (z[v], M) : 0.0;
    s += x[i];
  }
  return s;
}

__device__ int32_t inverse_cdf (logits_t z, int64_t V, float M, limit_t in, double u, room_t *r)
{
  const int64_t tiles = (V + TILE - 1) / TILE;
  double x[EACH];
  SOL_SHARED (double[32], warp_room);
  for (int64_t b = 0; b < tiles; b++) {
    const double s = block_sum (masses (z, V, M, in, b, x), warp_room);
    if (threadIdx.x == 0) r->sum[b] = s; /* it alone reads them */
  }
  if (threadIdx.x == 0) { /* the tile in which u falls; when sums rounded down, the last with any mass */
    double total = 0, at = 0;
    int64_t last = 0, found = -1;
    for (int64_t b = 0; b < tiles; b++) total += r->sum[b];
    for (int64_t b = 0; b < tiles && found < 0; b++) {
      if (r->sum[b] > 0) last = b;
      if (at + r->sum[b] > u * total) found = b;
      else at += r->sum[b];
    }
    if (found < 0) {
      found = last;
      at = total - r->sum[last];
    }
    r->prefix = (uint32_t) found;
    r->part[0] = at;
    r->part[1] = u * total;
  }
  __syncthreads ();
  const int64_t b = r->prefix;
  double at = r->part[0];
  const double goal = r->part[1];
  __syncthreads ();
  r->part[threadIdx.x] = masses (z, V, M, in, b, x);
  __syncthreads ();
  if (threadIdx.x == 0) { /* the thread whose entries pass the goal, else the last that has any */
    int found = -1, last = 0;
    double before = at, before_last = at;
    for (int t = 0; t < THREADS && found < 0; t++) {
      if (r->part[t] > 0) last = t, before_last = before;
      if (before + r->part[t] > goal) found = t;
      else before += r->part[t];
    }
    r->answer = found < 0 ? last : found;
    r->sum[0] = found < 0 ? before_last : before;
  }
  __syncthreads ();
  const int owner = r->answer;
  at = r->sum[0];
  __syncthreads ();
  if ((int) threadIdx.x == owner) {
    int pick = -1;
    for (int i = 0; i < EACH; i++) {
      if (x[i] > 0) pick = i;
      if ((at += x[i]) > goal) break;
    }
    r->answer = (int32_t) (b * TILE + owner * EACH + (pick < 0 ? 0 : pick));
  }
  __syncthreads ();
  return r->answer;
}

/* the answer is thread 0's */
__device__ int32_t first_maximum (logits_t z, int64_t V, room_t *r)
{
  float best = -INFINITY;
  int64_t at = V - 1;
  for (int64_t v = threadIdx.x; v < V; v += THREADS)
    if (z[v] > best || v == threadIdx.x) best = z[v], at = v;
  r->part[threadIdx.x] = (double) best;
  r->sum[threadIdx.x] = (double) at;
  __syncthreads ();
  if (threadIdx.x == 0) {
    int w = 0;
    for (int t = 1; t < THREADS && t < V; t++)
      if (r->part[t] > r->part[w] || (r->part[t] == r->part[w] && r->sum[t] < r->sum[w])) w = t;
    r->answer = (int32_t) r->sum[w];
  }
  return threadIdx.x == 0 ? r->answer : 0;
}

__global__ void __launch_bounds__ (THREADS) choose (const float *logits, int64_t ld, int64_t V, const float *partial, float inv_temp, u64 seed, const int32_t *draws, int64_t ld_draws, int greedy, int32_t top_k, double top_p, int32_t *ids)
{
  SOL_SHARED (room_t, room);
  const int64_t row = blockIdx.x;
  const logits_t z = { logits + row * ld, inv_temp };
  const float M = partial[row * 4];
  limit_t in = { 0, 0x7fffffff }; /* everything */
  int32_t id;
  if (greedy) id = first_maximum (z, V, &room);
  else {
    if (top_k > 0 && top_k < V) in = keep (z, V, M, in, false, (u64) top_k, &room);
    if (top_p < 1) {
      const double goal = ceil (top_p * (double) units_in (z, V, M, in, &room));
      in = keep (z, V, M, in, true, goal < 1 ? 1 : (u64) goal, &room);
    }
    id = inverse_cdf (z, V, M, in, uniform_of ((uint32_t) seed, (uint32_t) (seed >> 32), draws + row * ld_draws), &room);
  }
  if (threadIdx.x == 0) ids[row] = id;
}

void sol_cuda_sample (sol_queue_t *q, sol_tensor_t logits, sol_tensor_t partial, float inv_temp, uint64_t seed, sol_tensor_t draws, int greedy, int32_t top_k, double top_p, sol_tensor_t ids)
{
  const int64_t R = ids.cols, V = logits.cols;
  SOL_REQUIRE (logits.dtype == SOL_F32 && logits.rows >= R && (greedy || (draws.dtype == SOL_I32 && draws.rows >= R && draws.cols == 4)) && ids.dtype == SOL_I32 && partial.stride == 4);
  if (V > (int64_t) TILES * TILE) {
    sol_cuda_fail (q, SOL_ERR_LIMIT, "sampling: a vocabulary of %lld, at most %d is expected", (long long) V, TILES * TILE);
    return;
  }
  if (R > 0)
    SOL_RUN (q, choose, (unsigned) R, THREADS, 0, (const float *) (const void *) logits.at, logits.stride, V, (const float *) (const void *) partial.at, inv_temp, (u64) seed, (const int32_t *) (const void *) draws.at,
             draws.stride, greedy,
             top_k, top_p, (int32_t *) (void *) ids.at);
}
