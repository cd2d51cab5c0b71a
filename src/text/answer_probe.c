/* SPDX-License-Identifier: Apache-2.0 */
/* answer_probe.c: equal at random points? The points are seeded, so that a verdict is the same every time. Precision grows until every term of every sum can be seen; where it may
 * not grow further the answer is that we do not know, which counts as not equal. */
#include "answer_eval.h"
#include "solera/random.h"
#include <string.h>

#define MIN_BITS 384
#define MAX_BITS 3072
#define SCALES 6  /* sizes of the points, in turn: |x - 100| is not 100 - x */
#define FAR 4     /* from here on values may be too large to tell (beyond 2^FAR_EXTREME); then the point is passed over */
#define FAR_EXTREME 200
#define POINTS 24
#define WANTED 6  /* points where both are defined, if there are so many */
#define NEEDED 3

/* what a point says: undefined on a side, equal, different, more bits needed, too much work */
typedef enum { P_UNDEFINED, P_EQUAL, P_DIFFERENT, P_BITS, P_UNKNOWN } point_t;
typedef enum { WHERE_POSITIVE, WHERE_SIGNED, WHERE_WHOLE } where_t;

static void set_point (sol_eval_t *e, int t, where_t where)
{
  static const double low[SCALES] = { .2, 1, 4, .05, 40, 2000 }, wide[SCALES] = { 1, 3, 16, .3, 300, 20000 };
  for (int k = 0; k < e->vars; k++) {
    const sol_random_t r = sol_random (20230817, (uint64_t) t, SOL_RANDOM_TEST, (uint32_t) k, (uint32_t) where);
    const int positive = where == WHERE_POSITIVE || e->var[k]->kind == N_UNIT || (e->var[k]->name && e->var[k]->name[0] == 1);
    if (where == WHERE_WHOLE && e->var[k]->kind == N_VAR && positive == 0) mpfr_set_ui (e->value[k].re, 1 + r.w[0] % 12, MPFR_RNDN);
    else {
      double x = low[t % SCALES] + wide[t % SCALES] * sol_random_u53 (r, 0);
      mpfr_set_d (e->value[k].re, !positive && (r.w[2] & 1) ? -x : x, MPFR_RNDN);
    }
  }
}

static long exponent (const sol_complex_t *x)
{
  const long none = -(1L << 40), a = mpfr_zero_p (x->re) ? none : mpfr_get_exp (x->re), b = mpfr_zero_p (x->im) ? none : mpfr_get_exp (x->im);
  return a > b ? a : b;
}

static long max_long (long a, long b) { return a > b ? a : b; }

/* are two values equal in the bits that can be trusted? */
static point_t compare (sol_eval_t *e, const sol_complex_t *a, const sol_complex_t *b)
{
  sol_complex_t d;
  const long size = max_long (exponent (a), exponent (b)), scale = max_long (e->scale, size), noise = scale - e->bits + 80;
  if (e->absorbed) return P_BITS;
  mpfr_inits2 (e->bits, d.re, d.im, NULL);
  mpfr_sub (d.re, a->re, b->re, MPFR_RNDN);
  mpfr_sub (d.im, a->im, b->im, MPFR_RNDN);
  const long off = exponent (&d);
  mpfr_clears (d.re, d.im, NULL);
  if (off > noise) return off > noise + 64 ? P_DIFFERENT : P_BITS;
  /* sin t and t are the same to many bits where t is tiny: the smaller what is on the way, the more bits */
  if (e->extreme > 64 && e->bits < MIN_BITS + 4 * e->extreme && size > noise) return e->bits < MAX_BITS ? P_BITS : P_UNKNOWN;
  if (noise > size - e->bits / 2) { /* most of the bits went away: both may be 0 */
    if (e->bits < MAX_BITS) return P_BITS;
    return noise < -MAX_BITS / 2 ? P_EQUAL : P_UNKNOWN;
  }
  return P_EQUAL;
}

static point_t at_point (sol_eval_t *e, const sol_node_t *x, const sol_node_t *y, int complex)
{
  sol_complex_t a, b;
  point_t p = P_UNDEFINED;
  e->left_reals = e->absorbed = 0;
  e->extreme = 0;
  e->scale = -(1L << 30);
  mpfr_inits2 (e->bits, a.re, a.im, b.re, b.im, NULL);
  if (sol_eval (e, x, &a) && sol_eval (e, y, &b) && (complex || !e->left_reals)) p = compare (e, &a, &b);
  mpfr_clears (a.re, a.im, b.re, b.im, NULL);
  return p;
}

/* all points of one kind; *good: points where both were defined */
static point_t at_points (sol_eval_t *e, const sol_node_t *x, const sol_node_t *y, int complex, where_t where, int *good)
{
  const int points = e->vars ? POINTS : 1;
  *good = 0;
  for (int t = 0; t < points && *good < WANTED; t++) {
    set_point (e, t, where);
    const point_t p = at_point (e, x, y, complex);
    if (p == P_UNDEFINED || (t % SCALES >= FAR && p != P_EQUAL && p != P_DIFFERENT && e->extreme > FAR_EXTREME)) continue;
    if (p != P_EQUAL) return p;
    ++*good;
  }
  return P_EQUAL;
}

static int has_whole (const sol_eval_t *e)
{
  for (int i = 0; i < e->vars; i++)
    if (e->var[i]->kind == N_VAR && strchr ("nmkN", e->var[i]->name[0])) return 1;
  return 0;
}

static point_t probe (sol_eval_t *e, const sol_node_t *x, const sol_node_t *y)
{
  int positive, either, whole;
  if (!sol_eval_collect (e, x) || !sol_eval_collect (e, y)) return P_UNKNOWN;
  const int complex = !e->vars || sol_node_has (x, N_CONST, "i") || sol_node_has (y, N_CONST, "i");
  point_t p = at_points (e, x, y, complex, WHERE_POSITIVE, &positive);
  if (p != P_EQUAL) return p;
  if (!e->vars) return positive ? P_EQUAL : P_UNKNOWN;
  p = at_points (e, x, y, complex, WHERE_SIGNED, &either);
  if (p != P_EQUAL) return p;
  if (positive + either >= NEEDED) return P_EQUAL;
  if (!has_whole (e)) return P_UNKNOWN; /* (-1)^n is defined for whole numbers only */
  p = at_points (e, x, y, complex, WHERE_WHOLE, &whole);
  return p == P_EQUAL && whole < WANTED ? P_UNKNOWN : p;
}

sol_probe_t sol_probe_equal (sol_pool_t *p, const sol_node_t *x, const sol_node_t *y)
{
  point_t said = P_BITS;
  for (mpfr_prec_t bits = MIN_BITS; said == P_BITS && bits <= MAX_BITS; bits *= 2) {
    sol_eval_t e;
    sol_eval_open (&e, bits);
    said = probe (&e, x, y);
    const int work = e.work;
    sol_eval_close (&e);
    sol_pool_work (p, work);
  }
  return said == P_EQUAL ? SOL_PROBE_YES : said == P_DIFFERENT ? SOL_PROBE_NO : SOL_PROBE_UNKNOWN;
}

/* ---- a constant ratio */

/* x y0 = y x0 at this point */
static point_t same_ratio (sol_eval_t *e, const sol_node_t *x, const sol_node_t *y, sol_complex_t *x0, sol_complex_t *y0, int *first)
{
  sol_complex_t a, b;
  point_t p = P_UNDEFINED;
  e->left_reals = e->absorbed = 0;
  e->extreme = 0;
  e->scale = -(1L << 30);
  mpfr_inits2 (e->bits, a.re, a.im, b.re, b.im, NULL);
  if (sol_eval (e, x, &a) && sol_eval (e, y, &b) && !e->left_reals && mpfr_zero_p (a.im) && mpfr_zero_p (b.im)) {
    if (e->absorbed || mpfr_zero_p (a.re) || mpfr_zero_p (b.re) || exponent (&a) < e->scale - 200 || exponent (&b) < e->scale - 200) p = P_UNKNOWN;
    else if (*first) {
      mpfr_set (x0->re, a.re, MPFR_RNDN);
      mpfr_set (y0->re, b.re, MPFR_RNDN);
      *first = 0;
      p = P_EQUAL;
    } else {
      mpfr_mul (a.re, a.re, y0->re, MPFR_RNDN);
      mpfr_mul (b.re, b.re, x0->re, MPFR_RNDN);
      mpfr_sub (b.re, b.re, a.re, MPFR_RNDN);
      p = mpfr_zero_p (b.re) || mpfr_get_exp (b.re) < mpfr_get_exp (a.re) - e->bits / 2 ? P_EQUAL : P_DIFFERENT;
    }
  }
  mpfr_clears (a.re, a.im, b.re, b.im, NULL);
  return p;
}

int sol_probe_ratio (sol_pool_t *p, const sol_node_t *x, const sol_node_t *y)
{
  sol_eval_t e;
  sol_complex_t x0, y0;
  int good = 0, first = 1, sign = 0;
  sol_eval_open (&e, MIN_BITS * 2);
  mpfr_inits2 (e.bits, x0.re, x0.im, y0.re, y0.im, NULL);
  if (sol_eval_collect (&e, x) && sol_eval_collect (&e, y) && e.vars) {
    point_t said = P_EQUAL;
    for (int t = 0; t < 2 * POINTS && good < 2 * WANTED && said <= P_EQUAL; t++) {
      set_point (&e, t, t & 1 ? WHERE_SIGNED : WHERE_POSITIVE);
      said = same_ratio (&e, x, y, &x0, &y0, &first);
      good += said == P_EQUAL;
    }
    if (said <= P_EQUAL && good > NEEDED) sign = mpfr_sgn (x0.re) * mpfr_sgn (y0.re) > 0 ? 1 : -1;
  }
  mpfr_clears (x0.re, x0.im, y0.re, y0.im, NULL);
  const int work = e.work;
  sol_eval_close (&e);
  sol_pool_work (p, work);
  return sign;
}

/* ---- real constants */

/* |x - y| against 10^-decimals: -1 below or equal, 1 above; sign of x - y in *sign (2: too small to tell). 0: not real constants */
static int distance (sol_pool_t *p, const sol_node_t *x, const sol_node_t *y, int decimals, int *sign)
{
  sol_eval_t e;
  sol_complex_t a, b;
  int side = 0;
  sol_eval_open (&e, MAX_BITS);
  e.scale = -(1L << 30);
  mpfr_inits2 (e.bits, a.re, a.im, b.re, b.im, NULL);
  if (sol_eval_collect (&e, x) && sol_eval_collect (&e, y) && !e.vars && sol_eval (&e, x, &a) && sol_eval (&e, y, &b) && mpfr_zero_p (a.im) && mpfr_zero_p (b.im) && !e.absorbed) {
    const long scale = max_long (e.scale, max_long (exponent (&a), exponent (&b)));
    mpfr_sub (a.re, a.re, b.re, MPFR_RNDN);
    *sign = mpfr_zero_p (a.re) || mpfr_get_exp (a.re) < scale - MAX_BITS / 2 ? 2 : mpfr_sgn (a.re);
    mpfr_abs (a.re, a.re, MPFR_RNDN);
    mpfr_set_ui (b.re, 10, MPFR_RNDN);
    mpfr_pow_si (b.re, b.re, -decimals, MPFR_RNDN);
    side = mpfr_cmp (a.re, b.re) <= 0 ? -1 : 1;
  }
  mpfr_clears (a.re, a.im, b.re, b.im, NULL);
  const int work = e.work;
  sol_eval_close (&e);
  sol_pool_work (p, work);
  return side;
}

int sol_probe_sign (sol_pool_t *p, const sol_node_t *x)
{
  int sign;
  if (x->kind == N_NUM) return mpq_sgn (x->q);
  sol_node_t *zero = sol_node_number (p, 0);
  if (!distance (p, x, zero, 0, &sign)) return 2;
  if (sign != 2) return sign;
  return sol_probe_equal (p, x, zero) == SOL_PROBE_YES ? 0 : 2;
}

int sol_probe_near (sol_pool_t *p, const sol_node_t *x, const sol_node_t *y, int decimals)
{
  int sign;
  return decimals < 800 && distance (p, x, y, decimals, &sign) < 0;
}
