/* SPDX-License-Identifier: Apache-2.0 */
/* rational.h: exact fractions of bounded size for the verifier: about 2700 decimal digits above and below the line. What does not fit fails (returns 0), it is never rounded. No heap. */
#ifndef SOL_RATIONAL_H
#define SOL_RATIONAL_H
#include <stddef.h>
#include <stdint.h>

#define SOL_BIG_LIMBS 300
typedef struct { int n; uint32_t limb[SOL_BIG_LIMBS]; } sol_big_t; /* base 10^9, lowest first, no leading zeros; n = 0 is zero */
typedef struct { int negative; sol_big_t top, bottom; } sol_rational_t; /* not reduced; bottom > 0 */

int sol_big_digits (sol_big_t *x, const char *digits, size_t n); /* n decimal digits, leading zeros allowed */
int sol_big_multiply (sol_big_t *x, const sol_big_t *y);         /* x *= y */
int sol_big_compare (const sol_big_t *x, const sol_big_t *y);    /* -1, 0, 1 */

void sol_rational_set (sol_rational_t *x, uint32_t value);       /* value < 10^9 */
int sol_rational_add (sol_rational_t *x, const sol_rational_t *y, int subtract);
int sol_rational_multiply (sol_rational_t *x, const sol_rational_t *y);
int sol_rational_divide (sol_rational_t *x, const sol_rational_t *y); /* 0 too when y is zero */
int sol_rational_power (sol_rational_t *x, long exponent);       /* exponent may be negative; 0^0 fails */
int sol_rational_equal (const sol_rational_t *x, const sol_rational_t *y);
/* a whole number of at most 9 digits? */
int sol_rational_small (const sol_rational_t *x, long *value_p);
#endif
