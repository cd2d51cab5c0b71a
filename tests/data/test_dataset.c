/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/dataset.h"
#include "../text/helpers.h"
#include "solera/random.h"

static char *path;

static sol_dataset_t *open_text (const char *text)
{
  sol_dataset_t *d = NULL;
  need (sol_file_write (path, text, strlen (text)) == SOL_OK);
  return sol_dataset_open (path, &d) == SOL_OK ? d : NULL;
}

/* refused, with a message that has the words */
static int refuses (const char *text, const char *words)
{
  char *log = scratch_path ("log"), *said;
  size_t bytes;
  remove (log);
  sol_log_file (log);
  sol_dataset_t *d = open_text (text);
  sol_log_file (NULL);
  int good = !d && sol_file_read (log, 0, &said, &bytes) == SOL_OK;
  if (good) {
    good = strstr (said, words) != NULL;
    if (!good) printf ("# said: %s", said);
    sol_free (said);
  }
  sol_dataset_close (d);
  sol_free (log);
  return good;
}

static void test_rows (void)
{
  sol_dataset_t *d = open_text ("{\"problem\":\"p\",\"answer\":\"1\",\"x\":[]}\r\n\n{\"id\":\"q\",\"problem\":\"r\\n\",\"answer\":\"2\"}\n{\"id\":7,\"answer\":\"3\",\"problem\":\"\xc3\xa9\"}");
  need (d != NULL);
  ok (sol_dataset_size (d) == 3);
  ok (!strcmp (sol_dataset_row (d, 0)->id, "1") && sol_dataset_row (d, 0)->line == 1 && !strcmp (sol_dataset_row (d, 0)->problem, "p"));
  ok (!strcmp (sol_dataset_row (d, 1)->id, "q") && sol_dataset_row (d, 1)->line == 3 && !strcmp (sol_dataset_row (d, 1)->problem, "r\n"));
  ok (!strcmp (sol_dataset_row (d, 2)->id, "7") && !strcmp (sol_dataset_row (d, 2)->answer, "3"));
  sol_dataset_close (d);
}

static void test_bad (void)
{
#define GOOD "{\"problem\":\"p\",\"answer\":\"1\"}\n"
  ok (refuses ("", "no problem") && refuses ("\n\n", "no problem"));
  ok (refuses (GOOD "{\"problem\":\"p\"", ":2: not JSON") && refuses (GOOD GOOD "x\n", ":3: not JSON"));
  ok (refuses (GOOD "[]\n", ":2: expected an object") && refuses ("5\n", ":1: expected an object"));
  ok (refuses (GOOD "{\"problem\":\"p\"}\n", ":2: expected a string \"answer\"") && refuses ("{\"problem\":\"p\",\"answer\":3}", "\"answer\"") && refuses ("{\"problem\":\"\",\"answer\":\"3\"}", "\"problem\""));
  ok (refuses ("{\"problem\":\"a\\u0000b\",\"answer\":\"3\"}", "U+0000") && refuses ("{\"problem\":\"\xff\",\"answer\":\"3\"}", "UTF-8"));
  ok (refuses (GOOD "{\"id\":\"1\",\"problem\":\"p\",\"answer\":\"1\"}\n", ":2: id \"1\" is already the id of line 1") && refuses ("{\"id\":[],\"problem\":\"p\",\"answer\":\"1\"}\n", "\"id\""));
  sol_dataset_t *d = NULL;
  ok (!open_text ("{\"problem\":\"a\xff\xe2\x82z\",\"answer\":\"3\"}") && sol_dataset_open_lossy (path, &d) == SOL_OK && !strcmp (sol_dataset_row (d, 0)->problem, "a\xef\xbf\xbd\xef\xbf\xbdz"));
  sol_dataset_close (d);
  ok (sol_dataset_open ("/nonexistent/x.jsonl", &d) == SOL_ERR_IO);
}

static int try_open (void *ctx)
{
  sol_dataset_t *d = NULL;
  if (sol_dataset_open (ctx, &d) != SOL_OK) return 0;
  sol_dataset_close (d);
  return 1;
}

static void test_damage (void)
{
  char *whole = scratch_path ("whole.jsonl");
  int flips;
  sol_buffer_t b = { 0 };
  for (int i = 0; i < 20; i++) sol_buffer_printf (&b, "{\"id\":\"row%d\",\"problem\":\"What is \\\"%d\\\" + 1? \xe2\x82\xac\",\"answer\":\"%d\"}\n", i, i, i + 1);
  need (sol_file_write (whole, b.data, b.bytes) == SOL_OK);
  int cut = damage (whole, path, 1, try_open, path, &flips);
  tap_ok (cut == 2 * 19 + 1, "a cut file is accepted only at the ends of lines (%d times)", cut); /* before and behind each line end, the last one's front */
  tap_ok (flips < (int) b.bytes, "%d of %zu flipped bits are inside texts", flips, b.bytes);
  sol_buffer_free (&b);
  sol_free (whole);
}

static void test_permute (void)
{
  int bad = 0;
  double moved = 0;
  static const uint64_t sizes[] = { 1, 2, 3, 4, 5, 16, 17, 100, 1000, 4097 };
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
    for (uint64_t epoch = 0; epoch < 3; epoch++) {
      const uint64_t n = sizes[s];
      uint8_t *seen = sol_alloc (n);
      for (uint64_t i = 0; i < n; i++) {
        const uint64_t j = sol_permute (9, epoch, n, i);
        bad += j >= n || seen[j]++;
      }
      sol_free (seen);
    }
  tap_ok (!bad, "every number once, at ten sizes and three epochs (%d wrong)", bad);
  for (uint64_t i = 0; i < 1000; i++) moved += (double) ((sol_permute (9, 0, 1000, i) - i) * (sol_permute (9, 0, 1000, i) - i));
  moved /= 1000 * 1e6 / 6; /* mean square distance of two uniform numbers below n is n^2 / 6 */
  tap_ok (moved > 0.85 && moved < 1.15, "order is as random as it should be: %.3f", moved);
  int same = 0;
  for (uint64_t i = 0; i < 1000; i++) same += (sol_permute (9, 0, 1000, i) == sol_permute (9, 1, 1000, i)) + (sol_permute (9, 0, 1000, i) == sol_permute (10, 0, 1000, i));
  tap_ok (same < 20, "other epochs and seeds have other orders (%d places alike)", same);
  /* all six orders of three occur about equally often */
  int count[27] = { 0 }, least = 1000, most = 0;
  for (uint64_t e = 0; e < 3000; e++) count[sol_permute (1, e, 3, 0) * 9 + sol_permute (1, e, 3, 1) * 3 + sol_permute (1, e, 3, 2)]++;
  for (int k = 0; k < 27; k++)
    if (count[k]) {
      if (count[k] < least) least = count[k];
      if (count[k] > most) most = count[k];
    }
  tap_ok (least > 400 && most < 600, "orders of three occur %d to %d times in 3000", least, most);
  ok (sol_permute (3, 0, UINT64_C (1) << 40, 12345) < UINT64_C (1) << 40);
}

int main (void)
{
  path = scratch_path ("a.jsonl");
  freopen ("/dev/null", "w", stderr);
  test_rows ();
  test_bad ();
  test_damage ();
  test_permute ();
  sol_free (path);
  return tap_done ();
}
