/* SPDX-License-Identifier: Apache-2.0 */
/* sft.c: `solera sft`: supervised training on a task's demonstrations; leaves OUT/model, checkpoints and metrics.jsonl. */
#include "solera/sft.h"
#include "setup.h"
#include "solera/actor.h"
#include "solera/checkpoint.h"
#include "solera/clock.h"
#include "solera/eval.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/metrics.h"
#include "solera/safetensors.h"
#include "solera/stop.h"
#include "train.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  sol_config_t *config;
  sol_comm_t *world;
  int in_folder;
  sol_setup_t setup;
  sol_backend_t *backend;
  sol_model_t *model;
  sol_sft_t *sft;
  char *resume_dir;
  sol_buffer_t settings, memory; /* memory: lines for the log */
  FILE *metrics;
  int stopped;
} sft_t;

static int is_root (const sft_t *t) { return sol_comm_rank (t->world) == 0; }

/* one line of metrics.jsonl, on the disk's side when it returns OK */
static sol_status_t put_line (sft_t *t, const sol_buffer_t *line)
{
  if (fwrite (line->data, line->bytes, 1, t->metrics) == 1 && fflush (t->metrics) == 0) return SOL_OK;
  return sol_fail (SOL_ERR_IO, "sft", "%s/metrics.jsonl: writing failed: %s", t->config->out, strerror (errno));
}

static sol_status_t put_pass_rate (sft_t *t, const sol_eval_t *e, int greedy)
{
  const long long u = (long long) sol_sft_update (t->sft), prompts = (long long) e->prompts;
  const double rate = (double) e->correct / (double) e->responses;
  sol_buffer_t line = { 0 };
  sol_log (SOL_LOG_INFO, "sft", "update %lld: pass rate %.3f (%s, %lld prompts)", u, rate, greedy ? "greedy" : "T=1", prompts);
  sol_buffer_printf (&line, "{\"update\":%lld,\"pass_rate\":%.6f,\"greedy\":%s,\"prompts\":%lld}\n", u, rate, greedy ? "true" : "false", prompts);
  const sol_status_t st = put_line (t, &line);
  sol_buffer_free (&line);
  return st;
}

/* pass rate at temperature 1 and greedy, held-out prompts where there are any */
static sol_status_t measure (sft_t *t)
{
  sol_config_t c = *t->config; /* a copy of the struct: strings stay the original's */
  for (int greedy = 0; greedy < 2; greedy++) {
    sol_eval_params_t p = { .model = t->model, .task = t->setup.task, .config = &c, .comm = t->world, .split = c.task_holdout > 0 ? SOL_SPLIT_HELDOUT : SOL_SPLIT_ALL,
                            .prompts = c.eval_prompts, .samples = 1 };
    sol_eval_t e;
    sol_status_t st;
    c.greedy = greedy;
    c.temperature = 1;
    st = sol_eval_run (&p, &e);
    if (st == SOL_STOPPED) return SOL_OK;
    SOL_TRY (st);
    if (is_root (t)) SOL_TRY (put_pass_rate (t, &e, greedy));
  }
  return SOL_OK;
}

static sol_status_t report (sft_t *t, double loss, double norm, double *last)
{
  int64_t u = sol_sft_update (t->sft);
  double now = sol_clock_s ();
  int tty = sol_log_is_terminal (STDOUT_FILENO), end = u == t->config->updates;
  sol_buffer_t line = { 0 };
  sol_status_t st;
  if (!is_root (t)) return SOL_OK;
  sol_buffer_printf (&line, "{\"update\":%lld,\"loss\":%.9g,\"grad_norm\":%.9g,\"lr\":%.9g,\"time_s\":%.3f}\n", (long long) u - 1, loss, norm, sol_config_lr (t->config, u - 1), now);
  st = put_line (t, &line);
  sol_buffer_free (&line);
  if (st != SOL_OK || (!end && now - *last < (tty ? 0.5 : t->config->log_every_s))) return st;
  *last = now;
  printf (tty && !end ? "\rupdate %6lld of %lld  loss %.4f  gradient norm %.3f " : tty ? "\rupdate %6lld of %lld  loss %.4f  gradient norm %.3f \n" : "update %6lld of %lld  loss %.4f  gradient norm %.3f\n",
          (long long) u, (long long) t->config->updates, loss, norm);
  fflush (stdout); /* a closed terminal must not stop a run: not checked */
  return SOL_OK;
}

static int is_measured (const sol_config_t *c, int64_t u) { return u > 0 && u < c->updates && c->eval_every > 0 && u % c->eval_every == 0; }

static sol_status_t loop (sft_t *t)
{
  const sol_config_t *c = t->config;
  double loss, norm, last = 0;
  if (t->resume_dir && is_measured (c, sol_sft_update (t->sft))) SOL_TRY (measure (t)); /* it comes after the checkpoint, and its lines were cut: see open_metrics */
  for (;;) {
    int64_t stop = sol_stop_requested (), u;
    sol_status_t st;
    SOL_TRY (sol_comm_max_i64 (t->world, &stop, 1));
    if (stop) {
      t->stopped = (int) stop;
      return sol_sft_save (t->sft);
    }
    st = sol_sft_step (t->sft, &loss, &norm);
    if (st == SOL_END) break;
    SOL_TRY (st);
    SOL_TRY (report (t, loss, norm, &last));
    u = sol_sft_update (t->sft);
    if (u < c->updates && c->ckpt_every > 0 && u % c->ckpt_every == 0) SOL_TRY (sol_sft_save (t->sft));
    if (is_measured (c, u)) SOL_TRY (measure (t));
  }
  SOL_TRY (sol_sft_save (t->sft));
  return measure (t);
}

static sol_status_t export_model (sft_t *t)
{
  float *master;
  sol_status_t st = SOL_OK;
  SOL_TRY (sol_sft_master (t->sft, &master));
  if (is_root (t)) {
    char *dir = sol_path_join (t->config->out, "model");
    st = sol_model_save (dir, &t->setup.arch, t->setup.table, master, t->setup.dtype, 0, t->setup.model_dir);
    if (st == SOL_OK) sol_log (SOL_LOG_INFO, "sft", "model folder written: %s", dir);
    sol_free (dir);
  }
  sol_free (master);
  return sol_comm_agree (t->world, st);
}

/* Going on at update u keeps the lines below u: losses up to u - 1 and the pass rates before u, in the order of writing. Pass rates at u are measured again, because
 * the checkpoint comes first and a kill may have left none, one or both of them. */
static sol_status_t open_metrics (sft_t *t)
{
  char *path = sol_path_join (t->config->out, "metrics.jsonl");
  sol_status_t st = SOL_OK;
  if (t->resume_dir) SOL_GO (sol_metrics_cut (path, sol_sft_update (t->sft)));
  t->metrics = fopen (path, t->resume_dir ? "ae" : "we");
  if (!t->metrics) st = sol_fail (SOL_ERR_IO, "sft", "%s: opening failed: %s", path, strerror (errno));
out:
  sol_free (path);
  return st;
}

/* training and the evaluation beside it */
static sol_status_t check_need (sft_t *t)
{
  sol_needs_t need = { 0 };
  sol_status_t st;
  SOL_TRY (sol_setup_device (t->world, t->config, 1, 1));
  st = sol_setup_backend (t->config, &t->backend);
  st = sol_setup_same_backend (t->world, st, t->backend, 1);
  if (st == SOL_OK && is_root (t)) st = sol_setup_learners (t->backend, t->config->leaves, sol_comm_size (t->world));
  if (st == SOL_OK) {
    sol_model_t *model = sol_model_measure (t->backend, &t->setup.arch, t->setup.dtype);
    sol_need_add (&need.device, SOL_NEED_LIBRARY, sol_backend_workspace (t->backend));
    sol_sft_need (t->config, model, sol_comm_rank (t->world), sol_comm_size (t->world), &need);
    st = sol_decoding_need (t->config, model, &need);
    sol_model_destroy (model);
  }
  SOL_TRY (sol_comm_agree (t->world, st));
  return sol_setup_memory (t->world, "sft", &need, &t->memory);
}

static sol_status_t run (sft_t *t, const sol_train_options_t *o)
{
  sol_sft_params_t p = { .comm = t->world };
  float *w = NULL;
  sol_status_t st = SOL_OK;
  SOL_TRY (sol_setup_config (t->world, o->path, o->overrides, o->n_overrides, "sft", &t->config));
  st = sol_setup_create (t->config, NULL, 1, &t->setup); /* before the folder: a start that cannot be leaves nothing behind */
  SOL_TRY (sol_comm_agree (t->world, st));
  SOL_TRY (sol_setup_check (t->world, t->config, &t->setup, !sol_setup_resumes (t->config, o->resume)));
  if (t->config->task_holdout > 0) SOL_TRY (sol_setup_held_out (t->world, t->config, &t->setup, "sft measures pass rates on questions that are held out"));
  SOL_TRY (check_need (t));
  SOL_TRY (sol_setup_folder (t->world, t->config, &t->setup, o->resume, o->force, NULL, &t->resume_dir));
  t->in_folder = 1;
  sol_config_text (t->config, &t->settings);
  if (is_root (t)) st = sol_status_write (t->config->out, "running", "", 0, t->config->updates, "");
  if (st == SOL_OK) st = sol_model_create (t->backend, &t->setup.arch, t->setup.dtype, &t->model);
  if (st == SOL_OK && !t->resume_dir) st = sol_setup_weights (t->config, &t->setup, &w);
  SOL_GO (sol_comm_agree (t->world, st));
  p.config = t->config;
  p.model = t->model;
  p.task = t->setup.task;
  p.resume_dir = t->resume_dir;
  p.weights = w;
  p.settings = t->settings.data;
  SOL_GO (sol_sft_create (&p, &t->sft));
  if (is_root (t)) st = open_metrics (t);
  SOL_GO (sol_comm_agree (t->world, st));
  sol_free (w);
  w = NULL;
  sol_setup_say (&t->memory);
  if (is_root (t)) sol_log (SOL_LOG_INFO, "sft", "model of %lld weights, %lld updates of %lld demonstrations; writing %s", (long long) t->setup.table->elements,
                            (long long) t->config->updates, (long long) t->config->sft_batch, t->config->out);
  SOL_GO (loop (t));
  if (!t->stopped && t->config->export_model) SOL_GO (export_model (t));
out:
  sol_free (w);
  return st;
}

/* The outcome. Any rank that fails tells it, not rank 0 alone: it ends the job, and rank 0 may wait for it in a collective. */
static void write_outcome (sft_t *t, sol_status_t st)
{
  char last[32] = "";
  int64_t u = t->sft ? sol_sft_update (t->sft) : 0;
  if (!t->in_folder || (st == SOL_OK && !is_root (t))) return;
  if (st == SOL_OK) snprintf (last, sizeof last, "u%08lld", (long long) u);
  else sol_log (SOL_LOG_ERROR, "sft", "rank %d ends: %s; continue with --resume", sol_comm_rank (t->world), sol_status_string (st));
  if (st != SOL_OK) sol_status_failed (t->config->out, sol_status_string (st), u, t->config->updates, last);
  else sol_status_write (t->config->out, t->stopped ? "stopped" : "done", t->stopped ? sol_stop_name (t->stopped) : "all updates are made", u, t->config->updates, last);
}

int sol_sft (const sol_train_options_t *o)
{
  sft_t t = { .world = sol_comm_world () };
  sol_status_t st;
  sol_stop_install ();
  st = run (&t, o);
  if (t.metrics && fclose (t.metrics) && st == SOL_OK) st = sol_fail (SOL_ERR_IO, "sft", "%s/metrics.jsonl: closing failed: %s", t.config->out, strerror (errno));
  write_outcome (&t, st);
  if (st != SOL_OK && sol_comm_size (t.world) > 1) sol_comm_abort (st == SOL_ERR_USAGE ? 2 : 1);
  sol_sft_destroy (t.sft);
  sol_model_destroy (t.model);
  if (t.backend) sol_backend_destroy (t.backend);
  sol_setup_destroy (&t.setup);
  sol_buffer_free (&t.settings);
  sol_buffer_free (&t.memory);
  sol_free (t.resume_dir);
  sol_config_destroy (t.config);
  return st == SOL_OK ? 0 : st == SOL_ERR_USAGE ? 2 : 1;
}
