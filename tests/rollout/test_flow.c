/* ranks: 1 3 5 7 */
/* SPDX-License-Identifier: Apache-2.0 */
/* Whole runs: nothing is lost, doubled or changed on its way, whatever the mode, the lag, the number of roles and the size of the ring; and none gets stuck. */
#include "flow.h"
#include "solera/file.h"

static int more_brokers (int n) { return tap_size >= 5 ? n : 1; }

/* stops after `stop`, goes on from the checkpoint with other brokers: together the legs train every ticket once */
static int legs (flow_t c, int64_t stop, int brokers)
{
  const char *tmp = getenv ("TEST_TMPDIR");
  char dir[1024];
  size_t n = (size_t) ((c.updates + c.k + c.ups) / c.ups * c.prompts + 1);
  int64_t *batch_of = sol_alloc (n * sizeof *batch_of);
  int bad;
  snprintf (dir, sizeof dir, "%s/flow.%d.%d.%lld", tmp ? tmp : "/tmp", tap_size, c.mode, (long long) c.k);
  if (tap_rank == 0 && sol_dir_make (dir) != SOL_OK) MPI_Abort (MPI_COMM_WORLD, 8);
  memset (batch_of, 0xff, n * sizeof *batch_of);
  c.dir = dir;
  c.stop = stop;
  bad = flow_run (&c, batch_of);
  MPI_Allreduce (MPI_IN_PLACE, batch_of, (int) n, MPI_INT64_T, MPI_MAX, MPI_COMM_WORLD); /* another rank may be the learner now */
  c.from = stop;
  c.stop = 0;
  c.brokers = brokers;
  bad |= flow_run (&c, batch_of);
  if (tap_rank == 0) sol_dir_remove (dir);
  sol_free (batch_of);
  return bad;
}

int main (int argc, char **argv)
{
  flow_start (&argc, &argv);
  int two = more_brokers (2), three = tap_size >= 7 ? 3 : two;
  flow_t base = { .mode = SOL_STALE_EXACT, .k = 0, .ups = 4, .prompts = 8, .group = 4, .updates = 80, .slots = 8, .queue = 2, .brokers = 1, .learners = 1, .max_new = 30, .delay_us = 200 }, c;

  /* exact: the plain synchronous loop, a lag of one step, many steps */
  for (int i = 0; i < 3; i++) {
    c = base;
    c.k = (int64_t[]){ 0, 4, 64 }[i];
    c.brokers = i == 1 ? two : i == 2 ? three : 1;
    c.learners = i == 2 && tap_size >= 5 ? 1 : tap_size >= 5 ? 2 : 1;
    tap_ok (!flow (&c), (const char *[]){ "exact, k = 0", "exact, k = 4", "exact, k = 64" }[i]);
  }
  /* fewer groups than actors; one update a step */
  c = base;
  c.ups = 1, c.prompts = 1, c.updates = 60, c.slots = 2;
  tap_ok (!flow (&c), "exact, k = 0, one prompt, one update a step");
  c.k = 3, c.brokers = two;
  tap_ok (!flow (&c), "exact, k = 3, one prompt, more brokers than prompts");
  /* back-pressure: a ring of two (or one) slots, actors without delay, long records */
  c = base;
  c.slots = 2, c.k = 16, c.delay_us = 0, c.max_new = 200, c.prompts = 21, c.brokers = three;
  tap_ok (!flow (&c), "exact, k = 16, ring of two slots");
  c.slots = 1, c.brokers = 1, c.learners = tap_size >= 5 ? 2 : 1;
  tap_ok (!flow (&c), "exact, k = 16, ring of one slot");
  /* thousands of records */
  c = base;
  c.k = 40, c.prompts = 50, c.updates = 240, c.delay_us = 20, c.brokers = two;
  tap_ok (!flow (&c), "exact, k = 40, 3550 groups");
  /* one batch near the worst case fills the batch area alone */
  c = base;
  c.max_new = 1, c.k = 8, c.brokers = two;
  tap_ok (!flow (&c), "exact, k = 8, records of the largest size");

  c = base;
  c.mode = SOL_STALE_BOUNDED;
  for (int i = 0; i < 3; i++) {
    c.k = (int64_t[]){ 0, 8, 64 }[i];
    c.brokers = i == 1 ? three : two;
    c.slots = i == 1 ? 2 : 8;
    tap_ok (!flow (&c), (const char *[]){ "bounded, k = 0", "bounded, k = 8", "bounded, k = 64" }[i]);
  }
  c.k = 2, c.ups = 1, c.prompts = 1, c.learners = 1;
  tap_ok (!flow (&c), "bounded, k = 2, one prompt");

  c = base;
  c.mode = SOL_STALE_FREE, c.updates = 240, c.delay_us = 50;
  tap_ok (!flow (&c), "free");
  c.prompts = 7, c.brokers = three; /* no even shares */
  tap_ok (!flow (&c), "free, shares that are not even");
  c.prompts = 1, c.brokers = two, c.queue = 0, c.slots = 2;
  tap_ok (!flow (&c), "free, one prompt, nothing ahead");

  c = base;
  c.k = 16, c.prompts = 7, c.brokers = three;
  tap_ok (!legs (c, 40, 1), "exact, k = 16, stopped and resumed with fewer brokers");
  c.mode = SOL_STALE_BOUNDED, c.brokers = 1;
  tap_ok (!legs (c, 40, three), "bounded, k = 16, stopped and resumed with more brokers");
  c.mode = SOL_STALE_FREE;
  tap_ok (!legs (c, 40, two), "free, stopped and resumed with more brokers");
  return tap_done ();
}
