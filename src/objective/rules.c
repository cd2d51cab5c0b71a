/* SPDX-License-Identifier: Apache-2.0 */
/* rules.c: the table of objectives, and what several of them are made of. */
#include "rules.h"
#include "solera/elementary.h"
#include <math.h>

const sol_rule_t *const sol_rules[] = {
#define X(name) &sol_rule_##name,
  SOL_RULES (X)
#undef X
};
const int sol_n_rules = sizeof sol_rules / sizeof *sol_rules;

const sol_term_t sol_term_masked = { 0, 0, SOL_VERDICT_MASKED };

double sol_rule_times (double w, double A) { return A == 0 ? 0 : w * A; }
static double log_of (double x) { return x > 0 ? sol_log_exact (x) : -INFINITY; }

void sol_rule_carry (sol_carried_t *c, double x)
{
  const double s = c->sum + x;
  c->error += fabs (c->sum) >= fabs (x) ? (c->sum - s) + x : (x - s) + c->sum;
  c->sum = s;
}

double sol_rule_sum (const float *x, int64_t n)
{
  sol_carried_t c = { 0, 0 };
  for (int64_t i = 0; i < n; i++) sol_rule_carry (&c, (double) x[i]);
  return c.sum + c.error;
}

void sol_rule_start_clip (sol_rule_input_t *in, double low, double high)
{
  in->low = low;
  in->high = high;
  in->log_low = log_of (low);
  in->log_high = log_of (high);
}
void sol_rule_start_eps (sol_rule_input_t *in) { sol_rule_start_clip (in, 1 - in->param[0], 1 + in->param[1]); }
void sol_rule_start_cap (sol_rule_input_t *in, double cap) { in->log_high = log_of (cap); }

sol_term_t sol_rule_clip (const sol_rule_input_t *in, double x, double A)
{
  double f;
  if (A > 0 && x > in->log_high) return (sol_term_t){ in->high * A, 0, SOL_VERDICT_HIGH };
  if (A < 0 && x < in->log_low) return (sol_term_t){ in->low * A, 0, SOL_VERDICT_LOW };
  f = sol_rule_times (sol_exp_exact (x), A);
  return (sol_term_t){ f, f, 0 };
}
sol_term_t sol_rule_clipped_token (const sol_rule_input_t *in) { return sol_rule_clip (in, in->d, in->A); }

sol_term_t sol_rule_ratio (const sol_rule_input_t *in)
{
  const double f = sol_rule_times (sol_exp_exact (in->d), in->A);
  return (sol_term_t){ f, f, 0 };
}

sol_term_t sol_rule_weighted (const sol_rule_input_t *in, double w, unsigned bits)
{
  const double g = sol_rule_times (w, in->A);
  return (sol_term_t){ g * (in->lp + in->d), g, bits };
}
sol_term_t sol_rule_capped (const sol_rule_input_t *in, double x, double cap)
{
  return x > in->log_high ? sol_rule_weighted (in, cap, SOL_VERDICT_HIGH) : sol_rule_weighted (in, sol_exp_exact (x), 0);
}
