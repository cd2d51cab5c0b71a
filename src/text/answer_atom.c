/* SPDX-License-Identifier: Apache-2.0 */
/* answer_atom.c: numbers, names, functions, and what stands behind them: powers, indices, factorials, percent. */
#include "answer.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_command (const sol_token_t *t, const char *name) { return t->kind == T_COMMAND && sol_token_is (t, name); }
static int is_char (const sol_token_t *t, char c) { return t->kind == T_CHAR && t->s[0] == c; }

/* names of functions; the second column is what we call them. */
static const char *const functions[][2] = {
  { "sin", "sin" }, { "cos", "cos" }, { "tan", "tan" }, { "sec", "sec" }, { "csc", "csc" }, { "cot", "cot" }, { "arcsin", "arcsin" }, { "arccos", "arccos" }, { "arctan", "arctan" },
  { "asin", "arcsin" }, { "acos", "arccos" }, { "atan", "arctan" }, { "sinh", "sinh" }, { "cosh", "cosh" }, { "tanh", "tanh" }, { "ln", "ln" }, { "log", "log" }, { "lg", "lg" },
  { "exp", "exp" }, { "sqrt", "sqrt" }, { "abs", "abs" }, { "floor", "floor" }, { "ceil", "ceil" }
};
static const char *const letters[] = { "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "kappa", "lambda", "mu", "nu", "xi", "rho", "sigma", "tau", "phi", "chi",
                                       "psi", "omega", "Gamma", "Delta", "Theta", "Lambda", "Sigma", "Phi", "Psi", "Omega", "ell", "hbar", "angle", "triangle" };

const char *sol_function_name (const sol_token_t *t)
{
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
    if (sol_token_is (t, functions[i][0])) return functions[i][1];
  return NULL;
}

static int is_trig (const char *name) { return strlen (name) == 3 && strcmp (name, "log") && strcmp (name, "exp") && strcmp (name, "abs"); }

/* ---- numbers */

static sol_node_t *number_of (sol_parser_t *s, const char *text, int bytes)
{
  sol_node_t *x = sol_node_number (s->pool, 0);
  char *digits = sol_pool_take (s->pool, (size_t) bytes + 2);
  int n = 0, decimals = 0, point = 0, significant = 0, i = 0;
  for (; i < bytes && text[i] != 'e' && text[i] != 'E'; i++) {
    if (text[i] == '.') {
      point = 1;
      continue;
    }
    digits[n++] = text[i];
    decimals += point;
    significant += significant || text[i] != '0';
  }
  if (!n || mpz_set_str (mpq_numref (x->q), digits, 10)) sol_parse_fail (s);
  const long e = (i < bytes ? strtol (text + i + 1, NULL, 10) : 0);
  if (labs (e) > SOL_ANSWER_BITS / 4 || bytes - i > 8) sol_parse_fail (s);
  const long power = e - decimals;
  if (power > 0) {
    mpz_ui_pow_ui (mpq_denref (x->q), 10, (unsigned long) power);
    mpz_mul (mpq_numref (x->q), mpq_numref (x->q), mpq_denref (x->q));
    mpz_set_ui (mpq_denref (x->q), 1);
  } else mpz_ui_pow_ui (mpq_denref (x->q), 10, (unsigned long) -power);
  mpq_canonicalize (x->q);
  if (point && decimals) x->digits = significant, x->decimals = power < 0 ? (int) -power : 0;
  return sol_number_keep (s->pool, x);
}

/* 0.1\overline{6}: digits that repeat */
static void repeat (sol_parser_t *s, sol_node_t *x, int decimals)
{
  sol_parse_next (s);
  const int brace = sol_parse_take (s, "{");
  const sol_token_t *t = s->t;
  if (t->kind != T_NUMBER || memchr (t->s, '.', (size_t) t->bytes) || memchr (t->s, 'e', (size_t) t->bytes)) sol_parse_fail (s);
  sol_node_t *tail = number_of (s, t->s, t->bytes), *scale = sol_node_number (s->pool, 0);
  sol_parse_next (s);
  if (brace && !sol_parse_take (s, "}")) sol_parse_fail (s);
  mpz_ui_pow_ui (mpq_numref (scale->q), 10, (unsigned long) t->bytes);
  mpz_sub_ui (mpq_numref (scale->q), mpq_numref (scale->q), 1);
  mpq_div (tail->q, tail->q, scale->q);
  mpz_ui_pow_ui (mpq_numref (scale->q), 10, (unsigned long) decimals);
  mpq_div (tail->q, tail->q, scale->q);
  mpq_add (x->q, x->q, tail->q);
  x->digits = x->decimals = 0;
}

static sol_node_t *parse_based (sol_parser_t *s, const sol_token_t *digits)
{
  sol_parse_next (s);
  const int brace = sol_parse_take (s, "{");
  if (s->t->kind != T_NUMBER || s->t->bytes > 2) sol_parse_fail (s);
  const int base = atoi (s->t->s);
  sol_parse_next (s);
  if ((brace && !sol_parse_take (s, "}")) || base < 2 || base > 36) sol_parse_fail (s);
  int from = 0;
  while (from + 1 < digits->bytes && digits->s[from] == '0') from++;
  sol_node_t *x = sol_node_name (s->pool, N_BASED, digits->s + from, (size_t) (digits->bytes - from));
  x->op = base;
  return x;
}

static sol_node_t *parse_number (sol_parser_t *s)
{
  const sol_token_t *t = s->t;
  const char *point = memchr (t->s, '.', (size_t) t->bytes);
  sol_node_t *x = number_of (s, t->s + s->used, t->bytes - s->used);
  const int whole = !s->used;
  sol_parse_next (s);
  if (whole && is_char (s->t, '_')) return parse_based (s, t);
  if (whole && point && is_command (s->t, "overline")) repeat (s, x, (int) (t->bytes - (point - t->s) - 1));
  return x;
}

/* ---- names */

static sol_node_t *name_or_constant (sol_parser_t *s, const char *name, size_t bytes)
{
  if (bytes == 1 && (*name == 'e' || *name == 'i')) return sol_node_name (s->pool, N_CONST, name, 1);
  return sol_node_name (s->pool, N_VAR, name, bytes);
}

static sol_node_t *parse_letters (sol_parser_t *s)
{
  const sol_token_t *t = s->t;
  const size_t n = (size_t) t->bytes;
  int used, power;
  const char *unit = s->used ? NULL : sol_unit_find (t, &used, &power), *c = t->s + s->used;
  if (unit) {
    for (int i = 0; i < used; i++) sol_parse_next (s);
    sol_node_t *x = sol_node_name (s->pool, N_UNIT, unit, strlen (unit));
    if (!strcmp (unit, "%")) {
      x = sol_node_number (s->pool, 1);
      mpz_set_ui (mpq_denref (x->q), 100);
    } else if (unit[0] == '#') x = sol_node_number (s->pool, strtol (unit + 1, NULL, 10));
    return power == 1 ? x : sol_node_pair (s->pool, N_POW, x, sol_node_number (s->pool, power));
  }
  if (!s->used && n == 2 && !memcmp (c, "pi", 2)) return sol_parse_next (s), sol_node_name (s->pool, N_CONST, "pi", 2);
  if (!s->used && ((n == 2 && !memcmp (c, "oo", 2)) || (n == 3 && !memcmp (c, "inf", 3)) || (n == 8 && !memcmp (c, "infinity", 8)))) return sol_parse_next (s), sol_node_name (s->pool, N_CONST, "inf", 3);
  if (!s->used && (n > 3 || (t->text && n > 1) || (unsigned char) c[0] >= 0x80)) return sol_parse_next (s), sol_node_name (s->pool, N_WORD, c, n);
  if (++s->used == t->bytes) sol_parse_next (s);
  return name_or_constant (s, c, 1);
}

/* an index behind a name: part of the name when it is letters or digits, else an argument: F_{n-1} */
static sol_node_t *with_index (sol_parser_t *s, sol_node_t *x)
{
  char name[80];
  sol_parse_next (s);
  if (strlen (x->name) > 30) sol_parse_fail (s);
  const int brace = is_char (s->t, '{');
  const sol_token_t *t = s->t + brace;
  if ((t->kind == T_NUMBER || t->kind == T_LETTERS) && t->bytes < 40 && (!brace || is_char (t + 1, '}'))) {
    const int bytes = t->kind == T_LETTERS && !brace && !t->text ? 1 : t->bytes;
    const int n = snprintf (name, sizeof name, "%s_%.*s", x->name, bytes, t->s);
    if (brace) sol_parse_next (s);
    if (bytes < t->bytes) s->used = bytes;
    else sol_parse_next (s);
    if (brace) sol_parse_next (s);
    return sol_node_name (s->pool, N_VAR, name, (size_t) n);
  }
  sol_node_t *index = sol_parse_braced (s);
  const int n = snprintf (name, sizeof name, "%s_", x->name);
  return sol_node_func (s->pool, sol_node_name (s->pool, N_VAR, name, (size_t) n)->name, index);
}

static sol_node_t *with_prime (sol_parser_t *s, sol_node_t *x)
{
  char name[80];
  const int n = snprintf (name, sizeof name, "%.60s'", x->name);
  sol_parse_next (s);
  return sol_node_name (s->pool, N_VAR, name, (size_t) n);
}

/* f(x), g(2): these letters are functions before brackets; others are factors */
static sol_node_t *with_arguments (sol_parser_t *s, sol_node_t *x)
{
  sol_node_t *a = sol_parse_bracketed (s);
  sol_node_t *f = sol_node_func (s->pool, x->name, a);
  return f;
}

static sol_node_t *parse_name (sol_parser_t *s)
{
  sol_node_t *x = parse_letters (s);
  const int letter = x->kind == N_VAR || (x->kind == N_CONST && strlen (x->name) == 1);
  if (letter && !s->used && is_char (s->t, '_')) x = with_index (s, x);
  while (x->kind == N_VAR && !s->used && is_char (s->t, '\'')) x = with_prime (s, x);
  if (x->kind == N_VAR && strchr ("fghFGH", x->name[0]) && !s->used && is_char (s->t, '(')) return with_arguments (s, x);
  return x;
}

/* ---- functions */

sol_node_t *sol_parse_braced (sol_parser_t *s)
{
  if (is_char (s->t, '{')) {
    sol_parse_next (s);
    const int bar = s->bar, no_bar = s->no_bar;
    s->bar = s->no_bar = 0;
    sol_node_t *x = sol_parse_sum (s);
    s->bar = bar;
    s->no_bar = no_bar;
    if (!sol_parse_take (s, "}")) sol_parse_fail (s);
    return x;
  }
  if (s->t->kind == T_NUMBER) { /* one digit */
    const char c = s->t->s[s->used];
    if (!isdigit ((unsigned char) c)) sol_parse_fail (s);
    sol_node_t *x = number_of (s, s->t->s + s->used, 1);
    if (++s->used == s->t->bytes) sol_parse_next (s);
    return x;
  }
  return sol_parse_atom (s);
}

static sol_node_t *parse_root (sol_parser_t *s)
{
  sol_node_t *degree = sol_node_number (s->pool, 2), *x;
  if (is_char (s->t, '[')) {
    sol_parse_next (s);
    degree = sol_parse_sum (s);
    if (!sol_parse_take (s, "]")) sol_parse_fail (s);
  }
  if (s->t->kind == T_NUMBER && s->t->bytes > 1) sol_parse_fail (s); /* \sqrt 12: of 1 or of 12? */
  x = sol_parse_braced (s);
  return sol_node_pair (s->pool, N_POW, x, sol_node_pair (s->pool, N_POW, degree, sol_node_number (s->pool, -1)));
}

/* behind ^ */
static sol_node_t *parse_exponent (sol_parser_t *s)
{
  const int minus = sol_parse_take (s, "-");
  if (s->t->kind == T_NUMBER && !s->used) {
    sol_node_t *x = number_of (s, s->t->s, s->t->bytes);
    sol_parse_next (s);
    if (minus) mpq_neg (x->q, x->q);
    return x;
  }
  sol_node_t *x = sol_parse_braced (s);
  return minus ? sol_node_pair (s->pool, N_MUL, sol_node_number (s->pool, -1), x) : x;
}

static sol_node_t *apply (sol_parser_t *s, const char *name, sol_node_t *base, sol_node_t *x)
{
  if (!strcmp (name, "sqrt")) {
    sol_node_t *half = sol_node_number (s->pool, 1);
    mpz_set_ui (mpq_denref (half->q), 2);
    return sol_node_pair (s->pool, N_POW, x, half);
  }
  if (!strcmp (name, "exp")) return sol_node_pair (s->pool, N_POW, sol_node_name (s->pool, N_CONST, "e", 1), x);
  if (!base) return sol_node_func (s->pool, name, x);
  sol_node_t *top = sol_node_func (s->pool, "ln", x), *bottom = sol_node_func (s->pool, "ln", base);
  return sol_node_pair (s->pool, N_MUL, top, sol_node_pair (s->pool, N_POW, bottom, sol_node_number (s->pool, -1)));
}

sol_node_t *sol_parse_function (sol_parser_t *s)
{
  const sol_token_t *t = s->t;
  const char *name = s->used || (t->kind != T_COMMAND && t->kind != T_LETTERS) ? NULL : sol_function_name (t);
  sol_node_t *base = NULL, *power = NULL, *x;
  if (!name || (t->kind == T_COMMAND && !strcmp (name, "sqrt"))) return NULL;
  if (t->kind == T_LETTERS && ((strcmp (name, "ln") && t->bytes == 2) || (t->text && !strcmp (name, "sec")))) return NULL; /* lg, seconds */
  sol_parse_next (s);
  if (++s->depth > SOL_ANSWER_DEPTH) sol_parse_fail (s);
  if (!strcmp (name, "log") && sol_parse_take (s, "_")) {
    if (s->t->kind == T_NUMBER) {
      base = number_of (s, s->t->s, s->t->bytes);
      sol_parse_next (s);
    } else base = sol_parse_braced (s);
  } else if (!strcmp (name, "lg")) base = sol_node_number (s->pool, 10);
  if (sol_parse_take (s, "^")) power = parse_exponent (s);
  if (is_char (s->t, '(') || is_char (s->t, '{')) {
    x = sol_parse_bracketed (s);
    if (is_char (s->t, '^') && t->kind == T_COMMAND && !is_trig (name)) sol_parse_fail (s); /* \ln (x)^2 */
  } else {
    if (t->kind == T_LETTERS && !s->t->space) sol_parse_fail (s);
    x = sol_parse_product (s, 1);
  }
  s->depth--;
  if (power && sol_node_is_long (sol_fold (s->pool, power), -1)) {
    if (!is_trig (name)) sol_parse_fail (s);
    if (strcmp (name, "sin") && strcmp (name, "cos") && strcmp (name, "tan")) sol_parse_fail (s);
    return sol_node_func (s->pool, name[0] == 's' ? "arcsin" : name[0] == 'c' ? "arccos" : "arctan", x);
  }
  x = apply (s, name, base, x);
  return power ? sol_node_pair (s->pool, N_POW, x, power) : x;
}

/* \sum, \prod, \int, \lim with bounds: a function of bounds and body, compared as it is written */
static sol_node_t *parse_big (sol_parser_t *s, const char *name)
{
  sol_node_t *f = sol_node_new (s->pool, N_FUNC, 3);
  f->name = name;
  sol_parse_next (s);
  for (int k = 0; k < 2; k++) f->kid[k] = sol_node_name (s->pool, N_WORD, "", 0);
  for (int k = 0; k < 2; k++) {
    if (sol_parse_take (s, "_")) {
      if (sol_parse_take (s, "{")) {
        f->kid[0] = sol_parse_list (s, 1);
        if (!sol_parse_take (s, "}")) sol_parse_fail (s);
      } else f->kid[0] = sol_parse_braced (s);
    } else if (sol_parse_take (s, "^")) f->kid[1] = parse_exponent (s);
  }
  f->kid[2] = sol_parse_product (s, 0);
  return f;
}

static sol_node_t *parse_command (sol_parser_t *s)
{
  static const char *const big[] = { "sum", "prod", "int" };
  const sol_token_t *t = s->t;
  if (is_command (t, "frac")) {
    sol_parse_next (s);
    sol_node_t *x = sol_parse_braced (s), *y = sol_parse_braced (s);
    return sol_node_pair (s->pool, N_MUL, x, sol_node_pair (s->pool, N_POW, y, sol_node_number (s->pool, -1)));
  }
  if (is_command (t, "sqrt")) return sol_parse_next (s), parse_root (s);
  if (is_command (t, "binom")) {
    sol_parse_next (s);
    sol_node_t *x = sol_parse_braced (s), *f = sol_node_pair (s->pool, N_FUNC, x, sol_parse_braced (s));
    f->name = "binom";
    return f;
  }
  if (is_command (t, "begin")) return sol_parse_matrix (s);
  if (is_command (t, "pi")) return sol_parse_next (s), sol_node_name (s->pool, N_CONST, "pi", 2);
  if (is_command (t, "infty")) return sol_parse_next (s), sol_node_name (s->pool, N_CONST, "inf", 3);
  if (is_command (t, "emptyset")) return sol_parse_next (s), sol_node_new (s->pool, N_SET, 0);
  if (is_command (t, "dots")) return sol_parse_next (s), sol_node_new (s->pool, N_DOTS, 0);
  if (is_command (t, "reals")) {
    sol_parse_next (s);
    sol_node_t *inf = sol_node_name (s->pool, N_CONST, "inf", 3);
    sol_node_t *x = sol_node_pair (s->pool, N_INTERVAL, sol_node_pair (s->pool, N_MUL, sol_node_number (s->pool, -1), inf), inf);
    x->op = 7; /* as (-\infty, \infty) is written */
    return x;
  }
  for (int k = 0; k < 3; k++)
    if (is_command (t, big[k])) return parse_big (s, big[k]);
  for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
    if (is_command (t, letters[i])) {
      sol_parse_next (s);
      sol_node_t *x = sol_node_name (s->pool, N_VAR, letters[i], strlen (letters[i]));
      return is_char (s->t, '_') ? with_index (s, x) : x;
    }
  return sol_parse_bracketed (s);
}

static sol_node_t *parse_atom (sol_parser_t *s)
{
  sol_node_t *x = sol_parse_function (s);
  if (x) return x;
  if (s->t->kind == T_NUMBER) return parse_number (s);
  if (s->t->kind == T_LETTERS) return parse_name (s);
  if (s->t->kind == T_COMMAND) {
    int used, power;
    const char *unit = sol_unit_find (s->t, &used, &power);
    if (!unit) return parse_command (s);
    sol_parse_next (s);
    return sol_node_name (s->pool, N_UNIT, unit, strlen (unit));
  }
  if (is_char (s->t, '$')) return sol_parse_next (s), sol_node_name (s->pool, N_UNIT, "$", 1);
  return sol_parse_bracketed (s);
}

sol_node_t *sol_parse_atom (sol_parser_t *s)
{
  if (++s->depth > SOL_ANSWER_DEPTH) sol_parse_fail (s);
  sol_node_t *x = parse_atom (s);
  s->depth--;
  return x;
}

sol_node_t *sol_parse_power (sol_parser_t *s) { return sol_parse_behind (s, sol_parse_atom (s)); }

sol_node_t *sol_parse_behind (sol_parser_t *s, sol_node_t *x)
{
  for (int powers = 0; !s->used;) {
    if (is_char (s->t, '!') && !is_char (s->t + 1, '!')) {
      sol_parse_next (s);
      x = sol_node_func (s->pool, "factorial", x);
    } else if (is_char (s->t, '%')) {
      sol_parse_next (s);
      sol_node_t *hundredth = sol_node_number (s->pool, 1);
      mpz_set_ui (mpq_denref (hundredth->q), 100);
      x = sol_node_pair (s->pool, N_MUL, x, hundredth);
    } else if (is_char (s->t, '^')) {
      if (powers++) sol_parse_fail (s); /* a^b^c */
      sol_parse_next (s);
      x = sol_node_pair (s->pool, N_POW, x, parse_exponent (s));
    } else break;
  }
  return x;
}

int sol_parse_starts (const sol_parser_t *s)
{
  static const char *const no[] = { "cup", "cap", "setminus", "le", "ge", "ne", "in", "pm", "mp", "and", "or", "row", "end", "}", "rangle", "rfloor", "rceil" };
  const sol_token_t *t = s->t;
  if (s->used) return 1;
  if (t->kind == T_NUMBER) return 1;
  if (t->kind == T_LETTERS) return !sol_token_is (t, "and") && !sol_token_is (t, "or") && !(sol_token_is (t, "U") && t->space && t[1].kind != T_END && strchr ("([{", t[1].s[0]));
  if (t->kind == T_CHAR) return strchr ("([{$", t->s[0]) != NULL || (t->s[0] == '|' && !s->bar && !s->no_bar);
  for (size_t i = 0; i < sizeof no / sizeof *no; i++)
    if (is_command (t, no[i])) return 0;
  return t->kind == T_COMMAND;
}
