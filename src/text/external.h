/* SPDX-License-Identifier: Apache-2.0 */
/* external.h: the life of the program that grades (external_life.c) and the talk with it (external.c) */
#ifndef SOL_TEXT_EXTERNAL_H
#define SOL_TEXT_EXTERNAL_H
#include "solera/external.h"
#include <pthread.h>

struct sol_external {
  pthread_mutex_t lock;
  char **command;
  double limit_s, start_s;
  int tries;
  pid_t pid; /* 0: none */
  int to, from, errors; /* its standard input, output and error, ours without waiting; -1: closed */
  int fresh;            /* no answer yet since its start */
  int deaths, mutes;    /* in a row */
  int64_t next_id;
  sol_buffer_t questions, received, words; /* words: the end of what it said on standard error */
  size_t sent;
  sol_external_counts_t count;
};

/* starts it if it does not run, after a pause that grows with the deaths in a row */
sol_status_t sol_external_start (sol_external_t *x);
/* kills what is left of it and says in what (room SOL_EXTERNAL_WHAT) how it ended; waits a moment for an end of its own if it has closed its output */
#define SOL_EXTERNAL_WHAT 512
void sol_external_end (sol_external_t *x, int closed, char *what);
/* reads what it says on standard error */
void sol_external_listen (sol_external_t *x);
/* the command as text */
void sol_external_name (const sol_external_t *x, sol_buffer_t *out);
/* the last line on standard error, as a JSON string; "nothing" */
void sol_external_words (const sol_external_t *x, sol_buffer_t *out);
#endif
