/* SPDX-License-Identifier: Apache-2.0 */
/* bench.c: how fast texts become ids and ids texts, on one core: bench FOLDER FILE.jsonl, rows {"text"}; by `make bench` on the golden rows of the tests, repeated. Every row is a call. */
#include "helpers.h"
#include "solera/clock.h"
#include "solera/memory.h"
#include "solera/tokenizer.h"

typedef struct { sol_buffer_t *text; sol_ids_t *ids; int n; size_t bytes; } rows_t;

static void row (void *ctx, const cJSON *json)
{
  rows_t *r = ctx;
  r->text = sol_realloc (r->text, (size_t) (r->n + 1) * sizeof *r->text);
  r->text[r->n] = (sol_buffer_t) { 0 };
  need (sol_json_text (json, "text", &r->text[r->n]));
  r->bytes += r->text[r->n++].bytes;
}

/* seconds of a pass over all rows, the best of several */
static double encode (const sol_tokenizer_t *t, rows_t *r)
{
  double best = 1e9;
  for (int k = 0; k < 10; k++) {
    const double start = sol_clock_s ();
    for (int i = 0; i < r->n; i++) {
      r->ids[i].n = 0;
      need (sol_tokenizer_encode (t, r->text[i].data ? r->text[i].data : "", r->text[i].bytes, &r->ids[i], NULL) == SOL_OK);
    }
    const double took = sol_clock_s () - start;
    if (took < best) best = took;
  }
  return best;
}

static double decode (const sol_tokenizer_t *t, rows_t *r)
{
  double best = 1e9;
  sol_buffer_t out = { 0 };
  for (int k = 0; k < 10; k++) {
    const double start = sol_clock_s ();
    for (int i = 0; i < r->n; i++) {
      sol_buffer_clear (&out);
      sol_tokenizer_decode (t, r->ids[i].data, r->ids[i].n, 1, &out);
    }
    const double took = sol_clock_s () - start;
    if (took < best) best = took;
  }
  sol_buffer_free (&out);
  return best;
}

int main (int argc, char **argv)
{
  sol_tokenizer_t *t;
  rows_t r = { 0 };
  if (argc != 3 || sol_tokenizer_load (argv[1], &t) != SOL_OK) return 1;
  each_row (argv[2], row, &r);
  r.ids = sol_alloc ((size_t) r.n * sizeof *r.ids);
  const double there = encode (t, &r), back = decode (t, &r);
  long n = 0;
  for (int i = 0; i < r.n; i++) n += r.ids[i].n;
  printf ("%-40s %8zu bytes %8ld ids: encode %6.1f MB/s, %6.2f M ids/s; decode %6.2f M ids/s\n", argv[1], r.bytes, n, (double) r.bytes / there * 1e-6, (double) n / there * 1e-6, (double) n / back * 1e-6);
  for (int i = 0; i < r.n; i++) {
    sol_buffer_free (&r.text[i]);
    sol_ids_free (&r.ids[i]);
  }
  sol_free (r.text);
  sol_free (r.ids);
  sol_tokenizer_destroy (t);
  return 0;
}
