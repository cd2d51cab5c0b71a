/* SPDX-License-Identifier: Apache-2.0 */
/* filter.h: the loop of the JSON-lines filters: one row out for every line in, in order. A bad line gives {"error": why} in its place, and the others go on. */
#ifndef SOL_FILTER_H
#define SOL_FILTER_H
#include "solera/buffer.h"
#include "solera/status.h"
#include <stdint.h>
#include <stdio.h>

#define SOL_FILTER_WHY 256
struct cJSON;
/* Writes the row for one object into out (empty before; without line end). SOL_ERR_FORMAT or SOL_ERR_USAGE: why (room SOL_FILTER_WHY, empty before) says what is wrong with the row;
 * any other error ends the filter. */
typedef sol_status_t (*sol_filter_fn_t) (void *ctx, const struct cJSON *row, sol_buffer_t *out, char *why);
/* *bad_p: rows that gave an error; the exit status is then 1. Each row is flushed, so that a program may ask and wait for the answer. */
sol_status_t sol_filter_run (FILE *in, FILE *out, sol_filter_fn_t fn, void *ctx, long *bad_p);
/* the same, with bytes that are not UTF-8 made U+FFFD before a line is read */
sol_status_t sol_filter_run_lossy (FILE *in, FILE *out, sol_filter_fn_t fn, void *ctx, long *bad_p);

/* for a filter with a loop of its own: the line's object (cJSON_Delete it), or why not; the row of a bad line; a member that is a list of numbers */
sol_status_t sol_filter_parse (const char *line, size_t bytes, struct cJSON **json_p, char *why);
void sol_filter_error (sol_buffer_t *row, const char *why);
void sol_filter_floats (sol_buffer_t *row, const char *name, const float *x, int64_t n);
#endif
