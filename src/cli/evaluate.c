/* SPDX-License-Identifier: Apache-2.0 */
/* evaluate.c: `solera eval MODEL`: pass rate of a model on a task's prompts. */
#include "generate.h"
#include "setup.h"
#include "solera/eval.h"
#include "solera/evals.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/passk.h"
#include "solera/stop.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

typedef struct { FILE *rows; const sol_task_t *task; sol_evals_problem_t *problem; /* by index of the prompt; zero where another rank did it */ } each_t;

/* one line a prompt: what was asked, what came, what was right */
static sol_status_t write_row (void *ctx, const sol_prompt_t *prompt, const sol_group_out_t *out, const sol_grade_t *grades)
{
  each_t *e = ctx;
  sol_buffer_t b = { 0 }, text = { 0 };
  sol_evals_problem_t *count = &e->problem[prompt->index];
  *count = (sol_evals_problem_t) { .index = (int64_t) prompt->index, .id = prompt->id, .samples = out->n_samples };
  for (int32_t s = 0; s < out->n_samples; s++) {
    count->correct += grades[s].correct;
    count->truncated += out->finish[s] == SOL_FINISH_LENGTH;
    count->tokens += out->len[s];
  }
  if (!e->rows) return SOL_OK;
  sol_buffer_printf (&b, "{\"index\":%llu,\"prompt\":", (unsigned long long) prompt->index);
  sol_buffer_json (&b, prompt->text.data ? prompt->text.data : "", prompt->text.bytes);
  sol_buffer_printf (&b, ",\"answer\":");
  sol_buffer_json (&b, prompt->answer.data ? prompt->answer.data : "", prompt->answer.bytes);
  sol_buffer_printf (&b, ",\"responses\":[");
  for (int32_t s = 0; s < out->n_samples; s++) {
    sol_buffer_clear (&text);
    sol_task_text (e->task, out->ids + (int64_t) s * out->stride, out->len[s], &text);
    sol_buffer_printf (&b, "%s{\"correct\":%s,\"tokens\":%d,\"text\":", s ? "," : "", grades[s].correct ? "true" : "false", out->len[s]);
    sol_buffer_json (&b, text.data ? text.data : "", text.bytes);
    sol_buffer_add (&b, "}", 1);
  }
  sol_buffer_printf (&b, "]}\n");
  fwrite (b.data, 1, b.bytes, e->rows);
  sol_buffer_free (&b);
  sol_buffer_free (&text);
  return ferror (e->rows) ? sol_fail (SOL_ERR_IO, "eval", "the file of rows cannot be written") : SOL_OK;
}

/* the row of evals.h5: the estimates, from the counts of all problems */
static sol_evals_row_t estimate (const sol_config_t *c, const sol_eval_t *e, const sol_evals_problem_t *problem)
{
  const uint64_t seed = (uint64_t) c->seed;
  const double n = e->responses > 0 ? (double) e->responses : 1;
  sol_tally_t *t = sol_alloc (((size_t) e->prompts + 1) * sizeof *t);
  for (int64_t i = 0; i < e->prompts; i++) t[i] = (sol_tally_t) { problem[i].samples, problem[i].correct };
  const sol_estimate_t avg = sol_tally_avg (t, e->prompts, seed), pass = sol_tally_pass (t, e->prompts, c->n_samples, seed);
  sol_free (t);
  sol_evals_row_t r = { .version = -1, .problems = e->prompts, .samples = c->n_samples, .temperature = c->greedy ? 0 : c->temperature, .top_p = c->top_p, .max_tokens = c->max_new, .seed = seed,
                        .avg = avg.mean, .avg_low = avg.low, .avg_high = avg.high, .pass_k = c->n_samples, .pass = pass.mean, .pass_low = pass.low, .pass_high = pass.high,
                        .truncated = (double) e->truncated / n, .mean_tokens = (double) e->tokens / n, .seconds = e->seconds, .time = (int64_t) time (NULL) };
  return r;
}

static sol_status_t print_result (const sol_eval_t *e, const sol_evals_row_t *r, int json)
{
  double n = e->responses > 0 ? (double) e->responses : 1, p = (double) e->correct / n, se = sqrt (p * (1 - p) / n);
  if (json)
    printf ("{\"pass_rate\":%.6f,\"standard_error\":%.6f,\"prompts\":%lld,\"responses\":%lld,\"correct\":%lld,\"mixed\":%lld,\"truncated\":%lld,\"mean_tokens\":%.3f,\"mean_reward\":%.6f,\"seconds\":%.3f,"
            "\"samples\":%lld,\"avg\":%.6f,\"avg_low\":%.6f,\"avg_high\":%.6f,\"pass\":%.6f,\"pass_low\":%.6f,\"pass_high\":%.6f}\n",
            p, se, (long long) e->prompts, (long long) e->responses, (long long) e->correct, (long long) e->mixed, (long long) e->truncated, (double) e->tokens / n, e->reward / n, e->seconds,
            (long long) r->samples, r->avg, r->avg_low, r->avg_high, r->pass, r->pass_low, r->pass_high);
  else
    printf ("pass rate %.4f +- %.4f (%lld of %lld responses, %lld prompts, %lld of them mixed)\nmean length %.1f tokens, %.1f %% truncated, %.1f s\navg@%lld %.4f (95 %% interval over problems: %.4f to %.4f), pass@%lld %.4f (%.4f to %.4f)\n", p, se, (long long) e->correct,
            (long long) e->responses, (long long) e->prompts, (long long) e->mixed, (double) e->tokens / n, 100.0 * (double) e->truncated / n, e->seconds, (long long) r->samples, r->avg, r->avg_low, r->avg_high,
            (long long) r->pass_k, r->pass, r->pass_low, r->pass_high);
  return fflush (stdout) == 0 && !ferror (stdout) ? SOL_OK : sol_fail (SOL_ERR_IO, "eval", "standard output: writing failed: %s", strerror (errno));
}

/* a row a data set */
static sol_status_t append_rows (const sol_config_t *c, const sol_task_t *task, const sol_evals_row_t *row, const sol_evals_problem_t *problem)
{
  char *path = sol_path_join (c->out, SOL_EVALS_NAME);
  int32_t *set = sol_alloc (((size_t) row->problems + 1) * sizeof *set);
  for (int64_t i = 0; i < row->problems; i++) set[i] = sol_task_set (task, (int) c->task_split, (uint64_t) i);
  const sol_status_t st = sol_evals_append_sets (path, c, row, problem, set);
  sol_free (set);
  sol_free (path);
  return st;
}

int sol_evaluate (const char *model_dir, const sol_config_t *config, const char *rows_path, int json)
{
  sol_comm_t *world = sol_comm_world ();
  sol_setup_t setup = { 0 };
  sol_backend_t *backend = NULL;
  sol_model_t *model = NULL;
  each_t each = { 0 };
  sol_eval_t e;
  sol_status_t st;
  sol_stop_install ();
  SOL_GO (sol_setup_device (world, config, 1, 0));
  SOL_GO (sol_setup_create (config, model_dir, 1, &setup));
  SOL_GO (sol_setup_model (config, &setup, &backend, &model));
  each.task = setup.task;
  const uint64_t have = sol_task_count (setup.task, (int) config->task_split);
  each.problem = sol_alloc ((size_t) (have > 0 && have < (uint64_t) config->eval_prompts ? (int64_t) have : config->eval_prompts) * sizeof *each.problem);
  if (rows_path) {
    sol_buffer_t name = { 0 };
    SOL_GO (sol_dir_make (config->out));
    sol_buffer_printf (&name, sol_comm_size (world) > 1 ? "%s.%d" : "%s", rows_path, sol_comm_rank (world));
    each.rows = fopen (name.data, "w");
    st = each.rows ? SOL_OK : sol_fail (SOL_ERR_IO, "eval", "%s: cannot be written", name.data);
    sol_buffer_free (&name);
    if (st != SOL_OK) goto out;
  }
  sol_eval_params_t p = { .model = model, .task = setup.task, .config = config, .comm = world, .split = config->task_split, .prompts = config->eval_prompts,
                          .samples = (int32_t) config->n_samples, .each = write_row, .ctx = &each, .progress = sol_comm_rank (world) == 0 };
  SOL_GO (sol_eval_run (&p, &e));
  SOL_GO (sol_comm_sum_u64 (world, (uint64_t *) (void *) each.problem, (int) (e.prompts * (int64_t) (sizeof *each.problem / 8)))); /* each problem is one rank's, zero on the others */
  if (sol_comm_rank (world) == 0) {
    const sol_evals_row_t row = estimate (config, &e, each.problem);
    if (rows_path) SOL_GO (append_rows (config, setup.task, &row, each.problem));
    SOL_GO (print_result (&e, &row, json));
  }
out:
  if (each.rows && fclose (each.rows) && st == SOL_OK) st = sol_fail (SOL_ERR_IO, "eval", "%s: writing failed: %s", rows_path, strerror (errno));
  sol_free (each.problem);
  sol_model_destroy (model);
  if (backend) sol_backend_destroy (backend);
  sol_setup_destroy (&setup);
  if (st != SOL_OK && sol_comm_size (world) > 1) sol_comm_abort (st == SOL_ERR_USAGE ? 2 : 1);
  return st == SOL_OK ? 0 : st == SOL_ERR_USAGE ? 2 : 1;
}
