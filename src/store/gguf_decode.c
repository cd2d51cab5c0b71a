/* SPDX-License-Identifier: Apache-2.0 */
/* The types of GGUF tensors. A quantised block has 32 values of one row: a float16 scale d (Qx_1: and a minimum m), in Q5_x a fifth bit of every code, then the codes; Q4_x and Q5_x keep value i in the
 * low half of byte i, value 16 + i in its high half. A K block has 256 values, in parts of 32 (Q6_K: 16) with whole-number scales, and minima, of their own under a common d, and dmin. Codes times scales
 * fit float32 exactly but for Q6_K (25 bits), where the product is rounded; where there is a minimum, the sum is. */
#include "gguf.h"
#include "half.h"

#define BLOCK 32
#define BLOCK_K 256

/* NULL: a number that no type has (any more) */
static const char *const names[] = { "F32", "F16", "Q4_0", "Q4_1", NULL, NULL, "Q5_0", "Q5_1", "Q8_0", "Q8_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "Q8_K", "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S",
                                     "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS", "I8", "I16", "I32", "I64", "F64", "IQ1_M", "BF16", NULL, NULL, NULL, "TQ1_0", "TQ2_0", NULL, NULL, NULL, "MXFP4" };

const char *sol_gguf_type_name (uint32_t type) { return type < sizeof names / sizeof *names && names[type] ? names[type] : "unknown"; }

int sol_gguf_block (uint32_t type, size_t *bytes_p)
{
  switch (type) {
  case SOL_GGUF_T_F32: *bytes_p = 4; return 1;
  case SOL_GGUF_T_F16:
  case SOL_GGUF_T_BF16: *bytes_p = 2; return 1;
  case SOL_GGUF_T_Q4_0: *bytes_p = 18; return BLOCK;
  case SOL_GGUF_T_Q4_1: *bytes_p = 20; return BLOCK;
  case SOL_GGUF_T_Q5_0: *bytes_p = 22; return BLOCK;
  case SOL_GGUF_T_Q5_1: *bytes_p = 24; return BLOCK;
  case SOL_GGUF_T_Q8_0: *bytes_p = 34; return BLOCK;
  case SOL_GGUF_T_Q4_K: *bytes_p = 144; return BLOCK_K;
  case SOL_GGUF_T_Q5_K: *bytes_p = 176; return BLOCK_K;
  case SOL_GGUF_T_Q6_K: *bytes_p = 210; return BLOCK_K;
  default: *bytes_p = 0; return 0;
  }
}

static void decode_q8_0 (const uint8_t *b, float *out)
{
  const float d = sol_widen_f16 (sol_half_bits (b));
  for (int i = 0; i < BLOCK; i++) out[i] = d * (float) (int8_t) b[2 + i];
}

/* low: what code 0 stands for, in codes (Qx_0: -8, -16) or as a value (Qx_1: the minimum). fifth: the fifth bits, value i's at bit i. */
static void decode_half_bytes (const uint8_t *codes, uint32_t fifth, float d, int low, float m, float *out)
{
  for (int i = 0; i < BLOCK / 2; i++) {
    out[i] = d * (float) ((codes[i] & 15) + (int) (fifth >> i & 1) * 16 + low) + m;
    out[BLOCK / 2 + i] = d * (float) ((codes[i] >> 4) + (int) (fifth >> (BLOCK / 2 + i) & 1) * 16 + low) + m;
  }
}

static void decode_block (uint32_t type, const uint8_t *b, float *out)
{
  const float d = sol_widen_f16 (sol_half_bits (b)), m = sol_widen_f16 (sol_half_bits (b + 2));
  const int q5 = type == SOL_GGUF_T_Q5_0 || type == SOL_GGUF_T_Q5_1, has_minimum = type == SOL_GGUF_T_Q4_1 || type == SOL_GGUF_T_Q5_1;
  const uint8_t *bits = b + (has_minimum ? 4 : 2);
  const uint32_t fifth = q5 ? (uint32_t) bits[0] | (uint32_t) bits[1] << 8 | (uint32_t) bits[2] << 16 | (uint32_t) bits[3] << 24 : 0;
  if (type == SOL_GGUF_T_Q8_0) decode_q8_0 (b, out);
  else decode_half_bytes (q5 ? bits + 4 : bits, fifth, d, has_minimum ? 0 : q5 ? -16 : -8, has_minimum ? m : 0, out);
}

/* scale and minimum of part j of 8, 6 bits each, in 12 bytes: the low ones of the first four, of theirs minima, then four bits of the others, whose upper two are above those */
static void part_scale (const uint8_t *s, int j, int *scale, int *minimum)
{
  *scale = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | (s[j - 4] >> 6) << 4;
  *minimum = j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | (s[j] >> 6) << 4;
}

/* Q4_K, Q5_K: d, dmin, scales, in Q5_K bit j of byte i for value i of part j, then codes: parts 2 k and 2 k + 1 are the halves of 32 bytes */
static void decode_q45_k (const uint8_t *b, int q5, float *out)
{
  const float d = sol_widen_f16 (sol_half_bits (b)), dmin = sol_widen_f16 (sol_half_bits (b + 2));
  const uint8_t *scales = b + 4, *fifth = b + 16, *codes = b + (q5 ? 48 : 16);
  for (int j = 0; j < BLOCK_K / 32; j++) {
    int scale, minimum;
    part_scale (scales, j, &scale, &minimum);
    const float step = d * (float) scale, low = dmin * (float) minimum;
    for (int i = 0; i < 32; i++) {
      const int code = (j & 1 ? codes[j / 2 * 32 + i] >> 4 : codes[j / 2 * 32 + i] & 15) + (q5 ? (fifth[i] >> j & 1) * 16 : 0);
      out[j * 32 + i] = step * (float) code - low;
    }
  }
}

/* Q6_K: low four bits of the codes, upper two, 16 scales, d. Of each 128 values, part k of 32 has the low (k < 2) or high halves of 32 of 64 bytes, and bits 2 k and 2 k + 1 of 32 others. */
static void decode_q6_k (const uint8_t *b, float *out)
{
  const float d = sol_widen_f16 (sol_half_bits (b + 208));
  for (int v = 0; v < BLOCK_K; v++) {
    const int half = v / 128, k = v % 128 / 32, i = v % 32;
    const uint8_t low = b[half * 64 + k % 2 * 32 + i], high = b[128 + half * 32 + i];
    const int code = ((k < 2 ? low & 15 : low >> 4) | (high >> 2 * k & 3) << 4) - 32;
    out[v] = d * (float) (int8_t) b[192 + v / 16] * (float) code;
  }
}

void sol_gguf_decode (uint32_t type, const uint8_t *data, int64_t n, float *out)
{
  if (type == SOL_GGUF_T_F32) {
    memcpy (out, data, (size_t) n * sizeof *out);
    return;
  }
  if (type == SOL_GGUF_T_F16 || type == SOL_GGUF_T_BF16) {
    for (int64_t i = 0; i < n; i++) out[i] = type == SOL_GGUF_T_F16 ? sol_widen_f16 (sol_half_bits (data + 2 * i)) : sol_widen_bf16 (sol_half_bits (data + 2 * i));
    return;
  }
  size_t bytes;
  const int block = sol_gguf_block (type, &bytes);
  for (int64_t i = 0; i < n; i += block, data += bytes) {
    if (type == SOL_GGUF_T_Q6_K) decode_q6_k (data, out + i);
    else if (block == BLOCK_K) decode_q45_k (data, type == SOL_GGUF_T_Q5_K, out + i);
    else decode_block (type, data, out + i);
  }
}
