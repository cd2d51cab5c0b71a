/* SPDX-License-Identifier: Apache-2.0 */
/* Protects: tasks of several files: shares by weight, epochs of each file, splits, prompts that are too long; what is said of problems that stand there twice; what is refused. */
#include "solera/dataset.h"
#include "task_helpers.h"
#include <unistd.h>

/* how often each of n questions was asked differs by at most one */
static int is_even (const int *asked, int n)
{
  int low = asked[0], high = asked[0];
  for (int i = 1; i < n; i++) {
    if (asked[i] < low) low = asked[i];
    if (asked[i] > high) high = asked[i];
  }
  return high - low <= 1;
}

static void test_sets (void)
{
  char *path[3];
  write_sets (path);
  sol_config_t *c = configure_sets (path, ", holdout: 0, weights: [1, 2, 0.5]");
  sol_task_t *t = make (c);
  sol_prompt_t p = { 0 };
  int asked[3][300] = { { 0 } }, bad = 0, runs = 0, last = -1;
  need (t != NULL);
  ok (sol_task_sets (t) == 3 && !strcmp (sol_task_set_name (t, 1), "b") && sol_task_count (t, SOL_SPLIT_TRAIN) == 347);
  for (uint64_t block = 0; block < 5; block++) {
    int n[3] = { 0 };
    for (uint64_t i = 0; i < 1024; i++) {
      need (sol_task_prompt (t, SOL_SPLIT_TRAIN, block * 1024 + i, &p) == SOL_OK);
      const int row = atoi (p.text.data + 1);
      bad += p.set != p.answer.data[0] - '0' || (p.text.data[0] != 'a' + p.set && row > 0);
      asked[p.set][row]++;
      n[p.set]++;
      runs += p.set != last;
      last = p.set;
    }
    bad += n[0] != 293 || n[1] != 585 || n[2] != 146; /* 292.57, 585.14, 146.29 */
  }
  tap_ok (!bad && runs > 2000, "each data set has exactly its share of 1024 prompts, mixed (%d wrong, %d changes)", bad, runs);
  ok (is_even (asked[0], 40) && is_even (asked[1], 7) && is_even (asked[2], 300)); /* epochs of each */
  need (sol_task_prompt (t, SOL_SPLIT_TRAIN, (UINT64_C (5) << 40) + 7, &p) == SOL_OK);
  c->max_prompt = 1;
  ok (sol_task_fits (t, SOL_SPLIT_TRAIN, &p, 1000) == SOL_ERR_LIMIT);
  sol_task_destroy (t);
  sol_config_destroy (c);

  c = configure_sets (path, ", holdout: 0.2"); /* no weights: by size, each question once an epoch; the held-out ones as well */
  t = make (c);
  for (int split = 0; split < 3; split++) {
    const uint64_t n = sol_task_count (t, split);
    uint64_t *seen = sol_alloc (n * sizeof *seen);
    bad = 0;
    for (uint64_t i = 0; i < n; i++) {
      need (sol_task_prompt (t, split, i, &p) == SOL_OK);
      seen[i] = p.id ^ (uint64_t) p.set;
      for (uint64_t k = 0; k < i; k++) bad += seen[k] == seen[i];
    }
    tap_ok (!bad && n > 40, "split %d: every question once an epoch", split);
    sol_free (seen);
  }
  ok (sol_task_count (t, SOL_SPLIT_TRAIN) + sol_task_count (t, SOL_SPLIT_HELDOUT) == 347);
  sol_task_destroy (t);
  sol_config_destroy (c);
  sol_prompt_free (&p);
  for (int j = 0; j < 3; j++) sol_free (path[j]);
}

/* one file: the order is the permutation of its rows; a question's split depends on its words alone */
static void test_one_set (void)
{
  char *path[3];
  sol_buffer_t text = { 0 };
  sol_prompt_t p = { 0 };
  uint64_t bad = 0;
  write_sets (path);
  sol_buffer_printf (&text, "seed: 6\ntask: {name: jsonl, path: %s, weights: 3, holdout: 0}\n", path[0]);
  sol_config_t *c = configure (text.data);
  sol_task_t *t = make (c);
  need (t != NULL);
  for (uint64_t i = 0; i < 100; i++) {
    need (sol_task_prompt (t, SOL_SPLIT_TRAIN, i, &p) == SOL_OK);
    bad += strtoull (p.text.data + 1, NULL, 10) != sol_permute (6, i / 40, 40, i % 40) || p.set != 0;
  }
  tap_ok (!bad, "one file: the order is that of its permutation (%d wrong)", (int) bad);
  sol_task_destroy (t);
  sol_config_destroy (c);
  sol_prompt_free (&p);
  sol_buffer_free (&text);
  for (int j = 0; j < 3; j++) sol_free (path[j]);
}

static void test_long (void)
{
  char *path[3];
  sol_prompt_t p = { 0 };
  int bad = 0;
  write_sets (path);
  sol_config_t *c = configure_sets (path, ", holdout: 0, long_prompts: skip");
  c->max_prompt = 8;
  sol_task_t *t = make (c);
  need (t != NULL);
  const uint64_t n = sol_task_count (t, SOL_SPLIT_TRAIN);
  ok (n == 247 && sol_task_count (t, SOL_SPLIT_ALL) == 247);
  for (uint64_t i = 0; i < n; i++) {
    need (sol_task_prompt (t, SOL_SPLIT_TRAIN, i, &p) == SOL_OK);
    bad += p.ids.n > 8 || strstr (p.text.data, "length") || sol_task_fits (t, SOL_SPLIT_TRAIN, &p, 1000) != SOL_OK;
  }
  tap_ok (!bad, "long prompts are left out of every split (%d found)", bad);
  sol_task_destroy (t);
  c->max_prompt = 1;
  ok (!make (c)); /* nothing is left */
  sol_config_destroy (c);
  sol_prompt_free (&p);
  for (int j = 0; j < 3; j++) sol_free (path[j]);
}

static void test_sets_refused (void)
{
  char *path[3];
  sol_config_t *c;
  write_sets (path);
  static const char *const more[] = { ", weights: [1, 2]", ", weights: [1, 2, 0]", ", weights: [1, 2, x]", ", weights: [1, 1, 1e-9]", ", weights: [1, 2, 3, 4]" };
  for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
    c = configure_sets (path, more[i]);
    ok (!make (c));
    sol_config_destroy (c);
  }
  char *twice[] = { path[0], path[1], path[0] };
  c = configure_sets (twice, "");
  ok (!make (c)); /* two data sets of one name */
  sol_config_destroy (c);
  for (int j = 0; j < 3; j++) sol_free (path[j]);
}

static void problems (const char *name, const char *rows)
{
  char *path = scratch_path (name);
  need (sol_file_write (path, rows, strlen (rows)) == SOL_OK);
  sol_free (path);
}

/* what sol_task_say and sol_task_say_seen say of the task with these lines of settings; run: NULL, or those of a run; sol_free */
static char *said (const char *settings, const char *run)
{
  char *log = scratch_path ("said"), *text = NULL;
  size_t bytes;
  sol_config_t *c = configure (settings), *r = run ? configure (run) : NULL;
  sol_task_t *t = make (c);
  need (t != NULL);
  remove (log);
  need (sol_log_file (log) == 0);
  sol_task_say (t);
  if (r) sol_task_say_seen (t, SOL_SPLIT_ALL, sol_task_count (t, SOL_SPLIT_ALL), r, "the run");
  sol_log_file (NULL);
  if (!sol_file_exists (log) || sol_file_read (log, 0, &text, &bytes) != SOL_OK) text = sol_strdup ("");
  sol_task_destroy (t);
  sol_config_destroy (c);
  sol_config_destroy (r);
  sol_free (log);
  return text;
}
static int says (const char *settings, const char *run, const char *a, const char *b)
{
  char *text = said (settings, run);
  const int good = strstr (text, a) && strstr (text, b);
  if (!good) printf ("# %s\n", text);
  sol_free (text);
  return good;
}
static int is_silent (const char *settings, const char *run)
{
  char *text = said (settings, run);
  const int good = !strstr (text, "problems");
  if (!good) printf ("# %s\n", text);
  sol_free (text);
  return good;
}

/* a run's settings name its files as the test's own do: relative to where it is started */
static void test_twice (void)
{
  const char *tmp = getenv ("TEST_TMPDIR");
  need (tmp && chdir (tmp) == 0);
  problems ("one.jsonl", "{\"problem\":\"What is  2 + 2?\\n\",\"answer\":\"4\"}\n{\"problem\":\"b\",\"answer\":\"1\"}\n{\"problem\":\"c\",\"answer\":\"1\"}\n");
  problems ("two.jsonl", "{\"problem\":\"x\",\"answer\":\"1\"}\n\n{\"problem\":\"What is 2 + 2?\",\"answer\":\"4\"}\n{\"problem\":\"c\",\"answer\":\"1\"}\n");
  problems ("three.jsonl", "{\"problem\":\"What is 2+2?\",\"answer\":\"4\"}\n{\"problem\":\"B\",\"answer\":\"1\"}\n");
#define TASK "task: {name: jsonl, prompt: raw, path: "
  ok (says (TASK "[one.jsonl, two.jsonl], holdout: 0}\n", NULL, "2 problems stand in two files of task.path", "the first: one.jsonl:1 and two.jsonl:3"));
  ok (is_silent (TASK "[one.jsonl, three.jsonl], holdout: 0}\n", NULL)); /* other words */
  ok (is_silent (TASK "[one.jsonl], holdout: 0.5}\n", NULL));
  /* by seed the two spellings come to stand on both sides */
  int leaks = 0, silent = 0;
  for (int seed = 0; seed < 12; seed++) {
    char settings[200];
    snprintf (settings, sizeof settings, "seed: %d\n" TASK "[one.jsonl, two.jsonl], holdout: 0.5}\n", seed);
    sol_config_t *c = configure (settings);
    sol_task_t *t = make (c);
    if (!t) { sol_config_destroy (c); continue; } /* all held out */
    int on[2] = { 0 };
    sol_prompt_t p = { 0 };
    for (int split = 0; split < 2; split++)
      for (uint64_t i = 0; i < sol_task_count (t, split); i++) {
        need (sol_task_prompt (t, split, i, &p) == SOL_OK);
        on[split] += strstr (p.text.data, "2 + 2") != NULL;
      }
    sol_prompt_free (&p);
    sol_task_destroy (t);
    sol_config_destroy (c);
    char *text = said (settings, NULL);
    const int said_it = strstr (text, "1 problems are both held out and, with other white space, trained on") != NULL;
    ok (said_it == (on[0] && on[1]));
    leaks += said_it;
    silent += !said_it;
    sol_free (text);
  }
  tap_ok (leaks > 0 && silent > 0, "%d seeds with a leak, %d without", leaks, silent);
  /* what is asked, beside what a run was trained on */
  ok (says (TASK "two.jsonl, holdout: 0}\n", TASK "one.jsonl, holdout: 0}\n", "2 of the 3 problems that are asked are among those that the run was trained on", "the first: two.jsonl:3, in training one.jsonl:1"));
  ok (is_silent (TASK "three.jsonl, holdout: 0}\n", TASK "one.jsonl, holdout: 0}\n"));
  ok (is_silent (TASK "two.jsonl, holdout: 0}\n", "task: {name: chain}\n"));
  ok (says (TASK "two.jsonl, holdout: 0}\n", TASK "[gone.jsonl, two.jsonl], holdout: 0}\n", "gone.jsonl, on which the run was trained, cannot be read", "3 of the 3 problems"));
}

int main (void)
{
  folder = data_path ("tiny_tokenizer");
  need (sol_tokenizer_load (folder, &tokenizer) == SOL_OK);
  test_sets ();
  test_one_set ();
  test_long ();
  test_sets_refused ();
  test_twice ();
  sol_tokenizer_destroy (tokenizer);
  sol_free (folder);
  return tap_done ();
}
