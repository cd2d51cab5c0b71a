/* SPDX-License-Identifier: Apache-2.0 */
/* stats_columns.h: the schema of the statistics files: every data set with type, unit and meaning, once. Files, attributes, the virtual data sets and docs/statistics.md (tested equal) follow it.
 * X (table, name, type, unit, meaning). A change of meaning or type raises SOL_STATS_VERSION. */
#ifndef SOL_STATS_COLUMNS_H
#define SOL_STATS_COLUMNS_H
#include <stddef.h>
#include <stdint.h>

/* row counts differ between tables; PROMPTS lives in the group of the sequences that point into it */
#define SOL_STATS_TABLES(X) X (TOKENS, "tokens") X (SEQUENCES, "sequences") X (PROMPTS, "sequences") X (UPDATES, "updates")

#define SOL_STATS_COLUMNS(X)                                                                                                                               \
  X (TOKENS, update, I32, "updates", "optimizer update that trained the token; the first is 0; never falls inside a file")                               \
  X (TOKENS, seq, I64, "", "rollout id: ticket * group size + number of the response; joins sequences/seq")                                             \
  X (TOKENS, position, I32, "tokens", "place in the response; the first is 0")                                                                          \
  X (TOKENS, token, I32, "", "token id")                                                                                                                \
  X (TOKENS, version, I32, "updates", "policy version (updates made) that generated the token; lag = update - version")                                 \
  X (TOKENS, lp_behav, F32, "nats", "log-probability recorded by the actor when the token was generated, at the rollout temperature")                   \
  X (TOKENS, lp, F32, "nats", "log-probability by the learner at this update, before the step; log-ratio d = float32 (lp - lp_behav)")                  \
  X (TOKENS, entropy, F32, "nats", "entropy of the learner's distribution at this place, at this update")                                               \
  X (TOKENS, entropy_behav, F32, "nats", "entropy of the actor's distribution at this place; NaN: not recorded")                                        \
  X (TOKENS, advantage, F32, "", "advantage of the token's response")                                                                                   \
  X (TOKENS, verdict, U8, "bits", "1: in the trust-region set T, 2: clipped high, 4: clipped low, 8: masked")                                           \
  X (TOKENS, lp_prox, F32, "nats", "log-probability under the policy at the start of the batch; only with objectives that use it; NaN: not recorded")   \
  X (TOKENS, lp_raw, F32, "nats", "log-probability recorded by the actor at temperature 1; only with another rollout.temperature (at 1 it is lp_behav); NaN: not recorded") \
  X (TOKENS, lp_ref, F32, "nats", "log-probability under the frozen reference, at the rollout temperature; only with kl.reference initial or model; NaN: not recorded") \
  X (TOKENS, lp_check, F32, "nats", "log-probability by the actor once more, teacher-forced, with the weights that generated the token, at the rollout temperature; only with lp_check.record; NaN: not recorded") \
  X (SEQUENCES, seq, I64, "", "rollout id: ticket * group size + number of the response")                                                               \
  X (SEQUENCES, ticket, I64, "", "number of the group in the run: batch * prompts + candidate")                                                         \
  X (SEQUENCES, prompt_id, U64, "", "the task's identity of the prompt")                                                                                \
  X (SEQUENCES, set, I32, "", "number of the prompt's data set, from 0: a line of the attribute data_sets")                                                 \
  X (SEQUENCES, update, I32, "updates", "first update that took the response; -1: none, it was never trained")                                           \
  X (SEQUENCES, batch, I32, "batches", "rollout batch that the group belongs to; the first is 0")                                                       \
  X (SEQUENCES, version_min, I32, "updates", "oldest policy version among the response's tokens")                                                       \
  X (SEQUENCES, version_max, I32, "updates", "newest policy version among the response's tokens")                                                       \
  X (SEQUENCES, n_prompt, I32, "tokens", "length of the prompt")                                                                                        \
  X (SEQUENCES, n_response, I32, "tokens", "length of the response")                                                                                    \
  X (SEQUENCES, finish, U8, "", "why the response ended: 1 end-of-sequence token, 2 stop string, 3 length limit (truncated)")                           \
  X (SEQUENCES, place, I32, "", "place of the group in its batch, in the order in which groups are trained; the first is 0")                                 \
  X (SEQUENCES, generated, U64, "", "XXH3 of what the model made for the group: prompt, tokens, log-probabilities, versions; what --replay compares")      \
  X (SEQUENCES, reward, F64, "", "total reward")                                                                                                        \
  X (SEQUENCES, reward_answer, F32, "", "part of the reward for the right answer; NaN: the task has no such part")                                      \
  X (SEQUENCES, reward_format, F32, "", "part of the reward for the form; NaN: the task has no such part")                                              \
  X (SEQUENCES, reward_length, F32, "", "part of the reward for the length, at most 0; NaN: the task has no such part")                                 \
  X (SEQUENCES, stopped, U8, "", "1: the verifier was stopped at a limit, so that the answer counted as wrong")                                              \
  X (SEQUENCES, advantage, F32, "", "advantage of the response in its group")                                                                           \
  X (SEQUENCES, dropped, U8, "", "1: the update refused the response and went on without it (objective.on_refused: drop): no loss, no rows in tokens; 0: trained, or never taken") \
  X (SEQUENCES, refilled, I32, "groups", "groups of other prompts that were dropped for this one, their rewards being all equal (batch.refill)")             \
  X (SEQUENCES, prompt_first, I64, "rows", "first row of the prompt in sequences/prompt_tokens; a group's responses share it")                          \
  X (PROMPTS, prompt_tokens, I32, "", "token ids of all prompts, one after another: rows prompt_first to prompt_first + n_prompt")                      \
  X (UPDATES, update, I32, "updates", "optimizer update whose rows are in the file")                                                                    \
  X (UPDATES, weights, U64, "", "XXH3 of the published weights that the update began with; 0: not known (only the first update of a batch, only by learner 0)")  \
  X (UPDATES, token_end, I64, "rows", "rows of tokens/ up to and with this update; rows beyond the last one were not flushed")                          \
  X (UPDATES, sequence_end, I64, "rows", "rows of sequences/ up to and with this update")

typedef enum { SOL_STATS_I32, SOL_STATS_I64, SOL_STATS_U64, SOL_STATS_U8, SOL_STATS_F32, SOL_STATS_F64 } sol_stats_type_t;
enum {
#define X(table, group) SOL_STATS_##table,
  SOL_STATS_TABLES (X)
#undef X
  SOL_STATS_N_TABLES
};
enum {
#define X(table, name, type, unit, doc) SOL_STATS_##table##_##name,
  SOL_STATS_COLUMNS (X)
#undef X
  SOL_STATS_N_COLUMNS
};
typedef struct { int table; const char *name; sol_stats_type_t type; const char *unit, *doc; } sol_stats_column_t;
extern const sol_stats_column_t sol_stats_column[SOL_STATS_N_COLUMNS];
extern const char *const sol_stats_group[SOL_STATS_N_TABLES];
/* columns of tokens that not every run records: their number from 0; -1: every run has the column */
enum { SOL_STATS_N_OPTIONAL = 4 };
int sol_stats_optional (int column);
size_t sol_stats_type_bytes (sol_stats_type_t type);
int64_t sol_stats_chunk_rows (int table, int64_t chunk); /* chunk: of the tokens, the setting */
const char *sol_stats_type_name (sol_stats_type_t type); /* "int32", ...: numpy's */
#endif
