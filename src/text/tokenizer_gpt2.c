/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_gpt2.c: the two files of GPT-2, vocab.json and merges.txt, put into the form of tokenizer.json. How text is cut is not in them: it is GPT-2's way, so a folder whose
 * tokenizer_config.json names another class is refused. */
#include "solera/file.h"
#include "solera/json.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "tokenizer_internal.h"
#include <cjson/cJSON.h>
#include <string.h>

#define ROOM "tokenizer"

int sol_gpt2_is (const char *folder)
{
  char *vocab = sol_path_join (folder, "vocab.json"), *merges = sol_path_join (folder, "merges.txt");
  const int there = sol_file_exists (vocab) && sol_file_exists (merges);
  sol_free (vocab);
  sol_free (merges);
  return there;
}

static sol_status_t check_class (const char *folder)
{
  char *path = sol_path_join (folder, "tokenizer_config.json");
  cJSON *config = NULL;
  sol_status_t st = sol_file_exists (path) ? sol_json_load (path, &config) : SOL_OK;
  const char *class = sol_json_string (config, "tokenizer_class");
  if (st == SOL_OK && class && strcmp (class, "GPT2Tokenizer") && strcmp (class, "GPT2TokenizerFast"))
    st = sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: tokenizer_class: without tokenizer.json only GPT2Tokenizer is supported, found %.40s", path, class);
  cJSON_Delete (config);
  sol_free (path);
  return st;
}

/* lines "a b", the first perhaps "#version: ..." */
static sol_status_t read_merges (const char *path, cJSON *list)
{
  char *data;
  size_t bytes;
  SOL_TRY (sol_file_read (path, 0, &data, &bytes));
  for (char *line = data, *end; line < data + bytes; line = end + 1) {
    end = memchr (line, '\n', (size_t) (data + bytes - line));
    if (!end) end = data + bytes;
    *end = 0; /* a file that is read has a zero byte behind it */
    if (end > line && end[-1] == '\r') end[-1] = 0;
    if (*line && !(line == data && !strncmp (line, "#version", 8))) cJSON_AddItemToArray (list, cJSON_CreateString (line));
  }
  sol_free (data);
  return SOL_OK;
}

static void add_end (cJSON *root, const cJSON *vocab)
{
  const cJSON *id = cJSON_GetObjectItemCaseSensitive (vocab, SOL_GPT2_END);
  if (!id) return;
  cJSON *token = cJSON_CreateObject ();
  cJSON_AddNumberToObject (token, "id", id->valuedouble);
  cJSON_AddStringToObject (token, "content", SOL_GPT2_END);
  cJSON_AddTrueToObject (token, "special");
  cJSON_AddItemToArray (cJSON_AddArrayToObject (root, "added_tokens"), token);
}

sol_status_t sol_gpt2_load (const char *folder, struct cJSON **root_p)
{
  char *vocab_path = sol_path_join (folder, "vocab.json"), *merges_path = sol_path_join (folder, "merges.txt");
  cJSON *vocab = NULL, *root = cJSON_CreateObject (), *model = cJSON_AddObjectToObject (root, "model");
  sol_status_t st;
  SOL_GO (check_class (folder));
  SOL_GO (sol_json_load (vocab_path, &vocab));
  SOL_GO (read_merges (merges_path, cJSON_AddArrayToObject (model, "merges")));
  add_end (root, vocab);
  cJSON_AddItemToObject (model, "vocab", vocab);
  vocab = NULL;
  cJSON *step = cJSON_AddObjectToObject (root, "pre_tokenizer");
  cJSON_AddStringToObject (step, "type", "ByteLevel");
  cJSON_AddFalseToObject (step, "add_prefix_space");
  cJSON_AddStringToObject (cJSON_AddObjectToObject (root, "decoder"), "type", "ByteLevel");
out:
  if (st == SOL_OK) *root_p = root;
  else cJSON_Delete (root);
  cJSON_Delete (vocab);
  sol_free (vocab_path);
  sol_free (merges_path);
  return st;
}
