/* SPDX-License-Identifier: Apache-2.0 */
/* the commands that compute with a model: generate, score, eval */
#include "generate.h"
#include "solera/comm.h"
#include "solera/command.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <string.h>

extern const sol_command_t sol_command_generate, sol_command_score, sol_command_eval;

/* MODEL [FILE.yaml]; the settings of the command's group */
static sol_status_t begin (const sol_command_t *command, int argc, char **argv, sol_options_t *o, sol_config_t **config)
{
  *config = NULL;
  SOL_TRY (sol_options_parse (command, argc, argv, o));
  return sol_config_load (o->n_args > 1 ? o->args[1] : NULL, o->overrides, o->n_overrides, command->name, config);
}

static int finish (sol_status_t st, int code, sol_options_t *o, sol_config_t *config)
{
  sol_config_destroy (config);
  sol_options_free (o);
  return st == SOL_OK ? code : sol_exit_code (st);
}

static int run_generate (int argc, char **argv)
{
  sol_options_t o;
  sol_config_t *c;
  sol_status_t st = begin (&sol_command_generate, argc, argv, &o, &c);
  return finish (st, st == SOL_OK ? sol_generate (o.args[0], c, stdin, stdout) : 0, &o, c);
}

static int run_score (int argc, char **argv)
{
  sol_options_t o;
  sol_config_t *c;
  sol_status_t st = begin (&sol_command_score, argc, argv, &o, &c);
  return finish (st, st == SOL_OK ? sol_score (o.args[0], c, stdin, stdout) : 0, &o, c);
}

/* the out of a job's YAML file is the folder of its training, not ours */
static int rows_wanted (const sol_options_t *o)
{
  for (int i = 0; i < o->n_overrides; i++)
    if (strncmp (o->overrides[i], "out=", 4) == 0) return 1;
  return 0;
}

/* nothing in it is overwritten without --force, and then only the rows; it is made when the model has been loaded */
static sol_status_t eval_folder (const char *out, int force)
{
  if (!force && !sol_dir_is_empty (out)) return sol_fail (SOL_ERR_USAGE, "eval", "%s exists: overwrite its rows with --force, or choose another out=FOLDER", out);
  return SOL_OK;
}

static int run_eval (int argc, char **argv)
{
  sol_options_t o;
  sol_config_t *c;
  sol_status_t st = begin (&sol_command_eval, argc, argv, &o, &c);
  int code = 0;
  if (st == SOL_OK && (st = sol_comm_start (&argc, &argv)) == SOL_OK) {
    char *rows = rows_wanted (&o) && c->out[0] ? sol_path_join (c->out, "rows.jsonl") : NULL;
    if (rows && sol_comm_rank (sol_comm_world ()) == 0) st = eval_folder (c->out, (o.given & SOL_OPTION_FORCE) != 0);
    st = sol_comm_agree (sol_comm_world (), st);
    if (st == SOL_OK) code = sol_evaluate (o.args[0], c, rows, (o.given & SOL_OPTION_JSON) != 0);
    sol_free (rows);
    sol_comm_end ();
  }
  return finish (st, code, &o, c);
}

const sol_command_t sol_command_generate = {
  .name = "generate", .group = 'g', .line = "responses to prompts, JSON lines in and out", .usage = "MODEL [FILE.yaml] [key=value ...] <rows >rows",
  .about = "Each input line is {\"prompt\": text} or {\"problem\": text}, the latter put into the model's chat format. Each output line is {\"responses\": [{\"text\", \"ids\", \"finish\", \"logprobs\", \"entropies\"}]}, "
           "in the order of the input. A bad row gives {\"error\": ...} in its place and exit status 1 at the end. Row n is generated with the randomness of (seed, n).",
  .min_args = 1, .max_args = 2, .run = run_generate };

const sol_command_t sol_command_score = {
  .name = "score", .group = 'c', .line = "log-probs and entropies of given ids", .usage = "MODEL [FILE.yaml] [key=value ...] <rows >rows",
  .about = "Each input line is {\"ids\": [...]}; each output line is {\"logprobs\": [...], \"entropies\": [...]}: for n ids n - 1 values each, value i of the distribution that predicts ids[i+1], in nats. "
           "A bad row gives {\"error\": ...} in its place and exit status 1 at the end.",
  .min_args = 1, .max_args = 2, .run = run_score };

const sol_command_t sol_command_eval = {
  .name = "eval", .group = 'e', .line = "pass rate of a model on a task's prompts", .usage = "MODEL [FILE.yaml] [key=value ...]",
  .about = "Prompts of task.split, rollout.samples responses each; several ranks share them. Prints avg@n and pass@n (n: rollout.samples) with 95 % intervals by bootstrap over problems. With out=FOLDER on the command line every prompt and response goes to FOLDER/rows.jsonl, and the figures with the counts of every problem are appended to FOLDER/evals.h5.",
  .options = SOL_OPTION_JSON | SOL_OPTION_FORCE, .min_args = 1, .max_args = 2, .run = run_eval };
