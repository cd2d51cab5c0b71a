/* SPDX-License-Identifier: Apache-2.0 */
/* evals_sets.c: an evaluation that asked several data sets is a row each of them: their pass rates say nothing together */
#include "solera/dataset.h"
#include "solera/evals.h"
#include "solera/memory.h"
#include "solera/passk.h"
#include <string.h>

void sol_evals_name (const sol_config_t *c, int set, sol_evals_row_t *row)
{
  sol_buffer_t text = { 0 };
  if (c->task == SOL_TASK_JSONL) sol_dataset_name (c->task_path[set], &text);
  else sol_setting_choice (sol_setting_find ("task.name"), c->task, &text);
  size_t n = text.bytes;
  if (n >= sizeof row->data)
    for (n = sizeof row->data - 1; n > 0 && ((unsigned char) text.data[n] & 0xc0) == 0x80; n--) {} /* never in the middle of a character */
  if (n > 0) memcpy (row->data, text.data, n);
  row->data[n] = 0;
  sol_buffer_free (&text);
}

/* of n problems that were asked */
static void estimate (const sol_evals_problem_t *problem, int64_t n, sol_evals_row_t *row)
{
  sol_tally_t *t = sol_alloc ((size_t) n * sizeof *t);
  double responses = 0, truncated = 0, tokens = 0;
  for (int64_t i = 0; i < n; i++) {
    t[i] = (sol_tally_t){ problem[i].samples, problem[i].correct };
    responses += (double) problem[i].samples;
    truncated += (double) problem[i].truncated;
    tokens += (double) problem[i].tokens;
  }
  const sol_estimate_t avg = sol_tally_avg (t, n, row->seed), pass = sol_tally_pass (t, n, row->pass_k, row->seed);
  sol_free (t);
  row->problems = n;
  row->avg = avg.mean, row->avg_low = avg.low, row->avg_high = avg.high;
  row->pass = pass.mean, row->pass_low = pass.low, row->pass_high = pass.high;
  row->truncated = truncated / responses;
  row->mean_tokens = tokens / responses;
}

sol_status_t sol_evals_append_sets (const char *path, const sol_config_t *c, const sol_evals_row_t *all, const sol_evals_problem_t *problem, const int32_t *set, int once)
{
  int n_sets = 1;
  sol_evals_problem_t *of = sol_alloc (((size_t) all->problems + 1) * sizeof *of);
  sol_status_t st = SOL_OK;
  while (c->task == SOL_TASK_JSONL && c->task_path[n_sets]) n_sets++;
  for (int j = 0; j < n_sets && st == SOL_OK; j++) {
    sol_evals_row_t row = *all;
    int64_t n = 0;
    for (int64_t i = 0; i < all->problems; i++)
      if (set[i] == j) of[n++] = problem[i];
    if (!n) continue; /* none of its problems was among those that were asked */
    sol_evals_name (c, j, &row);
    estimate (of, n, &row);
    st = once ? sol_evals_append_once (path, &row, of) : sol_evals_append (path, &row, of);
  }
  sol_free (of);
  return st;
}
