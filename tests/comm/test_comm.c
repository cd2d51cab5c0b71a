/* ranks: 1 2 3 5 */
/* SPDX-License-Identifier: Apache-2.0 */
/* Collectives against what every rank can work out alone; runs longer than a piece; agreement; splitting. */
#include "../../src/comm/comm_mpi.h"
#include "solera/log.h"
#include "../tap_mpi.h"
#include <string.h>

static sol_comm_t *world;

/* byte i of rank r's data */
static unsigned char byte_of (int r, size_t i) { return (unsigned char) (r * 31 + (int) (i * 7 % 251) + (int) (i >> 8)); }
static int holds (const unsigned char *x, int r, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (x[i] != byte_of (r, i)) return 0;
  return 1;
}
static void fill (unsigned char *x, int r, size_t n)
{
  for (size_t i = 0; i < n; i++) x[i] = byte_of (r, i);
}

static void try_bytes (size_t n)
{
  const int size = sol_comm_size (world), me = sol_comm_rank (world), root = size - 1;
  unsigned char *mine = sol_alloc (n + 1), *all = sol_alloc (n * (size_t) size * 2 + 1);
  size_t *bytes_of = sol_alloc ((size_t) size * sizeof *bytes_of), at = 0;
  int64_t *cut = sol_alloc ((size_t) (size + 1) * sizeof *cut);
  int good = 1;
  if (me == root) fill (mine, root, n);
  ok (sol_comm_bcast (world, mine, n, root) == SOL_OK && holds (mine, root, n));
  fill (mine, me, n);
  ok (sol_comm_allgather (world, mine, n, all) == SOL_OK);
  for (int r = 0; r < size; r++) good &= holds (all + (size_t) r * n, r, n);
  ok (good);
  for (int r = 0; r < size; r++) bytes_of[r] = r % 2 ? 0 : n / (size_t) (r + 1); /* some give nothing */
  ok (sol_comm_allgatherv (world, mine, bytes_of[me], all, bytes_of) == SOL_OK);
  for (int r = 0; r < size; at += bytes_of[r], r++) good &= holds (all + at, r, bytes_of[r]);
  ok (good);
  for (int r = 0; r < size; r++) cut[r + 1] = cut[r] + (int64_t) (bytes_of[r] / 2);
  memset (all, 0, n * (size_t) size);
  fill (all + 2 * cut[me], me, (size_t) (cut[me + 1] - cut[me]) * 2);
  ok (sol_comm_share_slices (world, all, cut, 2) == SOL_OK);
  for (int r = 0; r < size; r++) good &= holds (all + 2 * cut[r], r, (size_t) (cut[r + 1] - cut[r]) * 2);
  ok (good);
  sol_free (mine);
  sol_free (all);
  sol_free (bytes_of);
  sol_free (cut);
}

static void try_text (void)
{
  const int root = sol_comm_size (world) / 2;
  char *text = sol_comm_rank (world) == root ? sol_strdup ("a run of bytes whose length only root knows") : NULL;
  size_t n = text ? strlen (text) : 0;
  ok (sol_comm_bcast_text (world, &text, &n, root) == SOL_OK && n == 43 && text && strlen (text) == 43 && !strncmp (text, "a run of", 8));
  sol_free (text);
  text = sol_comm_rank (world) == root ? sol_strdup ("") : NULL;
  n = 0;
  ok (sol_comm_bcast_text (world, &text, &n, root) == SOL_OK && n == 0 && text && text[0] == 0);
  sol_free (text);
}

static void try_sums (void)
{
  const int size = sol_comm_size (world), me = sol_comm_rank (world);
  int64_t i[2] = { me + 1, INT64_MIN / 8 + me }, m[2] = { me * me - 5, -me };
  uint64_t u[1] = { UINT64_MAX / 2 + (uint64_t) me };
  double x[2] = { me == 0 ? 1e16 : me == 2 ? -1e16 : 1.0, 0.1 * (me + 1) }, want[2] = { 1e16, 0.1 };
  uint64_t u_want = 0;
  for (int r = 0; r < size; r++) u_want += UINT64_MAX / 2 + (uint64_t) r;
  for (int r = 1; r < size; r++) {
    want[0] += r == 2 ? -1e16 : 1.0; /* rank 1's 1 is lost in rank order; another order would keep it */
    want[1] += 0.1 * (r + 1);
  }
  ok (sol_comm_sum_i64 (world, i, 2) == SOL_OK && i[0] == (int64_t) size * (size + 1) / 2 && i[1] == INT64_MIN / 8 * size + (int64_t) size * (size - 1) / 2);
  ok (sol_comm_sum_u64 (world, u, 1) == SOL_OK && u[0] == u_want);
  ok (sol_comm_max_i64 (world, m, 2) == SOL_OK && m[0] == (size - 1) * (size - 1) - 5 && m[1] == 0);
  ok (sol_comm_sum_f64 (world, x, 2) == SOL_OK && !memcmp (x, want, sizeof x));
}

static void try_agree (void)
{
  const int last = sol_comm_rank (world) == sol_comm_size (world) - 1;
  ok (sol_comm_agree (world, SOL_OK) == SOL_OK);
  ok (sol_comm_agree (world, last ? SOL_AGAIN : SOL_OK) == SOL_AGAIN);
  ok (sol_comm_agree (world, last ? SOL_ERR_IO : SOL_OK) == SOL_ERR_IO);
  ok (sol_comm_agree (world, last ? SOL_ERR_USAGE : SOL_STOPPED) == (sol_comm_size (world) > 1 || last ? SOL_ERR_USAGE : SOL_STOPPED));
  ok (sol_comm_barrier (world) == SOL_OK);
}

static void try_split (void)
{
  const int size = sol_comm_size (world), me = sol_comm_rank (world);
  sol_comm_t *half = NULL, *odd = NULL;
  int64_t n = 1;
  ok (sol_comm_split (world, me % 2, -me, &half) == SOL_OK && half); /* keys turn the order round */
  ok (sol_comm_size (half) == (size + 1 - me % 2) / 2);
  ok (sol_comm_rank (half) == sol_comm_size (half) - 1 - me / 2);
  ok (sol_comm_sum_i64 (half, &n, 1) == SOL_OK && n == sol_comm_size (half));
  ok (sol_comm_split (world, me % 2 ? 0 : -1, me, &odd) == SOL_OK && (odd != NULL) == (me % 2 == 1));
  sol_comm_destroy (odd);
  sol_comm_destroy (half);
  sol_comm_destroy (world); /* left alone */
  ok (sol_comm_barrier (world) == SOL_OK);
}

/* a failing MPI call comes back as a status, with MPI's text in the log, and the job goes on */
static sol_status_t bad_call (void)
{
  char x = 0;
  SOL_MPI (MPI_Bcast (&x, 1, MPI_BYTE, tap_size + 3, sol_comm_mpi (world)));
  return SOL_OK;
}

int main (int argc, char **argv)
{
  sol_comm_t *before = sol_comm_world ();
  tap_init (&argc, &argv);
  ok (before == sol_comm_self () && sol_comm_size (before) == 1);
  ok (sol_comm_start (&argc, &argv) == SOL_OK && sol_comm_start (&argc, &argv) == SOL_OK);
  world = sol_comm_world ();
  ok (sol_comm_size (world) == tap_size && sol_comm_rank (world) == tap_rank);
  ok (strlen (sol_comm_library ()) > 3 && strlen (sol_comm_host ()) > 0);
  try_bytes (0);
  try_bytes (1000);
  sol_comm_piece = 64;
  try_bytes (1001);
  try_bytes (128);
  try_text ();
  try_sums ();
  try_agree ();
  try_split ();
  ok (bad_call () == SOL_ERR_MPI && sol_comm_barrier (world) == SOL_OK);
  world = sol_comm_self ();
  try_bytes (100);
  try_sums ();
  sol_comm_end ();
  return tap_done ();
}
