/* SPDX-License-Identifier: Apache-2.0 */
/* answer_relation.c: equations, assignments, inequalities. */
#include "answer.h"
#include <ctype.h>
#include <string.h>

/* ---- assignments */

static int is_capital (const sol_node_t *x) { return x->kind == N_VAR && isupper ((unsigned char) x->name[0]); }

/* what may stand before = to say what the value is of: x, x_1, f(x), p(x), |AB|, AB, AB/CD, (p, q), a : b */
static int is_name (const sol_node_t *x)
{
  int all = x->n > 0;
  if (x->kind == N_VAR || x->kind == N_WORD) return 1;
  if (x->kind == N_FUNC) return x->n == 1 && (strlen (x->name) == 1 || strchr (x->name, '_') || (!strcmp (x->name, "abs") && is_name (x->kid[0])));
  if (x->kind == N_MUL && x->applied) return 1;
  if (x->kind == N_MUL) {
    for (int i = 0; i < x->n; i++) all &= is_capital (x->kid[i]) || (x->kid[i]->kind == N_POW && is_capital (x->kid[i]->kid[0]) && sol_node_is_long (x->kid[i]->kid[1], -1));
    return all;
  }
  if (x->kind != N_TUPLE && x->kind != N_RATIO && x->kind != N_INTERVAL) return 0;
  for (int i = 0; i < x->n; i++) all &= is_name (x->kid[i]);
  return all;
}

static int all_are (const sol_node_t *x, char c)
{
  for (const char *r = x->name; *r; r++)
    if (*r != c) return 0;
  return 1;
}

static int has_variables (const sol_node_t *x) { return sol_node_has (x, N_VAR, NULL) || sol_node_has (x, N_WORD, NULL); }

sol_node_t *sol_assigned (sol_pool_t *p, sol_node_t *x, sol_node_t **name_p)
{
  *name_p = NULL;
  if (x->kind != N_REL || !(all_are (x, '=') || (x->n == 2 && x->name[0] == 'i'))) return x;
  sol_node_t *first = x->kid[0], *last = x->kid[x->n - 1];
  if (is_name (first)) {
    *name_p = first;
    return last;
  }
  if (x->name[0] != '=' || first->kind > N_FUNC || has_variables (first)) return x;
  if (x->n == 2 && is_name (last)) {
    *name_p = last;
    return first;
  }
  /* 48 + 24 = 72: its value, if it is true */
  return last->kind <= N_FUNC && !has_variables (last) && sol_expression_equal (p, first, last) ? last : x;
}

/* ---- inequalities in one variable */

/* the one variable of a tree, *subject_p; 0: there is another one */
static int find_subject (sol_node_t *x, sol_node_t **subject_p)
{
  if (x->kind == N_VAR || (x->kind == N_FUNC && x->n == 1 && strlen (x->name) == 1)) {
    if (*subject_p && sol_node_order (*subject_p, x)) return 0;
    *subject_p = x;
    return 1;
  }
  if (x->kind == N_WORD || x->kind > N_FUNC) return 0;
  for (int i = 0; i < x->n; i++)
    if (!find_subject (x->kid[i], subject_p)) return 0;
  return 1;
}

/* f = a subject + b with constants a, b? Seen at four more points than two. */
static int is_linear (sol_pool_t *p, sol_node_t *f, sol_node_t *subject, sol_node_t **a, sol_node_t **b)
{
  static const long at[] = { 3, -2, 10, -7 };
  *b = sol_fold_replace (p, f, subject, sol_node_number (p, 0));
  *a = sol_fold_minus (p, sol_fold_replace (p, f, subject, sol_node_number (p, 1)), *b);
  for (int k = 0; k < 4; k++) {
    sol_node_t *x = sol_node_number (p, at[k]), *line = sol_fold_add (p, (sol_node_t *[]) { sol_fold_mul (p, (sol_node_t *[]) { *a, x }, 2), *b }, 2);
    if (!sol_expression_equal (p, sol_fold_replace (p, f, subject, x), line)) return 0;
  }
  return 1;
}

static sol_node_t *interval (sol_pool_t *p, sol_node_t *low, sol_node_t *high, int op)
{
  sol_node_t *x = sol_node_pair (p, N_INTERVAL, low, high);
  x->op = op;
  x->folded = 1;
  return x;
}

/* left relation right as a set of the subject's values */
static sol_node_t *solve_one (sol_pool_t *p, sol_node_t *left, char relation, sol_node_t *right, sol_node_t *subject)
{
  sol_node_t *a, *b, *inf = sol_node_name (p, N_CONST, "inf", 3), *minus = sol_node_number (p, -1), *minus_inf;
  if (!is_linear (p, sol_fold_minus (p, left, right), subject, &a, &b)) return NULL;
  const int sign = sol_probe_sign (p, a);
  if (sign == 0 || sign == 2) return NULL;
  sol_node_t *end = sol_fold_mul (p, (sol_node_t *[]) { minus, b, sol_fold_pow (p, a, minus) }, 3);
  minus_inf = sol_fold_mul (p, (sol_node_t *[]) { minus, inf }, 2);
  if (relation == 'n') return sol_node_pair (p, N_UNION, interval (p, minus_inf, end, 3), interval (p, end, inf, 3));
  const int below = (relation == '<' || relation == 'l') == (sign > 0), open = relation == '<' || relation == '>';
  return below ? interval (p, minus_inf, end, open ? 3 : 1) : interval (p, end, inf, open ? 3 : 2);
}

sol_node_t *sol_relation_solve (sol_pool_t *p, sol_node_t *x, sol_node_t **subject_p)
{
  sol_node_t *set = NULL;
  *subject_p = NULL;
  if (x->kind == N_BUILDER) {
    sol_node_t *bound = x->kid[0], *condition = x->kid[1];
    set = sol_relation_solve (p, condition, subject_p);
    if (set && sol_node_order (*subject_p, bound)) set = NULL;
    *subject_p = NULL;
    return set;
  }
  if (x->kind != N_REL || strspn (x->name, "<>lgn") != strlen (x->name)) return NULL;
  for (int i = 0; i < x->n; i++)
    if (!find_subject (x->kid[i], subject_p)) return NULL;
  if (!*subject_p) return NULL;
  for (int i = 0; i + 1 < x->n; i++) {
    sol_node_t *one = solve_one (p, x->kid[i], x->name[i], x->kid[i + 1], *subject_p);
    if (!one) return NULL;
    set = set ? sol_node_pair (p, N_INTERSECT, set, one) : one;
  }
  return set;
}

/* ---- equality */

/* both sides on the left: equal up to a constant factor, which turns an inequality when it is negative */
static int multiples (sol_pool_t *p, sol_node_t *x, sol_node_t *y)
{
  if (x->kind != N_REL || y->kind != N_REL || x->n != 2 || y->n != 2) return 0;
  for (int i = 0; i < 2; i++)
    if (x->kid[i]->kind > N_FUNC || y->kid[i]->kind > N_FUNC) return 0;
  const char a = x->name[0], b = y->name[0];
  const int strict = (a == '<' || a == '>') == (b == '<' || b == '>'), turned = (a == '<' || a == 'l') != (b == '<' || b == 'l');
  const int ordered = a != '=' && a != 'n';
  if ((!ordered && a != b) || (ordered && (b == '=' || b == 'n' || !strict))) return 0;
  const int sign = sol_probe_ratio (p, sol_fold_minus (p, x->kid[0], x->kid[1]), sol_fold_minus (p, y->kid[0], y->kid[1]));
  return ordered ? sign == (turned ? -1 : 1) : sign != 0;
}

/* a set that the answer says; *subject_p: of what, or NULL */
static sol_node_t *set_of (sol_pool_t *p, sol_node_t *x, sol_node_t **subject_p)
{
  sol_node_t *set = sol_relation_solve (p, x, subject_p);
  if (set) return set;
  set = sol_assigned (p, x, subject_p);
  return sol_is_set (set) ? set : NULL;
}

int sol_relation_equal (sol_pool_t *p, sol_node_t *x, sol_node_t *y)
{
  sol_node_t *name_x, *name_y, *value_x = sol_assigned (p, x, &name_x), *value_y = sol_assigned (p, y, &name_y);
  if (name_x && name_y && sol_node_order (name_x, name_y) == 0) return sol_tree_equal (p, value_x, value_y);
  if (value_x != x && value_y == y && y->kind != N_REL && y->kind != N_BUILDER) {
    /* y = 2 x + 3 is a line and 2 x + 3 a term */
    return !(name_x && name_x->kind == N_VAR && value_x->kind <= N_FUNC && has_variables (value_x)) && sol_tree_equal (p, value_x, y);
  }
  if (value_y != y && value_x == x && x->kind != N_REL && x->kind != N_BUILDER) return sol_relation_equal (p, y, x);
  sol_node_t *subject_x, *subject_y, *set_x = set_of (p, x, &subject_x), *set_y = set_of (p, y, &subject_y);
  if (set_x && set_y) {
    if (subject_x && subject_y && sol_node_order (subject_x, subject_y)) return 0;
    return sol_set_equal (p, set_x, set_y) == 1;
  }
  return multiples (p, x, y);
}
