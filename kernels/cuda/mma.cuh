/* SPDX-License-Identifier: Apache-2.0 */
/* mma.cuh: products of 16 x 8 x 16 on tensor cores, reads of their fragments and asynchronous copies into shared memory. Every function has two bodies: PTX, and for SOL_EMU the
 * emulator's, which follows the PTX manual's layout of fragments over the lanes of a warp. All 32 lanes must call.
 * Lane l = 4 g + t holds of an accumulator d: rows g (d[0], d[1]) and g + 8 (d[2], d[3]), columns 2 t, 2 t + 1. */
#ifndef SOL_CUDA_MMA_CUH
#define SOL_CUDA_MMA_CUH
#include "cuda.cuh"
#include <string.h>

#ifdef SOL_EMU
static inline void mma_bf16 (float (&d)[4], const uint32_t (&a)[4], const uint32_t *b) { emu::mma_m16n8k16_bf16 (d, a, b); }
static inline void ldmatrix (uint32_t (&r)[4], const void *p) { emu::ldmatrix (r, 4, false, p); }
static inline void ldmatrix_trans (uint32_t (&r)[4], const void *p) { emu::ldmatrix (r, 4, true, p); }
static inline void cp_async (void *to, const void *from, bool there) { emu::cp_async (to, from, 16, there ? 16 : 0); }
static inline void cp_async_commit () { emu::cp_commit (); }
template <int N> static inline void cp_async_wait () { emu::cp_wait (N); }
static inline float exp2_fast (float x) { return exp2f (x); }
#else
/* d [16, 8] += a [16, 16] b [16, 8]: a by rows, b (two registers) by columns */
__device__ __forceinline__ void mma_bf16 (float (&d)[4], const uint32_t (&a)[4], const uint32_t *b)
{
  asm volatile ("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
/* four matrices of 8 x 8; lane l gives the address of row l % 8 of matrix l / 8 and gets of each matrix row l / 4, columns 2 (l % 4) and the next; _trans: of its transpose */
__device__ __forceinline__ void ldmatrix (uint32_t (&r)[4], const void *p)
{
  const uint32_t at = (uint32_t) __cvta_generic_to_shared (p);
  asm volatile ("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(at) : "memory");
}
__device__ __forceinline__ void ldmatrix_trans (uint32_t (&r)[4], const void *p)
{
  const uint32_t at = (uint32_t) __cvta_generic_to_shared (p);
  asm volatile ("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(at) : "memory");
}
/* 16 bytes of global into shared memory; zeros where they are not there (from is not read then) */
__device__ __forceinline__ void cp_async (void *to, const void *from, bool there)
{
  const uint32_t at = (uint32_t) __cvta_generic_to_shared (to);
  asm volatile ("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(there ? 16 : 0) : "memory");
}
__device__ __forceinline__ void cp_async_commit () { asm volatile ("cp.async.commit_group;" ::: "memory"); }
/* all but the N youngest groups of this thread have arrived; other threads' copies: after a barrier */
template <int N> __device__ __forceinline__ void cp_async_wait () { asm volatile ("cp.async.wait_group %0;" ::"n"(N) : "memory"); }
/* 2^x in one instruction: 2 units in the last place, below 2^-126 it is 0 */
__device__ __forceinline__ float exp2_fast (float x)
{
  float y;
  asm ("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
#endif

/* two floats as one register of bf16, the first in the lower half */
__device__ __forceinline__ uint32_t pack_bf16 (float lo, float hi)
{
  const __nv_bfloat162 two = __floats2bfloat162_rn (lo, hi);
  uint32_t r;
  memcpy (&r, &two, 4);
  return r;
}
__device__ __forceinline__ float low_bf16 (uint32_t r) { return __uint_as_float (r << 16); }
__device__ __forceinline__ float high_bf16 (uint32_t r) { return __uint_as_float (r & 0xffff0000u); }
/* the accumulators of two neighbouring products [16, 8] as the left operand [16, 16] of the next one */
__device__ __forceinline__ void mma_left (uint32_t (&a)[4], const float (&c0)[4], const float (&c1)[4])
{
  a[0] = pack_bf16 (c0[0], c0[1]), a[1] = pack_bf16 (c0[2], c0[3]);
  a[2] = pack_bf16 (c1[0], c1[1]), a[3] = pack_bf16 (c1[2], c1[3]);
}

/* A tile in shared memory: rows of C elements (16, 32, 64 or 128) in chunks of 16 bytes, whose order within a row is swizzled so that the eight rows of an ldmatrix lie in different banks. */
template <int C> __device__ __forceinline__ int tile_at (int row, int chunk)
{
  constexpr int N = C / 8; /* chunks of a row */
  return row * C + (N >= 8 ? chunk ^ (row & 7) : chunk ^ (row / (8 / (N < 8 ? N : 8)) & (N - 1))) * 8;
}
/* left operand: rows row .. row + 15, columns 16 k .. 16 k + 15 of the tile */
template <int C> __device__ __forceinline__ void tile_left (uint32_t (&a)[4], const bf16 *tile, int row, int k)
{
  const int l = threadIdx.x & 31;
  ldmatrix (a, tile + tile_at<C> (row + (l & 15), 2 * k + (l >> 4)));
}
/* right operands of two products, whose columns are rows row .. row + 7 and row + 8 .. row + 15 of the tile and whose summed axis is its columns 16 k .. 16 k + 15: b[0], b[1] and b[2], b[3] */
template <int C> __device__ __forceinline__ void tile_right (uint32_t (&b)[4], const bf16 *tile, int row, int k)
{
  const int l = threadIdx.x & 31;
  ldmatrix (b, tile + tile_at<C> (row + (l & 7) + (l >> 4) * 8, 2 * k + (l >> 3 & 1)));
}
/* right operands of two products, whose summed axis is rows row .. row + 15 of the tile and whose columns are its columns 16 k .. 16 k + 7 and 16 k + 8 .. 16 k + 15 */
template <int C> __device__ __forceinline__ void tile_right_trans (uint32_t (&b)[4], const bf16 *tile, int row, int k)
{
  const int l = threadIdx.x & 31;
  ldmatrix_trans (b, tile + tile_at<C> (row + (l & 15), 2 * k + (l >> 4)));
}
#endif
