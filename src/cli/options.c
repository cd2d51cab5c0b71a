/* SPDX-License-Identifier: Apache-2.0 */
/* the command line: options, key=value settings, other arguments, in any order */
#include "options.h"
#include "solera/config.h"
#include "solera/memory.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const sol_option_row_t sol_option_rows[SOL_N_OPTIONS] = {
#define X(symbol, text, argument, doc) { text, argument, doc },
  SOL_OPTIONS (X)
#undef X
};

__attribute__ ((format (printf, 2, 3))) static sol_status_t usage (const sol_command_t *c, const char *fmt, ...)
{
  va_list ap;
  fprintf (stderr, "solera %s: ", c->name);
  va_start (ap, fmt);
  vfprintf (stderr, fmt, ap);
  va_end (ap);
  fprintf (stderr, "\nusage: solera %s %s\n", c->name, c->usage);
  return SOL_ERR_USAGE;
}

/* key=value if what stands before the first = could be a setting's name: a path may hold a = too */
static int is_override (const char *text)
{
  const size_t n = strspn (text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
  return n > 0 && text[n] == '=';
}

static sol_status_t unknown_option (const sol_command_t *c, const char *text)
{
  const char *near = NULL;
  int best = 4;
  for (int i = 0; i < SOL_N_OPTIONS; i++) {
    if (!(sol_command_options (c) & 1u << i)) continue;
    const int d = sol_edit_distance (text, sol_option_rows[i].text);
    if (d >= best) continue;
    best = d;
    near = sol_option_rows[i].text;
  }
  return usage (c, "unknown option '%s'%s%s%s", text, near ? "; the nearest is '" : "", near ? near : "", near ? "'" : "");
}

/* argv[*i] starts with a dash */
static sol_status_t take_option (const sol_command_t *c, int argc, char **argv, int *i, sol_options_t *o)
{
  const char *text = strcmp (argv[*i], "-h") == 0 ? "--help" : argv[*i];
  for (int k = 0; k < SOL_N_OPTIONS; k++) {
    const sol_option_row_t *row = &sol_option_rows[k];
    const size_t n = strlen (row->text);
    if (!(sol_command_options (c) & 1u << k) || strncmp (text, row->text, n) != 0 || (text[n] && text[n] != '=')) continue;
    if (!row->argument && text[n]) return usage (c, "%s takes no value, found '%s'", row->text, text + n + 1);
    o->given |= 1u << k;
    if (!row->argument) return SOL_OK;
    const char *value = text[n] ? text + n + 1 : *i + 1 < argc ? argv[++*i] : NULL;
    if (!value || !*value) return usage (c, "%s needs a value: %s %s", row->text, row->text, row->argument);
    o->value[k] = value;
    if (k == SOL_OPTION_INDEX_ROLE) o->role = value;
    if (k == SOL_OPTION_INDEX_DEVICE) o->device = value;
    if (k == SOL_OPTION_INDEX_GPUS) o->gpus = value;
    return SOL_OK;
  }
  return unknown_option (c, text);
}

static sol_status_t take_override (const sol_command_t *c, char *text, sol_options_t *o)
{
  if (!c->group) return usage (c, "this command takes no settings, found '%s'", text);
  o->overrides[o->n_overrides++] = text;
  return SOL_OK;
}

sol_status_t sol_options_parse (const sol_command_t *c, int argc, char **argv, sol_options_t *o)
{
  int rest = 0;
  *o = (sol_options_t) { 0 };
  o->args = sol_alloc ((size_t) argc * sizeof *o->args);
  o->overrides = sol_alloc ((size_t) argc * sizeof *o->overrides);
  for (int i = 1; i < argc; i++) {
    char *text = argv[i];
    if (!rest && strcmp (text, "--") == 0) rest = 1;
    else if (!rest && text[0] == '-' && text[1]) SOL_TRY (take_option (c, argc, argv, &i, o));
    else if (!rest && is_override (text)) SOL_TRY (take_override (c, text, o));
    else o->args[o->n_args++] = text;
  }
  if (o->given & SOL_OPTION_HELP) {
    sol_buffer_t b = { 0 };
    sol_help_command (c, &b);
    fputs (b.data, stdout);
    sol_buffer_free (&b);
    return SOL_END;
  }
  if (o->n_args < c->min_args) return usage (c, "an argument is missing");
  if (o->n_args > c->max_args) return usage (c, "unexpected argument '%s'", o->args[c->max_args]);
  if (o->role && strcmp (o->role, "actor") && strcmp (o->role, "broker") && strcmp (o->role, "learner"))
    return usage (c, "--role: expected actor, broker or learner, found '%s'", o->role);
  return SOL_OK;
}

void sol_options_free (sol_options_t *o)
{
  sol_free (o->args);
  sol_free (o->overrides);
  *o = (sol_options_t) { 0 };
}

unsigned sol_command_options (const sol_command_t *c) { return c->options | SOL_OPTION_HELP; }

int sol_exit_code (sol_status_t st)
{
  if (st == SOL_OK || st == SOL_END || st == SOL_STOPPED) return 0;
  return st == SOL_ERR_USAGE ? 2 : 1;
}
