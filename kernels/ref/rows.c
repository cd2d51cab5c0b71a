/* SPDX-License-Identifier: Apache-2.0 */
#include "ref.h"

int sol_ids_ok (sol_queue_t *q, const char *op, sol_tensor_t ids, int64_t n, int64_t below)
{
  for (int64_t i = 0; i < n; i++)
    if (sol_ints (ids)[i] < 0 || sol_ints (ids)[i] >= below) {
      sol_queue_error (q, sol_fail (SOL_ERR_LIMIT, "kernels", "%s: index %d at place %lld, expected 0 to %lld", op, sol_ints (ids)[i], (long long) i, (long long) below - 1));
      return 0;
    }
  return 1;
}

void sol_ref_embed (sol_queue_t *q, sol_tensor_t ids, sol_tensor_t table, sol_tensor_t y)
{
  if (!sol_ids_ok (q, "embed", ids, y.rows, table.rows)) return;
  for (int64_t t = 0; t < y.rows; t++)
    for (int64_t c = 0; c < y.cols; c++) *sol_at (y, t, c) = sol_get (table, sol_ints (ids)[t], c);
}

void sol_ref_embed_dw (sol_queue_t *q, sol_tensor_t ids, sol_tensor_t dy, sol_tensor_t dtable)
{
  if (!sol_ids_ok (q, "embed_dw", ids, dy.rows, dtable.rows)) return;
  for (int64_t t = 0; t < dy.rows; t++)
    for (int64_t c = 0; c < dy.cols; c++) *sol_at (dtable, sol_ints (ids)[t], c) += *sol_at (dy, t, c);
}

void sol_ref_gather (sol_queue_t *q, sol_tensor_t x, sol_tensor_t rows, sol_tensor_t y)
{
  if (!sol_ids_ok (q, "gather", rows, y.rows, x.rows)) return;
  for (int64_t i = 0; i < y.rows; i++) memcpy (sol_at (y, i, 0), sol_at (x, sol_ints (rows)[i], 0), (size_t) y.cols * sizeof (float));
}

void sol_ref_scatter (sol_queue_t *q, sol_tensor_t x, sol_tensor_t rows, sol_tensor_t y)
{
  if (!sol_ids_ok (q, "scatter", rows, x.rows, y.rows)) return;
  for (int64_t i = 0; i < x.rows; i++) memcpy (sol_at (y, sol_ints (rows)[i], 0), sol_at (x, i, 0), (size_t) x.cols * sizeof (float));
}

void sol_ref_scatter_add (sol_queue_t *q, sol_tensor_t x, sol_tensor_t rows, sol_tensor_t y)
{
  if (!sol_ids_ok (q, "scatter_add", rows, x.rows, y.rows)) return;
  for (int64_t i = 0; i < x.rows; i++)
    for (int64_t c = 0; c < x.cols; c++) *sol_at (y, sol_ints (rows)[i], c) += *sol_at (x, i, c);
}

void sol_ref_add (sol_queue_t *q, sol_tensor_t x, sol_tensor_t y)
{
  (void) q;
  for (int64_t t = 0; t < y.rows; t++)
    for (int64_t c = 0; c < y.cols; c++) *sol_at (y, t, c) += *sol_at (x, t, c);
}
