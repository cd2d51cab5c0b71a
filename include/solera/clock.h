/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h: monotonic seconds since the process started, wall time as text, and polite waiting. */
#ifndef SOL_CLOCK_H
#define SOL_CLOCK_H
#include <stddef.h>
double sol_clock_s (void);
/* "2026-03-01T12:34:56Z" into buf (>= 21 bytes) */
void sol_clock_iso (char *buf, size_t n);
/* one polite turn of a polling loop: yields the core for the first turns, then sleeps up to 200 us.
 * *turns counts; set it to 0 when there was progress. */
void sol_clock_idle (unsigned *turns);
#endif
