/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate.h"
#include "solera/dataset.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ROOM "eval"

/* ---- which */

static sol_status_t not_found (const sol_evaluate_options_t *o, const char *name)
{
  sol_buffer_t where = { 0 };
  const sol_preset_t *p = o->preset ? sol_preset_find (o->preset) : NULL;
  const sol_benchmark_t *known = NULL;
  for (int i = 0; p && i < p->n_benchmarks; i++)
    if (!strcmp (p->benchmark[i].name, name)) known = &p->benchmark[i];
  if (strchr (name, '/') || strstr (name, ".jsonl")) sol_buffer_printf (&where, "there is no such file");
  else sol_benchmark_where (&where);
  if (known) sol_buffer_printf (&where, "; make it from %s by jobs/data/convert.py DOWNLOAD --problem %s --answer %s >FOLDER/%s.jsonl and name FOLDER in SOLERA_DATA, or leave it out with --skip-missing", known->from, known->problem, known->answer, name);
  sol_fail (SOL_ERR_USAGE, ROOM, "no data set %s: %s", name, where.data);
  sol_buffer_free (&where);
  return SOL_ERR_USAGE;
}

/* name [bytes]; place: its row in a list of n, where no other may have its name */
static sol_status_t add_set (const sol_evaluate_options_t *o, const char *name, size_t bytes, sol_evaluate_set_t *set, int n)
{
  sol_evaluate_set_t *s = &set[n];
  char *path = NULL, *text = sol_alloc (bytes + 1);
  sol_buffer_t label = { 0 };
  sol_status_t st;
  memcpy (text, name, bytes);
  if (!bytes) { st = sol_fail (SOL_ERR_USAGE, ROOM, "--data: an empty name in '%s': expected NAME[,NAME...]", o->data); goto out; }
  st = sol_benchmark_find (text, &path);
  s->missing = st == SOL_END;
  if (s->missing && !o->skip_missing) { st = not_found (o, text); goto out; }
  sol_dataset_name (text, &label);
  if (label.bytes >= sizeof s->name || (path && strlen (path) >= sizeof s->path)) { st = sol_fail (SOL_ERR_LIMIT, ROOM, "--data: %.80s...: a name of more than %zu bytes, or its path of more than %zu", text, sizeof s->name - 1, sizeof s->path - 1); goto out; }
  memcpy (s->name, label.data, label.bytes);
  if (path) strcpy (s->path, path);
  st = SOL_OK;
  for (int i = 0; i < n && st == SOL_OK; i++)
    if (!strcmp (set[i].name, s->name)) st = sol_fail (SOL_ERR_USAGE, ROOM, "--data: two data sets are named %s: %s and %s", s->name, set[i].path, s->path);
out:
  sol_buffer_free (&label);
  sol_free (path);
  sol_free (text);
  return st;
}

static int64_t samples_of (const sol_preset_t *p, const char *name)
{
  for (int i = 0; p && i < p->n_benchmarks; i++)
    if (!strcmp (p->benchmark[i].name, name)) return p->benchmark[i].samples;
  return 0;
}

/* a set that the preset does not know has its own number of responses, from the settings */
static sol_status_t named_sets (const sol_evaluate_options_t *o, const sol_preset_t *p, sol_evaluate_set_t *set, int *n_p)
{
  int n = 0;
  for (const char *at = o->data, *end; at; at = *end ? end + 1 : NULL, n++) {
    end = at + strcspn (at, ",");
    SOL_TRY (add_set (o, at, (size_t) (end - at), set, n));
    set[n].samples = samples_of (p, set[n].name);
  }
  *n_p = n;
  return SOL_OK;
}

static sol_status_t preset_sets (const sol_evaluate_options_t *o, const sol_preset_t *p, sol_evaluate_set_t *set, int *n_p)
{
  for (int i = 0; i < p->n_benchmarks; i++) {
    SOL_TRY (add_set (o, p->benchmark[i].name, strlen (p->benchmark[i].name), set, i));
    set[i].samples = p->benchmark[i].samples;
  }
  *n_p = p->n_benchmarks;
  return SOL_OK;
}

static sol_status_t check_preset (const sol_evaluate_options_t *o, const sol_preset_t **preset_p)
{
  sol_buffer_t names = { 0 };
  *preset_p = o->preset ? sol_preset_find (o->preset) : NULL;
  if (!o->preset || *preset_p) return SOL_OK;
  sol_preset_names (&names);
  sol_fail (SOL_ERR_USAGE, ROOM, "--preset: no protocol is named '%s'; there are: %s", o->preset, names.data);
  sol_buffer_free (&names);
  return SOL_ERR_USAGE;
}

sol_status_t sol_evaluate_sets (const sol_evaluate_options_t *o, sol_evaluate_set_t **sets_p, int *n_p)
{
  const sol_preset_t *p;
  size_t most = 1;
  int n = 1, there = 0;
  SOL_TRY (check_preset (o, &p));
  for (const char *at = o->data; at && *at; at++) most += *at == ',';
  if (p && (size_t) p->n_benchmarks > most) most = (size_t) p->n_benchmarks;
  sol_evaluate_set_t *set = sol_alloc (most * sizeof *set);
  sol_status_t st = o->data ? named_sets (o, p, set, &n) : p ? preset_sets (o, p, set, &n) : SOL_OK;
  for (int i = 0; st == SOL_OK && i < n; i++) there += !set[i].missing;
  if (st == SOL_OK && !there) {
    sol_buffer_t where = { 0 };
    sol_benchmark_where (&where);
    st = sol_fail (SOL_ERR_USAGE, ROOM, "none of the data sets is there: %s", where.data);
    sol_buffer_free (&where);
  }
  if (st != SOL_OK) {
    sol_free (set);
    return st;
  }
  *sets_p = set;
  *n_p = n;
  return SOL_OK;
}

/* ---- their settings */

typedef struct { char **text; int n; } list_t;

__attribute__ ((format (printf, 2, 3))) static void add (list_t *l, const char *fmt, ...)
{
  va_list ap;
  va_start (ap, fmt);
  const int n = vsnprintf (NULL, 0, fmt, ap);
  va_end (ap);
  l->text = sol_realloc (l->text, ((size_t) l->n + 1) * sizeof *l->text);
  l->text[l->n] = sol_alloc ((size_t) n + 1);
  va_start (ap, fmt);
  vsnprintf (l->text[l->n++], (size_t) n + 1, fmt, ap);
  va_end (ap);
}

static void free_list (list_t *l)
{
  for (int i = 0; i < l->n; i++) sol_free (l->text[i]);
  sol_free (l->text);
}

/* a path as YAML's single-quoted scalar */
static void add_path (list_t *l, const char *path)
{
  sol_buffer_t b = { 0 };
  for (; *path; path++) sol_buffer_add (&b, *path == '\'' ? "''" : path, *path == '\'' ? 2 : 1);
  add (l, "task.path='%s'", b.data);
  sol_buffer_free (&b);
}

/* what --data and --first say must not be said by key=value as well */
static sol_status_t check_given (const sol_evaluate_options_t *o)
{
  static const char *const data[] = { "task.name", "task.path", "task.weights", "task.split", "task.holdout" };
  for (int i = 0; i < o->n_overrides; i++) {
    const size_t n = strcspn (o->overrides[i], "=");
    for (size_t k = 0; (o->data || o->preset) && k < sizeof data / sizeof *data; k++)
      if (n == strlen (data[k]) && !strncmp (o->overrides[i], data[k], n)) return sol_fail (SOL_ERR_USAGE, ROOM, "%s and %s both say what is asked: leave one out", o->overrides[i], o->data ? "--data" : "--preset");
    if (o->first && n == 12 && !strncmp (o->overrides[i], "eval.prompts", n)) return sol_fail (SOL_ERR_USAGE, ROOM, "%s and --first %" PRId64 " both say how many problems: leave one out", o->overrides[i], o->first);
  }
  return SOL_OK;
}

/* in the order in which later ones stand over earlier: the protocol, the command line, what is asked */
static void list_settings (const sol_evaluate_options_t *o, const sol_evaluate_set_t *set, list_t *fixed, list_t *all)
{
  const sol_preset_t *p = o->preset ? sol_preset_find (o->preset) : NULL;
  for (int i = 0; p && i < p->n_settings; i++) add (fixed, "%s", p->setting[i]);
  if (set->samples) add (fixed, "rollout.samples=%" PRId64, set->samples);
  for (int i = 0; i < fixed->n; i++) add (all, "%s", fixed->text[i]);
  if (set->path[0]) add (all, "eval.prompts=10000000"); /* all of them, whatever a job's file says */
  for (int i = 0; i < o->n_overrides; i++) add (all, "%s", o->overrides[i]);
  if (o->first) add (all, "eval.prompts=%" PRId64, o->first);
  if (!set->path[0]) return;
  add (all, "task.name=jsonl");
  add_path (all, set->path);
  add (all, "task.weights=[]");
  add (all, "task.split=file");
  add (all, "task.holdout=0");
}

static sol_status_t check_pass (const sol_evaluate_options_t *o, const sol_evaluate_set_t *set, const sol_config_t *c)
{
  if (o->pass <= c->n_samples) return SOL_OK;
  return sol_fail (SOL_ERR_USAGE, ROOM, "--pass: expected at most the %" PRId64 " responses to a problem%s%s (rollout.samples), found %" PRId64, c->n_samples, set->name[0] ? " of " : "", set->name, o->pass);
}

/* the command line may say what the protocol says, and nothing else of it */
static sol_status_t check_fixed (const sol_evaluate_options_t *o, const list_t *fixed, const sol_config_t *c)
{
  sol_config_t *want = NULL;
  sol_buffer_t a = { 0 }, b = { 0 };
  sol_status_t st = SOL_OK;
  if (fixed->n) st = sol_config_load (NULL, fixed->text, fixed->n, NULL, &want);
  for (int i = 0; i < fixed->n && st == SOL_OK; i++) {
    fixed->text[i][strcspn (fixed->text[i], "=")] = 0;
    const sol_setting_t *s = sol_setting_find (fixed->text[i]);
    SOL_ASSERT (s);
    sol_buffer_clear (&a);
    sol_buffer_clear (&b);
    sol_config_value (want, s, &a);
    sol_config_value (c, s, &b);
    if (a.bytes != b.bytes || (a.bytes && memcmp (a.data, b.data, a.bytes)))
      st = sol_fail (SOL_ERR_USAGE, ROOM, "%s is %s on the command line, but --preset %s has %s: leave one out", s->name, b.bytes ? b.data : "empty", o->preset, a.bytes ? a.data : "nothing");
  }
  sol_config_destroy (want);
  sol_buffer_free (&a);
  sol_buffer_free (&b);
  return st;
}

sol_status_t sol_evaluate_config (const sol_evaluate_options_t *o, sol_comm_t *world, const char *file, const sol_evaluate_set_t *set, sol_config_t **config_p)
{
  list_t fixed = { 0 }, all = { 0 };
  sol_config_t *c = NULL;
  sol_status_t st;
  list_settings (o, set, &fixed, &all);
  st = sol_comm_rank (world) == 0 ? check_given (o) : SOL_OK;
  SOL_GO (sol_comm_agree (world, st));
  SOL_GO (sol_setup_config (world, file, all.text, all.n, "eval", &c));
  st = sol_comm_rank (world) == 0 ? check_fixed (o, &fixed, c) : SOL_OK;
  if (st == SOL_OK && sol_comm_rank (world) == 0) st = check_pass (o, set, c);
  st = sol_comm_agree (world, st);
  if (st == SOL_OK) *config_p = c;
  else sol_config_destroy (c);
out:
  free_list (&fixed);
  free_list (&all);
  return st;
}
