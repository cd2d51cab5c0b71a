/* SPDX-License-Identifier: Apache-2.0 */
/* evaluate.h: the parts of `solera eval`: the model (evaluate_model.c), the data sets and their settings (evaluate_sets.c), the folder that is continued (evaluate_folder.c), what is printed
 * (evaluate_text.c); evaluate.c puts them together. */
#ifndef SOL_EVALUATE_H
#define SOL_EVALUATE_H
#include "setup.h"
#include "solera/benchmark.h"
#include "solera/evals.h"
#include "solera/responses.h"
#include <limits.h>

typedef struct {
  const char *model, *file; /* file: YAML, NULL: none */
  char *const *overrides;
  int n_overrides;
  const char *data, *preset; /* NULL: not given */
  int64_t first;             /* 0: not given */
  int best, skip_missing, resume, force, json;
} sol_evaluate_options_t;
/* collective; SOL_STOPPED: a signal stopped it */
sol_status_t sol_evaluate (const sol_evaluate_options_t *options, sol_comm_t *world);

/* ---- MODEL: a model folder, a checkpoint, or a run's folder, which gives one of its checkpoints. "" is none. */
typedef struct {
  char folder[PATH_MAX];     /* config.json and tokenizer; none: a model that the run made new */
  char checkpoint[PATH_MAX]; /* weights; none: the folder's */
  char run[PATH_MAX];        /* that it is of */
  int64_t version, elements; /* version -1: not known; elements of a checkpoint */
} sol_evaluate_model_t;
/* not collective: rank 0 finds it and ships it, since a run that goes on changes */
sol_status_t sol_evaluate_find (const char *path, int best, sol_evaluate_model_t *model_p);
/* sizes and tokenizer of it for the settings of one data set. run_config_p: the run's settings where the setup needs them, kept until sol_config_destroy. Local. */
sol_status_t sol_evaluate_setup (const sol_evaluate_model_t *m, const sol_config_t *config, sol_setup_t *setup, sol_config_t **run_config_p);

/* ---- data sets */
typedef struct {
  char name[sizeof ((sol_evals_row_t *) NULL)->data];
  char path[PATH_MAX];  /* "": what the settings ask */
  int64_t samples;      /* of the preset; 0: the settings' */
  int missing;
} sol_evaluate_set_t;
/* rank 0: the sets that --data and --preset ask for; sol_free. Without both one set without a path, whose name comes from its settings. */
sol_status_t sol_evaluate_sets (const sol_evaluate_options_t *o, sol_evaluate_set_t **sets_p, int *n_p);
/* collective: the settings of a set; file: YAML or NULL */
sol_status_t sol_evaluate_config (const sol_evaluate_options_t *o, sol_comm_t *world, const char *file, const sol_evaluate_set_t *set, sol_config_t **config_p);

/* ---- what OUT is of: OUT/evaluation.json; rank 0 */
typedef struct {
  const sol_evaluate_options_t *o;
  const sol_evaluate_model_t *model;
  uint64_t weights;           /* XXH3 of the float32 weights */
  int n;
  const sol_evaluate_set_t *set;
  sol_config_t *const *config; /* [n], NULL where the set is missing */
} sol_evaluate_origin_t;
/* makes the folder or continues it: refuses one that is not empty without resume or force, and with resume another evaluation */
sol_status_t sol_evaluate_folder (const char *out, const sol_evaluate_origin_t *origin);

/* ---- output, rank 0; all to standard output */
typedef struct { const sol_evaluate_options_t *o; const sol_evaluate_set_t *set; int n, rows, left_out; double avg, pass; const char *model; int64_t version; } sol_evaluate_table_t;
/* row: of it only the conditions count */
sol_status_t sol_evaluate_print_head (const sol_evaluate_table_t *t, const sol_evals_row_t *row);
sol_status_t sol_evaluate_print (sol_evaluate_table_t *t, const sol_evals_row_t *row, const sol_evals_problem_t *problem);
sol_status_t sol_evaluate_print_missing (sol_evaluate_table_t *t, const sol_evaluate_set_t *set);
sol_status_t sol_evaluate_print_mean (sol_evaluate_table_t *t);
#endif
