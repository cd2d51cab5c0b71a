/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics_columns.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static const struct { const char *title; int width; } cells[] = {
  { "updates", 13 }, { "lag", 11 }, { "fresh", 6 }, { "used", 6 }, { "clip%", 6 }, { "mask%", 6 }, { "M2", 8 }, { "M2 kept", 8 },
  { "entropy", 8 }, { "|grad|", 8 }, { "gen/s", 7 }, { "train/s", 7 }, { "queue", 6 }, { "left", 7 } };
enum { N_CELLS = sizeof cells / sizeof *cells };

static void put_cell (sol_buffer_t *out, int i, const char *text) { sol_buffer_printf (out, "%s%*s", i ? " " : "", cells[i].width, text); }

void sol_metrics_header (sol_buffer_t *out)
{
  for (int i = 0; i < N_CELLS; i++) put_cell (out, i, cells[i].title);
}

/* a number in at most `width` characters, "-" when it is unknown */
static void number (char *t, size_t room, const char *fmt, double x)
{
  if (isnan (x)) snprintf (t, room, "-");
  else {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf (t, room, fmt, x);
#pragma GCC diagnostic pop
  }
}

static void rate (char *t, size_t room, double x)
{
  if (isnan (x)) snprintf (t, room, "-");
  else if (x < 9999.5) snprintf (t, room, "%.0f", x);
  else if (x < 999950) snprintf (t, room, "%.1fk", x / 1e3);
  else snprintf (t, room, "%.1fM", x / 1e6);
}

static void duration (char *t, size_t room, double s)
{
  long long n = isnan (s) || s < 0 ? -1 : s > 1e12 ? 1000000000000 : (long long) (s + 0.5);
  if (n < 0) snprintf (t, room, "-");
  else if (n < 60) snprintf (t, room, "%llds", n);
  else if (n < 3600) snprintf (t, room, "%lldm%02llds", n / 60, n % 60);
  else if (n < 100 * 3600) snprintf (t, room, "%lldh%02lldm", n / 3600, n / 60 % 60);
  else snprintf (t, room, "%lldd%02lldh", n / 86400, n / 3600 % 24);
}

void sol_metrics_line (const sol_metrics_row_t *r, int64_t updates, sol_buffer_t *out)
{
  const struct { const char *fmt; double x; } plain[] = {
    { "%.3f", r->reward_fresh }, { "%.3f", r->reward_consumed }, { "%.2f", 100 * (r->high_share + r->low_share) }, { "%.2f", 100 * r->masked_share },
    { "%.2e", r->m2_before }, { "%.2e", r->m2_after }, { "%.3f", r->entropy }, { "%.2e", r->grad_norm } };
  char t[64];
  int i = 0;
  snprintf (t, sizeof t, "%" PRId64 "/%" PRId64, r->update + 1, updates); /* updates made, of all */
  put_cell (out, i++, t);
  if (isnan (r->lag_min)) snprintf (t, sizeof t, "-");
  else if (r->lag_min == r->lag_max) snprintf (t, sizeof t, "%.0f", r->lag_min);
  else snprintf (t, sizeof t, "%.0f-%.0f", r->lag_min, r->lag_max);
  put_cell (out, i++, t);
  for (size_t k = 0; k < sizeof plain / sizeof *plain; k++) {
    number (t, sizeof t, plain[k].fmt, plain[k].x);
    put_cell (out, i++, t);
  }
  rate (t, sizeof t, r->tokens_per_s_generated);
  put_cell (out, i++, t);
  rate (t, sizeof t, r->tokens_per_s_trained);
  put_cell (out, i++, t);
  number (t, sizeof t, "%.0f", r->queue_groups);
  put_cell (out, i++, t);
  duration (t, sizeof t, r->seconds_left);
  put_cell (out, i, t);
}
