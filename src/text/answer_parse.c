/* SPDX-License-Identifier: Apache-2.0 */
/* answer_parse.c: recursive descent over tokens, from the loosest binding to products; docs/verifier.md has the grammar. What is ambiguous is refused rather than guessed. */
#include "answer.h"
#include <string.h>

#define MAX_ITEMS 256

void sol_parse_fail (sol_parser_t *s) { sol_pool_give_up (s->pool); }

void sol_parse_next (sol_parser_t *s)
{
  if (s->t->kind == T_END) sol_parse_fail (s);
  s->t++;
  s->used = 0;
}

int sol_parse_take (sol_parser_t *s, const char *what)
{
  if (s->used || !sol_token_is (s->t, what)) return 0;
  sol_parse_next (s);
  return 1;
}

static int is_command (const sol_token_t *t, const char *name) { return t->kind == T_COMMAND && sol_token_is (t, name); }
static int is_char (const sol_token_t *t, char c) { return t->kind == T_CHAR && t->s[0] == c; }

static int is_joint (const sol_token_t *t) { return (t->kind == T_LETTERS || t->kind == T_COMMAND) && (sol_token_is (t, "and") || sol_token_is (t, "or")); }

/* the characters and words that part the items of a list: ',' ';' 'o' (or) 'a' (and), 0: none */
static int separator (sol_parser_t *s)
{
  int found = 0;
  while (!s->used && (is_char (s->t, ',') || is_char (s->t, ';') || is_joint (s->t))) {
    if (is_char (s->t, ';')) found = ';';
    else if (is_joint (s->t)) found = sol_token_is (s->t, "or") ? 'o' : 'a';
    else if (!found) found = ',';
    if (is_char (s->t, ';') || is_char (s->t, ',')) {
      sol_parse_next (s);
      if (!is_joint (s->t)) break;
    } else {
      sol_parse_next (s);
      break;
    }
  }
  return found;
}

static sol_node_t *keep (sol_parser_t *s, int kind, sol_node_t **item, int n)
{
  sol_node_t *x = sol_node_new (s->pool, kind, n);
  memcpy (x->kid, item, (size_t) n * sizeof *item);
  return x;
}

static sol_node_t *list_of (sol_parser_t *s, sol_node_t **item, int n, int op)
{
  if (n == 1) return item[0];
  sol_node_t *x = keep (s, N_LIST, item, n);
  x->op = op;
  return x;
}

sol_node_t *sol_parse_list (sol_parser_t *s, int inside)
{
  sol_node_t *item[MAX_ITEMS], *group[MAX_ITEMS];
  int n = 0, groups = 0, by, ors = 0, ands = 0;
  if (++s->depth > SOL_ANSWER_DEPTH) sol_parse_fail (s);
  for (;;) {
    if (n == MAX_ITEMS || groups == MAX_ITEMS - 1) sol_parse_fail (s);
    item[n++] = sol_parse_relation (s);
    by = separator (s);
    if (!by) break;
    ors += by == 'o';
    ands += by == 'a';
    if (by == ';' && !inside) {
      group[groups++] = list_of (s, item, n, ',');
      n = 0;
    }
  }
  s->depth--;
  if (!groups) return list_of (s, item, n, ors == n - 1 ? 'o' : ands == n - 1 ? 'a' : ',');
  group[groups++] = list_of (s, item, n, ',');
  return list_of (s, group, groups, ';');
}

static char relation_at (const sol_parser_t *s)
{
  static const struct { const char *name, c; } relation[] = { { "le", 'l' }, { "ge", 'g' }, { "ne", 'n' }, { "in", 'i' } };
  if (s->used) return 0;
  if (s->t->kind == T_CHAR && strchr ("=<>", s->t->s[0])) return s->t->s[0];
  for (int k = 0; k < 4 && s->t->kind == T_COMMAND; k++)
    if (sol_token_is (s->t, relation[k].name)) return relation[k].c;
  return 0;
}

/* sums joined by set operations, from left to right */
static sol_node_t *parse_sets (sol_parser_t *s)
{
  sol_node_t *x = sol_parse_sum (s);
  for (;;) {
    int kind;
    const int u = s->t->kind == T_LETTERS && sol_token_is (s->t, "U") && (x->kind == N_INTERVAL || x->kind == N_SET || x->kind == N_UNION);
    if (!s->used && (is_command (s->t, "cup") || u)) kind = N_UNION;
    else if (is_command (s->t, "cap")) kind = N_INTERSECT;
    else if (is_command (s->t, "setminus")) kind = N_MINUS;
    else return x;
    sol_parse_next (s);
    x = sol_node_pair (s->pool, kind, x, sol_parse_sum (s));
  }
}

/* one or two digits up to a bound, as in 8:40 */
static int clock_part (const sol_token_t *t, int most)
{
  if (t->kind != T_NUMBER || t->bytes > 2 || strspn (t->s, "0123456789") < (size_t) t->bytes) return 0;
  return (t->bytes == 2 ? 10 * (t->s[0] - '0') + t->s[1] - '0' : t->s[0] - '0') <= most;
}

static sol_node_t *parse_ratio (sol_parser_t *s)
{
  int clock = clock_part (s->t, 24), zero = 0, n = 1;
  sol_node_t *side[8] = { parse_sets (s) };
  while (!s->no_bar && is_char (s->t, ':')) {
    if (n == 8) sol_parse_fail (s);
    sol_parse_next (s);
    zero |= s->t->kind == T_NUMBER && s->t->bytes == 2 && s->t->s[0] == '0';
    clock &= s->t->bytes == 2 && clock_part (s->t, 59);
    side[n++] = sol_parse_sum (s);
  }
  if (n == 1) return side[0];
  sol_node_t *x = keep (s, N_RATIO, side, n);
  x->op = zero ? 1 : clock ? 2 : 0;
  return x;
}

sol_node_t *sol_parse_relation (sol_parser_t *s)
{
  sol_node_t *side[16];
  char relation[17] = "", c;
  int n = 0;
  if (relation_at (s) == '=') sol_parse_next (s); /* = 5 */
  side[n++] = parse_ratio (s);
  while ((c = relation_at (s))) {
    if (n == 16) sol_parse_fail (s);
    relation[n - 1] = c;
    sol_parse_next (s);
    side[n++] = parse_ratio (s);
  }
  if (n == 1) return side[0];
  sol_node_t *x = keep (s, N_REL, side, n);
  x->name = sol_node_name (s->pool, N_REL, relation, (size_t) n - 1)->name;
  return x;
}

/* + - \pm \mp before a term, else 0 */
static char sign_at (const sol_parser_t *s)
{
  if (s->used) return 0;
  if (is_char (s->t, '+') || is_char (s->t, '-')) return s->t->s[0];
  return is_command (s->t, "pm") ? 'p' : is_command (s->t, "mp") ? 'm' : 0;
}

static sol_node_t *with_sign (sol_parser_t *s, char sign, sol_node_t *x)
{
  if (sign == '-' && x->kind == N_BASED && x->name[0] != '-') { /* -37_8: the sign belongs to the digits */
    char *name = sol_pool_take (s->pool, strlen (x->name) + 2);
    name[0] = '-';
    strcpy (name + 1, x->name);
    x->name = name;
    return x;
  }
  if (sign == '-') return sol_node_pair (s->pool, N_MUL, sol_node_number (s->pool, -1), x);
  if (sign != 'p' && sign != 'm') return x;
  sol_node_t *y = keep (s, N_PM, &x, 1);
  y->op = sign == 'p' ? '+' : '-';
  return y;
}

sol_node_t *sol_parse_sum (sol_parser_t *s)
{
  sol_node_t *term[MAX_ITEMS];
  int n = 0;
  if (++s->depth > SOL_ANSWER_DEPTH) sol_parse_fail (s);
  char sign = sign_at (s);
  do {
    if (n == MAX_ITEMS) sol_parse_fail (s);
    char second = 0;
    if (sign) sol_parse_next (s);
    if (sign && (second = sign_at (s))) { /* 5 + -3 */
      if (second != '-' && second != '+') sol_parse_fail (s);
      sol_parse_next (s);
    }
    sol_node_t *x = with_sign (s, second, sol_parse_product (s, 0));
    term[n++] = with_sign (s, sign, x);
  } while ((sign = sign_at (s)));
  s->depth--;
  return n == 1 ? term[0] : keep (s, N_ADD, term, n);
}

/* ---- products */

static int is_whole (const sol_token_t *t)
{
  if (t->kind != T_NUMBER) return 0;
  for (int i = 0; i < t->bytes; i++)
    if (t->s[i] < '0' || t->s[i] > '9') return 0;
  return 1;
}

/* behind a whole number: a proper fraction of whole numbers, \frac{1}{2} or 1/2, makes a mixed number; another fraction of numbers would be a product to some and is refused */
static sol_node_t *parse_mixed (sol_parser_t *s, sol_node_t *whole)
{
  sol_node_t *fraction;
  if (is_command (s->t, "frac")) {
    fraction = sol_parse_atom (s);
    if (fraction->kind != N_MUL || fraction->kid[0]->kind != N_NUM || fraction->kid[1]->kid[0]->kind != N_NUM) return sol_node_pair (s->pool, N_MUL, whole, sol_parse_behind (s, fraction));
    if (is_char (s->t, '^') || is_char (s->t, '!')) sol_parse_fail (s);
  } else {
    if (!is_whole (s->t) || !s->t->space || !is_char (s->t + 1, '/') || !is_whole (s->t + 2)) return NULL;
    sol_node_t *top = sol_parse_atom (s);
    sol_parse_next (s);
    fraction = sol_node_pair (s->pool, N_MUL, top, sol_node_pair (s->pool, N_POW, sol_parse_atom (s), sol_node_number (s->pool, -1)));
  }
  sol_node_t *top = fraction->kid[0], *bottom = fraction->kid[1]->kid[0];
  if (mpq_sgn (top->q) <= 0 || mpq_cmp (top->q, bottom->q) >= 0 || mpz_cmp_ui (mpq_denref (top->q), 1) || mpz_cmp_ui (mpq_denref (bottom->q), 1) || top->digits || bottom->digits) sol_parse_fail (s);
  return sol_parse_behind (s, sol_node_pair (s->pool, N_ADD, whole, fraction)); /* 33\frac13\% */
}

/* May the number that stands here be a factor without a sign of multiplication? Only behind a power, a closing bracket or a currency sign, and a power of it behind what is no number:
 * 2^6 3^5, (2) 3, $5, n 2^{n-2} */
static int number_may_follow (const sol_parser_t *s, const sol_node_t *last)
{
  if (last->kind == N_UNIT) return sol_unit_is_currency (last->name);
  if (last->kind != N_NUM && last->kind != N_ADD && s->t->space && is_char (s->t + 1, '^')) return 1;
  return last->kind == N_POW || is_char (s->t - 1, ')');
}

/* p(x): a name before brackets */
static int is_applied (sol_node_t **f, int n)
{
  return n == 2 && f[0]->kind == N_VAR && (f[1]->kind == N_VAR || f[1]->kind == N_NUM);
}

static sol_node_t *finish (sol_parser_t *s, sol_node_t **f, int n, int brackets)
{
  if (n == 1) return f[0];
  sol_node_t *x = keep (s, N_MUL, f, n);
  x->applied = brackets && is_applied (f, n);
  return x;
}

sol_node_t *sol_parse_product (sol_parser_t *s, int argument)
{
  sol_node_t *f[MAX_ITEMS], *mixed;
  int n = 0, brackets = 0;
  const sol_token_t *first = s->t;
  const int whole = is_whole (s->t) && !s->used;
  f[n++] = sol_parse_power (s);
  if (whole && s->t == first + 1 && (mixed = parse_mixed (s, f[0]))) f[0] = mixed;
  for (;;) {
    if (n == MAX_ITEMS) sol_parse_fail (s);
    const int op = !s->used && (is_char (s->t, '*') || is_char (s->t, '/')) ? s->t->s[0] : 0;
    if (op && argument) {
      if (op == '/') sol_parse_fail (s); /* sin x / 2 */
      break;
    }
    if (op) {
      sol_parse_next (s);
      const int minus = sol_parse_take (s, "-");
      f[n] = sol_parse_power (s);
      if (minus) f[n] = with_sign (s, '-', f[n]);
      if (op == '/') f[n] = sol_node_pair (s->pool, N_POW, f[n], sol_node_number (s->pool, -1));
      n++;
      continue;
    }
    if (!sol_parse_starts (s)) break;
    if (s->t->kind == T_NUMBER && !number_may_follow (s, f[n - 1])) sol_parse_fail (s);
    if (argument && s->t->kind == T_COMMAND && sol_function_name (s->t)) break;
    if (f[n - 1]->kind == N_UNIT && is_command (s->t, "frac")) sol_parse_fail (s);
    brackets = is_char (s->t, '(');
    f[n++] = sol_parse_power (s);
  }
  return finish (s, f, n, brackets);
}

sol_node_t *sol_answer_parse (sol_pool_t *p, const sol_tokens_t *tokens)
{
  sol_parser_t s = { .pool = p, .t = tokens->t };
  if (!tokens->n) sol_parse_fail (&s);
  sol_node_t *x = sol_parse_list (&s, 0);
  if (s.t->kind != T_END) sol_parse_fail (&s);
  return x;
}
