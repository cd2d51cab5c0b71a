/* SPDX-License-Identifier: Apache-2.0 */
/* Names, parameters, settings. */
#include "solera/objective.h"
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

int main (void)
{
  const char *name, *doc;
  sol_objective_t *o = NULL;
  int n = 0, prox = 0, selects = 0;
  for (; (name = sol_objective_name (n, &doc)) != NULL; n++) {
    need (doc && *doc && sol_objective_create (name, &o) == SOL_OK);
    prox += sol_objective_needs_prox (o) != 0;
    selects += sol_objective_selects (o);
    sol_objective_destroy (o);
    o = NULL;
  }
  ok (n == 19 && prox == 1 && selects == 2 * SOL_SELECTS_MASK + SOL_SELECTS_BAND && !sol_objective_name (-1, NULL));
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
  char *a[] = { dapo, low }, *b[] = { dapo, high }, *c[] = { gspo, low, high }, *d[] = { dr, len }, *e[] = { wrong }, *f[] = { tau };
  o = from_settings (a, 2);
  ok (o && value_of (o, "eps_high") == 0.28 && value_of (o, "eps_low") == 0.2); /* a setting left alone leaves the objective's own */
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
  return tap_done ();
}
