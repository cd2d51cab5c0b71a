/* SPDX-License-Identifier: Apache-2.0 */
#include "helpers.h"

static int refused (const char *s, size_t n)
{
  cJSON *json = NULL;
  char why[128] = "";
  int bad = sol_json_parse (s, n, &json, why) == SOL_ERR_FORMAT && why[0];
  if (!bad) cJSON_Delete (json);
  return bad;
}
#define REFUSED(s) refused (s, sizeof (s) - 1)

int main (void)
{
  cJSON *json;
  char why[128];
  sol_buffer_t b = { 0 };
  int64_t i;
  static const char good[] = "{\"a\":\"x\\u0000y\\\\u0000\",\"n\":7,\"h\":0.5,\"e\":\"\"} \r";
  need (sol_json_parse (good, sizeof good - 1, &json, why) == SOL_OK);
  ok (sol_json_text (json, "a", &b) && b.bytes == 9 && !memcmp (b.data, "x\0y\\u0000", 9));
  ok (sol_json_string (json, "a") == NULL); /* a C string cannot hold it */
  ok (sol_json_text (json, "e", &b) && b.bytes == 0);
  ok (!sol_json_text (json, "n", &b) && !sol_json_text (json, "missing", &b));
  ok (sol_json_int (cJSON_GetObjectItem (json, "n"), 0, 10, &i) && i == 7 && !sol_json_int (cJSON_GetObjectItem (json, "n"), 8, 10, &i));
  ok (!sol_json_int (cJSON_GetObjectItem (json, "h"), 0, 10, &i) && !sol_json_int (cJSON_GetObjectItem (json, "a"), 0, 10, &i));
  cJSON_Delete (json);
  sol_buffer_free (&b);
  ok (REFUSED ("") && REFUSED ("{") && REFUSED ("{} x") && REFUSED ("{\"a\":}") && REFUSED ("nul"));
  ok (REFUSED ("\"\xff\"") && REFUSED ("\"\xc3\"") && REFUSED ("\"a\nb\"") && REFUSED ("{}\0") && REFUSED ("\"\\ud800\""));
  ok (REFUSED ("{\"a\":1,\"b\":2,\"a\":1}") && REFUSED ("[{\"x\":{\"\":0,\"\\u0061\":1,\"a\":2}}]")); /* a key twice, spelt otherwise too */
  ok (!REFUSED ("{\"a\":{\"a\":1,\"A\":2},\"b\":{\"a\":1}}"));
  for (int twice = 0; twice < 2; twice++) {
    sol_buffer_printf (&b, "{");
    for (int k = 0; k < 1000; k++) sol_buffer_printf (&b, "\"k%d\":%d,", k, k);
    sol_buffer_printf (&b, "\"%s\":0}", twice ? "k500" : "last");
    ok (refused (b.data, b.bytes) == twice);
    sol_buffer_free (&b);
  }
  ok (sol_json_parse ("{\"key\":1,\"key\":1}", 17, &json, why) == SOL_ERR_FORMAT && strstr (why, "key \"key\" stands twice"));
  char deep[4000];
  memset (deep, '[', sizeof deep);
  ok (refused (deep, sizeof deep));
  return tap_done ();
}
