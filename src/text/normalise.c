/* SPDX-License-Identifier: Apache-2.0 */
/* normalise.c: one spelling for what LaTeX and Unicode spell in many ways. Nothing here changes what is meant. */
#include "number.h"
#include <ctype.h>
#include <string.h>

static const struct { const char *from, *to; } table[] = {
  { ",\\!", "" }, /* thousands */
  { "{,}", "," }, { "\\!", "" }, { "\\,", " " }, { "\\;", " " }, { "\\:", " " }, { "\\ ", " " }, { "~", " " }, { "\\quad", " " }, { "\\qquad", " " }, { "\\$", "$" },
  { "\\%", "%" }, { "\\(", " " }, { "\\)", " " }, { "\\[", " " }, { "\\]", " " }, { "\\displaystyle", "" }, { "\\left", "" }, { "\\right", "" }, { "\\dfrac", "\\frac" },
  { "\\tfrac", "\\frac" }, { "\\cfrac", "\\frac" }, { "\\cdot", "*" }, { "\\times", "*" }, { "\\div", "/" }, { "^{\\circ}", " degrees " }, { "^\\circ", " degrees " },
  { "\xc2\xb0", " degrees " }, { "\xc3\x97", "*" }, { "\xc2\xb7", "*" }, { "\xc3\xb7", "/" }, { "\xe2\x88\x92", "-" }, { "\xc2\xb2", "^2" }, { "\xc2\xb3", "^3" },
  { "\xc2\xa0", " " }, { "\xe2\x80\xaf", " " }, { "\xe2\x80\x89", " " }, { "\t", " " }, { "\n", " " }, { "\r", " " }, { "**", "" }
};
static const char *const fonts[] = { "\\textbf{", "\\text{", "\\mbox{", "\\mathrm{", "\\mathbf{", "\\textit{", "\\mathit{", "\\rm{" };

static int starts (const char *s, size_t bytes, const char *what)
{
  size_t n = strlen (what);
  return n <= bytes && !memcmp (s, what, n);
}

/* a command's name must end where ours does: \left, not \leftarrow */
static int ends_name (const char *from, const char *rest, size_t bytes)
{
  return !isalpha ((unsigned char) from[strlen (from) - 1]) || from[0] != '\\' || bytes == 0 || !isalpha ((unsigned char) rest[0]);
}

/* bytes of s up to the brace that closes it (itself not counted), or (size_t) -1 */
static size_t to_brace (const char *s, size_t bytes)
{
  int depth = 0;
  for (size_t i = 0; i < bytes; i++) {
    if (s[i] == '\\' && i + 1 < bytes) i++;
    else if (s[i] == '{') depth++;
    else if (s[i] == '}' && depth-- == 0) return i;
  }
  return (size_t) -1;
}

/* length consumed by a table row at s, 0: none applies */
static size_t apply (const char *s, size_t bytes, sol_buffer_t *out)
{
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    size_t n = strlen (table[i].from);
    if (!starts (s, bytes, table[i].from) || !ends_name (table[i].from, s + n, bytes - n)) continue;
    if (i == 0) /* 1,\! 000 */
      while (n < bytes && s[n] == ' ') n++;
    sol_buffer_add (out, table[i].to, strlen (table[i].to));
    return n;
  }
  return 0;
}

static void rewrite (const char *s, size_t bytes, int depth, sol_buffer_t *out)
{
  for (size_t i = 0; i < bytes;) {
    size_t used = 0;
    for (size_t f = 0; f < sizeof fonts / sizeof *fonts && !used && depth < 8; f++) {
      size_t n = strlen (fonts[f]), inside = starts (s + i, bytes - i, fonts[f]) ? to_brace (s + i + n, bytes - i - n) : (size_t) -1;
      if (inside == (size_t) -1) continue;
      sol_buffer_add (out, " ", 1);
      rewrite (s + i + n, inside, depth + 1, out);
      /* a power behind the words belongs to the unit */
      if (s[i + n + inside + 1 < bytes ? i + n + inside + 1 : i] != '^') sol_buffer_add (out, " ", 1);
      used = n + inside + 1;
    }
    if (!used) used = apply (s + i, bytes - i, out);
    if (!used) {
      sol_buffer_add (out, s[i] ? s + i : "\x01", 1); /* a zero byte must not end the text */
      used = 1;
    }
    i += used;
  }
}

/* spaces: none at the ends, one where there were several, none beside an operator or bracket */
static void squeeze (sol_buffer_t *b)
{
  static const char tight[] = "(){}[]+*/=^,-<>!:;";
  size_t n = 0;
  for (size_t i = 0; i < b->bytes; i++) {
    char c = b->data[i];
    if (c == ' ') {
      size_t k = i;
      while (k < b->bytes && b->data[k] == ' ') k++;
      char next = k < b->bytes ? b->data[k] : ')', last = n ? b->data[n - 1] : '(';
      i = k - 1;
      if (strchr (tight, next) || strchr (tight, last)) {
        /* the comma of a list keeps its space: "1, 234" is no thousands separator */
        if (last != ',' || !isdigit ((unsigned char) next)) continue;
      }
    }
    b->data[n++] = c;
  }
  b->data[b->bytes = n] = 0;
}

/* what stands around an answer: dollars in pairs, a full stop, one pair of braces, stray backslashes */
static void peel (sol_buffer_t *b)
{
  for (int again = 1; again && b->bytes;) {
    char *s = b->data;
    size_t n = b->bytes, from = 0, to = n;
    if (s[0] == ' ') from = 1;
    else if (strchr (" .\\", s[n - 1])) to = n - 1;
    else if (n >= 2 && s[0] == '$' && s[n - 1] == '$') from = 1, to = n - 1;
    else if (n >= 2 && s[0] == '{' && to_brace (s + 1, n - 1) == n - 2) from = 1, to = n - 1;
    again = to - from < n;
    memmove (s, s + from, to - from);
    s[b->bytes = to - from] = 0;
  }
}

void sol_answer_normalise (const char *text, size_t bytes, sol_buffer_t *out)
{
  sol_buffer_clear (out);
  sol_buffer_add (out, "", 0);
  rewrite (text, bytes, 0, out);
  if (!out->data) sol_buffer_add (out, " ", 1);
  squeeze (out);
  peel (out);
  squeeze (out);
}
