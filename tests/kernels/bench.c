/* SPDX-License-Identifier: Apache-2.0 */
/* bench: speed of the host kernels at the shapes of SmolLM2-135M and of the demonstration's model, side by side: the instruction set chosen, its share of the multiply-add rate
 * measured in the same run, and plain loops. Nothing is asserted. Seconds are the calling thread's own (best of several), so a busy machine disturbs little.
 *   make bench            every op on the best instruction set, one thread
 *   tests/kernels/bench avx2 2 matmul    instruction set, threads (then wall time is taken), part of a name */
#include "solera/backend.h"
#include "solera/log.h"
#include "draws.h"
#include "solera/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined __x86_64__
#include <immintrin.h>
#endif

static sol_backend_t *cpu, *ref;
static int threads = 1;
static double peak;
static const char *only = "";

static double now (void)
{
  struct timespec t;
  clock_gettime (threads > 1 ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

/* ---- the rate of fused multiply-adds on registers, in GFLOP/s */
/* 12 chains, so that latency hides; the empty asm keeps the compiler from computing anything beforehand */
#define CHAINS(X) X (0) X (1) X (2) X (3) X (4) X (5) X (6) X (7) X (8) X (9) X (10) X (11)
#define CHAIN_RATE(name, target_isa, type, set, fma, reg, lanes)                                                       \
  __attribute__ ((target (target_isa))) static double name (int n)                                                     \
  {                                                                                                                    \
    type x = set (0.999f), y = set (0.001f), CHAINS (CHAIN_DECLARE) unused = x;                                        \
    double t = now ();                                                                                                 \
    for (int k = 0; k < n; k++) {                                                                                      \
      CHAINS (CHAIN_##reg)                                                                                             \
    }                                                                                                                  \
    (void) unused;                                                                                                     \
    return 12 * 2e-9 * lanes * n / (now () - t);                                                                       \
  }
#define CHAIN_DECLARE(i) a##i = x,
#define CHAIN_v(i) a##i = _mm512_fmadd_ps (a##i, x, y); __asm__ volatile ("" : "+v"(a##i));
#define CHAIN_x(i) a##i = _mm256_fmadd_ps (a##i, x, y); __asm__ volatile ("" : "+x"(a##i));
#if defined SOL_HAVE_AVX512
CHAIN_RATE (fma_avx512, "avx512f", __m512, _mm512_set1_ps, _mm512_fmadd_ps, v, 16)
#endif
#if defined SOL_HAVE_AVX2
CHAIN_RATE (fma_avx2, "avx2,fma", __m256, _mm256_set1_ps, _mm256_fmadd_ps, x, 8)
#endif
static double fma_peak (const char *isa)
{
  double best = 0, g = 0;
  for (int i = 0; i < 20; i++) {
#if defined SOL_HAVE_AVX512
    if (!strcmp (isa, "avx512")) g = fma_avx512 (200000);
#endif
#if defined SOL_HAVE_AVX2
    if (strcmp (isa, "avx512")) g = fma_avx2 (200000);
#endif
    best = g > best ? g : best;
  }
  return best * threads;
}

/* ---- operands and time */
static sol_tensor_t make (int64_t rows, int64_t cols)
{
  sol_tensor_t t = sol_tensor (sol_alloc ((size_t) (rows * cols) * 4 + 64), SOL_F32, rows, cols);
  static uint64_t u = 12345;
  for (int64_t i = 0; i < rows * cols; i++) {
    u = u * 6364136223846793005u + 1442695040888963407u;
    ((float *) (void *) t.at)[i] = (float) (int32_t) (u >> 32) * 1e-10f; /* within .22 */
  }
  return t;
}
static void drop (int n, sol_tensor_t *t)
{
  for (int i = 0; i < n; i++) sol_free (t[i].at);
}
/* best seconds of a call; budget in seconds of our own time */
#define BEST(best, budget, call)                                                                                       \
  do {                                                                                                                 \
    double spent = 0;                                                                                                 \
    int turns = 0;                                                                                                        \
    (best) = 1e9;                                                                                                      \
    do {                                                                                                               \
      double once = now ();                                                                                              \
      call;                                                                                                            \
      once = now () - once;                                                                                                \
      spent += once;                                                                                                    \
      if (once < (best)) (best) = once;                                                                                    \
    } while (turns++ < 2 || spent < (budget));                                                                           \
  } while (0)
#define CPU_OP sol_backend_ops (cpu)
#define REF_OP sol_backend_ops (ref)
#define QC sol_backend_queue (cpu, SOL_QUEUE_COMPUTE)
#define QR sol_backend_queue (ref, SOL_QUEUE_COMPUTE)

/* flop: multiply-adds count two; ref_s < 0: not measured */
static void line (const char *op, const char *shape, double flop, double s, double ref_s)
{
  printf ("%-20s %-34s %10.1f us %8.2f GFLOP/s %5.1f %%", op, shape, 1e6 * s, 1e-9 * flop / s, 1e-7 * flop / s / peak);
  if (ref_s > 0) printf ("  %6.1f x ref", ref_s / s);
  putchar ('\n');
  fflush (stdout);
}
static int wanted (const char *op) { return strstr (op, only) != NULL; }

static void bench_products (int64_t m, int64_t n, int64_t k, sol_dtype_t dtype)
{
  sol_tensor_t x = make (m, k), w = make (n, k), y = make (m, n), r = sol_no_tensor;
  sol_weight_t wc, wr;
  char shape[64];
  double s, t = -1, flop = 2.0 * (double) (m * n * k);
  if (dtype == SOL_BF16) {
    r = make (n, k);
    w.dtype = SOL_BF16;
    REF_OP->round (QR, r, w);
  }
  CPU_OP->weight_prepare (QC, w, sol_alloc (CPU_OP->weight_bytes (cpu, n, k, dtype)), &wc);
  REF_OP->weight_prepare (QR, w, NULL, &wr);
  snprintf (shape, sizeof shape, "m=%lld n=%lld k=%lld %s", (long long) m, (long long) n, (long long) k, dtype == SOL_BF16 ? "bf16" : "f32");
  if (wanted ("matmul")) {
    BEST (s, .2, CPU_OP->matmul (QC, x, &wc, sol_no_tensor, 0, y));
    if (flop < 1e8) BEST (t, .02, REF_OP->matmul (QR, x, &wr, sol_no_tensor, 0, y));
    line ("matmul", shape, flop, s, t);
  }
  if (wanted ("matmul_dx") && m >= 64) {
    BEST (s, .2, CPU_OP->matmul_dx (QC, y, &wc, 0, x));
    line ("matmul_dx", shape, flop, s, -1);
  }
  if (wanted ("matmul_dw") && m >= 64 && dtype == SOL_F32) {
    BEST (s, .2, CPU_OP->matmul_dw (QC, y, x, w));
    line ("matmul_dw", shape, flop, s, -1);
  }
  sol_free (wc.packed);
  drop (4, (sol_tensor_t[]){ x, w, y, r });
}

/* n_spans sequences of n tokens, or one query on n keys each */
static void bench_attention (int32_t n_spans, int32_t n, int decode, int32_t H, int32_t Hkv, int64_t D)
{
  int64_t T = (int64_t) n_spans * n, nq = decode ? n_spans : T;
  sol_tensor_t Q = make (nq, H * D), K = make (T, Hkv * D), V = make (T, Hkv * D), O = make (nq, H * D), st = make (nq, 2 * H), dQ = make (nq, H * D), dK = make (T, Hkv * D), dV = make (T, Hkv * D);
  sol_span_t *sp = sol_alloc ((size_t) n_spans * sizeof *sp);
  char shape[64];
  double s, t = -1, pairs = (double) n_spans * H * (decode ? n : (double) n * (n + 1) / 2);
  for (int32_t i = 0; i < n_spans; i++) sp[i] = decode ? (sol_span_t){ i, 1, 0, 0, i * n, n } : (sol_span_t){ i * n, n, 0, 0, i * n, n };
  snprintf (shape, sizeof shape, "%s %dx%d H=%d/%d D=%lld", decode ? "decode" : "train", n_spans, n, H, Hkv, (long long) D);
  if (wanted ("attention")) {
    BEST (s, .2, CPU_OP->attention (QC, Q, K, V, sol_no_tensor, sol_no_tensor, sp, n_spans, H, Hkv, .125f, O, st));
    if (pairs < 1e5) BEST (t, .02, REF_OP->attention (QR, Q, K, V, sol_no_tensor, sol_no_tensor, sp, n_spans, H, Hkv, .125f, O, st));
    line ("attention", shape, pairs * 4 * (double) D, s, t);
  }
  if (wanted ("attention_backward") && !decode) {
    BEST (s, .2, CPU_OP->attention_backward (QC, O, Q, K, V, O, st, sol_no_tensor, sp, n_spans, H, Hkv, .125f, dQ, dK, dV));
    if (pairs < 1e5) BEST (t, .02, REF_OP->attention_backward (QR, O, Q, K, V, O, st, sol_no_tensor, sp, n_spans, H, Hkv, .125f, dQ, dK, dV));
    line ("attention_backward", shape, pairs * 10 * (double) D, s, t);
  }
  sol_free (sp);
  drop (8, (sol_tensor_t[]){ Q, K, V, O, st, dQ, dK, dV });
}

static void bench_head (int64_t R, int64_t V, int64_t C)
{
  sol_tensor_t x = make (R, C), w = make (V, C), scratch = make (R, SOL_HEAD_BLOCK), part = make (R, 4), lp = make (1, R), en = make (1, R), dx = make (R, C), dw = make (V, C), logits = make (R, V), ids = make (1, R),
               draws = make (R, 4);
  sol_weight_t wc;
  char shape[64];
  double s, flop = 2.0 * (double) (R * V * C);
  for (int64_t i = 0; i < R; i++) {
    ((int32_t *) (void *) ids.at)[i] = (int32_t) (i % V);
    set_draw (3, draws, i, .1 + .8 * (double) i / (double) R);
  }
  CPU_OP->weight_prepare (QC, w, sol_alloc (CPU_OP->weight_bytes (cpu, V, C, SOL_F32)), &wc);
  snprintf (shape, sizeof shape, "rows=%lld V=%lld C=%lld", (long long) R, (long long) V, (long long) C);
  if (wanted ("head") || wanted ("sample")) {
    BEST (s, .2, CPU_OP->head_partial (QC, x, &wc, ids, 1, scratch, logits, part, sol_no_tensor));
    line ("head_partial", shape, flop, s, -1);
    CPU_OP->head_finish (QC, part, lp, en);
    BEST (s, .2, CPU_OP->head_backward (QC, x, &wc, ids, 1, part, lp, en, scratch, dx, dw));
    line ("head_backward", shape, 3 * flop, s, -1);
    BEST (s, .1, CPU_OP->sample (QC, logits, part, 1, 3, draws, 0, 0, 1.0, ids));
    printf ("%-20s %-34s %10.1f us %8.2f ns/entry\n", "sample", shape, 1e6 * s, 1e9 * s / (double) (R * V));
    BEST (s, .1, CPU_OP->sample (QC, logits, part, 1, 3, draws, 0, 50, .9, ids));
    printf ("%-20s %-34s %10.1f us %8.2f ns/entry\n", "sample top-k top-p", shape, 1e6 * s, 1e9 * s / (double) (R * V));
  }
  sol_free (wc.packed);
  drop (11, (sol_tensor_t[]){ x, w, scratch, part, lp, en, dx, dw, logits, ids, draws });
}

static void stream (const char *op, const char *shape, double elements, double s, double ref_s)
{
  printf ("%-20s %-34s %10.1f us %8.3f ns/element %24.1f x ref\n", op, shape, 1e6 * s, 1e9 * s / elements, ref_s / s);
}
#define STREAM(op, shape, n, call_c, call_r)                                                                           \
  if (wanted (op)) {                                                                                                   \
    double s_, t_;                                                                                                     \
    BEST (s_, .1, call_c);                                                                                             \
    BEST (t_, .1, call_r);                                                                                             \
    stream (op, shape, (double) (n), s_, t_);                                                                          \
  }

static void bench_rows (int64_t T, int64_t C)
{
  sol_tensor_t x = make (T, C), y = make (T, C), z = make (T, C), o = make (T, C), o2 = make (T, C), w = make (1, C), inv = make (1, T), dw = make (1, C), pos = make (1, T), table = make (T, 64), sums = make (1, T * C);
  sol_adamw_t h = { 1e-6, .9, .999, 1e-8, .01, 1, 10 };
  char shape[64];
  int32_t H = (int32_t) (C / 64);
  snprintf (shape, sizeof shape, "%lld x %lld", (long long) T, (long long) C);
  for (int64_t i = 0; i < T; i++) ((int32_t *) (void *) pos.at)[i] = (int32_t) i;
  STREAM ("rmsnorm", shape, T * C, CPU_OP->rmsnorm (QC, x, w, 1e-5f, y, inv), REF_OP->rmsnorm (QR, x, w, 1e-5f, y, inv))
  STREAM ("rmsnorm_dx", shape, T * C, CPU_OP->rmsnorm_dx (QC, y, x, w, inv, 1, o), REF_OP->rmsnorm_dx (QR, y, x, w, inv, 1, o))
  STREAM ("rmsnorm_dw", shape, T * C, CPU_OP->rmsnorm_dw (QC, y, x, inv, dw), REF_OP->rmsnorm_dw (QR, y, x, inv, dw))
  for (int64_t i = 0; i < T * 64; i++) ((float *) (void *) table.at)[i] = i % 64 < 32 ? 1 : 0; /* nothing shrinks */
  STREAM ("rope", shape, T * C, CPU_OP->rope (QC, y, H, pos, table, 1), REF_OP->rope (QR, y, H, pos, table, 1))
  STREAM ("swiglu", shape, T * C, CPU_OP->swiglu (QC, x, y, o), REF_OP->swiglu (QR, x, y, o))
  STREAM ("swiglu_backward", shape, T * C, CPU_OP->swiglu_backward (QC, x, y, z, o, o2), REF_OP->swiglu_backward (QR, x, y, z, o, o2))
  STREAM ("add", shape, T * C, CPU_OP->add (QC, x, o), REF_OP->add (QR, x, o))
  STREAM ("bias_dw", shape, T * C, CPU_OP->bias_dw (QC, x, dw), REF_OP->bias_dw (QR, x, dw))
  STREAM ("embed_dw", shape, T * C, CPU_OP->embed_dw (QC, pos, x, o), REF_OP->embed_dw (QR, pos, x, o))
  o.dtype = SOL_BF16;
  STREAM ("round", shape, T * C, CPU_OP->round (QC, x, o), REF_OP->round (QR, x, o))
  o.dtype = SOL_F32;
  x = sol_tensor (x.at, SOL_F32, 1, T * C), y = sol_tensor (y.at, SOL_F32, 1, T * C), z = sol_tensor (z.at, SOL_F32, 1, T * C), o = sol_tensor (o.at, SOL_F32, 1, T * C);
  memset (o.at, 0, (size_t) (T * C) * 4);
  STREAM ("adamw", shape, T * C, CPU_OP->adamw (QC, h, x, y, z, o), REF_OP->adamw (QR, h, x, y, z, o))
  STREAM ("sumsq", shape, T * C, CPU_OP->sumsq (QC, x, sums), REF_OP->sumsq (QR, x, sums))
  {
    sol_weight_t wc;
    sol_tensor_t m = sol_tensor (x.at, SOL_F32, T, C);
    double s;
    BEST (s, .1, CPU_OP->weight_prepare (QC, m, sums.at, &wc));
    if (wanted ("weight_prepare")) printf ("%-20s %-34s %10.1f us %8.3f ns/element\n", "weight_prepare", shape, 1e6 * s, 1e9 * s / (double) (T * C));
  }
  drop (11, (sol_tensor_t[]){ x, y, z, o, o2, w, inv, dw, pos, table, sums });
}

int main (int argc, char **argv)
{
  const char *isa = argc > 1 && argv[1][0] ? argv[1] : NULL;
  threads = argc > 2 ? atoi (argv[2]) : 1;
  if (argc > 3) only = argv[3];
  sol_log_level (SOL_LOG_ERROR);
  if (sol_backend_create ("cpu", threads, isa, &cpu) != SOL_OK || sol_backend_create ("ref", 1, NULL, &ref) != SOL_OK) return 1;
  peak = fma_peak (isa ? isa : sol_backend_isa ());
  printf ("%s: %.0f GFLOP/s of multiply-adds on registers\n", sol_backend_describe (cpu), peak);
  if (wanted ("matmul") || wanted ("matmul_dx") || wanted ("matmul_dw")) {
    int64_t m[] = { 1, 8, 64, 512 };
    for (int i = 0; i < 4; i++) {
      bench_products (m[i], 576, 576, SOL_F32);
      bench_products (m[i], 1536, 576, SOL_F32);
      bench_products (m[i], 576, 1536, SOL_BF16);
    }
    bench_products (1, 49152, 576, SOL_F32);
    bench_products (8, 49152, 576, SOL_BF16);
    bench_products (64, 49152, 576, SOL_F32);
    bench_products (64, 48, 48, SOL_F32);
    bench_products (512, 128, 48, SOL_F32);
  }
  if (wanted ("attention") || wanted ("attention_backward")) {
    bench_attention (32, 18, 0, 4, 2, 16);
    bench_attention (64, 18, 1, 4, 2, 16);
    bench_attention (4, 128, 0, 9, 3, 64);
    bench_attention (1, 1024, 0, 9, 3, 64);
    bench_attention (32, 256, 1, 9, 3, 64);
  }
  if (wanted ("head") || wanted ("sample")) {
    bench_head (64, 20, 48);
    bench_head (8, 49152, 576);
    bench_head (256, 49152, 576);
  }
  bench_rows (512, 576);
  sol_backend_destroy (cpu);
  sol_backend_destroy (ref);
  return sol_memory_used () != 0;
}
