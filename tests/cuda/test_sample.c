/* SPDX-License-Identifier: Apache-2.0 */
/* Protects: the next token on a device is the reference's, greedy, over the whole distribution, top-k, top-p and both, with many equal logits too; over many draws frequencies follow the distribution. */
#include "../kernels/draws.h"
#include "both.h"

#define SEED 0x1234567890abcdefull
static int ROWS = 40;

/* kind 0: normal logits, 1: few values (ties), 2: one far above */
static void make_logits (pair_t *z, int kind)
{
  const int64_t n = z->r.rows * z->r.cols;
  for (int64_t i = 0; i < n; i++) {
    float x = draw () * 2;
    if (kind == 1) x = roundf (x);
    if (kind == 2 && i % z->r.cols == i / z->r.cols % 7) x = 30;
    floats (z->r)[i] = x;
  }
  upload (z);
}

static float inv_temp = 1;
static void test (int64_t V, int kind, int greedy, int32_t top_k, double top_p)
{
  pair_t p[] = { pair_f32 (ROWS, V), pair_f32 (ROWS, 4), pair_of (SOL_I32, ROWS, 4), pair_ints (ROWS, 1) };
  pair_t *z = p, *part = p + 1, *draws = p + 2, *ids = p + 3;
  int differ = 0;
  make_logits (z, kind);
  for (int r = 0; r < ROWS; r++) {
    float M = -INFINITY;
    for (int64_t v = 0; v < V; v++) M = fmaxf (M, floats (z->r)[r * V + v] * inv_temp);
    floats (part->r)[4 * r] = M;
    if (r < 2) set_draw (SEED, draws->r, r, r ? 1 - 0x1p-53 : 0);
    else sol_random_counter (drawn++, SOL_RANDOM_TEST, (uint32_t) r, 3, (uint32_t *) (void *) draws->r.at + 4 * r);
  }
  upload (part), upload (draws);
  R->sample (qr, z->r, part->r, inv_temp, SEED, draws->r, greedy, top_k, top_p, ids->r);
  D->sample (qd, z->d, part->d, inv_temp, SEED, draws->d, greedy, top_k, top_p, ids->d);
  float *got = fetch (ids);
  for (int r = 0; r < ROWS; r++) differ += (int32_t) got[r] != id_of (ids->r)[r];
  for (int r = 0; r < ROWS && differ; r++)
    if ((int32_t) got[r] != id_of (ids->r)[r]) fprintf (stderr, "row %d: device %g, reference %d\n", r, (double) got[r], id_of (ids->r)[r]);
  tap_ok (differ == 0 && D->sync (qd) == SOL_OK, "vocabulary %lld, %s logits, %s, top_k %d, top_p %g: %d of %d rows differ", (long long) V, kind == 1 ? "tied" : kind == 2 ? "peaked" : "normal",
          greedy ? "greedy" : "drawn", top_k, top_p, differ, ROWS);
  sol_free (got);
  drop_pairs (4, p);
}

int main (void)
{
  static const int64_t size[] = { 1, 19, 1000, 3000 };
  both_open ();
  for (int s = 0; s < 4; s++)
    for (int kind = 0; kind < 3; kind++) {
      test (size[s], kind, 1, 0, 1);
      test (size[s], kind, 0, 0, 1);
      test (size[s], kind, 0, 5, 1);
      test (size[s], kind, 0, 0, 0.8);
      test (size[s], kind, 0, 7, 0.6);
    }
  inv_temp = 1 / 0.7f;
  test (3000, 0, 0, 0, 1);
  test (3000, 1, 0, 7, 0.6);
  test (3000, 0, 1, 0, 1);
  inv_temp = 1;
  ROWS = 3; /* a real vocabulary: ids of more than 16 bits, many tiles */
  test (151936, 1, 0, 40, 1);
  test (151936, 0, 0, 0, 0.9);
  test (151936, 1, 1, 0, 1);
  both_close ();
  return tap_done ();
}
