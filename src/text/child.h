/* SPDX-License-Identifier: Apache-2.0 */
/* child.h: starting the programs that grade (grader.c, external.c) */
#ifndef SOL_TEXT_CHILD_H
#define SOL_TEXT_CHILD_H
#include <sys/types.h>

/* Starts a program by posix_spawn, never a fork, so it may be before or after MPI_Init: a process group of its own, whose number is *pid_p, so that a key of the terminal does not reach
 * it; signals as a new program has them; the environment without what launchers tell the ranks of an MPI job, since it is none; fd[i] as descriptor i for i below n
 * (none of them below n except i itself and one that is copied before its own turn), and nothing else open. Returns 0, or an errno. */
int sol_child_start (const char *program, char *const *argv, const int *fd, int n, pid_t *pid_p);
/* kills the group and reaps the child; returns what waitpid says of it */
int sol_child_kill (pid_t pid);
/* seconds of the monotonic clock */
double sol_child_now (void);
/* a pipe, closed on exec, with both ends 3 or above; end[0] is for reading. Returns 0, or an errno. */
int sol_child_pipe (int end[2]);
#endif
