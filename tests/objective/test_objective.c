/* SPDX-License-Identifier: Apache-2.0 */
/* Names, parameters, settings. */
#include "../../src/objective/rules.h"
#include "solera/file.h"
#include "solera/log.h"
#include "../tap.h"
#include <math.h>
#include <string.h>

static double value_of (const sol_objective_t *o, const char *name)
{
  const char *have, *doc;
  double x;
  for (int i = 0; (have = sol_objective_param (o, i, &x, &doc)) != NULL; i++)
    if (!strcmp (have, name)) return doc && *doc ? x : NAN;
  return NAN;
}

static sol_objective_t *from_settings (char **set, int n)
{
  sol_config_t *c = NULL;
  sol_objective_t *o = NULL;
  need (sol_config_load (NULL, set, n, NULL, &c) == SOL_OK);
  if (sol_objective_create_config (c, &o) != SOL_OK) o = NULL;
  sol_config_destroy (c);
  return o;
}

static char log_path[300];
/* refused, and the log says all parts */
static void refused (const char *what, const char *yaml, char **set, int n, const char *const *parts)
{
  sol_config_t *c = NULL;
  sol_objective_t *o = NULL;
  char *text = NULL, path[300];
  size_t bytes;
  snprintf (path, sizeof path, "%s/run.yaml", getenv ("TEST_TMPDIR") ? getenv ("TEST_TMPDIR") : "/tmp");
  snprintf (log_path, sizeof log_path, "%s/log", getenv ("TEST_TMPDIR") ? getenv ("TEST_TMPDIR") : "/tmp");
  remove (log_path);
  if (yaml) need (sol_file_write (path, yaml, strlen (yaml)) == SOL_OK);
  need (sol_config_load (yaml ? path : NULL, set, n, NULL, &c) == SOL_OK);
  sol_log_file (log_path);
  int good = sol_objective_create_config (c, &o) == SOL_ERR_USAGE && !o && sol_objective_resolve (c) == SOL_ERR_USAGE;
  sol_log_file (NULL);
  need (sol_file_read (log_path, 0, &text, &bytes) == SOL_OK);
  for (; *parts; parts++)
    if (!strstr (text, *parts)) good = 0, fprintf (stderr, "lacks: %s\n%s", *parts, text);
  tap_ok (good, "%s", what);
  sol_free (text);
  sol_config_destroy (c);
}
#define ARG(s) ((char[]){ s })
#define REFUSED(what, yaml, set, n, ...) refused (what, yaml, set, n, (const char *const[]){ __VA_ARGS__, NULL })

static void test_refused (void)
{
  char *cap[] = { ARG ("objective.name=grpo"), ARG ("objective.cap=2") }, *band[] = { ARG ("objective.name=icepop"), ARG ("objective.low=7") };
  REFUSED ("not a parameter of this objective", "seed: 1\nobjective:\n  name: grpo\n  tau: 0.04\n", NULL, 0, "run.yaml:4: objective.tau", "objective.name is grpo", "objective.clip_low, objective.clip_high");
  REFUSED ("the same on the command line", NULL, cap, 2, "argument 'objective.cap=2'", "objective.name is grpo");
  REFUSED ("an objective without any", "objective: {name: topr, delta: 0.5}\n", NULL, 0, "run.yaml:1: objective.delta", "it has none");
  REFUSED ("out of this objective's bounds", "objective:\n  name: icepop\n  high: 0\n", NULL, 0, "run.yaml:3: objective.high", "icepop expected a number from 1e-30 to 1e+30, found 0");
  REFUSED ("a band that is none", NULL, band, 2, "objective.low is 7 (command line", "objective.high is 5 (default)");
}

/* every parameter has a setting: auto by default, whose bounds hold the objective's, and whose help names the objective's own default */
static void test_settings (void)
{
  const char *name, *param;
  char text[32], set[80], number[64];
  int params = 0, resolved = 0, wins = 0, good = 1;
  for (int i = 0; (name = sol_objective_name (i, NULL)) != NULL; i++) {
    sol_objective_t *own = NULL;
    double x, y;
    snprintf (set, sizeof set, "objective.name=%s", name);
    need (sol_objective_create (name, &own) == SOL_OK);
    for (int k = 0; (param = sol_objective_param (own, k, &x, NULL)) != NULL; k++) {
      const sol_rule_param_t *row = &sol_rules[i]->param[k];
      const sol_setting_t *s = sol_setting_find (row->setting);
      need (s != NULL);
      if (s->kind == SOL_KIND_INT) continue;
      params++;
      snprintf (text, sizeof text, "%g", row->def);
      if (!isnan (s->def) || !(s->min <= row->min && s->max >= row->max) || !strstr (s->doc, name[0] == 'm' && name[1] == '2' ? "m2po" : name) || !strstr (s->doc, text))
        if (strcmp (row->setting, "objective.clip_high")) good = 0, fprintf (stderr, "%s of %s: see settings.h\n", row->setting, name); /* "the same, over" */
      sol_config_t *c = NULL, *back = NULL;
      sol_buffer_t yaml = { 0 };
      char *args[] = { set, number };
      need (sol_config_load (NULL, args, 1, NULL, &c) == SOL_OK && sol_objective_resolve (c) == SOL_OK);
      const double *field = (const double *) (const void *) ((const char *) c + s->offset);
      resolved += *field == x;
      sol_config_text (c, &yaml);
      need (sol_config_parse (yaml.data, yaml.bytes, "resolved", NULL, &back) == SOL_OK && sol_objective_resolve (back) == SOL_OK && !sol_config_resume_conflict (c, back)); /* a run's settings.yaml as input */
      sol_config_destroy (c);
      sol_config_destroy (back);
      sol_buffer_free (&yaml);
      /* 0.2, dapo's neighbours' default, wins as any other value does */
      snprintf (number, sizeof number, "%s=%g", row->setting, 0.2);
      if (x == 0.2) snprintf (number, sizeof number, "%s=%g", row->setting, 0.28);
      if (!strcmp (param, "low") || !strcmp (param, "high")) snprintf (number, sizeof number, "%s=%g", row->setting, x * 1.25);
      sol_objective_t *o = from_settings (args, 2);
      need (o && sol_objective_param (o, k, &y, NULL));
      wins += y != x && y == strtod (strchr (number, '=') + 1, NULL);
      sol_objective_destroy (o);
    }
    sol_objective_destroy (own);
  }
  tap_ok (good && params == 33, "every parameter has its setting (%d)", params);
  tap_ok (resolved == params, "resolved settings are the objective's defaults (%d)", resolved);
  tap_ok (wins == params, "a setting wins over the objective's default (%d)", wins);
}

int main (void)
{
  const char *name, *doc;
  sol_objective_t *o = NULL;
  int n = 0, prox = 0, selects = 0;
  for (; (name = sol_objective_name (n, &doc)) != NULL; n++) {
    const char *paper = sol_objective_paper (n);
    need (doc && *doc && paper && *paper && sol_objective_create (name, &o) == SOL_OK);
    prox += sol_objective_needs_prox (o) != 0;
    selects += sol_objective_selects (o);
    sol_objective_destroy (o);
    o = NULL;
  }
  ok (n == 21 && prox == 1 && selects == 4 * SOL_SELECTS_MASK + SOL_SELECTS_BAND && !sol_objective_name (-1, NULL));
  ok (sol_objective_create ("grpp", &o) == SOL_ERR_USAGE && !o && sol_objective_create ("", &o) == SOL_ERR_USAGE);
  need (sol_objective_create ("dr_grpo", &o) == SOL_OK);
  ok (value_of (o, "eps_low") == 0.2 && value_of (o, "max_length") == 64);
  ok (sol_objective_set (o, "eps_low", 0.1) == SOL_OK && value_of (o, "eps_low") == 0.1);
  ok (sol_objective_set (o, "objective.clip_low", 0.3) == SOL_OK && value_of (o, "eps_low") == 0.3);
  ok (sol_objective_set (o, "eps_low", NAN) == SOL_OK && value_of (o, "eps_low") == 0.2);
  ok (sol_objective_set (o, "eps_low", 1.5) == SOL_ERR_USAGE && sol_objective_set (o, "eps_high", -0.1) == SOL_ERR_USAGE && sol_objective_set (o, "eps_high", INFINITY) == SOL_ERR_USAGE);
  ok (sol_objective_set (o, "tau", 0.1) == SOL_ERR_USAGE && sol_objective_set (o, "", 0.1) == SOL_ERR_USAGE && value_of (o, "eps_low") == 0.2);
  sol_objective_destroy (o);

  static char dapo[] = "objective.name=dapo", high[] = "objective.clip_high=0.25", gspo[] = "objective.name=gspo", low[] = "objective.gspo_low=0.01", dr[] = "objective.name=dr_grpo", len[] = "rollout.max_tokens=7";
  static char wrong[] = "objective.name=m2", tau[] = "objective.tau=0.5";
  static char same[] = "objective.clip_high=0.2", automatic[] = "objective.clip_high=auto", gspo_high[] = "objective.gspo_high=4e-4";
  char *a[] = { dapo, automatic }, *g[] = { dapo, same }, *b[] = { dapo, high }, *c[] = { gspo, low, gspo_high }, *d[] = { dr, len }, *e[] = { wrong }, *f[] = { tau };
  o = from_settings (a, 2);
  ok (o && value_of (o, "eps_high") == 0.28 && value_of (o, "eps_low") == 0.2); /* a setting left alone leaves the objective's own */
  sol_objective_destroy (o);
  o = from_settings (g, 2);
  ok (o && value_of (o, "eps_high") == 0.2); /* grpo's default, yet it was asked for */
  sol_objective_destroy (o);
  o = from_settings (b, 2);
  ok (o && value_of (o, "eps_high") == 0.25);
  sol_objective_destroy (o);
  o = from_settings (c, 3);
  ok (o && value_of (o, "eps_low") == 0.01 && value_of (o, "eps_high") == 4e-4);
  sol_objective_destroy (o);
  o = from_settings (d, 2);
  ok (o && value_of (o, "max_length") == 7);
  sol_objective_destroy (o);
  o = from_settings (f, 1);
  ok (o && value_of (o, "tau") == 0.5);
  sol_objective_destroy (o);
  ok (from_settings (e, 1) == NULL);
  test_refused ();
  test_settings ();
  return tap_done ();
}
