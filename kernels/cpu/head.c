/* SPDX-License-Identifier: Apache-2.0 */
/* head.c: the fused head: a block of logits for all rows by the product kernel, then row by row. */
#include "gemm.h"

/* z [rows, n] (ldz apart) = x w[v0 .. v0 + n]^T, untempered */
static void logits_block (sol_queue_t *q, sol_tensor_t x, const sol_weight_t *w, int64_t v0, int64_t n, float *z, int64_t ldz)
{
  int bf16 = w->src.dtype == SOL_BF16;
  gemm_t g = { .a = sol_at (x, 0, 0), .a_row = x.stride, .a_k = 1, .b = (const char *) w->packed + (size_t) (v0 * w->src.cols) * (bf16 ? 2 : 4), .b_panel = 16 * w->src.cols, .b_k = 16,
               .bf16 = bf16, .c = z, .ldc = ldz, .m = x.rows, .n = n, .k = x.cols };
  SOL_FN (gemm) (q, &g);
}

INLINE void combine (const float *z, int64_t n, float *M, float *S, float *E)
{
  v16 m = v_set (-INFINITY), s = v_zero (), e = v_zero ();
  float max, bs, be, top, a, b;
  int64_t v = 0;
  for (; v + 16 <= n; v += 16) m = v_max (v_load (z + v), m);
  max = v_top (m);
  for (; v < n; v++) max = z[v] > max ? z[v] : max;
  for (v = 0; v + 16 <= n; v += 16) {
    v16 d = v_sub (v_load (z + v), v_set (max)), p = v_exp (d);
    s = v_add (s, p);
    e = v_fma (p, d, e);
  }
  if (v < n) { /* lanes behind the end stay as they are */
    float sl[16], el[16];
    v_store (sl, s);
    v_store (el, e);
    for (int64_t i = 0; v + i < n; i++) {
      float d = z[v + i] - max, p = sol_exp (d);
      sl[i] += p;
      el[i] = fmaf (p, d, el[i]);
    }
    s = v_load (sl);
    e = v_load (el);
  }
  bs = v_sum (s);
  be = v_sum (e);
  if (*M == -INFINITY) {
    *M = max;
    *S = bs;
    *E = be;
    return;
  }
  top = max > *M ? max : *M;
  a = sol_exp (*M - top);
  b = sol_exp (max - top);
  *E = fmaf (a, fmaf (*M - top, *S, *E), b * fmaf (max - top, bs, be));
  *S = fmaf (a, *S, b * bs);
  *M = top;
}

void SOL_FN (head_partial) (sol_queue_t *q, sol_tensor_t x, const sol_weight_t *w, sol_tensor_t targets, float inv_temp, sol_tensor_t scratch, sol_tensor_t logits, sol_tensor_t partial)
{
  int64_t V = w->src.rows;
  for (int64_t r = 0; r < x.rows; r++) {
    *sol_at (partial, r, 0) = -INFINITY;
    *sol_at (partial, r, 2) = 0;
  }
  for (int64_t v0 = 0; v0 < V; v0 += SOL_HEAD_BLOCK) {
    int64_t n = V - v0 < SOL_HEAD_BLOCK ? V - v0 : SOL_HEAD_BLOCK, ldz = logits.at ? logits.stride : SOL_HEAD_BLOCK;
    float *z0 = logits.at ? sol_at (logits, 0, v0) : sol_at (scratch, 0, 0);
    logits_block (q, x, w, v0, n, z0, ldz);
    for (int64_t r = 0; r < x.rows; r++) {
      float *z = z0 + r * ldz;
      int64_t t = targets.at ? sol_ints (targets)[r] - v0 : -1;
      for (int64_t v = 0; v < n; v++) z[v] = z[v] * inv_temp;
      if (t >= 0 && t < n) *sol_at (partial, r, 2) = z[t];
      combine (z, n, sol_at (partial, r, 0), sol_at (partial, r, 1), sol_at (partial, r, 3));
    }
  }
}

/* z -> dLoss/dlogit, in place */
INLINE void gradient (float *z, int64_t n, float M, float S, float H, float ls, float cl, float ce, float inv_temp)
{
  int64_t v = 0;
  for (; v < n; v += 16) {
    v16 d = v_sub (v_mul (v_load_upto (z + v, n - v), v_set (inv_temp)), v_set (M)), p = v_div (v_exp (d), v_set (S));
    v16 g = v_mul (v_mul (v_set (-1.0f), p), v_fma (v_set (ce), v_add (v_sub (d, v_set (ls)), v_set (H)), v_set (cl)));
    v_store_upto (z + v, g, n - v);
  }
}

void SOL_FN (head_backward) (sol_queue_t *q, sol_tensor_t x, const sol_weight_t *w, sol_tensor_t targets, float inv_temp, sol_tensor_t partial, sol_tensor_t c_lp, sol_tensor_t c_ent,
                             sol_tensor_t scratch, sol_tensor_t dx, sol_tensor_t dw)
{
  int64_t V = w->src.rows, C = x.cols, R = x.rows;
  int bf16 = w->src.dtype == SOL_BF16;
  float *z0 = sol_at (scratch, 0, 0);
  for (int64_t v0 = 0; v0 < V; v0 += SOL_HEAD_BLOCK) {
    int64_t n = V - v0 < SOL_HEAD_BLOCK ? V - v0 : SOL_HEAD_BLOCK;
    logits_block (q, x, w, v0, n, z0, SOL_HEAD_BLOCK);
    for (int64_t r = 0; r < R; r++) {
      float *z = z0 + r * SOL_HEAD_BLOCK, S = *sol_at (partial, r, 1), ls = sol_log_f32 (S), H = ls - *sol_at (partial, r, 3) / S;
      float cl = *sol_at (c_lp, 0, r), ce = c_ent.at ? *sol_at (c_ent, 0, r) : 0;
      int64_t t = sol_ints (targets)[r] - v0;
      if (cl == 0 && ce == 0) {
        memset (z, 0, (size_t) n * sizeof *z);
        continue;
      }
      gradient (z, n, *sol_at (partial, r, 0), S, H, ls, cl, ce, inv_temp);
      if (t >= 0 && t < n) z[t] = z[t] + cl;
      for (int64_t v = 0; v < n; v++) z[v] = z[v] * inv_temp;
    }
    gemm_t gx = { .a = z0, .a_row = SOL_HEAD_BLOCK, .a_k = 1, .b = w->src.at + (size_t) (v0 * w->src.stride) * (bf16 ? 2 : 4), .b_panel = 16, .b_k = w->src.stride, .bf16 = bf16,
                  .c = sol_at (dx, 0, 0), .ldc = dx.stride, .m = R, .n = C, .k = n, .accumulate = v0 > 0 };
    SOL_FN (gemm) (q, &gx);
    if (!dw.at) continue;
    gemm_t gw = { .a = z0, .a_row = 1, .a_k = SOL_HEAD_BLOCK, .b = x.at, .b_panel = 16, .b_k = x.stride, .c = sol_at (dw, v0, 0), .ldc = dw.stride, .m = n, .n = C, .k = R, .accumulate = 1 };
    SOL_FN (gemm) (q, &gw);
  }
}
