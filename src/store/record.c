/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/record.h"
#include "solera/hash.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <inttypes.h>
#include <string.h>

#define ROOM "record"
enum { ROOMS = 10 };

static void list_rooms (sol_record_t *r, sol_room_t room[ROOMS])
{
  static const char what[] = "the record of a run";
  sol_schedule_t *s = r->schedule;
  const size_t n = (size_t) s->n + 1, responses = n * (size_t) r->group;
  const sol_room_t all[ROOMS] = { { (void **) &s->due, n * sizeof *s->due, what },           { (void **) &s->ticket, n * sizeof *s->ticket, what },
                                  { (void **) &r->generated, n * sizeof *r->generated, what }, { (void **) &r->n_tokens, n * sizeof *r->n_tokens, what },
                                  { (void **) &r->refilled, n * sizeof *r->refilled, what },  { (void **) &r->reward, responses * sizeof *r->reward, what },
                                  { (void **) &r->answer, responses * sizeof *r->answer, what }, { (void **) &r->stopped, responses, what },
                                  { (void **) &r->weights, ((size_t) r->n_weights + 1) * sizeof *r->weights, what },
                                  { (void **) &s->place, ((size_t) s->n_tickets + 1) * sizeof *s->place, what } };
  memcpy (room, all, sizeof all);
}

void sol_record_destroy (sol_record_t *r)
{
  if (!r) return;
  sol_schedule_destroy (r->schedule);
  void *all[] = { r->generated, r->n_tokens, r->refilled, r->reward, r->answer, r->stopped, r->weights, r };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) sol_free (all[i]);
}

uint64_t sol_record_bytes (const sol_record_t *record)
{
  sol_schedule_t s = *record->schedule;
  sol_record_t r = *record;
  sol_room_t room[ROOMS];
  r.schedule = &s;
  list_rooms (&r, room);
  return sol_rooms_bytes (room, ROOMS) + 4 * (uint64_t) s.n + 8 * (uint64_t) (s.n_steps + 2);
}

int64_t sol_record_update (const sol_record_t *r, int64_t place)
{
  const sol_schedule_t *s = r->schedule;
  return place / s->prompts * s->ups + place % s->prompts / (s->prompts / s->ups);
}

/* ---- reading */
typedef struct { sol_record_t *r; uint8_t *have; /* [n] responses seen */ } load_t;

static sol_status_t add_row (load_t *l, int64_t update, const sol_stats_sequences_t *q, int64_t i)
{
  sol_record_t *r = l->r;
  sol_schedule_t *s = r->schedule;
  const int64_t ticket = q->ticket[i], place = q->batch[i] * s->prompts + q->place[i], k = q->seq[i] - ticket * r->group, at = place * r->group + k;
  if (q->batch[i] != update / s->ups || q->place[i] < 0 || q->place[i] >= s->prompts || sol_record_update (r, place) != update || ticket < 0 || ticket >= INT32_MAX || k < 0 || k >= r->group)
    return sol_fail (SOL_ERR_FORMAT, ROOM, "update %" PRId64 ": response %" PRId64 " (ticket %" PRId64 ", batch %d, place %d) cannot be of that update", update, q->seq[i], ticket, q->batch[i], q->place[i]);
  if (r->n_tokens[place] < 0) {
    r->n_tokens[place] = 0;
    s->ticket[place] = (int32_t) ticket;
    s->due[place] = q->version_min[i];
    r->generated[place] = q->generated[i];
    r->refilled[place] = q->refilled[i];
    if (ticket >= s->n_tickets) s->n_tickets = ticket + 1;
  }
  if (s->ticket[place] != ticket || r->generated[place] != q->generated[i] || r->refilled[place] != q->refilled[i] || q->version_min[i] < 0 || q->version_max[i] > place / s->prompts * s->ups)
    return sol_fail (SOL_ERR_FORMAT, ROOM, "update %" PRId64 ": place %d of batch %d has tickets %d and %" PRId64 ", versions up to %d", update, q->place[i], q->batch[i], s->ticket[place], ticket, q->version_max[i]);
  r->in_flight |= q->version_min[i] != q->version_max[i] || q->version_min[i] != s->due[place];
  if (q->version_min[i] < s->due[place]) s->due[place] = q->version_min[i];
  r->n_tokens[place] += q->n_response[i];
  if (q->dropped[i] && r->refused < 0) r->refused = update;
  r->reward[at] = q->reward[i];
  r->answer[at] = q->reward_answer[i];
  r->stopped[at] = q->stopped[i];
  l->have[at]++;
  return SOL_OK;
}

static sol_status_t read_updates (load_t *l, sol_stats_reader_t *reader)
{
  sol_record_t *r = l->r;
  for (int64_t u = 0; u < r->updates; u++) {
    sol_stats_sequences_t q;
    SOL_TRY (sol_stats_reader_sequences (reader, u, &q));
    for (int64_t i = 0; i < q.n; i++) SOL_TRY (add_row (l, u, &q, i));
    if (u % r->schedule->ups == 0) r->weights[u / r->schedule->ups] = sol_stats_reader_weights (reader, u);
  }
  for (int64_t i = 0; i < r->schedule->n * r->group; i++) {
    const int64_t place = i / r->group;
    if (sol_record_update (r, place) < r->updates && l->have[i] != 1)
      return sol_fail (SOL_ERR_FORMAT, ROOM, "update %" PRId64 ": response %" PRId64 " of the group at place %" PRId64 " is there %d times, expected once", sol_record_update (r, place), i % r->group,
                       place % r->schedule->prompts, l->have[i]);
  }
  return SOL_OK;
}

/* The run stopped inside its last batch: the rest of that is made of tickets that nobody had, in bounded and exact mode those of the batch, by the newest version. No update that is recorded depends on them. */
static void fill_up (sol_record_t *r)
{
  sol_schedule_t *s = r->schedule;
  int64_t ticket = s->n - s->prompts;
  for (int64_t p = s->n - s->prompts; p < s->n; p++) {
    if (r->n_tokens[p] >= 0) continue;
    while (ticket < s->n_tickets && s->place[ticket] >= 0) ticket++;
    s->due[p] = (int32_t) (p / s->prompts * s->ups);
    s->ticket[p] = (int32_t) ticket;
    s->place[ticket++] = (int32_t) p;
    if (ticket > s->n_tickets) s->n_tickets = ticket;
  }
}

static sol_status_t map_tickets (sol_record_t *r)
{
  sol_schedule_t *s = r->schedule;
  if (s->n_tickets < s->n - s->prompts) s->n_tickets = s->n - s->prompts;
  SOL_TRY (sol_alloc_large ((size_t) (s->n_tickets + s->prompts + 1) * sizeof *s->place, "the record of a run", (void **) &s->place));
  for (int64_t t = 0; t < s->n_tickets + s->prompts; t++) s->place[t] = -1;
  for (int64_t p = 0; p < s->n; p++) {
    if (r->n_tokens[p] < 0) continue;
    if (s->place[s->ticket[p]] >= 0) return sol_fail (SOL_ERR_FORMAT, ROOM, "ticket %d is in batches %" PRId64 " and %" PRId64, s->ticket[p], s->place[s->ticket[p]] / s->prompts, p / s->prompts);
    if (s->due[p] % s->ups != 0 || s->due[p] > p / s->prompts * s->ups)
      return sol_fail (SOL_ERR_FORMAT, ROOM, "ticket %d of batch %" PRId64 ": expected a version between steps and not newer than the batch, found %d", s->ticket[p], p / s->prompts, s->due[p]);
    s->place[s->ticket[p]] = (int32_t) p;
  }
  fill_up (r);
  return SOL_OK;
}

/* whole updates: a kill may have come between the tokens of the last one and its responses */
static sol_status_t count_updates (sol_stats_reader_t *reader, const sol_config_t *c, int64_t *n_p)
{
  const int64_t last = sol_stats_reader_last (reader), want = c->prompts / c->ups * c->group;
  sol_stats_sequences_t q;
  SOL_TRY (sol_stats_reader_sequences (reader, last, &q));
  *n_p = last + (q.n >= want);
  if (q.n >= want) return SOL_OK;
  if (last == 0) return sol_fail (SOL_ERR_FORMAT, ROOM, "update 0 has %" PRId64 " of its %" PRId64 " responses, and there is no other", q.n, want);
  sol_log (SOL_LOG_WARN, ROOM, "update %" PRId64 " has %" PRId64 " of its %" PRId64 " responses and is left out", last, q.n, want);
  return SOL_OK;
}

sol_status_t sol_record_load (sol_stats_reader_t *reader, const sol_config_t *c, sol_record_t **record_p)
{
  sol_record_t *r = sol_alloc (sizeof *r);
  load_t l = { .r = r };
  sol_schedule_t *s = r->schedule = sol_alloc (sizeof *s);
  sol_room_t room[ROOMS];
  sol_status_t st;
  SOL_GO (count_updates (reader, c, &r->updates));
  r->group = c->group;
  r->refused = -1;
  *s = (sol_schedule_t){ .prompts = c->prompts, .ups = c->ups, .n = (r->updates + c->ups - 1) / c->ups * c->prompts };
  r->n_weights = (r->updates + c->ups - 1) / c->ups;
  if (s->n >= INT32_MAX) SOL_GO (sol_fail (SOL_ERR_LIMIT, ROOM, "a record of at most 2^31 groups can be used, found %" PRId64, s->n));
  list_rooms (r, room);
  SOL_GO (sol_rooms_take (room, ROOMS - 1)); /* place comes with the number of tickets */
  SOL_GO (sol_alloc_large ((size_t) (s->n * r->group) + 1, "the record of a run", (void **) &l.have));
  for (int64_t p = 0; p < s->n; p++) r->n_tokens[p] = -1;
  SOL_GO (read_updates (&l, reader));
  SOL_GO (map_tickets (r));
  s->identity = sol_hash_pair (sol_hash (s->due, (size_t) s->n * sizeof *s->due), sol_hash (r->generated, (size_t) s->n * sizeof *r->generated));
  SOL_GO (sol_schedule_finish (s, r->updates));
out:
  sol_free (l.have);
  if (st == SOL_OK) *record_p = r;
  else sol_record_destroy (r);
  return st;
}

sol_status_t sol_record_share (sol_comm_t *world, sol_record_t **record_p)
{
  const int root = sol_comm_rank (world) == 0;
  sol_record_t *r = root ? *record_p : sol_alloc (sizeof *r);
  int64_t head[10] = { 0 };
  sol_room_t room[ROOMS];
  sol_status_t st;
  if (!root) r->schedule = sol_alloc (sizeof *r->schedule);
  sol_schedule_t *s = r->schedule;
  if (root) memcpy (head, (int64_t[10]){ r->updates, r->group, r->n_weights, r->in_flight, s->prompts, s->ups, s->n, s->n_tickets, (int64_t) s->identity, r->refused }, sizeof head);
  SOL_GO (sol_comm_bcast (world, head, sizeof head, 0));
  if (!root) {
    *r = (sol_record_t){ .schedule = s, .updates = head[0], .group = head[1], .n_weights = head[2], .in_flight = (int) head[3], .refused = head[9] };
    *s = (sol_schedule_t){ .prompts = head[4], .ups = head[5], .n = head[6], .n_tickets = head[7], .identity = (uint64_t) head[8] };
  }
  list_rooms (r, room);
  if (!root) st = sol_rooms_take (room, ROOMS);
  SOL_GO (sol_comm_agree (world, st));
  for (int i = 0; i < ROOMS; i++) SOL_GO (sol_comm_bcast (world, *room[i].p, room[i].bytes, 0));
  if (!root) st = sol_schedule_finish (s, r->updates);
  SOL_GO (sol_comm_agree (world, st));
  *record_p = r;
  return SOL_OK;
out:
  if (!root) sol_record_destroy (r);
  return st;
}

/* ---- comparing */
sol_status_t sol_record_check (const sol_record_t *r, const sol_rollout_t *g)
{
  const int64_t place = sol_schedule_place (r->schedule, (int64_t) g->ticket), update = place < 0 ? -1 : sol_record_update (r, place);
  const unsigned long long ticket = (unsigned long long) g->ticket;
  if (place < 0) return sol_fail (SOL_ERR_CHECKSUM, ROOM, "ticket %llu is not in the record", ticket);
  if (r->n_tokens[place] < 0) return SOL_OK;
  if (g->n_tokens != r->n_tokens[place])
    return sol_fail (SOL_ERR_CHECKSUM, ROOM, "update %" PRId64 ", ticket %llu: the record has %d tokens, replay made %" PRId64, update, ticket, r->n_tokens[place], g->n_tokens);
  for (int32_t s = 0; s < g->n_responses; s++)
    if (g->reward[s] != r->reward[place * r->group + s])
      return sol_fail (SOL_ERR_CHECKSUM, ROOM, "update %" PRId64 ", ticket %llu, response %d: the record has reward %.17g, replay %.17g", update, ticket, s, r->reward[place * r->group + s], g->reward[s]);
  if (sol_rollout_generated (g) != r->generated[place])
    return sol_fail (SOL_ERR_CHECKSUM, ROOM, "update %" PRId64 ", ticket %llu: the record has xxh3 %016" PRIx64 " of tokens, log-probs and versions, replay made %016" PRIx64, update, ticket,
                     r->generated[place], sol_rollout_generated (g));
  return SOL_OK;
}
