/* SPDX-License-Identifier: Apache-2.0 */
#include "rescore.h"
#include "solera/command.h"
#include "solera/log.h"
#include <errno.h>
#include <stdlib.h>

extern const sol_command_t sol_command_rescore;

/* the number of an option; what it has when it is not given stays */
static sol_status_t number (const sol_options_t *o, int index, const char *name, int64_t most, int64_t *x)
{
  const char *text = o->value[index];
  char *end;
  if (!text) return SOL_OK;
  errno = 0;
  const long long v = strtoll (text, &end, 10);
  if (end == text || *end || errno || v < 0 || v > most) return sol_fail (SOL_ERR_USAGE, "rescore", "%s: expected a whole number from 0 to %lld, found '%s'", name, (long long) most, text);
  *x = v;
  return SOL_OK;
}

static sol_status_t take (const sol_options_t *o, sol_rescore_options_t *r)
{
  int64_t tokens = 0;
  *r = (sol_rescore_options_t){ .run = o->args[0], .objectives = o->value[SOL_OPTION_INDEX_OBJECTIVE], .against = o->value[SOL_OPTION_INDEX_AGAINST], .hdf5 = o->value[SOL_OPTION_INDEX_HDF5], .json = (o->given & SOL_OPTION_JSON) != 0, .to = -1 };
  SOL_TRY (number (o, SOL_OPTION_INDEX_FROM, "--from", INT32_MAX, &r->from));
  SOL_TRY (number (o, SOL_OPTION_INDEX_TO, "--to", INT32_MAX, &r->to));
  SOL_TRY (number (o, SOL_OPTION_INDEX_TOKENS, "--tokens", 1000000, &tokens));
  r->tokens = (int) tokens;
  if (r->against && tokens == 0) return sol_fail (SOL_ERR_USAGE, "rescore", "--against says what --tokens compares with: give --tokens N too");
  return SOL_OK;
}

static int run (int argc, char **argv)
{
  sol_options_t o;
  sol_rescore_options_t r;
  sol_status_t st = sol_options_parse (&sol_command_rescore, argc, argv, &o);
  if (st == SOL_OK) {
    st = take (&o, &r);
    if (st == SOL_OK) st = sol_comm_start (&argc, &argv);
    if (st == SOL_OK) st = sol_rescore (&r, sol_comm_world ());
    if (st == SOL_STOPPED) st = SOL_ERR_IO; /* less than was asked for */
    sol_comm_end ();
  }
  sol_options_free (&o);
  return sol_exit_code (st);
}

const sol_command_t sol_command_rescore = {
  .name = "rescore",
  .line = "what other objectives would have done with a run's tokens",
  .usage = "RUN [--objective NAME[:param=value...],...] [--tokens N [--against RULE]]",
  .about = "Reads the token statistics of a run's folder and puts the tokens of every update through other objectives: what each would have clipped and masked, the weight that it keeps, its effective "
           "sample size, entropy and lag of what it marks, the gradient weight of good and bad responses, and the tokens on which two of them differ. By update, and in sum.\n\n"
           "Update 0 is exact. Later updates are conditional on this run's own course: a run with another objective would have come to other tokens.\n\n"
           "The names and parameters are those of solera help objectives, as in --objective grpo,m2po:tau=0.02,dppo_tv; a parameter that is not given has the objective's default (max_length: the run's "
           "rollout.max_tokens). The run's own objective with its own settings, self, is always the first, and must give the recorded verdicts again, byte for byte; where it does not, that is an error.\n\n"
           "mpirun -n N shares the updates over N ranks; the output has the same bytes. Ctrl-C ends it with the sums so far and exit status 1. docs/rescore.md says what the figures mean.",
  .options = SOL_OPTION_OBJECTIVE | SOL_OPTION_FROM | SOL_OPTION_TO | SOL_OPTION_TOKENS | SOL_OPTION_AGAINST | SOL_OPTION_JSON | SOL_OPTION_HDF5,
  .min_args = 1,
  .max_args = 1,
  .run = run
};
