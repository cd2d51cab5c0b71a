/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/task.h"
#include "solera/hash.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/random.h"
#include "task_internal.h"
#include <stdio.h>
#include <string.h>

const char *const sol_part_name[SOL_PART_COUNT] = { "answer", "format", "stopped", "length", "given", "restarts" };

static const char *const task_name[] = { "chain", "sums", "jsonl" };

static int is_chain (const sol_task_t *task) { return task->c->task == SOL_TASK_CHAIN; }

void sol_prompt_free (sol_prompt_t *prompt)
{
  sol_ids_free (&prompt->ids);
  sol_buffer_free (&prompt->text);
  sol_buffer_free (&prompt->answer);
}

int sol_task_needs_tokenizer (const sol_config_t *config) { return config->task != SOL_TASK_CHAIN; }

sol_status_t sol_task_create (const sol_config_t *config, const sol_tokenizer_t *tokenizer, const char *model_folder, sol_task_t **task_p)
{
  sol_task_t *task = sol_alloc (sizeof *task);
  sol_status_t st = SOL_OK;
  task->c = config;
  if (!is_chain (task)) {
    task->tokenizer = tokenizer;
    if (!tokenizer) st = sol_fail (SOL_ERR_USAGE, "task", "task %s needs a tokenizer: give model.path a model folder", task_name[config->task]);
    else st = sol_text_create (task, model_folder);
  }
  if (st == SOL_OK) *task_p = task;
  else sol_task_destroy (task);
  return st;
}

void sol_task_destroy (sol_task_t *task)
{
  if (!task) return;
  sol_grader_free (task->grader);
  sol_external_free (task->external);
  sol_format_close (task);
  sol_chat_destroy (task->chat);
  sol_sets_close (task);
  sol_free (task->count);
  for (int s = 0; s < 3; s++) sol_free (task->row[s]);
  sol_free (task->stop_bytes);
  sol_free (task);
}

int sol_task_held_out (const sol_task_t *task, uint64_t id)
{
  return sol_random_u53 (sol_random ((uint64_t) task->c->seed, id, SOL_RANDOM_SPLIT, 0, 0), 0) < task->c->task_holdout;
}

int32_t sol_task_vocab (const sol_task_t *task) { return is_chain (task) ? SOL_CHAIN_VOCAB : sol_tokenizer_size (task->tokenizer); }

int32_t sol_task_eos (const sol_task_t *task)
{
  int n;
  if (is_chain (task)) return SOL_CHAIN_EOS;
  const int32_t *eos = sol_tokenizer_eos (task->tokenizer, &n);
  return n ? eos[0] : -1;
}

uint64_t sol_task_count (const sol_task_t *task, int split) { return task->n_split[split == SOL_SPLIT_FILE ? SOL_SPLIT_ALL : split]; }

int sol_task_sets (const sol_task_t *task) { return task->n_sets > 0 ? task->n_sets : 1; }

const char *sol_task_set_name (const sol_task_t *task, int set)
{
  return task->n_sets > 0 ? task->set[set].name : task_name[task->c->task];
}

int sol_task_set (const sol_task_t *task, int split, uint64_t index) { return task->set ? sol_sets_of (task, sol_text_row (task, split, index)) : 0; }

sol_status_t sol_task_prompt (const sol_task_t *task, int split, uint64_t index, sol_prompt_t *prompt)
{
  return is_chain (task) ? sol_chain_prompt (task, split, index, prompt) : sol_text_prompt (task, split, index, prompt);
}

sol_status_t sol_task_fits (const sol_task_t *task, int split, const sol_prompt_t *prompt, int32_t context)
{
  const sol_config_t *c = task->c;
  const long long n = prompt->ids.n, index = (long long) prompt->index;
  char where[512] = "";
  if (n <= c->max_prompt && n + c->max_new <= context) return SOL_OK;
  if (task->set) {
    const uint64_t row = sol_text_row (task, split, prompt->index);
    snprintf (where, sizeof where, "%.480s:%lld: ", task->set[sol_sets_of (task, row)].path, (long long) sol_sets_row (task, row)->line);
  }
  if (n > c->max_prompt) return sol_fail (SOL_ERR_LIMIT, "task", "%sprompt %lld: expected at most %lld tokens (rollout.max_prompt), found %lld", where, index, (long long) c->max_prompt, n);
  return sol_fail (SOL_ERR_LIMIT, "task", "%sprompt %lld: %lld tokens and %lld new ones (rollout.max_tokens): expected at most %d together, the model's context (max_position_embeddings)",
                   where, index, n, (long long) c->max_new, context);
}

sol_status_t sol_task_grade_all (const sol_task_t *task, const sol_prompt_t *prompt, const sol_task_response_t *r, int32_t n, sol_grade_t *grades)
{
  const sol_config_t *c = task->c;
  memset (grades, 0, (size_t) n * sizeof *grades);
  if (task->external) SOL_TRY (sol_command_grade (task, prompt, r, n, grades));
  for (int32_t i = 0; i < n; i++) {
    sol_grade_t *g = &grades[i];
    if (is_chain (task)) sol_chain_grade (prompt, r[i].ids, r[i].n, g);
    else if (!task->external) sol_text_grade (task, prompt, r[i].ids, r[i].n, r[i].finish, g);
    g->part[SOL_PART_ANSWER] = g->correct;
    g->part[SOL_PART_FORMAT] *= c->task_format_bonus;
    if (c->overlong_penalty > 0) g->part[SOL_PART_LENGTH] = c->overlong_penalty * sol_overlong_penalty (r[i].n, c->max_new, c->overlong_tokens);
    g->total = g->part[task->external ? SOL_PART_GIVEN : SOL_PART_ANSWER] + g->part[SOL_PART_FORMAT] + g->part[SOL_PART_LENGTH];
  }
  return SOL_OK;
}

sol_status_t sol_task_grade (const sol_task_t *task, const sol_prompt_t *prompt, const int32_t *ids, int32_t n, int finish, sol_grade_t *grade_p)
{
  const sol_task_response_t r = { ids, n, finish };
  sol_grade_t g;
  SOL_TRY (sol_task_grade_all (task, prompt, &r, 1, &g));
  *grade_p = g;
  return SOL_OK;
}

const char *sol_task_row_id (const sol_task_t *task, int split, uint64_t index) { return is_chain (task) ? NULL : sol_text_row_id (task, split, index); }

const char *sol_task_extract (const sol_task_t *task, const sol_prompt_t *prompt, const int32_t *ids, int32_t n, int finish, sol_buffer_t *text, sol_buffer_t *answer)
{
  sol_buffer_clear (text);
  sol_buffer_clear (answer);
  if (!is_chain (task)) return sol_text_extract (task, ids, n, finish, text, answer);
  (void) prompt;
  sol_chain_text (ids, n, text);
  return sol_chain_extract (ids, n, answer) ? "end" : "none";
}

int sol_task_ends (void *ctx, const int32_t *ids, int32_t n)
{
  const sol_task_t *task = ctx;
  if (n < 1) return 0;
  if (is_chain (task)) return ids[n - 1] == SOL_CHAIN_EOS ? SOL_FINISH_EOS : 0;
  if (sol_tokenizer_is_eos (task->tokenizer, ids[n - 1])) return SOL_FINISH_EOS;
  for (int k = 0; k < task->n_stop; k++)
    if (sol_tokenizer_ends_with (task->tokenizer, ids, n, task->stop[k], task->stop_bytes[k])) return SOL_FINISH_STOP;
  return 0;
}

sol_status_t sol_task_demo (const sol_task_t *task, int split, uint64_t index, double noise, sol_prompt_t *prompt, sol_ids_t *response)
{
  if (noise > 0 && !is_chain (task)) return sol_fail (SOL_ERR_USAGE, "task", "noise %g: only the chain task has noisy demonstrations", noise);
  SOL_TRY (sol_task_prompt (task, split, index, prompt));
  response->n = 0;
  if (!is_chain (task)) return sol_text_demo (task, prompt, response);
  sol_chain_demo (task, index, noise, prompt, response);
  return SOL_OK;
}

void sol_task_text (const sol_task_t *task, const int32_t *ids, int32_t n, sol_buffer_t *out)
{
  if (is_chain (task)) sol_chain_text (ids, n, out);
  else sol_tokenizer_decode (task->tokenizer, ids, n, 0, out);
}
