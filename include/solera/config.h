/* SPDX-License-Identifier: Apache-2.0 */
/* config.h: the settings of one run: a plain struct made from the table in settings.h, constant after load. */
#ifndef SOL_CONFIG_H
#define SOL_CONFIG_H
#include "solera/buffer.h"
#include "solera/settings.h"
#include "solera/status.h"
#include <stddef.h>
#include <stdint.h>

typedef struct {
#define I_(f, ...) int64_t f;
#define F_(f, ...) double f;
#define B_(f, ...) int f;
#define S_(f, ...) char *f;
#define L_(f, ...) char **f;
  SOL_SETTINGS (I_, F_, B_, S_, L_, B_)
#undef I_
#undef F_
#undef B_
#undef S_
#undef L_
  char **where; /* [settings] see sol_config_where; NULL: made by hand */
} sol_config_t;

/* a row of the table, for help, parsing and files */
typedef enum { SOL_KIND_INT, SOL_KIND_FLOAT, SOL_KIND_BOOL, SOL_KIND_STRING, SOL_KIND_LIST, SOL_KIND_CHOICE } sol_setting_kind_t;
typedef struct {
  const char *name;
  sol_setting_kind_t kind;
  size_t offset; /* of its field in sol_config_t */
  double def, min, max;
  int64_t idef, imin, imax;
  const char *sdef, *choices, *unit, *groups, *doc;
} sol_setting_t;
const sol_setting_t *sol_settings (int *n_p);
/* exact name, or NULL */
const sol_setting_t *sol_setting_find (const char *name);
/* appends the text of a setting's index-th choice */
void sol_setting_choice (const sol_setting_t *s, int64_t index, sol_buffer_t *out);
/* the known name nearest to text (edit distance), or NULL when none is near */
const char *sol_setting_nearest (const char *text);
/* changes of one byte, or swaps of two neighbours, that lead from a to b: for "the nearest is" of names and options */
int sol_edit_distance (const char *a, const char *b);

/* Defaults, then the YAML file (path NULL: none), then overrides "key=value" in order (a value is parsed as a YAML scalar or flow sequence), then
 * cross-checks (check NULL: none; else the command: "train", "sft", ...). Errors name file, line and key, what was expected and what was found.
 * Sets *config_p to a new config, sol_config_destroy. Not collective: rank 0 loads and ships text, see sol_config_text. */
sol_status_t sol_config_load (const char *path, char *const *overrides, int n_overrides, const char *command, sol_config_t **config_p);
void sol_config_destroy (sol_config_t *config);
/* the resolved settings as YAML that sol_config_parse reads back to the same values: settings.yaml of a run's folder */
void sol_config_text (const sol_config_t *config, sol_buffer_t *out);
sol_status_t sol_config_parse (const char *yaml, size_t bytes, const char *name, const char *command, sol_config_t **config_p);
/* first setting that differs and may not change on --resume (may change: updates, out, model.path and task.path (folders move), watchdog_s, log.*, checkpoint.*, roles,
 * actors, brokers, learners when leaves is set, backend.*); NULL when there is none */
const char *sol_config_resume_conflict (const sol_config_t *old, const sol_config_t *now);
/* The same for a run that is made from another one's record. Replay: what changes no result may differ: those above but train.updates (which may with a constant learning rate), actor.*, broker.*, stats.*,
 * eval.*, train.micro_batch_tokens; of learners and learner.leaves the number of leaves counts. Reuse: also objective.*, kl.*, entropy.*, lp_check.*, train.*, learner.*, learners, staleness.*, seed. */
typedef enum { SOL_CONFLICT_RESUME, SOL_CONFLICT_REPLAY, SOL_CONFLICT_REUSE } sol_conflict_t;
const char *sol_config_conflict (sol_conflict_t kind, const sol_config_t *old, const sol_config_t *now);
/* where it was set: "jobs/a.yaml:12" or "command line argument 'x=1'"; NULL: it has its default */
const char *sol_config_where (const sol_config_t *config, const sol_setting_t *setting);
/* one setting's value as text ("0.04", "exact", "auto") */
void sol_config_value (const sol_config_t *config, const sol_setting_t *setting, sol_buffer_t *out);
/* a number above 0 and finite as a text of a list; 0 on success */
int sol_config_positive (const char *text, double *value);
/* learning rate at an update (0 is the first): rises to train.lr over the warm-up, then decays so that the last update has lr_end. The same bits on every CPU. */
double sol_config_lr (const sol_config_t *config, int64_t update);
#endif
