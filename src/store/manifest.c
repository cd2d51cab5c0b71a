/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest.h"
#include "solera/file.h"
#include "solera/hash.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM "checkpoint"
#define FORMAT "solera checkpoint"
#define FIRST_LINE "{\"xxh3\":\"%016" PRIx64 "\",\n"
enum { FIRST_BYTES = 28, N_COUNTERS = sizeof ((sol_checkpoint_t *) 0)->counters / 8, N_SUMS = sizeof ((sol_checkpoint_t *) 0)->sums / 8 };

void sol_manifest_text (const sol_manifest_t *m, sol_buffer_t *out)
{
  const sol_checkpoint_t *c = &m->info;
  sol_buffer_t b = { 0 };
  sol_buffer_printf (&b, "\"format\":\"" FORMAT "\",\"version\":%d,\n\"update\":%" PRId64 ",\"step\":%" PRId64 ",\"elements\":%" PRId64 ",\"n_queues\":%d,\n", SOL_CHECKPOINT_VERSION,
                     c->update, c->step, c->elements, c->n_queues);
  sol_buffer_printf (&b, "\"weight_digest\":\"%016" PRIx64 "\",\n\"counters\":[", c->weight_digest);
  for (int i = 0; i < N_COUNTERS; i++) sol_buffer_printf (&b, "%s\"%" PRId64 "\"", i ? "," : "", c->counters[i]); /* text: doubles would lose digits */
  sol_buffer_printf (&b, "],\n\"sums\":[");
  for (int i = 0; i < N_SUMS; i++) sol_buffer_printf (&b, "%s\"%a\"", i ? "," : "", c->sums[i]);
  sol_buffer_printf (&b, "],\n\"files\":[");
  for (int i = 0; i < m->n_files; i++) {
    sol_buffer_printf (&b, "%s\n {\"name\":", i ? "," : "");
    sol_buffer_json (&b, m->file[i].name, strlen (m->file[i].name));
    sol_buffer_printf (&b, ",\"bytes\":%" PRId64 ",\"xxh3\":\"%016" PRIx64 "\"}", m->file[i].bytes, m->file[i].hash);
  }
  sol_buffer_printf (&b, "],\n\"settings\":");
  sol_buffer_json (&b, m->settings ? m->settings : "", m->settings ? strlen (m->settings) : 0);
  sol_buffer_printf (&b, "}\n");
  sol_buffer_printf (out, FIRST_LINE, sol_hash (b.data, b.bytes));
  sol_buffer_add (out, b.data, b.bytes);
  sol_buffer_free (&b);
}

static int read_int (const cJSON *j, double most, int64_t *out)
{
  if (!cJSON_IsNumber (j) || !(j->valuedouble >= 0) || j->valuedouble > most) return 0;
  *out = (int64_t) j->valuedouble;
  return (double) *out == j->valuedouble;
}

static int read_hex (const cJSON *j, uint64_t *out)
{
  if (!cJSON_IsString (j) || strlen (j->valuestring) != 16 || strspn (j->valuestring, "0123456789abcdef") != 16) return 0;
  *out = strtoull (j->valuestring, NULL, 16);
  return 1;
}

static int read_counters (const cJSON *list, int64_t *out)
{
  int i = 0;
  const cJSON *j;
  if (!cJSON_IsArray (list) || cJSON_GetArraySize (list) != N_COUNTERS) return 0;
  cJSON_ArrayForEach (j, list) {
    char *end;
    if (!cJSON_IsString (j) || !*j->valuestring) return 0;
    errno = 0;
    out[i++] = strtoll (j->valuestring, &end, 10);
    if (*end || errno) return 0;
  }
  return 1;
}

static int read_sums (const cJSON *list, double *out)
{
  int i = 0;
  const cJSON *j;
  if (!cJSON_IsArray (list) || cJSON_GetArraySize (list) != N_SUMS) return 0;
  cJSON_ArrayForEach (j, list) {
    char *end;
    if (!cJSON_IsString (j) || !*j->valuestring) return 0;
    out[i++] = strtod (j->valuestring, &end);
    if (*end) return 0;
  }
  return 1;
}

static int plain_name (const char *s) { return *s && *s != '.' && !strchr (s, '/') && strlen (s) < 200; }

static int read_files (const cJSON *list, sol_manifest_t *m)
{
  const cJSON *j;
  if (!cJSON_IsArray (list)) return 0;
  m->file = sol_alloc (sizeof *m->file * ((size_t) cJSON_GetArraySize (list) + 1));
  cJSON_ArrayForEach (j, list) {
    const cJSON *name = cJSON_GetObjectItemCaseSensitive (j, "name");
    sol_manifest_file_t *f = &m->file[m->n_files];
    if (!cJSON_IsString (name) || !plain_name (name->valuestring) || !read_int (cJSON_GetObjectItemCaseSensitive (j, "bytes"), 0x1p53, &f->bytes)
        || !read_hex (cJSON_GetObjectItemCaseSensitive (j, "xxh3"), &f->hash))
      return 0;
    f->name = sol_strdup (name->valuestring);
    m->n_files++;
  }
  return 1;
}

static sol_status_t read_body (const char *path, const cJSON *json, sol_manifest_t *m)
{
  const cJSON *format = cJSON_GetObjectItemCaseSensitive (json, "format"), *settings = cJSON_GetObjectItemCaseSensitive (json, "settings");
  int64_t version, queues = 0;
  sol_checkpoint_t *c = &m->info;
  if (!cJSON_IsString (format) || strcmp (format->valuestring, FORMAT) != 0) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: \"format\" is not \"" FORMAT "\"", path);
  if (!read_int (cJSON_GetObjectItemCaseSensitive (json, "version"), 1e9, &version)) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: \"version\" is missing", path);
  if (version != SOL_CHECKPOINT_VERSION)
    return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: checkpoint version %" PRId64 "; this program reads version %d", path, version, SOL_CHECKPOINT_VERSION);
  const struct { const char *key; double most; int64_t *to; } ints[] = { { "update", 0x1p53, &c->update }, { "step", 0x1p53, &c->step }, { "elements", 0x1p53, &c->elements }, { "n_queues", 1e6, &queues } };
  for (size_t i = 0; i < sizeof ints / sizeof *ints; i++)
    if (!read_int (cJSON_GetObjectItemCaseSensitive (json, ints[i].key), ints[i].most, ints[i].to))
      return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: \"%s\" is not a whole number in bounds", path, ints[i].key);
  c->n_queues = (int) queues;
  if (!read_hex (cJSON_GetObjectItemCaseSensitive (json, "weight_digest"), &c->weight_digest)) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: \"weight_digest\" is malformed", path);
  if (!read_counters (cJSON_GetObjectItemCaseSensitive (json, "counters"), c->counters)) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: \"counters\" is malformed", path);
  if (!read_sums (cJSON_GetObjectItemCaseSensitive (json, "sums"), c->sums)) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: \"sums\" is malformed", path);
  if (!read_files (cJSON_GetObjectItemCaseSensitive (json, "files"), m)) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: \"files\" is malformed", path);
  if (!cJSON_IsString (settings)) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: \"settings\" is missing", path);
  m->settings = sol_strdup (settings->valuestring);
  return SOL_OK;
}

sol_status_t sol_manifest_parse (const char *path, const char *text, size_t bytes, sol_manifest_t *m_p)
{
  char line[FIRST_BYTES + 1];
  if (bytes <= FIRST_BYTES) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: %zu bytes is too short for a manifest", path, bytes);
  SOL_ASSERT (snprintf (line, sizeof line, FIRST_LINE, sol_hash (text + FIRST_BYTES, bytes - FIRST_BYTES)) == FIRST_BYTES);
  if (memcmp (line, text, FIRST_BYTES) != 0) return sol_fail (SOL_ERR_CHECKSUM, ROOM, "%s: its first line does not carry the checksum of the rest", path);
  sol_manifest_t m = { 0 };
  cJSON *json = cJSON_ParseWithLength (text, bytes);
  sol_status_t st = json ? read_body (path, json, &m) : sol_fail (SOL_ERR_FORMAT, ROOM, "%s: not JSON", path);
  cJSON_Delete (json);
  if (st == SOL_OK) *m_p = m;
  else sol_manifest_clear (&m);
  return st;
}

void sol_manifest_clear (sol_manifest_t *m)
{
  for (int i = 0; i < m->n_files; i++) sol_free (m->file[i].name);
  sol_free (m->file);
  sol_free (m->settings);
  *m = (sol_manifest_t){ 0 };
}

sol_status_t sol_manifest_measure (const char *path, int sync, int64_t *bytes_p, uint64_t *hash_p)
{
  sol_map_t map;
  if (sync) {
    int fd = open (path, O_RDONLY | O_CLOEXEC), bad = fd < 0 || fsync (fd);
    int why = errno;
    if (fd >= 0) close (fd);
    if (bad) return sol_fail (SOL_ERR_IO, ROOM, "%s: fsync failed: %s", path, strerror (why));
  }
  SOL_TRY (sol_file_map (path, &map));
  *bytes_p = (int64_t) map.bytes;
  *hash_p = sol_hash (map.bytes ? (const void *) map.data : "", map.bytes);
  sol_file_unmap (&map);
  return SOL_OK;
}
