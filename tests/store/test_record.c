/* SPDX-License-Identifier: Apache-2.0 */
/* A run's record from its statistics: order, versions, what was held; the rollouts put together again; records that cannot be. */
#include "helpers.h"
#include "solera/config.h"
#include "solera/hash.h"
#include "solera/reuse.h"
#include "solera/stats.h"
#include "solera/stats_read.h"
#include "solera/task.h"
#include <math.h>

const char *__lsan_default_suppressions (void);
const char *__lsan_default_suppressions (void) { return "leak:libhdf5"; }

enum { PROMPTS = 4, UPS = 2, GROUP = 3, MINI = PROMPTS / UPS, NEW = 6, TOKENS = GROUP * NEW };
/* batches of a run whose tickets came in another order than they were claimed */
static const int64_t ticket_at[] = { 0, 2, 1, 5, 3, 4, 9, 6, 7, 8, 11, 10 };
static const int32_t version_at[] = { 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 4, 4 };

typedef struct { sol_rollout_t v; int32_t prompt[4], len[GROUP], ids[TOKENS]; uint8_t finish[GROUP]; float lp[TOKENS], entropy[TOKENS], check[TOKENS]; double reward[GROUP], parts[GROUP * SOL_PART_COUNT]; sol_version_run_t runs[2]; } content_t;
static const char *const yaml = "out: x\nbatch: {prompts: 4, updates_per_step: 2, group: 3}\nrollout: {max_tokens: 6, max_prompt: 8}\ntrain: {updates: 6}\nstaleness: {mode: free}\n";
static sol_config_t *c;
static content_t group[12];
/* what is written wrongly on purpose */
enum { RIGHT, TOKEN, TWICE, MISSING, NEWER, BETWEEN, REFUSED, FLIGHT, TORN };
static int wrong, torn_from;

static void make (int64_t place, content_t *x)
{
  const int64_t ticket = ticket_at[place];
  uint64_t h = sol_hash_pair ((uint64_t) ticket, 9);
  sol_rollout_t *v = &x->v;
  memset (x, 0, sizeof *x);
  *v = (sol_rollout_t){ .ticket = (uint64_t) ticket, .prompt_id = h, .index = (uint64_t) ticket + ((uint64_t) (ticket % 3) << SOL_TICKET_BITS), .dropped = { .groups = (int32_t) (ticket % 3) }, .set = 1,
                        .n_responses = GROUP, .n_prompt = (int32_t) (1 + h % 4), .n_runs = 1, .n_parts = SOL_PART_COUNT, .temperature = 1, .prompt = x->prompt, .len = x->len, .finish = x->finish,
                        .reward = x->reward, .parts = x->parts, .runs = x->runs, .ids = x->ids, .lp = x->lp, .entropy = x->entropy, .lp_check = x->check };
  for (int i = 0; i < v->n_prompt; i++) x->prompt[i] = (int32_t) (h >> i & 0xff);
  for (int s = 0; s < GROUP; s++) {
    x->len[s] = 1 + (int32_t) ((h >> s * 7) % NEW);
    x->finish[s] = (uint8_t) (1 + s);
    x->reward[s] = (double) s * 0.1; /* not a float32 */
    x->parts[s * SOL_PART_COUNT + SOL_PART_ANSWER] = (double) s;
    x->parts[s * SOL_PART_COUNT + SOL_PART_STOPPED] = ticket % 4 == s;
    v->n_tokens += x->len[s];
  }
  for (int t = 0; t < v->n_tokens; t++) x->ids[t] = (int32_t) (h >> t % 40 & 0xfff), x->lp[t] = -(float) t / 3, x->entropy[t] = (float) t / 7, x->check[t] = -(float) t / 5;
  x->runs[0] = (sol_version_run_t){ 0, (int32_t) v->n_tokens, version_at[place] };
  if (wrong == FLIGHT && place == 9) { /* the last token is of a newer version */
    x->runs[0].n_tokens--;
    x->runs[v->n_runs++] = (sol_version_run_t){ (int32_t) v->n_tokens - 1, 1, 4 };
  }
}

static int32_t version_of (const content_t *x, int64_t token) { return (int32_t) x->runs[token >= x->runs[0].n_tokens].version; }

/* response s of a group as learners write it */
static void write_response (sol_stats_t *f, int32_t update, int64_t place, int32_t s)
{
  content_t *x = &group[place];
  int64_t ticket = (int64_t) x->v.ticket, seq[NEW], at = 0;
  const int64_t key = ticket * GROUP + s;
  int32_t position[NEW], version[NEW], ids[NEW], vmin = INT32_MAX, vmax = -1, batch = (int32_t) (place / PROMPTS), in_batch = (int32_t) (place % PROMPTS);
  float lp[NEW] = { 0 }, answer = (float) x->parts[s * SOL_PART_COUNT], nan = NAN, zero = 0;
  uint8_t verdict[NEW] = { 0 }, stopped = x->parts[s * SOL_PART_COUNT + SOL_PART_STOPPED] > 0, dropped = wrong == REFUSED && place == 3 && s == 0;
  const uint64_t generated = sol_rollout_generated (&x->v);
  for (int32_t j = 0; j < s; j++) at += x->len[j];
  for (int32_t t = 0; t < x->len[s]; t++) {
    seq[t] = key, position[t] = t, ids[t] = x->ids[at + t], version[t] = version_of (x, at + t);
    if (version[t] < vmin) vmin = version[t];
    if (version[t] > vmax) vmax = version[t];
  }
  if (wrong == TOKEN && place == 6 && s == 1) ids[0] ^= 1;
  if (wrong == NEWER && place == 5) vmax = 6;
  if (wrong == BETWEEN && place == 6) vmin = vmax = 1;
  sol_stats_tokens_t t = { .n = x->len[s], .update = update, .seq = seq, .position = position, .token = ids, .version = version, .lp_behav = x->lp + at, .lp = lp, .entropy = lp, .entropy_behav = x->entropy + at,
                           .advantage = lp, .verdict = verdict, .lp_check = x->check + at, .weights = 100 + (uint64_t) update };
  sol_stats_sequences_t q = { .n = 1, .seq = &key, .ticket = &ticket, .prompt_id = &x->v.prompt_id, .set = &x->v.set, .update = &update, .batch = &batch, .version_min = &vmin, .version_max = &vmax,
                              .n_prompt = &x->v.n_prompt, .n_response = &x->len[s], .finish = &x->finish[s], .place = &in_batch, .generated = &generated, .stopped = &stopped, .reward = &x->reward[s],
                              .reward_answer = &answer, .reward_format = &nan, .reward_length = &zero, .advantage = &zero, .dropped = &dropped, .refilled = &x->v.dropped.groups, .prompt = x->prompt };
  if (wrong == MISSING && place == 6 && s == 2) return;
  if (!dropped && sol_stats_tokens (f, &t) != SOL_OK) abort ();
  if (wrong == TORN && s == 2 && place >= torn_from && (place == 11 || place == 1)) return;
  if (sol_stats_sequences (f, &q) != SOL_OK) abort ();
}

/* a run of so many updates by two learners, each with a part of every update's responses */
static char *write_run (const char *name, int updates)
{
  char *dir = sol_path_join (scratch, name);
  sol_stats_t *f[2];
  sol_dir_remove (dir);
  for (int64_t p = 0; p < 12; p++) make (p, &group[p]);
  if (wrong == TWICE) group[7].v.ticket = 2;
  for (int i = 0; i < 2; i++) {
    sol_stats_params_t p = { .run_dir = dir, .settings = yaml, .program = "test", .libraries = "", .hosts = "", .data_sets = "", .learner = i, .chunk = 1024 };
    if (sol_stats_open (&p, &f[i]) != SOL_OK) abort ();
  }
  for (int32_t u = 0; u < updates; u++)
    for (int64_t i = 0; i < MINI * GROUP; i++) write_response (f[i > 3], u, u * MINI + i / GROUP, (int32_t) (i % GROUP));
  if (sol_stats_close (f[0]) != SOL_OK || sol_stats_close (f[1]) != SOL_OK) abort ();
  return dir;
}

static sol_status_t load (const char *dir, sol_record_t **record_p)
{
  sol_stats_reader_t *reader;
  SOL_TRY (sol_stats_reader_open (dir, &reader));
  const sol_status_t st = sol_record_load (reader, c, record_p);
  sol_stats_reader_close (reader);
  return st;
}

typedef struct { int64_t place; int bad; } taken_t;
static sol_status_t take (void *ctx, const void *record, size_t bytes)
{
  taken_t *t = ctx;
  sol_rollout_t v;
  SOL_TRY (sol_rollout_open (record, bytes, &v));
  t->bad |= sol_rollout_digest (&v) != sol_rollout_digest (&group[t->place].v);
  t->place++;
  return SOL_OK;
}

static void test_whole (void)
{
  char *dir = write_run ("whole", 6);
  sol_record_t *r = NULL;
  sol_reuse_t *u = NULL;
  taken_t t = { 0 };
  int bad = 0;
  wrong = RIGHT;
  need (load (dir, &r) == SOL_OK);
  const sol_schedule_t *s = r->schedule;
  ok (r->updates == 6 && s->n == 12 && r->n_weights == 3 && r->weights[0] == 100 && r->weights[1] == 102 && r->weights[2] == 104 && !r->in_flight && r->refused == -1 && s->n_tickets == 12);
  for (int64_t p = 0; p < 12; p++) {
    bad += s->due[p] != version_at[p] || sol_schedule_ticket (s, p) != ticket_at[p] || sol_schedule_place (s, ticket_at[p]) != p || r->n_tokens[p] != group[p].v.n_tokens ||
           r->refilled[p] != group[p].v.dropped.groups || sol_record_update (r, p) != p / MINI || sol_record_check (r, &group[p].v) != SOL_OK;
    for (int i = 0; i < GROUP; i++) bad += r->reward[p * GROUP + i] != group[p].reward[i] || r->stopped[p * GROUP + i] != (ticket_at[p] % 4 == i) || r->answer[p * GROUP + i] != (float) i;
  }
  ok (bad == 0);
  ok (s->n_claims == 12 && s->order[0] == 0 && s->order[4] == 4 && s->order[5] == 5 && s->order[11] == 11 && s->ahead == 1 && sol_record_bytes (r) > 12 * 40);
  need (sol_reuse_open (dir, c, r, &u) == SOL_OK);
  ok (sol_reuse_batch (u, 0, take, &t) == SOL_OK && sol_reuse_batch (u, 1, take, &t) == SOL_OK && sol_reuse_batch (u, 2, take, &t) == SOL_OK && t.place == 12);
  tap_ok (!t.bad, "the rollouts put together again are the same ones");
  sol_reuse_close (u);
  /* what a replay may get wrong */
  sol_rollout_t v = group[6].v;
  v.n_tokens--;
  ok (sol_record_check (r, &v) == SOL_ERR_CHECKSUM);
  v = group[6].v;
  group[6].ids[3] ^= 4;
  ok (sol_record_check (r, &v) == SOL_ERR_CHECKSUM);
  group[6].ids[3] ^= 4;
  group[6].reward[2] = 0.5;
  ok (sol_record_check (r, &v) == SOL_ERR_CHECKSUM);
  group[6].reward[2] = 2 * 0.1;
  group[6].runs[0].version = 4;
  ok (sol_record_check (r, &v) == SOL_ERR_CHECKSUM);
  group[6].runs[0].version = 2;
  ok (sol_record_check (r, &v) == SOL_OK);
  v.ticket = 12;
  ok (sol_record_check (r, &v) == SOL_ERR_CHECKSUM);
  sol_record_destroy (r);
  sol_free (dir);
}

/* stopped inside a batch: its other groups are new ones of the newest version, about which nothing is known */
static void test_part (void)
{
  char *dir = write_run ("part", 5);
  sol_record_t *r = NULL;
  need (load (dir, &r) == SOL_OK);
  const sol_schedule_t *s = r->schedule;
  ok (r->updates == 5 && s->n == 12 && r->n_tokens[9] > 0 && r->n_tokens[10] == -1 && r->n_tokens[11] == -1 && s->due[10] == 4 && s->due[11] == 4);
  ok (sol_schedule_ticket (s, 10) == 9 + 1 && sol_schedule_ticket (s, 11) == 11); /* batch 2 has tickets 7, 8, and 9 is in batch 1: none is taken twice */
  ok (sol_schedule_place (s, 10) == 10 && sol_schedule_place (s, 9) == 6);
  sol_record_destroy (r);
  sol_free (dir);
}

/* a kill between the tokens of the last update and its responses: the record ends before it */
static void test_torn (void)
{
  sol_record_t *r = NULL;
  wrong = TORN;
  char *dir = write_run ("torn", 6);
  ok (load (dir, &r) == SOL_ERR_FORMAT && !r); /* update 0 is torn as well, and others follow it */
  sol_free (dir);
  dir = write_run ("torn", 1);
  ok (load (dir, &r) == SOL_ERR_FORMAT && !r); /* nothing is whole */
  sol_free (dir);
  torn_from = 11;
  dir = write_run ("torn", 6);
  need (load (dir, &r) == SOL_OK);
  ok (r->updates == 5 && r->n_tokens[9] > 0 && r->n_tokens[10] == -1 && r->n_tokens[11] == -1 && r->schedule->due[10] == 4);
  sol_record_destroy (r);
  sol_free (dir);
  wrong = RIGHT;
}

static void test_wrong (int how, int updates, sol_status_t expected, const char *what)
{
  wrong = how;
  char *dir = write_run ("wrong", updates);
  sol_record_t *r = NULL;
  sol_reuse_t *u = NULL;
  taken_t t = { 0 };
  sol_status_t st = load (dir, &r);
  for (int b = 0; b < updates / UPS && st == SOL_OK; b++) {
    if (!u) st = sol_reuse_open (dir, c, r, &u);
    if (st == SOL_OK) st = sol_reuse_batch (u, b, take, &t);
  }
  tap_ok (st == expected, "%s", what);
  if (how == REFUSED) ok (r && r->refused == 1);
  if (how == FLIGHT) ok (r && r->in_flight && r->schedule->due[9] == 2 && t.place == 12 && !t.bad);
  sol_reuse_close (u);
  sol_record_destroy (r);
  sol_free (dir);
  wrong = RIGHT;
}

int main (void)
{
  scratch_make ();
  quiet (1);
  if (sol_config_parse (yaml, strlen (yaml), "test", NULL, &c) != SOL_OK) abort ();
  test_whole ();
  test_part ();
  test_torn ();
  test_wrong (TOKEN, 6, SOL_ERR_CHECKSUM, "a token that is not the generated one");
  test_wrong (TWICE, 6, SOL_ERR_FORMAT, "a ticket in two batches");
  test_wrong (MISSING, 6, SOL_ERR_FORMAT, "a response that is missing");
  test_wrong (NEWER, 6, SOL_ERR_FORMAT, "a version newer than the batch");
  test_wrong (BETWEEN, 6, SOL_ERR_FORMAT, "a version between steps");
  test_wrong (REFUSED, 6, SOL_ERR_FORMAT, "a response that the update refused");
  test_wrong (FLIGHT, 6, SOL_OK, "responses under changing weights");
  quiet (0);
  sol_config_destroy (c);
  scratch_remove ();
  return tap_done ();
}
