/* ranks: 1 */
/* SPDX-License-Identifier: Apache-2.0 */
/* An actor beside a broker, without a learner: its records are the same bytes for any number of places; what they hold; each prompt is prefilled once. */
#include "../tap_mpi.h"
#include "rig.h"

enum { PROMPTS = 6, GROUP = 4, BATCHES = 3, K = 2, MAX_PROMPT = 16, MAX_NEW = 14, GROUPS = PROMPTS * BATCHES };
static char yaml[640];

typedef struct { char *bytes; size_t room, len[GROUPS]; } records_t;

/* batches 0 .. BATCHES - 1 are all due from version 0 */
static sol_broker_t *open_broker (const rig_t *r, const sol_roles_t *roles)
{
  sol_broker_t *b = NULL;
  const sol_broker_params_t p = { .roles = roles, .mode = SOL_STALE_EXACT, .k = K, .ups = 1, .prompts = PROMPTS, .group = GROUP, .updates = 8, .ring_slots = 4, .queue = 2,
                                  .record_bytes = sol_rollout_max_bytes (GROUP, MAX_PROMPT, MAX_NEW, 1), .weight_bytes = sol_model_bytes (r->model) };
  if (sol_broker_open (&p, &b) != SOL_OK || sol_broker_publish (b, 0, r->block) != SOL_OK) abort ();
  return b;
}

/* turns actor and broker until batch is there */
static sol_status_t batch_of (sol_actor_t *a, sol_broker_t *b, int64_t batch, sol_batch_row_t *rows)
{
  for (int turn = 0; turn < 100000; turn++) {
    sol_status_t st = sol_actor_step (a);
    if (st != SOL_OK && st != SOL_AGAIN) return st;
    st = sol_broker_step (b);
    if (st != SOL_OK && st != SOL_AGAIN) return st;
    st = sol_broker_batch (b, batch, rows);
    if (st != SOL_AGAIN) return st;
  }
  return SOL_ERR_TIMEOUT;
}

/* runs until the actor has nothing to do any more: all batches of version 0 are generated; *rows_p: rows through the layers */
static void generate (rig_t *r, int32_t slots, records_t *out, int64_t *rows_p)
{
  sol_roles_t *roles = NULL;
  sol_actor_t *a = NULL;
  sol_batch_row_t rows[PROMPTS];
  r->c->slots = slots;
  if (sol_roles_create (r->c, NULL, sol_comm_world (), &roles) != SOL_OK) abort ();
  sol_broker_t *b = open_broker (r, roles);
  const sol_actor_params_t p = { .config = r->c, .model = r->model, .task = r->task, .broker = b };
  if (sol_actor_create (&p, &a) != SOL_OK) abort ();
  rows_embedded = 0;
  out->room = sol_rollout_max_bytes (GROUP, MAX_PROMPT, MAX_NEW, 1);
  out->bytes = sol_alloc (GROUPS * out->room);
  for (int64_t batch = 0; batch < BATCHES; batch++) {
    int good = batch_of (a, b, batch, rows) == SOL_OK;
    for (int i = 0; i < PROMPTS && good; i++) {
      out->len[batch * PROMPTS + i] = (size_t) rows[i].bytes;
      good = sol_broker_get (b, batch, &rows[i], out->bytes + (size_t) (batch * PROMPTS + i) * out->room) == SOL_OK;
    }
    ok (good && sol_broker_done (b, batch) == SOL_OK);
  }
  *rows_p = rows_embedded;
  ok (sol_actor_step (a) == SOL_AGAIN); /* the next batch is due from weights that are not there */
  sol_actor_destroy (a);
  sol_broker_close (b);
  sol_roles_destroy (roles);
}

/* one record against the task and the decoder's contract; adds the rows that it must have cost */
static int record_is_right (const rig_t *r, const records_t *all, int i, int64_t *rows, int64_t *cut)
{
  sol_rollout_t g;
  sol_prompt_t prompt = { 0 };
  int64_t at = 0;
  int good = sol_rollout_open (all->bytes + (size_t) i * all->room, all->len[i], &g) == SOL_OK && sol_task_prompt (r->task, SOL_SPLIT_TRAIN, g.index, &prompt) == SOL_OK;
  good = good && g.ticket == (uint64_t) i && g.index % (UINT64_C (1) << SOL_TICKET_BITS) == (uint64_t) i && (r->c->refill > 0 || g.index == (uint64_t) i) && g.prompt_id == prompt.id && g.n_responses == GROUP && g.n_runs == 1 && g.runs[0].version == 0 &&
         g.n_prompt == prompt.ids.n && !memcmp (g.prompt, prompt.ids.data, (size_t) g.n_prompt * 4) && g.temperature == (float) r->c->temperature &&
         !g.raw_lp == (r->c->temperature == 1);
  for (int s = 0; s < GROUP && good; at += g.len[s], s++) {
    const int32_t n = g.len[s];
    sol_grade_t grade;
    good = n >= 1 && n <= MAX_NEW && sol_task_grade (r->task, &prompt, g.ids + at, n, g.finish[s], &grade) == SOL_OK && grade.total == g.reward[s];
    for (int32_t t = 0; t < n && good; t++) {
      const int last = t == n - 1 && g.finish[s] == SOL_FINISH_EOS;
      good = (g.ids[at + t] == SOL_CHAIN_EOS) == last && g.lp[at + t] < 0 && g.entropy[at + t] > 0;
    }
    good = good && (g.finish[s] == SOL_FINISH_EOS || (g.finish[s] == SOL_FINISH_LENGTH && n == MAX_NEW));
    *cut += g.finish[s] == SOL_FINISH_LENGTH;
    *rows += n - 1;
  }
  *rows += prompt.ids.n;
  sol_prompt_free (&prompt);
  return good && at == g.n_tokens;
}

static void test_records (rig_t *r)
{
  records_t first = { 0 };
  int64_t rows, want = 0, cut = 0;
  int good = 1;
  generate (r, slot_counts[0], &first, &rows);
  for (int i = 0; i < GROUPS; i++) good &= record_is_right (r, &first, i, &want, &cut);
  ok (good);
  ok (cut > 0 && cut < GROUPS * GROUP);
  ok (rows == want); /* a prompt once for its group, each token but the last once */
  for (size_t k = 1; k < sizeof slot_counts / sizeof *slot_counts; k++) {
    records_t other = { 0 };
    int same = 1;
    generate (r, slot_counts[k], &other, &rows);
    for (int i = 0; i < GROUPS; i++) same &= first.len[i] == other.len[i] && !memcmp (first.bytes + (size_t) i * first.room, other.bytes + (size_t) i * other.room, first.len[i]);
    ok (same);
    ok (rows == want);
    sol_free (other.bytes);
  }
  sol_free (first.bytes);
}

/* batch.refill: what stays has rewards that differ, or is the last attempt; attempts ask other prompts; all of it is the same for any number of places, and what is not dropped is as without */
static void test_refill (rig_t *r)
{
  enum { N = 2 };
  records_t without = { 0 }, first = { 0 };
  int64_t rows, cut = 0, good = 1, dropped = 0, last = 0, equal = 0;
  generate (r, 64, &without, &rows);
  r->c->refill = N;
  for (size_t k = 0; k < sizeof slot_counts / sizeof *slot_counts; k++) {
    records_t *all = k == 0 ? &first : &(records_t){ 0 };
    int same = 1;
    generate (r, slot_counts[k], all, &rows);
    for (int i = 0; i < GROUPS && k > 0; i++) same &= first.len[i] == all->len[i] && !memcmp (first.bytes + (size_t) i * first.room, all->bytes + (size_t) i * all->room, first.len[i]);
    ok (same);
    if (k > 0) sol_free (all->bytes);
  }
  for (int i = 0; i < GROUPS; i++) {
    sol_rollout_t g, was;
    if (sol_rollout_open (first.bytes + (size_t) i * first.room, first.len[i], &g) != SOL_OK || sol_rollout_open (without.bytes + (size_t) i * without.room, without.len[i], &was) != SOL_OK) abort ();
    const int64_t attempt = (int64_t) (g.index >> SOL_TICKET_BITS);
    int varied = 0, was_varied = 0;
    for (int s = 1; s < GROUP; s++) varied |= g.reward[s] != g.reward[0], was_varied |= was.reward[s] != was.reward[0];
    good &= record_is_right (r, &first, i, &rows, &cut) && attempt == g.dropped.groups && (varied || attempt == N) && (attempt > 0) == !was_varied && g.dropped.all_right + g.dropped.all_wrong == attempt;
    good &= attempt > 0 || (without.len[i] == first.len[i] && !memcmp (first.bytes + (size_t) i * first.room, without.bytes + (size_t) i * without.room, first.len[i]));
    good &= attempt != 1 || g.dropped.reward == was.reward[0] * GROUP;
    dropped += attempt;
    last += attempt == N && !varied;
    equal += !was_varied;
  }
  char what[128];
  snprintf (what, sizeof what, "%d of %d groups had equal rewards: %d dropped in all, %d given up", (int) equal, GROUPS, (int) dropped, (int) last);
  tap_ok (good && dropped > equal && equal > 0 && equal < GROUPS, what);
  r->c->refill = 0;
  sol_free (without.bytes);
  sol_free (first.bytes);
}

static void test_need (rig_t *r)
{
  const sol_actor_params_t p = { .config = r->c, .model = r->model, .task = r->task };
  sol_needs_t n = { 0 };
  sol_actor_t *a = NULL;
  r->c->slots = 512;
  r->c->refill = 3;
  const size_t before = sol_memory_used (), large = sol_memory_large ();
  ok (sol_actor_need (r->c, r->model, &n) == SOL_OK && sol_actor_create (&p, &a) == SOL_OK);
  const uint64_t said = sol_need_total (&n.host) - sol_model_need (r->model), taken = sol_memory_large () - large;
  if (said != taken) fprintf (stderr, "said %llu, taken %llu\n", (unsigned long long) said, (unsigned long long) taken);
  ok (said == taken && sol_need_total (&n.device) == 0);
  ok (sol_memory_used () - before - taken < taken / 20); /* the books of the decoder */
  sol_needs_t without = { 0 };
  r->c->refill = 0;
  ok (sol_actor_need (r->c, r->model, &without) == SOL_OK && sol_need_total (&without.host) < sol_need_total (&n.host)); /* tickets that lost a group */
  sol_actor_destroy (a);
  r->c->slots = 65536;
  r->c->max_new = 1048576;
  ok (sol_actor_need (r->c, r->model, &n) == SOL_ERR_USAGE); /* more rows than there are numbers */
  r->c->max_new = MAX_NEW;
}

static void test_refused (rig_t *r)
{
  sol_roles_t *roles = NULL;
  sol_actor_t *a = NULL;
  r->c->slots = 8;
  if (sol_roles_create (r->c, NULL, sol_comm_world (), &roles) != SOL_OK) abort ();
  sol_broker_t *b = open_broker (r, roles);
  const sol_actor_params_t p = { .config = r->c, .model = r->model, .task = r->task, .broker = b };
  r->c->max_prompt = 3;
  ok (sol_actor_create (&p, &a) == SOL_OK && sol_actor_step (a) == SOL_ERR_LIMIT); /* no prompt is that short */
  r->c->max_prompt = MAX_PROMPT;
  sol_actor_destroy (a);
  sol_broker_close (b);
  sol_roles_destroy (roles);
}

/* weights that are to be evaluated are not overwritten in any mode, however long that takes */
static void test_reserve (rig_t *r)
{
  sol_roles_t *roles = NULL;
  sol_broker_t *b = NULL;
  if (sol_roles_create (r->c, NULL, sol_comm_world (), &roles) != SOL_OK) abort ();
  for (int mode = SOL_STALE_EXACT; mode <= SOL_STALE_FREE; mode++) {
    const sol_broker_params_t p = { .roles = roles, .mode = mode, .ups = 1, .prompts = 1, .group = 1, .updates = 8, .ring_slots = 4, .queue = 2, .record_bytes = sol_rollout_max_bytes (GROUP, MAX_PROMPT, MAX_NEW, 1),
                                    .weight_bytes = sol_model_bytes (r->model) };
    char *block = sol_alloc (p.weight_bytes);
    int64_t ticket, version = -1;
    if (sol_broker_open (&p, &b) != SOL_OK) abort ();
    ok (sol_broker_reserve (b, -1, 0) == SOL_OK && sol_broker_publish (b, 0, r->block) == SOL_OK && sol_broker_publish (b, 1, r->block) == SOL_OK);
    for (int i = 0; i < 2; i++) ok (sol_broker_claim (b, &ticket, &version) == SOL_OK && sol_broker_release (b, version) == SOL_OK);
    ok (sol_broker_publish (b, 2, r->block) == SOL_AGAIN && sol_broker_fetch (b, 0, block) == SOL_OK);
    ok (sol_broker_reserve (b, 0, 2) == SOL_OK && sol_broker_publish (b, 2, r->block) == SOL_OK && sol_broker_fetch (b, 0, block) == SOL_ERR_STALE);
    ok (sol_broker_claim (b, &ticket, &version) == SOL_OK && version == 2 && sol_broker_release (b, version) == SOL_OK && sol_broker_publish (b, 3, r->block) == SOL_OK);
    ok (sol_broker_publish (b, 4, r->block) == SOL_AGAIN); /* 2 was fetched for a claim, which is not yet for evaluation */
    sol_free (block);
    sol_broker_close (b);
  }
  sol_roles_destroy (roles);
}

int main (int argc, char **argv)
{
  rig_t r;
  tap_init (&argc, &argv);
  ok (sol_comm_start (&argc, &argv) == SOL_OK);
  sol_log_level ((sol_log_level_t) (SOL_LOG_ERROR + 1));
  snprintf (yaml, sizeof yaml,
            "roles: solo\nseed: 9\nmodel: {layers: 2, width: 32, heads: 2, kv_heads: 1, mlp: 48}\ntask: {name: chain, steps: 2}\nrollout: {max_prompt: %d, max_tokens: %d}\n"
            "batch: {prompts: %d, group: %d, updates_per_step: 1}\nstaleness: {mode: exact, k: %d}\n", MAX_PROMPT, MAX_NEW, PROMPTS, GROUP, K);
  rig_make (&r, yaml, NULL);
  test_records (&r);
  r.c->temperature = 0.7; /* the untempered log-probs are recorded too */
  test_records (&r);
  r.c->temperature = 1;
  test_refill (&r);
  test_need (&r);
  r.c->lp_check = 1; /* a pass and a column more */
  test_need (&r);
  r.c->lp_check = 0;
  test_refused (&r);
  test_reserve (&r);
  rig_free (&r);
  return tap_done ();
}
