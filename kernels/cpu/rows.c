/* SPDX-License-Identifier: Apache-2.0 */
/* rows.c: RMSNorm, RoPE and SwiGLU: ref's arithmetic, 16 elements at a time, rows over the threads. */
#include "simd.h"

#define GRAIN(cols) (1 + SOL_GRAIN_BYTES / (4 * (cols) + 1)) /* rows */
/* every column of a row by 16: n is what is left */
#define BY16(C) for (int64_t c = 0, n = (C); c < (C); c += 16, n -= 16)

typedef struct {
  sol_tensor_t x, w, dy, y, inv, up, dup;
  float eps;
  int accumulate;
} norm_t;

static void norm_rows (const void *arg, int64_t i0, int64_t i1, float *room)
{
  const norm_t *a = arg;
  (void) room;
  for (int64_t t = i0; t < i1; t++) {
    const float *x = sol_at (a->x, t, 0);
    float *y = sol_at (a->y, t, 0), s;
    v16 l = v_zero ();
    BY16 (a->x.cols) {
      v16 v = v_load_upto (x + c, n);
      l = v_fma (v, v, l);
    }
    s = 1.0f / sqrtf (v_sum (l) / (float) a->x.cols + a->eps);
    if (a->inv.at) *sol_at (a->inv, 0, t) = s;
    BY16 (a->x.cols) v_store_upto (y + c, v_mul (v_mul (v_load_upto (x + c, n), v_set (s)), v_get (a->w, 0, c, n)), n);
  }
}
void SOL_FN (rmsnorm) (sol_queue_t *q, sol_tensor_t x, sol_tensor_t w, float eps, sol_tensor_t y, sol_tensor_t inv)
{
  norm_t a = { .x = x, .w = w, .y = y, .inv = inv, .eps = eps };
  sol_queue_run (q, x.rows, GRAIN (x.cols), norm_rows, &a);
}

static void norm_dx_rows (const void *arg, int64_t i0, int64_t i1, float *room)
{
  const norm_t *a = arg;
  (void) room;
  for (int64_t t = i0; t < i1; t++) {
    const float *x = sol_at (a->x, t, 0), *d = sol_at (a->dy, t, 0);
    float *o = sol_at (a->y, t, 0), s = *sol_at (a->inv, 0, t), m;
    v16 l = v_zero ();
    BY16 (a->x.cols) l = v_fma (v_mul (v_load_upto (d + c, n), v_get (a->w, 0, c, n)), v_load_upto (x + c, n), l);
    m = v_sum (l) / (float) a->x.cols * s * s;
    BY16 (a->x.cols) {
      v16 g = v_mul (v_fma (v_set (-m), v_load_upto (x + c, n), v_mul (v_load_upto (d + c, n), v_get (a->w, 0, c, n))), v_set (s));
      v_store_upto (o + c, a->accumulate ? v_add (v_load_upto (o + c, n), g) : g, n);
    }
  }
}
void SOL_FN (rmsnorm_dx) (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t x, sol_tensor_t w, sol_tensor_t inv, int accumulate, sol_tensor_t dx)
{
  norm_t a = { .x = x, .w = w, .dy = dy, .y = dx, .inv = inv, .accumulate = accumulate };
  sol_queue_run (q, x.rows, GRAIN (x.cols), norm_dx_rows, &a);
}

/* items are columns by 16: a column is one chain over the rows */
static void norm_dw_columns (const void *arg, int64_t i0, int64_t i1, float *room)
{
  const norm_t *a = arg;
  int64_t C = a->x.cols;
  (void) room;
  for (int64_t t = 0; t < a->x.rows; t++) {
    v16 s = v_set (*sol_at (a->inv, 0, t));
    for (int64_t c = 16 * i0; c < 16 * i1 && c < C; c += 16) {
      float *o = sol_at (a->y, 0, c);
      v_store_upto (o, v_fma (v_load_upto (sol_at (a->dy, t, c), C - c), v_mul (v_load_upto (sol_at (a->x, t, c), C - c), s), v_load_upto (o, C - c)), C - c);
    }
  }
}
void SOL_FN (rmsnorm_dw) (sol_queue_t *q, sol_tensor_t dy, sol_tensor_t x, sol_tensor_t inv, sol_tensor_t dw)
{
  norm_t a = { .x = x, .dy = dy, .y = dw, .inv = inv };
  sol_queue_run (q, (x.cols + 15) / 16, 1 + SOL_GRAIN_BYTES / (64 * x.rows + 1), norm_dw_columns, &a);
}

typedef struct { sol_tensor_t x, pos, table; int32_t n_heads; int sign; } rope_t;
static void rope_rows (const void *arg, int64_t i0, int64_t i1, float *room)
{
  const rope_t *a = arg;
  int64_t d = a->x.cols / a->n_heads, half = d / 2;
  (void) room;
  for (int64_t t = i0; t < i1; t++) {
    const float *cs = sol_at (a->table, sol_ints (a->pos)[t], 0);
    for (int32_t h = 0; h < a->n_heads; h++)
      BY16 (half) {
        float *u = sol_at (a->x, t, h * d + c), *v = u + half;
        v16 x0 = v_load_upto (u, n), x1 = v_load_upto (v, n), co = v_load_upto (cs + c, n), si = v_load_upto (cs + half + c, n);
        if (a->sign < 0) si = v_mul (v_set (-1.0f), si);
        v_store_upto (u, v_fma (x0, co, v_mul (v_set (-1.0f), v_mul (x1, si))), n);
        v_store_upto (v, v_fma (x1, co, v_mul (x0, si)), n);
      }
  }
}
void SOL_FN (rope) (sol_queue_t *q, sol_tensor_t x, int32_t n_heads, sol_tensor_t pos, sol_tensor_t table, int sign)
{
  rope_t a = { x, pos, table, n_heads, sign };
  if (sol_ids_ok (q, "rope", pos, x.rows, table.rows)) sol_queue_run (q, x.rows, GRAIN (x.cols), rope_rows, &a);
}

static void swiglu_rows (const void *arg, int64_t i0, int64_t i1, float *room)
{
  const norm_t *a = arg;
  (void) room;
  for (int64_t t = i0; t < i1; t++)
    BY16 (a->y.cols) {
      v16 g = v_load_upto (sol_at (a->x, t, c), n);
      v_store_upto (sol_at (a->y, t, c), v_mul (v_mul (g, v_sigmoid (g)), v_load_upto (sol_at (a->up, t, c), n)), n);
    }
}
void SOL_FN (swiglu) (sol_queue_t *q, sol_tensor_t gate, sol_tensor_t up, sol_tensor_t y)
{
  norm_t a = { .x = gate, .up = up, .y = y };
  sol_queue_run (q, y.rows, GRAIN (y.cols), swiglu_rows, &a);
}

static void swiglu_backward_rows (const void *arg, int64_t i0, int64_t i1, float *room)
{
  const norm_t *a = arg;
  (void) room;
  for (int64_t t = i0; t < i1; t++)
    BY16 (a->dy.cols) {
      v16 g = v_load_upto (sol_at (a->x, t, c), n), u = v_load_upto (sol_at (a->up, t, c), n), d = v_load_upto (sol_at (a->dy, t, c), n), s = v_sigmoid (g), silu = v_mul (g, s);
      v_store_upto (sol_at (a->y, t, c), v_mul (v_mul (d, u), v_fma (silu, v_sub (v_set (1.0f), s), s)), n);
      v_store_upto (sol_at (a->dup, t, c), v_mul (d, silu), n);
    }
}
void SOL_FN (swiglu_backward) (sol_queue_t *q, sol_tensor_t gate, sol_tensor_t up, sol_tensor_t dy, sol_tensor_t dgate, sol_tensor_t dup)
{
  norm_t a = { .x = gate, .up = up, .dy = dy, .y = dgate, .dup = dup };
  sol_queue_run (q, dy.rows, GRAIN (dy.cols), swiglu_backward_rows, &a);
}
