/* SPDX-License-Identifier: Apache-2.0 */
/* The table of contents is SOL_COMMANDS in include/solera/command.h. */
#include "solera/command.h"
#include "solera/external.h"
#include "solera/grader.h"
#include "solera/verify.h"
#include <stdio.h>
#include <string.h>

int main (int argc, char **argv)
{
  char help[] = "help";
  if (argc >= 2 && strcmp (argv[1], "--version") == 0) return puts (PACKAGE_STRING) == EOF || fflush (stdout) != 0;
  if (argc >= 2 && (strcmp (argv[1], "--help") == 0 || strcmp (argv[1], "-h") == 0)) argv[1] = help;
  int child = sol_grader_main (argc, argv, sol_answer_equal); /* started by ourselves */
  if (child < 0) child = sol_external_main (argc, argv);
  if (child >= 0) return child;
  const sol_command_t *command = sol_command_find (argc >= 2 ? argv[1] : help);
  if (!command) return sol_command_unknown (argv[1]);
  if (argc >= 2) return command->run (argc - 1, argv + 1);
  command->run (1, (char *[]) { help, NULL });
  return 2; /* a command was expected */
}
