/* SPDX-License-Identifier: Apache-2.0 */
#include "setup.h"
#include "solera/command.h"
#include "solera/comm.h"
#include "solera/log.h"
#include "train.h"

/* starts MPI, runs, ends MPI: train and sft take the same command line */
static int run (const sol_command_t *command, int argc, char **argv, int (*work) (const sol_train_options_t *))
{
  sol_options_t o;
  sol_status_t st = sol_options_parse (command, argc, argv, &o);
  if (st == SOL_OK && (o.given & SOL_OPTION_RESUME) && (o.given & SOL_OPTION_FORCE))
    st = sol_fail (SOL_ERR_USAGE, "run", "--resume goes on with what is in out, --force throws it away: give one of them");
  int code = sol_exit_code (st);
  if (st == SOL_OK) {
    sol_train_options_t t = { .path = o.n_args ? o.args[0] : NULL, .overrides = o.overrides, .n_overrides = o.n_overrides, .resume = (o.given & SOL_OPTION_RESUME) != 0,
                              .force = (o.given & SOL_OPTION_FORCE) != 0, .role = o.role, .replay = o.value[SOL_OPTION_INDEX_REPLAY], .reuse = o.value[SOL_OPTION_INDEX_REUSE] };
    st = sol_comm_start (&argc, &argv);
    code = st == SOL_OK ? work (&t) : sol_exit_code (st);
    sol_comm_end ();
  }
  sol_options_free (&o);
  return code;
}

static int run_train (int argc, char **argv) { return run (&sol_command_train, argc, argv, sol_train); }
static int run_sft (int argc, char **argv) { return run (&sol_command_sft, argc, argv, sol_sft); }

const sol_command_t sol_command_train = {
  .name = "train", .group = 't', .line = "train by reinforcement learning on stale rollouts", .usage = "[FILE.yaml] [key=value ...]",
  .about = "Ranks take roles: actors generate, brokers age rollouts to the lag asked for, learners train. Start it with mpirun -n N or srun --mpi=pmix, or on one rank with roles=solo. "
           "Writes settings.yaml, status.json, metrics.jsonl, fresh.jsonl, log.txt, checkpoints, token statistics and the final model into out.\n\n"
           "USR1, TERM and Ctrl-C stop it after the current update with a checkpoint (after the current rollout batch with free staleness or a decoupled objective); --resume continues it, in exact mode bit for bit.",
  .options = SOL_OPTION_RESUME | SOL_OPTION_FORCE | SOL_OPTION_REPLAY | SOL_OPTION_REUSE | SOL_OPTION_ROLE, .max_args = 1, .run = run_train };

const sol_command_t sol_command_sft = {
  .name = "sft", .group = 's', .line = "train on a task's demonstrations", .usage = "[FILE.yaml] [key=value ...]",
  .about = "Supervised training: mean negative log-likelihood of the response tokens. Several ranks share the batch. Writes checkpoints, metrics.jsonl and the model folder out/model.",
  .options = SOL_OPTION_RESUME | SOL_OPTION_FORCE, .max_args = 1, .run = run_sft };
