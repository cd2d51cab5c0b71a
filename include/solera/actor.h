/* SPDX-License-Identifier: Apache-2.0 */
/* actor.h: the role that generates. It claims tickets from the broker, fetches the weights that the staleness rule asks for, decodes whole groups with continuous batching, grades
 * them and appends their records. One step is short and never waits, so that one rank can take all roles in turn. */
#ifndef SOL_ACTOR_H
#define SOL_ACTOR_H
#include "solera/broker.h"
#include "solera/decoder.h"
#include "solera/metrics.h"
#include "solera/need.h"
#include "solera/record.h"
#include "solera/task.h"

typedef struct sol_actor sol_actor_t;
typedef struct {
  const sol_config_t *config;
  sol_model_t *model;   /* the actor's own; not destroyed here */
  sol_task_t *task;
  sol_broker_t *broker;
  const sol_record_t *record; /* of the run that is made again; NULL: none */
  int index;            /* actor.index */
  int n_actors;         /* needed with eval.every: see trial.h */
  int64_t first_trial;  /* the version to be evaluated first (sol_trial_begin) */
} sol_actor_params_t;
/* not collective; all memory is made here */
sol_status_t sol_actor_create (const sol_actor_params_t *params, sol_actor_t **actor_p);
/* Adds what an actor takes, the model's memory included; model may be a measuring one. SOL_ERR_USAGE: more keys than one rank can number. Not collective. */
sol_status_t sol_actor_need (const sol_config_t *config, const sol_model_t *model, sol_needs_t *need);
/* the decoder's part of it: what evaluation adds to a model that is there anyway */
sol_status_t sol_decoding_need (const sol_config_t *config, const sol_model_t *model, sol_needs_t *need);
/* Decodes so many responses of full length behind prompts of full length, whole groups at a time as a run does, and throws them away: to see what that takes (paper.h). first: called after
 * the first step, which has the prompts that fit. Not collective. */
sol_status_t sol_actor_rehearse (const sol_config_t *config, sol_model_t *model, int64_t responses, void (*first) (void *ctx), void *ctx);
void sol_actor_destroy (sol_actor_t *actor);
/* one turn: appends what is finished, claims what fits, decodes one token of every running sequence. OK: something was done; AGAIN: it waits (for a ticket, a version, room in
 * the ring); END: every ticket is generated and appended, or the learners said goodbye. */
sol_status_t sol_actor_step (sol_actor_t *actor);
/* phases so far (generate, fetch, ...); waiting is the caller's to count */
void sol_actor_times (const sol_actor_t *actor, sol_times_t *times);
int64_t sol_actor_tokens (const sol_actor_t *actor);
#endif
