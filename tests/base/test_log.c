/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/log.h"
#include "../tap.h"
#include "solera/file.h"
#include <string.h>
#include <unistd.h>

int main (void)
{
  char path[256], *text = NULL, long_text[9000];
  size_t n = 0;
  snprintf (path, sizeof path, "%s/log-%d", getenv ("TEST_TMPDIR") ? getenv ("TEST_TMPDIR") : "/tmp", (int) getpid ());
  ok (sol_log_file ("/nowhere/at/all") != 0);
  ok (sol_log_file (path) == 0);
  sol_log_who ("actor", 3);
  ok (strcmp (sol_log_name (), "actor.3") == 0);
  sol_log (SOL_LOG_INFO, "broker", "slot %d dropped", 7);
  sol_log (SOL_LOG_DEBUG, "broker", "not shown");
  ok (sol_fail (SOL_ERR_FORMAT, "yaml", "two\nlines\033[31m") == SOL_ERR_FORMAT);
  memset (long_text, 'x', sizeof long_text - 1);
  long_text[sizeof long_text - 1] = 0;
  sol_log (SOL_LOG_WARN, "long", "%s", long_text);
  sol_log_level (SOL_LOG_ERROR);
  sol_log (SOL_LOG_WARN, "broker", "not shown either");
  sol_log_file (NULL);
  need (sol_file_read (path, 0, &text, &n) == SOL_OK);
  ok (strstr (text, " actor.3 info broker: slot 7 dropped\n") != NULL);
  ok (strstr (text, "not shown") == NULL);
  ok (strstr (text, " error yaml: two lines?[31m\n") != NULL);
  ok (strstr (text, "xxx...\n") != NULL && n < 5000);
  sol_log_who ("broker", -1);
  ok (strcmp (sol_log_name (), "broker") == 0);
  ok (strcmp (sol_status_string (SOL_ERR_STALE), "wrong policy version") == 0);
  ok (strcmp (sol_status_string ((sol_status_t) 9999), "unknown status") == 0);
  sol_free (text);
  unlink (path);
  return tap_done ();
}
