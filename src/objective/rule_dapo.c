/* SPDX-License-Identifier: Apache-2.0 */
/* DAPO's clip: wider above than below. Its other parts are settings of their own (overlong penalty, dynamic sampling). */
#include "rules.h"

const sol_rule_t sol_rule_dapo = { .name = "dapo", .paper = "arXiv 2503.14476", .doc = "DAPO: GRPO with a wider clip above", .start = sol_rule_start_eps, .token = sol_rule_clipped_token,
                                   .param = { SOL_RULE_EPS (0.2, 0.28) } };
