/* SPDX-License-Identifier: Apache-2.0 */
/* Estimators: pass@k against binomial coefficients and large cases known in closed form; bootstrap intervals whose ends follow from the binomial distribution. */
#include "solera/passk.h"
#include "../tap.h"
#include <math.h>
#include <string.h>

static double choose (int n, int k) /* exact for the sizes here */
{
  double c = 1;
  if (k > n) return 0;
  for (int i = 1; i <= k; i++) c = c * (n - k + i) / i;
  return c;
}

static void test_pass (void)
{
  double worst = 0;
  int ordered = 1;
  for (int n = 1; n <= 16; n++)
    for (int c = 0; c <= n; c++)
      for (int k = 1; k <= n; k++) {
        const double got = sol_pass_at ((sol_tally_t) { n, c }, k), want = 1 - choose (n - c, k) / choose (n, k);
        worst = fmax (worst, fabs (got - want));
        ordered &= k == 1 || got >= sol_pass_at ((sol_tally_t) { n, c }, k - 1);
      }
  ok (worst < 1e-15 * 16 && ordered);
  ok (sol_pass_at ((sol_tally_t) { 4, 2 }, 2) == 1 - 1.0 / 6);
  /* where factorials are out of range: one right response is in k of n with probability k/n; with two, 1 - (n-k)(n-k-1) / (n (n-1)) */
  ok (fabs (sol_pass_at ((sol_tally_t) { 4096, 1 }, 1000) - 1000.0 / 4096) < 1e-15);
  ok (fabs (sol_pass_at ((sol_tally_t) { 4096, 2 }, 1000) - (1 - 3096.0 * 3095 / (4096.0 * 4095))) < 1e-15);
  ok (fabs (sol_pass_at ((sol_tally_t) { 4096, 1000 }, 2) - (1 - 3096.0 * 3095 / (4096.0 * 4095))) < 1e-15);
  ok (sol_pass_at ((sol_tally_t) { 4096, 4096 }, 1) == 1 && sol_pass_at ((sol_tally_t) { 4096, 0 }, 4096) == 0 && sol_pass_at ((sol_tally_t) { 4096, 1 }, 4096) == 1);
}

static int interval_is (const double *x, int n, double level, double low, double high)
{
  const sol_estimate_t e = sol_bootstrap_mean (x, n, level, SOL_BOOTSTRAP_RESAMPLES, 7);
  if (fabs (e.low - low) < 1e-12 && fabs (e.high - high) < 1e-12) return 1;
  printf ("# found %g to %g, expected %g to %g\n", e.low, e.high, low, high);
  return 0;
}

static void test_bootstrap (void)
{
  const double coin[] = { 0, 1 }, three[] = { 0, 0, 3 }, one[] = { 0.25 };
  double many[100];
  for (int i = 0; i < 100; i++) many[i] = i % 2;
  ok (interval_is (one, 1, 0.95, 0.25, 0.25));
  ok (interval_is (coin, 2, 0.95, 0, 1));     /* means 0, 1/2, 1 come with 1/4, 1/2, 1/4 */
  ok (interval_is (coin, 2, 0.4, 0.5, 0.5));  /* 30 % from both ends */
  ok (interval_is (three, 3, 0.5, 0, 2));     /* 0, 1, 2, 3 with 8/27, 12/27, 6/27, 1/27: 25 % from both ends */
  ok (interval_is (three, 3, 0.3, 1, 1));     /* 35 % */
  ok (interval_is (three, 3, 0.96, 0, 3));    /* 2 % */
  ok (interval_is (many, 100, 0.95, 0.4, 0.6)); /* binomial of 100 and 1/2: 1.8 % up to 39, 2.8 % up to 40 */
  for (int i = 0; i < 100; i++) many[i] = i * i;
  const sol_estimate_t a = sol_bootstrap_mean (many, 100, 0.95, 1000, 1), b = sol_bootstrap_mean (many, 100, 0.95, 1000, 1), c = sol_bootstrap_mean (many, 100, 0.95, 1000, 2);
  ok (!memcmp (&a, &b, sizeof a) && a.mean == 3283.5 && a.low != c.low && a.high != c.high);
  ok (isnan (sol_bootstrap_mean (many, 0, 0.95, 10, 1).mean));
}

static void test_tally (void)
{
  const sol_tally_t t[] = { { 4, 2 }, { 4, 0 }, { 4, 4 }, { 8, 1 } };
  sol_estimate_t e = sol_tally_avg (t, 4, 3);
  ok (fabs (e.mean - (0.5 + 0 + 1 + 0.125) / 4) < 1e-15 && e.low >= 0 && e.low < e.mean && e.high > e.mean && e.high <= 1);
  e = sol_tally_pass (t, 4, 2, 3);
  ok (fabs (e.mean - (5.0 / 6 + 0 + 1 + 0.25) / 4) < 1e-15 && e.low < e.mean && e.high > e.mean);
  ok (isnan (sol_tally_pass (t, 4, 5, 3).mean) && isnan (sol_tally_pass (t, 4, 5, 3).low)); /* a problem has only 4 */
  ok (isnan (sol_tally_avg (t, 0, 3).mean));
}

int main (void)
{
  test_pass ();
  test_bootstrap ();
  test_tally ();
  return tap_done ();
}
