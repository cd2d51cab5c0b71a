/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"
#include "solera/command.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/objective.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const sol_command_t sol_command_plan;
enum { MOST = 64, DEVICES = 1024 };

/* "8,16,32" */
static sol_status_t read_list (const char *text, int *list, int *n_p)
{
  *n_p = 0;
  for (const char *at = text;; at++) {
    char *end;
    const long x = strtol (at, &end, 10);
    if (end == at || x < 2 || x > DEVICES || *n_p == MOST || (*end && *end != ','))
      return sol_fail (SOL_ERR_USAGE, "plan", "--gpus: expected up to %d numbers from 2 to %d, as in 8,16,32, found '%.60s'", MOST, DEVICES, text);
    list[(*n_p)++] = (int) x;
    if (!*end) return SOL_OK;
    at = end;
  }
}

static sol_status_t print (const sol_planner_t *p, const sol_plan_t *plan, int n, const sol_options_t *o)
{
  sol_buffer_t b = { 0 };
  sol_status_t st = SOL_OK;
  if (o->given & SOL_OPTION_JSON) sol_plan_json (p, plan, n, &b);
  else sol_plan_text (p, plan, n, n > 1, &b);
  if (fwrite (b.data, 1, b.bytes, stdout) != b.bytes || fflush (stdout) != 0) st = sol_fail (SOL_ERR_IO, "plan", "cannot write to standard output");
  sol_buffer_free (&b);
  return st;
}

/* *lacks_p: some plan does not fit */
static sol_status_t make (const sol_config_t *c, const sol_options_t *o, int *lacks_p)
{
  sol_accelerator_t device;
  sol_planner_t p;
  int list[MOST], n = 0;
  sol_status_t st = SOL_OK;
  if (o->gpus) SOL_TRY (read_list (o->gpus, list, &n));
  if (o->device) SOL_TRY (sol_accelerator_load (o->device, &device));
  SOL_TRY (sol_planner_create (c, o->device ? &device : NULL, &p));
  p.file = o->n_args ? o->args[0] : NULL;
  p.overrides = o->overrides;
  p.n_overrides = o->n_overrides;
  sol_plan_t *plan = sol_alloc ((size_t) (n ? n : 1) * sizeof *plan);
  if (n == 0) st = sol_plan_settings (&p, plan);
  for (int i = 0; i < n && st == SOL_OK; i++) st = sol_plan_devices (&p, list[i], &plan[i]);
  if (st == SOL_OK) st = print (&p, plan, n ? n : 1, o);
  for (int i = 0; i < (n ? n : 1); i++) *lacks_p |= plan[i].fit != SOL_PLAN_FITS;
  sol_free (plan);
  sol_planner_destroy (&p);
  return st;
}

static int run (int argc, char **argv)
{
  sol_options_t o;
  sol_config_t *c = NULL;
  int lacks = 0;
  sol_status_t st = sol_options_parse (&sol_command_plan, argc, argv, &o);
  if (st == SOL_OK) {
    st = sol_config_load (o.n_args ? o.args[0] : NULL, o.overrides, o.n_overrides, "plan", &c);
    if (st == SOL_OK) st = sol_objective_resolve (c);
    if (st == SOL_OK) st = make (c, &o, &lacks);
  }
  sol_config_destroy (c);
  sol_options_free (&o);
  const int code = sol_exit_code (st);
  return st == SOL_OK ? lacks : code == 1 ? 2 : code; /* 1 says that something does not fit */
}

const sol_command_t sol_command_plan = {
  .name = "plan", .group = 't', .line = "what a run needs of memory and time, on paper", .usage = "[FILE.yaml] [key=value ...] [--device DEVICE] [--gpus LIST] [--json]",
  .about = "Takes the settings of train and prints what each rank would take of memory, to the byte: asked of the same code that lays the memory out in a run. Of model.path only config.json is read. "
           "The ranks are those of the settings, or --gpus N: the split of N devices into actors and learners that fits and is fastest. Several numbers give a table.\n\n"
           "With --device (a100, h100, h200, or a YAML file of its rates: docs/scale.md) also the time of a batch: decoder, passes and optimizer go through a device that adds up operations and bytes instead "
           "of computing, and each part is printed with its operations or bytes and the rate. Groups are taken to have full length. Without --device: memory on the backend of the settings.\n\n"
           "For one division also the lines that start it so, by mpirun (Open MPI) or srun: learners fill the hosts first, actors follow, brokers go round.\n\n"
           "Exit status 1 when something does not fit; what is missing is said in bytes.",
  .options = SOL_OPTION_DEVICE | SOL_OPTION_GPUS | SOL_OPTION_JSON, .max_args = 1, .run = run };
