/* SPDX-License-Identifier: Apache-2.0 */
/* planted.cu: kernels with a known mistake each, and the same without it. planted NAME bad|good: exit 0 the result is right, 2 it is wrong, 3 the launch was refused; what a checker finds ends it
 * in the checker's way. test_emulator.c runs it and says which checker has to see what. */
#include "../../kernels/cuda/mma.cuh"
#include <cublasLt.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 256 };
static float *x, *y; /* device, N floats each, zeros; y: i % 7 + 1 */
static int *flag;
static float h[2 * N];
static cudaStream_t stream, second;

struct alignas (16) row_t { /* cp.async wants 16 bytes aligned to that */
  float v[N];
};
#define KERNEL(name) template <bool BAD> __global__ void name

/* ---- kernels */
KERNEL (global_write) (float *p, int n)
{
  const int i = (int) (blockIdx.x * blockDim.x + threadIdx.x);
  if (BAD ? i <= n : i < n) p[i] = 1;
}
KERNEL (global_read) (float *p, const float *q, int n)
{
  const int i = (int) threadIdx.x + (BAD ? 1 : 0); /* the last thread is one too far */
  p[threadIdx.x] = q[n - N + i];
}
KERNEL (shared_write) (float *p)
{
  SOL_SHARED (float[32], s);
  s[threadIdx.x + (BAD ? 1 : 0)] = 1;
  __syncthreads ();
  p[threadIdx.x] = s[threadIdx.x + (BAD ? 1 : 0)];
}
KERNEL (dynamic_write) (float *p)
{
  SOL_DYN_SHARED (float, s);
  s[threadIdx.x + (BAD ? 1 : 0)] = 1;
  __syncthreads ();
  p[threadIdx.x] = s[threadIdx.x + (BAD ? 1 : 0)];
}
KERNEL (no_barrier) (float *p)
{
  SOL_SHARED (float[64], s);
  s[threadIdx.x] = (float) threadIdx.x;
  if (!BAD) __syncthreads ();
  p[threadIdx.x] = s[63 - threadIdx.x];
}
KERNEL (no_syncwarp) (float *p)
{
  SOL_SHARED (float[32], s);
  s[threadIdx.x] = (float) threadIdx.x;
  if (BAD) __shfl_xor_sync (ALL_LANES, 1.0f, 1); /* a meeting, but it orders no memory */
  else __syncwarp ();
  p[threadIdx.x] = s[31 - threadIdx.x];
}
KERNEL (reuse) (float *p)
{
  SOL_SHARED (float[2], s);
  float sum = 0;
  for (int k = 0; k < 3; k++) {
    const float v = warp_sum ((float) ((int) threadIdx.x + k));
    if (threadIdx.x % 32 == 0) s[threadIdx.x / 32] = v;
    __syncthreads ();
    sum += s[0] + s[1];
    if (!BAD) __syncthreads ();
  }
  p[threadIdx.x] = sum;
}
KERNEL (block_race) (float *p)
{
  if (threadIdx.x == 0) {
    if (BAD) p[0] += 1;
    else atomicAdd (p, 1.0f);
  }
}
KERNEL (atomic_order) (float *p)
{
  const float v = 0.1f * (float) (blockIdx.x * blockIdx.x + 1);
  if (threadIdx.x) return;
  if (BAD) atomicAdd (p, v); /* the sum depends on the order of blocks */
  else p[blockIdx.x] = v;
}
KERNEL (branch_barrier) (float *p)
{
  if (!BAD || threadIdx.x < 16) __syncthreads ();
  p[threadIdx.x] = 1;
}
KERNEL (two_barriers) (float *p)
{
  if (BAD && threadIdx.x < 16) __syncthreads ();
  else
    __syncthreads ();
  p[threadIdx.x] = 1;
}
KERNEL (returned_lanes) (float *p, int n)
{
  const int i = (int) threadIdx.x;
  if (BAD && i >= n) return;
  p[i] = warp_sum (1.0f);
}
KERNEL (half_meeting) (float *p)
{
  if (!BAD || threadIdx.x % 2) __syncwarp ();
  else
    __syncthreads ();
  p[threadIdx.x] = 1;
}
KERNEL (wrong_mask) (float *p)
{
  p[threadIdx.x] = __shfl_sync (BAD && threadIdx.x > 15 ? 0xffff0000u : ALL_LANES, 1.0f, 0);
}
KERNEL (shared_unset) (float *p)
{
  SOL_SHARED (float[32], s);
  if (!BAD || threadIdx.x < 31) s[threadIdx.x] = 1;
  __syncthreads ();
  p[threadIdx.x] = s[threadIdx.x];
}
KERNEL (no_wait) (float *p, const float *q)
{
  SOL_SHARED (row_t, s);
  const int i = (int) threadIdx.x * 4;
  cp_async (&s.v[i], q + i, true);
  cp_async_commit ();
  if (!BAD) cp_async_wait<0> ();
  __syncthreads ();
  for (int k = 0; k < 4; k++) p[i + k] = s.v[(i + k + 4) % N];
  cp_async_wait<0> ();
}
KERNEL (one_wait_short) (float *p, const float *q)
{
  SOL_SHARED (row_t[2], s);
  const int i = (int) threadIdx.x * 4;
  for (int k = 0; k < 2; k++) {
    cp_async (&s[k].v[i], q + i, true);
    cp_async_commit ();
  }
  cp_async_wait<BAD ? 1 : 0> (); /* 1: the newest group may still be on its way */
  __syncthreads ();
  for (int k = 0; k < 4; k++) p[i + k] = s[1].v[i + k];
  cp_async_wait<0> ();
}
KERNEL (never_waited) (float *p, const float *q)
{
  SOL_SHARED (row_t, s);
  const int i = (int) threadIdx.x * 4;
  cp_async (&s.v[i], q + i, true);
  cp_async_commit ();
  if (!BAD) cp_async_wait<0> ();
  p[threadIdx.x] = 1;
}
KERNEL (async_no_barrier) (float *p, const float *q)
{
  SOL_SHARED (row_t, s);
  const int i = (int) threadIdx.x * 4;
  cp_async (&s.v[i], q + i, true);
  cp_async_commit ();
  cp_async_wait<0> (); /* for this thread's own copies only */
  if (!BAD) __syncthreads ();
  for (int k = 0; k < 4; k++) p[i + k] = s.v[(i + k + 4) % N];
}
KERNEL (early_fetch) (float *p, const float *q)
{
  SOL_SHARED (row_t, s);
  const int i = (int) threadIdx.x * 4;
  float sum[4] = { 0 };
  for (int round = 0; round < 3; round++) {
    cp_async (&s.v[i], q + (i + 4 * round) % N, true); /* bad: into what others still read */
    cp_async_commit ();
    cp_async_wait<0> ();
    __syncthreads ();
    for (int k = 0; k < 4; k++) sum[k] += s.v[(i + k + 4) % N];
    if (!BAD) __syncthreads ();
  }
  for (int k = 0; k < 4; k++) p[i + k] = sum[k];
}
KERNEL (align) (float *p, const float *q)
{
  SOL_SHARED (float[N], narrow); /* wherever the compiler puts it: a multiple of 4 is enough */
  SOL_SHARED (row_t, wide);
  float *s = BAD ? narrow : wide.v;
  const int i = (int) threadIdx.x * 4;
  cp_async (s + i, q + i, true);
  cp_async_commit ();
  cp_async_wait<0> ();
  for (int k = 0; k < 4; k++) p[i + k] = s[i + k];
}
KERNEL (misaligned) (float *p, const float *q)
{
  const float4 v = ((const float4 *) (q + (BAD ? 1 : 0)))[threadIdx.x];
  p[threadIdx.x] = (v.x + v.y + v.z + v.w) * 0 + 1;
}
KERNEL (overflow) (float *p, int rows, int columns)
{
  if (BAD) p[threadIdx.x] = (float) ((rows - 1) * columns + (int) threadIdx.x > 0);
  else p[threadIdx.x] = (float) ((int64_t) (rows - 1) * columns + (int) threadIdx.x > 0);
}
KERNEL (publish) (float *p, int *f)
{
  if (threadIdx.x) return;
  if (blockIdx.x == 0) {
    p[0] = 3;
    if (!BAD) __threadfence ();
    atomicExch (f, 1);
  } else {
    const int there = atomicAdd (f, 0);
    if (!BAD) __threadfence ();
    if (there) p[1] = p[0];
  }
}
KERNEL (large_static) (float *p)
{
  SOL_SHARED (float[BAD ? 13 << 10 : 12 << 10], s);
  s[threadIdx.x] = 1;
  p[threadIdx.x] = s[threadIdx.x];
}
template <bool BAD> __global__ void __launch_bounds__ (64) bounds (float *p)
{
  p[threadIdx.x] = 1;
}
KERNEL (plain) (float *p, int n)
{
  if ((int) threadIdx.x < n) p[threadIdx.x] += 1;
}
struct pointers {
  int n;
  float *p;
};
KERNEL (in_struct) (pointers a)
{
  if ((int) threadIdx.x < a.n) a.p[threadIdx.x] += 1;
}

/* ---- their hosts: what is wrong, by index; -1: nothing */
static void get (int n)
{
  cudaMemcpyAsync (h, x, (size_t) n * 4, cudaMemcpyDeviceToHost, stream);
  cudaStreamSynchronize (stream);
}
template <class F> static int differs (int n, F want)
{
  get (n);
  for (int i = 0; i < n; i++)
    if (!(h[i] == want (i))) {
      fprintf (stderr, "planted: element %d is %g, %g expected\n", i, (double) h[i], (double) want (i));
      return 2;
    }
  return 0;
}
static float one (int) { return 1; }
static float pattern (int i) { return (float) (i % N % 7 + 1); }
#define GO(kernel, grid, block, bytes, ...) SOL_LAUNCH (kernel<BAD>, grid, block, bytes, stream, __VA_ARGS__)

template <bool BAD> static int lt ()
{
  cublasLtHandle_t lib;
  cublasLtMatmulDesc_t how;
  cublasLtMatrixLayout_t a, b, c;
  const uint64_t k = BAD ? 32 : 16; /* A is 16 x k in N floats */
  const float alpha = 1, beta = 0;
  cublasLtCreate (&lib);
  cublasLtMatmulDescCreate (&how, CUBLAS_COMPUTE_32F, CUDA_R_32F);
  cublasLtMatrixLayoutCreate (&a, CUDA_R_32F, 16, k, 16);
  cublasLtMatrixLayoutCreate (&b, CUDA_R_32F, k, 1, (int64_t) k);
  cublasLtMatrixLayoutCreate (&c, CUDA_R_32F, 16, 1, 16);
  if (cublasLtMatmul (lib, how, &alpha, y, a, y, b, &beta, x, c, x, c, nullptr, nullptr, 0, stream)) return 3;
  const int r = differs (16, [] (int i) {
    float s = 0;
    for (int j = 0; j < 16; j++) s += pattern (i + 16 * j) * pattern (j);
    return s;
  });
  cublasLtMatrixLayoutDestroy (a), cublasLtMatrixLayoutDestroy (b), cublasLtMatrixLayoutDestroy (c);
  cublasLtMatmulDescDestroy (how);
  cublasLtDestroy (lib);
  return r;
}
template <bool BAD> static int streams ()
{
  cudaEvent_t e;
  cudaEventCreate (&e);
  GO (plain, 1, 32, 0, x, 32);
  cudaEventRecord (e, stream);
  if (!BAD) cudaStreamWaitEvent (second, e, 0);
  cudaMemcpyAsync (h, x, 128, cudaMemcpyDeviceToHost, second);
  cudaStreamSynchronize (second);
  const int r = h[0] == 1 ? 0 : 2;
  cudaStreamSynchronize (stream);
  cudaEventDestroy (e);
  return r;
}
template <bool BAD> static int early_host ()
{
  GO (plain, 1, 32, 0, x, 32);
  cudaMemcpyAsync (h, x, 128, cudaMemcpyDeviceToHost, stream);
  if (!BAD) cudaStreamSynchronize (stream);
  const int r = h[0] == 1 ? 0 : 2;
  cudaStreamSynchronize (stream);
  return r;
}
/* what an op of the table may not do while it is called */
extern "C" const char *sol_emu_op (const char *name);
template <bool BAD> static int in_op (const char *name)
{
  void *pinned, *more = NULL;
  cudaMallocHost (&pinned, 128);
  memset (pinned, 0, 128);
  sol_emu_op (name);
  const void *from = !strcmp (name, "op_pageable") && BAD ? (const void *) h : pinned;
  cudaMemcpyAsync (x, from, 128, cudaMemcpyHostToDevice, stream);
  if (!strcmp (name, "op_waits") && BAD) cudaStreamSynchronize (stream);
  if (!strcmp (name, "op_allocates") && BAD) cudaMalloc (&more, 64);
  GO (plain, 1, 32, 0, x, 32);
  sol_emu_op (NULL);
  cudaStreamSynchronize (stream);
  cudaFreeHost (pinned);
  cudaFree (more);
  return differs (32, one);
}
template <bool BAD> static int freed ()
{
  float *p;
  cudaMalloc ((void **) &p, 1024);
  cudaMemset (p, 0, 1024);
  if (BAD) cudaFree (p);
  if (BAD) SOL_LAUNCH (in_struct<true>, 1, 32, 0, stream, pointers{ 32, p });
  else GO (plain, 1, 32, 0, p, 32);
  cudaStreamSynchronize (stream);
  if (!BAD) cudaFree (p);
  return 0;
}
template <bool BAD> static int unset ()
{
  float *p;
  cudaMalloc ((void **) &p, 128);
  if (!BAD) cudaMemset (p, 0, 128);
  GO (plain, 1, 32, 0, p, 32);
  cudaMemcpy (x, p, 128, cudaMemcpyDeviceToDevice);
  cudaFree (p);
  return differs (32, one);
}
template <bool BAD> static int run (const char *name)
{
#define IS(s) (!strcmp (name, s))
  if (IS ("global_write")) return GO (global_write, 3, 128, 0, x, N), differs (N, one);
  if (IS ("global_read")) return GO (global_read, 1, N, 0, x, y, N), differs (N - 1, [] (int i) { return pattern (BAD ? i + 1 : i); });
  if (IS ("shared_write")) return GO (shared_write, 1, 32, 0, x), differs (32, one);
  if (IS ("dynamic_write")) return GO (dynamic_write, 1, 32, 128, x), differs (32, one);
  if (IS ("no_barrier")) return GO (no_barrier, 1, 64, 0, x), differs (64, [] (int i) { return (float) (63 - i); });
  if (IS ("no_syncwarp")) return GO (no_syncwarp, 1, 32, 0, x), differs (32, [] (int i) { return (float) (31 - i); });
  if (IS ("reuse")) return GO (reuse, 1, 64, 0, x), differs (64, [] (int) { return 3.0f * 2016 + 64 + 128; });
  if (IS ("block_race")) return GO (block_race, 8, 32, 0, x), differs (1, [] (int) { return 8.0f; });
  if (IS ("atomic_order")) {
    GO (atomic_order, 64, 32, 0, x);
    float sum = 0;
    for (int i = 0; i < 64; i++) sum += 0.1f * (float) (i * i + 1);
    get (64);
    for (int i = 1; !BAD && i < 64; i++) h[0] += h[i];
    return h[0] == sum ? 0 : 2;
  }
  if (IS ("branch_barrier")) return GO (branch_barrier, 1, 32, 0, x), differs (32, one);
  if (IS ("two_barriers")) return GO (two_barriers, 1, 32, 0, x), differs (32, one);
  if (IS ("returned_lanes")) return GO (returned_lanes, 1, 32, 0, x, 20), differs (32, [] (int) { return 32.0f; });
  if (IS ("half_meeting")) return GO (half_meeting, 1, 32, 0, x), differs (32, one);
  if (IS ("wrong_mask")) return GO (wrong_mask, 1, 32, 0, x), differs (32, one);
  if (IS ("shared_unset")) return GO (shared_unset, 1, 32, 0, x), differs (32, one);
  if (IS ("no_wait")) return GO (no_wait, 1, N / 4, 0, x, y), differs (N, [] (int i) { return pattern (i + 4); });
  if (IS ("one_wait_short")) return GO (one_wait_short, 1, N / 4, 0, x, y), differs (N, pattern);
  if (IS ("never_waited")) return GO (never_waited, 1, N / 4, 0, x, y), differs (N / 4, one);
  if (IS ("async_no_barrier")) return GO (async_no_barrier, 1, N / 4, 0, x, y), differs (N, [] (int i) { return pattern (i + 4); });
  if (IS ("early_fetch")) return GO (early_fetch, 1, N / 4, 0, x, y), differs (N, [] (int i) { return pattern (i + 4) + pattern (i + 8) + pattern (i + 12); });
  if (IS ("align")) return GO (align, 1, N / 4, 0, x, y), differs (N, pattern);
  if (IS ("misaligned")) return GO (misaligned, 1, 32, 0, x, y), differs (32, one);
  if (IS ("overflow")) return GO (overflow, 1, 32, 0, x, 300000, 152064), differs (32, one);
  if (IS ("publish")) return GO (publish, 2, 32, 0, x, flag), differs (1, [] (int) { return 3.0f; });
  if (IS ("large_static")) return GO (large_static, 1, 32, 0, x), differs (32, one);
  if (IS ("large_dynamic")) return GO (dynamic_write, 1, 32, BAD ? 60 << 10 : 132, x) ? 3 : 0;
  if (IS ("large_block")) return GO (plain, 1, BAD ? 1056 : 1024, 0, x, 32) ? 3 : 0;
  if (IS ("bounds")) return GO (bounds, 1, BAD ? 128 : 64, 0, x) ? 3 : 0;
  if (IS ("host_pointer")) return GO (plain, 1, 32, 0, BAD ? h : x, 32), 0;
  if (IS ("host_in_struct")) {
    float local[32] = { 0 };
    return GO (in_struct, 1, 32, 0, pointers{ 32, BAD ? local : x }), differs (32, one);
  }
  if (IS ("host_access")) {
    if (BAD) x[3] = 1;
    return 0;
  }
  if (IS ("long_copy")) return cudaMemcpyAsync (x, y, BAD ? N * 4 + 4 : N * 4, cudaMemcpyDeviceToDevice, stream), differs (N, pattern);
  if (IS ("lt")) return lt<BAD> ();
  if (IS ("streams")) return streams<BAD> ();
  if (IS ("early_host")) return early_host<BAD> ();
  if (!strncmp (name, "op_", 3)) return in_op<BAD> (name);
  if (IS ("freed")) return freed<BAD> ();
  if (IS ("unset")) return unset<BAD> ();
  fprintf (stderr, "planted: no \"%s\"\n", name);
  return 9;
}

int main (int argc, char **argv)
{
  if (argc != 3) return 9;
  cudaMalloc ((void **) &x, N * 4);
  cudaMalloc ((void **) &y, N * 4);
  cudaMalloc ((void **) &flag, 4);
  cudaStreamCreate (&stream);
  cudaStreamCreate (&second);
  for (int i = 0; i < N; i++) h[i] = pattern (i);
  cudaMemcpy (y, h, sizeof (float) * N, cudaMemcpyHostToDevice);
  cudaMemset (x, 0, N * 4);
  cudaMemset (flag, 0, 4);
  memset (h, 0, sizeof h);
  const int r = strcmp (argv[2], "bad") ? run<false> (argv[1]) : run<true> (argv[1]);
  cudaDeviceSynchronize ();
  cudaFree (x), cudaFree (y), cudaFree (flag);
  return r;
}
