/* SPDX-License-Identifier: Apache-2.0 */
/* learner.c: the order of things. All learners are in the same state at the same time; only waiting for the broker is each one's own. */
#include "learner_internal.h"
#include "solera/hash.h"
#include "solera/stop.h"
#include <stdio.h>
#include <string.h>

/* a frozen reference is loaded again on a resume: it must be the one that the run began with (0: a checkpoint that does not say) */
static sol_status_t check_reference (const sol_learner_t *l, uint64_t then)
{
  const uint64_t now = l->p.reference_digest;
  if (l->rank != 0 || !l->p.reference || then == 0 || then == now) return SOL_OK;
  return sol_fail (SOL_ERR_CHECKSUM, "learner", "%s: expected the reference of the run's start (kl.reference), weights %016llx, found %016llx: %s holds other weights now", l->p.resume_dir,
                   (unsigned long long) then, (unsigned long long) now, l->c->kl_reference == SOL_KL_MODEL ? "kl.model" : "model.path");
}

static sol_status_t load (sol_learner_t *l)
{
  sol_checkpoint_t info;
  SOL_TRY (sol_checkpoint_open (l->p.resume_dir, &info, NULL));
  SOL_TRY (sol_comm_agree (l->p.comm, check_reference (l, (uint64_t) info.counters[3])));
  SOL_TRY (sol_optimizer_load (l->opt, l->p.resume_dir, &info));
  l->update = info.update;
  l->batch = info.update / l->c->ups;
  l->dropped_total = info.counters[0];
  l->lag0_said |= (int) info.counters[1];
  l->skipped_total = info.counters[2];
  return SOL_OK;
}

int32_t sol_learner_cap (const sol_config_t *c)
{
  const int64_t worst = c->prompts / c->ups * (c->max_prompt + c->group * c->max_new);
  return (int32_t) (c->micro_batch_tokens < worst ? c->micro_batch_tokens : worst);
}

sol_status_t sol_learner_need (const sol_config_t *c, const sol_model_t *model, int rank, int size, sol_needs_t *need)
{
  sol_need_t *mem = sol_backend_is_device (sol_model_backend (model)) ? &need->device : &need->host;
  const int32_t cap = sol_learner_cap (c);
  const int64_t tokens = c->max_prompt + c->group * (c->max_new - 1), rows = c->group * c->max_new;
  const uint64_t pass = sol_pass_bytes (model, cap, cap, cap, 1), columns = sol_pass_pinned (model, cap, cap, cap, 1), packer = sol_packer_bytes (cap, cap, cap);
  uint64_t room;
  SOL_TRY (sol_learner_room_bytes (c, &room));
  sol_optimizer_need (model, c->leaves, rank, size, need);
  sol_need_add (mem, SOL_NEED_ACTIVATIONS, pass);
  sol_need_add (&need->host, SOL_NEED_BATCH, room + packer);
  sol_need_pin (&need->host, SOL_NEED_BATCH, columns, sol_backend_is_device (sol_model_backend (model)));
  sol_need_grow (&need->host, (uint64_t) c->prompts * 5 / 4 * sol_rollout_config_bytes (c));
  if (tokens > cap || rows > cap) { /* a group that is longer than a micro-batch goes alone */
    const int32_t t = sol_learner_grown (cap, tokens), r = sol_learner_grown (cap, rows);
    sol_need_grow (mem, sol_pass_bytes (model, t, r, t, 1) - pass);
    sol_need_grow (&need->host, sol_packer_bytes (t, r, t) - packer + sol_pass_pinned (model, t, r, t, 1) - columns);
  }
  return SOL_OK;
}

void sol_learner_reference_need (const sol_config_t *c, const sol_model_t *reference, sol_needs_t *need)
{
  sol_need_t *mem = sol_backend_is_device (sol_model_backend (reference)) ? &need->device : &need->host;
  const int32_t cap = sol_learner_cap (c);
  const int64_t tokens = c->max_prompt + c->group * (c->max_new - 1), rows = c->group * c->max_new;
  const int32_t t = sol_learner_grown (cap, tokens), r = sol_learner_grown (cap, rows);
  const uint64_t pass = sol_pass_bytes (reference, cap, cap, cap, 0), most = sol_pass_bytes (reference, t, r, t, 0),
                 columns = sol_pass_pinned (reference, cap, cap, cap, 0);
  sol_need_add (mem, SOL_NEED_REFERENCE, sol_model_need (reference) + pass);
  sol_need_pin (&need->host, SOL_NEED_REFERENCE, sol_model_pinned (reference) + columns, sol_backend_is_device (sol_model_backend (reference)));
  if (tokens > cap || rows > cap) {
    sol_need_grow (mem, most - pass);
    sol_need_grow (&need->host, sol_pass_pinned (reference, t, r, t, 0) - columns);
  }
}

sol_status_t sol_learner_pass (sol_learner_t *l)
{
  SOL_TRY (sol_packer_create (&l->packer, l->cap_tokens, l->cap_rows, l->cap_tokens));
  if (l->p.reference) SOL_TRY (sol_pass_create (l->p.reference, l->cap_tokens, l->cap_rows, l->cap_tokens, 0, &l->ref_pass));
  return sol_pass_create (l->p.model, l->cap_tokens, l->cap_rows, l->cap_tokens, 1, &l->pass);
}

sol_status_t sol_learner_create (const sol_learner_params_t *params, sol_learner_t **learner_p)
{
  const sol_config_t *c = params->config;
  sol_learner_t *l = sol_alloc (sizeof *l);
  sol_status_t st;
  l->p = *params;
  l->c = c;
  l->rank = sol_comm_rank (params->comm);
  l->size = sol_comm_size (params->comm);
  SOL_ASSERT ((c->kl_reference != SOL_KL_BEHAVIOUR) == (params->reference != NULL));
  l->terms = (sol_terms_t){ .kl = c->kl_term, .kl_ratio = c->kl_ratio, .kl_coef = c->kl_in == SOL_KL_LOSS ? c->kl_coef : 0, .entropy_coef = c->entropy_coef };
  l->weights_of = -1;
  l->lag0_said = params->broker && sol_broker_params (params->broker)->fed; /* versions are those of another run */
  SOL_GO (sol_objective_create_config (c, &l->objective));
  SOL_GO (sol_optimizer_create (params->model, params->comm, c->leaves, params->weights, &l->opt));
  if (params->resume_dir) SOL_GO (load (l));
  st = sol_learner_room (l);
  SOL_GO (sol_comm_agree (params->comm, st));
  l->cap_tokens = sol_learner_cap (c);
  l->cap_rows = l->cap_tokens;
  st = sol_learner_pass (l);
  SOL_GO (sol_comm_agree (params->comm, st));
  st = sol_report_open (l);
  SOL_GO (sol_comm_agree (params->comm, st));
  *learner_p = l;
  return SOL_OK;
out:
  sol_learner_destroy (l);
  return st;
}

void sol_learner_destroy (sol_learner_t *l)
{
  if (!l) return;
  if (l->stats) sol_stats_close (l->stats);
  if (l->metrics) sol_metrics_close (l->metrics);
  if (l->fresh) fclose (l->fresh);
  sol_report_sets_close (l);
  sol_checkpoint_drop (l->writer); /* of a save that failed in the middle */
  sol_pass_destroy (l->pass);
  sol_pass_destroy (l->ref_pass);
  sol_packer_destroy (&l->packer);
  sol_optimizer_destroy (l->opt);
  sol_objective_destroy (l->objective);
  sol_learner_room_free (l);
  sol_free (l);
}

/* a stop that any learner was asked for: one answer for all */
static sol_status_t agree_stop (sol_learner_t *l)
{
  int64_t stop = sol_stop_requested ();
  SOL_TRY (sol_comm_max_i64 (l->p.comm, &stop, 1));
  if (!stop) return SOL_OK;
  l->stop = (int) stop;
  sol_stop_set (l->stop);
  if (l->rank == 0) sol_log (SOL_LOG_INFO, "learner", "%s: stopping after update %lld", sol_stop_name (l->stop), (long long) l->update);
  l->finished = 1;
  l->state = LEARNER_SAVE;
  return SOL_OK;
}

/* the batch is there for every learner, or a stop was asked for */
static sol_status_t start_batch (sol_learner_t *l)
{
  SOL_TRY (agree_stop (l));
  if (l->stop) return SOL_OK;
  if (sol_objective_needs_prox (l->objective)) SOL_TRY (sol_comm_agree (l->p.comm, sol_learner_prox (l)));
  if (l->p.reference) SOL_TRY (sol_learner_reference (l));
  l->state = LEARNER_UPDATE;
  return SOL_OK;
}

/* The next start takes the batch from the checkpoint's queue again and goes on with its next update. Not where the batch would be another one (free mode: it follows arrival) or needs
 * the weights of its start once more. */
static int may_stop_inside (const sol_learner_t *l) { return l->c->stale_mode != SOL_STALE_FREE && !sol_objective_needs_prox (l->objective); }

static sol_status_t make_update (sol_learner_t *l)
{
  int64_t mini = l->update - l->batch * l->c->ups;
  SOL_TRY (sol_learner_make_update (l, mini));
  if (l->rank == 0 && mini + 1 == l->c->ups) sol_optimizer_bring (l->opt); /* to be published, once this update is recorded */
  SOL_TRY (sol_report_update (l, mini));
  sol_watch_beat ("training");
  l->update++;
  if (mini + 1 < l->c->ups) return may_stop_inside (l) ? agree_stop (l) : SOL_OK;
  SOL_TRY (sol_broker_done (l->p.broker, l->batch));
  l->batch++;
  l->state = LEARNER_PUBLISH;
  return SOL_OK;
}

int64_t sol_learner_end (const sol_learner_t *l) { return l->p.record && l->p.record->updates < l->c->updates ? l->p.record->updates : l->c->updates; }

/* what is about to be published has a hash for the statistics, and the record's is the same */
static sol_status_t note_weights (sol_learner_t *l, const void *block)
{
  const sol_record_t *r = l->p.record;
  const int64_t step = l->update / l->c->ups;
  if ((!l->stats && !r) || l->weights_of == l->update) return SOL_OK;
  l->weights = sol_hash (block, sol_model_bytes (l->p.model));
  l->weights_of = l->update;
  if (!r || step >= r->n_weights || r->weights[step] == 0 || r->weights[step] == l->weights) return SOL_OK;
  return sol_fail (SOL_ERR_CHECKSUM, "learner", "update %lld: the record begins it with weights xxh3 %016llx, replay made %016llx", (long long) l->update, (unsigned long long) r->weights[step],
                   (unsigned long long) l->weights);
}

static sol_status_t publish (sol_learner_t *l)
{
  const int64_t end = sol_learner_end (l);
  double t0 = sol_clock_s ();
  if (l->rank == 0 && l->update % l->c->ups == 0) { /* else resumed inside a batch: no rollout is due from such weights */
    const void *block;
    sol_status_t st = sol_optimizer_block (l->opt, &block);
    if (st == SOL_OK) st = note_weights (l, block);
    if (st == SOL_OK) st = sol_broker_publish (l->p.broker, l->update, block);
    l->phase[SOL_PHASE_PUBLISH] += sol_clock_s () - t0;
    if (st == SOL_AGAIN) sol_watch_wait ("actors", "version %lld to be fetched", (long long) (l->update - 2 * l->c->ups));
    if (st != SOL_OK) return st;
    if (l->state == LEARNER_PUBLISH) SOL_TRY (sol_broker_check (l->p.broker));
  }
  if (l->state == LEARNER_START) l->state = l->update >= end ? LEARNER_TRIALS : LEARNER_WAIT;
  else if (l->update >= end) l->state = LEARNER_FRESH;
  else l->state = l->c->ckpt_every > 0 && l->update % l->c->ckpt_every == 0 ? LEARNER_SAVE : LEARNER_WAIT;
  return SOL_OK;
}

/* rollouts of the last version are generated too: their reward is the run's result */
static sol_status_t wait_fresh (sol_learner_t *l)
{
  l->finished = 1;
  if (l->rank == 0 && sol_broker_params (l->p.broker)->mode == SOL_STALE_EXACT && l->fresh_next <= sol_learner_end (l) && !sol_stop_requested ()) {
    sol_watch_wait ("actors", "rollouts of version %lld", (long long) l->fresh_next);
    return SOL_AGAIN;
  }
  l->state = LEARNER_SAVE;
  return SOL_OK;
}

static sol_status_t finish (sol_learner_t *l)
{
  SOL_TRY (sol_comm_barrier (l->p.comm));
  SOL_TRY (sol_report_close (l));
  if (l->c->export_model && !l->stop) SOL_TRY (sol_save_export (l));
  if (l->rank == 0) SOL_TRY (sol_broker_goodbye (l->p.broker));
  return SOL_END;
}

/* the next batch. Time counts as waiting until the broker has it: solo, until this rank's other roles have made it. */
static sol_status_t wait_batch (sol_learner_t *l)
{
  const double now = sol_clock_s ();
  sol_status_t st;
  l->wait_s += now - l->waits_from;
  l->waits_from = now;
  st = sol_learner_take (l);
  /* a stop need not wait for the batch: the launcher signals all ranks, so all learners come here or have the batch, and agree */
  if (st == SOL_AGAIN && sol_stop_requested ()) return start_batch (l);
  if (st == SOL_AGAIN) sol_watch_wait ("broker", "batch %lld", (long long) l->batch);
  return st == SOL_OK ? start_batch (l) : st;
}

static sol_status_t step (sol_learner_t *l)
{
  sol_status_t st;
  SOL_TRY (sol_report_fresh (l));
  SOL_TRY (sol_report_trials (l));
  switch (l->state) {
    case LEARNER_START:
    case LEARNER_PUBLISH: return publish (l);
    case LEARNER_WAIT: return wait_batch (l);
    case LEARNER_UPDATE: return make_update (l);
    case LEARNER_FRESH: return wait_fresh (l);
    case LEARNER_SAVE:
      l->state = LEARNER_SAVE_QUEUE;
      return sol_save_begin (l);
    case LEARNER_SAVE_QUEUE:
      st = sol_save_queue (l);
      if (st == SOL_AGAIN) sol_watch_wait ("broker", "its queue in the checkpoint");
      if (st == SOL_OK) l->state = LEARNER_SAVE_COMMIT;
      return st;
    case LEARNER_SAVE_COMMIT:
      SOL_TRY (sol_save_commit (l));
      l->state = !l->finished ? LEARNER_WAIT : l->stop || sol_stop_requested () ? LEARNER_END : LEARNER_REST;
      return SOL_OK;
    case LEARNER_REST:
      st = sol_report_rest (l);
      if (st == SOL_AGAIN) sol_watch_wait ("broker", "batch %lld, which stays untrained", (long long) l->batch);
      if (st == SOL_OK) l->state = LEARNER_TRIALS;
      return st;
    case LEARNER_TRIALS:
      if (l->next_trial <= l->update && !sol_stop_requested ()) {
        sol_watch_wait ("actors", "evaluation of version %lld", (long long) l->next_trial);
        return SOL_AGAIN;
      }
      if (l->rank == 0 && l->c->ckpt_best != SOL_BEST_NONE && !sol_stop_requested ()) SOL_TRY (sol_checkpoint_prune (l->p.run_dir, l->saved, (int) l->c->ckpt_keep));
      l->state = LEARNER_END;
      return SOL_OK;
    case LEARNER_END: return finish (l);
  }
  return SOL_END;
}

sol_status_t sol_learner_step (sol_learner_t *l)
{
  const int waits = l->state == LEARNER_WAIT;
  const sol_status_t st = step (l);
  if (!waits && l->state == LEARNER_WAIT) l->waits_from = sol_clock_s ();
  return st;
}

int64_t sol_learner_update (const sol_learner_t *l) { return l->update; }
int sol_learner_stopped (const sol_learner_t *l) { return l->stop; }
const char *sol_learner_checkpoint (const sol_learner_t *l) { return l->checkpoint; }
void sol_learner_times (const sol_learner_t *l, sol_times_t *times)
{
  for (int i = 0; i < SOL_PHASE_COUNT; i++) times->s[i] += l->phase[i];
}
