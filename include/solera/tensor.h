/* SPDX-License-Identifier: Apache-2.0 */
/* tensor.h: a view of backend memory by value; owns nothing. The bytes belong to the backend: shared code never looks at them.
 * Letters of shapes everywhere: B sequences, G group, T tokens, C width, H heads, D head size, L layers, V vocabulary. */
#ifndef SOL_TENSOR_H
#define SOL_TENSOR_H
#include <stddef.h>
#include <stdint.h>

typedef enum { SOL_F32, SOL_BF16, SOL_I32, SOL_U8, SOL_F64, SOL_F16 /* files only */ } sol_dtype_t;
static inline size_t sol_dtype_bytes (sol_dtype_t t)
{
  return t == SOL_F32 || t == SOL_I32 ? 4 : t == SOL_F64 ? 8 : t == SOL_U8 ? 1 : 2;
}

/* rows x cols, row-major, row r begins at element r * stride. at NULL: no tensor (an optional operand that is not given). */
typedef struct {
  char *at;
  sol_dtype_t dtype;
  int64_t rows, cols, stride;
} sol_tensor_t;

static inline sol_tensor_t sol_tensor (void *at, sol_dtype_t dtype, int64_t rows, int64_t cols)
{
  sol_tensor_t t = { (char *) at, dtype, rows, cols, cols }; /* C and C++ */
  return t;
}
/* rows [r, r + n) */
static inline sol_tensor_t sol_tensor_rows (sol_tensor_t t, int64_t r, int64_t n)
{
  t.at += (size_t) (r * t.stride) * sol_dtype_bytes (t.dtype);
  t.rows = n;
  return t;
}
/* columns [c, c + n) */
static inline sol_tensor_t sol_tensor_cols (sol_tensor_t t, int64_t c, int64_t n)
{
  t.at += (size_t) c * sol_dtype_bytes (t.dtype);
  t.cols = n;
  return t;
}
static const sol_tensor_t sol_no_tensor = { 0, SOL_F32, 0, 0, 0 };
#endif
