/* SPDX-License-Identifier: Apache-2.0 */
/* setup_data.c: what a run expects of its problems: that some are held out when it evaluates, and that they are the same when it goes on. */
#include "setup.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <stdio.h>
#include <string.h>

static sol_status_t check_held_out (const sol_config_t *c, const sol_task_t *task, const char *why)
{
  const uint64_t n = sol_task_count (task, SOL_SPLIT_HELDOUT), all = sol_task_count (task, SOL_SPLIT_ALL);
  const uint64_t asked = n < (uint64_t) c->eval_prompts ? n : (uint64_t) c->eval_prompts;
  if (all == 0) return SOL_OK; /* chain */
  if (n == 0)
    return sol_fail (SOL_ERR_USAGE, "task", "%s, but with task.holdout %g none of the %llu questions is held out: raise it", why, c->task_holdout, (unsigned long long) all);
  for (int j = 0; j < sol_task_sets (task) && sol_task_sets (task) > 1; j++) {
    uint64_t i = 0;
    while (i < asked && sol_task_set (task, SOL_SPLIT_HELDOUT, i) != j) i++;
    if (i == asked) sol_log (SOL_LOG_WARN, "task", "none of the %llu held-out problems that are evaluated (eval.prompts) is of the data set \"%s\": it will have no pass rate", (unsigned long long) asked, sol_task_set_name (task, j));
  }
  return SOL_OK;
}

sol_status_t sol_setup_held_out (sol_comm_t *world, const sol_config_t *c, const sol_setup_t *s, const char *why)
{
  return sol_comm_agree (world, sol_comm_rank (world) == 0 ? check_held_out (c, s->task, why) : SOL_OK);
}

/* ---- the same problems */

#define MARK "# data set: "

void sol_setup_data_lines (const sol_config_t *c, const sol_setup_t *s, sol_buffer_t *out)
{
  for (int j = 0; c->task == SOL_TASK_JSONL && j < sol_task_sets (s->task); j++) {
    const char *name = sol_task_set_name (s->task, j);
    int64_t n;
    const uint64_t digest = sol_task_set_digest (s->task, j, &n);
    sol_buffer_printf (out, MARK);
    sol_buffer_json (out, name, strlen (name)); /* in one line, whatever it is */
    sol_buffer_printf (out, ", %lld problems, xxh3 %016llx\n", (long long) n, (unsigned long long) digest);
  }
}

/* line of the next data set at or behind text, with its length; NULL: none */
static const char *find_line (const char *text, size_t *n)
{
  const size_t mark = strlen (MARK);
  while (*text == '#' && strncmp (text, MARK, mark)) {
    text += strcspn (text, "\n");
    text += *text == '\n';
  }
  *n = *text == '#' ? strcspn (text, "\n") : 0;
  return *n ? text : NULL;
}

sol_status_t sol_setup_same_data (const sol_config_t *c, const sol_setup_t *s, const char *path, const char *settings)
{
  sol_buffer_t now = { 0 };
  size_t n_old, n_new;
  const char *old = find_line (settings, &n_old), *new;
  sol_status_t st = SOL_OK;
  sol_setup_data_lines (c, s, &now);
  new = find_line (now.data ? now.data : "", &n_new);
  if (!old) goto out; /* settings of another task, which was refused before, or of an older program */
  for (int j = 1; (old || new) && st == SOL_OK; j++) {
    if (!old || !new || n_old != n_new || memcmp (old, new, n_old))
      st = sol_fail (SOL_ERR_USAGE, "resume", "%s: data set %d of task.path was %.*s when the run began, now it is %.*s: on --resume files may move, but their names, order and problems may not change", path, j,
                     old ? (int) (n_old - strlen (MARK)) : 8, old ? old + strlen (MARK) : "not there", new ? (int) (n_new - strlen (MARK)) : 8, new ? new + strlen (MARK) : "not there");
    if (old) old = find_line (old[n_old] ? old + n_old + 1 : "", &n_old);
    if (new) new = find_line (new[n_new] ? new + n_new + 1 : "", &n_new);
  }
out:
  sol_buffer_free (&now);
  return st;
}
