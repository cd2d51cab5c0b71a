/* SPDX-License-Identifier: Apache-2.0 */
/* math.h: exp, log and sigmoid of the host kernels as polynomials: a fixed order of additions, multiplications and fused multiply-adds, so that ref and every instruction set give
 * the same bits. kernels/cpu/simd.h repeats these operations lane by lane. */
#ifndef SOL_REF_MATH_H
#define SOL_REF_MATH_H
#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float sol_bits_f32 (uint32_t u) { float f; memcpy (&f, &u, 4); return f; }
static inline uint32_t sol_f32_bits (float f) { uint32_t u; memcpy (&u, &f, 4); return u; }

/* e^x: x = n ln 2 + r, |r| <= ln 2 / 2, Taylor to r^6 with minimax ends; 0 below -104, inf above 89; about 1 ulp. The scale 2^n is applied in two halves, so that results in the
 * denormal range come out right. NaN stays. */
static inline float sol_exp (float x)
{
  float t = fmaf (x, 1.44269504f, 12582912.0f), n = t - 12582912.0f, r, p;
  int32_t i, h;
  if (x != x) return x;
  if (x < -104.0f) return 0.0f;
  if (x > 89.0f) return sol_bits_f32 (0x7f800000u);
  r = fmaf (n, -0.693359375f, x);
  r = fmaf (n, 2.12194440e-4f, r);
  p = 1.9875691500e-4f;
  p = fmaf (p, r, 1.3981999507e-3f);
  p = fmaf (p, r, 8.3334519073e-3f);
  p = fmaf (p, r, 4.1665795894e-2f);
  p = fmaf (p, r, 1.6666665459e-1f);
  p = fmaf (p, r, 5.0000001201e-1f);
  p = fmaf (p, r * r, r);
  p = p + 1.0f;
  i = (int32_t) n;
  h = i >> 1;
  return p * sol_bits_f32 ((uint32_t) (h + 127) << 23) * sol_bits_f32 ((uint32_t) (i - h + 127) << 23);
}

/* natural logarithm of a positive normal number or inf; 0 gives -inf; not for denormals or negatives (callers never have them) */
static inline float sol_log_f32 (float x)
{
  uint32_t u = sol_f32_bits (x);
  int32_t e = (int32_t) (u >> 23) - 126;
  float m = sol_bits_f32 ((u & 0x7fffffu) | 0x3f000000u), z, y;
  if (x == 0) return -sol_bits_f32 (0x7f800000u);
  if (u >= 0x7f800000u) return x;
  if (m < 0.707106781186547524f) {
    e--;
    m = m + m;
  }
  m = m - 1.0f;
  z = m * m;
  y = 7.0376836292e-2f;
  y = fmaf (y, m, -1.1514610310e-1f);
  y = fmaf (y, m, 1.1676998740e-1f);
  y = fmaf (y, m, -1.2420140846e-1f);
  y = fmaf (y, m, 1.4249322787e-1f);
  y = fmaf (y, m, -1.6668057665e-1f);
  y = fmaf (y, m, 2.0000714765e-1f);
  y = fmaf (y, m, -2.4999993993e-1f);
  y = fmaf (y, m, 3.3333331174e-1f);
  y = y * m * z;
  y = fmaf ((float) e, -2.12194440e-4f, y);
  y = fmaf (-0.5f, z, y);
  m = m + y;
  return fmaf ((float) e, 0.693359375f, m);
}

static inline float sol_sigmoid (float x) { return 1.0f / (1.0f + sol_exp (-x)); }

/* the fixed tree over 16 lanes */
static inline float sol_lanes_sum (float *l)
{
  for (int w = 8; w > 0; w >>= 1)
    for (int i = 0; i < w; i++) l[i] = l[i] + l[i + w];
  return l[0];
}

static inline double sol_lanes_sum_f64 (double *l)
{
  for (int w = 8; w > 0; w >>= 1)
    for (int i = 0; i < w; i++) l[i] = l[i] + l[i + w];
  return l[0];
}

static inline float sol_bf16 (uint16_t h) { return sol_bits_f32 ((uint32_t) h << 16); }
/* nearest even; NaN stays NaN */
static inline uint16_t sol_to_bf16 (float f)
{
  uint32_t u = sol_f32_bits (f);
  if ((u & 0x7fffffffu) > 0x7f800000u) return (uint16_t) ((u >> 16) | 0x40u);
  return (uint16_t) ((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}
#endif
