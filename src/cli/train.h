/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOL_TRAIN_H
#define SOL_TRAIN_H
#include "solera/command.h"
extern const sol_command_t sol_command_train, sol_command_sft;

typedef struct {
  const char *path;        /* YAML file, or NULL */
  char *const *overrides;  /* key=value */
  int n_overrides, resume, force;
  const char *role;        /* --role, or NULL */
  const char *replay, *reuse; /* folders of --replay and --reuse-rollouts, or NULL */
} sol_train_options_t;
/* collective over the world; returns the exit code */
int sol_train (const sol_train_options_t *options);
int sol_sft (const sol_train_options_t *options);
#endif
