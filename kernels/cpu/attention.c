/* SPDX-License-Identifier: Apache-2.0 */
/* attention.c: ref's attention. Scores 16 keys at a time, a block of keys beginning at a multiple of 16, so lane sums over keys are ref's; sums of values for several rows at a time. */
#include "attention.h"

#define ROWS 8    /* rows of a block */
#define CHUNK 128 /* queries of an item when there are threads */

typedef struct {
  sol_queue_t *q;
  sol_tensor_t Q, K, V, O, stats;
  const sol_span_t *spans;
  const int32_t *pages; /* NULL: rows are where the spans say */
  int32_t n_heads, n_kv_heads, chunks; /* of a span */
  int64_t D, Dp;
  float scale;
} args_t;
/* one item: rows r0 .. r1 of a span and kv head */
typedef struct {
  const args_t *a;
  const sol_span_t *s;
  int64_t kv, per, n, r0, r1; /* n: keys in all */
  float *kt, *x, *o, *p;      /* transposed keys or NULL; [ROWS][Dp] queries, sums; [ROWS][ld] scores */
  int64_t ld;
} item_t;

INLINE int64_t keys_of (const item_t *t, int64_t r) { return t->n - t->s->n_q + r / t->per + 1; }

/* dots of x [D] with rows of 16 keys at p0 ..; n are there (the others repeat one: ignored) */
INLINE v16 dots (const item_t *t, const float *x, int64_t D, int64_t p0, int64_t n)
{
  const sol_span_t *s = t->s;
  int64_t kv = t->kv * t->a->D;
  const float *row[16];
  v16 l[16];
  if (n >= 16 && (p0 + 16 <= s->n_a || p0 >= s->n_a) && paged_run (t->a->pages, key_row (s, p0), 16) == 16) {
    const float *k = sol_at (t->a->K, paged (t->a->pages, key_row (s, p0)), kv);
    UNROLL for (int i = 0; i < 16; i++) row[i] = k + i * t->a->K.stride;
  } else
    for (int i = 0; i < 16; i++) row[i] = sol_at (t->a->K, paged (t->a->pages, key_row (s, i < n ? p0 + i : p0)), kv);
#if SOL_ISA_LEVEL > 0
#define DOTS(NV)                                                                                                       \
  UNROLL for (int i = 0; i < 16; i++) {                                                                                \
    v16 c = v_zero ();                                                                                                 \
    UNROLL for (int d = 0; d < NV; d++) c = v_fma (v_load (x + 16 * d), v_load (row[i] + 16 * d), c);                  \
    l[V_ORDER (i)] = c;                                                                                                \
  }
  if (D == 16) {
    DOTS (1)
    return v_sum16 (l);
  }
  if (D == 64) {
    DOTS (4)
    return v_sum16 (l);
  }
  if (D == 128) {
    DOTS (8)
    return v_sum16 (l);
  }
#endif
  for (int i = 0; i < 16; i++) {
    v16 c = v_zero ();
    for (int64_t d = 0; d < D; d += 16) c = v_fma (v_load (x + d), v_load_upto (row[i] + d, D - d), c);
    l[V_ORDER (i)] = c;
  }
  return v_sum16 (l);
}

/* scores [n] -> p, zeros to the next multiple of 16; returns their sum */
INLINE float softmax (float *p, int64_t n, v16 scale, float *max_p)
{
  v16 m = v_set (-INFINITY), sum = v_zero (), top;
  int64_t j;
  for (j = 0; j < n; j += 16) {
    v16 x = v_mul (v_load (p + j), scale);
    v_store (p + j, x);
    m = v_max (n - j < 16 ? v_keep_n (x, (int) (n - j), -INFINITY) : x, m);
  }
  *max_p = v_top (m) + 0.0f;
  top = v_set (*max_p);
  for (j = 0; j + 16 <= n; j += 16) {
    v16 e = v_exp (v_sub (v_load (p + j), top));
    v_store (p + j, e);
    sum = v_add (sum, e);
  }
  if (j < n) {
    v16 e = v_keep_n (v_exp (v_sub (v_keep_n (v_load (p + j), (int) (n - j), *max_p), top)), (int) (n - j), 0);
    v_store (p + j, e);
    sum = v_add (sum, e);
  }
  return v_sum (sum);
}

/* o [m, Dp] goes on with n rows of V from `row` on, one chain however they lie */
static void value_rows (const item_t *t, int64_t m, const float *p, int64_t row, int64_t n, float *o)
{
  const args_t *a = t->a;
  for (int64_t k = 0, some; k < n; k += some) {
    some = paged_run (a->pages, row + k, n - k);
    sum (0, m, a->Dp, p + k, t->ld, sol_at (a->V, paged (a->pages, row + k), t->kv * a->D), a->V.stride, some, o, a->Dp);
  }
}

/* o [m, Dp] goes on from key j0 to j1 */
static void values (const item_t *t, int64_t m, const float *p, int64_t j0, int64_t j1, float *o)
{
  const args_t *a = t->a;
  int64_t na = t->s->n_a, Dp = a->Dp, D = a->D, kv = t->kv * D;
  if (D == Dp) {
    int64_t ja = min_i (j1, na), jb = max_i (j0, na);
    if (j0 < ja) value_rows (t, m, p + j0, t->s->a_row + j0, ja - j0, o);
    if (jb < j1) value_rows (t, m, p + jb, t->s->b_row + jb - na, j1 - jb, o);
    return;
  }
  for (int64_t i = 0; i < m; i++) /* rows of V end inside a vector */
    for (int64_t j = j0; j < j1; j++)
      for (int64_t d = 0; d < D; d += 16)
        v_store (o + i * Dp + d, v_fma (v_set (p[i * t->ld + j]), v_load_upto (sol_at (a->V, paged (a->pages, key_row (t->s, j)), kv + d), D - d), v_load (o + i * Dp + d)));
}

/* m rows from r on */
static void block (const item_t *t, int64_t r, int64_t m)
{
  const args_t *a = t->a;
  int64_t D = a->D, Dp = a->Dp, n = keys_of (t, r + m - 1), step = sum_rows (Dp);
  float total[ROWS];
  for (int64_t i = 0; i < m; i++) copy_row (sol_at (a->Q, t->s->q_row + (r + i) / t->per, (t->kv * t->per + (r + i) % t->per) * D), D, Dp, t->x + i * Dp);
  for (int64_t j = 0; j < n; j += 16) {
    if (t->kt)
      for (int64_t i = 0; i < m; i += SCORE_M) score (t->x + i * Dp, Dp, t->kt + j * Dp, t->p + i * t->ld + j, t->ld);
    else
      for (int64_t i = 0; i < m; i++) v_store (t->p + i * t->ld + j, dots (t, t->x + i * Dp, D, j, n - j));
  }
  for (int64_t i = 0; i < m; i++) {
    int64_t row = t->s->q_row + (r + i) / t->per, h = t->kv * t->per + (r + i) % t->per;
    float max;
    total[i] = softmax (t->p + i * t->ld, keys_of (t, r + i), v_set (a->scale), &max);
    if (!a->stats.at) continue;
    *sol_at (a->stats, row, 2 * h) = max;
    *sol_at (a->stats, row, 2 * h + 1) = total[i];
  }
  memset (t->o, 0, (size_t) (m * Dp) * sizeof (float));
  for (int64_t i = 0; i < m; i += step) {
    int64_t some = min_i (step, m - i), both = keys_of (t, r + i); /* keys that all of them see */
    values (t, some, t->p + i * t->ld, 0, both, t->o + i * Dp);
    for (int64_t k = i + 1; k < i + some; k++) values (t, 1, t->p + k * t->ld, both, keys_of (t, r + k), t->o + k * Dp);
  }
  for (int64_t i = 0; i < m; i++) {
    float *out = sol_at (a->O, t->s->q_row + (r + i) / t->per, (t->kv * t->per + (r + i) % t->per) * D);
    for (int64_t d = 0; d < D; d += 16) v_store_upto (out + d, v_div (v_load (t->o + i * Dp + d), v_set (total[i])), D - d);
  }
}

static void attention_item (item_t *t, float *room)
{
  const args_t *a = t->a;
  int64_t n = keys_of (t, t->r1 - 1), n16 = (n + 15) / 16 * 16, used = 2 * ROWS * a->Dp;
  t->x = room;
  t->o = room + ROWS * a->Dp;
  t->ld = n16;
  t->p = room + used;
  used += ROWS * n16;
  /* many rows: keys are transposed once for all of them */
  t->kt = t->r1 - t->r0 >= ROWS && used + n16 * a->Dp <= SOL_ROOM_FLOATS ? room + used : NULL;
  if (t->kt) memset (t->x, 0, (size_t) (ROWS * a->Dp) * sizeof (float));
  for (int64_t j = 0; j < n && t->kt; j += 16) {
    const float *row[16];
    for (int64_t i = 0; i < 16; i++) row[i] = j + i < n ? sol_at (a->K, paged (a->pages, key_row (t->s, j + i)), t->kv * a->D) : NULL;
    transpose_rows (row, (int) min_i (16, n - j), a->D, a->Dp, t->kt + j * a->Dp);
  }
  for (int64_t r = t->r0; r < t->r1; r += ROWS) block (t, r, min_i (ROWS, t->r1 - r));
}

static void attention_items (const void *arg, int64_t i0, int64_t i1, float *room)
{
  const args_t *a = arg;
  for (int64_t i = i0; i < i1; i++) {
    int64_t c = i % a->chunks, kv = i / a->chunks % a->n_kv_heads;
    item_t t = { .a = a, .s = &a->spans[i / a->chunks / a->n_kv_heads], .kv = kv, .per = a->n_heads / a->n_kv_heads };
    t.n = t.s->n_a + t.s->n_b;
    t.r0 = t.s->n_q * c / a->chunks * t.per;
    t.r1 = t.s->n_q * (c + 1) / a->chunks * t.per;
    if (t.r0 < t.r1) attention_item (&t, room);
  }
}

void SOL_FN (attention) (sol_queue_t *q, sol_tensor_t Q, sol_tensor_t K, sol_tensor_t V, sol_tensor_t pages, sol_tensor_t spans, const sol_span_t *host_spans, int32_t n_spans,
                         int32_t n_heads, int32_t n_kv_heads, float scale, sol_tensor_t O, sol_tensor_t stats)
{
  args_t a = { .q = q, .Q = Q, .K = K, .V = V, .O = O, .stats = stats, .spans = host_spans, .pages = (const int32_t *) pages.at, .n_heads = n_heads, .n_kv_heads = n_kv_heads, .chunks = 1, .D = Q.cols / n_heads, .scale = scale };
  int64_t longest = 0, queries = 0, pairs = 0;
  (void) spans;
  a.Dp = (a.D + 15) / 16 * 16;
  SOL_ASSERT (a.D <= MAX_D && n_heads % n_kv_heads == 0);
  for (int32_t i = 0; i < n_spans; i++) {
    longest = max_i (longest, host_spans[i].n_a + host_spans[i].n_b);
    queries = max_i (queries, host_spans[i].n_q);
    pairs += (int64_t) host_spans[i].n_q * (host_spans[i].n_a + host_spans[i].n_b);
  }
  if (ROWS * (longest + 16) + 2 * ROWS * a.Dp > SOL_ROOM_FLOATS) {
    sol_queue_error (q, sol_fail (SOL_ERR_LIMIT, "kernels", "attention over %lld keys: at most %lld are possible", (long long) longest, (long long) SOL_ROOM_FLOATS / ROWS - 2 * a.Dp - 16));
    return;
  }
  if (sol_queue_threads (q) > 1 && n_spans * n_kv_heads < 8 * sol_queue_threads (q)) a.chunks = (int32_t) ((queries + CHUNK - 1) / CHUNK);
  if (n_spans > 0 && a.chunks > 0)
    sol_queue_run (q, (int64_t) n_spans * n_kv_heads * a.chunks, 1 + SOL_GRAIN_FLOP * n_spans * n_kv_heads * a.chunks / (2 * pairs * n_heads * a.D + 1), attention_items, &a);
}
