/* SPDX-License-Identifier: Apache-2.0 */
/* The weight table, new weights, digest, rounding, rotary angles, and inputs that a pass refuses. */
#include "../../src/model/rope.h"
#include "helpers.h"
#include "solera/hash.h"
#include <fcntl.h>
#include <math.h>
#include <unistd.h>

static void test_table (void)
{
  static const char *const qwen2[] = { "model.embed_tokens.weight",
                                       "model.layers.0.input_layernorm.weight",
                                       "model.layers.0.self_attn.q_proj.weight",
                                       "model.layers.0.self_attn.k_proj.weight",
                                       "model.layers.0.self_attn.v_proj.weight",
                                       "model.layers.0.self_attn.q_proj.bias",
                                       "model.layers.0.self_attn.k_proj.bias",
                                       "model.layers.0.self_attn.v_proj.bias",
                                       "model.layers.0.self_attn.o_proj.weight",
                                       "model.layers.0.post_attention_layernorm.weight",
                                       "model.layers.0.mlp.gate_proj.weight",
                                       "model.layers.0.mlp.up_proj.weight",
                                       "model.layers.0.mlp.down_proj.weight" };
  for (int i = 0; i < SHAPES; i++) {
    const sol_arch_t a = shape (i);
    sol_table_t *t = sol_table_create (&a);
    int64_t at = 0;
    int good = 1;
    for (int k = 0; k < t->n; k++) {
      const sol_weight_row_t *r = &t->row[k];
      good &= r->offset == at && r->rows > 0 && r->cols > 0 && r->decay == !r->vector && (!r->vector || r->rows == 1)
              && sol_table_find (t, r->name) == r;
      at += r->rows * r->cols;
    }
    tap_ok (good && at == t->elements && t->n == 2 + !a.tied + a.layers * (9 + 3 * a.qkv_bias + 2 * a.qk_norm),
            "%s: %d tensors tile the block of %lld", shape_name (i), t->n, (long long) at);
    ok (!!sol_table_find (t, "lm_head.weight") == !a.tied && sol_table_find (t, "nothing") == NULL);
    if (!strcmp (shape_name (i), "qwen2")) {
      for (int k = 0; k < 13; k++) good &= !strcmp (t->row[k].name, qwen2[k]);
      ok (good && sol_table_find (t, "model.layers.0.self_attn.k_proj.bias")->shard == SOL_SHARD_COLS
          && sol_table_find (t, "model.layers.0.self_attn.o_proj.weight")->shard == SOL_SHARD_COLS);
    }
    sol_table_destroy (t);
  }
}

static double deviation (const float *w, const sol_weight_row_t *r)
{
  double sum = 0;
  for (int64_t k = 0; k < r->rows * r->cols; k++) sum += (double) w[r->offset + k] * w[r->offset + k];
  return sqrt (sum / (double) (r->rows * r->cols));
}

static void test_init (void)
{
  const sol_arch_t a = shape (3);
  sol_table_t *t = sol_table_create (&a);
  float *w = sol_alloc ((size_t) t->elements * sizeof *w), *again = sol_alloc ((size_t) t->elements * sizeof *again);
  const sol_weight_row_t *r;
  uint64_t digest, hash[64];
  sol_table_init (t, &a, 1, w);
  sol_table_init (t, &a, 1, again);
  digest = sol_table_digest (t, w);
  ok (!memcmp (w, again, (size_t) t->elements * sizeof *w) && digest == sol_table_digest (t, again));
  for (int k = 0; k < t->n; k++) hash[k] = sol_hash (w + t->row[k].offset, (size_t) (t->row[k].rows * t->row[k].cols) * sizeof *w);
  ok (digest == sol_hash (hash, (size_t) t->n * sizeof *hash));
  again[t->elements - 1] = nextafterf (again[t->elements - 1], 9);
  ok (digest != sol_table_digest (t, again));
  sol_table_init (t, &a, 2, again);
  ok (digest != sol_table_digest (t, again));
  ok (fabs (deviation (w, sol_table_find (t, "model.embed_tokens.weight")) / 0.02 - 1) < 0.05);
  ok (fabs (deviation (w, sol_table_find (t, "model.layers.1.self_attn.q_proj.weight")) * 8 - 1) < 0.05);
  ok (fabs (deviation (w, sol_table_find (t, "model.layers.1.self_attn.o_proj.weight")) * 8 * sqrt (6) - 1) < 0.05);
  r = sol_table_find (t, "model.layers.2.post_attention_layernorm.weight");
  ok (w[r->offset] == 1 && w[r->offset + 63] == 1 && w[sol_table_find (t, "model.layers.2.self_attn.v_proj.bias")->offset] == 0);
  sol_table_destroy (t);
  sol_free (w);
  sol_free (again);
}

/* the host's rounding is the backend's, bit for bit, on every pattern of the upper half with the interesting lower halves */
static void test_round (void)
{
  static const uint16_t low[] = { 0, 1, 0x7fff, 0x8000, 0x8001, 0xffff };
  enum { N = 6 * 65536 };
  uint32_t *x = sol_alloc (N * sizeof *x);
  uint16_t *a = sol_alloc (N * sizeof *a), *b = sol_alloc (N * sizeof *b);
  sol_backend_t *be = backend_of ("cpu", 1);
  for (uint32_t i = 0; i < N; i++) x[i] = i / 6 << 16 | low[i % 6];
  sol_model_round ((const float *) (const void *) x, N, SOL_BF16, a);
  sol_backend_ops (be)->round (sol_backend_queue (be, SOL_QUEUE_COMPUTE), sol_tensor (x, SOL_F32, 1, N), sol_tensor (b, SOL_BF16, 1, N));
  int differ = 0, right = 1;
  for (uint32_t i = 0; i < N; i++) differ += a[i] != b[i];
  tap_ok (differ == 0, "rounding to bf16 is the backend's for %d patterns", N);
  right &= a[(0x3f80 * 6) + 3] == 0x3f80 && a[(0x3f81 * 6) + 3] == 0x3f82;     /* ties to even */
  right &= a[(0x7f7f * 6) + 3] == 0x7f80 && (a[(0x7f80 * 6) + 1] & 0x7f) != 0; /* over to infinity; a NaN stays one */
  ok (right);
  sol_backend_destroy (be);
  sol_free (x);
  sol_free (a);
  sol_free (b);
}

static void test_rope (void)
{
  double worst = 0, worst_f = 0;
  for (int i = 0; i < 2; i++) {
    sol_arch_t a = shape (i);
    a.context = 131072;
    a.rope_theta = i ? 500000 : 10000;
    for (int k = 0; k < a.head_size / 2; k++) {
      const double wave = 2 * M_PI * pow (a.rope_theta, 2.0 * k / a.head_size), smooth = (64 / wave - 1) / 3;
      double f = pow (a.rope_theta, -2.0 * k / a.head_size);
      if (i) f = wave < 16 ? f : wave > 64 ? f / 8 : (1 - smooth) * f / 8 + smooth * f;
      worst_f = fmax (worst_f, fabs (sol_rope_frequency (&a, k) / f - 1));
    }
    for (int32_t p = 0; p < a.context; p = p * 2 + 1) {
      float row[16];
      sol_rope_fill (&a, p, 1, row);
      for (int k = 0; k < 8; k++) {
        const double angle = p * sol_rope_frequency (&a, k);
        worst = fmax (worst, fmax (fabs (row[k] - cos (angle)), fabs (row[8 + k] - sin (angle))));
      }
    }
  }
  tap_ok (worst_f < 1e-14, "rotary frequencies, plain and llama3 (relative %.1e)", worst_f);
  tap_ok (worst < 1e-7, "cosines and sines up to position 131071 (%.1e)", worst);
}

static void test_refused (void)
{
  const sol_arch_t a = shape (6);
  float *w = random_weights (&a, 1), lp[4], entropy[4];
  sol_backend_t *b = backend_of ("cpu", 1);
  sol_model_t *m = model_of (b, &a, SOL_F32, w);
  sol_pass_t *p = NULL;
  int32_t ids[2] = { 1, 2 }, pos[2] = { 0, 1 }, rows[1] = { 1 }, target[1] = { 3 };
  sol_span_t span = { 0, 2, 0, 0, 0, 2 };
  sol_batch_t batch = { 2, 1, 1, ids, pos, &span, rows, target };
  int saved = dup (2), fd = open ("/dev/null", O_WRONLY);
  need (sol_pass_create (m, 2, 1, 1, 0, &p) == SOL_OK);
  ok (sol_pass_forward (p, &batch, 1, lp, entropy, NULL) == SOL_OK && lp[0] < 0);
  dup2 (fd, 2);
  ids[1] = 19;
  ok (sol_pass_forward (p, &batch, 1, lp, entropy, NULL) == SOL_ERR_FORMAT);
  ids[1] = -1;
  ok (sol_pass_forward (p, &batch, 1, lp, entropy, NULL) == SOL_ERR_FORMAT);
  ids[1] = 2;
  pos[1] = 256;
  ok (sol_pass_forward (p, &batch, 1, lp, entropy, NULL) == SOL_ERR_LIMIT);
  pos[1] = 1;
  target[0] = 19;
  ok (sol_pass_forward (p, &batch, 1, lp, entropy, NULL) == SOL_ERR_FORMAT);
  dup2 (saved, 2);
  close (saved);
  close (fd);
  sol_pass_destroy (p);
  sol_model_destroy (m);
  sol_backend_destroy (b);
  sol_free (w);
}

/* the optimizer over the whole block, and over runs that cut tensors anywhere */
static void test_adamw (void)
{
  const sol_arch_t a = shape (2);
  sol_backend_t *b = backend_of ("cpu", 1);
  float *w[2] = { random_weights (&a, 1), random_weights (&a, 1) }, *m[2], *v[2], *grad = random_weights (&a, 2);
  sol_model_t *model = model_of (b, &a, SOL_F32, w[0]);
  const int64_t n = sol_model_table (model)->elements;
  const size_t bytes = (size_t) n * sizeof (float);
  sol_adamw_t h = { .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .decay = 0.1, .scale = 0.7 };
  for (int i = 0; i < 2; i++) {
    m[i] = sol_alloc (bytes);
    v[i] = sol_alloc (bytes);
    for (h.step = 1; h.step <= 2; h.step++)
      for (int64_t at = 0, k; at < n; at += k) {
        k = i ? 1009 + at % 5003 : n;
        if (k > n - at) k = n - at;
        sol_adamw_step (model, h, at, k, grad + at, w[i] + at, m[i] + at, v[i] + at);
      }
  }
  tap_ok (!memcmp (w[0], w[1], bytes) && !memcmp (m[0], m[1], bytes) && !memcmp (v[0], v[1], bytes),
          "AdamW in runs of any length has the bits of one run");
  for (int i = 0; i < 2; i++) {
    sol_free (w[i]);
    sol_free (m[i]);
    sol_free (v[i]);
  }
  sol_free (grad);
  sol_model_destroy (model);
  sol_backend_destroy (b);
}

int main (void)
{
  test_adamw ();
  test_table ();
  test_init ();
  test_round ();
  test_rope ();
  test_refused ();
  return tap_done ();
}
