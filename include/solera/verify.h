/* SPDX-License-Identifier: Apache-2.0 */
/* verify.h: is an answer right? Exact for numbers: integers of any length, decimals, thousands separators, fractions, mixed numbers, percent, scientific notation, units behind
 * a number; everything else is equal only when its text is, after light normalisation. When unsure the answer is no: a wrong yes would be trained on.
 * Sums, products, quotients and whole powers of numbers are worked out exactly (0.1 + 0.2 is 0.3). Input is model output: any bytes are safe, and work and size are bounded. */
#ifndef SOL_VERIFY_H
#define SOL_VERIFY_H
#include "solera/buffer.h"
#include "solera/status.h"
#include <stddef.h>

typedef enum {
  SOL_FORM_ANSWER,  /* the prediction is the bare answer */
  SOL_FORM_RESPONSE /* the answer must first be taken from a model's text */
} sol_answer_form_t;

/* The answer in a response: content of the last \boxed{} or \fbox{} (braces balanced); else what follows the last "Final Answer"; else what follows the last "####"; else the last
 * number. Sets out (cleared first) and returns how it was found: 0 nothing, 1 box, 2 final answer, 3 ####, 4 last number. */
int sol_answer_extract (const char *text, size_t bytes, sol_buffer_t *out);
/* 1: equal for certain */
int sol_answer_equal (const char *prediction, const char *gold);
/* both steps; extracted (may be NULL) gets the text that was compared */
int sol_answer_check (const char *prediction, const char *gold, sol_answer_form_t form, sol_buffer_t *extracted);
#endif
