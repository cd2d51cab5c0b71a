/* SPDX-License-Identifier: Apache-2.0 */
/* solera info PATH on a run folder, a checkpoint, a model folder and on damaged ones */
#include "../../src/cli/info.h"
#include "../tap.h"
#include "solera/checkpoint.h"
#include "solera/config.h"
#include "solera/evals.h"
#include "solera/file.h"
#include "solera/log.h"
#include <string.h>

static char dir[256];

static void put (const char *name, const char *text)
{
  char *path = sol_path_join (dir, name);
  need (sol_file_write (path, text, strlen (text)) == SOL_OK);
  sol_free (path);
}

/* what is printed about DIR/name; NULL when it is refused */
static char *describe (const char *name, int json)
{
  char *path = sol_path_join (dir, name), *text = NULL;
  cJSON *facts = cJSON_CreateObject ();
  sol_buffer_t b = { 0 };
  if (sol_info_path (path, facts) == SOL_OK) {
    if (json) {
      char *printed = cJSON_Print (facts);
      text = sol_strdup (printed);
      cJSON_free (printed);
    } else {
      sol_info_text (facts, &b);
      text = sol_strdup (b.data);
    }
  }
  sol_buffer_free (&b);
  cJSON_Delete (facts);
  sol_free (path);
  return text;
}
static int has (const char *name, const char *part)
{
  char *text = describe (name, 0);
  const int yes = text && strstr (text, part) != NULL;
  if (!yes) printf ("# %s: expected '%s' in:\n# %s\n", name, part, text ? text : "refused");
  sol_free (text);
  return yes;
}

static void make_checkpoint (int64_t update, uint64_t digest, const char *settings)
{
  const float data[4] = { 1, 2, 3, 4 };
  sol_checkpoint_writer_t *w = NULL;
  char *run = sol_path_join (dir, "run");
  const sol_checkpoint_t info = { .update = update, .step = update, .elements = 4, .weight_digest = digest };
  need (sol_checkpoint_begin (run, update, 4, sol_comm_self (), &w) == SOL_OK);
  need (sol_checkpoint_put (w, "weights", 0, 4, data) == SOL_OK);
  need (sol_checkpoint_put (w, "adam_m", 0, 4, data) == SOL_OK);
  need (sol_checkpoint_put (w, "adam_v", 0, 4, data) == SOL_OK);
  need (sol_checkpoint_commit (w, &info, settings, 5) == SOL_OK);
  sol_free (run);
}

static void test_run (void)
{
  static const char settings[] = "seed: 9007199254740993\nstaleness:\n  k: 8\n";
  char *run = sol_path_join (dir, "run");
  need (sol_dir_make (run) == SOL_OK);
  put ("run/settings.yaml", settings);
  ok (has ("run", "kind: run\n") && has ("run", "weights: none\n") && has ("run", "checkpoints: none\n") && has ("run", "status: none\n"));
  put ("run/status.json", "{\"state\": \"stopped\", \"reason\": \"SIGUSR1\", \"update\": 8}");
  put ("run/metrics.jsonl", "{\"update\": 7, \"entropy\": 1}\n{\"update\": 8, \"entropy\": 0.5}\n{\"upda");
  make_checkpoint (4, 0x1, settings);
  make_checkpoint (8, 0x123456789abcdef, settings);
  ok (has ("run", "\nweights: step 8 xxh3 0123456789abcdef\n"));
  ok (has ("run", "\nstatus:\n  state: stopped\n  reason: SIGUSR1\n  update: 8\n"));
  ok (has ("run", "checkpoints: u00000004 u00000008\n"));
  ok (has ("run", "lines: 2\n  update: 8\n  entropy: 0.5\n"));
  ok (has ("run", "settings:") && has ("run", "seed 9007199254740993 staleness.k 8"));
  ok (has ("run/checkpoints/u00000004", "kind: checkpoint\n") && has ("run/checkpoints/u00000004", "weights: step 4 xxh3 0000000000000001\n"));
  char *json = describe ("run", 1);
  cJSON *o = cJSON_Parse (json ? json : "");
  const cJSON *w = cJSON_GetObjectItem (o, "weights");
  ok (cJSON_GetNumberValue (cJSON_GetObjectItem (w, "step")) == 8 && !strcmp (cJSON_GetStringValue (cJSON_GetObjectItem (w, "xxh3")), "0123456789abcdef"));
  ok (!strcmp (cJSON_GetStringValue (cJSON_GetObjectItem (cJSON_GetObjectItem (o, "settings"), "seed")), "9007199254740993"));
  cJSON_Delete (o);
  sol_free (json);
  /* a damaged newest checkpoint: the one before */
  put ("run/checkpoints/u00000008/weights.f32", "0123456789abcdef");
  ok (has ("run", "\nweights: step 4 xxh3 0000000000000001\n"));
  ok (describe ("run/checkpoints/u00000008", 0) == NULL);
  put ("run/status.json", "{\"state\": ");
  ok (describe ("run", 0) == NULL);
  put ("run/status.json", "{}");
  put ("run/metrics.jsonl", "nonsense\n");
  ok (describe ("run", 0) == NULL);
  put ("run/metrics.jsonl", "");
  ok (has ("run", "metrics: lines 0\n"));
  put ("run/settings.yaml", "sed: 3\n");
  ok (describe ("run", 0) == NULL);
  sol_free (run);
}

static void test_others (void)
{
  char *empty = sol_path_join (dir, "empty"), *model = sol_path_join (dir, "model");
  need (sol_dir_make (empty) == SOL_OK && sol_dir_make (model) == SOL_OK);
  ok (describe ("empty", 0) == NULL && describe ("missing", 0) == NULL);
  put ("text", "hello");
  ok (describe ("text", 0) == NULL);
  put ("broken.h5", "\x89HDF\r\n\x1a\n and nothing more");
  ok (describe ("broken.h5", 0) == NULL);
  put ("model/config.json", "{\"architectures\": [\"LlamaForCausalLM\"], \"model_type\": \"llama\", \"hidden_size\": 16, \"intermediate_size\": 32, \"num_hidden_layers\": 2, "
                            "\"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"vocab_size\": 50, \"max_position_embeddings\": 64, \"rms_norm_eps\": 1e-5, "
                            "\"rope_theta\": 10000.0, \"hidden_act\": \"silu\", \"tie_word_embeddings\": true, \"torch_dtype\": \"float32\"}");
  ok (has ("model", "kind: model\n") && has ("model", "family: llama\n") && has ("model", "vocabulary: 50\n") && has ("model", "tied: yes\n") && has ("model", "tokenizer: no\n"));
  ok (has ("model", "memory:\n  cpu: training ") && has ("model", "\n  cuda: training "));
  ok (has ("model", "parameters: 5488\n") && has ("model", "class: LlamaForCausalLM\n") && has ("model", "rope: type default theta 10000\n")); /* 50*16 + 2 (16*16*2 + 16*8*2 + 3*16*32 + 2*16) + 16 */
  put ("model/model.safetensors", "\2\0\0\0"); /* too short for weights */
  ok (describe ("model", 0) == NULL);
  put ("model/config.json", "{\"model_type\": \"mamba\"}");
  ok (describe ("model", 0) == NULL);
  sol_free (empty);
  sol_free (model);
}

/* every evaluation of a file, the newest of a run */
static void test_evals (void)
{
  sol_evals_row_t row = { .version = 40, .data = "gsm8k", .problems = 1, .samples = 4, .avg = 0.25, .avg_low = 0.125, .avg_high = 0.5, .pass_k = 2, .pass = 0.75 };
  const sol_evals_problem_t problem = { .samples = 4, .correct = 1 };
  char *path = sol_path_join (dir, "evals.h5");
  ok (sol_evals_append (path, &row, &problem) == SOL_OK);
  row.version = 80;
  ok (sol_evals_append (path, &row, &problem) == SOL_OK);
  char *text = describe ("evals.h5", 0);
  ok (text && strstr (text, "kind: evaluations\n") && strstr (text, "rows: 2\n") && strstr (text, "0:\n  data: gsm8k\n  version: 40\n") && strstr (text, "1:\n  data: gsm8k\n  version: 80\n"));
  ok (text && strstr (text, "  avg: 0.25\n  avg_low: 0.125\n  avg_high: 0.5\n  pass_k: 2\n  pass: 0.75\n"));
  sol_free (text);
  cJSON *facts = cJSON_CreateObject ();
  ok (sol_info_evals (path, 0, facts) == SOL_OK && cJSON_GetObjectItem (facts, "newest") && !cJSON_GetObjectItem (facts, "0"));
  cJSON_Delete (facts);
  sol_free (path);
}

int main (void)
{
  snprintf (dir, sizeof dir, "%s/info-XXXXXX", getenv ("TEST_TMPDIR") ? getenv ("TEST_TMPDIR") : "/tmp");
  need (mkdtemp (dir));
  need (freopen ("/dev/null", "w", stderr) != NULL);
  test_run ();
  test_others ();
  test_evals ();
  ok (sol_dir_remove (dir) == SOL_OK);
  return tap_done ();
}
