/* SPDX-License-Identifier: Apache-2.0 */
/* world.h: a run without a model around the real broker. Weights say which version they are, records can be made again from (ticket, version), learners check every one of them,
 * and a run that stands still ends with an error after a deadline. */
#ifndef SOL_TEST_WORLD_H
#define SOL_TEST_WORLD_H
#include "solera/broker.h"
#include "solera/clock.h"
#include "solera/hash.h"
#include "solera/log.h"
#include "../tap_mpi.h"
#include <string.h>
#include <unistd.h>

enum { G_MAX = 3, PROMPT_MAX = 9, NEW_MAX = 7, TOKENS_MAX = G_MAX * NEW_MAX, WEIGHTS = 1237, ACTOR_MAX = 8 };
typedef struct {
  int mode, brokers, learners;
  int64_t k, ups, prompts, updates, ring, queue;
  int64_t stop;         /* > 0: write a checkpoint at this update and leave */
  int64_t resume;       /* > 0: go on from it */
  int64_t lose_from;    /* outside exact mode: actors drop odd tickets of batches from this one on; 0: none */
  const char *dir;
  double deadline_s;
  const sol_schedule_t *schedule; /* exact mode; NULL: none */
} plan_t;
typedef struct { sol_roles_t r; sol_broker_params_t p; int rank[3][16]; } world_t;
typedef struct {
  uint8_t *trained;           /* [tickets] how often (learner 0) */
  int64_t groups, tokens, waits; /* groups and tokens trained; times an actor found its ring full */
  uint64_t digest;
  sol_broker_counts_t n;
  double fresh_sum;
  int64_t fresh_n;
  int bad;                    /* something that was read is not what it must be */
} seen_t;

static inline void world_make (const plan_t *plan, world_t *w)
{
  const int size = tap_size, me = tap_rank;
  sol_roles_t *r = &w->r;
  memset (w, 0, sizeof *w);
  r->world = sol_comm_world ();
  r->n_brokers = size == 1 ? 1 : plan->brokers;
  r->n_learners = size == 1 ? 1 : plan->learners;
  r->n_actors = size == 1 ? 1 : size - plan->brokers - plan->learners;
  r->broker_rank = w->rank[0], r->learner_rank = w->rank[1], r->actor_rank = w->rank[2];
  r->role = size == 1 ? SOL_ROLE_SOLO : me < r->n_brokers ? SOL_ROLE_BROKER : me < r->n_brokers + r->n_learners ? SOL_ROLE_LEARNER : SOL_ROLE_ACTOR;
  r->index = size == 1 ? 0 : r->role == SOL_ROLE_BROKER ? me : r->role == SOL_ROLE_LEARNER ? me - r->n_brokers : me - r->n_brokers - r->n_learners;
  for (int i = 0; i < 16; i++) w->rank[0][i] = size == 1 ? 0 : i, w->rank[1][i] = size == 1 ? 0 : r->n_brokers + i, w->rank[2][i] = size == 1 ? 0 : r->n_brokers + r->n_learners + i;
  r->learners = sol_comm_self ();
  if (size > 1 && sol_comm_split (r->world, r->role == SOL_ROLE_LEARNER ? 0 : -1, me, &r->learners) != SOL_OK) abort ();
  w->p = (sol_broker_params_t){ .roles = r, .mode = plan->mode, .k = plan->k, .ups = plan->ups, .prompts = plan->prompts, .group = G_MAX, .updates = plan->updates, .ring_slots = plan->ring,
                                .queue = plan->queue, .schedule = plan->schedule, .record_bytes = sol_rollout_max_bytes (G_MAX, PROMPT_MAX, NEW_MAX, 1), .weight_bytes = WEIGHTS };
}

static inline void world_free (world_t *w)
{
  if (tap_size > 1) sol_comm_destroy (w->r.learners);
}

/* the only record that ticket and version allow; sizes differ from ticket to ticket */
static inline size_t make_record (int64_t ticket, int64_t version, int actor, char *record, size_t room)
{
  static int32_t prompt[PROMPT_MAX], len[G_MAX], ids[TOKENS_MAX];
  static float lp[TOKENS_MAX];
  static double reward[G_MAX];
  static const uint8_t finish[G_MAX];
  sol_version_run_t run;
  sol_rollout_t v = { .ticket = (uint64_t) ticket, .prompt_id = (uint64_t) ticket * 3, .index = (uint64_t) ticket, .n_responses = G_MAX, .n_runs = 1, .temperature = 1, .actor = actor,
                      .generate_s = actor, .prompt = prompt, .len = len, .finish = finish, .reward = reward, .runs = &run, .ids = ids, .lp = lp };
  uint64_t x = sol_hash_pair ((uint64_t) ticket, (uint64_t) version);
  size_t bytes = 0;
  v.n_prompt = (int32_t) (x % PROMPT_MAX);
  for (int i = 0; i < v.n_prompt; i++) prompt[i] = (int32_t) (x >> i & 0xffff);
  for (int g = 0; g < G_MAX; g++) {
    len[g] = 1 + (int32_t) ((x >> (8 * g)) % NEW_MAX);
    reward[g] = (double) (ticket % 4 == g);
    v.n_tokens += len[g];
  }
  for (int64_t t = 0; t < v.n_tokens; t++) ids[t] = (int32_t) ((x >> (t % 32)) & 0xffff), lp[t] = -(float) ((x + (uint64_t) t) % 64) / 8;
  run = (sol_version_run_t){ 0, (int32_t) v.n_tokens, version };
  return sol_rollout_pack (&v, record, room, &bytes) == SOL_OK ? bytes : 0;
}

static inline void make_weights (int64_t version, unsigned char *block)
{
  uint64_t x = sol_hash_pair ((uint64_t) version, 1);
  for (int i = 0; i < WEIGHTS; i++) block[i] = (unsigned char) (x >> (i % 57)) ^ (unsigned char) i;
}

/* lags of 0 to 6 steps, as they come; shuffle: tickets are trained in another order than they are numbered, in half of the batches from another batch */
static inline sol_schedule_t *make_schedule (int64_t prompts, int64_t ups, int64_t updates, int shuffle)
{
  sol_schedule_t *s = sol_alloc (sizeof *s);
  *s = (sol_schedule_t){ .prompts = prompts, .ups = ups, .n = (updates / ups + (shuffle ? 0 : 7)) * prompts, .identity = 5 };
  s->due = sol_alloc ((size_t) s->n * sizeof *s->due);
  for (int64_t p = 0; p < s->n; p++) {
    const int64_t lag = (int64_t) (sol_hash_pair ((uint64_t) p, 3) % 7) * ups, first = p / prompts * ups;
    s->due[p] = (int32_t) (first > lag ? first - lag : 0);
  }
  if (shuffle) {
    s->n_tickets = s->n;
    s->ticket = sol_alloc ((size_t) s->n * sizeof *s->ticket), s->place = sol_alloc ((size_t) s->n * sizeof *s->place);
    for (int64_t p = 0; p < s->n; p++) s->ticket[p] = (int32_t) (p / 18 * 18 + 18 <= s->n ? p / 18 * 18 + (p % 18 * 5 + 1) % 18 : p);
    for (int64_t p = 0; p < s->n; p++) s->place[s->ticket[p]] = (int32_t) p;
  }
  if (sol_schedule_finish (s, updates) != SOL_OK) abort ();
  return s;
}

/* ---- actor */
typedef struct { int held, waits, fetched; int64_t ticket, want, version; uint64_t pause; } actor_t;

static inline sol_status_t actor_fetch (sol_broker_t *b, const plan_t *plan, actor_t *a, seen_t *s)
{
  unsigned char block[WEIGHTS], expected[WEIGHTS];
  sol_status_t st = sol_broker_fetch (b, a->want, block);
  if (st == SOL_ERR_STALE && plan->mode != SOL_STALE_EXACT) {
    SOL_TRY (sol_broker_newest (b, &a->want));
    return SOL_AGAIN;
  }
  SOL_TRY (st);
  make_weights (a->want, expected);
  s->bad |= memcmp (block, expected, WEIGHTS) != 0;
  a->version = a->want;
  a->fetched = 1;
  return sol_broker_release (b, a->version);
}

static inline sol_status_t actor_turn (sol_broker_t *b, const world_t *w, const plan_t *plan, actor_t *a, seen_t *s)
{
  char record[4096];
  sol_status_t st;
  size_t bytes;
  if (sol_broker_ended (b)) return SOL_END;
  if (a->waits) {
    st = sol_broker_put (b, NULL, 0);
    if (st == SOL_OK) a->waits = 0;
    return st;
  }
  if (!a->held) {
    st = sol_broker_claim (b, &a->ticket, &a->want);
    if (st == SOL_END) return SOL_AGAIN; /* the end of the run is told by goodbye */
    SOL_TRY (st);
    a->held = 1;
  }
  a->pause = sol_hash_pair (a->pause, (uint64_t) a->ticket + (uint64_t) w->r.index);
  if (a->pause % 61 == 0) usleep (2000); /* a slow one, between claim and fetch */
  if (!a->fetched || a->version != a->want) SOL_TRY (actor_fetch (b, plan, a, s));
  if (a->pause % 67 == 0) usleep (2000); /* or while it generates */
  a->held = 0;
  if (plan->lose_from > 0 && a->ticket / plan->prompts >= plan->lose_from && a->ticket % 2) return SOL_OK; /* as if it were still being generated when everything stops */
  bytes = make_record (a->ticket, a->version, w->r.index, record, sizeof record);
  st = bytes ? sol_broker_put (b, record, bytes) : SOL_ERR_LIMIT;
  a->waits = st == SOL_AGAIN;
  s->waits += a->waits;
  return a->waits ? SOL_OK : st;
}

/* ---- learner */
typedef struct { int64_t batch, update; int state, done; } learner_t;
enum { PUBLISH, TAKE, SAVE, FRESH, REST };

static inline sol_status_t take_batch (sol_broker_t *b, const world_t *w, const plan_t *plan, int64_t batch, seen_t *s)
{
  sol_batch_row_t row[64];
  int64_t last = -1;
  sol_status_t st = sol_broker_batch (b, batch, row);
  SOL_TRY (st);
  for (int64_t i = 0; i < plan->prompts; i++) {
    _Alignas (8) char record[4096], expected[4096];
    sol_rollout_t v, u;
    size_t n;
    SOL_TRY (sol_broker_get (b, batch, &row[i], record));
    SOL_TRY (sol_rollout_open (record, (size_t) row[i].bytes, &v));
    n = make_record ((int64_t) v.ticket, v.runs[0].version, v.actor, expected, sizeof expected);
    SOL_TRY (sol_rollout_open (expected, n, &u));
    s->bad |= n != (size_t) row[i].bytes || memcmp (record, expected, n) != 0 || row[i].ticket != (int64_t) v.ticket || row[i].n_tokens != v.n_tokens || row[i].n_prompt != v.n_prompt;
    if (plan->mode == SOL_STALE_EXACT) s->bad |= v.runs[0].version != sol_broker_due_of (&w->p, row[i].ticket);
    if (plan->mode == SOL_STALE_BOUNDED) s->bad |= batch * plan->ups - v.runs[0].version > plan->k;
    if (plan->schedule) s->bad |= row[i].ticket != sol_schedule_ticket (plan->schedule, batch * plan->prompts + i);
    else if (plan->mode != SOL_STALE_FREE) s->bad |= row[i].ticket <= last || row[i].ticket / plan->prompts != batch;
    last = row[i].ticket;
    s->trained[v.ticket]++;
    s->groups++;
    s->tokens += v.n_tokens;
    s->digest += sol_rollout_digest (&v);
  }
  return SOL_OK;
}

static inline sol_status_t learner_end (sol_broker_t *b, const world_t *w, const plan_t *plan, learner_t *l, seen_t *s)
{
  uint64_t hash;
  if (l->state == SAVE) {
    if (w->r.index == 0) SOL_TRY (sol_broker_save (b, plan->dir, l->update, &hash));
  } else if (l->state == FRESH && w->r.index == 0 && plan->mode == SOL_STALE_EXACT) { /* rollouts of the last version come too */
    SOL_TRY (sol_broker_fresh (b, plan->updates, &s->fresh_sum, &s->fresh_n));
    if (s->fresh_n < (plan->schedule ? sol_schedule_count (plan->schedule, plan->updates) : plan->prompts) * G_MAX) return SOL_AGAIN;
  }
  if (w->r.index == 0) {
    sol_status_t st = sol_broker_counts (b, &s->n);
    SOL_TRY (st);
    SOL_TRY (sol_broker_check (b));
  }
  SOL_TRY (sol_comm_barrier (w->r.learners));
  if (w->r.index == 0) SOL_TRY (sol_broker_goodbye (b));
  return SOL_END;
}

static inline sol_status_t learner_turn (sol_broker_t *b, const world_t *w, const plan_t *plan, learner_t *l, seen_t *s)
{
  unsigned char block[WEIGHTS];
  if (l->state == PUBLISH) {
    make_weights (l->update, block);
    if (w->r.index == 0) {
      SOL_TRY (sol_broker_publish (b, l->update, block));
      SOL_TRY (sol_broker_check (b));
    }
    l->state = l->update == plan->stop && plan->stop > 0 ? SAVE : l->update >= plan->updates ? FRESH : TAKE;
    return SOL_OK;
  }
  if (l->state != TAKE) return learner_end (b, w, plan, l, s);
  SOL_TRY (take_batch (b, w, plan, l->batch, s));
  SOL_TRY (sol_broker_done (b, l->batch));
  l->batch++;
  l->update += plan->ups;
  l->state = PUBLISH;
  return sol_comm_barrier (w->r.learners); /* updates are collective among learners */
}

/* one run of all roles on the ranks there are; what this rank saw in *s (trained is the caller's, of all tickets) */
static inline sol_status_t play (const plan_t *plan, seen_t *s)
{
  world_t w;
  sol_broker_t *b = NULL;
  sol_status_t st, all;
  actor_t a = { .version = -1 };
  learner_t l = { .update = plan->resume, .batch = plan->resume / plan->ups };
  unsigned idle = 0;
  double end;
  world_make (plan, &w);
  st = sol_broker_open (&w.p, &b);
  if (st == SOL_OK && plan->resume > 0) st = sol_broker_load (b, plan->dir, plan->resume);
  end = sol_clock_s () + plan->deadline_s;
  while (st == SOL_OK || st == SOL_AGAIN) {
    sol_status_t x = SOL_AGAIN, y = SOL_AGAIN, z = SOL_AGAIN;
    if (w.r.role == SOL_ROLE_LEARNER || w.r.role == SOL_ROLE_SOLO) x = learner_turn (b, &w, plan, &l, s);
    if (w.r.role == SOL_ROLE_ACTOR || w.r.role == SOL_ROLE_SOLO) y = actor_turn (b, &w, plan, &a, s);
    if (w.r.role == SOL_ROLE_BROKER || w.r.role == SOL_ROLE_SOLO) z = sol_broker_step (b);
    st = x != SOL_OK && x != SOL_AGAIN ? x : y != SOL_OK && y != SOL_AGAIN ? y : z != SOL_OK && z != SOL_AGAIN ? z : x == SOL_OK || y == SOL_OK || z == SOL_OK ? SOL_OK : SOL_AGAIN;
    if (st == SOL_AGAIN) sol_clock_idle (&idle);
    else idle = 0;
    if (sol_clock_s () > end) {
      fprintf (stderr, "rank %d (%s.%d) stands still: state %d, batch %lld, update %lld, ticket %lld held %d waits %d\n", tap_rank, sol_role_name (w.r.role), w.r.index, l.state, (long long) l.batch,
               (long long) l.update, (long long) a.ticket, a.held, a.waits);
      st = SOL_ERR_TIMEOUT;
    }
  }
  all = st == SOL_END ? SOL_OK : st;
  if (all != SOL_OK) fprintf (stderr, "rank %d: %s\n", tap_rank, sol_status_string (all));
  all = sol_comm_agree (w.r.world, all);
  sol_broker_close (b);
  world_free (&w);
  return all;
}
#endif
