/* SPDX-License-Identifier: Apache-2.0 */
/* Attention over spans, forward and backward, on a device against plain loops. All operands are columns of wider tensors, with columns beside them that must stay as they are. */
#include "both.h"

typedef struct {
  const char *name;
  int32_t H, Hkv;
  int64_t D;
  int32_t rows, n; /* of Q, K and V; spans */
  sol_span_t s[80];
} case_t;

/* groups: a prompt, then responses that share it; prompts and responses of less than a tile, of one and of several, and their neighbours */
static const case_t cases[] = {
  { "a tile", 2, 1, 16, 64, 1, { { 0, 64, 0, 0, 0, 64 } } },
  { "one token", 2, 2, 64, 3, 1, { { 1, 1, 0, 0, 1, 1 } } },
  { "a group of three", 2, 1, 8, 170, 4, { { 0, 70, 0, 0, 0, 70 }, { 70, 63, 0, 70, 70, 63 }, { 133, 1, 0, 70, 133, 1 }, { 134, 33, 0, 70, 134, 33 } } },
  { "two groups, an empty span", 4, 2, 24, 212, 6,
    { { 3, 5, 0, 0, 3, 5 }, { 8, 65, 3, 5, 8, 65 }, { 73, 0, 3, 5, 73, 0 }, { 73, 2, 3, 5, 73, 2 }, { 75, 67, 0, 0, 75, 67 }, { 142, 64, 75, 67, 142, 64 } } },
  { "seven heads to one", 7, 1, 64, 140, 3, { { 0, 9, 0, 0, 0, 9 }, { 9, 66, 0, 9, 9, 66 }, { 75, 64, 0, 9, 75, 64 } } },
  { "130 queries", 2, 2, 32, 132, 1, { { 1, 130, 0, 0, 1, 130 } } },
  { "the widest head", 2, 1, 128, 150, 3, { { 0, 66, 0, 0, 0, 66 }, { 66, 65, 0, 66, 66, 65 }, { 131, 18, 0, 66, 131, 18 } } },
  { "a head of 72", 1, 1, 72, 40, 2, { { 0, 20, 0, 0, 0, 20 }, { 20, 20, 0, 20, 20, 20 } } },
  { "own rows before the prompt's", 2, 1, 16, 150, 1, { { 10, 40, 70, 80, 10, 40 } } },
  { "the last queries of a longer run", 4, 1, 40, 200, 2, { { 0, 3, 0, 0, 20, 100 }, { 3, 70, 120, 10, 130, 70 } } },
};

enum { IN, D_O, O, STATS, DQ, DKV, SPANS, PAIRS };
static pair_t p[PAIRS];
static const case_t *c;
static sol_tensor_t none;

#define PAD 8
#define STATISTICS 3e-5 /* tensor cores cut off what they add */
static sol_tensor_t cols (sol_tensor_t t, int64_t at, int64_t n) { return sol_tensor_cols (t, at, n); }
static void make_case (void)
{
  const int64_t q = c->H * c->D, kv = c->Hkv * c->D;
  p[IN] = pair_act (c->rows, q + 2 * kv);
  p[D_O] = pair_act (c->rows, q + PAD);
  p[O] = pair_act (c->rows, q + 2 * PAD);
  p[STATS] = pair_f32 (c->rows, 2 * c->H);
  p[DQ] = pair_act (c->rows, q + 2 * PAD);
  p[DKV] = pair_act (c->rows, 2 * kv + PAD);
  p[SPANS] = pair_of (SOL_I32, c->n, 6);
  sol_free (p[SPANS].r.at);
  p[SPANS].r = ints (c->n * 6, 1);
  p[SPANS].r.rows = c->n, p[SPANS].r.cols = p[SPANS].r.stride = 6;
  memcpy (p[SPANS].r.at, c->s, (size_t) c->n * sizeof (sol_span_t));
  upload (&p[SPANS]);
}

static void forward (const sol_ops_t *ops, sol_queue_t *q, int device)
{
#define T(i) (device ? p[i].d : p[i].r)
  const int64_t w = c->H * c->D, kv = c->Hkv * c->D;
  ops->attention (q, cols (T (IN), 0, w), cols (T (IN), w, kv), cols (T (IN), w + kv, kv), none, T (SPANS), c->s, c->n, c->H, c->Hkv, 1 / sqrtf ((float) c->D), cols (T (O), PAD, w), T (STATS));
}
static void backward (const sol_ops_t *ops, sol_queue_t *q, int device)
{
  const int64_t w = c->H * c->D, kv = c->Hkv * c->D;
  ops->attention_backward (q, cols (T (D_O), 0, w), cols (T (IN), 0, w), cols (T (IN), w, kv), cols (T (IN), w + kv, kv), cols (T (O), PAD, w), T (STATS), T (SPANS), c->s, c->n, c->H,
                           c->Hkv, 1 / sqrtf ((float) c->D), cols (T (DQ), PAD, w), cols (T (DKV), 0, kv), cols (T (DKV), kv + PAD, kv));
#undef T
}

/* the same bits once more, from the same start */
static int again (void)
{
  float *was[3] = { fetch (&p[O]), fetch (&p[DQ]), fetch (&p[DKV]) }, *is[3];
  const pair_t *of[3] = { &p[O], &p[DQ], &p[DKV] };
  pair_t start = p[DKV];
  int good = 1;
  upload (&start);
  forward (D, qd, 1);
  backward (D, qd, 1);
  need (D->sync (qd) == SOL_OK);
  for (int i = 0; i < 3; i++) {
    is[i] = fetch (of[i]);
    good &= !memcmp (was[i], is[i], (size_t) (of[i]->d.rows * of[i]->d.cols) * 4);
    sol_free (was[i]), sol_free (is[i]);
  }
  return good;
}

static void try_case (const case_t *one)
{
  sol_tensor_t start;
  c = one;
  make_case ();
  start = copy_of (p[DKV].r);
  forward (R, qr, 0);
  forward (D, qd, 1);
  need (R->sync (qr) == SOL_OK && D->sync (qd) == SOL_OK);
  tap_ok (near_pair (&p[O], 1e-2, c->name) && near_pair (&p[STATS], STATISTICS, c->name), "%s: forward", c->name);
  backward (R, qr, 0);
  backward (D, qd, 1);
  need (R->sync (qr) == SOL_OK && D->sync (qd) == SOL_OK);
  tap_ok (near_pair (&p[DQ], 3e-2, c->name) && near_pair (&p[DKV], 3e-2, c->name), "%s: backward", c->name);
  sol_free (p[DKV].r.at);
  p[DKV].r = start;
  tap_ok (again (), "%s: the same bits in a rerun", c->name);
  drop_pairs (PAIRS, p);
}

/* seven groups of nine short responses: more spans than a warp looks at in one go */
static void try_many (void)
{
  case_t many = { .name = "seventy short spans", .H = 2, .Hkv = 1, .D = 16 };
  for (int32_t g = 0, row = 0, prompt; g < 7; g++)
    for (int32_t i = 0; i < 10; i++) {
      const int32_t n = i ? 1 + i % 3 : 4;
      if (!i) prompt = row;
      many.s[many.n++] = (sol_span_t) { row, n, i ? prompt : 0, i ? 4 : 0, row, n };
      many.rows = row += n;
    }
  try_case (&many);
}

/* every query of a group's responses on its own, as the decoder asks, against whole spans */
static void try_decode (int32_t H, int32_t Hkv, int64_t D_, int32_t prompt, int32_t own)
{
  const int32_t n = 2 * own + 1;
  const int64_t w = H * D_, kv = Hkv * D_;
  pair_t in = pair_act (prompt + 2 * own, w + 2 * kv), out[2], stats[2], spans[2];
  sol_span_t whole[2] = { { prompt, own, 0, prompt, prompt, own }, { prompt + own, own, 0, prompt, prompt + own, own } }, *one = sol_alloc ((size_t) n * sizeof *one);
  for (int32_t i = 0; i < 2 * own; i++) one[i] = (sol_span_t) { prompt + i, 1, 0, prompt, prompt + i / own * own, i % own + 1 };
  one[2 * own] = (sol_span_t) { 0, 0, 0, 0, 0, 0 }; /* a sequence that has ended */
  for (int i = 0; i < 2; i++) {
    const sol_span_t *s = i ? one : whole;
    const int32_t m = i ? n : 2;
    out[i] = pair_act (prompt + 2 * own, w);
    stats[i] = pair_f32 (prompt + 2 * own, 2 * H);
    spans[i] = pair_of (SOL_I32, m, 6);
    put_bytes (spans[i].d.at, s, (size_t) m * sizeof *s);
    R->attention (qr, cols (in.r, 0, w), cols (in.r, w, kv), cols (in.r, w + kv, kv), none, none, s, m, H, Hkv, .3f, out[i].r, stats[i].r);
    D->attention (qd, cols (in.d, 0, w), cols (in.d, w, kv), cols (in.d, w + kv, kv), none, spans[i].d, s, m, H, Hkv, .3f, out[i].d, i ? stats[i].d : sol_no_tensor);
    if (i) D->attention (qd, cols (in.d, 0, w), cols (in.d, w, kv), cols (in.d, w + kv, kv), none, spans[i].d, s, m, H, Hkv, .3f, out[i].d, sol_no_tensor);
    need (D->sync (qd) == SOL_OK);
  }
  float *a = fetch (&out[0]), *b = fetch (&out[1]);
  double worst = 0;
  for (int64_t i = prompt * w; i < (prompt + 2 * own) * w; i++) worst = fmax (worst, fabs ((double) a[i] - (double) b[i]));
  if (worst > 2e-2) fprintf (stderr, "largest difference of a training span and decode: %g\n", worst);
  tap_ok (near_pair (&out[1], 1e-2, "decode") && near_pair (&stats[1], STATISTICS, "decode's statistics") && worst <= 2e-2, "decode, %d and %d heads of %d, prompt %d, %d of its own", (int) H, (int) Hkv,
      (int) D_, (int) prompt, (int) own);
  sol_free (a), sol_free (b), sol_free (one);
  pair_t all[] = { in, out[0], out[1], stats[0], stats[1], spans[0], spans[1] };
  drop_pairs (7, all);
}

/* One query each of few sequences, so that blocks part their keys, or of many; and a prompt behind another: keys and values in order, and in pages that lie about. The order of sums does not
 * depend on pages, so these give the same bits. */
static void try_paged (int32_t H, int32_t Hkv, int64_t D_, int32_t n, int32_t longest)
{
  const int32_t span_rows = (longest + SOL_KV_PAGE - 1) / SOL_KV_PAGE * SOL_KV_PAGE, rows = (n + 1) * span_rows, n_pages = rows / SOL_KV_PAGE;
  const int64_t w = H * D_, kv = Hkv * D_;
  pair_t q = pair_act (n + 70, w), k[2], out[2], stats = pair_f32 (n + 70, 2 * H), spans = pair_of (SOL_I32, n + 1, 6), pages = pair_of (SOL_I32, 1, n_pages);
  sol_span_t *s = sol_alloc ((size_t) (n + 1) * sizeof *s);
  int32_t *page = (int32_t *) (void *) pages.r.at, *moved = sol_alloc ((size_t) rows * sizeof *moved);
  for (int i = 0; i < 2; i++) k[i] = pair_act (rows, 2 * kv), out[i] = pair_act (n + 70, w);
  for (int32_t i = 0; i < n_pages; i++) page[i] = (int32_t) ((int64_t) i * 11 % n_pages); /* 11 has no factor in common with the numbers below */
  for (int32_t i = 0; i < rows; i++) moved[i] = page[i / SOL_KV_PAGE] * SOL_KV_PAGE + i % SOL_KV_PAGE;
  pair_t to = pair_of (SOL_I32, 1, rows);
  memcpy (to.r.at, moved, (size_t) rows * sizeof *moved);
  upload (&to), upload (&pages);
  D->scatter (qd, k[0].d, to.d, k[1].d);
  for (int32_t i = 0; i < n; i++) { /* all see the prompt in the last region, and more or less of their own */
    const int32_t own = 1 + (longest - 1) * i / (n > 1 ? n - 1 : 1), shared = i % 3 ? 11 : 0;
    s[i] = (sol_span_t){ i, 1, n * span_rows + 3, shared, i * span_rows, own };
  }
  s[n] = (sol_span_t){ n, 70 < longest ? 70 : longest, n * span_rows + 3, 11, 0, longest };
  for (int many = 0; many < 2; many++) { /* decode, then a run of queries */
    const sol_span_t *some = many ? s + n : s;
    const int32_t m = many ? 1 : n;
    put_bytes (spans.d.at, some, (size_t) m * sizeof *some);
    R->attention (qr, q.r, cols (k[0].r, 0, kv), cols (k[0].r, kv, kv), none, none, some, m, H, Hkv, .3f, out[0].r, stats.r);
    D->attention (qd, q.d, cols (k[0].d, 0, kv), cols (k[0].d, kv, kv), none, spans.d, some, m, H, Hkv, .3f, out[0].d, stats.d);
    D->attention (qd, q.d, cols (k[1].d, 0, kv), cols (k[1].d, kv, kv), pages.d, spans.d, some, m, H, Hkv, .3f, out[1].d, stats.d);
    need (D->sync (qd) == SOL_OK);
  }
  float *a = fetch (&out[0]), *b = fetch (&out[1]);
  const int64_t done = (n + s[n].n_q) * w;
  tap_ok (near_pair (&out[0], 1e-2, "paged") && near_pair (&stats, STATISTICS, "statistics") && !memcmp (a, b, (size_t) done * sizeof *a), "in pages, %d and %d heads of %d, %d sequences up to %d", (int) H, (int) Hkv,
          (int) D_, (int) n, (int) longest);
  sol_free (a), sol_free (b), sol_free (s), sol_free (moved);
  pair_t drop[] = { q, k[0], k[1], out[0], out[1], stats, spans, pages, to };
  drop_pairs (9, drop);
}

int main (void)
{
  both_open ();
  none = sol_no_tensor;
  if (getenv ("SOL_TEST_FEW") && *getenv ("SOL_TEST_FEW")) { /* under a checker that makes everything very slow */
    try_case (&cases[2]);
    try_case (&cases[6]);
    try_decode (7, 1, 128, 90, 2);
    both_close ();
    return tap_done ();
  }
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) try_case (&cases[i]);
  try_many ();
  try_decode (4, 1, 64, 21, 3);
  try_decode (2, 2, 8, 0, 5);
  try_decode (7, 1, 128, 190, 2);
  try_decode (18, 1, 24, 66, 2);
  try_decode (4, 2, 32, 15, 2);
  try_paged (4, 1, 64, 1, 200);
  try_paged (2, 2, 16, 3, 47);
  try_paged (18, 1, 24, 2, 100);
  try_paged (7, 1, 128, 9, 30);
  both_close ();
  return tap_done ();
}
