/* SPDX-License-Identifier: Apache-2.0 */
/* SAPO: a soft gate in place of the clip, p = sigmoid (t (r - 1)), by e^-|x| so that nothing overflows. */
#include "rules.h"
#include "solera/elementary.h"
#include <math.h>

static sol_term_t token (const sol_rule_input_t *in)
{
  const double t = in->param[in->A > 0 ? 0 : 1], r = sol_exp_exact (in->d), x = t * (r - 1), e = sol_exp_exact (-fabs (x));
  const double p = (x >= 0 ? 1 : e) / (1 + e), slope = e == 0 ? 0 : 4 * e / ((1 + e) * (1 + e)) * r;
  return (sol_term_t){ 4 / t * p * in->A, slope * in->A, 0 };
}

const sol_rule_t sol_rule_sapo = { .name = "sapo", .paper = "arXiv 2511.20347", .doc = "SAPO: a sigmoid of the ratio in place of the clip", .share = SOL_SHARE_SEQUENCE, .token = token,
                                   .param = { { "t_pos", 1, 1e-30, SOL_RULE_MOST, "steepness where the advantage is positive", "objective.t_pos" },
                                              { "t_neg", 1.05, 1e-30, SOL_RULE_MOST, "steepness elsewhere", "objective.t_neg" } } };
