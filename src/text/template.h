/* SPDX-License-Identifier: Apache-2.0 */
/* template.h: chat templates in one spelling (template.c); inside src/text only. */
#ifndef SOL_TEMPLATE_H
#define SOL_TEMPLATE_H
#include "solera/buffer.h"
/* Sets out (cleared first) to text in one spelling; 0: a tag is not closed. */
int sol_template_spell (const char *text, sol_buffer_t *out);
#endif
