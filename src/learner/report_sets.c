/* SPDX-License-Identifier: Apache-2.0 */
/* report_sets.c: pass rates of what an update was made from: of each data set, and with what batch.refill dropped. */
#include "learner_internal.h"
#include "solera/dataset.h"
#include "solera/metrics.h"
#include "solera/task.h"
#include <math.h>

void sol_report_sets_open (sol_learner_t *l, sol_buffer_t *lines)
{
  const sol_config_t *c = l->c;
  while (c->task == SOL_TASK_JSONL && c->task_path[l->n_sets]) l->n_sets++;
  l->set_name = sol_alloc (((size_t) l->n_sets + 1) * sizeof *l->set_name);
  l->set_pass = sol_alloc (((size_t) l->n_sets + 1) * sizeof *l->set_pass);
  if (!l->n_sets) sol_task_asks (c, lines);
  for (int j = 0; j < l->n_sets; j++) {
    sol_buffer_t name = { 0 };
    sol_dataset_name (c->task_path[j], &name);
    sol_buffer_printf (lines, "%s%s", j ? "\n" : "", name.data ? name.data : "");
    l->set_name[j] = name.data ? name.data : sol_strdup ("");
  }
}

void sol_report_sets_close (sol_learner_t *l)
{
  for (int j = 0; j < l->n_sets; j++) sol_free (l->set_name[j]);
  sol_free (l->set_name);
  sol_free (l->set_pass);
  l->set_name = NULL;
  l->set_pass = NULL;
  l->n_sets = 0;
}

/* adds group i of the mini-batch: right answers and responses, without what the update refused */
static void count (const sol_learner_t *l, int64_t mini, int64_t i, double *right, double *n)
{
  const sol_rollout_t *g = &l->group[mini * sol_learner_groups (l) + i];
  for (int32_t s = 0; s < g->n_responses; s++) {
    if (l->dropped[i * l->c->group + s]) continue;
    *right += g->n_parts > SOL_PART_ANSWER && g->parts[s * g->n_parts + SOL_PART_ANSWER] > 0;
    *n += 1;
  }
}

void sol_report_sets (sol_learner_t *l, int64_t mini, sol_metrics_row_t *m)
{
  const int64_t groups = sol_learner_groups (l);
  for (int j = 0; j < l->n_sets && l->n_sets > 1; j++) {
    double right = 0, n = 0;
    for (int64_t i = 0; i < groups; i++)
      if (l->group[mini * groups + i].set == j) count (l, mini, i, &right, &n);
    l->set_pass[j] = n > 0 ? right / n : NAN;
  }
  m->n_sets = l->n_sets;
  m->set_name = (const char *const *) l->set_name;
  m->set_pass = l->set_pass;
}

void sol_report_refilled (const sol_learner_t *l, int64_t mini, sol_metrics_row_t *m)
{
  const int64_t groups = sol_learner_groups (l);
  double right = 0, n = 0, dropped = 0, all_right = 0, all_wrong = 0, correct = 0;
  for (int64_t i = 0; i < groups; i++) {
    const sol_dropped_t *d = &l->group[mini * groups + i].dropped;
    count (l, mini, i, &right, &n);
    dropped += d->groups;
    all_right += d->all_right;
    all_wrong += d->all_wrong;
    correct += d->correct;
  }
  const double generated = n + dropped * (double) l->c->group;
  m->pass_rate = n > 0 ? right / n : NAN;
  m->pass_rate_generated = generated > 0 ? (right + correct) / generated : NAN;
  m->refilled_groups = dropped;
  m->refilled_right_share = dropped > 0 ? all_right / dropped : NAN;
  m->refilled_wrong_share = dropped > 0 ? all_wrong / dropped : NAN;
}
