/* SPDX-License-Identifier: Apache-2.0 */
/* answer_equal.c: are two trees the same answer? One rule for each kind; when in doubt, no. */
#include "answer.h"
#include <string.h>

#define SURE_DIGITS 12 /* a decimal of so many digits may stand for a value that no decimal is equal to */

/* ---- plus-minus */

static sol_node_t *with_signs (sol_pool_t *p, const sol_node_t *x, int plus)
{
  sol_pool_work (p, 1);
  if (x->kind == N_PM) {
    sol_node_t *term = with_signs (p, x->kid[0], plus);
    return (x->op == '+') == plus ? term : sol_node_pair (p, N_MUL, sol_node_number (p, -1), term);
  }
  if (!sol_node_has (x, N_PM, NULL)) return (sol_node_t *) x;
  sol_node_t *y = sol_node_new (p, x->kind, x->n);
  y->op = x->op;
  y->name = x->name;
  for (int i = 0; i < x->n; i++) y->kid[i] = with_signs (p, x->kid[i], plus);
  return y;
}

sol_node_t *sol_answer_prepare (sol_pool_t *p, sol_node_t *x)
{
  if (!sol_node_has (x, N_PM, NULL)) return sol_fold (p, x);
  if (x->kind != N_LIST && x->kind != N_SET) {
    sol_node_t *both = sol_node_pair (p, N_LIST, with_signs (p, x, 1), with_signs (p, x, 0));
    both->op = ',';
    return sol_fold (p, both);
  }
  sol_node_t *wide = sol_node_new (p, x->kind, 2 * x->n);
  wide->op = x->op;
  wide->n = 0;
  for (int i = 0; i < x->n; i++) {
    const int both = sol_node_has (x->kid[i], N_PM, NULL);
    wide->kid[wide->n++] = both ? with_signs (p, x->kid[i], 1) : x->kid[i];
    if (both) wide->kid[wide->n++] = with_signs (p, x->kid[i], 0);
  }
  return sol_fold (p, wide);
}

/* ---- expressions */

sol_node_t *sol_unit_split (sol_pool_t *p, sol_node_t *x, sol_node_t **unit_p)
{
  *unit_p = NULL;
  if (x->kind != N_MUL) return x;
  sol_node_t **value = sol_pool_take (p, (size_t) x->n * sizeof *value), **unit = sol_pool_take (p, (size_t) x->n * sizeof *unit);
  int n = 0, m = 0;
  for (int i = 0; i < x->n; i++) {
    const sol_node_t *base = x->kid[i]->kind == N_POW ? x->kid[i]->kid[0] : x->kid[i];
    if (base->kind == N_UNIT) unit[m++] = x->kid[i];
    else value[n++] = x->kid[i];
  }
  if (!n || !m) return x;
  *unit_p = sol_fold_mul (p, unit, m);
  return n == 1 ? value[0] : sol_fold_mul (p, value, n);
}

/* Is x, a decimal of many digits, y as far as it goes? Only where y is no decimal of so many digits itself: those must be equal. */
static int rounds_to (sol_pool_t *p, const sol_node_t *x, const sol_node_t *y)
{
  if (x->kind != N_NUM || x->digits < SURE_DIGITS || x->decimals == 0) return 0;
  if (y->kind == N_NUM) {
    sol_node_t *scaled = sol_node_number (p, 0);
    if (y->digits) return 0;
    mpz_ui_pow_ui (mpq_numref (scaled->q), 10, (unsigned long) x->decimals);
    mpq_mul (scaled->q, scaled->q, y->q);
    if (mpz_cmp_ui (mpq_denref (scaled->q), 1) == 0) return 0;
  }
  return sol_probe_near (p, x, y, x->decimals);
}

int sol_expression_equal (sol_pool_t *p, sol_node_t *x, sol_node_t *y)
{
  sol_node_t *unit_x, *unit_y;
  x = sol_unit_split (p, x, &unit_x);
  y = sol_unit_split (p, y, &unit_y);
  if (unit_x && unit_y && sol_node_order (unit_x, unit_y)) return 0;
  if (sol_node_order (x, y) == 0) return 1;
  if (rounds_to (p, x, y) || rounds_to (p, y, x)) return 1;
  if (x->kind == N_NUM && y->kind == N_NUM) return 0;
  return sol_probe_equal (p, x, y) == SOL_PROBE_YES;
}

/* ---- lists */

typedef struct { sol_node_t **item, **value, **name; int n; } items_t;

static items_t items_of (sol_pool_t *p, sol_node_t *x)
{
  items_t a = { .n = x->kind == N_LIST || x->kind == N_SET || x->kind == N_TUPLE || x->kind == N_INTERVAL ? x->n : 1 };
  a.item = sol_pool_take (p, (size_t) (a.n + 1) * sizeof *a.item);
  a.value = sol_pool_take (p, (size_t) (a.n + 1) * sizeof *a.value);
  a.name = sol_pool_take (p, (size_t) (a.n + 1) * sizeof *a.name);
  for (int i = 0; i < a.n; i++) {
    a.item[i] = a.n == 1 && x->kind != N_SET ? x : x->kid[i];
    a.value[i] = sol_assigned (p, a.item[i], &a.name[i]);
  }
  return a;
}

static int all_named_apart (const items_t *a)
{
  for (int i = 0; i < a->n; i++) {
    if (!a->name[i]) return 0;
    for (int k = 0; k < i; k++)
      if (sol_node_order (a->name[i], a->name[k]) == 0) return 0;
  }
  return a->n > 1;
}

static int none_named (const items_t *a)
{
  for (int i = 0; i < a->n; i++)
    if (a->name[i]) return 0;
  return 1;
}

/* one name for all: x = 1, 2, 3 or x = 1, x = 2; 0: the names do not say one thing. *name_p: NULL when there are none */
static int one_name (const items_t *a, sol_node_t **name_p)
{
  *name_p = a->n ? a->name[0] : NULL;
  for (int i = 1; i < a->n; i++)
    if (a->name[i] && (!*name_p || sol_node_order (a->name[i], *name_p))) return 0;
  return 1;
}

static int in_order (sol_pool_t *p, sol_node_t **x, sol_node_t **y, int n)
{
  for (int i = 0; i < n; i++)
    if (!sol_tree_equal (p, x[i], y[i])) return 0;
  return 1;
}

/* every x has a y of its own (or, when repeated ones count once, some y) */
static int covers (sol_pool_t *p, sol_node_t **x, int n, sol_node_t **y, int m, int once)
{
  char *used = sol_pool_take (p, (size_t) m + 1);
  for (int i = 0; i < n; i++) {
    int found = 0;
    for (int k = 0; k < m && !found; k++)
      if (!used[k] && sol_tree_equal (p, x[i], y[k])) {
        used[k] = (char) !once;
        found = 1;
      }
    if (!found) return 0;
  }
  return 1;
}

static int is_tuple (const sol_node_t *x) { return x->kind == N_TUPLE || x->kind == N_INTERVAL; }

static int all_tuples (const items_t *a)
{
  for (int i = 0; i < a->n; i++)
    if (!is_tuple (a->value[i])) return 0;
  return 1;
}

/* members in any order; of sets and of lists of tuples a repeated member counts once */
static int same_members (sol_pool_t *p, sol_node_t **x, int n, sol_node_t **y, int m, int once)
{
  if (!once) return n == m && covers (p, x, n, y, m, 0);
  return covers (p, x, n, y, m, 1) && covers (p, y, m, x, n, 1);
}

static int named_equal (sol_pool_t *p, const items_t *a, const items_t *b)
{
  if (a->n != b->n) return 0;
  for (int i = 0; i < a->n; i++) {
    int found = 0;
    for (int k = 0; k < b->n && !found; k++) found = sol_node_order (a->name[i], b->name[k]) == 0 && sol_tree_equal (p, a->value[i], b->value[k]);
    if (!found) return 0;
  }
  return 1;
}

/* The set that x says, *subject_p: of what, or NULL: x < 1 or x > 2 is a union, x > 1 and x < 2 what both leave. NULL: none, or several relations of which it is not said how they go together. */
static sol_node_t *region (sol_pool_t *p, sol_node_t *x, sol_node_t **subject_p)
{
  sol_node_t *subject = NULL, *sets = NULL;
  *subject_p = NULL;
  if (x->kind != N_LIST) return sol_is_set (x) ? x : sol_relation_solve (p, x, subject_p);
  if (x->op != 'o' && x->op != 'a') return NULL;
  for (int i = 0; i < x->n; i++) {
    sol_node_t *one = sol_relation_solve (p, x->kid[i], &subject);
    if (!one || !subject || (*subject_p && sol_node_order (subject, *subject_p))) return NULL;
    *subject_p = subject;
    sets = sets ? sol_node_pair (p, x->op == 'o' ? N_UNION : N_INTERSECT, sets, one) : one;
  }
  return sets;
}

/* inequalities joined by words */
static int inequalities (const sol_node_t *x)
{
  if (x->kind != N_LIST || (x->op != 'o' && x->op != 'a')) return 0;
  for (int i = 0; i < x->n; i++)
    if (x->kid[i]->kind != N_REL || strspn (x->kid[i]->name, "<>lg") != strlen (x->kid[i]->name)) return 0;
  return 1;
}

/* k \in \{1, 2, 3\} beside a list: its set, when the names agree; else x itself */
static sol_node_t *membership (sol_pool_t *p, sol_node_t *x, sol_node_t *list)
{
  sol_node_t *name, *other, *value = sol_assigned (p, x, &name);
  const items_t items = items_of (p, list);
  return value->kind == N_SET && list->kind == N_LIST && one_name (&items, &other) && (!other || sol_node_order (name, other) == 0) ? value : x;
}

int sol_list_equal (sol_pool_t *p, sol_node_t *x, sol_node_t *y)
{
  x = membership (p, x, y);
  y = membership (p, y, x);
  sol_node_t *name_x, *name_y, *of_x, *of_y, *set_x = region (p, x, &of_x), *set_y = region (p, y, &of_y);
  if (set_x && set_y) {
    const int same = of_x && of_y && sol_node_order (of_x, of_y) ? 0 : sol_set_equal (p, set_x, set_y);
    if (same >= 0 || x->kind != y->kind || x->op != y->op) return same == 1;
  }
  if (x->op != y->op && inequalities (x) && inequalities (y)) return 0; /* x < a and x > b is not x < a or x > b */
  const items_t a = items_of (p, x), b = items_of (p, y);
  const int tuple_x = is_tuple (x), tuple_y = is_tuple (y), set = x->kind == N_SET || y->kind == N_SET, apart_a = all_named_apart (&a), apart_b = all_named_apart (&b);
  if (tuple_x || tuple_y) /* p = 5, q = 2 is the tuple (5, 2); a bare list is no tuple */
    return a.n == b.n && (tuple_x ? none_named (&a) && apart_b : none_named (&b) && apart_a) && in_order (p, a.value, b.value, a.n);
  if (sol_node_has (x, N_DOTS, NULL) || sol_node_has (y, N_DOTS, NULL)) return a.n == b.n && in_order (p, a.item, b.item, a.n);
  if (apart_a && apart_b) return named_equal (p, &a, &b);
  if (!set && a.n == b.n && ((apart_a && none_named (&b)) || (apart_b && none_named (&a)))) return in_order (p, a.value, b.value, a.n);
  if (!one_name (&a, &name_x) || !one_name (&b, &name_y)) return same_members (p, a.item, a.n, b.item, b.n, 0);
  if (name_x && name_y && sol_node_order (name_x, name_y)) return 0;
  const int once = set || (all_tuples (&a) && all_tuples (&b));
  return same_members (p, a.value, a.n, b.value, b.n, once);
}

/* ---- all kinds */

static int ratio_equal (sol_pool_t *p, sol_node_t *x, sol_node_t *y)
{
  if ((x->op | y->op) & 1) { /* times: 20:34 is 20:34:00 */
    const int n = x->n > y->n ? x->n : y->n;
    sol_node_t *zero = sol_node_number (p, 0);
    if (x->n < 2 || y->n < 2) return 0;
    for (int i = 0; i < n; i++)
      if (!sol_expression_equal (p, i < x->n ? x->kid[i] : zero, i < y->n ? y->kid[i] : zero)) return 0;
    return 1;
  }
  if (x->n != y->n) return 0;
  if (x->op && y->op) return in_order (p, x->kid, y->kid, x->n);
  for (int i = 1; i < x->n; i++) {
    sol_node_t *a = sol_fold_mul (p, (sol_node_t *[]) { x->kid[i], y->kid[0] }, 2), *b = sol_fold_mul (p, (sol_node_t *[]) { y->kid[i], x->kid[0] }, 2);
    if (!sol_expression_equal (p, a, b)) return 0;
  }
  return sol_probe_sign (p, x->kid[0]) != 0 && sol_probe_sign (p, y->kid[0]) != 0;
}

static int sets_equal (sol_pool_t *p, sol_node_t *x, sol_node_t *y)
{
  if (x->kind == N_INTERVAL && y->kind == N_INTERVAL) return x->op == y->op && in_order (p, x->kid, y->kid, 2);
  if (x->kind == N_SET && y->kind == N_SET) return same_members (p, x->kid, x->n, y->kid, y->n, 1);
  return sol_is_set (x) && sol_is_set (y) && sol_set_equal (p, x, y) == 1;
}

static int is_relation (const sol_node_t *x) { return x->kind == N_REL || x->kind == N_BUILDER; }
static int is_expression (const sol_node_t *x) { return x->kind <= N_FUNC; }

int sol_tree_equal (sol_pool_t *p, sol_node_t *x, sol_node_t *y)
{
  sol_pool_work (p, 1);
  if (sol_node_order (x, y) == 0) return 1;
  if (x->kind == N_LIST || y->kind == N_LIST) return sol_list_equal (p, x, y);
  if (is_relation (x) || is_relation (y)) return sol_relation_equal (p, x, y);
  if (sol_is_set (x) || sol_is_set (y)) return sets_equal (p, x, y);
  if (is_expression (x) && is_expression (y)) return sol_expression_equal (p, x, y);
  if (x->kind != y->kind || x->kind == N_BASED) return 0;
  if (x->kind == N_RATIO) return ratio_equal (p, x, y);
  if (x->kind != N_TUPLE && x->kind != N_MATRIX) return 0;
  return x->n == y->n && x->op == y->op && in_order (p, x->kid, y->kid, x->n);
}
