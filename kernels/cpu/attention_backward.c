/* SPDX-License-Identifier: Apache-2.0 */
/* attention_backward.c: by tiles of KEYS keys and ROWS rows. For a tile of keys the rows rise, for a row the tiles of keys rise, so every element of dQ, dK and dV is ref's chain, which goes on
 * through memory from tile to tile. */
#include "attention.h"

#define KEYS 256
#define ROWS 32
#define LD (KEYS + 16)
_Static_assert (5 * KEYS * MAX_D + 3 * ROWS * MAX_D + 2 * ROWS * LD <= SOL_ROOM_FLOATS, "a thread's room holds a tile");

typedef struct {
  sol_tensor_t dO, Q, K, V, O, stats, dQ, dK, dV;
  const sol_span_t *spans;
  int32_t n_spans, n_heads, n_kv_heads, one_group;
  int64_t D, Dp;
  float scale;
} args_t;
/* one span and kv head, and the tiles: keys k0 .. k0 + nk */
typedef struct {
  const args_t *a;
  const sol_span_t *s;
  int64_t kv, per, n, k0, nk;
  float *k, *kt, *vt, *dk, *dv;     /* [KEYS][Dp], or transposed by blocks of 16 */
  float *x, *g, *dq;                /* [ROWS][Dp] queries, dO, dQ */
  float *p, *ds;                    /* [ROWS][LD] */
} tile_t;

/* keys of this tile that row r sees */
INLINE int64_t keys_of (const tile_t *t, int64_t r) { return min_i (t->n - t->s->n_q + r / t->per + 1 - t->k0, t->nk); }
INLINE int64_t row_of (const tile_t *t, int64_t r) { return t->s->q_row + r / t->per; }
INLINE int64_t head_of (const tile_t *t, int64_t r) { return t->kv * t->per + r % t->per; }

static void load_keys (tile_t *t)
{
  const args_t *a = t->a;
  int64_t kv = t->kv * a->D, Dp = a->Dp;
  for (int64_t j = 0; j < t->nk; j += 16) {
    const float *kr[16], *vr[16];
    int n = (int) min_i (16, t->nk - j);
    for (int i = 0; i < n; i++) {
      int64_t row = key_row (t->s, t->k0 + j + i);
      kr[i] = sol_at (a->K, row, kv);
      vr[i] = sol_at (a->V, row, kv);
      copy_row (kr[i], a->D, Dp, t->k + (j + i) * Dp);
      copy_row (sol_at (a->dK, row, kv), a->D, Dp, t->dk + (j + i) * Dp);
      copy_row (sol_at (a->dV, row, kv), a->D, Dp, t->dv + (j + i) * Dp);
    }
    transpose_rows (kr, n, a->D, Dp, t->kt + j * Dp);
    transpose_rows (vr, n, a->D, Dp, t->vt + j * Dp);
  }
}

static void store_keys (const tile_t *t)
{
  const args_t *a = t->a;
  for (int64_t j = 0; j < t->nk; j++) {
    int64_t row = key_row (t->s, t->k0 + j);
    for (int64_t d = 0; d < a->D; d += 16) {
      v_store_upto (sol_at (a->dK, row, t->kv * a->D + d), v_load (t->dk + j * a->Dp + d), a->D - d);
      v_store_upto (sol_at (a->dV, row, t->kv * a->D + d), v_load (t->dv + j * a->Dp + d), a->D - d);
    }
  }
}

/* p and ds of rows r .. r + m */
static void weights (const tile_t *t, int64_t r, int64_t m)
{
  const args_t *a = t->a;
  int64_t D = a->D, Dp = a->Dp, n = keys_of (t, r + m - 1);
  for (int64_t i = 0; i < m; i += SCORE_M)
    for (int64_t j = 0; j < n; j += 16) {
      score (t->x + i * Dp, Dp, t->kt + j * Dp, t->p + i * LD + j, LD);
      score (t->g + i * Dp, Dp, t->vt + j * Dp, t->ds + i * LD + j, LD);
    }
  for (int64_t i = 0; i < m; i++) {
    const float *st = sol_at (a->stats, row_of (t, r + i), 2 * head_of (t, r + i)), *o = sol_at (a->O, row_of (t, r + i), head_of (t, r + i) * D);
    v16 l = v_zero (), scale = v_set (a->scale), max = v_set (st[0]), sum = v_set (st[1]), delta;
    for (int64_t d = 0; d < D; d += 16) l = v_fma (v_load (t->g + i * Dp + d), v_load_upto (o + d, D - d), l);
    delta = v_set (v_sum (l));
    n = keys_of (t, r + i);
    for (int64_t j = 0; j < n; j += 16) {
      float *p = t->p + i * LD + j, *ds = t->ds + i * LD + j;
      v16 w = v_div (v_exp (v_sub (v_mul (v_load (p), scale), max)), sum);
      v_store (p, w);
      v_store (ds, v_mul (v_mul (w, v_sub (v_load (ds), delta)), scale));
    }
  }
}

/* dQ of rows r .. r + m goes on over this tile's keys */
static void query_sums (const tile_t *t, int64_t r, int64_t m)
{
  const args_t *a = t->a;
  int64_t D = a->D, Dp = a->Dp, step = sum_rows (Dp);
  for (int64_t i = 0; i < m; i++) {
    if (t->k0 == 0) memset (t->dq + i * Dp, 0, (size_t) Dp * sizeof (float));
    else copy_row (sol_at (a->dQ, row_of (t, r + i), head_of (t, r + i) * D), D, Dp, t->dq + i * Dp);
  }
  for (int64_t i = 0; i < m; i += step) {
    int64_t some = min_i (step, m - i), both = keys_of (t, r + i);
    sum (0, some, Dp, t->ds + i * LD, LD, t->k, Dp, both, t->dq + i * Dp, Dp);
    for (int64_t k = i + 1; k < i + some; k++) sum (0, 1, Dp, t->ds + k * LD + both, LD, t->k + both * Dp, Dp, keys_of (t, r + k) - both, t->dq + k * Dp, Dp);
  }
  for (int64_t i = 0; i < m; i++)
    for (int64_t d = 0; d < D; d += 16) v_store_upto (sol_at (a->dQ, row_of (t, r + i), head_of (t, r + i) * D + d), v_load (t->dq + i * Dp + d), D - d);
}

/* dK and dV of this tile's keys go on over rows r .. r + m */
static void key_sums (const tile_t *t, int64_t r, int64_t m)
{
  int64_t Dp = t->a->Dp, n = keys_of (t, r + m - 1), step = sum_rows (Dp), i = 0;
  for (int64_t j = 0; j < n; j += step) {
    int64_t some = min_i (step, n - j), k;
    while (keys_of (t, r + i) <= j) i++; /* the first row that sees key j */
    for (k = i; k < m && keys_of (t, r + k) < j + some; k++) /* rows that do not see all of these keys */
      for (int64_t c = j; c < keys_of (t, r + k); c++) {
        sum (1, 1, Dp, t->p + k * LD + c, LD, t->g + k * Dp, Dp, 1, t->dv + c * Dp, Dp);
        sum (1, 1, Dp, t->ds + k * LD + c, LD, t->x + k * Dp, Dp, 1, t->dk + c * Dp, Dp);
      }
    sum (1, some, Dp, t->p + k * LD + j, LD, t->g + k * Dp, Dp, m - k, t->dv + j * Dp, Dp);
    sum (1, some, Dp, t->ds + k * LD + j, LD, t->x + k * Dp, Dp, m - k, t->dk + j * Dp, Dp);
  }
}

static void backward_span (tile_t *t)
{
  const args_t *a = t->a;
  int64_t rows = t->s->n_q * t->per, before = t->n - t->s->n_q, Dp = a->Dp;
  for (t->k0 = 0; t->k0 < t->n; t->k0 += KEYS) {
    t->nk = min_i (KEYS, t->n - t->k0);
    load_keys (t);
    for (int64_t r = max_i (0, t->k0 - before) * t->per; r < rows; r += ROWS) {
      int64_t m = min_i (ROWS, rows - r);
      for (int64_t i = 0; i < m; i++) {
        copy_row (sol_at (a->Q, row_of (t, r + i), head_of (t, r + i) * a->D), a->D, Dp, t->x + i * Dp);
        copy_row (sol_at (a->dO, row_of (t, r + i), head_of (t, r + i) * a->D), a->D, Dp, t->g + i * Dp);
      }
      weights (t, r, m);
      query_sums (t, r, m);
      key_sums (t, r, m);
    }
    store_keys (t);
  }
}

/* rows of K that a span reads or adds to: hull [lo, hi) */
INLINE void hull (const sol_span_t *s, int64_t *lo, int64_t *hi)
{
  *lo = s->n_a == 0 ? s->b_row : s->n_b == 0 ? s->a_row : min_i (s->a_row, s->b_row);
  *hi = max_i (s->n_a ? s->a_row + s->n_a : 0, s->n_b ? s->b_row + s->n_b : 0);
}
/* a group of spans shares rows of dK and dV with no other; spans of a group run in order on one thread. Here a group ends where all rows so far lie before those of the next span.
 * Returns the end of the group that begins at i; *low is its lowest row, *high the highest of all so far. */
static int32_t group_end (const args_t *a, int32_t i, int64_t *low, int64_t *high)
{
  int64_t lo, hi;
  *low = INT64_MAX;
  for (; i < a->n_spans; i++) {
    if (a->spans[i].n_q == 0) continue;
    hull (&a->spans[i], &lo, &hi);
    if (*low != INT64_MAX && lo >= *high && !a->one_group) break;
    *low = min_i (*low, lo);
    *high = max_i (*high, hi);
  }
  return i;
}

static void backward_items (const void *arg, int64_t i0, int64_t i1, float *room)
{
  const args_t *a = arg;
  int64_t Dp = a->Dp, low, high = 0, item = 0;
  tile_t t = { .a = a, .per = a->n_heads / a->n_kv_heads };
  t.k = room;
  t.kt = t.k + KEYS * Dp;
  t.vt = t.kt + KEYS * Dp;
  t.dk = t.vt + KEYS * Dp;
  t.dv = t.dk + KEYS * Dp;
  t.x = t.dv + KEYS * Dp;
  t.g = t.x + ROWS * Dp;
  t.dq = t.g + ROWS * Dp;
  t.p = t.dq + ROWS * Dp;
  t.ds = t.p + ROWS * LD;
  memset (t.x, 0, (size_t) (2 * ROWS * Dp) * sizeof (float));
  for (int32_t i = 0, end; i < a->n_spans && item < i1; i = end) {
    end = group_end (a, i, &low, &high);
    for (int32_t kv = 0; kv < a->n_kv_heads; kv++, item++) {
      if (item < i0 || item >= i1) continue;
      for (int32_t s = i; s < end; s++) {
        t.s = &a->spans[s];
        t.kv = kv;
        t.n = t.s->n_a + t.s->n_b;
        if (t.s->n_q > 0) backward_span (&t);
      }
    }
  }
}

void SOL_FN (attention_backward) (sol_queue_t *q, sol_tensor_t dO, sol_tensor_t Q, sol_tensor_t K, sol_tensor_t V, sol_tensor_t O, sol_tensor_t stats, sol_tensor_t spans,
                                  const sol_span_t *host_spans, int32_t n_spans, int32_t n_heads, int32_t n_kv_heads, float scale, sol_tensor_t dQ, sol_tensor_t dK, sol_tensor_t dV)
{
  args_t a = { .dO = dO, .Q = Q, .K = K, .V = V, .O = O, .stats = stats, .dQ = dQ, .dK = dK, .dV = dV, .spans = host_spans, .n_spans = n_spans, .n_heads = n_heads, .n_kv_heads = n_kv_heads,
               .D = Q.cols / n_heads, .scale = scale };
  int64_t groups = 0, low, high = 0, before, pairs = 0;
  (void) spans;
  a.Dp = (a.D + 15) / 16 * 16;
  SOL_ASSERT (a.D <= MAX_D && n_heads % n_kv_heads == 0);
  for (int32_t i = 0; i < n_spans; groups++) {
    before = high;
    i = group_end (&a, i, &low, &high);
    if (low < before && groups > 0) { /* reaches back to an earlier group's rows */
      a.one_group = 1;
      groups = 1;
      break;
    }
  }
  for (int32_t i = 0; i < n_spans; i++) pairs += (int64_t) host_spans[i].n_q * (host_spans[i].n_a + host_spans[i].n_b);
  sol_queue_run (q, groups * n_kv_heads, 1 + SOL_GRAIN_FLOP * groups * n_kv_heads / (5 * pairs * n_heads * a.D + 1), backward_items, &a);
}
