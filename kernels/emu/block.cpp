/* SPDX-License-Identifier: Apache-2.0 */
/* block.cpp: what the threads of a block share: barriers and shared memory. */
#include "emu_internal.h"
#include <stdlib.h>

namespace emu {
/* ---- the block's barriers */
void barrier (const char *site, int id, int threads)
{
  cuda_thread *t = self ();
  running_block *b = here;
  if (id < 0 || id >= BARRIERS) die ("%s: barrier %d; there are %d", site, id, BARRIERS);
  barrier_state &s = b->barriers[id];
  const int expected = threads ? threads : b->count;
  if (s.here && s.expected != expected) die ("%s: barrier %d is reached by threads that expect %d and by others that expect %d threads", site, id, s.expected, expected);
  if (s.here && s.site != site && strcmp (s.site, site)) die ("divergent barrier: some threads of the block are at %s, others at %s", s.site, site);
  s.expected = expected, s.site = site, s.here++;
  EMU_IF_TSAN (void *order = b->fresh + 64 * id + 8 * (s.phase & 1); __tsan_release (order));
  if (s.here < expected) {
    s.lanes[t->linear >> 5] |= 1u << (t->linear & 31);
    sleep_ (t, AT_BARRIER, site);
  } else {
    s.here = 0, s.phase++;
    for (int i = 0; i < 3; i++) b->voted[i] = b->votes[i], b->votes[i] = i == 1;
    for (unsigned w = 0; w < MAX_WARPS; w++)
      if (s.lanes[w]) {
        wake (w, s.lanes[w]);
        s.lanes[w] = 0;
      }
  }
  EMU_IF_TSAN (__tsan_acquire (order));
}
int barrier_vote (const char *site, int value, int what)
{
  running_block *b = here;
  b->votes[0] += value != 0, b->votes[1] &= value != 0, b->votes[2] |= value != 0;
  barrier (site);
  return b->voted[what];
}

/* ---- shared memory: poisoned; in guard bytes between the arrays nothing may be written */
enum { GUARD_BYTES = 64, POISON = 0xff, GUARD = 0xa5 };
static unsigned char *shared_take (const void *key, size_t bytes, size_t align)
{
  running_block *b = here;
  unsigned char *p;
#ifdef EMU_ASAN
  void *q = nullptr;
  if (posix_memalign (&q, align, bytes ? bytes : 1)) die ("no memory for shared memory");
  p = (unsigned char *) q;
#else
  const size_t at = (b->shared_used + align - 1) & ~(align - 1);
  p = b->shared_room + at;
  b->shared_used = at + bytes + GUARD_BYTES;
  raw_set (p + bytes, GUARD, GUARD_BYTES);
#endif
  raw_set (p, POISON, bytes);
  if (b->shared_parts == SHARED_PARTS) die ("a block with more than %d shared arrays", SHARED_PARTS);
  b->shared[b->shared_parts++] = { key, p, bytes };
  return p;
}
void *shared_array (const void *key, size_t bytes, size_t align)
{
  size_t declared = bytes, all = bytes;
  for (int i = 0; i < here->shared_parts; i++) {
    const shared_part &s = here->shared[i];
    if (s.key == key) return s.at;
    all += s.bytes;
    if (s.key) declared += s.bytes;
  }
  if (declared > STATIC_SHARED) die ("a block declares %zu bytes of shared memory; at most %zu are possible", declared, STATIC_SHARED);
  if (all > SM_SHARED) die ("a block has %zu bytes of shared memory with the dynamic ones; at most %zu are possible", all, SM_SHARED);
  return shared_take (key, bytes, align < 16 ? 16 : align);
}
void *dynamic_shared ()
{
  if (here->shared_parts && !here->shared[0].key) return here->shared[0].at;
  die ("the kernel uses dynamic shared memory, the launch gives none");
}
size_t dynamic_shared_bytes () { return here->shared_parts && !here->shared[0].key ? here->shared[0].bytes : 0; }
void shared_start (size_t dynamic)
{
  here->shared_parts = 0;
  here->shared_used = 0;
  if (dynamic) shared_take (nullptr, dynamic, 1024);
}
void shared_end ()
{
  running_block *b = here;
  now = nullptr;
  for (int k = 0; k < b->shared_parts; k++) {
    const shared_part &s = b->shared[k];
#ifdef EMU_ASAN
    free (s.at);
#else
    for (size_t i = 0; i < GUARD_BYTES; i++)
      if (s.at[s.bytes + i] != GUARD)
        die ("kernel %s, block (%u, %u, %u) has written %zu bytes past the end of %s of %zu bytes", b->kernel, b->index.x, b->index.y, b->index.z, i,
             s.key ? "a shared array" : "the dynamic shared memory", s.bytes);
#endif
  }
}
void fence ()
{
  EMU_IF_TSAN (static char order; __tsan_release (&order); __tsan_acquire (&order));
}
} // namespace emu
