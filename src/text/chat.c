/* SPDX-License-Identifier: Apache-2.0 */
/* chat.c: the ChatML family. A template is brought to one spelling (white space outside strings and the dashes of {%- -%} removed, '\n' in strings made a line end) and cut into the
 * pieces whose text decides what is printed for messages without tools; every piece must be one that is known. */
#include "solera/chat.h"
#include "solera/file.h"
#include "solera/json.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <cjson/cJSON.h>
#include <string.h>

struct sol_chat {
  char *system;      /* default system message; NULL: none is added */
  int thinking;      /* Qwen3: reasoning of earlier answers is left out, that of the last is kept */
};

#define START "<|im_start|>"
#define END "<|im_end|>"

/* the spellings of a message's parts: m['role'], m["role"] and m.role are one */
static void simplify (const char *s, sol_buffer_t *out)
{
  const char *start = s;
  char quote = 0;
  for (; *s; s++) {
    if (quote) {
      if (*s == '\\' && s[1] == 'n') sol_buffer_add (out, "\n", 1), s++;
      else if (*s == quote) sol_buffer_add (out, "'", 1), quote = 0;
      else sol_buffer_add (out, s, 1);
    } else if (!strncmp (s, "['role']", 8)) sol_buffer_add (out, ".role", 5), s += 7;
    else if (!strncmp (s, "['content']", 11)) sol_buffer_add (out, ".content", 8), s += 10;
    else if (*s == '"' || *s == '\'') sol_buffer_add (out, "'", 1), quote = *s;
    else if (*s == ' ' || *s == '\n' || *s == '\t' || *s == '\r') continue;
    else if (*s == '-' && s > start && (s[-1] == '%' || s[-1] == '{' || s[1] == '%' || s[1] == '}')) continue;
    else sol_buffer_add (out, s, 1);
  }
}

/* does s continue with what? Then moves behind it. */
static int take (const char **s, const char *what)
{
  size_t n = strlen (what);
  if (strncmp (*s, what, n)) return 0;
  *s += n;
  return 1;
}

/* text up to what, copied; moves behind what. NULL: it does not occur */
static char *take_until (const char **s, const char *what)
{
  const char *end = strstr (*s, what);
  if (!end) return NULL;
  char *copy = sol_strdup (*s);
  copy[end - *s] = 0;
  *s = end + strlen (what);
  return copy;
}

#define MESSAGE "{{'" START "'+message.role+'\n'+message.content+'" END "'+'\n'}}"
#define HEADER "{%ifadd_generation_prompt%}{{'" START "assistant\n'}}"

/* SmolLM2, Qwen2: one loop over all messages, a default system message before a first message that is none */
static int is_plain (sol_chat_t *chat, const char *s)
{
  if (!take (&s, "{%formessageinmessages%}")) return 0;
  if (take (&s, "{%ifloop.firstandmessages[0].role!='system'%}{{'" START "system\n")) {
    chat->system = take_until (&s, END "\n'}}{%endif%}");
    if (!chat->system || strchr (chat->system, '\'')) return 0;
  }
  return take (&s, MESSAGE "{%endfor%}" HEADER "{%endif%}") && !*s;
}

/* the beginning of Qwen2.5 and Qwen3: tools, else the system message and perhaps a default one. Leaves *s_p behind it. */
static int take_head (sol_chat_t *chat, const char **s_p)
{
  const char *s = *s_p, *no_tools;
  static const char system[] = "{%else%}{%ifmessages[0].role=='system'%}{{'" START "system\n'+messages[0].content+'" END "\n'}}";
  if (!take (&s, "{%iftools%}") || !(no_tools = strstr (s, system))) return 0;
  s = no_tools + sizeof system - 1;
  if (take (&s, "{%else%}{{'" START "system\n")) {
    chat->system = take_until (&s, END "\n'}}");
    if (!chat->system || strchr (chat->system, '\'')) return 0;
  }
  if (!take (&s, "{%endif%}{%endif%}")) return 0;
  *s_p = s;
  return 1;
}

/* Qwen2.5: messages without tool calls as they are */
static int is_tools (sol_chat_t *chat, const char *s)
{
  return take_head (chat, &s)
         && take (&s, "{%formessageinmessages%}{%if(message.role=='user')or(message.role=='system'andnotloop.first)or(message.role=='assistant'andnotmessage.tool_calls)%}" MESSAGE
                      "{%elifmessage.role=='assistant'%}")
         && (s = strstr (s, HEADER)) && take (&s, HEADER "{%endif%}") && !*s;
}

/* Qwen3: the reasoning part of assistant messages */
static int is_thinking (sol_chat_t *chat, const char *s)
{
  static const char *const part[] = { /* in this order, whatever the spelling between them */
    "{%formessageinmessages[::-1]%}", "ns.last_query_index=index", "{%formessageinmessages%}",
    "(message.role=='user')or(message.role=='system'andnotloop.first)%}{{'" START "'+message.role+'\n'+", "+'" END "'+'\n'}}{%elifmessage.role=='assistant'%}",
    "'</think>'in", "split('</think>')[-1].lstrip('\n')", "split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n')", "{%ifloop.index0>ns.last_query_index%}",
    "{{'" START "'+message.role+'\n<think>\n'+reasoning_content.strip('\n')+'\n</think>\n\n'+content.lstrip('\n')}}", "{{'" START "'+message.role+'\n'+content}}",
    "{{'" END "\n'}}", HEADER };
  if (!take_head (chat, &s)) return 0;
  for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
    const char *p = strstr (s, part[i]);
    if (!p) return 0;
    s = p + strlen (part[i]);
  }
  take (&s, "{%ifenable_thinkingisdefinedandenable_thinkingisfalse%}{{'<think>\n\n</think>\n\n'}}{%endif%}");
  chat->thinking = 1;
  return take (&s, "{%endif%}") && !*s;
}

static sol_status_t recognise (sol_chat_t *chat, const char *template, const char *path)
{
  static int (*const form[]) (sol_chat_t *chat, const char *s) = { is_plain, is_tools, is_thinking };
  sol_buffer_t simple = { 0 };
  int known = 0;
  sol_buffer_add (&simple, "\n", 1); /* never empty */
  simplify (template, &simple);
  for (int i = 0; i < 3 && !known; i++) {
    sol_free (chat->system);
    *chat = (sol_chat_t) { 0 };
    known = form[i](chat, simple.data + 1);
  }
  sol_buffer_free (&simple);
  if (known) return SOL_OK;
  return sol_fail (SOL_ERR_UNSUPPORTED, "chat", "%s: this chat template is not one of the ChatML family (SmolLM2, Qwen2, Qwen2.5, Qwen3); use task.prompt=raw", path);
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

static sol_status_t load_config (sol_chat_t *chat, const char *path)
{
  cJSON *config;
  SOL_TRY (sol_json_load (path, &config));
  const char *template = template_of (config);
  sol_status_t st = template ? recognise (chat, template, path) : sol_fail (SOL_ERR_UNSUPPORTED, "chat", "%s: there is no chat_template: this model has no chat format", path);
  cJSON_Delete (config);
  return st;
}

sol_status_t sol_chat_load (const char *folder, sol_chat_t **chat_p)
{
  char *jinja = sol_path_join (folder, "chat_template.jinja"), *config = sol_path_join (folder, "tokenizer_config.json"), *text;
  size_t bytes;
  sol_chat_t *chat = sol_alloc (sizeof *chat);
  sol_status_t st;
  if (sol_file_exists (jinja)) {
    st = sol_file_read (jinja, 1 << 24, &text, &bytes);
    if (st == SOL_OK) {
      st = recognise (chat, text, jinja);
      sol_free (text);
    }
  } else st = load_config (chat, config);
  sol_free (jinja);
  sol_free (config);
  if (st == SOL_OK) *chat_p = chat;
  else sol_chat_destroy (chat);
  return st;
}

void sol_chat_destroy (sol_chat_t *chat)
{
  if (chat) sol_free (chat->system);
  sol_free (chat);
}

const char *sol_chat_name (const sol_chat_t *chat) { return chat->thinking ? "chatml-thinking" : "chatml"; }
const char *sol_chat_end (const sol_chat_t *chat)
{
  (void) chat;
  return END;
}

/* ---- rendering */

static void add (sol_buffer_t *out, const char *s) { sol_buffer_add (out, s, strlen (s)); }

static void add_message (sol_buffer_t *out, const char *role, const char *content)
{
  sol_buffer_printf (out, START "%s\n", role);
  add (out, content);
  add (out, END "\n");
}

typedef struct { const char *s; size_t n; } span_t;
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

/* Qwen3's assistant message: content behind the last </think>; before the first is the reasoning, printed only in the last turn */
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
  add (out, START "assistant\n");
  if (in_last_turn && (is_last || thought.n)) {
    thought = strip (thought, 1, 1);
    content = strip (content, 1, 0);
    add (out, "<think>\n");
    sol_buffer_add (out, thought.s, thought.n);
    add (out, "\n</think>\n\n");
  }
  sol_buffer_add (out, content.s, content.n);
  add (out, END "\n");
}

static int is_tool_response (const char *s)
{
  static const char head[] = "<tool_response>", tail[] = "</tool_response>";
  size_t n = strlen (s);
  return n >= sizeof tail - 1 && !strncmp (s, head, sizeof head - 1) && !strcmp (s + n - (sizeof tail - 1), tail);
}

sol_status_t sol_chat_render (const sol_chat_t *chat, const sol_message_t *m, int n, int add_generation_prompt, sol_buffer_t *out)
{
  int last_query = n - 1; /* the last message of the user that is no tool's answer; as the template, the last message when there is none */
  for (int i = 0; i < n; i++)
    if (strcmp (m[i].role, "system") && strcmp (m[i].role, "user") && strcmp (m[i].role, "assistant"))
      return sol_fail (SOL_ERR_USAGE, "chat", "message %d: role: expected system, user or assistant, found %.40s", i + 1, m[i].role);
  for (int i = n - 1; i >= 0; i--)
    if (!strcmp (m[i].role, "user") && !is_tool_response (m[i].content)) {
      last_query = i;
      break;
    }
  if (chat->system && (n == 0 || strcmp (m[0].role, "system"))) add_message (out, "system", chat->system);
  for (int i = 0; i < n; i++) {
    if (chat->thinking && !strcmp (m[i].role, "assistant")) add_thinking (out, m[i].content, i > last_query, i == n - 1);
    else add_message (out, m[i].role, m[i].content);
  }
  if (add_generation_prompt) add (out, START "assistant\n");
  return SOL_OK;
}
