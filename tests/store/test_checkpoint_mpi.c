/* ranks: 1 3 4 */
/* SPDX-License-Identifier: Apache-2.0 */
/* a checkpoint whose slices come from several ranks has the same bytes; a failure of one rank is everybody's */
#include "../tap_mpi.h"
#include "solera/checkpoint.h"
#include "solera/file.h"
#include "solera/memory.h"
#include <string.h>
#include <unistd.h>

enum { N = 1003, GIVE_UP = -2 };

static int64_t cut (int rank) { return (int64_t) N * rank / tap_size; }

static sol_status_t save (const char *run, int64_t update, int failing)
{
  sol_checkpoint_writer_t *w;
  sol_checkpoint_t info = { .update = update, .step = update, .elements = N };
  float x[N];
  for (int i = 0; i < N; i++) x[i] = (float) i * 0.5f + (float) update;
  SOL_TRY (sol_checkpoint_begin (run, update, N, sol_comm_world (), &w));
  int64_t a = cut (tap_rank), b = cut (tap_rank + 1);
  if (tap_rank == 0 && tap_size > 1) b = a; /* a rank may have nothing: its part goes with the next */
  if (tap_rank == 1) a = cut (0);
  sol_checkpoint_put (w, "weights", a, b - a, x + a);
  if (failing == GIVE_UP) {
    sol_checkpoint_drop (w);
    return SOL_STOPPED;
  }
  if (failing == tap_rank) sol_checkpoint_spoil (w, SOL_ERR_IO);
  return sol_checkpoint_commit (w, &info, "x: 1\n", 2);
}

int main (int argc, char **argv)
{
  char run[512];
  const char *tmp = getenv ("TEST_TMPDIR");
  float x[N];
  int good = 1;
  sol_checkpoint_t info;
  char *dir = NULL;
  if (sol_comm_start (&argc, &argv) != SOL_OK) return 1;
  tap_rank = sol_comm_rank (sol_comm_world ());
  tap_size = sol_comm_size (sol_comm_world ());
  snprintf (run, sizeof run, "%s/checkpoint-mpi.%d", tmp ? tmp : "/tmp", tap_size);
  if (tap_rank == 0) sol_dir_remove (run);
  ok (sol_comm_barrier (sol_comm_world ()) == SOL_OK);
  ok (save (run, 8, -1) == SOL_OK);
  ok (sol_checkpoint_find (run, NULL, &info, &dir, NULL) == SOL_OK && info.update == 8 && info.elements == N);
  ok (dir && sol_checkpoint_get (dir, "weights", 0, N, x) == SOL_OK);
  for (int i = 0; i < N; i++) good &= x[i] == (float) i * 0.5f + 8;
  ok (good);
  sol_free (dir);
  dir = NULL;
  ok (save (run, 16, tap_size - 1) == SOL_ERR_IO); /* on all ranks */
  ok (sol_checkpoint_find (run, NULL, &info, &dir, NULL) == SOL_OK && info.update == 8);
  sol_free (dir);
  dir = NULL;
  sol_checkpoint_drop (NULL);
  ok (save (run, 24, GIVE_UP) == SOL_STOPPED); /* nothing counts, no memory stays (tap_done) */
  ok (sol_checkpoint_find (run, NULL, &info, &dir, NULL) == SOL_OK && info.update == 8);
  sol_free (dir);
  dir = NULL;
  sol_comm_barrier (sol_comm_world ());
  ok (save (run, 24, -1) == SOL_OK && sol_checkpoint_find (run, NULL, &info, &dir, NULL) == SOL_OK && info.update == 24);
  sol_free (dir);
  sol_comm_barrier (sol_comm_world ());
  if (tap_rank == 0) sol_dir_remove (run);
  return tap_done ();
}
