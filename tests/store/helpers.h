/* SPDX-License-Identifier: Apache-2.0 */
/* helpers.h: a scratch folder, small files, and silence while hundreds of damaged inputs are tried. */
#ifndef TEST_STORE_HELPERS_H
#define TEST_STORE_HELPERS_H
#include "../tap.h"
#include "solera/file.h"
#include "solera/memory.h"
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

static char scratch[256];
static inline void scratch_make (void)
{
  const char *tmp = getenv ("TEST_TMPDIR");
  snprintf (scratch, sizeof scratch, "%.200s/store.XXXXXX", tmp ? tmp : "/tmp");
  need (mkdtemp (scratch) != NULL);
}
static inline void scratch_remove (void) { ok (sol_dir_remove (scratch) == SOL_OK); }
/* scratch/NAME in one of eight turning buffers */
static inline const char *at (const char *name)
{
  static char buf[8][1024];
  static int k;
  k = (k + 1) % 8;
  snprintf (buf[k], sizeof buf[k], "%s/%s", scratch, name);
  return buf[k];
}
static inline int put_file (const char *path, const void *data, size_t bytes)
{
  FILE *f = fopen (path, "wb");
  if (!f) return -1;
  size_t n = bytes ? fwrite (data, 1, bytes, f) : 0;
  return fclose (f) || n != bytes ? -1 : 0;
}
/* stderr to nowhere and back */
static inline void quiet (int on)
{
  static int saved = -1;
  fflush (stderr);
  if (on && saved < 0) {
    saved = dup (2);
    int fd = open ("/dev/null", O_WRONLY);
    dup2 (fd, 2);
    close (fd);
  } else if (!on && saved >= 0) {
    dup2 (saved, 2);
    close (saved);
    saved = -1;
  }
}
/* the same numbers everywhere, for fuzzing */
static inline uint32_t dice (void)
{
  static uint64_t s = 88172645463325252u;
  s ^= s << 13;
  s ^= s >> 7;
  s ^= s << 17;
  return (uint32_t) (s >> 16);
}
#endif
