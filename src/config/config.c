/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/config.h"
#include "settings_internal.h"
#include "solera/elementary.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <string.h>

#define MAX_BYTES (1 << 20)

static void *field_of (const sol_config_t *config, const sol_setting_t *s) { return (char *) (uintptr_t) config + s->offset; }

static sol_config_t *config_default (void)
{
  int n;
  const sol_setting_t *s = sol_settings (&n);
  sol_config_t *config = sol_alloc (sizeof *config);
  for (int i = 0; i < n; i++) {
    void *field = field_of (config, &s[i]);
    switch (s[i].kind) {
    case SOL_KIND_INT: *(int64_t *) field = s[i].idef; break;
    case SOL_KIND_FLOAT: *(double *) field = s[i].def; break;
    case SOL_KIND_BOOL:
    case SOL_KIND_CHOICE: *(int *) field = (int) s[i].idef; break;
    case SOL_KIND_STRING: *(char **) field = sol_strdup (s[i].sdef); break;
    case SOL_KIND_LIST: *(char ***) field = sol_alloc (sizeof (char *)); break;
    }
  }
  return config;
}

void sol_config_destroy (sol_config_t *config)
{
  int n;
  const sol_setting_t *s = sol_settings (&n);
  if (!config) return;
  for (int i = 0; i < n; i++) {
    if (config->where) sol_free (config->where[i]);
    if (s[i].kind == SOL_KIND_STRING) sol_free (*(char **) field_of (config, &s[i]));
    if (s[i].kind != SOL_KIND_LIST) continue;
    char **list = *(char ***) field_of (config, &s[i]);
    for (char **at = list; at && *at; at++) sol_free (*at);
    sol_free (list);
  }
  sol_free (config->where);
  sol_free (config);
}

const char *sol_config_where (const sol_config_t *config, const sol_setting_t *setting)
{
  int n;
  return config->where ? config->where[setting - sol_settings (&n)] : NULL;
}

/* the checks of other rooms (objectives) come after the loading is over */
static void keep_origins (const sol_loading_t *l)
{
  char text[512];
  l->config->where = sol_alloc (SOL_N_SETTINGS * sizeof *l->config->where);
  for (int i = 0; i < SOL_N_SETTINGS; i++) {
    const sol_origin_t *o = &l->origin[i];
    if (o->line == 0) continue;
    const sol_loading_t at = { .source = o->source, .override = o->line < 0 };
    l->config->where[i] = sol_strdup (sol_loading_where (&at, o->line, text, sizeof text));
  }
}

static sol_status_t set_override (sol_loading_t *l, const char *text)
{
  const char *eq = strchr (text, '=');
  char name[128];
  l->source = text;
  l->override++;
  l->key_line = 0;
  if (!eq || eq == text) return sol_fail (SOL_ERR_USAGE, "config", "command line argument '%.120s': expected key=value", text);
  const size_t n = (size_t) (eq - text);
  memcpy (name, text, n < sizeof name ? n : sizeof name - 1);
  name[n < sizeof name ? n : sizeof name - 1] = 0;
  const sol_setting_t *s = sol_setting_find (name);
  if (s) return sol_yaml_value (l, s, eq + 1, strlen (eq + 1));
  const char *near = sol_setting_nearest (name);
  return sol_fail (SOL_ERR_USAGE, "config", "command line argument '%.120s': unknown setting '%s'%s%s%s", text, name, near ? "; the nearest is '" : "", near ? near : "",
                   near ? "'" : "; solera help settings lists all");
}

static sol_status_t load_file (sol_loading_t *l, const char *path)
{
  char *text = NULL;
  size_t bytes = 0;
  SOL_TRY (sol_file_read (path, MAX_BYTES, &text, &bytes));
  l->source = path;
  const sol_status_t st = sol_yaml_settings (l, text, bytes);
  sol_free (text);
  return st;
}

sol_status_t sol_config_load (const char *path, char *const *overrides, int n_overrides, const char *command, sol_config_t **config_p)
{
  sol_loading_t l = { .config = config_default (), .source = "" };
  sol_status_t st = path ? load_file (&l, path) : SOL_OK;
  for (int i = 0; i < n_overrides && st == SOL_OK; i++) st = set_override (&l, overrides[i]);
  if (st == SOL_OK && command) st = sol_config_check (&l, command);
  if (st != SOL_OK) {
    sol_config_destroy (l.config);
    return st;
  }
  keep_origins (&l);
  *config_p = l.config;
  return SOL_OK;
}

sol_status_t sol_config_parse (const char *yaml, size_t bytes, const char *name, const char *command, sol_config_t **config_p)
{
  sol_loading_t l = { .config = config_default (), .source = name };
  sol_status_t st = bytes > MAX_BYTES ? sol_fail (SOL_ERR_LIMIT, "config", "%s: expected at most %d bytes, found %zu", name, MAX_BYTES, bytes) : sol_yaml_settings (&l, yaml, bytes);
  if (st == SOL_OK && command) st = sol_config_check (&l, command);
  if (st != SOL_OK) {
    sol_config_destroy (l.config);
    return st;
  }
  keep_origins (&l);
  *config_p = l.config;
  return SOL_OK;
}

/* of a list of names, and of groups "x." */
static int is_among (const char *name, const char *const *list)
{
  for (; *list; list++) {
    const size_t n = strlen (*list);
    if ((*list)[n - 1] == '.' ? strncmp (name, *list, n) == 0 : strcmp (name, *list) == 0) return 1;
  }
  return 0;
}

static int64_t leaves (const sol_config_t *c) { return c->leaves > 0 ? c->leaves : c->roles == SOL_ROLES_SOLO ? 1 : c->learners; }

static int may_change (sol_conflict_t kind, const char *name, const sol_config_t *old, const sol_config_t *now)
{
  static const char *const places[] = { "out", "model.path", "task.path", "watchdog_s", "roles", "actors", "brokers", "eval.every", "log.", "checkpoint.", "backend.", NULL },
                    *const replay[] = { "actor.", "broker.", "stats.", "eval.", "train.micro_batch_tokens", NULL },
                    *const reuse[] = { "objective.", "kl.", "entropy.", "lp_check.", "train.", "learner.", "learners", "staleness.", "seed", NULL };
  if (is_among (name, places)) return 1;
  if (kind == SOL_CONFLICT_RESUME) /* the order of gradient sums is the leaves', if they are given */
    return strcmp (name, "train.updates") == 0 || (strcmp (name, "learners") == 0 && old->leaves > 0 && old->leaves == now->leaves);
  if (is_among (name, replay) || (kind == SOL_CONFLICT_REUSE && is_among (name, reuse))) return 1;
  if (strcmp (name, "learners") == 0 || strcmp (name, "learner.leaves") == 0) return leaves (old) == leaves (now);
  return strcmp (name, "train.updates") == 0 && now->decay == SOL_DECAY_CONSTANT;
}

const char *sol_config_resume_conflict (const sol_config_t *old, const sol_config_t *now) { return sol_config_conflict (SOL_CONFLICT_RESUME, old, now); }

const char *sol_config_conflict (sol_conflict_t kind, const sol_config_t *old, const sol_config_t *now)
{
  int n;
  const sol_setting_t *s = sol_settings (&n);
  const char *conflict = NULL;
  sol_buffer_t a = { 0 }, b = { 0 };
  for (int i = 0; i < n && !conflict; i++) {
    if (may_change (kind, s[i].name, old, now)) continue;
    sol_buffer_clear (&a);
    sol_buffer_clear (&b);
    sol_config_value (old, &s[i], &a);
    sol_config_value (now, &s[i], &b);
    if (a.bytes != b.bytes || (a.bytes && memcmp (a.data, b.data, a.bytes) != 0)) conflict = s[i].name;
  }
  sol_buffer_free (&a);
  sol_buffer_free (&b);
  return conflict;
}

double sol_config_lr (const sol_config_t *config, int64_t update)
{
  if (update < config->warmup) return config->lr * (double) (update + 1) / (double) config->warmup;
  if (config->decay == SOL_DECAY_CONSTANT) return config->lr;
  const int64_t span = config->updates - 1 - config->warmup; /* the last update has lr_end */
  double p = span > 0 ? (double) (update - config->warmup) / (double) span : 1;
  if (p > 1) p = 1;
  const double left = config->decay == SOL_DECAY_LINEAR ? 1 - p : 0.5 * (1 + sol_cos_turns (0.5 * p));
  return config->lr * (config->lr_end + (1 - config->lr_end) * left);
}
