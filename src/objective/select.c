/* SPDX-License-Identifier: Apache-2.0 */
#include "select.h"
#include "solera/log.h"
#include <string.h>

/* the 31 bits of a key in three digits: 11 (exponent and 3 bits: one shift a bucket, so that its significands add up), 10, 10 */
enum { LEVELS = 3 };
static const int rest_of[LEVELS] = { 20, 10, 0 }, buckets_of[LEVELS] = { 2048, 1024, 1024 };

/* counts and sums, over all ranks, of the tokens whose key starts with prefix, by the next digit */
static sol_status_t count_digits (sol_select_t *s, int level, uint32_t prefix)
{
  const int rest = rest_of[level], buckets = buckets_of[level], above = level ? rest_of[level - 1] : 31;
  uint64_t *count = s->histogram, *sum = count + buckets;
  memset (count, 0, 2 * (size_t) buckets * sizeof *count);
  for (int64_t i = 0; i < s->n; i++) {
    const uint32_t key = s->key[i];
    if (key >> above != prefix) continue; /* SOL_KEY_NONE has bit 31 and more: never equal */
    count[key >> rest & (uint32_t) (buckets - 1)]++;
    sum[key >> rest & (uint32_t) (buckets - 1)] += sol_float_significand (key);
  }
  return sol_comm_sum_u64 (s->comm, count, 2 * buckets);
}

typedef struct { sol_wide_t sum; uint64_t count; } prefix_t;
typedef struct { double tau; int strict; uint64_t at_least; } bound_t;

/* the running mean only rises, so that this holds up to some length and never again */
static int inside (const prefix_t *p, const bound_t *b)
{
  int sign;
  if (p->count <= b->at_least) return 1;
  sign = sol_wide_compare (&p->sum, b->tau, p->count);
  return b->strict ? sign < 0 : sign <= 0;
}

/* the first `kept` tokens with the cut's key in order of (sequence, position): where the last of them is */
static sol_status_t break_tie (sol_select_t *s, sol_cut_t *cut)
{
  uint64_t prefix = 0, left = cut->tie_kept;
  for (int rest = 53, width = 11, above = 64; above > 0; above = rest, width = rest < 11 ? rest : 11, rest -= width) {
    uint64_t *count = s->histogram;
    uint32_t b = 0;
    memset (count, 0, SOL_SELECT_BUCKETS * sizeof *count);
    for (int64_t i = 0; i < s->n; i++) {
      const uint64_t q = (uint64_t) s->seq[i] ^ 0x8000000000000000ull; /* orders like the signed number */
      if (s->key[i] != cut->key || (above < 64 && q >> above != prefix)) continue;
      count[q >> rest & ((1u << width) - 1)]++;
    }
    SOL_TRY (sol_comm_sum_u64 (s->comm, count, SOL_SELECT_BUCKETS));
    for (; b < SOL_SELECT_BUCKETS - 1 && left >= count[b]; b++) left -= count[b];
    prefix = prefix << width | b;
  }
  cut->seq = (int64_t) (prefix ^ 0x8000000000000000ull);
  cut->tie_in_seq = left;
  return SOL_OK;
}

/* how many of the tokens with the cut's key stay */
static uint64_t share_tie (const prefix_t *below, uint32_t key, uint64_t tie, const bound_t *bound)
{
  uint64_t yes = 0, no = tie;
  while (no - yes > 1) {
    const uint64_t k = yes + (no - yes) / 2;
    prefix_t p = *below;
    p.count += k;
    sol_wide_add_product (&p.sum, sol_float_significand (key), k, sol_float_shift (key));
    if (inside (&p, bound)) yes = k;
    else no = k;
  }
  return yes;
}

sol_status_t sol_select_prefix (sol_select_t *s, double tau, int strict, uint64_t at_least, sol_cut_t *cut_p)
{
  const bound_t bound = { tau, strict, at_least };
  prefix_t below = { 0 }; /* all smaller than what is being looked at */
  sol_cut_t cut = { 0 };
  for (int level = 0; level < LEVELS; level++) {
    const int buckets = buckets_of[level];
    int b;
    SOL_TRY (count_digits (s, level, cut.key));
    for (b = 0; b < buckets; b++) {
      const uint64_t count = s->histogram[b];
      prefix_t with = below;
      if (count == 0) continue;
      with.count += count;
      sol_wide_add (&with.sum, s->histogram[buckets + b], sol_float_shift ((cut.key << (level ? 10 : 0) | (uint32_t) b) << rest_of[level]));
      if (!inside (&with, &bound)) {
        cut.tie = count;
        break;
      }
      below = with;
    }
    if (b == buckets) {
      SOL_ASSERT (level == 0); /* all stay */
      *cut_p = cut;
      return SOL_OK;
    }
    cut.key = cut.key << (level ? 10 : 0) | (uint32_t) b;
  }
  cut.any = 1;
  cut.tie_kept = share_tie (&below, cut.key, cut.tie, &bound);
  if (cut.tie_kept > 0) SOL_TRY (break_tie (s, &cut));
  *cut_p = cut;
  return SOL_OK;
}

sol_status_t sol_select_cap (sol_select_t *s, double tau, uint64_t n, uint32_t *key_p)
{
  uint32_t most = 0; /* the largest float, present or not, at which capping stays under the budget */
  prefix_t below = { 0 };
  int64_t present = 0;
  if (!(tau > 0) || n == 0) {
    *key_p = 0;
    return SOL_OK;
  }
  for (int level = 0; level < LEVELS; level++) {
    const int buckets = buckets_of[level], last = level ? buckets : 0x7f8; /* under infinity */
    prefix_t at = below;
    int best = 0;
    SOL_TRY (count_digits (s, level, most));
    for (int b = 0; b < last; b++) {
      const uint32_t floor_key = (most << (level ? 10 : 0) | (uint32_t) b) << rest_of[level];
      sol_wide_t capped = at.sum; /* sum of min (M2, u) at the bucket's lower end u */
      sol_wide_add_product (&capped, sol_float_significand (floor_key), n - at.count, sol_float_shift (floor_key));
      if (sol_wide_compare (&capped, tau, n) >= 0) break;
      best = b;
      below = at;
      at.count += s->histogram[b];
      sol_wide_add (&at.sum, s->histogram[buckets + b], sol_float_shift (floor_key));
    }
    most = most << (level ? 10 : 0) | (uint32_t) best;
  }
  for (int64_t i = 0; i < s->n; i++)
    if (s->key[i] <= most && (int64_t) s->key[i] > present) present = s->key[i];
  SOL_TRY (sol_comm_max_i64 (s->comm, &present, 1));
  *key_p = (uint32_t) present;
  return SOL_OK;
}
