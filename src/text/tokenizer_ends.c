/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_ends.c: what tokenizer.json says of the way back, the decoder, and of what is put around a text, the post-processor. */
#include "solera/json.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/utf8.h"
#include "tokenizer_internal.h"
#include <cjson/cJSON.h>
#include <string.h>

#define ROOM "tokenizer"
#define BAD(...) return sol_fail (SOL_ERR_FORMAT, ROOM, __VA_ARGS__)

static const cJSON *member (const cJSON *object, const char *key) { return cJSON_GetObjectItemCaseSensitive (object, key); }

static sol_status_t read_text (sol_dec_t *d, const cJSON *item, const char *key, int one_char, const char *path)
{
  const char *text = sol_json_string (item, key);
  int32_t cp;
  if (!text || (one_char && (!text[0] || sol_utf8_next (text, strlen (text), &cp) != (int) strlen (text))))
    BAD ("%s: decoder: %s: expected %s %s", path, sol_json_string (item, "type"), one_char ? "one character as" : "a string", key);
  d->text = sol_strdup (text);
  d->bytes = strlen (text);
  return SOL_OK;
}

static sol_status_t read_strip (sol_dec_t *d, const cJSON *item, const char *path)
{
  if (!sol_json_int (member (item, "start"), 0, INT32_MAX, &d->start) || !sol_json_int (member (item, "stop"), 0, INT32_MAX, &d->stop))
    BAD ("%s: decoder: Strip: expected numbers start and stop", path);
  return read_text (d, item, "content", 1, path);
}

static sol_status_t read_replace (sol_dec_t *d, const cJSON *item, const char *path)
{
  SOL_TRY (read_text (d, item, "content", 0, path));
  return sol_pattern_read (&d->pattern, member (item, "pattern"), "decoder: Replace", path);
}

static sol_status_t read_metaspace (sol_dec_t *d, const cJSON *item, const char *path)
{
  const char *scheme = sol_json_string (item, "prepend_scheme");
  d->drop_first = scheme ? strcmp (scheme, "never") != 0 : !cJSON_IsFalse (member (item, "add_prefix_space"));
  return read_text (d, item, "replacement", 1, path);
}

static sol_status_t add_dec (sol_tokenizer_t *t, sol_dec_kind_t kind, const char *path, sol_dec_t **d_p)
{
  if (t->n_dec == SOL_MAX_STEPS) return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: decoder: more than %d steps", path, SOL_MAX_STEPS);
  sol_dec_t *d = *d_p = &t->dec[t->n_dec];
  d->kind = kind;
  for (int k = 0; k < t->n_dec; k++) d->fused |= t->dec[k].kind == SOL_DEC_FUSE || t->dec[k].kind == SOL_DEC_BYTE_LEVEL;
  t->n_dec++;
  return SOL_OK;
}

static sol_status_t read_decoder (sol_tokenizer_t *t, const cJSON *item, int depth, const char *path)
{
  static const struct { const char *type; sol_dec_kind_t kind; sol_status_t (*read) (sol_dec_t *d, const cJSON *item, const char *path); } kind[] = {
    { "ByteLevel", SOL_DEC_BYTE_LEVEL, NULL }, { "ByteFallback", SOL_DEC_BYTE_FALLBACK, NULL }, { "Fuse", SOL_DEC_FUSE, NULL },
    { "Strip", SOL_DEC_STRIP, read_strip }, { "Replace", SOL_DEC_REPLACE, read_replace }, { "Metaspace", SOL_DEC_METASPACE, read_metaspace }
  };
  const char *type = sol_json_string (item, "type");
  const cJSON *list = member (item, "decoders"), *part;
  sol_dec_t *d = NULL;
  if (type && !strcmp (type, "Sequence") && cJSON_IsArray (list) && depth < 8) {
    cJSON_ArrayForEach (part, list) SOL_TRY (read_decoder (t, part, depth + 1, path));
    return SOL_OK;
  }
  for (size_t i = 0; type && i < sizeof kind / sizeof *kind; i++)
    if (!strcmp (type, kind[i].type)) {
      SOL_TRY (add_dec (t, kind[i].kind, path, &d));
      return kind[i].read ? kind[i].read (d, item, path) : SOL_OK;
    }
  return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: decoder: ByteLevel, ByteFallback, Fuse, Strip, Replace, Metaspace and Sequence are supported, found %.40s", path,
                   type ? type : "something without type");
}

sol_status_t sol_tokenizer_read_decoder (sol_tokenizer_t *t, const struct cJSON *root, const char *path)
{
  const cJSON *item = member (root, "decoder");
  sol_dec_t *d = NULL;
  if (!item || cJSON_IsNull (item)) return add_dec (t, SOL_DEC_JOIN, path, &d); /* spellings with spaces between them */
  return read_decoder (t, item, 0, path);
}

/* ---- post-processor */

static void put_before (sol_ids_t *ids, int32_t at, int32_t id)
{
  sol_ids_add (ids, id);
  memmove (ids->data + at + 1, ids->data + at, (size_t) (ids->n - 1 - at) * sizeof *ids->data);
  ids->data[at] = id;
}

/* the template of a single text: special tokens, the text once, special tokens */
static sol_status_t read_template (sol_tokenizer_t *t, const cJSON *item, const char *path)
{
  const cJSON *single = member (item, "single"), *known = member (item, "special_tokens"), *part, *number;
  int texts = 0;
  int32_t n_before = 0;
  if (!cJSON_IsArray (single)) return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: post_processor: TemplateProcessing: expected single as a list", path);
  cJSON_ArrayForEach (part, single)
  {
    const char *name = sol_json_string (member (part, "SpecialToken"), "id");
    if (!name && ++texts) continue;
    const cJSON *ids = member (member (known, name), "ids");
    if (!cJSON_IsArray (ids)) BAD ("%s: post_processor: TemplateProcessing: \"%.40s\" is not among special_tokens", path, name);
    cJSON_ArrayForEach (number, ids)
    {
      int64_t id;
      if (!sol_json_int (number, 0, t->size - 1, &id)) BAD ("%s: post_processor: TemplateProcessing: \"%.40s\": expected ids of tokens", path, name);
      if (texts) sol_ids_add (&t->after, (int32_t) id);
      else put_before (&t->before, n_before++, (int32_t) id);
    }
  }
  if (texts != 1) return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: post_processor: TemplateProcessing: expected the text once in single, found it %d times", path, texts);
  return SOL_OK;
}

static sol_status_t read_post (sol_tokenizer_t *t, const cJSON *item, int depth, const char *path)
{
  const char *type = sol_json_string (item, "type");
  const cJSON *list = member (item, "processors"), *part;
  if (type && !strcmp (type, "ByteLevel")) return SOL_OK; /* moves offsets only */
  if (type && !strcmp (type, "TemplateProcessing")) return read_template (t, item, path);
  if (!type || strcmp (type, "Sequence") || !cJSON_IsArray (list) || depth == 8)
    return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: post_processor: TemplateProcessing, ByteLevel and Sequence are supported, found %.40s", path, type ? type : "something without type");
  cJSON_ArrayForEach (part, list) SOL_TRY (read_post (t, part, depth + 1, path));
  return SOL_OK;
}

sol_status_t sol_tokenizer_read_post (sol_tokenizer_t *t, const struct cJSON *root, const char *path)
{
  const cJSON *item = member (root, "post_processor");
  return !item || cJSON_IsNull (item) ? SOL_OK : read_post (t, item, 0, path);
}
