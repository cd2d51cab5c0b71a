/* SPDX-License-Identifier: Apache-2.0 */
/* evals.h5: what was appended comes back, whatever was appended before; a killed writer leaves it whole; what is no such file, or was damaged, is an error */
#include "solera/evals.h"
#include "helpers.h"
#include <hdf5.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

enum { PROBLEMS_MOST = 1500 };
static const int64_t sizes[] = { 3, 0, PROBLEMS_MOST, 1 };

static sol_evals_row_t row_of (int64_t k, int64_t problems)
{
  sol_evals_row_t r = { .version = k - 1, .problems = problems, .samples = 4 + k, .temperature = 0.5, .top_p = 0.25, .max_tokens = 1000 + k, .seed = UINT64_MAX - (uint64_t) k, .avg = 0.125 * (double) k,
                        .avg_low = 0.01, .avg_high = 0.9, .pass_k = 4, .pass = 0.75, .pass_low = 0.5, .pass_high = NAN, .truncated = 0.2, .mean_tokens = 12.5, .seconds = 3.25, .time = 1700000000 + k,
                        .median_tokens = 11.5, .ended = 0.625, .stopped = 0.0625 * (double) k };
  snprintf (r.data, sizeof r.data, "säts %lld", (long long) k);
  snprintf (r.preset, sizeof r.preset, "%s", k % 2 ? "m2po" : "");
  return r;
}
static sol_evals_problem_t problem_of (int64_t k, int64_t i)
{
  return (sol_evals_problem_t) { .evaluation = -7, .index = i, .id = UINT64_C (0x9e3779b97f4a7c15) * (uint64_t) (i + k), .samples = 4 + k, .correct = (i + k) % 5, .truncated = i % 3, .tokens = 100 * i + k };
}

static sol_status_t append (int64_t k, int64_t problems)
{
  static sol_evals_problem_t p[PROBLEMS_MOST];
  const sol_evals_row_t r = row_of (k, problems);
  for (int64_t i = 0; i < problems; i++) p[i] = problem_of (k, i);
  return sol_evals_append (at ("evals.h5"), &r, p);
}

static int row_right (const sol_evals_t *e, int64_t k, int64_t problems, int64_t first)
{
  sol_evals_row_t want = row_of (k, problems);
  int good = 1;
  want.first_problem = first;
  good &= !memcmp (&want, &e->row[k], sizeof want); /* NaN included: the bits; both are zeroed before */
  for (int64_t i = 0; i < problems && good; i++) {
    sol_evals_problem_t p = problem_of (k, i);
    p.evaluation = k;
    good &= !memcmp (&p, &e->problem[first + i], sizeof p);
  }
  return good;
}

static void test_append (void)
{
  sol_evals_t e;
  for (int64_t k = 0; k < 4; k++) {
    int64_t first = 0;
    int good = 1;
    ok (append (k, sizes[k]) == SOL_OK && sol_evals_read (at ("evals.h5"), &e) == SOL_OK && e.n == k + 1);
    for (int64_t j = 0; j <= k; j++) {
      good &= row_right (&e, j, sizes[j], first);
      first += sizes[j];
    }
    ok (good && e.n_problems == first);
    sol_evals_free (&e);
  }
  ok (sol_evals_is (at ("evals.h5")));
}

static void test_damage (void)
{
  char *whole;
  size_t bytes;
  sol_evals_t e;
  int refused = 0, cuts = 0;
  need (sol_file_read (at ("evals.h5"), 0, &whole, &bytes) == SOL_OK);
  quiet (1);
  for (size_t n = 0; n < bytes; n += bytes / 37, cuts++) {
    need (put_file (at ("cut.h5"), whole, n) == 0);
    if (sol_evals_read (at ("cut.h5"), &e) == SOL_OK) sol_evals_free (&e);
    else refused++;
  }
  ok (refused == cuts);
  char *format = memmem (whole, bytes, "solera evaluations", 18);
  need (format != NULL);
  memcpy (format, "solera statistics_", 18); /* another program's or another kind of file */
  need (put_file (at ("cut.h5"), whole, bytes) == 0);
  ok (sol_evals_read (at ("cut.h5"), &e) != SOL_OK && !sol_evals_is (at ("cut.h5")));
  const sol_evals_row_t r = row_of (0, 0);
  ok (sol_evals_append (at ("cut.h5"), &r, NULL) != SOL_OK); /* and nothing is appended to it */
  ok (sol_evals_append (at ("no/evals.h5"), &r, NULL) != SOL_OK && !sol_evals_is (at ("no/evals.h5")));
  quiet (0);
  char *after;
  size_t n;
  ok (sol_file_read (at ("cut.h5"), 0, &after, &n) == SOL_OK && n == bytes && !memcmp (after, whole, n));
  sol_free (after);
  sol_free (whole);
}

/* what a program that knew version 1 wrote: its rows come back, and stay when one is appended */
static void test_version_1 (void)
{
  static const char *const gone[] = { "evaluations/median_tokens", "evaluations/ended", "evaluations/stopped" };
  const int64_t one = 1;
  sol_evals_t e;
  remove (at ("evals.h5"));
  need (append (0, 3) == SOL_OK && append (1, 2) == SOL_OK);
  const hid_t file = H5Fopen (at ("evals.h5"), H5F_ACC_RDWR, H5P_DEFAULT), version = H5Aopen (file, "version", H5P_DEFAULT);
  need (file >= 0 && version >= 0 && H5Awrite (version, H5T_NATIVE_INT64, &one) >= 0);
  for (int i = 0; i < 3; i++) need (H5Ldelete (file, gone[i], H5P_DEFAULT) >= 0);
  need (H5Aclose (version) >= 0 && H5Fclose (file) >= 0);
  for (int k = 2; k < 4; k++) {
    need (sol_evals_read (at ("evals.h5"), &e) == SOL_OK);
    ok (e.n == k && e.n_problems == (k == 2 ? 5 : 9));
    for (int i = 0, first = 0; i < 2; first += i ? 2 : 3, i++) {
      ok (isnan (e.row[i].median_tokens) && isnan (e.row[i].ended) && isnan (e.row[i].stopped));
      const sol_evals_row_t as_written = row_of (i, 0);
      e.row[i].median_tokens = as_written.median_tokens, e.row[i].ended = as_written.ended, e.row[i].stopped = as_written.stopped;
      ok (row_right (&e, i, i ? 2 : 3, first));
    }
    if (k == 3) ok (row_right (&e, 2, 4, 5));
    sol_evals_free (&e);
    ok (append (2, 4) == SOL_OK);
  }
}

static void test_kill (void)
{
  atomic_int *done = mmap (NULL, sizeof *done, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int64_t k = 0;
  int good = 1;
  need (done != MAP_FAILED);
  remove (at ("evals.h5"));
  for (int round = 0; good && (round < 8 || (k <= 3 && round < 200)); round++) { /* a busy machine may need more of them */
    const struct timespec moment = { 0, 5000000 + (long) (dice () % 20000) * 1000 };
    sol_evals_t e = { 0 };
    atomic_store (done, (int) k);
    fflush (stdout);
    const pid_t child = fork ();
    if (child == 0)
      for (int64_t i = k;; i++) {
        if (append (i, 2) != SOL_OK) _exit (1);
        atomic_store (done, (int) i + 1);
      }
    nanosleep (&moment, NULL);
    kill (child, SIGKILL);
    int rc;
    waitpid (child, &rc, 0);
    if (!sol_file_exists (at ("evals.h5"))) good = atomic_load (done) == 0;
    else {
      good = WIFSIGNALED (rc) && sol_evals_read (at ("evals.h5"), &e) == SOL_OK && e.n >= atomic_load (done);
      for (int64_t i = 0; i < e.n && good; i++) good = row_right (&e, i, 2, 2 * i);
      k = e.n;
      sol_evals_free (&e);
    }
  }
  ok (good);
  ok (k > 3); /* it was killed while it wrote, not before */
  munmap (done, sizeof *done);
}

/* the same name from training and from solera eval, so that their rows can be compared */
static int named (int task, char *path, int set, const char *want)
{
  char other[] = "b/other.jsonl", *list[] = { path, other, NULL };
  sol_config_t c = { .task = task, .task_path = list };
  sol_evals_row_t r = { 0 };
  sol_evals_name (&c, set, &r);
  return !strcmp (r.data, want);
}

static void test_name (void)
{
  char path[160], cut[128], math[] = "jobs/data/math500.jsonl", packed[] = "a.jsonl.gz";
  ok (named (SOL_TASK_JSONL, math, 0, "math500") && named (SOL_TASK_JSONL, math, 1, "other") && named (SOL_TASK_JSONL, packed, 0, "a.jsonl.gz") && named (SOL_TASK_CHAIN, math, 0, "chain"));
  snprintf (path, sizeof path, "%0126dä.jsonl", 0); /* the two bytes of ä would be the last that fits and the first that does not */
  snprintf (cut, sizeof cut, "%0126d", 0);
  ok (named (SOL_TASK_JSONL, path, 0, cut));
}

/* five problems of two data sets of three: rates of their own, in order of index, and no row of the third */
static void test_sets (void)
{
  char a[] = "a.jsonl", b[] = "b.jsonl", none[] = "none.jsonl", *list[] = { a, none, b, NULL };
  const sol_config_t c = { .task = SOL_TASK_JSONL, .task_path = list };
  const sol_evals_row_t all = { .version = 7, .problems = 5, .samples = 4, .pass_k = 2, .seed = 3, .seconds = 9, .avg = 0.5 };
  const int32_t set[5] = { 2, 0, 2, 2, 0 };
  sol_evals_problem_t p[5];
  sol_evals_t e = { 0 };
  for (int i = 0; i < 5; i++) p[i] = (sol_evals_problem_t){ .index = i, .id = 90 + (uint64_t) i, .samples = 4, .correct = set[i] ? i : 4, .truncated = i == 4, .tokens = 8 };
  ok (sol_evals_append_sets (at ("sets.h5"), &c, &all, p, set, 0) == SOL_OK && sol_evals_read (at ("sets.h5"), &e) == SOL_OK && e.n == 2 && e.n_problems == 5);
  need (e.n == 2 && e.n_problems == 5);
  ok (!strcmp (e.row[0].data, "a") && e.row[0].problems == 2 && e.row[0].avg == 1 && e.row[0].avg_low == 1 && e.row[0].pass == 1 && e.row[0].truncated == 0.125);
  /* 0, 2 and 3 of 4: 5/12; of two out of four, 1 - C(2,2)/6 and 1 hold a right one */
  ok (!strcmp (e.row[1].data, "b") && e.row[1].problems == 3 && fabs (e.row[1].avg - 5.0 / 12) < 1e-15 && fabs (e.row[1].pass - (5.0 / 6 + 1) / 3) < 1e-15 && e.row[1].truncated == 0);
  for (int k = 0; k < 2; k++) ok (e.row[k].version == 7 && e.row[k].seconds == 9 && e.row[k].mean_tokens == 2 && e.row[k].first_problem == 2 * k);
  ok (e.problem[0].id == 91 && e.problem[1].id == 94 && e.problem[2].id == 90 && e.problem[3].id == 92 && e.problem[4].id == 93 && e.problem[4].evaluation == 1);
  sol_evals_free (&e);
}

static int64_t rows_there (const char *path)
{
  sol_evals_t e = { 0 };
  need (sol_evals_read (path, &e) == SOL_OK);
  const int64_t n = e.n;
  sol_evals_free (&e);
  return n;
}

/* what is done again after a kill adds nothing; another outcome does, also when the first one comes back behind it */
static void test_once (void)
{
  const char *path = at ("once.h5");
  sol_evals_row_t r = row_of (2, 3), other;
  sol_evals_problem_t p[3];
  for (int i = 0; i < 3; i++) p[i] = problem_of (2, i);
  ok (sol_evals_append_once (path, &r, p) == SOL_OK && rows_there (path) == 1);
  r.seconds = 99;
  r.time++;
  ok (sol_evals_append_once (path, &r, p) == SOL_OK && rows_there (path) == 1);
  ok (sol_evals_append (path, &r, p) == SOL_OK && rows_there (path) == 2); /* asked for again */
  p[1].correct++;
  ok (sol_evals_append_once (path, &r, p) == SOL_OK && rows_there (path) == 3);
  p[1].correct--;
  ok (sol_evals_append_once (path, &r, p) == SOL_OK && rows_there (path) == 4);
  other = r;
  other.version++;
  ok (sol_evals_append_once (path, &other, p) == SOL_OK && rows_there (path) == 5);
  ok (sol_evals_append_once (path, &r, p) == SOL_OK && rows_there (path) == 5);
  r.temperature = 0.75;
  ok (sol_evals_append_once (path, &r, p) == SOL_OK && rows_there (path) == 6);
}

int main (void)
{
  scratch_make ();
  test_name ();
  test_append ();
  test_sets ();
  test_once ();
  test_damage ();
  test_version_1 ();
  test_kill ();
  scratch_remove ();
  return tap_done ();
}
