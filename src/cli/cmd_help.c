/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/command.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <stdio.h>
#include <string.h>

extern const sol_command_t sol_command_help;

static sol_status_t write_help (const sol_options_t *o, sol_buffer_t *b)
{
  const char *about = o->n_args ? o->args[0] : NULL;
  if (o->given & SOL_OPTION_MAN) sol_help_man (b);
  else if (o->given & SOL_OPTION_BASH) sol_help_bash (b);
  else if (o->given & SOL_OPTION_MARKDOWN) sol_help_markdown (b);
  else if (!about) sol_help_overview (b);
  else if (strcmp (about, "settings") == 0) sol_help_settings (0, b);
  else if (strcmp (about, "objectives") == 0) sol_help_objectives (b);
  else {
    const sol_command_t *c = sol_command_find (about);
    if (!c) {
      sol_command_unknown (about);
      return SOL_ERR_USAGE;
    }
    sol_help_command (c, b);
  }
  return SOL_OK;
}

static int run (int argc, char **argv)
{
  sol_options_t o;
  sol_buffer_t b = { 0 };
  sol_status_t st = sol_options_parse (&sol_command_help, argc, argv, &o);
  if (st == SOL_OK) st = write_help (&o, &b);
  if (b.bytes && (fwrite (b.data, 1, b.bytes, stdout) != b.bytes || fflush (stdout) != 0)) st = sol_fail (SOL_ERR_IO, "help", "cannot write to standard output");
  sol_buffer_free (&b);
  sol_options_free (&o);
  return sol_exit_code (st);
}

const sol_command_t sol_command_help = { .name = "help",
                                         .line = "what the commands and settings are",
                                         .usage = "[COMMAND | settings | objectives] [--man | --bash | --markdown]",
                                         .about = "Prints the commands, or one command with its options and settings, or all settings, or all objectives with their parameters and where they are from.",
                                         .options = SOL_OPTION_MAN | SOL_OPTION_BASH | SOL_OPTION_MARKDOWN,
                                         .max_args = 1,
                                         .run = run };
