/* SPDX-License-Identifier: Apache-2.0 */
/* chat.h: a model's chat format. No template language is interpreted: the template of tokenizer_config.json (or chat_template.jinja) is brought to one spelling and must be of a family
 * that is known (ChatML as SmolLM2, Qwen2, Qwen2.5 and Qwen3 have it, Llama 2, Llama 3, Mistral, Gemma; docs/tokenizers.md); it is then rendered as transformers does. Any other is
 * refused; the settings chat.* give a form as text instead. Constant after load. */
#ifndef SOL_CHAT_H
#define SOL_CHAT_H
#include "solera/buffer.h"
#include "solera/config.h"
#include "solera/status.h"

typedef struct { const char *role, *content; } sol_message_t; /* role: system, user or assistant */
typedef struct sol_chat sol_chat_t;

/* settings: chat.* (NULL: none is given), read during the call only */
sol_status_t sol_chat_open (const char *folder, const sol_config_t *settings, sol_chat_t **chat_p);
sol_status_t sol_chat_load (const char *folder, sol_chat_t **chat_p); /* without settings */
void sol_chat_destroy (sol_chat_t *chat);
/* appends the text that is tokenized, the token that begins it included where the format has one; add_generation_prompt: ends with what an answer follows. SOL_ERR_USAGE: a role other than
 * the three, or roles in an order that the format refuses; out may then hold a part. */
sol_status_t sol_chat_render (const sol_chat_t *chat, const sol_message_t *messages, int n, int add_generation_prompt, sol_buffer_t *out);
/* the family ("chatml", "chatml-thinking", "llama3.1", ...), "given" for one of the settings: for information */
const char *sol_chat_name (const sol_chat_t *chat);
/* what the model ends an answer with ("<|im_end|>") */
const char *sol_chat_end (const sol_chat_t *chat);
#endif
