/* SPDX-License-Identifier: Apache-2.0 */
/* selftest.c: two small models that between them use every op, on the backend "diff:NAME". */
#include "solera/selftest.h"
#include "solera/decoder.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/model.h"
#include "solera/random.h"
#include <stdio.h>

enum { PROMPT = 70, RESPONSES = 3, LENGTH = 5, ROWS = RESPONSES * LENGTH, TOKENS = PROMPT + RESPONSES * (LENGTH - 1), SPANS = RESPONSES + 1 };

/* kind 0: q/k norm, tied, head size 64; 1: biases, a head of its own, head size 128. Several tiles and a ragged one; two blocks of vocabulary (on a device two parts of one). */
static sol_arch_t arch_of (int kind)
{
  sol_arch_t a = { .family = "selftest", .layers = 1, .width = 96, .heads = 2, .kv_heads = 1, .head_size = kind ? 128 : 64, .mlp = 136, .vocab = SOL_HEAD_BLOCK + 70, .context = 128,
                   .norm_eps = 1e-5f, .rope_theta = 10000, .bos = -1, .tied = !kind, .qk_norm = !kind, .qkv_bias = kind };
  return a;
}

static sol_status_t set_weights (sol_model_t *m)
{
  const sol_table_t *t = sol_model_table (m);
  float *w = sol_alloc ((size_t) t->elements * sizeof *w);
  char *block = sol_alloc (sol_model_bytes (m));
  sol_status_t st;
  sol_table_init (t, sol_model_arch (m), 3, w);
  for (int64_t i = 0; i < t->elements; i++) w[i] += 0.05f * (float) sol_random_normal (sol_random (4, (uint64_t) i, SOL_RANDOM_TEST, 0, 0));
  sol_model_round (w, t->elements, sol_model_dtype (m), block);
  st = sol_model_set (m, block);
  sol_free (w);
  sol_free (block);
  return st;
}

/* one prompt, three responses that share it */
static void make_batch (const sol_arch_t *a, int32_t *ids, int32_t *pos, int32_t *rows, int32_t *targets, sol_span_t *spans, sol_batch_t *b)
{
  int32_t n = PROMPT, r = 0;
  for (int32_t i = 0; i < TOKENS; i++) ids[i] = (int32_t) sol_random_below (sol_random (5, (uint64_t) i, SOL_RANDOM_TEST, 0, 0), (uint64_t) a->vocab);
  for (int32_t i = 0; i < PROMPT; i++) pos[i] = i;
  spans[0] = (sol_span_t){ 0, PROMPT, 0, 0, 0, PROMPT };
  for (int32_t s = 0; s < RESPONSES; s++, n += LENGTH - 1) {
    spans[s + 1] = (sol_span_t){ n, LENGTH - 1, 0, PROMPT, n, LENGTH - 1 };
    for (int32_t t = 0; t < LENGTH; t++, r++) {
      if (t + 1 < LENGTH) pos[n + t] = PROMPT + t;
      rows[r] = t == 0 ? PROMPT - 1 : n + t - 1;
      targets[r] = (int32_t) (((int64_t) r * 397) % a->vocab);
    }
  }
  *b = (sol_batch_t){ .n_tokens = TOKENS, .n_rows = ROWS, .n_spans = SPANS, .ids = ids, .pos = pos, .rows = rows, .targets = targets, .spans = spans };
}

static sol_status_t train (sol_model_t *m)
{
  static const float scale[ROWS] = { 0.5f, -0.25f, 1, 0, -1, 0.5f, -0.25f, 1, 0, -1, 0.5f, -0.25f, 1, 0, -1 }; /* some rows idle */
  sol_backend_t *b = sol_model_backend (m);
  const sol_ops_t *ops = sol_backend_ops (b);
  sol_queue_t *q = sol_backend_queue (b, SOL_QUEUE_COMPUTE);
  int32_t ids[TOKENS], pos[TOKENS], rows[ROWS], targets[ROWS];
  sol_span_t spans[SPANS];
  sol_batch_t batch;
  sol_pass_t *pass = NULL;
  float lp[ROWS], entropy[ROWS], raw[ROWS];
  const int64_t n = sol_grad_elements (m), elements = sol_model_table (m)->elements, chunks = (elements + SOL_SUMSQ_CHUNK - 1) / SOL_SUMSQ_CHUNK;
  void *mem[5] = { NULL };
  sol_status_t st;
  make_batch (sol_model_arch (m), ids, pos, rows, targets, spans, &batch);
  SOL_GO (sol_pass_create (m, TOKENS, ROWS, SPANS, 1, &pass));
  for (int i = 0; i < 4; i++) SOL_GO (ops->alloc (b, (size_t) n * sizeof (float) + 64, "a self-test", &mem[i]));
  SOL_GO (ops->alloc (b, (size_t) chunks * sizeof (double) + 64, "a self-test", &mem[4]));
  SOL_GO (sol_pass_forward (pass, &batch, 0.8f, lp, entropy, raw));
  SOL_GO (sol_pass_backward (pass, &batch, scale, scale, mem[0], NULL, NULL));
  sol_grad_fold (m, mem[0]);
  ops->sumsq (q, sol_tensor (mem[0], SOL_F32, 1, elements), sol_tensor (mem[4], SOL_F64, 1, chunks));
  sol_adamw_step (m, (sol_adamw_t){ .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .decay = 0.1, .scale = 0.5, .step = 1 }, 0, elements, mem[0], mem[1], mem[2], mem[3]);
  ops->round (q, sol_tensor (mem[1], SOL_F32, 1, elements), sol_tensor (sol_model_block (m), sol_model_dtype (m), 1, elements));
  st = ops->sync (q);
out:
  sol_pass_destroy (pass);
  for (int i = 0; i < 5; i++)
    if (mem[i]) ops->free (b, mem[i]);
  return st;
}

/* kind 0: the whole distribution, 1: top-k and top-p, 2: greedy */
static sol_status_t decode (sol_model_t *m, int kind)
{
  const sol_decoder_params_t p = { .slots = 4, .max_prompt = PROMPT, .max_new = 4, .temperature = kind ? 1.0f : 0.8f, .top_p = kind == 1 ? 0.9 : 1, .top_k = kind == 1 ? 50 : 0,
                                   .greedy = kind == 2, .seed = 6, .purpose = SOL_RANDOM_TEST };
  int32_t prompt[PROMPT];
  sol_decoder_t *d = NULL;
  sol_status_t st;
  for (int i = 0; i < PROMPT; i++) prompt[i] = (i * 31 + kind) % sol_model_arch (m)->vocab;
  SOL_GO (sol_decoder_create (m, &p, &d));
  SOL_GO (sol_decoder_put (d, 1, 1, prompt, PROMPT, 3, 4));
  SOL_GO (sol_decoder_put (d, 2, 2, prompt, 5, 2, 3));
  while (sol_decoder_running (d) > 0) SOL_GO (sol_decoder_step (d));
  st = SOL_OK;
out:
  sol_decoder_destroy (d);
  return st;
}

sol_status_t sol_selftest (const char *backend, void (*each) (void *ctx, const sol_op_seen_t *seen), void *ctx)
{
  char name[64];
  sol_backend_t *b = NULL;
  sol_status_t st = SOL_OK;
  snprintf (name, sizeof name, "diff:%s", backend);
  SOL_TRY (sol_backend_create (name, 1, NULL, &b));
  for (int kind = 0; kind < 2 && st == SOL_OK; kind++) {
    const sol_arch_t arch = arch_of (kind);
    sol_model_t *m = NULL;
    st = sol_model_create (b, &arch, SOL_BF16, &m);
    if (st == SOL_OK) st = set_weights (m);
    for (int how = 0; how < 3 && st == SOL_OK; how++) st = decode (m, how);
    if (st == SOL_OK) st = train (m);
    sol_model_destroy (m);
  }
  const sol_op_seen_t *s;
  for (int i = 0; each && (s = sol_backend_seen (b, i)); i++) each (ctx, s);
  sol_backend_destroy (b);
  return st;
}
