/* SPDX-License-Identifier: Apache-2.0 */
/* broker_load.c: going on from a checkpoint's queue, with any number of brokers. Every broker reads all old files and keeps what is its own now. Outside exact mode that is read twice:
 * what was trained and what was lost must be known to everybody before a record finds its broker. */
#include "broker_internal.h"
#include "solera/file.h"
#include "solera/hash.h"
#include <string.h>

enum { UNKNOWN, TRAINED, QUEUED };
typedef struct {
  sol_broker_t *b;
  const char *dir;
  int64_t update, records;
  int n_files;
  uint8_t *mark; /* [tickets] what the checkpoint says of each; NULL in exact mode */
} load_t;
typedef struct { char *path, *data; size_t at, end; queue_header_t h; } queue_file_t;

static sol_status_t bad (const queue_file_t *f, const char *why) { return sol_fail (SOL_ERR_FORMAT, "broker", "%s: %s", f->path, why); }

static sol_status_t check_header (load_t *l, queue_file_t *f, size_t bytes, int index)
{
  const sol_broker_params_t *p = &l->b->p;
  uint64_t hash;
  if (bytes < sizeof f->h + 8) return bad (f, "shorter than its header");
  f->end = bytes - 8;
  f->at = sizeof f->h;
  memcpy (&f->h, f->data, sizeof f->h);
  memcpy (&hash, f->data + f->end, 8);
  if (f->h.magic != QUEUE_MAGIC || f->h.version != QUEUE_VERSION) return bad (f, "not a queue file of a known version");
  if (sol_hash (f->data, f->end) != hash) return sol_fail (SOL_ERR_CHECKSUM, "broker", "%s: checksum differs", f->path);
  if (f->h.update != l->update || f->h.prompts != p->prompts || f->h.ups != p->ups || f->h.mode != p->mode || (p->mode == SOL_STALE_EXACT && f->h.k != p->k))
    return bad (f, "it belongs to another update or to a run with other settings");
  if (f->h.index != index || f->h.n_brokers < 1 || (index > 0 && f->h.n_brokers != l->n_files)) return bad (f, "it belongs to another set of queue files");
  if (f->h.has_seen != (p->mode != SOL_STALE_EXACT) || f->h.tickets < 0 || (f->h.has_seen && (size_t) f->h.tickets > f->end - f->at)) return bad (f, "truncated");
  l->n_files = f->h.n_brokers;
  return SOL_OK;
}

static void close_file (queue_file_t *f)
{
  sol_free (f->data);
  sol_free (f->path);
}

static sol_status_t open_file (load_t *l, int index, queue_file_t *f)
{
  size_t bytes;
  *f = (queue_file_t){ .path = sol_queue_path (l->dir, index) };
  sol_status_t st = sol_file_read (f->path, (size_t) 1 << 40, &f->data, &bytes);
  if (st != SOL_OK) f->data = NULL;
  else st = check_header (l, f, bytes, index);
  if (st != SOL_OK) close_file (f);
  return st;
}

/* the next record, copied to where its numbers are aligned. END: no more */
static sol_status_t next_record (queue_file_t *f, int64_t i, char **record_p, int64_t *bytes_p)
{
  int64_t n;
  if (i == f->h.n_records) return f->at == f->end ? SOL_END : bad (f, "something follows the last record");
  if (f->end - f->at < 8) return bad (f, "truncated");
  memcpy (&n, f->data + f->at, 8);
  f->at += 8;
  if (n < 0 || (size_t) n > f->end - f->at || (size_t) (n + 7) / 8 * 8 > f->end - f->at) return bad (f, "a record out of bounds");
  *record_p = sol_alloc ((size_t) n + 1);
  memcpy (*record_p, f->data + f->at, (size_t) n);
  *bytes_p = n;
  f->at += (size_t) (n + 7) / 8 * 8;
  return SOL_OK;
}

/* first reading: what became of every ticket */
static sol_status_t mark_file (load_t *l, queue_file_t *f)
{
  int64_t tickets = sol_broker_tickets (&l->b->p), n;
  sol_status_t st;
  char *record;
  for (int64_t t = 0; t < f->h.tickets && t < tickets; t++)
    if (f->data[f->at + (size_t) t] && l->mark[t] == UNKNOWN) l->mark[t] = TRAINED; /* or queued: below */
  f->at += (size_t) f->h.tickets;
  for (int64_t i = 0; (st = next_record (f, i, &record, &n)) == SOL_OK; i++) {
    sol_rollout_t v;
    st = sol_rollout_open (record, (size_t) n, &v);
    if (st == SOL_OK && v.ticket >= (uint64_t) tickets) st = bad (f, "a ticket beyond the end of this run");
    if (st == SOL_OK) l->mark[v.ticket] = QUEUED;
    sol_free (record);
    if (st != SOL_OK) return st;
  }
  return st == SOL_END ? SOL_OK : st;
}

/* second reading: this broker takes what is its own */
static sol_status_t admit_file (load_t *l, queue_file_t *f)
{
  sol_broker_t *b = l->b;
  sol_broker_counts_t *c = &b->n;
  const queue_header_t *h = &f->h;
  sol_status_t st;
  char *record;
  int64_t n;
  if (h->has_seen) f->at += (size_t) h->tickets;
  for (int64_t i = 0; (st = next_record (f, i, &record, &n)) == SOL_OK; i++) {
    sol_rollout_t v;
    st = sol_rollout_open (record, (size_t) n, &v);
    if (st != SOL_OK || sol_broker_of (b, (int64_t) v.ticket) != b->me) sol_free (record);
    else if ((st = sol_queue_admit (b, record, (size_t) n)) == SOL_OK) l->records++;
    if (st != SOL_OK) return st;
  }
  if (st != SOL_END) return st;
  if (b->me == 0) { /* what was trained before is counted once */
    c->responses_out += h->responses_out, c->tokens_out += h->tokens_out, c->digest_out += h->digest_out;
    c->responses_dropped += h->responses_dropped, c->tokens_dropped += h->tokens_dropped, c->digest_dropped += h->digest_dropped;
    c->responses_in += h->responses_out + h->responses_dropped, c->tokens_in += h->tokens_out + h->tokens_dropped, c->digest_in += h->digest_out + h->digest_dropped;
  }
  return SOL_OK;
}

static sol_status_t each_file (load_t *l, sol_status_t (*use) (load_t *, queue_file_t *))
{
  sol_status_t st = SOL_OK;
  l->n_files = 1; /* the first one says how many */
  for (int i = 0; i < l->n_files && st == SOL_OK; i++) {
    queue_file_t f;
    SOL_TRY (open_file (l, i, &f));
    st = use (l, &f);
    close_file (&f);
  }
  return st;
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

static sol_status_t load (load_t *l)
{
  sol_broker_t *b = l->b;
  sol_comm_t *world = b->p.roles->world;
  sol_status_t st = SOL_OK;
  if (l->mark) {
    if (b->is_broker) st = each_file (l, mark_file);
    SOL_TRY (sol_comm_agree (world, st));
    SOL_TRY (sol_comm_bcast (world, l->mark, (size_t) sol_broker_tickets (&b->p), b->host[0]));
    SOL_TRY (plan (l));
  } else b->after = (sol_queue_last_due (b, l->update) + 1) * b->p.prompts;
  if (b->is_broker) {
    st = each_file (l, admit_file);
    if (st == SOL_OK) st = set_words (l);
  }
  SOL_TRY (sol_comm_agree (world, st));
  return sol_comm_barrier (world);
}

sol_status_t sol_broker_load (sol_broker_t *b, const char *dir, int64_t update)
{
  load_t l = { .b = b, .dir = dir, .update = update };
  sol_status_t st;
  b->first = b->served = update / b->p.ups;
  if (b->p.mode != SOL_STALE_EXACT) l.mark = sol_alloc ((size_t) sol_broker_tickets (&b->p) + 1);
  st = load (&l);
  sol_free (l.mark);
  return st;
}
