/* SPDX-License-Identifier: Apache-2.0 */
/* rules.h: the table of objectives. A rule turns one token (and what is known of its sequence) into the value f and the gradient weight g = df / d log pi_theta of what is maximised, and clip
 * or mask bits; solve.c knows how tokens are weighed and what is global. To add one: src/objective/rule_NAME.c with sol_rule_NAME, its name in SOL_RULES below and in Makefile.am, docs/objectives.md. */
#ifndef SOL_RULES_H
#define SOL_RULES_H
#include "solera/objective.h"

/* in the order in which help lists them */
#define SOL_RULES(X)                                                                                                                          \
  X (m2po) X (m2po_clip) X (m2po_all) X (m2po_tis) X (m2po_k3) X (grpo) X (grpo_no_tr) X (gspo) X (dapo) X (dr_grpo) X (cispo) X (tis) X (seq_tis) X (icepop) X (decoupled_ppo) X (topr) X (opsm) X (dppo_tv) \
  X (sapo) X (vespo) X (gmpo)

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
  double log_check_cap;                  /* solve.c's own */
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
  const char *name, *doc, *paper; /* paper: where it is from */
  sol_share_t share;
  sol_rule_select_t select;
  unsigned needs_lp : 1, needs_prox : 1, one_advantage : 1; /* one_advantage: refuses a sequence whose advantage is not constant */
  unsigned band : 1;                                        /* its first two parameters bound a band */
  unsigned by_k3 : 1;                                       /* the selection is by k3 = e^d - 1 - d, not by M2 */
  void (*start) (sol_rule_input_t *in);                       /* NULL: nothing to prepare */
  void (*sequence) (sol_rule_input_t *in, const float *d, int64_t n); /* NULL: the tokens do not ask */
  sol_term_t (*token) (const sol_rule_input_t *in);
  sol_rule_param_t param[SOL_RULE_PARAMS];
} sol_rule_t;

#define X(name) extern const sol_rule_t sol_rule_##name;
SOL_RULES (X)
#undef X
extern const sol_rule_t *const sol_rules[];
extern const int sol_n_rules;

/* ---- what rules are made of */
#define SOL_RULE_MOST 1e30
#define SOL_RULE_TAU { "tau", 0.04, 0, SOL_RULE_MOST, "bound of the mean squared log-ratio, nats^2", "objective.tau" }
#define SOL_RULE_CAP(cap) { "cap", cap, 1e-30, SOL_RULE_MOST, "largest weight", "objective.cap" }
#define SOL_RULE_EPS(low, high)                                                                                                               \
  { "eps_low", low, 0, 1, "a ratio is clipped under 1 - this", "objective.clip_low" }, { "eps_high", high, 0, SOL_RULE_MOST, "a ratio is clipped over 1 + this", "objective.clip_high" }
extern const sol_term_t sol_term_masked;
/* weight times advantage; an advantage of 0 gives 0 even where the weight is infinite */
double sol_rule_times (double w, double A);
void sol_rule_start_clip (sol_rule_input_t *in, double low, double high); /* bounds of a ratio */
void sol_rule_start_eps (sol_rule_input_t *in);                           /* the same from the first two parameters, SOL_RULE_EPS */
void sol_rule_start_cap (sol_rule_input_t *in, double cap);
/* min (e^x A, clip (e^x) A): the clip acts only where it lowers the value */
sol_term_t sol_rule_clip (const sol_rule_input_t *in, double x, double A);
sol_term_t sol_rule_clipped_token (const sol_rule_input_t *in);           /* of the token's own log-ratio */
sol_term_t sol_rule_ratio (const sol_rule_input_t *in);                   /* r A as it is */
sol_term_t sol_rule_weighted (const sol_rule_input_t *in, double w, unsigned bits); /* a constant weight on A log pi_theta */
sol_term_t sol_rule_capped (const sol_rule_input_t *in, double x, double cap);      /* the weight min (e^x, cap), after start_cap */
/* a running sum with its rounding errors beside it (Neumaier) */
typedef struct { double sum, error; } sol_carried_t;
void sol_rule_carry (sol_carried_t *c, double x);
/* sum of float32 values as double, with the rounding errors carried along */
double sol_rule_sum (const float *x, int64_t n);
#endif
