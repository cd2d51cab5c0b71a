/* SPDX-License-Identifier: Apache-2.0 */
/* The ids and texts of the reference for SmolLM2; the rules of added tokens; long words; stop strings; files that lie. */
#include "helpers.h"
#include "solera/random.h"
#include "solera/tokenizer.h"

static sol_tokenizer_t *load (const char *folder)
{
  sol_tokenizer_t *t = NULL;
  return sol_tokenizer_load (folder, &t) == SOL_OK ? t : NULL;
}

/* the model's folder, its tokenizer.json unpacked */
static char *unpack (void)
{
  char *folder = scratch_path ("smollm2"), *from = data_path ("smollm2");
  sol_buffer_t cmd = { 0 };
  sol_buffer_printf (&cmd, "mkdir -p '%s' && cp '%s'/*.json '%s' && gzip -dc '%s/tokenizer.json.gz' >'%s/tokenizer.json'", folder, from, folder, from, folder);
  need (system (cmd.data) == 0);
  sol_buffer_free (&cmd);
  sol_free (from);
  return folder;
}

typedef struct { const sol_tokenizer_t *t; int good, bad; } count_t;

static sol_ids_t ids_of (const cJSON *row)
{
  sol_ids_t ids = { 0 };
  const cJSON *item;
  cJSON_ArrayForEach (item, cJSON_GetObjectItem (row, "ids")) sol_ids_add (&ids, item->valueint);
  return ids;
}

static void encode_row (void *ctx, const cJSON *row)
{
  count_t *c = ctx;
  sol_buffer_t text = { 0 };
  sol_ids_t want = ids_of (row), got = { 0 };
  need (sol_json_text (row, "text", &text));
  int same = sol_tokenizer_encode (c->t, text.data ? text.data : "", text.bytes, &got, NULL) == SOL_OK && got.n == want.n
             && (want.n == 0 || !memcmp (got.data, want.data, (size_t) want.n * sizeof *want.data));
  same ? c->good++ : c->bad++;
  if (!same) printf ("# %s differs\n", sol_json_string (row, "id"));
  sol_ids_free (&want);
  sol_ids_free (&got);
  sol_buffer_free (&text);
}

static void decode_row (void *ctx, const cJSON *row)
{
  count_t *c = ctx;
  sol_ids_t ids = ids_of (row);
  sol_buffer_t want = { 0 }, got = { 0 };
  for (int skip = 0; skip < 2; skip++) {
    need (sol_json_text (row, skip ? "text_skip_special" : "text", &want));
    sol_buffer_clear (&got);
    sol_tokenizer_decode (c->t, ids.data, ids.n, skip, &got);
    int same = got.bytes == want.bytes && (!want.bytes || !memcmp (got.data, want.data, want.bytes));
    sol_buffer_clear (&got);
    sol_decode_t *d = sol_decode_create (c->t, skip);
    for (int32_t i = 0; i < ids.n; i++) sol_decode_put (d, ids.data[i], &got); /* and token by token */
    sol_decode_end (d, &got);
    sol_decode_destroy (d);
    same = same && got.bytes == want.bytes && (!want.bytes || !memcmp (got.data, want.data, want.bytes));
    same ? c->good++ : c->bad++;
    if (!same) printf ("# %s differs\n", sol_json_string (row, "id"));
  }
  sol_ids_free (&ids);
  sol_buffer_free (&want);
  sol_buffer_free (&got);
}

static int gives (const sol_tokenizer_t *t, const char *text, int n, const int32_t *want)
{
  sol_ids_t ids = { 0 };
  int same = sol_tokenizer_encode (t, text, strlen (text), &ids, NULL) == SOL_OK && ids.n == n && !memcmp (ids.data, want, (size_t) n * sizeof *want);
  if (!same)
    for (int i = 0; i < ids.n; i++) printf ("# %s: id %d is %d\n", text, i, ids.data[i]);
  sol_ids_free (&ids);
  return same;
}
#define GIVES(t, text, ...) gives (t, text, (int) (sizeof ((int32_t[]) { __VA_ARGS__ }) / 4), (int32_t[]) { __VA_ARGS__ })

static void test_smollm2 (void)
{
  char *folder = unpack (), *encode = data_path ("smollm2/tokenizer_golden.jsonl"), *decode = data_path ("smollm2/decode_golden.jsonl"), *chat = data_path ("smollm2/chat.jsonl");
  sol_tokenizer_t *t = load (folder);
  int n;
  need (t != NULL);
  count_t c = { t, 0, 0 };
  each_row (encode, encode_row, &c);
  tap_ok (c.good == 60 && !c.bad, "SmolLM2: %d of 60 texts have the ids of the reference", c.good);
  c = (count_t) { t, 0, 0 };
  each_row (chat, encode_row, &c);
  tap_ok (c.good == 6 && !c.bad, "SmolLM2: %d of 6 chats have the ids of the reference", c.good);
  c = (count_t) { t, 0, 0 };
  each_row (decode, decode_row, &c);
  tap_ok (c.good == 120 && !c.bad, "SmolLM2: %d of 120 decodings have the text of the reference", c.good);
  ok (sol_tokenizer_size (t) == 49152 && sol_tokenizer_bos (t) == 1);
  ok (sol_tokenizer_eos (t, &n)[0] == 2 && n == 1 && sol_tokenizer_is_eos (t, 2) && !sol_tokenizer_is_eos (t, 0));
  ok (sol_tokenizer_id (t, "<|im_end|>") == 2 && sol_tokenizer_id (t, "\n") == 198 && sol_tokenizer_id (t, " France") >= 0 && sol_tokenizer_id (t, "no such token") == -1);
  ok (sol_tokenizer_differ (t, t) == -1);
  ok (GIVES (t, "=\x16=", sol_tokenizer_id (t, "=="))); /* byte 16 has no token and is dropped before merging */
  sol_tokenizer_destroy (t);
  sol_free (folder);
  sol_free (encode);
  sol_free (decode);
  sol_free (chat);
}

/* a word so long that the heap is used must merge as short ones do: compare with its parts where no merge can cross */
static void test_long (const sol_tokenizer_t *t)
{
  sol_buffer_t text = { 0 };
  sol_ids_t ids = { 0 };
  int bad = 0;
  for (int k = 0; k < 5000; k++) sol_buffer_printf (&text, k % 3 == 0 ? "hello" : k % 3 == 1 ? "in" : "hell");
  need (sol_tokenizer_encode (t, text.data, text.bytes, &ids, NULL) == SOL_OK);
  for (int k = 0; k < 5000 && ids.n == 5000; k++) {
    static const char *const word[] = { "hello", "in", "hell" };
    bad += ids.data[k] != sol_tokenizer_id (t, word[k % 3]);
  }
  tap_ok (ids.n == 5000 && !bad, "a word of %zu letters: %d ids, %d wrong", text.bytes, ids.n, bad);
  ids.n = 0;
  sol_buffer_clear (&text);
  for (int k = 0; k < 200000; k++) sol_buffer_add (&text, "l", 1);
  ok (sol_tokenizer_encode (t, text.data, text.bytes, &ids, NULL) == SOL_OK && ids.n == 100000); /* and in reasonable time */
  sol_buffer_free (&text);
  sol_ids_free (&ids);
}

/* random text comes back, whatever pieces it is cut into */
static void test_round_trip (const sol_tokenizer_t *t)
{
  static const char *const part[] = { "hello", " ", "  ", "\n", "12", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "<|im_end|>", "'s", "!?", "\t", "\xe1\xa0\x8e", "world", "<|im" };
  int bad = 0;
  for (uint64_t i = 0; i < 2000; i++) {
    sol_buffer_t text = { 0 }, back = { 0 };
    sol_ids_t ids = { 0 };
    for (uint32_t k = 0; k < 1 + i % 20; k++) {
      const char *p = part[sol_random_below (sol_random (1, i, SOL_RANDOM_TEST, 0, k), sizeof part / sizeof *part)];
      sol_buffer_add (&text, p, strlen (p));
    }
    need (sol_tokenizer_encode (t, text.data, text.bytes, &ids, NULL) == SOL_OK);
    sol_tokenizer_decode (t, ids.data, ids.n, 0, &back);
    bad += back.bytes != text.bytes || memcmp (back.data, text.data, text.bytes);
    sol_buffer_free (&text);
    sol_buffer_free (&back);
    sol_ids_free (&ids);
  }
  tap_ok (!bad, "2000 texts come back from their ids (%d do not)", bad);
}

static void test_stop (const sol_tokenizer_t *t)
{
  sol_ids_t ids = { 0 };
  need (sol_tokenizer_encode (t, "hello\n\n world", 13, &ids, NULL) == SOL_OK && ids.n >= 3);
  ok (sol_tokenizer_ends_with (t, ids.data, ids.n, "world", 5) && sol_tokenizer_ends_with (t, ids.data, ids.n, "\n world", 7) && sol_tokenizer_ends_with (t, ids.data, ids.n, "wor", 3));
  ok (sol_tokenizer_ends_with (t, ids.data, ids.n, "hello\n\n world", 13) && !sol_tokenizer_ends_with (t, ids.data, ids.n, "xhello\n\n world", 14));
  ok (!sol_tokenizer_ends_with (t, ids.data, ids.n, "hello", 5)); /* it ended earlier */
  ok (sol_tokenizer_ends_with (t, ids.data, 1, "ell", 3) && sol_tokenizer_ends_with (t, ids.data, 2, "o\n", 2) && !sol_tokenizer_ends_with (t, ids.data, 0, "x", 1));
  sol_ids_free (&ids);
}

static void test_tiny (const char *folder)
{
  sol_tokenizer_t *t = load (folder);
  sol_ids_t ids = { 0 };
  const char *why = NULL;
  int n;
  need (t != NULL);
  const int32_t end = sol_tokenizer_id (t, "<|im_end|>"), gap = sol_tokenizer_id (t, "<gap>"), start = sol_tokenizer_id (t, "<|im_start|>");
  ok (sol_tokenizer_eos (t, &n) && n == 2 && sol_tokenizer_is_eos (t, end) && sol_tokenizer_bos (t) == -1);
  ok (GIVES (t, "hello", sol_tokenizer_id (t, "hello")));
  ok (GIVES (t, "hello<|im_end|>hell", sol_tokenizer_id (t, "hello"), end, sol_tokenizer_id (t, "hell")));
  ok (GIVES (t, "<|im_end|><|im_start|>", end, start));
  ok (GIVES (t, "in \n<gap> \n\tin", sol_tokenizer_id (t, "in"), gap, sol_tokenizer_id (t, "in"))); /* lstrip and rstrip */
  ok (GIVES (t, "12", '1', '2'));                                                       /* the pre-tokenizer parts digits: no merge across pieces */
  ok (GIVES (t, "e\xcc\x81", sol_tokenizer_id (t, "\xc3\xa9")));                        /* NFC */
  ok (sol_tokenizer_encode (t, "a\xff", 2, &ids, &why) == SOL_ERR_FORMAT && why && ids.n == 0);
  size_t bytes;
  ok (!sol_tokenizer_bytes (t, -1, &bytes) && !sol_tokenizer_bytes (t, 1 << 30, &bytes) && !bytes);
  sol_buffer_t text = { 0 };
  sol_tokenizer_decode (t, (int32_t[]) { 0xe2, 0x82, end, 0xac, 1 << 30, -5 }, 6, 1, &text);
  ok (text.bytes == 3 && !memcmp (text.data, "\xe2\x82\xac", 3)); /* skipped and unknown ids add nothing, and the character is whole */
  sol_buffer_free (&text);
  sol_ids_free (&ids);
  test_long (t);
  test_round_trip (t);
  test_stop (t);
  sol_tokenizer_destroy (t);
}

/* ---- damaged and wrong files */

static int try_load (void *ctx)
{
  sol_tokenizer_t *t = load (ctx);
  sol_ids_t ids = { 0 };
  if (!t) return 0;
  sol_tokenizer_encode (t, "hello world 12 \n<|im_end|>", 26, &ids, NULL); /* what was accepted must work */
  sol_ids_free (&ids);
  sol_tokenizer_destroy (t);
  return 1;
}

static void test_damage (const char *from)
{
  static const char *const file[] = { "tokenizer.json", "tokenizer_config.json", "generation_config.json" };
  char *folder = scratch_path ("damaged");
  need (sol_dir_make (folder) == SOL_OK);
  for (int round = 0; round < 2; round++) /* first whole copies of all, then each damaged in turn */
    for (int i = 0; i < 3; i++) {
      char *a = sol_path_join (from, file[i]), *b = sol_path_join (folder, file[i]);
      if (round) {
        int flips, cut = damage (a, b, i == 0 ? 3 : 7, try_load, folder, &flips);
        tap_ok (cut == 0, "no cut %s is accepted (%d), %d with a flipped bit are", file[i], cut, flips);
      }
      need (sol_file_copy (a, b) == SOL_OK);
      sol_free (a);
      sol_free (b);
    }
  ok (try_load (folder));
  sol_free (folder);
}

/* replaces what by with in the file and says whether the reader refuses it */
static int refuses (const char *from, const char *what, const char *with)
{
  char *a = sol_path_join (from, "tokenizer.json"), *folder = scratch_path ("changed"), *b = sol_path_join (folder, "tokenizer.json"), *data;
  size_t bytes;
  sol_buffer_t out = { 0 };
  need (sol_dir_make (folder) == SOL_OK && sol_file_read (a, 0, &data, &bytes) == SOL_OK);
  char *at = strstr (data, what);
  need (at != NULL);
  sol_buffer_add (&out, data, (size_t) (at - data));
  sol_buffer_printf (&out, "%s%s", with, at + strlen (what));
  FILE *f = fopen (b, "wb");
  need (f && fwrite (out.data, 1, out.bytes, f) == out.bytes && fclose (f) == 0);
  int accepted = try_load (folder);
  sol_buffer_free (&out);
  sol_free (data);
  sol_free (a);
  sol_free (b);
  sol_free (folder);
  return !accepted;
}

/* what is refused says what it is about: a component by its name */
static void test_wrong (const char *from)
{
  ok (!refuses (from, "\"version\"", "\"version\""));
  ok (refuses (from, "\"type\": \"BPE\"", "\"type\": \"Unigram\"") && refuses (from, "\"dropout\": null", "\"dropout\": 0.1"));
  ok (!refuses (from, "\"byte_fallback\": false", "\"byte_fallback\": true") && refuses (from, "\"end_of_word_suffix\": \"\"", "\"end_of_word_suffix\": \"</w>\""));
  ok (!refuses (from, "\"NFC\"", "\"NFKC\"") && refuses (from, "\"NFC\"", "\"NFX\"") && refuses (from, "\"Isolated\"", "\"Merged\"") && !refuses (from, "\"Isolated\"", "\"MergedWithNext\""));
  ok (!refuses (from, "\"add_prefix_space\": false", "\"add_prefix_space\": true") && !refuses (from, "\"type\": \"Split\"", "\"type\": \"Whitespace\""));
  ok (!refuses (from, "\"pretokenizers\": [", "\"pretokenizers\": [{\"type\": \"ByteLevel\", \"add_prefix_space\": false}, ") && refuses (from, "\"type\": \"Split\"", "\"type\": \"UnicodeScripts\""));
  ok (!refuses (from, "\"single_word\": false", "\"single_word\": true") && refuses (from, "(?i:", "(?i") && refuses (from, "[\"h\", \"e\"]", "[\"h\", \"q\"]"));
  ok (refuses (from, "(?i:", "(?m:") && refuses (from, "(?i:", "[a[b]](?i:") && refuses (from, "(?i:", "[a&&b](?i:") && refuses (from, "(?i:", "a{1,2}+(?i:") && refuses (from, "(?i:", "[^\\\\W](?i:"));
  ok (refuses (from, "[\"h\", \"e\"]", "\"h e x\"") && !refuses (from, "[\"h\", \"e\"]", "\"h e\"") && refuses (from, "\"!\": 33", "\"!\": 34") && refuses (from, "\"!\": 33", "\"!\": 1e9"));
  ok (refuses (from, "\"!\": 33", "\"!\": -1") && refuses (from, "\"!\": 33", "\"!\": 33.5") && refuses (from, "\"unk_token\": null", "\"unk_token\": \"nope\""));
  ok (refuses (from, "\"decoder\": {\"type\": \"ByteLevel\"", "\"decoder\": {\"type\": \"WordPiece\"") && refuses (from, "\"post_processor\": ", "\"post_processor\": {\"type\": \"BertProcessing\"}, \"x\": "));
}

int main (void)
{
  char *tiny = data_path ("tiny_tokenizer");
  test_smollm2 ();
  test_tiny (tiny);
  freopen ("/dev/null", "w", stderr); /* thousands of refusals */
  test_damage (tiny);
  test_wrong (tiny);
  sol_free (tiny);
  return tap_done ();
}
