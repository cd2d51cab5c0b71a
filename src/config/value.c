/* SPDX-License-Identifier: Apache-2.0 */
/* one value: text to field, with type and bounds */
#include "settings_internal.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *sol_loading_where (const sol_loading_t *l, int line, char *buf, size_t n)
{
  if (l->override) snprintf (buf, n, "command line argument '%.120s'", l->source);
  else snprintf (buf, n, "%s:%d", l->source, line);
  return buf;
}

static sol_status_t wrong (const sol_loading_t *l, const sol_setting_t *s, int line, const char *expected, const char *text, int plain)
{
  char where[512];
  const char *mark = plain ? "" : "\"";
  sol_loading_where (l, line, where, sizeof where);
  if (plain && !*text) text = "nothing";
  return sol_fail (SOL_ERR_USAGE, "config", "%s: %s: expected %s, found %s%.100s%s%s", where, s->name, expected, mark, text, mark,
                   plain || s->kind == SOL_KIND_STRING ? "" : " in quotes");
}

static const char *int_bounds (const sol_setting_t *s, char *buf, size_t n)
{
  const char *unit = *s->unit ? " " : "";
  if (s->imax == INT64_MAX) snprintf (buf, n, "an integer of at least %lld%s%s", (long long) s->imin, unit, s->unit);
  else snprintf (buf, n, "an integer from %lld to %lld%s%s", (long long) s->imin, (long long) s->imax, unit, s->unit);
  return buf;
}

static sol_status_t set_int (sol_loading_t *l, const sol_setting_t *s, int64_t *field, const char *text, int plain, int line)
{
  char expected[160], *end = NULL;
  const char *digits = text + (*text == '-' || *text == '+');
  const int octal = digits[0] == '0' && digits[1]; /* 010 is 8 to YAML 1.1 and 10 to YAML 1.2 */
  errno = 0;
  const long long v = strtoll (text, &end, 10);
  if (!plain || !*digits || octal || strspn (digits, "0123456789") != strlen (digits) || *end || errno || v < s->imin || v > s->imax)
    return wrong (l, s, line, int_bounds (s, expected, sizeof expected), text, plain);
  *field = v;
  return SOL_OK;
}

int sol_config_positive (const char *text, double *value)
{
  char *end = NULL;
  *value = strtod (text, &end);
  return *text && strspn (text, "+.0123456789eE-") == strlen (text) && !*end && isfinite (*value) && *value > 0 ? 0 : -1;
}

static sol_status_t set_float (sol_loading_t *l, const sol_setting_t *s, double *field, const char *text, int plain, int line)
{
  char expected[160], *end = NULL;
  const char *digits = text + (*text == '-' || *text == '+');
  const int octal = digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9';
  const double v = strtod (text, &end);
  const int vanished = v == 0 && strcspn (text, "123456789") < strcspn (text, "eE"); /* 1e-400 */
  if (isnan (s->def) && plain && strcmp (text, "auto") == 0) {
    *field = SOL_AUTO;
    return SOL_OK;
  }
  /* no hexadecimal, inf or nan: only what YAML calls a number */
  const int number = plain && !octal && !vanished && *text && strspn (text, "+-.0123456789eE") == strlen (text) && strpbrk (text, "0123456789") && !*end && isfinite (v);
  if (!number || v < s->min || v > s->max) {
    snprintf (expected, sizeof expected, "a number from %g to %g%s%s%s", s->min, s->max, *s->unit ? " " : "", s->unit, isnan (s->def) ? ", or auto" : "");
    return wrong (l, s, line, expected, text, plain);
  }
  *field = v;
  return SOL_OK;
}

static sol_status_t set_choice (sol_loading_t *l, const sol_setting_t *s, int *field, const char *text, int plain, int line)
{
  char expected[160];
  const size_t n = strlen (text);
  int index = 0;
  for (const char *at = s->choices; n; index++) {
    const size_t len = strcspn (at, "|");
    if (len == n && strncmp (at, text, n) == 0) {
      *field = index;
      return SOL_OK;
    }
    if (!at[len]) break;
    at += len + 1;
  }
  snprintf (expected, sizeof expected, "one of %s", s->choices);
  return wrong (l, s, line, expected, text, plain);
}

static sol_status_t set_bool (sol_loading_t *l, const sol_setting_t *s, int *field, const char *text, int plain, int line)
{
  const int yes = strcmp (text, "true") == 0;
  if (!plain || (!yes && strcmp (text, "false") != 0)) return wrong (l, s, line, "true or false", text, plain);
  *field = yes;
  return SOL_OK;
}

static int is_null (const char *text, int plain) { return plain && (!*text || !strcmp (text, "~") || !strcmp (text, "null")); }

sol_status_t sol_value_scalar (sol_loading_t *l, const sol_setting_t *s, const char *text, int plain, int line)
{
  void *field = (char *) l->config + s->offset;
  switch (s->kind) {
  case SOL_KIND_INT: SOL_TRY (set_int (l, s, field, text, plain, line)); break;
  case SOL_KIND_FLOAT: SOL_TRY (set_float (l, s, field, text, plain, line)); break;
  case SOL_KIND_BOOL: SOL_TRY (set_bool (l, s, field, text, plain, line)); break;
  case SOL_KIND_CHOICE: SOL_TRY (set_choice (l, s, field, text, plain, line)); break;
  case SOL_KIND_STRING:
    if (is_null (text, plain) && !l->override) return wrong (l, s, line, "text (\"\" for none)", text, plain);
    sol_free (*(char **) field);
    *(char **) field = sol_strdup (text);
    break;
  case SOL_KIND_LIST: {
    if (is_null (text, plain) && !l->override) return wrong (l, s, line, "a sequence of texts ([] for none)", text, plain);
    const int none = !*text && plain;
    char **list = sol_alloc ((none ? 1 : 2) * sizeof *list);
    if (!none) list[0] = sol_strdup (text);
    sol_value_list (l, s, list, line);
    return SOL_OK;
  }
  }
  int n;
  l->origin[s - sol_settings (&n)] = (sol_origin_t) { l->source, l->override ? -l->override : line };
  return SOL_OK;
}

void sol_value_list (sol_loading_t *l, const sol_setting_t *s, char **list, int line)
{
  char ***field = (char ***) (void *) ((char *) l->config + s->offset);
  int n;
  for (char **old = *field; old && *old; old++) sol_free (*old);
  sol_free (*field);
  *field = list;
  l->origin[s - sol_settings (&n)] = (sol_origin_t) { l->source, l->override ? -l->override : line };
}
