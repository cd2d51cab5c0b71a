/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/tokenizer.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/utf8.h"
#include "tokenizer_internal.h"
#include <string.h>

void sol_ids_add (sol_ids_t *ids, int32_t id)
{
  if (ids->n == ids->room) {
    SOL_ASSERT (ids->n < INT32_MAX / 2 - 64);
    ids->room = ids->room * 2 + 64;
    ids->data = sol_realloc (ids->data, (size_t) ids->room * sizeof *ids->data);
  }
  ids->data[ids->n++] = id;
}

void sol_ids_free (sol_ids_t *ids)
{
  sol_free (ids->data);
  *ids = (sol_ids_t) { 0 };
}

sol_status_t sol_tokenizer_load (const char *folder, sol_tokenizer_t **tokenizer_p)
{
  sol_tokenizer_t *t = sol_alloc (sizeof *t);
  sol_status_t st = sol_tokenizer_read (t, folder);
  if (st == SOL_OK) *tokenizer_p = t;
  else sol_tokenizer_destroy (t);
  return st;
}

void sol_tokenizer_destroy (sol_tokenizer_t *t)
{
  if (!t) return;
  for (int i = 0; i < t->n_steps; i++) pcre2_code_free (t->step[i].code);
  sol_buffer_free (&t->names);
  sol_buffer_free (&t->bytes);
  sol_free (t->name);
  sol_free (t->text);
  sol_free (t->special);
  sol_free (t->by_name.slot);
  sol_free (t->merges.slot);
  sol_free (t->added);
  sol_free (t->eos);
  sol_free (t);
}

/* ---- encode */

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

static sol_status_t encode_words (const sol_tokenizer_t *t, sol_encode_t *e, const char *text, size_t bytes, sol_ids_t *ids)
{
  SOL_TRY (sol_pretokenize (t, e, text, bytes));
  for (size_t i = 0; i < e->n_pieces; i++) sol_bpe (t, e, text + e->piece[i].at, e->piece[i].bytes, ids);
  return SOL_OK;
}

static sol_status_t encode_part (const sol_tokenizer_t *t, sol_encode_t *e, int normalized, const char *text, size_t bytes, sol_ids_t *ids);

/* text without added tokens of this round: to the next round */
static sol_status_t encode_rest (const sol_tokenizer_t *t, sol_encode_t *e, int normalized, const char *text, size_t bytes, sol_ids_t *ids)
{
  if (!bytes) return SOL_OK;
  if (normalized) return encode_words (t, e, text, bytes, ids);
  int plain = 1;
  for (size_t i = 0; t->nfc && plain && i < bytes; i++) plain = (unsigned char) text[i] < 0x80;
  if (plain) return encode_part (t, e, 1, text, bytes, ids);
  sol_buffer_t nfc = { 0 };
  sol_status_t st = sol_nfc (text, bytes, &nfc);
  if (st == SOL_OK) st = encode_part (t, e, 1, nfc.data, nfc.bytes, ids);
  sol_buffer_free (&nfc);
  return st;
}

/* Two rounds: added tokens that are looked for in the text as it is, then, in what lies between, normalised, those that are looked for after normalisation. */
static sol_status_t encode_part (const sol_tokenizer_t *t, sol_encode_t *e, int normalized, const char *text, size_t bytes, sol_ids_t *ids)
{
  size_t done = 0, i = 0;
  while (i < bytes) {
    const sol_added_t *a = t->added_first[normalized][(unsigned char) text[i]] ? added_at (t, normalized, text + i, bytes - i) : NULL;
    if (!a) {
      i++;
      continue;
    }
    size_t start = a->lstrip ? space_before (text, done, i) : i, end = i + a->content.bytes;
    if (a->rstrip) end = space_after (text, end, bytes);
    SOL_TRY (encode_rest (t, e, normalized, text + done, start - done, ids));
    sol_ids_add (ids, a->id);
    done = i = end;
  }
  return encode_rest (t, e, normalized, text + done, bytes - done, ids);
}

sol_status_t sol_tokenizer_encode (const sol_tokenizer_t *t, const char *text, size_t bytes, sol_ids_t *ids, const char **why_p)
{
  const char *why = NULL;
  if (bytes > INT32_MAX / 4) why = "the text is longer than 512 MiB";
  else if (sol_utf8_check (text, bytes) < bytes) why = "the text is not UTF-8";
  if (why) {
    if (why_p) *why_p = why;
    return SOL_ERR_FORMAT;
  }
  sol_encode_t e = { .match = pcre2_match_data_create (16, NULL) };
  if (!e.match) return sol_fail (SOL_ERR_MEMORY, "tokenizer", "no memory for matching");
  sol_status_t st = encode_part (t, &e, 0, text, bytes, ids);
  if (st != SOL_OK && why_p) *why_p = "the pre-tokenizer fails on it";
  pcre2_match_data_free (e.match);
  sol_buffer_free (&e.masked);
  void *all[] = { e.piece, e.next, e.sym, e.left, e.right, e.rank, e.to, e.heap };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) sol_free (all[i]);
  return st;
}

/* ---- decode */

const char *sol_tokenizer_bytes (const sol_tokenizer_t *t, int32_t id, size_t *bytes_p)
{
  *bytes_p = 0;
  if (id < 0 || id >= t->size || !t->name[id].bytes) return NULL;
  *bytes_p = t->text[id].bytes;
  return t->bytes.data + t->text[id].at;
}

void sol_tokenizer_decode (const sol_tokenizer_t *t, const int32_t *ids, int32_t n, int skip_special, sol_buffer_t *out)
{
  sol_buffer_t raw = { 0 };
  for (int32_t i = 0; i < n; i++) {
    size_t bytes;
    const char *s = sol_tokenizer_bytes (t, ids[i], &bytes);
    if (s && !(skip_special && t->special[ids[i]])) sol_buffer_add (&raw, s, bytes);
  }
  if (raw.bytes) sol_utf8_lossy (out, raw.data, raw.bytes);
  sol_buffer_free (&raw);
}

int sol_tokenizer_ends_with (const sol_tokenizer_t *t, const int32_t *ids, int32_t n, const char *what, size_t what_bytes)
{
  size_t last;
  const char *end = n > 0 ? sol_tokenizer_bytes (t, ids[n - 1], &last) : NULL;
  if (!end || !what_bytes) return 0;
  for (size_t stop = 1; stop <= last; stop++) { /* an occurrence whose last byte is byte stop - 1 of the last token, compared backwards through the tokens */
    int32_t k = n - 1;
    const char *s = end;
    size_t at = stop, left = what_bytes;
    while (left) {
      while (!at && k > 0) s = sol_tokenizer_bytes (t, ids[--k], &at);
      if (!at || s[at - 1] != what[left - 1]) break;
      at--;
      left--;
    }
    if (!left) return 1;
  }
  return 0;
}

/* ---- facts */

int32_t sol_tokenizer_size (const sol_tokenizer_t *t) { return t->size; }

int32_t sol_tokenizer_id (const sol_tokenizer_t *t, const char *token)
{
  size_t bytes = strlen (token);
  for (int i = 0; i < t->n_added; i++)
    if (t->name[t->added[i].id].bytes == bytes && !memcmp (t->names.data + t->name[t->added[i].id].at, token, bytes)) return t->added[i].id;
  sol_buffer_t name = { 0 };
  sol_bytes_spell (&name, token, bytes);
  int32_t id = name.bytes ? sol_name_table_get (&t->by_name, t, name.data, name.bytes) : -1;
  sol_buffer_free (&name);
  return id;
}

int32_t sol_tokenizer_bos (const sol_tokenizer_t *t) { return t->bos; }

const int32_t *sol_tokenizer_eos (const sol_tokenizer_t *t, int *n_p)
{
  *n_p = t->n_eos;
  return t->eos;
}

int sol_tokenizer_is_eos (const sol_tokenizer_t *t, int32_t id)
{
  for (int i = 0; i < t->n_eos; i++)
    if (t->eos[i] == id) return 1;
  return 0;
}
