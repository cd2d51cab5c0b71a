/* SPDX-License-Identifier: Apache-2.0 */
/* sums of needs, their text, and what the machine has */
#include "solera/need.h"
#include "../tap.h"
#include <string.h>
#include <unistd.h>

int main (void)
{
  sol_need_t a = { .grows = 0 }, b = { .grows = 0 };
  sol_buffer_t text = { 0 };
  const sol_machine_t m = sol_machine_memory ();
  sol_need_add (&a, SOL_NEED_WEIGHTS, 1 << 20);
  sol_need_add (&a, SOL_NEED_CACHE, 3 << 20);
  sol_need_pin (&b, SOL_NEED_CACHE, 1 << 18, 0);
  ok (b.pinned == 0);
  sol_need_pin (&b, SOL_NEED_CACHE, 1 << 18, 1);
  sol_need_grow (&b, 5 << 20);
  sol_need_sum (&a, &b);
  ok (sol_need_total (&a) == (9 << 19) && sol_need_largest (&a) == SOL_NEED_CACHE && a.grows == 5 << 20 && a.pinned == 1 << 18);
  sol_need_text (&a, &text);
  ok (!strcmp (text.data, "4.5 MiB: weights 1.0, keys and values 3.5; 0.2 of it pinned; up to 5.0 more when groups have full length"));
  ok (strstr (sol_need_settings (SOL_NEED_CACHE), "actor.slots") && strstr (sol_need_settings (SOL_NEED_ACTIVATIONS), "train.micro_batch_tokens"));
  sol_need_add (&a, SOL_NEED_BATCH, UINT64_MAX - 5);
  sol_need_grow (&a, UINT64_MAX);
  sol_need_sum (&a, &a);
  ok (sol_need_total (&a) == UINT64_MAX && a.part[SOL_NEED_BATCH] == UINT64_MAX && a.grows == UINT64_MAX); /* no wrap */
  for (int i = 0; i < SOL_NEED_COUNT; i++) ok (sol_need_name ((sol_need_part_t) i) && sol_need_settings ((sol_need_part_t) i));
  ok (m.limit > 0 && m.limit <= (uint64_t) sysconf (_SC_PHYS_PAGES) * (uint64_t) sysconf (_SC_PAGESIZE) && m.available <= m.limit && m.what);
  sol_buffer_free (&text);
  return tap_done ();
}
