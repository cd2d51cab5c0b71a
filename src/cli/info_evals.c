/* SPDX-License-Identifier: Apache-2.0 */
#include "info.h"
#include "solera/evals.h"
#include <math.h>
#include <stdio.h>
#include <time.h>

static void add_share (cJSON *o, const char *name, double x)
{
  if (isfinite (x)) cJSON_AddNumberToObject (o, name, x);
  else cJSON_AddNullToObject (o, name);
}

static void add_row (const sol_evals_row_t *r, cJSON *o)
{
  char text[32];
  const time_t when = (time_t) r->time;
  struct tm tm;
  sol_info_string (o, "data", r->data);
  sol_info_int (o, "version", r->version);
  if (r->preset[0]) sol_info_string (o, "preset", r->preset);
  sol_info_int (o, "problems", r->problems);
  sol_info_int (o, "samples", r->samples);
  add_share (o, "avg", r->avg);
  add_share (o, "avg_low", r->avg_low);
  add_share (o, "avg_high", r->avg_high);
  sol_info_int (o, "pass_k", r->pass_k);
  add_share (o, "pass", r->pass);
  add_share (o, "pass_low", r->pass_low);
  add_share (o, "pass_high", r->pass_high);
  add_share (o, "truncated", r->truncated);
  add_share (o, "mean_tokens", r->mean_tokens);
  add_share (o, "median_tokens", r->median_tokens);
  add_share (o, "ended", r->ended);
  add_share (o, "stopped", r->stopped);
  add_share (o, "temperature", r->temperature);
  add_share (o, "top_p", r->top_p);
  sol_info_int (o, "max_tokens", r->max_tokens);
  snprintf (text, sizeof text, "%llu", (unsigned long long) r->seed);
  cJSON_AddRawToObject (o, "seed", text);
  add_share (o, "seconds", r->seconds);
  if (gmtime_r (&when, &tm) && strftime (text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm)) sol_info_string (o, "time", text);
}

sol_status_t sol_info_evals (const char *path, int all, cJSON *facts)
{
  sol_evals_t e;
  char name[24];
  SOL_TRY (sol_evals_read (path, &e));
  sol_info_int (facts, "rows", e.n);
  for (int64_t i = all || !e.n ? 0 : e.n - 1; i < e.n; i++) {
    if (all) snprintf (name, sizeof name, "%lld", (long long) i);
    else snprintf (name, sizeof name, "newest");
    add_row (&e.row[i], cJSON_AddObjectToObject (facts, name));
  }
  sol_evals_free (&e);
  return SOL_OK;
}
