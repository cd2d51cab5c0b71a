/* SPDX-License-Identifier: Apache-2.0 */
#include "trial.h"
#include "grade.h"
#include "solera/clock.h"
#include "solera/memory.h"
#include "solera/watch.h"
#include <string.h>

sol_status_t sol_actor_trial_open (sol_actor_trial_t *t, const sol_actor_params_t *p)
{
  const sol_config_t *c = p->config;
  const uint64_t have = sol_task_count (p->task, SOL_SPLIT_HELDOUT);
  t->next = SOL_TRIAL_NONE;
  if (c->eval_every == 0) return SOL_OK;
  t->prompts = have > 0 && (uint64_t) c->eval_prompts > have ? (int64_t) have : c->eval_prompts;
  t->mine = t->prompts > p->index ? (t->prompts - p->index + p->n_actors - 1) / p->n_actors : 0;
  if (t->mine == 0) return SOL_OK; /* more actors than prompts */
  t->problem = sol_alloc ((size_t) t->mine * sizeof *t->problem);
  t->next = p->first_trial;
  return sol_broker_reserve (p->broker, -1, t->next);
}

void sol_actor_trial_close (sol_actor_trial_t *t)
{
  sol_free (t->problem);
  sol_prompt_free (&t->prompt);
}

sol_status_t sol_actor_trial_start (sol_actor_trial_t *t, const sol_actor_params_t *p, sol_decoder_t *d)
{
  t->on = 1;
  t->put = t->done = 0;
  t->start_s = sol_clock_s ();
  sol_decoder_purpose (d, SOL_RANDOM_EVAL);
  return sol_broker_reserve (p->broker, t->next, sol_trial_next (p->config, t->next + 1));
}

/* as many prompts as find room */
static sol_status_t put_prompts (sol_actor_trial_t *t, const sol_actor_params_t *p, sol_decoder_t *d)
{
  const sol_config_t *c = p->config;
  for (; t->put < t->mine && sol_decoder_free_slots (d) > 0; t->put++) {
    const uint64_t i = (uint64_t) (p->index + t->put * p->n_actors);
    SOL_TRY (sol_task_prompt (p->task, SOL_SPLIT_HELDOUT, i, &t->prompt));
    SOL_TRY (sol_task_fits (p->task, SOL_SPLIT_HELDOUT, &t->prompt, sol_model_arch (p->model)->context));
    const sol_status_t st = sol_decoder_put (d, i, i, t->prompt.ids.data, t->prompt.ids.n, (int32_t) c->n_samples, (int32_t) c->max_new);
    if (st != SOL_OK) return st == SOL_AGAIN ? SOL_OK : st;
  }
  return SOL_OK;
}

static sol_status_t grade (sol_actor_trial_t *t, const sol_actor_params_t *p, const sol_group_out_t *g)
{
  sol_trial_problem_t *q = &t->problem[((int64_t) g->tag - p->index) / p->n_actors];
  SOL_TRY (sol_task_prompt (p->task, SOL_SPLIT_HELDOUT, g->tag, &t->prompt));
  *q = (sol_trial_problem_t){ .index = (int64_t) g->tag, .set = t->prompt.set, .id = t->prompt.id };
  sol_grade_t *graded = sol_alloc ((size_t) g->n_samples * sizeof *graded);
  const sol_status_t st = sol_group_grade (p->task, &t->prompt, g, graded);
  for (int32_t s = 0; s < g->n_samples; s++) {
    q->correct += graded[s].correct != 0;
    q->truncated += g->finish[s] == SOL_FINISH_LENGTH;
    q->tokens += g->len[s];
  }
  sol_free (graded);
  t->done++;
  return st;
}

sol_status_t sol_actor_trial_step (sol_actor_trial_t *t, const sol_actor_params_t *p, sol_decoder_t *d)
{
  sol_group_out_t g;
  sol_status_t st;
  SOL_TRY (put_prompts (t, p, d));
  st = sol_decoder_step (d);
  if (st != SOL_OK && st != SOL_AGAIN) return st;
  while ((st = sol_decoder_take (d, &g)) == SOL_OK) SOL_TRY (grade (t, p, &g));
  if (st != SOL_AGAIN) return st;
  sol_watch_beat ("evaluating");
  if (t->done < t->mine) return SOL_OK;
  const sol_trial_share_t share = { .version = t->next, .actor = p->index, .actors = p->n_actors, .prompts = t->prompts, .samples = p->config->n_samples,
                                    .seconds = sol_clock_s () - t->start_s, .n = t->mine, .problem = t->problem };
  SOL_TRY (sol_trial_put (p->config->out, &share));
  t->on = 0;
  t->next = sol_trial_next (p->config, t->next + 1);
  sol_decoder_purpose (d, SOL_RANDOM_SAMPLE);
  return SOL_OK;
}
