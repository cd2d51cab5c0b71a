/* SPDX-License-Identifier: Apache-2.0 */
/* Protects: every backward op of the plain loops against finite differences of a double replica of its forward. The loss is always the sum of the output times a fixed dy. */
#include "make.h"

static sol_backend_t *ref;
static const sol_ops_t *R;
static sol_queue_t *q;

/* a replica's variables */
enum { ROOM = 4096 };
typedef double wide_t[ROOM];
static wide_t a, b, c, g;
static void widen (sol_tensor_t t, double *to)
{
  SOL_ASSERT (t.rows * t.cols <= ROOM);
  for (int64_t i = 0; i < t.rows * t.cols; i++) to[i] = floats (t)[i];
}

/* got - before (what was there when the op accumulated; none: 0) against the central difference by each of x */
static void check (const char *what, double (*loss) (void), double *x, sol_tensor_t got, const float *before)
{
  double worst = 0, largest = 0;
  for (int64_t i = 0; i < got.rows * got.cols; i++) {
    double keep = x[i], h = 1e-4, up, down, want, e;
    x[i] = keep + h;
    up = loss ();
    x[i] = keep - h;
    down = loss ();
    x[i] = keep;
    want = (up - down) / (2 * h);
    e = fabs ((double) floats (got)[i] - (before ? (double) before[i] : 0) - want);
    if (!(e <= worst)) worst = e;
    if (fabs (want) > largest) largest = fabs (want);
  }
  tap_ok (worst <= 2e-5 * largest && largest > 0, "%s: error %.2g of %.2g", what, worst, largest);
}

enum { T = 5, N = 13, K = 9 };
static double matmul_loss (void)
{
  double s = 0;
  for (int t = 0; t < T; t++)
    for (int n = 0; n < N; n++)
      for (int k = 0; k < K; k++) s += g[t * N + n] * a[t * K + k] * b[n * K + k];
  return s;
}
static void test_matmul (void)
{
  sol_tensor_t x = make (T, K), w = make (N, K), dy = make (T, N), dx = make (T, K), dx0 = copy_of (dx), dw = make (N, K), dw0 = copy_of (dw);
  sol_weight_t h;
  R->weight_prepare (q, w, NULL, &h);
  widen (x, a), widen (w, b), widen (dy, g);
  R->matmul_dx (q, dy, &h, 1, dx);
  check ("matmul_dx, accumulating", matmul_loss, a, dx, floats (dx0));
  R->matmul_dx (q, dy, &h, 0, dx);
  check ("matmul_dx", matmul_loss, a, dx, NULL);
  R->matmul_dw (q, dy, x, dw);
  check ("matmul_dw", matmul_loss, b, dw, floats (dw0));
  drop (7, (sol_tensor_t[]){ x, w, dy, dx, dx0, dw, dw0 });
}

enum { C = 35 };
static double rmsnorm_loss (void)
{
  double l = 0;
  for (int t = 0; t < T; t++) {
    double s = 0;
    for (int i = 0; i < C; i++) s += a[t * C + i] * a[t * C + i];
    for (int i = 0; i < C; i++) l += g[t * C + i] * a[t * C + i] / sqrt (s / C + 0.5) * b[i];
  }
  return l;
}
static double swiglu_loss (void)
{
  double l = 0;
  for (int i = 0; i < T * C; i++) l += g[i] * a[i] / (1 + exp (-a[i])) * b[i];
  return l;
}
static void test_rows (void)
{
  sol_tensor_t x = make (T, C), w = make (1, C), up = make (T, C), dy = make (T, C), y = make (T, C), inv = make (1, T), dx = make (T, C), dx0 = copy_of (dx), dw = make (1, C), dw0 = copy_of (dw);
  sol_tensor_t dup = make (T, C);
  widen (x, a), widen (w, b), widen (dy, g);
  R->rmsnorm (q, x, w, 0.5f, y, inv);
  R->rmsnorm_dx (q, dy, x, w, inv, 1, dx);
  check ("rmsnorm_dx, accumulating", rmsnorm_loss, a, dx, floats (dx0));
  R->rmsnorm_dx (q, dy, x, w, inv, 0, dx);
  check ("rmsnorm_dx", rmsnorm_loss, a, dx, NULL);
  R->rmsnorm_dw (q, dy, x, inv, dw);
  check ("rmsnorm_dw", rmsnorm_loss, b, dw, floats (dw0));
  widen (up, b);
  R->swiglu_backward (q, x, up, dy, dx, dup);
  check ("swiglu_backward, gate", swiglu_loss, a, dx, NULL);
  check ("swiglu_backward, up", swiglu_loss, b, dup, NULL);
  drop (11, (sol_tensor_t[]){ x, w, up, dy, y, inv, dx, dx0, dw, dw0, dup });
}

/* a prompt of 5, two responses that share it, a sequence alone */
enum { H = 4, HKV = 2, D = 6, ROWS = 17 };
static const sol_span_t spans[] = { { 0, 5, 0, 0, 0, 5 }, { 5, 3, 0, 5, 5, 3 }, { 8, 4, 0, 5, 8, 4 }, { 12, 5, 0, 0, 12, 5 } };
static double attention_loss (void)
{
  double l = 0;
  for (int i = 0; i < 4; i++)
    for (int r = 0; r < spans[i].n_q; r++)
      for (int h = 0; h < H; h++) {
        const sol_span_t *s = &spans[i];
        double p[ROWS], sum = 0;
        int n = s->n_a + s->n_b - s->n_q + r + 1, row = s->q_row + r, kv = h / (H / HKV) * D;
        for (int j = 0; j < n; j++) {
          int key = j < s->n_a ? s->a_row + j : s->b_row + j - s->n_a;
          p[j] = 0;
          for (int d = 0; d < D; d++) p[j] += 0.3 * a[row * H * D + h * D + d] * b[key * HKV * D + kv + d];
          sum += p[j] = exp (p[j]);
        }
        for (int j = 0; j < n; j++) {
          int key = j < s->n_a ? s->a_row + j : s->b_row + j - s->n_a;
          for (int d = 0; d < D; d++) l += g[row * H * D + h * D + d] * p[j] / sum * c[key * HKV * D + kv + d];
        }
      }
  return l;
}
static void test_attention (void)
{
  sol_tensor_t Q = make (ROWS, H * D), Kt = make (ROWS, HKV * D), V = make (ROWS, HKV * D), O = make (ROWS, H * D), st = make (ROWS, 2 * H), dO = make (ROWS, H * D), dQ = make (ROWS, H * D),
               dK = make (ROWS, HKV * D), dK0 = copy_of (dK), dV = make (ROWS, HKV * D), dV0 = copy_of (dV);
  widen (Q, a), widen (Kt, b), widen (V, c), widen (dO, g);
  R->attention (q, Q, Kt, V, sol_no_tensor, sol_no_tensor, spans, 4, H, HKV, 0.3f, O, st);
  R->attention_backward (q, dO, Q, Kt, V, O, st, sol_no_tensor, spans, 4, H, HKV, 0.3f, dQ, dK, dV);
  check ("attention, dQ", attention_loss, a, dQ, NULL);
  check ("attention, dK over spans that share keys", attention_loss, b, dK, floats (dK0));
  check ("attention, dV over spans that share values", attention_loss, c, dV, floats (dV0));
  drop (11, (sol_tensor_t[]){ Q, Kt, V, O, st, dO, dQ, dK, dK0, dV, dV0 });
}

enum { HR = 4, HV = 37, HC = 7 };
static const float lp_by[HR] = { 0.7f, -1.3f, 0, 0 }, entropy_by[HR] = { 0.4f, 0, -0.9f, 0 };
static int32_t target[HR] = { 3, 36, 0, 11 };
static double temperature;
static double head_loss (void)
{
  double l = 0;
  for (int r = 0; r < HR; r++) {
    double z[HV], sum = 0, e = 0;
    for (int v = 0; v < HV; v++) {
      z[v] = 0;
      for (int k = 0; k < HC; k++) z[v] += a[r * HC + k] * b[v * HC + k] / temperature;
      sum += exp (z[v]);
    }
    for (int v = 0; v < HV; v++) e -= exp (z[v]) / sum * (z[v] - log (sum));
    l += (double) lp_by[r] * (z[target[r]] - log (sum)) + (double) entropy_by[r] * e;
  }
  return l;
}
static void test_head (double by)
{
  sol_tensor_t x = make (HR, HC), w = make (HV, HC), t = sol_tensor (target, SOL_I32, 1, HR), scratch = make (HR, SOL_HEAD_BLOCK), part = make (HR, 4), dx = make (HR, HC), dw = make (HV, HC),
               dw0 = copy_of (dw), lp = make (1, HR), en = make (1, HR);
  sol_weight_t h;
  int zero = 1;
  temperature = by;
  memcpy (lp.at, lp_by, sizeof lp_by);
  memcpy (en.at, entropy_by, sizeof entropy_by);
  R->weight_prepare (q, w, NULL, &h);
  widen (x, a), widen (w, b);
  R->head_partial (q, x, &h, t, (float) (1 / by), scratch, sol_no_tensor, part, sol_no_tensor);
  R->head_backward (q, x, &h, t, (float) (1 / by), part, lp, en, scratch, dx, dw);
  check ("head, dx", head_loss, a, dx, NULL);
  check ("head, dw", head_loss, b, dw, floats (dw0));
  for (int k = 0; k < HC; k++) zero &= floats (dx)[3 * HC + k] == 0;
  tap_ok (zero, "a row without coefficients has gradient exactly 0");
  drop (9, (sol_tensor_t[]){ x, w, scratch, part, dx, dw, dw0, lp, en });
}

int main (void)
{
  need (sol_backend_create ("ref", 1, NULL, &ref) == SOL_OK);
  R = sol_backend_ops (ref);
  q = sol_backend_queue (ref, SOL_QUEUE_COMPUTE);
  test_matmul ();
  test_rows ();
  test_attention ();
  test_head (1);
  test_head (0.6);
  sol_backend_destroy (ref);
  return tap_done ();
}
