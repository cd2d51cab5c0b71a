/* SPDX-License-Identifier: Apache-2.0 */
/* replay.h: what graders said in the run that is made again (solera/record.h). */
#ifndef SOL_ACTOR_REPLAY_H
#define SOL_ACTOR_REPLAY_H
#include "solera/record.h"

/* Was this graded group dropped in the recorded run (batch.refill)? */
int sol_replay_drops (const sol_record_t *record, const sol_rollout_t *group);
/* Where a verifier was stopped at a limit, then or now, or where it is a program of the user's own (own: 1), the outcome is not a function of the response: the recorded one takes the place of this one.
 * reward, parts: those of the group. Any other difference is left, and is an error of the learner. Returns how many outcomes were replaced by another one. */
int sol_replay_outcomes (const sol_record_t *record, const sol_rollout_t *group, int own, double *reward, double *parts);
#endif
