/* SPDX-License-Identifier: Apache-2.0 */
/* learner_internal.h: the learner's parts: batch.c takes a batch, update.c makes one update, report.c records it, save.c writes checkpoints, learner.c is the order of things. */
#ifndef SOL_LEARNER_INTERNAL_H
#define SOL_LEARNER_INTERNAL_H
#include "optimizer.h"
#include "segment.h"
#include "solera/clock.h"
#include "solera/learner.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/objective.h"
#include "solera/stats.h"
#include "solera/trial.h"
#include "solera/watch.h"
#include <stdio.h>

/* this learner's tokens of one update batch, in its order; columns of room tokens */
typedef struct {
  int64_t n, room;
  int64_t *seq, *src;       /* rollout id; place in the forward pass's order (differs from the index once a sequence was dropped) */
  int32_t *position, *token, *version, *update_lag;
  float *lp_behav, *lp, *entropy, *entropy_behav, *d, *adv, *lp_prox, *d_prox, *lp_raw, *lp_ref, *lp_check; /* NULL: lp_raw at temperature 1, lp_ref without a frozen reference, lp_check unless it is recorded */
  float *d_from, *d_check;  /* with lp_check.correct: lp - lp_check, which the objective then sees in place of d; lp_check - lp_behav */
  float *lp_pass, *entropy_pass, *prox_pass, *ref_all; /* in the forward pass's order */
  double *c;
  float *c_lp, *c_entropy, *c_entropy_pass; /* c_lp and c_entropy_pass in the forward pass's order; the last two NULL without an entropy bonus */
  uint8_t *verdict;
} sol_columns_t;

typedef enum { LEARNER_START, LEARNER_WAIT, LEARNER_UPDATE, LEARNER_PUBLISH, LEARNER_SAVE, LEARNER_SAVE_QUEUE, LEARNER_SAVE_COMMIT, LEARNER_FRESH, LEARNER_REST, LEARNER_TRIALS, LEARNER_END } sol_learner_state_t;

struct sol_learner {
  sol_learner_params_t p;
  const sol_config_t *c;
  int rank, size;
  sol_learner_state_t state;
  sol_optimizer_t *opt;
  sol_objective_t *objective;
  sol_terms_t terms;             /* what the loss has beside the objective */
  sol_pass_t *pass, *ref_pass;   /* ref_pass: of the frozen reference, without backward; NULL: none */
  sol_packer_t packer;
  int32_t cap_tokens, cap_rows;  /* of pass and packer */
  /* the batch */
  int64_t batch, update;         /* batch being trained; updates made */
  sol_batch_row_t *row;          /* [prompts] */
  char *records;
  size_t records_room;
  sol_rollout_t *group;          /* [prompts], into records */
  float *adv;                    /* [prompts * group] */
  uint64_t *generated;           /* [prompts] sol_rollout_generated */
  double *reward, *advantage;    /* [sequences of a mini-batch] on the way to it */
  double *penalty;               /* [prompts * group] KL taken off the rewards, before kl.coef; NULL: none */
  /* the update */
  sol_segment_t *segment;        /* [n_segments] of mine */
  int32_t *segment_leaf, n_segments;
  int32_t *len, *leaf;           /* [sequences of a mini-batch] */
  uint8_t *dropped;              /* [sequences of a mini-batch] 1: refused in the update that is made, taken out of it */
  int64_t n_dropped_seq, dropped_total, skipped_total; /* skipped: updates whose every response was dropped */
  sol_columns_t col;
  sol_verdicts_t verdicts;
  sol_term_sums_t term_sums;
  double loss, norm, lr;
  /* records */
  sol_stats_t *stats;
  sol_metrics_t *metrics;
  int n_sets;                    /* data sets of the task */
  char **set_name;               /* [n_sets] */
  double *set_pass;              /* [n_sets] pass rates of the mini-batch that is reported */
  FILE *fresh;
  int64_t fresh_next;            /* version whose fresh reward is reported next */
  double fresh_reward, fresh_version;
  int64_t start_update, tokens_in_before;
  double start_s, last_s, last_phase[SOL_PHASE_COUNT];
  double phase[SOL_PHASE_COUNT];
  double waits_from, wait_s, last_wait_s; /* for the batch: counted up to when; in all; at the last line of metrics */
  int lag0_said;
  int64_t next_trial;            /* version whose evaluation is awaited; SOL_TRIAL_NONE: none */
  double trial_asked_s, trial_pause_s; /* when its files were looked for last, and how long not to look again */
  uint64_t weights;              /* XXH3 of the published block of version weights_of (learner 0); -1: none */
  int64_t weights_of;
  int64_t saved;                 /* update of the last checkpoint that is whole */
  /* stopping and saving */
  int stop, finished;
  sol_checkpoint_writer_t *writer;
  char checkpoint[32];
};

/* ---- learner.c */
int32_t sol_learner_cap (const sol_config_t *c); /* tokens of a pass at the start */
sol_status_t sol_learner_pass (sol_learner_t *l); /* packer and pass of cap_tokens and cap_rows */

int64_t sol_learner_end (const sol_learner_t *l);  /* updates that this run makes: with a record no more than that has */

/* ---- batch.c */
sol_status_t sol_learner_room (sol_learner_t *l);  /* memory for batches */
sol_status_t sol_learner_room_bytes (const sol_config_t *c, uint64_t *bytes_p); /* of its large part */
void sol_learner_room_free (sol_learner_t *l);
sol_status_t sol_learner_take (sol_learner_t *l);  /* AGAIN: not there; reads, checks and grades batch l->batch */
sol_status_t sol_learner_advantages (sol_learner_t *l); /* of the batch's records into adv */
int sol_learner_lost (const sol_learner_t *l, int64_t group); /* of the batch: a response whose KL cannot be taken off its reward (kl.in: reward): it has no advantages, and is dropped */
void sol_learner_cut (sol_learner_t *l, int64_t mini); /* segments and columns of mini-batch `mini` */
static inline int64_t sol_learner_groups (const sol_learner_t *l) { return l->c->prompts / l->c->ups; }

/* ---- update.c */
sol_status_t sol_learner_prox (sol_learner_t *l);              /* decoupled objectives: log-probs under the policy at the start of the batch */
/* collective: log-probs of the whole batch under the frozen reference, and, with kl.in: reward, the advantages anew */
sol_status_t sol_learner_reference (sol_learner_t *l);
sol_status_t sol_learner_reference_mini (sol_learner_t *l, int64_t mini); /* its part that computes, of one mini-batch; not collective */
int32_t sol_learner_grown (int32_t cap, int64_t need);         /* the tokens or rows of a pass, once `need` are asked for */
/* phase one: forward over the whole update batch; *micros_p: micro-batches made (1: its activations are still there) */
sol_status_t sol_learner_forward (sol_learner_t *l, float *lp, float *entropy, int32_t *micros_p);
/* phase two: gradients with the coefficients in col.c, leaf by leaf; kept: the activations of phase one are there */
sol_status_t sol_learner_backward (sol_learner_t *l, int kept);
sol_status_t sol_learner_make_update (sol_learner_t *l, int64_t mini); /* collective */

/* ---- report.c */
sol_status_t sol_report_open (sol_learner_t *l);
sol_status_t sol_report_update (sol_learner_t *l, int64_t mini); /* collective */
sol_status_t sol_report_lags (sol_learner_t *l, sol_metrics_row_t *m); /* collective; report_lags.c */
sol_status_t sol_report_fresh (sol_learner_t *l);              /* rank 0; not collective */
int64_t sol_report_fresh_due (const sol_learner_t *l, int64_t version); /* responses due from that version (exact mode) */
sol_status_t sol_report_rest (sol_learner_t *l);               /* sequences that were never trained; AGAIN while the broker serves them */
/* rank 0: evaluations that are complete, looked for now and then */
sol_status_t sol_report_trials (sol_learner_t *l);
sol_status_t sol_report_close (sol_learner_t *l);

/* ---- report_sets.c */
void sol_report_sets_open (sol_learner_t *l, sol_buffer_t *lines); /* names, appended to lines too, a line each */
void sol_report_sets_close (sol_learner_t *l);
/* several data sets: the share of right answers among each one's responses of the mini-batch that were not dropped */
void sol_report_sets (sol_learner_t *l, int64_t mini, sol_metrics_row_t *m);
/* pass rate of the mini-batch, without and with what batch.refill dropped for it */
void sol_report_refilled (const sol_learner_t *l, int64_t mini, sol_metrics_row_t *m);

/* ---- save.c */
sol_status_t sol_save_begin (sol_learner_t *l);
sol_status_t sol_save_queue (sol_learner_t *l);  /* AGAIN */
sol_status_t sol_save_commit (sol_learner_t *l);
sol_status_t sol_save_export (sol_learner_t *l); /* the weights as a Hugging Face folder */
#endif
