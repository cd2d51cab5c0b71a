/* SPDX-License-Identifier: Apache-2.0 */
/* simd_portable.h: simd.h's vector in plain C, for CPUs without AVX2. Slow where there is no FMA (fmaf is then a function), but right. */
#ifndef SOL_SIMD_PORTABLE_H
#define SOL_SIMD_PORTABLE_H
typedef struct { float f[16]; } v16;
#define V_LANES for (int i = 0; i < 16; i++)
/* with checks in every lane, inlining all of it would take the compiler minutes */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define LANEWISE static __attribute__ ((noinline, unused))
#else
#define LANEWISE static inline
#endif
LANEWISE v16 v_set (float x) { v16 r; V_LANES r.f[i] = x; return r; }
LANEWISE v16 v_zero (void) { return v_set (0); }
LANEWISE v16 v_load (const float *p) { v16 r; memcpy (&r, p, sizeof r); return r; }
LANEWISE void v_store (float *p, v16 x) { memcpy (p, &x, sizeof x); }
LANEWISE v16 v_load_n (const float *p, int n) { v16 r; V_LANES r.f[i] = i < n ? p[i] : 0; return r; }
LANEWISE void v_store_n (float *p, v16 x, int n) { for (int i = 0; i < n; i++) p[i] = x.f[i]; }
LANEWISE v16 v_merge_n (v16 x, v16 y, int n) { V_LANES x.f[i] = i < n ? x.f[i] : y.f[i]; return x; } /* lanes from n on are y's */
LANEWISE v16 v_below (v16 x, v16 limit, v16 a, v16 b) { V_LANES a.f[i] = x.f[i] < limit.f[i] ? a.f[i] : b.f[i]; return a; }
LANEWISE v16 v_add (v16 a, v16 b) { V_LANES a.f[i] = a.f[i] + b.f[i]; return a; }
LANEWISE v16 v_sub (v16 a, v16 b) { V_LANES a.f[i] = a.f[i] - b.f[i]; return a; }
LANEWISE v16 v_mul (v16 a, v16 b) { V_LANES a.f[i] = a.f[i] * b.f[i]; return a; }
LANEWISE v16 v_div (v16 a, v16 b) { V_LANES a.f[i] = a.f[i] / b.f[i]; return a; }
LANEWISE v16 v_sqrt (v16 a) { V_LANES a.f[i] = sqrtf (a.f[i]); return a; }
LANEWISE v16 v_max (v16 a, v16 b) { V_LANES a.f[i] = a.f[i] > b.f[i] ? a.f[i] : b.f[i]; return a; }
LANEWISE v16 v_min (v16 a, v16 b) { V_LANES a.f[i] = a.f[i] < b.f[i] ? a.f[i] : b.f[i]; return a; }
LANEWISE v16 v_fma (v16 a, v16 b, v16 c) { V_LANES a.f[i] = fmaf (a.f[i], b.f[i], c.f[i]); return a; }
LANEWISE v16 v_load_bf16 (const uint16_t *p) { v16 r; V_LANES r.f[i] = sol_bf16 (p[i]); return r; }
LANEWISE void v_store_bf16 (uint16_t *p, v16 x) { V_LANES p[i] = sol_to_bf16 (x.f[i]); }
/* p * 2^n in two halves: right in the denormal range too */
LANEWISE v16 v_exp2n (v16 p, v16 n)
{
  V_LANES if (n.f[i] == n.f[i]) {
    int32_t e = (int32_t) n.f[i], h = e >> 1;
    p.f[i] = p.f[i] * sol_bits_f32 ((uint32_t) (h + 127) << 23) * sol_bits_f32 ((uint32_t) (e - h + 127) << 23);
  }
  return p;
}
LANEWISE float v_sum (v16 x) { return sol_lanes_sum (x.f); }
LANEWISE float v_top (v16 x)
{
  float m = x.f[0];
  for (int i = 1; i < 16; i++) m = x.f[i] > m ? x.f[i] : m;
  return m;
}
#define V_ORDER(l) (l)
LANEWISE v16 v_sum16 (const v16 *x) { v16 r; V_LANES r.f[i] = v_sum (x[i]); return r; }
LANEWISE void v_transpose (v16 *x)
{
  for (int i = 0; i < 16; i++)
    for (int j = 0; j < i; j++) {
      float t = x[i].f[j];
      x[i].f[j] = x[j].f[i];
      x[j].f[i] = t;
    }
}
typedef struct { double f[16]; } d16;
LANEWISE d16 d_zero (void) { d16 r; V_LANES r.f[i] = 0; return r; }
LANEWISE d16 d_widen (v16 x) { d16 r; V_LANES r.f[i] = (double) x.f[i]; return r; }
LANEWISE d16 d_add (d16 x, d16 y) { V_LANES x.f[i] = x.f[i] + y.f[i]; return x; }
LANEWISE d16 d_mul (d16 x, d16 y) { V_LANES x.f[i] = x.f[i] * y.f[i]; return x; }
LANEWISE void d_store (double *p, d16 x) { memcpy (p, &x, sizeof x); }
/* as in simd_avx512.h */
#define TILE_MAX 4
#define TILE_M 2
#define TILE_P 1
#define FEW_M 0
#define FEW_P(m) 1
#define SUM_M(nv) 1
#define SCORE_M 1
#endif
