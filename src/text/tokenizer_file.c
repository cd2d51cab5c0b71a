/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_file.c: what tokenizer.json, tokenizer_config.json and generation_config.json say. Whatever would change ids and is not understood is refused by name. */
#include "solera/file.h"
#include "solera/json.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/utf8.h"
#include "tokenizer_internal.h"
#include <cjson/cJSON.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM "tokenizer"
#define BAD(...) return sol_fail (SOL_ERR_FORMAT, ROOM, __VA_ARGS__)

static const cJSON *member (const cJSON *object, const char *key) { return cJSON_GetObjectItemCaseSensitive (object, key); }
/* absent, null or false counts as no */
static int is_off (const cJSON *item) { return !item || cJSON_IsNull (item) || cJSON_IsFalse (item); }
static int is_empty (const cJSON *item) { return is_off (item) || (cJSON_IsString (item) && !item->valuestring[0]); }

static sol_span_t keep (sol_buffer_t *arena, const char *text, size_t bytes)
{
  sol_span_t s = { (uint32_t) arena->bytes, (uint32_t) bytes };
  sol_buffer_add (arena, text, bytes);
  return s;
}

/* a token's spelling: it must be text, and not empty */
static int spelling_ok (const char *s) { return s && s[0] && sol_utf8_check (s, strlen (s)) == strlen (s); }

/* counts the ids of vocabulary and added tokens, and checks them */
static sol_status_t count_ids (const cJSON *vocab, const cJSON *added, const char *path, int32_t *size_p)
{
  const cJSON *item;
  int64_t n = cJSON_GetArraySize (vocab) + (int64_t) cJSON_GetArraySize (added), most = 2 * n + 1000000, id, size = 0;
  cJSON_ArrayForEach (item, vocab) {
    if (!spelling_ok (item->string)) BAD ("%s: model.vocab: a token's spelling is empty or not UTF-8", path);
    if (!sol_json_int (item, 0, most, &id)) BAD ("%s: model.vocab: token \"%.40s\": expected an id from 0 to %lld", path, item->string, (long long) most);
    if (id >= size) size = id + 1;
  }
  cJSON_ArrayForEach (item, added) {
    if (!spelling_ok (sol_json_string (item, "content"))) BAD ("%s: added_tokens: a token without content, or whose content is not UTF-8", path);
    if (!sol_json_int (member (item, "id"), 0, most, &id))
      BAD ("%s: added_tokens: \"%.40s\": expected an id from 0 to %lld", path, sol_json_string (item, "content"), (long long) most);
    if (id >= size) size = id + 1;
  }
  if (size == 0) BAD ("%s: model.vocab is empty", path);
  *size_p = (int32_t) size;
  return SOL_OK;
}

static sol_status_t add_token (sol_tokenizer_t *t, const char *name, int32_t id, const char *path)
{
  size_t bytes = strlen (name);
  int32_t there = sol_name_table_get (&t->by_name, t, name, bytes);
  if (there == id) return SOL_OK; /* an added token that the vocabulary has too */
  if (there >= 0) BAD ("%s: token \"%.40s\" has two ids, %d and %d", path, name, there, id);
  if (t->name[id].bytes) BAD ("%s: id %d has two tokens, \"%.*s\" and \"%.40s\"", path, id, (int) t->name[id].bytes, t->names.data + t->name[id].at, name);
  t->name[id] = keep (&t->names, name, bytes);
  sol_name_table_put (&t->by_name, t, id);
  return SOL_OK;
}

static sol_status_t read_vocab (sol_tokenizer_t *t, const cJSON *root, const char *path)
{
  const cJSON *vocab = member (member (root, "model"), "vocab"), *added = member (root, "added_tokens"), *item;
  if (!cJSON_IsObject (vocab)) BAD ("%s: model.vocab: expected an object", path);
  if (added && !cJSON_IsNull (added) && !cJSON_IsArray (added)) BAD ("%s: added_tokens: expected a list", path);
  SOL_TRY (count_ids (vocab, added, path, &t->size));
  t->name = sol_alloc ((size_t) t->size * sizeof *t->name);
  t->text = sol_alloc ((size_t) t->size * sizeof *t->text);
  t->special = sol_alloc ((size_t) t->size);
  sol_name_table_create (&t->by_name, (size_t) t->size);
  t->in_model = sol_alloc ((size_t) t->size);
  cJSON_ArrayForEach (item, vocab) {
    SOL_TRY (add_token (t, item->string, (int32_t) item->valuedouble, path));
    t->in_model[(int32_t) item->valuedouble] = 1;
  }
  cJSON_ArrayForEach (item, added) SOL_TRY (add_token (t, sol_json_string (item, "content"), (int32_t) member (item, "id")->valuedouble, path));
  for (int b = 0; b < 256; b++) {
    char c[8];
    t->byte_id[b] = sol_model_token (t, c, (size_t) sol_utf8_put (sol_byte_char (b), c));
    t->fallback[b] = sol_model_token (t, c, (size_t) snprintf (c, sizeof c, "<0x%02X>", (unsigned) b));
  }
  return SOL_OK;
}

static int longer (const void *a, const void *b)
{
  const sol_added_t *x = a, *y = b;
  return x->content.bytes == y->content.bytes ? (x->id > y->id) - (x->id < y->id) : x->content.bytes < y->content.bytes ? 1 : -1;
}

static sol_status_t read_added (sol_tokenizer_t *t, const cJSON *root)
{
  const cJSON *added = member (root, "added_tokens"), *item;
  sol_buffer_t norm[2] = { { 0 }, { 0 } };
  pcre2_match_data *match = pcre2_match_data_create (64, NULL);
  sol_status_t st = SOL_OK;
  t->shown = sol_alloc ((size_t) t->size * sizeof *t->shown);
  memcpy (t->shown, t->name, (size_t) t->size * sizeof *t->shown);
  t->added = sol_alloc (((size_t) cJSON_GetArraySize (added) + 1) * sizeof *t->added);
  cJSON_ArrayForEach (item, added) {
    sol_added_t *a = &t->added[t->n_added++];
    const char *content = sol_json_string (item, "content");
    a->id = (int32_t) member (item, "id")->valuedouble;
    a->special = cJSON_IsTrue (member (item, "special"));
    a->normalized = cJSON_IsTrue (member (item, "normalized"));
    a->lstrip = cJSON_IsTrue (member (item, "lstrip"));
    a->rstrip = cJSON_IsTrue (member (item, "rstrip"));
    a->single_word = cJSON_IsTrue (member (item, "single_word"));
    a->content = t->name[a->id];
    if (a->normalized && t->n_norm) {
      size_t bytes = strlen (content);
      SOL_GO (sol_normalize (t, norm, match, &content, &bytes));
      a->content = t->shown[a->id] = keep (&t->names, content, bytes);
    }
    t->special[a->id] = (uint8_t) a->special;
    if (!a->content.bytes) { /* nothing is left of it to look for */
      t->n_added--;
      continue;
    }
    t->added_first[a->normalized][(unsigned char) t->names.data[a->content.at]] = 1;
  }
  qsort (t->added, (size_t) t->n_added, sizeof *t->added, longer);
out:
  for (int i = 0; i < 2; i++) sol_buffer_free (&norm[i]);
  pcre2_match_data_free (match);
  return st;
}

/* one merge, in either spelling: "a b" or ["a", "b"]; 0: neither */
static int merge_parts (const cJSON *item, const char **a, size_t *a_bytes, const char **b)
{
  if (cJSON_IsString (item)) {
    const char *space = strchr (item->valuestring, ' ');
    if (!space || space == item->valuestring || !space[1] || strchr (space + 1, ' ')) return 0;
    *a = item->valuestring;
    *a_bytes = (size_t) (space - item->valuestring);
    *b = space + 1;
    return 1;
  }
  const cJSON *x = cJSON_GetArrayItem (item, 0), *y = cJSON_GetArrayItem (item, 1);
  if (!cJSON_IsArray (item) || cJSON_GetArraySize (item) != 2 || !cJSON_IsString (x) || !cJSON_IsString (y)) return 0;
  *a = x->valuestring;
  *a_bytes = strlen (x->valuestring);
  *b = y->valuestring;
  return **a && **b;
}

static sol_status_t read_merges (sol_tokenizer_t *t, const cJSON *model, const char *path)
{
  const cJSON *merges = member (model, "merges"), *item;
  if (!cJSON_IsArray (merges)) BAD ("%s: model.merges: expected a list", path);
  sol_merge_table_create (&t->merges, (size_t) cJSON_GetArraySize (merges));
  sol_buffer_t both = { 0 };
  sol_status_t st = SOL_OK;
  int32_t rank = 0;
  cJSON_ArrayForEach (item, merges) {
    const char *a = NULL, *b = NULL;
    size_t a_bytes = 0;
    if (!merge_parts (item, &a, &a_bytes, &b))
      SOL_GO (sol_fail (SOL_ERR_FORMAT, ROOM, "%s: model.merges: entry %d: expected \"a b\" or [\"a\", \"b\"]", path, rank));
    sol_buffer_clear (&both);
    sol_buffer_add (&both, a, a_bytes);
    sol_buffer_add (&both, b, strlen (b));
    int32_t left = sol_model_token (t, a, a_bytes), right = sol_model_token (t, b, strlen (b));
    int32_t id = sol_model_token (t, both.data, both.bytes);
    if (left < 0 || right < 0 || id < 0)
      SOL_GO (sol_fail (SOL_ERR_FORMAT, ROOM, "%s: model.merges: entry %d, \"%.*s\" and \"%.40s\": %s is not in model.vocab", path, rank, (int) a_bytes, a, b,
                        left < 0 ? "the first" : right < 0 ? "the second" : "their join"));
    sol_merge_table_put (&t->merges, left, right, rank++, id);
  }
out:
  sol_buffer_free (&both);
  return st;
}

static sol_status_t read_model (sol_tokenizer_t *t, const cJSON *root, const char *path)
{
  const cJSON *model = member (root, "model"), *type = member (model, "type"), *unk = member (model, "unk_token");
  if (!cJSON_IsObject (model)) BAD ("%s: model: expected an object", path);
  if (type && !(cJSON_IsString (type) && !strcmp (type->valuestring, "BPE")))
    return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: model.type: only BPE is supported, found %.40s", path, cJSON_IsString (type) ? type->valuestring : "no string");
  static const char *const empty[] = { "continuing_subword_prefix", "end_of_word_suffix" };
  if (!is_off (member (model, "dropout"))) return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: model.dropout is not supported", path);
  for (int i = 0; i < 2; i++)
    if (!is_empty (member (model, empty[i]))) return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: model.%s is not supported", path, empty[i]);
  t->byte_fallback = cJSON_IsTrue (member (model, "byte_fallback"));
  t->fuse_unk = cJSON_IsTrue (member (model, "fuse_unk"));
  t->ignore_merges = cJSON_IsTrue (member (model, "ignore_merges"));
  SOL_TRY (read_vocab (t, root, path));
  t->unk = -1;
  if (!is_off (unk)) {
    if (!cJSON_IsString (unk)) BAD ("%s: model.unk_token: expected a string or null", path);
    t->unk = sol_model_token (t, unk->valuestring, strlen (unk->valuestring));
    if (t->unk < 0) BAD ("%s: model.unk_token \"%.40s\" is not in the vocabulary", path, unk->valuestring);
  }
  return read_merges (t, model, path);
}

/* the special token under key of tokenizer_config.json, "x" or {"content": "x"}; *id_p stays when there is none */
static sol_status_t named_token (const sol_tokenizer_t *t, const cJSON *config, const char *key, const char *path, int32_t *id_p)
{
  const cJSON *item = member (config, key);
  if (is_off (item)) return SOL_OK;
  const char *name = cJSON_IsObject (item) ? sol_json_string (item, "content") : sol_json_string (config, key);
  if (!name) BAD ("%s: %s: expected a string", path, key);
  *id_p = sol_tokenizer_id (t, name);
  if (*id_p < 0) BAD ("%s: %s: \"%.40s\" is not a token of tokenizer.json", path, key, name);
  return SOL_OK;
}

static void add_eos (sol_tokenizer_t *t, int32_t id)
{
  if (id < 0 || sol_tokenizer_is_eos (t, id)) return;
  t->eos = sol_realloc (t->eos, ((size_t) t->n_eos + 1) * sizeof *t->eos);
  t->eos[t->n_eos++] = id;
}

static sol_status_t read_config (sol_tokenizer_t *t, const char *path)
{
  cJSON *config;
  int32_t eos = -1;
  SOL_TRY (sol_json_load (path, &config));
  sol_status_t st = cJSON_IsObject (config) ? SOL_OK : sol_fail (SOL_ERR_FORMAT, ROOM, "%s: expected an object", path);
  if (st == SOL_OK) st = named_token (t, config, "bos_token", path, &t->bos);
  if (st == SOL_OK) st = named_token (t, config, "eos_token", path, &eos);
  if (st == SOL_OK) add_eos (t, eos);
  cJSON_Delete (config);
  return st;
}

/* eos_token_id: a number, a list of numbers, or absent */
static sol_status_t read_generation (sol_tokenizer_t *t, const char *path)
{
  cJSON *config;
  SOL_TRY (sol_json_load (path, &config));
  const cJSON *eos = member (config, "eos_token_id"), *item = cJSON_IsArray (eos) ? eos->child : eos;
  sol_status_t st = SOL_OK;
  for (; item && !cJSON_IsNull (item); item = cJSON_IsArray (eos) ? item->next : NULL) {
    int64_t id;
    if (!sol_json_int (item, 0, INT32_MAX, &id)) {
      st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: eos_token_id: expected a token id or a list of them", path);
      break;
    }
    add_eos (t, (int32_t) id);
  }
  cJSON_Delete (config);
  return st;
}

/* root: tokenizer.json, or what was put together in its form */
static sol_status_t read_root (sol_tokenizer_t *t, const cJSON *root, const char *path)
{
  SOL_TRY (read_model (t, root, path));
  SOL_TRY (sol_tokenizer_read_normalizer (t, root, path));
  SOL_TRY (sol_tokenizer_read_steps (t, root, path));
  SOL_TRY (read_added (t, root));
  SOL_TRY (sol_tokenizer_read_decoder (t, root, path));
  SOL_TRY (sol_tokenizer_read_post (t, root, path));
  sol_tokenizer_fill_text (t);
  return SOL_OK;
}

static sol_status_t read_json (sol_tokenizer_t *t, const char *folder, const char *path)
{
  cJSON *root = NULL;
  const int is_gpt2 = !sol_file_exists (path) && sol_gpt2_is (folder);
  sol_status_t st = is_gpt2 ? sol_gpt2_load (folder, &root) : sol_json_load (path, &root);
  if (st == SOL_OK) st = read_root (t, root, is_gpt2 ? folder : path);
  if (st == SOL_OK && is_gpt2) { /* unless the settings beside it say otherwise */
    t->bos = sol_tokenizer_id (t, SOL_GPT2_END);
    add_eos (t, t->bos);
  }
  cJSON_Delete (root);
  return st;
}

sol_status_t sol_tokenizer_read (sol_tokenizer_t *t, const char *folder)
{
  static const struct { const char *name; sol_status_t (*read) (sol_tokenizer_t *t, const char *path); } file[] = { { "tokenizer_config.json", read_config },
                                                                                                                       { "generation_config.json", read_generation } };
  char *path = sol_path_join (folder, "tokenizer.json");
  t->bos = -1;
  sol_status_t st = read_json (t, folder, path);
  sol_free (path);
  for (int i = 0; i < 2 && st == SOL_OK; i++) {
    path = sol_path_join (folder, file[i].name);
    if (sol_file_exists (path)) st = file[i].read (t, path);
    sol_free (path);
  }
  return st;
}
