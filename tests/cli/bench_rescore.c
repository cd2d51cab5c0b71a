/* SPDX-License-Identifier: Apache-2.0 */
/* bench_rescore: how fast solera rescore goes through a record of 2 million tokens that was just written (so it is in the page cache): reading alone with the run's own rule, then with more rules. Nothing is
 * asserted. make bench-rescore; tests/cli/bench_rescore FOLDER [UPDATES [TOKENS an update]] */
#include "solera/clock.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/stats.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH = 200 }; /* tokens of a response */
typedef struct { int64_t n, *seq; int32_t *position, *token, *version; float *x[5]; uint8_t *verdict; uint64_t state; } rows_t;

static double uniform (rows_t *r)
{
  r->state ^= r->state << 13, r->state ^= r->state >> 7, r->state ^= r->state << 17;
  return (double) (r->state >> 11) * 0x1p-53;
}

/* log-ratios nearly normal, sd 0.15; the verdicts are those of grpo_no_tr */
static sol_status_t put (sol_stats_t *s, rows_t *r, int32_t update)
{
  for (int64_t i = 0; i < r->n; i++) {
    double d = -6;
    for (int k = 0; k < 12; k++) d += uniform (r);
    r->seq[i] = update * (r->n / LENGTH) + i / LENGTH;
    r->position[i] = (int32_t) (i % LENGTH);
    r->token[i] = (int32_t) (uniform (r) * 50000);
    r->version[i] = update > 8 ? update - 8 : 0;
    r->x[0][i] = (float) (-3 * uniform (r));
    r->x[1][i] = r->x[0][i] + (float) (0.15 * d);
    r->x[2][i] = r->x[3][i] = (float) uniform (r);
    r->x[4][i] = r->seq[i] % 3 ? 0.7f : -1.2f;
    const float ratio = r->x[1][i] - r->x[0][i];
    r->verdict[i] = (r->x[4][i] > 0 && ratio > 0) || (r->x[4][i] < 0 && ratio < 0);
  }
  const sol_stats_tokens_t t = { .n = r->n, .update = update, .seq = r->seq, .position = r->position, .token = r->token, .version = r->version, .lp_behav = r->x[0], .lp = r->x[1], .entropy = r->x[2],
                                 .entropy_behav = r->x[3], .advantage = r->x[4], .verdict = r->verdict };
  return sol_stats_tokens (s, &t);
}

static sol_status_t make (const char *dir, int updates, int64_t n)
{
  const sol_stats_params_t p = { .run_dir = dir, .settings = "objective: {name: grpo_no_tr}\nout: bench\n", .program = "bench_rescore", .libraries = "", .hosts = "", .chunk = 65536 };
  rows_t r = { .n = n, .state = 88172645463325252ull };
  sol_stats_t *s = NULL;
  sol_status_t st;
  const size_t room = (size_t) n;
  r.seq = sol_alloc (room * 8), r.position = sol_alloc (room * 4), r.token = sol_alloc (room * 4), r.version = sol_alloc (room * 4), r.verdict = sol_alloc (room);
  for (int k = 0; k < 5; k++) r.x[k] = sol_alloc (room * 4);
  SOL_GO (sol_stats_open (&p, &s));
  for (int u = 0; u < updates; u++) SOL_GO (put (s, &r, u));
  st = sol_stats_close (s);
  s = NULL;
out:
  if (s) sol_stats_close (s);
  for (int k = 0; k < 5; k++) sol_free (r.x[k]);
  sol_free (r.seq), sol_free (r.position), sol_free (r.token), sol_free (r.version), sol_free (r.verdict);
  return st;
}

/* best of three; its standard error has the line about reading and rules */
static int time_it (const char *solera, const char *dir, const char *more, double tokens, int rules)
{
  char command[1024];
  double best = 1e30;
  for (int k = 0; k < 3; k++) {
    snprintf (command, sizeof command, "%s rescore %s %s >/dev/null 2>%s/log", solera, dir, more, dir);
    const double t0 = sol_clock_s ();
    if (system (command) != 0) {
      fprintf (stderr, "failed: %s\n", command);
      return 1;
    }
    if (sol_clock_s () - t0 < best) best = sol_clock_s () - t0;
  }
  printf ("%-50s %2d rules  %7.2f s  %7.2f million tokens/s\n", *more ? more : "(the run's own rule)", rules, best, tokens / best / 1e6);
  fflush (stdout);
  snprintf (command, sizeof command, "sed -n 's/.*rescore: /    /p' %s/log", dir);
  return system (command) != 0;
}

int main (int argc, char **argv)
{
  const char *build = getenv ("top_builddir");
  char solera[600];
  const int updates = argc > 2 ? atoi (argv[2]) : 20;
  const int64_t n = argc > 3 ? atoll (argv[3]) : 100000;
  if (argc < 2 || updates < 1 || n < LENGTH) return fprintf (stderr, "usage: bench_rescore FOLDER [UPDATES [TOKENS an update]]\n"), 2;
  snprintf (solera, sizeof solera, "%.580s/solera", build ? build : ".");
  const double t0 = sol_clock_s (), tokens = (double) updates * (double) n;
  if (make (argv[1], updates, n) != SOL_OK) return 1;
  printf ("%.0f tokens in %d updates, %.0f MB, written in %.2f s\n", tokens, updates, tokens * sol_stats_bytes_per_token () / 1e6, sol_clock_s () - t0);
  fflush (stdout);
  if (time_it (solera, argv[1], "", tokens, 1) || time_it (solera, argv[1], "--objective grpo,m2po,dppo_tv", tokens, 4) || time_it (solera, argv[1], "--objective grpo,m2po,dppo_tv --tokens 20", tokens, 4)) return 1;
  return 0;
}
