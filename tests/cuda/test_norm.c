/* SPDX-License-Identifier: Apache-2.0 */
/* RMSNorm with its gradients, and RoPE, on a device against plain loops: rows of heads and of layers, with columns beside them that must stay. */
#include "twice.h"

static int64_t rows, width, pad;
static int32_t heads;
static int accumulate, sign;
static sol_tensor_t mid (sol_tensor_t t) { return sol_tensor_cols (t, pad, t.cols - 2 * pad); }

enum { X, Y, W, INV, DY, DX };
static void norm (const sol_ops_t *ops, sol_queue_t *q, int device) { ops->rmsnorm (q, mid (T (X)), T (W), 1e-5f, mid (T (Y)), T (INV)); }
static void norm_dx (const sol_ops_t *ops, sol_queue_t *q, int device) { ops->rmsnorm_dx (q, mid (T (DY)), mid (T (X)), T (W), T (INV), accumulate, mid (T (DX))); }
static void norm_dw (const sol_ops_t *ops, sol_queue_t *q, int device) { ops->rmsnorm_dw (q, mid (T (DY)), mid (T (X)), T (INV), T (W)); }
static void rope (const sol_ops_t *ops, sol_queue_t *q, int device) { ops->rope (q, mid (T (X)), heads, T (1), T (2), sign); }

static void test_norm (int64_t r, int64_t w, int64_t beside)
{
  const long long lr = r, lw = w, lb = beside;
  rows = r, width = w, pad = beside;
  p[X] = pair_act (r, w + 2 * pad), p[Y] = pair_act (r, w + 2 * pad), p[W] = pair_f32 (1, w), p[INV] = pair_f32 (1, r);
  p[DY] = pair_act (r, w + 2 * pad), p[DX] = pair_act (r, w + 2 * pad);
  const int forward = agree (norm, Y, BF16_NEAR, "rmsnorm");
  tap_ok (forward && near_pair (&p[INV], 1e-5, "inv"), "rmsnorm %lld x %lld, %lld beside", lr, lw, lb);
  accumulate = 0;
  tap_ok (agree (norm_dx, DX, BF16_NEAR, "rmsnorm_dx"), "its gradient written");
  accumulate = 1;
  upload (&p[DX]); /* rounds the reference's too */
  tap_ok (agree (norm_dx, DX, BF16_NEAR, "rmsnorm_dx"), "its gradient added");
  tap_ok (agree (norm_dw, W, 3e-5, "rmsnorm_dw"), "the gradient of its weight");
  drop_case ();
}

static void test_rope (int64_t t, int32_t h, int64_t size, int64_t beside)
{
  rows = t, heads = h, pad = beside;
  p[X] = pair_act (t, h * size + 2 * pad), p[1] = pair_ints (t, 30), p[2] = pair_f32 (30, size);
  sign = 1;
  tap_ok (agree (rope, X, 2 * BF16_NEAR, "rope"), "rope %lld x %d heads of %lld, %lld beside", (long long) t, h, (long long) size, (long long) beside);
  sign = -1;
  upload (&p[X]);
  tap_ok (agree (rope, X, 2 * BF16_NEAR, "rope"), "and back");
  drop_case ();
}

int main (void)
{
  both_open ();
  test_norm (3, 64, 0);
  test_norm (70, 64, 8);
  test_norm (1, 128, 0);
  test_norm (1000, 128, 8);
  test_norm (3000, 64, 0);
  test_norm (13, 40, 0);
  test_norm (9, 896, 8);
  test_norm (5, 100, 4);
  test_norm (4, 1032, 0);
  test_norm (3, 4104, 8);
  test_norm (700, 300, 0);
  test_norm (7, 37, 1);
  test_norm (3, 1031, 0);
  test_norm (2, 1, 0);
  { /* statistics are optional */
    p[X] = pair_act (3, 64), p[Y] = pair_act (3, 64), p[W] = pair_f32 (1, 64);
    pad = 0;
    ok (agree (norm, Y, BF16_NEAR, "rmsnorm"));
    drop_case ();
  }
  test_rope (1, 1, 64, 0);
  test_rope (37, 3, 128, 8);
  test_rope (300, 1, 16, 0);
  test_rope (9, 5, 24, 0);
  test_rope (6, 3, 10, 1);
  test_rope (2, 40, 128, 0);
  both_close ();
  return tap_done ();
}
