/* SPDX-License-Identifier: Apache-2.0 */
/* stats_source.h: reading a learner's statistics file: what of it is whole, and columns by piece. The caller holds the HDF5 lock. */
#ifndef SOL_STATS_SOURCE_H
#define SOL_STATS_SOURCE_H
#include "stats_file.h"

typedef struct {
  char *path;
  hid_t file;
  int launch, learner, has[SOL_STATS_N_OPTIONAL]; /* has: the optional columns */
  int64_t resumed_update;
  int64_t rows[SOL_STATS_N_TABLES]; /* whole rows, at updates below the cut */
  int64_t first_update, last_update; /* of the tokens; -1: none */
} sol_stats_source_t;

/* opens and checks format, version and launch; rows are not known yet */
sol_status_t sol_stats_source_open (const char *path, sol_stats_source_t *s_p);
/* the same; another process may be in the middle of a flush just now: a moment later the file is whole */
sol_status_t sol_stats_source_open_patiently (const char *path, sol_stats_source_t *s_p);
/* rows that the index of updates vouches for, without updates >= cut */
sol_status_t sol_stats_source_measure (sol_stats_source_t *s, int64_t cut);
void sol_stats_source_close (sol_stats_source_t *s);
/* rows [first, first + n) of a column into memory of the column's type */
sol_status_t sol_stats_read (hid_t file, int column, int64_t first, int64_t n, void *data, const char *path);
/* rows of a one-dimensional data set */
sol_status_t sol_stats_extent (hid_t file, const char *name, int64_t *n_p, const char *path);
/* root attributes of any statistics file: format and version must be ours. kind_p: sol_free */
sol_status_t sol_stats_check_root (hid_t file, const char *path, char **kind_p);
/* RUN/stats/LAUNCH.LEARNER.h5 <-> numbers */
void sol_stats_source_name (int launch, int learner, char *text, size_t room); /* "stats/0000.0001.h5" */
int sol_stats_source_parse (const char *name, int *launch_p, int *learner_p);  /* "0000.0001.h5" */
#endif
