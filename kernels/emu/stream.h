/* SPDX-License-Identifier: Apache-2.0 */
/* stream.h: streams as the runtime's API sees them (runtime_api.cpp). All under api_lock. */
#ifndef SOL_EMU_STREAM_H
#define SOL_EMU_STREAM_H
#include "emu_internal.h"
#include <deque>
#include <memory>

namespace emu {
struct stream;
struct event {
  stream *on; /* NULL: never recorded, or in the default stream */
  uint64_t seq;
  bool recorded;
  std::shared_ptr<double> time; /* of the last record; one that is still to run has its own */
};
struct operation {
  std::function<void ()> run;
  stream *wait = nullptr; /* instead: until that stream has done seq operations */
  uint64_t seq = 0;
  bool event = false;
};
struct graph {
  std::vector<std::function<void ()>> operations;
};
struct stream {
  std::deque<operation> queue;
  uint64_t done = 0, issued = 0;
  int number = 0; /* of those that were made */
  bool destroyed = false;
  bool blocking = false; /* what the default stream began comes first (no cudaStreamNonBlocking) */
  graph *capture = nullptr;
};
stream *stream_new ();
stream *stream_of (cudaStream_t s);
void stream_run (stream *s, uint64_t seq);
void stream_add (stream *s, operation o);
void run_all ();
/* into the default stream, for which the host does not wait (cudaMemset) */
void default_add (std::function<void ()> f);
bool capturing ();
double clock_now ();
cudaError_t take_error (bool clear);
cudaError_t allow_dynamic (const void *kernel, int bytes);
} // namespace emu
#endif
