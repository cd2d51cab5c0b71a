/* SPDX-License-Identifier: Apache-2.0 */
/* setup_memory.c: what a run takes of each host's memory, said and checked before anything is allocated. */
#include "setup.h"
#include "solera/buffer.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* one rank's, as it goes to all; no padding that could hold anything */
typedef struct { char who[32], host[96], what[32]; sol_need_t need; uint64_t limit, available; } rank_need_t;

static double mib (uint64_t bytes) { return (double) bytes / 1048576; }

/* the ranks of one role differ by their slices: the one that takes most stands for them */
static void say_role (const rank_need_t *all, int n, int first, sol_buffer_t *text)
{
  int most = first, count = 0;
  for (int r = first; r < n; r++) {
    if (strcmp (all[r].who, all[first].who) != 0) continue;
    count++;
    if (sol_need_total (&all[r].need) > sol_need_total (&all[most].need)) most = r;
  }
  sol_buffer_printf (text, "%s, %d rank%s, %s", all[first].who, count, count > 1 ? "s" : "", count > 1 ? "each " : "");
  sol_need_text (&all[most].need, text);
  sol_buffer_printf (text, "\n");
}

/* all ranks of one host together */
static sol_status_t check_host (const rank_need_t *all, int n, int first)
{
  const rank_need_t *h = &all[first];
  sol_need_t sum = { { 0 }, 0 };
  int count = 0;
  for (int r = first; r < n; r++) {
    if (strcmp (all[r].host, h->host) != 0) continue;
    count++;
    sol_need_sum (&sum, &all[r].need);
  }
  const uint64_t total = sol_need_total (&sum);
  const sol_need_part_t most = sol_need_largest (&sum);
  if (h->limit && total > h->limit)
    return sol_fail (SOL_ERR_USAGE, "memory", "%s: %d ranks need %.1f MiB, but the host has %.1f MiB (%s). The largest part is %s, %.1f MiB: it depends on %s", h->host, count,
                     mib (total), mib (h->limit), h->what, sol_need_name (most), mib (sum.part[most]), sol_need_settings (most));
  if (h->available && total > h->available)
    sol_log (SOL_LOG_WARN, "memory", "%s: %d ranks need %.1f MiB, but only %.1f of %.1f MiB (%s) are free now", h->host, count, mib (total), mib (h->available), mib (h->limit), h->what);
  else if (h->limit && (sum.grows > h->limit || total + sum.grows > h->limit))
    sol_log (SOL_LOG_WARN, "memory", "%s: %d ranks may need more than the %.1f MiB (%s) of the host when groups have full length: %.1f and up to %.1f MiB more; see rollout.max_tokens, "
             "batch.group and staleness.k", h->host, count, mib (h->limit), h->what, mib (total), mib (sum.grows));
  return SOL_OK;
}

/* is entry r the first with its text? offset: of the text in rank_need_t */
static int is_first (const rank_need_t *all, int r, size_t offset)
{
  const char *mine = (const char *) &all[r] + offset;
  for (int i = 0; i < r; i++)
    if (strcmp ((const char *) &all[i] + offset, mine) == 0) return 0;
  return 1;
}

void sol_setup_say (const sol_buffer_t *lines)
{
  for (const char *at = lines->data; at && *at; at += strcspn (at, "\n") + 1) sol_log (SOL_LOG_INFO, "memory", "%.*s", (int) strcspn (at, "\n"), at);
}

sol_status_t sol_setup_memory (sol_comm_t *world, const char *who, const sol_backend_t *backend, const sol_need_t *need, sol_buffer_t *lines)
{
  const int n = sol_comm_size (world);
  const sol_machine_t machine = sol_machine_memory ();
  rank_need_t mine, *all = sol_alloc ((size_t) n * sizeof *all);
  sol_status_t st;
  memset (&mine, 0, sizeof mine);
  snprintf (mine.who, sizeof mine.who, "%s", who);
  snprintf (mine.host, sizeof mine.host, "%s", sol_comm_host ());
  snprintf (mine.what, sizeof mine.what, "%s", machine.what);
  if (backend && !(sol_backend_ops (backend)->caps & SOL_CAP_HOST)) { /* a device of its own, whose allocations say what is free there */
    snprintf (mine.who, sizeof mine.who, "%s on a device", who);
    snprintf (mine.host, sizeof mine.host, "%.60s, device of rank %d", sol_comm_host (), sol_comm_rank (world));
  }
  mine.need = *need;
  if (backend == NULL || sol_backend_ops (backend)->caps & SOL_CAP_HOST) mine.limit = machine.limit, mine.available = machine.available;
  SOL_GO (sol_comm_allgather (world, &mine, sizeof mine, all));
  if (sol_comm_rank (world) == 0) {
    for (int r = 0; r < n; r++)
      if (is_first (all, r, offsetof (rank_need_t, who))) say_role (all, n, r, lines);
    for (int r = 0; r < n && st == SOL_OK; r++)
      if (is_first (all, r, offsetof (rank_need_t, host))) st = check_host (all, n, r);
    if (st != SOL_OK) sol_setup_say (lines);
  }
  st = sol_comm_agree (world, st);
out:
  sol_free (all);
  return st;
}
