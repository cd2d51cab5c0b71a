/* SPDX-License-Identifier: Apache-2.0 */
/* simd_avx2.h: simd.h's vector in two registers of AVX2 with FMA. */
#ifndef SOL_SIMD_AVX2_H
#define SOL_SIMD_AVX2_H
#include <immintrin.h>
typedef struct { __m256 a, b; } v16;
INLINE v16 v_set (float x) { return (v16){ _mm256_set1_ps (x), _mm256_set1_ps (x) }; }
INLINE v16 v_zero (void) { return (v16){ _mm256_setzero_ps (), _mm256_setzero_ps () }; }
INLINE v16 v_load (const float *p) { return (v16){ _mm256_loadu_ps (p), _mm256_loadu_ps (p + 8) }; }
INLINE void v_store (float *p, v16 x) { _mm256_storeu_ps (p, x.a), _mm256_storeu_ps (p + 8, x.b); }
static const int32_t v_masks[32] = { -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 };
INLINE __m256i v_first (int n, int half) { return _mm256_loadu_si256 ((const __m256i *) (const void *) (v_masks + 16 - n + 8 * half)); }
INLINE v16 v_load_n (const float *p, int n) { return (v16){ _mm256_maskload_ps (p, v_first (n, 0)), _mm256_maskload_ps (p + 8, v_first (n, 1)) }; }
INLINE void v_store_n (float *p, v16 x, int n) { _mm256_maskstore_ps (p, v_first (n, 0), x.a), _mm256_maskstore_ps (p + 8, v_first (n, 1), x.b); }
/* lanes from n on are y's */
INLINE v16 v_merge_n (v16 x, v16 y, int n)
{
  return (v16){ _mm256_blendv_ps (y.a, x.a, _mm256_castsi256_ps (v_first (n, 0))), _mm256_blendv_ps (y.b, x.b, _mm256_castsi256_ps (v_first (n, 1))) };
}
/* x < limit ? a : b */
INLINE v16 v_below (v16 x, v16 limit, v16 a, v16 b)
{
  return (v16){ _mm256_blendv_ps (b.a, a.a, _mm256_cmp_ps (x.a, limit.a, _CMP_LT_OQ)), _mm256_blendv_ps (b.b, a.b, _mm256_cmp_ps (x.b, limit.b, _CMP_LT_OQ)) };
}
#define V_OP2(name, op)                                                                                                \
  INLINE v16 name (v16 x, v16 y) { return (v16){ op (x.a, y.a), op (x.b, y.b) }; }
V_OP2 (v_add, _mm256_add_ps)
V_OP2 (v_sub, _mm256_sub_ps)
V_OP2 (v_mul, _mm256_mul_ps)
V_OP2 (v_div, _mm256_div_ps)
V_OP2 (v_max, _mm256_max_ps)
V_OP2 (v_min, _mm256_min_ps)
INLINE v16 v_sqrt (v16 x) { return (v16){ _mm256_sqrt_ps (x.a), _mm256_sqrt_ps (x.b) }; }
INLINE v16 v_fma (v16 x, v16 y, v16 z) { return (v16){ _mm256_fmadd_ps (x.a, y.a, z.a), _mm256_fmadd_ps (x.b, y.b, z.b) }; }
INLINE __m256 v_widen (const uint16_t *p) { return _mm256_castsi256_ps (_mm256_slli_epi32 (_mm256_cvtepu16_epi32 (_mm_loadu_si128 ((const __m128i *) (const void *) p)), 16)); }
INLINE v16 v_load_bf16 (const uint16_t *p) { return (v16){ v_widen (p), v_widen (p + 8) }; }
INLINE __m256i v_narrow (__m256 x)
{
  __m256i u = _mm256_castps_si256 (x), r = _mm256_srli_epi32 (u, 16);
  __m256i near = _mm256_srli_epi32 (_mm256_add_epi32 (_mm256_add_epi32 (u, _mm256_set1_epi32 (0x7fff)), _mm256_and_si256 (r, _mm256_set1_epi32 (1))), 16);
  return _mm256_blendv_epi8 (near, _mm256_or_si256 (r, _mm256_set1_epi32 (0x40)), _mm256_castps_si256 (_mm256_cmp_ps (x, x, _CMP_UNORD_Q)));
}
/* nearest even, NaN stays NaN */
INLINE void v_store_bf16 (uint16_t *p, v16 x)
{
  _mm256_storeu_si256 ((__m256i *) (void *) p, _mm256_permute4x64_epi64 (_mm256_packus_epi32 (v_narrow (x.a), v_narrow (x.b)), 0xd8));
}
/* p * 2^n in two halves: right in the denormal range too */
INLINE __m256 v_exp2n_half (__m256 p, __m256 n)
{
  __m256i i = _mm256_cvttps_epi32 (n), h = _mm256_srai_epi32 (i, 1), bias = _mm256_set1_epi32 (127);
  __m256 a = _mm256_castsi256_ps (_mm256_slli_epi32 (_mm256_add_epi32 (h, bias), 23));
  __m256 b = _mm256_castsi256_ps (_mm256_slli_epi32 (_mm256_add_epi32 (_mm256_sub_epi32 (i, h), bias), 23));
  return _mm256_mul_ps (_mm256_mul_ps (p, a), b);
}
INLINE v16 v_exp2n (v16 p, v16 n) { return (v16){ v_exp2n_half (p.a, n.a), v_exp2n_half (p.b, n.b) }; }
/* the fixed tree; the maximum */
INLINE float v_sum (v16 x)
{
  __m256 a = _mm256_add_ps (x.a, x.b);
  __m128 b = _mm_add_ps (_mm256_castps256_ps128 (a), _mm256_extractf128_ps (a, 1)), c = _mm_add_ps (b, _mm_movehl_ps (b, b));
  return _mm_cvtss_f32 (_mm_add_ss (c, _mm_movehdup_ps (c)));
}
INLINE float v_top (v16 x)
{
  __m256 a = _mm256_max_ps (x.a, x.b);
  __m128 b = _mm_max_ps (_mm256_castps256_ps128 (a), _mm256_extractf128_ps (a, 1)), c = _mm_max_ps (b, _mm_movehl_ps (b, b));
  return _mm_cvtss_f32 (_mm_max_ss (c, _mm_movehdup_ps (c)));
}
/* sums of 16 vectors, each by the fixed tree: result lane l is the sum of x[V_ORDER (l)] */
#define V_ORDER(l) (((l) & 8) >> 3 | ((l) & 1) << 2 | ((l) & 2) | ((l) & 4) << 1)
INLINE v16 v_sum16 (const v16 *x)
{
  __m256 y[8], z[4], r[2];
  UNROLL for (int i = 0; i < 8; i++) {
    __m256 a = _mm256_add_ps (x[i].a, x[i].b), b = _mm256_add_ps (x[i + 8].a, x[i + 8].b);
    y[i] = _mm256_add_ps (_mm256_permute2f128_ps (a, b, 0x20), _mm256_permute2f128_ps (a, b, 0x31));
  }
  UNROLL for (int i = 0; i < 4; i++) z[i] = _mm256_add_ps (_mm256_shuffle_ps (y[i], y[i + 4], 0x44), _mm256_shuffle_ps (y[i], y[i + 4], 0xee));
  UNROLL for (int i = 0; i < 2; i++) r[i] = _mm256_add_ps (_mm256_shuffle_ps (z[i], z[i + 2], 0x88), _mm256_shuffle_ps (z[i], z[i + 2], 0xdd));
  return (v16){ r[0], r[1] };
}
INLINE __m256 v_pd (__m256d x) { return _mm256_castpd_ps (x); }
/* 16 x 16 in place, by columns 8 h .. 8 h + 7 */
INLINE void v_transpose (v16 *x)
{
  v16 y[16];
  UNROLL for (int h = 0; h < 2; h++) {
    __m256 u[4][4];
    UNROLL for (int g = 0; g < 4; g++) {
      __m256 r0 = h ? x[4 * g].b : x[4 * g].a, r1 = h ? x[4 * g + 1].b : x[4 * g + 1].a, r2 = h ? x[4 * g + 2].b : x[4 * g + 2].a, r3 = h ? x[4 * g + 3].b : x[4 * g + 3].a;
      __m256d a = _mm256_castps_pd (_mm256_unpacklo_ps (r0, r1)), b = _mm256_castps_pd (_mm256_unpacklo_ps (r2, r3));
      __m256d c = _mm256_castps_pd (_mm256_unpackhi_ps (r0, r1)), d = _mm256_castps_pd (_mm256_unpackhi_ps (r2, r3));
      u[g][0] = v_pd (_mm256_unpacklo_pd (a, b));
      u[g][1] = v_pd (_mm256_unpackhi_pd (a, b));
      u[g][2] = v_pd (_mm256_unpacklo_pd (c, d));
      u[g][3] = v_pd (_mm256_unpackhi_pd (c, d));
    }
    UNROLL for (int s = 0; s < 4; s++) {
      y[8 * h + s] = (v16){ _mm256_permute2f128_ps (u[0][s], u[1][s], 0x20), _mm256_permute2f128_ps (u[2][s], u[3][s], 0x20) };
      y[8 * h + 4 + s] = (v16){ _mm256_permute2f128_ps (u[0][s], u[1][s], 0x31), _mm256_permute2f128_ps (u[2][s], u[3][s], 0x31) };
    }
  }
  UNROLL for (int i = 0; i < 16; i++) x[i] = y[i];
}
/* doubles, for the sums of squares and of probabilities */
typedef struct { __m256d f[4]; } d16;
INLINE d16 d_zero (void) { return (d16){ { _mm256_setzero_pd (), _mm256_setzero_pd (), _mm256_setzero_pd (), _mm256_setzero_pd () } }; }
INLINE d16 d_widen (v16 x)
{
  return (d16){ { _mm256_cvtps_pd (_mm256_castps256_ps128 (x.a)), _mm256_cvtps_pd (_mm256_extractf128_ps (x.a, 1)), _mm256_cvtps_pd (_mm256_castps256_ps128 (x.b)),
                  _mm256_cvtps_pd (_mm256_extractf128_ps (x.b, 1)) } };
}
INLINE d16 d_add (d16 x, d16 y)
{
  UNROLL for (int i = 0; i < 4; i++) x.f[i] = _mm256_add_pd (x.f[i], y.f[i]);
  return x;
}
INLINE d16 d_mul (d16 x, d16 y)
{
  UNROLL for (int i = 0; i < 4; i++) x.f[i] = _mm256_mul_pd (x.f[i], y.f[i]);
  return x;
}
INLINE void d_store (double *p, d16 x)
{
  UNROLL for (int i = 0; i < 4; i++) _mm256_storeu_pd (p + 4 * i, x.f[i]);
}
/* as in simd_avx512.h */
#define TILE_MAX 8
#define TILE_M 6
#define TILE_P 1
#define FEW_M 2
#define FEW_P(m) ((m) == 1 ? 4 : 2)
#define SUM_M(nv) ((nv) == 4 ? 1 : (nv) == 2 ? 2 : 4)
#define SCORE_M 1
#endif
