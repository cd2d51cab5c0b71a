/* SPDX-License-Identifier: Apache-2.0 */
/* what the printers of help share */
#ifndef SOL_HELP_TEXT_H
#define SOL_HELP_TEXT_H
#include "solera/command.h"
#include "solera/config.h"
/* words of text within 79 columns, every line indented; ends with a newline */
void sol_help_wrap (const char *text, int indent, sol_buffer_t *out);
/* "integer", "true or false", "exact, bounded or free", ...; "at least 0", "0 to 1", "" */
void sol_help_kind (const sol_setting_t *s, sol_buffer_t *out);
void sol_help_bounds (const sol_setting_t *s, sol_buffer_t *out);
/* "0 updates", "none" */
void sol_help_default (const sol_setting_t *s, sol_buffer_t *out);
/* "staleness" of staleness.k, "" of seed, into buf */
const char *sol_help_section (const sol_setting_t *s, char *buf, size_t n);
/* "train, sft": commands that use it */
void sol_help_users (const sol_setting_t *s, sol_buffer_t *out);
/* text for the manual page */
void sol_help_troff (const char *text, sol_buffer_t *out);
/* its section of objectives */
void sol_help_man_objectives (sol_buffer_t *out);
extern const char sol_help_what[], sol_help_exit[], sol_help_settings_about[];
#endif
