/* SPDX-License-Identifier: Apache-2.0 */
/* trial.c: the files of evaluations during training */
#include "solera/trial.h"
#include "solera/buffer.h"
#include "solera/checkpoint.h"
#include "solera/evals.h"
#include "solera/file.h"
#include "solera/json.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROOM "eval"
#define MOST ((int64_t) 1 << 53)

int64_t sol_trial_next (const sol_config_t *c, int64_t from)
{
  if (c->eval_every == 0 || from > c->updates) return SOL_TRIAL_NONE;
  const int64_t v = (from + c->eval_every - 1) / c->eval_every * c->eval_every;
  return v < c->updates ? v : c->updates;
}

static char *share_path (const char *run_dir, int64_t version, int64_t actor)
{
  sol_buffer_t name = { 0 };
  sol_buffer_printf (&name, "evals/v%08" PRId64 ".actor%" PRId64 ".json", version, actor);
  char *path = sol_path_join (run_dir, name.data);
  sol_buffer_free (&name);
  return path;
}

sol_status_t sol_trial_put (const char *run_dir, const sol_trial_share_t *s)
{
  char *path = share_path (run_dir, s->version, s->actor), *dir = sol_path_join (run_dir, "evals");
  sol_buffer_t b = { 0 };
  sol_status_t st = sol_dir_make (dir);
  sol_buffer_printf (&b, "{\"version\":%" PRId64 ",\"actor\":%" PRId64 ",\"actors\":%" PRId64 ",\"prompts\":%" PRId64 ",\"samples\":%" PRId64 ",\"seconds\":%.9g,\"problems\":[", s->version, s->actor,
                     s->actors, s->prompts, s->samples, s->seconds);
  for (int64_t i = 0; i < s->n; i++) {
    const sol_trial_problem_t *p = &s->problem[i];
    sol_buffer_printf (&b, "%s\n{\"index\":%" PRId64 ",\"set\":%" PRId64 ",\"id\":\"%016" PRIx64 "\",\"correct\":%" PRId64 ",\"truncated\":%" PRId64 ",\"tokens\":%" PRId64 "}", i ? "," : "", p->index, p->set, p->id, p->correct,
                       p->truncated, p->tokens);
  }
  sol_buffer_printf (&b, "]}\n");
  if (st == SOL_OK) st = sol_file_write (path, b.data, b.bytes);
  sol_buffer_free (&b);
  sol_free (dir);
  sol_free (path);
  return st;
}

/* ---- adding up */

static int whole (const cJSON *o, const char *name, int64_t most, int64_t *value_p) { return sol_json_int (cJSON_GetObjectItemCaseSensitive (o, name), 0, most, value_p); }

static int read_problem (const cJSON *o, const sol_trial_share_t *s, sol_trial_problem_t *p)
{
  const char *id = sol_json_string (o, "id");
  char *end = NULL;
  if (!whole (o, "index", MOST, &p->index) || !whole (o, "set", INT32_MAX, &p->set) || !whole (o, "correct", s->samples, &p->correct) || !whole (o, "truncated", s->samples, &p->truncated) || !whole (o, "tokens", MOST, &p->tokens)) return 0;
  if (!id || strlen (id) != 16) return 0;
  p->id = strtoull (id, &end, 16);
  return !*end && p->index == s->actor + s->n * s->actors;
}

/* SOL_AGAIN: it is not there */
static sol_status_t read_share (const char *run_dir, int64_t version, int64_t actor, sol_trial_share_t *s)
{
  char *path = share_path (run_dir, version, actor);
  cJSON *o = NULL;
  const cJSON *list, *p, *seconds;
  sol_status_t st = SOL_AGAIN;
  int good;
  if (!sol_file_exists (path)) goto out;
  SOL_GO (sol_json_load (path, &o));
  list = cJSON_GetObjectItemCaseSensitive (o, "problems");
  seconds = cJSON_GetObjectItemCaseSensitive (o, "seconds");
  good = whole (o, "version", MOST, &s->version) && s->version == version && whole (o, "actor", MOST, &s->actor) && s->actor == actor && whole (o, "actors", MOST, &s->actors) && s->actors > actor &&
         whole (o, "prompts", MOST, &s->prompts) && s->prompts > actor && whole (o, "samples", MOST, &s->samples) && s->samples > 0 && cJSON_IsNumber (seconds) && cJSON_IsArray (list);
  if (good) {
    s->seconds = seconds->valuedouble;
    s->problem = sol_alloc ((size_t) (cJSON_GetArraySize (list) + 1) * sizeof *s->problem);
    cJSON_ArrayForEach (p, list)
    {
      if (!(good = read_problem (p, s, &s->problem[s->n]))) break;
      s->n++;
    }
  }
  if (!good || s->n != (s->prompts - actor + s->actors - 1) / s->actors)
    st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: expected actor %" PRId64 "'s share of the evaluation of version %" PRId64 ", found something else", path, actor, version);
out:
  cJSON_Delete (o);
  sol_free (path);
  return st;
}

static int all_there (const char *run_dir, int64_t version, int64_t n)
{
  int yes = 1;
  for (int64_t i = 0; i < n && yes; i++) {
    char *path = share_path (run_dir, version, i);
    yes = sol_file_exists (path);
    sol_free (path);
  }
  return yes;
}

/* in the order of prompts: the same figures for any number of actors */
static void estimate (const sol_config_t *c, const sol_tally_t *tally, int64_t truncated, int64_t tokens, sol_trial_t *t)
{
  const double responses = (double) t->prompts * (double) t->samples;
  t->avg = sol_tally_avg (tally, t->prompts, (uint64_t) c->seed);
  t->pass = sol_tally_pass (tally, t->prompts, t->samples, (uint64_t) c->seed);
  t->truncated = (double) truncated / responses;
  t->mean_tokens = (double) tokens / responses;
}

static void add_line (const sol_trial_t *t, sol_buffer_t *b)
{
  sol_buffer_printf (b, "{\"version\":%" PRId64 ",\"prompts\":%" PRId64 ",\"samples\":%" PRId64 ",\"avg\":%.9g,\"avg_low\":%.9g,\"avg_high\":%.9g,\"pass_k\":%" PRId64 ",\"pass\":%.9g,\"pass_low\":%.9g,\"pass_high\":%.9g,",
                     t->version, t->prompts, t->samples, t->avg.mean, t->avg.low, t->avg.high, t->samples, t->pass.mean, t->pass.low, t->pass.high);
  sol_buffer_printf (b, "\"truncated\":%.9g,\"mean_tokens\":%.9g,\"seconds\":%.4g}\n", t->truncated, t->mean_tokens, t->seconds);
}

static sol_status_t append (const char *run_dir, const sol_trial_t *t)
{
  char *path = sol_path_join (run_dir, "evals.jsonl"), *old = NULL;
  size_t bytes = 0;
  sol_buffer_t b = { 0 };
  sol_status_t st = SOL_OK;
  if (sol_file_exists (path)) SOL_GO (sol_file_read (path, 0, &old, &bytes));
  sol_buffer_add (&b, old ? old : "", bytes);
  add_line (t, &b);
  st = sol_file_write (path, b.data, b.bytes);
out:
  sol_buffer_free (&b);
  sol_free (old);
  sol_free (path);
  return st;
}

/* rows of evals.h5, one a data set; problem, set: [prompts] in order */
static sol_status_t add_row (const sol_config_t *c, const sol_trial_t *t, const sol_evals_problem_t *problem, const int32_t *set)
{
  sol_evals_row_t r = { .version = t->version, .problems = t->prompts, .samples = t->samples, .temperature = c->temperature, .top_p = 1, .max_tokens = c->max_new, .seed = (uint64_t) c->seed,
                        .avg = t->avg.mean, .avg_low = t->avg.low, .avg_high = t->avg.high, .pass_k = t->samples, .pass = t->pass.mean, .pass_low = t->pass.low, .pass_high = t->pass.high,
                        .truncated = t->truncated, .mean_tokens = t->mean_tokens, .seconds = t->seconds, .time = (int64_t) time (NULL), .median_tokens = NAN, .ended = NAN, .stopped = NAN };
  char *path = sol_path_join (c->out, SOL_EVALS_NAME);
  const sol_status_t st = sol_evals_append_sets (path, c, &r, problem, set, 1);
  sol_free (path);
  return st;
}

static void remove_shares (const char *run_dir, int64_t version, int64_t n)
{
  for (int64_t i = 0; i < n; i++) {
    char *path = share_path (run_dir, version, i);
    remove (path);
    sol_free (path);
  }
}

sol_status_t sol_trial_take (const sol_config_t *c, int64_t version, sol_trial_t *t)
{
  sol_trial_share_t first = { 0 }, s = { 0 };
  sol_tally_t *tally = NULL;
  sol_evals_problem_t *problem = NULL;
  int32_t *set = NULL;
  int64_t n, truncated = 0, tokens = 0;
  sol_status_t st = read_share (c->out, version, 0, &first);
  if (st != SOL_OK) goto out;
  n = first.actors < first.prompts ? first.actors : first.prompts;
  st = all_there (c->out, version, n) ? SOL_OK : SOL_AGAIN;
  if (st != SOL_OK) goto out;
  *t = (sol_trial_t){ .version = version, .prompts = first.prompts, .samples = first.samples };
  tally = sol_alloc ((size_t) t->prompts * sizeof *tally);
  problem = sol_alloc ((size_t) t->prompts * sizeof *problem);
  set = sol_alloc ((size_t) t->prompts * sizeof *set);
  for (int64_t i = 0; i < n; i++) {
    sol_free (s.problem);
    s = (sol_trial_share_t){ 0 };
    SOL_GO (read_share (c->out, version, i, &s));
    if (s.actors != first.actors || s.prompts != first.prompts || s.samples != first.samples) {
      st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s/evals: the shares of version %" PRId64 " of actors 0 and %" PRId64 " are of different evaluations", c->out, version, i);
      goto out;
    }
    for (int64_t j = 0; j < s.n; j++) {
      const sol_trial_problem_t *p = &s.problem[j];
      tally[p->index] = (sol_tally_t){ s.samples, p->correct };
      problem[p->index] = (sol_evals_problem_t){ .index = p->index, .id = p->id, .samples = s.samples, .correct = p->correct, .truncated = p->truncated, .tokens = p->tokens };
      set[p->index] = (int32_t) p->set;
      truncated += p->truncated;
      tokens += p->tokens;
    }
    if (s.seconds > t->seconds) t->seconds = s.seconds;
  }
  estimate (c, tally, truncated, tokens, t);
  SOL_GO (add_row (c, t, problem, set));
  SOL_GO (append (c->out, t));
  remove_shares (c->out, version, n);
out:
  sol_free (tally);
  sol_free (problem);
  sol_free (set);
  sol_free (first.problem);
  sol_free (s.problem);
  return st;
}

/* ---- the best */

/* one line of evals.jsonl; 0: it is none, as a part of one may be at the end of a damaged file */
static int read_line (const char *line, size_t bytes, int64_t *version_p, double *avg_p, double *pass_p)
{
  char why[128];
  cJSON *o = NULL;
  int good = sol_json_parse (line, bytes, &o, why) == SOL_OK && whole (o, "version", MOST, version_p);
  const cJSON *avg = cJSON_GetObjectItemCaseSensitive (o, "avg"), *pass = cJSON_GetObjectItemCaseSensitive (o, "pass");
  good = good && cJSON_IsNumber (avg) && cJSON_IsNumber (pass);
  if (good) *avg_p = avg->valuedouble, *pass_p = pass->valuedouble;
  cJSON_Delete (o);
  return good;
}

/* calls see for every line, until it answers 0 */
static sol_status_t each_line (const char *run_dir, int (*see) (void *ctx, int64_t version, double avg, double pass), void *ctx)
{
  char *path = sol_path_join (run_dir, "evals.jsonl"), *text = NULL;
  size_t bytes;
  int64_t n = 0, version;
  double avg, pass;
  sol_status_t st = SOL_OK;
  if (!sol_file_exists (path)) goto out;
  SOL_GO (sol_file_read (path, 0, &text, &bytes));
  for (char *line = text, *end; (end = strchr (line, '\n')); line = end + 1) {
    n++;
    if (!read_line (line, (size_t) (end - line), &version, &avg, &pass)) {
      st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s:%" PRId64 ": expected an object with version, avg and pass, found something else", path, n);
      goto out;
    }
    if (!see (ctx, version, avg, pass)) break;
  }
out:
  sol_free (text);
  sol_free (path);
  return st;
}

typedef struct { const sol_config_t *c; int64_t version; double value; } choice_t;

static int compare (void *ctx, int64_t version, double avg, double pass)
{
  choice_t *b = ctx;
  const double value = b->c->ckpt_best == SOL_BEST_PASS ? pass : avg;
  if ((b->version < 0 || value > b->value) && sol_checkpoint_there (b->c->out, version)) b->version = version, b->value = value;
  return 1;
}

sol_status_t sol_trial_choose (const sol_config_t *c)
{
  choice_t best = { c, -1, 0 };
  int64_t old;
  if (c->ckpt_best != SOL_BEST_NONE) SOL_TRY (each_line (c->out, compare, &best));
  SOL_TRY (sol_checkpoint_best (c->out, &old));
  if (old == best.version) return SOL_OK;
  if (best.version >= 0) sol_log (SOL_LOG_INFO, ROOM, "the best checkpoint is that of update %" PRId64 " (%.4f)", best.version, best.value);
  return sol_checkpoint_name_best (c->out, best.version);
}

typedef struct { int64_t version; int found; double avg, pass; } wanted_t;

static int pick (void *ctx, int64_t version, double avg, double pass)
{
  wanted_t *w = ctx;
  if (version == w->version) *w = (wanted_t){ version, 1, avg, pass };
  return !w->found;
}

sol_status_t sol_trial_rates (const char *run_dir, int64_t version, double *avg_p, double *pass_p)
{
  wanted_t w = { .version = version };
  SOL_TRY (each_line (run_dir, pick, &w));
  *avg_p = w.avg;
  *pass_p = w.pass;
  return w.found ? SOL_OK : SOL_END;
}

/* ---- the start */

/* of versions that nobody will evaluate */
typedef struct { int64_t n, last, there, last_there; } missing_t; /* there: their checkpoint is kept */

static void miss (const sol_config_t *c, int64_t version, missing_t *m)
{
  m->n++;
  m->last = version;
  if (!sol_checkpoint_there (c->out, version)) return;
  m->there++;
  m->last_there = version;
}

static void say_missing (const sol_config_t *c, const missing_t *m, int64_t resumed)
{
  if (m->n == 0) return;
  sol_log (SOL_LOG_WARN, ROOM, "%" PRId64 " evaluations before update %" PRId64 " were not made (the last: version %" PRId64 "), and the weights of %" PRId64 " are gone", m->n, resumed, m->last, m->n - m->there);
  if (m->there > 0)
    sol_log (SOL_LOG_WARN, ROOM, "the weights of %" PRId64 " are in checkpoints that are kept: solera eval %s/checkpoints/u%08" PRId64 " task.split=heldout adds the row of the last to evals.h5", m->there, c->out, m->last_there);
}

/* lines up to a version stay, in *kept; says what is missing */
static void keep_lines (const sol_config_t *c, const char *text, int64_t resumed, sol_buffer_t *kept, int64_t *first_p)
{
  int64_t next = sol_trial_next (c, 0);
  missing_t missing = { 0 };
  for (const char *end; text && (end = strchr (text, '\n')); text = end + 1) {
    int64_t v;
    if (sscanf (text, "{\"version\":%" SCNd64, &v) != 1 || v > resumed) break;
    sol_buffer_add (kept, text, (size_t) (end + 1 - text));
    for (; next < v; next = sol_trial_next (c, next + 1)) miss (c, next, &missing);
    if (next == v) next = sol_trial_next (c, next + 1);
  }
  for (; next < resumed; next = sol_trial_next (c, next + 1)) miss (c, next, &missing);
  say_missing (c, &missing, resumed);
  *first_p = next;
}

sol_status_t sol_trial_begin (const sol_config_t *c, int64_t resumed, int64_t *first_p)
{
  char *path = sol_path_join (c->out, "evals.jsonl"), *dir = sol_path_join (c->out, "evals"), *old = NULL;
  size_t bytes = 0;
  sol_buffer_t kept = { 0 };
  sol_status_t st = SOL_OK;
  *first_p = SOL_TRIAL_NONE;
  if (c->eval_every == 0) {
    st = sol_trial_choose (c);
    goto out;
  }
  SOL_GO (sol_dir_remove (dir));
  if (resumed >= 0 && sol_file_exists (path)) SOL_GO (sol_file_read (path, 0, &old, &bytes));
  keep_lines (c, old, resumed, &kept, first_p);
  SOL_GO (sol_file_write (path, kept.data ? kept.data : "", kept.bytes));
  st = sol_trial_choose (c);
out:
  sol_buffer_free (&kept);
  sol_free (old);
  sol_free (dir);
  sol_free (path);
  return st;
}
