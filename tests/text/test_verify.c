/* SPDX-License-Identifier: Apache-2.0 */
#include "helpers.h"
#include "solera/random.h"
#include "solera/verify.h"

static int same (const char *a, const char *b)
{
  int x = sol_answer_equal (a, b), y = sol_answer_equal (b, a);
  if (x != y) printf ("# not symmetric: %s and %s\n", a, b);
  return x && y;
}
static int differ (const char *a, const char *b) { return !sol_answer_equal (a, b) && !sol_answer_equal (b, a); }

static int extracts (const char *text, int how, const char *want)
{
  sol_buffer_t b = { 0 };
  int got = sol_answer_extract (text, strlen (text), &b), good = got == how && !strcmp (b.data ? b.data : "", want);
  if (!good) printf ("# %s: %d '%s'\n", text, got, b.data ? b.data : "");
  sol_buffer_free (&b);
  return good;
}

typedef struct { int n, agree, missed, wrong, exact, exact_agree; } count_t;
static void row (void *ctx, const cJSON *r)
{
  count_t *c = ctx;
  static const char *const needs[] = { "fraction", "mixed", "percent", "scinot", "boxed", "currency", "degree", "number", "extraction" };
  sol_buffer_t p = { 0 }, g = { 0 };
  const char *kind = sol_json_string (r, "kind");
  need (sol_json_text (r, "prediction", &p) && sol_json_text (r, "gold", &g));
  int want = cJSON_IsTrue (cJSON_GetObjectItem (r, "equal"));
  int got = sol_answer_check (p.data ? p.data : "", g.data ? g.data : "", !strcmp (sol_json_string (r, "form"), "response") ? SOL_FORM_RESPONSE : SOL_FORM_ANSWER, NULL);
  c->n++;
  c->agree += got == want;
  c->missed += want && !got;
  c->wrong += got && !want;
  if (got && !want) printf ("# %s: wrongly equal\n", sol_json_string (r, "id"));
  for (int i = 0; i < 7; i++)
    if (!strcmp (kind, needs[i])) {
      c->exact++;
      c->exact_agree += got == want;
    }
  sol_buffer_free (&p);
  sol_buffer_free (&g);
}

static void test_numbers (void)
{
  ok (same ("7", "7") && same ("007", "7") && same ("+7", "7") && same ("-7", "-7.0") && same (" 7 ", "7.") && differ ("7", "-7") && differ ("7", "8") && same ("-0", "0"));
  ok (same ("1,234,567", "1234567") && differ ("1,23", "123") && differ ("1, 234", "1234") && differ ("12,345,6", "123456") && same ("1{,}000", "1000") && same ("1\\,000", "1000"));
  ok (same ("0.5", "1/2") && same ("\\frac{1}{2}", ".5") && same ("\\dfrac12", "\\frac{2}{4}") && differ ("0.333", "1/3") && same ("-\\frac{1}{2}", "\\frac{-1}{2}") && differ ("1/0", "1/0.0"));
  ok (same ("1 \\frac{1}{2}", "1.5") && same ("1 1/2", "3/2") && same ("-1\\frac12", "-1.5") && differ ("2\\frac{3}{2}", "3.5") && differ ("11/2", "1.5"));
  ok (same ("50\\%", "1/2") && same ("50 percent", "50%") && differ ("50%", "50") && same ("12.5\\%", "0.125"));
  ok (same ("3 \\times 10^8", "3e8") && same ("1.5E-3", "0.0015") && same ("2^{10}", "1024") && differ ("2^{10}", "1023") && same ("10^{-2}", "0.01"));
  ok (differ ("123456789012345678901", "123456789012345678902") && same ("2^{100}", "1267650600228229401496703205376") && differ ("10^{20}+1", "10^{20}"));
  ok (same ("\\frac{1}{4}+\\frac{3}{4 \\cdot 5^{2008}}", "\\frac14 + \\frac{3}{4\\cdot5^{2008}}") == 0 && same ("(\\frac{11}{18})^{2012}", "(\\frac{11}{18})^{2012}")); /* too large to compare: only as text */
  ok (same ("0.1+0.2", "0.3") && same ("(9+1)", "10") && same ("2+3*4", "14") && same ("8/4/2", "1") && same ("-2^2", "-4") && same ("5!", "120"));
  ok (same ("\\$5.00", "5") && same ("5 dollars", "\\$5") && same ("10\\text{ cm}^2", "10") && same ("90^\\circ", "90 degrees") && differ ("5 cm", "5 m^2") && differ ("5x", "5") && differ ("5 million", "5"));
}

static void test_texts (void)
{
  ok (same ("x = 5", "5") && differ ("x = 5", "y = 5") && differ ("x = 5 or 6", "5") && same ("\\text{Yes}", "Yes") && differ ("Yes", "No") && differ ("", "") && differ ("", "0"));
  ok (same ("(1/2, 3)", "(0.5,3)") && differ ("(1,2)", "(2,1)") && differ ("(1,2)", "[1,2)") && differ ("(1,2)", "1,2") && same ("1, 2, 3", "1,2,3") && differ ("1,2", "1,2,3"));
  ok (differ ("12 3", "123") && differ ("12 3", "1 23") && same ("\\sqrt{ 2 }", "\\sqrt{2}") && differ ("\\infty", "-\\infty") && differ ("1:2", "12") && differ ("10^", "10"));
}

static void test_extract (void)
{
  ok (extracts ("so \\boxed{1} no, \\boxed{\\frac{1}{2}} done 7", 1, "\\frac{1}{2}") && extracts ("\\fbox{7}", 1, "7") && extracts ("\\boxed{\\{1,2\\}}", 1, "\\{1,2\\}"));
  ok (extracts ("\\boxed{1} then \\boxed{2", 0, "") && extracts ("\\boxed{}", 1, "") && extracts ("nothing", 0, "") && extracts ("", 0, ""));
  ok (extracts ("Final Answer: The final answer is $(0, 1)$. I hope it is correct.", 2, "(0, 1)") && extracts ("**Final Answer:** 73\n", 2, "73") && extracts ("final answer: the volume is 120.", 2, "120"));
  ok (extracts ("48 + 24 = 72\n#### 72", 3, "72") && extracts ("#### 1,234 \nmore 5", 3, "1,234"));
  ok (extracts ("It is 2 + 3 = 5.", 4, "5") && extracts ("it is -5", 4, "-5") && extracts ("7-5", 4, "5") && extracts ("probability 2/3.", 4, "2/3") && extracts ("AZ2A", 0, "") && extracts ("x^2", 0, ""));
  ok (extracts ("is \\frac{3}{4}", 4, "\\frac{3}{4}") && extracts ("1,000.99 m and more", 4, "1,000.99") && extracts ("28 %", 4, "28%") && extracts ("a 3rd one is 4 and", 4, "4"));
  ok (extracts ("so 5<|im_end|>\n<|im_start|>user 6", 4, "5"));
}

/* model output may be anything: no crash, no hang, never equal to something else by accident of a limit */
static void test_wild (void)
{
  static const char *const part[] = { "\\frac", "{", "}", "(", ")", "^", "1", "9", ",", ".", "/", "-", "+", "*", "!", "\\boxed{", "$", "\\text{", " ", "e9", "\\%", "=", "[", "]", "\xff", "Final Answer", "####" };
  int yes = 0;
  for (uint64_t i = 0; i < 20000; i++) {
    sol_buffer_t b = { 0 }, out = { 0 };
    for (uint32_t k = 0; k < 1 + i % 60; k++) {
      const char *p = part[sol_random_below (sol_random (2, i, SOL_RANDOM_TEST, 0, k), sizeof part / sizeof *part)];
      sol_buffer_add (&b, p, strlen (p));
    }
    yes += sol_answer_check (b.data, "123456789", SOL_FORM_ANSWER, NULL);
    yes += sol_answer_check (b.data, "123456789", SOL_FORM_RESPONSE, &out);
    sol_buffer_free (&b);
    sol_buffer_free (&out);
  }
  tap_ok (yes == 0, "20000 random answers: none equals the reference (%d)", yes);
  static const char *const big[] = { "9^{9999}", "9^{9999}*9^{9999}", "200!^{9999}", "1e9999", "2^{2^{2^{2}}}" };
  for (size_t i = 0; i < 4; i++) yes += sol_answer_equal (big[i], "1");
  ok (yes == 0 && same (big[4], "65536"));
  sol_buffer_t long_text = { 0 };
  for (int i = 0; i < 200000; i++) sol_buffer_add (&long_text, i % 2 ? "{" : "\\frac", i % 2 ? 1 : 5);
  ok (!sol_answer_check (long_text.data, "1", SOL_FORM_RESPONSE, NULL) && !sol_answer_check (long_text.data, "1", SOL_FORM_ANSWER, NULL));
  sol_buffer_clear (&long_text);
  for (int i = 0; i < 3000; i++) sol_buffer_add (&long_text, "7", 1);
  ok (!sol_answer_equal (long_text.data, "7") && sol_answer_equal (long_text.data, long_text.data)); /* too long for arithmetic: compared as text */
  sol_buffer_free (&long_text);
}

int main (void)
{
  char *path = data_path ("verify_cases.jsonl");
  count_t c = { 0 };
  test_numbers ();
  test_texts ();
  test_extract ();
  each_row (path, row, &c);
  tap_ok (c.wrong == 0, "none of %d published cases is wrongly equal (%d); %d agree, %d are missed", c.n, c.wrong, c.agree, c.missed);
  tap_ok (c.exact_agree == c.exact && c.exact > 40, "all cases of fractions, mixed numbers, percent, powers of ten, boxes, currency, degrees agree: %d of %d", c.exact_agree, c.exact);
  tap_ok (c.missed <= 5, "%d cases missed, of 5 that need logarithms, roots, binomials", c.missed);
  test_wild ();
  sol_free (path);
  return tap_done ();
}
