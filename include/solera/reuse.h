/* SPDX-License-Identifier: Apache-2.0 */
/* reuse.h: the rollouts of a run, made again as records from its statistics, for a run that trains on them without generating (train --reuse-rollouts). docs/replay.md */
#ifndef SOL_REUSE_H
#define SOL_REUSE_H
#include "solera/record.h"

typedef struct sol_reuse sol_reuse_t;
/* Local: every broker opens its own. record: of the same run; kept by reference, as config is. */
sol_status_t sol_reuse_open (const char *run_dir, const sol_config_t *config, const sol_record_t *record, sol_reuse_t **reuse_p);
void sol_reuse_close (sol_reuse_t *reuse); /* NULL is fine */
/* Calls take with the packed record of every group of a batch, in order of place. SOL_ERR_CHECKSUM: what the statistics hold is not what was generated. */
sol_status_t sol_reuse_batch (sol_reuse_t *reuse, int64_t batch, sol_status_t (*take) (void *ctx, const void *record, size_t bytes), void *ctx);
#endif
