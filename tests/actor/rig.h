/* SPDX-License-Identifier: Apache-2.0 */
/* rig.h: a task and a small model with random weights, on a backend that counts the rows that go through the layers. Include tap_mpi.h first. */
#ifndef SOL_TEST_ACTOR_RIG_H
#define SOL_TEST_ACTOR_RIG_H
#include "../../src/backend/backend_internal.h"
#include "solera/actor.h"
#include "solera/comm.h"
#include "solera/eval.h"
#include "solera/hash.h"
#include "solera/log.h"
#include <string.h>

typedef struct {
  sol_config_t *c;
  sol_backend_t *backend;
  sol_arch_t arch;
  sol_tokenizer_t *tokenizer;
  sol_task_t *task;
  sol_model_t *model;
  void *block; /* the published weights */
} rig_t;

static sol_ops_t counting;
static const sol_ops_t *plain;
static int64_t rows_embedded; /* token rows since it was last set to 0: every row of every prefill and step passes here */
static void count_embed (sol_queue_t *q, sol_tensor_t ids, sol_tensor_t table, sol_tensor_t y)
{
  rows_embedded += ids.cols;
  plain->embed (q, ids, table, y);
}

static inline sol_config_t *configure (const char *yaml)
{
  sol_config_t *c = NULL;
  if (sol_config_parse (yaml, strlen (yaml), "test", NULL, &c) != SOL_OK) abort ();
  return c;
}

/* tokenizer: a folder, or NULL for a task that needs none */
static inline void rig_make (rig_t *r, const char *yaml, const char *tokenizer)
{
  float *w;
  memset (r, 0, sizeof *r);
  r->c = configure (yaml);
  if (tokenizer && sol_tokenizer_load (tokenizer, &r->tokenizer) != SOL_OK) abort ();
  if (sol_task_create (r->c, r->tokenizer, tokenizer, &r->task) != SOL_OK || sol_backend_create ("cpu", 1, NULL, &r->backend) != SOL_OK) abort ();
  plain = r->backend->head.ops;
  counting = *plain;
  counting.embed = count_embed;
  r->backend->head.ops = &counting;
  if (sol_arch_new (r->c, sol_task_vocab (r->task), 128, sol_task_eos (r->task), &r->arch) != SOL_OK || sol_model_create (r->backend, &r->arch, SOL_F32, &r->model) != SOL_OK) abort ();
  const int64_t n = sol_model_table (r->model)->elements;
  w = sol_alloc ((size_t) n * sizeof *w);
  sol_table_init (sol_model_table (r->model), &r->arch, 11, w);
  r->block = sol_alloc (sol_model_bytes (r->model));
  sol_model_round (w, n, SOL_F32, r->block);
  sol_free (w);
  if (sol_model_set (r->model, r->block) != SOL_OK) abort ();
}

static inline void rig_free (rig_t *r)
{
  sol_free (r->block);
  sol_model_destroy (r->model);
  r->backend->head.ops = plain;
  sol_backend_destroy (r->backend);
  sol_task_destroy (r->task);
  sol_tokenizer_destroy (r->tokenizer);
  sol_config_destroy (r->c);
}

static const int32_t slot_counts[] = { 1, 7, 64 };
#endif
