/* SPDX-License-Identifier: Apache-2.0 */
/* task_command.c: task.verifier: command. All responses to a prompt go to the program at once, which may work on them together. */
#include "solera/memory.h"
#include "task_internal.h"

/* one response's question; its text is kept in *text */
static sol_external_question_t question (const sol_task_t *task, const sol_prompt_t *prompt, const sol_task_response_t *r, sol_buffer_t *text)
{
  sol_text_response (task, r->ids, r->n, text);
  return (sol_external_question_t) { .data = task->set[prompt->set].name, .prompt = prompt->text.data, .response = text->data, .answer = prompt->answer.data,
                                     .cut = r->finish == SOL_FINISH_LENGTH, .row = sol_sets_row (task, prompt->row)->row };
}

sol_status_t sol_command_grade (const sol_task_t *task, const sol_prompt_t *prompt, const sol_task_response_t *r, int32_t n, sol_grade_t *grades)
{
  sol_buffer_t *text = sol_alloc ((size_t) n * sizeof *text);
  sol_external_question_t *q = sol_alloc ((size_t) n * sizeof *q);
  sol_external_answer_t *a = sol_alloc ((size_t) n * sizeof *a);
  for (int32_t i = 0; i < n; i++) q[i] = question (task, prompt, &r[i], &text[i]);
  const sol_status_t st = sol_external_ask (task->external, q, n, a);
  for (int32_t i = 0; i < n; i++) {
    sol_grade_t *g = &grades[i];
    g->correct = a[i].correct;
    g->part[SOL_PART_GIVEN] = a[i].reward;
    g->part[SOL_PART_STOPPED] = a[i].stopped;
    g->part[SOL_PART_RESTARTS] = a[i].restarts;
    g->part[SOL_PART_FORMAT] = task->format && sol_format_matches (task, text[i].data, text[i].bytes);
    sol_buffer_free (&a[i].note);
    sol_buffer_free (&text[i]);
  }
  sol_free (text);
  sol_free (q);
  sol_free (a);
  return st;
}
