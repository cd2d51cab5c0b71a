/* SPDX-License-Identifier: Apache-2.0 */
/* config.json of a Hugging Face folder, in both styles. A key that would change the mathematics in a way that is not built here is an error
 * that names it; keys that only training frameworks read are passed over. Absent keys have the value that transformers gives them. */
#include "solera/elementary.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/model.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define SIZE_MOST (1 << 24)

/* A model_type, its class, and what transformers takes where a key is absent: kv_heads and head_size 0: as many as heads, width / heads; window: of attention, 0: none. */
typedef struct {
  const char *name, *class;
  int qkv_bias, qk_norm, window;
  int32_t kv_heads, head_size;
} family_t;
static const family_t families[] = { { "llama", "LlamaForCausalLM", 0, 0, 0, 0, 0 },
                                     { "mistral", "MistralForCausalLM", 0, 0, 4096, 8, 0 },
                                     { "qwen2", "Qwen2ForCausalLM", 1, 0, 0, 32, 0 },
                                     { "qwen3", "Qwen3ForCausalLM", 0, 1, 0, 32, 128 } };

typedef struct {
  const char *path;
  const cJSON *root;
  const family_t *family;
} file_t;

static sol_status_t open_json (const char *path, char **text_p, cJSON **root_p)
{
  char *text;
  size_t bytes;
  const char *end = NULL;
  SOL_TRY (sol_file_read (path, 16u << 20, &text, &bytes));
  cJSON *root = cJSON_ParseWithLengthOpts (text, bytes, &end, 0);
  if (root) end += strspn (end, " \t\r\n");
  if (!root || !cJSON_IsObject (root) || end != text + bytes) {
    size_t at = !end || (root && !cJSON_IsObject (root)) ? 0 : (size_t) (end - text);
    cJSON_Delete (root);
    sol_free (text);
    return sol_fail (SOL_ERR_FORMAT, "model", "%s: expected a JSON object, found something else at byte %zu", path, at);
  }
  *text_p = text;
  *root_p = root;
  return SOL_OK;
}

/* the value of a key as short text, for messages */
static const char *shown (const cJSON *v, char *buf, size_t n)
{
  char *text = v ? cJSON_PrintUnformatted (v) : NULL;
  snprintf (buf, n, "%.60s", text ? text : "nothing");
  cJSON_free (text);
  return buf;
}

static sol_status_t wrong (const file_t *f, sol_status_t st, const char *key, const char *expected, const cJSON *found)
{
  char buf[64];
  return sol_fail (st, "model", "%s: key %s: expected %s, found %s", f->path, key, expected, shown (found, buf, sizeof buf));
}

/* absent and null are the same to transformers */
static const cJSON *key_of (const cJSON *object, const char *key)
{
  const cJSON *v = cJSON_GetObjectItemCaseSensitive (object, key);
  return cJSON_IsNull (v) ? NULL : v;
}

static sol_status_t whole (const file_t *f, const char *key, int32_t absent, int32_t *x_p)
{
  const cJSON *v = key_of (f->root, key);
  double d = v && cJSON_IsNumber (v) ? v->valuedouble : NAN;
  char text[64];
  if (!v && absent > 0) {
    *x_p = absent;
    return SOL_OK;
  }
  snprintf (text, sizeof text, "a whole number from 1 to %d", SIZE_MOST);
  if (!(d >= 1 && d <= SIZE_MOST) || d != floor (d)) return wrong (f, SOL_ERR_FORMAT, key, text, v);
  *x_p = (int32_t) d;
  return SOL_OK;
}

static sol_status_t positive (const file_t *f, const cJSON *object, const char *key, double absent, double *x_p)
{
  const cJSON *v = key_of (object, key);
  if (!v && absent > 0) {
    *x_p = absent;
    return SOL_OK;
  }
  if (!v || !cJSON_IsNumber (v) || !(v->valuedouble > 0) || !isfinite (v->valuedouble))
    return wrong (f, SOL_ERR_FORMAT, key, "a number over 0", v);
  *x_p = v->valuedouble;
  return SOL_OK;
}

static sol_status_t flag (const file_t *f, const char *key, int *x_p)
{
  const cJSON *v = key_of (f->root, key);
  if (v && !cJSON_IsBool (v)) return wrong (f, SOL_ERR_FORMAT, key, "true or false", v);
  *x_p = v ? cJSON_IsTrue (v) : 0;
  return SOL_OK;
}

/* what must be absent, null or the one value that is built here */
static sol_status_t must_not (const file_t *f, const char *key)
{
  int x;
  SOL_TRY (flag (f, key, &x));
  return x ? wrong (f, SOL_ERR_UNSUPPORTED, key, "false (the only form supported)", key_of (f->root, key)) : SOL_OK;
}

static int present (const file_t *f, const char *key) { return cJSON_HasObjectItem (f->root, key); }

/* Attention over a window is not built; one that holds the whole context is no window. The Qwens have one only where use_sliding_window says so. */
static sol_status_t refuse_window (const file_t *f)
{
  const cJSON *v = key_of (f->root, "sliding_window"), *context = key_of (f->root, "max_position_embeddings"), *t;
  const int asked = !strncmp (f->family->name, "qwen", 4);
  char text[96];
  int window;
  SOL_TRY (flag (f, "use_sliding_window", &window));
  if (window) return wrong (f, SOL_ERR_UNSUPPORTED, "use_sliding_window", "false (every layer sees everything)", key_of (f->root, "use_sliding_window"));
  snprintf (text, sizeof text, "null, or no less than max_position_embeddings%s", f->family->window ? " (an absent key means 4096)" : "");
  if (v && !cJSON_IsNumber (v)) return wrong (f, SOL_ERR_FORMAT, "sliding_window", text, v);
  if (!asked && (v || (f->family->window && !present (f, "sliding_window"))) && !(cJSON_IsNumber (context) && (v ? v->valuedouble : f->family->window) >= context->valuedouble))
    return wrong (f, SOL_ERR_UNSUPPORTED, "sliding_window", text, v);
  if ((v = key_of (f->root, "layer_types"))) {
    if (!cJSON_IsArray (v)) return wrong (f, SOL_ERR_FORMAT, "layer_types", "a list", v);
    cJSON_ArrayForEach (t, v)
      if (!cJSON_IsString (t) || strcmp (t->valuestring, "full_attention"))
        return wrong (f, SOL_ERR_UNSUPPORTED, "layer_types", "\"full_attention\" for each layer", t);
  }
  return SOL_OK;
}

static sol_status_t refuse_unsupported (const file_t *f)
{
  static const char *const experts[] = { "num_experts", "num_local_experts", "n_routed_experts" };
  const cJSON *v = key_of (f->root, "hidden_act");
  if (v && !(cJSON_IsString (v) && !strcmp (v->valuestring, "silu"))) return wrong (f, SOL_ERR_UNSUPPORTED, "hidden_act", "\"silu\"", v);
  if (strcmp (f->family->name, "qwen2")) SOL_TRY (must_not (f, "attention_bias")); /* Qwen2 has its q, k, v bias whatever this says */
  SOL_TRY (must_not (f, "mlp_bias"));
  SOL_TRY (refuse_window (f));
  for (size_t i = 0; i < sizeof experts / sizeof *experts; i++)
    if ((v = key_of (f->root, experts[i]))) return wrong (f, SOL_ERR_UNSUPPORTED, experts[i], "none (a mixture of experts is not supported)", v);
  v = key_of (f->root, "partial_rotary_factor");
  if (v && !(cJSON_IsNumber (v) && v->valuedouble == 1)) return wrong (f, SOL_ERR_UNSUPPORTED, "partial_rotary_factor", "1", v);
  if ((v = key_of (f->root, "quantization_config")))
    return wrong (f, SOL_ERR_UNSUPPORTED, "quantization_config", "no quantized weights", v);
  return SOL_OK;
}

static sol_status_t load_family (file_t *f, sol_arch_t *a)
{
  const cJSON *v = key_of (f->root, "model_type"), *list = key_of (f->root, "architectures"), *first = cJSON_GetArrayItem (list, 0);
  for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
    f->family = &families[i];
    if (!v || !cJSON_IsString (v) || strcmp (v->valuestring, f->family->name)) continue;
    if (list && (!cJSON_IsString (first) || strcmp (first->valuestring, f->family->class)))
      return wrong (f, SOL_ERR_UNSUPPORTED, "architectures", f->family->class, list);
    snprintf (a->family, sizeof a->family, "%s", f->family->name);
    a->qkv_bias = f->family->qkv_bias;
    a->qk_norm = f->family->qk_norm;
    return SOL_OK;
  }
  return wrong (f, SOL_ERR_UNSUPPORTED, "model_type", "\"llama\", \"mistral\", \"qwen2\" or \"qwen3\"", v);
}

const char *sol_arch_class (const sol_arch_t *a)
{
  const char *class = NULL;
  for (size_t i = 0; i < sizeof families / sizeof *families; i++)
    if (!strcmp (families[i].name, a->family)) class = families[i].class;
  SOL_ASSERT (class != NULL); /* families come from the table */
  return class;
}

static sol_status_t load_llama3 (const file_t *f, const cJSON *p, sol_arch_t *a)
{
  a->rope_kind = SOL_ROPE_LLAMA3;
  SOL_TRY (positive (f, p, "factor", 0, &a->rope_factor));
  SOL_TRY (positive (f, p, "low_freq_factor", 0, &a->rope_low));
  SOL_TRY (positive (f, p, "high_freq_factor", 0, &a->rope_high));
  SOL_TRY (positive (f, p, "original_max_position_embeddings", 0, &a->rope_original));
  if (!(a->rope_high > a->rope_low))
    return wrong (f, SOL_ERR_FORMAT, "high_freq_factor", "more than low_freq_factor", key_of (p, "high_freq_factor"));
  return SOL_OK;
}

static double mscale (double factor, double m) { return factor > 1 ? 0.1 * m * sol_log_exact (factor) + 1 : 1; }

/* what is absent, and which key goes before which, as in Hugging Face's _compute_yarn_parameters */
static sol_status_t load_yarn (const file_t *f, const cJSON *p, sol_arch_t *a)
{
  const cJSON *truncate = key_of (p, "truncate"), *outer = key_of (f->root, "original_max_position_embeddings");
  double m = 0, all = 0;
  a->rope_kind = SOL_ROPE_YARN;
  SOL_TRY (positive (f, outer ? f->root : p, "original_max_position_embeddings", a->context, &a->rope_original));
  SOL_TRY (positive (f, p, "factor", a->context / a->rope_original, &a->rope_factor));
  SOL_TRY (positive (f, p, "beta_fast", 32, &a->rope_high));
  SOL_TRY (positive (f, p, "beta_slow", 1, &a->rope_low));
  if (!(a->rope_high > a->rope_low)) return wrong (f, SOL_ERR_FORMAT, "beta_fast", "more than beta_slow", key_of (p, "beta_fast"));
  if (!(a->rope_theta > 1)) return wrong (f, SOL_ERR_FORMAT, "rope_theta", "more than 1", key_of (p, "rope_theta"));
  if (truncate && !cJSON_IsBool (truncate)) return wrong (f, SOL_ERR_FORMAT, "truncate", "true or false", truncate);
  a->rope_exact = cJSON_IsFalse (truncate);
  if (key_of (p, "mscale")) SOL_TRY (positive (f, p, "mscale", 0, &m));
  if (key_of (p, "mscale_all_dim")) SOL_TRY (positive (f, p, "mscale_all_dim", 0, &all));
  return positive (f, p, "attention_factor", m > 0 && all > 0 ? mscale (a->rope_factor, m) / mscale (a->rope_factor, all) : mscale (a->rope_factor, 1), &a->rope_scale);
}

/* the style up to transformers 4 has rope_theta and rope_scaling; from 5 on both are in rope_parameters */
static sol_status_t load_rope (const file_t *f, sol_arch_t *a)
{
  const cJSON *p = key_of (f->root, "rope_parameters"), *type;
  const char *name = p ? "rope_parameters" : "rope_scaling";
  SOL_TRY (positive (f, f->root, "rope_theta", 10000, &a->rope_theta));
  if (!p) p = key_of (f->root, "rope_scaling");
  a->rope_kind = SOL_ROPE_PLAIN;
  a->rope_scale = 1;
  if (!p) return SOL_OK;
  if (!cJSON_IsObject (p)) return wrong (f, SOL_ERR_FORMAT, name, "an object or null", p);
  if ((type = key_of (p, "partial_rotary_factor")) && !(cJSON_IsNumber (type) && type->valuedouble == 1)) return wrong (f, SOL_ERR_UNSUPPORTED, "partial_rotary_factor", "1", type);
  SOL_TRY (positive (f, p, "rope_theta", a->rope_theta, &a->rope_theta));
  type = key_of (p, "rope_type");
  if (!type) type = key_of (p, "type");
  if (type && !cJSON_IsString (type)) return wrong (f, SOL_ERR_FORMAT, "rope_type", "a string", type);
  if (!type || !strcmp (type->valuestring, "default")) return SOL_OK;
  if (!strcmp (type->valuestring, "llama3")) return load_llama3 (f, p, a);
  if (!strcmp (type->valuestring, "yarn")) return load_yarn (f, p, a);
  if (strcmp (type->valuestring, "linear")) return wrong (f, SOL_ERR_UNSUPPORTED, "rope_type", "\"default\", \"linear\", \"llama3\" or \"yarn\"", type);
  a->rope_kind = SOL_ROPE_LINEAR;
  return positive (f, p, "factor", 0, &a->rope_factor);
}

static sol_status_t load_dtype (const file_t *f, sol_arch_t *a)
{
  const char *key = key_of (f->root, "dtype") ? "dtype" : "torch_dtype";
  const cJSON *v = key_of (f->root, key);
  const char *s = v && cJSON_IsString (v) ? v->valuestring : "";
  if (!strncmp (s, "torch.", 6)) s += 6;
  if (!v || !strcmp (s, "float32") || !strcmp (s, "float16"))
    a->dtype = SOL_F32;
  else if (!strcmp (s, "bfloat16"))
    a->dtype = SOL_BF16;
  else
    return wrong (f, SOL_ERR_UNSUPPORTED, key, "\"float32\", \"bfloat16\" or \"float16\"", v);
  return SOL_OK;
}

static sol_status_t load_sizes (const file_t *f, sol_arch_t *a)
{
  double eps;
  const family_t *family = f->family;
  SOL_TRY (whole (f, "num_hidden_layers", 0, &a->layers));
  SOL_TRY (whole (f, "hidden_size", 0, &a->width));
  SOL_TRY (whole (f, "num_attention_heads", 0, &a->heads));
  SOL_TRY (whole (f, "num_key_value_heads", family->kv_heads && !present (f, "num_key_value_heads") ? family->kv_heads : a->heads, &a->kv_heads));
  SOL_TRY (whole (f, "intermediate_size", 0, &a->mlp));
  SOL_TRY (whole (f, "vocab_size", 0, &a->vocab));
  SOL_TRY (whole (f, "max_position_embeddings", 0, &a->context));
  if (a->layers > 4096) return wrong (f, SOL_ERR_LIMIT, "num_hidden_layers", "at most 4096", key_of (f->root, "num_hidden_layers"));
  if (a->heads % a->kv_heads)
    return wrong (f, SOL_ERR_FORMAT, "num_key_value_heads", "a divisor of num_attention_heads", key_of (f->root, "num_key_value_heads"));
  if (!key_of (f->root, "head_dim") && !family->head_size && a->width % a->heads)
    return wrong (f, SOL_ERR_FORMAT, "hidden_size", "a multiple of num_attention_heads", key_of (f->root, "hidden_size"));
  SOL_TRY (whole (f, "head_dim", family->head_size ? family->head_size : a->width / a->heads, &a->head_size));
  if (a->head_size % 2 || a->head_size > 1024)
    return wrong (f, SOL_ERR_UNSUPPORTED, "head_dim", "an even number up to 1024", key_of (f->root, "head_dim"));
  if ((int64_t) a->heads * a->head_size > SIZE_MOST)
    return wrong (f, SOL_ERR_LIMIT, "num_attention_heads", "heads x head size up to 16777216", key_of (f->root, "num_attention_heads"));
  SOL_TRY (positive (f, f->root, "rms_norm_eps", 1e-6, &eps));
  a->norm_eps = (float) eps;
  return flag (f, "tie_word_embeddings", &a->tied);
}

static sol_status_t token_id (const file_t *f, const char *key, const cJSON *v, int32_t vocab, int32_t *id_p)
{
  char text[64];
  double d = cJSON_IsNumber (v) ? v->valuedouble : NAN;
  snprintf (text, sizeof text, "a token id under %d", vocab);
  if (!(d >= 0 && d < vocab) || d != floor (d)) return wrong (f, SOL_ERR_FORMAT, key, text, v);
  *id_p = (int32_t) d;
  return SOL_OK;
}

/* eos ids of both files, each once; an integer or a list */
static sol_status_t load_ends (const file_t *f, sol_arch_t *a)
{
  const cJSON *v = key_of (f->root, "eos_token_id"), *e;
  const int list = cJSON_IsArray (v);
  int n = !v ? 0 : list ? cJSON_GetArraySize (v) : 1;
  for (int i = 0; i < n; i++) {
    int32_t id, k = 0;
    e = list ? cJSON_GetArrayItem (v, i) : v;
    SOL_TRY (token_id (f, "eos_token_id", e, a->vocab, &id));
    while (k < a->n_eos && a->eos[k] != id) k++;
    if (k == 8) return wrong (f, SOL_ERR_LIMIT, "eos_token_id", "at most 8 tokens", v);
    a->eos[k] = id;
    if (k == a->n_eos) a->n_eos++;
  }
  v = key_of (f->root, "bos_token_id");
  if (v && a->bos < 0) SOL_TRY (token_id (f, "bos_token_id", v, a->vocab, &a->bos));
  return SOL_OK;
}

static sol_status_t load_config (file_t *f, sol_arch_t *a)
{
  SOL_TRY (load_family (f, a));
  SOL_TRY (refuse_unsupported (f));
  SOL_TRY (load_sizes (f, a));
  SOL_TRY (load_rope (f, a));
  SOL_TRY (load_dtype (f, a));
  return load_ends (f, a);
}

sol_status_t sol_arch_load (const char *dir, sol_arch_t *arch_p)
{
  char *path = sol_path_join (dir, "config.json"), *more = sol_path_join (dir, "generation_config.json"), *text = NULL;
  cJSON *root = NULL;
  sol_arch_t a = { .bos = -1, .eos = { -1, -1, -1, -1, -1, -1, -1, -1 } };
  sol_status_t st;
  SOL_GO (open_json (path, &text, &root));
  SOL_GO (load_config (&(file_t){ path, root, NULL }, &a));
  if (sol_file_exists (more)) {
    cJSON_Delete (root);
    sol_free (text);
    root = NULL;
    text = NULL;
    SOL_GO (open_json (more, &text, &root));
    SOL_GO (load_ends (&(file_t){ more, root, NULL }, &a));
  }
  *arch_p = a;
out:
  cJSON_Delete (root);
  sol_free (text);
  sol_free (path);
  sol_free (more);
  return st;
}
