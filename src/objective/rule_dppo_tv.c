/* SPDX-License-Identifier: Apache-2.0 */
/* DPPO with total variation: a token is masked when its probability has moved outwards too far, whatever its ratio. */
#include "rules.h"
#include "solera/elementary.h"

static sol_term_t token (const sol_rule_input_t *in)
{
  const double shift = sol_exp_exact (in->lp + in->d) - sol_exp_exact (in->lp);
  return (in->A > 0 && shift > in->param[0]) || (in->A < 0 && shift < -in->param[0]) ? sol_term_masked : sol_rule_ratio (in);
}

const sol_rule_t sol_rule_dppo_tv = { .name = "dppo_tv", .paper = "arXiv 2602.04879", .doc = "masks tokens whose probability has moved outwards by more than delta", .needs_lp = 1, .token = token,
                                      .param = { { "delta", 0.2, 0, SOL_RULE_MOST, "largest change of a probability", "objective.delta" } } };
