/* SPDX-License-Identifier: Apache-2.0 */
/* Training passes, forward: packed tokens, then the fused head on the rows that predict. */
#include "pass_internal.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <string.h>

static void lay_out_backward (sol_pass_t *p, sol_arena_t *a)
{
  const sol_arch_t *c = &p->m->arch;
  const int64_t T = p->max_tokens, R = p->max_rows, q = (int64_t) c->heads * c->head_size, kv = (int64_t) c->kv_heads * c->head_size;
  const sol_dtype_t act = p->m->ops->act;
  p->c_lp = sol_arena_tensor (a, SOL_F32, 1, R);
  p->c_entropy = sol_arena_tensor (a, SOL_F32, 1, R);
  p->order = sol_arena_tensor (a, SOL_I32, 1, R);
  p->into = sol_arena_tensor (a, SOL_I32, 1, R);
  p->d_head = sol_arena_tensor (a, act, R, c->width);
  p->d_ordered = sol_arena_tensor (a, act, R, c->width);
  p->dx = sol_arena_tensor (a, act, T, c->width);
  p->dh = sol_arena_tensor (a, act, T, c->width);
  p->dq = sol_arena_tensor (a, act, T, q);
  p->d_o = sol_arena_tensor (a, act, T, q); /* attention's output gradient, later the one before q norm */
  p->dk = sol_arena_tensor (a, act, T, kv);
  p->dv = sol_arena_tensor (a, act, T, kv);
  if (c->qk_norm) p->dk_raw = sol_arena_tensor (a, act, T, kv);
  p->dgate = sol_arena_tensor (a, act, T, c->mlp);
  p->dup = sol_arena_tensor (a, act, T, c->mlp);
  p->ds = sol_arena_tensor (a, act, T, c->mlp);
}

static void lay_out (sol_pass_t *p, sol_arena_t *a)
{
  const sol_arch_t *c = &p->m->arch;
  const int64_t T = p->max_tokens, R = p->max_rows;
  const sol_dtype_t act = p->m->ops->act;
  for (int l = 0; l < c->layers; l++) {
    if (p->backward || l == 0)
      sol_acts_take (p->m, a, T, p->backward, &p->acts[l]);
    else
      p->acts[l] = p->acts[0];
  }
  p->last = p->backward ? sol_arena_tensor (a, act, T, c->width) : p->acts[0].x;
  p->ids = sol_arena_tensor (a, SOL_I32, 1, T);
  p->pos = sol_arena_tensor (a, SOL_I32, 1, T);
  p->spans = sol_arena_tensor (a, SOL_I32, p->max_spans, 6);
  p->rows = sol_arena_tensor (a, SOL_I32, 1, R);
  p->targets = sol_arena_tensor (a, SOL_I32, 1, R);
  p->h = sol_arena_tensor (a, act, T, c->width);
  p->s = sol_arena_tensor (a, act, T, c->mlp);
  p->head_x = sol_arena_tensor (a, act, R, c->width);
  p->head_h = sol_arena_tensor (a, act, R, c->width);
  p->head_inv = sol_arena_tensor (a, SOL_F32, 1, R);
  p->partial = sol_arena_tensor (a, SOL_F32, R, 4);
  p->one = sol_arena_tensor (a, SOL_F32, R, 4); /* partials at temperature 1 */
  p->lp = sol_arena_tensor (a, SOL_F32, 1, R);
  p->entropy = sol_arena_tensor (a, SOL_F32, 1, R);
  p->scratch = sol_arena_tensor (a, SOL_F32, R, p->m->ops->head_scratch (R, c->vocab, c->width));
  p->logits = sol_arena_tensor (a, SOL_F32, 1, c->vocab);
  if (p->backward) lay_out_backward (p, a);
}

/* base NULL: measures */
static void lay_out_host (sol_pass_t *p, sol_arena_t *a)
{
  const size_t T = (size_t) p->max_tokens, R = (size_t) p->max_rows;
  int32_t **tokens[] = { &p->host_ids, &p->host_pos }, **rows[] = { &p->host_rows, &p->host_targets }, **own[] = { &p->host_order, &p->host_into };
  float **values[] = { &p->host_lp, &p->host_entropy, &p->host_raw }, **coefficients[] = { &p->host_c_lp, &p->host_c_entropy };
  const int device = sol_backend_is_device (p->m->backend);
  for (int i = 0; i < 2 && p->backward; i++) *own[i] = sol_arena_take (a, R * sizeof (int32_t));
  if (!device) return;
  for (int i = 0; i < 2; i++) *tokens[i] = sol_arena_take (a, T * sizeof (int32_t));
  for (int i = 0; i < 2; i++) *rows[i] = sol_arena_take (a, R * sizeof (int32_t));
  p->host_spans = sol_arena_take (a, (size_t) p->max_spans * sizeof *p->host_spans);
  for (int i = 0; i < 3; i++) *values[i] = sol_arena_take (a, R * sizeof (float));
  for (int i = 0; i < 2 && p->backward; i++) *coefficients[i] = sol_arena_take (a, R * sizeof (float));
  p->host_logits = sol_arena_take (a, (size_t) p->m->arch.vocab * sizeof (float));
}

size_t sol_pass_pinned (const sol_model_t *model, int32_t max_tokens, int32_t max_rows, int32_t max_spans, int backward)
{
  sol_pass_t p = { .m = (sol_model_t *) (uintptr_t) model, .max_tokens = max_tokens, .max_rows = max_rows, .max_spans = max_spans, .backward = backward };
  sol_arena_t measure = { 0 };
  lay_out_host (&p, &measure);
  return measure.peak;
}

size_t sol_pass_bytes (const sol_model_t *model, int32_t max_tokens, int32_t max_rows, int32_t max_spans, int backward)
{
  sol_pass_t p = {
    .m = (sol_model_t *) (uintptr_t) model, .max_tokens = max_tokens, .max_rows = max_rows, .max_spans = max_spans, .backward = backward
  };
  sol_arena_t measure = { 0 };
  p.acts = sol_alloc ((size_t) model->arch.layers * sizeof *p.acts);
  lay_out (&p, &measure);
  sol_free (p.acts);
  return measure.peak;
}

static sol_status_t take_pinned (sol_pass_t *p)
{
  const size_t bytes = sol_pass_pinned (p->m, p->max_tokens, p->max_rows, p->max_spans, p->backward);
  void *mem;
  if (bytes == 0) return SOL_OK;
  SOL_TRY (sol_backend_pin (p->m->backend, bytes, "the columns of a pass", &mem));
  p->pinned = (sol_arena_t){ .base = mem, .room = bytes };
  lay_out_host (p, &p->pinned);
  return SOL_OK;
}

sol_status_t sol_pass_create (sol_model_t *model, int32_t max_tokens, int32_t max_rows, int32_t max_spans, int backward,
                              sol_pass_t **pass_p)
{
  sol_pass_t *p = sol_alloc (sizeof *p);
  sol_status_t st;
  SOL_ASSERT (max_tokens > 0 && max_rows > 0 && max_spans > 0);
  p->m = model;
  p->max_tokens = max_tokens;
  p->max_rows = max_rows;
  p->max_spans = max_spans;
  p->backward = !!backward;
  p->acts = sol_alloc ((size_t) model->arch.layers * sizeof *p->acts);
  if (backward) {
    p->count = sol_alloc ((size_t) max_tokens * sizeof (int32_t));
    p->occurrence = sol_alloc ((size_t) max_rows * sizeof (int32_t));
    p->round_end = sol_alloc (((size_t) max_rows + 1) * sizeof (int32_t));
  }
  SOL_GO (sol_arena_create (model->backend, sol_pass_bytes (model, max_tokens, max_rows, max_spans, backward), "activations", &p->arena));
  lay_out (p, &p->arena);
  SOL_GO (take_pinned (p));
  *pass_p = p;
  return SOL_OK;
out:
  sol_pass_destroy (p);
  return st;
}

void sol_pass_destroy (sol_pass_t *p)
{
  if (!p) return;
  if (p->arena.base) sol_arena_destroy (p->m->backend, &p->arena);
  sol_backend_unpin (p->m->backend, p->pinned.base, p->pinned.room);
  void *all[] = { p->acts, p->count, p->occurrence, p->round_end, p };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) sol_free (all[i]);
}

/* ids and positions come from records and files; the rest is the caller's own arithmetic */
static sol_status_t check (const sol_pass_t *p, const sol_batch_t *b)
{
  const sol_arch_t *c = &p->m->arch;
  SOL_ASSERT (b->n_tokens <= p->max_tokens && b->n_rows <= p->max_rows && b->n_spans <= p->max_spans);
  for (int32_t i = 0; i < b->n_tokens; i++) {
    if (b->ids[i] < 0 || b->ids[i] >= c->vocab)
      return sol_fail (SOL_ERR_FORMAT, "model", "row %d: expected a token id under %d, found %d", i, c->vocab, b->ids[i]);
    if (b->pos[i] < 0 || b->pos[i] >= c->context)
      return sol_fail (SOL_ERR_LIMIT, "model", "row %d: expected a position under %d, the model's context, found %d", i, c->context,
                       b->pos[i]);
  }
  for (int32_t i = 0; i < b->n_rows; i++) {
    SOL_ASSERT (b->rows[i] >= 0 && b->rows[i] < b->n_tokens);
    if (b->targets[i] < 0 || b->targets[i] >= c->vocab)
      return sol_fail (SOL_ERR_FORMAT, "model", "target %d: expected a token id under %d, found %d", i, c->vocab, b->targets[i]);
  }
  return SOL_OK;
}

void sol_pass_put (sol_pass_t *p, sol_tensor_t to, void *pinned, const void *from, size_t bytes)
{
  if (pinned) memcpy (pinned, from, bytes);
  p->m->ops->put (p->m->queue, to.at, pinned ? pinned : from, bytes);
}

static void upload (sol_pass_t *p, const sol_batch_t *b)
{
  const size_t tokens = (size_t) b->n_tokens * sizeof (int32_t), rows = (size_t) b->n_rows * sizeof (int32_t);
  sol_pass_put (p, p->ids, p->host_ids, b->ids, tokens);
  sol_pass_put (p, p->pos, p->host_pos, b->pos, tokens);
  sol_pass_put (p, p->spans, p->host_spans, b->spans, (size_t) b->n_spans * sizeof *b->spans);
  if (b->n_rows == 0) return;
  sol_pass_put (p, p->rows, p->host_rows, b->rows, rows);
  sol_pass_put (p, p->targets, p->host_targets, b->targets, rows);
}

/* n numbers on their way to `to`, or into pinned memory, whence `arrive` takes them after sync */
static void get (const sol_pass_t *p, float *to, float *pinned, sol_tensor_t from, int64_t n) { p->m->ops->get (p->m->queue, pinned ? pinned : to, from.at, (size_t) n * sizeof *to); }
static void arrive (float *to, const float *pinned, int64_t n)
{
  if (to && pinned) memcpy (to, pinned, (size_t) n * sizeof *to);
}

static void head (sol_pass_t *p, float *lp, float *entropy, float *raw_lp)
{
  const sol_model_t *m = p->m;
  const sol_ops_t *ops = m->ops;
  const int64_t n = p->n_rows;
  const sol_tensor_t x = sol_tensor_rows (p->head_x, 0, n), h = sol_tensor_rows (p->head_h, 0, n),
                     partial = sol_tensor_rows (p->partial, 0, n), one = sol_tensor_rows (p->one, 0, n),
                     targets = sol_first (p->targets, n), scratch = sol_tensor_rows (p->scratch, 0, n), out_lp = sol_first (p->lp, n),
                     out_entropy = sol_first (p->entropy, n);
  ops->gather (m->queue, sol_tensor_rows (p->last, 0, p->n_tokens), sol_first (p->rows, n), x);
  ops->rmsnorm (m->queue, x, m->norm, m->arch.norm_eps, h, sol_first (p->head_inv, n));
  const int raw = raw_lp && p->inv_temp != 1;
  ops->head_partial (m->queue, h, &m->head, targets, p->inv_temp, scratch, sol_no_tensor, partial, raw ? one : sol_no_tensor);
  if (raw) {
    ops->head_finish (m->queue, one, out_lp, out_entropy);
    get (p, raw_lp, p->host_raw, out_lp, n);
  }
  ops->head_finish (m->queue, partial, out_lp, out_entropy);
  get (p, lp, p->host_lp, out_lp, n);
  get (p, entropy, p->host_entropy, out_entropy, n);
}

sol_status_t sol_pass_forward (sol_pass_t *p, const sol_batch_t *b, float temperature, float *lp, float *entropy, float *raw_lp)
{
  const sol_model_t *m = p->m;
  const int32_t layers = m->arch.layers;
  SOL_TRY (check (p, b));
  p->n_tokens = b->n_tokens;
  p->n_rows = b->n_rows;
  p->inv_temp = 1 / temperature;
  if (b->n_tokens == 0) return SOL_OK;
  upload (p, b);
  p->run = (sol_run_t){ .model = m,
                        .n = b->n_tokens,
                        .pos = sol_first (p->pos, b->n_tokens),
                        .spans = sol_tensor_rows (p->spans, 0, b->n_spans),
                        .host_spans = b->spans,
                        .n_spans = b->n_spans,
                        .h = p->h,
                        .s = p->s };
  m->ops->embed (m->queue, sol_first (p->ids, b->n_tokens), m->embed, sol_tensor_rows (p->acts[0].x, 0, b->n_tokens));
  for (int l = 0; l < layers; l++) {
    const sol_acts_t *a = &p->acts[l];
    sol_layer_qkv (&p->run, &m->layer[l], a);
    sol_layer_rest (&p->run, &m->layer[l], a, sol_tensor_rows (a->k, 0, b->n_tokens), sol_tensor_rows (a->v, 0, b->n_tokens),
                    l + 1 < layers ? p->acts[l + 1].x : p->last);
  }
  if (b->n_rows > 0) head (p, lp, entropy, raw_lp);
  SOL_TRY (m->ops->sync (m->queue));
  arrive (lp, p->host_lp, b->n_rows);
  arrive (entropy, p->host_entropy, b->n_rows);
  if (p->inv_temp != 1) arrive (raw_lp, p->host_raw, b->n_rows);
  if (raw_lp && p->inv_temp == 1) memcpy (raw_lp, lp, (size_t) b->n_rows * sizeof *lp);
  return SOL_OK;
}

sol_status_t sol_pass_logits (sol_pass_t *p, int32_t row, float *logits)
{
  const sol_model_t *m = p->m;
  SOL_ASSERT (row >= 0 && row < p->n_rows);
  m->ops->head_partial (m->queue, sol_tensor_rows (p->head_h, row, 1), &m->head, sol_no_tensor, 1, sol_tensor_rows (p->scratch, 0, 1),
                        p->logits, sol_tensor_rows (p->one, 0, 1), sol_no_tensor);
  get (p, logits, p->host_logits, p->logits, m->arch.vocab);
  SOL_TRY (m->ops->sync (m->queue));
  arrive (logits, p->host_logits, m->arch.vocab);
  return SOL_OK;
}
