/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/passk.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/random.h"
#include <math.h>
#include <stdlib.h>

/* C(n-c, k) / C(n, k) is a product of c factors 1 - k/i over i = n-c+1 .. n, and by symmetry of k factors 1 - c/i over i = n-k+1 .. n: no factorial, so nothing overflows; the shorter one is
 * taken. Every factor is in [0, 1], and is 0 where fewer than k are wrong. */
double sol_pass_at (sol_tally_t t, int64_t k)
{
  SOL_ASSERT (k >= 1 && k <= t.samples && t.correct >= 0 && t.correct <= t.samples);
  const int64_t terms = t.correct < k ? t.correct : k, other = t.correct < k ? k : t.correct;
  double none = 1;
  if (t.samples - t.correct < k) return 1;
  for (int64_t i = t.samples - terms + 1; i <= t.samples; i++) none *= (double) (i - other) / (double) i;
  return 1 - none;
}

static double resample (const double *x, int64_t n, uint64_t seed, int number)
{
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += x[sol_random_below (sol_random (seed, (uint64_t) number, SOL_RANDOM_BOOTSTRAP, 0, (uint32_t) i), (uint64_t) n)];
  return sum / (double) n;
}

static int by_value (const void *a, const void *b)
{
  const double x = *(const double *) a, y = *(const double *) b;
  return (x > y) - (x < y);
}

sol_estimate_t sol_bootstrap_mean (const double *x, int64_t n, double level, int resamples, uint64_t seed)
{
  sol_estimate_t e = { NAN, NAN, NAN };
  double sum = 0;
  SOL_ASSERT (level > 0 && level < 1 && resamples >= 1 && n <= UINT32_MAX);
  if (n < 1) return e;
  double *mean = sol_alloc ((size_t) resamples * sizeof *mean);
  for (int64_t i = 0; i < n; i++) sum += x[i];
  for (int r = 0; r < resamples; r++) mean[r] = resample (x, n, seed, r);
  qsort (mean, (size_t) resamples, sizeof *mean, by_value);
  const int cut = (int) ((1 - level) / 2 * resamples + 1e-9); /* 0.05 / 2 * 10000 is 250, not a hair less */
  e = (sol_estimate_t) { sum / (double) n, mean[cut], mean[resamples - 1 - cut] };
  sol_free (mean);
  return e;
}

/* k = 0: c / n */
static sol_estimate_t tally (const sol_tally_t *t, int64_t n, int64_t k, uint64_t seed)
{
  double *x = sol_alloc ((size_t) (n > 0 ? n : 1) * sizeof *x);
  sol_estimate_t e = { NAN, NAN, NAN };
  int64_t fit = 0;
  while (fit < n && t[fit].samples >= (k ? k : 1)) {
    x[fit] = k ? sol_pass_at (t[fit], k) : (double) t[fit].correct / (double) t[fit].samples;
    fit++;
  }
  if (fit == n) e = sol_bootstrap_mean (x, n, SOL_BOOTSTRAP_LEVEL, SOL_BOOTSTRAP_RESAMPLES, seed);
  sol_free (x);
  return e;
}

sol_estimate_t sol_tally_avg (const sol_tally_t *t, int64_t n, uint64_t seed) { return tally (t, n, 0, seed); }
sol_estimate_t sol_tally_pass (const sol_tally_t *t, int64_t n, int64_t k, uint64_t seed)
{
  SOL_ASSERT (k >= 1);
  return tally (t, n, k, seed);
}
