/* SPDX-License-Identifier: Apache-2.0 */
/* save.c: a checkpoint in three steps, because the brokers write their part in between: begin, wait for the queue, commit. */
#include "learner_internal.h"
#include "solera/file.h"
#include "solera/safetensors.h"
#include <string.h>

sol_status_t sol_save_begin (sol_learner_t *l)
{
  double t0 = sol_clock_s ();
  if (l->stats) SOL_TRY (sol_stats_flush (l->stats)); /* rows of every update that the checkpoint holds are on disk before it */
  SOL_TRY (sol_checkpoint_begin (l->p.run_dir, l->update, l->opt->elements, l->p.comm, &l->writer));
  SOL_TRY (sol_optimizer_save (l->opt, l->writer));
  l->phase[SOL_PHASE_WRITE] += sol_clock_s () - t0;
  return SOL_OK;
}

sol_status_t sol_save_queue (sol_learner_t *l)
{
  uint64_t hash;
  if (l->rank != 0) return SOL_OK;
  return sol_broker_save (l->p.broker, sol_checkpoint_dir (l->writer), l->update, &hash);
}

sol_status_t sol_save_commit (sol_learner_t *l)
{
  double t0 = sol_clock_s ();
  float *master;
  sol_checkpoint_writer_t *w = l->writer;
  sol_checkpoint_t info = { .update = l->update, .step = l->opt->step, .elements = l->opt->elements, .n_queues = (int) (l->c->roles == SOL_ROLES_SOLO ? 1 : l->c->brokers) };
  info.counters[0] = l->dropped_total;
  info.counters[1] = l->lag0_said;
  info.counters[2] = l->skipped_total;
  info.counters[3] = (int64_t) l->p.reference_digest;
  SOL_TRY (sol_report_fresh (l));
  SOL_TRY (sol_optimizer_master (l->opt, &master));
  info.weight_digest = sol_table_digest (sol_model_table (l->p.model), master);
  sol_free (master);
  l->writer = NULL;
  if (l->rank == 0 && l->c->ckpt_best != SOL_BEST_NONE) sol_checkpoint_spare (w, l->next_trial, l->c->eval_every);
  SOL_TRY (sol_checkpoint_commit (w, &info, l->p.settings, (int) l->c->ckpt_keep));
  l->saved = l->update;
  snprintf (l->checkpoint, sizeof l->checkpoint, "u%08lld", (long long) l->update);
  if (l->rank == 0) {
    if (l->stats) SOL_TRY (sol_stats_link (l->p.run_dir));
    sol_log (SOL_LOG_INFO, "learner", "checkpoint at update %lld, weights xxh3 %016llx", (long long) l->update, (unsigned long long) info.weight_digest);
  }
  l->phase[SOL_PHASE_WRITE] += sol_clock_s () - t0;
  return SOL_OK;
}

sol_status_t sol_save_export (sol_learner_t *l)
{
  float *master;
  sol_status_t st = SOL_OK;
  SOL_TRY (sol_optimizer_master (l->opt, &master));
  if (l->rank == 0) {
    char *dir = sol_path_join (l->p.run_dir, "model");
    st = sol_model_save (dir, sol_model_arch (l->p.model), sol_model_table (l->p.model), master, sol_model_dtype (l->p.model), 0, l->p.model_dir);
    if (st == SOL_OK) sol_log (SOL_LOG_INFO, "learner", "model folder written: %s", dir);
    sol_free (dir);
  }
  sol_free (master);
  return sol_comm_agree (l->p.comm, st);
}
