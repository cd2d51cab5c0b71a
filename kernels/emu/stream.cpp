/* SPDX-License-Identifier: Apache-2.0 */
/* stream.cpp: streams, events, launches, graphs. What is put into a stream runs when something waits for it and no earlier, and only as much of it as is waited for: the latest that CUDA allows.
 * SOL_EMU_LATE=0: at once. SOL_EMU_EAGER=N: stream N at once, the others late. */
#include "stream.h"
#include <map>
#include <stdio.h>
#include <time.h>

namespace emu {
std::recursive_mutex api_lock;
namespace {
std::vector<stream *> &streams ()
{
  static auto *all = new std::vector<stream *> (); /* streams stay when they are destroyed: events may name them */
  return *all;
}
cudaError_t last;
} // namespace

cudaError_t error (cudaError_t e)
{
  if (e) last = e;
  return e;
}
cudaError_t take_error (bool clear)
{
  const cudaError_t e = last;
  if (clear) last = cudaSuccess;
  return e;
}

stream *stream_new ()
{
  streams ().push_back (new stream ());
  streams ().back ()->number = (int) streams ().size () - 1;
  return streams ().back ();
}
/* NULL, the legacy stream: what is put into it runs at once, everything else before it; but default_add */
stream *stream_of (cudaStream_t s)
{
  stream *t = (stream *) s;
  if (!t) return nullptr;
  for (stream *known : streams ())
    if (known == t) {
      if (t->destroyed) die ("a stream is used after cudaStreamDestroy");
      return t;
    }
  die ("%p is not a stream", (void *) s);
}
/* everything up to the seq-th operation */
void stream_run (stream *s, uint64_t seq)
{
  while (s->done < seq) {
    operation o = std::move (s->queue.front ());
    s->queue.pop_front ();
    if (o.wait) stream_run (o.wait, o.seq);
    else o.run ();
    s->done++;
  }
}
/* what the default stream began and nobody has waited for */
std::vector<std::function<void ()>> &begun ()
{
  static auto *all = new std::vector<std::function<void ()>> ();
  return *all;
}
void run_default ()
{
  while (!begun ().empty ()) {
    const auto f = begun ().front ();
    begun ().erase (begun ().begin ());
    f ();
  }
}
void run_all ()
{
  run_default ();
  for (size_t i = 0; i < streams ().size (); i++) stream_run (streams ()[i], streams ()[i]->issued);
}
bool capturing ()
{
  for (const stream *s : streams ())
    if (s->capture) return true;
  return false;
}
void default_add (std::function<void ()> f)
{
  if (capturing ()) die ("the default stream is used while a stream is captured");
  for (stream *s : streams ())
    if (s->blocking) stream_run (s, s->issued);
  begun ().push_back ([f] {
    memory_open ();
    f ();
    memory_close ();
  });
  if (!setting ().late) run_default ();
}
void stream_add (stream *s, operation o)
{
  if (s && s->blocking) run_default ();
  if (!s) {
    if (capturing ()) die ("the default stream is used while a stream is captured");
    run_all ();
    if (o.wait) stream_run (o.wait, o.seq);
    else o.run ();
    return;
  }
  if (s->capture) {
    if (o.wait || o.event) die ("an event in a captured stream: the emulator knows graphs of one stream only");
    s->capture->operations.push_back (std::move (o.run));
    return;
  }
  s->queue.push_back (std::move (o));
  s->issued++;
  if (!setting ().late || setting ().eager == s->number) stream_run (s, s->issued);
}
void enqueue (cudaStream_t s, std::function<void ()> f)
{
  std::lock_guard<std::recursive_mutex> hold (api_lock);
  operation o;
  o.run = [f] {
    memory_open ();
    f ();
    memory_close ();
  };
  stream_add (stream_of (s), std::move (o));
}

double clock_now ()
{
  struct timespec t;
  clock_gettime (CLOCK_MONOTONIC, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

/* ---- launches */
static std::map<const void *, size_t> &dynamic_most ()
{
  static auto *m = new std::map<const void *, size_t> ();
  return *m;
}
cudaError_t allow_dynamic (const void *kernel, int bytes)
{
  if (bytes < 0 || (size_t) bytes > SM_SHARED) return error (cudaErrorInvalidValue);
  dynamic_most ()[kernel] = (size_t) bytes;
  return cudaSuccess;
}
cudaError_t launch_body (const char *name, const void *kernel, dim3 grid, dim3 threads, size_t bytes, cudaStream_t s, std::function<void ()> body)
{
  std::lock_guard<std::recursive_mutex> hold (api_lock);
  const uint64_t n = (uint64_t) threads.x * threads.y * threads.z;
  if (!n || n > MAX_THREADS || threads.z > 64 || !grid.x || !grid.y || !grid.z || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535) {
    fprintf (stderr, "emu: kernel %s: a grid of %u x %u x %u blocks of %u x %u x %u threads cannot be launched\n", name, grid.x, grid.y, grid.z, threads.x, threads.y, threads.z);
    return error (cudaErrorInvalidConfiguration);
  }
  const auto it = dynamic_most ().find (kernel);
  const size_t most = it == dynamic_most ().end () ? STATIC_SHARED : it->second;
  if (bytes > most) {
    fprintf (stderr, "emu: kernel %s: %zu bytes of dynamic shared memory; %zu are allowed (cudaFuncAttributeMaxDynamicSharedMemorySize)\n", name, bytes, most);
    return error (cudaErrorInvalidValue);
  }
  enqueue (s, [=] { run_kernel (name, grid, threads, bytes, body); });
  return cudaSuccess;
}
} // namespace emu
