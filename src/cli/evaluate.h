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
  int64_t first, pass;       /* 0: not given */
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
/* settings of the run that made the weights, as far as a checkpoint, or the folder of a run around MODEL, tells; NULL: not known. sol_config_destroy */
sol_config_t *sol_evaluate_trained (const sol_evaluate_model_t *m);
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
  uint64_t weights;           /* their digest, as solera info prints it */
  int n;
  const sol_evaluate_set_t *set;
  sol_config_t *const *config; /* [n], NULL where the set is missing */
} sol_evaluate_origin_t;
/* may it be made or gone on with, as far as names tell? A folder that is not empty needs resume or force. */
sol_status_t sol_evaluate_may (const char *out, const sol_evaluate_options_t *o);
/* makes the folder or goes on with it: refuses, with resume, what is of another evaluation */
sol_status_t sol_evaluate_folder (const char *out, const sol_evaluate_origin_t *origin);

/* ---- output, rank 0; all to standard output */
typedef struct { const sol_evaluate_options_t *o; const sol_evaluate_set_t *set; int n, rows, left_out; double avg, pass; const char *model; int64_t version; } sol_evaluate_table_t;
/* row: of it only the conditions count */
sol_status_t sol_evaluate_print_head (const sol_evaluate_table_t *t, const sol_evals_row_t *row);
sol_status_t sol_evaluate_print (sol_evaluate_table_t *t, const sol_evals_row_t *row, const sol_evals_problem_t *problem);
sol_status_t sol_evaluate_print_missing (sol_evaluate_table_t *t, const sol_evaluate_set_t *set);
sol_status_t sol_evaluate_print_mean (sol_evaluate_table_t *t);

/* ---- all together (evaluate.c), and one data set (evaluate_ask.c) */
typedef struct {
  const sol_evaluate_options_t *o;
  sol_comm_t *world;
  int rank, n_sets;
  sol_evaluate_model_t from;
  sol_evaluate_set_t *set;
  sol_config_t **config, *run_config; /* config [n_sets], NULL where missing */
  sol_setup_t setup;
  sol_backend_t *backend;
  sol_model_t *model;
  const char *out;                    /* NULL: no folder */
  uint64_t weights;                   /* digest; rank 0 */
  sol_evaluate_table_t table;
} sol_evaluate_run_t;
/* rank 0, before anything is asked or written: the data set is well-formed and its prompts fit */
sol_status_t sol_evaluate_check (sol_evaluate_run_t *r, int set);
/* Collective: asks the problems of a data set that are not answered yet, writes and prints what came of it. SOL_STOPPED: a signal came; what is done is kept. */
sol_status_t sol_evaluate_ask (sol_evaluate_run_t *r, int set);
/* of a row what is known beforehand */
sol_evals_row_t sol_evaluate_conditions (const sol_evaluate_run_t *r, const sol_config_t *config);
#endif
