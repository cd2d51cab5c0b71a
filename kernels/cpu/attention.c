/* SPDX-License-Identifier: Apache-2.0 */
/* attention.c: ref's attention, 16 keys at a time. A block of keys begins at an absolute position that is a multiple of 16, so lane sums over keys are ref's. */
#include "simd.h"

#define MAX_CHUNKS 16 /* head size up to 256 */

INLINE int64_t key_row (const sol_span_t *s, int64_t p) { return p < s->n_a ? s->a_row + p : s->b_row + p - s->n_a; }

/* dots of x [D] with rows of 16 keys at positions p0 ..; n valid (others give a repeat of the first: ignored) */
INLINE v16 dots (const v16 *x, int64_t D, sol_tensor_t K, int64_t kv, const sol_span_t *s, int64_t p0, int64_t n)
{
  const float *row[16];
  v16 l[16];
  for (int i = 0; i < 16; i++) row[i] = sol_at (K, key_row (s, i < n ? p0 + i : p0), kv);
  if (D == 16) {
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) l[V_ORDER (i)] = v_fma (x[0], v_load (row[i]), v_zero ());
    return v_sum16 (l);
  }
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) {
    v16 a = v_zero ();
    for (int64_t d = 0; d < D; d += 16) a = v_fma (x[d / 16], v_load_upto (row[i] + d, D - d), a);
    l[V_ORDER (i)] = a;
  }
  return v_sum16 (l);
}

INLINE float one_dot (const float *a, const float *b, int64_t D)
{
  v16 l = v_zero ();
  for (int64_t d = 0; d < D; d += 16) l = v_fma (v_load_upto (a + d, D - d), v_load_upto (b + d, D - d), l);
  return v_sum (l);
}

INLINE void load_row (const float *a, int64_t D, v16 *x)
{
  for (int64_t d = 0; d < D; d += 16) x[d / 16] = v_load_upto (a + d, D - d);
}

/* scores -> p and their statistics */
INLINE float softmax (float *p, int64_t n, float *max_p)
{
  v16 m = v_set (-INFINITY), sum = v_zero ();
  int64_t j = 0;
  float max;
  for (; j + 16 <= n; j += 16) m = v_max (v_load (p + j), m);
  max = v_top (m);
  for (; j < n; j++) max = p[j] > max ? p[j] : max;
  for (j = 0; j < n; j += 16) {
    int64_t k = n - j;
    v16 e = v_exp (v_sub (v_load_upto (p + j, k), v_set (max)));
    v_store_upto (p + j, e, k);
    sum = v_add (sum, v_load_upto (p + j, k));
  }
  *max_p = max;
  return v_sum (sum);
}

/* o [D] = chain over keys of p v; CH chunks of 16 known to the compiler, or 0 */
INLINE void values (const float *p, int64_t n, const sol_span_t *s, sol_tensor_t V, int64_t kv, int64_t D, int CH, v16 *o)
{
  int64_t ch = CH ? CH : (D + 15) / 16, a = n < s->n_a ? n : s->n_a;
  for (int64_t i = 0; i < ch; i++) o[i] = v_zero ();
  for (int64_t j = 0; j < n; j++) {
    const float *v = j < a ? sol_at (V, s->a_row + j, kv) : sol_at (V, s->b_row + j - s->n_a, kv);
    v16 w = v_set (p[j]);
#pragma GCC unroll 8
    for (int64_t i = 0; i < ch; i++) o[i] = v_fma (w, CH ? v_load (v + 16 * i) : v_load_upto (v + 16 * i, D - 16 * i), o[i]);
  }
}

void SOL_FN (attention) (sol_queue_t *q, sol_tensor_t Q, sol_tensor_t K, sol_tensor_t V, sol_tensor_t spans, const sol_span_t *host_spans, int32_t n_spans, int32_t n_heads,
                         int32_t n_kv_heads, float scale, sol_tensor_t O, sol_tensor_t stats)
{
  int64_t D = Q.cols / n_heads;
  int32_t per = n_heads / n_kv_heads;
  v16 x[MAX_CHUNKS], o[MAX_CHUNKS];
  (void) spans;
  SOL_ASSERT (D <= 16 * MAX_CHUNKS);
  for (int32_t i = 0; i < n_spans; i++) {
    const sol_span_t *s = &host_spans[i];
    float *p = sol_queue_floats (q, s->n_a + s->n_b + 16);
    if (!p) return;
    for (int32_t r = 0; r < s->n_q; r++)
      for (int32_t h = 0; h < n_heads; h++) {
        int64_t row = s->q_row + r, n = s->n_a + s->n_b - s->n_q + r + 1, kv = h / per * D;
        float max, sum, *out = sol_at (O, row, h * D);
        load_row (sol_at (Q, row, h * D), D, x);
        for (int64_t j = 0; j < n; j += 16) v_store (p + j, v_mul (dots (x, D, K, kv, s, j, n - j), v_set (scale)));
        sum = softmax (p, n, &max);
        if (D == 64) values (p, n, s, V, kv, D, 4, o);
        else if (D == 16) values (p, n, s, V, kv, D, 1, o);
        else if (D == 128) values (p, n, s, V, kv, D, 8, o);
        else values (p, n, s, V, kv, D, 0, o);
        for (int64_t d = 0; d < D; d += 16) v_store_upto (out + d, v_div (o[d / 16], v_set (sum)), D - d);
        if (stats.at) {
          *sol_at (stats, row, 2 * h) = max;
          *sol_at (stats, row, 2 * h + 1) = sum;
        }
      }
  }
}

/* one query row and head against its keys; CH as above */
INLINE void backward_row (const sol_span_t *s, int64_t n, int64_t D, int CH, const float *qr, const float *dor, float max, float sum, float delta, float scale, sol_tensor_t K,
                          sol_tensor_t V, int64_t kv, float *dq, sol_tensor_t dK, sol_tensor_t dV)
{
  v16 x[MAX_CHUNKS], g[MAX_CHUNKS], acc[MAX_CHUNKS];
  int64_t ch = CH ? CH : (D + 15) / 16;
  load_row (qr, D, x);
  load_row (dor, D, g);
  for (int64_t i = 0; i < ch; i++) acc[i] = v_zero ();
  for (int64_t j = 0; j < n; j += 16) {
    float p[16], ds[16];
    v16 e = v_exp (v_sub (v_mul (dots (x, D, K, kv, s, j, n - j), v_set (scale)), v_set (max)));
    v16 pv = v_div (e, v_set (sum)), d = v_mul (v_mul (pv, v_sub (dots (g, D, V, kv, s, j, n - j), v_set (delta))), v_set (scale));
    v_store (p, pv);
    v_store (ds, d);
    for (int64_t k = 0; k < 16 && j + k < n; k++) {
      int64_t at = key_row (s, j + k);
      const float *kr = sol_at (K, at, kv);
      float *dk = sol_at (dK, at, kv), *dv = sol_at (dV, at, kv);
      v16 pw = v_set (p[k]), dw = v_set (ds[k]);
#pragma GCC unroll 8
      for (int64_t i = 0; i < ch; i++) {
        int64_t left = D - 16 * i;
        if (CH) {
          v_store (dv + 16 * i, v_fma (pw, g[i], v_load (dv + 16 * i)));
          acc[i] = v_fma (dw, v_load (kr + 16 * i), acc[i]);
          v_store (dk + 16 * i, v_fma (dw, x[i], v_load (dk + 16 * i)));
        } else {
          v_store_upto (dv + 16 * i, v_fma (pw, g[i], v_load_upto (dv + 16 * i, left)), left);
          acc[i] = v_fma (dw, v_load_upto (kr + 16 * i, left), acc[i]);
          v_store_upto (dk + 16 * i, v_fma (dw, x[i], v_load_upto (dk + 16 * i, left)), left);
        }
      }
    }
  }
  for (int64_t i = 0; i < ch; i++) v_store_upto (dq + 16 * i, acc[i], D - 16 * i);
}

void SOL_FN (attention_backward) (sol_queue_t *q, sol_tensor_t dO, sol_tensor_t Q, sol_tensor_t K, sol_tensor_t V, sol_tensor_t O, sol_tensor_t stats, sol_tensor_t spans,
                                  const sol_span_t *host_spans, int32_t n_spans, int32_t n_heads, int32_t n_kv_heads, float scale, sol_tensor_t dQ, sol_tensor_t dK, sol_tensor_t dV)
{
  int64_t D = Q.cols / n_heads;
  int32_t per = n_heads / n_kv_heads;
  (void) q;
  (void) spans;
  SOL_ASSERT (D <= 16 * MAX_CHUNKS);
  for (int32_t i = 0; i < n_spans; i++) {
    const sol_span_t *s = &host_spans[i];
    for (int32_t r = 0; r < s->n_q; r++)
      for (int32_t h = 0; h < n_heads; h++) {
        int64_t row = s->q_row + r, n = s->n_a + s->n_b - s->n_q + r + 1, kv = h / per * D;
        const float *qr = sol_at (Q, row, h * D), *dor = sol_at (dO, row, h * D);
        float max = *sol_at (stats, row, 2 * h), sum = *sol_at (stats, row, 2 * h + 1), delta = one_dot (dor, sol_at (O, row, h * D), D), *dq = sol_at (dQ, row, h * D);
        if (D == 64) backward_row (s, n, D, 4, qr, dor, max, sum, delta, scale, K, V, kv, dq, dK, dV);
        else if (D == 16) backward_row (s, n, D, 1, qr, dor, max, sum, delta, scale, K, V, kv, dq, dK, dV);
        else if (D == 128) backward_row (s, n, D, 8, qr, dor, max, sum, delta, scale, K, V, kv, dq, dK, dV);
        else backward_row (s, n, D, 0, qr, dor, max, sum, delta, scale, K, V, kv, dq, dK, dV);
      }
  }
}
