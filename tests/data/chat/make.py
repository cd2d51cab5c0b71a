#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Remakes golden.jsonl: what transformers' apply_chat_template makes of conversations with templates of every family that is known (transformers 5.24 made what is here).

    make.py [FOLDER]    golden.jsonl, from the templates here; with FOLDER from its files NAME.jinja instead (a first line {# bos eos #} names the two tokens)

The templates here were written for this test: they print what the families' own print, whose parts for tools are replaced by a few words."""
import glob
import json
import os
import sys
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

TOOLS = "{{- '# Tools' }}{%- for tool in tools %}{{- tool | tojson }}{%- endfor %}"
CHATML = "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
PROMPT = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
HEAD = ("{%- if tools %}\n    " + TOOLS + "\n{%- else %}\n    {%- if messages[0].role == 'system' %}\n        {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}\n"
        "    DEFAULT{%- endif %}\n{%- endif %}\n")
QWEN25 = HEAD.replace("DEFAULT", "{%- else %}\n        {{- '<|im_start|>system\\nYou are a \"model\", don\\'t forget.<|im_end|>\\n' }}\n    ") + """{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
QUERY = """{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" STRING and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
"""
ANSWER = """            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index %}
            {%- if loop.last or (not loop.last and reasoning_content) %}
                {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
            {%- else %}
                {{- '<|im_start|>' + message.role + '\\n' + content }}
            {%- endif %}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
"""
REST = """        {%- if message.tool_calls %}
            {{- message.tool_calls | tojson }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {{- message.content }}
    {%- endif %}
{%- endfor %}
"""
OLD = HEAD.replace("DEFAULT", "") + QUERY.replace(" STRING", "") + """{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set content = message.content %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is defined and message.reasoning_content is not none %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in message.content %}
                {%- set content = message.content.split('</think>')[-1].lstrip('\\n') %}
                {%- set reasoning_content = message.content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
""" + ANSWER + REST
LOOP = """{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
"""
NEW = HEAD.replace("DEFAULT", "") + QUERY.replace("STRING", "and message.content is string") + LOOP + """        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
""" + ANSWER + REST
GO = "{%- if add_generation_prompt %}\n    {{- '<|im_start|>assistant\\n' }}\nMORE{%- endif %}"
SWITCH = GO.replace("MORE", "    {%- if enable_thinking is defined and enable_thinking is false %}\n        {{- '<think>\\n\\n</think>\\n\\n' }}\n    {%- endif %}\n")
INSTRUCT = HEAD.replace("DEFAULT", "") + LOOP + "        {{- '<|im_start|>' + message.role + '\\n' + content }}\n" + REST + GO.replace("MORE", "")
L3 = ("{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}"
      "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}")
L3_GO = "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
L31 = """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not tools_in_user_message is defined %}
    {%- set tools_in_user_message = true %}
{%- endif %}
{%- if not date_string is defined %}
    DATE
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- the system message #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if BUILTIN tools is not none %}
    {{- "tools\\n" }}
{%- endif %}
{{- "Cutting Knowledge Date: December 2023\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{%- if tools is not none and not tools_in_user_message %}
    """ + TOOLS + """
{%- endif %}
{{- system_message }}
{{- "<|eot_id|>" }}

{%- if tools_in_user_message and not tools is none %}
    """ + TOOLS + """
{%- endif %}

{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {{- message.tool_calls | tojson }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- message.content | tojson }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""
TURNS = "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('take turns') }}{% endif %}"
MISTRAL = ("{{ bos_token }}{% for message in messages %}" + TURNS + "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}"
           "{{ message['content'] + eos_token AFTER}}{% else %}{{ raise_exception('no') }}{% endif %}{% endfor %}")
APART = ("{%- if messages[0]['role'] == 'system' %}\n    {%- set system_message = messages[0]['content'] %}\n    {%- set loop_messages = messages[1:] %}\n{%- else %}\n"
         "    {%- set loop_messages = messages %}\n{%- endif %}\n")
MISTRAL_MID = APART + """
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('take turns') }}
    {%- endif %}
    {%- if message['role'] == 'user' %}
        {%- if loop.first and system_message is defined %}
            {{- ' [INST] ' + system_message + '\\n\\n' + message['content'] + ' [/INST]' }}
        {%- else %}
            {{- ' [INST] ' + message['content'] + ' [/INST]' }}
        {%- endif %}
    {%- elif message['role'] == 'assistant' %}
        {{- ' ' + message['content'] + eos_token}}
    {%- else %}
        {{- raise_exception('no') }}
    {%- endif %}
{%- endfor %}
"""
MISTRAL_TOOLS = APART + """{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}

{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or message.role == "tool_results" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("take turns") }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}

{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == user_messages[-1]) %}
            """ + TOOLS + """
        {%- endif %}
        {%- if loop.WHERE and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message.tool_calls is defined and message.tool_calls is not none %}
        {{- message.tool_calls | tojson }}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]TRIM + eos_token}}
    {%- elif message["role"] == "tool_results" or message["role"] == "tool" %}
        {{- message.content }}
    {%- else %}
        {{- raise_exception("no") }}
    {%- endif %}
{%- endfor %}
"""
LLAMA2 = ("{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}"
          "{% set system_message = false %}{% endif %}{% for message in loop_messages %}" + TURNS + "{% if loop.index0 == 0 and system_message != false %}"
          "{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}"
          "{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}")
GEMMA2 = ("{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}{% for message in messages %}" + TURNS + "{% if (message['role'] == 'assistant') %}"
          "{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
          "{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}")
GEMMA3 = """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first_user_prefix = messages[0]['content'] + '\n\n' -%}
    {%- else -%}
        {%- set first_user_prefix = messages[0]['content'][0]['text'] -%}
    {%- endif -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("take turns") }}
    {%- endif -%}
    {%- if (message['role'] == 'assistant') -%}
        {%- set role = "model" -%}
    {%- else -%}
        {%- set role = message['role'] -%}
    {%- endif -%}
    {{ '<start_of_turn>' + role + '\n' + (first_user_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {{ message['content'] | tojson }}
    {%- endif -%}
    {{ '<end_of_turn>\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{'<start_of_turn>model\n'}}
{%- endif -%}
"""
S = ("<s>", "</s>")
OURS = {
    "ChatML": ("{% for message in messages %}" + CHATML + "{% endfor %}" + PROMPT, None, "<|im_end|>"),
    "SmolLM2": ("{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are helpful.<|im_end|>\n' }}{% endif %}" + CHATML + "{% endfor %}"
                + PROMPT, None, "<|im_end|>"),
    "Qwen2.5": (QWEN25, None, "<|im_end|>"),
    "Qwen3": (OLD + SWITCH, None, "<|im_end|>"),
    "Qwen3, newer": (NEW + SWITCH, None, "<|im_end|>"),
    "Qwen3 without switch": (OLD + GO.replace("MORE", ""), None, "<|im_end|>"),
    "Qwen3 Thinking": (NEW + GO.replace("assistant\\n", "assistant\\n<think>\\n").replace("MORE", ""), None, "<|im_end|>"),
    "Qwen3 Instruct": (INSTRUCT, None, "<|im_end|>"),
    "Llama 3": (L3 + "{% if add_generation_prompt %}" + L3_GO + "{% endif %}", "<|begin_of_text|>", "<|eot_id|>"),
    "Llama 3, first": (L3 + L3_GO, "<|begin_of_text|>", "<|eot_id|>"),
    "Llama 3.1": (L31.replace("DATE", "{%- set date_string = \"26 Jul 2024\" %}").replace("BUILTIN", "builtin_tools is defined or"), "<|begin_of_text|>", "<|eot_id|>"),
    "Llama 3.2": (L31.replace("DATE", "{%- if strftime_now is defined %}\n{%- set date_string = strftime_now(\"%d %b %Y\") %}\n{%- else %}\n{%- set date_string = \"26 Jul 2024\" %}\n{%- endif %}").replace("BUILTIN ", ""),
                  "<|begin_of_text|>", "<|eot_id|>"),
    "Mistral 0.1": (MISTRAL.replace("AFTER", "+ ' ' "), *S),
    "Mistral 0.2": (MISTRAL.replace(" AFTER", ""), *S),
    "Mistral, system first": (MISTRAL_MID, *S),
    "Mistral 0.3": (MISTRAL_TOOLS.replace("WHERE", "last").replace("TRIM", "|trim"), *S),
    "Mistral Nemo": (MISTRAL_TOOLS.replace("WHERE", "last").replace("TRIM", ""), *S),
    "Llama 2": (LLAMA2, *S),
    "Gemma 2": (GEMMA2, "<bos>", "<eos>"),
    "Gemma 3": (GEMMA3, "<bos>", "<end_of_turn>"),
}


def m(*turns):
    return [{"role": {"s": "system", "u": "user", "a": "assistant"}[r], "content": c} for r, c in turns]


TALKS = [m(("u", "hi")), m(("s", "be brief"), ("u", "hi")), m(("u", " \n\u00a0What's 1+1?\x1c\n\n")), m(("s", "\n be \"brief\" "), ("u", "a"), ("a", " b \n"), ("u", "c\n")),
         m(("u", "a"), ("a", "<think>\n r1\n</think>\n\nb"), ("u", "c"), ("a", "<think>r2</think>d")), m(("u", "a"), ("a", "b</think>\n\nc</think>\n\nd"), ("a", "e")),
         m(("u", "a"), ("u", "b")), m(("a", "first")), m(("u", "a"), ("s", "late"), ("u", "b")), m(("u", "a"), ("a", "x"), ("u", "<tool_response>5</tool_response>"), ("a", "<think>t</think>\n\ny")),
         m(("u", ""), ("a", ""), ("u", "{{ x }} 你好 <|im_end|>")), m(("s", ""), ("u", "q")), m(("s", "only"))]


def main():
    todo = OURS
    if len(sys.argv) > 1:
        todo = {}
        for path in sorted(glob.glob(sys.argv[1] + "/*.jinja")):
            text = open(path, encoding="utf-8").read()
            bos, eos = "", ""
            if text.startswith("{# "):
                head, text = text.split("\n", 1)
                bos, eos = head[3:-3].split()
            todo[os.path.basename(path)[:-6]] = (text, bos or None, eos or None)
    with open("golden.jsonl", "w", encoding="utf-8") as f:
        for name, (template, bos, eos) in todo.items():
            t = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), bos_token=bos, eos_token=eos)
            rows = []
            for talk in TALKS:
                if any(t["role"] == "system" for t in talk[1:]) and name.startswith(("Llama 2", "Gemma")):
                    continue  # these print a late system message as nobody means it; solera refuses it
                for prompt in (False, True):
                    for thinking in (None, False) if "enable_thinking" in template else (None,):
                        more = {} if thinking is None else {"enable_thinking": thinking}
                        try:
                            text = t.apply_chat_template(talk, chat_template=template, tokenize=False, add_generation_prompt=prompt, **more)
                        except Exception:  # the template refuses this conversation
                            text = None
                        rows.append({"messages": talk, "prompt": prompt, "off": thinking is False, "text": text})
            dated = "strftime_now" in template
            if dated:
                import datetime
                now = datetime.datetime.now().strftime("%d %b %Y")
                for r in rows:
                    r["text"] = r["text"] and r["text"].replace("Today Date: " + now, "Today Date: 01 Feb 2025")
            f.write(json.dumps({"name": name, "template": template, "bos": bos, "eos": eos, "date": "01 Feb 2025" if dated else "", "rows": rows}, ensure_ascii=False) + "\n")


main()
