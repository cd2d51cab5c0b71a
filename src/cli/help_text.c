/* SPDX-License-Identifier: Apache-2.0 */
#include "help_text.h"
#include "options.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

const char sol_help_what[] = "Solera trains language models by reinforcement learning on stale rollouts, over MPI.";
const char sol_help_exit[] = "Exit status: 0 done, or stopped on request; 1 failed; 2 wrong use; 75 a wait passed its deadline (watchdog_s).";
const char sol_help_settings_about[] = "A run is one YAML file of settings; key=value on the command line changes one. A dot in a name is a level of the file: staleness.k=8 is "
                                       "staleness: {k: 8}. Unknown and duplicate keys are errors.";

void sol_help_wrap (const char *text, int indent, sol_buffer_t *out)
{
  int column = 0;
  for (const char *at = text; *at;) {
    at += strspn (at, " \n");
    const int n = (int) strcspn (at, " \n");
    if (n == 0) break;
    if (column > 0 && column + 1 + n > 79) {
      sol_buffer_add (out, "\n", 1);
      column = 0;
    }
    if (column == 0) {
      sol_buffer_printf (out, "%*s", indent, "");
      column = indent;
    } else {
      sol_buffer_add (out, " ", 1);
      column++;
    }
    sol_buffer_add (out, at, (size_t) n);
    column += n;
    at += n;
  }
  sol_buffer_add (out, "\n", 1);
}

void sol_help_kind (const sol_setting_t *s, sol_buffer_t *out)
{
  static const char *const names[] = { [SOL_KIND_INT] = "integer", [SOL_KIND_FLOAT] = "number", [SOL_KIND_BOOL] = "true or false", [SOL_KIND_STRING] = "text", [SOL_KIND_LIST] = "texts" };
  if (s->kind != SOL_KIND_CHOICE) {
    sol_buffer_printf (out, "%s", names[s->kind]);
    return;
  }
  for (const char *at = s->choices; *at;) {
    const size_t n = strcspn (at, "|");
    sol_buffer_add (out, at, n);
    at += n;
    if (*at) sol_buffer_printf (out, "%s", strchr (++at, '|') ? ", " : " or ");
  }
}

void sol_help_bounds (const sol_setting_t *s, sol_buffer_t *out)
{
  if (s->kind == SOL_KIND_INT && s->imax == INT64_MAX) sol_buffer_printf (out, "at least %lld", (long long) s->imin);
  else if (s->kind == SOL_KIND_INT) sol_buffer_printf (out, "%lld to %lld", (long long) s->imin, (long long) s->imax);
  else if (s->kind == SOL_KIND_FLOAT) sol_buffer_printf (out, "%g to %g%s%s", s->min, s->max, isnan (s->def) && *s->unit ? " " : "", isnan (s->def) ? s->unit : ""); /* else the default shows the unit */
}

void sol_help_default (const sol_setting_t *s, sol_buffer_t *out)
{
  const char *at = s->choices;
  switch (s->kind) {
  case SOL_KIND_INT: sol_buffer_printf (out, "%lld", (long long) s->idef); break;
  case SOL_KIND_FLOAT:
    if (isnan (s->def)) {
      sol_buffer_printf (out, "auto");
      return;
    }
    sol_buffer_double (out, s->def);
    break;
  case SOL_KIND_BOOL: sol_buffer_printf (out, "%s", s->idef ? "true" : "false"); break;
  case SOL_KIND_STRING: sol_buffer_printf (out, "%s", *s->sdef ? s->sdef : "none"); break;
  case SOL_KIND_LIST: sol_buffer_printf (out, "none"); break;
  case SOL_KIND_CHOICE:
    for (int64_t i = 0; i < s->idef; i++) at += strcspn (at, "|") + 1;
    sol_buffer_add (out, at, strcspn (at, "|"));
  }
  if (*s->unit) sol_buffer_printf (out, " %s", s->unit);
}

const char *sol_help_section (const sol_setting_t *s, char *buf, size_t n)
{
  const char *dot = strchr (s->name, '.');
  snprintf (buf, n, "%.*s", dot ? (int) (dot - s->name) : 0, s->name);
  return buf;
}

/* by the letters of settings.h */
void sol_help_users (const sol_setting_t *s, sol_buffer_t *out)
{
  static const struct { char letter; const char *name; } users[] = { { 't', "train" }, { 's', "sft" }, { 'g', "generate" }, { 'e', "eval" }, { 'c', "score" }, { 'o', "objective" }, { 'v', "convert" } };
  int n = 0;
  for (size_t i = 0; i < sizeof users / sizeof *users; i++)
    if (strchr (s->groups, users[i].letter)) sol_buffer_printf (out, "%s%s", n++ ? ", " : "", users[i].name);
}
