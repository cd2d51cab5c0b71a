/* SPDX-License-Identifier: Apache-2.0 */
/* report_lags.c: what an update's tokens are by lag: number, clipped, M2, effective sample size, log-ratios. */
#include "learner_internal.h"
#include <math.h>

enum { N, CLIPPED, D2, R, R2, BIN, SUMS = BIN + SOL_METRICS_BINS };

sol_status_t sol_report_lags (sol_learner_t *l, sol_metrics_row_t *m)
{
  const sol_columns_t *k = &l->col;
  double sum[SOL_METRICS_LAGS][SUMS] = { { 0 } };
  for (int64_t i = 0; i < k->n; i++) {
    const double d = (double) k->d[i], r = exp (d);
    double *s = sum[sol_metrics_lag_bucket (l->update - k->version[i])];
    s[N] += 1;
    s[CLIPPED] += (k->verdict[i] & (SOL_VERDICT_HIGH | SOL_VERDICT_LOW | SOL_VERDICT_MASKED)) != 0;
    s[D2] += d * d;
    s[R] += r;
    s[R2] += r * r;
    s[BIN + sol_metrics_ratio_bin (d)] += 1;
  }
  SOL_TRY (sol_comm_sum_f64 (l->p.comm, sum[0], SOL_METRICS_LAGS * SUMS));
  for (int b = 0; b < SOL_METRICS_LAGS; b++) {
    const double *s = sum[b], n = s[N] > 0 ? s[N] : NAN;
    sol_metrics_lag_t *to = &m->lag[b];
    *to = (sol_metrics_lag_t){ .n = (int64_t) s[N], .clipped = (int64_t) s[CLIPPED], .m2 = s[D2] / n, .ess = s[R2] > 0 ? s[R] * s[R] / s[R2] / n : NAN };
    for (int i = 0; i < SOL_METRICS_BINS; i++) to->d[i] = (int64_t) s[BIN + i];
  }
  return SOL_OK;
}
