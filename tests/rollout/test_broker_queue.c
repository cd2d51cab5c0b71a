/* ranks: 1 */
/* SPDX-License-Identifier: Apache-2.0 */
/* What a broker refuses, and when publishing waits: one rank is everything, each call by itself, through the inner seam of the window. */
#include "../../src/rollout/broker_internal.h"
#include "world.h"
#include <math.h>

static world_t world;

static sol_broker_t *open_with (const plan_t *plan)
{
  plan_t p = *plan;
  sol_broker_t *b = NULL;
  world_make (&p, &world);
  if (sol_broker_open (&world.p, &b) != SOL_OK) abort ();
  return b;
}

static sol_status_t put (sol_broker_t *b, int64_t ticket, int64_t version)
{
  _Alignas (8) char record[4096];
  size_t bytes = make_record (ticket, version, 0, record, sizeof record);
  return sol_broker_put (b, record, bytes);
}

static sol_status_t publish (sol_broker_t *b, int64_t version)
{
  unsigned char block[WEIGHTS];
  make_weights (version, block);
  return sol_broker_publish (b, version, block);
}

/* steps until there is nothing to do; what the broker says */
static sol_status_t settle (sol_broker_t *b)
{
  sol_status_t st;
  while ((st = sol_broker_step (b)) == SOL_OK) {}
  return st;
}

static const plan_t exact = { .mode = SOL_STALE_EXACT, .k = 2, .ups = 1, .prompts = 2, .updates = 10, .ring = 4 };
static const plan_t bounded = { .mode = SOL_STALE_BOUNDED, .k = 2, .ups = 1, .prompts = 2, .updates = 10, .ring = 4 };
static const plan_t unbounded = { .mode = SOL_STALE_FREE, .queue = 2, .ups = 1, .prompts = 2, .updates = 10, .ring = 4 };

static void refuses (const plan_t *plan, int64_t ticket, int64_t version, sol_status_t expected, const char *what)
{
  sol_broker_t *b = open_with (plan);
  int good = put (b, ticket, version) == SOL_OK && settle (b) == expected;
  tap_ok (good, what);
  sol_broker_close (b);
}

static void try_versions (void)
{
  refuses (&exact, 1, 0, SOL_AGAIN, "exact: the version that the batch is due from");
  refuses (&exact, 8, 2, SOL_AGAIN, "exact: batch 4 from version 2");
  refuses (&exact, 8, 1, SOL_ERR_STALE, "exact: a version too old");
  refuses (&exact, 8, 3, SOL_ERR_STALE, "exact: a version too new");
  refuses (&bounded, 8, 2, SOL_AGAIN, "bounded: just in time");
  refuses (&bounded, 8, 4, SOL_AGAIN, "bounded: newer than it must be");
  refuses (&bounded, 8, 1, SOL_ERR_STALE, "bounded: a version too old");
  refuses (&unbounded, 8, 0, SOL_AGAIN, "free: any version");
  refuses (&exact, 26, 11, SOL_ERR_FORMAT, "exact: a ticket beyond the end");
  refuses (&bounded, 20, 10, SOL_ERR_FORMAT, "bounded: a ticket beyond the end");
  refuses (&unbounded, 20, 10, SOL_ERR_FORMAT, "free: a ticket beyond the end");
}

static void try_doubled (const plan_t *plan, const char *what)
{
  sol_broker_t *b = open_with (plan);
  int64_t state;
  sol_status_t st;
  int good = put (b, 1, 0) == SOL_OK && settle (b) == SOL_AGAIN && put (b, 1, 0) == SOL_OK && settle (b) == SOL_ERR_CONSERVATION;
  tap_ok (good, what);
  sol_broker_close (b);
  b = open_with (plan); /* after it was trained */
  ok (put (b, 1, 0) == SOL_OK && put (b, 0, 0) == SOL_OK && settle (b) == SOL_AGAIN);
  ok (sol_word_get (b, 0, W_BATCHES, &state) == SOL_OK && state == 1);
  ok (sol_broker_done (b, 0) == SOL_OK && settle (b) == SOL_AGAIN && b->n.groups_queued == 0 && b->n.responses_out == 2 * G_MAX && b->n_shares == 0);
  ok (put (b, 1, 0) == SOL_OK);
  st = settle (b);
  ok (st == SOL_ERR_CONSERVATION || st == SOL_ERR_STALE);
  sol_broker_close (b);
}

static void try_damaged (void)
{
  _Alignas (8) char record[4096];
  size_t bytes = make_record (0, 0, 0, record, sizeof record);
  uint64_t huge = UINT64_MAX / 2, none = 0;
  sol_broker_t *b = open_with (&exact);
  record[bytes - 9] ^= 1;
  ok (sol_broker_put (b, record, bytes) == SOL_ERR_CHECKSUM);
  record[bytes - 9] ^= 1;
  ok (sol_broker_put (b, record, bytes) == SOL_OK && settle (b) == SOL_AGAIN && b->n.groups_queued == 1); /* the refused one left nothing */
  ok (put (b, 1, 0) == SOL_OK && sol_window_put (b, 0, b->at_ring + b->slot_bytes + 150, "x", 1) == SOL_OK && settle (b) == SOL_ERR_CHECKSUM);
  sol_broker_close (b);
  b = open_with (&exact);
  ok (put (b, 1, 0) == SOL_OK && sol_window_put (b, 0, b->at_ring, &huge, 8) == SOL_OK && settle (b) == SOL_ERR_FORMAT);
  sol_broker_close (b);
  b = open_with (&exact);
  ok (put (b, 1, 0) == SOL_OK && sol_window_put (b, 0, b->at_ring, &none, 8) == SOL_OK && settle (b) == SOL_ERR_FORMAT);
  sol_broker_close (b);
  b = open_with (&exact); /* a place that its owner will not fill */
  ok (sol_word_add (b, 0, W_TAIL, 1, &(int64_t){ 0 }) == SOL_OK && put (b, 1, 0) == SOL_OK && settle (b) == SOL_AGAIN && b->n.groups_queued == 0);
  ok (sol_word_set (b, 0, sol_word_at (b->at_state, 0), 0 * SLOT_STATES + SLOT_SKIP) == SOL_OK && settle (b) == SOL_AGAIN && b->n.groups_queued == 1);
  sol_broker_close (b);
}

static void try_ring_full (void)
{
  sol_broker_t *b = open_with (&exact);
  int good = 1;
  for (int64_t t = 0; t < 4; t++) good &= put (b, t, 0) == SOL_OK;
  ok (good);
  ok (put (b, 4, 0) == SOL_AGAIN && sol_broker_put (b, NULL, 0) == SOL_AGAIN);
  ok (settle (b) == SOL_AGAIN && sol_broker_put (b, NULL, 0) == SOL_OK && settle (b) == SOL_AGAIN && b->n.groups_queued == 5);
  b->n.tokens_queued++; /* the queue and its counts must differ to be found different */
  ok (sol_queue_check (b) == SOL_ERR_CONSERVATION);
  b->n.tokens_queued--;
  ok (sol_queue_check (b) == SOL_OK && sol_broker_check (b) == SOL_OK);
  b->n.digest_out++;
  ok (put (b, 5, 0) == SOL_OK && settle (b) == SOL_AGAIN && sol_broker_check (b) == SOL_ERR_CONSERVATION);
  sol_broker_close (b);
}

/* counting anew costs a constant number of looks a group, and an error is found after at most as many groups as the queue has places */
static void try_audit (void)
{
  static const plan_t wide = { .mode = SOL_STALE_EXACT, .k = 400, .ups = 1, .prompts = 8, .updates = 400, .ring = 64 };
  sol_broker_t *b = open_with (&wide);
  int64_t t = 0, reset = 0, before = 0;
  int good = 1;
  for (; t < 3000; t++) {
    good &= put (b, t, 0) == SOL_OK && settle (b) == SOL_AGAIN;
    reset += b->unchecked <= before;
    before = b->unchecked;
  }
  tap_ok (good && reset > 5 && reset < 40, "3000 groups one at a time: the whole queue is counted seldom");
  b->n.responses_queued--;
  while (t < 3208 && put (b, t, 0) == SOL_OK && settle (b) == SOL_AGAIN) t++;
  ok (sol_queue_check (b) == SOL_ERR_CONSERVATION);
  sol_broker_close (b);
}

static void try_publish (void)
{
  unsigned char block[WEIGHTS], expected[WEIGHTS];
  int64_t ticket, version, newest;
  sol_broker_t *b = open_with (&(plan_t){ .mode = SOL_STALE_EXACT, .k = 0, .ups = 1, .prompts = 2, .updates = 10, .ring = 4 });
  ok (sol_broker_claim (b, &ticket, &version) == SOL_AGAIN && sol_broker_newest (b, &newest) == SOL_OK && newest == -1);
  ok (sol_broker_fetch (b, 0, block) == SOL_AGAIN);
  ok (publish (b, 0) == SOL_OK && publish (b, 1) == SOL_OK);
  ok (publish (b, 2) == SOL_AGAIN); /* ticket 1 is not claimed, ticket 0 has not its weights */
  ok (sol_broker_claim (b, &ticket, &version) == SOL_OK && ticket == 0 && version == 0 && publish (b, 2) == SOL_AGAIN);
  make_weights (0, expected);
  ok (sol_broker_fetch (b, 0, block) == SOL_OK && !memcmp (block, expected, WEIGHTS) && sol_broker_release (b, 0) == SOL_OK && publish (b, 2) == SOL_AGAIN);
  ok (sol_broker_claim (b, &ticket, &version) == SOL_OK && ticket == 1 && version == 0); /* the model has it already */
  ok (publish (b, 2) == SOL_OK);
  ok (sol_broker_fetch (b, 0, block) == SOL_ERR_STALE);
  ok (publish (b, 3) == SOL_AGAIN);
  ok (sol_broker_claim (b, &ticket, &version) == SOL_OK && ticket == 2 && version == 1 && sol_broker_fetch (b, 1, block) == SOL_OK);
  ok (sol_window_put (b, 0, b->at_weights + 1 * ((WEIGHTS + 63) / 64 * 64 + 64) + 7, "y", 1) == SOL_OK && sol_broker_fetch (b, 1, block) == SOL_ERR_CHECKSUM);
  ok (sol_broker_goodbye (b) == SOL_OK);
  usleep (60000); /* the word is asked for at most every 50 ms */
  ok (sol_broker_claim (b, &ticket, &version) == SOL_END && sol_broker_ended (b) && settle (b) == SOL_END);
  sol_broker_close (b);
}

static void try_claims (void)
{
  int64_t t, v;
  int good = 1;
  sol_broker_t *b = open_with (&exact);
  ok (publish (b, 0) == SOL_OK);
  for (int i = 0; i < 6; i++) good &= sol_broker_claim (b, &t, &v) == SOL_OK && t == i && v == 0; /* batches 0 .. k */
  ok (good && sol_broker_claim (b, &t, &v) == SOL_AGAIN && publish (b, 1) == SOL_OK && sol_broker_claim (b, &t, &v) == SOL_OK && t == 6 && v == 1);
  sol_broker_close (b);
  b = open_with (&unbounded);
  ok (publish (b, 0) == SOL_OK);
  for (int i = 0; i < 6; i++) good &= sol_broker_claim (b, &t, &v) == SOL_OK && t == i && v == 0; /* two batches ahead */
  ok (good && sol_broker_claim (b, &t, &v) == SOL_AGAIN && publish (b, 3) == SOL_OK && sol_broker_claim (b, &t, &v) == SOL_OK && t == 6 && v == 3);
  sol_broker_close (b);
  b = open_with (&(plan_t){ .mode = SOL_STALE_BOUNDED, .k = 1, .ups = 1, .prompts = 1, .updates = 2, .ring = 4 });
  ok (publish (b, 0) == SOL_OK && sol_broker_claim (b, &t, &v) == SOL_OK && sol_broker_claim (b, &t, &v) == SOL_OK && t == 1);
  ok (sol_broker_claim (b, &t, &v) == SOL_END && sol_broker_claim (b, &t, &v) == SOL_END);
  sol_broker_close (b);
}

static void try_reading (void)
{
  sol_batch_row_t row[2], wrong;
  char record[4096];
  double sum;
  int64_t n;
  sol_broker_t *b = open_with (&exact);
  ok (sol_broker_batch (b, 0, row) == SOL_AGAIN);
  ok (put (b, 1, 0) == SOL_OK && settle (b) == SOL_AGAIN && sol_broker_batch (b, 0, row) == SOL_AGAIN);
  ok (sol_broker_fresh (b, 0, &sum, &n) == SOL_OK && n == G_MAX && sum == 1);
  ok (put (b, 0, 0) == SOL_OK && settle (b) == SOL_AGAIN && sol_broker_batch (b, 0, row) == SOL_OK && row[0].ticket == 0 && row[1].ticket == 1);
  ok (put (b, 3, 0) == SOL_OK && settle (b) == SOL_AGAIN && sol_broker_fresh (b, 0, &sum, &n) == SOL_OK && n == 3 * G_MAX && sum == 2); /* tickets 0 and 1; 3 gives no response a reward */
  ok (sol_broker_fresh (b, 1, &sum, &n) == SOL_OK && n == 0 && sum == 0);
  ok (sol_broker_get (b, 0, &row[1], record) == SOL_OK);
#define WRONG(field, value) (wrong = row[0], wrong.field = (value), sol_broker_get (b, 0, &wrong, record) == SOL_ERR_FORMAT)
  ok (WRONG (broker, 1) && WRONG (broker, -1) && WRONG (bytes, -1) && WRONG (bytes, 1 << 20) && WRONG (offset, -8) && WRONG (offset, INT64_MAX - 7));
  sol_broker_close (b);
}

/* what an actor says it generated against what arrived: neither a lost, doubled nor changed group goes unseen */
static void try_generated (void)
{
  _Alignas (8) char record[4096];
  size_t bytes = make_record (0, 0, 1, record, sizeof record); /* of actor 1 of 1 */
  put_t said;
  int64_t place;
  int good = 1;
  sol_broker_t *b = open_with (&exact);
  ok (sol_broker_put (b, record, bytes) == SOL_OK && settle (b) == SOL_ERR_FORMAT);
  sol_broker_close (b);
  b = open_with (&exact);
  ok (put (b, 0, 0) == SOL_OK && sol_window_get (b, 0, b->at_put, &said, sizeof said) == SOL_OK && said.groups == 1 && said.amount.responses == G_MAX);
  ok (b->n.responses_in == 0 && settle (b) == SOL_AGAIN && b->n.responses_in == G_MAX && b->n.digest_in == said.amount.digest);
  ok (put (b, 1, 0) == SOL_OK && sol_window_get (b, 0, b->at_put, &said, sizeof said) == SOL_OK);
  said.amount.tokens++;
  ok (sol_window_put (b, 0, b->at_put, &said, sizeof said) == SOL_OK && settle (b) == SOL_ERR_CONSERVATION);
  sol_broker_close (b);
  b = open_with (&exact); /* a whole record that nobody generated */
  ok (put (b, 0, 0) == SOL_OK && settle (b) == SOL_AGAIN);
  bytes = make_record (1, 0, 0, record + 8, sizeof record - 8);
  memcpy (record, &(uint64_t){ bytes }, 8);
  ok (sol_word_add (b, 0, W_TAIL, 1, &place) == SOL_OK && sol_window_put (b, 0, b->at_ring + place * b->slot_bytes, record, bytes + 8) == SOL_OK);
  ok (sol_word_set (b, 0, sol_word_at (b->at_state, place), place * SLOT_STATES + SLOT_FULL) == SOL_OK && settle (b) == SOL_ERR_CONSERVATION);
  sol_broker_close (b);
  b = open_with (&exact); /* more than can be on its way never arrived */
  for (int64_t t = 0; t < 6; t++)
    good &= put (b, t, 0) == SOL_OK && sol_word_set (b, 0, sol_word_at (b->at_state, t % 4), t * SLOT_STATES + SLOT_SKIP) == SOL_OK && settle (b) == SOL_AGAIN;
  ok (good && put (b, 0, 0) == SOL_OK && settle (b) == SOL_ERR_CONSERVATION);
  sol_broker_close (b);
  b = open_with (&exact); /* at the end */
  ok (put (b, 0, 0) == SOL_OK && settle (b) == SOL_AGAIN && sol_broker_goodbye (b) == SOL_OK && settle (b) == SOL_END);
  b->got[0].amount.digest++;
  ok (settle (b) == SOL_ERR_CONSERVATION);
  sol_broker_close (b);
}

static sol_status_t put_rewards (sol_broker_t *b, int64_t ticket, const double *reward)
{
  static const int32_t len[G_MAX] = { 1, 1, 1 }, ids[G_MAX];
  static const uint8_t finish[G_MAX];
  static const float lp[G_MAX];
  const sol_version_run_t run = { 0, G_MAX, 0 };
  const sol_rollout_t v = { .ticket = (uint64_t) ticket, .n_responses = G_MAX, .n_runs = 1, .n_tokens = G_MAX, .temperature = 1, .len = len, .finish = finish, .reward = reward, .runs = &run, .ids = ids, .lp = lp };
  _Alignas (8) char record[1024];
  size_t bytes;
  SOL_TRY (sol_rollout_pack (&v, record, sizeof record, &bytes));
  return sol_broker_put (b, record, bytes);
}

/* the sum of rewards has the same bytes whatever the order of arrival, and is what it must be */
static void try_fresh_sum (void)
{
  static const double reward[4][G_MAX] = { { 0.1, 0.2, 0.3 }, { 1e9, 0.7, 1e-9 }, { -1e9, -0.1, -0.9 }, { 1. / 3, 0, 1 } }, huge[G_MAX] = { 0, 2e9, 0 };
  static const int order[3][4] = { { 0, 1, 2, 3 }, { 3, 2, 1, 0 }, { 1, 3, 0, 2 } };
  double sum[3], naive[3] = { 0 };
  int64_t n;
  sol_broker_t *b;
  for (int k = 0; k < 3; k++) {
    b = open_with (&exact);
    for (int i = 0; i < 4; i++) {
      ok (put_rewards (b, order[k][i], reward[order[k][i]]) == SOL_OK && settle (b) == SOL_AGAIN);
      for (int g = 0; g < G_MAX; g++) naive[k] += reward[order[k][i]][g];
    }
    ok (sol_broker_fresh (b, 0, &sum[k], &n) == SOL_OK && n == 4 * G_MAX);
    sol_broker_close (b);
  }
  ok (memcmp (&naive[0], &naive[1], 8) != 0); /* the case is one where it matters */
  ok (memcmp (&sum[0], &sum[1], 8) == 0 && memcmp (&sum[0], &sum[2], 8) == 0);
  tap_ok (fabs (sum[0] - (1.6 + 1. / 3 + 1e-9 - 0.3)) < 1e-15, "the sum is right");
  b = open_with (&exact);
  ok (put_rewards (b, 0, huge) == SOL_OK && settle (b) == SOL_ERR_LIMIT);
  sol_broker_close (b);
}

/* a response that saw a hundred versions goes through a broker made for it */
static void try_many_versions (void)
{
  enum { N = 100 };
  static int32_t ids[G_MAX * N];
  static float lp[G_MAX * N];
  static const int32_t len[G_MAX] = { N, N, N };
  static const uint8_t finish[G_MAX];
  static const double reward[G_MAX];
  static sol_version_run_t run[G_MAX * N];
  sol_rollout_t v = { .n_responses = G_MAX, .n_runs = G_MAX * N, .n_tokens = G_MAX * N, .temperature = 1, .len = len, .finish = finish, .reward = reward, .runs = run, .ids = ids, .lp = lp }, w;
  sol_batch_row_t row;
  sol_broker_t *b;
  size_t bytes, room = sol_rollout_max_bytes (G_MAX, PROMPT_MAX, N, N);
  char *record = sol_alloc (room);
  plan_t p = { .mode = SOL_STALE_BOUNDED, .k = 200, .ups = 1, .prompts = 1, .updates = 300, .ring = 2 };
  for (int i = 0; i < G_MAX * N; i++) run[i] = (sol_version_run_t){ i, 1, i % N };
  ok (sol_rollout_pack (&v, record, room, &bytes) == SOL_OK);
  world_make (&p, &world);
  world.p.record_bytes = sol_rollout_max_bytes (G_MAX, PROMPT_MAX, N, N);
  if (sol_broker_open (&world.p, &b) != SOL_OK) abort ();
  ok (sol_broker_put (b, record, bytes) == SOL_OK && settle (b) == SOL_AGAIN && sol_broker_batch (b, 0, &row) == SOL_OK && sol_broker_get (b, 0, &row, record) == SOL_OK);
  ok (sol_rollout_open (record, (size_t) row.bytes, &w) == SOL_OK && w.n_runs == G_MAX * N && w.runs[G_MAX * N - 1].version == N - 1);
  sol_broker_close (b);
  world.p.record_bytes = sol_rollout_max_bytes (G_MAX, PROMPT_MAX, NEW_MAX, 1);
  if (sol_broker_open (&world.p, &b) != SOL_OK) abort ();
  ok (sol_broker_put (b, record, bytes) == SOL_ERR_LIMIT);
  sol_broker_close (b);
  sol_free (record);
}

static int64_t resident (void)
{
  long long size = 0, pages = 0;
  FILE *f = fopen ("/proc/self/statm", "r");
  if (!f || fscanf (f, "%lld %lld", &size, &pages) != 2) pages = 0;
  if (f) fclose (f);
  return pages * sysconf (_SC_PAGESIZE);
}

/* a window of gigabytes takes the memory that is used of it */
static void try_large_window (void)
{
  plan_t p = exact;
  sol_broker_t *b;
  int64_t before, n = 0;
  char text[100];
  world_make (&p, &world);
  world.p.record_bytes = (size_t) 64 << 20;
  before = resident ();
  if (sol_broker_open (&world.p, &b) != SOL_OK) abort ();
  ok (put (b, 0, 0) == SOL_OK && put (b, 1, 0) == SOL_OK && settle (b) == SOL_AGAIN && sol_word_get (b, 0, W_BATCHES, &n) == SOL_OK && n == 1);
  snprintf (text, sizeof text, "a window of %lld MB uses %lld MB", (long long) (b->window_bytes >> 20), (long long) ((resident () - before) >> 20));
  tap_ok (before == 0 || resident () - before < b->window_bytes / 4, text); /* the actor's copy of a record is of the largest size */
  sol_broker_close (b);
}

/* the same update twice: each is written */
static void try_saves (void)
{
  const char *dir = getenv ("TEST_TMPDIR") ? getenv ("TEST_TMPDIR") : "/tmp";
  char *path = sol_queue_path (dir, 0);
  uint64_t hash[2] = { 0 };
  sol_broker_t *b = open_with (&bounded);
  for (int i = 0; i < 2; i++) {
    unlink (path);
    ok (sol_broker_save (b, dir, 0, &hash[i]) == SOL_AGAIN && settle (b) == SOL_AGAIN && sol_broker_save (b, dir, 0, &hash[i]) == SOL_OK && access (path, R_OK) == 0);
    ok (sol_broker_verify (dir, 1, 0) == SOL_OK);
  }
  ok (hash[0] == hash[1]);
  sol_broker_close (b);
  sol_free (path);
}

int main (int argc, char **argv)
{
  tap_init (&argc, &argv);
  ok (sol_comm_start (&argc, &argv) == SOL_OK);
  sol_log_level (SOL_LOG_ERROR);
  try_versions ();
  try_doubled (&exact, "exact: a ticket twice");
  try_doubled (&bounded, "bounded: a ticket twice");
  try_doubled (&unbounded, "free: a ticket twice");
  try_damaged ();
  try_ring_full ();
  try_audit ();
  try_publish ();
  try_claims ();
  try_reading ();
  try_generated ();
  try_fresh_sum ();
  try_many_versions ();
  try_large_window ();
  try_saves ();
  sol_comm_end ();
  return tap_done ();
}
