/* SPDX-License-Identifier: Apache-2.0 */
/* hash.h: XXH3-64 (libxxhash) under our names, so that nobody picks another hash. */
#ifndef SOL_HASH_H
#define SOL_HASH_H
#include <stddef.h>
#include <stdint.h>
uint64_t sol_hash (const void *data, size_t bytes);
/* order-dependent combination: hash of the 16 bytes (a, b) */
uint64_t sol_hash_pair (uint64_t a, uint64_t b);
#endif
