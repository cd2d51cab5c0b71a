/* SPDX-License-Identifier: Apache-2.0 */
/* VESPO: a smooth weight of the sequence's ratio, which falls again where that is large. */
#include "rules.h"
#include "solera/elementary.h"

static sol_term_t token (const sol_rule_input_t *in)
{
  const double c1 = in->param[in->A >= 0 ? 0 : 2], c2 = in->param[in->A >= 0 ? 1 : 3];
  const double falling = c2 == 0 ? 0 : c2 * (1 - sol_exp_exact (in->sum_d)); /* exp may be infinite: then the weight is 0 */
  return sol_rule_weighted (in, sol_exp_exact (c1 * in->sum_d + falling), 0);
}

const sol_rule_t sol_rule_vespo = { .name = "vespo", .paper = "arXiv 2602.10693", .doc = "VESPO: a smooth weight w^c1 e^(c2 (1 - w)) of the sequence's ratio w", .needs_lp = 1, .one_advantage = 1, .token = token,
                                    .param = { { "pos_c1", 2, 0, SOL_RULE_MOST, "c1 where the advantage is not negative", "objective.pos_c1" }, { "pos_c2", 3, 0, SOL_RULE_MOST, "c2 there", "objective.pos_c2" },
                                               { "neg_c1", 3, 0, SOL_RULE_MOST, "c1 where it is negative", "objective.neg_c1" }, { "neg_c2", 2, 0, SOL_RULE_MOST, "c2 there", "objective.neg_c2" } } };
