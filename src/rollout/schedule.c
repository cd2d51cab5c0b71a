/* SPDX-License-Identifier: Apache-2.0 */
/* schedule.c: places sorted by the version that they are due from. */
#include "solera/schedule.h"
#include "solera/memory.h"

int64_t sol_schedule_place (const sol_schedule_t *s, int64_t ticket)
{
  if (ticket < 0) return -1;
  if (s->place) return ticket < s->n_tickets ? s->place[ticket] : -1;
  return ticket < s->n ? ticket : -1;
}

int64_t sol_schedule_ticket (const sol_schedule_t *s, int64_t place) { return s->ticket ? s->ticket[place] : place; }

int64_t sol_schedule_before (const sol_schedule_t *s, int64_t version)
{
  const int64_t step = (version + s->ups - 1) / s->ups;
  return version <= 0 ? 0 : s->first[step < s->n_steps ? step : s->n_steps];
}

int64_t sol_schedule_count (const sol_schedule_t *s, int64_t version)
{
  const int64_t step = version / s->ups;
  return version < 0 || step >= s->n_steps ? 0 : s->first[step + 1] - s->first[step];
}

sol_status_t sol_schedule_finish (sol_schedule_t *s, int64_t updates)
{
  s->n_steps = updates / s->ups + 1;
  SOL_TRY (sol_alloc_large ((size_t) (s->n_steps + 2) * sizeof *s->first, "the schedule", (void **) &s->first));
  SOL_TRY (sol_alloc_large ((size_t) (s->n + 1) * sizeof *s->order, "the schedule", (void **) &s->order));
  for (int64_t i = 0; i <= s->n_steps; i++) s->first[i] = 0;
  s->least = INT64_MAX;
  for (int64_t p = 0; p < s->n; p++) {
    const int64_t step = s->due[p] / s->ups, ahead = p / s->prompts - step;
    if (step >= s->n_steps) continue;
    s->first[step + 1]++;
    s->n_claims++;
    if (ahead > s->ahead) s->ahead = ahead;
    if (step > 0 && ahead < s->least) s->least = ahead;
  }
  if (s->least > s->ahead) s->least = s->ahead;
  for (int64_t i = 0; i < s->n_steps; i++) s->first[i + 1] += s->first[i];
  /* first[step] runs on to where the next step begins, and is put back afterwards */
  for (int64_t p = 0; p < s->n; p++)
    if (s->due[p] / s->ups < s->n_steps) s->order[s->first[s->due[p] / s->ups]++] = (int32_t) p;
  for (int64_t i = s->n_steps; i > 0; i--) s->first[i] = s->first[i - 1];
  s->first[0] = 0;
  return SOL_OK;
}

void sol_schedule_destroy (sol_schedule_t *s)
{
  if (!s) return;
  void *all[] = { s->due, s->order, s->first, s->ticket, s->place, s };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) sol_free (all[i]);
}

uint64_t sol_schedule_bytes (const sol_schedule_t *s)
{
  const uint64_t n = (uint64_t) s->n + 1, by_ticket = s->place ? (uint64_t) s->n_tickets + 1 : 0;
  return 4 * (n * (s->ticket ? 3 : 2) + by_ticket) + 8 * (uint64_t) (s->n_steps + 2);
}
