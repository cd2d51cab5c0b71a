/* SPDX-License-Identifier: Apache-2.0 */
/* benchmark.h: data sets of an evaluation by name, and named protocols. NAME is a path when it has a slash in it or ends with ".jsonl"; else NAME.jsonl is looked for in the folders, in this order:
 * $SOLERA_DATA, the installed data (pkgdatadir/data), jobs/data beside the program (a build's link to the source tree). Nothing is collective. */
#ifndef SOL_BENCHMARK_H
#define SOL_BENCHMARK_H
#include "solera/buffer.h"
#include "solera/status.h"
#include <stdint.h>

/* SOL_OK: *path_p (sol_free) is there. SOL_END: it is not; nothing is logged, sol_benchmark_where says where it was looked for. A path is taken as it is. */
sol_status_t sol_benchmark_find (const char *name, char **path_p);
/* appends "looked in A ($SOLERA_DATA), B, C; there are: x, y" */
void sol_benchmark_where (sol_buffer_t *out);

/* a protocol: settings that it fixes (key=value), and data sets with their responses a problem */
typedef struct { const char *name; int64_t samples; const char *from, *problem, *answer; /* the data set that the protocol takes it from, and its fields, for jobs/data/convert.py */ } sol_benchmark_t;
typedef struct { const char *name, *source; const char *const *setting; int n_settings; const sol_benchmark_t *benchmark; int n_benchmarks; } sol_preset_t;
const sol_preset_t *sol_preset_find (const char *name); /* NULL: there is none */
void sol_preset_names (sol_buffer_t *out);               /* appends "m2po" */
#endif
