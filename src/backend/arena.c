/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/backend.h"
#include "solera/log.h"

void *sol_arena_take (sol_arena_t *a, size_t bytes)
{
  size_t at = a->used;
  a->used = (at + bytes + 63) & ~(size_t) 63;
  if (a->used > a->peak) a->peak = a->used;
  if (!a->base) return NULL;
  SOL_ASSERT (a->used <= a->room);
  return a->base + at;
}

sol_tensor_t sol_arena_tensor (sol_arena_t *a, sol_dtype_t dtype, int64_t rows, int64_t cols)
{
  return sol_tensor (sol_arena_take (a, (size_t) (rows * cols) * sol_dtype_bytes (dtype)), dtype, rows, cols);
}

size_t sol_arena_mark (const sol_arena_t *a) { return a->used; }

void sol_arena_release (sol_arena_t *a, size_t mark)
{
  SOL_ASSERT (mark <= a->used);
  a->used = mark;
}

sol_status_t sol_arena_create (sol_backend_t *b, size_t bytes, const char *what, sol_arena_t *arena_p)
{
  void *mem;
  SOL_TRY (sol_backend_ops (b)->alloc (b, bytes ? bytes : 64, what, &mem));
  *arena_p = (sol_arena_t){ .base = mem, .room = bytes ? bytes : 64 };
  return SOL_OK;
}

void sol_arena_destroy (sol_backend_t *b, sol_arena_t *a)
{
  if (a->base) sol_backend_ops (b)->free (b, a->base);
  *a = (sol_arena_t){ 0 };
}
