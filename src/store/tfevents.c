/* SPDX-License-Identifier: Apache-2.0 */
#include "tfevents.h"
#include "solera/buffer.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROOM "tensorboard"

struct sol_tfevents {
  FILE *file;
  char *path;
  sol_buffer_t event, summary, value;
};

/* ---- CRC-32C, reflected polynomial 0x82f63b78, a byte at a time */
static uint32_t crc_table[256];
static void make_table (void)
{
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int k = 0; k < 8; k++) c = c & 1 ? c >> 1 ^ 0x82f63b78u : c >> 1;
    crc_table[i] = c;
  }
}

uint32_t sol_crc32c (const void *data, size_t bytes)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  const uint8_t *p = data;
  uint32_t c = 0xffffffffu;
  pthread_once (&once, make_table);
  for (size_t i = 0; i < bytes; i++) c = crc_table[(c ^ p[i]) & 255] ^ c >> 8;
  return c ^ 0xffffffffu;
}

uint32_t sol_crc32c_masked (const void *data, size_t bytes)
{
  uint32_t c = sol_crc32c (data, bytes);
  return (c >> 15 | c << 17) + 0xa282ead8u;
}

/* ---- protobuf: a field is a key (number << 3 | wire type), then a varint, 4 or 8 bytes, or a length and bytes */
enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static void put_varint (sol_buffer_t *b, uint64_t x)
{
  do {
    uint8_t byte = (uint8_t) ((x & 127) | (x > 127 ? 128 : 0));
    sol_buffer_add (b, &byte, 1);
    x >>= 7;
  } while (x);
}
static void put_key (sol_buffer_t *b, unsigned field, unsigned wire) { put_varint (b, field << 3 | wire); }
static void put_bytes (sol_buffer_t *b, unsigned field, const void *data, size_t bytes)
{
  put_key (b, field, BYTES);
  put_varint (b, bytes);
  sol_buffer_add (b, data, bytes);
}
static void put_double (sol_buffer_t *b, unsigned field, double x)
{
  put_key (b, field, FIXED64);
  sol_buffer_add (b, &x, 8); /* little-endian, as the host */
}
static void put_float (sol_buffer_t *b, unsigned field, float x)
{
  put_key (b, field, FIXED32);
  sol_buffer_add (b, &x, 4);
}

/* Event: 1 wall_time, 2 step, 3 file_version, 5 summary, 7 session_log */
static void event_begin (sol_tfevents_t *e, int64_t step)
{
  struct timespec now;
  clock_gettime (CLOCK_REALTIME, &now);
  sol_buffer_clear (&e->event);
  put_double (&e->event, 1, (double) now.tv_sec + 1e-9 * (double) now.tv_nsec);
  put_key (&e->event, 2, VARINT);
  put_varint (&e->event, (uint64_t) step);
}

/* TFRecord: u64 length, masked CRC of it, the bytes, masked CRC of them */
static sol_status_t event_write (sol_tfevents_t *e)
{
  uint64_t length = e->event.bytes;
  uint32_t crc_length = sol_crc32c_masked (&length, 8), crc_data = sol_crc32c_masked (e->event.data, e->event.bytes);
  if (fwrite (&length, 8, 1, e->file) != 1 || fwrite (&crc_length, 4, 1, e->file) != 1 || fwrite (e->event.data, e->event.bytes, 1, e->file) != 1
      || fwrite (&crc_data, 4, 1, e->file) != 1 || fflush (e->file))
    return sol_fail (SOL_ERR_IO, ROOM, "%s: writing failed: %s", e->path, strerror (errno));
  return SOL_OK;
}

void sol_tfevents_begin (sol_tfevents_t *e, int64_t step)
{
  event_begin (e, step);
  sol_buffer_clear (&e->summary);
}

/* Summary: repeated 1 value; Value: 1 tag, 2 simple_value */
void sol_tfevents_scalar (sol_tfevents_t *e, const char *tag, float value)
{
  sol_buffer_clear (&e->value);
  put_bytes (&e->value, 1, tag, strlen (tag));
  put_float (&e->value, 2, value);
  put_bytes (&e->summary, 1, e->value.data, e->value.bytes);
}

sol_status_t sol_tfevents_end (sol_tfevents_t *e)
{
  put_bytes (&e->event, 5, e->summary.data, e->summary.bytes);
  return event_write (e);
}

static sol_status_t write_start (sol_tfevents_t *e, int64_t first_step)
{
  static const char version[] = "brain.Event:2";
  static const uint8_t start[] = { 1 << 3 | VARINT, 1 }; /* SessionLog: 1 status = START */
  event_begin (e, 0);
  put_bytes (&e->event, 3, version, sizeof version - 1);
  SOL_TRY (event_write (e));
  if (first_step <= 0) return SOL_OK;
  event_begin (e, first_step);
  put_bytes (&e->event, 7, start, sizeof start);
  return event_write (e);
}

sol_status_t sol_tfevents_open (const char *dir, int64_t first_step, sol_tfevents_t **e_p)
{
  char name[192], host[64] = "host";
  sol_tfevents_t *e;
  SOL_TRY (sol_dir_make (dir));
  gethostname (host, sizeof host - 1);
  snprintf (name, sizeof name, "events.out.tfevents.%010lld.%s.%ld", (long long) time (NULL), host, (long) getpid ());
  e = sol_alloc (sizeof *e);
  e->path = sol_path_join (dir, name);
  e->file = fopen (e->path, "abe");
  sol_status_t st = e->file ? write_start (e, first_step) : sol_fail (SOL_ERR_IO, ROOM, "%s: creating failed: %s", e->path, strerror (errno));
  if (st == SOL_OK) *e_p = e;
  else sol_tfevents_close (e);
  return st;
}

void sol_tfevents_close (sol_tfevents_t *e)
{
  if (!e) return;
  if (e->file) fclose (e->file);
  sol_free (e->path);
  sol_buffer_free (&e->event);
  sol_buffer_free (&e->summary);
  sol_buffer_free (&e->value);
  sol_free (e);
}
