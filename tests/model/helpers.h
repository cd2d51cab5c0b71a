/* SPDX-License-Identifier: Apache-2.0 */
/* helpers.h: small models of all kinds with random weights, groups packed as the learner packs them. */
#ifndef TEST_MODEL_HELPERS_H
#define TEST_MODEL_HELPERS_H
#include "../tap.h"
#include "solera/decoder.h"
#include "solera/model.h"
#include <string.h>

/* the shapes of the six tiny models, and of the demonstration task's */
enum { SHAPES = 7 };
static inline sol_arch_t shape (int i)
{
  static const struct {
    const char *name, *family;
    int32_t layers, width, heads, kv, head, mlp, vocab;
    int tied, llama3;
  } t[SHAPES] = { { "llama-gqa", "llama", 2, 64, 4, 2, 16, 112, 320, 0, 0 }, { "llama3-rope", "llama", 3, 64, 4, 1, 16, 96, 320, 0, 1 },
                  { "qwen2", "qwen2", 2, 64, 4, 2, 16, 96, 331, 1, 0 },      { "qwen2.5", "qwen2", 3, 64, 8, 2, 8, 80, 320, 0, 0 },
                  { "qwen3", "qwen3", 2, 64, 4, 2, 32, 96, 331, 1, 0 },      { "smollm", "llama", 2, 48, 3, 1, 16, 128, 320, 1, 0 },
                  { "chain", "llama", 2, 64, 4, 4, 16, 170, 19, 0, 0 } };
  sol_arch_t a = { .layers = t[i].layers,
                   .width = t[i].width,
                   .heads = t[i].heads,
                   .kv_heads = t[i].kv,
                   .head_size = t[i].head,
                   .mlp = t[i].mlp,
                   .vocab = t[i].vocab,
                   .context = 256,
                   .norm_eps = 1e-5f,
                   .rope_theta = 10000,
                   .tied = t[i].tied,
                   .bos = -1,
                   .qkv_bias = !strcmp (t[i].family, "qwen2"),
                   .qk_norm = !strcmp (t[i].family, "qwen3") };
  snprintf (a.family, sizeof a.family, "%s", t[i].family);
  if (t[i].llama3) {
    a.rope_kind = SOL_ROPE_LLAMA3;
    a.rope_factor = 8, a.rope_low = 1, a.rope_high = 4, a.rope_original = 64;
  }
  return a;
}
static inline const char *shape_name (int i)
{
  static const char *const name[SHAPES] = { "llama-gqa", "llama3-rope", "qwen2", "qwen2.5", "qwen3", "smollm", "chain" };
  return name[i];
}

/* weights large enough that distributions are far from flat, norms and biases not trivial */
static inline float *random_weights (const sol_arch_t *a, uint64_t seed)
{
  sol_table_t *t = sol_table_create (a);
  float *w = sol_alloc ((size_t) t->elements * sizeof *w);
  sol_table_init (t, a, seed, w);
  for (int i = 0; i < t->n; i++) {
    const sol_weight_row_t *r = &t->row[i];
    for (int64_t k = 0; k < r->rows * r->cols; k++) {
      const double z = sol_random_normal (sol_random (seed, (uint64_t) i, SOL_RANDOM_TEST, 0, (uint32_t) k));
      if (r->vector)
        w[r->offset + k] += (float) (0.2 * z);
      else if (!strcmp (r->name, "model.embed_tokens.weight"))
        w[r->offset + k] = (float) (0.3 * z);
      else
        w[r->offset + k] *= 1.5f;
    }
  }
  sol_table_destroy (t);
  return w;
}

static inline sol_model_t *model_of (sol_backend_t *b, const sol_arch_t *a, sol_dtype_t dtype, const float *w)
{
  sol_model_t *m = NULL;
  need (sol_model_create (b, a, dtype, &m) == SOL_OK);
  void *block = sol_alloc (sol_model_bytes (m));
  sol_model_round (w, sol_model_table (m)->elements, dtype, block);
  need (sol_model_set (m, block) == SOL_OK);
  sol_free (block);
  return m;
}

static inline sol_backend_t *backend_of (const char *name, int threads)
{
  sol_backend_t *b = NULL;
  need (sol_backend_create (name, threads, NULL, &b) == SOL_OK);
  return b;
}

/* a group of responses, kept by value */
typedef struct {
  int32_t n_prompt, n_samples, stride, prompt[64], len[16];
  uint8_t finish[16];
  int32_t ids[16 * 40];
  float lp[16 * 40], raw_lp[16 * 40], entropy[16 * 40];
  int64_t version[16 * 40];
  uint64_t group, tag;
} kept_t;

enum { PACK_TOKENS = 4096, PACK_ROWS = 4096, PACK_SPANS = 1024 };
typedef struct {
  int32_t ids[PACK_TOKENS], pos[PACK_TOKENS], rows[PACK_ROWS], targets[PACK_ROWS];
  sol_span_t spans[PACK_SPANS];
  sol_batch_t b;
} pack_t;
static inline void pack_clear (pack_t *p)
{
  p->b = (sol_batch_t){ .ids = p->ids, .pos = p->pos, .spans = p->spans, .rows = p->rows, .targets = p->targets };
}
static inline int32_t pack_run (pack_t *p, const int32_t *ids, int32_t n, int32_t pos0, int32_t a_row, int32_t n_a)
{
  const int32_t row = p->b.n_tokens;
  need (row + n <= PACK_TOKENS && p->b.n_spans < PACK_SPANS);
  for (int32_t i = 0; i < n; i++) {
    p->ids[row + i] = ids[i];
    p->pos[row + i] = pos0 + i;
  }
  p->spans[p->b.n_spans++] = (sol_span_t){ row, n, a_row, n_a, row, n };
  p->b.n_tokens += n;
  return row;
}
/* responses [first, first + n): the prompt once, each response but its last token behind it; a head row for each token */
static inline void pack_group (pack_t *p, const kept_t *g, int32_t first, int32_t n)
{
  const int32_t prompt = pack_run (p, g->prompt, g->n_prompt, 0, 0, 0);
  for (int32_t s = first; s < first + n; s++) {
    const int32_t *ids = g->ids + s * g->stride;
    const int32_t row = g->len[s] > 1 ? pack_run (p, ids, g->len[s] - 1, g->n_prompt, prompt, g->n_prompt) : 0;
    for (int32_t t = 0; t < g->len[s]; t++) {
      p->rows[p->b.n_rows] = t ? row + t - 1 : prompt + g->n_prompt - 1;
      p->targets[p->b.n_rows++] = ids[t];
    }
  }
}
/* the same response as one sequence of its own, nothing shared */
static inline void pack_alone (pack_t *p, const kept_t *g, int32_t s)
{
  int32_t all[128], n = g->n_prompt;
  memcpy (all, g->prompt, (size_t) n * 4);
  for (int32_t t = 0; t + 1 < g->len[s]; t++) all[n++] = g->ids[s * g->stride + t];
  const int32_t row = pack_run (p, all, n, 0, 0, 0);
  for (int32_t t = 0; t < g->len[s]; t++) {
    p->rows[p->b.n_rows] = row + g->n_prompt - 1 + t;
    p->targets[p->b.n_rows++] = g->ids[s * g->stride + t];
  }
}

static inline uint32_t below (uint64_t group, uint32_t i, uint32_t n)
{
  return (uint32_t) sol_random_below (sol_random (77, group, SOL_RANDOM_TEST, 1, i), n);
}
/* a group that no model made */
static inline kept_t random_group (const sol_arch_t *a, uint64_t seed, int32_t n_prompt, int32_t n_samples, int32_t longest)
{
  kept_t g = { .n_prompt = n_prompt, .n_samples = n_samples, .stride = 40 };
  for (int32_t i = 0; i < n_prompt; i++) g.prompt[i] = (int32_t) below (seed, (uint32_t) i, (uint32_t) a->vocab);
  for (int32_t s = 0; s < n_samples; s++) {
    g.len[s] = 1 + (int32_t) below (seed + 1000, (uint32_t) s, (uint32_t) longest);
    for (int32_t t = 0; t < g.len[s]; t++) g.ids[s * 40 + t] = (int32_t) below (seed + 2000, (uint32_t) (s * 40 + t), (uint32_t) a->vocab);
  }
  return g;
}
#endif
