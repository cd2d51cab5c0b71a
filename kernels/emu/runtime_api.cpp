/* SPDX-License-Identifier: Apache-2.0 */
/* runtime_api.cpp: the part of the CUDA runtime that the backend calls, with NVIDIA's own prototypes. The device is made after an H100. */
#include "stream.h"
#include <stdio.h>

using namespace emu;
#define ENTER std::lock_guard<std::recursive_mutex> hold (api_lock)

/* host-side rules of a copy; kind cudaMemcpyDefault: by the pointers */
static void check_copy (const char *what, void *to, const void *from, size_t n, cudaMemcpyKind kind)
{
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice || (kind == cudaMemcpyDefault && is_device (to));
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice || (kind == cudaMemcpyDefault && is_device (from));
  if (to_device) require_device (what, to, n);
  else require_host (what, to);
  if (from_device) require_device (what, from, n);
  else require_host (what, from);
}
static cudaError_t needs_no_capture () { return capturing () ? error (cudaErrorStreamCaptureUnsupported) : cudaSuccess; }
static bool event_done (const event *e) { return !e->on || e->on->done >= e->seq; }

extern "C" {
/* ---- memory */
/* for tests that hold the figures of plans against it (tests/cuda/test_need.c) */
__attribute__ ((visibility ("default"))) size_t sol_emu_memory_in_use (void)
{
  ENTER;
  return memory_in_use ();
}
cudaError_t cudaMalloc (void **p, size_t n)
{
  ENTER;
  outside ("cudaMalloc");
  return memory_alloc (p, n);
}
cudaError_t cudaFree (void *p)
{
  ENTER;
  outside ("cudaFree");
  if (p) run_all ();
  return memory_free (p);
}
cudaError_t cudaMallocHost (void **p, size_t n)
{
  ENTER;
  outside ("cudaMallocHost");
  return memory_alloc_host (p, n);
}
cudaError_t cudaHostAlloc (void **p, size_t n, unsigned) { return cudaMallocHost (p, n); }
cudaError_t cudaFreeHost (void *p)
{
  ENTER;
  outside ("cudaFreeHost");
  if (p) run_all ();
  return memory_free_host (p);
}
cudaError_t cudaHostRegister (void *, size_t, unsigned)
{
  outside ("cudaHostRegister");
  return cudaSuccess;
}
cudaError_t cudaHostUnregister (void *)
{
  outside ("cudaHostUnregister");
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo (size_t *free_p, size_t *total_p)
{
  ENTER;
  *total_p = setting ().memory;
  *free_p = setting ().memory - memory_in_use ();
  return cudaSuccess;
}
cudaError_t cudaPointerGetAttributes (cudaPointerAttributes *a, const void *p)
{
  ENTER;
  memset (a, 0, sizeof *a);
  a->type = is_device (p) ? cudaMemoryTypeDevice : cudaMemoryTypeUnregistered;
  a->devicePointer = is_device (p) ? const_cast<void *> (p) : nullptr;
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync (void *to, const void *from, size_t n, cudaMemcpyKind kind, cudaStream_t s)
{
  ENTER;
  check_copy ("cudaMemcpyAsync", to, from, n, kind);
  if (kind == cudaMemcpyHostToDevice) outside_pinned ("cudaMemcpyAsync", from, n);
  if (kind == cudaMemcpyDeviceToHost) outside_pinned ("cudaMemcpyAsync", to, n);
  enqueue (s, [=] { memmove (to, from, n); });
  return cudaSuccess;
}
cudaError_t cudaMemcpy (void *to, const void *from, size_t n, cudaMemcpyKind kind)
{
  ENTER;
  outside ("cudaMemcpy");
  if (cudaError_t e = needs_no_capture ()) return e;
  check_copy ("cudaMemcpy", to, from, n, kind);
  enqueue (nullptr, [=] { memmove (to, from, n); });
  return cudaSuccess;
}
cudaError_t cudaMemcpy2DAsync (void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width, size_t height, cudaMemcpyKind kind, cudaStream_t s)
{
  ENTER;
  if (width > to_pitch || width > from_pitch) return error (cudaErrorInvalidPitchValue);
  for (size_t i = 0; i < height; i++) check_copy ("cudaMemcpy2DAsync", (char *) to + i * to_pitch, (const char *) from + i * from_pitch, width, kind);
  enqueue (s, [=] {
    for (size_t i = 0; i < height; i++) memmove ((char *) to + i * to_pitch, (const char *) from + i * from_pitch, width);
  });
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync (void *p, int value, size_t n, cudaStream_t s)
{
  ENTER;
  require_device ("cudaMemsetAsync", p, n);
  enqueue (s, [=] { memset (p, value, n); });
  return cudaSuccess;
}
cudaError_t cudaMemset (void *p, int value, size_t n) /* the host does not wait: device memory */
{
  ENTER;
  outside ("cudaMemset");
  if (cudaError_t e = needs_no_capture ()) return e;
  require_device ("cudaMemset", p, n);
  default_add ([=] { memset (p, value, n); });
  return cudaSuccess;
}
cudaError_t cudaMemset2DAsync (void *p, size_t pitch, int value, size_t width, size_t height, cudaStream_t s)
{
  ENTER;
  for (size_t i = 0; i < height; i++) require_device ("cudaMemset2DAsync", (char *) p + i * pitch, width);
  enqueue (s, [=] {
    for (size_t i = 0; i < height; i++) memset ((char *) p + i * pitch, value, width);
  });
  return cudaSuccess;
}

/* ---- streams and events */
cudaError_t cudaStreamCreateWithPriority (cudaStream_t *s, unsigned flags, int)
{
  ENTER;
  outside ("cudaStreamCreateWithPriority");
  stream *made = stream_new ();
  made->blocking = !(flags & cudaStreamNonBlocking);
  *s = (cudaStream_t) made;
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithFlags (cudaStream_t *s, unsigned flags) { return cudaStreamCreateWithPriority (s, flags, 0); }
cudaError_t cudaStreamCreate (cudaStream_t *s) { return cudaStreamCreateWithPriority (s, 0, 0); }
cudaError_t cudaStreamDestroy (cudaStream_t s)
{
  ENTER;
  outside ("cudaStreamDestroy");
  stream *t = stream_of (s);
  if (!t) return error (cudaErrorInvalidResourceHandle);
  stream_run (t, t->issued);
  t->destroyed = true;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize (cudaStream_t s)
{
  ENTER;
  outside ("cudaStreamSynchronize");
  if (cudaError_t e = needs_no_capture ()) return e;
  stream *t = stream_of (s);
  if (t) stream_run (t, t->issued);
  else run_all ();
  return cudaSuccess;
}
cudaError_t cudaStreamQuery (cudaStream_t s)
{
  ENTER;
  outside ("cudaStreamQuery");
  stream *t = stream_of (s);
  if (!t || t->done == t->issued) return cudaSuccess;
  stream_run (t, t->done + 1); /* who asks again and again gets there */
  return error (cudaErrorNotReady);
}
cudaError_t cudaDeviceSynchronize ()
{
  ENTER;
  outside ("cudaDeviceSynchronize");
  if (cudaError_t e = needs_no_capture ()) return e;
  run_all ();
  return cudaSuccess;
}
cudaError_t cudaLaunchHostFunc (cudaStream_t s, cudaHostFn_t f, void *data)
{
  ENTER;
  operation o;
  o.run = [=] { f (data); };
  stream_add (stream_of (s), std::move (o));
  return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags (cudaEvent_t *e, unsigned)
{
  *e = (cudaEvent_t) new event ();
  return cudaSuccess;
}
cudaError_t cudaEventCreate (cudaEvent_t *e) { return cudaEventCreateWithFlags (e, 0); }
cudaError_t cudaEventDestroy (cudaEvent_t e_)
{
  ENTER;
  outside ("cudaEventDestroy");
  event *e = (event *) e_;
  delete e;
  return cudaSuccess;
}
cudaError_t cudaEventRecord (cudaEvent_t e_, cudaStream_t s)
{
  ENTER;
  event *e = (event *) e_;
  stream *t = stream_of (s);
  operation o;
  const auto time = std::make_shared<double> (0);
  o.run = [time] { *time = clock_now (); };
  o.event = true;
  e->time = time, e->recorded = true, e->on = t, e->seq = t ? t->issued + 1 : 0;
  stream_add (t, std::move (o));
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent (cudaStream_t s, cudaEvent_t e_, unsigned)
{
  ENTER;
  event *e = (event *) e_;
  if (!e->recorded || event_done (e)) return cudaSuccess;
  operation o;
  o.wait = e->on, o.seq = e->seq, o.event = true;
  stream_add (stream_of (s), std::move (o));
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize (cudaEvent_t e_)
{
  ENTER;
  outside ("cudaEventSynchronize");
  event *e = (event *) e_;
  if (e->on) stream_run (e->on, e->seq);
  return cudaSuccess;
}
cudaError_t cudaEventQuery (cudaEvent_t e_)
{
  ENTER;
  outside ("cudaEventQuery");
  event *e = (event *) e_;
  if (event_done (e)) return cudaSuccess;
  stream_run (e->on, e->on->done + 1);
  return error (cudaErrorNotReady);
}
cudaError_t cudaEventElapsedTime (float *ms, cudaEvent_t from_, cudaEvent_t to_)
{
  ENTER;
  event *from = (event *) from_, *to = (event *) to_;
  if (!from->recorded || !to->recorded) return error (cudaErrorInvalidResourceHandle);
  if (!event_done (from) || !event_done (to)) return cudaErrorNotReady;
  *ms = (float) ((*to->time - *from->time) * 1e3);
  return cudaSuccess;
}

/* ---- graphs of one stream */
cudaError_t cudaStreamBeginCapture (cudaStream_t s, cudaStreamCaptureMode)
{
  ENTER;
  stream *t = stream_of (s);
  if (!t || t->capture) return error (cudaErrorStreamCaptureInvalidated);
  t->capture = new graph ();
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture (cudaStream_t s, cudaGraph_t *g)
{
  ENTER;
  stream *t = stream_of (s);
  if (!t || !t->capture) return error (cudaErrorStreamCaptureInvalidated);
  *g = (cudaGraph_t) t->capture;
  t->capture = nullptr;
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate (cudaGraphExec_t *x, cudaGraph_t g, unsigned long long)
{
  *x = (cudaGraphExec_t) new graph (*(graph *) g);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch (cudaGraphExec_t x, cudaStream_t s)
{
  ENTER;
  stream *t = stream_of (s);
  for (const auto &f : ((graph *) x)->operations) {
    operation o;
    o.run = f;
    stream_add (t, std::move (o));
  }
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy (cudaGraph_t g)
{
  delete (graph *) g;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy (cudaGraphExec_t x)
{
  delete (graph *) x;
  return cudaSuccess;
}
} // extern "C"
