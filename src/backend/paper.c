/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/paper.h"
#include "backend_internal.h"
#include "solera/cuda_layout.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef struct piece { struct piece *next; void *mem; size_t bytes, whole; } piece_t;
struct sol_paper {
  sol_accelerator_t device;
  int timed;
  sol_paper_sum_t sum[SOL_PAPER_CLASSES];
  piece_t *piece;
  size_t held;
  /* of the spans that were last put: the same for all layers */
  const sol_span_t *spans;
  int32_t n_spans;
  double pairs, queries, keys;
};

/* ---- memory */
static sol_status_t p_alloc (sol_backend_t *b, size_t bytes, const char *what, void **mem_p)
{
  piece_t *p = sol_alloc (sizeof *p);
  p->bytes = bytes;
  p->whole = (bytes + 4096) & ~(size_t) 4095;
  p->mem = mmap (NULL, p->whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p->mem == MAP_FAILED) {
    sol_free (p);
    return sol_fail (SOL_ERR_MEMORY, "paper", "%s: %zu bytes of address space are not to be had", what, bytes);
  }
  p->next = b->paper->piece;
  b->paper->piece = p;
  b->paper->held += bytes;
  *mem_p = p->mem;
  return SOL_OK;
}

static sol_status_t p_host_take (sol_backend_t *b, size_t bytes, const char *what, void **mem_p)
{
  (void) b;
  if (!(*mem_p = calloc (bytes ? bytes : 1, 1))) return sol_fail (SOL_ERR_MEMORY, "paper", "%s: %zu bytes are not to be had", what, bytes);
  return SOL_OK;
}
static void p_host_give (sol_backend_t *b, void *mem)
{
  (void) b;
  free (mem);
}

static void p_free (sol_backend_t *b, void *mem)
{
  for (piece_t **at = &b->paper->piece; *at; at = &(*at)->next)
    if ((*at)->mem == mem) {
      piece_t *p = *at;
      *at = p->next;
      b->paper->held -= p->bytes;
      munmap (p->mem, p->whole);
      sol_free (p);
      return;
    }
  SOL_ASSERT (!mem);
}

/* ---- what an op takes */
static void take (sol_queue_t *q, sol_paper_class_t kind, double flops, double bytes)
{
  const struct sol_paper *p = q->backend->paper;
  const sol_accelerator_t *a = &p->device;
  sol_paper_sum_t *s = &q->backend->paper->sum[kind];
  s->calls++;
  s->flops += flops;
  s->bytes += bytes;
  if (!p->timed) return;
  const double compute = flops / (a->flops * a->flops_share), memory = kind == SOL_PAPER_TRANSFER ? bytes / (a->pcie * a->link_share) : bytes / (a->hbm * a->hbm_share);
  if (compute >= memory && compute >= a->launch) s->compute_s += compute;
  else if (memory >= a->launch) s->memory_s += memory;
  else s->launch_s += a->launch;
}

static double size (sol_tensor_t t) { return t.at ? (double) t.rows * (double) t.cols * (double) sol_dtype_bytes (t.dtype) : 0; }
static double product (int64_t m, int64_t n, int64_t k) { return 2.0 * (double) m * (double) n * (double) k; }
static double weight (const sol_weight_t *w) { return (double) w->src.rows * (double) w->src.cols * 2; } /* read as bf16 */

static void p_put (sol_queue_t *q, void *dst, const void *host, size_t bytes)
{
  (void) dst;
  (void) host;
  q->backend->paper->spans = NULL; /* may be new ones at the same place */
  take (q, SOL_PAPER_TRANSFER, 0, (double) bytes);
}
static void p_get (sol_queue_t *q, void *host, const void *src, size_t bytes)
{
  (void) host;
  (void) src;
  take (q, SOL_PAPER_TRANSFER, 0, (double) bytes);
}
static void p_copy (sol_queue_t *q, void *dst, const void *src, size_t bytes)
{
  (void) dst;
  (void) src;
  take (q, SOL_PAPER_ROWS, 0, 2 * (double) bytes);
}
static void p_zero (sol_queue_t *q, void *dst, size_t bytes)
{
  (void) dst;
  take (q, SOL_PAPER_ROWS, 0, (double) bytes);
}
static sol_status_t p_sync (sol_queue_t *q)
{
  (void) q;
  return SOL_OK;
}
static sol_status_t p_event_create (sol_backend_t *b, sol_event_t **event_p)
{
  (void) b;
  *event_p = NULL;
  return SOL_OK;
}
static void p_event_destroy (sol_backend_t *b, sol_event_t *e)
{
  (void) b;
  (void) e;
}
static void p_event (sol_queue_t *q, sol_event_t *e)
{
  (void) q;
  (void) e;
}

static size_t p_weight_bytes (sol_backend_t *b, int64_t n, int64_t k, sol_dtype_t dtype)
{
  (void) b;
  return sol_cuda_layout_weight (n, k, dtype);
}
static void p_weight_prepare (sol_queue_t *q, sol_tensor_t src, void *mem, sol_weight_t *w)
{
  *w = (sol_weight_t){ .src = src, .packed = src.dtype == SOL_BF16 ? NULL : mem };
  if (w->packed) take (q, SOL_PAPER_OPTIMIZER, 0, size (src) + weight (w));
}

static void p_matmul (sol_queue_t *q, sol_tensor_t x, const sol_weight_t *w, sol_tensor_t bias, int accumulate, sol_tensor_t y)
{
  take (q, SOL_PAPER_PRODUCTS, product (x.rows, y.cols, x.cols), size (x) + weight (w) + size (bias) + (accumulate ? 2 : 1) * size (y));
}
static void p_matmul_dx (sol_queue_t *q, sol_tensor_t dy, const sol_weight_t *w, int accumulate, sol_tensor_t dx)
{
  take (q, SOL_PAPER_PRODUCTS, product (dy.rows, dx.cols, dy.cols), size (dy) + weight (w) + (accumulate ? 2 : 1) * size (dx));
}
static void p_matmul_dw (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t x, sol_tensor_t dw)
{
  take (q, SOL_PAPER_PRODUCTS, product (dw.rows, dw.cols, x.rows), size (dy) + size (x) + 2 * size (dw));
}
static void p_bias_dw (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t db) { take (q, SOL_PAPER_ROWS, 0, size (dy) + 2 * size (db)); }

static void p_embed (sol_queue_t *q, sol_tensor_t ids, sol_tensor_t table, sol_tensor_t y)
{
  take (q, SOL_PAPER_ROWS, 0, size (ids) + (double) y.rows * (double) y.cols * (double) sol_dtype_bytes (table.dtype) + size (y));
}
static void p_embed_dw (sol_queue_t *q, sol_tensor_t ids, sol_tensor_t dy, sol_tensor_t dtable)
{
  take (q, SOL_PAPER_ROWS, 0, size (ids) + size (dy) + 2 * (double) dy.rows * (double) dy.cols * (double) sol_dtype_bytes (dtable.dtype));
}
static void p_gather (sol_queue_t *q, sol_tensor_t x, sol_tensor_t rows, sol_tensor_t y)
{
  (void) x;
  take (q, SOL_PAPER_ROWS, 0, size (rows) + 2 * size (y));
}
static void p_scatter (sol_queue_t *q, sol_tensor_t x, sol_tensor_t rows, sol_tensor_t y)
{
  (void) y;
  take (q, SOL_PAPER_ROWS, 0, size (rows) + 2 * size (x));
}
static void p_scatter_add (sol_queue_t *q, sol_tensor_t x, sol_tensor_t rows, sol_tensor_t y)
{
  (void) y;
  take (q, SOL_PAPER_ROWS, 0, size (rows) + 3 * size (x));
}
static void p_add (sol_queue_t *q, sol_tensor_t x, sol_tensor_t y) { take (q, SOL_PAPER_ROWS, 0, size (x) + 2 * size (y)); }

static void p_rmsnorm (sol_queue_t *q, sol_tensor_t x, sol_tensor_t w, float eps, sol_tensor_t y, sol_tensor_t inv)
{
  (void) eps;
  take (q, SOL_PAPER_ROWS, 0, size (x) + size (w) + size (y) + size (inv));
}
static void p_rmsnorm_dx (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t x, sol_tensor_t w, sol_tensor_t inv, int accumulate, sol_tensor_t dx)
{
  take (q, SOL_PAPER_ROWS, 0, size (dy) + size (x) + size (w) + size (inv) + (accumulate ? 2 : 1) * size (dx));
}
static void p_rmsnorm_dw (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t x, sol_tensor_t inv, sol_tensor_t dw)
{
  take (q, SOL_PAPER_ROWS, 0, size (dy) + size (x) + size (inv) + 2 * size (dw));
}
static void p_rope (sol_queue_t *q, sol_tensor_t x, int32_t n_heads, sol_tensor_t pos, sol_tensor_t table, int sign)
{
  (void) n_heads;
  (void) sign;
  take (q, SOL_PAPER_ROWS, 0, 2 * size (x) + size (pos) + (double) x.rows * (double) table.cols * (double) sol_dtype_bytes (table.dtype));
}

/* pairs of a query and a key it sees; rows of queries; rows of keys, a span's read once */
static const struct sol_paper *count_spans (sol_queue_t *q, const sol_span_t *s, int32_t n)
{
  struct sol_paper *p = q->backend->paper;
  if (p->spans == s && p->n_spans == n) return p;
  p->spans = s;
  p->n_spans = n;
  p->pairs = p->queries = p->keys = 0;
  for (int32_t i = 0; i < n; i++) {
    const double nq = s[i].n_q, nk = (double) s[i].n_a + (double) s[i].n_b;
    if (nq == 0) continue;
    p->pairs += nq * (nk - nq) + nq * (nq + 1) / 2;
    p->queries += nq;
    p->keys += nk;
  }
  return p;
}
static void p_attention (sol_queue_t *q, sol_tensor_t Q, sol_tensor_t K, sol_tensor_t V, sol_tensor_t pages, sol_tensor_t spans, const sol_span_t *host_spans, int32_t n_spans,
                         int32_t n_heads, int32_t n_kv_heads, float scale, sol_tensor_t O, sol_tensor_t stats)
{
  const struct sol_paper *p = count_spans (q, host_spans, n_spans);
  const double act = (double) sol_dtype_bytes (Q.dtype);
  (void) n_heads;
  (void) n_kv_heads;
  (void) scale;
  (void) O;
  (void) pages;
  take (q, SOL_PAPER_ATTENTION, 4 * p->pairs * (double) Q.cols, size (spans) + size (stats) + act * (2 * p->queries * (double) Q.cols + p->keys * (double) (K.cols + V.cols)));
}
/* scores once more, their gradient, and three products: five of the size of the two of the forward */
static void p_attention_backward (sol_queue_t *q, sol_tensor_t dO, sol_tensor_t Q, sol_tensor_t K, sol_tensor_t V, sol_tensor_t O, sol_tensor_t stats, sol_tensor_t spans,
                                  const sol_span_t *host_spans, int32_t n_spans, int32_t n_heads, int32_t n_kv_heads, float scale, sol_tensor_t dQ, sol_tensor_t dK, sol_tensor_t dV)
{
  const struct sol_paper *p = count_spans (q, host_spans, n_spans);
  const double act = (double) sol_dtype_bytes (Q.dtype);
  (void) dO, (void) O, (void) dQ, (void) dK, (void) dV;
  (void) n_heads;
  (void) n_kv_heads;
  (void) scale;
  take (q, SOL_PAPER_ATTENTION, 10 * p->pairs * (double) Q.cols, size (spans) + size (stats) + act * (4 * p->queries * (double) Q.cols + 3 * p->keys * (double) (K.cols + V.cols)));
}

static void p_swiglu (sol_queue_t *q, sol_tensor_t gate, sol_tensor_t up, sol_tensor_t y) { take (q, SOL_PAPER_ROWS, 0, size (gate) + size (up) + size (y)); }
static void p_swiglu_backward (sol_queue_t *q, sol_tensor_t gate, sol_tensor_t up, sol_tensor_t dy, sol_tensor_t dgate, sol_tensor_t dup)
{
  take (q, SOL_PAPER_ROWS, 0, size (gate) + size (up) + size (dy) + size (dgate) + size (dup));
}

static void p_head_partial (sol_queue_t *q, sol_tensor_t x, const sol_weight_t *w, sol_tensor_t targets, float inv_temp, sol_tensor_t scratch, sol_tensor_t logits, sol_tensor_t partial,
                            sol_tensor_t raw)
{
  (void) inv_temp;
  (void) scratch;
  take (q, SOL_PAPER_HEAD, product (x.rows, w->src.rows, x.cols), size (x) + weight (w) + size (targets) + size (logits) + size (partial) + size (raw));
}
static void p_head_target (sol_queue_t *q, sol_tensor_t logits, sol_tensor_t targets, float inv_temp, sol_tensor_t partial, sol_tensor_t raw)
{
  (void) inv_temp;
  (void) logits; /* one of each row */
  take (q, SOL_PAPER_HEAD, 0, 2 * size (targets) + size (partial) + size (raw));
}
static void p_head_finish (sol_queue_t *q, sol_tensor_t partial, sol_tensor_t lp, sol_tensor_t entropy) { take (q, SOL_PAPER_HEAD, 0, size (partial) + size (lp) + size (entropy)); }
/* the logits once more, and two products */
static void p_head_backward (sol_queue_t *q, sol_tensor_t x, const sol_weight_t *w, sol_tensor_t targets, float inv_temp, sol_tensor_t partial, sol_tensor_t c_lp, sol_tensor_t c_ent,
                             sol_tensor_t scratch, sol_tensor_t dx, sol_tensor_t dw)
{
  (void) inv_temp;
  (void) scratch;
  take (q, SOL_PAPER_HEAD, 3 * product (x.rows, w->src.rows, x.cols), size (x) + weight (w) + size (targets) + size (partial) + size (c_lp) + size (c_ent) + size (dx) + 2 * size (dw));
}
static void p_sample (sol_queue_t *q, sol_tensor_t logits, sol_tensor_t partial, float inv_temp, uint64_t seed, sol_tensor_t draws, int greedy, int32_t top_k, double top_p, sol_tensor_t ids)
{
  (void) inv_temp;
  (void) seed;
  (void) greedy;
  (void) top_k;
  (void) top_p;
  take (q, SOL_PAPER_HEAD, 0, size (logits) + size (partial) + size (draws) + size (ids));
}

static void p_adamw (sol_queue_t *q, sol_adamw_t h, sol_tensor_t g, sol_tensor_t w, sol_tensor_t m, sol_tensor_t v)
{
  (void) h;
  take (q, SOL_PAPER_OPTIMIZER, 0, size (g) + 2 * (size (w) + size (m) + size (v)));
}
static void p_sumsq (sol_queue_t *q, sol_tensor_t x, sol_tensor_t out) { take (q, SOL_PAPER_OPTIMIZER, 0, size (x) + size (out)); }
static void p_round (sol_queue_t *q, sol_tensor_t x, sol_tensor_t y) { take (q, SOL_PAPER_OPTIMIZER, 0, size (x) + size (y)); }

#define OP(op) .op = p_##op
static const sol_ops_t table = { .abi = SOL_OPS_ABI, .bytes = sizeof (sol_ops_t), .name = "paper", .act = SOL_CUDA_ACT, .head_step = SOL_CUDA_HEAD_STEP, .head_most = SOL_CUDA_HEAD_MOST, .head_scratch = sol_cuda_layout_head,
                                 OP (alloc), OP (free), OP (host_take), OP (host_give), OP (put), OP (get), OP (copy), OP (zero), OP (sync), OP (event_create), OP (event_destroy), .record = p_event, .wait = p_event,
                                 OP (weight_bytes), OP (weight_prepare), OP (matmul), OP (matmul_dx), OP (matmul_dw), OP (bias_dw), OP (embed), OP (embed_dw), OP (gather), OP (scatter),
                                 OP (scatter_add), OP (add), OP (rmsnorm), OP (rmsnorm_dx), OP (rmsnorm_dw), OP (rope), OP (attention), OP (attention_backward), OP (swiglu),
                                 OP (swiglu_backward), OP (head_partial), OP (head_target), OP (head_finish), OP (head_backward), OP (sample), OP (adamw), OP (sumsq), OP (round) };

sol_backend_t *sol_paper_create (const sol_accelerator_t *device)
{
  sol_backend_t *b = sol_alloc (sizeof *b);
  b->paper = sol_alloc (sizeof *b->paper);
  b->head.ops = &table;
  b->isa = "";
  if (device) b->paper->device = *device;
  b->paper->timed = device != NULL;
  for (int i = 0; i < 3; i++) b->queue[i].backend = b;
  snprintf (b->text, sizeof b->text, "%s on paper", device ? device->name : "a CUDA device");
  return b;
}

void sol_paper_detach (sol_backend_t *b)
{
  if (!b->paper) return;
  while (b->paper->piece) p_free (b, b->paper->piece->mem);
  sol_free (b->paper);
}

sol_paper_sum_t sol_paper_sum (const sol_backend_t *b, sol_paper_class_t kind) { return b->paper->sum[kind]; }
void sol_paper_clear (sol_backend_t *b) { memset (b->paper->sum, 0, sizeof b->paper->sum); }
size_t sol_paper_held (const sol_backend_t *b) { return b->paper->held; }

const char *sol_paper_class (sol_paper_class_t kind)
{
  static const char *const name[] = { "products", "attention", "head", "rows", "optimizer", "transfers" };
  return name[kind];
}
