/* SPDX-License-Identifier: Apache-2.0 */
/* broker_file.c: reading the queue files of a checkpoint, and what they must be together: one set, nothing lost, in exact mode without a hole. */
#include "broker_file.h"
#include "solera/broker.h"
#include "solera/file.h"
#include "solera/hash.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <stdio.h>
#include <string.h>

char *sol_queue_path (const char *dir, int index)
{
  char name[32];
  snprintf (name, sizeof name, "queue.%d", index);
  return sol_path_join (dir, name);
}

sol_status_t sol_queue_bad (const sol_queue_file_t *f, const char *why) { return sol_fail (SOL_ERR_FORMAT, "broker", "%s: %s", f->path, why); }

static sol_status_t check_header (sol_queue_file_t *f, size_t bytes, int index)
{
  const sol_queue_header_t *h = &f->h;
  uint64_t hash;
  if (bytes < sizeof f->h + 8) return sol_queue_bad (f, "shorter than its header");
  f->end = bytes - 8;
  f->at = sizeof f->h;
  memcpy (&f->h, f->data, sizeof f->h);
  memcpy (&hash, f->data + f->end, 8);
  if (h->magic != QUEUE_MAGIC) return sol_queue_bad (f, "not a queue file");
  if (sol_hash (f->data, f->end) != hash) return sol_fail (SOL_ERR_CHECKSUM, "broker", "%s: checksum differs", f->path);
  if (h->version != QUEUE_VERSION) return sol_fail (SOL_ERR_UNSUPPORTED, "broker", "%s: expected queue format version %d, found %u", f->path, QUEUE_VERSION, h->version);
  if (h->index != index || h->n_brokers < 1 || index >= h->n_brokers) return sol_queue_bad (f, "it belongs to another set of queue files");
  if (h->mode < SOL_STALE_EXACT || h->mode > QUEUE_SCHEDULE || h->prompts < 1 || h->ups < 1 || h->k < 0 || h->update < 0 || h->n_records < 0 || h->tickets < 0)
    return sol_queue_bad (f, "numbers out of bounds");
  if (h->has_seen != (h->mode == SOL_STALE_BOUNDED || h->mode == SOL_STALE_FREE) || (h->has_seen && (size_t) h->tickets > f->end - f->at)) return sol_queue_bad (f, "truncated");
  if (h->has_seen) f->at += (size_t) h->tickets;
  return SOL_OK;
}

void sol_queue_close (sol_queue_file_t *f)
{
  sol_free (f->data);
  sol_free (f->path);
  *f = (sol_queue_file_t){ 0 };
}

sol_status_t sol_queue_open (const char *dir, int index, sol_queue_file_t *f)
{
  size_t bytes;
  *f = (sol_queue_file_t){ .path = sol_queue_path (dir, index) };
  sol_status_t st = sol_file_read (f->path, (size_t) 1 << 40, &f->data, &bytes);
  if (st != SOL_OK) f->data = NULL;
  else st = check_header (f, bytes, index);
  if (st != SOL_OK) sol_queue_close (f);
  return st;
}

sol_status_t sol_queue_next (sol_queue_file_t *f, int64_t i, char **record_p, int64_t *bytes_p, sol_rollout_t *view_p)
{
  int64_t n;
  char *record;
  sol_status_t st;
  if (i == f->h.n_records) return f->at == f->end ? SOL_END : sol_queue_bad (f, "something follows the last record");
  if (f->end - f->at < 8) return sol_queue_bad (f, "truncated");
  memcpy (&n, f->data + f->at, 8);
  f->at += 8;
  if (n < 0 || (size_t) n > f->end - f->at || (size_t) (n + 7) / 8 * 8 > f->end - f->at) return sol_queue_bad (f, "a record out of bounds");
  record = sol_alloc ((size_t) n + 1);
  memcpy (record, f->data + f->at, (size_t) n);
  f->at += (size_t) (n + 7) / 8 * 8;
  st = sol_rollout_open (record, (size_t) n, view_p);
  if (st != SOL_OK) {
    sol_free (record);
    return st;
  }
  *record_p = record;
  *bytes_p = n;
  return SOL_OK;
}

/* ---- a whole set */
typedef struct {
  const char *dir;
  sol_queue_header_t h;   /* of queue.0 */
  int64_t first, end;     /* exact: tickets that must be there */
  uint8_t *there;         /* [end - first] */
} set_t;

/* exact mode: every batch that the learners still need and that is due from a version before the update */
static sol_status_t begin_set (set_t *s, const sol_queue_file_t *f)
{
  const sol_queue_header_t *h = &f->h;
  s->h = *h;
  if (h->mode != SOL_STALE_EXACT) return SOL_OK;
  if (h->prompts > 1 << 20 || h->update > INT32_MAX || h->k > INT32_MAX) return sol_queue_bad (f, "numbers out of bounds");
  s->first = h->update / h->ups * h->prompts;
  s->end = (sol_queue_last_due (h->update, h->k, h->ups) + 1) * h->prompts;
  if (s->end < s->first) s->end = s->first;
  return sol_alloc_large ((size_t) (s->end - s->first) + 1, "a mark for every queued group", (void **) &s->there);
}

static sol_status_t mark (set_t *s, const sol_queue_file_t *f, const sol_rollout_t *v)
{
  if (!s->there) return SOL_OK;
  if (v->ticket < (uint64_t) s->first || v->ticket >= (uint64_t) s->end)
    return sol_fail (SOL_ERR_FORMAT, "broker", "%s: ticket %llu is not of batches %lld to %lld, which belong in it", f->path, (unsigned long long) v->ticket, (long long) (s->first / s->h.prompts),
                     (long long) (s->end / s->h.prompts - 1));
  if (s->there[(int64_t) v->ticket - s->first]++) return sol_fail (SOL_ERR_CONSERVATION, "broker", "%s: ticket %llu is there twice", f->path, (unsigned long long) v->ticket);
  return SOL_OK;
}

/* the records of one file against its own counts */
static sol_status_t check_file (set_t *s, sol_queue_file_t *f)
{
  const sol_queue_header_t *h = &f->h;
  sol_amount_t queued = { 0 };
  sol_status_t st;
  sol_rollout_t v;
  char *record;
  int64_t n;
  if (h->update != s->h.update || h->prompts != s->h.prompts || h->ups != s->h.ups || h->k != s->h.k || h->mode != s->h.mode || h->n_brokers != s->h.n_brokers)
    return sol_queue_bad (f, "it belongs to another set of queue files");
  for (int64_t i = 0; (st = sol_queue_next (f, i, &record, &n, &v)) == SOL_OK; i++) {
    queued.responses += v.n_responses, queued.tokens += v.n_tokens, queued.digest += sol_rollout_digest (&v);
    st = mark (s, f, &v);
    sol_free (record);
    SOL_TRY (st);
  }
  if (st != SOL_END) return st;
  if (h->in.responses == h->out.responses + h->dropped.responses + queued.responses && h->in.tokens == h->out.tokens + h->dropped.tokens + queued.tokens &&
      h->in.digest == h->out.digest + h->dropped.digest + queued.digest)
    return SOL_OK;
  return sol_fail (SOL_ERR_CONSERVATION, "broker", "%s: generated %lld responses (%lld tokens), but trained + dropped + queued are %lld (%lld)%s", f->path, (long long) h->in.responses,
                   (long long) h->in.tokens, (long long) (h->out.responses + h->dropped.responses + queued.responses), (long long) (h->out.tokens + h->dropped.tokens + queued.tokens),
                   h->in.responses == h->out.responses + h->dropped.responses + queued.responses ? ": contents differ" : "");
}

static sol_status_t check_holes (const set_t *s)
{
  for (int64_t t = s->first; s->there && t < s->end; t++)
    if (!s->there[t - s->first]) {
      char *path = sol_queue_path (s->dir, (int) (t % s->h.n_brokers));
      sol_fail (SOL_ERR_CONSERVATION, "broker", "%s: ticket %lld (group %lld of batch %lld) is missing; a checkpoint of update %lld holds all batches up to %lld", path, (long long) t,
                (long long) (t % s->h.prompts), (long long) (t / s->h.prompts), (long long) s->h.update, (long long) (s->end / s->h.prompts - 1));
      sol_free (path);
      return SOL_ERR_CONSERVATION;
    }
  return SOL_OK;
}

sol_status_t sol_broker_verify (const char *dir, int n_queues, int64_t update)
{
  set_t s = { .dir = dir };
  sol_status_t st = SOL_OK;
  for (int i = 0; st == SOL_OK && i < (i ? s.h.n_brokers : 1); i++) {
    sol_queue_file_t f;
    st = sol_queue_open (dir, i, &f);
    if (st != SOL_OK) break;
    if (f.h.update != update) st = sol_fail (SOL_ERR_FORMAT, "broker", "%s: expected the queue at update %lld, found %lld", f.path, (long long) update, (long long) f.h.update);
    else if (n_queues > 0 && f.h.n_brokers != n_queues) st = sol_fail (SOL_ERR_FORMAT, "broker", "%s: expected one of %d queue files, found one of %d", f.path, n_queues, f.h.n_brokers);
    else if (i == 0) st = begin_set (&s, &f);
    if (st == SOL_OK) st = check_file (&s, &f);
    sol_queue_close (&f);
  }
  if (st == SOL_OK) st = check_holes (&s);
  sol_free (s.there);
  return st;
}
