/* SPDX-License-Identifier: Apache-2.0 */
/* warp.cpp: lanes that meet, and asynchronous copies that are on their way. */
#include "emu_internal.h"

namespace emu {
unsigned lanes_of_warp () { return here->warps[now->linear >> 5].exist; }

static void check_meeting (const warp &w, unsigned mask, unsigned l, const char *site)
{
  if (!(mask >> l & 1)) die ("%s: lane %u calls a warp collective whose mask %08x leaves it out", site, l, mask);
  if (mask != 0xffffffffu && (mask & ~w.exist)) die ("%s: mask %08x names lanes that the block does not have (%08x)", site, mask, w.exist);
  if (mask & w.exist & ~w.live) die ("%s: mask %08x names lanes that have returned (only %08x have not)", site, mask, w.live);
}
static void check_agreement (const warp &w, unsigned first, unsigned mask, unsigned l, collective what, const char *site)
{
  for (uint32_t m = mask & w.exist; m; m &= m - 1) {
    const unsigned i = (unsigned) __builtin_ctz (m);
    if (i == l) continue;
    const char *other = here->threads_[first + i].site;
    if (w.mask[i] != mask) die ("%s: lane %u comes with mask %08x, lane %u (at %s) with %08x", site, l, mask, i, other, w.mask[i]);
    if (w.what[i] != what) die ("%s: lane %u and lane %u (at %s) meet in different warp collectives", site, l, i, other);
  }
}
const lane_bytes *meet (unsigned mask, const void *mine, unsigned n, collective what, const char *site)
{
  cuda_thread *t = self ();
  const unsigned l = t->linear & 31, number = t->linear >> 5, first = t->linear & ~31u;
  warp &w = here->warps[number];
  check_meeting (w, mask, l, site);
  const bool all = mask == 0xffffffffu;
  const uint32_t need = mask & w.exist;
  const unsigned phase = w.meetings & 1;
  lane_bytes *into = all ? &w.whole[phase][l] : &w.part[l];
  if (n == 4) __builtin_memcpy (into->at, mine, 4);
  else raw_copy (into->at, mine, n);
  w.waiting |= 1u << l, w.mask[l] = mask, w.what[l] = (uint8_t) what;
  EMU_IF_TSAN (void *order = here->fresh + 2048 + 64 * number + 8 * (all ? phase : 2); if (what == SYNC) __tsan_release (order));
  if ((w.waiting & need) != need) sleep_ (t, AT_MEETING, site);
  else {
    check_agreement (w, first, mask, l, what, site);
    w.waiting &= ~need;
    w.meetings++;
    if (!all)
      for (uint32_t m = need; m; m &= m - 1)
        for (uint32_t k = need; k; k &= k - 1) raw_copy (w.left[__builtin_ctz (m)][__builtin_ctz (k)].at, w.part[__builtin_ctz (k)].at, n);
    if (need & ~(1u << l)) wake (number, need & ~(1u << l));
  }
  EMU_IF_TSAN (if (what == SYNC) __tsan_acquire (order));
  return all ? w.whole[phase] : w.left[l];
}

/* ---- cp.async */
bool copy_late () { return setting ().late; }
void copy_issue (piece p)
{
  cuda_thread *t = self ();
  if (t->copies_on_way == COPIES) die ("a thread with more than %d cp.async on their way", COPIES);
  t->copies[(t->first_copy + t->copies_on_way++) % COPIES] = p;
}
void copy_commit ()
{
  cuda_thread *t = self ();
  if (t->committed == GROUPS) die ("a thread with more than %d groups of cp.async on their way", GROUPS);
  unsigned before = 0;
  for (unsigned g = 0; g < t->committed; g++) before += t->groups[g];
  t->groups[t->committed++] = t->copies_on_way - before;
}
bool copy_next (int groups_left, piece *p)
{
  cuda_thread *t = self ();
  while ((int) t->committed > groups_left && !t->groups[0]) {
    t->committed--;
    for (unsigned g = 0; g < t->committed; g++) t->groups[g] = t->groups[g + 1];
  }
  if ((int) t->committed <= groups_left) return false;
  *p = t->copies[t->first_copy];
  t->first_copy = (t->first_copy + 1) % COPIES;
  t->copies_on_way--;
  t->groups[0]--;
  return true;
}
} // namespace emu
