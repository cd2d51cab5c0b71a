/* SPDX-License-Identifier: Apache-2.0 */
/* stats_block.h: rows on their way to a file, column by column, in fixed room. */
#ifndef SOL_STATS_BLOCK_H
#define SOL_STATS_BLOCK_H
#include "stats_columns.h"

typedef struct {
  int64_t n[SOL_STATS_N_TABLES], room[SOL_STATS_N_TABLES];
  char *data[SOL_STATS_N_COLUMNS]; /* [room of the column's table] */
  int has[SOL_STATS_N_OPTIONAL];   /* the optional column is recorded */
} sol_stats_block_t;
#endif
