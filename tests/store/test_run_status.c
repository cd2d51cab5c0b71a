/* SPDX-License-Identifier: Apache-2.0 */
/* status.json and the table of where time went */
#include "helpers.h"
#include "solera/metrics.h"
#include <cjson/cJSON.h>
#include <sys/wait.h>

static void test_status (void)
{
  char *text;
  size_t bytes;
  need (sol_dir_make (at ("run")) == SOL_OK);
  ok (sol_status_write (at ("run"), "running", "", 0, 320, NULL) == SOL_OK);
  ok (sol_status_write (at ("run"), "failed", "a \"quoted\"\nreason", 17, 320, "checkpoints/u00000016") == SOL_OK);
  need (sol_file_read (at ("run/status.json"), 0, &text, &bytes) == SOL_OK);
  cJSON *j = cJSON_ParseWithLength (text, bytes);
  ok (j && !strcmp (cJSON_GetObjectItem (j, "state")->valuestring, "failed") && !strcmp (cJSON_GetObjectItem (j, "reason")->valuestring, "a \"quoted\"\nreason"));
  ok (cJSON_GetObjectItem (j, "update")->valuedouble == 17 && cJSON_GetObjectItem (j, "updates")->valuedouble == 320);
  ok (!strcmp (cJSON_GetObjectItem (j, "checkpoint")->valuestring, "checkpoints/u00000016") && strlen (cJSON_GetObjectItem (j, "time")->valuestring) == 20);
  cJSON_Delete (j);
  sol_free (text);
  ok (sol_status_write (at ("run"), "done", NULL, 320, 320, "") == SOL_OK);
  need (sol_file_read (at ("run/status.json"), 0, &text, &bytes) == SOL_OK);
  ok (strstr (text, "\"reason\": null") && strstr (text, "\"checkpoint\": null"));
  sol_free (text);
  quiet (1);
  ok (sol_status_write (at ("nowhere"), "done", NULL, 1, 1, NULL) == SOL_ERR_IO);
  quiet (0);
}

static char *state_of (void)
{
  static char text[4096];
  FILE *f = fopen (at ("run/status.json"), "r");
  need (f != NULL);
  text[fread (text, 1, sizeof text - 1, f)] = 0;
  fclose (f);
  return text;
}

/* the first failure stays; who tells nothing of an update names the last checkpoint's */
static void test_failed (void)
{
  need (sol_dir_make (at ("run/checkpoints")) == SOL_OK && put_file (at ("run/checkpoints/latest"), "u00000012\n", 10) == 0);
  ok (sol_status_write (at ("run"), "running", "", 0, 320, NULL) == SOL_OK);
  ok (sol_status_failed (at ("run"), "the first", -1, 320, "") == SOL_OK && strstr (state_of (), "the first") && strstr (state_of (), "\"update\": 12") && strstr (state_of (), "\"u00000012\""));
  ok (sol_status_failed (at ("run"), "the second", 17, 320, "u00000016") == SOL_OK && strstr (state_of (), "the first"));
  ok (sol_status_write (at ("run"), "done", NULL, 320, 320, "") == SOL_OK && sol_status_failed (at ("run"), "too late", 17, 320, "") == SOL_OK && strstr (state_of (), "\"done\""));
  need (put_file (at ("run/status.json"), "", 0) == 0); /* cut off by whatever it was: says nothing */
  ok (sol_status_failed (at ("run"), "the third", 17, 320, "u00000016") == SOL_OK && strstr (state_of (), "the third") && strstr (state_of (), "\"update\": 17"));
}

/* ranks that fail together: none of them is in another's way, and one whole status is left */
static void test_together (void)
{
  enum { RANKS = 6, TIMES = 40 };
  pid_t pid[RANKS];
  int good = 1, rc;
  for (int r = 0; r < RANKS; r++)
    if (!(pid[r] = fork ())) {
      int bad = 0;
      quiet (1);
      for (int i = 0; i < TIMES; i++) bad |= sol_status_write (at ("run"), "failed", "all of us", i, 320, "") != SOL_OK;
      _exit (bad);
    }
  for (int r = 0; r < RANKS; r++) good &= pid[r] > 0 && waitpid (pid[r], &rc, 0) == pid[r] && rc == 0;
  tap_ok (good, "%d ranks write status.json at once", RANKS);
  ok (strstr (state_of (), "\"update\": 39") && state_of ()[strlen (state_of ()) - 2] == '}');
}

static void test_times (void)
{
  sol_times_t t[4] = { { .total_s = 100, .role = "broker", .index = 0 }, { .total_s = 100, .role = "actor", .index = 0 }, { .total_s = 100, .role = "actor", .index = 1 }, { .total_s = 100, .role = "learner" } };
  sol_buffer_t b = { 0 };
  t[0].s[SOL_PHASE_BROKER] = 3;
  t[0].s[SOL_PHASE_WAIT] = 97;
  t[1].s[SOL_PHASE_GENERATE] = 80;
  t[2].s[SOL_PHASE_GENERATE] = 60;
  t[2].s[SOL_PHASE_FETCH] = 10;
  t[3].s[SOL_PHASE_FORWARD] = 20;
  t[3].s[SOL_PHASE_BACKWARD] = 40;
  t[3].s[SOL_PHASE_WAIT] = 30;
  sol_times_table (t, 4, &b);
  ok (strstr (b.data, "busiest: actor, at work 75 % of the time, most of it in generate"));
  ok (strstr (b.data, "actor x2") && strstr (b.data, "70.00  70.0%") && strstr (b.data, "40.00  40.0%"));
  ok (!strstr (b.data, "optimizer")); /* phases without time are left out */
  fputs (b.data, stderr);
  sol_buffer_clear (&b);
  sol_times_table (t, 0, &b);
  ok (b.bytes > 0);
  sol_buffer_free (&b);
  for (int p = 0; p < SOL_PHASE_COUNT; p++) ok (strlen (sol_phase_name ((sol_phase_t) p)) > 2);
}

int main (void)
{
  scratch_make ();
  test_status ();
  test_failed ();
  test_together ();
  test_times ();
  scratch_remove ();
  return tap_done ();
}
