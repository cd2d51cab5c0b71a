/* SPDX-License-Identifier: Apache-2.0 */
/* random.h: counter-based randomness (Philox4x32-10, Random123). No state anywhere: key = seed, counter = (group id, purpose
 * and sample, position), so that a run's bytes do not depend on the number of ranks or on timing. */
#ifndef SOL_RANDOM_H
#define SOL_RANDOM_H
#include <stdint.h>

typedef enum {
  SOL_RANDOM_SAMPLE, /* token choice: group, sample, position in the response */
  SOL_RANDOM_PROMPT, /* which prompt a candidate is: group = index */
  SOL_RANDOM_INIT,   /* new weights */
  SOL_RANDOM_ORDER,  /* permutations: group = epoch */
  SOL_RANDOM_SPLIT,  /* held-out or not */
  SOL_RANDOM_DEMO,   /* supervised demonstrations */
  SOL_RANDOM_EVAL,   /* token choice in evaluation */
  SOL_RANDOM_TEST,
  SOL_RANDOM_BOOTSTRAP, /* which problems are drawn again: group = resample */
  SOL_RANDOM_LAG /* staleness.trace: group = ticket */
} sol_random_purpose_t;
typedef struct { uint32_t w[4]; } sol_random_t;

/* sample < 2^24. Counter words: group low, group high, purpose << 24 | sample, position. */
sol_random_t sol_random (uint64_t seed, uint64_t group, sol_random_purpose_t purpose, uint32_t sample, uint32_t position);
/* the two halves of it: the counter's words, and what they give under a key */
void sol_random_counter (uint64_t group, sol_random_purpose_t purpose, uint32_t sample, uint32_t position, uint32_t counter[4]);
sol_random_t sol_random_at (uint64_t seed, const uint32_t counter[4]);
/* 53-bit uniform in [0,1) from words 0 and 1 (second = 0) or 2 and 3 (second = 1) */
double sol_random_u53 (sol_random_t r, int second);
/* uniform integer in [0, n) without bias worth the name (64-bit multiply-shift of words 0, 1); n >= 1 */
uint64_t sol_random_below (sol_random_t r, uint64_t n);
/* standard normal (Box-Muller on the two uniforms; the same bits on every CPU) */
double sol_random_normal (sol_random_t r);
#endif
