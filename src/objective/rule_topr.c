/* SPDX-License-Identifier: Apache-2.0 */
/* TOPR: good sequences are learnt as they are, bad ones by their truncated ratio. */
#include "rules.h"
#include "solera/elementary.h"

static sol_term_t token (const sol_rule_input_t *in)
{
  if (in->A >= 0) return sol_rule_weighted (in, 1, 0);
  return in->sum_d > 0 ? sol_rule_weighted (in, 1, SOL_VERDICT_HIGH) : sol_rule_weighted (in, sol_exp_exact (in->sum_d), 0);
}

const sol_rule_t sol_rule_topr = { .name = "topr", .paper = "arXiv 2503.14286", .doc = "TOPR: bad sequences weighed by their ratio, at most 1; good ones by 1", .needs_lp = 1, .one_advantage = 1, .token = token };
