/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/reuse.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/stats_read.h"
#include "solera/task.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

#define ROOM "reuse"

struct sol_reuse {
  const sol_config_t *c;
  const sol_record_t *r;
  sol_stats_reader_t *reader;
  int raw, check;          /* tokens/lp_raw, lp_check are there */
  sol_stats_sequences_t q; /* of the update being read */
  sol_stats_update_t t;
  int64_t *row, *prompt_at, row_room; /* [responses of an update] rows of q by (place, response); first prompt token by row */
  /* one group: [group] and [group * max_new] */
  int32_t *len, *ids;
  uint8_t *finish;
  double *reward, *parts;
  float *lp, *raw_lp, *entropy, *lp_check;
  sol_version_run_t *runs;
  char *packed;
  size_t packed_room;
};

void sol_reuse_close (sol_reuse_t *u)
{
  if (!u) return;
  sol_stats_reader_close (u->reader);
  void *all[] = { u->row, u->prompt_at, u->len, u->ids, u->finish, u->reward, u->parts, u->lp, u->raw_lp, u->entropy, u->lp_check, u->runs, u->packed, u };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) sol_free (all[i]);
}

sol_status_t sol_reuse_open (const char *run_dir, const sol_config_t *c, const sol_record_t *record, sol_reuse_t **reuse_p)
{
  static const char what[] = "a recorded group";
  sol_reuse_t *u = sol_alloc (sizeof *u);
  const size_t n = (size_t) c->group, tokens = n * (size_t) c->max_new;
  sol_status_t st;
  *u = (sol_reuse_t){ .c = c, .r = record, .packed_room = sol_rollout_max_bytes ((int32_t) c->group, (int32_t) c->max_prompt, (int32_t) c->max_new, c->max_new), .row_room = c->prompts / c->ups * c->group };
  const sol_room_t room[] = { { (void **) &u->row, (size_t) u->row_room * sizeof *u->row, what }, { (void **) &u->prompt_at, (size_t) u->row_room * sizeof *u->prompt_at, what },
                              { (void **) &u->len, n * sizeof *u->len, what }, { (void **) &u->ids, tokens * sizeof *u->ids, what }, { (void **) &u->finish, n, what },
                              { (void **) &u->reward, n * sizeof *u->reward, what }, { (void **) &u->parts, n * SOL_PART_COUNT * sizeof *u->parts, what }, { (void **) &u->lp, tokens * sizeof *u->lp, what },
                              { (void **) &u->raw_lp, tokens * sizeof *u->raw_lp, what }, { (void **) &u->entropy, tokens * sizeof *u->entropy, what },
                              { (void **) &u->lp_check, tokens * sizeof *u->lp_check, what }, { (void **) &u->runs, tokens * sizeof *u->runs, what }, { (void **) &u->packed, u->packed_room, what } };
  SOL_GO (sol_stats_reader_open (run_dir, &u->reader));
  SOL_GO (sol_rooms_take (room, (int) (sizeof room / sizeof *room)));
  u->raw = (float) c->temperature != 1.0f && sol_stats_reader_has (u->reader, SOL_STATS_READ_RAW, 0, sol_stats_reader_last (u->reader));
  u->check = sol_stats_reader_has (u->reader, SOL_STATS_READ_CHECK, 0, sol_stats_reader_last (u->reader));
  *reuse_p = u;
  return SOL_OK;
out:
  sol_reuse_close (u);
  return st;
}

/* the update's responses by place and number; the record has checked that each is there once */
static sol_status_t read_update (sol_reuse_t *u, int64_t update)
{
  const int64_t groups = u->c->prompts / u->c->ups;
  int64_t at = 0;
  SOL_TRY (sol_stats_reader_update (u->reader, update, SOL_STATS_READ_ENTROPY | (u->raw ? SOL_STATS_READ_RAW : 0) | (u->check ? SOL_STATS_READ_CHECK : 0), &u->t));
  SOL_TRY (sol_stats_reader_sequences (u->reader, update, &u->q));
  if (u->q.n != u->row_room) return sol_fail (SOL_ERR_FORMAT, ROOM, "update %" PRId64 ": expected %" PRId64 " responses, found %" PRId64, update, u->row_room, u->q.n);
  for (int64_t i = 0; i < u->q.n; at += u->q.n_prompt[i++]) {
    const int64_t k = u->q.place[i] % groups * u->c->group + u->q.seq[i] - u->q.ticket[i] * u->c->group;
    if (k < 0 || k >= u->row_room) return sol_fail (SOL_ERR_FORMAT, ROOM, "update %" PRId64 ": response %" PRId64 " is not of its batch", update, u->q.seq[i]);
    u->row[k] = i;
    u->prompt_at[i] = at;
  }
  return SOL_OK;
}

/* first row of a sequence's tokens, which are in order of seq */
static int64_t first_token (const sol_stats_update_t *t, int64_t seq)
{
  int64_t low = 0, high = t->n;
  while (low < high) {
    const int64_t mid = (low + high) / 2;
    if (t->seq[mid] < seq) low = mid + 1;
    else high = mid;
  }
  return low;
}

/* adds the tokens of response s to the group that is put together */
static sol_status_t add_tokens (sol_reuse_t *u, int64_t i, int32_t s, sol_rollout_t *v)
{
  const sol_stats_update_t *t = &u->t;
  const int64_t seq = u->q.seq[i], first = first_token (t, seq), n = u->q.n_response[i];
  if (n < 1 || n > u->c->max_new || first + n > t->n || t->seq[first + n - 1] != seq || (first + n < t->n && t->seq[first + n] == seq))
    return sol_fail (SOL_ERR_FORMAT, ROOM, "update %d, response %" PRId64 ": its %" PRId64 " tokens are not in the statistics%s", u->q.update[i], seq, n,
                     u->q.dropped[i] ? ": the update refused it (objective.on_refused)" : n > u->c->max_new ? ": rollout.max_tokens is less" : "");
  for (int64_t k = first; k < first + n; k++, v->n_tokens++) {
    u->ids[v->n_tokens] = t->token[k];
    u->lp[v->n_tokens] = t->lp_behav[k];
    u->entropy[v->n_tokens] = t->entropy_behav[k];
    if (u->raw) u->raw_lp[v->n_tokens] = t->lp_raw[k];
    if (u->check) u->lp_check[v->n_tokens] = t->lp_check[k];
    if (v->n_runs == 0 || u->runs[v->n_runs - 1].version != t->version[k]) u->runs[v->n_runs++] = (sol_version_run_t){ (int32_t) v->n_tokens, 0, t->version[k] };
    u->runs[v->n_runs - 1].n_tokens++;
  }
  u->len[s] = (int32_t) n;
  return SOL_OK;
}

static double part_of (float recorded) { return isnan (recorded) ? 0 : (double) recorded; }

/* group g of the update that was read; what graders said of groups that were dropped for it is not recorded */
static sol_status_t put_together (sol_reuse_t *u, int64_t g, sol_rollout_t *v)
{
  const int64_t *row = u->row + g * u->c->group, i0 = row[0];
  *v = (sol_rollout_t){ .ticket = (uint64_t) u->q.ticket[i0], .prompt_id = u->q.prompt_id[i0], .index = (uint64_t) u->q.ticket[i0] + ((uint64_t) u->q.refilled[i0] << SOL_TICKET_BITS),
                        .dropped = { .groups = u->q.refilled[i0] }, .set = u->q.set[i0], .n_responses = (int32_t) u->c->group, .n_prompt = u->q.n_prompt[i0], .n_parts = SOL_PART_COUNT,
                        .temperature = (float) u->c->temperature, .prompt = u->q.prompt + u->prompt_at[i0], .len = u->len, .finish = u->finish, .reward = u->reward, .parts = u->parts, .runs = u->runs,
                        .ids = u->ids, .lp = u->lp, .raw_lp = u->raw ? u->raw_lp : NULL, .lp_check = u->check ? u->lp_check : NULL };
  for (int32_t s = 0; s < v->n_responses; s++) {
    const int64_t i = row[s];
    double *part = u->parts + (int64_t) s * SOL_PART_COUNT;
    if (u->q.ticket[i] != u->q.ticket[i0]) return sol_fail (SOL_ERR_FORMAT, ROOM, "update %d: tickets %" PRId64 " and %" PRId64 " have one place", u->q.update[i], u->q.ticket[i0], u->q.ticket[i]);
    SOL_TRY (add_tokens (u, i, s, v));
    u->finish[s] = u->q.finish[i];
    u->reward[s] = u->q.reward[i];
    part[SOL_PART_ANSWER] = part_of (u->q.reward_answer[i]), part[SOL_PART_FORMAT] = part_of (u->q.reward_format[i]);
    part[SOL_PART_LENGTH] = part_of (u->q.reward_length[i]), part[SOL_PART_STOPPED] = u->q.stopped[i];
  }
  if (!isnan (u->entropy[0])) v->entropy = u->entropy;
  if (sol_rollout_generated (v) != u->q.generated[i0])
    return sol_fail (SOL_ERR_CHECKSUM, ROOM, "update %d, ticket %" PRId64 ": tokens, log-probs and versions in the statistics are not what was generated (xxh3 %016" PRIx64 ", found %016" PRIx64 ")",
                     u->q.update[i0], u->q.ticket[i0], u->q.generated[i0], sol_rollout_generated (v));
  return SOL_OK;
}

sol_status_t sol_reuse_batch (sol_reuse_t *u, int64_t batch, sol_status_t (*take) (void *ctx, const void *record, size_t bytes), void *ctx)
{
  for (int64_t j = 0; j < u->c->ups; j++) {
    SOL_TRY (read_update (u, batch * u->c->ups + j));
    for (int64_t g = 0; g < u->c->prompts / u->c->ups; g++) {
      sol_rollout_t v;
      size_t bytes;
      SOL_TRY (put_together (u, g, &v));
      SOL_TRY (sol_rollout_pack (&v, u->packed, u->packed_room, &bytes));
      SOL_TRY (take (ctx, u->packed, bytes));
    }
  }
  return SOL_OK;
}
