/* SPDX-License-Identifier: Apache-2.0 */
/* new sizes from settings, and config.json out */
#include "solera/log.h"
#include "solera/model.h"
#include <stdio.h>
#include <string.h>

sol_status_t sol_arch_new (const sol_config_t *c, int32_t vocab, int32_t context, int32_t eos, sol_arch_t *arch_p)
{
  sol_arch_t a = { .layers = (int32_t) c->model_layers,
                   .width = (int32_t) c->model_width,
                   .heads = (int32_t) c->model_heads,
                   .kv_heads = (int32_t) c->model_kv_heads,
                   .mlp = (int32_t) c->model_mlp,
                   .vocab = vocab,
                   .context = context,
                   .norm_eps = 1e-5f,
                   .rope_theta = 10000,
                   .tied = c->model_tied,
                   .dtype = SOL_F32,
                   .family = "llama",
                   .bos = -1,
                   .eos = { -1, -1, -1, -1, -1, -1, -1, -1 } };
  SOL_ASSERT (vocab > 0 && context > 0 && eos < vocab);
  if (a.width % a.heads || a.width / a.heads % 2)
    return sol_fail (SOL_ERR_USAGE, "model", "model.width %d over model.heads %d: expected an even whole head size", a.width, a.heads);
  if (a.heads % a.kv_heads)
    return sol_fail (SOL_ERR_USAGE, "model", "model.heads %d: expected a multiple of model.kv_heads, found %d", a.heads, a.kv_heads);
  a.head_size = a.width / a.heads;
  if (eos >= 0) a.eos[a.n_eos++] = eos;
  *arch_p = a;
  return SOL_OK;
}

static void json_ends (const sol_arch_t *a, sol_buffer_t *out)
{
  if (a->bos >= 0)
    sol_buffer_printf (out, "  \"bos_token_id\": %d,\n", a->bos);
  else
    sol_buffer_printf (out, "  \"bos_token_id\": null,\n");
  if (a->n_eos == 0) sol_buffer_printf (out, "  \"eos_token_id\": null,\n");
  if (a->n_eos == 1) sol_buffer_printf (out, "  \"eos_token_id\": %d,\n", a->eos[0]);
  for (int i = 0; a->n_eos > 1 && i < a->n_eos; i++) sol_buffer_printf (out, i == 0 ? "  \"eos_token_id\": [%d" : ", %d", a->eos[i]);
  if (a->n_eos > 1) sol_buffer_printf (out, "],\n");
}

static void json_double (const char *key, double x, sol_buffer_t *out)
{
  sol_buffer_printf (out, ", \"%s\": ", key);
  sol_buffer_double (out, x);
}

static void json_rope (const sol_arch_t *a, sol_buffer_t *out)
{
  static const char *const name[] = { "default", "llama3", "linear", "yarn" };
  sol_buffer_printf (out, "  \"rope_theta\": ");
  sol_buffer_double (out, a->rope_theta);
  if (a->rope_kind == SOL_ROPE_PLAIN) {
    sol_buffer_printf (out, ",\n  \"rope_scaling\": null,\n");
    return;
  }
  sol_buffer_printf (out, ",\n  \"rope_scaling\": {\"rope_type\": \"%s\"", name[a->rope_kind]);
  json_double ("factor", a->rope_factor, out);
  if (a->rope_kind == SOL_ROPE_LINEAR) goto out;
  json_double (a->rope_kind == SOL_ROPE_YARN ? "beta_slow" : "low_freq_factor", a->rope_low, out);
  json_double (a->rope_kind == SOL_ROPE_YARN ? "beta_fast" : "high_freq_factor", a->rope_high, out);
  sol_buffer_printf (out, ", \"original_max_position_embeddings\": %.0f", a->rope_original);
  if (a->rope_kind == SOL_ROPE_LLAMA3) goto out;
  json_double ("attention_factor", a->rope_scale, out);
  if (a->rope_exact) sol_buffer_printf (out, ", \"truncate\": false");
out:
  sol_buffer_printf (out, "},\n");
}

/* the older style, which every transformers reads */
void sol_arch_json (const sol_arch_t *a, sol_dtype_t dtype, sol_buffer_t *out)
{
  const int qwen = !strncmp (a->family, "qwen", 4), mistral = !strcmp (a->family, "mistral");
  sol_buffer_printf (out, "{\n  \"architectures\": [\"%s\"],\n  \"attention_dropout\": 0.0,\n", sol_arch_class (a));
  if (strcmp (a->family, "qwen2") && !mistral) sol_buffer_printf (out, "  \"attention_bias\": false,\n");
  json_ends (a, out);
  if (!a->qkv_bias || a->head_size * a->heads != a->width) sol_buffer_printf (out, "  \"head_dim\": %d,\n", a->head_size);
  sol_buffer_printf (out,
                     "  \"hidden_act\": \"silu\",\n  \"hidden_size\": %d,\n  \"initializer_range\": 0.02,\n  \"intermediate_size\": %d,\n",
                     a->width, a->mlp);
  sol_buffer_printf (out, "  \"max_position_embeddings\": %d,\n", a->context);
  if (!qwen && !mistral) sol_buffer_printf (out, "  \"mlp_bias\": false,\n");
  sol_buffer_printf (out, "  \"model_type\": \"%s\",\n  \"num_attention_heads\": %d,\n  \"num_hidden_layers\": %d,\n", a->family, a->heads,
                     a->layers);
  sol_buffer_printf (out, "  \"num_key_value_heads\": %d,\n  \"rms_norm_eps\": ", a->kv_heads);
  sol_buffer_float (out, a->norm_eps);
  sol_buffer_printf (out, ",\n");
  json_rope (a, out);
  if (qwen) sol_buffer_printf (out, "  \"sliding_window\": null,\n  \"use_sliding_window\": false,\n");
  if (mistral) sol_buffer_printf (out, "  \"sliding_window\": null,\n");
  sol_buffer_printf (out, "  \"tie_word_embeddings\": %s,\n  \"torch_dtype\": \"%s\",\n", a->tied ? "true" : "false",
                     dtype == SOL_BF16 ? "bfloat16" : "float32");
  sol_buffer_printf (out, "  \"use_cache\": true,\n  \"vocab_size\": %d\n}\n", a->vocab);
}
