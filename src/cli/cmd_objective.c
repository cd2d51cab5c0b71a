/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_objective.c: an objective as a filter: one update batch a row, by the functions that training uses. */
#include "filter.h"
#include "solera/command.h"
#include "solera/json.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/objective.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const sol_command_t sol_command_objective;

typedef struct { int64_t seq; int at; } place_t;
typedef struct {
  const char *name;
  const sol_options_t *options;
  /* the present row, tokens sorted by (sequence, position) */
  int n;
  place_t *place; /* [n] where token i stands in the row */
  float *column[4];
  int64_t *seq;
  double *c, *c_row;
  uint8_t *verdict, *verdict_row;
} filter_t;

static const struct { const char *key; int needed; } columns[] = { { "d", 1 }, { "A", 1 }, { "lp", 0 }, { "d_prox", 0 } };

static int by_sequence (const void *a, const void *b)
{
  const place_t *x = a, *y = b;
  if (x->seq != y->seq) return x->seq < y->seq ? -1 : 1;
  return x->at - y->at;
}

static void row_free (filter_t *f)
{
  for (int k = 0; k < 4; k++) {
    sol_free (f->column[k]);
    f->column[k] = NULL;
  }
  sol_free (f->place), sol_free (f->seq), sol_free (f->c), sol_free (f->c_row), sol_free (f->verdict), sol_free (f->verdict_row);
  f->place = NULL, f->seq = NULL, f->c = NULL, f->c_row = NULL, f->verdict = NULL, f->verdict_row = NULL;
}

/* one column into row order; n < 0: of any length */
static sol_status_t read_numbers (const struct cJSON *row, const char *key, int n, double **x_p, int *n_p, char *why)
{
  const cJSON *array = cJSON_GetObjectItemCaseSensitive (row, key), *item;
  const int length = cJSON_GetArraySize (array);
  int i = 0;
  double *x;
  if (!cJSON_IsArray (array)) {
    snprintf (why, SOL_FILTER_WHY, "expected an array \"%s\"", key);
    return SOL_ERR_FORMAT;
  }
  if (n >= 0 && length != n) {
    snprintf (why, SOL_FILTER_WHY, "\"%s\": expected %d numbers, as in \"d\", found %d", key, n, length);
    return SOL_ERR_FORMAT;
  }
  x = sol_alloc ((size_t) (length + 1) * sizeof *x);
  cJSON_ArrayForEach (item, array)
  {
    if (!cJSON_IsNumber (item)) {
      snprintf (why, SOL_FILTER_WHY, "\"%s\"[%d]: expected a number", key, i);
      sol_free (x);
      return SOL_ERR_FORMAT;
    }
    x[i++] = item->valuedouble;
  }
  *x_p = x;
  *n_p = length;
  return SOL_OK;
}

static sol_status_t read_places (filter_t *f, const struct cJSON *row, char *why)
{
  double *x;
  int n;
  SOL_TRY (read_numbers (row, "d", -1, &x, &f->n, why));
  sol_free (x);
  if (f->n == 0) {
    snprintf (why, SOL_FILTER_WHY, "\"d\": expected at least one token");
    return SOL_ERR_FORMAT;
  }
  SOL_TRY (read_numbers (row, "seq", f->n, &x, &n, why));
  f->place = sol_alloc ((size_t) n * sizeof *f->place);
  f->seq = sol_alloc ((size_t) n * sizeof *f->seq);
  for (int i = 0; i < n; i++) {
    if (!(fabs (x[i]) <= 9007199254740992.0) || x[i] != floor (x[i])) {
      snprintf (why, SOL_FILTER_WHY, "\"seq\"[%d]: expected a whole number, found %g", i, x[i]);
      sol_free (x);
      return SOL_ERR_FORMAT;
    }
    f->place[i] = (place_t){ (int64_t) x[i], i };
  }
  sol_free (x);
  qsort (f->place, (size_t) n, sizeof *f->place, by_sequence);
  for (int i = 0; i < n; i++) f->seq[i] = f->place[i].seq;
  return SOL_OK;
}

static sol_status_t read_row (filter_t *f, const struct cJSON *row, char *why)
{
  SOL_TRY (read_places (f, row, why));
  for (int k = 0; k < 4; k++) {
    double *x;
    int n;
    if (!columns[k].needed && !cJSON_GetObjectItemCaseSensitive (row, columns[k].key)) continue;
    SOL_TRY (read_numbers (row, columns[k].key, f->n, &x, &n, why));
    f->column[k] = sol_alloc ((size_t) n * sizeof *f->column[k]);
    for (int i = 0; i < n; i++) f->column[k][i] = (float) x[f->place[i].at];
    sol_free (x);
  }
  f->c = sol_alloc ((size_t) f->n * sizeof *f->c);
  f->c_row = sol_alloc ((size_t) f->n * sizeof *f->c_row);
  f->verdict = sol_alloc ((size_t) f->n);
  f->verdict_row = sol_alloc ((size_t) f->n);
  return SOL_OK;
}

/* the settings of the command line; they have been tried at the start */
static sol_status_t create (const filter_t *f, sol_objective_t **o_p)
{
  sol_objective_t *o;
  sol_status_t st = sol_objective_create (f->name, &o);
  if (st != SOL_OK) return st;
  for (int i = 0; i < f->options->n_overrides && st == SOL_OK; i++) {
    char *text = f->options->overrides[i], *equals = strchr (text, '='), *end, *key = sol_strdup (text);
    const double x = strtod (equals + 1, &end);
    key[equals - text] = 0;
    if (end == equals + 1 || *end || !isfinite (x)) st = sol_fail (SOL_ERR_USAGE, "objective", "%s: expected a number, found \"%s\"", key, equals + 1);
    else st = sol_objective_set (o, key, x);
    sol_free (key);
  }
  if (st == SOL_OK) st = sol_objective_check (o);
  if (st == SOL_OK) *o_p = o;
  else sol_objective_destroy (o);
  return st;
}

static int has_param (const sol_objective_t *o, const char *name)
{
  const char *have;
  for (int i = 0; (have = sol_objective_param (o, i, NULL, NULL)) != NULL; i++)
    if (strcmp (have, name) == 0) return 1;
  return 0;
}

static sol_status_t set_one (sol_objective_t *o, const char *name, const cJSON *value, char *why)
{
  if (!has_param (o, name)) snprintf (why, SOL_FILTER_WHY, "\"params\": no parameter \"%.60s\"", name);
  else if (!cJSON_IsNumber (value)) snprintf (why, SOL_FILTER_WHY, "\"params\": \"%.60s\": expected a number", name);
  else if (isnan (value->valuedouble) || sol_objective_set (o, name, value->valuedouble) != SOL_OK) snprintf (why, SOL_FILTER_WHY, "\"params\": \"%.60s\": %g is out of bounds", name, value->valuedouble);
  else return SOL_OK;
  return SOL_ERR_FORMAT;
}

/* the row's own: {"params": {OBJECTIVE: {NAME: value, ...}}}; a pair [x, y] is NAME_c1 and NAME_c2 */
static sol_status_t set_params (const filter_t *f, sol_objective_t *o, const struct cJSON *row, char *why)
{
  const cJSON *params = cJSON_GetObjectItemCaseSensitive (row, "params"), *mine = cJSON_GetObjectItemCaseSensitive (params, f->name), *p;
  if ((params && !cJSON_IsObject (params)) || (mine && !cJSON_IsObject (mine))) {
    snprintf (why, SOL_FILTER_WHY, "\"params\": expected an object of objects by objective");
    return SOL_ERR_FORMAT;
  }
  cJSON_ArrayForEach (p, mine)
  {
    if (!cJSON_IsArray (p)) {
      SOL_TRY (set_one (o, p->string, p, why));
      continue;
    }
    if (cJSON_GetArraySize (p) != 2) {
      snprintf (why, SOL_FILTER_WHY, "\"params\": \"%.60s\": expected a number or a pair", p->string);
      return SOL_ERR_FORMAT;
    }
    for (int k = 0; k < 2; k++) {
      char name[80];
      snprintf (name, sizeof name, "%.60s_c%d", p->string, k + 1);
      SOL_TRY (set_one (o, name, cJSON_GetArrayItem (p, k), why));
    }
  }
  return SOL_OK;
}

static void write_row (filter_t *f, const sol_objective_t *o, const sol_verdicts_t *v, sol_buffer_t *out)
{
  const int selects = sol_objective_selects (o);
  for (int i = 0; i < f->n; i++) {
    f->c_row[f->place[i].at] = f->c[i];
    f->verdict_row[f->place[i].at] = f->verdict[i];
  }
  sol_buffer_printf (out, "{\"loss\":");
  sol_buffer_double (out, v->loss);
  for (int i = 0; i < f->n; i++) {
    sol_buffer_printf (out, i ? "," : ",\"c\":[");
    sol_buffer_double (out, f->c_row[i]);
  }
  for (int i = 0; i < f->n; i++) sol_buffer_printf (out, "%s%d", i ? "," : "],\"verdict\":[", f->verdict_row[i]);
  sol_buffer_printf (out, "]");
  if (selects) {
    sol_buffer_printf (out, ",\"n_T\":%lld", (long long) v->n_T);
    if (selects == SOL_SELECTS_MASK) sol_buffer_printf (out, ",\"n_kept\":%lld", (long long) v->n_kept);
    const struct { const char *key; double x; } figure[] = { { "m2_before", v->m2_before }, { "m2_after", v->m2_after }, { "cut", v->cut }, { "band", v->band } };
    for (int i = 0; i < (selects == SOL_SELECTS_BAND ? 4 : 3); i++) {
      sol_buffer_printf (out, ",\"%s\":", figure[i].key);
      sol_buffer_double (out, figure[i].x);
    }
    if (selects == SOL_SELECTS_MASK) sol_buffer_printf (out, ",\"tie_kept\":%lld", (long long) v->tie_kept);
  }
  sol_buffer_printf (out, ",\"n_high\":%lld,\"n_low\":%lld,\"n_masked\":%lld}", (long long) v->n_high, (long long) v->n_low, (long long) v->n_masked);
}

static sol_status_t objective_row (void *ctx, const struct cJSON *row, sol_buffer_t *out, char *why)
{
  filter_t *f = ctx;
  sol_objective_t *o = NULL;
  sol_verdicts_t v;
  sol_refusal_t r = { .index = -1 };
  sol_status_t st;
  SOL_GO (create (f, &o));
  SOL_GO (set_params (f, o, row, why));
  SOL_GO (read_row (f, row, why));
  const sol_tokens_t t = { .n = f->n, .d = f->column[0], .adv = f->column[1], .lp = f->column[2], .d_prox = f->column[3], .seq = f->seq };
  st = sol_objective_solve (o, sol_comm_self (), &t, f->c, f->verdict, &v, &r);
  if (st == SOL_OK) write_row (f, o, &v, out);
  else if (r.why && r.index >= 0) {
    snprintf (why, SOL_FILTER_WHY, "refused: token %d (sequence %lld): %s", f->place[r.index].at, (long long) r.seq, r.why);
    st = SOL_ERR_FORMAT;
  }
out:
  row_free (f);
  sol_objective_destroy (o);
  return st;
}

static int run (int argc, char **argv)
{
  sol_options_t options;
  sol_objective_t *o = NULL;
  filter_t f = { 0 };
  long bad = 0;
  sol_status_t st = sol_options_parse (&sol_command_objective, argc, argv, &options);
  if (st == SOL_OK) {
    f.name = options.args[0];
    f.options = &options;
    st = create (&f, &o); /* says what is wrong with the command line before any row */
  }
  if (st == SOL_OK) st = sol_filter_run (stdin, stdout, objective_row, &f, &bad);
  sol_objective_destroy (o);
  sol_options_free (&options);
  return st == SOL_OK && bad ? 1 : sol_exit_code (st);
}

const sol_command_t sol_command_objective = {
  .name = "objective",
  .group = 'o',
  .line = "coefficients and verdicts of an update batch",
  .usage = "NAME [setting=value ...] <rows >rows",
  .about = "A filter on JSON lines, one update batch a row: {\"d\": [...], \"A\": [...], \"lp\": [...], \"d_prox\": [...], \"seq\": [...]} per token: log-ratio to the policy that generated it, advantage, "
           "that policy's log-probability, log-ratio of the policy at the start of the batch to it, number of the response. lp and d_prox are needed by some objectives only; all are rounded to float32. "
           "Tokens of a response are in order. \"params\": {NAME: {...}} are a row's own settings.\n\n"
           "Gives {\"loss\", \"c\", \"verdict\", \"n_high\", \"n_low\", \"n_masked\"}: c is the derivative of the loss by each token's log-probability, verdict the sum of 1 (in the trust-region set), "
           "2 (clipped high), 4 (clipped low) and 8 (masked). The m2po family adds n_T, n_kept, m2_before, m2_after, cut, band and tie_kept. Exactly what training computes.\n\n"
           "solera help objectives lists the names, their parameters, and where they are from. Parameters may also be given under the names of the settings of a run: "
           "in a run they are objective.tau, objective.cap and so on; eps_low and eps_high are objective.clip_low and objective.clip_high (gspo: objective.gspo_low and objective.gspo_high), "
           "max_length is rollout.max_tokens.\n\n"
           "A row that cannot be read, or whose update is refused, gives {\"error\": ...} in its place, and the exit status is 1 at the end.",
  .min_args = 1,
  .max_args = 1,
  .run = run
};
