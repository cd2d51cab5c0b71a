/* SPDX-License-Identifier: Apache-2.0 */
#include "setup.h"
#include "solera/buffer.h"
#include "solera/broker.h"
#include "solera/checkpoint.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/safetensors.h"
#include "solera/selftest.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

sol_status_t sol_setup_config (sol_comm_t *world, const char *path, char *const *overrides, int n, const char *command, sol_config_t **config_p)
{
  sol_config_t *c = NULL;
  sol_buffer_t text = { 0 };
  char *data = NULL;
  size_t bytes = 0;
  sol_status_t st = SOL_OK;
  if (sol_comm_rank (world) == 0) {
    st = sol_config_load (path, overrides, n, command, &c);
    if (st == SOL_OK) {
      sol_config_text (c, &text);
      data = text.data;
      bytes = text.bytes;
    }
  }
  SOL_GO (sol_comm_agree (world, st));
  SOL_GO (sol_comm_bcast_text (world, &data, &bytes, 0));
  if (sol_comm_rank (world) != 0) {
    st = sol_config_parse (data, bytes, "settings from rank 0", command, &c);
    sol_free (data);
  }
  SOL_GO (sol_comm_agree (world, st));
  sol_buffer_free (&text);
  *config_p = c;
  return SOL_OK;
out:
  sol_buffer_free (&text);
  sol_config_destroy (c);
  return st;
}

/* published weights are of the setting's type, or of the folder's */
static sol_dtype_t published (const sol_config_t *c, const sol_arch_t *arch) { return c->model_dtype == SOL_DTYPE_SETTING_F32 ? SOL_F32 : c->model_dtype == SOL_DTYPE_SETTING_BF16 ? SOL_BF16 : arch->dtype; }

/* the settings that the run was started with, against today's */
static sol_status_t compare_settings (const char *path, const sol_config_t *now, const sol_setup_t *s)
{
  char *text;
  size_t bytes;
  sol_config_t *old;
  const char *bad;
  sol_status_t st;
  SOL_TRY (sol_file_read (path, 0, &text, &bytes));
  st = sol_config_parse (text, bytes, path, NULL, &old);
  if (st != SOL_OK) {
    sol_free (text);
    return st;
  }
  bad = sol_config_resume_conflict (old, now);
  if (bad) {
    sol_buffer_t a = { 0 }, b = { 0 };
    sol_config_value (old, sol_setting_find (bad), &a);
    sol_config_value (now, sol_setting_find (bad), &b);
    st = sol_fail (SOL_ERR_USAGE, "resume", "%s: the run has %s: %s, now %s was asked for; this setting may not change on --resume", path, bad, a.data ? a.data : "", b.data ? b.data : "");
    sol_buffer_free (&a);
    sol_buffer_free (&b);
  } else st = sol_setup_same_data (now, s, path, text);
  sol_free (text);
  sol_config_destroy (old);
  return st;
}

/* settings.yaml begins with what else a result may depend on, as comments */
static void add_origin (const char *hosts, const char *origin, sol_buffer_t *out)
{
  if (origin) sol_buffer_printf (out, "# %s\n", origin);
  sol_buffer_printf (out, "# program: %s (%s)\n# libraries: %s; hdf5 %s; yaml %s; pcre2 %s; xxhash %s\n# kernels: %s\n# hosts: %s\n", PACKAGE_STRING, SOL_COMPILER, sol_comm_library (),
                     SOL_HDF5_VERSION, SOL_YAML_VERSION, SOL_PCRE2_VERSION, SOL_XXHASH_VERSION, sol_backend_isa (), hosts);
}

/* Two jobs that write one folder would spoil it. The lock goes with the process, however that ends; where the file system knows no locks there is none. */
sol_status_t sol_setup_lock (const char *out)
{
  char *path = sol_path_join (out, ".lock");
  sol_status_t st = SOL_OK;
  const int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd >= 0 && flock (fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    st = sol_fail (SOL_ERR_USAGE, "run", "%s is being written by another process (a run's status.json says which): stop that one first", out);
    close (fd);
  }
  sol_free (path);
  return st; /* the descriptor stays open */
}

sol_status_t sol_setup_queue (const char *dir, const sol_checkpoint_t *info) { return info->n_queues > 0 ? sol_broker_verify (dir, info->n_queues, info->update) : SOL_OK; }

/* --force removes out: nothing that the run is to read may lie there */
static sol_status_t check_inputs (const sol_config_t *c)
{
  const char *read[] = { c->model_path, c->kl_model, strncmp (c->stale_trace, "file:", 5) ? NULL : c->stale_trace + 5 };
  const char *lost = NULL;
  for (size_t i = 0; i < sizeof read / sizeof *read && !lost; i++)
    if (read[i] && *read[i] && sol_path_inside (read[i], c->out)) lost = read[i];
  for (char **path = c->task_path; *path && !lost; path++)
    if (**path && sol_path_inside (*path, c->out)) lost = *path;
  return lost ? sol_fail (SOL_ERR_USAGE, "run", "%s, which this run reads, lies in %s, which --force would remove: choose another out=FOLDER", lost, c->out) : SOL_OK;
}

static sol_status_t prepare_folder (const sol_config_t *c, const sol_setup_t *s, const char *hosts, const char *origin, int resume, int force, char **resume_dir_p)
{
  char *settings = sol_path_join (c->out, "settings.yaml"), *dir = NULL;
  sol_buffer_t text = { 0 };
  sol_status_t st;
  SOL_GO (sol_dir_check (c->out));
  if (!sol_dir_is_empty (c->out) && !resume && !force) {
    st = sol_fail (SOL_ERR_USAGE, "run", "%s exists: continue it with --resume, or replace it with --force, or choose another out=FOLDER", c->out);
    goto out;
  }
  if (sol_file_exists (settings)) SOL_GO (sol_setup_lock (c->out)); /* before anything is removed */
  if (force && !resume) {
    if (sol_file_exists (c->out) && !sol_dir_is_empty (c->out) && !sol_file_exists (settings)) {
      st = sol_fail (SOL_ERR_USAGE, "run", "%s is not a run folder (no settings.yaml): --force does not remove it", c->out);
      goto out;
    }
    SOL_GO (check_inputs (c));
    SOL_GO (sol_dir_remove (c->out));
  }
  SOL_GO (sol_dir_make (c->out));
  if (resume && sol_file_exists (settings)) {
    SOL_GO (compare_settings (settings, c, s));
    sol_checkpoint_t info;
    char *old;
    st = sol_checkpoint_find (c->out, sol_setup_queue, &info, &dir, &old);
    if (st == SOL_END) st = SOL_OK;
    else if (st == SOL_OK) sol_free (old);
    else goto out;
    if (dir && info.update > c->updates)
      SOL_GO (sol_fail (SOL_ERR_USAGE, "resume", "train.updates is %lld, but %s is at update %lld: ask for as many or more", (long long) c->updates, dir, (long long) info.update));
    if (dir) sol_log (SOL_LOG_INFO, "run", "resuming from %s (update %lld)", dir, (long long) info.update);
    else sol_log (SOL_LOG_INFO, "run", "%s has no whole checkpoint: starting from the beginning", c->out);
  }
  if (!sol_file_exists (settings)) SOL_GO (sol_setup_lock (c->out));
  add_origin (hosts, origin, &text);
  sol_setup_data_lines (c, s, &text);
  sol_config_text (c, &text);
  SOL_GO (sol_file_write (settings, text.data, text.bytes));
  *resume_dir_p = dir;
  dir = NULL;
out:
  sol_buffer_free (&text);
  sol_free (settings);
  sol_free (dir);
  return st;
}

sol_status_t sol_setup_folder (sol_comm_t *world, const sol_config_t *config, const sol_setup_t *s, int resume, int force, const char *origin, char **resume_dir_p)
{
  char *dir = NULL, *text, *hosts;
  size_t bytes;
  sol_status_t st = SOL_OK;
  int rank = sol_comm_rank (world);
  SOL_TRY (sol_setup_hosts (world, &hosts));
  if (rank == 0) st = prepare_folder (config, s, hosts, origin, resume, force, &dir);
  sol_free (hosts);
  SOL_TRY (sol_comm_agree (world, st));
  text = rank == 0 ? dir ? dir : sol_strdup ("") : NULL; /* the others get a text of their own */
  bytes = rank == 0 ? strlen (text) + 1 : 0;
  SOL_TRY (sol_comm_bcast_text (world, &text, &bytes, 0));
  if (text[0]) *resume_dir_p = text;
  else {
    sol_free (text);
    *resume_dir_p = NULL;
  }
  if (rank == 0) {
    char *log = sol_path_join (config->out, "log.txt");
    if (sol_log_file (log)) sol_log (SOL_LOG_WARN, "run", "%s cannot be written: %s; the log goes to the terminal only", log, strerror (errno));
    sol_free (log);
  }
  return SOL_OK;
}

sol_status_t sol_setup_hosts (sol_comm_t *world, char **hosts_p)
{
  enum { NAME = 64 };
  int size = sol_comm_size (world);
  char mine[NAME] = { 0 }, *all = sol_alloc ((size_t) size * NAME);
  sol_buffer_t text = { 0 };
  sol_status_t st;
  snprintf (mine, sizeof mine, "%s", sol_comm_host ());
  SOL_GO (sol_comm_allgather (world, mine, NAME, all));
  for (int r = 0, n; r < size; r += n) { /* equal neighbours as NAME*count */
    for (n = 1; r + n < size && !strncmp (all + r * NAME, all + (r + n) * NAME, NAME); n++) {}
    sol_buffer_printf (&text, "%s%.63s", r ? "," : "", all + r * NAME);
    if (n > 1) sol_buffer_printf (&text, "*%d", n);
  }
  *hosts_p = sol_strdup (text.data);
out:
  sol_buffer_free (&text);
  sol_free (all);
  return st;
}

/* a run's folder where a model's is expected is said as that; anything else that is missing is said where it is read */
static sol_status_t check_model_folder (const char *dir)
{
  char *config = sol_path_join (dir, "config.json"), *left = sol_path_join (dir, "model/config.json");
  const int is_run = !sol_file_exists (config) && sol_file_exists (left);
  sol_free (config);
  sol_free (left);
  return is_run ? sol_fail (SOL_ERR_USAGE, "model", "%s: expected a model folder (config.json), found one of a run: its model is %s/model", dir, dir) : SOL_OK;
}

sol_status_t sol_setup_create (const sol_config_t *c, const char *model_dir, int want_task, sol_setup_t *s)
{
  sol_status_t st = SOL_OK;
  *s = (sol_setup_t){ .model_dir = model_dir ? model_dir : c->model_path[0] ? c->model_path : NULL };
  if (s->model_dir) SOL_TRY (check_model_folder (s->model_dir));
  if (want_task) {
    if (sol_task_needs_tokenizer (c)) {
      if (!s->model_dir) return sol_fail (SOL_ERR_USAGE, "model", "this task needs a tokenizer: model.path must name a model folder");
      SOL_TRY (sol_tokenizer_load (s->model_dir, &s->tokenizer));
    }
    SOL_GO (sol_task_create (c, s->tokenizer, s->model_dir, &s->task));
  }
  if (s->model_dir) SOL_GO (sol_arch_load (s->model_dir, &s->arch));
  else {
    int32_t vocab = sol_task_vocab (s->task), eos = sol_task_eos (s->task);
    SOL_GO (sol_arch_new (c, vocab, (int32_t) (c->max_prompt + c->max_new), eos, &s->arch));
  }
  if (want_task && sol_task_vocab (s->task) > s->arch.vocab)
    SOL_GO (sol_fail (SOL_ERR_USAGE, "model", "the task has %d tokens, the model %d", sol_task_vocab (s->task), s->arch.vocab));
  s->dtype = published (c, &s->arch);
  s->reference_dir = c->kl_reference == SOL_KL_MODEL ? c->kl_model : s->model_dir;
  s->reference_arch = s->arch;
  if (c->kl_reference == SOL_KL_MODEL) SOL_GO (sol_arch_load (c->kl_model, &s->reference_arch));
  s->reference_dtype = published (c, &s->reference_arch);
  s->table = sol_table_create (&s->arch);
  return SOL_OK;
out:
  sol_setup_destroy (s);
  return st;
}

/* the reference knows the policy's tokens, and its folder has its weights (also on resume) */
static sol_status_t check_reference (const sol_config_t *c, const sol_setup_t *s)
{
  const sol_arch_t *a = &s->reference_arch;
  sol_status_t st;
  if (!s->reference_dir) return SOL_OK; /* a new model's: from the seed */
  if (a->vocab != s->arch.vocab) return sol_fail (SOL_ERR_USAGE, "model", "kl.model: %s has a vocabulary of %d tokens, expected the policy's, %d", s->reference_dir, a->vocab, s->arch.vocab);
  if (c->max_prompt + c->max_new > a->context)
    return sol_fail (SOL_ERR_USAGE, "model", "rollout.max_prompt is %lld, rollout.max_tokens is %lld: expected at most %d together, the context of the reference %s", (long long) c->max_prompt, (long long) c->max_new,
                     a->context, s->reference_dir);
  sol_table_t *table = sol_table_create (a);
  st = sol_safetensors_check (s->reference_dir, table, a->tied);
  sol_table_destroy (table);
  return st;
}

sol_status_t sol_setup_check (sol_comm_t *world, const sol_config_t *c, const sol_setup_t *s, int weights)
{
  sol_status_t st = SOL_OK;
  if (sol_comm_rank (world) == 0 && s->model_dir) {
    if (c->max_prompt + c->max_new > s->arch.context)
      st = sol_fail (SOL_ERR_USAGE, "model", "rollout.max_prompt is %lld, rollout.max_tokens is %lld: expected at most %d together, the context of %s (max_position_embeddings)",
                     (long long) c->max_prompt, (long long) c->max_new, s->arch.context, s->model_dir);
    else if (weights) st = sol_safetensors_check (s->model_dir, s->table, s->arch.tied);
  }
  if (st == SOL_OK && sol_comm_rank (world) == 0 && c->kl_reference != SOL_KL_BEHAVIOUR) st = check_reference (c, s);
  if (sol_comm_rank (world) == 0 && s->task && st == SOL_OK) sol_task_say (s->task);
  return sol_comm_agree (world, st);
}

int sol_setup_resumes (const sol_config_t *c, int resume)
{
  char *latest = sol_path_join (c->out, "checkpoints/latest");
  const int there = resume && sol_file_exists (latest);
  sol_free (latest);
  return there;
}

void sol_setup_destroy (sol_setup_t *s)
{
  sol_schedule_destroy (s->trace);
  sol_record_destroy (s->record);
  s->trace = NULL;
  s->record = NULL;
  sol_table_destroy (s->table);
  sol_task_destroy (s->task);
  sol_tokenizer_destroy (s->tokenizer);
  s->schedule = NULL;
  s->tokenizer = NULL;
  s->table = NULL;
  s->task = NULL;
}

/* A device shows that its ops are right before it trains. auto then falls back to the CPU; a device that was asked for stops the run. */
sol_status_t sol_setup_backend (const sol_config_t *c, sol_backend_t **backend_p)
{
  sol_buffer_t choice = { 0 };
  char why[512];
  sol_status_t st = SOL_OK;
  sol_setting_choice (sol_setting_find ("backend.name"), c->backend, &choice);
  const char *name = choice.data;
  const int is_auto = !strcmp (name, "auto");
  if (!strcmp (name, "cuda") || (is_auto && sol_backend_can ("cuda", why, sizeof why))) {
    st = sol_selftest ("cuda", NULL, NULL);
    if (st != SOL_OK && is_auto) {
      sol_log (SOL_LOG_WARN, "backend", "cuda failed its self-test: going on with cpu");
      name = "cpu";
      st = SOL_OK;
    }
  }
  if (st == SOL_OK) st = sol_backend_create (name, (int) c->threads, NULL, backend_p);
  sol_buffer_free (&choice);
  return st;
}

sol_status_t sol_setup_learners (const sol_backend_t *b, int64_t leaves, int learners)
{
  if (sol_backend_ops (b)->caps & SOL_CAP_HOST) return SOL_OK;
  if (leaves > 0 && leaves != learners)
    return sol_fail (SOL_ERR_USAGE, "learner", "learner.leaves is %lld with %d learners, but a device sums one leaf a learner: leave it 0 (auto)", (long long) leaves, learners);
  if (learners > 1 && !sol_backend_collectives (b))
    return sol_fail (SOL_ERR_UNSUPPORTED, "learner", "%d learners on %s, which has no sums among devices (a plugin has them when it is built with NCCL; diff and check have none): expected one learner", learners, sol_backend_describe (b));
  return SOL_OK;
}

/* dir NULL: new from the seed */
static sol_status_t load_weights (const sol_config_t *c, const char *dir, const sol_table_t *table, const sol_arch_t *arch, const char *what, float **weights_p)
{
  float *w = NULL;
  sol_status_t st;
  SOL_TRY (sol_alloc_large ((size_t) table->elements * sizeof *w, what, (void **) &w));
  if (dir) SOL_GO (sol_safetensors_load (dir, table, arch->tied, w));
  else sol_table_init (table, arch, (uint64_t) c->seed, w);
  *weights_p = w;
  return SOL_OK;
out:
  sol_free (w);
  return st;
}

sol_status_t sol_setup_weights (const sol_config_t *c, const sol_setup_t *s, float **weights_p)
{
  float *w = NULL;
  if (!s->checkpoint) return load_weights (c, s->model_dir, s->table, &s->arch, "the start weights", weights_p);
  SOL_TRY (sol_alloc_large ((size_t) s->table->elements * sizeof *w, "the checkpoint's weights", (void **) &w));
  const sol_status_t st = sol_checkpoint_get (s->checkpoint, "weights", 0, s->table->elements, w);
  if (st == SOL_OK) *weights_p = w;
  else sol_free (w);
  return st;
}

sol_status_t sol_setup_reference (const sol_config_t *c, const sol_setup_t *s, sol_backend_t *backend, uint64_t *digest_p, sol_model_t **model_p)
{
  sol_table_t *table = sol_table_create (&s->reference_arch);
  sol_model_t *m = NULL;
  float *w = NULL;
  void *block = NULL;
  sol_status_t st;
  SOL_GO (load_weights (c, s->reference_dir, table, &s->reference_arch, "the reference's weights", &w));
  SOL_GO (sol_model_create (backend, &s->reference_arch, s->reference_dtype, &m));
  SOL_GO (sol_alloc_large (sol_model_bytes (m), "the reference's published weights", &block));
  sol_model_round (w, table->elements, s->reference_dtype, block);
  SOL_GO (sol_model_set (m, block));
  if (digest_p) {
    *digest_p = sol_table_digest (table, w);
    sol_log (SOL_LOG_INFO, "run", "frozen reference: %s, digest %016llx", s->reference_dir ? s->reference_dir : "new weights from the seed", (unsigned long long) *digest_p);
  }
  *model_p = m;
  m = NULL;
out:
  sol_free (w);
  sol_free (block);
  sol_model_destroy (m);
  sol_table_destroy (table);
  return st;
}

sol_status_t sol_setup_model (const sol_config_t *c, const sol_setup_t *s, sol_backend_t **backend_p, sol_model_t **model_p)
{
  float *w = NULL;
  void *block = NULL;
  sol_backend_t *b = NULL;
  sol_model_t *m = NULL;
  sol_status_t st;
  SOL_GO (sol_setup_weights (c, s, &w));
  if (s->digest) *s->digest = sol_table_digest (s->table, w);
  SOL_GO (sol_setup_backend (c, &b));
  SOL_GO (sol_model_create (b, &s->arch, s->dtype, &m));
  SOL_GO (sol_alloc_large (sol_model_bytes (m), "the published weights", &block));
  sol_model_round (w, s->table->elements, s->dtype, block);
  SOL_GO (sol_model_set (m, block));
  *backend_p = b;
  *model_p = m;
  b = NULL;
  m = NULL;
out:
  sol_free (w);
  sol_free (block);
  sol_model_destroy (m);
  if (b) sol_backend_destroy (b);
  return st;
}
