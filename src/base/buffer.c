/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/buffer.h"
#include "solera/memory.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reserve (sol_buffer_t *b, size_t more)
{
  const size_t want = b->bytes + more + 1;
  if (want <= b->room) return;
  size_t room = b->room ? 2 * b->room : 256;
  while (room < want) room *= 2;
  b->data = sol_realloc (b->data, room);
  b->room = room;
}

void sol_buffer_add (sol_buffer_t *b, const void *data, size_t bytes)
{
  reserve (b, bytes);
  if (bytes) memcpy (b->data + b->bytes, data, bytes);
  b->bytes += bytes;
  b->data[b->bytes] = 0;
}

void sol_buffer_printf (sol_buffer_t *b, const char *fmt, ...)
{
  va_list ap;
  va_start (ap, fmt);
  va_list again;
  va_copy (again, ap);
  const int n = vsnprintf (NULL, 0, fmt, ap);
  va_end (ap);
  if (n >= 0) {
    reserve (b, (size_t) n);
    vsnprintf (b->data + b->bytes, (size_t) n + 1, fmt, again);
    b->bytes += (size_t) n;
  }
  va_end (again);
}

/* length of the well-formed UTF-8 character at s (Unicode 15, table 3-7), or 0 */
static size_t utf8_length (const unsigned char *s, size_t n)
{
  unsigned lo = 0x80, hi = 0xbf;
  size_t len;
  if (s[0] < 0x80) return 1;
  if (s[0] < 0xc2 || s[0] > 0xf4) return 0;
  len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
  if (s[0] == 0xe0) lo = 0xa0;
  if (s[0] == 0xed) hi = 0x9f;
  if (s[0] == 0xf0) lo = 0x90;
  if (s[0] == 0xf4) hi = 0x8f;
  if (n < len || s[1] < lo || s[1] > hi) return 0;
  for (size_t i = 2; i < len; i++)
    if ((s[i] & 0xc0) != 0x80) return 0;
  return len;
}

void sol_buffer_json (sol_buffer_t *b, const char *text, size_t bytes)
{
  const unsigned char *s = (const unsigned char *) text;
  sol_buffer_add (b, "\"", 1);
  for (size_t i = 0, len; i < bytes; i += len ? len : 1) {
    const unsigned char c = s[i];
    len = utf8_length (s + i, bytes - i);
    if (len == 0) sol_buffer_add (b, "\xef\xbf\xbd", 3);
    else if (c == '"' || c == '\\') sol_buffer_printf (b, "\\%c", c);
    else if (c == '\n') sol_buffer_add (b, "\\n", 2);
    else if (c == '\t') sol_buffer_add (b, "\\t", 2);
    else if (c == '\r') sol_buffer_add (b, "\\r", 2);
    else if (c < 0x20 || c == 0x7f) sol_buffer_printf (b, "\\u%04x", c);
    else sol_buffer_add (b, s + i, len);
  }
  sol_buffer_add (b, "\"", 1);
}

void sol_buffer_double (sol_buffer_t *b, double x)
{
  char text[40];
  if (!isfinite (x)) {
    sol_buffer_add (b, "null", 4);
    return;
  }
  if (fabs (x) < 1e15 && x == floor (x)) { /* 600, not 6e+02 */
    sol_buffer_printf (b, "%.0f", x);
    return;
  }
  for (int digits = 1; digits <= 17; digits++) {
    snprintf (text, sizeof text, "%.*g", digits, x);
    if (strtod (text, NULL) == x) break;
  }
  sol_buffer_add (b, text, strlen (text));
}

void sol_buffer_float (sol_buffer_t *b, float x)
{
  char text[40];
  if (!isfinite (x)) {
    sol_buffer_add (b, "null", 4);
    return;
  }
  if (fabsf (x) < 1e7f && x == floorf (x)) {
    sol_buffer_printf (b, "%.0f", (double) x);
    return;
  }
  for (int digits = 1; digits <= 9; digits++) {
    snprintf (text, sizeof text, "%.*g", digits, (double) x);
    if (strtof (text, NULL) == x) break;
  }
  sol_buffer_add (b, text, strlen (text));
}

void sol_buffer_clear (sol_buffer_t *b)
{
  b->bytes = 0;
  if (b->data) b->data[0] = 0;
}

void sol_buffer_free (sol_buffer_t *b)
{
  sol_free (b->data);
  *b = (sol_buffer_t) { 0 };
}
