/* SPDX-License-Identifier: Apache-2.0 */
/* A weight folder -> the canonical float32 block. Everything is checked before the first element is written, so that a bad folder leaves the block alone. */
#include "solera/safetensors.h"
#include "half.h"
#include "safetensors_file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#define ROOM "safetensors"
#define SHARDS_MOST 4096
_Static_assert (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors, records and checkpoints are little-endian");

typedef struct { char *name; sol_st_file_t file; } shard_t;
typedef struct { const char *tensor, *file; int seen; } place_t; /* one line of an index */
typedef struct {
  const char *dir;
  const sol_table_t *table;
  int tied;
  int n_shards, n_places;
  shard_t *shard;
  place_t *place;                 /* sorted by tensor; none for a single file */
  const sol_st_entry_t **source;  /* [table->n] */
  const uint8_t **bytes;          /* [table->n] data of the source's file */
  cJSON *index;
} folder_t;

static int by_tensor (const void *a, const void *b) { return strcmp (((const place_t *) a)->tensor, ((const place_t *) b)->tensor); }

static int plain_name (const char *s)
{
  size_t n = strlen (s);
  return n > 12 && n < 256 && s[0] != '.' && !strchr (s, '/') && !strchr (s, '\\') && !strcmp (s + n - 12, ".safetensors");
}

/* index -> places and the distinct files */
static sol_status_t read_index (folder_t *f, const char *path)
{
  char *text;
  size_t bytes;
  SOL_TRY (sol_file_read (path, 100u << 20, &text, &bytes));
  f->index = cJSON_ParseWithLength (text, bytes);
  sol_free (text);
  const cJSON *map = cJSON_GetObjectItemCaseSensitive (f->index, "weight_map"), *j;
  if (!cJSON_IsObject (map)) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: not a JSON object with \"weight_map\"", path);
  int n = cJSON_GetArraySize (map);
  f->place = sol_alloc (sizeof *f->place * ((size_t) n + 1));
  f->shard = sol_alloc (sizeof *f->shard * ((size_t) n + 1));
  cJSON_ArrayForEach (j, map) {
    if (!cJSON_IsString (j) || !plain_name (j->valuestring))
      return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: tensor %s: expected the name of a .safetensors file beside the index, found \"%.80s\"", path, j->string,
                       cJSON_IsString (j) ? j->valuestring : "no string");
    f->place[f->n_places++] = (place_t){ j->string, j->valuestring, 0 };
    int k = 0;
    while (k < f->n_shards && strcmp (f->shard[k].name, j->valuestring) != 0) k++;
    if (k == SHARDS_MOST) return sol_fail (SOL_ERR_LIMIT, ROOM, "%s: more than %d files", path, SHARDS_MOST);
    if (k == f->n_shards) f->shard[f->n_shards++].name = sol_strdup (j->valuestring);
  }
  if (!n) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: \"weight_map\" is empty", path);
  qsort (f->place, (size_t) n, sizeof *f->place, by_tensor);
  for (int i = 1; i < n; i++)
    if (!strcmp (f->place[i].tensor, f->place[i - 1].tensor)) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: tensor %s is named twice", path, f->place[i].tensor);
  return SOL_OK;
}

/* the index and the file must agree on where a tensor is */
static sol_status_t check_place (folder_t *f, const shard_t *s, const char *tensor)
{
  if (!f->place) return SOL_OK;
  place_t key = { tensor, NULL, 0 }, *p = bsearch (&key, f->place, (size_t) f->n_places, sizeof key, by_tensor);
  if (!p) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s/%s: tensor %s is not in the index", f->dir, s->name, tensor);
  if (strcmp (p->file, s->name) != 0) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s/%s: tensor %s: the index says that it is in %s", f->dir, s->name, tensor, p->file);
  p->seen = 1;
  return SOL_OK;
}

static int ignored (const folder_t *f, const char *name)
{
  static const char freq[] = "rotary_emb.inv_freq";
  size_t n = strlen (name), k = sizeof freq - 1;
  return (f->tied && !strcmp (name, "lm_head.weight")) || (n >= k && !strcmp (name + n - k, freq));
}

static sol_status_t match_entry (folder_t *f, const shard_t *s, const sol_st_entry_t *e)
{
  SOL_TRY (check_place (f, s, e->name));
  const sol_weight_row_t *row = sol_table_find (f->table, e->name);
  if (!row) {
    if (ignored (f, e->name)) return SOL_OK;
    return sol_fail (SOL_ERR_FORMAT, ROOM, "%s/%s: tensor %s: expected the tensors of config.json's architecture only, found one more", f->dir, s->name, e->name);
  }
  int64_t want[2] = { row->rows, row->cols };
  const int64_t *dim = row->vector ? want + 1 : want;
  int n = row->vector ? 1 : 2;
  if (e->n_dims != n || memcmp (e->dim, dim, sizeof *dim * (size_t) n) != 0) {
    char a[96], b[200];
    sol_st_shape_text (dim, n, a, sizeof a);
    sol_st_shape_text (e->dim, e->n_dims, b, sizeof b);
    return sol_fail (SOL_ERR_FORMAT, ROOM, "%s/%s: tensor %s: expected shape %s by config.json, found %s", f->dir, s->name, e->name, a, b);
  }
  if (strcmp (e->dtype, "F32") != 0 && strcmp (e->dtype, "BF16") != 0 && strcmp (e->dtype, "F16") != 0)
    return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s/%s: tensor %s: expected dtype F32, BF16 or F16, found %s", f->dir, s->name, e->name, e->dtype);
  f->source[row - f->table->row] = e;
  f->bytes[row - f->table->row] = s->file.data;
  return SOL_OK;
}

static sol_status_t check_whole (const folder_t *f)
{
  int missing = 0, first = -1;
  for (int i = 0; i < f->n_places; i++)
    if (!f->place[i].seen) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: the index says that tensor %s is in %s, which does not have it", f->dir, f->place[i].tensor, f->place[i].file);
  for (int i = 0; i < f->table->n; i++)
    if (!f->source[i]) { missing++; if (first < 0) first = i; }
  if (missing) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: tensor %s: expected by config.json, found in no file (%d of %d missing)", f->dir, f->table->row[first].name, missing, f->table->n);
  return SOL_OK;
}

static void widen (const sol_st_entry_t *e, const uint8_t *in, int64_t n, float *out)
{
  if (e->dtype[0] == 'F' && e->dtype[1] == '3') { memcpy (out, in, sizeof *out * (size_t) n); return; }
  int bf16 = e->dtype[0] == 'B';
  for (int64_t i = 0; i < n; i++) { /* by bytes: a header of odd length leaves the data unaligned */
    const uint16_t h = sol_half_bits (in + 2 * i);
    out[i] = bf16 ? sol_widen_bf16 (h) : sol_widen_f16 (h);
  }
}

static sol_status_t open_folder (folder_t *f)
{
  char *single = sol_path_join (f->dir, "model.safetensors"), *index = sol_path_join (f->dir, "model.safetensors.index.json");
  sol_status_t st = SOL_OK;
  if (sol_file_exists (single)) {
    f->shard = sol_alloc (sizeof *f->shard);
    f->shard[f->n_shards++].name = sol_strdup ("model.safetensors");
  } else if (sol_file_exists (index)) st = read_index (f, index);
  else st = sol_fail (SOL_ERR_IO, ROOM, "%s: neither model.safetensors nor model.safetensors.index.json is there", f->dir);
  sol_free (single);
  sol_free (index);
  for (int i = 0; i < f->n_shards && st == SOL_OK; i++) {
    char *path = sol_path_join (f->dir, f->shard[i].name);
    st = sol_st_file_open (path, &f->shard[i].file);
    sol_free (path);
  }
  return st;
}

/* opens every file and finds every tensor of the table in one of them */
static sol_status_t open_checked (folder_t *f)
{
  f->source = sol_alloc (sizeof *f->source * ((size_t) f->table->n + 1));
  f->bytes = sol_alloc (sizeof *f->bytes * ((size_t) f->table->n + 1));
  SOL_TRY (open_folder (f));
  for (int i = 0; i < f->n_shards; i++)
    for (int k = 0; k < f->shard[i].file.n; k++) SOL_TRY (match_entry (f, &f->shard[i], &f->shard[i].file.entry[k]));
  return check_whole (f);
}

static void close_folder (folder_t *f)
{
  for (int i = 0; i < f->n_shards; i++) {
    sol_free (f->shard[i].name);
    sol_st_file_close (&f->shard[i].file);
  }
  sol_free (f->shard);
  sol_free (f->place);
  sol_free (f->source);
  sol_free (f->bytes);
  cJSON_Delete (f->index);
}

sol_status_t sol_safetensors_check (const char *dir, const sol_table_t *table, int tied)
{
  folder_t f = { .dir = dir, .table = table, .tied = tied };
  const sol_status_t st = open_checked (&f);
  close_folder (&f);
  return st;
}

sol_status_t sol_safetensors_load (const char *dir, const sol_table_t *table, int tied, float *block)
{
  folder_t f = { .dir = dir, .table = table, .tied = tied };
  const sol_status_t st = open_checked (&f);
  for (int i = 0; i < table->n && st == SOL_OK; i++) {
    const sol_weight_row_t *row = &table->row[i];
    widen (f.source[i], f.bytes[i] + f.source[i]->begin, row->vector ? row->cols : row->rows * row->cols, block + row->offset);
  }
  close_folder (&f);
  return st;
}
