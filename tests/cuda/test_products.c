/* SPDX-License-Identifier: Apache-2.0 */
/* Protects: matrix products on a device: which operand is transposed, strides, what is added to, biases, sizes that fill no tile; f32 weights are rounded once; shapes come back to their entry. */
#include "both.h"

static void prepare (const pair_t *w, sol_weight_t *wr, sol_weight_t *wd, void **packed_p)
{
  const size_t bytes = D->weight_bytes (dev, w->d.rows, w->d.cols, w->d.dtype);
  *packed_p = NULL;
  if (bytes) need (D->alloc (dev, bytes, "a matrix", packed_p) == SOL_OK);
  R->weight_prepare (qr, w->r, NULL, wr);
  D->weight_prepare (qd, w->d, *packed_p, wd);
}

static void test (int64_t T, int64_t n, int64_t k, int bias, sol_dtype_t dtype)
{
  pair_t p[] = { pair_act (T, k), pair_of (dtype, n, k), pair_act (1, n), pair_act (T, n), pair_act (T, k), pair_f32 (n, k), pair_act (T, n), pair_f32 (1, n) };
  pair_t *x = p, *w = p + 1, *b = p + 2, *y = p + 3, *dx = p + 4, *dw = p + 5, *dy = p + 6, *db = p + 7;
  const sol_tensor_t none = sol_no_tensor;
  sol_weight_t wr, wd;
  void *packed;
  int good = 1;
  if (dtype == SOL_F32)
    for (int64_t i = 0; i < n * k; i++) floats (w->r)[i] = bf16_near (floats (w->r)[i]); /* as the device holds it */
  upload (w);
  prepare (w, &wr, &wd, &packed);
  for (int add = 0; add < 2; add++) {
    R->matmul (qr, x->r, &wr, bias ? b->r : none, add, y->r);
    D->matmul (qd, x->d, &wd, bias ? b->d : none, add, y->d);
    good &= near_pair (y, 0.01, "matmul");
    R->matmul_dx (qr, dy->r, &wr, add, dx->r);
    D->matmul_dx (qd, dy->d, &wd, add, dx->d);
    good &= near_pair (dx, 0.01, "matmul_dx");
    upload (y), upload (dx); /* both go on from the same numbers */
  }
  R->matmul_dw (qr, dy->r, x->r, dw->r);
  D->matmul_dw (qd, dy->d, x->d, dw->d);
  good &= near_pair (dw, 1e-5, "matmul_dw");
  R->bias_dw (qr, dy->r, db->r);
  D->bias_dw (qd, dy->d, db->d);
  good &= near_pair (db, 1e-5, "bias_dw");
  tap_ok (good && D->sync (qd) == SOL_OK, "%lld x %lld x %lld, %s weights%s", (long long) T, (long long) n, (long long) k, dtype == SOL_F32 ? "f32" : "bf16", bias ? ", bias" : "");
  if (packed) D->free (dev, packed);
  drop_pairs (8, p);
}

int main (void)
{
  both_open ();
  test (1, 8, 8, 0, SOL_BF16);
  test (5, 19, 24, 1, SOL_BF16);
  test (5, 19, 24, 0, SOL_F32);
  test (64, 128, 64, 1, SOL_BF16);
  test (130, 96, 200, 0, SOL_BF16);
  test (33, 257, 40, 1, SOL_F32);
  test (33, 257, 40, 1, SOL_F32);
  test (6, 24, 1600, 0, SOL_BF16); /* a long sum: added up in float32, whatever the library parts it into */
  both_close ();
  return tap_done ();
}
