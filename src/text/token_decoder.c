/* SPDX-License-Identifier: Apache-2.0 */
/* token_decoder.c: ids to text. The decoder's steps stand in a row; every token is given to the first, which gives what it makes of it to the next, and so on, and at the end of the
 * text each gives what it still holds. Decoding at once is the same with all tokens. A step behind one that joins tokens (fused) gets the parts of a single one. */
#include "solera/memory.h"
#include "solera/utf8.h"
#include "tokenizer_internal.h"
#include <string.h>

typedef struct {
  sol_buffer_t held;  /* what waits for more */
  sol_buffer_t made;  /* scratch */
  int64_t count;      /* tokens seen; fused Strip: characters dropped at the beginning, -1: no more are */
} state_t;

struct sol_decode {
  const sol_tokenizer_t *t;
  int skip_special;
  state_t state[SOL_MAX_STEPS];
  pcre2_match_data *match;
  sol_buffer_t *out;
};

typedef struct { const char *s; size_t n; } text_t;

static void feed (sol_decode_t *d, int k, text_t x);

static int begins (text_t x, const sol_dec_t *s) { return x.n >= s->bytes && !memcmp (x.s, s->text, s->bytes); }
static int ends (text_t x, const sol_dec_t *s) { return x.n >= s->bytes && !memcmp (x.s + x.n - s->bytes, s->text, s->bytes); }

/* ---- steps that look at one token only */

static text_t strip (const sol_dec_t *s, text_t x)
{
  for (int64_t i = 0; i < s->start && begins (x, s); i++) x.s += s->bytes, x.n -= s->bytes;
  for (int64_t i = 0; i < s->stop && ends (x, s); i++) x.n -= s->bytes;
  return x;
}

static text_t metaspace (const sol_dec_t *s, text_t x, int drop, sol_buffer_t *made)
{
  sol_buffer_clear (made);
  for (size_t i = 0, n; i < x.n; i += n) {
    const char *at = memmem (x.s + i, x.n - i, s->text, s->bytes);
    n = at ? (size_t) (at - x.s) - i : x.n - i;
    sol_buffer_add (made, x.s + i, n);
    if (!at) continue;
    n += s->bytes;
    if (!drop) sol_buffer_add (made, " ", 1);
  }
  return (text_t) { made->data ? made->data : "", made->bytes };
}

/* Replace, Strip, Metaspace: what becomes of a token; index: its place, -1 unknown (not the first) */
static text_t one_token (const sol_dec_t *s, pcre2_match_data *match, text_t x, int64_t index, sol_buffer_t *made)
{
  if (s->kind == SOL_DEC_STRIP) return strip (s, x);
  if (s->kind == SOL_DEC_METASPACE) return metaspace (s, x, index == 0 && s->drop_first, made);
  sol_buffer_clear (made);
  if (sol_replace (&s->pattern, match, s->text, s->bytes, x.s, x.n, made) != SOL_OK) return x;
  return (text_t) { made->data ? made->data : "", made->bytes };
}

/* ---- steps that hold something back */

static void pass (sol_decode_t *d, int k, const char *text, size_t bytes) { feed (d, k + 1, (text_t) { text, bytes }); }

/* bytes become text as far as no later byte can change it */
static void settle (sol_decode_t *d, int k, int at_end)
{
  state_t *s = &d->state[k];
  size_t i = 0, n = s->held.bytes;
  while (i < n) {
    int32_t cp;
    int m = sol_utf8_next (s->held.data + i, n - i, &cp);
    if (m < 0 && i + (size_t) -m == n && !at_end && (unsigned char) s->held.data[i] >= 0xc2 && (unsigned char) s->held.data[i] <= 0xf4) break;
    i += (size_t) (m < 0 ? -m : m);
  }
  sol_buffer_clear (&s->made);
  if (i) sol_utf8_lossy (&s->made, s->held.data, i);
  memmove (s->held.data, s->held.data + i, n - i);
  s->held.bytes = n - i;
  if (s->made.bytes) pass (d, k, s->made.data, s->made.bytes);
}

static void byte_level (sol_decode_t *d, int k, text_t x)
{
  state_t *s = &d->state[k];
  sol_spelling_bytes (&s->held, x.s, x.n);
  if (s->held.bytes) settle (d, k, 0);
}

/* a run of bytes is a text if all of it is UTF-8, else every byte is U+FFFD */
static void end_bytes (sol_decode_t *d, int k)
{
  state_t *s = &d->state[k];
  const size_t n = s->held.bytes;
  if (!n) return;
  if (sol_utf8_check (s->held.data, n) == n) pass (d, k, s->held.data, n);
  else
    for (size_t i = 0; i < n; i++) pass (d, k, "\xef\xbf\xbd", 3);
  sol_buffer_clear (&s->held);
}

static void byte_fallback (sol_decode_t *d, int k, text_t x)
{
  const int byte = sol_fallback_byte (x.s, x.n);
  const char c = (char) byte;
  if (byte >= 0) sol_buffer_add (&d->state[k].held, &c, 1);
  else {
    end_bytes (d, k);
    feed (d, k + 1, x);
  }
}

/* Strip behind Fuse: the first characters are dropped as they come, the last that may have to go are held */
static void strip_fused (sol_decode_t *d, int k, text_t x)
{
  const sol_dec_t *s = &d->t->dec[k];
  state_t *state = &d->state[k];
  sol_buffer_add (&state->held, x.s, x.n);
  text_t all = { state->held.data ? state->held.data : "", state->held.bytes };
  for (; state->count >= 0 && all.n; state->count++) {
    if (state->count == s->start || !begins (all, s)) {
      state->count = -1;
      break;
    }
    all.s += s->bytes;
    all.n -= s->bytes;
  }
  text_t kept = all;
  for (int64_t i = 0; i < s->stop && ends (kept, s); i++) kept.n -= s->bytes;
  sol_buffer_clear (&state->made);
  sol_buffer_add (&state->made, kept.s, kept.n);
  const size_t rest = all.n - kept.n;
  if (rest) memmove (state->held.data, kept.s + kept.n, rest);
  state->held.bytes = rest;
  if (state->made.bytes) pass (d, k, state->made.data, state->made.bytes);
}

/* ---- the row */

static void feed (sol_decode_t *d, int k, text_t x)
{
  if (k == d->t->n_dec) {
    sol_buffer_add (d->out, x.s, x.n);
    return;
  }
  const sol_dec_t *s = &d->t->dec[k];
  state_t *state = &d->state[k];
  if (s->kind == SOL_DEC_FUSE) feed (d, k + 1, x);
  else if (s->fused && s->kind == SOL_DEC_STRIP) strip_fused (d, k, x);
  else if (s->fused) sol_buffer_add (&state->held, x.s, x.n); /* these see a joined text as a whole only */
  else if (s->kind == SOL_DEC_BYTE_LEVEL) byte_level (d, k, x);
  else if (s->kind == SOL_DEC_BYTE_FALLBACK) byte_fallback (d, k, x);
  else if (s->kind == SOL_DEC_JOIN) {
    if (state->count++) pass (d, k, " ", 1);
    feed (d, k + 1, x);
  } else feed (d, k + 1, one_token (s, d->match, x, state->count++, &state->made));
}

static void end_fused (sol_decode_t *d, int k)
{
  const sol_dec_t *s = &d->t->dec[k];
  state_t *state = &d->state[k];
  const text_t all = { state->held.data ? state->held.data : "", state->held.bytes };
  const int byte = sol_fallback_byte (all.s, all.n);
  sol_buffer_clear (&state->made);
  if (s->kind == SOL_DEC_STRIP) { /* what was held back as the end goes, as far as it may */
    text_t x = all;
    for (int64_t i = 0; i < s->stop && ends (x, s); i++) x.n -= s->bytes;
    if (x.n) feed (d, k + 1, x);
  } else if (s->kind == SOL_DEC_BYTE_LEVEL) {
    sol_buffer_t bytes = { 0 };
    sol_spelling_bytes (&bytes, all.s, all.n);
    if (bytes.bytes) sol_utf8_lossy (&state->made, bytes.data, bytes.bytes);
    sol_buffer_free (&bytes);
    pass (d, k, state->made.data ? state->made.data : "", state->made.bytes);
  } else if (s->kind == SOL_DEC_BYTE_FALLBACK) {
    const char c = (char) byte;
    if (byte < 0) feed (d, k + 1, all);
    else if (byte < 0x80) pass (d, k, &c, 1);
    else pass (d, k, "\xef\xbf\xbd", 3);
  } else feed (d, k + 1, one_token (s, d->match, all, 0, &state->made));
  sol_buffer_clear (&state->held);
}

sol_decode_t *sol_decode_create (const sol_tokenizer_t *t, int skip_special)
{
  sol_decode_t *d = sol_alloc (sizeof *d);
  d->t = t;
  d->skip_special = skip_special;
  for (int k = 0; k < t->n_dec; k++)
    if (t->dec[k].pattern.code && !d->match) d->match = pcre2_match_data_create (64, NULL);
  return d;
}

void sol_decode_destroy (sol_decode_t *d)
{
  if (!d) return;
  for (int k = 0; k < SOL_MAX_STEPS; k++) {
    sol_buffer_free (&d->state[k].held);
    sol_buffer_free (&d->state[k].made);
  }
  pcre2_match_data_free (d->match);
  sol_free (d);
}

void sol_decode_put (sol_decode_t *d, int32_t id, sol_buffer_t *out)
{
  const sol_tokenizer_t *t = d->t;
  if (id < 0 || id >= t->size || !t->name[id].bytes || (d->skip_special && t->special[id])) return;
  d->out = out;
  if (t->n_dec == 1 && t->dec[0].kind == SOL_DEC_BYTE_LEVEL) { /* the usual case: its bytes are known */
    sol_buffer_add (&d->state[0].held, t->bytes.data + t->text[id].at, t->text[id].bytes);
    settle (d, 0, 0);
  } else feed (d, 0, (text_t) { t->names.data + t->shown[id].at, t->shown[id].bytes });
}

void sol_decode_end (sol_decode_t *d, sol_buffer_t *out)
{
  d->out = out;
  for (int k = 0; k < d->t->n_dec; k++) {
    const sol_dec_t *s = &d->t->dec[k];
    if (s->kind == SOL_DEC_FUSE || s->kind == SOL_DEC_JOIN) continue;
    if (s->fused) end_fused (d, k);
    else if (s->kind == SOL_DEC_BYTE_LEVEL) {
      if (d->state[k].held.bytes) settle (d, k, 1);
    } else if (s->kind == SOL_DEC_BYTE_FALLBACK) end_bytes (d, k);
  }
  for (int k = 0; k < d->t->n_dec; k++) {
    d->state[k].count = 0;
    sol_buffer_clear (&d->state[k].held);
  }
}

void sol_tokenizer_decode (const sol_tokenizer_t *t, const int32_t *ids, int32_t n, int skip_special, sol_buffer_t *out)
{
  sol_decode_t *d = sol_decode_create (t, skip_special);
  for (int32_t i = 0; i < n; i++) sol_decode_put (d, ids[i], out);
  sol_decode_end (d, out);
  sol_decode_destroy (d);
}

/* The bytes of a token in the midst of a text: byte-level tokens are bytes, a byte that falls back is one, others go through the steps that look at single tokens. */
void sol_tokenizer_fill_text (sol_tokenizer_t *t)
{
  pcre2_match_data *match = pcre2_match_data_create (64, NULL);
  sol_buffer_t made[2] = { { 0 }, { 0 } };
  for (int32_t id = 0; id < t->size; id++) {
    const uint32_t at = (uint32_t) t->bytes.bytes;
    text_t x = { t->names.data + t->shown[id].at, t->shown[id].bytes };
    int done = !x.n, into = 0;
    for (int k = 0; k < t->n_dec && !done && !t->dec[k].fused; k++) {
      const int byte = t->dec[k].kind == SOL_DEC_BYTE_FALLBACK ? sol_fallback_byte (x.s, x.n) : -1;
      const char c = (char) byte;
      if (t->dec[k].kind == SOL_DEC_BYTE_LEVEL) sol_spelling_bytes (&t->bytes, x.s, x.n), done = 1;
      else if (byte >= 0) sol_buffer_add (&t->bytes, &c, 1), done = 1;
      else if (t->dec[k].kind == SOL_DEC_REPLACE || t->dec[k].kind == SOL_DEC_METASPACE || t->dec[k].kind == SOL_DEC_STRIP) x = one_token (&t->dec[k], match, x, -1, &made[into = !into]);
    }
    if (!done) sol_buffer_add (&t->bytes, x.s, x.n);
    t->text[id] = (sol_span_t) { at, (uint32_t) t->bytes.bytes - at };
  }
  for (int i = 0; i < 2; i++) sol_buffer_free (&made[i]);
  pcre2_match_data_free (match);
}
