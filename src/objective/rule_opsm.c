/* SPDX-License-Identifier: Apache-2.0 */
/* Off-policy sequence masking: a bad sequence that has become unlikely is left out; else GRPO. */
#include "rules.h"

static void start (sol_rule_input_t *in) { sol_rule_start_clip (in, 1 - in->param[1], 1 + in->param[2]); }
static sol_term_t token (const sol_rule_input_t *in) { return in->A < 0 && -in->mean_d > in->param[0] ? sol_term_masked : sol_rule_clipped_token (in); }

const sol_rule_t sol_rule_opsm = { .name = "opsm", .paper = "arXiv 2512.02556", .doc = "masks bad sequences that have become unlikely, else GRPO", .one_advantage = 1, .start = start, .token = token,
                                   .param = { { "delta", 0.5, 0, SOL_RULE_MOST, "a bad sequence is masked when its mean log-ratio is under minus this, nats", "objective.delta" }, SOL_RULE_EPS (0.2, 0.2) } };
