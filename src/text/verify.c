/* SPDX-License-Identifier: Apache-2.0 */
/* verify.c: are two answers equal? Numbers by value; lists, tuples and intervals element by element, in order; the rest by its text. */
#include "solera/verify.h"
#include "number.h"
#include "solera/memory.h"
#include <ctype.h>
#include <string.h>

#define MAX_DEPTH 4

/* x = 5, f(3) = 5: the name before the equals sign is not the answer. Returns where the answer begins; *name_bytes: the length of the name. */
static const char *right_side (const char *s, size_t *name_bytes)
{
  const char *equals = strchr (s, '=');
  *name_bytes = 0;
  if (!equals || equals == s || strchr (equals + 1, '=') || strchr ("<>!:\\", equals[-1])) return s;
  const char *p = s;
  if (*p == '\\') p++;
  while (isalpha ((unsigned char) *p)) p++;
  if (p == s || (p - s > 1 && *s != '\\')) return s; /* one letter or one command */
  if (*p == '(') {
    p = strchr (p, ')');
    if (!p) return s;
    p++;
  }
  if (p != equals) return s;
  *name_bytes = (size_t) (equals - s);
  return equals + 1;
}

/* the next comma outside brackets, or the end */
static const char *element_end (const char *s)
{
  int depth = 0;
  for (; *s && (depth > 0 || *s != ','); s++) {
    if (*s == '\\' && s[1]) s++; /* \{ too: the caller has taken the outer pair off */
    else if (strchr ("([{", *s)) depth++;
    else if (strchr (")]}", *s)) depth--;
  }
  return s;
}

static int is_word (char c) { return isalnum ((unsigned char) c); }

/* the same but for spaces that part nothing: between letters or digits a space counts */
static int text_equal (const char *x, const char *y)
{
  const char *x0 = x, *y0 = y;
  for (;; x++, y++) {
    int gap_x = *x == ' ' && x > x0 && is_word (x[-1]) && is_word (x[1]), gap_y = *y == ' ' && y > y0 && is_word (y[-1]) && is_word (y[1]);
    if (*x == ' ' && !gap_x) x++;
    if (*y == ' ' && !gap_y) y++;
    if (*x != *y) return 0;
    if (!*x) return 1;
  }
}

static int equal (const char *x, const char *y, int depth);

/* brackets around all of s: (..) [..) \{..\} and so on; sets inside to the length between them */
static int bracketed (const char *s, size_t *head, size_t *tail)
{
  size_t n = strlen (s);
  if (n >= 4 && s[0] == '\\' && s[1] == '{' && s[n - 2] == '\\' && s[n - 1] == '}') *head = *tail = 2;
  else if (n >= 2 && strchr ("([", s[0]) && strchr (")]", s[n - 1])) *head = *tail = 1;
  else return 0;
  return 1;
}

/* both lists of more than one element, with the same brackets or none */
static int list_equal (const char *x, const char *y, int depth)
{
  size_t hx = 0, tx = 0, hy = 0, ty = 0;
  int bx = bracketed (x, &hx, &tx), by = bracketed (y, &hy, &ty);
  size_t nx = strlen (x), ny = strlen (y);
  if (bx != by || hx != hy || memcmp (x, y, hx) || memcmp (x + nx - tx, y + ny - ty, tx)) return 0;
  char *a = sol_strdup (x + hx), *b = sol_strdup (y + hy), *p = a, *q = b;
  a[nx - hx - tx] = b[ny - hy - ty] = 0;
  int count = 0, same = 1;
  for (int more = 1; more && same; count++) {
    char *pe = p + (element_end (p) - p), *qe = q + (element_end (q) - q);
    more = *pe == ',';
    same = (*pe == ',') == (*qe == ',');
    *pe = *qe = 0;
    same = same && *p && *q && equal (p, q, depth + 1);
    if (more && same) p = pe + 1, q = qe + 1;
  }
  sol_free (a);
  sol_free (b);
  return same && count > 1;
}

/* of normalised texts */
static int equal (const char *x, const char *y, int depth)
{
  sol_number_t a, b;
  size_t name_x, name_y;
  while (*x == ' ') x++;
  while (*y == ' ') y++;
  if (!*x || !*y) return 0;
  const char *rx = right_side (x, &name_x), *ry = right_side (y, &name_y);
  if (name_x && name_y && (name_x != name_y || memcmp (x, y, name_x))) return 0;
  int number_x = sol_number_parse (rx, &a), number_y = sol_number_parse (ry, &b);
  if (number_x && number_y) return sol_number_equal (&a, &b) || text_equal (rx, ry); /* numbers too large to compare */
  if (number_x != number_y) return 0;
  if (text_equal (rx, ry)) return 1;
  return depth < MAX_DEPTH && list_equal (rx, ry, depth);
}

int sol_answer_equal (const char *prediction, const char *gold)
{
  sol_buffer_t x = { 0 }, y = { 0 };
  sol_answer_normalise (prediction, strlen (prediction), &x);
  sol_answer_normalise (gold, strlen (gold), &y);
  int same = equal (x.data, y.data, 0);
  sol_buffer_free (&x);
  sol_buffer_free (&y);
  return same;
}

int sol_answer_check (const char *prediction, const char *gold, sol_answer_form_t form, sol_buffer_t *extracted)
{
  sol_buffer_t own = { 0 }, *out = extracted ? extracted : &own;
  int found = 1, same;
  if (form == SOL_FORM_RESPONSE || strstr (prediction, "\\boxed{")) found = sol_answer_extract (prediction, strlen (prediction), out);
  else {
    sol_buffer_clear (out);
    sol_buffer_add (out, prediction, strlen (prediction));
  }
  same = found && out->bytes && sol_answer_equal (out->data, gold);
  sol_buffer_free (&own);
  return same;
}
