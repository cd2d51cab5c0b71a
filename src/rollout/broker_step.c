/* SPDX-License-Identifier: Apache-2.0 */
/* broker_step.c: the broker's own turn: admits what has arrived, serves the next batch, writes its part of a checkpoint. */
#include "broker_internal.h"
#include <string.h>

sol_status_t sol_put_check (sol_broker_t *b, int actor)
{
  const put_t *got = &b->got[actor];
  int64_t at = b->at_put + actor * (int64_t) sizeof *got;
  put_t put;
  SOL_TRY (sol_window_get (b, b->rank, at + 8, &put.amount, sizeof put.amount)); /* before the number of groups: see put_t */
  SOL_TRY (sol_word_get (b, b->rank, sol_word_at (at, 0), &put.groups));
  if (put.groups > got->groups && put.groups - got->groups <= b->p.ring_slots + 1) return SOL_OK; /* on their way: a full ring at most, and the one that it holds */
  if (put.groups == got->groups && put.amount.responses == got->amount.responses && put.amount.tokens == got->amount.tokens && put.amount.digest == got->amount.digest) return SOL_OK;
  return sol_fail (SOL_ERR_CONSERVATION, "broker", "actor.%d generated %lld groups, %lld responses (%lld tokens), but %lld groups, %lld responses (%lld tokens) arrived%s", actor, (long long) put.groups,
                   (long long) put.amount.responses, (long long) put.amount.tokens, (long long) got->groups, (long long) got->amount.responses, (long long) got->amount.tokens,
                   put.amount.responses == got->amount.responses && put.amount.tokens == got->amount.tokens ? ": contents differ" : "");
}

/* one record from the ring into the queue. AGAIN: the next place is not filled */
static sol_status_t admit (sol_broker_t *b)
{
  int64_t slot = b->cursor % b->p.ring_slots, word = sol_word_at (b->at_state, slot), state;
  uint64_t bytes;
  char *record;
  SOL_TRY (sol_word_get (b, b->rank, word, &state));
  int skip = state == b->cursor * SLOT_STATES + SLOT_SKIP;
  if (!skip && state != b->cursor * SLOT_STATES + SLOT_FULL) return SOL_AGAIN;
  SOL_TRY (sol_window_get (b, b->rank, b->at_ring + slot * b->slot_bytes, &bytes, sizeof bytes));
  if (!skip && bytes > b->p.record_bytes) return sol_fail (SOL_ERR_FORMAT, "broker", "place %lld of the ring: a record of %llu bytes, at most %zu are expected", (long long) b->cursor, (unsigned long long) bytes, b->p.record_bytes);
  if (!skip) {
    int actor;
    sol_amount_t got;
    record = sol_alloc ((size_t) bytes + 1);
    SOL_TRY (sol_window_get (b, b->rank, b->at_ring + slot * b->slot_bytes + 8, record, (size_t) bytes));
    SOL_TRY (sol_queue_admit (b, record, (size_t) bytes, &actor, &got));
    b->got[actor].groups++;
    b->got[actor].amount.responses += got.responses, b->got[actor].amount.tokens += got.tokens, b->got[actor].amount.digest += got.digest;
    SOL_TRY (sol_put_check (b, actor));
  }
  SOL_TRY (sol_word_set (b, b->rank, word, (b->cursor + b->p.ring_slots) * SLOT_STATES + SLOT_FREE));
  b->cursor++;
  return SOL_OK;
}

/* what every learner has read is trained: its records are forgotten */
static sol_status_t collect_done (sol_broker_t *b)
{
  int64_t least = INT64_MAX, done;
  for (int i = 0; i < b->p.roles->n_learners; i++) {
    SOL_TRY (sol_word_get (b, b->rank, sol_word_at (b->at_done, i), &done));
    if (done < least) least = done;
  }
  if (least <= b->first) return SOL_AGAIN;
  sol_queue_forget (b, least);
  return SOL_OK;
}

/* the next complete batch goes into the half of the batch area that learners have left */
static sol_status_t serve (sol_broker_t *b)
{
  int64_t batch = b->served, half = batch % 2, offset = 0;
  sol_batch_row_t *rows;
  sol_status_t st = SOL_OK;
  share_t *s;
  if (batch - b->first >= 2 || !sol_queue_complete (b, batch)) return SOL_AGAIN;
  s = sol_queue_share (b, batch); /* a broker may have no part in a small batch */
  rows = sol_alloc ((size_t) b->row_room * sizeof *rows);
  for (int32_t i = 0; i < s->n && st == SOL_OK; i++) {
    entry_t *e = &s->entry[i];
    e->row.offset = offset;
    e->row.broker = b->me;
    rows[i] = e->row;
    st = sol_window_put (b, b->rank, b->at_area + half * b->area_bytes + offset, e->record, (size_t) e->row.bytes);
    offset += (e->row.bytes + 7) / 8 * 8;
  }
  if (st == SOL_OK) st = sol_window_put (b, b->rank, b->at_rows + half * b->row_room * (int64_t) sizeof *rows, rows, (size_t) s->n * sizeof *rows);
  sol_free (rows);
  SOL_TRY (st);
  b->served++;
  return sol_word_set (b, b->rank, W_BATCHES, b->served);
}

static sol_status_t write_counts (sol_broker_t *b)
{
  int64_t seq;
  SOL_TRY (sol_word_add (b, b->rank, W_COUNTS_SEQ, 1, &seq));
  SOL_TRY (sol_window_put (b, b->rank, b->at_counts, &b->n, sizeof b->n));
  return sol_word_add (b, b->rank, W_COUNTS_SEQ, 1, &seq);
}

sol_status_t sol_broker_hungry (const sol_broker_t *b, int64_t *batch_p)
{
  if (b->fed * b->p.prompts >= sol_broker_tickets (&b->p) || b->fed >= b->p.updates / b->p.ups) return SOL_END;
  if (b->fed - b->first >= 2) return SOL_AGAIN; /* as many as are served */
  *batch_p = b->fed;
  return SOL_OK;
}

sol_status_t sol_broker_feed (sol_broker_t *b, const void *record, size_t bytes)
{
  sol_rollout_t v;
  char *copy;
  SOL_TRY (sol_rollout_open (record, bytes, &v));
  if (sol_broker_of (b, (int64_t) v.ticket) != b->me) return SOL_OK;
  if (bytes > b->p.record_bytes) return sol_fail (SOL_ERR_LIMIT, "broker", "ticket %llu: a record of %zu bytes, at most %zu are expected", (unsigned long long) v.ticket, bytes, b->p.record_bytes);
  copy = sol_alloc (bytes + 1);
  memcpy (copy, record, bytes);
  SOL_TRY (sol_queue_admit (b, copy, bytes, NULL, NULL));
  return write_counts (b);
}

void sol_broker_fed (sol_broker_t *b) { b->fed++; }

/* AGAIN: nothing is asked for, or rollouts that belong in it are still being generated */
static sol_status_t save (sol_broker_t *b)
{
  int64_t ask, saved, update;
  uint64_t hash;
  char dir[PATH_BYTES];
  SOL_TRY (sol_word_get (b, b->rank, W_SAVED, &saved));
  SOL_TRY (sol_word_get (b, b->rank, W_SAVE, &ask));
  if (saved == ask) return SOL_AGAIN;
  SOL_TRY (sol_word_get (b, b->rank, W_SAVE_UPDATE, &update));
  if (b->first < update / b->p.ups) return SOL_AGAIN; /* learners are about to say that they are done with the batch before */
  if (b->p.mode == SOL_STALE_EXACT && !b->p.fed && !sol_queue_whole (b, update, NULL)) return SOL_AGAIN;
  SOL_TRY (sol_window_get (b, b->rank, b->at_path, dir, sizeof dir));
  dir[PATH_BYTES - 1] = 0;
  SOL_TRY (sol_queue_check (b));
  SOL_TRY (sol_queue_write (b, dir, update, &hash));
  SOL_TRY (sol_word_set (b, b->rank, W_SAVED_HASH, (int64_t) hash));
  return sol_word_set (b, b->rank, W_SAVED, ask);
}

sol_status_t sol_broker_step (sol_broker_t *b)
{
  static sol_status_t (*const part[]) (sol_broker_t *) = { admit, collect_done, serve, save };
  int64_t goodbye;
  int busy = 0, counted = 0;
  for (int i = 0; i < 4; i++) {
    sol_status_t st;
    int turns = 0;
    while ((st = part[i](b)) == SOL_OK && ++turns < 64) {}
    if (st != SOL_OK && st != SOL_AGAIN) return st;
    if (turns > 0) {
      busy = 1;
      counted |= i < 2;
    }
  }
  if (counted) {
    SOL_TRY (sol_queue_audit (b));
    SOL_TRY (write_counts (b));
  }
  if (busy) return SOL_OK;
  SOL_TRY (sol_word_get (b, b->rank, W_GOODBYE, &goodbye));
  if (!goodbye) return SOL_AGAIN;
  SOL_TRY (sol_queue_check (b));
  for (int i = 0; i < b->p.roles->n_actors; i++) SOL_TRY (sol_put_check (b, i));
  return SOL_END;
}
