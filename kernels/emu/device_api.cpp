/* SPDX-License-Identifier: Apache-2.0 */
/* device_api.cpp: what the runtime says of devices (one; SOL_EMU_DEVICES: more, in name), of kernels and of errors. */
#include "stream.h"
#include <stdio.h>
#include <stdlib.h>

using namespace emu;
#define ENTER std::lock_guard<std::recursive_mutex> hold (api_lock)

/* asked anew each time: a test has several numbers */
static int devices ()
{
  const char *e = getenv ("SOL_EMU_DEVICES");
  return e && atoi (e) > 1 ? atoi (e) : 1;
}

extern "C" {
cudaError_t cudaGetDeviceCount (int *n)
{
  *n = devices ();
  return cudaSuccess;
}
static int current; /* they differ in nothing but their number */
cudaError_t cudaSetDevice (int d)
{
  if (d < 0 || d >= devices ()) return error (cudaErrorInvalidDevice);
  current = d;
  return cudaSuccess;
}
cudaError_t cudaGetDevice (int *d)
{
  *d = current;
  return cudaSuccess;
}
cudaError_t cudaDeviceReset () { return cudaDeviceSynchronize (); }
cudaError_t cudaDriverGetVersion (int *v)
{
  *v = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion (int *v) { return cudaDriverGetVersion (v); }
cudaError_t cudaDeviceGetStreamPriorityRange (int *least, int *greatest)
{
  *least = 0, *greatest = -5;
  return cudaSuccess;
}
/* few, so that a small test is on both sides of what kernels choose by their number */
enum { MULTIPROCESSORS = 4 };
cudaError_t cudaDeviceGetAttribute (int *v, cudaDeviceAttr a, int device)
{
  if (device < 0 || device >= devices ()) return error (cudaErrorInvalidDevice);
  switch (a) {
  case cudaDevAttrMultiProcessorCount: *v = MULTIPROCESSORS; break;
  case cudaDevAttrComputeCapabilityMajor: *v = 9; break;
  case cudaDevAttrComputeCapabilityMinor: *v = 0; break;
  case cudaDevAttrMaxSharedMemoryPerBlock: *v = (int) STATIC_SHARED; break;
  case cudaDevAttrMaxSharedMemoryPerBlockOptin: *v = (int) SM_SHARED; break;
  case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *v = 228 << 10; break;
  case cudaDevAttrMaxThreadsPerBlock: *v = MAX_THREADS; break;
  case cudaDevAttrMaxThreadsPerMultiProcessor: *v = 2048; break;
  case cudaDevAttrMaxRegistersPerBlock:
  case cudaDevAttrMaxRegistersPerMultiprocessor: *v = 65536; break;
  case cudaDevAttrWarpSize: *v = 32; break;
  case cudaDevAttrL2CacheSize: *v = 50 << 20; break;
  case cudaDevAttrMemoryPoolsSupported: *v = 0; break;
  default: fprintf (stderr, "emu: cudaDeviceGetAttribute (%d) is not known here\n", (int) a); return error (cudaErrorInvalidValue);
  }
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties (cudaDeviceProp *p, int device)
{
  if (device < 0 || device >= devices ()) return error (cudaErrorInvalidDevice);
  memset (p, 0, sizeof *p);
  snprintf (p->name, sizeof p->name, "emulated, as an H100");
  memcpy (p->uuid.bytes, &device, sizeof device);
  p->totalGlobalMem = (size_t) setting ().memory;
  p->major = 9, p->minor = 0;
  p->multiProcessorCount = MULTIPROCESSORS, p->warpSize = 32;
  p->sharedMemPerBlock = STATIC_SHARED, p->sharedMemPerBlockOptin = SM_SHARED, p->sharedMemPerMultiprocessor = 228 << 10;
  p->maxThreadsPerBlock = MAX_THREADS, p->maxThreadsPerMultiProcessor = 2048;
  p->regsPerBlock = p->regsPerMultiprocessor = 65536;
  p->l2CacheSize = 50 << 20;
  return cudaSuccess;
}
cudaError_t cudaFuncSetAttribute (const void *kernel, cudaFuncAttribute a, int v)
{
  ENTER;
  return a == cudaFuncAttributeMaxDynamicSharedMemorySize ? allow_dynamic (kernel, v) : cudaSuccess;
}
cudaError_t cudaGetLastError ()
{
  ENTER;
  return take_error (true);
}
cudaError_t cudaPeekAtLastError ()
{
  ENTER;
  return take_error (false);
}
static const struct {
  cudaError_t e;
  const char *name, *text;
} errors[] = {
  { cudaSuccess, "cudaSuccess", "no error" },
  { cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument" },
  { cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory" },
  { cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument" },
  { cudaErrorInvalidPitchValue, "cudaErrorInvalidPitchValue", "invalid pitch argument" },
  { cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal" },
  { cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle" },
  { cudaErrorNotReady, "cudaErrorNotReady", "device not ready" },
  { cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported", "operation not permitted when stream is capturing" },
  { cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated", "operation failed due to a previous error during capture" },
};
const char *cudaGetErrorString (cudaError_t e)
{
  for (const auto &k : errors)
    if (k.e == e) return k.text;
  return "an error that the emulator does not know";
}
const char *cudaGetErrorName (cudaError_t e)
{
  for (const auto &k : errors)
    if (k.e == e) return k.name;
  return "unknown";
}
} // extern "C"
