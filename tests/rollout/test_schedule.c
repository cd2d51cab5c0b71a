/* SPDX-License-Identifier: Apache-2.0 */
/* staleness.trace: every form of it and its errors, lags as prescribed, the same for the same seed; the order of a schedule. */
#include "../tap.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/schedule.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static char dir[400];

static sol_config_t *config (const char *trace, int64_t seed)
{
  char yaml[800];
  sol_config_t *c = NULL;
  snprintf (yaml, sizeof yaml, "out: unused\nseed: %lld\nbatch: {prompts: 8, updates_per_step: 4}\ntrain: {updates: 80}\nstaleness: {trace: '%s'}\n", (long long) seed, trace);
  if (sol_config_parse (yaml, strlen (yaml), "test", "train", &c) != SOL_OK) abort ();
  return c;
}

static sol_status_t parse (const char *text, int64_t seed, sol_trace_t *t)
{
  sol_config_t *c = config (text, seed);
  const sol_status_t st = sol_trace_parse (c, t);
  sol_config_destroy (c);
  return st;
}

static void put (const char *name, const char *text, char *trace, size_t room)
{
  char *path = sol_path_join (dir, name);
  if (sol_file_write (path, text, strlen (text)) != SOL_OK) abort ();
  snprintf (trace, room, "file:%s", path);
  sol_free (path);
}

/* shares of lags 0, 4, 8 ... over many tickets, against the expected ones: within 4 standard deviations */
static void shares (const char *text, const double *expected, int n)
{
  enum { MANY = 40000 };
  sol_trace_t t;
  int count[64] = { 0 }, good = 1;
  char what[200];
  need (parse (text, 1, &t) == SOL_OK);
  for (int64_t i = 0; i < MANY; i++) {
    const int64_t lag = sol_trace_lag (&t, i);
    if (lag % 4 || lag / 4 >= n) good = 0;
    else count[lag / 4]++;
  }
  for (int i = 0; i < n; i++) good &= fabs (count[i] - expected[i] * MANY) <= 4 * sqrt (expected[i] * (1 - expected[i]) * MANY);
  snprintf (what, sizeof what, "%s: shares of lags are as prescribed", text);
  tap_ok (good, "%s", what);
  sol_trace_free (&t);
}

static void refused (const char *text)
{
  sol_trace_t t;
  char what[600];
  snprintf (what, sizeof what, "refused: %s", text);
  tap_ok (parse (text, 1, &t) == SOL_ERR_USAGE, "%s", what);
}

static void files (void)
{
  char trace[500];
  sol_trace_t t;
  static const char *const bad[] = { "", "# nothing\n", "4\n8 2\n", "4 1\n8\n", "4\n6\n", "-4\n", "4 -1\n", "4 x\n", "4 1 1\n", "x\n", "4 0\n8 0\n", "99999999999999999999\n", "4x\n", "4 nan\n", "4 inf\n" };
  put ("sequence", "# lags\n8\n0 # now\n\n  4\r\n12", trace, sizeof trace);
  need (parse (trace, 1, &t) == SOL_OK);
  ok (t.most == 12 && sol_trace_lag (&t, 0) == 8 && sol_trace_lag (&t, 1) == 0 && sol_trace_lag (&t, 2) == 4 && sol_trace_lag (&t, 3) == 12 && sol_trace_lag (&t, 4) == 8 && sol_trace_lag (&t, 4000003) == 12);
  sol_trace_free (&t);
  put ("weights", "0 1\n8, 2.5\n4 .5\n", trace, sizeof trace);
  shares (trace, (const double[]){ 0.25, 0.125, 0.625 }, 3);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    put ("bad", bad[i], trace, sizeof trace);
    refused (trace);
  }
  ok (parse ("file:/nowhere/at/all", 1, &t) == SOL_ERR_IO);
}

/* the schedule of a trace: due as prescribed, in order, nothing beyond the end */
static void schedule (const char *text)
{
  sol_config_t *c = config (text, 3);
  sol_trace_t t;
  sol_schedule_t *s = NULL;
  int64_t bad = 0, last = -1, due = 0, n = 0;
  char what[300];
  need (sol_trace_parse (c, &t) == SOL_OK && sol_trace_schedule (&t, c, &s) == SOL_OK);
  bad += s->n != ((80 + t.most) / 4 + 1) * 8 || sol_schedule_bytes (s) < 8 * (uint64_t) s->n;
  for (int64_t p = 0; p < s->n; p++) {
    const int64_t first = p / 8 * 4, lag = sol_trace_lag (&t, p), ahead = p / 8 - s->due[p] / 4;
    bad += s->due[p] != (first > lag ? first - lag : 0) || sol_schedule_place (s, p) != p || sol_schedule_ticket (s, p) != p;
    n += s->due[p] <= 80;
    if (s->due[p] <= 80) bad += ahead > s->ahead || (s->due[p] > 0 && ahead < s->least);
  }
  bad += n != s->n_claims || sol_schedule_place (s, s->n) != -1 || sol_schedule_place (s, -1) != -1;
  for (int64_t i = 0; i < s->n_claims; last = s->order[i++]) {
    const int64_t p = s->order[i];
    bad += s->due[p] < due || (s->due[p] == due && p <= last) || i < sol_schedule_before (s, s->due[p]) || i >= sol_schedule_before (s, s->due[p]) + sol_schedule_count (s, s->due[p]);
    due = s->due[p];
  }
  bad += sol_schedule_before (s, 0) != 0 || sol_schedule_before (s, 84) != s->n_claims || sol_schedule_count (s, 84) != 0;
  snprintf (what, sizeof what, "%s: a schedule of %lld groups", text, (long long) s->n_claims);
  tap_ok (bad == 0, "%s", what);
  sol_schedule_destroy (s);
  sol_trace_free (&t);
  sol_config_destroy (c);
}

int main (void)
{
  sol_trace_t t, u, v;
  int64_t equal = 0, other = 0;
  sol_log_level (SOL_LOG_ERROR);
  snprintf (dir, sizeof dir, "%s", getenv ("TEST_TMPDIR") ? getenv ("TEST_TMPDIR") : "/tmp");
  need (parse ("fixed:8", 1, &t) == SOL_OK);
  ok (t.most == 8 && sol_trace_lag (&t, 0) == 8 && sol_trace_lag (&t, 123456) == 8);
  sol_trace_free (&t);
  shares ("uniform:4:12", (const double[]){ 0, 1 / 3.0, 1 / 3.0, 1 / 3.0 }, 4);
  shares ("geometric:0.5:8", (const double[]){ 4 / 7.0, 2 / 7.0, 1 / 7.0 }, 3);
  shares ("geometric:1:8", (const double[]){ 1, 0, 0 }, 3);
  need (parse ("uniform:0:252", 1, &t) == SOL_OK && parse ("uniform:0:252", 1, &u) == SOL_OK && parse ("uniform:0:252", 2, &v) == SOL_OK);
  for (int64_t i = 0; i < 1000; i++) equal += sol_trace_lag (&t, i) == sol_trace_lag (&u, i), other += sol_trace_lag (&t, i) == sol_trace_lag (&v, i);
  ok (equal == 1000 && other < 100); /* the seed decides */
  sol_trace_free (&t), sol_trace_free (&u), sol_trace_free (&v);
  files ();
  static const char *const bad[] = { "fixed", "fixed:", "fixed:3", "fixed:-4", "fixed:4:4", "fixed:2000000", "uniform:4", "uniform:8:4", "uniform:2:8", "uniform:4:9", "uniform:4:8 ", "geometric:0:8", "geometric:1.5:8", "geometric:x:8",
                                     "geometric:0.5", "geometric:0.5:7", "gauss:4:8", "file:", "4", ":4" };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) refused (bad[i]);
  schedule ("fixed:0");
  schedule ("fixed:16");
  schedule ("uniform:0:40");
  schedule ("geometric:0.3:200");
  return tap_done ();
}
