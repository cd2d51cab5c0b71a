/* SPDX-License-Identifier: Apache-2.0 */
/* The container format as published by Hugging Face: u64 header length, header {"name": {"dtype","shape","data_offsets"}, "__metadata__": {}}, tensor bytes. */
#include "safetensors_file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM "safetensors"
#define HEADER_MOST 100000000u /* the format's own limit */
#define EXACT 9007199254740992.0 /* 2^53: beyond it cJSON's doubles skip integers */

static const struct { const char *name; unsigned bits; } dtypes[] = {
  { "F32", 32 }, { "BF16", 16 }, { "F16", 16 }, { "F64", 64 }, { "I64", 64 }, { "I32", 32 }, { "I16", 16 }, { "I8", 8 },
  { "U64", 64 }, { "U32", 32 }, { "U16", 16 }, { "U8", 8 }, { "BOOL", 8 }, { "F8_E4M3", 8 }, { "F8_E5M2", 8 },
};

void sol_st_shape_text (const int64_t *dim, int n_dims, char *text, size_t room)
{
  size_t at = 0;
  for (int i = 0; i < n_dims && at < room; i++)
    at += (size_t) snprintf (text + at, room - at, "%s%" PRId64, i ? ", " : "[", dim[i]);
  if (at < room) snprintf (text + at, room - at, n_dims ? "]" : "[]");
}

static int whole_number (const cJSON *j, int64_t *out)
{
  if (!cJSON_IsNumber (j) || !(j->valuedouble >= 0) || j->valuedouble >= EXACT) return 0;
  *out = (int64_t) j->valuedouble;
  return (double) *out == j->valuedouble;
}

/* dtype and shape -> *bytes_p that the tensor must have */
static sol_status_t read_form (const char *path, const cJSON *j, sol_st_entry_t *e, uint64_t *bytes_p)
{
  const cJSON *dtype = cJSON_GetObjectItemCaseSensitive (j, "dtype"), *shape = cJSON_GetObjectItemCaseSensitive (j, "shape"), *d;
  uint64_t bits = 0;
  if (!cJSON_IsString (dtype)) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: tensor %s: dtype is missing or not a string", path, e->name);
  for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
    if (!strcmp (dtypes[i].name, dtype->valuestring)) { e->dtype = dtypes[i].name; bits = dtypes[i].bits; }
  if (!bits) return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: tensor %s: unknown dtype \"%.20s\"", path, e->name, dtype->valuestring);
  if (!cJSON_IsArray (shape)) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: tensor %s: shape is missing or not a list", path, e->name);
  cJSON_ArrayForEach (d, shape) {
    if (e->n_dims == SOL_ST_DIMS) return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: tensor %s: more than %d dimensions", path, e->name, SOL_ST_DIMS);
    if (!whole_number (d, &e->dim[e->n_dims])) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: tensor %s: dimension %d is not a whole number >= 0", path, e->name, e->n_dims);
    if (__builtin_mul_overflow (bits, (uint64_t) e->dim[e->n_dims], &bits))
      return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: tensor %s: the shape's product overflows", path, e->name);
    e->n_dims++;
  }
  *bytes_p = bits / 8;
  return SOL_OK;
}

static sol_status_t read_entry (const char *path, const cJSON *j, uint64_t data_bytes, sol_st_entry_t *e)
{
  uint64_t bytes = 0;
  int64_t begin, end;
  if (!cJSON_IsObject (j)) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: header entry %s is not an object", path, e->name);
  SOL_TRY (read_form (path, j, e, &bytes));
  const cJSON *off = cJSON_GetObjectItemCaseSensitive (j, "data_offsets");
  if (!cJSON_IsArray (off) || cJSON_GetArraySize (off) != 2 || !whole_number (off->child, &begin) || !whole_number (off->child->next, &end))
    return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: tensor %s: data_offsets is not a pair of whole numbers", path, e->name);
  if (begin > end || (uint64_t) end > data_bytes)
    return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: tensor %s: bytes [%" PRId64 ", %" PRId64 ") are not inside the %" PRIu64 " bytes of data (file truncated?)", path, e->name, begin,
                     end, data_bytes);
  if ((uint64_t) (end - begin) != bytes)
    return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: tensor %s: its dtype and shape need %" PRIu64 " bytes, its offsets span %" PRId64, path, e->name, bytes, end - begin);
  e->begin = (uint64_t) begin;
  e->end = (uint64_t) end;
  return SOL_OK;
}

static int by_place (const void *pa, const void *pb)
{
  const sol_st_entry_t *a = pa, *b = pb;
  if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
  return a->end < b->end ? -1 : a->end > b->end;
}
static int by_name (const void *pa, const void *pb) { return strcmp (*(char *const *) pa, *(char *const *) pb); }

static sol_status_t check_names (const char *path, const sol_st_file_t *f)
{
  char **names = sol_alloc (sizeof *names * (size_t) (f->n + 1));
  sol_status_t st = SOL_OK;
  for (int i = 0; i < f->n; i++) names[i] = f->entry[i].name;
  qsort (names, (size_t) f->n, sizeof *names, by_name);
  for (int i = 1; i < f->n && st == SOL_OK; i++)
    if (!strcmp (names[i - 1], names[i])) st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: tensor %s is named twice", path, names[i]);
  sol_free (names);
  return st;
}

/* the bytes must be used wholly, in any order, each once */
static sol_status_t check_places (const char *path, sol_st_file_t *f, uint64_t data_bytes)
{
  uint64_t at = 0;
  qsort (f->entry, (size_t) f->n, sizeof *f->entry, by_place);
  for (int i = 0; i < f->n; i++) {
    const sol_st_entry_t *e = &f->entry[i];
    if (e->begin < at) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: tensors %s and %s overlap", path, f->entry[i - 1].name, e->name);
    if (e->begin > at) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: %" PRIu64 " bytes before tensor %s belong to no tensor", path, e->begin - at, e->name);
    at = e->end;
  }
  if (at != data_bytes) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: the last %" PRIu64 " bytes belong to no tensor", path, data_bytes - at);
  return SOL_OK;
}

static sol_status_t read_header (const char *path, const cJSON *json, uint64_t data_bytes, sol_st_file_t *f)
{
  const cJSON *j;
  if (!cJSON_IsObject (json)) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: the header is not a JSON object", path);
  f->entry = sol_alloc (sizeof *f->entry * ((size_t) cJSON_GetArraySize (json) + 1));
  cJSON_ArrayForEach (j, json) {
    if (!strcmp (j->string, "__metadata__")) continue;
    sol_st_entry_t *e = &f->entry[f->n++];
    e->name = sol_strdup (j->string);
    SOL_TRY (read_entry (path, j, data_bytes, e));
  }
  SOL_TRY (check_names (path, f));
  return check_places (path, f, data_bytes);
}

sol_status_t sol_st_file_open (const char *path, sol_st_file_t *file_p)
{
  sol_st_file_t f = { 0 };
  cJSON *json = NULL;
  sol_status_t st;
  uint64_t n = 0;
  const char *end = NULL;

  SOL_TRY (sol_file_map (path, &f.map));
  if (f.map.bytes < 8) { st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: %zu bytes is too short for a safetensors file", path, f.map.bytes); goto out; }
  for (int i = 7; i >= 0; i--) n = n << 8 | f.map.data[i];
  if (n > HEADER_MOST || n > f.map.bytes - 8) {
    st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: the header claims %" PRIu64 " bytes, the file has %zu (limit %u)", path, n, f.map.bytes - 8, HEADER_MOST);
    goto out;
  }
  json = cJSON_ParseWithLengthOpts ((const char *) f.map.data + 8, n, &end, 0);
  if (!json) { st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: the header is not JSON (near its byte %td)", path, end ? end - ((const char *) f.map.data + 8) : 0); goto out; }
  for (const char *limit = (const char *) f.map.data + 8 + n; end < limit; end++)
    if (*end != ' ' && *end != '\n' && *end != '\t' && *end != '\r') { st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: text behind the header's JSON", path); goto out; }
  f.data = f.map.data + 8 + n;
  SOL_GO (read_header (path, json, f.map.bytes - 8 - n, &f));
out:
  cJSON_Delete (json);
  if (st == SOL_OK) *file_p = f;
  else sol_st_file_close (&f);
  return st;
}

void sol_st_file_close (sol_st_file_t *f)
{
  for (int i = 0; i < f->n; i++) sol_free (f->entry[i].name);
  sol_free (f->entry);
  sol_file_unmap (&f->map);
  *f = (sol_st_file_t){ 0 };
}
