/* SPDX-License-Identifier: Apache-2.0 */
#include "refill.h"
#include "solera/log.h"

int sol_refill_wants (const sol_config_t *c, const sol_rollout_t *g)
{
  if (sol_refill_attempt (g->index) >= c->refill) return 0; /* the last one stays, as it is */
  for (int32_t s = 1; s < g->n_responses; s++)
    if (g->reward[s] != g->reward[0]) return 0;
  return 1;
}

static sol_refill_entry_t *entry_of (sol_refill_t *r, int64_t ticket)
{
  for (int32_t i = 0; i < r->n; i++)
    if (r->entry[i].ticket == ticket) return &r->entry[i];
  return NULL;
}

void sol_refill_drop (sol_refill_t *r, const sol_rollout_t *g, int correct_part)
{
  sol_refill_entry_t *e = entry_of (r, (int64_t) g->ticket);
  int32_t correct = 0;
  if (!e) {
    SOL_ASSERT (r->n < r->room);
    e = &r->entry[r->n++];
    *e = (sol_refill_entry_t){ .ticket = (int64_t) g->ticket };
  }
  for (int32_t s = 0; s < g->n_responses; s++) {
    correct += g->parts[s * g->n_parts + correct_part] > 0;
    e->dropped.reward += g->reward[s];
  }
  e->dropped.groups++;
  e->dropped.correct += correct;
  e->dropped.all_right += correct == g->n_responses;
  e->dropped.all_wrong += correct == 0;
  e->attempt++;
  e->waits = 1;
  r->waiting++;
}

sol_refill_entry_t *sol_refill_next (sol_refill_t *r)
{
  for (int32_t i = 0; i < r->n && r->waiting > 0; i++)
    if (r->entry[i].waits) return &r->entry[i];
  return NULL;
}

void sol_refill_started (sol_refill_t *r, sol_refill_entry_t *e)
{
  e->waits = 0;
  r->waiting--;
}

void sol_refill_settle (sol_refill_t *r, sol_rollout_t *g)
{
  sol_refill_entry_t *e = entry_of (r, (int64_t) g->ticket);
  if (!e) return;
  g->dropped = e->dropped;
  *e = r->entry[--r->n];
}
