/* SPDX-License-Identifier: Apache-2.0 */
/* dataset.h: problems from a JSON-lines file: one object a line with the strings "problem" and "answer" and an optional "id" (string or whole number; default: the
 * line number); other keys are ignored, empty lines passed over. Errors name file and line. Constant after opening. */
#ifndef SOL_DATASET_H
#define SOL_DATASET_H
#include "solera/buffer.h"
#include "solera/status.h"
#include <stdint.h>

typedef struct {
  const char *id, *problem, *answer; /* owned by the data set, UTF-8, zero-terminated */
  int64_t line;                      /* in the file, from 1 */
  const char *row;                   /* the whole line, a JSON object; NULL: not kept */
} sol_problem_t;
typedef struct sol_dataset sol_dataset_t;

/* refuses an empty file, rows without the two strings, ids that appear twice */
sol_status_t sol_dataset_open (const char *path, sol_dataset_t **dataset_p);
/* the same, with bytes that are not UTF-8 made U+FFFD */
sol_status_t sol_dataset_open_lossy (const char *path, sol_dataset_t **dataset_p);
/* lossy as above or not; rows: lines are kept, with all their columns */
sol_status_t sol_dataset_open_as (const char *path, int lossy, int rows, sol_dataset_t **dataset_p);
void sol_dataset_close (sol_dataset_t *dataset);
int64_t sol_dataset_size (const sol_dataset_t *dataset);
const sol_problem_t *sol_dataset_row (const sol_dataset_t *dataset, int64_t row);

/* name of a data set: its file's without folders and ".jsonl", appended to out */
void sol_dataset_name (const char *path, sol_buffer_t *out);

/* Element i of the epoch's permutation of 0..n-1, computed without a table: Feistel network with Philox as round function, walked until inside [0, n). A pure function
 * of its arguments; i < n. */
uint64_t sol_permute (uint64_t seed, uint64_t epoch, uint64_t n, uint64_t i);
#endif
