/* SPDX-License-Identifier: Apache-2.0 */
/* task_chain.c: sums, differences and products of digits, modulo 10, one after the other:  3+4*2=  asks for  3+4=7;7*2=4#  . One token a character. */
#include "solera/hash.h"
#include "solera/log.h"
#include "solera/random.h"
#include "task_internal.h"

static const char alphabet[SOL_CHAIN_VOCAB + 1] = "0123456789+-*=;#";
enum { PLUS = 10, EQUALS = 13, SEMICOLON = 14 };

static int32_t apply (int32_t x, int32_t op, int32_t a)
{
  int32_t y = op == PLUS ? x + a : op == PLUS + 1 ? x - a + 10 : x * a;
  return y % 10;
}

/* draws the prompt's tokens; attempt: earlier draws fell into the other split */
static void draw (const sol_task_t *task, uint64_t index, uint32_t attempt, sol_ids_t *ids)
{
  const uint64_t seed = (uint64_t) task->c->seed;
  ids->n = 0;
  for (int64_t k = 0; k <= task->c->chain_steps; k++) { /* position 0: the first digit; then operation and digit together, of 30 */
    const uint32_t v = (uint32_t) sol_random_below (sol_random (seed, index, SOL_RANDOM_PROMPT, (uint32_t) k, attempt), k ? 30 : 10);
    if (k) sol_ids_add (ids, PLUS + (int32_t) (v / 10));
    sol_ids_add (ids, (int32_t) (v % 10));
  }
  sol_ids_add (ids, EQUALS);
}

void sol_chain_text (const int32_t *ids, int32_t n, sol_buffer_t *out)
{
  for (int32_t i = 0; i < n; i++) sol_buffer_add (out, ids[i] >= 0 && ids[i] < SOL_CHAIN_VOCAB ? &alphabet[ids[i]] : "?", 1);
}

sol_status_t sol_chain_prompt (const sol_task_t *task, int split, uint64_t index, sol_prompt_t *prompt)
{
  const uint32_t most = 1000000;
  if (split == SOL_SPLIT_HELDOUT && task->c->task_holdout <= 0) return sol_fail (SOL_ERR_LIMIT, "task", "no prompt is held out: task.holdout is 0");
  for (uint32_t attempt = 0; attempt < most; attempt++) {
    draw (task, index, attempt, &prompt->ids);
    sol_buffer_clear (&prompt->text);
    sol_chain_text (prompt->ids.data, prompt->ids.n, &prompt->text);
    prompt->id = sol_hash (prompt->text.data, prompt->text.bytes);
    if (split < SOL_SPLIT_ALL && sol_task_held_out (task, prompt->id) != (split == SOL_SPLIT_HELDOUT)) continue;
    int32_t x = prompt->ids.data[0];
    for (int32_t i = 1; i + 2 < prompt->ids.n; i += 2) x = apply (x, prompt->ids.data[i], prompt->ids.data[i + 1]);
    prompt->index = index;
    prompt->set = 0;
    prompt->row = 0;
    sol_buffer_clear (&prompt->answer);
    sol_buffer_add (&prompt->answer, &alphabet[x], 1);
    return SOL_OK;
  }
  return sol_fail (SOL_ERR_LIMIT, "task", "no prompt of the split in %u draws: task.holdout is %g", most, task->c->task_holdout);
}

/* the token before the first # decides; -1: there is none */
static int32_t last_token (const int32_t *ids, int32_t n)
{
  int32_t end = 0;
  while (end < n && ids[end] != SOL_CHAIN_EOS) end++;
  return end > 0 && end < n ? ids[end - 1] : -1;
}

int sol_chain_extract (const int32_t *ids, int32_t n, sol_buffer_t *answer)
{
  const int32_t last = last_token (ids, n);
  if (last >= 0 && last < 10) sol_buffer_add (answer, &alphabet[last], 1);
  return last >= 0 && last < 10;
}

void sol_chain_grade (const sol_prompt_t *prompt, const int32_t *ids, int32_t n, sol_grade_t *grade)
{
  const int32_t last = last_token (ids, n);
  grade->part[SOL_PART_FORMAT] = last >= 0 && last < 10;
  grade->correct = last >= 0 && last < 10 && alphabet[last] == prompt->answer.data[0];
}

void sol_chain_demo (const sol_task_t *task, uint64_t index, double noise, const sol_prompt_t *prompt, sol_ids_t *response)
{
  const int32_t *p = prompt->ids.data, last = prompt->ids.n - 3;
  int32_t x = p[0];
  for (int32_t i = 1; i <= last; i += 2) {
    const sol_random_t r = sol_random ((uint64_t) task->c->seed, index, SOL_RANDOM_DEMO, (uint32_t) i, 0);
    int32_t y = apply (x, p[i], p[i + 1]);
    if (sol_random_u53 (r, 0) < noise) y = (int32_t) (10 * sol_random_u53 (r, 1));
    const int32_t step[] = { x, p[i], p[i + 1], EQUALS, y, i == last ? SOL_CHAIN_EOS : SEMICOLON };
    for (int k = 0; k < 6; k++) sol_ids_add (response, step[k]);
    x = y;
  }
}
