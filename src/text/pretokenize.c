/* SPDX-License-Identifier: Apache-2.0 */
/* pretokenize.c: text to the pieces inside which merging happens. Each step cuts every piece of the step before, seen on its own (so that "not followed by" looks no further). */
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/utf8.h"
#include "tokenizer_internal.h"
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

sol_status_t sol_nfc (const char *text, size_t bytes, sol_buffer_t *out)
{
  utf8proc_uint8_t *done = NULL;
  utf8proc_ssize_t n = utf8proc_map ((const utf8proc_uint8_t *) text, (utf8proc_ssize_t) bytes, &done, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  if (n < 0) return sol_fail (SOL_ERR_MEMORY, "tokenizer", "NFC of %zu bytes: %s", bytes, utf8proc_errmsg (n));
  sol_buffer_clear (out);
  sol_buffer_add (out, done, (size_t) n);
  free (done);
  return SOL_OK;
}

static void add_piece (sol_encode_t *e, size_t at, size_t end)
{
  if (at == end) return;
  if (e->n_next == e->next_room) {
    e->next_room = e->next_room * 2 + 256;
    e->next = sol_realloc (e->next, e->next_room * sizeof *e->next);
  }
  e->next[e->n_next++] = (sol_span_t) { (uint32_t) at, (uint32_t) (end - at) };
}

/* PCRE2's stack for compiled patterns may be too small for a long run of one class: then its interpreter, which uses the heap */
static int match (const sol_step_t *s, sol_encode_t *e, const char *text, size_t bytes, size_t from)
{
  int rc = pcre2_match (s->code, (PCRE2_SPTR) text, bytes, from, PCRE2_NO_UTF_CHECK, e->match, NULL);
  if (rc == PCRE2_ERROR_JIT_STACKLIMIT) rc = pcre2_match (s->code, (PCRE2_SPTR) text, bytes, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, e->match, NULL);
  return rc;
}

static size_t char_bytes (const char *s, size_t bytes)
{
  int32_t cp;
  return (size_t) sol_utf8_next (s, bytes, &cp);
}

static sol_status_t split (const sol_step_t *s, sol_encode_t *e, const char *text, sol_span_t p)
{
  const size_t *found = pcre2_get_ovector_pointer (e->match);
  const char *base = text + p.at;
  size_t done = 0, from = 0;
  const int keep_match = !s->remove || s->invert, keep_rest = !s->remove || !s->invert;
  while (from <= p.bytes) {
    int rc = match (s, e, base, p.bytes, from);
    if (rc == PCRE2_ERROR_NOMATCH) break;
    if (rc < 0) return sol_fail (SOL_ERR_LIMIT, "tokenizer", "the pre-tokenizer's expression fails on a text of %u bytes (PCRE2 error %d)", p.bytes, rc);
    if (found[1] == found[0] || found[1] <= done) { /* an empty match cuts nothing */
      from = found[0] >= p.bytes ? p.bytes + 1 : found[0] + char_bytes (base + found[0], p.bytes - found[0]);
      continue;
    }
    if (keep_rest) add_piece (e, p.at + done, p.at + found[0]);
    if (keep_match) add_piece (e, p.at + found[0], p.at + found[1]);
    done = from = found[1];
  }
  if (keep_rest) add_piece (e, p.at + done, p.at + p.bytes);
  return SOL_OK;
}

static int is_numeric (int32_t cp)
{
  utf8proc_category_t c = utf8proc_category (cp);
  return c == UTF8PROC_CATEGORY_ND || c == UTF8PROC_CATEGORY_NL || c == UTF8PROC_CATEGORY_NO;
}

static void digits (const sol_step_t *s, sol_encode_t *e, const char *text, sol_span_t p)
{
  size_t end = (size_t) p.at + p.bytes, done = p.at;
  int was = -1;
  for (size_t i = p.at; i < end;) {
    int32_t cp;
    size_t n = (size_t) sol_utf8_next (text + i, end - i, &cp);
    int now = is_numeric (cp);
    if (was >= 0 && (now != was || (now && s->individual))) {
      add_piece (e, done, i);
      done = i;
    }
    was = now;
    i += n;
  }
  add_piece (e, done, end);
}

/* PCRE2 still counts U+180E, which is no white space since Unicode 6.3, as \s. A format character of the same length and of the same category for every class that such expressions use
 * (U+200B) takes its place while the expressions look. */
static const char *mask (sol_encode_t *e, const char *text, size_t bytes)
{
  if (!bytes || !memmem (text, bytes, "\xe1\xa0\x8e", 3)) return text;
  sol_buffer_clear (&e->masked);
  sol_buffer_add (&e->masked, text, bytes);
  for (char *p = e->masked.data, *end = p + bytes; (p = memmem (p, (size_t) (end - p), "\xe1\xa0\x8e", 3)); p += 3) memcpy (p, "\xe2\x80\x8b", 3);
  return e->masked.data;
}

sol_status_t sol_pretokenize (const sol_tokenizer_t *t, sol_encode_t *e, const char *text, size_t bytes)
{
  const char *seen = mask (e, text, bytes);
  e->n_next = 0;
  add_piece (e, 0, bytes);
  for (int k = 0; k <= t->n_steps; k++) {
    sol_span_t *was = e->piece;
    size_t room = e->piece_room;
    e->piece = e->next;
    e->n_pieces = e->n_next;
    e->piece_room = e->next_room;
    e->next = was;
    e->next_room = room;
    e->n_next = 0;
    if (k == t->n_steps) break;
    for (size_t i = 0; i < e->n_pieces; i++) {
      if (t->step[k].kind == SOL_STEP_DIGITS) digits (&t->step[k], e, seen, e->piece[i]);
      else SOL_TRY (split (&t->step[k], e, seen, e->piece[i]));
    }
  }
  return SOL_OK;
}
