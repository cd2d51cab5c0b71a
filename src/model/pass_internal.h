/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOL_PASS_INTERNAL_H
#define SOL_PASS_INTERNAL_H
#include "model_internal.h"

struct sol_pass {
  sol_model_t *m;
  int32_t max_tokens, max_rows, max_spans;
  int backward;
  sol_arena_t arena;
  sol_acts_t *acts;                            /* [layers]; all the same set without backward */
  sol_tensor_t last;                           /* [T, C] the stream after the last layer */
  sol_tensor_t ids, pos, spans, rows, targets; /* i32 */
  sol_tensor_t h, s;                           /* scratch [T, C], [T, mlp] */
  /* head, [R, C]: gathered stream, its norm, and inv [1, R] */
  sol_tensor_t head_x, head_h, head_inv, partial, lp, entropy, scratch, logits, one;
  float inv_temp; /* of the last forward */
  sol_run_t run;  /* of the last forward */
  int32_t n_tokens, n_rows;
  /* backward: order [1, R] are the head rows in rounds of distinct token rows, into [1, R] their token rows */
  sol_tensor_t c_lp, c_entropy, order, into, d_head, d_ordered, dx, dh, dq, dk, dv, d_o, dk_raw, dgate, dup, ds;
  int32_t *count, *occurrence, *round_end; /* host scratch: [T], [R], [R + 1] */
  /* Host memory that travels, pinned where the backend is a device. On a host backend there is only what the pass itself makes up: the caller's arrays serve for the rest. */
  sol_arena_t pinned;
  int32_t *host_ids, *host_pos, *host_rows, *host_targets, *host_order, *host_into;
  sol_span_t *host_spans;
  float *host_lp, *host_entropy, *host_raw, *host_c_lp, *host_c_entropy, *host_logits;
};
/* host bytes to the backend, by way of pinned memory of the pass (NULL on a host backend), which is free again once the pass has returned */
void sol_pass_put (sol_pass_t *p, sol_tensor_t to, void *pinned, const void *from, size_t bytes);
#endif
