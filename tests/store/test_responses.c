/* SPDX-License-Identifier: Apache-2.0 */
/* responses.h: lines come back as they were; a part that is cut off at any byte gives its whole problems and takes the rest later; any division over ranks joins to the same file */
#include "solera/json.h"
#include "solera/responses.h"
#include "helpers.h"
#include <cjson/cJSON.h>

enum { PROBLEMS = 7, SAMPLES = 3 };

static sol_buffer_t text_of (const char *s, size_t n)
{
  sol_buffer_t b = { 0 };
  sol_buffer_add (&b, s, n);
  return b;
}

static void add_problem (int64_t i, sol_buffer_t *out)
{
  static const char *const finish[] = { "eos", "stop", "length" };
  char says[32];
  for (int64_t s = 0; s < SAMPLES; s++) {
    sol_buffer_t text = text_of (says, (size_t) snprintf (says, sizeof says, "say \"%d\"\n", (int) (i * 10 + s))), none = { 0 };
    const sol_response_t r = { .index = i, .sample = s, .id = i % 2 ? "odd" : NULL, .prompt = UINT64_C (0xfedcba9876543210) + (uint64_t) i, .text = &text, .extracted = &none, .expected = &text, .form = "end",
                               .finish = finish[(i + s) % 3], .correct = (int) ((i + s) & 1), .tokens = 5 * i + s, .logprob = -0.1 * (double) (i + 1) };
    sol_response_line (&r, out);
    sol_buffer_free (&text);
  }
}

static int mark_right (const sol_response_mark_t *m, int64_t i, int64_t s)
{
  return m->prompt == UINT64_C (0xfedcba9876543210) + (uint64_t) i && m->tokens == 5 * i + s && m->correct == ((i + s) & 1) && m->finish == (i + s) % 3 + 1;
}

static void test_line (void)
{
  sol_buffer_t line = { 0 }, bad = text_of ("a\xff\0b", 4), none = { 0 };
  const sol_response_t r = { .id = NULL, .prompt = 0xabc, .text = &bad, .extracted = &none, .expected = &none, .form = "none", .finish = "length", .tokens = 2, .logprob = -0.30000000000000004 };
  char why[128];
  cJSON *o = NULL;
  sol_response_line (&r, &line);
  ok (line.data[line.bytes - 1] == '\n' && memchr (line.data, '\n', line.bytes) == line.data + line.bytes - 1);
  need (sol_json_parse (line.data, line.bytes - 1, &o, why) == SOL_OK); /* whatever bytes the response has */
  ok (!strcmp (sol_json_string (o, "id"), "0000000000000abc") && !strcmp (sol_json_string (o, "prompt_id"), "0000000000000abc"));
  ok (cJSON_GetObjectItemCaseSensitive (o, "logprob")->valuedouble == -0.30000000000000004);
  cJSON_Delete (o);
  sol_buffer_free (&line);
  sol_buffer_free (&bad);
}

static void put (int rank, int64_t from, int64_t step)
{
  sol_parts_t p;
  need (sol_parts_open (scratch, "x", rank, &p) == SOL_OK);
  for (int64_t i = from; i < PROBLEMS && i >= 0; i += step) {
    sol_buffer_t b = { 0 };
    add_problem (i, &b);
    ok (sol_parts_put (&p, &b) == SOL_OK);
    sol_buffer_free (&b);
  }
  ok (sol_parts_close (&p) == SOL_OK);
}

/* problems that are there, 0 when one of their figures is wrong */
static int64_t there (int64_t problems, int *finished)
{
  sol_response_mark_t mark[PROBLEMS * SAMPLES] = { { 0 } };
  int64_t done = 0, n = 0;
  if (sol_parts_read (scratch, "x", problems, SAMPLES, mark, &done, finished) != SOL_OK) return -1;
  for (int64_t i = 0; i < problems; i++) {
    int right = 1, zero = 1;
    for (int64_t s = 0; s < SAMPLES; s++) {
      right &= mark_right (&mark[i * SAMPLES + s], i, s);
      zero &= mark[i * SAMPLES + s].finish == 0;
    }
    n += right;
    if (!right && !zero) return -2;
  }
  return n == done ? n : -3;
}

static void test_join (void)
{
  sol_buffer_t want = { 0 };
  for (int64_t i = 0; i < PROBLEMS; i++) add_problem (i, &want);
  for (int ranks = 1; ranks <= 3; ranks++) {
    char *got = NULL;
    size_t bytes = 0;
    int finished;
    for (int r = 0; r < ranks; r++) put (r, PROBLEMS - 1 - r, -ranks); /* last problem first */
    put (11, 2, PROBLEMS);                                             /* and one of them twice */
    ok (there (PROBLEMS, &finished) == PROBLEMS && !finished);
    ok (sol_parts_join (scratch, "x", PROBLEMS, SAMPLES) == SOL_OK && sol_parts_remove (scratch, "x", 0) == SOL_OK);
    ok (!sol_file_exists (at ("parts")) && sol_file_read (at ("responses.x.jsonl"), 0, &got, &bytes) == SOL_OK);
    ok (bytes == want.bytes && !memcmp (got, want.data, bytes));
    ok (there (PROBLEMS, &finished) == PROBLEMS && finished);
    sol_free (got);
    quiet (1);
    ok (there (PROBLEMS - 1, &finished) == -1); /* finished, but of another number of problems */
    quiet (0);
    ok (sol_parts_remove (scratch, "x", 1) == SOL_OK && !sol_file_exists (at ("responses.x.jsonl")));
  }
  sol_buffer_free (&want);
}

/* cut anywhere, or with a byte changed anywhere: what is whole before it stays, and what is put afterwards is read */
static void test_damage (void)
{
  sol_buffer_t whole = { 0 };
  size_t end[PROBLEMS + 1] = { 0 };
  int bad = 0, cuts = 0;
  for (int64_t i = 0; i < PROBLEMS; i++) {
    add_problem (i, &whole);
    end[i + 1] = whole.bytes;
  }
  quiet (1);
  for (size_t n = 0; n < whole.bytes; n += 13, cuts++) {
    int64_t k = 0;
    while (end[k + 1] <= n) k++;
    need (sol_dir_make (at ("parts")) == SOL_OK && put_file (at ("parts/x.0.jsonl"), whole.data, n) == 0);
    bad += there (PROBLEMS, NULL) != k;
    sol_parts_t p;
    need (sol_parts_open (scratch, "x", 0, &p) == SOL_OK);
    sol_buffer_t b = { 0 };
    add_problem (PROBLEMS - 1, &b);
    bad += sol_parts_put (&p, &b) != SOL_OK || sol_parts_close (&p) != SOL_OK || there (PROBLEMS, NULL) != k + 1;
    sol_buffer_free (&b);
    char *flipped = memcpy (sol_alloc (whole.bytes), whole.data, whole.bytes);
    flipped[n] = 0;
    need (put_file (at ("parts/x.0.jsonl"), flipped, whole.bytes) == 0);
    bad += there (PROBLEMS, NULL) != k;
    sol_free (flipped);
    if (n == 0) bad += sol_parts_join (scratch, "x", PROBLEMS, SAMPLES) == SOL_OK; /* never a file with holes */
  }
  quiet (0);
  ok (bad == 0 && cuts > 100);
  ok (sol_parts_remove (scratch, "x", 1) == SOL_OK);
  sol_buffer_free (&whole);
}

static void test_full (void)
{
  sol_parts_t p = { .fd = open ("/dev/full", O_WRONLY), .path = sol_strdup ("/dev/full") };
  sol_buffer_t b = { 0 };
  add_problem (0, &b);
  quiet (1);
  ok (sol_parts_put (&p, &b) == SOL_ERR_IO);
  sol_parts_close (&p);
  ok (p.path == NULL && sol_parts_open (at ("no\n/such"), "a/b", 0, &p) != SOL_OK);
  quiet (0);
  sol_buffer_free (&b);
}

int main (void)
{
  scratch_make ();
  test_line ();
  test_join ();
  test_damage ();
  test_full ();
  scratch_remove ();
  return tap_done ();
}
