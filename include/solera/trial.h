/* SPDX-License-Identifier: Apache-2.0 */
/* trial.h: evaluation during training. A version of the weights is on trial when it is a multiple of eval.every, 0 included, or the run's last. Its prompts, 0 .. n - 1 of the held-out split, are spread
 * over the actors: prompt i is done by actor i mod actors, which writes what came of its share to OUT/evals/; learner 0 adds the shares up to a line of OUT/evals.jsonl. All files are replaced
 * atomically; nothing here is collective. */
#ifndef SOL_TRIAL_H
#define SOL_TRIAL_H
#include "solera/config.h"
#include "solera/passk.h"
#include "solera/status.h"
#include <stdint.h>

#define SOL_TRIAL_NONE INT64_MAX

/* the first version from `from` on that is on trial; SOL_TRIAL_NONE: none is left */
int64_t sol_trial_next (const sol_config_t *config, int64_t from);

typedef struct { int64_t index, set, correct, truncated, tokens; uint64_t id; } sol_trial_problem_t; /* of one prompt's responses; set and id as sol_prompt_t has them */
/* one actor's part of a version's trial */
typedef struct {
  int64_t version, actor, actors, prompts, samples; /* prompts: of all actors */
  double seconds;                                   /* it took this actor */
  int64_t n;
  sol_trial_problem_t *problem;                     /* [n], ascending indices */
} sol_trial_share_t;
/* actor: makes the file of its share */
sol_status_t sol_trial_put (const char *run_dir, const sol_trial_share_t *share);

/* a version's trial. Shares are 0 to 1; avg, pass: passk.h, with k = samples; seconds: the longest of an actor */
typedef struct {
  int64_t version, prompts, samples;
  sol_estimate_t avg, pass;
  double truncated, mean_tokens, seconds;
} sol_trial_t;
/* Learner 0: adds up the shares of a version, writes the line and a row of evals.h5 for each data set with its problems (evals.h), and removes the shares. SOL_AGAIN: a share is missing. SOL_ERR_FORMAT: shares that do not fit together. */
sol_status_t sol_trial_take (const sol_config_t *config, int64_t version, sol_trial_t *trial_p);

/* Names the best checkpoint by the metric of checkpoint.best: of the evaluated versions whose checkpoint is there, the first with the largest; none where checkpoint.best is none. One rank at a time:
 * sol_trial_begin, then learner 0 after each sol_trial_take. */
sol_status_t sol_trial_choose (const sol_config_t *config);
/* avg and pass of a version in a run's evals.jsonl; SOL_END: there is no such line */
sol_status_t sol_trial_rates (const char *run_dir, int64_t version, double *avg_p, double *pass_p);

/* One rank, before actors and learners start; resumed: update of the checkpoint that the run goes on from, -1: none. Keeps the lines of evals.jsonl up to that version, removes shares that
 * are left, says which trials are missing for good (their weights are gone, or only in a checkpoint, which solera eval takes). *first_p: the version whose trial is next, SOL_TRIAL_NONE: none. */
sol_status_t sol_trial_begin (const sol_config_t *config, int64_t resumed, int64_t *first_p);
#endif
