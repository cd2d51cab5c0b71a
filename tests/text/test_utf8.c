/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/utf8.h"
#include "../tap.h"
#include <string.h>

static int next (const char *s)
{
  int32_t cp = -1;
  return sol_utf8_next (s, strlen (s), &cp);
}

static int lossy_is (const char *s, size_t n, const char *want)
{
  sol_buffer_t b = { 0 };
  sol_utf8_lossy (&b, s, n);
  int same = b.bytes == strlen (want) && !memcmp (b.data, want, b.bytes);
  sol_buffer_free (&b);
  return same;
}

int main (void)
{
  int bad = 0;
  for (int32_t cp = 0; cp <= 0x10ffff; cp++) {
    char s[5] = { 0 };
    int32_t back;
    if (cp >= 0xd800 && cp <= 0xdfff) continue;
    int n = sol_utf8_put (cp, s);
    if (sol_utf8_next (s, (size_t) n, &back) != n || back != cp) bad++;
    for (int k = 1; k < n; k++)
      if (sol_utf8_next (s, (size_t) k, &back) != -k) bad++; /* cut characters are one wrong part */
  }
  tap_ok (!bad, "every character there and back, and every cut one refused (%d wrong)", bad);
  ok (next ("\x80") == -1 && next ("\xc0\x80") == -1 && next ("\xc1\xbf") == -1 && next ("\xf5\x80\x80\x80") == -1 && next ("\xff") == -1);
  ok (next ("\xe0\x9f\xbf") == -1 && next ("\xed\xa0\x80") == -1 && next ("\xf0\x8f\xbf\xbf") == -1 && next ("\xf4\x90\x80\x80") == -1);
  ok (next ("\xe2\x82\x41") == -2 && next ("\xf0\x9f\x98\x41") == -3 && next ("\xc3\x41") == -1);
  ok (sol_utf8_check ("ab\xc3\xa9", 4) == 4 && sol_utf8_check ("ab\xc3", 3) == 2 && sol_utf8_check ("", 0) == 0);
  ok (lossy_is ("a\xf0\x9f\x98z\xed\xa0\x80", 8, "a\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"));
  ok (lossy_is ("\xe2\x82", 2, "\xef\xbf\xbd"));
  ok (sol_utf8_is_space (' ') && sol_utf8_is_space (0x3000) && !sol_utf8_is_space (0x180e) && !sol_utf8_is_space (0x200b));
  return tap_done ();
}
