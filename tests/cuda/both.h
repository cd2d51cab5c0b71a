/* SPDX-License-Identifier: Apache-2.0 */
/* both.h: an op on the device (emu; SOLERA_DEVICE=cuda on a machine that has one) and as plain loops (ref) on the same numbers. A pair is one tensor on either side: the reference in float32,
 * the device in its own type, both holding the same values, rounded to bf16 where the device stores that. */
#ifndef SOL_TESTS_BOTH_H
#define SOL_TESTS_BOTH_H
#include "../kernels/make.h"
#include <stdlib.h>

static sol_backend_t *ref, *dev;
static const sol_ops_t *R, *D;
static sol_queue_t *qr, *qd;

typedef struct {
  sol_tensor_t r, d; /* host memory; device memory */
} pair_t;

/* skips the whole test where the plugin cannot run */
static inline void both_open (void)
{
  const char *name = getenv ("SOLERA_DEVICE"), *found;
  char why[512];
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
  tap_skip_all ("the fibers of emu change stacks behind this build's sanitizer; make emu-asan, make emu-tsan");
#endif
  if (!name) name = "emu";
  for (int i = 0, can; (can = sol_backend_probe (i, &found, why, sizeof why)) >= 0; i++)
    if (!strcmp (found, name) && !can) tap_skip_all (why);
  need (sol_backend_create ("ref", 1, NULL, &ref) == SOL_OK && sol_backend_create (name, 1, NULL, &dev) == SOL_OK);
  R = sol_backend_ops (ref), D = sol_backend_ops (dev);
  qr = sol_backend_queue (ref, SOL_QUEUE_COMPUTE), qd = sol_backend_queue (dev, SOL_QUEUE_COMPUTE);
}
static inline void both_close (void)
{
  sol_backend_destroy (dev);
  sol_backend_destroy (ref);
}

/* host memory that is no pinned one to the device and back, by way of a pinned copy: no op takes another (ops.h) */
static inline void put_bytes (void *dst, const void *host, size_t bytes)
{
  void *mem = NULL;
  need (sol_backend_pin (dev, bytes, "a test", &mem) == SOL_OK);
  memcpy (mem, host, bytes);
  D->put (qd, dst, mem, bytes);
  need (D->sync (qd) == SOL_OK);
  sol_backend_unpin (dev, mem, bytes);
}
static inline void get_bytes (void *host, const void *src, size_t bytes)
{
  void *mem = NULL;
  need (sol_backend_pin (dev, bytes, "a test", &mem) == SOL_OK);
  D->get (qd, mem, src, bytes);
  need (D->sync (qd) == SOL_OK);
  memcpy (host, mem, bytes);
  sol_backend_unpin (dev, mem, bytes);
}

static inline float bf16_near (float x)
{
  uint32_t u;
  memcpy (&u, &x, 4);
  u = (u + 0x7fffu + (u >> 16 & 1u)) & 0xffff0000u;
  memcpy (&x, &u, 4);
  return x;
}
static inline size_t bytes_of (sol_tensor_t t) { return (size_t) (t.rows * t.cols) * sol_dtype_bytes (t.dtype); }

/* the reference's values to the device, in the device's type */
static inline void upload (const pair_t *p)
{
  const int64_t n = p->r.rows * p->r.cols;
  if (p->d.dtype != SOL_BF16) put_bytes (p->d.at, p->r.at, bytes_of (p->d));
  else {
    uint16_t *h = sol_alloc ((size_t) n * 2 + 2);
    for (int64_t i = 0; i < n; i++) {
      uint32_t u;
      float x = floats (p->r)[i] = bf16_near (floats (p->r)[i]);
      memcpy (&u, &x, 4);
      h[i] = (uint16_t) (u >> 16);
    }
    put_bytes (p->d.at, h, (size_t) n * 2);
    sol_free (h);
  }
}
/* dtype: of the device's side; floats are drawn from a normal distribution */
static inline pair_t pair_of (sol_dtype_t dtype, int64_t rows, int64_t cols)
{
  pair_t p = { .r = dtype == SOL_I32 ? ints (rows * cols, 1) : make (rows, cols), .d = sol_tensor (NULL, dtype, rows, cols) };
  void *mem;
  p.r.rows = rows, p.r.cols = p.r.stride = cols;
  if (dtype == SOL_F64) {
    sol_free (p.r.at);
    p.r = sol_tensor (sol_alloc ((size_t) (rows * cols) * 8), SOL_F64, rows, cols);
  }
  need (D->alloc (dev, bytes_of (p.d) + 16, "a test", &mem) == SOL_OK);
  p.d.at = mem;
  upload (&p);
  return p;
}
static inline pair_t pair_act (int64_t rows, int64_t cols) { return pair_of (D->act, rows, cols); }
static inline pair_t pair_f32 (int64_t rows, int64_t cols) { return pair_of (SOL_F32, rows, cols); }
static inline pair_t pair_ints (int64_t n, int32_t below)
{
  pair_t p = pair_of (SOL_I32, 1, n);
  sol_free (p.r.at);
  p.r = ints (n, below);
  upload (&p);
  return p;
}
/* what the device has, as float32; to be freed */
static inline float *fetch (const pair_t *p)
{
  const int64_t n = p->d.rows * p->d.cols;
  float *out = sol_alloc ((size_t) n * 4 + 4);
  void *raw = sol_alloc (bytes_of (p->d) + 8);
  get_bytes (raw, p->d.at, bytes_of (p->d));
  for (int64_t i = 0; i < n; i++) {
    if (p->d.dtype == SOL_F32) out[i] = ((float *) raw)[i];
    else if (p->d.dtype == SOL_I32) out[i] = (float) ((int32_t *) raw)[i];
    else if (p->d.dtype == SOL_F64) out[i] = (float) ((double *) raw)[i];
    else {
      uint32_t u = (uint32_t) ((uint16_t *) raw)[i] << 16;
      memcpy (&out[i], &u, 4);
    }
  }
  sol_free (raw);
  return out;
}
/* largest difference over the larger of the reference's root mean square and its own size; names the worst place when it is over `most` */
static inline int near_pair (const pair_t *p, double most, const char *what)
{
  const int64_t n = p->r.rows * p->r.cols;
  float *got = fetch (p);
  double square = 0, worst = 0;
  int64_t at = 0;
  for (int64_t i = 0; i < n; i++) square += (double) floats (p->r)[i] * (double) floats (p->r)[i];
  const double rms = n ? sqrt (square / (double) n) : 0;
  for (int64_t i = 0; i < n; i++) {
    const double want = (double) floats (p->r)[i], size = fabs (want) > rms ? fabs (want) : rms, e = fabs ((double) got[i] - want) / (size > 0 ? size : 1);
    if (!(e <= worst) && !isnan (worst)) worst = e, at = i; /* a NaN stays the worst */
  }
  const int good = worst <= most;
  if (!good)
    fprintf (stderr, "%s: row %lld, column %lld: device %g, reference %g; %.3g of its size, at most %.3g expected\n", what, (long long) (at / p->r.cols), (long long) (at % p->r.cols),
             (double) got[at], (double) floats (p->r)[at], worst, most);
  sol_free (got);
  return good;
}
static inline void drop_pairs (int n, pair_t *p)
{
  for (int i = 0; i < n; i++) {
    sol_free (p[i].r.at);
    D->free (dev, p[i].d.at);
  }
}
#endif
