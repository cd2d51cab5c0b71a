/* SPDX-License-Identifier: Apache-2.0 */
/* SwiGLU, AdamW, sums of squares and rounding on a device against plain loops: ragged ends, shifted addresses, gaps between rows. */
#include "twice.h"

static int64_t pad, from, size;
static sol_tensor_t mid (sol_tensor_t t) { return sol_tensor_cols (t, pad, t.cols - 2 * pad); }
static sol_tensor_t part (sol_tensor_t t) { return sol_tensor_cols (t, from, size); }

enum { GATE, UP, DY, OUT, OUT2 };
static void swiglu (const sol_ops_t *ops, sol_queue_t *q, int device) { ops->swiglu (q, mid (T (GATE)), mid (T (UP)), mid (T (OUT))); }
static void swiglu_backward (const sol_ops_t *ops, sol_queue_t *q, int device)
{
  ops->swiglu_backward (q, mid (T (GATE)), mid (T (UP)), mid (T (DY)), mid (T (OUT)), mid (T (OUT2)));
}
static void test_swiglu (int64_t rows, int64_t width, int64_t beside)
{
  pad = beside;
  for (int i = GATE; i <= OUT2; i++) p[i] = pair_act (rows, width + 2 * pad);
  for (int64_t i = 0; i < rows * (width + 2 * pad); i += 3) floats (p[GATE].r)[i] *= 30; /* where exp goes far */
  if (pad == 0) floats (p[GATE].r)[0] = -100, floats (p[GATE].r)[width - 1] = 100;
  upload (&p[GATE]);
  tap_ok (agree (swiglu, OUT, BF16_NEAR, "swiglu"), "swiglu %lld x %lld, %lld beside", (long long) rows, (long long) width, (long long) beside);
  const int gate = agree (swiglu_backward, OUT, BF16_NEAR, "dgate");
  tap_ok (gate && near_pair (&p[OUT2], BF16_NEAR, "dup"), "and its gradients");
  drop_case ();
}

static sol_adamw_t hyper;
static int64_t shift; /* g lies this many elements further on than w, m and v */
static void adamw (const sol_ops_t *ops, sol_queue_t *q, int device)
{
  sol_tensor_t g = T (0);
  g = sol_tensor_cols (g, from + shift, size);
  ops->adamw (q, hyper, g, part (T (1)), part (T (2)), part (T (3)));
}
static void adamw_start (const sol_ops_t *ops, sol_queue_t *q, int device)
{ /* the moments from the same place each time */
  const int64_t n = p[2].r.cols;
  const size_t bytes = (size_t) n * 4;
  float *m = sol_alloc (bytes + 4);
  for (int64_t i = 0; i < n; i++) m[i] = (float) (i % 17) * 0.01f;
  for (int i = 2; i < 4; i++)
    if (device) put_bytes (T (i).at, m, bytes);
    else ops->put (q, T (i).at, m, bytes);
  sol_free (m);
  adamw (ops, q, device);
}
static void test_adamw (int64_t n, int64_t at, int64_t by)
{
  size = n, from = at, shift = by;
  for (int i = 0; i < 4; i++) p[i] = pair_f32 (1, n + at + by + 3);
  const int same_bits = agree (adamw_start, 1, 0, "w");
  tap_ok (same_bits && near_pair (&p[2], 0, "m") && near_pair (&p[3], 0, "v"), "adamw of %lld from %lld, the gradient shifted by %lld", (long long) n, (long long) at, (long long) by);
  drop_case ();
}

static void sumsq (const sol_ops_t *ops, sol_queue_t *q, int device) { ops->sumsq (q, part (T (0)), T (1)); }
/* doubles, which the pairs of both.h do not compare */
static void test_sumsq (int64_t n, int64_t at)
{
  const int64_t chunks = (n + SOL_SUMSQ_CHUNK - 1) / SOL_SUMSQ_CHUNK;
  double *got = sol_alloc ((size_t) chunks * 8 + 8), *got2 = sol_alloc ((size_t) chunks * 8 + 8), worst = 0;
  size = n, from = at;
  p[0] = pair_f32 (1, n + at), p[1] = pair_of (SOL_F64, 1, chunks);
  sumsq (R, qr, 0);
  sumsq (D, qd, 1);
  get_bytes (got, p[1].d.at, (size_t) chunks * 8);
  /* the same numbers elsewhere in memory: the same bits */
  pair_t other = pair_f32 (1, n + 2);
  memcpy (other.r.at, floats (p[0].r) + at, (size_t) n * 4);
  upload (&other);
  D->sumsq (qd, sol_tensor_cols (other.d, 0, n), p[1].d);
  get_bytes (got2, p[1].d.at, (size_t) chunks * 8);
  for (int64_t c = 0; c < chunks; c++) {
    const double want = ((double *) (void *) p[1].r.at)[c], e = fabs (got[c] - want) / want;
    if (!(e <= worst)) worst = e;
  }
  tap_ok (worst <= 1e-13 && !memcmp (got, got2, (size_t) chunks * 8), "sumsq of %lld from %lld", (long long) n, (long long) at);
  sol_free (got), sol_free (got2);
  drop_pairs (1, &other);
  drop_case ();
}

static void rounded (const sol_ops_t *ops, sol_queue_t *q, int device) { ops->round (q, mid (T (0)), mid (T (1))); }
static void test_round (int64_t rows, int64_t width, int64_t beside)
{
  static const struct {
    sol_dtype_t from, to;
    const char *name;
  } kinds[] = { { SOL_F32, SOL_F32, "f32 to f32" }, { SOL_F32, SOL_BF16, "f32 to bf16" }, { SOL_BF16, SOL_F32, "bf16 to f32" } };
  pad = beside;
  for (int i = 0; i < 3; i++) {
    p[0] = pair_of (kinds[i].from, rows, width + 2 * pad), p[1] = pair_of (kinds[i].to, rows, width + 2 * pad);
    const int good = agree (rounded, 1, kinds[i].to == SOL_BF16 ? BF16_NEAR : 0, "round");
    if (kinds[i].to == SOL_BF16) { /* nearest even, to the bit */
      for (int64_t k = 0; k < rows * (width + 2 * pad); k++) floats (p[1].r)[k] = bf16_near (floats (p[1].r)[k]);
    }
    tap_ok (good && near_pair (&p[1], 0, "round"), "round %lld x %lld, %lld beside, %s", (long long) rows, (long long) width, (long long) beside, kinds[i].name);
    drop_case ();
  }
}

int main (void)
{
  both_open ();
  test_swiglu (1, 8, 0);
  test_swiglu (33, 40, 8);
  test_swiglu (3, 2059, 0);
  test_swiglu (17, 7, 1);
  test_swiglu (5, 101, 4);
  hyper = (sol_adamw_t){ .lr = 1e-2, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .decay = 0.1, .scale = 0.7, .step = 3 };
  test_adamw (1, 0, 0);
  test_adamw (4000, 0, 0);
  test_adamw (1027, 3, 0);
  test_adamw (2, 1, 0);
  test_adamw (5, 1, 0);
  test_adamw (1027, 1, 2);
  hyper = (sol_adamw_t){ .lr = 1e-6, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .decay = 0.01, .scale = 1, .step = 100000 };
  test_adamw (300, 2, 0);
  test_sumsq (1, 0);
  test_sumsq (999, 0);
  test_sumsq (SOL_SUMSQ_CHUNK, 1);
  test_sumsq (2 * SOL_SUMSQ_CHUNK + 5, 0);
  test_sumsq (SOL_SUMSQ_CHUNK + 7, 3);
  test_round (1, 5, 0);
  test_round (30, 72, 8);
  test_round (7, 33, 1);
  test_round (2, 2100, 0);
  both_close ();
  return tap_done ();
}
