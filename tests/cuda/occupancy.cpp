/* SPDX-License-Identifier: Apache-2.0 */
/* occupancy: how many blocks of a kernel fit on a multiprocessor, by NVIDIA's own header; needs no device. Lines of "arch registers static dynamic threads ..." in, "blocks limit ..." and the
 * line itself out. */
#include <cuda_occupancy.h>
#include <stdio.h>

static cudaOccDeviceProp device (int arch)
{
  cudaOccDeviceProp p;
  p.computeMajor = arch / 10, p.computeMinor = arch % 10;
  p.maxThreadsPerBlock = 1024, p.maxThreadsPerMultiprocessor = 2048;
  p.regsPerBlock = p.regsPerMultiprocessor = 65536, p.warpSize = 32;
  p.sharedMemPerBlock = 49152, p.reservedSharedMemPerBlock = 1024;
  p.sharedMemPerMultiprocessor = arch == 80 ? 167936 : 233472; /* A100; H100, B200 */
  p.sharedMemPerBlockOptin = arch == 80 ? 166912 : 232448;
  p.numSms = arch == 80 ? 108 : arch == 90 ? 132 : 148;
  return p;
}

int main (void)
{
  char line[1024];
  while (fgets (line, sizeof line, stdin)) {
    int arch, registers, fixed, dynamic, threads;
    if (sscanf (line, "%d %d %d %d %d", &arch, &registers, &fixed, &dynamic, &threads) != 5) {
      fprintf (stderr, "occupancy: expected five numbers, found: %s", line);
      return 1;
    }
    const cudaOccDeviceProp p = device (arch);
    cudaOccFuncAttributes a;
    a.maxThreadsPerBlock = 1024, a.numRegs = registers, a.sharedSizeBytes = (size_t) fixed, a.partitionedGCConfig = PARTITIONED_GC_OFF;
    a.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN, a.maxDynamicSharedSizeBytes = p.sharedMemPerBlockOptin - (size_t) fixed, a.numBlockBarriers = 1;
    cudaOccDeviceState s;
    s.cacheConfig = CACHE_PREFER_NONE, s.carveoutConfig = 100;
    cudaOccResult r;
    if (cudaOccMaxActiveBlocksPerMultiprocessor (&r, &p, &a, &s, threads, (size_t) dynamic) != CUDA_OCC_SUCCESS) {
      fprintf (stderr, "occupancy: the header refuses: %s", line);
      return 1;
    }
    const unsigned l = r.limitingFactors;
    printf ("%d %s %s", r.activeBlocksPerMultiprocessor,
            l & OCC_LIMIT_REGISTERS ? "registers" : l & OCC_LIMIT_SHARED_MEMORY ? "shared" : l & OCC_LIMIT_WARPS ? "threads" : "blocks", line);
  }
  return 0;
}
