/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/text/rational.h"
#include "../tap.h"
#include "solera/random.h"
#include <string.h>

static sol_rational_t make (long top, long bottom)
{
  sol_rational_t x, y;
  sol_rational_set (&x, (uint32_t) labs (top));
  sol_rational_set (&y, (uint32_t) bottom);
  x.negative = top < 0;
  need (sol_rational_divide (&x, &y));
  return x;
}

int main (void)
{
  int bad = 0;
  long v;
  for (uint32_t i = 0; i < 4000; i++) { /* against 64-bit integers */
    long a[4];
    for (uint32_t k = 0; k < 4; k++) a[k] = (long) sol_random_below (sol_random (3, i, SOL_RANDOM_TEST, 0, k), 2001) - 1000;
    for (int k = 1; k < 4; k += 2) a[k] = labs (a[k]) + 1;
    sol_rational_t x = make (a[0], a[1]), y = make (a[2], a[3]), z = x;
    const long ad = a[0] * a[3], bc = a[2] * a[1], bd = a[1] * a[3];
    sol_rational_t sum = make (ad + bc, bd), product = make (a[0] * a[2], bd);
    bad += !(sol_rational_add (&z, &y, 0) && sol_rational_equal (&z, &sum));
    bad += !(sol_rational_add (&z, &y, 1) && sol_rational_equal (&z, &x));
    z = x;
    bad += !(sol_rational_multiply (&z, &y) && sol_rational_equal (&z, &product));
    if (a[2]) bad += !(sol_rational_divide (&z, &y) && sol_rational_equal (&z, &x));
    bad += sol_rational_equal (&x, &y) != (ad == bc);
  }
  tap_ok (!bad, "sums, differences, products, quotients, comparisons of small fractions (%d wrong)", bad);
  sol_rational_t x = make (2, 1), one = make (1, 1), y;
  ok (sol_rational_power (&x, 8000) && x.top.n == 268); /* 2409 digits */
  y = x;
  ok (sol_rational_divide (&y, &x) && sol_rational_equal (&y, &one));
  ok (!sol_rational_equal (&y, &y)); /* the products of this comparison do not fit: not equal, never a guess */
  ok (!sol_rational_multiply (&x, &x));
  x = make (3, 1);
  y = make (1, 9);
  ok (sol_rational_power (&x, -2) && sol_rational_equal (&x, &y));
  x = make (0, 1);
  ok (!sol_rational_power (&x, -1) && !sol_rational_divide (&y, &x));
  x = make (-999999999, 1);
  ok (sol_rational_small (&x, &v) && v == -999999999 && !sol_rational_small (&y, &v));
  sol_big_t b;
  char digits[3000];
  memset (digits, '9', sizeof digits);
  ok (!sol_big_digits (&b, digits, sizeof digits) && sol_big_digits (&b, digits, 2700) && b.n == 300);
  memset (digits, '0', sizeof digits);
  ok (sol_big_digits (&b, digits, sizeof digits) && b.n == 0);
  return tap_done ();
}
