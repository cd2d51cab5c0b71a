/* SPDX-License-Identifier: Apache-2.0 */
/* rules.h: the table of objectives. A rule turns one token (and what is known of its sequence) into the value f and the gradient weight g = df / d log pi_theta of what is maximised, and clip
 * or mask bits; solve.c knows how tokens are weighed and what is global. To add one: a row in rules.c, its token function, docs/objectives.md. */
#ifndef SOL_RULES_H
#define SOL_RULES_H
#include "solera/objective.h"

enum { SOL_RULE_PARAMS = 4 };
typedef struct {
  const char *name;
  double def, min, max;
  const char *doc;
  const char *setting; /* of the run that gives it */
} sol_rule_param_t;

/* what a token weighs: 1 / N, 1 / kept tokens, 1 / (S n_s), 1 / (S max_length) */
typedef enum { SOL_SHARE_TOKEN, SOL_SHARE_KEPT, SOL_SHARE_SEQUENCE, SOL_SHARE_LENGTH } sol_share_t;
/* global decision made before the tokens are looked at */
typedef enum { SOL_SELECT_NONE, SOL_SELECT_T, SOL_SELECT_CAP_T, SOL_SELECT_ALL } sol_rule_select_t;

/* what a token function may look at */
typedef struct {
  const double *param;
  double low, high, log_low, log_high;   /* bounds of a ratio and their logarithms, made once by start */
  /* the present sequence; sums in double with a carry, in position order */
  double sum_d, mean_d, adv;             /* adv: of its first token */
  int64_t n_tokens;
  double value, grad;                    /* free for sequence () to leave something for its tokens */
  unsigned bits;
  /* the present token */
  double d, A, lp, d_prox;
  int in_T, removed;                     /* removed: by the selection */
} sol_rule_input_t;
typedef struct { double f, g; unsigned bits; } sol_term_t;

typedef struct {
  const char *name, *doc;
  sol_share_t share;
  sol_rule_select_t select;
  unsigned needs_lp : 1, needs_prox : 1, one_advantage : 1; /* one_advantage: refuses a sequence whose advantage is not constant */
  unsigned band : 1;                                        /* its first two parameters bound a band */
  void (*start) (sol_rule_input_t *in);                       /* NULL: nothing to prepare */
  void (*sequence) (sol_rule_input_t *in, const float *d, int64_t n); /* NULL: the tokens do not ask */
  sol_term_t (*token) (const sol_rule_input_t *in);
  sol_rule_param_t param[SOL_RULE_PARAMS];
} sol_rule_t;

extern const sol_rule_t sol_rules[];
extern const int sol_n_rules;
/* sum of float32 values as double, with the rounding errors carried along */
double sol_rule_sum (const float *x, int64_t n);
#endif
