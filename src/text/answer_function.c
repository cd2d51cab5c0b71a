/* SPDX-License-Identifier: Apache-2.0 */
/* answer_function.c: functions of real numbers by MPFR, and where they are defined. */
#include "answer_eval.h"
#include <string.h>

typedef int (*unary_t) (mpfr_t, const mpfr_t, mpfr_rnd_t);
static const struct { const char *name; unary_t f; } plain[] = {
  { "sin", mpfr_sin }, { "cos", mpfr_cos }, { "tan", mpfr_tan }, { "sec", mpfr_sec }, { "csc", mpfr_csc }, { "cot", mpfr_cot }, { "arctan", mpfr_atan }, { "sinh", mpfr_sinh },
  { "cosh", mpfr_cosh }, { "tanh", mpfr_tanh }, { "arcsin", mpfr_asin }, { "arccos", mpfr_acos }
};
static const char *const others[] = { "ln", "abs", "floor", "ceil", "factorial", "binom" };

int sol_eval_known (const char *name)
{
  for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
    if (!strcmp (name, plain[i].name)) return 1;
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (!strcmp (name, others[i])) return 1;
  return 0;
}

static int is_small (const mpfr_t x, long exponent) { return mpfr_zero_p (x) || mpfr_get_exp (x) <= exponent; }

/* Gamma (x + 1); not at the poles and not far out, where it costs much */
static int factorial (mpfr_t out, const mpfr_t x)
{
  mpfr_t t;
  if (!is_small (x, 10)) return 0;
  mpfr_init2 (t, mpfr_get_prec (x));
  mpfr_add_ui (t, x, 1, MPFR_RNDN);
  const int good = mpfr_sgn (t) > 0 || !mpfr_integer_p (t);
  if (good) mpfr_gamma (out, t, MPFR_RNDN);
  mpfr_clear (t);
  return good;
}

static int binomial (mpfr_t out, const mpfr_t n, const mpfr_t k)
{
  mpfr_t t, u;
  mpfr_inits2 (mpfr_get_prec (n), t, u, NULL);
  mpfr_sub (t, n, k, MPFR_RNDN);
  int good = factorial (u, t) && factorial (t, k);
  if (good) {
    mpfr_mul (u, u, t, MPFR_RNDN);
    good = factorial (t, n);
    mpfr_div (out, t, u, MPFR_RNDN);
  }
  mpfr_clears (t, u, NULL);
  return good;
}

/* A value so near to a whole number that rounding may have put it on the other side is no argument for a step. */
static int step (const char *name, const mpfr_t x, mpfr_t out)
{
  mpfr_t near;
  mpfr_init2 (near, mpfr_get_prec (x));
  mpfr_round (near, x);
  mpfr_sub (near, near, x, MPFR_RNDN);
  const int unsure = !mpfr_zero_p (near) && mpfr_get_exp (near) < -100;
  mpfr_clear (near);
  if (unsure) return 0;
  if (name[0] == 'f') mpfr_floor (out, x);
  else mpfr_ceil (out, x);
  return 1;
}

int sol_eval_function (const char *name, const mpfr_t x, const mpfr_t y, mpfr_t out, int *steps)
{
  *steps = 40;
  if (!is_small (x, 200)) return 0;
  for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
    if (!strcmp (name, plain[i].name)) {
      plain[i].f (out, x, MPFR_RNDN);
      return mpfr_number_p (out) != 0;
    }
  if (!strcmp (name, "floor") || !strcmp (name, "ceil")) return step (name, x, out);
  *steps = 400;
  if (!strcmp (name, "factorial")) return factorial (out, x) && mpfr_number_p (out);
  if (!strcmp (name, "binom")) return binomial (out, x, y) && mpfr_number_p (out);
  return 0;
}
