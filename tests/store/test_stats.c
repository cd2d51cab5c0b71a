/* SPDX-License-Identifier: Apache-2.0 */
/* one file: what is appended is in it, at any size of batch; attributes; refusals; a full disk */
#include "stats_rows.h"
#include <signal.h>
#include <sys/resource.h>

static void test_small (void)
{
  sol_stats_t *s;
  sol_stats_params_t p = params_of (at ("a"), 2, 0, 0);
  sol_stats_info_t info;
  int launch = -1;
  ok (sol_stats_launch (at ("a"), &launch) == SOL_OK && launch == 0);
  need (sol_stats_open (&p, &s) == SOL_OK);
  for (int u = 0; u < 5; u++) ok (add_update (s, u, 8 * u) == SOL_OK);
  ok (add_tokens (s, 5, 0, 0, 0) == SOL_OK); /* a learner may get nothing */
  ok (add_sequence (s, -1, 40) == SOL_OK);
  ok (sol_stats_flush (s) == SOL_OK);
  ok (sol_stats_info (at ("a/stats/0000.0002.h5"), &info) == SOL_OK); /* while it is open for writing */
  ok (info.n_tokens == 5 * 56 && info.n_sequences == 41);
  sol_free (info.program);
  quiet (1);
  ok (add_tokens (s, 4, 0, 7, 0) == SOL_ERR_USAGE);
  ok (add_sequence (s, 4, 41) == SOL_ERR_USAGE);
  quiet (0);
  ok (sol_stats_close (s) == SOL_OK);
  ok (sol_stats_info (at ("a/stats/0000.0002.h5"), &info) == SOL_OK);
  ok (info.n_tokens == 5 * 56 && info.n_sequences == 41 && info.first_update == 0 && info.last_update == 4 && info.version == SOL_STATS_VERSION);
  ok (info.seed == UINT64_C (18000000000000000001) && !strcmp (info.program, "solera test"));
  sol_free (info.program);
  ok (sol_stats_launch (at ("a"), &launch) == SOL_OK && launch == 1);
  quiet (1);
  ok (sol_stats_open (&p, &s) == SOL_ERR_HDF5); /* a file is never reopened for writing */
  quiet (0);

  const char *path = at ("a/stats/0000.0002.h5");
  char *text = NULL;
  sol_h5_lock ();
  hid_t f = open_h5 (path);
  ok (f >= 0 && tokens_right (f, 0, 5 * 56, path) && prompts_right (f, 41, path));
  ok (sol_h5_get_text (f, "settings", &text, path) == SOL_OK && !strcmp (text, p.settings));
  sol_free (text);
  hid_t d = H5Dopen2 (f, "tokens/lp", H5P_DEFAULT);
  ok (sol_h5_get_text (d, "unit", &text, path) == SOL_OK && !strcmp (text, "nats"));
  sol_free (text);
  ok (sol_h5_get_text (d, "meaning", &text, path) == SOL_OK && strstr (text, "log-ratio"));
  sol_free (text);
  ok (H5Lexists (f, "tokens/lp_prox", H5P_DEFAULT) == 0 && H5Lexists (f, "tokens/lp_raw", H5P_DEFAULT) == 0);
  int64_t n_prompts = 0;
  ok (sol_stats_extent (f, "sequences/prompt_tokens", &n_prompts, path) == SOL_OK && n_prompts == 1 + 2 + 3 + 4 + 5 + 1 + 2 + 3 + 4 + 5 + 1); /* once for each group */
  H5Dclose (d);
  H5Fclose (f);
  sol_h5_unlock ();
}

/* more rows in one call than the queue has room for, with a filter and optional columns that begin late */
static void test_large (int deflate)
{
  sol_stats_t *s;
  sol_stats_params_t p = params_of (at ("big"), 0, deflate, 0);
  const int64_t n = 700000;
  char name[32];
  snprintf (name, sizeof name, "big/stats/%04d.0000.h5", deflate);
  const char *path = at (name);
  p.deflate = deflate;
  p.chunk = 65536;
  need (sol_stats_open (&p, &s) == SOL_OK);
  ok (add_tokens (s, 0, 0, 100, 2) == SOL_OK && sol_stats_flush (s) == SOL_OK);
  ok (add_tokens (s, 1, 1000, n, 3) == SOL_OK);
  for (int64_t k = 0; k < 20000; k++)
    if (add_sequence (s, 1, k) != SOL_OK) { ok (0); break; }
  double waited, busy = sol_stats_seconds (s, &waited);
  ok (busy >= 0 && waited > 0); /* the queue was full at least once */
  ok (sol_stats_close (s) == SOL_OK);
  sol_h5_lock ();
  hid_t f = open_h5 (path);
  sol_stats_source_t src;
  ok (sol_stats_source_open (path, &src) == SOL_OK && sol_stats_source_measure (&src, INT64_MAX) == SOL_OK);
  ok (src.rows[SOL_STATS_TOKENS] == n + 100 && src.rows[SOL_STATS_SEQUENCES] == 20000 && src.rows[SOL_STATS_UPDATES] == 2 && src.has[0] && src.has[1]);
  ok (tokens_right (f, 100, n, path));
  ok (prompts_right (f, 500, path));
  float prox[2], raw[2];
  ok (sol_stats_read (f, SOL_STATS_TOKENS_lp_prox, 99, 2, prox, path) == SOL_OK && isnan (prox[0]) && prox[1] == value_of (5, 1000, 0));
  ok (sol_stats_read (f, SOL_STATS_TOKENS_lp_raw, 99, 2, raw, path) == SOL_OK && raw[0] == value_of (6, 14, 1) && raw[1] == value_of (6, 1000, 0));
  sol_stats_source_close (&src);
  H5Fclose (f);
  sol_h5_unlock ();
}

static void test_refused (void)
{
  sol_stats_info_t info;
  const char *path = at ("other.h5");
  quiet (1);
  sol_h5_lock ();
  hid_t f = H5Fcreate (path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  H5Fclose (f);
  sol_h5_unlock ();
  ok (sol_stats_info (path, &info) == SOL_ERR_FORMAT); /* HDF5, but not ours */
  sol_h5_lock ();
  f = H5Fcreate (path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  sol_h5_put_text (f, "format", SOL_STATS_FORMAT, path);
  sol_h5_put_int (f, "version", SOL_STATS_VERSION + 1, path);
  H5Fclose (f);
  sol_h5_unlock ();
  ok (sol_stats_info (path, &info) == SOL_ERR_UNSUPPORTED);
  put_file (path, "not HDF5", 8);
  ok (sol_stats_info (path, &info) == SOL_ERR_HDF5);
  ok (sol_stats_info (at ("nowhere.h5"), &info) == SOL_ERR_HDF5);
  quiet (0);
}

/* a file that cannot grow: the owner is told, nothing hangs */
static void test_full (void)
{
  sol_stats_t *s;
  sol_stats_params_t p = params_of (at ("full"), 0, 0, 0);
  struct rlimit old, small;
  sol_status_t st = SOL_OK;
  char said[2000] = "";
  need (sol_stats_open (&p, &s) == SOL_OK);
  signal (SIGXFSZ, SIG_IGN);
  getrlimit (RLIMIT_FSIZE, &old);
  small = old;
  small.rlim_cur = 300000;
  setrlimit (RLIMIT_FSIZE, &small);
  int log = open (at ("log"), O_RDWR | O_CREAT | O_TRUNC, 0666), err = dup (2);
  fflush (stderr);
  need (log >= 0 && err >= 0 && dup2 (log, 2) == 2);
  for (int u = 0; u < 100 && st == SOL_OK; u++) {
    st = add_tokens (s, u, 1000 * u, 5000, 0);
    if (st == SOL_OK) st = sol_stats_flush (s);
  }
  ok (st == SOL_ERR_HDF5);
  ok (add_tokens (s, 1000, 0, 7, 0) == SOL_ERR_HDF5);
  ok (sol_stats_close (s) == SOL_ERR_HDF5);
  ok (sol_stats_broken ());
  sol_stats_info_t info;
  ok (sol_stats_info (at ("nowhere.h5"), &info) == SOL_ERR_HDF5);
  fflush (stderr);
  dup2 (err, 2);
  close (err);
  need (pread (log, said, sizeof said - 1, 0) > 0);
  close (log);
  tap_ok (strstr (said, "0000.0000.h5: H5") && strstr (said, ": File too large"), "the cause is named: %s", said);
  ok (strstr (said, "nowhere.h5: H5Fopen failed")); /* not what its result is kept in */
  setrlimit (RLIMIT_FSIZE, &old);
}

int main (void)
{
  scratch_make ();
  test_small ();
  test_large (0);
  test_large (1);
  test_refused ();
  ok (!sol_stats_broken ());
  test_full ();
  tap_ok (sol_stats_bytes_per_token () == 45, "a token takes %g bytes", sol_stats_bytes_per_token ());
  {
    const sol_stats_size_t z = { .n_tokens = 1000, .n_sequences = 10, .n_prompt_tokens = 100, .n_updates = 5, .chunk = 1024, .n_learners = 2 };
    const double chunks = 45. * 1024 + 103. * 256 + 4. * 1024 + 28. * 1024; /* columns of tokens, sequences, prompts, updates */
    sol_stats_size_t more = z;
    more.n_optional = 2;
    tap_ok (sol_stats_bytes (&z) == 2 * (chunks + 65536), "two files of one chunk a column take %g bytes", sol_stats_bytes (&z));
    tap_ok (sol_stats_bytes (&more) == 2 * (chunks + 65536 + 2 * 4096), "and %g with the optional columns", sol_stats_bytes (&more));
  }
  scratch_remove ();
  return tap_done ();
}
