/* ranks: 2 3 */
/* SPDX-License-Identifier: Apache-2.0 */
/* Protects: the same as test_need for one of several learners, each with a device of its own: slices, and what is received of the others' gradients, to the byte. */
#include "../../src/learner/learner_internal.h"
#include "../tap_mpi.h"
#include "solera/comm.h"
#include "solera/file.h"
#include <dlfcn.h>
#include <string.h>

#define need(cond) ((cond) ? (void) 0 : (fprintf (stderr, "rank %d: %s\n", tap_rank, #cond), MPI_Abort (MPI_COMM_WORLD, 1), (void) 0))
static const char yaml[] = "out: unused\nmodel: {layers: 2, width: 128, heads: 2, kv_heads: 1, mlp: 200}\ntask: {name: chain, steps: 1}\nrollout: {max_prompt: 20, max_tokens: 9}\n"
                           "batch: {prompts: 6, group: 4, updates_per_step: 2}\ntrain: {micro_batch_tokens: 100, updates: 4}\nstats: {write: false}\n";

static void skip (const char *why)
{
  if (tap_rank == 0) printf ("1..0 # SKIP %s\n", why);
  MPI_Finalize ();
  exit (0);
}

static size_t (*in_use) (void);
static void open_emu (sol_backend_t **b)
{
  char text[1024];
  const char *dir = getenv ("SOLERA_PLUGINS");
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
  skip ("the fibers of emu change stacks behind this build's sanitizer");
#endif
  if (!sol_backend_can ("emu", text, sizeof text)) skip (text);
  need (sol_backend_create ("emu", 1, NULL, b) == SOL_OK);
  if (!sol_backend_collectives (*b)) skip ("the plugin has no collectives");
  snprintf (text, sizeof text, "%s/libsolera-emu.so", dir ? dir : ".");
  void *handle = dlopen (text, RTLD_NOW | RTLD_NOLOAD), *f = handle ? dlsym (handle, "sol_emu_memory_in_use") : NULL;
  need (f);
  memcpy (&in_use, &f, sizeof f);
}

int main (int argc, char **argv)
{
  const char *tmp = getenv ("TEST_TMPDIR");
  char dir[1024];
  sol_backend_t *b = NULL;
  sol_config_t *c = NULL;
  sol_arch_t arch;
  sol_model_t *m;
  sol_learner_t *l = NULL;
  sol_needs_t n = { 0 };
  tap_init (&argc, &argv);
  need (sol_comm_start (&argc, &argv) == SOL_OK);
  sol_log_level (SOL_LOG_ERROR);
  open_emu (&b);
  snprintf (dir, sizeof dir, "%s/need%d", tmp ? tmp : "/tmp", tap_size);
  need (sol_config_parse (yaml, strlen (yaml), "test", NULL, &c) == SOL_OK && sol_dir_make (dir) == SOL_OK && sol_arch_new (c, 3000, 32, 15, &arch) == SOL_OK);
  const size_t device = in_use (), host = sol_memory_large ();
  need (sol_model_create (b, &arch, SOL_BF16, &m) == SOL_OK);
  float *w = sol_alloc ((size_t) sol_model_table (m)->elements * sizeof *w);
  sol_table_init (sol_model_table (m), &arch, 3, w);
  ok (sol_learner_need (c, m, tap_rank, tap_size, &n) == SOL_OK && n.device.part[SOL_NEED_EXCHANGE] > 0);
  const sol_learner_params_t p = { .config = c, .model = m, .comm = sol_comm_world (), .run_dir = dir, .settings = "", .hosts = "", .weights = w };
  need (sol_learner_create (&p, &l) == SOL_OK);
  if (sol_need_total (&n.device) != in_use () - device) fprintf (stderr, "rank %d: %llu bytes of the device said, %zu taken\n", tap_rank, (unsigned long long) sol_need_total (&n.device), in_use () - device);
  ok (sol_need_total (&n.device) == in_use () - device);
  ok (sol_need_total (&n.host) - n.host.part[SOL_NEED_WHOLE] == sol_memory_large () - host);
  sol_learner_destroy (l);
  sol_model_destroy (m);
  ok (in_use () == device && sol_memory_large () == host);
  sol_free (w);
  sol_config_destroy (c);
  sol_backend_destroy (b);
  return tap_done ();
}
