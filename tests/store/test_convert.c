/* SPDX-License-Identifier: Apache-2.0 */
/* GGUF files of the tiny models become their folders again: weights bit for bit, scores, tokenizer; every type of tensor is decoded as its definition says. */
#include "gguf_make.h"
#include "../../src/store/gguf.h"
#include "solera/convert.h"
#include "solera/json.h"
#include "solera/tokenizer.h"
#include <cjson/cJSON.h>
#include <sys/wait.h>

static const char *const models[] = { "llama-gqa", "llama3-rope", "qwen2", "qwen2.5", "qwen3", "smollm" };
static char said_text[256];

static sol_status_t convert (const sol_buffer_t *file, const char *folder, int dtype, int force)
{
  sol_buffer_t said = { 0 };
  need (put_file (at ("m.gguf"), file->data, file->bytes) == 0);
  const sol_status_t st = sol_convert_gguf (at ("m.gguf"), folder, dtype, force, &said);
  snprintf (said_text, sizeof said_text, "%s", said.data ? said.data : "");
  sol_buffer_free (&said);
  return st;
}

static int same_arch (const sol_arch_t *a, const sol_arch_t *b)
{
  return a->layers == b->layers && a->width == b->width && a->heads == b->heads && a->kv_heads == b->kv_heads && a->head_size == b->head_size && a->mlp == b->mlp && a->vocab == b->vocab
         && a->context == b->context && a->norm_eps == b->norm_eps && a->rope_theta == b->rope_theta && a->rope_kind == b->rope_kind && a->rope_factor == b->rope_factor && a->rope_low == b->rope_low
         && a->rope_high == b->rope_high && a->rope_original == b->rope_original && a->tied == b->tied && a->qkv_bias == b->qkv_bias && a->qk_norm == b->qk_norm && !strcmp (a->family, b->family);
}

/* does solera score say the same of both? */
static int same_scores (const char *a, const char *b)
{
  char command[4096];
  const char *dir = getenv ("top_builddir");
  snprintf (command, sizeof command,
            "t='%s'; printf '%%s\\n' '{\"ids\":[1,5,9,200,31,7]}' '{\"ids\":[300,2,17]}' >$t/in; for m in a:'%s' b:'%s'; do '%s/solera' score \"${m#?:}\" model.dtype=f32 <$t/in >$t/${m%%%%:*} || exit 1; done; cmp $t/a $t/b && "
            "grep -q logprobs $t/a",
            scratch, a, b, dir ? dir : ".");
  return system (command) == 0;
}

static void test_models (void)
{
  for (int k = 0; k < 6; k++) {
    model_t a = load_model (model_dir (models[k])), b;
    sol_buffer_t file = { 0 };
    make_gguf (&a, NULL, NULL, &file);
    tap_ok (convert (&file, at ("out"), SOL_DTYPE_SETTING_MODEL, 1) == SOL_OK && strstr (said_text, "in f32"), "%s is converted", models[k]);
    b = load_model (at ("out"));
    ok (same_arch (&a.arch, &b.arch) && b.arch.dtype == SOL_F32);
    ok (!memcmp (a.block, b.block, (size_t) a.table->elements * sizeof (float)));
    ok (b.arch.bos == 272 && b.arch.n_eos == 2 && b.arch.eos[0] == 274 && b.arch.eos[1] == 272);
    tap_ok (same_scores (model_dir (models[k]), at ("out")), "%s: the same scores", models[k]);
    unload_model (&a);
    unload_model (&b);
    sol_buffer_free (&file);
  }
}

/* exit status of the command with these arguments */
static int command (const char *arguments)
{
  char line[2048];
  const char *dir = getenv ("top_builddir");
  snprintf (line, sizeof line, "'%s/solera' convert %s >'%s/out.txt' 2>'%s/err.txt'", dir ? dir : ".", arguments, scratch, scratch);
  const int status = system (line);
  return WIFEXITED (status) ? WEXITSTATUS (status) : -1;
}
static int says (const char *file, const char *what)
{
  char *text;
  size_t bytes;
  need (sol_file_read (at (file), 0, &text, &bytes) == SOL_OK);
  const int yes = strstr (text, what) != NULL;
  sol_free (text);
  return yes;
}

/* m.gguf of the last model */
static void test_command (void)
{
  char line[1024];
  snprintf (line, sizeof line, "'%s/m.gguf' out='%s/made' model.dtype=bf16", scratch, scratch);
  ok (command (line) == 0 && says ("out.txt", "llama, 64752 weights in bf16, from 20 F32"));
  ok (command (line) == 2 && says ("err.txt", "--force"));
  snprintf (line, sizeof line, "--force '%s/m.gguf' out='%s/made'", scratch, scratch);
  ok (command (line) == 0 && says ("out.txt", "in f32"));
  snprintf (line, sizeof line, "'%s/m.gguf'", scratch);
  ok (command (line) == 2 && says ("err.txt", "out=FOLDER"));
  snprintf (line, sizeof line, "'%s/none.gguf' out='%s/other'", scratch, scratch);
  ok (command (line) == 1 && says ("err.txt", "none.gguf") && !sol_file_exists (at ("other")));
  ok (command ("") == 2 && command ("--help") == 0 && says ("out.txt", "GGUF"));
}

/* ---- types of tensors */

static float half (uint16_t h)
{
  const int e = h >> 10 & 31, m = h & 1023;
  const double x = ldexp (e ? m + 1024 : m, e ? e - 25 : -24);
  return (float) (h & 0x8000 ? -x : x);
}
static uint16_t random_half (void) { return (uint16_t) ((dice () & 0x8000) | (dice () % 31) << 10 | (dice () & 1023)); } /* finite, subnormals too */

static uint32_t type_wanted;
static float *expected; /* what the encoders below stand for, in the order of the file */
static int64_t n_expected;

static void block_of (uint32_t type, uint8_t *b, float *want)
{
  const uint16_t dh = random_half (), mh = random_half ();
  const double d = half (dh), m = half (mh);
  b[0] = (uint8_t) dh, b[1] = (uint8_t) (dh >> 8);
  uint8_t *codes = b + 2;
  if (type == T_Q4_1) b[2] = (uint8_t) mh, b[3] = (uint8_t) (mh >> 8), codes = b + 4;
  for (int i = 0; i < (type == T_Q8_0 ? 32 : 16); i++) codes[i] = (uint8_t) dice ();
  for (int i = 0; i < 32; i++) {
    const int nibble = i < 16 ? codes[i] & 15 : codes[i - 16] >> 4;
    want[i] = (float) (type == T_Q8_0 ? d * (int8_t) codes[i] : type == T_Q4_0 ? d * (nibble - 8) : d * nibble + m);
  }
}

/* not the weights but any values of the type, so that every code is met; rows that have no whole blocks stay F32 */
static size_t encode_any (const float *w, int64_t n, int64_t cols, uint32_t *type, void *out)
{
  const size_t bytes = type_wanted == T_Q8_0 ? 34 : type_wanted == T_Q4_0 ? 18 : 20;
  uint8_t *b = out;
  if (cols % 32 && type_wanted != T_F16 && type_wanted != T_BF16) {
    memcpy (expected + n_expected, w, (size_t) n * sizeof *w);
    n_expected += n;
    return (size_t) n * 4;
  }
  *type = type_wanted;
  if (type_wanted == T_F16 || type_wanted == T_BF16) {
    for (int64_t i = 0; i < n; i++) {
      const uint16_t h = type_wanted == T_F16 ? random_half () : (uint16_t) (dice () % 0x7f80 | (dice () & 0x8000)); /* finite */
      const uint32_t u = (uint32_t) h << 16;
      b[2 * i] = (uint8_t) h, b[2 * i + 1] = (uint8_t) (h >> 8);
      if (type_wanted == T_F16) expected[n_expected + i] = half (h);
      else memcpy (expected + n_expected + i, &u, 4);
    }
    n_expected += n;
    return (size_t) n * 2;
  }
  for (int64_t i = 0; i < n; i += 32, b += bytes) block_of (type_wanted, b, expected + n_expected + i);
  n_expected += n;
  return (size_t) (b - (uint8_t *) out);
}

/* Blocks of bytes from a linear congruence, with finite scales, as llama.cpp's Python package gguf (0.19) decodes them: the sum of (i + 1) times the bits of value i (of -0 those of 0). */
static void test_blocks (void)
{
  static const struct { uint32_t type; const char *name; uint64_t sum; } row[] = {
    { 2, "Q4_0", UINT64_C (0x00003e1806dc1000) }, { 3, "Q4_1", UINT64_C (0x000045858f69ca00) }, { 6, "Q5_0", UINT64_C (0x0000408a90406a00) }, { 7, "Q5_1", UINT64_C (0x00003e2a236be500) },
    { 8, "Q8_0", UINT64_C (0x00004050555b9b40) }, { 12, "Q4_K", UINT64_C (0x000d5dc7ca294128) }, { 13, "Q5_K", UINT64_C (0x000ce671a42ac1a4) }, { 14, "Q6_K", UINT64_C (0x00109064fb3a2962) }
  };
  static uint8_t block[8 * 256];
  static float out[8 * 256];
  for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
    size_t bytes;
    uint32_t x = 12345;
    uint64_t sum = 0;
    const int n = sol_gguf_block (row[k].type, &bytes) * 8, minimum = strchr ("1K", row[k].name[3]) != NULL, q6 = row[k].type == 14;
    need (n > 0 && 8 * bytes <= sizeof block);
    for (size_t i = 0; i < 8 * bytes; i++) block[i] = (uint8_t) ((x = x * 1103515245 + 12345) >> 16);
    for (size_t b = 0; b < 8; b++)
      for (size_t s = 0; s < (minimum && !q6 ? 2 : 1); s++) {
        uint8_t *high = block + b * bytes + (q6 ? 208 : 2 * s) + 1;
        *high = (*high & 0x83) | 0x30;
      }
    sol_gguf_decode (row[k].type, block, n, out);
    for (int i = 0; i < n; i++) {
      const float y = out[i] + 0.0f;
      uint32_t bits;
      memcpy (&bits, &y, 4);
      sum += (uint64_t) (i + 1) * bits;
    }
    tap_ok (sum == row[k].sum && !strcmp (sol_gguf_type_name (row[k].type), row[k].name), "%s: %d values as gguf decodes them", row[k].name, n);
  }
}

static void test_types (void)
{
  static const struct { uint32_t type; const char *name; int f32; } types[] = { { T_F16, "F16", 1 }, { T_BF16, "BF16", 0 }, { T_Q8_0, "Q8_0", 0 }, { T_Q4_0, "Q4_0", 0 }, { T_Q4_1, "Q4_1", 0 } };
  for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
    model_t a = load_model (model_dir ("qwen2")), b;
    sol_buffer_t file = { 0 };
    int64_t at_expected = 0, wrong = 0, rounded = 0;
    expected = sol_alloc ((size_t) a.table->elements * sizeof *expected);
    n_expected = 0;
    type_wanted = types[k].type;
    make_gguf (&a, NULL, encode_any, &file);
    ok (convert (&file, at ("f32"), SOL_DTYPE_SETTING_F32, 1) == SOL_OK && strstr (said_text, types[k].name));
    b = load_model (at ("f32"));
    for (int i = 0; i < a.table->n; i++) {
      const sol_weight_row_t *r = &a.table->row[i];
      const float *want = r->vector ? a.block + r->offset : expected + at_expected;
      for (int64_t j = 0; j < r->rows * r->cols; j++) wrong += b.block[r->offset + j] != want[j];
      memcpy (a.block + r->offset, want, (size_t) (r->rows * r->cols) * sizeof *want);
      if (!r->vector) at_expected += r->rows * r->cols;
    }
    tap_ok (wrong == 0 && at_expected == n_expected, "%s: %lld values as defined", types[k].name, (long long) n_expected);
    unload_model (&b);
    ok (convert (&file, at ("own"), SOL_DTYPE_SETTING_BF16, 1) == SOL_OK);
    b = load_model (at ("own"));
    uint16_t *bits = sol_alloc ((size_t) a.table->elements * 2);
    sol_model_round (a.block, a.table->elements, SOL_BF16, bits);
    for (int64_t i = 0; i < a.table->elements; i++) {
      const uint32_t u = (uint32_t) bits[i] << 16;
      float x;
      memcpy (&x, &u, 4);
      rounded += b.block[i] != x;
    }
    tap_ok (rounded == 0 && b.arch.dtype == SOL_BF16, "%s: as bf16, rounded like published weights", types[k].name);
    sol_free (bits);
    unload_model (&a);
    unload_model (&b);
    sol_free (expected);
    sol_buffer_free (&file);
  }
}

static size_t encode_bf16 (const float *w, int64_t n, int64_t cols, uint32_t *type, void *out)
{
  (void) cols;
  sol_model_round (w, n, SOL_BF16, out);
  *type = T_BF16;
  return (size_t) n * 2;
}

/* a bf16 model through BF16 stays bf16, bit for bit, with version 2 and another alignment too */
static void test_bf16 (void)
{
  model_t a = load_model (model_dir ("smollm")), b;
  sol_buffer_t file = { 0 };
  gguf_t g = { .version = 2, .align = 64 };
  value_u32 (&g, "general.alignment", 64);
  arch_values (&g, &a.arch);
  gpt2_values (&g, "smollm");
  model_tensors (&g, &a, encode_bf16);
  finish (&g, &file);
  ok (convert (&file, at ("bf16"), SOL_DTYPE_SETTING_MODEL, 0) == SOL_OK && strstr (said_text, "in bf16"));
  b = load_model (at ("bf16"));
  ok (b.arch.dtype == SOL_BF16 && same_arch (&a.arch, &b.arch) && !memcmp (a.block, b.block, (size_t) a.table->elements * sizeof (float)));
  ok (same_scores (model_dir ("smollm"), at ("bf16")));
  unload_model (&a);
  unload_model (&b);
  sol_buffer_free (&file);
}

/* ---- RoPE */

static void test_rope (void)
{
  static const struct { const char *type; float factor; uint32_t original; sol_rope_kind_t kind; } form[]
      = { { "none", 0, 0, SOL_ROPE_PLAIN }, { "linear", 2.5f, 0, SOL_ROPE_LINEAR }, { "yarn", 4, 64, SOL_ROPE_YARN } };
  for (size_t i = 0; i < sizeof form / sizeof *form; i++) {
    model_t a = load_model (model_dir ("qwen2")), b;
    sol_buffer_t file = { 0 };
    gguf_t g = { 0 };
    arch_values (&g, &a.arch);
    gpt2_values (&g, "qwen2");
    value_text (&g, "qwen2.rope.scaling.type", form[i].type);
    if (form[i].factor > 0) value_f32 (&g, "qwen2.rope.scaling.factor", form[i].factor);
    if (form[i].original) value_u32 (&g, "qwen2.rope.scaling.original_context_length", form[i].original);
    model_tensors (&g, &a, NULL);
    finish (&g, &file);
    need (convert (&file, at ("rope"), SOL_DTYPE_SETTING_MODEL, 1) == SOL_OK);
    b = load_model (at ("rope"));
    tap_ok (b.arch.rope_kind == form[i].kind && b.arch.rope_factor == (double) form[i].factor && b.arch.rope_original == form[i].original
                && (form[i].kind != SOL_ROPE_YARN || (fabs (b.arch.rope_scale - 1.1386294361119891) < 1e-15 && b.arch.rope_low == 1 && b.arch.rope_high == 32)),
            "RoPE %s", form[i].type);
    unload_model (&a);
    unload_model (&b);
    sol_buffer_free (&file);
  }
}

/* ---- tokenizers */

static cJSON *json_of (const char *name)
{
  char path[300];
  cJSON *json = NULL;
  snprintf (path, sizeof path, "%.200s/%s", at ("words"), name);
  need (sol_json_load (path, &json) == SOL_OK);
  return json;
}

static void convert_words (const char *pre, const char *more, int bos)
{
  model_t a = load_model (model_dir ("smollm"));
  sol_buffer_t file = { 0 };
  gguf_t g = { 0 };
  arch_values (&g, &a.arch);
  gpt2_values (&g, pre);
  if (more) value_bool (&g, more, bos);
  model_tensors (&g, &a, NULL);
  finish (&g, &file);
  need (convert (&file, at ("words"), SOL_DTYPE_SETTING_MODEL, 1) == SOL_OK);
  unload_model (&a);
  sol_buffer_free (&file);
}

/* the ids of tests/data/tiny_tokenizer, which has the same tokens and Qwen's steps */
static void test_byte_level (void)
{
  static const char *const texts[] = { "hello world", " the  12 123 \n\n caf\xc3\xa9 e\xcc\x81", "<|im_start|>in the<|im_end|>\n", "don't DON'T \xe2\x82\xac \xf0\x9f\x98\x80", "" };
  static const char *const names[] = { "gpt-2", "llama-bpe", "smollm", "qwen2" };
  char tiny[600];
  const char *src = getenv ("srcdir");
  sol_tokenizer_t *a = NULL, *b = NULL;
  int same = 1, n;
  snprintf (tiny, sizeof tiny, "%.500s/tests/data/tiny_tokenizer", src ? src : ".");
  for (int k = 0; k < 4; k++) {
    convert_words (names[k], NULL, 0);
    b = NULL;
    tap_ok (sol_tokenizer_load (at ("words"), &b) == SOL_OK && sol_tokenizer_size (b) == N_WORDS, "%s loads", names[k]);
    if (k < 3) sol_tokenizer_destroy (b);
  }
  need (sol_tokenizer_load (tiny, &a) == SOL_OK);
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    sol_ids_t x = { 0 }, y = { 0 };
    need (sol_tokenizer_encode (a, texts[i], strlen (texts[i]), &x, NULL) == SOL_OK && sol_tokenizer_encode (b, texts[i], strlen (texts[i]), &y, NULL) == SOL_OK);
    same &= x.n == y.n && (!x.n || !memcmp (x.data, y.data, (size_t) x.n * sizeof *x.data));
    sol_ids_free (&x);
    sol_ids_free (&y);
  }
  ok (same && sol_tokenizer_id (b, "<gap>") == 275 && sol_tokenizer_bos (b) == 272);
  const int32_t *eos = sol_tokenizer_eos (b, &n);
  ok (n == 2 && eos[0] + eos[1] == 274 + 272);
  sol_tokenizer_destroy (a);
  sol_tokenizer_destroy (b);
}

static void test_words_files (void)
{
  convert_words ("llama-bpe", NULL, 0);
  cJSON *t = json_of ("tokenizer.json"), *c = json_of ("tokenizer_config.json"), *g = json_of ("generation_config.json");
  const cJSON *post = cJSON_GetObjectItem (t, "post_processor"), *added = cJSON_GetObjectItem (t, "added_tokens"), *model = cJSON_GetObjectItem (t, "model");
  ok (!strcmp (sol_json_string (post, "type"), "TemplateProcessing") && cJSON_IsTrue (cJSON_GetObjectItem (model, "ignore_merges")) && cJSON_IsTrue (cJSON_GetObjectItem (c, "add_bos_token")));
  ok (cJSON_GetArraySize (added) == 4 && cJSON_IsTrue (cJSON_GetObjectItem (cJSON_GetArrayItem (added, 2), "special")) && cJSON_IsFalse (cJSON_GetObjectItem (cJSON_GetArrayItem (added, 3), "special")));
  ok (!strcmp (sol_json_string (c, "chat_template"), "{{ messages }} \"quoted\"\n") && !strcmp (sol_json_string (c, "eos_token"), "<|im_end|>") && !strcmp (sol_json_string (c, "pad_token"), "<|endoftext|>"));
  ok (cJSON_IsNull (cJSON_GetObjectItem (c, "unk_token")) && cJSON_GetArraySize (cJSON_GetObjectItem (g, "eos_token_id")) == 2 && cJSON_GetObjectItem (g, "pad_token_id")->valueint == 272);
  cJSON_Delete (t);
  cJSON_Delete (c);
  cJSON_Delete (g);
  convert_words ("llama-bpe", "tokenizer.ggml.add_bos_token", 0);
  t = json_of ("tokenizer.json");
  ok (cJSON_IsNull (cJSON_GetObjectItem (t, "post_processor")));
  cJSON_Delete (t);
}

/* SentencePiece: merges from scores. The order was made by hand from the rule in gguf_words.c. */
static void test_sentencepiece (void)
{
  static const struct { const char *text; int type; float score; } word[]
      = { { "<unk>", 2, 0 }, { "<s>", 3, 0 }, { "</s>", 3, 0 },   { "<0x0A>", 6, 0 },        { "a", 1, -10 },      { "b", 1, -11 },           { "c", 1, -12 },
          { "ab", 1, -1 },   { "bc", 1, -2 }, { "abc", 1, -0.5f }, { "\u2581", 1, -13 },     { "\u2581a", 1, -2 }, { "[PAD12]", 5, 0 },        { "[PAD99]", 5, 0 } };
  static const char want[] = "[[\"ab\",\"c\"],[\"a\",\"bc\"],[\"a\",\"b\"],[\"b\",\"c\"],[\"\u2581\",\"a\"]]";
  enum { N = sizeof word / sizeof *word };
  model_t a = load_model (model_dir ("smollm"));
  sol_buffer_t file = { 0 };
  gguf_t g = { 0 };
  arch_values (&g, &a.arch);
  value_text (&g, "tokenizer.ggml.model", "llama");
  value_array (&g, "tokenizer.ggml.tokens", STRING, N);
  for (int i = 0; i < N; i++) put_text (&g.values, word[i].text);
  value_array (&g, "tokenizer.ggml.token_type", I32, N);
  for (int i = 0; i < N; i++) put_number (&g.values, (uint64_t) word[i].type, 4);
  value_array (&g, "tokenizer.ggml.scores", F32, N);
  for (int i = 0; i < N; i++) {
    uint32_t u;
    memcpy (&u, &word[i].score, 4);
    put_number (&g.values, u, 4);
  }
  value_u32 (&g, "tokenizer.ggml.bos_token_id", 1);
  value_u32 (&g, "tokenizer.ggml.eos_token_id", 2);
  model_tensors (&g, &a, NULL);
  finish (&g, &file);
  ok (convert (&file, at ("words"), SOL_DTYPE_SETTING_MODEL, 1) == SOL_OK);
  cJSON *t = json_of ("tokenizer.json");
  const cJSON *model = cJSON_GetObjectItem (t, "model"), *vocab = cJSON_GetObjectItem (model, "vocab");
  char *merges = cJSON_PrintUnformatted (cJSON_GetObjectItem (model, "merges"));
  tap_ok (!strcmp (merges, want), "merges by score: %s", merges);
  cJSON_free (merges);
  ok (cJSON_IsTrue (cJSON_GetObjectItem (model, "byte_fallback")) && cJSON_IsTrue (cJSON_GetObjectItem (model, "fuse_unk")) && !strcmp (sol_json_string (model, "unk_token"), "<unk>"));
  ok (cJSON_GetArraySize (vocab) == N - 1 && !cJSON_GetObjectItem (vocab, "[PAD12]") && cJSON_GetObjectItem (vocab, "[PAD99]") && cJSON_GetArraySize (cJSON_GetObjectItem (t, "added_tokens")) == 3);
  ok (!strcmp (sol_json_string (cJSON_GetObjectItem (t, "post_processor"), "type"), "TemplateProcessing") && cJSON_GetArraySize (cJSON_GetObjectItem (cJSON_GetObjectItem (t, "normalizer"), "normalizers")) == 2);
  cJSON_Delete (t);
  sol_tokenizer_t *words = NULL;
  sol_ids_t ids = { 0 };
  sol_buffer_t text = { 0 };
  static const int32_t want_ids[] = { 10, 9, 11, 3 };
  need (sol_tokenizer_load (at ("words"), &words) == SOL_OK && sol_tokenizer_encode (words, "abc a\n", 6, &ids, NULL) == SOL_OK);
  sol_tokenizer_decode (words, ids.data, ids.n, 0, &text);
  ok (ids.n == 4 && !memcmp (ids.data, want_ids, sizeof want_ids) && text.bytes == 6 && !memcmp (text.data, "abc a\n", 6));
  sol_ids_free (&ids);
  sol_buffer_free (&text);
  sol_tokenizer_destroy (words);
  unload_model (&a);
  sol_buffer_free (&file);
}

int main (void)
{
  scratch_make ();
  test_models ();
  test_command ();
  test_types ();
  test_blocks ();
  test_bf16 ();
  test_rope ();
  test_byte_level ();
  test_words_files ();
  test_sentencepiece ();
  scratch_remove ();
  return tap_done ();
}
