/* SPDX-License-Identifier: Apache-2.0 */
/* broker_actor.c: what actors do with brokers: claim tickets, fetch weights, append records. */
#include "broker_internal.h"
#include "solera/clock.h"
#include "solera/hash.h"
#include <string.h>

static int64_t need_word (const sol_broker_t *b) { return sol_word_at (b->at_need, b->p.roles->role == SOL_ROLE_SOLO ? 0 : b->p.roles->index); }

static sol_status_t say_need (sol_broker_t *b, int64_t ticket, int64_t trial)
{
  b->need_ticket = ticket;
  b->need_trial = trial;
  return sol_word_set (b, b->host[0], need_word (b), ticket < trial ? ticket : trial);
}

/* next ticket: what a resumed run must make again first. END: no more */
static sol_status_t next_ticket (sol_broker_t *b, int64_t *ticket_p)
{
  int64_t n;
  SOL_TRY (sol_word_add (b, b->host[0], W_CLAIM, 1, &n));
  *ticket_p = sol_broker_claim_at (b, n);
  return *ticket_p < 0 ? SOL_END : SOL_OK;
}

/* may the held ticket be started, and under which version? */
static sol_status_t grant (sol_broker_t *b, int64_t *version_p)
{
  int64_t batch = b->claimed / b->p.prompts, newest, due = sol_broker_due_of (&b->p, b->claimed);
  SOL_TRY (sol_broker_newest (b, &newest));
  if (newest < 0) return SOL_AGAIN;
  switch (b->p.mode) {
    case SOL_STALE_EXACT:
      if (newest < due) return SOL_AGAIN;
      *version_p = due;
      return SOL_OK;
    case SOL_STALE_BOUNDED:
      if (batch * b->p.ups - newest > b->p.k) return SOL_AGAIN;
      break;
    default:
      if (batch > newest / b->p.ups + b->p.queue) return SOL_AGAIN;
  }
  *version_p = newest;
  return SOL_OK;
}

sol_status_t sol_broker_claim (sol_broker_t *b, int64_t *ticket_p, int64_t *version_p)
{
  int exact = b->p.mode == SOL_STALE_EXACT;
  if (b->no_more || b->p.fed || sol_broker_ended (b)) return SOL_END;
  if (b->claimed < 0) {
    int64_t ticket;
    /* from before the claim until the version is here, the learner must know that an old version may be needed: 0 while it is not known which */
    if (exact) SOL_TRY (say_need (b, 0, b->need_trial));
    const sol_status_t st = next_ticket (b, &ticket);
    if (st != SOL_OK && st != SOL_END) return st;
    if (st == SOL_END) {
      if (exact) SOL_TRY (say_need (b, INT64_MAX, b->need_trial));
      b->no_more = 1;
      return SOL_END;
    }
    b->claimed = ticket;
    if (exact) {
      int64_t due = sol_broker_due_of (&b->p, ticket);
      SOL_TRY (say_need (b, due == b->fetched ? INT64_MAX : due, b->need_trial));
    }
  }
  sol_status_t st = grant (b, version_p);
  if (st != SOL_OK) return st;
  *ticket_p = b->claimed;
  b->claimed = -1;
  return SOL_OK;
}

sol_status_t sol_broker_newest (sol_broker_t *b, int64_t *version_p)
{
  int64_t v;
  SOL_TRY (sol_word_get (b, b->host[0], W_VERSION, &v));
  *version_p = v - 1;
  return SOL_OK;
}

sol_status_t sol_broker_fetch (sol_broker_t *b, int64_t version, void *block)
{
  int64_t buffer = version / b->p.ups % 2, newest;
  SOL_TRY (sol_broker_newest (b, &newest));
  if (newest < version) return SOL_AGAIN;
  for (int i = 0; i < b->n_brokers; i++) {
    int64_t first, bytes, held, again, hash, at;
    sol_broker_slice (b, i, &first, &bytes);
    at = b->at_weights + buffer * ((bytes + 63) / 64 * 64 + 64);
    SOL_TRY (sol_word_get (b, b->host[i], W_HELD + buffer, &held));
    if (held != version + 1) return b->p.mode == SOL_STALE_EXACT ? sol_fail (SOL_ERR_STALE, "broker", "weights of version %lld were overwritten before they were read", (long long) version) : SOL_ERR_STALE;
    SOL_TRY (sol_window_get (b, b->host[i], at, (char *) block + first, (size_t) bytes));
    SOL_TRY (sol_word_get (b, b->host[i], W_HASH + buffer, &hash));
    SOL_TRY (sol_word_get (b, b->host[i], W_HELD + buffer, &again));
    if (again != held) return SOL_ERR_STALE; /* overwritten while it was read */
    if ((int64_t) sol_hash ((char *) block + first, (size_t) bytes) != hash)
      return sol_fail (SOL_ERR_CHECKSUM, "broker", "weights of version %lld from broker.%d: checksum differs", (long long) version, i);
  }
  return SOL_OK;
}

sol_status_t sol_broker_release (sol_broker_t *b, int64_t version)
{
  int64_t due = b->claimed < 0 ? INT64_MAX : sol_broker_due_of (&b->p, b->claimed);
  b->fetched = version;
  return b->p.mode == SOL_STALE_EXACT ? say_need (b, due == version ? INT64_MAX : due, b->need_trial) : SOL_OK;
}

sol_status_t sol_broker_reserve (sol_broker_t *b, int64_t fetched, int64_t next)
{
  if (fetched >= 0) b->fetched = fetched; /* a claim that is due from what was here before will fetch it again */
  return say_need (b, b->need_ticket, next);
}

/* this group counts as generated from here on: see put_t for the order */
static sol_status_t count_put (sol_broker_t *b, int broker, const sol_rollout_t *v)
{
  put_t *p = &b->put[broker];
  int64_t at = b->at_put + (b->p.roles->role == SOL_ROLE_SOLO ? 0 : b->p.roles->index) * (int64_t) sizeof *p;
  p->groups++;
  p->amount.responses += v->n_responses, p->amount.tokens += v->n_tokens, p->amount.digest += sol_rollout_digest (v);
  SOL_TRY (sol_word_set (b, b->host[broker], sol_word_at (at, 0), p->groups));
  return sol_window_put (b, b->host[broker], at + 8, &p->amount, sizeof p->amount);
}

sol_status_t sol_broker_put (sol_broker_t *b, const void *record, size_t bytes)
{
  int64_t slot, state, want;
  uint64_t n;
  if (record) {
    sol_rollout_t v;
    int broker;
    SOL_ASSERT (b->pending_bytes == 0);
    if (bytes > b->p.record_bytes) return sol_fail (SOL_ERR_LIMIT, "broker", "a record of %zu bytes, at most %zu are expected", bytes, b->p.record_bytes);
    SOL_TRY (sol_rollout_open (record, bytes, &v));
    broker = sol_broker_of (b, (int64_t) v.ticket);
    SOL_TRY (count_put (b, broker, &v));
    if (!b->pending) b->pending = sol_alloc ((size_t) b->slot_bytes);
    memcpy (b->pending + 8, record, bytes);
    n = bytes;
    memcpy (b->pending, &n, 8);
    b->pending_bytes = bytes;
    b->pending_host = b->host[broker];
  }
  SOL_ASSERT (b->pending_bytes > 0);
  if (b->pending_place < 0) SOL_TRY (sol_word_add (b, b->pending_host, W_TAIL, 1, &b->pending_place)); /* only now: the record is ready, so a place taken is soon filled */
  slot = b->pending_place % b->p.ring_slots;
  want = b->pending_place * SLOT_STATES + SLOT_FREE;
  SOL_TRY (sol_word_get (b, b->pending_host, sol_word_at (b->at_state, slot), &state));
  if (state != want) return SOL_AGAIN;
  SOL_TRY (sol_window_put (b, b->pending_host, b->at_ring + slot * b->slot_bytes, b->pending, b->pending_bytes + 8));
  SOL_TRY (sol_word_set (b, b->pending_host, sol_word_at (b->at_state, slot), want + SLOT_FULL));
  b->pending_bytes = 0;
  b->pending_place = -1;
  return SOL_OK;
}

int sol_broker_ended (sol_broker_t *b)
{
  int64_t v = 0;
  double now = sol_clock_s ();
  if (b->ended || now - b->ended_asked_s < 0.05) return b->ended; /* a remote word is not read in every turn */
  b->ended_asked_s = now;
  if (sol_word_get (b, b->host[0], W_GOODBYE, &v) == SOL_OK && v) b->ended = 1;
  return b->ended;
}
