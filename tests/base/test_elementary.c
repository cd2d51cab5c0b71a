/* SPDX-License-Identifier: Apache-2.0 */
/* Our elementary functions against the mathematics library's in extended precision. */
#include "solera/elementary.h"
#include "../tap.h"
#include <float.h>
#include <math.h>

int main (void)
{
  double worst = 0, worst_log = 0, worst_cos = 0;
  for (int i = -7080; i <= 7090; i++) {
    const double x = i * 0.1 + i * 1e-4 / 3;
    if (x > 709.7 || x < -708) continue;
    worst = fmax (worst, (double) fabsl ((sol_exp_exact (x) - expl (x)) / expl (x)));
    const double y = sol_exp_exact (x);
    if (fabs (x) > 0.5) worst_log = fmax (worst_log, (double) fabsl ((sol_log_exact (y) - logl (y)) / logl (y)));
  }
  for (int i = -5000; i <= 5000; i++) worst_cos = fmax (worst_cos, (double) fabsl (sol_cos_turns (i * 0.00137) - cosl (6.283185307179586476925L * (i * 0.00137))));
  tap_ok (worst < 2 * DBL_EPSILON, "exponential: largest relative error %g", worst);
  tap_ok (worst_log < 2 * DBL_EPSILON, "logarithm: largest relative error %g", worst_log);
  tap_ok (worst_cos < 4e-15, "cosine: largest error %g", worst_cos);
  ok (sol_exp_exact (0) == 1 && sol_exp_exact (-0.0) == 1 && sol_exp_exact (1e-300) == 1);
  ok (isinf (sol_exp_exact (710)) && isinf (sol_exp_exact (1e300)) && isinf (sol_exp_exact (INFINITY)) && isfinite (sol_exp_exact (709.78)));
  ok (sol_exp_exact (-745) == 5e-324 && sol_exp_exact (-746) == 0 && sol_exp_exact (-1e300) == 0 && sol_exp_exact (-INFINITY) == 0 && isnan (sol_exp_exact (NAN)));
  return tap_done ();
}
