/* SPDX-License-Identifier: Apache-2.0 */
/* Weights, a few rows at a time, -> a folder that transformers loads. */
#include "model_write.h"
#include "out_file.h"
#include "replace.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/safetensors.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ROOM "safetensors"
#define PIECE 65536

sol_status_t sol_model_carry (const char *from_dir, const char *to_dir)
{
  static const char *const names[] = { "tokenizer.json", "tokenizer_config.json", "generation_config.json", "special_tokens_map.json",
                                       "vocab.json", "merges.txt", "chat_template.jinja", "LICENSE" };
  sol_status_t st = SOL_OK;
  for (size_t i = 0; i < sizeof names / sizeof *names && st == SOL_OK; i++) {
    char *from = sol_path_join (from_dir, names[i]), *to = sol_path_join (to_dir, names[i]);
    if (sol_file_exists (from)) st = sol_file_copy (from, to);
    sol_free (from);
    sol_free (to);
  }
  return st;
}

static size_t row_bytes (const sol_weight_row_t *r, sol_dtype_t dtype) { return (size_t) (r->vector ? r->cols : r->rows * r->cols) * sol_dtype_bytes (dtype); }

/* header of one file with rows [from, to); padded with spaces so that the data is 8-byte aligned */
static void header_text (const sol_table_t *t, int from, int to, sol_dtype_t dtype, sol_buffer_t *out)
{
  size_t at = 0;
  sol_buffer_printf (out, "{\"__metadata__\":{\"format\":\"pt\"}");
  for (int i = from; i < to; i++) {
    const sol_weight_row_t *r = &t->row[i];
    size_t n = row_bytes (r, dtype);
    sol_buffer_printf (out, ",");
    sol_buffer_json (out, r->name, strlen (r->name));
    sol_buffer_printf (out, ":{\"dtype\":\"%s\",\"shape\":[", dtype == SOL_F32 ? "F32" : "BF16");
    if (!r->vector) sol_buffer_printf (out, "%" PRId64 ",", r->rows);
    sol_buffer_printf (out, "%" PRId64 "],\"data_offsets\":[%zu,%zu]}", r->cols, at, at + n);
    at += n;
  }
  sol_buffer_printf (out, "}");
  while (out->bytes % 8) sol_buffer_add (out, " ", 1);
}

/* room for the pieces of one row of the table at a time */
typedef struct {
  float *rows;
  uint16_t *rounded;
} piece_t;

/* whole matrix rows, about PIECE elements at once */
static sol_status_t write_row (sol_out_file_t *f, const sol_table_t *t, int row, const sol_model_source_t *source, sol_dtype_t dtype, const piece_t *piece)
{
  const sol_weight_row_t *r = &t->row[row];
  const int64_t step = r->cols < PIECE ? PIECE / r->cols : 1;
  for (int64_t i = 0; i < r->rows; i += step) {
    const int64_t n = r->rows - i < step ? r->rows - i : step;
    const float *w;
    SOL_TRY (source->rows (source->ctx, row, i, n, piece->rows, &w));
    if (dtype == SOL_BF16) sol_model_round (w, n * r->cols, dtype, piece->rounded);
    SOL_TRY (sol_out_write (f, dtype == SOL_BF16 ? (const void *) piece->rounded : w, (size_t) (n * r->cols) * sol_dtype_bytes (dtype)));
  }
  return SOL_OK;
}

static sol_status_t write_shard (const char *path, const sol_table_t *t, int from, int to, const sol_model_source_t *source, sol_dtype_t dtype)
{
  sol_buffer_t header = { 0 };
  sol_out_file_t f;
  uint8_t length[8];
  size_t most = PIECE;
  sol_status_t st = sol_out_open (path, &f), closed;
  if (st != SOL_OK) return st;
  for (int i = from; i < to; i++)
    if ((size_t) t->row[i].cols > most) most = (size_t) t->row[i].cols;
  const piece_t piece = { sol_alloc (most * sizeof (float)), sol_alloc (most * sizeof (uint16_t)) };
  header_text (t, from, to, dtype, &header);
  for (int i = 0; i < 8; i++) length[i] = (uint8_t) ((uint64_t) header.bytes >> 8 * i);
  SOL_GO (sol_out_write (&f, length, 8));
  SOL_GO (sol_out_write (&f, header.data, header.bytes));
  for (int i = from; i < to; i++) SOL_GO (write_row (&f, t, i, source, dtype, &piece));
out:
  closed = sol_out_close (&f);
  sol_free (piece.rows);
  sol_free (piece.rounded);
  sol_buffer_free (&header);
  return st != SOL_OK ? st : closed;
}

/* first row of the shard after the one that begins at `from`; a tensor larger than the limit has a file of its own */
static int shard_end (const sol_table_t *t, int from, sol_dtype_t dtype, size_t most)
{
  size_t sum = row_bytes (&t->row[from], dtype);
  int i = from + 1;
  while (i < t->n && sum + row_bytes (&t->row[i], dtype) <= most) sum += row_bytes (&t->row[i++], dtype);
  return i;
}

static void shard_name (char *name, size_t room, int k, int n)
{
  if (n == 1) snprintf (name, room, "model.safetensors");
  else snprintf (name, room, "model-%05d-of-%05d.safetensors", k + 1, n);
}

static sol_status_t write_weights (const char *dir, const sol_table_t *t, const sol_model_source_t *source, sol_dtype_t dtype, size_t most)
{
  int n = 0, k = 0;
  sol_buffer_t index = { 0 };
  sol_status_t st = SOL_OK;
  char name[64];
  for (int i = 0; i < t->n; i = shard_end (t, i, dtype, most)) n++;
  sol_buffer_printf (&index, "{\n  \"metadata\": {\n    \"total_size\": %zu\n  },\n  \"weight_map\": {", (size_t) t->elements * sol_dtype_bytes (dtype));
  for (int from = 0, to; from < t->n && st == SOL_OK; from = to, k++) {
    to = shard_end (t, from, dtype, most);
    shard_name (name, sizeof name, k, n);
    char *path = sol_path_join (dir, name);
    st = write_shard (path, t, from, to, source, dtype);
    sol_free (path);
    for (int i = from; i < to; i++) {
      sol_buffer_printf (&index, "%s\n    ", i ? "," : "");
      sol_buffer_json (&index, t->row[i].name, strlen (t->row[i].name));
      sol_buffer_printf (&index, ": \"%s\"", name);
    }
  }
  sol_buffer_printf (&index, "\n  }\n}\n");
  if (st == SOL_OK && n > 1) {
    char *path = sol_path_join (dir, "model.safetensors.index.json");
    st = sol_file_write (path, index.data, index.bytes);
    sol_free (path);
  }
  sol_buffer_free (&index);
  return st;
}

sol_status_t sol_model_write (const char *dir, const sol_arch_t *arch, const sol_table_t *table, const sol_model_source_t *source, sol_dtype_t dtype, size_t max_file_bytes)
{
  sol_buffer_t tmp = { 0 }, json = { 0 };
  char *to = sol_strdup (dir), *path = NULL;
  sol_status_t st;
  SOL_ASSERT (dtype == SOL_F32 || dtype == SOL_BF16);
  for (size_t n = strlen (to); n > 1 && to[n - 1] == '/';) to[--n] = 0;
  sol_buffer_printf (&tmp, "%s.tmp", to);
  path = sol_path_join (tmp.data, "config.json");
  SOL_GO (sol_dir_remove (tmp.data));
  SOL_GO (sol_dir_make (tmp.data));
  sol_arch_json (arch, dtype, &json);
  SOL_GO (sol_file_write (path, json.data, json.bytes));
  SOL_GO (write_weights (tmp.data, table, source, dtype, max_file_bytes ? max_file_bytes : (size_t) 5000000000u));
  if (source->more) SOL_GO (source->more (source->ctx, tmp.data));
  SOL_GO (sol_file_sync_dir (tmp.data));
  SOL_GO (sol_dir_replace (tmp.data, to));
out:
  if (st != SOL_OK && tmp.data) sol_dir_remove (tmp.data);
  sol_buffer_free (&tmp);
  sol_buffer_free (&json);
  sol_free (path);
  sol_free (to);
  return st;
}

/* ---- the canonical block as a source */

typedef struct {
  const sol_table_t *table;
  const float *block;
  const char *from_dir;
} block_t;

static sol_status_t block_rows (void *ctx, int row, int64_t first, int64_t n, float *room, const float **rows_p)
{
  const block_t *b = ctx;
  (void) n, (void) room;
  *rows_p = b->block + b->table->row[row].offset + first * b->table->row[row].cols;
  return SOL_OK;
}

static sol_status_t block_more (void *ctx, const char *dir)
{
  const block_t *b = ctx;
  return b->from_dir ? sol_model_carry (b->from_dir, dir) : SOL_OK;
}

sol_status_t sol_model_save (const char *dir, const sol_arch_t *arch, const sol_table_t *table, const float *block, sol_dtype_t dtype, size_t max_file_bytes, const char *from_dir)
{
  block_t b = { table, block, from_dir };
  const sol_model_source_t source = { &b, block_rows, block_more };
  return sol_model_write (dir, arch, table, &source, dtype, max_file_bytes);
}
