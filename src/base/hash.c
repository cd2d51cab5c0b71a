/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/hash.h"
#include <xxhash.h>

uint64_t sol_hash (const void *data, size_t bytes) { return XXH3_64bits (bytes ? data : "", bytes); }

/* bytes in little-endian order on every machine: hashes are written into files */
uint64_t sol_hash_pair (uint64_t a, uint64_t b)
{
  unsigned char w[16];
  for (int i = 0; i < 8; i++) {
    w[i] = (unsigned char) (a >> (8 * i));
    w[8 + i] = (unsigned char) (b >> (8 * i));
  }
  return XXH3_64bits (w, sizeof w);
}
