/* SPDX-License-Identifier: Apache-2.0 */
/* memory.cpp: device memory: poisoned when it comes, between guard bytes that are looked at when it goes. In guard mode every piece is pages of its own, closed to the host. */
#include "emu_internal.h"
#include <map>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

namespace emu {
namespace {
enum { ALIGN = 256, POISON = 0xff, GUARD = 0xa5 };
enum kind { DEVICE, HOST };
struct allocation {
  size_t bytes; /* asked for */
  char *whole;  /* with its guards */
  size_t whole_bytes;
  kind is;
};
struct memory {
  std::map<uintptr_t, allocation> of;
  size_t used;
  int open; /* depth */
};
memory &all ()
{
  static memory *m = new memory (); /* never destroyed: a program may free at its very end */
  return *m;
}
/* the piece that p is in, its end included (an empty tensor may lie there) */
const allocation *find (const void *p, uintptr_t *base)
{
  auto it = all ().of.upper_bound ((uintptr_t) p);
  if (it == all ().of.begin ()) return nullptr;
  --it;
  *base = it->first;
  return (uintptr_t) p <= it->first + it->second.bytes ? &it->second : nullptr;
}

/* ---- guard mode */
struct sigaction before;
void on_fault (int sig, siginfo_t *info, void *context)
{
  const char *p = (const char *) info->si_addr;
  for (const auto &e : all ().of)
    if (p >= e.second.whole && p < e.second.whole + e.second.whole_bytes) {
      if (here) die ("an access at %p, outside of device memory: the nearest piece is %p, %zu bytes", (const void *) p, (void *) e.first, e.second.bytes);
      die ("the host touches device memory (%p, in a piece of %zu bytes at %p)", (const void *) p, e.second.bytes, (void *) e.first);
    }
  if (here) die ("an access at %p, which is no memory of the device (or was freed, or is a stack's end)", (const void *) p);
  sigaction (sig, &before, nullptr); /* not ours: again, with who was there before */
  (void) context;
}
void watch ()
{
  static bool done;
  if (done) return;
  done = true;
  static char stack[64 << 10]; /* a fiber's own may be what has overflowed */
  stack_t s = {};
  s.ss_sp = stack, s.ss_size = sizeof stack;
  sigaltstack (&s, nullptr);
  struct sigaction a = {};
  a.sa_sigaction = on_fault, a.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction (SIGSEGV, &a, &before);
}
size_t pages (size_t n) { return (n + 4095) & ~(size_t) 4095; }
void protect (int how)
{
  for (const auto &e : all ().of)
    if (e.second.is == DEVICE) mprotect (e.second.whole + 4096, e.second.whole_bytes - 8192, how);
}
/* a closed page, pages whose end is the piece's end, a closed page */
char *guarded (size_t n, allocation *a)
{
  const size_t room = (n + ALIGN - 1) & ~(size_t) (ALIGN - 1), inner = pages (room ? room : 1);
  /* every call opens and closes every page of every piece: large pieces (the products' workspace) are of huge pages where the system has them, some 500 times fewer */
  const size_t huge = 2 << 20, spare = inner >= 2 * huge ? huge : 0;
  watch ();
  a->whole_bytes = inner + 8192;
  char *from = (char *) mmap (nullptr, a->whole_bytes + spare, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (from == MAP_FAILED) return nullptr;
  const size_t skip = spare ? -(uintptr_t) (from + 4096 + inner) & (huge - 1) : 0; /* the end of the pages is one of a huge page */
  a->whole = from + skip;
  if (skip) munmap (from, skip);
  if (skip < spare) munmap (a->whole + a->whole_bytes, spare - skip);
  mprotect (a->whole + 4096, inner, PROT_READ | PROT_WRITE);
  if (spare) madvise (a->whole + 4096, inner, MADV_HUGEPAGE);
  char *p = a->whole + 4096 + inner - room;
  memset (p, POISON, n);
  memset (p + n, GUARD, room - n);
  return p;
}
/* guard bytes before and behind; where AddressSanitizer watches, its own zones */
char *plain (size_t n, allocation *a)
{
#ifdef EMU_ASAN
  const size_t before_it = 0, behind = 0;
#else
  const size_t before_it = ALIGN, behind = ALIGN;
#endif
  void *p;
  a->whole_bytes = before_it + (n ? n : 1) + behind;
  if (posix_memalign (&p, ALIGN, a->whole_bytes)) return nullptr;
  a->whole = (char *) p;
  memset (p, GUARD, before_it);
  memset ((char *) p + before_it, POISON, n);
  memset ((char *) p + before_it + n, GUARD, a->whole_bytes - before_it - n);
  return a->whole + before_it;
}
void check_guards (const char *p, const allocation &a)
{
  const char *first = setting ().guard ? p : a.whole, *end = setting ().guard ? a.whole + a.whole_bytes - 4096 : a.whole + a.whole_bytes;
#ifdef EMU_ASAN
  if (!setting ().guard) return; /* nothing but the piece is ours */
#endif
  for (const char *q = first; q < p; q++)
    if ((unsigned char) *q != GUARD) die ("a piece of device memory of %zu bytes: the %td bytes before it have been written", a.bytes, p - q);
  for (const char *q = p + a.bytes; q < end; q++)
    if ((unsigned char) *q != GUARD) die ("a piece of device memory of %zu bytes: byte %td has been written", a.bytes, q - p);
}
} // namespace

size_t memory_in_use () { return all ().used; }
void memory_open ()
{
  if (setting ().guard && all ().open++ == 0) protect (PROT_READ | PROT_WRITE);
}
void memory_close ()
{
  if (setting ().guard && --all ().open == 0) protect (PROT_NONE);
}
cudaError_t memory_alloc (void **p, size_t n)
{
  allocation a = { n, nullptr, 0, DEVICE };
  *p = nullptr;
  if (all ().used + n > setting ().memory) return error (cudaErrorMemoryAllocation);
  memory_open ();
  char *at = setting ().guard ? guarded (n, &a) : plain (n, &a);
  if (at) all ().of[(uintptr_t) at] = a, all ().used += n;
  memory_close ();
  if (!at) return error (cudaErrorMemoryAllocation);
  *p = at;
  return cudaSuccess;
}
cudaError_t memory_free (void *p)
{
  if (!p) return cudaSuccess;
  auto it = all ().of.find ((uintptr_t) p);
  if (it == all ().of.end () || it->second.is != DEVICE) return error (cudaErrorInvalidValue);
  memory_open ();
  check_guards ((const char *) p, it->second);
  const allocation a = it->second;
  all ().of.erase (it);
  all ().used -= a.bytes;
  if (setting ().guard) munmap (a.whole, a.whole_bytes);
  else free (a.whole);
  memory_close ();
  return cudaSuccess;
}
cudaError_t memory_alloc_host (void **p, size_t n)
{
  *p = nullptr;
  if (posix_memalign (p, ALIGN, n ? n : 1)) return error (cudaErrorMemoryAllocation);
  all ().of[(uintptr_t) *p] = { n, (char *) *p, n, HOST };
  return cudaSuccess;
}
cudaError_t memory_free_host (void *p)
{
  if (!p) return cudaSuccess;
  auto it = all ().of.find ((uintptr_t) p);
  if (it == all ().of.end () || it->second.is != HOST) return error (cudaErrorInvalidValue);
  all ().of.erase (it);
  free (p);
  return cudaSuccess;
}

/* ---- is it where it should be? */
bool is_device (const void *p)
{
  uintptr_t base;
  const allocation *a = find (p, &base);
  return a && a->is == DEVICE;
}
bool is_pinned (const void *p, size_t n)
{
  uintptr_t base;
  const allocation *a = find (p, &base);
  return a && a->is == HOST && n <= a->bytes - ((uintptr_t) p - base);
}
void require_device (const char *what, const void *p, size_t n)
{
  uintptr_t base;
  if (!n) return;
  const allocation *a = find (p, &base);
  if (!a || a->is != DEVICE) die ("%s: %p is not device memory", what, p);
  const size_t at = (uintptr_t) p - base;
  if (n > a->bytes - at) die ("%s: %zu bytes from byte %zu on of a piece of device memory that has %zu", what, n, at, a->bytes);
}
void require_host (const char *what, const void *p)
{
  uintptr_t base;
  const allocation *a = find (p, &base);
  if (a && a->is == DEVICE && (uintptr_t) p < base + a->bytes) die ("%s: %p is device memory, host memory expected", what, p);
}
void check_argument (const char *kernel, int i, const void *p)
{
  std::lock_guard<std::recursive_mutex> hold (api_lock);
  if (p && !is_device (p)) die ("kernel %s: argument %d (%p) is not device memory", kernel, i, p);
}
/* words of a struct that lie in the host's stack or its heap are pointers to there: nothing else looks like that */
void check_struct (const char *kernel, int i, const void *p, size_t n)
{
  std::lock_guard<std::recursive_mutex> hold (api_lock);
  static const uintptr_t heap = [] {
    uintptr_t first = 0;
    if (FILE *f = fopen ("/proc/self/maps", "r")) {
      char line[512];
      unsigned long from;
      while (!first && fgets (line, sizeof line, f))
        if (strstr (line, "[heap]") && sscanf (line, "%lx-", &from) == 1) first = from;
      fclose (f);
    }
    return first;
  }();
  const uintptr_t stack = (uintptr_t) __builtin_frame_address (0), heap_end = (uintptr_t) sbrk (0);
  for (size_t at = 0; at + 8 <= n; at += 8) {
    uintptr_t word;
    memcpy (&word, (const char *) p + at, 8);
    if (is_device ((const void *) word)) continue;
    if ((heap && word >= heap && word < heap_end) || (word >= stack && word < stack + (256 << 10)))
      die ("kernel %s: argument %d has a pointer to host memory (%p) at byte %zu", kernel, i, (void *) word, at);
  }
}
} // namespace emu
