/* SPDX-License-Identifier: Apache-2.0 */
/* The gate of M2PO together with a truncated importance weight: what the gate removes is masked, and what it keeps has the weight min (r, cap) as a constant on its log-probability, so that
 * tokens outside T, which the gate never touches, are bounded too. */
#include "rules.h"

static void start (sol_rule_input_t *in) { sol_rule_start_cap (in, in->param[1]); }
static sol_term_t token (const sol_rule_input_t *in) { return in->removed ? sol_term_masked : sol_rule_capped (in, in->d, in->param[1]); }

const sol_rule_t sol_rule_m2po_tis = { .name = "m2po_tis", .paper = "arXiv 2510.01161, with the weight of tis", .doc = "the gate of M2PO, and a truncated importance weight on what it keeps", .needs_lp = 1,
                                       .select = SOL_SELECT_T, .start = start, .token = token, .param = { SOL_RULE_TAU, SOL_RULE_CAP (2) } };
