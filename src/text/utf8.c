/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/utf8.h"

int sol_utf8_next (const char *text, size_t bytes, int32_t *cp_p)
{
  const unsigned char *s = (const unsigned char *) text;
  unsigned c = s[0], low = 0x80, high = 0xbf;
  int more;
  if (c < 0x80) {
    *cp_p = (int32_t) c;
    return 1;
  }
  if (c < 0xc2 || c > 0xf4) return -1;
  more = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
  /* only the second byte has a narrower range: no overlong forms, no surrogates, nothing above U+10FFFF */
  if (c == 0xe0) low = 0xa0;
  if (c == 0xed) high = 0x9f;
  if (c == 0xf0) low = 0x90;
  if (c == 0xf4) high = 0x8f;
  int32_t cp = (int32_t) (c & (0x3fu >> more));
  for (int i = 1; i <= more; i++) {
    if ((size_t) i >= bytes || s[i] < low || s[i] > high) return -i;
    cp = cp << 6 | (s[i] & 0x3f);
    low = 0x80;
    high = 0xbf;
  }
  *cp_p = cp;
  return more + 1;
}

size_t sol_utf8_check (const char *s, size_t bytes)
{
  size_t i = 0;
  while (i < bytes) {
    int32_t cp;
    int n = sol_utf8_next (s + i, bytes - i, &cp);
    if (n < 0) return i;
    i += (size_t) n;
  }
  return bytes;
}

int sol_utf8_put (int32_t cp, char *out)
{
  unsigned c = (unsigned) cp;
  if (c < 0x80) {
    out[0] = (char) c;
    return 1;
  }
  int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  static const unsigned char head[4] = { 0, 0xc0, 0xe0, 0xf0 };
  for (int i = more; i > 0; i--, c >>= 6) out[i] = (char) (0x80 | (c & 0x3f));
  out[0] = (char) (head[more] | c);
  return more + 1;
}

void sol_utf8_lossy (sol_buffer_t *out, const char *s, size_t bytes)
{
  size_t good = 0, i = 0;
  while (i < bytes) {
    int32_t cp;
    int n = sol_utf8_next (s + i, bytes - i, &cp);
    if (n < 0) {
      sol_buffer_add (out, s + good, i - good);
      sol_buffer_add (out, "\xef\xbf\xbd", 3);
      good = i + (size_t) -n;
    }
    i += (size_t) (n < 0 ? -n : n);
  }
  sol_buffer_add (out, s + good, bytes - good);
}

int sol_utf8_is_space (int32_t cp)
{
  return (cp >= 9 && cp <= 13) || cp == 0x20 || cp == 0x85 || cp == 0xa0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 || cp == 0x2029
         || cp == 0x202f || cp == 0x205f || cp == 0x3000;
}
