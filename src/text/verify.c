/* SPDX-License-Identifier: Apache-2.0 */
/* verify.c: are two answers equal? Opens the pool of a comparison, and is where it ends when a bound is passed. */
#include "solera/verify.h"
#include "answer.h"
#include <ctype.h>
#include <string.h>

typedef struct {
  const char *x, *y;
  size_t bytes_x, bytes_y;
  int lexed, verdict; /* lexed: both are tokens; verdict: 1 equal, 0 not, -1 undecided */
} question_t;
typedef void (*work_t) (sol_pool_t *p, question_t *q);

/* 0: it gave up */
static int guarded (sol_pool_t *p, work_t work, question_t *q)
{
  jmp_buf out;
  volatile int done = 0;
  p->out = &out;
  if (setjmp (out) == 0) {
    work (p, q);
    done = 1;
  }
  sol_pool_free (p);
  return done;
}

/* the tokens decide: equal, or a word on a side; else trees of both */
static int tokens_decide (sol_pool_t *p, question_t *q, sol_tokens_t *x, sol_tokens_t *y)
{
  sol_answer_lex (p, q->x, q->bytes_x, x);
  sol_answer_lex (p, q->y, q->bytes_y, y);
  q->lexed = 1;
  q->verdict = 0;
  if (sol_tokens_equal (x, y)) q->verdict = 1;
  return q->verdict || !x->n || !y->n || sol_tokens_words (x) || sol_tokens_words (y);
}

static void work_equal (sol_pool_t *p, question_t *q)
{
  sol_tokens_t x, y;
  if (tokens_decide (p, q, &x, &y)) return;
  sol_node_t *a = sol_answer_prepare (p, sol_answer_parse (p, &x)), *b = sol_answer_prepare (p, sol_answer_parse (p, &y));
  q->verdict = sol_tree_equal (p, a, b);
}

/* a number in exact form with or without a unit, else NULL */
static sol_node_t *exact (sol_pool_t *p, const sol_tokens_t *t, sol_node_t **unit_p)
{
  sol_node_t *x = sol_unit_split (p, sol_answer_prepare (p, sol_answer_parse (p, t)), unit_p);
  return x->kind == N_NUM ? x : NULL;
}

static void work_quick (sol_pool_t *p, question_t *q)
{
  sol_tokens_t x, y;
  sol_node_t *unit_x, *unit_y;
  if (tokens_decide (p, q, &x, &y)) return;
  q->verdict = -1;
  const sol_node_t *a = exact (p, &x, &unit_x), *b = exact (p, &y, &unit_y);
  if (!a || !b || a->digits > 11 || b->digits > 11) return; /* decimals of many digits may be roundings */
  q->verdict = mpq_equal (a->q, b->q) && !(unit_x && unit_y && sol_node_order (unit_x, unit_y));
}

static void work_number (sol_pool_t *p, question_t *q)
{
  sol_tokens_t x;
  sol_node_t *unit;
  q->verdict = 0;
  sol_answer_lex (p, q->x, q->bytes_x, &x);
  q->verdict = exact (p, &x, &unit) != NULL;
}

/* bytes of a text without white space at its ends */
static size_t trimmed (const char **s)
{
  while (isspace ((unsigned char) **s)) ++*s;
  size_t n = strlen (*s);
  while (n && isspace ((unsigned char) (*s)[n - 1])) n--;
  return n;
}

static question_t ask (const char *prediction, const char *gold)
{
  question_t q = { .x = prediction, .y = gold };
  q.bytes_x = trimmed (&q.x);
  q.bytes_y = trimmed (&q.y);
  return q;
}

static int same_text (const question_t *q) { return q->bytes_x && q->bytes_x == q->bytes_y && !memcmp (q->x, q->y, q->bytes_x); }

int sol_answer_equal (const char *prediction, const char *gold)
{
  question_t q = ask (prediction, gold);
  sol_pool_t pool = { 0 };
  if (guarded (&pool, work_equal, &q)) return q.verdict;
  return !q.lexed && same_text (&q); /* what could not be read at all is equal to itself */
}

int sol_answer_quick (const char *prediction, const char *gold)
{
  question_t q = ask (prediction, gold);
  sol_pool_t pool = { .max_work = 1000, .max_bits = 2000 };
  if (q.bytes_x > SOL_QUICK_BYTES || q.bytes_y > SOL_QUICK_BYTES) return -1;
  return guarded (&pool, work_quick, &q) ? q.verdict : -1;
}

int sol_answer_is_number (const char *text, size_t bytes)
{
  question_t q = { .x = text, .bytes_x = bytes };
  sol_pool_t pool = { .max_work = 1000, .max_bits = 2000 };
  return bytes <= SOL_QUICK_BYTES && guarded (&pool, work_number, &q) && q.verdict;
}

int sol_answer_strict (const char *prediction, const char *gold)
{
  const question_t q = ask (prediction, gold);
  return same_text (&q);
}

/* Of a text that a length limit cut off: a box that is closed, or what was named as the answer in a line that is over. A number at the end was on its way to somewhere. */
static int take_cut (const char *text, size_t bytes, sol_buffer_t *out)
{
  int how = sol_answer_extract (text, bytes, out);
  if (how > 1) {
    while (bytes && text[bytes - 1] != '\n') bytes--;
    how = sol_answer_extract (text, bytes, out);
  }
  if (how > 3) how = 0;
  if (!how) sol_buffer_clear (out);
  return how;
}

int sol_answer_take (const char *prediction, sol_answer_form_t form, sol_verify_mode_t mode, sol_buffer_t *out)
{
  const size_t bytes = strlen (prediction);
  int found = 1;
  sol_buffer_clear (out);
  if (mode == SOL_VERIFY_M2PO && form != SOL_FORM_ANSWER) found = sol_answer_extract_box (prediction, bytes, out);
  else if (form == SOL_FORM_CUT) found = take_cut (prediction, bytes, out);
  else if (form == SOL_FORM_MARKED || form == SOL_FORM_BOXED) {
    found = sol_answer_extract (prediction, bytes, out);
    if (found > (form == SOL_FORM_BOXED ? 1 : 3)) found = 0, sol_buffer_clear (out);
  }
  else if (form == SOL_FORM_RESPONSE || strstr (prediction, "\\boxed{")) found = sol_answer_extract (prediction, bytes, out);
  else sol_buffer_add (out, prediction, bytes);
  return out->bytes ? found : 0;
}

int sol_answer_check (const char *prediction, const char *gold, sol_answer_form_t form, sol_verify_mode_t mode, sol_buffer_t *extracted)
{
  sol_buffer_t own = { 0 }, *out = extracted ? extracted : &own;
  int same = sol_answer_take (prediction, form, mode, out);
  if (same) same = mode == SOL_VERIFY_STRICT ? sol_answer_strict (out->data, gold) : sol_answer_equal (out->data, gold);
  sol_buffer_free (&own);
  return same;
}
