/* SPDX-License-Identifier: Apache-2.0 */
/* gguf.h: one mapped GGUF file (versions 2 and 3, little-endian) whose header has been checked wholly: every length against the bytes that are there, keys and tensor names unique, every tensor
 * inside the file, aligned, none over another. Texts are pieces of the map: they are not followed by a zero byte. */
#ifndef SOL_GGUF_H
#define SOL_GGUF_H
#include "solera/file.h"
#include "solera/status.h"

typedef struct { const char *at; size_t bytes; } sol_gguf_text_t;

enum { SOL_GGUF_U8, SOL_GGUF_I8, SOL_GGUF_U16, SOL_GGUF_I16, SOL_GGUF_U32, SOL_GGUF_I32, SOL_GGUF_F32, SOL_GGUF_BOOL, SOL_GGUF_STRING, SOL_GGUF_ARRAY, SOL_GGUF_U64, SOL_GGUF_I64, SOL_GGUF_F64, SOL_GGUF_KINDS };
typedef struct {
  sol_gguf_text_t key;
  uint32_t kind, inner; /* inner: of an array's elements */
  uint64_t n;           /* elements of an array, else 1 */
  size_t at;            /* of the first value in the file */
} sol_gguf_value_t;

/* types of tensors that are decoded here, by their numbers in the file */
enum { SOL_GGUF_T_F32 = 0, SOL_GGUF_T_F16 = 1, SOL_GGUF_T_Q4_0 = 2, SOL_GGUF_T_Q4_1 = 3, SOL_GGUF_T_Q5_0 = 6, SOL_GGUF_T_Q5_1 = 7, SOL_GGUF_T_Q8_0 = 8,
       SOL_GGUF_T_Q4_K = 12, SOL_GGUF_T_Q5_K = 13, SOL_GGUF_T_Q6_K = 14, SOL_GGUF_T_BF16 = 30 };
#define SOL_GGUF_TYPES "F32, F16, BF16, Q8_0, Q6_K, Q5_K, Q5_1, Q5_0, Q4_K, Q4_1 or Q4_0"
typedef struct {
  char *name;
  int n_dims;         /* 1 or 2 */
  int64_t rows, cols; /* a vector has one row; cols is the fastest dimension */
  uint32_t type;
  size_t row_bytes;
  const uint8_t *data;
  int used;           /* for who takes the tensors */
} sol_gguf_tensor_t;

typedef struct {
  const char *path;
  sol_map_t map;
  int n_values, n_tensors;
  sol_gguf_value_t *value;   /* sorted by key */
  sol_gguf_tensor_t *tensor; /* sorted by name */
} sol_gguf_t;

/* path must outlive the file. SOL_ERR_FORMAT: damage, SOL_ERR_UNSUPPORTED: version, byte order, a split file, a type of tensor (named); file_p needs sol_gguf_close only on SOL_OK. */
sol_status_t sol_gguf_open (const char *path, sol_gguf_t *file_p);
void sol_gguf_close (sol_gguf_t *file);

/* NULL: there is none */
const sol_gguf_value_t *sol_gguf_find (const sol_gguf_t *g, const char *key);
sol_gguf_tensor_t *sol_gguf_tensor (const sol_gguf_t *g, const char *name);
/* The value of a key of the given kind; a missing key gives `absent` (of texts: at NULL), and is an error where required. Wrong kinds and values are SOL_ERR_FORMAT and name the key. */
sol_status_t sol_gguf_int (const sol_gguf_t *g, const char *key, int required, int64_t min, int64_t max, int64_t absent, int64_t *x_p);
sol_status_t sol_gguf_double (const sol_gguf_t *g, const char *key, int required, double absent, double *x_p);
sol_status_t sol_gguf_bool (const sol_gguf_t *g, const char *key, int absent, int *x_p);
sol_status_t sol_gguf_string (const sol_gguf_t *g, const char *key, int required, sol_gguf_text_t *text_p);
/* An array of the given kind, NULL where there is none. Elements of strings: sol_gguf_texts; numbers: sol_gguf_number. */
sol_status_t sol_gguf_array (const sol_gguf_t *g, const char *key, int required, uint32_t inner, const sol_gguf_value_t **array_p);
/* all strings of an array, valid UTF-8 or SOL_ERR_FORMAT; sol_free */
sol_status_t sol_gguf_texts (const sol_gguf_t *g, const sol_gguf_value_t *array, sol_gguf_text_t **texts_p);
/* element i of an array of I32, U32 or F32, or the only value of any number */
double sol_gguf_number (const sol_gguf_t *g, const sol_gguf_value_t *v, uint64_t i);
int sol_gguf_text_is (sol_gguf_text_t text, const char *what);

/* "Q4_K", or "unknown" */
const char *sol_gguf_type_name (uint32_t type);
/* elements of a block and its bytes; 0: not decoded here */
int sol_gguf_block (uint32_t type, size_t *bytes_p);
/* n elements, a multiple of the block, widened exactly (types with a minimum, and Q6_K: rounded once) */
void sol_gguf_decode (uint32_t type, const uint8_t *data, int64_t n, float *out);
#endif
