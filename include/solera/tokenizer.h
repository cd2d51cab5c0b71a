/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.h: the BPE tokenizers of Hugging Face folders (tokenizer.json, or GPT-2's vocab.json and merges.txt; the special tokens named by tokenizer_config.json and
 * generation_config.json). Same ids and texts as the `tokenizers` library; docs/tokenizers.md lists the components. One that is not known, or an option that would change ids, is
 * refused by name. Truncation and padding, which act on batches, are not read.
 * A loaded tokenizer is constant: every function that takes it const may be called from several threads at once. Nothing here is collective. */
#ifndef SOL_TOKENIZER_H
#define SOL_TOKENIZER_H
#include "solera/buffer.h"
#include "solera/status.h"
#include <stddef.h>
#include <stdint.h>

/* a growing run of token ids; {0} is empty */
typedef struct { int32_t *data; int32_t n, room; } sol_ids_t;
void sol_ids_add (sol_ids_t *ids, int32_t id);
void sol_ids_free (sol_ids_t *ids);

typedef struct sol_tokenizer sol_tokenizer_t;

/* folder: a model folder with tokenizer.json; the two other files may be absent. Errors name the file and what is wrong with it. */
sol_status_t sol_tokenizer_load (const char *folder, sol_tokenizer_t **tokenizer_p);
void sol_tokenizer_destroy (sol_tokenizer_t *tokenizer);

/* appends the ids of text to ids; no special token is added by itself, but those spelt in the text are recognised. Text that is not UTF-8 is SOL_ERR_FORMAT (not
 * logged: why_p, if not NULL, gets the reason). What has no token is unk_token, or is dropped before merging where there is none, as the reference does. */
sol_status_t sol_tokenizer_encode (const sol_tokenizer_t *tokenizer, const char *text, size_t bytes, sol_ids_t *ids, const char **why_p);
/* the same, with what the post-processor puts before a text (<s>, say) in front, unless the text spells it itself: for prompts that are plain text */
sol_status_t sol_tokenizer_encode_prompt (const sol_tokenizer_t *tokenizer, const char *text, size_t bytes, sol_ids_t *ids, const char **why_p);
/* appends the text of ids to out, always UTF-8: bytes that are not become U+FFFD, one for every maximal wrong part (with byte fallback: one for every byte of a wrong run). An id without
 * a token adds nothing. skip_special: tokens marked special add nothing. */
void sol_tokenizer_decode (const sol_tokenizer_t *tokenizer, const int32_t *ids, int32_t n, int skip_special, sol_buffer_t *out);
/* Decoding token by token: what all calls append together, the end's included, is what sol_tokenizer_decode appends for all ids. A token whose text later ones may change (half a
 * character, say) adds to out when it is settled. The tokenizer is kept by reference. After the end another text may begin. */
typedef struct sol_decode sol_decode_t;
sol_decode_t *sol_decode_create (const sol_tokenizer_t *tokenizer, int skip_special);
void sol_decode_put (sol_decode_t *decode, int32_t id, sol_buffer_t *out);
void sol_decode_end (sol_decode_t *decode, sol_buffer_t *out);
void sol_decode_destroy (sol_decode_t *decode);
/* the bytes of one token as decoding joins them (maybe half a character); NULL and 0 bytes for an id without a token */
const char *sol_tokenizer_bytes (const sol_tokenizer_t *tokenizer, int32_t id, size_t *bytes_p);
/* does an occurrence of what end inside the last token of ids? For stop strings: cheap, allocates nothing, may be called after every token. */
int sol_tokenizer_ends_with (const sol_tokenizer_t *tokenizer, const int32_t *ids, int32_t n, const char *what, size_t what_bytes);

/* the first id that does not mean the same in both: other bytes, or a token in one of them only; -1: none */
int32_t sol_tokenizer_differ (const sol_tokenizer_t *a, const sol_tokenizer_t *b);

/* largest id + 1 (the model's vocabulary may be larger: padding) */
int32_t sol_tokenizer_size (const sol_tokenizer_t *tokenizer);
/* id of a token by its spelling in text ("<|im_end|>", "\n"); -1: there is none */
int32_t sol_tokenizer_id (const sol_tokenizer_t *tokenizer, const char *token);
int32_t sol_tokenizer_bos (const sol_tokenizer_t *tokenizer); /* -1: none */
/* what the post-processor puts before and after a text of its own (<s>, say); *n_p may be 0. Encoding adds neither. */
const int32_t *sol_tokenizer_before (const sol_tokenizer_t *tokenizer, int *n_p);
const int32_t *sol_tokenizer_after (const sol_tokenizer_t *tokenizer, int *n_p);
/* the end-of-sequence ids, from generation_config.json and tokenizer_config.json together; *n_p may be 0 */
const int32_t *sol_tokenizer_eos (const sol_tokenizer_t *tokenizer, int *n_p);
int sol_tokenizer_is_eos (const sol_tokenizer_t *tokenizer, int32_t id);
#endif
