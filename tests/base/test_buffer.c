/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/buffer.h"
#include "../tap.h"
#include "solera/clock.h"
#include "solera/random.h"
#include <float.h>
#include <math.h>
#include <string.h>

static int json_is (const char *in, size_t n, const char *expected)
{
  sol_buffer_t b = { 0 };
  sol_buffer_json (&b, in, n);
  const int same = strcmp (b.data, expected) == 0;
  if (!same) fprintf (stderr, "found %s, expected %s\n", b.data, expected);
  sol_buffer_free (&b);
  return same;
}

static void test_json (void)
{
  ok (json_is ("a\"b\\c\n\t\r\x01", 9, "\"a\\\"b\\\\c\\n\\t\\r\\u0001\""));
  ok (json_is ("\0x", 2, "\"\\u0000x\""));
  ok (json_is ("h\xc3\xa9\xe2\x82\xac\xf0\x9f\x8d\xb7", 10, "\"h\xc3\xa9\xe2\x82\xac\xf0\x9f\x8d\xb7\""));
  ok (json_is ("\xff\x41", 2, "\"\xef\xbf\xbd\x41\""));
  ok (json_is ("\xc3", 1, "\"\xef\xbf\xbd\""));             /* cut short */
  ok (json_is ("\xc0\xaf", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"")); /* overlong */
  ok (json_is ("\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"")); /* surrogate */
  ok (json_is ("", 0, "\"\""));
}

static int double_is (double x, const char *expected)
{
  sol_buffer_t b = { 0 };
  sol_buffer_double (&b, x);
  const int same = strcmp (b.data, expected) == 0;
  if (!same) fprintf (stderr, "found %s, expected %s\n", b.data, expected);
  sol_buffer_free (&b);
  return same;
}

static void test_numbers (void)
{
  ok (double_is (0.1, "0.1") && double_is (1, "1") && double_is (0.04, "0.04") && double_is (-0.0, "-0") && double_is (1e-6, "1e-06") && double_is (600, "600") && double_is (1e22, "1e+22"));
  ok (double_is (NAN, "null") && double_is (-INFINITY, "null"));
  ok (double_is (0.1 + 0.2, "0.30000000000000004") && double_is (DBL_MIN / 8, "2.781342323134e-309"));
  int exact = 1;
  sol_buffer_t b = { 0 };
  for (uint32_t i = 0; i < 20000; i++) {
    const sol_random_t r = sol_random (5, 0, SOL_RANDOM_TEST, 0, i);
    double x;
    float f;
    memcpy (&x, r.w, 8);
    memcpy (&f, r.w + 2, 4);
    sol_buffer_clear (&b);
    sol_buffer_double (&b, x);
    exact = exact && (isfinite (x) ? strtod (b.data, NULL) == x : strcmp (b.data, "null") == 0);
    sol_buffer_clear (&b);
    sol_buffer_float (&b, f);
    exact = exact && (isfinite (f) ? strtof (b.data, NULL) == f : strcmp (b.data, "null") == 0);
  }
  ok (exact);
  sol_buffer_free (&b);
}

int main (void)
{
  test_json ();
  test_numbers ();
  sol_buffer_t b = { 0 };
  for (int i = 0; i < 1000; i++) sol_buffer_printf (&b, "%d,", i);
  ok (b.bytes == 3890 && strncmp (b.data, "0,1,2,", 6) == 0 && b.data[b.bytes] == 0);
  sol_buffer_clear (&b);
  ok (b.bytes == 0 && b.data[0] == 0 && b.room > 3890);
  sol_buffer_add (&b, "", 0);
  ok (b.bytes == 0);
  sol_buffer_free (&b);
  ok (b.data == NULL);
  char iso[21];
  sol_clock_iso (iso, sizeof iso);
  ok (strlen (iso) == 20 && iso[10] == 'T' && iso[19] == 'Z');
  const double t0 = sol_clock_s ();
  unsigned turns = 0;
  for (int i = 0; i < 300; i++) sol_clock_idle (&turns);
  const double t1 = sol_clock_s ();
  ok (t0 >= 0 && t1 - t0 > 0.01 && turns == 300);
  return tap_done ();
}
