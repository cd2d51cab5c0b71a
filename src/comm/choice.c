/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/comm.h"
#include <mpi.h>
#include <stdio.h>

/* the value of a control variable of the library (Open MPI: an MCA parameter, from its files, the environment or us) */
static void read_choice (const char *name, char *value, size_t n)
{
  MPI_T_cvar_handle handle;
  int index, count = 0, verbosity, bind, scope, n_name = 0, n_doc = 0;
  char text[4096] = "";
  MPI_Datatype type;
  MPI_T_enum values;
  if (MPI_T_cvar_get_index (name, &index) != MPI_SUCCESS) return;
  if (MPI_T_cvar_get_info (index, NULL, &n_name, &verbosity, &type, &values, NULL, &n_doc, &bind, &scope) != MPI_SUCCESS || type != MPI_CHAR) return;
  if (MPI_T_cvar_handle_alloc (index, NULL, &handle, &count) != MPI_SUCCESS) return;
  if (count > 0 && count < (int) sizeof text && MPI_T_cvar_read (handle, text) == MPI_SUCCESS) snprintf (value, n, "%s", *text ? text : "the library's choice");
  MPI_T_cvar_handle_free (&handle);
}

int sol_comm_choice (int i, const char **name_p, char *value, size_t n)
{
  static const char *const names[] = { "osc", "pml", "btl", "mtl" };
  int level;
  if (i < 0 || i >= 4) return 0;
  *name_p = names[i];
  snprintf (value, n, "unknown");
  if (MPI_T_init_thread (MPI_THREAD_SINGLE, &level) != MPI_SUCCESS) return 1;
  read_choice (names[i], value, n);
  MPI_T_finalize ();
  return 1;
}
