/* SPDX-License-Identifier: Apache-2.0 */
#include "ref.h"
#include <stdlib.h>

typedef struct { float z; int32_t id; } choice_t;

static int by_logit (const void *a, const void *b)
{
  const choice_t *x = a, *y = b;
  if (x->z != y->z) return x->z < y->z ? 1 : -1;
  return x->id < y->id ? -1 : x->id > y->id;
}

static int by_id (const void *a, const void *b) { return ((const choice_t *) a)->id < ((const choice_t *) b)->id ? -1 : 1; }

static double mass (float z, float M) { return exp ((double) z - (double) M); }

/* the restricted set, in vocabulary order; returns its size */
static int64_t restrict_set (const float *z, int64_t V, float M, int32_t top_k, double top_p, choice_t *set)
{
  int64_t n = V;
  for (int64_t v = 0; v < V; v++) set[v] = (choice_t){ z[v], (int32_t) v };
  qsort (set, (size_t) V, sizeof *set, by_logit);
  if (top_k > 0 && top_k < n) n = top_k;
  if (top_p < 1) {
    double total = 0, sum = 0;
    int64_t i = 0;
    for (int64_t v = 0; v < n; v++) total += mass (set[v].z, M);
    while (i < n && sum < top_p * total) sum += mass (set[i++].z, M);
    n = i > 0 ? i : 1;
  }
  qsort (set, (size_t) n, sizeof *set, by_id);
  return n;
}

void sol_ref_sample (sol_queue_t *q, sol_tensor_t logits, sol_tensor_t partial, sol_tensor_t u, int greedy, int32_t top_k, double top_p, sol_tensor_t ids)
{
  int64_t V = logits.cols;
  int32_t *out = (int32_t *) (void *) ids.at;
  for (int64_t r = 0; r < logits.rows; r++) {
    const float *z = sol_at (logits, r, 0);
    float M = *sol_at (partial, r, 0);
    double total = 0, sum = 0, at = ((const double *) (const void *) u.at)[r];
    if (greedy) {
      int64_t best = 0;
      for (int64_t v = 1; v < V; v++)
        if (z[v] > z[best]) best = v;
      out[r] = (int32_t) best;
    } else if (top_k > 0 || top_p < 1) {
      choice_t *set = (choice_t *) (void *) sol_queue_floats (q, 2 * V);
      int64_t n, i = 0;
      if (!set) return;
      n = restrict_set (z, V, M, top_k, top_p, set);
      for (int64_t v = 0; v < n; v++) total += mass (set[v].z, M);
      for (; i < n - 1; i++)
        if ((sum += mass (set[i].z, M)) > at * total) break;
      out[r] = set[i].id;
    } else {
      int64_t v = 0;
      for (int64_t i = 0; i < V; i++) total += mass (z[i], M);
      for (; v < V - 1; v++)
        if ((sum += mass (z[v], M)) > at * total) break;
      out[r] = (int32_t) v;
    }
  }
}
