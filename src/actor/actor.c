/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/actor.h"
#include "check.h"
#include "solera/clock.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/watch.h"
#include "grade.h"
#include "refill.h"
#include "replay.h"
#include "trial.h"
#include <string.h>

struct sol_actor {
  sol_actor_params_t p;
  sol_decoder_t *decoder;
  void *block;             /* a published block on its way into the model, pinned where the model is on a device */
  int64_t version;         /* of the model's weights; -1: none yet */
  int64_t ticket, want;    /* a granted ticket that waits for version `want` */
  int held, put_waits, no_more;
  char *record;
  size_t record_room;
  sol_prompt_t prompt;
  /* columns of the record being packed, [group * max_new] and [group] */
  int32_t *ids, *len;
  uint8_t *finish;
  float *lp, *raw_lp, *entropy, *lp_check; /* lp_check: NULL unless it is recorded */
  double *reward, *parts;
  sol_version_run_t *runs;
  double phase[SOL_PHASE_COUNT];
  sol_actor_trial_t trial;
  sol_actor_check_t check;
  sol_refill_t refill;
  int64_t replaced; /* outcomes of graders that the record had otherwise */
};

static int response_ends (void *ctx, const int32_t *ids, int32_t n) { return sol_task_ends (ctx, ids, n); }

static sol_decoder_params_t decoder_params (const sol_config_t *c)
{
  return (sol_decoder_params_t){ .slots = (int32_t) c->slots, .max_prompt = (int32_t) c->max_prompt, .max_new = (int32_t) c->max_new, .kv_rows = c->kv_tokens, .no_graphs = !c->graphs,
                                 .temperature = (float) c->temperature, .top_p = 1, .seed = (uint64_t) c->seed, .purpose = SOL_RANDOM_SAMPLE };
}

/* what it takes on the host beside the decoder */
enum { ROOMS = 12 };
static int list_rooms (sol_actor_t *a, const sol_config_t *c, sol_room_t room[ROOMS])
{
  static const char what[] = "the columns of a record";
  const size_t tokens = (size_t) (c->group * c->max_new), group = (size_t) c->group;
  const sol_room_t all[ROOMS - 1] = { { (void **) &a->record, sol_rollout_config_bytes (c), "a record" },
                                  { (void **) &a->ids, tokens * sizeof *a->ids, what },
                                  { (void **) &a->lp, tokens * sizeof *a->lp, what },
                                  { (void **) &a->raw_lp, tokens * sizeof *a->raw_lp, what },
                                  { (void **) &a->entropy, tokens * sizeof *a->entropy, what },
                                  { (void **) &a->runs, tokens * sizeof *a->runs, what },
                                  { (void **) &a->len, group * sizeof *a->len, what },
                                  { (void **) &a->finish, group, what },
                                  { (void **) &a->reward, group * sizeof *a->reward, what },
                                  { (void **) &a->parts, group * SOL_PART_COUNT * sizeof *a->parts, what },
                                  { (void **) &a->refill.entry, sol_refill_room (c) * sizeof *a->refill.entry, "tickets that lost a group" } };
  memcpy (room, all, sizeof all);
  if (!c->lp_check) return ROOMS - 1;
  room[ROOMS - 1] = (sol_room_t){ (void **) &a->lp_check, tokens * sizeof *a->lp_check, what };
  return ROOMS;
}

sol_status_t sol_decoding_need (const sol_config_t *c, const sol_model_t *model, sol_needs_t *need)
{
  const sol_decoder_params_t dp = decoder_params (c);
  const int device = sol_backend_is_device (sol_model_backend (model));
  size_t cache, pinned;
  const size_t bytes = sol_decoder_need (model, &dp, &cache, &pinned);
  if (bytes == SIZE_MAX)
    return sol_fail (SOL_ERR_USAGE, "actor", "actor.slots is %lld, rollout.max_prompt is %lld, rollout.max_tokens is %lld, actor.kv_tokens is %lld: keys and values do not fit one rank", (long long) c->slots,
                     (long long) c->max_prompt, (long long) c->max_new, (long long) c->kv_tokens);
  sol_need_add (device ? &need->device : &need->host, SOL_NEED_CACHE, cache);
  sol_need_add (device ? &need->device : &need->host, SOL_NEED_DECODING, bytes - cache);
  sol_need_pin (&need->host, SOL_NEED_DECODING, pinned, device);
  return SOL_OK;
}

sol_status_t sol_actor_need (const sol_config_t *c, const sol_model_t *model, sol_needs_t *need)
{
  sol_actor_t none = { 0 };
  sol_room_t room[ROOMS];
  const int n = list_rooms (&none, c, room), device = sol_backend_is_device (sol_model_backend (model));
  sol_need_add (device ? &need->device : &need->host, SOL_NEED_WEIGHTS, sol_model_need (model));
  sol_need_pin (&need->host, SOL_NEED_WEIGHTS, sol_model_bytes (model) + sol_model_pinned (model), device);
  sol_need_add (&need->host, SOL_NEED_BATCH, sol_rooms_bytes (room, n));
  sol_actor_check_need (c, model, need);
  return sol_decoding_need (c, model, need);
}

sol_status_t sol_actor_create (const sol_actor_params_t *params, sol_actor_t **actor_p)
{
  const sol_config_t *c = params->config;
  sol_actor_t *a = sol_alloc (sizeof *a);
  sol_decoder_params_t dp = decoder_params (c);
  sol_room_t room[ROOMS];
  sol_status_t st;
  dp.ends = response_ends;
  dp.ends_ctx = params->task;
  a->p = *params;
  a->version = -1;
  a->record_room = sol_rollout_config_bytes (c);
  a->refill.room = (int32_t) sol_refill_room (c);
  const int n = list_rooms (a, c, room);
  SOL_GO (sol_rooms_take (room, n));
  SOL_GO (sol_backend_pin (sol_model_backend (params->model), sol_model_bytes (params->model), "a published weight block", &a->block));
  SOL_GO (sol_actor_check_open (&a->check, c, params->model));
  SOL_GO (sol_decoder_create (params->model, &dp, &a->decoder));
  SOL_GO (sol_actor_trial_open (&a->trial, &a->p));
  *actor_p = a;
  return SOL_OK;
out:
  sol_actor_destroy (a);
  return st;
}

void sol_actor_destroy (sol_actor_t *a)
{
  if (!a) return;
  if (a->decoder && sol_decoder_put_back (a->decoder) > 0)
    sol_log (SOL_LOG_INFO, "actor", "%lld times a sequence had no room for its keys and was computed anew later (actor.kv_tokens, actor.slots)", (long long) sol_decoder_put_back (a->decoder));
  if (a->replaced > 0) sol_log (SOL_LOG_INFO, "actor", "%lld outcomes of the verifier were taken from the record, where they were others", (long long) a->replaced);
  sol_decoder_destroy (a->decoder);
  sol_prompt_free (&a->prompt);
  sol_actor_trial_close (&a->trial);
  sol_actor_check_close (&a->check);
  sol_free (a->refill.entry);
  if (a->block) sol_model_sent (a->p.model);
  sol_backend_unpin (sol_model_backend (a->p.model), a->block, sol_model_bytes (a->p.model));
  void *all[] = { a->record, a->ids, a->lp, a->raw_lp, a->entropy, a->lp_check, a->runs, a->len, a->finish, a->reward, a->parts, a };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) sol_free (all[i]);
}

/* responses one after another, without the decoder's stride; equal versions become one run */
static int32_t flatten (sol_actor_t *a, const sol_group_out_t *g, int64_t *n_tokens_p)
{
  int64_t n = 0;
  int32_t runs = 0;
  for (int32_t s = 0; s < g->n_samples; s++) {
    for (int32_t t = 0; t < g->len[s]; t++, n++) {
      int64_t at = (int64_t) s * g->stride + t;
      a->ids[n] = g->ids[at];
      a->lp[n] = g->lp[at];
      a->raw_lp[n] = g->raw_lp[at];
      a->entropy[n] = g->entropy[at];
      if (runs == 0 || a->runs[runs - 1].version != g->version[at]) a->runs[runs++] = (sol_version_run_t){ (int32_t) n, 0, g->version[at] };
      a->runs[runs - 1].n_tokens++;
    }
    a->len[s] = g->len[s];
    a->finish[s] = g->finish[s];
  }
  *n_tokens_p = n;
  return runs;
}

/* scores a finished group once more; its weights are still the model's: new ones are only loaded when nothing runs and what has finished was taken */
static sol_status_t check_group (sol_actor_t *a, const sol_group_out_t *g, sol_rollout_t *view)
{
  const double t0 = sol_clock_s ();
  int64_t at = 0;
  SOL_ASSERT (view->n_runs == 1 && view->runs[0].version == a->version);
  for (int32_t s = 0; s < g->n_samples; at += a->len[s], s++) SOL_TRY (sol_actor_check (&a->check, a->p.config, g->prompt, g->n_prompt, a->ids + at, a->len[s], a->lp_check + at));
  view->lp_check = a->lp_check;
  a->phase[SOL_PHASE_GENERATE] += sol_clock_s () - t0;
  return SOL_OK;
}

/* rewards of a finished group and their parts */
static sol_status_t grade (sol_actor_t *a, const sol_group_out_t *g)
{
  sol_grade_t *grades = sol_alloc ((size_t) g->n_samples * sizeof *grades);
  const sol_status_t st = sol_group_grade (a->p.task, &a->prompt, g, grades);
  for (int32_t s = 0; s < g->n_samples; s++) {
    memcpy (a->parts + s * SOL_PART_COUNT, grades[s].part, sizeof grades[s].part);
    a->reward[s] = grades[s].total;
  }
  sol_free (grades);
  return st;
}

/* grades a finished group and hands its record to the broker, or drops it */
static sol_status_t append (sol_actor_t *a, const sol_group_out_t *g)
{
  const sol_config_t *c = a->p.config;
  sol_rollout_t view = { .ticket = (uint64_t) sol_refill_ticket (g->tag), .index = g->tag, .n_responses = g->n_samples, .n_prompt = g->n_prompt, .n_parts = SOL_PART_COUNT,
                         .temperature = (float) c->temperature, .actor = a->p.index, .prompt = g->prompt, .len = a->len, .finish = a->finish,
                         .reward = a->reward, .parts = a->parts, .runs = a->runs, .ids = a->ids, .lp = a->lp, .entropy = a->entropy };
  size_t bytes;
  sol_status_t st;
  view.n_runs = flatten (a, g, &view.n_tokens);
  if (view.temperature != 1.0f) view.raw_lp = a->raw_lp;
  SOL_TRY (sol_task_prompt (a->p.task, SOL_SPLIT_TRAIN, g->tag, &a->prompt));
  view.prompt_id = a->prompt.id;
  view.set = a->prompt.set;
  SOL_TRY (grade (a, g));
  if (a->p.record ? sol_replay_drops (a->p.record, &view) : sol_refill_wants (c, &view)) {
    sol_refill_drop (&a->refill, &view, SOL_PART_ANSWER);
    return SOL_OK;
  }
  sol_refill_settle (&a->refill, &view);
  if (a->lp_check) SOL_TRY (check_group (a, g, &view));
  if (a->p.record) a->replaced += sol_replay_outcomes (a->p.record, &view, c->task == SOL_TASK_JSONL && c->task_verifier == SOL_VERIFIER_COMMAND, a->reward, a->parts);
  SOL_TRY (sol_rollout_pack (&view, a->record, a->record_room, &bytes));
  st = sol_broker_put (a->p.broker, a->record, bytes);
  a->put_waits = st == SOL_AGAIN;
  return a->put_waits ? SOL_OK : st;
}

/* the model gets version v. AGAIN: not there yet */
static sol_status_t load (sol_actor_t *a, int64_t v)
{
  double t0 = sol_clock_s ();
  SOL_TRY (sol_model_sent (a->p.model)); /* the block before has gone up long ago */
  sol_status_t st = sol_broker_fetch (a->p.broker, v, a->block);
  if (st != SOL_OK) return st;
  sol_model_send (a->p.model, a->block); /* goes up beside prompts, tickets and the rest of this step's host work */
  SOL_TRY (sol_decoder_version (a->decoder, v, a->p.config->kv_mode == SOL_KV_RECOMPUTE));
  a->version = v;
  a->phase[SOL_PHASE_FETCH] += sol_clock_s () - t0;
  return SOL_OK;
}

/* the same for a claim */
static sol_status_t fetch (sol_actor_t *a, int64_t v)
{
  sol_status_t st = load (a, v);
  return st == SOL_OK ? sol_broker_release (a->p.broker, v) : st;
}

/* AGAIN: the decoder has no room */
static sol_status_t start (sol_actor_t *a, uint64_t index)
{
  const sol_config_t *c = a->p.config;
  SOL_TRY (sol_task_prompt (a->p.task, SOL_SPLIT_TRAIN, index, &a->prompt));
  SOL_TRY (sol_task_fits (a->p.task, SOL_SPLIT_TRAIN, &a->prompt, sol_model_arch (a->p.model)->context));
  return sol_decoder_put (a->decoder, index, index, a->prompt.ids.data, a->prompt.ids.n, (int32_t) c->group, (int32_t) c->max_new);
}

/* the next attempts at tickets whose groups were dropped, before anything is claimed: under the weights of the first attempt, as new ones are only loaded when nothing runs (but for in_flight) */
static sol_status_t start_again (sol_actor_t *a)
{
  for (sol_refill_entry_t *e; sol_decoder_free_slots (a->decoder) > 0 && (e = sol_refill_next (&a->refill));) {
    SOL_TRY (start (a, sol_refill_index (e->ticket, e->attempt)));
    sol_refill_started (&a->refill, e);
  }
  return a->refill.waiting > 0 ? SOL_AGAIN : SOL_OK;
}

/* Responses may go on under newer weights. Not in a replay: what is recorded there had one version from its first token to its last. */
static int goes_on (const sol_actor_t *a) { return a->p.config->in_flight && !a->p.record; }

/* claims one group and starts it. AGAIN: nothing to claim, no version yet, or the running sequences must end first */
static sol_status_t claim (sol_actor_t *a)
{
  if (!a->held) {
    sol_status_t st = sol_broker_claim (a->p.broker, &a->ticket, &a->want);
    if (st == SOL_END) a->no_more = 1;
    if (st != SOL_OK) return st == SOL_END ? SOL_AGAIN : st;
    a->held = 1;
  }
  if (a->want != a->version) { /* new weights only between sequences, unless they may go on under them */
    sol_status_t st;
    if (sol_decoder_running (a->decoder) > 0 && !goes_on (a)) return SOL_AGAIN;
    if (a->want > a->trial.next) return SOL_AGAIN; /* first what is to be evaluated before it */
    st = fetch (a, a->want);
    if (st == SOL_ERR_STALE && sol_broker_params (a->p.broker)->mode != SOL_STALE_EXACT) { /* overwritten meanwhile: a newer one serves as well */
      SOL_TRY (sol_broker_newest (a->p.broker, &a->want));
      return SOL_AGAIN;
    }
    if (st != SOL_OK) return st;
  }
  SOL_TRY (start (a, (uint64_t) a->ticket));
  a->held = 0;
  return SOL_OK;
}

/* a newer version while sequences run (in flight) */
static sol_status_t refresh (sol_actor_t *a)
{
  int64_t newest;
  sol_status_t st;
  if (!goes_on (a) || sol_decoder_running (a->decoder) == 0 || a->held) return SOL_OK;
  SOL_TRY (sol_broker_newest (a->p.broker, &newest));
  if (newest <= a->version || newest > a->trial.next) return SOL_OK;
  st = fetch (a, newest);
  return st == SOL_AGAIN || st == SOL_ERR_STALE ? SOL_OK : st;
}

/* Nothing runs. Is there a version to evaluate? It is, before anything newer is loaded, but after the claimed groups of this version or an older one. AGAIN: no */
static sol_status_t try_version (sol_actor_t *a)
{
  int64_t newest;
  if (a->trial.next == SOL_TRIAL_NONE || (a->held && a->want <= a->trial.next)) return SOL_AGAIN;
  SOL_TRY (sol_broker_newest (a->p.broker, &newest));
  if (newest < a->trial.next) return SOL_AGAIN;
  if (a->version != a->trial.next) {
    const sol_status_t st = load (a, a->trial.next);
    if (st != SOL_OK) return st == SOL_ERR_STALE ? sol_fail (st, "actor", "weights of version %lld, which is to be evaluated, were overwritten", (long long) a->trial.next) : st;
  }
  return sol_actor_trial_start (&a->trial, &a->p, a->decoder);
}

sol_status_t sol_actor_step (sol_actor_t *a)
{
  sol_status_t st;
  sol_group_out_t g;
  int busy = 0;
  if (sol_broker_ended (a->p.broker)) return SOL_END;
  if (a->trial.on) {
    double t0 = sol_clock_s ();
    st = sol_actor_trial_step (&a->trial, &a->p, a->decoder);
    a->phase[SOL_PHASE_EVALUATE] += sol_clock_s () - t0;
    return st;
  }
  if (a->put_waits) {
    st = sol_broker_put (a->p.broker, NULL, 0);
    if (st == SOL_AGAIN) sol_watch_wait ("broker", "room in the ring");
    if (st != SOL_OK) return st;
    a->put_waits = 0;
    busy = 1;
  }
  while (!a->put_waits && (st = sol_decoder_take (a->decoder, &g)) == SOL_OK) {
    SOL_TRY (append (a, &g));
    busy = 1;
  }
  if (a->put_waits) return busy ? SOL_OK : SOL_AGAIN;
  SOL_TRY (refresh (a));
  st = start_again (a);
  if (st != SOL_OK && st != SOL_AGAIN) return st;
  while (st == SOL_OK && !a->no_more && sol_decoder_free_slots (a->decoder) > 0) {
    st = claim (a);
    if (st == SOL_AGAIN) break;
    if (st != SOL_OK) return st;
    busy = 1;
  }
  if (sol_decoder_running (a->decoder) > 0) {
    double t0 = sol_clock_s ();
    st = sol_decoder_step (a->decoder);
    a->phase[SOL_PHASE_GENERATE] += sol_clock_s () - t0;
    if (st != SOL_OK && st != SOL_AGAIN) return st;
    sol_watch_beat ("generating");
    return SOL_OK;
  }
  if (busy) return SOL_OK;
  st = try_version (a);
  if (st != SOL_AGAIN) return st;
  if (a->no_more && !a->held) sol_watch_wait ("learner.0", "the end of the run");
  else if (a->held) sol_watch_wait ("broker", "weights of version %lld", (long long) a->want);
  else sol_watch_wait ("broker", "a ticket");
  return SOL_AGAIN;
}

void sol_actor_times (const sol_actor_t *a, sol_times_t *times)
{
  for (int i = 0; i < SOL_PHASE_COUNT; i++) times->s[i] += a->phase[i];
}

int64_t sol_actor_tokens (const sol_actor_t *a) { return sol_decoder_tokens (a->decoder); }

/* as many as find room; AGAIN: none does now */
static sol_status_t put_some (sol_decoder_t *d, const sol_config_t *c, const int32_t *prompt, int64_t *left)
{
  for (uint64_t g = 0; *left > 0; g++) {
    const int32_t n = (int32_t) (*left < c->group ? *left : c->group);
    const sol_status_t st = sol_decoder_put (d, g, g, prompt, (int32_t) c->max_prompt, n, (int32_t) c->max_new);
    if (st != SOL_OK) return st;
    *left -= n;
  }
  return SOL_OK;
}

sol_status_t sol_actor_rehearse (const sol_config_t *c, sol_model_t *model, int64_t responses, void (*first) (void *ctx), void *ctx)
{
  const sol_decoder_params_t dp = decoder_params (c);
  int32_t *prompt = sol_alloc ((size_t) c->max_prompt * sizeof *prompt);
  sol_decoder_t *d = NULL;
  sol_group_out_t out;
  sol_actor_check_t check = { 0 };
  int32_t *ids = sol_alloc ((size_t) c->max_new * sizeof *ids);
  float *lp = sol_alloc ((size_t) c->max_new * sizeof *lp);
  const int64_t n = responses;
  sol_status_t st;
  SOL_GO (sol_decoder_create (model, &dp, &d));
  for (int64_t step = 0; responses > 0 || sol_decoder_running (d) > 0; step++) {
    st = put_some (d, c, prompt, &responses);
    if (st != SOL_OK && st != SOL_AGAIN) goto out;
    SOL_GO (sol_decoder_step (d));
    if (step == 0) first (ctx);
    while (sol_decoder_take (d, &out) == SOL_OK) { }
  }
  SOL_GO (sol_actor_check_open (&check, c, model));
  for (int64_t i = 0; c->lp_check && i < n; i++) SOL_GO (sol_actor_check (&check, c, prompt, (int32_t) c->max_prompt, ids, (int32_t) c->max_new, lp));
out:
  sol_actor_check_close (&check);
  sol_decoder_destroy (d);
  sol_free (prompt), sol_free (ids), sol_free (lp);
  return st;
}
