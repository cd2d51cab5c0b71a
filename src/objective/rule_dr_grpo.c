/* SPDX-License-Identifier: Apache-2.0 */
/* Dr. GRPO: a token weighs 1 / (sequences * longest response allowed), so that no length is favoured. Goes with objective.advantage: dr_grpo. */
#include "rules.h"

const sol_rule_t sol_rule_dr_grpo = { .name = "dr_grpo", .paper = "arXiv 2503.20783", .doc = "Dr. GRPO: GRPO divided by sequences times the longest response allowed", .share = SOL_SHARE_LENGTH,
                                      .start = sol_rule_start_eps, .token = sol_rule_clipped_token,
                                      .param = { SOL_RULE_EPS (0.2, 0.2), { "max_length", 64, 1, SOL_RULE_MOST, "longest response allowed, tokens", "rollout.max_tokens" } } };
