/* SPDX-License-Identifier: Apache-2.0 */
/* Advantages and the length penalty against the reference. */
#include "golden.h"
#include "../tap.h"
#include "solera/task.h"
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

/* over an update batch, beside the formula; in any order of groups and responses the same bytes */
static void test_batch (void)
{
  enum { GROUPS = 37, N = 5, ALL = GROUPS * N };
  double r[ALL], other[ALL], centred[ALL], global[ALL], group[ALL], x[ALL];
  long double mean = 0, sum2 = 0, centred2 = 0;
  uint32_t seed = 12345;
  int good = 1;
  for (int i = 0; i < ALL; i++) {
    seed = seed * 1664525u + 1013904223u;
    r[i] = i / N % 4 == 1 ? 0.1 : (double) (seed >> 8) * 0x1p-24 * (i % 3 ? 1 : 1000); /* every fourth group: all equal */
    mean += (long double) r[i] / ALL;
  }
  for (int g = 0; g < GROUPS; g++) {
    long double m = 0;
    for (int k = 0; k < N; k++) m += (long double) r[g * N + k] / N;
    for (int k = 0; k < N; k++) {
      centred[g * N + k] = g % 4 == 1 ? 0 : (double) ((long double) r[g * N + k] - m);
      centred2 += (long double) centred[g * N + k] * (long double) centred[g * N + k];
    }
  }
  for (int i = 0; i < ALL; i++) sum2 += ((long double) r[i] - mean) * ((long double) r[i] - mean);
  ok (sol_advantage_batch (SOL_ADVANTAGE_GLOBAL, r, GROUPS, N, global) == SOL_OK && sol_advantage_batch (SOL_ADVANTAGE_GROUP_GLOBAL, r, GROUPS, N, group) == SOL_OK);
  for (int i = 0; i < ALL; i++) {
    const long double want = ((long double) r[i] - mean) / (sqrtl (sum2 / (ALL - 1)) + 1e-6L), want2 = (long double) centred[i] / (sqrtl (centred2 / (ALL - 1)) + 1e-6L);
    good &= fabsl ((long double) global[i] - want) < 1e-12L && fabsl ((long double) group[i] - want2) < 1e-12L;
    if (i / N % 4 == 1) good &= group[i] == 0 && global[i] != 0; /* global sees groups whose rewards are all equal */
  }
  tap_ok (good, "global and group_global are their formulas");
  for (int i = 0; i < ALL; i++) other[ALL - 1 - i] = r[i];
  good = sol_advantage_batch (SOL_ADVANTAGE_GLOBAL, other, GROUPS, N, x) == SOL_OK;
  for (int i = 0; i < ALL; i++) good &= !memcmp (&x[ALL - 1 - i], &global[i], sizeof *x);
  good &= sol_advantage_batch (SOL_ADVANTAGE_GROUP_GLOBAL, other, GROUPS, N, x) == SOL_OK;
  for (int i = 0; i < ALL; i++) good &= !memcmp (&x[ALL - 1 - i], &group[i], sizeof *x);
  tap_ok (good, "the same bytes in another order");
  good = sol_advantage_batch (SOL_ADVANTAGE_RLOO, r, GROUPS, N, x) == SOL_OK;
  for (int g = 0; g < GROUPS; g++) {
    double one[N];
    good &= sol_advantage_solve (SOL_ADVANTAGE_RLOO, r + g * N, N, one) == SOL_OK && !memcmp (one, x + g * N, sizeof one);
  }
  tap_ok (good, "the others look at their group only");
  for (int i = 0; i < ALL; i++) r[i] = 0.1;
  good = sol_advantage_batch (SOL_ADVANTAGE_GLOBAL, r, GROUPS, N, x) == SOL_OK;
  for (int i = 0; i < ALL; i++) good &= x[i] == 0;
  tap_ok (good, "all rewards of a batch equal: exactly 0");
  ok (sol_advantage_batch (SOL_ADVANTAGE_GLOBAL, r, 1, 1, x) == SOL_OK && x[0] == 0);
  r[7] = NAN;
  ok (sol_advantage_batch (SOL_ADVANTAGE_GLOBAL, r, GROUPS, N, x) == SOL_ERR_NUMERIC);
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
  test_batch ();
  return tap_done ();
}
