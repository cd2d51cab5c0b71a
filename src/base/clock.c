/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/clock.h"
#include <sched.h>
#include <time.h>

static double now_s (void)
{
  struct timespec t;
  clock_gettime (CLOCK_MONOTONIC, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static double start_s;
__attribute__ ((constructor)) static void clock_start (void) { start_s = now_s (); }

double sol_clock_s (void) { return now_s () - start_s; }

void sol_clock_iso (char *buf, size_t n)
{
  const time_t t = time (NULL);
  struct tm tm;
  gmtime_r (&t, &tm);
  if (strftime (buf, n, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0 && n) buf[0] = 0;
}

/* software RMA progresses only while its target is inside MPI: sleeping longer than 200 us makes others crawl */
void sol_clock_idle (unsigned *turns)
{
  const unsigned n = (*turns)++;
  if (n < 64) {
    sched_yield ();
    return;
  }
  const unsigned step = n - 63 < 20 ? n - 63 : 20;
  const struct timespec t = { 0, 10000L * (long) step };
  nanosleep (&t, NULL);
  if (*turns > 1000000) *turns = 1000; /* never wraps to the yielding turns */
}
