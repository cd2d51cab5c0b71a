/* SPDX-License-Identifier: Apache-2.0 */
/* the commands that are filters with a model: generate, score */
#include "generate.h"
#include "solera/command.h"

extern const sol_command_t sol_command_generate, sol_command_score;

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
