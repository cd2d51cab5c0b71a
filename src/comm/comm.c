/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/comm.h"
#include "comm_mpi.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sol_comm { MPI_Comm mpi; int rank, size, fixed; };
static sol_comm_t self_comm = { .size = 1, .fixed = 1 }, world_comm = { .size = 1, .fixed = 1 };
static int started, own_start; /* own_start: MPI_Init was ours */

sol_status_t sol_comm_failed (const char *call, int code)
{
  char text[MPI_MAX_ERROR_STRING] = "unknown";
  int n;
  MPI_Error_string (code, text, &n);
  return sol_fail (SOL_ERR_MPI, "mpi", "%s: %s", call, text);
}

sol_status_t sol_comm_start (int *argc, char ***argv)
{
  int level, was;
  if (started) return SOL_OK;
  /* Debian's default order of one-sided components fails in 64-bit atomics and across TCP hosts; a user's own choice stands */
  setenv ("OMPI_MCA_osc", "sm,pt2pt", 0);
  SOL_MPI (MPI_Initialized (&was)); /* a test or an embedding program may have */
  if (!was) SOL_MPI (MPI_Init_thread (argc, argv, MPI_THREAD_SERIALIZED, &level));
  own_start = !was;
  MPI_Comm_set_errhandler (MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  MPI_Comm_set_errhandler (MPI_COMM_SELF, MPI_ERRORS_RETURN);
  world_comm.mpi = MPI_COMM_WORLD;
  self_comm.mpi = MPI_COMM_SELF;
  SOL_MPI (MPI_Comm_rank (MPI_COMM_WORLD, &world_comm.rank));
  SOL_MPI (MPI_Comm_size (MPI_COMM_WORLD, &world_comm.size));
  started = 1;
  return SOL_OK;
}

void sol_comm_end (void)
{
  if (started && own_start) MPI_Finalize ();
  started = 0;
}

void sol_comm_abort (int code)
{
  fflush (NULL);
  if (started && world_comm.size > 1) MPI_Abort (MPI_COMM_WORLD, code);
  _exit (code);
}

sol_comm_t *sol_comm_self (void) { return &self_comm; }
sol_comm_t *sol_comm_world (void) { return started ? &world_comm : &self_comm; }
int sol_comm_rank (const sol_comm_t *c) { return c->rank; }
int sol_comm_size (const sol_comm_t *c) { return c->size; }
MPI_Comm sol_comm_mpi (const sol_comm_t *c) { return c->mpi; }

static void wrap (MPI_Comm mpi, sol_comm_t **comm_p)
{
  *comm_p = NULL;
  if (mpi == MPI_COMM_NULL) return;
  sol_comm_t *c = *comm_p = sol_alloc (sizeof *c);
  c->mpi = mpi;
  MPI_Comm_set_errhandler (mpi, MPI_ERRORS_RETURN);
  MPI_Comm_rank (mpi, &c->rank);
  MPI_Comm_size (mpi, &c->size);
}

sol_status_t sol_comm_split (sol_comm_t *comm, int color, int key, sol_comm_t **comm_p)
{
  MPI_Comm mpi;
  *comm_p = NULL;
  if (!started) {
    *comm_p = color < 0 ? NULL : &self_comm;
    return SOL_OK;
  }
  SOL_MPI (MPI_Comm_split (comm->mpi, color < 0 ? MPI_UNDEFINED : color, key, &mpi));
  wrap (mpi, comm_p);
  return SOL_OK;
}

sol_status_t sol_comm_split_host (sol_comm_t *comm, int in, int key, sol_comm_t **comm_p)
{
  MPI_Comm mpi;
  *comm_p = NULL;
  if (!started) {
    *comm_p = in ? &self_comm : NULL;
    return SOL_OK;
  }
  SOL_MPI (MPI_Comm_split_type (comm->mpi, in ? MPI_COMM_TYPE_SHARED : MPI_UNDEFINED, key, MPI_INFO_NULL, &mpi));
  wrap (mpi, comm_p);
  return SOL_OK;
}

void sol_comm_destroy (sol_comm_t *c)
{
  if (!c || c->fixed) return;
  MPI_Comm_free (&c->mpi);
  sol_free (c);
}

const char *sol_comm_library (void)
{
  static char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int n;
  MPI_Get_library_version (text, &n); /* allowed before MPI_Init */
  text[strcspn (text, ",\n")] = 0;
  return text;
}

const char *sol_comm_host (void)
{
  static char name[256];
  if (gethostname (name, sizeof name - 1) != 0) snprintf (name, sizeof name, "unknown");
  return name;
}

sol_status_t sol_comm_barrier (sol_comm_t *c)
{
  if (c->size > 1) SOL_MPI (MPI_Barrier (c->mpi));
  return SOL_OK;
}

size_t sol_comm_piece = (size_t) 1 << 30;

sol_status_t sol_comm_bcast (sol_comm_t *c, void *data, size_t bytes, int root)
{
  const size_t piece = sol_comm_piece;
  for (size_t at = 0; c->size > 1 && at < bytes; at += piece) SOL_MPI (MPI_Bcast ((char *) data + at, (int) (bytes - at < piece ? bytes - at : piece), MPI_BYTE, root, c->mpi));
  return SOL_OK;
}

sol_status_t sol_comm_bcast_text (sol_comm_t *c, char **data_p, size_t *bytes_p, int root)
{
  uint64_t n = c->rank == root ? *bytes_p : 0;
  if (c->size == 1) return SOL_OK;
  SOL_TRY (sol_comm_bcast (c, &n, sizeof n, root));
  if (c->rank != root) {
    *data_p = sol_alloc ((size_t) n + 1);
    *bytes_p = (size_t) n;
  }
  return sol_comm_bcast (c, *data_p, (size_t) n, root);
}

sol_status_t sol_comm_allgather (sol_comm_t *c, const void *mine, size_t bytes, void *all)
{
  if (c->size == 1) {
    if (bytes > 0) memcpy (all, mine, bytes);
    return SOL_OK;
  }
  if (bytes <= sol_comm_piece) {
    SOL_MPI (MPI_Allgather (mine, (int) bytes, MPI_BYTE, all, (int) bytes, MPI_BYTE, c->mpi));
    return SOL_OK;
  }
  memcpy ((char *) all + (size_t) c->rank * bytes, mine, bytes);
  for (int r = 0; r < c->size; r++) SOL_TRY (sol_comm_bcast (c, (char *) all + (size_t) r * bytes, bytes, r));
  return SOL_OK;
}

sol_status_t sol_comm_allgatherv (sol_comm_t *c, const void *mine, size_t bytes, void *all, const size_t *bytes_of)
{
  size_t at = 0;
  SOL_ASSERT (bytes == bytes_of[c->rank]);
  for (int r = 0; r < c->size; at += bytes_of[r], r++) { /* one broadcast a rank: lengths may differ widely and exceed int */
    if (r == c->rank && bytes > 0) memmove ((char *) all + at, mine, bytes);
    SOL_TRY (sol_comm_bcast (c, (char *) all + at, bytes_of[r], r));
  }
  return SOL_OK;
}

sol_status_t sol_comm_sum_i64 (sol_comm_t *c, int64_t *x, int n)
{
  if (c->size > 1) SOL_MPI (MPI_Allreduce (MPI_IN_PLACE, x, n, MPI_INT64_T, MPI_SUM, c->mpi));
  return SOL_OK;
}

sol_status_t sol_comm_sum_u64 (sol_comm_t *c, uint64_t *x, int n)
{
  if (c->size > 1) SOL_MPI (MPI_Allreduce (MPI_IN_PLACE, x, n, MPI_UINT64_T, MPI_SUM, c->mpi));
  return SOL_OK;
}

sol_status_t sol_comm_max_i64 (sol_comm_t *c, int64_t *x, int n)
{
  if (c->size > 1) SOL_MPI (MPI_Allreduce (MPI_IN_PLACE, x, n, MPI_INT64_T, MPI_MAX, c->mpi));
  return SOL_OK;
}

sol_status_t sol_comm_sum_f64 (sol_comm_t *c, double *x, int n)
{
  double *all;
  sol_status_t st;
  if (c->size == 1) return SOL_OK;
  all = sol_alloc ((size_t) n * (size_t) c->size * sizeof *all);
  st = sol_comm_allgather (c, x, (size_t) n * sizeof *x, all);
  if (st == SOL_OK) {
    memcpy (x, all, (size_t) n * sizeof *x);
    for (int r = 1; r < c->size; r++)
      for (int i = 0; i < n; i++) x[i] += all[(size_t) r * (size_t) n + (size_t) i];
  }
  sol_free (all);
  return st;
}

sol_status_t sol_comm_agree (sol_comm_t *c, sol_status_t st)
{
  int64_t worst = st >= SOL_ERR_USAGE ? 100 + st : st; /* errors above everything else */
  SOL_TRY (sol_comm_max_i64 (c, &worst, 1));
  return (sol_status_t) (worst >= 100 ? worst - 100 : worst);
}

sol_status_t sol_comm_share_slices (sol_comm_t *c, void *block, const int64_t *cut, size_t element_bytes)
{
  for (int r = 0; r < c->size; r++)
    SOL_TRY (sol_comm_bcast (c, (char *) block + (size_t) cut[r] * element_bytes, (size_t) (cut[r + 1] - cut[r]) * element_bytes, r));
  return SOL_OK;
}
