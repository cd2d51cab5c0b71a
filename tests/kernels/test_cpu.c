/* SPDX-License-Identifier: Apache-2.0 */
/* Protects: every fast op equals the plain loops bit for bit, at odd shapes, in f32 and bf16 weights, on every instruction set that this CPU has and for any number
 * of threads (every item of work then goes to whichever thread comes first). */
#include "../../src/backend/backend_internal.h"
#include "draws.h"
#include "make.h"

/* sanitizers make plain loops slow: fewer shapes */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define CHECKED 1
#else
#define CHECKED 0
#endif

static sol_backend_t *ref, *cpu;

static sol_tensor_t to_bf16 (sol_tensor_t t)
{
  sol_tensor_t b = sol_tensor (sol_alloc ((size_t) (t.rows * t.cols) * 2 + 4), SOL_BF16, t.rows, t.cols);
  sol_backend_ops (ref)->round (sol_backend_queue (ref, SOL_QUEUE_COMPUTE), t, b);
  sol_free (t.at);
  return b;
}
/* one op on both: R and P are its tables, qr and qp its queues */
#define BOTH                                                                                                           \
  const sol_ops_t *R = sol_backend_ops (ref), *P = sol_backend_ops (cpu);                                              \
  sol_queue_t *qr = sol_backend_queue (ref, SOL_QUEUE_COMPUTE), *qp = sol_backend_queue (cpu, SOL_QUEUE_COMPUTE);

static void prepare (sol_tensor_t w, sol_weight_t *wr, sol_weight_t *wp)
{
  BOTH
  P->weight_prepare (qp, w, sol_alloc (P->weight_bytes (cpu, w.rows, w.cols, w.dtype)), wp);
  R->weight_prepare (qr, w, NULL, wr);
}

static void test_products (int64_t T, int64_t N, int64_t K, int bf16)
{
  BOTH
  sol_tensor_t x = make (T, K), w = make (N, K), b = make (1, N), y = make (T, N), dx = make (T, K), dw = make (N, K), y2, dx2, dw2;
  sol_weight_t wr, wp;
  if (bf16) w = to_bf16 (w);
  prepare (w, &wr, &wp);
  y2 = copy_of (y), dx2 = copy_of (dx), dw2 = copy_of (dw);
  for (int acc = 0; acc < 2; acc++) {
    R->matmul (qr, x, &wr, acc ? sol_no_tensor : b, acc, y);
    P->matmul (qp, x, &wp, acc ? sol_no_tensor : b, acc, y2);
    R->matmul_dx (qr, y, &wr, acc, dx);
    P->matmul_dx (qp, y2, &wp, acc, dx2);
  }
  R->matmul_dw (qr, y, x, dw);
  P->matmul_dw (qp, y2, x, dw2);
  tap_ok (same (y, y2) && same (dx, dx2) && same (dw, dw2), "products T=%lld N=%lld K=%lld %s", (long long) T, (long long) N, (long long) K, bf16 ? "bf16" : "f32");
  if (!bf16) { /* a row's result does not depend on the rows beside it */
    sol_tensor_t one = sol_tensor_rows (x, T - 1, 1), o = make (1, N);
    P->matmul (qp, one, &wp, b, 0, o);
    P->matmul (qp, x, &wp, b, 0, y2);
    ok (!memcmp (o.at, sol_tensor_rows (y2, T - 1, 1).at, (size_t) N * 4));
    sol_free (o.at);
  }
  sol_free (wp.packed);
  drop (9, (sol_tensor_t[]){ x, w, b, y, dx, dw, y2, dx2, dw2 });
}

/* operands that are columns of wider tensors; nothing beside them is touched */
static void test_strides (void)
{
  BOTH
  enum { T = 30, N = 40, K = 24, WIDE = 77 };
  sol_tensor_t X = make (T, WIDE), W = make (N, WIDE), Y = make (T, WIDE), Y2 = copy_of (Y), DX = make (T, WIDE), DX2 = copy_of (DX), DW = make (N, WIDE), DW2 = copy_of (DW);
  sol_weight_t wr, wp;
  prepare (sol_tensor_cols (W, 5, K), &wr, &wp);
  R->matmul (qr, sol_tensor_cols (X, 3, K), &wr, sol_no_tensor, 0, sol_tensor_cols (Y, 7, N));
  P->matmul (qp, sol_tensor_cols (X, 3, K), &wp, sol_no_tensor, 0, sol_tensor_cols (Y2, 7, N));
  R->matmul_dx (qr, sol_tensor_cols (Y, 7, N), &wr, 0, sol_tensor_cols (DX, 11, K));
  P->matmul_dx (qp, sol_tensor_cols (Y2, 7, N), &wp, 0, sol_tensor_cols (DX2, 11, K));
  R->matmul_dw (qr, sol_tensor_cols (Y, 7, N), sol_tensor_cols (X, 3, K), sol_tensor_cols (DW, 1, K));
  P->matmul_dw (qp, sol_tensor_cols (Y2, 7, N), sol_tensor_cols (X, 3, K), sol_tensor_cols (DW2, 1, K));
  tap_ok (same (Y, Y2) && same (DX, DX2) && same (DW, DW2), "products of columns of wider tensors");
  sol_free (wp.packed);
  drop (8, (sol_tensor_t[]){ X, W, Y, Y2, DX, DX2, DW, DW2 });
}

static void test_rows (int64_t T, int64_t C)
{
  BOTH
  sol_tensor_t x = make (T, C), w = make (1, C), dy = make (T, C), y = make (T, C), inv = make (1, T), dx = make (T, C), dw = make (1, C), up = make (T, C), dg = make (T, C);
  sol_tensor_t y2 = copy_of (y), inv2 = copy_of (inv), dx2 = copy_of (dx), dw2 = copy_of (dw), dg2 = copy_of (dg);
  R->rmsnorm (qr, x, w, 1e-5f, y, inv);
  P->rmsnorm (qp, x, w, 1e-5f, y2, inv2);
  R->rmsnorm_dx (qr, dy, x, w, inv, 1, dx);
  P->rmsnorm_dx (qp, dy, x, w, inv2, 1, dx2);
  R->rmsnorm_dw (qr, dy, x, inv, dw);
  P->rmsnorm_dw (qp, dy, x, inv2, dw2);
  tap_ok (same (y, y2) && same (inv, inv2) && same (dx, dx2) && same (dw, dw2), "rmsnorm C=%lld", (long long) C);
  static const float edge[] = { -200, 100, 88.5f, 88.8f, 89.5f, 95, 103.5f, 104, 104.5f, -0.0f, 0, 1e-40f, INFINITY, -INFINITY };
  memcpy (x.at, edge, sizeof edge); /* exp of them: denormal, 0, inf */
  R->swiglu (qr, x, up, y);
  P->swiglu (qp, x, up, y2);
  R->swiglu_backward (qr, x, up, dy, dx, dg);
  P->swiglu_backward (qp, x, up, dy, dx2, dg2);
  tap_ok (same (y, y2) && same (dx, dx2) && same (dg, dg2), "swiglu C=%lld", (long long) C);
  drop (14, (sol_tensor_t[]){ x, w, dy, y, inv, dx, dw, up, dg, y2, inv2, dx2, dw2, dg2 });
}

static void test_rope (int64_t T, int32_t H, int64_t D)
{
  BOTH
  sol_tensor_t x = make (T, H * D), x2 = copy_of (x), table = make (50, D), pos = ints (T, 50);
  for (int sign = 1; sign >= -1; sign -= 2) {
    R->rope (qr, x, H, pos, table, sign);
    P->rope (qp, x2, H, pos, table, sign);
  }
  tap_ok (same (x, x2), "rope D=%lld", (long long) D);
  drop (4, (sol_tensor_t[]){ x, x2, table, pos });
}

static void test_attention (int32_t H, int32_t Hkv, int64_t D)
{
  BOTH
  /* a prompt of 21, two responses behind it, a sequence alone, one decode step */
  sol_span_t s[] = { { 0, 21, 0, 0, 0, 21 }, { 21, 5, 0, 21, 21, 5 }, { 26, 18, 0, 21, 26, 18 }, { 44, 33, 0, 0, 44, 33 }, { 77, 1, 0, 21, 30, 3 } };
  int64_t T = 78;
  float scale = 1 / sqrtf ((float) D);
  sol_tensor_t Q = make (T, H * D), K = make (T, Hkv * D), V = make (T, Hkv * D), O = make (T, H * D), st = make (T, 2 * H), dO = make (T, H * D), dQ = make (T, H * D), dK = make (T, Hkv * D),
               dV = make (T, Hkv * D), O2 = copy_of (O), st2 = copy_of (st), dQ2 = copy_of (dQ), dK2 = copy_of (dK), dV2 = copy_of (dV), one, q1;
  R->attention (qr, Q, K, V, sol_no_tensor, sol_no_tensor, s, 5, H, Hkv, scale, O, st);
  P->attention (qp, Q, K, V, sol_no_tensor, sol_no_tensor, s, 5, H, Hkv, scale, O2, st2);
  R->attention_backward (qr, dO, Q, K, V, O, st, sol_no_tensor, s, 5, H, Hkv, scale, dQ, dK, dV);
  P->attention_backward (qp, dO, Q, K, V, O2, st2, sol_no_tensor, s, 5, H, Hkv, scale, dQ2, dK2, dV2);
  tap_ok (same (O, O2) && same (st, st2), "attention H=%d Hkv=%d D=%lld", H, Hkv, (long long) D);
  tap_ok (same (dQ, dQ2) && same (dK, dK2) && same (dV, dV2), "attention backward H=%d Hkv=%d D=%lld", H, Hkv, (long long) D);
  one = make (1, H * D); /* the third token of the second response, alone */
  q1 = sol_tensor_rows (Q, 28, 1);
  s[0] = (sol_span_t){ 0, 1, 0, 21, 26, 3 };
  P->attention (qp, q1, K, V, sol_no_tensor, sol_no_tensor, s, 1, H, Hkv, scale, one, sol_no_tensor);
  ok (!memcmp (one.at, sol_tensor_rows (O2, 28, 1).at, (size_t) (H * D) * 4));
  drop (15, (sol_tensor_t[]){ Q, K, V, O, st, dO, dQ, dK, dV, O2, st2, dQ2, dK2, dV2, one });
}

/* keys and values in pages: the same bits as where they lie in order, and as ref */
static void test_paged_attention (int32_t H, int32_t Hkv, int64_t D)
{
  BOTH
  enum { PAGES = 14, ROWS = PAGES * SOL_KV_PAGE, QUERIES = 60 };
  /* prompts and own rows that begin inside pages; one query, several, many (keys are transposed then) */
  static const sol_span_t s[] = { { 0, 1, 3, 40, 64, 1 }, { 1, 1, 3, 40, 80, 75 }, { 2, 5, 3, 40, 80, 75 }, { 7, 1, 0, 0, 160, 64 }, { 8, 52, 156, 10, 171, 53 } };
  static const int32_t page[PAGES] = { 5, 4, 9, 10, 11, 0, 1, 13, 2, 3, 12, 6, 8, 7 };
  int32_t table[PAGES];
  const float scale = .3f;
  sol_tensor_t Q = make (QUERIES, H * D), K = make (ROWS, Hkv * D), V = make (ROWS, Hkv * D), K2 = make (ROWS, Hkv * D), V2 = make (ROWS, Hkv * D), O[3], st[3];
  sol_tensor_t pages = sol_tensor (table, SOL_I32, 1, PAGES);
  memcpy (table, page, sizeof page);
  for (int64_t r = 0; r < ROWS; r++) {
    const int64_t to = page[r / SOL_KV_PAGE] * SOL_KV_PAGE + r % SOL_KV_PAGE;
    memcpy (K2.at + (size_t) (to * K2.stride) * 4, K.at + (size_t) (r * K.stride) * 4, (size_t) (Hkv * D) * 4);
    memcpy (V2.at + (size_t) (to * V2.stride) * 4, V.at + (size_t) (r * V.stride) * 4, (size_t) (Hkv * D) * 4);
  }
  O[0] = make (QUERIES, H * D), st[0] = make (QUERIES, 2 * H);
  for (int i = 1; i < 3; i++) O[i] = copy_of (O[0]), st[i] = copy_of (st[0]);
  P->attention (qp, Q, K, V, sol_no_tensor, sol_no_tensor, s, 5, H, Hkv, scale, O[0], st[0]);
  P->attention (qp, Q, K2, V2, pages, sol_no_tensor, s, 5, H, Hkv, scale, O[1], st[1]);
  R->attention (qr, Q, K2, V2, pages, sol_no_tensor, s, 5, H, Hkv, scale, O[2], st[2]);
  tap_ok (same (O[0], O[1]) && same (O[0], O[2]) && same (st[0], st[1]) && same (st[0], st[2]), "paged attention H=%d Hkv=%d D=%lld", H, Hkv, (long long) D);
  drop (11, (sol_tensor_t[]){ Q, K, V, K2, V2, O[0], O[1], O[2], st[0], st[1], st[2] });
}

/* more keys than a tile or a block holds; spans out of order that share rows, so that threads may not part them */
static void test_long_attention (int32_t H, int32_t Hkv, int64_t D)
{
  BOTH
  sol_span_t s[] = { { 300, 40, 0, 300, 300, 40 }, { 0, 300, 0, 0, 0, 300 }, { 340, 270, 340, 0, 340, 270 }, { 610, 3, 20, 37, 610, 250 }, { 0, 0, 5, 3, 9, 0 } };
  int64_t T = 900;
  sol_tensor_t Q = make (T, H * D), K = make (T, Hkv * D), V = make (T, Hkv * D), O = make (T, H * D), st = make (T, 2 * H), dO = make (T, H * D), dQ = make (T, H * D), dK = make (T, Hkv * D),
               dV = make (T, Hkv * D), O2 = copy_of (O), st2 = copy_of (st), dQ2 = copy_of (dQ), dK2 = copy_of (dK), dV2 = copy_of (dV);
  R->attention (qr, Q, K, V, sol_no_tensor, sol_no_tensor, s, 5, H, Hkv, 2, O, st); /* a sharp softmax */
  P->attention (qp, Q, K, V, sol_no_tensor, sol_no_tensor, s, 5, H, Hkv, 2, O2, st2);
  R->attention_backward (qr, dO, Q, K, V, O, st, sol_no_tensor, s, 5, H, Hkv, 2, dQ, dK, dV);
  P->attention_backward (qp, dO, Q, K, V, O2, st2, sol_no_tensor, s, 5, H, Hkv, 2, dQ2, dK2, dV2);
  tap_ok (same (O, O2) && same (st, st2), "long attention D=%lld", (long long) D);
  tap_ok (same (dQ, dQ2) && same (dK, dK2) && same (dV, dV2), "long attention backward D=%lld", (long long) D);
  drop (14, (sol_tensor_t[]){ Q, K, V, O, st, dO, dQ, dK, dV, O2, st2, dQ2, dK2, dV2 });
}

static void test_head (int64_t rows, int64_t V, int64_t C, float inv_temp, int bf16)
{
  BOTH
  sol_tensor_t x = make (rows, C), w = make (V, C), t = ints (rows, (int32_t) V), scratch = make (rows, SOL_HEAD_BLOCK), part = make (rows, 4), lg = make (rows, V), cl = make (1, rows), ce = make (1, rows),
               dx = make (rows, C), dw = make (V, C), part2 = copy_of (part), lg2 = copy_of (lg), dx2 = copy_of (dx), dw2 = copy_of (dw);
  sol_weight_t wr, wp;
  if (bf16) w = to_bf16 (w);
  prepare (w, &wr, &wp);
  ((float *) (void *) cl.at)[0] = 0;
  ((float *) (void *) ce.at)[0] = 0;
  sol_tensor_t raw = copy_of (part), raw2 = copy_of (part), one = copy_of (part);
  R->head_partial (qr, x, &wr, t, inv_temp, scratch, lg, part, raw);
  P->head_partial (qp, x, &wp, t, inv_temp, scratch, lg2, part2, raw2);
  R->head_partial (qr, x, &wr, t, 1, scratch, sol_no_tensor, one, sol_no_tensor);
  tap_ok (same (raw, raw2) && same (raw, one), "head, beside it at temperature 1: the bits of a product of its own");
  R->head_target (qr, lg, t, inv_temp, one, raw2);
  for (int64_t r = 0; r < rows; r++) ok (floats (one)[4 * r + 2] == floats (part)[4 * r + 2] && floats (raw2)[4 * r + 2] == floats (raw)[4 * r + 2]);
  drop (3, (sol_tensor_t[]){ raw, raw2, one });
  tap_ok (same (part, part2) && same (lg, lg2), "head V=%lld C=%lld", (long long) V, (long long) C);
  P->head_partial (qp, x, &wp, t, inv_temp, scratch, sol_no_tensor, part2, sol_no_tensor);
  ok (same (part, part2));
  R->head_backward (qr, x, &wr, t, inv_temp, part, cl, ce, scratch, dx, dw);
  P->head_backward (qp, x, &wp, t, inv_temp, part2, cl, ce, scratch, dx2, dw2);
  tap_ok (same (dx, dx2) && same (dw, dw2), "head backward V=%lld C=%lld", (long long) V, (long long) C);
  sol_free (wp.packed);
  drop (14, (sol_tensor_t[]){ x, w, t, scratch, part, lg, cl, ce, dx, dw, part2, lg2, dx2, dw2 });
}

static void test_flat (int64_t T, int64_t C)
{
  BOTH
  sol_tensor_t x = make (T, C), y = make (T, C), y2 = copy_of (y), db = make (1, C), db2 = copy_of (db), table = make (9, C), table2 = copy_of (table), ids = ints (T, 9), half = copy_of (x), half2 = copy_of (x),
               odd = copy_of (x);
  static const uint32_t edge[] = { 0x7f800001, 0xffffffff, 0x7f7fffff, 0x00018000, 0x80008001, 0x3f808000, 0x3f818000, 0x7f800000 };
  memcpy (odd.at, edge, sizeof edge);
  R->add (qr, x, y), P->add (qp, x, y2);
  R->bias_dw (qr, x, db), P->bias_dw (qp, x, db2);
  R->embed_dw (qr, ids, x, table), P->embed_dw (qp, ids, x, table2);
  tap_ok (same (y, y2) && same (db, db2) && same (table, table2), "add, bias_dw, embed_dw C=%lld", (long long) C);
  half.dtype = half2.dtype = SOL_BF16;
  R->round (qr, odd, half), P->round (qp, odd, half2);
  tap_ok (same (half, half2), "round to bf16 C=%lld", (long long) C);
  R->round (qr, half, y), P->round (qp, half, y2);
  tap_ok (same (y, y2), "round to f32");
  half.rows = half2.rows = 1, half.cols = half2.cols = C;
  R->embed (qr, ids, table, y), P->embed (qp, ids, table, y2);
  ok (same (y, y2));
  R->rmsnorm (qr, x, half, 1e-6f, y, sol_no_tensor), P->rmsnorm (qp, x, half, 1e-6f, y2, sol_no_tensor); /* a bf16 weight */
  ok (same (y, y2));
  drop (11, (sol_tensor_t[]){ x, y, y2, db, db2, table, table2, ids, half, half2, odd });
}

static void test_sumsq (int64_t n)
{
  BOTH
  sol_tensor_t x = make (1, n);
  int64_t chunks = (n + SOL_SUMSQ_CHUNK - 1) / SOL_SUMSQ_CHUNK;
  sol_tensor_t a = sol_tensor (sol_alloc ((size_t) chunks * 8), SOL_F64, 1, chunks), b = copy_of (a);
  R->sumsq (qr, x, a);
  P->sumsq (qp, x, b);
  ok (same (a, b));
  drop (3, (sol_tensor_t[]){ x, a, b });
}

static void test_sample (int64_t rows, int64_t V, float spread)
{
  BOTH
  sol_tensor_t z = make (rows, V), part = make (rows, 4), a = ints (rows, 1), b = ints (rows, 1), draws = sol_tensor (sol_alloc ((size_t) rows * 16), SOL_I32, rows, 4);
  const float inv_temp = rows == 6 ? 1 / 0.7f : 1;
  static const struct { int greedy; int32_t top_k; double top_p; } how[] = { { 0, 0, 1 }, { 1, 0, 1 }, { 0, 1, 1 }, { 0, 7, 1 }, { 0, 0, .9 }, { 0, 40, .5 }, { 0, 0, 1e-9 }, { 0, 0, 1 - 0x1p-53 }, { 0, 1 << 30, .999 } };
  for (int64_t r = 0; r < rows; r++) {
    float *p = floats (part) + 4 * r;
    *p = -INFINITY;
    for (int64_t v = 0; v < V; v++) {
      float *f = floats (z) + r * V + v;
      *f = r % 3 == 2 ? (float) (int) *f : *f * spread; /* every third row has many ties */
      *p = *f * inv_temp > *p ? *f * inv_temp : *p;
    }
  }
  for (size_t h = 0; h < sizeof how / sizeof how[0]; h++)
    for (int i = 0; i < 12; i++) {
      for (int64_t r = 0; r < rows; r++) set_draw (9, draws, r, i == 0 ? 0 : i == 1 ? 1 - 0x1p-53 : sol_random_u53 (sol_random (9, drawn++, SOL_RANDOM_TEST, 0, 0), 0));
      R->sample (qr, z, part, inv_temp, 9, draws, how[h].greedy, how[h].top_k, how[h].top_p, a);
      P->sample (qp, z, part, inv_temp, 9, draws, how[h].greedy, how[h].top_k, how[h].top_p, b);
      if (same (a, b)) continue;
      tap_ok (0, "sample V=%lld, top_k %d, top_p %g", (long long) V, how[h].top_k, how[h].top_p);
      i = 12;
    }
  tap_ok (1, "sample V=%lld was tried", (long long) V);
  drop (5, (sol_tensor_t[]){ z, part, a, b, draws });
}

/* an index out of range is an error of the queue, not a crash */
static void test_indices (void)
{
  BOTH
  sol_tensor_t x = make (2, 20), y = make (2, 20), y0 = copy_of (y), ids = ints (2, 1);
  sol_log_level (SOL_LOG_ERROR + 1);
  for (int i = 0; i < 2; i++) {
    const sol_ops_t *o = i ? P : R;
    sol_queue_t *q = i ? qp : qr;
    id_of (ids)[1] = i ? 2 : -1;
    o->embed (q, ids, x, y);
    ok (o->sync (q) == SOL_ERR_LIMIT && same (y, y0) && o->sync (q) == SOL_OK);
    o->gather (q, x, ids, y);
    ok (o->sync (q) == SOL_ERR_LIMIT && same (y, y0));
    o->rope (q, y, 1, ids, x, 1);
    ok (o->sync (q) == SOL_ERR_LIMIT && same (y, y0));
  }
  sol_log_level (SOL_LOG_ERROR);
  drop (4, (sol_tensor_t[]){ x, y, y0, ids });
}

static void test_adamw (int64_t n)
{
  BOTH
  sol_tensor_t g = make (1, n), w = make (1, n), m = make (1, n), v = make (1, n), w2, m2, v2;
  sol_adamw_t h = { 1e-3, .9, .999, 1e-8, .01, .5, 3 };
  for (int64_t i = 0; i < n; i++) ((float *) (void *) v.at)[i] = fabsf (((float *) (void *) v.at)[i]);
  w2 = copy_of (w), m2 = copy_of (m), v2 = copy_of (v);
  R->adamw (qr, h, g, w, m, v);
  P->adamw (qp, h, g, w2, m2, v2);
  ok (same (w, w2) && same (m, m2) && same (v, v2));
  drop (7, (sol_tensor_t[]){ g, w, m, v, w2, m2, v2 });
}

static void test_all (int threads)
{
  printf ("# %s\n", sol_backend_describe (cpu));
  if (threads > 1) sol_pool_fine (cpu->pool);
  for (int bf16 = 0; bf16 < 2; bf16++) {
    test_products (1, 48, 48, bf16);
    test_products (2, 130, 300, bf16);
    test_products (3, 80, 17, bf16);
    test_products (4, 331, 64, bf16);
    test_products (37, 331, 65, bf16);
    test_products (13, 16, 300, bf16);
    test_products (29, 170, 576, bf16);
    test_products (70, 33, 17, bf16);
    test_products (201, 19, 35, bf16);
    test_products (5, 210, 3, bf16);
  }
  test_strides ();
  test_rows (5, 48);
  test_rows (3, 65);
  test_rows (2, 576);
  test_rope (9, 3, 8);
  test_rope (4, 2, 64);
  test_attention (4, 2, 16);
  test_attention (3, 1, 8);
  test_attention (4, 4, 64);
  test_attention (6, 2, 32);
  test_attention (2, 1, 24);
  test_attention (2, 1, 80);
  test_attention (2, 1, 128);
  test_paged_attention (4, 2, 16);
  test_paged_attention (3, 1, 24);
  test_paged_attention (4, 1, 64);
  test_paged_attention (2, 2, 128);
  test_long_attention (2, 1, 16);
  if (threads < 3 && !CHECKED) test_long_attention (3, 1, 64);
  test_head (7, 331, 48, 1.0f, 0);
  test_head (19, 2500, 33, 0.7f, 1);
  test_head (3, 16, 64, 1.0f, 0);
  test_flat (7, 67);
  test_flat (40, 16);
  test_flat (3, 5000);
  test_sumsq (2 * SOL_SUMSQ_CHUNK + 21);
  test_sample (5, 20, 1);
  test_sample (6, 5003, 3);
  test_sample (3, 1024, 40);
  test_adamw (1003);
  test_adamw (50000);
  if (threads == 1) test_indices ();
}

int main (void)
{
  static const char *const isa[] = { "portable", "avx2", "avx512" };
  sol_log_level (SOL_LOG_ERROR);
  need (sol_backend_create ("ref", 1, NULL, &ref) == SOL_OK);
  for (int i = 0; i < 3; i++)
    for (int threads = 1; threads <= 3; threads += 1 + CHECKED) {
      if (!sol_ops_cpu (isa[i])) {
        tap_ok (1, "%s # SKIP not built, or not on this CPU", isa[i]);
        break;
      }
      need (sol_backend_create ("cpu", threads, isa[i], &cpu) == SOL_OK);
      test_all (threads);
      sol_backend_destroy (cpu);
    }
  sol_backend_destroy (ref);
  return tap_done ();
}
