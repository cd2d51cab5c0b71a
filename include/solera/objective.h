/* SPDX-License-Identifier: Apache-2.0 */
/* objective.h: advantage, M2 selection and every objective: (log-ratio, advantage) of a whole update batch -> a coefficient and a verdict per token.
 * Host code in double on every backend, the same for training and re-scoring. Definitions: docs/objectives.md (from the papers named there). */
#ifndef SOL_OBJECTIVE_H
#define SOL_OBJECTIVE_H
#include "solera/comm.h"
#include "solera/config.h"

/* Advantages of one group: reward [n] -> adv [n] (double). kind: SOL_ADVANTAGE_GRPO, _DR_GRPO or _RLOO. All rewards equal: exactly 0. rloo with n = 1: SOL_ERR_USAGE; a reward that is not finite:
 * SOL_ERR_NUMERIC. */
sol_status_t sol_advantage_solve (int kind, const double *reward, int n, double *adv);
/* Advantages of an update batch of `groups` groups of n responses: reward, adv [groups * n], group after group. kind: any SOL_ADVANTAGE_*. Those of a group look at their group only; global:
 * (R - mean) / (std + 1e-6) over the whole update batch (arXiv 2501.03262, REINFORCE++); group_global: R - mean of the group, divided by the standard deviation of that over the update batch, + 1e-6 (there:
 * REINFORCE++-baseline). Sample deviations; sums are exact before they are rounded, so that order has no say. Not collective: every learner knows the rewards of the whole batch. */
sol_status_t sol_advantage_batch (int kind, const double *reward, int64_t groups, int n, double *adv);

/* This rank's tokens of the update batch. Global order is (seq, pos); ranks and storage may hold sequences in any order, a sequence lies wholly on one rank, its
 * tokens adjacent in position order. seq: rollout id, unique over all ranks. */
typedef struct {
  int64_t n;
  const float *d, *adv;        /* log-ratio fl32(lp_theta - lp_behav), advantage */
  const float *lp, *d_prox;    /* log pi_behav; log pi_prox - log pi_behav; NULL where the objective needs none */
  const int64_t *seq;
  /* Correction of another difference than staleness: log-ratio of the log-prob that d is from to the one that the token was drawn with; NULL: none. Every token's f and c are multiplied by
   * min (e^d_check, check_cap), a constant; verdicts and M2 do not see it. */
  const float *d_check;
  double check_cap;
} sol_tokens_t;

#define SOL_VERDICT_T 1u      /* in the trust-region set: A>0, d>0 or A<0, d<0 */
#define SOL_VERDICT_HIGH 2u   /* clipped high */
#define SOL_VERDICT_LOW 4u    /* clipped low */
#define SOL_VERDICT_MASKED 8u

typedef struct {
  double loss;
  int64_t n, n_seq;                              /* over all ranks */
  int64_t n_high, n_low, n_masked;
  int64_t n_T, n_kept;                           /* m2po: |T| and what stays of it (m2po_clip: unclipped; m2po_all: of all tokens); else |T| and n - n_masked */
  double m2_before, m2_after;                    /* exact means over T (m2po_all: over all tokens) rounded once, 0 for empty; after: of what is not masked (m2po_clip: of the capped M2) */
  double m2_all;                                 /* mean of M2 over all tokens, whatever the objective */
  double cut, band;                              /* NaN: none */
  int64_t tie_kept;
} sol_verdicts_t;

typedef struct sol_objective sol_objective_t;
/* the table: i-th objective's name and sentence; NULL past the end */
const char *sol_objective_name (int i, const char **doc_p);
const char *sol_objective_paper (int i); /* where it is from */
sol_status_t sol_objective_create (const char *name, sol_objective_t **objective_p); /* unknown: error with the nearest name */
void sol_objective_destroy (sol_objective_t *o);
/* a parameter by its name, or by the name of the setting that gives it ("objective.tau"); NaN: the objective's own default. Unknown or out of bounds: SOL_ERR_USAGE, which says what it has. */
sol_status_t sol_objective_set (sol_objective_t *o, const char *param, double value);
/* i-th parameter's name, value and sentence; NULL past the end */
const char *sol_objective_param (const sol_objective_t *o, int i, double *value_p, const char **doc_p);
const char *sol_objective_param_setting (const sol_objective_t *o, int i); /* the setting of a run that gives it */
/* objective.* settings -> parameters: a setting wins over the objective's default, SOL_AUTO leaves that. SOL_ERR_USAGE, with where the setting stands, for one that this objective does not have
 * or does not allow. */
sol_status_t sol_objective_create_config (const sol_config_t *config, sol_objective_t **objective_p);
/* the same checks, and what the objective has and the settings leave SOL_AUTO becomes its value in config, so that the resolved settings say what was computed */
sol_status_t sol_objective_resolve (sol_config_t *config);
/* parameters that go together, of an objective whose parameters were set one by one. SOL_ERR_USAGE: a band that holds no ratio */
sol_status_t sol_objective_check (const sol_objective_t *o);
int sol_objective_needs_prox (const sol_objective_t *o);
/* 0, or how it bounds M2: SELECTS_MASK removes the largest (cut, tie_kept, n_kept), SELECTS_BAND clips (cut, band) */
enum { SOL_SELECTS_MASK = 1, SOL_SELECTS_BAND };
int sol_objective_selects (const sol_objective_t *o);

/* a token that refuses the update: d (or d_check) or A (or lp, d_prox where they are needed) not finite, M2 or c not representable in float32. c: NaN where it was not come to. */
typedef struct { int64_t seq, index; /* index into this rank's arrays or -1: another rank's */ double d, adv, c; const char *why; } sol_refusal_t;
/* Collective over comm (all learners). c [n] double: dLoss/d log pi_theta, verdict [n]. scratch-free for the caller; internal room grows outside the hot path (kept in o).
 * SOL_ERR_NUMERIC: the update is refused (on all ranks), *refusal_p names the first such token in global order; nothing else is written.
 * SOL_ERR_USAGE: a sequence objective was given an advantage that is not constant in a sequence (*refusal_p names its first such token), no token on any rank, or lp or d_prox are missing.
 * Everything but the order of the calls is independent of how tokens are spread over ranks and stored: c, verdict and all figures have the same bytes. */
sol_status_t sol_objective_solve (sol_objective_t *o, sol_comm_t *comm, const sol_tokens_t *tokens, double *c, uint8_t *verdict, sol_verdicts_t *sum_p, sol_refusal_t *refusal_p);

/* ---- terms beside the objective: KL to a reference, entropy bonus. Means over all response tokens of the update batch, whatever the objective's verdict on them.
 * KL of a token: an estimate of KL (pi_theta || reference) from x = log pi_theta - log reference of the token that was drawn: k1 x, k2 x^2 / 2, k3 e^-x - 1 + x. It is differentiated as it stands, tokens
 * fixed: slopes 1, x, 1 - e^-x. With kl_ratio the term is r k, r = e^d the ratio to the policy that generated, and that is differentiated: slopes r (x + 1), r (x^2 / 2 + x), r x. What that means for
 * tokens of pi_theta and of an older policy: docs/objectives.md. */
typedef struct { int kl /* SOL_KL_* */, kl_ratio; double kl_coef, entropy_coef; } sol_terms_t;
double sol_kl (int kind, double x);
/* [n] of the tokens: log pi_theta; the reference's log-prob (of the behaviour policy: lp_behav), NULL: no KL; entropy of pi_theta (nats), NULL: no bonus */
typedef struct { const float *lp, *lp_ref, *entropy; } sol_term_columns_t;
/* means (NaN: not asked for), and what they are of the loss: kl_coef * kl, -entropy_coef * entropy */
typedef struct { double kl, entropy, loss_kl, loss_entropy; } sol_term_sums_t;
/* Collective over comm, after sol_objective_solve of the same tokens; n_all: tokens on all ranks. Adds the KL's part to c [n] (nothing with kl_coef 0, then it only measures) and writes c_entropy [n] =
 * dLoss/d entropy of the token (when there is a bonus). SOL_ERR_NUMERIC: the update is refused on all ranks as by sol_objective_solve, and nothing is written. The same bytes for any number of ranks. */
sol_status_t sol_terms_solve (const sol_terms_t *terms, sol_comm_t *comm, const sol_tokens_t *tokens, const sol_term_columns_t *columns, int64_t n_all, double *c, float *c_entropy, sol_term_sums_t *sum_p,
                              sol_refusal_t *refusal_p);
#endif
