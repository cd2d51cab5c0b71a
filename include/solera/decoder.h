/* SPDX-License-Identifier: Apache-2.0 */
/* decoder.h: generation with a KV cache and continuous batching: a finished sequence's place is taken by the next. A group's prompt is prefilled once
 * for its G responses. Which log-probs: of the tempered, untruncated distribution (contract). Results of a sequence do not depend on what is decoded beside it. */
#ifndef SOL_DECODER_H
#define SOL_DECODER_H
#include "solera/model.h"
#include "solera/random.h"

typedef struct sol_decoder sol_decoder_t;
typedef enum { SOL_FINISH_EOS = 1, SOL_FINISH_STOP = 2, SOL_FINISH_LENGTH = 3 } sol_finish_t;

typedef struct {
  int32_t slots;      /* sequences side by side */
  int32_t max_prompt, max_new;
  int no_graphs;   /* 1: on a device that has them too, every step is launched op by op */
  int64_t kv_rows; /* keys and values that there is room for, in tokens; 0: for max_new of every place. With less, the youngest sequences wait where it does not suffice, and are computed anew. */
  float temperature;
  double top_p;  /* 1: off */
  int32_t top_k; /* 0: off */
  int greedy;
  uint64_t seed;
  sol_random_purpose_t purpose; /* SOL_RANDOM_SAMPLE or SOL_RANDOM_EVAL */
  /* does the response end here? called after every token; returns 0 or a sol_finish_t. NULL: never. Length is the decoder's own business. */
  int (*ends) (void *ctx, const int32_t *ids, int32_t n);
  void *ends_ctx;
} sol_decoder_params_t;

/* one prompt and its G responses being generated, or finished */
typedef struct {
  uint64_t group;   /* randomness: (group, sample, position) */
  uint64_t tag;     /* the caller's */
  int32_t n_prompt, n_samples;
  const int32_t *prompt;  /* decoder's copy */
  const int32_t *len;     /* [n_samples] tokens of each response, the ending token included */
  const uint8_t *finish;  /* [n_samples] sol_finish_t */
  int32_t stride;         /* response s, token t is at [s * stride + t] of: */
  const int32_t *ids;
  const float *lp, *raw_lp, *entropy;
  const int64_t *version; /* model version that chose the token (sol_decoder_version) */
} sol_group_out_t;

sol_status_t sol_decoder_create (sol_model_t *model, const sol_decoder_params_t *params, sol_decoder_t **decoder_p);
void sol_decoder_destroy (sol_decoder_t *d);
/* backend memory of a decoder. Keys and values are kept in pages of SOL_KV_PAGE tokens, taken as sequences grow. kv_rows 0: pages for max_new - 1 tokens a place, and for prompts of full length of
 * a quarter of the places (at least 4, at most all). A prompt that finds no room waits for one to leave. SIZE_MAX: more than 2^31 rows, or kv_rows too few for one sequence. */
size_t sol_decoder_need (const sol_model_t *model, const sol_decoder_params_t *params, size_t *cache_p /* of it keys and values; not set at SIZE_MAX */,
                         size_t *pinned_p /* beside it: host memory through which a step's arrays travel (sol_backend_pin); not set at SIZE_MAX */);
size_t sol_decoder_bytes (const sol_model_t *model, const sol_decoder_params_t *params);
/* queues a group (its responses start when places are free). SOL_AGAIN: no room, take or step first. n_prompt <= max_prompt, else SOL_ERR_LIMIT. max_samples a group: 4096. */
sol_status_t sol_decoder_put (sol_decoder_t *d, uint64_t group, uint64_t tag, const int32_t *prompt, int32_t n_prompt, int32_t n_samples, int32_t max_new);
/* one token for every running sequence. SOL_AGAIN: nothing is running or queued. */
sol_status_t sol_decoder_step (sol_decoder_t *d);
/* the oldest finished group, valid until the next put or step; SOL_AGAIN: none */
sol_status_t sol_decoder_take (sol_decoder_t *d, sol_group_out_t *out_p);
int32_t sol_decoder_running (const sol_decoder_t *d);  /* sequences running or waiting for a place, of unfinished groups */
int32_t sol_decoder_free_slots (const sol_decoder_t *d); /* places that nothing queued would take */
int64_t sol_decoder_tokens (const sol_decoder_t *d);   /* tokens chosen so far */
int64_t sol_decoder_replays (const sol_decoder_t *d);  /* steps that ran as a graph so far */
int64_t sol_decoder_put_back (const sol_decoder_t *d); /* sequences that had to wait for pages so far, and lost theirs */
/* version recorded for the tokens chosen from now on; set it whenever the model's weights change. recompute: keys and values of everything running are computed anew. */
sol_status_t sol_decoder_version (sol_decoder_t *d, int64_t version, int recompute);
/* whose randomness is drawn from now on; only while nothing is running */
void sol_decoder_purpose (sol_decoder_t *d, sol_random_purpose_t purpose);
#endif
