/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_table.c: spelling -> id, pair of ids -> merge, and the alphabet in which byte-level BPE spells bytes. */
#include "solera/hash.h"
#include "solera/memory.h"
#include "solera/utf8.h"
#include "tokenizer_internal.h"
#include <string.h>

/* Bytes that are printable in Latin-1 stand for themselves; the other 68 are U+0100 onwards, in order (the alphabet of GPT-2). */
static int is_plain (int c) { return (c >= 33 && c <= 126) || (c >= 161 && c <= 172) || (c >= 174 && c <= 255); }

int sol_char_byte (int32_t cp)
{
  if (cp < 256) return is_plain (cp) ? cp : -1;
  if (cp < 256 + 33) return cp - 256;        /* 0..32 */
  if (cp < 256 + 33 + 34) return cp - 256 - 33 + 127; /* 127..160 */
  return cp == 256 + 67 ? 173 : -1;
}

int32_t sol_byte_char (int byte)
{
  if (is_plain (byte)) return byte;
  return byte <= 32 ? 256 + byte : byte == 173 ? 256 + 67 : 256 + 33 + byte - 127;
}

void sol_bytes_spell (sol_buffer_t *out, const char *text, size_t bytes)
{
  char c[4];
  for (size_t i = 0; i < bytes; i++) sol_buffer_add (out, c, (size_t) sol_utf8_put (sol_byte_char ((unsigned char) text[i]), c));
}

int sol_spelling_bytes (sol_buffer_t *out, const char *name, size_t bytes)
{
  size_t start = out->bytes;
  for (size_t i = 0; i < bytes;) {
    int32_t cp = -1;
    int n = sol_utf8_next (name + i, bytes - i, &cp), byte = n > 0 ? sol_char_byte (cp) : -1;
    if (byte < 0) {
      if (out->data) out->data[out->bytes = start] = 0;
      sol_buffer_add (out, name, bytes);
      return 0;
    }
    char c = (char) byte;
    sol_buffer_add (out, &c, 1);
    i += (size_t) n;
  }
  return 1;
}

int sol_fallback_byte (const char *name, size_t bytes)
{
  int byte = 0;
  if (bytes != 6 || memcmp (name, "<0x", 3) || name[5] != '>') return -1;
  for (int i = 3; i < 5; i++) {
    const char c = name[i];
    if (c >= '0' && c <= '9') byte = byte * 16 + c - '0';
    else if (c >= 'A' && c <= 'F') byte = byte * 16 + c - 'A' + 10;
    else if (c >= 'a' && c <= 'f') byte = byte * 16 + c - 'a' + 10;
    else return -1;
  }
  return byte;
}

static uint32_t table_mask (size_t most)
{
  uint32_t n = 16;
  while (n < 2 * most) n *= 2;
  return n - 1;
}

void sol_name_table_create (sol_name_table_t *table, size_t most)
{
  table->mask = table_mask (most);
  table->slot = sol_alloc ((table->mask + (size_t) 1) * sizeof *table->slot);
}

int32_t sol_name_table_get (const sol_name_table_t *table, const sol_tokenizer_t *t, const char *name, size_t bytes)
{
  for (uint32_t i = (uint32_t) sol_hash (name, bytes) & table->mask; table->slot[i]; i = (i + 1) & table->mask) {
    const sol_span_t s = t->name[table->slot[i] - 1];
    if (s.bytes == bytes && !memcmp (t->names.data + s.at, name, bytes)) return table->slot[i] - 1;
  }
  return -1;
}

int32_t sol_model_token (const sol_tokenizer_t *t, const char *name, size_t bytes)
{
  const int32_t id = sol_name_table_get (&t->by_name, t, name, bytes);
  return id >= 0 && t->in_model[id] ? id : -1;
}

void sol_name_table_put (sol_name_table_t *table, const sol_tokenizer_t *t, int32_t id)
{
  const sol_span_t s = t->name[id];
  uint32_t i = (uint32_t) sol_hash (t->names.data + s.at, s.bytes) & table->mask;
  while (table->slot[i]) i = (i + 1) & table->mask;
  table->slot[i] = id + 1;
}

void sol_merge_table_create (sol_merge_table_t *table, size_t most)
{
  table->mask = table_mask (most);
  table->slot = sol_alloc ((table->mask + (size_t) 1) * sizeof *table->slot);
}

/* Fibonacci hashing: the high bits of the product are well mixed */
static uint32_t pair_slot (uint64_t pair, uint32_t mask) { return (uint32_t) ((pair * 0x9e3779b97f4a7c15u) >> 32) & mask; }
static uint64_t pair_of (int32_t left, int32_t right) { return ((uint64_t) left << 32 | (uint32_t) right) + 1; }

void sol_merge_table_put (sol_merge_table_t *table, int32_t left, int32_t right, int32_t rank, int32_t id)
{
  uint64_t pair = pair_of (left, right);
  uint32_t i = pair_slot (pair, table->mask);
  while (table->slot[i].pair && table->slot[i].pair != pair) i = (i + 1) & table->mask;
  table->slot[i] = (sol_merge_t) { pair, rank, id };
}

const sol_merge_t *sol_merge_table_get (const sol_merge_table_t *table, int32_t left, int32_t right)
{
  uint64_t pair = pair_of (left, right);
  for (uint32_t i = pair_slot (pair, table->mask); table->slot[i].pair; i = (i + 1) & table->mask)
    if (table->slot[i].pair == pair) return &table->slot[i];
  return NULL;
}
