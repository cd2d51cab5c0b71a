/* SPDX-License-Identifier: Apache-2.0 */
/* help on the terminal */
#include "help_text.h"
#include "options.h"
#include <stdio.h>
#include <string.h>

void sol_help_overview (sol_buffer_t *out)
{
  sol_help_wrap (sol_help_what, 0, out);
  sol_buffer_printf (out, "\nusage: solera COMMAND [argument ...] [key=value ...] [--option ...]\n\n");
  for (const sol_command_t *const *c = sol_commands; *c; c++) sol_buffer_printf (out, "  %-10s %s\n", (*c)->name, (*c)->line);
  sol_buffer_printf (out, "\nsolera help COMMAND, solera help settings, solera help objectives, solera --version\n");
}

void sol_help_settings (char group, sol_buffer_t *out)
{
  int n;
  const sol_setting_t *s = sol_settings (&n);
  for (int i = 0; i < n; i++) {
    if (group && !strchr (s[i].groups, group)) continue;
    sol_buffer_printf (out, "  %-28s ", s[i].name);
    sol_help_kind (&s[i], out);
    sol_buffer_t bounds = { 0 };
    sol_help_bounds (&s[i], &bounds);
    if (bounds.bytes) sol_buffer_printf (out, ", %s", bounds.data);
    sol_buffer_free (&bounds);
    sol_buffer_printf (out, "; default ");
    sol_help_default (&s[i], out);
    sol_buffer_add (out, "\n", 1);
    sol_help_wrap (s[i].doc, 6, out);
  }
}

static void paragraphs (const char *text, sol_buffer_t *out)
{
  for (const char *at = text; *at;) {
    const char *end = strstr (at, "\n\n");
    sol_buffer_t part = { 0 };
    sol_buffer_add (&part, at, end ? (size_t) (end - at) : strlen (at));
    sol_buffer_add (out, "\n", 1);
    sol_help_wrap (part.data, 0, out);
    sol_buffer_free (&part);
    at = end ? end + 2 : at + strlen (at);
  }
}

void sol_help_command (const sol_command_t *c, sol_buffer_t *out)
{
  sol_buffer_printf (out, "solera %s: %s\n\nusage: solera %s %s\n", c->name, c->line, c->name, c->usage);
  paragraphs (c->about, out);
  sol_buffer_printf (out, "\noptions:\n");
  for (int i = 0; i < SOL_N_OPTIONS; i++) {
    char text[64];
    const sol_option_row_t *row = &sol_option_rows[i];
    if (!(sol_command_options (c) & 1u << i)) continue;
    snprintf (text, sizeof text, "%s%s%s", row->text, row->argument ? " " : "", row->argument ? row->argument : "");
    sol_buffer_printf (out, "  %-14s %s\n", text, row->doc);
  }
  if (!c->group) return;
  sol_buffer_printf (out, "\nsettings:\n");
  sol_help_settings (c->group, out);
}
