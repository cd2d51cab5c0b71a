/* SPDX-License-Identifier: Apache-2.0 */
/* grader.h: comparing answers in a process of its own, which can be killed. Plain answers are compared at once (sol_answer_quick: bounded by construction); all others go to a child:
 * this program started again by posix_spawn with SOL_GRADER_ARG, without the environment of MPI, never a fork, so it may be started before or after MPI_Init. The child has a limit of
 * memory and the parent a limit of time; one that passes a limit or dies is killed, its question is answered no and counted, and the next question starts another. Nothing is collective. */
#ifndef SOL_GRADER_H
#define SOL_GRADER_H
#include "solera/status.h"
#include "solera/verify.h"
#include <stdint.h>
#include <sys/types.h>

#define SOL_GRADER_ARG "--answer-child"
#define SOL_GRADER_MEMORY (256u << 20) /* bytes of data a child may have */

typedef struct sol_grader sol_grader_t;
typedef struct { int64_t quick, slow, timeouts, deaths, starts; } sol_grader_counts_t; /* questions; killed at the limit of time; died by themselves; children started */

/* program: started for a child; NULL: this program, if it can be one (sol_grader_main). limit_s: time for one question. No child is started before the first question that needs one. */
sol_grader_t *sol_grader_new (const char *program, double limit_s);
void sol_grader_free (sol_grader_t *g); /* ends the child; NULL is fine */
/* 1: equal for certain. *stopped_p (may be NULL): the child passed a limit or died. Several threads may ask: they take turns. Where no child can be started, which is said once, the
 * question is answered in this process: work, memory and depth are bounded there too. */
int sol_grader_equal (sol_grader_t *g, const char *prediction, const char *gold, int *stopped_p);
/* takes the answer out and compares it by the mode's rules; extracted (not NULL) gets the text that was compared */
int sol_grader_check (sol_grader_t *g, const char *prediction, const char *gold, sol_answer_form_t form, sol_verify_mode_t mode, sol_buffer_t *extracted, int *stopped_p);
sol_grader_counts_t sol_grader_counts (sol_grader_t *g);
pid_t sol_grader_pid (const sol_grader_t *g); /* of the child; 0: none */

/* The first thing of main in a program that can be its own child. Of a child (SOL_GRADER_ARG): answers questions on file descriptor 0 by equal until the other side closes it, and
 * returns the exit status. Else -1, and from now on program NULL means this program; where it was never called, graders without a program compare in the process. */
int sol_grader_main (int argc, char **argv, int (*equal) (const char *prediction, const char *gold));
#endif
