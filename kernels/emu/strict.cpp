/* SPDX-License-Identifier: Apache-2.0 */
/* strict.cpp: ops put work on streams and nothing else. A call of the runtime that waits for the device, gives or takes memory, or copies from or to host memory that is not pinned (which waits too), is
 * refused while an op is being called, by the op's name. SOL_EMU_STRICT=0: nobody looks. */
#include "emu_internal.h"

namespace emu {
static thread_local const char *op; /* NULL: none */
void outside (const char *call)
{
  if (op && setting ().strict) die ("%s inside of the op %s, which may only put work on streams", call, op);
}
void outside_pinned (const char *call, const void *host, size_t n)
{
  if (op && n && setting ().strict && !is_pinned (host, n)) die ("%s: %p, %zu bytes, is host memory that is not pinned: the op %s would wait for the device", call, host, n, op);
}
} // namespace emu

/* plugin.cu: an op is called, or NULL: none any more; returns what was before */
extern "C" const char *sol_emu_op (const char *name)
{
  const char *before = emu::op;
  emu::op = name;
  return before;
}
