/* SPDX-License-Identifier: Apache-2.0 */
/* emu.h: CUDA sources as host C++. Included in place of the CUDA headers where SOL_EMU is defined. Types and prototypes are NVIDIA's own; what only device code knows (threadIdx, barriers, warp
 * collectives, atomics, intrinsics) is here. Every CUDA thread is a fiber: it runs until it waits, so an order that nothing enforces is one that some schedule breaks.
 * Environment: SOL_EMU_SCHED=fwd|rev|rand:SEED order of threads and blocks; SOL_EMU_LATE=0|1 streams and cp.async as late as allowed (1, the default) or at once; SOL_EMU_GUARD=1 a host access to
 * device memory faults; SOL_EMU_WORKERS=n threads that run blocks (1); SOL_EMU_MEMORY=bytes of device memory (80 GiB); SOL_EMU_STRICT=0 ops may wait (strict.cpp). */
#ifndef SOL_EMU_H
#define SOL_EMU_H
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <functional>
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <tuple>
#include <type_traits>
#include <utility>
#undef __launch_bounds__
#define __launch_bounds__(...)
#ifndef __grid_constant__
#define __grid_constant__
#endif

namespace emu {
struct block { /* what a kernel sees of its block */
  uint3 index;
  dim3 threads, grid;
};
struct thread {
  uint3 index;
  unsigned linear;
  struct block *block;
};
/* the thread that runs now */
extern __thread thread *now __attribute__ ((tls_model ("initial-exec")));

/* one report, naming kernel, block and thread if one runs, then abort */
[[noreturn]] void die (const char *format, ...) __attribute__ ((format (printf, 1, 2)));

void barrier (const char *site, int id = 0, int threads = 0); /* threads 0: all of the block */
int barrier_vote (const char *site, int value, int what);     /* what 0: count, 1: and, 2: or */
void fence ();
enum collective { SYNC, SHUFFLE, VOTE, MATCH, GATHER };
struct lane_bytes {
  alignas (16) unsigned char at[64];
};
/* a meeting of the lanes in mask; each leaves n <= 64 bytes and gets what all the others left, by lane, until its next meeting. Orders memory only as SYNC. */
const lane_bytes *meet (unsigned mask, const void *mine, unsigned n, collective what, const char *site);
unsigned lanes_of_warp (); /* those that exist */
inline unsigned lane () { return now->linear & 31; }

void *shared_array (const void *key, size_t bytes, size_t align); /* of the current block; the same key, the same array */
void *dynamic_shared ();
size_t dynamic_shared_bytes (); /* 0: the launch gives none */

/* one piece of an asynchronous copy: n bytes, of which the first `real` come from `from`, the others are zero */
struct piece {
  void *to;
  const void *from;
  int n, real;
};
void copy_issue (piece p);
void copy_commit ();
bool copy_next (int groups_left, piece *p); /* the next piece that must have landed when at most groups_left groups are on their way */
bool copy_late ();

void check_argument (const char *kernel, int i, const void *p);
void check_struct (const char *kernel, int i, const void *p, size_t n); /* no pointer into the host's stack or heap inside */
cudaError_t launch_body (const char *name, const void *kernel, dim3 grid, dim3 threads, size_t bytes, cudaStream_t stream, std::function<void ()> body);

template <class T> inline void check_value (const char *kernel, int i, const T &v)
{
  if constexpr (std::is_pointer_v<T>) check_argument (kernel, i, (const void *) v);
  else if constexpr (std::is_class_v<T>) check_struct (kernel, i, &v, sizeof v);
}
template <class... P, class... A> cudaError_t launch (const char *name, void (*kernel) (P...), dim3 grid, dim3 threads, size_t bytes, cudaStream_t stream, A &&...a)
{
  std::tuple<std::decay_t<P>...> values (std::forward<A> (a)...);
  static_assert (sizeof values <= 4096, "a kernel takes at most 4 KiB of arguments");
  int i = 0;
  std::apply ([&] (auto &...v) { (check_value (name, i++, v), ...); }, values);
  return launch_body (name, (const void *) kernel, grid, threads, bytes, stream, [kernel, values] () { std::apply (kernel, values); });
}
} // namespace emu

#define EMU_TEXT2(x) #x
#define EMU_TEXT(x) EMU_TEXT2 (x)
#define EMU_SITE __FILE__ ":" EMU_TEXT (__LINE__)
#define SOL_LAUNCH(kernel, grid, threads, bytes, stream, ...) emu::launch (#kernel, kernel, grid, threads, bytes, stream, __VA_ARGS__)
#define SOL_SHARED(type, name)                                                                                                                                                                \
  using name##_type = type;                                                                                                                                                                  \
  static char name##_key;                                                                                                                                                                    \
  name##_type &name = *(name##_type *) emu::shared_array (&name##_key, sizeof (name##_type), alignof (name##_type))
#define SOL_DYN_SHARED(type, name) type *name = (type *) emu::dynamic_shared ()

#define threadIdx (emu::now->index)
#define blockIdx (emu::now->block->index)
#define blockDim (emu::now->block->threads)
#define gridDim (emu::now->block->grid)
static const int warpSize __attribute__ ((unused)) = 32;

/* ---- barriers and fences */
#define __syncthreads() emu::barrier (EMU_SITE)
#define __syncthreads_count(p) emu::barrier_vote (EMU_SITE, (p), 0)
#define __syncthreads_and(p) emu::barrier_vote (EMU_SITE, (p), 1)
#define __syncthreads_or(p) emu::barrier_vote (EMU_SITE, (p), 2)
static inline void __threadfence () { emu::fence (); }
static inline void __threadfence_block () { emu::fence (); }
static inline void __threadfence_system () { emu::fence (); }

/* ---- warp collectives */
static inline unsigned emu_mask (unsigned mask = 0xffffffffu) { return mask; }
#define __syncwarp(...) ((void) emu::meet (emu_mask (__VA_ARGS__), "", 1, emu::SYNC, EMU_SITE))
template <class T> static inline T emu_from_lane (unsigned mask, T v, int from, const char *site)
{
  static_assert (sizeof (T) <= 8, "a shuffle moves at most 8 bytes");
  const emu::lane_bytes *all = emu::meet (mask, &v, sizeof v, emu::SHUFFLE, site);
  if (!((mask & emu::lanes_of_warp ()) >> from & 1)) emu::die ("%s: a shuffle reads lane %d, which is not among the lanes that take part (mask %08x)", site, from, mask);
  memcpy (&v, all[from].at, sizeof v);
  return v;
}
template <class T> static inline T emu_shuffle (unsigned mask, T v, int from, const char *site, int width = 32)
{
  return emu_from_lane (mask, v, ((int) emu::lane () & ~(width - 1)) + (from & (width - 1)), site);
}
template <class T> static inline T emu_shuffle_up (unsigned mask, T v, int by, const char *site, int width = 32)
{
  const int lane = (int) emu::lane (), from = lane - by;
  return emu_from_lane (mask, v, from < (lane & ~(width - 1)) ? lane : from, site);
}
template <class T> static inline T emu_shuffle_down (unsigned mask, T v, int by, const char *site, int width = 32)
{
  const int lane = (int) emu::lane (), from = lane + by;
  return emu_from_lane (mask, v, from > (lane | (width - 1)) ? lane : from, site);
}
template <class T> static inline T emu_shuffle_xor (unsigned mask, T v, int by, const char *site, int width = 32)
{
  const int lane = (int) emu::lane (), from = lane ^ by;
  return emu_from_lane (mask, v, from > (lane | (width - 1)) ? lane : from, site);
}
#define __shfl_sync(mask, v, from, ...) emu_shuffle (mask, v, from, EMU_SITE, ##__VA_ARGS__)
#define __shfl_up_sync(mask, v, by, ...) emu_shuffle_up (mask, v, by, EMU_SITE, ##__VA_ARGS__)
#define __shfl_down_sync(mask, v, by, ...) emu_shuffle_down (mask, v, by, EMU_SITE, ##__VA_ARGS__)
#define __shfl_xor_sync(mask, v, by, ...) emu_shuffle_xor (mask, v, by, EMU_SITE, ##__VA_ARGS__)
static inline unsigned emu_ballot (unsigned mask, int p, const char *site)
{
  const emu::lane_bytes *all = emu::meet (mask, &p, sizeof p, emu::VOTE, site);
  unsigned r = 0;
  for (int i = 0; i < 32; i++)
    if ((mask & emu::lanes_of_warp ()) >> i & 1) r |= (unsigned) (*(const int *) all[i].at != 0) << i;
  return r;
}
#define __ballot_sync(mask, p) emu_ballot (mask, (p) ? 1 : 0, EMU_SITE)
#define __any_sync(mask, p) (emu_ballot (mask, (p) ? 1 : 0, EMU_SITE) != 0)
#define __all_sync(mask, p) (emu_ballot (mask, (p) ? 0 : 1, EMU_SITE) == 0)
template <class T> static inline unsigned emu_match (unsigned mask, T v, const char *site)
{
  const emu::lane_bytes *all = emu::meet (mask, &v, sizeof v, emu::MATCH, site);
  unsigned r = 0;
  for (int i = 0; i < 32; i++)
    if ((mask & emu::lanes_of_warp ()) >> i & 1) r |= (unsigned) !memcmp (all[i].at, &v, sizeof v) << i;
  return r;
}
#define __match_any_sync(mask, v) emu_match (mask, v, EMU_SITE)
template <class T, class F> static inline T emu_reduce (unsigned mask, T v, F f, const char *site)
{
  const emu::lane_bytes *all = emu::meet (mask, &v, sizeof v, emu::GATHER, site);
  bool first = true;
  for (int i = 0; i < 32; i++)
    if ((mask & emu::lanes_of_warp ()) >> i & 1) {
      const T x = *(const T *) all[i].at;
      v = first ? x : (T) f (v, x);
      first = false;
    }
  return v;
}
#define __reduce_add_sync(mask, v) emu_reduce (mask, v, [] (auto a, auto b) { return a + b; }, EMU_SITE)
#define __reduce_max_sync(mask, v) emu_reduce (mask, v, [] (auto a, auto b) { return a > b ? a : b; }, EMU_SITE)
#define __reduce_min_sync(mask, v) emu_reduce (mask, v, [] (auto a, auto b) { return a < b ? a : b; }, EMU_SITE)
#define __reduce_or_sync(mask, v) emu_reduce (mask, v, [] (auto a, auto b) { return a | b; }, EMU_SITE)
#define __reduce_and_sync(mask, v) emu_reduce (mask, v, [] (auto a, auto b) { return a & b; }, EMU_SITE)

#include "emu_device.h"
#endif
