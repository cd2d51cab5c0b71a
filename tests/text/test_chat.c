/* SPDX-License-Identifier: Apache-2.0 */
#include "helpers.h"
#include "solera/chat.h"
#include "solera/memory.h"

static int renders (const sol_chat_t *chat, const sol_message_t *m, int n, int prompt, const char *want)
{
  sol_buffer_t b = { 0 };
  int same = sol_chat_render (chat, m, n, prompt, &b) == SOL_OK && b.data && !strcmp (b.data, want);
  if (!same) printf ("# got %s\n", b.data ? b.data : "nothing");
  sol_buffer_free (&b);
  return same;
}

typedef struct { const sol_chat_t *chat; int good, bad; } count_t;
static void golden_row (void *ctx, const cJSON *row)
{
  count_t *c = ctx;
  sol_message_t m[16];
  int n = 0;
  const cJSON *item;
  cJSON_ArrayForEach (item, cJSON_GetObjectItem (row, "messages")) m[n++] = (sol_message_t) { sol_json_string (item, "role"), sol_json_string (item, "content") };
  renders (c->chat, m, n, !strcmp (m[n - 1].role, "user"), sol_json_string (row, "text")) ? c->good++ : c->bad++;
}

/* a folder whose tokenizer_config.json (or chat_template.jinja) holds the template */
static sol_chat_t *load_template (const char *template, int jinja)
{
  char *folder = scratch_path ("chat"), *path = sol_path_join (folder, jinja ? "chat_template.jinja" : "tokenizer_config.json");
  sol_buffer_t b = { 0 };
  sol_chat_t *chat = NULL;
  need (sol_dir_remove (folder) == SOL_OK && sol_dir_make (folder) == SOL_OK);
  if (jinja) sol_buffer_add (&b, template, strlen (template));
  else {
    sol_buffer_printf (&b, "{\"chat_template\": ");
    sol_buffer_json (&b, template, strlen (template));
    sol_buffer_printf (&b, "}");
  }
  need (sol_file_write (path, b.data, b.bytes) == SOL_OK);
  if (sol_chat_load (folder, &chat) != SOL_OK) chat = NULL;
  sol_buffer_free (&b);
  sol_free (folder);
  sol_free (path);
  return chat;
}
static int refuses (const char *template)
{
  sol_chat_t *chat = load_template (template, 0);
  sol_chat_destroy (chat);
  return !chat;
}

#define LOOP "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
#define PROMPT "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
static const char qwen2[] = "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}" LOOP PROMPT;
static const char qwen25[] =
  "{%- if tools %}\n    {{- '<|im_start|>system\\n' }}\n    {{- \"# Tools\" }}\n{%- else %}\n    {%- if messages[0]['role'] == 'system' %}\n        {{- '<|im_start|>system\\n' + messages[0]['content'] + "
  "'<|im_end|>\\n' }}\n    {%- else %}\n        {{- '<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\\n' }}\n    {%- endif %}\n{%- endif %}\n{%- for "
  "message in messages %}\n    {%- if (message.role == \"user\") or (message.role == \"system\" and not loop.first) or (message.role == \"assistant\" and not message.tool_calls) %}\n        {{- "
  "'<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}\n    {%- elif message.role == \"assistant\" %}\n        {{- '<|im_start|>' + message.role }}\n    {%- endif %}\n{%- "
  "endfor %}\n{%- if add_generation_prompt %}\n    {{- '<|im_start|>assistant\\n' }}\n{%- endif %}\n";

static const sol_message_t hi[] = { { "user", "hi" } }, sys[] = { { "system", "be" }, { "user", "hi" } }, more[] = { { "user", "a" }, { "assistant", "b" }, { "user", "c" } };

static void test_smollm2 (void)
{
  char *folder = data_path ("smollm2"), *path = data_path ("smollm2/chat.jsonl");
  sol_chat_t *chat = NULL;
  need (sol_chat_load (folder, &chat) == SOL_OK);
  count_t c = { chat, 0, 0 };
  each_row (path, golden_row, &c);
  tap_ok (c.good == 6 && !c.bad, "SmolLM2: %d of 6 chats are rendered as by the reference", c.good);
  ok (!strcmp (sol_chat_name (chat), "chatml") && !strcmp (sol_chat_end (chat), "<|im_end|>"));
  sol_buffer_t b = { 0 };
  ok (sol_chat_render (chat, (sol_message_t[]) { { "tool", "x" } }, 1, 1, &b) == SOL_ERR_USAGE && b.bytes == 0);
  sol_buffer_free (&b);
  sol_chat_destroy (chat);
  sol_free (folder);
  sol_free (path);
}

static void test_qwen (void)
{
  for (int jinja = 0; jinja < 2; jinja++) {
    sol_chat_t *chat = load_template (qwen2, jinja);
    need (chat != NULL);
    ok (renders (chat, hi, 1, 1, "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"));
    sol_chat_destroy (chat);
    chat = load_template (qwen25, jinja);
    need (chat != NULL);
    ok (renders (chat, hi, 1, 0, "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n"));
    ok (renders (chat, sys, 2, 1, "<|im_start|>system\nbe<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"));
    sol_chat_destroy (chat);
  }
}

/* Qwen3: no default system message; reasoning only in the last turn */
static void test_thinking (void)
{
  char *folder = data_path ("tiny_tokenizer");
  sol_chat_t *chat = NULL;
  need (sol_chat_load (folder, &chat) == SOL_OK);
  ok (!strcmp (sol_chat_name (chat), "chatml-thinking"));
  ok (renders (chat, hi, 1, 1, "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"));
  ok (renders (chat, sys, 2, 1, "<|im_start|>system\nbe<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"));
  ok (renders (chat, more, 3, 1, "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\n"));
  ok (renders (chat, more, 2, 0, "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\nb<|im_end|>\n"));
  const sol_message_t thought[] = { { "user", "a" }, { "assistant", "<think>\nr\n</think>\n\nb" }, { "user", "c" } };
  ok (renders (chat, thought, 2, 0, "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n<think>\nr\n</think>\n\nb<|im_end|>\n"));
  ok (renders (chat, thought, 3, 0, "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nc<|im_end|>\n"));
  sol_chat_destroy (chat);
  sol_free (folder);
}

/* ---- every family: what transformers prints */

static sol_config_t *defaults (void)
{
  sol_config_t *c;
  need (sol_config_load (NULL, NULL, 0, NULL, &c) == SOL_OK);
  return c;
}

static void golden_family (void *ctx, const cJSON *line)
{
  char *folder = scratch_path ("family"), *path = sol_path_join (folder, "tokenizer_config.json");
  const cJSON *row, *item;
  sol_config_t *settings[2];
  sol_chat_t *chat[2] = { NULL, NULL };
  int good = 0, bad = 0, refused = 0;
  (void) ctx;
  cJSON *config = cJSON_CreateObject ();
  cJSON_AddItemToObject (config, "chat_template", cJSON_Duplicate (cJSON_GetObjectItem (line, "template"), 1));
  cJSON_AddItemToObject (config, "bos_token", cJSON_Duplicate (cJSON_GetObjectItem (line, "bos"), 1));
  cJSON_AddItemToObject (config, "eos_token", cJSON_Duplicate (cJSON_GetObjectItem (line, "eos"), 1));
  char *text = cJSON_PrintUnformatted (config);
  need (sol_dir_make (folder) == SOL_OK && sol_file_write (path, text, strlen (text)) == SOL_OK);
  for (int off = 0; off < 2; off++) {
    settings[off] = defaults ();
    sol_free (settings[off]->chat_date);
    settings[off]->chat_date = sol_strdup (sol_json_string (line, "date"));
    settings[off]->chat_thinking = off ? SOL_CHAT_NOT_THINKING : SOL_CHAT_THINKING;
    if (!off || strstr (sol_json_string (line, "template"), "enable_thinking")) need (sol_chat_open (folder, settings[off], &chat[off]) == SOL_OK);
  }
  cJSON_ArrayForEach (row, cJSON_GetObjectItem (line, "rows")) {
    sol_message_t m[16];
    sol_buffer_t out = { 0 };
    const char *want = sol_json_string (row, "text");
    int n = 0;
    cJSON_ArrayForEach (item, cJSON_GetObjectItem (row, "messages")) m[n++] = (sol_message_t) { sol_json_string (item, "role"), sol_json_string (item, "content") };
    const int ok = sol_chat_render (chat[cJSON_IsTrue (cJSON_GetObjectItem (row, "off"))], m, n, cJSON_IsTrue (cJSON_GetObjectItem (row, "prompt")), &out) == SOL_OK;
    const int same = want ? ok && !strcmp (out.data ? out.data : "", want) : !ok;
    if (!same && bad < 2) printf ("# expected %s\n# got %s\n", want ? want : "a refusal", ok && out.data ? out.data : "a refusal");
    same ? good++ : bad++;
    refused += !want;
    sol_buffer_free (&out);
  }
  tap_ok (!bad && good > 20, "%-22s %-16s %3d conversations as by transformers (%d refused by both), %d differ", sol_json_string (line, "name"), sol_chat_name (chat[0]), good, refused, bad);
  for (int off = 0; off < 2; off++) {
    sol_chat_destroy (chat[off]);
    sol_config_destroy (settings[off]);
  }
  free (text);
  cJSON_Delete (config);
  sol_free (folder);
  sol_free (path);
}

static void test_families (void)
{
  char *from = data_path ("chat/golden.jsonl.gz"), *to = scratch_path ("golden.jsonl");
  const char *other = getenv ("SOLERA_CHATS"); /* another file of the same form, not packed */
  sol_buffer_t cmd = { 0 };
  sol_buffer_printf (&cmd, "gzip -dc '%s' >'%s'", from, to);
  need (system (cmd.data) == 0);
  each_row (other ? other : to, golden_family, NULL);
  sol_buffer_free (&cmd);
  sol_free (from);
  sol_free (to);
}

/* a form in the settings */
static void test_given (void)
{
  char *folder = data_path ("tiny_tokenizer");
  sol_config_t *c = defaults ();
  sol_chat_t *chat = NULL;
  sol_buffer_t out = { 0 };
  sol_free (c->chat_user);
  sol_free (c->chat_assistant);
  c->chat_user = sol_strdup ("<u>{content}</u>\n");
  c->chat_assistant = sol_strdup ("<a>{content}{eos}\n");
  need (sol_chat_open (folder, c, &chat) == SOL_OK);
  ok (renders (chat, more, 3, 1, "<u>a</u>\n<a>b<|im_end|>\n<u>c</u>\n<a>") && renders (chat, more, 2, 0, "<u>a</u>\n<a>b<|im_end|>\n"));
  ok (!strcmp (sol_chat_end (chat), "<|im_end|>") && !strcmp (sol_chat_name (chat), "given") && sol_chat_render (chat, sys, 2, 1, &out) == SOL_ERR_USAGE);
  sol_chat_destroy (chat);
  sol_free (c->chat_system);
  sol_free (c->chat_begin);
  c->chat_system = sol_strdup ("[{content}]");
  c->chat_begin = sol_strdup ("^");
  need (sol_chat_open (folder, c, &chat) == SOL_OK);
  ok (renders (chat, sys, 2, 1, "^[be]<u>hi</u>\n<a>") && renders (chat, hi, 1, 0, "^<u>hi</u>\n"));
  sol_chat_destroy (chat);
  freopen ("/dev/null", "w", stderr);
  c->chat_user[3] = 0; /* without {content} */
  ok (sol_chat_open (folder, c, &chat) == SOL_ERR_USAGE);
  sol_config_destroy (c);
  c = defaults ();
  sol_free (c->chat_date);
  c->chat_date = sol_strdup ("1 Jan 2020");
  ok (sol_chat_open (folder, c, &chat) == SOL_ERR_USAGE); /* Qwen3 prints none */
  sol_config_destroy (c);
  sol_buffer_free (&out);
  sol_free (folder);
}

/* text outside tags is printed: white space that a template leaves there is no detail */
static void test_spelling (void)
{
  static const char *const same[] = { ("{%- for message in messages %}\n" LOOP PROMPT), ("{# a #}{% for message in messages -%}  \n " LOOP "{# b #}\n" PROMPT "\n"),
                                      ("  {% for   message in messages %}<|im_start|>{{message.role}}{{\"\\n\" ~ '' if 0 else '\\n'}}{{message.content}}<|im_end|>{{'\\n'}}{% endfor %}" PROMPT) };
  ok (!refuses (same[0]) && !refuses (same[1]) && refuses (same[2]));
  ok (!refuses ("{% for message in messages %}<|im_start|>{{ message.role }}{{ '\\n' }}{{ message.content }}<|im_end|>\n{% endfor %}" PROMPT));
  ok (refuses ("{% for message in messages %}<|im_start|>{{ message.role }} {{ '\\n' }}{{ message.content }}<|im_end|>\n{% endfor %}" PROMPT));
  ok (refuses ("{% for message in messages %}" LOOP "\n\n" PROMPT) && refuses ("{% for message in messages %}" LOOP PROMPT "{{ x") && refuses ("x{% for message in messages %}" LOOP PROMPT));
}

static int try_load (void *ctx)
{
  sol_chat_t *chat = NULL;
  if (sol_chat_load (ctx, &chat) != SOL_OK) return 0;
  sol_buffer_t b = { 0 };
  sol_chat_render (chat, hi, 1, 1, &b);
  sol_buffer_free (&b);
  sol_chat_destroy (chat);
  return 1;
}

static void test_bad (void)
{
  char *from = data_path ("tiny_tokenizer/tokenizer_config.json"), *folder = scratch_path ("chat"), *to = scratch_path ("chat/tokenizer_config.json");
  int flips;
  ok (refuses ("") && refuses ("{% for message in messages %}" PROMPT) && refuses ("[INST] {{ messages[0]['content'] }} [/INST]"));
  ok (refuses ("{% for message in messages %}" LOOP PROMPT "x") && !refuses ("{% for message in messages %}" LOOP PROMPT));
  ok (refuses ("{% for message in messages %}{{'<|im_start|>' + message['role'] + ' ' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}" PROMPT));
  need (sol_dir_remove (folder) == SOL_OK && sol_dir_make (folder) == SOL_OK);
  ok (!try_load (folder)); /* no file */
  int cut = damage (from, to, 5, try_load, folder, &flips);
  tap_ok (cut == 0, "no cut tokenizer_config.json is accepted (%d), %d with a flipped bit are", cut, flips);
  sol_free (from);
  sol_free (to);
  sol_free (folder);
}

int main (void)
{
  test_smollm2 ();
  test_qwen ();
  test_thinking ();
  test_families ();
  test_given ();
  test_spelling ();
  test_bad ();
  return tap_done ();
}
