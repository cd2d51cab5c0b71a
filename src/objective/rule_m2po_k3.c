/* SPDX-License-Identifier: Apache-2.0 */
/* The gate of M2PO with another measure: k3 = r - 1 - log r of a token, whose mean over the behaviour policy's tokens is KL (behaviour || policy). For small log-ratios it is half of M2, so that
 * half of M2PO's bound is as wide; beyond, it weighs what became more likely by r, and what became less likely by |log r| only. */
#include "rules.h"

static sol_term_t token (const sol_rule_input_t *in) { return in->removed ? sol_term_masked : sol_rule_ratio (in); }

const sol_rule_t sol_rule_m2po_k3 = { .name = "m2po_k3", .paper = "arXiv 2510.01161, with k3 (Schulman, Approximating KL divergence) as the gate", .doc = "M2PO with k3 = r - 1 - log r in place of the squared log-ratio",
                                      .select = SOL_SELECT_T, .by_k3 = 1, .token = token,
                                      .param = { { "tau", 0.02, 0, SOL_RULE_MOST, "bound of the mean k3, nats", "objective.tau" } } };
