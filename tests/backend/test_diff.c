/* SPDX-License-Identifier: Apache-2.0 */
/* Protects: diff and check see what they are there for: an op that is off (and not one that is not), shapes that do not fit, operands that overlap, results that are not finite; the first error
 * sticks to the queue until sync, and what was seen is counted by op. */
#include "../../src/backend/backend_internal.h"
#include "../kernels/make.h"

static sol_ops_t wrong; /* of the inner backend, with one op that is off */
static float off;

static void add_off (sol_queue_t *q, sol_tensor_t x, sol_tensor_t y)
{
  sol_ops_ref.add (q, x, y);
  floats (y)[y.rows * y.cols - 1] += off;
}

static sol_backend_t *open_ (const char *name)
{
  sol_backend_t *b;
  need (sol_backend_create (name, 1, NULL, &b) == SOL_OK);
  wrong = *b->inner->head.ops;
  wrong.add = add_off;
  b->inner->head.ops = &wrong;
  return b;
}

static sol_status_t add (sol_backend_t *b, sol_tensor_t x, sol_tensor_t y)
{
  sol_queue_t *q = sol_backend_queue (b, SOL_QUEUE_COMPUTE);
  sol_backend_ops (b)->add (q, x, y);
  return sol_backend_ops (b)->sync (q);
}

static void test_diff (void)
{
  sol_backend_t *b = open_ ("diff:cpu");
  sol_tensor_t x = make (5, 7), y = make (5, 7), narrow = make (5, 6);
  const sol_op_seen_t *seen;
  off = 0;
  ok (add (b, x, y) == SOL_OK && (seen = sol_backend_seen (b, 0)) && !strcmp (seen->op, "add") && seen->calls == 1 && seen->worst == 0 && !sol_backend_seen (b, 1));
  off = 0.001f;
  ok (add (b, x, y) == SOL_OK && sol_backend_seen (b, 0)->worst > 0 && sol_backend_seen (b, 0)->worst < 1 && sol_backend_seen (b, 0)->calls == 2);
  off = 1;
  ok (add (b, x, y) == SOL_ERR_NUMERIC);
  off = NAN;
  ok (add (b, x, y) == SOL_ERR_NUMERIC);
  off = 0;
  floats (y)[34] = 1; /* the NaN was stored */
  ok (add (b, x, y) == SOL_OK); /* the error went with the sync */
  ok (add (b, x, narrow) == SOL_ERR_NUMERIC); /* shapes */
  drop (3, (sol_tensor_t[]){ x, y, narrow });
  sol_backend_destroy (b);
}

static void test_check (void)
{
  sol_backend_t *b = open_ ("check:cpu");
  sol_tensor_t x = make (6, 8), y = make (6, 8);
  off = 1; /* nothing to compare with */
  ok (add (b, x, y) == SOL_OK && sol_backend_seen (b, 0)->calls == 1);
  off = INFINITY;
  ok (add (b, x, y) == SOL_ERR_NUMERIC);
  off = 0;
  floats (y)[47] = 1;
  ok (add (b, x, y) == SOL_OK);
  ok (add (b, sol_tensor_rows (x, 0, 4), sol_tensor_rows (x, 2, 4)) == SOL_ERR_NUMERIC); /* rows 2 and 3 are read and written */
  ok (add (b, sol_tensor_rows (x, 0, 2), sol_tensor_rows (x, 2, 2)) == SOL_OK);
  drop (2, (sol_tensor_t[]){ x, y });
  sol_backend_destroy (b);
}

int main (void)
{
  sol_backend_t *b = NULL;
  test_diff ();
  test_check ();
  ok (sol_backend_create ("diff:nothing", 1, NULL, &b) == SOL_ERR_USAGE && !b);
  ok (sol_backend_create ("difference", 1, NULL, &b) == SOL_ERR_USAGE && !b);
  return tap_done ();
}
