/* SPDX-License-Identifier: Apache-2.0 */
/* trace.c: staleness.trace: from its text to a lag for every ticket, and to the schedule of a run. */
#include "solera/file.h"
#include "solera/hash.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/random.h"
#include "solera/schedule.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAG_MOST 1000000
#define FORMS "expected fixed:LAG, uniform:LEAST:MOST, geometric:P:MOST or file:PATH, lags in updates"

static const char *where (const sol_config_t *c)
{
  const char *at = sol_config_where (c, sol_setting_find ("staleness.trace"));
  return at ? at : "settings";
}

static sol_status_t refuse (const sol_config_t *c, const char *why) { return sol_fail (SOL_ERR_USAGE, "config", "%s: staleness.trace is %s: %s", where (c), c->stale_trace, why); }

static int take_int (const char **at, int64_t *value_p)
{
  char *end;
  errno = 0;
  const long long v = strtoll (*at, &end, 10);
  if (end == *at || errno || **at < '0' || **at > '9') return 0;
  *at = end;
  *value_p = v;
  return 1;
}

static int take_number (const char **at, double *value_p)
{
  char *end;
  if (!(**at >= '0' && **at <= '9') && **at != '.') return 0;
  *value_p = strtod (*at, &end);
  if (end == *at || !isfinite (*value_p)) return 0;
  *at = end;
  return 1;
}

/* weight < 0: the trace is a sequence */
static void add (sol_trace_t *t, int64_t lag, double weight)
{
  if ((t->n & (t->n - 1)) == 0) { /* grows by powers of two */
    t->lag = sol_realloc (t->lag, (size_t) (t->n ? 2 * t->n : 1) * sizeof *t->lag);
    if (weight >= 0) t->sum = sol_realloc (t->sum, (size_t) (t->n ? 2 * t->n : 1) * sizeof *t->sum);
  }
  t->lag[t->n] = lag;
  if (weight >= 0) t->sum[t->n] = (t->n ? t->sum[t->n - 1] : 0) + weight;
  t->n++;
  if (lag > t->most) t->most = lag;
}

static sol_status_t check_lag (const sol_config_t *c, const char *path, int line, int64_t lag)
{
  char at[600] = "";
  if (path) snprintf (at, sizeof at, " (%s:%d)", path, line);
  if (lag < 0 || lag > LAG_MOST) return sol_fail (SOL_ERR_USAGE, "config", "%s: staleness.trace%s: expected lags of 0 to %d updates, found %" PRId64, where (c), at, LAG_MOST, lag);
  if (lag % c->ups != 0)
    return sol_fail (SOL_ERR_USAGE, "config", "%s: staleness.trace%s: weights are published between steps, so expected a multiple of batch.updates_per_step (%" PRId64 "), found %" PRId64, where (c), at,
                     c->ups, lag);
  return SOL_OK;
}

/* "LAG" or "LAG WEIGHT"; spaces around it and what follows # do not count. *n_p: numbers found, 0: an empty line, -1: neither */
static void parse_line (const char *line, int64_t *lag_p, double *weight_p, int *n_p)
{
  *n_p = 0;
  line += strspn (line, " \t\r");
  if (!*line || *line == '#') return;
  *n_p = -1;
  if (!take_int (&line, lag_p)) return;
  const char *after = line;
  line += strspn (line, " \t\r,");
  if (*line && *line != '#') {
    if (line == after || !take_number (&line, weight_p)) return;
    line += strspn (line, " \t\r");
    if (*line && *line != '#') return;
    *n_p = 2;
  } else *n_p = 1;
}

static sol_status_t read_file (const sol_config_t *c, const char *path, sol_trace_t *t)
{
  char *text;
  size_t bytes;
  int numbers = 0, line_number = 0;
  sol_status_t st;
  SOL_TRY (sol_file_read (path, 0, &text, &bytes));
  if (strlen (text) != bytes) SOL_GO (sol_fail (SOL_ERR_USAGE, "config", "%s: staleness.trace: %s is not a text", where (c), path));
  for (char *line = text, *next; line && *line; line = next) {
    int64_t lag = 0;
    double weight = -1;
    int n;
    next = strchr (line, '\n');
    if (next) *next++ = 0;
    line_number++;
    parse_line (line, &lag, &weight, &n);
    if (n == 0) continue;
    if (n < 0 || (numbers && n != numbers))
      SOL_GO (sol_fail (SOL_ERR_USAGE, "config", "%s:%d: expected %s, found \"%.60s\" (staleness.trace, %s)", path, line_number,
                        numbers == 1 ? "a lag, as in the lines before" : numbers == 2 ? "a lag and its weight, as in the lines before" : "a lag, or a lag and its weight", line, where (c)));
    numbers = n;
    SOL_GO (check_lag (c, path, line_number, lag));
    add (t, lag, n == 2 ? weight : -1);
  }
  if (t->n == 0) SOL_GO (sol_fail (SOL_ERR_USAGE, "config", "%s: staleness.trace: %s has no lags", where (c), path));
  if (t->sum && !(t->sum[t->n - 1] > 0 && isfinite (t->sum[t->n - 1]))) st = sol_fail (SOL_ERR_USAGE, "config", "%s: staleness.trace: the weights in %s must have a finite sum above 0", where (c), path);
out:
  sol_free (text);
  return st;
}

static sol_status_t uniform (const sol_config_t *c, const char *at, sol_trace_t *t)
{
  int64_t least, most;
  if (!take_int (&at, &least) || *at++ != ':' || !take_int (&at, &most) || *at) return refuse (c, FORMS);
  SOL_TRY (check_lag (c, NULL, 0, least));
  SOL_TRY (check_lag (c, NULL, 0, most));
  if (least > most) return refuse (c, "the first lag must not be above the second");
  for (int64_t lag = least; lag <= most; lag += c->ups) add (t, lag, 1);
  return SOL_OK;
}

/* P (lag = i steps) = p (1 - p)^i for i up to MOST, all over their sum */
static sol_status_t geometric (const sol_config_t *c, const char *at, sol_trace_t *t)
{
  double p, weight;
  int64_t most;
  if (!take_number (&at, &p) || *at++ != ':' || !take_int (&at, &most) || *at) return refuse (c, FORMS);
  SOL_TRY (check_lag (c, NULL, 0, most));
  if (!(p > 0 && p <= 1)) return refuse (c, "the probability must be above 0 and at most 1");
  weight = p;
  for (int64_t lag = 0; lag <= most; lag += c->ups, weight *= 1 - p) add (t, lag, weight);
  return SOL_OK;
}

sol_status_t sol_trace_parse (const sol_config_t *c, sol_trace_t *trace_p)
{
  const char *text = c->stale_trace, *at = strchr (text, ':');
  const size_t n = at ? (size_t) (at - text) : 0;
  sol_trace_t t = { .seed = (uint64_t) c->seed };
  sol_status_t st;
  int64_t lag;
#define IS(name) (n == sizeof name - 1 && strncmp (text, name, n) == 0)
  if (at) at++;
  if (IS ("fixed")) {
    if (!take_int (&at, &lag) || *at) SOL_GO (refuse (c, FORMS));
    SOL_GO (check_lag (c, NULL, 0, lag));
    add (&t, lag, -1);
  } else if (IS ("uniform")) st = uniform (c, at, &t);
  else if (IS ("geometric")) st = geometric (c, at, &t);
  else if (IS ("file") && *at) st = read_file (c, at, &t);
  else st = refuse (c, FORMS);
#undef IS
out:
  if (st == SOL_OK) *trace_p = t;
  else sol_trace_free (&t);
  return st;
}

void sol_trace_free (sol_trace_t *t)
{
  sol_free (t->lag);
  sol_free (t->sum);
  *t = (sol_trace_t){ 0 };
}

int64_t sol_trace_lag (const sol_trace_t *t, int64_t ticket)
{
  int64_t low = 0, high = t->n - 1;
  if (!t->sum) return t->lag[ticket % t->n];
  const double u = sol_random_u53 (sol_random (t->seed, (uint64_t) ticket, SOL_RANDOM_LAG, 0, 0), 0) * t->sum[t->n - 1];
  while (low < high) { /* the first whose sum is above u */
    const int64_t mid = (low + high) / 2;
    if (t->sum[mid] > u) high = mid;
    else low = mid + 1;
  }
  return t->lag[low];
}

sol_status_t sol_trace_schedule (const sol_trace_t *t, const sol_config_t *c, sol_schedule_t **schedule_p)
{
  const int64_t batches = (c->updates + t->most) / c->ups + 1;
  sol_schedule_t *s;
  sol_status_t st;
  if (batches > INT32_MAX / c->prompts)
    return sol_fail (SOL_ERR_USAGE, "config", "%s: staleness.trace: a schedule has at most 2^31 groups, but train.updates %" PRId64 " and lags up to %" PRId64 " make %" PRId64 " batches of %" PRId64,
                     where (c), c->updates, t->most, batches, c->prompts);
  s = sol_alloc (sizeof *s);
  *s = (sol_schedule_t){ .prompts = c->prompts, .ups = c->ups, .n = batches * c->prompts };
  s->identity = sol_hash_pair (sol_hash (t->lag, (size_t) t->n * sizeof *t->lag), sol_hash_pair (t->sum ? sol_hash (t->sum, (size_t) t->n * sizeof *t->sum) : 1, t->seed));
  SOL_GO (sol_alloc_large ((size_t) s->n * sizeof *s->due, "the schedule", (void **) &s->due));
  for (int64_t p = 0; p < s->n; p++) {
    const int64_t first = p / c->prompts * c->ups, lag = sol_trace_lag (t, p);
    s->due[p] = (int32_t) (first > lag ? first - lag : 0);
  }
  SOL_GO (sol_schedule_finish (s, c->updates));
  *schedule_p = s;
  return SOL_OK;
out:
  sol_schedule_destroy (s);
  return st;
}
