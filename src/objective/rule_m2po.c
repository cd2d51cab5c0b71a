/* SPDX-License-Identifier: Apache-2.0 */
/* M2PO, Algorithm 1: what the selection removes from T is masked, the rest has its ratio without any clip. */
#include "rules.h"

static sol_term_t token (const sol_rule_input_t *in) { return in->removed ? sol_term_masked : sol_rule_ratio (in); }

const sol_rule_t sol_rule_m2po = { .name = "m2po", .paper = "arXiv 2510.01161, algorithm 1", .doc = "M2PO: masks the largest squared log-ratios of the trust-region set until their mean is within tau",
                                   .select = SOL_SELECT_T, .token = token, .param = { SOL_RULE_TAU } };
