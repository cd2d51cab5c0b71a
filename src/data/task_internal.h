/* SPDX-License-Identifier: Apache-2.0 */
/* task_internal.h: a task has one of two natures: chain, whose tokens are its own (task_chain.c), and text (task_text.c), where prompts and responses pass through a tokenizer. */
#ifndef SOL_TASK_INTERNAL_H
#define SOL_TASK_INTERNAL_H
#include "solera/chat.h"
#include "solera/dataset.h"
#include "solera/grader.h"
#include "solera/task.h"

struct sol_task {
  const sol_config_t *c;
  const sol_tokenizer_t *tokenizer; /* text */
  sol_chat_t *chat;                 /* NULL: raw prompts */
  sol_dataset_t *data;              /* jsonl */
  sol_grader_t *grader;             /* jsonl: compares answers; takes a lock */
  uint64_t n_rows;                  /* questions that can be listed; 0: chain */
  uint32_t *row[2];                 /* [SOL_SPLIT_TRAIN | SOL_SPLIT_HELDOUT]: their row numbers */
  uint64_t n_split[2];
  char *const *stop;                /* [n_stop] ends a response; the configuration's or a constant */
  size_t *stop_bytes;
  int n_stop;
};

/* is the question of this identity held out of training? A function of (seed, id) only. */
int sol_task_held_out (const sol_task_t *task, uint64_t id);

/* chain */
sol_status_t sol_chain_prompt (const sol_task_t *task, int split, uint64_t index, sol_prompt_t *prompt);
void sol_chain_grade (const sol_prompt_t *prompt, const int32_t *ids, int32_t n, sol_grade_t *grade);
void sol_chain_demo (const sol_task_t *task, uint64_t index, double noise, const sol_prompt_t *prompt, sol_ids_t *response);
void sol_chain_text (const int32_t *ids, int32_t n, sol_buffer_t *out);

/* text */
sol_status_t sol_text_create (sol_task_t *task, const char *model_folder);
sol_status_t sol_text_prompt (const sol_task_t *task, int split, uint64_t index, sol_prompt_t *prompt);
/* line of task.path that question `index` of the split stands in; 0: none */
int64_t sol_text_line (const sol_task_t *task, int split, uint64_t index);
void sol_text_grade (const sol_task_t *task, const sol_prompt_t *prompt, const int32_t *ids, int32_t n, int finish, sol_grade_t *grade);
sol_status_t sol_text_demo (const sol_task_t *task, const sol_prompt_t *prompt, sol_ids_t *response);
#endif
