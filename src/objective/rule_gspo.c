/* SPDX-License-Identifier: Apache-2.0 */
/* GSPO: a sequence has one ratio, the geometric mean of its tokens', and is clipped as a whole. */
#include "rules.h"

static void sequence (sol_rule_input_t *in, const float *d, int64_t n)
{
  (void) d, (void) n;
  const sol_term_t t = sol_rule_clip (in, in->mean_d, in->adv);
  in->value = t.f;
  in->grad = t.g;
  in->bits = t.bits;
}
static sol_term_t token (const sol_rule_input_t *in) { return (sol_term_t){ in->value, in->grad, in->bits }; }

const sol_rule_t sol_rule_gspo = { .name = "gspo", .paper = "arXiv 2507.18071", .doc = "GSPO: one ratio a sequence, the geometric mean of its tokens', clipped", .share = SOL_SHARE_SEQUENCE, .one_advantage = 1,
                                   .start = sol_rule_start_eps, .sequence = sequence, .token = token,
                                   .param = { { "eps_low", 3e-4, 0, 1, "a sequence's ratio is clipped under 1 - this", "objective.gspo_low" },
                                              { "eps_high", 4e-4, 0, SOL_RULE_MOST, "and over 1 + this", "objective.gspo_high" } } };
