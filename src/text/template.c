/* SPDX-License-Identifier: Apache-2.0 */
/* template.c: a chat template in one spelling, so that templates that print the same in the same way are the same text. Text outside tags, as Jinja leaves it (trim_blocks and
 * lstrip_blocks on, as transformers has them), becomes {{'text'}}; comments and the white space of tags go; 'x'+y in a printing tag becomes {{'x'}}{{y}}; neighbouring texts are joined;
 * m['role'] is m.role. Strings stand between single quotes, a quote inside one is the byte 2. */
#include "template.h"
#include <string.h>

#define QUOTE '\2'

typedef struct { const char *at; sol_buffer_t *out; int trim, after_block; } scan_t;

static void put (sol_buffer_t *out, const char *s, size_t n) { sol_buffer_add (out, s, n); }

static int is_white (char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' || c == '\v'; }

/* {{'text'}}, joined to a text printed just before */
static void print_text (sol_buffer_t *out, const char *s, size_t n)
{
  if (!n) return;
  if (out->bytes > 5 && !memcmp (out->data + out->bytes - 3, "'}}", 3) && out->data[out->bytes - 4] != '(') {
    /* the tag that ends here is a text alone when its quote opens behind {{ */
    size_t k = out->bytes - 4;
    while (k > 1 && out->data[k] != '\'') k--;
    if (k >= 2 && out->data[k] == '\'' && out->data[k - 1] == '{' && out->data[k - 2] == '{') out->bytes -= 3;
    else put (out, "{{'", 3);
  } else put (out, "{{'", 3);
  for (size_t i = 0; i < n; i++) {
    const char c = s[i] == '\'' ? QUOTE : s[i];
    put (out, &c, 1);
  }
  put (out, "'}}", 3);
}

/* a string of the template's at *s (its quote), unescaped, in our quotes; moves behind it */
static void string (const char **s, sol_buffer_t *out)
{
  const char quote = *(*s)++;
  put (out, "'", 1);
  for (; **s && **s != quote; ++*s) {
    char c = **s;
    if (c == '\\' && (*s)[1]) {
      c = *++*s;
      c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
    }
    if (c == '\'') c = QUOTE;
    put (out, &c, 1);
  }
  if (**s) ++*s;
  put (out, "'", 1);
}

/* the inside of a tag up to end, without white space outside strings */
static void inside (const char *s, const char *end, sol_buffer_t *out)
{
  while (s < end) {
    const char *key = NULL;
    size_t k = 0;
    if (*s == '[' && (s[1] == '\'' || s[1] == '"')) { /* ['name'] is .name */
      key = s + 2;
      while (key + k < end && ((key[k] >= 'a' && key[k] <= 'z') || key[k] == '_')) k++;
      if (!k || key[k] != s[1] || key[k + 1] != ']') key = NULL;
    }
    if (key) {
      put (out, ".", 1);
      put (out, key, k);
      s = key + k + 2;
    } else if (*s == '\'' || *s == '"') string (&s, out);
    else if (is_white (*s)) {
      const char before = out->bytes ? out->data[out->bytes - 1] : 0;
      while (s < end && is_white (*s)) s++;
      const int word = (before >= 'a' && before <= 'z') || (before >= 'A' && before <= 'Z') || before == '_' || (before >= '0' && before <= '9');
      if (s < end && word && ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || *s == '_' || (*s >= '0' && *s <= '9'))) put (out, " ", 1); /* between words only */
    } else put (out, s++, 1);
  }
}

/* a printing tag, cut at every + outside strings and brackets */
static void print_tag (const char *s, const char *end, sol_buffer_t *out)
{
  sol_buffer_t all = { 0 };
  inside (s, end, &all);
  int depth = 0, quoted = 0;
  size_t from = 0;
  for (size_t i = 0; i <= all.bytes && all.bytes; i++) {
    const char c = i < all.bytes ? all.data[i] : '+';
    if (c == '\'') quoted = !quoted;
    if (quoted) continue;
    depth += (c == '(' || c == '[' || c == '{') - (c == ')' || c == ']' || c == '}');
    if (c != '+' || (depth && i < all.bytes)) continue;
    const char *part = all.data + from;
    const size_t n = i - from;
    if (n >= 2 && part[0] == '\'' && memchr (part + 1, '\'', n - 1) == part + n - 1) print_text (out, part + 1, n - 2);
    else {
      put (out, "{{", 2);
      put (out, part, n);
      put (out, "}}", 2);
    }
    from = i + 1;
  }
  sol_buffer_free (&all);
}

/* the end of a tag that begins at s: where its closing mark stands, strings passed over. NULL: it is not closed */
static const char *tag_end (const char *s, const char *close, int is_comment)
{
  for (char quote = 0; *s; s++) {
    if (quote) {
      if (*s == '\\' && s[1]) s++;
      else if (*s == quote) quote = 0;
    } else if (!is_comment && (*s == '\'' || *s == '"')) quote = *s;
    else if (s[0] == close[0] && s[1] == close[1]) return s;
  }
  return NULL;
}

/* text between tags, from..to; next: the tag's opening mark behind it, "" at the end */
static void text_between (scan_t *t, const char *from, const char *to, const char *next)
{
  const int is_block = next[0] == '{' && (next[1] == '%' || next[1] == '#'), strip = next[0] && next[2] == '-', keep = next[0] && next[2] == '+';
  const char *start = from;
  if (t->trim)
    while (from < to && is_white (*from)) from++;
  else if (t->after_block && from < to && *from == '\n') from++;
  if (strip)
    while (to > from && is_white (to[-1])) to--;
  else if (is_block && !keep) {
    const char *line = to;
    while (line > from && (line[-1] == ' ' || line[-1] == '\t')) line--;
    if ((line > from && line[-1] == '\n') || (line == from && (from > start || t->after_block || t->at == start))) to = line;
  } else if (!next[0] && to > from && to[-1] == '\n') to--;
  print_text (t->out, from, (size_t) (to - from));
}

int sol_template_spell (const char *text, sol_buffer_t *out)
{
  scan_t t = { text, out, 0, 1 };
  const char *from = text;
  sol_buffer_clear (out);
  for (;;) {
    const char *open = from;
    while (*open && !(open[0] == '{' && (open[1] == '%' || open[1] == '{' || open[1] == '#'))) open++;
    text_between (&t, from, open, open);
    if (!*open) break;
    const char kind = open[1], *close = kind == '%' ? "%}" : kind == '{' ? "}}" : "#}", *s = open + 2, *end = tag_end (s, close, kind == '#');
    if (!end) return 0;
    const int dash = end > s && end[-1] == '-', plus = end > s && end[-1] == '+';
    const char *last = end - (dash || plus);
    if (*s == '-' || *s == '+') s++;
    if (s > last) s = last;
    if (kind == '{') print_tag (s, last, out);
    else if (kind == '%') {
      put (out, "{%", 2);
      inside (s, last, out);
      put (out, "%}", 2);
    }
    t.trim = dash;
    t.after_block = kind != '{' && !plus;
    from = end + 2;
  }
  put (out, "", 0);
  return 1;
}
