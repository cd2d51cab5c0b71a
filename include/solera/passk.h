/* SPDX-License-Identifier: Apache-2.0 */
/* passk.h: estimators of an evaluation from what came right of each problem's responses. Pure functions of their arguments, the same bits on every CPU and any number of ranks; nothing is
 * collective. A problem with n responses of which c are right gives
 *   avg@n   c / n, the pass rate of one response;
 *   pass@k  1 - C(n-c, k) / C(n, k) for k <= n: the share of the sets of k responses out of the n that hold a right one. Its expectation is the probability that one of k responses is right,
 *           without bias (Chen et al. 2021, Evaluating Large Language Models Trained on Code, eq. 1).
 * An evaluation is their mean over problems. How far the mean would move with another draw of problems is estimated by the bootstrap (Efron & Tibshirani 1993, An Introduction to the Bootstrap,
 * §13.3, percentile interval): problems are drawn with replacement, as many as there are, SOL_BOOTSTRAP_RESAMPLES times. */
#ifndef SOL_PASSK_H
#define SOL_PASSK_H
#include <stdint.h>

#define SOL_BOOTSTRAP_RESAMPLES 10000
#define SOL_BOOTSTRAP_LEVEL 0.95

typedef struct { int64_t samples, correct; } sol_tally_t; /* of one problem: 0 <= correct <= samples, samples >= 1 */
typedef struct { double mean, low, high; } sol_estimate_t; /* low, high: the interval */

/* of one problem; 1 <= k <= samples */
double sol_pass_at (sol_tally_t t, int64_t k);
/* Mean of x [n] and the percentile interval of its bootstrap: resample r draws its problems by Philox (seed, r, SOL_RANDOM_BOOTSTRAP, 0, place). With R resamples in order the interval is from
 * number floor (R (1 - level) / 2) from below, counted from 0, to the same number from above. n = 0: NaN. 0 < level < 1, resamples >= 1. */
sol_estimate_t sol_bootstrap_mean (const double *x, int64_t n, double level, int resamples, uint64_t seed);
/* mean over problems of c / n, and of pass@k, with the interval at SOL_BOOTSTRAP_LEVEL from SOL_BOOTSTRAP_RESAMPLES. pass: every problem needs k samples or more, else NaN. n = 0: NaN. */
sol_estimate_t sol_tally_avg (const sol_tally_t *t, int64_t n, uint64_t seed);
sol_estimate_t sol_tally_pass (const sol_tally_t *t, int64_t n, int64_t k, uint64_t seed);
#endif
