/* SPDX-License-Identifier: Apache-2.0 */
/* Protects: what plans and logs say of a device's memory is, to the byte, what a learner and an actor take of it: against the emulator's own count on emu, and against a device on paper, whose
 * layout is the same. The host's part: the large blocks, to the byte. */
#include "../../src/learner/learner_internal.h"
#include "../tap.h"
#include "solera/actor.h"
#include "solera/comm.h"
#include "solera/file.h"
#include "solera/paper.h"
#include <dlfcn.h>
#include <string.h>

static const char yaml[] = "out: unused\nroles: solo\nmodel: {layers: 2, width: 128, heads: 2, kv_heads: 1, mlp: 200}\ntask: {name: chain, steps: 1}\nrollout: {max_prompt: 20, max_tokens: 9}\n"
                           "batch: {prompts: 6, group: 4, updates_per_step: 2}\ntrain: {micro_batch_tokens: 100, updates: 4}\nactor: {slots: 13}\nstats: {write: false}\n";

typedef struct {
  sol_config_t *c;
  sol_task_t *task;
  sol_arch_t arch;
  float *w;
  char *dir;
} rig_t;

static size_t (*emu_in_use) (void);
/* bytes of a backend's memory that are taken, its workspace included */
static size_t in_use (const sol_backend_t *b, int paper) { return paper ? sol_paper_held (b) + sol_backend_workspace (b) : emu_in_use (); }

static void open_emu (void)
{
  char path[1024];
  const char *dir = getenv ("SOLERA_PLUGINS");
  void *handle;
  snprintf (path, sizeof path, "%s/libsolera-emu.so", dir ? dir : ".");
  handle = dlopen (path, RTLD_NOW | RTLD_NOLOAD);
  need (handle);
  void *f = dlsym (handle, "sol_emu_memory_in_use");
  need (f);
  memcpy (&emu_in_use, &f, sizeof f);
}

static void test_learner (rig_t *r, sol_backend_t *b, int paper, sol_dtype_t dtype)
{
  sol_needs_t n = { 0 };
  sol_model_t *m = sol_model_measure (b, &r->arch, dtype);
  sol_learner_t *l = NULL;
  ok (sol_learner_need (r->c, m, 0, 1, &n) == SOL_OK);
  sol_model_destroy (m);
  const size_t device = in_use (b, paper), host = sol_memory_large ();
  need (sol_model_create (b, &r->arch, dtype, &m) == SOL_OK);
  const sol_learner_params_t p = { .config = r->c, .model = m, .comm = sol_comm_self (), .run_dir = r->dir, .settings = "", .hosts = "", .weights = r->w };
  need (sol_learner_create (&p, &l) == SOL_OK);
  tap_ok (sol_need_total (&n.device) == in_use (b, paper) - device, "%s: a learner: %llu bytes of the device said, %zu taken", sol_backend_describe (b),
          (unsigned long long) sol_need_total (&n.device), in_use (b, paper) - device);
  ok (n.host.pinned == n.host.part[SOL_NEED_WEIGHTS] + n.host.part[SOL_NEED_GRADIENTS] + sol_pass_pinned (m, sol_learner_cap (r->c), sol_learner_cap (r->c), sol_learner_cap (r->c), 1));
  const uint64_t whole = n.host.part[SOL_NEED_WHOLE]; /* the start weights, which are there already */
  tap_ok (whole == (uint64_t) sol_model_table (m)->elements * 4 && sol_need_total (&n.host) - whole == sol_memory_large () - host, "and %llu bytes of the host said, %zu taken",
          (unsigned long long) (sol_need_total (&n.host) - whole), sol_memory_large () - host);
  ok (n.device.part[SOL_NEED_WEIGHTS] && n.device.part[SOL_NEED_MASTER] && n.device.part[SOL_NEED_MOMENTS] && n.device.part[SOL_NEED_GRADIENTS] && n.device.part[SOL_NEED_ACTIVATIONS]);
  sol_learner_destroy (l);
  sol_model_destroy (m);
  ok (in_use (b, paper) == device && sol_memory_large () == host);
}

/* a frozen reference beside it: a model, and passes without a backward */
static void test_reference (const rig_t *r, sol_backend_t *b, int paper)
{
  const int32_t cap = sol_learner_cap (r->c);
  const size_t device = in_use (b, paper), host = sol_memory_large ();
  sol_needs_t n = { 0 };
  sol_model_t *m = NULL;
  sol_pass_t *pass = NULL;
  need (sol_model_create (b, &r->arch, SOL_BF16, &m) == SOL_OK && sol_pass_create (m, cap, cap, cap, 0, &pass) == SOL_OK);
  sol_learner_reference_need (r->c, m, &n);
  ok (sol_need_total (&n.device) == in_use (b, paper) - device && sol_need_total (&n.host) == sol_memory_large () - host && n.host.pinned == sol_need_total (&n.host) && n.host.pinned > 0);
  sol_pass_destroy (pass);
  sol_model_destroy (m);
}

static void test_actor (rig_t *r, sol_backend_t *b, int paper, sol_dtype_t dtype)
{
  sol_needs_t n = { 0 };
  sol_model_t *m = sol_model_measure (b, &r->arch, dtype);
  sol_actor_t *a = NULL;
  ok (sol_actor_need (r->c, m, &n) == SOL_OK);
  sol_model_destroy (m);
  const size_t device = in_use (b, paper), host = sol_memory_large ();
  need (sol_model_create (b, &r->arch, dtype, &m) == SOL_OK);
  need (sol_actor_create (&(sol_actor_params_t){ .config = r->c, .model = m, .task = r->task }, &a) == SOL_OK);
  tap_ok (sol_need_total (&n.device) == in_use (b, paper) - device, "%s: an actor: %llu bytes of the device said, %zu taken", sol_backend_describe (b),
          (unsigned long long) sol_need_total (&n.device), in_use (b, paper) - device);
  tap_ok (sol_need_total (&n.host) == sol_memory_large () - host, "and %llu bytes of the host said, %zu taken", (unsigned long long) sol_need_total (&n.host), sol_memory_large () - host);
  ok (n.host.pinned == n.host.part[SOL_NEED_WEIGHTS] + n.host.part[SOL_NEED_DECODING] && n.host.part[SOL_NEED_WEIGHTS] == sol_model_bytes (m) + sol_model_pinned (m));
  ok (n.device.part[SOL_NEED_CACHE] == 2u * 2u * (4u * 2u + 13u) * 16u * 64u * 2u); /* K and V, layers, four prompts of two pages and 13 places of one, rows of a page, head size, bf16 */
  sol_actor_destroy (a);
  sol_model_destroy (m);
  ok (in_use (b, paper) == device && sol_memory_large () == host);
}

/* the same figures from both, so that a plan holds for the device: also for one of several learners, whose slices differ */
static void test_same (rig_t *r, sol_backend_t *b, sol_backend_t *paper)
{
  static const int ranks[][2] = { { 0, 1 }, { 0, 8 }, { 7, 8 } };
  for (int i = 0; i < 3; i++) {
    sol_needs_t x = { 0 }, y = { 0 };
    sol_model_t *m = sol_model_measure (b, &r->arch, SOL_BF16), *on_paper = sol_model_measure (paper, &r->arch, SOL_BF16);
    ok (sol_learner_need (r->c, m, ranks[i][0], ranks[i][1], &x) == SOL_OK && sol_learner_need (r->c, on_paper, ranks[i][0], ranks[i][1], &y) == SOL_OK && !memcmp (&x, &y, sizeof x));
    ok (sol_actor_need (r->c, m, &x) == SOL_OK && sol_actor_need (r->c, on_paper, &y) == SOL_OK && !memcmp (&x, &y, sizeof x));
    sol_model_destroy (m);
    sol_model_destroy (on_paper);
  }
}

/* one of several: its optimizer on paper takes what the figure says beside model and activations */
static void test_slices (rig_t *r, sol_backend_t *paper)
{
  for (int rank = 0; rank < 3; rank++) {
    sol_needs_t n = { 0 };
    sol_optimizer_t *o = NULL;
    sol_model_t *m = sol_model_measure (paper, &r->arch, SOL_BF16);
    ok (sol_learner_need (r->c, m, rank, 3, &n) == SOL_OK && sol_optimizer_rehearse (m, rank, 3, &o) == SOL_OK);
    ok (sol_paper_held (paper) == sol_need_total (&n.device) - n.device.part[SOL_NEED_WEIGHTS] - n.device.part[SOL_NEED_ACTIVATIONS] && n.device.part[SOL_NEED_EXCHANGE] > 0);
    ok (n.host.part[SOL_NEED_WEIGHTS] == sol_model_pinned (m) + (rank == 0 ? sol_model_bytes (m) : 0)); /* the first publishes */
    sol_optimizer_destroy (o);
    sol_model_destroy (m);
  }
}

static void rig_make (rig_t *r)
{
  const char *tmp = getenv ("TEST_TMPDIR");
  sol_table_t *t;
  r->dir = sol_path_join (tmp ? tmp : "/tmp", "need");
  need (sol_config_parse (yaml, strlen (yaml), "test", NULL, &r->c) == SOL_OK && sol_dir_make (r->dir) == SOL_OK && sol_task_create (r->c, NULL, NULL, &r->task) == SOL_OK);
  need (sol_arch_new (r->c, 3000, 32, 15, &r->arch) == SOL_OK);
  t = sol_table_create (&r->arch);
  r->w = sol_alloc ((size_t) t->elements * sizeof *r->w);
  sol_table_init (t, &r->arch, 3, r->w);
  sol_table_destroy (t);
}

int main (void)
{
  rig_t r = { 0 };
  sol_backend_t *emu = NULL, *paper = sol_paper_create (NULL);
  char why[512];
  sol_log_level (SOL_LOG_ERROR);
  rig_make (&r);
  test_learner (&r, paper, 1, SOL_BF16);
  test_learner (&r, paper, 1, SOL_F32);
  test_actor (&r, paper, 1, SOL_BF16);
  test_slices (&r, paper);
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
  const int can = 0;
  snprintf (why, sizeof why, "the fibers of emu change stacks behind this build's sanitizer");
#else
  const int can = sol_backend_can ("emu", why, sizeof why);
#endif
  if (!can) printf ("ok %d - emu # SKIP %s\n", ++tap_n, why);
  else {
    need (sol_backend_create ("emu", 1, NULL, &emu) == SOL_OK);
    open_emu ();
    ok (in_use (emu, 0) == sol_backend_workspace (emu));
    test_learner (&r, emu, 0, SOL_BF16);
    test_learner (&r, emu, 0, SOL_F32);
    test_actor (&r, emu, 0, SOL_BF16);
    test_actor (&r, emu, 0, SOL_F32);
    test_reference (&r, emu, 0);
    test_same (&r, emu, paper);
    sol_backend_destroy (emu);
  }
  sol_backend_destroy (paper);
  sol_task_destroy (r.task);
  sol_config_destroy (r.c);
  sol_free (r.w);
  sol_free (r.dir);
  return tap_done ();
}
