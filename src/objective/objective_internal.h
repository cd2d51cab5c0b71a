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
  uint32_t *key;    /* bits of M2 (or k3) for what the rule selects from (T, or all), else SOL_KEY_NONE */
  uint8_t *removed, *verdict;
  double *c;
  sol_select_t select;
};

/* ---- refusals */
enum { SOL_WHY_NONE, SOL_WHY_MEMORY, SOL_WHY_D, SOL_WHY_ADV, SOL_WHY_M2, SOL_WHY_K3, SOL_WHY_LP, SOL_WHY_PROX, SOL_WHY_REFERENCE, SOL_WHY_CHECK, SOL_WHY_ENTROPY, SOL_WHY_C /* the last of what is not finite */, SOL_WHY_NO_LP,
       SOL_WHY_NO_PROX, SOL_WHY_VARIES, SOL_N_WHY };
typedef struct { int64_t why, seq, index; double d, adv, c; } sol_report_t; /* starts as { .why = SOL_WHY_NONE, .seq = INT64_MAX } */
/* keeps the report that comes first: by kind, then in global order. Tokens of a sequence come in order. */
void sol_report (sol_report_t *r, int64_t why, const sol_tokens_t *t, int64_t i, double c);
/* collective: the first report of all ranks, as a status on all */
sol_status_t sol_report_agree (const char *name, sol_comm_t *comm, sol_report_t mine, sol_refusal_t *refusal_p);
#endif
