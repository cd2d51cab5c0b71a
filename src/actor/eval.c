/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/eval.h"
#include "grade.h"
#include "solera/clock.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/stop.h"
#include <stdio.h>
#include <unistd.h>

static int response_ends (void *ctx, const int32_t *ids, int32_t n) { return sol_task_ends (ctx, ids, n); }

static sol_status_t grade_group (const sol_eval_params_t *p, const sol_group_out_t *g, sol_prompt_t *prompt, sol_grade_t *grades, sol_eval_t *e)
{
  int32_t right = 0;
  SOL_TRY (sol_task_prompt (p->task, p->split, g->tag, prompt));
  SOL_TRY (sol_group_grade (p->task, prompt, g, grades));
  for (int32_t s = 0; s < g->n_samples; s++) {
    right += grades[s].correct;
    e->reward += grades[s].total;
    e->tokens += g->len[s];
    e->truncated += g->finish[s] == SOL_FINISH_LENGTH;
  }
  e->prompts++;
  e->responses += g->n_samples;
  e->correct += right;
  e->mixed += right > 0 && right < g->n_samples;
  return p->each ? p->each (p->ctx, prompt, g, grades) : SOL_OK;
}

static void say (const sol_eval_params_t *p, const sol_eval_t *e, int64_t mine, double *last)
{
  double now = sol_clock_s ();
  int tty = sol_log_is_terminal (STDERR_FILENO);
  if (!p->progress || now - *last < (tty ? 0.5 : 10)) return;
  *last = now;
  fprintf (stderr, tty ? "\r%s%s%lld of %lld prompts, %.1f %% right so far " : "%s%s%lld of %lld prompts, %.1f %% right so far\n", p->name ? p->name : "", p->name ? ": " : "", (long long) e->prompts,
           (long long) mine, e->responses ? 100.0 * (double) e->correct / (double) e->responses : 0.0);
}

/* the first prompt from `from` on that is not done, behind `skip` others that are not; p->prompts: there is none */
static int64_t seek (const sol_eval_params_t *p, int64_t from, int64_t skip)
{
  for (; from < p->prompts; from++)
    if (!(p->done && p->done[from]) && skip-- == 0) break;
  return from;
}

static int64_t to_do (const sol_eval_params_t *p)
{
  int64_t n = 0;
  for (int64_t i = 0; i < p->prompts; i++) n += !(p->done && p->done[i]);
  return n;
}

static sol_status_t run (const sol_eval_params_t *p, sol_decoder_t *d, sol_prompt_t *prompt, sol_grade_t *grades, sol_eval_t *e)
{
  int64_t rank = sol_comm_rank (p->comm), size = sol_comm_size (p->comm), next = seek (p, 0, rank), mine = (to_do (p) - rank + size - 1) / size;
  double last = sol_clock_s ();
  sol_group_out_t g;
  sol_status_t st;
  while (e->prompts < mine) {
    while (next < p->prompts && sol_decoder_free_slots (d) > 0) {
      SOL_TRY (sol_task_prompt (p->task, p->split, (uint64_t) next, prompt));
      SOL_TRY (sol_task_fits (p->task, p->split, prompt, sol_model_arch (p->model)->context));
      st = sol_decoder_put (d, (uint64_t) next, (uint64_t) next, prompt->ids.data, prompt->ids.n, p->samples, (int32_t) p->config->max_new);
      if (st == SOL_AGAIN) break;
      SOL_TRY (st);
      next = seek (p, next + 1, size - 1);
    }
    st = sol_decoder_step (d);
    if (st != SOL_OK && st != SOL_AGAIN) return st;
    while ((st = sol_decoder_take (d, &g)) == SOL_OK) SOL_TRY (grade_group (p, &g, prompt, grades, e));
    if (st != SOL_AGAIN) return st;
    say (p, e, mine, &last);
    if (sol_stop_requested ()) return SOL_STOPPED;
  }
  if (p->progress && sol_log_is_terminal (STDERR_FILENO)) fprintf (stderr, "\r%60s\r", "");
  return SOL_OK;
}

sol_status_t sol_eval_run (const sol_eval_params_t *params, sol_eval_t *result_p)
{
  sol_eval_params_t p = *params;
  const sol_config_t *c = p.config;
  sol_decoder_params_t dp = { .slots = (int32_t) c->slots, .max_prompt = (int32_t) c->max_prompt, .max_new = (int32_t) c->max_new, .kv_rows = c->kv_tokens, .no_graphs = !c->graphs, .temperature = (float) c->temperature,
                              .top_p = c->top_p, .top_k = (int32_t) c->top_k, .greedy = c->greedy, .seed = (uint64_t) c->seed, .purpose = SOL_RANDOM_EVAL,
                              .ends = response_ends, .ends_ctx = (void *) (uintptr_t) p.task };
  sol_decoder_t *d = NULL;
  sol_prompt_t prompt = { 0 };
  sol_grade_t *grades = sol_alloc ((size_t) p.samples * sizeof *grades);
  sol_eval_t e = { 0 };
  double t0 = sol_clock_s ();
  uint64_t have = sol_task_count (p.task, p.split);
  sol_status_t st = SOL_OK;
  if (have > 0 && (uint64_t) p.prompts > have) p.prompts = (int64_t) have;
  st = sol_decoder_create (p.model, &dp, &d);
  if (st == SOL_OK) st = run (&p, d, &prompt, grades, &e);
  SOL_GO (sol_comm_agree (p.comm, st));
  SOL_GO (sol_comm_sum_i64 (p.comm, &e.prompts, 6));
  SOL_GO (sol_comm_sum_f64 (p.comm, &e.reward, 1));
  e.seconds = sol_clock_s () - t0;
  *result_p = e;
out:
  sol_decoder_destroy (d);
  sol_prompt_free (&prompt);
  sol_free (grades);
  return st;
}
