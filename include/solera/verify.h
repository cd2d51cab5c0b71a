/* SPDX-License-Identifier: Apache-2.0 */
/* verify.h: is an answer right? Both answers, LaTeX or plain text, become trees: equal are exact numbers of one value, terms of one algebraic normal form, and terms that agree at
 * random points in high precision; tuples, lists, sets, intervals, relations and matrices by their parts (docs/verifier.md). When unsure the answer is no: a wrong yes would be
 * trained on. Input is model output: any bytes are safe, nothing in it is ever run, and time, memory, depth and digits are bounded. */
#ifndef SOL_VERIFY_H
#define SOL_VERIFY_H
#include "solera/buffer.h"
#include "solera/status.h"
#include <stddef.h>

typedef enum {
  SOL_FORM_ANSWER,   /* the prediction is the bare answer */
  SOL_FORM_RESPONSE, /* the answer must first be taken from a model's text */
  SOL_FORM_CUT,      /* the same of a text that was cut off at a length limit: what merely stands at its end is no answer */
  SOL_FORM_MARKED,   /* as response, but only a box and what follows "Final Answer" or "####" count */
  SOL_FORM_BOXED     /* only a box counts */
} sol_answer_form_t;
typedef enum { /* in the order of task.verifier's choices */
  SOL_VERIFY_ANSWER, /* the rules of docs/verifier.md */
  SOL_VERIFY_STRICT, /* the same text but for white space at the ends */
  SOL_VERIFY_M2PO,   /* as answer, but of a response only the last \boxed{} counts */
  SOL_VERIFY_COMMAND /* a program of the user grades (external.h); here as answer */
} sol_verify_mode_t;

/* The answer in a response: content of the last \boxed{} or \fbox{} (braces balanced); else what follows the last "Final Answer"; else what follows the last "####"; else the last
 * number or mathematics at the end. Sets out (cleared first) and returns how it was found: 0 nothing, 1 box, 2 final answer, 3 ####, 4 at the end. */
int sol_answer_extract (const char *text, size_t bytes, sol_buffer_t *out);
/* the last \boxed{} or nothing */
int sol_answer_extract_box (const char *text, size_t bytes, sol_buffer_t *out);
/* the answer of a prediction, taken out as the mode has it, into out (cleared first); 0: there is none, else how it was found, as sol_answer_extract says (a bare answer: 1) */
int sol_answer_take (const char *prediction, sol_answer_form_t form, sol_verify_mode_t mode, sol_buffer_t *out);

/* 1: equal for certain */
int sol_answer_equal (const char *prediction, const char *gold);
/* The same for what is plain: 1 equal, 0 not equal, -1: it takes more than exact arithmetic of short numbers to decide. At most some 10^6 operations of the machine, whatever the
 * bytes: answers longer than SOL_QUICK_BYTES, numbers over 2000 bits and terms of more than a thousand steps are left undecided. */
int sol_answer_quick (const char *prediction, const char *gold);
#define SOL_QUICK_BYTES 400
/* 1: the same text but for white space at the ends */
int sol_answer_strict (const char *prediction, const char *gold);
/* takes the answer and compares it by the rules of the mode; extracted (may be NULL) gets the text that was compared */
int sol_answer_check (const char *prediction, const char *gold, sol_answer_form_t form, sol_verify_mode_t mode, sol_buffer_t *extracted);
#endif
