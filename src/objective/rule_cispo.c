/* SPDX-License-Identifier: Apache-2.0 */
/* CISPO: the capped ratio is a constant weight, so that every token keeps a gradient. */
#include "rules.h"

static void start (sol_rule_input_t *in) { sol_rule_start_cap (in, in->param[0]); }
static sol_term_t token (const sol_rule_input_t *in) { return sol_rule_capped (in, in->d, in->param[0]); }

const sol_rule_t sol_rule_cispo = { .name = "cispo", .paper = "arXiv 2506.13585", .doc = "CISPO: the ratio, capped, as a constant weight on the log-probability", .needs_lp = 1, .start = start, .token = token,
                                    .param = { SOL_RULE_CAP (5) } };
