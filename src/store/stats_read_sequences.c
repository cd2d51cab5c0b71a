/* SPDX-License-Identifier: Apache-2.0 */
/* stats_read_sequences.c: the responses of an update, with their prompts. */
#include "solera/log.h"
#include "solera/memory.h"
#include "stats_reader.h"
#include <inttypes.h>
#include <string.h>

#define ROOM "stats"

static int is_mine (int column) { return sol_stats_column[column].table == SOL_STATS_SEQUENCES; }

static sol_status_t room_for (sol_stats_reader_t *r, int64_t n)
{
  for (int k = 0; k < SOL_STATS_N_COLUMNS; k++) {
    if (!is_mine (k)) continue;
    sol_free (r->seq_column[k]);
    r->seq_column[k] = NULL;
    SOL_TRY (sol_alloc_large ((size_t) (n + 1) * sol_stats_type_bytes (sol_stats_column[k].type), "the responses of an update", &r->seq_column[k]));
  }
  return SOL_OK;
}

static void *at (const sol_stats_reader_t *r, int column, int64_t row) { return (char *) r->seq_column[column] + (size_t) row * sol_stats_type_bytes (sol_stats_column[column].type); }

/* rows of a piece behind the first n; those that were never trained do not count. *n_p: with them */
static sol_status_t read_piece (sol_stats_reader_t *r, const piece_t *piece, int64_t *n_p)
{
  const part_t *p = &r->part[piece->part];
  int64_t n = *n_p;
  for (int k = 0; k < SOL_STATS_N_COLUMNS; k++)
    if (is_mine (k)) SOL_TRY (sol_stats_read (p->s.file, k, piece->seq_first, piece->seq_n, at (r, k, n), p->path));
  for (int64_t i = n; i < *n_p + piece->seq_n; i++) {
    if (*(const int32_t *) at (r, SOL_STATS_SEQUENCES_update, i) != piece->update) continue;
    for (int k = 0; k < SOL_STATS_N_COLUMNS && n < i; k++)
      if (is_mine (k)) memcpy (at (r, k, n), at (r, k, i), sol_stats_type_bytes (sol_stats_column[k].type));
    n++;
  }
  *n_p = n;
  return SOL_OK;
}

/* the prompts of rows [from, n), one after another behind the first *tokens_p */
static sol_status_t read_prompts (sol_stats_reader_t *r, const part_t *p, int64_t from, int64_t n, int64_t *tokens_p)
{
  int64_t more = *tokens_p;
  for (int64_t i = from; i < n; i++) {
    const int32_t len = *(const int32_t *) at (r, SOL_STATS_SEQUENCES_n_prompt, i);
    if (len < 0 || len > 1 << 28) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: a prompt of %d tokens", p->path, len);
    more += len;
  }
  r->prompts = sol_realloc (r->prompts, (size_t) (more + 1) * sizeof *r->prompts);
  for (int64_t i = from; i < n; i++) {
    const int32_t len = *(const int32_t *) at (r, SOL_STATS_SEQUENCES_n_prompt, i);
    const int64_t first = *(const int64_t *) at (r, SOL_STATS_SEQUENCES_prompt_first, i), was = i > from ? *(const int64_t *) at (r, SOL_STATS_SEQUENCES_prompt_first, i - 1) : -1;
    if (first == was && *(const int32_t *) at (r, SOL_STATS_SEQUENCES_n_prompt, i - 1) == len) memcpy (r->prompts + *tokens_p, r->prompts + *tokens_p - len, (size_t) len * sizeof *r->prompts);
    else SOL_TRY (sol_stats_read (p->s.file, SOL_STATS_PROMPTS_prompt_tokens, first, len, r->prompts + *tokens_p, p->path));
    *tokens_p += len;
  }
  return SOL_OK;
}

static sol_status_t read_all (sol_stats_reader_t *r, int64_t update, int64_t *n_p)
{
  int64_t n = 0, all = 0, tokens = 0;
  for (int64_t i = r->start[update]; i < r->start[update + 1]; i++) all += r->piece[i].seq_n;
  SOL_TRY (room_for (r, all));
  for (int64_t i = r->start[update]; i < r->start[update + 1]; i++) {
    part_t *p = &r->part[r->piece[i].part];
    const int64_t from = n;
    if (p->s.file < 0) SOL_TRY (sol_stats_reader_open_part (p));
    SOL_TRY (read_piece (r, &r->piece[i], &n));
    SOL_TRY (read_prompts (r, p, from, n, &tokens));
  }
  *n_p = n;
  return SOL_OK;
}

sol_status_t sol_stats_reader_sequences (sol_stats_reader_t *r, int64_t update, sol_stats_sequences_t *rows_p)
{
  int64_t n;
  SOL_ASSERT (update >= 0 && update <= r->last);
  for (int i = 0; i < r->n_parts; i++) { /* files that are done with */
    sol_h5_lock ();
    if (r->part[i].s.file >= 0 && (r->part[i].s.last_update < update || r->part[i].s.first_update > update)) sol_stats_reader_close_part (&r->part[i]);
    sol_h5_unlock ();
  }
  sol_h5_lock ();
  const sol_status_t st = read_all (r, update, &n);
  sol_h5_unlock ();
  SOL_TRY (st);
#define COLUMN(name) .name = r->seq_column[SOL_STATS_SEQUENCES_##name]
  *rows_p = (sol_stats_sequences_t){ .n = n, COLUMN (seq), COLUMN (ticket), COLUMN (prompt_id), COLUMN (set), COLUMN (update), COLUMN (batch), COLUMN (version_min), COLUMN (version_max), COLUMN (n_prompt),
                                     COLUMN (n_response), COLUMN (finish), COLUMN (place), COLUMN (generated), COLUMN (reward), COLUMN (reward_answer), COLUMN (reward_format), COLUMN (reward_length),
                                     COLUMN (stopped), COLUMN (advantage), COLUMN (dropped), COLUMN (refilled), .prompt = r->prompts };
#undef COLUMN
  return SOL_OK;
}

uint64_t sol_stats_reader_weights (const sol_stats_reader_t *r, int64_t update)
{
  for (int64_t i = r->start[update]; i < r->start[update + 1]; i++)
    if (r->piece[i].weights) return r->piece[i].weights;
  return 0;
}
