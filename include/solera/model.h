/* SPDX-License-Identifier: Apache-2.0 */
/* model.h: one decoder-only transformer: RMSNorm, RoPE, SwiGLU, grouped-query attention; optional q/k/v bias (Qwen2), q/k norm (Qwen3), tied or
 * untied head, RoPE scaled as linear, llama3 or yarn. Weights are one canonical block, cut by one table. No file formats here but config.json. */
#ifndef SOL_MODEL_H
#define SOL_MODEL_H
#include "solera/backend.h"
#include "solera/buffer.h"
#include "solera/config.h"
#include "solera/status.h"

typedef enum { SOL_ROPE_PLAIN, SOL_ROPE_LLAMA3, SOL_ROPE_LINEAR, SOL_ROPE_YARN } sol_rope_kind_t;
/* sizes and switches, from HF config.json or settings */
typedef struct {
  int32_t layers, width, heads, kv_heads, head_size, mlp, vocab, context;
  float norm_eps;
  double rope_theta;
  double rope_factor;                                  /* llama3, linear, yarn */
  double rope_low, rope_high, rope_original;           /* llama3: low_freq_factor, high_freq_factor; yarn: beta_slow, beta_fast */
  double rope_scale; /* yarn: of cosines and sines (attention_factor); without yarn 0 or 1, and not looked at */
  int rope_exact;                                      /* yarn: the bounds of the ramp are not rounded (truncate false) */
  sol_rope_kind_t rope_kind;
  int qkv_bias, qk_norm, tied;
  sol_dtype_t dtype; /* of the folder's weights: SOL_F32 or SOL_BF16 (F16 is read as F32) */
  char family[16];   /* model_type: "llama", "mistral", "qwen2", "qwen3" */
  int32_t bos, eos[8], n_eos; /* config.json, then generation_config.json of the same folder; -1: none */
} sol_arch_t;
/* reads DIR/config.json (both styles: torch_dtype, rope_theta, rope_scaling; dtype, rope_parameters). What it does not support is an error that names the key. */
sol_status_t sol_arch_load (const char *dir, sol_arch_t *arch_p);
/* a new model from settings; vocab and eos from the task */
sol_status_t sol_arch_new (const sol_config_t *config, int32_t vocab, int32_t context, int32_t eos, sol_arch_t *arch_p);
/* "LlamaForCausalLM" of a loaded or new arch; a constant */
const char *sol_arch_class (const sol_arch_t *arch);
/* config.json text that transformers loads (LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM); dtype: of the written weights */
void sol_arch_json (const sol_arch_t *arch, sol_dtype_t dtype, sol_buffer_t *out);

/* how a matrix is cut over tensor-parallel ranks later: the rule is data, nothing uses it yet but the table's printers and tests */
typedef enum { SOL_SHARD_NONE, SOL_SHARD_ROWS, SOL_SHARD_COLS } sol_shard_t;
/* one row of the weight table; elements [offset, offset + rows*cols) of the canonical block, row-major, as in the HF file */
typedef struct {
  char name[80]; /* Hugging Face's: "model.layers.0.self_attn.q_proj.weight" */
  int64_t offset, rows, cols;
  int vector, decay; /* vector: shape [cols] in files (norms, biases); decay: AdamW decays it (matrices) */
  sol_shard_t shard;
} sol_weight_row_t;
typedef struct {
  int n;
  sol_weight_row_t *row;
  int64_t elements; /* of the whole block */
} sol_table_t;
sol_table_t *sol_table_create (const sol_arch_t *arch);
void sol_table_destroy (sol_table_t *table);
const sol_weight_row_t *sol_table_find (const sol_table_t *table, const char *name);
/* new weights: norms 1, biases 0, matrices normal with sd 1/sqrt(cols) (embedding .02; projections back into the stream scaled by 1/sqrt(2 layers)); Philox SOL_RANDOM_INIT, group = row */
void sol_table_init (const sol_table_t *table, const sol_arch_t *arch, uint64_t seed, float *block);
/* digest of all weights: XXH3 per tensor of the f32 master in table order, then XXH3 of the array of hashes */
uint64_t sol_table_digest (const sol_table_t *table, const float *block);

/* ---- the model with its published (rounded) weights, in backend memory */
typedef struct sol_model sol_model_t;
/* dtype: SOL_F32 or SOL_BF16, of the published block. All memory is made here. */
sol_status_t sol_model_create (sol_backend_t *backend, const sol_arch_t *arch, sol_dtype_t dtype, sol_model_t **model_p);
/* can this backend compute it? SOL_ERR_UNSUPPORTED: its attention heads are of another size. sol_model_create asks too. */
sol_status_t sol_model_fits (const sol_model_t *m);
/* A model without memory, to ask how much there would be: only for sol_model_arch, _table, _dtype, _backend, _bytes, _need, _pinned, _fits, sol_grad_elements, sol_pass_bytes, sol_pass_pinned, sol_decoder_need,
 * sol_decoder_bytes and sol_model_destroy. */
sol_model_t *sol_model_measure (sol_backend_t *backend, const sol_arch_t *arch, sol_dtype_t dtype);
/* backend memory of a model, published block included; and the host memory that it pins (sol_backend_pin; none on a host backend) */
size_t sol_model_need (const sol_model_t *model);
size_t sol_model_pinned (const sol_model_t *model);
void sol_model_destroy (sol_model_t *model);
const sol_arch_t *sol_model_arch (const sol_model_t *model);
const sol_table_t *sol_model_table (const sol_model_t *model);
sol_dtype_t sol_model_dtype (const sol_model_t *model);
sol_backend_t *sol_model_backend (const sol_model_t *model);
/* bytes of the published block: elements * bytes of dtype */
size_t sol_model_bytes (const sol_model_t *model);
/* installs a published block (host memory, canonical order, sol_model_bytes long) and prepares the matrices */
sol_status_t sol_model_set (sol_model_t *model, const void *block);
/* The same of a block in pinned memory (sol_backend_pin) without waiting: it goes up on the copy queue once what was put on the compute queue has run, while the host goes on; what is put on the
 * compute queue from now on has the new weights. The block must not change before sol_model_sent, which waits for it and tells its errors. */
void sol_model_send (sol_model_t *model, const void *block);
sol_status_t sol_model_sent (sol_model_t *model);
/* for whoever carries the weights' like (optimizer.h): its own, of a made model */
sol_ferry_t *sol_model_ferry (const sol_model_t *model);
/* the same in two parts, for who makes the block on the backend: its memory there (sol_model_bytes), and the preparation of what stands in it (asynchronous: sync the compute queue) */
void *sol_model_block (sol_model_t *model);
void sol_model_install (sol_model_t *model);
/* rounds a float32 block to the published type on the host: the one rounding that everybody uses */
void sol_model_round (const float *block, int64_t n, sol_dtype_t dtype, void *out);

/* ---- training passes over packed tokens */
/* All arrays on the host, owned by the caller until the pass has returned. Token t has id ids[t], absolute position pos[t]; spans (ops.h) say who sees whom.
 * Head rows: row i reads the hidden state of token rows[i] and predicts targets[i]. One token row may serve several
 * head rows (the last prompt token of a group predicts the first token of all G responses). The rows of one sequence, or of one shared prompt and its responses, belong
 * into one batch; which others are beside it changes no bit of the results (host backends). */
typedef struct {
  int32_t n_tokens, n_spans, n_rows;
  const int32_t *ids, *pos;
  const sol_span_t *spans;
  const int32_t *rows, *targets;
} sol_batch_t;
/* room for passes: activations of up to the given sizes */
typedef struct sol_pass sol_pass_t;
/* Bytes without allocating (a measuring arena): of backend memory; and of the host memory through which its columns travel (sol_backend_pin; on a host backend only what its backward makes up). */
size_t sol_pass_bytes (const sol_model_t *model, int32_t max_tokens, int32_t max_rows, int32_t max_spans, int backward);
size_t sol_pass_pinned (const sol_model_t *model, int32_t max_tokens, int32_t max_rows, int32_t max_spans, int backward);
sol_status_t sol_pass_create (sol_model_t *model, int32_t max_tokens, int32_t max_rows, int32_t max_spans, int backward, sol_pass_t **pass_p);
void sol_pass_destroy (sol_pass_t *pass);
/* lp, entropy (nats) of the tempered distribution for each head row, raw_lp at temperature 1 (NULL: not wanted). Activations stay in pass for a backward.
 * SOL_ERR_FORMAT: an id outside the vocabulary; SOL_ERR_LIMIT: a position outside the context. More tokens, rows or spans than the pass was made for: assertion. */
sol_status_t sol_pass_forward (sol_pass_t *pass, const sol_batch_t *batch, float temperature, float *lp, float *entropy, float *raw_lp);
/* logits (V floats) after the head row i of the last forward; for tests and tools */
sol_status_t sol_pass_logits (sol_pass_t *pass, int32_t row, float *logits);
/* gradients of sum_i (c_lp[i] * lp_i + c_entropy[i] * entropy_i) are ADDED to grad (backend memory, which is any host memory on a host backend;
 * sol_grad_elements floats). The batch must be that of the last
 * forward of this pass. Sums over tokens continue the present values as one chain in token order. c_entropy NULL: zeros. done (may be NULL): called when the
 * gradients of a layer are complete on the compute queue, last layer first, no layer when the batch is empty. */
sol_status_t sol_pass_backward (sol_pass_t *pass, const sol_batch_t *batch, const float *c_lp, const float *c_entropy, float *grad, void (*done) (void *ctx, int layer), void *ctx);
/* a layer's elements in the block, which lie together: [*first_p, return value) */
int64_t sol_model_layer (const sol_model_t *model, int layer, int64_t *first_p);
/* table elements, plus V*C for a tied model: the head's part of a tied embedding is its own chain behind the block until folded */
int64_t sol_grad_elements (const sol_model_t *model);
/* adds the head's part to the embedding's (tied; else nothing) and zeroes it; on the compute queue, asynchronous */
void sol_grad_fold (const sol_model_t *model, float *grad);

/* ---- AdamW over a flat run of elements [first, first + n) of the canonical block; decay per weight row. grad, w, m, v: backend memory, at element `first`. Asynchronous.
 * Cutting the block into other runs changes no bit. */
void sol_adamw_step (const sol_model_t *model, sol_adamw_t hyper, int64_t first, int64_t n, const float *grad, float *w, float *m, float *v);
#endif
