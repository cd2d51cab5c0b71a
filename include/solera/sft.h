/* SPDX-License-Identifier: Apache-2.0 */
/* sft.h: supervised training on a task's demonstrations: mean negative log-likelihood of the response tokens, the same optimizer and gradient tree as in reinforcement learning. */
#ifndef SOL_SFT_H
#define SOL_SFT_H
#include "solera/comm.h"
#include "solera/model.h"
#include "solera/need.h"
#include "solera/task.h"

typedef struct sol_sft sol_sft_t;
typedef struct {
  const sol_config_t *config;
  sol_model_t *model;
  const sol_task_t *task;
  sol_comm_t *comm;       /* data parallel over its ranks */
  const char *resume_dir; /* checkpoint, or NULL */
  const float *weights;   /* start block; NULL on resume */
  const char *settings;
} sol_sft_params_t;
/* all calls are collective over comm */
sol_status_t sol_sft_create (const sol_sft_params_t *params, sol_sft_t **sft_p);
/* adds what one of size ranks takes for training, the model's memory included; model may be a measuring one. Not collective. */
void sol_sft_need (const sol_config_t *config, const sol_model_t *model, int rank, int size, sol_needs_t *need);
void sol_sft_destroy (sol_sft_t *sft);
/* one update; loss (nats a token) before it, gradient norm. SOL_END: all updates are made. */
sol_status_t sol_sft_step (sol_sft_t *sft, double *loss_p, double *norm_p);
int64_t sol_sft_update (const sol_sft_t *sft);
sol_status_t sol_sft_save (sol_sft_t *sft); /* a checkpoint in config->out */
/* the whole float32 master on every rank, sol_free it */
sol_status_t sol_sft_master (const sol_sft_t *sft, float **master_p);
#endif
