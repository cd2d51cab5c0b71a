/* SPDX-License-Identifier: Apache-2.0 */
/* collective.c: the device's own collectives, bootstrapped over MPI. */
#include "solera/comm.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/plugin.h"

struct sol_collective {
  const sol_device_collectives_t *c;
  sol_device_group_t *group;
};

sol_status_t sol_collective_create (sol_backend_t *backend, sol_comm_t *comm, sol_collective_t **group_p)
{
  const sol_device_collectives_t *c = sol_backend_collectives (backend);
  sol_collective_t *g;
  void *id;
  sol_status_t st = SOL_OK;
  *group_p = NULL;
  if (sol_comm_size (comm) == 1) return SOL_OK;
  if (!c) st = sol_fail (SOL_ERR_UNSUPPORTED, "comm", "%s has no collectives, which %d learners need: expected a plugin built with NCCL", sol_backend_describe (backend), sol_comm_size (comm));
  SOL_TRY (sol_comm_agree (comm, st));
  g = sol_alloc (sizeof *g);
  id = sol_alloc (c->id_bytes);
  g->c = c;
  if (sol_comm_rank (comm) == 0) st = c->make_id (sol_backend_device (backend), id);
  SOL_GO (sol_comm_agree (comm, st));
  SOL_GO (sol_comm_bcast (comm, id, c->id_bytes, 0));
  st = c->create (sol_backend_device (backend), id, sol_comm_rank (comm), sol_comm_size (comm), &g->group);
  SOL_GO (sol_comm_agree (comm, st));
  *group_p = g;
  g = NULL;
out:
  sol_free (id);
  sol_collective_destroy (g);
  return st;
}

void sol_collective_destroy (sol_collective_t *g)
{
  if (!g) return;
  if (g->group) g->c->destroy (g->group);
  sol_free (g);
}

void sol_collective_reduce (sol_collective_t *g, sol_queue_t *q, const float *whole, const int64_t *cut, float *slice) { g->c->reduce (g->group, q, whole, cut, slice); }

void sol_collective_share (sol_collective_t *g, sol_queue_t *q, void *block, const int64_t *cut, size_t element_bytes) { g->c->share (g->group, q, block, cut, element_bytes); }
