/* SPDX-License-Identifier: Apache-2.0 */
/* M2PO as its authors released it: a clip band as wide as the budget allows. solve.c leaves the band [e^-sqrt cut, e^sqrt cut] in low and high. */
#include "rules.h"

static sol_term_t token (const sol_rule_input_t *in)
{
  if (!in->removed) return sol_rule_ratio (in);
  return in->A > 0 ? (sol_term_t){ in->high * in->A, 0, SOL_VERDICT_HIGH } : (sol_term_t){ in->low * in->A, 0, SOL_VERDICT_LOW };
}

const sol_rule_t sol_rule_m2po_clip = { .name = "m2po_clip", .paper = "arXiv 2510.01161, the released code", .doc = "M2PO as released: a clip band whose width keeps the capped mean within tau",
                                        .select = SOL_SELECT_CAP_T, .token = token, .param = { SOL_RULE_TAU } };
