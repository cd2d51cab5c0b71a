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
  if (doc_p) *doc_p = sol_rules[i]->doc;
  return sol_rules[i]->name;
}

const char *sol_objective_paper (int i) { return i < 0 || i >= sol_n_rules ? NULL : sol_rules[i]->paper; }

sol_status_t sol_objective_create (const char *name, sol_objective_t **objective_p)
{
  const char *near = NULL;
  int best = 4;
  for (int i = 0; i < sol_n_rules; i++) {
    const int far = sol_edit_distance (name, sol_rules[i]->name);
    if (far == 0) {
      sol_objective_t *o = sol_alloc (sizeof *o);
      o->rule = sol_rules[i];
      for (int k = 0; k < SOL_RULE_PARAMS; k++) o->param[k] = o->rule->param[k].def;
      *objective_p = o;
      return SOL_OK;
    }
    if (far < best) {
      best = far;
      near = sol_rules[i]->name;
    }
  }
  if (near) return sol_fail (SOL_ERR_USAGE, "objective", "there is no objective \"%s\"; the nearest is %s", name, near);
  return sol_fail (SOL_ERR_USAGE, "objective", "there is no objective \"%s\"; solera help objectives lists them", name);
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

const char *sol_objective_param_setting (const sol_objective_t *o, int i) { return i < 0 || i >= SOL_RULE_PARAMS ? NULL : o->rule->param[i].setting; }

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
    if (strcmp (param, p->name) != 0 && strcmp (param, p->setting) != 0) continue;
    if (isnan (value)) value = p->def;
    if (!(value >= p->min && value <= p->max)) return sol_fail (SOL_ERR_USAGE, "objective", "%s: %s: expected %g to %g, found %g", o->rule->name, p->name, p->min, p->max, value);
    o->param[i] = value;
    return SOL_OK;
  }
  return sol_fail (SOL_ERR_USAGE, "objective", "%s has no parameter \"%s\"; %s", o->rule->name, param, names_of (o->rule, text, sizeof text));
}

static const sol_rule_param_t *param_of (const sol_rule_t *r, const char *setting)
{
  for (int i = 0; i < SOL_RULE_PARAMS && r->param[i].name; i++)
    if (strcmp (r->param[i].setting, setting) == 0) return &r->param[i];
  return NULL;
}

/* the settings of a run that an objective has, for errors */
static const char *settings_of (const sol_rule_t *r, char *text, size_t room)
{
  size_t at = 0;
  for (int i = 0; i < SOL_RULE_PARAMS && r->param[i].name && at < room; i++) at += (size_t) snprintf (text + at, room - at, "%s%s", i ? ", " : "it has ", r->param[i].setting);
  return at ? text : "it has none";
}

static const char *where (const sol_config_t *config, const sol_setting_t *s)
{
  const char *at = sol_config_where (config, s);
  return at ? at : "settings";
}

/* one setting that is not auto; what the whole table forbids is refused where settings are read */
static sol_status_t set_from (sol_objective_t *o, const sol_config_t *config, const sol_setting_t *s, double value)
{
  char text[160];
  const sol_rule_param_t *p = param_of (o->rule, s->name);
  if (!p)
    return sol_fail (SOL_ERR_USAGE, "objective", "%s: %s: objective.name is %s, which has no such parameter; %s", where (config, s), s->name, o->rule->name,
                     settings_of (o->rule, text, sizeof text));
  if (!(value >= p->min && value <= p->max))
    return sol_fail (SOL_ERR_USAGE, "objective", "%s: %s: for %s expected a number from %g to %g, found %g", where (config, s), s->name, o->rule->name, p->min, p->max, value);
  o->param[p - o->rule->param] = value;
  return SOL_OK;
}

/* objective.* numbers are parameters of objectives: the table has no others */
static int is_param (const sol_setting_t *s) { return s->kind == SOL_KIND_FLOAT && strncmp (s->name, "objective.", 10) == 0; }

static sol_status_t set_all (sol_objective_t *o, const sol_config_t *config)
{
  int n;
  const sol_setting_t *s = sol_settings (&n);
  for (int i = 0; i < n; i++) {
    const char *at = (const char *) config + s[i].offset;
    if (is_param (&s[i]) && !isnan (*(const double *) (const void *) at)) SOL_TRY (set_from (o, config, &s[i], *(const double *) (const void *) at));
    if (s[i].kind == SOL_KIND_INT && param_of (o->rule, s[i].name)) SOL_TRY (set_from (o, config, &s[i], (double) *(const int64_t *) (const void *) at));
  }
  if (!o->rule->band || o->param[0] <= o->param[1]) return SOL_OK;
  const sol_setting_t *low = sol_setting_find (o->rule->param[0].setting), *high = sol_setting_find (o->rule->param[1].setting);
  const char *at[2] = { sol_config_where (config, low), sol_config_where (config, high) };
  return sol_fail (SOL_ERR_USAGE, "objective", "%s is %g (%s), but %s is %g (%s): every token would be masked", low->name, o->param[0], at[0] ? at[0] : "default", high->name, o->param[1],
                   at[1] ? at[1] : "default");
}

sol_status_t sol_objective_create_config (const sol_config_t *config, sol_objective_t **objective_p)
{
  sol_objective_t *o = NULL;
  SOL_TRY (sol_objective_create (config->objective, &o));
  const sol_status_t st = set_all (o, config);
  if (st == SOL_OK) *objective_p = o;
  else sol_objective_destroy (o);
  return st;
}

sol_status_t sol_objective_resolve (sol_config_t *config)
{
  sol_objective_t *o = NULL;
  SOL_TRY (sol_objective_create_config (config, &o));
  for (int i = 0; i < SOL_RULE_PARAMS && o->rule->param[i].name; i++) {
    const sol_setting_t *s = sol_setting_find (o->rule->param[i].setting);
    if (is_param (s)) *(double *) (void *) ((char *) config + s->offset) = o->param[i];
  }
  sol_objective_destroy (o);
  return SOL_OK;
}

sol_status_t sol_objective_check (const sol_objective_t *o)
{
  const sol_rule_t *r = o->rule;
  if (!r->band || o->param[0] <= o->param[1]) return SOL_OK;
  return sol_fail (SOL_ERR_USAGE, "objective", "%s: %s is %g, but %s is %g: every token would be masked", r->name, r->param[0].name, o->param[0], r->param[1].name, o->param[1]);
}

int sol_objective_needs_prox (const sol_objective_t *o) { return o->rule->needs_prox; }

int sol_objective_selects (const sol_objective_t *o)
{
  return o->rule->select == SOL_SELECT_NONE ? 0 : o->rule->select == SOL_SELECT_CAP_T ? SOL_SELECTS_BAND : SOL_SELECTS_MASK;
}
