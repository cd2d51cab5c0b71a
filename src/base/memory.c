/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/memory.h"
#include "solera/log.h"
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* a header of one cache line in front keeps the size and the 64-byte alignment */
#define HEAD 64
#define MARK 0x736f6c656d656d21ull
typedef struct { uint64_t mark; size_t bytes; int large; } head_t;

static atomic_size_t used, peak, large;

static void count_up (size_t bytes)
{
  const size_t now = atomic_fetch_add (&used, bytes) + bytes;
  size_t top = atomic_load (&peak);
  while (now > top && !atomic_compare_exchange_weak (&peak, &top, now)) { }
}

static head_t *head_of (void *p)
{
  head_t *h = (head_t *) (void *) ((char *) p - HEAD);
  SOL_ASSERT (h->mark == MARK);
  return h;
}

static void *take (size_t bytes)
{
  void *raw = NULL;
  if (bytes > SIZE_MAX - 2 * HEAD) return NULL;
  const size_t whole = HEAD + (bytes + HEAD - 1) / HEAD * HEAD;
  if (posix_memalign (&raw, HEAD, whole) != 0) return NULL;
  memset (raw, 0, whole);
  ((head_t *) raw)->mark = MARK;
  ((head_t *) raw)->bytes = bytes;
  count_up (bytes);
  return (char *) raw + HEAD;
}

_Noreturn static void memory_gone (size_t bytes)
{
  sol_log (SOL_LOG_ERROR, "memory", "out of memory: %zu bytes were asked for, %zu are in use", bytes, sol_memory_used ());
  exit (1);
}

void *sol_alloc (size_t bytes)
{
  void *p = take (bytes);
  if (!p) memory_gone (bytes);
  return p;
}

void *sol_realloc (void *p, size_t bytes)
{
  if (!p) return sol_alloc (bytes);
  const size_t had = head_of (p)->bytes;
  void *q = sol_alloc (bytes);
  memcpy (q, p, had < bytes ? had : bytes);
  sol_free (p);
  return q;
}

char *sol_strdup (const char *s)
{
  if (!s) return NULL;
  const size_t n = strlen (s) + 1;
  return memcpy (sol_alloc (n), s, n);
}

sol_status_t sol_alloc_large (size_t bytes, const char *what, void **mem_p)
{
  void *p = take (bytes);
  if (!p) return sol_fail (SOL_ERR_MEMORY, "memory", "%s: %zu bytes are not to be had (%zu in use)", what, bytes, sol_memory_used ());
  head_of (p)->large = 1;
  atomic_fetch_add (&large, bytes);
  *mem_p = p;
  return SOL_OK;
}

size_t sol_rooms_bytes (const sol_room_t *room, int n)
{
  size_t sum = 0;
  for (int i = 0; i < n; i++) sum += room[i].bytes;
  return sum;
}

sol_status_t sol_rooms_take (const sol_room_t *room, int n)
{
  for (int i = 0; i < n; i++) SOL_TRY (sol_alloc_large (room[i].bytes, room[i].what, room[i].p));
  return SOL_OK;
}

void sol_free (void *p)
{
  if (!p) return;
  head_t *h = head_of (p);
  h->mark = 0; /* a second free is caught by the assertion more often than not */
  atomic_fetch_sub (&used, h->bytes);
  if (h->large) atomic_fetch_sub (&large, h->bytes);
  free (h);
}

void sol_memory_count (size_t bytes, int sign)
{
  if (sign > 0) {
    count_up (bytes);
    atomic_fetch_add (&large, bytes);
  } else {
    atomic_fetch_sub (&used, bytes);
    atomic_fetch_sub (&large, bytes);
  }
}

size_t sol_memory_used (void) { return atomic_load (&used); }
size_t sol_memory_large (void) { return atomic_load (&large); }
size_t sol_memory_peak (void) { return atomic_load (&peak); }
