/* SPDX-License-Identifier: Apache-2.0 */
/* plan_time.c: time on paper: a rehearsal of what the busiest actor and learner do, through a backend that adds up (paper.h), and bytes over rates for what goes between ranks. */
#include "plan.h"
#include "solera/actor.h"
#include "solera/learner.h"
#include "solera/memory.h"
#include <string.h>

double sol_work_seconds (const sol_work_t *w)
{
  double s = 0;
  for (int k = 0; k < SOL_PAPER_CLASSES; k++) s += sol_paper_seconds (&w->sum[k]);
  return s;
}

double sol_work_flops (const sol_work_t *w)
{
  double n = 0;
  for (int k = 0; k < SOL_PAPER_CLASSES; k++) n += w->sum[k].flops;
  return n;
}

static void add (sol_work_t *to, const sol_work_t *w, double times)
{
  for (int k = 0; k < SOL_PAPER_CLASSES; k++) {
    to->sum[k].calls += (int64_t) times * w->sum[k].calls;
    to->sum[k].flops += times * w->sum[k].flops;
    to->sum[k].bytes += times * w->sum[k].bytes;
    to->sum[k].compute_s += times * w->sum[k].compute_s;
    to->sum[k].memory_s += times * w->sum[k].memory_s;
    to->sum[k].launch_s += times * w->sum[k].launch_s;
  }
}

/* what has been added up since the last time goes to w */
typedef struct { sol_backend_t *paper; sol_work_t part[3]; int n; } stages_t;
static void next_stage (void *ctx)
{
  stages_t *s = ctx;
  for (int k = 0; k < SOL_PAPER_CLASSES; k++) s->part[s->n].sum[k] = sol_paper_sum (s->paper, (sol_paper_class_t) k);
  sol_paper_clear (s->paper);
  s->n++;
}
static void next_phase (void *ctx, sol_phase_t phase)
{
  (void) phase; /* in the order of sol_training_t */
  next_stage (ctx);
}

/* a rehearsal is made once for each number */
static const stages_t *find (const struct sol_plan_seen *s, int64_t n)
{
  for (; s; s = s->next)
    if (s->n == n) return s->what;
  return NULL;
}
static void keep (struct sol_plan_seen **list, int64_t n, stages_t *what)
{
  struct sol_plan_seen *s = sol_alloc (sizeof *s);
  *s = (struct sol_plan_seen){ n, what, *list };
  *list = s;
}
void sol_planner_forget (sol_planner_t *p)
{
  for (int i = 0; i < 2; i++)
    for (struct sol_plan_seen **list = i ? &p->updates : &p->waves, *s = *list, *next; s; s = *list = next) {
      next = s->next;
      sol_free (s->what);
      sol_free (s);
    }
}

/* responses that start together and end together: prompts and first tokens, then the rest */
static sol_status_t wave (sol_planner_t *p, int64_t responses, const stages_t **out)
{
  stages_t *s;
  *out = find (p->waves, responses);
  if (*out) return SOL_OK;
  s = sol_alloc (sizeof *s);
  s->paper = p->backend;
  keep (&p->waves, responses, s);
  sol_paper_clear (p->backend);
  SOL_TRY (sol_actor_rehearse (p->config, p->model, responses, next_stage, s));
  next_stage (s);
  *out = s;
  return SOL_OK;
}

static sol_transfer_t transfer (double bytes, double rate) { return (sol_transfer_t){ bytes, rate, bytes > 0 ? bytes / rate : 0 }; }

static sol_status_t generation (sol_planner_t *p, const sol_plan_t *plan, sol_generation_t *g)
{
  const sol_config_t *c = p->config;
  const sol_accelerator_t *d = &p->device;
  const int64_t prompts = (c->prompts + plan->actors - 1) / plan->actors, responses = prompts * c->group, rounds[2] = { responses / c->slots, responses % c->slots > 0 };
  *g = (sol_generation_t){ .prompts = prompts, .responses = responses, .install = p->install };
  for (int i = 0; i < 2; i++) {
    const stages_t *s;
    if (rounds[i] == 0) continue;
    SOL_TRY (wave (p, i ? responses % c->slots : c->slots, &s));
    add (&g->prefill, &s->part[0], (double) rounds[i]);
    add (&g->decode, &s->part[1], (double) rounds[i]);
  }
  /* every actor's block over the brokers' adapters */
  g->fetch = transfer ((double) plan->actors * (double) sol_model_bytes (p->model), (double) plan->brokers * d->network * d->link_share);
  g->decode_s = sol_work_seconds (&g->prefill) + sol_work_seconds (&g->decode);
  g->total_s = g->decode_s + g->fetch.s + sol_work_seconds (&g->install);
  return SOL_OK;
}

static sol_status_t training (sol_planner_t *p, const sol_plan_t *plan, sol_training_t *t)
{
  const sol_accelerator_t *d = &p->device;
  const double n = plan->learners, part = (n - 1) / n, block = (double) sol_model_bytes (p->model), rate = (plan->learners <= d->devices ? d->link : d->network) * d->link_share;
  const stages_t *seen = find (p->updates, plan->learners);
  if (!seen) {
    stages_t *s = sol_alloc (sizeof *s);
    s->paper = p->backend;
    keep (&p->updates, plan->learners, s);
    sol_paper_clear (p->backend);
    SOL_TRY (sol_learner_rehearse (p->config, p->model, p->reference, plan->learners, next_phase, s));
    seen = s;
  }
  *t = (sol_training_t){ .updates = (int) p->config->ups, .forward = seen->part[0], .backward = seen->part[1], .optimizer = seen->part[2] };
  t->reduce = transfer (part * (double) sol_grad_elements (p->model) * sizeof (float), rate); /* a ring: all but a learner's own slice leave it */
  t->share = transfer (part * block, rate);
  t->get = transfer (block, d->pcie * d->link_share);
  t->publish = transfer (block, d->network * d->link_share);
  t->update_s = sol_work_seconds (&t->forward) + sol_work_seconds (&t->backward) + sol_work_seconds (&t->optimizer) + t->reduce.s + t->share.s;
  t->total_s = t->updates * t->update_s + t->get.s + t->publish.s;
  return SOL_OK;
}

sol_status_t sol_plan_time (sol_planner_t *p, sol_plan_t *plan)
{
  const sol_config_t *c = p->config;
  SOL_TRY (generation (p, plan, &plan->generation));
  plan->has_generation = 1;
  SOL_TRY (training (p, plan, &plan->training));
  plan->has_training = 1;
  if (plan->actor.device.fit == SOL_PLAN_LACKS || plan->learner.device.fit == SOL_PLAN_LACKS) return SOL_OK; /* what a role would take with room for it; there is no run */
  /* rollouts that must be of the newest weights cannot be made while those are trained */
  plan->in_turn = plan->solo || (p->setup.schedule ? p->setup.schedule->least == 0 : c->stale_mode != SOL_STALE_FREE && c->stale_k < c->ups);
  const double g = plan->generation.total_s, t = plan->training.total_s;
  plan->period_s = plan->in_turn ? g + t : g > t ? g : t;
  plan->tokens_s = (double) (c->prompts * c->group * c->max_new) / plan->period_s;
  plan->updates_h = 3600 * (double) c->ups / plan->period_s;
  return SOL_OK;
}
