/* SPDX-License-Identifier: Apache-2.0 */
/* head.c: log-prob, entropy and their gradient by blocks of the vocabulary; logits are never whole. */
#include "ref.h"

static float logit (sol_tensor_t x, int64_t r, const sol_weight_t *w, int64_t v)
{
  float s = 0;
  for (int64_t k = 0; k < x.cols; k++) s = fmaf (*sol_at (x, r, k), sol_get (w->src, v, k), s);
  return s;
}

/* adds the block z * t [n] to the running (M, S, E) of p; the first block has M = -inf */
static void combine (const float *z, int64_t n, float t, float *p)
{
  float *M = p, *S = p + 1, *E = p + 3, max = -INFINITY, s[16] = { 0 }, e[16] = { 0 }, bs, be, m, a, b;
  for (int64_t v = 0; v < n; v++) max = z[v] * t > max ? z[v] * t : max;
  max = max + 0.0f; /* no minus zero: the order of comparing does not show */
  for (int64_t v = 0; v < n; v++) {
    float x = z[v] * t, d = x - max, mass = sol_exp (d);
    s[v % 16] += mass;
    e[v % 16] = fmaf (mass, d, e[v % 16]);
  }
  bs = sol_lanes_sum (s);
  be = sol_lanes_sum (e);
  if (*M == -INFINITY) {
    *M = max;
    *S = bs;
    *E = be;
    return;
  }
  m = max > *M ? max : *M;
  a = sol_exp (*M - m);
  b = sol_exp (max - m);
  /* sum exp (z - m)(z - m) = exp (M - m) (E + (M - m) S) */
  *E = fmaf (a, fmaf (*M - m, *S, *E), b * fmaf (max - m, bs, be));
  *S = fmaf (a, *S, b * bs);
  *M = m;
}

void sol_ref_head_partial (sol_queue_t *q, sol_tensor_t x, const sol_weight_t *w, sol_tensor_t targets, float inv_temp, sol_tensor_t scratch, sol_tensor_t logits, sol_tensor_t partial,
                           sol_tensor_t raw)
{
  int64_t V = w->src.rows;
  (void) q;
  for (int64_t r = 0; r < x.rows; r++) {
    float *z = sol_at (scratch, 0, 0), *p = sol_at (partial, r, 0), none[4], *one = raw.at ? sol_at (raw, r, 0) : none;
    p[0] = one[0] = -INFINITY;
    for (int i = 1; i < 4; i++) p[i] = one[i] = 0;
    for (int64_t v0 = 0; v0 < V; v0 += SOL_HEAD_BLOCK) {
      int64_t n = V - v0 < SOL_HEAD_BLOCK ? V - v0 : SOL_HEAD_BLOCK;
      for (int64_t v = 0; v < n; v++) {
        z[v] = logit (x, r, w, v0 + v);
        if (logits.at) *sol_at (logits, r, v0 + v) = z[v];
        if (targets.at && sol_ints (targets)[r] == v0 + v) p[2] = z[v] * inv_temp, one[2] = z[v];
      }
      combine (z, n, inv_temp, p);
      if (raw.at) combine (z, n, 1, one);
    }
  }
}

void sol_ref_head_target (sol_queue_t *q, sol_tensor_t logits, sol_tensor_t targets, float inv_temp, sol_tensor_t partial, sol_tensor_t raw)
{
  if (!sol_ids_ok (q, "head_target", targets, partial.rows, logits.cols)) return;
  for (int64_t r = 0; r < partial.rows; r++) {
    const float z = *sol_at (logits, r, sol_ints (targets)[r]);
    *sol_at (partial, r, 2) = z * inv_temp;
    if (raw.at) *sol_at (raw, r, 2) = z;
  }
}

void sol_ref_head_finish (sol_queue_t *q, sol_tensor_t partial, sol_tensor_t lp, sol_tensor_t entropy)
{
  (void) q;
  for (int64_t r = 0; r < partial.rows; r++) {
    float S = *sol_at (partial, r, 1), ls = sol_log_f32 (S);
    *sol_at (lp, 0, r) = *sol_at (partial, r, 2) - *sol_at (partial, r, 0) - ls;
    *sol_at (entropy, 0, r) = ls - *sol_at (partial, r, 3) / S;
  }
}

void sol_ref_head_backward (sol_queue_t *q, sol_tensor_t x, const sol_weight_t *w, sol_tensor_t targets, float inv_temp, sol_tensor_t partial, sol_tensor_t c_lp, sol_tensor_t c_ent,
                            sol_tensor_t scratch, sol_tensor_t dx, sol_tensor_t dw)
{
  int64_t V = w->src.rows, C = x.cols;
  (void) q;
  (void) scratch;
  for (int64_t r = 0; r < x.rows; r++) {
    float M = *sol_at (partial, r, 0), S = *sol_at (partial, r, 1), E = *sol_at (partial, r, 3), ls = sol_log_f32 (S), H = ls - E / S;
    float cl = *sol_at (c_lp, 0, r), ce = c_ent.at ? *sol_at (c_ent, 0, r) : 0;
    for (int64_t k = 0; k < C; k++) *sol_at (dx, r, k) = 0;
    if (cl == 0 && ce == 0) continue;
    for (int64_t v = 0; v < V; v++) {
      float z = logit (x, r, w, v) * inv_temp, d = z - M, p = sol_exp (d) / S, g;
      g = -p * fmaf (ce, d - ls + H, cl);
      if (sol_ints (targets)[r] == v) g = g + cl;
      g = g * inv_temp;
      for (int64_t k = 0; k < C; k++) {
        *sol_at (dx, r, k) = fmaf (g, sol_get (w->src, v, k), *sol_at (dx, r, k));
        if (dw.at) *sol_at (dw, v, k) = fmaf (g, *sol_at (x, r, k), *sol_at (dw, v, k));
      }
    }
  }
}
