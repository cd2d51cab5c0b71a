/* SPDX-License-Identifier: Apache-2.0 */
/* stats_file.h: one learner's statistics file as HDF5; no threads here. All functions take the HDF5 lock themselves. */
#ifndef SOL_STATS_FILE_H
#define SOL_STATS_FILE_H
#include "h5.h"
#include "solera/stats.h"
#include "stats_block.h"

#define SOL_STATS_FORMAT "solera statistics"
typedef struct sol_stats_file sol_stats_file_t;
/* RUN/stats/LAUNCH.LEARNER.h5, which must not exist */
sol_status_t sol_stats_file_create (const sol_stats_params_t *params, sol_stats_file_t **file_p);
/* appends the rows of all tables and flushes: whenever the process dies, the file and its journal (h5_journal.h) hold the state before or the one after */
sol_status_t sol_stats_file_write (sol_stats_file_t *f, const sol_stats_block_t *block);
/* the file's pages are on the disk */
sol_status_t sol_stats_file_sync (sol_stats_file_t *f);
sol_status_t sol_stats_file_close (sol_stats_file_t *f);

/* ---- for reader and linker, with the lock held by the caller */
hid_t sol_stats_h5_type (sol_stats_type_t type, int in_memory);
/* fill value of a column: what a reader sees where there is nothing */
const void *sol_stats_fill (sol_stats_type_t type);
/* unit and meaning as attributes of a data set */
sol_status_t sol_stats_describe (hid_t dset, int column, const char *path);
void sol_stats_column_path (int column, char *text, size_t room); /* "tokens/lp" */
#endif
