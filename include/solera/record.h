/* SPDX-License-Identifier: Apache-2.0 */
/* record.h: what a run's statistics say of its groups, for a run that makes them again (train --replay): by which version each was generated, where it was trained, what it held, what graders said,
 * and which weights were published. docs/replay.md */
#ifndef SOL_RECORD_H
#define SOL_RECORD_H
#include "solera/comm.h"
#include "solera/rollout.h"
#include "solera/schedule.h"
#include "solera/stats_read.h"

/* arrays by place: batch * prompts + place in the batch */
typedef struct {
  sol_schedule_t *schedule; /* order and versions; a group whose tokens are of several versions has the first one here */
  int64_t updates, group, n_weights;
  int64_t refused;          /* first update that went on without a response, whose tokens are not recorded then; -1: none */
  int in_flight;            /* a group has tokens of several versions */
  uint64_t *generated;      /* [n] sol_rollout_generated */
  int32_t *n_tokens;        /* [n] of all responses; -1: the run stopped inside this batch and did not train the group: nothing is known of it */
  int32_t *refilled;        /* [n] attempts that were dropped */
  double *reward;           /* [n * group] */
  float *answer;            /* [n * group] its part for the right answer */
  uint8_t *stopped;         /* [n * group] the verifier was stopped */
  uint64_t *weights;        /* [n_weights] of version i * ups; 0: not known */
} sol_record_t;

/* Reads a run's statistics; its settings must be config's as far as sol_config_conflict says. Not collective. SOL_ERR_FORMAT: a ticket twice, responses missing, versions that cannot be. */
sol_status_t sol_record_load (sol_stats_reader_t *reader, const sol_config_t *config, sol_record_t **record_p);
/* Collective: rank 0 has one, all others get it. */
sol_status_t sol_record_share (sol_comm_t *world, sol_record_t **record_p);
void sol_record_destroy (sol_record_t *record); /* NULL is fine */
uint64_t sol_record_bytes (const sol_record_t *record);
/* update that trains the group at a place */
int64_t sol_record_update (const sol_record_t *record, int64_t place);
/* Is this the group that was recorded? SOL_ERR_CHECKSUM says update, ticket, and what differs. */
sol_status_t sol_record_check (const sol_record_t *record, const sol_rollout_t *group);
#endif
