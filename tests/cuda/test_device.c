/* SPDX-License-Identifier: Apache-2.0 */
/* Protects: memory of a device (zeroed, bytes come back, too much is refused by name), the order that events make between streams that are run as late as they may, errors that stick to a
 * queue until one sync tells them. */
#include "both.h"

enum { N = 1000 };

static void test_memory (void)
{
  void *a, *b, *none = NULL, *pinned[2];
  int zeroed = 1, back;
  for (int i = 0; i < 2; i++) need (D->host_take (dev, N, "a test", &pinned[i]) == SOL_OK);
  char *from = pinned[0], *to = pinned[1];
  need (D->alloc (dev, N, "a test", &a) == SOL_OK && D->alloc (dev, N, "a test", &b) == SOL_OK);
  for (int i = 0; i < N; i++) from[i] = (char) (i * 7 + 1), to[i] = 1;
  D->get (qd, to, a, N);
  need (D->sync (qd) == SOL_OK);
  for (int i = 0; i < N; i++) zeroed &= to[i] == 0;
  ok (zeroed);
  D->put (qd, a, from, N);
  D->copy (qd, b, a, N);
  D->zero (qd, (char *) b + 10, 5);
  D->get (qd, to, b, N);
  need (D->sync (qd) == SOL_OK);
  back = !memcmp (to, from, 10) && !memcmp (to + 15, from + 15, N - 15);
  for (int i = 10; i < 15; i++) back &= to[i] == 0;
  ok (back);
  D->put (qd, a, from, 0); /* nothing is nothing */
  D->get (qd, to, a, 0);
  ok (D->sync (qd) == SOL_OK && sol_backend_host (dev, a) == NULL && ((uintptr_t) a & 63) == 0);
  ok (D->alloc (dev, (size_t) 1 << 50, "far too much", &none) == SOL_ERR_MEMORY && !none);
  D->free (dev, a);
  D->free (dev, b);
  for (int i = 0; i < 2; i++) D->host_give (dev, pinned[i]);
}

/* what one queue writes another reads behind an event only */
static void test_events (void)
{
  sol_queue_t *copy = sol_backend_queue (dev, SOL_QUEUE_COPY);
  sol_event_t *e, *back;
  void *mem, *pinned;
  int good = 1;
  need (D->host_take (dev, 2 * sizeof (int), "a test", &pinned) == SOL_OK);
  int *sent = pinned, *got = sent + 1;
  need (copy != qd && D->event_create (dev, &e) == SOL_OK && D->event_create (dev, &back) == SOL_OK && D->alloc (dev, sizeof (int), "a test", &mem) == SOL_OK);
  for (int i = 1; i < 20; i++) {
    *sent = i, *got = -1;
    D->put (qd, mem, sent, sizeof i);
    D->record (qd, e);
    D->wait (copy, e);
    D->get (copy, got, mem, sizeof *got);
    D->record (copy, back);
    D->wait (qd, back); /* the next put waits for this get */
    good &= D->sync (copy) == SOL_OK && *got == i;
  }
  ok (good && D->sync (qd) == SOL_OK);
  D->event_destroy (dev, e);
  D->event_destroy (dev, back);
  D->free (dev, mem);
  D->host_give (dev, pinned);
}

/* a vocabulary that sampling cannot hold: told by one sync, gone with it */
static void test_errors (void)
{
  void *mem;
  need (D->alloc (dev, 64, "a test", &mem) == SOL_OK);
  const sol_tensor_t logits = sol_tensor (mem, SOL_F32, 1, (int64_t) 1 << 30), partial = sol_tensor (mem, SOL_F32, 1, 4), draws = sol_tensor (mem, SOL_I32, 1, 4), ids = sol_tensor (mem, SOL_I32, 1, 1);
  D->sample (qd, logits, partial, 1, 1, draws, 0, 0, 1, ids);
  ok (D->sync (qd) == SOL_ERR_LIMIT);
  ok (D->sync (qd) == SOL_OK);
  D->free (dev, mem);
}

int main (void)
{
  both_open ();
  test_memory ();
  test_events ();
  test_errors ();
  both_close ();
  return tap_done ();
}
