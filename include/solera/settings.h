/* SPDX-License-Identifier: Apache-2.0 */
/* settings.h: the one table of settings. Struct, parser, checks, help, man page, completion, docs/settings.md and the resolved copy in a
 * run's folder all come from it. To add a setting: one row here, its cross-checks in src/config/check.c.
 *
 * I(field, "name", default, min, max, unit, groups, doc)     int64_t
 * F(field, "name", default, min, max, unit, groups, doc)     double
 * B(field, "name", default, groups, doc)                     int (true | false)
 * S(field, "name", default, groups, doc)                     char *   ("" = not given)
 * L(field, "name", groups, doc)                              char **  NULL-terminated (YAML: a sequence, or one scalar); default empty
 * C(field, "name", default index, "a|b|c", groups, doc)      int, index into the choices
 * A default of SOL_AUTO (floats): not set, and written `auto`; what uses the setting then takes its own value and says so in the resolved settings.
 * groups: which commands list it in their help: t train, s sft, g generate, e eval, c score, o objective, v convert
 * A name with a dot is a key of a YAML mapping: "staleness.k" is  staleness: {k: ...}.
 */
#ifndef SOL_SETTINGS_H
#define SOL_SETTINGS_H
#include <math.h>

#define SOL_AUTO NAN

/* indices of the choices, in the order of their texts below */
enum { SOL_ROLES_AUTO, SOL_ROLES_SOLO };
enum { SOL_TASK_CHAIN, SOL_TASK_SUMS, SOL_TASK_JSONL };
enum { SOL_FAMILY_ADD1, SOL_FAMILY_ADD2, SOL_FAMILY_SUCCESSOR };
enum { SOL_PROMPT_RAW, SOL_PROMPT_CHAT };
enum { SOL_LONG_ERROR, SOL_LONG_SKIP };
enum { SOL_UTF8_ERROR, SOL_UTF8_REPLACE };
enum { SOL_CHAT_THINKING, SOL_CHAT_NOT_THINKING };
enum { SOL_ANSWER_ANY, SOL_ANSWER_MARKED, SOL_ANSWER_BOXED };
enum { SOL_VERIFIER_ANSWER, SOL_VERIFIER_STRICT, SOL_VERIFIER_M2PO, SOL_VERIFIER_COMMAND }; /* as sol_verify_mode_t */
enum { SOL_WORDING_PLAIN, SOL_WORDING_M2PO, SOL_WORDING_BOXED };
enum { SOL_STALE_EXACT, SOL_STALE_BOUNDED, SOL_STALE_FREE };
enum { SOL_KV_KEEP, SOL_KV_RECOMPUTE };
enum { SOL_DECAY_CONSTANT, SOL_DECAY_LINEAR, SOL_DECAY_COSINE };
enum { SOL_TRUNCATED_TRAIN, SOL_TRUNCATED_MASK };
enum { SOL_REFUSED_STOP, SOL_REFUSED_DROP };
enum { SOL_ADVANTAGE_GRPO, SOL_ADVANTAGE_DR_GRPO, SOL_ADVANTAGE_RLOO, SOL_ADVANTAGE_GLOBAL, SOL_ADVANTAGE_GROUP_GLOBAL };
enum { SOL_KL_K1, SOL_KL_K2, SOL_KL_K3 };
enum { SOL_KL_BEHAVIOUR, SOL_KL_INITIAL, SOL_KL_MODEL };
enum { SOL_KL_LOSS, SOL_KL_REWARD };
enum { SOL_SPLIT_TRAIN, SOL_SPLIT_HELDOUT, SOL_SPLIT_ALL, SOL_SPLIT_FILE };
enum { SOL_LP_CORRECT_NONE, SOL_LP_CORRECT_TIS };
enum { SOL_BEST_NONE, SOL_BEST_AVG, SOL_BEST_PASS };
enum { SOL_BACKEND_AUTO, SOL_BACKEND_CPU, SOL_BACKEND_REF, SOL_BACKEND_CUDA };
enum { SOL_DTYPE_SETTING_MODEL, SOL_DTYPE_SETTING_F32, SOL_DTYPE_SETTING_BF16 };

#define SOL_SETTINGS(I, F, B, S, L, C)                                                                                                        \
  /* ---- run */                                                                                                                              \
  S (out, "out", "", "tsev", "folder that the run writes; never overwritten without --force, continued with --resume")                         \
  I (seed, "seed", 0, 0, INT64_MAX, "", "tsge", "key of all randomness")                                                                      \
  C (roles, "roles", 0, "auto|solo", "t", "auto: ranks take the roles below; solo: one rank is actor, broker and learner in turn")            \
  I (actors, "actors", 0, 0, 65536, "ranks", "t", "ranks that generate; 0: what brokers and learners leave")                                  \
  I (brokers, "brokers", 1, 1, 4096, "ranks", "t", "ranks that hold rollouts and weights")                                                    \
  I (learners, "learners", 1, 1, 65536, "ranks", "t", "ranks that train, data parallel")                                                      \
  C (backend, "backend.name", 0, "auto|cpu|ref|cuda|emu|ptx|diff|check", "tsgec", "where the model computes; auto: cuda if it can run, else cpu; ref, emu, ptx, diff, check: for tests") \
  I (threads, "backend.threads", 1, 1, 1024, "threads", "tsgec", "threads of one rank")                                                       \
  F (watchdog_s, "watchdog_s", 600, 0, 1e9, "s", "t", "end the job when nobody has made progress for so long; 0: never")                      \
  /* ---- model */                                                                                                                            \
  S (model_path, "model.path", "", "ts", "Hugging Face model folder to start from; empty: a new model of the sizes below")                    \
  C (model_dtype, "model.dtype", 0, "model|f32|bf16", "tsgecv", "type of the published weights that all roles compute with; model: the folder's own") \
  I (model_layers, "model.layers", 2, 1, 1000, "", "ts", "new model: layers")                                                                 \
  I (model_width, "model.width", 64, 2, 65536, "", "ts", "new model: width")                                                                  \
  I (model_heads, "model.heads", 4, 1, 1024, "", "ts", "new model: attention heads")                                                          \
  I (model_kv_heads, "model.kv_heads", 4, 1, 1024, "", "ts", "new model: key/value heads")                                                    \
  I (model_mlp, "model.mlp", 170, 1, 1000000, "", "ts", "new model: width of the SwiGLU layer")                                               \
  B (model_tied, "model.tied", 0, "ts", "new model: the head is the embedding")                                                               \
  /* ---- task */                                                                                                                             \
  C (task, "task.name", 0, "chain|sums|jsonl", "tsge", "what is asked and how it is graded: docs/tasks.md")                                   \
  I (chain_steps, "task.steps", 3, 1, 16, "", "tsge", "chain: operations in a prompt")                                                        \
  C (sums_family, "task.family", 0, "add1|add2|successor", "tsge", "sums: one-digit sums, two-digit sums, the number after n")                 \
  C (task_prompt, "task.prompt", 0, "raw|chat", "tge", "prompts as plain text or in the model's chat format")                                 \
  I (task_shots, "task.shots", 3, 0, 16, "", "tge", "sums: worked examples before the question")                                              \
  C (task_verifier, "task.verifier", 0, "answer|strict|m2po|command", "tge", "jsonl: what is a right answer: docs/verifier.md")                               \
  C (task_answer, "task.answer", 0, "any|marked|boxed", "tge", "jsonl: where a response's answer may stand: anywhere; in a box or behind Final Answer or ####; in a box alone") \
  F (task_verifier_s, "task.verifier_s", 2, 0.05, 600, "s", "tge", "jsonl: time for one answer; then it is wrong and counted in verifier_stopped")    \
  L (verifier_command, "task.verifier_command", "tge", "task.verifier: command: the program that grades, and its arguments; no shell: docs/verifier.md")  \
  F (verifier_start_s, "task.verifier_start_s", 60, 0, 3600, "s", "tge", "task.verifier: command: added to task.verifier_s for the first answer after a start") \
  I (verifier_tries, "task.verifier_tries", 3, 1, 1000, "", "tge", "task.verifier: command: so many deaths or malformed answers in a row end the run")   \
  L (task_path, "task.path", "tsge", "jsonl: files of rows {\"problem\", \"answer\"}, each a data set named like its file")                        \
  L (task_weights, "task.weights", "ts", "jsonl: one number a file: its share of the training prompts; empty: by size")                           \
  C (long_prompts, "task.long_prompts", 0, "error|skip", "tsge", "jsonl: prompts over rollout.max_prompt are an error, or left out and counted at the start") \
  S (task_system, "task.system", "", "tge", "chat: system message; empty: the template's own default")                                        \
  S (task_suffix, "task.suffix", "", "tge", "jsonl: text added to every problem")                                                             \
  C (task_utf8, "task.utf8", 0, "error|replace", "tge", "jsonl: bytes that are not UTF-8 are an error, or become U+FFFD")                                          \
  C (task_wording, "task.wording", 0, "plain|m2po|boxed", "tge", "jsonl: words around a problem: none; those of the M2PO paper; a request to reason and to box the answer") \
  S (chat_user, "chat.user", "", "tge", "chat: a message of the user as text with {content} in it, instead of the model's template; {bos} and {eos} are the model's tokens") \
  S (chat_assistant, "chat.assistant", "", "tge", "chat: an answer as text with {content} in it; what stands before {content} ends a prompt")                    \
  S (chat_system, "chat.system", "", "tge", "chat: a system message as text with {content} in it; empty: the format given has none")                             \
  S (chat_begin, "chat.begin", "", "tge", "chat: what the text begins with, {bos} for instance")                                                                 \
  C (chat_thinking, "chat.thinking", 0, "on|off", "tge", "chat: off puts an empty thought into the prompt, where the model's template has that switch (Qwen3)")   \
  S (chat_date, "chat.date", "", "tge", "chat: the date that a template prints (Llama 3.1: 26 Jul 2024); empty: the template's own, which in Llama 3.2 is today's") \
  L (task_stop, "task.stop", "tge", "a response ends when its text contains one of these")                                                    \
  F (task_holdout, "task.holdout", 0.1, 0, 0.9, "share", "tsge", "prompts held out of training, chosen by seed")                               \
  C (task_split, "task.split", 0, "train|heldout|all|file", "ge", "which prompts are used; file: all, in the order of the file")                                                        \
  F (task_format_bonus, "task.format_bonus", 0, 0, 1, "", "t", "reward added when an answer can be extracted, or task.format matches")        \
  S (task_format, "task.format", "", "t", "PCRE2 pattern that the whole response must match for task.format_bonus; empty: an answer can be extracted")   \
  F (overlong_penalty, "task.overlong_penalty", 0, 0, 1000, "", "t", "taken from the reward of a response of rollout.max_tokens tokens, less of shorter ones (task.overlong_tokens); 0: off") \
  I (overlong_tokens, "task.overlong_tokens", 0, 0, 1048576, "tokens", "t", "that penalty grows over the last so many tokens before rollout.max_tokens")   \
  /* ---- rollouts */                                                                                                                         \
  I (prompts, "batch.prompts", 32, 1, 1000000, "prompts", "t", "prompts of a rollout batch (one step)")                                       \
  I (group, "batch.group", 8, 1, 4096, "responses", "t", "responses a prompt")                                                                \
  I (refill, "batch.refill", 0, 0, 1000, "times", "t", "a group whose rewards are all equal is dropped and generated again with another prompt, at most so often; the last one stays; 0: off") \
  I (ups, "batch.updates_per_step", 4, 1, 4096, "updates", "t", "updates (equal mini-batches) made from a rollout batch")                     \
  I (max_prompt, "rollout.max_prompt", 1024, 1, 1048576, "tokens", "tge", "a longer prompt is an error (task.long_prompts)")                  \
  I (max_new, "rollout.max_tokens", 64, 1, 1048576, "tokens", "tge", "a response is truncated at this length")                                \
  F (temperature, "rollout.temperature", 1.0, 1e-3, 100, "", "tgec", "log-probs are of softmax(logits / temperature)")                        \
  F (top_p, "rollout.top_p", 1.0, 1e-6, 1, "", "tge", "nucleus sampling; training refuses values under 1")                                    \
  I (top_k, "rollout.top_k", 0, 0, 1000000, "", "tge", "sample among the k most likely; 0: all; training refuses others")                     \
  B (greedy, "rollout.greedy", 0, "ge", "take the most likely token")                                                                         \
  I (n_samples, "rollout.samples", 1, 1, 4096, "responses", "tge", "responses a prompt in generate and eval, and in evaluations during training")                                  \
  I (slots, "actor.slots", 64, 1, 65536, "sequences", "tge", "sequences decoded side by side by one rank")                                    \
  B (graphs, "backend.graphs", 1, "tge", "on a device, steps of decoding run as graphs that are made once")                                                 \
  I (kv_tokens, "actor.kv_tokens", 0, 0, 2000000000, "tokens", "tge", "room for keys and values; 0: for rollout.max_tokens of every place. With less, sequences wait where it is not enough") \
  /* ---- staleness */                                                                                                                        \
  C (stale_mode, "staleness.mode", 0, "exact|bounded|free", "t", "exact: batch b comes from version max(0, b*updates_per_step - k); bounded: lag at most k; free: as it comes") \
  I (stale_k, "staleness.k", 0, 0, 100000000, "updates", "t", "lag asked for (exact) or allowed (bounded); a multiple of updates_per_step")   \
  S (stale_trace, "staleness.trace", "", "t", "exact mode: lags of single groups instead of k: fixed:LAG, uniform:LEAST:MOST, geometric:P:MOST or file:PATH; docs/broker.md") \
  B (in_flight, "staleness.in_flight", 0, "t", "a response may go on under newer weights (refused in exact mode)")                            \
  C (kv_mode, "staleness.kv", 0, "keep|recompute", "t", "in-flight changes: keep the old keys and values or compute them anew")               \
  I (ring_slots, "broker.slots", 64, 2, 1048576, "slots", "t", "groups that a broker's ring holds")                                           \
  I (ring_batches, "broker.queue", 0, 0, 1000000, "batches", "t", "free mode: full batches that may wait; 0: two")                            \
  /* ---- objective */                                                                                                                        \
  S (objective, "objective.name", "m2po", "t", "m2po, m2po_clip, m2po_all, grpo, grpo_no_tr, gspo, ...: solera help objectives")                \
  F (tau, "objective.tau", SOL_AUTO, 0, 1e30, "", "to", "m2po*: bound of the mean squared log-ratio over the trust-region set, nats^2 (auto: 0.04); m2po_k3: of the mean r - 1 - log r, nats (auto: 0.02)") \
  F (clip_low, "objective.clip_low", SOL_AUTO, 0, 1, "", "to", "grpo, dapo, dr_grpo, opsm, decoupled_ppo: ratio clipped under 1 - this (auto: 0.2)") \
  F (clip_high, "objective.clip_high", SOL_AUTO, 0, 1e30, "", "to", "the same, over 1 + this (auto: 0.2, dapo 0.28)")                        \
  F (gspo_low, "objective.gspo_low", SOL_AUTO, 0, 1, "", "to", "gspo: sequence ratio clipped under 1 - this (auto: 0.0003)")                   \
  F (gspo_high, "objective.gspo_high", SOL_AUTO, 0, 1e30, "", "to", "gspo: sequence ratio clipped over 1 + this (auto: 0.0004)")               \
  F (cap, "objective.cap", SOL_AUTO, 1e-30, 1e30, "", "to", "cispo, tis, seq_tis, m2po_tis: largest weight (auto: cispo 5, the others 2)")             \
  F (band_low, "objective.low", SOL_AUTO, 0, 1e30, "", "to", "icepop: smallest ratio that stays (auto: 0.5); gmpo: log-ratios of bad responses clipped under minus this, nats (auto: 0.4)") \
  F (band_high, "objective.high", SOL_AUTO, 0, 1e30, "", "to", "icepop: largest ratio that stays (auto: 5); gmpo: log-ratios of good responses clipped over this, nats (auto: 0.4)") \
  F (delta, "objective.delta", SOL_AUTO, 0, 1e30, "", "to", "opsm: a bad response is masked when its mean log-ratio is under minus this, nats (auto: 0.5); dppo_tv: largest change of a probability (auto: 0.2)") \
  F (t_pos, "objective.t_pos", SOL_AUTO, 1e-30, 1e30, "", "to", "sapo: steepness where the advantage is positive (auto: 1)")                 \
  F (t_neg, "objective.t_neg", SOL_AUTO, 1e-30, 1e30, "", "to", "sapo: steepness elsewhere (auto: 1.05)")                                    \
  F (pos_c1, "objective.pos_c1", SOL_AUTO, 0, 1e30, "", "to", "vespo: exponent of the weight where the advantage is not negative (auto: 2)") \
  F (pos_c2, "objective.pos_c2", SOL_AUTO, 0, 1e30, "", "to", "vespo: its decay there (auto: 3)")                                            \
  F (neg_c1, "objective.neg_c1", SOL_AUTO, 0, 1e30, "", "to", "vespo: exponent of the weight where the advantage is negative (auto: 3)")     \
  F (neg_c2, "objective.neg_c2", SOL_AUTO, 0, 1e30, "", "to", "vespo: its decay there (auto: 2)")                                            \
  C (advantage, "objective.advantage", 0, "grpo|dr_grpo|rloo|global|group_global", "t", "advantage of a response, of rewards R. In its group: grpo (R - mean) / std (arXiv 2402.03300), dr_grpo R - mean (2503.20783), rloo R - mean of the others (2402.14740). Over the update batch: global (R - mean) / std; group_global R - mean of the group, over that difference's std (2501.03262)") \
  C (on_refused, "objective.on_refused", 0, "stop|drop", "t", "a value that float32 cannot hold: stop the run, or drop that sequence and count it") \
  /* ---- terms beside the objective */                                                                                                       \
  F (kl_coef, "kl.coef", 0, 0, 1e30, "", "t", "weight of KL(policy || reference); 0: none (a reference other than behaviour is still measured and recorded)") \
  C (kl_term, "kl.term", 2, "k1|k2|k3", "t", "estimate of KL(policy || reference) of a token, x = log policy - log reference: k1 x, k2 x^2/2, k3 e^-x - 1 + x (DeepSeekMath, arXiv 2402.03300)") \
  C (kl_reference, "kl.reference", 0, "behaviour|initial|model", "t", "reference: the policy that generated the token, by its recorded log-probability; or frozen: the run's initial weights, or kl.model (memory of a second model, one more forward pass, column lp_ref)") \
  S (kl_model, "kl.model", "", "t", "kl.reference: model: Hugging Face folder of the frozen reference, with the vocabulary of the policy")      \
  C (kl_in, "kl.in", 0, "loss|reward", "t", "loss: mean over response tokens, differentiated at fixed tokens, the policy of the update against the reference; reward: sum over a response, the policy that generated it against the reference, taken off its reward before advantages, a constant") \
  B (kl_ratio, "kl.ratio", 0, "t", "kl.in: loss: a token's term is multiplied by its ratio to the policy that generated it, which is differentiated too: an unbiased gradient of KL(policy || reference) on stale tokens (k1, k3; arXiv 2512.02556)") \
  F (entropy_coef, "entropy.coef", 0, 0, 1e30, "", "t", "entropy bonus: this times the mean entropy (nats) of the policy's whole distribution at each response token is taken off the loss; differentiated through that distribution") \
  B (lp_check, "lp_check.record", 0, "t", "actors compute the log-probs of finished responses once more, teacher-forced in one pass, with the weights that generated them: column lp_check beside lp_behav, which was recorded while sampling") \
  C (lp_correct, "lp_check.correct", 0, "none|tis", "t", "tis: the objective sees the ratio to lp_check, and its coefficients are multiplied by the weight min(e^(lp_check - lp_behav), lp_check.cap), a constant: truncated importance sampling for what sampling and scoring differ by") \
  F (lp_cap, "lp_check.cap", 2, 1e-30, 1e30, "", "t", "lp_check.correct: tis: largest weight of a token")                              \
  /* ---- training */                                                                                                                         \
  I (updates, "train.updates", 320, 1, 1000000000, "updates", "ts", "optimizer updates of the whole run; a multiple of updates_per_step")      \
  F (lr, "train.lr", 1e-6, 0, 10, "", "ts", "AdamW learning rate")                                                                            \
  I (warmup, "train.warmup", 0, 0, 1000000000, "updates", "ts", "learning rate rises linearly over so many updates")                          \
  C (decay, "train.decay", 0, "constant|linear|cosine", "ts", "learning rate after the warm-up, over train.updates")                          \
  F (lr_end, "train.lr_end", 0, 0, 1, "share", "ts", "linear, cosine: last learning rate as a share of train.lr")                             \
  F (beta1, "train.beta1", 0.9, 0, 0.999999, "", "ts", "AdamW beta1")                                                                         \
  F (beta2, "train.beta2", 0.999, 0, 0.99999999, "", "ts", "AdamW beta2")                                                                     \
  F (adam_eps, "train.eps", 1e-8, 0, 1, "", "ts", "AdamW epsilon")                                                                            \
  F (weight_decay, "train.weight_decay", 0.01, 0, 10, "", "ts", "AdamW decoupled decay, on matrices only")                                    \
  F (grad_clip, "train.grad_clip", 1.0, 0, 1e30, "", "ts", "gradient norm bound; 0: none")                                                    \
  I (micro_batch_tokens, "train.micro_batch_tokens", 4096, 1, 1000000000, "tokens", "ts", "tokens forwarded together; a longer group goes alone; no result depends on it") \
  C (truncated, "train.truncated", 0, "train|mask", "t", "truncated responses are trained, or masked (advantage 0, still counted)")           \
  I (leaves, "learner.leaves", 0, 0, 4096, "", "ts", "runs of sequences whose gradients are summed in a fixed tree; 0: one a learner; 8: the same bytes for 1, 2, 4 and 8 learners") \
  /* ---- supervised (sft) */                                                                                                                 \
  I (sft_batch, "sft.batch", 64, 1, 1000000, "sequences", "s", "demonstrations of an update")                                                 \
  F (sft_noise, "sft.noise", 0, 0, 1, "", "s", "chain: probability that a step of a demonstration is wrong")                                  \
  /* ---- files */                                                                                                                            \
  I (ckpt_every, "checkpoint.every", 0, 0, 1000000000, "updates", "ts", "write a checkpoint every so many updates (a multiple of updates_per_step); 0: only at the end") \
  I (ckpt_keep, "checkpoint.keep_last", 2, 1, 1000000, "", "ts", "checkpoints that are kept")                                                 \
  C (ckpt_best, "checkpoint.best", 0, "none|avg|pass", "t", "keep the checkpoint whose evaluation (eval.every) was best as well, by that figure of evals.jsonl; checkpoints/best names it") \
  B (export_model, "checkpoint.export", 1, "ts", "write the final weights as a Hugging Face folder OUT/model")                                \
  B (stats, "stats.write", 1, "t", "write every token's statistics to HDF5")                                                                  \
  I (stats_deflate, "stats.deflate", 0, 0, 9, "level", "t", "shuffle and deflate level; 0: off")                                              \
  I (stats_chunk, "stats.chunk", 65536, 1024, 16777216, "rows", "t", "rows of an HDF5 chunk")                                                 \
  B (tensorboard, "log.tensorboard", 0, "ts", "write TensorBoard event files too")                                                            \
  F (log_every_s, "log.every_s", 5, 0, 1e9, "s", "ts", "a line of the table at most so often (metrics.jsonl has every update)")               \
  /* ---- evaluation */                                                                                                                       \
  I (eval_prompts, "eval.prompts", 256, 1, 10000000, "prompts", "tes", "prompts of an evaluation")                                              \
  I (eval_every, "eval.every", 0, 0, 1000000000, "updates", "ts", "measure the pass rate on held-out prompts every so many updates (train: a multiple of updates_per_step, and of versions 0 and the last); 0: never, sft: only at the end")
#endif
