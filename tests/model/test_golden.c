/* SPDX-License-Identifier: Apache-2.0 */
/* Six small models saved by transformers against float64 values: logits, log-probs, entropies, greedy continuation, loss, gradients, three
 * AdamW steps. */
#include "helpers.h"
#include "solera/file.h"
#include "solera/safetensors.h"
#include <cjson/cJSON.h>
#include <math.h>

typedef struct {
  sol_arch_t arch;
  sol_table_t *table;
  float *w;
  sol_backend_t *backend;
  sol_model_t *model;
  cJSON *golden;
  char *text;
  sol_pass_t *pass;
} golden_t;

static const char *name;
static pack_t pack;

static void open_golden (golden_t *g)
{
  char dir[512], path[600];
  size_t bytes;
  const char *src = getenv ("top_srcdir");
  snprintf (dir, sizeof dir, "%.300s/tests/data/tiny_models/%.60s", src ? src : "..", name);
  snprintf (path, sizeof path, "%s/golden.json", dir);
  need (sol_arch_load (dir, &g->arch) == SOL_OK);
  g->table = sol_table_create (&g->arch);
  g->w = sol_alloc ((size_t) g->table->elements * sizeof *g->w);
  need (sol_safetensors_load (dir, g->table, g->arch.tied, g->w) == SOL_OK);
  need (sol_file_read (path, 0, &g->text, &bytes) == SOL_OK);
  g->golden = cJSON_Parse (g->text);
  need (g->golden);
  g->backend = backend_of ("cpu", 2);
  /* in float32, the stored values exactly: AdamW's later weights are not rounded back to bf16 */
  g->model = model_of (g->backend, &g->arch, SOL_F32, g->w);
  need (sol_pass_create (g->model, 64, 64, 8, 1, &g->pass) == SOL_OK);
}

static void close_golden (golden_t *g)
{
  sol_pass_destroy (g->pass);
  sol_model_destroy (g->model);
  sol_backend_destroy (g->backend);
  cJSON_Delete (g->golden);
  sol_free (g->text);
  sol_free (g->w);
  sol_table_destroy (g->table);
}

static double number (const cJSON *list, int i) { return cJSON_GetArrayItem (list, i)->valuedouble; }
static const cJSON *item (const cJSON *o, const char *key)
{
  const cJSON *v = cJSON_GetObjectItemCaseSensitive (o, key);
  need (v);
  return v;
}
static void worse (double *worst, double diff)
{
  if (!(fabs (diff) <= *worst)) *worst = fabs (diff);
}

static int32_t sequence (const cJSON *s, int32_t *ids)
{
  const cJSON *list = item (s, "ids");
  const int32_t n = cJSON_GetArraySize (list);
  need (n > 0 && n <= 40);
  for (int32_t i = 0; i < n; i++) ids[i] = (int32_t) number (list, i);
  return n;
}

/* every position has a head row; the last one's target does not matter */
static void check_forward (golden_t *g, const cJSON *s)
{
  int32_t ids[40], n = sequence (s, ids);
  float lp[40], entropy[40], *logits = sol_alloc ((size_t) g->arch.vocab * sizeof *logits);
  double d_lp = 0, d_entropy = 0, d_logits = 0;
  pack_clear (&pack);
  pack_run (&pack, ids, n, 0, 0, 0);
  for (int32_t i = 0; i < n; i++) {
    pack.rows[i] = i;
    pack.targets[i] = i + 1 < n ? ids[i + 1] : 0;
  }
  pack.b.n_rows = n;
  need (sol_pass_forward (g->pass, &pack.b, 1, lp, entropy, NULL) == SOL_OK && sol_pass_logits (g->pass, n - 1, logits) == SOL_OK);
  for (int32_t i = 0; i + 1 < n; i++) worse (&d_lp, lp[i] - number (item (s, "logprobs"), i));
  for (int32_t i = 0; i < n; i++) worse (&d_entropy, entropy[i] - number (item (s, "entropies"), i));
  for (int32_t v = 0; v < g->arch.vocab; v++) worse (&d_logits, logits[v] - number (item (s, "logits_last"), v));
  tap_ok (d_lp < 1e-4 && d_entropy < 1e-4 && d_logits < 1e-4, "%s, %d tokens: differences of log-probs %.1e, entropies %.1e, logits %.1e",
          name, n, d_lp, d_entropy, d_logits);
  sol_free (logits);
}

static void check_greedy (golden_t *g)
{
  sol_decoder_params_t p
      = { .slots = 2, .max_prompt = 40, .max_new = 20, .temperature = 1, .top_p = 1, .greedy = 1, .purpose = SOL_RANDOM_SAMPLE };
  sol_decoder_t *d = NULL;
  sol_group_out_t o;
  const cJSON *all = item (g->golden, "sequences");
  const int n = cJSON_GetArraySize (all);
  int good = 1, got = 0;
  need (sol_decoder_create (g->model, &p, &d) == SOL_OK);
  for (int i = 0; i < n; i++) {
    int32_t ids[40], len = sequence (cJSON_GetArrayItem (all, i), ids);
    need (sol_decoder_put (d, (uint64_t) i, (uint64_t) i, ids, len, 1, 20) == SOL_OK);
  }
  while (sol_decoder_step (d) == SOL_OK)
    while (sol_decoder_take (d, &o) == SOL_OK) {
      const cJSON *want = item (cJSON_GetArrayItem (all, (int) o.tag), "greedy");
      good &= o.len[0] == 20 && cJSON_GetArraySize (want) == 20;
      for (int t = 0; t < 20; t++) good &= o.ids[t] == (int32_t) number (want, t);
      got++;
    }
  tap_ok (good && got == n, "%s: greedy continuations of %d prompts", name, got);
  sol_decoder_destroy (d);
}

/* mean negative log-likelihood of all predicted tokens and its gradient (accumulated sequence by sequence) */
static double loss_and_gradient (golden_t *g, float *grad)
{
  const cJSON *s;
  const double n_predicted = item (g->golden, "n_predicted")->valuedouble;
  double loss = 0;
  memset (grad, 0, (size_t) sol_grad_elements (g->model) * sizeof *grad);
  cJSON_ArrayForEach (s, item (g->golden, "sequences")) {
    int32_t ids[40], n = sequence (s, ids);
    float lp[40], entropy[40], c[40];
    pack_clear (&pack);
    pack_run (&pack, ids, n, 0, 0, 0);
    for (int32_t i = 0; i + 1 < n; i++) {
      pack.rows[i] = i;
      pack.targets[i] = ids[i + 1];
      c[i] = (float) (-1 / n_predicted);
    }
    pack.b.n_rows = n - 1;
    need (sol_pass_forward (g->pass, &pack.b, 1, lp, entropy, NULL) == SOL_OK
          && sol_pass_backward (g->pass, &pack.b, c, NULL, grad, NULL, NULL) == SOL_OK);
    for (int32_t i = 0; i + 1 < n; i++) loss -= lp[i] / n_predicted;
  }
  sol_grad_fold (g->model, grad);
  return loss;
}

static double l2 (const float *x, int64_t n)
{
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += (double) x[i] * x[i];
  return sqrt (sum);
}

/* largest relative difference of l2 and absolute of first8 over all tensors of a golden table */
static void check_tensors (const golden_t *g, const cJSON *want, const float *x, double *d_l2, double *d_first)
{
  int n = 0;
  *d_l2 = *d_first = 0;
  for (int i = 0; i < g->table->n; i++, n++) {
    const sol_weight_row_t *r = &g->table->row[i];
    const cJSON *t = item (want, r->name), *first = item (t, "first8");
    const double norm = item (t, "l2")->valuedouble;
    worse (d_l2, (l2 (x + r->offset, r->rows * r->cols) - norm) / (norm > 0 ? norm : 1));
    for (int k = 0; k < cJSON_GetArraySize (first); k++) worse (d_first, x[r->offset + k] - number (first, k));
  }
  need (n == cJSON_GetArraySize (want)); /* no tensor more, none less */
}

static void check_training (golden_t *g)
{
  const cJSON *rule = item (g->golden, "adamw"), *step;
  const int64_t n = g->table->elements;
  const size_t bytes = (size_t) n * sizeof (float);
  float *grad = sol_alloc ((size_t) sol_grad_elements (g->model) * sizeof *grad), *m = sol_alloc (bytes), *v = sol_alloc (bytes);
  sol_adamw_t h = { .lr = item (rule, "lr")->valuedouble,
                    .beta1 = item (rule, "beta1")->valuedouble,
                    .beta2 = item (rule, "beta2")->valuedouble,
                    .eps = item (rule, "eps")->valuedouble,
                    .decay = item (rule, "weight_decay")->valuedouble };
  double a, b;
  cJSON_ArrayForEach (step, item (rule, "steps")) {
    const double loss = loss_and_gradient (g, grad), norm = l2 (grad, n), want = item (step, "gradient_norm_before_clip")->valuedouble;
    if (h.step == 0) {
      check_tensors (g, item (g->golden, "gradient"), grad, &a, &b);
      tap_ok (fabs (loss - item (g->golden, "loss")->valuedouble) < 1e-5 && a < 1e-4 && b < 1e-4,
              "%s: loss %.6f; differences of gradients: l2 %.1e, first values %.1e", name, loss, a, b);
    }
    h.step++;
    h.scale = fmin (1, 1 / (norm + 1e-6));
    sol_adamw_step (g->model, h, 0, n / 3, grad, g->w, m, v); /* in two runs that cut a tensor, as two learners would */
    sol_adamw_step (g->model, h, n / 3, n - n / 3, grad + n / 3, g->w + n / 3, m + n / 3, v + n / 3);
    need (sol_model_set (g->model, g->w) == SOL_OK);
    tap_ok (fabs (loss - item (step, "loss_before")->valuedouble) < 1e-5 && fabs (norm - want) < 1e-4 * want,
            "%s: step %d: loss and gradient norm", name, (int) h.step);
    if (!cJSON_GetObjectItem (step, "weights")) continue;
    check_tensors (g, item (step, "weights"), g->w, &a, &b);
    tap_ok (a < 1e-5 && b < 1e-4, "%s: weights after step %d: l2 %.1e, first values %.1e", name, (int) h.step, a, b);
  }
  need (h.step == 3);
  sol_free (grad);
  sol_free (m);
  sol_free (v);
}

int main (void)
{
  static const char *const all[] = { "llama-gqa", "llama3-rope", "qwen2", "qwen2.5", "qwen3", "smollm" };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    golden_t g = { 0 };
    const cJSON *s;
    name = all[i];
    open_golden (&g);
    cJSON_ArrayForEach (s, item (g.golden, "sequences")) check_forward (&g, s);
    check_greedy (&g);
    check_training (&g);
    close_golden (&g);
  }
  return tap_done ();
}
