/* SPDX-License-Identifier: Apache-2.0 */
#include "info.h"
#include "solera/command.h"
#include "solera/comm.h"
#include "solera/log.h"
#include <stdio.h>
#include <string.h>

extern const sol_command_t sol_command_info;

static sol_status_t write_facts (const cJSON *facts, int json)
{
  sol_buffer_t b = { 0 };
  sol_status_t st = SOL_OK;
  if (json) {
    char *text = cJSON_Print (facts);
    if (text) sol_buffer_printf (&b, "%s\n", text);
    cJSON_free (text);
  } else sol_info_text (facts, &b);
  if (fwrite (b.data ? b.data : "", 1, b.bytes, stdout) != b.bytes || fflush (stdout) != 0) st = sol_fail (SOL_ERR_IO, "info", "cannot write to standard output");
  sol_buffer_free (&b);
  return st;
}

/* MPI starts only where it is asked about: a path needs none */
static sol_status_t collect (const sol_options_t *o, int *argc, char ***argv, cJSON *facts)
{
  if (o->n_args) return sol_info_path (o->args[0], facts);
  sol_info_environment (facts);
  SOL_TRY (sol_comm_start (argc, argv));
  return sol_info_build (facts);
}

static int run (int argc, char **argv)
{
  sol_options_t o;
  cJSON *facts = cJSON_CreateObject ();
  sol_status_t st = sol_options_parse (&sol_command_info, argc, argv, &o);
  if (st == SOL_OK) {
    st = collect (&o, &argc, &argv, facts);
    if (st == SOL_OK && sol_comm_rank (sol_comm_world ()) == 0) st = write_facts (facts, (o.given & SOL_OPTION_JSON) != 0);
    sol_comm_end ();
  }
  cJSON_Delete (facts);
  sol_options_free (&o);
  return sol_exit_code (st);
}

const sol_command_t sol_command_info = { .name = "info",
                                         .line = "what this program, or a run, checkpoint, model or file is",
                                         .usage = "[PATH] [--json]",
                                         .about = "Without PATH: version, compiler, libraries, MPI and the transports it may choose, CPU, backends and why one cannot run.\n\n"
                                                  "With PATH: describes a run folder, a checkpoint, a model folder, a statistics file or evals.h5. A run's newest whole checkpoint is checked wholly; "
                                                  "the line \"weights: step N xxh3 HASH\" is a digest of all its weights, equal for equal weights whatever the number of ranks. A model's weights must fit its config.json, as far as their headers tell. Of a model also its parameters, RoPE, and the bytes that one learner (training) and one actor (decoding) take with the default settings; solera plan says it for others.",
                                         .options = SOL_OPTION_JSON,
                                         .max_args = 1,
                                         .run = run };
