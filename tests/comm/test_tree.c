/* ranks: 1 2 3 4 8 */
/* SPDX-License-Identifier: Apache-2.0 */
/* The fixed-tree sum has the bytes of a serial one, whatever rank owns which leaf and which slice. */
#include "../../src/comm/comm_mpi.h"
#include "../tap_mpi.h"
#include <math.h>
#include <string.h>

enum { N = 301, MOST = 13 };
static sol_comm_t *world;

/* numbers of many sizes and both signs, so that the order of additions shows; leaf i differs from update to update */
static void make_leaf (int update, int i, float *x)
{
  uint32_t s = (uint32_t) (update * 977 + i * 131 + 1);
  for (int k = 0; k < N; k++) {
    s = s * 1664525u + 1013904223u;
    x[k] = ldexpf ((float) (int32_t) s * 0x1p-31f, (int) (s >> 28) - 8);
  }
}

/* sum of leaves [first, first + (1 << level)) cut off at n_leaves, by the definition of the tree */
static int serial (int update, int n_leaves, int level, int index, float *out)
{
  float right[N];
  if ((index << level) >= n_leaves) return 0;
  if (level == 0) {
    make_leaf (update, index, out);
    return 1;
  }
  serial (update, n_leaves, level - 1, 2 * index, out);
  if (serial (update, n_leaves, level - 1, 2 * index + 1, right))
    for (int k = 0; k < N; k++) out[k] += right[k];
  return 1;
}

static void chain (int update, int n_leaves, float *out)
{
  float leaf[N];
  make_leaf (update, 0, out);
  for (int i = 1; i < n_leaves; i++) {
    make_leaf (update, i, leaf);
    for (int k = 0; k < N; k++) out[k] += leaf[k];
  }
}

/* three updates with one tree; the owners of slices change */
static int same_bytes (int n_leaves, const int *first_of)
{
  const int size = sol_comm_size (world), me = sol_comm_rank (world);
  float want[N], out[N];
  int64_t cut[65] = { 0 };
  int good = 1;
  sol_tree_t *t = NULL;
  if (sol_tree_create (world, N, n_leaves, first_of, &t) != SOL_OK) return 0;
  for (int update = 0; update < 3; update++) {
    int level = 0;
    float *leaf;
    for (int r = 0; r <= size; r++) cut[r] = update == 0 ? (int64_t) N * r / size : update == 1 ? (r == size ? N : r == 0 ? 0 : 7) : r * (r + 1) * N / (size * (size + 1));
    for (int i = first_of[me]; (leaf = sol_tree_leaf (t)) != NULL; i++) {
      for (int k = 0; k < N; k++) good &= leaf[k] == 0;
      make_leaf (update, i, leaf);
      good &= i < first_of[me + 1] && sol_tree_push (t) == SOL_OK;
    }
    memset (out, 0xee, sizeof out);
    good &= sol_tree_finish (t, cut, out) == SOL_OK;
    while (1 << level < n_leaves) level++;
    serial (update, n_leaves, level, 0, want);
    good &= !memcmp (out, want + cut[me], (size_t) (cut[me + 1] - cut[me]) * sizeof *out);
  }
  sol_tree_destroy (t);
  return good;
}

static void try_spreads (int n_leaves)
{
  const int size = sol_comm_size (world);
  int f[65] = { 0 };
  char what[128];
  for (int kind = 0; kind < 5; kind++) {
    static const char *const name[] = { "even", "all on the first rank", "all on the last rank", "one a rank, the rest on the last", "ragged" };
    int good;
    uint32_t s = (uint32_t) (n_leaves * 7 + size);
    for (int r = 1; r < size; r++) {
      s = s * 1664525u + 1013904223u;
      f[r] = kind == 0 ? n_leaves * r / size : kind == 1 ? n_leaves : kind == 2 ? 0 : kind == 3 ? (r < n_leaves ? r : n_leaves) : f[r - 1] + (int) ((s >> 16) % (uint32_t) (n_leaves - f[r - 1] + 1));
    }
    f[size] = n_leaves;
    good = same_bytes (n_leaves, f);
    snprintf (what, sizeof what, "%d leaves, %s", n_leaves, name[kind]);
    tap_ok (good, what);
  }
}

static void try_memory (void)
{
  const int size = sol_comm_size (world), me = sol_comm_rank (world);
  const int64_t n = 1 << 18;
  size_t before = sol_memory_used ();
  int f[65];
  sol_tree_t *t = NULL;
  for (int r = 0; r <= size; r++) f[r] = r == size ? 8 : 0;
  ok (sol_tree_create (world, n, 8, f, &t) == SOL_OK);
  ok (sol_memory_used () - before < (size_t) (me == size - 1 ? 4 : 0) * (size_t) n * 4 + 65536); /* 8 leaves on one rank: four buffers */
  sol_tree_destroy (t);
}

int main (int argc, char **argv)
{
  float a[N], b[N];
  tap_init (&argc, &argv);
  ok (sol_comm_start (&argc, &argv) == SOL_OK);
  world = sol_comm_world ();
  serial (0, 8, 3, 0, a);
  chain (0, 8, b);
  ok (memcmp (a, b, sizeof a) != 0); /* the numbers do tell orders apart */
  for (int k = 0; k < 2; k++) {
    const int n_leaves[] = { 1, 3, 5, 8, MOST };
    for (int i = 0; i < 5; i++) try_spreads (n_leaves[i]);
    sol_comm_piece = 64; /* again in pieces of 16 floats */
  }
  try_memory ();
  sol_comm_end ();
  return tap_done ();
}
