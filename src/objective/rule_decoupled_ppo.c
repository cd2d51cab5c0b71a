/* SPDX-License-Identifier: Apache-2.0 */
/* Decoupled PPO: the clip is about the policy at the start of the batch, the weight leads from it to the one that generated. */
#include "rules.h"
#include "solera/elementary.h"

static sol_term_t token (const sol_rule_input_t *in)
{
  const double w = sol_exp_exact (in->d_prox);
  const sol_term_t t = sol_rule_clip (in, in->d - in->d_prox, in->A);
  return (sol_term_t){ sol_rule_times (w, t.f), sol_rule_times (w, t.g), t.bits };
}

const sol_rule_t sol_rule_decoupled_ppo = { .name = "decoupled_ppo", .paper = "arXiv 2505.24298", .doc = "decoupled PPO: the clip is about the policy at the start of the batch", .needs_prox = 1,
                                            .start = sol_rule_start_eps, .token = token, .param = { SOL_RULE_EPS (0.2, 0.2) } };
