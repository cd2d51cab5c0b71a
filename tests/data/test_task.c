/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/dataset.h"
#include "solera/external.h"
#include "solera/task.h"
#include "solera/verify.h"
#include "task_helpers.h"

/* value of a chain prompt, worked out from its text */
static int chain_value (const char *s)
{
  int x = *s++ - '0';
  for (; *s != '='; s += 2) x = (*s == '+' ? x + s[1] - '0' : *s == '-' ? x - (s[1] - '0') + 10 : x * (s[1] - '0')) % 10;
  return x;
}
static sol_grade_t grade (const sol_task_t *t, const sol_prompt_t *p, const sol_ids_t *r)
{
  sol_grade_t g;
  need (sol_task_grade (t, p, r->data, r->n, SOL_FINISH_EOS, &g) == SOL_OK);
  return g;
}

static void test_chain (void)
{
  sol_config_t *c = configure ("seed: 5\ntask: {steps: 3, holdout: 0.1, format_bonus: 0.25}\n");
  sol_task_t *t = NULL;
  sol_prompt_t p = { 0 }, q = { 0 };
  sol_ids_t r = { 0 };
  int bad = 0, held = 0, same = 0;
  need (sol_task_create (c, NULL, NULL, &t) == SOL_OK && !sol_task_needs_tokenizer (c));
  ok (sol_task_vocab (t) == 16 && sol_task_eos (t) == 15 && sol_task_count (t, SOL_SPLIT_TRAIN) == 0);
  for (uint64_t i = 0; i < 2000; i++) {
    need (sol_task_demo (t, SOL_SPLIT_ALL, i, 0, &p, &r) == SOL_OK);
    sol_buffer_t text = { 0 };
    sol_task_text (t, r.data, r.n, &text);
    sol_grade_t g = grade (t, &p, &r);
    bad += p.ids.n != 8 || r.n != 18 || p.text.bytes != 8 || p.answer.data[0] != chain_value (p.text.data) + '0' || !g.correct || g.total != 1.25 || text.data[16] != p.answer.data[0]
           || text.data[0] != p.text.data[0] || text.data[5] != ';' || text.data[17] != '#';
    sol_buffer_free (&text);
    for (int32_t n = 1; n <= 18; n++) bad += sol_task_ends (t, r.data, n) != (n == 18 ? SOL_FINISH_EOS : 0);
    r.data[16] = (r.data[16] + 1) % 10;
    g = grade (t, &p, &r);
    bad += g.correct || g.total != 0.25;
    r.data[16] = 13;
    bad += grade (t, &p, &r).total != 0;
    r.n = 17; /* never ended */
    bad += grade (t, &p, &r).total != 0;
    need (sol_task_prompt (t, SOL_SPLIT_TRAIN, i, &q) == SOL_OK);
    held += q.id != p.id;
    need (sol_task_prompt (t, SOL_SPLIT_HELDOUT, i, &p) == SOL_OK);
    same += p.id == q.id;
  }
  tap_ok (!bad, "chain: demonstrations are right, wrong ones are graded so (%d wrong)", bad);
  tap_ok (held > 140 && held < 260, "chain: %d of 2000 prompts are held out, expected 200", held);
  tap_ok (same == 0, "chain: no held-out prompt is trained on");
  r.n = 0;
  sol_ids_add (&r, 15);
  ok (!grade (t, &p, &r).correct);
  r.n = 0;
  ok (!grade (t, &p, &r).correct && sol_task_ends (t, NULL, 0) == 0);
  sol_prompt_free (&p);
  sol_prompt_free (&q);
  sol_ids_free (&r);
  sol_task_destroy (t);
  sol_config_destroy (c);
}

/* noise: a step's result is a random digit with probability 0.35, and the error is carried on */
static void test_noise (void)
{
  sol_config_t *c = configure ("seed: 6\n");
  sol_task_t *t = make (c);
  sol_prompt_t p = { 0 };
  sol_ids_t r = { 0 };
  int wrong = 0, broken = 0, right = 0;
  for (uint64_t i = 0; i < 4000; i++) {
    need (sol_task_demo (t, SOL_SPLIT_TRAIN, i, 0.35, &p, &r) == SOL_OK);
    for (int k = 0; k < 3; k++) {
      const int32_t x = r.data[6 * k], op = r.data[6 * k + 1], a = r.data[6 * k + 2], y = op == 10 ? (x + a) % 10 : op == 11 ? (x + 10 - a) % 10 : x * a % 10;
      wrong += r.data[6 * k + 4] != y;
      broken += k > 0 && x != r.data[6 * k - 2];
    }
    right += grade (t, &p, &r).correct;
  }
  tap_ok (!broken, "errors are carried on (%d breaks)", broken);
  tap_ok (wrong > 0.295 * 12000 && wrong < 0.335 * 12000, "%.3f of the steps are wrong, expected 0.35 * 0.9 = 0.315", wrong / 12000.);
  tap_ok (right > 0.33 * 4000 && right < 0.45 * 4000, "%.3f of the demonstrations end right", right / 4000.);
  sol_prompt_free (&p);
  sol_ids_free (&r);
  sol_task_destroy (t);
  sol_config_destroy (c);
}

/* response text -> total reward */
static double reward (const sol_task_t *t, const sol_prompt_t *p, const char *response)
{
  sol_ids_t r = { 0 };
  need (sol_tokenizer_encode (tokenizer, response, strlen (response), &r, NULL) == SOL_OK);
  double total = grade (t, p, &r).total;
  sol_ids_free (&r);
  return total;
}

static void test_sums (void)
{
  static const char *const family[] = { "add1", "add2", "successor" };
  static const uint64_t size[] = { 100, 8100, 90 };
  for (int f = 0; f < 3; f++)
    for (int chat = 0; chat < 2; chat++) {
      sol_buffer_t text = { 0 };
      sol_buffer_printf (&text, "seed: 3\ntask: {name: sums, family: %s, prompt: %s, shots: 3, holdout: 0.2}\n", family[f], chat ? "chat" : "raw");
      sol_config_t *c = configure (text.data);
      sol_task_t *t = make (c);
      sol_prompt_t p = { 0 };
      sol_ids_t r = { 0 };
      uint64_t n_train = sol_task_count (t, SOL_SPLIT_TRAIN), n_held = sol_task_count (t, SOL_SPLIT_HELDOUT);
      int bad = 0;
      need (t != NULL);
      tap_ok (n_train + n_held == size[f] && sol_task_count (t, SOL_SPLIT_ALL) == size[f] && n_held > size[f] / 10 && n_held < size[f] / 3, "%s: %d train, %d held out", family[f], (int) n_train,
              (int) n_held);
      for (uint64_t i = 0; i < 150; i++) {
        need (sol_task_demo (t, i % 2 ? SOL_SPLIT_TRAIN : SOL_SPLIT_HELDOUT, i, 0, &p, &r) == SOL_OK);
        int32_t ends = 0, n = 0;
        while (n < r.n && !ends) ends = sol_task_ends (t, r.data, ++n);
        bad += n != r.n || ends != (chat ? SOL_FINISH_EOS : SOL_FINISH_STOP) || !grade (t, &p, &r).correct;
        bad += reward (t, &p, "the answer is x") != 0 || reward (t, &p, "") != 0;
        sol_buffer_t wrong = { 0 };
        sol_buffer_printf (&wrong, " %d\n", atoi (p.answer.data) + 1);
        bad += reward (t, &p, wrong.data) != 0;
        sol_buffer_clear (&wrong);
        sol_buffer_printf (&wrong, " %s + 0\n", p.answer.data); /* worked out it would be right */
        bad += !chat && reward (t, &p, wrong.data) != 0;
        sol_buffer_clear (&wrong);
        sol_buffer_printf (&wrong, " %s\n1 + 1 = 2\n", p.answer.data); /* what follows the first line does not count */
        bad += !chat && reward (t, &p, wrong.data) != 1;
        sol_buffer_free (&wrong);
      }
      tap_ok (!bad, "%s, %s: right and wrong answers (%d wrongly graded)", family[f], chat ? "chat" : "raw", bad);
      sol_prompt_free (&p);
      sol_ids_free (&r);
      sol_task_destroy (t);
      sol_config_destroy (c);
      sol_buffer_free (&text);
    }
}

/* an epoch has every question of the split once; the same index gives the same prompt; shots never show the question */
static void test_order (void)
{
  sol_config_t *c = configure ("seed: 4\ntask: {name: sums, family: add1, shots: 5, holdout: 0.2}\n");
  sol_task_t *t = make (c);
  sol_prompt_t p = { 0 }, q = { 0 };
  int bad = 0, shown = 0;
  uint64_t n = sol_task_count (t, SOL_SPLIT_TRAIN), *seen = sol_alloc (n * sizeof *seen);
  for (uint64_t i = 0; i < n; i++) {
    need (sol_task_prompt (t, SOL_SPLIT_TRAIN, i, &p) == SOL_OK && sol_task_prompt (t, SOL_SPLIT_TRAIN, i, &q) == SOL_OK);
    bad += p.id != q.id || p.text.bytes != q.text.bytes || memcmp (p.text.data, q.text.data, p.text.bytes);
    for (uint64_t k = 0; k < i; k++) bad += seen[k] == p.id;
    seen[i] = p.id;
    char *last = strrchr (p.text.data, '\n');
    need (last != NULL);
    *last = 0;
    shown += strstr (p.text.data, last + 1) == p.text.data || (strstr (p.text.data, last + 1) && strstr (p.text.data, last + 1)[-1] == '\n');
  }
  tap_ok (!bad, "an epoch asks every question once, the same each time it is asked (%d wrong)", bad);
  tap_ok (!shown, "no example is the question (%d)", shown);
  sol_free (seen);
  sol_prompt_free (&p);
  sol_prompt_free (&q);
  sol_task_destroy (t);
  sol_config_destroy (c);
}

static void test_jsonl (void)
{
  char *path = scratch_path ("p.jsonl");
  sol_buffer_t rows = { 0 }, text = { 0 };
  for (int i = 0; i < 40; i++) sol_buffer_printf (&rows, "{\"problem\":\"half of %d\",\"answer\":\"%d/2\"}\n", i, i);
  need (sol_file_write (path, rows.data, rows.bytes) == SOL_OK);
  sol_buffer_printf (&text, "task: {name: jsonl, path: %s, prompt: chat, system: be brief, suffix: '?', holdout: 0.2, format_bonus: 0.5, stop: ['END', \"\\n\\n\"]}\n", path);
  sol_config_t *c = configure (text.data);
  sol_task_t *t = make (c);
  sol_prompt_t p = { 0 };
  sol_ids_t r = { 0 };
  need (t != NULL && sol_task_demo (t, SOL_SPLIT_TRAIN, 3, 0, &p, &r) == SOL_OK);
  ok (!strncmp (p.text.data, "<|im_start|>system\nbe brief<|im_end|>\n<|im_start|>user\nhalf of ", 63) && strstr (p.text.data, "?<|im_end|>\n<|im_start|>assistant\n"));
  sol_buffer_clear (&text);
  sol_buffer_printf (&text, "it is \\boxed{%.1f}", atoi (p.answer.data) / 2.);
  ok (reward (t, &p, text.data) == 1.5 && reward (t, &p, "\\boxed{-1}") == 0.5 && reward (t, &p, "nothing") == 0 && grade (t, &p, &r).correct);
  r.n = 0;
  sol_grade_t g;
  sol_buffer_t bare = { 0 };
  sol_buffer_printf (&bare, "it is %.1f", atoi (p.answer.data) / 2.);
  need (sol_tokenizer_encode (tokenizer, bare.data, bare.bytes, &r, NULL) == SOL_OK);
  ok (grade (t, &p, &r).correct && sol_task_grade (t, &p, r.data, r.n, SOL_FINISH_LENGTH, &g) == SOL_OK && !g.correct && g.total == 0); /* cut off: no answer */
  sol_buffer_free (&bare);
  sol_buffer_printf (&text, "END and \\boxed{-1}");
  ok (reward (t, &p, text.data) == 1.5); /* graded up to the stop */
  r.n = 0;
  need (sol_task_demo (t, SOL_SPLIT_TRAIN, 3, 0, &p, &r) == SOL_OK);
  ok (sol_task_ends (t, r.data, r.n) == SOL_FINISH_EOS);
  r.n = 0;
  need (sol_tokenizer_encode (tokenizer, "xEND", 4, &r, NULL) == SOL_OK);
  ok (sol_task_ends (t, r.data, r.n) == SOL_FINISH_STOP && sol_task_ends (t, r.data, r.n - 1) == 0);
  ok (sol_task_demo (t, SOL_SPLIT_TRAIN, 0, 0.5, &p, &r) == SOL_ERR_USAGE);
  c->max_prompt = p.ids.n;
  c->max_new = 10;
  ok (sol_task_fits (t, SOL_SPLIT_TRAIN, &p, p.ids.n + 10) == SOL_OK && sol_task_fits (t, SOL_SPLIT_TRAIN, &p, p.ids.n + 9) == SOL_ERR_LIMIT);
  c->max_prompt--;
  ok (sol_task_fits (t, SOL_SPLIT_TRAIN, &p, 100000) == SOL_ERR_LIMIT);
  ok (sol_task_vocab (t) == sol_tokenizer_size (tokenizer) && sol_tokenizer_is_eos (tokenizer, sol_task_eos (t)));
  sol_task_destroy (t);
  sol_config_destroy (c);
  sol_buffer_free (&rows);
  sol_buffer_free (&text);
  sol_prompt_free (&p);
  sol_ids_free (&r);
  sol_free (path);
}

/* other words around a problem; a raw prompt begins with what the post-processor puts before a text; bytes that are no text, by the setting */
static void test_wording (void)
{
  char *path = scratch_path ("w.jsonl"), *home = scratch_path ("bos"), *from = sol_path_join (folder, "tokenizer.json"), *to = sol_path_join (home, "tokenizer.json"), *data;
  static const char post[] = "\"post_processor\": null", with[] = "\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"x\"}}, {\"Sequence\": {\"id\": \"A\"}}], "
                                                                 "\"special_tokens\": {\"x\": {\"ids\": [33]}}}";
  size_t bytes;
  sol_buffer_t text = { 0 }, changed = { 0 };
  sol_tokenizer_t *plain = tokenizer;
  sol_prompt_t p = { 0 };
  need (sol_file_write (path, "{\"problem\":\"1+1\xff\",\"answer\":\"2\"}\n", 32) == SOL_OK);
  need (sol_dir_make (home) == SOL_OK && sol_file_read (from, 0, &data, &bytes) == SOL_OK);
  char *at = strstr (data, post);
  need (at != NULL);
  sol_buffer_add (&changed, data, (size_t) (at - data));
  sol_buffer_printf (&changed, "%s%s", with, at + sizeof post - 1);
  need (sol_file_write (to, changed.data, changed.bytes) == SOL_OK && sol_tokenizer_load (home, &tokenizer) == SOL_OK);
  sol_buffer_printf (&text, "task: {name: jsonl, path: %s, wording: m2po, utf8: replace, holdout: 0}\n", path);
  sol_config_t *c = configure (text.data);
  sol_task_t *t = make (c);
  need (t && sol_task_prompt (t, SOL_SPLIT_TRAIN, 0, &p) == SOL_OK);
  ok (!strcmp (p.text.data, "Please solve the following math problem: 1+1\xef\xbf\xbd. The assistant first thinks about the reasoning process step by step and then provides the user with the answer. "
                            "Return the final answer in \\boxed{} tags, for example \\boxed{1}. Let's solve this step by step. "));
  ok (p.ids.n > 2 && p.ids.data[0] == 33 && p.ids.data[1] == sol_tokenizer_id (tokenizer, "P"));
  sol_buffer_clear (&text);
  c->task_wording = SOL_WORDING_BOXED;
  sol_task_words (c, "1+1", &text);
  ok (!strcmp (text.data, "1+1\nPlease reason step by step, and put your final answer within \\boxed{}."));
  sol_task_destroy (t);
  c->task_utf8 = SOL_UTF8_ERROR;
  ok (!make (c)); /* the line is no text */
  sol_config_destroy (c);
  sol_tokenizer_destroy (tokenizer);
  tokenizer = plain;
  sol_prompt_free (&p);
  sol_buffer_free (&text);
  sol_buffer_free (&changed);
  char *all[] = { path, home, from, to, data };
  for (int i = 0; i < 5; i++) sol_free (all[i]);
}

static void test_refused (void)
{
  sol_config_t *c = configure ("task: {name: sums, holdout: 0}\n");
  sol_task_t *t = NULL;
  sol_prompt_t p = { 0 };
  ok (sol_task_create (c, NULL, NULL, &t) == SOL_ERR_USAGE && t == NULL && sol_task_needs_tokenizer (c));
  t = make (c);
  ok (sol_task_prompt (t, SOL_SPLIT_HELDOUT, 0, &p) == SOL_ERR_LIMIT && sol_task_prompt (t, SOL_SPLIT_TRAIN, 0, &p) == SOL_OK);
  sol_task_destroy (t);
  sol_config_destroy (c);
  sol_prompt_free (&p);
  c = configure ("task: {holdout: 0}\n");
  t = make (c);
  ok (sol_task_prompt (t, SOL_SPLIT_HELDOUT, 0, &p) == SOL_ERR_LIMIT);
  sol_prompt_free (&p);
  sol_task_destroy (t);
  sol_config_destroy (c);
  ok (!creates ("task: {name: jsonl}\n") && !creates ("task: {name: jsonl, path: /nonexistent}\n") && !creates ("task: {name: sums, stop: ['']}\n") && !creates ("task: {name: sums, system: x}\n"));
}

/* reward of a response whose text is given, finished by `finish`, and its parts */
static sol_grade_t graded (const sol_task_t *t, const sol_prompt_t *p, const char *text, int finish, int32_t *n)
{
  sol_ids_t r = { 0 };
  sol_grade_t g;
  need (sol_tokenizer_encode (tokenizer, text, strlen (text), &r, NULL) == SOL_OK && sol_task_grade (t, p, r.data, r.n, finish, &g) == SOL_OK);
  *n = r.n;
  sol_ids_free (&r);
  return g;
}

/* a form that is asked for, and the over-long penalty: each is a part of the reward */
static void test_parts (void)
{
  char *path = scratch_path ("f.jsonl");
  sol_buffer_t text = { 0 };
  sol_prompt_t p = { 0 };
  int32_t n;
  need (sol_file_write (path, "{\"problem\":\"p\",\"answer\":\"7\"}\n", 29) == SOL_OK);
  sol_buffer_printf (&text, "task: {name: jsonl, path: %s, holdout: 0, format_bonus: 0.5, format: '(?s)<think>.*</think>\\s*\\\\boxed\\{\\d+\\}', stop: END}\n", path);
  sol_config_t *c = configure (text.data);
  sol_task_t *t = make (c);
  need (t && sol_task_prompt (t, SOL_SPLIT_TRAIN, 0, &p) == SOL_OK);
  static const struct { const char *text; double total, format; } row[] = { { "<think>a\nb</think>\n\\boxed{7}", 1.5, 0.5 }, { "<think></think>\\boxed{8}", 0.5, 0.5 }, { "\\boxed{7}", 1, 0 },
                                                                           { "so <think></think>\\boxed{7}", 1, 0 }, { "<think></think>\\boxed{7}.", 1, 0 }, { "<think></think>\\boxed{7}END", 1.5, 0.5 } };
  for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
    const sol_grade_t g = graded (t, &p, row[i].text, SOL_FINISH_STOP, &n);
    tap_ok (g.total == row[i].total && g.part[SOL_PART_FORMAT] == row[i].format && g.part[SOL_PART_LENGTH] == 0, "reward of %s: %g", row[i].text, g.total);
  }
  sol_task_destroy (t);
  c->task_format[0] = 0; /* none */
  c->overlong_penalty = 2;
  c->overlong_tokens = 4;
  t = make (c);
  graded (t, &p, "it is \\boxed{7}", SOL_FINISH_EOS, &n);
  for (int64_t over = -1; over <= 4; over++) { /* n is so many tokens into the margin */
    c->max_new = n + 4 - over;
    const sol_grade_t g = graded (t, &p, "it is \\boxed{7}", over == 4 ? SOL_FINISH_LENGTH : SOL_FINISH_EOS, &n);
    const double want = over > 0 ? -0.5 * (double) over : 0;
    tap_ok (g.part[SOL_PART_LENGTH] == want && g.total == 1.5 + want && g.correct, "%d of 4 tokens over: %g", (int) over, g.part[SOL_PART_LENGTH]);
  }
  sol_task_destroy (t);
  sol_config_destroy (c);
  sol_buffer_clear (&text);
  sol_buffer_printf (&text, "task: {name: jsonl, path: %s, holdout: 0, format_bonus: 0.5, format: '(a'}\n", path);
  ok (!creates (text.data)); /* no pattern */
  sol_buffer_clear (&text);
  sol_buffer_printf (&text, "task: {name: jsonl, path: %s, holdout: 0, format_bonus: 0.5, format: '(a+)+b'}\n", path); /* steps without end: not matched, and soon */
  c = configure (text.data);
  t = make (c);
  need (t != NULL);
  ok (graded (t, &p, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", SOL_FINISH_EOS, &n).total == 0);
  sol_task_destroy (t);
  sol_config_destroy (c);
  sol_prompt_free (&p);
  sol_buffer_free (&text);
  sol_free (path);
}

/* task.split: file, and what is shown of a response beside its grade */
static const char *extract (const sol_task_t *t, const sol_prompt_t *p, const char *response, int finish, sol_buffer_t *text, sol_buffer_t *answer)
{
  sol_ids_t ids = { 0 };
  need (sol_tokenizer_encode (tokenizer, response, strlen (response), &ids, NULL) == SOL_OK);
  const char *form = sol_task_extract (t, p, ids.data, ids.n, finish, text, answer);
  sol_ids_free (&ids);
  return form;
}

static void test_file (void)
{
  char *path[3];
  sol_buffer_t yaml = { 0 }, text = { 0 }, answer = { 0 };
  sol_prompt_t p = { 0 };
  int bad = 0;
  write_sets (path);
  sol_buffer_printf (&yaml, "seed: 6\ntask: {name: jsonl, path: [%s, %s], holdout: 0.2, stop: END}\n", path[0], path[1]);
  sol_config_t *c = configure (yaml.data);
  sol_task_t *t = make (c);
  need (t != NULL && sol_task_count (t, SOL_SPLIT_FILE) == 47);
  for (uint64_t i = 0; i < 100; i++) {
    const int row = (int) (i % 47), set = row >= 40, line = row - 40 * set + 1;
    need (sol_task_prompt (t, SOL_SPLIT_FILE, i, &p) == SOL_OK);
    const char *id = sol_task_row_id (t, SOL_SPLIT_FILE, i);
    bad += p.index != i || p.set != set || !id || atoi (id) != line;
  }
  tap_ok (!bad, "the file's order, one file after the other (%d wrong)", bad);
  ok (!strcmp (extract (t, &p, "so \\boxed{7} ENDless", SOL_FINISH_EOS, &text, &answer), "boxed") && !strcmp (text.data, "so \\boxed{7} ") && !strcmp (answer.data, "7"));
  ok (!strcmp (extract (t, &p, "#### 8", SOL_FINISH_STOP, &text, &answer), "####") && !strcmp (answer.data, "8"));
  ok (!strcmp (extract (t, &p, "Final Answer: 5", SOL_FINISH_EOS, &text, &answer), "final answer") && !strcmp (extract (t, &p, "it is 9", SOL_FINISH_EOS, &text, &answer), "end") && !strcmp (answer.data, "9"));
  ok (!strcmp (extract (t, &p, "it is 9", SOL_FINISH_LENGTH, &text, &answer), "none") && !answer.bytes);
  c->task_verifier = SOL_VERIFY_M2PO;
  ok (!strcmp (extract (t, &p, "#### 8", SOL_FINISH_STOP, &text, &answer), "none") && !strcmp (extract (t, &p, "\\boxed{8}", SOL_FINISH_STOP, &text, &answer), "boxed"));
  sol_task_destroy (t);
  sol_config_destroy (c);
  c = configure ("task: {name: chain}\n");
  t = make (c);
  const int32_t right[] = { 1, 13, 4, 15 }, none[] = { 1, 13, 4 };
  need (t != NULL && sol_task_prompt (t, SOL_SPLIT_FILE, 3, &p) == SOL_OK);
  ok (sol_task_row_id (t, SOL_SPLIT_FILE, 3) == NULL && !strcmp (sol_task_extract (t, &p, right, 4, SOL_FINISH_EOS, &text, &answer), "end") && !strcmp (text.data, "1=4#") && !strcmp (answer.data, "4"));
  ok (!strcmp (sol_task_extract (t, &p, none, 3, SOL_FINISH_LENGTH, &text, &answer), "none") && !answer.bytes);
  sol_task_destroy (t);
  sol_config_destroy (c);
  sol_prompt_free (&p);
  sol_buffer_free (&yaml);
  sol_buffer_free (&text);
  sol_buffer_free (&answer);
  for (int j = 0; j < 3; j++) sol_free (path[j]);
}

/* a program that grades: it sees the problem's whole line, and its reward takes the answer's place */
static void test_command (void)
{
  static const char lines[] = "{\"problem\":\"p\",\"answer\":\"7\",\"tests\":[1,2]}\n{\"problem\":\"q\",\"answer\":\"8\",\"id\":\"second\"}\n";
  static const char script[] = "while IFS= read -r l; do id=${l#*:}; id=${id%%,*}; case $l in "
                               "*'\"data\":\"g\",\"prompt\":\"p\",\"response\":\"good \",\"cut\":false,\"answer\":\"7\",\"row\":{\"problem\":\"p\",\"answer\":\"7\",\"tests\":[1,2]}}') r='0.5,\"verdict\":true';; "
                               "*'\"response\":\"bad\",\"cut\":true'*) r=-0.25;; *'\"row\":{\"problem\":\"q\",\"answer\":\"8\",\"id\":\"second\"}}') r=1;; *) r=0;; esac; echo \"{\\\"id\\\":$id,\\\"reward\\\":$r}\"; done";
  char *path = scratch_path ("g.jsonl");
  sol_buffer_t text = { 0 };
  sol_prompt_t p = { 0 };
  int seen = 0;
  need (sol_file_write (path, lines, sizeof lines - 1) == SOL_OK);
  sol_buffer_printf (&text, "task: {name: jsonl, path: %s, holdout: 0, verifier: command, verifier_command: [sh, -c, x], verifier_s: 30, format: good, format_bonus: 1, stop: END}\n", path);
  sol_config_t *c = configure (text.data);
  sol_free (c->verifier_command[2]);
  c->verifier_command[2] = sol_strdup (script);
  sol_task_t *t = make (c);
  static const char *const word[] = { "good END", "bad", "other", "good" };
  sol_ids_t ids[4] = { { 0 } };
  sol_task_response_t r[4];
  sol_grade_t g[4];
  for (int i = 0; i < 4; i++) {
    need (sol_tokenizer_encode (tokenizer, word[i], strlen (word[i]), &ids[i], NULL) == SOL_OK);
    r[i] = (sol_task_response_t) { ids[i].data, ids[i].n, i == 1 ? SOL_FINISH_LENGTH : SOL_FINISH_STOP };
  }
  for (uint64_t i = 0; i < 2; i++) {
    need (t && sol_task_prompt (t, SOL_SPLIT_TRAIN, i, &p) == SOL_OK && sol_task_grade_all (t, &p, r, 4, g) == SOL_OK);
    const int is_p = p.answer.data[0] == '7';
    seen |= 1 << is_p;
    ok (g[0].part[SOL_PART_GIVEN] == (is_p ? 0.5 : 1) && g[0].correct && g[0].part[SOL_PART_ANSWER] == 1 && g[0].total == g[0].part[SOL_PART_GIVEN]); /* "good " is not all of the form */
    ok (g[1].total == -0.25 && !g[1].correct && g[1].part[SOL_PART_ANSWER] == 0 && g[1].part[SOL_PART_STOPPED] == 0 && g[1].part[SOL_PART_RESTARTS] == 0);
    ok (g[2].total == !is_p && g[2].correct == !is_p && g[3].total == !is_p + 1);
  }
  ok (seen == 3);
  sol_task_destroy (t);
  sol_free (c->verifier_command[2]);
  c->verifier_command[2] = sol_strdup ("echo the tests are missing >&2; exit 5");
  t = make (c);
  need (t && sol_task_prompt (t, SOL_SPLIT_TRAIN, 0, &p) == SOL_OK);
  ok (sol_task_grade_all (t, &p, r, 4, g) == SOL_ERR_IO);
  sol_task_destroy (t);
  sol_config_destroy (c);
  for (int i = 0; i < 4; i++) sol_ids_free (&ids[i]);
  sol_prompt_free (&p);
  sol_buffer_free (&text);
  sol_free (path);
}

int main (int argc, char **argv)
{
  const int child = sol_external_main (argc, argv);
  if (child >= 0) return child;
  folder = data_path ("tiny_tokenizer");
  need (sol_tokenizer_load (folder, &tokenizer) == SOL_OK);
  test_chain ();
  test_noise ();
  test_sums ();
  test_order ();
  test_jsonl ();
  test_wording ();
  test_file ();
  test_parts ();
  test_command ();
  test_refused ();
  sol_tokenizer_destroy (tokenizer);
  sol_free (folder);
  return tap_done ();
}
