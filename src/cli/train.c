/* SPDX-License-Identifier: Apache-2.0 */
/* train.c: `solera train`: makes the objects of this rank's role and turns their steps until the run is over. */
#include "info.h"
#include "setup.h"
#include "solera/actor.h"
#include "solera/broker.h"
#include "solera/checkpoint.h"
#include "solera/clock.h"
#include "solera/file.h"
#include "solera/learner.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/objective.h"
#include "solera/reuse.h"
#include "solera/safetensors.h"
#include "solera/stats.h"
#include "solera/stop.h"
#include "solera/trial.h"
#include "solera/watch.h"
#include "train.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  sol_config_t *config;
  sol_comm_t *world;
  sol_roles_t *roles;
  sol_setup_t setup;
  sol_backend_t *backend;
  sol_model_t *actor_model, *learner_model, *reference;
  sol_broker_t *broker;
  sol_actor_t *actor;
  sol_learner_t *learner;
  sol_reuse_t *reuse;
  char *resume_dir, *hosts;
  sol_buffer_t settings, memory; /* memory: lines for the log */
  double begin_s, wait_s;
  int64_t first_trial;
} train_t;

static const sol_config_t *watched; /* for the watchdog's thread */

/* The watchdog of any rank ends the job: the outcome is told here, because the learner may be the one that is stuck. What was said before (done, failed) stays. */
static void abort_job (void)
{
  sol_status_failed (watched->out, "watchdog: nobody made progress, or a rank is stopped or dead; continue with --resume", -1, watched->updates, "");
  sol_comm_abort (SOL_WATCH_EXIT);
}

static sol_status_t check_need (train_t *t)
{
  const sol_role_t role = t->roles->role;
  sol_needs_t need = { 0 };
  sol_model_t *model = NULL;
  sol_status_t st = SOL_OK;
  SOL_TRY (sol_setup_device (t->world, t->config, role != SOL_ROLE_BROKER, role == SOL_ROLE_LEARNER || role == SOL_ROLE_SOLO));
  if (role != SOL_ROLE_BROKER) st = sol_setup_backend (t->config, &t->backend);
  st = sol_setup_same_backend (t->world, st, t->backend, role == SOL_ROLE_LEARNER);
  if (st == SOL_OK && (role == SOL_ROLE_SOLO || (role == SOL_ROLE_LEARNER && t->roles->index == 0))) st = sol_setup_learners (t->backend, t->config->leaves, t->roles->n_learners);
  if (st == SOL_OK && t->backend) model = sol_model_measure (t->backend, &t->setup.arch, t->setup.dtype);
  if (st == SOL_OK) st = sol_setup_need (t->config, &t->setup, t->roles, role, t->roles->index, model, &need);
  sol_model_destroy (model);
  SOL_TRY (sol_comm_agree (t->world, st));
  return sol_setup_memory (t->world, sol_role_name (role), &need, &t->memory);
}

static sol_status_t open_broker (train_t *t)
{
  const sol_broker_params_t p = sol_setup_broker (t->config, &t->setup, t->roles);
  sol_checkpoint_t info = { .update = -1 };
  sol_status_t st = SOL_OK;
  SOL_TRY (sol_broker_open (&p, &t->broker));
  if (t->resume_dir) {
    if (sol_comm_rank (t->world) == 0) st = sol_checkpoint_open (t->resume_dir, &info, NULL);
    SOL_TRY (sol_comm_agree (t->world, st));
    SOL_TRY (sol_comm_bcast (t->world, &info, sizeof info, 0));
    SOL_TRY (sol_broker_load (t->broker, t->resume_dir, info.update));
  }
  if (sol_comm_rank (t->world) == 0) st = sol_trial_begin (t->config, info.update, &t->first_trial);
  SOL_TRY (sol_comm_agree (t->world, st));
  return sol_comm_bcast (t->world, &t->first_trial, sizeof t->first_trial, 0);
}

static sol_status_t create_learner (train_t *t)
{
  sol_learner_params_t p = { .config = t->config, .broker = t->broker, .comm = t->roles->learners, .run_dir = t->config->out, .model_dir = t->setup.model_dir,
                             .settings = t->settings.data, .hosts = t->hosts, .resume_dir = t->resume_dir, .record = t->setup.reuse ? NULL : t->setup.record, .first_trial = t->first_trial };
  float *w = NULL;
  sol_status_t st = SOL_OK;
  if (t->config->kl_reference != SOL_KL_BEHAVIOUR) st = sol_setup_reference (t->config, &t->setup, t->backend, sol_comm_rank (p.comm) == 0 ? &p.reference_digest : NULL, &t->reference); /* first: its float32 weights are gone before the others come */
  if (st == SOL_OK && !t->resume_dir) st = sol_setup_weights (t->config, &t->setup, &w);
  if (st == SOL_OK) st = sol_model_create (t->backend, &t->setup.arch, t->setup.dtype, &t->learner_model);
  st = sol_comm_agree (p.comm, st);
  p.model = t->learner_model;
  p.reference = t->reference;
  p.weights = w;
  if (st == SOL_OK) st = sol_learner_create (&p, &t->learner);
  sol_free (w);
  return st;
}

static sol_status_t create_roles (train_t *t)
{
  sol_role_t role = t->roles->role;
  sol_status_t st = SOL_OK;
  if (role == SOL_ROLE_LEARNER || role == SOL_ROLE_SOLO) st = create_learner (t);
  if (st == SOL_OK && t->setup.reuse && (role == SOL_ROLE_BROKER || role == SOL_ROLE_SOLO)) st = sol_reuse_open (t->setup.reuse, t->config, t->setup.record, &t->reuse);
  if (st == SOL_OK && (role == SOL_ROLE_ACTOR || role == SOL_ROLE_SOLO)) {
    sol_actor_params_t p = { .config = t->config, .task = t->setup.task, .broker = t->broker, .record = t->setup.record, .index = role == SOL_ROLE_SOLO ? 0 : t->roles->index, .n_actors = t->roles->n_actors,
                             .first_trial = t->first_trial };
    st = sol_model_create (t->backend, &t->setup.arch, t->setup.dtype, &t->actor_model);
    p.model = t->actor_model;
    if (st == SOL_OK) st = sol_actor_create (&p, &t->actor);
  }
  return st;
}

static sol_status_t feed_one (void *ctx, const void *record, size_t bytes) { return sol_broker_feed (((train_t *) ctx)->broker, record, bytes); }

/* --reuse-rollouts: the broker's next batches from the record */
static sol_status_t feed (train_t *t)
{
  sol_status_t st;
  int64_t batch;
  while ((st = sol_broker_hungry (t->broker, &batch)) == SOL_OK) {
    SOL_TRY (sol_reuse_batch (t->reuse, batch, feed_one, t));
    sol_broker_fed (t->broker);
    sol_watch_beat ("reading");
  }
  return st == SOL_END || st == SOL_AGAIN ? SOL_OK : st;
}

/* one role's turn; idle time is counted as waiting */
static sol_status_t turn (train_t *t)
{
  sol_status_t a, b, l;
  switch (t->roles->role) {
    case SOL_ROLE_ACTOR: return sol_actor_step (t->actor);
    case SOL_ROLE_LEARNER: return sol_learner_step (t->learner);
    case SOL_ROLE_BROKER:
      if (t->reuse) SOL_TRY (feed (t));
      return sol_broker_step (t->broker);
    case SOL_ROLE_SOLO: break;
  }
  l = sol_learner_step (t->learner);
  if (l != SOL_OK && l != SOL_AGAIN) return l;
  if (t->reuse) SOL_TRY (feed (t));
  do { /* a learner's step is a whole update, an actor's one token: generate all that may be generated before the next update */
    a = sol_actor_step (t->actor);
    if (a != SOL_OK && a != SOL_AGAIN && a != SOL_END) return a;
    b = sol_broker_step (t->broker);
    if (b != SOL_OK && b != SOL_AGAIN) return b;
  } while (a == SOL_OK && !sol_stop_requested ());
  return l == SOL_OK || a == SOL_OK || b == SOL_OK ? SOL_OK : SOL_AGAIN;
}

static sol_status_t loop (train_t *t)
{
  unsigned idle = 0;
  double idle_from = 0;
  for (;;) {
    sol_status_t st = turn (t);
    if (st == SOL_END) return SOL_OK;
    if (st == SOL_AGAIN) {
      if (idle == 0) idle_from = sol_clock_s ();
      sol_clock_idle (&idle);
      if (t->roles->role == SOL_ROLE_BROKER) sol_watch_wait ("actors and learners", "anything to do");
      continue;
    }
    if (st != SOL_OK) return st;
    if (idle > 0) t->wait_s += sol_clock_s () - idle_from;
    if (t->roles->role == SOL_ROLE_BROKER) sol_watch_beat ("serving");
    idle = 0;
  }
}

/* who was busy with what, over all ranks */
static sol_status_t print_times (train_t *t)
{
  int size = sol_comm_size (t->world);
  sol_times_t mine = { .total_s = sol_clock_s () - t->begin_s }, *all = sol_alloc ((size_t) size * sizeof *all);
  sol_buffer_t text = { 0 };
  sol_status_t st;
  snprintf (mine.role, sizeof mine.role, "%s", sol_role_name (t->roles->role));
  mine.index = t->roles->index;
  if (t->actor) sol_actor_times (t->actor, &mine);
  if (t->learner) sol_learner_times (t->learner, &mine);
  mine.s[SOL_PHASE_WAIT] += t->wait_s;
  if (t->roles->role == SOL_ROLE_BROKER) mine.s[SOL_PHASE_BROKER] = mine.total_s - t->wait_s;
  SOL_GO (sol_comm_allgather (t->world, &mine, sizeof mine, all));
  if (sol_comm_rank (t->world) == 0) {
    sol_times_table (all, size, &text);
    fputs (text.data ? text.data : "", stdout);
    fflush (stdout);
  }
out:
  sol_buffer_free (&text);
  sol_free (all);
  return st;
}

/* every response of full length, those included that are generated at the end and never trained */
static double expected_bytes (const sol_config_t *c, const sol_roles_t *r)
{
  sol_objective_t *o = NULL;
  const int prox = sol_objective_create_config (c, &o) == SOL_OK && sol_objective_needs_prox (o), raw = (float) c->temperature != 1.0f;
  const int64_t steps = c->updates / c->ups, more = c->stale_mode == SOL_STALE_EXACT && !*c->stale_trace ? c->stale_k / c->ups + 1 : 0;
  const sol_stats_size_t size = { .n_tokens = steps * c->prompts * c->group * c->max_new, .n_sequences = (steps + more) * c->prompts * c->group,
                                  .n_prompt_tokens = (steps + more) * c->prompts * c->max_prompt, .n_updates = c->updates, .chunk = c->stats_chunk, .n_learners = r->n_learners,
                                  .n_optional = prox + raw + (c->kl_reference != SOL_KL_BEHAVIOUR) + c->lp_check };
  sol_objective_destroy (o);
  return sol_stats_bytes (&size);
}

/* Exact lags: what is due from a version of the run is generated, so that --resume can make the run longer. With lags above the run's length that is more than what is trained, of one version. */
static void warn_surplus (const train_t *t)
{
  const sol_config_t *c = t->config;
  const int64_t trained = c->updates / c->ups * c->prompts, all = t->setup.trace ? t->setup.trace->n_claims : ((c->updates + c->stale_k) / c->ups + 1) * c->prompts;
  if (c->stale_mode != SOL_STALE_EXACT || t->setup.record || all - trained <= trained + c->prompts) return;
  char most[80];
  if (t->setup.trace) snprintf (most, sizeof most, "lags of staleness.trace are too long for it");
  else snprintf (most, sizeof most, "with staleness.k %lld all of it is trained on version 0, as with %lld", (long long) c->stale_k, (long long) (c->updates - c->ups));
  sol_log (SOL_LOG_WARN, "run", "the run has %lld updates, and %s: %lld groups (%lld responses) are generated, of which %lld are trained and %lld wait for a longer run (--resume with a larger train.updates)", (long long) c->updates, most,
           (long long) all, (long long) (all * c->group), (long long) trained, (long long) (all - trained));
}

static void say_start (const train_t *t)
{
  const sol_config_t *c = t->config;
  const sol_roles_t *r = t->roles;
  if (r->role == SOL_ROLE_SOLO) sol_log (SOL_LOG_INFO, "run", "solo: one rank is actor, broker and learner in turn");
  else sol_log (SOL_LOG_INFO, "run", "%d actors, %d brokers, %d learners", r->n_actors, r->n_brokers, r->n_learners);
  char lag[32];
  snprintf (lag, sizeof lag, "%lld", (long long) c->stale_k);
  sol_log (SOL_LOG_INFO, "run", "model of %lld weights; %lld updates, %s staleness %s; writing %s", (long long) t->setup.table->elements, (long long) c->updates,
           c->stale_mode == SOL_STALE_EXACT ? "exact" : c->stale_mode == SOL_STALE_BOUNDED ? "bounded" : "free", *c->stale_trace ? c->stale_trace : lag, c->out);
  if (t->setup.reuse) sol_log (SOL_LOG_INFO, "run", "nothing is generated: the rollouts are those of %s", t->setup.reuse);
  else if (t->setup.record) sol_log (SOL_LOG_INFO, "run", "replay of %lld updates, as recorded: %lld groups", (long long) t->setup.record->updates, (long long) t->setup.record->schedule->n);
  else warn_surplus (t);
  sol_setup_say (&t->memory);
  if (c->stats) sol_log (SOL_LOG_INFO, "run", "token statistics: at most %.3g MB before compression", expected_bytes (c, r) / 1e6);
}

/* settings.yaml says what a run was made from */
static sol_status_t make_folder (train_t *t, const sol_train_options_t *o)
{
  sol_buffer_t origin = { 0 };
  if (o->replay || o->reuse) sol_buffer_printf (&origin, "%s: %s", o->replay ? "replay of" : "on the rollouts of", o->replay ? o->replay : o->reuse);
  const sol_status_t st = sol_setup_folder (t->world, t->config, &t->setup, o->resume, o->force, origin.data, &t->resume_dir);
  sol_buffer_free (&origin);
  return st;
}

static sol_status_t run (train_t *t, const sol_train_options_t *o, const char **state_p)
{
  sol_role_t role;
  sol_status_t st = SOL_OK;
  SOL_TRY (sol_setup_config (t->world, o->path, o->overrides, o->n_overrides, "train", &t->config));
  if (o->replay && o->reuse) return sol_comm_rank (t->world) > 0 ? SOL_ERR_USAGE : sol_fail (SOL_ERR_USAGE, "run", "--replay generates the recorded groups again, --reuse-rollouts trains on them as they are: give one");
  SOL_TRY ((o->reuse ? sol_roles_create_idle : sol_roles_create) (t->config, o->role, t->world, &t->roles));
  role = t->roles->role;
  sol_log_who (sol_role_name (role), role == SOL_ROLE_SOLO ? -1 : t->roles->index);
  /* before the folder: a start that cannot be leaves nothing behind. Rank 0 first: it knows where a setting stands, and one error is enough */
  if (sol_comm_rank (t->world) == 0) st = sol_objective_resolve (t->config);
  SOL_TRY (sol_comm_agree (t->world, st));
  if (sol_comm_rank (t->world) != 0) st = sol_objective_resolve (t->config);
  SOL_TRY (sol_comm_agree (t->world, st));
  st = sol_setup_create (t->config, NULL, 1, &t->setup);
  SOL_TRY (sol_comm_agree (t->world, st));
  if (o->replay) SOL_TRY (sol_setup_replay (t->world, t->config, o->replay, &t->setup));
  else if (o->reuse) SOL_TRY (sol_setup_reuse (t->world, t->config, t->roles, o->reuse, &t->setup));
  else SOL_TRY (sol_setup_trace (t->world, t->config, &t->setup));
  SOL_TRY (sol_setup_check (t->world, t->config, &t->setup, !sol_setup_resumes (t->config, o->resume)));
  if (t->config->eval_every > 0) {
    char why[64];
    snprintf (why, sizeof why, "eval.every is %lld", (long long) t->config->eval_every);
    SOL_TRY (sol_setup_held_out (t->world, t->config, &t->setup, why));
  }
  SOL_TRY (check_need (t));
  SOL_TRY (make_folder (t, o));
  *state_p = "running";
  if (sol_comm_rank (t->world) == 0) SOL_TRY (sol_status_write (t->config->out, "running", "", 0, t->config->updates, ""));
  sol_config_text (t->config, &t->settings);
  SOL_TRY (sol_setup_hosts (t->world, &t->hosts));
  if (sol_comm_rank (t->world) == 0) {
    say_start (t);
    if (t->setup.model_dir) SOL_TRY (sol_model_carry (t->setup.model_dir, t->config->out));
  }
  {
    char *watch = sol_path_join (t->config->out, "watch");
    watched = t->config;
    st = sol_watch_start (watch, sol_comm_rank (t->world), sol_comm_size (t->world), t->config->watchdog_s, abort_job);
    sol_free (watch);
    SOL_TRY (sol_comm_agree (t->world, st));
  }
  SOL_TRY (open_broker (t));
  st = create_roles (t);
  SOL_TRY (sol_comm_agree (t->world, st));
  t->begin_s = sol_clock_s ();
  return loop (t);
}

static void destroy (train_t *t)
{
  sol_actor_destroy (t->actor);
  sol_learner_destroy (t->learner);
  sol_reuse_close (t->reuse);
  sol_broker_close (t->broker);
  sol_model_destroy (t->actor_model);
  sol_model_destroy (t->learner_model);
  sol_model_destroy (t->reference);
  if (t->backend) sol_backend_destroy (t->backend);
  sol_setup_destroy (&t->setup);
  sol_roles_destroy (t->roles);
  sol_buffer_free (&t->settings);
  sol_buffer_free (&t->memory);
  sol_free (t->hosts);
  sol_free (t->resume_dir);
  sol_config_destroy (t->config);
}

static void say_lags (const train_t *t)
{
  cJSON *facts = cJSON_CreateObject ();
  sol_buffer_t text = { 0 };
  if (sol_info_lags (t->config->out, facts) == SOL_OK) sol_lags_text (facts, &text);
  if (text.bytes) sol_log (SOL_LOG_INFO, "run", "lags in updates, share of the trained tokens: %s", text.data);
  sol_buffer_free (&text);
  cJSON_Delete (facts);
}

/* the outcome, by the learner that wrote the last checkpoint */
static void write_outcome (const train_t *t)
{
  const sol_learner_t *l = t->learner;
  int stop = sol_learner_stopped (l);
  char reason[64] = "all updates are made";
  if (stop) snprintf (reason, sizeof reason, "%s", sol_stop_name (stop));
  else if (sol_learner_update (l) < t->config->updates) stop = snprintf (reason, sizeof reason, "the record ends here");
  sol_status_write (t->config->out, stop ? "stopped" : "done", reason, sol_learner_update (l), t->config->updates, sol_learner_checkpoint (l));
  say_lags (t);
  sol_log (SOL_LOG_INFO, "run", "%s (%s) after update %lld: %s", stop ? "stopped" : "done", reason, (long long) sol_learner_update (l), t->config->out);
}

/* an error on one rank ends the job: the others wait for this one in collectives */
static void fail (train_t *t, sol_status_t st, int in_folder)
{
  if (in_folder) {
    sol_status_failed (t->config->out, sol_status_string (st), t->learner ? sol_learner_update (t->learner) : -1, t->config->updates, t->learner ? sol_learner_checkpoint (t->learner) : "");
    sol_log (SOL_LOG_ERROR, "run", "%s ends: %s; continue with --resume", sol_log_name (), sol_status_string (st));
  }
  sol_watch_trip ();
  if (sol_comm_size (t->world) > 1) sol_comm_abort (st == SOL_ERR_USAGE ? 2 : 1);
}

int sol_train (const sol_train_options_t *o)
{
  train_t t = { .world = sol_comm_world () };
  const char *state = NULL;
  sol_status_t st;
  sol_stop_install ();
  st = run (&t, o, &state);
  if (st != SOL_OK) fail (&t, st, state != NULL);
  else {
    if (t.learner && sol_comm_rank (t.roles->learners) == 0) write_outcome (&t);
    st = print_times (&t);
  }
  sol_watch_end ();
  destroy (&t);
  if (sol_stats_broken ()) {
    fflush (NULL);
    _exit (1);
  }
  return st == SOL_OK ? 0 : st == SOL_ERR_USAGE ? 2 : 1;
}
