/* SPDX-License-Identifier: Apache-2.0 */
/* rope.h: the table of rotary angles. */
#ifndef SOL_ROPE_H
#define SOL_ROPE_H
#include "solera/model.h"
/* radians per position of pair i of D/2, after the scaling of the arch */
double sol_rope_frequency (const sol_arch_t *arch, int i);
/* row p [D]: cos of D/2 angles, then sin, both times the scale of yarn; rows p0 .. p0 + n - 1. The same bits on every CPU. */
void sol_rope_fill (const sol_arch_t *arch, int32_t p0, int32_t n, float *table);
#endif
