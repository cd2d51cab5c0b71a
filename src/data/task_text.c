/* SPDX-License-Identifier: Apache-2.0 */
/* task_text.c: tasks whose questions are rows that can be listed: families of sums, made here, and problems of a JSON-lines file. */
#include "solera/hash.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/random.h"
#include "solera/verify.h"
#include "task_internal.h"
#include <stdio.h>
#include <string.h>

/* a question of a family in words */
typedef struct { char raw[48], asked[64], answer[16]; } sum_t; /* raw: the line up to the answer; asked: the user's words in a chat */

static uint64_t family_size (int64_t family) { return family == SOL_FAMILY_ADD1 ? 100 : family == SOL_FAMILY_ADD2 ? 8100 : 90; }

static sum_t family_row (int64_t family, uint64_t row)
{
  sum_t q;
  const unsigned n = (unsigned) row;
  if (family == SOL_FAMILY_SUCCESSOR) {
    snprintf (q.raw, sizeof q.raw, "after %u comes", n + 10);
    snprintf (q.asked, sizeof q.asked, "What number comes after %u?", n + 10);
    snprintf (q.answer, sizeof q.answer, "%u", n + 11);
    return q;
  }
  const unsigned base = family == SOL_FAMILY_ADD1 ? 10 : 90, low = family == SOL_FAMILY_ADD1 ? 0 : 10, a = n / base + low, b = n % base + low;
  snprintf (q.raw, sizeof q.raw, "%u + %u =", a, b);
  snprintf (q.asked, sizeof q.asked, "What is %u + %u?", a, b);
  snprintf (q.answer, sizeof q.answer, "%u", a + b);
  return q;
}

static uint64_t row_id (const sol_task_t *task, uint64_t row)
{
  if (task->set) {
    const char *problem = sol_sets_row (task, row)->problem;
    return sol_hash (problem, strlen (problem));
  }
  const sum_t q = family_row (task->c->sums_family, row);
  return sol_hash (q.raw, strlen (q.raw));
}

/* ---- creation */

static sol_status_t set_stops (sol_task_t *task)
{
  static char newline[] = "\n";
  static char *const line[] = { newline, NULL };
  task->stop = task->c->task_stop;
  if ((!task->stop || !task->stop[0]) && task->c->task == SOL_TASK_SUMS && !task->chat) task->stop = line;
  while (task->stop && task->stop[task->n_stop]) task->n_stop++;
  task->stop_bytes = sol_alloc (((size_t) task->n_stop + 1) * sizeof *task->stop_bytes);
  for (int k = 0; k < task->n_stop; k++)
    if (!(task->stop_bytes[k] = strlen (task->stop[k]))) return sol_fail (SOL_ERR_USAGE, "task", "task.stop: an empty text would end every response at once");
  return SOL_OK;
}

static sol_status_t compose (const sol_task_t *task, uint64_t index, uint64_t row, sol_prompt_t *prompt);

/* is this prompt one of those that task.long_prompts leaves out? Only prompts of files: theirs depend on the question alone. */
static sol_status_t is_long (const sol_task_t *task, uint64_t row, sol_prompt_t *prompt, int *yes)
{
  if (!task->set || task->c->long_prompts != SOL_LONG_SKIP) return SOL_OK;
  SOL_TRY (compose (task, 0, row, prompt));
  *yes = prompt->ids.n > task->c->max_prompt;
  return SOL_OK;
}

/* rows to splits, data set by data set */
static sol_status_t split_rows (sol_task_t *task)
{
  sol_prompt_t prompt = { 0 };
  sol_status_t st = SOL_OK;
  for (int s = 0; s < 3; s++) task->row[s] = sol_alloc ((size_t) task->n_rows * sizeof **task->row);
  for (int j = 0; j < (task->set ? task->n_sets : 1) && st == SOL_OK; j++) {
    const uint64_t from = task->set ? task->set[j].first : 0, end = task->set && j + 1 < task->n_sets ? task->set[j + 1].first : task->n_rows, train_at = task->n_split[SOL_SPLIT_TRAIN];
    uint64_t n_long = 0;
    for (uint64_t r = from; r < end && st == SOL_OK; r++) {
      const int s = sol_task_held_out (task, row_id (task, r)) ? SOL_SPLIT_HELDOUT : SOL_SPLIT_TRAIN;
      int too_long = 0;
      st = is_long (task, r, &prompt, &too_long);
      n_long += (uint64_t) too_long;
      if (too_long) continue;
      task->row[s][task->n_split[s]++] = (uint32_t) r;
      task->row[SOL_SPLIT_ALL][task->n_split[SOL_SPLIT_ALL]++] = (uint32_t) r;
    }
    if (task->set) task->set[j].train_at = train_at, task->set[j].n_train = task->n_split[SOL_SPLIT_TRAIN] - train_at, task->set[j].n_long = n_long;
    if (st == SOL_OK && n_long == end - from)
      st = sol_fail (SOL_ERR_LIMIT, "task", "%s: all %llu prompts have more than %lld tokens (rollout.max_prompt), so task.long_prompts: skip leaves nothing", task->set[j].path, (unsigned long long) n_long,
                     (long long) task->c->max_prompt);
  }
  sol_prompt_free (&prompt);
  return st;
}

sol_status_t sol_text_create (sol_task_t *task, const char *model_folder)
{
  const sol_config_t *c = task->c;
  const int chat = c->task_prompt == SOL_PROMPT_CHAT, is_jsonl = c->task == SOL_TASK_JSONL;
  if (!chat && c->task_system && c->task_system[0]) return sol_fail (SOL_ERR_USAGE, "task", "task.system is given, but task.prompt is raw: only chat prompts have a system message");
  if (is_jsonl && !c->task_path[0]) return sol_fail (SOL_ERR_USAGE, "task", "task.name is jsonl: give task.path a file of problems");
  if (chat && !model_folder) return sol_fail (SOL_ERR_USAGE, "task", "task.prompt is chat: a model folder with a chat template is needed");
  if (chat) SOL_TRY (sol_chat_open (model_folder, c, &task->chat));
  SOL_TRY (set_stops (task));
  SOL_TRY (sol_format_open (task));
  if (is_jsonl) SOL_TRY (sol_sets_open (task));
  else task->n_rows = family_size (c->sums_family);
  if (is_jsonl && c->task_verifier == SOL_VERIFIER_COMMAND) task->external = sol_external_new (c->verifier_command, c->task_verifier_s, c->verifier_start_s, (int) c->verifier_tries);
  else if (is_jsonl) task->grader = sol_grader_new (NULL, c->task_verifier_s);
  SOL_TRY (split_rows (task));
  if (!task->n_split[SOL_SPLIT_TRAIN])
    return sol_fail (SOL_ERR_USAGE, "task", "all %llu questions are held out: lower task.holdout (%g)", (unsigned long long) task->n_split[SOL_SPLIT_ALL], c->task_holdout);
  if (is_jsonl && c->task_weights[0]) SOL_TRY (sol_sets_weigh (task));
  return SOL_OK;
}

/* ---- prompts */

/* worked example k of the prompt: a question of the training split, another one than row */
static uint64_t example_row (const sol_task_t *task, uint64_t index, uint32_t k, uint64_t row)
{
  const uint64_t n = task->n_split[SOL_SPLIT_TRAIN];
  uint64_t i = sol_random_below (sol_random ((uint64_t) task->c->seed, index, SOL_RANDOM_PROMPT, 0, k), n);
  if (task->row[SOL_SPLIT_TRAIN][i] == row) i = (i + 1) % n;
  return task->row[SOL_SPLIT_TRAIN][i];
}

static int32_t shots (const sol_task_t *task) { return task->set || task->n_split[SOL_SPLIT_TRAIN] < 2 ? 0 : (int32_t) task->c->task_shots; }

/* task.wording: what stands before and behind a problem; m2po is the prompt of the paper's code, its last space included */
static const struct { const char *before, *behind; } wording[] = {
  { "", "" },
  { "Please solve the following math problem: ", ". The assistant first thinks about the reasoning process step by step and then provides the user with the answer. Return the final answer in "
                                                "\\boxed{} tags, for example \\boxed{1}. Let's solve this step by step. " },
  { "", "\nPlease reason step by step, and put your final answer within \\boxed{}." }
};

void sol_task_words (const sol_config_t *c, const char *problem, sol_buffer_t *out)
{
  sol_buffer_printf (out, "%s%s%s%s", wording[c->task_wording].before, problem, wording[c->task_wording].behind, c->task_suffix ? c->task_suffix : "");
}

static void write_raw (const sol_task_t *task, uint64_t index, uint64_t row, sol_buffer_t *out)
{
  if (task->set) {
    sol_task_words (task->c, sol_sets_row (task, row)->problem, out);
    return;
  }
  for (int32_t k = 0; k < shots (task); k++) {
    const sum_t q = family_row (task->c->sums_family, example_row (task, index, (uint32_t) k, row));
    sol_buffer_printf (out, "%s %s\n", q.raw, q.answer);
  }
  sol_buffer_printf (out, "%s", family_row (task->c->sums_family, row).raw);
}

static sol_status_t write_chat (const sol_task_t *task, uint64_t index, uint64_t row, sol_buffer_t *out)
{
  const int32_t n_shots = shots (task);
  sol_message_t *m = sol_alloc (((size_t) n_shots * 2 + 2) * sizeof *m);
  sum_t *q = sol_alloc (((size_t) n_shots + 1) * sizeof *q);
  sol_buffer_t problem = { 0 };
  int n = 0;
  if (task->c->task_system && task->c->task_system[0]) m[n++] = (sol_message_t) { "system", task->c->task_system };
  for (int32_t k = 0; k < n_shots; k++) {
    q[k] = family_row (task->c->sums_family, example_row (task, index, (uint32_t) k, row));
    m[n++] = (sol_message_t) { "user", q[k].asked };
    m[n++] = (sol_message_t) { "assistant", q[k].answer };
  }
  if (task->set) write_raw (task, index, row, &problem);
  else q[n_shots] = family_row (task->c->sums_family, row);
  m[n++] = (sol_message_t) { "user", task->set ? problem.data : q[n_shots].asked };
  sol_status_t st = sol_chat_render (task->chat, m, n, 1, out);
  sol_buffer_free (&problem);
  sol_free (q);
  sol_free (m);
  return st;
}

static const char *answer_of (const sol_task_t *task, uint64_t row, sum_t *q)
{
  if (task->set) return sol_sets_row (task, row)->answer;
  *q = family_row (task->c->sums_family, row);
  return q->answer;
}

uint64_t sol_text_row (const sol_task_t *task, int split, uint64_t index)
{
  const uint64_t n = sol_task_count (task, split);
  if (split == SOL_SPLIT_FILE) return task->row[SOL_SPLIT_ALL][index % n];
  return task->row[split][split == SOL_SPLIT_TRAIN && task->count ? sol_sets_pick (task, index) : sol_permute ((uint64_t) task->c->seed, index / n, n, index % n)];
}

const char *sol_text_row_id (const sol_task_t *task, int split, uint64_t index) { return task->set ? sol_sets_row (task, sol_text_row (task, split, index))->id : NULL; }

/* the prompt that asks question `row`; index: for the worked examples before it */
static sol_status_t compose (const sol_task_t *task, uint64_t index, uint64_t row, sol_prompt_t *prompt)
{
  sum_t q;
  const char *answer = answer_of (task, row, &q), *why = NULL;
  prompt->index = index;
  prompt->id = row_id (task, row);
  prompt->set = task->set ? sol_sets_of (task, row) : 0;
  prompt->row = row;
  prompt->ids.n = 0;
  sol_buffer_clear (&prompt->text);
  sol_buffer_clear (&prompt->answer);
  sol_buffer_add (&prompt->answer, answer, strlen (answer));
  if (task->chat) SOL_TRY (write_chat (task, index, row, &prompt->text));
  else write_raw (task, index, row, &prompt->text);
  sol_status_t (*const encode) (const sol_tokenizer_t *, const char *, size_t, sol_ids_t *, const char **) = task->chat ? sol_tokenizer_encode : sol_tokenizer_encode_prompt;
  if (encode (task->tokenizer, prompt->text.data, prompt->text.bytes, &prompt->ids, &why) != SOL_OK || !prompt->ids.n)
    return sol_fail (SOL_ERR_FORMAT, "task", "the prompt of question %llu cannot be tokenized: %s", (unsigned long long) row, why ? why : "nothing is left of it");
  return SOL_OK;
}

sol_status_t sol_text_prompt (const sol_task_t *task, int split, uint64_t index, sol_prompt_t *prompt)
{
  if (!sol_task_count (task, split)) return sol_fail (SOL_ERR_LIMIT, "task", "no question is held out: task.holdout is %g of %llu", task->c->task_holdout, (unsigned long long) task->n_split[SOL_SPLIT_ALL]);
  return compose (task, index, sol_text_row (task, split, index), prompt);
}

/* ---- grading */

/* the response as text up to its first stop; a zero byte, which would hide what follows, becomes a space */
void sol_text_response (const sol_task_t *task, const int32_t *ids, int32_t n, sol_buffer_t *out)
{
  sol_tokenizer_decode (task->tokenizer, ids, n, 1, out);
  if (!out->data) sol_buffer_add (out, "", 0);
  for (size_t i = 0; i < out->bytes; i++)
    if (!out->data[i]) out->data[i] = ' ';
  for (int k = 0; k < task->n_stop; k++) {
    char *end = out->bytes ? strstr (out->data, task->stop[k]) : NULL;
    if (end) *end = 0, out->bytes = (size_t) (end - out->data);
  }
}

/* Sums want the number written out: the verifier works sums out, and repeating the question would be right. */
static int same_digits (const char *s, const char *answer)
{
  while (*s == ' ') s++;
  size_t n = strlen (answer), rest = n;
  if (strncmp (s, answer, n)) return 0;
  while (s[rest] == ' ' || s[rest] == '.' || s[rest] == '\r') rest++;
  return !s[rest];
}

/* where an answer is looked for; at the end of a response that was cut off there is none */
static sol_answer_form_t form_of (const sol_task_t *task, int finish)
{
  if (task->c->task_answer == SOL_ANSWER_BOXED) return SOL_FORM_BOXED;
  if (finish == SOL_FINISH_LENGTH) return SOL_FORM_CUT;
  return task->c->task_answer == SOL_ANSWER_MARKED ? SOL_FORM_MARKED : SOL_FORM_RESPONSE;
}

void sol_text_grade (const sol_task_t *task, const sol_prompt_t *prompt, const int32_t *ids, int32_t n, int finish, sol_grade_t *grade)
{
  sol_buffer_t text = { 0 }, found = { 0 };
  const char *answer = prompt->answer.data;
  sol_text_response (task, ids, n, &text);
  const int formed = task->format && sol_format_matches (task, text.data, text.bytes);
  if (text.bytes && task->set) {
    int stopped = 0;
    grade->correct = sol_grader_check (task->grader, text.data, answer, form_of (task, finish), (sol_verify_mode_t) task->c->task_verifier, &found, &stopped);
    grade->part[SOL_PART_STOPPED] = stopped;
    grade->part[SOL_PART_FORMAT] = found.bytes > 0;
  } else if (text.bytes) {
    char *end = task->chat ? NULL : strchr (text.data, '\n'); /* raw: the first line, all of it */
    if (end) *end = 0, text.bytes = (size_t) (end - text.data);
    grade->part[SOL_PART_FORMAT] = sol_answer_extract (text.data, text.bytes, &found) != 0 && found.bytes;
    grade->correct = same_digits (task->chat && found.bytes ? found.data : text.data, answer);
  }
  if (task->format) grade->part[SOL_PART_FORMAT] = formed;
  sol_buffer_free (&text);
  sol_buffer_free (&found);
}

const char *sol_text_extract (const sol_task_t *task, const int32_t *ids, int32_t n, int finish, sol_buffer_t *text, sol_buffer_t *answer)
{
  static const char *const how[] = { "none", "boxed", "final answer", "####", "end" };
  sol_text_response (task, ids, n, text);
  if (task->external) return how[0]; /* what the program looks at is its own matter */
  const int found = task->set ? sol_answer_take (text->data, form_of (task, finish), (sol_verify_mode_t) task->c->task_verifier, answer) : sol_answer_extract (text->data, text->bytes, answer);
  return how[found];
}

/* the answer and what ends it: the chat's end token; else the first stop; else the end-of-sequence token */
sol_status_t sol_text_demo (const sol_task_t *task, const sol_prompt_t *prompt, sol_ids_t *response)
{
  sol_buffer_t text = { 0 };
  const char *why = NULL;
  const char last = prompt->text.data[prompt->text.bytes - 1];
  const int32_t end = task->chat ? sol_tokenizer_id (task->tokenizer, sol_chat_end (task->chat)) : task->n_stop ? -1 : sol_task_eos (task);
  sol_buffer_printf (&text, "%s%s%s", task->chat || last == ' ' || last == '\n' ? "" : " ", prompt->answer.data, !task->chat && task->n_stop ? task->stop[0] : "");
  sol_status_t st = sol_tokenizer_encode (task->tokenizer, text.data, text.bytes, response, &why);
  sol_buffer_free (&text);
  if (st != SOL_OK) return sol_fail (st, "task", "an answer cannot be tokenized: %s", why ? why : "unknown");
  if (end >= 0) sol_ids_add (response, end);
  else if (task->chat || !task->n_stop) return sol_fail (SOL_ERR_USAGE, "task", "the tokenizer has no token that ends a demonstration; give task.stop");
  return SOL_OK;
}
