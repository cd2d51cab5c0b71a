/* SPDX-License-Identifier: Apache-2.0 */
/* answer_eval.h: the value of a tree at a point, in complex numbers of many bits; inside src/text only. No function here leaves by longjmp. */
#ifndef SOL_ANSWER_EVAL_H
#define SOL_ANSWER_EVAL_H
#include "answer.h"
#include <mpfr.h>

#define SOL_EVAL_VARS 12
#define SOL_EVAL_SLOTS 400
typedef struct { mpfr_t re, im; } sol_complex_t;
typedef struct {
  mpfr_prec_t bits;
  sol_complex_t slot[SOL_EVAL_SLOTS]; /* [slots] initialised */
  int slots, top, work;               /* work: steps done, in units of a product of 384 bits */
  const sol_node_t *var[SOL_EVAL_VARS];
  sol_complex_t value[SOL_EVAL_VARS];
  int vars;
  int left_reals; /* a root or logarithm of a negative number was taken */
  int absorbed;   /* a term was too small against its sum to be seen in so many bits */
  long scale;     /* largest exponent of a term */
  long extreme;   /* largest exponent of a value on the way, whatever its sign */
} sol_eval_t;

void sol_eval_open (sol_eval_t *e, mpfr_prec_t bits);
void sol_eval_close (sol_eval_t *e);
/* the variables of the tree, and what is evaluated as one: names, words, units, functions that we do not know. 0: too many, or there is something that has no value. */
int sol_eval_collect (sol_eval_t *e, const sol_node_t *x);
/* 1: *out is the value; 0: undefined, too large or too much work */
int sol_eval (sol_eval_t *e, const sol_node_t *x, sol_complex_t *out);
/* functions of one or two real numbers (answer_function.c); 0: undefined here. steps: what it cost. */
int sol_eval_known (const char *name);
int sol_eval_function (const char *name, const mpfr_t x, const mpfr_t y, mpfr_t out, int *steps);
#endif
