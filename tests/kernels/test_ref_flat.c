/* SPDX-License-Identifier: Apache-2.0 */
/* Protects: exp and log of the kernels, rounding, sums of squares, AdamW and the choice of tokens of the plain loops. */
#include "../../kernels/ref/math.h"
#include "draws.h"
#include "make.h"

static sol_backend_t *ref;
static const sol_ops_t *R;
static sol_queue_t *q;

/* distance of f from the true value in units of the last place of a float there */
static double ulps (float f, double want)
{
  int e;
  frexp (want, &e);
  return fabs ((double) f - want) / ldexp (1, (e < -125 ? -125 : e) - 24);
}

static void test_math (void)
{
  double worst = 0, deep = 0, log_worst = 0;
  for (float x = -86; x < 88.7f; x += 0.000317f) worst = fmax (worst, ulps (sol_exp (x), exp ((double) x)));
  for (float x = -103.9f; x < -86; x += 0.000317f) deep = fmax (deep, ulps (sol_exp (x), exp ((double) x)));
  for (float x = 1.2e-38f; x < 3e38f; x *= 1.00037f) log_worst = fmax (log_worst, ulps (sol_log_f32 (x), log ((double) x)));
  for (float x = 0.5f; x < 2; x += 0.000013f) log_worst = fmax (log_worst, ulps (sol_log_f32 (x), log ((double) x)));
  tap_ok (worst < 1.5, "exp: %.2f ulp", worst);
  tap_ok (deep <= 1.0, "exp with denormal results: %.2f ulp", deep);
  tap_ok (log_worst < 1.5, "log: %.2f ulp", log_worst);
  ok (sol_exp (0) == 1 && sol_exp (-0.0f) == 1);
  ok (sol_exp (-INFINITY) == 0 && sol_exp (-104.01f) == 0 && sol_exp (-1e30f) == 0);
  ok (sol_exp (-104) >= 0 && sol_exp (-104) <= 1.5e-45f && sol_exp (-103) > 0);
  ok (sol_exp (88.7f) < INFINITY && sol_exp (89) == INFINITY && sol_exp (90) == INFINITY && sol_exp (INFINITY) == INFINITY);
  ok (isnan (sol_exp (NAN)));
  ok (sol_log_f32 (1) == 0 && sol_log_f32 (0) == -INFINITY && sol_log_f32 (INFINITY) == INFINITY);
  ok (sol_sigmoid (0) == 0.5f && sol_sigmoid (200) == 1 && sol_sigmoid (-200) == 0);
}

static uint16_t half (uint32_t bits)
{
  float f;
  uint16_t h;
  memcpy (&f, &bits, 4);
  R->round (q, sol_tensor (&f, SOL_F32, 1, 1), sol_tensor (&h, SOL_BF16, 1, 1));
  return h;
}
static void test_round (void)
{
  int good = 1;
  ok (half (0x3f800000) == 0x3f80 && half (0x3f808000) == 0x3f80 && half (0x3f818000) == 0x3f82); /* ties go to even */
  ok (half (0x3f808001) == 0x3f81 && half (0x3f817fff) == 0x3f81 && half (0xbf808001) == 0xbf81);
  ok (half (0x00000001) == 0 && half (0x00008000) == 0 && half (0x00008001) == 1 && half (0x00018000) == 2 && half (0x80018000) == 0x8002); /* denormals */
  ok (half (0x7f7f7fff) == 0x7f7f && half (0x7f7f8000) == 0x7f80 && half (0xff7fffff) == 0xff80); /* beyond the largest: inf */
  ok (half (0x7f800000) == 0x7f80 && half (0xff800000) == 0xff80);
  ok ((half (0x7f800001) & 0x7fff) > 0x7f80 && (half (0xffffffff) & 0x7fff) > 0x7f80); /* NaN stays NaN */
  for (uint32_t h = 0; h < 65536; h++) {
    uint16_t in = (uint16_t) h;
    float f;
    R->round (q, sol_tensor (&in, SOL_BF16, 1, 1), sol_tensor (&f, SOL_F32, 1, 1));
    if (isnan (f)) continue;
    good &= half (h << 16) == in && sol_f32_bits (f) == h << 16;
  }
  tap_ok (good, "every bf16 number goes to f32 and back");
}

static void test_sumsq (void)
{
  int64_t n = 2 * SOL_SUMSQ_CHUNK + 77;
  sol_tensor_t x = make (1, n);
  double got[3], want[3] = { 0 };
  floats (x)[5] = 3e19f; /* its square is more than a float holds */
  R->sumsq (q, x, sol_tensor (got, SOL_F64, 1, 3));
  for (int64_t i = 0; i < n; i++) want[i / SOL_SUMSQ_CHUNK] += (double) floats (x)[i] * (double) floats (x)[i];
  for (int i = 0; i < 3; i++) tap_ok (fabs (got[i] / want[i] - 1) < 1e-12, "sumsq of chunk %d", i);
  sol_free (x.at);
}

static void test_adamw (void)
{
  enum { N = 300 };
  sol_tensor_t g = make (1, N), w = make (1, N), m = make (1, N), v = make (1, N);
  double W[N], M[N] = { 0 }, V[N] = { 0 }, worst = 0;
  sol_adamw_t h = { 1e-2, .9, .95, 1e-8, .1, .5, 0 };
  memset (m.at, 0, N * 4);
  memset (v.at, 0, N * 4);
  for (int i = 0; i < N; i++) W[i] = floats (w)[i];
  for (h.step = 1; h.step <= 20; h.step++) {
    for (int i = 0; i < N; i++) floats (g)[i] = i ? draw () : 0;
    R->adamw (q, h, g, w, m, v);
    for (int i = 0; i < N; i++) {
      double gi = floats (g)[i] * h.scale;
      M[i] = h.beta1 * M[i] + (1 - h.beta1) * gi;
      V[i] = h.beta2 * V[i] + (1 - h.beta2) * gi * gi;
      W[i] = W[i] * (1 - h.lr * h.decay) - h.lr * (M[i] / (1 - pow (h.beta1, (double) h.step))) / (sqrt (V[i] / (1 - pow (h.beta2, (double) h.step))) + h.eps);
      worst = fmax (worst, fabs (W[i] - (double) floats (w)[i]));
    }
  }
  tap_ok (worst < 3e-6, "adamw: 20 steps, error %.2g", worst);
  tap_ok (floats (m)[0] == 0 && floats (v)[0] == 0, "no gradient, no moments");
  drop (4, (sol_tensor_t[]){ g, w, m, v });
}

/* one draw from z [n] */
static int32_t pick (const float *z, int64_t n, double u, int greedy, int32_t top_k, double top_p)
{
  float part[4] = { -INFINITY };
  int32_t id = -1, counter[4];
  for (int64_t v = 0; v < n; v++) part[0] = z[v] > part[0] ? z[v] : part[0];
  set_draw (77, sol_tensor (counter, SOL_I32, 1, 4), 0, u);
  R->sample (q, sol_tensor ((void *) (uintptr_t) z, SOL_F32, 1, n), sol_tensor (part, SOL_F32, 1, 4), 1, 77, sol_tensor (counter, SOL_I32, 1, 4), greedy, top_k, top_p, sol_tensor (&id, SOL_I32, 1, 1));
  return id;
}
/* every draw over a grid of u is what the cumulative sum over the allowed says */
static int follows (const float *z, int64_t n, int32_t top_k, double top_p, const int *allowed)
{
  double total = 0;
  for (int64_t v = 0; v < n; v++) total += allowed[v] ? exp ((double) z[v]) : 0;
  for (int i = 0; i < 2000; i++) {
    double u = (i + 0.5) / 2000, sum = 0;
    int64_t v = 0;
    for (; v < n; v++)
      if (allowed[v] && (sum += exp ((double) z[v])) > u * total) break;
    if (pick (z, n, u, 0, top_k, top_p) != v) return 0;
  }
  return 1;
}

static void test_sample (void)
{
  enum { V = 3001 };
  static int all[V];
  sol_tensor_t z = make (1, V);
  float *f = floats (z);
  for (int v = 0; v < V; v++) all[v] = 1;
  tap_ok (follows (f, V, 0, 1, all), "draws follow the cumulative distribution");
  ok (pick (f, V, 0, 0, 0, 1) == 0 && pick (f, V, 1 - 0x1p-53, 0, 0, 1) == V - 1);
  /* a token of probability 3e-8 in the middle: the draw in its slice is it, those beside it are not */
  for (int v = 0; v < V; v++) f[v] = v == 1500 ? -9.4f : 0;
  double p = exp ((double) f[1500]), total = V - 1 + p;
  ok (p / total < 1e-7);
  ok (pick (f, V, (1500 + p / 2) / total, 0, 0, 1) == 1500);
  ok (pick (f, V, (1500 - p) / total, 0, 0, 1) == 1499 && pick (f, V, (1500 + 2 * p) / total, 0, 0, 1) == 1501);
  sol_free (z.at);
}

static void test_sets (void)
{
  float z[8] = { 1, 2, 2, 0, 2, -1, 3, 1 }, probs[5], odd[40];
  ok (pick (z, 8, 0.3, 1, 0, 1) == 6 && pick (z, 6, 0.9, 1, 0, 1) == 1); /* the first maximum */
  tap_ok (follows (z, 8, 1, 1, (int[]){ 0, 0, 0, 0, 0, 0, 1, 0 }), "top_k 1 is the maximum");
  tap_ok (follows (z, 8, 3, 1, (int[]){ 0, 1, 1, 0, 0, 0, 1, 0 }), "top_k 3: ties go to the smaller ids");
  tap_ok (follows (z, 8, 5, 1, (int[]){ 1, 1, 1, 0, 1, 0, 1, 0 }), "top_k 5");
  tap_ok (follows (z, 8, 8, 1, (int[]){ 1, 1, 1, 1, 1, 1, 1, 1 }) && follows (z, 8, 99, 1, (int[]){ 1, 1, 1, 1, 1, 1, 1, 1 }), "top_k of all and of more than all");
  for (int i = 0; i < 5; i++) probs[i] = logf ((float[]){ .1f, .4f, .1f, .3f, .1f }[i]);
  tap_ok (follows (probs, 5, 0, 0.39, (int[]){ 0, 1, 0, 0, 0 }), "top_p under the first");
  tap_ok (follows (probs, 5, 0, 0.69, (int[]){ 0, 1, 0, 1, 0 }), "top_p of two");
  tap_ok (follows (probs, 5, 0, 0.75, (int[]){ 1, 1, 0, 1, 0 }), "top_p of three: ties go to the smaller id");
  tap_ok (follows (probs, 5, 2, 0.9, (int[]){ 0, 1, 0, 1, 0 }), "top_p of what top_k leaves");
  tap_ok (follows (probs, 5, 0, 1e-9, (int[]){ 0, 1, 0, 0, 0 }), "a tiny top_p leaves one");
  for (int i = 0; i < 40; i++) odd[i] = i % 2 ? -INFINITY : 0;
  ok (pick (odd, 40, 0.99999, 0, 0, 1) == 38 && pick (odd, 40, 0.51, 0, 0, 1) == 20); /* probability 0 is never drawn */
}

int main (void)
{
  need (sol_backend_create ("ref", 1, NULL, &ref) == SOL_OK);
  R = sol_backend_ops (ref);
  q = sol_backend_queue (ref, SOL_QUEUE_COMPUTE);
  test_math ();
  test_round ();
  test_sumsq ();
  test_adamw ();
  test_sample ();
  test_sets ();
  sol_backend_destroy (ref);
  return tap_done ();
}
