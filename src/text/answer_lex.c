/* SPDX-License-Identifier: Apache-2.0 */
/* answer_lex.c: one kind of token for what LaTeX, Unicode and plain text spell in many ways. */
#include "answer.h"
#include <ctype.h>
#include <string.h>

typedef struct {
  sol_pool_t *pool;
  sol_tokens_t *out;
  const char *end; /* of the whole text */
  int space, wide, group, money; /* group: depth of brackets in which a comma parts a list; money: a single dollar sign */
} lexer_t;

/* command to token; a first character that is no letter makes a T_CHAR of it; "" nothing; " " a wide space */
static const char *const alias[][2] = {
  { "dfrac", "frac" }, { "tfrac", "frac" }, { "cfrac", "frac" }, { "leq", "le" }, { "leqslant", "le" }, { "geq", "ge" }, { "geqslant", "ge" }, { "neq", "ne" }, { "lt", "<" },
  { "gt", ">" }, { "cdot", "*" }, { "times", "*" }, { "ast", "*" }, { "div", "/" }, { "approx", "=" }, { "colon", ":" }, { "vert", "|" }, { "lvert", "|" }, { "rvert", "|" }, { "mid", "|" },
  { "lbrace", "{" }, { "rbrace", "}" }, { "lbrack", "[" }, { "rbrack", "]" }, { "varnothing", "emptyset" }, { "ldots", "dots" }, { "cdots", "dots" }, { "dotsc", "dots" },
  { "land", "and" }, { "wedge", "and" }, { "lor", "or" }, { "vee", "or" }, { "dbinom", "binom" }, { "tbinom", "binom" }, { "degree", "circ" }, { "left", "" }, { "right", "" },
  { "big", "" }, { "Big", "" }, { "bigg", "" }, { "Bigg", "" }, { "bigl", "" }, { "bigr", "" }, { "Bigl", "" }, { "Bigr", "" }, { "biggl", "" }, { "biggr", "" }, { "displaystyle", "" },
  { "textstyle", "" }, { "limits", "" }, { "bf", "" }, { "rm", "" }, { "it", "" }, { "quad", " " }, { "qquad", " " }, { "space", " " }, { "backslash", "setminus" }, { "dots", "dots" },
  { "R", "reals" }, { "colon", ":" }, { "bigcup", "cup" }, { "bigcap", "cap" }, { "arctg", "arctan" }, { "tg", "tan" }, { "ctg", "cot" }, { "varphi", "phi" }, { "varepsilon", "epsilon" }
};
static const char *const fonts[] = { "text", "textbf", "textit", "textrm", "textnormal", "mbox", "hbox", "mathrm", "mathbf", "mathit", "mathsf", "operatorname", "boxed", "fbox", "boldsymbol", "mathcal" };
/* Unicode to LaTeX or a character */
static const char *const unicode[][2] = {
  { "\xc3\x97", "*" }, { "\xc2\xb7", "*" }, { "\xe2\x8b\x85", "*" }, { "\xc3\xb7", "/" }, { "\xe2\x88\x92", "-" }, { "\xe2\x80\x93", "-" }, { "\xc2\xb2", "^2" }, { "\xc2\xb3", "^3" },
  { "\xc2\xb0", "\\circ" }, { "\xcf\x80", "\\pi" }, { "\xe2\x88\x9a", "\\sqrt" }, { "\xe2\x88\x9e", "\\infty" }, { "\xe2\x89\xa4", "\\le" }, { "\xe2\x89\xa5", "\\ge" },
  { "\xe2\x89\xa0", "\\ne" }, { "\xe2\x89\x88", "=" }, { "\xe2\x88\xaa", "\\cup" }, { "\xe2\x88\xa9", "\\cap" }, { "\xe2\x88\x85", "\\emptyset" }, { "\xe2\x88\x88", "\\in" },
  { "\xc2\xb1", "\\pm" }, { "\xe2\x88\x93", "\\mp" }, { "\xe2\x80\xa6", "\\dots" }, { "\xe2\x84\x9d", "\\reals" }, { "\xe2\x88\x96", "\\setminus" }, { "\xe2\x82\xac", "\\euro" },
  { "\xc2\xa3", "\\sterling" }, { "\xce\xb1", "\\alpha" }, { "\xce\xb2", "\\beta" }, { "\xce\xb3", "\\gamma" }, { "\xce\xb8", "\\theta" }, { "\xce\xbb", "\\lambda" }, { "\xce\xbc", "\\mu" },
  { "\xcf\x86", "\\phi" }, { "\xcf\x89", "\\omega" }, { "\xe2\x9f\xa8", "\\langle" }, { "\xe2\x9f\xa9", "\\rangle" }, { "\xc2\xa0", " " }, { "\xe2\x80\xaf", " " }, { "\xe2\x80\x89", " " },
  { "\xef\xbc\x8c", "," }, { "\xc2\xbd", "\\frac12" }
};

static const char *lex (lexer_t *x, const char *s, const char *end, int text);

static int starts (const char *s, const char *end, const char *what)
{
  const size_t n = strlen (what);
  return (size_t) (end - s) >= n && !memcmp (s, what, n);
}

static void put (lexer_t *x, int kind, const char *s, size_t bytes, int text)
{
  if (x->out->n >= SOL_ANSWER_TOKENS - 1) sol_pool_give_up (x->pool);
  x->out->t[x->out->n++] = (sol_token_t) { .kind = (uint8_t) kind, .space = x->space != 0, .wide = x->wide != 0, .text = text != 0, .s = s, .bytes = (int) bytes };
  x->space = x->wide = 0;
}

static size_t digits (const char *s, const char *end)
{
  const char *p = s;
  while (p < end && isdigit ((unsigned char) *p)) p++;
  return (size_t) (p - s);
}

/* bytes of s up to the brace that closes it, (size_t) -1: none */
static size_t to_brace (const char *s, const char *end)
{
  int depth = 0;
  for (const char *p = s; p < end; p++) {
    if (*p == '\\' && p + 1 < end) p++;
    else if (*p == '{') depth++;
    else if (*p == '}' && depth-- == 0) return (size_t) (p - s);
  }
  return (size_t) -1;
}

/* length of the thousands separator at s, 0: none; *kind: the sort, the same one all the way */
static size_t separator (const lexer_t *x, const char *s, const char *end, int *kind)
{
  static const char *const sep[] = { ",\\!", "\\!,\\!", "{,}", "\\,", "\\ ", "\xe2\x80\xaf", "\xe2\x80\x89", "\xc2\xa0", ",", " " };
  for (int k = 0; k < 10; k++) {
    if ((*kind >= 0 && k != *kind) || !starts (s, end, sep[k]) || (k >= 8 && x->group)) continue;
    size_t n = strlen (sep[k]);
    while (k == 0 && s + n < end && s[n] == ' ') n++;
    if (digits (s + n, end) != 3) continue;
    *kind = k;
    return n;
  }
  return 0;
}

/* digits with separators, a point, decimals, e and an exponent */
static const char *number (lexer_t *x, const char *s, const char *end, int text)
{
  char *copy = sol_pool_take (x->pool, (size_t) (end - s) + 1);
  size_t n = digits (s, end), total = n, sep;
  int kind = -1;
  memcpy (copy, s, n);
  const char *p = s + n, *q = p;
  while (n && n <= 3 && *s != '0' && (sep = separator (x, q, end, &kind))) { /* 0,123 is no 123 */
    memcpy (copy + total, q + sep, 3);
    total += 3;
    q += sep + 3;
  }
  if (kind == 9 && q < end && *q == '/') total = n; /* 1 100/200: a mixed number */
  else p = q;
  if (p < end && *p == '.' && !starts (p, end, "..")) {
    size_t decimals = digits (p + 1, end);
    memcpy (copy + total, p, decimals + 1);
    total += decimals + 1;
    p += decimals + 1;
  }
  if (p + 1 < end && (*p == 'e' || *p == 'E')) {
    size_t sign = p[1] == '-' || p[1] == '+', e = digits (p + 1 + sign, end);
    if (e) {
      memcpy (copy + total, p, 1 + sign + e);
      total += 1 + sign + e;
      p += 1 + sign + e;
    }
  }
  put (x, T_NUMBER, copy, total, text);
  return p;
}

/* \begin{pmatrix} and \end{pmatrix}; other environments are no answers */
static const char *environment (lexer_t *x, const char *name, const char *s, const char *end)
{
  size_t n = s < end && *s == '{' ? to_brace (s + 1, end) : (size_t) -1;
  if (n == (size_t) -1 || n > 20) sol_pool_give_up (x->pool);
  const int matrix = n >= 6 && !memcmp (s + 1 + n - 6, "matrix", 6), array = n == 5 && !memcmp (s + 1, "array", 5);
  if ((!matrix && !array) || (matrix && n == 7 && !strchr ("pbB", s[1])) || (matrix && n > 7 && n != 11)) sol_pool_give_up (x->pool); /* vmatrix: a determinant */
  s += n + 2;
  if (array && name[0] == 'b' && s < end && *s == '{' && (n = to_brace (s + 1, end)) != (size_t) -1) s += n + 2;
  put (x, T_COMMAND, name, strlen (name), 0);
  x->group += name[0] == 'b' ? 1 : -1;
  return s;
}

static void put_alias (lexer_t *x, const char *to)
{
  if (!*to) return;
  if (*to == ' ') x->space = x->wide = 1;
  else if (*to == '{' || *to == '}') put (x, T_COMMAND, to, 1, 0);
  else put (x, isalpha ((unsigned char) *to) ? T_COMMAND : T_CHAR, to, strlen (to), 0);
}

static const char *font (lexer_t *x, const char *name, size_t n, const char *s, const char *end, int text)
{
  while (s < end && *s == ' ') s++;
  size_t inside = s < end && *s == '{' ? to_brace (s + 1, end) : (size_t) -1;
  if (inside == (size_t) -1) return s;
  const int box = n >= 4 && !memcmp (name + n - 3, "xed", 3);
  if (!box) x->space = 1;
  lex (x, s + 1, s + 1 + inside, box || (n == 4 && !memcmp (name, "fbox", 4)) ? text : 1);
  s += inside + 2;
  if (!box && s < end && *s != '^') x->space = 1;
  return s;
}

static const char *command (lexer_t *x, const char *s, const char *end, int text)
{
  size_t n = 0;
  const char *name = s + 1;
  while (name + n < end && isalpha ((unsigned char) name[n])) n++;
  s = name + n;
  for (size_t i = 0; i < sizeof fonts / sizeof *fonts; i++)
    if (strlen (fonts[i]) == n && !memcmp (fonts[i], name, n)) return font (x, name, n, s, end, text);
  if (n == 5 && !memcmp (name, "begin", 5)) return environment (x, "begin", s, end);
  if (n == 3 && !memcmp (name, "end", 3)) return environment (x, "end", s, end);
  if (n == 6 && !memcmp (name, "mathbb", 6)) {
    const size_t skip = starts (s, end, "{R}") ? 3 : starts (s, end, " R") ? 2 : starts (s, end, " {R}") ? 4 : 0;
    if (skip) return put_alias (x, "reals"), s + skip;
  }
  if (n == 7 && !memcmp (name, "phantom", 7)) sol_pool_give_up (x->pool);
  for (size_t i = 0; i < sizeof alias / sizeof *alias; i++)
    if (strlen (alias[i][0]) == n && !memcmp (alias[i][0], name, n)) {
      put_alias (x, alias[i][1]);
      return s;
    }
  put (x, T_COMMAND, name, n, text);
  return s;
}

/* a backslash with no letter behind it */
static const char *escape (lexer_t *x, const char *s, const char *end, int text)
{
  if (s + 1 >= end) return end;
  const char c = s[1];
  if (strchr (",;: ()[]", c)) x->space = 1, x->wide |= strchr (",;: ", c) != NULL;
  else if (c == '\\') put (x, T_COMMAND, "row", 3, text);
  else if (c == '{' || c == '}') {
    x->group += c == '{' ? 1 : -1;
    put (x, T_COMMAND, s + 1, 1, text);
  } else if (strchr ("%$|", c)) put (x, T_CHAR, s + 1, 1, text);
  return s + 2;
}

static const char *other (lexer_t *x, const char *s, const char *end, int text)
{
  static const char *const pair[][2] = { { "<=", "le" }, { ">=", "ge" }, { "!=", "ne" }, { "==", "=" }, { "...", "dots" } };
  static const char *const circle[] = { "^\\circ", "^{\\circ}", "^ \\circ", "^{ \\circ }" };
  for (int k = 0; k < 5; k++)
    if (starts (s, end, pair[k][0]) && !(k == 2 && x->out->n && x->out->t[x->out->n - 1].kind == T_NUMBER && !x->space)) { /* 5!=120 */
      put_alias (x, pair[k][1]);
      return s + strlen (pair[k][0]);
    }
  for (int k = 0; k < 4; k++)
    if (starts (s, end, circle[k])) {
      put_alias (x, "circ");
      return s + strlen (circle[k]);
    }
  if (starts (s, end, "**")) { /* a power, or bold type around an answer */
    if (x->out->n && s + 2 < end && (isalnum ((unsigned char) s[2]) || strchr ("(-", s[2]))) put (x, T_CHAR, "^", 1, text);
    return s + 2;
  }
  if (strchr ("([", *s)) x->group++;
  if (strchr (")]", *s)) x->group--;
  if (*s == '$' && !x->money) x->space = 1;
  else put (x, T_CHAR, s, 1, text);
  return s + 1;
}

static const char *foreign (lexer_t *x, const char *s, const char *end, int text)
{
  for (size_t i = 0; i < sizeof unicode / sizeof *unicode; i++)
    if (starts (s, end, unicode[i][0])) {
      const char *to = unicode[i][1];
      if (*to == '\\') lex (x, to, to + strlen (to), text);
      else if (*to == '^') put (x, T_CHAR, to, 1, text), put (x, T_NUMBER, to + 1, 1, text);
      else put_alias (x, to);
      return s + strlen (unicode[i][0]);
    }
  const char *p = s;
  while (p < end && (unsigned char) *p >= 0x80) p++;
  put (x, T_LETTERS, s, (size_t) (p - s), text);
  return p;
}

static const char *letters (lexer_t *x, const char *s, const char *end, int text)
{
  const char *p = s;
  while (p < end && isalpha ((unsigned char) *p)) p++;
  const size_t n = (size_t) (p - s);
  if (p + 1 < end && *p == '.' && isalpha ((unsigned char) p[1]) && ((n == 2 && !memcmp (s, "np", 2)) || (n == 4 && !memcmp (s, "math", 4)))) return p + 1;
  if (n == 1 && strchr ("apAP", *s) && starts (p, end, ".m")) { /* p.m. */
    put (x, T_LETTERS, *s == 'p' || *s == 'P' ? "PM" : "AM", 2, 1);
    return starts (p, end, ".m.") ? p + 3 : p + 2;
  }
  put (x, T_LETTERS, s, n, text);
  return p;
}

static const char *lex (lexer_t *x, const char *s, const char *end, int text)
{
  while (s < end) {
    const unsigned char c = (unsigned char) *s;
    if (isspace (c) || c == '~') x->space = 1, s++;
    else if (c < 0x20 || c == 0x7f) sol_pool_give_up (x->pool);
    else if (isdigit (c) || (c == '.' && s + 1 < end && isdigit ((unsigned char) s[1]))) s = number (x, s, end, text);
    else if (isalpha (c)) s = letters (x, s, end, text);
    else if (c == '\\' && s + 1 < end && isalpha ((unsigned char) s[1])) s = command (x, s, end, text);
    else if (c == '\\') s = escape (x, s, end, text);
    else if (c >= 0x80) s = foreign (x, s, end, text);
    else s = other (x, s, end, text);
  }
  return s;
}

void sol_answer_lex (sol_pool_t *p, const char *text, size_t bytes, sol_tokens_t *out)
{
  lexer_t x = { .pool = p, .out = out, .end = text + bytes };
  if (bytes > SOL_ANSWER_BYTES) sol_pool_give_up (p);
  int dollars = 0;
  for (size_t i = 0; i < bytes; i++) dollars += text[i] == '$' && (i == 0 || text[i - 1] != '\\');
  x.money = dollars == 1;
  out->t = sol_pool_take (p, (bytes * 2 + 2 < SOL_ANSWER_TOKENS ? bytes * 2 + 2 : SOL_ANSWER_TOKENS) * sizeof *out->t);
  out->n = 0;
  lex (&x, text, text + bytes, 0);
  while (out->n && (sol_token_is (&out->t[out->n - 1], ".") || sol_token_is (&out->t[out->n - 1], ","))) out->n--;
  out->t[out->n] = (sol_token_t) { .kind = T_END, .s = "" };
}

int sol_token_is (const sol_token_t *t, const char *s) { return t->kind != T_END && (size_t) t->bytes == strlen (s) && !memcmp (t->s, s, (size_t) t->bytes); }

static int alnum_token (const sol_token_t *t) { return t->kind == T_NUMBER || t->kind == T_LETTERS; }

/* a word as in a sentence: four letters or more, at most the first of them a capital, or all */
static int is_word (const sol_token_t *t)
{
  if (t->kind != T_LETTERS || t->bytes < 2) return 0;
  const int second = isupper ((unsigned char) t->s[1]) != 0;
  for (int i = 2; i < t->bytes; i++)
    if ((isupper ((unsigned char) t->s[i]) != 0) != second) return 0;
  return t->bytes >= 3 && (!second || isupper ((unsigned char) t->s[0]));
}

static int same_bytes (const sol_token_t *x, const sol_token_t *y)
{
  if (x->bytes != y->bytes) return 0;
  if (!memcmp (x->s, y->s, (size_t) x->bytes)) return 1;
  if (!is_word (x) || !is_word (y)) return 0;
  for (int i = 0; i < x->bytes; i++)
    if (tolower ((unsigned char) x->s[i]) != tolower ((unsigned char) y->s[i])) return 0;
  return 1;
}

/* No solution, no solution: the first letter of answers that are words only */
static int same_start (const sol_tokens_t *x, const sol_tokens_t *y)
{
  const sol_token_t *a = x->t, *b = y->t;
  return x->n > 1 && a->kind == T_LETTERS && a->bytes == b->bytes && a->bytes > 1 && tolower ((unsigned char) a->s[0]) == tolower ((unsigned char) b->s[0]) &&
         !memcmp (a->s + 1, b->s + 1, (size_t) a->bytes - 1) && sol_tokens_words (x) && sol_tokens_words (y);
}

int sol_tokens_equal (const sol_tokens_t *x, const sol_tokens_t *y)
{
  if (x->n != y->n || !x->n) return 0;
  for (int i = 0; i < x->n; i++) {
    const sol_token_t *a = &x->t[i], *b = &y->t[i];
    if (a->kind != b->kind || (!same_bytes (a, b) && !(i == 0 && same_start (x, y)))) return 0;
    if (i && alnum_token (a) && alnum_token (a - 1) && a->space != b->space) return 0;
  }
  return 1;
}

int sol_tokens_words (const sol_tokens_t *x)
{
  static const char *const math[] = { "sin", "cos", "tan", "sec", "csc", "cot", "log", "exp", "sqrt", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "infty", "and", "abs" };
  int word = 0;
  for (int i = 0; i < x->n; i++) {
    const sol_token_t *t = &x->t[i];
    if (t->kind == T_CHAR && strchr (".,-'?:;()", t->s[0])) continue;
    if (t->kind != T_LETTERS) return 0;
    int known = t->bytes < 3 || sol_unit_word (t->s, (size_t) t->bytes) != NULL;
    for (size_t k = 0; k < sizeof math / sizeof *math && !known; k++) known = sol_token_is (t, math[k]);
    word |= !known;
  }
  return word;
}
