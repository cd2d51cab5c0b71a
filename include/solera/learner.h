/* SPDX-License-Identifier: Apache-2.0 */
/* learner.h: the role that trains. Batch after batch from the broker, updates_per_step updates from each: forward over the whole update batch, the objective decides globally,
 * backward, gradients summed in a fixed tree, AdamW on this learner's slice, weights shared, a new version published. Learners act together: their calls are collective
 * over the learners' communicator, but a step returns AGAIN while the broker has nothing, so that one rank can take all roles in turn. */
#ifndef SOL_LEARNER_H
#define SOL_LEARNER_H
#include "solera/broker.h"
#include "solera/metrics.h"
#include "solera/model.h"
#include "solera/need.h"
#include "solera/record.h"

typedef struct sol_learner sol_learner_t;
typedef struct {
  const sol_config_t *config;
  sol_model_t *model;
  sol_broker_t *broker;
  sol_comm_t *comm;        /* the learners' */
  const char *run_dir, *model_dir; /* model_dir: tokenizer files are carried along from it; NULL: none */
  const char *settings, *hosts;    /* texts for the files */
  const char *resume_dir;  /* checkpoint to go on from, or NULL */
  int64_t first_trial;     /* version whose evaluation comes next (trial.h) */
  sol_model_t *reference;  /* frozen, with its weights, on the model's backend; NULL unless kl.reference asks for one */
  uint64_t reference_digest; /* of its weights (sol_table_digest), on rank 0 of comm; checkpoints keep it, so that no resume changes the reference */
  const sol_record_t *record; /* of the run that is made again: groups and published weights must be equal, and the run ends with it; NULL: none */
  const float *weights;    /* the whole start block, canonical; NULL on resume; not kept */
} sol_learner_params_t;
/* collective over the learners */
sol_status_t sol_learner_create (const sol_learner_params_t *params, sol_learner_t **learner_p);
/* adds what one of size learners takes, the model's memory included; model may be a measuring one. Not collective. SOL_ERR_USAGE: no such objective. */
sol_status_t sol_learner_need (const sol_config_t *config, const sol_model_t *model, int rank, int size, sol_needs_t *need);
/* adds what the frozen reference takes beside that; reference: may be a measuring one. Not collective. */
void sol_learner_reference_need (const sol_config_t *config, const sol_model_t *reference, sol_needs_t *need);
/* The work of one update of the busiest of size learners, all prompts and responses being of full length: forward, backward, step (and the reference's forward, unless that is NULL), on made-up records and without the other learners: to see
 * what that takes (paper.h). mark: called at the end of each (SOL_PHASE_FORWARD, _BACKWARD, _OPTIMIZER). Not collective. */
sol_status_t sol_learner_rehearse (const sol_config_t *config, sol_model_t *model, sol_model_t *reference, int size, void (*mark) (void *ctx, sol_phase_t phase), void *ctx);
void sol_learner_destroy (sol_learner_t *learner);
/* one turn. OK: something was done; AGAIN: it waits for the broker; END: the run is over: all updates are made, or a stop was asked for, and the last checkpoint is written. */
sol_status_t sol_learner_step (sol_learner_t *learner);
int64_t sol_learner_update (const sol_learner_t *learner); /* updates made */
int sol_learner_stopped (const sol_learner_t *learner);    /* the signal that ended the run, or 0 */
const char *sol_learner_checkpoint (const sol_learner_t *learner); /* the last one's folder name, or "" */
void sol_learner_times (const sol_learner_t *learner, sol_times_t *times);
#endif
