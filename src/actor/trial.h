/* SPDX-License-Identifier: Apache-2.0 */
/* trial.h: an actor's share of the evaluation of one version (solera/trial.h), on the actor's own decoder while that has nothing else to do */
#ifndef SOL_ACTOR_TRIAL_H
#define SOL_ACTOR_TRIAL_H
#include "solera/actor.h"
#include "solera/trial.h"

typedef struct {
  int64_t next;            /* version that this actor has to evaluate next, SOL_TRIAL_NONE: none */
  int on;                  /* it is being evaluated */
  int64_t prompts, mine;   /* of the evaluation, and this actor's */
  int64_t put;             /* of mine, in the decoder or done */
  int64_t done;
  double start_s;
  sol_trial_problem_t *problem; /* [mine] */
  sol_prompt_t prompt;
} sol_actor_trial_t;

/* not collective; says to the broker which version must be there for this actor */
sol_status_t sol_actor_trial_open (sol_actor_trial_t *t, const sol_actor_params_t *p);
void sol_actor_trial_close (sol_actor_trial_t *t);
/* the model has version t->next: from here on the broker need not keep it */
sol_status_t sol_actor_trial_start (sol_actor_trial_t *t, const sol_actor_params_t *p, sol_decoder_t *d);
/* one token of everything; the last one writes the share and ends it (t->on = 0) */
sol_status_t sol_actor_trial_step (sol_actor_trial_t *t, const sol_actor_params_t *p, sol_decoder_t *d);
#endif
