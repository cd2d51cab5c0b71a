/* SPDX-License-Identifier: Apache-2.0 */
/* ops.h: the table of operations that a backend offers. Model, decoder and learner know nothing else of it.
 *
 * Ops are put on a queue and run in its order; they return nothing, an error sticks to the queue and sync reports it. No op allocates.
 * Host backends run an op at once. The host meaning of every op is kernels/ref/<op>.c (plain loops). "cpu" must equal "ref" bit for bit, on every
 * instruction set and for any number of rows, threads and blocks. CUDA need not equal them.
 *
 * The rules that make this so (host):
 *  - Products (matmul, matmul_dx, matmul_dw, bias_dw, embed_dw, attention's value sums and its dQ, dK, dV): each output element is one chain of
 *    fused multiply-adds (fmaf) in increasing index of the summed axis (k; n for dx; token for dw; key for values; query for dK, dV), starting from the present
 *    value when accumulating, else from 0 (bias is added at the end, by one addition).
 *  - Dots inside a row (norms, attention scores, softmax sums, head sums): 16 lanes, lane l takes elements l, l+16, ... by fmaf (or +) in order, then the
 *    fixed tree  l += l+8, l += l+4, l += l+2, l += l+1.
 *  - exp, log, sigmoid are our own polynomials (kernels/cpu/simd.h and kernels/ref/math.h: the same operations in the same order).
 *  - No flush to zero, no contraction other than written fma.
 * Types: activations, their gradients and the KV cache are of the table's type `act` (f32 on the host, bf16 on CUDA); weight gradients, row statistics, head partials and logits
 * f32; published weights f32 or bf16 (widened exactly; a device may want bf16); ids, positions, spans i32.
 * All shapes are checked by SOL_ASSERT: they are the caller's duty.
 */
#ifndef SOL_OPS_H
#define SOL_OPS_H
#include "solera/status.h"
#include "solera/tensor.h"

#define SOL_OPS_ABI 8

typedef struct sol_backend sol_backend_t;
typedef struct sol_queue sol_queue_t;
typedef struct sol_event sol_event_t;
typedef struct sol_graph sol_graph_t;
/* a matrix [n, k] prepared for products: packed panels, bf16 or f32; only the backend knows its layout */
typedef struct sol_weight {
  sol_tensor_t src; /* canonical [n, k] */
  void *packed;     /* the backend's own copy, or NULL */
  int64_t panels;
} sol_weight_t;

typedef enum { SOL_QUEUE_COMPUTE, SOL_QUEUE_COMM, SOL_QUEUE_COPY } sol_queue_kind_t;

/* One run of query rows of one sequence. Its query rows are q_row .. q_row + n_q - 1 of Q. Its keys have absolute positions 0 .. n_a + n_b - 1: position p < n_a is row
 * a_row + p of K and V (the shared prompt), position p >= n_a is row b_row + p - n_a (its own). Query i has absolute position n_a + n_b - n_q + i and sees
 * the keys of positions <= its own. Decode: n_q = 1. Training and prefill: the own rows are the sequence's token rows. Spans with n_q = 0 are allowed. */
typedef struct { int32_t q_row, n_q, a_row, n_a, b_row, n_b; } sol_span_t;

/* hyper-parameters of one AdamW update; step counts from 1. lr already scheduled.
 * g' = g * scale; m = beta1 m + (1-beta1) g'; v = beta2 v + (1-beta2) g'^2; w = w (1 - lr*decay) - lr (m/c1) / (sqrt(v/c2) + eps), c = 1 - beta^step */
typedef struct { double lr, beta1, beta2, eps, decay, scale; int64_t step; } sol_adamw_t;

#define SOL_HEAD_BLOCK 1024   /* vocabulary entries of one block of the fused head: fixed, results depend on it */
#define SOL_KV_PAGE 16          /* rows of keys and values of a page */
#define SOL_SUMSQ_CHUNK 65536 /* elements of one partial sum of squares: fixed */

typedef struct sol_ops {
  uint32_t abi, bytes;  /* SOL_OPS_ABI, sizeof (sol_ops_t) */
  uint64_t caps;        /* SOL_CAP_* */
  const char *name;     /* "cpu", "ref", "cuda", "emu", "ptx" */
  sol_dtype_t act;      /* of activations, their gradients and the KV cache */
  int32_t head_step, head_most; /* sizes of attention heads: multiples of head_step up to head_most */

  /* ---- memory and order */
  sol_status_t (*alloc) (sol_backend_t *b, size_t bytes, const char *what, void **mem_p); /* 64-byte aligned, zeroed; not for hot paths */
  void (*free) (sol_backend_t *b, void *mem);
  /* host memory for what put and get carry: pinned where the backend is a device, so that neither makes the host wait; plain memory elsewhere. 64-byte aligned, zeroed; not for hot paths.
   * Called through sol_backend_pin, which counts it. */
  sol_status_t (*host_take) (sol_backend_t *b, size_t bytes, const char *what, void **mem_p);
  void (*host_give) (sol_backend_t *b, void *mem); /* nothing on its way from or to it */
  void (*put) (sol_queue_t *q, void *dst, const void *host, size_t bytes); /* host to backend; host bytes may change after sync only */
  void (*get) (sol_queue_t *q, void *host, const void *src, size_t bytes); /* backend to host; valid after sync */
  void (*copy) (sol_queue_t *q, void *dst, const void *src, size_t bytes);
  void (*zero) (sol_queue_t *q, void *dst, size_t bytes);
  sol_status_t (*sync) (sol_queue_t *q); /* everything on q is done; first error of q */
  sol_status_t (*event_create) (sol_backend_t *b, sol_event_t **event_p);
  void (*event_destroy) (sol_backend_t *b, sol_event_t *e);
  void (*record) (sol_queue_t *q, sol_event_t *e);
  void (*wait) (sol_queue_t *q, sol_event_t *e); /* what is put on q from now on runs after what was on the other queue at record */

  /* ---- graphs (NULL: the backend has none). What is put on q between begin and end is not run but kept, operands and all, and run puts it on q as one: launches of many small kernels without
   * the host. Between them only ops of what follows, copy and zero; host_spans are read at that time (a decode's launch does not depend on them). end: the queue's errors too, and nothing is kept then. */
  void (*graph_begin) (sol_queue_t *q);
  sol_status_t (*graph_end) (sol_queue_t *q, sol_graph_t **graph_p);
  void (*graph_run) (sol_queue_t *q, sol_graph_t *graph);
  void (*graph_destroy) (sol_backend_t *b, sol_graph_t *graph); /* nothing of it is running */

  /* ---- weights. src: canonical row-major [n, k] of f32 or bf16 in backend memory; it must stay there while w is used. */
  size_t (*weight_bytes) (sol_backend_t *b, int64_t n, int64_t k, sol_dtype_t dtype);
  void (*weight_prepare) (sol_queue_t *q, sol_tensor_t src, void *mem, sol_weight_t *w);

  /* ---- products.  x [T, k], w [n, k], y [T, n] */
  void (*matmul) (sol_queue_t *q, sol_tensor_t x, const sol_weight_t *w, sol_tensor_t bias /* of type act [1, n], or none */, int accumulate, sol_tensor_t y);
  void (*matmul_dx) (sol_queue_t *q, sol_tensor_t dy, const sol_weight_t *w, int accumulate, sol_tensor_t dx);
  void (*matmul_dw) (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t x, sol_tensor_t dw); /* dw [n, k] += dy^T x, chain over tokens */
  void (*bias_dw) (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t db);                   /* db [1, n] += column sums (additions in token order) */

  /* ---- rows */
  void (*embed) (sol_queue_t *q, sol_tensor_t ids /* i32 [1, T] */, sol_tensor_t table /* [V, C] */, sol_tensor_t y);
  void (*embed_dw) (sol_queue_t *q, sol_tensor_t ids, sol_tensor_t dy, sol_tensor_t dtable); /* dtable[id] += dy, token order */
  void (*gather) (sol_queue_t *q, sol_tensor_t x, sol_tensor_t rows /* i32 [1, n] */, sol_tensor_t y);       /* y[i] = x[rows[i]] */
  void (*scatter) (sol_queue_t *q, sol_tensor_t x, sol_tensor_t rows, sol_tensor_t y);                       /* y[rows[i]] = x[i], rows distinct */
  void (*scatter_add) (sol_queue_t *q, sol_tensor_t x, sol_tensor_t rows, sol_tensor_t y);                   /* y[rows[i]] += x[i], rows distinct */
  void (*add) (sol_queue_t *q, sol_tensor_t x, sol_tensor_t y);                                              /* y += x */

  /* RMSNorm of each row: inv = 1 / sqrt (mean (x^2) + eps), y = x * inv * w. x, y [R, C]; w [1, C]; inv f32 [1, R] is kept for the backward.
   * q/k norm is this op on [T*H, D] (stride D). */
  void (*rmsnorm) (sol_queue_t *q, sol_tensor_t x, sol_tensor_t w, float eps, sol_tensor_t y, sol_tensor_t inv);
  void (*rmsnorm_dx) (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t x, sol_tensor_t w, sol_tensor_t inv, int accumulate, sol_tensor_t dx);
  void (*rmsnorm_dw) (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t x, sol_tensor_t inv, sol_tensor_t dw); /* dw [1, C] += sum over rows, row order */

  /* RoPE, rotate-half (Hugging Face): x [T, H*D] in place; pos i32 [1, T]; table f32 [P, D]: cos of D/2 angles, then sin of D/2. sign +1 forward, -1 backward. */
  void (*rope) (sol_queue_t *q, sol_tensor_t x, int32_t n_heads, sol_tensor_t pos, sol_tensor_t table, int sign);

  /* Causal attention over spans. Q, O [*, H*D]; K, V [*, Hkv*D] (rows addressed by the spans). pages: none, or i32 [1, n] in backend memory: row r of a span is then row
   * pages[r / SOL_KV_PAGE] * SOL_KV_PAGE + r % SOL_KV_PAGE of K and V (the decoder's cache; the caller keeps the entries inside K and V). stats f32 [T, 2*H]: (max, sum of exp) of each row
   * and head, for the backward (or none). Scores are dot(q, k) * scale. p = exp (s - max); O = (chain sum p v) / (16-lane sum p). spans: i32 [n_spans, 6] in
   * backend memory, host_spans the same on the host. */
  void (*attention) (sol_queue_t *q, sol_tensor_t Q, sol_tensor_t K, sol_tensor_t V, sol_tensor_t pages, sol_tensor_t spans, const sol_span_t *host_spans, int32_t n_spans,
                     int32_t n_heads, int32_t n_kv_heads, float scale, sol_tensor_t O, sol_tensor_t stats);
  /* dQ is written, dK and dV are added to (zero them first). Sums into one row of dK or dV run over spans in order, queries in order, then the
   * query heads of the kv head in order. */
  void (*attention_backward) (sol_queue_t *q, sol_tensor_t dO, sol_tensor_t Q, sol_tensor_t K, sol_tensor_t V, sol_tensor_t O, sol_tensor_t stats, sol_tensor_t spans,
                              const sol_span_t *host_spans, int32_t n_spans, int32_t n_heads, int32_t n_kv_heads, float scale, sol_tensor_t dQ, sol_tensor_t dK, sol_tensor_t dV);

  void (*swiglu) (sol_queue_t *q, sol_tensor_t gate, sol_tensor_t up, sol_tensor_t y); /* y = gate * sigmoid (gate) * up */
  void (*swiglu_backward) (sol_queue_t *q, sol_tensor_t gate, sol_tensor_t up, sol_tensor_t dy, sol_tensor_t dgate, sol_tensor_t dup);

  /* ---- head, by blocks of the vocabulary: SOL_HEAD_BLOCK entries on a host, as many as scratch has room for on a device. z = x w^T * inv_temp. x [R, C]; targets i32 [1, R].
   * partial f32 [R, 4]: M = max z, S = sum exp (z - M), z of the target, E = sum exp (z - M) (z - M); blocks are combined in order.
   * raw: none, or the same sums of z at inv_temp 1, from the same product. logits [R, V]: none in training; the decoder keeps them, not tempered (x w^T), and may pass no targets (then call
   * head_target with the sampled ids).
   * scratch f32 [R, head_scratch], rows without gaps: the first R rows of a tensor that was made for as many rows as there may ever be. */
  int64_t (*head_scratch) (int64_t R, int64_t V, int64_t C); /* floats a row of scratch for up to R rows; V SOL_HEAD_BLOCK: enough where logits are kept */
  void (*head_partial) (sol_queue_t *q, sol_tensor_t x, const sol_weight_t *w, sol_tensor_t targets, float inv_temp, sol_tensor_t scratch, sol_tensor_t logits, sol_tensor_t partial,
                        sol_tensor_t raw);
  /* partial[2] = logits[row, target] * inv_temp, raw[2] = logits[row, target] (none: not wanted) */
  void (*head_target) (sol_queue_t *q, sol_tensor_t logits, sol_tensor_t targets, float inv_temp, sol_tensor_t partial, sol_tensor_t raw);
  /* lp = z_t - M - log S; entropy = log S - E / S (nats). lp, entropy f32 [1, R] */
  void (*head_finish) (sol_queue_t *q, sol_tensor_t partial, sol_tensor_t lp, sol_tensor_t entropy);
  /* dLoss/dz_v = inv_temp * (c_lp (1[v = t] - p_v) - c_ent p_v (log p_v + entropy)); recomputed by blocks. dx [R, C] is written; dw [V, C] is added to
   * (none: not wanted). Rows whose both coefficients are 0 add exactly nothing. */
  void (*head_backward) (sol_queue_t *q, sol_tensor_t x, const sol_weight_t *w, sol_tensor_t targets, float inv_temp, sol_tensor_t partial, sol_tensor_t c_lp, sol_tensor_t c_ent,
                         sol_tensor_t scratch, sol_tensor_t dx, sol_tensor_t dw);
  /* Token choice by inverse CDF over z = logits * inv_temp (partial is of z) in double, in vocabulary order: smallest v with sum_{<=v} exp (z - M) > u * total. draws i32 [R, 4]: the counter of each row's
   * draw (sol_random_counter), whose words 0 and 1 under the key seed are u: sol_random_u53 (sol_random_at (seed, draws[r]), 0), the same bits everywhere.
   * greedy: first maximum. top_k, top_p restrict the set (sorted by z, ties by id; top_p keeps the smallest set whose mass >= top_p); 0 and 1.0 do not.
   * ids i32 [1, R]. scratch as for head_partial; for top_k/top_p the host may use room inside the backend made at creation. */
  void (*sample) (sol_queue_t *q, sol_tensor_t logits, sol_tensor_t partial, float inv_temp, uint64_t seed, sol_tensor_t draws, int greedy, int32_t top_k, double top_p, sol_tensor_t ids);

  /* ---- flat f32 [1, n] */
  void (*adamw) (sol_queue_t *q, sol_adamw_t h, sol_tensor_t g, sol_tensor_t w, sol_tensor_t m, sol_tensor_t v);
  void (*sumsq) (sol_queue_t *q, sol_tensor_t x, sol_tensor_t out); /* f64 [1, ceil (n / SOL_SUMSQ_CHUNK)]: double sums in element order on 16 lanes + tree */
  void (*round) (sol_queue_t *q, sol_tensor_t x, sol_tensor_t y);   /* f32 or bf16 -> f32 or bf16 (nearest even) */
} sol_ops_t;

#define SOL_CAP_HOST 1u    /* backend memory is host memory: sol_backend_host gives the bytes */
#define SOL_CAP_EXACT 2u   /* bit-for-bit claims hold */
#endif
