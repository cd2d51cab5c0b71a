/* SPDX-License-Identifier: Apache-2.0 */
/* stats_rows.h: rows whose every value follows from (update, row), so that a file can be checked without a copy of what was written. */
#ifndef TEST_STATS_ROWS_H
#define TEST_STATS_ROWS_H
#include "../../src/store/stats_source.h"
#include "helpers.h"
#include "solera/stats.h"
#include <math.h>

/* with the leak sanitizer: what HDF5 itself loses after a full disk is not ours */
const char *__lsan_default_suppressions (void);
const char *__lsan_default_suppressions (void) { return "leak:libhdf5"; }

enum { GROUP = 4 };
/* value of a float column k at (seq, position) */
static inline float value_of (int k, int64_t seq, int32_t position) { return (float) (seq % 100003) + (float) position * 0.125f + (float) k * 1000; }

/* n tokens of sequences seq0, seq0 + 1, ... of 7 tokens each; optional: 1 lp_prox, 2 lp_raw */
static inline sol_status_t add_tokens (sol_stats_t *s, int32_t update, int64_t seq0, int64_t n, int optional)
{
  int64_t *seq = sol_alloc ((size_t) n * 8 + 8);
  int32_t *ints = sol_alloc ((size_t) n * 12 + 4);
  float *f = sol_alloc ((size_t) n * 28 + 4);
  uint8_t *verdict = sol_alloc ((size_t) n + 1);
  for (int64_t i = 0; i < n; i++) {
    seq[i] = seq0 + i / 7;
    ints[i] = (int32_t) (i % 7);
    ints[n + i] = (int32_t) (seq[i] * 31 % 500);
    ints[2 * n + i] = update - 3;
    for (int k = 0; k < 7; k++) f[k * n + i] = value_of (k, seq[i], ints[i]);
    verdict[i] = (uint8_t) (seq[i] % 16);
  }
  sol_stats_tokens_t t = { .n = n, .update = update, .seq = seq, .position = ints, .token = ints + n, .version = ints + 2 * n, .lp_behav = f, .lp = f + n, .entropy = f + 2 * n,
                           .entropy_behav = f + 3 * n, .advantage = f + 4 * n, .verdict = verdict, .lp_prox = optional & 1 ? f + 5 * n : NULL, .lp_raw = optional & 2 ? f + 6 * n : NULL };
  sol_status_t st = sol_stats_tokens (s, &t);
  sol_free (seq);
  sol_free (ints);
  sol_free (f);
  sol_free (verdict);
  return st;
}

/* response seq, whose group's prompt has 1 + ticket % 5 tokens ticket * 10 + i */
static inline sol_status_t add_sequence (sol_stats_t *s, int32_t update, int64_t seq)
{
  int64_t ticket = seq / GROUP;
  uint64_t id = (uint64_t) ticket * 0x9e3779b97f4a7c15u;
  int32_t batch = (int32_t) (ticket / 8), lo = 1, hi = 2, set = (int32_t) (ticket % 3), n_prompt = (int32_t) (1 + ticket % 5), len = 7, prompt[5];
  const double reward = (double) (seq % 2) + 0.1;
  float answer = (float) (seq % 2), nan = NAN, adv = (float) (seq % 3) - 1;
  uint8_t finish = (uint8_t) (1 + seq % 3), dropped = seq % 5 == 0, stopped = seq % 7 == 0;
  const int32_t place = (int32_t) (ticket % 8);
  for (int i = 0; i < 5; i++) prompt[i] = (int32_t) (ticket * 10 + i);
  sol_stats_sequences_t r = { .n = 1, .seq = &seq, .ticket = &ticket, .prompt_id = &id, .update = &update, .set = &set, .batch = &batch, .version_min = &lo, .version_max = &hi, .n_prompt = &n_prompt,
                              .n_response = &len, .finish = &finish, .place = &place, .generated = &id, .stopped = &stopped, .reward = &reward, .reward_answer = &answer, .reward_format = &nan, .reward_length = &nan, .advantage = &adv, .dropped = &dropped, .refilled = &set, .prompt = prompt };
  return sol_stats_sequences (s, &r);
}

/* an update of 8 sequences that begin at seq0 */
static inline sol_status_t add_update (sol_stats_t *s, int32_t update, int64_t seq0)
{
  SOL_TRY (add_tokens (s, update, seq0, 8 * 7, 0));
  for (int k = 0; k < 8; k++) SOL_TRY (add_sequence (s, update, seq0 + k));
  return SOL_OK;
}

static inline sol_stats_params_t params_of (const char *dir, int learner, int launch, int64_t resumed)
{
  return (sol_stats_params_t){ .run_dir = dir, .settings = "seed: 7\n# \xc3\xa4\n", .program = "solera test", .libraries = "hdf5", .hosts = "a,b", .data_sets = "one\ntwo\nthree", .learner = learner, .launch = launch,
                               .seed = UINT64_C (18000000000000000001), .chunk = 1024, .resumed_update = resumed };
}

/* rows [first, first + n) of the token columns of an open file follow the formulas; *update_p: of the last */
static inline int tokens_right (hid_t file, int64_t first, int64_t n, const char *path)
{
  int64_t *seq = sol_alloc ((size_t) n * 8 + 8);
  int32_t *pos = sol_alloc ((size_t) n * 4 + 4), *tok = sol_alloc ((size_t) n * 4 + 4), *upd = sol_alloc ((size_t) n * 4 + 4), *ver = sol_alloc ((size_t) n * 4 + 4);
  float *f = sol_alloc ((size_t) n * 4 + 4);
  uint8_t *v = sol_alloc ((size_t) n + 1);
  int good = 1;
  good &= sol_stats_read (file, SOL_STATS_TOKENS_seq, first, n, seq, path) == SOL_OK && sol_stats_read (file, SOL_STATS_TOKENS_position, first, n, pos, path) == SOL_OK
          && sol_stats_read (file, SOL_STATS_TOKENS_token, first, n, tok, path) == SOL_OK && sol_stats_read (file, SOL_STATS_TOKENS_update, first, n, upd, path) == SOL_OK
          && sol_stats_read (file, SOL_STATS_TOKENS_version, first, n, ver, path) == SOL_OK && sol_stats_read (file, SOL_STATS_TOKENS_verdict, first, n, v, path) == SOL_OK;
  for (int64_t i = 0; good && i < n; i++) {
    good = tok[i] == seq[i] * 31 % 500 && ver[i] == upd[i] - 3 && v[i] == seq[i] % 16 && pos[i] >= 0 && pos[i] < 7;
    if (!good) fprintf (stderr, "%s: row %lld of %lld: seq %lld, position %d, token %d, version %d, update %d, verdict %d\n", path, (long long) (first + i), (long long) n, (long long) seq[i], pos[i], tok[i], ver[i], upd[i], v[i]);
  }
  for (int k = 0; good && k < 5; k++) {
    static const int column[5] = { SOL_STATS_TOKENS_lp_behav, SOL_STATS_TOKENS_lp, SOL_STATS_TOKENS_entropy, SOL_STATS_TOKENS_entropy_behav, SOL_STATS_TOKENS_advantage };
    good = sol_stats_read (file, column[k], first, n, f, path) == SOL_OK;
    for (int64_t i = 0; good && i < n; i++) {
      good = f[i] == value_of (k, seq[i], pos[i]);
      if (!good) fprintf (stderr, "%s: row %lld of %lld: column %d is %g, expected %g\n", path, (long long) (first + i), (long long) n, k, (double) f[i], (double) value_of (k, seq[i], pos[i]));
    }
  }
  sol_free (seq);
  sol_free (pos);
  sol_free (tok);
  sol_free (upd);
  sol_free (ver);
  sol_free (f);
  sol_free (v);
  return good;
}

/* every shown sequence finds its prompt */
static inline int prompts_right (hid_t file, int64_t n, const char *path)
{
  int good = 1;
  for (int64_t i = 0; good && i < n; i++) {
    int64_t seq, ticket, first;
    int32_t np, prompt[5];
    uint8_t dropped;
    good = sol_stats_read (file, SOL_STATS_SEQUENCES_seq, i, 1, &seq, path) == SOL_OK && sol_stats_read (file, SOL_STATS_SEQUENCES_ticket, i, 1, &ticket, path) == SOL_OK
           && sol_stats_read (file, SOL_STATS_SEQUENCES_prompt_first, i, 1, &first, path) == SOL_OK && sol_stats_read (file, SOL_STATS_SEQUENCES_n_prompt, i, 1, &np, path) == SOL_OK
           && sol_stats_read (file, SOL_STATS_SEQUENCES_dropped, i, 1, &dropped, path) == SOL_OK && dropped == (seq % 5 == 0) && ticket == seq / GROUP && np == 1 + ticket % 5 && sol_stats_read (file, SOL_STATS_PROMPTS_prompt_tokens, first, np, prompt, path) == SOL_OK;
    for (int k = 0; good && k < np; k++) good = prompt[k] == ticket * 10 + k;
  }
  return good;
}

static inline hid_t open_h5 (const char *path)
{
  hid_t access = sol_h5_access (), f = H5Fopen (path, H5F_ACC_RDONLY, access);
  H5Pclose (access);
  return f;
}
#endif
