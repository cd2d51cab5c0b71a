/* SPDX-License-Identifier: Apache-2.0 */
/* The keys tokenizer.* as tokenizer.json, tokenizer_config.json and generation_config.json. Two kinds: "gpt2", byte-level BPE whose pre-tokenizer has a name, and "llama", SentencePiece's BPE. */
#include "gguf_model.h"
#include "gguf_words.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM "gguf"

/* The steps that the names of pre-tokenizers stand for, as their models' tokenizer.json has them. To add one: a row here. */
#define BYTE_LEVEL(regex) "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": " regex "}"
#define SPLIT(digits)                                                                                                                                                                                    \
  "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Split\", \"pattern\": {\"Regex\": "                                                                                                         \
  "\"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|" digits "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"}, "                            \
  "\"behavior\": \"Isolated\", \"invert\": false}, " BYTE_LEVEL ("false") "]}"
static const struct sol_gguf_pre {
  const char *name, *steps;
  int nfc, ignore_merges, add_bos;
} pres[] = { { "gpt-2", BYTE_LEVEL ("true"), 0, 0, 0 },
             { "llama-bpe", SPLIT ("\\\\p{N}{1,3}"), 0, 1, 1 },
             { "qwen2", SPLIT ("\\\\p{N}"), 1, 0, 0 },
             { "smollm", "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Digits\", \"individual_digits\": true}, " BYTE_LEVEL ("true") "]}", 0, 0, 0 } };

static sol_status_t load_kind (words_t *w)
{
  sol_gguf_text_t model, pre;
  SOL_TRY (sol_gguf_string (w->g, "tokenizer.ggml.model", 1, &model));
  w->sentencepiece = sol_gguf_text_is (model, "llama");
  if (w->sentencepiece) return SOL_OK;
  if (!sol_gguf_text_is (model, "gpt2"))
    return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: key tokenizer.ggml.model: expected gpt2 or llama, found %.*s", w->g->path, (int) (model.bytes < 60 ? model.bytes : 60), model.at);
  SOL_TRY (sol_gguf_string (w->g, "tokenizer.ggml.pre", 1, &pre));
  for (size_t i = 0; i < sizeof pres / sizeof *pres; i++)
    if (sol_gguf_text_is (pre, pres[i].name)) w->pre = &pres[i];
  if (!w->pre)
    return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: key tokenizer.ggml.pre: expected gpt-2, llama-bpe, qwen2 or smollm, found %.*s", w->g->path, (int) (pre.bytes < 60 ? pre.bytes : 60), pre.at);
  return SOL_OK;
}

static sol_status_t load_id (words_t *w, const char *key, int32_t *id_p)
{
  int64_t id;
  SOL_TRY (sol_gguf_int (w->g, key, 0, 0, w->n - 1, -1, &id));
  *id_p = (int32_t) id;
  return SOL_OK;
}

static sol_status_t load_switches (words_t *w)
{
  int eos;
  SOL_TRY (load_id (w, "tokenizer.ggml.bos_token_id", &w->bos));
  SOL_TRY (load_id (w, "tokenizer.ggml.eos_token_id", &w->eos));
  SOL_TRY (load_id (w, "tokenizer.ggml.padding_token_id", &w->pad));
  SOL_TRY (load_id (w, "tokenizer.ggml.unknown_token_id", &w->unk));
  SOL_TRY (sol_gguf_bool (w->g, "tokenizer.ggml.add_bos_token", w->sentencepiece || w->pre->add_bos, &w->add_bos));
  SOL_TRY (sol_gguf_bool (w->g, "tokenizer.ggml.add_space_prefix", w->sentencepiece, &w->prefix));
  SOL_TRY (sol_gguf_bool (w->g, "tokenizer.ggml.add_eos_token", 0, &eos));
  if (eos) return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: key tokenizer.ggml.add_eos_token: expected false, found true", w->g->path);
  if (w->prefix && !w->sentencepiece) return sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: key tokenizer.ggml.add_space_prefix: expected false with tokenizer.ggml.model gpt2, found true", w->g->path);
  if (w->add_bos && w->bos < 0) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: key tokenizer.ggml.bos_token_id: expected with add_bos_token, found nothing", w->g->path);
  for (int32_t i = 0; i < w->n && w->unk < 0; i++)
    if (sol_words_type (w, i) == SOL_WORD_UNKNOWN) w->unk = i;
  if (w->sentencepiece && w->unk < 0) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: key tokenizer.ggml.unknown_token_id: expected with tokenizer.ggml.model llama, found nothing", w->g->path);
  return SOL_OK;
}

/* ---- tokenizer.json */

static void json_text (sol_buffer_t *out, sol_gguf_text_t text) { sol_buffer_json (out, text.at, text.bytes); }

/* name: "id": 7, or nothing but the rest where the id is a key of its own */
static void json_added (const words_t *w, int32_t id, int numbered, sol_buffer_t *out)
{
  sol_buffer_printf (out, "{");
  if (numbered) sol_buffer_printf (out, "\"id\": %d, ", id);
  sol_buffer_printf (out, "\"content\": ");
  json_text (out, w->token[id]);
  sol_buffer_printf (out, ", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": false, \"special\": %s}", sol_words_special (w, id) ? "true" : "false");
}

static void json_added_all (const words_t *w, int as_object, sol_buffer_t *out)
{
  int n = 0;
  for (int32_t i = 0; i < w->n; i++) {
    if (!sol_words_added (w, i)) continue;
    sol_buffer_printf (out, "%s\n    ", n++ ? "," : "");
    if (as_object) sol_buffer_printf (out, "\"%d\": ", i);
    json_added (w, i, !as_object, out);
  }
}

static void json_post_processor (const words_t *w, sol_buffer_t *out)
{
  if (!w->add_bos) {
    sol_buffer_printf (out, "null");
    return;
  }
  sol_buffer_t bos = { 0 };
  json_text (&bos, w->token[w->bos]);
#define SPECIAL(type) "{\"SpecialToken\": {\"id\": %s, \"type_id\": " type "}}, "
  sol_buffer_printf (out, "{\"type\": \"TemplateProcessing\", \"single\": [" SPECIAL ("0") "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}], ", bos.data);
  sol_buffer_printf (out, "\"pair\": [" SPECIAL ("0") "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, " SPECIAL ("1") "{\"Sequence\": {\"id\": \"B\", \"type_id\": 1}}], ", bos.data, bos.data);
  sol_buffer_printf (out, "\"special_tokens\": {%s: {\"id\": %s, \"ids\": [%d], \"tokens\": [%s]}}}", bos.data, bos.data, w->bos, bos.data);
#undef SPECIAL
  sol_buffer_free (&bos);
}

static void json_steps (const words_t *w, sol_buffer_t *out)
{
  if (!w->sentencepiece) {
    sol_buffer_printf (out, "  \"normalizer\": %s,\n  \"pre_tokenizer\": %s,\n", w->pre->nfc ? "{\"type\": \"NFC\"}" : "null", w->pre->steps);
    sol_buffer_printf (out, "  \"decoder\": %s,\n", BYTE_LEVEL ("true"));
    return;
  }
  sol_buffer_printf (out, "  \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [%s{\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"\u2581\"}]},\n",
                     w->prefix ? "{\"type\": \"Prepend\", \"prepend\": \"\u2581\"}, " : "");
  sol_buffer_printf (out, "  \"pre_tokenizer\": null,\n  \"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Replace\", \"pattern\": {\"String\": \"\u2581\"}, \"content\": \" \"}, ");
  sol_buffer_printf (out, "{\"type\": \"ByteFallback\"}, {\"type\": \"Fuse\"}%s]},\n", w->prefix ? ", {\"type\": \"Strip\", \"content\": \" \", \"start\": 1, \"stop\": 0}" : "");
}

static void json_model (const words_t *w, const sol_buffer_t *merges, sol_buffer_t *out)
{
  int n = 0;
  sol_buffer_printf (out, "  \"model\": {\"type\": \"BPE\", \"dropout\": null, \"unk_token\": ");
  if (w->sentencepiece) json_text (out, w->token[w->unk]);
  else sol_buffer_printf (out, "null");
  sol_buffer_printf (out, ", \"continuing_subword_prefix\": null, \"end_of_word_suffix\": null, \"fuse_unk\": %s, \"byte_fallback\": %s, \"ignore_merges\": %s,\n   \"vocab\": {", w->sentencepiece ? "true" : "false",
                     w->sentencepiece ? "true" : "false", w->pre && w->pre->ignore_merges ? "true" : "false");
  for (int32_t i = 0; i < w->n; i++) {
    if (sol_words_padding (w, i)) continue;
    sol_buffer_printf (out, "%s\n    ", n++ ? "," : "");
    json_text (out, w->token[i]);
    sol_buffer_printf (out, ": %d", i);
  }
  sol_buffer_printf (out, "},\n   \"merges\": [");
  sol_buffer_add (out, merges->data ? merges->data : "", merges->bytes);
  sol_buffer_printf (out, "]}\n}\n");
}

static void json_tokenizer (const words_t *w, const sol_buffer_t *merges, sol_buffer_t *out)
{
  sol_buffer_printf (out, "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [");
  json_added_all (w, 0, out);
  sol_buffer_printf (out, "],\n");
  json_steps (w, out);
  sol_buffer_printf (out, "  \"post_processor\": ");
  json_post_processor (w, out);
  sol_buffer_printf (out, ",\n");
  json_model (w, merges, out);
}

/* ---- the two small files */

static void json_named (const words_t *w, const char *name, int32_t id, sol_buffer_t *out)
{
  sol_buffer_printf (out, "  \"%s\": ", name);
  if (id < 0) sol_buffer_printf (out, "null");
  else json_text (out, w->token[id]);
  sol_buffer_printf (out, ",\n");
}

static sol_status_t json_config (const words_t *w, const sol_arch_t *a, sol_buffer_t *out)
{
  sol_gguf_text_t template;
  SOL_TRY (sol_gguf_string (w->g, "tokenizer.chat_template", 0, &template));
  sol_buffer_printf (out, "{\n  \"add_bos_token\": %s,\n  \"add_prefix_space\": %s,\n  \"added_tokens_decoder\": {", w->add_bos ? "true" : "false", w->prefix ? "true" : "false");
  json_added_all (w, 1, out);
  sol_buffer_printf (out, "},\n");
  json_named (w, "bos_token", w->bos, out);
  json_named (w, "eos_token", w->eos, out);
  json_named (w, "pad_token", w->pad, out);
  json_named (w, "unk_token", w->unk, out);
  if (template.at) {
    sol_buffer_printf (out, "  \"chat_template\": ");
    json_text (out, template);
    sol_buffer_printf (out, ",\n");
  }
  sol_buffer_printf (out, "  \"clean_up_tokenization_spaces\": false,\n  \"model_max_length\": %d,\n  \"tokenizer_class\": \"PreTrainedTokenizerFast\"\n}\n", a->context);
  return SOL_OK;
}

static void json_generation (const words_t *w, const sol_arch_t *a, sol_buffer_t *out)
{
  sol_buffer_printf (out, "{");
  if (a->bos >= 0) sol_buffer_printf (out, "\n  \"bos_token_id\": %d,", a->bos);
  sol_buffer_printf (out, "\n  \"eos_token_id\": %s", a->n_eos == 1 ? "" : "[");
  for (int i = 0; i < a->n_eos; i++) sol_buffer_printf (out, i ? ", %d" : "%d", a->eos[i]);
  if (a->n_eos != 1) sol_buffer_printf (out, "]");
  if (w->pad >= 0) sol_buffer_printf (out, ",\n  \"pad_token_id\": %d", w->pad);
  sol_buffer_printf (out, "\n}\n");
}

sol_status_t sol_gguf_tokenizer (const sol_gguf_t *g, const sol_arch_t *a, sol_gguf_files_t *files)
{
  words_t w = { .g = g, .bos = -1, .eos = -1, .pad = -1, .unk = -1 };
  sol_buffer_t merges = { 0 };
  sol_status_t st;
  SOL_GO (load_kind (&w));
  SOL_GO (sol_words_load (&w, a->vocab));
  SOL_GO (load_switches (&w));
  SOL_GO (sol_words_merges (&w, &merges));
  json_tokenizer (&w, &merges, &files->tokenizer);
  SOL_GO (json_config (&w, a, &files->config));
  json_generation (&w, a, &files->generation);
out:
  sol_buffer_free (&merges);
  sol_words_free (&w);
  return st;
}

void sol_gguf_files_free (sol_gguf_files_t *f)
{
  sol_buffer_free (&f->tokenizer);
  sol_buffer_free (&f->config);
  sol_buffer_free (&f->generation);
}
