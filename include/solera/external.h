/* SPDX-License-Identifier: Apache-2.0 */
/* external.h: a program of the user that grades responses (docs/verifier.md has the protocol). It is started once, when the first question comes: one JSON object a line to its standard
 * input, one a line from its standard output, matched by id, so answers may come in any order. Both directions and its standard error are served by one poll: a program that does not read
 * or does not write stops nobody for longer than its time. Nothing is collective. */
#ifndef SOL_EXTERNAL_H
#define SOL_EXTERNAL_H
#include "solera/buffer.h"
#include "solera/status.h"
#include <stdint.h>
#include <sys/types.h>

#define SOL_EXTERNAL_ARG "--verifier-command"
#define SOL_EXTERNAL_LINE (1u << 20) /* bytes of an answer's line, at most */
#define SOL_EXTERNAL_MUTE 16         /* questions without an answer, one after the other, that end a run */

typedef struct sol_external sol_external_t;
typedef struct { /* texts are UTF-8 and zero-terminated, and not kept */
  const char *data;                      /* name of the data set; NULL: none */
  const char *prompt, *response, *answer; /* what the model was given, what it wrote, the reference; prompt may be NULL */
  int cut;                               /* the response was cut off at a length limit */
  const char *row;                       /* a JSON object on one line, written as it stands: the problem's line of its file; NULL: none */
} sol_external_question_t;
typedef struct {
  double reward; /* from -1 to 1; 0 where stopped */
  int correct;   /* "verdict", or, without it, reward is 1 */
  int stopped;   /* no answer in time: the question is answered no */
  int restarts;  /* how often the program was started again for it */
  sol_buffer_t note; /* what the program said of it; the caller's to free */
} sol_external_answer_t;
typedef struct { int64_t answered, timeouts, deaths, malformed, starts; } sol_external_counts_t;

/* command: program, looked up in PATH, and its arguments, NULL at its end; copied. No shell. limit_s: from one answer to the next (the first: from the question); start_s: added for the
 * first answer after a start. tries: that many deaths or malformed answers in a row, without an answer between, are an error. */
sol_external_t *sol_external_new (char *const *command, double limit_s, double start_s, int tries);
void sol_external_free (sol_external_t *x); /* kills the program and what it started; NULL is fine */
/* Asks n questions at once. Dies the program, or answers it something else than an answer, then it is started again and asked what is left, one question at a time, so the answers are
 * the same as without it; SOL_ERR_IO, with its command, its end and its last line on standard error: it died `tries` times in a row, or cannot be started. A question of which it does
 * not say anything in time when asked alone is answered no (stopped); SOL_ERR_TIMEOUT: SOL_EXTERNAL_MUTE in a row, or `tries` before the first answer of all. answers[n]: {0} before; notes are
 * written over. Several threads may ask: they take turns. Linux kills the program when the thread that started it ends. */
sol_status_t sol_external_ask (sol_external_t *x, const sol_external_question_t *questions, int n, sol_external_answer_t *answers);
sol_external_counts_t sol_external_counts (sol_external_t *x);
pid_t sol_external_pid (const sol_external_t *x); /* of the program; 0: none */

/* Near the start of main in a program that asks: the command is started through the program itself, which sees to it that it dies with it. Returns the exit status if this is such a
 * start that went wrong; else -1. */
int sol_external_main (int argc, char **argv);
#endif
