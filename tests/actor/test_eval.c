/* ranks: 1 2 3 */
/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluation: results depend on neither places nor ranks; ends, stop strings and truncation; a prompt is prefilled once for its responses. */
#include "../tap_mpi.h"
#include "rig.h"

enum { PROMPTS = 23, SAMPLES = 3 };

typedef struct {
  const rig_t *rig;
  const char *stop;
  int64_t digest, rows; /* sums over prompts: of what was generated; of rows, if each prompt goes through the layers once */
  int64_t finish[4];    /* responses by sol_finish_t */
  int wrong;            /* responses whose end is not what their mark says */
} seen_t;

static int text_has (const rig_t *r, const int32_t *ids, int32_t n, const char *stop)
{
  sol_buffer_t text = { 0 };
  sol_tokenizer_decode (r->tokenizer, ids, n, 0, &text);
  const int has = text.bytes >= strlen (stop) && memmem (text.data, text.bytes, stop, strlen (stop)) != NULL;
  sol_buffer_free (&text);
  return has;
}

/* an end-of-sequence token stands last or nowhere; a stop string is there with the last token and not before; length: neither, and the response is as long as it may be */
static int end_is_right (const seen_t *e, const int32_t *ids, int32_t n, int finish)
{
  const rig_t *r = e->rig;
  int eos = 0, stop = 0, early = 0;
  for (int32_t t = 0; t < n; t++) {
    const int is_eos = r->tokenizer ? sol_tokenizer_is_eos (r->tokenizer, ids[t]) : ids[t] == SOL_CHAIN_EOS;
    if (is_eos && t < n - 1) early = 1;
    eos |= is_eos;
  }
  if (e->stop) {
    stop = text_has (r, ids, n, e->stop);
    early |= n > 1 && text_has (r, ids, n - 1, e->stop);
  }
  if (early) return 0;
  return finish == SOL_FINISH_EOS ? eos : finish == SOL_FINISH_STOP ? stop && !eos : finish == SOL_FINISH_LENGTH && n == r->c->max_new && !eos && !stop;
}

static sol_status_t look (void *ctx, const sol_prompt_t *prompt, const sol_group_out_t *o, const sol_grade_t *grades)
{
  seen_t *e = ctx;
  uint64_t h = sol_hash (&prompt->index, sizeof prompt->index) ^ sol_hash (o->prompt, (size_t) o->n_prompt * 4);
  e->rows += o->n_prompt;
  for (int32_t s = 0; s < o->n_samples; s++) {
    const int64_t at = (int64_t) s * o->stride;
    const size_t n = (size_t) o->len[s] * 4;
    h = h * 31 + sol_hash (o->ids + at, n);
    h = h * 31 + sol_hash (o->lp + at, n);
    h = h * 31 + sol_hash (o->raw_lp + at, n);
    h = h * 31 + sol_hash (o->entropy + at, n);
    h = h * 31 + o->finish[s] + 8 * (uint64_t) grades[s].correct;
    e->rows += o->len[s] - 1; /* the last token is never fed */
    e->finish[o->finish[s] & 3]++;
    e->wrong += !end_is_right (e, o->ids + at, o->len[s], o->finish[s]);
  }
  e->digest += (int64_t) (h >> 8); /* a sum: prompts come in any order, on any rank */
  return SOL_OK;
}

static sol_status_t evaluate (rig_t *r, sol_comm_t *comm, int32_t slots, const char *stop, sol_eval_t *e, seen_t *seen)
{
  sol_eval_params_t p = { .model = r->model, .task = r->task, .config = r->c, .comm = comm, .split = SOL_SPLIT_ALL, .prompts = PROMPTS, .samples = SAMPLES, .each = look, .ctx = seen };
  *seen = (seen_t){ .rig = r, .stop = stop };
  r->c->slots = slots;
  rows_embedded = 0;
  SOL_TRY (sol_eval_run (&p, e));
  ok (rows_embedded == seen->rows);
  ok (seen->wrong == 0);
  SOL_TRY (sol_comm_sum_i64 (comm, &seen->digest, 6));
  e->seconds = 0;
  return SOL_OK;
}

static void test_same (rig_t *r, const char *stop, seen_t *want)
{
  sol_eval_t a, b;
  ok (evaluate (r, sol_comm_self (), 5, stop, &a, want) == SOL_OK);
  ok (a.prompts == PROMPTS && a.responses == PROMPTS * SAMPLES && a.truncated == want->finish[SOL_FINISH_LENGTH] && a.tokens > a.responses);
  ok (want->finish[0] == 0 && want->finish[SOL_FINISH_EOS] + want->finish[SOL_FINISH_STOP] + want->finish[SOL_FINISH_LENGTH] == a.responses);
  for (size_t i = 0; i < sizeof slot_counts / sizeof *slot_counts; i++) {
    seen_t seen;
    ok (evaluate (r, sol_comm_world (), slot_counts[i], stop, &b, &seen) == SOL_OK);
    ok (!memcmp (&a, &b, sizeof a));
    ok (seen.digest == want->digest && !memcmp (seen.finish, want->finish, sizeof seen.finish));
  }
}

static const char sizes[] = "roles: solo\nseed: 9\nmodel: {layers: 2, width: 32, heads: 2, kv_heads: 1, mlp: 48}\n";

static void test_chain (void)
{
  rig_t r;
  seen_t seen, other;
  sol_eval_t e;
  char yaml[512];
  snprintf (yaml, sizeof yaml, "%stask: {name: chain, steps: 2}\nrollout: {max_prompt: 16, max_tokens: 14}\n", sizes);
  rig_make (&r, yaml, NULL);
  test_same (&r, NULL, &seen);
  ok (seen.finish[SOL_FINISH_EOS] > 0 && seen.finish[SOL_FINISH_LENGTH] > 0); /* both ends are seen */
  r.c->temperature = 0.6;
  test_same (&r, NULL, &other);
  ok (other.digest != seen.digest);
  r.c->temperature = 1;
  r.c->seed++; /* of randomness, and here of the prompts too */
  ok (evaluate (&r, sol_comm_self (), 5, NULL, &e, &other) == SOL_OK && other.digest != seen.digest);
  r.c->seed--;
  r.c->max_new = 2; /* what is cut short is marked, whoever counts */
  ok (evaluate (&r, sol_comm_world (), 7, NULL, &e, &other) == SOL_OK && e.truncated == other.finish[SOL_FINISH_LENGTH] && e.truncated > PROMPTS);
  r.c->max_new = 14;
  r.c->max_prompt = 3; /* no room for any prompt: an error on all ranks */
  ok (evaluate (&r, sol_comm_world (), 7, NULL, &e, &other) == SOL_ERR_LIMIT);
  rig_free (&r);
}

static void test_stop (void)
{
  rig_t r;
  seen_t seen;
  char yaml[640], folder[512];
  const char *top = getenv ("top_srcdir");
  snprintf (folder, sizeof folder, "%s/tests/data/tiny_tokenizer", top ? top : ".");
  snprintf (yaml, sizeof yaml, "%stask: {name: sums, stop: ['a']}\nrollout: {max_prompt: 100, max_tokens: 24}\n", sizes);
  rig_make (&r, yaml, folder);
  test_same (&r, "a", &seen);
  ok (seen.finish[SOL_FINISH_STOP] > 5 && seen.finish[SOL_FINISH_LENGTH] > 5); /* some end there, some do not */
  rig_free (&r);
}

int main (int argc, char **argv)
{
  tap_init (&argc, &argv);
  ok (sol_comm_start (&argc, &argv) == SOL_OK);
  sol_log_level ((sol_log_level_t) (SOL_LOG_ERROR + 1));
  test_chain ();
  test_stop ();
  return tap_done ();
}
