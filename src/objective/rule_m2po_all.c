/* SPDX-License-Identifier: Apache-2.0 */
/* M2PO over all tokens, whatever their advantage: a reading of the paper that other code has. */
#include "rules.h"

static sol_term_t token (const sol_rule_input_t *in) { return in->removed ? sol_term_masked : sol_rule_ratio (in); }

const sol_rule_t sol_rule_m2po_all = { .name = "m2po_all", .paper = "arXiv 2510.01161, read over all tokens", .doc = "M2PO over all tokens, mean strictly under tau, divided by the tokens kept",
                                       .share = SOL_SHARE_KEPT, .select = SOL_SELECT_ALL, .token = token, .param = { SOL_RULE_TAU } };
