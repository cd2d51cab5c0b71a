/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/json.h"
#include "solera/file.h"
#include "solera/hash.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/utf8.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Copies text with every escape \u0000 turned into the byte 0xff; returns the copy's length. cJSON would end the string there. Also refuses raw control characters inside strings,
 * which cJSON accepts. Returns (size_t) -1 and the place of such a byte in *bad_p. */
static size_t copy_without_nul (const char *text, size_t bytes, char *copy, size_t *bad_p)
{
  size_t n = 0;
  int in_string = 0;
  for (size_t i = 0; i < bytes; i++) {
    char c = text[i];
    if (c == '"') in_string = !in_string;
    if (in_string && (unsigned char) c < 0x20) {
      *bad_p = i;
      return (size_t) -1;
    }
    if (in_string && c == '\\' && i + 1 < bytes) {
      if (bytes - i >= 6 && !memcmp (text + i, "\\u0000", 6)) {
        copy[n++] = (char) 0xff;
        i += 5;
        continue;
      }
      copy[n++] = c;
      c = text[++i];
    }
    copy[n++] = c;
  }
  copy[n] = 0;
  return n;
}

/* a key that stands twice in an object; NULL: none. Which of its values counts would be anybody's guess. */
static const char *key_twice (const cJSON *object)
{
  const cJSON *item;
  const char *twice = NULL;
  size_t n = 0, mask = 16;
  cJSON_ArrayForEach (item, object) n++;
  while (mask < 2 * n) mask *= 2;
  const char **slot = sol_alloc (mask-- * sizeof *slot);
  cJSON_ArrayForEach (item, object)
  {
    size_t k = (size_t) sol_hash (item->string, strlen (item->string)) & mask;
    while (slot[k] && strcmp (slot[k], item->string)) k = (k + 1) & mask;
    if (slot[k]) {
      twice = item->string;
      break;
    }
    slot[k] = item->string;
  }
  sol_free (slot);
  return twice;
}

/* the same in the whole value; cJSON has bounded its depth */
static const char *any_key_twice (const cJSON *json)
{
  const cJSON *item;
  const char *twice = cJSON_IsObject (json) && json->child ? key_twice (json) : NULL;
  if (!twice && (cJSON_IsObject (json) || cJSON_IsArray (json))) cJSON_ArrayForEach (item, json)
    {
      if (item->child && (twice = any_key_twice (item))) break;
    }
  return twice;
}

sol_status_t sol_json_parse (const char *text, size_t bytes, struct cJSON **json_p, char why[128])
{
  size_t bad = sol_utf8_check (text, bytes), n;
  if (bad < bytes) {
    snprintf (why, 128, "byte %zu is not UTF-8", bad + 1);
    return SOL_ERR_FORMAT;
  }
  if (memchr (text, 0, bytes)) {
    snprintf (why, 128, "a zero byte in the text");
    return SOL_ERR_FORMAT;
  }
  void *mem;
  SOL_TRY (sol_alloc_large (bytes + 1, "JSON text", &mem));
  char *copy = mem;
  const char *end = NULL;
  cJSON *json = NULL;
  n = copy_without_nul (text, bytes, copy, &bad);
  if (n == (size_t) -1) snprintf (why, 128, "byte %zu: a raw control character inside a string", bad + 1);
  else {
    json = cJSON_ParseWithLengthOpts (copy, n + 1, &end, 1);
    if (!json) snprintf (why, 128, "not JSON near byte %zu of %zu", end && end >= copy ? (size_t) (end - copy) + 1 : (size_t) 1, bytes);
    const char *twice = json ? any_key_twice (json) : NULL;
    if (twice) {
      snprintf (why, 128, "key \"%.80s\" stands twice in an object", twice);
      cJSON_Delete (json);
      json = NULL;
    }
  }
  sol_free (mem);
  if (!json) return SOL_ERR_FORMAT;
  *json_p = json;
  return SOL_OK;
}

sol_status_t sol_json_load (const char *path, struct cJSON **json_p)
{
  char *data, why[128];
  size_t bytes;
  SOL_TRY (sol_file_read (path, 0, &data, &bytes));
  sol_status_t st = sol_json_parse (data, bytes, json_p, why);
  sol_free (data);
  return st == SOL_ERR_FORMAT ? sol_fail (st, "json", "%s: %s", path, why) : st;
}

int sol_json_text (const struct cJSON *object, const char *key, sol_buffer_t *out)
{
  const cJSON *item = cJSON_GetObjectItemCaseSensitive (object, key);
  if (!cJSON_IsString (item)) return 0;
  sol_buffer_clear (out);
  sol_buffer_add (out, item->valuestring, strlen (item->valuestring));
  for (size_t i = 0; i < out->bytes; i++)
    if (out->data[i] == (char) 0xff) out->data[i] = 0;
  return 1;
}

const char *sol_json_string (const struct cJSON *object, const char *key)
{
  const cJSON *item = cJSON_GetObjectItemCaseSensitive (object, key);
  return cJSON_IsString (item) && !strchr (item->valuestring, 0xff) ? item->valuestring : NULL;
}

int sol_json_int (const struct cJSON *item, int64_t min, int64_t max, int64_t *value_p)
{
  if (!cJSON_IsNumber (item)) return 0;
  double x = item->valuedouble;
  if (!(x >= (double) min && x <= (double) max) || floor (x) != x) return 0;
  *value_p = (int64_t) x;
  return 1;
}
