/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_internal.h: the parts of a tokenizer, seen by the files of src/text only.
 * tokenizer.c: load, encode, decode; tokenizer_table.c: hash tables; tokenizer_file.c: what the files say; pretokenize.c: text to pieces; bpe.c: a piece to ids. */
#ifndef SOL_TOKENIZER_INTERNAL_H
#define SOL_TOKENIZER_INTERNAL_H
#define PCRE2_CODE_UNIT_WIDTH 8
#include "solera/tokenizer.h"
#include <pcre2.h>

/* ---- tables (open addressing, power of two, never more than half full) */
typedef struct { int32_t *slot; uint32_t mask; } sol_name_table_t; /* spelling -> id; slots hold id + 1, the spellings are the tokenizer's */
typedef struct { uint64_t pair; int32_t rank, id; } sol_merge_t;   /* pair = left << 32 | right, plus 1 so that 0 is empty */
typedef struct { sol_merge_t *slot; uint32_t mask; } sol_merge_table_t;

typedef struct { uint32_t at, bytes; } sol_span_t; /* in an arena, or in a text */

typedef struct {
  int32_t id;
  sol_span_t content; /* in names; normalised when it is looked for in normalised text */
  int special, normalized, lstrip, rstrip;
} sol_added_t;

/* a step of the pre-tokenizer */
typedef enum { SOL_STEP_SPLIT, SOL_STEP_DIGITS } sol_step_kind_t;
typedef struct {
  sol_step_kind_t kind;
  pcre2_code *code;     /* SPLIT */
  int remove, invert;   /* SPLIT: matches (invert: what is between) are dropped; else everything is kept, apart */
  int individual;       /* DIGITS */
} sol_step_t;
#define SOL_MAX_STEPS 8

struct sol_tokenizer {
  int32_t size;             /* largest id + 1 */
  sol_buffer_t names;       /* arena: spellings as in the file */
  sol_buffer_t bytes;       /* arena: the bytes that decoding gives */
  sol_span_t *name, *text;  /* [size]; name bytes 0: no such id */
  uint8_t *special;         /* [size] */
  sol_name_table_t by_name;
  sol_merge_table_t merges;
  int32_t byte_id[256];     /* token of a single byte, or -1 */
  int32_t unk;              /* -1: a byte without a token is dropped */
  int fuse_unk, ignore_merges, nfc;
  sol_step_t step[SOL_MAX_STEPS];
  int n_steps;
  sol_added_t *added;       /* [n_added], longest first */
  int n_added;
  uint8_t added_first[2][256]; /* [normalized]: does an added token begin with this byte? */
  int32_t bos, *eos;
  int n_eos;
};

/* the alphabet of byte-level BPE: byte -> character, and back (-1: not in it) */
int32_t sol_byte_char (int byte);
int sol_char_byte (int32_t cp);
/* appends the alphabet's spelling of bytes */
void sol_bytes_spell (sol_buffer_t *out, const char *text, size_t bytes);
/* appends the bytes of a spelling, or the spelling itself when it is not all in the alphabet; returns whether it was */
int sol_spelling_bytes (sol_buffer_t *out, const char *name, size_t bytes);

void sol_name_table_create (sol_name_table_t *table, size_t most);
void sol_name_table_put (sol_name_table_t *table, const sol_tokenizer_t *t, int32_t id);
int32_t sol_name_table_get (const sol_name_table_t *table, const sol_tokenizer_t *t, const char *name, size_t bytes);
void sol_merge_table_create (sol_merge_table_t *table, size_t most);
/* of equal pairs the last counts, as in the reference */
void sol_merge_table_put (sol_merge_table_t *table, int32_t left, int32_t right, int32_t rank, int32_t id);
const sol_merge_t *sol_merge_table_get (const sol_merge_table_t *table, int32_t left, int32_t right);

/* fills everything from the folder's files */
sol_status_t sol_tokenizer_read (sol_tokenizer_t *t, const char *folder);
/* pre-tokenizer and normaliser of the parsed tokenizer.json */
struct cJSON;
sol_status_t sol_tokenizer_read_steps (sol_tokenizer_t *t, const struct cJSON *root, const char *path);

/* room that one call of encode uses */
typedef struct {
  pcre2_match_data *match;
  sol_span_t *piece, *next;   /* the present pieces of a text, and those being made */
  size_t n_pieces, n_next, piece_room, next_room;
  sol_buffer_t masked;        /* see pretokenize.c */
  int32_t *sym, *left, *right, *rank, *to; /* bpe.c, [word_room] */
  uint64_t *heap;
  size_t n_heap, heap_room, word_room;
} sol_encode_t;
/* normalised text -> e->piece[e->n_pieces] */
sol_status_t sol_pretokenize (const sol_tokenizer_t *t, sol_encode_t *e, const char *text, size_t bytes);
/* one piece -> ids */
void sol_bpe (const sol_tokenizer_t *t, sol_encode_t *e, const char *text, size_t bytes, sol_ids_t *ids);
/* NFC of text into out (cleared first) */
sol_status_t sol_nfc (const char *text, size_t bytes, sol_buffer_t *out);
#endif
