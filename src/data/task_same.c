/* SPDX-License-Identifier: Apache-2.0 */
/* task_same.c: problems that are there twice: in two files of task.path, on both sides of the held-out split, or among those that an evaluation asks and a run was trained on. Two problems are the
 * same when their words are: white space does not count. */
#include "solera/file.h"
#include "solera/hash.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "task_internal.h"
#include <string.h>

/* ---- problems by their words */
typedef struct { const char *path; const sol_problem_t *p; int set, held; } place_t;
typedef struct { place_t *slot; size_t mask; sol_buffer_t a, b; } words_t;

static void add_words (const char *text, sol_buffer_t *out)
{
  static const char blank[] = " \t\n\v\f\r";
  sol_buffer_clear (out);
  for (text += strspn (text, blank); *text; text += strspn (text, blank)) {
    const size_t n = strcspn (text, blank);
    if (out->bytes) sol_buffer_add (out, " ", 1);
    sol_buffer_add (out, text, n);
    text += n;
  }
}

static void words_open (words_t *w, uint64_t n)
{
  *w = (words_t){ .mask = 16 };
  while (w->mask < 2 * (size_t) n) w->mask *= 2;
  w->slot = sol_alloc (w->mask-- * sizeof *w->slot);
}

static void words_close (words_t *w)
{
  sol_free (w->slot);
  sol_buffer_free (&w->a);
  sol_buffer_free (&w->b);
}

/* where a problem of these words stands, or would */
static place_t *words_find (words_t *w, const char *problem)
{
  add_words (problem, &w->a);
  for (size_t k = (size_t) sol_hash (w->a.data ? w->a.data : "", w->a.bytes) & w->mask;; k = (k + 1) & w->mask) {
    if (!w->slot[k].p) return &w->slot[k];
    add_words (w->slot[k].p->problem, &w->b);
    if (w->a.bytes == w->b.bytes && (!w->a.bytes || !memcmp (w->a.data, w->b.data, w->a.bytes))) return &w->slot[k];
  }
}

/* ---- in the files of a task */
typedef struct { int64_t n; place_t first, second; } pairs_t;

static void add_pair (pairs_t *t, const place_t *first, const place_t *second)
{
  if (t->n++ == 0) t->first = *first, t->second = *second;
}

static uint64_t id_of (const sol_problem_t *p) { return sol_hash (p->problem, strlen (p->problem)); }

void sol_sets_say_same (const sol_task_t *task)
{
  const int parted = task->c->task_holdout > 0 && (task->c->task_split == SOL_SPLIT_TRAIN || task->c->task_split == SOL_SPLIT_HELDOUT);
  pairs_t both = { 0 }, differ = { 0 }, leak = { 0 };
  words_t w;
  words_open (&w, task->n_rows);
  for (uint64_t r = 0; r < task->n_rows; r++) {
    const int set = sol_sets_of (task, r);
    const place_t now = { task->set[set].path, sol_sets_row (task, r), set, sol_task_held_out (task, id_of (sol_sets_row (task, r))) };
    place_t *before = words_find (&w, now.p->problem);
    if (!before->p) {
      *before = now;
      continue;
    }
    if (before->set != set) add_pair (&both, before, &now);
    if (before->set != set && strcmp (before->p->answer, now.p->answer)) add_pair (&differ, before, &now);
    if (parted && before->held != now.held) add_pair (&leak, before->held ? before : &now, before->held ? &now : before);
  }
  words_close (&w);
  if (both.n)
    sol_log (SOL_LOG_WARN, "task", "%lld problems stand in two files of task.path and are asked from both; the first: %.200s:%lld and %.200s:%lld", (long long) both.n, both.first.path, (long long) both.first.p->line, both.second.path,
             (long long) both.second.p->line);
  if (differ.n)
    sol_log (SOL_LOG_WARN, "task", "%lld problems stand in two files with different answers; the first: %.200s:%lld has \"%.60s\", %.200s:%lld has \"%.60s\"", (long long) differ.n, differ.first.path,
             (long long) differ.first.p->line, differ.first.p->answer, differ.second.path, (long long) differ.second.p->line, differ.second.p->answer);
  if (leak.n)
    sol_log (SOL_LOG_WARN, "task", "%lld problems are both held out and, with other white space, trained on, so rates of held-out problems come out too good; the first: %.200s:%lld is held out, %.200s:%lld is trained on",
             (long long) leak.n, leak.first.path, (long long) leak.first.p->line, leak.second.path, (long long) leak.second.p->line);
}

/* ---- in what a run was trained on */

static void add_file (words_t *w, const sol_config_t *run, const char *path, const sol_dataset_t *data)
{
  const sol_task_t of = { .c = run };
  for (int64_t i = 0; i < sol_dataset_size (data); i++) {
    const sol_problem_t *p = sol_dataset_row (data, i);
    place_t *at = words_find (w, p->problem);
    if (!at->p && !sol_task_held_out (&of, id_of (p))) *at = (place_t){ .path = path, .p = p };
  }
}

static void say_seen (const sol_task_t *task, int split, uint64_t n, words_t *trained, const char *name)
{
  pairs_t seen = { 0 };
  for (uint64_t i = 0; i < n; i++) {
    const uint64_t r = sol_text_row (task, split, i);
    const place_t now = { .path = task->set[sol_sets_of (task, r)].path, .p = sol_sets_row (task, r) }, *at = words_find (trained, now.p->problem);
    if (at->p) add_pair (&seen, &now, at);
  }
  if (seen.n)
    sol_log (SOL_LOG_WARN, "task", "%lld of the %llu problems that are asked are among those that %.200s was trained on; the first: %.200s:%lld, in training %.200s:%lld", (long long) seen.n, (unsigned long long) n, name,
             seen.first.path, (long long) seen.first.p->line, seen.second.path, (long long) seen.second.p->line);
}

void sol_task_say_seen (const sol_task_t *task, int split, uint64_t n, const sol_config_t *run, const char *name)
{
  int n_files = 0;
  uint64_t rows = 0;
  words_t trained;
  if (!task->set || run->task != SOL_TASK_JSONL) return;
  while (run->task_path[n_files]) n_files++;
  sol_dataset_t **data = sol_alloc (((size_t) n_files + 1) * sizeof *data);
  for (int j = 0; j < n_files; j++) {
    if (!sol_file_exists (run->task_path[j]) || sol_dataset_open_as (run->task_path[j], run->task_utf8 == SOL_UTF8_REPLACE, 0, &data[j]) != SOL_OK)
      sol_log (SOL_LOG_WARN, "task", "%s, on which %.200s was trained, cannot be read from here: whether problems that are asked stand in it is not known", run->task_path[j], name);
    else rows += (uint64_t) sol_dataset_size (data[j]);
  }
  words_open (&trained, rows);
  for (int j = 0; j < n_files; j++)
    if (data[j]) add_file (&trained, run, run->task_path[j], data[j]);
  say_seen (task, split, n, &trained, name);
  words_close (&trained);
  for (int j = 0; j < n_files; j++) sol_dataset_close (data[j]);
  sol_free (data);
}
