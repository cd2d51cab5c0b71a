/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate.h"
#include "solera/command.h"
#include "solera/log.h"
#include <errno.h>
#include <stdlib.h>

extern const sol_command_t sol_command_eval;

static sol_status_t take_count (const char *option, const char *text, long long most, int64_t *count_p)
{
  char *end;
  if (!text) return SOL_OK;
  errno = 0;
  const long long v = strtoll (text, &end, 10);
  if (end == text || *end || errno || v < 1 || v > most) return sol_fail (SOL_ERR_USAGE, "eval", "%s: expected a whole number from 1 to %lld, found '%s'", option, most, text);
  *count_p = v;
  return SOL_OK;
}

static int run (int argc, char **argv)
{
  sol_options_t o;
  sol_status_t st = sol_options_parse (&sol_command_eval, argc, argv, &o);
  if (st == SOL_OK) {
    sol_evaluate_options_t e = { .model = o.args[0], .file = o.n_args > 1 ? o.args[1] : NULL, .overrides = o.overrides, .n_overrides = o.n_overrides, .data = o.value[SOL_OPTION_INDEX_DATA],
                                 .preset = o.value[SOL_OPTION_INDEX_PRESET], .best = (o.given & SOL_OPTION_BEST) != 0, .skip_missing = (o.given & SOL_OPTION_SKIP_MISSING) != 0,
                                 .resume = (o.given & SOL_OPTION_RESUME) != 0, .force = (o.given & SOL_OPTION_FORCE) != 0, .json = (o.given & SOL_OPTION_JSON) != 0 };
    st = take_count ("--first", o.value[SOL_OPTION_INDEX_FIRST], 10000000, &e.first);
    if (st == SOL_OK) st = take_count ("--pass", o.value[SOL_OPTION_INDEX_PASS], 4096, &e.pass);
    if (st == SOL_OK) st = sol_comm_start (&argc, &argv);
    if (st == SOL_OK) st = sol_evaluate (&e, sol_comm_world ());
    if (st == SOL_STOPPED) st = SOL_ERR_IO; /* less than was asked for */
    sol_comm_end ();
  }
  sol_options_free (&o);
  return sol_exit_code (st);
}

const sol_command_t sol_command_eval = {
  .name = "eval",
  .group = 'e',
  .line = "pass rates of a model on problems",
  .usage = "MODEL [FILE.yaml] [--data NAME,...] [key=value ...]",
  .about = "MODEL is a model folder, a run's folder (its newest checkpoint, or --best) or a checkpoint; of a run and without FILE.yaml the run's settings are the defaults. Asks the prompts of the task and task.split, or with "
           "--data all problems of these data sets in the order of their files, rollout.samples responses each, and prints avg@n and pass@k (n: rollout.samples; k: n, or --pass) with 95 % intervals by bootstrap over problems. Several ranks share "
           "the problems; the output has the same bytes.\n\n"
           "A NAME with a slash in it or .jsonl at its end is a file; any other is looked for as NAME.jsonl in $SOLERA_DATA, in the installed data and in jobs/data of the source tree. --preset m2po asks the eight benchmarks "
           "of the M2PO paper by its protocol, or those of --data.\n\n"
           "With out=FOLDER on the command line every response goes to FOLDER/responses.NAME.jsonl, and the figures with the counts of every problem are appended to FOLDER/evals.h5; without it, and where MODEL is a run or one "
           "of its checkpoints, to the run's evals.h5. What is answered is kept as it comes: after Ctrl-C, TERM or a kill the same command with --resume goes on. docs/evaluation.md says what the figures mean.",
  .options = SOL_OPTION_DATA | SOL_OPTION_FIRST | SOL_OPTION_PASS | SOL_OPTION_PRESET | SOL_OPTION_SKIP_MISSING | SOL_OPTION_BEST | SOL_OPTION_RESUME | SOL_OPTION_FORCE | SOL_OPTION_JSON,
  .min_args = 1,
  .max_args = 2,
  .run = run
};
