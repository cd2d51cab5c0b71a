/* SPDX-License-Identifier: Apache-2.0 */
/* gguf_make.h: a small writer of GGUF files, from nothing but the format's description, and GGUF files of the tiny models. */
#ifndef TEST_GGUF_MAKE_H
#define TEST_GGUF_MAKE_H
#include "helpers.h"
#include "solera/buffer.h"
#include "solera/model.h"
#include "solera/safetensors.h"
#include <math.h>

enum { U32 = 4, I32 = 5, F32 = 6, BOOL = 7, STRING = 8, ARRAY = 9, U64 = 10 };
enum { T_F32 = 0, T_F16 = 1, T_Q4_0 = 2, T_Q4_1 = 3, T_Q8_0 = 8, T_BF16 = 30 };

typedef struct {
  sol_buffer_t values, tensors, data;
  uint64_t n_values, n_tensors;
  const char *drop;        /* a key or tensor that is left out */
  uint32_t version, align; /* 0: 3, 32 */
} gguf_t;

static inline void put_number (sol_buffer_t *b, uint64_t x, int bytes)
{
  for (int i = 0; i < bytes; i++) {
    const char c = (char) (x >> 8 * i);
    sol_buffer_add (b, &c, 1);
  }
}
static inline void put_text (sol_buffer_t *b, const char *text)
{
  put_number (b, strlen (text), 8);
  sol_buffer_add (b, text, strlen (text));
}
static inline int put_key (gguf_t *g, const char *key, uint32_t kind)
{
  if (g->drop && !strcmp (key, g->drop)) return 0;
  put_text (&g->values, key);
  put_number (&g->values, kind, 4);
  g->n_values++;
  return 1;
}
static inline void value_u32 (gguf_t *g, const char *key, uint32_t x)
{
  if (put_key (g, key, U32)) put_number (&g->values, x, 4);
}
static inline void value_f32 (gguf_t *g, const char *key, float x)
{
  uint32_t u;
  memcpy (&u, &x, 4);
  if (put_key (g, key, F32)) put_number (&g->values, u, 4);
}
static inline void value_bool (gguf_t *g, const char *key, int x)
{
  if (put_key (g, key, BOOL)) put_number (&g->values, (uint64_t) x, 1);
}
static inline void value_text (gguf_t *g, const char *key, const char *text)
{
  if (put_key (g, key, STRING)) put_text (&g->values, text);
}
static inline int value_array (gguf_t *g, const char *key, uint32_t inner, uint64_t n)
{
  if (!put_key (g, key, ARRAY)) return 0;
  put_number (&g->values, inner, 4);
  put_number (&g->values, n, 8);
  return 1;
}
static inline uint64_t align_of (const gguf_t *g) { return g->align ? g->align : 32; }

/* rows 0: a vector */
static inline void tensor (gguf_t *g, const char *name, int64_t rows, int64_t cols, uint32_t type, const void *data, size_t bytes)
{
  if (g->drop && !strcmp (name, g->drop)) return;
  put_text (&g->tensors, name);
  put_number (&g->tensors, rows ? 2 : 1, 4);
  put_number (&g->tensors, (uint64_t) cols, 8);
  if (rows) put_number (&g->tensors, (uint64_t) rows, 8);
  put_number (&g->tensors, type, 4);
  put_number (&g->tensors, g->data.bytes, 8);
  sol_buffer_add (&g->data, data, bytes);
  while (g->data.bytes % align_of (g)) sol_buffer_add (&g->data, "", 1);
  g->n_tensors++;
}

/* the whole file; frees what g holds */
static inline void finish (gguf_t *g, sol_buffer_t *out)
{
  sol_buffer_clear (out);
  sol_buffer_add (out, "GGUF", 4);
  put_number (out, g->version ? g->version : 3, 4);
  put_number (out, g->n_tensors, 8);
  put_number (out, g->n_values, 8);
  sol_buffer_add (out, g->values.data, g->values.bytes);
  sol_buffer_add (out, g->tensors.data, g->tensors.bytes);
  while (out->bytes % align_of (g)) sol_buffer_add (out, "", 1);
  sol_buffer_add (out, g->data.data, g->data.bytes);
  sol_buffer_free (&g->values);
  sol_buffer_free (&g->tensors);
  sol_buffer_free (&g->data);
}

/* ---- a model */

typedef struct { sol_arch_t arch; sol_table_t *table; float *block; } model_t;

static inline const char *model_dir (const char *name)
{
  static char path[600];
  const char *src = getenv ("srcdir");
  snprintf (path, sizeof path, "%.500s/tests/data/tiny_models/%s", src ? src : ".", name);
  return path;
}
static inline model_t load_model (const char *dir)
{
  model_t m = { 0 };
  need (sol_arch_load (dir, &m.arch) == SOL_OK);
  m.table = sol_table_create (&m.arch);
  m.block = sol_alloc ((size_t) m.table->elements * sizeof (float));
  need (sol_safetensors_load (dir, m.table, m.arch.tied, m.block) == SOL_OK);
  return m;
}
static inline void unload_model (model_t *m)
{
  sol_table_destroy (m->table);
  sol_free (m->block);
}

static inline const char *name_in_gguf (const char *name)
{
  static const char *const pair[][2] = { { "model.embed_tokens.weight", "token_embd.weight" }, { "model.norm.weight", "output_norm.weight" }, { "lm_head.weight", "output.weight" },
                                         { "input_layernorm", "attn_norm" },   { "self_attn.q_proj", "attn_q" },    { "self_attn.k_proj", "attn_k" },    { "self_attn.v_proj", "attn_v" },
                                         { "self_attn.o_proj", "attn_output" }, { "self_attn.q_norm", "attn_q_norm" }, { "self_attn.k_norm", "attn_k_norm" }, { "post_attention_layernorm", "ffn_norm" },
                                         { "mlp.gate_proj", "ffn_gate" },      { "mlp.up_proj", "ffn_up" },         { "mlp.down_proj", "ffn_down" } };
  static char out[128];
  int layer, at = 0;
  for (size_t i = 0; i < 3; i++)
    if (!strcmp (name, pair[i][0])) return pair[i][1];
  need (sscanf (name, "model.layers.%d.%n", &layer, &at) == 1);
  for (size_t i = 3; i < sizeof pair / sizeof *pair; i++)
    if (!strncmp (name + at, pair[i][0], strlen (pair[i][0]))) {
      snprintf (out, sizeof out, "blk.%d.%s%s", layer, pair[i][1], name + at + strlen (pair[i][0]));
      return out;
    }
  need (0);
  return NULL;
}

/* as llama.cpp's converter: a head's two halves are interleaved, row by row */
static inline void interleave (const float *w, int64_t rows, int64_t cols, int32_t head_size, float *out)
{
  for (int64_t head = 0; head < rows / head_size; head++)
    for (int64_t half = 0; half < 2; half++)
      for (int64_t i = 0; i < head_size / 2; i++)
        memcpy (out + (head * head_size + 2 * i + half) * cols, w + (head * head_size + half * (head_size / 2) + i) * cols, (size_t) cols * sizeof *w);
}

/* sizes and RoPE */
static inline void arch_values (gguf_t *g, const sol_arch_t *a)
{
  char key[96];
#define KEY(name) (snprintf (key, sizeof key, "%s.%s", a->family, name), key)
  value_text (g, "general.architecture", a->family);
  value_text (g, "general.name", "tiny");
  value_u32 (g, KEY ("block_count"), (uint32_t) a->layers);
  value_u32 (g, KEY ("embedding_length"), (uint32_t) a->width);
  value_u32 (g, KEY ("feed_forward_length"), (uint32_t) a->mlp);
  value_u32 (g, KEY ("context_length"), (uint32_t) a->context);
  value_u32 (g, KEY ("attention.head_count"), (uint32_t) a->heads);
  value_u32 (g, KEY ("attention.head_count_kv"), (uint32_t) a->kv_heads);
  value_u32 (g, KEY ("attention.key_length"), (uint32_t) a->head_size);
  value_f32 (g, KEY ("attention.layer_norm_rms_epsilon"), a->norm_eps);
  value_f32 (g, KEY ("rope.freq_base"), (float) a->rope_theta);
  if (a->rope_kind != SOL_ROPE_LLAMA3) return;
  float factor[512];
  for (int i = 0; i < a->head_size / 2; i++) { /* wavelengths, as the paper of Llama 3 has them */
    const double wave = 2 * M_PI * pow (a->rope_theta, 2.0 * i / a->head_size), smooth = (a->rope_original / wave - a->rope_low) / (a->rope_high - a->rope_low);
    factor[i] = wave < a->rope_original / a->rope_high ? 1 : wave > a->rope_original / a->rope_low ? (float) a->rope_factor : (float) (1 / ((1 - smooth) / a->rope_factor + smooth));
  }
  tensor (g, "rope_freqs.weight", 0, a->head_size / 2, T_F32, factor, (size_t) a->head_size / 2 * 4);
}

/* 256 bytes, a few merges of them and three control tokens: those of tests/data/tiny_tokenizer but its user-defined one */
#define TINY_MERGES "h e", "l l", "he ll", "hell o", "\u0120 w", "o r", "\u0120w or", "l d", "\u0120wor ld", "i n", "\u0120 t", "\u0120t h", "\u0120th e", "1 2", "\u010a \u010a", "\u00c3 \u00a9"
static const char *const tiny_merges[] = { TINY_MERGES };
enum { N_MERGES = 16, N_WORDS = 256 + N_MERGES + 4 };

static inline void byte_word (int byte, char *out)
{
  static const char *const plain = "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";
  int c = byte, next = 256;
  if (byte < 128 ? !byte || !strchr (plain, byte) : byte < 0xa1 || byte == 0xad)
    for (int i = 0; i < 256; i++)
      if (i < 128 ? !i || !strchr (plain, i) : i < 0xa1 || i == 0xad) {
        if (i == byte) c = next;
        next++;
      }
  if (c < 128) snprintf (out, 8, "%c", c);
  else snprintf (out, 8, "%c%c", 0xc0 | c >> 6, 0x80 | (c & 63));
}

static inline void gpt2_values (gguf_t *g, const char *pre)
{
  static const char *const control[] = { "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<gap>" };
  value_text (g, "tokenizer.ggml.model", "gpt2");
  value_text (g, "tokenizer.ggml.pre", pre);
  if (value_array (g, "tokenizer.ggml.tokens", STRING, N_WORDS)) {
    for (int i = 0; i < 256; i++) {
      char word[8];
      byte_word (i, word);
      put_text (&g->values, word);
    }
    for (int i = 0; i < N_MERGES; i++) {
      char joint[64] = "";
      const char *space = strchr (tiny_merges[i], ' ');
      snprintf (joint, sizeof joint, "%.*s%s", (int) (space - tiny_merges[i]), tiny_merges[i], space + 1);
      put_text (&g->values, joint);
    }
    for (int i = 0; i < 4; i++) put_text (&g->values, control[i]);
  }
  if (value_array (g, "tokenizer.ggml.token_type", I32, N_WORDS))
    for (int i = 0; i < N_WORDS; i++) put_number (&g->values, i < 272 ? 1 : i < 275 ? 3 : 4, 4);
  if (value_array (g, "tokenizer.ggml.merges", STRING, N_MERGES))
    for (int i = 0; i < N_MERGES; i++) put_text (&g->values, tiny_merges[i]);
  value_u32 (g, "tokenizer.ggml.bos_token_id", 272);
  value_u32 (g, "tokenizer.ggml.eos_token_id", 274);
  value_u32 (g, "tokenizer.ggml.eot_token_id", 272);
  value_u32 (g, "tokenizer.ggml.padding_token_id", 272);
  value_text (g, "tokenizer.chat_template", "{{ messages }} \"quoted\"\n");
}

/* encode: n elements -> out, its bytes; NULL: float32. Vectors are always F32. */
typedef size_t (*encode_t) (const float *w, int64_t n, int64_t cols, uint32_t *type, void *out);

static inline void model_tensors (gguf_t *g, const model_t *m, encode_t encode)
{
  for (int i = 0; i < m->table->n; i++) {
    const sol_weight_row_t *r = &m->table->row[i];
    const int64_t n = r->rows * r->cols;
    float *w = sol_alloc ((size_t) n * sizeof *w);
    void *out = sol_alloc ((size_t) n * 4 + 64);
    uint32_t type = T_F32;
    if (!strcmp (m->arch.family, "llama") && (strstr (r->name, "q_proj") || strstr (r->name, "k_proj"))) interleave (m->block + r->offset, r->rows, r->cols, m->arch.head_size, w);
    else memcpy (w, m->block + r->offset, (size_t) n * sizeof *w);
    const size_t bytes = encode && !r->vector ? encode (w, n, r->cols, &type, out) : (size_t) n * 4;
    tensor (g, name_in_gguf (r->name), r->vector ? 0 : r->rows, r->cols, type, type == T_F32 ? (void *) w : out, bytes);
    sol_free (w);
    sol_free (out);
  }
}

static inline void make_gguf (const model_t *m, const char *drop, encode_t encode, sol_buffer_t *out)
{
  gguf_t g = { .drop = drop };
  arch_values (&g, &m->arch);
  gpt2_values (&g, "qwen2");
  model_tensors (&g, m, encode);
  finish (&g, out);
}
#endif
