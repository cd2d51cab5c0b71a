/* SPDX-License-Identifier: Apache-2.0 */
/* Random and mutated answers: no crash, nothing over the bounds of time and memory, the same verdict both ways and from the quick comparison; never equal to a number by chance. */
#include "helpers.h"
#include "solera/memory.h"
#include "solera/random.h"
#include "solera/verify.h"
#include <time.h>

#define RANDOM 12000
#define TERMS 4000
#define MUTATIONS 40 /* of every published answer */
#define LIMIT_S 8.0  /* for one comparison, of the thread's own time: under sanitizers too */

static double slowest;
static int lopsided, bad_quick;

static double cpu_s (void)
{
  struct timespec t;
  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static uint64_t draw (uint64_t seed, uint64_t i, uint32_t k, uint64_t n) { return sol_random_below (sol_random (seed, i, SOL_RANDOM_TEST, 0, k), n); }

static int compare (const char *x, const char *y)
{
  const double t0 = cpu_s ();
  const int same = sol_answer_equal (x, y);
  const double took = cpu_s () - t0;
  if (took > slowest) {
    slowest = took;
    if (took > .05) printf ("# %.2f s: %s | %s\n", took, x, y);
  }
  const int quick = sol_answer_quick (x, y);
  if (quick >= 0 && quick != same && ++bad_quick < 5) printf ("# quick says %d: %s | %s\n", quick, x, y);
  return same;
}

static const char *const part[] = { "\\frac", "{", "}", "(", ")", "^", "1", "9", ",", ".", "/", "-", "+", "*", "!", "\\sqrt", "\\sqrt[3]", "\\pi", "e", "i", "x", "y", "n", " ", "e9", "\\%", "=", "[", "]", "<",
                                    "\\le", "\\cup", "\\setminus", "\\{", "\\}", "|", "\\in", "\\infty", "\\pm", "\\sin", "\\log_", "\\ln", "\\binom", "_", "\\text{", "\\begin{pmatrix}", "\\end{pmatrix}", "&", "\\\\",
                                    ":", ";", " or ", "\\ldots", "\\sum_", "f", "10^{10}", "999999999", "\\circ", "\\$", "cm", "\xff", "\xe2\x88\x9a", "\xc2\xb2", "\\overline", "0.1", "\\lfloor", "\\rfloor", "\x01" };

static void assemble (uint64_t i, sol_buffer_t *b)
{
  const uint32_t n = 1 + (uint32_t) (i % 40);
  sol_buffer_clear (b);
  for (uint32_t k = 0; k < n; k++) {
    const char *p = part[draw (5, i, k, sizeof part / sizeof *part)];
    sol_buffer_add (b, p, strlen (p));
  }
}

static void test_random (void)
{
  sol_buffer_t x = { 0 }, y = { 0 };
  int yes = 0;
  for (uint64_t i = 0; i < RANDOM; i++) {
    assemble (i, &x);
    assemble (i + RANDOM, &y);
    yes += compare (x.data, "271828182845");
    lopsided += compare (x.data, y.data) != compare (y.data, x.data);
    if (i % 8 == 0 && compare (x.data, x.data) != 1 && strspn (x.data, " .,") != x.bytes) printf ("# not equal to itself: %s\n", x.data);
  }
  tap_ok (yes == 0, "%d random answers: none equals the reference (%d)", RANDOM, yes);
  sol_buffer_free (&x);
  sol_buffer_free (&y);
}

/* ---- well-formed answers, some of them huge: those that pass the parser and reach arithmetic */

typedef struct { uint64_t i; uint32_t k; sol_buffer_t *b; } writer_t;

static uint32_t pick (writer_t *w, uint32_t n) { return (uint32_t) draw (11, w->i, w->k++, n); }

static void term (writer_t *w, int depth)
{
  static const char *const leaf[] = { "x", "y", "n", "2", "3", "-5", "\\pi", "e", "i", "0.25", "\\frac{7}{3}", "99999", "10^{300}", "x_1", "f(x)", "1000", "0", "\\log 7" };
  static const char *const shape[][3] = { { "\\frac{", "}{", "}" }, { "(", ")^{", "}" }, { "(", "+", ")" }, { "(", "-", ")" }, { "", " \\cdot ", "" }, { "\\sqrt[", "]{", "}" }, { "\\binom{", "}{", "}" },
                                          { "\\log_{", "}(", ")" }, { "\\{", ",", "\\}" }, { "(", ",", "]" }, { "(", ")(", ")" } };
  static const char *const one[][2] = { { "\\sin(", ")" }, { "\\ln(", ")" }, { "\\sqrt{", "}" }, { "|", "|" }, { "(", ")!" }, { "e^{", "}" }, { "10^{", "}" }, { "\\arctan(", ")" }, { "\\lfloor ", "\\rfloor " } };
  if (depth == 0 || pick (w, 5) == 0) {
    const char *p = leaf[pick (w, sizeof leaf / sizeof *leaf)];
    sol_buffer_add (w->b, p, strlen (p));
    return;
  }
  if (pick (w, 3)) {
    const char *const *p = shape[pick (w, sizeof shape / sizeof *shape)];
    sol_buffer_add (w->b, p[0], strlen (p[0]));
    term (w, depth - 1);
    sol_buffer_add (w->b, p[1], strlen (p[1]));
    term (w, depth - 1);
    sol_buffer_add (w->b, p[2], strlen (p[2]));
    return;
  }
  const char *const *p = one[pick (w, sizeof one / sizeof *one)];
  sol_buffer_add (w->b, p[0], strlen (p[0]));
  term (w, depth - 1);
  sol_buffer_add (w->b, p[1], strlen (p[1]));
}

static const char *write_term (uint64_t i, int depth, sol_buffer_t *b)
{
  writer_t w = { .i = i, .b = b };
  sol_buffer_clear (b);
  term (&w, depth);
  return b->data;
}

/* x and x + 1 are never equal, x and x + 1 - 1 may be */
static void test_terms (void)
{
  sol_buffer_t x = { 0 }, y = { 0 }, more = { 0 };
  int wrong = 0, found = 0;
  for (uint64_t i = 0; i < TERMS; i++) {
    write_term (i, 2 + (int) (i % 5), &x);
    write_term (i + TERMS, 2 + (int) (i % 5), &y);
    lopsided += compare (x.data, y.data) != compare (y.data, x.data);
    sol_buffer_clear (&more);
    sol_buffer_printf (&more, "1+(%s)", x.data);
    if (compare (x.data, more.data) && ++wrong < 5) printf ("# 1 is nothing beside %s\n", x.data);
    sol_buffer_clear (&more);
    sol_buffer_printf (&more, "\\frac{2(%s)+2}{2} - 1", x.data);
    found += compare (x.data, more.data);
  }
  tap_ok (wrong == 0, "t is never t + 1 (%d times of %d)", wrong, TERMS);
  tap_ok (found > TERMS / 4, "t is (2 t + 2) / 2 - 1 for %d of %d", found, TERMS);
  sol_buffer_free (&x);
  sol_buffer_free (&y);
  sol_buffer_free (&more);
}

typedef struct { uint64_t rows; int64_t done; } state_t;

/* a byte replaced, dropped, doubled, or a piece put in */
static void mutate (uint64_t i, sol_buffer_t *b, sol_buffer_t *out)
{
  const size_t at = b->bytes ? (size_t) draw (7, i, 0, b->bytes) : 0, how = (size_t) draw (7, i, 1, 4);
  const char *p = part[draw (7, i, 2, sizeof part / sizeof *part)];
  sol_buffer_clear (out);
  sol_buffer_add (out, b->data ? b->data : "", at);
  if (how == 0 || how == 3) sol_buffer_add (out, p, strlen (p));
  if (how == 2 && b->bytes) sol_buffer_add (out, b->data + at, 1);
  const size_t from = how == 0 || how == 1 ? at + 1 : at;
  if (from < b->bytes) sol_buffer_add (out, b->data + from, b->bytes - from);
  if (!out->data) sol_buffer_add (out, "", 0);
}

static void row (void *ctx, const cJSON *r)
{
  state_t *s = ctx;
  sol_buffer_t gold = { 0 }, text = { 0 }, changed = { 0 }, found = { 0 };
  need (sol_json_text (r, "gold", &gold) && sol_json_text (r, "prediction", &text));
  const int response = !strcmp (sol_json_string (r, "form"), "response");
  for (int k = 0; k < MUTATIONS; k++, s->done++) {
    mutate (s->rows * MUTATIONS + (uint64_t) k, response ? &text : &gold, &changed);
    if (response) sol_answer_check (changed.data, gold.data, SOL_FORM_RESPONSE, SOL_VERIFY_ANSWER, &found);
    else lopsided += compare (changed.data, gold.data) != compare (gold.data, changed.data);
  }
  s->rows++;
  sol_buffer_free (&gold);
  sol_buffer_free (&text);
  sol_buffer_free (&changed);
  sol_buffer_free (&found);
}

/* depth and length: one piece over and over */
static void test_long (void)
{
  sol_buffer_t b = { 0 };
  for (size_t k = 0; k < sizeof part / sizeof *part; k++)
    for (int n = 50; n <= 3000; n *= 7) {
      sol_buffer_clear (&b);
      for (int i = 0; i < n && b.bytes < 5000; i++) sol_buffer_add (&b, part[k], strlen (part[k]));
      for (int i = 0; i < 3; i++) sol_buffer_add (&b, "9", 1);
      compare (b.data, "9");
    }
  sol_buffer_free (&b);
}

int main (void)
{
  char *path = data_path ("verify_cases.jsonl");
  state_t s = { 0, 0 };
  const size_t before = sol_memory_used ();
  test_random ();
  test_terms ();
  test_long ();
  each_row (path, row, &s);
  tap_ok (s.done == 383 * MUTATIONS, "%lld mutated answers", (long long) s.done);
  tap_ok (lopsided == 0, "the same verdict both ways (%d are not)", lopsided);
  tap_ok (bad_quick == 0, "the quick comparison agrees (%d do not)", bad_quick);
  tap_ok (slowest < LIMIT_S, "the slowest comparison took %.3f s", slowest);
  tap_ok (sol_memory_peak () - before < (16u << 20), "peak of memory %zu bytes", sol_memory_peak ());
  sol_free (path);
  return tap_done ();
}
