/* SPDX-License-Identifier: Apache-2.0 */
/* chat.h: a model's chat format. No template language is interpreted: the template of tokenizer_config.json (or chat_template.jinja) is compared, piece by piece, with the
 * known members of the ChatML family (SmolLM2, Qwen2, Qwen2.5, Qwen3, each with its own default system message); any other is refused. Constant after load. */
#ifndef SOL_CHAT_H
#define SOL_CHAT_H
#include "solera/buffer.h"
#include "solera/status.h"

typedef struct { const char *role, *content; } sol_message_t; /* role: system, user or assistant */
typedef struct sol_chat sol_chat_t;

sol_status_t sol_chat_load (const char *folder, sol_chat_t **chat_p);
void sol_chat_destroy (sol_chat_t *chat);
/* appends the text that is tokenized; add_generation_prompt: ends with the assistant's header. Roles other than the three are SOL_ERR_USAGE. */
sol_status_t sol_chat_render (const sol_chat_t *chat, const sol_message_t *messages, int n, int add_generation_prompt, sol_buffer_t *out);
/* "chatml", "chatml-thinking": for information */
const char *sol_chat_name (const sol_chat_t *chat);
/* what the format puts behind an assistant's answer ("<|im_end|>") */
const char *sol_chat_end (const sol_chat_t *chat);
#endif
