/* SPDX-License-Identifier: Apache-2.0 */
/* GRPO: the ratio of each token, clipped where that lowers the value. */
#include "rules.h"

const sol_rule_t sol_rule_grpo = { .name = "grpo", .paper = "arXiv 2402.03300", .doc = "GRPO: the ratio of each token clipped, mean over tokens", .start = sol_rule_start_eps, .token = sol_rule_clipped_token,
                                   .param = { SOL_RULE_EPS (0.2, 0.2) } };
