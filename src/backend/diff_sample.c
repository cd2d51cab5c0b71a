/* SPDX-License-Identifier: Apache-2.0 */
/* diff_sample.c: two exponentials that round otherwise choose other ids where the uniform falls on the edge between them: which ids one uniform may choose. */
#include "backend_internal.h"
#include "solera/memory.h"
#include <math.h>
#include <stdlib.h>

/* of the total: what the roundings of float32 exponentials move a sum of masses */
#define EDGE 1e-6

typedef struct { double mass; float z; int32_t id; } entry_t;

static int by_logit (const void *a, const void *b)
{
  const entry_t *x = a, *y = b;
  if (x->z != y->z) return x->z < y->z ? 1 : -1;
  return x->id < y->id ? -1 : x->id > y->id;
}
static int by_id (const void *a, const void *b) { return ((const entry_t *) a)->id < ((const entry_t *) b)->id ? -1 : 1; }

static double sum_of (const entry_t *e, int64_t n)
{
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += e[i].mass;
  return sum;
}

/* does u * the total of the kept entries fall into the mass of id, or beside it by no more than slack? */
static int brackets (const entry_t *kept, int64_t n, double u, double slack, int32_t id)
{
  const double at = u * sum_of (kept, n);
  double below = 0;
  int64_t i = 0;
  while (i < n && kept[i].id != id) below += kept[i++].mass;
  return i < n && kept[i].mass > 0 && at >= below - slack && at <= below + kept[i].mass + slack;
}

/* over the first n in the order of logits; sorts a copy */
static int among (const entry_t *ordered, int64_t n, double u, double slack, int32_t id)
{
  entry_t *kept = sol_alloc ((size_t) (n + 1) * sizeof *kept);
  for (int64_t i = 0; i < n; i++) kept[i] = ordered[i];
  qsort (kept, (size_t) n, sizeof *kept, by_id);
  const int can = brackets (kept, n, u, slack, id);
  sol_free (kept);
  return can;
}

int sol_sample_may (const float *z, int64_t V, double u, int32_t top_k, double top_p, int32_t id)
{
  entry_t *e = sol_alloc ((size_t) (V + 1) * sizeof *e);
  float most = z[0];
  int64_t n = top_k > 0 && top_k < V ? top_k : V;
  int can;
  for (int64_t v = 1; v < V; v++) most = fmaxf (most, z[v]);
  for (int64_t v = 0; v < V; v++) e[v] = (entry_t){ exp ((double) z[v] - (double) most), z[v], (int32_t) v };
  if (top_k > 0 || top_p < 1) qsort (e, (size_t) V, sizeof *e, by_logit); /* top_k looks at logits alone: its set is no matter of rounding */
  const double total = sum_of (e, n), slack = EDGE * total;
  if (top_p < 1) { /* the kept set ends where the sum reaches top_p of the total: from `first` entries on it may, with `last` it must */
    double sum = 0;
    int64_t first = 0, last = 0;
    while (last < n && sum < top_p * total + slack) {
      if (sum < top_p * total - slack) first = last + 1;
      sum += e[last++].mass;
    }
    if (first < 1) first = 1;
    if (last < 1) last = 1;
    /* the sets from first to last - 1 entries are within two slacks of each other: the largest stands for them */
    can = among (e, last, u, slack, id) || (last > first && among (e, last - 1, u, 3 * slack, id));
  } else can = among (e, n, u, slack, id);
  sol_free (e);
  return can;
}
