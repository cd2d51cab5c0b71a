/* SPDX-License-Identifier: Apache-2.0 */
/* bpe.c: merging. The rule: of all neighbouring pairs that have a merge, the one of lowest rank, leftmost among equals, is joined; until none is left. Short words look through the
 * ranks of all pairs each time; long ones keep them in a heap, whose stale entries are recognised by their rank. */
#include "solera/hash.h"
#include "solera/memory.h"
#include "solera/utf8.h"
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

/* ---- the symbols that a word begins with */

/* an unknown symbol waits until a known one comes, or the word ends; with fuse_unk many are one. Symbols of byte fallback do not end the wait: so does the reference. */
typedef struct { sol_encode_t *e; int32_t n, unk; } word_t;

static void known (word_t *w, int32_t id)
{
  if (w->unk >= 0) w->e->sym[w->n++] = w->unk;
  w->unk = -1;
  w->e->sym[w->n++] = id;
}

static void unknown (const sol_tokenizer_t *t, word_t *w)
{
  if (t->unk < 0) return;
  if (w->unk >= 0 && !t->fuse_unk) w->e->sym[w->n++] = w->unk;
  w->unk = t->unk;
}

static int fall_back (const sol_tokenizer_t *t, word_t *w, const char *s, size_t bytes)
{
  for (size_t i = 0; i < bytes; i++)
    if (t->fallback[(unsigned char) s[i]] < 0) return 0;
  for (size_t i = 0; i < bytes; i++) w->e->sym[w->n++] = t->fallback[(unsigned char) s[i]];
  return 1;
}

/* pieces of bytes: every byte is a character of the alphabet */
static void byte_symbols (const sol_tokenizer_t *t, word_t *w, const char *text, size_t bytes)
{
  for (size_t i = 0; i < bytes; i++) {
    const int byte = (unsigned char) text[i];
    char c[4];
    if (t->byte_id[byte] >= 0) known (w, t->byte_id[byte]);
    else if (!t->byte_fallback || !fall_back (t, w, c, (size_t) sol_utf8_put (sol_byte_char (byte), c))) unknown (t, w);
  }
}

static void char_symbols (const sol_tokenizer_t *t, word_t *w, const char *text, size_t bytes)
{
  int32_t cp;
  for (size_t i = 0, n; i < bytes; i += n) {
    n = (size_t) sol_utf8_next (text + i, bytes - i, &cp);
    const int32_t id = sol_model_token (t, text + i, n);
    if (id >= 0) known (w, id);
    else if (!t->byte_fallback || !fall_back (t, w, text + i, n)) unknown (t, w);
  }
}

/* the token that the whole piece spells, -1: none */
static int32_t whole (const sol_tokenizer_t *t, sol_encode_t *e, const char *text, size_t bytes)
{
  if (!t->byte_level) return sol_model_token (t, text, bytes);
  sol_buffer_clear (&e->name);
  sol_bytes_spell (&e->name, text, bytes);
  return sol_model_token (t, e->name.data, e->name.bytes);
}

static void merge_word (const sol_tokenizer_t *t, sol_encode_t *e, const char *text, size_t bytes, sol_ids_t *ids)
{
  word_room (e, 2 * bytes + 1); /* a byte that falls back as a character of the alphabet is two */
  word_t w = { e, 0, -1 };
  if (t->byte_level) byte_symbols (t, &w, text, bytes);
  else char_symbols (t, &w, text, bytes);
  if (w.unk >= 0) e->sym[w.n++] = w.unk;
  const int32_t n = w.n;
  const int use_heap = n > SHORT_WORD;
  e->n_heap = 0;
  for (int32_t i = 0; i < n; i++) {
    e->left[i] = i - 1;
    e->right[i] = i + 1 < n ? i + 1 : -1;
  }
  for (int32_t i = 0; i < n; i++) look (t, e, i, use_heap);
  for (int32_t i; (i = best (e, n, use_heap)) >= 0;) join (t, e, i, use_heap);
  for (int32_t i = n ? 0 : -1; i >= 0; i = e->right[i]) sol_ids_add (ids, e->sym[i]);
}

/* Words come again and again: the ids of short ones are kept, each in the one place that its hash gives. */
void sol_bpe (const sol_tokenizer_t *t, sol_encode_t *e, const char *text, size_t bytes, sol_ids_t *ids)
{
  const int keep = bytes <= SOL_CACHE_BYTES;
  sol_cached_t *c = keep ? &e->cache[sol_hash (text, bytes) % SOL_CACHE_SLOTS] : NULL;
  if (keep && c->bytes == bytes && !memcmp (c->text, text, bytes)) {
    for (int i = 0; i < c->n; i++) sol_ids_add (ids, c->id[i]);
    return;
  }
  const int32_t start = ids->n, id = t->ignore_merges ? whole (t, e, text, bytes) : -1;
  if (id >= 0) sol_ids_add (ids, id);
  else merge_word (t, e, text, bytes, ids);
  if (!keep || ids->n - start > SOL_CACHE_IDS) return;
  c->bytes = (uint8_t) bytes;
  c->n = (uint8_t) (ids->n - start);
  memcpy (c->text, text, bytes);
  for (int i = 0; i < c->n; i++) c->id[i] = ids->data[start + i];
}
