/* ranks: 1 2 4 */
/* SPDX-License-Identifier: Apache-2.0 */
/* Protects: which device of its host a rank takes. Learners come first, actors follow, brokers take none, whatever a launcher's variables say; two learners on one device are refused on all
 * ranks; a device that can be told apart by name only, as each rank sees its own, is nobody else's. */
#include "../../src/cli/setup.h"
#include "../tap_mpi.h"
#include "solera/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sol_comm_t *world;
static int size, me;

static sol_config_t *settings (const char *backend)
{
  char text[40], *set[] = { text };
  sol_config_t *c = NULL;
  snprintf (text, sizeof text, "backend.name=%s", backend);
  if (sol_config_load (NULL, set, 1, NULL, &c) != SOL_OK) abort ();
  return c;
}

/* the last rank and every second before it are in, in turned order */
static void try_split (void)
{
  sol_comm_t *host;
  const int in = (size - 1 - me) % 2 == 0;
  ok (sol_comm_split_host (world, in, -me, &host) == SOL_OK && !host == !in);
  ok (!in || (sol_comm_size (host) == (size + 1) / 2 && sol_comm_rank (host) == (size - 1 - me) / 2));
  sol_comm_destroy (host);
}

/* the name that the emulator's device i has: its number, as a UUID */
static int takes (int i, int of)
{
  char want[80] = "", text[16] = { 0 }, which[80];
  memcpy (text, &i, sizeof i);
  for (size_t k = 0; k < sizeof text; k++) snprintf (want + 2 * k, 3, "%02x", (unsigned char) text[k]);
  return sol_backend_devices ("emu", which, sizeof which) == of && !strcmp (which, want);
}

static sol_status_t start (const sol_config_t *c, const char *devices, const char *role)
{
  if (devices) setenv ("SOL_EMU_DEVICES", devices, 1);
  return sol_setup_device (world, c, role[0] != 'b', role[0] == 'l');
}

static void try_emulated (void)
{
  sol_config_t *c = settings ("emu"), *cpu = settings ("cpu");
  char which[80];
  /* what launchers say of four programs at once, each beginning with 0 */
  setenv ("OMPI_COMM_WORLD_LOCAL_RANK", "0", 1);
  setenv ("SLURM_LOCALID", "0", 1);
  ok (start (c, NULL, "learner") == SOL_OK && sol_backend_devices ("emu", which, sizeof which) == 0); /* any number */
  ok (start (c, "4", "learner") == SOL_OK && takes (me, 4));
  ok (start (c, "4", me == size - 1 ? "learner" : "actor") == SOL_OK && takes (me == size - 1 ? 0 : me + 1, 4)); /* learners first */
  if (size > 1) ok (start (c, "4", me == 0 ? "broker" : me == 1 ? "learner" : "actor") == SOL_OK && (me == 0 || takes (me - 1, 4)));
  ok (start (c, "1", me == 0 ? "learner" : "actor") == SOL_OK && takes (0, 1)); /* actors may share */
  ok (start (c, "1", "learner") == (size > 1 ? SOL_ERR_USAGE : SOL_OK));
  ok (start (cpu, "1", "learner") == SOL_OK);
  if (size == 4) {
    ok (start (c, "2", me < 2 ? "actor" : "learner") == SOL_OK && takes (me % 2, 2));
    ok (start (c, "2", me < 1 ? "actor" : "learner") == SOL_ERR_USAGE);
    ok (start (c, "3", me < 1 ? "broker" : "learner") == SOL_OK && (me < 1 || takes (me - 1, 3)));
  }
  sol_config_destroy (c);
  sol_config_destroy (cpu);
}

int main (int argc, char **argv)
{
  char why[512];
  tap_init (&argc, &argv);
  ok (sol_comm_start (&argc, &argv) == SOL_OK);
  world = sol_comm_world ();
  size = sol_comm_size (world);
  me = sol_comm_rank (world);
  try_split ();
  if (sol_backend_can ("emu", why, sizeof why)) try_emulated ();
  sol_comm_end ();
  return tap_done ();
}
