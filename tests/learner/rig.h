/* SPDX-License-Identifier: Apache-2.0 */
/* rig.h: a learner without the rest of a run: a small model of several slices, a batch of groups in memory. Include tap.h or tap_mpi.h first. */
#ifndef SOL_TEST_RIG_H
#define SOL_TEST_RIG_H
#include "../../src/learner/learner_internal.h"
#include "solera/decoder.h"
#include "solera/file.h"
#include "solera/random.h"
#include "solera/task.h"
#include <string.h>

enum { PROMPTS = 6, GROUP = 4, UPS = 2, PROMPT_MAX = 5, NEW_MAX = 8, VOCAB = 2048, TOKENS = GROUP * NEW_MAX };

typedef struct {
  sol_config_t *c;
  sol_backend_t *backend;
  sol_arch_t arch;
  sol_table_t *table;
  sol_model_t *model, *reference; /* reference: NULL unless the settings ask for one; its weights are others */
  float *w;
  char *dir;
} rig_t;

static inline uint32_t draw (uint32_t a, uint32_t b) { return sol_random (7, a, SOL_RANDOM_TEST, 0, b).w[0]; }

/* more: further settings, whole lines of YAML */
static inline void rig_make (rig_t *r, const char *more, const char *name)
{
  char yaml[2048];
  const char *tmp = getenv ("TEST_TMPDIR");
  memset (r, 0, sizeof *r);
  snprintf (yaml, sizeof yaml,
            "out: unused\nseed: 3\nroles: solo\nmodel: {layers: 1, width: 64, heads: 2, kv_heads: 1, mlp: 64}\n%srollout: {max_prompt: %d, max_tokens: %d}\n"
            "batch: {prompts: %d, group: %d, updates_per_step: %d}\n%s%s", strstr (more, "task:") ? "" : "task: {name: chain, steps: 1}\n", PROMPT_MAX, NEW_MAX, PROMPTS, GROUP, UPS, strstr (more, "stats:") ? "" : "stats: {write: false}\n", more);
  r->dir = sol_path_join (tmp ? tmp : "/tmp", name);
  if (sol_config_parse (yaml, strlen (yaml), "test", NULL, &r->c) != SOL_OK || sol_dir_make (r->dir) != SOL_OK || sol_backend_create ("cpu", 1, NULL, &r->backend) != SOL_OK ||
      sol_arch_new (r->c, VOCAB, 16, 15, &r->arch) != SOL_OK || sol_model_create (r->backend, &r->arch, SOL_F32, &r->model) != SOL_OK)
    abort ();
  r->table = sol_table_create (&r->arch);
  r->w = sol_alloc ((size_t) r->table->elements * sizeof *r->w);
  sol_table_init (r->table, &r->arch, 3, r->w);
  if (r->c->kl_reference == SOL_KL_BEHAVIOUR) return;
  float *other = sol_alloc ((size_t) r->table->elements * sizeof *other);
  sol_table_init (r->table, &r->arch, 4, other);
  if (sol_model_create (r->backend, &r->arch, SOL_F32, &r->reference) != SOL_OK || sol_model_set (r->reference, other) != SOL_OK) abort ();
  sol_free (other);
}

static inline void rig_free (rig_t *r)
{
  sol_free (r->w);
  sol_table_destroy (r->table);
  sol_model_destroy (r->model);
  sol_model_destroy (r->reference);
  sol_backend_destroy (r->backend);
  sol_config_destroy (r->c);
  sol_free (r->dir);
}

static inline sol_status_t rig_learner (const rig_t *r, sol_comm_t *comm, sol_broker_t *broker, sol_learner_t **l)
{
  sol_learner_params_t p = { .config = r->c, .model = r->model, .broker = broker, .comm = comm, .run_dir = r->dir, .settings = "", .hosts = "", .reference = r->reference, .weights = r->w };
  return sol_learner_create (&p, l);
}

/* one group; groups 1 and 4 have equal rewards: nothing to learn from them */
typedef struct { int32_t prompt[PROMPT_MAX], len[GROUP], ids[TOKENS]; float lp[TOKENS], lp_check[TOKENS], entropy[TOKENS]; double reward[GROUP], parts[GROUP * SOL_PART_COUNT]; uint8_t finish[GROUP]; sol_version_run_t run; } mem_t;
static inline sol_rollout_t group_make (int ticket, mem_t *m)
{
  sol_rollout_t g = { .ticket = (uint64_t) ticket, .index = (uint64_t) ticket, .n_responses = GROUP, .n_prompt = 1 + ticket % PROMPT_MAX, .n_runs = 1, .n_parts = SOL_PART_COUNT, .temperature = 1, .prompt = m->prompt,
                      .len = m->len, .ids = m->ids, .lp = m->lp, .lp_check = m->lp_check, .entropy = m->entropy, .reward = m->reward, .parts = m->parts, .finish = m->finish, .runs = &m->run };
  const uint32_t key = (uint32_t) ticket;
  memset (m, 0, sizeof *m);
  for (int i = 0; i < g.n_prompt; i++) m->prompt[i] = (int32_t) (draw (key, (uint32_t) i) % VOCAB);
  for (int s = 0; s < GROUP; s++) {
    m->len[s] = 1 + (int32_t) (draw (key, 100 + (uint32_t) s) % NEW_MAX);
    m->reward[s] = ticket % 3 == 1 ? 1 : (s + ticket) % 3 == 0;
    m->parts[SOL_PART_COUNT * s] = m->reward[s];
    m->finish[s] = SOL_FINISH_EOS;
    g.n_tokens += m->len[s];
  }
  for (int t = 0; t < g.n_tokens; t++) {
    m->ids[t] = (int32_t) (draw (key, 200 + (uint32_t) t) % VOCAB);
    m->lp[t] = -7 - (float) (draw (key, 300 + (uint32_t) t) % 1000) / 800; /* the model's are near -log 2048 = -7.6 */
    m->lp_check[t] = m->lp[t] + (float) (draw (key, 400 + (uint32_t) t) % 1000) / 1000 - 0.5f; /* looked at with lp_check.record only */
  }
  m->run = (sol_version_run_t){ 0, (int32_t) g.n_tokens, 0 };
  return g;
}
#endif
