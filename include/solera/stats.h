/* SPDX-License-Identifier: Apache-2.0 */
/* stats.h: token statistics in HDF5, schema in docs/statistics.md. One file per learner and launch, RUN/stats/<launch>.<learner>.h5, never reopened for writing after a kill; RUN/stats.h5 is a
 * virtual data set over all of them, rebuilt at checkpoints and at the end, without rows beyond the resumed update. Columnar, chunked, flushed every batch (H5Fflush), written
 * by a thread off the critical path (rows are copied into a queue of fixed room; append waits only when the queue is full). The columns are one table in src/store/stats_columns.h. */
#ifndef SOL_STATS_H
#define SOL_STATS_H
#include "solera/status.h"
#include <stdint.h>

#define SOL_STATS_VERSION 3

/* tokens of one update that this learner holds: arrays of n */
typedef struct {
  int64_t n;
  int32_t update;
  const int64_t *seq;      /* rollout id: ticket * group + response */
  const int32_t *position; /* in the response */
  const int32_t *token;
  const int32_t *version;  /* policy version that chose it */
  const float *lp_behav, *lp, *entropy, *entropy_behav, *advantage;
  const uint8_t *verdict;
  const float *lp_prox, *lp_raw, *lp_ref, *lp_check; /* NULL: not recorded */
  uint64_t weights;        /* XXH3 of the published weights that the update began with; 0: not known */
} sol_stats_tokens_t;

/* sequences (trained or not), arrays of n; prompt tokens concatenated */
typedef struct {
  int64_t n;
  const int64_t *seq, *ticket;
  const uint64_t *prompt_id;
  const int32_t *update;       /* first update that took it; -1: never trained */
  const int32_t *set;          /* data set of the prompt */
  const int32_t *batch, *version_min, *version_max, *n_prompt, *n_response;
  const uint8_t *finish;
  const double *reward;
  const float *reward_answer, *reward_format, *reward_length, *advantage;
  const int32_t *place;        /* of the group in its batch */
  const uint64_t *generated;   /* sol_rollout_generated of the group */
  const uint8_t *stopped;      /* 1: the verifier was stopped */
  const int32_t *refilled;     /* groups that were dropped for its own */
  const uint8_t *dropped;      /* 1: that update refused it and went on without it */
  const int32_t *prompt;       /* prompt tokens of all n, n_prompt each; a group's prompt is repeated */
} sol_stats_sequences_t;

typedef struct sol_stats sol_stats_t;
typedef struct {
  const char *run_dir, *settings, *program, *libraries, *hosts, *data_sets; /* texts that become attributes */
  int learner, launch;   /* launch: 0, 1, ... number of starts of this run */
  uint64_t seed;
  int deflate;           /* 0: no filter */
  int64_t chunk;
  int64_t resumed_update; /* rows of earlier launches at updates >= this are excluded */
} sol_stats_params_t;
/* not collective */
sol_status_t sol_stats_open (const sol_stats_params_t *params, sol_stats_t **stats_p);
sol_status_t sol_stats_tokens (sol_stats_t *s, const sol_stats_tokens_t *rows);
sol_status_t sol_stats_sequences (sol_stats_t *s, const sol_stats_sequences_t *rows);
sol_status_t sol_stats_flush (sol_stats_t *s);  /* returns when everything appended is in the file and flushed */
sol_status_t sol_stats_close (sol_stats_t *s);
double sol_stats_seconds (const sol_stats_t *s, double *waited_p); /* writer's time, and time that append waited */
/* next launch number of a run folder (0 for a new one). The run is nobody else's: what killed writers of earlier launches had not brought into their files is brought there. Rank 0 only. */
sol_status_t sol_stats_launch (const char *run_dir, int *launch_p);
/* rebuilds RUN/stats.h5 over every launch's files; updates_of_launch rules from attributes "resumed_update". Rank 0 only. */
sol_status_t sol_stats_link (const char *run_dir);
/* what a statistics file (or RUN/stats.h5) holds; refuses an unknown version. text attributes sol_free */
typedef struct { int64_t n_tokens, n_sequences, first_update, last_update; int version; uint64_t seed; char *program; } sol_stats_info_t;
sol_status_t sol_stats_info (const char *path, sol_stats_info_t *info_p);
/* 1 after a write that failed (a full disk): HDF5 1.10 crashes when it ends with such a file, so the process must end by _exit, without MPI_Finalize and exit handlers */
int sol_stats_broken (void);
double sol_stats_bytes_per_token (void); /* uncompressed */
/* bytes of a launch's files before compression, for the estimate at the start: files grow by whole chunks, each of n_learners has its own file */
typedef struct { int64_t n_tokens, n_sequences, n_prompt_tokens, n_updates, chunk; int n_learners, n_optional; /* of lp_prox, lp_raw, lp_ref, lp_check */ } sol_stats_size_t;
double sol_stats_bytes (const sol_stats_size_t *size);
#endif
