/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOL_GENERATE_H
#define SOL_GENERATE_H
#include "solera/config.h"
#include <stdio.h>
/* JSON lines {"prompt"} or {"problem"} -> {"responses": [...]}; exit code: 0, 1 when a row was bad or work failed, 2 for wrong use */
int sol_generate (const char *model_dir, const sol_config_t *config, FILE *in, FILE *out);
/* {"ids": [...]} -> {"logprobs": [...], "entropies": [...]} */
int sol_score (const char *model_dir, const sol_config_t *config, FILE *in, FILE *out);
#endif
