/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/log.h"
#include "solera/objective.h"
#include "total.h"
#include <math.h>

static double sum_of (const double *x, int n, double minus, int squared)
{
  sol_total_t t = { 0 };
  for (int i = 0; i < n; i++) sol_total_add (&t, squared ? (x[i] - minus) * (x[i] - minus) : x[i]);
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

double sol_overlong_penalty (int64_t length, int64_t limit, int64_t margin)
{
  if (length <= limit - margin) return 0;
  return length > limit ? -1 : (double) (limit - margin - length) / (double) margin;
}
