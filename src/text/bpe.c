/* SPDX-License-Identifier: Apache-2.0 */
/* bpe.c: merging. The rule: of all neighbouring pairs that have a merge, the one of lowest rank, leftmost among equals, is joined; until none is left. Short words look through the
 * ranks of all pairs each time; long ones keep them in a heap, whose stale entries are recognised by their rank. */
#include "solera/memory.h"
#include "tokenizer_internal.h"
#include <string.h>

#define NO_RANK INT32_MAX
#define SHORT_WORD 48

static void word_room (sol_encode_t *e, size_t n)
{
  if (n <= e->word_room) return;
  size_t room = n + n / 2 + 64, bytes = room * sizeof (int32_t);
  int32_t **all[] = { &e->sym, &e->left, &e->right, &e->rank, &e->to };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) *all[i] = sol_realloc (*all[i], bytes);
  e->word_room = room;
}

static void heap_put (sol_encode_t *e, uint64_t key)
{
  if (e->n_heap == e->heap_room) {
    e->heap_room = e->heap_room * 2 + 256;
    e->heap = sol_realloc (e->heap, e->heap_room * sizeof *e->heap);
  }
  size_t i = e->n_heap++;
  for (; i > 0 && e->heap[(i - 1) / 2] > key; i = (i - 1) / 2) e->heap[i] = e->heap[(i - 1) / 2];
  e->heap[i] = key;
}

static uint64_t heap_take (sol_encode_t *e)
{
  uint64_t top = e->heap[0], key = e->heap[--e->n_heap];
  size_t i = 0, n = e->n_heap;
  for (;;) {
    size_t c = 2 * i + 1;
    if (c >= n) break;
    if (c + 1 < n && e->heap[c + 1] < e->heap[c]) c++;
    if (e->heap[c] >= key) break;
    e->heap[i] = e->heap[c];
    i = c;
  }
  if (n) e->heap[i] = key;
  return top;
}

/* the merge of symbol i with its right neighbour, looked up anew */
static void look (const sol_tokenizer_t *t, sol_encode_t *e, int32_t i, int use_heap)
{
  const sol_merge_t *m = e->right[i] < 0 ? NULL : sol_merge_table_get (&t->merges, e->sym[i], e->sym[e->right[i]]);
  e->rank[i] = m ? m->rank : NO_RANK;
  e->to[i] = m ? m->id : -1;
  if (m && use_heap) heap_put (e, (uint64_t) m->rank << 32 | (uint32_t) i);
}

/* position of the next pair to join, -1: none */
static int32_t best (sol_encode_t *e, int32_t n, int use_heap)
{
  if (use_heap) {
    while (e->n_heap) {
      uint64_t key = heap_take (e);
      int32_t i = (int32_t) (uint32_t) key;
      if (e->rank[i] == (int32_t) (key >> 32)) return i;
    }
    return -1;
  }
  int32_t at = -1, rank = NO_RANK;
  for (int32_t i = 0; i < n; i++)
    if (e->rank[i] < rank) rank = e->rank[at = i];
  return at;
}

static void join (const sol_tokenizer_t *t, sol_encode_t *e, int32_t i, int use_heap)
{
  int32_t gone = e->right[i];
  e->sym[i] = e->to[i];
  e->right[i] = e->right[gone];
  e->rank[gone] = NO_RANK;
  if (e->right[i] >= 0) e->left[e->right[i]] = i;
  look (t, e, i, use_heap);
  if (e->left[i] >= 0) look (t, e, e->left[i], use_heap);
}

void sol_bpe (const sol_tokenizer_t *t, sol_encode_t *e, const char *text, size_t bytes, sol_ids_t *ids)
{
  int32_t n = 0;
  int was_unk = 0;
  if (bytes == 1 && t->byte_id[(unsigned char) text[0]] >= 0) {
    sol_ids_add (ids, t->byte_id[(unsigned char) text[0]]);
    return;
  }
  if (t->ignore_merges) {
    sol_buffer_t name = { 0 };
    sol_bytes_spell (&name, text, bytes);
    int32_t id = sol_name_table_get (&t->by_name, t, name.data, name.bytes);
    sol_buffer_free (&name);
    if (id >= 0) {
      sol_ids_add (ids, id);
      return;
    }
  }
  word_room (e, bytes);
  for (size_t i = 0; i < bytes; i++) {
    int32_t id = t->byte_id[(unsigned char) text[i]];
    int unk = id < 0;
    if (unk && (t->unk < 0 || (was_unk && t->fuse_unk))) continue;
    was_unk = unk;
    e->sym[n++] = unk ? t->unk : id;
  }
  int use_heap = n > SHORT_WORD;
  e->n_heap = 0;
  for (int32_t i = 0; i < n; i++) {
    e->left[i] = i - 1;
    e->right[i] = i + 1 < n ? i + 1 : -1;
  }
  for (int32_t i = 0; i < n; i++) look (t, e, i, use_heap);
  for (int32_t i; (i = best (e, n, use_heap)) >= 0;) join (t, e, i, use_heap);
  for (int32_t i = n ? 0 : -1; i >= 0; i = e->right[i]) sol_ids_add (ids, e->sym[i]);
}
