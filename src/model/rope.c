/* SPDX-License-Identifier: Apache-2.0 */
/* Rotary angles in double, made of + - * / only (elementary.h): a mathematics library's cos and pow may differ from CPU to CPU, and the
 * angles decide a run's bytes. llama3 scaling (Hugging Face's _compute_llama3_parameters): wavelengths under original/high keep their
 * frequency, over original/low it is divided by factor, in between it is blended. */
#include "rope.h"
#include "solera/elementary.h"
#include <math.h>

#define TWO_PI 6.283185307179586476925286766559

/* exp (x) for |x| < 700: x = k ln 2 + r, Taylor series of r, |r| < 0.35 */
static double exp_exact (double x)
{
  const double k = floor (x / 0.69314718055994530942 + 0.5), r = (x - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10;
  double sum = 1;
  for (int i = 18; i >= 1; i--) sum = 1 + sum * r / i;
  return ldexp (sum, (int) k);
}

/* the pair that makes so many turns over the original context */
static double pair_of_turns (const sol_arch_t *a, double turns)
{
  return a->head_size * sol_log_exact (a->rope_original / (turns * TWO_PI)) / (2 * sol_log_exact (a->rope_theta));
}

/* yarn (Hugging Face's _compute_yarn_parameters): pairs of more than beta_fast turns keep their frequency, those of less than beta_slow are divided by factor, a ramp between */
static double yarn_frequency (const sol_arch_t *a, int i, double f)
{
  double low = pair_of_turns (a, a->rope_high), high = pair_of_turns (a, a->rope_low), ramp;
  low = fmax (a->rope_exact ? low : floor (low), 0);
  high = fmin (a->rope_exact ? high : ceil (high), a->head_size - 1);
  if (low == high) high += 0.001; /* as there: no division by zero */
  ramp = fmin (fmax ((i - low) / (high - low), 0), 1);
  return f / a->rope_factor * ramp + f * (1 - ramp);
}

double sol_rope_frequency (const sol_arch_t *a, int i)
{
  const double f = exp_exact (-(2.0 * i / a->head_size) * sol_log_exact (a->rope_theta));
  if (a->rope_kind == SOL_ROPE_PLAIN) return f;
  if (a->rope_kind == SOL_ROPE_LINEAR) return f / a->rope_factor;
  if (a->rope_kind == SOL_ROPE_YARN) return yarn_frequency (a, i, f);
  const double wave = TWO_PI / f;
  if (wave < a->rope_original / a->rope_high) return f;
  if (wave > a->rope_original / a->rope_low) return f / a->rope_factor;
  const double blend = (a->rope_original / wave - a->rope_low) / (a->rope_high - a->rope_low);
  return (1 - blend) * f / a->rope_factor + blend * f;
}

void sol_rope_fill (const sol_arch_t *a, int32_t p0, int32_t n, float *table)
{
  const int32_t half = a->head_size / 2;
  const double scale = a->rope_kind == SOL_ROPE_YARN ? a->rope_scale : 1;
  for (int32_t i = 0; i < half; i++) {
    const double turns = sol_rope_frequency (a, i) / TWO_PI;
    for (int32_t p = 0; p < n; p++) {
      float *row = table + (int64_t) p * a->head_size;
      row[i] = (float) (scale * sol_cos_turns ((p0 + p) * turns));
      row[half + i] = (float) (scale * sol_cos_turns ((p0 + p) * turns - 0.25));
    }
  }
}
