/* SPDX-License-Identifier: Apache-2.0 */
/* refill.h: dynamic sampling (batch.refill; DAPO, arXiv 2503.14476). A group whose rewards are all equal teaches nothing: it is dropped before it is appended, and its ticket is generated again with
 * another prompt. Attempt r of ticket t asks prompt t + r * 2^40, which is its stream of randomness too: so what ends up as ticket t is a function of the settings and the weights alone, whichever
 * actor makes it. What was dropped is counted in the record of the group that stays. */
#ifndef SOL_REFILL_H
#define SOL_REFILL_H
#include "solera/config.h"
#include "solera/rollout.h"

/* a ticket that lost a group; waits: its next attempt is not in the decoder yet */
typedef struct { int64_t ticket; int32_t attempt; int waits; sol_dropped_t dropped; } sol_refill_entry_t;
typedef struct { sol_refill_entry_t *entry; int32_t n, room, waiting; } sol_refill_t; /* entry: [room] */
/* As many tickets can have lost a group at once: one is claimed only when a slot is free and none waits, and each has an unfinished response until its group is settled or dropped. */
static inline size_t sol_refill_room (const sol_config_t *c) { return c->refill > 0 ? (size_t) c->slots : 0; }

static inline uint64_t sol_refill_index (int64_t ticket, int32_t attempt) { return (uint64_t) ticket + ((uint64_t) attempt << SOL_TICKET_BITS); }
static inline int64_t sol_refill_ticket (uint64_t index) { return (int64_t) (index & ((UINT64_C (1) << SOL_TICKET_BITS) - 1)); }
static inline int32_t sol_refill_attempt (uint64_t index) { return (int32_t) (index >> SOL_TICKET_BITS); }

/* is this graded group to be generated again? */
int sol_refill_wants (const sol_config_t *c, const sol_rollout_t *group);
/* drops it: its next attempt waits from now on */
void sol_refill_drop (sol_refill_t *r, const sol_rollout_t *group, int correct_part);
/* an entry that waits, or NULL; started: it is in the decoder now */
sol_refill_entry_t *sol_refill_next (sol_refill_t *r);
void sol_refill_started (sol_refill_t *r, sol_refill_entry_t *e);
/* a group stays: what was dropped for it goes into it, and is forgotten here */
void sol_refill_settle (sol_refill_t *r, sol_rollout_t *group);
#endif
