/* SPDX-License-Identifier: Apache-2.0 */
/* RUN/stats.h5 over several learners and launches: which rows it shows, that it moves with its folder, that a missing source is noticed */
#include "stats_rows.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* the writer of a launch adds updates [from, to); learner l trains sequences 1000 u + 10 l ... */
static void launch (const char *dir, int number, int learners, int from, int to, int untrained)
{
  for (int l = 0; l < learners; l++) {
    sol_stats_t *s;
    sol_stats_params_t p = params_of (dir, l, number, from);
    need (sol_stats_open (&p, &s) == SOL_OK);
    int good = 1;
    for (int u = from; u < to; u++) {
      good &= add_update (s, u, 1000 * u + 10 * l) == SOL_OK;
      if (u == from) good &= sol_stats_link (dir) == SOL_OK; /* while a writer is open in this process */
    }
    for (int k = 0; k < untrained && l == 0; k++) good &= add_sequence (s, -1, 1000 * to + k) == SOL_OK;
    good &= sol_stats_close (s) == SOL_OK;
    tap_ok (good, "launch %d learner %d writes updates %d to %d", number, l, from, to);
  }
  ok (sol_stats_link (dir) == SOL_OK);
}

/* tokens of update u are those of `learners` learners, 56 each, once */
static int tokens_per_update (hid_t f, int64_t n, int updates, const int *learners, const char *path)
{
  int32_t *u = sol_alloc ((size_t) n * 4 + 4);
  int64_t count[64] = { 0 };
  int good = sol_stats_read (f, SOL_STATS_TOKENS_update, 0, n, u, path) == SOL_OK;
  for (int64_t i = 0; i < n && good; i++) {
    good = u[i] >= 0 && u[i] < updates;
    if (good) count[u[i]]++;
  }
  for (int k = 0; k < updates && good; k++) good = count[k] == 56 * learners[k];
  sol_free (u);
  return good;
}

static int count_untrained (hid_t f, int64_t n, const char *path)
{
  int32_t *u = sol_alloc ((size_t) n * 4 + 4);
  int k = 0;
  if (sol_stats_read (f, SOL_STATS_SEQUENCES_update, 0, n, u, path) != SOL_OK) k = -1;
  for (int64_t i = 0; i < n && k >= 0; i++) k += u[i] < 0;
  sol_free (u);
  return k;
}

static void check (const char *path, int64_t n_tokens, int64_t n_sequences, int last, const int *learners, int untrained)
{
  sol_stats_info_t info = { 0 };
  ok (sol_stats_info (path, &info) == SOL_OK);
  sol_free (info.program);
  tap_ok (info.n_tokens == n_tokens && info.n_sequences == n_sequences, "%lld tokens, %lld sequences", (long long) info.n_tokens, (long long) info.n_sequences);
  ok (info.first_update == 0 && info.last_update == last);
  sol_h5_lock ();
  hid_t f = open_h5 (path);
  ok (f >= 0 && tokens_right (f, 0, n_tokens, path));
  ok (prompts_right (f, n_sequences, path));
  ok (tokens_per_update (f, n_tokens, last + 1, learners, path));
  ok (count_untrained (f, n_sequences, path) == untrained);
  H5Fclose (f);
  sol_h5_unlock ();
}

/* three launches: the second goes back to update 6 with three learners, the third to 8 with one */
static void test_launches (void)
{
  static const int one[] = { 2, 2, 2, 2, 2, 2, 2, 2, 2, 2 }, two[] = { 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3 }, three[] = { 2, 2, 2, 2, 2, 2, 3, 3, 1, 1, 1 };
  const char *dir = at ("run");
  ok (sol_stats_link (dir) == SOL_OK && !sol_file_exists (at ("run/stats.h5"))); /* nothing to show yet */
  launch (dir, 0, 2, 0, 10, 5);
  check (at ("run/stats.h5"), 20 * 56, 20 * 8 + 5, 9, one, 5);
  launch (dir, 1, 3, 6, 12, 3);
  check (at ("run/stats.h5"), 30 * 56, 30 * 8 + 3, 11, two, 3);
  launch (dir, 2, 1, 8, 11, 0);
  check (at ("run/stats.h5"), (12 + 6 + 3) * 56, (12 + 6 + 3) * 8, 10, three, 0);
}

/* a column that only some files have: NaN for the others; one that none has is not there */
static void test_optional (void)
{
  const char *dir = at ("optional"), *path = at ("optional/stats.h5");
  for (int l = 0; l < 3; l++) {
    sol_stats_t *s;
    sol_stats_params_t p = params_of (dir, l, 0, 0);
    need (sol_stats_open (&p, &s) == SOL_OK && add_tokens (s, 0, 100 * l, 7, l == 1 ? 2 : 0) == SOL_OK && sol_stats_close (s) == SOL_OK);
  }
  ok (sol_stats_link (dir) == SOL_OK);
  float raw[21];
  sol_h5_lock ();
  hid_t f = open_h5 (path);
  ok (H5Lexists (f, "tokens/lp_prox", H5P_DEFAULT) == 0 && sol_stats_read (f, SOL_STATS_TOKENS_lp_raw, 0, 21, raw, path) == SOL_OK);
  int good = 1;
  for (int i = 0; i < 21; i++) good &= i / 7 == 1 ? raw[i] == value_of (6, 100, i % 7) : isnan (raw[i]);
  tap_ok (good, "lp_raw of the one file that has it");
  H5Fclose (f);
  sol_h5_unlock ();
}

/* a finished run that is made longer: the untrained responses of its end are shown until they are recorded again */
static void test_longer (void)
{
  static const int one[] = { 1, 1, 1, 1, 1, 1, 1 };
  sol_stats_t *s;
  const char *dir = at ("longer");
  launch (dir, 0, 1, 0, 4, 16); /* 4000 to 4015, of updates 4 and 4.5 */
  check (at ("longer/stats.h5"), 4 * 56, 4 * 8 + 16, 3, one, 16);
  sol_stats_params_t p = params_of (dir, 0, 1, 4);
  need (sol_stats_open (&p, &s) == SOL_OK);
  ok (add_update (s, 4, 4000) == SOL_OK && sol_stats_close (s) == SOL_OK); /* 4000 to 4007 are trained now */
  ok (sol_stats_link (dir) == SOL_OK);
  check (at ("longer/stats.h5"), 5 * 56, 5 * 8 + 8, 4, one, 8);
  p = params_of (dir, 0, 2, 5);
  need (sol_stats_open (&p, &s) == SOL_OK);
  ok (add_sequence (s, -1, 4008) == SOL_OK && sol_stats_close (s) == SOL_OK); /* again untrained */
  ok (sol_stats_link (dir) == SOL_OK);
  check (at ("longer/stats.h5"), 5 * 56, 5 * 8 + 8, 4, one, 8);
}

static void test_moved (void)
{
  static const int three[] = { 2, 2, 2, 2, 2, 2, 3, 3, 1, 1, 1 };
  char here[512];
  sol_stats_info_t info;
  need (rename (at ("run"), at ("elsewhere")) == 0);
  check (at ("elsewhere/stats.h5"), 21 * 56, 21 * 8, 10, three, 0);
  need (getcwd (here, sizeof here) != NULL && chdir (at ("elsewhere")) == 0);
  check ("stats.h5", 21 * 56, 21 * 8, 10, three, 0);
  need (chdir (here) == 0);
  quiet (1);
  need (rename (at ("elsewhere/stats/0001.0002.h5"), at ("aside.h5")) == 0);
  ok (sol_stats_info (at ("elsewhere/stats.h5"), &info) == SOL_ERR_IO);
  need (link (at ("elsewhere/stats/0001.0001.h5"), at ("elsewhere/stats/0001.0002.h5")) == 0);
  quiet (0);
  ok (sol_stats_link (at ("elsewhere")) == SOL_OK); /* an impostor is left out */
  ok (sol_stats_info (at ("elsewhere/stats.h5"), &info) == SOL_OK && info.n_tokens == (12 + 4 + 3) * 56);
  sol_free (info.program);
}

/* a source that lost rows after the link */
static void test_shorter (void)
{
  sol_stats_t *s;
  sol_stats_info_t info;
  launch (at ("short"), 0, 1, 0, 6, 0);
  need (unlink (at ("short/stats/0000.0000.h5")) == 0);
  sol_stats_params_t p = params_of (at ("short"), 0, 0, 0);
  need (sol_stats_open (&p, &s) == SOL_OK);
  ok (add_update (s, 0, 0) == SOL_OK && sol_stats_close (s) == SOL_OK);
  quiet (1);
  ok (sol_stats_info (at ("short/stats.h5"), &info) == SOL_ERR_FORMAT);
  quiet (0);
}

/* the file that links them does not fit: the cause is named, also by HDF5's own driver, and nothing half made is left */
static void test_full (void)
{
  sol_stats_t *s;
  sol_stats_params_t p = params_of (at ("full"), 0, 0, 0);
  char said[2000] = "";
  int rc = 0;
  need (sol_stats_open (&p, &s) == SOL_OK && add_update (s, 0, 0) == SOL_OK && sol_stats_close (s) == SOL_OK);
  const pid_t pid = fork ();
  if (!pid) { /* HDF5 1.10 may not end well */
    const struct rlimit small = { 8192, 8192 };
    const int log = open (at ("log"), O_RDWR | O_CREAT | O_TRUNC, 0666);
    signal (SIGXFSZ, SIG_IGN);
    setrlimit (RLIMIT_FSIZE, &small);
    dup2 (log, 2);
    _exit (sol_stats_link (at ("full")) == SOL_ERR_HDF5 ? 0 : 1);
  }
  ok (waitpid (pid, &rc, 0) == pid && rc == 0);
  FILE *f = fopen (at ("log"), "r");
  need (f != NULL);
  said[fread (said, 1, sizeof said - 1, f)] = 0;
  fclose (f);
  tap_ok (strstr (said, "File too large") != NULL, "the cause is named: %.400s", said);
  ok (!sol_file_exists (at ("full/stats.h5")) && !sol_file_exists (at ("full/stats.h5.tmp")));
  ok (sol_stats_link (at ("full")) == SOL_OK && sol_file_exists (at ("full/stats.h5")));
}

int main (void)
{
  scratch_make ();
  test_launches ();
  test_moved ();
  test_optional ();
  test_longer ();
  test_shorter ();
  test_full ();
  scratch_remove ();
  return tap_done ();
}
