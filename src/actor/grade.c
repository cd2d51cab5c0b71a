/* SPDX-License-Identifier: Apache-2.0 */
#include "grade.h"
#include "solera/memory.h"

sol_status_t sol_group_grade (const sol_task_t *task, const sol_prompt_t *prompt, const sol_group_out_t *g, sol_grade_t *grades)
{
  sol_task_response_t *r = sol_alloc ((size_t) g->n_samples * sizeof *r);
  for (int32_t s = 0; s < g->n_samples; s++) r[s] = (sol_task_response_t) { g->ids + (int64_t) s * g->stride, g->len[s], g->finish[s] };
  const sol_status_t st = sol_task_grade_all (task, prompt, r, g->n_samples, grades);
  sol_free (r);
  return st;
}
