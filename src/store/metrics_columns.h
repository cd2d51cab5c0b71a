/* SPDX-License-Identifier: Apache-2.0 */
/* metrics_columns.h: every scalar of a line of metrics.jsonl, once: names of the file, tags of TensorBoard (group/name) and docs/statistics.md (tested equal) follow it.
 * X (field, kind, group, unit, meaning); kind I: int64, D: double (null when unknown) */
#ifndef SOL_METRICS_COLUMNS_H
#define SOL_METRICS_COLUMNS_H
#include "solera/metrics.h"

#define SOL_METRICS_COLUMNS(X)                                                                                                              \
  X (update, I, "progress", "updates", "optimizer update that the line is about; the first is 0")                                          \
  X (batch, I, "progress", "batches", "rollout batch that it was made from; the first is 0")                                               \
  X (n_tokens, I, "progress", "tokens", "response tokens of the update batch (N)")                                                         \
  X (n_sequences, I, "progress", "responses", "responses of the update batch that were not dropped")                                                      \
  X (time_s, D, "progress", "s", "time since the program's start")                                                                         \
  X (lr, D, "loss", "", "learning rate of the update")                                                                                     \
  X (loss, D, "loss", "", "loss of the objective, without loss_kl and loss_entropy")                                                                                         \
  X (loss_kl, D, "loss", "", "kl.coef * kl_ref, what the KL adds to the loss; null where it is not in the loss")                              \
  X (loss_entropy, D, "loss", "", "minus entropy.coef times the mean entropy; null without entropy.coef")                                   \
  X (grad_norm, D, "loss", "", "norm of the gradient before it is clipped")                                                                \
  X (lag_min, D, "lag", "updates", "smallest lag (update - version) of the tokens")                                                        \
  X (lag_mean, D, "lag", "updates", "mean lag of the tokens")                                                                              \
  X (lag_max, D, "lag", "updates", "largest lag of the tokens")                                                                            \
  X (reward_fresh, D, "reward", "", "mean reward of the rollouts of the newest version known")                                             \
  X (fresh_version, D, "reward", "updates", "that version")                                                                                \
  X (reward_consumed, D, "reward", "", "mean reward of the responses trained in this update")                                              \
  X (reward_kl, D, "reward", "", "mean of kl.coef * KL taken off the reward of a response before advantages; null where it is not in the reward") \
  X (clip_share, D, "trust", "share of N", "tokens clipped high, clipped low or masked")                                                   \
  X (high_share, D, "trust", "share of N", "tokens clipped high")                                                                          \
  X (low_share, D, "trust", "share of N", "tokens clipped low")                                                                            \
  X (masked_share, D, "trust", "share of N", "tokens masked")                                                                              \
  X (share_T, D, "trust", "share of N", "tokens in the trust-region set T (A>0 and r>1, or A<0 and r<1)")                                  \
  X (m2_before, D, "trust", "nats^2", "mean of d^2 over T before masking")                                                                 \
  X (m2_after, D, "trust", "nats^2", "mean of d^2 over the tokens of T that are kept")                                                     \
  X (m2_all, D, "trust", "nats^2", "mean of d^2 over all tokens")                                                                          \
  X (cut, D, "trust", "nats^2", "smallest d^2 that is masked (m2po_clip: where the band begins; m2po_k3: smallest k3); null when nothing is cut")                                                      \
  X (kl_k1, D, "policy", "nats", "mean (-d), an estimate of KL from behaviour policy to learner")                                                     \
  X (kl_k3, D, "policy", "nats", "mean (exp d - 1 - d), another estimate of it")                                                           \
  X (kl_ref, D, "policy", "nats", "mean of the kl.term estimate of KL from policy to kl.reference over the tokens; null without kl.coef and without a frozen reference")  \
  X (check_mean, D, "policy", "nats", "mean distance of lp_check from lp_behav; null without lp_check.record")                               \
  X (check_max, D, "policy", "nats", "largest distance")                                                                                     \
  X (check_kl, D, "policy", "nats", "mean (exp x - 1 - x), x = lp_check - lp_behav: an estimate of KL from the policy as it sampled to the policy as it scores")\
  X (check_capped, D, "policy", "share of N", "tokens whose weight is lp_check.cap; null without lp_check.correct")                          \
  X (ess, D, "policy", "share of N", "effective sample size (sum r)^2 / sum r^2")                                                          \
  X (entropy, D, "policy", "nats", "mean entropy of the learner's policy")                                                                 \
  X (entropy_behav, D, "policy", "nats", "mean entropy of the policies that generated the tokens")                                         \
  X (ratio_dev, D, "policy", "", "mean distance of r from 1")                                                                                           \
  X (response_length, D, "data", "tokens", "mean length of the responses")                                                                 \
  X (truncated_share, D, "data", "share", "responses that hit the length limit")                                                           \
  X (verifier_stopped, D, "data", "responses", "responses whose answer the verifier was stopped at, by time, memory or a death of its process")\
  X (verifier_restarts, D, "data", "starts", "starts of the program of task.verifier_command after a death, a stall or a malformed answer, at these responses")\
  X (zero_groups_share, D, "data", "share", "groups whose rewards are all equal (advantage 0)")                                            \
  X (pass_rate, D, "data", "share", "right answers among the responses of the update batch") \
  X (pass_rate_generated, D, "data", "share", "the same with the groups that were dropped for them (batch.refill)") \
  X (refilled_groups, D, "data", "groups", "groups that were dropped for those of the update batch, their rewards being all equal (batch.refill)") \
  X (refilled_right_share, D, "data", "share", "of these groups: all responses right; null when none was dropped") \
  X (refilled_wrong_share, D, "data", "share", "of these groups: all responses wrong") \
  X (dropped_sequences, D, "data", "responses", "responses dropped so far because of values that float32 cannot hold")                     \
  X (skipped_updates, D, "data", "updates", "updates skipped so far because all of their responses were dropped")                          \
  X (queue_groups, D, "speed", "groups", "groups that wait in the brokers")                                                                \
  X (tokens_per_s_generated, D, "speed", "tokens/s", "response tokens that arrived since the line before")                                 \
  X (tokens_per_s_trained, D, "speed", "tokens/s", "response tokens trained since the line before")                                        \
  X (seconds_left, D, "speed", "s", "time to the last update at this pace")                                                                \
  X (generate_s, D, "time", "s", "solo: generating, and evaluating meanwhile, until the batch was there")                                                                \
  X (wait_s, D, "time", "s", "waiting for the batch, in the line of its first update")                                                                                       \
  X (forward_s, D, "time", "s", "forward passes")                                                                                          \
  X (select_s, D, "time", "s", "advantages, selection and coefficients")                                                                   \
  X (backward_s, D, "time", "s", "backward passes")                                                                                        \
  X (reduce_s, D, "time", "s", "sums over the learners")                                                                                   \
  X (optimizer_s, D, "time", "s", "optimizer")                                                                                             \
  X (write_s, D, "time", "s", "handing over statistics, writing metrics and checkpoints")                                                  \
  X (publish_s, D, "time", "s", "publishing weights")

typedef struct { const char *name, *group, *unit, *doc; char kind; size_t offset; } sol_metrics_column_t;
extern const sol_metrics_column_t sol_metrics_column[];
extern const int sol_metrics_n_columns;
/* a scalar of a row as double */
double sol_metrics_value (const sol_metrics_row_t *row, const sol_metrics_column_t *column);

/* the terminal's table: a fixed-width line and its header, without line ends */
void sol_metrics_header (sol_buffer_t *out);
void sol_metrics_line (const sol_metrics_row_t *row, int64_t updates, sol_buffer_t *out);
#endif
