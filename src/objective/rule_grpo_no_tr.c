/* SPDX-License-Identifier: Apache-2.0 */
/* GRPO without a trust region: what stale tokens do when nothing holds them. */
#include "rules.h"

const sol_rule_t sol_rule_grpo_no_tr = { .name = "grpo_no_tr", .paper = "arXiv 2510.01161, as a baseline", .doc = "GRPO without a trust region: the ratio as it is", .token = sol_rule_ratio };
