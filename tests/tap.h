/* SPDX-License-Identifier: Apache-2.0 */
/* tap.h: the test framework for tests on one process: plan, ok, skip, done. Ends with a leak check of counted memory. */
#ifndef SOL_TAP_H
#define SOL_TAP_H
#include "solera/memory.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static int tap_n, tap_bad;

__attribute__ ((format (printf, 2, 3))) static inline void tap_ok (int good, const char *fmt, ...)
{
  va_list ap;
  va_start (ap, fmt);
  tap_n++;
  tap_bad += !good;
  printf ("%sok %d - ", good ? "" : "not ", tap_n);
  vprintf (fmt, ap);
  putchar ('\n');
  va_end (ap);
  fflush (stdout);
}
#define ok(cond) tap_ok (!!(cond), "%s", #cond)
/* stop the whole test: set-up that everything later needs has failed */
#define need(cond)                                                                                                     \
  do {                                                                                                                 \
    if (!(cond)) { tap_ok (0, "needed: %s", #cond); printf ("1..%d\n", tap_n); exit (1); }                             \
  } while (0)
static inline void tap_skip_all (const char *why)
{
  printf ("1..0 # SKIP %s\n", why);
  exit (0);
}
static inline int tap_done (void)
{
  tap_ok (sol_memory_used () == 0, "no counted memory is left (%zu bytes)", sol_memory_used ());
  printf ("1..%d\n", tap_n);
  return tap_bad != 0;
}
#endif
