/* SPDX-License-Identifier: Apache-2.0 */
/* Advantages and the length penalty against the reference. */
#include "golden.h"
#include "../tap.h"
#include <math.h>

/* the groups of one row one after the other; -1: refused where it should not be, or the other way round */
static int compare (const cJSON *row, int kind, const char *name)
{
  const cJSON *reward = cJSON_GetObjectItem (row, "reward"), *group = cJSON_GetObjectItem (row, "group"), *want = cJSON_GetObjectItem (cJSON_GetObjectItem (row, "expect"), name);
  const int n = cJSON_GetArraySize (reward);
  int bad = 0, refused = 0;
  for (int first = 0; first < n; first++) {
    double r[64], adv[64], id = cJSON_GetArrayItem (group, first)->valuedouble;
    int at[64], m = 0, seen = 0;
    for (int i = 0; i < n; i++) {
      if (cJSON_GetArrayItem (group, i)->valuedouble != id) continue;
      seen |= i < first;
      at[m] = i;
      r[m++] = cJSON_GetArrayItem (reward, i)->valuedouble;
    }
    if (seen) continue;
    if (sol_advantage_solve (kind, r, m, adv) != SOL_OK) {
      refused = 1;
      continue;
    }
    for (int k = 0; k < m && cJSON_IsArray (want); k++) {
      const double x = cJSON_GetArrayItem (want, at[k])->valuedouble;
      bad += !(adv[k] == x || fabs (adv[k] - x) <= 1e-12 * fabs (x)) || (x == 0 && signbit (adv[k]));
    }
  }
  return refused != cJSON_IsNull (want) ? -1 : bad;
}

int main (void)
{
  static const char *const name[] = { "grpo", "dr_grpo", "rloo" };
  size_t bytes;
  char *text = data_file ("advantage.jsonl", &bytes), *save = NULL;
  int advantages = 0, penalties = 0;
  double adv[2], r[2] = { 1, NAN };
  need (text);
  for (char *line = strtok_r (text, "\n", &save); line; line = strtok_r (NULL, "\n", &save)) {
    cJSON *row = cJSON_Parse (line);
    if (!strcmp (cJSON_GetObjectItem (row, "kind")->valuestring, "advantage")) {
      for (int k = 0; k < 3; k++) tap_ok (compare (row, k, name[k]) == 0, "%s: %s", cJSON_GetObjectItem (row, "id")->valuestring, name[k]);
      advantages++;
    } else {
      const int64_t length = (int64_t) cJSON_GetObjectItem (row, "length")->valuedouble, limit = (int64_t) cJSON_GetObjectItem (row, "limit")->valuedouble,
                    margin = (int64_t) cJSON_GetObjectItem (row, "margin")->valuedouble;
      tap_ok (fabs (sol_overlong_penalty (length, limit, margin) - cJSON_GetObjectItem (row, "penalty")->valuedouble) <= 1e-12, "overlong %d of %d", (int) length, (int) limit);
      penalties++;
    }
    cJSON_Delete (row);
  }
  sol_free (text);
  ok (advantages == 9 && penalties == 8);
  ok (sol_advantage_solve (SOL_ADVANTAGE_GRPO, r, 2, adv) == SOL_ERR_NUMERIC && sol_advantage_solve (SOL_ADVANTAGE_GRPO, r, 0, adv) == SOL_ERR_USAGE);
  return tap_done ();
}
