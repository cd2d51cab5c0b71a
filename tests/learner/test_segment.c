/* SPDX-License-Identifier: Apache-2.0 */
/* Protects: leaves are contiguous, cover every sequence and do not depend on who owns them; packing shares the prompt and aligns every token with the row that predicts it. */
#include "../../src/learner/segment.h"
#include "../tap.h"
#include <string.h>

static void test_leaves (void)
{
  int32_t len[37], leaf[37];
  int monotone = 1, bounds = 1;
  int64_t weight[8] = { 0 }, total = 0, most = 0;
  for (int i = 0; i < 37; i++) total += len[i] = 1 + (i * 7919) % 23;
  sol_leaf_assign (len, 37, 8, leaf);
  for (int i = 0; i < 37; i++) {
    if (i) monotone &= leaf[i] >= leaf[i - 1];
    bounds &= leaf[i] >= 0 && leaf[i] < 8;
    weight[leaf[i]] += len[i];
  }
  for (int i = 0; i < 8; i++) most = weight[i] > most ? weight[i] : most;
  ok (monotone);
  ok (bounds);
  ok (most <= total / 8 + 23); /* no leaf is heavier than its share and one sequence */
  sol_leaf_assign (len, 3, 8, leaf);
  ok (leaf[2] < 8 && leaf[0] <= leaf[1] && leaf[1] <= leaf[2]);
  memset (len, 0, sizeof len);
  sol_leaf_assign (len, 5, 4, leaf);
  ok (leaf[0] == 0 && leaf[4] == 0); /* nothing to balance: no division by zero */
}

static void test_pack (void)
{
  int32_t prompt[] = { 11, 12, 13 }, ids[] = { 1, 2, 3, 4, 5, 6 }, len[] = { 2, 1, 3 };
  sol_rollout_t g = { .n_responses = 3, .n_prompt = 3, .prompt = prompt, .ids = ids, .len = len };
  sol_segment_t s = { .first = 1, .n = 2, .rows = 3 + 0 + 2, .n_tokens = 4 };
  sol_packer_t p;
  if (sol_packer_create (&p, 64, 64, 64) != SOL_OK) abort ();
  sol_packer_add (&p, &s, &g);
  ok (p.batch.n_tokens == s.rows && p.batch.n_rows == 4 && p.batch.n_spans == 2);
  ok (p.ids[0] == 11 && p.ids[2] == 13 && p.ids[3] == 4 && p.ids[4] == 5); /* response 1 has one token: no row of its own */
  ok (p.pos[3] == 3 && p.pos[4] == 4);
  ok (p.rows[0] == 2 && p.targets[0] == 3 && p.rows[1] == 2 && p.targets[1] == 4); /* first tokens are predicted by the prompt's last row */
  ok (p.rows[2] == 3 && p.targets[2] == 5 && p.rows[3] == 4 && p.targets[3] == 6);
  ok (p.spans[1].a_row == 0 && p.spans[1].n_a == 3 && p.spans[1].b_row == 3 && p.spans[1].n_q == 2);
  s = (sol_segment_t){ .first = 0, .n = 1, .rows = 4, .n_tokens = 2 };
  sol_packer_add (&p, &s, &g);
  ok (p.batch.n_tokens == 9 && p.rows[4] == 7 && p.targets[4] == 1 && p.rows[5] == 8 && p.targets[5] == 2);
  ok (p.spans[2].q_row == 5 && p.spans[3].a_row == 5);
  sol_packer_destroy (&p);
}

int main (void)
{
  test_leaves ();
  test_pack ();
  return tap_done ();
}
