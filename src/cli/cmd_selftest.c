/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/backend.h"
#include "solera/clock.h"
#include "solera/command.h"
#include "solera/log.h"
#include "solera/selftest.h"
#include <stdio.h>
#include <string.h>

extern const sol_command_t sol_command_selftest;

static void say_op (void *ctx, const sol_op_seen_t *s)
{
  (void) ctx;
  if (s->worst > 0) printf ("  %-20s %5lld calls, error at most %5.1f %% of what is tolerated\n", s->op, (long long) s->calls, 100 * s->worst);
  else printf ("  %-20s %5lld calls, exact\n", s->op, (long long) s->calls);
}

static sol_status_t test (const char *name)
{
  const double t0 = sol_clock_s ();
  printf ("%s\n", name);
  fflush (stdout);
  SOL_TRY (sol_selftest (name, say_op, NULL));
  printf ("  passed in %.1f s\n", sol_clock_s () - t0);
  return SOL_OK;
}

/* without a name: every backend that can run here, but plain loops themselves */
static sol_status_t test_all (void)
{
  const char *name;
  char why[512];
  sol_status_t st = SOL_OK;
  for (int i = 0, can; (can = sol_backend_probe (i, &name, why, sizeof why)) >= 0; i++) {
    if (!strcmp (name, "ref")) continue;
    if (!can) printf ("%s\n  skipped: %s\n", name, why);
    else {
      const sol_status_t one = test (name);
      if (one != SOL_OK) st = one;
    }
  }
  return st;
}

static int run (int argc, char **argv)
{
  sol_options_t o;
  sol_status_t st = sol_options_parse (&sol_command_selftest, argc, argv, &o);
  if (st == SOL_OK) st = o.n_args ? test (o.args[0]) : test_all ();
  if (fflush (stdout) != 0 && st == SOL_OK) st = sol_fail (SOL_ERR_IO, "selftest", "cannot write to standard output");
  sol_options_free (&o);
  return sol_exit_code (st);
}

const sol_command_t sol_command_selftest = { .name = "selftest",
                                             .line = "check every op of a backend against plain loops",
                                             .usage = "[BACKEND]",
                                             .about = "Two small models train one step and decode on the backend (cpu, cuda, emu, ptx; without a name on each that can run here), every op beside plain loops on the same "
                                                      "operands. Prints, per op, the largest error in parts of what is tolerated; an op that is further off ends it with its name, the place and both values. "
                                                      "Training on a CUDA device runs this at its start.",
                                             .max_args = 1,
                                             .run = run };
