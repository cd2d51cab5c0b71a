/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h: every wait has an owner, a reason and a deadline. A thread of each rank writes a line into DIR/NAME (a folder that all
 * ranks see) every half second: who it is, what it does or waits for, how long ago it last made progress. When no rank of the job has made
 * progress for limit_s, or one rank's line has not changed for limit_s (a stopped or dead process), the rank that sees it first prints the table of
 * who waits for whom on standard error and calls the abort function. A gap in the thread's own clock (a suspended job) starts the count anew.
 * No MPI: it works while MPI is stuck. */
#ifndef SOL_WATCH_H
#define SOL_WATCH_H
#include "solera/status.h"
/* limit_s <= 0: no watching, all calls are no-ops. dir is made. n_ranks lines are expected (rank = my number). abort_fn must not return. */
sol_status_t sol_watch_start (const char *dir, int rank, int n_ranks, double limit_s, void (*abort_fn) (void));
#define SOL_WATCH_EXIT 75 /* exit status of ranks that follow one that gave up */
/* this rank gives up and has said why: the others end by themselves, without waiting for the launcher */
void sol_watch_trip (void);
void sol_watch_end (void); /* removes my file; rank 0 removes the folder when it is empty */
/* progress was made (cheap: one atomic store; call it inside long generation and backward passes) */
void sol_watch_beat (const char *doing);
/* I am waiting; whom and what for, e.g. ("broker.0", "batch 17"). Static or long-lived strings are not needed: copied. Cheap when unchanged. */
void sol_watch_wait (const char *whom, const char *fmt, ...) __attribute__ ((format (printf, 2, 3)));
#endif
