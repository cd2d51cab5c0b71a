/* SPDX-License-Identifier: Apache-2.0 */
/* The keys ARCHITECTURE.* and the names of tensors as llama.cpp's converter writes them. */
#include "gguf_model.h"
#include "solera/elementary.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define ROOM "gguf"
#define SIZE_MOST (1 << 24)

typedef struct {
  const sol_gguf_t *g;
  char arch[32], key[96];
} keys_t;

/* "llama.block_count" until the next call */
static const char *key (keys_t *k, const char *name)
{
  snprintf (k->key, sizeof k->key, "%s.%s", k->arch, name);
  return k->key;
}

static sol_status_t size (keys_t *k, const char *name, int64_t absent, int32_t *x_p)
{
  int64_t x;
  SOL_TRY (sol_gguf_int (k->g, key (k, name), absent == 0, 1, SIZE_MOST, absent, &x));
  *x_p = (int32_t) x;
  return SOL_OK;
}

static sol_status_t unsupported (keys_t *k, const char *name, const char *expected, double found)
{
  return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: key %s: expected %s, found %.9g", k->g->path, key (k, name), expected, found);
}

static sol_status_t load_family (keys_t *k, sol_arch_t *a)
{
  static const char *const names[] = { "llama", "qwen2", "qwen3" };
  sol_gguf_text_t text;
  SOL_TRY (sol_gguf_string (k->g, "general.architecture", 1, &text));
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (sol_gguf_text_is (text, names[i])) {
      snprintf (k->arch, sizeof k->arch, "%s", names[i]);
      snprintf (a->family, sizeof a->family, "%s", names[i]);
      a->qkv_bias = i == 1;
      a->qk_norm = i == 2;
      return SOL_OK;
    }
  return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: key general.architecture: expected llama, qwen2 or qwen3, found %.*s", k->g->path, (int) (text.bytes < 60 ? text.bytes : 60), text.at);
}

/* the embedding's shape decides; a head makes the model untied */
static sol_status_t load_vocab (keys_t *k, sol_arch_t *a)
{
  const sol_gguf_tensor_t *t = sol_gguf_tensor (k->g, "token_embd.weight");
  int64_t said;
  if (!t) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: tensor token_embd.weight: expected, found in no place of the file", k->g->path);
  if (t->rows > SIZE_MOST) return sol_fail (SOL_ERR_LIMIT, ROOM, "%s: tensor token_embd.weight: expected at most %d rows, found %" PRId64, k->g->path, SIZE_MOST, t->rows);
  SOL_TRY (sol_gguf_int (k->g, key (k, "vocab_size"), 0, 1, SIZE_MOST, t->rows, &said));
  if (said != t->rows) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: key %s: expected the %" PRId64 " rows of token_embd.weight, found %" PRId64, k->g->path, key (k, "vocab_size"), t->rows, said);
  a->vocab = (int32_t) t->rows;
  a->tied = !sol_gguf_tensor (k->g, "output.weight");
  return SOL_OK;
}

static sol_status_t load_sizes (keys_t *k, sol_arch_t *a)
{
  int32_t v, rotary;
  double eps;
  SOL_TRY (load_vocab (k, a));
  SOL_TRY (size (k, "block_count", 0, &a->layers));
  SOL_TRY (size (k, "embedding_length", 0, &a->width));
  SOL_TRY (size (k, "feed_forward_length", 0, &a->mlp));
  SOL_TRY (size (k, "context_length", 0, &a->context));
  SOL_TRY (size (k, "attention.head_count", 0, &a->heads));
  SOL_TRY (size (k, "attention.head_count_kv", a->heads, &a->kv_heads));
  if (a->layers > 4096) return unsupported (k, "block_count", "at most 4096", a->layers);
  if (a->heads % a->kv_heads) return unsupported (k, "attention.head_count_kv", "a divisor of attention.head_count", a->kv_heads);
  if (!sol_gguf_find (k->g, key (k, "attention.key_length")) && a->width % a->heads) return unsupported (k, "embedding_length", "a multiple of attention.head_count", a->width);
  SOL_TRY (size (k, "attention.key_length", a->width / a->heads > 0 ? a->width / a->heads : 1, &a->head_size));
  SOL_TRY (size (k, "attention.value_length", a->head_size, &v));
  SOL_TRY (size (k, "rope.dimension_count", a->head_size, &rotary));
  if (a->head_size % 2 || a->head_size > 1024) return unsupported (k, "attention.key_length", "an even size of a head up to 1024", a->head_size);
  if (v != a->head_size) return unsupported (k, "attention.value_length", "attention.key_length", v);
  if (rotary != a->head_size) return unsupported (k, "rope.dimension_count", "the size of a head", rotary);
  if ((int64_t) a->heads * a->head_size > SIZE_MOST) return unsupported (k, "attention.head_count", "heads x head size up to 16777216", a->heads);
  SOL_TRY (sol_gguf_double (k->g, key (k, "attention.layer_norm_rms_epsilon"), 1, 0, &eps));
  if (!(eps > 0)) return unsupported (k, "attention.layer_norm_rms_epsilon", "more than 0", eps);
  a->norm_eps = (float) eps;
  return SOL_OK;
}

/* keys that change the mathematics, and the only value that is built */
static sol_status_t refuse_unsupported (keys_t *k, const sol_arch_t *a)
{
  static const struct { const char *name; double value; const char *expected; } only[] = {
    { "expert_count", 0, "none (a mixture of experts is not supported)" }, { "expert_used_count", 0, "none (a mixture of experts is not supported)" },
    { "logit_scale", 1, "1" }, { "residual_scale", 1, "1" }, { "embedding_scale", 1, "1" }, { "rope.scaling.attn_factor", 1, "1" }, { "rope.scaling.yarn_log_multiplier", 0, "0" },
    { "rope.scaling.yarn_ext_factor", 1, "1" }, { "rope.scaling.yarn_attn_factor", 1, "1" }, { "rope.scaling.yarn_beta_fast", 32, "32" }, { "rope.scaling.yarn_beta_slow", 1, "1" },
    { "attn_logit_softcapping", 0, "0" }, { "final_logit_softcapping", 0, "0" }, { "rope.scale_linear", 1, "1 (rope.scaling.type says what is scaled)" },
  };
  double x;
  for (size_t i = 0; i < sizeof only / sizeof *only; i++) {
    SOL_TRY (sol_gguf_double (k->g, key (k, only[i].name), 0, only[i].value, &x));
    if (x != only[i].value) return unsupported (k, only[i].name, only[i].expected, x);
  }
  SOL_TRY (sol_gguf_double (k->g, key (k, "attention.scale"), 0, 0, &x));
  if (x != 0 && fabs (x * sqrt (a->head_size) - 1) > 1e-6) return unsupported (k, "attention.scale", "1 over the root of the size of a head", x);
  SOL_TRY (sol_gguf_double (k->g, key (k, "attention.sliding_window"), 0, 0, &x));
  return x > 0 && x < a->context ? unsupported (k, "attention.sliding_window", "none, or no less than context_length", x) : SOL_OK;
}

static double frequency (const sol_arch_t *a, int i) { return pow (a->rope_theta, -2.0 * i / a->head_size); }

/* what llama3 scaling divides the frequency of pair i by */
static double llama3_factor (const sol_arch_t *a, int i)
{
  const double turns = a->rope_original * frequency (a, i) / 6.283185307179586;
  if (turns > a->rope_high) return 1;
  if (turns < a->rope_low) return a->rope_factor;
  const double blend = (turns - a->rope_low) / (a->rope_high - a->rope_low);
  return 1 / ((1 - blend) / a->rope_factor + blend);
}

/* The factors of llama3 scaling stand in a tensor, without the numbers that made them. Low and high are 1 and 4 in every release; the original length follows from a factor in between, and all factors must
 * then come out. */
static sol_status_t load_freqs (keys_t *k, const sol_gguf_tensor_t *t, sol_arch_t *a)
{
  const int half = a->head_size / 2;
  if (t->type != SOL_GGUF_T_F32 || t->rows != 1 || t->cols != half)
    return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: tensor rope_freqs.weight: expected %d values of F32, found %" PRId64 " x %" PRId64 " of %s", k->g->path, half, t->rows, t->cols, sol_gguf_type_name (t->type));
  float factor[512];
  sol_gguf_decode (t->type, t->data, half, factor);
  a->rope_factor = factor[half - 1];
  a->rope_low = 1;
  a->rope_high = 4;
  a->rope_original = 8192;
  for (int i = 0; i < half; i++)
    if (factor[i] > 1 && factor[i] < a->rope_factor) {
      const double blend = (1 / (double) factor[i] - 1 / a->rope_factor) / (1 - 1 / a->rope_factor);
      a->rope_original = round ((a->rope_low + blend * (a->rope_high - a->rope_low)) * 6.283185307179586 / frequency (a, i));
      break;
    }
  for (int i = 0; i < half; i++) {
    const double want = llama3_factor (a, i);
    if (!(fabs (factor[i] - want) < 1e-4 * want))
      return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: tensor rope_freqs.weight: expected the factors of llama3 scaling (low 1, high 4), found %.9g for pair %d in the place of %.9g", k->g->path, (double) factor[i], i, want);
  }
  a->rope_kind = a->rope_factor > 1 ? SOL_ROPE_LLAMA3 : SOL_ROPE_PLAIN;
  return SOL_OK;
}

static sol_status_t load_rope (keys_t *k, sol_arch_t *a)
{
  sol_gguf_tensor_t *freqs = sol_gguf_tensor (k->g, "rope_freqs.weight");
  sol_gguf_text_t type;
  double original;
  a->rope_scale = 1;
  SOL_TRY (sol_gguf_double (k->g, key (k, "rope.freq_base"), 0, 10000, &a->rope_theta));
  if (!(a->rope_theta > 1)) return unsupported (k, "rope.freq_base", "more than 1", a->rope_theta);
  SOL_TRY (sol_gguf_string (k->g, key (k, "rope.scaling.type"), 0, &type));
  if (freqs) {
    freqs->used = 1;
    return load_freqs (k, freqs, a);
  }
  if (!type.at || sol_gguf_text_is (type, "none")) return SOL_OK;
  SOL_TRY (sol_gguf_double (k->g, key (k, "rope.scaling.factor"), 1, 0, &a->rope_factor));
  if (!(a->rope_factor > 0)) return unsupported (k, "rope.scaling.factor", "more than 0", a->rope_factor);
  a->rope_kind = SOL_ROPE_LINEAR;
  if (sol_gguf_text_is (type, "linear")) return SOL_OK;
  if (!sol_gguf_text_is (type, "yarn"))
    return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: key %s: expected none, linear or yarn, found %.*s", k->g->path, key (k, "rope.scaling.type"), (int) (type.bytes < 60 ? type.bytes : 60), type.at);
  SOL_TRY (sol_gguf_double (k->g, key (k, "rope.scaling.original_context_length"), 0, a->context, &original));
  if (!(original >= 1)) return unsupported (k, "rope.scaling.original_context_length", "at least 1", original);
  a->rope_kind = SOL_ROPE_YARN;
  a->rope_original = original;
  a->rope_low = 1;
  a->rope_high = 32;
  a->rope_scale = a->rope_factor > 1 ? 0.1 * sol_log_exact (a->rope_factor) + 1 : 1;
  return SOL_OK;
}

static sol_status_t load_token (keys_t *k, const char *name, const sol_arch_t *a, int32_t *id_p)
{
  int64_t id;
  SOL_TRY (sol_gguf_int (k->g, name, 0, 0, a->vocab - 1, -1, &id));
  *id_p = (int32_t) id;
  return SOL_OK;
}

/* a turn may end otherwise than a text: eot, eom */
static sol_status_t load_ends (keys_t *k, sol_arch_t *a)
{
  static const char *const ends[] = { "tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id" };
  SOL_TRY (load_token (k, "tokenizer.ggml.bos_token_id", a, &a->bos));
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    int32_t id, n = 0;
    SOL_TRY (load_token (k, ends[i], a, &id));
    while (n < a->n_eos && a->eos[n] != id) n++;
    if (id >= 0 && n == a->n_eos) a->eos[a->n_eos++] = id;
  }
  return SOL_OK;
}

sol_status_t sol_gguf_arch (const sol_gguf_t *g, sol_arch_t *arch_p)
{
  keys_t k = { .g = g };
  sol_arch_t a = { .bos = -1, .eos = { -1, -1, -1, -1, -1, -1, -1, -1 } };
  SOL_TRY (load_family (&k, &a));
  SOL_TRY (load_sizes (&k, &a));
  SOL_TRY (refuse_unsupported (&k, &a));
  SOL_TRY (load_rope (&k, &a));
  SOL_TRY (load_ends (&k, &a));
  *arch_p = a;
  return SOL_OK;
}

int sol_gguf_interleaved (const sol_arch_t *a) { return !strcmp (a->family, "llama"); }

/* ---- tensors */

/* "model.layers.3.self_attn.q_proj.weight" -> "blk.3.attn_q.weight" */
static void gguf_name (const char *name, char *out, size_t room)
{
  static const char *const whole[][2] = { { "model.embed_tokens.weight", "token_embd.weight" }, { "model.norm.weight", "output_norm.weight" }, { "lm_head.weight", "output.weight" } };
  static const char *const part[][2] = { { "input_layernorm", "attn_norm" },      { "self_attn.q_proj", "attn_q" },           { "self_attn.k_proj", "attn_k" },      { "self_attn.v_proj", "attn_v" },
                                         { "self_attn.o_proj", "attn_output" },   { "self_attn.q_norm", "attn_q_norm" },      { "self_attn.k_norm", "attn_k_norm" }, { "post_attention_layernorm", "ffn_norm" },
                                         { "mlp.gate_proj", "ffn_gate" },         { "mlp.up_proj", "ffn_up" },                { "mlp.down_proj", "ffn_down" } };
  int layer, at = 0;
  for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
    if (!strcmp (name, whole[i][0])) {
      snprintf (out, room, "%s", whole[i][1]);
      return;
    }
  SOL_ASSERT (sscanf (name, "model.layers.%d.%n", &layer, &at) == 1 && at > 0);
  size_t i = 0, n = 0;
  for (; i < sizeof part / sizeof *part; i++) {
    n = strlen (part[i][0]);
    if (!strncmp (name + at, part[i][0], n) && name[at + (int) n] == '.') break;
  }
  SOL_ASSERT (i < sizeof part / sizeof *part); /* every row of a model's table has a name in GGUF */
  snprintf (out, room, "blk.%d.%s%s", layer, part[i][1], name + at + n);
}

sol_status_t sol_gguf_match (const sol_gguf_t *g, const sol_table_t *table, const sol_gguf_tensor_t **source)
{
  char name[96];
  for (int i = 0; i < table->n; i++) {
    const sol_weight_row_t *r = &table->row[i];
    gguf_name (r->name, name, sizeof name);
    sol_gguf_tensor_t *t = sol_gguf_tensor (g, name);
    if (!t) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: tensor %s: expected by general.architecture, found in no place of the file", g->path, name);
    if (t->n_dims != (r->vector ? 1 : 2) || t->rows != (r->vector ? 1 : r->rows) || t->cols != r->cols)
      return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: tensor %s: expected %s%" PRId64 " x %" PRId64 " (rows x columns), found %s%" PRId64 " x %" PRId64, g->path, name, r->vector ? "a vector, " : "",
                       r->vector ? 1 : r->rows, r->cols, t->n_dims == 1 ? "a vector, " : "", t->rows, t->cols);
    t->used = 1;
    source[i] = t;
  }
  for (int i = 0; i < g->n_tensors; i++)
    if (!g->tensor[i].used) return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: tensor %s: expected the tensors of general.architecture only, found one more", g->path, g->tensor[i].name);
  return SOL_OK;
}
