/* SPDX-License-Identifier: Apache-2.0 */
/* files made from the tables: manual page, completion for bash, docs/settings.md */
#include "help_text.h"
#include "options.h"
#include <stdio.h>
#include <string.h>

/* ---- solera.1 */

/* text for troff: a dash is a minus, a backslash itself, no line starts a request */
void sol_help_troff (const char *text, sol_buffer_t *out)
{
  for (const char *at = text; *at; at++) {
    const int first = at == text || at[-1] == '\n';
    if (*at == '\n' && at[1] == '\n') {
      sol_buffer_printf (out, "\n.PP\n");
      at++;
      continue;
    }
    if (first && (*at == '.' || *at == '\'')) sol_buffer_printf (out, "\\&");
    if (*at == '-') sol_buffer_printf (out, "\\-");
    else if (*at == '\\') sol_buffer_printf (out, "\\e");
    else sol_buffer_add (out, at, 1);
  }
}

static void man_command (const sol_command_t *c, sol_buffer_t *out)
{
  sol_buffer_printf (out, ".SS %s\n.B solera %s\n", c->name, c->name);
  sol_help_troff (c->usage, out);
  sol_buffer_printf (out, "\n.PP\n");
  sol_help_troff (c->about, out);
  sol_buffer_printf (out, "\n");
  for (int i = 0; i < SOL_N_OPTIONS; i++) {
    if (!(c->options & 1u << i)) continue;
    sol_buffer_printf (out, ".TP\n.B ");
    sol_help_troff (sol_option_rows[i].text, out);
    if (sol_option_rows[i].argument) sol_buffer_printf (out, " %s", sol_option_rows[i].argument);
    sol_buffer_printf (out, "\n");
    sol_help_troff (sol_option_rows[i].doc, out);
    sol_buffer_printf (out, "\n");
  }
}

static void man_setting (const sol_setting_t *s, sol_buffer_t *out)
{
  sol_buffer_t facts = { 0 };
  sol_buffer_printf (out, ".TP\n.B %s\n", s->name);
  sol_help_troff (s->doc, out);
  sol_help_kind (s, &facts);
  if (s->kind == SOL_KIND_INT || s->kind == SOL_KIND_FLOAT) sol_buffer_printf (&facts, ", ");
  sol_help_bounds (s, &facts);
  sol_buffer_printf (&facts, "; default ");
  sol_help_default (s, &facts);
  sol_buffer_printf (&facts, "; for ");
  sol_help_users (s, &facts);
  sol_buffer_printf (out, "\n(");
  sol_help_troff (facts.data, out);
  sol_buffer_printf (out, ")\n");
  sol_buffer_free (&facts);
}

void sol_help_man (sol_buffer_t *out)
{
  int n;
  const sol_setting_t *s = sol_settings (&n);
  sol_buffer_printf (out, ".\\\" SPDX-License-Identifier: Apache-2.0\n.TH SOLERA 1 \"\" \"solera %s\" \"User Commands\"\n", PACKAGE_VERSION);
  sol_buffer_printf (out, ".SH NAME\nsolera \\- reinforcement learning of language models on stale rollouts\n");
  sol_buffer_printf (out, ".SH SYNOPSIS\n.B solera\n.I COMMAND\n[argument ...] [key=value ...] [\\-\\-option ...]\n.SH DESCRIPTION\n");
  sol_help_troff (sol_help_what, out);
  sol_buffer_printf (out, "\nEvery command has \\fB\\-\\-help\\fP.\n.SH COMMANDS\n");
  for (const sol_command_t *const *c = sol_commands; *c; c++) man_command (*c, out);
  sol_help_man_objectives (out);
  sol_buffer_printf (out, ".SH SETTINGS\n");
  sol_help_troff (sol_help_settings_about, out);
  sol_buffer_printf (out, "\n");
  for (int i = 0; i < n; i++) man_setting (&s[i], out);
  sol_buffer_printf (out, ".SH EXIT STATUS\n");
  sol_help_troff (sol_help_exit, out);
  sol_buffer_printf (out, "\n.SH ENVIRONMENT\n.TP\n.B OMPI_MCA_odls_base_sigkill_timeout\nseconds that mpirun leaves between TERM and KILL; a run that is to write a "
                          "checkpoint on TERM needs more than the default of 1\n.TP\n.B SOLERA_ISA\nportable, avx2 or avx512: the kernels to use instead of the best\n");
}

/* ---- completion */

static const char bash_head[] =
  "# bash completion for solera\n"
  "_solera ()\n"
  "{\n"
  "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} cmd=${COMP_WORDS[1]} key= words=\n"
  "  COMPREPLY=()\n"
  "  # = is a word of its own\n"
  "  if [ \"$cur\" = = ]; then key=$prev; cur=; elif [ \"$prev\" = = ]; then key=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
  "  if [ -n \"$key\" ]; then\n"
  "    case $key in\n";
static const char bash_middle[] =
  "      *) compopt -o default; return ;;\n"
  "    esac\n"
  "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
  "    return\n"
  "  fi\n";

static void add_words (const char *choices, sol_buffer_t *out)
{
  for (const char *at = choices; *at; at++) sol_buffer_add (out, *at == '|' ? " " : at, 1);
}

static void bash_command (const sol_command_t *c, sol_buffer_t *out)
{
  int n;
  const sol_setting_t *s = sol_settings (&n);
  sol_buffer_printf (out, "    %s) words='", c->name);
  for (int i = 0; i < SOL_N_OPTIONS; i++)
    if (sol_command_options (c) & 1u << i) sol_buffer_printf (out, "%s ", sol_option_rows[i].text);
  for (int i = 0; c->group && i < n; i++)
    if (strchr (s[i].groups, c->group)) sol_buffer_printf (out, "%s= ", s[i].name);
  if (strcmp (c->name, "help") == 0) {
    for (const sol_command_t *const *k = sol_commands; *k; k++) sol_buffer_printf (out, "%s ", (*k)->name);
    sol_buffer_printf (out, "settings objectives");
  }
  sol_buffer_printf (out, "' ;;\n");
}

void sol_help_bash (sol_buffer_t *out)
{
  int n;
  const sol_setting_t *s = sol_settings (&n);
  sol_buffer_printf (out, "%s", bash_head);
  for (int i = 0; i < n; i++) {
    if (s[i].kind != SOL_KIND_CHOICE && s[i].kind != SOL_KIND_BOOL) continue;
    sol_buffer_printf (out, "      %s) words='", s[i].name);
    add_words (s[i].choices ? s[i].choices : "true|false", out);
    sol_buffer_printf (out, "' ;;\n");
  }
  sol_buffer_printf (out, "%s  if [ \"$prev\" = --role ]; then COMPREPLY=($(compgen -W 'actor broker learner' -- \"$cur\")); return; fi\n"
                          "  if [ \"$prev\" = --device ]; then COMPREPLY=($(compgen -f -W 'a100 h100 h200' -- \"$cur\")); return; fi\n", bash_middle);
  sol_buffer_printf (out, "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    COMPREPLY=($(compgen -W '");
  for (const sol_command_t *const *c = sol_commands; *c; c++) sol_buffer_printf (out, "%s ", (*c)->name);
  sol_buffer_printf (out, "--version' -- \"$cur\"))\n    return\n  fi\n  case $cmd in\n");
  for (const sol_command_t *const *c = sol_commands; *c; c++) bash_command (*c, out);
  sol_buffer_printf (out, "  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                          "  case ${COMPREPLY-} in *=) compopt -o nospace ;; esac\n"
                          "  [ ${#COMPREPLY[@]} -gt 0 ] || compopt -o default\n}\ncomplete -F _solera solera\n");
}

/* ---- docs/settings.md */

/* a cell: | parts columns */
static void cell (const char *text, sol_buffer_t *out)
{
  for (const char *at = text; *at; at++) sol_buffer_printf (out, *at == '|' || *at == '*' ? "\\%c" : "%c", *at);
  sol_buffer_printf (out, " | ");
}

static void markdown_row (const sol_setting_t *s, sol_buffer_t *out)
{
  void (*const parts[]) (const sol_setting_t *, sol_buffer_t *) = { sol_help_kind, sol_help_bounds, sol_help_default, sol_help_users };
  sol_buffer_printf (out, "| `%s` | ", s->name);
  for (int i = 0; i < 4; i++) {
    sol_buffer_t part = { 0 };
    parts[i] (s, &part);
    cell (part.data ? part.data : "", out);
    sol_buffer_free (&part);
  }
  cell (s->doc, out);
  out->bytes--; /* the blank after the last bar */
  sol_buffer_add (out, "\n", 1);
}

void sol_help_markdown (sol_buffer_t *out)
{
  int n;
  const sol_setting_t *s = sol_settings (&n);
  sol_buffer_printf (out, "# Settings\n\nMade by `solera help --markdown` from `include/solera/settings.h`: change it there, then `make settings-doc`.\n\n");
  sol_help_wrap (sol_help_settings_about, 0, out);
  for (int i = 0; i < n; i++) {
    char section[64], other[64];
    int first = 1;
    sol_help_section (&s[i], section, sizeof section);
    for (int k = 0; k < i && first; k++) first = strcmp (section, sol_help_section (&s[k], other, sizeof other)) != 0;
    if (!first) continue;
    sol_buffer_printf (out, "\n## %s\n\n| name | type | bounds | default | commands | |\n|---|---|---|---|---|---|\n", *section ? section : "the run");
    for (int k = i; k < n; k++)
      if (strcmp (section, sol_help_section (&s[k], other, sizeof other)) == 0) markdown_row (&s[k], out);
  }
}
