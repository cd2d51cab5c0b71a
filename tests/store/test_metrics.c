/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.jsonl, TensorBoard events, the terminal's table */
#include "solera/metrics.h"
#include "../../src/store/metrics_columns.h"
#include "../../src/store/tfevents.h"
#include "helpers.h"
#include <cjson/cJSON.h>
#include <dirent.h>
#include <math.h>
#include <sys/wait.h>

static const char *const set_name[] = { "a\"b", "gsm8k" };
static const double set_pass[] = { NAN, 0.25 };

static sol_metrics_row_t row_of (int64_t update)
{
  static int64_t counts[3];
  sol_metrics_row_t r = { .update = update, .batch = update / 4, .n_tokens = 100 + update, .n_sequences = 8 };
  for (int i = 0; i < sol_metrics_n_columns; i++)
    if (sol_metrics_column[i].kind == 'D') {
      double x = (double) update + (double) i / 16;
      memcpy ((char *) &r + sol_metrics_column[i].offset, &x, sizeof x);
    }
  r.cut = NAN;
  r.fresh_version = INFINITY;
  r.lag_first = 3;
  counts[1] = 1 + update;
  r.lag_histogram = counts;
  r.lag_span = 3;
  r.lag[0] = (sol_metrics_lag_t){ .n = 7, .m2 = 0.25, .ess = 0.5, .d = { [14] = 7 } };
  r.lag[4] = (sol_metrics_lag_t){ .n = update, .clipped = 2, .m2 = 1, .ess = NAN, .d = { [0] = update } };
  r.entropy_n[1][27] = 5;
  r.entropy_sum[0][2] = 0.1;
  r.n_sets = 2;
  r.set_name = set_name;
  r.set_pass = set_pass;
  return r;
}

/* stdout goes to a file (or pseudo-terminal) while a run is written */
static int64_t write_run (const char *dir, const sol_config_t *c, int64_t resumed, int64_t from, int64_t to, int fd)
{
  sol_metrics_t *m;
  int saved = dup (1);
  int64_t n = 0;
  fflush (stdout);
  dup2 (fd, 1);
  if (sol_metrics_open (dir, c, resumed, &m) == SOL_OK) {
    for (int64_t u = from; u < to; u++) {
      sol_metrics_row_t r = row_of (u);
      n += sol_metrics_put (m, &r) == SOL_OK;
    }
    sol_metrics_close (m);
  }
  dup2 (saved, 1);
  close (saved);
  return n;
}

static cJSON *line (const char *text, int k)
{
  while (k-- && text) text = strchr (text, '\n') ? strchr (text, '\n') + 1 : NULL;
  return text && *text ? cJSON_ParseWithLength (text, strcspn (text, "\n")) : NULL;
}

static void test_jsonl (const char *path)
{
  char *text;
  size_t bytes;
  int lines = 0;
  need (sol_file_read (path, 0, &text, &bytes) == SOL_OK);
  for (size_t i = 0; i < bytes; i++) lines += text[i] == '\n';
  ok (lines == 50);
  cJSON *j = line (text, 41);
  int good = j != NULL;
  for (int i = 0; good && i < sol_metrics_n_columns; i++) {
    const sol_metrics_column_t *c = &sol_metrics_column[i];
    const cJSON *x = cJSON_GetObjectItemCaseSensitive (j, c->name);
    sol_metrics_row_t r = row_of (41);
    double want = sol_metrics_value (&r, c);
    good = isfinite (want) ? cJSON_IsNumber (x) && x->valuedouble == want : cJSON_IsNull (x);
    if (!good) tap_ok (0, "%s", c->name);
  }
  ok (good);
  ok (cJSON_GetArraySize (cJSON_GetObjectItem (j, "lag_histogram")) == 3 && cJSON_GetArrayItem (cJSON_GetObjectItem (j, "lag_histogram"), 1)->valuedouble == 42);
  ok (cJSON_GetObjectItem (j, "lag_first")->valuedouble == 3);
  ok (cJSON_GetArrayItem (cJSON_GetArrayItem (cJSON_GetObjectItem (j, "entropy_n"), 1), 27)->valuedouble == 5);
  ok (cJSON_GetArrayItem (cJSON_GetArrayItem (cJSON_GetObjectItem (j, "entropy_sum"), 0), 2)->valuedouble == 0.1);
  const cJSON *lags = cJSON_GetObjectItem (j, "lags"), *later = cJSON_GetArrayItem (lags, 1);
  ok (cJSON_GetArraySize (lags) == 2 && cJSON_GetObjectItem (later, "lag")->valuedouble == 8 && cJSON_GetObjectItem (later, "n")->valuedouble == 41 && cJSON_GetObjectItem (later, "clipped")->valuedouble == 2);
  ok (cJSON_GetObjectItem (later, "m2")->valuedouble == 1 && cJSON_IsNull (cJSON_GetObjectItem (later, "ess")) && cJSON_GetArraySize (cJSON_GetObjectItem (later, "d")) == SOL_METRICS_BINS);
  ok (cJSON_GetArrayItem (cJSON_GetObjectItem (cJSON_GetArrayItem (lags, 0), "d"), 14)->valuedouble == 7);
  const cJSON *sets = cJSON_GetObjectItem (j, "pass_rates");
  ok (cJSON_GetArraySize (sets) == 2 && cJSON_IsNull (cJSON_GetObjectItemCaseSensitive (sets, "a\"b")) && cJSON_GetObjectItemCaseSensitive (sets, "gsm8k")->valuedouble == 0.25);
  cJSON_Delete (j);
  sol_free (text);
}

/* lines at and beyond the resumed update go, and so does a line that a kill cut short */
static void test_resume (const char *dir, const sol_config_t *c, int null)
{
  char *text;
  size_t bytes;
  const char *path = at ("run/metrics.jsonl");
  int good = 1;
  FILE *f = fopen (path, "ab");
  need (f != NULL);
  fputs ("{\"update\":50,\"batch", f);
  fclose (f);
  ok (write_run (dir, c, 30, 30, 32, null) == 2);
  need (sol_file_read (path, 0, &text, &bytes) == SOL_OK);
  for (int k = 0; k < 32; k++) {
    cJSON *j = line (text, k);
    good &= cJSON_IsNumber (cJSON_GetObjectItem (j, "update")) && cJSON_GetObjectItem (j, "update")->valuedouble == k;
    cJSON_Delete (j);
  }
  cJSON *beyond = line (text, 32);
  ok (good && !beyond);
  cJSON_Delete (beyond);
  sol_free (text);
}

/* an independent walk over the records of one event file: number of records, 0 when a check fails */
static int walk_events (const char *path, int *scalars_p)
{
  char *text;
  size_t bytes, at_byte = 0;
  int n = 0;
  *scalars_p = 0;
  if (sol_file_read (path, 0, &text, &bytes) != SOL_OK) return 0;
  while (at_byte < bytes) {
    uint64_t length;
    uint32_t crc[2];
    if (bytes - at_byte < 16) { n = 0; break; }
    memcpy (&length, text + at_byte, 8);
    if (length > bytes - at_byte - 16) { n = 0; break; }
    memcpy (&crc[0], text + at_byte + 8, 4);
    memcpy (&crc[1], text + at_byte + 12 + length, 4);
    if (crc[0] != sol_crc32c_masked (text + at_byte, 8) || crc[1] != sol_crc32c_masked (text + at_byte + 12, length) || text[at_byte + 12] != 9) { n = 0; break; }
    if (n == 0 && !memmem (text + at_byte + 12, length, "brain.Event:2", 13)) break;
    *scalars_p += memmem (text + at_byte + 12, length, "policy/entropy_behav", 20) != NULL;
    n++;
    at_byte += 16 + length;
  }
  sol_free (text);
  return n;
}

static void test_events (void)
{
  DIR *d = opendir (at ("run/tensorboard"));
  int files = 0, records = 0, scalars = 0, k;
  for (struct dirent *e; d && (e = readdir (d));) {
    if (e->d_name[0] == '.') continue;
    char name[512];
    snprintf (name, sizeof name, "run/tensorboard/%.300s", e->d_name);
    files++;
    records += walk_events (at (name), &k);
    scalars += k;
  }
  if (d) closedir (d);
  tap_ok (files >= 1 && scalars == 52 && records == 52 + 2 + 1, "%d event files, %d records, %d with scalars", files, records, scalars); /* two versions, one START */
  ok (sol_crc32c ("123456789", 9) == 0xe3069283u && sol_crc32c ("", 0) == 0);
  ok (sol_crc32c_masked ("123456789", 9) == ((0xe3069283u >> 15 | 0xe3069283u << 17) + 0xa282ead8u));
}

/* TensorBoard's own reader, where it is installed */
static void test_tensorboard (void)
{
  const char *python = getenv ("PYTHON3");
  char command[1200];
  if (!python || !*python) python = "python3";
  snprintf (command, sizeof command, "'%s' -c 'import tensorboard' >/dev/null 2>&1", python);
  if (system (command) != 0) { tap_ok (1, "TensorBoard reads the events # SKIP tensorboard cannot be imported"); return; }
  snprintf (command, sizeof command,
            "'%s' -c \"from tensorboard.backend.event_processing.event_accumulator import EventAccumulator as E; e=E('%s/run/tensorboard'); e.Reload(); s=e.Scalars('policy/entropy'); "
            "assert [x.step for x in s]==list(range(32)), [x.step for x in s]; r=e.Scalars('loss/lr'); assert abs(r[7].value-(7+5/16))<1e-5, r[7]\" >&2",
            python, scratch);
  tap_ok (system (command) == 0, "TensorBoard reads the events");
}

static void test_log_table (const char *path)
{
  char *text;
  size_t bytes;
  int lines = 0, headers = 0, escapes = 0;
  need (sol_file_read (path, 0, &text, &bytes) == SOL_OK);
  for (char *p = text; *p; p = strchr (p, '\n') + 1) {
    lines++;
    headers += strstr (p, "M2 kept") && strstr (p, "M2 kept") < strchr (p, '\n');
  }
  for (size_t i = 0; i < bytes; i++) escapes += text[i] == 27 || text[i] == '\r';
  tap_ok (lines == 53 && headers == 3, "%d lines, %d headers", lines, headers); /* 50 updates, a header every 20 lines */
  ok (escapes == 0);
  fprintf (stderr, "%.*s\n", (int) (strchr (strchr (text, '\n') + 1, '\n') - text), text);
  sol_free (text);
}

/* on a terminal a line is overwritten until log.every_s have passed; in a log the lines between are left out */
static void test_terminal (void)
{
  char a0[] = "log.every_s=1000", a1[] = "train.updates=12", *args[] = { a0, a1 };
  sol_config_t *c;
  char seen[16384];
  ssize_t n, all = 0;
  int returns = 0, ends = 0, terminal = posix_openpt (O_RDWR | O_NOCTTY);
  need (sol_config_load (NULL, args, 2, NULL, &c) == SOL_OK);
  if (terminal < 0 || grantpt (terminal) || unlockpt (terminal)) {
    tap_ok (1, "a terminal's line # SKIP no pseudo-terminal");
  } else {
    int slave = open (ptsname (terminal), O_RDWR | O_NOCTTY);
    ok (write_run (at ("tty"), c, -1, 0, 12, slave) == 12);
    fcntl (terminal, F_SETFL, O_NONBLOCK);
    while ((n = read (terminal, seen + all, sizeof seen - (size_t) all)) > 0) all += n;
    for (ssize_t i = 0; i < all; i++) {
      ends += seen[i] == '\n';
      returns += seen[i] == '\r' && !(i + 1 < all && seen[i + 1] == '\n');
    }
    close (slave);
    tap_ok (ends == 3 && returns == 10, "%d line ends, %d overwritten", ends, returns); /* header, first, last */
  }
  if (terminal >= 0) close (terminal);
  int file = open (at ("quiet.log"), O_RDWR | O_CREAT, 0600);
  ok (write_run (at ("tty"), c, -1, 0, 12, file) == 12);
  close (file);
  char *text;
  size_t bytes;
  need (sol_file_read (at ("quiet.log"), 0, &text, &bytes) == SOL_OK);
  ends = 0;
  for (size_t i = 0; i < bytes; i++) ends += text[i] == '\n';
  ok (ends == 3);
  sol_free (text);
  sol_config_destroy (c);
}

/* every lag and every log-ratio has one bucket or bin, in order */
static void test_lags (void)
{
  static const double edge[] = SOL_METRICS_EDGES;
  int bad = 0, last = 0;
  ok (sol_metrics_lag_bucket (-1) == 0 && sol_metrics_lag_bucket (0) == 0 && sol_metrics_lag_bucket (1) == 1 && sol_metrics_lag_bucket (3) == 2 && sol_metrics_lag_bucket (4) == 3);
  ok (sol_metrics_lag_bucket (16383) == 14 && sol_metrics_lag_bucket (16384) == 15 && sol_metrics_lag_bucket (INT64_MAX) == 15 && sol_metrics_lag_least (15) == 16384);
  for (int64_t lag = 0; lag < 40000; lag++) {
    const int b = sol_metrics_lag_bucket (lag);
    bad += b < last || b > last + 1 || lag < sol_metrics_lag_least (b) || (b < 15 && lag >= sol_metrics_lag_least (b + 1));
    last = b;
  }
  ok (bad == 0);
  ok (sizeof edge / sizeof *edge == SOL_METRICS_BINS - 1 && sol_metrics_ratio_bin (0) == 7 && sol_metrics_ratio_bin (-2) == 0 && sol_metrics_ratio_bin (2) == 14 && sol_metrics_ratio_bin (NAN) == 14);
  for (int i = 0; i < SOL_METRICS_BINS - 1; i++) /* symmetric */
    bad += sol_metrics_ratio_bin (edge[i]) + sol_metrics_ratio_bin (-edge[i]) != 14 || sol_metrics_ratio_bin (nextafter (edge[i], -9)) != i || sol_metrics_ratio_bin (nextafter (edge[i], 9)) != i + 1;
  ok (bad == 0);
}

int main (void)
{
  char a0[] = "log.tensorboard=true", a1[] = "log.every_s=0", a2[] = "train.updates=320", *args[] = { a0, a1, a2 };
  sol_config_t *c;
  scratch_make ();
  need (sol_dir_make (at ("run")) == SOL_OK && sol_dir_make (at ("tty")) == SOL_OK);
  need (sol_config_load (NULL, args, 3, NULL, &c) == SOL_OK);
  int file = open (at ("table.log"), O_RDWR | O_CREAT, 0600), null = open ("/dev/null", O_WRONLY);
  ok (write_run (at ("run"), c, -1, 0, 50, file) == 50);
  close (file);
  test_lags ();
  test_jsonl (at ("run/metrics.jsonl"));
  test_log_table (at ("table.log"));
  sleep (1); /* event files are named by the second */
  test_resume (at ("run"), c, null);
  test_events ();
  test_tensorboard ();
  test_terminal ();
  close (null);
  file = open ("/dev/full", O_WRONLY);
  need (unlink (at ("tty/metrics.jsonl")) == 0 && symlink ("/dev/full", at ("tty/metrics.jsonl")) == 0);
  quiet (1);
  ok (write_run (at ("tty"), c, -1, 0, 2, file) == 0);
  quiet (0);
  close (file);
  sol_config_destroy (c);
  scratch_remove ();
  return tap_done ();
}
