/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/comm.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <string.h>

const char *sol_role_name (sol_role_t role)
{
  static const char *const name[] = { "actor", "broker", "learner", "solo" };
  return name[role];
}

/* a role from its name, -1: none given, -2: unknown */
static int64_t parse (const char *want)
{
  if (!want) return -1;
  for (int i = SOL_ROLE_ACTOR; i <= SOL_ROLE_LEARNER; i++)
    if (!strcmp (want, sol_role_name ((sol_role_t) i))) return i;
  return -2;
}

/* by settings, in rank order: brokers, learners, actors; rank 0 speaks for all */
static sol_status_t assign (const sol_config_t *c, int least, int size, int rank, int64_t *role)
{
  int64_t rest = size - c->brokers - c->learners;
  if (rest < least || (c->actors > 0 && c->actors != rest)) {
    if (rank > 0) return SOL_ERR_USAGE;
    return sol_fail (SOL_ERR_USAGE, "roles", "%d rank%s started, but the settings ask for %lld brokers, %lld learners and %s%lld actors%s", size, size == 1 ? " was" : "s were",
                     (long long) c->brokers, (long long) c->learners, c->actors ? "" : "at least ", (long long) (c->actors ? c->actors : least),
                     size == 1 ? ": start with mpirun -n 3 or more, or set roles: solo" : "");
  }
  for (int r = 0; r < size; r++) role[r] = r < c->brokers ? SOL_ROLE_BROKER : r < c->brokers + c->learners ? SOL_ROLE_LEARNER : SOL_ROLE_ACTOR;
  return SOL_OK;
}

static sol_status_t decide (const sol_config_t *c, const char *want, int least, sol_comm_t *world, int64_t *role)
{
  int size = sol_comm_size (world), given = 0;
  int64_t mine = parse (want);
  SOL_TRY (sol_comm_allgather (world, &mine, sizeof mine, role));
  for (int r = 0; r < size; r++) {
    if (role[r] == -2) return mine == -2 ? sol_fail (SOL_ERR_USAGE, "roles", "--role: expected actor, broker or learner, found \"%s\"", want) : SOL_ERR_USAGE;
    given += role[r] >= 0;
  }
  if (c->roles == SOL_ROLES_SOLO) {
    if (size == 1 && !given) return SOL_OK;
    return sol_comm_rank (world) == 0 ? sol_fail (SOL_ERR_USAGE, "roles", "roles: solo is one rank without --role, but %d ranks were started%s", size, given ? " and --role was given" : "") : SOL_ERR_USAGE;
  }
  if (given == 0) return assign (c, least, size, sol_comm_rank (world), role);
  if (given < size) return sol_comm_rank (world) == 0 ? sol_fail (SOL_ERR_USAGE, "roles", "--role was given on %d of %d ranks: give it on all or on none", given, size) : SOL_ERR_USAGE;
  return SOL_OK;
}

static int *list (const int64_t *role, int size, sol_role_t which, int *n_p)
{
  int *out = sol_alloc ((size_t) (size + 1) * sizeof *out);
  *n_p = 0;
  for (int r = 0; r < size; r++)
    if (role[r] == (int64_t) which || role[r] == SOL_ROLE_SOLO) out[(*n_p)++] = r;
  return out;
}

static sol_status_t create (const sol_config_t *config, const char *want, int least, sol_comm_t *world, sol_roles_t **roles_p)
{
  int size = sol_comm_size (world), rank = sol_comm_rank (world);
  int64_t *role = sol_alloc ((size_t) size * sizeof *role);
  sol_roles_t *r = NULL;
  sol_status_t st;
  SOL_GO (sol_comm_agree (world, decide (config, want, least, world, role)));
  if (config->roles == SOL_ROLES_SOLO) role[0] = SOL_ROLE_SOLO;
  r = sol_alloc (sizeof *r);
  r->role = (sol_role_t) role[rank];
  r->world = world;
  r->broker_rank = list (role, size, SOL_ROLE_BROKER, &r->n_brokers);
  r->actor_rank = list (role, size, SOL_ROLE_ACTOR, &r->n_actors);
  r->learner_rank = list (role, size, SOL_ROLE_LEARNER, &r->n_learners);
  for (int i = 0; i < rank; i++) r->index += role[i] == role[rank];
  if (!r->n_brokers || r->n_actors < least || !r->n_learners)
    SOL_GO (rank == 0 ? sol_fail (SOL_ERR_USAGE, "roles", "--role gave %d actors, %d brokers and %d learners: at least one of each is needed", r->n_actors, r->n_brokers, r->n_learners) : SOL_ERR_USAGE);
  if (config->leaves > 0 && r->n_learners > config->leaves)
    SOL_GO (rank == 0 ? sol_fail (SOL_ERR_USAGE, "roles", "%d learners, but learner.leaves is %lld: a learner without a leaf has nothing to do", r->n_learners, (long long) config->leaves) : SOL_ERR_USAGE);
  if (r->role == SOL_ROLE_SOLO) r->learners = r->actors = sol_comm_self ();
  else {
    SOL_GO (sol_comm_split (world, r->role == SOL_ROLE_LEARNER ? 0 : -1, rank, &r->learners));
    SOL_GO (sol_comm_split (world, r->role == SOL_ROLE_ACTOR ? 0 : -1, rank, &r->actors));
  }
  *roles_p = r;
  r = NULL;
out:
  sol_roles_destroy (r);
  sol_free (role);
  return st;
}

sol_status_t sol_roles_create (const sol_config_t *config, const char *want, sol_comm_t *world, sol_roles_t **roles_p) { return create (config, want, 1, world, roles_p); }
sol_status_t sol_roles_create_idle (const sol_config_t *config, const char *want, sol_comm_t *world, sol_roles_t **roles_p) { return create (config, want, 0, world, roles_p); }

void sol_roles_destroy (sol_roles_t *r)
{
  if (!r) return;
  sol_comm_destroy (r->learners);
  sol_comm_destroy (r->actors);
  sol_free (r->broker_rank);
  sol_free (r->actor_rank);
  sol_free (r->learner_rank);
  sol_free (r);
}
