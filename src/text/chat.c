/* SPDX-License-Identifier: Apache-2.0 */
/* chat.c: conversations as text. The form comes from the settings where they give one, else from the model's template, which must be of a family that is known. */
#include "solera/chat.h"
#include "chat_internal.h"
#include "solera/file.h"
#include "solera/json.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/utf8.h"
#include "template.h"
#include <cjson/cJSON.h>
#include <string.h>

#define ROOM "chat"

struct sol_chat {
  sol_form_t form;
  const char *name;
  char *bos, *eos;   /* texts of the two tokens, "" where there is none */
  char *end;
  char *given[9];    /* parts of a form of the settings */
  int no_thinking;
};

static void add (sol_buffer_t *out, const char *s) { sol_buffer_add (out, s, strlen (s)); }

/* a text of a form */
static void add_form (const sol_chat_t *chat, const char *s, sol_buffer_t *out)
{
  for (; *s; s++) {
    if (*s == BOS[0]) add (out, chat->bos);
    else if (*s == EOS[0]) add (out, chat->eos);
    else sol_buffer_add (out, s, 1);
  }
}

/* ---- the form of the settings */

static int is_given (const char *text) { return text && text[0]; }

/* text with {bos} and {eos} made the bytes that stand for them; the part before or behind {content} */
static char *part (const char *text, int behind)
{
  const char *content = strstr (text, "{content}"), *end = behind ? text + strlen (text) : content;
  sol_buffer_t b = { 0 };
  add (&b, "");
  for (const char *s = behind ? content + 9 : text; s < end;) {
    const int bos = !strncmp (s, "{bos}", 5), eos = !strncmp (s, "{eos}", 5);
    sol_buffer_add (&b, bos ? BOS : eos ? EOS : s, 1);
    s += bos || eos ? 5 : 1;
  }
  return b.data;
}

static sol_status_t need_content (const char *key, const char *text)
{
  const char *at = text ? strstr (text, "{content}") : NULL;
  if (at && !strstr (at + 9, "{content}")) return SOL_OK;
  return sol_fail (SOL_ERR_USAGE, ROOM, "%s: expected a text with {content} once in it, found \"%.60s\"", key, text ? text : "");
}

static sol_status_t take_given (sol_chat_t *chat, const sol_config_t *c)
{
  sol_form_t *f = &chat->form;
  const int has_system = is_given (c->chat_system);
  SOL_TRY (need_content ("chat.user", c->chat_user));
  SOL_TRY (need_content ("chat.assistant", c->chat_assistant));
  if (has_system) SOL_TRY (need_content ("chat.system", c->chat_system));
  if (is_given (c->chat_begin) && strstr (c->chat_begin, "{content}")) return sol_fail (SOL_ERR_USAGE, ROOM, "chat.begin: expected a text without {content}");
  sol_buffer_t begin = { 0 };
  sol_buffer_printf (&begin, "%s{content}", is_given (c->chat_begin) ? c->chat_begin : "");
  chat->given[0] = part (begin.data, 0);
  sol_buffer_free (&begin);
  chat->given[1] = part (c->chat_user, 0);
  chat->given[2] = part (c->chat_user, 1);
  chat->given[3] = part (c->chat_assistant, 0);
  chat->given[4] = part (c->chat_assistant, 1);
  chat->given[5] = part (has_system ? c->chat_system : "{content}", 0);
  chat->given[6] = part (has_system ? c->chat_system : "{content}", 1);
  chat->given[7] = sol_strdup (chat->given[4]); /* what ends an answer, without the white space behind it */
  for (size_t n = strlen (chat->given[7]); n && strchr (" \n\t\r", chat->given[7][n - 1]); n--) chat->given[7][n - 1] = 0;
  *f = (sol_form_t) { .begin = chat->given[0], .user = { chat->given[1], chat->given[2] }, .assistant = { chat->given[3], chat->given[4] }, .system = { chat->given[5], chat->given[6] },
                      .prompt = chat->given[3], .end = chat->given[7], .system_where = has_system ? SOL_SYSTEM_TURN : SOL_SYSTEM_NONE };
  chat->name = "given";
  return SOL_OK;
}

/* ---- the model's template */

static sol_status_t recognise (sol_chat_t *chat, const char *template, const char *path)
{
  sol_buffer_t spelt = { 0 };
  const int known = sol_template_spell (template, &spelt) && sol_form_find (spelt.data, &chat->form, &chat->name);
  sol_buffer_free (&spelt);
  if (known) return SOL_OK;
  return sol_fail (SOL_ERR_UNSUPPORTED, ROOM,
                   "%s: this chat template is of no family that is known (ChatML, Qwen2.5, Qwen3, Llama 2, Llama 3, Mistral, Gemma). Give the format as text in the run's YAML, for instance\n"
                   "  chat: {user: \"<|user|>{content}<|end|>\\n\", assistant: \"<|bot|>{content}<|end|>\\n\", system: \"<|system|>{content}<|end|>\\n\", begin: \"{bos}\"}\n"
                   "(the answer follows what stands before {content} in chat.assistant), or use task.prompt=raw",
                   path);
}

/* the template in tokenizer_config.json: a string, or a list of {name, template} with one named default */
static const char *template_of (const cJSON *config)
{
  const cJSON *list = cJSON_GetObjectItemCaseSensitive (config, "chat_template"), *item;
  if (cJSON_IsString (list)) return sol_json_string (config, "chat_template");
  if (!cJSON_IsArray (list)) return NULL;
  cJSON_ArrayForEach (item, list) {
    const char *name = sol_json_string (item, "name");
    if (name && !strcmp (name, "default")) return sol_json_string (item, "template");
  }
  return NULL;
}

/* text of a special token: a string, {"content": string}, or none */
static char *token_text (const cJSON *config, const char *key)
{
  const cJSON *item = cJSON_GetObjectItemCaseSensitive (config, key);
  const char *text = cJSON_IsObject (item) ? sol_json_string (item, "content") : sol_json_string (config, key);
  return sol_strdup (text ? text : "");
}

static sol_status_t load_jinja (sol_chat_t *chat, const char *path)
{
  char *text;
  size_t bytes;
  SOL_TRY (sol_file_read (path, 1 << 24, &text, &bytes));
  sol_status_t st = recognise (chat, text, path);
  sol_free (text);
  return st;
}

static sol_status_t load (sol_chat_t *chat, const sol_config_t *settings, const char *jinja, const char *path)
{
  cJSON *config = NULL;
  if (sol_file_exists (path)) SOL_TRY (sol_json_load (path, &config));
  chat->bos = token_text (config, "bos_token");
  chat->eos = token_text (config, "eos_token");
  const char *template = template_of (config);
  sol_status_t st;
  if (settings && (is_given (settings->chat_user) || is_given (settings->chat_assistant) || is_given (settings->chat_system) || is_given (settings->chat_begin))) st = take_given (chat, settings);
  else if (sol_file_exists (jinja)) st = load_jinja (chat, jinja);
  else if (template) st = recognise (chat, template, path);
  else st = sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: there is no chat_template: this model has no chat format; give one in the run's YAML (chat.user, chat.assistant), or use task.prompt=raw", path);
  cJSON_Delete (config);
  return st;
}

static sol_status_t apply (sol_chat_t *chat, const sol_config_t *settings)
{
  sol_buffer_t end = { 0 };
  add (&end, "");
  add_form (chat, chat->form.end, &end);
  chat->end = end.data;
  if (!settings) return SOL_OK;
  chat->no_thinking = settings->chat_thinking == SOL_CHAT_NOT_THINKING;
  if (chat->no_thinking && chat->form.thinking != SOL_THINKING_SWITCH)
    return sol_fail (SOL_ERR_USAGE, ROOM, "chat.thinking is off, but this model's template (%s) has no switch for it", chat->name);
  if (is_given (settings->chat_date)) {
    if (!chat->form.date) return sol_fail (SOL_ERR_USAGE, ROOM, "chat.date is given, but this model's template (%s) prints no date", chat->name);
    chat->form.date = chat->given[8] = sol_strdup (settings->chat_date);
  }
  return SOL_OK;
}

sol_status_t sol_chat_open (const char *folder, const sol_config_t *settings, sol_chat_t **chat_p)
{
  char *jinja = sol_path_join (folder, "chat_template.jinja"), *config = sol_path_join (folder, "tokenizer_config.json");
  sol_chat_t *chat = sol_alloc (sizeof *chat);
  sol_status_t st = load (chat, settings, jinja, config);
  if (st == SOL_OK) st = apply (chat, settings);
  sol_free (jinja);
  sol_free (config);
  if (st == SOL_OK) *chat_p = chat;
  else sol_chat_destroy (chat);
  return st;
}

sol_status_t sol_chat_load (const char *folder, sol_chat_t **chat_p) { return sol_chat_open (folder, NULL, chat_p); }

void sol_chat_destroy (sol_chat_t *chat)
{
  if (!chat) return;
  for (int i = 0; i < 2; i++) sol_free (chat->form.kept[i]);
  for (size_t i = 0; i < sizeof chat->given / sizeof *chat->given; i++) sol_free (chat->given[i]);
  sol_free (chat->bos);
  sol_free (chat->eos);
  sol_free (chat->end);
  sol_free (chat);
}

const char *sol_chat_name (const sol_chat_t *chat) { return chat->name; }
const char *sol_chat_end (const sol_chat_t *chat) { return chat->end; }

/* ---- rendering */

typedef struct { const char *s; size_t n; } span_t;

/* what Python's strip takes for white space */
static int is_white (int32_t cp) { return sol_utf8_is_space (cp) || (cp >= 0x1c && cp <= 0x1f); }

static span_t trim (span_t t)
{
  int32_t cp;
  for (int k; t.n && (k = sol_utf8_next (t.s, t.n, &cp)) > 0 && is_white (cp); t.n -= (size_t) k) t.s += k;
  while (t.n) {
    size_t k = t.n - 1;
    while (k && ((unsigned char) t.s[k] & 0xc0) == 0x80) k--;
    if (sol_utf8_next (t.s + k, t.n - k, &cp) < 0 || !is_white (cp)) break;
    t.n = k;
  }
  return t;
}

static span_t strip (span_t t, int left, int right)
{
  while (left && t.n && t.s[0] == '\n') t.s++, t.n--;
  while (right && t.n && t.s[t.n - 1] == '\n') t.n--;
  return t;
}

/* last occurrence of what in t; NULL: none */
static const char *last_in (span_t t, const char *what)
{
  const char *found = NULL;
  size_t n = strlen (what);
  for (const char *p = t.s; p + n <= t.s + t.n; p++)
    if (!memcmp (p, what, n)) found = p;
  return found;
}

/* Qwen3's answer: content behind the last </think>; before the first is the reasoning, printed only in the last turn */
static void add_thinking (sol_buffer_t *out, const char *text, int in_last_turn, int is_last)
{
  span_t content = { text, strlen (text) }, thought = { text, 0 };
  const char *close = strstr (text, "</think>");
  if (close) {
    const char *end = last_in (content, "</think>"), *open;
    thought = strip ((span_t) { text, (size_t) (close - text) }, 0, 1);
    open = last_in (thought, "<think>");
    if (open) thought = (span_t) { open + 7, (size_t) (thought.s + thought.n - open - 7) };
    thought = strip (thought, 1, 0);
    content = strip ((span_t) { end + 8, strlen (end + 8) }, 1, 0);
  }
  if (in_last_turn && (is_last || thought.n)) {
    thought = strip (thought, 1, 1);
    content = strip (content, 1, 0);
    add (out, "<think>\n");
    sol_buffer_add (out, thought.s, thought.n);
    add (out, "\n</think>\n\n");
  }
  sol_buffer_add (out, content.s, content.n);
}

static int is_tool_response (const char *s)
{
  static const char head[] = "<tool_response>", tail[] = "</tool_response>";
  size_t n = strlen (s);
  return n >= sizeof tail - 1 && !strncmp (s, head, sizeof head - 1) && !strcmp (s + n - (sizeof tail - 1), tail);
}

/* the last message of the user that is no tool's answer; as the template, the last message when there is none */
static int last_question (const sol_message_t *m, int n)
{
  for (int i = n - 1; i >= 0; i--)
    if (!strcmp (m[i].role, "user") && !is_tool_response (m[i].content)) return i;
  return n - 1;
}

static void add_content (sol_buffer_t *out, const char *text, int trimmed)
{
  span_t t = { text, strlen (text) };
  if (trimmed) t = trim (t);
  sol_buffer_add (out, t.s, t.n);
}

/* a message of the user; system: what goes before it in its turn, or NULL */
static void add_user (const sol_chat_t *chat, const char *system, const char *content, sol_buffer_t *out)
{
  const sol_form_t *f = &chat->form;
  sol_buffer_t whole = { 0 };
  add (&whole, "");
  if (system) {
    add_form (chat, f->system.open, &whole);
    add (&whole, system);
    add_form (chat, f->system.close, &whole);
  }
  add_content (&whole, content, f->trim && !f->trim_whole);
  add_form (chat, f->user.open, out);
  add_content (out, whole.data, f->trim_whole);
  add_form (chat, f->user.close, out);
  sol_buffer_free (&whole);
}

static void add_system (const sol_chat_t *chat, const char *before, const char *content, sol_buffer_t *out)
{
  add_form (chat, chat->form.system.open, out);
  add (out, before);
  add_content (out, content, chat->form.trim);
  add_form (chat, chat->form.system.close, out);
}

/* the roles that the form allows, in the order that it asks for */
static sol_status_t check (const sol_chat_t *chat, const sol_message_t *m, int n)
{
  const sol_form_t *f = &chat->form;
  const int in_user = f->system_where == SOL_SYSTEM_FIRST || f->system_where == SOL_SYSTEM_LAST, from = in_user && n && !strcmp (m[0].role, "system");
  for (int i = 0; i < n; i++) {
    const int is_user = !strcmp (m[i].role, "user"), is_system = !strcmp (m[i].role, "system");
    if (!is_user && !is_system && strcmp (m[i].role, "assistant"))
      return sol_fail (SOL_ERR_USAGE, ROOM, "message %d: role: expected system, user or assistant, found %.40s", i + 1, m[i].role);
    if (is_system && f->system_where == SOL_SYSTEM_NONE) return sol_fail (SOL_ERR_USAGE, ROOM, "message %d: this chat format (%s) has no system message", i + 1, chat->name);
    if (i < from) continue;
    if (is_system && in_user) return sol_fail (SOL_ERR_USAGE, ROOM, "message %d: this chat format (%s) allows a system message at the beginning only", i + 1, chat->name);
    if (f->alternate && is_user != ((i - from) % 2 == 0))
      return sol_fail (SOL_ERR_USAGE, ROOM, "message %d: in this chat format (%s) user and assistant must take turns, the user first; found %s", i + 1, chat->name, m[i].role);
  }
  return SOL_OK;
}

sol_status_t sol_chat_render (const sol_chat_t *chat, const sol_message_t *m, int n, int add_generation_prompt, sol_buffer_t *out)
{
  const sol_form_t *f = &chat->form;
  const int has_system = n && !strcmp (m[0].role, "system"), question = last_question (m, n);
  const int in_user = f->system_where == SOL_SYSTEM_FIRST || f->system_where == SOL_SYSTEM_LAST, dated = f->system_where == SOL_SYSTEM_DATED, from = has_system && (in_user || dated);
  SOL_TRY (check (chat, m, n));
  add_form (chat, f->begin, out);
  if (dated) {
    sol_buffer_t date = { 0 };
    sol_buffer_printf (&date, "Cutting Knowledge Date: December 2023\nToday Date: %s\n\n", f->date);
    add_system (chat, date.data, has_system ? m[0].content : "", out);
    sol_buffer_free (&date);
  } else if (!has_system && f->default_system) add_system (chat, "", f->default_system, out);
  for (int i = from; i < n; i++) {
    const int with_system = from && in_user && (f->system_where == SOL_SYSTEM_FIRST ? i == from : i == n - 1);
    if (!strcmp (m[i].role, "system")) add_system (chat, "", m[i].content, out);
    else if (!strcmp (m[i].role, "user")) add_user (chat, with_system ? m[0].content : NULL, m[i].content, out);
    else {
      add_form (chat, f->assistant.open, out);
      if (f->thinking) add_thinking (out, m[i].content, i > question, i == n - 1);
      else add_content (out, m[i].content, f->trim_answer);
      add_form (chat, f->assistant.close, out);
    }
  }
  if (add_generation_prompt || f->always_prompt) {
    add_form (chat, f->prompt, out);
    if (f->thinking == SOL_THINKING_OPEN) add (out, "<think>\n");
    if (chat->no_thinking) add (out, "<think>\n\n</think>\n\n");
  }
  return SOL_OK;
}
