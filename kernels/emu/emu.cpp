/* SPDX-License-Identifier: Apache-2.0 */
/* emu.cpp: runs the blocks of a kernel: a fiber for every thread, which goes on until it waits; then the schedule says who is next. */
#include "emu_internal.h"
#include <map>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string>
#include <sys/mman.h>
#include <thread>

#ifndef EMU_PORTABLE
asm (R"(.text
.globl sol_emu_switch
.hidden sol_emu_switch
.type sol_emu_switch,@function
sol_emu_switch:
 pushq %rbp
 pushq %rbx
 pushq %r12
 pushq %r13
 pushq %r14
 pushq %r15
 movq %rsp,(%rdi)
 movq %rsi,%rsp
 popq %r15
 popq %r14
 popq %r13
 popq %r12
 popq %rbx
 popq %rbp
 ret
.size sol_emu_switch,.-sol_emu_switch
)");
#endif

namespace emu {
__thread thread *now __attribute__ ((tls_model ("initial-exec")));
__thread running_block *here __attribute__ ((tls_model ("initial-exec")));

const settings &setting ()
{
  static const settings s = [] {
    settings t = { settings::FORWARD, 1, (uint64_t) 80 << 30, 1, 300, -1, true, false, true };
    const char *e = getenv ("SOL_EMU_SCHED");
    if (e && !strncmp (e, "rand", 4)) t.schedule = settings::RANDOM, t.seed = e[4] == ':' ? strtoull (e + 5, nullptr, 10) : 1;
    else if (e && !strcmp (e, "rev")) t.schedule = settings::REVERSE;
    else if (e && *e && strcmp (e, "fwd")) die ("SOL_EMU_SCHED is \"%s\"; fwd, rev or rand:SEED expected", e);
    if ((e = getenv ("SOL_EMU_LATE"))) t.late = atoi (e) != 0;
    if ((e = getenv ("SOL_EMU_GUARD"))) t.guard = atoi (e) != 0;
    if ((e = getenv ("SOL_EMU_STRICT"))) t.strict = atoi (e) != 0;
    if ((e = getenv ("SOL_EMU_WORKERS"))) t.workers = atoi (e) < 1 ? 1 : atoi (e) > 64 ? 64 : atoi (e);
    if ((e = getenv ("SOL_EMU_EAGER"))) t.eager = atoi (e);
    if ((e = getenv ("SOL_EMU_PATIENCE"))) t.patience = atoi (e) < 1 ? 1 : atoi (e);
    if ((e = getenv ("SOL_EMU_MEMORY"))) t.memory = strtoull (e, nullptr, 10);
#ifdef EMU_TSAN
    t.workers = 1;
#endif
    return t;
  }();
  return s;
}

/* ---- reports */
static void where ()
{
  if (here && now)
    fprintf (stderr, "emu: in kernel %s, block (%u, %u, %u), thread (%u, %u, %u)\n", here->kernel, here->index.x, here->index.y, here->index.z, now->index.x, now->index.y, now->index.z);
}
void die (const char *format, ...)
{
  va_list a;
  va_start (a, format);
  fflush (stdout);
  fprintf (stderr, "emu: ");
  vfprintf (stderr, format, a);
  fprintf (stderr, "\n");
  va_end (a);
  where ();
  abort ();
}
/* nobody can go on: who waits where */
[[noreturn]] static void die_stuck ()
{
  running_block *b = here;
  std::map<std::string, std::pair<int, int>> groups; /* threads, the first */
  for (int i = 0; i < b->count; i++) {
    const cuda_thread &t = b->threads_[i];
    std::string s = t.is == DONE ? "have returned" : std::string (t.is == AT_BARRIER ? "wait for the block at " : "wait for lanes of their warp at ") + (t.site ? t.site : "?");
    auto &g = groups[s];
    if (!g.first++) g.second = i;
  }
  fflush (stdout);
  fprintf (stderr, "emu: kernel %s, block (%u, %u, %u): %d of %d threads wait for what never comes (a barrier or collective that not all reach)\n", b->kernel, b->index.x, b->index.y, b->index.z,
           b->live, b->count);
  for (auto &g : groups) {
    const uint3 i = b->threads_[g.second.second].index;
    fprintf (stderr, "emu:   %d threads, the first (%u, %u, %u), %s\n", g.second.first, i.x, i.y, i.z, g.first.c_str ());
  }
  abort ();
}

#define EMU_NO_CALLS __attribute__ ((optimize ("no-tree-loop-distribute-patterns")))
EMU_NO_CALLS void raw_copy (void *to, const void *from, size_t n)
{
  char *d = (char *) to;
  const char *s = (const char *) from;
  for (; n >= 8; n -= 8, d += 8, s += 8) __builtin_memcpy (d, s, 8);
  for (; n; n--) *d++ = *s++;
}
EMU_NO_CALLS void raw_set (void *to, int value, size_t n)
{
  const uint64_t word = 0x0101010101010101u * (uint64_t) (value & 255);
  char *d = (char *) to;
  for (; n >= 8; n -= 8, d += 8) __builtin_memcpy (d, &word, 8);
  for (; n; n--) *d++ = (char) value;
}

/* ---- who runs next */
static unsigned pick (uint32_t set)
{
  switch (setting ().schedule) {
  case settings::FORWARD: return (unsigned) __builtin_ctz (set);
  case settings::REVERSE: return 31 - (unsigned) __builtin_clz (set);
  default: break;
  }
  here->random = here->random * 6364136223846793005u + 1442695040888963407u;
  for (unsigned k = (unsigned) (here->random >> 33) % (unsigned) __builtin_popcount (set); k; k--) set &= set - 1;
  return (unsigned) __builtin_ctz (set);
}
static cuda_thread *next_thread ()
{
  running_block *b = here;
  if (!b->ready_warps) return nullptr;
  const unsigned w = pick (b->ready_warps), l = pick (b->warps[w].ready);
  b->warps[w].ready &= ~(1u << l);
  if (!b->warps[w].ready) b->ready_warps &= ~(1u << w);
  return &b->threads_[w * 32 + l];
}
void wake (unsigned w, uint32_t lanes)
{
  for (uint32_t m = lanes; m; m &= m - 1) here->threads_[w * 32 + (unsigned) __builtin_ctz (m)].is = READY;
  here->warps[w].ready |= lanes;
  if (here->warps[w].ready) here->ready_warps |= 1u << w;
}

/* ThreadSanitizer takes a watched block's threads for threads, each on a stack that no other has touched. That is slow; the threads of other blocks (the crowd) are one to it. */
EMU_IF_TSAN (static char kernel_end; static void *crowd);
static char *own_stack (const cuda_thread *t)
{
#ifdef EMU_TSAN
  if (here->watched) return here->fresh + ORDERS + SHARED_ROOM + (size_t) t->linear * STACK;
#endif
  (void) t;
  return nullptr;
}
static void fiber_main ();
static char *take_stack ()
{
  running_block *b = here;
  if (b->free_stacks) return b->stacks[--b->free_stacks];
  char *s = (char *) mmap (nullptr, STACK + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (s == MAP_FAILED) die ("no memory for the stack of a thread");
  mprotect (s, 4096, PROT_NONE); /* a stack that overflows faults */
  return s + 4096;
}
static void start (cuda_thread *t)
{
  char *own = own_stack (t);
  t->started = true;
  fiber_make (&t->context, own ? own : take_stack (), fiber_main);
}
static void switch_to (fiber *from, cuda_thread *t, bool end)
{
  if (!t->started) start (t);
  now = t;
  fiber_switch (from, &t->context, end);
}
void sleep_ (cuda_thread *t, state why, const char *site)
{
  t->is = why, t->site = site;
  cuda_thread *n = next_thread ();
  if (!n) die_stuck ();
  if (n != t) switch_to (&t->context, n, false);
  now = t;
}
static void fiber_main ()
{
  fiber_begin (&here->home);
  for (;;) {
    (*here->body) ();
    cuda_thread *t = self ();
    running_block *b = here;
    t->is = DONE;
    b->live--;
    b->warps[t->linear >> 5].live &= ~(1u << (t->linear & 31));
    EMU_IF_TSAN (__tsan_release (&kernel_end));
    cuda_thread *n = next_thread ();
    if (!own_stack (t)) {
      if (n && !n->started) { /* goes on in this fiber */
        n->started = true;
        n->context.stack = t->context.stack, n->context.size = t->context.size;
        now = n;
        continue;
      }
      b->stacks[b->free_stacks++] = const_cast<char *> (t->context.stack); /* nobody takes it before we have left */
    }
    if (n) switch_to (&t->context, n, true);
    else fiber_switch (&t->context, &b->home, true);
    __builtin_unreachable ();
  }
}

/* ---- one block */
#ifdef EMU_TSAN
/* all blocks of small grids; of others the first, the last and some between */
static bool watch (uint64_t k, uint64_t n) { return n <= 16 || k < 2 || k + 2 >= n || k % (n / 8) == 3; }
static void *old_fibers[4096]; /* a fiber that is new where another has just ended would be taken for the same thread */
static unsigned next_old;
static void forget (void *fiber)
{
  void **old = &old_fibers[next_old++ % (sizeof old_fibers / sizeof *old_fibers)];
  if (*old) __tsan_destroy_fiber (*old);
  *old = fiber;
}
#endif
static void block_memory (running_block *b, uint64_t k)
{
  b->shared_room = b->room;
  (void) k;
#ifdef EMU_TSAN
  b->watched = watch (k, (uint64_t) b->grid.x * b->grid.y * b->grid.z);
  b->home.tsan = __tsan_get_current_fiber ();
  b->fresh = b->orders;
  if (!b->watched) return;
  b->fresh_bytes = ORDERS + SHARED_ROOM + (size_t) b->count * STACK;
  b->fresh = (char *) mmap (nullptr, b->fresh_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (b->fresh == MAP_FAILED) die ("no memory for a block");
  b->shared_room = (unsigned char *) b->fresh + ORDERS;
#endif
}
static void block_threads (running_block *b)
{
  unsigned i = 0;
  for (unsigned z = 0; z < b->threads.z; z++)
    for (unsigned y = 0; y < b->threads.y; y++)
      for (unsigned x = 0; x < b->threads.x; x++, i++) {
        cuda_thread &t = b->threads_[i];
        t.index = uint3{ x, y, z }, t.linear = i, t.block = b;
        t.started = false, t.is = READY, t.site = nullptr;
        t.first_copy = t.copies_on_way = t.committed = 0;
        EMU_IF_TSAN (t.context.tsan = b->watched ? __tsan_create_fiber (0) : crowd);
      }
  b->ready_warps = 0;
  for (int w = 0; w * 32 < b->count; w++) {
    warp &v = b->warps[w];
    const int n = b->count - w * 32;
    v.exist = v.live = v.ready = n >= 32 ? 0xffffffffu : (1u << n) - 1;
    v.waiting = 0, v.meetings = 0;
    b->ready_warps |= 1u << w;
  }
}
static void block_end (running_block *b)
{
  for (int i = 0; i < b->count; i++)
    if (b->threads_[i].copies_on_way) {
      now = &b->threads_[i];
      die ("the thread has returned with a cp.async that it never waited for");
    }
  shared_end ();
#ifdef EMU_TSAN
  if (!b->watched) return;
  for (int i = 0; i < b->count; i++) forget (b->threads_[i].context.tsan);
  munmap (b->fresh, b->fresh_bytes);
#endif
}
static void run_block (const char *name, dim3 grid, dim3 threads, size_t bytes, const std::function<void ()> &body, uint64_t k)
{
  running_block *b = here;
  b->index = uint3{ (unsigned) (k % grid.x), (unsigned) (k / grid.x % grid.y), (unsigned) (k / grid.x / grid.y) };
  b->threads = threads, b->grid = grid;
  b->count = b->live = (int) (threads.x * threads.y * threads.z);
  b->kernel = name, b->body = &body;
  b->random = (setting ().seed * 0x9e3779b97f4a7c15u) ^ (k * 0xd1342543de82ef95u);
  memset (b->barriers, 0, sizeof b->barriers);
  b->votes[0] = b->votes[2] = 0, b->votes[1] = 1;
  block_memory (b, k);
  block_threads (b);
  shared_start (bytes);
  b->home.stack = nullptr;
  switch_to (&b->home, next_thread (), false);
  if (b->live) die_stuck ();
  block_end (b);
}

/* ---- the blocks of a kernel, in the schedule's order: i-th of n, where by is odd or coprime with n */
static uint64_t block_order (uint64_t i, uint64_t n)
{
  if (setting ().schedule == settings::FORWARD) return i;
  if (setting ().schedule == settings::REVERSE) return n - 1 - i;
  uint64_t step = (setting ().seed * 2654435761u) % n | 1; /* i * step mod n meets every block when step and n have no common divisor */
  for (uint64_t a = step, c = n; c != 1; a = step, c = n) {
    while (a) {
      const uint64_t r = c % a;
      c = a, a = r;
    }
    if (c == 1) break;
    step += 2;
    if (step >= n) step = 1;
  }
  return (uint64_t) (((unsigned __int128) i * step + setting ().seed) % n);
}
void run_kernel (const char *name, dim3 grid, dim3 threads, size_t bytes, const std::function<void ()> &body)
{
  static running_block *rooms[64]; /* one for each worker, kept */
  const uint64_t n = (uint64_t) grid.x * grid.y * grid.z;
  uint64_t next = 0;
  size_t workers = (size_t) setting ().workers;
  if (n < workers) workers = (size_t) n;
  for (size_t i = 0; i < workers; i++)
    if (!rooms[i]) {
      void *p = mmap (nullptr, sizeof (running_block), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (p == MAP_FAILED) die ("no memory for a block");
      rooms[i] = (running_block *) p; /* zeros are a good beginning */
    }
  auto work = [&] (size_t i) {
    here = rooms[i];
    for (uint64_t k; (k = __atomic_fetch_add (&next, 1, __ATOMIC_RELAXED)) < n;) run_block (name, grid, threads, bytes, body, block_order (k, n));
    here = nullptr, now = nullptr;
  };
  EMU_IF_TSAN (crowd = __tsan_create_fiber (0));
  std::vector<std::thread> others;
  for (size_t i = 1; i < workers; i++) others.emplace_back (work, i);
  work (0);
  for (std::thread &t : others) t.join ();
  EMU_IF_TSAN (forget (crowd); __tsan_acquire (&kernel_end)); /* not after each block: blocks are ordered by nothing */
}
} // namespace emu
