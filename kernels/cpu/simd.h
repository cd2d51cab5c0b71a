/* SPDX-License-Identifier: Apache-2.0 */
/* simd.h: a vector of 16 floats under one set of names, for AVX-512, AVX2 and plain C. The same source of an op is compiled once for each; lane by lane the operations are those of
 * kernels/ref, so all give the same bits. SOL_ISA is avx512, avx2 or portable. */
#ifndef SOL_SIMD_H
#define SOL_SIMD_H
#include "../ref/ref.h"
#include "cpu.h"

#define SOL_CAT_(a, b) sol_##a##_##b
#define SOL_CAT(a, b) SOL_CAT_ (a, b)
#define SOL_FN(name) SOL_CAT (SOL_ISA, name)
#define INLINE static inline __attribute__ ((always_inline))

#if defined __AVX512F__ && SOL_ISA_LEVEL == 2
#include <immintrin.h>
typedef __m512 v16;
INLINE v16 v_zero (void) { return _mm512_setzero_ps (); }
INLINE v16 v_set (float x) { return _mm512_set1_ps (x); }
INLINE v16 v_load (const float *p) { return _mm512_loadu_ps (p); }
INLINE void v_store (float *p, v16 x) { _mm512_storeu_ps (p, x); }
INLINE v16 v_load_n (const float *p, int n) { return _mm512_maskz_loadu_ps ((__mmask16) ((1u << n) - 1), p); }
INLINE void v_store_n (float *p, v16 x, int n) { _mm512_mask_storeu_ps (p, (__mmask16) ((1u << n) - 1), x); }
INLINE v16 v_add (v16 a, v16 b) { return _mm512_add_ps (a, b); }
INLINE v16 v_sub (v16 a, v16 b) { return _mm512_sub_ps (a, b); }
INLINE v16 v_mul (v16 a, v16 b) { return _mm512_mul_ps (a, b); }
INLINE v16 v_div (v16 a, v16 b) { return _mm512_div_ps (a, b); }
INLINE v16 v_sqrt (v16 a) { return _mm512_sqrt_ps (a); }
INLINE v16 v_max (v16 a, v16 b) { return _mm512_max_ps (a, b); }
INLINE v16 v_fma (v16 a, v16 b, v16 c) { return _mm512_fmadd_ps (a, b, c); }
INLINE v16 v_load_bf16 (const uint16_t *p) { return _mm512_castsi512_ps (_mm512_slli_epi32 (_mm512_cvtepu16_epi32 (_mm256_loadu_si256 ((const __m256i *) p)), 16)); }
INLINE v16 v_exp2n (v16 p, v16 n) /* p * 2^n, in two halves */
{
  __m512i i = _mm512_cvttps_epi32 (n), h = _mm512_srai_epi32 (i, 1), bias = _mm512_set1_epi32 (127);
  v16 a = _mm512_castsi512_ps (_mm512_slli_epi32 (_mm512_add_epi32 (h, bias), 23));
  v16 b = _mm512_castsi512_ps (_mm512_slli_epi32 (_mm512_add_epi32 (_mm512_sub_epi32 (i, h), bias), 23));
  return v_mul (v_mul (p, a), b);
}
INLINE v16 v_exp_edges (v16 x, v16 y)
{
  y = _mm512_mask_mov_ps (y, _mm512_cmp_ps_mask (x, v_set (-104.0f), _CMP_LT_OQ), v_zero ());
  y = _mm512_mask_mov_ps (y, _mm512_cmp_ps_mask (x, v_set (89.0f), _CMP_GT_OQ), v_set (INFINITY));
  return _mm512_mask_mov_ps (y, _mm512_cmp_ps_mask (x, x, _CMP_UNORD_Q), x);
}
/* sums of 16 vectors, each by the fixed tree: result lane l is the sum of x[V_ORDER (l)] */
#define V_ORDER(l) ((l) == 1 ? 2 : (l) == 2 ? 1 : (l) == 4 ? 8 : (l) == 5 ? 10 : (l) == 6 ? 9 : (l) == 7 ? 11 : (l) == 8 ? 4 : (l) == 9 ? 6 : (l) == 10 ? 5 : (l) == 11 ? 7 : (l) == 13 ? 14 : (l) == 14 ? 13 : (l))
INLINE v16 v_sum16 (const v16 *x)
{
  v16 y[8], z[4], w[2];
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) y[i] = v_add (_mm512_shuffle_f32x4 (x[i], x[i + 8], 0x44), _mm512_shuffle_f32x4 (x[i], x[i + 8], 0xee));
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) z[i] = v_add (_mm512_shuffle_f32x4 (y[i], y[i + 4], 0x88), _mm512_shuffle_f32x4 (y[i], y[i + 4], 0xdd));
  for (int i = 0; i < 2; i++) w[i] = v_add (_mm512_shuffle_ps (z[i], z[i + 2], 0x44), _mm512_shuffle_ps (z[i], z[i + 2], 0xee));
  return v_add (_mm512_shuffle_ps (w[0], w[1], 0x88), _mm512_shuffle_ps (w[0], w[1], 0xdd));
}
#define TILE_M 12
#define TILE_P 2
#elif defined __AVX2__ && SOL_ISA_LEVEL == 1
#include <immintrin.h>
typedef struct { __m256 a, b; } v16;
INLINE v16 v_set (float x) { return (v16){ _mm256_set1_ps (x), _mm256_set1_ps (x) }; }
INLINE v16 v_zero (void) { return (v16){ _mm256_setzero_ps (), _mm256_setzero_ps () }; }
INLINE v16 v_load (const float *p) { return (v16){ _mm256_loadu_ps (p), _mm256_loadu_ps (p + 8) }; }
INLINE void v_store (float *p, v16 x) { _mm256_storeu_ps (p, x.a), _mm256_storeu_ps (p + 8, x.b); }
INLINE v16 v_load_n (const float *p, int n)
{
  float t[16] = { 0 };
  memcpy (t, p, (size_t) n * sizeof *t);
  return v_load (t);
}
INLINE void v_store_n (float *p, v16 x, int n)
{
  float t[16];
  v_store (t, x);
  memcpy (p, t, (size_t) n * sizeof *t);
}
#define V_OP2(name, op) INLINE v16 name (v16 x, v16 y) { return (v16){ op (x.a, y.a), op (x.b, y.b) }; }
V_OP2 (v_add, _mm256_add_ps)
V_OP2 (v_sub, _mm256_sub_ps)
V_OP2 (v_mul, _mm256_mul_ps)
V_OP2 (v_div, _mm256_div_ps)
V_OP2 (v_max, _mm256_max_ps)
INLINE v16 v_sqrt (v16 x) { return (v16){ _mm256_sqrt_ps (x.a), _mm256_sqrt_ps (x.b) }; }
INLINE v16 v_fma (v16 x, v16 y, v16 z) { return (v16){ _mm256_fmadd_ps (x.a, y.a, z.a), _mm256_fmadd_ps (x.b, y.b, z.b) }; }
INLINE __m256 v_widen (const uint16_t *p) { return _mm256_castsi256_ps (_mm256_slli_epi32 (_mm256_cvtepu16_epi32 (_mm_loadu_si128 ((const __m128i *) (const void *) p)), 16)); }
INLINE v16 v_load_bf16 (const uint16_t *p) { return (v16){ v_widen (p), v_widen (p + 8) }; }
INLINE __m256 v_exp2n_half (__m256 p, __m256 n)
{
  __m256i i = _mm256_cvttps_epi32 (n), h = _mm256_srai_epi32 (i, 1), bias = _mm256_set1_epi32 (127);
  __m256 a = _mm256_castsi256_ps (_mm256_slli_epi32 (_mm256_add_epi32 (h, bias), 23));
  __m256 b = _mm256_castsi256_ps (_mm256_slli_epi32 (_mm256_add_epi32 (_mm256_sub_epi32 (i, h), bias), 23));
  return _mm256_mul_ps (_mm256_mul_ps (p, a), b);
}
INLINE v16 v_exp2n (v16 p, v16 n) { return (v16){ v_exp2n_half (p.a, n.a), v_exp2n_half (p.b, n.b) }; }
INLINE __m256 v_exp_edges_half (__m256 x, __m256 y)
{
  y = _mm256_blendv_ps (y, _mm256_setzero_ps (), _mm256_cmp_ps (x, _mm256_set1_ps (-104.0f), _CMP_LT_OQ));
  y = _mm256_blendv_ps (y, _mm256_set1_ps (INFINITY), _mm256_cmp_ps (x, _mm256_set1_ps (89.0f), _CMP_GT_OQ));
  return _mm256_blendv_ps (y, x, _mm256_cmp_ps (x, x, _CMP_UNORD_Q));
}
INLINE v16 v_exp_edges (v16 x, v16 y) { return (v16){ v_exp_edges_half (x.a, y.a), v_exp_edges_half (x.b, y.b) }; }
#define V_ORDER(l) (((l) & 8) >> 3 | ((l) & 1) << 2 | ((l) & 2) | ((l) & 4) << 1)
INLINE v16 v_sum16 (const v16 *x)
{
  __m256 y[8], z[4], r[2];
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) {
    __m256 a = _mm256_add_ps (x[i].a, x[i].b), b = _mm256_add_ps (x[i + 8].a, x[i + 8].b);
    y[i] = _mm256_add_ps (_mm256_permute2f128_ps (a, b, 0x20), _mm256_permute2f128_ps (a, b, 0x31));
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) z[i] = _mm256_add_ps (_mm256_shuffle_ps (y[i], y[i + 4], 0x44), _mm256_shuffle_ps (y[i], y[i + 4], 0xee));
  for (int i = 0; i < 2; i++) r[i] = _mm256_add_ps (_mm256_shuffle_ps (z[i], z[i + 2], 0x88), _mm256_shuffle_ps (z[i], z[i + 2], 0xdd));
  return (v16){ r[0], r[1] };
}
#define TILE_M 6
#define TILE_P 1
#else
typedef struct { float f[16]; } v16;
#define V_LANES for (int i = 0; i < 16; i++)
INLINE v16 v_set (float x) { v16 r; V_LANES r.f[i] = x; return r; }
INLINE v16 v_zero (void) { return v_set (0); }
INLINE v16 v_load (const float *p) { v16 r; V_LANES r.f[i] = p[i]; return r; }
INLINE void v_store (float *p, v16 x) { V_LANES p[i] = x.f[i]; }
INLINE v16 v_load_n (const float *p, int n) { v16 r; V_LANES r.f[i] = i < n ? p[i] : 0; return r; }
INLINE void v_store_n (float *p, v16 x, int n) { for (int i = 0; i < n; i++) p[i] = x.f[i]; }
INLINE v16 v_add (v16 a, v16 b) { V_LANES a.f[i] = a.f[i] + b.f[i]; return a; }
INLINE v16 v_sub (v16 a, v16 b) { V_LANES a.f[i] = a.f[i] - b.f[i]; return a; }
INLINE v16 v_mul (v16 a, v16 b) { V_LANES a.f[i] = a.f[i] * b.f[i]; return a; }
INLINE v16 v_div (v16 a, v16 b) { V_LANES a.f[i] = a.f[i] / b.f[i]; return a; }
INLINE v16 v_sqrt (v16 a) { V_LANES a.f[i] = sqrtf (a.f[i]); return a; }
INLINE v16 v_max (v16 a, v16 b) { V_LANES a.f[i] = a.f[i] > b.f[i] ? a.f[i] : b.f[i]; return a; }
INLINE v16 v_fma (v16 a, v16 b, v16 c) { V_LANES a.f[i] = fmaf (a.f[i], b.f[i], c.f[i]); return a; }
INLINE v16 v_load_bf16 (const uint16_t *p) { v16 r; V_LANES r.f[i] = sol_bf16 (p[i]); return r; }
#define V_ORDER(l) (l)
INLINE v16 v_sum16 (const v16 *x)
{
  v16 r;
  V_LANES { v16 t = x[i]; r.f[i] = sol_lanes_sum (t.f); }
  return r;
}
#define TILE_M 4
#define TILE_P 1
#endif

INLINE float v_sum (v16 x) { float l[16]; v_store (l, x); return sol_lanes_sum (l); }
INLINE float v_top (v16 x)
{
  float l[16], m;
  v_store (l, x);
  m = l[0];
  for (int i = 1; i < 16; i++) m = l[i] > m ? l[i] : m;
  return m;
}

#if SOL_ISA_LEVEL == 0
INLINE v16 v_exp (v16 x) { V_LANES x.f[i] = sol_exp (x.f[i]); return x; }
#else
/* sol_exp, lane by lane */
INLINE v16 v_exp (v16 x)
{
  v16 magic = v_set (12582912.0f), n = v_sub (v_fma (x, v_set (1.44269504f), magic), magic), r, p;
  r = v_fma (n, v_set (-0.693359375f), x);
  r = v_fma (n, v_set (2.12194440e-4f), r);
  p = v_fma (v_set (1.9875691500e-4f), r, v_set (1.3981999507e-3f));
  p = v_fma (p, r, v_set (8.3334519073e-3f));
  p = v_fma (p, r, v_set (4.1665795894e-2f));
  p = v_fma (p, r, v_set (1.6666665459e-1f));
  p = v_fma (p, r, v_set (5.0000001201e-1f));
  p = v_fma (p, v_mul (r, r), r);
  p = v_add (p, v_set (1.0f));
  return v_exp_edges (x, v_exp2n (p, n));
}
#endif
INLINE v16 v_sigmoid (v16 x) { return v_div (v_set (1.0f), v_add (v_set (1.0f), v_exp (v_sub (v_zero (), x)))); }
/* n > 16 reads a whole vector; tails are zero */
INLINE v16 v_load_upto (const float *p, int64_t n) { return n >= 16 ? v_load (p) : v_load_n (p, (int) n); }
INLINE void v_store_upto (float *p, v16 x, int64_t n)
{
  if (n >= 16) v_store (p, x);
  else v_store_n (p, x, (int) n);
}
#endif
