/* SPDX-License-Identifier: Apache-2.0 */
/* broker_queue.c: the broker's private queue of admitted groups, by batch, and its file in a checkpoint; broker_load.c reads that. */
#include "broker_internal.h"
#include "solera/buffer.h"
#include "solera/file.h"
#include "solera/hash.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

share_t *sol_queue_share (sol_broker_t *b, int64_t batch)
{
  int64_t i = batch - b->first;
  if (i >= b->n_shares) {
    b->share = sol_realloc (b->share, (size_t) (i + 1) * sizeof *b->share);
    for (; b->n_shares <= i; b->n_shares++) {
      share_t *s = &b->share[b->n_shares];
      *s = (share_t){ .want = sol_broker_share (b, b->me, b->first + b->n_shares) };
      s->entry = sol_alloc ((size_t) (s->want ? s->want : 1) * sizeof *s->entry);
    }
  }
  return &b->share[i];
}

int sol_queue_complete (const sol_broker_t *b, int64_t batch)
{
  int64_t i = batch - b->first;
  if (i < b->n_shares) return b->share[i].n == b->share[i].want;
  return sol_broker_share (b, b->me, batch) == 0 && batch < sol_broker_tickets (&b->p) / b->p.prompts;
}

/* free mode: the first batch with room; else the ticket says which */
static int64_t batch_of (sol_broker_t *b, int64_t ticket)
{
  int64_t batch = b->first;
  if (b->p.mode != SOL_STALE_FREE) return sol_broker_batch_of (b, ticket);
  while (sol_queue_complete (b, batch)) batch++;
  return batch;
}

static sol_status_t check_group (sol_broker_t *b, const sol_rollout_t *v, int64_t batch)
{
  const int64_t due = sol_broker_due_of (&b->p, (int64_t) v->ticket), place = sol_broker_place (b, (int64_t) v->ticket);
  if ((int64_t) v->ticket < 0 || (b->p.schedule ? place < 0 : (int64_t) v->ticket >= sol_broker_tickets (&b->p)) || place % b->n_brokers != b->me)
    return sol_fail (SOL_ERR_FORMAT, "broker", "ticket %llu is not for broker.%d of this run", (unsigned long long) v->ticket, b->me);
  if (batch < b->first) return sol_fail (SOL_ERR_STALE, "broker", "ticket %llu belongs to batch %lld, which is trained", (unsigned long long) v->ticket, (long long) batch);
  if (batch >= sol_broker_tickets (&b->p) / b->p.prompts || (b->seen && b->seen[v->ticket])) return sol_fail (SOL_ERR_CONSERVATION, "broker", "ticket %llu arrived twice", (unsigned long long) v->ticket);
  for (int32_t i = 0; i < v->n_responses; i++)
    if (fabs (v->reward[i]) > REWARD_MOST)
      return sol_fail (SOL_ERR_LIMIT, "broker", "ticket %llu: a reward of %g, at most 2^30 are expected", (unsigned long long) v->ticket, v->reward[i]);
  for (int32_t i = 0; i < v->n_runs && !b->p.fed; i++) {
    if (b->p.mode == SOL_STALE_EXACT && v->runs[i].version != due)
      return sol_fail (SOL_ERR_STALE, "broker", "ticket %llu of batch %lld: expected policy version %lld, found %lld", (unsigned long long) v->ticket, (long long) batch, (long long) due, (long long) v->runs[i].version);
    if (b->p.mode == SOL_STALE_BOUNDED && batch * b->p.ups - v->runs[i].version > b->p.k)
      return sol_fail (SOL_ERR_STALE, "broker", "ticket %llu of batch %lld: lag %lld over %lld", (unsigned long long) v->ticket, (long long) batch, (long long) (batch * b->p.ups - v->runs[i].version), (long long) b->p.k);
  }
  return SOL_OK;
}

/* where a ticket goes in its share: by candidate, or by arrival in free mode */
static int32_t place_of (const sol_broker_t *b, const share_t *s, int64_t batch, int64_t ticket)
{
  int64_t first = batch * b->p.prompts;
  if (b->p.mode == SOL_STALE_FREE) return s->n;
  first += (b->me - first % b->n_brokers + b->n_brokers) % b->n_brokers;
  return (int32_t) ((sol_broker_place (b, ticket) - first) / b->n_brokers);
}

static void add_reward (fresh_t *f, double reward)
{
  double whole = floor (reward);
  f->whole += (int64_t) whole;
  f->part += llrint ((reward - whole) * 0x1p60);
  f->whole += f->part >> 60;
  f->part &= ((int64_t) 1 << 60) - 1;
}

static sol_status_t add_fresh (sol_broker_t *b, const sol_rollout_t *v)
{
  int64_t i = v->n_runs ? v->runs[0].version / b->p.ups : -1, word, at;
  fresh_t *f;
  if (i < 0 || i >= b->n_versions) return SOL_OK;
  f = &b->fresh[i];
  at = b->at_fresh + i * (int64_t) sizeof *f;
  word = sol_word_at (at, 0);
  for (int32_t g = 0; g < v->n_responses; g++) add_reward (f, v->reward[g]);
  SOL_TRY (sol_word_set (b, b->rank, word, f->n_word + 1));
  SOL_TRY (sol_window_put (b, b->rank, at + 8, &f->whole, 16));
  f->n_word += 2 * (int64_t) v->n_responses;
  return sol_word_set (b, b->rank, word, f->n_word);
}

static sol_status_t insert (sol_broker_t *b, char *record, size_t bytes, const sol_rollout_t *v)
{
  int64_t batch = batch_of (b, (int64_t) v->ticket);
  entry_t *e;
  share_t *s;
  SOL_TRY (check_group (b, v, batch));
  s = sol_queue_share (b, batch);
  e = &s->entry[place_of (b, s, batch, (int64_t) v->ticket)];
  if (e->record) return sol_fail (SOL_ERR_CONSERVATION, "broker", "ticket %llu arrived twice", (unsigned long long) v->ticket);
  *e = (entry_t){ .record = record, .digest = sol_rollout_digest (v),
                  .row = { .ticket = (int64_t) v->ticket, .n_responses = v->n_responses, .bytes = (int64_t) bytes, .n_tokens = v->n_tokens, .n_prompt = v->n_prompt } };
  s->n++;
  if (b->seen) b->seen[v->ticket] = 1;
  b->n.responses_in += v->n_responses, b->n.tokens_in += v->n_tokens, b->n.digest_in += e->digest;
  b->n.responses_queued += v->n_responses, b->n.tokens_queued += v->n_tokens, b->n.digest_queued += e->digest;
  b->n.groups_queued++;
  b->unchecked++;
  return SOL_OK;
}

sol_status_t sol_queue_admit (sol_broker_t *b, char *record, size_t bytes, int *actor_p, sol_amount_t *got_p)
{
  sol_rollout_t v;
  uint64_t digest = b->n.digest_in;
  sol_status_t st = sol_rollout_open (record, bytes, &v);
  if (st == SOL_OK && actor_p && (v.actor < 0 || v.actor >= b->p.roles->n_actors))
    st = sol_fail (SOL_ERR_FORMAT, "broker", "ticket %llu: it is said to be of actor.%d, but there are %d actors", (unsigned long long) v.ticket, v.actor, b->p.roles->n_actors);
  if (st == SOL_OK) st = insert (b, record, bytes, &v);
  if (st != SOL_OK) {
    sol_free (record);
    return st;
  }
  if (actor_p) {
    *actor_p = v.actor;
    *got_p = (sol_amount_t){ v.n_responses, v.n_tokens, b->n.digest_in - digest };
  }
  return add_fresh (b, &v);
}

static void free_share (share_t *s)
{
  for (int32_t i = 0; i < s->want; i++) sol_free (s->entry[i].record);
  sol_free (s->entry);
}

void sol_queue_forget (sol_broker_t *b, int64_t batch)
{
  int64_t gone = 0;
  for (; b->first < batch && gone < b->n_shares; b->first++, gone++) {
    share_t *s = &b->share[gone];
    for (int32_t i = 0; i < s->want; i++) {
      const entry_t *e = &s->entry[i];
      if (!e->record) continue;
      b->n.responses_out += e->row.n_responses, b->n.tokens_out += e->row.n_tokens, b->n.digest_out += e->digest;
      b->n.responses_queued -= e->row.n_responses, b->n.tokens_queued -= e->row.n_tokens, b->n.digest_queued -= e->digest;
      b->n.groups_queued--;
      b->unchecked++;
    }
    free_share (s);
  }
  b->n_shares -= gone;
  if (gone > 0 && b->n_shares > 0) memmove (b->share, b->share + gone, (size_t) b->n_shares * sizeof *b->share);
  if (b->first < batch) b->first = batch; /* this broker has no share of those */
  if (b->served < b->first) b->served = b->first;
}

/* the queue's contents, counted anew, against the running counts */
sol_status_t sol_queue_check (sol_broker_t *b)
{
  int64_t responses = 0, tokens = 0;
  uint64_t digest = 0;
  for (int64_t i = 0; i < b->n_shares; i++)
    for (int32_t j = 0; j < b->share[i].want; j++) {
      const entry_t *e = &b->share[i].entry[j];
      if (!e->record) continue;
      responses += e->row.n_responses;
      tokens += e->row.n_tokens;
      digest += e->digest;
    }
  b->unchecked = 0;
  if (responses == b->n.responses_queued && tokens == b->n.tokens_queued && digest == b->n.digest_queued) return SOL_OK;
  return sol_fail (SOL_ERR_CONSERVATION, "broker", "the queue holds %lld responses (%lld tokens), the counts say %lld (%lld)", (long long) responses, (long long) tokens, (long long) b->n.responses_queued,
                   (long long) b->n.tokens_queued);
}

sol_status_t sol_queue_audit (sol_broker_t *b) { return 2 * b->unchecked < b->n_shares * b->row_room ? SOL_OK : sol_queue_check (b); }

void sol_queue_destroy (sol_broker_t *b)
{
  for (int64_t i = 0; i < b->n_shares; i++) free_share (&b->share[i]);
  sol_free (b->share);
  b->share = NULL;
  b->n_shares = 0;
}

/* exact mode: groups that are due from the update's version or later are left out of its checkpoint and generated again; they do not count in the file */
static int is_out (const sol_broker_t *b, int64_t update, int64_t ticket) { return b->p.fed || (b->p.mode == SOL_STALE_EXACT && sol_broker_due_of (&b->p, ticket) >= update); }

static sol_amount_t left_out (const sol_broker_t *b, int64_t update)
{
  sol_amount_t sum = { 0 };
  for (int64_t i = 0; i < b->n_shares; i++)
    for (int32_t j = 0; j < b->share[i].want; j++) {
      const entry_t *e = &b->share[i].entry[j];
      if (e->record && is_out (b, update, e->row.ticket)) sum.responses += e->row.n_responses, sum.tokens += e->row.n_tokens, sum.digest += e->digest;
    }
  return sum;
}

int sol_queue_whole (sol_broker_t *b, int64_t update, int64_t *missing_p)
{
  const int64_t last = b->p.schedule ? update / b->p.ups + b->p.schedule->ahead : sol_queue_last_due (update, b->p.k, b->p.ups), most = sol_broker_tickets (&b->p) / b->p.prompts - 1;
  if (missing_p) *missing_p = -1;
  for (int64_t batch = b->first; batch <= (last < most ? last : most); batch++) {
    if (sol_queue_complete (b, batch)) continue;
    for (int64_t i = 0, place = batch * b->p.prompts; i < b->p.prompts; i++, place++) {
      const int64_t ticket = b->p.schedule ? sol_schedule_ticket (b->p.schedule, place) : place;
      if (sol_broker_of (b, ticket) != b->me || is_out (b, update, ticket)) continue;
      if (batch - b->first < b->n_shares && b->share[batch - b->first].entry[place_of (b, &b->share[batch - b->first], batch, ticket)].record) continue;
      if (missing_p) *missing_p = ticket;
      return 0;
    }
  }
  return 1;
}

sol_status_t sol_queue_write (sol_broker_t *b, const char *dir, int64_t update, uint64_t *hash_p)
{
  const sol_amount_t less = left_out (b, update);
  const sol_broker_counts_t *n = &b->n;
  sol_queue_header_t h = { .magic = QUEUE_MAGIC, .version = QUEUE_VERSION, .update = update, .prompts = b->p.prompts, .ups = b->p.ups, .k = sol_queue_k (&b->p), .tickets = sol_broker_tickets (&b->p),
                          .index = b->me, .n_brokers = b->n_brokers, .mode = sol_queue_mode (&b->p), .has_seen = b->seen != NULL, .out = { n->responses_out, n->tokens_out, n->digest_out },
                          .dropped = { n->responses_dropped, n->tokens_dropped, n->digest_dropped },
                          .in = { n->responses_in - less.responses, n->tokens_in - less.tokens, n->digest_in - less.digest } };
  sol_buffer_t out = { 0 };
  char *path = sol_queue_path (dir, b->me);
  static const char zero[8];
  sol_status_t st;
  sol_buffer_add (&out, &h, sizeof h);
  if (b->seen) sol_buffer_add (&out, b->seen, (size_t) h.tickets);
  for (int64_t i = 0; i < b->n_shares; i++)
    for (int32_t j = 0; j < b->share[i].want; j++) {
      const entry_t *e = &b->share[i].entry[j];
      if (!e->record || is_out (b, update, e->row.ticket)) continue;
      sol_buffer_add (&out, &e->row.bytes, 8);
      sol_buffer_add (&out, e->record, (size_t) e->row.bytes);
      sol_buffer_add (&out, zero, (size_t) (8 - e->row.bytes % 8) % 8);
      h.n_records++;
    }
  memcpy (out.data, &h, sizeof h);
  *hash_p = sol_hash (out.data, out.bytes);
  sol_buffer_add (&out, hash_p, 8);
  st = sol_file_write (path, out.data, out.bytes);
  sol_buffer_free (&out);
  sol_free (path);
  return st;
}
