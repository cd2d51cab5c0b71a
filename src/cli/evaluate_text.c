/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate.h"
#include "solera/log.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* sums over problems */
typedef struct { long long responses, correct, truncated, tokens, mixed; } sums_t;

static sums_t sums_of (const sol_evals_row_t *r, const sol_evals_problem_t *p)
{
  sums_t s = { 0 };
  for (int64_t i = 0; i < r->problems; i++) {
    s.responses += p[i].samples, s.correct += p[i].correct, s.truncated += p[i].truncated, s.tokens += p[i].tokens;
    s.mixed += p[i].correct > 0 && p[i].correct < p[i].samples;
  }
  return s;
}

static sol_status_t check_output (void)
{
  return fflush (stdout) == 0 && !ferror (stdout) ? SOL_OK : sol_fail (SOL_ERR_IO, "eval", "standard output: writing failed: %s", strerror (errno));
}

static void put_string (const char *text)
{
  sol_buffer_t b = { 0 };
  sol_buffer_json (&b, text, strlen (text));
  fputs (b.data, stdout);
  sol_buffer_free (&b);
}

static void print_json (const sol_evals_row_t *r, const sums_t *s, double p, double se)
{
  printf ("{\"data\":");
  put_string (r->data);
  printf (",\"version\":%lld,\"preset\":\"%s\",\"pass_rate\":%.6f,\"standard_error\":%.6f,\"prompts\":%lld,\"responses\":%lld,\"correct\":%lld,\"mixed\":%lld,\"truncated\":%lld,\"mean_tokens\":%.3f,\"median_tokens\":%.1f,"
          "\"ended_share\":%.6f,\"stopped_share\":%.6f,\"truncated_share\":%.6f,",
          (long long) r->version, r->preset, p, se, (long long) r->problems, s->responses, s->correct, s->mixed, s->truncated, r->mean_tokens, r->median_tokens, r->ended, r->stopped, r->truncated);
  printf ("\"seconds\":%.3f,\"samples\":%lld,\"avg\":%.6f,\"avg_low\":%.6f,\"avg_high\":%.6f,\"pass_k\":%lld,\"pass\":%.6f,\"pass_low\":%.6f,\"pass_high\":%.6f,\"temperature\":%g,\"top_p\":%g,\"max_tokens\":%lld,\"seed\":%llu}\n", r->seconds,
          (long long) r->samples, r->avg, r->avg_low, r->avg_high, (long long) r->pass_k, r->pass, r->pass_low, r->pass_high, r->temperature, r->top_p, (long long) r->max_tokens, (unsigned long long) r->seed);
}

static void print_conditions (const sol_evals_row_t *r)
{
  printf ("temperature %g%s, top-p %g, at most %lld tokens, seed %llu", r->temperature, r->temperature > 0 ? "" : " (greedy)", r->top_p, (long long) r->max_tokens, (unsigned long long) r->seed);
}

static void print_alone (const sol_evals_row_t *r, const sums_t *s, double p, double se)
{
  printf ("pass rate %.4f +- %.4f (%lld of %lld responses, %lld prompts, %lld of them mixed)\n", p, se, s->correct, s->responses, (long long) r->problems, s->mixed);
  printf ("mean length %.1f tokens, median %.1f; %.1f %% truncated, %.1f %% ended by a token, %.1f %% by a text; %.1f s\n", r->mean_tokens, r->median_tokens, 100 * r->truncated, 100 * r->ended, 100 * r->stopped, r->seconds);
  printf ("avg@%lld %.4f (95 %% interval over problems: %.4f to %.4f), pass@%lld %.4f (%.4f to %.4f)\n", (long long) r->samples, r->avg, r->avg_low, r->avg_high, (long long) r->pass_k, r->pass, r->pass_low, r->pass_high);
  print_conditions (r);
  if (r->version >= 0) printf (", weight version %lld", (long long) r->version);
  printf ("\n");
}

/* ---- a table of data sets */

static int wide (const sol_evaluate_table_t *t)
{
  size_t most = strlen ("data set");
  for (int i = 0; i < t->n; i++)
    if (strlen (t->set[i].name) > most) most = strlen (t->set[i].name);
  return (int) most;
}

sol_status_t sol_evaluate_print_head (const sol_evaluate_table_t *t, const sol_evals_row_t *r)
{
  if (t->o->json || !(t->o->data || t->o->preset)) return SOL_OK;
  printf ("%s", t->model);
  if (t->version >= 0) printf (", weight version %lld", (long long) t->version);
  if (t->o->preset) printf (", preset %s", t->o->preset);
  printf (": ");
  print_conditions (r);
  char pass[24] = "pass@n";
  if (t->o->pass) snprintf (pass, sizeof pass, "pass@%lld", (long long) t->o->pass);
  printf ("\n\n%-*s  problems    n   avg@n      95 %% interval  %-6s      95 %% interval  truncated  ended  by text   mean  median\n", wide (t), "data set", pass);
  return check_output ();
}

sol_status_t sol_evaluate_print (sol_evaluate_table_t *t, const sol_evals_row_t *r, const sol_evals_problem_t *problem)
{
  const sums_t s = sums_of (r, problem);
  const double n = s.responses > 0 ? (double) s.responses : 1, p = (double) s.correct / n, se = sqrt (p * (1 - p) / n);
  const int listed = t->o->data || t->o->preset;
  t->rows++;
  t->avg += r->avg;
  t->pass += r->pass;
  if (t->o->json) print_json (r, &s, p, se);
  else if (!listed) print_alone (r, &s, p, se);
  else
    printf ("%-*s  %8lld %4lld  %.4f  %.4f to %.4f  %.4f  %.4f to %.4f    %5.1f %%%5.1f %%  %5.1f %%%7.1f %7.1f\n", wide (t), r->data, (long long) r->problems, (long long) r->samples, r->avg, r->avg_low, r->avg_high,
            r->pass, r->pass_low, r->pass_high, 100 * r->truncated, 100 * r->ended, 100 * r->stopped, r->mean_tokens, r->median_tokens);
  return check_output ();
}

sol_status_t sol_evaluate_print_missing (sol_evaluate_table_t *t, const sol_evaluate_set_t *set)
{
  t->left_out++;
  if (t->o->json) {
    printf ("{\"data\":");
    put_string (set->name);
    printf (",\"missing\":true}\n");
  } else printf ("%-*s  left out: there is no file\n", wide (t), set->name);
  return check_output ();
}

sol_status_t sol_evaluate_print_mean (sol_evaluate_table_t *t)
{
  const double n = t->rows;
  if (!(t->o->data || t->o->preset)) return SOL_OK;
  if (t->o->json) printf ("{\"mean\":true,\"data_sets\":%d,\"left_out\":%d,\"avg\":%.6f,\"pass\":%.6f}\n", t->rows, t->left_out, t->avg / n, t->pass / n);
  else printf ("%-*s                 %.4f                    %.4f  (of %d data set%s%s)\n", wide (t), "mean", t->avg / n, t->pass / n, t->rows, t->rows > 1 ? "s" : "", t->left_out ? ", without what was left out" : "");
  return check_output ();
}
