/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/rollout.h"
#include "solera/hash.h"
#include "solera/log.h"
#include <math.h>
#include <string.h>

#define VERSION 3
enum { HAS_RAW = 1, HAS_ENTROPY = 2, HAS_CHECK = 4 };
/* sections follow in this order, each padded to 8 bytes: reward, parts, runs, prompt, len, ids, lp, [raw], [entropy], [check], finish */
typedef struct {
  uint32_t magic, version;
  uint64_t bytes, checksum; /* checksum: of everything behind this word */
  uint64_t ticket, prompt_id, index;
  int64_t n_tokens;
  int32_t n_responses, n_prompt, n_runs, n_parts;
  float temperature;
  int32_t actor;
  uint32_t flags;
  int32_t set;
  double generate_s;
  sol_dropped_t dropped;
} header_t;

static size_t pad (size_t n) { return (n + 7) & ~(size_t) 7; }

static size_t size_of (const header_t *h)
{
  size_t r = (size_t) h->n_responses, t = (size_t) h->n_tokens, columns = 2;
  for (uint32_t f = h->flags; f; f &= f - 1) columns++;
  return sizeof *h + 8 * r + 8 * r * (size_t) h->n_parts + sizeof (sol_version_run_t) * (size_t) h->n_runs + pad (4 * (size_t) h->n_prompt) + pad (4 * r) + columns * pad (4 * t) + pad (r);
}

static header_t header_of (const sol_rollout_t *v)
{
  header_t h = { .magic = SOL_ROLLOUT_MAGIC, .version = VERSION, .ticket = v->ticket, .prompt_id = v->prompt_id, .index = v->index, .n_tokens = v->n_tokens, .n_responses = v->n_responses,
                 .n_prompt = v->n_prompt, .n_runs = v->n_runs, .n_parts = v->n_parts, .temperature = v->temperature, .actor = v->actor, .generate_s = v->generate_s, .set = v->set, .dropped = v->dropped,
                 .flags = (v->raw_lp ? HAS_RAW : 0u) | (v->entropy ? HAS_ENTROPY : 0u) | (v->lp_check ? HAS_CHECK : 0u) };
  h.bytes = size_of (&h);
  return h;
}

size_t sol_rollout_bytes (const sol_rollout_t *view) { return (size_t) header_of (view).bytes; }

size_t sol_rollout_max_bytes (int32_t n_responses, int32_t max_prompt, int32_t max_new, int64_t versions)
{
  header_t h = { .n_tokens = (int64_t) n_responses * max_new, .n_responses = n_responses, .n_prompt = max_prompt, .n_parts = 4, .flags = HAS_RAW | HAS_ENTROPY | HAS_CHECK };
  h.n_runs = (int32_t) ((int64_t) n_responses * (versions < max_new ? versions : max_new)); /* at most a run a token */
  return size_of (&h);
}

size_t sol_rollout_config_bytes (const sol_config_t *c)
{
  return sol_rollout_max_bytes ((int32_t) c->group, (int32_t) c->max_prompt, (int32_t) c->max_new, c->in_flight ? c->updates / c->ups + 1 : 1);
}

static char *add (char *at, const void *data, size_t bytes)
{
  if (bytes > 0) memcpy (at, data, bytes); /* an empty section may have no address */
  memset (at + bytes, 0, pad (bytes) - bytes);
  return at + pad (bytes);
}

static uint64_t checksum (const void *record, size_t bytes)
{
  size_t from = offsetof (header_t, checksum) + sizeof (uint64_t);
  return sol_hash ((const char *) record + from, bytes - from);
}

sol_status_t sol_rollout_pack (const sol_rollout_t *v, void *record, size_t room, size_t *bytes_p)
{
  header_t h = header_of (v);
  size_t r = (size_t) v->n_responses, t = 4 * (size_t) v->n_tokens;
  char *at = record;
  if (!v->lp) return sol_fail (SOL_ERR_USAGE, "rollout", "ticket %llu: a rollout without behaviour log-probs is refused", (unsigned long long) v->ticket);
  if (h.bytes > room) return sol_fail (SOL_ERR_LIMIT, "rollout", "ticket %llu: a record of %llu bytes, room for %zu", (unsigned long long) v->ticket, (unsigned long long) h.bytes, room);
  at = add (at, &h, sizeof h);
  at = add (at, v->reward, 8 * r);
  at = add (at, v->parts, 8 * r * (size_t) v->n_parts);
  at = add (at, v->runs, sizeof *v->runs * (size_t) v->n_runs);
  at = add (at, v->prompt, 4 * (size_t) v->n_prompt);
  at = add (at, v->len, 4 * r);
  at = add (at, v->ids, t);
  at = add (at, v->lp, t);
  if (v->raw_lp) at = add (at, v->raw_lp, t);
  if (v->entropy) at = add (at, v->entropy, t);
  if (v->lp_check) at = add (at, v->lp_check, t);
  at = add (at, v->finish, r);
  SOL_ASSERT ((size_t) (at - (char *) record) == h.bytes);
  h.checksum = checksum (record, (size_t) h.bytes);
  memcpy (record, &h, sizeof h);
  *bytes_p = (size_t) h.bytes;
  return SOL_OK;
}

static const void *take (const char **at, size_t bytes)
{
  const void *p = *at;
  *at += pad (bytes);
  return p;
}

static sol_status_t bad (const char *what) { return sol_fail (SOL_ERR_FORMAT, "rollout", "record refused: %s", what); }

/* what the checksum does not say: that lengths and runs belong together */
static sol_status_t check (const sol_rollout_t *v)
{
  int64_t n = 0;
  for (int32_t g = 0; g < v->n_responses; g++) {
    if (v->len[g] < 0 || v->len[g] > v->n_tokens - n) return bad ("lengths of responses");
    n += v->len[g];
  }
  if (n != v->n_tokens) return bad ("lengths of responses do not add up to its tokens");
  n = 0;
  for (int32_t i = 0; i < v->n_runs; i++) {
    if (v->runs[i].first_token != n || v->runs[i].n_tokens < 1 || v->runs[i].version < 0) return bad ("policy versions do not cover its tokens in order");
    n += v->runs[i].n_tokens;
  }
  if (n != v->n_tokens) return bad ("policy versions do not cover all tokens");
  for (int32_t g = 0; g < v->n_responses; g++)
    if (!isfinite (v->reward[g])) return bad ("a reward that is not finite");
  return SOL_OK;
}

static int bad_dropped (const header_t *h)
{
  const sol_dropped_t *d = &h->dropped;
  return d->groups < 0 || d->groups > 1 << 20 || d->all_right < 0 || d->all_wrong < 0 || d->all_right > d->groups - d->all_wrong || d->correct < 0 || d->correct > (int64_t) d->groups * h->n_responses ||
         !isfinite (d->reward);
}

sol_status_t sol_rollout_open (const void *record, size_t bytes, sol_rollout_t *view_p)
{
  header_t h;
  const char *at = record;
  sol_rollout_t v;
  size_t r, t;
  if (bytes < sizeof h) return bad ("shorter than its header");
  memcpy (&h, record, sizeof h);
  if (h.magic != SOL_ROLLOUT_MAGIC) return bad ("not a rollout record");
  if (h.version != VERSION) return sol_fail (SOL_ERR_FORMAT, "rollout", "record refused: expected format version %d, found %u", VERSION, h.version);
  if (h.n_responses < 1 || h.n_responses > 1 << 20 || h.n_prompt < 0 || h.n_prompt > 1 << 28 || h.n_tokens < 0 || h.n_tokens > INT32_MAX || h.n_runs < 0 || h.n_runs > h.n_tokens ||
      h.n_parts < 0 || h.n_parts > 64 || h.set < 0 || bad_dropped (&h) || h.flags > (HAS_RAW | HAS_ENTROPY | HAS_CHECK))
    return bad ("counts out of bounds");
  if (h.bytes != bytes || size_of (&h) != bytes) return bad ("its size is not what its counts say");
  if (checksum (record, bytes) != h.checksum) return sol_fail (SOL_ERR_CHECKSUM, "rollout", "record of ticket %llu: checksum differs", (unsigned long long) h.ticket);
  r = (size_t) h.n_responses;
  t = 4 * (size_t) h.n_tokens;
  v = (sol_rollout_t){ .ticket = h.ticket, .prompt_id = h.prompt_id, .index = h.index, .n_responses = h.n_responses, .n_prompt = h.n_prompt, .n_runs = h.n_runs, .n_parts = h.n_parts,
                       .n_tokens = h.n_tokens, .temperature = h.temperature, .actor = h.actor, .generate_s = h.generate_s, .set = h.set, .dropped = h.dropped };
  at += sizeof h;
  v.reward = take (&at, 8 * r);
  v.parts = take (&at, 8 * r * (size_t) h.n_parts);
  v.runs = take (&at, sizeof *v.runs * (size_t) h.n_runs);
  v.prompt = take (&at, 4 * (size_t) h.n_prompt);
  v.len = take (&at, 4 * r);
  v.ids = take (&at, t);
  v.lp = take (&at, t);
  if (h.flags & HAS_RAW) v.raw_lp = take (&at, t);
  if (h.flags & HAS_ENTROPY) v.entropy = take (&at, t);
  if (h.flags & HAS_CHECK) v.lp_check = take (&at, t);
  v.finish = take (&at, r);
  SOL_TRY (check (&v));
  *view_p = v;
  return SOL_OK;
}

uint64_t sol_rollout_digest (const sol_rollout_t *v)
{
  size_t r = (size_t) v->n_responses, t = 4 * (size_t) v->n_tokens;
  const struct { const void *data; size_t bytes; } part[] = {
    { &v->temperature, sizeof v->temperature }, { v->prompt, 4 * (size_t) v->n_prompt }, { v->len, 4 * r }, { v->finish, r }, { v->reward, 8 * r }, { v->parts, 8 * r * (size_t) v->n_parts },
    { v->runs, sizeof *v->runs * (size_t) v->n_runs }, { v->ids, t }, { v->lp, t }, { v->raw_lp, t }, { v->entropy, t }, { v->lp_check, t },
  };
  uint64_t h = sol_hash_pair (sol_hash_pair (v->ticket, v->prompt_id), sol_hash_pair (v->index, (uint64_t) v->set));
  h = sol_hash_pair (h, sol_hash (&v->dropped, sizeof v->dropped)); /* no padding in it */
  for (size_t i = 0; i < sizeof part / sizeof *part; i++) h = sol_hash_pair (h, part[i].data ? sol_hash (part[i].data, part[i].bytes) : 0);
  return h;
}

uint64_t sol_rollout_generated (const sol_rollout_t *v)
{
  const size_t r = (size_t) v->n_responses, t = 4 * (size_t) v->n_tokens;
  const struct { const void *data; size_t bytes; } part[] = {
    { &v->temperature, sizeof v->temperature }, { v->prompt, 4 * (size_t) v->n_prompt }, { v->len, 4 * r }, { v->finish, r }, { v->runs, sizeof *v->runs * (size_t) v->n_runs }, { v->ids, t }, { v->lp, t },
  };
  uint64_t h = sol_hash_pair (sol_hash_pair (v->ticket, v->prompt_id), v->index);
  for (size_t i = 0; i < sizeof part / sizeof *part; i++) h = sol_hash_pair (h, sol_hash (part[i].data, part[i].bytes));
  return h;
}
