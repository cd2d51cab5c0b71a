/* SPDX-License-Identifier: Apache-2.0 */
/* eval.h: pass rates: prompts of a split, n_samples responses each, graded by the task. */
#ifndef SOL_EVAL_H
#define SOL_EVAL_H
#include "solera/comm.h"
#include "solera/decoder.h"
#include "solera/task.h"

typedef struct {
  sol_model_t *model;
  const sol_task_t *task;
  const sol_config_t *config; /* temperature, top_p, top_k, greedy, slots, lengths, seed */
  sol_comm_t *comm;           /* prompts are spread over its ranks */
  int split;
  int64_t prompts;            /* indices 0 .. prompts - 1; at most what the split has */
  int32_t samples;
  const uint8_t *done;        /* [prompts] 1: answered before, passed over; NULL: none. The same on all ranks. */
  const char *name;           /* of the data set, for the line of progress; NULL: none */
  /* called for every prompt on the rank that did it; NULL: not wanted */
  sol_status_t (*each) (void *ctx, const sol_prompt_t *prompt, const sol_group_out_t *out, const sol_grade_t *grades);
  void *ctx;
  int progress;               /* a line on standard error now and then */
} sol_eval_params_t;
typedef struct { int64_t prompts, responses, correct, tokens, truncated, mixed; /* mixed: prompts neither all right nor all wrong */ double reward, seconds; } sol_eval_t;
/* collective over comm: the sums of all ranks. SOL_STOPPED: a signal asked for it; what was finished before has been given to each. */
sol_status_t sol_eval_run (const sol_eval_params_t *params, sol_eval_t *result_p);
#endif
