/* SPDX-License-Identifier: Apache-2.0 */
/* setup_memory.c: what a run takes of each host's memory, said and checked before anything is allocated. */
#include "setup.h"
#include "solera/actor.h"
#include "solera/buffer.h"
#include "solera/learner.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* one rank's, as it goes to all; no padding that could hold anything */
typedef struct { char who[32], host[96], what[32]; sol_needs_t need; uint64_t limit, available; } rank_need_t;

sol_broker_params_t sol_setup_broker (const sol_config_t *c, const sol_setup_t *setup, const sol_roles_t *roles)
{
  return (sol_broker_params_t){ .roles = roles, .mode = setup->schedule ? SOL_STALE_EXACT : c->stale_mode, .k = c->stale_k, .ups = c->ups, .schedule = setup->schedule, .fed = setup->reuse != NULL, .prompts = c->prompts, .group = c->group, .updates = c->updates,
                                .ring_slots = c->ring_slots, .queue = c->ring_batches > 0 ? c->ring_batches : 2, .record_bytes = setup->reuse && setup->record->in_flight ? sol_rollout_max_bytes ((int32_t) c->group, (int32_t) c->max_prompt, (int32_t) c->max_new, c->max_new) : sol_rollout_config_bytes (c),
                               
                                .weight_bytes = (size_t) setup->table->elements * sol_dtype_bytes (setup->dtype) };
}

static void broker_need (const sol_config_t *c, const sol_setup_t *setup, const sol_roles_t *roles, sol_need_t *need)
{
  const sol_broker_params_t p = sol_setup_broker (c, setup, roles);
  const int64_t ahead = (p.fed ? 1 : p.schedule ? p.schedule->ahead + 1 : c->stale_mode == SOL_STALE_FREE ? p.queue : c->stale_k / c->ups + 1) + 1; /* batches that wait, if all are of full length */
  size_t most;
  const size_t bytes = sol_broker_bytes (&p, &most);
  sol_need_add (need, SOL_NEED_WINDOW, bytes);
  sol_need_grow (need, most - bytes);
  sol_need_grow (need, (uint64_t) ahead * (uint64_t) (c->prompts / roles->n_brokers + 1) * p.record_bytes);
}

sol_status_t sol_setup_need (const sol_config_t *c, const sol_setup_t *setup, const sol_roles_t *roles, sol_role_t role, int index, const sol_model_t *model, sol_needs_t *need)
{
  const int solo = role == SOL_ROLE_SOLO;
  if (model) SOL_TRY (sol_model_fits (model));
  if (model) sol_need_add (&need->device, SOL_NEED_LIBRARY, sol_backend_workspace (sol_model_backend (model)));
  if (role == SOL_ROLE_LEARNER || solo) SOL_TRY (sol_learner_need (c, model, solo ? 0 : index, roles->n_learners, need));
  if ((role == SOL_ROLE_LEARNER || solo) && c->kl_reference != SOL_KL_BEHAVIOUR) {
    sol_model_t *reference = sol_model_measure (sol_model_backend (model), &setup->reference_arch, setup->reference_dtype);
    const sol_status_t st = sol_model_fits (reference);
    if (st == SOL_OK) sol_learner_reference_need (c, reference, need);
    sol_model_destroy (reference);
    SOL_TRY (st);
  }
  if (role == SOL_ROLE_ACTOR || solo) SOL_TRY (sol_actor_need (c, model, need));
  if (role == SOL_ROLE_BROKER || solo) broker_need (c, setup, roles, &need->host);
  if (setup->schedule) sol_need_add (&need->host, SOL_NEED_BATCH, setup->record ? sol_record_bytes (setup->record) : sol_schedule_bytes (setup->schedule));
  return SOL_OK;
}

static double mib (uint64_t bytes) { return (double) bytes / 1048576; }

static uint64_t total (const sol_needs_t *n) { return sol_need_total (&n->device) + sol_need_total (&n->host); }

/* the ranks of one role differ by their slices: the one that takes most stands for them */
static void say_role (const rank_need_t *all, int n, int first, sol_buffer_t *text)
{
  int most = first, count = 0;
  for (int r = first; r < n; r++) {
    if (strcmp (all[r].who, all[first].who) != 0) continue;
    count++;
    if (total (&all[r].need) > total (&all[most].need)) most = r;
  }
  sol_buffer_printf (text, "%s, %d rank%s, %s", all[first].who, count, count > 1 ? "s" : "", count > 1 ? "each " : "");
  if (sol_need_total (&all[most].need.device)) {
    sol_buffer_printf (text, "on a device ");
    sol_need_text (&all[most].need.device, text);
    sol_buffer_printf (text, "; on the host ");
  }
  sol_need_text (&all[most].need.host, text);
  sol_buffer_printf (text, "\n");
}

/* all ranks of one host together */
static sol_status_t check_host (const rank_need_t *all, int n, int first)
{
  const rank_need_t *h = &all[first];
  sol_need_t sum = { { 0 }, 0, 0 };
  int count = 0;
  for (int r = first; r < n; r++) {
    if (strcmp (all[r].host, h->host) != 0) continue;
    count++;
    sol_need_sum (&sum, &all[r].need.host);
  }
  const uint64_t all_of_it = sol_need_total (&sum);
  const sol_need_part_t most = sol_need_largest (&sum);
  if (h->limit && all_of_it > h->limit)
    return sol_fail (SOL_ERR_USAGE, "memory", "%s: %d ranks need %.1f MiB, but the host has %.1f MiB (%s). The largest part is %s, %.1f MiB: it depends on %s", h->host, count,
                     mib (all_of_it), mib (h->limit), h->what, sol_need_name (most), mib (sum.part[most]), sol_need_settings (most));
  if (h->available && all_of_it > h->available)
    sol_log (SOL_LOG_WARN, "memory", "%s: %d ranks need %.1f MiB, but only %.1f of %.1f MiB (%s) are free now", h->host, count, mib (all_of_it), mib (h->available), mib (h->limit), h->what);
  else if (h->limit && (sum.grows > h->limit || all_of_it + sum.grows > h->limit))
    sol_log (SOL_LOG_WARN, "memory", "%s: %d ranks may need more than the %.1f MiB (%s) of the host when groups have full length: %.1f and up to %.1f MiB more; see rollout.max_tokens, "
             "batch.group and staleness.k", h->host, count, mib (h->limit), h->what, mib (all_of_it), mib (sum.grows));
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

sol_status_t sol_setup_memory (sol_comm_t *world, const char *who, const sol_needs_t *need, sol_buffer_t *lines)
{
  const int n = sol_comm_size (world);
  const sol_machine_t machine = sol_machine_memory ();
  rank_need_t mine, *all = sol_alloc ((size_t) n * sizeof *all);
  sol_status_t st;
  memset (&mine, 0, sizeof mine);
  snprintf (mine.who, sizeof mine.who, "%s", who);
  snprintf (mine.host, sizeof mine.host, "%s", sol_comm_host ());
  snprintf (mine.what, sizeof mine.what, "%s", machine.what);
  mine.need = *need;
  mine.limit = machine.limit, mine.available = machine.available;
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
