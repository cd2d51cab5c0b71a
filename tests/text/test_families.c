/* SPDX-License-Identifier: Apache-2.0 */
/* Whole tokenizers against the reference's ids and texts: parts of Qwen3's, Qwen2.5's and GPT-2's with every row, and small ones made for every component of tokenizer.json; each encoded,
 * decoded at once and token by token. With SOLERA_TOKENIZERS=FOLDER the whole files of FOLDER/qwen and FOLDER/gpt2 are taken instead. Ends with bytes that are no text, and damaged files. */
#include "helpers.h"
#include "solera/memory.h"
#include "solera/random.h"
#include "solera/tokenizer.h"
#include "solera/utf8.h"

typedef struct { const sol_tokenizer_t *t; const char *key; int encoded, decoded, rows, bad; } count_t;

static sol_ids_t ids_of (const cJSON *row, const char *key)
{
  sol_ids_t ids = { 0 };
  const cJSON *item;
  cJSON_ArrayForEach (item, cJSON_GetObjectItem (row, key)) sol_ids_add (&ids, item->valueint);
  return ids;
}

static int same_bytes (const sol_buffer_t *a, const sol_buffer_t *b) { return a->bytes == b->bytes && (!a->bytes || !memcmp (a->data, b->data, a->bytes)); }

static int same_ids (const sol_ids_t *a, const sol_ids_t *b) { return a->n == b->n && (!a->n || !memcmp (a->data, b->data, (size_t) a->n * sizeof *a->data)); }

/* at once, and token by token */
static int decodes (const sol_tokenizer_t *t, const sol_ids_t *ids, int skip, const sol_buffer_t *want)
{
  sol_buffer_t once = { 0 }, steps = { 0 };
  sol_decode_t *d = sol_decode_create (t, skip);
  sol_tokenizer_decode (t, ids->data, ids->n, skip, &once);
  for (int32_t i = 0; i < ids->n; i++) {
    sol_decode_put (d, ids->data[i], &steps);
    if (sol_utf8_check (steps.data ? steps.data : "", steps.bytes) != steps.bytes) sol_buffer_add (&steps, "half a character", 16);
  }
  sol_decode_end (d, &steps);
  int same = same_bytes (&once, &steps) && (!want || same_bytes (&once, want));
  sol_decode_destroy (d);
  sol_buffer_free (&once);
  sol_buffer_free (&steps);
  return same;
}

static void text_row (count_t *c, const cJSON *row, const char *ids_key)
{
  sol_buffer_t text = { 0 };
  sol_ids_t want = ids_of (row, ids_key), got = { 0 };
  if (sol_json_text (row, "text", &text) && !cJSON_HasObjectItem (row, "text_skip_special")) {
    int same = sol_tokenizer_encode (c->t, text.data ? text.data : "", text.bytes, &got, NULL) == SOL_OK && same_ids (&got, &want);
    if (!same && c->bad < 3) printf ("# row %d encodes otherwise: %.*s\n", c->rows, (int) text.bytes, text.data);
    c->bad += !same;
    c->encoded++;
  }
  sol_buffer_free (&text);
  sol_ids_free (&want);
  sol_ids_free (&got);
}

static void back_row (count_t *c, const cJSON *row, const char *key, int skip)
{
  sol_buffer_t want = { 0 };
  sol_ids_t ids = ids_of (row, "ids");
  if (sol_json_text (row, key, &want)) {
    int same = decodes (c->t, &ids, skip, &want);
    if (!same && c->bad < 3) printf ("# row %d decodes otherwise: %.*s\n", c->rows, (int) want.bytes, want.data);
    c->bad += !same;
    c->decoded++;
  }
  sol_buffer_free (&want);
  sol_ids_free (&ids);
}

static void golden_row (void *ctx, const cJSON *row)
{
  count_t *c = ctx;
  text_row (c, row, cJSON_HasObjectItem (row, c->key) ? c->key : "ids");
  c->rows++;
}
static void decode_row (void *ctx, const cJSON *row)
{
  count_t *c = ctx;
  back_row (c, row, "text", 0);
  back_row (c, row, "text_skip_special", 1);
  c->rows++;
}

static void write_text (const char *path, const char *text)
{
  FILE *f = fopen (path, "wb");
  need (f && fwrite (text, 1, strlen (text), f) == strlen (text) && fclose (f) == 0);
}

static char *unpacked (const char *name, const char *folder, const char *file)
{
  sol_buffer_t cmd = { 0 };
  char *from = data_path (name), *to = sol_path_join (folder, file);
  sol_buffer_printf (&cmd, "mkdir -p '%s' && gzip -dc '%s' >'%s'", folder, from, to);
  need (system (cmd.data) == 0);
  sol_buffer_free (&cmd);
  sol_free (from);
  return to;
}

/* Qwen2.5 is Qwen3 without the last four added tokens */
static void to_qwen25 (const char *folder)
{
  char *path = sol_path_join (folder, "tokenizer.json");
  cJSON *root;
  need (sol_json_load (path, &root) == SOL_OK);
  cJSON *added = cJSON_GetObjectItem (root, "added_tokens");
  for (int i = cJSON_GetArraySize (added) - 1; i >= 0; i--)
    if (cJSON_GetObjectItem (cJSON_GetArrayItem (added, i), "id")->valueint > 151664) cJSON_DeleteItemFromArray (added, i);
  char *text = cJSON_PrintUnformatted (root);
  write_text (path, text);
  free (text);
  cJSON_Delete (root);
  sol_free (path);
}

static void known (const char *name, const char *data, const char *const *file, int qwen25, int rows, int backs)
{
  char *folder = scratch_path (name), *golden, *back, in[128];
  const char *whole = getenv ("SOLERA_TOKENIZERS");
  for (; *file; file++) {
    snprintf (in, sizeof in, "tokenizers/%s/%s.gz", data, *file);
    sol_free (unpacked (in, folder, *file));
    if (whole) {
      char *there = sol_path_join (folder, *file);
      sol_buffer_t from = { 0 };
      sol_buffer_printf (&from, "%s/%s/%s", whole, strcmp (data, "gpt2") ? "qwen" : "gpt2", *file);
      need (sol_file_copy (from.data, there) == SOL_OK);
      sol_buffer_free (&from);
      sol_free (there);
    }
  }
  if (qwen25) to_qwen25 (folder);
  snprintf (in, sizeof in, "tokenizers/%s/golden.jsonl.gz", data);
  golden = unpacked (in, folder, "golden.jsonl");
  snprintf (in, sizeof in, "tokenizers/%s/decode_golden.jsonl.gz", data);
  back = unpacked (in, folder, "decode_golden.jsonl");
  sol_tokenizer_t *t = NULL;
  need (sol_tokenizer_load (folder, &t) == SOL_OK);
  count_t c = { t, qwen25 ? "ids_qwen2_5" : "ids", 0, 0, 0, 0 };
  each_row (golden, golden_row, &c);
  if (!qwen25) each_row (back, decode_row, &c);
  tap_ok (!c.bad && c.encoded == rows && c.decoded == backs, "%-34s %5d texts, %5d decodings, %d differ", name, c.encoded, c.decoded, c.bad);
  sol_tokenizer_destroy (t);
  sol_free (folder);
  sol_free (golden);
  sol_free (back);
}

/* ---- small tokenizers, one a component */

static void check_prompt (count_t *c, const sol_buffer_t *text, const int32_t *before, int n_before, const sol_ids_t *ids)
{
  sol_ids_t got = { 0 };
  for (int k = 0; k < 2; k++) { /* behind other ids too */
    const int32_t start = got.n;
    need (sol_tokenizer_encode_prompt (c->t, text->data, text->bytes, &got, NULL) == SOL_OK);
    c->bad += got.n - start != n_before + ids->n || (n_before && memcmp (got.data + start, before, (size_t) n_before * sizeof *before));
    c->bad += ids->n && memcmp (got.data + start + n_before, ids->data, (size_t) ids->n * sizeof *ids->data);
  }
  sol_ids_free (&got);
}

static void check_around (count_t *c, const cJSON *row)
{
  int n_before, n_after;
  const int32_t *before = sol_tokenizer_before (c->t, &n_before), *after = sol_tokenizer_after (c->t, &n_after);
  sol_ids_t want = ids_of (row, "around"), got = { 0 }, ids = ids_of (row, "ids");
  if (cJSON_HasObjectItem (row, "around")) {
    for (int i = 0; i < n_before; i++) sol_ids_add (&got, before[i]);
    for (int i = 0; i < ids.n; i++) sol_ids_add (&got, ids.data[i]);
    for (int i = 0; i < n_after; i++) sol_ids_add (&got, after[i]);
    c->bad += !same_ids (&got, &want);
    sol_buffer_t text = { 0 };
    need (sol_json_text (row, "text", &text));
    check_prompt (c, &text, before, n_before, &ids);
    sol_buffer_free (&text);
  }
  sol_ids_free (&want);
  sol_ids_free (&got);
  sol_ids_free (&ids);
}

/* whatever comes in: text of random bytes, random ids */
static int nonsense (const sol_tokenizer_t *t, uint64_t seed)
{
  int bad = 0;
  for (uint64_t k = 0; k < 20; k++) {
    const uint64_t n = sol_random_below (sol_random (seed, k, SOL_RANDOM_TEST, 0, 0), 60);
    sol_ids_t ids = { 0 }, random = { 0 };
    sol_buffer_t bytes = { 0 }, text = { 0 };
    const char *why = NULL;
    for (uint64_t i = 0; i < n; i++) {
      const uint64_t x = sol_random_below (sol_random (seed, k, SOL_RANDOM_TEST, 1, (uint32_t) i), 1u << 30);
      const char c = (char) (x % 3 ? x >> 8 : (x >> 8) % 128);
      sol_buffer_add (&bytes, &c, 1);
      sol_ids_add (&random, (int32_t) (x % (uint64_t) (sol_tokenizer_size (t) + 5)) - 2);
    }
    if (n) sol_utf8_lossy (&text, bytes.data, bytes.bytes);
    const int is_text = sol_utf8_check (bytes.data ? bytes.data : "", bytes.bytes) == bytes.bytes;
    bad += (sol_tokenizer_encode (t, bytes.data ? bytes.data : "", bytes.bytes, &ids, &why) == SOL_OK) != is_text || (!is_text && (!why || ids.n));
    ids.n = 0;
    bad += sol_tokenizer_encode (t, text.data ? text.data : "", text.bytes, &ids, NULL) != SOL_OK;
    bad += !decodes (t, &ids, 0, NULL) || !decodes (t, &random, 0, NULL) || !decodes (t, &random, 1, NULL);
    sol_ids_free (&ids);
    sol_ids_free (&random);
    sol_buffer_free (&bytes);
    sol_buffer_free (&text);
  }
  return bad;
}

static void component (void *ctx, const cJSON *row)
{
  char *folder = scratch_path ("component"), *path = sol_path_join (folder, "tokenizer.json"), *text = cJSON_PrintUnformatted (cJSON_GetObjectItem (row, "tokenizer"));
  const cJSON *item;
  sol_tokenizer_t *t = NULL;
  int *n_p = ctx;
  for (char *c = text; *c; c++) need (*c != (char) 0xff); /* no U+0000 in the files */
  need (sol_dir_make (folder) == SOL_OK);
  write_text (path, text);
  need (sol_tokenizer_load (folder, &t) == SOL_OK);
  count_t c = { t, "ids", 0, 0, 0, 0 };
  cJSON_ArrayForEach (item, cJSON_GetObjectItem (row, "rows")) {
    text_row (&c, item, "ids");
    text_row (&c, item, "ids"); /* again, from what is remembered */
    back_row (&c, item, "back", 0);
    back_row (&c, item, "skip", 1);
    check_around (&c, item);
    c.rows++;
  }
  const int wrong = nonsense (t, (uint64_t) ++*n_p);
  tap_ok (!c.bad && !wrong && c.encoded > 20 && c.decoded > 25, "%-34s %5d texts, %5d decodings, %d differ, %d wrong with nonsense", sol_json_string (row, "name"), c.encoded / 2, c.decoded, c.bad,
          wrong);
  sol_tokenizer_destroy (t);
  free (text);
  sol_free (path);
  sol_free (folder);
}

/* ---- damaged files */

static int try_load (void *ctx)
{
  sol_tokenizer_t *t = NULL;
  if (sol_tokenizer_load (ctx, &t) != SOL_OK) return 0;
  nonsense (t, 1); /* what was accepted must work */
  sol_tokenizer_destroy (t);
  return 1;
}

static void damage_one (void *ctx, const cJSON *row)
{
  const char *name = sol_json_string (row, "name");
  if (strcmp (name, "llama legacy") && strcmp (name, "decoders") && strcmp (name, "normalizers")) return;
  char *from = scratch_path ("whole.json"), *folder = scratch_path ("hurt"), *to = sol_path_join (folder, "tokenizer.json");
  cJSON *small = cJSON_GetObjectItem (row, "tokenizer"), *model = cJSON_GetObjectItem (small, "model"), *merges = cJSON_GetObjectItem (model, "merges");
  while (cJSON_GetArraySize (merges) > 4) cJSON_DeleteItemFromArray (merges, 4); /* the components are what matters */
  char *text = cJSON_PrintUnformatted (small);
  int flips;
  (void) ctx;
  need (sol_dir_make (folder) == SOL_OK);
  write_text (from, text);
  const int cut = damage (from, to, 11, try_load, folder, &flips);
  tap_ok (cut == 0, "%s: no cut tokenizer.json is accepted (%d), %d with a flipped bit are", name, cut, flips);
  free (text);
  sol_free (from);
  sol_free (folder);
  sol_free (to);
}

int main (void)
{
  static const char *const qwen[] = { "tokenizer.json", "tokenizer_config.json", NULL }, *const gpt2[] = { "vocab.json", "merges.txt", NULL };
  known ("Qwen3", "qwen3", qwen, 0, 420, 226);
  known ("Qwen2.5", "qwen3", qwen, 1, 420, 0);
  known ("GPT-2 (vocab.json, merges.txt)", "gpt2", gpt2, 0, 420, 226);
  char *folder = scratch_path ("components"), *rows = unpacked ("tokenizers/components.jsonl.gz", folder, "components.jsonl");
  int n = 0;
  each_row (rows, component, &n);
  freopen ("/dev/null", "w", stderr); /* thousands of refusals */
  each_row (rows, damage_one, NULL);
  sol_free (folder);
  sol_free (rows);
  return tap_done ();
}
