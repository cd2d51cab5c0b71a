/* SPDX-License-Identifier: Apache-2.0 */
/* broker_file.h: a broker's file in a checkpoint: header, outside exact mode a byte for every ticket (1: admitted here), then (bytes, record) each padded to 8, then XXH3 of all before it. */
#ifndef SOL_BROKER_FILE_H
#define SOL_BROKER_FILE_H
#include "solera/rollout.h"

#define QUEUE_MAGIC 0x51524c53u /* "SLRQ" */
enum { QUEUE_VERSION = 2, QUEUE_SCHEDULE = 3 /* mode, beside SOL_STALE_*: the run has a schedule, and k says which */ };
typedef struct { int64_t responses, tokens; uint64_t digest; } sol_amount_t;
typedef struct {
  uint32_t magic, version;
  int64_t update, n_records, prompts, ups, k, tickets;
  int32_t index, n_brokers, mode, has_seen;
  sol_amount_t in, out, dropped; /* as the broker counted them; in is without what the file leaves out: so in = out + dropped + the records */
} sol_queue_header_t;
typedef struct { char *path, *data; size_t at, end; sol_queue_header_t h; } sol_queue_file_t;

char *sol_queue_path (const char *dir, int index);
/* reads file `index` of dir and checks what it says of itself; *f is empty on errors */
sol_status_t sol_queue_open (const char *dir, int index, sol_queue_file_t *f);
void sol_queue_close (sol_queue_file_t *f);
sol_status_t sol_queue_bad (const sol_queue_file_t *f, const char *why);
/* record i (all in turn), copied to where its numbers are aligned: sol_alloc'd, *view_p points into it. END: no more */
sol_status_t sol_queue_next (sol_queue_file_t *f, int64_t i, char **record_p, int64_t *bytes_p, sol_rollout_t *view_p);
/* exact mode: the last batch that is due from a version below update; -1: none */
static inline int64_t sol_queue_last_due (int64_t update, int64_t k, int64_t ups) { return update > 0 ? (update + k - 1) / ups : -1; }
#endif
