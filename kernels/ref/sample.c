/* SPDX-License-Identifier: Apache-2.0 */
/* sample.c: token choice by inverse CDF. An entry's z is its logit over the temperature, its mass exp (z - M), widened; masses are summed in double: blocks of SOL_CHOICE_BLOCK entries on 16 lanes with the fixed tree, blocks
 * in order; inside the block where u falls, entries in order. */
#include "ref.h"
#include "solera/random.h"
#include <stdlib.h>

static int by_logit (const void *a, const void *b)
{
  const sol_choice_t *x = a, *y = b;
  if (x->z != y->z) return x->z < y->z ? 1 : -1;
  return x->id < y->id ? -1 : x->id > y->id;
}
static int by_id (const void *a, const void *b) { return ((const sol_choice_t *) a)->id < ((const sol_choice_t *) b)->id ? -1 : 1; }

double sol_draw (uint64_t seed, sol_tensor_t draws, int64_t r) { return sol_random_u53 (sol_random_at (seed, (const uint32_t *) (const void *) (sol_ints (draws) + r * draws.stride)), 0); }

static double mass (float z, float M) { return (double) sol_exp (z - M); }

static double block_mass (const float *z, int64_t n, float t, float M)
{
  double lane[16] = { 0 };
  for (int64_t v = 0; v < n; v++) lane[v % 16] += mass (z[v] * t, M);
  return sol_lanes_sum_f64 (lane);
}

int32_t sol_choose (sol_choice_t *set, int64_t n, float M, double total, int32_t top_k, double top_p, double u)
{
  double sum = 0;
  qsort (set, (size_t) n, sizeof *set, by_logit);
  if (top_k > 0 && top_k < n) n = top_k;
  if (top_k > 0) {
    total = 0;
    for (int64_t i = 0; i < n; i++) total += mass (set[i].z, M);
  }
  if (top_p < 1) {
    int64_t i = 0;
    while (i < n && sum < top_p * total) sum += mass (set[i++].z, M);
    if (top_k <= 0 && i == n && sum < top_p * total) return -1;
    n = i > 0 ? i : 1;
  }
  qsort (set, (size_t) n, sizeof *set, by_id);
  total = sum = 0;
  for (int64_t i = 0; i < n; i++) total += mass (set[i].z, M);
  for (int64_t i = 0; i < n - 1; i++)
    if ((sum += mass (set[i].z, M)) > u * total) return set[i].id;
  return set[n - 1].id;
}

static int32_t unrestricted (const float *z, int64_t V, float t, float M, double total, double u)
{
  double sum = 0, here;
  int32_t last = 0; /* of positive mass: where a sum rounded down ends */
  for (int64_t v0 = 0; v0 < V; v0 += SOL_CHOICE_BLOCK, sum += here) {
    int64_t n = V - v0 < SOL_CHOICE_BLOCK ? V - v0 : SOL_CHOICE_BLOCK;
    double at = sum;
    here = block_mass (z + v0, n, t, M);
    if (sum + here <= u * total) continue;
    for (int64_t v = 0; v < n; v++) {
      if (mass (z[v0 + v] * t, M) > 0) last = (int32_t) (v0 + v);
      if ((at += mass (z[v0 + v] * t, M)) > u * total) break;
    }
    return last;
  }
  for (int64_t v = 0; v < V; v++)
    if (mass (z[v] * t, M) > 0) last = (int32_t) v;
  return last;
}

void sol_ref_sample (sol_queue_t *q, sol_tensor_t logits, sol_tensor_t partial, float inv_temp, uint64_t seed, sol_tensor_t draws, int greedy, int32_t top_k, double top_p, sol_tensor_t ids)
{
  int64_t V = logits.cols;
  int32_t *out = (int32_t *) (void *) ids.at;
  for (int64_t r = 0; r < logits.rows; r++) {
    const float *z = sol_at (logits, r, 0);
    float M = *sol_at (partial, r, 0);
    double total = 0, at = greedy ? 0 : sol_draw (seed, draws, r);
    for (int64_t v = 0; v < V; v += SOL_CHOICE_BLOCK) total += block_mass (z + v, V - v < SOL_CHOICE_BLOCK ? V - v : SOL_CHOICE_BLOCK, inv_temp, M);
    if (greedy) {
      int64_t best = 0;
      for (int64_t v = 1; v < V; v++)
        if (z[v] * inv_temp > z[best] * inv_temp) best = v;
      out[r] = (int32_t) best;
    } else if (top_k > 0 || top_p < 1) {
      sol_choice_t *set = (sol_choice_t *) (void *) sol_queue_floats (q, 2 * V);
      if (!set) return;
      for (int64_t v = 0; v < V; v++) set[v] = (sol_choice_t){ z[v] * inv_temp, (int32_t) v };
      out[r] = sol_choose (set, V, M, total, top_k, top_p, at);
      if (out[r] < 0) out[r] = set[V - 1].id; /* top_p just below 1, and the sorted sum rounded down */
    } else out[r] = unrestricted (z, V, inv_temp, M, total, at);
  }
}
