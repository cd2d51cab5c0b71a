/* SPDX-License-Identifier: Apache-2.0 */
/* pool.h: the threads of one host backend. A backend belongs to one thread of the program: calls of pool_run never overlap. */
#ifndef SOL_POOL_H
#define SOL_POOL_H
#include <stdint.h>

typedef struct sol_pool sol_pool_t;
/* items [i0, i1) of a job; room: the floats of the thread that runs it */
typedef void (*sol_job_t) (const void *arg, int64_t i0, int64_t i1, float *room);

/* threads >= 1, the caller's own included. If the system gives fewer threads, the pool has fewer (a warning says so). room_floats for each. */
sol_pool_t *sol_pool_create (int threads, int64_t room_floats);
void sol_pool_destroy (sol_pool_t *pool);
int sol_pool_threads (const sol_pool_t *pool);
float *sol_pool_room (sol_pool_t *pool); /* of the calling thread */
/* runs job over items [0, n), cut into runs of at least grain items that threads take as they come; returns when all are done. No result may depend on how they are cut. */
void sol_pool_run (sol_pool_t *pool, int64_t n, int64_t grain, sol_job_t job, const void *arg);
/* for tests: every item becomes a run of its own, however little work it is */
void sol_pool_fine (sol_pool_t *pool);
#endif
