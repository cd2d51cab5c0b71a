/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoints of one rank: round trip, kept number, damage, a killed writer, a full disk */
#include "solera/checkpoint.h"
#include "helpers.h"
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

enum { N = 5000 };

static int64_t spare_from = INT64_MAX; /* of the next save, with multiples of 10 */

static float element (int64_t update, int what, int64_t i) { return (float) (update * 7 + what) + (float) i * 0.25f; }

static sol_checkpoint_t info_of (int64_t update)
{
  sol_checkpoint_t c = { .update = update, .step = update + 1, .elements = N, .weight_digest = 0xfedcba9876543210u + (uint64_t) update, .n_queues = 1 };
  for (int i = 0; i < 32; i++) c.counters[i] = i % 2 ? INT64_MAX - update - i : INT64_MIN + update + i;
  for (int i = 0; i < 16; i++) c.sums[i] = (double) update / 3 + i;
  c.sums[3] = -0.0;
  c.sums[4] = INFINITY;
  return c;
}

static sol_status_t save (const char *run, int64_t update, int keep)
{
  static const char *const what[] = { "weights", "adam_m", "adam_v" };
  sol_checkpoint_writer_t *w;
  sol_checkpoint_t info = info_of (update);
  float x[N];
  char path[1024];
  SOL_TRY (sol_checkpoint_begin (run, update, N, sol_comm_self (), &w));
  for (int k = 0; k < 3; k++) {
    for (int64_t i = 0; i < N; i++) x[i] = element (update, k, i);
    sol_checkpoint_put (w, what[k], 3000, N - 3000, x + 3000); /* slices in any order; commit tells of a failure */
    sol_checkpoint_put (w, what[k], 0, 3000, x);
  }
  snprintf (path, sizeof path, "%s/queue.0", sol_checkpoint_dir (w));
  if (put_file (path, "queue", 5)) sol_checkpoint_spoil (w, SOL_ERR_IO);
  if (spare_from < INT64_MAX) sol_checkpoint_spare (w, spare_from, 10);
  return sol_checkpoint_commit (w, &info, "seed: 7\n\"quoted\" \xc3\xa4\n", keep);
}

/* the newest whole checkpoint is that of `update`, exactly */
static int found (const char *run, int64_t update)
{
  sol_checkpoint_t c, want = info_of (update);
  char *dir = NULL, *settings = NULL;
  float x[N];
  int good = sol_checkpoint_find (run, NULL, &c, &dir, &settings) == SOL_OK && c.update == update && c.step == want.step && c.elements == N && c.weight_digest == want.weight_digest
             && c.n_queues == 1 && !memcmp (c.counters, want.counters, sizeof c.counters) && !memcmp (c.sums, want.sums, sizeof c.sums)
             && !strcmp (settings, "seed: 7\n\"quoted\" \xc3\xa4\n");
  good = good && sol_checkpoint_get (dir, "adam_v", 0, N, x) == SOL_OK;
  for (int64_t i = 0; good && i < N; i++) good = x[i] == element (update, 2, i);
  good = good && sol_checkpoint_get (dir, "weights", 2999, 2, x) == SOL_OK && x[0] == element (update, 0, 2999) && x[1] == element (update, 0, 3000);
  sol_free (dir);
  sol_free (settings);
  return good;
}

static int count_entries (const char *path)
{
  char command[1200], text[32] = "";
  snprintf (command, sizeof command, "ls '%s' | wc -l", path);
  FILE *f = popen (command, "r");
  if (!f || !fgets (text, sizeof text, f)) text[0] = 0;
  if (f) pclose (f);
  return atoi (text);
}

static void test_round_trip (void)
{
  const char *run = at ("run");
  sol_checkpoint_t c;
  char *dir, *text;
  size_t bytes;
  float x[2];
  ok (sol_checkpoint_find (run, NULL, &c, &dir, NULL) == SOL_END);
  need (sol_dir_make (at ("run/checkpoints")) == SOL_OK);
  ok (sol_checkpoint_find (run, NULL, &c, &dir, NULL) == SOL_END);
  ok (save (run, 40, 2) == SOL_OK && found (run, 40));
  ok (save (run, 80, 2) == SOL_OK && found (run, 80));
  ok (save (run, 80, 2) == SOL_OK && found (run, 80)); /* again at the same update */
  ok (count_entries (at ("run/checkpoints")) == 3);
  ok (save (run, 120, 2) == SOL_OK && found (run, 120));
  ok (count_entries (at ("run/checkpoints")) == 3 && !sol_file_exists (at ("run/checkpoints/u00000040")));
  need (sol_file_read (at ("run/checkpoints/latest"), 0, &text, &bytes) == SOL_OK);
  ok (!strcmp (text, "u00000120\n"));
  sol_free (text);
  quiet (1);
  ok (save (run, 100, 2) == SOL_OK && found (run, 100)); /* the run went back: what came later is another history */
  ok (sol_checkpoint_get (at ("run/checkpoints/u00000100"), "weights", N - 1, 2, x) == SOL_ERR_FORMAT);
  ok (sol_checkpoint_get (at ("run/checkpoints/u00000999"), "weights", 0, 1, x) == SOL_ERR_IO);
  quiet (0);
  ok (!sol_file_exists (at ("run/checkpoints/u00000120")));
}

static void test_incomplete (void)
{
  sol_checkpoint_writer_t *w;
  sol_checkpoint_t info = info_of (7);
  float x[N] = { 0 };
  quiet (1);
  info.n_queues = 0;
  need (sol_checkpoint_begin (at ("part"), 7, N, sol_comm_self (), &w) == SOL_OK);
  ok (sol_checkpoint_put (w, "weights", 0, N - 1, x) == SOL_OK);
  ok (sol_checkpoint_commit (w, &info, "", 2) == SOL_ERR_USAGE); /* one element was never put */
  ok (count_entries (at ("part/checkpoints")) == 0);
  need (sol_checkpoint_begin (at ("part"), 7, N, sol_comm_self (), &w) == SOL_OK);
  ok (sol_checkpoint_put (w, "weights", 0, N, x) == SOL_OK && sol_checkpoint_put (w, "adam_m", 5, 6, x) == SOL_OK);
  ok (sol_checkpoint_commit (w, &info, "", 2) == SOL_ERR_USAGE);
  need (sol_checkpoint_begin (at ("part"), 7, N, sol_comm_self (), &w) == SOL_OK);
  ok (sol_checkpoint_put (w, "weights", 0, N, x) == SOL_OK);
  info.n_queues = 2;
  ok (sol_checkpoint_commit (w, &info, "", 2) == SOL_ERR_FORMAT); /* queue files were announced, none is there */
  need (sol_checkpoint_begin (at ("part"), 7, N, sol_comm_self (), &w) == SOL_OK);
  ok (sol_checkpoint_put (w, "weights", 0, N, x) == SOL_OK);
  sol_checkpoint_spoil (w, SOL_ERR_TIMEOUT);
  info.n_queues = 0;
  ok (sol_checkpoint_commit (w, &info, "", 2) == SOL_ERR_TIMEOUT);
  ok (count_entries (at ("part/checkpoints")) == 0);
  need (sol_checkpoint_begin (at ("part"), 7, N, sol_comm_self (), &w) == SOL_OK);
  ok (sol_checkpoint_put (w, "weights", 0, N, x) == SOL_OK);
  ok (sol_checkpoint_commit (w, &info, "", 2) == SOL_OK); /* weights alone are a checkpoint */
  quiet (0);
}

static void flip (const char *path, long byte, int bit)
{
  FILE *f = fopen (path, "r+b");
  need (f != NULL);
  fseek (f, byte, SEEK_SET);
  int c = fgetc (f);
  fseek (f, byte, SEEK_SET);
  fputc (c ^ 1 << bit, f);
  fclose (f);
}

static long size_of (const char *path)
{
  struct stat sb;
  return stat (path, &sb) ? -1 : (long) sb.st_size;
}

static int64_t refused;
static sol_status_t refuse (const char *dir, const sol_checkpoint_t *info)
{
  return strstr (dir, "bad/checkpoints/u0000000") && info->update == refused ? SOL_ERR_CONSERVATION : SOL_OK;
}

/* whatever is damaged in the newest, the one before is used */
static void test_damage (void)
{
  static const char *const files[] = { "manifest.json", "weights.f32", "adam_m.f32", "adam_v.f32", "queue.0" };
  int fell_back = 0, tried = 0;
  need (save (at ("bad"), 4, 2) == SOL_OK && save (at ("bad"), 8, 2) == SOL_OK);
  quiet (1);
  for (int k = 0; k < 5; k++) {
    char name[64];
    snprintf (name, sizeof name, "bad/checkpoints/u00000008/%s", files[k]);
    long n = size_of (at (name)), step = k == 0 ? 1 : n / 60 + 1; /* every byte of the manifest */
    char *whole;
    size_t bytes;
    need (sol_file_read (at (name), 0, &whole, &bytes) == SOL_OK);
    for (long b = 0; b < n; b += step, tried++) {
      int bit = (int) (dice () % 8);
      flip (at (name), b, bit);
      fell_back += found (at ("bad"), 4);
      flip (at (name), b, bit);
    }
    for (long b = 0; b < n; b += n / 20 + 1, tried++) {
      need (put_file (at (name), whole, (size_t) b) == 0);
      fell_back += found (at ("bad"), 4);
    }
    need (unlink (at (name)) == 0);
    fell_back += found (at ("bad"), 4);
    tried++;
    need (put_file (at (name), whole, bytes) == 0);
    sol_free (whole);
  }
  quiet (0);
  tap_ok (fell_back == tried, "%d of %d damages recognised", fell_back, tried);
  ok (found (at ("bad"), 8)); /* repaired again */
  sol_checkpoint_t c;
  char *dir, *settings;
  quiet (1);
  refused = 8; /* a file whose bytes are right and whose owner refuses it */
  ok (sol_checkpoint_find (at ("bad"), refuse, &c, &dir, &settings) == SOL_OK && c.update == 4);
  sol_free (dir);
  sol_free (settings);
  refused = 0;
  ok (sol_checkpoint_find (at ("bad"), refuse, &c, &dir, NULL) == SOL_OK && c.update == 8);
  sol_free (dir);
  flip (at ("bad/checkpoints/u00000008/weights.f32"), 17, 3);
  flip (at ("bad/checkpoints/u00000004/weights.f32"), 17, 3);
  ok (sol_checkpoint_find (at ("bad"), NULL, &c, &dir, NULL) == SOL_ERR_CHECKSUM); /* none is whole: never a silent new beginning */
  quiet (0);
}

/* a killed writer leaves a whole checkpoint, at worst the one before */
static void test_kill (void)
{
  int whole = 0, rounds = 0;
  int64_t last = -1;
  const char *run = at ("killed");
  need (save (run, 1, 2) == SOL_OK);
  for (; rounds < 40 || (last < 20 && rounds < 200); rounds++) { /* how far a child comes depends on the disk */
    sol_checkpoint_t c;
    char *dir = NULL;
    struct timespec moment = { 0, (long) (dice () % (unsigned) (30000 + 2000 * rounds)) * 1000 };
    fflush (stdout);
    pid_t child = fork ();
    if (child == 0) {
      quiet (1);
      for (int64_t u = (last < 1 ? 1 : last) + 1;; u++)
        if (save (run, u, 2) != SOL_OK) _exit (1);
    }
    nanosleep (&moment, NULL);
    kill (child, SIGKILL);
    int rc;
    waitpid (child, &rc, 0);
    if (sol_checkpoint_find (run, NULL, &c, &dir, NULL) == SOL_OK && c.update >= last && WIFSIGNALED (rc) && found (run, c.update)) {
      whole++;
      last = c.update;
    }
    sol_free (dir);
  }
  tap_ok (whole == rounds && last > 1, "%d of %d kills left a whole checkpoint; update %lld was reached", whole, rounds, (long long) last);
  ok (save (run, last + 1, 2) == SOL_OK && count_entries (at ("killed/checkpoints")) == 3); /* nothing of the killed is left */
}

static void test_full (void)
{
  struct rlimit old, small;
  need (save (at ("full"), 1, 2) == SOL_OK);
  signal (SIGXFSZ, SIG_IGN);
  getrlimit (RLIMIT_FSIZE, &old);
  for (rlim_t most = 1; most < 30000; most = most * 3 + 1000) {
    small = old;
    small.rlim_cur = most;
    setrlimit (RLIMIT_FSIZE, &small);
    quiet (1);
    sol_status_t st = save (at ("full"), 2, 2);
    quiet (0);
    setrlimit (RLIMIT_FSIZE, &old);
    if (most < N * 4) tap_ok (st == SOL_ERR_IO && found (at ("full"), 1) && count_entries (at ("full/checkpoints")) == 2, "files end at %lld bytes: an error, the one before is whole", (long long) most);
    else ok (st == SOL_OK && found (at ("full"), 2));
  }
}

/* which are there of u00000010, 15, 20, 25, ...: a bit each */
static unsigned there (int n)
{
  unsigned bits = 0;
  for (int i = 0; i < n; i++) bits |= (unsigned) sol_checkpoint_there (at ("best"), 10 + 5 * i) << i;
  return bits;
}

/* what the number of checkpoints that are kept does not remove */
static void test_best (void)
{
  int64_t best;
  ok (sol_checkpoint_best (at ("best"), &best) == SOL_OK && best == -1);
  for (int64_t u = 10; u <= 25; u += 5) need (save (at ("best"), u, 5) == SOL_OK);
  ok (sol_checkpoint_name_best (at ("best"), 15) == SOL_OK && sol_checkpoint_best (at ("best"), &best) == SOL_OK && best == 15);
  spare_from = 20;
  ok (save (at ("best"), 30, 1) == SOL_OK && there (5) == 0x16); /* 15 is the best, 20 awaits its evaluation, 30 is the newest; 10 is past */
  spare_from = INT64_MAX;
  ok (save (at ("best"), 35, 1) == SOL_OK && there (6) == 0x22);
  ok (sol_checkpoint_name_best (at ("best"), 35) == SOL_OK && sol_checkpoint_prune (at ("best"), 35, 1) == SOL_OK && there (6) == 0x20);
  ok (sol_checkpoint_name_best (at ("best"), -1) == SOL_OK && sol_checkpoint_name_best (at ("best"), -1) == SOL_OK && sol_checkpoint_best (at ("best"), &best) == SOL_OK && best == -1);
  need (put_file (at ("best/checkpoints/best"), "u35\n", 4) == 0);
  quiet (1);
  ok (sol_checkpoint_best (at ("best"), &best) == SOL_ERR_FORMAT && best == -1);
  quiet (0);
}

int main (void)
{
  scratch_make ();
  test_round_trip ();
  test_incomplete ();
  test_damage ();
  test_kill ();
  test_full ();
  test_best ();
  scratch_remove ();
  return tap_done ();
}
