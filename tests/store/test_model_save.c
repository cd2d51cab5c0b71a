/* SPDX-License-Identifier: Apache-2.0 */
/* folders written by sol_model_save come back bit for bit; those of other programs in all their forms are read */
#include "helpers.h"
#include "solera/safetensors.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

static const char *const models[] = { "llama-gqa", "llama3-rope", "qwen2", "qwen2.5", "qwen3", "smollm" };
typedef struct { sol_arch_t arch; sol_table_t *table; float *block; } model_t;

static model_t load (const char *dir)
{
  model_t m = { 0 };
  need (sol_arch_load (dir, &m.arch) == SOL_OK);
  m.table = sol_table_create (&m.arch);
  m.block = sol_alloc ((size_t) m.table->elements * sizeof (float));
  need (sol_safetensors_load (dir, m.table, m.arch.tied, m.block) == SOL_OK);
  return m;
}
static void unload (model_t *m)
{
  sol_table_destroy (m->table);
  sol_free (m->block);
}
static int same (const model_t *a, const model_t *b)
{
  return a->table->elements == b->table->elements && !memcmp (a->block, b->block, (size_t) a->table->elements * sizeof (float));
}

static const char *model_dir (const char *name)
{
  static char path[600];
  const char *src = getenv ("srcdir");
  snprintf (path, sizeof path, "%.500s/tests/data/tiny_models/%s", src ? src : ".", name);
  return path;
}

static sol_status_t save (const model_t *m, const char *dir, sol_dtype_t dtype, size_t most, const char *from) { return sol_model_save (dir, &m->arch, m->table, m->block, dtype, most, from); }

/* data begins at a multiple of 8 and the header says "pt", as transformers asks */
static int header_right (const char *path, const char *dtype)
{
  char *text;
  size_t bytes;
  uint64_t n;
  if (sol_file_read (path, 0, &text, &bytes) != SOL_OK) return 0;
  memcpy (&n, text, 8);
  cJSON *j = cJSON_ParseWithLength (text + 8, n);
  const cJSON *e, *format = cJSON_GetObjectItem (cJSON_GetObjectItem (j, "__metadata__"), "format");
  int good = n % 8 == 0 && format && !strcmp (format->valuestring, "pt");
  cJSON_ArrayForEach (e, j) good = good && (!strcmp (e->string, "__metadata__") || !strcmp (cJSON_GetObjectItem (e, "dtype")->valuestring, dtype));
  cJSON_Delete (j);
  sol_free (text);
  return good;
}

static void test_models (void)
{
  for (int k = 0; k < 6; k++) {
    model_t a = load (model_dir (models[k])), b, c;
    double sum = 0;
    for (int64_t i = 0; i < a.table->elements; i++) sum += (double) a.block[i] * (double) a.block[i];
    tap_ok (sum > 0 && sum < 1e6, "%s: %lld weights", models[k], (long long) a.table->elements);
    ok (save (&a, at ("f32"), SOL_F32, 0, NULL) == SOL_OK && header_right (at ("f32/model.safetensors"), "F32"));
    b = load (at ("f32"));
    ok (same (&a, &b) && b.arch.dtype == SOL_F32 && b.arch.layers == a.arch.layers && b.arch.tied == a.arch.tied && !strcmp (b.arch.family, a.arch.family));
    unload (&b);
    /* bf16, and in shards so small that every tensor has its own file */
    uint16_t *r = sol_alloc ((size_t) a.table->elements * 2);
    sol_model_round (a.block, a.table->elements, SOL_BF16, r);
    for (int64_t i = 0; i < a.table->elements; i++) {
      uint32_t u = (uint32_t) r[i] << 16;
      memcpy (a.block + i, &u, 4);
    }
    sol_free (r);
    ok (save (&a, at ("bf16"), SOL_BF16, 0, NULL) == SOL_OK && header_right (at ("bf16/model.safetensors"), "BF16"));
    ok (save (&a, at ("shards"), SOL_BF16, k % 2 ? 1 : 40000, NULL) == SOL_OK && sol_file_exists (at ("shards/model.safetensors.index.json")) && !sol_file_exists (at ("shards/model.safetensors")));
    b = load (at ("bf16"));
    c = load (at ("shards"));
    ok (same (&a, &b) && same (&a, &c) && b.arch.dtype == SOL_BF16 && sol_table_digest (a.table, a.block) == sol_table_digest (c.table, c.block));
    unload (&a);
    unload (&b);
    unload (&c);
  }
}

static void test_carry (void)
{
  model_t a = load (model_dir ("smollm"));
  char *text;
  size_t bytes;
  need (sol_dir_make (at ("from")) == SOL_OK && put_file (at ("from/tokenizer.json"), "{}", 2) == 0 && put_file (at ("from/LICENSE"), "free", 4) == 0 && put_file (at ("from/secret"), "x", 1) == 0);
  ok (save (&a, at ("out/"), SOL_BF16, 1, at ("from")) == SOL_OK); /* the slash at the end is no part of the name */
  ok (sol_file_exists (at ("out/model.safetensors.index.json")) && !sol_file_exists (at ("out/secret")));
  need (sol_file_read (at ("out/LICENSE"), 0, &text, &bytes) == SOL_OK);
  ok (bytes == 4 && !memcmp (text, "free", 4));
  sol_free (text);
  ok (save (&a, at ("out"), SOL_BF16, 0, at ("out")) == SOL_OK); /* replaces the folder that it carries from */
  ok (sol_file_exists (at ("out/model.safetensors")) && !sol_file_exists (at ("out/model.safetensors.index.json")) && sol_file_exists (at ("out/tokenizer.json")));
  ok (!sol_file_exists (at ("out.tmp")) && !sol_file_exists (at ("out.old")));
  unload (&a);
}

/* a disk that fills up leaves the folder that was there */
static void test_full (void)
{
  model_t a = load (model_dir ("smollm")), b;
  struct rlimit old, small;
  need (save (&a, at ("kept"), SOL_F32, 0, NULL) == SOL_OK);
  float was = a.block[0];
  a.block[0] = 77;
  signal (SIGXFSZ, SIG_IGN);
  getrlimit (RLIMIT_FSIZE, &old);
  small = old;
  small.rlim_cur = 50000;
  setrlimit (RLIMIT_FSIZE, &small);
  quiet (1);
  sol_status_t st = save (&a, at ("kept"), SOL_F32, 0, NULL);
  quiet (0);
  setrlimit (RLIMIT_FSIZE, &old);
  ok (st == SOL_ERR_IO && !sol_file_exists (at ("kept.tmp")));
  b = load (at ("kept"));
  a.block[0] = was;
  ok (same (&a, &b));
  unload (&a);
  unload (&b);
}

int main (void)
{
  scratch_make ();
  test_models ();
  test_carry ();
  test_full ();
  scratch_remove ();
  return tap_done ();
}
