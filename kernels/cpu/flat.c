/* SPDX-License-Identifier: Apache-2.0 */
/* flat.c: embedding, additions, AdamW, sums of squares, rounding: limited by memory; cut over the threads. */
#include "simd.h"

typedef struct { sol_tensor_t x, y, m, v; sol_adamw_const_t k; } flat_t;

static void embed_rows (const void *arg, int64_t i0, int64_t i1, float *room)
{
  const flat_t *a = arg;
  int64_t C = a->y.cols;
  (void) room;
  for (int64_t t = i0; t < i1; t++)
    for (int64_t c = 0; c < C; c += 16) v_store_upto (sol_at (a->y, t, c), v_get (a->x, sol_ints (a->m)[t], c, C - c), C - c);
}
void SOL_FN (embed) (sol_queue_t *q, sol_tensor_t ids, sol_tensor_t table, sol_tensor_t y)
{
  flat_t a = { .x = table, .y = y, .m = ids };
  if (sol_ids_ok (q, "embed", ids, y.rows, table.rows)) sol_queue_run (q, y.rows, 1 + SOL_GRAIN_BYTES / (4 * y.cols + 1), embed_rows, &a);
}

/* items are columns by 16: an element's additions stay in token order */
static void embed_dw_columns (const void *arg, int64_t i0, int64_t i1, float *room)
{
  const flat_t *a = arg;
  int64_t C = a->x.cols;
  (void) room;
  for (int64_t t = 0; t < a->x.rows; t++)
    for (int64_t c = 16 * i0; c < 16 * i1 && c < C; c += 16) {
      float *o = sol_at (a->y, sol_ints (a->m)[t], c);
      v_store_upto (o, v_add (v_load_upto (o, C - c), v_load_upto (sol_at (a->x, t, c), C - c)), C - c);
    }
}
void SOL_FN (embed_dw) (sol_queue_t *q, sol_tensor_t ids, sol_tensor_t dy, sol_tensor_t dtable)
{
  flat_t a = { .x = dy, .y = dtable, .m = ids };
  if (sol_ids_ok (q, "embed_dw", ids, dy.rows, dtable.rows)) sol_queue_run (q, (dy.cols + 15) / 16, 1 + SOL_GRAIN_BYTES / (64 * dy.rows + 1), embed_dw_columns, &a);
}

static void add_rows (const void *arg, int64_t i0, int64_t i1, float *room)
{
  const flat_t *a = arg;
  int64_t C = a->y.cols;
  (void) room;
  for (int64_t t = i0; t < i1; t++)
    for (int64_t c = 0; c < C; c += 16) {
      float *o = sol_at (a->y, t, c);
      v_store_upto (o, v_add (v_load_upto (o, C - c), v_load_upto (sol_at (a->x, t, c), C - c)), C - c);
    }
}
void SOL_FN (add) (sol_queue_t *q, sol_tensor_t x, sol_tensor_t y)
{
  flat_t a = { .x = x, .y = y };
  sol_queue_run (q, y.rows, 1 + SOL_GRAIN_BYTES / (4 * y.cols + 1), add_rows, &a);
}

/* items of ops on one long row: a multiple of 16 elements */
#define ITEM 4096
static void adamw_items (const void *arg, int64_t i0, int64_t i1, float *room)
{
  const flat_t *a = arg;
  int64_t end = i1 * ITEM < a->x.cols ? i1 * ITEM : a->x.cols;
  v16 b1 = v_set (a->k.b1), b2 = v_set (a->k.b2), k1 = v_set (a->k.k1), k2 = v_set (a->k.k2), keep = v_set (a->k.keep), scale = v_set (a->k.scale), step = v_set (a->k.step), root = v_set (a->k.root),
      eps = v_set (a->k.eps);
  (void) room;
  for (int64_t i = i0 * ITEM; i < end; i += 16) {
    int64_t n = end - i;
    float *w = sol_at (a->y, 0, i), *m = sol_at (a->m, 0, i), *v = sol_at (a->v, 0, i);
    v16 g = v_mul (v_load_upto (sol_at (a->x, 0, i), n), scale);
    v16 mi = v_fma (b1, v_load_upto (m, n), v_mul (k1, g)), vi = v_fma (b2, v_load_upto (v, n), v_mul (v_mul (k2, g), g));
    v_store_upto (m, mi, n);
    v_store_upto (v, vi, n);
    v_store_upto (w, v_sub (v_mul (v_load_upto (w, n), keep), v_div (v_mul (step, mi), v_fma (v_sqrt (vi), root, eps))), n);
  }
}
void SOL_FN (adamw) (sol_queue_t *q, sol_adamw_t h, sol_tensor_t g, sol_tensor_t w, sol_tensor_t m, sol_tensor_t v)
{
  flat_t a = { g, w, m, v, sol_adamw_const (h) };
  sol_queue_run (q, (g.cols + ITEM - 1) / ITEM, 4, adamw_items, &a);
}

static void sumsq_chunks (const void *arg, int64_t i0, int64_t i1, float *room)
{
  const flat_t *a = arg;
  (void) room;
  for (int64_t c = i0; c < i1; c++) {
    int64_t at = c * SOL_SUMSQ_CHUNK, end = at + SOL_SUMSQ_CHUNK < a->x.cols ? at + SOL_SUMSQ_CHUNK : a->x.cols;
    double lane[16];
    d16 s = d_zero ();
    for (; at < end; at += 16) {
      d16 x = d_widen (v_load_upto (sol_at (a->x, 0, at), end - at));
      s = d_add (s, d_mul (x, x));
    }
    d_store (lane, s);
    ((double *) (void *) a->y.at)[c] = sol_lanes_sum_f64 (lane);
  }
}
void SOL_FN (sumsq) (sol_queue_t *q, sol_tensor_t x, sol_tensor_t out)
{
  flat_t a = { .x = x, .y = out };
  sol_queue_run (q, (x.cols + SOL_SUMSQ_CHUNK - 1) / SOL_SUMSQ_CHUNK, 1, sumsq_chunks, &a);
}

/* items of a row are ITEM columns */
static void round_items (const void *arg, int64_t i0, int64_t i1, float *room)
{
  const flat_t *a = arg;
  int64_t C = a->x.cols, per = (C + ITEM - 1) / ITEM;
  (void) room;
  for (int64_t i = i0; i < i1; i++) {
    int64_t t = i / per, c = i % per * ITEM, end = c + ITEM < C ? c + ITEM : C;
    for (; c < end; c += 16) {
      int64_t n = end - c;
      v16 x = v_get (a->x, t, c, n);
      if (a->y.dtype != SOL_BF16) v_store_upto (sol_at (a->y, t, c), x, n);
      else {
        uint16_t h[16], *to = (uint16_t *) (void *) a->y.at + t * a->y.stride + c;
        if (n >= 16) v_store_bf16 (to, x);
        else {
          v_store_bf16 (h, x);
          memcpy (to, h, (size_t) n * sizeof *h);
        }
      }
    }
  }
}
void SOL_FN (round) (sol_queue_t *q, sol_tensor_t x, sol_tensor_t y)
{
  flat_t a = { .x = x, .y = y };
  sol_queue_run (q, x.rows * ((x.cols + ITEM - 1) / ITEM), 4, round_items, &a);
}
