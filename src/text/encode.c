/* SPDX-License-Identifier: Apache-2.0 */
/* encode.c: the way of a text to ids: added tokens are taken out, what lies between is normalised, cut into pieces, and merged. */
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/utf8.h"
#include "tokenizer_internal.h"
#include <string.h>

/* ---- rooms: taken from the idle ones and put back, so that words seen before are remembered from call to call */

static sol_encode_t *take_room (const sol_tokenizer_t *tokenizer)
{
  sol_tokenizer_t *t = (sol_tokenizer_t *) tokenizer; /* constant but for its idle rooms, which the lock guards */
  pthread_mutex_lock (&t->lock);
  sol_encode_t *e = t->idle;
  if (e) t->idle = e->next_idle;
  pthread_mutex_unlock (&t->lock);
  if (e) return e;
  e = sol_alloc (sizeof *e);
  e->match = pcre2_match_data_create (64, NULL);
  e->cache = sol_alloc (SOL_CACHE_SLOTS * sizeof *e->cache);
  if (e->match) return e;
  sol_encode_destroy (e);
  sol_fail (SOL_ERR_MEMORY, "tokenizer", "no memory for matching");
  return NULL;
}

static void put_room (const sol_tokenizer_t *tokenizer, sol_encode_t *e)
{
  sol_tokenizer_t *t = (sol_tokenizer_t *) tokenizer;
  pthread_mutex_lock (&t->lock);
  e->next_idle = t->idle;
  t->idle = e;
  pthread_mutex_unlock (&t->lock);
}

void sol_encode_destroy (sol_encode_t *e)
{
  pcre2_match_data_free (e->match);
  for (int i = 0; i < 2; i++) {
    sol_buffer_free (&e->buf[i]);
    sol_buffer_free (&e->norm[i]);
  }
  sol_buffer_free (&e->name);
  void *all[] = { e->piece, e->next, e->sym, e->left, e->right, e->rank, e->to, e->heap, e->cache };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) sol_free (all[i]);
  sol_free (e);
}

/* ---- added tokens */

/* the longest added token at the beginning of s */
static const sol_added_t *added_at (const sol_tokenizer_t *t, int normalized, const char *s, size_t bytes)
{
  for (int i = 0; i < t->n_added; i++) {
    const sol_added_t *a = &t->added[i];
    if (a->normalized == normalized && a->content.bytes <= bytes && !memcmp (t->names.data + a->content.at, s, a->content.bytes)) return a;
  }
  return NULL;
}

/* where the white space that ends text[from..to) begins */
static size_t space_before (const char *text, size_t from, size_t to)
{
  while (to > from) {
    size_t k = to - 1;
    int32_t cp;
    while (k > from && ((unsigned char) text[k] & 0xc0) == 0x80) k--;
    if (sol_utf8_next (text + k, to - k, &cp) < 0 || !sol_utf8_is_space (cp)) break;
    to = k;
  }
  return to;
}

static size_t space_after (const char *text, size_t at, size_t bytes)
{
  while (at < bytes) {
    int32_t cp;
    int n = sol_utf8_next (text + at, bytes - at, &cp);
    if (n < 0 || !sol_utf8_is_space (cp)) break;
    at += (size_t) n;
  }
  return at;
}

/* does the character before text[at], or the one there, belong to a word? */
static int word_before (const char *text, size_t at)
{
  int32_t cp;
  size_t k = at;
  if (!at) return 0;
  while (--k && ((unsigned char) text[k] & 0xc0) == 0x80) continue;
  return sol_utf8_next (text + k, at - k, &cp) > 0 && sol_is_word (cp);
}
static int word_at (const char *text, size_t at, size_t bytes)
{
  int32_t cp;
  return at < bytes && sol_utf8_next (text + at, bytes - at, &cp) > 0 && sol_is_word (cp);
}

/* ---- a text */

/* a text, or a part of it; at_origin: it is the beginning of what the caller gave */
typedef struct { const char *s; size_t bytes; int at_origin; } part_t;

static sol_status_t encode_words (const sol_tokenizer_t *t, sol_encode_t *e, part_t p, sol_ids_t *ids)
{
  e->at_origin = p.at_origin;
  SOL_TRY (sol_pretokenize (t, e, p.s, p.bytes));
  for (size_t i = 0; i < e->n_pieces; i++) sol_bpe (t, e, e->text + e->piece[i].at, e->piece[i].bytes, ids);
  return SOL_OK;
}

static sol_status_t encode_part (const sol_tokenizer_t *t, sol_encode_t *e, int normalized, part_t p, sol_ids_t *ids);

/* a part without added tokens of this round: to the next round */
static sol_status_t encode_rest (const sol_tokenizer_t *t, sol_encode_t *e, int normalized, part_t whole, size_t from, size_t to, sol_ids_t *ids)
{
  part_t p = { whole.s + from, to - from, whole.at_origin && from == 0 };
  if (from == to) return SOL_OK;
  if (normalized) return encode_words (t, e, p, ids);
  SOL_TRY (sol_normalize (t, e->norm, e->match, &p.s, &p.bytes));
  return encode_part (t, e, 1, p, ids);
}

/* Two rounds: added tokens that are looked for in the text as it is, then, in what lies between, normalised, those that are looked for after normalisation. What lies behind a token
 * may have been taken by it (rstrip) and still be looked at for the next: so does the reference. */
static sol_status_t encode_part (const sol_tokenizer_t *t, sol_encode_t *e, int normalized, part_t p, sol_ids_t *ids)
{
  size_t done = 0, i = 0;
  while (i < p.bytes) {
    const sol_added_t *a = t->added_first[normalized][(unsigned char) p.s[i]] ? added_at (t, normalized, p.s + i, p.bytes - i) : NULL;
    if (!a) {
      i++;
      continue;
    }
    size_t start = i, end = i + a->content.bytes;
    i = end;
    if (a->single_word && (word_before (p.s, start) || word_at (p.s, end, p.bytes))) continue;
    if (a->lstrip) start = space_before (p.s, done, start);
    if (a->rstrip) end = space_after (p.s, end, p.bytes);
    if (done < start) SOL_TRY (encode_rest (t, e, normalized, p, done, start, ids));
    sol_ids_add (ids, a->id);
    done = end;
  }
  return encode_rest (t, e, normalized, p, done, p.bytes, ids);
}

sol_status_t sol_tokenizer_encode (const sol_tokenizer_t *t, const char *text, size_t bytes, sol_ids_t *ids, const char **why_p)
{
  const char *why = NULL;
  if (bytes > INT32_MAX / 16) why = "the text is longer than 128 MiB";
  else if (sol_utf8_check (text, bytes) < bytes) why = "the text is not UTF-8";
  if (why) {
    if (why_p) *why_p = why;
    return SOL_ERR_FORMAT;
  }
  sol_encode_t *e = take_room (t);
  if (!e) return SOL_ERR_MEMORY;
  sol_status_t st = encode_part (t, e, 0, (part_t) { text, bytes, 1 }, ids);
  if (st != SOL_OK && why_p) *why_p = "the tokenizer's expressions fail on it";
  put_room (t, e);
  return st;
}

sol_status_t sol_tokenizer_encode_prompt (const sol_tokenizer_t *t, const char *text, size_t bytes, sol_ids_t *ids, const char **why_p)
{
  const int32_t start = ids->n, n = t->before.n;
  SOL_TRY (sol_tokenizer_encode (t, text, bytes, ids, why_p));
  if (!n || (ids->n - start >= n && !memcmp (ids->data + start, t->before.data, (size_t) n * sizeof *ids->data))) return SOL_OK;
  for (int32_t i = 0; i < n; i++) sol_ids_add (ids, 0);
  memmove (ids->data + start + n, ids->data + start, (size_t) (ids->n - start - n) * sizeof *ids->data);
  memcpy (ids->data + start, t->before.data, (size_t) n * sizeof *ids->data);
  return SOL_OK;
}
