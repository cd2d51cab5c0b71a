/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/safetensors.h"
#include "helpers.h"
#include "solera/log.h"
#include <math.h>

static sol_weight_row_t rows[3];
static const sol_table_t small = { 3, rows, 12 + 5 + 6 };

static void small_table (void)
{
  rows[0] = (sol_weight_row_t){ .name = "a.weight", .offset = 0, .rows = 3, .cols = 4 };
  rows[1] = (sol_weight_row_t){ .name = "b.bias", .offset = 12, .rows = 1, .cols = 5, .vector = 1 };
  rows[2] = (sol_weight_row_t){ .name = "c.weight", .offset = 17, .rows = 2, .cols = 3 };
}

/* one safetensors file: header text, then data; claim: header length to write, or its own when negative */
static void put_tensors (const char *path, const char *header, const void *data, size_t bytes, int64_t claim)
{
  size_t n = strlen (header);
  uint64_t length = claim < 0 ? n : (uint64_t) claim;
  uint8_t *all = sol_alloc (8 + n + bytes);
  memcpy (all, &length, 8);
  memcpy (all + 8, header, n);
  if (bytes) memcpy (all + 8 + n, data, bytes);
  need (put_file (path, all, 8 + n + bytes) == 0);
  sol_free (all);
}

#define GOOD "{\"__metadata__\":{\"format\":\"pt\"},\"c.weight\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[58,70]},\"a.weight\":{\"dtype\":\"F32\",\"shape\":[3,4]," \
             "\"data_offsets\":[0,48]},\"b.bias\":{\"dtype\":\"F16\",\"shape\":[5],\"data_offsets\":[48,58]}}"

static uint8_t good_data[70];
static void make_good (void)
{
  const float a[12] = { 1, -2, 3.25f, 0x1p-149f, 5, 6, 7, 8, 9, 10, 11, -0.0f };
  const uint16_t b[5] = { 0x3c00, 0xc000, 0x0001, 0x7bff, 0x8000 }, c[6] = { 0x3f80, 0xbf80, 0x0001, 0x4049, 0x7f7f, 0x8000 };
  memcpy (good_data, a, 48);
  memcpy (good_data + 48, b, 10);
  memcpy (good_data + 58, c, 12);
}

static void test_small (void)
{
  float w[23];
  const float b[5] = { 1, -2, 0x1p-24f, 65504, -0.0f }, c[6] = { 1, -1, 0x1p-133f, 3.140625f, 0x1.fep127f, -0.0f };
  need (sol_dir_make (at ("small")) == SOL_OK);
  put_tensors (at ("small/model.safetensors"), GOOD, good_data, 70, -1);
  ok (sol_safetensors_load (at ("small"), &small, 0, w) == SOL_OK);
  ok (!memcmp (w, good_data, 48) && !memcmp (w + 12, b, 20) && !memcmp (w + 17, c, 24));
  put_tensors (at ("small/model.safetensors"), GOOD " ", good_data, 70, -1); /* another alignment of the data */
  memset (w, 0, sizeof w);
  ok (sol_safetensors_load (at ("small"), &small, 0, w) == SOL_OK && !memcmp (w + 12, b, 20) && !memcmp (w + 17, c, 24));
}

/* every 16-bit pattern against arithmetic on its fields */
static void test_widen (void)
{
  sol_weight_row_t row = { .name = "h", .rows = 256, .cols = 256 };
  const sol_table_t t = { 1, &row, 65536 };
  uint16_t *in = sol_alloc (131072);
  float *out = sol_alloc (262144);
  int bad_f16 = 0, bad_bf16 = 0;
  for (int i = 0; i < 65536; i++) in[i] = (uint16_t) i;
  need (sol_dir_make (at ("wide")) == SOL_OK);
  put_tensors (at ("wide/model.safetensors"), "{\"h\":{\"dtype\":\"F16\",\"shape\":[256,256],\"data_offsets\":[0,131072]}}", in, 131072, -1);
  ok (sol_safetensors_load (at ("wide"), &t, 0, out) == SOL_OK);
  for (int i = 0; i < 65536; i++) {
    int e = i >> 10 & 31, m = i & 1023;
    double x = e == 31 ? (m ? NAN : INFINITY) : ldexp (e ? m + 1024 : m, e ? e - 25 : -24);
    if (i & 0x8000) x = -x;
    bad_f16 += isnan (x) ? !isnan (out[i]) : !(out[i] == (float) x && !signbit (out[i]) == !signbit (x));
  }
  ok (bad_f16 == 0);
  put_tensors (at ("wide/model.safetensors"), "{\"h\":{\"dtype\":\"BF16\",\"shape\":[256,256],\"data_offsets\":[0,131072]}}", in, 131072, -1);
  ok (sol_safetensors_load (at ("wide"), &t, 0, out) == SOL_OK);
  for (int i = 0; i < 65536; i++) {
    uint32_t u;
    memcpy (&u, out + i, 4);
    bad_bf16 += u != (uint32_t) i << 16;
  }
  ok (bad_bf16 == 0);
  sol_free (in);
  sol_free (out);
}

static void test_malformed (void)
{
  static const struct { const char *what, *header; int64_t claim; size_t bytes; } bad[] = {
    { "not JSON", "{\"a.weight\":", -1, 70 },
    { "a list", "[]", -1, 70 },
    { "text behind", GOOD "x", -1, 70 },
    { "header longer than the file", GOOD, 100000, 70 },
    { "header length near 2^63", GOOD, INT64_MAX, 70 },
    { "data too short", GOOD, -1, 69 },
    { "data too long", GOOD, -1, 71 },
    { "no tensors", "{}", -1, 0 },
    { "one missing", "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[3,4],\"data_offsets\":[0,48]},\"b.bias\":{\"dtype\":\"F16\",\"shape\":[5],\"data_offsets\":[48,58]}}", -1, 58 },
    { "overlap", "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[3,4],\"data_offsets\":[0,48]},\"b.bias\":{\"dtype\":\"F16\",\"shape\":[5],\"data_offsets\":[40,50]},"
                 "\"c.weight\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[50,62]}}", -1, 62 },
    { "a hole", "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[3,4],\"data_offsets\":[0,48]},\"b.bias\":{\"dtype\":\"F16\",\"shape\":[5],\"data_offsets\":[50,60]},"
                "\"c.weight\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[60,72]}}", -1, 72 },
    { "named twice", "{\"b.bias\":{\"dtype\":\"F16\",\"shape\":[5],\"data_offsets\":[0,10]},\"b.bias\":{\"dtype\":\"F16\",\"shape\":[5],\"data_offsets\":[10,20]}}", -1, 20 },
    { "unknown tensor", "{\"z\":{\"dtype\":\"F16\",\"shape\":[5],\"data_offsets\":[0,10]}}", -1, 10 },
    { "wrong shape", "{\"b.bias\":{\"dtype\":\"F16\",\"shape\":[5,1],\"data_offsets\":[0,10]}}", -1, 10 },
    { "transposed", "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[4,3],\"data_offsets\":[0,48]}}", -1, 48 },
    { "negative dimension", "{\"b.bias\":{\"dtype\":\"F16\",\"shape\":[-5],\"data_offsets\":[0,10]}}", -1, 10 },
    { "fraction", "{\"b.bias\":{\"dtype\":\"F16\",\"shape\":[5.5],\"data_offsets\":[0,10]}}", -1, 10 },
    { "product overflows", "{\"b.bias\":{\"dtype\":\"F16\",\"shape\":[4294967296,4294967296,4294967296],\"data_offsets\":[0,0]}}", -1, 0 },
    { "nine dimensions", "{\"b.bias\":{\"dtype\":\"F16\",\"shape\":[1,1,1,1,1,1,1,1,5],\"data_offsets\":[0,10]}}", -1, 10 },
    { "begin after end", "{\"b.bias\":{\"dtype\":\"F16\",\"shape\":[5],\"data_offsets\":[10,0]}}", -1, 10 },
    { "huge offsets", "{\"b.bias\":{\"dtype\":\"F16\",\"shape\":[5],\"data_offsets\":[1e18,1e19]}}", -1, 10 },
    { "unknown dtype", "{\"b.bias\":{\"dtype\":\"F17\",\"shape\":[5],\"data_offsets\":[0,10]}}", -1, 10 },
    { "dtype not read", "{\"b.bias\":{\"dtype\":\"I16\",\"shape\":[5],\"data_offsets\":[0,10]}}", -1, 10 },
    { "no dtype", "{\"b.bias\":{\"shape\":[5],\"data_offsets\":[0,10]}}", -1, 10 },
    { "no shape", "{\"b.bias\":{\"dtype\":\"F16\",\"data_offsets\":[0,10]}}", -1, 10 },
    { "no offsets", "{\"b.bias\":{\"dtype\":\"F16\",\"shape\":[5]}}", -1, 10 },
    { "entry is a number", "{\"b.bias\":7}", -1, 0 },
  };
  float w[23];
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    uint8_t data[80] = { 0 };
    int touched = 0;
    for (int k = 0; k < 23; k++) w[k] = 77;
    put_tensors (at ("small/model.safetensors"), bad[i].header, data, bad[i].bytes, bad[i].claim);
    sol_status_t st = sol_safetensors_load (at ("small"), &small, 0, w);
    for (int k = 0; k < 23; k++) touched |= w[k] != 77;
    tap_ok (st > SOL_STOPPED && !touched && sol_safetensors_check (at ("small"), &small, 0) == st, "%s: refused, block untouched", bad[i].what);
  }
}

/* what is refused says the file, the tensor, what was expected and what was found */
static void test_messages (void)
{
  static const struct { const char *header, *tensor, *expected, *found; size_t bytes; } bad[] = {
    { "{\"z\":{\"dtype\":\"F16\",\"shape\":[5],\"data_offsets\":[0,10]}}", "tensor z", "architecture only", "one more", 10 },
    { "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[4,3],\"data_offsets\":[0,48]}}", "tensor a.weight", "expected shape [3, 4]", "found [4, 3]", 48 },
    { "{\"b.bias\":{\"dtype\":\"I16\",\"shape\":[5],\"data_offsets\":[0,10]}}", "tensor b.bias", "F32, BF16 or F16", "found I16", 10 },
    { "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[3,4],\"data_offsets\":[0,48]}}", "tensor b.bias", "by config.json", "found in no file (2 of 3 missing)", 48 },
  };
  uint8_t data[80] = { 0 };
  float w[23];
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char *text;
    size_t bytes;
    put_tensors (at ("small/model.safetensors"), bad[i].header, data, bad[i].bytes, -1);
    sol_dir_remove (at ("log"));
    need (sol_log_file (at ("log")) == 0);
    quiet (1);
    sol_safetensors_load (at ("small"), &small, 0, w);
    quiet (0);
    sol_log_file (NULL);
    need (sol_file_read (at ("log"), 0, &text, &bytes) == SOL_OK);
    tap_ok (strstr (text, at ("small")) && strstr (text, bad[i].tensor) && strstr (text, bad[i].expected) && strstr (text, bad[i].found), "%s: %s, %s", bad[i].tensor, bad[i].expected, bad[i].found);
    sol_free (text);
  }
}

static void test_ignored (void)
{
  const sol_table_t two = { 2, rows, 17 };
  static const char h[] = "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[3,4],\"data_offsets\":[0,48]},\"b.bias\":{\"dtype\":\"F16\",\"shape\":[5],\"data_offsets\":[48,58]},"
                          "\"lm_head.weight\":{\"dtype\":\"BF16\",\"shape\":[6],\"data_offsets\":[58,70]}}";
  static const char f[] = "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[3,4],\"data_offsets\":[0,48]},\"b.bias\":{\"dtype\":\"F16\",\"shape\":[5],\"data_offsets\":[48,58]},"
                          "\"model.layers.0.self_attn.rotary_emb.inv_freq\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[58,70]}}";
  float w[23];
  put_tensors (at ("small/model.safetensors"), h, good_data, 70, -1);
  ok (sol_safetensors_load (at ("small"), &two, 1, w) == SOL_OK && sol_safetensors_check (at ("small"), &two, 1) == SOL_OK);
  ok (sol_safetensors_load (at ("small"), &two, 0, w) == SOL_ERR_FORMAT);
  put_tensors (at ("small/model.safetensors"), f, good_data, 70, -1);
  ok (sol_safetensors_load (at ("small"), &two, 0, w) == SOL_OK);
}

static sol_status_t load_index (const char *index, float *w)
{
  need (put_file (at ("shards/model.safetensors.index.json"), index, strlen (index)) == 0);
  return sol_safetensors_load (at ("shards"), &small, 0, w);
}

static void test_index (void)
{
  float w[23], v[23];
  put_tensors (at ("small/model.safetensors"), GOOD, good_data, 70, -1);
  need (sol_safetensors_load (at ("small"), &small, 0, w) == SOL_OK);
  need (sol_dir_make (at ("shards/sub")) == SOL_OK);
  static const char one[] = "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[3,4],\"data_offsets\":[0,48]}}";
  static const char two[] = "{\"b.bias\":{\"dtype\":\"F16\",\"shape\":[5],\"data_offsets\":[0,10]},\"c.weight\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[10,22]}}";
  put_tensors (at ("shards/x-1.safetensors"), one, good_data, 48, -1);
  put_tensors (at ("x-1.safetensors"), one, good_data, 48, -1); /* reachable only by leaving the folder */
  put_tensors (at ("shards/sub/x-1.safetensors"), one, good_data, 48, -1);
  put_tensors (at ("shards/x-2.safetensors"), two, good_data + 48, 22, -1);
#define REST "\"b.bias\":\"x-2.safetensors\",\"c.weight\":\"x-2.safetensors\"}}"
  ok (load_index ("{\"metadata\":{},\"weight_map\":{\"a.weight\":\"x-1.safetensors\"," REST, v) == SOL_OK && !memcmp (v, w, sizeof w));
  ok (load_index ("{\"weight_map\":{\"a.weight\":\"../x-1.safetensors\"," REST, v) == SOL_ERR_FORMAT);
  ok (load_index ("{\"weight_map\":{\"a.weight\":\"sub/x-1.safetensors\"," REST, v) == SOL_ERR_FORMAT);
  ok (load_index ("{\"weight_map\":{\"a.weight\":\"/etc/passwd\"," REST, v) == SOL_ERR_FORMAT);
  ok (load_index ("{\"weight_map\":{\"a.weight\":\".safetensors\"," REST, v) == SOL_ERR_FORMAT);
  ok (load_index ("{\"weight_map\":{\"a.weight\":7," REST, v) == SOL_ERR_FORMAT);
  ok (load_index ("{\"weight_map\":{\"a.weight\":\"x-3.safetensors\"," REST, v) == SOL_ERR_IO);       /* no such file */
  ok (load_index ("{\"weight_map\":{\"a.weight\":\"x-2.safetensors\"," REST, v) == SOL_ERR_FORMAT);   /* not in that file */
  ok (load_index ("{\"weight_map\":{" REST, v) == SOL_ERR_FORMAT);                                      /* missing */
  ok (load_index ("{\"weight_map\":{\"b.bias\":\"x-2.safetensors\",\"a.weight\":\"x-1.safetensors\"," REST, v) == SOL_ERR_FORMAT); /* twice */
  ok (load_index ("{\"weight_map\":{\"a.weight\":\"x-1.safetensors\",\"z\":\"x-2.safetensors\"," REST, v) == SOL_ERR_FORMAT);
  ok (load_index ("{\"weight_map\":{}}", v) == SOL_ERR_FORMAT && load_index ("{\"weight_map\":[]}", v) == SOL_ERR_FORMAT && load_index ("", v) == SOL_ERR_FORMAT);
  ok (sol_safetensors_load (at ("nowhere"), &small, 0, v) == SOL_ERR_IO);
}

/* no damage crashes; a cut file is never accepted */
static void test_fuzz (void)
{
  size_t n = strlen (GOOD), bytes = 8 + n + 70;
  uint8_t all[1024];
  float w[23];
  uint64_t length = n;
  int accepted = 0, flips = 0, taken = 0;
  need (bytes < sizeof all);
  memcpy (all, &length, 8);
  memcpy (all + 8, GOOD, n);
  memcpy (all + 8 + n, good_data, 70);
  quiet (1);
  for (size_t k = 0; k < bytes; k++) {
    put_file (at ("small/model.safetensors"), all, k);
    accepted += sol_safetensors_load (at ("small"), &small, 0, w) == SOL_OK;
  }
  for (size_t k = 0; k < 8 + n; k++)
    for (int bit = 0; bit < 8; bit++, flips++) {
      all[k] ^= (uint8_t) (1 << bit);
      put_file (at ("small/model.safetensors"), all, bytes);
      taken += sol_safetensors_load (at ("small"), &small, 0, w) == SOL_OK;
      all[k] ^= (uint8_t) (1 << bit);
    }
  for (int k = 0; k < 2000; k++, flips++) {
    uint8_t other[1024];
    memcpy (other, all, bytes);
    for (int i = 0; i < 4; i++) other[dice () % (8 + n)] = (uint8_t) dice ();
    put_file (at ("small/model.safetensors"), other, bytes);
    taken += sol_safetensors_load (at ("small"), &small, 0, w) == SOL_OK;
  }
  quiet (0);
  ok (accepted == 0);
  tap_ok (taken < flips / 4, "%d of %d damaged headers were still equivalent, none crashed", taken, flips);
}

int main (void)
{
  scratch_make ();
  small_table ();
  make_good ();
  test_small ();
  test_widen ();
  test_malformed ();
  test_messages ();
  test_ignored ();
  test_index ();
  test_fuzz ();
  scratch_remove ();
  return tap_done ();
}
