/* SPDX-License-Identifier: Apache-2.0 */
/* Protects: which backends there are and why one cannot run, refusals by name, arenas that need what they measured, errors that stick to a queue until sync. */
#include "../../src/backend/backend_internal.h"
#include "../tap.h"
#include "solera/log.h"
#include <string.h>

float *sol_queue_floats (sol_queue_t *q, int64_t n);
void sol_queue_error (sol_queue_t *q, sol_status_t st);

static void test_probe (void)
{
  const char *name;
  char reason[300], tiny[4];
  ok (sol_backend_probe (0, &name, reason, sizeof reason) == 1 && !strcmp (name, "cpu") && !strcmp (reason, sol_backend_isa ()));
  ok (sol_backend_probe (1, &name, reason, sizeof reason) == 1 && !strcmp (name, "ref"));
  ok (sol_backend_probe (2, &name, reason, sizeof reason) == 0 && !strcmp (name, "cuda") && reason[0]);
  ok (sol_backend_probe (0, &name, tiny, sizeof tiny) == 1 && strlen (tiny) < sizeof tiny);
  ok (sol_backend_probe (5, &name, reason, sizeof reason) == -1 && sol_backend_probe (-1, &name, reason, sizeof reason) == -1);
}

static void test_create (void)
{
  sol_backend_t *b = NULL;
  ok (sol_backend_create ("gpu", 1, NULL, &b) == SOL_ERR_USAGE && !b);
  ok (sol_backend_create ("", 1, NULL, &b) == SOL_ERR_USAGE && !b);
  ok (sol_backend_create ("cpu", 1, "sse9", &b) == SOL_ERR_UNSUPPORTED && !b);
  ok (sol_backend_create ("cuda", 1, NULL, &b) == SOL_ERR_UNSUPPORTED && !b);
  setenv ("SOLERA_ISA", "mmx", 1);
  ok (sol_backend_create ("cpu", 1, NULL, &b) == SOL_ERR_UNSUPPORTED && !b);
  setenv ("SOLERA_ISA", "portable", 1);
  need (sol_backend_create ("auto", 1, NULL, &b) == SOL_OK);
  ok (!strcmp (sol_backend_describe (b), "cpu (portable, 1 thread)") && !strcmp (sol_backend_ops (b)->name, "cpu"));
  sol_backend_destroy (b);
  unsetenv ("SOLERA_ISA");
  need (sol_backend_create ("cpu", 3, "portable", &b) == SOL_OK);
  ok (!strcmp (sol_backend_describe (b), "cpu (portable, 3 threads)"));
  sol_backend_destroy (b);
  need (sol_backend_create ("ref", 0, NULL, &b) == SOL_OK);
  ok (!strcmp (sol_backend_describe (b), "ref"));
  ok (sol_backend_ops (b)->abi == SOL_OPS_ABI && sol_backend_ops (b)->bytes == sizeof (sol_ops_t));
  sol_backend_destroy (b);
  sol_backend_destroy (NULL);
}

/* no entry of a table is missing */
static void test_tables (void)
{
  static const char *const isa[] = { "portable", "avx2", "avx512" };
  for (int i = -1; i < 3; i++) {
    const sol_ops_t *t = i < 0 ? &sol_ops_ref : sol_ops_cpu (isa[i]);
    const char *from = (const char *) (t ? &t->alloc : NULL), *end = (const char *) t + sizeof *t;
    int whole = 1;
    if (!t) continue;
    for (; from < end; from += sizeof (void *)) {
      void *p;
      memcpy (&p, from, sizeof p);
      whole &= p != NULL || (from >= (const char *) &t->graph_begin && from <= (const char *) &t->graph_destroy); /* the host has none */
    }
    tap_ok (whole, "every op of %s is there", i < 0 ? "ref" : isa[i]);
  }
}

static sol_tensor_t cut (sol_arena_t *a, size_t *between)
{
  size_t mark;
  sol_tensor_t t = sol_arena_tensor (a, SOL_F32, 3, 5);
  mark = sol_arena_mark (a);
  sol_arena_tensor (a, SOL_BF16, 100, 7);
  *between = a->used;
  sol_arena_release (a, mark);
  sol_arena_take (a, 0);
  sol_arena_tensor (a, SOL_I32, 1, 9);
  return t;
}
static void test_arena (void)
{
  sol_backend_t *b;
  sol_arena_t measure = { 0 }, a, empty;
  size_t m1, m2;
  need (sol_backend_create ("cpu", 1, NULL, &b) == SOL_OK);
  ok (!cut (&measure, &m1).at);
  need (sol_arena_create (b, measure.peak, "test", &a) == SOL_OK);
  sol_tensor_t t = cut (&a, &m2);
  ok (m1 == m2 && measure.used == a.used && measure.peak == a.peak && a.peak <= a.room);
  ok (t.at == a.base && ((uintptr_t) t.at & 63) == 0 && t.rows == 3 && t.cols == 5 && t.stride == 5);
  ok (((uintptr_t) sol_arena_take (&measure, 1) | measure.used % 64) == 0);
  need (sol_arena_create (b, 0, "nothing", &empty) == SOL_OK);
  sol_arena_destroy (b, &a);
  sol_arena_destroy (b, &empty);
  ok (!a.base && a.used == 0);
  sol_arena_destroy (b, &a);
  ok (sol_arena_create (b, SIZE_MAX - 64, "too much", &a) == SOL_ERR_MEMORY);
  sol_backend_destroy (b);
}

static void test_queue (void)
{
  sol_backend_t *b;
  need (sol_backend_create ("cpu", 1, NULL, &b) == SOL_OK);
  sol_queue_t *q = sol_backend_queue (b, SOL_QUEUE_COMPUTE), *other = sol_backend_queue (b, SOL_QUEUE_COPY);
  const sol_ops_t *o = sol_backend_ops (b);
  char from[5] = "abcd", to[5] = "", *mem;
  ok (o->sync (q) == SOL_OK);
  sol_queue_error (q, SOL_ERR_MEMORY);
  sol_queue_error (q, SOL_ERR_FORMAT);
  ok (o->sync (other) == SOL_OK);
  ok (o->sync (q) == SOL_ERR_MEMORY && o->sync (q) == SOL_OK);
  ok (sol_queue_floats (q, 3000000) != NULL && o->sync (q) == SOL_OK); /* the room grows */
  ok (sol_queue_floats (q, INT64_MAX / 10 * 4) == NULL && o->sync (q) == SOL_ERR_MEMORY);
  ok (sol_queue_floats (q, 10) != NULL);
  need (o->alloc (b, 5, "test", (void **) &mem) == SOL_OK);
  o->put (q, mem, from, 5);
  o->get (q, to, mem, 5);
  ok (o->sync (q) == SOL_OK && !strcmp (to, "abcd") && sol_backend_host (b, mem) == mem && ((uintptr_t) mem & 63) == 0);
  o->zero (q, mem, 2);
  o->copy (q, to, mem, 5);
  o->copy (q, to, NULL, 0);
  o->zero (q, NULL, 0);
  ok (!memcmp (to, "\0\0cd", 5));
  o->free (b, mem);
  sol_backend_destroy (b);
}

int main (void)
{
  sol_log_level (SOL_LOG_ERROR + 1);
  test_probe ();
  test_create ();
  test_tables ();
  test_arena ();
  test_queue ();
  return tap_done ();
}
