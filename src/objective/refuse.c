/* SPDX-License-Identifier: Apache-2.0 */
/* refuse.c: the first token of all ranks for which an update cannot be made. */
#include "objective_internal.h"
#include "solera/log.h"
#include "solera/memory.h"

static const char *const why_text[SOL_N_WHY] = { [SOL_WHY_NONE] = "",
                                                 [SOL_WHY_MEMORY] = "out of memory",
                                                 [SOL_WHY_D] = "the log-ratio is not finite",
                                                 [SOL_WHY_ADV] = "the advantage is not finite",
                                                 [SOL_WHY_M2] = "the squared log-ratio overflows float32",
                                                 [SOL_WHY_K3] = "k3 of the ratio overflows float32",
                                                 [SOL_WHY_LP] = "the behaviour log-prob is not finite",
                                                 [SOL_WHY_PROX] = "the proximal log-ratio is not finite",
                                                 [SOL_WHY_REFERENCE] = "the log-ratio to the reference is not finite",
                                                 [SOL_WHY_CHECK] = "the log-ratio of lp_check to the behaviour log-prob is not finite",
                                                 [SOL_WHY_ENTROPY] = "the entropy is not finite",
                                                 [SOL_WHY_C] = "the coefficient is not finite in float32",
                                                 [SOL_WHY_NO_LP] = "the objective needs behaviour log-probs",
                                                 [SOL_WHY_NO_PROX] = "the objective needs proximal log-ratios",
                                                 [SOL_WHY_VARIES] = "the advantage is not constant in the sequence" };

static int rank_of (int64_t why) { return why == SOL_WHY_NONE ? 3 : why == SOL_WHY_MEMORY ? 0 : why <= SOL_WHY_C ? 1 : 2; } /* what is not finite comes before wrong use */

void sol_report (sol_report_t *r, int64_t why, const sol_tokens_t *t, int64_t i, double c)
{
  if (rank_of (why) > rank_of (r->why) || (rank_of (why) == rank_of (r->why) && r->seq <= t->seq[i])) return;
  *r = (sol_report_t){ why, t->seq[i], i, (double) t->d[i], (double) t->adv[i], c };
}

sol_status_t sol_report_agree (const char *name, sol_comm_t *comm, sol_report_t mine, sol_refusal_t *refusal_p)
{
  const int size = sol_comm_size (comm);
  sol_report_t *all = sol_alloc ((size_t) size * sizeof *all), first;
  sol_status_t st = sol_comm_allgather (comm, &mine, sizeof mine, all);
  int from = 0;
  for (int r = 1; r < size; r++)
    if (rank_of (all[r].why) < rank_of (all[from].why) || (rank_of (all[r].why) == rank_of (all[from].why) && all[r].seq < all[from].seq)) from = r;
  first = all[from];
  sol_free (all);
  if (st != SOL_OK || first.why == SOL_WHY_NONE) return st;
  if (first.why == SOL_WHY_MEMORY) return SOL_ERR_MEMORY;
  if (refusal_p) *refusal_p = (sol_refusal_t){ first.seq, from == sol_comm_rank (comm) ? first.index : -1, first.d, first.adv, first.c, why_text[first.why] };
  if (first.why <= SOL_WHY_C) return SOL_ERR_NUMERIC;
  return sol_comm_rank (comm) > 0 ? SOL_ERR_USAGE : sol_fail (SOL_ERR_USAGE, "objective", "%s: sequence %lld: %s", name, (long long) first.seq, why_text[first.why]);
}
