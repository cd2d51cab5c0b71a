/* ranks: 1 2 3 8 */
/* SPDX-License-Identifier: Apache-2.0 */
/* Every objective on every reference batch: the whole batch on one rank against the reference, then spread over the ranks and stored otherwise: the same bytes. */
#include "golden.h"
#include "../tap_mpi.h"
#include <math.h>

static int spread; /* which way of spreading */
static int owner (int64_t seq)
{
  if (spread == 0) return (int) ((uint64_t) seq % (uint64_t) tap_size);
  if (spread == 1) return tap_size - 1; /* the others have none */
  return (int) (((uint64_t) seq * 0x9e3779b97f4a7c15ull >> 40) % (uint64_t) tap_size);
}

static int wrong (const char *what, double got, double want)
{
  fprintf (stderr, "  %s: got %.17g, want %.17g\n", what, got, want);
  return 1;
}
static int near (double got, double want, double of) { return got == want || fabs (got - want) <= 1e-10 * of + 1e-300; }

/* -> number of differences from the reference */
static int compare (const cJSON *want, int n, const double *c, const uint8_t *verdict, const sol_verdicts_t *v, double terms)
{
  const cJSON *item;
  int bad = 0, i = 0;
  cJSON_ArrayForEach (item, cJSON_GetObjectItem (want, "c"))
  {
    if (!near (c[i], item->valuedouble, fabs (item->valuedouble)) || (c[i] == 0 && signbit (c[i]))) bad += wrong ("c", c[i], item->valuedouble);
    i++;
  }
  bad += i != n;
  i = 0;
  cJSON_ArrayForEach (item, cJSON_GetObjectItem (want, "verdict"))
  {
    if (verdict[i] != (uint8_t) item->valuedouble) bad += wrong ("verdict", verdict[i], item->valuedouble);
    i++;
  }
  bad += i != n;
  cJSON_ArrayForEach (item, want)
  {
    const struct { const char *name; double got; } exact[] = { { "n_high", (double) v->n_high }, { "n_low", (double) v->n_low }, { "n_masked", (double) v->n_masked }, { "n_T", (double) v->n_T },
      { "n_kept", (double) v->n_kept }, { "m2_before", v->m2_before }, { "m2_after", v->m2_after }, { "cut", v->cut }, { "band", v->band }, { "tie_kept", (double) v->tie_kept } };
    const double expected = cJSON_IsNull (item) ? NAN : item->valuedouble;
    if (!strcmp (item->string, "c") || !strcmp (item->string, "verdict")) continue;
    if (!strcmp (item->string, "loss")) {
      if (!near (v->loss, expected, terms)) bad += wrong ("loss", v->loss, expected);
      continue;
    }
    for (i = 0; i < 10; i++) {
      if (strcmp (exact[i].name, item->string) != 0) continue;
      if (isnan (expected) ? !isnan (exact[i].got) : exact[i].got != expected) bad += wrong (exact[i].name, exact[i].got, expected);
      break;
    }
    if (i == 10) bad += wrong (item->string, 0, 0); /* a name that nobody checks */
  }
  return bad;
}

/* the batch spread over the ranks: what this rank gets equals the whole's in every byte */
static int spread_same (sol_objective_t *o, const batch_t *b, const double *c, const uint8_t *verdict, const sol_verdicts_t *whole)
{
  int *from = sol_alloc ((size_t) (b->n + 1) * sizeof *from), good = 1;
  double *c2 = sol_alloc ((size_t) (b->n + 1) * sizeof *c2);
  uint8_t *verdict2 = sol_alloc ((size_t) b->n + 1);
  for (spread = 0; spread < 3; spread++) {
    batch_t p = part_of (b, tap_rank, owner, spread != 2, from);
    sol_tokens_t t = tokens_of (&p);
    sol_verdicts_t v;
    memset (&v, 0x55, sizeof v);
    good &= sol_objective_solve (o, sol_comm_world (), &t, c2, verdict2, &v, NULL) == SOL_OK;
    for (int i = 0; i < p.n; i++) good &= !memcmp (&c2[i], &c[from[i]], sizeof *c) && verdict2[i] == verdict[from[i]];
    good &= !memcmp (&v, whole, sizeof v);
    batch_free (&p);
  }
  sol_free (from);
  sol_free (c2);
  sol_free (verdict2);
  return good;
}

static int one (const char *name, const cJSON *row, const cJSON *want, int *same_p)
{
  batch_t b = batch_of (row), stored;
  int *from = sol_alloc ((size_t) (b.n + 1) * sizeof *from), bad = 1, zero = spread;
  double *c = sol_alloc ((size_t) (b.n + 1) * sizeof *c), *by_row = sol_alloc ((size_t) (b.n + 1) * sizeof *c), terms = 0;
  uint8_t *verdict = sol_alloc ((size_t) b.n + 1), *v_by_row = sol_alloc ((size_t) b.n + 1);
  sol_objective_t *o = objective_of (name, row);
  sol_verdicts_t v;
  spread = tap_size == 1 ? 0 : 1;
  stored = part_of (&b, tap_size - 1, owner, 0, from); /* all, tokens of a sequence adjacent */
  spread = zero;
  const sol_tokens_t t = tokens_of (&stored);
  if (o && sol_objective_solve (o, sol_comm_self (), &t, c, verdict, &v, NULL) == SOL_OK) {
    for (int i = 0; i < b.n; i++) {
      by_row[from[i]] = c[i];
      v_by_row[from[i]] = verdict[i];
      terms += fabs (c[i]) * (1 + fabs ((double) stored.lp[i] + (double) stored.d[i])); /* of the size of the sum of |terms| */
    }
    bad = compare (want, b.n, by_row, v_by_row, &v, fmax (terms, fabs (v.loss)));
    *same_p &= spread_same (o, &b, by_row, v_by_row, &v);
  }
  sol_objective_destroy (o);
  batch_free (&b);
  batch_free (&stored);
  sol_free (from), sol_free (c), sol_free (by_row), sol_free (verdict), sol_free (v_by_row);
  return bad;
}

/* an objective that looks at whole sequences refuses this batch, everywhere, and names where */
static int refuses (const char *name, const cJSON *row)
{
  batch_t b = batch_of (row), p;
  int *from = sol_alloc ((size_t) (b.n + 1) * sizeof *from), good;
  double *c = sol_alloc ((size_t) (b.n + 1) * sizeof *c);
  uint8_t *verdict = sol_alloc ((size_t) b.n + 1);
  sol_objective_t *o = objective_of (name, row);
  sol_verdicts_t v;
  sol_refusal_t r = { 0 };
  p = part_of (&b, tap_rank, owner, 1, from);
  const sol_tokens_t t = tokens_of (&p);
  good = o && sol_objective_solve (o, sol_comm_world (), &t, c, verdict, &v, &r) == SOL_ERR_USAGE && r.why && strstr (r.why, "constant") != NULL;
  sol_objective_destroy (o);
  batch_free (&b), batch_free (&p);
  sol_free (from), sol_free (c), sol_free (verdict);
  return good;
}

int main (int argc, char **argv)
{
  size_t bytes;
  char *text, *line, *save = NULL;
  int rows = 0, results = 0;
  tap_init (&argc, &argv);
  ok (sol_comm_start (&argc, &argv) == SOL_OK);
  text = data_file ("golden.jsonl", &bytes);
  for (line = text ? strtok_r (text, "\n", &save) : NULL; line; line = strtok_r (NULL, "\n", &save), rows++) {
    cJSON *row = cJSON_Parse (line);
    const cJSON *want;
    int bad = 0, same = 1, refused = 1;
    char what[128];
    cJSON_ArrayForEach (want, cJSON_GetObjectItem (row, "expect"))
    {
      const int n = one (want->string, row, want, &same);
      if (n) fprintf (stderr, "%s: %s: %d differences\n", cJSON_GetObjectItem (row, "id")->valuestring, want->string, n);
      bad += n;
      results++;
    }
    cJSON_ArrayForEach (want, cJSON_GetObjectItem (row, "refused")) refused &= refuses (want->valuestring, row);
    snprintf (what, sizeof what, "%s: as the reference", cJSON_GetObjectItem (row, "id")->valuestring);
    tap_ok (bad == 0, what);
    snprintf (what, sizeof what, "%s: the same bytes however it is spread and stored", cJSON_GetObjectItem (row, "id")->valuestring);
    tap_ok (same, what);
    snprintf (what, sizeof what, "%s: refused where it must be", cJSON_GetObjectItem (row, "id")->valuestring);
    tap_ok (refused, what);
    cJSON_Delete (row);
  }
  sol_free (text);
  ok (rows == 30);
  ok (results == 30 * 19 - 5);
  sol_comm_end ();
  return tap_done ();
}
