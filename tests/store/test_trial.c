/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluations during training: which versions, shares that add up to the same figures, shares that are damaged, lines that a resumed run keeps. */
#include "../tap.h"
#include "solera/evals.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/trial.h"
#include <string.h>

static sol_config_t c;

static void test_next (void)
{
  c.eval_every = 0;
  ok (sol_trial_next (&c, 0) == SOL_TRIAL_NONE);
  c.eval_every = 4;
  c.updates = 10;
  ok (sol_trial_next (&c, 0) == 0 && sol_trial_next (&c, 1) == 4 && sol_trial_next (&c, 4) == 4 && sol_trial_next (&c, 9) == 10);
  ok (sol_trial_next (&c, 10) == 10 && sol_trial_next (&c, 11) == SOL_TRIAL_NONE);
}

/* 5 prompts of 2 samples; prompt i has i % 3 right */
static void put (int64_t version, int64_t actor, int64_t actors)
{
  sol_trial_problem_t p[5];
  sol_trial_share_t s = { .version = version, .actor = actor, .actors = actors, .prompts = 5, .samples = 2, .seconds = 1, .problem = p };
  for (int64_t i = actor; i < 5; i += actors) p[s.n++] = (sol_trial_problem_t){ .index = i, .set = c.task == SOL_TASK_JSONL && i > 2, .id = UINT64_MAX - (uint64_t) i, .correct = i % 3, .truncated = i == 4, .tokens = 10 * i };
  if (sol_trial_put (c.out, &s) != SOL_OK) abort ();
}

static char *read_lines (void)
{
  char *path = sol_path_join (c.out, "evals.jsonl"), *text = NULL;
  size_t bytes;
  if (sol_file_read (path, 0, &text, &bytes) != SOL_OK) abort ();
  sol_free (path);
  return text;
}

static void test_take (void)
{
  sol_trial_t one, three;
  put (4, 0, 1);
  ok (sol_trial_take (&c, 4, &one) == SOL_OK);
  ok (one.prompts == 5 && one.samples == 2 && one.avg.mean == 0.4 && one.pass.mean == 0.6 && one.truncated == 0.1 && one.mean_tokens == 10);
  put (4, 2, 3);
  put (4, 0, 3);
  ok (sol_trial_take (&c, 4, &three) == SOL_AGAIN);
  put (4, 1, 3);
  ok (sol_trial_take (&c, 4, &three) == SOL_OK && !memcmp (&one, &three, sizeof one));
  ok (sol_trial_take (&c, 4, &three) == SOL_AGAIN); /* taken once */
}

/* of two data sets: one line, but a row each in evals.h5 */
static void test_sets (void)
{
  char a[] = "x/a.jsonl", b[] = "b.jsonl", *list[] = { a, b, NULL }, *path = sol_path_join (c.out, SOL_EVALS_NAME);
  sol_trial_t t;
  sol_evals_t e = { 0 };
  c.task = SOL_TASK_JSONL;
  c.task_path = list;
  for (int64_t i = 0; i < 3; i++) put (12, i, 3);
  ok (sol_trial_take (&c, 12, &t) == SOL_OK && t.prompts == 5 && sol_evals_read (path, &e) == SOL_OK && e.n >= 2);
  const sol_evals_row_t *r = e.row + e.n - 2;
  ok (r[0].version == 12 && !strcmp (r[0].data, "a") && r[0].problems == 3 && r[0].avg == 0.5 && r[1].version == 12 && !strcmp (r[1].data, "b") && r[1].problems == 2 && r[1].avg == 0.25 && r[1].truncated == 0.25);
  ok (e.problem[r[1].first_problem].id == UINT64_MAX - 3);
  sol_evals_free (&e);
  sol_free (path);
  c.task = SOL_TASK_CHAIN;
}

static void test_damage (void)
{
  char *path = sol_path_join (c.out, "evals/v00000008.actor0.json"), *good = NULL;
  size_t bytes;
  sol_trial_t t;
  int refused = 1;
  put (8, 0, 1);
  if (sol_file_read (path, 0, &good, &bytes) != SOL_OK) abort ();
  for (size_t n = 0; n + 2 < bytes; n++) refused &= sol_file_write (path, good, n) == SOL_OK && sol_trial_take (&c, 8, &t) == SOL_ERR_FORMAT;
  ok (refused);
  put (8, 0, 2);
  put (8, 1, 2);
  ok (sol_file_write (path, good, bytes) == SOL_OK && sol_trial_take (&c, 8, &t) == SOL_OK); /* whole by itself: actor 0 of 1 */
  put (8, 0, 3);
  put (8, 1, 2);
  put (8, 2, 3);
  ok (sol_trial_take (&c, 8, &t) == SOL_ERR_FORMAT); /* shares of different evaluations */
  sol_free (good);
  sol_free (path);
}

static int64_t rows (void)
{
  sol_evals_t e = { 0 };
  char *path = sol_path_join (c.out, SOL_EVALS_NAME);
  if (sol_evals_read (path, &e) != SOL_OK) abort ();
  const int64_t n = e.n;
  sol_evals_free (&e);
  sol_free (path);
  return n;
}

static void test_begin (void)
{
  int64_t first;
  sol_trial_t t;
  char *text;
  c.updates = 40;
  ok (sol_trial_begin (&c, -1, &first) == SOL_OK && first == 0);
  text = read_lines ();
  ok (!*text); /* nothing of an earlier run */
  sol_free (text);
  for (int64_t v = 0; v <= 16; v += 4)
    if (v != 4) { put (v, 0, 1); ok (sol_trial_take (&c, v, &t) == SOL_OK); }
  const int64_t before = rows ();
  put (20, 0, 2);
  ok (sol_trial_begin (&c, 12, &first) == SOL_OK && first == 16);
  text = read_lines ();
  ok (strstr (text, "\"version\":12,") && !strstr (text, "\"version\":16,")); /* 16 is of a history that the run has left */
  sol_free (text);
  put (16, 0, 1);
  ok (sol_trial_take (&c, 16, &t) == SOL_OK && before > 0 && rows () == before); /* the same again: its row stands there */
  put (20, 1, 2);
  ok (sol_trial_take (&c, 20, &t) == SOL_AGAIN); /* the share from before is gone */
  ok (sol_trial_begin (&c, 24, &first) == SOL_OK && first == 24);
}

int main (void)
{
  sol_log_level ((sol_log_level_t) (SOL_LOG_ERROR + 1));
  c.out = getenv ("TEST_TMPDIR");
  test_next ();
  test_take ();
  test_sets ();
  test_damage ();
  test_begin ();
  return tap_done ();
}
