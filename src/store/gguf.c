/* SPDX-License-Identifier: Apache-2.0 */
/* The header of a GGUF file: "GGUF", u32 version, u64 tensors, u64 values; values {string key, u32 kind, value}; tensors {string name, u32 dimensions, u64 sizes fastest first, u32 type, u64 offset};
 * then, from the next multiple of general.alignment on, the bytes of the tensors. A string is {u64 bytes, bytes}, an array {u32 kind, u64 n, values}. */
#include "gguf.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ROOM "gguf"
#define NAME_MOST 128
#define COUNT_MOST 100000
#define SIZE_MOST ((int64_t) 1 << 32)

static const uint8_t kind_bytes[SOL_GGUF_KINDS] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 }; /* 0: string, array */

typedef struct {
  sol_gguf_t *g;
  size_t at;
} reader_t;

static size_t left (const reader_t *r) { return r->g->map.bytes - r->at; }

static sol_status_t truncated (const reader_t *r, const char *what)
{
  return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: byte %zu: expected %s, found the end of the file or a length beyond it (file truncated or damaged?)", r->g->path, r->at, what);
}

static uint64_t number_at (const uint8_t *at, int bytes)
{
  uint64_t x = 0;
  for (int i = bytes - 1; i >= 0; i--) x = x << 8 | at[i];
  return x;
}

static sol_status_t take (reader_t *r, int bytes, const char *what, uint64_t *x_p)
{
  if (left (r) < (size_t) bytes) return truncated (r, what);
  *x_p = number_at (r->g->map.data + r->at, bytes);
  r->at += (size_t) bytes;
  return SOL_OK;
}

static sol_status_t take_text (reader_t *r, const char *what, sol_gguf_text_t *text_p)
{
  uint64_t n = 0;
  SOL_TRY (take (r, 8, what, &n));
  if (n > left (r)) return truncated (r, what);
  *text_p = (sol_gguf_text_t){ (const char *) r->g->map.data + r->at, (size_t) n };
  r->at += (size_t) n;
  return SOL_OK;
}

/* names and keys end up in messages and are compared with ours: short printable ASCII */
static sol_status_t take_name (reader_t *r, const char *what, sol_gguf_text_t *text_p)
{
  const size_t at = r->at;
  SOL_TRY (take_text (r, what, text_p));
  int good = text_p->bytes > 0 && text_p->bytes < NAME_MOST;
  for (size_t i = 0; good && i < text_p->bytes; i++) good = text_p->at[i] > ' ' && text_p->at[i] < 127;
  return good ? SOL_OK : sol_fail (SOL_ERR_FORMAT, ROOM, "%s: byte %zu: expected %s of 1 to %d printable characters, found %zu bytes that are none", r->g->path, at, what, NAME_MOST - 1, text_p->bytes);
}

/* passes over n values of a kind */
static sol_status_t skip (reader_t *r, sol_gguf_text_t key, uint64_t kind, uint64_t n)
{
  sol_gguf_text_t text;
  if (kind >= SOL_GGUF_KINDS) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: key %.*s: expected a kind of value under %d, found %" PRIu64, r->g->path, (int) key.bytes, key.at, SOL_GGUF_KINDS, kind);
  if (kind == SOL_GGUF_ARRAY) return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: key %.*s: expected an array of plain values, found one of arrays", r->g->path, (int) key.bytes, key.at);
  if (kind != SOL_GGUF_STRING) {
    if (n > left (r) / kind_bytes[kind]) return truncated (r, "a value");
    r->at += (size_t) n * kind_bytes[kind];
    return SOL_OK;
  }
  if (n > left (r) / 8) return truncated (r, "an array of strings");
  for (uint64_t i = 0; i < n; i++) SOL_TRY (take_text (r, "a string", &text));
  return SOL_OK;
}

static sol_status_t read_value (reader_t *r, sol_gguf_value_t *v)
{
  uint64_t x = 0;
  SOL_TRY (take_name (r, "a key", &v->key));
  SOL_TRY (take (r, 4, "a kind of value", &x));
  v->kind = v->inner = (uint32_t) x;
  v->n = 1;
  if (x == SOL_GGUF_ARRAY) {
    SOL_TRY (take (r, 4, "a kind of array", &x));
    v->inner = (uint32_t) x;
    SOL_TRY (take (r, 8, "the length of an array", &v->n));
  }
  v->at = r->at;
  return skip (r, v->key, v->inner, v->n);
}

static int by_text (sol_gguf_text_t a, sol_gguf_text_t b)
{
  const int d = memcmp (a.at, b.at, a.bytes < b.bytes ? a.bytes : b.bytes);
  return d ? d : (a.bytes > b.bytes) - (a.bytes < b.bytes);
}
static int by_key (const void *a, const void *b) { return by_text (((const sol_gguf_value_t *) a)->key, ((const sol_gguf_value_t *) b)->key); }
static int by_name (const void *a, const void *b) { return strcmp (((const sol_gguf_tensor_t *) a)->name, ((const sol_gguf_tensor_t *) b)->name); }
static int by_place (const void *pa, const void *pb)
{
  const sol_gguf_tensor_t *a = *(sol_gguf_tensor_t *const *) pa, *b = *(sol_gguf_tensor_t *const *) pb;
  return (a->data > b->data) - (a->data < b->data);
}

static sol_status_t read_values (reader_t *r, uint64_t n)
{
  sol_gguf_t *g = r->g;
  if (n > left (r) / 13) return truncated (r, "so many values"); /* a key of one character, a kind, one byte */
  g->value = sol_alloc (sizeof *g->value * ((size_t) n + 1));
  for (; g->n_values < (int) n; g->n_values++) SOL_TRY (read_value (r, &g->value[g->n_values]));
  qsort (g->value, (size_t) n, sizeof *g->value, by_key);
  for (int i = 1; i < g->n_values; i++)
    if (!by_key (&g->value[i - 1], &g->value[i])) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: key %.*s: expected once, found twice", g->path, (int) g->value[i].key.bytes, g->value[i].key.at);
  return SOL_OK;
}

static sol_status_t read_tensor (reader_t *r, sol_gguf_tensor_t *t, uint64_t *offset_p)
{
  const char *path = r->g->path;
  sol_gguf_text_t name;
  uint64_t n = 0, size[2] = { 1, 1 }, type = 0;
  size_t bytes;
  SOL_TRY (take_name (r, "the name of a tensor", &name));
  t->name = sol_alloc (name.bytes + 1);
  memcpy (t->name, name.at, name.bytes);
  SOL_TRY (take (r, 4, "a number of dimensions", &n));
  if (n < 1 || n > 2) return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: tensor %s: expected 1 or 2 dimensions, found %" PRIu64, path, t->name, n);
  for (uint64_t i = 0; i < n; i++) {
    SOL_TRY (take (r, 8, "a dimension", &size[i]));
    if (size[i] < 1 || size[i] > (uint64_t) SIZE_MOST) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: tensor %s: expected dimensions from 1 to %" PRId64 ", found %" PRIu64, path, t->name, SIZE_MOST, size[i]);
  }
  SOL_TRY (take (r, 4, "a type", &type));
  SOL_TRY (take (r, 8, "an offset", offset_p));
  const int block = sol_gguf_block ((uint32_t) type, &bytes);
  if (!block)
    return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: tensor %s: expected type " SOL_GGUF_TYPES ", found %s (%" PRIu64 ")", path, t->name, sol_gguf_type_name ((uint32_t) type), type);
  if (size[0] % (uint64_t) block)
    return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: tensor %s: expected rows of whole blocks of %d, found %" PRIu64 " columns", path, t->name, block, size[0]);
  t->n_dims = (int) n;
  t->cols = (int64_t) size[0];
  t->rows = (int64_t) size[1];
  t->type = (uint32_t) type;
  t->row_bytes = (size_t) (size[0] / (uint64_t) block) * bytes;
  return SOL_OK;
}

static sol_status_t place_tensor (reader_t *r, sol_gguf_tensor_t *t, uint64_t offset, int64_t align)
{
  const sol_gguf_t *g = r->g;
  const uint64_t room = r->at < g->map.bytes ? g->map.bytes - r->at : 0;
  uint64_t bytes;
  if (offset % (uint64_t) align) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: tensor %s: expected an offset of a multiple of %" PRId64 ", found %" PRIu64, g->path, t->name, align, offset);
  if (__builtin_mul_overflow ((uint64_t) t->rows, (uint64_t) t->row_bytes, &bytes) || offset > room || bytes > room - offset)
    return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: tensor %s: expected its bytes inside the %" PRIu64 " bytes of data, found offset %" PRIu64 " and %" PRId64 " rows of %zu bytes (file truncated?)", g->path, t->name, room,
                     offset, t->rows, t->row_bytes);
  t->data = g->map.data + r->at + offset;
  return SOL_OK;
}

static sol_status_t check_overlaps (const sol_gguf_t *g)
{
  sol_status_t st = SOL_OK;
  const sol_gguf_tensor_t **t = sol_alloc (sizeof *t * ((size_t) g->n_tensors + 1));
  for (int i = 0; i < g->n_tensors; i++) t[i] = &g->tensor[i];
  qsort (t, (size_t) g->n_tensors, sizeof *t, by_place);
  for (int i = 1; i < g->n_tensors && st == SOL_OK; i++)
    if (t[i - 1]->data + (size_t) t[i - 1]->rows * t[i - 1]->row_bytes > t[i]->data) st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: tensors %s and %s overlap", g->path, t[i - 1]->name, t[i]->name);
  sol_free (t);
  return st;
}

static sol_status_t read_tensors (reader_t *r, uint64_t n)
{
  sol_gguf_t *g = r->g;
  int64_t align;
  if (n > left (r) / 33) return truncated (r, "so many tensors");
  g->tensor = sol_alloc (sizeof *g->tensor * ((size_t) n + 1));
  uint64_t *offset = sol_alloc (sizeof *offset * ((size_t) n + 1));
  sol_status_t st;
  for (; g->n_tensors < (int) n; g->n_tensors++) SOL_GO (read_tensor (r, &g->tensor[g->n_tensors], &offset[g->n_tensors]));
  SOL_GO (sol_gguf_int (g, "general.alignment", 0, 1, 1 << 20, 32, &align));
  r->at = (r->at + (size_t) align - 1) / (size_t) align * (size_t) align;
  for (int i = 0; i < g->n_tensors; i++) SOL_GO (place_tensor (r, &g->tensor[i], offset[i], align));
  qsort (g->tensor, (size_t) n, sizeof *g->tensor, by_name);
  for (int i = 1; i < g->n_tensors; i++)
    if (!by_name (&g->tensor[i - 1], &g->tensor[i])) SOL_GO (sol_fail (SOL_ERR_FORMAT, ROOM, "%s: tensor %s: expected once, found twice", g->path, g->tensor[i].name));
  st = check_overlaps (g);
out:
  if (st != SOL_OK && g->n_tensors < (int) n) g->n_tensors++; /* the one that was wrong has a name */
  sol_free (offset);
  return st;
}

static sol_status_t read_header (reader_t *r)
{
  sol_gguf_t *g = r->g;
  uint64_t version = 0, n_tensors = 0, n_values = 0;
  int64_t parts;
  if (g->map.bytes < 4 || memcmp (g->map.data, "GGUF", 4)) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: expected a GGUF file, found other first bytes", g->path);
  r->at = 4;
  SOL_TRY (take (r, 4, "a version", &version));
  if (version != 2 && version != 3)
    return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: expected GGUF version 2 or 3, found %" PRIu64 "%s", g->path, version, version && !(version & 0xffff) ? " (a file of a big-endian machine)" : "");
  SOL_TRY (take (r, 8, "the number of tensors", &n_tensors));
  SOL_TRY (take (r, 8, "the number of values", &n_values));
  if (n_tensors > COUNT_MOST || n_values > COUNT_MOST)
    return sol_fail (SOL_ERR_LIMIT, ROOM, "%s: expected at most %d tensors and values, found %" PRIu64 " and %" PRIu64 " (file damaged?)", g->path, COUNT_MOST, n_tensors, n_values);
  SOL_TRY (read_values (r, n_values));
  SOL_TRY (sol_gguf_int (g, "split.count", 0, 0, 1 << 20, 1, &parts));
  if (parts > 1) return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: key split.count: expected one file, found a part of %" PRId64 " (join them first)", g->path, parts);
  return read_tensors (r, n_tensors);
}

sol_status_t sol_gguf_open (const char *path, sol_gguf_t *file_p)
{
  sol_gguf_t g = { .path = path };
  reader_t r = { &g, 0 };
  SOL_TRY (sol_file_map (path, &g.map));
  const sol_status_t st = read_header (&r);
  if (st == SOL_OK) *file_p = g;
  else sol_gguf_close (&g);
  return st;
}

void sol_gguf_close (sol_gguf_t *g)
{
  for (int i = 0; i < g->n_tensors; i++) sol_free (g->tensor[i].name);
  sol_free (g->tensor);
  sol_free (g->value);
  sol_file_unmap (&g->map);
  *g = (sol_gguf_t){ 0 };
}

sol_gguf_tensor_t *sol_gguf_tensor (const sol_gguf_t *g, const char *name)
{
  sol_gguf_tensor_t key = { .name = (char *) name };
  return bsearch (&key, g->tensor, (size_t) g->n_tensors, sizeof key, by_name);
}
