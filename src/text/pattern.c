/* SPDX-License-Identifier: Apache-2.0 */
/* pattern.c: what steps look for. The files' expressions are written for Oniguruma (Ruby's syntax, Unicode); they are rewritten for PCRE2 where the two read the same text
 * differently: white space and word characters as Unicode has them now, ^ and $ at every line, \h a hexadecimal digit. What cannot be rewritten is refused. */
#include "solera/json.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/utf8.h"
#include "tokenizer_internal.h"
#include <cjson/cJSON.h>
#include <string.h>
#include <utf8proc.h>

#define ROOM "tokenizer"

/* members of classes. PCRE2's \s has U+180E, which is no white space since Unicode 6.3, and its \w lacks marks; Oniguruma's has superscripts and fractions of Latin-1. */
#define SPACE "\\x09-\\x0d\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define NO_SPACE                                                                                                                                              \
  "\\x00-\\x08\\x0e-\\x1f\\x21-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{10ffff}"
#define WORD "\\xb2\\xb3\\xb9\\xbc-\\xbe\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}"

typedef struct { const char *at; sol_buffer_t *out; const char *bad; } rewrite_t; /* bad: what cannot be rewritten */

static void add (rewrite_t *r, const char *s) { sol_buffer_add (r->out, s, strlen (s)); }

/* the escape at r->at ("\x"), in a class or not */
static void escape (rewrite_t *r, int in_class)
{
  const char c = r->at[1];
  static const struct { char c; const char *in, *out; } row[] = { { 's', SPACE, "[" SPACE "]" },
                                                                  { 'S', NO_SPACE, "[^" SPACE "]" },
                                                                  { 'w', WORD, "[" WORD "]" },
                                                                  { 'W', NULL, "[^" WORD "]" },
                                                                  { 'h', "0-9a-fA-F", "[0-9a-fA-F]" },
                                                                  { 'H', NULL, "[^0-9a-fA-F]" },
                                                                  { 'b', "\\x08", "(?:(?<=[" WORD "])(?![" WORD "])|(?<![" WORD "])(?=[" WORD "]))" },
                                                                  { 'B', NULL, "(?:(?<=[" WORD "])(?=[" WORD "])|(?<![" WORD "])(?![" WORD "]))" } };
  for (size_t i = 0; i < sizeof row / sizeof *row; i++)
    if (row[i].c == c) {
      if (in_class && !row[i].in) r->bad = "a negated class inside a class";
      else add (r, in_class ? row[i].in : row[i].out);
      r->at += 2;
      return;
    }
  if (c == 'u' && strspn (r->at + 2, "0123456789abcdefABCDEF") >= 4) {
    sol_buffer_printf (r->out, "\\x{%.4s}", r->at + 2);
    r->at += 6;
    return;
  }
  if (c == 'K' || c == 'X' || c == 'y' || c == 'Y' || c == 'O') r->bad = "\\K, \\X, \\y, \\Y or \\O";
  sol_buffer_add (r->out, r->at, c ? 2 : 1);
  r->at += c ? 2 : 1;
}

/* the class at r->at ("[") */
static void class (rewrite_t *r)
{
  add (r, "[");
  r->at++;
  if (*r->at == '^') add (r, "^"), r->at++;
  for (int first = 1; *r->at && (*r->at != ']' || first) && !r->bad; first = 0) {
    if (*r->at == '\\') escape (r, 1);
    else if (*r->at == '[' && r->at[1] != ':') r->bad = "a class inside a class";
    else if (*r->at == '&' && r->at[1] == '&') r->bad = "the intersection of classes (&&)";
    else {
      const char *end = *r->at == '[' ? strstr (r->at, ":]") : NULL;
      size_t n = end ? (size_t) (end + 2 - r->at) : 1;
      sol_buffer_add (r->out, r->at, n);
      r->at += n;
    }
  }
  if (*r->at) add (r, "]"), r->at++;
}

/* is there a repetition {...} at s, followed by a plus sign? Oniguruma repeats it then, PCRE2 makes it possessive. */
static int is_repeated (const char *s)
{
  size_t n = strspn (s + 1, "0123456789,");
  return *s == '{' && n && s[n + 1] == '}' && s[n + 2] == '+';
}

static const char *rewrite (const char *regex, sol_buffer_t *out)
{
  rewrite_t r = { regex, out, NULL };
  while (*r.at && !r.bad) {
    if (*r.at == '\\') escape (&r, 0);
    else if (*r.at == '[') class (&r);
    else if (is_repeated (r.at)) r.bad = "{...}+";
    else {
      if (r.at[0] == '(' && r.at[1] == '?') {
        size_t n = strspn (r.at + 2, "imx-");
        if (n && memchr (r.at + 2, 'm', n)) r.bad = "the option m";
      }
      sol_buffer_add (out, r.at++, 1);
    }
  }
  return r.bad;
}

sol_status_t sol_pattern_compile (sol_pattern_t *p, const char *regex, const char *what, const char *path)
{
  sol_buffer_t ours = { 0 };
  int error;
  size_t at;
  const char *bad = rewrite (regex, &ours);
  sol_status_t st = SOL_OK;
  if (bad) SOL_GO (sol_fail (SOL_ERR_UNSUPPORTED, ROOM, "%s: %s: expression: %s is not supported", path, what, bad));
  sol_buffer_add (&ours, "", 0);
  p->code = pcre2_compile ((PCRE2_SPTR) (ours.data ? ours.data : ""), ours.bytes, PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &at, NULL);
  if (!p->code) {
    char why[128] = "";
    pcre2_get_error_message (error, (PCRE2_UCHAR *) why, sizeof why);
    st = sol_fail (SOL_ERR_FORMAT, ROOM, "%s: %s: expression: %s (near byte %zu of %.200s)", path, what, why, at, ours.data ? ours.data : "");
  } else pcre2_jit_compile (p->code, PCRE2_JIT_COMPLETE); /* without it, it is only slower */
out:
  sol_buffer_free (&ours);
  return st;
}

void sol_pattern_literal (sol_pattern_t *p, const char *text, size_t bytes)
{
  p->literal = sol_alloc (bytes + 1);
  memcpy (p->literal, text, bytes);
  p->literal_bytes = bytes;
}

sol_status_t sol_pattern_read (sol_pattern_t *p, const struct cJSON *item, const char *what, const char *path)
{
  const char *regex = sol_json_string (item, "Regex"), *literal = sol_json_string (item, "String");
  if (literal && literal[0]) {
    sol_pattern_literal (p, literal, strlen (literal));
    return SOL_OK;
  }
  if (!regex) return sol_fail (SOL_ERR_FORMAT, ROOM, "%s: %s: expected pattern.Regex or pattern.String", path, what);
  return sol_pattern_compile (p, regex, what, path);
}

void sol_pattern_free (sol_pattern_t *p)
{
  pcre2_code_free (p->code);
  sol_free (p->literal);
  *p = (sol_pattern_t) { 0 };
}

/* PCRE2's stack for compiled patterns may be too small for a long run of one class: then its interpreter, which uses the heap */
static int match (const sol_find_t *f)
{
  int rc = pcre2_match (f->p->code, (PCRE2_SPTR) f->text, f->bytes, f->from, PCRE2_NO_UTF_CHECK, f->match, NULL);
  if (rc == PCRE2_ERROR_JIT_STACKLIMIT) rc = pcre2_match (f->p->code, (PCRE2_SPTR) f->text, f->bytes, f->from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, f->match, NULL);
  return rc;
}

sol_status_t sol_find_next (sol_find_t *f, size_t *start_p, size_t *end_p)
{
  if (!f->p->code) {
    const char *at = f->from < f->bytes ? memmem (f->text + f->from, f->bytes - f->from, f->p->literal, f->p->literal_bytes) : NULL;
    if (!at) return SOL_END;
    *start_p = (size_t) (at - f->text);
    f->from = *end_p = *start_p + f->p->literal_bytes;
    return SOL_OK;
  }
  while (f->from <= f->bytes) {
    int rc = match (f);
    if (rc == PCRE2_ERROR_NOMATCH) return SOL_END;
    if (rc < 0) return sol_fail (SOL_ERR_LIMIT, ROOM, "an expression of the tokenizer fails on a text of %zu bytes (PCRE2 error %d)", f->bytes, rc);
    const size_t *found = pcre2_get_ovector_pointer (f->match);
    if (found[0] == found[1] && found[1] == f->last_end) { /* an empty match right behind another */
      int32_t cp;
      f->from += f->from < f->bytes ? (size_t) sol_utf8_next (f->text + f->from, f->bytes - f->from, &cp) : 1;
      continue;
    }
    *start_p = found[0];
    *end_p = f->from = f->last_end = found[1];
    return SOL_OK;
  }
  return SOL_END;
}

sol_status_t sol_replace (const sol_pattern_t *p, pcre2_match_data *data, const char *with, size_t with_bytes, const char *text, size_t bytes, sol_buffer_t *out)
{
  sol_find_t f = { p, data, text, bytes, 0, SIZE_MAX };
  size_t done = 0, start, end;
  sol_status_t st = SOL_END;
  while (bytes && (st = sol_find_next (&f, &start, &end)) == SOL_OK) {
    sol_buffer_add (out, text + done, start - done);
    sol_buffer_add (out, with, with_bytes);
    done = end;
  }
  if (st != SOL_END) return st;
  sol_buffer_add (out, text + done, bytes - done);
  return SOL_OK;
}

/* ---- kinds of characters */

int sol_is_numeric (int32_t cp)
{
  if (cp < 0x80) return cp >= '0' && cp <= '9';
  utf8proc_category_t c = utf8proc_category (cp);
  return c == UTF8PROC_CATEGORY_ND || c == UTF8PROC_CATEGORY_NL || c == UTF8PROC_CATEGORY_NO;
}

/* The reference looks punctuation up in a table of Unicode 8: most of what came later is none, and two characters were some then. */
static int is_flipped (int32_t cp)
{
  static const int32_t row[][2] = {
    { 0x61d, 0x61d }, { 0x9fd, 0x9fd }, { 0xa76, 0xa76 }, { 0xc77, 0xc77 }, { 0xc84, 0xc84 }, { 0x166d, 0x166d }, { 0x1b7d, 0x1b7e }, { 0x2e43, 0x2e4f }, { 0x2e52, 0x2e5d },
    { 0x10ead, 0x10ead }, { 0x10f55, 0x10f59 }, { 0x10f86, 0x10f89 }, { 0x111c9, 0x111c9 }, { 0x1144b, 0x1144f }, { 0x1145a, 0x1145b }, { 0x1145d, 0x1145d }, { 0x11660, 0x1166c },
    { 0x116b9, 0x116b9 }, { 0x1183b, 0x1183b }, { 0x11944, 0x11946 }, { 0x119e2, 0x119e2 }, { 0x11a3f, 0x11a46 }, { 0x11a9a, 0x11a9c }, { 0x11a9e, 0x11aa2 }, { 0x11b00, 0x11b09 },
    { 0x11c41, 0x11c45 }, { 0x11c70, 0x11c71 }, { 0x11ef7, 0x11ef8 }, { 0x11f43, 0x11f4f }, { 0x11fff, 0x11fff }, { 0x12ff1, 0x12ff2 }, { 0x16e97, 0x16e9a }, { 0x16fe2, 0x16fe2 },
    { 0x1e95e, 0x1e95f }
  };
  for (size_t i = 0; i < sizeof row / sizeof *row; i++)
    if (cp >= row[i][0] && cp <= row[i][1]) return 1;
  return 0;
}

int sol_is_punctuation (int32_t cp)
{
  if (cp < 0x80) return (cp >= '!' && cp <= '/') || (cp >= ':' && cp <= '@') || (cp >= '[' && cp <= '`') || (cp >= '{' && cp <= '~');
  utf8proc_category_t c = utf8proc_category (cp);
  return (c >= UTF8PROC_CATEGORY_PC && c <= UTF8PROC_CATEGORY_PO) != is_flipped (cp);
}

/* letters, marks, digits, connectors, joiners, and the symbols that are letters in circles or squares */
int sol_is_word (int32_t cp)
{
  if (cp < 0x80) return (cp >= '0' && cp <= '9') || (cp >= 'a' && cp <= 'z') || (cp >= 'A' && cp <= 'Z') || cp == '_';
  if (cp == 0x200c || cp == 0x200d || (cp >= 0x24b6 && cp <= 0x24e9)) return 1;
  if ((cp >= 0x1f130 && cp <= 0x1f149) || (cp >= 0x1f150 && cp <= 0x1f169) || (cp >= 0x1f170 && cp <= 0x1f189)) return 1;
  utf8proc_category_t c = utf8proc_category (cp);
  return (c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_ME) || c == UTF8PROC_CATEGORY_ND || c == UTF8PROC_CATEGORY_NL || c == UTF8PROC_CATEGORY_PC;
}
