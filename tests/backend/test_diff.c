/* SPDX-License-Identifier: Apache-2.0 */
/* Protects: diff and check see what they are there for: an op that is off (and not one that is not), shapes that do not fit, operands that overlap, results that are not finite; the first error
 * sticks to the queue until sync, and what was seen is counted by op. A token other than the reference's is right where the uniform falls on the edge between the two, and nowhere else. */
#include "../../src/backend/backend_internal.h"
#include "../kernels/draws.h"
#include "../kernels/make.h"

static sol_ops_t wrong; /* of the inner backend, with one op that is off */
static float off;

static void add_off (sol_queue_t *q, sol_tensor_t x, sol_tensor_t y)
{
  sol_ops_ref.add (q, x, y);
  floats (y)[y.rows * y.cols - 1] += off;
}

static int32_t instead; /* what the device samples; -1: as the reference */
static void sample_other (sol_queue_t *q, sol_tensor_t logits, sol_tensor_t partial, float inv_temp, uint64_t seed, sol_tensor_t draws, int greedy, int32_t top_k, double top_p, sol_tensor_t ids)
{
  sol_ops_ref.sample (q, logits, partial, inv_temp, seed, draws, greedy, top_k, top_p, ids);
  if (instead >= 0) id_of (ids)[1] = instead;
}

static sol_backend_t *open_ (const char *name)
{
  sol_backend_t *b;
  need (sol_backend_create (name, 1, NULL, &b) == SOL_OK);
  wrong = *b->inner->head.ops;
  wrong.add = add_off;
  wrong.sample = sample_other;
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

/* three equal rows; the device says `id` in the middle one, for the uniform u + besides */
static sol_status_t sampled (sol_backend_t *b, double u, double besides, int greedy, int32_t top_k, double top_p, int32_t id)
{
  static const float mass[8] = { 5, 4, 0, 3, 2, 1, 0.5f, 0.5f };
  sol_tensor_t z = make (3, 8), partial = make (3, 4), ids = ints (3, 1), at = sol_tensor (sol_alloc (3 * 16), SOL_I32, 3, 4);
  sol_queue_t *q = sol_backend_queue (b, SOL_QUEUE_COMPUTE);
  for (int r = 0; r < 3; r++) {
    set_draw (5, at, r, u + besides);
    floats (partial)[4 * r] = logf (5);
    for (int v = 0; v < 8; v++) floats (z)[8 * r + v] = mass[v] > 0 ? 2 * logf (mass[v]) : -INFINITY;
  }
  instead = id;
  sol_backend_ops (b)->sample (q, z, partial, 0.5f, 5, at, greedy, top_k, top_p, ids);
  const sol_status_t st = sol_backend_ops (b)->sync (q);
  drop (4, (sol_tensor_t[]){ z, partial, ids, at });
  return st;
}

static void test_sample (void)
{
  sol_backend_t *b = open_ ("diff:cpu");
  const double edge = 9. / 16; /* ends 1, begins 3: 2 has no mass */
  ok (sampled (b, edge, 0, 0, 0, 1, -1) == SOL_OK);
  for (int side = -1; side <= 1; side += 2) {
    ok (sampled (b, edge, side * 5e-7, 0, 0, 1, 1) == SOL_OK && sampled (b, edge, side * 5e-7, 0, 0, 1, 3) == SOL_OK); /* either */
    ok (sampled (b, edge, side * 5e-7, 0, 0, 1, 0) == SOL_ERR_NUMERIC && sampled (b, edge, side * 5e-7, 0, 0, 1, 4) == SOL_ERR_NUMERIC);
    ok (sampled (b, edge, side * 5e-7, 0, 0, 1, 2) == SOL_ERR_NUMERIC); /* on the edge, but of no mass */
    ok (sampled (b, edge, side * 3e-6, 0, 0, 1, side < 0 ? 1 : 3) == SOL_OK); /* no edge any more */
    ok (sampled (b, edge, side * 3e-6, 0, 0, 1, side < 0 ? 3 : 1) == SOL_ERR_NUMERIC);
    ok (sampled (b, 5. / 9, side * 5e-7, 0, 2, 1, 0) == SOL_OK && sampled (b, 5. / 9, side * 5e-7, 0, 2, 1, 1) == SOL_OK); /* top_k */
    ok (sampled (b, 5. / 9, side * 5e-7, 0, 2, 1, 3) == SOL_ERR_NUMERIC);
  }
  ok (sampled (b, edge, 0, 0, 0, 1, 99) == SOL_ERR_NUMERIC && sampled (b, edge, 0, 0, 0, 1, -1) == SOL_OK);
  /* top_p: two entries or three, where their sum is just about top_p */
  for (int side = -1; side <= 1; side += 2) {
    ok (sampled (b, 0.99, 0, 0, 0, edge + side * 5e-7, 1) == SOL_OK && sampled (b, 0.99, 0, 0, 0, edge + side * 5e-7, 3) == SOL_OK);
    ok (sampled (b, 0.99, 0, 0, 0, edge + side * 5e-7, 4) == SOL_ERR_NUMERIC);
    ok (sampled (b, 0.99, 0, 0, 0, edge + side * 3e-6, side < 0 ? 3 : 1) == SOL_ERR_NUMERIC);
    ok (sampled (b, 0.4, 0, 0, 0, edge + side * 5e-7, 3) == SOL_ERR_NUMERIC); /* in one of the two sets, but nowhere near u */
  }
  ok (sampled (b, 0.5, 0, 1, 0, 1, -1) == SOL_OK && sampled (b, 5. / 16, 0, 1, 0, 1, 1) == SOL_ERR_NUMERIC); /* greedy: no uniform, no edge */
  sol_backend_destroy (b);
}

int main (void)
{
  sol_backend_t *b = NULL;
  test_diff ();
  test_check ();
  test_sample ();
  ok (sol_backend_create ("diff:nothing", 1, NULL, &b) == SOL_ERR_USAGE && !b);
  ok (sol_backend_create ("difference", 1, NULL, &b) == SOL_ERR_USAGE && !b);
  return tap_done ();
}
