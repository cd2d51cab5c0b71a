/* SPDX-License-Identifier: Apache-2.0 */
/* help_objectives.c: the table of objectives: what each is, where it is from, its parameters. */
#include "help_text.h"
#include "solera/log.h"
#include "solera/objective.h"

/* "tau (objective.tau, 0.04): bound of ..." */
static const char *param_text (const sol_objective_t *o, int i, sol_buffer_t *text)
{
  const char *doc, *name;
  double value;
  name = sol_objective_param (o, i, &value, &doc);
  if (!name) return NULL;
  sol_buffer_clear (text);
  sol_buffer_printf (text, "%s (%s, %g): %s", name, sol_objective_param_setting (o, i), value, doc);
  return text->data;
}

static void each (sol_buffer_t *out, void (*put) (const char *name, const char *doc, const char *paper, const sol_objective_t *o, sol_buffer_t *out))
{
  const char *name, *doc;
  for (int i = 0; (name = sol_objective_name (i, &doc)) != NULL; i++) {
    sol_objective_t *o = NULL;
    const sol_status_t st = sol_objective_create (name, &o);
    SOL_ASSERT (st == SOL_OK);
    put (name, doc, sol_objective_paper (i), o, out);
    sol_objective_destroy (o);
  }
}

static void terminal (const char *name, const char *doc, const char *paper, const sol_objective_t *o, sol_buffer_t *out)
{
  sol_buffer_t text = { 0 };
  sol_buffer_printf (out, "  %-15s %s\n      from %s\n", name, doc, paper);
  for (int i = 0; param_text (o, i, &text); i++) sol_help_wrap (text.data, 6, out);
  sol_buffer_free (&text);
}

void sol_help_objectives (sol_buffer_t *out)
{
  sol_help_wrap ("Objectives: objective.name of a run, NAME of solera objective, rules of solera rescore. Parameters with the setting of a run that gives them and the value that they have when that is auto.",
                 0, out);
  sol_buffer_printf (out, "\n");
  each (out, terminal);
}

static void manual (const char *name, const char *doc, const char *paper, const sol_objective_t *o, sol_buffer_t *out)
{
  sol_buffer_t text = { 0 };
  sol_buffer_printf (out, ".TP\n.B %s\n", name);
  sol_help_troff (doc, out);
  sol_buffer_printf (out, "\n(from ");
  sol_help_troff (paper, out);
  sol_buffer_printf (out, ")\n");
  for (int i = 0; param_text (o, i, &text); i++) {
    sol_buffer_printf (out, ".br\n");
    sol_help_troff (text.data, out);
    sol_buffer_printf (out, "\n");
  }
  sol_buffer_free (&text);
}

void sol_help_man_objectives (sol_buffer_t *out)
{
  sol_buffer_printf (out, ".SH OBJECTIVES\n");
  each (out, manual);
}
