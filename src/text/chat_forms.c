/* SPDX-License-Identifier: Apache-2.0 */
/* chat_forms.c: the families of chat templates, in the one spelling of template.c, and the form that each stands for. In a pattern, byte 1 passes over text that has no part in
 * conversations without tools; byte 3 passes over text without a quote and keeps it. A template must be a pattern from its first byte to its last. */
#include "chat_internal.h"
#include "solera/memory.h"
#include <string.h>
#include <time.h>

#define GAP "\1"
#define KEEP "\3"
#define SHOW(text) "{{'" text "'}}"
#define ALTERNATE "{%if(message.role=='user')!=(loop.index0%2==0)%}{{raise_exception(" GAP ")}}{%endif%}"
#define SYSTEM_FIRST "{%if messages[0].role=='system'%}"

/* ---- ChatML */
#define START "<|im_start|>"
#define END "<|im_end|>"
#define MESSAGE SHOW (START) "{{message.role}}" SHOW ("\n") "{{message.content}}" SHOW (END "\n")
#define PROMPT "{%if add_generation_prompt%}" SHOW (START "assistant\n") "{%endif%}"
#define DEFAULT_SYSTEM SHOW (START "system\n" KEEP END "\n")
#define HEAD "{%if tools%}" GAP "{%else%}" SYSTEM_FIRST SHOW (START "system\n") "{{messages[0].content}}" SHOW (END "\n")
#define TOOLS_LOOP                                                                                                                                                            \
  "{%for message in messages%}{%if(message.role=='user')or(message.role=='system'and not loop.first)or(message.role=='assistant'and not message.tool_calls)%}" MESSAGE       \
  "{%elif message.role=='assistant'%}" GAP "{%endfor%}" PROMPT

/* ---- Qwen3: the first loop finds the last question of the user, the second prints */
#define QUERY                                                                                                                                                                 \
  "{%set ns=namespace(multi_step_tool=true,last_query_index=messages|length-1)%}{%for message in messages[::-1]%}{%set index=(messages|length-1)-loop.index0%}"               \
  "{%if ns.multi_step_tool and message.role=='user'and" GAP "not(message.content.startswith('<tool_response>')and message.content.endswith('</tool_response>'))%}"           \
  "{%set ns.multi_step_tool=false%}{%set ns.last_query_index=index%}{%endif%}{%endfor%}"
#define THOUGHT(from) "{%set reasoning_content=" from ".split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n')%}"
#define SAID(from) "{%set content=" from ".split('</think>')[-1].lstrip('\n')%}"
#define ANSWER                                                                                                                                                                \
  "{%endif%}{%endif%}{%if loop.index0>ns.last_query_index%}{%if loop.last or(not loop.last and reasoning_content)%}" SHOW (START) "{{message.role}}" SHOW ("\n<think>\n")    \
  "{{reasoning_content.strip('\n')}}" SHOW ("\n</think>\n\n") "{{content.lstrip('\n')}}{%else%}" SHOW (START) "{{message.role}}" SHOW ("\n") "{{content}}{%endif%}{%else%}"   \
  SHOW (START) "{{message.role}}" SHOW ("\n") "{{content}}{%endif%}{%if message.tool_calls%}" GAP "{%endif%}" SHOW (END "\n") "{%elif message.role=='tool'%}" GAP "{%endfor%}"
#define OLD_THINKING                                                                                                                                                          \
  QUERY "{%for message in messages%}{%if(message.role=='user')or(message.role=='system'and not loop.first)%}" MESSAGE                                                         \
  "{%elif message.role=='assistant'%}{%set content=message.content%}{%set reasoning_content=''%}{%if message.reasoning_content is defined and message.reasoning_content is not none%}" \
  "{%set reasoning_content=message.reasoning_content%}{%else%}{%if'</think>'in message.content%}" SAID ("message.content") THOUGHT ("message.content") ANSWER
#define CONTENT "{%if message.content is string%}{%set content=message.content%}{%else%}{%set content=''%}{%endif%}"
#define CONTENT_MESSAGE SHOW (START) "{{message.role}}" SHOW ("\n") "{{content}}" SHOW (END "\n")
#define NEW_LOOP "{%for message in messages%}" CONTENT "{%if(message.role=='user')or(message.role=='system'and not loop.first)%}" CONTENT_MESSAGE "{%elif message.role=='assistant'%}"
#define NEW_THINKING                                                                                                                                                          \
  QUERY NEW_LOOP "{%set reasoning_content=''%}{%if message.reasoning_content is string%}{%set reasoning_content=message.reasoning_content%}{%else%}{%if'</think>'in content%}" \
  THOUGHT ("content") SAID ("content") ANSWER
#define NOT_THINKING NEW_LOOP SHOW (START) "{{message.role}}" SHOW ("\n") "{{content}}{%if message.tool_calls%}" GAP "{%endif%}" SHOW (END "\n") "{%elif message.role=='tool'%}" GAP "{%endfor%}" PROMPT
#define HEAD_END "{%endif%}{%endif%}"
#define PROMPT_SWITCH                                                                                                                                                         \
  "{%if add_generation_prompt%}" SHOW (START "assistant\n") "{%if enable_thinking is defined and enable_thinking is false%}" SHOW ("<think>\n\n</think>\n\n") "{%endif%}{%endif%}"
#define PROMPT_THINK "{%if add_generation_prompt%}" SHOW (START "assistant\n<think>\n") "{%endif%}"

/* ---- Llama 3 */
#define L3(role) "<|start_header_id|>" role "<|end_header_id|>\n\n"
#define L3_OLD                                                                                                                                                                \
  "{%set loop_messages=messages%}{%for message in loop_messages%}{%set content='<|start_header_id|>'+message.role+'<|end_header_id|>\n\n'+message.content|trim+'<|eot_id|>'%}" \
  "{%if loop.index0==0%}{%set content=bos_token+content%}{%endif%}{{content}}{%endfor%}"
#define L3_PROMPT "{%if add_generation_prompt%}" SHOW (L3 ("assistant")) "{%endif%}"
#define L3_NEW(date)                                                                                                                                                          \
  "{{bos_token}}{%if custom_tools is defined%}{%set tools=custom_tools%}{%endif%}{%if not tools_in_user_message is defined%}{%set tools_in_user_message=true%}{%endif%}"      \
  "{%if not date_string is defined%}" date "{%endif%}{%if not tools is defined%}{%set tools=none%}{%endif%}" SYSTEM_FIRST                                                     \
  "{%set system_message=messages[0].content|trim%}{%set messages=messages[1:]%}{%else%}{%set system_message=''%}{%endif%}" SHOW (L3 ("system")) "{%if" GAP "tools is not none%}" \
  GAP "{%endif%}" SHOW ("Cutting Knowledge Date: December 2023\nToday Date: ") "{{date_string}}" SHOW ("\n\n") "{%if tools is not none and not tools_in_user_message%}" GAP   \
  "{%endif%}{{system_message}}" SHOW ("<|eot_id|>") "{%if tools_in_user_message and not tools is none%}" GAP                                                                  \
  "{%endif%}{%for message in messages%}{%if not(message.role=='ipython'or message.role=='tool'or'tool_calls'in message)%}" SHOW ("<|start_header_id|>") "{{message.role}}"    \
  SHOW ("<|end_header_id|>\n\n") "{{message.content|trim}}" SHOW ("<|eot_id|>") "{%elif'tool_calls'in message%}" GAP "{%endfor%}" L3_PROMPT

/* ---- Mistral and Llama 2 */
#define SYSTEM_APART "{%set system_message=messages[0].content%}{%set loop_messages=messages[1:]%}{%else%}{%set loop_messages=messages%}{%endif%}"
#define MISTRAL_TURN(where)                                                                                                                                        \
  "{%if loop." where " and system_message is defined%}" SHOW (KEEP) "{{system_message}}" SHOW ("\n\n") "{{message.content}}" SHOW (KEEP) "{%else%}" SHOW (KEEP)               \
  "{{message.content}}" SHOW (KEEP) "{%endif%}"
#define MISTRAL_TOOLS(where, content)                                                                                                                                         \
  SYSTEM_FIRST SYSTEM_APART "{%if not tools is defined%}{%set tools=none%}{%endif%}{%set user_messages=loop_messages|selectattr('role','equalto','user')|list%}"              \
  "{%set ns=namespace()%}{%set ns.index=0%}{%for message in loop_messages%}{%if not(message.role=='tool'or message.role=='tool_results'or(message.tool_calls is defined and " \
  "message.tool_calls is not none))%}{%if(message.role=='user')!=(ns.index%2==0)%}{{raise_exception(" GAP ")}}{%endif%}{%set ns.index=ns.index+1%}{%endif%}{%endfor%}"        \
  "{{bos_token}}{%for message in loop_messages%}{%if message.role=='user'%}{%if tools is not none and(message==user_messages[-1])%}" GAP "{%endif%}"                          \
  MISTRAL_TURN (where) "{%elif message.tool_calls is defined and message.tool_calls is not none%}" GAP "{%elif message.role=='assistant'%}" SHOW (" ") "{{" content         \
  "}}{{eos_token}}{%elif message.role=='tool_results'or message.role=='tool'%}" GAP "{%endfor%}"
#define MISTRAL_OLD(after)                                                                                                                                                    \
  "{{bos_token}}{%for message in messages%}" ALTERNATE "{%if message.role=='user'%}" SHOW ("[INST] ") "{{message.content}}" SHOW (" [/INST]")                              \
  "{%elif message.role=='assistant'%}{{message.content}}{{eos_token}}" after "{%else%}{{raise_exception(" GAP ")}}{%endif%}{%endfor%}"
#define MISTRAL_MID                                                                                                                                                           \
  SYSTEM_FIRST SYSTEM_APART "{{bos_token}}{%for message in loop_messages%}" ALTERNATE "{%if message.role=='user'%}" MISTRAL_TURN ("first")                                \
  "{%elif message.role=='assistant'%}" SHOW (" ") "{{message.content}}{{eos_token}}{%else%}{{raise_exception(" GAP ")}}{%endif%}{%endfor%}"
#define LLAMA2                                                                                                                                                                \
  SYSTEM_FIRST "{%set loop_messages=messages[1:]%}{%set system_message=messages[0].content%}{%else%}{%set loop_messages=messages%}{%set system_message=false%}{%endif%}"      \
  "{%for message in loop_messages%}" ALTERNATE "{%if loop.index0==0 and system_message!=false%}{%set content='<<SYS>>\n'+system_message+'\n<</SYS>>\n\n'+message.content%}"  \
  "{%else%}{%set content=message.content%}{%endif%}{%if message.role=='user'%}{{bos_token}}" SHOW ("[INST] ") "{{content.strip()}}" SHOW (" [/INST]")                         \
  "{%elif message.role=='assistant'%}" SHOW (" ") "{{content.strip()}}" SHOW (" ") "{{eos_token}}{%endif%}{%endfor%}"

/* ---- Gemma */
#define GEMMA_ROLE "{%if(message.role=='assistant')%}{%set role='model'%}{%else%}{%set role=message.role%}{%endif%}" SHOW ("<start_of_turn>") "{{role}}" SHOW ("\n")
#define GEMMA_END SHOW ("<end_of_turn>\n") "{%endfor%}{%if add_generation_prompt%}" SHOW ("<start_of_turn>model\n") "{%endif%}"
#define GEMMA2 "{{bos_token}}" SYSTEM_FIRST "{{raise_exception(" GAP ")}}{%endif%}{%for message in messages%}" ALTERNATE GEMMA_ROLE "{{message.content|trim}}" GEMMA_END
#define GEMMA3                                                                                                                                                                \
  "{{bos_token}}" SYSTEM_FIRST "{%if messages[0].content is string%}{%set first_user_prefix=messages[0].content+'\n\n'%}{%else%}" GAP "{%endif%}{%set loop_messages=messages[1:]%}" \
  "{%else%}{%set first_user_prefix=''%}{%set loop_messages=messages%}{%endif%}{%for message in loop_messages%}" ALTERNATE GEMMA_ROLE                                       \
  "{{(first_user_prefix if loop.first else'')}}{%if message.content is string%}{{message.content|trim}}{%elif message.content is iterable%}" GAP "{%endif%}" GEMMA_END

#define CHATML "", { START "system\n", END "\n" }, { START "user\n", END "\n" }, { START "assistant\n", END "\n" }, START "assistant\n"
#define LLAMA3 BOS, { L3 ("system"), "<|eot_id|>" }, { L3 ("user"), "<|eot_id|>" }, { L3 ("assistant"), "<|eot_id|>" }, L3 ("assistant")
#define GEMMA BOS, { "", "\n\n" }, { "<start_of_turn>user\n", "<end_of_turn>\n" }, { "<start_of_turn>model\n", "<end_of_turn>\n" }, "<start_of_turn>model\n"
/* kept: how many texts the pattern keeps; four are open and close of the user's turn, with a system message and without. */
static const struct { const char *name, *pattern; sol_form_t form; int kept; } row[] = {
  { "chatml", "{%for message in messages%}{%if loop.first and messages[0].role!='system'%}" DEFAULT_SYSTEM "{%endif%}" MESSAGE "{%endfor%}" PROMPT, { CHATML, SOL_SYSTEM_TURN, .end = END }, 1 },
  { "chatml", "{%for message in messages%}" MESSAGE "{%endfor%}" PROMPT, { CHATML, SOL_SYSTEM_TURN, .end = END }, 0 },
  { "chatml", HEAD "{%else%}" DEFAULT_SYSTEM HEAD_END TOOLS_LOOP, { CHATML, SOL_SYSTEM_TURN, .end = END }, 1 },
  { "chatml", HEAD HEAD_END TOOLS_LOOP, { CHATML, SOL_SYSTEM_TURN, .end = END }, 0 },
  { "chatml", HEAD HEAD_END NOT_THINKING, { CHATML, SOL_SYSTEM_TURN, .end = END }, 0 },
  { "chatml-thinking", HEAD HEAD_END OLD_THINKING PROMPT_SWITCH, { CHATML, SOL_SYSTEM_TURN, .end = END, .thinking = SOL_THINKING_SWITCH }, 0 },
  { "chatml-thinking", HEAD HEAD_END NEW_THINKING PROMPT_SWITCH, { CHATML, SOL_SYSTEM_TURN, .end = END, .thinking = SOL_THINKING_SWITCH }, 0 },
  { "chatml-thinking", HEAD HEAD_END OLD_THINKING PROMPT, { CHATML, SOL_SYSTEM_TURN, .end = END, .thinking = SOL_THINKING_PLAIN }, 0 },
  { "chatml-thinking", HEAD HEAD_END OLD_THINKING PROMPT_THINK, { CHATML, SOL_SYSTEM_TURN, .end = END, .thinking = SOL_THINKING_OPEN }, 0 },
  { "chatml-thinking", HEAD HEAD_END NEW_THINKING PROMPT_THINK, { CHATML, SOL_SYSTEM_TURN, .end = END, .thinking = SOL_THINKING_OPEN }, 0 },
  { "llama3", L3_OLD L3_PROMPT, { LLAMA3, SOL_SYSTEM_TURN, .end = "<|eot_id|>", .trim = 1, .trim_answer = 1 }, 0 },
  { "llama3", L3_OLD SHOW (L3 ("assistant")), { LLAMA3, SOL_SYSTEM_TURN, .end = "<|eot_id|>", .trim = 1, .trim_answer = 1, .always_prompt = 1 }, 0 },
  { "llama3.1", L3_NEW ("{%set date_string='" KEEP "'%}"), { LLAMA3, SOL_SYSTEM_DATED, .end = "<|eot_id|>", .trim = 1, .trim_answer = 1 }, 1 },
  { "llama3.2", L3_NEW ("{%if strftime_now is defined%}{%set date_string=strftime_now('%d %b %Y')%}{%else%}{%set date_string=" GAP "%}{%endif%}"),
    { LLAMA3, SOL_SYSTEM_DATED, .end = "<|eot_id|>", .trim = 1, .trim_answer = 1 }, 0 },
  { "mistral", MISTRAL_OLD (""), { BOS, { "", "" }, { "[INST] ", " [/INST]" }, { "", EOS }, "", SOL_SYSTEM_NONE, .end = EOS, .alternate = 1 }, 0 },
  { "mistral", MISTRAL_OLD (SHOW (" ")), { BOS, { "", "" }, { "[INST] ", " [/INST]" }, { "", EOS " " }, "", SOL_SYSTEM_NONE, .end = EOS, .alternate = 1 }, 0 },
  { "mistral", MISTRAL_MID, { BOS, { "", "\n\n" }, { "", "" }, { " ", EOS }, "", SOL_SYSTEM_FIRST, .end = EOS, .alternate = 1 }, 4 },
  { "mistral", MISTRAL_TOOLS ("first", "message.content"), { BOS, { "", "\n\n" }, { "", "" }, { " ", EOS }, "", SOL_SYSTEM_FIRST, .end = EOS, .alternate = 1 }, 4 },
  { "mistral", MISTRAL_TOOLS ("last", "message.content"), { BOS, { "", "\n\n" }, { "", "" }, { " ", EOS }, "", SOL_SYSTEM_LAST, .end = EOS, .alternate = 1 }, 4 },
  { "mistral", MISTRAL_TOOLS ("first", "message.content|trim"), { BOS, { "", "\n\n" }, { "", "" }, { " ", EOS }, "", SOL_SYSTEM_FIRST, .end = EOS, .alternate = 1, .trim_answer = 1 }, 4 },
  { "mistral", MISTRAL_TOOLS ("last", "message.content|trim"), { BOS, { "", "\n\n" }, { "", "" }, { " ", EOS }, "", SOL_SYSTEM_LAST, .end = EOS, .alternate = 1, .trim_answer = 1 }, 4 },
  { "llama2", LLAMA2, { "", { "<<SYS>>\n", "\n<</SYS>>\n\n" }, { BOS "[INST] ", " [/INST]" }, { " ", " " EOS }, "", SOL_SYSTEM_FIRST, .end = EOS, .alternate = 1, .trim = 1, .trim_answer = 1, .trim_whole = 1 }, 0 },
  { "gemma", GEMMA2, { GEMMA, SOL_SYSTEM_NONE, .end = "<end_of_turn>", .alternate = 1, .trim = 1, .trim_answer = 1 }, 0 },
  { "gemma3", GEMMA3, { GEMMA, SOL_SYSTEM_FIRST, .end = "<end_of_turn>", .alternate = 1, .trim = 1, .trim_answer = 1 }, 0 }
};

typedef struct { const char *s; size_t n; } kept_t;
#define MOST_KEPT 4

/* Is s the pattern? What is passed over is as short as it can be, tried again longer where the rest does not fit. */
static int fits (const char *p, const char *s, kept_t kept[MOST_KEPT], int n_kept, int *n_p, int *tries)
{
  for (; *p && *p != 1 && *p != 3; p++, s++)
    if (*p != *s) return 0;
  if (!*p) {
    *n_p = n_kept;
    return !*s;
  }
  if (*p == 3 && n_kept == MOST_KEPT) return 0;
  for (const char *e = s;; e++) {
    if (--*tries < 0) return 0;
    if (*p == 3) kept[n_kept] = (kept_t) { s, (size_t) (e - s) };
    if (fits (p + 1, e, kept, n_kept + (*p == 3), n_p, tries)) return 1;
    if (!*e || (*p == 3 && *e == '\'')) return 0;
  }
}

static char *copy (kept_t k)
{
  char *s = sol_alloc (k.n + 1);
  memcpy (s, k.s, k.n);
  for (size_t i = 0; i < k.n; i++)
    if (s[i] == 2) s[i] = '\'';
  return s;
}

/* the date as the template would print it now, in English whatever the locale is */
static char *today (void)
{
  static const char *const month[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
  sol_buffer_t b = { 0 };
  const time_t now = time (NULL);
  struct tm tm;
  localtime_r (&now, &tm);
  sol_buffer_printf (&b, "%02d %s %d", tm.tm_mday, month[tm.tm_mon], tm.tm_year + 1900);
  return b.data;
}

int sol_form_find (const char *spelt, sol_form_t *form, const char **name_p)
{
  for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
    kept_t kept[MOST_KEPT];
    int n = 0, tries = 1000000;
    if (!fits (row[i].pattern, spelt, kept, 0, &n, &tries) || n != row[i].kept) continue;
    *form = row[i].form;
    *name_p = row[i].name;
    if (n == 4) { /* with and without a system message the user's turn must be the same */
      if (kept[0].n != kept[2].n || memcmp (kept[0].s, kept[2].s, kept[0].n) || kept[1].n != kept[3].n || memcmp (kept[1].s, kept[3].s, kept[1].n)) continue;
      form->user.open = form->kept[0] = copy (kept[0]);
      form->user.close = form->kept[1] = copy (kept[1]);
    } else if (n == 1) form->kept[0] = copy (kept[0]);
    else if (form->system_where == SOL_SYSTEM_DATED) form->kept[0] = today ();
    if (n == 1 && form->system_where == SOL_SYSTEM_TURN) form->default_system = form->kept[0];
    if (form->system_where == SOL_SYSTEM_DATED) form->date = form->kept[0];
    return 1;
  }
  return 0;
}
