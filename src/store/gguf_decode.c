/* SPDX-License-Identifier: Apache-2.0 */
/* The types of GGUF tensors. A quantised block has 32 values of one row: a float16 scale d (Q4_1: and a minimum m), then the codes; Q4_x keep value i in the low half of byte i, value 16 + i in
 * its high half. Codes times scale fit float32 exactly; only Q4_1's sum is rounded. */
#include "gguf.h"
#include "half.h"

#define BLOCK 32

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
  case SOL_GGUF_T_Q8_0: *bytes_p = 34; return BLOCK;
  default: *bytes_p = 0; return 0;
  }
}

static void decode_q8_0 (const uint8_t *b, float *out)
{
  const float d = sol_widen_f16 (sol_half_bits (b));
  for (int i = 0; i < BLOCK; i++) out[i] = d * (float) (int8_t) b[2 + i];
}

/* low: what code 0 stands for, in codes (Q4_0: -8) or as a value (Q4_1: the minimum) */
static void decode_q4 (const uint8_t *codes, float d, int low, float m, float *out)
{
  for (int i = 0; i < BLOCK / 2; i++) {
    out[i] = d * (float) ((codes[i] & 15) + low) + m;
    out[BLOCK / 2 + i] = d * (float) ((codes[i] >> 4) + low) + m;
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
  sol_gguf_block (type, &bytes);
  for (int64_t i = 0; i < n; i += BLOCK, data += bytes) {
    if (type == SOL_GGUF_T_Q8_0) decode_q8_0 (data, out + i);
    else if (type == SOL_GGUF_T_Q4_0) decode_q4 (data + 2, sol_widen_f16 (sol_half_bits (data)), -8, 0, out + i);
    else decode_q4 (data + 4, sol_widen_f16 (sol_half_bits (data)), 0, sol_widen_f16 (sol_half_bits (data + 2)), out + i);
  }
}
