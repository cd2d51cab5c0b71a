/* SPDX-License-Identifier: Apache-2.0 */
#include "ref.h"

void sol_ref_embed (sol_queue_t *q, sol_tensor_t ids, sol_tensor_t table, sol_tensor_t y)
{
  (void) q;
  for (int64_t t = 0; t < y.rows; t++)
    for (int64_t c = 0; c < y.cols; c++) *sol_at (y, t, c) = sol_get (table, sol_ints (ids)[t], c);
}

void sol_ref_embed_dw (sol_queue_t *q, sol_tensor_t ids, sol_tensor_t dy, sol_tensor_t dtable)
{
  (void) q;
  for (int64_t t = 0; t < dy.rows; t++)
    for (int64_t c = 0; c < dy.cols; c++) *sol_at (dtable, sol_ints (ids)[t], c) += *sol_at (dy, t, c);
}

void sol_ref_gather (sol_queue_t *q, sol_tensor_t x, sol_tensor_t rows, sol_tensor_t y)
{
  (void) q;
  for (int64_t i = 0; i < y.rows; i++) memcpy (sol_at (y, i, 0), sol_at (x, sol_ints (rows)[i], 0), (size_t) y.cols * sizeof (float));
}

void sol_ref_scatter (sol_queue_t *q, sol_tensor_t x, sol_tensor_t rows, sol_tensor_t y)
{
  (void) q;
  for (int64_t i = 0; i < x.rows; i++) memcpy (sol_at (y, sol_ints (rows)[i], 0), sol_at (x, i, 0), (size_t) x.cols * sizeof (float));
}

void sol_ref_scatter_add (sol_queue_t *q, sol_tensor_t x, sol_tensor_t rows, sol_tensor_t y)
{
  (void) q;
  for (int64_t i = 0; i < x.rows; i++)
    for (int64_t c = 0; c < x.cols; c++) *sol_at (y, sol_ints (rows)[i], c) += *sol_at (x, i, c);
}

void sol_ref_add (sol_queue_t *q, sol_tensor_t x, sol_tensor_t y)
{
  (void) q;
  for (int64_t t = 0; t < y.rows; t++)
    for (int64_t c = 0; c < y.cols; c++) *sol_at (y, t, c) += *sol_at (x, t, c);
}
