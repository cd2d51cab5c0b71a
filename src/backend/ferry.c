/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/backend.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <string.h>

struct sol_ferry {
  sol_backend_t *backend;
  const sol_ops_t *ops;
  sol_queue_t *compute, *copy;
  sol_event_t *before; /* what was put on the compute queue */
  size_t piece;
  char *half[2];       /* one piece of pinned memory; NULL: a host backend */
};

size_t sol_ferry_bytes (const sol_backend_t *b, size_t piece) { return sol_backend_is_device (b) ? 2 * ((piece + 63) & ~(size_t) 63) : 0; }

sol_status_t sol_ferry_create (sol_backend_t *b, size_t piece, sol_ferry_t **ferry_p)
{
  sol_ferry_t *f = sol_alloc (sizeof *f);
  sol_status_t st;
  void *mem = NULL;
  SOL_ASSERT (piece > 0);
  *f = (sol_ferry_t){ .backend = b, .ops = sol_backend_ops (b), .compute = sol_backend_queue (b, SOL_QUEUE_COMPUTE), .copy = sol_backend_queue (b, SOL_QUEUE_COPY), .piece = (piece + 63) & ~(size_t) 63 };
  if (sol_backend_is_device (b)) {
    SOL_GO (f->ops->event_create (b, &f->before));
    SOL_GO (sol_backend_pin (b, sol_ferry_bytes (b, piece), "what carries weights and states", &mem));
    f->half[0] = mem;
    f->half[1] = f->half[0] + f->piece;
  }
  *ferry_p = f;
  return SOL_OK;
out:
  sol_ferry_destroy (f);
  return st;
}

void sol_ferry_destroy (sol_ferry_t *f)
{
  if (!f) return;
  if (f->before) f->ops->event_destroy (f->backend, f->before);
  sol_backend_unpin (f->backend, f->half[0], 2 * f->piece);
  sol_free (f);
}

/* the copies that follow run after what computes now */
static void begin (const sol_ferry_t *f)
{
  f->ops->record (f->compute, f->before);
  f->ops->wait (f->copy, f->before);
}

static size_t piece_at (const sol_ferry_t *f, size_t at, size_t bytes) { return bytes - at < f->piece ? bytes - at : f->piece; }

sol_status_t sol_ferry_put (sol_ferry_t *f, void *dst, const void *host, size_t bytes)
{
  sol_status_t st = SOL_OK;
  if (!f->half[0]) {
    f->ops->put (f->compute, dst, host, bytes);
    return f->ops->sync (f->compute); /* redundant: a host backend has copied; its errors are told here */
  }
  begin (f);
  for (size_t at = 0, i = 0; at < bytes && st == SOL_OK; at += f->piece, i ^= 1) {
    const size_t n = piece_at (f, at, bytes);
    memcpy (f->half[i], (const char *) host + at, n); /* the other half may be on its way */
    st = f->ops->sync (f->copy);
    f->ops->put (f->copy, (char *) dst + at, f->half[i], n);
  }
  const sol_status_t last = f->ops->sync (f->copy);
  return st != SOL_OK ? st : last;
}

sol_status_t sol_ferry_get (sol_ferry_t *f, void *host, const void *src, size_t bytes)
{
  sol_status_t st = SOL_OK;
  if (!f->half[0]) {
    f->ops->get (f->compute, host, src, bytes);
    return f->ops->sync (f->compute); /* redundant: a host backend has copied; its errors are told here */
  }
  begin (f);
  if (bytes > 0) f->ops->get (f->copy, f->half[0], src, piece_at (f, 0, bytes));
  for (size_t at = 0, i = 0; at < bytes && st == SOL_OK; at += f->piece, i ^= 1) {
    const size_t next = at + f->piece;
    st = f->ops->sync (f->copy);
    if (st != SOL_OK) break;
    if (next < bytes) f->ops->get (f->copy, f->half[i ^ 1], (const char *) src + next, piece_at (f, next, bytes));
    memcpy ((char *) host + at, f->half[i], piece_at (f, at, bytes));
  }
  return st;
}
