/* SPDX-License-Identifier: Apache-2.0 */
/* A GGUF file -> a model folder, tensor by tensor. */
#include "solera/convert.h"
#include "gguf_model.h"
#include "model_write.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

#define ROOM "convert"

typedef struct {
  sol_gguf_t g;
  sol_arch_t arch;
  sol_table_t *table;
  const sol_gguf_tensor_t **source; /* [table->n] */
  sol_gguf_files_t files;
} convert_t;

static int ends_with (const char *s, const char *tail)
{
  const size_t n = strlen (s), k = strlen (tail);
  return n >= k && !strcmp (s + n - k, tail);
}

/* where a row of q or k stands in a file that turns neighbours: pair i of a head is rows i and D/2 + i here, 2i and 2i + 1 there */
static int64_t interleaved (int64_t row, int32_t head_size)
{
  const int64_t in = row % head_size, half = head_size / 2;
  return row - in + (in % half) * 2 + in / half;
}

static sol_status_t rows_of (void *ctx, int row, int64_t first, int64_t n, float *room, const float **rows_p)
{
  const convert_t *c = ctx;
  const sol_gguf_tensor_t *t = c->source[row];
  const char *name = c->table->row[row].name;
  const int turn = sol_gguf_interleaved (&c->arch) && (ends_with (name, "q_proj.weight") || ends_with (name, "k_proj.weight"));
  for (int64_t i = 0; turn && i < n; i++) sol_gguf_decode (t->type, t->data + (size_t) interleaved (first + i, c->arch.head_size) * t->row_bytes, t->cols, room + i * t->cols);
  if (!turn) sol_gguf_decode (t->type, t->data + (size_t) first * t->row_bytes, n * t->cols, room);
  for (int64_t i = 0; i < n * t->cols; i++)
    if (!isfinite (room[i])) return sol_fail (SOL_ERR_NUMERIC, ROOM, "%s: tensor %s: expected finite weights, found %g in row %" PRId64 " (file damaged?)", c->g.path, t->name, (double) room[i], first + i / t->cols);
  *rows_p = room;
  return SOL_OK;
}

static sol_status_t write_text (const char *dir, const char *name, const sol_buffer_t *text)
{
  char *path = sol_path_join (dir, name);
  const sol_status_t st = sol_file_write (path, text->data, text->bytes);
  sol_free (path);
  return st;
}

/* the other files; and the folder must be one that is read here, before it gets its name */
static sol_status_t more (void *ctx, const char *dir)
{
  const convert_t *c = ctx;
  sol_arch_t again;
  SOL_TRY (write_text (dir, "tokenizer.json", &c->files.tokenizer));
  SOL_TRY (write_text (dir, "tokenizer_config.json", &c->files.config));
  SOL_TRY (write_text (dir, "generation_config.json", &c->files.generation));
  SOL_TRY (sol_arch_load (dir, &again));
  return sol_safetensors_check (dir, c->table, again.tied);
}

static sol_status_t check_folder (const char *folder, int force)
{
  SOL_TRY (sol_dir_check (folder));
  char *config = sol_path_join (folder, "config.json");
  const int empty = sol_dir_is_empty (folder), model = sol_file_exists (config);
  sol_free (config);
  if (empty) return SOL_OK;
  if (!force) return sol_fail (SOL_ERR_USAGE, ROOM, "%s exists: replace it with --force, or choose another out=FOLDER", folder);
  if (!model) return sol_fail (SOL_ERR_USAGE, ROOM, "%s: expected a model folder (config.json) to be replaced, found other files", folder);
  return SOL_OK;
}

/* of the matrices; vectors are F32 in every file */
static sol_dtype_t own_dtype (const convert_t *c)
{
  for (int i = 0; i < c->table->n; i++)
    if (!c->table->row[i].vector && (c->source[i]->type == SOL_GGUF_T_F32 || c->source[i]->type == SOL_GGUF_T_F16)) return SOL_F32;
  return SOL_BF16;
}

/* "models/x: llama, 134515008 weights in bf16, from 61 F32, 210 Q4_1, 1 Q8_0" */
static void say (const convert_t *c, const char *folder, sol_dtype_t dtype, sol_buffer_t *said)
{
  int said_types = 0;
  sol_buffer_printf (said, "%s: %s, %" PRId64 " weights in %s, from", folder, c->arch.family, c->table->elements, dtype == SOL_BF16 ? "bf16" : "f32");
  for (uint32_t type = 0; type <= SOL_GGUF_T_BF16; type++) {
    int n = 0;
    for (int i = 0; i < c->table->n; i++) n += c->source[i]->type == type;
    if (n) sol_buffer_printf (said, "%s %d %s", said_types++ ? "," : "", n, sol_gguf_type_name (type));
  }
  sol_buffer_printf (said, "\n");
}

sol_status_t sol_convert_gguf (const char *file, const char *folder, int setting, int force, sol_buffer_t *said)
{
  convert_t c = { .table = NULL };
  sol_status_t st;
  SOL_TRY (check_folder (folder, force));
  SOL_TRY (sol_gguf_open (file, &c.g));
  SOL_GO (sol_gguf_arch (&c.g, &c.arch));
  c.table = sol_table_create (&c.arch);
  c.source = sol_alloc (sizeof *c.source * (size_t) c.table->n);
  SOL_GO (sol_gguf_match (&c.g, c.table, c.source));
  SOL_GO (sol_gguf_tokenizer (&c.g, &c.arch, &c.files));
  const sol_dtype_t dtype = setting == SOL_DTYPE_SETTING_F32 ? SOL_F32 : setting == SOL_DTYPE_SETTING_BF16 ? SOL_BF16 : own_dtype (&c);
  const sol_model_source_t source = { &c, rows_of, more };
  SOL_GO (sol_model_write (folder, &c.arch, c.table, &source, dtype, 0));
  say (&c, folder, dtype, said);
out:
  sol_gguf_files_free (&c.files);
  sol_free (c.source);
  sol_table_destroy (c.table);
  sol_gguf_close (&c.g);
  return st;
}
