/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens and merges. SentencePiece knows no merges but scores: a pair of tokens whose joint text is a token may be merged, the higher its score the earlier; of equal scores the longer left part first, then the
 * longer right part, as Hugging Face's converter orders them. */
#include "gguf_words.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM "gguf"

int sol_words_type (const words_t *w, int32_t id) { return (int) sol_gguf_number (w->g, w->types, (uint64_t) id); }

int sol_words_special (const words_t *w, int32_t id)
{
  const int type = sol_words_type (w, id);
  return type == SOL_WORD_CONTROL || (type == SOL_WORD_UNKNOWN && w->sentencepiece);
}

int sol_words_added (const words_t *w, int32_t id) { return sol_words_special (w, id) || sol_words_type (w, id) == SOL_WORD_USER; }

int sol_words_padding (const words_t *w, int32_t id)
{
  char text[32];
  snprintf (text, sizeof text, "[PAD%d]", id);
  return sol_words_type (w, id) == SOL_WORD_UNUSED && sol_gguf_text_is (w->token[id], text);
}

static int by_text (sol_gguf_text_t a, sol_gguf_text_t b)
{
  const int d = memcmp (a.at, b.at, a.bytes < b.bytes ? a.bytes : b.bytes);
  return d ? d : (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

static int by_token (const void *a, const void *b, void *ctx)
{
  const words_t *w = ctx;
  return by_text (w->token[*(const int32_t *) a], w->token[*(const int32_t *) b]);
}

int32_t sol_words_find (const words_t *w, const char *text, size_t bytes)
{
  int32_t low = 0, high = w->n;
  while (low < high) {
    const int32_t middle = low + (high - low) / 2, id = w->order[middle];
    const int d = by_text (w->token[id], (sol_gguf_text_t){ text, bytes });
    if (!d) return id;
    if (d < 0) low = middle + 1;
    else high = middle;
  }
  return -1;
}

sol_status_t sol_words_load (words_t *w, int32_t vocab)
{
  static const char key[] = "tokenizer.ggml.tokens";
  const sol_gguf_value_t *tokens;
  SOL_TRY (sol_gguf_array (w->g, key, 1, SOL_GGUF_STRING, &tokens));
  SOL_TRY (sol_gguf_array (w->g, "tokenizer.ggml.token_type", 1, SOL_GGUF_I32, &w->types));
  if (!tokens->n || tokens->n > (uint64_t) vocab) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: key %s: expected 1 to %d tokens (rows of token_embd.weight), found %" PRIu64, w->g->path, key, vocab, tokens->n);
  if (w->types->n != tokens->n) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: key tokenizer.ggml.token_type: expected %" PRIu64 " values, found %" PRIu64, w->g->path, tokens->n, w->types->n);
  SOL_TRY (sol_gguf_texts (w->g, tokens, &w->token));
  w->n = (int32_t) tokens->n;
  w->order = sol_alloc (sizeof *w->order * (size_t) w->n);
  for (int32_t i = 0; i < w->n; i++) {
    if (sol_words_type (w, i) < SOL_WORD_NORMAL || sol_words_type (w, i) > SOL_WORD_BYTE)
      return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: key tokenizer.ggml.token_type: value %d: expected 1 to 6, found %d", w->g->path, i, sol_words_type (w, i));
    if (!w->token[i].bytes) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: key %s: token %d: expected a text, found an empty one", w->g->path, key, i);
    w->order[i] = i;
  }
  qsort_r (w->order, (size_t) w->n, sizeof *w->order, by_token, w);
  for (int32_t i = 1; i < w->n; i++)
    if (!by_token (&w->order[i - 1], &w->order[i], w)) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: key %s: expected different texts, tokens %d and %d have the same", w->g->path, key, w->order[i - 1], w->order[i]);
  return SOL_OK;
}

void sol_words_free (words_t *w)
{
  sol_free (w->token);
  sol_free (w->order);
}

static void add_pair (const char *text, size_t left, size_t right, size_t gap, sol_buffer_t *out)
{
  sol_buffer_printf (out, "%s\n    [", out->bytes ? "," : "");
  sol_buffer_json (out, text, left);
  sol_buffer_printf (out, ", ");
  sol_buffer_json (out, text + left + gap, right);
  sol_buffer_printf (out, "]");
}

/* "left right", and both sides and their joint text are tokens */
static sol_status_t file_merges (const words_t *w, const sol_gguf_value_t *array, sol_buffer_t *out)
{
  sol_gguf_text_t *text = NULL;
  sol_buffer_t joint = { 0 };
  sol_status_t st;
  SOL_GO (sol_gguf_texts (w->g, array, &text));
  for (uint64_t i = 0; i < array->n; i++) {
    const char *at = text[i].at, *space = text[i].bytes > 1 ? memchr (at + 1, ' ', text[i].bytes - 1) : NULL;
    const size_t left = space ? (size_t) (space - at) : 0, right = space ? text[i].bytes - left - 1 : 0;
    sol_buffer_clear (&joint);
    sol_buffer_add (&joint, at, left);
    sol_buffer_add (&joint, space ? space + 1 : at, right);
    if (!space || sol_words_find (w, at, left) < 0 || sol_words_find (w, space + 1, right) < 0 || sol_words_find (w, joint.data, joint.bytes) < 0)
      SOL_GO (sol_fail (SOL_ERR_FORMAT, ROOM, "%s: key tokenizer.ggml.merges: merge %" PRIu64 ": expected two tokens whose joint text is a token, found \"%.*s\"", w->g->path, i,
                        (int) (text[i].bytes < 80 ? text[i].bytes : 80), at));
    add_pair (at, left, right, 1, out);
  }
out:
  sol_buffer_free (&joint);
  sol_free (text);
  return st;
}

typedef struct {
  float score;
  int32_t id, left_id, right_id;
  uint32_t left, left_chars, right_chars;
} merge_t;

static int by_rank (const void *pa, const void *pb)
{
  const merge_t *a = pa, *b = pb;
  if (a->score != b->score) return a->score > b->score ? -1 : 1;
  if (a->left_chars != b->left_chars) return a->left_chars > b->left_chars ? -1 : 1;
  if (a->right_chars != b->right_chars) return a->right_chars > b->right_chars ? -1 : 1;
  if (a->id != b->id) return a->id < b->id ? -1 : 1;
  if (a->left_id != b->left_id) return a->left_id < b->left_id ? -1 : 1;
  return (a->right_id > b->right_id) - (a->right_id < b->right_id);
}

static uint32_t characters (const char *text, size_t bytes)
{
  uint32_t n = 0;
  for (size_t i = 0; i < bytes; i++) n += (text[i] & 0xc0) != 0x80;
  return n;
}

static void score_merges (const words_t *w, const sol_gguf_value_t *scores, sol_buffer_t *out)
{
  merge_t *merge = NULL;
  size_t n = 0, room = 0;
  for (int32_t id = 0; id < w->n; id++) {
    const sol_gguf_text_t t = w->token[id];
    for (size_t left = 1; left < t.bytes; left++) {
      if ((t.at[left] & 0xc0) == 0x80) continue; /* inside a character */
      const int32_t a = sol_words_find (w, t.at, left), b = a < 0 ? -1 : sol_words_find (w, t.at + left, t.bytes - left);
      if (b < 0) continue;
      if (n == room) merge = sol_realloc (merge, (room = room * 2 + 1024) * sizeof *merge);
      merge[n++] = (merge_t){ (float) sol_gguf_number (w->g, scores, (uint64_t) id), id, a, b, (uint32_t) left, characters (t.at, left), characters (t.at + left, t.bytes - left) };
    }
  }
  if (n) qsort (merge, n, sizeof *merge, by_rank);
  for (size_t i = 0; i < n; i++) add_pair (w->token[merge[i].id].at, merge[i].left, w->token[merge[i].id].bytes - merge[i].left, 0, out);
  sol_free (merge);
}

sol_status_t sol_words_merges (const words_t *w, sol_buffer_t *out)
{
  static const char key[] = "tokenizer.ggml.scores";
  const sol_gguf_value_t *merges, *scores;
  SOL_TRY (sol_gguf_array (w->g, "tokenizer.ggml.merges", !w->sentencepiece, SOL_GGUF_STRING, &merges));
  if (merges) return file_merges (w, merges, out);
  SOL_TRY (sol_gguf_array (w->g, key, 1, SOL_GGUF_F32, &scores));
  if (scores->n != (uint64_t) w->n) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: key %s: expected %d values, found %" PRIu64, w->g->path, key, w->n, scores->n);
  for (int32_t i = 0; i < w->n; i++)
    if (!(sol_gguf_number (w->g, scores, (uint64_t) i) == sol_gguf_number (w->g, scores, (uint64_t) i))) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: key %s: value %d: expected a number, found NaN", w->g->path, key, i);
  score_merges (w, scores, out);
  return SOL_OK;
}
