/* SPDX-License-Identifier: Apache-2.0 */
#include "info.h"
#include "solera/comm.h"
#include <string.h>

extern char **environ;

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

void sol_info_mpi (cJSON *facts)
{
  const char *name;
  char value[512];
  cJSON *mpi = cJSON_AddObjectToObject (facts, "mpi");
  sol_info_string (mpi, "library", sol_comm_library ());
  sol_info_int (mpi, "ranks", sol_comm_size (sol_comm_world ()));
  sol_info_string (mpi, "host", sol_comm_host ());
  for (int i = 0; sol_comm_choice (i, &name, value, sizeof value); i++) sol_info_string (mpi, name, value);
}
