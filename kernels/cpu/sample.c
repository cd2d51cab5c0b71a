/* SPDX-License-Identifier: Apache-2.0 */
/* sample.c: ref's choice. Unrestricted: masses 16 at a time, rows over the threads. top_k, top_p: only entries that can be in the set are sorted. */
#include "simd.h"

#define BINS 2048         /* of the distance below the maximum, */
#define PER_NAT 64.0f     /* 1/64 nat each; the last holds the rest */
#define BLOCKS (SOL_ROOM_FLOATS / 4) /* of a row whose prefix sums the room holds: far above any vocabulary */

typedef struct { sol_tensor_t z, partial, draws; uint64_t seed; float t; int32_t *out; int greedy; } sample_t; /* t: 1 / temperature */

/* masses of n entries into p when given; their sum in ref's order */
INLINE double block_mass (const float *z, int64_t n, float t, float M, float *p)
{
  double lane[16];
  d16 s = d_zero ();
  for (int64_t v = 0; v < n; v += 16) {
    int64_t left = n - v;
    v16 e = v_exp (v_sub (v_mul (v_load_upto (z + v, left), v_set (t)), v_set (M)));
    if (left < 16) e = v_keep_n (e, (int) left, 0);
    if (p) v_store (p + v, e);
    s = d_add (s, d_widen (e));
  }
  d_store (lane, s);
  return sol_lanes_sum_f64 (lane);
}

/* prefix[b]: mass before block b; returns the total */
static double prefixes (const float *z, int64_t V, float t, float M, double *prefix)
{
  double sum = 0;
  for (int64_t v = 0; v < V; v += SOL_CHOICE_BLOCK) {
    if (prefix) prefix[v / SOL_CHOICE_BLOCK] = sum;
    sum += block_mass (z + v, V - v < SOL_CHOICE_BLOCK ? V - v : SOL_CHOICE_BLOCK, t, M, NULL);
  }
  return sum;
}

static int32_t pick (const float *z, int64_t V, float t, float M, double u, double *prefix)
{
  float p[SOL_CHOICE_BLOCK];
  double total = prefixes (z, V, t, M, prefix), at;
  int64_t n_blocks = (V + SOL_CHOICE_BLOCK - 1) / SOL_CHOICE_BLOCK, b = 0;
  while (b < n_blocks && (b + 1 < n_blocks ? prefix[b + 1] : total) <= u * total) b++;
  if (b == n_blocks) { /* the sum was rounded down: the last entry of positive mass */
    int64_t v = V - 1;
    while (v > 0 && !(sol_exp (z[v] * t - M) > 0)) v--;
    return (int32_t) v;
  }
  at = prefix[b];
  z += b * SOL_CHOICE_BLOCK;
  V = V - b * SOL_CHOICE_BLOCK < SOL_CHOICE_BLOCK ? V - b * SOL_CHOICE_BLOCK : SOL_CHOICE_BLOCK;
  block_mass (z, V, t, M, p);
  int64_t last = -b * SOL_CHOICE_BLOCK;
  for (int64_t v = 0; v < V; v++) {
    if (p[v] > 0) last = v;
    if ((at += (double) p[v]) > u * total) break;
  }
  return (int32_t) (b * SOL_CHOICE_BLOCK + last);
}

static int32_t first_maximum (const float *z, int64_t V, float t)
{
  v16 m = v_set (-INFINITY);
  float top;
  int64_t v = 0;
  for (int64_t i = 0; i < V; i += 16) m = v_max (V - i < 16 ? v_keep_n (v_mul (v_load_n (z + i, (int) (V - i)), v_set (t)), (int) (V - i), -INFINITY) : v_mul (v_load (z + i), v_set (t)), m);
  top = v_top (m);
  while (v < V && z[v] * t != top) v++;
  return v < V ? (int32_t) v : 0;
}

static void sample_rows (const void *arg, int64_t i0, int64_t i1, float *room)
{
  const sample_t *a = arg;
  for (int64_t r = i0; r < i1; r++) {
    const float *z = sol_at (a->z, r, 0);
    a->out[r] = a->greedy ? first_maximum (z, a->z.cols, a->t) : pick (z, a->z.cols, a->t, *sol_at (a->partial, r, 0), sol_draw (a->seed, a->draws, r), (double *) (void *) room);
  }
}

/* candidates: every entry of the bins that surely hold the first top_k or top_p's mass; n of them */
static int64_t candidates (const float *z, int64_t V, float t, float M, double total, int32_t top_k, double top_p, sol_choice_t *set)
{
  int32_t count[BINS] = { 0 };
  double sum = 0;
  int64_t n = 0, all = 0;
  int last = 0;
  for (int64_t v = 0; v < V; v++) {
    float d = (M - z[v] * t) * PER_NAT;
    int bin = d < (float) (BINS - 1) ? (int) (d > 0 ? d : 0) : BINS - 1;
    count[bin]++;
  }
  for (last = 0; last < BINS - 1; last++) {
    all += count[last];
    sum += count[last] == 0 || top_k > 0 ? 0 : (double) count[last] * (double) sol_exp ((float) -(last + 1) / PER_NAT); /* at least */
    if (top_k > 0 ? all >= top_k : sum >= top_p * total) break;
  }
  for (int64_t v = 0; v < V; v++) {
    float d = (M - z[v] * t) * PER_NAT;
    if (last == BINS - 1 || d < (float) (last + 1)) set[n++] = (sol_choice_t){ z[v] * t, (int32_t) v };
  }
  return n;
}

void SOL_FN (sample) (sol_queue_t *q, sol_tensor_t logits, sol_tensor_t partial, float inv_temp, uint64_t seed, sol_tensor_t draws, int greedy, int32_t top_k, double top_p, sol_tensor_t ids)
{
  int64_t V = logits.cols;
  sample_t a = { logits, partial, draws, seed, inv_temp, (int32_t *) (void *) ids.at, greedy };
  SOL_ASSERT ((V + SOL_CHOICE_BLOCK - 1) / SOL_CHOICE_BLOCK <= BLOCKS);
  if (greedy || (top_k <= 0 && top_p >= 1)) {
    sol_queue_run (q, logits.rows, 1 + SOL_GRAIN_FLOP / (10 * V), sample_rows, &a);
    return;
  }
  for (int64_t r = 0; r < logits.rows; r++) {
    const float *z = sol_at (logits, r, 0);
    float M = *sol_at (partial, r, 0);
    double total = prefixes (z, V, inv_temp, M, NULL), u = sol_draw (seed, draws, r);
    sol_choice_t *set = (sol_choice_t *) (void *) sol_queue_floats (q, 2 * V);
    if (!set) return;
    a.out[r] = sol_choose (set, candidates (z, V, inv_temp, M, total, top_k, top_p, set), M, total, top_k, top_p, u);
    if (a.out[r] >= 0) continue;
    for (int64_t v = 0; v < V; v++) set[v] = (sol_choice_t){ z[v] * inv_temp, (int32_t) v }; /* a sum rounded down: all of the row */
    a.out[r] = sol_choose (set, V, M, total, top_k, top_p, u);
    if (a.out[r] < 0) a.out[r] = set[V - 1].id;
  }
}
