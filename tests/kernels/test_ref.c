/* SPDX-License-Identifier: Apache-2.0 */
/* Protects: the plain loops (the meaning of every op, forward) against formulas in double. */
#include "make.h"

static sol_backend_t *ref;
static const sol_ops_t *R;
static sol_queue_t *q;

/* largest |got - want| relative to the largest |want| (or 1) */
static double worst, scale_seen;
static void begin (void) { worst = 0, scale_seen = 1; }
static void see (double got, double want)
{
  double e = fabs (got - want);
  if (!(e <= worst)) worst = e;
  if (fabs (want) > scale_seen) scale_seen = fabs (want);
}
static void end (const char *what, double tolerance) { tap_ok (worst <= tolerance * scale_seen, "%s: largest error %.2g", what, worst / scale_seen); }

static double at (sol_tensor_t t, int64_t r, int64_t c) { return floats (t)[r * t.stride + c]; }

static void test_products (void)
{
  enum { T = 5, N = 37, K = 29 };
  sol_tensor_t x = make (T, K), w = make (N, K), b = make (1, N), y = make (T, N), y0 = copy_of (y), db = make (1, N), db0 = copy_of (db);
  sol_weight_t h;
  R->weight_prepare (q, w, NULL, &h);
  for (int acc = 0; acc < 2; acc++) {
    memcpy (y.at, y0.at, T * N * 4);
    R->matmul (q, x, &h, acc ? sol_no_tensor : b, acc, y);
    begin ();
    for (int t = 0; t < T; t++)
      for (int n = 0; n < N; n++) {
        double s = acc ? at (y0, t, n) : at (b, 0, n);
        for (int k = 0; k < K; k++) s += at (x, t, k) * at (w, n, k);
        see (at (y, t, n), s);
      }
    end (acc ? "matmul, accumulating" : "matmul with bias", 1e-6);
  }
  R->bias_dw (q, y, db);
  begin ();
  for (int n = 0; n < N; n++) {
    double s = at (db0, 0, n);
    for (int t = 0; t < T; t++) s += at (y, t, n);
    see (at (db, 0, n), s);
  }
  end ("bias_dw", 1e-6);
  drop (7, (sol_tensor_t[]){ x, w, b, y, y0, db, db0 });
}

static void test_rows (void)
{
  enum { T = 6, C = 50, V = 9 };
  sol_tensor_t table = make (V, C), table0 = copy_of (table), half = sol_tensor (sol_alloc (V * C * 2), SOL_BF16, V, C), ids = ints (T, V), y = make (T, C), x = make (T, C), z = make (V, C),
               z0 = copy_of (z), wide;
  int32_t rows[T] = { 4, 8, 0, 7, 2, 1 };
  sol_tensor_t at_rows = sol_tensor (rows, SOL_I32, 1, T);
  int good = 1;
  id_of (ids)[3] = id_of (ids)[1]; /* a repeated token */
  R->embed (q, ids, table, y);
  for (int t = 0; t < T; t++) good &= !memcmp (sol_tensor_rows (y, t, 1).at, sol_tensor_rows (table, id_of (ids)[t], 1).at, C * 4);
  tap_ok (good, "embed");
  R->round (q, table, half);
  wide = make (V, C);
  R->round (q, half, wide);
  R->embed (q, ids, half, y);
  for (int t = 0; t < T; t++) good &= !memcmp (sol_tensor_rows (y, t, 1).at, sol_tensor_rows (wide, id_of (ids)[t], 1).at, C * 4);
  tap_ok (good, "embed of a bf16 table is the widened table");
  R->embed_dw (q, ids, x, table);
  begin ();
  for (int v = 0; v < V; v++)
    for (int c = 0; c < C; c++) {
      double s = at (table0, v, c);
      for (int t = 0; t < T; t++)
        if (id_of (ids)[t] == v) s += at (x, t, c);
      see (at (table, v, c), s);
    }
  end ("embed_dw, a token twice", 1e-6);
  R->gather (q, z, at_rows, y);
  for (int t = 0; t < T; t++)
    for (int c = 0; c < C; c++) good &= at (y, t, c) == at (z0, rows[t], c);
  tap_ok (good, "gather");
  R->scatter (q, x, at_rows, z);
  for (int t = 0; t < T; t++)
    for (int c = 0; c < C; c++) good &= at (z, rows[t], c) == at (x, t, c) && at (z, 3, c) == at (z0, 3, c);
  tap_ok (good, "scatter writes the named rows and no other");
  R->scatter_add (q, y, at_rows, z);
  for (int t = 0; t < T; t++)
    for (int c = 0; c < C; c++) good &= (float) at (z, rows[t], c) == (float) at (x, t, c) + (float) at (y, t, c) && at (z, 3, c) == at (z0, 3, c);
  tap_ok (good, "scatter_add");
  memcpy (wide.at, y.at, T * C * 4);
  R->add (q, x, y);
  for (int t = 0; t < T; t++)
    for (int c = 0; c < C; c++) good &= (float) at (y, t, c) == floats (wide)[t * C + c] + (float) at (x, t, c);
  tap_ok (good, "add");
  drop (9, (sol_tensor_t[]){ table, table0, half, ids, y, x, z, z0, wide });
}

static void test_elementwise (void)
{
  enum { T = 4, H = 3, D = 10, C = H * D };
  sol_tensor_t x = make (T, C), w = make (1, C), y = make (T, C), inv = make (1, T), table = make (20, D), pos = ints (T, 20), r = copy_of (x), up = make (T, C);
  R->rmsnorm (q, x, w, 1e-2f, y, inv);
  begin ();
  for (int t = 0; t < T; t++) {
    double s = 0, i;
    for (int c = 0; c < C; c++) s += at (x, t, c) * at (x, t, c);
    i = 1 / sqrt (s / C + 1e-2);
    see (at (inv, 0, t), i);
    for (int c = 0; c < C; c++) see (at (y, t, c), at (x, t, c) * i * at (w, 0, c));
  }
  end ("rmsnorm", 1e-6);
  for (int p = 0; p < 20; p++)
    for (int i = 0; i < D / 2; i++) {
      double angle = p * pow (10000, -2.0 * i / D);
      floats (table)[p * D + i] = (float) cos (angle);
      floats (table)[p * D + D / 2 + i] = (float) sin (angle);
    }
  R->rope (q, r, H, pos, table, 1);
  begin ();
  for (int t = 0; t < T; t++)
    for (int h = 0; h < H; h++)
      for (int i = 0; i < D / 2; i++) {
        double angle = id_of (pos)[t] * pow (10000, -2.0 * i / D), a = at (x, t, h * D + i), b = at (x, t, h * D + D / 2 + i);
        see (at (r, t, h * D + i), a * cos (angle) - b * sin (angle));
        see (at (r, t, h * D + D / 2 + i), b * cos (angle) + a * sin (angle));
      }
  end ("rope turns each pair by its angle", 1e-6);
  R->rope (q, r, H, pos, table, -1);
  begin ();
  for (int t = 0; t < T; t++)
    for (int c = 0; c < C; c++) see (at (r, t, c), at (x, t, c));
  end ("rope back again", 1e-6);
  floats (x)[0] = -100;
  floats (x)[1] = 100;
  R->swiglu (q, x, up, y);
  begin ();
  for (int t = 0; t < T; t++)
    for (int c = 0; c < C; c++) see (at (y, t, c), at (x, t, c) / (1 + exp (-at (x, t, c))) * at (up, t, c));
  end ("swiglu", 1e-6);
  drop (8, (sol_tensor_t[]){ x, w, y, inv, table, pos, r, up });
}

static void test_attention (void)
{
  enum { H = 4, HKV = 2, D = 6, T = 40 };
  sol_span_t s[] = { { 0, 19, 0, 0, 0, 19 }, { 19, 7, 0, 19, 19, 7 }, { 26, 0, 0, 5, 0, 0 }, { 26, 1, 0, 19, 19, 3 } };
  sol_tensor_t Q = make (T, H * D), K = make (T, HKV * D), V = make (T, HKV * D), O = make (T, H * D), O0 = copy_of (O), st = make (T, 2 * H);
  R->attention (q, Q, K, V, sol_no_tensor, sol_no_tensor, s, 4, H, HKV, .4f, O, st);
  begin ();
  for (int i = 0; i < 4; i++)
    for (int r = 0; r < s[i].n_q; r++)
      for (int h = 0; h < H; h++) {
        double p[T], sum = 0, max = -1e9, own = s[i].n_a + s[i].n_b - s[i].n_q + r;
        for (int j = 0; j <= own; j++) {
          int row = j < s[i].n_a ? s[i].a_row + j : s[i].b_row + j - s[i].n_a;
          p[j] = 0;
          for (int d = 0; d < D; d++) p[j] += .4 * at (Q, s[i].q_row + r, h * D + d) * at (K, row, h / 2 * D + d);
          if (p[j] > max) max = p[j];
        }
        for (int j = 0; j <= own; j++) sum += p[j] = exp (p[j] - max);
        see (at (st, s[i].q_row + r, 2 * h), max);
        see (at (st, s[i].q_row + r, 2 * h + 1), sum);
        for (int d = 0; d < D; d++) {
          double o = 0;
          for (int j = 0; j <= own; j++) o += p[j] / sum * at (V, j < s[i].n_a ? s[i].a_row + j : s[i].b_row + j - s[i].n_a, h / 2 * D + d);
          see (at (O, s[i].q_row + r, h * D + d), o);
        }
      }
  end ("attention: prompt, response behind it, empty span, one query", 2e-6);
  ok (!memcmp (sol_tensor_rows (O, 27, 13).at, sol_tensor_rows (O0, 27, 13).at, 13 * H * D * 4));
  drop (6, (sol_tensor_t[]){ Q, K, V, O, O0, st });
}

static void test_head (double temperature)
{
  enum { N = 5, V = 2100, C = 12 };
  float inv_temp = (float) (1 / temperature);
  sol_tensor_t x = make (N, C), w = make (V, C), t = ints (N, V), scratch = make (N, SOL_HEAD_BLOCK), lg = make (N, V), part = make (N, 4), again = make (N, 4), lp = make (1, N), en = make (1, N);
  sol_weight_t h;
  R->weight_prepare (q, w, NULL, &h);
  id_of (t)[0] = V - 1;
  for (int i = 0; i < C; i++) floats (x)[i] *= 8; /* a sharp row */
  R->head_partial (q, x, &h, t, inv_temp, scratch, lg, part, sol_no_tensor);
  R->head_finish (q, part, lp, en);
  begin ();
  for (int r = 0; r < N; r++) {
    double max = -1e9, sum = 0, e = 0;
    for (int v = 0; v < V; v++) {
      double z = 0;
      for (int k = 0; k < C; k++) z += at (x, r, k) * at (w, v, k);
      see (at (lg, r, v), z);
      max = fmax (max, at (lg, r, v) / temperature);
    }
    for (int v = 0; v < V; v++) sum += exp (at (lg, r, v) / temperature - max);
    for (int v = 0; v < V; v++) {
      double p = exp (at (lg, r, v) / temperature - max) / sum;
      e -= p > 0 ? p * log (p) : 0;
    }
    see (at (lp, 0, r), at (lg, r, id_of (t)[r]) / temperature - max - log (sum));
    see (at (en, 0, r), e);
  }
  end ("head: logits, log-probability, entropy", 2e-6);
  R->head_partial (q, x, &h, sol_no_tensor, inv_temp, scratch, lg, again, sol_no_tensor);
  R->head_target (q, lg, t, inv_temp, again, sol_no_tensor);
  ok (same (part, again));
  drop (9, (sol_tensor_t[]){ x, w, t, scratch, lg, part, again, lp, en });
}

int main (void)
{
  need (sol_backend_create ("ref", 1, NULL, &ref) == SOL_OK);
  R = sol_backend_ops (ref);
  q = sol_backend_queue (ref, SOL_QUEUE_COMPUTE);
  test_products ();
  test_rows ();
  test_elementwise ();
  test_attention ();
  test_head (1);
  test_head (0.6);
  sol_backend_destroy (ref);
  return tap_done ();
}
