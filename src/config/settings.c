/* SPDX-License-Identifier: Apache-2.0 */
/* the table of settings.h as rows, and what is asked of rows: names, values, text */
#include "solera/config.h"
#include "solera/memory.h"
#include "settings_internal.h"
#include <math.h>
#include <stddef.h>
#include <string.h>

#define AT(f) offsetof (sol_config_t, f)
#define I_(f, nm, d, lo, hi, u, g, dc) { .name = nm, .kind = SOL_KIND_INT, .offset = AT (f), .idef = d, .imin = lo, .imax = hi, .unit = u, .groups = g, .doc = dc },
#define F_(f, nm, d, lo, hi, u, g, dc) { .name = nm, .kind = SOL_KIND_FLOAT, .offset = AT (f), .def = d, .min = lo, .max = hi, .unit = u, .groups = g, .doc = dc },
#define B_(f, nm, d, g, dc) { .name = nm, .kind = SOL_KIND_BOOL, .offset = AT (f), .idef = d, .imax = 1, .unit = "", .groups = g, .doc = dc },
#define S_(f, nm, d, g, dc) { .name = nm, .kind = SOL_KIND_STRING, .offset = AT (f), .sdef = d, .unit = "", .groups = g, .doc = dc },
#define L_(f, nm, g, dc) { .name = nm, .kind = SOL_KIND_LIST, .offset = AT (f), .unit = "", .groups = g, .doc = dc },
#define C_(f, nm, d, ch, g, dc) { .name = nm, .kind = SOL_KIND_CHOICE, .offset = AT (f), .idef = d, .choices = ch, .unit = "", .groups = g, .doc = dc },
static const sol_setting_t table[] = { SOL_SETTINGS (I_, F_, B_, S_, L_, C_) };
_Static_assert (sizeof table / sizeof *table == SOL_N_SETTINGS, "one row a setting");

const sol_setting_t *sol_settings (int *n_p)
{
  *n_p = SOL_N_SETTINGS;
  return table;
}

const sol_setting_t *sol_setting_find (const char *name)
{
  for (int i = 0; i < SOL_N_SETTINGS; i++)
    if (strcmp (table[i].name, name) == 0) return &table[i];
  return NULL;
}

int sol_setting_is_section (const char *name)
{
  const size_t n = strlen (name);
  for (int i = 0; i < SOL_N_SETTINGS; i++)
    if (strncmp (table[i].name, name, n) == 0 && table[i].name[n] == '.') return 1;
  return 0;
}

/* Levenshtein, with a swap of two neighbours as one step; texts beyond 63 bytes count as far */
int sol_edit_distance (const char *a, const char *b)
{
  int row[3][64];
  const int n = (int) strnlen (a, 64), m = (int) strnlen (b, 64);
  if (n > 63 || m > 63) return 1000;
  for (int j = 0; j <= m; j++) row[0][j] = j;
  for (int i = 1; i <= n; i++) {
    int *now = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];
    now[0] = i;
    for (int j = 1; j <= m; j++) {
      int best = up[j - 1] + (a[i - 1] != b[j - 1]);
      if (up[j] + 1 < best) best = up[j] + 1;
      if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && up2[j - 2] + 1 < best) best = up2[j - 2] + 1;
      now[j] = best;
    }
  }
  return row[n % 3][m];
}

/* `lr` is near to train.lr: without a dot the last part of a name is compared too, at the price of one step */
const char *sol_setting_nearest (const char *text)
{
  const char *near = NULL;
  int best = (int) strlen (text) / 3 + 2;
  for (int i = 0; i < SOL_N_SETTINGS; i++) {
    const char *last = strrchr (table[i].name, '.');
    int d = sol_edit_distance (text, table[i].name);
    if (last && !strchr (text, '.')) {
      const int part = sol_edit_distance (text, last + 1) + 1;
      if (part < d) d = part;
    }
    if (d < best) {
      best = d;
      near = table[i].name;
    }
  }
  return near;
}

void sol_setting_choice (const sol_setting_t *s, int64_t index, sol_buffer_t *out)
{
  const char *at = s->choices;
  for (; index > 0 && at; index--) at = strchr (at, '|') ? strchr (at, '|') + 1 : NULL;
  if (at) sol_buffer_add (out, at, strcspn (at, "|"));
}

static void add_list (char *const *list, void (*quote) (sol_buffer_t *, const char *, size_t), sol_buffer_t *out)
{
  sol_buffer_add (out, "[", 1);
  for (int i = 0; list && list[i]; i++) {
    if (i) sol_buffer_add (out, ", ", 2);
    quote (out, list[i], strlen (list[i]));
  }
  sol_buffer_add (out, "]", 1);
}

static void add_value (const sol_config_t *config, const sol_setting_t *s, void (*quote) (sol_buffer_t *, const char *, size_t), sol_buffer_t *out)
{
  const void *field = (const char *) config + s->offset;
  switch (s->kind) {
  case SOL_KIND_INT: sol_buffer_printf (out, "%lld", (long long) *(const int64_t *) field); break;
  case SOL_KIND_FLOAT:
    if (isnan (*(const double *) field)) sol_buffer_printf (out, "auto");
    else sol_buffer_double (out, *(const double *) field);
    break;
  case SOL_KIND_BOOL: sol_buffer_printf (out, "%s", *(const int *) field ? "true" : "false"); break;
  case SOL_KIND_CHOICE: sol_setting_choice (s, *(const int *) field, out); break;
  case SOL_KIND_LIST: add_list (*(char *const *const *) field, quote, out); break;
  case SOL_KIND_STRING: quote (out, *(const char *const *) field, strlen (*(const char *const *) field)); break;
  }
}

static void plain (sol_buffer_t *out, const char *text, size_t bytes) { sol_buffer_add (out, text, bytes); }

void sol_config_value (const sol_config_t *config, const sol_setting_t *setting, sol_buffer_t *out)
{
  add_value (config, setting, setting->kind == SOL_KIND_LIST ? sol_buffer_json : plain, out);
}

/* A YAML double-quoted scalar. As JSON, but for what YAML 1.1 reads as a line break or does not allow: C1 controls, U+2028, U+2029, U+FEFF, U+FFFE, U+FFFF. */
static void quote_yaml (sol_buffer_t *out, const char *text, size_t bytes)
{
  const unsigned char *s = (const unsigned char *) text;
  size_t done = 0;
  sol_buffer_t part = { 0 };
  sol_buffer_add (out, "\"", 1);
  for (size_t i = 0; i <= bytes; i++) {
    unsigned code = 0;
    size_t len = 2;
    if (i + 1 < bytes && s[i] == 0xc2 && s[i + 1] < 0xa0) code = s[i + 1];
    if (i + 2 < bytes && (s[i] & 0xf0) == 0xe0) {
      const unsigned u = (unsigned) (s[i] & 15) << 12 | (unsigned) (s[i + 1] & 63) << 6 | (s[i + 2] & 63u);
      len = 3;
      if (u == 0x2028 || u == 0x2029 || u == 0xfeff || u >= 0xfffe) code = u;
    }
    if (i < bytes && !code) continue;
    sol_buffer_clear (&part);
    sol_buffer_json (&part, text + done, i - done);
    sol_buffer_add (out, part.data + 1, part.bytes - 2);
    if (code) sol_buffer_printf (out, "\\u%04x", code);
    i += code ? len - 1 : 0;
    done = i + 1;
  }
  sol_buffer_add (out, "\"", 1);
  sol_buffer_free (&part);
}

void sol_config_text (const sol_config_t *config, sol_buffer_t *out)
{
  char done[SOL_N_SETTINGS] = { 0 };
  for (int i = 0; i < SOL_N_SETTINGS; i++) {
    const char *dot = strchr (table[i].name, '.');
    if (done[i]) continue;
    const int n = dot ? (int) (dot - table[i].name) : 0;
    if (dot) sol_buffer_printf (out, "%.*s:\n", n, table[i].name);
    for (int k = i; k < SOL_N_SETTINGS; k++) {
      if (dot ? strncmp (table[k].name, table[i].name, (size_t) n + 1) != 0 : k > i) continue;
      sol_buffer_printf (out, "%s%s: ", dot ? "  " : "", dot ? table[k].name + n + 1 : table[k].name);
      add_value (config, &table[k], quote_yaml, out);
      sol_buffer_add (out, "\n", 1);
      done[k] = 1;
    }
  }
}
