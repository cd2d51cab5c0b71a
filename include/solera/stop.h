/* SPDX-License-Identifier: Apache-2.0 */
/* stop.h: SIGTERM, SIGINT and SIGUSR1 ask for a stop at the next safe point; a second signal of the kind TERM or INT ends at once. */
#ifndef SOL_STOP_H
#define SOL_STOP_H
void sol_stop_install (void);
int sol_stop_requested (void);         /* 0, or the number of the signal */
const char *sol_stop_name (int signo); /* "SIGTERM" */
void sol_stop_set (int signo);         /* another rank told us */
#endif
