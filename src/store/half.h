/* SPDX-License-Identifier: Apache-2.0 */
/* half.h: 16-bit floats widened exactly, from little-endian bytes that need not be aligned. */
#ifndef SOL_HALF_H
#define SOL_HALF_H
#include <stdint.h>
#include <string.h>

static inline uint16_t sol_half_bits (const uint8_t *at) { return (uint16_t) (at[0] | at[1] << 8); }

/* IEEE binary16 -> binary32: subnormals are scaled, inf and NaN keep their payload's top bits */
static inline float sol_widen_f16 (uint16_t h)
{
  uint32_t sign = (uint32_t) (h & 0x8000u) << 16, e = h >> 10 & 31u, m = h & 1023u, u;
  float x;
  if (e == 0) {
    x = (float) m * 0x1p-24f;
    return sign ? -x : x;
  }
  u = sign | (e == 31 ? 0x7f800000u : (e + 112) << 23) | m << 13;
  memcpy (&x, &u, 4);
  return x;
}

static inline float sol_widen_bf16 (uint16_t h)
{
  const uint32_t u = (uint32_t) h << 16;
  float x;
  memcpy (&x, &u, 4);
  return x;
}
#endif
