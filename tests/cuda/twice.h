/* SPDX-License-Identifier: Apache-2.0 */
/* twice.h: one op on some pairs: as plain loops, on the device, and on the device again from the same start, which must give the same bits. */
#ifndef SOL_TESTS_TWICE_H
#define SOL_TESTS_TWICE_H
#include "both.h"

static pair_t p[6]; /* operands of the case that runs */
#define T(i) (device ? p[i].d : p[i].r)
typedef void op_fn (const sol_ops_t *ops, sol_queue_t *q, int device);

static inline float *on_device (op_fn *op, int out, const float *start)
{
  const int64_t n = p[out].r.rows * p[out].r.cols;
  sol_tensor_t was = p[out].r;
  if (p[out].d.dtype != SOL_F64) {
    p[out].r.at = sol_alloc ((size_t) n * 4 + 4);
    memcpy (p[out].r.at, start, (size_t) n * 4);
    upload (&p[out]);
    sol_free (p[out].r.at);
  }
  p[out].r = was;
  op (D, qd, 1);
  need (D->sync (qd) == SOL_OK);
  return fetch (&p[out]);
}
/* p[out] of the device is that of the reference but for `most` of its size, and the same when the op runs again; the pair keeps the reference's result */
static inline int agree (op_fn *op, int out, double most, const char *what)
{
  const int64_t n = p[out].r.rows * p[out].r.cols;
  const int flat = p[out].d.dtype != SOL_F64;
  float *start = sol_alloc ((size_t) n * 4 + 4), *first, *second;
  if (flat) memcpy (start, p[out].r.at, (size_t) n * 4);
  first = on_device (op, out, start);
  second = on_device (op, out, start);
  const int again = !memcmp (first, second, (size_t) n * 4);
  if (!again) fprintf (stderr, "%s: not the same bits again\n", what);
  if (flat) memcpy (p[out].r.at, start, (size_t) n * 4);
  op (R, qr, 0);
  need (R->sync (qr) == SOL_OK);
  sol_free (start), sol_free (first), sol_free (second);
  return near_pair (&p[out], most, what) && again;
}
static inline void drop_case (void)
{
  for (int i = 0; i < 6; i++)
    if (p[i].d.at) drop_pairs (1, &p[i]);
  memset (p, 0, sizeof p);
}
#define BF16_NEAR 0.00395 /* half of the last of 8 bits, and what float32 before it adds */
#endif
