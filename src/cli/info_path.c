/* SPDX-License-Identifier: Apache-2.0 */
/* what a path is, by what lies in it, and what it holds */
#include "info.h"
#include "setup.h"
#include "solera/actor.h"
#include "solera/checkpoint.h"
#include "solera/config.h"
#include "solera/evals.h"
#include "solera/file.h"
#include "solera/learner.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/model.h"
#include "solera/paper.h"
#include "solera/safetensors.h"
#include "solera/stats.h"
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int is_dir (const char *path)
{
  struct stat sb;
  return stat (path, &sb) == 0 && S_ISDIR (sb.st_mode);
}

static int holds (const char *dir, const char *name)
{
  char *path = sol_path_join (dir, name);
  const int yes = sol_file_exists (path);
  sol_free (path);
  return yes;
}

/* ---- checkpoint */

static void add_weights (const sol_checkpoint_t *info, cJSON *facts)
{
  char hex[20];
  cJSON *o = cJSON_AddObjectToObject (facts, "weights");
  snprintf (hex, sizeof hex, "%016llx", (unsigned long long) info->weight_digest);
  sol_info_int (o, "step", info->update);
  sol_info_string (o, "xxh3", hex);
}

/* the settings that are not the defaults */
static sol_status_t add_settings (const char *text, const char *name, cJSON *facts)
{
  int n;
  const sol_setting_t *s = sol_settings (&n);
  sol_config_t *config = NULL, *plain = NULL;
  sol_buffer_t a = { 0 }, b = { 0 };
  sol_status_t st;
  SOL_GO (sol_config_load (NULL, NULL, 0, NULL, &plain));
  SOL_GO (sol_config_parse (text, strlen (text), name, NULL, &config));
  cJSON *o = cJSON_AddObjectToObject (facts, "settings");
  for (int i = 0; i < n; i++) {
    sol_buffer_clear (&a);
    sol_buffer_clear (&b);
    sol_config_value (config, &s[i], &a);
    sol_config_value (plain, &s[i], &b);
    if (a.bytes && (a.bytes != b.bytes || memcmp (a.data, b.data, a.bytes) != 0)) sol_info_string (o, s[i].name, a.data);
  }
out:
  sol_buffer_free (&a);
  sol_buffer_free (&b);
  sol_config_destroy (config);
  sol_config_destroy (plain);
  return st;
}

static sol_status_t checkpoint_facts (const char *path, cJSON *facts)
{
  sol_checkpoint_t info = { 0 };
  char *settings = NULL;
  SOL_TRY (sol_checkpoint_open (path, &info, &settings));
  sol_info_string (facts, "kind", "checkpoint");
  sol_info_int (facts, "update", info.update);
  sol_info_int (facts, "elements", info.elements);
  sol_info_int (facts, "queues", info.n_queues);
  add_weights (&info, facts);
  const sol_status_t st = settings ? add_settings (settings, path, facts) : SOL_OK;
  sol_free (settings);
  return st;
}

/* ---- statistics */

static int is_hdf5 (const char *path)
{
  char head[8] = "";
  FILE *f = fopen (path, "rbe");
  const int yes = f && fread (head, 1, 8, f) == 8 && memcmp (head, "\x89HDF\r\n\x1a\n", 8) == 0;
  if (f) fclose (f);
  return yes;
}

static sol_status_t add_stats (const char *path, cJSON *facts)
{
  sol_stats_info_t s = { 0 };
  SOL_TRY (sol_stats_info (path, &s));
  sol_info_int (facts, "schema", s.version);
  sol_info_int (facts, "tokens", s.n_tokens);
  sol_info_int (facts, "sequences", s.n_sequences);
  sol_info_int (facts, "first_update", s.first_update);
  sol_info_int (facts, "last_update", s.last_update);
  char seed[24];
  snprintf (seed, sizeof seed, "%llu", (unsigned long long) s.seed);
  cJSON_AddRawToObject (facts, "seed", seed);
  sol_info_string (facts, "program", s.program ? s.program : "unknown");
  sol_free (s.program);
  return SOL_OK;
}

/* ---- model */

/* bytes that one learner and one actor would take with the default settings, of their device or (cpu) of the host; solera plan has the rest */
static sol_status_t add_memory_of (const sol_config_t *c, const sol_arch_t *a, sol_backend_t *b, const char *name, cJSON *facts)
{
  sol_model_t *m = sol_model_measure (b, a, a->dtype);
  sol_needs_t learner = { 0 }, actor = { 0 };
  sol_status_t st = sol_learner_need (c, m, 0, 1, &learner);
  if (st == SOL_OK) st = sol_actor_need (c, m, &actor);
  if (st == SOL_OK) {
    const int device = sol_backend_is_device (b);
    cJSON *o = cJSON_AddObjectToObject (facts, name);
    sol_info_int (o, "training", (int64_t) (sol_need_total (device ? &learner.device : &learner.host) + sol_backend_workspace (b)));
    sol_info_int (o, "decoding", (int64_t) (sol_need_total (device ? &actor.device : &actor.host) + sol_backend_workspace (b)));
  }
  sol_model_destroy (m);
  return st;
}

static sol_status_t add_memory (const sol_arch_t *a, cJSON *facts)
{
  sol_backend_t *cpu = NULL, *paper = sol_paper_create (NULL);
  sol_config_t *c = NULL;
  sol_status_t st;
  cJSON *o = cJSON_AddObjectToObject (facts, "memory");
  SOL_GO (sol_config_load (NULL, NULL, 0, NULL, &c));
  SOL_GO (sol_backend_create ("cpu", 1, NULL, &cpu));
  SOL_GO (add_memory_of (c, a, cpu, "cpu", o));
  SOL_GO (add_memory_of (c, a, paper, "cuda", o));
out:
  sol_backend_destroy (cpu);
  sol_backend_destroy (paper);
  sol_config_destroy (c);
  return st;
}

static void add_rope (const sol_arch_t *a, cJSON *facts)
{
  static const char *const kind[] = { "default", "llama3", "linear", "yarn" };
  cJSON *o = cJSON_AddObjectToObject (facts, "rope");
  sol_info_string (o, "type", kind[a->rope_kind]);
  cJSON_AddNumberToObject (o, "theta", a->rope_theta);
  if (a->rope_kind != SOL_ROPE_PLAIN) cJSON_AddNumberToObject (o, "factor", a->rope_factor);
  if (a->rope_kind == SOL_ROPE_LLAMA3 || a->rope_kind == SOL_ROPE_YARN) cJSON_AddNumberToObject (o, "original_context", a->rope_original);
}

/* the headers of weights that are there must fit config.json; a folder of config.json alone will do for plans */
static sol_status_t add_weights_of (const char *path, const sol_arch_t *a, cJSON *facts)
{
  const int present = holds (path, "model.safetensors") || holds (path, "model.safetensors.index.json");
  sol_table_t *table = sol_table_create (a);
  sol_info_int (facts, "parameters", table->elements);
  cJSON_AddBoolToObject (facts, "weights_present", present);
  const sol_status_t st = present ? sol_safetensors_check (path, table, a->tied) : SOL_OK;
  sol_table_destroy (table);
  return st;
}

static sol_status_t model_facts (const char *path, cJSON *facts)
{
  sol_arch_t a;
  SOL_TRY (sol_arch_load (path, &a));
  sol_info_string (facts, "kind", "model");
  sol_info_string (facts, "family", a.family);
  sol_info_string (facts, "class", sol_arch_class (&a));
  SOL_TRY (add_weights_of (path, &a, facts));
  sol_info_int (facts, "layers", a.layers);
  sol_info_int (facts, "width", a.width);
  sol_info_int (facts, "heads", a.heads);
  sol_info_int (facts, "kv_heads", a.kv_heads);
  sol_info_int (facts, "head_size", a.head_size);
  sol_info_int (facts, "mlp", a.mlp);
  sol_info_int (facts, "vocabulary", a.vocab);
  sol_info_int (facts, "context", a.context);
  sol_info_string (facts, "dtype", a.dtype == SOL_BF16 ? "bf16" : "f32");
  cJSON_AddBoolToObject (facts, "tied", a.tied);
  cJSON_AddBoolToObject (facts, "tokenizer", holds (path, "tokenizer.json"));
  add_rope (&a, facts);
  cJSON *eos = cJSON_AddArrayToObject (facts, "eos");
  for (int i = 0; i < a.n_eos; i++) cJSON_AddItemToArray (eos, cJSON_CreateNumber (a.eos[i]));
  return add_memory (&a, facts);
}

/* ---- run */

static sol_status_t add_status (const char *run, cJSON *facts)
{
  char *path = sol_path_join (run, "status.json"), *text = NULL;
  size_t bytes = 0;
  cJSON *status = NULL;
  sol_status_t st = SOL_OK;
  if (!sol_file_exists (path)) {
    cJSON_AddNullToObject (facts, "status");
    goto out;
  }
  SOL_GO (sol_file_read (path, 1 << 20, &text, &bytes));
  status = cJSON_ParseWithLength (text, bytes);
  if (!cJSON_IsObject (status)) {
    st = sol_fail (SOL_ERR_FORMAT, "info", "%s: expected a JSON object", path);
    goto out;
  }
  cJSON_AddItemToObject (facts, "status", status);
  status = NULL;
out:
  cJSON_Delete (status);
  sol_free (text);
  sol_free (path);
  return st;
}

/* the last whole line of metrics.jsonl; a run that was killed may have left a part of one behind it */
static sol_status_t add_metrics (const char *run, cJSON *facts)
{
  static const char *const names[] = { "update", "lag_mean", "reward_fresh", "reward_consumed", "clip_share", "masked_share", "entropy", "grad_norm", "loss" };
  char *path = sol_path_join (run, "metrics.jsonl");
  sol_map_t map = { 0 };
  sol_status_t st = SOL_OK;
  if (!sol_file_exists (path)) goto out;
  SOL_GO (sol_file_map (path, &map));
  int64_t lines = 0;
  size_t begin = 0, end = 0, start = 0;
  for (size_t i = 0; i < map.bytes; i++)
    if (map.data[i] == '\n') {
      begin = start;
      end = i;
      start = i + 1;
      lines++;
    }
  cJSON *o = cJSON_AddObjectToObject (facts, "metrics"), *row = lines ? cJSON_ParseWithLength ((const char *) map.data + begin, end - begin) : NULL;
  sol_info_int (o, "lines", lines);
  for (size_t i = 0; row && i < sizeof names / sizeof *names; i++) {
    const cJSON *v = cJSON_GetObjectItemCaseSensitive (row, names[i]);
    if (cJSON_IsNumber (v)) cJSON_AddNumberToObject (o, names[i], v->valuedouble);
  }
  if (lines && !cJSON_IsObject (row)) st = sol_fail (SOL_ERR_FORMAT, "info", "%s:%lld: expected a JSON object", path, (long long) lines);
  cJSON_Delete (row);
out:
  sol_file_unmap (&map);
  sol_free (path);
  return st;
}

static int by_name (const void *a, const void *b) { return strcmp (*(char *const *) a, *(char *const *) b); }

static void add_checkpoint_names (const char *run, cJSON *facts)
{
  char *dir = sol_path_join (run, "checkpoints"), *names[256];
  int n = 0;
  cJSON *list = cJSON_AddArrayToObject (facts, "checkpoints");
  DIR *d = opendir (dir);
  for (struct dirent *e; d && n < 256 && (e = readdir (d));)
    if (e->d_name[0] == 'u' && !strchr (e->d_name, '.')) names[n++] = sol_strdup (e->d_name);
  if (d) closedir (d);
  qsort (names, (size_t) n, sizeof *names, by_name);
  for (int i = 0; i < n; i++) {
    cJSON_AddItemToArray (list, cJSON_CreateString (names[i]));
    sol_free (names[i]);
  }
  sol_free (dir);
}

/* the newest checkpoint that is whole: every byte is checked. With none the rest of the run is described all the same: what was wrong is in the log. */
static sol_status_t add_newest (const char *run, cJSON *facts)
{
  sol_checkpoint_t info = { 0 };
  char *dir = NULL, *settings = NULL;
  const sol_status_t st = sol_checkpoint_find (run, sol_setup_queue, &info, &dir, &settings);
  if (st == SOL_OK) add_weights (&info, facts);
  else cJSON_AddNullToObject (facts, "weights");
  sol_free (dir);
  sol_free (settings);
  return SOL_OK;
}

static sol_status_t run_facts (const char *path, cJSON *facts)
{
  char *settings = sol_path_join (path, "settings.yaml"), *stats = sol_path_join (path, "stats.h5"), *evals = sol_path_join (path, SOL_EVALS_NAME), *text = NULL;
  size_t bytes = 0;
  sol_status_t st;
  sol_info_string (facts, "kind", "run");
  SOL_GO (add_status (path, facts));
  SOL_GO (add_newest (path, facts));
  add_checkpoint_names (path, facts);
  SOL_GO (sol_info_best (path, facts));
  SOL_GO (add_metrics (path, facts));
  SOL_GO (sol_info_lags (path, facts));
  if (sol_file_exists (stats)) SOL_GO (add_stats (stats, cJSON_AddObjectToObject (facts, "statistics")));
  if (sol_file_exists (evals)) SOL_GO (sol_info_evals (evals, 0, cJSON_AddObjectToObject (facts, "evaluations")));
  cJSON_AddBoolToObject (facts, "model_exported", holds (path, "model/config.json"));
  SOL_GO (sol_file_read (settings, 1 << 20, &text, &bytes));
  st = add_settings (text, settings, facts);
out:
  sol_free (text);
  sol_free (settings);
  sol_free (stats);
  sol_free (evals);
  return st;
}

sol_status_t sol_info_path (const char *path, cJSON *facts)
{
  sol_info_string (facts, "path", path);
  if (!sol_file_exists (path)) return sol_fail (SOL_ERR_IO, "info", "%s: there is no such file or folder", path);
  if (is_dir (path)) {
    if (holds (path, "settings.yaml")) return run_facts (path, facts);
    if (holds (path, "manifest.json")) return checkpoint_facts (path, facts);
    if (holds (path, "config.json")) return model_facts (path, facts);
  } else if (is_hdf5 (path) && sol_evals_is (path)) {
    sol_info_string (facts, "kind", "evaluations");
    return sol_info_evals (path, 1, facts);
  } else if (is_hdf5 (path)) {
    sol_info_string (facts, "kind", "statistics");
    return add_stats (path, facts);
  }
  return sol_fail (SOL_ERR_FORMAT, "info", "%s: expected a run folder (settings.yaml), a checkpoint (manifest.json), a model folder (config.json), a statistics file or evals.h5 (HDF5), found none of them", path);
}
