/* SPDX-License-Identifier: Apache-2.0 */
#include "pool.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#define SPINS 2000 /* looks at a word before the core is given away: some 20 us */
#define YIELDS 20  /* turns of sched_yield before a worker sleeps */

typedef struct { sol_pool_t *pool; pthread_t thread; float *room; } worker_t;

struct sol_pool {
  int threads, fine;
  worker_t *worker; /* [threads]; 0 is the caller */
  /* the job, written before call is raised */
  sol_job_t job;
  const void *arg;
  int64_t n, chunk;
  _Atomic int64_t next; /* first item that nobody has taken */
  _Atomic unsigned call; /* number of the present job */
  _Atomic int busy;      /* workers that have not finished it */
  _Atomic int asleep, quit;
  pthread_mutex_t lock;
  pthread_cond_t wake;
};

static inline void pause_cpu (void)
{
#if defined __x86_64__
  __builtin_ia32_pause ();
#endif
}

static void take_items (sol_pool_t *p, float *room)
{
  int64_t i;
  while ((i = atomic_fetch_add (&p->next, p->chunk)) < p->n) p->job (p->arg, i, i + p->chunk < p->n ? i + p->chunk : p->n, room);
}

/* spins, then yields, then sleeps until the call number is no longer seen */
static void await_call (sol_pool_t *p, unsigned seen)
{
  for (int i = 0; i < SPINS + YIELDS; i++) {
    if (atomic_load_explicit (&p->call, memory_order_acquire) != seen) return;
    if (i < SPINS) pause_cpu ();
    else sched_yield ();
  }
  pthread_mutex_lock (&p->lock);
  atomic_fetch_add (&p->asleep, 1);
  while (atomic_load (&p->call) == seen) pthread_cond_wait (&p->wake, &p->lock);
  atomic_fetch_sub (&p->asleep, 1);
  pthread_mutex_unlock (&p->lock);
}

static void *work (void *arg)
{
  worker_t *w = arg;
  sol_pool_t *p = w->pool;
  for (unsigned seen = 0;;) {
    await_call (p, seen);
    seen++;
    if (atomic_load (&p->quit)) return NULL;
    take_items (p, w->room);
    atomic_fetch_sub_explicit (&p->busy, 1, memory_order_release);
  }
}

/* everything of the job is written: let the workers see it */
static void raise_call (sol_pool_t *p)
{
  atomic_fetch_add (&p->call, 1);
  if (atomic_load (&p->asleep) == 0) return;
  pthread_mutex_lock (&p->lock);
  pthread_cond_broadcast (&p->wake);
  pthread_mutex_unlock (&p->lock);
}

void sol_pool_run (sol_pool_t *p, int64_t n, int64_t grain, sol_job_t job, const void *arg)
{
  int64_t chunk;
  if (n <= 0) return;
  if (grain < 1 || p->fine) grain = 1;
  if (p->threads == 1 || n <= grain) {
    job (arg, 0, n, p->worker[0].room);
    return;
  }
  chunk = p->fine ? 1 : (n + 4 * p->threads - 1) / (4 * p->threads);
  p->job = job;
  p->arg = arg;
  p->n = n;
  p->chunk = chunk < grain ? grain : chunk;
  atomic_store (&p->next, 0);
  atomic_store (&p->busy, p->threads - 1);
  raise_call (p);
  take_items (p, p->worker[0].room);
  for (int i = 0; atomic_load_explicit (&p->busy, memory_order_acquire) > 0; i++) {
    if (i < SPINS) pause_cpu ();
    else sched_yield ();
  }
}

sol_pool_t *sol_pool_create (int threads, int64_t room_floats)
{
  sol_pool_t *p = sol_alloc (sizeof *p);
  sigset_t all, old;
  p->threads = threads;
  p->worker = sol_alloc ((size_t) threads * sizeof *p->worker);
  pthread_mutex_init (&p->lock, NULL);
  pthread_cond_init (&p->wake, NULL);
  /* signals are for the program's own thread */
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &old);
  for (int i = 0; i < threads; i++) {
    worker_t *w = &p->worker[i];
    int rc;
    w->pool = p;
    w->room = sol_alloc ((size_t) room_floats * sizeof (float));
    rc = i == 0 ? 0 : pthread_create (&w->thread, NULL, work, w);
    if (rc == 0) continue;
    sol_log (SOL_LOG_WARN, "backend", "%d threads were asked for, the system gives %d: %s", threads, i, strerror (rc));
    sol_free (w->room);
    p->threads = i;
    break;
  }
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  return p;
}

void sol_pool_destroy (sol_pool_t *p)
{
  if (!p) return;
  atomic_store (&p->quit, 1);
  raise_call (p);
  for (int i = 0; i < p->threads; i++) {
    if (i > 0) pthread_join (p->worker[i].thread, NULL);
    sol_free (p->worker[i].room);
  }
  pthread_cond_destroy (&p->wake);
  pthread_mutex_destroy (&p->lock);
  sol_free (p->worker);
  sol_free (p);
}

void sol_pool_fine (sol_pool_t *p) { p->fine = 1; }
int sol_pool_threads (const sol_pool_t *p) { return p->threads; }
float *sol_pool_room (sol_pool_t *p) { return p->worker[0].room; }
