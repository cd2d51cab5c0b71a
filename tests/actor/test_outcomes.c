/* SPDX-License-Identifier: Apache-2.0 */
/* Replay: outcomes of graders that do not follow from the response are the recorded ones, and no others; groups that were dropped are dropped. */
#include "../../src/actor/refill.h"
#include "../../src/actor/replay.h"
#include "../tap.h"
#include "solera/memory.h"
#include "solera/task.h"
#include <string.h>

enum { GROUP = 4 };

int main (void)
{
  /* two places; the ticket of the second is 7. Responses 0 and 1: the verifier was stopped at 1; 2 and 3: it was not */
  int32_t ticket[2] = { 3, 7 }, place[8] = { -1, -1, -1, 0, -1, -1, -1, 1 }, n_tokens[2] = { 9, 9 }, refilled[2] = { 0, 2 };
  double recorded[2 * GROUP] = { [GROUP] = 1, 0, 1, 0 };
  float answer[2 * GROUP] = { [GROUP] = 1, 0, 1, 0 };
  uint8_t stopped[2 * GROUP] = { [GROUP + 1] = 1 };
  sol_schedule_t s = { .prompts = 2, .ups = 1, .n = 2, .ticket = ticket, .place = place, .n_tickets = 8 };
  sol_record_t r = { .schedule = &s, .updates = 1, .group = GROUP, .n_tokens = n_tokens, .refilled = refilled, .reward = recorded, .answer = answer, .stopped = stopped };
  double reward[GROUP] = { 1, 1, 0, 1 }, parts[GROUP][SOL_PART_COUNT] = { { 1 }, { 1 }, { 0 }, { 1 } };
  sol_rollout_t g = { .ticket = 7, .index = sol_refill_index (7, 2), .n_responses = GROUP, .n_parts = SOL_PART_COUNT };
  parts[2][SOL_PART_STOPPED] = 1; /* stopped now, not then */
  ok (sol_replay_outcomes (&r, &g, 0, reward, parts[0]) == 2);
  ok (reward[0] == 1 && reward[1] == 0 && reward[2] == 1 && reward[3] == 1); /* response 3: a difference that nothing explains stays, and is an error of the learner */
  ok (parts[1][SOL_PART_STOPPED] == 1 && parts[1][SOL_PART_ANSWER] == 0 && parts[2][SOL_PART_STOPPED] == 0 && parts[2][SOL_PART_ANSWER] == 1 && parts[3][SOL_PART_ANSWER] == 1);
  ok (sol_replay_outcomes (&r, &g, 1, reward, parts[0]) == 1 && reward[3] == 0 && parts[3][SOL_PART_ANSWER] == 0); /* a program of one's own */
  ok (!sol_replay_drops (&r, &g)); /* the third attempt stayed */
  g.index = sol_refill_index (7, 1);
  ok (sol_replay_drops (&r, &g));
  g.ticket = 3, g.index = 3;
  ok (!sol_replay_drops (&r, &g));
  g.ticket = 5;
  ok (!sol_replay_drops (&r, &g) && sol_replay_outcomes (&r, &g, 1, reward, parts[0]) == 0); /* not in the record */
  g.ticket = 7, n_tokens[1] = -1;
  reward[0] = 5;
  ok (sol_replay_outcomes (&r, &g, 1, reward, parts[0]) == 0 && reward[0] == 5); /* nothing is known of it */
  return tap_done ();
}
