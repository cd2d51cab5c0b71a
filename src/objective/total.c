/* SPDX-License-Identifier: Apache-2.0 */
#include "total.h"
#include <math.h>
#include <string.h>

__extension__ typedef unsigned __int128 u128_t;
#define DIGIT 0xffffffffu

void sol_total_carry (sol_total_t *t)
{
  for (int i = 0; i < SOL_TOTAL_DIGITS - 1; i++) {
    const int64_t carry = t->word[i] >> 32; /* towards minus infinity */
    t->word[i] -= carry * 4294967296;
    t->word[i + 1] += carry;
  }
  t->n_added = 0;
}

void sol_total_add (sol_total_t *t, double x)
{
  uint64_t bits;
  if (!isfinite (x)) {
    t->word[SOL_TOTAL_DIGITS + (isnan (x) ? 2 : x < 0)]++;
    return;
  }
  memcpy (&bits, &x, sizeof bits);
  const int e = (int) (bits >> 52 & 0x7ff), at = e ? e - 1 : 0; /* x = m << at, in units of 2^-1074 */
  const uint64_t m = (bits & 0xfffffffffffffull) | (e ? 0x10000000000000ull : 0);
  const u128_t v = (u128_t) m << (at & 31);
  int64_t *d = t->word + (at >> 5);
  const int64_t sign = bits >> 63 ? -1 : 1;
  d[0] += sign * (int64_t) ((uint64_t) v & DIGIT);
  d[1] += sign * (int64_t) ((uint64_t) (v >> 32) & DIGIT);
  d[2] += sign * (int64_t) (v >> 64);
  if (++t->n_added == 1 << 30) sol_total_carry (t);
}

double sol_total_round (sol_total_t *t)
{
  const int64_t *special = t->word + SOL_TOTAL_DIGITS;
  int top, sticky = 0, n, negative;
  u128_t v;
  if (special[2] || (special[0] && special[1])) return NAN;
  if (special[0] || special[1]) return special[0] ? HUGE_VAL : -HUGE_VAL;
  sol_total_carry (t);
  negative = t->word[SOL_TOTAL_DIGITS - 1] < 0;
  if (negative) {
    for (int i = 0; i < SOL_TOTAL_DIGITS; i++) t->word[i] = -t->word[i];
    sol_total_carry (t);
  }
  for (top = SOL_TOTAL_DIGITS - 1; top > 2 && !t->word[top]; top--) continue;
  v = (u128_t) t->word[top] << 64 | (u128_t) t->word[top - 1] << 32 | (u128_t) t->word[top - 2];
  for (int i = 0; i < top - 2; i++) sticky |= t->word[i] != 0;
  n = (uint64_t) (v >> 64) ? 128 - __builtin_clzll ((uint64_t) (v >> 64)) : (uint64_t) v ? 64 - __builtin_clzll ((uint64_t) v) : 0;
  n = n > 53 ? n - 53 : 0; /* bits to round away; none when the sum is subnormal */
  if (n > 0) {
    const u128_t rest = v & (((u128_t) 1 << n) - 1), half = (u128_t) 1 << (n - 1);
    v >>= n;
    v += rest > half || (rest == half && (sticky || ((uint64_t) v & 1)));
  }
  const double x = ldexp ((double) (uint64_t) v, 32 * (top - 2) + n - 1074);
  return negative ? -x : x;
}
