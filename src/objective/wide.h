/* SPDX-License-Identifier: Apache-2.0 */
/* wide.h: sums of M2 as whole numbers of 2^-149 (every finite float32 is one), wide enough for 2^63 of the largest: 24 + 253 + 63 = 340 bits. Comparing such a sum with
 * tau * count, and rounding a mean to double, are then exact. */
#ifndef SOL_WIDE_H
#define SOL_WIDE_H
#include <stdint.h>

enum { SOL_WIDE_LIMBS = 7 };
typedef struct { uint64_t limb[SOL_WIDE_LIMBS]; } sol_wide_t; /* least first */

/* a float32 >= 0 by its bits is significand << shift, in units of 2^-149 */
static inline uint64_t sol_float_significand (uint32_t bits) { return bits >> 23 ? (bits & 0x7fffffu) | 0x800000u : bits; }
static inline int sol_float_shift (uint32_t bits) { return bits >> 23 ? (int) (bits >> 23) - 1 : 0; }

/* a += x << shift */
void sol_wide_add (sol_wide_t *a, uint64_t x, int shift);
/* a += x * y << shift */
void sol_wide_add_product (sol_wide_t *a, uint64_t x, uint64_t y, int shift);
int sol_wide_bits (const sol_wide_t *a); /* length in bits; 0 for zero */
/* the sign of a * 2^-149 - tau * count; tau >= 0 finite, taken as the very double */
int sol_wide_compare (const sol_wide_t *a, double tau, uint64_t count);
/* a * 2^-149 / count rounded once, to nearest and even; 0 for count 0. count < 2^63 */
double sol_wide_mean (const sol_wide_t *a, uint64_t count);
#endif
