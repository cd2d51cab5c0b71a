/* SPDX-License-Identifier: Apache-2.0 */
/* values of a GGUF header by their keys */
#include "gguf.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/utf8.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM "gguf"
#define TEXTS_MOST (1 << 24)

static const char *const kind_names[SOL_GGUF_KINDS] = { "u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64" };

int sol_gguf_text_is (sol_gguf_text_t text, const char *what) { return text.bytes == strlen (what) && !memcmp (text.at, what, text.bytes); }

static int by_key (const void *a, const void *b)
{
  const sol_gguf_text_t *k = a, *v = &((const sol_gguf_value_t *) b)->key;
  const int d = memcmp (k->at, v->at, k->bytes < v->bytes ? k->bytes : v->bytes);
  return d ? d : (k->bytes > v->bytes) - (k->bytes < v->bytes);
}

const sol_gguf_value_t *sol_gguf_find (const sol_gguf_t *g, const char *key)
{
  const sol_gguf_text_t k = { key, strlen (key) };
  return g->n_values ? bsearch (&k, g->value, (size_t) g->n_values, sizeof *g->value, by_key) : NULL;
}

static sol_status_t wrong (const sol_gguf_t *g, const char *key, const char *expected, const sol_gguf_value_t *v)
{
  if (!v) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: key %s: expected %s, found nothing", g->path, key, expected);
  if (v->kind == SOL_GGUF_ARRAY) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: key %s: expected %s, found an array of %" PRIu64 " %s", g->path, key, expected, v->n, kind_names[v->inner]);
  if (v->kind == SOL_GGUF_STRING) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: key %s: expected %s, found a string", g->path, key, expected);
  return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: key %s: expected %s, found %.17g (%s)", g->path, key, expected, sol_gguf_number (g, v, 0), kind_names[v->kind]);
}

static const uint8_t *element (const sol_gguf_t *g, const sol_gguf_value_t *v, uint64_t i, size_t bytes) { return g->map.data + v->at + (size_t) i * bytes; }

/* copied: the file aligns nothing */
#define NUMBER(type)                                                                                                                                                                                    \
  {                                                                                                                                                                                                     \
    type x;                                                                                                                                                                                             \
    memcpy (&x, element (g, v, i, sizeof x), sizeof x);                                                                                                                                                 \
    return (double) x;                                                                                                                                                                                  \
  }

double sol_gguf_number (const sol_gguf_t *g, const sol_gguf_value_t *v, uint64_t i)
{
  switch (v->inner) {
  case SOL_GGUF_U8:
  case SOL_GGUF_BOOL: NUMBER (uint8_t)
  case SOL_GGUF_I8: NUMBER (int8_t)
  case SOL_GGUF_U16: NUMBER (uint16_t)
  case SOL_GGUF_I16: NUMBER (int16_t)
  case SOL_GGUF_U32: NUMBER (uint32_t)
  case SOL_GGUF_I32: NUMBER (int32_t)
  case SOL_GGUF_F32: NUMBER (float)
  case SOL_GGUF_U64: NUMBER (uint64_t)
  case SOL_GGUF_I64: NUMBER (int64_t)
  case SOL_GGUF_F64: NUMBER (double)
  default: return NAN;
  }
}

static int is_number (const sol_gguf_value_t *v) { return v->kind != SOL_GGUF_ARRAY && v->kind != SOL_GGUF_STRING && v->kind != SOL_GGUF_BOOL; }

sol_status_t sol_gguf_int (const sol_gguf_t *g, const char *key, int required, int64_t min, int64_t max, int64_t absent, int64_t *x_p)
{
  const sol_gguf_value_t *v = sol_gguf_find (g, key);
  const double d = v && is_number (v) ? sol_gguf_number (g, v, 0) : NAN;
  char text[96];
  if (!v && !required) {
    *x_p = absent;
    return SOL_OK;
  }
  snprintf (text, sizeof text, "a whole number from %" PRId64 " to %" PRId64, min, max);
  if (!(d >= (double) min && d <= (double) max) || d != floor (d)) return wrong (g, key, text, v);
  *x_p = (int64_t) d;
  return SOL_OK;
}

sol_status_t sol_gguf_double (const sol_gguf_t *g, const char *key, int required, double absent, double *x_p)
{
  const sol_gguf_value_t *v = sol_gguf_find (g, key);
  const double d = v && is_number (v) ? sol_gguf_number (g, v, 0) : NAN;
  if (!v && !required) {
    *x_p = absent;
    return SOL_OK;
  }
  if (!isfinite (d)) return wrong (g, key, "a number", v);
  *x_p = d;
  return SOL_OK;
}

sol_status_t sol_gguf_bool (const sol_gguf_t *g, const char *key, int absent, int *x_p)
{
  const sol_gguf_value_t *v = sol_gguf_find (g, key);
  if (v && (v->kind != SOL_GGUF_BOOL || sol_gguf_number (g, v, 0) > 1)) return wrong (g, key, "a bool", v);
  *x_p = v ? sol_gguf_number (g, v, 0) != 0 : absent;
  return SOL_OK;
}

/* the string that begins at `at`, whose bounds were checked when the file was opened; *next_p: what follows it */
static sol_gguf_text_t text_at (const sol_gguf_t *g, size_t at, size_t *next_p)
{
  uint64_t n;
  memcpy (&n, g->map.data + at, sizeof n);
  *next_p = at + 8 + (size_t) n;
  return (sol_gguf_text_t){ (const char *) g->map.data + at + 8, (size_t) n };
}

static sol_status_t check_text (const sol_gguf_t *g, sol_gguf_text_t key, uint64_t i, sol_gguf_text_t text)
{
  const size_t good = sol_utf8_check (text.at, text.bytes);
  if (good == text.bytes) return SOL_OK;
  return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: key %.*s: string %" PRIu64 ": expected UTF-8, found something else at its byte %zu", g->path, (int) key.bytes, key.at, i, good);
}

sol_status_t sol_gguf_string (const sol_gguf_t *g, const char *key, int required, sol_gguf_text_t *text_p)
{
  const sol_gguf_value_t *v = sol_gguf_find (g, key);
  size_t next;
  if (!v && !required) {
    *text_p = (sol_gguf_text_t){ NULL, 0 };
    return SOL_OK;
  }
  if (!v || v->kind != SOL_GGUF_STRING) return wrong (g, key, "a string", v);
  const sol_gguf_text_t text = text_at (g, v->at, &next);
  SOL_TRY (check_text (g, v->key, 0, text));
  *text_p = text;
  return SOL_OK;
}

sol_status_t sol_gguf_array (const sol_gguf_t *g, const char *key, int required, uint32_t inner, const sol_gguf_value_t **array_p)
{
  const sol_gguf_value_t *v = sol_gguf_find (g, key);
  char text[64];
  snprintf (text, sizeof text, "an array of %s", kind_names[inner]);
  if (v ? v->kind != SOL_GGUF_ARRAY || v->inner != inner : required) return wrong (g, key, text, v);
  *array_p = v;
  return SOL_OK;
}

sol_status_t sol_gguf_texts (const sol_gguf_t *g, const sol_gguf_value_t *array, sol_gguf_text_t **texts_p)
{
  if (array->n > TEXTS_MOST) return sol_fail (SOL_ERR_LIMIT, ROOM, "%s: key %.*s: expected at most %d strings, found %" PRIu64, g->path, (int) array->key.bytes, array->key.at, TEXTS_MOST, array->n);
  sol_gguf_text_t *texts = sol_alloc (sizeof *texts * ((size_t) array->n + 1));
  size_t at = array->at;
  sol_status_t st = SOL_OK;
  for (uint64_t i = 0; i < array->n && st == SOL_OK; i++) {
    texts[i] = text_at (g, at, &at);
    st = check_text (g, array->key, i, texts[i]);
  }
  if (st == SOL_OK) *texts_p = texts;
  else sol_free (texts);
  return st;
}
