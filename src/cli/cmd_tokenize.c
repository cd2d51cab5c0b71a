/* SPDX-License-Identifier: Apache-2.0 */
#include "filter.h"
#include "solera/command.h"
#include "solera/json.h"
#include "solera/log.h"
#include "solera/tokenizer.h"
#include <cjson/cJSON.h>
#include <string.h>

extern const sol_command_t sol_command_tokenize;

typedef struct {
  sol_tokenizer_t *tokenizer;
  sol_ids_t ids;
  sol_buffer_t text;
  int special; /* --special */
} tokenize_t;

static void add_all (sol_ids_t *ids, const int32_t *id, int n)
{
  for (int i = 0; i < n; i++) sol_ids_add (ids, id[i]);
}

/* {"text"} -> {"ids"} */
static sol_status_t encode_row (void *ctx, const struct cJSON *row, sol_buffer_t *out, char *why)
{
  tokenize_t *t = ctx;
  const char *reason = NULL;
  t->ids.n = 0;
  if (!sol_json_text (row, "text", &t->text)) {
    snprintf (why, SOL_FILTER_WHY, "expected a string \"text\"");
    return SOL_ERR_FORMAT;
  }
  int n;
  const int32_t *around = sol_tokenizer_before (t->tokenizer, &n);
  if (t->special) add_all (&t->ids, around, n);
  sol_status_t st = sol_tokenizer_encode (t->tokenizer, t->text.data ? t->text.data : "", t->text.bytes, &t->ids, &reason);
  if (st != SOL_OK) {
    snprintf (why, SOL_FILTER_WHY, "%s", reason ? reason : sol_status_string (st));
    return st == SOL_ERR_LIMIT ? SOL_ERR_FORMAT : st;
  }
  around = sol_tokenizer_after (t->tokenizer, &n);
  if (t->special) add_all (&t->ids, around, n);
  sol_buffer_printf (out, "{\"ids\":[");
  for (int32_t i = 0; i < t->ids.n; i++) sol_buffer_printf (out, i ? ",%d" : "%d", t->ids.data[i]);
  sol_buffer_printf (out, "]}");
  return SOL_OK;
}

/* {"ids"} -> {"text"} */
static sol_status_t decode_row (void *ctx, const struct cJSON *row, sol_buffer_t *out, char *why)
{
  tokenize_t *t = ctx;
  const cJSON *list = cJSON_GetObjectItemCaseSensitive (row, "ids"), *item;
  t->ids.n = 0;
  if (!cJSON_IsArray (list)) {
    snprintf (why, SOL_FILTER_WHY, "expected a list \"ids\"");
    return SOL_ERR_FORMAT;
  }
  cJSON_ArrayForEach (item, list) {
    int64_t id;
    size_t bytes;
    if (!sol_json_int (item, 0, INT32_MAX, &id) || !sol_tokenizer_bytes (t->tokenizer, (int32_t) id, &bytes)) {
      snprintf (why, SOL_FILTER_WHY, "element %d of \"ids\" is not the id of a token", t->ids.n + 1);
      return SOL_ERR_FORMAT;
    }
    sol_ids_add (&t->ids, (int32_t) id);
  }
  sol_buffer_clear (&t->text);
  sol_tokenizer_decode (t->tokenizer, t->ids.data, t->ids.n, t->special, &t->text);
  sol_buffer_printf (out, "{\"text\":");
  sol_buffer_json (out, t->text.data ? t->text.data : "", t->text.bytes);
  sol_buffer_printf (out, "}");
  return SOL_OK;
}

static int run (int argc, char **argv)
{
  sol_options_t o;
  tokenize_t t = { 0 };
  long bad = 0;
  sol_status_t st = sol_options_parse (&sol_command_tokenize, argc, argv, &o);
  if (st == SOL_OK) st = sol_tokenizer_load (o.args[0], &t.tokenizer);
  t.special = (o.given & SOL_OPTION_SPECIAL) != 0;
  if (st == SOL_OK) st = (o.given & SOL_OPTION_REPLACE ? sol_filter_run_lossy : sol_filter_run) (stdin, stdout, o.given & SOL_OPTION_DECODE ? decode_row : encode_row, &t, &bad);
  sol_tokenizer_destroy (t.tokenizer);
  sol_ids_free (&t.ids);
  sol_buffer_free (&t.text);
  sol_options_free (&o);
  return st == SOL_OK && bad ? 1 : sol_exit_code (st);
}

const sol_command_t sol_command_tokenize = {
  .name = "tokenize",
  .line = "text to token ids and back",
  .usage = "MODEL [--decode] [--special] [--replace] <rows >rows",
  .about = "A filter on JSON lines: {\"text\": ...} gives {\"ids\": [...]}; with --decode, {\"ids\": [...]} gives {\"text\": ...}. MODEL is a folder with tokenizer.json, or GPT-2's vocab.json and merges.txt. "
           "Special tokens spelt in the text are recognised; none is added without --special.\n\n"
           "One row out for every row in. A bad row gives {\"error\": ...} in its place, and the exit status is 1 at the end.",
  .options = SOL_OPTION_DECODE | SOL_OPTION_SPECIAL | SOL_OPTION_REPLACE,
  .min_args = 1,
  .max_args = 1,
  .run = run
};
