/* SPDX-License-Identifier: Apache-2.0 */
#include "replay.h"
#include "refill.h"
#include "solera/task.h"

int sol_replay_drops (const sol_record_t *r, const sol_rollout_t *g)
{
  const int64_t place = sol_schedule_place (r->schedule, (int64_t) g->ticket);
  return place >= 0 && sol_refill_attempt (g->index) < r->refilled[place];
}

int sol_replay_outcomes (const sol_record_t *r, const sol_rollout_t *g, int own, double *reward, double *parts)
{
  const int64_t place = sol_schedule_place (r->schedule, (int64_t) g->ticket);
  int n = 0;
  if (place < 0 || r->n_tokens[place] < 0) return 0;
  for (int32_t s = 0; s < g->n_responses; s++) {
    const int64_t i = place * r->group + s;
    double *part = parts + (int64_t) s * g->n_parts;
    if (!own && !r->stopped[i] && !(part[SOL_PART_STOPPED] > 0)) continue;
    n += reward[s] != r->reward[i];
    reward[s] = r->reward[i];
    part[SOL_PART_ANSWER] = (double) r->answer[i];
    part[SOL_PART_STOPPED] = r->stopped[i];
  }
  return n;
}
