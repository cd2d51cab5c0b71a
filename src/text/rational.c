/* SPDX-License-Identifier: Apache-2.0 */
#include "rational.h"
#include <string.h>

#define BASE 1000000000u

static void copy (sol_big_t *x, const sol_big_t *y)
{
  x->n = y->n;
  memcpy (x->limb, y->limb, (size_t) y->n * sizeof *y->limb);
}

int sol_big_digits (sol_big_t *x, const char *digits, size_t n)
{
  while (n && *digits == '0') digits++, n--;
  if (n > 9 * (size_t) SOL_BIG_LIMBS) return 0;
  x->n = 0;
  while (n) {
    size_t k = n < 9 ? n : 9;
    uint32_t limb = 0;
    for (size_t i = n - k; i < n; i++) limb = limb * 10 + (uint32_t) (digits[i] - '0');
    x->limb[x->n++] = limb;
    n -= k;
  }
  return 1;
}

int sol_big_multiply (sol_big_t *x, const sol_big_t *y)
{
  sol_big_t z;
  if (!x->n || !y->n) {
    x->n = 0;
    return 1;
  }
  z.n = x->n + y->n;
  if (z.n > SOL_BIG_LIMBS + 1) return 0;
  uint32_t limb[SOL_BIG_LIMBS + 1];
  memset (limb, 0, (size_t) z.n * sizeof *limb);
  for (int i = 0; i < x->n; i++) {
    uint64_t carry = 0;
    for (int j = 0; j < y->n; j++) {
      carry += limb[i + j] + (uint64_t) x->limb[i] * y->limb[j];
      limb[i + j] = (uint32_t) (carry % BASE);
      carry /= BASE;
    }
    limb[i + y->n] = (uint32_t) carry;
  }
  if (!limb[z.n - 1]) z.n--;
  if (z.n > SOL_BIG_LIMBS) return 0;
  memcpy (z.limb, limb, (size_t) z.n * sizeof *limb);
  copy (x, &z);
  return 1;
}

int sol_big_compare (const sol_big_t *x, const sol_big_t *y)
{
  if (x->n != y->n) return x->n < y->n ? -1 : 1;
  for (int i = x->n - 1; i >= 0; i--)
    if (x->limb[i] != y->limb[i]) return x->limb[i] < y->limb[i] ? -1 : 1;
  return 0;
}

static int big_add (sol_big_t *x, const sol_big_t *y)
{
  uint32_t carry = 0;
  int n = x->n > y->n ? x->n : y->n;
  for (int i = 0; i < n; i++) {
    uint32_t s = carry + (i < x->n ? x->limb[i] : 0) + (i < y->n ? y->limb[i] : 0);
    carry = s >= BASE;
    x->limb[i] = carry ? s - BASE : s;
  }
  if (carry && n == SOL_BIG_LIMBS) return 0;
  if (carry) x->limb[n++] = 1;
  x->n = n;
  return 1;
}

/* x -= y, x >= y */
static void big_subtract (sol_big_t *x, const sol_big_t *y)
{
  uint32_t borrow = 0;
  for (int i = 0; i < x->n; i++) {
    uint32_t take = borrow + (i < y->n ? y->limb[i] : 0);
    borrow = x->limb[i] < take;
    x->limb[i] = borrow ? x->limb[i] + BASE - take : x->limb[i] - take;
  }
  while (x->n && !x->limb[x->n - 1]) x->n--;
}

void sol_rational_set (sol_rational_t *x, uint32_t value)
{
  x->negative = 0;
  x->top.n = value != 0;
  x->top.limb[0] = value;
  x->bottom.n = 1;
  x->bottom.limb[0] = 1;
}

int sol_rational_add (sol_rational_t *x, const sol_rational_t *y, int subtract)
{
  sol_big_t other;
  const int y_negative = y->negative != subtract;
  copy (&other, &y->top);
  if (!sol_big_multiply (&other, &x->bottom) || !sol_big_multiply (&x->top, &y->bottom) || !sol_big_multiply (&x->bottom, &y->bottom)) return 0;
  if (x->negative == y_negative) return big_add (&x->top, &other);
  if (sol_big_compare (&x->top, &other) >= 0) {
    big_subtract (&x->top, &other);
    return 1;
  }
  big_subtract (&other, &x->top);
  copy (&x->top, &other);
  x->negative = y_negative;
  return 1;
}

int sol_rational_multiply (sol_rational_t *x, const sol_rational_t *y)
{
  x->negative ^= y->negative;
  return sol_big_multiply (&x->top, &y->top) && sol_big_multiply (&x->bottom, &y->bottom);
}

int sol_rational_divide (sol_rational_t *x, const sol_rational_t *y)
{
  if (!y->top.n) return 0;
  x->negative ^= y->negative;
  return sol_big_multiply (&x->top, &y->bottom) && sol_big_multiply (&x->bottom, &y->top);
}

int sol_rational_power (sol_rational_t *x, long exponent)
{
  sol_rational_t square = *x;
  unsigned long e = exponent < 0 ? 0ul - (unsigned long) exponent : (unsigned long) exponent;
  if (!x->top.n && exponent <= 0) return 0;
  sol_rational_set (x, 1);
  for (;; e >>= 1) {
    if ((e & 1) && !sol_rational_multiply (x, &square)) return 0;
    if (e <= 1) break;
    if (!sol_rational_multiply (&square, &square)) return 0;
  }
  if (exponent < 0) {
    sol_big_t top;
    copy (&top, &x->top);
    copy (&x->top, &x->bottom);
    copy (&x->bottom, &top);
  }
  return 1;
}

int sol_rational_equal (const sol_rational_t *x, const sol_rational_t *y)
{
  sol_big_t left, right;
  copy (&left, &x->top);
  copy (&right, &y->top);
  if (!sol_big_multiply (&left, &y->bottom) || !sol_big_multiply (&right, &x->bottom)) return 0;
  return sol_big_compare (&left, &right) == 0 && (x->negative == y->negative || !left.n);
}

int sol_rational_small (const sol_rational_t *x, long *value_p)
{
  if (x->bottom.n != 1 || x->bottom.limb[0] != 1 || x->top.n > 1) return 0;
  *value_p = x->top.n ? (long) x->top.limb[0] : 0;
  if (x->negative) *value_p = -*value_p;
  return 1;
}
