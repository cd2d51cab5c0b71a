/* SPDX-License-Identifier: Apache-2.0 */
/* broker_internal.h: the window of a broker and its private queue. docs/broker.md has the table of words and their writers. */
#ifndef SOL_BROKER_INTERNAL_H
#define SOL_BROKER_INTERNAL_H
#include "../comm/comm_mpi.h"
#include "broker_file.h"
#include "solera/broker.h"
#include "solera/log.h"
#include "solera/memory.h"

/* 64-bit words at the head of every broker's window. Versions and updates are stored plus one: 0 means none. */
enum {
  W_TAIL,     /* actors, fetch-and-add: places taken in this ring */
  W_CLAIM,    /* actors, fetch-and-add: tickets claimed (broker 0) */
  W_VERSION,  /* learner 0: newest version published */
  W_HELD,     /* learner 0: [2] version in each weight buffer; 0 while it is written */
  W_HASH = W_HELD + 2, /* learner 0: [2] XXH3 of this broker's slice in each buffer */
  W_GOODBYE = W_HASH + 2, /* learner 0: the run is over */
  W_SAVE,     /* learner 0: number of the checkpoint asked for (1, 2, ... in this launch) */
  W_SAVE_UPDATE, /* learner 0: its update */
  W_SAVED,    /* broker: number of the last one written */
  W_SAVED_HASH, /* broker: its checksum */
  W_BATCHES,  /* broker: batches 0 .. W_BATCHES - 1 have been served */
  W_COUNTS_SEQ, /* broker: odd while the counts are written */
  W_COUNT
};
#define PATH_BYTES 4096
enum { SLOT_FREE = 0, SLOT_FULL = 1, SLOT_SKIP = 2, SLOT_STATES = 4 }; /* state word of a slot: ticket of the ring * SLOT_STATES + state; SKIP is reserved for the place of a dead actor */

/* what an actor says in the window that it has put to this broker: groups first, then the rest, then the record. So when as many groups are admitted as were said, the amounts are equal. */
typedef struct { int64_t groups; sol_amount_t amount; } put_t;
/* Rewards of one version: whole + part / 2^60, 0 <= part < 2^60: one representation for a sum, so it does not depend on the order of its terms. */
typedef struct { int64_t n_word /* 2n, odd while it is written */, whole, part; } fresh_t;
#define REWARD_MOST 0x1p30 /* 2^32 responses of it fit */
/* one admitted group */
typedef struct entry {
  char *record;
  uint64_t digest;
  sol_batch_row_t row;
} entry_t;
/* a batch being collected or served: this broker's share of it */
typedef struct { entry_t *entry; int32_t n, want; } share_t;

struct sol_broker {
  sol_broker_params_t p;
  MPI_Win win;
  char *base;
  int rank, n_brokers, *host;         /* world ranks of the brokers */
  int is_broker, me;                  /* my index among the brokers */
  int64_t *order, n_order;            /* free mode after a resume: see sol_broker_place */
  int64_t slot_bytes, area_bytes, row_room, n_versions;
  int64_t at_need, at_done, at_put, at_state, at_counts, at_fresh, at_path, at_rows, at_ring, at_area, at_weights, window_bytes;
  /* ---- actor */
  int64_t claimed, fetched;           /* ticket held or -1; version that the model has, -1: none */
  int64_t need_ticket, need_trial;    /* the need word is the lesser: a version that a claim may still need (exact mode), and the next to be evaluated */
  int64_t *missing, n_missing, after; /* tickets issued again after a resume, and the first new one */
  int no_more;                        /* all tickets are claimed */
  put_t *put;                         /* [n_brokers] put so far */
  char *pending;                      /* a record that waits for its place */
  size_t pending_bytes;
  int64_t pending_place;              /* -1: not taken yet */
  int pending_host;
  double ended_asked_s;
  int ended;
  /* ---- broker */
  int64_t cursor;                     /* next place of the ring to admit */
  int64_t fed;                        /* batches before this one were fed */
  int64_t first, served, n_shares;    /* shares [0 .. n_shares) are those of batches first .. ; batches under `served` are in the batch area */
  share_t *share;
  uint8_t *seen;                      /* tickets admitted, outside exact mode; NULL else */
  int64_t unchecked;                  /* groups that came or went since the queue was counted anew */
  sol_broker_counts_t n;
  put_t *got;                         /* [n_actors] admitted from each, without what a checkpoint held */
  fresh_t *fresh;                     /* [n_versions] */
  /* ---- learner 0 */
  int64_t saving, saves;              /* update + 1 of the checkpoint being asked for, 0: none; asked for so far */
};

/* ---- broker_window.c */
sol_status_t sol_word_get (sol_broker_t *b, int host, int64_t word, int64_t *value_p);
sol_status_t sol_word_set (sol_broker_t *b, int host, int64_t word, int64_t value);
sol_status_t sol_word_add (sol_broker_t *b, int host, int64_t word, int64_t delta, int64_t *old_p);
sol_status_t sol_window_put (sol_broker_t *b, int host, int64_t at, const void *data, size_t bytes);
sol_status_t sol_window_get (sol_broker_t *b, int host, int64_t at, void *data, size_t bytes);
/* the slice of the weights that broker i holds */
void sol_broker_slice (const sol_broker_t *b, int i, int64_t *first_p, int64_t *bytes_p);
/* tickets of batch `batch` that broker i handles */
int32_t sol_broker_share (const sol_broker_t *b, int i, int64_t batch);
/* A ticket's place in the order of training, by which it travels through a broker: the ticket itself. In free mode batches are made up by arrival, so what was trained before a resume
 * is no run of tickets; the others close up behind it (-1: trained), and any number of brokers gets as many as its shares of the batches ask for. */
int64_t sol_broker_place (const sol_broker_t *b, int64_t ticket);
int64_t sol_broker_batch_of (const sol_broker_t *b, int64_t ticket); /* not in free mode, where arrival decides; -1: a ticket that the schedule does not have */
int64_t sol_broker_claim_at (const sol_broker_t *b, int64_t n); /* ticket of the n-th claim since the start or resume; -1: there are no more */
int sol_broker_of (const sol_broker_t *b, int64_t ticket);
int32_t sol_broker_share_max (const sol_broker_t *b);
static inline int64_t sol_word_at (int64_t base, int64_t i) { return base / 8 + i; }

/* ---- broker_queue.c */
/* mode and k as its file has them */
static inline int sol_queue_mode (const sol_broker_params_t *p) { return p->schedule ? QUEUE_SCHEDULE : p->mode; }
static inline int64_t sol_queue_k (const sol_broker_params_t *p) { return p->schedule ? (int64_t) (p->schedule->identity & INT64_MAX) : p->k; }
/* takes the record (sol_alloc'd), also when it fails. actor_p: who put it, checked, and *got_p what it holds; both NULL for a checkpoint's */
sol_status_t sol_queue_admit (sol_broker_t *b, char *record, size_t bytes, int *actor_p, sol_amount_t *got_p);
void sol_queue_forget (sol_broker_t *b, int64_t batch); /* batches below are trained */
void sol_queue_destroy (sol_broker_t *b);
int sol_queue_complete (const sol_broker_t *b, int64_t batch);
share_t *sol_queue_share (sol_broker_t *b, int64_t batch); /* made when there is none yet */
sol_status_t sol_queue_check (sol_broker_t *b); /* SOL_ERR_CONSERVATION: what the queue holds is not what was counted. Walks the whole queue: see sol_queue_audit */
sol_status_t sol_queue_audit (sol_broker_t *b); /* the same once half as many groups came and went as the queue has places: constant work a group */
/* exact mode: is every group here that is due from a version before the update? Of what is trained nothing is asked. *missing_p: the first that is not, -1: all are; NULL: not asked for */
int sol_queue_whole (sol_broker_t *b, int64_t update, int64_t *missing_p);
sol_status_t sol_queue_write (sol_broker_t *b, const char *dir, int64_t update, uint64_t *hash_p);
/* ---- broker_step.c: SOL_ERR_CONSERVATION: what an actor put to this broker is not what was admitted from it (with nothing on its way) */
sol_status_t sol_put_check (sol_broker_t *b, int actor);
#endif
