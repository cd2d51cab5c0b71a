/* SPDX-License-Identifier: Apache-2.0 */
/* objective.c: objectives by name and their parameters. */
#include "objective_internal.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

const char *sol_objective_name (int i, const char **doc_p)
{
  if (i < 0 || i >= sol_n_rules) return NULL;
  if (doc_p) *doc_p = sol_rules[i].doc;
  return sol_rules[i].name;
}

sol_status_t sol_objective_create (const char *name, sol_objective_t **objective_p)
{
  const char *near = NULL;
  int best = 4;
  for (int i = 0; i < sol_n_rules; i++) {
    const int far = sol_edit_distance (name, sol_rules[i].name);
    if (far == 0) {
      sol_objective_t *o = sol_alloc (sizeof *o);
      o->rule = &sol_rules[i];
      for (int k = 0; k < SOL_RULE_PARAMS; k++) o->param[k] = o->rule->param[k].def;
      *objective_p = o;
      return SOL_OK;
    }
    if (far < best) {
      best = far;
      near = sol_rules[i].name;
    }
  }
  if (near) return sol_fail (SOL_ERR_USAGE, "objective", "there is no objective \"%s\"; the nearest is %s", name, near);
  return sol_fail (SOL_ERR_USAGE, "objective", "there is no objective \"%s\"; solera help objective lists them", name);
}

void sol_objective_destroy (sol_objective_t *o)
{
  if (!o) return;
  sol_free (o->key);
  sol_free (o->removed);
  sol_free (o->verdict);
  sol_free (o->c);
  sol_free (o);
}

const char *sol_objective_param (const sol_objective_t *o, int i, double *value_p, const char **doc_p)
{
  if (i < 0 || i >= SOL_RULE_PARAMS || !o->rule->param[i].name) return NULL;
  if (value_p) *value_p = o->param[i];
  if (doc_p) *doc_p = o->rule->param[i].doc;
  return o->rule->param[i].name;
}

/* the names of its parameters, for errors */
static const char *names_of (const sol_rule_t *r, char *text, size_t room)
{
  size_t at = 0;
  if (!r->param[0].name) return "it has none";
  for (int i = 0; i < SOL_RULE_PARAMS && r->param[i].name && at < room; i++) at += (size_t) snprintf (text + at, room - at, "%s%s", i ? ", " : "it has ", r->param[i].name);
  return text;
}

sol_status_t sol_objective_set (sol_objective_t *o, const char *param, double value)
{
  char text[128];
  for (int i = 0; i < SOL_RULE_PARAMS && o->rule->param[i].name; i++) {
    const sol_rule_param_t *p = &o->rule->param[i];
    if (strcmp (param, p->name) != 0 && !(p->setting && strcmp (param, p->setting) == 0)) continue;
    if (isnan (value)) value = p->def;
    if (!(value >= p->min && value <= p->max)) return sol_fail (SOL_ERR_USAGE, "objective", "%s: %s: expected %g to %g, found %g", o->rule->name, p->name, p->min, p->max, value);
    o->param[i] = value;
    return SOL_OK;
  }
  return sol_fail (SOL_ERR_USAGE, "objective", "%s has no parameter \"%s\"; %s", o->rule->name, param, names_of (o->rule, text, sizeof text));
}

sol_status_t sol_objective_create_config (const sol_config_t *config, sol_objective_t **objective_p)
{
  sol_objective_t *o = NULL;
  SOL_TRY (sol_objective_create (config->objective, &o));
  for (int i = 0; i < SOL_RULE_PARAMS && o->rule->param[i].name; i++) {
    const sol_rule_param_t *p = &o->rule->param[i];
    const sol_setting_t *s = p->setting ? sol_setting_find (p->setting) : NULL;
    const char *at = s ? (const char *) config + s->offset : NULL;
    sol_status_t st = SOL_OK;
    SOL_ASSERT (!p->setting || s);
    /* a setting left at its default leaves the objective's own */
    if (s && s->kind == SOL_KIND_FLOAT && *(const double *) at != s->def) st = sol_objective_set (o, p->name, *(const double *) at);
    if (s && s->kind == SOL_KIND_INT) st = sol_objective_set (o, p->name, (double) *(const int64_t *) at);
    if (st != SOL_OK) {
      sol_objective_destroy (o);
      return st;
    }
  }
  *objective_p = o;
  return SOL_OK;
}

int sol_objective_needs_prox (const sol_objective_t *o) { return o->rule->needs_prox; }

int sol_objective_selects (const sol_objective_t *o)
{
  return o->rule->select == SOL_SELECT_NONE ? 0 : o->rule->select == SOL_SELECT_CAP_T ? SOL_SELECTS_BAND : SOL_SELECTS_MASK;
}
