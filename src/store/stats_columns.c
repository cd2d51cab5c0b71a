/* SPDX-License-Identifier: Apache-2.0 */
#include "stats_columns.h"
#include "solera/stats.h"

const sol_stats_column_t sol_stats_column[SOL_STATS_N_COLUMNS] = {
#define X(table, name, type, unit, doc) { SOL_STATS_##table, #name, SOL_STATS_##type, unit, doc },
  SOL_STATS_COLUMNS (X)
#undef X
};
const char *const sol_stats_group[SOL_STATS_N_TABLES] = {
#define X(table, group) group,
  SOL_STATS_TABLES (X)
#undef X
};

int sol_stats_optional (int column) { return column == SOL_STATS_TOKENS_lp_prox ? 0 : column == SOL_STATS_TOKENS_lp_raw ? 1 : column == SOL_STATS_TOKENS_lp_ref ? 2 : column == SOL_STATS_TOKENS_lp_check ? 3 : -1; }

size_t sol_stats_type_bytes (sol_stats_type_t type)
{
  static const size_t bytes[] = { 4, 8, 8, 1, 4, 8 };
  return bytes[type];
}

const char *sol_stats_type_name (sol_stats_type_t type)
{
  static const char *const name[] = { "int32", "int64", "uint64", "uint8", "float32", "float64" };
  return name[type];
}

double sol_stats_bytes_per_token (void)
{
  size_t sum = 0;
  for (int i = 0; i < SOL_STATS_N_COLUMNS; i++)
    if (sol_stats_column[i].table == SOL_STATS_TOKENS && sol_stats_optional (i) < 0) sum += sol_stats_type_bytes (sol_stats_column[i].type);
  return (double) sum;
}

int64_t sol_stats_chunk_rows (int table, int64_t chunk)
{
  if (table == SOL_STATS_SEQUENCES) chunk /= 16; /* a response has tens of tokens or more */
  if (table == SOL_STATS_UPDATES) chunk = 1024;
  return chunk < 256 ? 256 : chunk;
}

double sol_stats_bytes (const sol_stats_size_t *z)
{
  enum { HEADERS = 65536 }; /* attributes, object headers and the index of chunks */
  const int64_t rows[SOL_STATS_N_TABLES] = { z->n_tokens, z->n_sequences, z->n_prompt_tokens, z->n_updates * z->n_learners };
  double sum = HEADERS;
  for (int i = 0; i < SOL_STATS_N_COLUMNS; i++) {
    const int t = sol_stats_column[i].table;
    const int64_t chunk = sol_stats_chunk_rows (t, z->chunk), chunks = rows[t] / z->n_learners / chunk + 1;
    if (sol_stats_optional (i) < z->n_optional) sum += (double) chunks * (double) chunk * (double) sol_stats_type_bytes (sol_stats_column[i].type);
  }
  return sum * z->n_learners;
}
