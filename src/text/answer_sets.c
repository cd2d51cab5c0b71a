/* SPDX-License-Identifier: Apache-2.0 */
/* answer_sets.c: sets of real numbers. The ends of all intervals and the members of all finite sets, in order, cut the line into points and gaps; two sets are equal when they hold
 * the same points and gaps. */
#include "answer.h"

#define MAX_ENDS 64

typedef struct { sol_pool_t *pool; sol_node_t *end[MAX_ENDS]; int n; } line_t;

int sol_is_set (const sol_node_t *x) { return x->kind >= N_SET && x->kind <= N_MINUS; }

/* 1 for infinity, -1 for minus infinity */
static int infinite (const sol_node_t *x)
{
  if (sol_node_is (x, N_CONST, "inf")) return 1;
  return x->kind == N_MUL && x->n == 2 && sol_node_is_long (x->kid[0], -1) && sol_node_is (x->kid[1], N_CONST, "inf") ? -1 : 0;
}

/* sign of x - y; 2: they cannot be compared */
static int compare (sol_pool_t *p, sol_node_t *x, sol_node_t *y)
{
  if (x->kind > N_FUNC || y->kind > N_FUNC) return 2;
  if (x->kind == N_NUM && y->kind == N_NUM) return mpq_cmp (x->q, y->q) < 0 ? -1 : mpq_cmp (x->q, y->q) > 0;
  return sol_probe_sign (p, sol_fold_minus (p, x, y));
}

/* puts x in its place; 0: no real constant */
static int add_end (line_t *l, sol_node_t *x)
{
  int at = 0;
  if (infinite (x)) return 1;
  if (compare (l->pool, x, sol_node_number (l->pool, 0)) == 2) return 0;
  for (; at < l->n; at++) {
    const int c = compare (l->pool, x, l->end[at]);
    if (c == 2) return 0;
    if (c == 0) return 1;
    if (c < 0) break;
  }
  if (l->n == MAX_ENDS) return 0;
  for (int i = l->n++; i > at; i--) l->end[i] = l->end[i - 1];
  l->end[at] = x;
  return 1;
}

static int add_ends (line_t *l, const sol_node_t *x)
{
  if (!sol_is_set (x)) return 0;
  for (int i = 0; i < x->n; i++)
    if (!(x->kind == N_SET || x->kind == N_INTERVAL ? add_end (l, x->kid[i]) : add_ends (l, x->kid[i]))) return 0;
  return 1;
}

/* cell of an end: 2 k + 1 is the k-th point, 2 k the gap before it */
static int cell_of (line_t *l, sol_node_t *x)
{
  if (infinite (x)) return infinite (x) < 0 ? -1 : 2 * l->n + 1;
  for (int i = 0; i < l->n; i++)
    if (compare (l->pool, x, l->end[i]) == 0) return 2 * i + 1;
  sol_pool_give_up (l->pool);
}

/* in[c]: does the set hold cell c? 0: an interval the wrong way round */
static int fill (line_t *l, const sol_node_t *x, char *in)
{
  char second[2 * MAX_ENDS + 2] = "";
  const int cells = 2 * l->n + 1;
  for (int c = 0; c < cells; c++) in[c] = 0;
  if (x->kind == N_SET) {
    for (int i = 0; i < x->n; i++) {
      if (infinite (x->kid[i])) return 0;
      in[cell_of (l, x->kid[i])] = 1;
    }
    return 1;
  }
  if (x->kind == N_INTERVAL) {
    const int low = cell_of (l, x->kid[0]), high = cell_of (l, x->kid[1]);
    if (low > high || (low < 0 && !(x->op & 1)) || (high > cells - 1 && !(x->op & 2))) return 0; /* the wrong way round, or closed at infinity */
    for (int c = 0; c < cells; c++) in[c] = (char) ((c > low || (c == low && !(x->op & 1))) && (c < high || (c == high && !(x->op & 2))));
    return 1;
  }
  if (!fill (l, x->kid[0], in) || !fill (l, x->kid[1], second)) return 0;
  for (int c = 0; c < cells; c++) in[c] = (char) (x->kind == N_UNION ? in[c] | second[c] : x->kind == N_INTERSECT ? in[c] & second[c] : in[c] & !second[c]);
  return 1;
}

int sol_set_equal (sol_pool_t *p, sol_node_t *x, sol_node_t *y)
{
  line_t l = { .pool = p };
  char a[2 * MAX_ENDS + 2], b[2 * MAX_ENDS + 2];
  if (!add_ends (&l, x) || !add_ends (&l, y) || !fill (&l, x, a) || !fill (&l, y, b)) return -1;
  for (int c = 0; c < 2 * l.n + 1; c++)
    if (a[c] != b[c]) return 0;
  return 1;
}
