/* SPDX-License-Identifier: Apache-2.0 */
/* helpers.h: rows of a JSON-lines file of test data, and damaged copies of files for readers that must refuse them. */
#ifndef TEST_TEXT_HELPERS_H
#define TEST_TEXT_HELPERS_H
#include "../tap.h"
#include "solera/buffer.h"
#include "solera/file.h"
#include "solera/json.h"
#include "solera/log.h"
#include <cjson/cJSON.h>
#include <string.h>

/* path of a file of test data; of a scratch file */
static inline char *data_path (const char *name)
{
  const char *top = getenv ("top_srcdir");
  sol_buffer_t b = { 0 };
  sol_buffer_printf (&b, "%s/tests/data/%s", top ? top : ".", name);
  return b.data;
}
static inline char *scratch_path (const char *name)
{
  const char *tmp = getenv ("TEST_TMPDIR");
  need (tmp != NULL);
  return sol_path_join (tmp, name);
}

/* calls fn for every row; the file must have some */
static inline void each_row (const char *path, void (*fn) (void *ctx, const cJSON *row), void *ctx)
{
  char *data, why[128];
  size_t bytes;
  int n = 0;
  need (sol_file_read (path, 0, &data, &bytes) == SOL_OK);
  for (char *p = data, *end; p < data + bytes; p = end + 1, n++) {
    cJSON *row;
    end = memchr (p, '\n', (size_t) (data + bytes - p));
    if (!end) end = data + bytes;
    need (sol_json_parse (p, (size_t) (end - p), &row, why) == SOL_OK);
    fn (ctx, row);
    cJSON_Delete (row);
  }
  need (n > 0);
  sol_free (data);
}

/* Writes damaged copies of from to to and calls try for each: cut at every step-th byte, then one bit flipped at every step-th byte. try returns whether the reader accepted the
 * file; it must never crash. Returns how many of the cut files were accepted; *flips_p: how many of the flipped. */
static inline int damage (const char *from, const char *to, size_t step, int (*try) (void *ctx), void *ctx, int *flips_p)
{
  char *data;
  size_t bytes;
  int cut = 0, flips = 0;
  need (sol_file_read (from, 0, &data, &bytes) == SOL_OK);
  for (size_t i = 0; i < bytes; i += step) {
    FILE *f = fopen (to, "wb");
    need (f && fwrite (data, 1, i, f) == i && fclose (f) == 0);
    cut += try (ctx);
  }
  for (size_t i = 0; i < bytes; i += step) {
    data[i] ^= (char) (1 << (i / step % 8));
    FILE *f = fopen (to, "wb");
    need (f && fwrite (data, 1, bytes, f) == bytes && fclose (f) == 0);
    flips += try (ctx);
    data[i] ^= (char) (1 << (i / step % 8));
  }
  sol_free (data);
  *flips_p = flips;
  return cut;
}
#endif
