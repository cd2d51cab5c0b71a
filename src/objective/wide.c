/* SPDX-License-Identifier: Apache-2.0 */
#include "wide.h"
#include "solera/log.h"
#include <math.h>

__extension__ typedef unsigned __int128 u128_t;

static void add_at (sol_wide_t *a, u128_t x, int i)
{
  for (uint64_t carry = 0; x || carry; i++) {
    SOL_ASSERT (i < SOL_WIDE_LIMBS);
    const u128_t sum = (u128_t) a->limb[i] + (uint64_t) x + carry;
    a->limb[i] = (uint64_t) sum;
    carry = (uint64_t) (sum >> 64);
    x >>= 64;
  }
}

void sol_wide_add (sol_wide_t *a, uint64_t x, int shift)
{
  add_at (a, (u128_t) x << (shift & 63), shift >> 6);
}

void sol_wide_add_product (sol_wide_t *a, uint64_t x, uint64_t y, int shift)
{
  const u128_t xy = (u128_t) x * y;
  sol_wide_add (a, (uint64_t) xy, shift);
  sol_wide_add (a, (uint64_t) (xy >> 64), shift + 64);
}

int sol_wide_bits (const sol_wide_t *a)
{
  for (int i = SOL_WIDE_LIMBS - 1; i >= 0; i--)
    if (a->limb[i]) return 64 * i + 64 - __builtin_clzll (a->limb[i]);
  return 0;
}

static sol_wide_t shifted (const sol_wide_t *a, int shift)
{
  sol_wide_t out = { { 0 } };
  for (int i = 0; i < SOL_WIDE_LIMBS; i++) sol_wide_add (&out, a->limb[i], a->limb[i] ? 64 * i + shift : 0);
  return out;
}

int sol_wide_compare (const sol_wide_t *a, double tau, uint64_t count)
{
  sol_wide_t left = *a, right = { { 0 } };
  int e, left_bits = sol_wide_bits (a), right_bits;
  const uint64_t m = (uint64_t) ldexp (frexp (tau, &e), 53); /* tau = m * 2^(e - 53) */
  const int shift = e - 53 + 149;                            /* tau * count = m * count << shift, in our unit */
  SOL_ASSERT (tau >= 0 && isfinite (tau));
  sol_wide_add_product (&right, m, count, 0);
  right_bits = sol_wide_bits (&right);
  if (left_bits == 0 || right_bits == 0) return (left_bits > 0) - (right_bits > 0);
  if (left_bits != right_bits + shift) return left_bits > right_bits + shift ? 1 : -1;
  /* of one length: the bits decide. right is 117 bits at most, so that either fits when shifted */
  if (shift >= 0) right = shifted (&right, shift);
  else left = shifted (&left, -shift);
  for (int i = SOL_WIDE_LIMBS - 1; i >= 0; i--)
    if (left.limb[i] != right.limb[i]) return left.limb[i] > right.limb[i] ? 1 : -1;
  return 0;
}

double sol_wide_mean (const sol_wide_t *a, uint64_t count)
{
  const int bits = sol_wide_bits (a), shift = bits < 128 ? 128 - bits : 0; /* the quotient has 64 bits and more */
  sol_wide_t q;
  u128_t rest = 0;
  uint64_t top, low;
  int n, cut, sticky;
  if (bits == 0 || count == 0) return 0;
  SOL_ASSERT (count >> 63 == 0);
  q = shifted (a, shift);
  for (int i = SOL_WIDE_LIMBS - 1; i >= 0; i--) {
    rest = rest << 64 | q.limb[i];
    q.limb[i] = (uint64_t) (rest / count);
    rest %= count;
  }
  n = sol_wide_bits (&q);
  cut = n - 64; /* >= 0: the 64 leading bits, and whether anything is behind */
  sticky = rest != 0;
  for (int i = 0; i < cut / 64; i++) sticky |= q.limb[i] != 0;
  low = q.limb[cut / 64];
  top = cut % 64 ? low >> (cut % 64) | q.limb[cut / 64 + 1] << (64 - cut % 64) : low;
  if (cut % 64) sticky |= low << (64 - cut % 64) != 0;
  low = top & 0x7ff;
  top >>= 11;
  top += low > 0x400 || (low == 0x400 && (sticky || (top & 1)));
  return ldexp ((double) top, cut + 11 - shift - 149); /* at least 2^-149 / 2^63: never subnormal */
}
