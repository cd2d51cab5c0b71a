/* SPDX-License-Identifier: Apache-2.0 */
/* attention_decode.cu: attention of one query per span, bound by the bytes of K and V, which are read once for all query heads of a kv head: up to 16 heads are the rows of the tensor cores'
 * left operand. The four warps of a block take every fourth tile of 16 keys, each by copies of its own three deep (no barrier of the block), and are combined in their order at the end. Where
 * spans and heads are too few to fill the device, the keys of each are parted among several blocks, whose sums go through the device's workspace to a second kernel (split-K). Nothing of the
 * launch depends on how long spans are, so a captured graph stays good as they grow. */
#include "attention.cuh"
#include "device_internal.h"

static const int WARPS = ATTENTION_THREADS / 32, KEYS = 16, DEEP = 3, PARTS_MOST = 64;

/* begins to copy keys KEYS * tile .. into the warp's stage, if there are that many */
template <int C> __device__ __forceinline__ void fetch (bf16 *stage, const attention_t &a, const sol_span_t &s, int kv_head, int tile, int n_tiles)
{
  if (tile < n_tiles) {
    const auto row = [&] (int i) { return a.pages ? paged_key_row<true> (a, s, tile * KEYS + i) : key_row (s, tile * KEYS + i); };
    tile_load<C> (stage, KEYS, a.k + kv_head * a.d, a.ldk, a.d, threadIdx.x & 31, 32, row);
    tile_load<C> (stage + KEYS * C, KEYS, a.v + kv_head * a.d, a.ldv, a.d, threadIdx.x & 31, 32, row);
  }
  cp_async_commit (); /* also an empty group: their number tells how far the copies are */
}

/* one warp's tile of keys: scores, running softmax (max of unscaled scores; rows g, g + 8), sums of values */
template <int C>
__device__ __forceinline__ void decode_tile (const bf16 *stage, const uint32_t (&q)[C / 16][4], int n_left, float scale2, float (&max)[2], float (&sum)[2], float (&acc)[C / 8][4])
{
  const int t = threadIdx.x & 3;
  float s[2][4];
  clear (s);
#pragma unroll
  for (int k = 0; k < C / 16; k++) {
    uint32_t b[4];
    tile_right<C> (b, stage, 0, k);
    mma_bf16 (s[0], q[k], b);
    mma_bf16 (s[1], q[k], b + 2);
  }
#pragma unroll
  for (int h = 0; h < 2; h++) {
    float top = max[h];
#pragma unroll
    for (int n = 0; n < 2; n++)
#pragma unroll
      for (int i = 0; i < 2; i++) {
        float &x = s[n][2 * h + i];
        if (n * 8 + 2 * t + i >= n_left) x = -INFINITY;
        top = fmaxf (top, x);
      }
    top = quad_max (top);
    const float keep = exp2_fast ((max[h] - top) * scale2), base = top * scale2;
    float more = 0;
    max[h] = top;
#pragma unroll
    for (int n = 0; n < 2; n++)
#pragma unroll
      for (int i = 2 * h; i < 2 * h + 2; i++) more += s[n][i] = exp2_fast (fmaf (s[n][i], scale2, -base));
    sum[h] = sum[h] * keep + more;
#pragma unroll
    for (int n = 0; n < C / 8; n++) acc[n][2 * h] *= keep, acc[n][2 * h + 1] *= keep;
  }
  uint32_t left[4];
  mma_left (left, s[0], s[1]);
#pragma unroll
  for (int n = 0; n < C / 16; n++) {
    uint32_t b[4];
    tile_right_trans<C> (b, stage + KEYS * C, 0, n);
    mma_bf16 (acc[2 * n], left, b);
    mma_bf16 (acc[2 * n + 1], left, b + 2);
  }
}

/* what a warp leaves for the others; a row has room to spare so that the rows of a store lie in different banks */
template <int C> struct partial_t {
  float acc[16][C + 8], max[16], sum[16];
};

/* what a block of part `part` of `parts` leaves for the second kernel, of each span and head: d sums, then the maximum and the sum of the softmax */
__device__ __forceinline__ float *part_at (const attention_t &a, float *room, int parts, int span, int head, int part)
{
  return room + (((int64_t) span * a.n_heads + head) * parts + part) * (a.d + 8);
}

/* grid: (spans, kv heads, sixteens of their query heads x parts, part fastest) */
template <int C> __global__ void __launch_bounds__ (ATTENTION_THREADS) attention_decode_kernel (attention_t a, int parts, float *room)
{
  SOL_DYN_SHARED (bf16, shared); /* DEEP stages of K, V for each warp; later partial_t of each */
  const sol_span_t s = a.spans[blockIdx.x];
  if (s.n_q == 0) return;
  const int kv_head = blockIdx.y, z = (int) blockIdx.z / parts, part = (int) blockIdx.z % parts, head = kv_head * a.per + z * 16, n_heads = min (16, a.per - z * 16);
  const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, g = lane >> 2, t = lane & 3;
  const int n_keys = s.n_a + s.n_b, all_tiles = (n_keys + KEYS - 1) / KEYS;
  const int first_tile = (int) ((int64_t) all_tiles * part / parts), n_tiles = (int) ((int64_t) all_tiles * (part + 1) / parts); /* of this block: first_tile .. n_tiles - 1 */
  constexpr int STAGE = 2 * KEYS * C;
  bf16 *own = shared + warp * DEEP * STAGE;

#pragma unroll
  for (int i = 0; i < DEEP - 1; i++) fetch<C> (own + i * STAGE, a, s, kv_head, first_tile + warp + i * WARPS, n_tiles);
  uint32_t q[C / 16][4];
#pragma unroll
  for (int k = 0; k < C / 16; k++)
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int row = g + 8 * (i & 1), col = k * 16 + 8 * (i >> 1) + 2 * t;
      q[k][i] = row < n_heads && col < a.d ? *reinterpret_cast<const uint32_t *> (a.q + s.q_row * a.ldq + (head + row) * a.d + col) : 0;
    }
  float acc[C / 8][4], max[2] = { -INFINITY, -INFINITY }, sum[2] = { 0, 0 };
  clear (acc);
  for (int tile = first_tile + warp, slot = 0; tile < n_tiles; tile += WARPS, slot = (slot + 1) % DEEP) {
    cp_async_wait<DEEP - 2> ();
    __syncwarp (); /* the tile is there for all lanes, and none of them uses the one before any more */
    fetch<C> (own + (slot + DEEP - 1) % DEEP * STAGE, a, s, kv_head, tile + (DEEP - 1) * WARPS, n_tiles);
    decode_tile<C> (own + slot * STAGE, q, n_keys - tile * KEYS, a.scale * LOG2E, max, sum, acc);
  }
  __syncthreads (); /* the stages become room for what the warps found; the copies not waited for are empty groups */
  partial_t<C> *found = reinterpret_cast<partial_t<C> *> (shared);
#pragma unroll
  for (int h = 0; h < 2; h++) {
    const float all = quad_sum (sum[h]);
    if (t == 0) found[warp].max[g + 8 * h] = max[h], found[warp].sum[g + 8 * h] = all;
#pragma unroll
    for (int n = 0; n < C / 8; n++) *reinterpret_cast<float2 *> (&found[warp].acc[g + 8 * h][n * 8 + 2 * t]) = make_float2 (acc[n][2 * h], acc[n][2 * h + 1]);
  }
  __syncthreads ();
  for (int i = threadIdx.x; i < n_heads * (a.d / 8); i += ATTENTION_THREADS) {
    const int row = i / (a.d / 8), c = i % (a.d / 8) * 8;
    float top = found[0].max[row], total = 0, out[8] = { 0, 0, 0, 0, 0, 0, 0, 0 };
    for (int w = 1; w < WARPS; w++) top = fmaxf (top, found[w].max[row]);
    for (int w = 0; w < WARPS && top > -INFINITY; w++) { /* a warp without keys: times 2^-inf = 0; a part without keys: zeros */
      const float f = exp2_fast ((found[w].max[row] - top) * (a.scale * LOG2E));
      total += found[w].sum[row] * f;
#pragma unroll
      for (int j = 0; j < 8; j++) out[j] += found[w].acc[row][c + j] * f;
    }
    if (parts > 1) {
      float *to = part_at (a, room, parts, blockIdx.x, head + row, part);
#pragma unroll
      for (int j = 0; j < 8; j += 4) *reinterpret_cast<float4 *> (to + c + j) = make_float4 (out[j], out[j + 1], out[j + 2], out[j + 3]);
      if (c == 0) *reinterpret_cast<float2 *> (to + a.d) = make_float2 (top, total);
      continue;
    }
    const float f = 1 / total;
    *reinterpret_cast<uint4 *> (a.out + s.q_row * a.ld_out + (head + row) * a.d + c) =
      make_uint4 (pack_bf16 (out[0] * f, out[1] * f), pack_bf16 (out[2] * f, out[3] * f), pack_bf16 (out[4] * f, out[5] * f), pack_bf16 (out[6] * f, out[7] * f));
    if (a.stats && c == 0) *reinterpret_cast<float2 *> (a.stats + s.q_row * a.ld_stats + 2 * (head + row)) = make_float2 (top * a.scale + 0.0f, total);
  }
}

/* parts in their order. grid: (spans, heads); a thread has 8 columns. */
__global__ void __launch_bounds__ (32) attention_decode_parts_kernel (attention_t a, int parts, float *room)
{
  const sol_span_t s = a.spans[blockIdx.x];
  const int head = blockIdx.y, c = threadIdx.x * 8;
  if (s.n_q == 0 || c >= a.d) return;
  float top = -INFINITY, total = 0, out[8] = { 0, 0, 0, 0, 0, 0, 0, 0 };
  for (int p = 0; p < parts; p++) top = fmaxf (top, part_at (a, room, parts, blockIdx.x, head, p)[a.d]);
  for (int p = 0; p < parts; p++) {
    const float *from = part_at (a, room, parts, blockIdx.x, head, p);
    const float2 m = *reinterpret_cast<const float2 *> (from + a.d);
    const float4 x = *reinterpret_cast<const float4 *> (from + c), y = *reinterpret_cast<const float4 *> (from + c + 4);
    const float f = exp2_fast ((m.x - top) * (a.scale * LOG2E)), v[8] = { x.x, x.y, x.z, x.w, y.x, y.y, y.z, y.w };
    total += m.y * f;
#pragma unroll
    for (int j = 0; j < 8; j++) out[j] += v[j] * f;
  }
  const float f = 1 / total;
  *reinterpret_cast<uint4 *> (a.out + s.q_row * a.ld_out + head * a.d + c) =
    make_uint4 (pack_bf16 (out[0] * f, out[1] * f), pack_bf16 (out[2] * f, out[3] * f), pack_bf16 (out[4] * f, out[5] * f), pack_bf16 (out[6] * f, out[7] * f));
  if (a.stats && c == 0) *reinterpret_cast<float2 *> (a.stats + s.q_row * a.ld_stats + 2 * head) = make_float2 (top * a.scale + 0.0f, total);
}

/* parts of each span's keys: so many that four blocks come on a multiprocessor, as far as the workspace goes */
static int parts_of (const sol_device *d, const attention_t &a)
{
  const int64_t blocks = (int64_t) a.n_spans * a.n_kv_heads * ((a.per + 15) / 16), bytes = (int64_t) a.n_spans * a.n_heads * (a.d + 8) * (int64_t) sizeof (float);
  int64_t parts = 4 * (int64_t) d->sms / blocks;
  if (parts > PARTS_MOST) parts = PARTS_MOST;
  if (parts * bytes > (int64_t) d->workspace_bytes) parts = (int64_t) d->workspace_bytes / bytes;
  return parts < 2 ? 1 : (int) parts;
}

template <int C> static void run (sol_queue_t *q, const attention_t &a)
{
  const int parts = parts_of (q->device, a);
  float *room = (float *) q->device->workspace;
  const size_t stages = (size_t) WARPS * DEEP * 2 * KEYS * C * sizeof (bf16), partials = WARPS * sizeof (partial_t<C>), bytes = stages > partials ? stages : partials;
  attention_room (q, attention_decode_kernel<C>, bytes, "attention of one query");
  SOL_RUN (q, attention_decode_kernel<C>, dim3 ((unsigned) a.n_spans, (unsigned) a.n_kv_heads, (unsigned) ((a.per + 15) / 16 * parts)), dim3 (ATTENTION_THREADS), bytes, a, parts, room);
  if (parts > 1) SOL_RUN (q, attention_decode_parts_kernel, dim3 ((unsigned) a.n_spans, (unsigned) a.n_heads), dim3 (32), 0, a, parts, room);
}
void sol_cuda_decode_attention (sol_queue_t *q, const attention_t &a)
{
  SOL_REQUIRE (q == &q->device->queue[SOL_QUEUE_COMPUTE]); /* the workspace is this queue's */
  ATTENTION_BY_SIZE (a.d, run, q, a);
}
