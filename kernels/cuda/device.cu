/* SPDX-License-Identifier: Apache-2.0 */
/* device.cu: an open device: its memory, three streams and their order. */
#include "cuda.cuh"
#include "device_internal.h"
#include "device_open.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAPABILITY = 80 };
#ifdef SOL_HAVE_NCCL
#define LEARNERS ""
#else
#define LEARNERS "; built without NCCL: one learner"
#endif

void sol_cuda_bug (const char *file, int line, const char *what)
{
  fprintf (stderr, "solera: error in the program: %s:%d: expected %s\n", file, line, what);
  abort ();
}

void sol_cuda_fail (sol_queue_t *q, sol_status_t st, const char *format, ...)
{
  va_list ap;
  if (q->error != SOL_OK) return;
  q->error = st;
  va_start (ap, format);
  vsnprintf (q->text, sizeof q->text, format, ap);
  va_end (ap);
}

/* faults of a kernel are told by whatever call comes next, and by every one after that */
static bool late (cudaError_t e)
{
  switch (e) {
  case cudaErrorIllegalAddress:
  case cudaErrorMisalignedAddress:
  case cudaErrorInvalidAddressSpace:
  case cudaErrorInvalidPc:
  case cudaErrorIllegalInstruction:
  case cudaErrorHardwareStackError:
  case cudaErrorAssert:
  case cudaErrorLaunchTimeout:
  case cudaErrorLaunchFailure: return true;
  default: return false;
  }
}

void sol_cuda_note (sol_queue_t *q, cudaError_t e, const char *what)
{
  if (late (e)) sol_cuda_fail (q, SOL_ERR_DEVICE, "%s, noticed at: %s (this or an op before it; CUDA_LAUNCH_BLOCKING=1 names the one)", cudaGetErrorString (e), what);
  else if (e != cudaSuccess) sol_cuda_fail (q, SOL_ERR_DEVICE, "%s: %s", what, cudaGetErrorString (e));
}

/* one line why no device can run this, or what it would run on */
int sol_device_probe (char *text, size_t n)
{
  int devices = 0, major = 0, minor = 0, driver = 0, runtime = 0;
  cudaError_t e = cudaGetDeviceCount (&devices);
  if (e == cudaErrorInsufficientDriver) {
    driver = runtime = 0;
    if (cudaDriverGetVersion (&driver) != cudaSuccess || driver == 0) snprintf (text, n, "no NVIDIA driver");
    else {
      cudaRuntimeGetVersion (&runtime);
      snprintf (text, n, "the NVIDIA driver is too old: it knows CUDA %d.%d, CUDA %d.%d is needed", driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
    }
    return 0;
  }
  if (e == cudaErrorNoDevice || (e == cudaSuccess && devices < 1)) {
    snprintf (text, n, "no CUDA device (CUDA_VISIBLE_DEVICES=%s)", getenv ("CUDA_VISIBLE_DEVICES") ? getenv ("CUDA_VISIBLE_DEVICES") : "not set");
    return 0;
  }
  if (e == cudaSuccess) e = cudaDeviceGetAttribute (&major, cudaDevAttrComputeCapabilityMajor, 0);
  if (e == cudaSuccess) e = cudaDeviceGetAttribute (&minor, cudaDevAttrComputeCapabilityMinor, 0);
  if (e != cudaSuccess) {
    snprintf (text, n, "%s", cudaGetErrorString (e));
    return 0;
  }
  if (major * 10 + minor < CAPABILITY) {
    snprintf (text, n, "the device has compute capability %d.%d, 8.0 is needed", major, minor);
    return 0;
  }
#ifdef SOL_EMU
  snprintf (text, n, "every CUDA thread a fiber on this host, for tests" LEARNERS);
#else
  snprintf (text, n, "%d device%s of compute capability %d.%d" LEARNERS, devices, devices > 1 ? "s" : "", major, minor);
#endif
  return 1;
}

/* a device's UUID, not its index, which is each rank's own where CUDA_VISIBLE_DEVICES differs */
int sol_device_count (int index, char *text, size_t n)
{
  int devices = 0;
  cudaDeviceProp p;
  snprintf (text, n, "?");
#ifdef SOL_EMU
  if (!getenv ("SOL_EMU_DEVICES")) return 0; /* every rank has its own */
#endif
  if (cudaGetDeviceCount (&devices) != cudaSuccess || devices < 1 || cudaGetDeviceProperties (&p, index % devices) != cudaSuccess) return 0;
  for (size_t i = 0; i < sizeof p.uuid.bytes && 2 * i + 3 <= n; i++) snprintf (text + 2 * i, 3, "%02x", (unsigned char) p.uuid.bytes[i]);
  return devices;
}

void sol_device_close (void *device)
{
  struct sol_device *d = (struct sol_device *) device;
  if (!d) return;
  for (int i = 0; i < SOL_SHAPES; i++) sol_shape_destroy (&d->shape[i]);
  if (d->preference) cublasLtMatmulPreferenceDestroy (d->preference);
  if (d->lt) cublasLtDestroy (d->lt);
  if (d->workspace) cudaFree (d->workspace);
  for (int i = 0; i < 3; i++)
    if (d->queue[i].stream) cudaStreamDestroy (d->queue[i].stream);
  free (d);
}

static sol_status_t refuse (struct sol_device *d, const char *what, const char *why)
{
  char text[300];
  snprintf (text, sizeof text, "device %d: %s: %s", d->index, what, why);
  const sol_status_t st = d->host->fail (SOL_ERR_DEVICE, "cuda", text);
  sol_device_close (d);
  return st;
}

static void describe (struct sol_device *d, int major, int minor)
{
#ifdef SOL_EMU
  (void) major, (void) minor;
  snprintf (d->text, sizeof d->text, "emu (CUDA code on this host)");
#else
  cudaDeviceProp p;
  const int known = cudaGetDeviceProperties (&p, d->index) == cudaSuccess;
  snprintf (d->text, sizeof d->text, "cuda (device %d: %.60s, sm_%d%d, %.1f GiB)", d->index, known ? p.name : "?", major, minor, known ? (double) p.totalGlobalMem / (1 << 30) : 0.0);
#endif
}

sol_status_t sol_device_open (const sol_plugin_host_t *host, int index, void **device_p)
{
  struct sol_device *d = (struct sol_device *) calloc (1, sizeof *d);
  int major = 0, minor = 0, devices = 0;
  cudaError_t e;
  if (!d) return host->fail (SOL_ERR_MEMORY, "cuda", "no memory for a device");
  d->host = host;
  e = cudaGetDeviceCount (&devices);
  d->index = devices > 0 ? index % devices : 0; /* ranks of a host take its devices in turn */
  if (e == cudaSuccess) e = cudaSetDevice (d->index);
  if (e == cudaSuccess) e = cudaDeviceGetAttribute (&major, cudaDevAttrComputeCapabilityMajor, d->index);
  if (e == cudaSuccess) e = cudaDeviceGetAttribute (&minor, cudaDevAttrComputeCapabilityMinor, d->index);
  if (e == cudaSuccess) e = cudaDeviceGetAttribute (&d->sms, cudaDevAttrMultiProcessorCount, d->index);
  if (e == cudaSuccess && major * 10 + minor < CAPABILITY) return refuse (d, "compute capability", "8.0 or more is needed"); /* probe has looked at the first device only */
  for (int i = 0; i < 3 && e == cudaSuccess; i++) {
    d->queue[i].device = d;
    e = cudaStreamCreateWithFlags (&d->queue[i].stream, cudaStreamNonBlocking);
  }
  d->workspace_bytes = SOL_CUDA_WORKSPACE;
  if (e == cudaSuccess) e = cudaMalloc (&d->workspace, d->workspace_bytes);
  if (e != cudaSuccess) return refuse (d, "opening", cudaGetErrorString (e));
  if (cublasLtCreate (&d->lt) != CUBLAS_STATUS_SUCCESS) return refuse (d, "cublasLtCreate", "cuBLASLt cannot start");
  /* a sum over k that is parted among blocks may otherwise be added up in the type of the result: bf16 */
  const uint32_t sums = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
  if (cublasLtMatmulPreferenceCreate (&d->preference) != CUBLAS_STATUS_SUCCESS ||
      cublasLtMatmulPreferenceSetAttribute (d->preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &sums, sizeof sums) != CUBLAS_STATUS_SUCCESS ||
      cublasLtMatmulPreferenceSetAttribute (d->preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &d->workspace_bytes, sizeof d->workspace_bytes) != CUBLAS_STATUS_SUCCESS)
    return refuse (d, "cublasLtMatmulPreferenceCreate", "failed");
  describe (d, major, minor);
  *device_p = d;
  return SOL_OK;
}

const char *sol_device_describe (void *device) { return ((struct sol_device *) device)->text; }
sol_queue_t *sol_device_queue (void *device, sol_queue_kind_t kind) { return &((struct sol_device *) device)->queue[kind]; }

/* ---- memory */
sol_status_t sol_cuda_alloc (sol_backend_t *b, size_t bytes, const char *what, void **mem_p)
{
  struct sol_device *d = (struct sol_device *) sol_backend_device (b);
  void *mem = NULL;
  cudaError_t e = cudaMalloc (&mem, bytes ? bytes : 64);
  if (e == cudaSuccess) e = cudaMemset (mem, 0, bytes ? bytes : 64);
  if (e == cudaSuccess) e = cudaDeviceSynchronize (); /* the streams do not wait for the default one */
  if (e != cudaSuccess) {
    char text[300];
    size_t left = 0, all = 0;
    cudaGetLastError ();
    cudaMemGetInfo (&left, &all);
    if (mem) cudaFree (mem);
    snprintf (text, sizeof text, "device %d: %s: %.1f MiB: %s (%.1f of %.1f MiB are free)", d->index, what, (double) bytes / (1 << 20), cudaGetErrorString (e), (double) left / (1 << 20), (double) all / (1 << 20));
    return d->host->fail (e == cudaErrorMemoryAllocation ? SOL_ERR_MEMORY : SOL_ERR_DEVICE, "cuda", text);
  }
  *mem_p = mem;
  return SOL_OK;
}

void sol_cuda_free (sol_backend_t *b, void *mem)
{
  (void) b;
  cudaFree (mem);
}

sol_status_t sol_cuda_host_take (sol_backend_t *b, size_t bytes, const char *what, void **mem_p)
{
  struct sol_device *d = (struct sol_device *) sol_backend_device (b);
  void *mem = NULL;
  const cudaError_t e = cudaHostAlloc (&mem, bytes ? bytes : 64, cudaHostAllocDefault);
  if (e != cudaSuccess) {
    char text[300];
    cudaGetLastError ();
    snprintf (text, sizeof text, "device %d: %s: %.1f MiB of pinned host memory: %s (is ulimit -l, or the container's, too low?)", d->index, what, (double) bytes / (1 << 20), cudaGetErrorString (e));
    return d->host->fail (e == cudaErrorMemoryAllocation ? SOL_ERR_MEMORY : SOL_ERR_DEVICE, "cuda", text);
  }
  memset (mem, 0, bytes ? bytes : 64);
  *mem_p = mem;
  return SOL_OK;
}

void sol_cuda_host_give (sol_backend_t *b, void *mem)
{
  (void) b;
  cudaFreeHost (mem);
}

static void copy_bytes (sol_queue_t *q, void *dst, const void *src, size_t bytes, cudaMemcpyKind kind, const char *what)
{
  if (bytes) sol_cuda_note (q, cudaMemcpyAsync (dst, src, bytes, kind, q->stream), what);
}
void sol_cuda_put (sol_queue_t *q, void *dst, const void *host, size_t bytes)
{
  SOL_REQUIRE (!q->recording); /* the host's bytes would be read at every run */
  copy_bytes (q, dst, host, bytes, cudaMemcpyHostToDevice, "copy to the device");
}
void sol_cuda_get (sol_queue_t *q, void *host, const void *src, size_t bytes)
{
  SOL_REQUIRE (!q->recording);
  copy_bytes (q, host, src, bytes, cudaMemcpyDeviceToHost, "copy from the device");
}
void sol_cuda_copy (sol_queue_t *q, void *dst, const void *src, size_t bytes) { copy_bytes (q, dst, src, bytes, cudaMemcpyDeviceToDevice, "copy on the device"); }
void sol_cuda_zero (sol_queue_t *q, void *dst, size_t bytes)
{
  if (bytes) sol_cuda_note (q, cudaMemsetAsync (dst, 0, bytes, q->stream), "zero");
}

/* ---- order */
/* the first error of q, told once */
static sol_status_t tell (sol_queue_t *q)
{
  if (q->error == SOL_OK) return SOL_OK;
  char text[440];
  snprintf (text, sizeof text, "device %d: %s", q->device->index, q->text);
  const sol_status_t st = q->device->host->fail (q->error, "cuda", text);
  q->error = SOL_OK;
  return st;
}

sol_status_t sol_cuda_sync (sol_queue_t *q)
{
  SOL_REQUIRE (!q->recording);
  if (q->group) q->watch (q);
  sol_cuda_note (q, cudaStreamSynchronize (q->stream), "a kernel or copy on the device");
  return tell (q);
}

sol_status_t sol_cuda_event_create (sol_backend_t *b, sol_event_t **event_p)
{
  struct sol_device *d = (struct sol_device *) sol_backend_device (b);
  sol_event_t *e = (sol_event_t *) calloc (1, sizeof *e);
  const cudaError_t err = e ? cudaEventCreateWithFlags (&e->event, cudaEventDisableTiming) : cudaErrorMemoryAllocation;
  if (err != cudaSuccess) {
    free (e);
    return d->host->fail (SOL_ERR_DEVICE, "cuda", cudaGetErrorString (err));
  }
  *event_p = e;
  return SOL_OK;
}

void sol_cuda_event_destroy (sol_backend_t *b, sol_event_t *e)
{
  (void) b;
  if (!e) return;
  cudaEventDestroy (e->event);
  free (e);
}
void sol_cuda_record (sol_queue_t *q, sol_event_t *e) { sol_cuda_note (q, cudaEventRecord (e->event, q->stream), "record an event"); }
void sol_cuda_wait (sol_queue_t *q, sol_event_t *e) { sol_cuda_note (q, cudaStreamWaitEvent (q->stream, e->event, 0), "wait for an event"); }

/* ---- graphs */
void sol_cuda_graph_begin (sol_queue_t *q)
{
  SOL_REQUIRE (!q->recording);
  q->recording = 1;
  sol_cuda_note (q, cudaStreamBeginCapture (q->stream, cudaStreamCaptureModeThreadLocal), "begin a graph");
}

sol_status_t sol_cuda_graph_end (sol_queue_t *q, sol_graph_t **graph_p)
{
  cudaGraph_t kept = NULL;
  sol_graph_t *g = (sol_graph_t *) calloc (1, sizeof *g);
  SOL_REQUIRE (q->recording);
  q->recording = 0;
  sol_cuda_note (q, cudaStreamEndCapture (q->stream, &kept), "end a graph");
  if (!g) sol_cuda_fail (q, SOL_ERR_MEMORY, "no memory for a graph");
  if (q->error == SOL_OK) sol_cuda_note (q, cudaGraphInstantiate (&g->run, kept, 0), "make a graph");
  if (kept) cudaGraphDestroy (kept);
  const sol_status_t st = tell (q);
  if (st == SOL_OK) *graph_p = g;
  else free (g);
  return st;
}

void sol_cuda_graph_run (sol_queue_t *q, sol_graph_t *g)
{
  SOL_REQUIRE (!q->recording);
  sol_cuda_note (q, cudaGraphLaunch (g->run, q->stream), "run a graph");
}

void sol_cuda_graph_destroy (sol_backend_t *b, sol_graph_t *g)
{
  (void) b;
  if (!g) return;
  cudaGraphExecDestroy (g->run);
  free (g);
}

/* of a launch: the kernel's name alone does not tell which call of it */
void sol_cuda_note_launch (sol_queue_t *q, cudaError_t e, const char *kernel, dim3 grid, dim3 block)
{
  char text[200];
  if (e == cudaSuccess) return;
  snprintf (text, sizeof text, "%.120s, %u x %u x %u blocks of %u threads", kernel, grid.x, grid.y, grid.z, block.x * block.y * block.z);
  sol_cuda_note (q, e, text);
}
