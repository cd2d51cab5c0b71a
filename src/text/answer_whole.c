/* SPDX-License-Identifier: Apache-2.0 */
/* answer_whole.c: what the last number of a text is part of. The 5 of "x <= 5", of "3x + 5" and of "2 or 5" is not the answer: all of it is. */
#include "answer.h"
#include <ctype.h>
#include <string.h>

typedef struct { const char *s; size_t n; } text_t;

static int is_letter (text_t t, size_t i) { return i < t.n && isalpha ((unsigned char) t.s[i]); }
static int is_digit (text_t t, size_t i) { return i < t.n && isdigit ((unsigned char) t.s[i]); }
static int is_blank (text_t t, size_t i) { return i < t.n && (t.s[i] == ' ' || t.s[i] == '\t'); }
static int has (text_t t, size_t i, const char *what) { return i + strlen (what) <= t.n && !memcmp (t.s + i, what, strlen (what)); }

/* signs of several bytes that join a number to what stands beside it */
static const char *const sign[] = { "\xe2\x89\xa4", "\xe2\x89\xa5", "\xe2\x89\xa0", "\xe2\x88\x9a", "\xe2\x88\x9e", "\xc3\x97", "\xc3\xb7", "\xc2\xb1", "\xc2\xb7", "\xcf\x80", "!=" };

/* is there such a sign at i, or up to i? */
static int sign_at (text_t t, size_t i, int before)
{
  for (size_t k = 0; k < sizeof sign / sizeof *sign; k++)
    if (before ? i >= strlen (sign[k]) && has (t, i - strlen (sign[k]), sign[k]) : has (t, i, sign[k])) return 1;
  return 0;
}

/* i is a < or > of a tag, <answer>, </b>, or of an arrow */
static int is_tag (text_t t, size_t i)
{
  size_t k = i;
  if (t.s[i] == '>') {
    if (i && (t.s[i - 1] == '=' || t.s[i - 1] == '-')) return 1;
    while (k > 0 && i - k < 40 && t.s[k - 1] != '<' && t.s[k - 1] != '>' && t.s[k - 1] != '\n') k--;
    return k > 0 && t.s[k - 1] == '<' && k < i && (t.s[k] == '/' || is_letter (t, k)) && !isspace ((unsigned char) t.s[i - 1]);
  }
  while (k + 1 < t.n && k - i < 40 && t.s[k + 1] != '>' && t.s[k + 1] != '<' && t.s[k + 1] != '\n') k++;
  return k + 1 < t.n && t.s[k + 1] == '>' && (t.s[i + 1] == '/' || is_letter (t, i + 1)) && !isspace ((unsigned char) t.s[k]);
}

/* the word that ends before i, behind a backslash or not; *from: where */
static size_t word_before (text_t t, size_t i, size_t *from)
{
  size_t k = i;
  while (k > 0 && is_letter (t, k - 1)) k--;
  *from = k;
  return i - k;
}

static int is_word (text_t t, size_t from, size_t n, const char *what) { return n == strlen (what) && has (t, from, what); }

static const char *const function[] = { "sqrt", "sin", "cos", "tan", "log", "ln", "exp" };

/* log 8, log_2 8 */
static int is_argument (text_t t, size_t i)
{
  size_t word, n, k = i;
  while (k > 0 && is_digit (t, k - 1)) k--;
  if (k < i && k > 0 && t.s[k - 1] == '_') return 1;
  n = word_before (t, i, &word);
  for (size_t f = 0; f < sizeof function / sizeof *function; f++)
    if (is_word (t, word, n, function[f])) return 1;
  return 0;
}

/* "1 or 2", "1, 2 and 3": a number, perhaps in dollars, stands before the word that ends before i */
static int joins_list (text_t t, size_t i)
{
  size_t from, n = word_before (t, i, &from);
  if (!is_word (t, from, n, "or") && !is_word (t, from, n, "and")) return 0;
  while (from > 0 && (is_blank (t, from - 1) || strchr (",$", t.s[from - 1]))) from--;
  return from > 0 && (is_digit (t, from - 1) || strchr (")]}%", t.s[from - 1]));
}

/* the operator before k (blanks apart: spaced), which begins where the number does: has it something to work on? */
static int operates (text_t t, size_t k, int spaced)
{
  const char c = t.s[k - 1];
  size_t q = k - 1;
  while (q > 0 && is_blank (t, q - 1)) q--;
  const int start = q == 0 || t.s[q - 1] == '\n', gap = q < k - 1;
  if (c == '<') return !is_tag (t, k - 1);
  if (start) return c == '-' && !spaced ? 0 : c == '/' || c == '^'; /* an item of a list, a quotation */
  if (c == '>') return !is_tag (t, k - 1);
  if (c == '*' && (t.s[q - 1] == '*' || (gap && !spaced))) return 0; /* bold, italic */
  if ((c == '+' || c == '-') && gap && !spaced) return is_digit (t, q - 1) || t.s[q - 1] == ')';
  return isalnum ((unsigned char) t.s[q - 1]) || strchr (")]}%=$", t.s[q - 1]) != NULL || (unsigned char) t.s[q - 1] >= 0x80;
}

static int joined_before (text_t t, size_t from)
{
  size_t k = from, word, n;
  while (k > 0 && is_blank (t, k - 1)) k--;
  if (k == 0) return 0;
  const int spaced = k < from;
  if (sign_at (t, k, 1) || (k > 2 && has (t, k - 3, "+/-"))) return 1;
  const char c = t.s[k - 1];
  if (strchr ("<>+-*/^", c)) return operates (t, k, spaced);
  if (c == '=') return k > 1 && strchr ("<>!", t.s[k - 2]) != NULL;
  if (c == ':') return !spaced && k > 1 && is_digit (t, k - 2);
  if (c == '(' || c == '{') return k > 1 && !spaced && (is_letter (t, k - 2) || t.s[k - 2] == '^');
  if (c == ',') { /* (3, 4), 1, 2, 3 */
    size_t open = k;
    while (open > 0 && strchr ("0123456789., -", t.s[open - 1])) open--;
    return k > 1 && is_digit (t, k - 2) && ((open > 0 && strchr ("([", t.s[open - 1])) || memchr (t.s + open, ',', k - 1 - open) != NULL);
  }
  if (is_argument (t, k)) return 1;
  if (!(n = word_before (t, k, &word))) return 0;
  if (word > 0 && t.s[word - 1] == '\\')
    return !is_word (t, word, n, "approx") && !is_word (t, word, n, "quad") && !is_word (t, word, n, "to") && !is_word (t, word, n, "text") && n < 9 && strncmp (t.s + word, "imp", 3);
  return joins_list (t, k);
}

static int joined_behind (text_t t, size_t end)
{
  size_t k = end;
  while (is_blank (t, k)) k++;
  if (k >= t.n) return 0;
  if (sign_at (t, k, 0)) return 1;
  const char c = t.s[k];
  if (c == '^' || c == ')') return c == '^';
  if (c == ':') return k == end && is_digit (t, k + 1);
  if (c == '<' || c == '>') return !is_tag (t, k);
  if (c == '\\') return has (t, k, "\\pi") || has (t, k, "\\sqrt") || has (t, k, "\\le") || has (t, k, "\\ge") || has (t, k, "\\pm") || has (t, k, "\\times") || has (t, k, "\\cdot") || has (t, k, "\\ne");
  if (k == end && is_letter (t, k) && !is_letter (t, k + 1) && !is_digit (t, k + 1)) return !(c == 'm' && k + 1 < t.n && (t.s[k + 1] == '^' || t.s[k + 1] == '\xc2')); /* 3x, not 3m^2 */
  if (is_blank (t, end) && is_digit (t, k)) return 0;
  if (!strchr ("+-*/", c) || (k > end && !is_blank (t, k + 1))) return 0;
  for (k++; is_blank (t, k); k++) {}
  return is_digit (t, k) || (k < t.n && strchr ("(\\", t.s[k])) || (is_letter (t, k) && !is_letter (t, k + 1) && t.s[k] != 'a' && t.s[k] != 'I');
}

/* behind the word, sign or number at i; *stop: it is no mathematics */
static size_t step (text_t t, size_t i, int *stop)
{
  static const char *const known[] = { "and", "or", "sqrt", "sin", "cos", "tan", "log", "ln", "exp", "pi", "frac" };
  size_t k = i;
  *stop = 0;
  if (t.s[i] == '\n') return *stop = 1, i + 1;
  if (t.s[i] == '\\') {
    for (k++; is_letter (t, k); k++) {}
    return k == i + 1 ? k + (k < t.n) : k;
  }
  if (strchr (".!?;", t.s[i]) && (i + 1 == t.n || isspace ((unsigned char) t.s[i + 1]))) return *stop = 1, i + 1;
  if ((t.s[i] == '<' || t.s[i] == '>') && is_tag (t, i)) return *stop = 1, i + 1;
  if (t.s[i] == ':' && is_blank (t, i + 1)) return *stop = 1, i + 1;
  if (!is_letter (t, i)) return i + 1;
  while (is_letter (t, k)) k++;
  *stop = k > i + 1 || ((t.s[i] == 'a' || t.s[i] == 'A' || t.s[i] == 'I') && (i == 0 || is_blank (t, i - 1)) && is_blank (t, k));
  for (size_t n = 0; n < sizeof known / sizeof *known; n++) *stop &= !is_word (t, i, k - i, known[n]);
  return k;
}

int sol_answer_whole (const char *text, size_t bytes, size_t *from, size_t *end)
{
  const text_t t = { text, bytes };
  size_t begin = *from, i;
  int stop = 0;
  if (!joined_before (t, *from) && !joined_behind (t, *end)) return 0;
  while (begin > 0 && text[begin - 1] != '\n') begin--;
  for (i = begin; i < *from;) {
    const size_t next = step (t, i, &stop);
    if (stop) begin = next;
    i = next;
  }
  for (i = *end, stop = 0; i < bytes;) {
    const size_t next = step (t, i, &stop);
    if (stop) break;
    i = next;
  }
  while (begin < *from && (isspace ((unsigned char) text[begin]) || strchr (",.;:=*", text[begin]))) begin++;
  while (has (t, begin, "and ") || has (t, begin, "or ")) begin += has (t, begin, "and ") ? 4 : 3;
  while (i > *end && (isspace ((unsigned char) text[i - 1]) || strchr (",.;:*", text[i - 1]))) i--;
  *from = begin;
  *end = i;
  return 1;
}
