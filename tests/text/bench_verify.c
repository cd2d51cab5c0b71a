/* SPDX-License-Identifier: Apache-2.0 */
/* bench_verify: gradings a second on one core, of the thread's own time, best of five rounds. Nothing is asserted.
 *   make bench-verify     plain answers (integers, decimals, fractions, units), and all published cases of tests/data/verify_cases.jsonl by kind of path */
#include "helpers.h"
#include "solera/verify.h"
#include <time.h>

#define ROUNDS 5
typedef struct { char *prediction, *gold; sol_answer_form_t form; } pair_t;
typedef struct { pair_t *pair; int n; } pairs_t;

static double cpu_s (void)
{
  struct timespec t;
  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static void add (pairs_t *p, const char *prediction, const char *gold, sol_answer_form_t form)
{
  p->pair = sol_realloc (p->pair, (size_t) (p->n + 1) * sizeof *p->pair);
  p->pair[p->n++] = (pair_t) { sol_strdup (prediction), sol_strdup (gold), form };
}

static void row (void *ctx, const cJSON *r)
{
  add (ctx, sol_json_string (r, "prediction"), sol_json_string (r, "gold"), !strcmp (sol_json_string (r, "form"), "response") ? SOL_FORM_RESPONSE : SOL_FORM_ANSWER);
}

/* what most rewards are made of: a number in a box at the end of a text against a number */
static void add_plain (pairs_t *p)
{
  static const char *const answer[] = { "42", "-7", "1,234,567", "0.125", "\\frac{3}{8}", "3/8", "12.50", "50\\%", "90^\\circ", "\\$18", "2\\frac12", "10 \\text{ cm}", "007", "100", "2^{10}" };
  char text[400];
  const int n = (int) (sizeof answer / sizeof *answer);
  for (int i = 0; i < n; i++)
    for (int k = 0; k < n; k++) {
      snprintf (text, sizeof text, "We add $x$ and $y$ and find that $x + y = %s$, which is what was asked for. Checking once more, all conditions hold. The answer is \\boxed{%s}.", answer[i], answer[i]);
      add (p, text, answer[k], SOL_FORM_RESPONSE);
    }
}

static void measure (const char *name, const pairs_t *p, int repeat)
{
  double best = 1e30;
  int right = 0;
  sol_buffer_t out = { 0 };
  for (int k = 0; k < ROUNDS; k++) {
    const double t0 = cpu_s ();
    right = 0;
    for (int j = 0; j < repeat; j++)
      for (int i = 0; i < p->n; i++) right += sol_answer_check (p->pair[i].prediction, p->pair[i].gold, p->pair[i].form, SOL_VERIFY_ANSWER, &out);
    const double took = cpu_s () - t0;
    if (took < best) best = took;
  }
  printf ("%-28s %6d pairs, %6d equal: %9.0f gradings/s\n", name, p->n, right / repeat, (double) p->n * repeat / best);
  sol_buffer_free (&out);
}

static void release (pairs_t *p)
{
  for (int i = 0; i < p->n; i++) {
    sol_free (p->pair[i].prediction);
    sol_free (p->pair[i].gold);
  }
  sol_free (p->pair);
}

int main (void)
{
  pairs_t plain = { 0 }, cases = { 0 };
  char *path = data_path ("verify_cases.jsonl");
  add_plain (&plain);
  each_row (path, row, &cases);
  measure ("plain answers in responses", &plain, 40);
  measure ("published cases", &cases, 10);
  release (&plain);
  release (&cases);
  sol_free (path);
  return 0;
}
