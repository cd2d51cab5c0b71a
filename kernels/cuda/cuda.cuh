/* SPDX-License-Identifier: Apache-2.0 */
/* cuda.cuh: what every file of kernels/cuda begins with. One source, two compilers: nvcc makes device code of it; with SOL_EMU defined a host C++ compiler makes a program that runs every CUDA
 * thread as a fiber (kernels/emu). Three things differ between the two and are spelled by macros: a launch, a static and a dynamic shared array. */
#ifndef SOL_CUDA_CUH
#define SOL_CUDA_CUH
#ifdef SOL_EMU
#include "../emu/emu.h"
#else
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <stdint.h>
#define SOL_LAUNCH(kernel, grid, block, bytes, stream, ...) (kernel<<<(grid), (block), (bytes), (stream)>>> (__VA_ARGS__), cudaGetLastError ())
#define SOL_SHARED(type, name) /* SOL_SHARED (float[32], x); */                                                                                                                               \
  using name##_type = type;                                                                                                                                                                  \
  __shared__ name##_type name
#define SOL_DYN_SHARED(type, name)                                                                                                                                                           \
  extern __shared__ __align__ (128) unsigned char sol_dynamic_shared[];                                                                                                                      \
  type *name = reinterpret_cast<type *> (sol_dynamic_shared)
#endif
#include "device.h"
#include <math.h>

typedef __nv_bfloat16 bf16;
static const unsigned ALL_LANES = 0xffffffffu;

__device__ __forceinline__ float to_float (float x) { return x; }
__device__ __forceinline__ float to_float (bf16 x) { return __bfloat162float (x); }
template <class T> __device__ __forceinline__ T from_float (float x);
template <> __device__ __forceinline__ float from_float<float> (float x) { return x; }
template <> __device__ __forceinline__ bf16 from_float<bf16> (float x) { return __float2bfloat16_rn (x); }

/* 16 bytes at once */
template <class T> struct alignas (16) vec {
  static constexpr int N = 16 / sizeof (T);
  T v[N];
};

/* every lane gets the sum or maximum over the warp; all 32 lanes must call. The order of additions is fixed. */
template <class T> __device__ __forceinline__ T warp_sum (T x)
{
#pragma unroll
  for (int o = 16; o > 0; o >>= 1) x += __shfl_xor_sync (ALL_LANES, x, o);
  return x;
}
__device__ __forceinline__ float warp_max (float x)
{
#pragma unroll
  for (int o = 16; o > 0; o >>= 1) x = fmaxf (x, __shfl_xor_sync (ALL_LANES, x, o));
  return x;
}
/* the same over a block of whole warps; room [32] is shared memory, free again when it returns */
template <class T> __device__ __forceinline__ T block_sum (T x, T *room)
{
  const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, n = blockDim.x >> 5;
  x = warp_sum (x);
  if (lane == 0) room[warp] = x;
  __syncthreads ();
  x = warp_sum (lane < n ? room[lane] : T (0));
  __syncthreads (); /* before the next use of room */
  return x;
}
__device__ __forceinline__ float block_max (float x, float *room)
{
  const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, n = blockDim.x >> 5;
  x = warp_max (x);
  if (lane == 0) room[warp] = x;
  __syncthreads ();
  x = warp_max (lane < n ? room[lane] : -INFINITY);
  __syncthreads ();
  return x;
}
#endif
