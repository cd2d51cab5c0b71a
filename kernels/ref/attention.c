/* SPDX-License-Identifier: Apache-2.0 */
/* attention.c: causal attention over spans, and its backward. Scores are 16-lane dots; sums over keys run in order of absolute position, so nothing depends on where keys are stored. */
#include "ref.h"

static float dot (const float *a, const float *b, int64_t n)
{
  float lane[16] = { 0 };
  for (int64_t i = 0; i < n; i++) lane[i % 16] = fmaf (a[i], b[i], lane[i % 16]);
  return sol_lanes_sum (lane);
}

/* row of K or V of absolute position p */
static int64_t key_row (const sol_span_t *s, const int32_t *pages, int64_t p)
{
  int64_t r = p < s->n_a ? s->a_row + p : s->b_row + p - s->n_a;
  return pages ? (int64_t) pages[r / SOL_KV_PAGE] * SOL_KV_PAGE + r % SOL_KV_PAGE : r;
}

void sol_ref_attention (sol_queue_t *q, sol_tensor_t Q, sol_tensor_t K, sol_tensor_t V, sol_tensor_t pages, sol_tensor_t spans, const sol_span_t *host_spans, int32_t n_spans,
                        int32_t n_heads, int32_t n_kv_heads, float scale, sol_tensor_t O, sol_tensor_t stats)
{
  int64_t D = Q.cols / n_heads;
  int32_t per = n_heads / n_kv_heads;
  (void) spans;
  for (int32_t i = 0; i < n_spans; i++) {
    const sol_span_t *s = &host_spans[i];
    float *p = sol_queue_floats (q, s->n_a + s->n_b);
    if (!p) return;
    for (int32_t r = 0; r < s->n_q; r++)
      for (int32_t h = 0; h < n_heads; h++) {
        int64_t row = s->q_row + r, n = s->n_a + s->n_b - s->n_q + r + 1, kv = h / per * D;
        float max = -INFINITY, lane[16] = { 0 }, sum;
        for (int64_t j = 0; j < n; j++) {
          p[j] = dot (sol_at (Q, row, h * D), sol_at (K, key_row (s, (const int32_t *) pages.at, j), kv), D) * scale;
          if (p[j] > max) max = p[j];
        }
        max = max + 0.0f; /* no minus zero: the order of comparing does not show */
        for (int64_t j = 0; j < n; j++) {
          p[j] = sol_exp (p[j] - max);
          lane[j % 16] += p[j];
        }
        sum = sol_lanes_sum (lane);
        for (int64_t d = 0; d < D; d++) {
          float o = 0;
          for (int64_t j = 0; j < n; j++) o = fmaf (p[j], *sol_at (V, key_row (s, (const int32_t *) pages.at, j), kv + d), o);
          *sol_at (O, row, h * D + d) = o / sum;
        }
        if (stats.at) {
          *sol_at (stats, row, 2 * h) = max;
          *sol_at (stats, row, 2 * h + 1) = sum;
        }
      }
  }
}

/* with P = exp (s - max) / sum and delta = dot (dO, O): dV += P dO, dS = P (dot (dO, v) - delta) scale, dQ = sum dS k, dK += dS q */
void sol_ref_attention_backward (sol_queue_t *q, sol_tensor_t dO, sol_tensor_t Q, sol_tensor_t K, sol_tensor_t V, sol_tensor_t O, sol_tensor_t stats, sol_tensor_t spans,
                                 const sol_span_t *host_spans, int32_t n_spans, int32_t n_heads, int32_t n_kv_heads, float scale, sol_tensor_t dQ, sol_tensor_t dK, sol_tensor_t dV)
{
  int64_t D = Q.cols / n_heads;
  int32_t per = n_heads / n_kv_heads;
  (void) q;
  (void) spans;
  for (int32_t i = 0; i < n_spans; i++) {
    const sol_span_t *s = &host_spans[i];
    for (int32_t r = 0; r < s->n_q; r++)
      for (int32_t h = 0; h < n_heads; h++) {
        int64_t row = s->q_row + r, n = s->n_a + s->n_b - s->n_q + r + 1, kv = h / per * D;
        float max = *sol_at (stats, row, 2 * h), sum = *sol_at (stats, row, 2 * h + 1), delta = dot (sol_at (dO, row, h * D), sol_at (O, row, h * D), D);
        for (int64_t d = 0; d < D; d++) *sol_at (dQ, row, h * D + d) = 0;
        for (int64_t j = 0; j < n; j++) {
          int64_t at = key_row (s, NULL, j);
          float p = sol_exp (dot (sol_at (Q, row, h * D), sol_at (K, at, kv), D) * scale - max) / sum;
          float ds = p * (dot (sol_at (dO, row, h * D), sol_at (V, at, kv), D) - delta) * scale;
          for (int64_t d = 0; d < D; d++) {
            *sol_at (dV, at, kv + d) = fmaf (p, *sol_at (dO, row, h * D + d), *sol_at (dV, at, kv + d));
            *sol_at (dQ, row, h * D + d) = fmaf (ds, *sol_at (K, at, kv + d), *sol_at (dQ, row, h * D + d));
            *sol_at (dK, at, kv + d) = fmaf (ds, *sol_at (Q, row, h * D + d), *sol_at (dK, at, kv + d));
          }
        }
      }
  }
}
