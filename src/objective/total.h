/* SPDX-License-Identifier: Apache-2.0 */
/* total.h: an exact sum of doubles: a fixed-point number of 2^-1074 and up in 32-bit digits with room for carries. Its parts add up as integers, so that the rounded result depends on
 * neither order nor the spread over ranks. */
#ifndef SOL_TOTAL_H
#define SOL_TOTAL_H
#include <stdint.h>

enum { SOL_TOTAL_DIGITS = 68, SOL_TOTAL_WORDS = SOL_TOTAL_DIGITS + 3 };
typedef struct {
  int64_t word[SOL_TOTAL_WORDS]; /* digits, least first, signed; then how many +inf, -inf and NaN were added */
  int64_t n_added;               /* since the last carry */
} sol_total_t;

void sol_total_add (sol_total_t *t, double x);
/* digits into [0, 2^32), the last one signed: before the words of ranks are added up */
void sol_total_carry (sol_total_t *t);
double sol_total_round (sol_total_t *t); /* to nearest and even */
#endif
