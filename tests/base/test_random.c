/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/random.h"
#include "../tap.h"
#include "solera/elementary.h"
#include <math.h>
#include <string.h>

/* Random123's known answers of philox4x32-10: counter words, key words, result */
static const uint32_t known[][10] = {
  { 0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 },
  { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd },
  { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 },
};

static void test_known (void)
{
  for (int i = 0; i < 3; i++) {
    const uint32_t *k = known[i];
    const uint64_t group = (uint64_t) k[1] << 32 | k[0], seed = (uint64_t) k[5] << 32 | k[4];
    const sol_random_t r = sol_random (seed, group, (sol_random_purpose_t) (k[2] >> 24), k[2] & 0xffffff, k[3]);
    tap_ok (memcmp (r.w, k + 6, 16) == 0, "philox4x32-10 known answer %d", i);
  }
}

static void test_elementary (void)
{
  double worst_log = 0, worst_cos = 0;
  for (uint32_t i = 0; i < 50000; i++) {
    const sol_random_t r = sol_random (9, 0, SOL_RANDOM_TEST, 0, i);
    const double u = sol_random_u53 (r, 0) + 0x1p-60, x = i % 2 ? u : ldexp (u, (int) (i % 600) - 300), t = (sol_random_u53 (r, 1) - 0.5) * 4;
    const double e = fabs (sol_log_exact (x) - log (x)) / fmax (fabs (log (x)), 1e-3), c = fabs (sol_cos_turns (t) - cos (6.283185307179586476925 * t));
    worst_log = fmax (worst_log, e);
    worst_cos = fmax (worst_cos, c);
  }
  tap_ok (worst_log < 1e-15, "logarithm within %g", worst_log);
  tap_ok (worst_cos < 3e-15, "cosine within %g", worst_cos);
  ok (sol_log_exact (1) == 0 && sol_cos_turns (0) == 1 && sol_cos_turns (0.25) == 0 && sol_cos_turns (0.5) == -1 && sol_cos_turns (-0.75) == 0);
}

int main (void)
{
  test_elementary ();
  test_known ();
  const sol_random_t ones = { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff } }, zero = { { 0 } }, half = { { 0, 0x80000000, 0, 0 } };
  ok (sol_random_u53 (ones, 0) < 1 && sol_random_u53 (ones, 0) == 1 - 0x1p-53);
  ok (sol_random_u53 (zero, 1) == 0 && sol_random_u53 (half, 0) == 0.5 && sol_random_u53 (half, 1) == 0);
  ok (sol_random_below (ones, 10) == 9 && sol_random_below (zero, 10) == 0 && sol_random_below (ones, 1) == 0);
  ok (sol_random_below (ones, UINT64_MAX) == UINT64_MAX - 1);
  ok (isfinite (sol_random_normal (ones)) && isfinite (sol_random_normal (zero)));
  double sum = 0, square = 0, third = 0, u = 0;
  int bins[10] = { 0 };
  const int n = 100000;
  for (int i = 0; i < n; i++) {
    const sol_random_t r = sol_random (1, 2, SOL_RANDOM_TEST, 3, (uint32_t) i);
    const double x = sol_random_normal (r);
    sum += x;
    square += x * x;
    third += x * x * x;
    u += sol_random_u53 (r, 1);
    bins[sol_random_below (r, 10)]++;
  }
  ok (fabs (sum / n) < 0.02 && fabs (square / n - 1) < 0.02 && fabs (third / n) < 0.05);
  ok (fabs (u / n - 0.5) < 0.005);
  int even = 1;
  for (int i = 0; i < 10; i++) even = even && abs (bins[i] - n / 10) < 500;
  ok (even);
  /* every part of the counter and key counts */
  const sol_random_t base = sol_random (1, 2, SOL_RANDOM_TEST, 3, 4);
  const sol_random_t others[] = { sol_random (2, 2, SOL_RANDOM_TEST, 3, 4), sol_random (1, 3, SOL_RANDOM_TEST, 3, 4),
                                  sol_random (1, 2, SOL_RANDOM_EVAL, 3, 4), sol_random (1, 2, SOL_RANDOM_TEST, 4, 4),
                                  sol_random (1, 2, SOL_RANDOM_TEST, 3, 5), sol_random (1ull << 40 | 1, 2, SOL_RANDOM_TEST, 3, 4),
                                  sol_random (1, 1ull << 40 | 2, SOL_RANDOM_TEST, 3, 4) };
  for (int i = 0; i < 7; i++) tap_ok (memcmp (&base, &others[i], sizeof base) != 0, "counter part %d changes the result", i);
  return tap_done ();
}
