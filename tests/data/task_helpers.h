/* SPDX-License-Identifier: Apache-2.0 */
/* task_helpers.h: tasks of the tiny tokenizer, from lines of settings. main sets tokenizer and folder. */
#ifndef TEST_DATA_TASK_HELPERS_H
#define TEST_DATA_TASK_HELPERS_H
#include "../text/helpers.h"
#include "solera/task.h"

static sol_tokenizer_t *tokenizer;
static char *folder;

static inline sol_config_t *configure (const char *text)
{
  sol_config_t *c = NULL;
  need (sol_config_parse (text, strlen (text), "test", NULL, &c) == SOL_OK);
  return c;
}
static inline sol_task_t *make (const sol_config_t *c)
{
  sol_task_t *t = NULL;
  return sol_task_create (c, tokenizer, folder, &t) == SOL_OK ? t : NULL;
}
static inline int creates (const char *text)
{
  sol_config_t *c = configure (text);
  sol_task_t *t = make (c);
  sol_task_destroy (t);
  sol_config_destroy (c);
  return t != NULL;
}

/* files a.jsonl, b.jsonl, c.jsonl of 40, 7 and 300 problems; b's first stands in a too, with another answer */
static inline void write_sets (char *path[3])
{
  static const int size[] = { 40, 7, 300 };
  for (int j = 0; j < 3; j++) {
    char name[] = "a.jsonl";
    sol_buffer_t rows = { 0 };
    name[0] = (char) ('a' + j);
    path[j] = scratch_path (name);
    for (int i = 0; i < size[j]; i++) sol_buffer_printf (&rows, "{\"problem\":\"%c%d%s\",\"answer\":\"%d\"}\n", j == 1 && i == 0 ? 'a' : 'a' + j, i, j == 2 && i % 3 == 0 ? " at length" : "", j);
    need (sol_file_write (path[j], rows.data, rows.bytes) == SOL_OK);
    sol_buffer_free (&rows);
  }
}

static inline sol_config_t *configure_sets (char *const path[3], const char *more)
{
  sol_buffer_t text = { 0 };
  sol_buffer_printf (&text, "seed: 6\ntask: {name: jsonl, path: [%s, %s, %s]%s}\n", path[0], path[1], path[2], more);
  sol_config_t *c = configure (text.data);
  sol_buffer_free (&text);
  return c;
}
#endif
