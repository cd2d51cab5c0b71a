/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/command.h"
#include "solera/config.h"
#include <stdio.h>
#include <string.h>

#define X(name) extern const sol_command_t sol_command_##name;
SOL_COMMANDS (X)
#undef X

const sol_command_t *const sol_commands[] = {
#define X(name) &sol_command_##name,
  SOL_COMMANDS (X)
#undef X
  NULL
};

const sol_command_t *sol_command_find (const char *name)
{
  for (const sol_command_t *const *c = sol_commands; *c; c++)
    if (strcmp ((*c)->name, name) == 0) return *c;
  return NULL;
}

int sol_command_unknown (const char *name)
{
  const char *near = NULL;
  int best = 3;
  for (const sol_command_t *const *c = sol_commands; *c; c++) {
    const int d = sol_edit_distance (name, (*c)->name);
    if (d >= best) continue;
    best = d;
    near = (*c)->name;
  }
  fprintf (stderr, "solera: there is no command '%s'", name);
  if (near) fprintf (stderr, "; the nearest is '%s'\n", near);
  else fprintf (stderr, "; solera help lists them\n");
  return 2;
}
