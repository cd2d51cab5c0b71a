/* SPDX-License-Identifier: Apache-2.0 */
/* setup.h: what several commands do before their work: the run's folder, the task, the model's sizes, the backend, the start weights. */
#ifndef SOL_SETUP_H
#define SOL_SETUP_H
#include "solera/broker.h"
#include "solera/checkpoint.h"
#include "solera/comm.h"
#include "solera/model.h"
#include "solera/need.h"
#include "solera/record.h"
#include "solera/task.h"

/* Collective over world: rank 0 loads and checks the settings, all get the same. */
sol_status_t sol_setup_config (sol_comm_t *world, const char *path, char *const *overrides, int n, const char *command, sol_config_t **config_p);
typedef struct sol_setup sol_setup_t;
/* Collective: makes config->out (an existing one needs resume or force), writes settings.yaml, opens the log. *resume_dir_p: the newest whole checkpoint when resume is asked for and there is one, else NULL
 * (sol_free). origin: what else the run is made from, a line for settings.yaml, or NULL. Refuses settings and problems that differ from the run's and may not. */
sol_status_t sol_setup_folder (sol_comm_t *world, const sol_config_t *config, const sol_setup_t *setup, int resume, int force, const char *origin, char **resume_dir_p);
/* local: this process alone may write the run or evaluation in out, until it ends */
sol_status_t sol_setup_lock (const char *out);
/* local: the queue files of a checkpoint are whole (sol_checkpoint_check_t) */
sol_status_t sol_setup_queue (const char *dir, const sol_checkpoint_t *info);
/* hosts of all ranks, one line; collective; sol_free */
sol_status_t sol_setup_hosts (sol_comm_t *world, char **hosts_p);

/* task, sizes, backend and model for a training role or a filter; model_dir overrides model.path when given. What is not wanted is NULL. */
struct sol_setup {
  sol_tokenizer_t *tokenizer; /* NULL: the task needs none */
  sol_task_t *task;
  sol_arch_t arch;
  sol_dtype_t dtype; /* of published weights */
  sol_table_t *table;
  const char *model_dir; /* NULL: a new model */
  const sol_schedule_t *schedule; /* which version generates a group, and where it is trained; NULL: tickets in order */
  sol_schedule_t *trace;    /* of sol_setup_schedule */
  sol_record_t *record;     /* of sol_setup_replay and sol_setup_reuse */
  const char *reuse;        /* folder of the run whose rollouts are trained on, instead of generating; NULL: none */
  const char *checkpoint; /* set by the caller: the weights are this checkpoint's; NULL: those of model_dir */
  uint64_t *digest;       /* set by the caller: sol_setup_model puts sol_table_digest of the weights there; NULL: not wanted */
  /* the frozen reference, with kl.reference initial or model: initial's are the model's own */
  const char *reference_dir;
  sol_arch_t reference_arch;
  sol_dtype_t reference_dtype;
};
sol_status_t sol_setup_create (const sol_config_t *config, const char *model_dir, int want_task, sol_setup_t *setup);
/* local: the schedule of a run with staleness.trace */
sol_status_t sol_setup_schedule (const sol_config_t *config, sol_setup_t *setup);
/* the same, collective; rank 0 says what is wrong */
sol_status_t sol_setup_trace (sol_comm_t *world, const sol_config_t *config, sol_setup_t *setup);
/* Collective: the record of the run in that folder, which must have been made with the same settings as far as they matter. */
sol_status_t sol_setup_replay (sol_comm_t *world, const sol_config_t *config, const char *run_dir, sol_setup_t *setup);
/* the same, for training on its rollouts; roles: an evaluation needs an actor */
sol_status_t sol_setup_reuse (sol_comm_t *world, const sol_config_t *config, const sol_roles_t *roles, const char *run_dir, sol_setup_t *setup);
/* Collective, before the run's folder is made: what would stop training later. The model's context must hold rollout.max_prompt + rollout.max_tokens; with weights, the weights of
 * model.path are checked as far as their headers tell. */
sol_status_t sol_setup_check (sol_comm_t *world, const sol_config_t *config, const sol_setup_t *setup, int weights);
/* Collective, before the run's folder is made: refuses a task whose held-out split has no question (why: what it is needed for, begins the error); warns of data sets that an evaluation will not ask. */
sol_status_t sol_setup_held_out (sol_comm_t *world, const sol_config_t *config, const sol_setup_t *setup, const char *why);
/* The data sets of a jsonl task as comment lines of settings.yaml: name, number of problems, hash of problems and answers; none for other tasks. */
void sol_setup_data_lines (const sol_config_t *config, const sol_setup_t *setup, sol_buffer_t *out);
/* Refuses data sets other than those in the comment lines of a run's settings (path: named in the error); settings without such lines are taken as they are. */
sol_status_t sol_setup_same_data (const sol_config_t *config, const sol_setup_t *setup, const char *path, const char *settings);
/* will the weights come from a checkpoint, as far as names tell? The start weights need not be there then. */
int sol_setup_resumes (const sol_config_t *config, int resume);
/* Adds what a rank of that role takes in a training run: number `index` of its role. model: of its backend, may be a measuring one (a broker needs none); roles: their numbers and the
 * brokers' count are looked at. Not collective. The run and `solera plan` ask this one function. */
sol_status_t sol_setup_need (const sol_config_t *config, const sol_setup_t *setup, const sol_roles_t *roles, sol_role_t role, int index, const sol_model_t *model, sol_needs_t *need);
sol_broker_params_t sol_setup_broker (const sol_config_t *config, const sol_setup_t *setup, const sol_roles_t *roles);
/* Collective, before the run's folder is made: refuses a host whose ranks together take more memory than it has. who: "learner", ...; lines (rank 0): what a rank of each role takes, to be
 * logged by sol_setup_say when the log is open. What a rank takes of a device's memory is said, its allocation checks it. */
sol_status_t sol_setup_memory (sol_comm_t *world, const char *who, const sol_needs_t *need, sol_buffer_t *lines);
void sol_setup_say (const sol_buffer_t *lines);
void sol_setup_destroy (sol_setup_t *setup);
/* Collective, before sol_setup_backend: the ranks of a host that use a device (actors and learners, not brokers) take its devices in turn, learners first; refuses a host on which two learners
 * would have the same one. */
sol_status_t sol_setup_device (sol_comm_t *world, const sol_config_t *config, int uses, int learner);
sol_status_t sol_setup_backend (const sol_config_t *config, sol_backend_t **backend_p);
/* Collective, after sol_setup_backend, whose status st is returned where it is an error: learners sum with each other, so that "auto" must have chosen the same for all of them. backend: may be NULL on a
 * rank that has none, and where st is an error. */
sol_status_t sol_setup_same_backend (sol_comm_t *world, sol_status_t st, const sol_backend_t *backend, int learner);
/* can so many learners train on it, with learner.leaves? Not collective. */
sol_status_t sol_setup_learners (const sol_backend_t *backend, int64_t leaves, int learners);
/* the start weights, float32, canonical: loaded from the folder or new from the seed; sol_free */
sol_status_t sol_setup_weights (const sol_config_t *config, const sol_setup_t *setup, float **weights_p);
/* the frozen reference with its weights; the caller's. digest_p not NULL: their digest, and a line in the log with it */
sol_status_t sol_setup_reference (const sol_config_t *config, const sol_setup_t *setup, sol_backend_t *backend, uint64_t *digest_p, sol_model_t **model_p);
/* backend and model with the folder's weights installed, for the commands that only compute */
sol_status_t sol_setup_model (const sol_config_t *config, const sol_setup_t *setup, sol_backend_t **backend_p, sol_model_t **model_p);
#endif
