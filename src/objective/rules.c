/* SPDX-License-Identifier: Apache-2.0 */
#include "rules.h"
#include "solera/elementary.h"
#include <math.h>

#define HIGH SOL_VERDICT_HIGH
#define LOW SOL_VERDICT_LOW
#define MASKED SOL_VERDICT_MASKED
static const sol_term_t masked = { 0, 0, MASKED };

/* weight times advantage; an advantage of 0 gives 0 even where the weight is infinite */
static double times (double w, double A) { return A == 0 ? 0 : w * A; }
static double log_of (double x) { return x > 0 ? sol_log_exact (x) : -INFINITY; }

/* a running sum with its rounding errors beside it (Neumaier) */
typedef struct { double sum, error; } carried_t;
static void carry (carried_t *c, double x)
{
  const double s = c->sum + x;
  c->error += fabs (c->sum) >= fabs (x) ? (c->sum - s) + x : (x - s) + c->sum;
  c->sum = s;
}

double sol_rule_sum (const float *x, int64_t n)
{
  carried_t c = { 0, 0 };
  for (int64_t i = 0; i < n; i++) carry (&c, (double) x[i]);
  return c.sum + c.error;
}

/* min (e^x A, clip (e^x) A): the clip acts only where it lowers the value */
static sol_term_t clip (const sol_rule_input_t *in, double x, double A)
{
  double f;
  if (A > 0 && x > in->log_high) return (sol_term_t){ in->high * A, 0, HIGH };
  if (A < 0 && x < in->log_low) return (sol_term_t){ in->low * A, 0, LOW };
  f = times (sol_exp_exact (x), A);
  return (sol_term_t){ f, f, 0 };
}
static void start_clip (sol_rule_input_t *in, double low, double high)
{
  in->low = low;
  in->high = high;
  in->log_low = log_of (low);
  in->log_high = log_of (high);
}
static sol_term_t ratio (const sol_rule_input_t *in)
{
  const double f = times (sol_exp_exact (in->d), in->A);
  return (sol_term_t){ f, f, 0 };
}
/* a constant weight on A log pi_theta */
static sol_term_t weighted (const sol_rule_input_t *in, double w, unsigned bits)
{
  const double g = times (w, in->A);
  return (sol_term_t){ g * (in->lp + in->d), g, bits };
}

/* ---- M2PO */
static sol_term_t m2po (const sol_rule_input_t *in) { return in->removed ? masked : ratio (in); }
/* solve leaves the band [e^-sqrt cut, e^sqrt cut] in low and high */
static sol_term_t m2po_clip (const sol_rule_input_t *in)
{
  if (!in->removed) return ratio (in);
  return in->A > 0 ? (sol_term_t){ in->high * in->A, 0, HIGH } : (sol_term_t){ in->low * in->A, 0, LOW };
}

/* ---- ratios of tokens and of sequences, clipped */
static void start_eps (sol_rule_input_t *in) { start_clip (in, 1 - in->param[0], 1 + in->param[1]); }
static sol_term_t grpo (const sol_rule_input_t *in) { return clip (in, in->d, in->A); }
static void gspo_sequence (sol_rule_input_t *in, const float *d, int64_t n)
{
  (void) d, (void) n;
  const sol_term_t t = clip (in, in->mean_d, in->adv);
  in->value = t.f;
  in->grad = t.g;
  in->bits = t.bits;
}
static sol_term_t of_sequence (const sol_rule_input_t *in) { return (sol_term_t){ in->value, in->grad, in->bits }; }
static sol_term_t decoupled_ppo (const sol_rule_input_t *in)
{
  const double w = sol_exp_exact (in->d_prox);
  const sol_term_t t = clip (in, in->d - in->d_prox, in->A);
  return (sol_term_t){ times (w, t.f), times (w, t.g), t.bits };
}
static void gmpo_sequence (sol_rule_input_t *in, const float *d, int64_t n)
{
  carried_t c = { 0, 0 };
  for (int64_t i = 0; i < n; i++) {
    const double x = (double) d[i];
    carry (&c, in->adv > 0 && x > in->param[1] ? in->param[1] : in->adv < 0 && x < -in->param[0] ? -in->param[0] : x);
  }
  in->value = times (sol_exp_exact ((c.sum + c.error) / (double) n), in->adv);
}
static sol_term_t gmpo (const sol_rule_input_t *in)
{
  const unsigned bits = in->A > 0 && in->d > in->param[1] ? HIGH : in->A < 0 && in->d < -in->param[0] ? LOW : 0;
  return (sol_term_t){ in->value, bits ? 0 : in->value, bits };
}

/* ---- constant weights */
static void start_cap (sol_rule_input_t *in) { in->log_high = log_of (in->param[0]); }
static sol_term_t cispo (const sol_rule_input_t *in)
{
  return in->d > in->log_high ? weighted (in, in->param[0], HIGH) : weighted (in, sol_exp_exact (in->d), 0);
}
static sol_term_t seq_tis (const sol_rule_input_t *in)
{
  return in->sum_d > in->log_high ? weighted (in, in->param[0], HIGH) : weighted (in, sol_exp_exact (in->sum_d), 0);
}
static sol_term_t topr (const sol_rule_input_t *in)
{
  if (in->A >= 0) return weighted (in, 1, 0);
  return in->sum_d > 0 ? weighted (in, 1, HIGH) : weighted (in, sol_exp_exact (in->sum_d), 0);
}
static sol_term_t vespo (const sol_rule_input_t *in)
{
  const double c1 = in->param[in->A >= 0 ? 0 : 2], c2 = in->param[in->A >= 0 ? 1 : 3];
  const double falling = c2 == 0 ? 0 : c2 * (1 - sol_exp_exact (in->sum_d)); /* exp may be infinite: then the weight is 0 */
  return weighted (in, sol_exp_exact (c1 * in->sum_d + falling), 0);
}

/* ---- masks */
static void start_band (sol_rule_input_t *in) { start_clip (in, in->param[0], in->param[1]); }
static sol_term_t icepop (const sol_rule_input_t *in) { return in->d < in->log_low || in->d > in->log_high ? masked : ratio (in); }
static void start_opsm (sol_rule_input_t *in) { start_clip (in, 1 - in->param[1], 1 + in->param[2]); }
static sol_term_t opsm (const sol_rule_input_t *in) { return in->A < 0 && -in->mean_d > in->param[0] ? masked : grpo (in); }
static sol_term_t dppo_tv (const sol_rule_input_t *in)
{
  const double shift = sol_exp_exact (in->lp + in->d) - sol_exp_exact (in->lp);
  return (in->A > 0 && shift > in->param[0]) || (in->A < 0 && shift < -in->param[0]) ? masked : ratio (in);
}

/* ---- a soft gate: p = sigmoid (t (r - 1)), by e^-|x| so that nothing overflows */
static sol_term_t sapo (const sol_rule_input_t *in)
{
  const double t = in->param[in->A > 0 ? 0 : 1], r = sol_exp_exact (in->d), x = t * (r - 1), e = sol_exp_exact (-fabs (x));
  const double p = (x >= 0 ? 1 : e) / (1 + e), slope = e == 0 ? 0 : 4 * e / ((1 + e) * (1 + e)) * r;
  return (sol_term_t){ 4 / t * p * in->A, slope * in->A, 0 };
}

#define MOST 1e30
#define TAU { "tau", 0.04, 0, MOST, "bound of the mean squared log-ratio, nats^2", "objective.tau" }
#define EPS(low, high)                                                                                                                        \
  { "eps_low", low, 0, 1, "a ratio is clipped under 1 - this", "objective.clip_low" }, { "eps_high", high, 0, MOST, "a ratio is clipped over 1 + this", "objective.clip_high" }

const sol_rule_t sol_rules[] = {
  { .name = "m2po", .doc = "M2PO: masks the largest squared log-ratios of the trust-region set until their mean is within tau", .select = SOL_SELECT_T, .token = m2po, .param = { TAU } },
  { .name = "m2po_clip", .doc = "M2PO as released: a clip band whose width keeps the capped mean within tau", .select = SOL_SELECT_CAP_T, .token = m2po_clip, .param = { TAU } },
  { .name = "m2po_all", .doc = "M2PO over all tokens, mean strictly under tau, divided by the tokens kept", .share = SOL_SHARE_KEPT, .select = SOL_SELECT_ALL, .token = m2po, .param = { TAU } },
  { .name = "grpo", .doc = "GRPO: the ratio of each token clipped, mean over tokens", .start = start_eps, .token = grpo, .param = { EPS (0.2, 0.2) } },
  { .name = "grpo_no_tr", .doc = "GRPO without a trust region: the ratio as it is", .token = ratio },
  { .name = "gspo", .doc = "GSPO: one ratio a sequence, the geometric mean of its tokens', clipped", .share = SOL_SHARE_SEQUENCE, .one_advantage = 1, .start = start_eps, .sequence = gspo_sequence,
    .token = of_sequence,
    .param = { { "eps_low", 3e-4, 0, 1, "a sequence's ratio is clipped under 1 - this", "objective.gspo_low" }, { "eps_high", 4e-4, 0, MOST, "and over 1 + this", "objective.gspo_high" } } },
  { .name = "dapo", .doc = "DAPO: GRPO with a wider clip above", .start = start_eps, .token = grpo, .param = { EPS (0.2, 0.28) } },
  { .name = "dr_grpo", .doc = "Dr. GRPO: GRPO divided by sequences times the longest response allowed", .share = SOL_SHARE_LENGTH, .start = start_eps, .token = grpo,
    .param = { EPS (0.2, 0.2), { "max_length", 64, 1, MOST, "longest response allowed, tokens", "rollout.max_tokens" } } },
  { .name = "cispo", .doc = "CISPO: the ratio, capped, as a constant weight on the log-probability", .needs_lp = 1, .start = start_cap, .token = cispo,
    .param = { { "cap", 5, 1e-30, MOST, "largest weight", "objective.cap" } } },
  { .name = "tis", .doc = "truncated importance sampling by token", .needs_lp = 1, .start = start_cap, .token = cispo, .param = { { "cap", 2, 1e-30, MOST, "largest weight", "objective.cap" } } },
  { .name = "seq_tis", .doc = "truncated importance sampling by the ratio of the whole sequence", .needs_lp = 1, .start = start_cap, .token = seq_tis,
    .param = { { "cap", 2, 1e-30, MOST, "largest weight", "objective.cap" } } },
  { .name = "icepop", .doc = "IcePop: masks tokens whose ratio is outside a band", .band = 1, .start = start_band, .token = icepop,
    .param = { { "low", 0.5, 0, MOST, "smallest ratio that stays", "objective.low" }, { "high", 5, 1e-30, MOST, "largest ratio that stays", "objective.high" } } },
  { .name = "decoupled_ppo", .doc = "decoupled PPO: the clip is about the policy at the start of the batch", .needs_prox = 1, .start = start_eps, .token = decoupled_ppo, .param = { EPS (0.2, 0.2) } },
  { .name = "topr", .doc = "TOPR: bad sequences weighed by their ratio, at most 1; good ones by 1", .needs_lp = 1, .one_advantage = 1, .token = topr },
  { .name = "opsm", .doc = "masks bad sequences that have become unlikely, else GRPO", .one_advantage = 1, .start = start_opsm, .token = opsm,
    .param = { { "delta", 0.5, 0, MOST, "a bad sequence is masked when its mean log-ratio is under minus this, nats", "objective.delta" }, EPS (0.2, 0.2) } },
  { .name = "dppo_tv", .doc = "masks tokens whose probability has moved outwards by more than delta", .needs_lp = 1, .token = dppo_tv,
    .param = { { "delta", 0.2, 0, MOST, "largest change of a probability", "objective.delta" } } },
  { .name = "sapo", .doc = "SAPO: a sigmoid of the ratio in place of the clip", .share = SOL_SHARE_SEQUENCE, .token = sapo,
    .param = { { "t_pos", 1, 1e-30, MOST, "steepness where the advantage is positive", "objective.t_pos" }, { "t_neg", 1.05, 1e-30, MOST, "steepness elsewhere", "objective.t_neg" } } },
  { .name = "vespo", .doc = "VESPO: a smooth weight w^c1 e^(c2 (1 - w)) of the sequence's ratio w", .needs_lp = 1, .one_advantage = 1, .token = vespo,
    .param = { { "pos_c1", 2, 0, MOST, "c1 where the advantage is not negative", "objective.pos_c1" }, { "pos_c2", 3, 0, MOST, "c2 there", "objective.pos_c2" },
               { "neg_c1", 3, 0, MOST, "c1 where it is negative", "objective.neg_c1" }, { "neg_c2", 2, 0, MOST, "c2 there", "objective.neg_c2" } } },
  { .name = "gmpo", .doc = "GMPO: the geometric mean of a sequence's clipped ratios", .share = SOL_SHARE_SEQUENCE, .one_advantage = 1, .sequence = gmpo_sequence, .token = gmpo,
    .param = { { "low", 0.4, 0, MOST, "bad sequences: a log-ratio is clipped under minus this, nats", "objective.low" }, { "high", 0.4, 0, MOST, "good sequences: and over this, nats", "objective.high" } } },
};
const int sol_n_rules = sizeof sol_rules / sizeof *sol_rules;
