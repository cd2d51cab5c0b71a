/* SPDX-License-Identifier: Apache-2.0 */
/* Frequencies of the scaled forms of RoPE, as transformers 5.24 computes them (in float32), and the table made from them. */
#include "../../src/model/rope.h"
#include "../tap.h"
#include <math.h>

static const struct { const char *name; sol_arch_t arch; double f[16]; } form[] = {
  { "linear",
    { .rope_kind = SOL_ROPE_LINEAR, .rope_theta = 10000, .rope_factor = 2.5, .head_size = 16 },
    { 0.400000006, 0.1264911, 0.0399999991, 0.0126491114, 0.00399999972, 0.00126491114, 0.000400000019, 0.000126491112 } },
  { "llama3",
    { .rope_kind = SOL_ROPE_LLAMA3, .rope_theta = 500000, .rope_factor = 8, .rope_low = 1, .rope_high = 4, .rope_original = 64, .head_size = 16 },
    { 1, 0.079403013, 0.00470075384, 0.000911583134, 0.000176776681, 3.42810235e-05, 6.64786967e-06, 1.28917316e-06 } },
  { "yarn, as Qwen2.5 has it",
    { .rope_kind = SOL_ROPE_YARN, .rope_theta = 1000000, .rope_factor = 4, .rope_low = 1, .rope_high = 32, .rope_original = 32768, .rope_scale = 1.138629436111989, .head_size = 32 },
    { 1, 0.421696514, 0.177827939, 0.0749894157, 0.0316227786, 0.0133352149, 0.00477990136, 0.00165996165, 0.000549999997, 0.000168678584, 4.44569851e-05, 1.87473561e-05, 7.90569356e-06, 3.33380353e-06,
      1.40585337e-06, 5.92843435e-07 } },
  { "yarn with bounds of its own, not rounded",
    { .rope_kind = SOL_ROPE_YARN, .rope_theta = 10000, .rope_factor = 4, .rope_low = 2, .rope_high = 16, .rope_original = 256, .rope_scale = 1.138629436111989, .rope_exact = 1, .head_size = 16 },
    { 1, 0.291525632, 0.0506643951, 0.00790569466, 0.00249999994, 0.000790569466, 0.000250000012, 7.90569466e-05 } },
};

int main (void)
{
  for (size_t k = 0; k < sizeof form / sizeof *form; k++) {
    const sol_arch_t *a = &form[k].arch;
    const int half = a->head_size / 2;
    const double scale = a->rope_kind == SOL_ROPE_YARN ? a->rope_scale : 1;
    float table[3 * 32];
    double worst = 0, off = 0;
    sol_rope_fill (a, 4000, 3, table);
    for (int i = 0; i < half; i++) {
      const double f = sol_rope_frequency (a, i);
      worst = fmax (worst, fabs (f / form[k].f[i] - 1));
      for (int p = 0; p < 3; p++) {
        off = fmax (off, fabs (table[p * a->head_size + i] - scale * cos ((4000 + p) * f)));
        off = fmax (off, fabs (table[p * a->head_size + half + i] - scale * sin ((4000 + p) * f)));
      }
    }
    tap_ok (worst < 1e-6, "%s: frequencies differ by at most %.1e of themselves", form[k].name, worst);
    tap_ok (off < 1e-7, "%s: cosines and sines by %.1e", form[k].name, off);
  }
  return tap_done ();
}
