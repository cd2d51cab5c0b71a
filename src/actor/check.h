/* SPDX-License-Identifier: Apache-2.0 */
/* check.h: the log-probs of finished responses once more, teacher-forced: what a learner's forward pass makes of the weights that sampled them */
#ifndef SOL_ACTOR_CHECK_H
#define SOL_ACTOR_CHECK_H
#include "solera/config.h"
#include "solera/model.h"
#include "solera/need.h"

/* room for one response behind its prompt */
typedef struct {
  sol_pass_t *pass;
  int32_t *index;  /* ids, positions, head rows */
  float *entropy;  /* not looked at */
  int32_t max_tokens, max_rows;
} sol_actor_check_t;

/* with lp_check.record; else nothing is taken. All not collective. */
void sol_actor_check_need (const sol_config_t *config, const sol_model_t *model, sol_needs_t *need);
sol_status_t sol_actor_check_open (sol_actor_check_t *check, const sol_config_t *config, sol_model_t *model);
void sol_actor_check_close (sol_actor_check_t *check);
/* lp [n]: of one response ids [n] behind its prompt, with the model's present weights, at the rollout temperature (nats) */
sol_status_t sol_actor_check (sol_actor_check_t *check, const sol_config_t *config, const int32_t *prompt, int32_t n_prompt, const int32_t *ids, int32_t n, float *lp);
#endif
