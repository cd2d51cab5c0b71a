/* SPDX-License-Identifier: Apache-2.0 */
/* evaluate_folder.c: OUT/evaluation.json says what the responses in OUT are of; --resume goes on only with the same. */
#include "evaluate.h"
#include "solera/file.h"
#include "solera/hash.h"
#include "solera/json.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ROOM "eval"
#define FORMAT "solera evaluation"
#define VERSION 1

static void add_hex (cJSON *o, const char *name, uint64_t x)
{
  char hex[20];
  snprintf (hex, sizeof hex, "%016" PRIx64, x);
  cJSON_AddStringToObject (o, name, hex);
}

static sol_status_t hash_file (const char *path, uint64_t *hash_p)
{
  sol_map_t map;
  SOL_TRY (sol_file_map (path, &map));
  *hash_p = sol_hash (map.data, map.bytes);
  sol_file_unmap (&map);
  return SOL_OK;
}

static sol_status_t add_set (const sol_evaluate_set_t *s, const sol_config_t *c, cJSON *list)
{
  cJSON *o = cJSON_CreateObject ();
  sol_buffer_t text = { 0 };
  uint64_t hash;
  cJSON_AddItemToArray (list, o);
  cJSON_AddStringToObject (o, "name", s->name);
  cJSON_AddStringToObject (o, "path", s->path);
  if (s->path[0]) {
    SOL_TRY (hash_file (s->path, &hash));
    add_hex (o, "data", hash);
  }
  sol_config_text (c, &text);
  cJSON_AddStringToObject (o, "settings", text.data);
  sol_buffer_free (&text);
  return SOL_OK;
}

static sol_status_t describe (const sol_evaluate_origin_t *g, cJSON **json_p)
{
  cJSON *o = cJSON_CreateObject (), *list;
  sol_status_t st = SOL_OK;
  cJSON_AddStringToObject (o, "format", FORMAT);
  cJSON_AddNumberToObject (o, "version", VERSION);
  cJSON_AddStringToObject (o, "program", PACKAGE_STRING);
  cJSON_AddStringToObject (o, "model", g->model->checkpoint[0] ? g->model->checkpoint : g->model->folder);
  cJSON_AddNumberToObject (o, "weight_version", (double) g->model->version);
  add_hex (o, "weights", g->weights);
  cJSON_AddStringToObject (o, "preset", g->o->preset ? g->o->preset : "");
  list = cJSON_AddArrayToObject (o, "data_sets");
  for (int i = 0; i < g->n && st == SOL_OK; i++)
    if (!g->set[i].missing) st = add_set (&g->set[i], g->config[i], list);
  if (st == SOL_OK) *json_p = o;
  else cJSON_Delete (o);
  return st;
}

/* ---- the same as before? */

static sol_status_t differ (const char *path, const char *set, const char *key, const char *was, const char *now)
{
  return sol_fail (SOL_ERR_USAGE, ROOM, "%s: %s%s%s is %s in what was answered so far, now %s was asked for: --resume goes on with the same only", path, set, set[0] ? ": " : "", key, was && *was ? was : "not given", now && *now ? now : "not given");
}

/* what no response depends on, or what the data's checksum says better */
static int is_free (const char *name)
{
  static const char *const free_name[] = { "out", "backend.name", "backend.threads", "backend.graphs", "actor.slots", "actor.kv_tokens", "task.path" };
  for (size_t i = 0; i < sizeof free_name / sizeof *free_name; i++)
    if (!strcmp (name, free_name[i])) return 1;
  return 0;
}

static sol_status_t same_settings (const char *path, const char *set, const char *before, const char *now)
{
  int n;
  const sol_setting_t *s = sol_settings (&n);
  sol_config_t *a = NULL, *b = NULL;
  sol_buffer_t x = { 0 }, y = { 0 };
  sol_status_t st;
  SOL_GO (sol_config_parse (before, strlen (before), path, NULL, &a));
  SOL_GO (sol_config_parse (now, strlen (now), path, NULL, &b));
  for (int i = 0; i < n && st == SOL_OK; i++) {
    if (!strchr (s[i].groups, 'e') || is_free (s[i].name)) continue;
    sol_buffer_clear (&x);
    sol_buffer_clear (&y);
    sol_config_value (a, &s[i], &x);
    sol_config_value (b, &s[i], &y);
    if (x.bytes != y.bytes || (x.bytes && memcmp (x.data, y.data, x.bytes))) st = differ (path, set, s[i].name, x.data, y.data);
  }
out:
  sol_config_destroy (a);
  sol_config_destroy (b);
  sol_buffer_free (&x);
  sol_buffer_free (&y);
  return st;
}

static sol_status_t same_text (const char *path, const char *set, const char *label, const char *key, const cJSON *a, const cJSON *b)
{
  const char *x = sol_json_string (a, key), *y = sol_json_string (b, key);
  return (!x && !y) || (x && y && !strcmp (x, y)) ? SOL_OK : differ (path, set, label, x, y);
}

static void add_names (const cJSON *list, sol_buffer_t *out)
{
  const cJSON *o;
  cJSON_ArrayForEach (o, list) sol_buffer_printf (out, "%s%s", out->bytes ? "," : "", sol_json_string (o, "name") ? sol_json_string (o, "name") : "?");
}

static sol_status_t same_sets (const char *path, const cJSON *a, const cJSON *b)
{
  sol_buffer_t x = { 0 }, y = { 0 };
  sol_status_t st = SOL_OK;
  add_names (a, &x);
  add_names (b, &y);
  if (x.bytes != y.bytes || (x.bytes && memcmp (x.data, y.data, x.bytes))) st = differ (path, "", "--data", x.data, y.data);
  sol_buffer_free (&x);
  sol_buffer_free (&y);
  for (int i = 0; st == SOL_OK && i < cJSON_GetArraySize (b); i++) {
    const cJSON *p = cJSON_GetArrayItem (a, i), *q = cJSON_GetArrayItem (b, i);
    const char *name = sol_json_string (q, "name"), *before = sol_json_string (p, "settings");
    SOL_TRY (same_text (path, name, "the checksum of its file", "data", p, q));
    if (!before) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: data set %s: expected a text \"settings\", found none", path, name);
    st = same_settings (path, name, before, sol_json_string (q, "settings"));
  }
  return st;
}

static sol_status_t compare (const char *path, const cJSON *now)
{
  cJSON *was = NULL;
  int64_t version;
  sol_status_t st;
  SOL_TRY (sol_json_load (path, &was));
  const char *format = sol_json_string (was, "format");
  if (!format || strcmp (format, FORMAT)) { st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: expected \"format\": \"" FORMAT "\", found \"%.40s\"", path, format ? format : ""); goto out; }
  if (!sol_json_int (cJSON_GetObjectItemCaseSensitive (was, "version"), 1, VERSION, &version)) { st = sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: expected \"version\" %d, found another", path, VERSION); goto out; }
  SOL_GO (same_text (path, "", "the checksum of the model's weights", "weights", was, now));
  SOL_GO (same_text (path, "", "--preset", "preset", was, now));
  SOL_GO (same_sets (path, cJSON_GetObjectItemCaseSensitive (was, "data_sets"), cJSON_GetObjectItemCaseSensitive (now, "data_sets")));
out:
  cJSON_Delete (was);
  return st;
}

/* ---- */

/* --force: responses of these data sets, and parts of an evaluation that was here, go; evals.h5 keeps its rows */
static sol_status_t clear (const char *out, const char *path, const cJSON *now)
{
  cJSON *was = NULL;
  const cJSON *o;
  char why[128], *text = NULL;
  size_t bytes;
  sol_status_t st = SOL_OK;
  if (sol_file_exists (path)) {
    SOL_TRY (sol_file_read (path, 0, &text, &bytes));
    if (sol_json_parse (text, bytes, &was, why) != SOL_OK) was = NULL; /* damaged: it goes */
    sol_free (text);
  }
  cJSON_ArrayForEach (o, cJSON_GetObjectItemCaseSensitive (was, "data_sets"))
    if (st == SOL_OK && sol_json_string (o, "name") && !strchr (sol_json_string (o, "name"), '/')) st = sol_parts_remove (out, sol_json_string (o, "name"), 1);
  cJSON_ArrayForEach (o, cJSON_GetObjectItemCaseSensitive (now, "data_sets"))
    if (st == SOL_OK) st = sol_parts_remove (out, sol_json_string (o, "name"), 1);
  cJSON_Delete (was);
  return st;
}

sol_status_t sol_evaluate_may (const char *out, const sol_evaluate_options_t *o)
{
  SOL_TRY (sol_dir_check (out));
  char *path = sol_path_join (out, "evaluation.json");
  const int empty = sol_dir_is_empty (out), there = sol_file_exists (path);
  sol_free (path);
  if (!empty && !o->resume && !o->force) return sol_fail (SOL_ERR_USAGE, ROOM, "%s exists: go on with --resume, overwrite its responses with --force, or choose another out=FOLDER", out);
  if (!empty && !there && o->resume) return sol_fail (SOL_ERR_USAGE, ROOM, "%s has no evaluation.json: no evaluation to go on with", out);
  return SOL_OK;
}

sol_status_t sol_evaluate_folder (const char *out, const sol_evaluate_origin_t *g)
{
  char *path = sol_path_join (out, "evaluation.json"), *text = NULL;
  cJSON *now = NULL;
  const int empty = sol_dir_is_empty (out), there = sol_file_exists (path);
  sol_status_t st;
  SOL_GO (describe (g, &now));
  SOL_GO (sol_dir_make (out));
  SOL_GO (sol_setup_lock (out));
  if (there && g->o->resume) SOL_GO (compare (path, now));
  else {
    if (!empty) SOL_GO (clear (out, path, now));
    text = cJSON_Print (now);
    st = sol_file_write (path, text, strlen (text));
  }
out:
  cJSON_free (text);
  cJSON_Delete (now);
  sol_free (path);
  return st;
}
