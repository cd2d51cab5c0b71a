/* SPDX-License-Identifier: Apache-2.0 */
/* segment.h: how an update batch is cut: sequences into leaves (units of the gradient sum), leaves into segments (the responses of one group inside one leaf, which share
 * their prompt's forward pass), segments into micro-batches. Leaves and segments are functions of the batch alone, so results depend on neither learners nor micro-batches. */
#ifndef SOL_SEGMENT_H
#define SOL_SEGMENT_H
#include "solera/model.h"
#include "solera/rollout.h"

/* responses [first, first + n) of one group; their tokens are [token, token + n_tokens) of the learner's token arrays */
typedef struct {
  int32_t group, first, n;
  int32_t rows;     /* token rows of the forward pass: prompt and all responses but their last tokens */
  int64_t token, n_tokens;
} sol_segment_t;

/* The leaf of each sequence: contiguous runs balanced by response tokens. len [n_seq], out leaf [n_seq], not decreasing. */
void sol_leaf_assign (const int32_t *len, int64_t n_seq, int n_leaves, int32_t *leaf);

/* room for one micro-batch's index arrays, on the host */
typedef struct {
  int32_t max_tokens, max_rows, max_spans;
  int32_t *ids, *pos, *rows, *targets;
  sol_span_t *spans;
  sol_batch_t batch; /* points into the above */
} sol_packer_t;
sol_status_t sol_packer_create (sol_packer_t *p, int32_t max_tokens, int32_t max_rows, int32_t max_spans);
size_t sol_packer_bytes (int32_t max_tokens, int32_t max_rows, int32_t max_spans);
void sol_packer_destroy (sol_packer_t *p);
void sol_packer_clear (sol_packer_t *p);
/* appends a segment: the prompt once, then each response, seeing the prompt and itself. Head rows are the segment's tokens in order. */
void sol_packer_add (sol_packer_t *p, const sol_segment_t *s, const sol_rollout_t *group);
#endif
