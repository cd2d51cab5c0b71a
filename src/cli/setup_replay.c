/* SPDX-License-Identifier: Apache-2.0 */
/* setup_replay.c: runs whose groups are prescribed: by staleness.trace, or by another run's record. */
#include "setup.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/stats_read.h"
#include <string.h>

sol_status_t sol_setup_schedule (const sol_config_t *c, sol_setup_t *s)
{
  sol_trace_t trace;
  if (!*c->stale_trace) return SOL_OK;
  SOL_TRY (sol_trace_parse (c, &trace));
  const sol_status_t st = sol_trace_schedule (&trace, c, &s->trace);
  s->schedule = s->trace;
  sol_trace_free (&trace);
  return st;
}

sol_status_t sol_setup_trace (sol_comm_t *world, const sol_config_t *c, sol_setup_t *s)
{
  sol_status_t st = SOL_OK;
  if (sol_comm_rank (world) == 0) st = sol_setup_schedule (c, s); /* first: one error is enough */
  SOL_TRY (sol_comm_agree (world, st));
  if (sol_comm_rank (world) != 0) st = sol_setup_schedule (c, s);
  return sol_comm_agree (world, st);
}

static sol_status_t compare (sol_conflict_t kind, const char *option, const char *run_dir, const char *settings, const sol_config_t *now)
{
  sol_config_t *old;
  sol_buffer_t a = { 0 }, b = { 0 };
  sol_status_t st = SOL_OK;
  SOL_TRY (sol_config_parse (settings, strlen (settings), run_dir, NULL, &old));
  const char *bad = sol_config_conflict (kind, old, now);
  if (bad) {
    sol_config_value (old, sol_setting_find (bad), &a);
    sol_config_value (now, sol_setting_find (bad), &b);
    st = sol_fail (SOL_ERR_USAGE, "replay", "%s: the run has %s: %s, now %s was asked for; with %s this setting must be the same", run_dir, bad, a.data ? a.data : "", b.data ? b.data : "", option);
  }
  sol_buffer_free (&a);
  sol_buffer_free (&b);
  sol_config_destroy (old);
  return st;
}

static void say_token (const sol_tokenizer_t *t, int32_t id, sol_buffer_t *out)
{
  size_t n;
  const char *bytes = sol_tokenizer_bytes (t, id, &n);
  sol_buffer_clear (out);
  if (bytes) sol_buffer_json (out, bytes, n);
  else sol_buffer_printf (out, "no token");
}

/* The ids of the record mean what the run's tokenizer says, which its folder holds; now: that of this run's model, NULL where the task has none. */
static sol_status_t same_tokens (const sol_config_t *c, const char *run_dir, const sol_tokenizer_t *now)
{
  char *whole = sol_path_join (run_dir, "tokenizer.json"), *parts = sol_path_join (run_dir, "vocab.json");
  const int there = sol_file_exists (whole) || sol_file_exists (parts);
  sol_tokenizer_t *was = NULL;
  sol_buffer_t a = { 0 }, b = { 0 };
  sol_status_t st = SOL_OK;
  if (!now) goto out;
  if (!there) {
    sol_log (SOL_LOG_WARN, "replay", "%s has no tokenizer.json: whether its token ids mean the same as those of %s cannot be told", run_dir, c->model_path);
    goto out;
  }
  SOL_GO (sol_tokenizer_load (run_dir, &was));
  const int32_t id = sol_tokenizer_differ (was, now);
  if (id < 0) goto out;
  say_token (was, id, &a);
  say_token (now, id, &b);
  st = sol_fail (SOL_ERR_USAGE, "replay", "the rollouts of %s are of a vocabulary of %d tokens, the model %s has another one, of %d: token %d is %.80s there, %.80s here; choose a model with the run's tokenizer", run_dir,
                 sol_tokenizer_size (was), c->model_path, sol_tokenizer_size (now), id, a.data, b.data);
out:
  sol_buffer_free (&a);
  sol_buffer_free (&b);
  sol_tokenizer_destroy (was);
  sol_free (whole);
  sol_free (parts);
  return st;
}

static sol_status_t load (sol_conflict_t kind, const sol_config_t *c, const char *run_dir, const sol_tokenizer_t *tokenizer, sol_record_t **record_p)
{
  const int replay = kind == SOL_CONFLICT_REPLAY;
  sol_stats_reader_t *reader;
  sol_record_t *r = NULL;
  sol_status_t st;
  SOL_TRY (sol_stats_reader_open (run_dir, &reader));
  if (sol_path_inside (run_dir, c->out)) SOL_GO (sol_fail (SOL_ERR_USAGE, "replay", "out is %s, where the run that is read lies (%s): choose another folder", c->out, run_dir));
  SOL_GO (compare (kind, replay ? "--replay" : "--reuse-rollouts", run_dir, sol_stats_reader_settings (reader), c));
  SOL_GO (same_tokens (c, run_dir, tokenizer));
  SOL_GO (sol_record_load (reader, c, &r));
  if (!replay && r->updates / c->ups < c->updates / c->ups)
    SOL_GO (sol_fail (SOL_ERR_USAGE, "replay", "train.updates is %lld, but %s has the rollouts of %lld updates in whole batches", (long long) c->updates, run_dir, (long long) (r->updates / c->ups * c->ups)));
  if (!replay && c->lp_check && !sol_stats_reader_has (reader, SOL_STATS_READ_CHECK, 0, r->updates - 1))
    SOL_GO (sol_fail (SOL_ERR_USAGE, "replay", "lp_check.record is true, but %s was made without: the log-probs of a second pass need the weights that generated, which are not recorded", run_dir));
  if (!replay && r->refused >= 0)
    SOL_GO (sol_fail (SOL_ERR_UNSUPPORTED, "replay", "%s: update %lld refused responses (objective.on_refused), whose tokens are not recorded", run_dir, (long long) r->refused));
  if (replay && r->in_flight)
    SOL_GO (sol_fail (SOL_ERR_UNSUPPORTED, "replay", "%s: responses went on under newer weights (staleness.in_flight): when keys and values of a response were computed is not recorded, so they cannot be generated again; --reuse-rollouts trains on them as they are", run_dir));
  *record_p = r;
  r = NULL;
out:
  sol_record_destroy (r);
  sol_stats_reader_close (reader);
  return st;
}

static sol_status_t share (sol_conflict_t kind, sol_comm_t *world, const sol_config_t *c, const char *run_dir, sol_setup_t *s)
{
  sol_record_t *r = NULL;
  sol_status_t st = SOL_OK;
  if (sol_comm_rank (world) == 0) st = load (kind, c, run_dir, s->tokenizer, &r);
  SOL_TRY (sol_comm_agree (world, st));
  st = sol_record_share (world, &r);
  if (st != SOL_OK) {
    if (sol_comm_rank (world) == 0) sol_record_destroy (r);
    return st;
  }
  s->record = r;
  s->schedule = r->schedule;
  return SOL_OK;
}

sol_status_t sol_setup_replay (sol_comm_t *world, const sol_config_t *c, const char *run_dir, sol_setup_t *s) { return share (SOL_CONFLICT_REPLAY, world, c, run_dir, s); }

sol_status_t sol_setup_reuse (sol_comm_t *world, const sol_config_t *c, const sol_roles_t *roles, const char *run_dir, sol_setup_t *s)
{
  if (c->eval_every > 0 && roles->n_actors == 0)
    return sol_comm_rank (world) > 0 ? SOL_ERR_USAGE : sol_fail (SOL_ERR_USAGE, "replay", "eval.every is %lld, but no rank is an actor, who would evaluate: start one rank more", (long long) c->eval_every);
  SOL_TRY (share (SOL_CONFLICT_REUSE, world, c, run_dir, s));
  s->reuse = run_dir;
  return SOL_OK;
}
