/* SPDX-License-Identifier: Apache-2.0 */
/* broker_load.c: going on from a checkpoint's queue, with any number of brokers. Every broker reads all old files and keeps what is its own now. Outside exact mode that is read twice:
 * what was trained and what was lost must be known to everybody before a record finds its broker. */
#include "broker_internal.h"
#include <string.h>

enum { UNKNOWN, TRAINED, QUEUED };
typedef struct {
  sol_broker_t *b;
  const char *dir;
  int64_t update, records;
  int n_files;
  sol_amount_t in, out, dropped; /* of all files */
  uint8_t *mark; /* [tickets] what the checkpoint says of each; NULL in exact mode */
} load_t;

/* does it belong to this run? */
static sol_status_t open_file (load_t *l, int index, sol_queue_file_t *f)
{
  const sol_broker_params_t *p = &l->b->p;
  SOL_TRY (sol_queue_open (l->dir, index, f));
  l->n_files = f->h.n_brokers;
  if (f->h.update == l->update && f->h.prompts == p->prompts && f->h.ups == p->ups && f->h.mode == sol_queue_mode (p) && (p->mode != SOL_STALE_EXACT || f->h.k == sol_queue_k (p))) return SOL_OK;
  sol_queue_bad (f, "it belongs to another update or to a run with other settings");
  sol_queue_close (f);
  return SOL_ERR_FORMAT;
}

/* first reading: what became of every ticket */
static sol_status_t mark_file (load_t *l, sol_queue_file_t *f)
{
  int64_t tickets = sol_broker_tickets (&l->b->p), n;
  const char *seen = f->data + f->at - f->h.tickets;
  sol_status_t st;
  sol_rollout_t v;
  char *record;
  for (int64_t t = 0; t < f->h.tickets && t < tickets; t++)
    if (seen[t] && l->mark[t] == UNKNOWN) l->mark[t] = TRAINED; /* or queued: below */
  for (int64_t i = 0; (st = sol_queue_next (f, i, &record, &n, &v)) == SOL_OK; i++) {
    if (v.ticket >= (uint64_t) tickets) st = sol_queue_bad (f, "a ticket beyond the end of this run");
    else l->mark[v.ticket] = QUEUED;
    sol_free (record);
    SOL_TRY (st);
  }
  return st == SOL_END ? SOL_OK : st;
}

static void add (sol_amount_t *sum, const sol_amount_t *x) { sum->responses += x->responses, sum->tokens += x->tokens, sum->digest += x->digest; }

/* second reading: this broker takes what is its own */
static sol_status_t admit_file (load_t *l, sol_queue_file_t *f)
{
  sol_broker_t *b = l->b;
  sol_status_t st;
  sol_rollout_t v;
  char *record;
  int64_t n;
  for (int64_t i = 0; (st = sol_queue_next (f, i, &record, &n, &v)) == SOL_OK; i++) {
    if (sol_broker_of (b, (int64_t) v.ticket) != b->me) {
      sol_free (record);
      continue;
    }
    SOL_TRY (sol_queue_admit (b, record, (size_t) n, NULL, NULL));
    l->records++;
  }
  add (&l->in, &f->h.in);
  add (&l->out, &f->h.out);
  add (&l->dropped, &f->h.dropped);
  return st == SOL_END ? SOL_OK : st;
}

static sol_status_t each_file (load_t *l, sol_status_t (*use) (load_t *, sol_queue_file_t *))
{
  sol_status_t st = SOL_OK;
  l->n_files = 1; /* the first one says how many */
  for (int i = 0; i < l->n_files && st == SOL_OK; i++) {
    sol_queue_file_t f;
    SOL_TRY (open_file (l, i, &f));
    st = use (l, &f);
    sol_queue_close (&f);
  }
  return st;
}

/* Collective: what the files counted in is what the brokers hold now, with what was trained and dropped before. What was before is counted once, by broker 0. */
static sol_status_t check_sum (load_t *l)
{
  sol_broker_t *b = l->b;
  sol_broker_counts_t *c = &b->n;
  uint64_t x[6] = { 0 };
  if (b->is_broker) x[0] = (uint64_t) c->responses_queued, x[1] = (uint64_t) c->tokens_queued, x[2] = c->digest_queued;
  if (b->is_broker && b->me == 0) {
    c->responses_out = l->out.responses, c->tokens_out = l->out.tokens, c->digest_out = l->out.digest;
    c->responses_dropped = l->dropped.responses, c->tokens_dropped = l->dropped.tokens, c->digest_dropped = l->dropped.digest;
    x[0] += (uint64_t) (c->responses_out + c->responses_dropped), x[1] += (uint64_t) (c->tokens_out + c->tokens_dropped), x[2] += c->digest_out + c->digest_dropped;
    x[3] = (uint64_t) l->in.responses, x[4] = (uint64_t) l->in.tokens, x[5] = l->in.digest;
    c->responses_in += c->responses_out + c->responses_dropped, c->tokens_in += c->tokens_out + c->tokens_dropped, c->digest_in += c->digest_out + c->digest_dropped;
  }
  SOL_TRY (sol_comm_sum_u64 (b->p.roles->world, x, 6));
  if (x[0] == x[3] && x[1] == x[4] && x[2] == x[5]) return SOL_OK;
  if (!b->is_broker || b->me > 0) return SOL_ERR_CONSERVATION; /* one says so */
  return sol_fail (SOL_ERR_CONSERVATION, "broker", "%s/queue.*: generated %llu responses (%llu tokens), but trained + dropped + queued after loading are %llu (%llu)", l->dir, (unsigned long long) x[3],
                   (unsigned long long) x[4], (unsigned long long) x[0], (unsigned long long) x[1]);
}

/* what is to be generated again, what comes after it, and (free mode) the order of all that is not trained; the same on every rank */
static sol_status_t plan (load_t *l)
{
  sol_broker_t *b = l->b;
  int64_t tickets = sol_broker_tickets (&b->p), trained = 0, last = 0, n = 0;
  for (int64_t t = 0; t < tickets; t++) {
    if (l->mark[t] != UNKNOWN) b->after = t + 1;
    if (l->mark[t] == TRAINED) trained++, last = t + 1;
  }
  if (trained != b->first * b->p.prompts)
    return sol_fail (SOL_ERR_CONSERVATION, "broker", "%s: %lld groups were trained up to update %lld, expected %lld", l->dir, (long long) trained, (long long) l->update, (long long) (b->first * b->p.prompts));
  b->missing = sol_alloc ((size_t) (b->after + 1) * sizeof *b->missing);
  for (int64_t t = 0; t < b->after; t++)
    if (l->mark[t] == UNKNOWN) b->missing[b->n_missing++] = t;
  if (b->p.mode != SOL_STALE_FREE) return SOL_OK;
  b->order = sol_alloc ((size_t) (last + 1) * sizeof *b->order);
  for (int64_t t = 0; t < last; t++) b->order[t] = l->mark[t] == TRAINED ? -1 : trained + n++;
  b->n_order = last;
  return SOL_OK;
}

/* where learners and this broker's window stand */
static sol_status_t set_words (load_t *l)
{
  sol_broker_t *b = l->b;
  int64_t tickets = sol_broker_tickets (&b->p);
  for (int64_t t = 0; l->mark && t < tickets; t++)
    if (l->mark[t] == TRAINED && sol_broker_of (b, t) == b->me) b->seen[t] = 1;
  for (int i = 0; i < b->p.roles->n_learners; i++) SOL_TRY (sol_word_set (b, b->rank, sol_word_at (b->at_done, i), b->first));
  SOL_TRY (sol_word_set (b, b->rank, W_BATCHES, b->served));
  SOL_TRY (sol_window_put (b, b->rank, b->at_counts, &b->n, sizeof b->n));
  sol_log (SOL_LOG_INFO, "broker", "%lld groups restored from %s", (long long) l->records, l->dir);
  return SOL_OK;
}

/* with a schedule the file cannot say which groups must be in it: see sol_broker_verify */
static sol_status_t check_schedule (load_t *l)
{
  int64_t missing;
  if (sol_queue_whole (l->b, l->update, &missing)) return SOL_OK;
  return sol_fail (SOL_ERR_CONSERVATION, "broker", "%s/queue.*: ticket %lld, which is due from version %lld, is missing from a checkpoint of update %lld", l->dir, (long long) missing,
                   (long long) sol_broker_due_of (&l->b->p, missing), (long long) l->update);
}

static sol_status_t load (load_t *l)
{
  sol_broker_t *b = l->b;
  sol_comm_t *world = b->p.roles->world;
  sol_status_t st = SOL_OK;
  if (b->is_broker && b->me == 0) st = sol_broker_verify (l->dir, 0, l->update);
  SOL_TRY (sol_comm_agree (world, st));
  if (l->mark) {
    if (b->is_broker) st = each_file (l, mark_file);
    SOL_TRY (sol_comm_agree (world, st));
    SOL_TRY (sol_comm_bcast (world, l->mark, (size_t) sol_broker_tickets (&b->p), b->host[0]));
    SOL_TRY (plan (l));
  } else b->after = b->p.schedule ? sol_schedule_before (b->p.schedule, l->update) : (sol_queue_last_due (l->update, b->p.k, b->p.ups) + 1) * b->p.prompts;
  if (b->is_broker) st = each_file (l, admit_file);
  if (st == SOL_OK && b->is_broker && b->p.schedule && !b->p.fed) st = check_schedule (l);
  SOL_TRY (sol_comm_agree (world, st));
  SOL_TRY (check_sum (l));
  if (b->is_broker) st = set_words (l);
  SOL_TRY (sol_comm_agree (world, st));
  return sol_comm_barrier (world);
}

sol_status_t sol_broker_load (sol_broker_t *b, const char *dir, int64_t update)
{
  load_t l = { .b = b, .dir = dir, .update = update };
  sol_status_t st;
  b->first = b->served = b->fed = update / b->p.ups;
  if (b->p.mode != SOL_STALE_EXACT) l.mark = sol_alloc ((size_t) sol_broker_tickets (&b->p) + 1);
  st = load (&l);
  sol_free (l.mark);
  return st;
}
