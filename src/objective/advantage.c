/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/log.h"
#include "solera/objective.h"
#include "total.h"
#include <math.h>

static double sum_of (const double *x, int64_t n, double minus, int squared)
{
  sol_total_t t = { 0 };
  for (int64_t i = 0; i < n; i++) sol_total_add (&t, squared ? (x[i] - minus) * (x[i] - minus) : x[i]);
  return sol_total_round (&t);
}

sol_status_t sol_advantage_solve (int kind, const double *reward, int n, double *adv)
{
  int equal = 1;
  double mean, scale = 1;
  if (n < 1) return sol_fail (SOL_ERR_USAGE, "objective", "an advantage needs at least one response, found %d", n);
  if (kind == SOL_ADVANTAGE_RLOO && n < 2) return sol_fail (SOL_ERR_USAGE, "objective", "leave-one-out needs at least two responses a prompt, found %d", n);
  for (int i = 0; i < n; i++) {
    if (!isfinite (reward[i])) return sol_fail (SOL_ERR_NUMERIC, "objective", "the reward of response %d is %g", i, reward[i]);
    equal &= reward[i] == reward[0];
  }
  if (equal) { /* before any arithmetic: the mean of three 0.1 is not 0.1 */
    for (int i = 0; i < n; i++) adv[i] = 0;
    return SOL_OK;
  }
  mean = sum_of (reward, n, 0, 0) / n;
  if (kind == SOL_ADVANTAGE_GRPO) scale = 1 / (sqrt (sum_of (reward, n, mean, 1) / (n - 1)) + 1e-6);
  if (kind == SOL_ADVANTAGE_RLOO) scale = (double) n / (n - 1);
  for (int i = 0; i < n; i++) adv[i] = (reward[i] - mean) * scale;
  return SOL_OK;
}

/* (x - mean) / (std + 1e-6) over all of them; all equal: exactly 0 */
static void normalise (double *x, int64_t n, double mean)
{
  double scale;
  int64_t equal = 1;
  while (equal < n && x[equal] == x[0]) equal++;
  if (equal == n) {
    for (int64_t i = 0; i < n; i++) x[i] = 0;
    return;
  }
  scale = 1 / (sqrt (sum_of (x, n, mean, 1) / (double) (n - 1)) + 1e-6);
  for (int64_t i = 0; i < n; i++) x[i] = (x[i] - mean) * scale;
}

sol_status_t sol_advantage_batch (int kind, const double *reward, int64_t groups, int n, double *adv)
{
  const int64_t all = groups * n;
  for (int64_t g = 0; g < groups; g++) /* also says which reward is not finite */
    SOL_TRY (sol_advantage_solve (kind == SOL_ADVANTAGE_GLOBAL || kind == SOL_ADVANTAGE_GROUP_GLOBAL ? SOL_ADVANTAGE_DR_GRPO : kind, reward + g * n, n, adv + g * n));
  if (kind == SOL_ADVANTAGE_GROUP_GLOBAL) normalise (adv, all, 0);
  if (kind == SOL_ADVANTAGE_GLOBAL) {
    for (int64_t i = 0; i < all; i++) adv[i] = reward[i];
    normalise (adv, all, sum_of (reward, all, 0, 0) / (double) all);
  }
  return SOL_OK;
}
