/* SPDX-License-Identifier: Apache-2.0 */
/* generate.c: `solera generate MODEL`: JSON lines in, responses out. As many rows as there are places are decoded side by side; rows come out in order. */
#include "filter.h"
#include "generate.h"
#include "setup.h"
#include "solera/chat.h"
#include "solera/decoder.h"
#include "solera/json.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/stop.h"
#include "solera/task.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  const sol_config_t *c;
  sol_setup_t setup;
  sol_tokenizer_t *tokenizer;
  sol_chat_t *chat; /* loaded when the first row asks for it */
  sol_backend_t *backend;
  sol_model_t *model;
  sol_decoder_t *decoder;
  int64_t line;     /* of the input, and the group id of its randomness */
  int bad;
} gen_t;
typedef struct { sol_buffer_t out; int pending; } row_t;

static int response_ends (void *ctx, const int32_t *ids, int32_t n)
{
  const gen_t *g = ctx;
  const sol_arch_t *a = &g->setup.arch;
  for (int32_t i = 0; i < a->n_eos; i++)
    if (ids[n - 1] == a->eos[i]) return SOL_FINISH_EOS;
  if (sol_tokenizer_is_eos (g->tokenizer, ids[n - 1])) return SOL_FINISH_EOS;
  for (char **s = g->c->task_stop; s && *s; s++)
    if (sol_tokenizer_ends_with (g->tokenizer, ids, n, *s, strlen (*s))) return SOL_FINISH_STOP;
  return 0;
}

/* the problem in the model's chat format; why not, or NULL */
static const char *chat_text (gen_t *g, const char *problem, sol_buffer_t *text)
{
  const char *why = NULL;
  sol_buffer_t user = { 0 };
  sol_task_words (g->c, problem, &user);
  const sol_message_t m[2] = { { "system", g->c->task_system }, { "user", user.data } };
  const int with_system = g->c->task_system[0] != 0;
  if (!g->chat && sol_chat_open (g->setup.model_dir, g->c, &g->chat) != SOL_OK) why = "the model's chat format is not known";
  else if (sol_chat_render (g->chat, m + !with_system, 1 + with_system, 1, text) != SOL_OK) why = "the chat format refuses this problem";
  sol_buffer_free (&user);
  return why;
}

/* why there is no room for the prompt, or NULL; room: SOL_FILTER_WHY bytes */
static const char *too_long (const gen_t *g, int64_t n, char *room)
{
  const sol_config_t *c = g->c;
  if (n > c->max_prompt) snprintf (room, SOL_FILTER_WHY, "the prompt has %lld tokens: expected at most %lld (rollout.max_prompt)", (long long) n, (long long) c->max_prompt);
  else if (n + c->max_new > g->setup.arch.context)
    snprintf (room, SOL_FILTER_WHY, "the prompt has %lld tokens and %lld may come (rollout.max_tokens): expected at most %d together, the model's context (max_position_embeddings)",
              (long long) n, (long long) c->max_new, g->setup.arch.context);
  else return NULL;
  return room;
}

/* text of the row -> ids; why not, or NULL; room: SOL_FILTER_WHY bytes */
static const char *prompt_ids (gen_t *g, const cJSON *json, sol_ids_t *ids, char *room)
{
  const int has_prompt = cJSON_HasObjectItem (json, "prompt"), has_problem = cJSON_HasObjectItem (json, "problem");
  const char *why = NULL, *problem = sol_json_string (json, "problem");
  sol_buffer_t text = { 0 };
  if (has_prompt && !has_problem && sol_json_text (json, "prompt", &text)) why = NULL;
  else if (has_problem && !has_prompt && problem) why = chat_text (g, problem, &text);
  else why = "expected one string, \"prompt\" or \"problem\" (the latter without U+0000)";
  sol_status_t (*const encode) (const sol_tokenizer_t *, const char *, size_t, sol_ids_t *, const char **) = has_prompt ? sol_tokenizer_encode_prompt : sol_tokenizer_encode;
  if (!why && encode (g->tokenizer, text.data ? text.data : "", text.bytes, ids, &why) != SOL_OK && !why) why = "cannot be tokenized";
  sol_buffer_free (&text);
  if (!why && ids->n == 0) why = "an empty prompt";
  return why ? why : too_long (g, ids->n, room);
}

static void take_row (gen_t *g, const char *line, size_t bytes, row_t *row, int64_t place)
{
  char reason[SOL_FILTER_WHY] = "";
  cJSON *json = NULL;
  sol_ids_t ids = { 0 };
  const char *why = sol_filter_parse (line, bytes, &json, reason) == SOL_OK ? prompt_ids (g, json, &ids, reason) : reason;
  *row = (row_t){ 0 };
  if (!why && sol_decoder_put (g->decoder, (uint64_t) g->line, (uint64_t) place, ids.data, ids.n, (int32_t) g->c->n_samples, (int32_t) g->c->max_new) != SOL_OK) why = "the decoder has no room for it";
  row->pending = !why;
  if (why) {
    sol_filter_error (&row->out, why);
    g->bad = 1;
  }
  sol_ids_free (&ids);
  cJSON_Delete (json);
}

static const char *finish_name (int finish) { return finish == SOL_FINISH_EOS ? "eos" : finish == SOL_FINISH_STOP ? "stop" : "length"; }

static void print_group (const gen_t *g, const sol_group_out_t *o, sol_buffer_t *b)
{
  sol_buffer_printf (b, "{\"responses\":[");
  for (int32_t s = 0; s < o->n_samples; s++) {
    int64_t at = (int64_t) s * o->stride;
    sol_buffer_t text = { 0 };
    sol_tokenizer_decode (g->tokenizer, o->ids + at, o->len[s], 1, &text);
    sol_buffer_printf (b, "%s{\"text\":", s ? "," : "");
    sol_buffer_json (b, text.data ? text.data : "", text.bytes);
    sol_buffer_printf (b, ",\"ids\":[");
    for (int32_t i = 0; i < o->len[s]; i++) sol_buffer_printf (b, "%s%d", i ? "," : "", o->ids[at + i]);
    sol_buffer_printf (b, "],\"finish\":\"%s\"", finish_name (o->finish[s]));
    sol_buffer_add (b, ",", 1);
    sol_filter_floats (b, "logprobs", o->lp + at, o->len[s]);
    sol_buffer_add (b, ",", 1);
    sol_filter_floats (b, "entropies", o->entropy + at, o->len[s]);
    sol_buffer_add (b, "}", 1);
    sol_buffer_free (&text);
  }
  sol_buffer_printf (b, "]}");
}

/* decodes what was put, prints the rows in order */
static sol_status_t flush (gen_t *g, row_t *row, int64_t n, FILE *out)
{
  sol_group_out_t o;
  sol_status_t st;
  int64_t left = 0;
  for (int64_t i = 0; i < n; i++) left += row[i].pending;
  while (left > 0) {
    st = sol_decoder_step (g->decoder);
    if (st != SOL_OK && st != SOL_AGAIN) return st;
    while ((st = sol_decoder_take (g->decoder, &o)) == SOL_OK) {
      print_group (g, &o, &row[o.tag].out);
      left--;
    }
    if (st != SOL_AGAIN) return st;
    if (sol_stop_requested ()) return SOL_STOPPED;
  }
  for (int64_t i = 0; i < n; i++) {
    sol_buffer_add (&row[i].out, "\n", 1);
    fwrite (row[i].out.data, 1, row[i].out.bytes, out);
    sol_buffer_free (&row[i].out);
  }
  return fflush (out) == 0 && !ferror (out) ? SOL_OK : sol_fail (SOL_ERR_IO, "generate", "standard output: writing failed: %s", strerror (errno));
}

static sol_status_t run (gen_t *g, FILE *in, FILE *out)
{
  int64_t room = g->c->slots, n = 0;
  row_t *row = sol_alloc ((size_t) room * sizeof *row);
  char *line = NULL;
  size_t line_room = 0;
  ssize_t bytes;
  sol_status_t st = SOL_OK;
  while (st == SOL_OK && (bytes = getline (&line, &line_room, in)) >= 0) {
    take_row (g, line, (size_t) bytes, &row[n], n);
    g->line++;
    n++;
    if (n == room || sol_decoder_free_slots (g->decoder) <= 0) {
      st = flush (g, row, n, out);
      if (st == SOL_OK) n = 0;
    }
  }
  if (st == SOL_OK && n > 0) st = flush (g, row, n, out);
  if (st == SOL_OK && ferror (in)) st = sol_fail (SOL_ERR_IO, "generate", "standard input: reading failed: %s", strerror (errno));
  for (int64_t i = 0; i < n; i++) sol_buffer_free (&row[i].out); /* of a flush that failed */
  free (line);
  sol_free (row);
  return st;
}

int sol_generate (const char *model_dir, const sol_config_t *config, FILE *in, FILE *out)
{
  gen_t g = { .c = config };
  sol_decoder_params_t p = { .slots = (int32_t) config->slots, .max_prompt = (int32_t) config->max_prompt, .max_new = (int32_t) config->max_new, .kv_rows = config->kv_tokens, .no_graphs = !config->graphs,
                             .temperature = (float) config->temperature, .top_p = config->top_p, .top_k = (int32_t) config->top_k, .greedy = config->greedy,
                             .seed = (uint64_t) config->seed, .purpose = SOL_RANDOM_SAMPLE, .ends = response_ends, .ends_ctx = &g };
  sol_status_t st;
  sol_stop_install ();
  SOL_GO (sol_setup_create (config, model_dir, 0, &g.setup));
  SOL_GO (sol_tokenizer_load (model_dir, &g.tokenizer));
  SOL_GO (sol_setup_model (config, &g.setup, &g.backend, &g.model));
  SOL_GO (sol_decoder_create (g.model, &p, &g.decoder));
  st = run (&g, in, out);
out:
  sol_decoder_destroy (g.decoder);
  sol_model_destroy (g.model);
  if (g.backend) sol_backend_destroy (g.backend);
  sol_chat_destroy (g.chat);
  sol_tokenizer_destroy (g.tokenizer);
  sol_setup_destroy (&g.setup);
  return st != SOL_OK ? (st == SOL_ERR_USAGE ? 2 : 1) : g.bad;
}
