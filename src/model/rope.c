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

double sol_rope_frequency (const sol_arch_t *a, int i)
{
  const double f = exp_exact (-(2.0 * i / a->head_size) * sol_log_exact (a->rope_theta));
  if (a->rope_kind == SOL_ROPE_PLAIN) return f;
  const double wave = TWO_PI / f;
  if (wave < a->rope_original / a->rope_high) return f;
  if (wave > a->rope_original / a->rope_low) return f / a->rope_factor;
  const double blend = (a->rope_original / wave - a->rope_low) / (a->rope_high - a->rope_low);
  return (1 - blend) * f / a->rope_factor + blend * f;
}

void sol_rope_fill (const sol_arch_t *a, int32_t p0, int32_t n, float *table)
{
  const int32_t half = a->head_size / 2;
  for (int32_t i = 0; i < half; i++) {
    const double turns = sol_rope_frequency (a, i) / TWO_PI;
    for (int32_t p = 0; p < n; p++) {
      float *row = table + (int64_t) p * a->head_size;
      row[i] = (float) sol_cos_turns ((p0 + p) * turns);
      row[half + i] = (float) sol_cos_turns ((p0 + p) * turns - 0.25);
    }
  }
}
