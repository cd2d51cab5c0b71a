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

typedef struct {
  sol_tensor_t targets, partial, raw, c_lp, c_ent;
  float inv_temp, *z;
  int64_t ldz, v0, n;
} block_t;
#define GRAIN(n) (1 + SOL_GRAIN_FLOP / (20 * (n)))

/* adds z * inv_temp [n] to the running (M, S, E) */
INLINE void combine (const float *z, int64_t n, float inv_temp, float *M, float *S, float *E)
{
  v16 m = v_set (-INFINITY), s = v_zero (), e = v_zero ();
  float max, bs, be, top, a, b;
  for (int64_t v = 0; v < n; v += 16) {
    int64_t left = n - v;
    v16 x = v_mul (v_load_upto (z + v, left), v_set (inv_temp));
    m = v_max (left < 16 ? v_keep_n (x, (int) left, -INFINITY) : x, m);
  }
  max = v_top (m) + 0.0f;
  for (int64_t v = 0; v < n; v += 16) {
    int64_t left = n - v;
    v16 d = v_sub (v_mul (v_load_upto (z + v, left), v_set (inv_temp)), v_set (max)), p = v_exp (d);
    if (left < 16) { /* lanes behind the end stay as they are */
      s = v_add (s, v_keep_n (p, (int) left, 0));
      e = v_merge_n (v_fma (p, d, e), e, (int) left);
    } else {
      s = v_add (s, p);
      e = v_fma (p, d, e);
    }
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

static void combine_rows (const void *arg, int64_t i0, int64_t i1, float *room)
{
  const block_t *a = arg;
  (void) room;
  for (int64_t r = i0; r < i1; r++) {
    const float *z = a->z + r * a->ldz;
    int64_t t = a->targets.at ? sol_ints (a->targets)[r] - a->v0 : -1;
    combine (z, a->n, a->inv_temp, sol_at (a->partial, r, 0), sol_at (a->partial, r, 1), sol_at (a->partial, r, 3));
    if (t >= 0 && t < a->n) *sol_at (a->partial, r, 2) = z[t] * a->inv_temp;
    if (!a->raw.at) continue;
    combine (z, a->n, 1, sol_at (a->raw, r, 0), sol_at (a->raw, r, 1), sol_at (a->raw, r, 3));
    if (t >= 0 && t < a->n) *sol_at (a->raw, r, 2) = z[t];
  }
}

void SOL_FN (head_partial) (sol_queue_t *q, sol_tensor_t x, const sol_weight_t *w, sol_tensor_t targets, float inv_temp, sol_tensor_t scratch, sol_tensor_t logits, sol_tensor_t partial,
                            sol_tensor_t raw)
{
  int64_t V = w->src.rows;
  for (int64_t r = 0; r < x.rows; r++) {
    *sol_at (partial, r, 0) = -INFINITY;
    *sol_at (partial, r, 2) = 0;
    if (raw.at) *sol_at (raw, r, 0) = -INFINITY, *sol_at (raw, r, 2) = 0;
  }
  for (int64_t v0 = 0; v0 < V; v0 += SOL_HEAD_BLOCK) {
    block_t a = { .targets = targets, .partial = partial, .raw = raw, .inv_temp = inv_temp, .z = logits.at ? sol_at (logits, 0, v0) : sol_at (scratch, 0, 0),
                  .ldz = logits.at ? logits.stride : SOL_HEAD_BLOCK, .v0 = v0, .n = V - v0 < SOL_HEAD_BLOCK ? V - v0 : SOL_HEAD_BLOCK };
    logits_block (q, x, w, v0, a.n, a.z, a.ldz);
    sol_queue_run (q, x.rows, GRAIN (a.n), combine_rows, &a);
  }
}

/* z -> dLoss/dlogit, in place */
static void gradient_rows (const void *arg, int64_t i0, int64_t i1, float *room)
{
  const block_t *a = arg;
  (void) room;
  for (int64_t r = i0; r < i1; r++) {
    float *z = a->z + r * a->ldz, M = *sol_at (a->partial, r, 0), S = *sol_at (a->partial, r, 1), ls = sol_log_f32 (S), H = ls - *sol_at (a->partial, r, 3) / S;
    float cl = *sol_at (a->c_lp, 0, r), ce = a->c_ent.at ? *sol_at (a->c_ent, 0, r) : 0;
    int64_t t = sol_ints (a->targets)[r] - a->v0;
    v16 scale = v_set (a->inv_temp);
    if (cl == 0 && ce == 0) {
      memset (z, 0, (size_t) a->n * sizeof *z);
      continue;
    }
    for (int64_t v = 0; v < a->n; v += 16) {
      int64_t left = a->n - v;
      v16 d = v_sub (v_mul (v_load_upto (z + v, left), scale), v_set (M)), p = v_div (v_exp (d), v_set (S));
      v16 g = v_mul (v_mul (v_set (-1.0f), p), v_fma (v_set (ce), v_add (v_sub (d, v_set (ls)), v_set (H)), v_set (cl)));
      if (t >= v && t < v + 16) { /* the target's own part */
        float own[16];
        v_store (own, g);
        own[t - v] = own[t - v] + cl;
        g = v_load (own);
      }
      v_store_upto (z + v, v_mul (g, scale), left);
    }
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
    block_t a = { .targets = targets, .partial = partial, .c_lp = c_lp, .c_ent = c_ent, .inv_temp = inv_temp, .z = z0, .ldz = SOL_HEAD_BLOCK, .v0 = v0, .n = n };
    logits_block (q, x, w, v0, n, z0, SOL_HEAD_BLOCK);
    sol_queue_run (q, R, GRAIN (n), gradient_rows, &a);
    gemm_t gx = { .a = z0, .a_row = SOL_HEAD_BLOCK, .a_k = 1, .b = w->src.at + (size_t) (v0 * w->src.stride) * (bf16 ? 2 : 4), .b_panel = 16, .b_k = w->src.stride, .bf16 = bf16,
                  .c = sol_at (dx, 0, 0), .ldc = dx.stride, .m = R, .n = C, .k = n, .accumulate = v0 > 0 };
    SOL_FN (gemm) (q, &gx);
    if (!dw.at) continue;
    gemm_t gw = { .a = z0, .a_row = 1, .a_k = SOL_HEAD_BLOCK, .b = x.at, .b_panel = 16, .b_k = x.stride, .c = sol_at (dw, v0, 0), .ldc = dw.stride, .m = n, .n = C, .k = R, .accumulate = 1 };
    SOL_FN (gemm) (q, &gw);
  }
}
