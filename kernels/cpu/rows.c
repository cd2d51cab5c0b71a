/* SPDX-License-Identifier: Apache-2.0 */
/* rows.c: RMSNorm, RoPE, SwiGLU and AdamW: ref's arithmetic, 16 elements at a time. */
#include "simd.h"

INLINE v16 weight (sol_tensor_t w, int64_t c, int64_t n)
{
  float t[16] = { 0 };
  if (w.dtype != SOL_BF16) return v_load_upto (sol_at (w, 0, c), n);
  if (n >= 16) return v_load_bf16 ((const uint16_t *) (const void *) w.at + c);
  for (int64_t i = 0; i < n; i++) t[i] = sol_get (w, 0, c + i);
  return v_load (t);
}

void SOL_FN (rmsnorm) (sol_queue_t *q, sol_tensor_t x, sol_tensor_t w, float eps, sol_tensor_t y, sol_tensor_t inv)
{
  int64_t C = x.cols;
  (void) q;
  for (int64_t t = 0; t < x.rows; t++) {
    const float *a = sol_at (x, t, 0);
    float *b = sol_at (y, t, 0), s;
    v16 l = v_zero ();
    for (int64_t c = 0; c < C; c += 16) {
      v16 v = v_load_upto (a + c, C - c);
      l = v_fma (v, v, l);
    }
    s = 1.0f / sqrtf (v_sum (l) / (float) C + eps);
    if (inv.at) *sol_at (inv, 0, t) = s;
    for (int64_t c = 0; c < C; c += 16) v_store_upto (b + c, v_mul (v_mul (v_load_upto (a + c, C - c), v_set (s)), weight (w, c, C - c)), C - c);
  }
}

void SOL_FN (rmsnorm_dx) (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t x, sol_tensor_t w, sol_tensor_t inv, int accumulate, sol_tensor_t dx)
{
  int64_t C = x.cols;
  (void) q;
  for (int64_t t = 0; t < x.rows; t++) {
    const float *a = sol_at (x, t, 0), *d = sol_at (dy, t, 0);
    float *o = sol_at (dx, t, 0), s = *sol_at (inv, 0, t), m;
    v16 l = v_zero ();
    for (int64_t c = 0; c < C; c += 16) l = v_fma (v_mul (v_load_upto (d + c, C - c), weight (w, c, C - c)), v_load_upto (a + c, C - c), l);
    m = v_sum (l) / (float) C * s * s;
    for (int64_t c = 0; c < C; c += 16) {
      v16 g = v_mul (v_fma (v_set (-m), v_load_upto (a + c, C - c), v_mul (v_load_upto (d + c, C - c), weight (w, c, C - c))), v_set (s));
      v_store_upto (o + c, accumulate ? v_add (v_load_upto (o + c, C - c), g) : g, C - c);
    }
  }
}

void SOL_FN (rmsnorm_dw) (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t x, sol_tensor_t inv, sol_tensor_t dw)
{
  int64_t C = x.cols;
  (void) q;
  for (int64_t t = 0; t < x.rows; t++) {
    v16 s = v_set (*sol_at (inv, 0, t));
    for (int64_t c = 0; c < C; c += 16) {
      float *o = sol_at (dw, 0, c);
      v_store_upto (o, v_fma (v_load_upto (sol_at (dy, t, c), C - c), v_mul (v_load_upto (sol_at (x, t, c), C - c), s), v_load_upto (o, C - c)), C - c);
    }
  }
}

void SOL_FN (rope) (sol_queue_t *q, sol_tensor_t x, int32_t n_heads, sol_tensor_t pos, sol_tensor_t table, int sign)
{
  int64_t d = x.cols / n_heads, half = d / 2;
  (void) q;
  for (int64_t t = 0; t < x.rows; t++) {
    const float *cs = sol_at (table, sol_ints (pos)[t], 0);
    for (int32_t h = 0; h < n_heads; h++)
      for (int64_t i = 0; i < half; i += 16) {
        float *a = sol_at (x, t, h * d + i), *b = a + half;
        int64_t n = half - i;
        v16 x0 = v_load_upto (a, n), x1 = v_load_upto (b, n), c = v_load_upto (cs + i, n), s = v_load_upto (cs + half + i, n);
        if (sign < 0) s = v_mul (v_set (-1.0f), s);
        v_store_upto (a, v_fma (x0, c, v_mul (v_set (-1.0f), v_mul (x1, s))), n);
        v_store_upto (b, v_fma (x1, c, v_mul (x0, s)), n);
      }
  }
}

void SOL_FN (swiglu) (sol_queue_t *q, sol_tensor_t gate, sol_tensor_t up, sol_tensor_t y)
{
  int64_t C = y.cols;
  (void) q;
  for (int64_t t = 0; t < y.rows; t++)
    for (int64_t c = 0; c < C; c += 16) {
      v16 g = v_load_upto (sol_at (gate, t, c), C - c);
      v_store_upto (sol_at (y, t, c), v_mul (v_mul (g, v_sigmoid (g)), v_load_upto (sol_at (up, t, c), C - c)), C - c);
    }
}

void SOL_FN (swiglu_backward) (sol_queue_t *q, sol_tensor_t gate, sol_tensor_t up, sol_tensor_t dy, sol_tensor_t dgate, sol_tensor_t dup)
{
  int64_t C = dy.cols;
  (void) q;
  for (int64_t t = 0; t < dy.rows; t++)
    for (int64_t c = 0; c < C; c += 16) {
      int64_t n = C - c;
      v16 g = v_load_upto (sol_at (gate, t, c), n), u = v_load_upto (sol_at (up, t, c), n), d = v_load_upto (sol_at (dy, t, c), n), s = v_sigmoid (g), silu = v_mul (g, s);
      v_store_upto (sol_at (dgate, t, c), v_mul (v_mul (d, u), v_fma (silu, v_sub (v_set (1.0f), s), s)), n);
      v_store_upto (sol_at (dup, t, c), v_mul (d, silu), n);
    }
}

void SOL_FN (adamw) (sol_queue_t *q, sol_adamw_t h, sol_tensor_t g, sol_tensor_t w, sol_tensor_t m, sol_tensor_t v)
{
  double c1 = 1 - pow (h.beta1, (double) h.step), c2 = 1 - pow (h.beta2, (double) h.step);
  v16 b1 = v_set ((float) h.beta1), b2 = v_set ((float) h.beta2), k1 = v_set ((float) (1 - h.beta1)), k2 = v_set ((float) (1 - h.beta2)), keep = v_set ((float) (1 - h.lr * h.decay));
  v16 scale = v_set ((float) h.scale), step = v_set ((float) (h.lr / c1)), root = v_set ((float) (1 / sqrt (c2))), eps = v_set ((float) h.eps);
  (void) q;
  for (int64_t i = 0, n; i < g.cols; i += 16) {
    n = g.cols - i;
    v16 gi = v_mul (v_load_upto (sol_at (g, 0, i), n), scale);
    v16 mi = v_fma (b1, v_load_upto (sol_at (m, 0, i), n), v_mul (k1, gi)), vi = v_fma (b2, v_load_upto (sol_at (v, 0, i), n), v_mul (v_mul (k2, gi), gi));
    v_store_upto (sol_at (m, 0, i), mi, n);
    v_store_upto (sol_at (v, 0, i), vi, n);
    v_store_upto (sol_at (w, 0, i), v_sub (v_mul (v_load_upto (sol_at (w, 0, i), n), keep), v_div (v_mul (step, mi), v_fma (v_sqrt (vi), root, eps))), n);
  }
}
