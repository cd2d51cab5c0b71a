/* ranks: 1 3 */
/* SPDX-License-Identifier: Apache-2.0 */
/* what a learner and supervised training say that they need is what they take */
#include "../tap_mpi.h"
#include "rig.h"
#include "solera/sft.h"

/* what is counted: large blocks, all of them on a host backend; index lists and structs beside them are few */
static int exact (uint64_t said, size_t large_before, size_t used_before)
{
  const uint64_t taken = sol_memory_large () - large_before, beside = sol_memory_used () - used_before - taken;
  if (said != taken || beside > 65536) fprintf (stderr, "rank %d: said %llu, taken %llu and %llu beside it\n", tap_rank, (unsigned long long) said, (unsigned long long) taken, (unsigned long long) beside);
  return said == taken && beside <= 65536;
}

/* the rig has the model and the start weights already */
static uint64_t rest (const rig_t *rig, const sol_needs_t *n) { return sol_need_total (&n->host) - sol_model_need (rig->model) - (uint64_t) rig->table->elements * sizeof (float); }

static void test_measured (const rig_t *rig)
{
  sol_model_t *m = sol_model_measure (rig->backend, &rig->arch, SOL_F32);
  const sol_decoder_params_t dp = { .slots = 5, .max_prompt = 7, .max_new = 9, .temperature = 1 };
  ok (sol_model_need (m) == sol_model_need (rig->model) && sol_model_bytes (m) == sol_model_bytes (rig->model) && sol_grad_elements (m) == sol_grad_elements (rig->model));
  ok (sol_pass_bytes (m, 40, 50, 6, 1) == sol_pass_bytes (rig->model, 40, 50, 6, 1) && sol_decoder_bytes (m, &dp) == sol_decoder_bytes (rig->model, &dp));
  sol_model_destroy (m);
}

static void test_learner (const rig_t *rig)
{
  sol_needs_t n = { 0 };
  sol_learner_t *l = NULL;
  const size_t before = sol_memory_used (), large = sol_memory_large ();
  ok (sol_learner_need (rig->c, rig->model, 0, 1, &n) == SOL_OK);
  if (rig->reference) {
    sol_learner_reference_need (rig->c, rig->reference, &n);
    ok (n.host.part[SOL_NEED_REFERENCE] > sol_model_need (rig->reference));
    n.host.part[SOL_NEED_REFERENCE] -= sol_model_need (rig->reference); /* there already */
  }
  ok (sol_memory_used () == before);
  ok (rig_learner (rig, sol_comm_self (), NULL, &l) == SOL_OK);
  ok (exact (rest (rig, &n), large, before) && sol_need_total (&n.device) == 0);
  sol_learner_destroy (l);
  rig->c->temperature = 0.5; /* one column more */
  const uint64_t batch = n.host.part[SOL_NEED_BATCH];
  ok (sol_learner_need (rig->c, rig->model, 0, 1, &n) == SOL_OK && n.host.part[SOL_NEED_BATCH] == 2 * batch + PROMPTS / UPS * GROUP * NEW_MAX * sizeof (float));
  rig->c->temperature = 1;
  rig->c->micro_batch_tokens = 8; /* a group of full length goes alone */
  n = (sol_needs_t){ 0 };
  ok (sol_learner_need (rig->c, rig->model, 0, 1, &n) == SOL_OK && n.host.grows > sol_pass_bytes (rig->model, 8, 8, 8, 1));
}

static int near (uint64_t said, uint64_t taken)
{
  const double d = (double) said - (double) taken, most = 65536 + 0.02 * (double) said;
  if (d > most || d < -most) fprintf (stderr, "rank %d: said %llu, taken %llu\n", tap_rank, (unsigned long long) said, (unsigned long long) taken);
  return d <= most && d >= -most;
}

/* with the exchange of gradients: after an update; demonstrations are small things */
static void test_sft (const rig_t *rig)
{
  sol_needs_t n = { 0 };
  sol_task_t *task = NULL;
  sol_sft_t *s = NULL;
  double loss, norm;
  ok (sol_task_create (rig->c, NULL, NULL, &task) == SOL_OK);
  const size_t before = sol_memory_used ();
  sol_sft_need (rig->c, rig->model, tap_rank, tap_size, &n);
  const sol_sft_params_t p = { .config = rig->c, .model = rig->model, .task = task, .comm = sol_comm_world (), .weights = rig->w, .settings = "" };
  ok (sol_sft_create (&p, &s) == SOL_OK && sol_sft_step (s, &loss, &norm) == SOL_OK);
  ok (near (rest (rig, &n), sol_memory_used () - before));
  sol_sft_destroy (s);
  sol_task_destroy (task);
}

int main (int argc, char **argv)
{
  rig_t rig;
  char name[64];
  tap_init (&argc, &argv);
  ok (sol_comm_start (&argc, &argv) == SOL_OK);
  sol_log_level (SOL_LOG_ERROR);
  snprintf (name, sizeof name, "need%d-%d", tap_size, tap_rank);
  rig_make (&rig, "learner: {leaves: 8}\ntrain: {updates: 4, warmup: 0}\nsft: {batch: 8}\n", name);
  test_measured (&rig);
  test_sft (&rig);
  test_learner (&rig);
  rig_free (&rig);
  snprintf (name, sizeof name, "reference%d-%d", tap_size, tap_rank);
  rig_make (&rig, "learner: {leaves: 8}\ntrain: {updates: 4, warmup: 0}\nkl: {coef: 0.1, reference: initial}\nentropy: {coef: 0.1}\n", name);
  test_learner (&rig);
  rig_free (&rig);
  return tap_done ();
}
