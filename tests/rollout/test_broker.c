/* ranks: 1 3 5 7 */
/* SPDX-License-Identifier: Apache-2.0 */
/* timeout: 120 */
/* The broker among actors and learners: nothing lost, doubled, corrupted or of a wrong version, in every mode, with full rings, slow actors and batches smaller than the number of brokers. */
#include "world.h"

static void run (const plan_t *plan, const char *what)
{
  plan_t p = *plan;
  p.brokers = p.brokers ? p.brokers : 1, p.learners = p.learners ? p.learners : 1;
  sol_broker_params_t q = { .mode = p.mode, .k = p.k, .ups = p.ups, .prompts = p.prompts, .updates = p.updates, .schedule = p.schedule };
  int64_t all = sol_broker_tickets (&q), trained = p.updates / p.ups * p.prompts, wrong = 0, n[2];
  char text[200];
  seen_t s = { .trained = sol_alloc ((size_t) all + 1) };
  sol_status_t st;
  int first;
  p.deadline_s = 25;
  if (tap_size < p.brokers + p.learners + 1) p.brokers = p.learners = 1;
  first = tap_rank == (tap_size == 1 ? 0 : p.brokers); /* learner 0 */
  st = play (&p, &s);
  snprintf (text, sizeof text, "%s: to its end (%lld groups)", what, (long long) trained);
  tap_ok (st == SOL_OK, text);
  for (int64_t t = 0; first && t < all; t++) wrong += s.trained[t] != (p.mode == SOL_STALE_FREE || (p.schedule ? sol_schedule_place (p.schedule, t) : t) < trained);
  snprintf (text, sizeof text, "%s: every group trained once, nothing else read", what);
  tap_ok (st == SOL_OK && !s.bad && (!first || (wrong == 0 && s.groups == trained)), text);
  snprintf (text, sizeof text, "%s: counts are what was trained", what);
  tap_ok (!first || (s.n.responses_in == s.n.responses_out + s.n.responses_queued && s.n.responses_dropped == 0 && s.n.digest_in == s.n.digest_out + s.n.digest_queued &&
                     s.n.responses_in <= all * G_MAX && s.n.responses_out <= s.groups * G_MAX && s.n.tokens_out <= s.tokens),
          text);
  n[0] = s.fresh_n, n[1] = (int64_t) s.fresh_sum;
  tap_ok (!first || p.mode != SOL_STALE_EXACT || p.schedule || (n[0] == p.prompts * G_MAX && n[1] >= 0 && n[1] <= p.prompts), "rewards of the last version are summed");
  sol_free (s.trained);
}

int main (int argc, char **argv)
{
  tap_init (&argc, &argv);
  ok (sol_comm_start (&argc, &argv) == SOL_OK);
  sol_log_level (SOL_LOG_WARN);
  double t0 = sol_clock_s ();
#define RUN(name, ...) (run (&(plan_t){ __VA_ARGS__ }, name), tap_rank == 0 ? fprintf (stderr, "%.2f s: %s\n", sol_clock_s () - t0, name) : 0)
  RUN ("many small records", .mode = SOL_STALE_EXACT, .k = 4, .ups = 1, .prompts = 32, .updates = argc > 1 ? 25 : 250, .ring = 16); /* test_broker few */
  RUN ("k = 0", .mode = SOL_STALE_EXACT, .k = 0, .ups = 1, .prompts = 4, .updates = 12, .ring = 8);
  RUN ("k = 0 in 4 updates a step", .mode = SOL_STALE_EXACT, .k = 0, .ups = 4, .prompts = 4, .updates = 40, .ring = 8);
  RUN ("k = 4 in 4 updates a step", .mode = SOL_STALE_EXACT, .k = 4, .ups = 4, .prompts = 5, .updates = 80, .ring = 4);
  RUN ("k = 64", .mode = SOL_STALE_EXACT, .k = 64, .ups = 1, .prompts = 3, .updates = 80, .ring = 8);
  RUN ("k = 64 in 4 updates a step, ring of 2", .mode = SOL_STALE_EXACT, .k = 64, .ups = 4, .prompts = 7, .updates = 120, .ring = 2);
  RUN ("ring of 1", .mode = SOL_STALE_EXACT, .k = 4, .ups = 1, .prompts = 6, .updates = 20, .ring = 1);
  RUN ("one prompt a batch, two brokers", .mode = SOL_STALE_EXACT, .k = 2, .ups = 1, .prompts = 1, .updates = 40, .ring = 2, .brokers = 2);
  RUN ("three brokers, two learners", .mode = SOL_STALE_EXACT, .k = 4, .ups = 2, .prompts = 8, .updates = 40, .ring = 2, .brokers = 3, .learners = 2);
  RUN ("bounded", .mode = SOL_STALE_BOUNDED, .k = 4, .ups = 1, .prompts = 8, .updates = 40, .ring = 2, .brokers = 2);
  RUN ("bounded, k = 0 in 4 updates a step", .mode = SOL_STALE_BOUNDED, .k = 0, .ups = 4, .prompts = 3, .updates = 40, .ring = 3);
  RUN ("bounded, one prompt a batch", .mode = SOL_STALE_BOUNDED, .k = 3, .ups = 1, .prompts = 1, .updates = 40, .ring = 3, .brokers = 2, .learners = 2);
  RUN ("free", .mode = SOL_STALE_FREE, .queue = 2, .ups = 1, .prompts = 8, .updates = 40, .ring = 2);
  RUN ("free, three brokers", .mode = SOL_STALE_FREE, .queue = 3, .ups = 2, .prompts = 7, .updates = 60, .ring = 2, .brokers = 3, .learners = 2);
  RUN ("free, one prompt a batch, two brokers", .mode = SOL_STALE_FREE, .queue = 1, .ups = 1, .prompts = 1, .updates = 40, .ring = 2, .brokers = 2);
  sol_schedule_t *mixed = make_schedule (9, 2, 60, 0), *shuffled = make_schedule (9, 2, 60, 1);
  RUN ("a schedule", .mode = SOL_STALE_EXACT, .schedule = mixed, .ups = 2, .prompts = 9, .updates = 60, .ring = 3);
  RUN ("a schedule, two brokers", .mode = SOL_STALE_EXACT, .schedule = mixed, .ups = 2, .prompts = 9, .updates = 60, .ring = 2, .brokers = 2, .learners = 2);
  RUN ("a schedule in another order, three brokers", .mode = SOL_STALE_EXACT, .schedule = shuffled, .ups = 2, .prompts = 9, .updates = 60, .ring = 2, .brokers = 3);
  sol_schedule_destroy (mixed);
  sol_schedule_destroy (shuffled);
  sol_comm_end ();
  return tap_done ();
}
