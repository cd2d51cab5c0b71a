/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/memory.h"
#include "../tap.h"
#include "solera/hash.h"
#include "solera/log.h"
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* under AddressSanitizer a request that cannot be met ends the program unless it is told otherwise */
const char *__asan_default_options (void);
const char *__asan_default_options (void) { return "allocator_may_return_null=1"; }

static int dies (void (*f) (void))
{
  int status = 0;
  fflush (stdout);
  const pid_t pid = fork ();
  if (pid == 0) {
    f ();
    _exit (0);
  }
  waitpid (pid, &status, 0);
  return !(WIFEXITED (status) && WEXITSTATUS (status) == 0);
}
static void too_much (void) { sol_alloc (SIZE_MAX / 4); }
static void not_ours (void)
{
  char block[256] __attribute__ ((aligned (64))) = { 0 };
  char *volatile p = block + 128;
  sol_free (p);
}

int main (void)
{
  char *a = sol_alloc (100);
  int zero = 1;
  for (int i = 0; i < 100; i++) zero = zero && a[i] == 0;
  ok (zero);
  ok ((uintptr_t) a % 64 == 0);
  ok (sol_memory_used () == 100);
  memset (a, 7, 100);
  a = sol_realloc (a, 1000);
  ok (a[99] == 7 && a[100] == 0 && a[999] == 0);
  ok (sol_memory_used () == 1000 && sol_memory_peak () == 1100);
  a = sol_realloc (a, 10);
  ok (a[9] == 7 && sol_memory_used () == 10);
  char *s = sol_strdup ("sherry");
  ok (strcmp (s, "sherry") == 0 && sol_strdup (NULL) == NULL);
  void *big = NULL;
  ok (sol_alloc_large (SIZE_MAX - 8, "a huge thing", &big) == SOL_ERR_MEMORY && big == NULL);
  ok (sol_alloc_large (SIZE_MAX / 4, "a huge thing", &big) == SOL_ERR_MEMORY && big == NULL);
  ok (sol_alloc_large (1 << 20, "a thing", &big) == SOL_OK && big != NULL);
  sol_free (big);
  sol_free (NULL);
  sol_free (s);
  sol_free (a);
  void *none = sol_alloc (0);
  ok (none != NULL);
  sol_free (none);
  ok (dies (too_much));
  ok (dies (not_ours));
  /* XXH3-64 of the empty input with seed 0, from its specification */
  ok (sol_hash (NULL, 0) == 0x2d06800538d394c2ull);
  const unsigned char pair[16] = { 1, 0, 0, 0, 0, 0, 0, 0, 2 };
  ok (sol_hash_pair (1, 2) == sol_hash (pair, 16) && sol_hash_pair (1, 2) != sol_hash_pair (2, 1));
  return tap_done ();
}
