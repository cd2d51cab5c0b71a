/* SPDX-License-Identifier: Apache-2.0 */
/* Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11. */
#include "solera/random.h"
#include "solera/elementary.h"
#include "solera/log.h"
#include <Random123/philox.h>
#include <math.h>

sol_random_t sol_random (uint64_t seed, uint64_t group, sol_random_purpose_t purpose, uint32_t sample, uint32_t position)
{
  uint32_t counter[4];
  sol_random_counter (group, purpose, sample, position, counter);
  return sol_random_at (seed, counter);
}

void sol_random_counter (uint64_t group, sol_random_purpose_t purpose, uint32_t sample, uint32_t position, uint32_t counter[4])
{
  SOL_ASSERT (sample < 1u << 24);
  counter[0] = (uint32_t) group;
  counter[1] = (uint32_t) (group >> 32);
  counter[2] = (uint32_t) purpose << 24 | sample;
  counter[3] = position;
}

sol_random_t sol_random_at (uint64_t seed, const uint32_t counter[4])
{
  const philox4x32_ctr_t ctr = { { counter[0], counter[1], counter[2], counter[3] } };
  const philox4x32_key_t key = { { (uint32_t) seed, (uint32_t) (seed >> 32) } };
  const philox4x32_ctr_t out = philox4x32 (ctr, key);
  return (sol_random_t) { { out.v[0], out.v[1], out.v[2], out.v[3] } };
}

static uint64_t word64 (sol_random_t r, int second) { return (uint64_t) r.w[second ? 3 : 1] << 32 | r.w[second ? 2 : 0]; }

double sol_random_u53 (sol_random_t r, int second) { return (double) (word64 (r, second) >> 11) * 0x1p-53; }

uint64_t sol_random_below (sol_random_t r, uint64_t n)
{
  SOL_ASSERT (n >= 1);
  __extension__ typedef unsigned __int128 wide_t;
  return (uint64_t) (((wide_t) word64 (r, 0) * n) >> 64);
}

double sol_random_normal (sol_random_t r)
{
  const double u = 1.0 - sol_random_u53 (r, 0); /* in (0, 1]: the logarithm is finite */
  return sqrt (-2.0 * sol_log_exact (u)) * sol_cos_turns (sol_random_u53 (r, 1));
}
