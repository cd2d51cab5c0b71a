/* SPDX-License-Identifier: Apache-2.0 */
/* evaluate_ask.c: one data set: its problems spread over the ranks, what each rank finished kept at once, the figures made of what all have. */
#include "evaluate.h"
#include "solera/clock.h"
#include "solera/eval.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/passk.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROOM "eval"

typedef struct {
  sol_evaluate_run_t *r;
  const sol_config_t *c;
  const sol_evaluate_set_t *set;
  sol_task_t *task;
  int64_t problems, samples, done; /* done: before this start */
  int finished;                    /* its responses were complete before this start */
  sol_response_mark_t *mark;       /* [problems][samples] zero where it is another rank's */
  uint8_t *passed;                 /* [problems] done before */
  sol_parts_t parts;
  sol_buffer_t lines, text, extracted;
} ask_t;

static sol_status_t put_lines (ask_t *a, const sol_prompt_t *prompt, const sol_group_out_t *g)
{
  static const char *const finish[] = { "", "eos", "stop", "length" };
  sol_buffer_clear (&a->lines);
  for (int32_t s = 0; s < g->n_samples; s++) {
    const int64_t at = (int64_t) s * g->stride;
    sol_response_t x = { .index = (int64_t) prompt->index, .sample = s, .id = sol_task_row_id (a->task, (int) a->c->task_split, prompt->index), .prompt = prompt->id, .text = &a->text, .extracted = &a->extracted,
                         .expected = &prompt->answer, .finish = finish[g->finish[s]], .correct = a->mark[(int64_t) prompt->index * a->samples + s].correct, .tokens = g->len[s] };
    x.form = sol_task_extract (a->task, prompt, g->ids + at, g->len[s], g->finish[s], &a->text, &a->extracted);
    for (int32_t t = 0; t < g->len[s]; t++) x.logprob += (double) g->lp[at + t];
    sol_response_line (&x, &a->lines);
  }
  return sol_parts_put (&a->parts, &a->lines);
}

static sol_status_t take (void *ctx, const sol_prompt_t *prompt, const sol_group_out_t *g, const sol_grade_t *grades)
{
  ask_t *a = ctx;
  for (int32_t s = 0; s < g->n_samples; s++)
    a->mark[(int64_t) prompt->index * a->samples + s] = (sol_response_mark_t) { .prompt = prompt->id, .tokens = g->len[s], .correct = grades[s].correct != 0, .finish = g->finish[s] };
  if (!a->r->out) return SOL_OK;
  const sol_status_t st = put_lines (a, prompt, g);
  if (st != SOL_OK && sol_comm_size (a->r->world) > 1) sol_comm_abort (1); /* else the others would work on to their end first */
  return st;
}

/* Every problem of a file must fit: better said at once than when it is reached. */
static sol_status_t check_problems (const ask_t *a)
{
  sol_prompt_t prompt = { 0 };
  sol_status_t st = SOL_OK;
  for (int64_t i = 0; a->set->path[0] && i < a->problems && st == SOL_OK; i++) {
    st = sol_task_prompt (a->task, (int) a->c->task_split, (uint64_t) i, &prompt);
    if (st == SOL_OK) st = sol_task_fits (a->task, (int) a->c->task_split, &prompt, a->r->setup.arch.context);
  }
  sol_prompt_free (&prompt);
  return st;
}

static sol_status_t open_task (ask_t *a)
{
  const char *folder = a->r->from.folder[0] ? a->r->from.folder : NULL;
  SOL_TRY (sol_task_create (a->c, a->r->setup.tokenizer, folder, &a->task));
  if (a->r->rank == 0) sol_task_say (a->task);
  if (sol_task_vocab (a->task) > a->r->setup.arch.vocab) return sol_fail (SOL_ERR_USAGE, "model", "the task has %d tokens, the model %d", sol_task_vocab (a->task), a->r->setup.arch.vocab);
  const uint64_t have = sol_task_count (a->task, (int) a->c->task_split);
  a->problems = have > 0 && have < (uint64_t) a->c->eval_prompts ? (int64_t) have : a->c->eval_prompts;
  a->samples = a->c->n_samples;
  return SOL_OK;
}

/* a rate of problems that were trained on says little */
static void say_seen (const ask_t *a)
{
  const sol_evaluate_model_t *m = &a->r->from;
  sol_config_t *run = sol_evaluate_trained (m);
  if (run) sol_task_say_seen (a->task, (int) a->c->task_split, (uint64_t) a->problems, run, m->run[0] ? m->run : m->folder[0] ? m->folder : m->checkpoint);
  sol_config_destroy (run);
}

sol_status_t sol_evaluate_check (sol_evaluate_run_t *r, int i)
{
  ask_t a = { .r = r, .c = r->config[i], .set = &r->set[i] };
  sol_status_t st;
  if (r->set[i].missing) return SOL_OK;
  st = open_task (&a);
  if (st == SOL_OK) st = check_problems (&a);
  if (st == SOL_OK) say_seen (&a);
  sol_task_destroy (a.task);
  return st;
}

/* what is there of it already, from rank 0 to all */
static sol_status_t look_back (ask_t *a)
{
  sol_evaluate_run_t *r = a->r;
  sol_status_t st = SOL_OK;
  void *mark = NULL;
  st = sol_alloc_large ((size_t) (a->problems * a->samples) * sizeof *a->mark, "the responses' figures", &mark);
  a->mark = mark;
  a->passed = sol_alloc ((size_t) a->problems);
  if (st == SOL_OK && r->rank == 0 && r->out) {
    st = sol_parts_read (r->out, a->set->name, a->problems, a->samples, a->mark, &a->done, &a->finished);
    for (int64_t i = 0; st == SOL_OK && i < a->problems; i++) a->passed[i] = a->mark[i * a->samples].finish > 0;
  }
  SOL_TRY (sol_comm_agree (r->world, st));
  SOL_TRY (sol_comm_bcast (r->world, a->passed, (size_t) a->problems, 0));
  SOL_TRY (sol_comm_bcast (r->world, &a->done, sizeof a->done, 0));
  SOL_TRY (sol_comm_bcast (r->world, &a->finished, sizeof a->finished, 0));
  if (r->rank == 0 && a->done > 0 && !a->finished) sol_log (SOL_LOG_INFO, ROOM, "%s: %" PRId64 " of %" PRId64 " problems are answered already", a->set->name, a->done, a->problems);
  return SOL_OK;
}

/* each place is one rank's, zero on the others */
static sol_status_t add_up (ask_t *a)
{
  const int64_t words = a->problems * a->samples * (int64_t) (sizeof *a->mark / 8);
  for (int64_t at = 0; at < words; at += 1 << 24)
    SOL_TRY (sol_comm_sum_u64 (a->r->world, (uint64_t *) (void *) a->mark + at, (int) (words - at < 1 << 24 ? words - at : 1 << 24)));
  return SOL_OK;
}

static int by_tokens (const void *a, const void *b)
{
  const int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;
  return x < y ? -1 : x > y;
}

static double median (const ask_t *a)
{
  const int64_t n = a->problems * a->samples;
  int64_t *x = sol_alloc ((size_t) (n + 1) * sizeof *x);
  for (int64_t i = 0; i < n; i++) x[i] = a->mark[i].tokens;
  qsort (x, (size_t) n, sizeof *x, by_tokens);
  const double m = n ? ((double) x[(n - 1) / 2] + (double) x[n / 2]) / 2 : NAN;
  sol_free (x);
  return m;
}

sol_evals_row_t sol_evaluate_conditions (const sol_evaluate_run_t *r, const sol_config_t *c)
{
  sol_evals_row_t row = { .version = r->from.version, .samples = c->n_samples, .pass_k = r->o->pass ? r->o->pass : c->n_samples, .temperature = c->greedy ? 0 : c->temperature, .top_p = c->top_p, .max_tokens = c->max_new, .seed = (uint64_t) c->seed };
  if (r->o->preset) snprintf (row.preset, sizeof row.preset, "%s", r->o->preset);
  return row;
}

/* rank 0: the estimates, from the marks of all */
static sol_evals_row_t estimate (const ask_t *a, const sol_evals_problem_t *problem, double seconds)
{
  const uint64_t seed = (uint64_t) a->c->seed;
  const int64_t n = a->problems * a->samples;
  sol_evals_row_t row = sol_evaluate_conditions (a->r, a->c);
  sol_tally_t *t = sol_alloc (((size_t) a->problems + 1) * sizeof *t);
  int64_t tokens = 0, finish[4] = { 0 };
  for (int64_t i = 0; i < a->problems; i++) t[i] = (sol_tally_t) { a->samples, problem[i].correct };
  for (int64_t i = 0; i < n; i++) {
    tokens += a->mark[i].tokens;
    finish[a->mark[i].finish & 3]++;
  }
  const sol_estimate_t avg = sol_tally_avg (t, a->problems, seed), pass = sol_tally_pass (t, a->problems, row.pass_k, seed);
  sol_free (t);
  memcpy (row.data, a->set->name, sizeof row.data);
  row.problems = a->problems;
  row.avg = avg.mean, row.avg_low = avg.low, row.avg_high = avg.high;
  row.pass = pass.mean, row.pass_low = pass.low, row.pass_high = pass.high;
  row.truncated = (double) finish[SOL_FINISH_LENGTH] / (double) n, row.ended = (double) finish[SOL_FINISH_EOS] / (double) n, row.stopped = (double) finish[SOL_FINISH_STOP] / (double) n;
  row.mean_tokens = (double) tokens / (double) n, row.median_tokens = median (a);
  row.seconds = seconds, row.time = (int64_t) time (NULL);
  return row;
}

/* several data sets of the settings (task.path) are a row each, of which the lengths and ends of responses are not known apart */
static sol_status_t append_sets (const ask_t *a, const char *path, const sol_evals_row_t *row, const sol_evals_problem_t *problem)
{
  sol_evals_row_t all = *row;
  int32_t *set = sol_alloc ((size_t) (a->problems + 1) * sizeof *set);
  all.median_tokens = all.ended = all.stopped = NAN;
  for (int64_t i = 0; i < a->problems; i++) set[i] = sol_task_set (a->task, (int) a->c->task_split, (uint64_t) i);
  const sol_status_t st = sol_evals_append_sets (path, a->c, &all, problem, set, a->r->o->resume);
  sol_free (set);
  return st;
}

/* appends the row to evals.h5: of out, else of the run that the weights are of */
static sol_status_t append_row (const ask_t *a, const sol_evals_row_t *row, const sol_evals_problem_t *problem)
{
  const sol_evaluate_run_t *r = a->r;
  const char *folder = r->out ? r->out : r->from.run[0] ? r->from.run : NULL;
  if (!folder) return SOL_OK;
  char *path = sol_path_join (folder, SOL_EVALS_NAME);
  const sol_status_t st = sol_task_sets (a->task) > 1 ? append_sets (a, path, row, problem) : r->o->resume ? sol_evals_append_once (path, row, problem) : sol_evals_append (path, row, problem);
  sol_free (path);
  return st;
}

static sol_evals_problem_t counts (const ask_t *a, int64_t i)
{
  const sol_response_mark_t *m = &a->mark[i * a->samples];
  sol_evals_problem_t p = { .index = i, .id = m->prompt, .samples = a->samples };
  for (int64_t s = 0; s < a->samples; s++) {
    p.correct += m[s].correct;
    p.truncated += m[s].finish == SOL_FINISH_LENGTH;
    p.tokens += m[s].tokens;
  }
  return p;
}

/* rank 0, when all is answered. What a kill interrupts here is done again, and a row that it appended is found there: the parts go last. */
static sol_status_t finish (ask_t *a, double seconds)
{
  sol_evaluate_run_t *r = a->r;
  sol_evals_problem_t *problem = sol_alloc ((size_t) a->problems * sizeof *problem);
  sol_status_t st = SOL_OK;
  for (int64_t i = 0; i < a->problems; i++) problem[i] = counts (a, i);
  const sol_evals_row_t row = estimate (a, problem, seconds);
  if (!a->finished) {
    if (r->out) SOL_GO (sol_parts_join (r->out, a->set->name, a->problems, a->samples));
    SOL_GO (append_row (a, &row, problem));
    if (r->out) SOL_GO (sol_parts_remove (r->out, a->set->name, 0));
  }
  st = sol_evaluate_print (&r->table, &row, problem);
out:
  sol_free (problem);
  return st;
}

static void say_stopped (const ask_t *a)
{
  int64_t n = 0;
  for (int64_t i = 0; i < a->problems; i++) n += a->mark[i * a->samples].finish > 0;
  if (a->r->out) sol_log (SOL_LOG_WARN, ROOM, "stopped: %" PRId64 " of %" PRId64 " problems of %s are answered and kept in %s; the same command with --resume goes on", n, a->problems, a->set->name, a->r->out);
  else sol_log (SOL_LOG_WARN, ROOM, "stopped at %" PRId64 " of %" PRId64 " problems of %s; nothing of it is kept: that needs out=FOLDER", n, a->problems, a->set->name);
}

static sol_status_t ask (ask_t *a)
{
  sol_evaluate_run_t *r = a->r;
  const double t0 = sol_clock_s ();
  sol_eval_t e;
  sol_status_t st = open_task (a);
  SOL_TRY (sol_comm_agree (r->world, st));
  SOL_TRY (look_back (a));
  if (r->out && a->done < a->problems) st = sol_parts_open (r->out, a->set->name, r->rank, &a->parts);
  SOL_TRY (sol_comm_agree (r->world, st));
  sol_eval_params_t p = { .model = r->model, .task = a->task, .config = a->c, .comm = r->world, .split = (int) a->c->task_split, .prompts = a->problems, .samples = (int32_t) a->samples, .done = a->passed,
                          .name = r->o->data || r->o->preset ? a->set->name : NULL, .each = take, .ctx = a, .progress = r->rank == 0 };
  if (a->done < a->problems) st = sol_eval_run (&p, &e);
  const sol_status_t closed = sol_comm_agree (r->world, sol_parts_close (&a->parts));
  if (st == SOL_OK) st = closed;
  if (st != SOL_OK && st != SOL_STOPPED) return st;
  SOL_TRY (add_up (a));
  if (st == SOL_STOPPED && r->rank == 0) say_stopped (a);
  if (st == SOL_OK && r->rank == 0) st = finish (a, sol_clock_s () - t0);
  return sol_comm_agree (r->world, st);
}

sol_status_t sol_evaluate_ask (sol_evaluate_run_t *r, int i)
{
  ask_t a = { .r = r, .c = r->config[i], .set = &r->set[i] };
  sol_status_t st;
  if (r->set[i].missing) return sol_comm_agree (r->world, r->rank == 0 ? sol_evaluate_print_missing (&r->table, &r->set[i]) : SOL_OK);
  st = ask (&a);
  sol_parts_close (&a.parts);
  sol_task_destroy (a.task);
  sol_free (a.mark);
  sol_free (a.passed);
  sol_buffer_free (&a.lines);
  sol_buffer_free (&a.text);
  sol_buffer_free (&a.extracted);
  return st;
}

