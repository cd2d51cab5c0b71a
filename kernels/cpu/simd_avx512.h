/* SPDX-License-Identifier: Apache-2.0 */
/* simd_avx512.h: simd.h's vector in one register of AVX-512 (F, VL, DQ, BW). */
#ifndef SOL_SIMD_AVX512_H
#define SOL_SIMD_AVX512_H
#include <immintrin.h>
typedef __m512 v16;
INLINE v16 v_zero (void) { return _mm512_setzero_ps (); }
INLINE v16 v_set (float x) { return _mm512_set1_ps (x); }
INLINE v16 v_load (const float *p) { return _mm512_loadu_ps (p); }
INLINE void v_store (float *p, v16 x) { _mm512_storeu_ps (p, x); }
INLINE __mmask16 v_first (int n) { return (__mmask16) ((1u << n) - 1); }
INLINE v16 v_load_n (const float *p, int n) { return _mm512_maskz_loadu_ps (v_first (n), p); }
INLINE void v_store_n (float *p, v16 x, int n) { _mm512_mask_storeu_ps (p, v_first (n), x); }
/* lanes from n on are y's */
INLINE v16 v_merge_n (v16 x, v16 y, int n) { return _mm512_mask_mov_ps (y, v_first (n), x); }
/* x < limit ? a : b */
INLINE v16 v_below (v16 x, v16 limit, v16 a, v16 b) { return _mm512_mask_mov_ps (b, _mm512_cmp_ps_mask (x, limit, _CMP_LT_OQ), a); }
INLINE v16 v_add (v16 a, v16 b) { return _mm512_add_ps (a, b); }
INLINE v16 v_sub (v16 a, v16 b) { return _mm512_sub_ps (a, b); }
INLINE v16 v_mul (v16 a, v16 b) { return _mm512_mul_ps (a, b); }
INLINE v16 v_div (v16 a, v16 b) { return _mm512_div_ps (a, b); }
INLINE v16 v_sqrt (v16 a) { return _mm512_sqrt_ps (a); }
INLINE v16 v_max (v16 a, v16 b) { return _mm512_max_ps (a, b); }
INLINE v16 v_min (v16 a, v16 b) { return _mm512_min_ps (a, b); }
INLINE v16 v_fma (v16 a, v16 b, v16 c) { return _mm512_fmadd_ps (a, b, c); }
INLINE v16 v_load_bf16 (const uint16_t *p) { return _mm512_castsi512_ps (_mm512_slli_epi32 (_mm512_cvtepu16_epi32 (_mm256_loadu_si256 ((const __m256i *) (const void *) p)), 16)); }
/* nearest even, NaN stays NaN */
INLINE void v_store_bf16 (uint16_t *p, v16 x)
{
  __m512i u = _mm512_castps_si512 (x), r = _mm512_srli_epi32 (u, 16);
  __m512i near = _mm512_srli_epi32 (_mm512_add_epi32 (_mm512_add_epi32 (u, _mm512_set1_epi32 (0x7fff)), _mm512_and_si512 (r, _mm512_set1_epi32 (1))), 16);
  __m512i y = _mm512_mask_or_epi32 (near, _mm512_cmp_ps_mask (x, x, _CMP_UNORD_Q), r, _mm512_set1_epi32 (0x40));
  _mm256_storeu_si256 ((__m256i *) (void *) p, _mm512_cvtepi32_epi16 (y));
}
INLINE v16 v_exp2n (v16 p, v16 n) { return _mm512_scalef_ps (p, n); } /* rounds once, as ref's two halves do */
/* the fixed tree; the maximum */
INLINE float v_sum (v16 x)
{
  __m256 a = _mm256_add_ps (_mm512_castps512_ps256 (x), _mm512_extractf32x8_ps (x, 1));
  __m128 b = _mm_add_ps (_mm256_castps256_ps128 (a), _mm256_extractf128_ps (a, 1)), c = _mm_add_ps (b, _mm_movehl_ps (b, b));
  return _mm_cvtss_f32 (_mm_add_ss (c, _mm_movehdup_ps (c)));
}
INLINE float v_top (v16 x) { return _mm512_reduce_max_ps (x); }
/* sums of 16 vectors, each by the fixed tree: result lane l is the sum of x[V_ORDER (l)] */
#define V_ORDER(l)                                                                                                     \
  ((l) == 1 ? 2 : (l) == 2 ? 1 : (l) == 4 ? 8 : (l) == 5 ? 10 : (l) == 6 ? 9 : (l) == 7 ? 11 : (l) == 8 ? 4 : (l) == 9 ? 6 : (l) == 10 ? 5 : (l) == 11 ? 7 : (l) == 13 ? 14 : (l) == 14 ? 13 : (l))
INLINE v16 v_sum16 (const v16 *x)
{
  v16 y[8], z[4], w[2];
  UNROLL for (int i = 0; i < 8; i++) y[i] = v_add (_mm512_shuffle_f32x4 (x[i], x[i + 8], 0x44), _mm512_shuffle_f32x4 (x[i], x[i + 8], 0xee));
  UNROLL for (int i = 0; i < 4; i++) z[i] = v_add (_mm512_shuffle_f32x4 (y[i], y[i + 4], 0x88), _mm512_shuffle_f32x4 (y[i], y[i + 4], 0xdd));
  UNROLL for (int i = 0; i < 2; i++) w[i] = v_add (_mm512_shuffle_ps (z[i], z[i + 2], 0x44), _mm512_shuffle_ps (z[i], z[i + 2], 0xee));
  return v_add (_mm512_shuffle_ps (w[0], w[1], 0x88), _mm512_shuffle_ps (w[0], w[1], 0xdd));
}
INLINE v16 v_pd (__m512d x) { return _mm512_castpd_ps (x); }
/* 16 x 16 in place */
INLINE void v_transpose (v16 *x)
{
  v16 u[4][4];
  UNROLL for (int g = 0; g < 4; g++) {
    __m512d a = _mm512_castps_pd (_mm512_unpacklo_ps (x[4 * g], x[4 * g + 1])), b = _mm512_castps_pd (_mm512_unpacklo_ps (x[4 * g + 2], x[4 * g + 3]));
    __m512d c = _mm512_castps_pd (_mm512_unpackhi_ps (x[4 * g], x[4 * g + 1])), d = _mm512_castps_pd (_mm512_unpackhi_ps (x[4 * g + 2], x[4 * g + 3]));
    u[g][0] = v_pd (_mm512_unpacklo_pd (a, b));
    u[g][1] = v_pd (_mm512_unpackhi_pd (a, b));
    u[g][2] = v_pd (_mm512_unpacklo_pd (c, d));
    u[g][3] = v_pd (_mm512_unpackhi_pd (c, d));
  }
  UNROLL for (int s = 0; s < 4; s++) {
    v16 p = _mm512_shuffle_f32x4 (u[0][s], u[1][s], 0x44), q = _mm512_shuffle_f32x4 (u[2][s], u[3][s], 0x44);
    v16 r = _mm512_shuffle_f32x4 (u[0][s], u[1][s], 0xee), t = _mm512_shuffle_f32x4 (u[2][s], u[3][s], 0xee);
    x[s] = _mm512_shuffle_f32x4 (p, q, 0x88);
    x[4 + s] = _mm512_shuffle_f32x4 (p, q, 0xdd);
    x[8 + s] = _mm512_shuffle_f32x4 (r, t, 0x88);
    x[12 + s] = _mm512_shuffle_f32x4 (r, t, 0xdd);
  }
}
/* doubles, for the sums of squares and of probabilities */
typedef struct { __m512d a, b; } d16;
INLINE d16 d_zero (void) { return (d16){ _mm512_setzero_pd (), _mm512_setzero_pd () }; }
INLINE d16 d_widen (v16 x) { return (d16){ _mm512_cvtps_pd (_mm512_castps512_ps256 (x)), _mm512_cvtps_pd (_mm512_extractf32x8_ps (x, 1)) }; }
INLINE d16 d_add (d16 x, d16 y) { return (d16){ _mm512_add_pd (x.a, y.a), _mm512_add_pd (x.b, y.b) }; }
INLINE d16 d_mul (d16 x, d16 y) { return (d16){ _mm512_mul_pd (x.a, y.a), _mm512_mul_pd (x.b, y.b) }; }
INLINE void d_store (double *p, d16 x) { _mm512_storeu_pd (p, x.a), _mm512_storeu_pd (p + 8, x.b); }
/* rows of the product kernel; panels of 16 columns it takes, in general and for few rows; rows of attention's sums by columns / 16 (1, 2, 4) */
#define TILE_MAX 24
#define TILE_M 12
#define TILE_P 2
#define FEW_M 4
#define FEW_P(m) ((m) == 1 ? 8 : 4)
#define SUM_M(nv) ((nv) == 4 ? 4 : 8)
#define SCORE_M 4
#endif
