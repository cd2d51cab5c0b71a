/* ranks: 1 3 4 6 */
/* SPDX-License-Identifier: Apache-2.0 */
/* Who is what, from settings and from --role, and every refusal on all ranks. */
#include "solera/comm.h"
#include "solera/log.h"
#include "../tap_mpi.h"
#include <string.h>

static sol_comm_t *world;
static int size, me;

static sol_config_t *settings (char **set, int n)
{
  sol_config_t *c = NULL;
  if (sol_config_load (NULL, set, n, NULL, &c) != SOL_OK) abort ();
  return c;
}

/* tries settings and a role; the object, or NULL with the status in *st_p */
static sol_roles_t *make (char **set, int n, const char *want, sol_status_t *st_p)
{
  sol_config_t *c = settings (set, n);
  sol_roles_t *r = NULL;
  *st_p = sol_roles_create (c, want, world, &r);
  sol_config_destroy (c);
  return r;
}

static void refused (char **set, int n, const char *want, const char *what)
{
  sol_status_t st;
  sol_roles_t *r = make (set, n, want, &st);
  tap_ok (!r && st == SOL_ERR_USAGE, what);
}

static void try_settings (int brokers, int learners)
{
  char text[2][32], *set[2] = { text[0], text[1] };
  sol_status_t st;
  sol_roles_t *r;
  snprintf (text[0], 32, "brokers=%d", brokers);
  snprintf (text[1], 32, "learners=%d", learners);
  r = make (set, 2, NULL, &st);
  ok (st == SOL_OK && r);
  if (!r) return;
  ok (r->n_brokers == brokers && r->n_learners == learners && r->n_actors == size - brokers - learners && r->world == world);
  ok (r->role == (me < brokers ? SOL_ROLE_BROKER : me < brokers + learners ? SOL_ROLE_LEARNER : SOL_ROLE_ACTOR));
  ok (r->index == (me < brokers ? me : me < brokers + learners ? me - brokers : me - brokers - learners));
  ok (r->broker_rank[brokers - 1] == brokers - 1 && r->learner_rank[0] == brokers && r->actor_rank[r->n_actors - 1] == size - 1);
  ok ((r->learners != NULL) == (r->role == SOL_ROLE_LEARNER) && (r->actors != NULL) == (r->role == SOL_ROLE_ACTOR));
  ok (!r->learners || (sol_comm_size (r->learners) == learners && sol_comm_rank (r->learners) == r->index));
  ok (!r->actors || (sol_comm_size (r->actors) == r->n_actors && sol_comm_rank (r->actors) == r->index));
  sol_roles_destroy (r);
}

/* the last rank is the broker, the first a learner, between them actors: as two programs of one mpirun line may have it */
static void try_names (void)
{
  sol_status_t st;
  const char *mine = me == size - 1 ? "broker" : me == 0 ? "learner" : "actor";
  sol_roles_t *r = make (NULL, 0, mine, &st);
  ok (st == SOL_OK && r);
  if (!r) return;
  ok (!strcmp (sol_role_name (r->role), mine) && r->n_actors == size - 2 && r->broker_rank[0] == size - 1 && r->learner_rank[0] == 0 && r->actor_rank[0] == 1);
  ok (r->role != SOL_ROLE_ACTOR || r->index == me - 1);
  sol_roles_destroy (r);
}

static void try_solo (void)
{
  static char s[] = "roles=solo", *set[] = { s };
  sol_status_t st;
  sol_roles_t *r = make (set, 1, NULL, &st);
  ok (st == SOL_OK && r && r->role == SOL_ROLE_SOLO && r->index == 0 && r->n_actors == 1 && r->n_brokers == 1 && r->n_learners == 1);
  ok (r && r->learners == sol_comm_self () && r->actors == sol_comm_self () && r->broker_rank[0] == 0 && r->actor_rank[0] == 0 && r->learner_rank[0] == 0);
  sol_roles_destroy (r);
  refused (set, 1, "actor", "solo with --role");
}

int main (int argc, char **argv)
{
  static char a[] = "roles=solo", b[] = "actors=50", c[] = "learners=2", d[] = "learner.leaves=1", *solo[] = { a }, *many[] = { b }, *few_leaves[] = { c, d };
  tap_init (&argc, &argv);
  ok (sol_comm_start (&argc, &argv) == SOL_OK);
  world = sol_comm_world ();
  size = sol_comm_size (world);
  me = sol_comm_rank (world);
  if (size == 1) try_solo ();
  else {
    try_settings (1, 1);
    if (size >= 4) try_settings (1, 2);
    if (size >= 6) try_settings (2, 3);
    try_names ();
    refused (solo, 1, NULL, "solo on several ranks");
    refused (NULL, 0, me == 0 ? "actor" : NULL, "--role on one rank only");
    refused (NULL, 0, "actor", "actors only");
    if (size >= 4) refused (few_leaves, 2, NULL, "a learner without a leaf");
  }
  if (size == 1) refused (NULL, 0, NULL, "one rank without roles: solo");
  refused (many, 1, NULL, "another number of actors than ranks");
  refused (NULL, 0, me == size - 1 ? "chef" : "actor", "an unknown role on one rank");
  sol_comm_end ();
  return tap_done ();
}
