/* SPDX-License-Identifier: Apache-2.0 */
/* evaluate.c: `solera eval`: data sets in turn, the problems of each spread over the ranks. */
#include "evaluate.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/stop.h"
#include <stdio.h>
#include <string.h>

#define ROOM "eval"

/* ---- set-up: rank 0 first, so that what is wrong is said once */

static int out_given (const sol_evaluate_options_t *o)
{
  for (int i = 0; i < o->n_overrides; i++)
    if (!strncmp (o->overrides[i], "out=", 4)) return 1;
  return 0; /* the out of a job's YAML file is the folder of its training */
}

static sol_status_t plan (sol_evaluate_run_t *r)
{
  sol_status_t st = SOL_OK;
  int64_t n = 0;
  if (r->rank == 0) {
    st = sol_evaluate_sets (r->o, &r->set, &r->n_sets);
    if (st == SOL_OK) st = sol_evaluate_find (r->o->model, r->o->best, &r->from);
    n = r->n_sets;
  }
  SOL_TRY (sol_comm_agree (r->world, st));
  SOL_TRY (sol_comm_bcast (r->world, &n, sizeof n, 0));
  r->n_sets = (int) n;
  if (r->rank > 0) r->set = sol_alloc ((size_t) n * sizeof *r->set);
  r->config = sol_alloc ((size_t) n * sizeof *r->config);
  SOL_TRY (sol_comm_bcast (r->world, r->set, (size_t) n * sizeof *r->set, 0));
  return sol_comm_bcast (r->world, &r->from, sizeof r->from, 0);
}

/* of a run without a YAML file its own settings are what the command line changes */
static sol_status_t read_settings (sol_evaluate_run_t *r)
{
  char *own = r->from.run[0] && !r->o->file ? sol_path_join (r->from.run, "settings.yaml") : NULL;
  sol_status_t st = SOL_OK;
  for (int i = 0; i < r->n_sets && st == SOL_OK; i++) {
    sol_evaluate_set_t *s = &r->set[i];
    if (s->missing) continue;
    st = sol_evaluate_config (r->o, r->world, own ? own : r->o->file, s, &r->config[i]);
    if (st == SOL_OK && !s->path[0]) {
      sol_buffer_t asks = { 0 };
      sol_task_asks (r->config[i], &asks);
      snprintf (s->name, sizeof s->name, "%s", asks.data);
      sol_buffer_free (&asks);
      for (char *p = s->name; *p; p++)
        if (*p == '/') *p = '_'; /* it becomes a file's name */
    }
  }
  sol_free (own);
  return st;
}

static const sol_config_t *any_config (const sol_evaluate_run_t *r)
{
  int i = 0;
  while (!r->config[i]) i++;
  return r->config[i];
}

/* before a model is loaded, which may take long */
static sol_status_t check_out (const sol_evaluate_run_t *r)
{
  if (r->o->resume && r->o->force) return sol_fail (SOL_ERR_USAGE, ROOM, "--resume goes on with what is in out, --force throws it away: give one of them");
  if (r->o->resume && !r->out) return sol_fail (SOL_ERR_USAGE, ROOM, "--resume needs the folder to go on in: out=FOLDER");
  return r->out ? sol_evaluate_may (r->out, r->o) : SOL_OK;
}

/* tokenizer and sizes, with which all data sets are looked through */
static sol_status_t set_up (sol_evaluate_run_t *r)
{
  sol_status_t st = SOL_OK;
  if (r->rank == 0) {
    st = check_out (r);
    if (st == SOL_OK) st = sol_evaluate_setup (&r->from, any_config (r), &r->setup, &r->run_config);
    for (int i = 0; i < r->n_sets && st == SOL_OK; i++) st = sol_evaluate_check (r, i);
  }
  SOL_TRY (sol_comm_agree (r->world, st));
  if (r->rank > 0) st = sol_evaluate_setup (&r->from, any_config (r), &r->setup, &r->run_config);
  return sol_comm_agree (r->world, st);
}

static sol_status_t load_model (sol_evaluate_run_t *r)
{
  if (r->out && r->rank == 0) r->setup.digest = &r->weights;
  SOL_TRY (sol_setup_device (r->world, any_config (r), 1, 0));
  return sol_comm_agree (r->world, sol_setup_model (any_config (r), &r->setup, &r->backend, &r->model));
}

static sol_status_t open_folder (sol_evaluate_run_t *r)
{
  const sol_evaluate_origin_t origin = { .o = r->o, .model = &r->from, .weights = r->weights, .n = r->n_sets, .set = r->set, .config = r->config };
  return sol_comm_agree (r->world, r->out && r->rank == 0 ? sol_evaluate_folder (r->out, &origin) : SOL_OK);
}

static sol_status_t run (sol_evaluate_run_t *r)
{
  sol_status_t st = SOL_OK;
  SOL_TRY (plan (r));
  SOL_TRY (read_settings (r));
  r->out = out_given (r->o) && any_config (r)->out[0] ? any_config (r)->out : NULL;
  SOL_TRY (set_up (r));
  SOL_TRY (load_model (r));
  SOL_TRY (open_folder (r));
  r->table = (sol_evaluate_table_t) { .o = r->o, .set = r->set, .n = r->n_sets, .model = r->o->model, .version = r->from.version };
  const sol_evals_row_t row = sol_evaluate_conditions (r, any_config (r));
  SOL_TRY (sol_comm_agree (r->world, r->rank == 0 ? sol_evaluate_print_head (&r->table, &row) : SOL_OK));
  for (int i = 0; i < r->n_sets; i++) SOL_TRY (sol_evaluate_ask (r, i));
  if (r->rank == 0) st = sol_evaluate_print_mean (&r->table);
  return sol_comm_agree (r->world, st);
}

sol_status_t sol_evaluate (const sol_evaluate_options_t *o, sol_comm_t *world)
{
  sol_evaluate_run_t r = { .o = o, .world = world, .rank = sol_comm_rank (world) };
  sol_stop_install ();
  const sol_status_t st = run (&r);
  sol_model_destroy (r.model);
  if (r.backend) sol_backend_destroy (r.backend);
  sol_setup_destroy (&r.setup);
  for (int i = 0; r.config && i < r.n_sets; i++) sol_config_destroy (r.config[i]);
  sol_config_destroy (r.run_config);
  sol_free (r.config);
  sol_free (r.set);
  return st;
}
