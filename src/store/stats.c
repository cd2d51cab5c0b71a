/* SPDX-License-Identifier: Apache-2.0 */
/* The queue between a learner and its statistics file: one block is filled while the thread writes the other. HDF5 is called from that thread (and, between its turns, by link and info). */
#include "solera/stats.h"
#include "solera/clock.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "stats_file.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define ROOM "stats"
enum { ROOM_TOKENS = 1 << 18, ROOM_SEQUENCES = 1 << 14, ROOM_PROMPTS = 1 << 20, ROOM_UPDATES = 1 << 10 };
#define IDLE_S 1 /* rows that nobody asks to write wait at most this long */

struct sol_stats {
  sol_stats_file_t *file;
  pthread_t thread;
  pthread_mutex_t lock; /* guards all below */
  pthread_cond_t work, done;
  sol_stats_block_t block[2];
  int filling, busy, wake, stop;
  sol_status_t st; /* the writer's first failure */
  int64_t total[SOL_STATS_N_TABLES]; /* rows appended since the start */
  int32_t update;                    /* that rows belong to now */
  uint64_t weights;                  /* that it began with */
  int64_t last_ticket, last_first;   /* the prompt stored last, shared by the rest of its group */
  int32_t last_n;
  double write_s, wait_s;
};

static int pending (const sol_stats_t *s)
{
  for (int t = 0; t < SOL_STATS_N_TABLES; t++)
    if (s->block[s->filling].n[t]) return 1;
  return 0;
}

static int half_full (const sol_stats_t *s)
{
  const sol_stats_block_t *b = &s->block[s->filling];
  for (int t = 0; t < SOL_STATS_N_TABLES; t++)
    if (b->n[t] > b->room[t] / 2) return 1;
  return 0;
}

/* with the lock: sleeps until there is something to write or to end */
static void await_work (sol_stats_t *s)
{
  struct timespec until;
  clock_gettime (CLOCK_MONOTONIC, &until);
  until.tv_sec += IDLE_S;
  while (!s->stop && !s->wake)
    if (pthread_cond_timedwait (&s->work, &s->lock, &until) == ETIMEDOUT) break;
}

static void *writer (void *arg)
{
  sol_stats_t *s = arg;
  pthread_mutex_lock (&s->lock);
  for (;;) {
    await_work (s);
    if (!pending (s)) {
      s->wake = 0;
      if (s->stop) break;
      continue;
    }
    sol_stats_block_t *b = &s->block[s->filling];
    int skip = s->st != SOL_OK; /* after a failure rows are dropped: every call of the owner returns it */
    s->filling ^= 1;
    s->busy = 1;
    s->wake = 0;
    pthread_cond_broadcast (&s->done); /* the other block has room */
    pthread_mutex_unlock (&s->lock);
    double t0 = sol_clock_s ();
    sol_status_t st = skip ? SOL_OK : sol_stats_file_write (s->file, b);
    t0 = sol_clock_s () - t0;
    memset (b->n, 0, sizeof b->n);
    pthread_mutex_lock (&s->lock);
    if (s->st == SOL_OK) s->st = st;
    s->write_s += t0;
    s->busy = 0;
    pthread_cond_broadcast (&s->done);
  }
  pthread_mutex_unlock (&s->lock);
  return NULL;
}

static void wake_writer (sol_stats_t *s)
{
  s->wake = 1;
  pthread_cond_signal (&s->work);
}

/* with the lock: until the filling block has room for n rows of a table and a row of the index; n is at most the room of an empty block */
static sol_status_t await_room (sol_stats_t *s, int table, int64_t n)
{
  double t0 = sol_clock_s ();
  int waited = 0;
  while (s->st == SOL_OK) {
    const sol_stats_block_t *b = &s->block[s->filling];
    if (b->room[table] - b->n[table] >= n && b->n[SOL_STATS_UPDATES] < b->room[SOL_STATS_UPDATES]) break;
    waited = 1;
    wake_writer (s);
    pthread_cond_wait (&s->done, &s->lock);
  }
  if (waited) s->wait_s += sol_clock_s () - t0;
  return s->st;
}

static char *place (sol_stats_block_t *b, int column)
{
  const sol_stats_column_t *c = &sol_stats_column[column];
  return b->data[column] + (size_t) b->n[c->table] * sol_stats_type_bytes (c->type);
}

/* rows [from, from + n) of a caller's array to the end of a column */
static void copy (sol_stats_block_t *b, int column, const void *array, int64_t from, int64_t n)
{
  size_t size = sol_stats_type_bytes (sol_stats_column[column].type);
  memcpy (place (b, column), (const char *) array + (size_t) from * size, (size_t) n * size);
}

/* with the lock: the index row of the present update says how far the tables have come */
static void note_update (sol_stats_t *s)
{
  sol_stats_block_t *b = &s->block[s->filling];
  int32_t *update = (int32_t *) (void *) b->data[SOL_STATS_UPDATES_update];
  int64_t n = b->n[SOL_STATS_UPDATES];
  if (n == 0 || update[n - 1] != s->update) n = ++b->n[SOL_STATS_UPDATES];
  update[n - 1] = s->update;
  ((uint64_t *) (void *) b->data[SOL_STATS_UPDATES_weights])[n - 1] = s->weights;
  ((int64_t *) (void *) b->data[SOL_STATS_UPDATES_token_end])[n - 1] = s->total[SOL_STATS_TOKENS];
  ((int64_t *) (void *) b->data[SOL_STATS_UPDATES_sequence_end])[n - 1] = s->total[SOL_STATS_SEQUENCES];
}

static void copy_tokens (sol_stats_block_t *b, const sol_stats_tokens_t *r, int64_t from, int64_t k)
{
  const struct { int column; const void *array; } list[] = {
    { SOL_STATS_TOKENS_seq, r->seq }, { SOL_STATS_TOKENS_position, r->position }, { SOL_STATS_TOKENS_token, r->token }, { SOL_STATS_TOKENS_version, r->version },
    { SOL_STATS_TOKENS_lp_behav, r->lp_behav }, { SOL_STATS_TOKENS_lp, r->lp }, { SOL_STATS_TOKENS_entropy, r->entropy }, { SOL_STATS_TOKENS_entropy_behav, r->entropy_behav },
    { SOL_STATS_TOKENS_advantage, r->advantage }, { SOL_STATS_TOKENS_verdict, r->verdict }, { SOL_STATS_TOKENS_lp_prox, r->lp_prox }, { SOL_STATS_TOKENS_lp_raw, r->lp_raw },
    { SOL_STATS_TOKENS_lp_ref, r->lp_ref }, { SOL_STATS_TOKENS_lp_check, r->lp_check } };
  int32_t *update = (int32_t *) (void *) place (b, SOL_STATS_TOKENS_update);
  for (int64_t i = 0; i < k; i++) update[i] = r->update;
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
    const int optional = sol_stats_optional (list[i].column);
    if (optional >= 0 && list[i].array) b->has[optional] = 1;
    if (list[i].array) { copy (b, list[i].column, list[i].array, from, k); continue; }
    float *x = (float *) (void *) place (b, list[i].column); /* only float columns may be absent */
    for (int64_t j = 0; j < k; j++) x[j] = NAN;
  }
}

sol_status_t sol_stats_tokens (sol_stats_t *s, const sol_stats_tokens_t *r)
{
  SOL_ASSERT (r->n >= 0 && (r->n == 0 || (r->seq && r->position && r->token && r->version && r->lp_behav && r->lp && r->entropy && r->advantage && r->verdict)));
  pthread_mutex_lock (&s->lock);
  sol_status_t st = s->st;
  if (st == SOL_OK && r->update < s->update) st = sol_fail (SOL_ERR_USAGE, ROOM, "rows of update %d come after rows of update %d", r->update, s->update);
  if (st == SOL_OK) {
    s->update = r->update;
    s->weights = r->weights;
  }
  for (int64_t from = 0, k; st == SOL_OK && (from < r->n || r->n == 0); from += k) {
    if ((st = await_room (s, SOL_STATS_TOKENS, r->n > 0)) != SOL_OK) break;
    sol_stats_block_t *b = &s->block[s->filling];
    k = b->room[SOL_STATS_TOKENS] - b->n[SOL_STATS_TOKENS];
    if (k > r->n - from) k = r->n - from;
    copy_tokens (b, r, from, k);
    b->n[SOL_STATS_TOKENS] += k;
    s->total[SOL_STATS_TOKENS] += k;
    note_update (s);
    if (r->n == 0) break;
  }
  wake_writer (s);
  pthread_mutex_unlock (&s->lock);
  return st;
}

/* with the lock: where the prompt of row i begins, stored now unless the row before had the same */
static sol_status_t put_prompt (sol_stats_t *s, const sol_stats_sequences_t *r, int64_t i, const int32_t *prompt, int64_t *first_p)
{
  int32_t n = r->n_prompt[i];
  if (r->ticket[i] != s->last_ticket || n != s->last_n) {
    SOL_TRY (await_room (s, SOL_STATS_PROMPTS, n));
    sol_stats_block_t *b = &s->block[s->filling];
    copy (b, SOL_STATS_PROMPTS_prompt_tokens, prompt, 0, n);
    s->last_ticket = r->ticket[i];
    s->last_n = n;
    s->last_first = s->total[SOL_STATS_PROMPTS];
    b->n[SOL_STATS_PROMPTS] += n;
    s->total[SOL_STATS_PROMPTS] += n;
  }
  *first_p = s->last_first;
  return SOL_OK;
}

static void copy_sequence (sol_stats_block_t *b, const sol_stats_sequences_t *r, int64_t i, int64_t first)
{
  const struct { int column; const void *array; } list[] = {
    { SOL_STATS_SEQUENCES_seq, r->seq }, { SOL_STATS_SEQUENCES_ticket, r->ticket }, { SOL_STATS_SEQUENCES_prompt_id, r->prompt_id }, { SOL_STATS_SEQUENCES_set, r->set },
    { SOL_STATS_SEQUENCES_update, r->update },
    { SOL_STATS_SEQUENCES_batch, r->batch }, { SOL_STATS_SEQUENCES_version_min, r->version_min }, { SOL_STATS_SEQUENCES_version_max, r->version_max },
    { SOL_STATS_SEQUENCES_n_prompt, r->n_prompt }, { SOL_STATS_SEQUENCES_n_response, r->n_response }, { SOL_STATS_SEQUENCES_finish, r->finish },
    { SOL_STATS_SEQUENCES_place, r->place }, { SOL_STATS_SEQUENCES_generated, r->generated }, { SOL_STATS_SEQUENCES_stopped, r->stopped },
    { SOL_STATS_SEQUENCES_reward, r->reward }, { SOL_STATS_SEQUENCES_reward_answer, r->reward_answer }, { SOL_STATS_SEQUENCES_reward_format, r->reward_format },
    { SOL_STATS_SEQUENCES_reward_length, r->reward_length },
    { SOL_STATS_SEQUENCES_advantage, r->advantage }, { SOL_STATS_SEQUENCES_dropped, r->dropped },
    { SOL_STATS_SEQUENCES_refilled, r->refilled } };
  for (size_t k = 0; k < sizeof list / sizeof *list; k++) copy (b, list[k].column, list[k].array, i, 1);
  copy (b, SOL_STATS_SEQUENCES_prompt_first, &first, 0, 1);
  b->n[SOL_STATS_SEQUENCES]++;
}

sol_status_t sol_stats_sequences (sol_stats_t *s, const sol_stats_sequences_t *r)
{
  const int32_t *prompt = r->prompt;
  pthread_mutex_lock (&s->lock);
  sol_status_t st = s->st;
  for (int64_t i = 0, first; i < r->n && st == SOL_OK; prompt += r->n_prompt[i++]) {
    if (r->n_prompt[i] < 0 || r->n_prompt[i] > ROOM_PROMPTS) st = sol_fail (SOL_ERR_LIMIT, ROOM, "sequence %" PRId64 ": a prompt of %d tokens; at most %d are recorded", r->seq[i], r->n_prompt[i], ROOM_PROMPTS);
    else if (r->update[i] >= 0 && r->update[i] < s->update) st = sol_fail (SOL_ERR_USAGE, ROOM, "sequence %" PRId64 " of update %d comes after rows of update %d", r->seq[i], r->update[i], s->update);
    if (st == SOL_OK) st = put_prompt (s, r, i, prompt, &first);
    if (st == SOL_OK) st = await_room (s, SOL_STATS_SEQUENCES, 1);
    if (st != SOL_OK) break;
    if (r->update[i] > s->update) {
      s->update = r->update[i];
      s->weights = 0;
    }
    copy_sequence (&s->block[s->filling], r, i, first);
    s->total[SOL_STATS_SEQUENCES]++;
    note_update (s);
  }
  if (half_full (s)) wake_writer (s);
  pthread_mutex_unlock (&s->lock);
  return st;
}

static void blocks_create (sol_stats_t *s)
{
  static const int64_t room[SOL_STATS_N_TABLES] = { ROOM_TOKENS, ROOM_SEQUENCES, ROOM_PROMPTS, ROOM_UPDATES };
  for (int k = 0; k < 2; k++) {
    memcpy (s->block[k].room, room, sizeof room);
    for (int i = 0; i < SOL_STATS_N_COLUMNS; i++)
      s->block[k].data[i] = sol_alloc ((size_t) room[sol_stats_column[i].table] * sol_stats_type_bytes (sol_stats_column[i].type));
  }
}

static void stats_free (sol_stats_t *s)
{
  for (int k = 0; k < 2; k++)
    for (int i = 0; i < SOL_STATS_N_COLUMNS; i++) sol_free (s->block[k].data[i]);
  sol_free (s);
}

/* signals are the main thread's business */
static int start_thread (sol_stats_t *s)
{
  pthread_condattr_t attr;
  sigset_t all, old;
  pthread_condattr_init (&attr);
  pthread_condattr_setclock (&attr, CLOCK_MONOTONIC);
  pthread_mutex_init (&s->lock, NULL);
  pthread_cond_init (&s->work, &attr);
  pthread_cond_init (&s->done, NULL);
  pthread_condattr_destroy (&attr);
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &old);
  int rc = pthread_create (&s->thread, NULL, writer, s);
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  return rc;
}

sol_status_t sol_stats_open (const sol_stats_params_t *p, sol_stats_t **stats_p)
{
  sol_stats_t *s;
  sol_stats_file_t *file;
  SOL_ASSERT (p->chunk >= 1 && p->deflate >= 0 && p->deflate <= 9);
  SOL_TRY (sol_stats_file_create (p, &file));
  s = sol_alloc (sizeof *s);
  *s = (sol_stats_t){ .file = file, .st = SOL_OK, .update = (int32_t) p->resumed_update, .last_ticket = -1, .last_n = -1 };
  blocks_create (s);
  int rc = start_thread (s);
  if (rc) {
    sol_stats_file_close (file);
    stats_free (s);
    return sol_fail (SOL_ERR_MEMORY, ROOM, "starting the writer's thread failed: %s", strerror (rc));
  }
  *stats_p = s;
  return SOL_OK;
}

sol_status_t sol_stats_flush (sol_stats_t *s)
{
  pthread_mutex_lock (&s->lock);
  while (s->st == SOL_OK && (pending (s) || s->busy)) {
    if (pending (s)) wake_writer (s);
    pthread_cond_wait (&s->done, &s->lock);
  }
  sol_status_t st = s->st;
  pthread_mutex_unlock (&s->lock);
  return st == SOL_OK ? sol_stats_file_sync (s->file) : st;
}

sol_status_t sol_stats_close (sol_stats_t *s)
{
  if (!s) return SOL_OK;
  pthread_mutex_lock (&s->lock);
  s->stop = 1;
  pthread_cond_signal (&s->work);
  pthread_mutex_unlock (&s->lock);
  pthread_join (s->thread, NULL);
  sol_status_t st = s->st, closed = sol_stats_file_close (s->file);
  pthread_cond_destroy (&s->work);
  pthread_cond_destroy (&s->done);
  pthread_mutex_destroy (&s->lock);
  stats_free (s);
  return st != SOL_OK ? st : closed;
}

double sol_stats_seconds (const sol_stats_t *s, double *waited_p)
{
  pthread_mutex_t *lock = (pthread_mutex_t *) (uintptr_t) &s->lock;
  pthread_mutex_lock (lock);
  double write_s = s->write_s;
  if (waited_p) *waited_p = s->wait_s;
  pthread_mutex_unlock (lock);
  return write_s;
}
