/* SPDX-License-Identifier: Apache-2.0 */
/* score.c: `solera score MODEL`: log-probs and entropies of given ids, one row out per row in. */
#include "filter.h"
#include "generate.h"
#include "setup.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <cjson/cJSON.h>

typedef struct {
  const sol_config_t *c;
  sol_setup_t setup;
  sol_backend_t *backend;
  sol_model_t *model;
  sol_pass_t *pass;
  int32_t room, *ids, *pos, *rows;
  float *lp, *entropy;
} score_t;

static void release (score_t *s)
{
  sol_pass_destroy (s->pass);
  void *all[] = { s->ids, s->pos, s->rows, s->lp, s->entropy };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) sol_free (all[i]);
  s->pass = NULL;
  s->ids = s->pos = s->rows = NULL;
  s->lp = s->entropy = NULL;
}

/* room for the longest row so far */
static sol_status_t room_for (score_t *s, int32_t n)
{
  if (n <= s->room) return SOL_OK;
  release (s);
  s->room = n + n / 2 + 16;
  size_t bytes = (size_t) s->room * 4;
  s->ids = sol_alloc (bytes);
  s->pos = sol_alloc (bytes);
  s->rows = sol_alloc (bytes);
  s->lp = sol_alloc (bytes);
  s->entropy = sol_alloc (bytes);
  return sol_pass_create (s->model, s->room, s->room, 1, 0, &s->pass);
}

/* the row's ids; why not, or NULL */
static const char *read_ids (score_t *s, const cJSON *json, int32_t *n_p)
{
  const cJSON *ids = cJSON_GetObjectItemCaseSensitive (json, "ids"), *item;
  int n = cJSON_GetArraySize (ids), i = 0;
  if (!cJSON_IsArray (ids)) return "expected an array \"ids\"";
  if (n < 1) return "expected at least one id";
  if (n > s->setup.arch.context) return "more ids than the model's context";
  if (room_for (s, n) != SOL_OK) return "too little memory for so many ids";
  cJSON_ArrayForEach (item, ids) {
    double x = cJSON_IsNumber (item) ? item->valuedouble : -1;
    if (!(x >= 0 && x < s->setup.arch.vocab) || x != (double) (int32_t) x) return "an id is not an integer of the model's vocabulary";
    s->ids[i] = (int32_t) x;
    s->pos[i] = s->rows[i] = i;
    i++;
  }
  *n_p = n;
  return NULL;
}

/* values i = 0 .. n-2 are of the distribution after ids[0..i] */
static sol_status_t score_row (void *ctx, const struct cJSON *json, sol_buffer_t *out, char *why)
{
  score_t *s = ctx;
  int32_t n = 0;
  const char *reason = read_ids (s, json, &n);
  if (reason) {
    snprintf (why, SOL_FILTER_WHY, "%s", reason);
    return SOL_ERR_FORMAT;
  }
  if (n > 1) {
    sol_span_t span = { 0, n - 1, 0, 0, 0, n - 1 };
    sol_batch_t batch = { .n_tokens = n - 1, .n_spans = 1, .n_rows = n - 1, .ids = s->ids, .pos = s->pos, .spans = &span, .rows = s->rows, .targets = s->ids + 1 };
    SOL_TRY (sol_pass_forward (s->pass, &batch, (float) s->c->temperature, s->lp, s->entropy, NULL));
  }
  sol_buffer_add (out, "{", 1);
  sol_filter_floats (out, "logprobs", s->lp, n - 1);
  sol_buffer_add (out, ",", 1);
  sol_filter_floats (out, "entropies", s->entropy, n - 1);
  sol_buffer_add (out, "}", 1);
  return SOL_OK;
}

int sol_score (const char *model_dir, const sol_config_t *config, FILE *in, FILE *out)
{
  score_t s = { .c = config };
  long bad = 0;
  sol_status_t st;
  SOL_GO (sol_setup_create (config, model_dir, 0, &s.setup));
  SOL_GO (sol_setup_model (config, &s.setup, &s.backend, &s.model));
  st = sol_filter_run (in, out, score_row, &s, &bad);
out:
  release (&s);
  sol_model_destroy (s.model);
  if (s.backend) sol_backend_destroy (s.backend);
  sol_setup_destroy (&s.setup);
  return st != SOL_OK ? (st == SOL_ERR_USAGE ? 2 : 1) : bad > 0;
}
