/* SPDX-License-Identifier: Apache-2.0 */
/* task_internal.h: a task has one of two natures: chain, whose tokens are its own (task_chain.c), and text (task_text.c), where prompts and responses pass through a tokenizer. */
#ifndef SOL_TASK_INTERNAL_H
#define SOL_TASK_INTERNAL_H
#include "solera/chat.h"
#include "solera/dataset.h"
#include "solera/external.h"
#include "solera/grader.h"
#include "solera/task.h"

/* a file of task.path */
typedef struct {
  const char *path; /* the configuration's */
  char *name;
  sol_dataset_t *data;
  uint64_t first;            /* number of its first problem among those of all sets */
  uint64_t train_at, n_train; /* its part of row[SOL_SPLIT_TRAIN] */
  uint64_t n_long;            /* prompts that task.long_prompts left out */
} sol_set_t;

struct sol_task {
  const sol_config_t *c;
  const sol_tokenizer_t *tokenizer; /* text */
  sol_chat_t *chat;                 /* NULL: raw prompts */
  sol_set_t *set;                   /* [n_sets] jsonl, else NULL */
  int n_sets;
  uint32_t *count;                  /* [n_sets] places of each in SOL_MIX_BLOCK indices of the training split; NULL: no weights, all are one */
  struct pcre2_real_code_8 *format; /* task.format; NULL: none given */
  sol_grader_t *grader;             /* jsonl: compares answers; takes a lock */
  sol_external_t *external;         /* jsonl, task.verifier: command: grades instead; takes a lock */
  uint64_t n_rows;                  /* questions that can be listed; 0: chain */
  uint32_t *row[3];                 /* [SOL_SPLIT_TRAIN | SOL_SPLIT_HELDOUT | SOL_SPLIT_ALL]: their row numbers, rising; without those that are too long (task.long_prompts) */
  uint64_t n_split[3];
  char *const *stop;                /* [n_stop] ends a response; the configuration's or a constant */
  size_t *stop_bytes;
  int n_stop;
};

/* is the question of this identity held out of training? A function of (seed, id) only. */
int sol_task_held_out (const sol_task_t *task, uint64_t id);

/* data sets of a jsonl task, from task.path */
#define SOL_MIX_BLOCK 1024
sol_status_t sol_sets_open (sol_task_t *task);
void sol_sets_close (sol_task_t *task);
/* logs problems that stand in two files, with different answers, or on both sides of the held-out split */
void sol_sets_say_same (const sol_task_t *task);
int sol_sets_of (const sol_task_t *task, uint64_t row);
const sol_problem_t *sol_sets_row (const sol_task_t *task, uint64_t row);
/* count, from task.weights; after row, train_at and n_train are there */
sol_status_t sol_sets_weigh (sol_task_t *task);
/* place in row[SOL_SPLIT_TRAIN] of prompt `index` when sets have weights: in every SOL_MIX_BLOCK indices each set has exactly its share, and it goes through its questions epoch by epoch */
uint64_t sol_sets_pick (const sol_task_t *task, uint64_t index);
/* SOL_MIX_BLOCK in the shares of weight[n], by largest remainder, the earlier set first */
void sol_mix_counts (const double *weight, int n, uint32_t *count);
/* which set stands at an index, and (position) how many of its places stand before it in earlier blocks, plus its rank in this one: all positions 0, 1, 2, ... once */
int sol_mix_place (uint64_t seed, const uint32_t *count, uint64_t index, uint64_t *position);

/* task.format, a pattern of the whole response. SOL_ERR_USAGE: it is none */
sol_status_t sol_format_open (sol_task_t *task);
void sol_format_close (sol_task_t *task);
int sol_format_matches (const sol_task_t *task, const char *text, size_t bytes);

/* chain */
sol_status_t sol_chain_prompt (const sol_task_t *task, int split, uint64_t index, sol_prompt_t *prompt);
void sol_chain_grade (const sol_prompt_t *prompt, const int32_t *ids, int32_t n, sol_grade_t *grade);
/* appends the digit that grading looks at; 0: there is none */
int sol_chain_extract (const int32_t *ids, int32_t n, sol_buffer_t *answer);
void sol_chain_demo (const sol_task_t *task, uint64_t index, double noise, const sol_prompt_t *prompt, sol_ids_t *response);
void sol_chain_text (const int32_t *ids, int32_t n, sol_buffer_t *out);

/* text */
sol_status_t sol_text_create (sol_task_t *task, const char *model_folder);
sol_status_t sol_text_prompt (const sol_task_t *task, int split, uint64_t index, sol_prompt_t *prompt);
/* number of the question that stands at an index of a split (any rank asks for any) */
uint64_t sol_text_row (const sol_task_t *task, int split, uint64_t index);
const char *sol_text_row_id (const sol_task_t *task, int split, uint64_t index);
const char *sol_text_extract (const sol_task_t *task, const int32_t *ids, int32_t n, int finish, sol_buffer_t *text, sol_buffer_t *answer);
void sol_text_grade (const sol_task_t *task, const sol_prompt_t *prompt, const int32_t *ids, int32_t n, int finish, sol_grade_t *grade);
/* the response as text up to its first stop, appended to out, which is zero-terminated and has no zero byte before */
void sol_text_response (const sol_task_t *task, const int32_t *ids, int32_t n, sol_buffer_t *out);
/* correct, given, stopped, restarts and format of responses, by the program of task.verifier_command */
sol_status_t sol_command_grade (const sol_task_t *task, const sol_prompt_t *prompt, const sol_task_response_t *responses, int32_t n, sol_grade_t *grades);
sol_status_t sol_text_demo (const sol_task_t *task, const sol_prompt_t *prompt, sol_ids_t *response);
#endif
