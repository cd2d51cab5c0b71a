/* SPDX-License-Identifier: Apache-2.0 */
/* Settings that contradict each other. Every error names both sides, each with where it was set. */
#include "settings_internal.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int is (const char *a, const char *b) { return strcmp (a, b) == 0; }

/* "staleness.k is 6 (jobs/a.yaml:12)" */
static void add_side (const sol_loading_t *l, const char *name, sol_buffer_t *b)
{
  int n;
  const sol_setting_t *s = sol_setting_find (name);
  SOL_ASSERT (s);
  const sol_origin_t *o = &l->origin[s - sol_settings (&n)];
  sol_buffer_t v = { 0 };
  sol_config_value (l->config, s, &v);
  sol_buffer_printf (b, "%s is %s (", name, v.bytes && !(s->kind == SOL_KIND_LIST && is (v.data, "[]")) ? v.data : "not given");
  if (o->line == 0) sol_buffer_printf (b, "default)");
  else if (o->line < 0) sol_buffer_printf (b, "command line)");
  else sol_buffer_printf (b, "%s:%d)", o->source, o->line);
  sol_buffer_free (&v);
}

/* rule: what must hold. other may be NULL: then the command is the other side */
static sol_status_t contradiction (const sol_loading_t *l, const char *name, const char *other, const char *rule)
{
  sol_buffer_t b = { 0 };
  add_side (l, name, &b);
  if (other) {
    sol_buffer_printf (&b, ", but ");
    add_side (l, other, &b);
  }
  sol_buffer_printf (&b, ": %s", rule);
  sol_fail (SOL_ERR_USAGE, "config", "%s", b.data);
  sol_buffer_free (&b);
  return SOL_ERR_USAGE;
}
#define REFUSE_IF(cond, ...)                                                                                                                  \
  do {                                                                                                                                        \
    if (cond) return contradiction (l, __VA_ARGS__);                                                                                          \
  } while (0)

static sol_status_t check_steps (const sol_loading_t *l)
{
  const sol_config_t *c = l->config;
  static const char ups[] = "batch.updates_per_step";
  REFUSE_IF (c->prompts % c->ups != 0, "batch.prompts", ups, "a batch is cut into equal mini-batches of whole groups, so the first must be a multiple of the second");
  REFUSE_IF (c->updates % c->ups != 0, "train.updates", ups, "a run ends with a whole step, so the first must be a multiple of the second");
  REFUSE_IF (c->ckpt_every % c->ups != 0, "checkpoint.every", ups, "checkpoints are written between steps, so the first must be a multiple of the second");
  REFUSE_IF (c->eval_every % c->ups != 0, "eval.every", ups, "weights are published between steps, and only published ones are evaluated, so the first must be a multiple of the second");
  REFUSE_IF (c->eval_every > 0 && !(c->task_holdout > 0), "eval.every", "task.holdout", "nothing is held out to evaluate on");
  if (c->ckpt_best != SOL_BEST_NONE) {
    REFUSE_IF (c->eval_every == 0, "checkpoint.best", "eval.every", "the best checkpoint is chosen by evaluations during training");
    REFUSE_IF (c->ckpt_every == 0 || c->eval_every % c->ckpt_every != 0, "eval.every", "checkpoint.every", "with checkpoint.best every evaluated version has a checkpoint, so the first must be a multiple of the second");
  }
  REFUSE_IF (*c->stale_trace && c->stale_mode != SOL_STALE_EXACT, "staleness.trace", "staleness.mode", "prescribed lags are kept by waiting, as in exact mode");
  REFUSE_IF (*c->stale_trace && c->stale_k != 0, "staleness.trace", "staleness.k", "the trace gives the lags, so the second must be 0");
  if (c->stale_mode == SOL_STALE_FREE) return SOL_OK;
  REFUSE_IF (c->stale_k % c->ups != 0, "staleness.k", ups, "weights are published between steps, so the first must be a multiple of the second");
  REFUSE_IF (c->in_flight && c->stale_mode == SOL_STALE_EXACT, "staleness.in_flight", "staleness.mode", "exact staleness needs one version a response");
  return SOL_OK;
}

/* what is counted in 32 bits: tokens of a group (records, passes), responses of an update (segments) */
static sol_status_t check_sizes (const sol_loading_t *l)
{
  const sol_config_t *c = l->config;
  const int64_t tokens = c->group * c->max_new + c->max_prompt, responses = c->prompts / c->ups * c->group;
  char rule[160];
  snprintf (rule, sizeof rule, "with rollout.max_prompt a group may have %lld tokens, at most %d can be counted", (long long) tokens, INT32_MAX);
  REFUSE_IF (tokens > INT32_MAX, "batch.group", "rollout.max_tokens", rule);
  snprintf (rule, sizeof rule, "an update may have %lld responses, at most %d can be counted", (long long) responses, INT32_MAX);
  REFUSE_IF (responses > INT32_MAX, "batch.prompts", "batch.group", rule);
  return SOL_OK;
}

/* terms beside the objective */
static sol_status_t check_terms (const sol_loading_t *l)
{
  const sol_config_t *c = l->config;
  const int reward = c->kl_in == SOL_KL_REWARD;
  REFUSE_IF (c->kl_reference == SOL_KL_MODEL && !*c->kl_model, "kl.reference", "kl.model", "the folder of the reference must be given");
  REFUSE_IF (c->kl_reference != SOL_KL_MODEL && *c->kl_model, "kl.model", "kl.reference", "the folder would not be looked at: kl.reference must be model");
  if (c->kl_coef == 0) return SOL_OK;
  REFUSE_IF (reward && c->kl_reference == SOL_KL_BEHAVIOUR, "kl.in", "kl.reference", "in the reward the policy that generated a response stands against the reference, so the two must not be the same");
  REFUSE_IF (reward && c->kl_ratio, "kl.in", "kl.ratio", "a term in the reward is not differentiated: it has no ratio");
  REFUSE_IF (!reward && c->kl_term == SOL_KL_K1 && !c->kl_ratio, "kl.term", "kl.ratio", "in the loss, k1 at fixed tokens pulls nowhere (its mean slope over the policy's own tokens is 0): give kl.ratio, or kl.in: reward, or another term");
  return SOL_OK;
}

static sol_status_t check_train (const sol_loading_t *l)
{
  const sol_config_t *c = l->config;
  SOL_TRY (check_steps (l));
  SOL_TRY (check_sizes (l));
  SOL_TRY (check_terms (l));
  REFUSE_IF (c->lp_check && c->in_flight, "lp_check.record", "staleness.in_flight", "a response of several versions cannot be scored with the weights that generated it");
  REFUSE_IF (c->lp_correct != SOL_LP_CORRECT_NONE && !c->lp_check, "lp_check.correct", "lp_check.record", "the correction needs the column");
  REFUSE_IF (c->top_p < 1, "rollout.top_p", NULL, "train needs samples of the whole distribution (1), whose log-probs are recorded");
  REFUSE_IF (c->top_k > 0, "rollout.top_k", NULL, "train needs samples of the whole distribution (0), whose log-probs are recorded");
  REFUSE_IF (c->greedy, "rollout.greedy", NULL, "train needs samples (false)");
  REFUSE_IF (c->leaves > 0 && c->leaves < c->learners, "learner.leaves", "learners", "every learner needs a leaf of the gradient sum: give at least as many, or 0");
  REFUSE_IF (c->overlong_penalty > 0 && (c->overlong_tokens < 1 || c->overlong_tokens > c->max_new), "task.overlong_tokens", "task.overlong_penalty", "the penalty grows over 1 to rollout.max_tokens tokens");
  REFUSE_IF (*c->task_format && !(c->task_format_bonus > 0), "task.format", "task.format_bonus", "the form of a response would count for nothing");
  REFUSE_IF (*c->task_format && c->task == SOL_TASK_CHAIN, "task.format", "task.name", "the chain has a form of its own");
  REFUSE_IF (c->group == 1 && c->advantage == SOL_ADVANTAGE_RLOO, "batch.group", "objective.advantage", "leave-one-out needs at least two responses a prompt");
  REFUSE_IF (!*c->objective, "objective.name", NULL, "train needs one: solera help objectives lists them");
  REFUSE_IF (c->refill > 0 && c->group == 1, "batch.refill", "batch.group", "the reward of a response alone equals itself: every group would be dropped");
  REFUSE_IF (c->refill > 0 && (c->updates + c->stale_k) / c->ups + 2 > (INT64_C (1) << 40) / c->prompts, "batch.refill", "train.updates", "the run has more groups than can be counted with it, 2^40");
  if (c->group == 1 && c->advantage != SOL_ADVANTAGE_GLOBAL) sol_log (SOL_LOG_WARN, "config", "batch.group is 1: a response alone in its group has advantage 0, so nothing will be learnt");
  return SOL_OK;
}

/* sizes of a new model */
static sol_status_t check_model (const sol_loading_t *l)
{
  const sol_config_t *c = l->config;
  if (*c->model_path) return SOL_OK;
  REFUSE_IF (c->model_width % c->model_heads != 0, "model.width", "model.heads", "the first must be a multiple of the second");
  REFUSE_IF (c->model_heads % c->model_kv_heads != 0, "model.heads", "model.kv_heads", "the first must be a multiple of the second");
  REFUSE_IF (c->model_width / c->model_heads % 2 != 0, "model.width", "model.heads", "rotary positions need an even width per head");
  REFUSE_IF (c->task != SOL_TASK_CHAIN, "task.name", "model.path", "a new model knows only the symbols of the chain: give a model folder with a tokenizer");
  return SOL_OK;
}

static sol_status_t check_training (const sol_loading_t *l, const char *command)
{
  const sol_config_t *c = l->config;
  char rule[96];
  snprintf (rule, sizeof rule, "%s needs a folder to write: out=...", command);
  REFUSE_IF (!*c->out, "out", NULL, rule);
  REFUSE_IF (c->warmup > c->updates, "train.warmup", "train.updates", "the warm-up must fit into the run");
  return check_model (l);
}

static sol_status_t check_sets (const sol_loading_t *l)
{
  const sol_config_t *c = l->config;
  int n = 0, paths = 0;
  double w, sum = 0;
  while (c->task_path[paths]) REFUSE_IF (!*c->task_path[paths++], "task.path", NULL, "an empty text names no file");
  for (; c->task_weights[n]; n++, sum += w) REFUSE_IF (sol_config_positive (c->task_weights[n], &w), "task.weights", NULL, "each must be a number above 0");
  REFUSE_IF (n > 0 && n != paths, "task.weights", "task.path", "there must be one weight a file, or none");
  REFUSE_IF (!(sum <= 1e300), "task.weights", NULL, "their sum is too large");
  return SOL_OK;
}

static sol_status_t check_verifier (const sol_loading_t *l)
{
  const sol_config_t *c = l->config;
  const int command = c->task_verifier == SOL_VERIFIER_COMMAND;
  REFUSE_IF (command && !(*c->verifier_command && **c->verifier_command), "task.verifier", "task.verifier_command", "the program that grades must be given");
  REFUSE_IF (!command && *c->verifier_command, "task.verifier_command", "task.verifier", "the program would grade nothing");
  REFUSE_IF (command && c->task != SOL_TASK_JSONL, "task.verifier", "task.name", "only problems of files (jsonl) are graded by a program");
  REFUSE_IF (command && c->task_answer != SOL_ANSWER_ANY, "task.answer", "task.verifier", "the program gets the whole response");
  REFUSE_IF (c->task != SOL_TASK_JSONL && c->task_answer != SOL_ANSWER_ANY, "task.answer", "task.name", "only answers to problems of files (jsonl) are looked for");
  REFUSE_IF (command && c->task_format_bonus > 0 && !*c->task_format, "task.format_bonus", "task.verifier", "no answer is extracted there: give the form that is worth it (task.format)");
  return SOL_OK;
}

static sol_status_t check_task (const sol_loading_t *l)
{
  const sol_config_t *c = l->config;
  REFUSE_IF (c->task == SOL_TASK_JSONL && !*c->task_path, "task.name", "task.path", "the file with the problems must be given");
  REFUSE_IF (c->task == SOL_TASK_CHAIN && c->task_prompt == SOL_PROMPT_CHAT, "task.prompt", "task.name", "the chain has no chat format");
  REFUSE_IF (c->task != SOL_TASK_JSONL && c->long_prompts == SOL_LONG_SKIP, "task.long_prompts", "task.name", "only prompts of files (jsonl) can be left out");
  SOL_TRY (check_sets (l));
  SOL_TRY (check_verifier (l));
  for (char **stop = c->task_stop; *stop; stop++) REFUSE_IF (!**stop, "task.stop", NULL, "an empty stop text would end every response at once");
  return SOL_OK;
}

static sol_status_t check_sampling (const sol_loading_t *l)
{
  const sol_config_t *c = l->config;
  REFUSE_IF (c->greedy && c->n_samples > 1, "rollout.samples", "rollout.greedy", "greedy responses to one prompt are all the same");
  REFUSE_IF (c->task_split == SOL_SPLIT_HELDOUT && !(c->task_holdout > 0), "task.split", "task.holdout", "nothing is held out");
  return SOL_OK;
}

static sol_status_t check_wording (const sol_loading_t *l)
{
  const sol_config_t *c = l->config;
  REFUSE_IF (c->task != SOL_TASK_JSONL && c->task_wording != SOL_WORDING_PLAIN, "task.wording", "task.name", "only problems of a file (jsonl) take other words");
  return SOL_OK;
}

sol_status_t sol_config_check (const sol_loading_t *l, const char *command)
{
  const int train = is (command, "train"), sft = is (command, "sft");
  if (train || sft || is (command, "generate") || is (command, "eval")) SOL_TRY (check_task (l));
  if (train || is (command, "eval")) SOL_TRY (check_wording (l)); /* generate's rows are problems, whatever the task */
  if (train || sft) SOL_TRY (check_training (l, command));
  if (is (command, "plan")) SOL_TRY (check_model (l));
  if (train || is (command, "plan")) SOL_TRY (check_train (l));
  if (is (command, "generate") || is (command, "eval")) SOL_TRY (check_sampling (l));
  return SOL_OK;
}
