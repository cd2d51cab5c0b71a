/* SPDX-License-Identifier: Apache-2.0 */
/* select.h: the exact global selection of M2, without a sort. A float32 >= 0 orders like its bits, so its bits are the key; a histogram of (count, sum of significands) over the leading bits,
 * added up over the ranks, says in which bucket the cut lies, the next two refine it to one value. All sums are integers: no result depends on storage, order or ranks. */
#ifndef SOL_SELECT_H
#define SOL_SELECT_H
#include "solera/comm.h"
#include "wide.h"

enum { SOL_SELECT_BUCKETS = 2048 };
#define SOL_KEY_NONE UINT32_MAX /* key of a token outside the set in question */

typedef struct {
  sol_comm_t *comm;
  int64_t n;                                /* this rank's tokens */
  const uint32_t *key;                      /* [n] bits of fl32(d d), or SOL_KEY_NONE */
  const int64_t *seq;                       /* [n] */
  uint64_t histogram[2 * SOL_SELECT_BUCKETS]; /* counts, then sums of significands */
} sol_select_t;

/* what is removed: every token with a key over `key`, and of the tokens with that key all but the first `tie_kept` in global order */
typedef struct {
  int any;              /* 0: nothing is removed, the rest is unset */
  uint32_t key;
  uint64_t tie, tie_kept; /* tokens with that key; of these stay */
  int64_t seq;          /* 0 < tie_kept < tie: those of earlier sequences stay, and the first tie_in_seq of this one */
  uint64_t tie_in_seq;
} sol_cut_t;

/* All collective over s->comm.
 * The longest run of smallest M2 whose mean is <= tau (strict: < tau); at least so many stay. */
sol_status_t sol_select_prefix (sol_select_t *s, double tau, int strict, uint64_t at_least, sol_cut_t *cut_p);
/* largest u in {0} and the M2 present at which the sum of min (M2, u) stays under tau * n; to be asked when the sum of all is over it. n: tokens of the set on all ranks */
sol_status_t sol_select_cap (sol_select_t *s, double tau, uint64_t n, uint32_t *key_p);
#endif
