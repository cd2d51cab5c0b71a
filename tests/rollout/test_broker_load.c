/* ranks: 1 3 5 7 */
/* SPDX-License-Identifier: Apache-2.0 */
/* timeout: 120 */
/* Stop and go on, with the same and with another number of brokers, once and twice: every group is trained exactly once, what was claimed but lost is issued again; damaged queue files. */
#include "../../src/rollout/broker_file.h"
#include "world.h"
#include "solera/file.h"

static char dir[512];

/* legs of one run; the trained groups of all legs together must be all, once */
static void chain (const plan_t *plan, const int *brokers, const int64_t *stops, int n, const char *what)
{
  sol_broker_params_t q = { .mode = plan->mode, .k = plan->k, .ups = plan->ups, .prompts = plan->prompts, .updates = plan->updates, .schedule = plan->schedule };
  int64_t all = sol_broker_tickets (&q), expected = plan->updates / plan->ups * plan->prompts, wrong = 0, groups = 0, *times = sol_alloc ((size_t) all * sizeof *times);
  seen_t s = { .trained = sol_alloc ((size_t) all + 1) };
  uint64_t digest[2];
  sol_status_t st = SOL_OK;
  char text[200];
  for (int i = 0; i < n && st == SOL_OK; i++) {
    plan_t p = *plan;
    p.brokers = tap_size >= brokers[i] + 2 ? brokers[i] : 1, p.learners = tap_size >= p.brokers + 3 ? 2 : 1;
    p.resume = i ? stops[i - 1] : 0, p.stop = stops[i];
    p.lose_from = p.stop > 0 && p.mode != SOL_STALE_EXACT ? p.stop / p.ups : 0;
    p.dir = dir, p.deadline_s = 20;
    int first = tap_rank == (tap_size == 1 ? 0 : p.brokers);
    uint8_t *mine = s.trained;
    if (!first) s.trained = sol_alloc ((size_t) all + 1); /* learner 0 is another rank when the brokers are more: only its reading counts */
    s.groups = first ? s.groups : 0, s.digest = first ? s.digest : 0;
    int64_t had = s.groups;
    uint64_t was = s.digest;
    memset (&s.n, 0, sizeof s.n);
    st = play (&p, &s);
    if (!first) {
      sol_free (s.trained);
      s.trained = mine;
    } else groups += s.groups - had;
    digest[0] = first ? s.digest - was : 0, digest[1] = 0;
    if (sol_comm_sum_u64 (sol_comm_world (), digest, 1) != SOL_OK) st = SOL_ERR_MPI;
    int64_t bad = first && (s.n.responses_in != s.n.responses_out + s.n.responses_queued || s.n.digest_in != s.n.digest_out + s.n.digest_queued);
    if (sol_comm_max_i64 (sol_comm_world (), &bad, 1) != SOL_OK || bad) st = SOL_ERR_CONSERVATION;
  }
  snprintf (text, sizeof text, "%s: to its end", what);
  tap_ok (st == SOL_OK && !s.bad, text);
  for (int64_t t = 0; t < all; t++) times[t] = s.trained[t];
  if (sol_comm_sum_i64 (sol_comm_world (), times, (int) all) != SOL_OK || sol_comm_sum_i64 (sol_comm_world (), &groups, 1) != SOL_OK) st = SOL_ERR_MPI;
  for (int64_t t = 0; t < all; t++) wrong += times[t] != (plan->mode == SOL_STALE_FREE || (plan->schedule ? sol_schedule_place (plan->schedule, t) : t) < expected);
  snprintf (text, sizeof text, "%s: all %lld groups once (%lld wrong, %lld groups)", what, (long long) expected, (long long) wrong, (long long) groups);
  tap_ok (st == SOL_OK && wrong == 0 && groups == expected, text);
  sol_free (times);
  sol_free (s.trained);
}

/* loads queue.0 as it is in dir, alone: for damaged files. 1 broker, whose role every rank but 0 watches */
static sol_status_t try_load (const plan_t *plan, int64_t update, sol_broker_counts_t *n)
{
  world_t w;
  sol_broker_t *b = NULL;
  plan_t p = *plan;
  p.brokers = p.learners = 1;
  world_make (&p, &w);
  sol_status_t st = sol_broker_open (&w.p, &b);
  if (st == SOL_OK) st = sol_broker_load (b, dir, update);
  if (st == SOL_OK) st = sol_comm_agree (w.r.world, sol_broker_counts (b, n));
  sol_broker_close (b);
  world_free (&w);
  return st;
}

static void put (const char *name, const void *data, size_t bytes)
{
  char *path = sol_path_join (dir, name);
  if (tap_rank == 0 && sol_file_write (path, data, bytes) != SOL_OK) abort ();
  sol_free (path);
  MPI_Barrier (MPI_COMM_WORLD);
}

/* every byte flipped would take long: all of the header and the tail, and every 37th */
static void damage (const plan_t *plan, const char *what)
{
  static const char *const names[] = { "queue.0", "queue.1" };
  int brokers[] = { 1 };
  plan_t p = *plan;
  seen_t s = { .trained = sol_alloc (1000) };
  sol_broker_counts_t n = { 0 };
  char *path = sol_path_join (dir, names[0]), *data = NULL, text[200];
  size_t bytes = 0;
  int64_t tried = 0, refused = 0;
  p.brokers = brokers[0], p.learners = 1, p.stop = 4, p.dir = dir, p.deadline_s = 20;
  ok (play (&p, &s) == SOL_OK);
  ok (try_load (plan, 4, &n) == SOL_OK);
  ok (n.responses_out == 4 * plan->prompts * G_MAX && n.responses_in == n.responses_out + n.responses_queued && n.digest_in == n.digest_out + n.digest_queued);
  ok (sol_file_read (path, 1 << 20, &data, &bytes) == SOL_OK);
  MPI_Barrier (MPI_COMM_WORLD);
  for (size_t i = 0; i < bytes; i += i < 128 || i > bytes - 16 ? 7 : 371, tried++) {
    data[i] = (char) (data[i] ^ 0x10);
    put (names[0], data, bytes);
    refused += try_load (plan, 4, &n) != SOL_OK;
    data[i] = (char) (data[i] ^ 0x10);
  }
  for (size_t i = 0; i < bytes; i += i < 160 || i > bytes - 16 ? 7 : 371, tried++) {
    put (names[0], data, i);
    refused += try_load (plan, 4, &n) != SOL_OK;
  }
  snprintf (text, sizeof text, "%s: %lld of %lld damaged queue files are refused", what, (long long) refused, (long long) tried);
  tap_ok (refused == tried && tried > 20, text);
  put (names[0], data, bytes);
  ok (try_load (plan, 3, &n) == SOL_ERR_FORMAT); /* of another update */
  p = *plan;
  p.prompts++;
  ok (try_load (&p, 4, &n) == SOL_ERR_FORMAT);
  p = *plan;
  p.mode = plan->mode == SOL_STALE_EXACT ? SOL_STALE_FREE : SOL_STALE_EXACT;
  ok (try_load (&p, 4, &n) == SOL_ERR_FORMAT);
  if (tap_rank == 0) unlink (path);
  MPI_Barrier (MPI_COMM_WORLD);
  ok (try_load (plan, 4, &n) != SOL_OK); /* none there */
  put (names[0], data, bytes);
  ok (try_load (plan, 4, &n) == SOL_OK);
  sol_free (data);
  sol_free (path);
  sol_free (s.trained);
}

/* ---- a queue file whose checksum is right, but whose writer was wrong */
enum { LOSE, LOSE_QUIETLY, DOUBLE, COUNT_MORE, COUNT_DIGEST };
static const struct { const char *what, *said; sol_status_t st; } wrong[] = {
  [LOSE] = { "a group is not in the file", "generated 72 responses", SOL_ERR_CONSERVATION },
  [LOSE_QUIETLY] = { "a group is neither in the file nor in its counts", "ticket 13 (group 1 of batch 4) is missing", SOL_ERR_CONSERVATION },
  [DOUBLE] = { "a group is there twice", "twice", SOL_ERR_CONSERVATION },
  [COUNT_MORE] = { "one response more was generated", "generated 73 responses", SOL_ERR_CONSERVATION },
  [COUNT_DIGEST] = { "other contents were generated", "contents differ", SOL_ERR_CONSERVATION },
};

/* data: the file with 8 bytes of hash at its end, room for twice as much; its new size */
static size_t forge (int how, int64_t ticket, char *data, size_t bytes)
{
  sol_queue_header_t h;
  size_t at = sizeof h, end = bytes - 8;
  uint64_t hash;
  memcpy (&h, data, sizeof h);
  at += h.has_seen ? (size_t) h.tickets : 0;
  for (int64_t i = 0; i < h.n_records; i++) {
    sol_rollout_t v;
    int64_t n;
    size_t step;
    memcpy (&n, data + at, 8);
    step = 8 + (size_t) (n + 7) / 8 * 8;
    char *record = sol_alloc ((size_t) n);
    memcpy (record, data + at + 8, (size_t) n);
    if (sol_rollout_open (record, (size_t) n, &v) != SOL_OK) abort ();
    int it = (int64_t) v.ticket == ticket;
    if (it && how == LOSE_QUIETLY) h.in.responses -= v.n_responses, h.in.tokens -= v.n_tokens, h.in.digest -= sol_rollout_digest (&v);
    sol_free (record);
    if (it && how == DOUBLE) {
      memmove (data + at + step, data + at, end - at);
      end += step, h.n_records++;
      break;
    }
    if (it && (how == LOSE || how == LOSE_QUIETLY)) {
      memmove (data + at, data + at + step, end - at - step);
      end -= step, h.n_records--;
      break;
    }
    at += step;
  }
  h.in.responses += how == COUNT_MORE;
  h.in.digest += how == COUNT_DIGEST;
  memcpy (data, &h, sizeof h);
  hash = sol_hash (data, end);
  memcpy (data + end, &hash, 8);
  return end + 8;
}

/* exact: batches 4 to 7 of 3 groups are whole in the checkpoint of update 4 */
static void forged (void)
{
  plan_t p = { .mode = SOL_STALE_EXACT, .k = 4, .ups = 1, .prompts = 3, .updates = 24, .ring = 4, .brokers = 1, .learners = 1, .stop = 4, .dir = dir, .deadline_s = 20 };
  seen_t s = { .trained = sol_alloc (1000) };
  sol_broker_counts_t n;
  char *path = sol_path_join (dir, "queue.0"), *data = NULL, *bad, log[600];
  size_t bytes = 0;
  ok (play (&p, &s) == SOL_OK);
  ok (try_load (&p, 4, &n) == SOL_OK && n.responses_queued == 12 * G_MAX && n.responses_in == 24 * G_MAX);
  ok (sol_broker_verify (dir, 1, 4) == SOL_OK && sol_broker_verify (dir, 0, 4) == SOL_OK && sol_broker_verify (dir, 2, 4) == SOL_ERR_FORMAT && sol_broker_verify (dir, 1, 5) == SOL_ERR_FORMAT);
  ok (sol_file_read (path, 1 << 20, &data, &bytes) == SOL_OK);
  bad = sol_alloc (2 * bytes);
  MPI_Barrier (MPI_COMM_WORLD);
  snprintf (log, sizeof log, "%s/log.%d", dir, tap_rank);
  for (int how = 0; how <= COUNT_DIGEST; how++) {
    char *text = NULL;
    size_t size = 0;
    int first = tap_rank == 0, good;
    memcpy (bad, data, bytes);
    put ("queue.0", bad, forge (how, 13, bad, bytes));
    unlink (log);
    sol_log_file (log);
    good = try_load (&p, 4, &n) == wrong[how].st;
    sol_log_file (NULL);
    if (first) good &= sol_file_read (log, 1 << 20, &text, &size) == SOL_OK && strstr (text, "queue.0") && strstr (text, wrong[how].said);
    if (!good && text) fprintf (stderr, "%s\n", text);
    tap_ok (good, wrong[how].what);
    sol_free (text);
    MPI_Barrier (MPI_COMM_WORLD);
    ok (sol_broker_verify (dir, 1, 4) == wrong[how].st);
    MPI_Barrier (MPI_COMM_WORLD);
  }
  sol_free (bad);
  sol_free (data);
  sol_free (path);
  sol_free (s.trained);
}

/* one of two files is missing, or two are the same one */
static void incomplete (void)
{
  plan_t p = { .mode = SOL_STALE_BOUNDED, .k = 3, .ups = 1, .prompts = 5, .updates = 10, .ring = 4, .brokers = 2, .learners = 1, .stop = 4, .dir = dir, .deadline_s = 20 };
  seen_t s = { .trained = sol_alloc (1000) };
  sol_broker_counts_t n;
  char *path = sol_path_join (dir, "queue.1"), *data = NULL, *other = sol_path_join (dir, "queue.0");
  size_t bytes;
  if (tap_size >= 4) {
    ok (play (&p, &s) == SOL_OK);
    ok (try_load (&p, 4, &n) == SOL_OK);
    MPI_Barrier (MPI_COMM_WORLD);
    ok (sol_file_read (other, 1 << 20, &data, &bytes) == SOL_OK);
    put ("queue.1", data, bytes);
    ok (try_load (&p, 4, &n) == SOL_ERR_FORMAT);
    if (tap_rank == 0) unlink (path);
    MPI_Barrier (MPI_COMM_WORLD);
    ok (try_load (&p, 4, &n) != SOL_OK);
  }
  sol_free (data);
  sol_free (path);
  sol_free (other);
  sol_free (s.trained);
}

/* a checkpoint of a run with a schedule: not for another schedule, not for a run without one, and not without a group that is due */
static void scheduled (sol_schedule_t *s)
{
  plan_t p = { .mode = SOL_STALE_EXACT, .schedule = s, .ups = 4, .prompts = 7, .updates = 24, .ring = 3, .brokers = 1, .learners = 1, .stop = 8, .dir = dir, .deadline_s = 20 }, other = p;
  seen_t seen = { .trained = sol_alloc (1000) };
  sol_broker_counts_t n = { 0 };
  char *path = sol_path_join (dir, "queue.0");
  ok (play (&p, &seen) == SOL_OK);
  ok (try_load (&p, 8, &n) == SOL_OK && n.responses_out == 2 * 7 * G_MAX && n.responses_queued == (sol_schedule_before (s, 8) - 2 * 7) * G_MAX);
  s->identity++;
  ok (try_load (&p, 8, &n) == SOL_ERR_FORMAT);
  s->identity--;
  other.schedule = NULL, other.k = 4;
  ok (try_load (&other, 8, &n) == SOL_ERR_FORMAT);
  for (int64_t i = 14; i < s->n; i++) /* as if one more had been due before */
    if (s->due[i] == 8) {
      s->due[i] = 4;
      ok (try_load (&p, 8, &n) == SOL_ERR_CONSERVATION);
      s->due[i] = 8;
      break;
    }
  ok (try_load (&p, 8, &n) == SOL_OK);
  MPI_Barrier (MPI_COMM_WORLD);
  if (tap_rank == 0) unlink (path);
  MPI_Barrier (MPI_COMM_WORLD);
  sol_free (path);
  sol_free (seen.trained);
}

int main (int argc, char **argv)
{
  static const int one[] = { 1, 1, 1 }, more[] = { 1, 3, 2 }, less[] = { 3, 2, 1 };
  static const int64_t once[] = { 8, 0 }, twice[] = { 8, 12, 0 }, end[] = { 24, 0 };
  tap_init (&argc, &argv);
  ok (sol_comm_start (&argc, &argv) == SOL_OK);
  sol_log_level (SOL_LOG_WARN);
  snprintf (dir, sizeof dir, "%s", getenv ("TEST_TMPDIR") ? getenv ("TEST_TMPDIR") : "/tmp");
  sol_schedule_t *mixed = make_schedule (7, 4, 24, 0), *shuffled = make_schedule (6, 1, 24, 1), *single = make_schedule (1, 1, 24, 0);
  const struct { plan_t plan; const char *name; } job[] = {
    { { .mode = SOL_STALE_EXACT, .k = 4, .ups = 4, .prompts = 7, .updates = 24, .ring = 3 }, "exact" },
    { { .mode = SOL_STALE_EXACT, .k = 0, .ups = 1, .prompts = 1, .updates = 24, .ring = 3 }, "exact, one prompt a batch" },
    { { .mode = SOL_STALE_EXACT, .k = 64, .ups = 1, .prompts = 3, .updates = 24, .ring = 3 }, "exact, k = 64" },
    { { .mode = SOL_STALE_BOUNDED, .k = 4, .ups = 1, .prompts = 6, .updates = 24, .ring = 3 }, "bounded" },
    { { .mode = SOL_STALE_FREE, .queue = 3, .ups = 1, .prompts = 6, .updates = 24, .ring = 3 }, "free" },
    { { .mode = SOL_STALE_FREE, .queue = 2, .ups = 4, .prompts = 1, .updates = 24, .ring = 2 }, "free, one prompt a batch" },
    { { .mode = SOL_STALE_EXACT, .schedule = mixed, .ups = 4, .prompts = 7, .updates = 24, .ring = 3 }, "a schedule" },
    { { .mode = SOL_STALE_EXACT, .schedule = shuffled, .ups = 1, .prompts = 6, .updates = 24, .ring = 3 }, "a schedule in another order" },
    { { .mode = SOL_STALE_EXACT, .schedule = single, .ups = 1, .prompts = 1, .updates = 24, .ring = 3 }, "a schedule, one prompt a batch" },
  };
  for (size_t i = 0; i < sizeof job / sizeof *job; i++) {
    char name[100];
#define CHAIN(brokers, stops, n, how) (snprintf (name, sizeof name, "%s, %s", job[i].name, how), chain (&job[i].plan, brokers, stops, n, name))
    CHAIN (one, once, 2, "stopped once");
    CHAIN (one, twice, 3, "stopped twice");
    CHAIN (more, twice, 3, "1, 3, 2 brokers");
    CHAIN (less, twice, 3, "3, 2, 1 brokers");
    CHAIN (one, end, 2, "stopped at its end");
  }
  if (tap_size <= 3) {
    damage (&job[4].plan, "free");
    damage (&job[1].plan, "exact");
  }
  if (tap_size <= 3) forged ();
  incomplete ();
  if (tap_size <= 3) scheduled (mixed);
  sol_schedule_destroy (mixed), sol_schedule_destroy (shuffled), sol_schedule_destroy (single);
  sol_comm_end ();
  return tap_done ();
}
