/* SPDX-License-Identifier: Apache-2.0 */
/* answer_exact.c: powers and functions of exact numbers, and matrices. */
#include "answer.h"
#include <stdlib.h>
#include <string.h>

static size_t bits_of (const mpq_t q) { return mpz_sizeinbase (mpq_numref (q), 2) + mpz_sizeinbase (mpq_denref (q), 2); }

static size_t max_bits (const sol_pool_t *p) { return p->max_bits ? p->max_bits : SOL_ANSWER_BITS; }

sol_node_t *sol_number_keep (sol_pool_t *p, sol_node_t *x)
{
  const size_t bits = bits_of (x->q);
  sol_pool_work (p, (int) (bits / 2000));
  if (bits > max_bits (p)) sol_pool_give_up (p);
  return x;
}

/* x^e for |e| small enough, else NULL */
static sol_node_t *whole_power (sol_pool_t *p, const sol_node_t *x, const mpz_t e)
{
  if (mpz_sgn (e) < 0 && mpq_sgn (x->q) == 0) sol_pool_give_up (p);
  if (sol_node_is_long (x, 1) || (sol_node_is_long (x, 0) && mpz_sgn (e) > 0)) return sol_node_number (p, sol_node_is_long (x, 1));
  if (sol_node_is_long (x, -1)) return sol_node_number (p, mpz_even_p (e) ? 1 : -1);
  if (mpz_cmpabs_ui (e, SOL_ANSWER_BITS) > 0) return NULL;
  const long n = mpz_get_si (e);
  const unsigned long a = (unsigned long) labs (n);
  if (a > 1 && bits_of (x->q) * a > max_bits (p)) return NULL;
  if (n == 0 && mpq_sgn (x->q) == 0) sol_pool_give_up (p);
  sol_node_t *y = sol_node_number (p, 0);
  mpz_pow_ui (mpq_numref (y->q), mpq_numref (x->q), a);
  mpz_pow_ui (mpq_denref (y->q), mpq_denref (x->q), a);
  if (n < 0) mpq_inv (y->q, y->q);
  return sol_number_keep (p, y);
}

/* the exact root, else NULL; of a negative number only odd roots are real */
static sol_node_t *exact_root (sol_pool_t *p, const sol_node_t *x, const mpz_t degree)
{
  if (mpz_cmp_ui (degree, 64) > 0 || (mpq_sgn (x->q) < 0 && mpz_even_p (degree))) return NULL;
  sol_node_t *y = sol_node_number (p, 0);
  const unsigned long n = mpz_get_ui (degree);
  return mpz_root (mpq_numref (y->q), mpq_numref (x->q), n) && mpz_root (mpq_denref (y->q), mpq_denref (x->q), n) ? y : NULL;
}

sol_node_t *sol_exact_pow (sol_pool_t *p, const sol_node_t *base, const sol_node_t *e)
{
  if (mpz_cmp_ui (mpq_denref (e->q), 1) == 0) return whole_power (p, base, mpq_numref (e->q));
  sol_node_t *root = exact_root (p, base, mpq_denref (e->q));
  return root ? whole_power (p, root, mpq_numref (e->q)) : NULL;
}

/* ---- functions */

static int whole_below (const sol_node_t *x, unsigned long bound) { return x->kind == N_NUM && mpz_cmp_ui (mpq_denref (x->q), 1) == 0 && mpq_sgn (x->q) >= 0 && mpz_cmp_ui (mpq_numref (x->q), bound) < 0; }

/* the degree sign inside a function: \sin 30^\circ */
static sol_node_t *radians (sol_pool_t *p, sol_node_t *x)
{
  sol_node_t *degree = sol_node_name (p, N_UNIT, "degree", 6), *scale = sol_node_number (p, 1);
  if (!sol_node_has (x, N_UNIT, "degree")) return x;
  mpz_set_ui (mpq_denref (scale->q), 180);
  sol_node_t *pi = sol_node_name (p, N_CONST, "pi", 2);
  return sol_fold_replace (p, x, degree, sol_fold_mul (p, (sol_node_t *[]) { scale, pi }, 2));
}

static sol_node_t *rounded (sol_pool_t *p, const sol_node_t *x, int up)
{
  sol_node_t *y = sol_node_number (p, 0);
  if (up) mpz_cdiv_q (mpq_numref (y->q), mpq_numref (x->q), mpq_denref (x->q));
  else mpz_fdiv_q (mpq_numref (y->q), mpq_numref (x->q), mpq_denref (x->q));
  return y;
}

sol_node_t *sol_fold_func (sol_pool_t *p, sol_node_t *x)
{
  sol_node_t *a = x->kid[0], *b = x->n > 1 ? x->kid[1] : NULL, *y;
  x->folded = 1;
  if (x->n == 1 && a->kind <= N_FUNC) x->kid[0] = a = radians (p, a);
  if (!strcmp (x->name, "log")) { /* of a base that nobody told us: \log 2 + \log 3 is \log 6 whatever it is, and \log 100 is neither 2 nor 4.6 */
    sol_node_t *ln = sol_fold_func (p, sol_node_func (p, "ln", a)), *base = sol_node_name (p, N_VAR, "\x01log", 4);
    return sol_fold_mul (p, (sol_node_t *[]) { ln, sol_fold_pow (p, base, sol_node_number (p, -1)) }, 2);
  }
  if (!strcmp (x->name, "ln") && sol_node_is_long (a, 1)) return sol_node_number (p, 0);
  if (!strcmp (x->name, "factorial") && whole_below (a, 1500)) {
    y = sol_node_number (p, 0);
    mpz_fac_ui (mpq_numref (y->q), mpz_get_ui (mpq_numref (a->q)));
    return sol_number_keep (p, y);
  }
  if (!strcmp (x->name, "binom") && whole_below (a, 10000) && whole_below (b, 10000)) {
    y = sol_node_number (p, 0);
    mpz_bin_uiui (mpq_numref (y->q), mpz_get_ui (mpq_numref (a->q)), mpz_get_ui (mpq_numref (b->q)));
    return sol_number_keep (p, y);
  }
  if (a->kind != N_NUM) return x;
  if (!strcmp (x->name, "abs")) {
    y = sol_node_number (p, 0);
    mpq_abs (y->q, a->q);
    return y;
  }
  if (!strcmp (x->name, "floor") || !strcmp (x->name, "ceil")) return rounded (p, a, x->name[0] == 'c');
  return x;
}

/* ---- matrices */

sol_node_t *sol_matrix_add (sol_pool_t *p, sol_node_t *x, sol_node_t *y)
{
  if (x->kind != N_MATRIX || y->kind != N_MATRIX || x->n != y->n || x->op != y->op) sol_pool_give_up (p);
  sol_node_t *z = sol_node_new (p, N_MATRIX, x->n);
  z->op = x->op;
  z->folded = 1;
  for (int i = 0; i < x->n; i++) z->kid[i] = sol_fold_add (p, (sol_node_t *[]) { x->kid[i], y->kid[i] }, 2);
  return z;
}

static sol_node_t *scaled (sol_pool_t *p, sol_node_t *c, const sol_node_t *x)
{
  sol_node_t *z = sol_node_new (p, N_MATRIX, x->n);
  z->op = x->op;
  z->folded = 1;
  for (int i = 0; i < x->n; i++) z->kid[i] = sol_fold_mul (p, (sol_node_t *[]) { c, x->kid[i] }, 2);
  return z;
}

sol_node_t *sol_matrix_mul (sol_pool_t *p, sol_node_t *x, sol_node_t *y)
{
  if (x->kind != N_MATRIX && y->kind != N_MATRIX) return sol_fold_mul (p, (sol_node_t *[]) { x, y }, 2);
  if (x->kind != N_MATRIX) return scaled (p, x, y);
  if (y->kind != N_MATRIX) return scaled (p, y, x);
  const int rows = x->n / x->op, inner = x->op, columns = y->op;
  if (y->n / columns != inner) sol_pool_give_up (p);
  sol_node_t *z = sol_node_new (p, N_MATRIX, rows * columns);
  z->op = columns;
  z->folded = 1;
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < columns; c++) {
      sol_node_t *sum = sol_node_number (p, 0);
      for (int k = 0; k < inner; k++) {
        sol_node_t *product = sol_fold_mul (p, (sol_node_t *[]) { x->kid[r * inner + k], y->kid[k * columns + c] }, 2);
        sum = sol_fold_add (p, (sol_node_t *[]) { sum, product }, 2);
      }
      z->kid[r * columns + c] = sum;
    }
  return z;
}
