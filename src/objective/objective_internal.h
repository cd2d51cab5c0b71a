/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOL_OBJECTIVE_INTERNAL_H
#define SOL_OBJECTIVE_INTERNAL_H
#include "rules.h"
#include "select.h"

struct sol_objective {
  const sol_rule_t *rule;
  double param[SOL_RULE_PARAMS];
  /* room for the tokens of an update, grows */
  int64_t room;
  uint32_t *key;    /* bits of M2 for what the rule selects from (T, or all), else SOL_KEY_NONE */
  uint8_t *removed, *verdict;
  double *c;
  sol_select_t select;
};
#endif
