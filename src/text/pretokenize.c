/* SPDX-License-Identifier: Apache-2.0 */
/* pretokenize.c: text to the pieces inside which merging happens. Each step sees every piece of the step before on its own (so that "not followed by" looks no further) and cuts it,
 * or rewrites it. */
#include "solera/memory.h"
#include "solera/utf8.h"
#include "tokenizer_internal.h"
#include <string.h>

static void add_piece (sol_encode_t *e, size_t at, size_t end)
{
  if (at == end) return;
  if (e->n_next == e->next_room) {
    e->next_room = e->next_room * 2 + 256;
    e->next = sol_realloc (e->next, e->next_room * sizeof *e->next);
  }
  e->next[e->n_next++] = (sol_span_t) { (uint32_t) at, (uint32_t) (end - at) };
}

/* ---- cutting: runs of a text, each a match or not, come in order; what is pending may still grow */
typedef struct {
  sol_encode_t *e;
  sol_cut_t cut;
  size_t base, start, end; /* base: of the piece in the text; start, end: what is pending, in the piece */
  int any, was_match;      /* any: something is pending */
} cutter_t;

static void run (cutter_t *c, size_t start, size_t end, int is_match)
{
  const int was = c->was_match;
  c->was_match = is_match;
  if (c->cut == SOL_CUT_REMOVED && is_match) return;
  if (c->any && ((c->cut == SOL_CUT_CONTIGUOUS && is_match == was) || (c->cut == SOL_CUT_PREVIOUS && is_match && !was) || (c->cut == SOL_CUT_NEXT && !is_match && was))) {
    c->end = end;
    return;
  }
  if (c->any) add_piece (c->e, c->base + c->start, c->base + c->end);
  c->any = 1;
  c->start = start;
  c->end = end;
}

static sol_status_t cut_pattern (const sol_step_t *s, sol_encode_t *e, sol_span_t p)
{
  cutter_t c = { .e = e, .cut = s->cut, .base = p.at };
  sol_find_t f = { &s->pattern, e->match, e->text + p.at, p.bytes, 0, SIZE_MAX };
  size_t done = 0, start, end;
  sol_status_t st;
  while ((st = sol_find_next (&f, &start, &end)) == SOL_OK) {
    if (start > done) run (&c, done, start, s->invert);
    run (&c, start, end, !s->invert);
    done = end;
  }
  if (st != SOL_END) return st;
  if (done < p.bytes) run (&c, done, p.bytes, s->invert);
  if (c.any) add_piece (e, c.base + c.start, c.base + c.end);
  return SOL_OK;
}

static void cut_chars (const sol_step_t *s, sol_encode_t *e, sol_span_t p)
{
  cutter_t c = { .e = e, .cut = s->cut, .base = p.at };
  const char *text = e->text + p.at;
  size_t done = 0;
  for (size_t i = 0; i < p.bytes;) {
    int32_t cp;
    size_t n = (size_t) sol_utf8_next (text + i, p.bytes - i, &cp);
    if (s->is ? s->is (cp) : cp == s->delimiter) {
      if (i > done) run (&c, done, i, 0);
      run (&c, i, i + n, 1);
      done = i + n;
    }
    i += n;
  }
  if (done < p.bytes) run (&c, done, p.bytes, 0);
  if (c.any) add_piece (e, c.base + c.start, c.base + c.end);
}

/* ---- rewriting */

static int begins (const char *text, size_t bytes, const char *what, size_t n) { return bytes >= n && !memcmp (text, what, n); }

static void metaspace (const sol_step_t *s, const char *text, sol_span_t p, int at_origin, sol_buffer_t *out)
{
  const char *piece = text + p.at;
  if (s->prepend != SOL_PREPEND_NEVER && !begins (piece, p.bytes, s->text, s->bytes) && piece[0] != ' ' && (s->prepend == SOL_PREPEND_ALWAYS || at_origin))
    sol_buffer_add (out, s->text, s->bytes);
  for (size_t i = 0, n; i < p.bytes; i += n) {
    const char *space = memchr (piece + i, ' ', p.bytes - i);
    n = space ? (size_t) (space - piece) - i : p.bytes - i;
    sol_buffer_add (out, piece + i, n);
    if (space) sol_buffer_add (out, s->text, s->bytes), n++;
  }
}

static void rewrite (const sol_step_t *s, sol_encode_t *e)
{
  sol_buffer_t *out = &e->buf[!e->now];
  sol_buffer_clear (out);
  for (size_t i = 0; i < e->n_pieces; i++) {
    const sol_span_t p = e->piece[i];
    const size_t at = out->bytes;
    if (s->kind == SOL_STEP_METASPACE) metaspace (s, e->text, p, e->at_origin && p.at == 0, out);
    else if (s->kind == SOL_STEP_SPELL) sol_bytes_spell (out, e->text + p.at, p.bytes);
    else {
      if (!begins (e->text + p.at, p.bytes, s->text, s->bytes)) sol_buffer_add (out, s->text, s->bytes);
      sol_buffer_add (out, e->text + p.at, p.bytes);
    }
    add_piece (e, at, out->bytes);
  }
  e->now = !e->now;
  e->text = out->data ? out->data : "";
}

/* what was made becomes what is there */
static void turn (sol_encode_t *e)
{
  sol_span_t *was = e->piece;
  size_t room = e->piece_room;
  e->piece = e->next;
  e->n_pieces = e->n_next;
  e->piece_room = e->next_room;
  e->next = was;
  e->next_room = room;
  e->n_next = 0;
}

sol_status_t sol_pretokenize (const sol_tokenizer_t *t, sol_encode_t *e, const char *text, size_t bytes)
{
  e->text = text;
  e->n_next = 0;
  add_piece (e, 0, bytes);
  turn (e);
  for (int k = 0; k < t->n_steps; k++) {
    const sol_step_t *s = &t->step[k];
    if (s->kind == SOL_STEP_PATTERN || s->kind == SOL_STEP_CHARS)
      for (size_t i = 0; i < e->n_pieces; i++) {
        if (s->kind == SOL_STEP_CHARS) cut_chars (s, e, e->piece[i]);
        else SOL_TRY (cut_pattern (s, e, e->piece[i]));
      }
    else rewrite (s, e);
    turn (e);
  }
  return SOL_OK;
}
