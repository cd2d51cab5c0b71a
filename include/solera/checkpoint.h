/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoint.h: RUN/checkpoints/u00000320/ {manifest.json, weights.f32, adam_m.f32, adam_v.f32, queue.0, ...}; RUN/checkpoints/latest names the newest whole one. Written to a ".tmp" folder,
 * every file fsync'd, manifest last (sizes and XXH3 of every file, counters, settings), renamed, then latest. Files are canonical flat blocks: any number of learners reads them. */
#ifndef SOL_CHECKPOINT_H
#define SOL_CHECKPOINT_H
#include "solera/comm.h"
#include "solera/config.h"
#include "solera/status.h"

typedef struct {
  int64_t update;        /* updates made */
  int64_t step;          /* AdamW's step = update, kept apart */
  int64_t elements;      /* of weights, m, v */
  uint64_t weight_digest;
  int64_t counters[32];  /* the learner's own, by its own enum */
  double sums[16];
  int n_queues;          /* files queue.0 .. */
} sol_checkpoint_t;

/* Writing, in this order. begin (rank 0 of comm makes the folder; collective) -> each rank writes its slices -> queue files written by brokers into the folder -> commit (collective). */
typedef struct sol_checkpoint_writer sol_checkpoint_writer_t;
sol_status_t sol_checkpoint_begin (const char *run_dir, int64_t update, int64_t elements, sol_comm_t *comm, sol_checkpoint_writer_t **writer_p);
const char *sol_checkpoint_dir (const sol_checkpoint_writer_t *w); /* the temporary folder */
/* elements [first, first + n) of "weights", "adam_m" or "adam_v"; not collective */
sol_status_t sol_checkpoint_put (sol_checkpoint_writer_t *w, const char *what, int64_t first, int64_t n, const float *data);
/* this rank could not do its part (a queue file failed, say): commit will end with st on all ranks and remove the folder */
void sol_checkpoint_spoil (sol_checkpoint_writer_t *w, sol_status_t st);
/* gives the writer up without a checkpoint, on an error's way out; not collective, NULL is fine. The temporary folder stays: the next begin removes it. */
void sol_checkpoint_drop (sol_checkpoint_writer_t *w);
/* before commit, on rank 0: checkpoints of update `from` and later that are multiples of every (>= 1) stay, whatever keep_last says: their evaluation is not there yet */
void sol_checkpoint_spare (sol_checkpoint_writer_t *w, int64_t from, int64_t every);
/* collective; hashes the files, writes the manifest (with settings text), renames, updates latest, keeps keep_last in all, and the best (later ones, of a history that the run has left, go too).
 * weights must have been put wholly, adam_m and adam_v wholly or not at all. The writer is destroyed, also on errors (the folder is then removed). */
sol_status_t sol_checkpoint_commit (sol_checkpoint_writer_t *w, const sol_checkpoint_t *info, const char *settings, int keep_last);

/* RUN/checkpoints/best: the one that is kept for its evaluation. update -1: none, nothing is named. Not collective. */
sol_status_t sol_checkpoint_best (const char *run_dir, int64_t *update_p);
sol_status_t sol_checkpoint_name_best (const char *run_dir, int64_t update);
int sol_checkpoint_there (const char *run_dir, int64_t update); /* is there a folder of that update? */
/* what commit does to older ones, with nothing spared but the best; update: of the newest */
sol_status_t sol_checkpoint_prune (const char *run_dir, int64_t update, int keep_last);

/* what the owner of other files in the folder says of them (queue.*: sol_broker_verify); an error is damage like any other */
typedef sol_status_t (*sol_checkpoint_check_t) (const char *dir, const sol_checkpoint_t *info);
/* Reading. Finds the newest whole checkpoint of run_dir (checks manifest, sizes, checksums, and check if not NULL; a damaged one is named in a warning and the one before is used).
 * SOL_END: there is none at all. All damaged: an error; so is a newer format version (nothing older is used silently). *dir_p, *settings_p (both may be NULL) sol_free. Not collective. */
sol_status_t sol_checkpoint_find (const char *run_dir, sol_checkpoint_check_t check, sol_checkpoint_t *info_p, char **dir_p, char **settings_p);
sol_status_t sol_checkpoint_get (const char *dir, const char *what, int64_t first, int64_t n, float *data);
/* one checkpoint folder, checked wholly */
sol_status_t sol_checkpoint_open (const char *dir, sol_checkpoint_t *info_p, char **settings_p);
#endif
