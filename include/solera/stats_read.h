/* SPDX-License-Identifier: Apache-2.0 */
/* stats_read.h: a run's token statistics, update by update, from the files of all learners and launches under RUN/stats. Memory is that of one update and of the index; a run larger than memory
 * can be read. Not collective; a rank opens its own reader. A run that goes on can be read as far as it had come. */
#ifndef SOL_STATS_READ_H
#define SOL_STATS_READ_H
#include "solera/stats.h"
#include "solera/status.h"
#include <stdint.h>

typedef struct sol_stats_reader sol_stats_reader_t;
/* Opens a run's folder. Rows that a later launch has made anew count no more (as in stats.h5). What is left out with a warning: a file that cannot be read where nothing is missing without it, and
 * last updates that not every learner had written. SOL_ERR_IO: no run, no statistics, a file that stats.h5 names is missing. SOL_ERR_UNSUPPORTED: another version. SOL_ERR_HDF5, SOL_ERR_FORMAT:
 * damaged, or updates are missing in between; the file or the updates are named. */
sol_status_t sol_stats_reader_open (const char *run_dir, sol_stats_reader_t **reader_p);
void sol_stats_reader_close (sol_stats_reader_t *reader); /* NULL is fine */
int64_t sol_stats_reader_last (const sol_stats_reader_t *reader); /* updates 0 to this are there, at least one */
const char *sol_stats_reader_settings (const sol_stats_reader_t *reader); /* the newest launch's, YAML */
const char *sol_stats_reader_program (const sol_stats_reader_t *reader);
/* columns that not every run has */
enum { SOL_STATS_READ_PROX = 1, SOL_STATS_READ_CHECK = 2, SOL_STATS_READ_ENTROPY = 4 /* every run has it */, SOL_STATS_READ_RAW = 8 };
/* was this one (tokens/lp_prox, lp_check, lp_raw) recorded for every update of [from, to]? */
int sol_stats_reader_has (const sol_stats_reader_t *reader, int one, int64_t from, int64_t to);

/* tokens of one update on all learners, by (seq, position), whatever the number of learners; arrays of n, the reader's until the next call */
typedef struct {
  int64_t n;
  const int64_t *seq;
  const int32_t *position, *token, *version;
  const float *lp_behav, *lp, *entropy, *advantage; /* nats; as recorded */
  const uint8_t *verdict;
  const float *lp_prox, *lp_check, *entropy_behav, *lp_raw; /* NULL: not asked for */
} sol_stats_update_t;
/* n = 0: the update had lost all its responses. want: or of SOL_STATS_READ_*: these too, which must have been recorded. Ascending updates are read fastest. SOL_ERR_FORMAT: a sequence is there twice, or its positions
 * do not go 0, 1, 2 ... */
sol_status_t sol_stats_reader_update (sol_stats_reader_t *reader, int64_t update, int want, sol_stats_update_t *update_p);
/* The responses that an update took, in the order in which the learners had them: the groups by their place in the batch. The arrays are the reader's until the next call. */
sol_status_t sol_stats_reader_sequences (sol_stats_reader_t *reader, int64_t update, sol_stats_sequences_t *rows_p);
/* XXH3 of the published weights that an update began with; 0: not recorded */
uint64_t sol_stats_reader_weights (const sol_stats_reader_t *reader, int64_t update);
/* so far: bytes of columns, uncompressed, and the time that reading them took */
double sol_stats_reader_seconds (const sol_stats_reader_t *reader, int64_t *bytes_p);
#endif
