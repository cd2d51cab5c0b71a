/* SPDX-License-Identifier: Apache-2.0 */
/* task_sets.c: the data sets of a jsonl task: one a file of task.path, their problems numbered through; which set and which of its problems stand at an index when sets have weights. */
#include "solera/hash.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "task_internal.h"
#include <string.h>

void sol_dataset_name (const char *path, sol_buffer_t *out)
{
  const char *slash = strrchr (path, '/'), *from = slash ? slash + 1 : path;
  const size_t n = strlen (from), end = strlen (".jsonl");
  sol_buffer_add (out, from, n > end && !strcmp (from + n - end, ".jsonl") ? n - end : n);
}

void sol_task_asks (const sol_config_t *c, sol_buffer_t *out)
{
  if (c->task != SOL_TASK_JSONL) {
    sol_setting_choice (sol_setting_find ("task.name"), c->task, out);
    return;
  }
  for (char **path = c->task_path; *path; path++) {
    if (path != c->task_path) sol_buffer_add (out, "+", 1);
    sol_dataset_name (*path, out);
  }
}

/* ---- reading */

static sol_status_t check_names (const sol_task_t *task)
{
  for (int j = 1; j < task->n_sets; j++)
    for (int i = 0; i < j; i++)
      if (!strcmp (task->set[i].name, task->set[j].name))
        return sol_fail (SOL_ERR_USAGE, "task", "task.path: expected files of different names, found two data sets \"%.100s\": %.300s and %.300s", task->set[i].name, task->set[i].path, task->set[j].path);
  return SOL_OK;
}

sol_status_t sol_sets_open (sol_task_t *task)
{
  const sol_config_t *c = task->c;
  while (c->task_path[task->n_sets]) task->n_sets++;
  task->set = sol_alloc ((size_t) task->n_sets * sizeof *task->set);
  for (int j = 0; j < task->n_sets; j++) {
    sol_buffer_t name = { 0 };
    task->set[j].path = c->task_path[j];
    sol_dataset_name (c->task_path[j], &name);
    task->set[j].name = name.data ? name.data : sol_strdup ("");
  }
  SOL_TRY (check_names (task));
  for (int j = 0; j < task->n_sets; j++) {
    sol_set_t *s = &task->set[j];
    SOL_TRY (sol_dataset_open_as (s->path, c->task_utf8 == SOL_UTF8_REPLACE, c->task_verifier == SOL_VERIFY_COMMAND, &s->data));
    s->first = task->n_rows;
    task->n_rows += (uint64_t) sol_dataset_size (s->data);
    if (task->n_rows > UINT32_MAX) return sol_fail (SOL_ERR_LIMIT, "task", "%s: more than %u problems", s->path, UINT32_MAX);
  }
  return SOL_OK;
}

void sol_sets_close (sol_task_t *task)
{
  for (int j = 0; j < task->n_sets; j++) {
    sol_dataset_close (task->set[j].data);
    sol_free (task->set[j].name);
  }
  sol_free (task->set);
}

int sol_sets_of (const sol_task_t *task, uint64_t row)
{
  int low = 0, high = task->n_sets;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (task->set[middle].first <= row) low = middle;
    else high = middle;
  }
  return low;
}

const sol_problem_t *sol_sets_row (const sol_task_t *task, uint64_t row)
{
  const sol_set_t *s = &task->set[sol_sets_of (task, row)];
  return sol_dataset_row (s->data, (int64_t) (row - s->first));
}

void sol_task_say (const sol_task_t *task)
{
  for (int j = 0; j < task->n_sets; j++) {
    const sol_set_t *s = &task->set[j];
    if (s->n_long)
      sol_log (SOL_LOG_INFO, "task", "%s: %llu of %lld prompts have more than %lld tokens (rollout.max_prompt) and are left out", s->path, (unsigned long long) s->n_long, (long long) sol_dataset_size (s->data),
               (long long) task->c->max_prompt);
  }
  if (task->n_sets > 0) sol_sets_say_same (task);
}

uint64_t sol_task_set_digest (const sol_task_t *task, int set, int64_t *n_p)
{
  uint64_t h = 0;
  *n_p = task->n_sets > 0 ? sol_dataset_size (task->set[set].data) : 0;
  for (int64_t i = 0; i < *n_p; i++) {
    const sol_problem_t *p = sol_dataset_row (task->set[set].data, i);
    h = sol_hash_pair (h, sol_hash_pair (sol_hash (p->problem, strlen (p->problem)), sol_hash (p->answer, strlen (p->answer))));
  }
  return h;
}

/* ---- weights */

void sol_mix_counts (const double *weight, int n, uint32_t *count)
{
  double sum = 0;
  uint32_t left = SOL_MIX_BLOCK;
  double *rest = sol_alloc ((size_t) n * sizeof *rest);
  for (int j = 0; j < n; j++) sum += weight[j];
  for (int j = 0; j < n; j++) {
    const double share = weight[j] / sum * SOL_MIX_BLOCK;
    count[j] = (uint32_t) share;
    rest[j] = share - count[j];
    left -= count[j];
  }
  for (; left > 0; left--) {
    int most = 0;
    for (int j = 1; j < n; j++)
      if (rest[j] > rest[most]) most = j;
    count[most]++;
    rest[most] = -1;
  }
  sol_free (rest);
}

int sol_mix_place (uint64_t seed, const uint32_t *count, uint64_t index, uint64_t *position)
{
  const uint64_t block = index / SOL_MIX_BLOCK;
  uint64_t place = sol_permute (seed, block | UINT64_C (1) << 63, SOL_MIX_BLOCK, index % SOL_MIX_BLOCK); /* other epochs than those of the questions */
  int j = 0;
  while (place >= count[j]) place -= count[j++];
  *position = block * count[j] + place;
  return j;
}

sol_status_t sol_sets_weigh (sol_task_t *task)
{
  const sol_config_t *c = task->c;
  double *weight = sol_alloc ((size_t) task->n_sets * sizeof *weight);
  sol_status_t st = SOL_OK;
  int n = 0;
  for (; c->task_weights[n] && n < task->n_sets && st == SOL_OK; n++)
    if (sol_config_positive (c->task_weights[n], &weight[n])) st = sol_fail (SOL_ERR_USAGE, "task", "task.weights: expected a number above 0, found \"%.60s\"", c->task_weights[n]);
  if (st == SOL_OK && (n < task->n_sets || c->task_weights[n])) st = sol_fail (SOL_ERR_USAGE, "task", "task.weights: expected one of each of the %d files of task.path", task->n_sets);
  if (st == SOL_OK && task->n_sets > 1) { /* one set is in its own order, whatever its weight */
    task->count = sol_alloc ((size_t) task->n_sets * sizeof *task->count);
    sol_mix_counts (weight, task->n_sets, task->count);
  }
  for (int j = 0; task->count && j < task->n_sets && st == SOL_OK; j++) {
    if (!task->count[j]) st = sol_fail (SOL_ERR_USAGE, "task", "task.weights: expected a share of at least one prompt in %d of every data set, \"%.100s\" with %s has less", SOL_MIX_BLOCK, task->set[j].name, c->task_weights[j]);
    else if (!task->set[j].n_train) st = sol_fail (SOL_ERR_USAGE, "task", "%s: no question of it is left to train on: take it out of task.path, or lower task.holdout (%g)", task->set[j].path, c->task_holdout);
  }
  sol_free (weight);
  return st;
}

uint64_t sol_sets_pick (const sol_task_t *task, uint64_t index)
{
  uint64_t position;
  const int j = sol_mix_place ((uint64_t) task->c->seed, task->count, index, &position);
  const sol_set_t *s = &task->set[j];
  /* sets of the same size go through their questions in different orders */
  return s->train_at + sol_permute ((uint64_t) task->c->seed, position / s->n_train | (uint64_t) j << 48, s->n_train, position % s->n_train);
}
