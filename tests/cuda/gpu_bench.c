/* SPDX-License-Identifier: Apache-2.0 */
/* gpu_bench: every op at the shapes of Qwen2.5-7B and Qwen2.5-0.5B beside what this card does at best: the bytes that must be read and written over its copy rate, or the flops over the rate of
 * its products, whichever takes longer. Over 100 %: what it reads was still in the cache. An op that fails is named with its shape, and the others go on.
 *   gpu_bench list       the parts, one a line
 *   gpu_bench ceilings   measures and prints both rates: bytes/s, flop/s
 *   gpu_bench PART       a table of one part against the rates in GPU_COPY and GPU_PRODUCT */
#include "gpu.h"
#include "solera/random.h"

typedef struct { const char *name; int64_t T, C; int32_t H, Hkv; int64_t D, mlp, V; } sizes_t;
static sizes_t M; /* T: tokens of a training pass, so that what an op reads does not fit into a card's cache */
enum { BF = 2, F4 = 4 };

static void say (const char *op, const char *shape, double bytes, double flop, double s, sol_status_t st)
{
  const double memory = gpu.copy_rate > 0 ? bytes / gpu.copy_rate : 0, products = gpu.product_rate > 0 ? flop / gpu.product_rate : 0, best = fmax (memory, products);
  const char *bound = memory > products ? "memory" : "math";
  if (st != SOL_OK) {
    gpu.failed = 1;
    printf ("FAILED %s, %s: %s\n", op, shape, sol_status_string (st));
    if (gpu.json) fprintf (gpu.json, "{\"op\": \"%s\", \"model\": \"%s\", \"shape\": \"%s\", \"failed\": true}\n", op, M.name, shape);
  }
  else {
    printf ("%-20s %-34s %10.1f us %7.0f GB/s %7.1f TFLOP/s  %-6s %6.1f %%\n", op, shape, 1e6 * s, 1e-9 * bytes / s, 1e-12 * flop / s, bound, 100 * best / s);
    if (gpu.json)
      fprintf (gpu.json, "{\"op\": \"%s\", \"model\": \"%s\", \"shape\": \"%s\", \"seconds\": %.6g, \"bytes\": %.6g, \"flop\": %.6g, \"bound\": \"%s\", \"of_roofline\": %.4g}\n", op, M.name, shape, s, bytes,
               flop, bound, best / s);
  }
  fflush (stdout);
}
#define ROW(op, shape, bytes, flop, call)                                                                              \
  do {                                                                                                                 \
    double s_;                                                                                                         \
    sol_status_t st_;                                                                                                  \
    GPU_TIME (s_, st_, call);                                                                                          \
    say (op, shape, bytes, flop, s_, st_);                                                                             \
  } while (0)
#define RUN(op, ...) gpu.ops->op (gpu.queue, __VA_ARGS__)

/* ---- the two ceilings of this very card: copying, and the best bf16 product of several sizes. A failed one is 0: what it bounds gets no roofline. */
static void measured (const char *op, sol_status_t st, double rate, double *best)
{
  if (st == SOL_OK) *best = fmax (*best, rate);
  else gpu.failed = 1, printf ("FAILED %s, the ceiling: %s\n", op, sol_status_string (st));
}
static void ceilings (void)
{
  const int64_t bytes = gpu.small ? 1 << 16 : 1ll << 30;
  double s;
  sol_status_t st;
  char *a = gpu_alloc ((size_t) (2 * bytes));
  GPU_TIME (s, st, RUN (copy, a + bytes, a, (size_t) bytes));
  measured ("copy", st, 2 * (double) bytes / s, &gpu.copy_rate);
  gpu_free (a);
  for (int64_t n = gpu.small ? 64 : 4096; n <= (gpu.small ? 64 : 8192); n *= 2) {
    sol_weight_t w;
    const sol_tensor_t t[] = { gpu_tensor (SOL_BF16, n, n), gpu_tensor (SOL_BF16, n, n), gpu_tensor (SOL_BF16, n, n) };
    RUN (weight_prepare, t[1], NULL, &w);
    GPU_TIME (s, st, RUN (matmul, t[0], &w, sol_no_tensor, 0, t[2]));
    measured ("matmul", st, 2.0 * (double) n * (double) n * (double) n / s, &gpu.product_rate);
    gpu_drop (3, t);
  }
  printf ("%.6g %.6g\n", gpu.copy_rate, gpu.product_rate);
  if (gpu.json)
    fprintf (gpu.json, "{\"device\": \"%s\", \"copy_bytes_per_s\": %.6g, \"product_flops\": %.6g, \"data_sheet_flops\": %.6g}\n", sol_backend_describe (gpu.backend), gpu.copy_rate, gpu.product_rate,
             gpu_sheet_rate ());
}

/* ---- products */
static void product (int64_t T, int64_t n, int64_t k, const char *which, int training)
{
  sol_weight_t w;
  char shape[96];
  const sol_tensor_t t[] = { gpu_tensor (SOL_BF16, T, k), gpu_tensor (SOL_BF16, n, k), gpu_tensor (SOL_BF16, T, n), gpu_tensor (SOL_F32, n, k), gpu_tensor (SOL_F32, 1, n), gpu_tensor (SOL_BF16, 1, n) };
  const double dT = (double) T, dn = (double) n, dk = (double) k, flop = 2 * dT * dn * dk, bytes = BF * (dT * dk + dn * dk + dT * dn);
  snprintf (shape, sizeof shape, "%s %lldx%lldx%lld", which, (long long) T, (long long) n, (long long) k);
  RUN (weight_prepare, t[1], NULL, &w);
  ROW ("matmul", shape, bytes, flop, RUN (matmul, t[0], &w, sol_no_tensor, 0, t[2]));
  if (training) {
    ROW ("matmul + bias", shape, bytes, flop, RUN (matmul, t[0], &w, t[5], 0, t[2]));
    ROW ("matmul_dx", shape, bytes, flop, RUN (matmul_dx, t[2], &w, 0, t[0]));
    ROW ("matmul_dw", shape, BF * (dT * dk + dT * dn) + 2 * F4 * dn * dk, flop, RUN (matmul_dw, t[2], t[0], t[3]));
    ROW ("bias_dw", shape, BF * dT * dn, 0, RUN (bias_dw, t[2], t[4]));
  }
  gpu_drop (6, t);
}
static void products (void)
{
  const int64_t few = gpu.small ? 8 : 64;
  product (M.T, M.H * M.D, M.C, "q", 1);
  product (M.T, M.mlp, M.C, "gate", 1);
  product (M.T, M.C, M.mlp, "down", 1);
  product (few, M.H * M.D, M.C, "decode q", 0);
  product (few, M.mlp, M.C, "decode gate", 0);
  product (few, M.C, M.mlp, "decode down", 0);
}

/* ---- rows */
static void embedding (void)
{
  const int64_t T = M.T, C = M.C;
  const double n = (double) T * (double) C;
  char shape[64];
  const sol_tensor_t x = gpu_tensor (SOL_BF16, T, C), y = gpu_tensor (SOL_BF16, T, C), ids = gpu_ints (T, (int32_t) M.V, 7919), order = gpu_ints (T, (int32_t) T, 1), table = gpu_tensor (SOL_BF16, M.V, C),
                     dtable = gpu_tensor (SOL_F32, M.V, C);
  snprintf (shape, sizeof shape, "%lldx%lld", (long long) T, (long long) C);
  ROW ("embed", shape, 2 * BF * n, 0, RUN (embed, ids, table, y));
  ROW ("embed_dw", shape, (BF + 2 * F4) * n, 0, RUN (embed_dw, ids, x, dtable));
  ROW ("gather", shape, 2 * BF * n, 0, RUN (gather, x, order, y));
  ROW ("scatter", shape, 2 * BF * n, 0, RUN (scatter, x, order, y));
  ROW ("scatter_add", shape, 3 * BF * n, 0, RUN (scatter_add, x, order, y));
  ROW ("add", shape, 3 * BF * n, 0, RUN (add, x, y));
  gpu_drop (6, (const sol_tensor_t[]){ x, y, ids, order, table, dtable });
}
static void norms (void)
{
  const int64_t T = M.T, C = M.C;
  const double n = (double) T * (double) C, q = (double) T * M.H * (double) M.D;
  char shape[64];
  const sol_tensor_t x = gpu_tensor (SOL_BF16, T, C), y = gpu_tensor (SOL_BF16, T, C), z = gpu_tensor (SOL_BF16, T, C), w = gpu_tensor (SOL_F32, 1, C), inv = gpu_tensor (SOL_F32, 1, T),
                     dw = gpu_tensor (SOL_F32, 1, C), pos = gpu_ints (T, 4096, 1), heads = gpu_tensor (SOL_BF16, T, M.H * M.D), table = gpu_tensor (SOL_F32, 4096, M.D);
  snprintf (shape, sizeof shape, "%lldx%lld", (long long) T, (long long) C);
  ROW ("rmsnorm", shape, 2 * BF * n, 0, RUN (rmsnorm, x, w, 1e-6f, y, inv));
  ROW ("rmsnorm_dx", shape, 4 * BF * n, 0, RUN (rmsnorm_dx, x, y, w, inv, 1, z));
  ROW ("rmsnorm_dw", shape, 2 * BF * n, 0, RUN (rmsnorm_dw, x, y, inv, dw));
  snprintf (shape, sizeof shape, "%lldx%d heads of %lld", (long long) T, M.H, (long long) M.D);
  ROW ("rope", shape, 2 * BF * q, 0, RUN (rope, heads, M.H, pos, table, 1));
  gpu_drop (9, (const sol_tensor_t[]){ x, y, z, w, inv, dw, pos, heads, table });
}
static void rows (void)
{
  char shape[64];
  const double m = (double) M.T * (double) M.mlp;
  embedding ();
  norms ();
  const sol_tensor_t g[] = { gpu_tensor (SOL_BF16, M.T, M.mlp), gpu_tensor (SOL_BF16, M.T, M.mlp), gpu_tensor (SOL_BF16, M.T, M.mlp), gpu_tensor (SOL_BF16, M.T, M.mlp), gpu_tensor (SOL_BF16, M.T, M.mlp) };
  snprintf (shape, sizeof shape, "%lldx%lld", (long long) M.T, (long long) M.mlp);
  ROW ("swiglu", shape, 3 * BF * m, 0, RUN (swiglu, g[0], g[1], g[2]));
  ROW ("swiglu_backward", shape, 5 * BF * m, 0, RUN (swiglu_backward, g[0], g[1], g[2], g[3], g[4]));
  gpu_drop (5, g);
}

/* ---- attention: n sequences of `own` tokens; shared: groups of 8 whose keys begin with a prompt of that length; decode: one query row each, keys in pages that lie about, as in the decoder's cache.
 * Flops of the keys that causality leaves. */
typedef struct { sol_span_t *s; int32_t n; int64_t Tq, Tk; double pairs, keys; } spans_t; /* Tk: rows of K and V; keys: of them, those that are there */
static int32_t paged (int32_t rows, int decode) { return decode ? (rows + SOL_KV_PAGE - 1) / SOL_KV_PAGE * SOL_KV_PAGE : rows; }
static spans_t spans_of (int32_t n, int32_t own, int32_t shared, int decode)
{
  const int32_t groups = shared ? (n + 7) / 8 : 0, prompt = paged (shared, decode), stride = paged (own, decode);
  spans_t p = { .s = sol_alloc ((size_t) (n + groups) * sizeof *p.s), .Tk = (int64_t) groups * prompt + (int64_t) n * stride, .keys = (double) groups * shared + (double) n * own };
  p.Tq = decode ? n : p.Tk;
  for (int32_t g = 0; g < groups && !decode; g++, p.pairs += (double) shared * (shared + 1) / 2) p.s[p.n++] = (sol_span_t){ g * shared, shared, 0, 0, g * shared, shared };
  for (int32_t i = 0; i < n; i++) {
    const int32_t row0 = groups * prompt + i * stride, a = shared ? i / 8 * prompt : 0;
    p.s[p.n++] = decode ? (sol_span_t){ i, 1, a, shared, row0, own } : (sol_span_t){ row0, own, a, shared, row0, own };
    p.pairs += decode ? shared + own : (double) own * shared + (double) own * (own + 1) / 2;
  }
  return p;
}
static void attention (int32_t n, int32_t own, int32_t shared, int decode)
{
  const int32_t H = M.H, Hkv = M.Hkv;
  const int64_t D = M.D;
  const float scale = 1 / sqrtf ((float) D);
  const spans_t p = spans_of (n, own, shared, decode);
  char shape[96], behind[24] = "";
  const sol_tensor_t Q = gpu_tensor (SOL_BF16, p.Tq, H * D), K = gpu_tensor (SOL_BF16, p.Tk, Hkv * D), V = gpu_tensor (SOL_BF16, p.Tk, Hkv * D), O = gpu_tensor (SOL_BF16, p.Tq, H * D),
                     stats = gpu_tensor (SOL_F32, p.Tq, 2 * H), dQ = gpu_tensor (SOL_BF16, p.Tq, H * D), dK = gpu_tensor (SOL_BF16, p.Tk, Hkv * D), dV = gpu_tensor (SOL_BF16, p.Tk, Hkv * D),
                     spans = gpu_tensor (SOL_I32, p.n, 6), pages = decode ? gpu_ints (p.Tk / SOL_KV_PAGE, (int32_t) (p.Tk / SOL_KV_PAGE), 7919) : sol_no_tensor; /* a prime: every page once */
  gpu_put (spans, p.s);
  const double qh = (double) H * (double) D, kv = (double) Hkv * (double) D, Tq = (double) p.Tq, flop = 4 * p.pairs * qh;
  if (shared) snprintf (behind, sizeof behind, " behind %d", shared);
  snprintf (shape, sizeof shape, "%dx%d%s H%d/%d D%lld", n, own, behind, H, Hkv, (long long) D);
  ROW (decode ? "attention (decode)" : "attention", shape, BF * (2 * Tq * qh + 2 * p.keys * kv), flop,
       RUN (attention, Q, K, V, pages, spans, p.s, p.n, H, Hkv, scale, O, decode ? sol_no_tensor : stats));
  if (!decode)
    ROW ("attention_backward", shape, BF * (4 * Tq * qh + 6 * p.keys * kv), 2.5 * flop, RUN (attention_backward, Q, Q, K, V, O, stats, spans, p.s, p.n, H, Hkv, scale, dQ, dK, dV));
  gpu_drop (10, (const sol_tensor_t[]){ Q, K, V, O, stats, dQ, dK, dV, spans, pages });
  sol_free (p.s);
}
static void attentions (void)
{
  const int few = gpu.small;
  attention (few ? 2 : 8, few ? 24 : 1024, 0, 0);
  attention (few ? 1 : 2, few ? 48 : 4096, 0, 0);
  attention (few ? 8 : 32, few ? 5 : 256, few ? 9 : 512, 0);
  attention (few ? 4 : 64, few ? 20 : 2048, 0, 1);
  attention (few ? 1 : 4, few ? 40 : 16384, 0, 1);
  attention (few ? 8 : 64, few ? 6 : 256, few ? 24 : 1024, 1);
}

/* ---- head: R rows */
typedef struct { sol_weight_t w; sol_tensor_t x, W, scratch, part, lp, ent, dx, ids; } head_t;
static void head_training (const head_t *h, const char *shape, double weight, double flop, double R)
{
  const sol_tensor_t dw = gpu_tensor (SOL_F32, M.V, M.C);
  ROW ("head_partial", shape, weight, flop, RUN (head_partial, h->x, &h->w, h->ids, 1, h->scratch, sol_no_tensor, h->part, sol_no_tensor));
  ROW ("head_finish", shape, 6.0 * F4 * R, 0, RUN (head_finish, h->part, h->lp, h->ent));
  ROW ("head_backward", shape, 5 * weight, 3 * flop, RUN (head_backward, h->x, &h->w, h->ids, 1, h->part, h->lp, h->ent, h->scratch, h->dx, dw));
  gpu_drop (1, &dw);
}
static void head_decoding (const head_t *h, const char *shape, double weight, double flop, int64_t R)
{
  const sol_tensor_t logits = gpu_tensor (SOL_F32, R, M.V), draws = gpu_tensor (SOL_I32, R, 4);
  const double bytes = F4 * (double) R * (double) M.V;
  uint32_t *at = sol_alloc ((size_t) R * 4 * sizeof *at);
  for (int64_t i = 0; i < R; i++) sol_random_counter ((uint64_t) i, SOL_RANDOM_TEST, 0, 0, at + 4 * i);
  gpu_put (draws, at);
  sol_free (at);
  ROW ("head_partial", shape, weight + bytes, flop, RUN (head_partial, h->x, &h->w, sol_no_tensor, 1, h->scratch, logits, h->part, sol_no_tensor));
  ROW ("sample", shape, bytes, 0, RUN (sample, logits, h->part, 1, 3, draws, 0, 0, 1.0, h->ids));
  ROW ("sample greedy", shape, bytes, 0, RUN (sample, logits, h->part, 1, 3, draws, 1, 0, 1.0, h->ids));
  ROW ("sample top-k top-p", shape, bytes, 0, RUN (sample, logits, h->part, 1, 3, draws, 0, 50, 0.95, h->ids));
  ROW ("head_target", shape, 4.0 * F4 * (double) R, 0, RUN (head_target, logits, h->ids, 1, h->part, sol_no_tensor));
  gpu_drop (2, (const sol_tensor_t[]){ logits, draws });
}
static void head (int64_t R, int training)
{
  const double weight = BF * (double) M.V * (double) M.C, flop = 2 * (double) R * (double) M.V * (double) M.C;
  char shape[96];
  head_t h = { .x = gpu_tensor (SOL_BF16, R, M.C), .W = gpu_tensor (SOL_BF16, M.V, M.C), .scratch = gpu_tensor (SOL_F32, R, gpu.ops->head_scratch (R, M.V, M.C)), .part = gpu_tensor (SOL_F32, R, 4),
               .lp = gpu_tensor (SOL_F32, 1, R), .ent = gpu_tensor (SOL_F32, 1, R), .dx = gpu_tensor (SOL_BF16, R, M.C), .ids = gpu_ints (R, (int32_t) M.V, 7919) };
  RUN (weight_prepare, h.W, NULL, &h.w);
  snprintf (shape, sizeof shape, "%s%lld rows, %lldx%lld", training ? "" : "decode ", (long long) R, (long long) M.V, (long long) M.C);
  if (training) head_training (&h, shape, weight, flop, (double) R);
  else head_decoding (&h, shape, weight, flop, R);
  gpu_drop (8, (const sol_tensor_t[]){ h.x, h.W, h.scratch, h.part, h.lp, h.ent, h.dx, h.ids });
}
static void heads (void)
{
  head (gpu.small ? 20 : 4096, 1);
  head (gpu.small ? 6 : 64, 0);
}

/* ---- the optimizer's shard */
static void flat (void)
{
  const int64_t n = gpu.small ? 1 << 16 : 1 << 27;
  const double d = (double) n;
  char shape[64];
  sol_weight_t w;
  sol_tensor_t g = gpu_tensor (SOL_F32, 1, n);
  const sol_tensor_t x = gpu_tensor (SOL_F32, 1, n), m = gpu_tensor (SOL_F32, 1, n), v = gpu_tensor (SOL_F32, 1, n), h = gpu_tensor (SOL_BF16, 1, n), sums = gpu_tensor (SOL_F64, 1, n / SOL_SUMSQ_CHUNK);
  RUN (zero, v.at, (size_t) n * 4); /* a second moment is not negative */
  snprintf (shape, sizeof shape, "%lld elements", (long long) n);
  ROW ("adamw", shape, 7 * F4 * d, 0, RUN (adamw, ((sol_adamw_t){ 1e-6, 0.9, 0.95, 1e-8, 0.01, 1, 10 }), g, x, m, v));
  ROW ("sumsq", shape, F4 * d, 0, RUN (sumsq, g, sums));
  ROW ("round to bf16", shape, (F4 + BF) * d, 0, RUN (round, x, h));
  ROW ("add f32", shape, 3 * F4 * d, 0, RUN (add, g, x));
  ROW ("copy", shape, 2 * F4 * d, 0, RUN (copy, x.at, g.at, (size_t) n * 4));
  ROW ("zero", shape, F4 * d, 0, RUN (zero, x.at, (size_t) n * 4));
  g.rows = 256, g.cols = g.stride = n / 256; /* a float32 matrix becomes bf16 where products read it */
  void *mem = gpu_alloc (gpu.ops->weight_bytes (gpu.backend, g.rows, g.cols, SOL_F32));
  ROW ("weight_prepare f32", shape, (F4 + BF) * d, 0, RUN (weight_prepare, g, mem, &w));
  gpu_free (mem);
  gpu_drop (6, (const sol_tensor_t[]){ g, x, m, v, h, sums });
}

int main (int argc, char **argv)
{
  static const sizes_t full[] = { { "Qwen2.5-7B", 8192, 3584, 28, 4, 128, 18944, 152064 }, { "Qwen2.5-0.5B", 32768, 896, 14, 2, 64, 4864, 151936 } };
  static const sizes_t small[] = { { "7B in small", 40, 96, 3, 1, 32, 136, 1100 }, { "0.5B in small", 40, 64, 2, 1, 64, 96, 1200 } };
  static const struct { const char *name; void (*run) (void); int model; } parts[] = { { "products-7B", products, 0 },    { "products-0.5B", products, 1 },    { "rows-7B", rows, 0 },
                                                                                       { "rows-0.5B", rows, 1 },          { "attention-7B", attentions, 0 },   { "attention-0.5B", attentions, 1 },
                                                                                       { "head-7B", heads, 0 },           { "head-0.5B", heads, 1 },           { "flat", flat, 0 } };
  enum { PARTS = sizeof parts / sizeof *parts };
  const char *want = argc > 1 ? argv[1] : "list";
  int found = !strcmp (want, "ceilings");
  if (!strcmp (want, "list")) {
    for (int i = 0; i < PARTS; i++) printf ("%s\n", parts[i].name);
    return 0;
  }
  gpu_open ("gpu_bench");
  if (found) ceilings ();
  for (int i = 0; i < PARTS; i++)
    if (!strcmp (want, parts[i].name)) {
      M = gpu.small ? small[parts[i].model] : full[parts[i].model];
      if (parts[i].run == flat) M.name = "any";
      parts[i].run ();
      found = 1;
    }
  if (!found) gpu.failed = 1, printf ("FAILED gpu_bench: expected list, ceilings or a part, found \"%s\"\n", want);
  return gpu_close ();
}
