/* SPDX-License-Identifier: Apache-2.0 */
/* bench.c: time of an update's decision, not a test. make tests/objective/bench; [mpirun -n R] tests/objective/bench [OBJECTIVE [TOKENS a rank]] */
#include "solera/clock.h"
#include "solera/memory.h"
#include "solera/objective.h"
#include <stdio.h>
#include <stdlib.h>

int main (int argc, char **argv)
{
  sol_objective_t *o;
  sol_verdicts_t v;
  double best = 1e30;
  if (sol_comm_start (&argc, &argv) != SOL_OK) return 1;
  const int64_t n = argc > 2 ? atoll (argv[2]) : 1000000;
  const int rank = sol_comm_rank (sol_comm_world ());
  float *d = sol_alloc ((size_t) n * 4), *adv = sol_alloc ((size_t) n * 4), *lp = sol_alloc ((size_t) n * 4), *prox = sol_alloc ((size_t) n * 4);
  int64_t *seq = sol_alloc ((size_t) n * 8);
  double *c = sol_alloc ((size_t) n * 8);
  uint8_t *verdict = sol_alloc ((size_t) n);
  uint64_t s = 88172645463325252ull + (uint64_t) rank;
  if (sol_objective_create (argc > 1 ? argv[1] : "m2po", &o) != SOL_OK) return 1;
  for (int64_t i = 0; i < n; i++) {
    double sum = -6;
    for (int k = 0; k < 12; k++) { /* nearly normal, sd 0.4 */
      s ^= s << 13, s ^= s >> 7, s ^= s << 17;
      sum += (double) (s >> 40) * 0x1p-24;
    }
    d[i] = (float) (0.4 * sum);
    seq[i] = rank + (int64_t) sol_comm_size (sol_comm_world ()) * (i / 500);
    adv[i] = seq[i] % 3 ? 0.7f : -1.2f;
    lp[i] = -1;
  }
  const sol_tokens_t t = { .n = n, .d = d, .adv = adv, .lp = lp, .d_prox = prox, .seq = seq };
  for (int k = 0; k < 7; k++) {
    const double t0 = sol_clock_s ();
    if (sol_objective_solve (o, sol_comm_world (), &t, c, verdict, &v, NULL) != SOL_OK) return 1;
    if (sol_clock_s () - t0 < best) best = sol_clock_s () - t0;
  }
  if (rank == 0) printf ("%lld tokens, |T| %lld, kept %lld, mean M2 %.4f -> %.17g: %.1f ms\n", (long long) v.n, (long long) v.n_T, (long long) v.n_kept, v.m2_before, v.m2_after, best * 1e3);
  sol_objective_destroy (o);
  sol_free (d), sol_free (adv), sol_free (lp), sol_free (prox), sol_free (seq), sol_free (c), sol_free (verdict);
  sol_comm_end ();
  return 0;
}
