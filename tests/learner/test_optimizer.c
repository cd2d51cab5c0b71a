/* ranks: 1 2 3 4 */
/* SPDX-License-Identifier: Apache-2.0 */
/* Protects: a checkpoint's weights and moments are the same block whatever number of learners wrote or reads it; steps after loading continue bit for bit; a gradient that is not
 * finite is refused on every rank and changes nothing. */
#include "../tap_mpi.h"
#include "rig.h"
#include <math.h>

enum { LEAVES = 8 };

/* every leaf is a function of its number alone; bad: one element of leaf 5 */
static sol_status_t step (sol_optimizer_t *o, uint32_t salt, float bad)
{
  const int64_t n = sol_grad_elements (o->model);
  const int rank = sol_comm_rank (o->comm);
  double norm = -1;
  for (int leaf = o->first_of[rank]; leaf < o->first_of[rank + 1]; leaf++) {
    float *g = sol_tree_leaf (o->tree);
    for (int64_t i = 0; i < n; i++) g[i] = (float) (((uint64_t) i * 2654435761u + (uint64_t) (leaf + 1) * 40503u * salt) % 2001) * 1e-3f - 1.0f;
    if (leaf == 5 && bad != 0) g[n / 3] = bad;
    SOL_TRY (sol_tree_push (o->tree));
  }
  return sol_optimizer_step (o, (sol_adamw_t){ .lr = 1e-2, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .decay = 0.01 }, 1.0, 0, &norm);
}

/* the optimizer's state beside a whole one's */
static int same_slice (const sol_optimizer_t *o, const sol_optimizer_t *whole)
{
  const size_t bytes = (size_t) o->n * sizeof (float);
  return o->step == whole->step && memcmp (o->w, whole->w + o->first, bytes) == 0 && memcmp (o->m, whole->m + o->first, bytes) == 0 && memcmp (o->v, whole->v + o->first, bytes) == 0 &&
         memcmp (o->block, whole->block, sol_model_bytes (o->model)) == 0;
}

static sol_status_t save (const sol_optimizer_t *o, const char *dir)
{
  sol_checkpoint_writer_t *w;
  sol_checkpoint_t info = { .update = o->step, .step = o->step, .elements = o->elements };
  SOL_TRY (sol_checkpoint_begin (dir, o->step, o->elements, o->comm, &w));
  SOL_TRY (sol_optimizer_save (o, w));
  return sol_checkpoint_commit (w, &info, "", 2);
}

static sol_status_t load (sol_optimizer_t *o, const char *dir)
{
  sol_checkpoint_t info;
  char *found;
  sol_status_t st;
  SOL_TRY (sol_checkpoint_find (dir, NULL, &info, &found, NULL));
  st = sol_optimizer_load (o, found, &info);
  sol_free (found);
  return st;
}

int main (int argc, char **argv)
{
  rig_t rig, alone;
  sol_optimizer_t *all = NULL, *whole = NULL;
  int64_t n = 0;
  sol_comm_t *world;
  char *dir, name[32];
  tap_init (&argc, &argv);
  ok (sol_comm_start (&argc, &argv) == SOL_OK);
  world = sol_comm_world ();
  sol_log_level (SOL_LOG_ERROR);
  snprintf (name, sizeof name, "all-%d", tap_size);
  rig_make (&rig, "", name);
  snprintf (name, sizeof name, "alone%d-%d", tap_rank, tap_size);
  rig_make (&alone, "", name);
  ok (sol_optimizer_create (rig.model, world, LEAVES, rig.w, &all) == SOL_OK);
  ok (sol_optimizer_create (alone.model, sol_comm_self (), LEAVES, alone.w, &whole) == SOL_OK);
  n = all->n;
  ok (sol_comm_sum_i64 (world, &n, 1) == SOL_OK && n == all->elements);
  ok (all->elements > 4 * SOL_SUMSQ_CHUNK && (tap_size == 1 || all->n < all->elements)); /* every learner has a slice */
  for (uint32_t i = 1; i < 4; i++) {
    sol_status_t a = step (all, i, 0), b = step (whole, i, 0);
    ok (a == SOL_OK && b == SOL_OK && same_slice (all, whole));
  }
  /* not finite: nothing changes, on any rank, and the next update is as if it had not been */
  {
    static const float bad[] = { NAN, INFINITY, -INFINITY };
    sol_log_level (SOL_LOG_ERROR);
    for (int i = 0; i < 3; i++) ok (step (all, 9, bad[i]) == SOL_ERR_NUMERIC && same_slice (all, whole));
    ok (step (all, 4, 0) == SOL_OK && step (whole, 4, 0) == SOL_OK && same_slice (all, whole));
  }
  /* written by all, read by one, and the other way round */
  ok (save (all, rig.dir) == SOL_OK);
  ok (save (whole, alone.dir) == SOL_OK);
  sol_optimizer_destroy (all);
  sol_optimizer_destroy (whole);
  all = whole = NULL;
  ok (sol_optimizer_create (rig.model, world, LEAVES, NULL, &all) == SOL_OK && sol_optimizer_create (alone.model, sol_comm_self (), LEAVES, NULL, &whole) == SOL_OK);
  ok (load (whole, rig.dir) == SOL_OK);
  snprintf (name, sizeof name, "alone0-%d", tap_size);
  dir = sol_path_join (getenv ("TEST_TMPDIR") ? getenv ("TEST_TMPDIR") : "/tmp", name);
  ok (load (all, dir) == SOL_OK);
  sol_free (dir);
  ok (all->step == 4 && same_slice (all, whole));
  ok (step (all, 5, 0) == SOL_OK && step (whole, 5, 0) == SOL_OK && same_slice (all, whole));
  /* a checkpoint of another model is refused by number */
  {
    sol_checkpoint_t info = { .elements = all->elements + 1, .update = 1, .step = 1 };
    ok (sol_optimizer_load (all, "other", &info) == SOL_ERR_FORMAT && all->step == 5 && same_slice (all, whole));
  }
  sol_optimizer_destroy (all);
  sol_optimizer_destroy (whole);
  rig_free (&rig);
  rig_free (&alone);
  return tap_done ();
}
