/* SPDX-License-Identifier: Apache-2.0 */
/* what the files of this room share */
#ifndef SOL_SETTINGS_INTERNAL_H
#define SOL_SETTINGS_INTERNAL_H
#include "solera/config.h"

#define ONE_(...) +1
enum { SOL_N_SETTINGS = 0 SOL_SETTINGS (ONE_, ONE_, ONE_, ONE_, ONE_, ONE_) };
#undef ONE_

/* Where each setting's value came from, for errors that name both sides: line 0 default, > 0 line of source, < 0 the -line-th override */
typedef struct { const char *source; int line; } sol_origin_t;

/* a config being filled */
typedef struct {
  sol_config_t *config;
  sol_origin_t origin[SOL_N_SETTINGS];
  const char *source; /* file name, or the override's text */
  int override;       /* 0: a file, else its number on the command line, from 1 */
  int key_line;       /* of the key whose value is being read: errors are told at that line or below */
} sol_loading_t;

int sol_setting_is_section (const char *name);
/* yaml.c: one document of settings (a mapping) */
sol_status_t sol_yaml_settings (sol_loading_t *l, const char *text, size_t bytes);
/* yaml.c: the value of one override */
sol_status_t sol_yaml_value (sol_loading_t *l, const sol_setting_t *s, const char *text, size_t bytes);
/* yaml.c: a document that is one mapping of keys to single values; set is called for each, in order (line: of the key), and may refuse it */
sol_status_t sol_yaml_flat (sol_loading_t *l, const char *text, size_t bytes, sol_status_t (*set) (void *ctx, const sol_loading_t *l, const char *key, const char *value, int line), void *ctx);
/* value.c: sets from a scalar (plain: not quoted); line for the error */
sol_status_t sol_value_scalar (sol_loading_t *l, const sol_setting_t *s, const char *text, int plain, int line);
/* takes the list over */
void sol_value_list (sol_loading_t *l, const sol_setting_t *s, char **list, int line);
/* "file:12" or "command line argument 'x=y'" into buf */
const char *sol_loading_where (const sol_loading_t *l, int line, char *buf, size_t n);
/* check.c */
sol_status_t sol_config_check (const sol_loading_t *l, const char *command);
#endif
