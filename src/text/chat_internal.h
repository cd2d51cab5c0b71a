/* SPDX-License-Identifier: Apache-2.0 */
/* chat_internal.h: what a chat template comes down to; inside src/text only. chat.c reads and renders, chat_forms.c knows the families. */
#ifndef SOL_CHAT_INTERNAL_H
#define SOL_CHAT_INTERNAL_H
#include "solera/chat.h"

/* in the texts of a form: the token that begins a text, the one that ends it */
#define BOS "\4"
#define EOS "\5"

typedef struct { const char *open, *close; } sol_turn_t; /* what stands before and behind a message */
/* the system message: a turn of its own; none is allowed; before the first, or the last, message of the user, in its turn; the first turn, always there, with the date in it */
typedef enum { SOL_SYSTEM_TURN, SOL_SYSTEM_NONE, SOL_SYSTEM_FIRST, SOL_SYSTEM_LAST, SOL_SYSTEM_DATED } sol_system_where_t;
/* Qwen3: thoughts of earlier turns go, those of the last stay. SWITCH: an empty thought in the prompt turns thinking off; OPEN: the prompt begins a thought. */
typedef enum { SOL_THINKING_NO, SOL_THINKING_PLAIN, SOL_THINKING_SWITCH, SOL_THINKING_OPEN } sol_thinking_t;

typedef struct {
  const char *begin;                 /* of the whole text */
  sol_turn_t system, user, assistant;
  const char *prompt;                /* what the answer follows */
  sol_system_where_t system_where;
  const char *end;                   /* what the model ends an answer with */
  const char *default_system;        /* NULL: none */
  const char *date;
  sol_thinking_t thinking;
  int trim, trim_answer, trim_whole; /* white space around messages of the user and the system; of the assistant; around system and user's message joined, not each */
  int alternate;                     /* user and assistant must take turns, the user first */
  int always_prompt;                 /* the prompt is printed whether asked for or not */
  char *kept[2];                     /* owned: what of the above was read from the template */
} sol_form_t;

/* finds the family of a template in one spelling (template.h); 0: none. kept is the caller's to free. */
int sol_form_find (const char *spelt, sol_form_t *form, const char **name_p);
#endif
