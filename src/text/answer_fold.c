/* SPDX-License-Identifier: Apache-2.0 */
/* answer_fold.c: algebraic normal form. Sums and products are flat, sorted and collected; numbers are worked out exactly; products are not multiplied out (answer_probe.c decides
 * what is left). Two trees of the same normal form are equal wherever both are defined. */
#include "answer.h"
#include <stdlib.h>
#include <string.h>

static int is_scalar (const sol_node_t *x) { return x->kind <= N_FUNC || x->kind == N_DOTS; }

static void need_scalar (sol_pool_t *p, const sol_node_t *x)
{
  if (!is_scalar (x)) sol_pool_give_up (p);
}

static sol_node_t *build (sol_pool_t *p, int kind, sol_node_t **kid, int n)
{
  sol_node_t *x = sol_node_new (p, kind, n);
  if (n) memcpy (x->kid, kid, (size_t) n * sizeof *kid);
  x->folded = 1;
  return x;
}

/* children of the same kind as the parent take its place */
static sol_node_t **flatten (sol_pool_t *p, int kind, sol_node_t **kid, int n, int *n_p)
{
  int total = 0;
  for (int i = 0; i < n; i++) total += kid[i]->kind == kind ? kid[i]->n : 1;
  sol_node_t **flat = sol_pool_take (p, (size_t) (total + 1) * sizeof *flat);
  *n_p = 0;
  for (int i = 0; i < n; i++) {
    if (kid[i]->kind != kind) flat[(*n_p)++] = kid[i];
    else
      for (int k = 0; k < kid[i]->n; k++) flat[(*n_p)++] = kid[i]->kid[k];
  }
  sol_pool_work (p, total);
  return flat;
}

/* ---- sums */

/* coefficient and the rest of a term; rest NULL: the term is a number */
typedef struct { sol_node_t *coefficient, *rest; } term_t;

static term_t term_of (sol_pool_t *p, sol_node_t *x)
{
  if (x->kind == N_NUM) return (term_t) { x, NULL };
  if (x->kind != N_MUL || x->kid[0]->kind != N_NUM) return (term_t) { sol_node_number (p, 1), x };
  return (term_t) { x->kid[0], x->n == 2 ? x->kid[1] : build (p, N_MUL, x->kid + 1, x->n - 1) };
}

static int by_rest (const void *x, const void *y)
{
  const term_t *a = x, *b = y;
  return !a->rest || !b->rest ? (a->rest != NULL) - (b->rest != NULL) : sol_node_order (a->rest, b->rest);
}

static sol_node_t *term_node (sol_pool_t *p, sol_node_t *coefficient, sol_node_t *rest)
{
  if (!rest) return coefficient;
  if (sol_node_is_long (coefficient, 1)) return rest;
  return sol_fold_mul (p, (sol_node_t *[]) { coefficient, rest }, 2);
}

sol_node_t *sol_fold_add (sol_pool_t *p, sol_node_t **kid, int n)
{
  int count, kept = 0;
  if (n && kid[0]->kind == N_MATRIX) {
    sol_node_t *x = kid[0];
    for (int i = 1; i < n; i++) x = sol_matrix_add (p, x, kid[i]);
    return x;
  }
  sol_node_t **flat = flatten (p, N_ADD, kid, n, &count);
  term_t *term = sol_pool_take (p, (size_t) (count + 1) * sizeof *term);
  for (int i = 0; i < count; i++) {
    need_scalar (p, flat[i]);
    term[i] = term_of (p, flat[i]);
  }
  qsort (term, (size_t) count, sizeof *term, by_rest);
  for (int i = 0, k; i < count; i = k) {
    sol_node_t *sum = sol_node_number (p, 0);
    for (k = i; k < count && by_rest (&term[i], &term[k]) == 0; k++) mpq_add (sum->q, sum->q, term[k].coefficient->q);
    if (mpq_sgn (sol_number_keep (p, sum)->q)) flat[kept++] = term_node (p, sum, term[i].rest);
  }
  if (!kept) return sol_node_number (p, 0);
  return kept == 1 ? flat[0] : build (p, N_ADD, flat, kept);
}

sol_node_t *sol_fold_minus (sol_pool_t *p, sol_node_t *x, sol_node_t *y)
{
  sol_node_t *minus = sol_fold_mul (p, (sol_node_t *[]) { sol_node_number (p, -1), y }, 2);
  return sol_fold_add (p, (sol_node_t *[]) { x, minus }, 2);
}

/* ---- products */

static sol_node_t *base_of (sol_node_t *x) { return x->kind == N_POW ? x->kid[0] : x; }
static sol_node_t *exponent_of (sol_pool_t *p, sol_node_t *x) { return x->kind == N_POW ? x->kid[1] : sol_node_number (p, 1); }
static int is_integer (const sol_node_t *x) { return x->kind == N_NUM && mpz_cmp_ui (mpq_denref (x->q), 1) == 0; }

static int by_base (const void *x, const void *y)
{
  sol_node_t *a = *(sol_node_t *const *) x, *b = *(sol_node_t *const *) y;
  const int d = sol_node_order (base_of (a), base_of (b));
  return d ? d : sol_node_order (a, b);
}

/* may powers of this base be put together? Whole powers always, others only of what is positive. */
static int may_join (const sol_node_t *base, const sol_node_t *e, const sol_node_t *f)
{
  if (is_integer (e) && is_integer (f)) return 1;
  return (base->kind == N_NUM && mpq_sgn (base->q) > 0) || sol_node_is (base, N_CONST, "pi") || sol_node_is (base, N_CONST, "e");
}

static sol_node_t *matrix_product (sol_pool_t *p, sol_node_t **kid, int n)
{
  sol_node_t *x = kid[0];
  for (int i = 1; i < n; i++) x = sol_matrix_mul (p, x, kid[i]);
  return x;
}

/* c (a + b) = c a + c b */
static sol_node_t *distribute (sol_pool_t *p, sol_node_t *c, const sol_node_t *sum)
{
  sol_node_t **term = sol_pool_take (p, (size_t) sum->n * sizeof *term);
  for (int i = 0; i < sum->n; i++) term[i] = sol_fold_mul (p, (sol_node_t *[]) { c, sum->kid[i] }, 2);
  return sol_fold_add (p, term, sum->n);
}

/* sorted factors with powers of one base joined; what comes out as a number goes into c */
static int join (sol_pool_t *p, sol_node_t **f, int n, sol_node_t *c)
{
  int kept = 0;
  qsort (f, (size_t) n, sizeof *f, by_base);
  for (int i = 0; i < n; i++) {
    sol_node_t *last = kept ? f[kept - 1] : NULL;
    if (!last || sol_node_order (base_of (last), base_of (f[i])) || !may_join (base_of (f[i]), exponent_of (p, last), exponent_of (p, f[i]))) {
      f[kept++] = f[i];
      continue;
    }
    sol_node_t *e = sol_fold_add (p, (sol_node_t *[]) { exponent_of (p, last), exponent_of (p, f[i]) }, 2);
    sol_node_t *x = sol_fold_pow (p, base_of (last), e);
    if (x->kind == N_NUM) mpq_mul (c->q, c->q, x->q), kept--;
    else f[kept - 1] = x;
  }
  sol_number_keep (p, c);
  return kept;
}

sol_node_t *sol_fold_mul (sol_pool_t *p, sol_node_t **kid, int n)
{
  int count, m = 0;
  for (int i = 0; i < n; i++)
    if (kid[i]->kind == N_MATRIX) return matrix_product (p, kid, n);
  sol_node_t **flat = flatten (p, N_MUL, kid, n, &count), *c = sol_node_number (p, 1);
  sol_node_t **f = sol_pool_take (p, (size_t) (count + 2) * sizeof *f);
  for (int i = 0; i < count; i++) {
    need_scalar (p, flat[i]);
    if (flat[i]->kind == N_NUM) {
      mpq_mul (c->q, c->q, flat[i]->q);
      sol_number_keep (p, c);
    } else f[1 + m++] = flat[i];
  }
  m = join (p, f + 1, m, c);
  for (int i = 1; i <= m; i++)
    if (f[i]->kind == N_MUL) { /* a power that came out as a product, -i: once more */
      f[0] = c;
      return sol_fold_mul (p, f, m + 1);
    }
  if (mpq_sgn (c->q) == 0) {
    for (int i = 1; i <= m; i++)
      if (sol_node_has (f[i], N_CONST, "inf")) sol_pool_give_up (p);
    return c;
  }
  if (m == 0) {
    if (count == 2 && sol_node_is_long (flat[0], -1)) c->digits = flat[1]->digits, c->decimals = flat[1]->decimals; /* -0.25 is written with two decimals too */
    return c;
  }
  const int one = sol_node_is_long (c, 1);
  if (m == 1 && f[1]->kind == N_ADD && !one) return distribute (p, c, f[1]);
  if (one) return m == 1 ? f[1] : build (p, N_MUL, f + 1, m);
  f[0] = c;
  return build (p, N_MUL, f, m + 1);
}

/* ---- powers */

/* i^n */
static sol_node_t *power_of_i (sol_pool_t *p, sol_node_t *i, const sol_node_t *e)
{
  const unsigned long r = mpz_fdiv_ui (mpq_numref (e->q), 4);
  if (r == 0 || r == 2) return sol_node_number (p, r ? -1 : 1);
  return r == 1 ? i : build (p, N_MUL, (sol_node_t *[]) { sol_node_number (p, -1), i }, 2);
}

static sol_node_t *times_exponent (sol_pool_t *p, sol_node_t *base, const sol_node_t *e)
{
  sol_node_t *product = sol_node_number (p, 0);
  mpq_mul (product->q, base->kid[1]->q, e->q);
  return sol_fold_pow (p, base->kid[0], sol_number_keep (p, product));
}

sol_node_t *sol_fold_pow (sol_pool_t *p, sol_node_t *base, sol_node_t *e)
{
  sol_pool_work (p, 1);
  need_scalar (p, base);
  need_scalar (p, e);
  if (base->kind == N_NUM && e->kind == N_NUM) {
    sol_node_t *x = sol_exact_pow (p, base, e);
    if (x) return x;
  } else if (e->kind == N_NUM && mpq_sgn (e->q) == 0) return sol_node_number (p, 1);
  if (sol_node_is_long (e, 1)) return base;
  if (sol_node_is_long (base, 1) && !sol_node_has (e, N_CONST, "inf")) return base;
  if (is_integer (e)) {
    if (sol_node_is (base, N_CONST, "i")) return power_of_i (p, base, e);
    if (base->kind == N_POW && base->kid[1]->kind == N_NUM) return times_exponent (p, base, e);
    if (base->kind == N_MUL) {
      sol_node_t **f = sol_pool_take (p, (size_t) base->n * sizeof *f);
      for (int i = 0; i < base->n; i++) f[i] = sol_fold_pow (p, base->kid[i], e);
      return sol_fold_mul (p, f, base->n);
    }
  }
  return build (p, N_POW, (sol_node_t *[]) { base, e }, 2);
}

/* ---- all kinds */

sol_node_t *sol_fold (sol_pool_t *p, sol_node_t *x)
{
  if (x->folded) return x;
  sol_pool_work (p, 1);
  for (int i = 0; i < x->n; i++) x->kid[i] = sol_fold (p, x->kid[i]);
  switch (x->kind) {
    case N_ADD: return sol_fold_add (p, x->kid, x->n);
    case N_MUL: {
      sol_node_t *y = sol_fold_mul (p, x->kid, x->n);
      if (x->applied && y->kind == N_MUL && y != x) y->applied = 1;
      return y;
    }
    case N_POW: return sol_fold_pow (p, x->kid[0], x->kid[1]);
    case N_FUNC: return sol_fold_func (p, x);
    case N_PM: sol_pool_give_up (p);
    default: break;
  }
  x->folded = 1;
  return x;
}

sol_node_t *sol_fold_replace (sol_pool_t *p, sol_node_t *x, const sol_node_t *what, sol_node_t *by)
{
  sol_pool_work (p, 1);
  if (sol_node_order (x, what) == 0) return by;
  if (!x->n) return x;
  sol_node_t *y = sol_node_new (p, x->kind, x->n);
  y->op = x->op;
  y->name = x->name;
  int changed = 0;
  for (int i = 0; i < x->n; i++) {
    y->kid[i] = sol_fold_replace (p, x->kid[i], what, by);
    changed |= y->kid[i] != x->kid[i];
  }
  return changed ? sol_fold (p, y) : x;
}
