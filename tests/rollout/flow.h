/* SPDX-License-Identifier: Apache-2.0 */
/* flow.h: whole runs over the broker with pretended models: weights of version v are all v, and what a ticket's record holds follows from (ticket, version). Actors, brokers and
 * learners turn their steps as in a real run; every record is checked byte by byte where it is used. A run that gets stuck ends the test. */
#ifndef FLOW_H
#define FLOW_H
#include "../tap_mpi.h"
#include "solera/broker.h"
#include "solera/clock.h"
#include "solera/hash.h"
#include "solera/log.h"
#include <string.h>
#include <unistd.h>

#define WEIGHTS 10007 /* bytes: not a multiple of anything */
#define MAX_PROMPT 9
enum { RUNNING = 3 }; /* groups that an actor generates side by side */

typedef struct {
  int mode;
  int64_t k, ups, prompts, group, updates, slots, queue;
  int brokers, learners, max_new, delay_us; /* delay: of actors; learners half of it */
  int64_t from;       /* update to go on from, 0: the start */
  int64_t stop;       /* update after which the run stops without the rest, 0: none */
  const char *dir;    /* where to save at `stop`, and to load `from` */
} flow_t;
typedef struct { int64_t ticket, version; int left; } running_t;
typedef struct {
  flow_t c;
  sol_roles_t roles;
  sol_broker_t *b;
  sol_broker_params_t p;
  int64_t n_tickets;
  unsigned seed;
  int error;
  /* actor */
  running_t run[RUNNING];
  int held, waits, no_more;
  int64_t ticket, want, version;
  unsigned char *block;
  char *record;
  size_t room;
  /* learner */
  int state;
  int64_t update, n_seen;
  unsigned char *publish;
  sol_batch_row_t *rows;
  int64_t *batch_of;  /* [tickets] batch that trained it, -1: none */
} flow_state_t;

/* ---- a ticket's record */
typedef struct { int32_t prompt[MAX_PROMPT], len[64], ids[4096]; uint8_t finish[64]; float lp[4096], entropy[4096]; double reward[64], parts[128]; sol_version_run_t runs; } content_t;

static inline sol_rollout_t content_of (const flow_t *c, int64_t ticket, int64_t version, content_t *x)
{
  uint64_t h = sol_hash_pair ((uint64_t) ticket, 77);
  sol_rollout_t v = { .ticket = (uint64_t) ticket, .prompt_id = h, .index = (uint64_t) ticket, .n_responses = (int32_t) c->group, .n_prompt = (int32_t) (1 + h % MAX_PROMPT), .n_parts = 2,
                      .temperature = 1, .prompt = x->prompt, .len = x->len, .finish = x->finish, .reward = x->reward, .parts = x->parts, .runs = &x->runs, .ids = x->ids, .lp = x->lp };
  for (int i = 0; i < v.n_prompt; i++) x->prompt[i] = (int32_t) (h >> 3 * i & 0xffff);
  for (int g = 0; g < c->group; g++) {
    x->len[g] = (int32_t) (1 + sol_hash_pair (h, (uint64_t) g) % (uint64_t) c->max_new);
    x->finish[g] = (uint8_t) (1 + g % 3);
    x->reward[g] = (double) (sol_hash_pair (h, (uint64_t) (100 + g)) % 3) * 0.1 + (double) (version % 5);
    x->parts[2 * g] = x->reward[g];
    x->parts[2 * g + 1] = 0;
    for (int t = 0; t < x->len[g]; t++, v.n_tokens++) {
      uint64_t r = sol_hash_pair (h, (uint64_t) (v.n_tokens + 1000 * version));
      x->ids[v.n_tokens] = (int32_t) (r & 0xffffff);
      x->lp[v.n_tokens] = -(float) (r >> 40) * 0x1p-20f;
      x->entropy[v.n_tokens] = (float) (r >> 50);
    }
  }
  if (ticket % 2) v.entropy = x->entropy;
  x->runs = (sol_version_run_t){ 0, (int32_t) v.n_tokens, version };
  v.n_runs = 1;
  return v;
}

/* ---- roles as the case asks for; one rank is solo */
static inline void flow_roles (flow_state_t *s)
{
  sol_roles_t *r = &s->roles;
  int solo = tap_size == 1, nb = solo ? 1 : s->c.brokers, nl = solo ? 1 : s->c.learners, me = tap_rank;
  r->world = sol_comm_world ();
  r->n_brokers = nb;
  r->n_learners = nl;
  r->n_actors = solo ? 1 : tap_size - nb - nl;
  r->broker_rank = sol_alloc (8 * sizeof (int));
  r->learner_rank = sol_alloc (8 * sizeof (int));
  r->actor_rank = sol_alloc (8 * sizeof (int));
  for (int i = 0; i < nb; i++) r->broker_rank[i] = i;
  for (int i = 0; i < nl; i++) r->learner_rank[i] = solo ? 0 : nb + i;
  for (int i = 0; i < r->n_actors; i++) r->actor_rank[i] = solo ? 0 : nb + nl + i;
  r->role = solo ? SOL_ROLE_SOLO : me < nb ? SOL_ROLE_BROKER : me < nb + nl ? SOL_ROLE_LEARNER : SOL_ROLE_ACTOR;
  r->index = solo || me < nb ? me : me < nb + nl ? me - nb : me - nb - nl;
  if (sol_comm_split (r->world, r->role == SOL_ROLE_LEARNER || solo ? 0 : -1, me, &r->learners) != SOL_OK) MPI_Abort (MPI_COMM_WORLD, 3);
}

static inline void flow_bad (flow_state_t *s, const char *what, int64_t x, int64_t y)
{
  if (!s->error) fprintf (stderr, "rank %d: %s: %lld %lld\n", tap_rank, what, (long long) x, (long long) y);
  s->error = 1;
}

static inline void flow_sleep (flow_state_t *s, int most_us)
{
  if (most_us > 0 && rand_r (&s->seed) % 4 == 0) usleep ((useconds_t) (rand_r (&s->seed) % most_us));
}

/* ---- actor */
static inline sol_status_t flow_claim (flow_state_t *s)
{
  sol_status_t st;
  int running = 0, place = -1;
  for (int i = 0; i < RUNNING; i++)
    if (s->run[i].left > 0) running++;
    else place = i;
  if (place < 0) return SOL_AGAIN;
  if (!s->held) {
    st = sol_broker_claim (s->b, &s->ticket, &s->want);
    if (st == SOL_END) s->no_more = 1;
    if (st != SOL_OK) return st == SOL_END ? SOL_AGAIN : st;
    s->held = 1;
  }
  if (s->want != s->version) {
    if (running) return SOL_AGAIN;
    st = sol_broker_fetch (s->b, s->want, s->block);
    if (st == SOL_ERR_STALE && s->c.mode != SOL_STALE_EXACT) {
      SOL_TRY (sol_broker_newest (s->b, &s->want));
      return SOL_AGAIN;
    }
    SOL_TRY (st);
    for (int i = 0; i < WEIGHTS; i++)
      if (s->block[i] != (unsigned char) (s->want * 7 + 1)) flow_bad (s, "weights of another version", s->want, s->block[i]);
    SOL_TRY (sol_broker_release (s->b, s->want));
    s->version = s->want;
  }
  s->run[place] = (running_t){ s->ticket, s->version, 1 + (int) (rand_r (&s->seed) % 5) };
  s->held = 0;
  return SOL_OK;
}

static inline sol_status_t flow_actor (flow_state_t *s)
{
  sol_status_t st;
  int busy = 0;
  if (sol_broker_ended (s->b)) return SOL_END;
  if (s->waits) {
    st = sol_broker_put (s->b, NULL, 0);
    if (st != SOL_OK) return st;
    s->waits = 0;
    busy = 1;
  }
  for (int i = 0; i < RUNNING && !s->waits; i++) {
    if (s->run[i].left == 0) continue;
    busy = 1;
    flow_sleep (s, s->c.delay_us);
    if (--s->run[i].left > 0) continue;
    static content_t x;
    size_t bytes;
    sol_rollout_t v = content_of (&s->c, s->run[i].ticket, s->run[i].version, &x);
    v.actor = s->roles.index;
    SOL_TRY (sol_rollout_pack (&v, s->record, s->room, &bytes));
    st = sol_broker_put (s->b, s->record, bytes);
    memset (s->record, 0xee, bytes); /* the broker keeps its own copy */
    if (st != SOL_OK && st != SOL_AGAIN) return st;
    s->waits = st == SOL_AGAIN;
  }
  while (!s->waits && !s->no_more && (st = flow_claim (s)) != SOL_AGAIN) {
    if (st != SOL_OK) return st;
    busy = 1;
  }
  return busy ? SOL_OK : SOL_AGAIN;
}

/* ---- learner */
enum { F_PUBLISH, F_CHECK, F_WAIT, F_FRESH, F_SAVE, F_REST, F_END };

static inline sol_status_t flow_take (flow_state_t *s, int64_t batch)
{
  const flow_t *c = &s->c;
  SOL_TRY (sol_broker_batch (s->b, batch, s->rows));
  for (int64_t i = 0; i < c->prompts; i++) {
    static content_t x;
    sol_rollout_t v, want;
    int64_t first = batch * c->ups, version;
    SOL_TRY (sol_broker_get (s->b, batch, &s->rows[i], s->record));
    SOL_TRY (sol_rollout_open (s->record, (size_t) s->rows[i].bytes, &v));
    version = v.runs[0].version;
    want = content_of (c, (int64_t) v.ticket, version, &x);
    if (sol_rollout_digest (&want) != sol_rollout_digest (&v)) flow_bad (s, "content of ticket", (int64_t) v.ticket, batch);
    if (s->rows[i].ticket != (int64_t) v.ticket || s->rows[i].n_tokens != v.n_tokens || s->rows[i].n_prompt != v.n_prompt) flow_bad (s, "descriptor of ticket", (int64_t) v.ticket, batch);
    if (c->mode != SOL_STALE_FREE && (int64_t) v.ticket != batch * c->prompts + i) flow_bad (s, "order", (int64_t) v.ticket, batch * c->prompts + i);
    if (c->mode == SOL_STALE_EXACT && version != sol_broker_due (&s->p, batch)) flow_bad (s, "version", version, batch);
    if (c->mode == SOL_STALE_BOUNDED && (first - version > c->k || version > first)) flow_bad (s, "lag", first - version, batch);
    if (s->batch_of[v.ticket] >= 0) flow_bad (s, "trained twice", (int64_t) v.ticket, batch);
    else s->n_seen++;
    s->batch_of[v.ticket] = batch;
  }
  return sol_broker_done (s->b, batch);
}

/* batches that are due from versions up to v, exact mode */
static inline int64_t flow_due (const flow_t *c, int64_t version) { return version < 0 ? 0 : (version + c->k) / c->ups + 1; }

/* what the rewards of version v must sum up to, in exact mode */
static inline sol_status_t flow_fresh (flow_state_t *s, int64_t version)
{
  const flow_t *c = &s->c;
  double sum, want = 0;
  int64_t n, first = flow_due (c, version - 1), end = flow_due (c, version);
  SOL_TRY (sol_broker_fresh (s->b, version, &sum, &n));
  if (n < (end - first) * c->prompts * c->group) return SOL_AGAIN;
  for (int64_t t = first * c->prompts; t < end * c->prompts; t++) {
    static content_t x;
    sol_rollout_t v = content_of (c, t, version, &x);
    for (int g = 0; g < v.n_responses; g++) want += v.reward[g];
  }
  if (n != (end - first) * c->prompts * c->group || !(sum - want < 1e-9 && want - sum < 1e-9)) flow_bad (s, "fresh rewards of version", version, n);
  return SOL_OK;
}

static inline sol_status_t flow_learner (flow_state_t *s)
{
  const flow_t *c = &s->c;
  sol_broker_counts_t n;
  uint64_t hash;
  int first = s->roles.index == 0;
  switch (s->state) {
    case F_PUBLISH:
      memset (s->publish, (int) (s->update * 7 + 1) & 255, WEIGHTS);
      if (first) SOL_TRY (sol_broker_publish (s->b, s->update, s->publish));
      s->state = F_CHECK;
      return SOL_OK;
    case F_CHECK:
      if (first) {
        SOL_TRY (sol_broker_check (s->b));
        SOL_TRY (sol_broker_counts (s->b, &n));
        if (n.responses_in != n.responses_out + n.responses_queued + n.responses_dropped || n.responses_out > s->update / c->ups * c->prompts * c->group) flow_bad (s, "counts", n.responses_in, n.responses_out);
      }
      s->state = s->update >= c->updates ? F_FRESH : c->stop && s->update >= c->stop ? F_SAVE : F_WAIT;
      return SOL_OK;
    case F_WAIT:
      SOL_TRY (flow_take (s, s->update / c->ups));
      flow_sleep (s, c->delay_us / 2);
      s->update += c->ups;
      s->state = F_PUBLISH;
      return SOL_OK;
    case F_FRESH:
      if (first && c->mode == SOL_STALE_EXACT) SOL_TRY (flow_fresh (s, s->update));
      s->state = c->dir && !c->from ? F_SAVE : F_REST;
      return SOL_OK;
    case F_SAVE:
      if (first) SOL_TRY (sol_broker_save (s->b, c->dir, s->update, &hash));
      s->state = c->stop ? F_END : F_REST;
      return SOL_OK;
    case F_REST:
      for (; c->mode == SOL_STALE_EXACT && s->update / c->ups < s->n_tickets / c->prompts; s->update += c->ups) SOL_TRY (flow_take (s, s->update / c->ups));
      s->state = F_END;
      return SOL_OK;
    default:
      SOL_TRY (sol_comm_barrier (s->roles.learners));
      if (first) SOL_TRY (sol_broker_goodbye (s->b));
      return SOL_END;
  }
}

static inline sol_status_t flow_turn (flow_state_t *s)
{
  sol_status_t l, a, b;
  switch (s->roles.role) {
    case SOL_ROLE_ACTOR: return flow_actor (s);
    case SOL_ROLE_LEARNER: return flow_learner (s);
    case SOL_ROLE_BROKER: return sol_broker_step (s->b);
    case SOL_ROLE_SOLO: break;
  }
  l = flow_learner (s);
  if (l != SOL_OK && l != SOL_AGAIN) return l;
  a = flow_actor (s);
  if (a != SOL_OK && a != SOL_AGAIN && a != SOL_END) return a;
  b = sol_broker_step (s->b);
  if (b != SOL_OK && b != SOL_AGAIN) return b;
  return l == SOL_OK || a == SOL_OK || b == SOL_OK ? SOL_OK : SOL_AGAIN;
}

static inline void flow_loop (flow_state_t *s)
{
  double from = sol_clock_s ();
  unsigned idle = 0;
  for (;;) {
    sol_status_t st = flow_turn (s);
    if (st == SOL_END) return;
    if (st != SOL_OK && st != SOL_AGAIN) {
      fprintf (stderr, "rank %d: %s\n", tap_rank, sol_status_string (st));
      MPI_Abort (MPI_COMM_WORLD, 4);
    }
    if (st == SOL_AGAIN) sol_clock_idle (&idle);
    else idle = 0;
    if (sol_clock_s () - from > 60) {
      fprintf (stderr, "rank %d (%s.%d) is stuck: state %d, update %lld, ticket %lld, held %d, waits %d\n", tap_rank, sol_role_name (s->roles.role), s->roles.index,
               s->state, (long long) s->update, (long long) s->ticket, s->held, s->waits);
      MPI_Abort (MPI_COMM_WORLD, 5);
    }
  }
}

/* every ticket's batch so far; kept by learners from one leg of a run to the next. 0: all was right on this rank */
static inline int flow_run (const flow_t *c, int64_t *batch_of)
{
  static flow_state_t s;
  memset (&s, 0, sizeof s);
  s.c = *c;
  s.seed = (unsigned) (tap_rank * 977 + (int) c->k + (int) c->slots + 1);
  s.version = -1;
  s.update = c->from;
  s.batch_of = batch_of;
  flow_roles (&s);
  s.room = sol_rollout_max_bytes ((int32_t) c->group, MAX_PROMPT, c->max_new, 1);
  s.record = sol_alloc (s.room);
  s.block = sol_alloc (WEIGHTS);
  s.publish = sol_alloc (WEIGHTS);
  s.rows = sol_alloc ((size_t) c->prompts * sizeof *s.rows);
  s.p = (sol_broker_params_t){ .roles = &s.roles, .mode = c->mode, .k = c->k, .ups = c->ups, .prompts = c->prompts, .group = c->group, .updates = c->updates, .ring_slots = c->slots,
                            .queue = c->queue, .record_bytes = s.room, .weight_bytes = WEIGHTS };
  s.n_tickets = sol_broker_tickets (&s.p);
  if (sol_broker_open (&s.p, &s.b) != SOL_OK) MPI_Abort (MPI_COMM_WORLD, 6);
  if (c->from && sol_broker_load (s.b, c->dir, c->from) != SOL_OK) MPI_Abort (MPI_COMM_WORLD, 7);
  flow_loop (&s);
  if (s.roles.role == SOL_ROLE_LEARNER || s.roles.role == SOL_ROLE_SOLO) {
    int64_t want = c->stop ? (c->stop - c->from) / c->ups * c->prompts : s.n_tickets - c->from / c->ups * c->prompts;
    if (s.n_seen != want) flow_bad (&s, "groups trained, expected", s.n_seen, want);
  }
  sol_broker_close (s.b);
  sol_comm_destroy (s.roles.learners);
  void *all[] = { s.record, s.block, s.publish, s.rows, s.roles.broker_rank, s.roles.learner_rank, s.roles.actor_rank };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) sol_free (all[i]);
  return s.error;
}

/* a run from start to end */
static inline int flow (const flow_t *c)
{
  size_t n = (size_t) (c->updates + c->k + c->ups) / (size_t) c->ups * (size_t) c->prompts + 1;
  int64_t *batch_of = sol_alloc (n * sizeof *batch_of);
  memset (batch_of, 0xff, n * sizeof *batch_of);
  int bad = flow_run (c, batch_of);
  sol_free (batch_of);
  return bad;
}

static inline void flow_start (int *argc, char ***argv)
{
  if (sol_comm_start (argc, argv) != SOL_OK) exit (1);
  tap_rank = sol_comm_rank (sol_comm_world ());
  tap_size = sol_comm_size (sol_comm_world ());
  sol_log_level (getenv ("FLOW_VERBOSE") ? SOL_LOG_INFO : SOL_LOG_WARN);
}
#endif
