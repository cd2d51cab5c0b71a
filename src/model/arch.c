/* SPDX-License-Identifier: Apache-2.0 */
/* config.json of a Hugging Face folder, in both styles. A key that would change the mathematics in a way that is not built here is an error
 * that names it; keys that only training frameworks read are passed over. Absent keys have the value that transformers gives them. */
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/model.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define SIZE_MOST (1 << 24)

typedef struct {
  const char *path;
  const cJSON *root;
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

static sol_status_t refuse_unsupported (const file_t *f, const char *family)
{
  const cJSON *v = key_of (f->root, "hidden_act"), *t;
  int window;
  if (v && !(cJSON_IsString (v) && !strcmp (v->valuestring, "silu"))) return wrong (f, SOL_ERR_UNSUPPORTED, "hidden_act", "\"silu\"", v);
  if (strcmp (family, "qwen2")) SOL_TRY (must_not (f, "attention_bias")); /* Qwen2 has its q, k, v bias whatever this says */
  SOL_TRY (must_not (f, "mlp_bias"));
  SOL_TRY (flag (f, "use_sliding_window", &window));
  if (window)
    return wrong (f, SOL_ERR_UNSUPPORTED, "use_sliding_window", "false (every layer sees everything)",
                  key_of (f->root, "use_sliding_window"));
  if (!strcmp (family, "llama") && (v = key_of (f->root, "sliding_window")))
    return wrong (f, SOL_ERR_UNSUPPORTED, "sliding_window", "null", v);
  if ((v = key_of (f->root, "layer_types"))) {
    if (!cJSON_IsArray (v)) return wrong (f, SOL_ERR_FORMAT, "layer_types", "a list", v);
    cJSON_ArrayForEach (t, v)
      if (!cJSON_IsString (t) || strcmp (t->valuestring, "full_attention"))
        return wrong (f, SOL_ERR_UNSUPPORTED, "layer_types", "\"full_attention\" for each layer", t);
  }
  v = key_of (f->root, "partial_rotary_factor");
  if (v && !(cJSON_IsNumber (v) && v->valuedouble == 1)) return wrong (f, SOL_ERR_UNSUPPORTED, "partial_rotary_factor", "1", v);
  if ((v = key_of (f->root, "quantization_config")))
    return wrong (f, SOL_ERR_UNSUPPORTED, "quantization_config", "no quantized weights", v);
  return SOL_OK;
}

static sol_status_t load_family (const file_t *f, sol_arch_t *a)
{
  static const char *const name[3][2]
      = { { "llama", "LlamaForCausalLM" }, { "qwen2", "Qwen2ForCausalLM" }, { "qwen3", "Qwen3ForCausalLM" } };
  const cJSON *v = key_of (f->root, "model_type"), *list = key_of (f->root, "architectures"), *first = cJSON_GetArrayItem (list, 0);
  for (int i = 0; i < 3; i++) {
    if (!v || !cJSON_IsString (v) || strcmp (v->valuestring, name[i][0])) continue;
    if (list && (!cJSON_IsString (first) || strcmp (first->valuestring, name[i][1])))
      return wrong (f, SOL_ERR_UNSUPPORTED, "architectures", name[i][1], list);
    snprintf (a->family, sizeof a->family, "%s", name[i][0]);
    a->qkv_bias = i == 1;
    a->qk_norm = i == 2;
    return SOL_OK;
  }
  return wrong (f, SOL_ERR_UNSUPPORTED, "model_type", "\"llama\", \"qwen2\" or \"qwen3\"", v);
}

/* the style up to transformers 4 has rope_theta and rope_scaling; from 5 on both are in rope_parameters */
static sol_status_t load_rope (const file_t *f, sol_arch_t *a)
{
  const cJSON *p = key_of (f->root, "rope_parameters"), *type;
  const char *name = p ? "rope_parameters" : "rope_scaling";
  SOL_TRY (positive (f, f->root, "rope_theta", 10000, &a->rope_theta));
  if (!p) p = key_of (f->root, "rope_scaling");
  a->rope_kind = SOL_ROPE_PLAIN;
  if (!p) return SOL_OK;
  if (!cJSON_IsObject (p)) return wrong (f, SOL_ERR_FORMAT, name, "an object or null", p);
  SOL_TRY (positive (f, p, "rope_theta", a->rope_theta, &a->rope_theta));
  type = key_of (p, "rope_type");
  if (!type) type = key_of (p, "type");
  if (type && !cJSON_IsString (type)) return wrong (f, SOL_ERR_FORMAT, "rope_type", "a string", type);
  if (!type || !strcmp (type->valuestring, "default")) return SOL_OK;
  if (strcmp (type->valuestring, "llama3")) return wrong (f, SOL_ERR_UNSUPPORTED, "rope_type", "\"default\" or \"llama3\"", type);
  a->rope_kind = SOL_ROPE_LLAMA3;
  SOL_TRY (positive (f, p, "factor", 0, &a->rope_factor));
  SOL_TRY (positive (f, p, "low_freq_factor", 0, &a->rope_low));
  SOL_TRY (positive (f, p, "high_freq_factor", 0, &a->rope_high));
  SOL_TRY (positive (f, p, "original_max_position_embeddings", 0, &a->rope_original));
  if (!(a->rope_high > a->rope_low))
    return wrong (f, SOL_ERR_FORMAT, "high_freq_factor", "more than low_freq_factor", key_of (p, "high_freq_factor"));
  return SOL_OK;
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
  SOL_TRY (whole (f, "num_hidden_layers", 0, &a->layers));
  SOL_TRY (whole (f, "hidden_size", 0, &a->width));
  SOL_TRY (whole (f, "num_attention_heads", 0, &a->heads));
  SOL_TRY (whole (f, "num_key_value_heads", a->heads, &a->kv_heads));
  SOL_TRY (whole (f, "intermediate_size", 0, &a->mlp));
  SOL_TRY (whole (f, "vocab_size", 0, &a->vocab));
  SOL_TRY (whole (f, "max_position_embeddings", 0, &a->context));
  if (a->layers > 4096) return wrong (f, SOL_ERR_LIMIT, "num_hidden_layers", "at most 4096", key_of (f->root, "num_hidden_layers"));
  if (a->heads % a->kv_heads)
    return wrong (f, SOL_ERR_FORMAT, "num_key_value_heads", "a divisor of num_attention_heads", key_of (f->root, "num_key_value_heads"));
  if (!key_of (f->root, "head_dim") && a->width % a->heads)
    return wrong (f, SOL_ERR_FORMAT, "hidden_size", "a multiple of num_attention_heads", key_of (f->root, "hidden_size"));
  SOL_TRY (whole (f, "head_dim", a->width / a->heads, &a->head_size));
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

static sol_status_t load_config (const file_t *f, sol_arch_t *a)
{
  SOL_TRY (load_family (f, a));
  SOL_TRY (refuse_unsupported (f, a->family));
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
  SOL_GO (load_config (&(file_t){ path, root }, &a));
  if (sol_file_exists (more)) {
    cJSON_Delete (root);
    sol_free (text);
    root = NULL;
    text = NULL;
    SOL_GO (open_json (more, &text, &root));
    SOL_GO (load_ends (&(file_t){ more, root }, &a));
  }
  *arch_p = a;
out:
  cJSON_Delete (root);
  sol_free (text);
  sol_free (path);
  sol_free (more);
  return st;
}
