/* SPDX-License-Identifier: Apache-2.0 */
/* normalizer.c: the normalizer of tokenizer.json: what it says, and what it does to a text. */
#include "solera/json.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/utf8.h"
#include "tokenizer_internal.h"
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define ROOM "tokenizer"

static const cJSON *member (const cJSON *object, const char *key) { return cJSON_GetObjectItemCaseSensitive (object, key); }

/* ---- reading */

static sol_status_t read_unicode (sol_norm_t *n, const cJSON *item, const char *path)
{
  const char *type = sol_json_string (item, "type");
  (void) path;
  n->kind = SOL_NORM_UNICODE;
  n->unicode = UTF8PROC_STABLE | (type[2] == 'C' || type[3] == 'C' ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) | (type[2] == 'K' ? UTF8PROC_COMPAT : 0);
  return SOL_OK;
}

static sol_status_t read_lowercase (sol_norm_t *n, const cJSON *item, const char *path)
{
  (void) item;
  (void) path;
  n->kind = SOL_NORM_LOWERCASE;
  return SOL_OK;
}

static sol_status_t read_strip (sol_norm_t *n, const cJSON *item, const char *path)
{
  (void) path;
  n->kind = SOL_NORM_STRIP;
  n->left = cJSON_IsTrue (member (item, "strip_left"));
  n->right = cJSON_IsTrue (member (item, "strip_right"));
  return SOL_OK;
}

static sol_status_t read_text (sol_norm_t *n, const cJSON *item, const char *key, const char *path)
{
  const char *text = sol_json_string (item, key);
  if (!text) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: normalizer: %s: expected a string %s", path, sol_json_string (item, "type"), key);
  n->text = sol_strdup (text);
  n->bytes = strlen (text);
  return SOL_OK;
}

static sol_status_t read_prepend (sol_norm_t *n, const cJSON *item, const char *path)
{
  n->kind = SOL_NORM_PREPEND;
  return read_text (n, item, "prepend", path);
}

static sol_status_t read_replace (sol_norm_t *n, const cJSON *item, const char *path)
{
  n->kind = SOL_NORM_REPLACE;
  SOL_TRY (read_text (n, item, "content", path));
  SOL_TRY (sol_pattern_read (&n->pattern, member (item, "pattern"), "normalizer: Replace", path));
  uint32_t empty = 0; /* the reference puts in more than it should at the beginning then: nobody means that */
  if (n->pattern.code && pcre2_pattern_info (n->pattern.code, PCRE2_INFO_MATCHEMPTY, &empty) == 0 && empty)
    return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: normalizer: Replace: expression: one that matches the empty text is not supported", path);
  return SOL_OK;
}

static sol_status_t read_normalizer (sol_tokenizer_t *t, const cJSON *item, int depth, const char *path)
{
  static const struct { const char *type; sol_status_t (*read) (sol_norm_t *n, const cJSON *item, const char *path); } kind[] = {
    { "NFC", read_unicode }, { "NFD", read_unicode }, { "NFKC", read_unicode }, { "NFKD", read_unicode },
    { "Lowercase", read_lowercase }, { "Strip", read_strip }, { "Prepend", read_prepend }, { "Replace", read_replace }
  };
  const char *type = sol_json_string (item, "type");
  const cJSON *list = member (item, "normalizers"), *part;
  if (type && !strcmp (type, "Sequence") && cJSON_IsArray (list) && depth < 8) {
    cJSON_ArrayForEach (part, list) SOL_TRY (read_normalizer (t, part, depth + 1, path));
    return SOL_OK;
  }
  for (size_t i = 0; type && i < sizeof kind / sizeof *kind; i++)
    if (!strcmp (type, kind[i].type)) {
      if (t->n_norm == SOL_MAX_STEPS) return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: normalizer: more than %d steps", path, SOL_MAX_STEPS);
      return kind[i].read (&t->norm[t->n_norm++], item, path);
    }
  return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: normalizer: NFC, NFD, NFKC, NFKD, Lowercase, Strip, Prepend, Replace and Sequence are supported, found %.40s", path,
                   type ? type : "something without type");
}

sol_status_t sol_tokenizer_read_normalizer (sol_tokenizer_t *t, const struct cJSON *root, const char *path)
{
  const cJSON *item = member (root, "normalizer");
  return !item || cJSON_IsNull (item) ? SOL_OK : read_normalizer (t, item, 0, path);
}

/* ---- doing */

typedef struct { const char *s; size_t n; } text_t;

static sol_status_t do_unicode (const sol_norm_t *n, text_t text, sol_buffer_t *out)
{
  utf8proc_uint8_t *done = NULL;
  utf8proc_ssize_t bytes = utf8proc_map ((const utf8proc_uint8_t *) text.s, (utf8proc_ssize_t) text.n, &done, (utf8proc_option_t) n->unicode);
  if (bytes < 0) return sol_fail (SOL_ERR_MEMORY, ROOM, "normalising %zu bytes: %s", text.n, utf8proc_errmsg (bytes));
  sol_buffer_add (out, done, (size_t) bytes);
  free (done);
  return SOL_OK;
}

static void do_lowercase (text_t text, sol_buffer_t *out)
{
  for (size_t i = 0; i < text.n;) {
    int32_t cp;
    char c[4];
    i += (size_t) sol_utf8_next (text.s + i, text.n - i, &cp);
    if (cp == 0x130) sol_buffer_add (out, "i\xcc\x87", 3); /* the one capital whose small letter is two characters */
    else sol_buffer_add (out, c, (size_t) sol_utf8_put (utf8proc_tolower (cp), c));
  }
}

static text_t strip (const sol_norm_t *n, text_t t)
{
  int32_t cp;
  while (n->left && t.n) {
    int k = sol_utf8_next (t.s, t.n, &cp);
    if (!sol_utf8_is_space (cp)) break;
    t.s += k;
    t.n -= (size_t) k;
  }
  while (n->right && t.n) {
    size_t k = t.n - 1;
    while (k && ((unsigned char) t.s[k] & 0xc0) == 0x80) k--;
    if (sol_utf8_next (t.s + k, t.n - k, &cp) < 0 || !sol_utf8_is_space (cp)) break;
    t.n = k;
  }
  return t;
}

static int is_ascii (text_t t)
{
  size_t i = 0;
  for (uint64_t w; i + 8 <= t.n; i += 8) {
    memcpy (&w, t.s + i, 8);
    if (w & 0x8080808080808080u) return 0;
  }
  for (; i < t.n; i++)
    if ((unsigned char) t.s[i] & 0x80) return 0;
  return 1;
}

/* one step; *t becomes the new text, which is out's unless nothing had to be written */
static sol_status_t step (const sol_norm_t *n, pcre2_match_data *match, text_t *t, sol_buffer_t *out)
{
  sol_status_t st = SOL_OK;
  if (n->kind == SOL_NORM_STRIP) {
    *t = strip (n, *t);
    return SOL_OK;
  }
  if (!t->n || (n->kind == SOL_NORM_UNICODE && is_ascii (*t))) return SOL_OK;
  sol_buffer_clear (out);
  if (n->kind == SOL_NORM_UNICODE) st = do_unicode (n, *t, out);
  else if (n->kind == SOL_NORM_LOWERCASE) do_lowercase (*t, out);
  else if (n->kind == SOL_NORM_REPLACE) st = sol_replace (&n->pattern, match, n->text, n->bytes, t->s, t->n, out);
  else {
    sol_buffer_add (out, n->text, n->bytes);
    sol_buffer_add (out, t->s, t->n);
  }
  *t = (text_t) { out->data ? out->data : "", out->bytes };
  return st;
}

sol_status_t sol_normalize (const sol_tokenizer_t *t, sol_buffer_t norm[2], pcre2_match_data *match, const char **text_p, size_t *bytes_p)
{
  text_t text = { *text_p, *bytes_p };
  int into = 0;
  for (int i = 0; i < t->n_norm; i++) {
    SOL_TRY (step (&t->norm[i], match, &text, &norm[into]));
    if (norm[into].data && text.s >= norm[into].data && text.s <= norm[into].data + norm[into].bytes) into = !into; /* the text is there now */
  }
  *text_p = text.s;
  *bytes_p = text.n;
  return SOL_OK;
}
