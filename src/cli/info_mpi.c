/* SPDX-License-Identifier: Apache-2.0 */
#include "info.h"
#include "solera/comm.h"
#include <mpi.h>
#include <string.h>

extern char **environ;

/* the value of a control variable of the library (Open MPI: an MCA parameter, from its files, the environment or us) */
static void add_choice (cJSON *o, const char *name)
{
  MPI_T_cvar_handle handle;
  int index, count = 0, verbosity, bind, scope, n_name = 0, n_doc = 0;
  char value[4096] = "";
  MPI_Datatype type;
  MPI_T_enum values;
  if (MPI_T_cvar_get_index (name, &index) != MPI_SUCCESS) return;
  if (MPI_T_cvar_get_info (index, NULL, &n_name, &verbosity, &type, &values, NULL, &n_doc, &bind, &scope) != MPI_SUCCESS || type != MPI_CHAR) return;
  if (MPI_T_cvar_handle_alloc (index, NULL, &handle, &count) != MPI_SUCCESS) return;
  if (count > 0 && count < (int) sizeof value && MPI_T_cvar_read (handle, value) == MPI_SUCCESS) sol_info_string (o, name, *value ? value : "the library's choice");
  MPI_T_cvar_handle_free (&handle);
}

/* MPI sets variables of its own when it starts: to be called before */
void sol_info_environment (cJSON *facts)
{
  cJSON *env = cJSON_AddObjectToObject (facts, "environment");
  for (char **e = environ; *e; e++) {
    char name[128];
    const size_t n = strcspn (*e, "=");
    if ((strncmp (*e, "OMPI_MCA_", 9) != 0 && strncmp (*e, "SOLERA_", 7) != 0) || n >= sizeof name || !(*e)[n]) continue;
    memcpy (name, *e, n);
    name[n] = 0;
    sol_info_string (env, name, *e + n + 1);
  }
}

/* which components may serve one-sided access, messages and bytes: ^ means all but these */
void sol_info_mpi (cJSON *facts)
{
  int level;
  cJSON *mpi = cJSON_AddObjectToObject (facts, "mpi");
  sol_info_string (mpi, "library", sol_comm_library ());
  sol_info_int (mpi, "ranks", sol_comm_size (sol_comm_world ()));
  sol_info_string (mpi, "host", sol_comm_host ());
  if (MPI_T_init_thread (MPI_THREAD_SINGLE, &level) == MPI_SUCCESS) {
    static const char *const names[] = { "osc", "pml", "btl", "mtl" };
    for (int i = 0; i < 4; i++) add_choice (mpi, names[i]);
    MPI_T_finalize ();
  }
}
