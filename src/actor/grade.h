/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOL_ACTOR_GRADE_H
#define SOL_ACTOR_GRADE_H
#include "solera/decoder.h"
#include "solera/task.h"
/* all responses of a finished group, graded together: grades[g->n_samples] */
sol_status_t sol_group_grade (const sol_task_t *task, const sol_prompt_t *prompt, const sol_group_out_t *g, sol_grade_t *grades);
#endif
