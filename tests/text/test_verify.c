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

/* verdicts on the published cases, by kind */
typedef struct { char kind[32]; int n, right, missed, wrong; } kind_t;
typedef struct { kind_t kind[40]; int kinds; kind_t all; } table_t;

static kind_t *kind_of (table_t *t, const char *name)
{
  for (int i = 0; i < t->kinds; i++)
    if (!strcmp (t->kind[i].kind, name)) return &t->kind[i];
  need (t->kinds < 40);
  kind_t *k = &t->kind[t->kinds++];
  snprintf (k->kind, sizeof k->kind, "%s", name);
  return k;
}

static void tally (kind_t *k, int want, int got)
{
  k->n++;
  k->right += got == want;
  k->missed += want && !got;
  k->wrong += got && !want;
}

static void row (void *ctx, const cJSON *r)
{
  table_t *t = ctx;
  sol_buffer_t p = { 0 }, g = { 0 };
  need (sol_json_text (r, "prediction", &p) && sol_json_text (r, "gold", &g));
  const sol_answer_form_t form = !strcmp (sol_json_string (r, "form"), "response") ? SOL_FORM_RESPONSE : !strcmp (sol_json_string (r, "form"), "cut") ? SOL_FORM_CUT : SOL_FORM_ANSWER;
  const int want = cJSON_IsTrue (cJSON_GetObjectItem (r, "equal")), got = sol_answer_check (p.data ? p.data : "", g.data ? g.data : "", form, SOL_VERIFY_ANSWER, NULL);
  tally (kind_of (t, sol_json_string (r, "kind")), want, got);
  tally (&t->all, want, got);
  if (got != want) printf ("# %s (%s): wrongly %s\n", sol_json_string (r, "id"), sol_json_string (r, "kind"), got ? "equal" : "not equal");
  if (form == SOL_FORM_ANSWER) { /* the other way round the verdict is the same, and the quick one says nothing else */
    const int quick = sol_answer_quick (p.data ? p.data : "", g.data ? g.data : "");
    if (!strstr (p.data ? p.data : "", "\\boxed") && (sol_answer_equal (g.data, p.data) != got || (quick >= 0 && quick != got))) {
      printf ("# %s: not symmetric, or quick says %d\n", sol_json_string (r, "id"), quick);
      t->all.wrong++;
    }
  }
  sol_buffer_free (&p);
  sol_buffer_free (&g);
}

/* every row is right, and none wrongly equal */
static void test_cases (const char *name, const char *what, int rows)
{
  char *path = data_path (name);
  table_t t = { 0 };
  each_row (path, row, &t);
  printf ("# %-12s %5s %5s %6s %5s\n", "kind", "cases", "right", "missed", "wrong");
  for (int i = 0; i < t.kinds; i++) printf ("# %-12s %5d %5d %6d %5d\n", t.kind[i].kind, t.kind[i].n, t.kind[i].right, t.kind[i].missed, t.kind[i].wrong);
  tap_ok (t.all.wrong == 0, "none of %d %s cases is wrongly equal (%d)", t.all.n, what, t.all.wrong);
  tap_ok (t.all.n == rows && t.all.right == t.all.n, "all of %d %s cases are right (%d)", t.all.n, what, t.all.right);
  sol_free (path);
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
  ok (same ("\\frac{1}{4}+\\frac{3}{4 \\cdot 5^{2008}}", "\\frac14 + \\frac{3}{4\\cdot5^{2008}}") && same ("(\\frac{11}{18})^{2012}", "(\\frac{11}{18})^{2012}") && differ ("5^{2008}", "5^{2008}+1"));
  ok (same ("0.1+0.2", "0.3") && same ("(9+1)", "10") && same ("2+3*4", "14") && same ("8/4/2", "1") && same ("-2^2", "-4") && same ("5!", "120"));
  ok (same ("\\$5.00", "5") && same ("5 dollars", "\\$5") && same ("10\\text{ cm}^2", "10") && same ("90^\\circ", "90 degrees") && differ ("5 cm", "5 m^2") && differ ("5x", "5") && differ ("5 million", "5"));
}

static void test_texts (void)
{
  ok (same ("x = 5", "5") && differ ("x = 5", "y = 5") && differ ("x = 5 or 6", "5") && same ("\\text{Yes}", "Yes") && differ ("Yes", "No") && differ ("", "") && differ ("", "0"));
  ok (same ("(1/2, 3)", "(0.5,3)") && differ ("(1,2)", "(2,1)") && differ ("(1,2)", "[1,2)") && differ ("(1,2)", "1,2") && same ("1, 2, 3", "1,2,3") && differ ("1,2", "1,2,3"));
  ok (differ ("12 3", "123") && differ ("12 3", "1 23") && same ("\\sqrt{ 2 }", "\\sqrt{2}") && differ ("\\infty", "-\\infty") && differ ("1:2", "12") && differ ("10^", "10"));
}

/* what the published cases do not say */
static void test_algebra (void)
{
  ok (same ("x^2-1", "(x-1)(x+1)") && differ ("x^2-1", "(x-1)^2") && same ("\\frac{x^2-1}{x-1}", "x+1") && same ("\\sin^2 x + \\cos^2 x", "1") && differ ("\\sin x", "\\sin y"));
  ok (differ ("\\sqrt{x^2}", "x") && same ("\\sqrt{x^2}", "|x|") && differ ("|x|", "x") && same ("\\log x^2", "2\\log x") && differ ("\\log 100", "2") && differ ("\\log 8", "\\ln 8"));
  ok (same ("(-1)^n", "(-1)^{n+2}") && differ ("(-1)^n", "(-1)^{n+1}") && same ("\\cos n\\pi", "\\cos n\\pi") && differ ("\\sin \\pi n", "0") && same ("\\frac{n!}{(n-1)!}", "n"));
  ok (differ ("|x-100|", "100-x") && differ ("\\sqrt{(x-1000)^2}", "1000-x") && differ ("x+\\lfloor\\frac{|x|}{10^9}\\rfloor", "x") && same ("\\lfloor\\frac{n+1}{2}\\rfloor+1", "1+\\lfloor\\frac n2+\\frac12\\rfloor"));
  ok (same ("(x+1)^{200}-(x+1)^{199}", "x(x+1)^{199}") && same ("e^{x}e^{y}", "e^{x+y}") && same ("x^{60}-1", "(x^{30}-1)(x^{30}+1)") && differ ("x^{60}-1", "x^{60}-2"));
  ok (differ ("\\pi + 10^{-100}", "\\pi") && differ ("\\pi + 10^{-700}", "\\pi") && differ ("1+e^{-900}", "1") && differ ("\\pi+\\frac{1}{2^{9000}}", "\\pi") && same ("\\sqrt2\\sqrt3-\\sqrt6", "0"));
  ok (differ ("e^{\\pi\\sqrt{163}}", "262537412640768744") && differ ("640320^3+744", "e^{\\pi\\sqrt{163}}") && differ ("\\sin 10^{-200}", "10^{-200}") && differ ("\\sin 1", "1-\\frac16+\\frac1{120}"));
  ok (same ("\\sqrt[3]{-8}", "-2") && same ("\\sqrt{-4}", "2i") && same ("i^{2023}", "-i") && same ("e^{2\\pi i/3}", "-\\frac12+\\frac{\\sqrt3}{2}i") && differ ("2i", "-2i"));
  ok (same ("\\sin 30^\\circ", "\\frac12") && differ ("\\sin 30", "\\frac12") && differ ("180^\\circ", "\\pi") && same ("0.1\\overline{6}", "1/6") && same ("0.\\overline{142857}", "\\frac17"));
  ok (same ("x<-1 or x>2", "(-\\infty,-1)\\cup(2,\\infty)") && differ ("x<-1 or x>2", "x<-1, x>3") && same ("2x+1 > 7", "x > 3") && differ ("x > 3", "y > 3") && same ("x \\ne 3", "(-\\infty,3)\\cup(3,\\infty)"));
  ok (same ("1:2", "2:4") && differ ("4:20", "8:40") && differ ("1:2", "2:1") && differ ("1:2", "\\frac12") && differ ("y = 2x+3", "2x+3") && same ("f(x) = 2x+3", "2x+3") && same ("xy = 5", "5 = yx") && differ ("xy = 5", "5"));
  ok (differ ("5 feet 3 inches", "3 feet 5 inches") && differ ("odd", "dod") && differ ("\\text{god}", "\\text{dog}") && same ("EVEN", "even") && differ ("101_2", "101_3") && differ ("101_2", "5") && differ ("12_5", "12"));
  ok (same ("-37_8", "-37_{8}") && differ ("-37_8", "37_8") && same ("34 sq. units", "34\\text{ square units}") && same ("4:30 p.m.", "4:30 PM") && differ ("4:30 a.m.", "4:30 p.m."));
  ok (same ("n 2^{n-2}", "2^{n-2} n") && differ ("2 3^4", "162") && differ ("1 2^2", "12^2") && same ("\\binom{100}{50} 2^{98}", "2^{98}\\binom{100}{50}") && differ ("x 2", "2x"));
  ok (differ ("1,2,2", "1,1,2") && same ("\\{1,2,2\\}", "\\{2,1\\}") && differ ("1,1,2", "1,2") && differ ("(1,2),(3,4)", "(1,2),(4,3)") && differ ("x=1, y=2", "x=2, y=1") && differ ("x=1,y=2", "2,1"));
  ok (differ ("\\begin{pmatrix} 1 & 2 \\end{pmatrix}", "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}") && differ ("(1,2)", "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}") && same ("2\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "\\begin{pmatrix} 2 \\\\ 4 \\end{pmatrix}"));
}

/* what would take for ever, or all memory, is refused in time: the whole test has seconds */
static void test_bounds (void)
{
  static const char *const huge[] = { "10^{10^{10}}", "10^10^10", "10^{10^{10^{10}}}", "9^{9^{9^9}}", "(10^{10^{10}})!", "1000000!", "2^{99999999999999999999}", "\\sin(10^{10^{10}})", "e^{e^{e^{e^{e}}}}",
                                      "\\binom{1000000000}{500000000}", "((((((9!)!)!)!)!)!)", "x^{x^{x^{x^{x^x}}}}", "\\sin(\\sin(10^{9999}))", "1e99999999", "\\tan(\\tan(\\tan(9^{9^9})))" };
  for (size_t i = 0; i < sizeof huge / sizeof *huge; i++)
    tap_ok (!sol_answer_equal (huge[i], "1") && !sol_answer_equal (huge[i], "\\pi x") && sol_answer_equal (huge[i], huge[i]), "bounded: %s", huge[i]);
  ok (differ ("10^{10^{10}}", "10^{10^{10}}+1") && same ("10^{10^{10}}", "10^{10^{5+5}}"));
}

static void test_extract (void)
{
  ok (extracts ("so \\boxed{1} no, \\boxed{\\frac{1}{2}} done 7", 1, "\\frac{1}{2}") && extracts ("\\fbox{7}", 1, "7") && extracts ("\\boxed{\\{1,2\\}}", 1, "\\{1,2\\}"));
  ok (extracts ("\\boxed{1} then \\boxed{2", 0, "") && extracts ("\\boxed{}", 1, "") && extracts ("nothing", 0, "") && extracts ("", 0, ""));
  ok (extracts ("Final Answer: The final answer is $(0, 1)$. I hope it is correct.", 2, "(0, 1)") && extracts ("**Final Answer:** 73\n", 2, "73") && extracts ("final answer: the volume is 120.", 2, "120"));
  ok (extracts ("48 + 24 = 72\n#### 72", 3, "72") && extracts ("#### 1,234 \nmore 5", 3, "1,234"));
  ok (extracts ("It is 2 + 3 = 5.", 4, "5") && extracts ("it is -5", 4, "-5") && extracts ("7-5", 4, "7-5") && extracts ("probability 2/3.", 4, "2/3") && extracts ("AZ2A", 0, "") && extracts ("x^2", 0, ""));
  ok (extracts ("is \\frac{3}{4}", 4, "\\frac{3}{4}") && extracts ("1,000.99 m and more", 4, "1,000.99") && extracts ("28 %", 4, "28%") && extracts ("a 3rd one is 4 and", 4, "4"));
  ok (extracts ("so 5<|im_end|>\n<|im_start|>user 6", 4, "5"));
}

static int grade (const char *response, const char *gold, sol_verify_mode_t mode) { return sol_answer_check (response, gold, SOL_FORM_RESPONSE, mode, NULL); }

static int cut (const char *response, const char *gold, sol_verify_mode_t mode) { return sol_answer_check (response, gold, SOL_FORM_CUT, mode, NULL); }

static int as (const char *response, sol_answer_form_t form) { return sol_answer_check (response, "7", form, SOL_VERIFY_ANSWER, NULL); }

static void test_modes (void)
{
  ok (as ("it is 7", SOL_FORM_RESPONSE) && !as ("it is 7", SOL_FORM_MARKED) && !as ("it is $7$", SOL_FORM_MARKED) && as ("#### 7", SOL_FORM_MARKED) && as ("Final Answer: 7", SOL_FORM_MARKED) && as ("\\boxed{7} 8", SOL_FORM_MARKED));
  ok (as ("\\boxed{7} 8", SOL_FORM_BOXED) && as ("\\fbox{7}", SOL_FORM_BOXED) && !as ("#### 7", SOL_FORM_BOXED) && !as ("Final Answer: 7", SOL_FORM_BOXED) && !as ("it is 7", SOL_FORM_BOXED) && !as ("", SOL_FORM_BOXED) && !as ("7", SOL_FORM_BOXED));
  /* cut off at a length limit: what was on its way, a number above all, is not rewarded */
  ok (!cut ("more than 15", "15", SOL_VERIFY_ANSWER) && !cut ("it is $7$.\nSo 7", "7", SOL_VERIFY_ANSWER) && !cut ("it is 7", "7", SOL_VERIFY_STRICT) && !cut ("#### 12", "12", SOL_VERIFY_ANSWER));
  ok (cut ("\\boxed{7} and now 8", "7", SOL_VERIFY_ANSWER) && cut ("\\boxed{7} and now 8", "7", SOL_VERIFY_M2PO) && !cut ("\\boxed{7", "7", SOL_VERIFY_ANSWER));
  ok (cut ("#### 12\nQuestion: 3", "12", SOL_VERIFY_ANSWER) && cut ("Final Answer: 12\nthen", "12", SOL_VERIFY_ANSWER) && !cut ("is 5\n#### 12", "5", SOL_VERIFY_ANSWER) && !cut ("", "7", SOL_VERIFY_ANSWER));
  ok (grade ("so \\boxed{1/2}", "0.5", SOL_VERIFY_ANSWER) && grade ("so \\boxed{1/2}", "0.5", SOL_VERIFY_M2PO) && !grade ("so \\boxed{1/2}", "0.5", SOL_VERIFY_STRICT));
  ok (grade ("so \\boxed{ 1/2 }", "1/2", SOL_VERIFY_STRICT) && !grade ("so \\boxed{1 /2}", "1/2", SOL_VERIFY_STRICT) && grade ("it is 7", "7", SOL_VERIFY_STRICT));
  ok (grade ("it is 7", "7", SOL_VERIFY_ANSWER) && !grade ("it is 7", "7", SOL_VERIFY_M2PO) && !grade ("\\fbox{7}", "7", SOL_VERIFY_M2PO) && !grade ("\\boxed{7} \\boxed{8", "7", SOL_VERIFY_M2PO));
  ok (grade ("\\boxed{7} and \\fbox{8}", "7", SOL_VERIFY_M2PO) && grade ("\\boxed{7} and \\fbox{8}", "8", SOL_VERIFY_ANSWER) && !grade ("", "7", SOL_VERIFY_M2PO));
  ok (sol_answer_quick ("7", "7.0") == 1 && sol_answer_quick ("7", "8") == 0 && sol_answer_quick ("x", "7") == -1 && sol_answer_quick ("2^{100000}", "3^{100000}") == -1 && sol_answer_quick ("5 cm", "5") == 1);
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
    yes += sol_answer_check (b.data, "123456789", SOL_FORM_ANSWER, SOL_VERIFY_ANSWER, NULL);
    yes += sol_answer_check (b.data, "123456789", SOL_FORM_RESPONSE, SOL_VERIFY_ANSWER, &out);
    sol_buffer_free (&b);
    sol_buffer_free (&out);
  }
  tap_ok (yes == 0, "20000 random answers: none equals the reference (%d)", yes);
  static const char *const big[] = { "9^{9999}", "9^{9999}*9^{9999}", "200!^{9999}", "1e9999", "2^{2^{2^{2}}}" };
  for (size_t i = 0; i < 4; i++) yes += sol_answer_equal (big[i], "1");
  ok (yes == 0 && same (big[4], "65536"));
  sol_buffer_t long_text = { 0 };
  for (int i = 0; i < 200000; i++) sol_buffer_add (&long_text, i % 2 ? "{" : "\\frac", i % 2 ? 1 : 5);
  ok (!sol_answer_check (long_text.data, "1", SOL_FORM_RESPONSE, SOL_VERIFY_ANSWER, NULL) && !sol_answer_check (long_text.data, "1", SOL_FORM_ANSWER, SOL_VERIFY_ANSWER, NULL));
  sol_buffer_clear (&long_text);
  for (int i = 0; i < 3000; i++) sol_buffer_add (&long_text, "7", 1);
  ok (!sol_answer_equal (long_text.data, "7") && sol_answer_equal (long_text.data, long_text.data)); /* too long for arithmetic: compared as text */
  sol_buffer_free (&long_text);
}

int main (void)
{
  test_numbers ();
  test_texts ();
  test_algebra ();
  test_bounds ();
  test_extract ();
  test_modes ();
  test_cases ("verify_cases.jsonl", "published", 383);
  test_cases ("verify_more.jsonl", "own", 735);
  test_wild ();
  return tap_done ();
}
