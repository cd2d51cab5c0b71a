/* SPDX-License-Identifier: Apache-2.0 */
/* Records: every combination of optional sections comes back as it was; sizes; no damage of any kind is read. */
#include "solera/rollout.h"
#include "solera/log.h"
#include "../tap.h"
#include <math.h>
#include <string.h>

#define TOKENS 11
static const int32_t prompt[5] = { 7, 8, 9, 10, 11 }, len[3] = { 4, 0, 7 };
static const uint8_t finish[3] = { 1, 2, 0 };
static const double reward[3] = { 1.0, 0.0, 0.25 }, parts[6] = { 1, 0, 0, 0, 0.25, 0 };
static const sol_version_run_t runs[2] = { { 0, 6, 4 }, { 6, 5, 8 } };
static int32_t ids[TOKENS];
static float lp[TOKENS], raw[TOKENS], entropy[TOKENS], again[TOKENS];

static sol_rollout_t make (int sections)
{
  for (int i = 0; i < TOKENS; i++) ids[i] = 100 + i, lp[i] = -0.5f * (float) i, raw[i] = -0.25f * (float) i, entropy[i] = 0.125f * (float) i, again[i] = lp[i];
  return (sol_rollout_t){ .ticket = 77, .prompt_id = 0x123456789abcdefull, .index = 5, .set = 2, .dropped = { 3, 1, 2, 3, 0.5 }, .n_responses = 3, .n_prompt = 5, .n_runs = 2, .n_parts = 2, .n_tokens = TOKENS, .temperature = 0.75f,
                          .actor = 3, .generate_s = 1.5, .prompt = prompt, .len = len, .finish = finish, .reward = reward, .parts = parts, .runs = runs, .ids = ids, .lp = lp,
                          .raw_lp = sections & 1 ? raw : NULL, .entropy = sections & 2 ? entropy : NULL, .lp_check = sections & 4 ? again : NULL };
}

static int same_floats (const float *x, const float *y) { return (!x && !y) || (x && y && !memcmp (x, y, TOKENS * sizeof *x)); }

static int same (const sol_rollout_t *a, const sol_rollout_t *b)
{
  return a->ticket == b->ticket && a->prompt_id == b->prompt_id && a->index == b->index && a->set == b->set && !memcmp (&a->dropped, &b->dropped, sizeof a->dropped) && a->n_responses == b->n_responses && a->n_prompt == b->n_prompt && a->n_runs == b->n_runs &&
         a->n_parts == b->n_parts && a->n_tokens == b->n_tokens && a->temperature == b->temperature && a->actor == b->actor && a->generate_s == b->generate_s &&
         !memcmp (a->prompt, b->prompt, sizeof prompt) && !memcmp (a->len, b->len, sizeof len) && !memcmp (a->finish, b->finish, sizeof finish) &&
         !memcmp (a->reward, b->reward, sizeof reward) && !memcmp (a->parts, b->parts, sizeof parts) && !memcmp (a->runs, b->runs, sizeof runs) && !memcmp (a->ids, b->ids, sizeof ids) &&
         same_floats (a->lp, b->lp) && same_floats (a->raw_lp, b->raw_lp) && same_floats (a->entropy, b->entropy) && same_floats (a->lp_check, b->lp_check);
}

static void try_round_trips (void)
{
  for (int sections = 0; sections < 8; sections++) {
    sol_rollout_t v = make (sections), w;
    size_t bytes = sol_rollout_bytes (&v), n = 0;
    char *record = sol_alloc (bytes);
    int good = sol_rollout_pack (&v, record, bytes, &n) == SOL_OK && n == bytes && bytes % 8 == 0;
    tap_ok (good && sol_rollout_open (record, n, &w) == SOL_OK && same (&v, &w), "sections %d: %zu bytes there and back", sections, bytes);
    ok (sol_rollout_digest (&v) == sol_rollout_digest (&w));
    n = 0;
    ok (sol_rollout_pack (&v, record, bytes - 1, &n) == SOL_ERR_LIMIT && n == 0);
    sol_free (record);
  }
}

/* the largest record for the limits is as large as said, and no smaller one is larger */
static void try_max (void)
{
  enum { R = 3, P = 6, N = 5, RUNS = R * N };
  sol_version_run_t each[RUNS];
  int32_t full[R], p[P] = { 0 }, t[R * N] = { 0 };
  float f[R * N] = { 0 };
  uint8_t end[R] = { 0 };
  double r[R] = { 0 }, four[4 * R] = { 0 };
  sol_rollout_t v = { .n_responses = R, .n_prompt = P, .n_runs = RUNS, .n_parts = 4, .n_tokens = R * N, .prompt = p, .len = full, .finish = end, .reward = r, .parts = four, .runs = each,
                      .ids = t, .lp = f, .raw_lp = f, .entropy = f, .lp_check = f };
  for (int i = 0; i < R; i++) full[i] = N;
  for (int i = 0; i < RUNS; i++) each[i] = (sol_version_run_t){ i, 1, i };
  ok (sol_rollout_bytes (&v) == sol_rollout_max_bytes (R, P, N, 1000));
  v.n_prompt--;
  v.lp_check = NULL;
  ok (sol_rollout_bytes (&v) < sol_rollout_max_bytes (R, P, N, N));
  v.n_prompt++;
  v.lp_check = f;
  v.n_runs = 2 * R;
  ok (sol_rollout_bytes (&v) == sol_rollout_max_bytes (R, P, N, 2) && sol_rollout_bytes (&v) > sol_rollout_max_bytes (R, P, N, 1));
  ok (sol_rollout_max_bytes (16, 4096, 32768, 1) > 16u * 32768u * 20u);
}

static void try_damage (void)
{
  sol_rollout_t v = make (7), w;
  size_t bytes = sol_rollout_bytes (&v), n, cut = 0, flips = 0, longer;
  char *record = sol_alloc (bytes + 64), *copy;
  ok (sol_rollout_pack (&v, record, bytes, &n) == SOL_OK);
  for (size_t i = 0; i < bytes; i++) { /* in memory of exactly that size, so that a sanitizer sees a read beyond it */
    copy = sol_alloc (i + 1);
    memcpy (copy, record, i);
    cut += sol_rollout_open (copy, i, &w) != SOL_OK;
    sol_free (copy);
  }
  tap_ok (cut == bytes, "%zu of %zu truncations are refused", cut, bytes);
  for (size_t i = 0; i < bytes; i++)
    for (int bit = 0; bit < 8; bit++) {
      record[i] = (char) (record[i] ^ 1 << bit);
      flips += sol_rollout_open (record, bytes, &w) != SOL_OK;
      record[i] = (char) (record[i] ^ 1 << bit);
    }
  tap_ok (flips == 8 * bytes, "%zu of %zu flipped bits are refused", flips, 8 * bytes);
  for (longer = 1; longer <= 64 && sol_rollout_open (record, bytes + longer, &w) != SOL_OK; longer++) {}
  tap_ok (longer == 65, "bytes behind the end are refused");
  ok (sol_rollout_open (record, bytes, &w) == SOL_OK && same (&v, &w));
  sol_free (record);
}

/* what a checksum cannot see: the writer itself was wrong */
static int refused (const sol_rollout_t *v)
{
  size_t n, bytes = sol_rollout_bytes (v);
  char *record = sol_alloc (bytes);
  sol_rollout_t w;
  int no = sol_rollout_pack (v, record, bytes, &n) == SOL_OK && sol_rollout_open (record, n, &w) == SOL_ERR_FORMAT;
  sol_free (record);
  return no;
}

static void try_wrong_content (void)
{
  static const int32_t more[3] = { 4, 0, 8 }, less[3] = { 4, 0, 6 }, negative[3] = { 12, -1, 0 };
  static const sol_version_run_t hole[2] = { { 0, 5, 4 }, { 6, 5, 8 } }, short_[2] = { { 0, 6, 4 }, { 6, 4, 8 } }, empty[2] = { { 0, 0, 4 }, { 0, 11, 8 } }, old[2] = { { 0, 6, -1 }, { 6, 5, 8 } };
  static const double not_finite[3] = { 1, NAN, 0 };
  const int32_t *const lens[] = { more, less, negative };
  const sol_version_run_t *const all_runs[] = { hole, short_, empty, old };
  sol_rollout_t v = make (0);
  size_t n = 5;
  char room[1024];
  for (int i = 0; i < 3; i++) {
    v.len = lens[i];
    tap_ok (refused (&v), "lengths %d that do not belong to the tokens", i);
  }
  v = make (0);
  for (int i = 0; i < 4; i++) {
    v.runs = all_runs[i];
    tap_ok (refused (&v), "runs %d that do not cover the tokens", i);
  }
  v = make (0);
  v.reward = not_finite;
  ok (refused (&v));
  v = make (0);
  v.n_runs = 0;
  ok (refused (&v));
  v = make (7);
  v.lp = NULL;
  ok (sol_rollout_pack (&v, room, sizeof room, &n) == SOL_ERR_USAGE && n == 5);
}

static void try_digest (void)
{
  static const int32_t other_prompt[5] = { 7, 8, 9, 10, 12 };
  static const uint8_t other_finish[3] = { 1, 2, 2 };
  static const double other_reward[3] = { 1.0, 0.0, 0.5 };
  static const sol_version_run_t other_runs[2] = { { 0, 6, 4 }, { 6, 5, 9 } };
  static const sol_dropped_t other_dropped = { 3, 1, 2, 3, 0.25 };
  sol_rollout_t v = make (3), w = v;
  uint64_t d = sol_rollout_digest (&v);
  int changed = 0;
  w.actor = 9;
  w.generate_s = 0;
  ok (sol_rollout_digest (&w) == d);
#define OTHER(field, value) (w = v, w.field = (value), changed += sol_rollout_digest (&w) != d)
  OTHER (ticket, 78), OTHER (prompt_id, 1), OTHER (index, 6), OTHER (temperature, 1.0f), OTHER (prompt, other_prompt), OTHER (finish, other_finish), OTHER (reward, other_reward),
      OTHER (runs, other_runs), OTHER (entropy, NULL), OTHER (n_parts, 0), OTHER (set, 3), OTHER (dropped, other_dropped);
  ok (changed == 12);
  lp[3] += 1e-6f;
  ok (sol_rollout_digest (&v) != d);
}

int main (void)
{
  sol_log_level (SOL_LOG_ERROR);
  try_round_trips ();
  try_max ();
  try_damage ();
  try_wrong_content ();
  try_digest ();
  return tap_done ();
}
