/* SPDX-License-Identifier: Apache-2.0 */
/* broker_window.c: the window and its words. Only Put, Get and Fetch_and_op under one lock_all: what every one-sided component does right. */
#include "broker_internal.h"
#include <string.h>

sol_status_t sol_word_add (sol_broker_t *b, int host, int64_t word, int64_t delta, int64_t *old_p)
{
  SOL_MPI (MPI_Fetch_and_op (&delta, old_p, MPI_INT64_T, host, 8 * word, MPI_SUM, b->win));
  SOL_MPI (MPI_Win_flush (host, b->win));
  return SOL_OK;
}

sol_status_t sol_word_get (sol_broker_t *b, int host, int64_t word, int64_t *value_p)
{
  int64_t none = 0;
  SOL_MPI (MPI_Fetch_and_op (&none, value_p, MPI_INT64_T, host, 8 * word, MPI_NO_OP, b->win));
  SOL_MPI (MPI_Win_flush (host, b->win));
  return SOL_OK;
}

sol_status_t sol_word_set (sol_broker_t *b, int host, int64_t word, int64_t value)
{
  int64_t old;
  SOL_MPI (MPI_Fetch_and_op (&value, &old, MPI_INT64_T, host, 8 * word, MPI_REPLACE, b->win));
  SOL_MPI (MPI_Win_flush (host, b->win));
  return SOL_OK;
}

#define PIECE ((size_t) 1 << 28)

sol_status_t sol_window_put (sol_broker_t *b, int host, int64_t at, const void *data, size_t bytes)
{
  for (size_t i = 0; i < bytes; i += PIECE) {
    int n = (int) (bytes - i < PIECE ? bytes - i : PIECE);
    SOL_MPI (MPI_Put ((const char *) data + i, n, MPI_BYTE, host, at + (int64_t) i, n, MPI_BYTE, b->win));
  }
  SOL_MPI (MPI_Win_flush (host, b->win));
  return SOL_OK;
}

sol_status_t sol_window_get (sol_broker_t *b, int host, int64_t at, void *data, size_t bytes)
{
  for (size_t i = 0; i < bytes; i += PIECE) {
    int n = (int) (bytes - i < PIECE ? bytes - i : PIECE);
    SOL_MPI (MPI_Get ((char *) data + i, n, MPI_BYTE, host, at + (int64_t) i, n, MPI_BYTE, b->win));
  }
  SOL_MPI (MPI_Win_flush (host, b->win));
  return SOL_OK;
}

void sol_broker_slice (const sol_broker_t *b, int i, int64_t *first_p, int64_t *bytes_p)
{
  int64_t units = ((int64_t) b->p.weight_bytes + 63) / 64, from = units * i / b->n_brokers * 64, to = units * (i + 1) / b->n_brokers * 64;
  if (to > (int64_t) b->p.weight_bytes) to = (int64_t) b->p.weight_bytes;
  *first_p = from;
  *bytes_p = to - from;
}

int32_t sol_broker_share (const sol_broker_t *b, int i, int64_t batch)
{
  int64_t first = batch * b->p.prompts, shift;
  shift = (i - first % b->n_brokers + b->n_brokers) % b->n_brokers; /* its first ticket is first + shift */
  return (int32_t) (b->p.prompts > shift ? (b->p.prompts - shift + b->n_brokers - 1) / b->n_brokers : 0);
}

int64_t sol_broker_place (const sol_broker_t *b, int64_t ticket)
{
  if (b->p.schedule) return sol_schedule_place (b->p.schedule, ticket);
  return ticket >= 0 && ticket < b->n_order ? b->order[ticket] : ticket;
}

int64_t sol_broker_batch_of (const sol_broker_t *b, int64_t ticket)
{
  const int64_t place = b->p.schedule ? sol_schedule_place (b->p.schedule, ticket) : ticket;
  return place < 0 ? -1 : place / b->p.prompts;
}

int64_t sol_broker_claim_at (const sol_broker_t *b, int64_t n)
{
  const sol_schedule_t *s = b->p.schedule;
  const int64_t i = n < b->n_missing ? b->missing[n] : b->after + n - b->n_missing;
  if (s) return i < s->n_claims ? sol_schedule_ticket (s, s->order[i]) : -1;
  return i < sol_broker_tickets (&b->p) ? i : -1;
}

int sol_broker_of (const sol_broker_t *b, int64_t ticket)
{
  int64_t place = sol_broker_place (b, ticket);
  return place < 0 ? 0 : (int) (place % b->n_brokers); /* a ticket that cannot be is refused by broker 0 */
}

int32_t sol_broker_share_max (const sol_broker_t *b) { return (int32_t) ((b->p.prompts + b->n_brokers - 1) / b->n_brokers); }

int64_t sol_broker_due (const sol_broker_params_t *p, int64_t batch) { return batch * p->ups > p->k ? batch * p->ups - p->k : 0; }

int64_t sol_broker_due_of (const sol_broker_params_t *p, int64_t ticket)
{
  if (!p->schedule) return sol_broker_due (p, ticket / p->prompts);
  const int64_t place = sol_schedule_place (p->schedule, ticket);
  return place < 0 ? -1 : p->schedule->due[place];
}

int64_t sol_broker_tickets (const sol_broker_params_t *p)
{
  if (p->schedule) return p->schedule->n;
  int64_t batches = p->mode == SOL_STALE_EXACT ? (p->updates + p->k) / p->ups + 1 : p->updates / p->ups;
  return batches * p->prompts;
}

/* where everything lies; every rank computes the same */
static void lay_out (sol_broker_t *b)
{
  int64_t at = 8 * W_COUNT, slice;
  const sol_roles_t *r = b->p.roles;
#define PLACE(field, bytes) (b->field = at, at = (at + (int64_t) (bytes) + 63) / 64 * 64)
  at = (at + 63) / 64 * 64;
  b->slot_bytes = ((int64_t) b->p.record_bytes + 8 + 63) / 64 * 64;
  b->row_room = sol_broker_share_max (b);
  b->area_bytes = b->row_room * (((int64_t) b->p.record_bytes + 7) / 8 * 8);
  b->n_versions = b->p.updates / b->p.ups + 2;
  PLACE (at_need, 8 * r->n_actors);
  PLACE (at_done, 8 * r->n_learners);
  PLACE (at_put, (int64_t) sizeof (put_t) * r->n_actors);
  PLACE (at_state, 8 * b->p.ring_slots);
  PLACE (at_counts, sizeof b->n);
  PLACE (at_fresh, (int64_t) sizeof (fresh_t) * b->n_versions);
  PLACE (at_path, PATH_BYTES);
  PLACE (at_rows, 2 * b->row_room * (int64_t) sizeof (sol_batch_row_t));
  PLACE (at_ring, b->p.ring_slots * b->slot_bytes);
  PLACE (at_area, 2 * b->area_bytes);
  slice = (((int64_t) b->p.weight_bytes + 63) / 64 / b->n_brokers + 1) * 64; /* the largest slice */
  PLACE (at_weights, 2 * (slice + 64));
  b->window_bytes = at;
#undef PLACE
}

size_t sol_broker_bytes (const sol_broker_params_t *params, size_t *most_p)
{
  sol_broker_t b = { .p = *params, .n_brokers = params->roles->n_brokers };
  lay_out (&b);
  *most_p = (size_t) b.window_bytes;
  return (size_t) (b.window_bytes - (b.at_weights - b.at_ring)); /* ring and area take what is used of them */
}

static sol_status_t init_words (sol_broker_t *b)
{
  for (int64_t s = 0; s < b->p.ring_slots; s++) SOL_TRY (sol_word_set (b, b->rank, sol_word_at (b->at_state, s), s * SLOT_STATES + SLOT_FREE));
  for (int i = 0; i < b->p.roles->n_actors; i++) SOL_TRY (sol_word_set (b, b->rank, sol_word_at (b->at_need, i), INT64_MAX));
  return SOL_OK;
}

sol_status_t sol_broker_open (const sol_broker_params_t *params, sol_broker_t **broker_p)
{
  const sol_roles_t *r = params->roles;
  MPI_Comm comm = sol_comm_mpi (r->world);
  sol_broker_t *b = sol_alloc (sizeof *b);
  char name[MPI_MAX_OBJECT_NAME] = "";
  int n;
  b->p = *params;
  b->rank = sol_comm_rank (r->world);
  b->n_brokers = r->n_brokers;
  b->host = r->broker_rank;
  b->claimed = b->fetched = b->pending_place = -1;
  b->need_ticket = b->need_trial = INT64_MAX;
  for (int i = 0; i < b->n_brokers; i++)
    if (b->host[i] == b->rank) {
      b->is_broker = 1;
      b->me = i;
    }
  b->put = sol_alloc ((size_t) b->n_brokers * sizeof *b->put);
  lay_out (b);
  SOL_MPI (MPI_Win_allocate (b->is_broker ? b->window_bytes : 64, 1, MPI_INFO_NULL, comm, &b->base, &b->win));
  SOL_MPI (MPI_Win_set_errhandler (b->win, MPI_ERRORS_RETURN));
  /* All before the ring. Nobody reads what lies behind before it is written (a slot's state, HELD or BATCHES says when), and it may be much: its pages come with their first use. */
  memset (b->base, 0, b->is_broker ? (size_t) b->at_ring : 64);
  SOL_MPI (MPI_Barrier (comm));
  SOL_MPI (MPI_Win_lock_all (0, b->win));
  if (b->is_broker) {
    SOL_TRY (init_words (b));
    b->fresh = sol_alloc ((size_t) b->n_versions * sizeof *b->fresh);
    b->got = sol_alloc ((size_t) r->n_actors * sizeof *b->got);
    if (b->p.mode != SOL_STALE_EXACT) b->seen = sol_alloc ((size_t) sol_broker_tickets (&b->p));
    MPI_Win_get_name (b->win, name, &n);
    sol_log (SOL_LOG_INFO, "broker", "window of %.1f MB (%s): ring of %lld records of up to %.1f kB", (double) b->window_bytes / 1e6, name[0] ? name : "unnamed", (long long) b->p.ring_slots,
             (double) b->p.record_bytes / 1e3);
  }
  SOL_MPI (MPI_Barrier (comm));
  *broker_p = b;
  return SOL_OK;
}

const sol_broker_params_t *sol_broker_params (const sol_broker_t *b) { return &b->p; }

void sol_broker_close (sol_broker_t *b)
{
  if (!b) return;
  MPI_Win_unlock_all (b->win);
  MPI_Win_free (&b->win);
  sol_queue_destroy (b);
  void *all[] = { b->order, b->fresh, b->got, b->put, b->seen, b->missing, b->pending, b };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) sol_free (all[i]);
}
