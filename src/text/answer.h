/* SPDX-License-Identifier: Apache-2.0 */
/* answer.h: an answer as an expression tree; inside src/text only. Text -> tokens (answer_lex.c) -> tree (answer_parse.c, answer_atom.c) -> algebraic normal form (answer_fold.c)
 * -> equal or not (answer_equal.c and the files it calls). Everything of one comparison lives in one pool, which bounds nodes, memory and arithmetic: what is over a bound
 * leaves by longjmp to the one place that opened the pool, and the answers are then equal only when their tokens are. */
#ifndef SOL_ANSWER_H
#define SOL_ANSWER_H
#include "solera/buffer.h"
#include <gmp.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#define SOL_ANSWER_BYTES 4096   /* of an answer that is parsed */
#define SOL_ANSWER_TOKENS 2048
#define SOL_ANSWER_DEPTH 120    /* of the recursion of the parser: brackets in brackets count three times */
#define SOL_ANSWER_NODES 20000  /* of one comparison */
#define SOL_ANSWER_MEMORY (4 << 20)
#define SOL_ANSWER_BITS 20000   /* of an exact number: about 6,000 digits */
#define SOL_ANSWER_WORK 30000   /* steps of folding, comparing and evaluating */

typedef enum {
  N_NUM,   /* q */
  N_CONST, /* name: pi e i inf */
  N_VAR,   /* name */
  N_WORD,  /* name: a word of four letters or more that is no name of mathematics */
  N_UNIT,  /* name */
  N_ADD, N_MUL, N_POW,
  N_FUNC,  /* name, arguments */
  N_PM,    /* the term of a sum that is added or taken away; op '-': the other way round */
  N_TUPLE, /* op '(' or '[' or '<' */
  N_LIST,  /* not bracketed; op ';' where groups are parted by semicolons, 'o' where all are parted by or, 'a' by and, else ',' */
  N_SET,
  N_INTERVAL, /* two ends; op: 1 open below, 2 open above, 4 written as a pair or a list of two, which it may be as well */
  N_UNION, N_INTERSECT, N_MINUS,
  N_REL,   /* chain of n sides; name: n - 1 relation characters, see REL_ */
  N_BUILDER, /* {x | relation} */
  N_MATRIX, /* op columns */
  N_RATIO,   /* op: 1 a time of day or a duration, 2 may be one */
  N_BASED, /* name: digits; op: base */
  N_DOTS
} sol_node_kind_t;
/* relation characters: = < > l (<=) g (>=) n (not equal) i (in) */

typedef struct sol_node sol_node_t;
struct sol_node {
  uint8_t kind, folded, applied; /* applied: a product written as a name before brackets, p(x) */
  int op, n, digits, decimals;   /* digits, decimals: of a number written with a point */
  const char *name;
  sol_node_t **kid;
  mpq_t q;
  sol_node_t *next; /* numbers of the pool */
};

typedef struct sol_pool {
  jmp_buf *out; /* where to go when a bound is passed */
  struct sol_chunk *chunk;
  size_t bytes;
  int nodes, work;
  int max_work;    /* 0: SOL_ANSWER_WORK */
  size_t max_bits; /* 0: SOL_ANSWER_BITS */
  sol_node_t *numbers;
} sol_pool_t;

/* ---- answer_pool.c */
_Noreturn void sol_pool_give_up (sol_pool_t *p);
void *sol_pool_take (sol_pool_t *p, size_t bytes); /* zeroed */
void sol_pool_work (sol_pool_t *p, int steps);
void sol_pool_free (sol_pool_t *p);
sol_node_t *sol_node_new (sol_pool_t *p, int kind, int n); /* n places for children, NULL */
sol_node_t *sol_node_name (sol_pool_t *p, int kind, const char *name, size_t bytes);
sol_node_t *sol_node_number (sol_pool_t *p, long value);
sol_node_t *sol_node_pair (sol_pool_t *p, int kind, sol_node_t *x, sol_node_t *y);
sol_node_t *sol_node_func (sol_pool_t *p, const char *name, sol_node_t *x); /* of one argument */
/* an order over trees; 0: the same tree */
int sol_node_order (const sol_node_t *x, const sol_node_t *y);
int sol_node_is (const sol_node_t *x, int kind, const char *name);
int sol_node_is_long (const sol_node_t *x, long value);
/* is there a node of the kind (and name, when given) in the tree? */
int sol_node_has (const sol_node_t *x, int kind, const char *name);

/* ---- answer_lex.c */
typedef enum { T_END, T_NUMBER, T_LETTERS, T_COMMAND, T_CHAR } sol_token_kind_t;
typedef struct {
  uint8_t kind, space, wide, text; /* space before it; a spacing command before it; inside \text{} or \mathrm{} */
  const char *s; /* digits without separators; letters; name without the backslash; one character */
  int bytes;
} sol_token_t;
typedef struct { sol_token_t *t; int n; } sol_tokens_t;
/* the tokens of a text, the last T_END; a text over SOL_ANSWER_BYTES or with bytes that belong to no answer gives up */
void sol_answer_lex (sol_pool_t *p, const char *text, size_t bytes, sol_tokens_t *out);
int sol_token_is (const sol_token_t *t, const char *s);
/* the same tokens, words compared without case when both are words of four letters or more */
int sol_tokens_equal (const sol_tokens_t *x, const sol_tokens_t *y);
/* only words, among them one that is no name of mathematics */
int sol_tokens_words (const sol_tokens_t *x);

/* ---- answer_units.c */
/* unit that begins at t[0]: *used tokens; NULL: none. bare: without \text a lone letter is no unit. */
const char *sol_unit_find (const sol_token_t *t, int *used, int *power);
const char *sol_unit_word (const char *s, size_t bytes);
int sol_unit_is_currency (const char *name);

/* ---- answer_parse.c, answer_atom.c, answer_group.c */
/* used: bytes of the token *t that are taken already (letters of a run, digits behind \frac); bar: inside |..|; no_bar: before the bar of {x | ..} */
typedef struct { sol_pool_t *pool; const sol_token_t *t; int used, depth, bar, no_bar; } sol_parser_t;
/* The tree of all tokens; gives up on what it cannot read. The other functions too. */
sol_node_t *sol_answer_parse (sol_pool_t *p, const sol_tokens_t *tokens);
sol_node_t *sol_parse_list (sol_parser_t *s, int inside); /* inside: in brackets */
sol_node_t *sol_parse_relation (sol_parser_t *s);
sol_node_t *sol_parse_sum (sol_parser_t *s);
sol_node_t *sol_parse_product (sol_parser_t *s, int argument); /* argument: of a function written without brackets */
sol_node_t *sol_parse_atom (sol_parser_t *s);
sol_node_t *sol_parse_bracketed (sol_parser_t *s); /* at ( [ \{ { \langle */
sol_node_t *sol_parse_braced (sol_parser_t *s);    /* an argument: {sum} or one token */
sol_node_t *sol_parse_matrix (sol_parser_t *s);
void sol_parse_next (sol_parser_t *s); /* to the next token */
int sol_parse_take (sol_parser_t *s, const char *what); /* the next token is this: goes past it */
int sol_parse_starts (const sol_parser_t *s); /* may a factor begin here? */
sol_node_t *sol_parse_power (sol_parser_t *s); /* an atom with what stands behind it */
sol_node_t *sol_parse_behind (sol_parser_t *s, sol_node_t *x); /* x with the factorials, percent signs and exponent that follow */
sol_node_t *sol_parse_function (sol_parser_t *s); /* NULL: no function's name */
const char *sol_function_name (const sol_token_t *t); /* NULL: none */
_Noreturn void sol_parse_fail (sol_parser_t *s);

/* ---- answer_fold.c, answer_exact.c, answer_matrix.c */
sol_node_t *sol_fold (sol_pool_t *p, sol_node_t *x); /* to algebraic normal form */
sol_node_t *sol_fold_add (sol_pool_t *p, sol_node_t **term, int n);
sol_node_t *sol_fold_mul (sol_pool_t *p, sol_node_t **factor, int n);
sol_node_t *sol_fold_pow (sol_pool_t *p, sol_node_t *base, sol_node_t *exponent);
sol_node_t *sol_fold_func (sol_pool_t *p, sol_node_t *x); /* arguments are folded */
sol_node_t *sol_fold_minus (sol_pool_t *p, sol_node_t *x, sol_node_t *y);
sol_node_t *sol_number_keep (sol_pool_t *p, sol_node_t *x); /* gives up on a number of too many bits */
/* base^exponent for numbers where it is rational and not too large, else NULL */
sol_node_t *sol_exact_pow (sol_pool_t *p, const sol_node_t *base, const sol_node_t *exponent);
sol_node_t *sol_matrix_add (sol_pool_t *p, sol_node_t *x, sol_node_t *y);
sol_node_t *sol_matrix_mul (sol_pool_t *p, sol_node_t *x, sol_node_t *y); /* one of them may be a scalar */
/* the tree with every place of `what` replaced by `by`, folded */
sol_node_t *sol_fold_replace (sol_pool_t *p, sol_node_t *x, const sol_node_t *what, sol_node_t *by);

/* ---- answer_eval.c, answer_probe.c */
typedef enum { SOL_PROBE_NO, SOL_PROBE_YES, SOL_PROBE_UNKNOWN } sol_probe_t;
/* equal at every random point where both are defined; of folded trees */
sol_probe_t sol_probe_equal (sol_pool_t *p, const sol_node_t *x, const sol_node_t *y);
/* x = c y with one constant c at all points: the sign of c, else 0 */
int sol_probe_ratio (sol_pool_t *p, const sol_node_t *x, const sol_node_t *y);
/* sign of a real constant: -1 0 1; 2: not known */
int sol_probe_sign (sol_pool_t *p, const sol_node_t *x);
/* |x - y| is at most 10^-decimals; of real constants */
int sol_probe_near (sol_pool_t *p, const sol_node_t *x, const sol_node_t *y, int decimals);

/* ---- answer_equal.c, answer_sets.c, answer_relation.c */
int sol_tree_equal (sol_pool_t *p, sol_node_t *x, sol_node_t *y); /* folded trees */
int sol_expression_equal (sol_pool_t *p, sol_node_t *x, sol_node_t *y); /* what stands for a number or a function */
int sol_list_equal (sol_pool_t *p, sol_node_t *x, sol_node_t *y);
/* of sets of real numbers: 1 equal, 0 not, -1: not sets of real constants */
int sol_set_equal (sol_pool_t *p, sol_node_t *x, sol_node_t *y);
int sol_is_set (const sol_node_t *x);
int sol_relation_equal (sol_pool_t *p, sol_node_t *x, sol_node_t *y);
/* name = value: the name (NULL: none) and the value */
sol_node_t *sol_assigned (sol_pool_t *p, sol_node_t *x, sol_node_t **name_p);
/* an inequality or builder as a set of real numbers, or NULL; *subject_p: what it is about, NULL for a builder, whose variable is bound */
sol_node_t *sol_relation_solve (sol_pool_t *p, sol_node_t *x, sol_node_t **subject_p);
/* value and unit of a product; the unit is NULL where there is none */
sol_node_t *sol_unit_split (sol_pool_t *p, sol_node_t *x, sol_node_t **unit_p);
/* both signs of every \pm written out, then folded */
sol_node_t *sol_answer_prepare (sol_pool_t *p, sol_node_t *x);
/* ---- answer_whole.c
 * text[*from, *end) is the last number of a text: is it part of something larger? Then *from and *end become that one's, and 1. */
int sol_answer_whole (const char *text, size_t bytes, size_t *from, size_t *end);
/* is all of the text one number, perhaps with a unit? Cheap and bounded. */
int sol_answer_is_number (const char *text, size_t bytes);
#endif
