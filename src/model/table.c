/* SPDX-License-Identifier: Apache-2.0 */
/* The weight table: every tensor of the canonical block, under Hugging Face's names, in the order of the layers. */
#include "solera/hash.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/model.h"
#include "solera/random.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define ROWS_OF_LAYER 14 /* at most */

typedef struct {
  sol_table_t *table;
  int layer; /* -1: outside the layers */
} cut_t;

static void add (cut_t c, const char *name, int64_t rows, int64_t cols, sol_shard_t shard)
{
  sol_table_t *t = c.table;
  sol_weight_row_t *r = &t->row[t->n++];
  r->offset = t->elements;
  r->rows = rows ? rows : 1;
  r->cols = cols;
  r->vector = !rows;
  r->decay = !!rows;
  r->shard = shard;
  if (c.layer < 0)
    snprintf (r->name, sizeof r->name, "%s", name);
  else
    snprintf (r->name, sizeof r->name, "model.layers.%d.%s", c.layer, name);
  t->elements += r->rows * cols;
}
static void add_vector (cut_t c, const char *name, int64_t n, sol_shard_t shard) { add (c, name, 0, n, shard); }

static void add_layer (cut_t c, const sol_arch_t *a)
{
  const int64_t q = (int64_t) a->heads * a->head_size, kv = (int64_t) a->kv_heads * a->head_size;
  add_vector (c, "input_layernorm.weight", a->width, SOL_SHARD_NONE);
  add (c, "self_attn.q_proj.weight", q, a->width, SOL_SHARD_ROWS);
  add (c, "self_attn.k_proj.weight", kv, a->width, SOL_SHARD_ROWS);
  add (c, "self_attn.v_proj.weight", kv, a->width, SOL_SHARD_ROWS);
  if (a->qkv_bias) { /* a bias is cut where its matrix's rows are: along its only axis */
    add_vector (c, "self_attn.q_proj.bias", q, SOL_SHARD_COLS);
    add_vector (c, "self_attn.k_proj.bias", kv, SOL_SHARD_COLS);
    add_vector (c, "self_attn.v_proj.bias", kv, SOL_SHARD_COLS);
  }
  if (a->qk_norm) {
    add_vector (c, "self_attn.q_norm.weight", a->head_size, SOL_SHARD_NONE);
    add_vector (c, "self_attn.k_norm.weight", a->head_size, SOL_SHARD_NONE);
  }
  add (c, "self_attn.o_proj.weight", a->width, q, SOL_SHARD_COLS);
  add_vector (c, "post_attention_layernorm.weight", a->width, SOL_SHARD_NONE);
  add (c, "mlp.gate_proj.weight", a->mlp, a->width, SOL_SHARD_ROWS);
  add (c, "mlp.up_proj.weight", a->mlp, a->width, SOL_SHARD_ROWS);
  add (c, "mlp.down_proj.weight", a->width, a->mlp, SOL_SHARD_COLS);
}

sol_table_t *sol_table_create (const sol_arch_t *a)
{
  sol_table_t *t = sol_alloc (sizeof *t);
  t->row = sol_alloc ((size_t) (3 + a->layers * ROWS_OF_LAYER) * sizeof *t->row);
  add ((cut_t){ t, -1 }, "model.embed_tokens.weight", a->vocab, a->width, SOL_SHARD_ROWS);
  for (int l = 0; l < a->layers; l++) add_layer ((cut_t){ t, l }, a);
  add_vector ((cut_t){ t, -1 }, "model.norm.weight", a->width, SOL_SHARD_NONE);
  if (!a->tied) add ((cut_t){ t, -1 }, "lm_head.weight", a->vocab, a->width, SOL_SHARD_ROWS);
  return t;
}

void sol_table_destroy (sol_table_t *t)
{
  if (!t) return;
  sol_free (t->row);
  sol_free (t);
}

const sol_weight_row_t *sol_table_find (const sol_table_t *t, const char *name)
{
  for (int i = 0; i < t->n; i++)
    if (!strcmp (t->row[i].name, name)) return &t->row[i];
  return NULL;
}

static int ends_with (const char *s, const char *tail)
{
  const size_t n = strlen (s), k = strlen (tail);
  return n >= k && !strcmp (s + n - k, tail);
}

void sol_table_init (const sol_table_t *t, const sol_arch_t *a, uint64_t seed, float *block)
{
  for (int i = 0; i < t->n; i++) {
    const sol_weight_row_t *r = &t->row[i];
    const int64_t n = r->rows * r->cols;
    float *w = block + r->offset;
    double sd = 1 / sqrt ((double) r->cols);
    if (r->vector) {
      for (int64_t k = 0; k < n; k++) w[k] = ends_with (r->name, ".bias") ? 0 : 1;
      continue;
    }
    if (ends_with (r->name, "embed_tokens.weight")) sd = 0.02;
    if (ends_with (r->name, "o_proj.weight") || ends_with (r->name, "down_proj.weight")) sd /= sqrt (2.0 * a->layers);
    for (int64_t k = 0; k < n; k++)
      w[k] = (float) (sd * sol_random_normal (sol_random (seed, (uint64_t) i, SOL_RANDOM_INIT, (uint32_t) (k >> 32), (uint32_t) k)));
  }
}

uint64_t sol_table_digest (const sol_table_t *t, const float *block)
{
  uint64_t *hash = sol_alloc ((size_t) t->n * sizeof *hash), all;
  for (int i = 0; i < t->n; i++) hash[i] = sol_hash (block + t->row[i].offset, (size_t) (t->row[i].rows * t->row[i].cols) * sizeof *block);
  all = sol_hash (hash, (size_t) t->n * sizeof *hash);
  sol_free (hash);
  return all;
}
