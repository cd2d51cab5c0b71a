/* SPDX-License-Identifier: Apache-2.0 */
/* golden.h: reads tests/data/objectives/golden.jsonl: update batches and what every objective makes of them. */
#ifndef GOLDEN_H
#define GOLDEN_H
#include "solera/file.h"
#include "solera/memory.h"
#include "solera/objective.h"
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { int n; float *d, *adv, *lp, *d_prox; int64_t *seq; } batch_t;

static inline char *data_file (const char *name, size_t *bytes_p)
{
  char path[1024], *text = NULL;
  snprintf (path, sizeof path, "%s/tests/data/objectives/%s", getenv ("top_srcdir") ? getenv ("top_srcdir") : "..", name);
  return sol_file_read (path, 0, &text, bytes_p) == SOL_OK ? text : NULL;
}
static inline float *floats_of (const cJSON *array, int n)
{
  float *x = sol_alloc ((size_t) (n + 1) * sizeof *x);
  const cJSON *v;
  int i = 0;
  cJSON_ArrayForEach (v, array) if (i < n) x[i++] = (float) v->valuedouble;
  return x;
}
static inline void batch_free (batch_t *b)
{
  sol_free (b->d);
  sol_free (b->adv);
  sol_free (b->lp);
  sol_free (b->d_prox);
  sol_free (b->seq);
}
static inline batch_t batch_of (const cJSON *row)
{
  batch_t b = { .n = cJSON_GetArraySize (cJSON_GetObjectItem (row, "d")) };
  const cJSON *v;
  int i = 0;
  b.d = floats_of (cJSON_GetObjectItem (row, "d"), b.n);
  b.adv = floats_of (cJSON_GetObjectItem (row, "A"), b.n);
  b.lp = floats_of (cJSON_GetObjectItem (row, "lp"), b.n);
  b.d_prox = floats_of (cJSON_GetObjectItem (row, "d_prox"), b.n);
  b.seq = sol_alloc ((size_t) (b.n + 1) * sizeof *b.seq);
  cJSON_ArrayForEach (v, cJSON_GetObjectItem (row, "seq")) if (i < b.n) b.seq[i++] = (int64_t) v->valuedouble;
  return b;
}
static inline sol_tokens_t tokens_of (const batch_t *b) { return (sol_tokens_t){ .n = b->n, .d = b->d, .adv = b->adv, .lp = b->lp, .d_prox = b->d_prox, .seq = b->seq }; }

/* the objective with the row's own parameters; a pair is NAME_c1, NAME_c2 */
static inline sol_objective_t *objective_of (const char *name, const cJSON *row)
{
  sol_objective_t *o = NULL;
  const cJSON *p;
  if (sol_objective_create (name, &o) != SOL_OK) return NULL;
  cJSON_ArrayForEach (p, cJSON_GetObjectItemCaseSensitive (cJSON_GetObjectItem (row, "params"), name))
  {
    char text[64];
    for (int k = 0; k < (cJSON_IsArray (p) ? 2 : 1); k++) {
      snprintf (text, sizeof text, cJSON_IsArray (p) ? "%s_c%d" : "%s", p->string, k + 1);
      if (sol_objective_set (o, text, cJSON_IsArray (p) ? cJSON_GetArrayItem (p, k)->valuedouble : p->valuedouble) != SOL_OK) abort ();
    }
  }
  return o;
}
/* the tokens of the sequences for which owner (seq) is rank, sequences in another order; from[i]: their place in b */
static inline batch_t part_of (const batch_t *b, int rank, int (*owner) (int64_t seq), int backwards, int *from)
{
  batch_t p = { .n = 0 };
  const size_t room = (size_t) (b->n + 1);
  p.d = sol_alloc (room * 4), p.adv = sol_alloc (room * 4), p.lp = sol_alloc (room * 4), p.d_prox = sol_alloc (room * 4), p.seq = sol_alloc (room * 8);
  for (int k = 0; k < b->n; k++) { /* a sequence starts where its id is seen first */
    const int first = backwards ? b->n - 1 - k : k;
    int seen = 0;
    for (int i = 0; i < p.n; i++) seen |= p.seq[i] == b->seq[first];
    if (seen || owner (b->seq[first]) != rank) continue;
    for (int i = 0; i < b->n; i++) {
      if (b->seq[i] != b->seq[first]) continue;
      p.d[p.n] = b->d[i], p.adv[p.n] = b->adv[i], p.lp[p.n] = b->lp[i], p.d_prox[p.n] = b->d_prox[i], p.seq[p.n] = b->seq[i];
      from[p.n++] = i;
    }
  }
  return p;
}
#endif
