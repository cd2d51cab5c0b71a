/* SPDX-License-Identifier: Apache-2.0 */
/* simd.h: a vector of 16 floats under one set of names, for AVX-512, AVX2 and plain C. The same source of an op is compiled once for each; lane by lane the operations are those of
 * kernels/ref, so all give the same bits. SOL_ISA is avx512, avx2 or portable.
 * v_max and v_min are a > b ? a : b and a < b ? a : b: the second operand when one is NaN. */
#ifndef SOL_SIMD_H
#define SOL_SIMD_H
#include "../ref/ref.h"
#include "cpu.h"

#define SOL_CAT_(a, b) sol_##a##_##b
#define SOL_CAT(a, b) SOL_CAT_ (a, b)
#define SOL_FN(name) SOL_CAT (SOL_ISA, name)
#define INLINE static inline __attribute__ ((always_inline))
#ifdef __clang__
#define UNROLL _Pragma ("clang loop unroll(full)")
#else
#define UNROLL _Pragma ("GCC unroll 16")
#endif

#if SOL_ISA_LEVEL == 2
#include "simd_avx512.h"
#elif SOL_ISA_LEVEL == 1
#include "simd_avx2.h"
#else
#include "simd_portable.h"
#endif

/* sol_exp, lane by lane. e^90 is inf in float, so the upper end is clamped. Lanes that give 0 compute e^0 on the way: results below the normal range cost 100 times as much. */
INLINE v16 v_exp (v16 x)
{
  v16 magic = v_set (12582912.0f), low = v_set (-104.0f), c = v_min (v_set (90.0f), v_below (x, low, v_zero (), x)), n = v_sub (v_fma (c, v_set (1.44269504f), magic), magic), r, p;
  r = v_fma (n, v_set (-0.693359375f), c);
  r = v_fma (n, v_set (2.12194440e-4f), r);
  p = v_fma (v_set (1.9875691500e-4f), r, v_set (1.3981999507e-3f));
  p = v_fma (p, r, v_set (8.3334519073e-3f));
  p = v_fma (p, r, v_set (4.1665795894e-2f));
  p = v_fma (p, r, v_set (1.6666665459e-1f));
  p = v_fma (p, r, v_set (5.0000001201e-1f));
  p = v_fma (p, v_mul (r, r), r);
  p = v_add (p, v_set (1.0f));
  return v_below (x, low, v_zero (), v_exp2n (p, n));
}
INLINE v16 v_sigmoid (v16 x) { return v_div (v_set (1.0f), v_add (v_set (1.0f), v_exp (v_sub (v_zero (), x)))); }
/* lanes from n on become fill */
INLINE v16 v_keep_n (v16 x, int n, float fill) { return v_merge_n (x, v_set (fill), n); }
/* n > 16 reads a whole vector; tails are zero */
INLINE v16 v_load_upto (const float *p, int64_t n) { return n >= 16 ? v_load (p) : v_load_n (p, (int) n); }
INLINE void v_store_upto (float *p, v16 x, int64_t n)
{
  if (n >= 16) v_store (p, x);
  else v_store_n (p, x, (int) n);
}
INLINE v16 v_load_bf16_upto (const uint16_t *p, int64_t n)
{
  uint16_t t[16] = { 0 };
  if (n >= 16) return v_load_bf16 (p);
  for (int64_t i = 0; i < n; i++) t[i] = p[i];
  return v_load_bf16 (t);
}
/* elements of an f32 or bf16 tensor */
INLINE v16 v_get (sol_tensor_t t, int64_t r, int64_t c, int64_t n)
{
  return t.dtype == SOL_BF16 ? v_load_bf16_upto ((const uint16_t *) (const void *) t.at + r * t.stride + c, n) : v_load_upto (sol_at (t, r, c), n);
}
#endif
