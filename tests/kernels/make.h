/* SPDX-License-Identifier: Apache-2.0 */
/* make.h: tensors of drawn numbers for the tests of kernels. */
#ifndef SOL_TESTS_MAKE_H
#define SOL_TESTS_MAKE_H
#include "../tap.h"
#include "solera/backend.h"
#include "solera/log.h"
#include "solera/random.h"
#include <math.h>
#include <string.h>

static uint64_t drawn;

static inline float draw (void) { return (float) sol_random_normal (sol_random (7, drawn++, SOL_RANDOM_TEST, 0, 0)); }
static inline float *floats (sol_tensor_t t) { return (float *) (void *) t.at; }
static inline sol_tensor_t make (int64_t rows, int64_t cols)
{
  sol_tensor_t t = sol_tensor (sol_alloc ((size_t) (rows * cols) * 4 + 4), SOL_F32, rows, cols);
  for (int64_t i = 0; i < rows * cols; i++) floats (t)[i] = draw ();
  return t;
}
static inline sol_tensor_t copy_of (sol_tensor_t t)
{
  sol_tensor_t c = t;
  size_t bytes = (size_t) (t.rows * t.cols) * sol_dtype_bytes (t.dtype);
  c.at = sol_alloc (bytes + 4);
  memcpy (c.at, t.at, bytes);
  return c;
}
static inline sol_tensor_t ints (int64_t n, int32_t below)
{
  sol_tensor_t t = sol_tensor (sol_alloc ((size_t) n * 4), SOL_I32, 1, n);
  for (int64_t i = 0; i < n; i++) ((int32_t *) (void *) t.at)[i] = (int32_t) sol_random_below (sol_random (8, drawn++, SOL_RANDOM_TEST, 0, 0), (uint64_t) below);
  return t;
}
static inline int32_t *id_of (sol_tensor_t t) { return (int32_t *) (void *) t.at; }
static inline int same (sol_tensor_t a, sol_tensor_t b) { return !memcmp (a.at, b.at, (size_t) (a.rows * a.cols) * sol_dtype_bytes (a.dtype)); }
static inline void drop (int n, sol_tensor_t *t)
{
  for (int i = 0; i < n; i++) sol_free (t[i].at);
}
#endif
