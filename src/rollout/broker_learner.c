/* SPDX-License-Identifier: Apache-2.0 */
/* broker_learner.c: what learners do with brokers: read batches, publish weights, ask for checkpoints, count. */
#include "broker_internal.h"
#include "solera/hash.h"
#include <stdlib.h>
#include <string.h>

static int by_ticket (const void *a, const void *b)
{
  const sol_batch_row_t *x = a, *y = b;
  return x->ticket < y->ticket ? -1 : x->ticket > y->ticket;
}

static sol_status_t sort_by_place (const sol_broker_t *b, int64_t batch, sol_batch_row_t *rows)
{
  sol_batch_row_t *was = sol_alloc ((size_t) b->p.prompts * sizeof *was);
  sol_status_t st = SOL_OK;
  memcpy (was, rows, (size_t) b->p.prompts * sizeof *was);
  for (int64_t i = 0; i < b->p.prompts && st == SOL_OK; i++) {
    const int64_t at = sol_schedule_place (b->p.schedule, was[i].ticket) - batch * b->p.prompts;
    if (at < 0 || at >= b->p.prompts) st = sol_fail (SOL_ERR_FORMAT, "broker", "batch %lld: ticket %lld is not in it", (long long) batch, (long long) was[i].ticket);
    else rows[at] = was[i];
  }
  sol_free (was);
  return st;
}

sol_status_t sol_broker_batch (sol_broker_t *b, int64_t batch, sol_batch_row_t *rows)
{
  int64_t n = 0;
  for (int i = 0; i < b->n_brokers; i++) {
    int64_t served;
    SOL_TRY (sol_word_get (b, b->host[i], W_BATCHES, &served));
    if (served <= batch) return SOL_AGAIN;
  }
  for (int i = 0; i < b->n_brokers; i++) {
    int32_t share = sol_broker_share (b, i, batch);
    SOL_TRY (sol_window_get (b, b->host[i], b->at_rows + batch % 2 * b->row_room * (int64_t) sizeof *rows, rows + n, (size_t) share * sizeof *rows));
    n += share;
  }
  SOL_ASSERT (n == b->p.prompts);
  if (b->p.schedule) return sort_by_place (b, batch, rows);
  if (b->p.mode != SOL_STALE_FREE) qsort (rows, (size_t) n, sizeof *rows, by_ticket);
  return SOL_OK;
}

sol_status_t sol_broker_get (sol_broker_t *b, int64_t batch, const sol_batch_row_t *row, void *record)
{
  if (row->broker < 0 || row->broker >= b->n_brokers || row->bytes < 0 || row->bytes > (int64_t) b->p.record_bytes || row->offset < 0 || row->offset > b->area_bytes - row->bytes)
    return sol_fail (SOL_ERR_FORMAT, "broker", "batch %lld: a descriptor out of bounds", (long long) batch);
  return sol_window_get (b, b->host[row->broker], b->at_area + batch % 2 * b->area_bytes + row->offset, record, (size_t) row->bytes);
}

sol_status_t sol_broker_done (sol_broker_t *b, int64_t batch)
{
  int me = b->p.roles->role == SOL_ROLE_SOLO ? 0 : b->p.roles->index;
  for (int i = 0; i < b->n_brokers; i++) SOL_TRY (sol_word_set (b, b->host[i], sol_word_at (b->at_done, me), batch + 1));
  return SOL_OK;
}

/* may the buffer of version old be overwritten? Not while a ticket that is due from it is unclaimed (exact mode), or claimed by an actor that has not fetched it, nor before actors have fetched what
 * they are to evaluate. The claim counter is read first: an
 * actor says what it needs before it claims. */
static sol_status_t is_needed (sol_broker_t *b, int64_t old, int *needed_p)
{
  int64_t claims, need, next;
  *needed_p = 1;
  SOL_TRY (sol_word_get (b, b->host[0], W_CLAIM, &claims));
  next = b->p.mode == SOL_STALE_EXACT && !b->p.fed ? sol_broker_claim_at (b, claims) : -1;
  if (next >= 0 && sol_broker_due_of (&b->p, next) <= old) return SOL_OK;
  for (int i = 0; i < b->p.roles->n_actors; i++) {
    SOL_TRY (sol_word_get (b, b->host[0], sol_word_at (b->at_need, i), &need));
    if (need <= old) return SOL_OK;
  }
  *needed_p = 0;
  return SOL_OK;
}

sol_status_t sol_broker_publish (sol_broker_t *b, int64_t version, const void *block)
{
  int64_t buffer = version / b->p.ups % 2;
  int needed = 0;
  if (version >= 2 * b->p.ups) SOL_TRY (is_needed (b, version - 2 * b->p.ups, &needed));
  if (needed) return SOL_AGAIN;
  for (int i = 0; i < b->n_brokers; i++) {
    int64_t first, bytes, at;
    sol_broker_slice (b, i, &first, &bytes);
    at = b->at_weights + buffer * ((bytes + 63) / 64 * 64 + 64);
    SOL_TRY (sol_word_set (b, b->host[i], W_HELD + buffer, 0));
    SOL_TRY (sol_window_put (b, b->host[i], at, (const char *) block + first, (size_t) bytes));
    SOL_TRY (sol_word_set (b, b->host[i], W_HASH + buffer, (int64_t) sol_hash ((const char *) block + first, (size_t) bytes)));
    SOL_TRY (sol_word_set (b, b->host[i], W_HELD + buffer, version + 1));
  }
  for (int i = b->n_brokers - 1; i >= 0; i--) SOL_TRY (sol_word_set (b, b->host[i], W_VERSION, version + 1)); /* broker 0 last: it is the one that actors ask */
  return SOL_OK;
}

sol_status_t sol_broker_save (sol_broker_t *b, const char *dir, int64_t update, uint64_t *hash_p)
{
  uint64_t all = 0;
  if (b->saving != update + 1) {
    char path[PATH_BYTES] = "";
    if (strlen (dir) >= sizeof path) return sol_fail (SOL_ERR_LIMIT, "broker", "%s: a path of at most %d bytes is expected", dir, PATH_BYTES - 1);
    strcpy (path, dir);
    b->saves++; /* a number, not the update: the same update may be saved twice */
    for (int i = 0; i < b->n_brokers; i++) {
      SOL_TRY (sol_window_put (b, b->host[i], b->at_path, path, sizeof path));
      SOL_TRY (sol_word_set (b, b->host[i], W_SAVE_UPDATE, update));
      SOL_TRY (sol_word_set (b, b->host[i], W_SAVE, b->saves));
    }
    b->saving = update + 1;
  }
  for (int i = 0; i < b->n_brokers; i++) {
    int64_t saved, hash;
    SOL_TRY (sol_word_get (b, b->host[i], W_SAVED, &saved));
    if (saved != b->saves) return SOL_AGAIN;
    SOL_TRY (sol_word_get (b, b->host[i], W_SAVED_HASH, &hash));
    all = sol_hash_pair (all, (uint64_t) hash);
  }
  b->saving = 0;
  *hash_p = all;
  return SOL_OK;
}

sol_status_t sol_broker_goodbye (sol_broker_t *b)
{
  for (int i = b->n_brokers - 1; i >= 0; i--) SOL_TRY (sol_word_set (b, b->host[i], W_GOODBYE, 1));
  return SOL_OK;
}

sol_status_t sol_broker_counts (sol_broker_t *b, sol_broker_counts_t *counts_p)
{
  sol_broker_counts_t sum = { 0 }, one;
  for (int i = 0; i < b->n_brokers; i++) {
    int64_t before = 1, after = 0;
    for (int tries = 0; before != after || (before & 1); tries++) { /* a broker writes them in a moment */
      if (tries == 10000) return SOL_AGAIN;
      SOL_TRY (sol_word_get (b, b->host[i], W_COUNTS_SEQ, &before));
      SOL_TRY (sol_window_get (b, b->host[i], b->at_counts, &one, sizeof one));
      SOL_TRY (sol_word_get (b, b->host[i], W_COUNTS_SEQ, &after));
      if (b->is_broker && (after & 1)) break; /* solo: nobody else could finish it */
    }
    sum.responses_in += one.responses_in, sum.tokens_in += one.tokens_in, sum.digest_in += one.digest_in;
    sum.responses_out += one.responses_out, sum.tokens_out += one.tokens_out, sum.digest_out += one.digest_out;
    sum.responses_queued += one.responses_queued, sum.tokens_queued += one.tokens_queued, sum.digest_queued += one.digest_queued;
    sum.responses_dropped += one.responses_dropped, sum.tokens_dropped += one.tokens_dropped, sum.digest_dropped += one.digest_dropped;
    sum.groups_queued += one.groups_queued;
  }
  *counts_p = sum;
  return SOL_OK;
}

sol_status_t sol_broker_check (sol_broker_t *b)
{
  sol_broker_counts_t n;
  sol_status_t st = sol_broker_counts (b, &n);
  if (st == SOL_AGAIN) return SOL_OK; /* being written: the next step checks */
  SOL_TRY (st);
  if (n.responses_in != n.responses_out + n.responses_queued + n.responses_dropped || n.tokens_in != n.tokens_out + n.tokens_queued + n.tokens_dropped ||
      n.digest_in != n.digest_out + n.digest_queued + n.digest_dropped)
    return sol_fail (SOL_ERR_CONSERVATION, "broker", "generated %lld responses (%lld tokens), but trained %lld (%lld) + queued %lld (%lld) + dropped %lld (%lld)%s", (long long) n.responses_in,
                     (long long) n.tokens_in, (long long) n.responses_out, (long long) n.tokens_out, (long long) n.responses_queued, (long long) n.tokens_queued,
                     (long long) n.responses_dropped, (long long) n.tokens_dropped, n.responses_in == n.responses_out + n.responses_queued + n.responses_dropped ? ": contents differ" : "");
  return SOL_OK;
}

sol_status_t sol_broker_fresh (sol_broker_t *b, int64_t version, double *sum_p, int64_t *n_p)
{
  int64_t n = 0, whole = 0, part = 0, v = version / b->p.ups;
  SOL_ASSERT (v >= 0 && v < b->n_versions);
  for (int i = 0; i < b->n_brokers; i++) {
    int64_t at = b->at_fresh + v * (int64_t) sizeof (fresh_t), before, after, sum[2];
    SOL_TRY (sol_word_get (b, b->host[i], sol_word_at (at, 0), &before));
    SOL_TRY (sol_window_get (b, b->host[i], at + 8, sum, sizeof sum));
    SOL_TRY (sol_word_get (b, b->host[i], sol_word_at (at, 0), &after));
    if (before != after || (before & 1)) return SOL_AGAIN; /* it is being written */
    n += before / 2;
    whole += sum[0];
    part += sum[1];
    whole += part >> 60; /* the same numbers however the groups are spread over brokers */
    part &= ((int64_t) 1 << 60) - 1;
  }
  *sum_p = (double) whole + (double) part * 0x1p-60;
  *n_p = n;
  return SOL_OK;
}
