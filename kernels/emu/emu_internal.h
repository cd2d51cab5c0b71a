/* SPDX-License-Identifier: Apache-2.0 */
/* emu_internal.h: what the files of the emulator share. They are compiled without a sanitizer: what they do between kernels is no access of a kernel. */
#ifndef SOL_EMU_INTERNAL_H
#define SOL_EMU_INTERNAL_H
#include "emu.h"
#include "fiber.h"
#include <mutex>
#include <vector>

namespace emu {
enum { MAX_THREADS = 1024, MAX_WARPS = 32, BARRIERS = 16, SHARED_PARTS = 64, COPIES = 256, GROUPS = 64 };
static const size_t SHARED_ROOM = 512 << 10, ORDERS = 8192;
static const size_t STATIC_SHARED = 48 << 10, SM_SHARED = 227 << 10; /* most of a block: declared; declared and dynamic together, opted in */

/* from the environment, read at the first use */
struct settings {
  enum { FORWARD, REVERSE, RANDOM } schedule;
  uint64_t seed, memory;
  int workers, patience, eager; /* patience: seconds that a rank waits for others; eager: a stream that is not late, or -1 */
  bool late, guard, strict;
};
const settings &setting ();

struct warp {
  uint32_t exist, live, ready, waiting; /* sets of lanes; ready: may run; waiting: in a meeting */
  unsigned meetings;
  uint32_t mask[32];
  uint8_t what[32];
  lane_bytes whole[2][32];            /* of meetings of the whole warp: the next one must not overwrite what a slow lane still reads */
  lane_bytes part[32], left[32][32];  /* of others: what each lane left, and a copy for each that met */
};
struct barrier_state {
  int here, expected, phase;
  const char *site;
  uint32_t lanes[MAX_WARPS];
};
enum state { READY, AT_BARRIER, AT_MEETING, DONE };
struct shared_part {
  const void *key; /* NULL: the dynamic one */
  unsigned char *at;
  size_t bytes;
};
struct cuda_thread : thread {
  fiber context;
  bool started;
  state is;
  const char *site; /* where it waits */
  piece copies[COPIES]; /* a ring: on their way, oldest first */
  unsigned first_copy, copies_on_way;
  unsigned groups[GROUPS], committed; /* pieces in each committed group, oldest first */
};
/* no container in here: what a thread's fiber takes from the heap, a sanitizer takes for an access of the kernel */
struct running_block : block {
  cuda_thread threads_[MAX_THREADS];
  warp warps[MAX_WARPS];
  barrier_state barriers[BARRIERS];
  int count, live; /* threads */
  uint32_t ready_warps;
  int votes[3], voted[3];
  const char *kernel;
  const std::function<void ()> *body;
  uint64_t random;
  fiber home; /* of the worker */
  char *stacks[MAX_THREADS]; /* free ones */
  int free_stacks;
  shared_part shared[SHARED_PARTS];
  int shared_parts;
  unsigned char *shared_room;
  size_t shared_used;
  alignas (1024) unsigned char room[SHARED_ROOM];
#ifdef EMU_TSAN
  bool watched;
  char *fresh; /* memory that no earlier block has touched: ORDERS addresses that stand for barriers and meetings, shared memory, stacks */
  size_t fresh_bytes;
  char orders[ORDERS]; /* of a block that is not watched */
#endif
};
extern __thread running_block *here;
inline cuda_thread *self () { return static_cast<cuda_thread *> (now); }

/* emu.cpp */
void sleep_ (cuda_thread *t, state why, const char *site); /* until woken */
void wake (unsigned w, uint32_t lanes);
void shared_start (size_t dynamic); /* block.cpp */
void shared_end ();
void run_kernel (const char *name, dim3 grid, dim3 threads, size_t bytes, const std::function<void ()> &body);
void raw_copy (void *to, const void *from, size_t n); /* no sanitizer sees these */
void raw_set (void *to, int value, size_t n);

/* memory.cpp */
cudaError_t memory_alloc (void **p, size_t n);
cudaError_t memory_free (void *p);
cudaError_t memory_alloc_host (void **p, size_t n);
cudaError_t memory_free_host (void *p);
size_t memory_in_use ();
bool is_device (const void *p);
bool is_pinned (const void *p, size_t n);
/* dies unless all n bytes at p are within one piece of device memory */
void require_device (const char *what, const void *p, size_t n);
void require_host (const char *what, const void *p);
/* kernels and copies run between these: in guard mode only then can device memory be touched */
void memory_open ();
void memory_close ();

/* strict.cpp: dies inside of an op; inside of an op with n bytes of host memory that is not pinned */
void outside (const char *call);
void outside_pinned (const char *call, const void *host, size_t n);

/* stream.cpp; api_lock is held by every entry of the API */
extern std::recursive_mutex api_lock;
void enqueue (cudaStream_t stream, std::function<void ()> f);
cudaError_t error (cudaError_t e); /* becomes the last error */
} // namespace emu
#endif
