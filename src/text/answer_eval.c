/* SPDX-License-Identifier: Apache-2.0 */
/* answer_eval.c: sums, products and powers of complex numbers. Odd roots of negative real numbers are real, as schools have it; other powers are principal values. */
#include "answer_eval.h"
#include <stdlib.h>
#include <string.h>

#define MAX_EXPONENT 50000 /* of two; a value above or below is taken as undefined */
#define MAX_WORK 20000

void sol_eval_open (sol_eval_t *e, mpfr_prec_t bits)
{
  memset (e, 0, sizeof *e);
  e->bits = bits;
}

void sol_eval_close (sol_eval_t *e)
{
  for (int i = 0; i < e->slots; i++) mpfr_clears (e->slot[i].re, e->slot[i].im, NULL);
  for (int i = 0; i < e->vars; i++) mpfr_clears (e->value[i].re, e->value[i].im, NULL);
  mpfr_free_cache ();
}

static sol_complex_t *push (sol_eval_t *e)
{
  if (e->top == SOL_EVAL_SLOTS) return NULL;
  sol_complex_t *c = &e->slot[e->top++];
  if (e->top > e->slots) {
    mpfr_inits2 (e->bits, c->re, c->im, NULL);
    e->slots = e->top;
  }
  return c;
}

/* steps of what varies: points say nothing of where they are */
static int is_step (const sol_node_t *x) { return (!strcmp (x->name, "floor") || !strcmp (x->name, "ceil")) && (sol_node_has (x, N_VAR, NULL) || sol_node_has (x, N_WORD, NULL)); }

static int is_variable (const sol_node_t *x)
{
  return x->kind == N_VAR || x->kind == N_WORD || x->kind == N_UNIT || (x->kind == N_FUNC && (!sol_eval_known (x->name) || is_step (x)));
}

int sol_eval_collect (sol_eval_t *e, const sol_node_t *x)
{
  if (is_variable (x)) {
    for (int i = 0; i < e->vars; i++)
      if (sol_node_order (e->var[i], x) == 0) return 1;
    if (e->vars == SOL_EVAL_VARS) return 0;
    mpfr_inits2 (e->bits, e->value[e->vars].re, e->value[e->vars].im, NULL);
    mpfr_set_zero (e->value[e->vars].im, 1);
    e->var[e->vars++] = x;
    return 1;
  }
  if (x->kind > N_FUNC) return 0;
  for (int i = 0; i < x->n; i++)
    if (!sol_eval_collect (e, x->kid[i])) return 0;
  return 1;
}

static int is_real (const sol_complex_t *x) { return mpfr_zero_p (x->im); }

static int fits (const mpfr_t x) { return mpfr_zero_p (x) || (mpfr_number_p (x) && labs (mpfr_get_exp (x)) <= MAX_EXPONENT); }

static void note_size (sol_eval_t *e, const mpfr_t x)
{
  if (!mpfr_zero_p (x) && labs (mpfr_get_exp (x)) > e->extreme) e->extreme = labs (mpfr_get_exp (x));
}

static void note_term (const mpfr_t x, long *least, long *most)
{
  if (mpfr_zero_p (x)) return;
  const long e = mpfr_get_exp (x);
  if (e < *least) *least = e;
  if (e > *most) *most = e;
}

static int eval_add (sol_eval_t *e, const sol_node_t *x, sol_complex_t *out)
{
  long least = 1L << 40, most = -(1L << 40);
  sol_complex_t *t = push (e);
  if (!t) return 0;
  mpfr_set_zero (out->re, 1);
  mpfr_set_zero (out->im, 1);
  for (int i = 0; i < x->n; i++) {
    if (!sol_eval (e, x->kid[i], t)) return 0;
    note_term (t->re, &least, &most);
    mpfr_add (out->re, out->re, t->re, MPFR_RNDN);
    mpfr_add (out->im, out->im, t->im, MPFR_RNDN);
  }
  if (most > e->scale) e->scale = most;
  if (most - least > e->bits - 128) e->absorbed = 1;
  return 1;
}

static int multiply (sol_eval_t *e, const sol_complex_t *a, sol_complex_t *out)
{
  if (is_real (a)) {
    mpfr_mul (out->re, out->re, a->re, MPFR_RNDN);
    mpfr_mul (out->im, out->im, a->re, MPFR_RNDN);
    return 1;
  }
  sol_complex_t *t = push (e);
  if (!t) return 0;
  mpfr_mul (t->re, out->re, a->re, MPFR_RNDN);
  mpfr_mul (t->im, out->im, a->im, MPFR_RNDN);
  mpfr_sub (t->re, t->re, t->im, MPFR_RNDN);
  mpfr_mul (t->im, out->re, a->im, MPFR_RNDN);
  mpfr_mul (out->im, out->im, a->re, MPFR_RNDN);
  mpfr_add (out->im, out->im, t->im, MPFR_RNDN);
  mpfr_set (out->re, t->re, MPFR_RNDN);
  return 1;
}

static int eval_mul (sol_eval_t *e, const sol_node_t *x, sol_complex_t *out)
{
  sol_complex_t *t = push (e);
  if (!t || !sol_eval (e, x->kid[0], out)) return 0;
  for (int i = 1; i < x->n; i++)
    if (!sol_eval (e, x->kid[i], t) || !multiply (e, t, out)) return 0;
  return 1;
}

static int invert (sol_eval_t *e, sol_complex_t *x)
{
  sol_complex_t *t = push (e);
  if (!t || (mpfr_zero_p (x->re) && mpfr_zero_p (x->im))) return 0;
  mpfr_sqr (t->re, x->re, MPFR_RNDN);
  mpfr_sqr (t->im, x->im, MPFR_RNDN);
  mpfr_add (t->re, t->re, t->im, MPFR_RNDN);
  mpfr_div (x->re, x->re, t->re, MPFR_RNDN);
  mpfr_div (x->im, x->im, t->re, MPFR_RNDN);
  mpfr_neg (x->im, x->im, MPFR_RNDN);
  return 1;
}

/* out = base^n */
static int whole_power (sol_eval_t *e, const sol_complex_t *base, long n, sol_complex_t *out)
{
  e->work += 10;
  if (labs (n) > 100000) return 0;
  if (is_real (base)) {
    if (mpfr_zero_p (base->re) && n <= 0) return 0;
    mpfr_pow_si (out->re, base->re, n, MPFR_RNDN);
    mpfr_set_zero (out->im, 1);
    return 1;
  }
  sol_complex_t *square = push (e);
  if (!square) return 0;
  mpfr_set (square->re, base->re, MPFR_RNDN);
  mpfr_set (square->im, base->im, MPFR_RNDN);
  mpfr_set_ui (out->re, 1, MPFR_RNDN);
  mpfr_set_zero (out->im, 1);
  for (unsigned long k = (unsigned long) labs (n); k; k >>= 1) {
    sol_complex_t *copy = push (e);
    if (!copy) return 0;
    if ((k & 1) && !multiply (e, square, out)) return 0;
    mpfr_set (copy->re, square->re, MPFR_RNDN);
    mpfr_set (copy->im, square->im, MPFR_RNDN);
    if (!multiply (e, copy, square) || !fits (square->re) || !fits (square->im)) return 0;
  }
  return n >= 0 || invert (e, out);
}

/* ln of |x| and the angle */
static int polar (sol_eval_t *e, const sol_complex_t *x, sol_complex_t *out)
{
  if (mpfr_zero_p (x->re) && mpfr_zero_p (x->im)) return 0;
  if (!is_real (x) || mpfr_sgn (x->re) < 0) e->left_reals = 1;
  mpfr_hypot (out->re, x->re, x->im, MPFR_RNDN);
  mpfr_log (out->re, out->re, MPFR_RNDN);
  mpfr_atan2 (out->im, x->im, x->re, MPFR_RNDN);
  return 1;
}

/* out = exp (x) */
static int exponential (sol_eval_t *e, const sol_complex_t *x, sol_complex_t *out)
{
  sol_complex_t *t = push (e);
  if (!t || (!mpfr_zero_p (x->re) && mpfr_get_exp (x->re) > 20) || (!mpfr_zero_p (x->im) && mpfr_get_exp (x->im) > 200)) return 0;
  mpfr_exp (t->re, x->re, MPFR_RNDN);
  if (is_real (x)) {
    mpfr_set (out->re, t->re, MPFR_RNDN);
    mpfr_set_zero (out->im, 1);
    return 1;
  }
  mpfr_set (t->im, x->im, MPFR_RNDN);
  mpfr_sin_cos (out->im, out->re, t->im, MPFR_RNDN);
  mpfr_mul (out->re, out->re, t->re, MPFR_RNDN);
  mpfr_mul (out->im, out->im, t->re, MPFR_RNDN);
  return 1;
}

/* a negative real number to a fraction of odd denominator */
static int odd_root (const sol_complex_t *base, const mpq_t q, sol_complex_t *exponent, sol_complex_t *out)
{
  mpfr_neg (out->im, base->re, MPFR_RNDN);
  mpfr_pow (out->re, out->im, exponent->re, MPFR_RNDN);
  if (mpz_odd_p (mpq_numref (q))) mpfr_neg (out->re, out->re, MPFR_RNDN);
  mpfr_set_zero (out->im, 1);
  return 1;
}

static int general_power (sol_eval_t *e, const sol_node_t *x, const sol_complex_t *base, sol_complex_t *out)
{
  const sol_node_t *power = x->kid[1];
  sol_complex_t *exponent = push (e), *log = push (e);
  if (!exponent || !log || !sol_eval (e, power, exponent)) return 0;
  e->work += 40;
  if (is_real (exponent) && mpfr_integer_p (exponent->re) && mpfr_fits_slong_p (exponent->re, MPFR_RNDN)) return whole_power (e, base, mpfr_get_si (exponent->re, MPFR_RNDN), out);
  if (is_real (base) && mpfr_zero_p (base->re)) {
    if (!is_real (exponent) || mpfr_sgn (exponent->re) <= 0) return 0;
    mpfr_set_zero (out->re, 1);
    mpfr_set_zero (out->im, 1);
    return 1;
  }
  if (is_real (base) && mpfr_sgn (base->re) < 0 && power->kind == N_NUM && mpz_odd_p (mpq_denref (power->q))) return odd_root (base, power->q, exponent, out);
  if (is_real (base) && is_real (exponent) && mpfr_sgn (base->re) > 0) {
    if (!mpfr_zero_p (exponent->re) && mpfr_get_exp (exponent->re) > 20) return 0;
    mpfr_pow (out->re, base->re, exponent->re, MPFR_RNDN);
    mpfr_set_zero (out->im, 1);
    return 1;
  }
  return polar (e, base, log) && multiply (e, exponent, log) && exponential (e, log, out);
}

static int eval_pow (sol_eval_t *e, const sol_node_t *x, sol_complex_t *out)
{
  const sol_node_t *power = x->kid[1];
  sol_complex_t *base = push (e);
  if (!base) return 0;
  if (sol_node_is (x->kid[0], N_CONST, "e")) {
    e->work += 40;
    return sol_eval (e, power, base) && exponential (e, base, out);
  }
  if (!sol_eval (e, x->kid[0], base)) return 0;
  if (power->kind == N_NUM && mpz_cmp_ui (mpq_denref (power->q), 1) == 0) return mpz_fits_slong_p (mpq_numref (power->q)) && whole_power (e, base, mpz_get_si (mpq_numref (power->q)), out);
  return general_power (e, x, base, out);
}

static int eval_func (sol_eval_t *e, const sol_node_t *x, sol_complex_t *out)
{
  int steps = 0;
  sol_complex_t *a = push (e), *b = push (e);
  if (!a || !b || !sol_eval (e, x->kid[0], a) || (x->n == 2 && !sol_eval (e, x->kid[1], b))) return 0;
  if (!strcmp (x->name, "ln")) {
    e->work += 40;
    return polar (e, a, out);
  }
  mpfr_set_zero (out->im, 1);
  if (!strcmp (x->name, "abs")) return mpfr_hypot (out->re, a->re, a->im, MPFR_RNDN), 1;
  if (!is_real (a) || (x->n == 2 && !is_real (b)) || x->n > 2) return 0;
  const int good = sol_eval_function (x->name, a->re, b->re, out->re, &steps);
  e->work += steps;
  return good;
}

static int eval_constant (const sol_node_t *x, sol_complex_t *out)
{
  mpfr_set_zero (out->im, 1);
  mpfr_set_ui (out->re, 1, MPFR_RNDN);
  if (!strcmp (x->name, "pi")) mpfr_const_pi (out->re, MPFR_RNDN);
  else if (!strcmp (x->name, "e")) mpfr_exp (out->re, out->re, MPFR_RNDN);
  else if (!strcmp (x->name, "i")) mpfr_swap (out->re, out->im);
  else return 0;
  return 1;
}

int sol_eval (sol_eval_t *e, const sol_node_t *x, sol_complex_t *out)
{
  const int top = e->top;
  int good = 0;
  if ((e->work += (int) (e->bits / 384)) > MAX_WORK) return 0;
  if (is_variable (x)) {
    for (int i = 0; i < e->vars && !good; i++)
      if (sol_node_order (e->var[i], x) == 0) {
        mpfr_set (out->re, e->value[i].re, MPFR_RNDN);
        mpfr_set_zero (out->im, 1);
        good = 1;
      }
  } else if (x->kind == N_NUM) {
    mpfr_set_q (out->re, x->q, MPFR_RNDN);
    mpfr_set_zero (out->im, 1);
    good = 1;
  } else if (x->kind == N_CONST) good = eval_constant (x, out);
  else if (x->kind == N_ADD) good = eval_add (e, x, out);
  else if (x->kind == N_MUL) good = eval_mul (e, x, out);
  else if (x->kind == N_POW) good = eval_pow (e, x, out);
  else if (x->kind == N_FUNC) good = eval_func (e, x, out);
  e->top = top;
  if (!good || !fits (out->re) || !fits (out->im)) return 0;
  if (is_real (out)) note_size (e, out->re); /* a part that is only noise would be small beside the other */
  return 1;
}
