/* SPDX-License-Identifier: Apache-2.0 */
/* number.h: an answer's text as an exact number with a unit; inside src/text only. */
#ifndef SOL_NUMBER_H
#define SOL_NUMBER_H
#include "rational.h"
#include "solera/buffer.h"

typedef struct {
  sol_rational_t value; /* percent already divided by 100 */
  char unit[48];        /* "" for none; currency signs and words that mean the same are spelt alike */
} sol_number_t;

/* Common spellings made one: LaTeX spacing, sizing and font commands go, \dfrac is \frac, \times is *, \text{x} is x, and so on. Sets out (cleared first). */
void sol_answer_normalise (const char *text, size_t bytes, sol_buffer_t *out);
/* Is all of the normalised text one number? Sums, products, quotients and whole powers of numbers are worked out exactly; work is bounded, what would be too much is no number. */
int sol_number_parse (const char *text, sol_number_t *number);
/* equal values, and units that do not contradict each other */
int sol_number_equal (const sol_number_t *x, const sol_number_t *y);
/* length of the unit at the beginning of s (after spaces), 0: none. name (room 48) gets it as in sol_number_t.unit. */
size_t sol_unit_scan (const char *s, char name[48]);
#endif
