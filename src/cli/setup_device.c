/* SPDX-License-Identifier: Apache-2.0 */
/* setup_device.c: which device of its host a rank takes, whether every learner has one of its own, and all of them the same kind. */
#include "setup.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <stdio.h>
#include <string.h>

typedef struct { char which[80]; int32_t devices, learner; } seat_t;

/* Two learners on one device cannot sum with each other, and each would need all of its memory. seat: of this host's ranks, the learners first. */
static sol_status_t check_seats (const seat_t *seat, int n)
{
  int learners = 0, devices = 0;
  for (; learners < n && seat[learners].learner; learners++) {
    int other = 0;
    if (seat[learners].devices == 0) return SOL_OK; /* on the host itself, or emulated */
    while (other < learners && strcmp (seat[other].which, seat[learners].which) != 0) other++;
    devices += other == learners;
  }
  if (devices == learners) return SOL_OK;
  return sol_fail (SOL_ERR_USAGE, "learner", "host %s: %d learners would share %d device%s: expected a device for each; start fewer on this host (solera plan, docs/gpu.md), or backend.name=cpu",
                   sol_comm_host (), learners, devices, devices > 1 ? "s" : "");
}

static sol_status_t take_seat (sol_comm_t *host, const char *backend, int learner)
{
  const int n = sol_comm_size (host);
  seat_t mine, *all = sol_alloc ((size_t) n * sizeof *all);
  sol_status_t st;
  memset (&mine, 0, sizeof mine);
  sol_backend_number (sol_comm_rank (host));
  mine.devices = sol_backend_devices (backend, mine.which, sizeof mine.which);
  mine.learner = learner;
  SOL_GO (sol_comm_allgather (host, &mine, sizeof mine, all));
  if (sol_comm_rank (host) == 0) st = check_seats (all, n);
out:
  sol_free (all);
  return st;
}

sol_status_t sol_setup_device (sol_comm_t *world, const sol_config_t *c, int uses, int learner)
{
  sol_buffer_t name = { 0 };
  sol_comm_t *host;
  sol_status_t st = SOL_OK;
  SOL_TRY (sol_comm_split_host (world, uses, learner ? 0 : 1, &host));
  sol_setting_choice (sol_setting_find ("backend.name"), c->backend, &name);
  if (host) st = take_seat (host, name.data, learner);
  sol_comm_destroy (host);
  sol_buffer_free (&name);
  return sol_comm_agree (world, st);
}

typedef struct { char backend[16], host[64]; int32_t learner; } place_t;

static sol_status_t check_places (const place_t *place, int n)
{
  int first = -1;
  for (int i = 0; i < n; i++) {
    if (!place[i].learner || !place[i].backend[0]) continue;
    if (first < 0) first = i;
    if (strcmp (place[i].backend, place[first].backend) != 0)
      return sol_fail (SOL_ERR_UNSUPPORTED, "learner", "learners on different backends: %s on rank %d (host %s), %s on rank %d (host %s): expected the same for all; solera info on both hosts says why, backend.name chooses",
                       place[first].backend, first, place[first].host, place[i].backend, i, place[i].host);
  }
  return SOL_OK;
}

sol_status_t sol_setup_same_backend (sol_comm_t *world, sol_status_t st, const sol_backend_t *backend, int learner)
{
  const int n = sol_comm_size (world);
  place_t mine, *all = sol_alloc ((size_t) n * sizeof *all);
  memset (&mine, 0, sizeof mine);
  mine.learner = learner;
  if (st == SOL_OK && backend) snprintf (mine.backend, sizeof mine.backend, "%s", sol_backend_ops (backend)->name);
  snprintf (mine.host, sizeof mine.host, "%s", sol_comm_host ());
  const sol_status_t gathered = sol_comm_allgather (world, &mine, sizeof mine, all);
  if (st == SOL_OK) st = gathered;
  if (st == SOL_OK && sol_comm_rank (world) == 0) st = check_places (all, n);
  sol_free (all);
  return st;
}
