/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOL_BACKEND_INTERNAL_H
#define SOL_BACKEND_INTERNAL_H
#include "pool.h"
#include "solera/backend.h"

struct sol_queue {
  sol_backend_t *backend;
  sol_status_t error;  /* the first since the last sync */
  float *floats;       /* ref's room for scores and sorting */
  int64_t n_floats;
};
struct sol_backend {
  const sol_ops_t *ops;
  const char *isa;     /* "" for ref */
  sol_pool_t *pool;
  char text[64];
  sol_queue_t queue[3];
};
/* the host's own part of the table (memory, order) and plain loops for the rest */
extern const sol_ops_t sol_ops_ref;
/* the table of an instruction set ("portable", "avx2", "avx512"), or NULL when it was not built or this CPU lacks it */
const sol_ops_t *sol_ops_cpu (const char *isa);
#endif
