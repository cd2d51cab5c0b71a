/* SPDX-License-Identifier: Apache-2.0 */
/* GMPO: the geometric mean of a sequence's ratios, each clipped before. */
#include "rules.h"
#include "solera/elementary.h"

static void sequence (sol_rule_input_t *in, const float *d, int64_t n)
{
  sol_carried_t c = { 0, 0 };
  for (int64_t i = 0; i < n; i++) {
    const double x = (double) d[i];
    sol_rule_carry (&c, in->adv > 0 && x > in->param[1] ? in->param[1] : in->adv < 0 && x < -in->param[0] ? -in->param[0] : x);
  }
  in->value = sol_rule_times (sol_exp_exact ((c.sum + c.error) / (double) n), in->adv);
}
static sol_term_t token (const sol_rule_input_t *in)
{
  const unsigned bits = in->A > 0 && in->d > in->param[1] ? SOL_VERDICT_HIGH : in->A < 0 && in->d < -in->param[0] ? SOL_VERDICT_LOW : 0;
  return (sol_term_t){ in->value, bits ? 0 : in->value, bits };
}

const sol_rule_t sol_rule_gmpo = { .name = "gmpo", .paper = "arXiv 2507.20673", .doc = "GMPO: the geometric mean of a sequence's clipped ratios", .share = SOL_SHARE_SEQUENCE, .one_advantage = 1, .sequence = sequence,
                                   .token = token,
                                   .param = { { "low", 0.4, 0, SOL_RULE_MOST, "bad sequences: a log-ratio is clipped under minus this, nats", "objective.low" },
                                              { "high", 0.4, 0, SOL_RULE_MOST, "good sequences: and over this, nats", "objective.high" } } };
