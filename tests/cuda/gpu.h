/* SPDX-License-Identifier: Apache-2.0 */
/* gpu.h: what gpu_steps, gpu_bench and gpu_models share (kernels/cuda/gpu.mk builds them, gpu_run.sh runs them): the device, numbers in its memory, seconds of many launches, lines of JSON.
 * On emu everything is small, so that every line runs without a GPU; GPU_SHAPES=small or real: whatever the device. */
#ifndef SOL_TESTS_GPU_H
#define SOL_TESTS_GPU_H
#include "solera/backend.h"
#include "solera/clock.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  sol_backend_t *backend;
  const sol_ops_t *ops;
  sol_queue_t *queue;
  sol_ferry_t *ferry;             /* host memory to the device and back */
  const char *name;               /* of the backend */
  int small;                      /* shapes for emu: nothing is measured */
  int failed;                     /* something was; the exit status */
  double bytes;                   /* of the device's memory; 0: not known */
  double copy_rate, product_rate; /* measured ceilings: bytes/s, counted read and written; flop/s of bf16 products. 0: not measured */
  void *noise, *noise_f32;        /* NOISE numbers of standard deviation 0.02, bf16 and f32 */
  FILE *json;
} gpu_t;
static gpu_t gpu;

enum { NOISE = 4194301, NOISE_SMALL = 65521 }; /* primes: copies of it line up with no matrix */
static inline int64_t noise_n (void) { return gpu.small ? NOISE_SMALL : NOISE; }

/* a set-up that everything after needs has failed; the cause was logged */
static inline void gpu_need (sol_status_t st, const char *what)
{
  if (st == SOL_OK) return;
  printf ("FAILED %s: %s\n", what, sol_status_string (st));
  exit (1);
}
static inline void *gpu_alloc (size_t bytes)
{
  void *mem = NULL;
  gpu_need (gpu.ops->alloc (gpu.backend, bytes + 64, "a benchmark", &mem), "memory");
  return mem;
}
static inline void gpu_free (void *mem)
{
  if (mem) gpu.ops->free (gpu.backend, mem);
}

/* n numbers of the device's memory from the noise. bf16 or f32 */
static inline void gpu_fill (void *to, sol_dtype_t dtype, int64_t n)
{
  const size_t size = sol_dtype_bytes (dtype);
  for (int64_t i = 0; i < n; i += noise_n ()) {
    const int64_t piece = n - i < noise_n () ? n - i : noise_n ();
    gpu.ops->copy (gpu.queue, (char *) to + (size_t) i * size, dtype == SOL_BF16 ? gpu.noise : gpu.noise_f32, (size_t) piece * size);
  }
}
static inline sol_tensor_t gpu_tensor (sol_dtype_t dtype, int64_t rows, int64_t cols)
{
  sol_tensor_t t = sol_tensor (gpu_alloc ((size_t) (rows * cols) * sol_dtype_bytes (dtype)), dtype, rows, cols);
  if (dtype == SOL_BF16 || dtype == SOL_F32) gpu_fill (t.at, dtype, rows * cols);
  return t;
}
static inline void gpu_put (sol_tensor_t t, const void *from)
{
  gpu_need (sol_ferry_put (gpu.ferry, t.at, from, (size_t) (t.rows * t.cols) * sol_dtype_bytes (t.dtype)), "put");
}
/* i * step % below for i = 0 .. n - 1 */
static inline sol_tensor_t gpu_ints (int64_t n, int32_t below, int64_t step)
{
  sol_tensor_t t = gpu_tensor (SOL_I32, 1, n);
  int32_t *h = sol_alloc ((size_t) n * sizeof *h);
  for (int64_t i = 0; i < n; i++) h[i] = (int32_t) (i * step % below);
  gpu_put (t, h);
  sol_free (h);
  return t;
}
static inline void gpu_drop (int n, const sol_tensor_t *t)
{
  for (int i = 0; i < n; i++) gpu_free (t[i].at);
}

/* Into seconds: of one call, the best of three rounds, each of so many calls that a launch's and a sync's time drown. st: the error that a sync reported (and logged), if any. */
#define GPU_TIME(seconds, st, call)                                                                                    \
  do {                                                                                                                 \
    int calls_ = 1;                                                                                                    \
    (seconds) = INFINITY;                                                                                              \
    call;                                                                                                              \
    st = gpu.ops->sync (gpu.queue); /* modules are loaded, algorithms chosen */                                        \
    for (int round_ = gpu.small ? 3 : 0; round_ < 4 && st == SOL_OK; round_++) {                                       \
      const double t_ = sol_clock_s ();                                                                                \
      for (int i_ = 0; i_ < calls_; i_++) call;                                                                        \
      st = gpu.ops->sync (gpu.queue);                                                                                  \
      const double once_ = (sol_clock_s () - t_) / calls_;                                                             \
      if (round_ > 0 && once_ < (seconds)) (seconds) = once_;                                                          \
      if (round_ == 0) calls_ = once_ < 0.02 / 1000 ? 1000 : (int) (0.02 / once_) + 2; /* rounds of 20 ms or more */   \
    }                                                                                                                  \
  } while (0)

/* dense bf16 flop/s with float32 accumulation as the maker's data sheet has it, by a word of the device's name; 0: not in this list */
static inline double gpu_sheet_rate (void)
{
  static const struct { const char *word; double rate; } sheet[] = { { "A100", 312e12 },     { "A800", 312e12 }, { "H100 PCIe", 756e12 }, { "H100 NVL", 835e12 }, { "H100", 989e12 }, { "H800", 989e12 },
                                                                     { "H200 NVL", 835e12 }, { "H200", 989e12 }, { "H20", 148e12 },       { "B200", 2250e12 },    { "L40S", 362e12 }, { "L40", 181e12 },
                                                                     { "L4", 121e12 },       { "A40", 150e12 },  { "A30", 165e12 } }; /* a longer word before the shorter one in it */
  const char *name = sol_backend_describe (gpu.backend);
  for (size_t i = 0; i < sizeof sheet / sizeof *sheet; i++) {
    const char *at = strstr (name, sheet[i].word);
    const size_t n = strlen (sheet[i].word);
    if (at && (at == name || strchr (" -", at[-1])) && strchr (" -,)", at[n])) return sheet[i].rate; /* a whole word: not the A40 in A4000, the B200 in GB200 */
  }
  return 0;
}

static inline void make_noise (void)
{
  const int64_t n = noise_n ();
  float *h = sol_alloc ((size_t) n * sizeof *h);
  uint64_t u = 88172645463325252u;
  for (int64_t i = 0; i < n; i++) { /* four uniform numbers are nearly a normal one */
    u ^= u << 13, u ^= u >> 7, u ^= u << 17;
    h[i] = (float) (((double) (u & 0xffff) + (double) (u >> 16 & 0xffff) + (double) (u >> 32 & 0xffff) + (double) (u >> 48)) / 65536 - 2) * 0.0346f;
  }
  gpu.noise_f32 = gpu_alloc ((size_t) n * 4);
  gpu.noise = gpu_alloc ((size_t) n * 2);
  gpu_need (sol_ferry_put (gpu.ferry, gpu.noise_f32, h, (size_t) n * 4), "put");
  gpu.ops->round (gpu.queue, sol_tensor (gpu.noise_f32, SOL_F32, 1, n), sol_tensor (gpu.noise, SOL_BF16, 1, n));
  gpu_need (gpu.ops->sync (gpu.queue), "round");
  sol_free (h);
}
static inline double number_of (const char *variable)
{
  const char *text = getenv (variable);
  return text ? strtod (text, NULL) : 0;
}
/* Opens SOLERA_DEVICE (default cuda). Where it cannot run: one line why, exit 77. GPU_BYTES, GPU_COPY, GPU_PRODUCT: memory and ceilings, GPU_JSON: the file that lines are added to. */
static inline void gpu_open (const char *program)
{
  char why[512];
  gpu.name = getenv ("SOLERA_DEVICE") ? getenv ("SOLERA_DEVICE") : "cuda";
  sol_log_level (SOL_LOG_WARN);
  sol_log_who (program, -1);
  if (!sol_backend_can (gpu.name, why, sizeof why)) {
    printf ("%s\n", why);
    exit (77);
  }
  gpu_need (sol_backend_create (gpu.name, 1, NULL, &gpu.backend), "opening the device");
  gpu.ops = sol_backend_ops (gpu.backend);
  gpu.queue = sol_backend_queue (gpu.backend, SOL_QUEUE_COMPUTE);
  gpu_need (sol_ferry_create (gpu.backend, (size_t) 1 << 20, &gpu.ferry), "pinned memory");
  const char *shapes = getenv ("GPU_SHAPES");
  gpu.small = shapes && shapes[0] ? !strcmp (shapes, "small") : !strcmp (gpu.name, "emu");
  gpu.bytes = number_of ("GPU_BYTES"), gpu.copy_rate = number_of ("GPU_COPY"), gpu.product_rate = number_of ("GPU_PRODUCT");
  if (getenv ("GPU_JSON")) {
    gpu.json = fopen (getenv ("GPU_JSON"), "a");
    if (!gpu.json) gpu_need (SOL_ERR_IO, getenv ("GPU_JSON"));
    setvbuf (gpu.json, NULL, _IOLBF, 1 << 14); /* whole lines, also of a program that is killed */
  }
  make_noise ();
}
static inline int gpu_close (void)
{
  gpu_free (gpu.noise), gpu_free (gpu.noise_f32);
  sol_ferry_destroy (gpu.ferry);
  sol_backend_destroy (gpu.backend);
  if (gpu.json && fclose (gpu.json) != 0) gpu.failed = 1, printf ("FAILED: %s cannot be written\n", getenv ("GPU_JSON"));
  if (sol_memory_used () != 0) gpu.failed = 1, printf ("FAILED: %zu bytes of counted memory are left\n", sol_memory_used ());
  return gpu.failed;
}
#endif
