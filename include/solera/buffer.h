/* SPDX-License-Identifier: Apache-2.0 */
/* buffer.h: a growing run of bytes, for text and for records being built. {0} is an empty buffer. */
#ifndef SOL_BUFFER_H
#define SOL_BUFFER_H
#include <stddef.h>
typedef struct { char *data; size_t bytes, room; } sol_buffer_t; /* data is always followed by a zero byte once non-NULL */
void sol_buffer_add (sol_buffer_t *b, const void *data, size_t bytes);
void sol_buffer_printf (sol_buffer_t *b, const char *fmt, ...) __attribute__ ((format (printf, 2, 3)));
/* a JSON string with quotes; invalid UTF-8 becomes U+FFFD */
void sol_buffer_json (sol_buffer_t *b, const char *text, size_t bytes);
/* the shortest decimal that reads back as the same double (or float); null for inf and NaN, as JSON has neither */
void sol_buffer_double (sol_buffer_t *b, double x);
void sol_buffer_float (sol_buffer_t *b, float x);
void sol_buffer_clear (sol_buffer_t *b); /* keeps the room */
void sol_buffer_free (sol_buffer_t *b);
#endif
