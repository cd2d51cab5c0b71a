/* SPDX-License-Identifier: Apache-2.0 */
/* responses.h: every response of an evaluation as a JSON line, docs/evaluation.md. While it goes on, each rank appends the lines of a problem, all of them together, to a file of its own,
 * OUT/parts/NAME.RANK.jsonl; at the end they become OUT/responses.NAME.jsonl in the order of problems, the same bytes for any number of ranks. A kill leaves whole problems and at most one that is cut
 * off, which is asked again. Nothing is collective. */
#ifndef SOL_RESPONSES_H
#define SOL_RESPONSES_H
#include "solera/buffer.h"
#include "solera/status.h"
#include <stdint.h>

/* one response; texts are any bytes */
typedef struct {
  int64_t index, sample;  /* number of the problem in the evaluation, of the response to it */
  const char *id;         /* of the problem in its file; NULL: it has none, and gets that of the prompt */
  uint64_t prompt;        /* the task's identity of the problem */
  const sol_buffer_t *text, *extracted, *expected;
  const char *form, *finish; /* how the answer was found (sol_task_extract); "eos", "stop" or "length" */
  int correct;
  int64_t tokens;
  double logprob;         /* sum over its tokens, nats, of the distribution at the temperature of sampling */
} sol_response_t;
/* appends the line */
void sol_response_line (const sol_response_t *r, sol_buffer_t *out);

/* a rank's file of parts */
typedef struct { int fd; char *path; double synced_s; } sol_parts_t;
sol_status_t sol_parts_open (const char *out, const char *name, int rank, sol_parts_t *parts_p);
/* the lines of one problem; on the disk within a second of the next call, or at close */
sol_status_t sol_parts_put (sol_parts_t *parts, const sol_buffer_t *lines);
sol_status_t sol_parts_close (sol_parts_t *parts); /* also after an error; {0} or closed is fine */

/* what a line says that figures are made of */
typedef struct { uint64_t prompt; int64_t tokens; int correct, finish; /* 1 eos, 2 stop, 3 length; 0: it is not there */ } sol_response_mark_t;
/* Reads what is there of data set NAME: the parts, or, where there are none, the finished file. mark [problems][samples], zeroed by the caller. *done_p: problems that are whole; *finished_p (may be NULL): from the
 * finished file. What is cut off or no line of ours is taken off the end of a part, with a warning. */
sol_status_t sol_parts_read (const char *out, const char *name, int64_t problems, int64_t samples, sol_response_mark_t *mark, int64_t *done_p, int *finished_p);
/* makes OUT/responses.NAME.jsonl of the parts, which must have all problems */
sol_status_t sol_parts_join (const char *out, const char *name, int64_t problems, int64_t samples);
/* removes the parts of NAME; with_result: the finished file too */
sol_status_t sol_parts_remove (const char *out, const char *name, int with_result);
#endif
