/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_internal.h: the parts of a tokenizer, seen by the files of src/text only.
 * tokenizer.c: load, facts; encode.c: added tokens, the way of a text; normalizer.c, pretokenize.c: text to pieces; bpe.c: a piece to ids; pattern.c: what they look for;
 * token_decoder.c: ids to text; tokenizer_file.c, tokenizer_steps.c: what the files say; tokenizer_table.c: hash tables. */
#ifndef SOL_TOKENIZER_INTERNAL_H
#define SOL_TOKENIZER_INTERNAL_H
#define PCRE2_CODE_UNIT_WIDTH 8
#include "solera/tokenizer.h"
#include <pcre2.h>
#include <pthread.h>

/* ---- tables (open addressing, power of two, never more than half full) */
typedef struct { int32_t *slot; uint32_t mask; } sol_name_table_t; /* spelling -> id; slots hold id + 1, the spellings are the tokenizer's */
typedef struct { uint64_t pair; int32_t rank, id; } sol_merge_t;   /* pair = left << 32 | right, plus 1 so that 0 is empty */
typedef struct { sol_merge_t *slot; uint32_t mask; } sol_merge_table_t;

typedef struct { uint32_t at, bytes; } sol_span_t; /* in an arena, or in a text */

typedef struct {
  int32_t id;
  sol_span_t content; /* in names; normalised when it is looked for in normalised text */
  int special, normalized, lstrip, rstrip, single_word;
} sol_added_t;

/* ---- what is looked for: a regular expression, or the bytes of a text (code NULL) */
typedef struct { pcre2_code *code; char *literal; size_t literal_bytes; } sol_pattern_t;
struct cJSON;
/* from {"Regex": ...} or {"String": ...}; what: the component, for errors that name it */
sol_status_t sol_pattern_read (sol_pattern_t *p, const struct cJSON *item, const char *what, const char *path);
/* regex: in the reference's syntax (Oniguruma), given to PCRE2 in its own; what the two understand differently is SOL_ERR_UNSUPPORTED by name */
sol_status_t sol_pattern_compile (sol_pattern_t *p, const char *regex, const char *what, const char *path);
void sol_pattern_literal (sol_pattern_t *p, const char *text, size_t bytes);
void sol_pattern_free (sol_pattern_t *p);
/* All matches of a text in order, none overlapping; empty ones count, except right behind another match. */
typedef struct {
  const sol_pattern_t *p;
  pcre2_match_data *match;
  const char *text;
  size_t bytes, from, last_end; /* last_end: SIZE_MAX before the first match */
} sol_find_t;
/* SOL_OK: a match, [*start_p, *end_p); SOL_END: no more; SOL_ERR_LIMIT: the expression fails on this text (logged) */
sol_status_t sol_find_next (sol_find_t *f, size_t *start_p, size_t *end_p);

/* ---- normalizer: steps that rewrite a text */
typedef enum { SOL_NORM_UNICODE, SOL_NORM_LOWERCASE, SOL_NORM_STRIP, SOL_NORM_PREPEND, SOL_NORM_REPLACE } sol_norm_kind_t;
typedef struct {
  sol_norm_kind_t kind;
  int unicode;          /* UNICODE: options of utf8proc */
  int left, right;      /* STRIP */
  sol_pattern_t pattern; /* REPLACE */
  char *text;           /* PREPEND, REPLACE: with this */
  size_t bytes;
} sol_norm_t;

/* ---- pre-tokenizer: steps that cut pieces, or rewrite them */
typedef enum { SOL_STEP_PATTERN, SOL_STEP_CHARS, SOL_STEP_PREFIX, SOL_STEP_METASPACE, SOL_STEP_SPELL } sol_step_kind_t;
typedef enum { SOL_CUT_ISOLATED, SOL_CUT_REMOVED, SOL_CUT_PREVIOUS, SOL_CUT_NEXT, SOL_CUT_CONTIGUOUS } sol_cut_t; /* what becomes of a match */
typedef enum { SOL_PREPEND_ALWAYS, SOL_PREPEND_FIRST, SOL_PREPEND_NEVER } sol_prepend_t;
typedef struct {
  sol_step_kind_t kind;
  sol_cut_t cut;
  int invert;                     /* PATTERN, CHARS: what lies between is the match */
  sol_pattern_t pattern;          /* PATTERN */
  int (*is) (int32_t cp);         /* CHARS: every character of this kind is a match */
  int32_t delimiter;              /* CHARS without is: this one */
  sol_prepend_t prepend;          /* METASPACE */
  char *text;                     /* METASPACE: what stands for a space; PREFIX: what is put before a piece that does not begin with it */
  size_t bytes;
} sol_step_t;

/* ---- decoder: steps from spellings to text */
typedef enum { SOL_DEC_BYTE_LEVEL, SOL_DEC_BYTE_FALLBACK, SOL_DEC_FUSE, SOL_DEC_STRIP, SOL_DEC_REPLACE, SOL_DEC_METASPACE, SOL_DEC_JOIN } sol_dec_kind_t;
typedef struct {
  sol_dec_kind_t kind;
  int fused;              /* a step before this one has joined all tokens: it gets the parts of one */
  sol_pattern_t pattern;  /* REPLACE */
  char *text;             /* REPLACE: with this; STRIP, METASPACE: the character */
  size_t bytes;
  int64_t start, stop;    /* STRIP: at most so many */
  int drop_first;         /* METASPACE: the first token's are dropped, not made spaces */
} sol_dec_t;

#define SOL_MAX_STEPS 32

typedef struct sol_encode sol_encode_t;

struct sol_tokenizer {
  int32_t size;             /* largest id + 1 */
  sol_buffer_t names;       /* arena: spellings as in the file */
  sol_buffer_t bytes;       /* arena: the bytes that decoding gives */
  sol_span_t *name, *text;  /* [size]; name bytes 0: no such id */
  sol_span_t *shown;        /* [size] in names: what decoding begins with: the name, of a normalised added token its normalised content */
  uint8_t *special;         /* [size] */
  uint8_t *in_model;        /* [size]: not an added token only */
  sol_name_table_t by_name;
  sol_merge_table_t merges;
  int byte_level;           /* the pre-tokenizer ends with ByteLevel: pieces are bytes, whose spellings are in byte_id */
  int32_t byte_id[256];     /* token of a single byte in the alphabet of ByteLevel, or -1 */
  int32_t fallback[256];    /* token <0x..> of a byte, or -1 */
  int32_t unk;              /* -1: what has no token is dropped */
  int byte_fallback, fuse_unk, ignore_merges;
  sol_norm_t norm[SOL_MAX_STEPS];
  sol_step_t step[SOL_MAX_STEPS];
  sol_dec_t dec[SOL_MAX_STEPS];
  int n_norm, n_steps, n_dec;
  sol_added_t *added;       /* [n_added], longest first */
  int n_added;
  uint8_t added_first[2][256]; /* [normalized]: does an added token begin with this byte? */
  int32_t bos, *eos;
  int n_eos;
  sol_ids_t before, after;  /* what the post-processor puts around a text */
  pthread_mutex_t lock;     /* of idle */
  sol_encode_t *idle;       /* rooms of encode that nobody uses now */
};

/* the alphabet of byte-level BPE: byte -> character, and back (-1: not in it) */
int32_t sol_byte_char (int byte);
int sol_char_byte (int32_t cp);
/* appends the alphabet's spelling of bytes */
void sol_bytes_spell (sol_buffer_t *out, const char *text, size_t bytes);
/* appends the bytes of a spelling, or the spelling itself when it is not all in the alphabet; returns whether it was */
int sol_spelling_bytes (sol_buffer_t *out, const char *name, size_t bytes);
/* the byte that <0x..> spells, -1: it is no such spelling */
int sol_fallback_byte (const char *name, size_t bytes);

void sol_name_table_create (sol_name_table_t *table, size_t most);
void sol_name_table_put (sol_name_table_t *table, const sol_tokenizer_t *t, int32_t id);
int32_t sol_name_table_get (const sol_name_table_t *table, const sol_tokenizer_t *t, const char *name, size_t bytes);
/* of the model's own vocabulary */
int32_t sol_model_token (const sol_tokenizer_t *t, const char *name, size_t bytes);
void sol_merge_table_create (sol_merge_table_t *table, size_t most);
/* of equal pairs the last counts, as in the reference */
void sol_merge_table_put (sol_merge_table_t *table, int32_t left, int32_t right, int32_t rank, int32_t id);
const sol_merge_t *sol_merge_table_get (const sol_merge_table_t *table, int32_t left, int32_t right);

/* fills everything from the folder's files */
sol_status_t sol_tokenizer_read (sol_tokenizer_t *t, const char *folder);
/* normalizer; pre-tokenizer; decoder and post-processor of the parsed tokenizer.json */
sol_status_t sol_tokenizer_read_normalizer (sol_tokenizer_t *t, const struct cJSON *root, const char *path);
sol_status_t sol_tokenizer_read_steps (sol_tokenizer_t *t, const struct cJSON *root, const char *path);
sol_status_t sol_tokenizer_read_decoder (sol_tokenizer_t *t, const struct cJSON *root, const char *path);
sol_status_t sol_tokenizer_read_post (sol_tokenizer_t *t, const struct cJSON *root, const char *path);
/* GPT-2's vocab.json and merges.txt: are they there; what they say, in the form of tokenizer.json (cJSON_Delete it) */
#define SOL_GPT2_END "<|endoftext|>"
int sol_gpt2_is (const char *folder);
sol_status_t sol_gpt2_load (const char *folder, struct cJSON **root_p);
/* after names and decoder are read: the bytes of every token */
void sol_tokenizer_fill_text (sol_tokenizer_t *t);
void sol_tokenizer_free_steps (sol_tokenizer_t *t);

/* ---- room that one call of encode uses; kept by the tokenizer between calls */
#define SOL_CACHE_SLOTS 8192
#define SOL_CACHE_BYTES 23
#define SOL_CACHE_IDS 8
typedef struct { int32_t id[SOL_CACHE_IDS]; uint8_t n, bytes; char text[SOL_CACHE_BYTES]; } sol_cached_t; /* a piece and its ids; bytes 0: empty */
struct sol_encode {
  sol_encode_t *next_idle;
  pcre2_match_data *match;
  const char *text;           /* what pieces are in: the caller's text, or one of buf */
  int at_origin;              /* the text is the beginning of what the caller gave */
  sol_buffer_t buf[2], norm[2], name;
  int now;                    /* which buf is used by text */
  sol_span_t *piece, *next;   /* the present pieces of a text, and those being made */
  size_t n_pieces, n_next, piece_room, next_room;
  int32_t *sym, *left, *right, *rank, *to; /* bpe.c, [word_room] */
  uint64_t *heap;
  size_t n_heap, heap_room, word_room;
  sol_cached_t *cache;        /* [SOL_CACHE_SLOTS] */
};
/* The normalised text, in *text_p and *bytes_p: the text itself where no step changes it, else in norm[0..1], whose room is used again by the next call. */
sol_status_t sol_normalize (const sol_tokenizer_t *t, sol_buffer_t norm[2], pcre2_match_data *match, const char **text_p, size_t *bytes_p);
/* normalised text -> e->text, e->piece[e->n_pieces] */
sol_status_t sol_pretokenize (const sol_tokenizer_t *t, sol_encode_t *e, const char *text, size_t bytes);
/* one piece -> ids */
void sol_bpe (const sol_tokenizer_t *t, sol_encode_t *e, const char *text, size_t bytes, sol_ids_t *ids);
void sol_encode_destroy (sol_encode_t *e);
/* appends text with every match replaced */
sol_status_t sol_replace (const sol_pattern_t *p, pcre2_match_data *match, const char *with, size_t with_bytes, const char *text, size_t bytes, sol_buffer_t *out);
/* kinds of characters */
int sol_is_word (int32_t cp);
int sol_is_numeric (int32_t cp);
int sol_is_punctuation (int32_t cp);
#endif
