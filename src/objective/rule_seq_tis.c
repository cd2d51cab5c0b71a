/* SPDX-License-Identifier: Apache-2.0 */
/* Truncated importance sampling by the ratio of the whole sequence, through the sum of its logarithms. */
#include "rules.h"

static void start (sol_rule_input_t *in) { sol_rule_start_cap (in, in->param[0]); }
static sol_term_t token (const sol_rule_input_t *in) { return sol_rule_capped (in, in->sum_d, in->param[0]); }

const sol_rule_t sol_rule_seq_tis = { .name = "seq_tis", .paper = "Ionides 2008, Truncated importance sampling", .doc = "truncated importance sampling by the ratio of the whole sequence", .needs_lp = 1, .start = start,
                                      .token = token, .param = { SOL_RULE_CAP (2) } };
