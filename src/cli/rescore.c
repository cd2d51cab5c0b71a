/* SPDX-License-Identifier: Apache-2.0 */
/* rescore.c: `solera rescore`: updates in turn over the ranks, what they find in order of updates on rank 0. */
#include "rescore.h"
#include "solera/file.h"
#include "solera/grid.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/stop.h"
#include "solera/task.h"
#include "solera/tokenizer.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROOM "rescore"

/* what a rank has to say after each of its updates; sums and pairs follow */
typedef struct { int64_t status, stop, update, n, n_seq; } block_t;

typedef struct {
  const sol_rescore_options_t *o;
  sol_comm_t *world;
  int rank, size;
  sol_stats_reader_t *reader;
  sol_config_t *config;
  sol_rescore_rules_t rules;
  sol_rescore_words_t words;
  sol_rescore_work_t work;
  sol_rescore_head_t head;
  sol_rescore_texts_t texts;  /* rank 0 */
  size_t block_bytes;
  char *block, *all;          /* of this rank, of all */
  /* rank 0 */
  sol_rescore_row_t sum;
  sol_buffer_t text;
  double *grid;
  int64_t *grid_update, n_grid, room_grid, tokens;
} run_t;

static size_t sums_bytes (const run_t *r) { return (size_t) r->rules.n * sizeof (sol_rescore_sum_t); }
static size_t pairs_bytes (const run_t *r) { return (size_t) (r->rules.n * r->rules.n) * sizeof (sol_rescore_pair_t); }
static sol_rescore_row_t row_of (const run_t *r, char *block)
{
  const block_t *b = (const block_t *) (const void *) block;
  return (sol_rescore_row_t){ .update = b->update, .n = b->n, .n_seq = b->n_seq, .sum = (void *) (block + sizeof *b), .pair = (void *) (block + sizeof *b + sums_bytes (r)) };
}

/* ---- the run's folder, by every rank for itself; rank 0 goes first, so that what is wrong is said once */
static sol_status_t read_settings (run_t *r)
{
  const char *text = sol_stats_reader_settings (r->reader);
  char *name = sol_path_join (r->o->run, "stats");
  sol_buffer_t b = { 0 };
  sol_buffer_printf (&b, "%s: attribute settings", name);
  sol_status_t st = sol_config_parse (text, strlen (text), b.data, NULL, &r->config);
  sol_buffer_free (&b);
  sol_free (name);
  return st;
}

static sol_status_t check_range (run_t *r)
{
  const int64_t last = sol_stats_reader_last (r->reader);
  r->head = (sol_rescore_head_t){ .run = r->o->run, .program = sol_stats_reader_program (r->reader), .rules = &r->rules, .from = r->o->from, .to = r->o->to < 0 ? last : r->o->to, .done = r->o->from - 1 };
  if (r->head.to > last) return sol_fail (SOL_ERR_USAGE, ROOM, "--to is %lld: %s has updates 0 to %lld", (long long) r->head.to, r->o->run, (long long) last);
  if (r->head.from > r->head.to) return sol_fail (SOL_ERR_USAGE, ROOM, "--from is %lld, behind the last update, %lld", (long long) r->head.from, (long long) r->head.to);
  return SOL_OK;
}

static sol_status_t check_columns (run_t *r)
{
  if (r->config->lp_correct == SOL_LP_CORRECT_TIS) { /* of all rules: it says what the tokens are */
    r->work.want |= SOL_STATS_READ_CHECK;
    r->work.check_cap = r->config->lp_cap;
    if (!sol_stats_reader_has (r->reader, SOL_STATS_READ_CHECK, r->head.from, r->head.to)) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s has lp_check.correct, but did not record tokens/lp_check", r->o->run);
  }
  for (int i = 0; i < r->rules.n; i++) {
    if (!sol_objective_needs_prox (r->rules.o[i])) continue;
    r->work.want |= SOL_STATS_READ_PROX;
    if (!sol_stats_reader_has (r->reader, SOL_STATS_READ_PROX, r->head.from, r->head.to))
      return sol_fail (SOL_ERR_USAGE, ROOM, "%s needs tokens/lp_prox, which %s did not record: only runs with objective.name: decoupled_ppo do", r->rules.label[i], r->o->run);
  }
  return SOL_OK;
}

static sol_status_t open_run (run_t *r)
{
  SOL_TRY (sol_stats_reader_open (r->o->run, &r->reader));
  SOL_TRY (check_range (r));
  SOL_TRY (read_settings (r));
  SOL_TRY (sol_rescore_rules (r->config, r->o->objectives, &r->rules));
  SOL_TRY (sol_rescore_against (&r->rules, r->o->against));
  SOL_TRY (check_columns (r));
  r->work.rules = &r->rules;
  r->work.words = r->o->tokens > 0 ? &r->words : NULL;
  r->block_bytes = sizeof (block_t) + sums_bytes (r) + pairs_bytes (r);
  r->block = sol_alloc (r->block_bytes);
  r->all = sol_alloc (r->block_bytes * (size_t) r->size);
  r->sum.sum = sol_alloc (sums_bytes (r));
  r->sum.pair = sol_alloc (pairs_bytes (r));
  return SOL_OK;
}

/* the final model's folder, else the one that the run began with, if it has a tokenizer; the chain task has texts of its own */
static sol_status_t open_texts (run_t *r)
{
  char *model = sol_path_join (r->o->run, "model");
  const char *const folder[] = { model, r->config->model_path };
  sol_status_t st = SOL_OK;
  for (int i = 0; i < 2 && st == SOL_OK && !r->texts.tokenizer; i++) {
    if (!folder[i] || !*folder[i]) continue;
    char *file = sol_path_join (folder[i], "tokenizer.json"), *words = sol_path_join (folder[i], "vocab.json");
    if (sol_file_exists (file) || sol_file_exists (words)) st = sol_tokenizer_load (folder[i], &r->texts.tokenizer);
    sol_free (file);
    sol_free (words);
  }
  sol_free (model);
  if (st == SOL_OK && !r->texts.tokenizer && !sol_task_needs_tokenizer (r->config)) st = sol_task_create (r->config, NULL, NULL, &r->texts.chain);
  return st;
}

static sol_status_t set_up (run_t *r)
{
  sol_status_t st = SOL_OK;
  if (r->rank == 0) st = open_run (r);
  if (r->rank == 0 && st == SOL_OK && r->o->tokens > 0) st = open_texts (r);
  SOL_TRY (sol_comm_agree (r->world, st));
  if (r->rank > 0) st = open_run (r);
  SOL_TRY (sol_comm_agree (r->world, st));
  return sol_comm_bcast (r->world, &r->head.to, sizeof r->head.to, 0); /* of a run that goes on another rank may have seen more */
}

/* ---- rank 0 */
static sol_status_t print (run_t *r)
{
  const size_t n = r->text.bytes;
  const int bad = n && (fwrite (r->text.data, 1, n, stdout) != n || fflush (stdout) != 0);
  sol_buffer_clear (&r->text);
  return bad ? sol_fail (SOL_ERR_IO, ROOM, "cannot write to standard output") : SOL_OK;
}

static void add_sum (sol_rescore_sum_t *to, const sol_rescore_sum_t *s)
{
  if (s->refused && !to->refused) {
    to->refused_seq = s->refused_seq;
    memcpy (to->why, s->why, sizeof to->why);
  }
  to->updates += s->updates, to->refused += s->refused, to->n += s->n, to->n_seq += s->n_seq, to->n_high += s->n_high, to->n_low += s->n_low, to->n_masked += s->n_masked;
  to->n_advantage += s->n_advantage, to->lag += s->lag, to->lag_marked += s->lag_marked;
  to->ratio += s->ratio, to->ratio_kept += s->ratio_kept, to->effective += s->effective, to->entropy += s->entropy, to->entropy_marked += s->entropy_marked;
  to->mass_pos += s->mass_pos, to->mass_neg += s->mass_neg;
}

static int grid_wide (const run_t *r) { return SOL_RESCORE_N * r->rules.n + r->rules.n * r->rules.n; }
static void add_grid (run_t *r, const sol_rescore_row_t *row)
{
  const int n = r->rules.n;
  if (r->n_grid == r->room_grid) {
    r->room_grid = r->room_grid ? 2 * r->room_grid : 64;
    r->grid = sol_realloc (r->grid, sizeof *r->grid * (size_t) (r->room_grid * grid_wide (r)));
    r->grid_update = sol_realloc (r->grid_update, sizeof *r->grid_update * (size_t) r->room_grid);
  }
  double *to = r->grid + r->n_grid * grid_wide (r);
  for (int i = 0; i < n; i++) {
    double f[SOL_RESCORE_N];
    sol_rescore_figures (row, n, i, f);
    for (int k = 0; k < SOL_RESCORE_N; k++) to[k * n + i] = f[k];
  }
  for (int i = 0; i < n * n; i++) to[SOL_RESCORE_N * n + i] = i / n == i % n ? 0 : row->pair[i].both > 0 ? (double) row->pair[i].differ / (double) row->pair[i].both : NAN;
  r->grid_update[r->n_grid++] = row->update;
}

static sol_status_t write_grid (run_t *r)
{
  sol_grid_column_t column[SOL_RESCORE_N + 1];
  sol_buffer_t label = { 0 }, full = { 0 };
  for (int i = 0; i < r->rules.n; i++) {
    sol_buffer_printf (&label, "%s%s", i ? "," : "", r->rules.label[i]);
    sol_buffer_printf (&full, "%s%s", i ? "," : "", r->rules.full[i]);
  }
  for (int k = 0; k < SOL_RESCORE_N; k++) column[k] = (sol_grid_column_t){ sol_rescore_figure[k].name, sol_rescore_figure[k].unit, sol_rescore_figure[k].doc, r->rules.n };
  column[SOL_RESCORE_N] = (sol_grid_column_t){ "differ_pairs", "share of tokens", "tokens that one of two rules marks; rule a, rule b at a * rules + b", r->rules.n * r->rules.n };
  const sol_grid_text_t text[] = { { "format", "solera rescore" }, { "program", PACKAGE_STRING }, { "run", r->o->run }, { "run_program", r->head.program }, { "objectives", label.data }, { "parameters", full.data } };
  const sol_grid_t g = { .column = column, .n_columns = SOL_RESCORE_N + 1, .text = text, .n_texts = 6, .update = r->grid_update, .row = r->grid, .n_rows = r->n_grid };
  sol_status_t st = sol_grid_write (r->o->hdf5, &g);
  sol_buffer_free (&label);
  sol_buffer_free (&full);
  return st;
}

static sol_status_t take_row (run_t *r, const sol_rescore_row_t *row)
{
  r->tokens += row->n;
  r->sum.n += row->n;
  r->sum.n_seq += row->n_seq;
  for (int i = 0; i < r->rules.n; i++) add_sum (&r->sum.sum[i], &row->sum[i]);
  for (int i = 0; i < r->rules.n * r->rules.n; i++) {
    r->sum.pair[i].differ += row->pair[i].differ;
    r->sum.pair[i].both += row->pair[i].both;
  }
  if (r->o->hdf5) add_grid (r, row);
  if (r->o->json) sol_rescore_json_update (&r->head, row, &r->text);
  else sol_rescore_text_update (&r->head, row, &r->text);
  return print (r);
}

static void progress (const run_t *r, int end)
{
  if (!sol_log_is_terminal (STDERR_FILENO) || sol_log_is_terminal (STDOUT_FILENO)) return;
  fprintf (stderr, "\rupdate %lld of %lld%s", (long long) r->head.done, (long long) r->head.to, end ? "\n" : " ");
}

/* ---- the loop */
static sol_status_t own_update (run_t *r, int64_t update)
{
  block_t *b = (block_t *) (void *) r->block;
  sol_stats_update_t t;
  memset (r->block, 0, r->block_bytes);
  b->stop = sol_stop_requested ();
  if (update > r->head.to) return SOL_OK;
  sol_rescore_row_t row = row_of (r, r->block);
  SOL_TRY (sol_stats_reader_update (r->reader, update, r->work.want, &t));
  SOL_TRY (sol_rescore_update (&r->work, &t, update, &row));
  b->update = update;
  b->n = row.n;
  b->n_seq = row.n_seq;
  return SOL_OK;
}

/* one update a rank; SOL_END after the last, SOL_STOPPED */
static sol_status_t turn (run_t *r, int64_t first)
{
  block_t *mine = (block_t *) (void *) r->block;
  sol_status_t st = own_update (r, first + r->rank), worst = SOL_OK;
  int stopped = 0;
  mine->status = st;
  SOL_TRY (sol_comm_allgather (r->world, r->block, r->block_bytes, r->all));
  for (int k = 0; k < r->size; k++) {
    const block_t *b = (const block_t *) (const void *) (r->all + (size_t) k * r->block_bytes);
    if ((sol_status_t) b->status > worst) worst = (sol_status_t) b->status;
    stopped |= b->stop != 0;
  }
  if (worst != SOL_OK) return worst;
  for (int k = 0; k < r->size && first + k <= r->head.to; k++) {
    const sol_rescore_row_t row = row_of (r, r->all + (size_t) k * r->block_bytes);
    r->head.done = row.update;
    if (r->rank == 0 && st == SOL_OK) st = take_row (r, &row);
  }
  if (r->rank == 0) progress (r, 0);
  SOL_TRY (sol_comm_agree (r->world, st));
  return r->head.done == r->head.to ? SOL_END : stopped ? SOL_STOPPED : SOL_OK;
}

static sol_status_t finish (run_t *r)
{
  sol_status_t st = SOL_OK;
  if (r->o->tokens > 0) SOL_TRY (sol_rescore_words_sum (&r->words, r->rules.n, r->world));
  if (r->rank == 0) {
    if (r->o->json) sol_rescore_json_sum (&r->head, &r->sum, &r->text);
    else sol_rescore_text_sum (&r->head, &r->sum, &r->text);
    if (r->o->tokens > 0 && r->o->json) sol_rescore_json_words (&r->head, &r->words, r->o->tokens, &r->texts, &r->text);
    else if (r->o->tokens > 0) sol_rescore_text_words (&r->head, &r->words, r->o->tokens, &r->texts, &r->text);
    st = print (r);
    if (st == SOL_OK && r->o->hdf5) st = write_grid (r);
  }
  return sol_comm_agree (r->world, st);
}

/* what bounds it: reading, or the rules */
static sol_status_t say_speed (run_t *r)
{
  int64_t bytes;
  double x[3] = { sol_stats_reader_seconds (r->reader, &bytes), 0, r->work.seconds };
  x[1] = (double) bytes / 1e6;
  SOL_TRY (sol_comm_sum_f64 (r->world, x, 3));
  if (r->rank == 0)
    sol_log (SOL_LOG_INFO, ROOM, "%lld tokens; over %d rank%s: reading %.1f MB took %.2f s (%.0f MB/s a rank), the rules took %.2f s (%.2f million tokens/s a rank and rule)", (long long) r->tokens, r->size,
             r->size > 1 ? "s" : "", x[1], x[0], x[0] > 0 ? x[1] / x[0] : 0, x[2], x[2] > 0 ? (double) r->tokens * r->rules.n / x[2] / 1e6 : 0);
  return SOL_OK;
}

static sol_status_t run (run_t *r)
{
  sol_status_t st;
  SOL_TRY (set_up (r));
  if (r->rank == 0) {
    if (r->o->json) sol_rescore_json_head (&r->head, &r->text);
    else sol_rescore_text_head (&r->head, &r->text);
  }
  int64_t first = r->head.from;
  do st = turn (r, first);
  while (st == SOL_OK && (first += r->size) >= 0);
  if (r->rank == 0) progress (r, 1);
  if (st != SOL_END && st != SOL_STOPPED) return st;
  r->head.stopped = st == SOL_STOPPED;
  SOL_TRY (finish (r));
  SOL_TRY (say_speed (r));
  if (r->head.stopped && r->rank == 0) sol_log (SOL_LOG_WARN, ROOM, "stopped after update %lld of %lld", (long long) r->head.done, (long long) r->head.to);
  return st;
}

sol_status_t sol_rescore (const sol_rescore_options_t *o, sol_comm_t *world)
{
  run_t r = { .o = o, .world = world, .rank = sol_comm_rank (world), .size = sol_comm_size (world) };
  sol_stop_install ();
  sol_status_t st = run (&r);
  sol_stats_reader_close (r.reader);
  sol_config_destroy (r.config);
  sol_rescore_work_free (&r.work);
  sol_rescore_words_free (&r.words);
  sol_rescore_rules_free (&r.rules);
  if (r.texts.tokenizer) sol_tokenizer_destroy (r.texts.tokenizer);
  if (r.texts.chain) sol_task_destroy (r.texts.chain);
  sol_buffer_free (&r.text);
  sol_free (r.block), sol_free (r.all), sol_free (r.sum.sum), sol_free (r.sum.pair), sol_free (r.grid), sol_free (r.grid_update);
  return st;
}
