/* SPDX-License-Identifier: Apache-2.0 */
/* extract.c: the answer in a model's text. */
#include "answer.h"
#include "solera/verify.h"
#include <ctype.h>
#include <string.h>

typedef struct { const char *s; size_t n; int percent; } span_t; /* percent: a percent sign stood behind, apart */

static span_t trim (span_t t)
{
  while (t.n && (isspace ((unsigned char) t.s[0]) || t.s[0] == '*' || t.s[0] == ':')) t.s++, t.n--;
  while (t.n && (isspace ((unsigned char) t.s[t.n - 1]) || t.s[t.n - 1] == '*' || t.s[t.n - 1] == '.')) t.n--;
  return t;
}

/* last occurrence of what (lower case when fold) in t; (size_t) -1: none */
static size_t last (span_t t, const char *what, int fold)
{
  size_t n = strlen (what);
  for (size_t i = t.n >= n ? t.n - n + 1 : 0; i-- > 0;) {
    size_t k = 0;
    while (k < n && (fold ? tolower ((unsigned char) t.s[i + k]) : (unsigned char) t.s[i + k]) == (unsigned char) what[k]) k++;
    if (k == n) return i;
  }
  return (size_t) -1;
}

/* content of the last \boxed{} or \fbox{}; -1: there is a box, but it is not closed; 0: no box */
static int find_box (span_t t, span_t *found)
{
  size_t box = last (t, "\\boxed{", 0), fbox = last (t, "\\fbox{", 0), at = box;
  size_t skip = 7;
  if (box == (size_t) -1 || (fbox != (size_t) -1 && fbox > box)) at = fbox, skip = 6;
  if (at == (size_t) -1) return 0;
  int depth = 1;
  for (size_t i = at + skip; i < t.n; i++) {
    if (t.s[i] == '\\' && i + 1 < t.n) i++;
    else if (t.s[i] == '{') depth++;
    else if (t.s[i] == '}' && --depth == 0) {
      *found = (span_t) { .s = t.s + at + skip, .n = i - at - skip };
      return 1;
    }
  }
  return -1;
}

/* ---- the last number */

static int is_digit (span_t t, size_t i) { return i < t.n && isdigit ((unsigned char) t.s[i]); }

static size_t skip_digits (span_t t, size_t i)
{
  while (is_digit (t, i)) i++;
  return i;
}

/* may a number begin at i? Not in a word, not as an index or exponent. */
static int begins_well (span_t t, size_t i)
{
  if (i == 0) return 1;
  unsigned char c = (unsigned char) t.s[i - 1];
  if (isalnum (c) || c == '^' || c == '_' || c == '.') return 0;
  return !(c == '{' && i > 1 && (t.s[i - 2] == '^' || t.s[i - 2] == '_'));
}

/* where the sign of the number at i begins, if a minus sign stands there and nothing that it could be subtracted from before it; else i */
static size_t with_sign (span_t t, size_t i)
{
  size_t sign = i >= 1 && t.s[i - 1] == '-' ? 1 : i >= 3 && !memcmp (t.s + i - 3, "\xe2\x88\x92", 3) ? 3 : 0;
  if (!sign || sign == i) return i - sign;
  unsigned char c = (unsigned char) t.s[i - sign - 1];
  return isalnum (c) || strchr (")]}", c) || c >= 0x80 ? i : i - sign;
}

/* the number at i, sign and all, is an exponent or index: 10^{-3} */
static int raised (span_t t, size_t i) { return i > 1 && t.s[i - 1] == '{' && (t.s[i - 2] == '^' || t.s[i - 2] == '_'); }

/* behind one argument of \frac at i, or 0 */
static size_t skip_argument (span_t t, size_t i)
{
  while (i < t.n && t.s[i] == ' ') i++;
  if (is_digit (t, i)) return i + 1;
  if (i >= t.n || t.s[i] != '{') return 0;
  int depth = 0;
  for (size_t k = i; k < t.n && k < i + 80; k++) {
    if (t.s[k] == '{') depth++;
    else if (t.s[k] == '}' && --depth == 0) return k + 1;
  }
  return 0;
}

/* behind the fraction of numbers \frac{a}{b} at i, or 0 */
static size_t skip_frac (span_t t, size_t i)
{
  static const char *const name[] = { "\\frac", "\\dfrac", "\\tfrac", "\\cfrac" };
  size_t end = 0;
  for (int k = 0; k < 4 && !end; k++) {
    size_t n = strlen (name[k]);
    if (i + n < t.n && !memcmp (t.s + i, name[k], n) && (end = skip_argument (t, i + n))) end = skip_argument (t, end);
  }
  if (!end) return 0;
  return sol_answer_is_number (t.s + i, end - i) ? end : 0;
}

/* behind the digits, thousands, decimals, exponent and denominator at i, or 0 */
static size_t skip_decimal (span_t t, size_t i)
{
  size_t from = i, k;
  i = skip_digits (t, i);
  if (i - from <= 3 && i > from)
    while (i < t.n && t.s[i] == ',' && skip_digits (t, i + 1) == i + 4) i += 4;
  if (i < t.n && t.s[i] == '.' && is_digit (t, i + 1)) i = skip_digits (t, i + 1);
  if (i == from) return 0;
  if (i < t.n && (t.s[i] == 'e' || t.s[i] == 'E')) {
    k = i + 1 + (i + 1 < t.n && strchr ("+-", t.s[i + 1]) ? 1 : 0);
    if (is_digit (t, k)) i = skip_digits (t, k);
  }
  if (i < t.n && t.s[i] == '/' && is_digit (t, i + 1)) i = skip_digits (t, i + 1);
  k = i;
  while (k < t.n && t.s[k] == ' ') k++;
  const size_t top = skip_digits (t, k);
  if (k == i + 1 && top > k && top < t.n && t.s[top] == '/' && is_digit (t, top + 1)) return skip_digits (t, top + 1); /* mixed: 1 1/2, 1\frac12 */
  return (k = skip_frac (t, k)) ? k : i;
}

/* Behind a word of magnitude behind the number that ends at i, else i: 3.5 million */
static size_t with_magnitude (span_t t, size_t i)
{
  size_t k = i;
  while (k < t.n && t.s[k] == ' ') k++;
  const size_t word = k;
  while (k < t.n && isalpha ((unsigned char) t.s[k])) k++;
  const char *unit = k > word ? sol_unit_word (t.s + word, k - word) : NULL;
  return unit && unit[0] == '#' ? k : i;
}

/* may the number end at i? Not inside a word, unless the word is a unit or a lone letter, a factor. */
static int ends_well (span_t t, size_t i)
{
  size_t k = i;
  while (k < t.n && isalpha ((unsigned char) t.s[k])) k++;
  if (k == i || (k == i + 1 && !is_digit (t, k)) || sol_unit_word (t.s + i, k - i)) return 1;
  return k == i + 1 && t.s[i] == 'm' && k < t.n && (t.s[k] == '^' || t.s[k] == '\xc2'); /* m^2 */
}

/* a percent sign or word behind a number, perhaps behind the dollar that closes it */
static int percent_at (span_t t, size_t i)
{
  static const char *const sign[] = { "%", "\\%", "percent", "pct" };
  if (i < t.n && t.s[i] == '$') i++;
  while (i < t.n && t.s[i] == ' ') i++;
  for (int k = 0; k < 4; k++)
    if (i + strlen (sign[k]) <= t.n && !memcmp (t.s + i, sign[k], strlen (sign[k]))) return 1;
  return 0;
}

static int last_number (span_t t, span_t *found)
{
  int any = 0;
  for (size_t i = 0; i < t.n;) {
    size_t end = 0;
    if (t.s[i] == '\\') end = skip_frac (t, i);
    else if (isdigit ((unsigned char) t.s[i]) || (t.s[i] == '.' && is_digit (t, i + 1))) end = skip_decimal (t, i);
    if (!end) {
      i++;
      continue;
    }
    const size_t from = with_sign (t, i);
    if (begins_well (t, i) && !raised (t, from) && ends_well (t, end)) {
      *found = (span_t) { t.s + from, with_magnitude (t, end) - from, percent_at (t, end) };
      any = 1;
    }
    i = end;
  }
  return any;
}

/* the last number, with the inequality, sum, list ... that it is part of */
static int last_value (span_t t, span_t *found)
{
  if (!last_number (t, found)) return 0;
  size_t from = (size_t) (found->s - t.s), end = from + found->n;
  if (sol_answer_whole (t.s, t.n, &from, &end)) *found = (span_t) { .s = t.s + from, .n = end - from };
  return 1;
}

/* ---- mathematics between delimiters */

/* the delimited part that t begins with ($..$, $$..$$, \(..\), \[..\]), with a percent sign or word right behind it; 0: it begins with none */
static int leading_math (span_t t, span_t *found)
{
  static const char *const mark[][2] = { { "$$", "$$" }, { "$", "$" }, { "\\(", "\\)" }, { "\\[", "\\]" } };
  for (int k = 0; k < 4; k++) {
    size_t n = strlen (mark[k][0]);
    if (t.n < n || memcmp (t.s, mark[k][0], n)) continue;
    for (size_t i = n; i + n <= t.n; i++)
      if (!memcmp (t.s + i, mark[k][1], n)) {
        *found = (span_t) { .s = t.s + n, .n = i - n };
        return 1;
      }
  }
  return 0;
}

/* $1$ or $2$, $1$, $2$ and $3$: the parts before the one that begins at `at` belong to it (of "$x = 1$ and $y = 2$" the last alone is the answer) */
static void together (span_t t, const char *const mark[2], size_t at, span_t *found)
{
  const size_t n = strlen (mark[0]);
  const char *const end = found->s + found->n;
  int assigns = memchr (found->s, '=', found->n) != NULL, joints = 0;
  for (;; joints++) {
    size_t k = at;
    while (k && t.s[k - 1] == ' ') k--;
    const int or = k > 2 && !memcmp (t.s + k - 2, "or", 2) && !isalpha ((unsigned char) t.s[k - 3]), and = k > 3 && !memcmp (t.s + k - 3, "and", 3) && !isalpha ((unsigned char) t.s[k - 4]);
    if (!or && !(and && !assigns) && !(joints && k && t.s[k - 1] == ',')) return;
    k -= or ? 2 : and ? 3 : 1;
    while (k && (t.s[k - 1] == ' ' || t.s[k - 1] == ',')) k--;
    if (k < 2 * n || memcmp (t.s + k - n, mark[1], n)) return;
    const size_t open = last ((span_t) { .s = t.s, .n = k - n }, mark[0], 0);
    if (open == (size_t) -1) return;
    *found = (span_t) { .s = t.s + open, .n = (size_t) (end - t.s) + n - open };
    at = open;
  }
}

/* the delimited part that t ends with */
static int trailing_math (span_t t, span_t *found)
{
  static const char *const mark[][2] = { { "$$", "$$" }, { "$", "$" }, { "\\(", "\\)" }, { "\\[", "\\]" } };
  for (int k = 0; k < 4; k++) {
    size_t n = strlen (mark[k][0]);
    if (t.n < 2 * n || memcmp (t.s + t.n - n, mark[k][1], n) || (k == 1 && t.n > 1 && t.s[t.n - 2] == '\\')) continue;
    size_t at = last ((span_t) { .s = t.s, .n = t.n - n }, mark[k][0], 0);
    if (at == (size_t) -1) continue;
    *found = (span_t) { .s = t.s + at + n, .n = t.n - 2 * n - at };
    return together (t, mark[k], at, found), 1;
  }
  return 0;
}

/* the answer in the sentence behind "Final Answer" or "####" */
static span_t in_sentence (span_t t)
{
  span_t found;
  static const char *const lead[] = { "is", ":" };
  t = trim (t);
  for (int k = 0; k < 2; k++)
    if (t.n > 2 && !memcmp (t.s, lead[k], strlen (lead[k])) && !isalpha ((unsigned char) t.s[strlen (lead[k])]))
      t = trim ((span_t) { .s = t.s + strlen (lead[k]), .n = t.n - strlen (lead[k]) });
  size_t hope = last (t, "i hope it is correct", 1);
  if (hope != (size_t) -1) t = trim ((span_t) { .s = t.s, .n = hope });
  if (leading_math (t, &found)) return found;
  const char *line = memchr (t.s, '\n', t.n);
  if (line) t = trim ((span_t) { .s = t.s, .n = (size_t) (line - t.s) });
  return !sol_answer_is_number (t.s, t.n) && last_value (t, &found) ? found : t;
}

/* the letter of a choice at the end: "The answer is (B)", "Answer: B" */
static int last_choice (span_t t, span_t *found)
{
  static const char *const lead[] = { "answer is", "answer:", "answer is:", "option", "choice" };
  size_t n = t.n;
  if (n >= 3 && t.s[n - 1] == ')' && t.s[n - 3] == '(' && isupper ((unsigned char) t.s[n - 2]) && (n == 3 || isspace ((unsigned char) t.s[n - 4]) || t.s[n - 4] == '*')) {
    *found = (span_t) { .s = t.s + n - 2, .n = 1 };
    return 1;
  }
  if (!n || !isupper ((unsigned char) t.s[n - 1])) return 0;
  const span_t before = trim ((span_t) { .s = t.s, .n = n - 1 });
  if (n > 1 && isalnum ((unsigned char) t.s[n - 2])) return 0;
  for (int k = 0; k < 5; k++) {
    const size_t bytes = strlen (lead[k]);
    if (before.n >= bytes && last (before, lead[k], 1) == before.n - bytes) {
      *found = (span_t) { .s = t.s + n - 1, .n = 1 };
      return 1;
    }
  }
  return 0;
}

/* Is what stands behind "####" a heading of a text in parts: "#### Step 2: the sum", "#### 1. First" ? */
static int is_heading (span_t t)
{
  static const char *const first[] = { "step", "part", "case", "method", "explanation", "verification", "note", "conclusion", "solution", "problem", "question", "example", "summary" };
  while (t.n && (*t.s == ' ' || *t.s == '*' || *t.s == '#')) t.s++, t.n--;
  for (size_t k = 0; k < sizeof first / sizeof *first; k++) {
    const size_t n = strlen (first[k]);
    if (last ((span_t) { .s = t.s, .n = t.n < n ? t.n : n }, first[k], 1) == 0) return 1;
  }
  const size_t i = skip_digits (t, 0);
  return i && i + 2 < t.n && (t.s[i] == '.' || t.s[i] == ')') && t.s[i + 1] == ' ' && isalpha ((unsigned char) t.s[i + 2]);
}

/* the last "####" that no heading follows */
static size_t last_mark (span_t t)
{
  for (size_t at; (at = last (t, "####", 0)) != (size_t) -1; t.n = at) {
    const char *line = memchr (t.s + at, '\n', t.n - at);
    const size_t end = line ? (size_t) (line - t.s) : t.n;
    if (!is_heading ((span_t) { .s = t.s + at + 4, .n = end - at - 4 })) return at;
  }
  return (size_t) -1;
}

static int is_relation (span_t t)
{
  static const char *const sign[] = { "<", ">", "\\le", "\\ge", "\\ne", "\\lt", "\\gt", "!=" };
  for (int k = 0; k < 8; k++)
    if (last (t, sign[k], 0) != (size_t) -1) return 1;
  return 0;
}

/* The inequality between dollars that the last number is part of: "so $x \ge 5$ is the solution". */
static void widen (span_t t, span_t *found)
{
  size_t open = (size_t) -1, from = (size_t) (found->s - t.s);
  for (size_t i = 0; i < t.n; i++) {
    if (t.s[i] != '$' || (i && t.s[i - 1] == '\\')) continue;
    if (open == (size_t) -1) open = i;
    else {
      const span_t math = { .s = t.s + open + 1, .n = i - open - 1 };
      if (open < from && from < i && is_relation (math)) *found = math;
      open = (size_t) -1;
    }
  }
}

static int find (span_t t, span_t *found)
{
  int box = find_box (t, found);
  size_t at;
  if (box) return box > 0 ? 1 : 0;
  if ((at = last (t, "final answer", 1)) != (size_t) -1) {
    *found = in_sentence ((span_t) { .s = t.s + at + 12, .n = t.n - at - 12 });
    return found->n ? 2 : 0;
  }
  if ((at = last_mark (t)) != (size_t) -1) {
    *found = in_sentence ((span_t) { .s = t.s + at + 4, .n = t.n - at - 4 });
    return found->n ? 3 : 0;
  }
  size_t hope = last (t, "i hope it is correct", 1);
  span_t end = trim (hope == (size_t) -1 ? t : (span_t) { .s = t.s, .n = hope });
  if (trailing_math (end, found)) return 4;
  if (last_choice (end, found)) return 4;
  if (!last_value (t, found)) return 0;
  widen (t, found);
  return 4;
}

/* A model that runs on into the next turn of a chat has answered before it. */
static span_t first_turn (const char *text, size_t bytes)
{
  static const char *const turn[] = { "<|im_start|>", "<|im_end|>", "<|endoftext|>" };
  span_t t = { .s = text, .n = bytes };
  for (int k = 0; k < 3; k++) {
    const char *p = bytes ? memmem (t.s, t.n, turn[k], strlen (turn[k])) : NULL;
    if (p) t.n = (size_t) (p - t.s);
  }
  return t;
}

int sol_answer_extract_box (const char *text, size_t bytes, sol_buffer_t *out)
{
  const span_t t = first_turn (text, bytes);
  span_t found = { .s = text };
  const size_t box = last (t, "\\boxed{", 0), fbox = last (t, "\\fbox{", 0);
  const int good = box != (size_t) -1 && find_box ((span_t) { .s = t.s, .n = fbox != (size_t) -1 && fbox > box ? fbox : t.n }, &found) == 1;
  sol_buffer_clear (out);
  if (good) sol_buffer_add (out, found.s, found.n);
  return good;
}

int sol_answer_extract (const char *text, size_t bytes, sol_buffer_t *out)
{
  const span_t t = first_turn (text, bytes);
  span_t found = { .s = text };
  int how = find (t, &found);
  sol_buffer_clear (out);
  if (how) sol_buffer_add (out, found.s, found.n);
  if (how && found.percent) sol_buffer_add (out, "%", 1);
  return how;
}
