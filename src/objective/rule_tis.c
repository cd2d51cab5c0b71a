/* SPDX-License-Identifier: Apache-2.0 */
/* Truncated importance sampling by token. */
#include "rules.h"

static void start (sol_rule_input_t *in) { sol_rule_start_cap (in, in->param[0]); }
static sol_term_t token (const sol_rule_input_t *in) { return sol_rule_capped (in, in->d, in->param[0]); }

const sol_rule_t sol_rule_tis = { .name = "tis", .paper = "Ionides 2008, Truncated importance sampling", .doc = "truncated importance sampling by token", .needs_lp = 1, .start = start, .token = token,
                                  .param = { SOL_RULE_CAP (2) } };
