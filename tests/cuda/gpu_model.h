/* SPDX-License-Identifier: Apache-2.0 */
/* gpu_model.h: a model of given shapes, packed tokens, and a training step on one device: the program's own model, pass and optimizer calls, without files and ranks. */
#ifndef SOL_TESTS_GPU_MODEL_H
#define SOL_TESTS_GPU_MODEL_H
#include "gpu.h"
#include "solera/decoder.h"
#include "solera/model.h"

typedef struct { const char *name, *family; int32_t layers, width, heads, kv, head, mlp, vocab; int tied; } preset_t;
static const preset_t TINY = { "tiny qwen2", "qwen2", 2, 128, 2, 1, 64, 192, 1500, 1 };
static const preset_t TINY_QK = { "tiny qwen3", "qwen3", 2, 96, 4, 2, 128, 160, 1100, 0 };
static const preset_t QWEN[] = { { "Qwen2.5-0.5B", "qwen2", 24, 896, 14, 2, 64, 4864, 151936, 1 },
                                 { "Qwen2.5-1.5B", "qwen2", 28, 1536, 12, 2, 128, 8960, 151936, 1 },
                                 { "Qwen2.5-7B", "qwen2", 28, 3584, 28, 4, 128, 18944, 152064, 0 } };
/* what stands for them on emu */
static const preset_t SMALL[] = { { "0.5B in small", "qwen2", 2, 64, 2, 1, 32, 96, 1200, 1 }, { "1.5B in small", "qwen2", 2, 64, 2, 1, 64, 112, 1200, 1 }, { "7B in small", "qwen2", 2, 96, 3, 1, 32, 128, 1100, 0 } };
enum { HALF, ONE_HALF, SEVEN };
static inline preset_t preset (int i) { return gpu.small ? SMALL[i] : QWEN[i]; }

static inline sol_arch_t arch_of (preset_t p, int32_t layers)
{
  sol_arch_t a = { .layers = layers, .width = p.width, .heads = p.heads, .kv_heads = p.kv, .head_size = p.head, .mlp = p.mlp, .vocab = p.vocab, .context = 4096, .norm_eps = 1e-6f, .rope_theta = 1e6,
                   .qkv_bias = !strcmp (p.family, "qwen2"), .qk_norm = !strcmp (p.family, "qwen3"), .tied = p.tied, .dtype = SOL_BF16, .bos = -1 };
  snprintf (a.family, sizeof a.family, "%s", p.family);
  return a;
}

/* weights of standard deviation 0.02, norms 1, the last one 4 so that distributions are not flat: made on the device, since drawing 7e9 numbers on the host takes minutes */
static inline sol_status_t model_make (sol_backend_t *b, preset_t p, int32_t layers, sol_model_t **model_p)
{
  const sol_arch_t a = arch_of (p, layers);
  const sol_ops_t *ops = sol_backend_ops (b);
  sol_queue_t *q = sol_backend_queue (b, SOL_QUEUE_COMPUTE);
  SOL_TRY (sol_model_create (b, &a, SOL_BF16, model_p));
  const sol_table_t *t = sol_model_table (*model_p);
  char *block = sol_model_block (*model_p);
  uint16_t *norm = sol_alloc ((size_t) a.width * 2 + (size_t) a.head_size * 2);
  if (b == gpu.backend) gpu_fill (block, SOL_BF16, t->elements);
  else { /* another backend gets the same numbers by way of the host */
    uint16_t *h = sol_alloc ((size_t) noise_n () * 2);
    gpu_need (sol_ferry_get (gpu.ferry, h, gpu.noise, (size_t) noise_n () * 2), "get");
    for (int64_t i = 0; i < t->elements; i += noise_n ())
      gpu_need (sol_ferry_put (sol_model_ferry (*model_p), block + 2 * i, h, (size_t) (t->elements - i < noise_n () ? t->elements - i : noise_n ()) * 2), "put");
    sol_free (h);
  }
  for (int i = 0; i < t->n; i++) {
    const sol_weight_row_t *r = &t->row[i];
    if (!r->vector || !strstr (r->name, "norm")) continue;
    for (int64_t k = 0; k < r->cols; k++) norm[k] = strcmp (r->name, "model.norm.weight") ? 0x3f80 : 0x4080;
    gpu_need (sol_ferry_put (sol_model_ferry (*model_p), block + 2 * r->offset, norm, (size_t) r->cols * 2), "put");
  }
  sol_model_install (*model_p);
  sol_free (norm);
  return ops->sync (q);
}
/* parameters of matrices that take part in products: all but an embedding that is looked up */
static inline double matrix_elements (const sol_model_t *m)
{
  double n = 0;
  const sol_table_t *t = sol_model_table (m);
  for (int i = 0; i < t->n; i++)
    if (!t->row[i].vector && (sol_model_arch (m)->tied || strcmp (t->row[i].name, "model.embed_tokens.weight"))) n += (double) t->row[i].rows * (double) t->row[i].cols;
  return n;
}

/* ---- packed tokens: groups of a prompt and its responses, as the learner packs them */
typedef struct {
  sol_batch_t b;
  int32_t *ids, *pos, *rows, *targets;
  sol_span_t *spans;
  float *lp, *entropy, *c_lp, *c_entropy;
  double pairs; /* keys seen by all queries together */
} pack_t;
static inline pack_t *pack_make (int32_t tokens, int32_t rows, int32_t spans)
{
  pack_t *p = sol_alloc (sizeof *p);
  int32_t **of_tokens[] = { &p->ids, &p->pos }, **of_rows[] = { &p->rows, &p->targets };
  float **floats[] = { &p->lp, &p->entropy, &p->c_lp, &p->c_entropy };
  for (int i = 0; i < 2; i++) *of_tokens[i] = sol_alloc ((size_t) tokens * 4), *of_rows[i] = sol_alloc ((size_t) rows * 4);
  for (int i = 0; i < 4; i++) *floats[i] = sol_alloc ((size_t) rows * 4);
  p->spans = sol_alloc ((size_t) spans * sizeof *p->spans);
  p->b = (sol_batch_t){ .ids = p->ids, .pos = p->pos, .spans = p->spans, .rows = p->rows, .targets = p->targets };
  return p;
}
static inline void pack_free (pack_t *p)
{
  void *all[] = { p->ids, p->pos, p->rows, p->targets, p->spans, p->lp, p->entropy, p->c_lp, p->c_entropy, p };
  for (int i = 0; i < 10; i++) sol_free (all[i]);
}
/* n tokens behind a shared prompt of n_a rows (0: none) at a_row; returns their first row */
static inline int32_t pack_run (pack_t *p, const int32_t *ids, int32_t n, int32_t a_row, int32_t n_a)
{
  const int32_t row = p->b.n_tokens;
  for (int32_t i = 0; i < n; i++) p->ids[row + i] = ids[i], p->pos[row + i] = n_a + i, p->pairs += n_a + i + 1;
  p->spans[p->b.n_spans++] = (sol_span_t){ row, n, a_row, n_a, row, n };
  p->b.n_tokens += n;
  return row;
}
static inline void pack_group (pack_t *p, const int32_t *prompt, int32_t n_prompt, int32_t samples, const int32_t *ids, int32_t stride, const int32_t *len)
{
  const int32_t first = pack_run (p, prompt, n_prompt, 0, 0);
  for (int32_t s = 0; s < samples; s++) {
    const int32_t row = len[s] > 1 ? pack_run (p, ids + s * stride, len[s] - 1, first, n_prompt) : 0;
    for (int32_t t = 0; t < len[s]; t++) {
      p->rows[p->b.n_rows] = t ? row + t - 1 : first + n_prompt - 1;
      p->targets[p->b.n_rows++] = ids[s * stride + t];
    }
  }
}
/* groups of drawn tokens; responses of `longest` tokens, or of ragged lengths up to it */
static inline pack_t *pack_drawn (int32_t vocab, int32_t groups, int32_t n_prompt, int32_t samples, int32_t longest, int ragged)
{
  const int32_t most = groups * samples * longest;
  pack_t *p = pack_make (groups * n_prompt + most, most, groups * (samples + 1));
  int32_t *prompt = sol_alloc ((size_t) n_prompt * 4), *ids = sol_alloc ((size_t) (samples * longest) * 4), *len = sol_alloc ((size_t) samples * 4);
  uint64_t u = 1234567;
  for (int32_t g = 0; g < groups; g++) {
    for (int32_t i = 0; i < n_prompt + samples * longest; i++) {
      u = u * 6364136223846793005u + 1442695040888963407u;
      *(i < n_prompt ? prompt + i : ids + i - n_prompt) = (int32_t) ((u >> 33) % (uint64_t) vocab);
    }
    for (int32_t s = 0; s < samples; s++) len[s] = ragged ? 1 + (s * 7 + g * 3 + longest - 1) % longest : longest;
    pack_group (p, prompt, n_prompt, samples, ids, longest, len);
  }
  for (int32_t i = 0; i < p->b.n_rows; i++) p->c_lp[i] = -1.0f / (float) p->b.n_rows, p->c_entropy[i] = 0.01f / (float) p->b.n_rows;
  sol_free (prompt), sol_free (ids), sol_free (len);
  return p;
}

/* ---- training on one device: master and moments in its memory, weights rounded from the master */
typedef struct {
  sol_backend_t *backend;
  const sol_ops_t *ops;
  sol_queue_t *queue;
  sol_model_t *model;
  sol_pass_t *pass;
  float *grad, *w, *m, *v;
  void *partial;
  double *squares; /* on the host, pinned */
  int64_t n, step;
  double loss, norm;
} trainer_t;
static inline sol_status_t trainer_make (sol_model_t *model, const pack_t *p, trainer_t *t)
{
  sol_backend_t *b = sol_model_backend (model);
  *t = (trainer_t){ .backend = b, .ops = sol_backend_ops (b), .queue = sol_backend_queue (b, SOL_QUEUE_COMPUTE), .model = model, .n = sol_model_table (model)->elements };
  const size_t chunks = (size_t) (t->n / SOL_SUMSQ_CHUNK + 1), bytes[] = { (size_t) sol_grad_elements (model) * 4, (size_t) t->n * 4, (size_t) t->n * 4, (size_t) t->n * 4, chunks * 8 };
  void *mem[5] = { NULL };
  sol_status_t st = sol_pass_create (model, p->b.n_tokens, p->b.n_rows, p->b.n_spans, 1, &t->pass);
  for (int i = 0; i < 5 && st == SOL_OK; i++) st = t->ops->alloc (b, bytes[i] + 64, "the optimizer", &mem[i]);
  t->grad = mem[0], t->w = mem[1], t->m = mem[2], t->v = mem[3], t->partial = mem[4];
  void *squares = NULL;
  if (st == SOL_OK) st = sol_backend_pin (b, chunks * 8, "sums of squares", &squares);
  t->squares = squares;
  if (st == SOL_OK) t->ops->round (t->queue, sol_tensor (sol_model_block (model), SOL_BF16, 1, t->n), sol_tensor (t->w, SOL_F32, 1, t->n));
  return st;
}
static inline void trainer_free (trainer_t *t)
{
  void *mem[] = { t->grad, t->w, t->m, t->v, t->partial };
  for (int i = 0; i < 5; i++)
    if (mem[i]) t->ops->free (t->backend, mem[i]);
  sol_pass_destroy (t->pass);
  sol_backend_unpin (t->backend, t->squares, (size_t) (t->n / SOL_SUMSQ_CHUNK + 1) * 8);
}
/* device memory of a model with (training) its master, moments, gradient and the activations of a pass of these sizes */
static inline double bytes_of (preset_t p, int32_t layers, const pack_t *pack)
{
  const sol_arch_t a = arch_of (p, layers);
  sol_model_t *m = sol_model_measure (gpu.backend, &a, SOL_BF16);
  double bytes = (double) sol_model_need (m);
  if (pack) bytes += 12.0 * (double) sol_model_table (m)->elements + 4.0 * (double) sol_grad_elements (m) + (double) sol_pass_bytes (m, pack->b.n_tokens, pack->b.n_rows, pack->b.n_spans, 1);
  sol_model_destroy (m);
  return bytes;
}
static inline sol_status_t trainer_step (trainer_t *t, pack_t *p, double lr)
{
  const int64_t chunks = (t->n + SOL_SUMSQ_CHUNK - 1) / SOL_SUMSQ_CHUNK;
  double sum = 0;
  SOL_TRY (sol_pass_forward (t->pass, &p->b, 1, p->lp, p->entropy, NULL));
  t->ops->zero (t->queue, t->grad, (size_t) sol_grad_elements (t->model) * 4);
  SOL_TRY (sol_pass_backward (t->pass, &p->b, p->c_lp, p->c_entropy, t->grad, NULL, NULL));
  sol_grad_fold (t->model, t->grad);
  t->ops->sumsq (t->queue, sol_tensor (t->grad, SOL_F32, 1, t->n), sol_tensor (t->partial, SOL_F64, 1, chunks));
  t->ops->get (t->queue, t->squares, t->partial, (size_t) chunks * 8);
  SOL_TRY (t->ops->sync (t->queue));
  for (int64_t i = 0; i < chunks; i++) sum += t->squares[i];
  t->norm = sqrt (sum);
  sol_adamw_step (t->model, (sol_adamw_t){ lr, 0.9, 0.95, 1e-8, 0.01, t->norm > 1 ? 1 / t->norm : 1, ++t->step }, 0, t->n, t->grad, t->w, t->m, t->v);
  t->ops->round (t->queue, sol_tensor (t->w, SOL_F32, 1, t->n), sol_tensor (sol_model_block (t->model), SOL_BF16, 1, t->n));
  sol_model_install (t->model);
  SOL_TRY (t->ops->sync (t->queue));
  t->loss = 0;
  for (int32_t i = 0; i < p->b.n_rows; i++) t->loss -= (double) p->lp[i] / p->b.n_rows;
  return SOL_OK;
}

/* ---- decoding: `groups` prompts of other tokens each, `samples` responses each, of exactly n_new tokens, put and ready to step */
static inline sol_decoder_t *decoder_make (sol_model_t *m, int32_t slots, int32_t n_prompt, int32_t n_new, int32_t groups, int32_t samples)
{
  const sol_decoder_params_t dp = { .slots = slots, .max_prompt = n_prompt, .max_new = n_new, .temperature = 1, .top_p = 1, .seed = 5, .purpose = SOL_RANDOM_SAMPLE };
  sol_decoder_t *d = NULL;
  int32_t *prompt = sol_alloc ((size_t) n_prompt * 4);
  gpu_need (sol_decoder_create (m, &dp, &d), "a decoder");
  for (int32_t g = 0; g < groups; g++) {
    for (int32_t i = 0; i < n_prompt; i++) prompt[i] = (int32_t) ((uint32_t) (g * 7919 + i * 104729) % (uint32_t) sol_model_arch (m)->vocab);
    gpu_need (sol_decoder_put (d, (uint64_t) g, 0, prompt, n_prompt, samples, n_new), "a group for the decoder");
  }
  sol_free (prompt);
  return d;
}
#endif
