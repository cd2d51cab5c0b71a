/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h: what a run says while it runs: metrics.jsonl (one line an update, flushed), the terminal's table, TensorBoard events, status.json, and where time went. */
#ifndef SOL_METRICS_H
#define SOL_METRICS_H
#include "solera/buffer.h"
#include "solera/config.h"
#include "solera/status.h"
#include "solera/trial.h"
#include <stdint.h>

/* One update. One table (src/store/metrics.c) gives the names in metrics.jsonl, TensorBoard tags and docs. NaN: unknown, written as null. */
/* Tokens by lag and log-ratio. Lags in buckets of doubling width: 0, 1, 2-3, 4-7, ..., the last from 16384 on. Log-ratios d by these edges in nats; a bin holds its edge that is farther from 0, the
 * middle one both. */
enum { SOL_METRICS_LAGS = 16, SOL_METRICS_BINS = 15, SOL_METRICS_LAG_SPAN = 4096 };
#define SOL_METRICS_EDGES { -1, -0.3, -0.1, -0.03, -0.01, -0.003, -0.001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1 }
typedef struct { int64_t n, clipped /* high, low or masked */, d[SOL_METRICS_BINS]; double m2 /* mean of d^2, nats^2 */, ess /* share of n */; } sol_metrics_lag_t;
int sol_metrics_lag_bucket (int64_t lag);   /* lags below 0 count as 0 */
int64_t sol_metrics_lag_least (int bucket); /* smallest lag of a bucket */
int sol_metrics_ratio_bin (double d);       /* NaN: the last */

typedef struct {
  int64_t update, batch, n_tokens, n_sequences;
  double time_s, lr, loss;
  double lag_min, lag_mean, lag_max;
  double reward_fresh, reward_consumed;   /* mean reward of rollouts of the newest version known, and of the trained mini-batch */
  double fresh_version;
  double clip_share, masked_share, high_share, low_share; /* of N: any of clip bits or mask; masked; high; low */
  double share_T, m2_before, m2_after, m2_all, cut, kl_k1, kl_k3, ess, entropy, entropy_behav, ratio_dev; /* ratio_dev = mean |r-1| */
  double kl_ref, loss_kl, loss_entropy, reward_kl, check_mean, check_max, check_kl, check_capped; /* terms beside the objective; NaN: not asked for */
  double grad_norm, response_length, truncated_share, verifier_stopped, verifier_restarts, zero_groups_share, pass_rate, pass_rate_generated, refilled_groups, refilled_right_share, refilled_wrong_share, dropped_sequences, skipped_updates;
  double tokens_per_s_generated, tokens_per_s_trained, queue_groups, seconds_left;
  double generate_s, wait_s, forward_s, select_s, backward_s, reduce_s, optimizer_s, write_s, publish_s;
  sol_metrics_lag_t lag[SOL_METRICS_LAGS]; /* by sol_metrics_lag_bucket */
  const int64_t *lag_histogram; int64_t lag_first, lag_span; /* [lag_span] tokens of lag lag_first + i, of the caller; beyond SOL_METRICS_LAG_SPAN in the last */
  double entropy_sum[2][28]; int64_t entropy_n[2][28]; /* |r-1| in 28 bins of .025 on [0, .7), by sign of A (0: A <= 0, 1: A > 0) */
  int n_sets; /* over 1: pass rate of every data set in the mini-batch, by name; NaN: it has no response there. Both of the caller. */
  const char *const *set_name;
  const double *set_pass;
} sol_metrics_row_t;

typedef struct sol_metrics sol_metrics_t;
/* resumed_update >= 0: lines of metrics.jsonl at updates >= it are cut away first */
sol_status_t sol_metrics_open (const char *run_dir, const sol_config_t *config, int64_t resumed_update, sol_metrics_t **metrics_p);
sol_status_t sol_metrics_put (sol_metrics_t *m, const sol_metrics_row_t *row); /* jsonl, tensorboard, terminal line every log.every_s and at the last update */
sol_status_t sol_metrics_trial (sol_metrics_t *m, const sol_trial_t *trial); /* an evaluation's figures for TensorBoard, at its version */
void sol_metrics_close (sol_metrics_t *m);
/* What a run that goes on at an update keeps of its metrics.jsonl: the lines before the first that is not whole, not JSON or whose "update" is not below it. A missing file is fine. */
sol_status_t sol_metrics_cut (const char *path, int64_t resumed_update);

/* status.json, atomic: state "running" | "done" | "stopped" | "failed" */
sol_status_t sol_status_write (const char *run_dir, const char *state, const char *reason, int64_t update, int64_t updates, const char *checkpoint);
/* The same with state "failed", by any rank, several at once too: an outcome that was told before stays, so the first failure does. update -1: that of checkpoints/latest, which is then the checkpoint. */
sol_status_t sol_status_failed (const char *run_dir, const char *reason, int64_t update, int64_t updates, const char *checkpoint);

/* where time went, per rank: phases by name; printed by rank 0 as a table role x phase with shares, which names the busiest role */
typedef enum { SOL_PHASE_GENERATE, SOL_PHASE_EVALUATE, SOL_PHASE_WAIT, SOL_PHASE_FETCH, SOL_PHASE_FORWARD, SOL_PHASE_SELECT, SOL_PHASE_BACKWARD, SOL_PHASE_REDUCE, SOL_PHASE_OPTIMIZER,
               SOL_PHASE_PUBLISH, SOL_PHASE_WRITE, SOL_PHASE_BROKER, SOL_PHASE_COUNT } sol_phase_t;
typedef struct { double s[SOL_PHASE_COUNT], total_s; char role[16]; int index; } sol_times_t;
/* all ranks' times -> text */
void sol_times_table (const sol_times_t *times, int n, sol_buffer_t *out);
const char *sol_phase_name (sol_phase_t phase);
#endif
