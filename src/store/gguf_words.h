/* SPDX-License-Identifier: Apache-2.0 */
/* gguf_words.h: the vocabulary of a GGUF file, for the two files that write tokenizers. */
#ifndef SOL_GGUF_WORDS_H
#define SOL_GGUF_WORDS_H
#include "gguf.h"
#include "solera/buffer.h"

enum { SOL_WORD_NORMAL = 1, SOL_WORD_UNKNOWN = 2, SOL_WORD_CONTROL = 3, SOL_WORD_USER = 4, SOL_WORD_UNUSED = 5, SOL_WORD_BYTE = 6 };
struct sol_gguf_pre;
typedef struct {
  const sol_gguf_t *g;
  int32_t n;
  sol_gguf_text_t *token;        /* [n] */
  const sol_gguf_value_t *types; /* [n] */
  int32_t *order;                /* [n] ids by their texts, for looking up */
  int sentencepiece, add_bos, prefix;
  const struct sol_gguf_pre *pre; /* NULL: SentencePiece */
  int32_t bos, eos, pad, unk;     /* -1: none */
} words_t;

/* tokens, their types and order; vocab: rows of the embedding, which may be more */
sol_status_t sol_words_load (words_t *w, int32_t vocab);
void sol_words_free (words_t *w);
int sol_words_type (const words_t *w, int32_t id);
/* found in text before all else: control, user-defined and (of SentencePiece) the unknown token */
int sol_words_added (const words_t *w, int32_t id);
int sol_words_special (const words_t *w, int32_t id);
/* a row of the embedding that no token uses: "[PAD7]" of id 7 */
int sol_words_padding (const words_t *w, int32_t id);
/* -1: there is none */
int32_t sol_words_find (const words_t *w, const char *text, size_t bytes);
/* merges as the inside of a JSON list of pairs: those of the file, or (SentencePiece) those that the scores give */
sol_status_t sol_words_merges (const words_t *w, sol_buffer_t *out);
#endif
