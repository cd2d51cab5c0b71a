/* SPDX-License-Identifier: Apache-2.0 */
/* Wide sums: compared with 128-bit integers where they reach, with scaled copies of themselves where they do not. */
#include "../../src/objective/wide.h"
#include "../../src/objective/total.h"
#include "../tap.h"
#include <float.h>
#include <math.h>
#include <string.h>

__extension__ typedef unsigned __int128 u128_t;
static uint64_t state = 88172645463325252ull;
static uint64_t next (void)
{
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}
static sol_wide_t wide (uint64_t x, int shift)
{
  sol_wide_t w = { { 0 } };
  sol_wide_add (&w, x, shift);
  return w;
}
static uint32_t bits_of (float x)
{
  uint32_t b;
  memcpy (&b, &x, sizeof b);
  return b;
}

static void try_floats (void)
{
  const float x[] = { 0, 0x1p-149f, 0x1.fffffcp-127f, 0x1p-126f, 1, 0.04f, 7225.5f, FLT_MAX };
  int good = 1;
  for (int i = 0; i < 8; i++) good &= ldexp ((double) sol_float_significand (bits_of (x[i])), sol_float_shift (bits_of (x[i])) - 149) == (double) x[i];
  ok (good);
}

static void try_compare (void)
{
  const double eps = DBL_EPSILON, tiny = 5e-324;
  sol_wide_t w = wide (3, 149), zero = { { 0 } };
  int good = 1;
  ok (sol_wide_compare (&w, 1.5, 2) == 0);
  ok (sol_wide_compare (&w, 1.5 * (1 + eps), 2) < 0 && sol_wide_compare (&w, 1.5 * (1 - eps), 2) > 0);
  sol_wide_add (&w, 1, 0); /* one unit of 2^-149 */
  ok (sol_wide_compare (&w, 1.5, 2) > 0);
  ok (sol_wide_compare (&zero, 0, 5) == 0 && sol_wide_compare (&zero, 0.04, 0) == 0 && sol_wide_compare (&zero, tiny, 1) < 0);
  w = wide (1, 0);
  ok (sol_wide_compare (&w, tiny, 1) > 0 && sol_wide_compare (&w, 0, 9) > 0 && sol_wide_compare (&w, 1e300, 1) < 0 && sol_wide_compare (&w, DBL_MAX, UINT64_MAX) < 0);
  ok (sol_wide_compare (&w, 0x1p-149, 1) == 0 && sol_wide_compare (&w, 0x1p-202, 1ull << 53) == 0 && sol_wide_compare (&w, 0x1p-202, (1ull << 53) - 1) > 0);
  w = wide (0, 0); /* the largest sum there can be: 2^63 - 1 times the largest float */
  sol_wide_add_product (&w, 0xffffff, INT64_MAX, 253);
  ok (sol_wide_bits (&w) == 340 && sol_wide_compare (&w, (double) FLT_MAX, INT64_MAX) == 0 && sol_wide_compare (&w, (double) FLT_MAX, INT64_MAX - 1) > 0);
  ok (sol_wide_compare (&w, (double) FLT_MAX * (1 + eps), INT64_MAX) < 0 && sol_wide_mean (&w, INT64_MAX) == (double) FLT_MAX);
  for (int i = 0; i < 20000; i++) { /* random: a = tau * count + {-1, 0, 1}, in units that 128 bits hold */
    const uint64_t m = next () >> 11 | 1, count = next () >> (11 + next () % 40);
    const int off = (int) (next () % 3) - 1, shift = (int) (next () % 250);
    const u128_t product = (u128_t) m * count, a = product + (u128_t) off;
    sol_wide_t x = wide ((uint64_t) a, shift), h = wide ((uint64_t) (a >> 64), shift + 64);
    if (product == 0) continue;
    for (int k = 0, carry = 0; k < SOL_WIDE_LIMBS; k++) { /* x + h, by hand */
      const u128_t s = (u128_t) x.limb[k] + h.limb[k] + (unsigned) carry;
      x.limb[k] = (uint64_t) s;
      carry = (int) (s >> 64);
    }
    good &= sol_wide_compare (&x, ldexp ((double) m, shift - 149), count) == off;
  }
  ok (good);
}

static void try_mean (void)
{
  int good = 1;
  sol_wide_t w = wide (1, 0);
  ok (sol_wide_mean (&w, 0) == 0 && sol_wide_mean (&w, 1) == 0x1p-149 && sol_wide_mean (&w, 3) == 0x1p-149 / 3);
  ok (sol_wide_mean (&w, 1ull << 62) == 0x1p-211);
  w = wide ((1ull << 54) + 2, 100); /* halfway between two doubles: to even */
  ok (sol_wide_mean (&w, 1) == ldexp ((double) (1ull << 54), 100 - 149));
  sol_wide_add (&w, 1, 0); /* a unit above halfway */
  ok (sol_wide_mean (&w, 1) == ldexp ((double) ((1ull << 54) + 4), 100 - 149));
  w = wide ((1ull << 54) + 6, 100);
  ok (sol_wide_mean (&w, 1) == ldexp ((double) ((1ull << 54) + 8), 100 - 149));
  for (int i = 0; i < 20000; i++) {
    const uint64_t count = (next () >> (1 + next () % 62)) | 1, a = next () >> (next () % 60) | 1;
    const int shift = (int) (next () % 300);
    u128_t q = ((u128_t) a << 63) / count;
    int s = 63;
    for (; q >> 60 == 0 && s < 120; s++) q <<= 1; /* enough bits of the quotient: by hand, with what is left */
    u128_t rest = ((u128_t) a << 63) % count;
    q = ((u128_t) a << 63) / count;
    for (int k = 63; k < s; k++) {
      rest <<= 1;
      q = q << 1 | (rest >= count);
      if (rest >= count) rest -= count;
    }
    q = q << 1 | (rest != 0); /* a conversion to double then rounds once */
    w = wide (a, shift);
    good &= sol_wide_mean (&w, count) == ldexp ((double) q, shift - 149 - s - 1);
  }
  ok (good);
}

static double total_of (const double *x, int n)
{
  sol_total_t t = { 0 };
  for (int i = 0; i < n; i++) sol_total_add (&t, x[i]);
  return sol_total_round (&t);
}

static void try_total (void)
{
  const double cancel[] = { 1e308, 1, -1e308, 1e-300, 5e-324, -1 }, tie[] = { 1, 0x1p-53 }, over[] = { 1, 0x1p-53, 5e-324 }, odd[] = { 1 + DBL_EPSILON, 0x1p-53 }, minus[] = { -1, -0x1p-53, -5e-324 };
  const double inf[] = { 1, HUGE_VAL }, both[] = { HUGE_VAL, -HUGE_VAL }, big[] = { DBL_MAX, DBL_MAX, -DBL_MAX }, sub[] = { 5e-324, 5e-324, 5e-324 };
  double x[400], y[400];
  int good = 1;
  ok (total_of (NULL, 0) == 0 && total_of (cancel, 6) == 1e-300);
  ok (total_of (tie, 2) == 1 && total_of (over, 3) == 1 + DBL_EPSILON && total_of (odd, 2) == 1 + 2 * DBL_EPSILON && total_of (minus, 3) == -1 - DBL_EPSILON);
  ok (total_of (inf, 2) == HUGE_VAL && isnan (total_of (both, 2)) && total_of (big, 3) == DBL_MAX && isinf (total_of (big, 2)) && total_of (sub, 3) == 3 * 5e-324);
  for (int round = 0; round < 200; round++) { /* dyadic numbers whose sum 128 bits hold; then in another order and in two halves */
    __extension__ __int128 sum = 0;
    sol_total_t a = { 0 }, b = { 0 };
    const int n = (int) (next () % 400);
    for (int i = 0; i < n; i++) {
      const int64_t m = (int64_t) next () >> (11 + next () % 50);
      const int e = (int) (next () % 50);
      x[i] = ldexp ((double) m, e - 60);
      y[n - 1 - i] = x[i];
      sum += (__extension__ (__int128) m) * (__extension__ (__int128) 1 << e);
      sol_total_add (i % 3 ? &a : &b, x[i]);
    }
    sol_total_carry (&a);
    for (int k = 0; k < SOL_TOTAL_WORDS; k++) b.word[k] += a.word[k];
    const double want = ldexp ((double) sum, -60);
    good &= total_of (x, n) == want && total_of (y, n) == want && sol_total_round (&b) == want;
  }
  ok (good);
}

int main (void)
{
  try_floats ();
  try_compare ();
  try_mean ();
  try_total ();
  return tap_done ();
}
