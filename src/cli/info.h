/* SPDX-License-Identifier: Apache-2.0 */
/* info.h: `solera info` collects facts into one JSON object and prints it either way. */
#ifndef SOL_INFO_H
#define SOL_INFO_H
#include "solera/buffer.h"
#include "solera/status.h"
#include <cjson/cJSON.h>
#include <stdint.h>

/* about this program and machine */
sol_status_t sol_info_build (cJSON *facts);
/* about a run folder, a checkpoint, a statistics file or a model folder */
sol_status_t sol_info_path (const char *path, cJSON *facts);
/* facts.best: the checkpoint that checkpoints/best names; absent where there is none */
sol_status_t sol_info_best (const char *run, cJSON *facts);
/* tokens trained by lag over a whole run: facts.lags, {"from-to": tokens}; absent where nothing was trained. As text: shares. */
sol_status_t sol_info_lags (const char *run, cJSON *facts);
void sol_lags_text (const cJSON *facts, sol_buffer_t *out);
/* the evaluations of a file: how many, and the newest or (all) each */
sol_status_t sol_info_evals (const char *path, int all, cJSON *facts);
/* one fact a line: "name: value" */
void sol_info_text (const cJSON *facts, sol_buffer_t *out);

/* exact, where cJSON's doubles are not */
void sol_info_int (cJSON *o, const char *name, int64_t value);
void sol_info_string (cJSON *o, const char *name, const char *text);
/* what MPI says of itself, and the environment that it will see */
void sol_info_mpi (cJSON *facts);
void sol_info_environment (cJSON *facts);
#endif
