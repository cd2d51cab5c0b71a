/* SPDX-License-Identifier: Apache-2.0 */
/* rescore.h: what other rules would have done with a run's recorded tokens. */
#ifndef SOL_CLI_RESCORE_H
#define SOL_CLI_RESCORE_H
#include "solera/buffer.h"
#include "solera/comm.h"
#include "solera/config.h"
#include "solera/objective.h"
#include "solera/stats_read.h"

enum { SOL_RESCORE_RULES = 64 };
#define SOL_RESCORE_MARKS (SOL_VERDICT_HIGH | SOL_VERDICT_LOW | SOL_VERDICT_MASKED)

/* the rules; the first is "self": the run's own objective with its own settings */
typedef struct {
  int n, base; /* base: whose differences from the others are listed by token */
  char *label[SOL_RESCORE_RULES]; /* as it was asked for */
  char *full[SOL_RESCORE_RULES];  /* with all parameters: "m2po:tau=0.04" */
  sol_objective_t *o[SOL_RESCORE_RULES];
} sol_rescore_rules_t;
/* list: "NAME[:param=value...],..." or NULL. max_length is the run's rollout.max_tokens unless given. */
sol_status_t sol_rescore_rules (const sol_config_t *config, const char *list, sol_rescore_rules_t *rules);
/* the rule that tokens are listed against; NULL: self */
sol_status_t sol_rescore_against (sol_rescore_rules_t *rules, const char *label);
void sol_rescore_rules_free (sol_rescore_rules_t *rules);

/* one rule on the tokens of one update, or of several: plain sums, added in order of updates whatever the number of ranks */
typedef struct {
  int64_t updates, refused;              /* updates decided; updates that the rule refuses, which count nowhere else */
  int64_t n, n_seq, n_high, n_low, n_masked, n_advantage, lag, lag_marked;
  double ratio, ratio_kept;              /* sum of r over tokens with A != 0; of those that keep a coefficient */
  double effective;                      /* (sum w)^2 / sum w^2, w = |c / A| */
  double entropy, entropy_marked, mass_pos, mass_neg;
  double loss, m2_before, m2_after, cut; /* of one update */
  int64_t refused_seq;                   /* the first refusal */
  char why[72];
} sol_rescore_sum_t;
/* n x n: tokens that one of two rules marks and the other does not, and tokens that both have decided */
typedef struct { int64_t differ, both; } sol_rescore_pair_t;
typedef struct {
  int64_t update, n, n_seq;
  sol_rescore_sum_t *sum;   /* [n rules] */
  sol_rescore_pair_t *pair; /* [n rules x n rules] */
} sol_rescore_row_t;

/* the figures that are printed, in order: name, unit, meaning, of one update only */
#define SOL_RESCORE_FIGURES(X)                                                                                                                   \
  X (tokens, "tokens", "response tokens that the rule decided on", 0)                                                                         \
  X (marked, "share of tokens", "tokens clipped or masked", 0)                                                                                \
  X (high, "share of tokens", "tokens clipped high", 0)                                                                                       \
  X (low, "share of tokens", "tokens clipped low", 0)                                                                                         \
  X (masked, "share of tokens", "tokens masked", 0)                                                                                           \
  X (kept_weight, "share", "of the sum of r over tokens with an advantage, what still has a gradient", 0)                                     \
  X (ess, "share of tokens", "effective sample size (sum w)^2 / sum w^2 of the tokens with an advantage, w = |c / A|", 0)                     \
  X (entropy, "nats", "mean entropy of all tokens", 0)                                                                                        \
  X (entropy_marked, "nats", "mean entropy of the tokens clipped or masked", 0)                                                               \
  X (lag, "updates", "mean lag of all tokens", 0)                                                                                             \
  X (lag_marked, "updates", "mean lag of the tokens clipped or masked", 0)                                                                    \
  X (mass_pos, "", "sum of |c| over tokens with A > 0", 0)                                                                                    \
  X (mass_neg, "", "sum of |c| over tokens with A < 0", 0)                                                                                    \
  X (differ, "share of tokens", "tokens that the rule marks and self does not, or the other way round", 0)                                    \
  X (loss, "", "loss of the rule", 1)                                                                                                         \
  X (m2_before, "nats^2", "mean of d^2 over the trust-region set (m2po_all: over all tokens)", 1)                                             \
  X (m2_after, "nats^2", "the same over what the rule keeps of it", 1)                                                                        \
  X (cut, "nats^2", "smallest d^2 removed, or the capping value", 1)
enum {
#define X(name, ...) SOL_RESCORE_##name,
  SOL_RESCORE_FIGURES (X)
#undef X
  SOL_RESCORE_N
};
typedef struct { const char *name, *unit, *doc; int of_one; } sol_rescore_figure_t;
extern const sol_rescore_figure_t sol_rescore_figure[SOL_RESCORE_N];
/* of rule i of a row (of n rules); NaN: there is none */
void sol_rescore_figures (const sol_rescore_row_t *row, int n, int i, double figure[SOL_RESCORE_N]);

/* ---- tokens on which a rule differs from rules->base, by token id: whole numbers, so that their sums do not depend on ranks */
typedef struct { int64_t rule, base, all, entropy, lag; } sol_rescore_word_t; /* marked by the rule only, by the other only; occurrences; entropy in 2^-24 nats and lag, over the two */
typedef struct { int64_t room; sol_rescore_word_t *word[SOL_RESCORE_RULES]; } sol_rescore_words_t;
sol_status_t sol_rescore_words_add (sol_rescore_words_t *w, const sol_rescore_rules_t *rules, const sol_stats_update_t *t, int64_t update, const uint64_t *const *marks);
/* collective: the sums of all ranks */
sol_status_t sol_rescore_words_sum (sol_rescore_words_t *w, int n, sol_comm_t *world);
/* ids of the up to n words of a rule with most differences, most first; how many */
int sol_rescore_words_top (const sol_rescore_words_t *w, int rule, int n, int64_t *id);
void sol_rescore_words_free (sol_rescore_words_t *w);
/* what gives texts of token ids: both NULL, or one of them */
struct sol_tokenizer;
struct sol_task;
typedef struct { struct sol_tokenizer *tokenizer; struct sol_task *chain; } sol_rescore_texts_t;
/* a token's text in quotes, as JSON; 0: there are no texts */
int sol_rescore_text_of (const sol_rescore_texts_t *texts, int32_t token, sol_buffer_t *out);

/* ---- one update through all rules */
typedef struct {
  sol_rescore_rules_t *rules;
  sol_rescore_words_t *words; /* NULL: not asked for */
  int want;        /* columns beside the usual: SOL_STATS_READ_* */
  double check_cap; /* with SOL_STATS_READ_CHECK: the run's lp_check.cap */
  int64_t room;
  float *d, *d_prox, *d_check; /* d_check: with SOL_STATS_READ_CHECK */
  double *c;
  uint8_t *verdict;
  uint64_t *marks[SOL_RESCORE_RULES]; /* a bit a token */
  double seconds;
} sol_rescore_work_t;
/* row: this rank's room for it. SOL_ERR_FORMAT: self does not reproduce the run's own verdicts. */
sol_status_t sol_rescore_update (sol_rescore_work_t *work, const sol_stats_update_t *t, int64_t update, sol_rescore_row_t *row);
void sol_rescore_work_free (sol_rescore_work_t *work);

/* ---- what is printed (rank 0) */
typedef struct {
  const char *run, *program;
  const sol_rescore_rules_t *rules;
  int64_t from, to, done; /* asked for; the last that was done */
  int stopped;
} sol_rescore_head_t;
void sol_rescore_text_head (const sol_rescore_head_t *h, sol_buffer_t *out);
void sol_rescore_text_update (const sol_rescore_head_t *h, const sol_rescore_row_t *row, sol_buffer_t *out);
void sol_rescore_text_sum (const sol_rescore_head_t *h, const sol_rescore_row_t *row, sol_buffer_t *out);
void sol_rescore_text_words (const sol_rescore_head_t *h, const sol_rescore_words_t *w, int n, const sol_rescore_texts_t *texts, sol_buffer_t *out);
void sol_rescore_json_head (const sol_rescore_head_t *h, sol_buffer_t *out);
void sol_rescore_json_update (const sol_rescore_head_t *h, const sol_rescore_row_t *row, sol_buffer_t *out);
void sol_rescore_json_sum (const sol_rescore_head_t *h, const sol_rescore_row_t *row, sol_buffer_t *out);
void sol_rescore_json_words (const sol_rescore_head_t *h, const sol_rescore_words_t *w, int n, const sol_rescore_texts_t *texts, sol_buffer_t *out);

typedef struct { const char *run, *objectives, *against, *hdf5; int64_t from, to; int tokens, json; } sol_rescore_options_t; /* to < 0: the last; tokens: 0 none */
/* collective over world; writes to standard output on rank 0 */
sol_status_t sol_rescore (const sol_rescore_options_t *options, sol_comm_t *world);
#endif
