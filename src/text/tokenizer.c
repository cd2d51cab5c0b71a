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
  pthread_mutex_init (&t->lock, NULL);
  sol_status_t st = sol_tokenizer_read (t, folder);
  if (st == SOL_OK) *tokenizer_p = t;
  else sol_tokenizer_destroy (t);
  return st;
}

void sol_tokenizer_destroy (sol_tokenizer_t *t)
{
  if (!t) return;
  for (sol_encode_t *e = t->idle; e; e = t->idle) {
    t->idle = e->next_idle;
    sol_encode_destroy (e);
  }
  pthread_mutex_destroy (&t->lock);
  sol_tokenizer_free_steps (t);
  sol_ids_free (&t->before);
  sol_ids_free (&t->after);
  sol_buffer_free (&t->names);
  sol_buffer_free (&t->bytes);
  sol_free (t->name);
  sol_free (t->text);
  sol_free (t->shown);
  sol_free (t->special);
  sol_free (t->in_model);
  sol_free (t->by_name.slot);
  sol_free (t->merges.slot);
  sol_free (t->added);
  sol_free (t->eos);
  sol_free (t);
}

/* ---- facts */

const char *sol_tokenizer_bytes (const sol_tokenizer_t *t, int32_t id, size_t *bytes_p)
{
  *bytes_p = 0;
  if (id < 0 || id >= t->size || !t->name[id].bytes) return NULL;
  *bytes_p = t->text[id].bytes;
  return t->bytes.data + t->text[id].at;
}

int32_t sol_tokenizer_differ (const sol_tokenizer_t *a, const sol_tokenizer_t *b)
{
  for (int32_t id = 0; id < a->size || id < b->size; id++) {
    size_t n, m;
    const char *x = sol_tokenizer_bytes (a, id, &n), *y = sol_tokenizer_bytes (b, id, &m);
    if (!x != !y || n != m || (n && memcmp (x, y, n))) return id;
  }
  return -1;
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

int32_t sol_tokenizer_size (const sol_tokenizer_t *t) { return t->size; }

int32_t sol_tokenizer_id (const sol_tokenizer_t *t, const char *token)
{
  const size_t bytes = strlen (token);
  for (int i = 0; i < t->n_added; i++)
    if (t->name[t->added[i].id].bytes == bytes && !memcmp (t->names.data + t->name[t->added[i].id].at, token, bytes)) return t->added[i].id;
  sol_buffer_t name = { 0 };
  if (t->byte_level) sol_bytes_spell (&name, token, bytes);
  else sol_buffer_add (&name, token, bytes);
  int32_t id = name.bytes ? sol_name_table_get (&t->by_name, t, name.data, name.bytes) : -1;
  sol_buffer_free (&name);
  return id < 0 && bytes == 1 ? t->fallback[(unsigned char) token[0]] : id;
}

const int32_t *sol_tokenizer_before (const sol_tokenizer_t *t, int *n_p)
{
  *n_p = t->before.n;
  return t->before.data;
}

const int32_t *sol_tokenizer_after (const sol_tokenizer_t *t, int *n_p)
{
  *n_p = t->after.n;
  return t->after.data;
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
