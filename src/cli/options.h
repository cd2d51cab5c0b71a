/* SPDX-License-Identifier: Apache-2.0 */
/* the table of options as rows, for help */
#ifndef SOL_CLI_OPTIONS_H
#define SOL_CLI_OPTIONS_H
#include "solera/command.h"
extern const sol_option_row_t sol_option_rows[SOL_N_OPTIONS];
/* of a command, --help included */
unsigned sol_command_options (const sol_command_t *c);
#endif
