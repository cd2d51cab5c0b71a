/* ranks: 1 */
/* SPDX-License-Identifier: Apache-2.0 */
/* Whole batches through a real broker into a learner: what is not what the settings asked for is refused by one clear error; truncated responses are masked; an update whose every
 * response is dropped is skipped, and says so everywhere. */
#include "../tap_mpi.h"
#include "../../src/store/stats_source.h"
#include "rig.h"
#include <math.h>

static mem_t mem[2 * PROMPTS];
static sol_rollout_t group[2 * PROMPTS]; /* batch 0, and the one that is due from the last version */

typedef struct { rig_t rig; sol_roles_t roles; sol_broker_t *broker; sol_learner_t *l; } run_t;
static const char common[] = "learner: {leaves: 4}\ncheckpoint: {export: false}\n";

/* mode: of the broker, which else refuses what the learner is to refuse */
static void open_run (run_t *r, const char *more, const char *name, int mode)
{
  static int me[1];
  char text[512];
  snprintf (text, sizeof text, "%s%s", common, more);
  memset (r, 0, sizeof *r);
  rig_make (&r->rig, text, name);
  r->roles = (sol_roles_t){ .role = SOL_ROLE_SOLO, .n_actors = 1, .n_brokers = 1, .n_learners = 1, .world = sol_comm_world (), .learners = sol_comm_self (), .actors = sol_comm_self (),
                            .broker_rank = me, .actor_rank = me, .learner_rank = me };
  const sol_config_t *c = r->rig.c;
  sol_broker_params_t p = { .roles = &r->roles, .mode = mode, .k = c->stale_k, .ups = c->ups, .prompts = c->prompts, .group = c->group, .updates = c->updates, .ring_slots = 4, .queue = 2,
                            .record_bytes = sol_rollout_config_bytes (c), .weight_bytes = (size_t) r->rig.table->elements * 4 };
  if (sol_broker_open (&p, &r->broker) != SOL_OK || rig_learner (&r->rig, sol_comm_self (), r->broker, &r->l) != SOL_OK) abort ();
}

static void close_run (run_t *r)
{
  sol_learner_destroy (r->l);
  sol_broker_close (r->broker);
  rig_free (&r->rig);
}

static sol_status_t settle (sol_broker_t *b)
{
  sol_status_t st;
  while ((st = sol_broker_step (b)) == SOL_OK) {}
  return st;
}

static void feed (run_t *r, const sol_rollout_t *g, int n)
{
  size_t room = sol_rollout_config_bytes (r->rig.c), bytes;
  char *record = sol_alloc (room);
  for (int i = 0; i < n; i++)
    if (sol_rollout_pack (&g[i], record, room, &bytes) != SOL_OK || sol_broker_put (r->broker, record, bytes) != SOL_OK || settle (r->broker) != SOL_AGAIN) abort ();
  sol_free (record);
}

/* turns until the learner has made `update` updates, fails, ends, or waits for something that does not come */
static sol_status_t go (run_t *r, int64_t update)
{
  sol_status_t st = SOL_OK;
  for (int i = 0; i < 1000 && (st == SOL_OK || st == SOL_AGAIN) && r->l->update < update; i++) {
    st = sol_learner_step (r->l);
    settle (r->broker);
  }
  return st;
}

static char *text_of (const char *dir, const char *name)
{
  char *path = sol_path_join (dir, name), *text = NULL;
  size_t bytes;
  if (sol_file_read (path, 0, &text, &bytes) != SOL_OK) abort ();
  sol_free (path);
  return text;
}

static int count (const char *text, const char *what)
{
  int n = 0;
  for (const char *s = text; (s = strstr (s, what)); s++) n++;
  return n;
}

/* ---- what is refused */
static void refuse (const char *what, sol_status_t expected, const char *said)
{
  const char *tmp = getenv ("TEST_TMPDIR") ? getenv ("TEST_TMPDIR") : "/tmp";
  char *log = sol_path_join (tmp, "refused.log"), *text;
  run_t r;
  sol_status_t st;
  open_run (&r, "train: {updates: 2}\n", "refused", SOL_STALE_FREE);
  feed (&r, group, PROMPTS);
  remove (log);
  sol_log_file (log);
  st = go (&r, 2);
  sol_log_file (NULL);
  text = text_of (tmp, "refused.log");
  tap_ok (st == expected && r.l->update == 0, what);
  tap_ok (strstr (text, said) && count (text, " error ") == 1, said);
  sol_free (text);
  sol_free (log);
  close_run (&r);
}

static void test_refused (void)
{
  sol_rollout_t was = group[3];
  mem[3].run.version = 1;
  refuse ("a wrong policy version", SOL_ERR_STALE, "batch 0, ticket 3: expected policy version 0, found 1");
  mem[3].run.version = 0;
  group[3].temperature = 0.5f;
  refuse ("a wrong temperature", SOL_ERR_FORMAT, "ticket 3: expected log-probs at temperature 1, found 0.5");
  group[3] = was;
  group[3].n_responses = GROUP - 1;
  group[3].n_tokens -= mem[3].len[GROUP - 1];
  mem[3].run.n_tokens = (int32_t) group[3].n_tokens;
  refuse ("a wrong group size", SOL_ERR_FORMAT, "ticket 3: expected 4 responses, found 3");
  group[3] = was;
  mem[3].run.n_tokens = (int32_t) was.n_tokens;
}

/* ---- truncated responses */
static int is_truncated (int64_t seq) { return mem[seq / GROUP].finish[seq % GROUP] == SOL_FINISH_LENGTH; }

/* coefficients of both updates' tokens in the order of the batch; the first update's are at the same weights in every run */
static sol_status_t coefficients (const char *truncated, float *c, float *adv, char **metrics_p)
{
  char more[256];
  int64_t n = 0;
  run_t r;
  sol_status_t st = SOL_OK;
  snprintf (more, sizeof more, "objective: {name: grpo_no_tr}\ntrain: {updates: 2, lr: 1.0e-2, truncated: %s}\n", truncated);
  open_run (&r, more, truncated, SOL_STALE_EXACT);
  feed (&r, group, PROMPTS);
  for (int u = 1; u <= UPS && st == SOL_OK; u++) {
    st = go (&r, u);
    for (int64_t i = 0; i < r.l->col.n; i++, n++) c[n] = r.l->col.c_lp[r.l->col.src[i]], adv[n] = r.l->col.adv[i];
  }
  *metrics_p = text_of (r.rig.dir, "metrics.jsonl");
  close_run (&r);
  return st;
}

static void test_truncated (void)
{
  static float masked[2 * PROMPTS * TOKENS], trained[2 * PROMPTS * TOKENS], adv[2][2 * PROMPTS * TOKENS];
  int64_t n = 0, bad = 0, moved = 0, first = group[0].n_tokens + group[1].n_tokens + group[2].n_tokens;
  char *metrics[2], want[64];
  static const int truncated[] = { 0 * GROUP + 1, 2 * GROUP + 0, 2 * GROUP + 3, 5 * GROUP + 0, 5 * GROUP + 1, 5 * GROUP + 2, 5 * GROUP + 3 };
  for (size_t i = 0; i < sizeof truncated / sizeof *truncated; i++) mem[truncated[i] / GROUP].finish[truncated[i] % GROUP] = SOL_FINISH_LENGTH;
  mem[2].parts[1 * SOL_PART_COUNT + SOL_PART_STOPPED] = 1; /* the verifier was stopped at one response of the first update */
  mem[0].parts[2 * SOL_PART_COUNT + SOL_PART_RESTARTS] = 2; /* it was started again */
  ok (coefficients ("mask", masked, adv[0], &metrics[0]) == SOL_OK && coefficients ("train", trained, adv[1], &metrics[1]) == SOL_OK);
  for (int64_t seq = 0; seq < PROMPTS * GROUP; seq++)
    for (int t = 0; t < mem[seq / GROUP].len[seq % GROUP]; t++, n++) {
      if (is_truncated (seq)) bad += masked[n] != 0 || adv[0][n] != 0;
      else bad += adv[0][n] != adv[1][n] || (n < first && masked[n] != trained[n]); /* N is the same: the masked ones count */
      moved += is_truncated (seq) && trained[n] != 0;
    }
  tap_ok (bad == 0, "masked: coefficient and advantage 0 for every token of a truncated response, nothing else changes");
  ok (moved > 0); /* train: they have a loss */
  for (int i = 0; i < 2; i++) {
    ok (strstr (metrics[i], "\"truncated_share\":0.25") && strstr (metrics[i], "\"truncated_share\":0.333333")); /* 3 and 4 of 12 */
    ok (strstr (metrics[i], "\"verifier_stopped\":1") && strstr (metrics[i], "\"verifier_stopped\":0"));
    ok (strstr (metrics[i], "\"verifier_restarts\":2") && strstr (metrics[i], "\"verifier_restarts\":0"));
    snprintf (want, sizeof want, "\"n_tokens\":%lld,\"n_sequences\":12", (long long) first);
    ok (strstr (metrics[i], want) != NULL);
    sol_free (metrics[i]);
  }
  mem[2].parts[1 * SOL_PART_COUNT + SOL_PART_STOPPED] = mem[0].parts[2 * SOL_PART_COUNT + SOL_PART_RESTARTS] = 0;
  for (size_t i = 0; i < sizeof truncated / sizeof *truncated; i++) mem[truncated[i] / GROUP].finish[truncated[i] % GROUP] = SOL_FINISH_EOS;
}

/* ---- an update of which nothing is left */
static void check_stats (const char *dir)
{
  char *path = sol_path_join (dir, "stats/0000.0000.h5");
  hid_t access = sol_h5_access (), f = H5Fopen (path, H5F_ACC_RDONLY, access);
  int64_t n = 0, tokens = 0, wrong = 0, kept = group[3].n_tokens + group[4].n_tokens + group[5].n_tokens;
  H5Pclose (access);
  ok (sol_stats_extent (f, "sequences/dropped", &n, path) == SOL_OK && n == 2 * PROMPTS * GROUP); /* and the untrained batch */
  ok (sol_stats_extent (f, "tokens/seq", &tokens, path) == SOL_OK && tokens == kept);
  for (int64_t i = 0; i < n; i++) {
    uint8_t dropped = 9;
    int32_t update = -9;
    int64_t seq = -1;
    if (sol_stats_read (f, SOL_STATS_SEQUENCES_dropped, i, 1, &dropped, path) != SOL_OK || sol_stats_read (f, SOL_STATS_SEQUENCES_update, i, 1, &update, path) != SOL_OK ||
        sol_stats_read (f, SOL_STATS_SEQUENCES_seq, i, 1, &seq, path) != SOL_OK)
      wrong++;
    wrong += dropped != (seq < PROMPTS / 2 * GROUP) || update != (seq < PROMPTS / 2 * GROUP ? 0 : seq < PROMPTS * GROUP ? 1 : -1);
  }
  tap_ok (wrong == 0, "the dropped responses are marked, and only they");
  H5Fclose (f);
  sol_free (path);
}

/* the second update alone, from the start weights */
static float *second_alone (const char *more)
{
  rig_t rig;
  sol_learner_t *l = NULL;
  float *w = NULL;
  rig_make (&rig, more, "alone");
  if (rig_learner (&rig, sol_comm_self (), NULL, &l) != SOL_OK) abort ();
  for (int i = 0; i < PROMPTS; i++) {
    double adv[GROUP];
    l->group[i] = group[i];
    if (sol_advantage_solve (l->c->advantage, group[i].reward, GROUP, adv) != SOL_OK) abort ();
    for (int s = 0; s < GROUP; s++) l->adv[i * GROUP + s] = (float) adv[s];
  }
  l->update = 1;
  if (sol_learner_make_update (l, 1) != SOL_OK || sol_optimizer_master (l->opt, &w) != SOL_OK) abort ();
  sol_learner_destroy (l);
  rig_free (&rig);
  return w;
}

static void test_skipped (void)
{
  static const char settings[] = "stats: {write: true}\nobjective: {name: grpo, on_refused: drop}\ntrain: {updates: 2, lr: 1.0e-2}\n";
  char text[512], *metrics, *dir;
  size_t bytes;
  float *w = NULL, *alone;
  sol_checkpoint_t info;
  sol_status_t st = SOL_OK;
  run_t r;
  static mem_t was[PROMPTS];
  memcpy (was, mem, sizeof was);
  for (int i = 0; i < PROMPTS / 2; i++)
    for (int t = 0; t < group[i].n_tokens; t++) mem[i].lp[t] = NAN;
  open_run (&r, settings, "skipped", SOL_STALE_EXACT);
  bytes = (size_t) r.rig.table->elements * sizeof *w;
  feed (&r, group, PROMPTS);
  ok (go (&r, 1) == SOL_OK && r.l->opt->step == 0 && r.l->dropped_total == PROMPTS / 2 * GROUP && r.l->skipped_total == 1);
  ok (sol_optimizer_master (r.l->opt, &w) == SOL_OK && memcmp (w, r.rig.w, bytes) == 0); /* the weights stay */
  sol_free (w);
  ok (go (&r, 2) == SOL_OK && r.l->opt->step == 1 && r.l->skipped_total == 1);
  snprintf (text, sizeof text, "%s%s", common, settings);
  alone = second_alone (text);
  ok (sol_optimizer_master (r.l->opt, &w) == SOL_OK && memcmp (w, alone, bytes) == 0); /* the next update is as if it were the first */
  sol_free (w);
  sol_free (alone);
  for (int i = 0; i < 10; i++) sol_learner_step (r.l); /* publishes version 2, from which batch 1 is due */
  feed (&r, group + PROMPTS, PROMPTS);
  for (int i = 0; i < 1000 && (st == SOL_OK || st == SOL_AGAIN); i++) {
    st = sol_learner_step (r.l);
    settle (r.broker);
  }
  ok (st == SOL_END);
  metrics = text_of (r.rig.dir, "metrics.jsonl");
  ok (strstr (metrics, "{\"update\":0,\"batch\":0,\"n_tokens\":0,\"n_sequences\":0,") && strstr (metrics, "\"dropped_sequences\":12,\"skipped_updates\":1,"));
  ok (count (metrics, "\"loss\":null") == 1 && count (metrics, "\"grad_norm\":null") == 1 && count (metrics, "\"reward_consumed\":null") == 1 && count (metrics, "\n") == 2);
  sol_free (metrics);
  ok (sol_checkpoint_find (r.rig.dir, NULL, &info, &dir, NULL) == SOL_OK && info.update == 2 && info.step == 1 && info.counters[0] == 12 && info.counters[2] == 1);
  sol_free (dir);
  check_stats (r.rig.dir);
  close_run (&r);
  memcpy (mem, was, sizeof was);
}

/* ---- data sets: the pass rate of each in an update, their numbers and names in the statistics; a number of none is refused */
static void test_sets (void)
{
  static const char settings[] = "stats: {write: true}\ntask: {name: jsonl, path: [x/one.jsonl, two.jsonl]}\ntrain: {updates: 2}\n";
  char *metrics, *path, *names = NULL;
  int64_t wrong = 0;
  run_t r;
  for (int i = 1; i < PROMPTS; i++) group[i].set = 1;
  group[2].dropped = (sol_dropped_t){ 4, 1, 3, GROUP, 4 };
  open_run (&r, settings, "sets", SOL_STALE_EXACT);
  feed (&r, group, PROMPTS);
  ok (go (&r, 2) == SOL_OK && sol_stats_flush (r.l->stats) == SOL_OK);
  metrics = text_of (r.rig.dir, "metrics.jsonl");
  ok (count (metrics, ",\"pass_rates\":{\"one\":0.5,\"two\":0.625}}\n") == 1 && count (metrics, ",\"pass_rates\":{\"one\":null,\"two\":0.58333") == 1);
  /* 7 of 12 right, and with the 4 dropped groups of 4 responses 11 of 28 */
  ok (count (metrics, "\"pass_rate\":0.583333333333333") == 2 && count (metrics, "\"pass_rate_generated\":0.392857142857142") == 1 &&
      count (metrics, "\"refilled_groups\":4,\"refilled_right_share\":0.25,\"refilled_wrong_share\":0.75,") == 1 && count (metrics, "\"refilled_groups\":0,\"refilled_right_share\":null,") == 1);
  sol_free (metrics);
  path = sol_path_join (r.rig.dir, "stats/0000.0000.h5");
  close_run (&r);
  hid_t access = sol_h5_access (), f = H5Fopen (path, H5F_ACC_RDONLY, access);
  H5Pclose (access);
  for (int64_t i = 0; i < PROMPTS * GROUP; i++) {
    int32_t set = -9;
    int64_t ticket = -1;
    if (sol_stats_read (f, SOL_STATS_SEQUENCES_set, i, 1, &set, path) != SOL_OK || sol_stats_read (f, SOL_STATS_SEQUENCES_ticket, i, 1, &ticket, path) != SOL_OK) wrong++;
    int32_t refilled = -9;
    if (sol_stats_read (f, SOL_STATS_SEQUENCES_refilled, i, 1, &refilled, path) != SOL_OK) wrong++;
    wrong += set != (ticket > 0) || refilled != (ticket == 2 ? 4 : 0);
  }
  ok (!wrong && sol_h5_get_text (f, "data_sets", &names, path) == SOL_OK && !strcmp (names, "one\ntwo"));
  H5Fclose (f);
  sol_free (names);
  sol_free (path);
  for (int i = 1; i < PROMPTS; i++) group[i].set = i == 3 ? 2 : 0;
  refuse ("a data set that is none", SOL_ERR_FORMAT, "ticket 3: expected the number of a data set under 1 (task.path), found 2");
  group[3].set = 0;
  group[2].dropped = (sol_dropped_t){ 0 };
}

int main (int argc, char **argv)
{
  tap_init (&argc, &argv);
  ok (sol_comm_start (&argc, &argv) == SOL_OK);
  sol_log_level (SOL_LOG_ERROR);
  for (int i = 0; i < 2 * PROMPTS; i++) {
    group[i] = group_make (i, &mem[i]);
    mem[i].run.version = i < PROMPTS ? 0 : UPS;
  }
  test_refused ();
  test_truncated ();
  test_sets ();
  test_skipped ();
  return tap_done ();
}
