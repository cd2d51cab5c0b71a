/* SPDX-License-Identifier: Apache-2.0 */
/* task.h: what is asked and how it is graded; one interface for the built-in chain (docs/tasks.md), sums and JSON-lines problems.
 * Prompt number `index` is a pure function of (settings, seed, split, index): no state, so any rank may ask for any prompt. With several data
 * sets and task.weights, the training split has each set in exactly its share of every 1024 prompts; without weights, and in the other splits, the sets are as one, each question once an
 * epoch. Whether a question is held out is decided by a hash of its
 * content and the seed, so train and held-out prompts never share a question. A task is constant: const functions may run in several threads. Nothing is collective. */
#ifndef SOL_TASK_H
#define SOL_TASK_H
#include "solera/config.h"
#include "solera/decoder.h" /* sol_finish_t */
#include "solera/tokenizer.h"

typedef struct sol_task sol_task_t;

#define SOL_CHAIN_VOCAB 16 /* 0..9 digits, then + - * = ; # */
#define SOL_CHAIN_EOS 15   /* '#' */

/* one prompt; {0} before first use, its buffers are reused by the next call */
typedef struct {
  uint64_t index;
  int set;             /* number of its data set (task.path); 0 where there is one or none */
  uint64_t row;        /* number of the question among those of all data sets; 0: chain */
  uint64_t id;         /* identity of the question: equal content, equal id, in every run */
  sol_ids_t ids;       /* tokens of the prompt */
  sol_buffer_t text;   /* what was tokenized */
  sol_buffer_t answer; /* reference */
} sol_prompt_t;
void sol_prompt_free (sol_prompt_t *prompt);

/* parts of a reward, in this order in records */
enum { SOL_PART_ANSWER, SOL_PART_FORMAT, SOL_PART_STOPPED, SOL_PART_LENGTH, SOL_PART_GIVEN, SOL_PART_RESTARTS, SOL_PART_COUNT };
extern const char *const sol_part_name[SOL_PART_COUNT];
typedef struct {
  double part[SOL_PART_COUNT]; /* answer: 0 or 1; format: 0 or task.format_bonus; stopped: 1 when the verifier was stopped at a limit; length: 0 or the over-long penalty, below 0;
                                  given: what the program that grades gave (task.verifier: command; else 0); restarts: how often it was started again for this response */
  double total;                /* answer, or in its place given, with format and length: the reward */
  int correct;                 /* the pass rate counts this */
} sol_grade_t;

/* soft length penalty: 0 up to limit - margin tokens, then a line to -1 at the limit, -1 beyond (arXiv 2503.14476); the reward has it task.overlong_penalty times */
double sol_overlong_penalty (int64_t length, int64_t limit, int64_t margin);

/* tokenizer: NULL for the chain task (ignored if given), else needed and kept by reference. model_folder: where the chat template is; may be NULL when no chat form is used.
 * config is kept by reference. */
sol_status_t sol_task_create (const sol_config_t *config, const sol_tokenizer_t *tokenizer, const char *model_folder, sol_task_t **task_p);
void sol_task_destroy (sol_task_t *task);
/* does this configuration need a tokenizer (a model folder)? */
int sol_task_needs_tokenizer (const sol_config_t *config);
/* smallest vocabulary a model needs; its end-of-sequence id (the first of several; -1: none) */
int32_t sol_task_vocab (const sol_task_t *task);
int32_t sol_task_eos (const sol_task_t *task);
/* appends a problem with the words that task.wording and task.suffix put around it */
void sol_task_words (const sol_config_t *config, const char *problem, sol_buffer_t *out);
/* what is asked, for tables: the data sets' names with + between them, or the task's name; appended to out */
void sol_task_asks (const sol_config_t *config, sol_buffer_t *out);
/* data sets (files of task.path; 1 where the task has none), and the name of one */
int sol_task_sets (const sol_task_t *task);
const char *sol_task_set_name (const sol_task_t *task, int set);
/* logs what is to be known of the data sets: prompts that were left out; problems that stand in two files, with two answers, or on both sides of the held-out split; for one rank of several, once */
void sol_task_say (const sol_task_t *task);
/* logs how many of the first n prompts of a split a run with these settings, called by name, was trained on, as far as its files are there; for one rank, once */
void sol_task_say_seen (const sol_task_t *task, int split, uint64_t n, const sol_config_t *run, const char *name);
/* hash of a file's problems and answers, in order; *n_p: how many. 0 and 0 where the task has no files. */
uint64_t sol_task_set_digest (const sol_task_t *task, int set, int64_t *n_p);
/* data set of prompt `index` of a split that has questions */
int sol_task_set (const sol_task_t *task, int split, uint64_t index);
/* different questions in a split (SOL_SPLIT_*); 0: too many to list (chain) */
uint64_t sol_task_count (const sol_task_t *task, int split);

/* SOL_ERR_LIMIT: the split has no question */
sol_status_t sol_task_prompt (const sol_task_t *task, int split, uint64_t index, sol_prompt_t *prompt);
/* Is there room for this prompt of that split: at most rollout.max_prompt tokens, and with rollout.max_tokens new ones within the model's context? SOL_ERR_LIMIT names the prompt (file
 * and line where it has one) and the settings. */
sol_status_t sol_task_fits (const sol_task_t *task, int split, const sol_prompt_t *prompt, int32_t context);
/* finish: the sol_finish_t of the response; a truncated response is graded as it stands, except for jsonl, where a number at its end is no answer (SOL_FORM_CUT) */
sol_status_t sol_task_grade (const sol_task_t *task, const sol_prompt_t *prompt, const int32_t *ids, int32_t n, int finish, sol_grade_t *grade_p);
/* The same of n responses to a prompt together: a program that grades (task.verifier: command) is asked about all of them at once. SOL_ERR_IO, SOL_ERR_TIMEOUT: it does not work (external.h). */
typedef struct { const int32_t *ids; int32_t n; int finish; } sol_task_response_t;
sol_status_t sol_task_grade_all (const sol_task_t *task, const sol_prompt_t *prompt, const sol_task_response_t *responses, int32_t n, sol_grade_t *grades);
/* What grading looks at, for a reader: text (cleared first) is the response as graded, answer (cleared first) what was taken out of it. Returns how it was found: "boxed" (\boxed{}), "final answer",
 * "####", "end" (what stands at the end), "none". */
const char *sol_task_extract (const sol_task_t *task, const sol_prompt_t *prompt, const int32_t *ids, int32_t n, int finish, sol_buffer_t *text, sol_buffer_t *answer);
/* the "id" of a row of a file; NULL where prompts have none */
const char *sol_task_row_id (const sol_task_t *task, int split, uint64_t index);
/* 0, SOL_FINISH_EOS or SOL_FINISH_STOP; task is a const sol_task_t *: fits sol_decoder_params_t.ends. Allocates nothing, looks only at what the last token can have ended. */
int sol_task_ends (void *task, const int32_t *ids, int32_t n);
/* A demonstration for supervised training: the prompt (as sol_task_prompt) and a response, ending with its end token. noise: chain only, each step's result is replaced by a random
 * digit with this probability and the error is carried on; other tasks refuse noise > 0. Randomness: (seed, index). */
sol_status_t sol_task_demo (const sol_task_t *task, int split, uint64_t index, double noise, sol_prompt_t *prompt, sol_ids_t *response);
/* readable text of tokens, special tokens included, appended to out */
void sol_task_text (const sol_task_t *task, const int32_t *ids, int32_t n, sol_buffer_t *out);
#endif
