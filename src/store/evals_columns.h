/* SPDX-License-Identifier: Apache-2.0 */
/* evals_columns.h: the schema of evals.h5: every data set with type, unit and meaning, once; its name is that of the field in evals.h. The file, its attributes and docs/statistics.md (tested equal)
 * follow it. X (name, type, unit, meaning). A change of meaning or type raises SOL_EVALS_VERSION; so does a new column, which stands in a list of its own: in the rows of an older file it is NaN. */
#ifndef SOL_EVALS_COLUMNS_H
#define SOL_EVALS_COLUMNS_H
#include <stddef.h>

#define SOL_EVALS_ROW_COLUMNS(X)                                                                                            \
  X (version, I64, "updates", "weight version (updates made) that was evaluated; -1: not known")                          \
  X (data, TEXT, "", "name of the data set")                                                                              \
  X (preset, TEXT, "", "name of the protocol; empty: none")                                                               \
  X (problems, I64, "problems", "problems asked")                                                                         \
  X (samples, I64, "responses", "responses a problem (n of avg@n)")                                                       \
  X (temperature, F64, "", "sampling temperature; 0: greedy")                                                             \
  X (top_p, F64, "", "nucleus sampling; 1: off")                                                                          \
  X (max_tokens, I64, "tokens", "a response is truncated at this length")                                                 \
  X (seed, U64, "", "seed of sampling and bootstrap")                                                                     \
  X (avg, F64, "share", "avg@n: mean over problems of the share of right responses")                                      \
  X (avg_low, F64, "share", "lower end of its 95 % interval (bootstrap over problems)")                                   \
  X (avg_high, F64, "share", "upper end")                                                                                 \
  X (pass_k, I64, "responses", "k of pass@k")                                                                             \
  X (pass, F64, "share", "pass@k: mean over problems of 1 - C(n-c,k)/C(n,k)")                                             \
  X (pass_low, F64, "share", "lower end of its 95 % interval")                                                            \
  X (pass_high, F64, "share", "upper end")                                                                                \
  X (truncated, F64, "share", "responses that hit max_tokens")                                                            \
  X (mean_tokens, F64, "tokens", "mean length of the responses")                                                          \
  X (seconds, F64, "s", "time that it took, all data sets together; in training, of the slowest actor")                                           \
  X (time, I64, "s", "when it ended, since 1970-01-01 UTC")                                                               \
  X (first_problem, I64, "rows", "first of its rows in problems/; there are as many as problems")                         \
  SOL_EVALS_ROW_COLUMNS_2 (X)
/* since version 2; float64, NaN in older rows */
#define SOL_EVALS_ROW_COLUMNS_2(X)                                                                                          \
  X (median_tokens, F64, "tokens", "median length of the responses; NaN: not known, as in training")                        \
  X (ended, F64, "share", "responses that ended with an end-of-sequence token; NaN: not known")                             \
  X (stopped, F64, "share", "responses that ended with a text of task.stop; NaN: not known")

#define SOL_EVALS_PROBLEM_COLUMNS(X)                                                                                        \
  X (evaluation, I64, "rows", "row of evaluations/ that it belongs to")                                                   \
  X (index, I64, "problems", "number of the prompt in the evaluation; the first is 0; id says which problem it is")                                                     \
  X (id, U64, "", "the task's identity of the problem: a hash of its text (prompt_id of the token statistics)")           \
  X (samples, I64, "responses", "responses to it (n)")                                                                    \
  X (correct, I64, "responses", "of them right (c)")                                                                      \
  X (truncated, I64, "responses", "of them truncated")                                                                    \
  X (tokens, I64, "tokens", "length of all of them together")

typedef enum { SOL_EVALS_I64, SOL_EVALS_U64, SOL_EVALS_F64, SOL_EVALS_TEXT } sol_evals_type_t;
typedef struct { const char *name; sol_evals_type_t type; size_t offset, bytes; const char *unit, *doc; } sol_evals_column_t;
typedef struct { const char *group; size_t row_bytes; unsigned chunk; int n, n_first /* of them in version 1 */; const sol_evals_column_t *column; } sol_evals_table_t;
enum { SOL_EVALS_ROWS, SOL_EVALS_PROBLEMS, SOL_EVALS_N_TABLES };
extern const sol_evals_table_t sol_evals_table[SOL_EVALS_N_TABLES];
const char *sol_evals_type_name (sol_evals_type_t type);
#endif
