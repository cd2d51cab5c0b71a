/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM "eval"

static int holds (const char *dir, const char *name)
{
  char *path = sol_path_join (dir, name);
  const int yes = sol_file_exists (path);
  sol_free (path);
  return yes;
}

static sol_status_t keep (char place[PATH_MAX], const char *path)
{
  if (strlen (path) >= PATH_MAX) return sol_fail (SOL_ERR_LIMIT, ROOM, "%.80s...: a path of more than %d bytes", path, PATH_MAX - 1);
  strcpy (place, path);
  return SOL_OK;
}

/* The folder that the run began with has the tokenizer and sizes; where it is gone, the final model that the run left. */
static sol_status_t find_folder (const char *settings, sol_evaluate_model_t *m)
{
  sol_config_t *c = NULL;
  char *left = m->run[0] ? sol_path_join (m->run, "model") : NULL;
  sol_status_t st;
  SOL_GO (sol_config_parse (settings, strlen (settings), m->checkpoint, NULL, &c));
  if (!c->model_path[0]) goto out; /* a new model: its settings say all */
  if (holds (c->model_path, "config.json")) st = keep (m->folder, c->model_path);
  else if (left && holds (left, "config.json")) st = keep (m->folder, left);
  else st = sol_fail (SOL_ERR_IO, ROOM, "%s: config.json and tokenizer of its model: expected them in model.path, %s%s%s, and found none", m->checkpoint, c->model_path, left ? ", or in " : "", left ? left : "");
out:
  sol_config_destroy (c);
  sol_free (left);
  return st;
}

static sol_status_t take_checkpoint (const char *dir, const sol_checkpoint_t *info, const char *settings, sol_evaluate_model_t *m)
{
  m->version = info->update;
  m->elements = info->elements;
  SOL_TRY (keep (m->checkpoint, dir));
  if (!settings) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: a checkpoint without settings: its model is not known", dir);
  return find_folder (settings, m);
}

static sol_status_t of_run (const char *path, int best, sol_evaluate_model_t *m)
{
  sol_checkpoint_t info = { 0 };
  char *dir = NULL, *settings = NULL, name[48];
  int64_t update = -1;
  sol_status_t st;
  SOL_GO (keep (m->run, path));
  if (best) {
    SOL_GO (sol_checkpoint_best (path, &update));
    if (update < 0) { st = sol_fail (SOL_ERR_USAGE, ROOM, "--best: %s names no best checkpoint (checkpoint.best)", path); goto out; }
    snprintf (name, sizeof name, "checkpoints/u%08" PRId64, update);
    dir = sol_path_join (path, name);
    SOL_GO (sol_checkpoint_open (dir, &info, &settings));
  } else {
    st = sol_checkpoint_find (path, NULL, &info, &dir, &settings);
    if (st == SOL_END) st = sol_fail (SOL_ERR_IO, ROOM, "%s: the run has no checkpoint", path);
    if (st != SOL_OK) goto out;
  }
  st = take_checkpoint (dir, &info, settings, m);
out:
  sol_free (dir);
  sol_free (settings);
  return st;
}

/* RUN/checkpoints/u00000320 is of RUN */
static sol_status_t of_checkpoint (const char *path, sol_evaluate_model_t *m)
{
  sol_checkpoint_t info = { 0 };
  char *settings = NULL, run[PATH_MAX];
  if (realpath (path, run)) {
    for (int up = 0; up < 2; up++) {
      char *slash = strrchr (run, '/');
      if (slash) *slash = 0;
    }
    if (*run && holds (run, "settings.yaml") && holds (run, "checkpoints")) SOL_TRY (keep (m->run, run));
  }
  SOL_TRY (sol_checkpoint_open (path, &info, &settings));
  const sol_status_t st = take_checkpoint (path, &info, settings, m);
  sol_free (settings);
  return st;
}

sol_status_t sol_evaluate_find (const char *path, int best, sol_evaluate_model_t *model_p)
{
  sol_evaluate_model_t *m = model_p;
  *m = (sol_evaluate_model_t) { .version = -1 };
  if (holds (path, "settings.yaml") && holds (path, "checkpoints")) return of_run (path, best, m);
  if (best) return sol_fail (SOL_ERR_USAGE, ROOM, "--best: %s is no run's folder (settings.yaml, checkpoints): only a run has a best checkpoint", path);
  if (holds (path, "manifest.json")) return of_checkpoint (path, m);
  if (holds (path, "config.json")) return keep (m->folder, path);
  return sol_fail (SOL_ERR_IO, ROOM, "%s: expected a model folder (config.json), a run's folder with checkpoints (settings.yaml, checkpoints) or a checkpoint (manifest.json), found %s", path,
                   sol_file_exists (path) ? "none of them" : "nothing there");
}

static sol_status_t run_settings (const sol_evaluate_model_t *m, sol_config_t **config_p)
{
  sol_checkpoint_t info = { 0 };
  char *settings = NULL;
  SOL_TRY (sol_checkpoint_open (m->checkpoint, &info, &settings));
  const sol_status_t st = sol_config_parse (settings ? settings : "", settings ? strlen (settings) : 0, m->checkpoint, NULL, config_p);
  sol_free (settings);
  return st;
}

sol_config_t *sol_evaluate_trained (const sol_evaluate_model_t *m)
{
  char run[PATH_MAX], *path = NULL, *text = NULL, *slash;
  sol_config_t *c = NULL;
  size_t bytes;
  if (m->checkpoint[0]) return run_settings (m, &c) == SOL_OK ? c : NULL;
  if (!realpath (m->folder, run) || !(slash = strrchr (run, '/')) || strcmp (slash, "/model")) return NULL; /* RUN/model, which the run leaves */
  *slash = 0;
  if (!*run || !holds (run, "settings.yaml") || !holds (run, "checkpoints")) return NULL;
  path = sol_path_join (run, "settings.yaml");
  if (sol_file_read (path, 0, &text, &bytes) != SOL_OK || sol_config_parse (text, bytes, path, NULL, &c) != SOL_OK) c = NULL;
  sol_free (text);
  sol_free (path);
  return c;
}

sol_status_t sol_evaluate_setup (const sol_evaluate_model_t *m, const sol_config_t *config, sol_setup_t *setup, sol_config_t **run_config_p)
{
  sol_status_t st = SOL_OK;
  if (m->folder[0]) {
    sol_config_t plain = *config; /* only its numbers are looked at here */
    plain.kl_reference = SOL_KL_BEHAVIOUR; /* a run's frozen reference is not asked for, and need not be there */
    SOL_TRY (sol_setup_create (&plain, m->folder, 0, setup));
  } else {
    SOL_TRY (run_settings (m, run_config_p));
    (*run_config_p)->kl_reference = SOL_KL_BEHAVIOUR;
    SOL_TRY (sol_setup_create (*run_config_p, NULL, 1, setup)); /* the task gives the sizes that the new model had */
  }
  if (m->checkpoint[0]) setup->checkpoint = m->checkpoint;
  if (m->checkpoint[0] && m->elements != setup->table->elements)
    st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: expected %" PRId64 " weights as %s has, found %" PRId64, m->checkpoint, setup->table->elements, m->folder[0] ? m->folder : "the run's model", m->elements);
  if (st == SOL_OK && sol_task_needs_tokenizer (config)) {
    if (m->folder[0]) st = sol_tokenizer_load (m->folder, &setup->tokenizer);
    else st = sol_fail (SOL_ERR_USAGE, ROOM, "%s: a model without a tokenizer cannot be asked in words (task.name or --data)", m->checkpoint);
  }
  return st;
}
