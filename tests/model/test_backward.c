/* SPDX-License-Identifier: Apache-2.0 */
/* The whole model's gradient against finite differences, with shared prompts, temperature and both coefficients; and its bits for other
 * packings, threads and kernels. */
#include "helpers.h"
#include <math.h>

enum { GROUPS = 3 };
static kept_t group[GROUPS];
static pack_t pack;
static float c_lp[PACK_ROWS], c_entropy[PACK_ROWS], lp[PACK_ROWS], entropy[PACK_ROWS];

/* coefficients of response s, token t of group g: fixed, some 0 */
static void coefficients (int g, int32_t first, int32_t n, int32_t at)
{
  for (int32_t s = first; s < first + n; s++)
    for (int32_t t = 0; t < group[g].len[s]; t++, at++) {
      const uint64_t key = (uint64_t) (g * 100 + s);
      c_lp[at]
          = (float) (below (key + 5000, (uint32_t) t, 5) ? sol_random_normal (sol_random (7, key, SOL_RANDOM_TEST, 2, (uint32_t) t)) : 0);
      c_entropy[at] = c_lp[at] == 0 ? 0 : (float) (0.3 * sol_random_normal (sol_random (7, key, SOL_RANDOM_TEST, 3, (uint32_t) t)));
    }
}

static void pack_all (void)
{
  pack_clear (&pack);
  for (int g = 0; g < GROUPS; g++) {
    coefficients (g, 0, group[g].n_samples, pack.b.n_rows);
    pack_group (&pack, &group[g], 0, group[g].n_samples);
  }
}

static void make_groups (const sol_arch_t *a)
{
  group[0] = random_group (a, 1, 7, 5, 9);
  group[1] = random_group (a, 2, 1, 3, 12);
  group[2] = random_group (a, 3, 19, 4, 5);
}

static double loss_of (sol_pass_t *p, float temperature)
{
  double sum = 0;
  need (sol_pass_forward (p, &pack.b, temperature, lp, entropy, NULL) == SOL_OK);
  for (int32_t i = 0; i < pack.b.n_rows; i++) sum += (double) c_lp[i] * lp[i] + (double) c_entropy[i] * entropy[i];
  return sum;
}

static double slope (sol_model_t *m, sol_pass_t *p, const float *w, float *moved, const sol_weight_row_t *r, const double *dir, double step,
                     float temperature)
{
  double f[2];
  for (int side = 0; side < 2; side++) {
    for (int64_t k = 0; k < r->rows * r->cols; k++) moved[r->offset + k] = (float) (w[r->offset + k] + (side ? -step : step) * dir[k]);
    need (sol_model_set (m, moved) == SOL_OK);
    f[side] = loss_of (p, temperature);
  }
  memcpy (moved + r->offset, w + r->offset, (size_t) (r->rows * r->cols) * sizeof *w);
  return (f[0] - f[1]) / (2 * step);
}

/* every tensor moved along a random direction; the tolerance is that of differences of float32 values */
static void test_differences (int i, float temperature)
{
  const sol_arch_t a = shape (i);
  float *w = random_weights (&a, (uint64_t) i + 10), *moved, *grad;
  sol_backend_t *b = backend_of ("cpu", 2);
  sol_model_t *m = model_of (b, &a, SOL_F32, w);
  const sol_table_t *t = sol_model_table (m);
  sol_pass_t *p = NULL;
  double worst = 0;
  const char *at = "";
  make_groups (&a);
  pack_all ();
  need (sol_pass_create (m, pack.b.n_tokens, pack.b.n_rows, pack.b.n_spans, 1, &p) == SOL_OK);
  grad = sol_alloc ((size_t) sol_grad_elements (m) * sizeof *grad);
  moved = sol_alloc ((size_t) t->elements * sizeof *moved);
  memcpy (moved, w, (size_t) t->elements * sizeof *w);
  loss_of (p, temperature);
  need (sol_pass_backward (p, &pack.b, c_lp, c_entropy, grad, NULL, NULL) == SOL_OK);
  sol_grad_fold (m, grad);
  for (int k = 0; k < t->n; k++) {
    const sol_weight_row_t *r = &t->row[k];
    const int64_t n = r->rows * r->cols;
    double *dir = sol_alloc ((size_t) n * sizeof *dir), exact = 0, norm = 0, size = 0, step, e;
    for (int64_t j = 0; j < n; j++) {
      dir[j] = sol_random_normal (sol_random (3, (uint64_t) k, SOL_RANDOM_TEST, 4, (uint32_t) j));
      exact += dir[j] * grad[r->offset + j];
      norm += (double) grad[r->offset + j] * grad[r->offset + j];
      size += dir[j] * dir[j];
    }
    step = 2e-3 / sqrt (size / (double) r->cols); /* error of order step^2; differences of float32 losses need it this large */
    e = fabs (slope (m, p, w, moved, r, dir, step, temperature) - exact) / (sqrt (norm) + 1e-3);
    if (!(e <= worst)) worst = e, at = r->name;
    sol_free (dir);
  }
  tap_ok (worst < 1e-2, "%s T=%g: %d gradients are those of finite differences (worst %.1e, %s)", shape_name (i), (double) temperature,
          t->n, worst, at);
  sol_pass_destroy (p);
  sol_model_destroy (m);
  sol_backend_destroy (b);
  sol_free (w);
  sol_free (moved);
  sol_free (grad);
}

/* segments as the learner has them: some responses of one group */
static const struct {
  int g;
  int32_t first, n;
} segment[] = { { 0, 0, 2 }, { 0, 2, 3 }, { 1, 0, 3 }, { 2, 0, 1 }, { 2, 1, 3 } };
enum { SEGMENTS = sizeof segment / sizeof *segment };
static int beats;
/* called for the layers in turn, last first; their elements lie one layer behind the other */
static int next_layer;
static int64_t next_end;
static void layer_done (void *ctx, int layer)
{
  const sol_model_t *m = ctx;
  const int layers = sol_model_arch (m)->layers;
  int64_t first, end = sol_model_layer (m, layer, &first);
  beats++;
  if (layer == layers - 1) next_layer = layer, next_end = end;
  need (layer == next_layer && end == next_end && first < end && end <= sol_model_table (m)->elements);
  next_layer--;
  next_end = first;
}

/* segments [cut[k], cut[k+1]) together; grad begins with what is in it */
static void accumulate (sol_model_t *m, const int *cut, int n_cut, int32_t room, float *grad)
{
  sol_pass_t *p = NULL;
  need (sol_pass_create (m, room, room, room, 1, &p) == SOL_OK);
  for (int k = 0; k + 1 < n_cut; k++) {
    pack_clear (&pack);
    for (int s = cut[k]; s < cut[k + 1]; s++) {
      coefficients (segment[s].g, segment[s].first, segment[s].n, pack.b.n_rows);
      pack_group (&pack, &group[segment[s].g], segment[s].first, segment[s].n);
    }
    need (sol_pass_forward (p, &pack.b, 0.8f, lp, entropy, NULL) == SOL_OK);
    need (sol_pass_backward (p, &pack.b, c_lp, c_entropy, grad, layer_done, m) == SOL_OK);
  }
  sol_pass_destroy (p);
}

static void test_packing (int i, sol_dtype_t dtype)
{
  static const int one[] = { 0, 5 }, each[] = { 0, 1, 2, 3, 4, 5 }, some[] = { 0, 3, 5 }, other[] = { 0, 1, 4, 5 };
  static const struct {
    const int *cut;
    int n, threads;
    const char *backend;
    int32_t room;
  } way[] = { { one, 2, 1, "cpu", 400 },   { each, 6, 1, "cpu", 200 }, { some, 3, 2, "cpu", 401 },
              { other, 4, 3, "cpu", 333 }, { one, 2, 1, "ref", 500 },  { each, 6, 1, "ref", 256 } };
  const sol_arch_t a = shape (i);
  float *w = random_weights (&a, (uint64_t) i + 20), *first = NULL;
  int same = 1;
  beats = 0;
  make_groups (&a);
  for (size_t k = 0; k < sizeof way / sizeof *way; k++) {
    sol_backend_t *b = backend_of (way[k].backend, way[k].threads);
    sol_model_t *m = model_of (b, &a, dtype, w);
    const int64_t n = sol_grad_elements (m);
    float *grad = sol_alloc ((size_t) n * sizeof *grad);
    for (int64_t j = 0; j < n; j++) grad[j] = (float) (1e-3 * (double) (j % 7)); /* chains go on from what is there */
    accumulate (m, way[k].cut, way[k].n, way[k].room, grad);
    if (!first)
      first = grad;
    else {
      same &= !memcmp (first, grad, (size_t) n * sizeof *grad);
      sol_free (grad);
    }
    sol_model_destroy (m);
    sol_backend_destroy (b);
  }
  need (beats == (1 + 5 + 2 + 3 + 1 + 5) * a.layers);
  tap_ok (same, "%s %s: gradients have the same bits for one to five passes, 1 to 3 threads, cpu and ref", shape_name (i),
          dtype == SOL_F32 ? "f32" : "bf16");
  sol_free (first);
  sol_free (w);
}

/* rows whose coefficients are 0 add nothing; a pass of no head rows adds nothing; the tied head's part is folded once */
static void test_nothing (void)
{
  const sol_arch_t a = shape (2);
  float *w = random_weights (&a, 1), *grad, *zero = sol_alloc (PACK_ROWS * sizeof *zero);
  sol_backend_t *b = backend_of ("cpu", 1);
  sol_model_t *m = model_of (b, &a, SOL_BF16, w);
  const int64_t n = sol_grad_elements (m), all = sol_model_table (m)->elements;
  sol_pass_t *p = NULL;
  int nothing = 1, folded = 1;
  grad = sol_alloc ((size_t) n * sizeof *grad);
  for (int64_t j = 0; j < n; j++) grad[j] = (float) (j % 13);
  make_groups (&a);
  pack_all ();
  need (sol_pass_create (m, 400, 400, 400, 1, &p) == SOL_OK);
  loss_of (p, 1);
  need (sol_pass_backward (p, &pack.b, zero, NULL, grad, NULL, NULL) == SOL_OK);
  pack.b.n_rows = 0;
  need (sol_pass_forward (p, &pack.b, 1, lp, entropy, NULL) == SOL_OK && sol_pass_backward (p, &pack.b, zero, NULL, grad, NULL, NULL) == SOL_OK);
  for (int64_t j = 0; j < n; j++) nothing &= grad[j] == (float) (j % 13);
  ok (nothing);
  ok (n == all + (int64_t) a.vocab * a.width);
  sol_grad_fold (m, grad);
  for (int64_t j = 0; j < n; j++)
    folded &= grad[j] == (j < (int64_t) a.vocab * a.width ? (float) (j % 13) + (float) ((j + all) % 13) : j < all ? (float) (j % 13) : 0);
  ok (folded);
  ok (sol_pass_bytes (m, 400, 400, 400, 0) < sol_pass_bytes (m, 400, 400, 400, 1));
  sol_pass_destroy (p);
  sol_model_destroy (m);
  sol_backend_destroy (b);
  sol_free (w);
  sol_free (grad);
  sol_free (zero);
}

int main (void)
{
  for (int i = 0; i < SHAPES; i++) {
    test_differences (i, i % 2 ? 1.0f : 0.7f);
    test_packing (i, SOL_F32);
    test_packing (i, SOL_BF16);
  }
  test_nothing ();
  return tap_done ();
}
