/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/sft.h"
#include "optimizer.h"
#include "segment.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <string.h>

typedef struct { sol_ids_t prompt, response; } demo_t;
struct sol_sft {
  sol_sft_params_t p;
  sol_optimizer_t *opt;
  sol_pass_t *pass;
  sol_packer_t packer;
  demo_t *demo;          /* [batch] */
  int32_t *len, *leaf;   /* [batch] */
  float *lp, *entropy, *c_lp; /* [cap_tokens] */
  int32_t cap_tokens;
  sol_prompt_t prompt;
};

/* tokens of a pass */
static int32_t cap_of (const sol_config_t *c)
{
  const int64_t longest = c->max_prompt + c->max_new, worst = c->sft_batch * longest, cap = worst < c->micro_batch_tokens ? worst : c->micro_batch_tokens;
  return (int32_t) (cap < longest ? longest : cap);
}

void sol_sft_need (const sol_config_t *c, const sol_model_t *model, int rank, int size, sol_needs_t *need)
{
  const int32_t cap = cap_of (c);
  const int device = sol_backend_is_device (sol_model_backend (model));
  sol_optimizer_need (model, c->leaves, rank, size, need);
  sol_need_add (device ? &need->device : &need->host, SOL_NEED_ACTIVATIONS, sol_pass_bytes (model, cap, cap, cap, 1));
  sol_need_pin (&need->host, SOL_NEED_BATCH, sol_pass_pinned (model, cap, cap, cap, 1), device);
  sol_need_add (&need->host, SOL_NEED_BATCH, sol_packer_bytes (cap, cap, cap) + (uint64_t) cap * 3 * sizeof (float) + (uint64_t) c->sft_batch * (uint64_t) (c->max_prompt + c->max_new) * 4);
}

sol_status_t sol_sft_create (const sol_sft_params_t *params, sol_sft_t **sft_p)
{
  const sol_config_t *c = params->config;
  sol_sft_t *s = sol_alloc (sizeof *s);
  sol_status_t st;
  s->p = *params;
  s->demo = sol_alloc ((size_t) c->sft_batch * sizeof *s->demo);
  s->len = sol_alloc ((size_t) c->sft_batch * sizeof *s->len);
  s->leaf = sol_alloc ((size_t) c->sft_batch * sizeof *s->leaf);
  s->cap_tokens = cap_of (c);
  s->lp = sol_alloc ((size_t) s->cap_tokens * sizeof *s->lp);
  s->entropy = sol_alloc ((size_t) s->cap_tokens * sizeof *s->entropy);
  s->c_lp = sol_alloc ((size_t) s->cap_tokens * sizeof *s->c_lp);
  st = sol_packer_create (&s->packer, s->cap_tokens, s->cap_tokens, s->cap_tokens);
  SOL_GO (sol_comm_agree (params->comm, st));
  SOL_GO (sol_optimizer_create (params->model, params->comm, c->leaves, params->weights, &s->opt));
  if (params->resume_dir) {
    sol_checkpoint_t info;
    SOL_GO (sol_checkpoint_open (params->resume_dir, &info, NULL));
    SOL_GO (sol_optimizer_load (s->opt, params->resume_dir, &info));
  }
  st = sol_pass_create (params->model, s->cap_tokens, s->cap_tokens, s->cap_tokens, 1, &s->pass);
  SOL_GO (sol_comm_agree (params->comm, st));
  *sft_p = s;
  return SOL_OK;
out:
  sol_sft_destroy (s);
  return st;
}

void sol_sft_destroy (sol_sft_t *s)
{
  if (!s) return;
  for (int64_t i = 0; i < s->p.config->sft_batch; i++) {
    sol_ids_free (&s->demo[i].prompt);
    sol_ids_free (&s->demo[i].response);
  }
  sol_prompt_free (&s->prompt);
  sol_pass_destroy (s->pass);
  sol_packer_destroy (&s->packer);
  sol_optimizer_destroy (s->opt);
  void *all[] = { s->demo, s->len, s->leaf, s->lp, s->entropy, s->c_lp, s };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) sol_free (all[i]);
}

static sol_status_t make_demos (sol_sft_t *s, int64_t *tokens_p)
{
  const sol_config_t *c = s->p.config;
  int64_t tokens = 0;
  for (int64_t i = 0; i < c->sft_batch; i++) {
    demo_t *d = &s->demo[i];
    d->prompt.n = d->response.n = 0;
    SOL_TRY (sol_task_demo (s->p.task, SOL_SPLIT_TRAIN, (uint64_t) (s->opt->step * c->sft_batch + i), c->sft_noise, &s->prompt, &d->response));
    for (int32_t t = 0; t < s->prompt.ids.n; t++) sol_ids_add (&d->prompt, s->prompt.ids.data[t]);
    SOL_TRY (sol_task_fits (s->p.task, SOL_SPLIT_TRAIN, &s->prompt, sol_model_arch (s->p.model)->context));
    if (d->response.n < 1 || d->response.n > c->max_new)
      return sol_fail (SOL_ERR_LIMIT, "sft", "prompt %llu: a demonstration of %d tokens: expected 1 to %lld (rollout.max_tokens)", (unsigned long long) s->prompt.index, d->response.n,
                       (long long) c->max_new);
    tokens += s->len[i] = d->response.n;
  }
  *tokens_p = tokens;
  return SOL_OK;
}

/* demonstrations [i, return value) of one leaf fit into a pass */
static int64_t micro_end (const sol_sft_t *s, int64_t i)
{
  int64_t rows = 0, e = i;
  for (; e < s->p.config->sft_batch && s->leaf[e] == s->leaf[i]; e++) {
    rows += s->demo[e].prompt.n + s->demo[e].response.n - 1;
    if (rows > s->cap_tokens && e > i) break;
  }
  return e;
}

static void layer_done (void *s, int layer) { sol_optimizer_layer (((sol_sft_t *) s)->opt, layer); }

static sol_status_t micro (sol_sft_t *s, int64_t i, int64_t e, float c_lp, float *grad, double *nll)
{
  const int last = e == s->p.config->sft_batch || s->leaf[e] != s->leaf[i];
  sol_packer_clear (&s->packer);
  for (; i < e; i++) {
    const demo_t *d = &s->demo[i];
    sol_rollout_t g = { .n_responses = 1, .n_prompt = d->prompt.n, .prompt = d->prompt.data, .ids = d->response.data, .len = &s->len[i] };
    sol_segment_t seg = { .n = 1, .rows = d->prompt.n + d->response.n - 1, .n_tokens = d->response.n };
    sol_packer_add (&s->packer, &seg, &g);
  }
  SOL_TRY (sol_pass_forward (s->pass, &s->packer.batch, 1.0f, s->lp, s->entropy, NULL));
  for (int32_t t = 0; t < s->packer.batch.n_rows; t++) {
    *nll -= (double) s->lp[t];
    s->c_lp[t] = c_lp;
  }
  return sol_pass_backward (s->pass, &s->packer.batch, s->c_lp, NULL, grad, last ? layer_done : NULL, s);
}

sol_status_t sol_sft_step (sol_sft_t *s, double *loss_p, double *norm_p)
{
  const sol_config_t *c = s->p.config;
  int rank = sol_comm_rank (s->p.comm);
  int64_t tokens = 0, i = 0;
  double nll = 0;
  sol_status_t st;
  if (s->opt->step >= c->updates) return SOL_END;
  st = make_demos (s, &tokens);
  SOL_TRY (sol_comm_agree (s->p.comm, st));
  sol_leaf_assign (s->len, c->sft_batch, s->opt->n_leaves, s->leaf);
  while (i < c->sft_batch && s->leaf[i] < s->opt->first_of[rank]) i++;
  for (int leaf = s->opt->first_of[rank]; leaf < s->opt->first_of[rank + 1]; leaf++) {
    float *grad = sol_optimizer_leaf (s->opt);
    while (st == SOL_OK && i < c->sft_batch && s->leaf[i] == leaf) {
      int64_t e = micro_end (s, i);
      st = micro (s, i, e, -1.0f / (float) tokens, grad, &nll);
      i = e;
    }
    sol_grad_fold (s->p.model, grad);
    if (st == SOL_OK) st = sol_optimizer_push (s->opt);
  }
  SOL_TRY (sol_comm_agree (s->p.comm, st));
  SOL_TRY (sol_comm_sum_f64 (s->p.comm, &nll, 1));
  SOL_TRY (sol_optimizer_step (s->opt, (sol_adamw_t){ .lr = sol_config_lr (c, s->opt->step), .beta1 = c->beta1, .beta2 = c->beta2, .eps = c->adam_eps, .decay = c->weight_decay },
                               c->grad_clip, s->opt->step, norm_p));
  *loss_p = nll / (double) tokens;
  return SOL_OK;
}

int64_t sol_sft_update (const sol_sft_t *s) { return s->opt->step; }

sol_status_t sol_sft_save (sol_sft_t *s)
{
  sol_checkpoint_writer_t *w;
  sol_checkpoint_t info = { .update = s->opt->step, .step = s->opt->step, .elements = s->opt->elements };
  float *master;
  sol_status_t st;
  SOL_TRY (sol_checkpoint_begin (s->p.config->out, s->opt->step, s->opt->elements, s->p.comm, &w));
  sol_optimizer_save (s->opt, w); /* the writer remembers a failure of this rank: commit, which is collective, ends with it on all */
  st = sol_optimizer_master (s->opt, &master);
  if (st != SOL_OK) {
    sol_checkpoint_drop (w);
    return st;
  }
  info.weight_digest = sol_table_digest (sol_model_table (s->p.model), master);
  sol_free (master);
  return sol_checkpoint_commit (w, &info, s->p.settings, (int) s->p.config->ckpt_keep);
}

sol_status_t sol_sft_master (const sol_sft_t *s, float **master_p) { return sol_optimizer_master (s->opt, master_p); }
