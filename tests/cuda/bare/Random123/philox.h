/* SPDX-License-Identifier: Apache-2.0 */
/* philox.h: stands in for Random123's header of this name where kernels/cuda/gpu.mk builds on a machine that has no such library: the part that src/base/random.c uses. Philox4x32-10 as in the
 * paper named there; tests/base/test_random.c holds it against the published answers. */
#ifndef SOL_BARE_PHILOX_H
#define SOL_BARE_PHILOX_H
#include <stdint.h>

typedef struct { uint32_t v[4]; } philox4x32_ctr_t;
typedef struct { uint32_t v[2]; } philox4x32_key_t;

static inline philox4x32_ctr_t philox4x32 (philox4x32_ctr_t x, philox4x32_key_t key)
{
  for (int round = 0; round < 10; round++) {
    const uint64_t a = (uint64_t) 0xD2511F53u * x.v[0], b = (uint64_t) 0xCD9E8D57u * x.v[2];
    x = (philox4x32_ctr_t){ { (uint32_t) (b >> 32) ^ x.v[1] ^ key.v[0], (uint32_t) b, (uint32_t) (a >> 32) ^ x.v[3] ^ key.v[1], (uint32_t) a } };
    key.v[0] += 0x9E3779B9u;
    key.v[1] += 0xBB67AE85u;
  }
  return x;
}
#endif
