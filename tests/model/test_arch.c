/* SPDX-License-Identifier: Apache-2.0 */
/* config.json in both styles, what is refused and how, damaged files, and config.json out. */
#include "helpers.h"
#include "solera/file.h"
#include <fcntl.h>
#include <math.h>
#include <unistd.h>

static char dir[256], caught[4096];

/* standard error goes to a file while `load` runs, and from there to caught */
static sol_status_t load (sol_arch_t *a)
{
  char path[300];
  int saved = dup (2), fd;
  ssize_t n;
  sol_status_t st;
  snprintf (path, sizeof path, "%s/stderr", dir);
  fd = open (path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  need (fd >= 0 && saved >= 0);
  fflush (stderr);
  dup2 (fd, 2);
  st = sol_arch_load (dir, a);
  fflush (stderr);
  dup2 (saved, 2);
  close (saved);
  n = pread (fd, caught, sizeof caught - 1, 0);
  caught[n > 0 ? n : 0] = 0;
  close (fd);
  return st;
}

static void put (const char *file, const char *text, size_t bytes)
{
  char path[300];
  snprintf (path, sizeof path, "%s/%s", dir, file);
  FILE *f = fopen (path, "wb");
  need (f && fwrite (text, 1, bytes, f) == bytes && fclose (f) == 0);
}
static void drop (const char *file)
{
  char path[300];
  snprintf (path, sizeof path, "%s/%s", dir, file);
  unlink (path);
}

static const char base[] = "{\"architectures\": [\"LlamaForCausalLM\"], \"model_type\": \"llama\", \"hidden_act\": \"silu\", "
                           "\"hidden_size\": 64, \"intermediate_size\": 112, \"num_hidden_layers\": 2,"
                           "\"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"vocab_size\": 320, \"max_position_embeddings\": 256, "
                           "\"rms_norm_eps\": 1e-05, \"tie_word_embeddings\": false,"
                           "\"rope_theta\": 10000.0, \"rope_scaling\": null, \"torch_dtype\": \"float32\", \"bos_token_id\": 1, "
                           "\"eos_token_id\": 2, \"attention_bias\": false, \"mlp_bias\": false}";

/* base with one piece of text replaced */
static sol_status_t with (const char *from, const char *to, sol_arch_t *a)
{
  const char *at = strstr (base, from);
  sol_buffer_t b = { 0 };
  sol_status_t st;
  need (at);
  sol_buffer_add (&b, base, (size_t) (at - base));
  sol_buffer_printf (&b, "%s%s", to, at + strlen (from));
  put ("config.json", b.data, b.bytes);
  sol_buffer_free (&b);
  st = load (a);
  return st;
}

static void refused (const char *from, const char *to, sol_status_t want, const char *key, const char *found)
{
  sol_arch_t a = { .layers = -7 };
  const sol_status_t st = with (from, to, &a);
  tap_ok (st == want && a.layers == -7 && strstr (caught, "config.json") && strstr (caught, key) && strstr (caught, "expected")
              && strstr (caught, found),
          "%s is refused, naming file and key", to);
}

static void test_refusals (void)
{
  refused ("\"silu\"", "\"gelu\"", SOL_ERR_UNSUPPORTED, "hidden_act", "gelu");
  refused ("\"model_type\": \"llama\"", "\"model_type\": \"mixtral\"", SOL_ERR_UNSUPPORTED, "model_type", "mixtral");
  refused ("\"model_type\": \"llama\"", "\"model_type\": \"qwen3_moe\"", SOL_ERR_UNSUPPORTED, "model_type", "qwen3_moe");
  refused ("\"mlp_bias\": false", "\"num_experts\": 8", SOL_ERR_UNSUPPORTED, "num_experts", "8");
  refused ("\"mlp_bias\": false", "\"num_local_experts\": 8", SOL_ERR_UNSUPPORTED, "num_local_experts", "8");
  refused ("\"model_type\": \"llama\",", "", SOL_ERR_UNSUPPORTED, "model_type", "nothing");
  refused ("LlamaForCausalLM", "Qwen2ForCausalLM", SOL_ERR_UNSUPPORTED, "architectures", "Qwen2ForCausalLM");
  refused ("\"attention_bias\": false", "\"attention_bias\": true", SOL_ERR_UNSUPPORTED, "attention_bias", "true");
  refused ("\"mlp_bias\": false", "\"mlp_bias\": true", SOL_ERR_UNSUPPORTED, "mlp_bias", "true");
  refused ("\"mlp_bias\": false", "\"sliding_window\": 128", SOL_ERR_UNSUPPORTED, "sliding_window", "128");
  refused ("\"mlp_bias\": false", "\"use_sliding_window\": true", SOL_ERR_UNSUPPORTED, "use_sliding_window", "true");
  refused ("\"mlp_bias\": false", "\"layer_types\": [\"full_attention\", \"sliding_attention\"]", SOL_ERR_UNSUPPORTED, "layer_types",
           "sliding_attention");
  refused ("\"mlp_bias\": false", "\"partial_rotary_factor\": 0.5", SOL_ERR_UNSUPPORTED, "partial_rotary_factor", "0.5");
  refused ("\"mlp_bias\": false", "\"quantization_config\": {\"bits\": 4}", SOL_ERR_UNSUPPORTED, "quantization_config", "bits");
  refused ("\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2.0}", SOL_ERR_UNSUPPORTED, "rope_type", "dynamic");
  refused ("\"rope_scaling\": null", "\"rope_parameters\": {\"rope_type\": \"longrope\"}", SOL_ERR_UNSUPPORTED, "rope_type", "longrope");
  refused ("\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"linear\"}", SOL_ERR_FORMAT, "factor", "nothing");
  refused ("\"rope_scaling\": null", "\"rope_parameters\": {\"rope_type\": \"yarn\", \"rope_theta\": 1.0}", SOL_ERR_FORMAT, "rope_theta", "1");
  refused ("\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"yarn\", \"beta_fast\": 1}", SOL_ERR_FORMAT, "beta_fast", "1");
  refused ("\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"yarn\", \"truncate\": 1}", SOL_ERR_FORMAT, "truncate", "1");
  refused ("\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"yarn\", \"attention_factor\": -1}", SOL_ERR_FORMAT, "attention_factor", "-1");
  refused ("\"rope_scaling\": null", "\"rope_parameters\": {\"rope_type\": \"default\", \"partial_rotary_factor\": 0.5}", SOL_ERR_UNSUPPORTED, "partial_rotary_factor", "0.5");
  refused ("\"rope_scaling\": null", "\"rope_scaling\": {\"type\": 5}", SOL_ERR_FORMAT, "rope_type", "5");
  refused ("\"rope_scaling\": null", "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0}", SOL_ERR_FORMAT, "low_freq_factor",
           "nothing");
  refused ("\"rope_scaling\": null", "\"rope_scaling\": 3", SOL_ERR_FORMAT, "rope_scaling", "3");
  refused ("\"rope_theta\": 10000.0", "\"rope_theta\": -1", SOL_ERR_FORMAT, "rope_theta", "-1");
  refused ("\"torch_dtype\": \"float32\"", "\"torch_dtype\": \"float8_e4m3fn\"", SOL_ERR_UNSUPPORTED, "torch_dtype", "float8_e4m3fn");
  refused ("\"hidden_size\": 64", "\"hidden_size\": \"64\"", SOL_ERR_FORMAT, "hidden_size", "\"64\"");
  refused ("\"hidden_size\": 64", "\"hidden_size\": 66", SOL_ERR_FORMAT, "hidden_size", "66");
  refused ("\"hidden_size\": 64", "\"hidden_size\": 12", SOL_ERR_UNSUPPORTED, "head_dim", "");
  refused ("\"hidden_size\": 64,", "", SOL_ERR_FORMAT, "hidden_size", "nothing");
  refused ("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 2.5", SOL_ERR_FORMAT, "num_hidden_layers", "2.5");
  refused ("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 5000", SOL_ERR_LIMIT, "num_hidden_layers", "5000");
  refused ("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3", SOL_ERR_FORMAT, "num_key_value_heads", "3");
  refused ("\"vocab_size\": 320", "\"vocab_size\": 1e30", SOL_ERR_FORMAT, "vocab_size", "e+30");
  refused ("\"tie_word_embeddings\": false", "\"tie_word_embeddings\": 0", SOL_ERR_FORMAT, "tie_word_embeddings", "0");
  refused ("\"rms_norm_eps\": 1e-05", "\"rms_norm_eps\": 0", SOL_ERR_FORMAT, "rms_norm_eps", "0");
  refused ("\"eos_token_id\": 2", "\"eos_token_id\": 320", SOL_ERR_FORMAT, "eos_token_id", "320");
  refused ("\"eos_token_id\": 2", "\"eos_token_id\": [2, \"x\"]", SOL_ERR_FORMAT, "eos_token_id", "x");
  refused ("\"eos_token_id\": 2", "\"eos_token_id\": [1,2,3,4,5,6,7,8,9]", SOL_ERR_LIMIT, "eos_token_id", "");
  refused ("\"mlp_bias\": false}", "\"mlp_bias\": false} {}", SOL_ERR_FORMAT, "JSON", "");
}

/* the other families: base with its family, and some text behind */
static sol_status_t other (const char *family, const char *class, const char *more, sol_arch_t *a)
{
  sol_buffer_t b = { 0 };
  sol_buffer_printf (&b,
                     "{\"architectures\": [\"%s\"], \"model_type\": \"%s\", \"hidden_size\": 64, \"intermediate_size\": 112, \"num_hidden_layers\": 2, \"num_attention_heads\": 32, "
                     "\"vocab_size\": 320, \"max_position_embeddings\": 256%s}",
                     class, family, more);
  put ("config.json", b.data, b.bytes);
  sol_buffer_free (&b);
  return load (a);
}

/* what transformers takes where keys are absent, and windows that are none */
static void test_families (void)
{
  sol_arch_t a;
  ok (other ("llama", "LlamaForCausalLM", "", &a) == SOL_OK && a.kv_heads == 32 && a.head_size == 2 && a.norm_eps == 1e-6f && a.rope_theta == 10000);
  ok (other ("mistral", "MistralForCausalLM", "", &a) == SOL_OK && a.kv_heads == 8 && !a.qkv_bias && !a.qk_norm && !strcmp (sol_arch_class (&a), "MistralForCausalLM"));
  ok (other ("qwen2", "Qwen2ForCausalLM", "", &a) == SOL_OK && a.kv_heads == 32 && a.qkv_bias && a.head_size == 2);
  ok (other ("qwen2", "Qwen2ForCausalLM", ", \"sliding_window\": 128, \"use_sliding_window\": false, \"num_key_value_heads\": null", &a) == SOL_OK && a.kv_heads == 32);
  ok (other ("qwen3", "Qwen3ForCausalLM", "", &a) == SOL_OK && a.kv_heads == 32 && a.qk_norm && a.head_size == 128);
  ok (other ("qwen2", "Qwen2ForCausalLM", ", \"sliding_window\": 128, \"use_sliding_window\": true", &a) == SOL_ERR_UNSUPPORTED && strstr (caught, "use_sliding_window"));
  ok (other ("mistral", "MistralForCausalLM", ", \"sliding_window\": 255", &a) == SOL_ERR_UNSUPPORTED && strstr (caught, "key sliding_window") && strstr (caught, "255"));
  ok (other ("mistral", "MistralForCausalLM", ", \"sliding_window\": 256", &a) == SOL_OK);
  ok (other ("mistral", "MistralForCausalLM", ", \"sliding_window\": \"x\"", &a) == SOL_ERR_FORMAT);
  ok (other ("mistral", "LlamaForCausalLM", "", &a) == SOL_ERR_UNSUPPORTED && strstr (caught, "architectures"));
}

/* every form of RoPE, out and in again */
static void test_rope (void)
{
  static const struct { const char *text; sol_rope_kind_t kind; double factor, low, high, original, scale; int exact; } form[] = {
    { "{\"type\": \"linear\", \"factor\": 2.5}", SOL_ROPE_LINEAR, 2.5, 0, 0, 0, 1, 0 },
    { "{\"type\": \"yarn\", \"factor\": 4.0, \"original_max_position_embeddings\": 64}", SOL_ROPE_YARN, 4, 1, 32, 64, 1.1386294361119891, 0 },
    { "{\"type\": \"yarn\", \"original_max_position_embeddings\": 128, \"truncate\": false, \"beta_fast\": 8, \"beta_slow\": 2}", SOL_ROPE_YARN, 2, 2, 8, 128, 1.0693147180559945, 1 },
    { "{\"type\": \"yarn\", \"factor\": 4, \"attention_factor\": 1.5, \"mscale\": 1, \"mscale_all_dim\": 2}", SOL_ROPE_YARN, 4, 1, 32, 256, 1.5, 0 },
    { "{\"type\": \"yarn\", \"factor\": 4, \"mscale\": 2, \"mscale_all_dim\": 1}", SOL_ROPE_YARN, 4, 1, 32, 256, 1.2772588722239782 / 1.1386294361119891, 0 },
    { "{\"type\": \"yarn\", \"factor\": 0.5}", SOL_ROPE_YARN, 0.5, 1, 32, 256, 1, 0 },
  };
  for (size_t i = 0; i < sizeof form / sizeof *form; i++) {
    sol_arch_t a, b;
    sol_buffer_t to = { 0 }, json = { 0 };
    sol_buffer_printf (&to, "\"rope_scaling\": %s", form[i].text);
    need (with ("\"rope_scaling\": null", to.data, &a) == SOL_OK);
    tap_ok (a.rope_kind == form[i].kind && a.rope_factor == form[i].factor && a.rope_low == form[i].low && a.rope_high == form[i].high && a.rope_original == form[i].original
                && fabs (a.rope_scale - form[i].scale) < 1e-15 && a.rope_exact == form[i].exact,
            "%s", form[i].text);
    sol_arch_json (&a, SOL_F32, &json);
    put ("config.json", json.data, json.bytes);
    need (load (&b) == SOL_OK);
    ok (b.rope_kind == a.rope_kind && b.rope_factor == a.rope_factor && b.rope_low == a.rope_low && b.rope_high == a.rope_high && b.rope_original == a.rope_original && b.rope_scale == a.rope_scale
        && b.rope_exact == a.rope_exact);
    sol_buffer_free (&to);
    sol_buffer_free (&json);
  }
}

static void test_accepted (void)
{
  sol_arch_t a;
  ok (with ("\"eos_token_id\": 2", "\"eos_token_id\": [7, 2, 7]", &a) == SOL_OK && a.n_eos == 2 && a.eos[0] == 7 && a.eos[1] == 2
      && a.bos == 1);
  put ("generation_config.json", "{\"eos_token_id\": [2, 9], \"bos_token_id\": 5}",
       strlen ("{\"eos_token_id\": [2, 9], \"bos_token_id\": 5}"));
  ok (load (&a) == SOL_OK && a.n_eos == 3 && a.eos[0] == 7 && a.eos[1] == 2 && a.eos[2] == 9 && a.bos == 1);
  put ("generation_config.json", "{\"eos_token_id\": 4}", strlen ("{\"eos_token_id\": 4}"));
  ok (load (&a) == SOL_OK && a.n_eos == 3 && a.eos[2] == 4);
  put ("generation_config.json", "{\"eos_token_id\": 400}", strlen ("{\"eos_token_id\": 400}"));
  ok (load (&a) == SOL_ERR_FORMAT && strstr (caught, "generation_config.json"));
  drop ("generation_config.json");
  ok (with ("\"eos_token_id\": 2", "\"eos_token_id\": null", &a) == SOL_OK && a.n_eos == 0);
  ok (with ("\"torch_dtype\": \"float32\"", "\"dtype\": \"bfloat16\"", &a) == SOL_OK && a.dtype == SOL_BF16);
  ok (with ("\"torch_dtype\": \"float32\"", "\"torch_dtype\": \"float16\"", &a) == SOL_OK && a.dtype == SOL_F32);
  ok (with ("\"num_key_value_heads\": 2, ", "", &a) == SOL_OK && a.kv_heads == 4 && a.head_size == 16);
  ok (with ("\"rope_scaling\": null", "\"head_dim\": 8, \"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 500.0}", &a)
          == SOL_OK
      && a.head_size == 8 && a.rope_theta == 500);
  drop ("config.json");
  ok (load (&a) == SOL_ERR_IO);
}

/* every shortening, and a change of every byte: an error or a valid arch, never a crash */
static void test_damage (void)
{
  const size_t n = strlen (base);
  char *copy = sol_alloc (n + 1);
  int errors = 0;
  for (size_t k = 0; k < n; k++) {
    sol_arch_t a;
    put ("config.json", base, k);
    errors += load (&a) != SOL_OK;
  }
  tap_ok (errors == (int) n, "every truncation of config.json is an error");
  for (size_t k = 0; k < n; k++) {
    sol_arch_t a;
    memcpy (copy, base, n);
    copy[k] = (char) (copy[k] ^ (1 << below (31, (uint32_t) k, 8)));
    put ("config.json", copy, n);
    if (load (&a) == SOL_OK)
      need (a.layers > 0 && a.heads % a.kv_heads == 0 && a.head_size % 2 == 0 && a.n_eos <= 8 && isfinite (a.rope_theta));
  }
  tap_ok (1, "flipped bits of config.json do no harm");
  drop ("config.json");
  sol_free (copy);
}

/* the six folders that transformers wrote, and what we write from them reads back the same */
static void test_tiny (void)
{
  static const char *const name[] = { "llama-gqa", "llama3-rope", "qwen2", "qwen2.5", "qwen3", "smollm" };
  static const sol_dtype_t dtype[] = { SOL_F32, SOL_BF16, SOL_BF16, SOL_F32, SOL_F32, SOL_BF16 };
  const char *src = getenv ("top_srcdir");
  for (int i = 0; i < 6; i++) {
    char path[512];
    sol_arch_t a, b, want = shape (i);
    sol_buffer_t json = { 0 };
    snprintf (path, sizeof path, "%.300s/tests/data/tiny_models/%s", src ? src : "..", name[i]);
    need (sol_arch_load (path, &a) == SOL_OK);
    tap_ok (a.layers == want.layers && a.width == want.width && a.heads == want.heads && a.kv_heads == want.kv_heads
                && a.head_size == want.head_size && a.mlp == want.mlp && a.vocab == want.vocab && a.tied == want.tied
                && a.qkv_bias == want.qkv_bias && a.qk_norm == want.qk_norm && !strcmp (a.family, want.family) && a.dtype == dtype[i]
                && a.bos == 1 && a.n_eos == 1 && a.eos[0] == 2 && a.rope_kind == want.rope_kind && a.rope_factor == want.rope_factor
                && a.rope_original == want.rope_original,
            "%s", name[i]);
    sol_arch_json (&a, dtype[i], &json);
    put ("config.json", json.data, json.bytes);
    memset (&b, 0, sizeof b);
    need (load (&b) == SOL_OK);
    tap_ok (a.layers == b.layers && a.width == b.width && a.heads == b.heads && a.kv_heads == b.kv_heads && a.head_size == b.head_size
                && a.mlp == b.mlp && a.vocab == b.vocab && a.context == b.context && a.norm_eps == b.norm_eps
                && a.rope_theta == b.rope_theta && a.rope_kind == b.rope_kind && a.rope_factor == b.rope_factor && a.rope_low == b.rope_low
                && a.rope_high == b.rope_high && a.rope_original == b.rope_original && a.tied == b.tied && a.qkv_bias == b.qkv_bias
                && a.qk_norm == b.qk_norm && a.dtype == b.dtype && !strcmp (a.family, b.family) && a.bos == b.bos && a.n_eos == b.n_eos
                && a.eos[0] == b.eos[0],
            "%s: config.json out and in again", name[i]);
    sol_buffer_free (&json);
  }
}

static void test_new (void)
{
  sol_config_t c = { .model_layers = 2, .model_width = 64, .model_heads = 4, .model_kv_heads = 2, .model_mlp = 170 };
  sol_arch_t a;
  int saved = dup (2), fd = open ("/dev/null", O_WRONLY);
  ok (sol_arch_new (&c, 19, 40, 3, &a) == SOL_OK && a.head_size == 16 && a.vocab == 19 && a.context == 40 && a.n_eos == 1 && a.eos[0] == 3
      && a.bos == -1 && !strcmp (a.family, "llama"));
  dup2 (fd, 2);
  c.model_heads = 3;
  ok (sol_arch_new (&c, 19, 40, 3, &a) == SOL_ERR_USAGE);
  c.model_heads = 64;
  ok (sol_arch_new (&c, 19, 40, 3, &a) == SOL_ERR_USAGE);
  c.model_heads = 4;
  c.model_kv_heads = 3;
  ok (sol_arch_new (&c, 19, 40, 3, &a) == SOL_ERR_USAGE);
  dup2 (saved, 2);
  close (saved);
  close (fd);
}

int main (void)
{
  const char *tmp = getenv ("TEST_TMPDIR");
  snprintf (dir, sizeof dir, "%.200s/arch.XXXXXX", tmp ? tmp : "/tmp");
  need (mkdtemp (dir));
  test_refusals ();
  test_families ();
  test_rope ();
  test_accepted ();
  test_damage ();
  test_tiny ();
  test_new ();
  ok (sol_dir_remove (dir) == SOL_OK);
  return tap_done ();
}
