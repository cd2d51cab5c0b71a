/* SPDX-License-Identifier: Apache-2.0 */
/* Rows by index, the embedding and its gradient, sums of matrices and of columns, on a device against plain loops. Tensors are columns of wider ones, and what lies beside them must stay. */
#include "twice.h"

static int64_t rows, width, pad;
static sol_tensor_t mid (sol_tensor_t t) { return sol_tensor_cols (t, pad, t.cols - 2 * pad); }

static void embed (const sol_ops_t *ops, sol_queue_t *q, int device) { ops->embed (q, T (0), mid (T (1)), mid (T (2))); }
static void embed_dw (const sol_ops_t *ops, sol_queue_t *q, int device) { ops->embed_dw (q, T (0), mid (T (1)), mid (T (2))); }
static void gather (const sol_ops_t *ops, sol_queue_t *q, int device) { ops->gather (q, mid (T (1)), T (0), mid (T (2))); }
static void scatter (const sol_ops_t *ops, sol_queue_t *q, int device) { ops->scatter (q, mid (T (1)), T (0), mid (T (2))); }
static void scatter_add (const sol_ops_t *ops, sol_queue_t *q, int device) { ops->scatter_add (q, mid (T (1)), T (0), mid (T (2))); }
static void add (const sol_ops_t *ops, sol_queue_t *q, int device) { ops->add (q, mid (T (1)), mid (T (2))); }
static void bias_dw (const sol_ops_t *ops, sol_queue_t *q, int device) { ops->bias_dw (q, mid (T (1)), T (2)); }

static void make_three (int64_t n_ids, int32_t below, sol_dtype_t t1, int64_t r1, sol_dtype_t t2, int64_t r2)
{
  p[0] = pair_ints (n_ids, below);
  p[1] = pair_of (t1, r1, width + 2 * pad);
  p[2] = pair_of (t2, r2, width + 2 * pad);
}
/* rows in a drawn order, each once */
static void distinct (int64_t n, int64_t of)
{
  int32_t *all = sol_alloc ((size_t) of * 4);
  for (int64_t i = 0; i < of; i++) all[i] = (int32_t) i;
  for (int64_t i = 0; i < n; i++) {
    const int64_t j = i + (int64_t) sol_random_below (sol_random (9, drawn++, SOL_RANDOM_TEST, 0, 0), (uint64_t) (of - i));
    const int32_t x = all[j];
    all[j] = all[i];
    id_of (p[0].r)[i] = all[i] = x;
  }
  sol_free (all);
  upload (&p[0]);
}

static void test_embed (void)
{
  const sol_dtype_t f32 = SOL_F32, act = D->act;
  make_three (rows, 50, act, 50, act, rows);
  tap_ok (agree (embed, 2, 0, "embed"), "embed %lld x %lld of bf16, %lld beside", (long long) rows, (long long) width, (long long) pad);
  drop_case ();
  make_three (rows, 50, f32, 50, act, rows);
  tap_ok (agree (embed, 2, BF16_NEAR, "embed"), "embed %lld x %lld of f32, %lld beside", (long long) rows, (long long) width, (long long) pad);
  drop_case ();
}
static void test_embed_dw (int32_t below)
{
  make_three (rows, below, D->act, rows, SOL_F32, below + 3);
  tap_ok (agree (embed_dw, 2, 0, "embed_dw"), "embed_dw %lld x %lld of %d ids, %lld beside", (long long) rows, (long long) width, below, (long long) pad);
  drop_case ();
}
static void test_rows (sol_dtype_t t)
{
  const char *name = t == SOL_F32 ? "f32" : "bf16";
  const double near = t == SOL_F32 ? 0 : BF16_NEAR;
  make_three (rows, 40, t, 40, t, rows);
  tap_ok (agree (gather, 2, 0, "gather"), "gather %lld x %lld of %s", (long long) rows, (long long) width, name);
  drop_case ();
  make_three (rows, 40, t, rows, t, rows + 21);
  distinct (rows, rows + 21);
  tap_ok (agree (scatter, 2, 0, "scatter"), "scatter %lld x %lld of %s", (long long) rows, (long long) width, name);
  tap_ok (agree (scatter_add, 2, near, "scatter_add"), "scatter_add %lld x %lld of %s", (long long) rows, (long long) width, name);
  drop_case ();
  make_three (1, 1, t, rows, t, rows);
  tap_ok (agree (add, 2, near, "add"), "add %lld x %lld of %s", (long long) rows, (long long) width, name);
  drop_case ();
}
static void test_bias_dw (int64_t r, int64_t w, int64_t beside)
{
  rows = r, width = w, pad = beside;
  p[1] = pair_act (rows, width + 2 * pad);
  p[2] = pair_f32 (1, width);
  tap_ok (agree (bias_dw, 2, 3e-5, "bias_dw"), "bias_dw %lld x %lld, %lld beside", (long long) r, (long long) w, (long long) beside);
  drop_case ();
}
/* nothing is done, and nothing is launched, for no rows */
static void test_none (void)
{
  rows = 0, width = 16, pad = 0;
  make_three (4, 4, D->act, 4, D->act, 4);
  const sol_tensor_t ids = sol_tensor_cols (p[0].d, 0, 0), x = sol_tensor_rows (p[1].d, 0, 0), y = sol_tensor_rows (p[2].d, 0, 0);
  D->embed (qd, ids, p[1].d, y);
  D->gather (qd, p[1].d, ids, y);
  D->scatter (qd, x, ids, p[2].d);
  D->scatter_add (qd, x, ids, p[2].d);
  D->add (qd, x, y);
  ok (D->sync (qd) == SOL_OK && near_pair (&p[2], 0, "no rows"));
  drop_case ();
}

int main (void)
{
  static const int64_t shapes[][3] = { /* rows, columns, columns beside */
    { 1, 8, 0 }, { 33, 64, 8 }, { 5, 37, 0 }, { 70, 19, 3 }, { 9, 2056, 0 }, { 3, 4100, 4 }, { 300, 4, 4 }, { 40, 1, 0 }, { 6, 100, 4 }
  };
  both_open ();
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    rows = shapes[i][0], width = shapes[i][1], pad = shapes[i][2];
    test_embed ();
    test_rows (D->act);
    test_rows (SOL_F32);
    test_embed_dw (10);
  }
  rows = 2500, width = 40, pad = 8; /* several chunks of ids; few and frequent ones, then many */
  test_embed_dw (7);
  rows = 1100, width = 5, pad = 0;
  test_embed_dw (900);
  rows = 1025, width = 16;
  test_embed_dw (1);
  test_bias_dw (1, 8, 0);
  test_bias_dw (700, 72, 8);
  test_bias_dw (9, 1000, 0);
  test_bias_dw (3000, 24, 0);
  test_bias_dw (600, 33, 1);
  test_bias_dw (5, 1, 0);
  test_none ();
  both_close ();
  return tap_done ();
}
