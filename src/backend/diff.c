/* SPDX-License-Identifier: Apache-2.0 */
/* diff.c: two backends for those who look for an error in a third. "diff" runs every op on a device (cuda; emu where that cannot run) and, on what the device read, as plain loops, and
 * refuses the first result that is further off than the device's type explains. "check" runs every op on one backend and refuses shapes that do not fit, results that overlap what they are
 * made of, and results that are not finite. Slow: every op copies and allocates. The error sticks to the queue, as every op's error, and names op, place and both values. */
#include "backend_internal.h"
#include "solera/cuda_layout.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/random.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 12 };
typedef struct {
  sol_tensor_t dev, host; /* host: float32 (or the same type, where that is no float), rows without gaps */
  int out;
  double most, floor; /* of a value's size; no size is smaller than floor */
} arg_t;
typedef struct {
  sol_queue_t *q, *dq, *rq;
  const sol_ops_t *D, *R; /* R NULL: check */
  const char *op;
  int n;
  arg_t arg[MOST];
  sol_weight_t weight;
  char *weight_src;
  void *weight_packed;
} call_t;

#define NEAR 0.02  /* of a value's size: results rounded to bf16 once or twice */
#define CLOSE 0.004 /* float32 results of bf16 operands */

static void refuse (call_t *c, const char *format, ...) __attribute__ ((format (printf, 2, 3)));
static void refuse (call_t *c, const char *format, ...)
{
  char text[400];
  va_list ap;
  if (c->q->error != SOL_OK) return;
  va_start (ap, format);
  vsnprintf (text, sizeof text, format, ap);
  va_end (ap);
  c->q->error = sol_fail (SOL_ERR_NUMERIC, "backend", "%s: %s: %s", c->q->backend->head.ops->name, c->op, text);
}

static call_t begin (sol_queue_t *q, const char *op)
{
  sol_backend_t *b = q->backend;
  const int kind = (int) (q - b->queue);
  return (call_t){ .q = q, .op = op, .D = b->inner->head.ops, .dq = sol_backend_queue (b->inner, (sol_queue_kind_t) kind), .R = b->plain ? b->plain->head.ops : NULL,
                   .rq = b->plain ? sol_backend_queue (b->plain, (sol_queue_kind_t) kind) : NULL };
}

/* device memory as it is now */
static void bring (call_t *c, void *to, const void *from, size_t bytes)
{
  sol_status_t st = c->D->sync (c->dq);
  if (st == SOL_OK && bytes > 0) st = sol_ferry_get (c->q->backend->ferry, to, from, bytes);
  if (st != SOL_OK && c->q->error == SOL_OK) c->q->error = SOL_ERR_DEVICE;
}

/* device memory as the reference wants it; to be freed */
static sol_tensor_t fetch (call_t *c, sol_tensor_t t)
{
  const size_t size = sol_dtype_bytes (t.dtype), span = t.rows > 0 ? (size_t) ((t.rows - 1) * t.stride + t.cols) * size : 0;
  const int half = t.dtype == SOL_BF16;
  char *raw = sol_alloc (span + 8);
  sol_tensor_t h = sol_tensor (sol_alloc ((size_t) (t.rows * t.cols) * (half ? 4 : size) + 8), half ? SOL_F32 : t.dtype, t.rows, t.cols);
  bring (c, raw, t.at, span);
  for (int64_t r = 0; r < t.rows; r++) {
    const char *from = raw + (size_t) (r * t.stride) * size;
    char *to = h.at + (size_t) (r * t.cols) * (half ? 4 : size);
    if (!half) memcpy (to, from, (size_t) t.cols * size);
    for (int64_t i = 0; half && i < t.cols; i++) {
      uint16_t x;
      memcpy (&x, from + 2 * i, 2);
      const uint32_t u = (uint32_t) x << 16;
      memcpy (to + 4 * i, &u, 4);
    }
  }
  sol_free (raw);
  return h;
}

static sol_tensor_t take (call_t *c, sol_tensor_t t, int out, double most)
{
  arg_t *a = &c->arg[c->n];
  if (!t.at) return t;
  SOL_ASSERT (c->n < MOST);
  *a = (arg_t){ .dev = t, .out = out, .most = most };
  if (c->R) a->host = fetch (c, t);
  c->n++;
  return a->host;
}
static sol_tensor_t in (call_t *c, sol_tensor_t t) { return take (c, t, 0, 0); }
static sol_tensor_t out (call_t *c, sol_tensor_t t, double most) { return take (c, t, 1, most); } /* written, or read and written */

static const sol_weight_t *weight (call_t *c, const sol_weight_t *w)
{
  if (!c->R) return w;
  sol_tensor_t src = w->src;
  const size_t bytes = (size_t) (src.rows * src.cols) * sol_dtype_bytes (src.dtype);
  src.at = c->weight_src = sol_alloc (bytes + 8);
  bring (c, c->weight_src, w->src.at, bytes);
  if (src.dtype == SOL_F32 && c->D->act == SOL_BF16) { /* the device has rounded it (weight_prepare), and not by mistake */
    sol_tensor_t half = sol_tensor (sol_alloc (bytes / 2 + 8), SOL_BF16, src.rows, src.cols);
    c->R->round (c->rq, sol_tensor (src.at, SOL_F32, src.rows, src.cols), half);
    sol_free (c->weight_src);
    c->weight_src = half.at;
    src = half;
  }
  c->weight_packed = sol_alloc (c->R->weight_bytes (c->q->backend->plain, src.rows, src.cols, src.dtype) + 8);
  c->R->weight_prepare (c->rq, src, c->weight_packed, &c->weight);
  return &c->weight;
}

static double value (sol_tensor_t t, int64_t i)
{
  if (t.dtype == SOL_I32) return ((const int32_t *) (const void *) t.at)[i];
  if (t.dtype == SOL_F64) return ((const double *) (const void *) t.at)[i];
  return (double) ((const float *) (const void *) t.at)[i];
}

static double rms_of (sol_tensor_t t)
{
  const int64_t n = t.rows * t.cols;
  double square = 0;
  for (int64_t i = 0; i < n; i++) square += value (t, i) * value (t, i);
  return n ? sqrt (square / (double) n) : 0;
}

/* keeps count; returns where */
static sol_op_seen_t *seen (call_t *c)
{
  sol_op_seen_t *s = c->q->backend->seen, *end = s + sizeof c->q->backend->seen / sizeof *s;
  while (s < end && s->op && s->op != c->op) s++;
  SOL_ASSERT (s < end);
  s->op = c->op;
  return s;
}

static void compare (call_t *c, const arg_t *a)
{
  sol_tensor_t got = fetch (c, a->dev);
  const int64_t n = got.rows * got.cols;
  double worst = 0;
  int64_t at = -1;
  const double rms = fmax (c->R ? rms_of (a->host) : 0, a->floor);
  for (int64_t i = 0; i < n; i++) {
    const double x = value (got, i), want = c->R ? value (a->host, i) : 0, size = fmax (fmax (fabs (want), rms), 1e-30), e = c->R ? fabs (x - want) / size : isfinite (x) ? 0 : INFINITY;
    if (x == want || e <= worst) continue;
    worst = e;
    at = i;
    if (!(e <= a->most)) break;
  }
  if (c->R && a->most > 0 && !(worst / a->most <= seen (c)->worst)) seen (c)->worst = worst / a->most;
  if (at >= 0 && !(worst <= a->most) && !c->R) refuse (c, "row %lld, column %lld is %g", (long long) (at / got.cols), (long long) (at % got.cols), value (got, at));
  else if (at >= 0 && !(worst <= a->most))
    refuse (c, "row %lld of %lld, column %lld of %lld: expected %g, found %g (%.3g of its size; at most %.3g)", (long long) (at / got.cols), (long long) got.rows, (long long) (at % got.cols),
            (long long) got.cols, value (a->host, at), value (got, at), worst, a->most);
  sol_free (got.at);
}

static int overlap (sol_tensor_t a, sol_tensor_t b)
{
  const char *ea = a.at + (size_t) ((a.rows - 1) * a.stride + a.cols) * sol_dtype_bytes (a.dtype), *eb = b.at + (size_t) ((b.rows - 1) * b.stride + b.cols) * sol_dtype_bytes (b.dtype);
  if (a.rows < 1 || b.rows < 1) return 0;
  return a.at < eb && b.at < ea && a.at != b.at; /* the same tensor in and out is an op's own business */
}

static void finish (call_t *c)
{
  seen (c)->calls++;
  for (int i = 0; i < c->n; i++)
    for (int j = 0; j < c->n; j++)
      if (i != j && c->arg[i].out && overlap (c->arg[i].dev, c->arg[j].dev)) refuse (c, "operands %d and %d overlap", i, j);
  for (int i = 0; i < c->n && c->q->error == SOL_OK; i++)
    if (c->arg[i].out) compare (c, &c->arg[i]);
  for (int i = 0; i < c->n; i++) sol_free (c->arg[i].host.at);
  sol_free (c->weight_src);
  sol_free (c->weight_packed);
}
/* runs the op on both; host operands are named as the device's with an _ behind */
#define BOTH(name, device_args, host_args)                                                                             \
  do {                                                                                                                 \
    if (c.R) c.R->name host_args;                                                                                      \
    c.D->name device_args;                                                                                             \
    finish (&c);                                                                                                       \
  } while (0)
#define SHAPE(x)                                                                                                       \
  do {                                                                                                                 \
    if (!(x)) {                                                                                                        \
      refuse (&c, "expected %s", #x);                                                                                  \
      return;                                                                                                          \
    }                                                                                                                  \
  } while (0)

/* ---- memory and order: the device's */
static sol_status_t d_alloc (sol_backend_t *b, size_t bytes, const char *what, void **mem_p) { return b->inner->head.ops->alloc (b->inner, bytes, what, mem_p); }
static void d_free (sol_backend_t *b, void *mem) { b->inner->head.ops->free (b->inner, mem); }
static sol_status_t d_host_take (sol_backend_t *b, size_t bytes, const char *what, void **mem_p) { return b->inner->head.ops->host_take (b->inner, bytes, what, mem_p); }
static void d_host_give (sol_backend_t *b, void *mem) { b->inner->head.ops->host_give (b->inner, mem); }
static void d_put (sol_queue_t *q, void *dst, const void *host, size_t bytes) { call_t c = begin (q, "put"); c.D->put (c.dq, dst, host, bytes); }
static void d_get (sol_queue_t *q, void *host, const void *src, size_t bytes) { call_t c = begin (q, "get"); c.D->get (c.dq, host, src, bytes); }
static void d_copy (sol_queue_t *q, void *dst, const void *src, size_t bytes) { call_t c = begin (q, "copy"); c.D->copy (c.dq, dst, src, bytes); }
static void d_zero (sol_queue_t *q, void *dst, size_t bytes) { call_t c = begin (q, "zero"); c.D->zero (c.dq, dst, bytes); }
static sol_status_t d_sync (sol_queue_t *q)
{
  call_t c = begin (q, "sync");
  sol_status_t st = q->error, inner = c.D->sync (c.dq);
  q->error = SOL_OK;
  return st != SOL_OK ? st : inner;
}
static sol_status_t d_event_create (sol_backend_t *b, sol_event_t **e) { return b->inner->head.ops->event_create (b->inner, e); }
static void d_event_destroy (sol_backend_t *b, sol_event_t *e) { b->inner->head.ops->event_destroy (b->inner, e); }
static void d_record (sol_queue_t *q, sol_event_t *e) { call_t c = begin (q, "record"); c.D->record (c.dq, e); }
static void d_wait (sol_queue_t *q, sol_event_t *e) { call_t c = begin (q, "wait"); c.D->wait (c.dq, e); }
static size_t d_weight_bytes (sol_backend_t *b, int64_t n, int64_t k, sol_dtype_t dtype) { return b->inner->head.ops->weight_bytes (b->inner, n, k, dtype); }
static void d_weight_prepare (sol_queue_t *q, sol_tensor_t src, void *mem, sol_weight_t *w) { call_t c = begin (q, "weight_prepare"); c.D->weight_prepare (c.dq, src, mem, w); }

/* ---- products. accumulate: the result is read, too */
static void d_matmul (sol_queue_t *q, sol_tensor_t x, const sol_weight_t *w, sol_tensor_t bias, int accumulate, sol_tensor_t y)
{
  call_t c = begin (q, "matmul");
  SHAPE (x.cols == w->src.cols && y.cols == w->src.rows && x.rows == y.rows && (!bias.at || bias.cols == y.cols));
  const sol_weight_t *w_ = weight (&c, w);
  sol_tensor_t x_ = in (&c, x), bias_ = in (&c, bias), y_ = out (&c, y, NEAR);
  BOTH (matmul, (c.dq, x, w, bias, accumulate, y), (c.rq, x_, w_, bias_, accumulate, y_));
}
static void d_matmul_dx (sol_queue_t *q, sol_tensor_t dy, const sol_weight_t *w, int accumulate, sol_tensor_t dx)
{
  call_t c = begin (q, "matmul_dx");
  SHAPE (dy.cols == w->src.rows && dx.cols == w->src.cols && dy.rows == dx.rows);
  const sol_weight_t *w_ = weight (&c, w);
  sol_tensor_t dy_ = in (&c, dy), dx_ = out (&c, dx, NEAR);
  BOTH (matmul_dx, (c.dq, dy, w, accumulate, dx), (c.rq, dy_, w_, accumulate, dx_));
}
static void d_matmul_dw (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t x, sol_tensor_t dw)
{
  call_t c = begin (q, "matmul_dw");
  SHAPE (dy.rows == x.rows && dw.rows == dy.cols && dw.cols == x.cols);
  sol_tensor_t dy_ = in (&c, dy), x_ = in (&c, x), dw_ = out (&c, dw, CLOSE);
  BOTH (matmul_dw, (c.dq, dy, x, dw), (c.rq, dy_, x_, dw_));
}
static void d_bias_dw (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t db)
{
  call_t c = begin (q, "bias_dw");
  SHAPE (db.cols == dy.cols);
  sol_tensor_t dy_ = in (&c, dy), db_ = out (&c, db, CLOSE);
  BOTH (bias_dw, (c.dq, dy, db), (c.rq, dy_, db_));
}

/* ---- rows */
static void d_embed (sol_queue_t *q, sol_tensor_t ids, sol_tensor_t table, sol_tensor_t y)
{
  call_t c = begin (q, "embed");
  SHAPE (y.rows == ids.cols && y.cols == table.cols);
  sol_tensor_t ids_ = in (&c, ids), table_ = in (&c, table), y_ = out (&c, y, NEAR);
  BOTH (embed, (c.dq, ids, table, y), (c.rq, ids_, table_, y_));
}
static void d_embed_dw (sol_queue_t *q, sol_tensor_t ids, sol_tensor_t dy, sol_tensor_t dtable)
{
  call_t c = begin (q, "embed_dw");
  SHAPE (dy.rows == ids.cols && dy.cols == dtable.cols);
  sol_tensor_t ids_ = in (&c, ids), dy_ = in (&c, dy), dt_ = out (&c, dtable, CLOSE);
  BOTH (embed_dw, (c.dq, ids, dy, dtable), (c.rq, ids_, dy_, dt_));
}
#define ROWS(name)                                                                                                     \
  static void d_##name (sol_queue_t *q, sol_tensor_t x, sol_tensor_t rows, sol_tensor_t y)                             \
  {                                                                                                                    \
    call_t c = begin (q, #name);                                                                                       \
    SHAPE (x.cols == y.cols);                                                                                          \
    sol_tensor_t x_ = in (&c, x), rows_ = in (&c, rows), y_ = out (&c, y, NEAR);                                       \
    BOTH (name, (c.dq, x, rows, y), (c.rq, x_, rows_, y_));                                                            \
  }
ROWS (gather)
ROWS (scatter)
ROWS (scatter_add)
static void d_add (sol_queue_t *q, sol_tensor_t x, sol_tensor_t y)
{
  call_t c = begin (q, "add");
  SHAPE (x.rows == y.rows && x.cols == y.cols);
  sol_tensor_t x_ = in (&c, x), y_ = out (&c, y, NEAR);
  BOTH (add, (c.dq, x, y), (c.rq, x_, y_));
}
static void d_rmsnorm (sol_queue_t *q, sol_tensor_t x, sol_tensor_t w, float eps, sol_tensor_t y, sol_tensor_t inv)
{
  call_t c = begin (q, "rmsnorm");
  SHAPE (x.rows == y.rows && x.cols == y.cols && w.cols == x.cols && inv.cols == x.rows);
  sol_tensor_t x_ = in (&c, x), w_ = in (&c, w), y_ = out (&c, y, NEAR), inv_ = out (&c, inv, CLOSE);
  BOTH (rmsnorm, (c.dq, x, w, eps, y, inv), (c.rq, x_, w_, eps, y_, inv_));
}
static void d_rmsnorm_dx (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t x, sol_tensor_t w, sol_tensor_t inv, int accumulate, sol_tensor_t dx)
{
  call_t c = begin (q, "rmsnorm_dx");
  SHAPE (dy.rows == x.rows && dx.rows == x.rows && dy.cols == x.cols && dx.cols == x.cols && w.cols == x.cols);
  sol_tensor_t dy_ = in (&c, dy), x_ = in (&c, x), w_ = in (&c, w), inv_ = in (&c, inv), dx_ = out (&c, dx, NEAR);
  BOTH (rmsnorm_dx, (c.dq, dy, x, w, inv, accumulate, dx), (c.rq, dy_, x_, w_, inv_, accumulate, dx_));
}
static void d_rmsnorm_dw (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t x, sol_tensor_t inv, sol_tensor_t dw)
{
  call_t c = begin (q, "rmsnorm_dw");
  SHAPE (dy.rows == x.rows && dy.cols == x.cols && dw.cols == x.cols);
  sol_tensor_t dy_ = in (&c, dy), x_ = in (&c, x), inv_ = in (&c, inv), dw_ = out (&c, dw, CLOSE);
  BOTH (rmsnorm_dw, (c.dq, dy, x, inv, dw), (c.rq, dy_, x_, inv_, dw_));
}
static void d_rope (sol_queue_t *q, sol_tensor_t x, int32_t n_heads, sol_tensor_t pos, sol_tensor_t table, int sign)
{
  call_t c = begin (q, "rope");
  SHAPE (n_heads > 0 && x.cols == n_heads * table.cols && pos.cols == x.rows);
  sol_tensor_t x_ = out (&c, x, NEAR), pos_ = in (&c, pos), table_ = in (&c, table);
  BOTH (rope, (c.dq, x, n_heads, pos, table, sign), (c.rq, x_, n_heads, pos_, table_, sign));
}
static void d_attention (sol_queue_t *q, sol_tensor_t Q, sol_tensor_t K, sol_tensor_t V, sol_tensor_t pages, sol_tensor_t spans, const sol_span_t *host_spans, int32_t n_spans, int32_t n_heads,
                         int32_t n_kv_heads, float scale, sol_tensor_t O, sol_tensor_t stats)
{
  call_t c = begin (q, "attention");
  SHAPE (Q.cols == O.cols && K.cols == V.cols && Q.cols * n_kv_heads == K.cols * n_heads && n_heads % n_kv_heads == 0);
  sol_tensor_t Q_ = in (&c, Q), K_ = in (&c, K), V_ = in (&c, V), pages_ = in (&c, pages), spans_ = in (&c, spans), O_ = out (&c, O, NEAR), stats_ = out (&c, stats, NEAR);
  BOTH (attention, (c.dq, Q, K, V, pages, spans, host_spans, n_spans, n_heads, n_kv_heads, scale, O, stats),
        (c.rq, Q_, K_, V_, pages_, spans_, host_spans, n_spans, n_heads, n_kv_heads, scale, O_, stats_));
}
static void d_attention_backward (sol_queue_t *q, sol_tensor_t dO, sol_tensor_t Q, sol_tensor_t K, sol_tensor_t V, sol_tensor_t O, sol_tensor_t stats, sol_tensor_t spans,
                                  const sol_span_t *host_spans, int32_t n_spans, int32_t n_heads, int32_t n_kv_heads, float scale, sol_tensor_t dQ, sol_tensor_t dK, sol_tensor_t dV)
{
  call_t c = begin (q, "attention_backward");
  SHAPE (dO.cols == Q.cols && dQ.cols == Q.cols && dK.cols == K.cols && dV.cols == V.cols && stats.cols == 2 * n_heads);
  sol_tensor_t dO_ = in (&c, dO), Q_ = in (&c, Q), K_ = in (&c, K), V_ = in (&c, V), O_ = in (&c, O), stats_ = in (&c, stats), spans_ = in (&c, spans);
  sol_tensor_t dQ_ = out (&c, dQ, 2 * NEAR), dK_ = out (&c, dK, 2 * NEAR), dV_ = out (&c, dV, 2 * NEAR);
  if (c.R) { /* dS = P (dP - delta): where these cancel, as they must in a row of one key, what is left carries the rounding of a whole term */
    const double head = (double) Q.cols / n_heads, term = rms_of (dO_) * rms_of (V_) * sqrt (head) * (double) scale;
    c.arg[7].floor = term * rms_of (K_);
    c.arg[8].floor = term * rms_of (Q_);
  }
  BOTH (attention_backward, (c.dq, dO, Q, K, V, O, stats, spans, host_spans, n_spans, n_heads, n_kv_heads, scale, dQ, dK, dV),
        (c.rq, dO_, Q_, K_, V_, O_, stats_, spans_, host_spans, n_spans, n_heads, n_kv_heads, scale, dQ_, dK_, dV_));
}
static void d_swiglu (sol_queue_t *q, sol_tensor_t gate, sol_tensor_t up, sol_tensor_t y)
{
  call_t c = begin (q, "swiglu");
  SHAPE (gate.rows == y.rows && gate.cols == y.cols && up.cols == y.cols && up.rows == y.rows);
  sol_tensor_t gate_ = in (&c, gate), up_ = in (&c, up), y_ = out (&c, y, NEAR);
  BOTH (swiglu, (c.dq, gate, up, y), (c.rq, gate_, up_, y_));
}
static void d_swiglu_backward (sol_queue_t *q, sol_tensor_t gate, sol_tensor_t up, sol_tensor_t dy, sol_tensor_t dgate, sol_tensor_t dup)
{
  call_t c = begin (q, "swiglu_backward");
  SHAPE (gate.cols == dy.cols && dgate.cols == dy.cols && dup.cols == dy.cols && gate.rows == dy.rows);
  sol_tensor_t gate_ = in (&c, gate), up_ = in (&c, up), dy_ = in (&c, dy), dgate_ = out (&c, dgate, NEAR), dup_ = out (&c, dup, NEAR);
  BOTH (swiglu_backward, (c.dq, gate, up, dy, dgate, dup), (c.rq, gate_, up_, dy_, dgate_, dup_));
}

/* ---- head */
static int64_t d_head_scratch (int64_t R, int64_t V, int64_t C) { return sol_cuda_layout_head (R, V, C); } /* what a device wants, and more than a host does */
static sol_tensor_t plain_scratch (call_t *c, int64_t rows)
{
  return c->R ? sol_tensor (sol_alloc ((size_t) (rows * SOL_HEAD_BLOCK) * 4 + 8), SOL_F32, rows, SOL_HEAD_BLOCK) : sol_no_tensor;
}
static void d_head_partial (sol_queue_t *q, sol_tensor_t x, const sol_weight_t *w, sol_tensor_t targets, float inv_temp, sol_tensor_t scratch, sol_tensor_t logits, sol_tensor_t partial,
                            sol_tensor_t raw)
{
  call_t c = begin (q, "head_partial");
  SHAPE (x.cols == w->src.cols && partial.rows == x.rows && partial.cols == 4 && (!logits.at || logits.cols == w->src.rows) && (!raw.at || (raw.rows == x.rows && raw.cols == 4)));
  const sol_weight_t *w_ = weight (&c, w);
  sol_tensor_t x_ = in (&c, x), targets_ = in (&c, targets), logits_ = out (&c, logits, CLOSE), partial_ = out (&c, partial, CLOSE), raw_ = out (&c, raw, CLOSE),
               scratch_ = plain_scratch (&c, x.rows);
  BOTH (head_partial, (c.dq, x, w, targets, inv_temp, scratch, logits, partial, raw), (c.rq, x_, w_, targets_, inv_temp, scratch_, logits_, partial_, raw_));
  sol_free (scratch_.at);
}
static void d_head_target (sol_queue_t *q, sol_tensor_t logits, sol_tensor_t targets, float inv_temp, sol_tensor_t partial, sol_tensor_t raw)
{
  call_t c = begin (q, "head_target");
  sol_tensor_t logits_ = in (&c, logits), targets_ = in (&c, targets), partial_ = out (&c, partial, CLOSE), raw_ = out (&c, raw, CLOSE);
  BOTH (head_target, (c.dq, logits, targets, inv_temp, partial, raw), (c.rq, logits_, targets_, inv_temp, partial_, raw_));
}
static void d_head_finish (sol_queue_t *q, sol_tensor_t partial, sol_tensor_t lp, sol_tensor_t entropy)
{
  call_t c = begin (q, "head_finish");
  sol_tensor_t partial_ = in (&c, partial), lp_ = out (&c, lp, CLOSE), entropy_ = out (&c, entropy, CLOSE);
  BOTH (head_finish, (c.dq, partial, lp, entropy), (c.rq, partial_, lp_, entropy_));
}
static void d_head_backward (sol_queue_t *q, sol_tensor_t x, const sol_weight_t *w, sol_tensor_t targets, float inv_temp, sol_tensor_t partial, sol_tensor_t c_lp, sol_tensor_t c_ent,
                             sol_tensor_t scratch, sol_tensor_t dx, sol_tensor_t dw)
{
  call_t c = begin (q, "head_backward");
  SHAPE (x.cols == w->src.cols && dx.cols == x.cols && dx.rows == x.rows);
  const sol_weight_t *w_ = weight (&c, w);
  sol_tensor_t x_ = in (&c, x), targets_ = in (&c, targets), partial_ = in (&c, partial), c_lp_ = in (&c, c_lp), c_ent_ = in (&c, c_ent), dx_ = out (&c, dx, 2 * NEAR), dw_ = out (&c, dw, 2 * NEAR),
               scratch_ = plain_scratch (&c, x.rows);
  BOTH (head_backward, (c.dq, x, w, targets, inv_temp, partial, c_lp, c_ent, scratch, dx, dw), (c.rq, x_, w_, targets_, inv_temp, partial_, c_lp_, c_ent_, scratch_, dx_, dw_));
  sol_free (scratch_.at);
}
/* may row r of logits choose id by that counter's uniform? */
static int may_choose (sol_tensor_t logits, float inv_temp, uint64_t seed, sol_tensor_t draws, int64_t r, int32_t top_k, double top_p, int32_t id)
{
  const int64_t V = logits.cols;
  float *z = sol_alloc ((size_t) V * sizeof *z);
  uint32_t counter[4];
  memcpy (counter, draws.at + (size_t) r * sizeof counter, sizeof counter);
  for (int64_t v = 0; v < V; v++) z[v] = (float) value (logits, r * V + v) * inv_temp;
  const int may = sol_sample_may (z, V, sol_random_u53 (sol_random_at (seed, counter), 0), top_k, top_p, id);
  sol_free (z);
  return may;
}
/* the same logits and uniforms: the same tokens. On the edge between two both are right: the reference then takes the device's */
static void d_sample (sol_queue_t *q, sol_tensor_t logits, sol_tensor_t partial, float inv_temp, uint64_t seed, sol_tensor_t draws, int greedy, int32_t top_k, double top_p, sol_tensor_t ids)
{
  call_t c = begin (q, "sample");
  SHAPE (ids.cols == logits.rows && (greedy || (draws.rows == logits.rows && draws.cols == 4)));
  sol_tensor_t logits_ = in (&c, logits), partial_ = in (&c, partial), draws_ = in (&c, draws), ids_ = out (&c, ids, 0);
  if (c.R) c.R->sample (c.rq, logits_, partial_, inv_temp, seed, draws_, greedy, top_k, top_p, ids_);
  c.D->sample (c.dq, logits, partial, inv_temp, seed, draws, greedy, top_k, top_p, ids);
  if (c.R && !greedy) {
    sol_tensor_t got = fetch (&c, ids);
    int32_t *want = (int32_t *) (void *) ids_.at;
    const int32_t *found = (const int32_t *) (const void *) got.at;
    for (int64_t r = 0; r < logits.rows; r++)
      if (want[r] != found[r] && may_choose (logits_, inv_temp, seed, draws_, r, top_k, top_p, want[r]) && may_choose (logits_, inv_temp, seed, draws_, r, top_k, top_p, found[r])) want[r] = found[r];
    sol_free (got.at);
  }
  finish (&c);
}

/* ---- flat */
static void d_adamw (sol_queue_t *q, sol_adamw_t h, sol_tensor_t g, sol_tensor_t w, sol_tensor_t m, sol_tensor_t v)
{
  call_t c = begin (q, "adamw");
  SHAPE (g.cols == w.cols && m.cols == w.cols && v.cols == w.cols);
  sol_tensor_t g_ = in (&c, g), w_ = out (&c, w, 1e-5), m_ = out (&c, m, 1e-5), v_ = out (&c, v, 1e-5);
  BOTH (adamw, (c.dq, h, g, w, m, v), (c.rq, h, g_, w_, m_, v_));
}
static void d_sumsq (sol_queue_t *q, sol_tensor_t x, sol_tensor_t o)
{
  call_t c = begin (q, "sumsq");
  sol_tensor_t x_ = in (&c, x), o_ = out (&c, o, 1e-12);
  BOTH (sumsq, (c.dq, x, o), (c.rq, x_, o_));
}
static void d_round (sol_queue_t *q, sol_tensor_t x, sol_tensor_t y)
{
  call_t c = begin (q, "round");
  SHAPE (x.rows * x.cols == y.rows * y.cols);
  sol_tensor_t x_ = in (&c, x), y_ = out (&c, y, 0);
  if (c.R && y.dtype == SOL_BF16) { /* here as float32: down to bf16 and back */
    sol_tensor_t half = sol_tensor (sol_alloc ((size_t) (y.rows * y.cols) * 2 + 2), SOL_BF16, 1, y.rows * y.cols);
    c.R->round (c.rq, sol_tensor (x_.at, x_.dtype, 1, x.rows * x.cols), half);
    c.R->round (c.rq, half, sol_tensor (y_.at, SOL_F32, 1, y.rows * y.cols));
    sol_free (half.at);
  } else if (c.R) c.R->round (c.rq, x_, y_);
  c.D->round (c.dq, x, y);
  finish (&c);
}

#define OP(op) .op = d_##op
#define TABLE                                                                                                          \
  .abi = SOL_OPS_ABI, .bytes = sizeof (sol_ops_t), OP (alloc), OP (free), OP (host_take), OP (host_give), OP (put), OP (get), OP (copy), OP (zero), OP (sync), OP (event_create), OP (event_destroy), OP (record), OP (wait),   \
  OP (weight_bytes), OP (weight_prepare), OP (matmul), OP (matmul_dx), OP (matmul_dw), OP (bias_dw), OP (embed), OP (embed_dw), OP (gather), OP (scatter), OP (scatter_add), OP (add),          \
  OP (rmsnorm), OP (rmsnorm_dx), OP (rmsnorm_dw), OP (rope), OP (attention), OP (attention_backward), OP (swiglu), OP (swiglu_backward), OP (head_scratch), OP (head_partial),                   \
  OP (head_target), OP (head_finish), OP (head_backward), OP (sample), OP (adamw), OP (sumsq), OP (round)
static const sol_ops_t table = { TABLE };

/* name: diff or check, or with the backend that it is about behind a colon */
sol_status_t sol_diff_attach (const char *name, int threads, const char *isa, sol_backend_t *b)
{
  char why[512];
  const int diff = !strncmp (name, "diff", 4);
  const char *of = name + (diff ? 4 : 5), *device = sol_plugin_probe ("cuda", why, sizeof why) ? "cuda" : diff ? "emu" : "cpu";
  if (*of && *of != ':') return sol_fail (SOL_ERR_USAGE, "backend", "expected diff, check, diff:NAME or check:NAME, found \"%s\"", name);
  SOL_TRY (sol_backend_create (*of ? of + 1 : device, threads, isa, &b->inner));
  const int fast = threads > 1 && b->inner->plugin; /* the host's fast ops have the bits of plain loops, on many threads */
  if (diff) SOL_TRY (sol_backend_create (fast ? "cpu" : "ref", threads, isa, &b->plain));
  SOL_TRY (sol_ferry_create (b->inner, (size_t) 1 << 20, &b->ferry));
  b->own = table;
  b->own.name = diff ? "diff" : "check";
  b->own.act = b->inner->head.ops->act;
  b->own.head_step = b->inner->head.ops->head_step;
  b->own.head_most = b->inner->head.ops->head_most;
  b->own.caps = b->inner->head.ops->caps;
  b->head.ops = &b->own;
  if (diff) snprintf (b->text, sizeof b->text, "diff (%.100s against %.30s)", sol_backend_describe (b->inner), fast ? sol_backend_describe (b->plain) : "plain loops");
  else snprintf (b->text, sizeof b->text, "check (%.100s, every result looked at)", sol_backend_describe (b->inner));
  for (int i = 0; i < 3; i++) b->queue[i].backend = b;
  return SOL_OK;
}

const sol_op_seen_t *sol_backend_seen (const sol_backend_t *b, int i) { return b->inner && i < (int) (sizeof b->seen / sizeof *b->seen) && b->seen[i].op ? &b->seen[i] : NULL; }

void sol_diff_detach (sol_backend_t *b)
{
  sol_ferry_destroy (b->ferry);
  sol_backend_destroy (b->plain);
  sol_backend_destroy (b->inner);
}
