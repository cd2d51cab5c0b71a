/* SPDX-License-Identifier: Apache-2.0 */
#include "segment.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <string.h>

void sol_leaf_assign (const int32_t *len, int64_t n_seq, int n_leaves, int32_t *leaf)
{
  int64_t total = 0, before = 0;
  for (int64_t i = 0; i < n_seq; i++) total += len[i];
  for (int64_t i = 0; i < n_seq; i++) { /* by the middle of the sequence on the line of all tokens: monotone, integers only */
    int64_t at = total ? (2 * before + len[i]) * n_leaves / (2 * total) : 0;
    leaf[i] = (int32_t) (at < n_leaves ? at : n_leaves - 1);
    before += len[i];
  }
}

enum { ROOMS = 5 };
static void list_rooms (sol_packer_t *p, sol_room_t room[ROOMS])
{
  static const char what[] = "the index of a micro-batch";
  const size_t tokens = (size_t) p->max_tokens * sizeof (int32_t), rows = (size_t) p->max_rows * sizeof (int32_t);
  const sol_room_t all[ROOMS] = { { (void **) &p->ids, tokens, what }, { (void **) &p->pos, tokens, what }, { (void **) &p->rows, rows, what }, { (void **) &p->targets, rows, what },
                                  { (void **) &p->spans, (size_t) p->max_spans * sizeof (sol_span_t), what } };
  memcpy (room, all, sizeof all);
}

sol_status_t sol_packer_create (sol_packer_t *p, int32_t max_tokens, int32_t max_rows, int32_t max_spans)
{
  sol_room_t room[ROOMS];
  *p = (sol_packer_t){ .max_tokens = max_tokens, .max_rows = max_rows, .max_spans = max_spans };
  list_rooms (p, room);
  SOL_TRY (sol_rooms_take (room, ROOMS));
  sol_packer_clear (p);
  return SOL_OK;
}

size_t sol_packer_bytes (int32_t max_tokens, int32_t max_rows, int32_t max_spans)
{
  sol_packer_t p = { .max_tokens = max_tokens, .max_rows = max_rows, .max_spans = max_spans };
  sol_room_t room[ROOMS];
  list_rooms (&p, room);
  return sol_rooms_bytes (room, ROOMS);
}

void sol_packer_destroy (sol_packer_t *p)
{
  sol_free (p->ids);
  sol_free (p->pos);
  sol_free (p->rows);
  sol_free (p->targets);
  sol_free (p->spans);
  *p = (sol_packer_t){ 0 };
}

void sol_packer_clear (sol_packer_t *p)
{
  p->batch = (sol_batch_t){ .ids = p->ids, .pos = p->pos, .spans = p->spans, .rows = p->rows, .targets = p->targets };
}

/* n tokens at positions pos0.. as one span behind a shared prompt of n_a rows at a_row; returns the first row */
static int32_t add_run (sol_packer_t *p, const int32_t *ids, int32_t n, int32_t pos0, int32_t a_row, int32_t n_a)
{
  sol_batch_t *b = &p->batch;
  int32_t row = b->n_tokens;
  SOL_ASSERT (row + n <= p->max_tokens && b->n_spans < p->max_spans);
  memcpy (p->ids + row, ids, (size_t) n * 4);
  for (int32_t i = 0; i < n; i++) p->pos[row + i] = pos0 + i;
  p->spans[b->n_spans++] = (sol_span_t){ row, n, a_row, n_a, row, n };
  b->n_tokens += n;
  return row;
}

void sol_packer_add (sol_packer_t *p, const sol_segment_t *s, const sol_rollout_t *group)
{
  sol_batch_t *b = &p->batch;
  const int32_t *ids = group->ids;
  int32_t prompt = add_run (p, group->prompt, group->n_prompt, 0, 0, 0), last = prompt + group->n_prompt - 1;
  SOL_ASSERT (b->n_rows + s->n_tokens <= p->max_rows);
  for (int32_t g = 0; g < s->first; g++) ids += group->len[g];
  for (int32_t g = s->first; g < s->first + s->n; g++) {
    int32_t n = group->len[g], row;
    if (n == 0) continue;
    row = n > 1 ? add_run (p, ids, n - 1, group->n_prompt, prompt, group->n_prompt) : 0;
    for (int32_t i = 0; i < n; i++) {
      p->rows[b->n_rows] = i == 0 ? last : row + i - 1;
      p->targets[b->n_rows++] = ids[i];
    }
    ids += n;
  }
}
