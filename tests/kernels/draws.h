/* SPDX-License-Identifier: Apache-2.0 */
/* draws.h: counters whose draw (random.h) is a wanted uniform: Philox4x32-10 is a permutation of counters, and this is its inverse. */
#ifndef SOL_TESTS_DRAWS_H
#define SOL_TESTS_DRAWS_H
#include "solera/random.h"
#include "solera/tensor.h"

/* x m = 1 modulo 2^32 */
static inline uint32_t inverse_of (uint32_t m)
{
  uint32_t x = m; /* right in the lowest 3 bits; each step doubles them */
  for (int i = 0; i < 5; i++) x *= 2 - m * x;
  return x;
}
/* the counter that gives these words under the key seed */
static inline void counter_of (uint64_t seed, const uint32_t word[4], uint32_t counter[4])
{
  const uint32_t m0 = 0xD2511F53u, m1 = 0xCD9E8D57u;
  uint32_t x[4] = { word[0], word[1], word[2], word[3] };
  for (uint32_t round = 10; round-- > 0;) {
    const uint32_t k0 = (uint32_t) seed + round * 0x9E3779B9u, k1 = (uint32_t) (seed >> 32) + round * 0xBB67AE85u;
    const uint32_t c0 = x[3] * inverse_of (m0), c2 = x[1] * inverse_of (m1);
    const uint32_t c1 = x[0] ^ (uint32_t) ((uint64_t) m1 * c2 >> 32) ^ k0, c3 = x[2] ^ (uint32_t) ((uint64_t) m0 * c0 >> 32) ^ k1;
    x[0] = c0, x[1] = c1, x[2] = c2, x[3] = c3;
  }
  for (int i = 0; i < 4; i++) counter[i] = x[i];
}
/* row r of draws [R, 4] is to be u, a multiple of 2^-53 in [0, 1), under the key seed */
static inline void set_draw (uint64_t seed, sol_tensor_t draws, int64_t r, double u)
{
  const uint64_t bits = (uint64_t) (u * 0x1p53) << 11;
  const uint32_t word[4] = { (uint32_t) bits | 5, (uint32_t) (bits >> 32), 7, 9 }; /* the lowest bits are not looked at */
  counter_of (seed, word, (uint32_t *) (void *) draws.at + r * draws.stride);
}
#endif
