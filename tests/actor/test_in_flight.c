/* ranks: 1 */
/* SPDX-License-Identifier: Apache-2.0 */
/* A response that goes on under newer weights (staleness.in_flight) has as many version runs as tokens when a version is published for each: the record, the ring and the broker have room
 * for all of them. */
#include "../tap_mpi.h"
#include "solera/actor.h"
#include "solera/log.h"
#include <string.h>

enum { GROUP = 3, NEW = 150, UPDATES = 400, VOCAB = 2048 }; /* of so many tokens few are the end token: responses are long */

static sol_config_t *config (int in_flight)
{
  char yaml[512];
  sol_config_t *c = NULL;
  snprintf (yaml, sizeof yaml,
            "out: unused\nseed: 3\nroles: solo\nmodel: {layers: 1, width: 16, heads: 2, kv_heads: 1, mlp: 16}\ntask: {name: chain, steps: 1}\nrollout: {max_prompt: 8, max_tokens: %d}\n"
            "batch: {prompts: 1, group: %d, updates_per_step: 1}\ntrain: {updates: %d}\nstaleness: {mode: bounded, k: %d, in_flight: %s}\n", NEW, GROUP, UPDATES, UPDATES, in_flight ? "true" : "false");
  if (sol_config_parse (yaml, strlen (yaml), "test", NULL, &c) != SOL_OK) abort ();
  return c;
}

int main (int argc, char **argv)
{
  static int me[1];
  sol_roles_t roles = { .role = SOL_ROLE_SOLO, .n_actors = 1, .n_brokers = 1, .n_learners = 1, .broker_rank = me, .actor_rank = me, .learner_rank = me };
  sol_backend_t *backend;
  sol_arch_t arch;
  sol_model_t *model;
  sol_task_t *task;
  sol_broker_t *b;
  sol_actor_t *a = NULL;
  sol_batch_row_t row;
  sol_rollout_t v = { 0 };
  sol_status_t st = SOL_OK;
  int64_t update = 0, longest = 0;
  tap_init (&argc, &argv);
  ok (sol_comm_start (&argc, &argv) == SOL_OK);
  sol_log_level (SOL_LOG_ERROR);
  sol_config_t *c = config (1), *plain = config (0);
  roles.world = sol_comm_world (), roles.learners = roles.actors = sol_comm_self ();
  if (sol_backend_create ("cpu", 1, NULL, &backend) != SOL_OK || sol_arch_new (c, VOCAB, 200, 15, &arch) != SOL_OK || sol_model_create (backend, &arch, SOL_F32, &model) != SOL_OK ||
      sol_task_create (c, NULL, NULL, &task) != SOL_OK)
    abort ();
  sol_table_t *table = sol_table_create (&arch);
  float *w = sol_alloc ((size_t) table->elements * sizeof *w);
  char *record = sol_alloc (sol_rollout_config_bytes (c));
  sol_table_init (table, &arch, 3, w);
  ok (sol_rollout_config_bytes (c) > sol_rollout_config_bytes (plain)); /* one version a response needs less */
  sol_broker_params_t bp = { .roles = &roles, .mode = c->stale_mode, .k = c->stale_k, .ups = 1, .prompts = 1, .group = GROUP, .updates = UPDATES, .ring_slots = 2,
                             .record_bytes = sol_rollout_config_bytes (c), .weight_bytes = (size_t) table->elements * sizeof *w };
  sol_actor_params_t ap = { .config = c, .model = model, .task = task, .broker = NULL };
  if (sol_broker_open (&bp, &b) != SOL_OK) abort ();
  ap.broker = b;
  ok (sol_actor_create (&ap, &a) == SOL_OK);
  for (; update < UPDATES && (st == SOL_OK || st == SOL_AGAIN) && sol_broker_batch (b, 0, &row) == SOL_AGAIN; update++) { /* an actor's step is a token */
    st = sol_broker_publish (b, update, w);
    if (st == SOL_OK) st = sol_actor_step (a);
    if (st == SOL_OK || st == SOL_AGAIN) st = sol_broker_step (b);
  }
  ok ((st == SOL_OK || st == SOL_AGAIN) && sol_broker_batch (b, 0, &row) == SOL_OK);
  ok (sol_broker_get (b, 0, &row, record) == SOL_OK && sol_rollout_open (record, (size_t) row.bytes, &v) == SOL_OK);
  for (int i = 0; i < v.n_responses; i++) longest = v.len[i] > longest ? v.len[i] : longest;
  ok (longest > 64 && v.n_runs > 64 * GROUP); /* more than a fixed number of runs would hold */
  ok (v.n_runs >= v.n_tokens - 1); /* the first step may choose the first token only */
  sol_actor_destroy (a);
  sol_broker_close (b);
  sol_model_destroy (model);
  sol_task_destroy (task);
  sol_table_destroy (table);
  sol_backend_destroy (backend);
  sol_config_destroy (c);
  sol_config_destroy (plain);
  sol_free (w);
  sol_free (record);
  return tap_done ();
}
