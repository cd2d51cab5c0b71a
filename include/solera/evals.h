/* SPDX-License-Identifier: Apache-2.0 */
/* evals.h: the results of evaluations in HDF5, schema in docs/statistics.md: a row an evaluation of one data set, a row each of its problems. Rows are appended, never changed. The whole file is
 * written anew beside itself and put in its place (it is small: about 56 bytes a problem), so a kill at any moment leaves the file before or the file after. Writers take turns. Nothing is
 * collective. The columns are one table in src/store/evals_columns.h. */
#ifndef SOL_EVALS_H
#define SOL_EVALS_H
#include "solera/config.h"
#include "solera/status.h"
#include <stdint.h>

#define SOL_EVALS_VERSION 2 /* 1 is read too, and becomes 2 when a row is appended */
#define SOL_EVALS_NAME "evals.h5" /* in a run's folder, or in out of solera eval */

/* one evaluation; the meaning of each field is in docs/statistics.md. Shares are 0 to 1, NaN where unknown. */
typedef struct {
  int64_t version;
  char data[128], preset[32]; /* UTF-8, ended by a zero byte; "": none */
  int64_t problems, samples;
  double temperature, top_p;
  int64_t max_tokens;
  uint64_t seed;
  double avg, avg_low, avg_high;
  int64_t pass_k;
  double pass, pass_low, pass_high, truncated, mean_tokens, seconds;
  int64_t time, first_problem; /* first_problem is set by append */
  double median_tokens, ended, stopped;
} sol_evals_row_t;
typedef struct {
  int64_t evaluation; /* set by append */
  int64_t index;
  uint64_t id;
  int64_t samples, correct, truncated, tokens;
} sol_evals_problem_t;

/* sets row->data: name of file `set` of task.path (sol_dataset_name), else the task's; cut at a whole character */
void sol_evals_name (const sol_config_t *config, int set, sol_evals_row_t *row);
/* Appends one evaluation with its row->problems problems to the file at path, which is made when it is not there. The calling thread may call MPI, or HDF5 has been used before. */
sol_status_t sol_evals_append (const char *path, const sol_evals_row_t *row, const sol_evals_problem_t *problems);
/* The same, unless the last row of its version, data set and preset is this one already, in all but seconds and time, with the same problems: for who does again what a kill may have interrupted
 * right behind appending. */
sol_status_t sol_evals_append_once (const char *path, const sol_evals_row_t *row, const sol_evals_problem_t *problems);
/* The same for an evaluation whose problem i is of data set set[i] (its number in task.path; 0 where there is one or none): a row each of the data sets that were asked, with the set's name, problems and
 * estimates (for pass_k and seed of *all) and the rest of *all, which are the facts of the whole. once: as sol_evals_append_once. */
sol_status_t sol_evals_append_sets (const char *path, const sol_config_t *config, const sol_evals_row_t *all, const sol_evals_problem_t *problems, const int32_t *set, int once);

/* the whole file; sol_evals_free. Refuses another version and rows that do not fit together. */
typedef struct { int64_t n, n_problems; sol_evals_row_t *row; sol_evals_problem_t *problem; } sol_evals_t;
sol_status_t sol_evals_read (const char *path, sol_evals_t *evals_p);
void sol_evals_free (sol_evals_t *evals);
/* 1 if an HDF5 file is of this kind, as far as its attribute "format" tells */
int sol_evals_is (const char *path);
#endif
