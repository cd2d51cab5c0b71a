/* SPDX-License-Identifier: Apache-2.0 */
/* the best checkpoint of a run, and what its evaluation said */
#include "info.h"
#include "solera/checkpoint.h"
#include "solera/trial.h"

sol_status_t sol_info_best (const char *run, cJSON *facts)
{
  int64_t version;
  double avg, pass;
  sol_status_t st;
  SOL_TRY (sol_checkpoint_best (run, &version));
  if (version < 0) return SOL_OK;
  cJSON *o = cJSON_AddObjectToObject (facts, "best");
  sol_info_int (o, "version", version);
  st = sol_trial_rates (run, version, &avg, &pass);
  if (st == SOL_END) return SOL_OK; /* evals.jsonl was removed */
  SOL_TRY (st);
  cJSON_AddNumberToObject (o, "avg", avg);
  cJSON_AddNumberToObject (o, "pass", pass);
  return SOL_OK;
}
