/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/elementary.h"
#include "solera/log.h"
#include <math.h>
#include <stddef.h>

/* ln x = e ln 2 + 2 atanh ((m - 1) / (m + 1)), m in [sqrt 1/2, sqrt 2): |s| < 0.172, so that s^27 is under 1e-20 */
double sol_log_exact (double x)
{
  int e;
  SOL_ASSERT (x > 0 && isfinite (x));
  double m = frexp (x, &e); /* exact */
  if (m < 0.70710678118654752) {
    m *= 2;
    e--;
  }
  const double s = (m - 1) / (m + 1), s2 = s * s;
  double sum = 0;
  for (int k = 25; k >= 3; k -= 2) sum = (sum + 1.0 / k) * s2;
  /* ln 2 in two parts: the first has 32 bits, so that its product with e is exact */
  return (double) e * 6.93147180369123816490e-01 + (2 * s + (2 * s * sum + (double) e * 1.90821492927058770002e-10));
}

/* Taylor series on [-1/8, 1/8] turns, |x| <= 0.786 */
static double sine (double x)
{
  const double x2 = x * x;
  double sum = 1;
  for (int k = 19; k >= 3; k -= 2) sum = 1 - sum * x2 / (double) (k * (k - 1));
  return sum * x;
}
static double cosine (double x)
{
  const double x2 = x * x;
  double sum = 1;
  for (int k = 20; k >= 2; k -= 2) sum = 1 - sum * x2 / (double) (k * (k - 1));
  return sum;
}

double sol_cos_turns (double turns)
{
  const double quarters = floor (turns * 4 + 0.5), x = (turns - quarters / 4) * 6.283185307179586476925286766559;
  switch ((long long) quarters & 3) {
  case 0: return cosine (x);
  case 1: return -sine (x);
  case 2: return -cosine (x);
  default: return sine (x);
  }
}

/* e^x = 2^k e^r, |r| <= ln 2 / 2; the series to r^14, whose next term is under 2e-19 */
double sol_exp_exact (double x)
{
  static const double c[] = { 1.0 / 87178291200.0, 1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0, 1.0 / 362880.0,
                              1.0 / 40320.0,       1.0 / 5040.0,       1.0 / 720.0,       1.0 / 120.0,      1.0 / 24.0,      1.0 / 6.0,      0.5 };
  if (!(x > -746)) return isnan (x) ? x : 0; /* under half of the smallest double */
  if (x > 710) return HUGE_VAL;
  const double k = floor (x * 1.4426950408889634 + 0.5), r = (x - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10;
  double sum = c[0];
  for (size_t i = 1; i < sizeof c / sizeof *c; i++) sum = sum * r + c[i];
  return ldexp (1 + (r + r * r * sum), (int) k);
}
