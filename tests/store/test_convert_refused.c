/* SPDX-License-Identifier: Apache-2.0 */
/* What solera convert refuses, and how it says so: keys, tensors, tokens, folders; files cut anywhere and with flipped bits do no harm. */
#include "gguf_make.h"
#include "../../src/store/gguf_model.h"
#include "solera/convert.h"
#include "solera/log.h"

/* a small model of one layer */
static model_t small (const char *family)
{
  model_t m = { .arch = { .layers = 1, .width = 32, .heads = 2, .kv_heads = 1, .head_size = 16, .mlp = 32, .vocab = N_WORDS, .context = 64, .norm_eps = 1e-5f, .rope_theta = 10000, .tied = 1, .dtype = SOL_F32 } };
  snprintf (m.arch.family, sizeof m.arch.family, "%s", family);
  m.arch.qkv_bias = !strcmp (family, "qwen2");
  m.arch.qk_norm = !strcmp (family, "qwen3");
  m.table = sol_table_create (&m.arch);
  m.block = sol_alloc ((size_t) m.table->elements * sizeof (float));
  sol_table_init (m.table, &m.arch, 3, m.block);
  return m;
}

/* a new file each time: one written over makes some file systems wait for the disk */
static void put_gguf (const sol_buffer_t *file)
{
  unlink (at ("m.gguf"));
  need (put_file (at ("m.gguf"), file->data, file->bytes) == 0);
}

static char *caught;
static sol_status_t convert_to (const sol_buffer_t *file, const char *folder, int force)
{
  sol_buffer_t said = { 0 };
  size_t bytes;
  put_gguf (file);
  sol_dir_remove (at ("log"));
  need (sol_log_file (at ("log")) == 0);
  quiet (1);
  const sol_status_t st = sol_convert_gguf (at ("m.gguf"), folder, SOL_DTYPE_SETTING_MODEL, force, &said);
  quiet (0);
  sol_log_file (NULL);
  sol_free (caught);
  need (sol_file_read (at ("log"), 0, &caught, &bytes) == SOL_OK);
  sol_buffer_free (&said);
  return st;
}

/* refused, with those texts in the message, and nothing is left of it */
static void refused (const sol_buffer_t *file, sol_status_t want, const char *what, const char *expected, const char *found)
{
  const sol_status_t st = convert_to (file, at ("no"), 0);
  const int said = strstr (caught, "m.gguf") && strstr (caught, what) && strstr (caught, expected) && strstr (caught, found), nothing = !sol_file_exists (at ("no")) && !sol_file_exists (at ("no.tmp"));
  tap_ok (st == want && said && nothing, "%s: %s, %s", what, expected, found);
  if (!said || st != want) printf ("# status %d: %s\n", st, caught);
}

/* ---- a value more, or another in its place */

typedef struct { const char *family, *key; int kind; double x; const char *text; sol_status_t want; const char *expected, *found; } value_case_t;
static const value_case_t values[] = {
  { "llama", "general.architecture", STRING, 0, "gemma3", SOL_ERR_UNSUPPORTED, "llama, qwen2 or qwen3", "gemma3" },
  { "llama", "general.architecture", U32, 7, NULL, SOL_ERR_FORMAT, "a string", "7" },
  { "llama", "general.alignment", U32, 0, NULL, SOL_ERR_FORMAT, "a whole number from 1", "0" },
  { "llama", "split.count", U32, 3, NULL, SOL_ERR_UNSUPPORTED, "one file", "3" },
  { "llama", "llama.block_count", U32, 2, NULL, SOL_ERR_FORMAT, "blk.1.attn_norm.weight", "no place" },
  { "llama", "llama.block_count", U32, 5000, NULL, SOL_ERR_UNSUPPORTED, "at most 4096", "5000" },
  { "llama", "llama.block_count", STRING, 0, "one", SOL_ERR_FORMAT, "a whole number", "a string" },
  { "llama", "llama.embedding_length", U32, 64, NULL, SOL_ERR_FORMAT, "276 x 64", "276 x 32" },
  { "llama", "llama.embedding_length", F32, 32.5, NULL, SOL_ERR_FORMAT, "a whole number", "32.5" },
  { "llama", "llama.attention.head_count_kv", U32, 3, NULL, SOL_ERR_UNSUPPORTED, "divisor", "3" },
  { "llama", "llama.attention.key_length", U32, 15, NULL, SOL_ERR_UNSUPPORTED, "even", "15" },
  { "llama", "llama.attention.value_length", U32, 8, NULL, SOL_ERR_UNSUPPORTED, "key_length", "8" },
  { "llama", "llama.rope.dimension_count", U32, 8, NULL, SOL_ERR_UNSUPPORTED, "size of a head", "8" },
  { "llama", "llama.attention.layer_norm_rms_epsilon", F32, -1, NULL, SOL_ERR_UNSUPPORTED, "more than 0", "-1" },
  { "llama", "llama.vocab_size", U32, 300, NULL, SOL_ERR_FORMAT, "276 rows", "300" },
  { "llama", "llama.expert_count", U32, 8, NULL, SOL_ERR_UNSUPPORTED, "mixture of experts", "8" },
  { "llama", "llama.attention.sliding_window", U32, 32, NULL, SOL_ERR_UNSUPPORTED, "no less than context_length", "32" },
  { "llama", "llama.attention.scale", F32, 0.5, NULL, SOL_ERR_UNSUPPORTED, "root of the size of a head", "0.5" },
  { "llama", "llama.logit_scale", F32, 0.5, NULL, SOL_ERR_UNSUPPORTED, "expected 1", "0.5" },
  { "llama", "llama.rope.freq_base", F32, 0.5, NULL, SOL_ERR_UNSUPPORTED, "more than 1", "0.5" },
  { "qwen2", "qwen2.rope.scaling.type", STRING, 0, "longrope", SOL_ERR_FORMAT, "rope.scaling.factor", "nothing" },
  { "qwen2", "qwen2.rope.scaling.attn_factor", F32, 2, NULL, SOL_ERR_UNSUPPORTED, "expected 1", "2" },
  { "llama", "tokenizer.ggml.model", STRING, 0, "bert", SOL_ERR_UNSUPPORTED, "gpt2 or llama", "bert" },
  { "llama", "tokenizer.ggml.pre", STRING, 0, "deepseek-llm", SOL_ERR_UNSUPPORTED, "gpt-2, llama-bpe, qwen2 or smollm", "deepseek-llm" },
  { "llama", "tokenizer.ggml.pre", STRING, 0, "default", SOL_ERR_UNSUPPORTED, "gpt-2, llama-bpe, qwen2 or smollm", "default" },
  { "llama", "tokenizer.ggml.eos_token_id", U32, 276, NULL, SOL_ERR_FORMAT, "from 0 to 275", "276" },
  { "llama", "tokenizer.ggml.add_eos_token", BOOL, 1, NULL, SOL_ERR_UNSUPPORTED, "expected false", "true" },
  { "llama", "tokenizer.ggml.add_bos_token", BOOL, 2, NULL, SOL_ERR_FORMAT, "a bool", "2" },
  { "llama", "tokenizer.ggml.add_space_prefix", BOOL, 1, NULL, SOL_ERR_UNSUPPORTED, "expected false", "true" },
  { "llama", "tokenizer.chat_template", STRING, 0, "bad \xff", SOL_ERR_FORMAT, "UTF-8", "byte 4" },
};

static void put_value (gguf_t *g, const value_case_t *c)
{
  if (c->kind == STRING) value_text (g, c->key, c->text);
  else if (c->kind == U32) value_u32 (g, c->key, (uint32_t) c->x);
  else if (c->kind == F32) value_f32 (g, c->key, (float) c->x);
  else value_bool (g, c->key, (int) c->x);
}

static void test_values (void)
{
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    model_t m = small (values[i].family);
    sol_buffer_t file = { 0 };
    gguf_t g = { 0 };
    put_value (&g, &values[i]); /* then the rest, without that key */
    g.drop = values[i].key;
    arch_values (&g, &m.arch);
    gpt2_values (&g, "qwen2");
    model_tensors (&g, &m, NULL);
    finish (&g, &file);
    refused (&file, values[i].want, strncmp (values[i].expected, "blk.", 4) && !strstr (values[i].expected, " x ") ? (strstr (values[i].expected, "rope.scaling") ? "key" : values[i].key) : "tensor", values[i].expected,
             values[i].found);
    sol_buffer_free (&file);
    unload_model (&m);
  }
}

/* keys and tensors that must be there */
static void test_missing (void)
{
  static const char *const names[] = { "general.architecture", "llama.block_count", "llama.embedding_length", "llama.feed_forward_length", "llama.context_length", "llama.attention.head_count",
                                       "llama.attention.layer_norm_rms_epsilon", "tokenizer.ggml.model", "tokenizer.ggml.pre", "tokenizer.ggml.tokens", "tokenizer.ggml.token_type", "tokenizer.ggml.merges",
                                       "token_embd.weight", "output_norm.weight", "blk.0.attn_q.weight", "blk.0.ffn_down.weight" };
  model_t m = small ("llama");
  sol_buffer_t file = { 0 };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    make_gguf (&m, names[i], NULL, &file);
    refused (&file, SOL_ERR_FORMAT, names[i], "expected", strstr (names[i], "weight") ? "no place" : "nothing");
  }
  sol_buffer_free (&file);
  unload_model (&m);
}

/* one tensor more, in several wrong ways */
static void test_tensors (void)
{
  static const struct { const char *drop, *name; int64_t rows, cols; uint32_t type; size_t bytes; sol_status_t want; const char *expected, *found; } cases[] = {
    { NULL, "blk.0.attn_q.bias", 0, 32, T_F32, 128, SOL_ERR_UNSUPPORTED, "architecture only", "one more" },
    { NULL, "blk.0.ffn_gate_exps.weight", 32, 32, T_F32, 4096, SOL_ERR_UNSUPPORTED, "architecture only", "one more" },
    { NULL, "output_norm.weight", 0, 32, T_F32, 128, SOL_ERR_FORMAT, "once", "twice" },
    { NULL, "output.weight", 32, 276, T_F32, 35328, SOL_ERR_FORMAT, "276 x 32", "32 x 276" },
    { "output_norm.weight", "output_norm.weight", 1, 32, T_F32, 128, SOL_ERR_FORMAT, "a vector, 1 x 32", "found 1 x 32" },
    { NULL, "x", 32, 32, 11, 4096, SOL_ERR_UNSUPPORTED, "F32, F16, BF16, Q8_0, Q6_K, Q5_K, Q5_1, Q5_0, Q4_K, Q4_1 or Q4_0", "Q3_K (11)" },
    { NULL, "x", 32, 32, 4, 4096, SOL_ERR_UNSUPPORTED, "F32, F16", "unknown (4)" },
    { NULL, "x", 32, 33, T_Q8_0, 4096, SOL_ERR_FORMAT, "whole blocks of 32", "33" },
    { NULL, "x", 32, 288, 12, 4096, SOL_ERR_FORMAT, "whole blocks of 256", "288" },
    { NULL, "x", 32, 0, T_F32, 0, SOL_ERR_FORMAT, "dimensions from 1", "0" },
    { NULL, "x", 1 << 20, 1 << 20, T_F32, 64, SOL_ERR_FORMAT, "inside", "truncated" },
    { NULL, "rope_freqs.weight", 0, 9, T_F32, 36, SOL_ERR_FORMAT, "8 values of F32", "9" },
    { NULL, "rope_freqs.weight", 0, 8, T_F32, 32, SOL_ERR_UNSUPPORTED, "llama3 scaling", "pair 0" },
    { NULL, "a name", 0, 8, T_F32, 32, SOL_ERR_FORMAT, "printable", "none" },
  };
  uint8_t *data = sol_alloc (65536);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    model_t m = small ("llama");
    sol_buffer_t file = { 0 };
    gguf_t g = { 0 };
    tensor (&g, cases[i].name, cases[i].rows, cases[i].cols, cases[i].type, data, cases[i].bytes);
    g.drop = cases[i].drop;
    arch_values (&g, &m.arch);
    gpt2_values (&g, "qwen2");
    model_tensors (&g, &m, NULL);
    finish (&g, &file);
    refused (&file, cases[i].want, strchr (cases[i].name, ' ') ? "the name" : cases[i].name, cases[i].expected, cases[i].found);
    sol_buffer_free (&file);
    unload_model (&m);
  }
  sol_free (data);
}

/* a value of three dimensions, an infinite weight, other versions, other kinds of value */
static void test_others (void)
{
  model_t m = small ("qwen3");
  sol_buffer_t file = { 0 };
  make_gguf (&m, NULL, NULL, &file);
  static const struct { uint8_t bytes[4]; const char *found; sol_status_t want; } version[] = { { { 1, 0, 0, 0 }, "1", SOL_ERR_UNSUPPORTED }, { { 4, 0, 0, 0 }, "4", SOL_ERR_UNSUPPORTED }, { { 0, 0, 0, 3 }, "big-endian", SOL_ERR_UNSUPPORTED } };
  for (size_t i = 0; i < 3; i++) {
    memcpy (file.data + 4, version[i].bytes, 4);
    refused (&file, version[i].want, "version", "2 or 3", version[i].found);
  }
  memcpy (file.data + 4, "\3\0\0", 4);
  memcpy (file.data, "GGML", 4);
  refused (&file, SOL_ERR_FORMAT, "m.gguf", "a GGUF file", "other");
  m.block[sol_table_find (m.table, "model.layers.0.mlp.up_proj.weight")->offset + 40] = INFINITY;
  make_gguf (&m, NULL, NULL, &file);
  refused (&file, SOL_ERR_NUMERIC, "blk.0.ffn_up.weight", "finite", "row 1");
  gguf_t g = { 0 };
  value_array (&g, "x", ARRAY, 1);
  finish (&g, &file);
  refused (&file, SOL_ERR_UNSUPPORTED, "key x", "plain values", "arrays");
  value_array (&g, "x", 13, 1);
  g = (gguf_t){ .values = g.values, .n_values = 1 };
  finish (&g, &file);
  refused (&file, SOL_ERR_FORMAT, "key x", "under 13", "13");
  g = (gguf_t){ 0 };
  value_u32 (&g, "x", 1);
  value_u32 (&g, "x", 1);
  finish (&g, &file);
  refused (&file, SOL_ERR_FORMAT, "key x", "once", "twice");
  sol_buffer_free (&file);
  unload_model (&m);
}

/* small vocabularies, each wrong in one way */
static void test_words (void)
{
  static const struct { const char *model, *word[4], *merge; int type, scores, n_types, bos; float score; sol_status_t want; const char *key, *expected, *found; } cases[] = {
    { "gpt2", { "a", "b", "ab", "b" }, "a b", 1, 0, 4, 0, 0, SOL_ERR_FORMAT, "tokenizer.ggml.tokens", "different texts", "tokens 1 and 3" },
    { "gpt2", { "a", "b", "ab", "" }, "a b", 1, 0, 4, 0, 0, SOL_ERR_FORMAT, "tokenizer.ggml.tokens", "a text", "token 3" },
    { "gpt2", { "a", "b", "ab", "\xff" }, "a b", 1, 0, 4, 0, 0, SOL_ERR_FORMAT, "tokenizer.ggml.tokens", "UTF-8", "string 3" },
    { "gpt2", { "a", "b", "ab", "c" }, "a c", 1, 0, 4, 0, 0, SOL_ERR_FORMAT, "tokenizer.ggml.merges", "joint text is a token", "a c" },
    { "gpt2", { "a", "b", "ab", "c" }, "ab", 1, 0, 4, 0, 0, SOL_ERR_FORMAT, "tokenizer.ggml.merges", "two tokens", "ab" },
    { "gpt2", { "a", "b", "ab", "c" }, "a b", 7, 0, 4, 0, 0, SOL_ERR_FORMAT, "tokenizer.ggml.token_type", "1 to 6", "7" },
    { "gpt2", { "a", "b", "ab", "c" }, "a b", 1, 0, 3, 0, 0, SOL_ERR_FORMAT, "tokenizer.ggml.token_type", "4 values", "3" },
    { "llama", { "a", "b", "ab", "c" }, NULL, 1, 4, 4, 0, 0, SOL_ERR_FORMAT, "tokenizer.ggml.unknown_token_id", "expected", "nothing" },
    { "llama", { "a", "b", "ab", "c" }, NULL, 2, 0, 4, 0, 0, SOL_ERR_FORMAT, "tokenizer.ggml.scores", "an array of f32", "nothing" },
    { "llama", { "a", "b", "ab", "c" }, NULL, 2, 3, 4, 0, 0, SOL_ERR_FORMAT, "tokenizer.ggml.scores", "4 values", "3" },
    { "llama", { "a", "b", "ab", "c" }, NULL, 2, 4, 4, 0, NAN, SOL_ERR_FORMAT, "tokenizer.ggml.scores", "a number", "NaN" },
    { "llama", { "a", "b", "ab", "c" }, NULL, 2, 4, 4, -1, 0, SOL_ERR_FORMAT, "tokenizer.ggml.bos_token_id", "add_bos_token", "nothing" },
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    model_t m = small ("llama");
    sol_buffer_t file = { 0 };
    gguf_t g = { 0 };
    uint32_t score;
    memcpy (&score, &cases[i].score, 4);
    arch_values (&g, &m.arch);
    value_text (&g, "tokenizer.ggml.model", cases[i].model);
    value_text (&g, "tokenizer.ggml.pre", "qwen2");
    value_array (&g, "tokenizer.ggml.tokens", STRING, 4);
    for (int k = 0; k < 4; k++) put_text (&g.values, cases[i].word[k]);
    value_array (&g, "tokenizer.ggml.token_type", I32, (uint64_t) cases[i].n_types);
    for (int k = 0; k < cases[i].n_types; k++) put_number (&g.values, k ? 1 : (uint64_t) cases[i].type, 4);
    if (cases[i].merge && value_array (&g, "tokenizer.ggml.merges", STRING, 1)) put_text (&g.values, cases[i].merge);
    if (cases[i].scores && value_array (&g, "tokenizer.ggml.scores", F32, (uint64_t) cases[i].scores))
      for (int k = 0; k < cases[i].scores; k++) put_number (&g.values, score, 4);
    if (cases[i].bos >= 0) value_u32 (&g, "tokenizer.ggml.bos_token_id", 0);
    model_tensors (&g, &m, NULL);
    finish (&g, &file);
    refused (&file, cases[i].want, cases[i].key, cases[i].expected, cases[i].found);
    sol_buffer_free (&file);
    unload_model (&m);
  }
}

/* an existing folder stays as it is */
static void test_folders (void)
{
  model_t m = small ("llama");
  sol_buffer_t file = { 0 };
  make_gguf (&m, NULL, NULL, &file);
  need (sol_dir_make (at ("mine")) == SOL_OK && put_file (at ("mine/diary"), "x", 1) == 0);
  ok (convert_to (&file, at ("mine"), 0) == SOL_ERR_USAGE && strstr (caught, "--force") && sol_file_exists (at ("mine/diary")));
  ok (convert_to (&file, at ("mine"), 1) == SOL_ERR_USAGE && strstr (caught, "model folder") && sol_file_exists (at ("mine/diary"))); /* nor with force: it is no model */
  need (sol_dir_make (at ("empty")) == SOL_OK);
  ok (convert_to (&file, at ("empty"), 0) == SOL_OK && sol_file_exists (at ("empty/config.json")) && !sol_file_exists (at ("empty.tmp")));
  ok (convert_to (&file, at ("empty"), 0) == SOL_ERR_USAGE);
  need (put_file (at ("empty/old"), "x", 1) == 0);
  ok (convert_to (&file, at ("empty/"), 1) == SOL_OK && !sol_file_exists (at ("empty/old")));
  need (put_file (at ("empty/old"), "x", 1) == 0);
  sol_buffer_t cut = { file.data, file.bytes - 100, 0 };
  ok (convert_to (&cut, at ("empty"), 1) == SOL_ERR_FORMAT && sol_file_exists (at ("empty/old"))); /* a bad file replaces nothing */
  ok (convert_to (&file, at ("mine/diary/x"), 0) != SOL_OK && sol_file_exists (at ("mine/diary")));
  sol_buffer_free (&file);
  unload_model (&m);
}

/* everything that reads the file, without writing a folder (which waits for the disk) */
static sol_status_t read_all (const sol_buffer_t *file)
{
  sol_gguf_t g;
  sol_arch_t a;
  sol_gguf_files_t files = { 0 };
  put_gguf (file);
  sol_status_t st = sol_gguf_open (at ("m.gguf"), &g);
  if (st != SOL_OK) return st;
  if ((st = sol_gguf_arch (&g, &a)) == SOL_OK) {
    sol_table_t *table = sol_table_create (&a);
    const sol_gguf_tensor_t **source = sol_alloc ((size_t) table->n * sizeof *source);
    st = sol_gguf_match (&g, table, source);
    if (st == SOL_OK) st = sol_gguf_tokenizer (&g, &a, &files);
    sol_free (source);
    sol_table_destroy (table);
  }
  sol_gguf_files_free (&files);
  sol_gguf_close (&g);
  return st;
}

static void test_fuzz (void)
{
  model_t m = small ("llama");
  sol_buffer_t file = { 0 }, other = { 0 };
  int taken = 0, cuts = 0, flips = 0, tried = 0, whole = 0;
  make_gguf (&m, NULL, NULL, &file);
  const size_t data = file.bytes - (size_t) m.table->elements * 4; /* all but padding of the header lies before */
  quiet (1);
  for (size_t n = 0; n < file.bytes; n += n < data ? 1 : 1009, cuts++) {
    sol_buffer_t cut = { file.data, n, 0 };
    taken += read_all (&cut) == SOL_OK;
  }
  quiet (0);
  tap_ok (taken == 0, "%d cut files, none is taken", cuts);
  for (int k = 0; k < 6000; k++, flips++) {
    sol_buffer_clear (&other);
    sol_buffer_add (&other, file.data, file.bytes);
    for (uint32_t i = 0, n = 1 + dice () % 3; i < n; i++) other.data[k % 3 ? dice () % data : k % 2 ? dice () % 400 : dice () % file.bytes] ^= (char) (1 << dice () % 8);
    quiet (1);
    const sol_status_t st = read_all (&other);
    quiet (0);
    taken += st == SOL_OK;
    if (st != SOL_OK || tried == 60) continue;
    sol_arch_t a; /* what is taken becomes a folder that loads, or has a weight that is not finite */
    const sol_status_t made = convert_to (&other, at ("fuzz"), 1);
    whole += made == SOL_OK ? sol_arch_load (at ("fuzz"), &a) == SOL_OK : made == SOL_ERR_NUMERIC;
    tried++;
  }
  tap_ok (taken < flips && tried && tried == whole, "%d of %d files with flipped bits are still models, none crashed; %d made into folders load", taken, flips, tried);
  sol_buffer_free (&file);
  sol_buffer_free (&other);
  unload_model (&m);
}

int main (void)
{
  scratch_make ();
  test_values ();
  test_missing ();
  test_tensors ();
  test_others ();
  test_words ();
  test_folders ();
  test_fuzz ();
  sol_free (caught);
  scratch_remove ();
  return tap_done ();
}
