/* SPDX-License-Identifier: Apache-2.0 */
/* IcePop: tokens whose ratio is outside a band are masked, whatever their advantage. */
#include "rules.h"

static void start (sol_rule_input_t *in) { sol_rule_start_clip (in, in->param[0], in->param[1]); }
static sol_term_t token (const sol_rule_input_t *in) { return in->d < in->log_low || in->d > in->log_high ? sol_term_masked : sol_rule_ratio (in); }

const sol_rule_t sol_rule_icepop = { .name = "icepop", .paper = "arXiv 2510.18855", .doc = "IcePop: masks tokens whose ratio is outside a band", .band = 1, .start = start, .token = token,
                                     .param = { { "low", 0.5, 0, SOL_RULE_MOST, "smallest ratio that stays", "objective.low" },
                                                { "high", 5, 1e-30, SOL_RULE_MOST, "largest ratio that stays", "objective.high" } } };
